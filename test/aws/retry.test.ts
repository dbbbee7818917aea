/** Proves that every answer of AWS lands in its class, and that only what a retry can help is tried again. */
import { describe, expect, it } from 'vitest';
import {
  classify,
  codeOf,
  detailOf,
  type RetryPolicy,
  reads,
  withRetries,
  writes,
} from '../../shared/aws/retry.ts';
import { PortError } from '../../shared/core/errors.ts';
import { awsError, brokenAnswer, makeRetrying, START_MS, socketError, timeoutError } from './retrying.ts';

describe('classify', () => {
  it.each([
    ['RequestLimitExceeded', 503],
    ['EC2ThrottledException', 503],
    ['Throttling', 400],
    ['ThrottlingException', 400],
    ['ThrottledException', 429],
    ['Throttled', 429],
    ['RequestThrottled', 403],
    ['RequestThrottledException', 400],
    ['TooManyRequestsException', 429],
    ['ProvisionedThroughputExceededException', 400],
    ['SlowDown', 503],
    ['KmsThrottled', 400],
    ['SomethingNew', 429],
  ])('calls %s with status %i throttled', (code, status) => {
    expect(classify(awsError(code, status))).toBe('throttled');
  });

  it.each([
    ['InternalError', 500],
    ['InternalFailure', 500],
    ['InternalServerError', 500],
    ['InternalErrorException', 500],
    ['ServiceUnavailable', 503],
    ['ServiceUnavailableException', 503],
    ['Unavailable', 503],
    ['TransactionConflictException', 400],
    ['RequestTimeout', 400],
    ['RequestTimeoutException', 400],
    ['RequestExpired', 400],
    ['NetworkingError', 400],
    ['SomethingNew', 500],
    ['SomethingNew', 502],
    ['SomethingNew', 504],
  ])('calls %s with status %i unavailable', (code, status) => {
    expect(classify(awsError(code, status))).toBe('unavailable');
  });

  it.each([
    ['a timeout', timeoutError()],
    ['an aborted request', Object.assign(new Error('Request aborted'), { name: 'AbortError' })],
    ...['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH'].map(
      (code): [string, Error] => [code, socketError(code)],
    ),
  ])('calls %s unavailable, for no answer came', (_, error) => {
    expect(classify(error)).toBe('unavailable');
  });

  it.each([
    ['a connection that is reset within a good answer', brokenAnswer('ECONNRESET')],
    ['a good answer that cannot be read', brokenAnswer()],
  ])('calls %s unavailable, for the call may have taken effect', (_, error) => {
    expect(classify(error)).toBe('unavailable');
  });

  it.each([
    ['UnauthorizedOperation', 403],
    ['AccessDenied', 403],
    ['AccessDeniedException', 400],
    ['AuthorizationError', 403],
    ['AuthorizationErrorException', 403],
    ['AuthFailure', 401],
    ['UnrecognizedClientException', 400],
    ['InvalidClientTokenId', 403],
    ['ExpiredToken', 403],
    ['ExpiredTokenException', 400],
    ['InvalidSignatureException', 400],
    ['SignatureDoesNotMatch', 403],
  ])('calls %s with status %i denied', (code, status) => {
    expect(classify(awsError(code, status))).toBe('denied');
  });
  it('calls missing credentials denied, although no request was sent', () => {
    const error = Object.assign(new Error('no credentials'), { name: 'CredentialsProviderError' });
    expect(classify(error)).toBe('denied');
  });

  it.each([
    'InvalidNetworkInterface.InUse',
    'InvalidNetworkInterfaceID.NotFound',
    'InvalidNetworkInterface.NotFound',
    'InvalidAttachmentID.NotFound',
    'InvalidParameterValue',
    'InvalidParameterCombination',
    'AttachmentLimitExceeded',
    'OperationNotPermitted',
    'IncorrectState',
    'IncorrectInstanceState',
    'InvalidInstanceID.NotFound',
    'ConditionalCheckFailedException',
    'ResourceNotFoundException',
    'SomethingNew',
  ])('calls %s with status 400 refused', (code) => {
    expect(classify(awsError(code, 400))).toBe('refused');
  });
  it('calls DryRunOperation refused', () => {
    expect(classify(awsError('DryRunOperation', 412))).toBe('refused');
  });

  it.each([['a string'], [undefined], [null], [{}]])('survives %j being thrown', (thrown) => {
    expect(classify(thrown)).toBe('unavailable');
    expect(codeOf(thrown)).toBe('UnknownError');
  });
});

describe('codeOf', () => {
  it.each([
    ['the name', awsError('IncorrectState', 400), 'IncorrectState'],
    ['the code where the name says nothing', socketError('ECONNRESET'), 'ECONNRESET'],
    ['the Code of a bare body', { Code: 'Throttling' }, 'Throttling'],
    ['UnknownError where there is nothing', new Error('oops'), 'UnknownError'],
  ])('takes %s', (_, error, code) => {
    expect(codeOf(error)).toBe(code);
  });
});

describe('detailOf', () => {
  const said = 'You are not authorized to perform: ec2:StopInstances because no policy allows it.';

  it.each([
    ['what EC2 says', said],
    [
      'nothing of the blob that only IAM can read',
      `${said} Encoded authorization failure message: 4nAqZ8x_-Q`,
    ],
    ['nothing of it on a line of its own', `${said}\nEncoded authorization failure message:\n4nAqZ8x\n_-Q`],
  ])('tells %s', (_, message) => {
    expect(detailOf(awsError('UnauthorizedOperation', 403, message))).toBe(said);
  });
});

/** Fails with these one after another, then answers with how often it was called. */
function failing(errors: readonly unknown[], meanwhile: () => void = () => undefined) {
  let calls = 0;
  return {
    calls: () => calls,
    call: async () => {
      const error = errors[calls];
      calls += 1;
      meanwhile();
      if (error !== undefined) throw error;
      return calls;
    },
  };
}
const throttled = awsError('RequestLimitExceeded', 503);
const policy: RetryPolicy = { attempts: 6, firstPauseMs: 100, maxPauseMs: 500 };

describe('withRetries', () => {
  it('answers at once when the first attempt is answered', async () => {
    const retrying = makeRetrying();
    const { call, calls } = failing([]);
    expect(await withRetries(retrying, policy, call)).toStrictEqual({
      value: 1,
      sentAtMs: START_MS,
      slow: false,
    });
    expect(calls()).toBe(1);
    expect(retrying.pauses).toEqual([]);
  });

  it.each([
    ['throttling', throttled],
    ['a fault that passes', awsError('InternalError', 500)],
    ['a timeout', timeoutError()],
    ['a broken connection', socketError('ECONNRESET')],
  ])('tries again after %s', async (_, error) => {
    const { call, calls } = failing([error]);
    expect(await withRetries(makeRetrying(), policy, call)).toMatchObject({ value: 2, slow: true });
    expect(calls()).toBe(2);
  });

  it.each([
    ['a missing permission', awsError('UnauthorizedOperation', 403), 'denied'],
    ['missing credentials', Object.assign(new Error('none'), { name: 'CredentialsProviderError' }), 'denied'],
    ['a refusal', awsError('InvalidParameterValue', 400), 'refused'],
  ])('asks once in the face of %s', async (_, error, failure) => {
    const retrying = makeRetrying();
    const { call, calls } = failing([error, error, error]);
    await expect(withRetries(retrying, policy, call)).rejects.toMatchObject({ failure });
    expect(calls()).toBe(1);
    expect(retrying.pauses).toEqual([]);
  });

  it.each([
    ['reads', reads, 4],
    ['writes', writes, 4],
    ['a policy of six', policy, 6],
  ])('gives up after as many attempts as %s allow', async (_, given, attempts) => {
    const retrying = makeRetrying();
    const { call, calls } = failing(Array(20).fill(throttled));
    await expect(withRetries(retrying, given, call)).rejects.toBeInstanceOf(PortError);
    expect(calls()).toBe(attempts);
    expect(retrying.pauses).toHaveLength(attempts - 1);
  });

  it('throws a PortError that says the class, the code, the words and the cause', async () => {
    const cause = awsError('RequestLimitExceeded', 503, 'Request limit exceeded.');
    const { call } = failing(Array(20).fill(cause));
    const thrown: unknown = await withRetries(makeRetrying(), policy, call).catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(PortError);
    expect(thrown).toMatchObject({
      failure: 'throttled',
      code: 'RequestLimitExceeded',
      message: 'RequestLimitExceeded: Request limit exceeded.',
      mayRetry: true,
      cause,
    });
  });
  it('passes a PortError on as it is', async () => {
    const own = new PortError('refused', 'ItemMissing', 'the item is not there');
    const { call, calls } = failing([own]);
    await expect(withRetries(makeRetrying(), policy, call)).rejects.toBe(own);
    expect(calls()).toBe(1);
  });

  it('pauses twice as long each time up to its limit, and at least half of that', async () => {
    const shortest = makeRetrying(() => 0);
    await withRetries(shortest, policy, failing(Array(5).fill(throttled)).call);
    expect(shortest.pauses).toEqual([50, 100, 200, 250, 250]);
    const longest = makeRetrying(() => 1);
    await withRetries(longest, policy, failing(Array(5).fill(throttled)).call);
    expect(longest.pauses).toEqual([100, 200, 400, 500, 500]);
  });

  it('counts the age of an answer from the attempt that was answered', async () => {
    const retrying = makeRetrying();
    const { call } = failing([timeoutError(), throttled], () => retrying.pass(3_000));
    const answer = await withRetries(retrying, policy, call);
    // Two attempts of 3 s and two pauses of 50 and 100 ms came before it.
    expect(answer).toStrictEqual({ value: 3, sentAtMs: START_MS + 6_150, slow: true });
    expect(retrying.clock.now() - answer.sentAtMs).toBe(3_000);
  });

  it.each([
    [1_000, false],
    [1_001, true],
  ])('after %i ms calls slow: %j', async (ms, slow) => {
    const retrying = makeRetrying();
    const { call } = failing([], () => retrying.pass(ms));
    expect(await withRetries(retrying, policy, call)).toMatchObject({ slow, sentAtMs: START_MS });
  });
});
