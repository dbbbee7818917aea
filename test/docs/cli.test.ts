/** Holds docs/cli.md to the program: every command, argument and option has its entry, in its order, and no other has. */
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { exitCodes } from '../../cli/answer.ts';
import { csvColumns } from '../../cli/csv.ts';
import { makeProgram } from '../../cli/program.ts';
import { DeclarationSchema } from '../../shared/core/service.ts';
import { code, readText, sectionOf, tableProblems, withoutCode } from './markdown.ts';

const file = 'docs/cli.md';
const program = makeProgram('eni-failover', { say: (command) => command, run: async () => {} });

interface Entry {
  readonly name: string;
  readonly command: Command;
}

/** Those that do something: `member replace`, not `member`. */
const entriesIn = (parent: Command, before = ''): readonly Entry[] =>
  parent.commands.flatMap((command): readonly Entry[] => {
    const name = `${before}${command.name()}`;
    return command.commands.length > 0 ? entriesIn(command, `${name} `) : [{ name, command }];
  });
const entries = entriesIn(program);

/** A bar would end the cell. */
const cell = (text: string) => text.replaceAll('|', '\\|');
/** Outside of code, what stands in angle brackets would be taken for HTML. */
const prose = (text: string) => cell(text).replaceAll('<', '\\<');

/** As in the help: arguments first, then options. */
const rowsOf = (command: Command): readonly (readonly string[])[] => [
  ...command.registeredArguments.map((each) => [
    code(each.required ? `<${each.name()}>` : `[${each.name()}]`),
    prose(each.description),
  ]),
  ...command.options.map(({ flags, description }) => [code(cell(flags)), prose(description)]),
];

/** As far as valibot's schemas can be walked. */
interface Schema {
  readonly pipe?: readonly object[];
  readonly wrapped?: object;
  readonly item?: object;
  readonly entries?: Readonly<Record<string, object>>;
}

/** Every key that a person can write, the innermost: `interfaces[].eni`. */
function keysIn(schema: object, at = ''): readonly string[] {
  const { pipe, wrapped, item, entries }: Schema = schema;
  const inner =
    wrapped ?? (entries || item ? undefined : pipe?.find((each) => 'entries' in each || 'item' in each));
  if (inner) return keysIn(inner, at);
  if (item) return keysIn(item, `${at}[]`);
  return Object.entries(entries ?? {}).flatMap(([key, each]) => {
    const name = at ? `${at}.${key}` : key;
    const below = keysIn(each, name);
    return below.length > 0 ? below : [name];
  });
}

describe('docs/cli.md', () => {
  it('has a section for each command, in the order of the help, and no other', () => {
    const headings = [...withoutCode(readText(file)).matchAll(/^### (.+)$/gm)].map(([, heading]) => heading);
    expect(headings).toEqual(entries.map(({ name }) => name));
  });

  it.each(entries)('lists the arguments and options of $name', ({ name, command }) => {
    const expected = rowsOf(command);
    if (expected.length === 0) {
      expect(sectionOf(file, name).filter(({ text }) => text.startsWith('|'))).toEqual([]);
      return;
    }
    expect(tableProblems({ file, heading: name, expected })).toEqual([]);
  });

  it.each(entries)('shows how $name is typed', ({ name, command }) => {
    const text = sectionOf(file, name).map((each) => each.text);
    expect(text.join('\n')).toMatch(new RegExp(`^(npm run cli -- |eni-failover )${name}`, 'm'));
    expect(command.description().length).toBeGreaterThan(0);
  });

  it('lists the options of every command', () => {
    const expected = program.options.map(({ flags, description, envVar }) => [
      code(cell(flags)),
      prose(description),
      envVar ? code(envVar) : '–',
    ]);
    expect(tableProblems({ file, heading: 'Options of every command', expected })).toEqual([]);
  });

  it('lists every key of a declaration', () => {
    const keys = keysIn(DeclarationSchema).filter((key) => !key.startsWith('policy.'));
    const expected = [...keys, 'policy'].map((key) => [code(key)]);
    expect(tableProblems({ file, heading: 'The declaration', expected })).toEqual([]);
  });

  it('lists the columns of an export', () => {
    const expected = csvColumns.map((column) => [code(column)]);
    expect(tableProblems({ file, heading: 'CSV', expected })).toEqual([]);
  });

  it('lists the exit codes', () => {
    const expected = Object.entries(exitCodes).map(([outcome, exit]) => [String(exit), code(outcome)]);
    expect(tableProblems({ file, heading: 'Exit codes', expected })).toEqual([]);
  });
});
