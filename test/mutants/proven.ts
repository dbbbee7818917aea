/** Which version of each file had all its mutants killed: what `--changed` compares with. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { hashOf, mutated, root } from './tree.ts';

type Proven = Readonly<Record<string, { readonly sha256: string; readonly mutants: number }>>;

const file = path.join(root, 'test/mutants/proven.json');
const read = () => JSON.parse(readFileSync(file, 'utf8')) as Proven;

/** Files that are as they were when they were proven. */
export function recorded(): ReadonlySet<string> {
  const proven = read();
  return new Set(mutated().filter((each) => proven[each]?.sha256 === hashOf(each)));
}

/** A file counts as proven only if every one of its mutants was judged and killed, or excused. */
export function record(
  verdicts: readonly { readonly file: string; readonly killed: boolean }[],
  expected: ReadonlyMap<string, number>,
): void {
  const before = read();
  const after = mutated().flatMap((each) => {
    const own = verdicts.filter((verdict) => verdict.file === each);
    const wanted = expected.get(each) ?? 0;
    if (own.length === wanted && own.every((verdict) => verdict.killed))
      return [[each, { sha256: hashOf(each), mutants: wanted }] as const];
    const old = before[each];
    return old ? [[each, old] as const] : [];
  });
  writeFileSync(file, `${JSON.stringify(Object.fromEntries(after), null, 2)}\n`);
}
