/** The invariants see what they are there to see: a story without violations means something. */
import { describe, expect, it } from 'vitest';
import type { Episode, EpisodeKind } from '../../shared/core/episode.ts';
import type { AttachmentId, EniId, OwnerId } from '../../shared/core/ids.ts';
import { a, b, c, front, makeWorld, management, ordersDb, stranger, type World } from './world.ts';

const violated = (world: World) => world.violations().map((each) => each.slice(0, each.indexOf(' ')));

async function openEpisode(): Promise<World> {
  const world = await makeWorld();
  const attachment = world.ec2.where(front)?.id;
  world.store.change(ordersDb, (state) => ({
    ...state,
    epoch: 1,
    lease: {
      owner: 'worker-x' as NonNullable<typeof state.lease>['owner'],
      untilMs: world.clock.now() + 15_000,
    },
    episode: {
      id: 'orders-db.1',
      kind: 'failover',
      state: 'CLAIMED',
      evidence: 'x',
      openedAtMs: world.clock.now(),
      committed: false,
      steps: [],
      plan: {
        target: b,
        tried: [b],
        detach: 'force',
        plainDetachMs: 0,
        interfaces: [
          {
            eni: front,
            deviceIndex: 1,
            networkCardIndex: 0,
            ours: [],
            ...(attachment && { detach: attachment }),
          },
        ],
      },
    },
  }));
  return world;
}
const detach = async (world: World, eni: typeof front) => {
  const id = world.ec2.where(eni)?.id;
  if (id) await world.run(world.ec2.detach(id, { force: true }));
  await world.clock.advance(5_000);
};

describe('the invariants', () => {
  it('find nothing in a planned detach under a lease', async () => {
    const world = await openEpisode();
    await detach(world, front);
    expect(violated(world)).toEqual([]);
  });
  it('see a detach that no stored plan names', async () => {
    const world = await openEpisode();
    await detach(world, management);
    expect(violated(world)).toEqual(['S2', 'S1']);
  });
  it('see a detach without a lease', async () => {
    const world = await openEpisode();
    await world.clock.advance(12_000);
    await detach(world, front);
    expect(violated(world)).toEqual(['P6']);
  });
  it('see an attach to a member that is not in tried, and to one that is none', async () => {
    const world = await openEpisode();
    await detach(world, front);
    const order = { eni: front, deviceIndex: 1, networkCardIndex: 0 };
    world.ec2.refuseAttach(c);
    world.ec2.refuseAttach(stranger);
    await world.run(world.ec2.attach({ ...order, instanceId: c }));
    await world.run(world.ec2.attach({ ...order, instanceId: stranger }));
    expect(violated(world)).toEqual(['P13', 'S11', 'P13']);
  });
  it('see an episode that ends on two members, and without a record', async () => {
    const world = await openEpisode();
    await detach(world, front);
    await world.run(world.ec2.attach({ eni: front, deviceIndex: 1, networkCardIndex: 0, instanceId: b }));
    world.store.change(ordersDb, ({ episode: _, ...state }) => ({
      ...state,
      episode: {
        ...(_ as NonNullable<typeof _>),
        plan: {
          ...(_ as NonNullable<typeof _>).plan,
          interfaces: [
            { eni: front, deviceIndex: 1, networkCardIndex: 0, ours: [] },
            { eni: management, deviceIndex: 2, networkCardIndex: 0, ours: [] },
          ],
        },
      },
    }));
    world.store.change(ordersDb, ({ episode: _, ...state }) => state);
    expect(violated(world)).toEqual(['S12', 'S14']);
  });
  it('see a lease taken from a living worker', async () => {
    const world = await openEpisode();
    world.store.change(ordersDb, (state) => ({
      ...state,
      lease: { owner: 'other' as NonNullable<typeof state.lease>['owner'], untilMs: world.clock.now() + 1 },
    }));
    expect(violated(world)).toEqual(['S5']);
  });
  it('see a record that was overwritten before it was copied, and the gap in the trail', async () => {
    const world = await makeWorld();
    const frozen = { number: 2, kind: 'pause', atMs: 0, body: '{}', hash: 'x', pointers: [] };
    world.store.change(ordersDb, (state) => ({ ...state, frozen, trail: { next: 3, head: 'x' } }));
    world.store.change(ordersDb, ({ frozen: _, ...state }) => state);
    expect(violated(world)).toContain('S12');
    expect(violated(world).length).toBeGreaterThan(1);
  });
});

describe('the invariants of fence and hooks', () => {
  /** An open episode of a service that fences, with these marks; from `a` to `b`. */
  async function fencing(
    stages: NonNullable<Episode['stages']>,
    { kind = 'failover' as EpisodeKind, policy = {} as Readonly<Record<string, unknown>> } = {},
  ): Promise<World> {
    const world = await makeWorld({ policy: { fence: 'stop', ...policy } });
    const planned = (eni: EniId, deviceIndex: number) => ({
      eni,
      deviceIndex,
      networkCardIndex: 0,
      ours: [],
      ...(world.ec2.where(eni) && { detach: world.ec2.where(eni)?.id as AttachmentId }),
    });
    world.store.change(ordersDb, (state) => ({
      ...state,
      epoch: 1,
      lease: { owner: 'worker-x' as OwnerId, untilMs: world.clock.now() + 15_000 },
      episode: {
        id: 'orders-db.1',
        kind,
        state: 'CLAIMED',
        evidence: 'x',
        openedAtMs: world.clock.now(),
        committed: true,
        steps: [],
        stages,
        plan: {
          source: a,
          target: b,
          tried: [b],
          detach: kind === 'switchover' ? 'plain' : 'force',
          plainDetachMs: 0,
          interfaces: [planned(front, 1), planned(management, 2)],
        },
      },
    }));
    return world;
  }
  const begun = { begunAtMs: 0 };
  const done = { begunAtMs: 0, end: 'done' } as const;
  const late = { begunAtMs: 0, end: 'timed-out' } as const;
  const run = (world: World, token: string, on = b) =>
    world.run(
      world.hooks.run({
        command: { kind: 'document', name: 'promote', parameters: {}, instance: on },
        token,
        timeoutMs: 1_000,
      }),
    );

  it('see a detach from a source that was not stopped, whatever is on record', async () => {
    const world = await fencing({ fence: done });
    await detach(world, front);
    expect(violated(world)).toEqual(['S7']);
  });
  it.each(['stopped', 'terminated'])('see nothing in a detach from one that is %s', async (state) => {
    const world = await fencing({ fence: done });
    world.ec2.setState(a, state);
    await detach(world, front);
    expect(violated(world)).toEqual([]);
  });
  it('see a fence that came too late as one that is missing, unless the service goes on all the same', async () => {
    const paging = await fencing({ fence: late });
    await detach(paging, front);
    expect(violated(paging)).toEqual(['S7']);
    const proceeding = await fencing({ fence: late }, { policy: { onFenceTimeout: 'proceed' } });
    await detach(proceeding, front);
    expect(violated(proceeding)).toEqual([]);
  });
  it('see nothing in a planned move that stops nobody', async () => {
    const world = await fencing({}, { kind: 'switchover' });
    await detach(world, front);
    expect(violated(world)).toEqual([]);
  });
  it('see an attach of a rescue from a holder that still runs', async () => {
    const world = await fencing({}, { kind: 'rescue' });
    world.ec2.detachByHand(front);
    await world.run(world.ec2.attach({ eni: front, instanceId: b, deviceIndex: 1, networkCardIndex: 0 }));
    expect(violated(world)).toEqual(['S7']);
  });
  it('see a stop that is not on record, of the wrong instance, in the wrong episode, or without a lease', async () => {
    const unmarked = await fencing({});
    await unmarked.run(unmarked.ec2.stop(a));
    expect(violated(unmarked)).toEqual(['P38']);
    const wrong = await fencing({ fence: begun });
    await wrong.run(wrong.ec2.stop(c));
    expect(violated(wrong)).toEqual(['S11']);
    const planned = await fencing({ fence: begun }, { kind: 'switchover' });
    await planned.run(planned.ec2.stop(a));
    expect(violated(planned)).toEqual(['S11']);
    const undeclared = await fencing({ fence: begun }, { policy: { fence: 'none' } });
    await undeclared.run(undeclared.ec2.stop(a));
    expect(violated(undeclared)).toEqual(['S11']);
    const late = await fencing({ fence: begun });
    await late.clock.advance(12_000);
    await late.run(late.ec2.stop(a));
    expect(violated(late)).toEqual(['P6']);
  });
  it('see nothing in a stop that is on record', async () => {
    const world = await fencing({ fence: begun });
    await world.run(world.ec2.stop(a));
    expect(violated(world)).toEqual([]);
  });
  it('see a hook that is not on record, or has ended', async () => {
    const world = await fencing({ '1/before.1': done });
    await run(world, 'orders-db.1/1/before.0');
    await run(world, 'orders-db.1/1/before.1');
    expect(violated(world)).toEqual(['P38', 'P38']);
  });
  it('see a hook of an episode that is not open, or of no service', async () => {
    const world = await fencing({ '1/before.0': begun });
    await run(world, 'orders-db.7/1/before.0');
    await run(world, 'other.1/1/before.0');
    expect(violated(world)).toEqual(['P38', 'S11']);
  });
  it('see a hook on an instance that is no member, and one without a lease', async () => {
    const world = await fencing({ '1/before.0': begun });
    await run(world, 'orders-db.1/1/before.0', stranger);
    await world.clock.advance(12_000);
    await run(world, 'orders-db.1/1/before.0');
    expect(violated(world)).toEqual(['S11', 'P5']);
  });
  it('see a hook after the move before everything is on its target', async () => {
    const world = await fencing({ '1/before.0': begun, '1/after.0': begun });
    world.ec2.moveByHand(front, b, 1);
    await run(world, 'orders-db.1/1/before.0');
    await run(world, 'orders-db.1/1/after.0');
    expect(violated(world)).toEqual(['P39']);
    world.ec2.moveByHand(management, b, 2);
    await run(world, 'orders-db.1/1/after.0');
    expect(violated(world)).toEqual(['P39']);
  });
  it('see an attach to the source once an after hook was begun', async () => {
    const world = await fencing({ '1/after.0': begun }, { kind: 'switchover' });
    world.ec2.detachByHand(front);
    world.store.change(ordersDb, (state) => ({
      ...state,
      ...(state.episode && {
        episode: { ...state.episode, plan: { ...state.episode.plan, tried: [b, a], target: a } },
      }),
    }));
    await world.run(world.ec2.attach({ eni: front, instanceId: a, deviceIndex: 1, networkCardIndex: 0 }));
    expect(violated(world)).toEqual(['P20']);
  });
});
