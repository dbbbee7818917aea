/** Proves what is sent to SSM and Lambda for a hook, and what is made of every status, answer and error. */
import { type InvocationResponse, InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import {
  GetCommandInvocationCommand,
  type GetCommandInvocationResult,
  ListCommandInvocationsCommand,
  SendCommandCommand,
  SSMClient,
} from '@aws-sdk/client-ssm';
import { mockClient } from 'aws-sdk-client-mock';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Clock, HookOrder, Hooks } from '../../shared/app/ports.ts';
import { makeHooks } from '../../shared/aws/hooks.ts';
import type { InstanceId } from '../../shared/core/ids.ts';
import { awsError, brokenAnswer, makeRetrying, socketError, timeoutError } from './retrying.ts';

const STANDBY = 'i-0a1b2c3d4e5f60002' as InstanceId;
const COMMAND_ID = '0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f';
const TOKEN = 'orders-db.7/1/after.0';

const ssmClient = new SSMClient({ region: 'us-east-1' });
const lambdaClient = new LambdaClient({ region: 'us-east-1' });
const ssm = mockClient(ssmClient);
const lambda = mockClient(lambdaClient);
let retrying = makeRetrying();
let hooks: Hooks;
beforeEach(() => {
  ssm.reset();
  lambda.reset();
  retrying = makeRetrying();
  hooks = makeHooks({ ssm: ssmClient, lambda: lambdaClient }, retrying.clock);
});

const document: HookOrder = {
  command: {
    kind: 'document',
    name: 'promote-replica',
    parameters: { Token: [TOKEN], commands: ['pg_ctl promote', 'psql -c "select 1"'] },
    instance: STANDBY,
  },
  token: TOKEN,
  timeoutMs: 60_000,
};
const sent: HookOrder = { ...document, handle: COMMAND_ID };
const payload = { token: TOKEN, epoch: '7', service: 'orders-db' };
const fn: HookOrder = {
  command: { kind: 'function', name: 'eni-failover-hook-promote', payload },
  token: TOKEN,
  timeoutMs: 45_000,
};

const inputsOf = (calls: readonly { readonly args: readonly [{ readonly input: object }, ...unknown[]] }[]) =>
  calls.map((call) => call.args[0].input);

const mayPass: readonly [string, Error, string][] = [
  ['throttling', awsError('ThrottlingException', 400), 'ThrottlingException'],
  ['too many requests', awsError('TooManyRequestsException', 429), 'TooManyRequestsException'],
  ['an error of its own', awsError('InternalServerError', 500), 'InternalServerError'],
  ['an unknown 5xx', awsError('SomethingNew', 503), 'SomethingNew'],
  ['a timeout', timeoutError(), 'TimeoutError'],
  ['a connection that is refused', socketError('ECONNREFUSED'), 'ECONNREFUSED'],
  ['a good answer that cannot be read', brokenAnswer(), 'UnknownError'],
];

describe('a document', () => {
  it('is sent to its instance, with its parameters and the token where people look', async () => {
    ssm.on(SendCommandCommand).resolves({ Command: { CommandId: COMMAND_ID } });
    expect(await hooks.run(document)).toStrictEqual({ kind: 'running', handle: COMMAND_ID });
    expect(inputsOf(ssm.calls())).toStrictEqual([
      {
        DocumentName: 'promote-replica',
        InstanceIds: [STANDBY],
        Parameters: { Token: [TOKEN], commands: ['pg_ctl promote', 'psql -c "select 1"'] },
        Comment: `eni-failover ${TOKEN}`,
        TimeoutSeconds: 60,
      },
    ]);
  });
  it.each([
    ['what is left of the deadline', 44_100, 45],
    ['what SSM takes at least', 2_000, 30],
  ])('is delivered within %s, or not at all', async (_, timeoutMs, TimeoutSeconds) => {
    ssm.on(SendCommandCommand).resolves({ Command: { CommandId: COMMAND_ID } });
    await hooks.run({ ...document, timeoutMs });
    expect(inputsOf(ssm.calls())).toMatchObject([{ TimeoutSeconds }]);
  });
  it('has a comment that SSM takes, however long the name of its service is', async () => {
    ssm.on(SendCommandCommand).resolves({ Command: { CommandId: COMMAND_ID } });
    await hooks.run({ ...document, token: `${'x'.repeat(120)}.7/1/after.0` });
    const [input] = inputsOf(ssm.calls()) as readonly { readonly Comment: string }[];
    expect(input?.Comment).toHaveLength(100);
  });
  it('may have begun when the answer names no command', async () => {
    ssm.on(SendCommandCommand).resolves({});
    expect(await hooks.run(document)).toStrictEqual({ kind: 'unclear', code: 'EmptyAnswer' });
  });
  it.each([
    ...mayPass,
    // People see it for an agent that is restarting as well as for one that was never there.
    ['an instance that SSM cannot reach', awsError('InvalidInstanceId', 400), 'InvalidInstanceId'] as const,
  ])('may begin later after %s, and is not sent again by itself', async (_, error, code) => {
    ssm.on(SendCommandCommand).rejects(error);
    expect(await hooks.run(document)).toStrictEqual({ kind: 'unclear', code });
    expect(ssm.calls()).toHaveLength(1);
    expect(retrying.pauses).toEqual([]);
  });
  it.each([
    ['InvalidDocument', 400],
    ['InvalidDocumentVersion', 400],
    ['InvalidParameters', 400],
    ['UnsupportedPlatformType', 400],
    ['AccessDeniedException', 400],
    ['ExpiredTokenException', 400],
  ])('never begins after %s', async (code, status) => {
    ssm.on(SendCommandCommand).rejects(awsError(code, status, 'in its words'));
    expect(await hooks.run(document)).toStrictEqual({ kind: 'refused', code, detail: 'in its words' });
  });
});

describe('a document that was sent', () => {
  const seen = async (answer: GetCommandInvocationResult) => {
    ssm.on(GetCommandInvocationCommand).resolves(answer);
    return hooks.run(sent);
  };

  it('is asked for, and not sent again', async () => {
    await seen({ Status: 'InProgress' });
    expect(inputsOf(ssm.calls())).toStrictEqual([{ CommandId: COMMAND_ID, InstanceId: STANDBY }]);
  });
  it.each(['Pending', 'InProgress', 'Delayed', 'Cancelling', undefined] as const)(
    'is still running while its status is %s',
    async (Status) => {
      expect(await seen({ ...(Status && { Status }) })).toStrictEqual({
        kind: 'running',
        handle: COMMAND_ID,
      });
    },
  );
  it('is done on Success, with what it printed', async () => {
    const answer = {
      Status: 'Success',
      StandardOutputContent: 'promoted\n',
      StandardErrorContent: 'a warning',
    };
    expect(await seen(answer as GetCommandInvocationResult)).toStrictEqual({
      kind: 'done',
      output: 'promoted',
    });
  });
  it.each<[GetCommandInvocationResult, string]>([
    [
      {
        Status: 'Failed',
        StatusDetails: 'Failed',
        StandardOutputContent: 'trying\n',
        StandardErrorContent: 'no quorum\nfailed to run commands: exit status 3\n',
      },
      'Failed: no quorum\nfailed to run commands: exit status 3',
    ],
    [{ Status: 'Failed', StatusDetails: 'Failed', StandardOutputContent: 'no quorum' }, 'Failed: no quorum'],
    [{ Status: 'Failed', StatusDetails: 'Undeliverable' }, 'Undeliverable'],
    [{ Status: 'TimedOut', StatusDetails: 'DeliveryTimedOut' }, 'DeliveryTimedOut'],
    [{ Status: 'TimedOut', StatusDetails: 'ExecutionTimedOut' }, 'ExecutionTimedOut'],
    [{ Status: 'Cancelled', StatusDetails: 'Cancelled' }, 'Cancelled'],
    [{ Status: 'Cancelled' }, 'Cancelled'],
  ])('has failed after %j, and says how', async (answer, output) => {
    expect(await seen(answer)).toStrictEqual({ kind: 'failed', output });
  });
  it.each([
    ...mayPass,
    ['what cannot be seen yet', awsError('InvocationDoesNotExist', 400), 'InvocationDoesNotExist'] as const,
  ])('is asked for again after %s', async (_, error, code) => {
    ssm.on(GetCommandInvocationCommand).rejects(error);
    expect(await hooks.run(sent)).toStrictEqual({ kind: 'unclear', code });
    expect(ssm.calls()).toHaveLength(1);
  });
  it('is given up where nobody may ask for it', async () => {
    ssm.on(GetCommandInvocationCommand).rejects(awsError('AccessDeniedException', 400, 'in its words'));
    expect(await hooks.run(sent)).toMatchObject({ kind: 'refused', code: 'AccessDeniedException' });
  });
});

describe('a document of several steps', () => {
  beforeEach(() => {
    ssm.on(GetCommandInvocationCommand).rejects(awsError('InvalidPluginName', 400));
  });

  it('is asked for as a whole, for SSM names no step by itself', async () => {
    ssm.on(ListCommandInvocationsCommand).resolves({ CommandInvocations: [{ Status: 'InProgress' }] });
    expect(await hooks.run(sent)).toStrictEqual({ kind: 'running', handle: COMMAND_ID });
    expect(inputsOf(ssm.commandCalls(ListCommandInvocationsCommand))).toStrictEqual([
      { CommandId: COMMAND_ID, InstanceId: STANDBY, Details: true },
    ]);
  });
  it.each([{ CommandInvocations: [] }, {}])('is still running while SSM lists %j', async (answer) => {
    ssm.on(ListCommandInvocationsCommand).resolves(answer);
    expect(await hooks.run(sent)).toStrictEqual({ kind: 'running', handle: COMMAND_ID });
  });
  it('is done when all of it is, with what its last step printed', async () => {
    ssm.on(ListCommandInvocationsCommand).resolves({
      CommandInvocations: [
        {
          Status: 'Success',
          CommandPlugins: [{ Output: 'fetched' }, { Output: 'promoted\n' }, { Output: '' }],
        },
      ],
    });
    expect(await hooks.run(sent)).toStrictEqual({ kind: 'done', output: 'promoted' });
  });
  it('has failed when one of them has', async () => {
    ssm.on(ListCommandInvocationsCommand).resolves({
      CommandInvocations: [
        { Status: 'Failed', StatusDetails: 'Failed', CommandPlugins: [{ Output: 'fetched' }, {}] },
      ],
    });
    expect(await hooks.run(sent)).toStrictEqual({ kind: 'failed', output: 'Failed: fetched' });
  });
  it('is asked for again when the second question is not answered either', async () => {
    ssm.on(ListCommandInvocationsCommand).rejects(awsError('ThrottlingException', 400));
    expect(await hooks.run(sent)).toStrictEqual({ kind: 'unclear', code: 'ThrottlingException' });
  });
});

describe('a function', () => {
  const answering = (body: string, more: Partial<InvocationResponse> = {}) => {
    lambda.on(InvokeCommand).resolves({ StatusCode: 200, Payload: Buffer.from(body), ...more } as never);
    return hooks.run(fn);
  };

  it('is called and waited for, with its payload', async () => {
    await answering('{"status": "done"}');
    const [{ Payload, ...input } = {}, ...more] = lambda
      .commandCalls(InvokeCommand)
      .map((call) => call.args[0].input);
    expect(more).toEqual([]);
    expect(input).toStrictEqual({
      FunctionName: 'eni-failover-hook-promote',
      InvocationType: 'RequestResponse',
    });
    expect(JSON.parse(Buffer.from(Payload as Uint8Array).toString())).toStrictEqual(payload);
  });
  it.each([
    ['{"status": "done", "output": "promoted"}', { kind: 'done', output: 'promoted' }],
    ['{"status": "done"}', { kind: 'done', output: '' }],
    ['{"status": "done", "output": 7}', { kind: 'done', output: '' }],
    ['{"status": "failed", "output": "no quorum"}', { kind: 'failed', output: 'no quorum' }],
    ['{"status": "pending", "output": "20 %"}', { kind: 'running' }],
  ])('answers %s', async (body, answer) => {
    expect(await answering(body)).toStrictEqual(answer);
  });
  it.each(['{"status": "Success"}', '{}', 'null', '7', '"done"', 'done', ''])(
    'has failed when it answers %j, and is told what it must answer',
    async (body) => {
      expect(await answering(body)).toStrictEqual({
        kind: 'failed',
        output: `it must answer {"status": "done"}, "pending" or "failed"; it answered ${body}`,
      });
    },
  );
  it('has failed when it answers nothing', async () => {
    lambda.on(InvokeCommand).resolves({ StatusCode: 200 });
    expect(await hooks.run(fn)).toMatchObject({ kind: 'failed' });
  });
  it('is not quoted at length', async () => {
    const answer = await answering('x'.repeat(5_000));
    expect('output' in answer && answer.output.length).toBeLessThan(200);
  });
  it.each([
    [
      '{"errorType": "Error", "errorMessage": "no quorum", "trace": ["Error: no quorum", "    at …"]}',
      'Error: no quorum',
    ],
    [
      '{"errorMessage": "2026-11-21 Task timed out after 3.00 seconds"}',
      '2026-11-21 Task timed out after 3.00 seconds',
    ],
    ['{"errorType": "Runtime.ExitError"}', 'Unhandled: {"errorType": "Runtime.ExitError"}'],
    ['null', 'Unhandled: null'],
    ['killed', 'Unhandled: killed'],
  ])('has failed when it throws %s, in its own words', async (body, output) => {
    expect(await answering(body, { FunctionError: 'Unhandled' })).toStrictEqual({ kind: 'failed', output });
  });
  it.each([
    ...mayPass,
    [
      'an update of the function',
      awsError('ResourceConflictException', 409),
      'ResourceConflictException',
    ] as const,
    ['its first start', awsError('SnapStartNotReadyException', 409), 'SnapStartNotReadyException'] as const,
    ['a network of its own', awsError('ENINotReadyException', 502), 'ENINotReadyException'] as const,
    ['throttling by EC2', awsError('EC2ThrottledException', 502), 'EC2ThrottledException'] as const,
  ])('may have begun after %s, and is not called again by itself', async (_, error, code) => {
    lambda.on(InvokeCommand).rejects(error);
    expect(await hooks.run(fn)).toStrictEqual({ kind: 'unclear', code });
    expect(lambda.calls()).toHaveLength(1);
  });
  it.each([
    ['ResourceNotFoundException', 404],
    ['AccessDeniedException', 403],
    ['InvalidParameterValueException', 400],
    ['RequestTooLargeException', 413],
    ['ModeNotSupportedException', 400],
    // Nothing but a change of the function ends these, whatever their status says.
    ['KMSAccessDeniedException', 502],
    ['InvalidRuntimeException', 502],
    ['InvalidSubnetIDException', 502],
  ])('never begins after %s', async (code, status) => {
    lambda.on(InvokeCommand).rejects(awsError(code, status, 'in its words'));
    expect(await hooks.run(fn)).toStrictEqual({ kind: 'refused', code, detail: 'in its words' });
  });
});

describe('the time that a function has', () => {
  /** A clock on which time passes only when it is told to, and a function that never answers. */
  function never() {
    const timers: {
      readonly ms: number;
      readonly ring: () => void;
      readonly signal: AbortSignal | undefined;
    }[] = [];
    const clock: Clock = {
      now: () => 0,
      sleep: (ms, signal) => new Promise((resolve) => timers.push({ ms, ring: resolve, signal })),
    };
    const send = (_: unknown, { abortSignal }: { readonly abortSignal: AbortSignal }) =>
      new Promise((_resolve, reject) => {
        abortSignal.addEventListener('abort', () =>
          reject(Object.assign(new Error('Request aborted'), { name: 'AbortError' })),
        );
      });
    const silent = { send } as unknown as Pick<LambdaClient, 'send'>;
    return { timers, hooks: makeHooks({ ssm: ssmClient, lambda: silent }, clock) };
  }

  it('ends by the clock that tests turn: it may have begun', async () => {
    const { timers, hooks: slow } = never();
    const answer = slow.run({ ...fn, timeoutMs: 1_234 });
    expect(timers.map((each) => each.ms)).toEqual([1_234]);
    timers[0]?.ring();
    expect(await answer).toStrictEqual({ kind: 'unclear', code: 'AbortError' });
  });
  it('leaves no timer behind when it answers', async () => {
    const timers: AbortSignal[] = [];
    const clock: Clock = {
      now: () => 0,
      sleep: (_, signal) => {
        if (signal) timers.push(signal);
        return new Promise(() => undefined);
      },
    };
    lambda.on(InvokeCommand).resolves({ Payload: Buffer.from('{"status": "done"}') as never });
    await makeHooks({ ssm: ssmClient, lambda: lambdaClient }, clock).run(fn);
    expect(timers.map((each) => each.aborted)).toEqual([true]);
  });
});
