/** Time as the sandbox sees it: real when it serves, virtual when a simulator drives it. */

export interface SandboxClock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Runs `run` once, never before this call has returned; the answer cancels it. */
  after(delayMs: number, run: () => void): () => void;
}

export function realClock(): SandboxClock {
  return {
    now: () => Date.now(),
    after(delayMs, run) {
      const timer = setTimeout(run, delayMs);
      return () => clearTimeout(timer);
    },
  };
}
