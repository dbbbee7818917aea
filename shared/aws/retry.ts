/** The one retry layer: AWS's answers sorted into classes, and passing faults tried again with jitter. */
import type { Answer, Clock, Random } from '../app/ports.ts';
import { type FailureClass, messageOf, PortError } from '../core/errors.ts';

const throttled = new Set([
  'RequestLimitExceeded',
  'EC2ThrottledException',
  'Throttling',
  'ThrottlingException',
  'ThrottledException',
  'RequestThrottled',
  'RequestThrottledException',
  'TooManyRequestsException',
  'ProvisionedThroughputExceededException',
  'SlowDown',
  'Throttled',
  'KmsThrottled',
]);

const passing = new Set([
  'InternalError',
  'InternalFailure',
  'InternalServerError',
  'InternalErrorException',
  'ServiceUnavailable',
  'ServiceUnavailableException',
  'Unavailable',
  'TransactionConflictException',
  'TimeoutError',
  'RequestTimeout',
  'RequestExpired',
  'RequestTimeoutException',
  'AbortError',
  'NetworkingError',
]);

const denied = new Set([
  'UnauthorizedOperation',
  'AccessDenied',
  'AccessDeniedException',
  'AuthorizationError',
  'AuthorizationErrorException',
  'AuthFailure',
  'UnrecognizedClientException',
  'InvalidClientTokenId',
  'ExpiredToken',
  'ExpiredTokenException',
  'InvalidSignatureException',
  'SignatureDoesNotMatch',
  'CredentialsProviderError',
]);

interface SdkError {
  readonly name?: string;
  readonly Code?: string;
  readonly code?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

/** AWS's own code of an error, or what the network calls it. */
export function codeOf(error: unknown): string {
  const { name, Code, code } = (error ?? {}) as SdkError;
  if (name && name !== 'Error') return name;
  return Code ?? code ?? 'UnknownError';
}

/** What EC2 says of an error, without the blob that only IAM can read: it is long, and never twice the same. */
export const detailOf = (error: unknown): string =>
  messageOf(error).replace(/\s*Encoded authorization failure message:.*$/s, '');

/**
 * What a caller can do about an error. Throttling and lost answers may be tried again, a missing permission
 * may not: one peer tried forty times on missing credentials.
 */
export function classify(error: unknown): FailureClass {
  const code = codeOf(error);
  if (throttled.has(code)) return 'throttled';
  if (denied.has(code)) return 'denied';
  if (passing.has(code)) return 'unavailable';
  const status = ((error ?? {}) as SdkError).$metadata?.httpStatusCode;
  if (status === 429) return 'throttled';
  if (status !== undefined && status >= 500) return 'unavailable';
  // A good answer that could not be read to its end: the call took effect, we do not know how.
  if (status !== undefined && status < 400) return 'unavailable';
  // No status at all: the request never got an answer (refused, reset, timed out).
  return status === undefined ? 'unavailable' : 'refused';
}

export const toPortError = (error: unknown): PortError =>
  error instanceof PortError ? error : new PortError(classify(error), codeOf(error), messageOf(error), error);

/** Gives a call up by the clock that tests can turn: AbortSignal.timeout knows only the real one. */
export async function within<T>(
  clock: Clock,
  limitMs: number,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const tooLate = new AbortController();
  const isDone = new AbortController();
  void clock.sleep(limitMs, isDone.signal).then(() => {
    if (!isDone.signal.aborted) tooLate.abort();
  });
  try {
    return await call(tooLate.signal);
  } finally {
    isDone.abort('over');
  }
}

export interface RetryPolicy {
  readonly attempts: number;
  readonly firstPauseMs: number;
  readonly maxPauseMs: number;
}

/** Short: a caller that still gets nothing decides for itself what that means. */
export const reads: RetryPolicy = { attempts: 4, firstPauseMs: 100, maxPauseMs: 1_000 };
/** One attempt: whoever polls comes again by himself. */
export const polls: RetryPolicy = { attempts: 1, firstPauseMs: 0, maxPauseMs: 0 };
export const writes: RetryPolicy = { attempts: 4, firstPauseMs: 50, maxPauseMs: 500 };

export interface Retrying {
  readonly clock: Clock;
  readonly random: Random;
}

const slowAfterMs = 1_000;

/**
 * Calls until it is answered, at most `attempts` times, with full jitter in between. Throws {@link PortError}.
 * The answer's age counts from the sending of the attempt that was answered (P8).
 */
export async function withRetries<T>(
  { clock, random }: Retrying,
  policy: RetryPolicy,
  call: () => Promise<T>,
): Promise<Answer<T>> {
  for (let attempt = 1; ; attempt += 1) {
    const sentAtMs = clock.now();
    try {
      const value = await call();
      return { value, sentAtMs, slow: attempt > 1 || clock.now() - sentAtMs > slowAfterMs };
    } catch (error) {
      const failure = toPortError(error);
      if (!failure.mayRetry || attempt >= policy.attempts) throw failure;
      const ceilingMs = Math.min(policy.maxPauseMs, policy.firstPauseMs * 2 ** (attempt - 1));
      await clock.sleep(ceilingMs * (0.5 + 0.5 * random()));
    }
  }
}
