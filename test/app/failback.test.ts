/** Back to the preferred member: when it has been eligible for long enough, by request or by itself. */
import { describe, expect } from 'vitest';
import { acknowledge, pauseService } from '../../shared/app/operate.ts';
import { register } from '../../shared/app/register.ts';
import { failback } from '../../shared/app/request.ts';
import { a, b, ordersDb, type World, zone } from '../fakes/world.ts';
import { story } from './story.ts';
import { type Sweeping, sweeping } from './sweeping.ts';

const by = { author: 'ann', reason: 'the disk is new' };
const ask = (world: World) => world.run(failback(world.ports, ordersDb, by));
const minutes = async (process: Sweeping, count: number) => {
  for (let minute = 0; minute < count; minute += 1) await process.later();
};

/** Failed over from a to b; a is well again and acknowledged. */
async function away(world: World): Promise<Sweeping> {
  world.ec2.impair(a);
  await world.look(world.alarm(a));
  world.ec2.recover(a);
  await world.run(acknowledge(world.ports, ordersDb, by));
  expect(world.holder()).toBe(b);
  return sweeping(world);
}

describe('a failback', () => {
  story('waits until the preferred member has been eligible for ten minutes', async (world) => {
    const process = await away(world);
    expect(await ask(world)).toMatchObject({ kind: 'refused', code: 'NOT_LONG_ENOUGH' });
    await process.later();
    const { preferredSinceMs = 0 } = world.service();
    expect(preferredSinceMs).toBeGreaterThan(0);
    await minutes(process, 9);
    const answer = await ask(world);
    const from = new Date(preferredSinceMs + 600_000).toISOString();
    expect(answer).toMatchObject({ code: 'NOT_LONG_ENOUGH', data: { from } });
    expect(answer.detail).toContain(from);
    await world.clock.advance(preferredSinceMs + 600_000 - world.clock.now());
    expect(await ask(world)).toMatchObject({ kind: 'done', data: { from: b, to: a } });
    await world.settle();
    expect(world.holder()).toBe(a);
    expect(world.episodes().at(-1)).toMatchObject({ author: 'ann', episode: { kind: 'failback' } });
    expect(world.service()).not.toHaveProperty('preferredSinceMs');
    expect(world.service().failoversAtMs, 'a planned move spends no budget').toEqual([]);
  });

  story('costs no write once the time counts, and no look either', async (world) => {
    const process = await away(world);
    await minutes(process, 2);
    process.cost();
    expect((await process.later()).lookedAt).toBeLessThanOrEqual(1);
    expect(process.cost()).toMatchObject({ writes: 0 });
  });

  story('begins to wait anew when the member was not eligible in between', async (world) => {
    const process = await away(world);
    await process.later();
    const first = world.service().preferredSinceMs ?? 0;
    world.ec2.impair(a);
    await process.later();
    expect(world.service()).not.toHaveProperty('preferredSinceMs');
    world.ec2.recover(a);
    await process.later();
    expect(world.service().preferredSinceMs).toBeGreaterThan(first);
  });

  story('waits no longer because EC2 could not be read', async (world) => {
    const process = await away(world);
    await process.later();
    const { preferredSinceMs } = world.service();
    world.store.change(ordersDb, (state) => ({ ...state, notReady: 'X' }));
    world.ec2.fail('checks', { kind: 'throttled' }, { untilMs: world.clock.now() + 120_000 });
    await minutes(process, 1);
    expect(world.service().preferredSinceMs).toBe(preferredSinceMs);
  });

  story('to who has the interfaces is refused, and so is one to who may not take them', async (world) => {
    expect(await ask(world)).toMatchObject({ kind: 'refused', code: 'ALREADY_HOLDER' });
    await away(world);
    world.ec2.setState(a, 'stopped');
    expect(await ask(world)).toMatchObject({ kind: 'refused', code: 'NOT_ELIGIBLE' });
  });

  story('has another preferred member after another registration', async (world) => {
    const process = await away(world);
    await process.later();
    const members = [{ instance: b }, { instance: a }];
    const declaration = { ...world.declaration, members };
    await world.run(register(world.ports, { declaration, author: 'ann' }));
    expect(world.service()).not.toHaveProperty('preferredSinceMs');
    await minutes(process, 2);
    expect(world.service()).not.toHaveProperty('preferredSinceMs');
  });
});

describe('a failback by itself', () => {
  const declared = { policy: { failback: { after: '30m' } } };

  story('comes when the member has been eligible for as long as declared', declared, async (world) => {
    const process = await away(world);
    await minutes(process, 30);
    expect(world.service().request).toBeUndefined();
    const swept = await process.later();
    expect(swept.enqueued).toBe(1);
    expect(world.records('request')).toMatchObject([
      { author: 'eni-failover', asks: 'failback', from: b, to: a },
    ]);
    expect(world.service()).not.toHaveProperty('preferredSinceMs');
    expect(world.ec2.mutations('detach'), 'the sweep moves nothing').toHaveLength(2);
    await world.settle();
    expect(world.holder()).toBe(a);
    await minutes(process, 40);
    expect(world.kinds().filter((each) => each === 'episode')).toHaveLength(2);
  });

  story('does not come where it is not declared', async (world) => {
    const process = await away(world);
    await minutes(process, 120);
    expect(world.holder()).toBe(b);
    expect(world.records('request')).toEqual([]);
  });

  const hindered: readonly (readonly [string, (world: World) => unknown])[] = [
    ['it is paused', (world) => pauseService(world.ports, ordersDb, { ...by, forMs: 7_200_000 })],
    ['its zone is braked', (world) => world.ports.store.tripBrake(zone, ['x'], 0)],
    ['the holder cannot be judged', (world) => world.ec2.setState(b, 'pending')],
    [
      'the member is quarantined again',
      (world) =>
        world.store.change(ordersDb, (state) => ({
          ...state,
          quarantine: { [a]: { sinceMs: 0, why: 'x' } },
        })),
    ],
    [
      'it only observes',
      (world) =>
        world.store.change(ordersDb, (state) => ({
          ...state,
          declared: JSON.stringify({
            ...world.declaration,
            policy: { failback: { after: '30m' }, mode: 'observe' },
          }),
        })),
    ],
  ];
  for (const [when, prepare] of hindered)
    story(`does not come while ${when}`, declared, async (world) => {
      const process = await away(world);
      await minutes(process, 25);
      await world.run(Promise.resolve(prepare(world)));
      await minutes(process, 20);
      expect(world.records('request')).toEqual([]);
      expect(world.holder()).toBe(b);
    });

  story('that is refused on the way is not asked for again every minute', declared, async (world) => {
    const process = await away(world);
    await minutes(process, 31);
    expect(world.service().request).toBeDefined();
    world.ec2.impair(a);
    await world.settle();
    expect(world.service().request).toBeUndefined();
    world.ec2.recover(a);
    await minutes(process, 20);
    expect(world.records('request')).toHaveLength(1);
    expect(world.kinds().filter((each) => each === 'refusal')).toHaveLength(1);
  });
});
