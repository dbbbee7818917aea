// A clock that moves only when a test says so.

import type { SandboxClock } from '../../sandbox/clock.ts';

export interface ManualClock extends SandboxClock {
  /** Runs what falls due in that time, in order, and lets what it set off settle. */
  advance(ms: number): Promise<void>;
}

export function makeManualClock(startMs = Date.parse('2026-11-20T02:00:40.989Z')): ManualClock {
  let nowMs = startMs;
  const timers = new Set<{ dueMs: number; run: () => void }>();
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return {
    now: () => nowMs,
    after: (delayMs, run) => {
      const timer = { dueMs: nowMs + delayMs, run };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    advance: async (ms) => {
      const untilMs = nowMs + ms;
      await settle();
      for (;;) {
        const [next] = [...timers].sort((one, other) => one.dueMs - other.dueMs);
        if (next === undefined || next.dueMs > untilMs) break;
        timers.delete(next);
        nowMs = next.dueMs;
        next.run();
        await settle();
      }
      nowMs = untilMs;
    },
  };
}
