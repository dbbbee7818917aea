/** The mutation tester's own parts: what counts as a guard, and that a mutated text still runs. */
import { runInThisContext } from 'node:vm';
import { afterEach, describe, expect, it } from 'vitest';
import { guardsIn } from './guards.ts';
import { instrument, switchboard } from './instrument.ts';
import { reporting } from './tree.ts';

const found = (source: string) => guardsIn(source).map(({ text, instead }) => `${text} → ${instead}`);

describe('a guard', () => {
  it.each<[what: string, source: string, mutants: readonly string[]]>([
    ['is a condition before an exit: it never holds', 'if (isHeld(x)) throw x;', ['isHeld(x) → false']],
    ['with two ways is forced both ways', 'if (x) a(); else b();', ['x → true', 'x → false']],
    [
      'loses each operand of an and, and is removed as a whole',
      'if (a && b > 1) f();',
      ['a && b > 1 → false', 'a → true', 'b > 1 → true'],
    ],
    ['loses each operand of an or', 'if (a || !b) f();', ['a → false', '!b → false']],
    ['chooses one of two', 'f(x ? 1 : 2);', ['x → true', 'x → false']],
    [
      'is the answer of a predicate',
      'const is = (x) => x.a === 1;',
      ['x.a === 1 → true', 'x.a === 1 → false'],
    ],
    ['is a filter', 'xs.filter(isLive);', ['isLive → (() => true)']],
    ['is the condition within a filter', 'xs.filter((x) => x.live);', ['x.live → true']],
    ['is a step that is awaited', 'await settle();', ['await settle() → undefined']],
    [
      'is a clause of a condition of the table',
      `const c = '#rev = :rev';`,
      [
        `'#rev = :rev' → '((#rev = :rev OR attribute_not_exists(neverThere)))'`,
        `'#rev = :rev' → '((#rev = :rev AND attribute_exists(neverThere)))'`,
      ],
    ],
    ['is no key condition', `const c = 'pk = :pk AND sk BETWEEN :from AND :to';`, []],
    ['is not the mere absence of a key', 'f({ ...(x && { x }), ...(y !== undefined && { y }) });', []],
    ['is the inclusion of anything else', 'f({ ...(x && { y: 1 }) });', ['x → true']],
    [
      'is not that a number is there, before it is compared',
      'const is = x !== undefined && now - x >= y;',
      ['x !== undefined && now - x >= y → false', 'now - x >= y → true'],
    ],
    ['is nothing in a type', 'type T<U> = U extends string ? 1 : 2;', []],
    ['is no log line or assignment', 'log(x); y = x;', []],
    ['is no method that every object has', 'n.toString(16);', []],
  ])('%s', (_, source, mutants) => {
    expect(found(source)).toEqual(mutants);
  });

  it('in two parts of one clause is changed in each', () => {
    const source = `const c = '(attribute_not_exists(#lease) OR #lease.#untilMs < :now)';`;
    expect(found(source)).toHaveLength(4);
  });
});

describe('a mutated text', () => {
  afterEach(() => {
    switchboard().active = 0;
  });

  const source =
    'const f = (a, b) => {\n  if (a && b !== 2) return [a, b].filter((x) => x > 1);\n  return 0;\n};\nf;';
  const mutants = guardsIn(source).map((guard, index) => ({ ...guard, id: index + 1, file: 'f.ts' }));
  const mutated = runInThisContext(instrument(source, mutants)) as (a: number, b: number) => unknown;
  const awake = (text: string) => {
    const mutant = mutants.find((each) => `${each.text} → ${each.instead}` === text);
    switchboard().active = mutant?.id ?? Number.NaN;
  };

  it('does what the original does while all are asleep', () => {
    expect([mutated(1, 3), mutated(0, 3), mutated(1, 2)]).toEqual([[3], 0, 0]);
  });

  it.each([
    ['a → true', [[3], [3], 0]],
    ['b !== 2 → true', [[3], 0, [2]]],
    ['a && b !== 2 → false', [0, 0, 0]],
    ['x > 1 → true', [[1, 3], 0, 0]],
  ])('does otherwise with one awake: %s', (text, answers) => {
    awake(text);
    expect([mutated(1, 3), mutated(0, 3), mutated(1, 2)]).toEqual(answers);
  });

  it('keeps its lines', () => {
    expect(instrument(source, mutants).split('\n')).toHaveLength(source.split('\n').length);
  });

  it('notes which places were passed', () => {
    switchboard().reached.clear();
    mutated(0, 3);
    const texts = [...switchboard().reached].map((id) => mutants[id - 1]?.text);
    expect(texts).toEqual(['a && b !== 2', 'a']);
  });
});

describe('what is hunted', () => {
  it('is what acts; what only answers questions is hunted when asked for', () => {
    const unasked = reporting();
    for (const file of ['app/audit', 'app/status', 'app/doctor-network', 'core/explain-at'])
      expect(unasked).toContain(`shared/${file}.ts`);
    for (const file of ['app/break-glass', 'app/sweep', 'app/register', 'aws/state-table', 'core/decide'])
      expect(unasked).not.toContain(`shared/${file}.ts`);
  });
});
