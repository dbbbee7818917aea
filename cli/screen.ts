/** Where a command writes that does not keep its answer until it is over, and how such a command is told to end. */
import { type Terminal, terminalOf } from './output.ts';

export interface Screen {
  readonly format: 'text' | 'json';
  /** Somebody looks at it, and what is there can be drawn over. */
  readonly isLive: boolean;
  /** As it is now: people resize their windows. */
  terminal(): Terminal;
  /** Lines of the terminal; 24 where nobody says. */
  rows(): number;
  /** To standard output; resolves when it is taken, so that nothing piles up before a slow reader. */
  write(text: string): Promise<void>;
  /** A line on standard error, beside what is written. */
  remark(text: string): void;
  /**
   * Aborted by Ctrl-C, by a request to end, and once nobody reads along any more. From the first call on only the
   * command itself ends the process; a second Ctrl-C does so at once.
   */
  untilStopped(): AbortSignal;
}

type Streams = Pick<NodeJS.Process, 'stdout' | 'stderr' | 'once'>;

export function makeScreen(process: Streams, format: Screen['format']): Screen {
  const { stdout, stderr } = process;
  const stopping = new AbortController();
  const end = () => stopping.abort();
  let isHeard = false;
  return {
    format,
    isLive: stdout.isTTY === true && format === 'text',
    terminal: () => terminalOf(stdout),
    rows: () => stdout.rows || 24,
    write: (text) =>
      new Promise((resolve) => {
        stdout.write(text, (error) => {
          if (error) end();
          resolve();
        });
      }),
    remark: (text) => {
      stderr.write(`${text}\n`);
    },
    untilStopped() {
      if (!isHeard) for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, end);
      isHeard = true;
      return stopping.signal;
    },
  };
}
