/** What a look that moves nothing leaves behind: how loud it is, whom it names, and what it changes in the item. */
import { describe, expect, it } from 'vitest';
import { observe } from '../../shared/app/observe.ts';
import type { Entry } from '../../shared/app/record.ts';
import { readService } from '../../shared/app/record.ts';
import {
  announcedEntry,
  isTellingAgain,
  keptEntry,
  observedEntry,
  refusalEntry,
  sceneOf,
} from '../../shared/app/restore-records.ts';
import type { Refusal } from '../../shared/core/decision.ts';
import type { AttachmentId } from '../../shared/core/ids.ts';
import { unknown } from '../../shared/core/observation.ts';
import type { OperatorRequest, Service } from '../../shared/core/state.ts';
import { told } from '../fakes/fake-notifier.ts';
import {
  a,
  b,
  c,
  front,
  makeWorld,
  management,
  ordersDb,
  servingAlarm,
  stranger,
  type World,
} from '../fakes/world.ts';

async function looked(prepare: (world: World) => void = () => undefined) {
  const world = await makeWorld();
  prepare(world);
  const service = (await world.run(readService(world.ports, ordersDb))) as Service;
  const observation = await world.run(observe(world.ports, service));
  return { world, service, observation };
}
function noticeOf(entry: Entry | undefined) {
  const notice = entry?.notice({ number: 7, hash: 'h' });
  return notice && told(notice);
}
const severityOf = (entry: Entry | undefined) => noticeOf(entry)?.attributes['severity'];

describe('a refusal', () => {
  const refusal = (more: Partial<Refusal> = {}): Refusal => ({
    kind: 'refuse',
    code: 'NO_ELIGIBLE_STANDBY',
    detail: `${a}: impaired`,
    members: [],
    callHuman: true,
    ...more,
  });

  it.each<[string, Partial<Refusal>, string]>([
    ['pages where people have to act', {}, 'critical'],
    ['warns where they only have to know', { code: 'PAUSED', callHuman: false }, 'warning'],
    ['pages nobody about what is only observed', { code: 'OBSERVE_ONLY' }, 'warning'],
  ])('%s', async (_name, more, severity) => {
    const { world, service } = await looked();
    expect(severityOf(refusalEntry(world.ports, service, refusal(more)))).toBe(severity);
  });

  it.each<[string, Partial<Refusal>, string, readonly string[]]>([
    [
      'says what ends it',
      { code: 'PAUSED', members: [{ member: b, code: 'NOT_RUNNING', detail: 'it is stopped' }] },
      'NOT moved: PAUSED',
      ['resume it', "eni-failover resume orders-db --reason '...'", 'eni-failover explain orders-db'],
    ],
    [
      'of which no member is to blame says so in general',
      {},
      'NOT moved: NO_ELIGIBLE_STANDBY',
      ["end one standby's own reason, listed beside it", 'eni-failover explain orders-db'],
    ],
  ])('%s', async (_name, more, headline, next) => {
    const { world, service } = await looked();
    expect(noticeOf(refusalEntry(world.ports, service, refusal(more)))).toMatchObject({ headline, next });
  });

  it('of a service that is down says so in a text message, with who failed and who can be helped', async () => {
    const { world, service } = await looked((given) => {
      given.ec2.setState(b, 'stopped');
      given.ec2.impair(c);
      given.ec2.impair(a);
    });
    await world.look(world.alarm(a));
    await world.settle();
    const [notice] = world.notifier.of('NO_ELIGIBLE_STANDBY');
    expect(service.name).toBe(ordersDb);
    expect(notice?.line).toBe(
      `CRITICAL: orders-db: DOWN: its holder ${a} failed and no standby may take over. ${b} is NOT_RUNNING: start it`,
    );
    expect(notice?.next).toEqual([
      `${b} is NOT_RUNNING: start it`,
      `${c} is CHECKS_FAILED: repair or replace it`,
      `eni-failover member replace orders-db ${c} i-... --reason '...'`,
      'eni-failover explain orders-db',
    ]);
  });

  const asked: OperatorRequest = {
    id: 'request-1',
    kind: 'switchover',
    target: b,
    author: 'ann',
    reason: 'x',
    atMs: 0,
  };
  it.each<[string, string, OperatorRequest | undefined]>([
    ['clears the request that it refuses', 'request-1', undefined],
    ['leaves another request alone', 'request-0', asked],
  ])('%s', async (_name, request, left) => {
    const { world, service } = await looked();
    const entry = refusalEntry(world.ports, service, refusal({ request }));
    expect(entry?.change({ ...service, request: asked }).request).toEqual(left);
    expect(entry?.change(service)).not.toHaveProperty('request');
  });

  it('is on record once, and each request that it refuses is on record too', async () => {
    const { world, service } = await looked();
    const told = { ...service, ...refusalEntry(world.ports, service, refusal())?.change(service) };
    expect(refusalEntry(world.ports, told, refusal())).toBeUndefined();
    const toldOf = {
      ...service,
      ...refusalEntry(world.ports, service, refusal({ request: 'r' }))?.change(service),
    };
    expect(refusalEntry(world.ports, toldOf, refusal({ request: 'r' }))).toBeDefined();
  });
});

describe('what others did', () => {
  const split = { kind: 'record', code: 'SPLIT', detail: 'on two' } as const;

  it('is written down as it was found', async () => {
    const { world, service, observation } = await looked(({ ec2 }) => {
      ec2.moveByHand(front, b, 1);
      ec2.detachByHand(management);
    });
    const entry = observedEntry(world.ports, service, split, observation);
    expect(entry.draft.facts).toMatchObject({ attachedTo: { [front]: b, [management]: null } });
    expect(entry.draft.instances).toEqual([b]);
  });

  it('says of what could not be read that it is not known', async () => {
    const { world, service, observation } = await looked();
    const interfaces = new Map(observation.interfaces).set(front, unknown('throttled'));
    const entry = observedEntry(world.ports, service, split, { ...observation, interfaces });
    expect(entry.draft.facts).toMatchObject({ attachedTo: { [front]: 'unknown', [management]: a } });
  });

  it.each([
    ['pages where the service may be broken', 'SPLIT', 'critical'],
    ['pages nobody where it is attached as before', 'REATTACHED_BY_OTHERS', 'info'],
  ] as const)('%s', async (_name, code, severity) => {
    const { world, service, observation } = await looked();
    const entry = observedEntry(world.ports, service, { ...split, code }, observation);
    expect(severityOf(entry)).toBe(severity);
  });

  const adopt = "eni-failover adopt orders-db --reason '...'";
  it.each([
    ['is adopted by a command where it came to a member', b, [adopt]],
    ['has no such command where it came to a stranger', stranger, []],
  ] as const)('%s', async (_name, holder, commands) => {
    const { world, service, observation } = await looked();
    const moved = { kind: 'record', code: 'MOVED_BY_OTHERS', detail: 'x', holder } as const;
    expect(noticeOf(observedEntry(world.ports, service, moved, observation))?.next).toEqual([
      'nothing if that was meant; otherwise move them back',
      ...commands,
      'eni-failover explain orders-db',
    ]);
  });

  it('ends the time of the preferred member where it has a new holder, and only there', async () => {
    const { world, service, observation } = await looked();
    const waiting = { ...service, preferredSinceMs: 7 };
    const moved = { kind: 'record', code: 'MOVED_BY_OTHERS', detail: 'x', holder: b } as const;
    const left = (decision: typeof split | typeof moved, state: Service) =>
      observedEntry(world.ports, state, decision, observation).change(state);
    expect(left(split, waiting).preferredSinceMs).toBe(7);
    expect(left(moved, waiting)).not.toHaveProperty('preferredSinceMs');
    expect(left(split, service)).not.toHaveProperty('preferredSinceMs');
  });

  it('changes where the interfaces were last seen only when they are together', async () => {
    const gone = 'eni-attach-0aaaaaaaaaaaaaaaa' as AttachmentId;
    const { world, service, observation } = await looked(({ ec2 }) => {
      ec2.moveByHand(front, b, 1);
      ec2.moveByHand(management, b, 2);
    });
    const current = world.ec2.where(front)?.id as AttachmentId;
    const state = { ...service, mayDetach: [gone, current] };
    const apart = observedEntry(world.ports, service, split, observation).change(state);
    expect(apart).toMatchObject({ lastSeen: { holder: a }, mayDetach: [gone, current] });
    expect(apart.lastMoveAtMs).toBe(service.lastMoveAtMs);
    const moved = { kind: 'record', code: 'MOVED_BY_OTHERS', detail: 'x', holder: b } as const;
    expect(observedEntry(world.ports, service, moved, observation).change(state)).toMatchObject({
      lastSeen: { holder: b, attachments: { [front]: current } },
      lastMoveAtMs: world.clock.now(),
      // What is gone cannot be detached any more; what is there can.
      mayDetach: [current],
    });
  });
});

describe('what a person who works by hand starts from', () => {
  it('is where each interface is, as far as somebody looked; else where it was seen last', async () => {
    const { world, service, observation } = await looked(({ ec2 }) => {
      ec2.moveByHand(front, b, 1);
      ec2.detachByHand(management);
    });
    const seenNow = sceneOf(service, observation);
    expect(seenNow.attachmentOf(front)).toMatchObject({ id: world.ec2.where(front)?.id, instanceId: b });
    expect(seenNow.attachmentOf(management)).toBeUndefined();
    const seenLast = { instanceId: a, status: 'attached' };
    for (const eni of [front, management])
      expect(sceneOf(service).attachmentOf(eni)).toEqual({
        id: service.lastSeen?.attachments[eni],
        ...seenLast,
      });
    const { lastSeen: _, ...neverSeen } = service;
    expect(sceneOf(neverSeen).attachmentOf(front)).toBeUndefined();
    expect(sceneOf(service).attachmentOf('eni-0aaaaaaaaaaaaaa09')).toBeUndefined();
  });

  it('has every alarm of the service, the one of its serving too', async () => {
    const { service } = await looked();
    const served = (serving: NonNullable<Service['declaration']['serving']>) =>
      sceneOf({ ...service, declaration: { ...service.declaration, serving } }).alarms;
    expect(served({ alarm: servingAlarm, within: 1 })).toEqual([servingAlarm]);
    expect(served({ check: { document: 'probe', on: 'target', parameters: {} }, within: 1 })).toEqual([]);
  });
});

describe('an announcement', () => {
  const hint = (instanceIds: readonly (typeof a)[]) =>
    ({ kind: 'announcement', what: 'health', detail: 'on Monday', instanceIds, atMs: 0 }) as const;

  it('names the members that it concerns, and what each of them is', async () => {
    const { world, service, observation } = await looked();
    const entry = announcedEntry(world.ports, service, hint([b, stranger, a]), observation);
    expect(noticeOf(entry)?.body).toContain(`Concerned: ${b} (standby), ${a} (holder)\n`);
    expect(entry?.draft.instances).toEqual([b, a]);
    expect(severityOf(entry)).toBe('warning');
  });
  it('of strangers only is nothing to tell', async () => {
    const { world, service, observation } = await looked();
    expect(announcedEntry(world.ports, service, hint([stranger]), observation)).toBeUndefined();
  });
  it('is nothing that another hint can bring', async () => {
    const { world, service, observation } = await looked();
    expect(announcedEntry(world.ports, service, world.alarm(a), observation)).toBeUndefined();
  });
});

describe('DeleteOnTermination that was set to false', () => {
  const answers = (...given: readonly string[]) =>
    given.map((answer, index) => ({
      eni: [front, management][index] ?? front,
      attachment: `eni-attach-${index}`,
      answer,
    }));

  it('is told quietly, and changes nothing else', async () => {
    const { world, service } = await looked();
    const entry = keptEntry(world.ports, service, answers('done', 'done'));
    expect(noticeOf(entry)).toMatchObject({
      subject: '[eni-failover] orders-db: DeleteOnTermination set to false',
      body: expect.not.stringContaining('What to do:'),
      attributes: { severity: 'info' },
    });
    expect(entry.change(service)).toEqual(service);
    expect(entry.draft.instances).toEqual([a]);
  });
  it('only in part is a warning, says what to do, and is remembered', async () => {
    const { world, service } = await looked();
    const entry = keptEntry(world.ports, service, answers('done', 'refused'));
    const notice = noticeOf(entry);
    expect(notice?.subject).toContain('could NOT be set to false');
    expect(notice?.body).toContain(
      `aws ec2 modify-network-interface-attribute --network-interface-id ${management} --attachment "AttachmentId=eni-attach-1,DeleteOnTermination=false"`,
    );
    expect(notice?.body).not.toContain(`--network-interface-id ${front}`);
    expect(notice?.next).toEqual(['set it by hand, and see which permission is missing']);
    expect(severityOf(entry)).toBe('warning');
    const told = { ...service, ...entry.change(service) };
    expect(isTellingAgain(told, answers('done', 'refused'))).toBe(true);
    expect(isTellingAgain(told, answers('done', 'done'))).toBe(false);
    expect(isTellingAgain(service, answers('done', 'refused'))).toBe(false);
  });
  it('is found again by no instance where none was ever seen', async () => {
    const { world, service } = await looked();
    const { lastSeen: _, ...unseen } = service;
    expect(keptEntry(world.ports, unseen, answers('done')).draft.instances).toEqual([]);
  });
});
