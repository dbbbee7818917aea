/** The tests of single parts, run in the mutated tree: one mutant is awake (AWAKE), or what is passed is noted. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/{core,app,aws,contract,functions,runtime}/**/*.test.ts'],
    setupFiles: ['test/mutants/note-reached.ts'],
    testTimeout: 20_000,
    hookTimeout: 60_000,
    pool: 'threads',
    // One world for all files: starting one for each costs more than most of them take.
    isolate: false,
    fileParallelism: false,
  },
});
