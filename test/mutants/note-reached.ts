/** Writes down, for each test file, which mutants its tests pass; only when somebody asks where to (REACHED). */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, expect } from 'vitest';
import { switchboard } from './instrument.ts';

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
