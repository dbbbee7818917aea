/** How a service is right now: read from EC2 and the item, and nothing written. */
import { describe, expect } from 'vitest';
import { statusOf } from '../../shared/app/status.ts';
import { a, b, c, front, ordersDb, zone } from '../fakes/world.ts';
import { story } from './story.ts';

describe('the status', () => {
  story('of a healthy service names holder and standbys, and writes nothing', async (world) => {
    const writes = world.store.writes.length;
    expect(await world.run(statusOf(world.ports, ordersDb))).toMatchObject({
      where: { kind: 'together', holder: a },
      holderHealth: { kind: 'healthy' },
      standbys: [
        { member: b, refusals: [] },
        { member: c, refusals: [] },
      ],
      isPaused: false,
      controllerPaused: false,
      braked: false,
    });
    expect(world.store.writes).toHaveLength(writes);
    expect(world.ec2.mutations()).toEqual([]);
  });

  story('after a failover says why the old holder may not take it back', async (world) => {
    world.ec2.impair(a);
    await world.look(world.alarm(a));
    const status = await world.run(statusOf(world.ports, ordersDb));
    expect(status?.where).toEqual({ kind: 'together', holder: b });
    expect(status?.standbys[0]?.refusals.map((each) => each.code)).toEqual(['CHECKS_FAILED', 'QUARANTINED']);
  });

  story('says where an interface is on nothing, and that pause and brake are on', async (world) => {
    world.ec2.detachByHand(front);
    await world.run(world.store.tripBrake(zone, ['x'], world.clock.now()));
    world.store.pauseAll({ reason: 'x', author: 'y', atMs: 0, untilMs: world.clock.now() + 1_000 });
    expect(await world.run(statusOf(world.ports, ordersDb))).toMatchObject({
      where: { kind: 'on-nothing', free: [front], beside: a },
      holderHealth: undefined,
      controllerPaused: true,
      braked: true,
    });
  });

  story('of a service that is not registered is nothing', { registered: false }, async (world) => {
    expect(await world.run(statusOf(world.ports, ordersDb))).toBeUndefined();
  });

  story('of a service that was unregistered is nothing either', async (world) => {
    world.store.change(ordersDb, (state) => ({ ...state, tombstone: true }));
    expect(await world.run(statusOf(world.ports, ordersDb))).toBeUndefined();
  });
});
