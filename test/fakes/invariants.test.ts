/** The invariants see what they are there to see: a story without violations means something. */
import { describe, expect, it } from 'vitest';
import { b, c, front, makeWorld, management, ordersDb, stranger, type World } from './world.ts';

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
