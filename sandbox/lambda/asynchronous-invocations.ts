// Lambda's asynchronous invocations: accepted at once, retried on error, given up by count or age, and reported to a destination.

import type { SandboxClock } from '../clock.ts';
import type { InvocationOutcome } from './execution-environment.ts';
import type { FunctionPool } from './function-pool.ts';

export interface AsynchronousOptions {
  clock: SandboxClock;
  /** Before the first and the second retry; AWS takes one minute and two. */
  retryDelaysMs: readonly number[];
  /** Sends a destination record or a dead letter to a queue or a topic. */
  deliver(arn: string, body: string, attributes?: Record<string, string>): Promise<void>;
  onProblem(message: string): void;
}

interface AsynchronousEvent {
  requestId: string;
  payload: string;
  acceptedAtMs: number;
  invokeCount: number;
  throttles: number;
  lastFailure?: Exclude<InvocationOutcome, { kind: 'success' }>;
}

const FIRST_THROTTLE_DELAY_MS = 1_000;
const MAX_THROTTLE_DELAY_MS = 300_000;

export interface AsynchronousInvocations {
  accept(pool: FunctionPool, requestId: string, payload: string): void;
  /** Forgets what waits for a retry. */
  close(): void;
}

export function makeAsynchronousInvocations(options: AsynchronousOptions): AsynchronousInvocations {
  const { clock, retryDelaysMs, deliver } = options;
  const waiting = new Set<() => void>();
  let closed = false;

  const later = (delayMs: number, run: () => Promise<void>): void => {
    if (closed) return;
    const cancel = clock.after(delayMs, () => {
      waiting.delete(cancel);
      run().catch((error: unknown) => options.onProblem(String(error)));
    });
    waiting.add(cancel);
  };

  const attempt = async (pool: FunctionPool, event: AsynchronousEvent): Promise<void> => {
    const { asynchronous } = pool.spec;
    if (clock.now() - event.acceptedAtMs > asynchronous.maximumEventAgeMs)
      return giveUp(pool, event, 'EventAgeExceeded');
    const answer = await pool.invoke({
      requestId: event.requestId,
      payload: event.payload,
      attempt: event.invokeCount + 1,
      trigger: 'Event',
    });
    if (closed) return;
    if (answer.kind === 'throttled') {
      const delayMs = Math.min(FIRST_THROTTLE_DELAY_MS * 2 ** event.throttles, MAX_THROTTLE_DELAY_MS);
      return later(delayMs, () => attempt(pool, { ...event, throttles: event.throttles + 1 }));
    }
    const invokeCount = event.invokeCount + 1;
    if (answer.outcome.kind === 'success') {
      if (asynchronous.onSuccessArn === undefined) return;
      const record = toDestinationRecord(pool, { ...event, invokeCount }, 'Success', answer.outcome);
      return deliver(asynchronous.onSuccessArn, record);
    }
    const failed: AsynchronousEvent = { ...event, invokeCount, lastFailure: answer.outcome };
    if (invokeCount > asynchronous.maximumRetryAttempts) return giveUp(pool, failed, 'RetriesExhausted');
    later(retryDelaysMs[invokeCount - 1] ?? retryDelaysMs.at(-1) ?? 0, () => attempt(pool, failed));
  };

  const giveUp = async (pool: FunctionPool, event: AsynchronousEvent, condition: string): Promise<void> => {
    const { asynchronous, deadLetterArn } = pool.spec;
    if (asynchronous.onFailureArn !== undefined) {
      await deliver(
        asynchronous.onFailureArn,
        toDestinationRecord(pool, event, condition, event.lastFailure),
      );
    }
    if (deadLetterArn !== undefined) {
      const message = event.lastFailure === undefined ? condition : errorMessageOf(event.lastFailure.payload);
      await deliver(deadLetterArn, event.payload, {
        RequestID: event.requestId,
        ErrorCode: '200',
        ErrorMessage: message,
      });
    }
  };

  const toDestinationRecord = (
    pool: FunctionPool,
    event: AsynchronousEvent,
    condition: string,
    outcome: InvocationOutcome | undefined,
  ): string =>
    JSON.stringify({
      version: '1.0',
      timestamp: new Date(clock.now()).toISOString(),
      requestContext: {
        requestId: event.requestId,
        functionArn: `${pool.spec.arn}:$LATEST`,
        condition,
        approximateInvokeCount: event.invokeCount,
      },
      requestPayload: JSON.parse(event.payload) as unknown,
      // An event that grew too old before its first attempt has no response to show.
      ...(outcome === undefined
        ? {}
        : {
            responseContext: {
              statusCode: 200,
              executedVersion: '$LATEST',
              ...(outcome.kind === 'success' ? {} : { functionError: 'Unhandled' }),
            },
            responsePayload: JSON.parse(outcome.payload) as unknown,
          }),
    });

  return {
    accept: (pool, requestId, payload) =>
      later(0, () =>
        attempt(pool, { requestId, payload, acceptedAtMs: clock.now(), invokeCount: 0, throttles: 0 }),
      ),
    close: () => {
      closed = true;
      for (const cancel of waiting) cancel();
      waiting.clear();
    },
  };
}

function errorMessageOf(payload: string): string {
  return (JSON.parse(payload) as { errorMessage?: string }).errorMessage ?? '';
}
