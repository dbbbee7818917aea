// One Lambda execution environment: a process of its own with a Runtime API of its own, one invocation at a time, dead at its timeout.

import { type ChildProcess, spawn } from 'node:child_process';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { SandboxClock } from '../clock.ts';
import type { FunctionSpec } from '../stack.ts';

export interface EnvironmentOptions {
  spec: FunctionSpec;
  /** Names the caller in every AWS request that this process makes. */
  accessKeyId: string;
  endpoint: string;
  region: string;
  clock: SandboxClock;
  /** Stops the process while it has nothing to do, as Lambda does between invocations. */
  freeze: boolean;
  onSpawn(pid: number): void;
  onExit(pid: number): void;
}

export type InvocationOutcome =
  | { kind: 'success'; payload: string }
  /** The handler failed, or the process could not load it. */
  | { kind: 'error'; payload: string; errorType: string }
  | { kind: 'timeout'; payload: string; errorType: string }
  /** The process ended in the middle of the invocation. */
  | { kind: 'exit'; payload: string; errorType: string };

export interface InvocationResult {
  outcome: InvocationOutcome;
  logs: string[];
  durationMs: number;
  /** Of the first invocation of a process only. */
  initDurationMs?: number;
}

export interface ExecutionEnvironment {
  accessKeyId: string;
  pid: number;
  state(): 'starting' | 'idle' | 'busy' | 'ended';
  /** Only while `starting` or `idle`, and one at a time. */
  invoke(requestId: string, payload: string): Promise<InvocationResult>;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
}

interface CurrentInvocation {
  requestId: string;
  payload: string;
  logs: string[];
  handedAtMs: number | undefined;
  /** What the runtime posted; it stands once the runtime asks for more work, or ends. */
  posted: InvocationOutcome | undefined;
  timedOut: boolean;
  cancelTimeout: () => void;
  resolve(result: InvocationResult): void;
}

const BOOTSTRAP = fileURLToPath(new URL('bootstrap.mjs', import.meta.url));

export async function startExecutionEnvironment(options: EnvironmentOptions): Promise<ExecutionEnvironment> {
  const { spec, clock } = options;
  const startedAtMs = clock.now();
  let state: 'starting' | 'idle' | 'busy' | 'ended' = 'starting';
  let initDurationMs: number | undefined;
  let waitingRuntime: ServerResponse | undefined;
  let current: CurrentInvocation | undefined;

  const settle = (outcome: InvocationOutcome): void => {
    if (current === undefined) return;
    const { logs, handedAtMs, cancelTimeout, resolve } = current;
    cancelTimeout();
    current = undefined;
    const durationMs = clock.now() - (handedAtMs ?? startedAtMs);
    resolve({ outcome, logs, durationMs, ...(initDurationMs === undefined ? {} : { initDurationMs }) });
    initDurationMs = undefined;
  };

  const hand = (): void => {
    if (current === undefined || waitingRuntime === undefined) return;
    const invocation = current;
    const runtime = waitingRuntime;
    waitingRuntime = undefined;
    if (options.freeze) child.kill('SIGCONT');
    invocation.handedAtMs = clock.now();
    invocation.cancelTimeout = clock.after(spec.timeoutMs, () => {
      invocation.timedOut = true;
      child.kill('SIGKILL');
    });
    runtime.writeHead(200, {
      'content-type': 'application/json',
      'lambda-runtime-aws-request-id': invocation.requestId,
      'lambda-runtime-deadline-ms': String(invocation.handedAtMs + spec.timeoutMs),
      'lambda-runtime-invoked-function-arn': spec.arn,
      'lambda-runtime-trace-id': `Root=1-${Math.floor(invocation.handedAtMs / 1000).toString(16)}-${invocation.requestId.replaceAll('-', '').slice(0, 24)};Sampled=0`,
    });
    runtime.end(invocation.payload);
  };

  const onNext = (response: ServerResponse): void => {
    waitingRuntime = response;
    if (state === 'starting') initDurationMs = clock.now() - startedAtMs;
    if (current !== undefined && current.handedAtMs === undefined) {
      state = 'busy';
      hand();
      return;
    }
    if (options.freeze) child.kill('SIGSTOP');
    state = 'idle';
    if (current?.posted !== undefined) settle(current.posted);
  };

  const onRuntimeRequest = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await bodyOf(request);
    // What the function printed before this request lies in the pipes; it is read before the immediates run.
    await new Promise(setImmediate);
    const path = (request.url ?? '').replace('/2018-06-01/runtime/', '');
    if (path === 'invocation/next') return onNext(response);
    const errorType = String(request.headers['lambda-runtime-function-error-type'] ?? 'Error');
    const known =
      path === 'init/error' ||
      path === `invocation/${current?.requestId}/error` ||
      path === `invocation/${current?.requestId}/response`;
    if (known && current !== undefined) {
      current.posted = path.endsWith('/response')
        ? { kind: 'success', payload: body }
        : { kind: 'error', payload: body, errorType };
    }
    response.writeHead(known ? 202 : 403, { 'content-type': 'application/json' });
    response.end(
      known ? '{"status":"OK"}' : '{"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}',
    );
  };

  const runtimeApi = await listen((request, response) => {
    // A killed process takes its sockets with it; there is nobody left to answer then.
    onRuntimeRequest(request, response).catch(() => response.destroy());
  });

  const child = spawnRuntime(options, (runtimeApi.address() as AddressInfo).port);
  const pid = child.pid ?? 0;
  if (child.pid !== undefined) options.onSpawn(pid);
  const printLine = (line: string): void => void current?.logs.push(line);
  const flushLines = [child.stdout, child.stderr].map((stream) => splitLines(stream, printLine));

  const ended = new Promise<void>((resolve) => {
    const end = (code: number | null, signal: NodeJS.Signals | null): void => {
      state = 'ended';
      for (const flush of flushLines) flush();
      settle(outcomeOfExit(current, spec, code, signal));
      options.onExit(pid);
      runtimeApi.closeAllConnections();
      runtimeApi.close(() => resolve());
    };
    child.once('close', end);
    child.once('error', (error) => {
      printLine(error.message);
      if (child.pid === undefined) end(null, null);
    });
  });

  return {
    accessKeyId: options.accessKeyId,
    pid,
    state: () => state,
    invoke: (requestId, payload) =>
      new Promise((resolve) => {
        current = {
          requestId,
          payload,
          logs: [],
          handedAtMs: undefined,
          posted: undefined,
          timedOut: false,
          cancelTimeout: () => undefined,
          resolve,
        };
        if (state === 'ended') return settle(outcomeOfExit(current, spec, null, null));
        if (state === 'idle') state = 'busy';
        hand();
      }),
    kill: async () => {
      // SIGKILL ends a stopped process too.
      child.kill('SIGKILL');
      await ended;
    },
  };
}

function outcomeOfExit(
  current: CurrentInvocation | undefined,
  spec: FunctionSpec,
  code: number | null,
  signal: NodeJS.Signals | null,
): InvocationOutcome {
  if (current?.posted !== undefined) return current.posted;
  const prefix = `RequestId: ${current?.requestId} Error: `;
  if (current?.timedOut) {
    const seconds = (spec.timeoutMs / 1000).toFixed(2);
    return failure('timeout', 'Sandbox.Timedout', `${prefix}Task timed out after ${seconds} seconds`);
  }
  const how = signal === null ? `exit status ${code}` : `signal: ${signal === 'SIGKILL' ? 'killed' : signal}`;
  return failure('exit', 'Runtime.ExitError', `${prefix}Runtime exited with error: ${how}`);
}

function failure(kind: 'timeout' | 'exit', errorType: string, errorMessage: string): InvocationOutcome {
  return { kind, errorType, payload: JSON.stringify({ errorType, errorMessage }) };
}

function spawnRuntime(options: EnvironmentOptions, runtimeApiPort: number) {
  const { spec, accessKeyId, endpoint, region } = options;
  return spawn(process.execPath, [`--max-old-space-size=${spec.memoryMb}`, BOOTSTRAP], {
    cwd: process.cwd(),
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...spec.environment,
      PATH: process.env['PATH'],
      LANG: 'en_US.UTF-8',
      TZ: 'UTC',
      _HANDLER: spec.handler,
      LAMBDA_TASK_ROOT: spec.codePath,
      AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${runtimeApiPort}`,
      AWS_LAMBDA_FUNCTION_NAME: spec.name,
      AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(spec.memoryMb),
      AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${spec.name}`,
      AWS_LAMBDA_LOG_STREAM_NAME: `sandbox/[$LATEST]${accessKeyId}`,
      AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
      AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
      AWS_REGION: region,
      AWS_DEFAULT_REGION: region,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: 'sandbox',
      AWS_SESSION_TOKEN: 'sandbox',
      AWS_ENDPOINT_URL: endpoint,
    },
  });
}

/** Calls `onLine` for each whole line; the answer hands over what is left at the end. */
function splitLines(stream: NonNullable<ChildProcess['stdout']>, onLine: (line: string) => void): () => void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
  });
  return () => {
    if (rest !== '') onLine(rest);
    rest = '';
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

function listen(onRequest: (request: IncomingMessage, response: ServerResponse) => void): Promise<Server> {
  const server = createServer(onRequest);
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => resolve(server));
  });
}
