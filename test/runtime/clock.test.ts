/** Proves the real clock's promises, and that ids are unique and hashes those of SHA-256. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { realClock, realHash, realIds } from '../../shared/runtime/clock.ts';

describe('the real clock', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: 1_700_000_000_000 });
  });
  afterEach(() => {
    vi.useRealTimers();
  });
  /** True once the promise has resolved. */
  const watch = (promise: Promise<void>) => {
    const seen = { done: false };
    promise.then(
      () => {
        seen.done = true;
      },
      () => undefined,
    );
    return seen;
  };
  const settle = () => vi.advanceTimersByTimeAsync(0);

  it('tells the time of the system', () => {
    expect(realClock.now()).toBe(1_700_000_000_000);
    vi.setSystemTime(1_700_000_000_005);
    expect(realClock.now()).toBe(1_700_000_000_005);
  });
  it('sleeps as long as it is told', async () => {
    const sleep = watch(realClock.sleep(1_000));
    await vi.advanceTimersByTimeAsync(999);
    expect(sleep.done).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(sleep.done).toBe(true);
  });
  it('wakes up at once when the signal aborts, and leaves no timer behind', async () => {
    const alarm = new AbortController();
    const sleep = watch(realClock.sleep(60_000, alarm.signal));
    await settle();
    expect(sleep.done).toBe(false);
    alarm.abort(new Error('enough'));
    await settle();
    expect(sleep.done).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });
  it('does not fall asleep when the signal has aborted', async () => {
    const sleep = watch(realClock.sleep(60_000, AbortSignal.abort()));
    await settle();
    expect(sleep.done).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });
  it('leaves no listener on a signal that outlives the sleep', async () => {
    const { signal } = new AbortController();
    const [added, removed] = [vi.spyOn(signal, 'addEventListener'), vi.spyOn(signal, 'removeEventListener')];
    const sleep = realClock.sleep(10, signal);
    await vi.advanceTimersByTimeAsync(10);
    await sleep;
    const listeners = (calls: readonly unknown[][]) => calls.map(([type, listener]) => [type, listener]);
    expect(added).toHaveBeenCalledTimes(1);
    expect(listeners(removed.mock.calls)).toEqual(listeners(added.mock.calls));
  });
});

describe('the real ids', () => {
  it.each([
    ['owners', realIds.owner],
    ['nonces', realIds.nonce],
  ])('never give two %s alike', (_, make) => {
    const made = Array.from({ length: 1_000 }, make);
    expect(new Set(made).size).toBe(1_000);
  });
});

describe('the real hash', () => {
  it.each([
    ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
    ['abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
    ['ü', '607474ca475a9724d7360aba71a56d5df77e61350e3f724cfa1f46e857e2d85f'],
  ])('is SHA-256 of the UTF-8 text %j, in lower-case hex', (text, hash) => {
    expect(realHash.sha256(text)).toBe(hash);
  });
});
