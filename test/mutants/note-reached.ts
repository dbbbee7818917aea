/** Before each test file: wakes the mutant that AWAKE names, or notes where REACHED says which ones the tests pass. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, expect } from 'vitest';
import { switchboard } from './instrument.ts';

const awake = process.env['AWAKE'];
if (awake !== undefined) switchboard().active = Number(readFileSync(awake, 'utf8'));

const directory = process.env['REACHED'];
if (directory !== undefined) {
  switchboard().reached.clear();
  afterAll(() => {
    const file = path.relative(process.cwd(), expect.getState().testPath ?? '');
    const name = file.replaceAll(/[\\/]/g, '+');
    writeFileSync(
      path.join(directory, `${name}.json`),
      JSON.stringify({ file, mutants: [...switchboard().reached] }),
    );
  });
}
