/** Runs the tests of single parts in the mutated tree: once to see what each file passes, then for one mutant. */
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** A mutant may hang; without one nothing does, but all tests on a busy machine take their time. */
const limitMs = { mutant: 180_000, survey: 1_200_000 };

interface Ended {
  readonly kind: 'passed' | 'failed' | 'hangs';
  readonly output: string;
}

function vitest(
  tree: string,
  files: readonly string[],
  env: Readonly<Record<string, string>>,
  timeout: number,
): Promise<Ended> {
  const words = ['node_modules/vitest/vitest.mjs', 'run', '--config', 'test/mutants/vitest.config.ts'];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...words, '--bail', '1', '--reporter', 'dot', ...files], {
      cwd: tree,
      env: { ...process.env, ...env, NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout,
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    child.on('error', reject);
    child.on('close', (code, signal) =>
      resolve({ kind: signal ? 'hangs' : code === 0 ? 'passed' : 'failed', output }),
    );
  });
}

/** Test files by mutant: those whose tests pass its place. Throws if a test fails with all mutants asleep. */
export async function surveyTests(tree: string): Promise<ReadonlyMap<number, readonly string[]>> {
  const directory = path.join(tree, 'reached');
  mkdirSync(directory);
  const { kind, output } = await vitest(tree, [], { REACHED: directory }, limitMs.survey);
  if (kind === 'hangs') throw new Error('the tests do not end without any mutant');
  if (kind === 'failed') throw new Error(`the tests fail without any mutant:\n${output}`);
  const files = new Map<number, string[]>();
  for (const name of readdirSync(directory)) {
    const { file, mutants } = JSON.parse(readFileSync(path.join(directory, name), 'utf8')) as {
      file: string;
      mutants: number[];
    };
    for (const mutant of mutants) files.set(mutant, [...(files.get(mutant) ?? []), file]);
  }
  return files;
}

/** The name of the first test that fails, or undefined. */
export async function testMutant(
  tree: string,
  mutant: number,
  files: readonly string[],
): Promise<string | undefined> {
  const { kind, output } = await vitest(tree, files, { MUTANT: String(mutant) }, limitMs.mutant);
  if (kind === 'passed') return undefined;
  if (kind === 'hangs') return 'the tests hang';
  return /^ *FAIL +(.*)$/m.exec(output)?.[1] ?? 'the tests fail';
}
