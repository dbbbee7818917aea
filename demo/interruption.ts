/** How a demo is ended from outside: by a signal, or because nobody reads on. */

/** By a shell's convention, the code of what was ended by an interrupt. */
export const interruptedCode = 130;

/** Aborted once the demo is to end; a second signal does not wait for the sandbox, whose exit hook still ends it. */
export function watchForInterruption(): AbortController {
  const interruption = new AbortController();
  // `npm run demo | head` is no error, but the end: nobody reads on.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    interruption.abort();
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (interruption.signal.aborted) process.exit(interruptedCode);
      interruption.abort();
    });
  }
  return interruption;
}
