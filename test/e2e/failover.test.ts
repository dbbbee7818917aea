/** The built bundles, from a real event to the interfaces on the standby, over AWS's wire protocols. */
import { readFileSync } from 'node:fs';
import { PutMetricAlarmCommand, SetAlarmStateCommand } from '@aws-sdk/client-cloudwatch';
import { StopInstancesCommand } from '@aws-sdk/client-ec2';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterEach, describe, expect, it } from 'vitest';
import type { ServiceName } from '../../shared/core/ids.ts';
import { verifyChain } from '../../shared/core/trail.ts';
import { realHash } from '../../shared/runtime/clock.ts';
import { openStage, type Stage } from './stage.ts';

interface Message {
  readonly subject: string;
  readonly message: string;
}
interface Invocation {
  readonly function: string;
  readonly outcome: string;
}

const name = 'orders-db' as ServiceName;
let stage: Stage | undefined;

async function open(options: { readonly alarm?: boolean } = {}): Promise<Stage> {
  stage = await openStage({ name, ...options });
  return stage;
}

afterEach(async () => {
  await stage?.sandbox.close();
  stage = undefined;
});

const seenOn = (at: Stage, instance: string | undefined) =>
  at.until(async () => ((await at.holders()).every((each) => each === instance) ? true : undefined));

const episodes = async (at: Stage) =>
  (await at.ports.store.trail(name, 1, 50)).filter((each) => each.kind === 'episode');

/** The end of an episode: recorded, copied, and its notice out. */
const closed = (at: Stage) =>
  at.until(async () => {
    const state = await at.ports.store.read(name);
    const rows = await episodes(at);
    const item = state.kind === 'known' ? state.value : undefined;
    return rows.length > 0 && item && !item.frozen && item.outbox.length === 0 ? { rows, item } : undefined;
  });

const messages = (at: Stage) => at.get<readonly Message[]>('sns/messages');

describe('the built bundle', { timeout: 60_000 }, () => {
  it('moves both interfaces when the status-check alarm of their holder goes off', async () => {
    const at = await open();
    const [source, standby] = at.instances;

    await at.post('ec2/impair', { instanceId: source, check: 'system' });
    await seenOn(at, standby);
    const { rows, item } = await closed(at);

    expect(rows).toHaveLength(1);
    expect(JSON.parse(rows[0]?.body ?? '')).toMatchObject({ outcome: 'COMPLETED', service: name });
    expect(item.quarantine).toHaveProperty(source ?? '');
    const trail = await at.ports.store.trail(name, 1, 50);
    expect(verifyChain(trail, realHash.sha256, item.trail.head)).toEqual([]);
    const notice = (await messages(at)).find((each) => each.subject.includes('failover to'));
    expect(notice?.message).toContain(item.trail.head);
  });

  it('moves them when the holder is stopped, without any alarm', async () => {
    const at = await open({ alarm: false });
    const [source = '', standby] = at.instances;

    await at.ec2.send(new StopInstancesCommand({ InstanceIds: [source] }));
    await seenOn(at, standby);

    const { rows } = await closed(at);
    expect(rows).toHaveLength(1);
  });

  it('moves them when an alarm names the function as its action', async () => {
    const at = await open({ alarm: false });
    const [source = '', standby] = at.instances;
    await at.cloudwatch.send(
      new PutMetricAlarmCommand({
        AlarmName: 'direct',
        Namespace: 'AWS/EC2',
        MetricName: 'StatusCheckFailed_System',
        Dimensions: [{ Name: 'InstanceId', Value: source }],
        Statistic: 'Maximum',
        Period: 60,
        EvaluationPeriods: 1,
        Threshold: 1,
        ComparisonOperator: 'GreaterThanOrEqualToThreshold',
        AlarmActions: [
          `arn:aws:lambda:us-east-1:000000000000:function:${at.sandbox.stack.outputs['FailoverFunctionName']}`,
        ],
      }),
    );

    await at.post('ec2/impair', { instanceId: source, check: 'system' });
    await seenOn(at, standby);

    const { rows } = await closed(at);
    expect(rows).toHaveLength(1);
  });

  it('leaves them alone when an alarm says failed and EC2 says healthy', async () => {
    const at = await open();
    const [source] = at.instances;

    await at.cloudwatch.send(
      new SetAlarmStateCommand({ AlarmName: `${name}-system`, StateValue: 'ALARM', StateReason: 'by hand' }),
    );
    await at.until(async () => {
      const invocations = await at.get<readonly Invocation[]>('lambda/invocations');
      return invocations.some((each) => each.outcome === 'success') ? true : undefined;
    });

    expect(await at.holders()).toEqual([source, source]);
    expect(await episodes(at)).toEqual([]);
  });

  it('keeps a malformed event at the on-failure destination and moves nothing', async () => {
    const at = await open();
    const [source] = at.instances;
    const event = JSON.parse(
      readFileSync(
        new URL('../fixtures/events/ec2-instance-state-change-stopping.json', import.meta.url),
        'utf8',
      ),
    ) as { detail: Record<string, unknown>; time: string };
    event.time = new Date().toISOString();
    event.detail['instance-id'] = 'not an instance';

    await at.post('events', event);
    const sqs = new SQSClient({ endpoint: at.sandbox.endpoint, region: at.sandbox.region });
    const queue = at.sandbox.stack.physicalIds['FailedEvents'] ?? '';
    await at.until(async () => {
      const answer = await sqs.send(
        new GetQueueAttributesCommand({ QueueUrl: queue, AttributeNames: ['ApproximateNumberOfMessages'] }),
      );
      return answer.Attributes?.['ApproximateNumberOfMessages'] === '1' ? true : undefined;
    });

    expect(await at.holders()).toEqual([source, source]);
  });

  it('goes on where a killed process left the interfaces on nothing', async () => {
    const at = await open();
    const [source, standby] = at.instances;
    await at.post('lambda/kill', {
      function: 'FailoverFunction',
      when: { after: { operation: 'DetachNetworkInterface', times: 2, answer: 'lost' } },
    });

    await at.post('ec2/impair', { instanceId: source, check: 'system' });
    await seenOn(at, standby);
    const { rows } = await closed(at);

    expect(rows).toHaveLength(1);
    expect(JSON.parse(rows[0]?.body ?? '')).toMatchObject({ outcome: 'COMPLETED', epoch: 2 });
  });

  it('finds by the sweep what no event told', async () => {
    const at = await open({ alarm: false });
    const [source = '', standby] = at.instances;
    // Without an event and without an alarm: the sweep waits for `confirm`, so a declared alarm stands in.
    await at.cloudwatch.send(
      new PutMetricAlarmCommand({
        AlarmName: 'unheard',
        Namespace: 'AWS/EC2',
        MetricName: 'StatusCheckFailed_System',
        Dimensions: [{ Name: 'InstanceId', Value: source }],
        Statistic: 'Maximum',
        Period: 60,
        EvaluationPeriods: 1,
        Threshold: 1,
        ComparisonOperator: 'GreaterThanOrEqualToThreshold',
      }),
    );
    await at.post('faults', { service: 'lambda', operation: 'Invoke', code: 'ServiceException', times: 30 });
    await at.post('ec2/impair', { instanceId: source, check: 'system' });
    await at.until(async () => {
      const events = await at.get<readonly unknown[]>('events');
      return events.length > 0 ? true : undefined;
    });
    await fetch(`${at.sandbox.endpoint}/_sandbox/faults`, { method: 'DELETE' });

    const lambda = new LambdaClient({ endpoint: at.sandbox.endpoint, region: at.sandbox.region });
    await lambda.send(
      new InvokeCommand({ FunctionName: at.sandbox.stack.physicalIds['SweepFunction'] ?? '' }),
    );
    await seenOn(at, standby);

    expect((await closed(at)).rows).toHaveLength(1);
  });
});
