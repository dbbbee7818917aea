// Runs one function: reuses an idle execution environment, starts another when all are busy, throttles at the concurrency limit.

import type { SandboxClock } from '../clock.ts';
import type { FunctionSpec } from '../stack.ts';
import {
  type EnvironmentOptions,
  type ExecutionEnvironment,
  type InvocationResult,
  startExecutionEnvironment,
} from './execution-environment.ts';

export interface FunctionPool {
  spec: FunctionSpec;
  /** `throttled` when every environment is busy and no more may be started. */
  invoke(request: InvocationRequest): Promise<PoolAnswer>;
  owns(accessKeyId: string): boolean;
  /** Kills the process with this access key id, or every process; answers how many. */
  kill(accessKeyId?: string): Promise<number>;
  /** Kills every process, those that are just being started included; later invocations are throttled. */
  close(): Promise<void>;
  environments(): { accessKeyId: string; pid: number; state: string }[];
}

export type PoolAnswer = { kind: 'throttled' } | ({ kind: 'ran' } & InvocationResult);

export interface InvocationRequest {
  requestId: string;
  payload: string;
  attempt: number;
  trigger: 'RequestResponse' | 'Event' | 'SQS' | 'FunctionUrl';
}

export interface InvocationRecord extends InvocationRequest {
  function: string;
  accessKeyId: string;
  pid: number;
  startedAt: string;
  durationMs: number | null;
  initDurationMs: number | null;
  outcome: 'running' | InvocationResult['outcome']['kind'];
  errorType: string | null;
  response: string | null;
  logs: string[];
}

export interface PoolOptions
  extends Pick<EnvironmentOptions, 'endpoint' | 'region' | 'freeze' | 'onSpawn' | 'onExit'> {
  clock: SandboxClock;
  onInvocation(record: InvocationRecord): void;
}

/** Lambda starts up to 1,000 at once; so many processes would only bring a laptop down. */
const MAX_ENVIRONMENTS = 25;

export function makeFunctionPool(spec: FunctionSpec, options: PoolOptions): FunctionPool {
  const environments = new Set<ExecutionEnvironment>();
  /** Those that are being started count too: two invocations at once may not share the last free place. */
  let occupied = 0;
  let started = 0;
  let closed = false;
  const starting = new Set<Promise<ExecutionEnvironment>>();
  const limit = Math.min(spec.reservedConcurrency ?? MAX_ENVIRONMENTS, MAX_ENVIRONMENTS);
  const keyPrefix = `AKIASANDBOX${spec.name.replace(/[^a-z0-9]/gi, '').toUpperCase()}`;

  const start = async (): Promise<ExecutionEnvironment> => {
    started += 1;
    const promise = startExecutionEnvironment({
      ...options,
      spec,
      accessKeyId: `${keyPrefix}${String(started).padStart(4, '0')}`,
    });
    starting.add(promise);
    const environment = await promise.finally(() => starting.delete(promise));
    environments.add(environment);
    return environment;
  };

  const kill = async (accessKeyId?: string): Promise<number> => {
    const doomed = [...environments].filter(
      (environment) =>
        environment.state() !== 'ended' &&
        (accessKeyId === undefined || environment.accessKeyId === accessKeyId),
    );
    await Promise.all(doomed.map((environment) => environment.kill()));
    return doomed.length;
  };

  return {
    spec,
    invoke: async (request) => {
      if (closed || occupied >= limit) return { kind: 'throttled' };
      occupied += 1;
      try {
        for (const environment of environments)
          if (environment.state() === 'ended') environments.delete(environment);
        const idle = [...environments].find((environment) => environment.state() === 'idle');
        const environment = idle ?? (await start());
        const record: InvocationRecord = {
          ...request,
          function: spec.name,
          accessKeyId: environment.accessKeyId,
          pid: environment.pid,
          startedAt: new Date(options.clock.now()).toISOString(),
          durationMs: null,
          initDurationMs: null,
          outcome: 'running',
          errorType: null,
          response: null,
          logs: [],
        };
        options.onInvocation(record);
        const result = await environment.invoke(request.requestId, request.payload);
        const { outcome, durationMs, initDurationMs = null, logs } = result;
        Object.assign(record, {
          durationMs,
          initDurationMs,
          outcome: outcome.kind,
          errorType: outcome.kind === 'success' ? null : outcome.errorType,
          response: outcome.payload,
          logs,
        });
        return { kind: 'ran', ...result };
      } finally {
        occupied -= 1;
      }
    },
    owns: (accessKeyId) =>
      accessKeyId.startsWith(keyPrefix) && /^\d+$/.test(accessKeyId.slice(keyPrefix.length)),
    kill,
    close: async () => {
      closed = true;
      await Promise.allSettled([...starting]);
      await kill();
    },
    environments: () =>
      [...environments].map(({ accessKeyId, pid, state }) => ({ accessKeyId, pid, state: state() })),
  };
}
