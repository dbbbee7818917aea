/** Runs the tests of single parts in the mutated tree: once to see what each file passes, then for one mutant. */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { TestAnswer, TestOrder } from './tester.ts';

/** A mutant may hang; without one nothing does, but all tests on a busy machine take their time. */
const limitMs = { mutant: 180_000, survey: 1_200_000 };

interface Ended {
  readonly kind: 'passed' | 'failed' | 'hangs';
  readonly output: string;
}

function allTests(tree: string, env: Readonly<Record<string, string>>): Promise<Ended> {
  const words = ['node_modules/vitest/vitest.mjs', 'run', '--config', 'test/mutants/vitest.config.ts'];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...words, '--bail', '1', '--reporter', 'dot'], {
      cwd: tree,
      env: { ...process.env, ...env, NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: limitMs.survey,
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
  const { kind, output } = await allTests(tree, { REACHED: directory });
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

/** Asks one process after another: one that hangs is given up. Each question is answered in a new thread of it. */
export class Tester {
  readonly #tree: string;
  readonly #awake: string;
  #child: ChildProcess | undefined;

  constructor(tree: string) {
    this.#tree = tree;
    this.#awake = path.join(tree, `awake-${randomUUID()}`);
  }

  end(): void {
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }

  async #start(): Promise<ChildProcess> {
    const child = fork(path.join(this.#tree, 'test/mutants/tester.ts'), {
      cwd: this.#tree,
      env: { ...process.env, AWAKE: this.#awake },
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    this.#child = child;
    // It says that it is ready.
    await once(child, 'message');
    return child;
  }

  /** The name of the first test that fails, behind its file; undefined when all pass. */
  async test(mutant: number, files: readonly string[]): Promise<string | undefined> {
    const child = this.#child ?? (await this.#start());
    const { promise, resolve } = Promise.withResolvers<TestAnswer>();
    const patience = setTimeout(() => resolve({ failed: 'the tests hang' }), limitMs.mutant);
    const onMessage = (answer: unknown) => resolve(answer as TestAnswer);
    const onExit = () => resolve({ failed: 'the tests die' });
    child
      .once('message', onMessage)
      .once('exit', onExit)
      .send({ mutant, files } satisfies TestOrder);
    const { failed } = await promise;
    clearTimeout(patience);
    child.off('message', onMessage).off('exit', onExit);
    if (failed?.startsWith('the tests ')) this.end();
    return failed ?? undefined;
  }
}
