/** Time in the stories moves only when everything waits, always in the same order, and never by itself. */
import { describe, expect, it } from 'vitest';
import { makeVirtualClock } from './virtual-clock.ts';

describe('the virtual clock', () => {
  it('stands still while something can run', async () => {
    const clock = makeVirtualClock(0);
    const work = (async () => {
      for (let turn = 0; turn < 100; turn += 1) await Promise.resolve();
      return clock.now();
    })();
    expect(await clock.run(work)).toBe(0);
  });
  it('goes to the next timer and no further', async () => {
    const clock = makeVirtualClock(0);
    const times: number[] = [];
    const sleeper = async (ms: number) => {
      await clock.sleep(ms);
      times.push(clock.now());
    };
    await clock.run(Promise.all([sleeper(30), sleeper(10), sleeper(20)]));
    expect(times).toEqual([10, 20, 30]);
    await clock.advance(5);
    expect(clock.now()).toBe(35);
  });
  it('keeps the order of timers of one moment', async () => {
    const clock = makeVirtualClock(0);
    const order: string[] = [];
    for (const name of ['a', 'b', 'c']) clock.after(5, () => order.push(name));
    await clock.advance(5);
    expect(order).toEqual(['a', 'b', 'c']);
  });
  it('wakes a sleeper at once when its signal aborts', async () => {
    const clock = makeVirtualClock(0);
    const giveUp = new AbortController();
    clock.after(7, () => giveUp.abort());
    await clock.run(clock.sleep(1_000, giveUp.signal));
    expect(clock.now()).toBe(7);
    await clock.run(clock.sleep(1_000, giveUp.signal));
    expect(clock.now()).toBe(7);
  });
  it('says so when everything waits for nothing', async () => {
    await expect(makeVirtualClock(0).run(new Promise(() => undefined))).rejects.toThrow('everything waits');
  });
});
