/** Waits for something that comes by itself, and says what it was if it does not come. */
import { setTimeout as sleep } from 'node:timers/promises';

const poll = { everyMs: 50, times: 200 };

/** Throws `otherwise` after ten seconds. */
export async function until(otherwise: string, isTrue: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < poll.times; tries += 1) {
    if (await isTrue()) return;
    await sleep(poll.everyMs);
  }
  throw new Error(otherwise);
}
