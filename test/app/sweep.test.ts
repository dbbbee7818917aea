/** The sweep: what it costs, whom it suspects, what it finds, and that nothing broken keeps it from telling so. */
import { describe, expect, it } from 'vitest';
import { isWorthAHop, type Snapshot, suspicion } from '../../shared/app/sweep.ts';
import type { Decision } from '../../shared/core/decision.ts';
import type { Episode } from '../../shared/core/episode.ts';
import type { InstanceId, ServiceName } from '../../shared/core/ids.ts';
import { refusalKey } from '../../shared/core/reasons.ts';
import { type Service, type ServiceState, toService } from '../../shared/core/state.ts';
import { waitingNotice } from '../fakes/notices.ts';
import {
  a,
  applicationAlarm,
  b,
  c,
  front,
  makeWorld,
  management,
  ordersDb,
  replicaLagOf,
  stranger,
  systemAlarmOf,
  type World,
} from '../fakes/world.ts';
import { story } from './story.ts';
import { addServices, standbyOf, sweeping } from './sweeping.ts';

const hour = 3_600_000;
const change = (world: World, more: Partial<ServiceState>) =>
  world.store.change(ordersDb, (state) => ({ ...state, ...more }));
const pauseUntil = (untilMs: number) => ({ reason: 'patching', author: 'ann', atMs: 0, untilMs });
const notice = (atMs: number) => waitingNotice('orders-db.9.X', { atMs, keep: false, outcome: 'X' });
const strandedPlan = {
  target: b,
  tried: [b],
  detach: 'force' as const,
  plainDetachMs: 0,
  interfaces: [{ eni: front, deviceIndex: 1, networkCardIndex: 0, ours: [] }],
};
/** Claimed two minutes ago. */
const openEpisode = (world: World): Episode => ({
  id: 'orders-db.1' as Episode['id'],
  kind: 'failover',
  state: 'CLAIMED',
  evidence: 'x',
  openedAtMs: world.clock.now() - 120_000,
  plan: { ...strandedPlan, source: a },
  committed: false,
  steps: [],
});
const stranded = { sinceMs: 1, why: 'nothing takes it', tries: 1, plan: strandedPlan };

describe('a new process', () => {
  story('reads each item once, and looks at a tenth of the services only', async (world) => {
    await addServices(world, 11);
    const { sweep, cost } = sweeping(world);
    const report = await sweep();
    expect(report).toMatchObject({ services: 12, ready: 12, lookedAt: 2, enqueued: 0, carriedOver: 0 });
    expect(report).toMatchObject({ failed: [], unread: [], notReady: {} });
    expect(cost()).toEqual({ items: 12 + 2, describes: 2 * 3, writes: 0 });
    expect(world.lines.filter((each) => each.level !== 'info')).toEqual([]);
  });

  story('that was there before reads no item again, but those that it looks at', async (world) => {
    await addServices(world, 11);
    const { sweep, later, cost } = sweeping(world);
    await sweep();
    cost();
    expect((await later()).lookedAt).toBe(2);
    expect(cost()).toEqual({ items: 2, describes: 2 * 3, writes: 0 });
  });

  story('takes every service in turn: the whole fleet in ten sweeps', async (world) => {
    await addServices(world, 11);
    const { sweep, later, memory } = sweeping(world);
    await sweep();
    for (let turn = 2; turn <= 6; turn += 1) {
      await later();
      expect(memory.lookedAtMs.size).toBe(turn * 2);
    }
    const oldest = [...memory.lookedAtMs].filter(
      ([, atMs]) => atMs === Math.min(...memory.lookedAtMs.values()),
    );
    await later();
    for (const [name, atMs] of oldest) expect(memory.lookedAtMs.get(name)).toBeGreaterThan(atMs);
  });

  story('looks at every service that is suspected, however many, beside those in turn', async (world) => {
    const added = await addServices(world, 11);
    for (const { holder } of added) world.ec2.setState(standbyOf(holder), 'stopped');
    const report = await sweeping(world).sweep();
    expect(report.lookedAt).toBe(12);
    expect(Object.keys(report.notReady)).toEqual(added.map((each) => each.name).sort());
    expect(report).toMatchObject({ noStandbyLeft: 11, ready: 1 });
  });

  story('knows from the item alone what was not ready before', async (world) => {
    world.ec2.setState(b, 'stopped');
    world.ec2.setState(c, 'stopped');
    const before = sweeping(world);
    await before.sweep();
    before.restart();
    world.ec2.fail('any', { kind: 'throttled' }, { times: 99 });
    world.store.fail('read', { kind: 'unreachable' }, { when: () => before.memory.services.size > 0 });
    const report = await before.later();
    expect(report.failed).toEqual([ordersDb]);
    expect(report.notReady).toEqual({ [ordersDb]: 'NO_STANDBY_LEFT' });
  });

  story('finds what only a whole look shows, at its turn', async (world) => {
    const { sweep, later } = sweeping(world);
    expect((await sweep()).notReady).toEqual({});
    world.ec2.change(b, { tagged: false });
    world.ec2.change(c, { tagged: false });
    expect((await later()).notReady).toEqual({ [ordersDb]: 'NO_STANDBY_LEFT' });
    expect(world.notifier.of('NOT_READY')).toHaveLength(1);
  });
});

describe('a service is suspected', () => {
  async function judge(sketch: (world: World) => void, snapshot: (given: Snapshot) => Snapshot = (it) => it) {
    const world = await makeWorld({ readyWhen: true, signals: { alarms: [{ arn: applicationAlarm }] } });
    sketch(world);
    const { fleet } = sweeping(world);
    const [interfaces, troubled, red] = await world.run(
      Promise.all([fleet.interfaces(), fleet.troubled(), fleet.redAlarms()]),
    );
    const given: Snapshot = { interfaces, troubled, red, attention: new Set() };
    return suspicion(toService(world.service()), snapshot(given), world.clock.now());
  }
  const urgent = (why: string) => ({ why, isUrgent: true });
  const standing = (why: string) => ({ why, isUrgent: false });

  const cases: readonly (readonly [string, (world: World) => void, object | undefined])[] = [
    ['not at all while all is well', () => undefined, undefined],
    [
      'for a waiting request',
      (world) => change(world, { request: request(world) }),
      urgent('something of it is unfinished'),
    ],
    [
      'for a notice in the outbox',
      (world) => change(world, { outbox: [notice(1)] }),
      urgent('something of it is unfinished'),
    ],
    ['for being stranded', (world) => change(world, { stranded }), urgent('something of it is unfinished')],
    ['for a holder that is not well', (world) => world.ec2.impair(a), urgent(`${a} is not well`)],
    [
      'for a standby that does not run',
      (world) => world.ec2.setState(c, 'stopped'),
      urgent(`${c} is not well`),
    ],
    ['not for a stranger that is not well', (world) => world.ec2.impair(stranger), undefined],
    [
      'for an alarm that it declares',
      (world) => world.alarms.set(applicationAlarm, 'ALARM'),
      urgent(`alarm ${applicationAlarm} is red`),
    ],
    [
      'not for an alarm that it does not declare',
      (world) => world.alarms.set(systemAlarmOf(a), 'ALARM'),
      undefined,
    ],
    [
      'not for an alarm whose actions are suppressed',
      (world) => world.alarms.set(applicationAlarm, 'ALARM', { suppressedBy: 'WaitPeriod' }),
      undefined,
    ],
    [
      'for an interface that is gone',
      (world) => world.ec2.deleteInterface(management),
      urgent(`${management} is gone or has lost its tag`),
    ],
    [
      'for an interface without its tag',
      (world) => world.ec2.changeInterface(front, { tagged: false }),
      urgent(`${front} is gone or has lost its tag`),
    ],
    [
      'for an interface on nothing',
      (world) => world.ec2.detachByHand(management),
      urgent(`${management} is on nothing`),
    ],
    [
      'for an interface that would be deleted',
      (world) => world.ec2.setDeleteOnTermination(front, true),
      urgent(`${front} would be deleted with its instance`),
    ],
    [
      'for an interface that was attached anew',
      (world) => void world.ec2.moveByHand(management, a, 2),
      urgent(`${management} was attached anew`),
    ],
    [
      'for a readiness alarm',
      (world) => world.alarms.set(replicaLagOf(c), 'ALARM'),
      standing('a readiness alarm is red'),
    ],
    ['for not being ready', (world) => change(world, { notReady: 'SPLIT' }), standing('it was not ready')],
    [
      'for a quarantine',
      (world) => change(world, { quarantine: { [b]: { sinceMs: 1, why: 'x' } } }),
      standing('a member is quarantined'),
    ],
    [
      'for a quarantine that goes on',
      (world) =>
        change(world, { quarantine: { [b]: { sinceMs: 1, why: 'x', untilMs: world.clock.now() + hour } } }),
      standing('a member is quarantined'),
    ],
    [
      'not for a quarantine that has ended by itself',
      (world) => change(world, { quarantine: { [b]: { sinceMs: 1, why: 'x', untilMs: world.clock.now() } } }),
      undefined,
    ],
    [
      'not for the quarantine of who is no member any more',
      (world) => change(world, { quarantine: { [stranger]: { sinceMs: 1, why: 'x' } } }),
      undefined,
    ],
    [
      'not once it is unregistered',
      (world) => {
        world.ec2.impair(a);
        change(world, { tombstone: true });
      },
      undefined,
    ],
    [
      'though unregistered, for a notice in the outbox',
      (world) => change(world, { tombstone: true, outbox: [notice(1)] }),
      urgent('something of it is unfinished'),
    ],
  ];
  it.each(cases)('%s', async (_, sketch, expected) => {
    expect(await judge(sketch)).toEqual(expected);
  });

  it('for an interface that is detaching', async () => {
    const detaching = (given: Snapshot): Snapshot => ({
      ...given,
      interfaces: new Map(
        [...(given.interfaces ?? [])].map(([eni, fact]) => [
          eni,
          { ...fact, attachment: fact.attachment && { ...fact.attachment, status: 'detaching' as const } },
        ]),
      ),
    });
    expect(await judge(() => undefined, detaching)).toEqual(urgent(`${front} is detaching`));
  });
  it('for a red status check of the instance where its interfaces were seen last, and of no other', async () => {
    const red =
      (id: InstanceId) =>
      (given: Snapshot): Snapshot => ({
        ...given,
        red: [
          {
            arn: systemAlarmOf(id),
            state: 'ALARM',
            transitionedAtMs: 1,
            suppressedBy: undefined,
            instanceIds: [stranger, id],
          },
        ],
      });
    expect(await judge(() => undefined, red(a))).toEqual(urgent(`alarm ${systemAlarmOf(a)} is red`));
    expect(await judge(() => undefined, red(b))).toBeUndefined();
  });
  it('where the index says so, although the item that is remembered does not', async () => {
    const named = (name: string) => (given: Snapshot) => ({
      ...given,
      attention: new Set([name as ServiceName]),
    });
    expect(await judge(() => undefined, named(ordersDb))).toEqual(urgent('something of it is unfinished'));
    expect(await judge(() => undefined, named('billing'))).toBeUndefined();
  });
  it('never by what could not be read', async () => {
    const nothing = {
      interfaces: undefined,
      troubled: undefined,
      red: undefined,
      attention: new Set<ServiceName>(),
    };
    expect(
      await judge(
        (world) => world.ec2.impair(a),
        () => nothing,
      ),
    ).toBeUndefined();
  });
  it('always while it has never been seen', async () => {
    const world = await makeWorld();
    const { lastSeen: _, ...never } = toService(world.service());
    const { fleet } = sweeping(world);
    const interfaces = await world.run(fleet.interfaces());
    const snapshot = { interfaces, troubled: undefined, red: [], attention: new Set<ServiceName>() };
    expect(suspicion(never, snapshot, 0)).toEqual(urgent(`${front} was attached anew`));
  });
});

const request = (world: World) => ({
  id: 'request-1',
  kind: 'switchover' as const,
  target: b,
  author: 'ann',
  reason: 'patching',
  atMs: world.clock.now(),
});

describe('a decision is worth a hop', () => {
  const plain = (more: Partial<Service> = {}) => ({ ...more }) as Service;
  const healthy: Decision = { kind: 'nothing', code: 'HOLDER_HEALTHY', detail: 'a' };
  const refusal: Decision = {
    kind: 'refuse',
    code: 'NO_ELIGIBLE_STANDBY',
    detail: '',
    members: [{ member: b, code: 'NOT_RUNNING', detail: '' }],
    callHuman: true,
  };
  const again = (soon: boolean): Decision => ({ kind: 'look-again', code: 'SPLIT', detail: 'on two', soon });
  const toldSplit = { lastRefusal: refusalKey('SPLIT', []) };
  const keep: Decision = { kind: 'keep', attachments: [] };

  it.each<[string, Decision, Partial<Service>, boolean]>([
    ['nothing to do, and nothing on record', healthy, {}, false],
    ['nothing to do, and a refusal on record is over', healthy, { lastRefusal: 'SPLIT' }, true],
    ['nothing to do, and an observation on record is over', healthy, { lastObserved: 'SPLIT' }, true],
    [
      'nothing to do for another reason',
      { ...healthy, code: 'NOT_HOLDER' } as Decision,
      { lastRefusal: 'x' },
      false,
    ],
    ['a refusal that is new', refusal, {}, true],
    ['a refusal for another reason', refusal, { lastRefusal: refusalKey('NO_ELIGIBLE_STANDBY', []) }, true],
    [
      'a refusal that is on record',
      refusal,
      { lastRefusal: refusalKey('NO_ELIGIBLE_STANDBY', refusal.members) },
      false,
    ],
    ['DeleteOnTermination to set', keep, {}, true],
    [
      'DeleteOnTermination that EC2 would not set',
      keep,
      { lastRefusal: refusalKey('KEPT_ON_TERMINATION', []) },
      false,
    ],
    ['a surprise', again(true), {}, true],
    ['a surprise that was recorded', again(true), { lastObserved: 'SPLIT on two' }, false],
    ['a surprise unlike the recorded one', again(true), { lastObserved: 'SPLIT on three' }, true],
    ['a surprise that was refused', again(true), toldSplit, false],
    ['an alarm that is not confirmed', again(false), {}, true],
    [
      'an alarm that is not confirmed, like the observation before',
      again(false),
      { lastObserved: 'SPLIT on two' },
      true,
    ],
    ['an alarm that was not confirmed and is on record', again(false), toldSplit, false],
    [
      'a request, whatever was told before',
      again(false),
      { ...toldSplit, request: { id: 'x' } as never },
      true,
    ],
    ['a recovery', { kind: 'recovered', holder: a }, {}, true],
  ])('%s', (_, decision, remembered, expected) => {
    expect(isWorthAHop(decision, plain(remembered))).toBe(expected);
  });
});

describe('a look', () => {
  story('turns a red alarm into the hint that its lost event should have been', async (world) => {
    const { fleet, sweep } = sweeping(world);
    fleet.watches(systemAlarmOf(a), [a]);
    world.ec2.impair(a);
    const atMs = world.clock.now() - 30_000;
    world.alarms.set(systemAlarmOf(a), 'ALARM', { transitionedAtMs: atMs });
    expect(await sweep()).toMatchObject({
      enqueued: 1,
      lookedAt: 1,
      notReady: { [ordersDb]: 'HOLDER_NOT_HEALTHY' },
    });
    expect(world.queue.sent.map((each) => each.message)).toEqual([
      {
        service: ordersDb,
        hint: { kind: 'alarm', alarmArn: systemAlarmOf(a), instanceIds: [a], atMs },
        look: 0,
      },
    ]);
    await world.settle();
    expect(world.holder()).toBe(b);
  });
  story('takes an alarm that does not say since when for one of now', async (world) => {
    const { fleet, sweep } = sweeping(world);
    fleet.watches(systemAlarmOf(a), [a]);
    world.ec2.impair(a);
    world.alarms.set(systemAlarmOf(a), 'ALARM', { transitionedAtMs: undefined });
    const beganAtMs = world.clock.now();
    await sweep();
    expect(world.queue.sent[0]?.message.hint.atMs).toBeGreaterThan(beganAtMs);
  });
  story('goes by the alarms of who holds the interfaces now', async (world) => {
    const { fleet, sweep } = sweeping(world);
    await sweep();
    world.ec2.moveByHand(front, b, 1);
    world.ec2.moveByHand(management, b, 2);
    fleet.watches(systemAlarmOf(b), [b]);
    world.alarms.set(systemAlarmOf(b), 'ALARM');
    await sweep();
    expect(world.queue.sent[0]?.message.hint).toMatchObject({ kind: 'alarm', instanceIds: [b] });
  });
  story('goes by the alarms of the last holder while they are on nothing', async (world) => {
    const { fleet, sweep } = sweeping(world);
    world.ec2.detachByHand(front);
    world.ec2.detachByHand(management);
    fleet.watches(systemAlarmOf(a), [a]);
    world.alarms.set(systemAlarmOf(a), 'ALARM');
    await sweep();
    expect(world.queue.sent[0]?.message.hint).toMatchObject({ kind: 'alarm', instanceIds: [a] });
  });
  story('that has no alarm to go by says what it found', async (world) => {
    world.ec2.detachByHand(front);
    await sweeping(world).sweep();
    expect(world.queue.sent[0]?.message.hint).toMatchObject({
      kind: 'sweep',
      finding: `${front} is on nothing`,
    });
  });
  story('at its turn finds what is on record and over, and says that it was its turn', async (world) => {
    change(world, { lastRefusal: 'SPLIT' });
    expect(await sweeping(world).sweep()).toMatchObject({ enqueued: 1, ready: 1 });
    expect(world.queue.sent[0]?.message.hint).toMatchObject({ kind: 'sweep', finding: 'it is its turn' });
    await world.settle();
    expect(world.service().lastRefusal).toBeUndefined();
  });
  story('leaves a service alone while somebody holds its lease', async (world) => {
    world.ec2.impair(a, 'system', world.clock.now() - hour);
    change(world, {
      lease: { owner: 'somebody' as never, untilMs: world.clock.now() + 15_000 },
      outbox: [notice(world.clock.now() - 10_000)],
    });
    const report = await sweeping(world).sweep();
    expect(report).toMatchObject({
      enqueued: 0,
      lookedAt: 1,
      notReady: { [ordersDb]: 'HOLDER_NOT_HEALTHY' },
    });
    expect(world.notifier.published).toEqual([]);
    expect(world.kinds()).toEqual([]);
  });
  story('delivers what is left in an outbox', async (world) => {
    change(world, { outbox: [notice(world.clock.now() - 10_000)] });
    const { sweep, memory, cost } = sweeping(world);
    expect((await sweep()).oldestNoticeMs).toBe(0);
    expect(world.notifier.of('X')).toHaveLength(1);
    expect(memory.services.get(ordersDb)?.outbox).toEqual([]);
    expect(cost()).toMatchObject({ items: 1 + 2, writes: 1 });
  });
  story('copies a record that nobody copied', async (world) => {
    const { frozen: _, ...registered } = world.service();
    const frozen = {
      number: registered.trail.next,
      kind: 'ack',
      atMs: world.clock.now() - 10_000,
      body: JSON.stringify({ previous: registered.trail.head }),
      pointers: [],
    };
    const hash = world.ports.hash.sha256(frozen.body);
    change(world, { frozen: { ...frozen, hash }, trail: { next: frozen.number + 1, head: hash } });
    await sweeping(world).sweep();
    expect(world.kinds()).toEqual(['ack']);
    expect(world.service().frozen).toBeUndefined();
  });
  story('delivers what an unregistered service left, and looks no further', async (world) => {
    change(world, { tombstone: true, outbox: [notice(world.clock.now() - 10_000)] });
    const { sweep, later, cost } = sweeping(world);
    const report = await sweep();
    expect(report).toMatchObject({ services: 0, ready: 0, lookedAt: 1, enqueued: 0, notReady: {} });
    expect(world.notifier.of('X')).toHaveLength(1);
    expect(cost().describes).toBe(0);
    expect(await later()).toMatchObject({ services: 0, failed: [] });
  });
  story('tells a change of readiness once, and remembers what it wrote', async (world) => {
    world.ec2.setState(b, 'stopped');
    world.ec2.setState(c, 'stopped');
    const { sweep, later, memory, cost } = sweeping(world);
    expect((await sweep()).notReady).toEqual({ [ordersDb]: 'NO_STANDBY_LEFT' });
    expect(memory.services.get(ordersDb)).toMatchObject({
      rev: world.service().rev,
      notReady: 'NO_STANDBY_LEFT',
    });
    cost();
    await later();
    expect(cost().writes).toBe(0);
    world.ec2.recover(b);
    world.ec2.recover(c);
    expect((await later()).notReady).toEqual({});
    expect(world.kinds()).toEqual(['readiness', 'readiness']);
  });
  story('is no news when standbys could not be read once', async (world) => {
    const { sweep, later } = sweeping(world);
    world.ec2.fail('limits', { kind: 'throttled' }, { times: 99 });
    world.ec2.change(b, { instanceType: 'm9x.large' });
    world.ec2.change(c, { instanceType: 'm9x.large' });
    expect((await sweep()).notReady).toEqual({ [ordersDb]: 'NO_STANDBY_LEFT' });
    expect(world.notifier.of('NOT_READY')).toHaveLength(0);
    world.ec2.change(b, { instanceType: 'm6i.large' });
    expect((await later()).lookedAt).toBe(1);
    expect(world.kinds()).toEqual([]);
  });
  story('is told when standbys cannot be read at the next look either', async (world) => {
    const { sweep, later } = sweeping(world);
    world.ec2.fail('limits', { kind: 'throttled' }, { times: 99 });
    for (const id of [b, c]) world.ec2.change(id, { instanceType: 'm9x.large' });
    await sweep();
    await later();
    expect(world.notifier.of('NOT_READY')).toHaveLength(1);
  });
  story(
    'that could not read everything is repeated by the next sweep, whosever turn it is',
    async (world) => {
      await addServices(world, 11);
      const { sweep, later, memory } = sweeping(world);
      world.ec2.fail('limits', { kind: 'throttled' }, { times: 99 });
      world.ec2.change(b, { instanceType: 'm9x.large' });
      await sweep();
      expect([...memory.uncertain]).toEqual([ordersDb]);
      expect((await later()).lookedAt, 'two in turn, and that one').toBe(3);
    },
  );
  story('tells nothing while an episode is open, whatever it shows', async (world) => {
    world.excuse(['S12']);
    change(world, { lastRefusal: refusalKey('UNKNOWN_STATE', []), episode: openEpisode(world) });
    world.ec2.fail('interfaces', { kind: 'throttled' }, { times: 99 });
    const report = await sweeping(world).sweep();
    expect(report).toMatchObject({ enqueued: 0, openEpisodes: 1, notReady: { [ordersDb]: 'UNKNOWN' } });
    expect(report.oldestEpisodeMs).toBeGreaterThanOrEqual(120_000);
    expect(world.service().notReady).toBeUndefined();
  });
  story(
    'tells nothing either while an open episode waits for a source in an unclear state',
    async (world) => {
      world.excuse(['S12']);
      const interfaces = [front, management].map((eni, index) => {
        const detach = world.ec2.where(eni)?.id;
        return { eni, deviceIndex: index + 1, networkCardIndex: 0, ours: [], ...(detach && { detach }) };
      });
      change(world, {
        lastRefusal: refusalKey('UNKNOWN_HEALTH', []),
        episode: { ...openEpisode(world), plan: { ...strandedPlan, source: a, interfaces } },
      });
      world.ec2.change(a, {
        checks: { system: 'insufficient-data', instance: 'ok', ebs: 'ok', impairedSinceMs: undefined },
      });
      const writes = world.store.writes.length;
      const report = await sweeping(world).sweep();
      expect(report).toMatchObject({ enqueued: 0, notReady: { [ordersDb]: 'HOLDER_NOT_HEALTHY' } });
      expect(world.store.writes).toHaveLength(writes);
    },
  );
  story('remembers what somebody else wrote meanwhile, and tells nothing on top of it', async (world) => {
    world.ec2.limitsByType['m6i.24xlarge'] = {
      interfaces: 8,
      interfacesPerCard: [8],
      ipv4PerInterface: 30,
      ipv6PerInterface: 30,
    };
    world.ec2.change(b, { instanceType: 'm6i.24xlarge', tagged: false });
    world.ec2.change(c, { tagged: false });
    world.store.fail('write', { kind: 'meanwhile', run: () => change(world, { pause: pauseUntil(1) }) });
    const { sweep, memory } = sweeping(world);
    await sweep();
    expect(memory.services.get(ordersDb)?.pause).toBeDefined();
    expect(world.service().notReady).toBeUndefined();
    expect(world.kinds()).toEqual([]);
  });
});

describe('the limits of instance types', () => {
  const larger = { interfaces: 8, interfacesPerCard: [8], ipv4PerInterface: 30, ipv6PerInterface: 30 };
  const asked = (world: World) => world.ec2.calls.filter((each) => each.operation === 'limits').length;

  story('are read once a day for the whole fleet', async (world) => {
    await addServices(world, 3);
    const before = asked(world);
    const { sweep, later } = sweeping(world);
    await sweep();
    await later();
    expect(asked(world) - before).toBe(1);
    await later(24 * 60 - 2);
    expect(asked(world) - before).toBe(1);
    await later();
    expect(asked(world) - before).toBe(2);
  });
  story('that EC2 changed are written where they are cached, once', async (world) => {
    world.ec2.limitsByType['m6i.large'] = larger;
    const { sweep, later, cost, memory } = sweeping(world);
    await sweep();
    expect(world.service().facts.limits).toEqual({ 'm6i.large': larger });
    expect(memory.services.get(ordersDb)?.facts.limits).toEqual({ 'm6i.large': larger });
    expect(cost().writes).toBe(1);
    await later();
    expect(cost().writes).toBe(0);
  });
  story('that shrank count in the very look that reads them', async (world) => {
    world.ec2.limitsByType['m6i.large'] = { ...larger, interfaces: 2 };
    expect((await sweeping(world).sweep()).notReady).toEqual({ [ordersDb]: 'NO_STANDBY_LEFT' });
  });
  story('of a type that EC2 does not know any more stay as they were', async (world) => {
    delete world.ec2.limitsByType['m6i.large'];
    const { sweep, later, cost } = sweeping(world);
    const before = asked(world);
    expect(await sweep()).toMatchObject({ ready: 1, unread: [] });
    await later();
    expect(asked(world) - before).toBe(1);
    expect(cost().writes).toBe(0);
  });
  story('that could not be read are asked for by the next sweep', async (world) => {
    world.ec2.fail('limits', { kind: 'throttled' });
    world.ec2.limitsByType['m6i.large'] = larger;
    const { sweep, later } = sweeping(world);
    expect((await sweep()).unread).toEqual(['limits']);
    expect(world.service().facts.limits['m6i.large']).not.toEqual(larger);
    expect((await later()).unread).toEqual([]);
    expect(world.service().facts.limits['m6i.large']).toEqual(larger);
  });
  story('are not asked for while no service is registered', { registered: false }, async (world) => {
    expect(await sweeping(world).sweep()).toMatchObject({
      services: 0,
      ready: 0,
      canary: 'not due',
      failed: [],
    });
    expect(asked(world)).toBe(0);
  });
});

describe('what is broken', () => {
  story('is one service, when its item cannot be understood', async (world) => {
    const [first] = await addServices(world, 1);
    world.store.put(ordersDb, { ...(world.store.raw(ordersDb) as object), rev: 'seven' });
    const { sweep, later } = sweeping(world);
    expect(await sweep()).toMatchObject({ services: 2, ready: 1, failed: [ordersDb], lookedAt: 1 });
    expect((await later()).failed).toEqual([ordersDb]);
    expect(world.lines.filter((each) => each.level === 'error')[0]).toMatchObject({
      message: 'a service could not be looked at',
      facts: { service: ordersDb },
    });
    expect(first).toBeDefined();
  });
  story('is one service, when its item is not there', async (world) => {
    await world.run(world.store.joinZone('eu-central-1a', 'lost' as ServiceName));
    const report = await sweeping(world).sweep();
    expect(report).toMatchObject({ failed: ['lost'], ready: 1 });
    expect(world.lines.find((each) => each.level === 'error')?.facts['error']).toBe(
      'it is registered, and has no item',
    );
  });
  story('is read anew by the next sweep, and counts meanwhile as it was', async (world) => {
    const { sweep, later, memory, cost } = sweeping(world);
    await sweep();
    change(world, { pause: pauseUntil(1) });
    world.store.fail('read', { kind: 'unreachable' });
    expect(await later()).toMatchObject({ failed: [ordersDb], services: 1, ready: 1, pausedPastExpiry: 0 });
    expect([...memory.doubted]).toEqual([ordersDb]);
    world.store.fail('read', { kind: 'unreachable' });
    cost();
    expect(await later()).toMatchObject({ failed: [ordersDb], lookedAt: 0 });
    expect(cost()).toEqual({ items: 1, describes: 0, writes: 0 });
    expect(await later()).toMatchObject({ failed: [], lookedAt: 1, pausedPastExpiry: 1 });
    expect(memory.doubted.size).toBe(0);
    // The doubted item, the look's own, and what is left after the pause was ended.
    expect(cost().items).toBe(3);
  });
  story('is a row of the registry: it is named, and what is remembered of it is looked at', async (world) => {
    const { sweep, later } = sweeping(world);
    await sweep();
    world.store.garbleZone('eu-central-1a');
    world.ec2.detachByHand(front);
    const report = await later();
    expect(report).toMatchObject({ services: 1, failed: ['STATE#ZONE#eu-central-1a'], enqueued: 1 });
    expect(world.lines.some((each) => each.level === 'error')).toBe(true);
  });
  for (const [read, what] of [
    ['interfaces', 'interfaces'],
    ['troubled', 'instance status'],
    ['redAlarms', 'alarms'],
  ] as const)
    for (const how of ['refused', 'silent'] as const)
      story(`is a page of ${what} that is ${how}: it suspects nobody, and is named`, async (world) => {
        await addServices(world, 10);
        const { fleet, sweep } = sweeping(world);
        fleet.turn(read, how);
        const beganAtMs = world.clock.now();
        expect(await sweep()).toMatchObject({ unread: [what], lookedAt: 2, ready: 11, carriedOver: 0 });
        expect(world.clock.now() - beganAtMs).toBeLessThan(20_000);
        expect(world.lines.filter((each) => each.level === 'warn')).toHaveLength(1);
      });
  story('is the index: what the item says of itself is looked at all the same', async (world) => {
    change(world, { request: { ...request(world), atMs: 1 } });
    world.store.fail('needingAttention', { kind: 'unreachable' });
    expect(await sweeping(world).sweep()).toMatchObject({ unread: ['index'], enqueued: 1 });
  });
  story('is the table: then the sweep fails, and the heartbeat stays out', async (world) => {
    world.store.goDown();
    await expect(sweeping(world).sweep()).rejects.toMatchObject({ name: 'PortError' });
  });
  story('is the queue: the service counts as not looked at, and is tried again', async (world) => {
    world.ec2.detachByHand(front);
    world.queue.fail();
    const { sweep, later } = sweeping(world);
    expect(await sweep()).toMatchObject({ failed: [ordersDb], enqueued: 0 });
    expect(await later()).toMatchObject({ failed: [], enqueued: 1 });
  });
});

describe('the end of the time', () => {
  /** Each look takes 20 s: of those that begin in the first 25 s of work, eight at once, only eight end in time. */
  const slow = (world: World) => {
    world.ec2.latency.describeMs = 20_000;
    for (const type of Object.keys(world.ec2.limitsByType)) delete world.ec2.limitsByType[type];
  };
  const stopped = (world: World, holders: readonly InstanceId[]) => {
    for (const holder of holders) world.ec2.setState(standbyOf(holder) as InstanceId, 'stopped');
  };

  story('comes in time, and what was not reached comes first in the next sweep', async (world) => {
    const added = await addServices(world, 20);
    const { sweep, later, memory } = sweeping(world);
    await sweep();
    stopped(
      world,
      added.map((each) => each.holder),
    );
    slow(world);
    memory.lookedAtMs.clear();
    await world.clock.advance(60_000);
    const beganAtMs = world.clock.now();
    const report = await sweep(30_000);
    expect(world.clock.now() - beganAtMs).toBe(25_000);
    // Twenty are suspected, and of the one that is not it is its turn.
    expect(report).toMatchObject({ services: 21, lookedAt: 8, carriedOver: 13, failed: [] });
    const begun = new Set(memory.lookedAtMs.keys());
    expect(begun.size).toBe(16);
    const never = added.map((each) => each.name).filter((name) => !begun.has(name));
    expect((await later()).lookedAt).toBeGreaterThanOrEqual(8);
    for (const name of never) expect(memory.lookedAtMs.has(name)).toBe(true);
  });

  story('takes what happened before what stands, and both before whose turn it is', async (world) => {
    const added = await addServices(world, 16);
    const [standing, happened] = [added.slice(0, 8), added.slice(8)];
    for (const { name } of standing)
      world.store.change(name, (state) => ({ ...state, notReady: 'NO_STANDBY_LEFT' }));
    stopped(
      world,
      happened.map((each) => each.holder),
    );
    slow(world);
    const { sweep, memory } = sweeping(world);
    expect(await sweep(50_000)).toMatchObject({ lookedAt: 16 });
    const beganAt = (name: ServiceName) => memory.lookedAtMs.get(name) ?? Number.POSITIVE_INFINITY;
    const lastHappened = Math.max(...happened.map((each) => beganAt(each.name)));
    expect(lastHappened).toBeLessThan(Math.min(...standing.map((each) => beganAt(each.name))));
    expect(beganAt(ordersDb)).toBeGreaterThan(Math.max(...standing.map((each) => beganAt(each.name))));
  });

  story('leaves items unread when there is no time to read them, and says how many', async (world) => {
    await addServices(world, 20);
    world.store.fail('read', { kind: 'slow', ms: 4_000 }, { times: 99 });
    const { sweep, memory } = sweeping(world);
    const report = await sweep(12_000);
    expect(memory.services.size).toBe(8);
    expect(report).toMatchObject({ services: 21, ready: 8, carriedOver: 13 + 1, lookedAt: 0 });
  });

  story('throws away a look that comes after it, and does nothing on it', async (world) => {
    const { sweep, memory } = sweeping(world);
    await sweep();
    world.ec2.setState(b, 'stopped');
    world.ec2.setState(c, 'stopped');
    world.ec2.latency.describeMs = 15_000;
    await world.clock.advance(60_000);
    const before = memory.services.get(ordersDb);
    expect(await sweep(15_000)).toMatchObject({ lookedAt: 0, carriedOver: 1, failed: [], notReady: {} });
    await world.clock.advance(60_000);
    expect(world.service().notReady).toBeUndefined();
    expect(memory.services.get(ordersDb)).toBe(before);
    expect(memory.doubted.size).toBe(0);
    expect(world.queue.sent).toEqual([]);
  });

  story('that has come before the sweep began leaves it nothing to do but tell', async (world) => {
    const { sweep, cost } = sweeping(world);
    expect(await sweep(1_000)).toMatchObject({ services: 1, ready: 0, carriedOver: 1 });
    expect(cost()).toEqual({ items: 0, describes: 0, writes: 0 });
  });
});

describe('the report', () => {
  story('counts what is stranded, and what is paused past its end', async (world) => {
    const [first, second] = await addServices(world, 2);
    const nowMs = world.clock.now();
    world.excuse(['S12']);
    change(world, { stranded, pause: pauseUntil(nowMs - 1) });
    if (first) world.store.change(first.name, (state) => ({ ...state, pause: pauseUntil(nowMs + hour) }));
    expect(second).toBeDefined();
    expect(await sweeping(world).sweep()).toMatchObject({ stranded: 1, pausedPastExpiry: 1 });
  });
  story('counts as without a standby only those that have none left', async (world) => {
    const [first] = await addServices(world, 1);
    if (first) world.ec2.setState(standbyOf(first.holder), 'stopped');
    world.ec2.detachByHand(front);
    expect(await sweeping(world).sweep()).toMatchObject({
      notReady: { [ordersDb]: 'ON_NOTHING', 'service-1': 'NO_STANDBY_LEFT' },
      noStandbyLeft: 1,
    });
  });
  story('says how old the oldest notice is that nobody could publish', async (world) => {
    const nowMs = world.clock.now();
    change(world, { outbox: [notice(nowMs - 10_000), { ...notice(nowMs - 400_000), dedupeId: 'older' }] });
    world.notifier.fail(99);
    const { oldestNoticeMs } = await sweeping(world).sweep();
    expect(oldestNoticeMs).toBeGreaterThanOrEqual(400_000);
    expect(oldestNoticeMs).toBeLessThan(410_000);
  });
  story('says it of an unregistered service too', async (world) => {
    change(world, { tombstone: true, outbox: [notice(world.clock.now() - 400_000)] });
    world.notifier.fail(99);
    expect((await sweeping(world).sweep()).oldestNoticeMs).toBeGreaterThanOrEqual(400_000);
  });
});

describe('the rehearsal', () => {
  const toTheHour = (world: World) => world.clock.advance(hour - (world.clock.now() % hour));
  const rehearsed = (world: World) =>
    world.queue.sent.flatMap(({ message }) => (message.hint.kind === 'canary' ? [message.service] : []));

  story('is of one service an hour, in turn', async (world) => {
    await addServices(world, 2);
    await toTheHour(world);
    const { sweep, later } = sweeping(world);
    expect((await sweep()).canary).toBe('sent');
    expect((await later()).canary).toBe('not due');
    await later(59);
    await later(60);
    expect([...rehearsed(world)].sort()).toEqual(['orders-db', 'service-1', 'service-2']);
    expect(world.queue.sent[0]).toMatchObject({ delayMs: 0, message: { look: 0 } });
  });
  story('is of no unregistered service', async (world) => {
    change(world, { tombstone: true });
    await toTheHour(world);
    expect((await sweeping(world).sweep()).canary).toBe('not due');
  });
  story('that cannot be sent loses nothing else of the sweep', async (world) => {
    await toTheHour(world);
    world.queue.fail();
    expect(await sweeping(world).sweep()).toMatchObject({
      canary: 'failed',
      services: 1,
      ready: 1,
      lookedAt: 1,
    });
    expect(world.lines.filter((each) => each.level === 'error')).toMatchObject([
      { message: 'the rehearsal could not be sent', facts: { service: ordersDb } },
    ]);
  });
  story('that is not answered does not hold up the sweep past its end', async (world) => {
    await toTheHour(world);
    world.queue.fail('silent');
    const beganAtMs = world.clock.now();
    expect(await sweeping(world).sweep()).toMatchObject({ canary: 'failed', lookedAt: 1 });
    expect(world.clock.now() - beganAtMs).toBe(50_000);
  });
});
