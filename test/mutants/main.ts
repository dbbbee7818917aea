/** The mutation tester: removes or inverts every guard, one at a time; exit 1 if one is missed by nothing. */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { type Equivalent, equivalents } from './equivalents.ts';
import type { Mutant } from './instrument.ts';
import { Hunter, makeJudge, survey, type Verdict } from './judge.ts';
import { record, recorded } from './proven.ts';
import { Tester } from './tests.ts';
import { allMutants, mutated, plantTree, reporting } from './tree.ts';

const usage = `node test/mutants/main.ts [options]
  (nothing)       every mutant of every file that acts; takes most of an hour on two cores
  --reports       and of those that only answer questions (the audit, doctor, status)
  --changed       those of files that changed since they were last proven (test/mutants/proven.json)
  --file TEXT     those of files whose path contains TEXT; may be repeated
  --mutant ID     one of them
  --sample N      and N others, drawn at random
  --draw SEED     draws the same ones again
  --list          shows the mutants and does nothing
  --record        notes the files of which every mutant was killed as proven; at Ctrl-C, those judged so far
  --threads T     how many at once (one for each core)`;

const { values: given } = parseArgs({
  options: {
    changed: { type: 'boolean', default: false },
    reports: { type: 'boolean', default: false },
    file: { type: 'string', multiple: true },
    mutant: { type: 'string' },
    sample: { type: 'string' },
    draw: { type: 'string' },
    list: { type: 'boolean', default: false },
    record: { type: 'boolean', default: false },
    threads: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

function whole(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  process.stderr.write(`--${name} ${text}: expected a whole number\n\n${usage}\n`);
  process.exit(2);
}

const all = allMutants();
const isSame = (equivalent: Equivalent) => (mutant: Mutant) =>
  mutant.file === equivalent.file &&
  mutant.text === equivalent.guard &&
  mutant.instead === equivalent.instead;
const excusedBy = (mutant: Mutant) => equivalents.find((each) => isSame(each)(mutant));

const describe = ({ id, file, line, text, instead }: Mutant) =>
  `${String(id).padStart(5)} ${file}:${line}  ${text.length > 100 ? `${text.slice(0, 97)}...` : text}  →  ${instead}`;

// ── Choosing ────────────────────────────────────────────────────────────────────────────────────────────

/** The same draw for the same seed, on any machine. */
function draw(mutants: readonly Mutant[], count: number, seed: number): readonly Mutant[] {
  let state = seed;
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state;
  };
  return mutants
    .map((mutant) => ({ mutant, order: next() }))
    .toSorted((a, b) => a.order - b.order)
    .slice(0, count)
    .map(({ mutant }) => mutant);
}

function chosen(): readonly Mutant[] {
  if (given.mutant !== undefined) {
    const id = whole('mutant', given.mutant);
    return all.filter((each) => each.id === id);
  }
  const named = given.file;
  if (named) return all.filter(({ file }) => named.some((part) => file.includes(part)));
  const unasked = given.reports ? new Set<string>() : reporting();
  const asked = all.filter(({ file }) => !unasked.has(file));
  if (!given.changed && given.sample === undefined) return asked;
  const proven = recorded();
  const isChanged = ({ file }: Mutant) => given.changed && !proven.has(file);
  const changed = asked.filter(isChanged);
  if (given.sample === undefined) return changed;
  const seed = given.draw === undefined ? Date.now() % 2 ** 31 : whole('draw', given.draw);
  process.stdout.write(`The sample is drawn with --draw ${seed}\n`);
  const others = asked.filter((each) => !isChanged(each) && !excusedBy(each));
  return [...changed, ...draw(others, whole('sample', given.sample), seed)];
}

/** As many at once as there are threads; survivors are shown as they are found. */
async function judgeAll(wanted: readonly Mutant[], verdicts: Verdict[]): Promise<void> {
  if (wanted.length === 0) return;
  using tree = plantTree(all);
  process.stderr.write('looking which mutants each run and each test passes ...\n');
  const judge = makeJudge(await survey(tree.path));
  const startedMs = performance.now();
  const isTerminal = process.stderr.isTTY;

  const show = (verdict: Verdict) => {
    const { mutant, by, how } = verdict;
    if (by === 'nothing') process.stdout.write(`${isTerminal ? '\r' : ''}survived ${describe(mutant)}\n`);
    if (given.mutant !== undefined) process.stdout.write(`${describe(mutant)}\n      ${by}: ${how}\n`);
    const eachMs = (performance.now() - startedMs) / verdicts.length;
    const leftSec = (eachMs * (wanted.length - verdicts.length)) / 1_000;
    const survivors = verdicts.filter((each) => each.by === 'nothing').length;
    const line = `${verdicts.length} of ${wanted.length}, ${survivors} survived, ${leftSec.toFixed(0)} s left`;
    if (isTerminal) process.stderr.write(`\r${line}   `);
    else if (verdicts.length % 100 === 0) process.stderr.write(`${line}\n`);
  };

  const next = wanted.values();
  const threads = given.threads ? whole('threads', given.threads) : availableParallelism();
  await Promise.all(
    Array.from({ length: threads }, async () => {
      const hunter = new Hunter(tree.path);
      const tester = new Tester(tree.path);
      for (const mutant of next) {
        const verdict = await judge({ hunter, tester }, mutant);
        verdicts.push(verdict);
        show(verdict);
      }
      await hunter.end();
      tester.end();
    }),
  );
  if (isTerminal) process.stderr.write('\n');
}

function noteProven(verdicts: readonly Verdict[]): void {
  const hunted = Map.groupBy(
    all.filter((each) => !excusedBy(each)),
    ({ file }) => file,
  );
  record(
    verdicts.map(({ mutant, by }) => ({ file: mutant.file, killed: by !== 'nothing' })),
    new Map([...hunted].map(([file, own]) => [file, own.length])),
  );
}

function report(verdicts: readonly Verdict[]): void {
  const rows = mutated().flatMap((file) => {
    const own = verdicts.filter((each) => each.mutant.file === file);
    const count = (by: Verdict['by']) => own.filter((each) => each.by === by).length;
    return own.length === 0
      ? []
      : [[file, count('the simulator'), count('a test'), count('nothing')] as const];
  });
  process.stdout.write(`\n${'killed by'.padEnd(34)} simulator    tests  survived\n`);
  for (const [file, ...counts] of rows)
    process.stdout.write(`${file.padEnd(34)}${counts.map((each) => String(each).padStart(10)).join('')}\n`);
  const survivors = verdicts.filter((each) => each.by === 'nothing');
  if (survivors.length === 0) return;
  process.stdout.write('\nSurvived: neither the simulator nor a test notices that the guard is gone.\n');
  for (const { mutant, how } of survivors.toSorted((a, b) => a.mutant.id - b.mutant.id))
    process.stdout.write(`${describe(mutant)}\n      ${how}\n`);
}

async function main(): Promise<number> {
  if (given.help) {
    process.stdout.write(`${usage}\n`);
    return 0;
  }
  const unknown = equivalents.filter((each) => !all.some(isSame(each)));
  for (const { file, guard } of unknown)
    process.stdout.write(`equivalents.ts names a guard that is not there: ${file}: ${guard}\n`);
  const picked = chosen();
  const excused = picked.filter(excusedBy);
  const wanted = given.mutant === undefined ? picked.filter((each) => !excusedBy(each)) : picked;
  if (given.list) {
    for (const each of picked)
      process.stdout.write(`${describe(each)}${excusedBy(each) ? '  (no difference)' : ''}\n`);
    return 0;
  }

  const startedMs = performance.now();
  const verdicts: Verdict[] = [];
  process.once('SIGINT', () => {
    if (given.record) noteProven(verdicts);
    report(verdicts);
    process.exit(130);
  });
  await judgeAll(wanted, verdicts);
  report(verdicts);
  const killed = verdicts.filter((each) => each.by !== 'nothing').length;
  if (given.record) noteProven(verdicts);
  const minutes = ((performance.now() - startedMs) / 60_000).toFixed(1);
  process.stdout.write(
    `\n${excused.length} others make no difference (test/mutants/equivalents.ts); ${minutes} min\n` +
      `${killed} of ${verdicts.length} mutants killed\n`,
  );
  return killed < verdicts.length || unknown.length > 0 ? 1 : 0;
}

process.exitCode = await main();
