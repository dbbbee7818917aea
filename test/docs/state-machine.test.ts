/** Holds docs/state-machine.md against the code that it explains. A failure names the line to write. */
import { describe, expect, it } from 'vitest';
import { IGNORE_CODES } from '../../functions/failover/event.ts';
import { outcomes, statesBefore } from '../../shared/core/episode.ts';
import { commandReasons, memberReasons, reasons } from '../../shared/core/reasons.ts';
import { recordKinds } from '../../shared/core/trail.ts';
import { code, diagramsIn, readText, tableProblems } from './markdown.ts';

const file = 'docs/state-machine.md';
const list = (names: readonly string[]) => names.map(code).join(', ');

/** The names in a union of the source, which exists as a type only. */
function unionOf(source: string, from: RegExp, names: RegExp): readonly string[] {
  const text = from.exec(readText(source))?.[0];
  if (!text) throw new Error(`${source}: nothing matches ${from}; adapt this test`);
  return [...new Set([...text.matchAll(names)].map(([, name]) => name ?? ''))];
}

describe('docs/state-machine.md', () => {
  it('has every state, and what may come before it', () => {
    const expected = Object.entries(statesBefore).map(([state, before]) => [
      code(state),
      before.length > 0 ? list(before) : 'the claim',
    ]);
    expect(tableProblems({ file, heading: 'States of an open episode', expected })).toEqual([]);
  });

  it('draws exactly the transitions that the code names', () => {
    const [diagram = []] = diagramsIn(file, 'States of an open episode');
    const drawn = diagram.filter((line) => / --> /.test(line) && !line.includes('[*]'));
    const wanted = Object.entries(statesBefore).flatMap(([state, before]) =>
      before.map((each) => `${each} --> ${state}`),
    );
    const problems = [
      ...wanted.filter((each) => !drawn.includes(each)).map((each) => `${file}, diagram: add ${each}`),
      ...drawn.filter((each) => !wanted.includes(each)).map((each) => `${file}, diagram: remove ${each}`),
    ];
    expect(problems).toEqual([]);
    expect(diagram[0]).toBe('stateDiagram-v2');
  });

  it('has every outcome, whether a person is needed, and its meaning', () => {
    const expected = Object.entries(outcomes).map(([outcome, { human, meaning }]) => [
      code(outcome),
      human ? 'yes' : 'no',
      meaning,
    ]);
    expect(tableProblems({ file, heading: 'Outcomes', expected })).toEqual([]);
  });

  it('has every kind of episode', () => {
    const kinds = unionOf('shared/core/episode.ts', /export type EpisodeKind =[^;]*;/, /'([a-z-]+)'/g);
    const expected = kinds.map((kind) => [code(kind)]);
    expect(tableProblems({ file, heading: 'Kinds of episodes', expected })).toEqual([]);
  });

  it('has every decision', () => {
    const kinds = unionOf(
      'shared/core/decision.ts',
      /export type Decision =[\s\S]*?export interface Question/,
      /kind: '([a-z-]+)'/g,
    );
    const inOrder = [...kinds.filter((kind) => kind === 'nothing'), 'refuse'];
    const expected = [...new Set([...inOrder, ...kinds])].map((kind) => [code(kind)]);
    expect(tableProblems({ file, heading: 'Decisions', expected })).toEqual([]);
  });

  it('has every hint', () => {
    const kinds = unionOf('shared/core/hint.ts', /[\s\S]*/, /readonly kind: '([a-z-]+)'/g);
    expect(tableProblems({ file, heading: 'Hints', expected: kinds.map((kind) => [code(kind)]) })).toEqual(
      [],
    );
  });

  it('has every reason to ignore an event', () => {
    const expected = Object.entries(IGNORE_CODES).map(([name, meaning]) => [code(name), meaning]);
    expect(tableProblems({ file, heading: 'Events that are ignored', expected })).toEqual([]);
  });

  it.each([
    ['Reason codes', reasons],
    ['Command reason codes', commandReasons],
    ['Member reason codes', memberReasons],
  ])('has under %s every code, its meaning and its way out', (heading, codes) => {
    const expected = Object.entries(codes).map(([name, { meaning, wayOut }]) => [
      code(name),
      meaning,
      wayOut,
    ]);
    expect(tableProblems({ file, heading, expected })).toEqual([]);
  });

  it('has every kind of record', () => {
    const expected = Object.entries(recordKinds).map(([kind, meaning]) => [code(kind), meaning]);
    expect(tableProblems({ file, heading: 'Records of the trail', expected })).toEqual([]);
  });
});
