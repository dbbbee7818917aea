/** Judges one mutant after another: hunts it in the simulator, tests it part by part, hunts it for longer. */
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Answer, Order, Passed } from './hunter.ts';
import { nameOf } from './hunts.ts';
import type { Mutant } from './instrument.ts';
import { surveyTests, type Tester } from './tests.ts';

export interface Verdict {
  readonly mutant: Mutant;
  readonly by: 'the simulator' | 'a test' | 'nothing';
  readonly how: string;
}

/** How many seeds there are to hunt with. */
const seeds = 400;
/** Before the tests of single parts: so many short runs, spread over all that pass the place, and so many seeds. */
const quick = { short: 60, seeds: 6 };
/** After them: as much as takes this long without the mutant. */
const thoroughMs = 20_000;
/** Without a sign of life for so long a mutant is taken to hang: the longest hunt takes some tenths of a second. */
const hangsAfterMs = 30_000;

/** A hunter in a thread of its own, made anew after each one that had to be ended. */
export class Hunter {
  readonly #file: string;
  #thread: Worker | undefined;
  #hear: (answer: Answer) => void = () => undefined;

  constructor(tree: string) {
    this.#file = path.join(tree, 'test/mutants/hunter.ts');
  }

  async end(): Promise<void> {
    await this.#thread?.terminate();
    this.#thread = undefined;
  }

  #start(): Worker {
    const thread = new Worker(this.#file, { resourceLimits: { maxOldGenerationSizeMb: 1_500 } });
    thread.on('message', (answer: Answer) => this.#hear(answer));
    thread.on('error', (error: Error) => this.#hear({ kind: 'killed', by: `it dies: ${error.message}` }));
    return thread;
  }

  /** Answers with the thread's last word, or with what became of it. */
  async ask(order: Order, onPassed: (answer: Passed) => void = () => undefined): Promise<Answer> {
    this.#thread ??= this.#start();
    const { promise, resolve } = Promise.withResolvers<Answer>();
    let watch: NodeJS.Timeout | undefined;
    const waitOn = () => {
      clearTimeout(watch);
      watch = setTimeout(() => this.#hear({ kind: 'killed', by: 'it hangs' }), hangsAfterMs);
    };
    this.#hear = (answer) => {
      if (answer.kind === 'passed') onPassed(answer);
      if (answer.kind === 'passed' || answer.kind === 'alive') waitOn();
      else resolve(answer);
    };
    waitOn();
    this.#thread.postMessage(order);
    const answer = await promise;
    clearTimeout(watch);
    // It may be at work in there still, without end.
    if (answer.kind === 'killed') await this.end();
    return answer;
  }
}

/** Short ones first, spread evenly; then what else there is, the cheapest first, for as long as it may take. */
function inOrder(own: readonly Passed[]): readonly [readonly Passed[], readonly Passed[]] {
  const cheapest = own.toSorted((a, b) => a.tookMs - b.tookMs);
  const [long = [], short = []] = [true, false].map((isSeed) =>
    cheapest.filter(({ hunt }) => (hunt.kind === 'seed') === isSeed),
  );
  const every = Math.max(1, Math.ceil(short.length / quick.short));
  const first = [...short.filter((_, index) => index % every === 0), ...long.slice(0, quick.seeds)];
  const taken = new Set(first);
  let spentMs = 0;
  const rest = [...long, ...short].filter((each) => {
    if (taken.has(each)) return false;
    spentMs += each.tookMs;
    return spentMs < thoroughMs;
  });
  return [first, rest];
}

export interface Survey {
  /** Every hunt, with what it passes. */
  readonly passed: readonly Passed[];
  readonly testsOf: ReadonlyMap<number, readonly string[]>;
}

/** With all mutants asleep: what each run and each test passes. Throws if one is red. */
export async function survey(tree: string): Promise<Survey> {
  const passed: Passed[] = [];
  const surveyor = new Hunter(tree);
  const [testsOf, surveyed] = await Promise.all([
    surveyTests(tree),
    surveyor.ask({ kind: 'survey', seeds }, (each) => passed.push(each)),
  ]);
  await surveyor.end();
  if (surveyed.kind !== 'surveyed')
    throw new Error(`the simulator fails without any mutant: ${JSON.stringify(surveyed)}`);
  const red = passed.find((each) => each.violation !== undefined);
  if (red) throw new Error(`${red.violation} without any mutant (${nameOf(red.hunt)})`);
  return { passed, testsOf };
}

/** What each thread has of its own. */
export interface Hands {
  readonly hunter: Hunter;
  readonly tester: Tester;
}

export type Judge = (hands: Hands, mutant: Mutant) => Promise<Verdict>;

export function makeJudge({ passed, testsOf }: Survey): Judge {
  const passing = new Map<number, Passed[]>();
  for (const each of passed)
    for (const mutant of each.mutants) {
      const own = passing.get(mutant);
      if (own) own.push(each);
      else passing.set(mutant, [each]);
    }
  const byName = new Map(passed.map((each) => [nameOf(each.hunt), each]));
  // What killed one mutant of a file is likely to kill the next one as well.
  const killers = new Map<string, readonly Passed[]>();
  const tests = new Map<string, readonly string[]>();

  function seen(mutant: Mutant, { by, hunt }: Answer & { kind: 'killed' }): Verdict {
    const killer = byName.get(hunt ?? '');
    const before = killers.get(mutant.file) ?? [];
    if (killer) killers.set(mutant.file, [killer, ...before.filter((each) => each !== killer)]);
    return { mutant, by: 'the simulator', how: hunt === undefined ? by : `${by} (${hunt})` };
  }

  /** First the tests that killed others of its file, and those of its own name: most of the time these suffice. */
  async function testBoth(
    tester: Tester,
    mutant: Mutant,
    files: readonly string[],
  ): Promise<string | undefined> {
    const own = path.basename(mutant.file, '.ts');
    const before = tests.get(mutant.file) ?? [];
    const likely = files.filter((each) => before.includes(each) || path.basename(each).startsWith(own));
    for (const some of [likely, files.filter((each) => !likely.includes(each))]) {
      const failed = some.length > 0 ? await tester.test(mutant.id, some) : undefined;
      const killer = failed?.split(' > ')[0] ?? '';
      if (some.includes(killer)) tests.set(mutant.file, [killer, ...before].slice(0, 2));
      if (failed !== undefined) return failed;
    }
    return undefined;
  }

  return async ({ hunter, tester }, mutant) => {
    const own = passing.get(mutant.id) ?? [];
    const lucky = (killers.get(mutant.file) ?? []).filter((each) => own.includes(each)).slice(0, 5);
    const [spread, rest] = inOrder(own.filter((each) => !lucky.includes(each)));
    const first = [...lucky, ...spread];
    const hunt = (hunts: readonly Passed[], mustReach: readonly string[]) =>
      hunter.ask({ kind: 'hunt', mutant: mutant.id, hunts: hunts.map((each) => each.hunt), mustReach });

    const quickly = await hunt(first, []);
    if (quickly.kind === 'killed') return seen(mutant, quickly);
    const files = testsOf.get(mutant.id) ?? [];
    const failed = await testBoth(tester, mutant, files);
    if (failed !== undefined) return { mutant, by: 'a test', how: failed };
    const ran = new Set([...first, ...rest]);
    const elsewhere = new Set(passed.flatMap((each) => (ran.has(each) ? [] : each.states)));
    const only = [...ran].flatMap((each) => each.states).filter((each) => !elsewhere.has(each));
    const thoroughly = await hunt(rest, [...new Set(only)]);
    if (thoroughly.kind === 'killed') return seen(mutant, thoroughly);
    return { mutant, by: 'nothing', how: `${ran.size} runs and ${files.length} test files pass it` };
  };
}
