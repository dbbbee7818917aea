/** Waits for work no longer than it is worth; the work itself goes on. */
import type { Clock } from './ports.ts';

/** Why a sleep is ended that nobody needs any more: without a reason Node makes an error, stack and all, each time. */
export const over = 'over';

/** The answer, or undefined when `limitMs` are over before it came. Leaves no timer behind. */
export async function inTime<T>(clock: Clock, work: Promise<T>, limitMs: number): Promise<T | undefined> {
  const isDone = new AbortController();
  const patience = clock.sleep(limitMs, isDone.signal).then(() => undefined);
  try {
    return await Promise.race([work, patience]);
  } finally {
    isDone.abort(over);
  }
}
