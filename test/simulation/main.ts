/** The simulator by itself: seeds, walks over every fault, replays; exit 1 when an invariant is broken. */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { awayMs, failures, injuryOf, type PlannedFault, type Story, walk } from './exhaustive.ts';
import { faultPoints } from './fault-points.ts';
import { interleave, type Rival, rivals } from './interleavings.ts';
import { type FaultKind, faultKinds } from './network.ts';
import { render, unreached } from './report.ts';
import { type Mode, runPlan, runSeed, shrink } from './seeds.ts';
import {
  type Done,
  inTurn,
  pairTasks,
  seedTasks,
  type Task,
  tripleTasks,
  walks,
  withStages,
} from './tasks.ts';

const usage = `node test/simulation/main.ts [options]
  (nothing)                 everything that the check runs: walks and 2,000 seeds
  --seeds N --start S       N seeds from S on (1), of --minutes M (20) simulated minutes
  --long                    for a night: pairs of faults around fences and hooks, every three faults, and a million seeds of two simulated hours; Ctrl-C
                            ends it with the report so far, and so do ten violations
  --walks                   every single fault, every pair, every interleaving
  --seed X                  one seed, with its log; a violation is shrunk first
  --story impaired/2 --faults 12:crash-after+30:stale
  --story impaired/2 --faults 12:crash-after:away+30:throttled
  --story impaired/2 --rival sweep --stops 14,3
                            one walk, with its log
  --wire                    with --seeds, --seed or --faults: through the real SDK clients, some ten times slower
  --threads T               how many at once (one for each core)`;

const { values: given } = parseArgs({
  options: {
    seeds: { type: 'string' },
    start: { type: 'string', default: '1' },
    minutes: { type: 'string' },
    seed: { type: 'string' },
    walks: { type: 'boolean', default: false },
    long: { type: 'boolean', default: false },
    story: { type: 'string' },
    faults: { type: 'string', default: '' },
    rival: { type: 'string' },
    stops: { type: 'string', default: '1,0' },
    threads: { type: 'string' },
    wire: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

function complain(problem: string): never {
  process.stderr.write(`${problem}\n\n${usage}\n`);
  process.exit(2);
}

function whole(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) complain(`--${name} ${text}: expected a whole number`);
  return value;
}

function parseStory(text: string): Story {
  const [failure, interfaces] = text.split('/');
  const known = failures.find((each) => each === failure);
  if (!known) complain(`--story ${text}: expected ${failures.join(', ')}`);
  return { failure: known, interfaces: interfaces === '1' ? 1 : 2 };
}

function parseFaults(text: string): readonly PlannedFault[] {
  return text
    .split('+')
    .filter(Boolean)
    .map((each) => {
      const [at = '', kind = '', away] = each.split(':');
      if (!faultKinds.includes(kind as FaultKind)) complain(`--faults ${each}: no such kind of fault`);
      if (away !== undefined && away !== 'away') complain(`--faults ${each}: expected away, or nothing`);
      return { at: whole('faults', at), ...injuryOf(kind as FaultKind), ...(away && { awayMs }) };
    });
}

const minutes = whole('minutes', given.minutes ?? (given.long ? '120' : '20'));
/** A night that has found so much is over. */
const enough = given.long ? 10 : Number.POSITIVE_INFINITY;
const mode: Mode = given.wire ? 'wire' : 'plain';

/** One seed with its log. A broken invariant is shown with the fewest happenings that break it. */
async function replay(seed: number): Promise<number> {
  let ran = await runSeed(seed, minutes, true, undefined, mode);
  const { violation } = ran;
  if (violation) {
    process.stderr.write(`${violation.invariant} is broken; looking for the shortest plan ...\n`);
    ran = await shrink(ran, undefined, mode);
    ran = await runPlan(ran.plan, true, undefined, mode);
  }
  const { plan, world } = ran;
  process.stdout.write(`${(world.lines ?? []).join('\n')}\n\n`);
  process.stdout.write(`services: ${JSON.stringify(plan.world.services)}\n`);
  process.stdout.write(
    `happenings:\n${plan.happenings.map((each) => `  ${JSON.stringify(each)}\n`).join('')}`,
  );
  process.stdout.write(
    violation
      ? `\n${violation.invariant} ${violation.service}: ${violation.what}\n`
      : '\nNo invariant is broken\n',
  );
  return violation ? 1 : 0;
}

const weather = async () => (given.wire ? { wire: await (await import('./wire.ts')).openWire() } : {});

async function replayWalk(story: Story): Promise<number> {
  const [at = '1', back = '0'] = given.stops.split(',');
  const rival = given.rival as Rival | undefined;
  if (rival && !rivals.includes(rival)) complain(`--rival ${rival}: expected ${rivals.join(', ')}`);
  const { world } = rival
    ? await interleave(story, rival, whole('stops', at), whole('stops', back), true)
    : await walk(story, parseFaults(given.faults), await weather(), true);
  process.stdout.write(`${(world.lines ?? []).join('\n')}\n`);
  return world.checker.violations.length > 0 ? 1 : 0;
}

const interfaces = (story: Story) => `${story.interfaces} interface${story.interfaces === 1 ? '' : 's'}`;

/** Tasks come back from their threads as copies. */
const around = ({ failure }: Story) =>
  withStages.some((each) => each.failure === failure) ? `${failure}, ` : '';

/** What the report calls the runs of a task. */
function labelOf(task: Task): string {
  switch (task.kind) {
    case 'faults':
      return `${task.depth === 1 ? 'single faults' : 'pairs of faults'}, ${around(task.story)}${interfaces(task.story)}`;
    case 'outage':
      return `Lambda away, and one more fault, ${interfaces(task.story)}`;
    case 'triples':
      return `three faults, ${interfaces(task.story)}`;
    case 'interleaving':
      return `interleavings, ${around(task.story)}with ${task.rival}`;
    case 'seeds':
      return `seeds of ${task.minutes} minutes${task.mode === 'wire' ? ', real wire' : ''}`;
  }
}

function duration(ms: number): string {
  const sec = Math.round(ms / 1_000);
  if (sec < 120) return `${sec} s`;
  return sec < 7_200 ? `${Math.round(sec / 60)} min` : `${(sec / 3_600).toFixed(1)} h`;
}

/** Hands the tasks to the threads, the next one to whoever is free. */
async function run(tasks: readonly Task[]): Promise<number> {
  const startedMs = performance.now();
  const counts = new Map<string, number>();
  const runs: Record<string, number> = {};
  const found: Done['found'][number][] = [];
  let cpuMs = 0;
  let next = 0;
  let done = 0;
  let total = 0;
  const isTerminal = process.stderr.isTTY;
  let isStopped = false;
  let saidMs = startedMs;

  const waiting = new Map<string, number>();
  for (const { kind } of tasks) waiting.set(kind, (waiting.get(kind) ?? 0) + 1);
  const spent = new Map<string, { tasks: number; cpuMs: number }>();

  /** By what a task of each kind has cost so far: they differ a hundredfold, and are not evenly spread. */
  function leftMs(nowMs: number): number {
    let estimateMs = 0;
    for (const [kind, count] of waiting) {
      const known = spent.get(kind) ?? { tasks: done, cpuMs };
      estimateMs += (count * known.cpuMs) / known.tasks;
    }
    return (estimateMs * (nowMs - startedMs)) / cpuMs;
  }

  const progress = () => {
    const nowMs = performance.now();
    // Where no line can be written over, one a minute.
    if (!isTerminal && nowMs - saidMs < 60_000) return;
    saidMs = nowMs;
    const part = done / tasks.length;
    const bar = '█'.repeat(Math.round(part * 30)).padEnd(30, '░');
    const rate = Math.round((total / (nowMs - startedMs)) * 1_000);
    const left = done > 0 ? duration(leftMs(nowMs)) : '?';
    const memoryMb = Math.round(process.memoryUsage.rss() / 2 ** 20);
    process.stderr.write(
      `${isTerminal ? '\r' : ''}${bar} ${(part * 100).toFixed(1)} %  ${total} runs, ${rate} a second, ${left} left, ${memoryMb} MB, ${found.length} violations ${isTerminal ? '' : '\n'}`,
    );
  };

  const take = (answer: Done) => {
    const { task } = answer;
    const kind = labelOf(task);
    runs[kind] = (runs[kind] ?? 0) + answer.runs;
    total += answer.runs;
    cpuMs += answer.cpuMs;
    found.push(...answer.found);
    for (const [what, times] of answer.counts) counts.set(what, (counts.get(what) ?? 0) + times);
    done += 1;
    waiting.set(task.kind, (waiting.get(task.kind) ?? 0) - 1);
    const { tasks: before, cpuMs: beforeMs } = spent.get(task.kind) ?? { tasks: 0, cpuMs: 0 };
    spent.set(task.kind, { tasks: before + 1, cpuMs: beforeMs + answer.cpuMs });
    if (found.length >= enough) isStopped = true;
    progress();
  };

  const threads = Math.min(
    given.threads ? whole('threads', given.threads) : availableParallelism(),
    tasks.length,
  );
  // What is under way is finished, which takes seconds. npm passes on what the terminal has sent already: only a
  // later one is a second one, and leaves at once.
  let askedMs: number | undefined;
  process.on('SIGINT', () => {
    const nowMs = performance.now();
    if (askedMs !== undefined && nowMs - askedMs > 1_000) process.exit(130);
    if (askedMs === undefined)
      process.stderr.write('\nfinishing what is under way; once more to leave at once\n');
    askedMs ??= nowMs;
    isStopped = true;
  });
  await Promise.all(
    Array.from(
      { length: threads },
      () =>
        new Promise<void>((resolve, reject) => {
          const thread = new Worker(new URL('./crew.ts', import.meta.url));
          const feed = () => {
            const task = isStopped ? undefined : tasks[next];
            next += 1;
            if (task) thread.postMessage(task);
            else thread.terminate().then(() => resolve(), reject);
          };
          thread.on('message', (answer: Done) => {
            take(answer);
            feed();
          });
          thread.on('error', reject);
          feed();
        }),
    ),
  );
  if (isTerminal) process.stderr.write('\n');

  const wallMs = performance.now() - startedMs;
  if (done < tasks.length)
    process.stdout.write(`Stopped after ${((100 * done) / tasks.length).toFixed(1)} % of the work.\n\n`);
  process.stdout.write(`${render({ runs, found, counts, wallMs, cpuMs })}\n`);
  const { calls, places } = await faultPoints({ failure: 'impaired', interfaces: 2 });
  process.stdout.write(
    `\nA plain failover of two interfaces awaits ${calls} calls at ${places.length} places\n`,
  );
  const isLarge = Object.entries(runs).some(([kind, times]) => kind.startsWith('seeds') && times >= 1_000);
  const never = isLarge && done === tasks.length ? unreached(counts) : [];
  if (never.length > 0)
    process.stdout.write(`\nNever reached, so nothing is proven of it: ${never.join(', ')}\n`);
  const [first] = found.filter((each) => each.replay.startsWith('--seed'));
  if (first) {
    process.stdout.write('\nThe shortest plan of the first:\n');
    const broken = await runSeed(Number(first.replay.split(' ')[1]), minutes, false, undefined, mode);
    const shrunk = await shrink(broken, undefined, mode);
    for (const each of shrunk.plan.happenings) process.stdout.write(`  ${JSON.stringify(each)}\n`);
    const { world } = await runPlan(shrunk.plan, true, undefined, mode);
    process.stdout.write(`${(world.lines ?? []).slice(-80).join('\n')}\n`);
  }
  for (const { replay: how } of found.slice(0, 5))
    process.stdout.write(`\nReplay: node test/simulation/main.ts ${how}`);
  return found.length > 0 || never.length > 0 ? 1 : 0;
}

async function main(): Promise<number> {
  if (given.help) {
    process.stdout.write(`${usage}\n`);
    return 0;
  }
  if (given.seed !== undefined) return replay(whole('seed', given.seed));
  if (given.wire && given.rival) complain('--wire does not go with --rival');
  if (given.story !== undefined) return replayWalk(parseStory(given.story));
  if (given.wire && (given.walks || given.seeds === undefined))
    complain('--wire goes with --seeds or --seed');
  if (given.long) {
    const seeds = seedTasks(
      whole('seeds', given.seeds ?? '1000000'),
      whole('start', given.start),
      minutes,
      mode,
    );
    return run(inTurn([...(await pairTasks()), ...(await tripleTasks())], seeds));
  }
  const isAll = given.seeds === undefined && !given.walks;
  const seeds = given.seeds === undefined ? (isAll ? 2_000 : 0) : whole('seeds', given.seeds);
  return run([
    ...(isAll || given.walks ? await walks(true) : []),
    ...seedTasks(seeds, whole('start', given.start), minutes, mode),
  ]);
}

process.exitCode = await main();
