/** The messages to later looks: to whom, when, and how long anybody waits for them to be sent. */
import { describe, expect, it } from 'vitest';
import { LaterLooks } from '../../shared/app/later-looks.ts';
import type { Hint } from '../../shared/core/hint.ts';
import { times } from '../../shared/core/times.ts';
import { a, makeWorld, ordersDb, type World } from '../fakes/world.ts';

const looks = async (look = 0, hint?: Hint) => {
  const world = await makeWorld();
  const message = { service: ordersDb, hint: hint ?? world.alarm(a), look };
  return { world, message, later: new LaterLooks(world.ports, message) };
};
const sent = (world: World) => world.queue.sent.map(({ message, delayMs }) => ({ message, delayMs }));
const watchdogOf = (world: World, epoch: number): Hint => ({
  kind: 'watchdog',
  epoch,
  atMs: world.clock.now(),
});

describe('another look', () => {
  it.each([
    [0, 10_000, true],
    [1, 20_000, true],
    [2, 40_000, true],
    [3, 40_000, false],
  ])('after %i comes %i ms later, and may be asked for: %s', async (look, delayMs, mayAsk) => {
    const { world, message, later } = await looks(look);
    expect(later.mayAsk).toBe(mayAsk);
    await world.run(later.ask());
    expect(sent(world)).toEqual([{ message: { ...message, look: look + 1 }, delayMs }]);
  });

  it('that cannot be queued is no failure of this one', async () => {
    const { world, later } = await looks();
    world.queue.fail();
    await world.run(later.ask());
    expect(sent(world)).toEqual([]);
    expect(world.lines.at(-1)).toMatchObject({ level: 'warn', message: 'a later look could not be queued' });
  });

  it('after a grace period begins anew', async () => {
    const { world, later } = await looks(3);
    await world.run(later.askAfterGrace());
    expect(sent(world)).toMatchObject([
      {
        message: { service: ordersDb, hint: { kind: 'sweep' }, look: 0 },
        delayMs: times.graceAfterMoveMs + 1_000,
      },
    ]);
  });
});

describe("after another worker's lease", () => {
  const afterMs = 5_000 + 2 * times.skewMarginMs;
  const ask = ({ world, later }: Awaited<ReturnType<typeof looks>>) =>
    world.run(later.askAfterLease(world.clock.now() + 5_000));

  it('an event is looked at once more', async () => {
    const given = await looks(1);
    await ask(given);
    expect(sent(given.world)).toEqual([{ message: { ...given.message, look: 2 }, delayMs: afterMs }]);
  });

  it('an event that was looked at often enough is left to the sweep', async () => {
    const given = await looks(3);
    await ask(given);
    expect(sent(given.world)).toEqual([]);
  });

  it('a watchdog comes again as it is, however often', async () => {
    const hint: Hint = { kind: 'watchdog', epoch: 7, atMs: 0 };
    const given = await looks(0, hint);
    await ask(given);
    expect(sent(given.world)).toEqual([{ message: { service: ordersDb, hint, look: 0 }, delayMs: afterMs }]);
  });

  it('that has ended already, the skew of two clocks is waited out', async () => {
    const { world, later } = await looks();
    await world.run(later.askAfterLease(world.clock.now() - 60_000));
    expect(sent(world)[0]?.delayMs).toBe(2 * times.skewMarginMs);
  });
});

describe('a watchdog beside the claim', () => {
  it('is waited for, and comes when the lease has ended', async () => {
    const { world, later } = await looks();
    const hint = watchdogOf(world, 7);
    await world.run(later.sendWatchdogBesideClaim(7));
    expect(sent(world)).toEqual([
      { message: { service: ordersDb, hint, look: 0 }, delayMs: times.leaseTtlMs + times.skewMarginMs },
    ]);
  });

  it('that hangs is waited for a second, and a few more at the very end', async () => {
    const { world, later } = await looks();
    world.queue.fail('silent');
    const startMs = world.clock.now();
    await world.run(later.sendWatchdogBesideClaim(7));
    expect(world.clock.now() - startMs).toBe(times.messageTimeoutMs);
    await world.run(later.settle());
    expect(world.clock.now() - startMs).toBe(6 * times.messageTimeoutMs);
  });

  it('that is slow is on its way for certain when everything has settled', async () => {
    const { world, message } = await looks();
    const queue = {
      send: async (...given: Parameters<typeof world.queue.send>) => {
        await world.clock.sleep(2_500);
        await world.queue.send(...given);
      },
    };
    const slow = new LaterLooks({ ...world.ports, queue }, message);
    await world.run(slow.sendWatchdogBesideClaim(7));
    expect(sent(world)).toEqual([]);
    await world.run(slow.settle());
    expect(sent(world)).toHaveLength(1);
  });

  it('that is refused is no failure of the claim', async () => {
    const { world, later } = await looks();
    world.queue.fail();
    await world.run(later.sendWatchdogBesideClaim(7));
    expect(world.lines.at(-1)).toMatchObject({ level: 'warn', message: 'the watchdog could not be sent' });
  });

  it('that was never sent is waited for by nobody', async () => {
    const { world, later } = await looks();
    const startMs = world.clock.now();
    await world.run(later.settle());
    expect(world.clock.now()).toBe(startMs);
  });
});
