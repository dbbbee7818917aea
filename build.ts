/**
 * Bundles each Lambda function and the CLI into dist/, small enough that a cold start does not show in an
 * outage, and replaces a finished build only by a finished build.
 */
import { existsSync, globSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { build, formatMessages, type Metafile, type Plugin } from 'esbuild';

/** One bundle: `entry` (a TypeScript file) becomes `<outDir>/<name>/<file>.mjs` with its chunks and maps. */
export interface Target {
  readonly name: string;
  readonly entry: string;
  readonly file: string;
  /** Text before the code of every file of the bundle. */
  readonly banner?: string;
}

export interface BundleSize {
  readonly name: string;
  /** What an import of the entry loads at once: itself and the chunks it imports statically. */
  readonly entryBytes: number;
  /** With the chunks that are loaded when needed; without source maps. */
  readonly totalBytes: number;
  /** What is left of the AWS clients' schema tables. */
  readonly schemaBytes: number;
}

const SCHEMA_FILE = /[\\/]@aws-sdk[\\/].+[\\/]schemas[\\/][^\\/]+\.js$/;
const TABLE_START = /^(?:export )?var [\w$]+ = \[/gm;
const TABLE = /^((?:export )?var [\w$]+ = )(\[(?:.*|[^;]*?\n)\]);$/gm;

/**
 * Marks each schema table of an AWS client as free of side effects, so that esbuild drops those of operations
 * nobody calls: EC2's alone are 550 KB minified. esbuild keeps them otherwise, because their keys are computed,
 * and for all it knows that runs code.
 *
 * Throws if the file holds no table or one it cannot mark: a new SDK must not make the bundles fat in silence.
 */
export function markTablesPure(source: string, file: string): string {
  let marked = 0;
  const result = source.replace(TABLE, (_, declaration: string, table: string) => {
    marked += 1;
    return `${declaration}/* @__PURE__ */ (() => ${table})();`;
  });
  const tables = source.match(TABLE_START)?.length ?? 0;
  if (tables === 0 || marked !== tables) {
    throw new Error(
      `${file}: marked ${marked} of ${tables} schema tables. The AWS SDK writes them differently now: adapt build.ts.`,
    );
  }
  return result;
}

const dropUnusedTables: Plugin = {
  name: 'drop-unused-schema-tables',
  setup(builder) {
    builder.onLoad({ filter: SCHEMA_FILE }, async ({ path: file }) => ({
      contents: markTablesPure(await readFile(file, 'utf8'), path.relative(process.cwd(), file)),
      loader: 'js',
    }));
  },
};

/** Above this part of its tables, a client is taken not to have been pruned; a full set is about 0.4. */
const LARGE_CLIENT_BYTES = 500_000;
const PRUNED_SHARE = 0.1;

/** Throws where a client got past the plugin: another folder, another module format, tables that stay. */
export function checkPruning(name: string, metafile: Metafile): void {
  const inputs = Object.keys(metafile.inputs);
  const clients = new Set(
    inputs.flatMap((input) => /@aws-sdk[\\/](client-[\w-]+)[\\/]/.exec(input)?.[1] ?? []),
  );
  for (const client of clients) {
    const files = inputs.filter((input) => input.includes(client) && SCHEMA_FILE.test(input));
    if (files.length === 0) {
      throw new Error(
        `${name}: no schema tables found in ${client}. Where the AWS SDK keeps them has changed: adapt build.ts.`,
      );
    }
    const before = files.reduce((sum, file) => sum + (metafile.inputs[file]?.bytes ?? 0), 0);
    const after = bytesFrom(metafile, (input) => files.includes(input));
    if (before > LARGE_CLIENT_BYTES && after > before * PRUNED_SHARE) {
      throw new Error(
        `${name}: ${after} of ${before} bytes of the schema tables of ${client} are still in the bundle.`,
      );
    }
  }
}

const bytesFrom = (metafile: Metafile, from: (input: string) => boolean): number =>
  Object.values(metafile.outputs)
    .flatMap((output) => Object.entries(output.inputs))
    .reduce((sum, [input, { bytesInOutput }]) => sum + (from(input) ? bytesInOutput : 0), 0);

async function bundle(target: Target, folder: string): Promise<BundleSize> {
  const { metafile, warnings } = await build({
    entryPoints: [{ in: target.entry, out: target.file }],
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    chunkNames: 'chunks/[name]-[hash]',
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    // The ES modules of a package, where it has both: CommonJS cannot be pruned.
    mainFields: ['module', 'main'],
    // Dynamic imports become files of their own, so that credential providers Lambda never uses stay on disk.
    splitting: true,
    minify: true,
    sourcemap: 'linked',
    // Names and lines are enough in a stack trace; the sources would double what Lambda has to fetch.
    sourcesContent: false,
    legalComments: 'none',
    metafile: true,
    logLevel: 'silent',
    plugins: [dropUnusedTables],
    ...(target.banner === undefined ? {} : { banner: { js: target.banner } }),
  });
  if (warnings.length > 0) {
    throw new Error((await formatMessages(warnings, { kind: 'warning' })).join('\n'));
  }
  checkPruning(target.name, metafile);
  const bytesOf = (files: Iterable<string>): number =>
    [...files].reduce((sum, file) => sum + (metafile.outputs[file]?.bytes ?? 0), 0);
  const all = Object.keys(metafile.outputs);
  const entry = all.filter((file) => path.basename(file) === `${target.file}.mjs`);
  return {
    name: target.name,
    entryBytes: bytesOf(loadedAtOnce(metafile, entry)),
    totalBytes: bytesOf(all.filter((file) => !file.endsWith('.map'))),
    schemaBytes: bytesFrom(metafile, (input) => SCHEMA_FILE.test(input)),
  };
}

function loadedAtOnce(metafile: Metafile, entry: readonly string[]): Set<string> {
  const loaded = new Set(entry);
  // A Set's iteration also visits what is added on the way.
  for (const file of loaded) {
    for (const { path: imported, kind } of metafile.outputs[file]?.imports ?? []) {
      if (kind === 'import-statement' && imported in metafile.outputs) loaded.add(imported);
    }
  }
  return loaded;
}

const STAGING = '.building-';

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

/**
 * Builds everything beside `outDir`'s content, then swaps it in by renaming, and removes what no target writes
 * any more. If a bundle fails, what was there stays.
 */
export async function buildAll(targets: readonly Target[], outDir: string): Promise<BundleSize[]> {
  await mkdir(outDir, { recursive: true });
  const staging = path.join(outDir, `${STAGING}${process.pid}`);
  await rm(staging, { recursive: true, force: true });
  try {
    const sizes = await Promise.all(targets.map((target) => bundle(target, path.join(staging, target.name))));
    await mkdir(path.join(staging, 'old'));
    for (const name of await readdir(outDir)) {
      const isStaging = name.startsWith(STAGING);
      if (isStaging && isAlive(Number(name.slice(STAGING.length)))) continue;
      if (isStaging) await rm(path.join(outDir, name), { recursive: true, force: true });
      else if (!targets.some((target) => target.name === name)) await retire(outDir, name, staging);
    }
    for (const { name } of targets) {
      await retire(outDir, name, staging);
      await rename(path.join(staging, name), path.join(outDir, name));
    }
    return sizes;
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** Out of the readers' way in one step; deleting file by file would leave half a bundle in sight. */
async function retire(outDir: string, name: string, staging: string): Promise<void> {
  const current = path.join(outDir, name);
  if (existsSync(current)) await rename(current, path.join(staging, 'old', name));
}

/** The functions and the CLI of the repository at `root`, and what its demo compares them with. */
export function findTargets(root: string): Target[] {
  const targets: Target[] = globSync('functions/*/handler.ts', { cwd: root })
    .toSorted()
    .map((entry) => ({
      name: path.basename(path.dirname(entry)),
      entry: path.join(root, entry),
      file: 'handler',
    }));
  const cli = path.join(root, 'cli', 'main.ts');
  if (existsSync(cli)) {
    targets.push({
      name: 'cli',
      entry: cli,
      file: 'main',
      // Its command-line libraries are CommonJS and require Node's own modules at run time.
      banner: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    });
  }
  const usualWay = path.join(root, 'demo', 'stateful', 'forty-lines.ts');
  if (existsSync(usualWay)) targets.push({ name: 'forty-lines', entry: usualWay, file: 'handler' });
  return targets;
}

function toTable(sizes: readonly BundleSize[]): string {
  const kb = (bytes: number): string => `${(bytes / 1024).toFixed(0)} KB`.padStart(9);
  const width = Math.max(...sizes.map(({ name }) => name.length), 'bundle'.length);
  return [
    `${'bundle'.padEnd(width)}     entry     total   schemas`,
    ...sizes.map(
      (size) =>
        `${size.name.padEnd(width)} ${kb(size.entryBytes)} ${kb(size.totalBytes)} ${kb(size.schemaBytes)}`,
    ),
  ].join('\n');
}

if (import.meta.main) {
  const root = import.meta.dirname;
  const targets = findTargets(root);
  if (targets.length === 0) throw new Error('There is no functions/*/handler.ts to build.');
  console.log(toTable(await buildAll(targets, path.join(root, 'dist'))));
}
