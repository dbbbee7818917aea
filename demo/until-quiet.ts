/** Waits until what registration or a preparation has set off is over. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isQuiet, readFacts, type Sources } from './facts.ts';

const pollMs = 80;
/** An event may be on its way that no log shows yet. */
const quietPolls = 3;
const patienceMs = 10_000;

export async function untilQuiet(sources: Sources, sinceMs: number, expectsLook: boolean): Promise<void> {
  const giveUpAtMs = Date.now() + patienceMs;
  let polls = 0;
  while (polls < quietPolls && Date.now() < giveUpAtMs) {
    const facts = await readFacts(sources, [], sinceMs);
    polls = isQuiet(facts) && (facts.invocations.length > 0 || !expectsLook) ? polls + 1 : 0;
    await sleep(pollMs);
  }
}
