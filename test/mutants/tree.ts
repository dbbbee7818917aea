/** The mutated tree: a copy of the sources in a temporary folder, with every mutant built in. */
import { createHash } from 'node:crypto';
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buildSync } from 'esbuild';
import { guardsIn } from './guards.ts';
import { instrument, type Mutant } from './instrument.ts';

export const root = path.resolve(import.meta.dirname, '../..');
const copied = [
  'shared',
  'functions',
  'sandbox',
  'cli',
  'docs',
  'test',
  'package.json',
  'tsconfig.json',
  'template.yaml',
];

/** What must not fail unseen: the policy, the use cases, the adapters, and how events are read. */
export const mutated = (): readonly string[] =>
  globSync('{shared/{core,app,aws},functions/failover}/**/*.ts', { cwd: root }).sort();

/** What moves interfaces, writes what a move goes by, or has people do it: with all that these files load. */
const entries = [
  'functions/failover/handler.ts',
  'functions/sweep/handler.ts',
  'functions/control/handler.ts',
  'shared/app/break-glass.ts',
];

/** The mutated files that only answer questions: nothing that acts loads them. */
export function reporting(): ReadonlySet<string> {
  const { metafile } = buildSync({
    absWorkingDir: root,
    entryPoints: entries,
    outdir: 'nowhere',
    write: false,
    bundle: true,
    metafile: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
  });
  return new Set(mutated().filter((file) => !Object.hasOwn(metafile.inputs, file)));
}

const sourceOf = (file: string) => readFileSync(path.join(root, file), 'utf8');
export const hashOf = (file: string) => createHash('sha256').update(sourceOf(file)).digest('hex');

/** Numbered in the order of the files, so that a number names the same mutant until a source changes. */
export function allMutants(): readonly Mutant[] {
  let id = 0;
  return mutated().flatMap((file) =>
    guardsIn(sourceOf(file)).map((guard) => {
      id += 1;
      return { ...guard, id, file };
    }),
  );
}

export interface Tree extends Disposable {
  readonly path: string;
}

export function plantTree(mutants: readonly Mutant[]): Tree {
  const tree = mkdtempSync(path.join(tmpdir(), 'mutants-'));
  for (const each of copied) cpSync(path.join(root, each), path.join(tree, each), { recursive: true });
  symlinkSync(path.join(root, 'node_modules'), path.join(tree, 'node_modules'));
  for (const [file, own] of Map.groupBy(mutants, (each) => each.file))
    writeFileSync(path.join(tree, file), instrument(sourceOf(file), own));
  return { path: tree, [Symbol.dispose]: () => rmSync(tree, { recursive: true, force: true }) };
}
