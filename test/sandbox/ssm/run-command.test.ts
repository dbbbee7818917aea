// What becomes of a command: delivered or not, answered or not, on a clock that moves only when told to.

import type { SendCommandRequest } from '@aws-sdk/client-ssm';
import { describe, expect, it } from 'vitest';
import type { DocumentCall, DocumentResult, SsmDocument } from '../../../sandbox/ssm/document.ts';
import { makeRunCommand } from '../../../sandbox/ssm/run-command.ts';
import { SsmError } from '../../../sandbox/ssm/send-command-input.ts';
import { makeLab, seededRandom } from '../ec2/lab.ts';

const times = { visibleAfterMs: 300, deliveryMs: 500 };

function setUp(document: Partial<SsmDocument> = {}) {
  const lab = makeLab({ latency: 'instant' });
  const { clock, model: ec2 } = lab;
  const ssm = makeRunCommand({ clock, random: seededRandom(1), ec2, accountId: '000000000000', times });
  const calls: DocumentCall[] = [];
  const run = (call: DocumentCall): DocumentResult => {
    calls.push(call);
    return { status: 'Success', output: 'promoted' };
  };
  ssm.register({ name: 'promote', parameters: ['Token'], executionTimeoutSec: 60, run, ...document });
  const instance = lab.instance();
  const send = (input: Partial<SendCommandRequest> = {}): string => {
    const sent = ssm.sendCommand({ DocumentName: 'promote', InstanceIds: [instance], ...input }, 'test');
    return sent.Command?.CommandId ?? '';
  };
  const look = (CommandId: string) => ssm.getCommandInvocation({ CommandId, InstanceId: instance });
  const advance = async (ms: number) => {
    clock.advance(ms);
    // The document's promise, then what waits for it.
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { ...lab, ssm, calls, instance, send, look, advance };
}

const codeOf = (attempt: () => unknown): string => {
  try {
    attempt();
    return 'ok';
  } catch (error) {
    if (error instanceof SsmError) return error.code;
    throw error;
  }
};

describe('a command', () => {
  it('cannot be looked at yet, then is pending, then runs in the guest and says what came of it', async () => {
    const { advance, calls, instance, look, send } = setUp();
    const id = send({ Parameters: { Token: ['orders-db.7/1/after.0'] } });
    expect(codeOf(() => look(id))).toBe('InvocationDoesNotExist');
    await advance(300);
    expect(look(id)).toMatchObject({ Status: 'Pending', StatusDetails: 'Pending', ResponseCode: -1 });
    await advance(200);
    expect(look(id)).toMatchObject({
      Status: 'Success',
      StatusDetails: 'Success',
      ResponseCode: 0,
      StandardOutputContent: 'promoted',
    });
    expect(calls).toEqual([
      { commandId: id, instanceId: instance, parameters: { Token: ['orders-db.7/1/after.0'] } },
    ]);
  });

  it.each<[string, SsmDocument['run'], object]>([
    [
      'fails',
      () => ({ status: 'Failed', output: 'half', error: 'no disk', responseCode: 32 }),
      { ResponseCode: 32, StandardOutputContent: 'half', StandardErrorContent: 'no disk' },
    ],
    [
      'throws',
      () => {
        throw new Error('no such file');
      },
      { ResponseCode: 1, StandardErrorContent: 'no such file' },
    ],
    ['is rejected', () => Promise.reject(new Error('gone')), { StandardErrorContent: 'gone' }],
  ])('is Failed when its document %s', async (_how, run, expected) => {
    const { advance, look, send } = setUp({ run });
    const id = send();
    await advance(500);
    expect(look(id)).toMatchObject({ Status: 'Failed', StatusDetails: 'Failed', ...expected });
  });

  it('is InProgress for as long as its document says that it took', async () => {
    const { advance, look, send } = setUp({
      run: () => ({ status: 'Success', output: '', tookMs: 8_000 }),
    });
    const id = send();
    await advance(500);
    await advance(7_999);
    expect(look(id).Status).toBe('InProgress');
    await advance(1);
    expect(look(id)).toMatchObject({ Status: 'Success', ExecutionElapsedTime: 'PT8S' });
  });

  it('shows the first 24,000 characters of its output', async () => {
    const { advance, look, send, ssm } = setUp({
      run: () => ({ status: 'Success', output: 'x'.repeat(30_000) }),
    });
    const id = send();
    await advance(500);
    expect(look(id).StandardOutputContent).toHaveLength(24_000);
    expect(ssm.commands()[0]?.output).toHaveLength(30_000);
  });

  it('times out when its document does not end, and tells the document', async () => {
    const signals: AbortSignal[] = [];
    const run: SsmDocument['run'] = (_call, signal) => {
      signals.push(signal);
      return new Promise(() => undefined);
    };
    const { advance, look, send } = setUp({ run });
    const id = send();
    await advance(500);
    await advance(59_999);
    expect(look(id)).toMatchObject({ Status: 'InProgress', ResponseCode: -1 });
    await advance(1);
    expect(look(id)).toMatchObject({ Status: 'TimedOut', StatusDetails: 'ExecutionTimedOut' });
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
  });

  it('takes its execution timeout from the parameter of that name', async () => {
    const { advance, look, send } = setUp({
      parameters: ['executionTimeout'],
      run: () => new Promise(() => undefined),
    });
    const id = send({ Parameters: { executionTimeout: ['5'] } });
    await advance(500);
    await advance(5_000);
    expect(look(id).StatusDetails).toBe('ExecutionTimedOut');
  });
});

describe('a command to a guest that does not answer', () => {
  it('waits for it, and runs when it is back', async () => {
    const { advance, calls, instance, look, model, send } = setUp();
    model.impair(instance, 'instance');
    const id = send();
    await advance(20_000);
    expect(look(id).Status).toBe('Pending');
    model.recover(instance);
    await advance(0);
    expect(look(id).Status).toBe('Success');
    expect(calls).toHaveLength(1);
  });

  it('does not begin after its time, and is given up when it could not have ended either', async () => {
    const { advance, calls, instance, look, model, send } = setUp();
    model.impair(instance, 'system');
    const id = send({ TimeoutSeconds: 30 });
    await advance(30_000);
    model.recover(instance);
    await advance(59_999);
    expect(look(id).Status).toBe('Pending');
    await advance(1);
    expect(look(id)).toMatchObject({ Status: 'TimedOut', StatusDetails: 'DeliveryTimedOut' });
    expect(calls).toEqual([]);
  });

  it('has its answer held back until the guest is heard again', async () => {
    const { advance, instance, look, model, send } = setUp({
      run: () => ({ status: 'Success', output: 'done', tookMs: 1_000 }),
    });
    const id = send();
    await advance(500);
    model.impair(instance, 'instance');
    await advance(10_000);
    expect(look(id)).toMatchObject({ Status: 'InProgress', StandardOutputContent: '' });
    model.recover(instance);
    expect(look(id)).toMatchObject({ Status: 'Success', StandardOutputContent: 'done' });
  });

  it('never has an answer when the instance stops under it: it stays InProgress until its time is up', async () => {
    const { advance, instance, look, model, send } = setUp({
      run: () => ({ status: 'Success', output: 'done', tookMs: 1_000 }),
    });
    const id = send();
    await advance(500);
    model.execute('StopInstances', { InstanceIds: [instance] });
    await advance(10_000);
    model.execute('StartInstances', { InstanceIds: [instance] });
    await advance(10_000);
    expect(look(id).Status).toBe('InProgress');
    await advance(40_000);
    expect(look(id).StatusDetails).toBe('ExecutionTimedOut');
  });
});

describe('GetCommandInvocation', () => {
  it.each<[string, object, string]>([
    ['an instance that it was not sent to', { InstanceId: 'i-0123456789abcdef0' }, 'InvocationDoesNotExist'],
    ['a command that does not exist', { CommandId: 'none' }, 'InvocationDoesNotExist'],
    ['a step of the document', { PluginName: 'aws:runShellScript' }, 'InvalidPluginName'],
  ])('refuses %s', async (_what, input, code) => {
    const { advance, instance, send, ssm } = setUp();
    const asked = { CommandId: send(), InstanceId: instance, ...input };
    await advance(500);
    expect(codeOf(() => ssm.getCommandInvocation(asked))).toBe(code);
  });
});

describe('CancelCommand', () => {
  it.each([
    ['before it was delivered', 0, undefined, 'Cancelled'],
    ['while it runs', 500, undefined, 'Cancelled'],
    ['while it runs where nobody hears', 500, 'system', 'Cancelling'],
  ] as const)('%s', async (_when, afterMs, impaired, expected) => {
    const { advance, instance, look, model, send, ssm } = setUp({ run: () => new Promise(() => undefined) });
    const CommandId = send();
    await advance(afterMs);
    if (impaired !== undefined) model.impair(instance, impaired);
    ssm.cancelCommand({ CommandId });
    await advance(500);
    expect(look(CommandId).Status).toBe(expected);
  });

  it('of a command that does not exist is refused', () => {
    expect(codeOf(() => setUp().ssm.cancelCommand({ CommandId: 'none' }))).toBe('InvalidCommandId');
  });
});

describe('SendCommand refuses', () => {
  it.each<[string, Partial<SendCommandRequest>, string]>([
    ['a document that nobody registered', { DocumentName: 'none' }, 'InvalidDocument'],
    ['a version of it that does not exist', { DocumentVersion: '7' }, 'InvalidDocumentVersion'],
    ['a parameter that it does not declare', { Parameters: { Tokens: ['x'] } }, 'InvalidParameters'],
    ['an instance that does not exist', { InstanceIds: ['i-0123456789abcdef0'] }, 'InvalidInstanceId'],
    ['no instance', { InstanceIds: [] }, 'ValidationException'],
    ['too short a time', { TimeoutSeconds: 29 }, 'ValidationException'],
    ['what the sandbox does not know', { MaxErrors: '1' }, 'ValidationException'],
  ])('%s', (_what, input, code) => {
    const { calls, send } = setUp();
    expect(codeOf(() => send(input))).toBe(code);
    expect(calls).toEqual([]);
  });

  it('the same instance twice', () => {
    const { instance, send } = setUp();
    expect(codeOf(() => send({ InstanceIds: [instance, instance] }))).toBe('DuplicateInstanceId');
  });

  it('an instance that is stopped, whose agent is not connected', () => {
    const { instance, model, send, settle } = setUp();
    model.execute('StopInstances', { InstanceIds: [instance] });
    settle();
    expect(codeOf(send)).toBe('InvalidInstanceId');
  });
});
