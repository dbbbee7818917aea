/** A deterministic clock for use cases: time moves only when everything that can run is waiting. */
import type { Clock } from '../../shared/app/ports.ts';

export interface VirtualClock extends Clock {
  /** Drives time until the promise settles. Throws when everything waits for something that no timer brings. */
  run<T>(promise: Promise<T>): Promise<T>;
  /** Lets this much time pass, running what falls due in order. */
  advance(ms: number): Promise<void>;
  /** Runs something at a later time, as the world outside does; answers how to call it off. */
  after(delayMs: number, run: () => void): () => void;
}

/** 2026-11-21, two in the morning: when it happens. */
export const startOfStoryMs = Date.parse('2026-11-21T02:00:00.000Z');

const mostSteps = 500_000;

interface Timer {
  readonly atMs: number;
  readonly fire: () => void;
}

/** Every microtask runs before the next turn of the event loop: no real time is waited for. */
const idle = () => new Promise<void>((resolve) => setImmediate(resolve));

export function makeVirtualClock(startMs = startOfStoryMs): VirtualClock {
  let nowMs = startMs;
  /** In the order in which they were set, which decides between those of the same moment. */
  const timers = new Set<Timer>();

  const next = () => {
    let first: Timer | undefined;
    for (const timer of timers) if (!first || timer.atMs < first.atMs) first = timer;
    return first;
  };

  const fire = (timer: Timer) => {
    timers.delete(timer);
    nowMs = Math.max(nowMs, timer.atMs);
    timer.fire();
  };

  const set = (delayMs: number, run: () => void) => {
    // Whole milliseconds, as Date.now() has them.
    const timer = { atMs: nowMs + Math.ceil(Math.max(0, delayMs)), fire: run };
    timers.add(timer);
    return () => {
      timers.delete(timer);
    };
  };

  return {
    now: () => nowMs,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve();
        const done = () => {
          cancel();
          signal?.removeEventListener('abort', done);
          resolve();
        };
        const cancel = set(ms, done);
        signal?.addEventListener('abort', done, { once: true });
      }),
    after: set,
    async run(promise) {
      let isSettled = false;
      const settle = () => {
        isSettled = true;
      };
      promise.then(settle, settle);
      for (let step = 0; step < mostSteps; step += 1) {
        await idle();
        if (isSettled) return promise;
        const timer = next();
        if (!timer) throw new Error('everything waits, and no timer is set');
        fire(timer);
      }
      throw new Error('it goes on for ever');
    },
    async advance(ms) {
      const untilMs = nowMs + ms;
      for (let step = 0; step < mostSteps; step += 1) {
        await idle();
        const timer = next();
        if (!timer || timer.atMs > untilMs) {
          nowMs = untilMs;
          return;
        }
        fire(timer);
      }
      throw new Error('it goes on for ever');
    },
  };
}
