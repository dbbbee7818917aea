/** Holds docs/guides to the code: what a reader pastes from them has to be understood by what it is pasted into. */
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import path from 'node:path';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { makeProgram } from '../../cli/program.ts';
import { parseDeclaration } from '../../shared/core/service.ts';
import { readText, root } from './markdown.ts';

const index = 'docs/guides/README.md';
const files = globSync('docs/guides/*.md', { cwd: root }).map((file) => file.split(path.sep).join('/'));
const guides = files.filter((file) => file !== index);

interface Block {
  /** File and line of the fence. */
  readonly at: string;
  readonly language: string;
  readonly text: string;
}

const blocksIn = (file: string): readonly Block[] => {
  const text = readText(file);
  return [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(
    ({ index: offset, 1: language, 2: body }) => ({
      at: `${file}:${text.slice(0, offset).split('\n').length}`,
      language: language ?? '',
      text: body ?? '',
    }),
  );
};
const blocks = files.flatMap(blocksIn);
const written = (...languages: string[]) => blocks.filter(({ language }) => languages.includes(language));

const program = makeProgram('eni-failover', { say: (command) => command, run: async () => {} });
const optionsOf = (command: Command) => command.options.flatMap(({ short, long }) => [short, long]);

/** Every use of the command line in blocks and code spans: where, which command, which options. */
function commandsIn(file: string) {
  const text = readText(file).replace(/\\\n\s*/g, '');
  const code = [
    ...[...text.matchAll(/^```(?:sh|bash)\n([\s\S]*?)^```$/gm)].flatMap(([, body = '']) => body.split('\n')),
    ...[...text.matchAll(/(?<!`)`([^`\n]+)`/g)].map(([, span = '']) => span),
  ];
  return code.flatMap((line) =>
    [...line.matchAll(/(?:^|[\s(])(?:eni-failover|npm run cli --) ([^|;&)#]+)/g)].map(([, rest = '']) => {
      const words = rest.trim().split(/\s+/);
      const options = words.filter((word) => /^--?[a-z]/.test(word)).map((word) => word.split('=')[0] ?? '');
      const name = words.find((word, at) => /^[a-z-]+$/.test(word) && !words[at - 1]?.startsWith('--'));
      return { line, name, options };
    }),
  );
}

describe('the guides', () => {
  it('are all in the index', () => {
    const text = readText(index);
    const missing = guides.filter((file) => !text.includes(`](${path.posix.basename(file)})`));
    expect(missing.map((file) => `${index}: add a line for ${file}`)).toEqual([]);
    expect(guides.length).toBeGreaterThan(0);
  });

  it.each(guides)('say what one gets, how to test it and what can go wrong: %s', (file) => {
    const headings = [...readText(file).matchAll(/^## (.+)$/gm)].map(([, heading]) => heading);
    expect(headings[0]).toBe('What you get');
    expect(headings).toEqual(expect.arrayContaining(['How to test it', 'What can go wrong']));
  });

  it('name the language of every block', () => {
    expect(blocks.filter(({ language }) => language === '').map(({ at }) => at)).toEqual([]);
  });
});

describe('what the guides let people paste', () => {
  const shell = written('sh', 'bash');
  const declarations = written('yaml').filter(({ text }) => /^interfaces:/m.test(text));

  it('is there', () => {
    expect(shell.length).toBeGreaterThan(10);
    expect(declarations.length).toBeGreaterThan(3);
  });

  it.each(shell)('is understood by bash: $at', ({ text }) => {
    const { status, stderr } = spawnSync('bash', ['-n'], { input: text, encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it.each(written('json'))('is JSON: $at', ({ text }) => {
    expect(() => JSON.parse(text)).not.toThrow();
  });

  it.each(written('yaml'))('is YAML: $at', ({ text }) => {
    expect(parseAllDocuments(text).flatMap(({ errors }) => errors.map(({ message }) => message))).toEqual([]);
  });

  it.each(declarations)('is a declaration that registers: $at', ({ text }) => {
    const [document] = parseAllDocuments(text);
    const parsed = parseDeclaration(document?.toJS());
    expect(parsed.kind === 'invalid' ? parsed.problems : []).toEqual([]);
  });

  it.each(files)('is a command that exists, with options that exist: %s', (file) => {
    const problems = commandsIn(file).flatMap(({ line, name, options }) => {
      const command = program.commands.find((each) => each.name() === name);
      if (!command && name) return [`${file}: there is no command ${name}: ${line}`];
      const known = [...optionsOf(program), ...(command ? optionsOf(command) : []), '--help'];
      return options
        .filter((option) => !known.includes(option))
        .map((option) => `${file}: ${name ?? 'the command line'} has no option ${option}: ${line}`);
    });
    expect(problems).toEqual([]);
  });
});
