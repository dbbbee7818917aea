/** What an operator asks to be moved: taken on with a record, or refused for every reason that P29 names. */
import { describe, expect } from 'vitest';
import { adopt } from '../../shared/app/adopt.ts';
import type { Refused } from '../../shared/app/operate.ts';
import { pauseController, pauseService } from '../../shared/app/operate.ts';
import { failback, switchover } from '../../shared/app/request.ts';
import type { EniId, InstanceId, ServiceName } from '../../shared/core/ids.ts';
import type { ServiceState } from '../../shared/core/state.ts';
import { a, b, c, front, management, ordersDb, stranger, type World, zone } from '../fakes/world.ts';
import { story } from './story.ts';

const by = { author: 'ann', reason: 'new kernel' };
const forAnHour = { ...by, forMs: 3_600_000 };
const ask = (world: World, to = b, how = {}) => world.run(switchover(world.ports, ordersDb, to, by, how));
const attachedTo = (world: World) => [front, management].map((eni) => world.ec2.where(eni)?.instanceId);

describe('a switchover', () => {
  story('is stored, recorded, queued, and carried out in the name of who asked', async (world) => {
    expect(await ask(world)).toMatchObject({
      kind: 'done',
      detail: `switchover to ${b} asked for by ann`,
      data: { from: a, to: b },
    });
    const { request } = world.service();
    expect(request).toMatchObject({ kind: 'switchover', target: b, author: 'ann', reason: 'new kernel' });
    expect(world.records('request')).toMatchObject([
      { author: 'ann', reason: 'new kernel', request: request?.id, from: a, to: b, outcome: 'REQUESTED' },
    ]);
    expect(world.store.pointers()).toContain(`BY#INSTANCE#${b} ${ordersDb} 2`);
    expect(world.notifier.published).toEqual([]);
    expect(await world.settle()).toMatchObject([{ code: 'COMPLETED' }, { kind: 'nothing' }]);
    expect(attachedTo(world)).toEqual([b, b]);
    expect(world.episodes()).toMatchObject([{ author: 'ann', episode: { kind: 'switchover' } }]);
    expect(world.service().request).toBeUndefined();
  });

  story(
    'of a service that is stranded says since when and where, not to wait for a failover',
    async (world) => {
      world.excuse(['S12']);
      for (const id of [a, b, c]) world.ec2.refuseAttach(id);
      world.ec2.impair(a);
      await world.look(world.alarm(a));
      const since = new Date(world.service().stranded?.sinceMs ?? 0).toISOString();
      const answer = await ask(world, b);
      expect(answer).toMatchObject({ kind: 'refused', code: 'STRANDED' });
      expect(answer.detail).toContain(`since ${since}, ${front}, ${management} on nothing: `);
    },
  );

  story('of a service that is stranded by half says which half is where', async (world) => {
    strand(world, [front]);
    expect(await ask(world, b)).toMatchObject({
      code: 'STRANDED',
      detail: `since 1970-01-01T00:00:01.000Z, ${front} on nothing, the rest on ${a}: nobody takes it`,
    });
  });

  story('detaches plainly, and only plainly, unless force was asked for', async (world) => {
    for (const eni of [front, management]) world.ec2.stick(eni, 'plain');
    await ask(world, b, { force: true });
    expect(world.service().request).toMatchObject({ force: true });
    expect(world.records('request')).toMatchObject([{ force: true }]);
    await world.settle();
    expect(attachedTo(world)).toEqual([b, b]);
    expect(world.ec2.mutations('detach').map((each) => each.force)).toEqual([false, false, true, true]);
    await ask(world, a);
    expect(world.service().request).not.toHaveProperty('force');
    await world.settle();
    expect(world.episodes().map((each) => each.episode.plan)).toMatchObject([
      { detach: 'plain-then-force', plainDetachMs: 30_000 },
      // How long it may hang before the source is looked at again.
      { detach: 'plain', plainDetachMs: 5_000 },
    ]);
  });

  story('that may be forced is forced after thirty seconds, not after those of an alarm', async (world) => {
    for (const eni of [front, management]) world.ec2.stick(eni, 'plain');
    await ask(world, b, { force: true });
    await world.settle();
    const [plain, , forced] = world.ec2.mutations('detach').map((each) => each.atMs);
    expect((forced ?? 0) - (plain ?? 0)).toBeGreaterThanOrEqual(30_000);
    expect((forced ?? 0) - (plain ?? 0)).toBeLessThan(35_000);
    expect(attachedTo(world)).toEqual([b, b]);
  });

  story(
    'that may be forced has the patience of its policy, where that is greater',
    { policy: { plainDetach: '40s' } },
    async (world) => {
      await ask(world, b, { force: true });
      await world.settle();
      expect(world.episodes()).toMatchObject([{ episode: { plan: { plainDetachMs: 40_000 } } }]);
    },
  );

  story('that the queue refuses is found by the sweep, and the operator hears that', async (world) => {
    world.queue.fail();
    expect((await ask(world)).detail).toContain('the sweep finds it within a minute');
    expect(world.service().request).toBeDefined();
    expect((await world.look(world.sweep())).code).toBe('COMPLETED');
  });

  const hindered: readonly (readonly [string, string, (world: World) => unknown])[] = [
    ['an episode is open', 'EPISODE_OPEN', openEpisode],
    ['another request waits', 'REQUEST_WAITS', (world) => ask(world, c)],
    ['the service is paused', 'PAUSED', (world) => pauseService(world.ports, ordersDb, forAnHour)],
    ['everything is paused', 'CONTROLLER_PAUSED', (world) => pauseController(world.ports, forAnHour)],
    ['the zone is braked', 'BRAKE', (world) => world.ports.store.tripBrake(zone, ['x'], 0)],
    ['the holder has failed', 'HOLDER_FAILED', (world) => world.ec2.setState(a, 'stopped')],
    [
      'the holder has failed, and one interface is on nothing',
      'HOLDER_FAILED',
      (world) => {
        world.ec2.setState(a, 'stopped');
        world.ec2.detachByHand(front);
      },
    ],
    [
      'the holder has failed to which a person brought a stranded service back, until that is noted',
      'UNKNOWN_STATE',
      (world) => {
        world.ec2.setState(a, 'stopped');
        strand(world, []);
      },
    ],
    ['the interfaces are split', 'SPLIT', (world) => moveByHand(world)],
    ['somebody else moved them', 'MOVED_BY_OTHERS', (world) => moveByHand(world, [front, management])],
    ['the interfaces are read in vain', 'UNKNOWN_STATE', failReads],
    ['it is unregistered', 'NO_SUCH_SERVICE', (world) => change(world, { tombstone: true })],
  ];
  for (const [when, code, prepare] of hindered)
    story(`is refused while ${when}`, async (world) => {
      world.excuse(['S12']);
      await world.run(Promise.resolve(prepare(world)));
      const before = world.service();
      expect(await ask(world)).toMatchObject({ kind: 'refused', code });
      expect(world.service().request).toEqual(before.request);
      expect(world.kinds()).not.toContain(code === 'REQUEST_WAITS' ? 'episode' : 'request');
      await world.clock.advance(60_000);
    });

  story('is refused in mode observe', { policy: { mode: 'observe' } }, async (world) => {
    expect(await ask(world)).toMatchObject({ kind: 'refused', code: 'OBSERVE_ONLY' });
  });

  story('is refused to who has the interfaces, and to who is no member', async (world) => {
    expect(await ask(world, a)).toMatchObject({ kind: 'refused', code: 'ALREADY_HOLDER' });
    expect(await ask(world, stranger)).toMatchObject({ kind: 'refused', code: 'NOT_A_MEMBER' });
    expect(world.kinds()).toEqual([]);
    expect(world.queue.waiting()).toEqual([]);
  });

  story('is refused to who was left before a promotion by what stands against the others', async (world) => {
    world.excuse(['S12']);
    strand(world, [front, management], { source: a, promoted: true });
    for (const id of [b, c]) world.ec2.setState(id, 'stopped');
    expect(await ask(world, a)).toMatchObject({ kind: 'refused', code: 'NO_ELIGIBLE_STANDBY' });
  });

  story('is refused to a member that may not take them, with its reasons', async (world) => {
    world.ec2.impair(b);
    const answer = (await ask(world)) as Refused;
    expect(answer).toMatchObject({ kind: 'refused', code: 'NOT_ELIGIBLE' });
    expect(answer.data).toMatchObject({ refusals: [{ member: b, code: 'CHECKS_FAILED' }] });
  });

  story('of a service that nobody registered is refused', async (world) => {
    const answer = switchover(world.ports, 'no-such' as ServiceName, b, by);
    expect(await world.run(answer)).toMatchObject({ kind: 'refused', code: 'NO_SUCH_SERVICE' });
  });

  story('of a service whose item has no members is refused', async (world) => {
    const declared = JSON.parse(world.service().declared) as object;
    change(world, { declared: JSON.stringify({ ...declared, members: [] }) });
    expect(await world.run(failback(world.ports, ordersDb, by))).toMatchObject({
      kind: 'refused',
      code: 'NO_MEMBERS',
    });
  });

  story('by two people at once is taken from one of them', async (world) => {
    const both = [b, c].map((to) => switchover(world.ports, ordersDb, to, by));
    const answers = await world.run(Promise.all(both));
    expect(answers.map((each) => each.kind).sort()).toEqual(['done', 'refused']);
    expect(answers).toContainEqual(expect.objectContaining({ code: 'REQUEST_WAITS' }));
    expect(world.kinds()).toEqual(['request']);
  });
});

describe('a request that waits while a person moves everything elsewhere', () => {
  /** The queue lost it: only the sweep looks. */
  const askUnheard = async (world: World) => {
    world.queue.fail('refused', 1);
    await ask(world);
    moveByHand(world, [front, management]);
  };
  const turnedDown = {
    outcome: 'REQUEST_REFUSED',
    detail: `asked for while ${a} had the interfaces, and ${c} has them now`,
  };

  story('is refused on record, and nothing is moved', async (world) => {
    await askUnheard(world);
    await world.look(world.sweep());
    expect(world.kinds()).toEqual(['request', 'observed', 'refusal']);
    expect(world.records('refusal')).toMatchObject([turnedDown]);
    expect(world.notifier.of('REQUEST_REFUSED')).toHaveLength(1);
    expect(world.service()).not.toHaveProperty('request');
    expect(attachedTo(world)).toEqual([c, c]);
    expect(world.ec2.mutations()).toEqual([]);
  });

  story('is refused too where somebody adopts that first', async (world) => {
    await askUnheard(world);
    expect(await world.run(adopt(world.ports, ordersDb, by))).toMatchObject({ kind: 'done' });
    await world.look(world.sweep());
    expect(world.kinds()).toEqual(['request', 'change', 'refusal']);
    expect(world.records('refusal')).toMatchObject([turnedDown]);
    expect(attachedTo(world)).toEqual([c, c]);
  });

  const byAnOlderVersion = (world: World) =>
    world.store.change(ordersDb, ({ request, ...state }) => {
      if (!request) return state;
      const { from: _, ...older } = request;
      return { ...state, request: older };
    });

  story('is refused though an older version stored it, and not from whom', async (world) => {
    await askUnheard(world);
    byAnOlderVersion(world);
    await world.look(world.sweep());
    expect(world.records('refusal')).toMatchObject([turnedDown]);
    expect(attachedTo(world)).toEqual([c, c]);
  });

  story('is refused though an older version stored it, where somebody adopts that first', async (world) => {
    await askUnheard(world);
    byAnOlderVersion(world);
    await world.run(adopt(world.ports, ordersDb, by));
    await world.look(world.sweep());
    expect(world.records('refusal')).toMatchObject([turnedDown]);
    expect(attachedTo(world)).toEqual([c, c]);
  });

  story('is carried out where they are back by then, and where an older version stored it', async (world) => {
    await askUnheard(world);
    moveByHand(world, [front, management], a);
    byAnOlderVersion(world);
    expect(await world.look(world.sweep())).toMatchObject({ code: 'COMPLETED' });
    expect(attachedTo(world)).toEqual([b, b]);
  });
});

/** As an episode leaves it that could attach these nowhere. */
function strand(
  world: World,
  enis: readonly EniId[],
  { source, promoted }: { readonly source?: InstanceId; readonly promoted?: true } = {},
): void {
  for (const eni of enis) world.ec2.detachByHand(eni);
  const plan = {
    target: b,
    tried: [b],
    detach: 'plain' as const,
    plainDetachMs: 0,
    interfaces: [],
    ...(source && { source }),
  };
  change(world, {
    stranded: { sinceMs: 1_000, plan, why: 'nobody takes it', tries: 1, ...(promoted && { promoted }) },
  });
}

async function openEpisode(world: World): Promise<void> {
  world.ec2.impair(a);
  world.begin(world.alarm(a)).report.catch(() => undefined);
  await world.clock.advance(400);
  world.ec2.recover(a);
}

function moveByHand(world: World, enis = [front], to = c): void {
  for (const eni of enis) {
    world.ec2.detachByHand(eni);
    world.ec2.attachByHand(eni, to, eni === front ? 1 : 2);
  }
}

function failReads(world: World): void {
  world.ec2.fail('interfaces', { kind: 'throttled' }, { times: 50 });
}

function change(world: World, to: Partial<ServiceState>): void {
  world.store.change(ordersDb, (state) => ({ ...state, ...to }));
}
