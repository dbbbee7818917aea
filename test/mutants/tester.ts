/** A process in the mutated tree that keeps vitest at hand: what it has compiled for one mutant serves the next. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { createVitest, type TestModule } from 'vitest/node';

export interface TestOrder {
  /** 0: none. */
  readonly mutant: number;
  readonly files: readonly string[];
}

export interface TestAnswer {
  /** The name of the first test that fails, behind its file. */
  readonly failed: string | null;
}

/** Where the setup of each test file reads which mutant is awake. */
const awake = process.env['AWAKE'] ?? '';

const vitest = await createVitest('test', {
  root: process.cwd(),
  config: 'test/mutants/vitest.config.ts',
  // Otherwise it ends with its first run; there is nothing to watch, and nobody at the keyboard.
  watch: true,
  bail: 1,
  reporters: [{}],
});

function firstOf(module: TestModule): string {
  const [test] = module.children.allTests('failed');
  return [path.relative(process.cwd(), module.moduleId), test?.fullName ?? 'the file itself'].join(' > ');
}

async function run({ mutant, files }: TestOrder): Promise<TestAnswer> {
  writeFileSync(awake, String(mutant));
  const specifications = await vitest.globTestSpecifications([...files]);
  const { testModules, unhandledErrors } = await vitest.rerunTestSpecifications(specifications);
  const module = testModules.find((each) => !each.ok());
  if (module) return { failed: firstOf(module) };
  return { failed: unhandledErrors.length > 0 ? `${files[0]} > an error that no test caught` : null };
}

process.on('message', (order: TestOrder) => {
  void run(order).then((answer) => process.send?.(answer));
});
process.send?.('ready');
