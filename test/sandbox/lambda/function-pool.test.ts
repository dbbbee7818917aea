// A function runs in processes of its own, as Lambda runs it: kept warm, frozen, killed at the timeout, one invocation at a time.

import { execFileSync } from 'node:child_process';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { realClock } from '../../../sandbox/clock.ts';
import {
  type FunctionPool,
  type InvocationRecord,
  makeFunctionPool,
} from '../../../sandbox/lambda/function-pool.ts';
import type { FunctionSpec } from '../../../sandbox/stack.ts';

const SPEC: FunctionSpec = {
  name: 'probe-function',
  arn: 'arn:aws:lambda:us-east-1:000000000000:function:probe-function',
  codePath: fileURLToPath(new URL('../fixtures/functions/probe', import.meta.url)),
  handler: 'handler.handler',
  memoryMb: 96,
  timeoutMs: 20_000,
  environment: { OWN: 'mine' },
  asynchronous: { maximumRetryAttempts: 2, maximumEventAgeMs: 1 },
};

const cleanUps: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

function setUp(overrides: Partial<FunctionSpec> = {}, freeze = false) {
  const records: InvocationRecord[] = [];
  const pids: number[] = [];
  const pool = makeFunctionPool(
    { ...SPEC, ...overrides },
    {
      clock: realClock(),
      endpoint: 'http://127.0.0.1:1',
      region: 'us-east-1',
      freeze,
      onSpawn: (pid) => pids.push(pid),
      onExit: () => undefined,
      onInvocation: (record) => records.push(record),
    },
  );
  cleanUps.push(() => pool.close());
  return { pool, records, pids };
}

async function run(pool: FunctionPool, request: object, requestId = 'r-1') {
  const answer = await pool.invoke({
    requestId,
    payload: JSON.stringify(request),
    attempt: 1,
    trigger: 'RequestResponse',
  });
  if (answer.kind === 'throttled') throw new Error('throttled');
  return { ...answer.outcome, response: JSON.parse(answer.outcome.payload), logs: answer.logs };
}

/** Holds invocations that `wait`, until it lets them go. */
async function makeGate() {
  const waiting: ServerResponse[] = [];
  let arrived: () => void = () => undefined;
  const server = createServer((_request, response) => {
    waiting.push(response);
    arrived();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanUps.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    held: async (count: number) => {
      while (waiting.length < count) {
        await new Promise<void>((resolve) => {
          arrived = resolve;
        });
      }
    },
    release: () => {
      for (const response of waiting) response.end('"released"');
    },
  };
}

/** As `ps` shows it: T is stopped. */
const processState = (pid: number) =>
  execFileSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).trim();
const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe('a function', () => {
  it('answers what its handler returns, and logs what it printed', async () => {
    const { pool, records } = setUp();
    const answer = await run(pool, { do: 'print', lines: ['first', 'second'] });
    expect(answer.kind).toBe('success');
    expect(answer.logs.toSorted()).toEqual(['first', 'second', 'to standard error']);
    expect(records).toMatchObject([
      { function: 'probe-function', outcome: 'success', attempt: 1, errorType: null, logs: answer.logs },
    ]);
  });

  it('keeps its process between invocations', async () => {
    const { pool, pids } = setUp();
    await run(pool, { do: 'count' });
    expect((await run(pool, { do: 'count' })).response).toMatchObject({ invocations: 2 });
    expect(pids).toHaveLength(1);
  });

  it('has the environment, the memory and the identity that it is given', async () => {
    const { pool } = setUp();
    const variable = async (name: string) => (await run(pool, { do: 'environment', name })).response;
    expect(await variable('OWN')).toBe('mine');
    expect(await variable('AWS_ENDPOINT_URL')).toBe('http://127.0.0.1:1');
    expect(await variable('AWS_REGION')).toBe('us-east-1');
    expect(await variable('AWS_ACCESS_KEY_ID')).toBe('AKIASANDBOXPROBEFUNCTION0001');
    expect(await variable('AWS_LAMBDA_FUNCTION_NAME')).toBe('probe-function');
    expect(await variable('HOME')).toBeNull();
    expect((await run(pool, { do: 'options' })).response).toEqual(['--max-old-space-size=96']);
  });

  it('gets the context of its invocation', async () => {
    const { pool } = setUp();
    const { response } = await run(pool, { do: 'context' }, 'r-42');
    expect(response).toMatchObject({
      awsRequestId: 'r-42',
      functionName: 'probe-function',
      invokedFunctionArn: SPEC.arn,
      memoryLimitInMB: '96',
    });
    expect(response.remainingMs).toBeGreaterThan(0);
    expect(response.remainingMs).toBeLessThanOrEqual(20_000);
  });

  it('reports what its handler throws, and lives on', async () => {
    const { pool, pids } = setUp();
    const failed = await run(pool, { do: 'throw', message: 'boom' });
    expect(failed).toMatchObject({
      kind: 'error',
      errorType: 'RangeError',
      response: { errorType: 'RangeError', errorMessage: 'boom' },
    });
    expect((await run(pool, { do: 'count' })).kind).toBe('success');
    expect(pids).toHaveLength(1);
  });

  it('is killed at its timeout, and a new process takes the next invocation', async () => {
    const { pool, pids } = setUp({ timeoutMs: 300 });
    const timedOut = await run(pool, { do: 'hang' });
    expect(timedOut).toMatchObject({ kind: 'timeout', errorType: 'Sandbox.Timedout' });
    expect(timedOut.response.errorMessage).toBe('RequestId: r-1 Error: Task timed out after 0.30 seconds');
    expect(isAlive(pids[0] ?? 0)).toBe(false);
    expect((await run(pool, { do: 'count' })).response).toMatchObject({ invocations: 1, pid: pids[1] });
  });

  it('reports a process that ends in the middle of an invocation', async () => {
    const { pool } = setUp();
    const ended = await run(pool, { do: 'exit' });
    expect(ended).toMatchObject({ kind: 'exit', errorType: 'Runtime.ExitError' });
    expect(ended.response.errorMessage).toContain('exit status 3');
  });

  it('reports a promise that is rejected without anybody to handle it', async () => {
    const { pool } = setUp();
    expect(await run(pool, { do: 'reject' })).toMatchObject({
      kind: 'error',
      errorType: 'Runtime.UnhandledPromiseRejection',
    });
  });

  it.each([
    ['a bundle that is not there', { codePath: '/nowhere' }, 'Runtime.ImportModuleError'],
    ['a handler that is not exported', { handler: 'handler.none' }, 'Runtime.HandlerNotFound'],
  ])('reports %s', async (_name, overrides, errorType) => {
    const { pool } = setUp(overrides);
    expect(await run(pool, {})).toMatchObject({ kind: 'error', errorType });
  });

  it('gets a second process when two invocations overlap, and both are reused', async () => {
    const { pool, pids } = setUp();
    const gate = await makeGate();
    const both = [
      run(pool, { do: 'wait', url: gate.url }, 'r-1'),
      run(pool, { do: 'wait', url: gate.url }, 'r-2'),
    ];
    await gate.held(2);
    gate.release();
    await Promise.all(both);
    await run(pool, { do: 'count' });
    expect(pids).toHaveLength(2);
  });

  it('is throttled beyond its reserved concurrency', async () => {
    const { pool } = setUp({ reservedConcurrency: 1 });
    const gate = await makeGate();
    const first = run(pool, { do: 'wait', url: gate.url });
    await gate.held(1);
    const second = await pool.invoke({ requestId: 'r-2', payload: '{}', attempt: 1, trigger: 'Event' });
    expect(second).toEqual({ kind: 'throttled' });
    gate.release();
    await first;
  });

  it('is frozen between invocations and thawed for the next, with all that it remembers', async () => {
    const { pool, pids } = setUp({}, true);
    await run(pool, { do: 'count' });
    expect(processState(pids[0] ?? 0)).toMatch(/^T/);
    expect((await run(pool, { do: 'count' })).response).toMatchObject({ invocations: 2, pid: pids[0] });
    expect(processState(pids[0] ?? 0)).toMatch(/^T/);
  });

  it('leaves no process behind when it is closed, busy, idle or frozen', async () => {
    const frozen = setUp({}, true);
    await run(frozen.pool, { do: 'count' });
    const busy = setUp();
    const gate = await makeGate();
    const killed = run(busy.pool, { do: 'wait', url: gate.url });
    await gate.held(1);
    await Promise.all([frozen.pool.close(), busy.pool.close()]);
    expect([...frozen.pids, ...busy.pids].filter(isAlive)).toEqual([]);
    expect(await killed).toMatchObject({ kind: 'exit', errorType: 'Runtime.ExitError' });
  });
});
