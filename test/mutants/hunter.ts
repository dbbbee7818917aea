/** One thread in the mutated tree: wakes one mutant and hunts it until an invariant breaks or all hunts are over. */
import { parentPort } from 'node:worker_threads';
import { unreached } from '../simulation/report.ts';
import { allHunts, carryOut, type Hunt, nameOf } from './hunts.ts';
import { switchboard } from './instrument.ts';

export type Order =
  /** With all mutants asleep: what each hunt passes. */
  | { readonly kind: 'survey'; readonly seeds: number }
  /** `mustReach`: states that all hunts, these and earlier ones of the mutant, reach together without it. */
  | {
      readonly kind: 'hunt';
      readonly mutant: number;
      readonly hunts: readonly Hunt[];
      readonly mustReach: readonly string[];
    };

export interface Passed {
  readonly kind: 'passed';
  readonly hunt: Hunt;
  /** Mutants whose place it passed. */
  readonly mutants: readonly number[];
  readonly states: readonly string[];
  readonly violation: string | undefined;
  readonly tookMs: number;
}

export type Answer =
  | Passed
  | { readonly kind: 'surveyed' }
  /** A sign of life. */
  | { readonly kind: 'alive' }
  | { readonly kind: 'killed'; readonly by: string; readonly hunt?: string }
  | { readonly kind: 'survived' };

Error.stackTraceLimit = 1;
const board = switchboard();
const say = (answer: Answer) => parentPort?.postMessage(answer);
const allStates = unreached(new Map());

function statesIn(counts: ReadonlyMap<string, number>): readonly string[] {
  const never = new Set(unreached(counts));
  return allStates.filter((each) => !never.has(each));
}

async function survey(seeds: number): Promise<void> {
  board.active = 0;
  for (const hunt of await allHunts(seeds)) {
    board.reached.clear();
    const startedMs = performance.now();
    const { violation, counts } = await carryOut(hunt);
    const tookMs = performance.now() - startedMs;
    say({ kind: 'passed', hunt, mutants: [...board.reached], states: statesIn(counts), violation, tookMs });
  }
  say({ kind: 'surveyed' });
}

let reached = new Set<string>();

async function hunt({ mutant, hunts, mustReach }: Order & { kind: 'hunt' }): Promise<void> {
  if (board.active !== mutant) reached = new Set();
  board.active = mutant;
  for (const each of hunts) {
    const { violation, counts } = await carryOut(each);
    if (violation !== undefined) {
      say({ kind: 'killed', by: violation, hunt: nameOf(each) });
      return;
    }
    for (const state of statesIn(counts)) reached.add(state);
    say({ kind: 'alive' });
  }
  const lost = mustReach.filter((each) => !reached.has(each));
  say(lost.length > 0 ? { kind: 'killed', by: `never reached: ${lost.join(', ')}` } : { kind: 'survived' });
}

parentPort?.on('message', (order: Order) => {
  const work = order.kind === 'survey' ? survey(order.seeds) : hunt(order);
  work.catch((error: unknown) => {
    throw error;
  });
});
