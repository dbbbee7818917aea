/** What a demo ends with when it comes to no end of its own, and what it says then. */
import { interruptedCode } from './interruption.ts';
import { UsageError } from './options.ts';

/** Of every demo: its own results are 0 and 1. */
const exitCodes = { usage: 2, failed: 3, interrupted: interruptedCode } as const;

/** Says on standard error why a demo stopped; answers the exit code for it. */
export function exitCodeFor(error: unknown, signal: AbortSignal, usage: string): number {
  if (signal.aborted) {
    process.stderr.write('interrupted: the sandbox has been stopped\n');
    return exitCodes.interrupted;
  }
  if (error instanceof UsageError) {
    process.stderr.write(`${error.message}\n\n${usage}`);
    return exitCodes.usage;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`The demo failed: ${text}\n`);
  return exitCodes.failed;
}
