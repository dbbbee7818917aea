/** What a mutant is hunted with: small runs of the simulator, those first that find most for their time. */
import { injuryOf, type PlannedFault, type Story, walk } from '../simulation/exhaustive.ts';
import { interleave, type Rival, rivalsOf } from '../simulation/interleavings.ts';
import { regressions } from '../simulation/regressions.ts';
import { runPlan, runSeed } from '../simulation/seeds.ts';
import { stories, withStages } from '../simulation/tasks.ts';

export type Hunt =
  | { readonly kind: 'walk'; readonly story: Story; readonly faults: readonly PlannedFault[] }
  | { readonly kind: 'interleaving'; readonly story: Story; readonly rival: Rival; readonly at: number }
  | { readonly kind: 'regression'; readonly name: string }
  | { readonly kind: 'seed'; readonly seed: number };

/** What it found, if it found anything, and what it came across. */
export interface Caught {
  readonly violation: string | undefined;
  readonly counts: ReadonlyMap<string, number>;
}

const minutes = 20;
const isPlain = ({ failure, interfaces }: Story) => failure === 'impaired' && interfaces === 2;

export function nameOf(hunt: Hunt): string {
  switch (hunt.kind) {
    case 'walk':
      return `--story ${hunt.story.failure}/${hunt.story.interfaces} --faults ${hunt.faults.map(({ at, kind }) => `${at}:${kind}`).join('+')}`;
    case 'interleaving':
      return `--story ${hunt.story.failure}/${hunt.story.interfaces} --rival ${hunt.rival} --stops ${hunt.at},0`;
    case 'regression':
      return hunt.name;
    case 'seed':
      return `--seed ${hunt.seed}`;
  }
}

/** Every single fault of every story, all that once broke something, interleavings, and seeds. */
export async function allHunts(seeds: number): Promise<readonly Hunt[]> {
  const whole: Hunt[] = stories.map((story) => ({ kind: 'walk', story, faults: [] }));
  const known: Hunt[] = Object.keys(regressions).map((name) => ({ kind: 'regression', name }));
  const drawn: Hunt[] = Array.from({ length: seeds }, (_, index) => ({ kind: 'seed', seed: index + 1 }));
  const singles: Hunt[] = [];
  const turns: Hunt[] = [];
  // The plainest failover first: the others differ in how the failure is seen, and in what is around the move.
  for (const story of stories.toSorted((a) => (a.failure === 'impaired' ? -1 : 1))) {
    const { points } = await walk(story, []);
    for (const [index, kinds] of points.entries())
      for (const kind of kinds)
        singles.push({ kind: 'walk', story, faults: [{ at: index + 1, ...injuryOf(kind) }] });
    const isTurned = withStages.includes(story) ? story.interfaces === 1 : isPlain(story);
    for (const rival of isTurned ? rivalsOf(story) : [])
      for (let at = 1; at <= points.length; at += 1) turns.push({ kind: 'interleaving', story, rival, at });
  }
  return [...whole, ...known, ...singles, ...turns, ...drawn];
}

async function run(hunt: Hunt) {
  switch (hunt.kind) {
    case 'walk':
      return (await walk(hunt.story, hunt.faults)).world;
    case 'interleaving':
      return (await interleave(hunt.story, hunt.rival, hunt.at, 0)).world;
    case 'regression': {
      const plan = regressions[hunt.name];
      if (!plan) throw new Error(`no regression is called ${hunt.name}`);
      return plan.kind === 'walk'
        ? (await walk(plan.story, plan.faults)).world
        : (await runPlan({ ...plan, seed: plan.world.seed, minutes })).world;
    }
    case 'seed':
      return (await runSeed(hunt.seed, minutes)).world;
  }
}

/** Never throws: a world that cannot even be run is caught as well. */
export async function carryOut(hunt: Hunt): Promise<Caught> {
  try {
    const { checker, counts } = await run(hunt);
    const [violation] = checker.violations;
    return { violation: violation && `${violation.invariant} ${violation.what.split('\n')[0]}`, counts };
  } catch (error) {
    return {
      violation: `the world stops: ${error instanceof Error ? error.message : String(error)}`,
      counts: new Map(),
    };
  }
}
