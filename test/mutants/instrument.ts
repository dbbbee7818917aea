/** Builds all mutants of a file into it at once: each one is asleep until its number is called. Pure. */
import type { Guard } from './guards.ts';

export interface Mutant extends Guard {
  /** From 1, over all files. */
  readonly id: number;
  readonly file: string;
}

/** What the mutated code and whoever runs it share, on `globalThis`. */
export interface Switchboard {
  /** The mutant that is awake; 0 is none. */
  active: number;
  /** Mutants whose place was passed. */
  readonly reached: Set<number>;
}

/** On the first line, so that all others keep their numbers. */
const prelude =
  'const __guard=(id)=>{const board=globalThis.__mutants??={active:0,reached:new Set()};' +
  'board.reached.add(id);return board.active===id};';

export const switchboard = (): Switchboard => {
  const shared = globalThis as { __mutants?: Switchboard };
  shared.__mutants ??= { active: 0, reached: new Set() };
  return shared.__mutants;
};

/** `mutants` are those of this very file, in the order of the source, outer ones first. */
export function instrument(source: string, mutants: readonly Mutant[]): string {
  const ranges = Map.groupBy(mutants, ({ start, end }) => `${start} ${end}`);
  const opening = new Map<number, string>();
  const closing = new Map<number, string>();
  // Outer ones first: what they open stands further left, what they close further right.
  for (const [first, ...others] of ranges.values()) {
    if (!first) continue;
    const choices = [first, ...others].map(({ id, instead }) => `__guard(${id})?(${instead}):`).join('');
    opening.set(first.start, `${opening.get(first.start) ?? ''}(${choices}(`);
    closing.set(first.end, `))${closing.get(first.end) ?? ''}`);
  }
  const edges = [...new Set([...opening.keys(), ...closing.keys()])].sort((a, b) => a - b);
  let text = '';
  let from = 0;
  for (const edge of edges) {
    text += source.slice(from, edge) + (closing.get(edge) ?? '') + (opening.get(edge) ?? '');
    from = edge;
  }
  return prelude + text + source.slice(from);
}
