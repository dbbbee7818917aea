/** Proves what is asked of CloudWatch, and that an alarm which was not read is never taken for one that is gone. */
import { CloudWatchClient, DescribeAlarmsCommand } from '@aws-sdk/client-cloudwatch';
import { mockClient } from 'aws-sdk-client-mock';
import { beforeEach, describe, expect, it } from 'vitest';
import { makeAlarms } from '../../shared/aws/alarms.ts';
import type { AlarmArn } from '../../shared/core/ids.ts';
import { awsError, makeRetrying, START_MS, timeoutError, type VirtualRetrying } from './retrying.ts';

const arnOf = (name: string, region = 'us-east-1') =>
  `arn:aws:cloudwatch:${region}:123456789012:alarm:${name}` as AlarmArn;
const SYSTEM = arnOf('orders-db-system');
const UNHEALTHY = arnOf('orders-db-unhealthy');
const AT = new Date('2026-11-21T02:10:00Z');
const AlarmTypes = ['MetricAlarm', 'CompositeAlarm'];

const client = new CloudWatchClient({ region: 'us-east-1' });
const aws = mockClient(client);
let retrying: VirtualRetrying;
let alarms: ReturnType<typeof makeAlarms>;
beforeEach(() => {
  aws.reset();
  retrying = makeRetrying();
  alarms = makeAlarms(client, retrying);
});
const inputs = (): readonly object[] => aws.calls().map((call) => call.args[0].input as object);

describe('describe', () => {
  it('asks by name for both kinds of alarms', async () => {
    aws.on(DescribeAlarmsCommand).resolves({
      MetricAlarms: [{ AlarmArn: SYSTEM, StateValue: 'ALARM', StateTransitionedTimestamp: AT }],
      CompositeAlarms: [
        {
          AlarmArn: UNHEALTHY,
          StateValue: 'OK',
          StateTransitionedTimestamp: AT,
          ActionsSuppressedBy: 'WaitPeriod',
        },
      ],
    });
    const answer = await alarms.describe([SYSTEM, UNHEALTHY]);
    expect(inputs()).toStrictEqual([
      { AlarmNames: ['orders-db-system', 'orders-db-unhealthy'], AlarmTypes, MaxRecords: 100 },
    ]);
    expect(answer).toStrictEqual({
      value: new Map([
        [SYSTEM, { arn: SYSTEM, state: 'ALARM', transitionedAtMs: AT.getTime(), suppressedBy: undefined }],
        [
          UNHEALTHY,
          { arn: UNHEALTHY, state: 'OK', transitionedAtMs: AT.getTime(), suppressedBy: 'WaitPeriod' },
        ],
      ]),
      sentAtMs: START_MS,
      slow: false,
    });
  });
  it('takes for the time of a change when the state changed, not when anything was updated', async () => {
    const alarm = { AlarmArn: SYSTEM, StateValue: 'ALARM' as const, StateUpdatedTimestamp: new Date() };
    aws.on(DescribeAlarmsCommand).resolves({
      MetricAlarms: [{ ...alarm, StateTransitionedTimestamp: AT }],
      CompositeAlarms: [{ ...alarm, AlarmArn: UNHEALTHY }],
    });
    const { value } = await alarms.describe([SYSTEM, UNHEALTHY]);
    expect(value.get(SYSTEM)?.transitionedAtMs).toBe(AT.getTime());
    expect(value.get(UNHEALTHY)?.transitionedAtMs).toBeUndefined();
  });
  it.each([
    ['OK', 'OK'],
    ['ALARM', 'ALARM'],
    ['INSUFFICIENT_DATA', 'INSUFFICIENT_DATA'],
    ['SOMETHING_NEW', 'INSUFFICIENT_DATA'],
    [undefined, 'INSUFFICIENT_DATA'],
  ])('takes the state %j for %s', async (StateValue, state) => {
    const alarm = { AlarmArn: SYSTEM, ...(StateValue && { StateValue: StateValue as 'OK' }) };
    aws.on(DescribeAlarmsCommand).resolves({ MetricAlarms: [alarm], CompositeAlarms: [] });
    expect((await alarms.describe([SYSTEM])).value.get(SYSTEM)?.state).toBe(state);
  });
  it('asks for a name as it is, colons, blanks and all', async () => {
    aws.on(DescribeAlarmsCommand).resolves({ MetricAlarms: [], CompositeAlarms: [] });
    await alarms.describe([arnOf('odd :alarm: näme/1')]);
    expect(inputs()).toStrictEqual([{ AlarmNames: ['odd :alarm: näme/1'], AlarmTypes, MaxRecords: 100 }]);
  });
  it('takes an alarm of the same name elsewhere for none of those asked about', async () => {
    const elsewhere = arnOf('orders-db-system', 'eu-west-1');
    aws.on(DescribeAlarmsCommand).resolves({
      MetricAlarms: [{ AlarmArn: SYSTEM, StateValue: 'ALARM' }],
      CompositeAlarms: [],
    });
    expect((await alarms.describe([elsewhere])).value.size).toBe(0);
  });
  it('asks for a hundred at a time', async () => {
    const arns = Array.from({ length: 201 }, (_, index) => arnOf(`alarm-${index}`));
    aws.on(DescribeAlarmsCommand).callsFake(({ AlarmNames }: { AlarmNames: string[] }) => ({
      MetricAlarms: AlarmNames.map((name) => ({ AlarmArn: arnOf(name), StateValue: 'OK' })),
      CompositeAlarms: [],
    }));
    expect([...(await alarms.describe(arns)).value.keys()]).toEqual(arns);
    expect(inputs()).toStrictEqual(
      [
        [0, 100],
        [100, 200],
        [200, 201],
      ].map(([from, to]) => ({
        AlarmNames: arns.slice(from, to).map((_, index) => `alarm-${(from ?? 0) + index}`),
        AlarmTypes,
        MaxRecords: 100,
      })),
    );
  });
  it('reads every page', async () => {
    aws
      .on(DescribeAlarmsCommand)
      .resolvesOnce({ MetricAlarms: [], CompositeAlarms: [], NextToken: 'page-2' })
      .resolvesOnce({ MetricAlarms: [{ AlarmArn: SYSTEM, StateValue: 'ALARM' }], CompositeAlarms: [] });
    expect([...(await alarms.describe([SYSTEM])).value.keys()]).toEqual([SYSTEM]);
    const first = { AlarmNames: ['orders-db-system'], AlarmTypes, MaxRecords: 100 };
    expect(inputs()).toStrictEqual([first, { ...first, NextToken: 'page-2' }]);
  });
  it('asks nothing when there is nothing to ask about', async () => {
    expect((await alarms.describe([])).value.size).toBe(0);
    expect(inputs()).toEqual([]);
  });
  it('is tried four times while CloudWatch throttles', async () => {
    aws.on(DescribeAlarmsCommand).rejects(awsError('Throttling', 400));
    await expect(alarms.describe([SYSTEM])).rejects.toMatchObject({
      name: 'PortError',
      failure: 'throttled',
    });
    expect(inputs()).toHaveLength(4);
    expect(retrying.pauses).toEqual([50, 100, 200]);
  });
  it('is as old as the attempt that was answered', async () => {
    aws
      .on(DescribeAlarmsCommand)
      .rejectsOnce(timeoutError())
      .resolvesOnce({ MetricAlarms: [], CompositeAlarms: [] });
    expect(await alarms.describe([SYSTEM])).toMatchObject({ sentAtMs: START_MS + 50, slow: true });
  });
  it('is asked once without the permission', async () => {
    aws.on(DescribeAlarmsCommand).rejects(awsError('AccessDenied', 403));
    await expect(alarms.describe([SYSTEM])).rejects.toMatchObject({ failure: 'denied' });
    expect(inputs()).toHaveLength(1);
  });
});
