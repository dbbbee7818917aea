// Lambda on the sandbox's port: Invoke in its three kinds, asynchronous delivery for the other services, queues as event sources.

import { randomUUID } from 'node:crypto';
import type { AwsAnswer, AwsRequest, AwsService } from '../aws-request.ts';
import type { SandboxClock } from '../clock.ts';
import type { Messaging } from '../messaging.ts';
import { type EventSourceSpec, type FunctionSpec, functionNameOf, type Stack } from '../stack.ts';
import { type AsynchronousInvocations, makeAsynchronousInvocations } from './asynchronous-invocations.ts';
import { type EventSource, startEventSource } from './event-source.ts';
import { type FunctionPool, type InvocationRecord, makeFunctionPool } from './function-pool.ts';
import { openProcessRegistry } from './process-registry.ts';

export interface LambdaOptions {
  clock: SandboxClock;
  endpoint: string;
  region: string;
  accountId: string;
  freeze: boolean;
  asyncRetryDelaysMs: readonly number[];
  deliver(arn: string, body: string, attributes?: Record<string, string>): Promise<void>;
  onProblem(message: string): void;
}

export interface Lambda {
  handle: AwsService;
  /** Begins to take messages from the queues: once everything else is in place. */
  start(): void;
  /** As another AWS service does it; refused with a `LambdaError` without a permission for it. */
  invokeAsService(functionArn: string, payload: string, principal: string, sourceArn: string): void;
  /** Calls through a function's URL. */
  pool(name: string): FunctionPool | undefined;
  /** The function whose process has this access key id. */
  poolOf(accessKeyId: string): FunctionPool | undefined;
  pools(): FunctionPool[];
  invocations(): InvocationRecord[];
  close(): Promise<void>;
}

export class LambdaError extends Error {
  readonly code: string;
  readonly status: number;
  constructor(code: string, status: number, message: string) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

/** SQS's own, for a queue that names none. */
const DEFAULT_VISIBILITY_SEC = 30;
const LOG_TAIL_BYTES = 4096;
const MAX_SYNCHRONOUS_BYTES = 6 * 1024 * 1024;
const MAX_ASYNCHRONOUS_BYTES = 1024 * 1024;

export function makeLambda(stack: Stack, messaging: Messaging, options: LambdaOptions): Lambda {
  const registry = openProcessRegistry();
  const invocations: InvocationRecord[] = [];
  const pools = new Map<string, FunctionPool>(
    stack.functions.map((spec) => [
      spec.name,
      makeFunctionPool(spec, {
        ...options,
        onSpawn: registry.add,
        onExit: registry.remove,
        onInvocation: (record) => invocations.push(record),
      }),
    ]),
  );
  const asynchronous: AsynchronousInvocations = makeAsynchronousInvocations({
    ...options,
    retryDelaysMs: options.asyncRetryDelaysMs,
  });

  const existing = (nameOrArn: string): FunctionPool => {
    const name = functionNameOf(nameOrArn);
    const pool = pools.get(name);
    if (pool !== undefined) return pool;
    const arn = `arn:aws:lambda:${options.region}:${options.accountId}:function:${name}`;
    throw new LambdaError('ResourceNotFoundException', 404, `Function not found: ${arn}`);
  };

  for (const source of stack.eventSources)
    requireLongEnoughVisibility(source, existing(source.functionName).spec, stack);
  let eventSources: EventSource[] = [];

  const invoke = async (request: AwsRequest): Promise<AwsAnswer> => {
    const requestId = randomUUID();
    const name = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/.exec(request.path)?.[1];
    if (name === undefined || request.method !== 'POST') {
      throw new LambdaError(
        'UnknownOperationException',
        404,
        'The sandbox knows one operation of Lambda: Invoke.',
      );
    }
    const pool = existing(decodeURIComponent(name));
    const payload = request.body.length === 0 ? '{}' : request.body.toString();
    const headers = { 'x-amzn-requestid': requestId, 'x-amz-executed-version': '$LATEST' };
    const type = String(request.headers['x-amz-invocation-type'] ?? 'RequestResponse');
    requireJson(payload);
    const maxBytes = type === 'Event' ? MAX_ASYNCHRONOUS_BYTES : MAX_SYNCHRONOUS_BYTES;
    if (request.body.length > maxBytes) {
      throw new LambdaError(
        'RequestEntityTooLargeException',
        413,
        `${request.body.length} byte payload is too large for the ${type} invocation type (limit ${maxBytes} bytes)`,
      );
    }
    switch (type) {
      case 'DryRun':
        return { status: 204, headers, body: '' };
      case 'Event':
        asynchronous.accept(pool, requestId, payload);
        return { status: 202, headers, body: '' };
      case 'RequestResponse': {
        const answer = await pool.invoke({ requestId, payload, attempt: 1, trigger: 'RequestResponse' });
        if (answer.kind === 'throttled')
          throw new LambdaError('TooManyRequestsException', 429, 'Rate Exceeded.');
        const tail = Buffer.from(answer.logs.join('\n')).subarray(-LOG_TAIL_BYTES).toString('base64');
        return {
          status: 200,
          headers: {
            ...headers,
            'content-type': 'application/json',
            ...(answer.outcome.kind === 'success' ? {} : { 'x-amz-function-error': 'Unhandled' }),
            ...(request.headers['x-amz-log-type'] === 'Tail' ? { 'x-amz-log-result': tail } : {}),
          },
          body: answer.outcome.payload,
        };
      }
      default:
        throw new LambdaError('InvalidParameterValueException', 400, `Unknown invocation type: ${type}`);
    }
  };

  return {
    handle: async (request) => {
      try {
        return await invoke(request);
      } catch (error) {
        if (error instanceof LambdaError) return toErrorAnswer(error);
        throw error;
      }
    },
    start: () => {
      eventSources = stack.eventSources.map((source) =>
        startEventSource(source, existing(source.functionName), messaging, options.onProblem),
      );
    },
    invokeAsService: (functionArn, payload, principal, sourceArn) => {
      const pool = existing(functionArn);
      const allowed = stack.permissions.some(
        (permission) =>
          permission.functionName === pool.spec.name &&
          permission.principal === principal &&
          arnMatches(permission.sourceArn, sourceArn) &&
          // EventBridge does not say for which account it calls, so a condition on it never holds.
          (permission.sourceAccount === undefined ||
            (principal !== 'events.amazonaws.com' && permission.sourceAccount === options.accountId)),
      );
      if (!allowed) {
        throw new LambdaError(
          'AccessDeniedException',
          403,
          `${principal} (${sourceArn}) has no permission to invoke ${pool.spec.arn}`,
        );
      }
      asynchronous.accept(pool, randomUUID(), payload);
    },
    pool: (name) => pools.get(name),
    poolOf: (accessKeyId) => [...pools.values()].find((pool) => pool.owns(accessKeyId)),
    pools: () => [...pools.values()],
    invocations: () => [...invocations],
    close: async () => {
      asynchronous.close();
      const closing = eventSources.map((source) => source.close());
      await Promise.all([...pools.values()].map((pool) => pool.close()));
      await Promise.all(closing);
      registry.close();
    },
  };
}

export function toErrorAnswer(error: LambdaError): AwsAnswer {
  return {
    status: error.status,
    headers: { 'content-type': 'application/json', 'x-amzn-errortype': error.code },
    body: JSON.stringify({ Type: 'User', Message: error.message, message: error.message }),
  };
}

/** Lambda refuses such a mapping too: the message would be back while it is still being worked on. */
function requireLongEnoughVisibility({ queueArn }: EventSourceSpec, spec: FunctionSpec, stack: Stack): void {
  const queue = stack.queues.find(({ arn }) => arn === queueArn);
  const visibilitySec = Number(queue?.attributes['VisibilityTimeout'] ?? DEFAULT_VISIBILITY_SEC);
  const timeoutSec = spec.timeoutMs / 1000;
  if (visibilitySec >= timeoutSec) return;
  throw new LambdaError(
    'InvalidParameterValueException',
    400,
    `Queue visibility timeout: ${visibilitySec} seconds is less than Function timeout: ${timeoutSec} seconds (${queueArn}, ${spec.name})`,
  );
}

function requireJson(payload: string): void {
  try {
    JSON.parse(payload);
  } catch (error) {
    throw new LambdaError(
      'InvalidRequestContentException',
      400,
      `Could not parse request body into json: ${String(error)}`,
    );
  }
}

/** A source ARN may end in wildcards. */
function arnMatches(pattern: string | undefined, arn: string): boolean {
  if (pattern === undefined) return true;
  const source = pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*');
  return new RegExp(`^${source}$`).test(arn);
}
