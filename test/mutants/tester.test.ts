/** The keeper of vitest: whom it takes for killed, and that no mutant speaks against the next. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Tester } from './tests.ts';
import { root } from './tree.ts';

let tree = '';
let tester: Tester;
const file = 'test/core/sample.test.ts';

/** A mutated function, as `instrument` leaves it: 1 breaks it, 2 nobody notices, 3 breaks it for good, 4 never ends. */
const sample = `
  import { expect, it } from 'vitest';
  import { switchboard } from '../mutants/instrument.ts';
  const isAwake = (id: number) => switchboard().active === id;
  if (isAwake(3)) (globalThis as { left?: boolean }).left = true;
  const isEven = (n: number) => (isAwake(1) ? true : isAwake(2) ? n % 2 < 1 : n % 2 === 0);
  it('knows what is odd', () => {
    if (isAwake(4)) process.exit(7);
    expect((globalThis as { left?: boolean }).left).toBeUndefined();
    expect(isEven(3)).toBe(false);
  });
`;

beforeAll(() => {
  tree = mkdtempSync(path.join(tmpdir(), 'tester-'));
  mkdirSync(path.join(tree, 'test/core'), { recursive: true });
  cpSync(path.join(root, 'test/mutants'), path.join(tree, 'test/mutants'), { recursive: true });
  cpSync(path.join(root, 'package.json'), path.join(tree, 'package.json'));
  symlinkSync(path.join(root, 'node_modules'), path.join(tree, 'node_modules'));
  writeFileSync(path.join(tree, file), sample);
  tester = new Tester(tree);
});
afterAll(() => {
  tester.end();
  rmSync(tree, { recursive: true });
});

it('names the test that fails, and lets the next mutant begin anew', { timeout: 120_000 }, async () => {
  const killed = `${file} > knows what is odd`;
  expect(await tester.test(1, [file])).toBe(killed);
  expect(await tester.test(2, [file])).toBeUndefined();
  expect(await tester.test(3, [file])).toBe(killed);
  expect(await tester.test(2, [file])).toBeUndefined();
  expect(await tester.test(4, [file])).toBeDefined();
  expect(await tester.test(2, [file])).toBeUndefined();
});
