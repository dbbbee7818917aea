/** What a command answers, and the exit code that says how it ended. */
import type { Terminal } from './output.ts';

export const exitCodes = { done: 0, refused: 1, usage: 2, failed: 3, 'needs-human': 4 } as const;
export type Outcome = keyof typeof exitCodes;

export interface Answer {
  readonly outcome: Exclude<Outcome, 'usage' | 'failed'>;
  /** The JSON document, beside `command` and `outcome`; its keys are always the same for a command. */
  readonly data: Readonly<Record<string, unknown>>;
  /** The same for a person. */
  readonly text: (terminal: Terminal) => string;
  /** A no that answers the question: it is printed where answers are, and only the exit code says that it is one. */
  readonly isAskedFor?: true;
  /** It was written while the command ran, in whatever format: only the exit code is left to say. */
  readonly isShown?: true;
}

/** An expected end without an answer: what is wrong, with which value, and the way out, in one sentence. */
export class CliError extends Error {
  readonly outcome: 'usage' | 'failed';

  constructor(outcome: 'usage' | 'failed', message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'CliError';
    this.outcome = outcome;
  }
}
