/** Pieces of work that any thread can do by itself, and what comes of them. */
import {
  callsAfter,
  explore,
  exploreOutage,
  exploreTriples,
  type Found,
  failures,
  type Story,
  type Tally,
  walk,
} from './exhaustive.ts';
import { exploreInterleavings, type Rival, rivalsOf, turnsOf } from './interleavings.ts';
import { type Mode, runSeed } from './seeds.ts';

export type Task =
  | { readonly kind: 'faults'; readonly story: Story; readonly at: number; readonly depth: 1 | 2 }
  | { readonly kind: 'outage'; readonly story: Story; readonly at: number }
  | { readonly kind: 'triples'; readonly story: Story; readonly at: number; readonly then: number }
  | {
      readonly kind: 'interleaving';
      readonly story: Story;
      readonly rival: Rival;
      readonly at: number;
      readonly depth: 1 | 2;
    }
  | {
      readonly kind: 'seeds';
      readonly from: number;
      readonly count: number;
      readonly minutes: number;
      readonly mode: Mode;
    };

export interface Done {
  readonly task: Task;
  readonly runs: number;
  readonly found: readonly Found[];
  readonly counts: readonly (readonly [string, number])[];
  readonly cpuMs: number;
}

const replayOfSeed = (seed: number, minutes: number, mode: Mode) =>
  `--seed ${seed}${minutes === 20 ? '' : ` --minutes ${minutes}`}${mode === 'wire' ? ' --wire' : ''}`;

export async function doTask(task: Task): Promise<Done> {
  const before = process.threadCpuUsage();
  const tally: Tally = { runs: 0, found: [], counts: new Map() };
  switch (task.kind) {
    case 'faults':
      await explore(task.story, task.at, task.depth, tally);
      break;
    case 'outage':
      await exploreOutage(task.story, task.at, tally);
      break;
    case 'triples':
      await exploreTriples(task.story, task.at, task.then, tally);
      break;
    case 'interleaving':
      await exploreInterleavings(task.story, task.rival, task.at, tally, task.depth);
      break;
    case 'seeds':
      for (let seed = task.from; seed < task.from + task.count; seed += 1) {
        tally.runs += 1;
        try {
          const { world, violation } = await runSeed(seed, task.minutes, false, undefined, task.mode);
          for (const [what, times] of world.counts)
            tally.counts.set(what, (tally.counts.get(what) ?? 0) + times);
          if (violation) tally.found.push({ replay: replayOfSeed(seed, task.minutes, task.mode), violation });
        } catch (error) {
          // A world that cannot even be run is a finding like any other, with its seed.
          const what = error instanceof Error ? `${error.message}\n${error.stack}` : String(error);
          const violation = { invariant: 'SIMULATOR', service: '', what, atMs: 0 };
          tally.found.push({ replay: replayOfSeed(seed, task.minutes, task.mode), violation });
        }
      }
      break;
  }
  const { user, system } = process.threadCpuUsage(before);
  const { runs, found, counts } = tally;
  return { task, runs, found, counts: [...counts], cpuMs: (user + system) / 1_000 };
}

export const stories: readonly Story[] = failures.flatMap((failure) =>
  ([1, 2] as const).map((interfaces) => ({ failure, interfaces })),
);
/** Pairs are walked over the plainest failure; the others differ in how it is seen, or in what is around the move. */
const plain = stories.filter(({ failure }) => failure === 'impaired');
export const withStages = stories.filter(
  ({ failure }) => failure === 'fenced' || failure === 'planned' || failure === 'back',
);

/** Every single fault and every interleaving; with `pairs`, every pair of faults as well. */
export async function walks(pairs: boolean): Promise<readonly Task[]> {
  const tasks: Task[] = [];
  for (const story of stories) {
    const { points } = await walk(story, []);
    for (let at = 1; at <= points.length; at += 1) {
      if (pairs && plain.includes(story)) tasks.push({ kind: 'faults', story, at, depth: 2 });
      tasks.push({ kind: 'faults', story, at, depth: 1 });
      // The stages of a service have deadlines of their own, which may pass meanwhile.
      if (plain.includes(story)) tasks.push({ kind: 'outage', story, at });
    }
    const depth = plain.includes(story) && story.interfaces === 2 ? 2 : 1;
    if (depth === 1 && !(withStages.includes(story) && story.interfaces === 1)) continue;
    const turns = await turnsOf(story);
    for (const rival of rivalsOf(story))
      for (let at = 1; at <= turns; at += 1) tasks.push({ kind: 'interleaving', story, rival, at, depth });
  }
  return tasks;
}

/** For a night: every pair of faults where something is around the move. */
export async function pairTasks(): Promise<readonly Task[]> {
  const tasks: Task[] = [];
  for (const story of withStages.filter(({ interfaces }) => interfaces === 1)) {
    const { points } = await walk(story, []);
    for (let at = 1; at <= points.length; at += 1) tasks.push({ kind: 'faults', story, at, depth: 2 });
  }
  return tasks;
}

export function seedTasks(
  count: number,
  from: number,
  minutes: number,
  mode: Mode = 'plain',
): readonly Task[] {
  const piece = 5;
  return Array.from({ length: Math.ceil(count / piece) }, (_, index) => ({
    kind: 'seeds' as const,
    from: from + index * piece,
    count: Math.min(piece, count - index * piece),
    minutes,
    mode,
  }));
}

/** Every three faults of the kinds that pairs are of, in the plain failovers. */
export async function tripleTasks(): Promise<readonly Task[]> {
  const tasks: Task[] = [];
  for (const story of plain) {
    const { points } = await walk(story, []);
    for (let at = 1; at <= points.length; at += 1) {
      const most = await callsAfter(story, at);
      for (let then = at + 1; then < most; then += 1) tasks.push({ kind: 'triples', story, at, then });
    }
  }
  return tasks;
}

/** One of these, one of those: whoever stops halfway has seen something of both. */
export const inTurn = (some: readonly Task[], others: readonly Task[]): readonly Task[] =>
  Array.from({ length: Math.max(some.length, others.length) }, (_, index) => [some[index], others[index]])
    .flat()
    .filter((task) => task !== undefined);
