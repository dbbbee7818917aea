/** Finds a deployed stack. In a file of its own: its client is loaded only where a stack was named. */
import type { StackFact } from '../app/ports.ts';
import { makeCloudFormationClient, makeStacks } from '../aws/stack-outputs.ts';
import { realClock } from './clock.ts';

/** Undefined where there is no such stack in this account and Region; throws {@link PortError}. */
export function findStack(name: string, endpoint?: string): Promise<StackFact | undefined> {
  return makeStacks(makeCloudFormationClient(endpoint), { clock: realClock, random: Math.random }).find(name);
}
