/** Keeps the architecture: who may import whom, what the pure folders may not touch, and how files are named. */
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

/** Path from the repository's root (with `/`) → content. */
type Files = ReadonlyMap<string, string>;

// ── The rules ───────────────────────────────────────────────────────────────────────────────────────────

interface Zone {
  readonly name: string;
  readonly files: RegExp;
  /** Files of the repository that may be imported. */
  readonly from: readonly RegExp[];
  /** Those of which only types may be imported. */
  readonly typesFrom?: readonly RegExp[];
  /** Packages: exact, or a scope that ends in `/`. */
  readonly packages: readonly string[] | 'any';
  readonly node: boolean;
}

const core = /^shared\/core\//;
const app = /^shared\/app\//;
const aws = /^shared\/aws\//;
const runtime = /^shared\/runtime\//;
const ports = /^shared\/app\/ports\.ts$/;
const functions = /^functions\/[^/]+\//;
const sandbox = /^sandbox\//;
const everything = /^/;
const schemaLibrary = 'valibot';
const sdk = ['@aws-sdk/', '@smithy/'];
const powertools = '@aws-lambda-powertools/';
/** Types only: the package holds nothing else. */
const lambdaTypes = 'aws-lambda';

/** The first zone that a file matches is its own. Adapters meet ports in shared/runtime and nowhere else. */
const zones: readonly Zone[] = [
  { name: 'core', files: core, from: [core], packages: [schemaLibrary], node: false },
  {
    name: 'event.ts',
    files: /^functions\/[^/]+\/event\.ts$/,
    from: [core],
    packages: [schemaLibrary],
    node: false,
  },
  { name: 'app', files: app, from: [core, app], packages: [], node: false },
  { name: 'aws', files: aws, from: [core, aws], typesFrom: [ports], packages: sdk, node: true },
  {
    name: 'runtime',
    files: runtime,
    from: [core, app, aws, runtime],
    packages: [powertools, lambdaTypes, schemaLibrary],
    node: true,
  },
  {
    name: 'handler.ts',
    files: /^functions\/[^/]+\/handler\.ts$/,
    from: [core, app, runtime, functions],
    packages: [powertools, lambdaTypes],
    node: true,
  },
  {
    name: 'command.ts',
    files: /^functions\/[^/]+\/(?:command|query)\.ts$/,
    from: [core, app, functions],
    packages: [schemaLibrary],
    node: false,
  },
  { name: 'handle.ts', files: functions, from: [core, app, functions], packages: [lambdaTypes], node: false },
  {
    name: 'cli',
    files: /^cli\//,
    from: [core, app, runtime, /^cli\//],
    packages: [schemaLibrary, 'commander', 'cli-table3', 'csv-stringify', 'yaml'],
    node: true,
  },
  { name: 'sandbox', files: sandbox, from: [sandbox], packages: 'any', node: true },
  {
    // What the demo compares the product with: a Lambda function as people write it, with the SDK.
    name: 'the usual way',
    files: /^demo\/stateful\/forty-lines\.ts$/,
    from: [],
    packages: ['@aws-sdk/client-ec2'],
    node: false,
  },
  {
    name: 'demo',
    files: /^demo\//,
    from: [/^demo\//, sandbox],
    packages: ['cli-table3', 'commander', 'yaml'],
    node: true,
  },
  { name: 'infra', files: /^infra\//, from: [/^infra\//], packages: 'any', node: true },
  { name: 'bench', files: /^bench\//, from: [everything], packages: 'any', node: true },
  { name: 'test', files: /^test\//, from: [everything], packages: 'any', node: true },
  { name: 'top level', files: /^[^/]+\.ts$/, from: [], packages: ['esbuild', 'vitest'], node: true },
];

/** What is pure in core and event.ts, and in app reached only through ports: clock, chance, timers, network. */
const pure = [core, app, /^functions\/[^/]+\/event\.ts$/];
const ambient =
  /\b(?:Date\.now|new Date\(\s*\)|Math\.random|performance\.|set(?:Timeout|Interval|Immediate)\b|process\.|console\.|fetch\(|crypto\.|globalThis\b)/;
/** Core answers at once: whatever waits belongs to a use case. */
const synchronous = [core, /^functions\/[^/]+\/event\.ts$/];
const waiting = /\b(?:await|async|Promise)\b/;

const kebabCase = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.(?:test|config|d))?\.ts$/;
const meaningless = ['utils', 'util', 'helpers', 'helper', 'common', 'manager', 'base', 'misc'];
const openingSentence = /^(?:#!.*\n)?(?:\/\*\*?[\s*]+|\/\/ )[A-Z`][\s\S]*?[.:]/;
const narrowed = /\b(?:describe|it|test|suite|bench)\b[.\w]*\.(?:only|skip)\b/;
/** Put together here, so that this file does not break its own rule. */
const machinePath = new RegExp(`(?<![\\w.-])/(?:${['work', 'root', 'home'].join('|')})/`);

// ── The checker ─────────────────────────────────────────────────────────────────────────────────────────

interface Import {
  readonly specifier: string;
  readonly typesOnly: boolean;
}

const STRING_OR_COMMENT = /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g;
const isComment = (token: string): boolean => token.startsWith('/');
const blank = (token: string): string => token.replace(/[^\n]/g, ' ');
/** Both keep every character at its place, so that a hit in the one can be read in the other. */
const withoutComments = (text: string): string =>
  text.replace(STRING_OR_COMMENT, (token) => (isComment(token) ? blank(token) : token));
const withoutText = (text: string): string => text.replace(STRING_OR_COMMENT, blank);
const withoutTemplates = (text: string): string =>
  withoutText(text).replace(/\x60(?:\\.|[^\x60\\])*\x60/g, blank);

/** Formatted code has its imports and re-exports at the beginning of a line; only dynamic ones are elsewhere. */
const STATIC_IMPORT = /^(?:import|export)\b(?<clause>[^'";]*?)\bfrom\s*['"](?<specifier>[^'"\n]+)['"]/gm;
const BARE_IMPORT = /^import\s*['"](?<specifier>[^'"\n]+)['"]/gm;
const DYNAMIC_IMPORT = /\bimport\s*\(\s*/g;
const LITERAL = /^['"](?<specifier>[^'"\n]+)['"]/;

/** `import {…}` of which every name is marked `type`, or `import type …`. */
function isTypesOnly(clause: string): boolean {
  if (/^type\b/.test(clause)) return true;
  const list = /^\{(?<list>[^}]*)\}$/.exec(clause)?.groups?.['list'] ?? '';
  const names = list.split(',').filter((name) => name.trim() !== '');
  return names.length > 0 && names.every((name) => /^\s*type\s/.test(name));
}

function importsOf(text: string): Import[] {
  const code = withoutComments(text);
  const lines = [STATIC_IMPORT, BARE_IMPORT].flatMap((pattern) =>
    [...code.matchAll(pattern)].map(({ groups }) => ({
      specifier: groups?.['specifier'] ?? '',
      typesOnly: isTypesOnly(groups?.['clause']?.trim() ?? ''),
    })),
  );
  const calls = [...withoutText(text).matchAll(DYNAMIC_IMPORT)].map(({ 0: call, index }) => ({
    // Blanks after the parenthesis may be a blanked string: look again from the parenthesis on.
    specifier:
      LITERAL.exec(code.slice(index + call.trimEnd().length).trimStart())?.groups?.['specifier'] ??
      '(computed)',
    typesOnly: false,
  }));
  return [...lines, ...calls];
}

function checkImport(file: string, zone: Zone, { specifier, typesOnly }: Import): string | undefined {
  const no = `${file}: ${zone.name} may not import ${specifier}`;
  const matches = (patterns: readonly RegExp[], target: string) =>
    patterns.some((pattern) => pattern.test(target));
  if (specifier.startsWith('.')) {
    const target = path.posix.join(path.posix.dirname(file), specifier);
    if (matches(zone.from, target) || (typesOnly && matches(zone.typesFrom ?? [], target))) return undefined;
    return `${no} (${target})`;
  }
  if (specifier.startsWith('node:')) return zone.node ? undefined : no;
  if (zone.packages === 'any') return undefined;
  const allowed = zone.packages.some((name) =>
    name.endsWith('/') ? specifier.startsWith(name) : specifier === name || specifier.startsWith(`${name}/`),
  );
  return allowed ? undefined : no;
}

function checkSource(file: string, text: string): string[] {
  const problems: string[] = [];
  const zone = zones.find(({ files }) => files.test(file));
  if (zone === undefined) problems.push(`${file}: belongs to no folder of the dependency table`);
  else problems.push(...importsOf(text).flatMap((found) => checkImport(file, zone, found) ?? []));

  const code = withoutText(text);
  const touched = pure.some((files) => files.test(file)) ? ambient.exec(code)?.[0] : undefined;
  if (touched !== undefined) problems.push(`${file}: reaches for ${touched} instead of a port`);
  const waits = synchronous.some((files) => files.test(file)) ? waiting.exec(code)?.[0] : undefined;
  if (waits !== undefined) problems.push(`${file}: is pure, but says ${waits}`);

  const name = path.posix.basename(file);
  if (!kebabCase.test(name)) problems.push(`${file}: is not named in kebab-case`);
  const word = file.split(/[/.-]/).find((part) => meaningless.includes(part));
  if (word !== undefined) problems.push(`${file}: "${word}" says nothing about what is in it`);
  if (!openingSentence.test(text))
    problems.push(`${file}: does not open with a sentence that says what it promises`);
  const narrowing = file.startsWith('test/') ? narrowed.exec(withoutTemplates(text))?.[0] : undefined;
  if (narrowing !== undefined) problems.push(`${file}: ${narrowing} leaves out tests`);
  return problems;
}

/** Every breach of the rules, one line each. */
function breaches(files: Files): string[] {
  return [...files].flatMap(([file, text]) => {
    const found = machinePath.exec(text)?.[0];
    return [
      ...(found === undefined ? [] : [`${file}: ${found} exists on one machine only`]),
      ...(file.endsWith('.ts') ? checkSource(file, text) : []),
    ];
  });
}

/** What a clone contains: all but what .gitignore names. Not by git, so that it also works in a downloaded archive. */
function repository(): Files {
  const root = path.join(import.meta.dirname, '..');
  const ignoredFolders = readFileSync(path.join(root, '.gitignore'), 'utf8')
    .split('\n')
    .filter((line) => line.endsWith('/'))
    .map((line) => line.slice(0, -1));
  const skipped = new Set(['.git', ...ignoredFolders]);
  const entries = globSync('**/*', {
    cwd: root,
    withFileTypes: true,
    exclude: (entry) => skipped.has(entry.name),
  });
  // Node's `**` leaves out what begins with a dot.
  const hidden = globSync(['.ci/**/*', '.github/**/*'], { cwd: root, withFileTypes: true });
  return new Map(
    [...entries, ...hidden]
      .filter((entry) => entry.isFile())
      .map((entry) => path.join(entry.parentPath, entry.name))
      .map((file) => [path.relative(root, file).split(path.sep).join('/'), readFileSync(file, 'utf8')]),
  );
}

// ── The tests ───────────────────────────────────────────────────────────────────────────────────────────

describe('the repository', () => {
  const files = repository();

  it('keeps every rule', () => {
    expect(breaches(files)).toEqual([]);
  });
  it('is seen whole', () => {
    expect([...files.keys()]).toEqual(
      expect.arrayContaining(['build.ts', 'package.json', 'shared/core/ids.ts', 'test/architecture.test.ts']),
    );
    expect([...files.keys()].filter((file) => /(?:^|\/)node_modules\//.test(file))).toEqual([]);
    expect(importsOf(files.get('test/architecture.test.ts') ?? '').map(({ specifier }) => specifier)).toEqual(
      ['node:fs', 'node:path', 'vitest'],
    );
  });
});

describe('the checker', () => {
  const head = '/** Says what it promises. */\n';
  const check = (file: string, code: string) => breaches(new Map([[file, head + code]]));

  it.each([
    ['shared/core/decide.ts', "import * as v from 'valibot';\nimport type { Plan } from './plan.ts';"],
    [
      'shared/core/decide.ts',
      "// await Date.now()\nconst text = 'process.env, await';\nconst at = new Date(0);",
    ],
    ['shared/core/decide.ts', "/** import x from 'node:fs' */\nconst glob = 'a/*/b'; const more = 'c/*/d';"],
    [
      'shared/app/restore.ts',
      "import { decide } from '../core/decide.ts';\nimport type { Clock } from './ports.ts';",
    ],
    [
      'shared/aws/ec2.ts',
      "import type { Ec2 } from '../app/ports.ts';\nimport { EC2Client } from '@aws-sdk/client-ec2';",
    ],
    ['shared/aws/ec2.ts', "import { type Ec2, type Clock } from '../app/ports.ts';"],
    [
      'shared/runtime/compose.ts',
      "import { makeEc2 } from '../aws/ec2.ts';\nimport { Logger } from '@aws-lambda-powertools/logger';",
    ],
    ['functions/failover/handle.ts', "import { parseEvent } from './event.ts';"],
    [
      'functions/failover/handler.ts',
      "import { compose } from '../../shared/runtime/compose.ts';\nimport { handle } from './handle.ts';",
    ],
    [
      'demo/main.ts',
      "import { start } from '../sandbox/main.ts';\nimport { spawn } from 'node:child_process';",
    ],
    [
      'test/x.test.ts',
      "import { EC2Client } from '@aws-sdk/client-ec2';\nit.skipIf(slow)('a', f);\nit('it.only is text', f);",
    ],
    ['cli/main.ts', "import { Command } from 'commander';"],
  ])('accepts what the table allows in %s', (file, code) => {
    expect(check(file, code)).toEqual([]);
  });

  it.each([
    [
      'shared/core/a.ts',
      "import { readFile } from 'node:fs/promises';",
      'core may not import node:fs/promises',
    ],
    [
      'shared/core/a.ts',
      "import type { Clock } from '../app/ports.ts';",
      'core may not import ../app/ports.ts',
    ],
    ['shared/core/a.ts', "export * from '../aws/ec2.ts';", 'core may not import ../aws/ec2.ts'],
    ['shared/core/a.ts', "export type { X } from '../runtime/x.ts';", 'core may not import ../runtime/x.ts'],
    ['shared/core/a.ts', "import '../runtime/x.ts';", 'core may not import ../runtime/x.ts'],
    ['shared/core/a.ts', "type X = import('../app/x.ts').X;", 'core may not import ../app/x.ts'],
    ['shared/core/a.ts', "import {\n  a,\n  b,\n} from 'yaml';", 'core may not import yaml'],
    ['shared/core/a.ts', 'const a = Date.now();', 'reaches for Date.now'],
    ['shared/core/a.ts', 'const a = async () => 1;', 'is pure, but says async'],
    ['functions/failover/event.ts', "import { x } from '../../shared/app/x.ts';", 'event.ts may not import'],
    ['functions/failover/event.ts', 'const a = new Date();', 'reaches for new Date()'],
    ['shared/app/a.ts', "import * as v from 'valibot';", 'app may not import valibot'],
    ['shared/app/a.ts', "import { randomUUID } from 'node:crypto';", 'app may not import node:crypto'],
    ['shared/app/a.ts', "import { x } from '../aws/ec2.ts';", 'app may not import ../aws/ec2.ts'],
    ['shared/app/a.ts', 'const r = Math.random();', 'reaches for Math.random'],
    ['shared/app/a.ts', 'setTimeout(f, 1);', 'reaches for setTimeout'],
    ['shared/app/a.ts', 'const t = process.env.TABLE;', 'reaches for process.'],
    ['shared/aws/a.ts', "import { x } from '../app/ports.ts';", 'aws may not import ../app/ports.ts'],
    [
      'shared/aws/a.ts',
      "import { type Ec2, makeClock } from '../app/ports.ts';",
      'aws may not import ../app/ports.ts',
    ],
    [
      'shared/aws/a.ts',
      "import type { x } from '../app/restore.ts';",
      'aws may not import ../app/restore.ts',
    ],
    [
      'shared/runtime/a.ts',
      "import { SNSClient } from '@aws-sdk/client-sns';",
      'runtime may not import @aws-sdk/client-sns',
    ],
    [
      'functions/failover/handle.ts',
      "import { x } from '../../shared/runtime/x.ts';",
      'handle.ts may not import',
    ],
    [
      'functions/failover/handler.ts',
      "import { x } from '../../shared/aws/ec2.ts';",
      'handler.ts may not import',
    ],
    [
      'functions/failover/handler.ts',
      "import { x } from '../../sandbox/main.ts';",
      'handler.ts may not import',
    ],
    [
      'functions/failover/handler.ts',
      "import { EC2Client } from '@aws-sdk/client-ec2';",
      'handler.ts may not import @aws-sdk',
    ],
    ['cli/a.ts', "import { EC2Client } from '@aws-sdk/client-ec2';", 'cli may not import @aws-sdk'],
    ['cli/a.ts', "import { x } from '../shared/aws/ec2.ts';", 'cli may not import ../shared/aws/ec2.ts'],
    [
      'sandbox/a.ts',
      "import type { EniId } from '../shared/core/ids.ts';",
      'sandbox may not import ../shared/core/ids.ts',
    ],
    [
      'sandbox/a.ts',
      "import { x } from '../functions/failover/event.ts';",
      'sandbox may not import ../functions',
    ],
    ['sandbox/a.ts', "const x = await import('../cli/main.ts');", 'sandbox may not import ../cli/main.ts'],
    ['demo/a.ts', "import { x } from '../shared/core/ids.ts';", 'demo may not import ../shared/core/ids.ts'],
    [
      'demo/a.ts',
      "import { SNSClient } from '@aws-sdk/client-sns';",
      'demo may not import @aws-sdk/client-sns',
    ],
    ['demo/a.ts', 'const x = await import(name);', 'demo may not import (computed)'],
    ['shared/loose.ts', '', 'belongs to no folder'],
    ['scripts/a.ts', '', 'belongs to no folder'],
    ['shared/core/makePlan.ts', '', 'is not named in kebab-case'],
    ['shared/core/make_plan.ts', '', 'is not named in kebab-case'],
    ['shared/core/utils.ts', '', '"utils" says nothing'],
    ['shared/app/lease-manager.ts', '', '"manager" says nothing'],
    ['sandbox/common/a.ts', '', '"common" says nothing'],
    ['test/a.test.ts', "describe.only('a', f);", 'describe.only leaves out tests'],
    ['test/a.test.ts', "it.concurrent.skip('a', f);", 'it.concurrent.skip leaves out tests'],
    ['docs/a.md', `See ${['', 'home', 'me', 'x'].join('/')}.`, 'exists on one machine only'],
    ['.ci/run', `cd ${['', 'work', 'main'].join('/')}`, 'exists on one machine only'],
  ])('refuses in %s: %s', (file, code, breach) => {
    const found = check(file, code);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(breach);
  });
  it.each(['', "import * as v from 'valibot';\n", '/* todo */\n', '/** says nothing worth a capital */\n'])(
    'refuses a file that opens with %j',
    (text) => {
      expect(breaches(new Map([['shared/core/a.ts', text]]))).toEqual([
        expect.stringContaining('does not open'),
      ]);
    },
  );
});
