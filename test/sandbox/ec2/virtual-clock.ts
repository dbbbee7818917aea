/** A clock that moves only when told to, running what is due in order. */
import type { SandboxClock } from '../../../sandbox/clock.ts';

export interface VirtualClock extends SandboxClock {
  advance(ms: number): void;
}

export function makeVirtualClock(startMs = 1_700_000_000_000): VirtualClock {
  let nowMs = startMs;
  let timers: { atMs: number; run: () => void }[] = [];
  return {
    now: () => nowMs,
    after(delayMs, run) {
      const timer = { atMs: nowMs + delayMs, run };
      timers.push(timer);
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
    advance(ms) {
      const untilMs = nowMs + ms;
      for (;;) {
        // The first of those due earliest: timers of the same moment keep their order.
        const due = timers.filter(({ atMs }) => atMs <= untilMs);
        const [next] = due.toSorted((a, b) => a.atMs - b.atMs);
        if (next === undefined) break;
        timers = timers.filter((other) => other !== next);
        nowMs = Math.max(nowMs, next.atMs);
        next.run();
      }
      nowMs = untilMs;
    },
  };
}
