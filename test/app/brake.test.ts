/** The brake's own part: what it counts, whom it lets page, and how often it asks a table that does not answer. */
import { describe, expect } from 'vitest';
import { brakeCheck } from '../../shared/app/brake.ts';
import type { ServiceName } from '../../shared/core/ids.ts';
import { toService } from '../../shared/core/state.ts';
import { times } from '../../shared/core/times.ts';
import { ordersDb, type World, zone } from '../fakes/world.ts';
import { story } from './story.ts';

const others = ['one', 'two', 'three', 'four'] as ServiceName[];

const check = async (world: World) => {
  const controller = await world.run(world.store.readController());
  return world.run(brakeCheck(world.ports, toService(world.service()), controller));
};

/** So many others of the zone have just failed over. */
const othersFailed = async (world: World, names = others) => {
  for (const name of names) await world.run(world.store.countFailover(zone, name, world.clock.now()));
};

const unanswered = { kind: 'unreachable', afterMs: 0 } as const;

describe('the brake', () => {
  story('is clear for the fourth of a zone', async (world) => {
    await othersFailed(world, others.slice(1));
    expect(await check(world)).toEqual({ kind: 'clear' });
  });

  story('is tripped by the fifth, which is the one that pages', async (world) => {
    await othersFailed(world);
    expect(await check(world)).toEqual({
      kind: 'tripped',
      services: [...others, ordersDb].sort(),
      first: true,
    });
  });

  story('that another worker has tripped meanwhile is paged by that one alone', async (world) => {
    await othersFailed(world);
    await world.run(world.store.tripBrake(zone, others, world.clock.now()));
    expect(await check(world)).toMatchObject({ kind: 'tripped', first: false });
  });

  story('is clear where five are less than half of the zone', async (world) => {
    for (let number = 0; number < 10; number += 1)
      await world.run(world.store.joinZone(zone, `service-${number}` as ServiceName));
    await othersFailed(world);
    expect(await check(world)).toEqual({ kind: 'clear' });
  });

  story('asks a table that does not answer three times, each after a pause', async (world) => {
    const startMs = world.clock.now();
    world.store.fail('countFailover', unanswered, { times: 3 });
    expect(await check(world)).toEqual({ kind: 'unreadable' });
    const asked = world.store.calls.filter((each) => each.operation === 'countFailover');
    expect(asked).toHaveLength(3);
    const pauses = asked.slice(1).map((each, index) => each.atMs - (asked[index]?.atMs ?? 0));
    expect(pauses).toEqual([times.pollFirstMs, times.pollFirstMs]);
    // The last answer is not waited upon any longer: interfaces of a failed holder are at stake.
    expect(world.clock.now() - startMs).toBeLessThan(3 * times.pollFirstMs);
  });

  story('believes the third answer like the first', async (world) => {
    world.store.fail('countFailover', unanswered, { times: 2 });
    expect(await check(world)).toEqual({ kind: 'clear' });
  });
});
