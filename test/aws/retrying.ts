/** What tests of the adapters share: a clock that jumps instead of waiting, and errors as the SDK throws them. */
import type { Retrying } from '../../shared/aws/retry.ts';

export interface VirtualRetrying extends Retrying {
  /** The pauses between attempts, in order. */
  readonly pauses: readonly number[];
  /** Time that passes while a call is under way. */
  pass(ms: number): void;
}

export const START_MS = Date.parse('2026-11-21T02:11:30.000Z');

export function makeRetrying(random: () => number = () => 0): VirtualRetrying {
  let nowMs = START_MS;
  const pauses: number[] = [];
  return {
    pauses,
    pass: (ms) => {
      nowMs += ms;
    },
    random,
    clock: {
      now: () => nowMs,
      sleep: async (ms) => {
        pauses.push(ms);
        nowMs += ms;
      },
    },
  };
}

/** An answer of AWS that is an error: its code is the name, and it came with an HTTP status. */
export const awsError = (code: string, httpStatusCode: number, message = `AWS says ${code}`): Error =>
  Object.assign(new Error(message), { name: code, $metadata: { httpStatusCode, attempts: 1 } });

/** No answer at all: the SDK's timeout, or an error of the socket, which keeps its code beside the name. */
export const timeoutError = (): Error =>
  Object.assign(new Error('a request has exceeded its requestTimeout'), {
    name: 'TimeoutError',
    $metadata: { attempts: 1, totalRetryDelay: 0 },
  });
export const socketError = (code: string): Error =>
  Object.assign(new Error(`connect ${code}`), { code, $metadata: { attempts: 1, totalRetryDelay: 0 } });

/** The connection broke off after a good status line: the call took effect, its answer cannot be read. */
export const brokenAnswer = (code?: string): Error =>
  Object.assign(new Error('Deserialization error: unexpected end of input'), {
    ...(code && { code }),
    $metadata: { httpStatusCode: 200, attempts: 1 },
  });
