/** What can go wrong at a port, sorted by what the caller can do about it. */

export type FailureClass =
  /** The service asks us to slow down. A retry helps. */
  | 'throttled'
  /** No answer, or a passing fault. A retry helps; the call may have taken effect all the same. */
  | 'unavailable'
  /** The role may not do this. A retry does not help. */
  | 'denied'
  /** The service understood and refused, for the reason in `code`. */
  | 'refused';

/** A failure that no use case expected. Expected outcomes are unions and are never thrown. */
export class PortError extends Error {
  readonly code: string;
  readonly failure: FailureClass;

  constructor(failure: FailureClass, code: string, message: string, cause?: unknown) {
    super(`${code}: ${message}`, { cause });
    this.name = 'PortError';
    this.failure = failure;
    this.code = code;
  }

  get mayRetry(): boolean {
    return this.failure === 'throttled' || this.failure === 'unavailable';
  }
}

/** An input that cannot be understood; every problem is named at once. */
export class InvalidInputError extends Error {
  readonly problems: readonly string[];

  constructor(what: string, problems: readonly string[]) {
    super(`${what}: ${problems.join('; ')}`);
    this.name = 'InvalidInputError';
    this.problems = problems;
  }
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
