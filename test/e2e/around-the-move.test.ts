/** The built bundle fences, promotes and waits for the service to answer, in that order, also when it dies on the way. */
import { PutMetricAlarmCommand, SetAlarmStateCommand } from '@aws-sdk/client-cloudwatch';
import { afterEach, describe, expect, it } from 'vitest';
import type { ServiceName } from '../../shared/core/ids.ts';
import { openStage, type Stage } from './stage.ts';

const name = 'orders-db' as ServiceName;
const answers = `arn:aws:cloudwatch:us-east-1:000000000000:alarm:${name}-answers`;
const declaredWith = (within: string) => ({
  policy: { fence: 'stop' },
  hooks: {
    after: [
      {
        document: 'promote-replica',
        on: 'target',
        parameters: { Token: ['@token@'], Epoch: ['@epoch@'], From: ['@source@'] },
      },
    ],
  },
  serving: { alarm: answers, within },
});

interface Ec2Call {
  readonly atMs: number;
  readonly operation: string;
  readonly input: Readonly<Record<string, unknown>>;
  readonly caller: string;
}
interface Command {
  readonly at: string;
  readonly instanceId: string;
  readonly input: { readonly Parameters: Readonly<Record<string, readonly string[]>> };
}
interface Attachment {
  readonly at: string;
  readonly instanceId: string;
  readonly status: string;
}

let stage: Stage | undefined;
afterEach(async () => {
  await stage?.sandbox.close();
  stage = undefined;
});

const setServing = (at: Stage, StateValue: 'OK' | 'ALARM') =>
  at.cloudwatch.send(
    new SetAlarmStateCommand({ AlarmName: `${name}-answers`, StateValue, StateReason: 'the test' }),
  );

/** The service answers once its replica is promoted, or never. */
async function open({ answers: doesAnswer = true, within = '30s' } = {}): Promise<Stage> {
  stage = await openStage({
    name,
    declared: declaredWith(within),
    async prepare(at) {
      await at.cloudwatch.send(
        new PutMetricAlarmCommand({
          AlarmName: `${name}-answers`,
          Namespace: 'orders',
          MetricName: 'Unanswered',
          Statistic: 'Maximum',
          Period: 60,
          EvaluationPeriods: 1,
          Threshold: 1,
          ComparisonOperator: 'GreaterThanOrEqualToThreshold',
        }),
      );
      await setServing(at, 'ALARM');
      at.sandbox.ssm.register({
        name: 'promote-replica',
        parameters: ['Token', 'Epoch', 'From'],
        async run() {
          if (doesAnswer) await setServing(at, 'OK');
          return { status: 'Success', output: 'promoted\n' };
        },
      });
    },
  });
  return stage;
}

/** What the trail says of the one episode that there must be, once its notice is out. */
const closed = (at: Stage) =>
  at.until(async () => {
    const state = await at.ports.store.read(name);
    const item = state.kind === 'known' ? state.value : undefined;
    if (!item || item.episode || item.frozen || item.outbox.length > 0) return undefined;
    const rows = (await at.ports.store.trail(name, 1, 50)).filter((each) => each.kind === 'episode');
    if (rows.length === 0) return undefined;
    expect(rows).toHaveLength(1);
    return JSON.parse(rows[0]?.body ?? '') as {
      readonly outcome: string;
      readonly epoch: number;
      readonly episode: { readonly stages: Readonly<Record<string, object>> };
    };
  });

async function noticeOf(at: Stage) {
  const messages =
    await at.get<readonly { readonly subject: string; readonly message: string }[]>('sns/messages');
  return messages.find((each) => each.message.includes('Episode: orders-db.1'));
}

/** What the sandbox itself saw, oldest first: stops, detaches, attachments that came, and documents. */
async function happened(at: Stage) {
  const calls = await at.get<readonly Ec2Call[]>('ec2/calls');
  const attachments = await at.get<readonly Attachment[]>('ec2/attachments');
  const commands = await at.get<readonly Command[]>('ssm/commands');
  const from = calls.find((each) => each.operation === 'StopInstances')?.atMs ?? 0;
  const seen = [
    ...calls
      .filter((each) => /^(Stop|Detach)/.test(each.operation))
      .map((each) => ({ atMs: each.atMs, what: each.operation })),
    ...attachments
      .filter((each) => each.status === 'attached')
      .map((each) => ({ atMs: Date.parse(each.at), what: `attached to ${each.instanceId}` })),
    ...commands.map((each) => ({ atMs: Date.parse(each.at), what: `promote-replica on ${each.instanceId}` })),
  ];
  const since = seen.filter((each) => each.atMs >= from).toSorted((one, other) => one.atMs - other.atMs);
  return since.map((each) => each.what);
}

describe('a service that fences, promotes and must answer', { timeout: 60_000 }, () => {
  it('is moved in that order, and the trail and the notice name every stage', async () => {
    const at = await open();
    const [source = '', standby = ''] = at.instances;

    await at.post('ec2/impair', { instanceId: source, check: 'system' });
    const record = await closed(at);

    expect(record).toMatchObject({
      outcome: 'COMPLETED',
      epoch: 1,
      episode: {
        stages: {
          fence: { end: 'done', output: `${source} is stopped` },
          '1/after.0': { end: 'done', output: 'promoted' },
          '1/serving': { end: 'done', output: 'the alarm is OK' },
        },
      },
    });
    expect(await happened(at)).toEqual([
      'StopInstances',
      'DetachNetworkInterface',
      'DetachNetworkInterface',
      `attached to ${standby}`,
      `attached to ${standby}`,
      `promote-replica on ${standby}`,
    ]);
    const calls = await at.get<readonly Ec2Call[]>('ec2/calls');
    expect(calls.find((each) => each.operation === 'StopInstances')?.input).toMatchObject({
      InstanceIds: [source],
      Force: true,
      SkipOsShutdown: true,
    });
    const [command] = await at.get<readonly Command[]>('ssm/commands');
    expect(command?.input.Parameters).toEqual({
      Token: ['orders-db.1/1/after.0'],
      Epoch: ['1'],
      From: [source],
    });
    const notice = await noticeOf(at);
    expect(notice?.message).toContain('fence: done');
    expect(notice?.message).toMatch(/1\/after\.0: done after .* s: promoted/);
    expect(notice?.message).toContain('1/serving: done');
  });

  it('is attached, and a person is called, when it does not answer', async () => {
    const at = await open({ answers: false, within: '5s' });
    const [source = '', standby = ''] = at.instances;

    await at.post('ec2/impair', { instanceId: source, check: 'system' });
    const record = await closed(at);

    expect(record).toMatchObject({
      outcome: 'ATTACHED',
      episode: { stages: { '1/serving': { end: 'timed-out', output: 'the alarm is ALARM' } } },
    });
    expect(await at.holders()).toEqual([standby, standby]);
    expect((await noticeOf(at))?.message).toContain('but not serving');
  });

  it('is promoted by a function, which is asked until it is done', async () => {
    stage = await openStage({
      name,
      declared: { hooks: { after: [{ function: 'eni-failover-hook-promote' }] } },
      resources: `
  Promote:
    Type: AWS::Serverless::Function
    Metadata: { SkipBuild: true }
    Properties:
      FunctionName: eni-failover-hook-promote
      CodeUri: test/e2e/fixtures/hook
      Handler: handler.handler
      MemorySize: 128
      Timeout: 10
`,
    });
    const [source = '', standby = ''] = stage.instances;

    await stage.post('ec2/impair', { instanceId: source, check: 'system' });
    const record = await closed(stage);

    expect(record).toMatchObject({
      outcome: 'COMPLETED',
      episode: {
        stages: {
          '1/after.0': {
            end: 'done',
            output: `${standby} promoted over ${source} in epoch 1, asked 3 times`,
          },
        },
      },
    });
  });

  it('is promoted under the same token when the function dies after sending the document', async () => {
    const at = await open();
    const [source = '', standby = ''] = at.instances;
    await at.post('lambda/kill', {
      function: 'FailoverFunction',
      when: { after: { service: 'ssm', operation: 'SendCommand', times: 1, answer: 'lost' } },
    });

    await at.post('ec2/impair', { instanceId: source, check: 'system' });
    const record = await closed(at);

    expect(record).toMatchObject({ outcome: 'COMPLETED', epoch: 2 });
    const commands = await at.get<readonly Command[]>('ssm/commands');
    expect(
      commands.map((each) => [
        each.instanceId,
        each.input.Parameters['Token'],
        each.input.Parameters['Epoch'],
      ]),
    ).toEqual([
      [standby, ['orders-db.1/1/after.0'], ['1']],
      [standby, ['orders-db.1/1/after.0'], ['2']],
    ]);
    expect(await at.holders()).toEqual([standby, standby]);
  });
});
