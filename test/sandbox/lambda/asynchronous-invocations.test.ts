// Asynchronous invocations are retried as Lambda retries them, and what is given up is reported in Lambda's own shape.

import { describe, expect, it } from 'vitest';
import { makeAsynchronousInvocations } from '../../../sandbox/lambda/asynchronous-invocations.ts';
import type { FunctionPool, PoolAnswer } from '../../../sandbox/lambda/function-pool.ts';
import type { FunctionSpec } from '../../../sandbox/stack.ts';
import { makeManualClock } from '../manual-clock.ts';

const SPEC: FunctionSpec = {
  name: 'f',
  arn: 'arn:aws:lambda:us-east-1:000000000000:function:f',
  codePath: '/',
  handler: 'handler.handler',
  memoryMb: 128,
  timeoutMs: 1_000,
  environment: {},
  asynchronous: {
    maximumRetryAttempts: 2,
    maximumEventAgeMs: 3_600_000,
    onFailureArn: 'arn:aws:sqs:failures',
  },
};

const ran = (outcome: Extract<PoolAnswer, { kind: 'ran' }>['outcome']): PoolAnswer => ({
  kind: 'ran',
  outcome,
  logs: [],
  durationMs: 1,
});
const SUCCESS = ran({ kind: 'success', payload: '"done"' });
const ERROR = ran({
  kind: 'error',
  errorType: 'RangeError',
  payload: '{"errorType":"RangeError","errorMessage":"boom","trace":[]}',
});
const THROTTLED: PoolAnswer = { kind: 'throttled' };

function setUp(answers: PoolAnswer[], spec: FunctionSpec = SPEC) {
  const clock = makeManualClock();
  const startMs = clock.now();
  const attempts: { atMs: number; requestId: string; attempt: number }[] = [];
  const delivered: { arn: string; body: unknown; attributes: unknown }[] = [];
  const pool = {
    spec,
    invoke: async ({ requestId, attempt }) => {
      attempts.push({ atMs: clock.now() - startMs, requestId, attempt });
      return answers.shift() ?? SUCCESS;
    },
  } as FunctionPool;
  const invocations = makeAsynchronousInvocations({
    clock,
    retryDelaysMs: [60_000, 120_000],
    deliver: async (arn, body, attributes) =>
      void delivered.push({ arn, body: JSON.parse(body), attributes }),
    onProblem: (message) => {
      throw new Error(message);
    },
  });
  invocations.accept(pool, 'r-1', '{"n":1}');
  return { clock, attempts, delivered, invocations };
}

describe('an asynchronous invocation', () => {
  it('runs once when it succeeds', async () => {
    const { clock, attempts, delivered } = setUp([SUCCESS]);
    await clock.advance(600_000);
    expect(attempts).toEqual([{ atMs: 0, requestId: 'r-1', attempt: 1 }]);
    expect(delivered).toEqual([]);
  });

  it('runs again after one minute and two, under the same request id', async () => {
    const { clock, attempts } = setUp([ERROR, ERROR, SUCCESS]);
    await clock.advance(600_000);
    expect(attempts).toEqual([
      { atMs: 0, requestId: 'r-1', attempt: 1 },
      { atMs: 60_000, requestId: 'r-1', attempt: 2 },
      { atMs: 180_000, requestId: 'r-1', attempt: 3 },
    ]);
  });

  it('leaves a record at the on-failure destination when its retries are used up', async () => {
    const { clock, delivered } = setUp([ERROR, ERROR, ERROR]);
    await clock.advance(600_000);
    expect(delivered).toEqual([
      {
        arn: 'arn:aws:sqs:failures',
        attributes: undefined,
        body: {
          version: '1.0',
          timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
          requestContext: {
            requestId: 'r-1',
            functionArn: 'arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST',
            condition: 'RetriesExhausted',
            approximateInvokeCount: 3,
          },
          requestPayload: { n: 1 },
          responseContext: { statusCode: 200, executedVersion: '$LATEST', functionError: 'Unhandled' },
          responsePayload: { errorType: 'RangeError', errorMessage: 'boom', trace: [] },
        },
      },
    ]);
  });

  it('is not retried where the function says so', async () => {
    const { clock, attempts } = setUp([ERROR], {
      ...SPEC,
      asynchronous: { ...SPEC.asynchronous, maximumRetryAttempts: 0 },
    });
    await clock.advance(600_000);
    expect(attempts).toHaveLength(1);
  });

  it('is given up when it grows too old', async () => {
    const { clock, delivered } = setUp([ERROR], {
      ...SPEC,
      asynchronous: { ...SPEC.asynchronous, maximumEventAgeMs: 59_000 },
    });
    await clock.advance(600_000);
    expect(delivered).toMatchObject([
      { body: { requestContext: { condition: 'EventAgeExceeded', approximateInvokeCount: 1 } } },
    ]);
  });

  it('waits while the function is throttled, which counts as no attempt', async () => {
    const { clock, attempts } = setUp([THROTTLED, THROTTLED, SUCCESS]);
    await clock.advance(600_000);
    expect(attempts.map(({ atMs, attempt }) => [atMs, attempt])).toEqual([
      [0, 1],
      [1_000, 1],
      [3_000, 1],
    ]);
  });

  it('goes to the dead-letter queue as it came', async () => {
    const { clock, delivered } = setUp([ERROR, ERROR, ERROR], { ...SPEC, deadLetterArn: 'arn:aws:sqs:dead' });
    await clock.advance(600_000);
    expect(delivered[1]).toEqual({
      arn: 'arn:aws:sqs:dead',
      body: { n: 1 },
      attributes: { RequestID: 'r-1', ErrorCode: '200', ErrorMessage: 'boom' },
    });
  });

  it('is forgotten at the sandbox’s end', async () => {
    const { clock, attempts, invocations } = setUp([ERROR, ERROR]);
    await clock.advance(0);
    invocations.close();
    await clock.advance(600_000);
    expect(attempts).toHaveLength(1);
  });
});
