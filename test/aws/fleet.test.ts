/** Proves what is asked for the whole fleet, page by page, and what is read out of the answers. */
import { CloudWatchClient, DescribeAlarmsCommand, type MetricAlarm } from '@aws-sdk/client-cloudwatch';
import {
  DescribeInstanceStatusCommand,
  DescribeNetworkInterfacesCommand,
  EC2Client,
} from '@aws-sdk/client-ec2';
import { mockClient } from 'aws-sdk-client-mock';
import { beforeEach, describe, expect, it } from 'vitest';
import { makeFleet } from '../../shared/aws/fleet.ts';
import { awsError, makeRetrying, type VirtualRetrying } from './retrying.ts';

const ENI = 'eni-0a1b2c3d4e5f60001';
const OTHER_ENI = 'eni-0a1b2c3d4e5f60002';
const HOLDER = 'i-0a1b2c3d4e5f60001';
const STANDBY = 'i-0a1b2c3d4e5f60002';
const SYSTEM = 'arn:aws:cloudwatch:us-east-1:123456789012:alarm:system';
const AT = new Date('2026-11-21T02:10:00Z');
const AlarmTypes = ['MetricAlarm', 'CompositeAlarm'];

const ec2 = new EC2Client({ region: 'us-east-1' });
const cloudwatch = new CloudWatchClient({ region: 'us-east-1' });
const aws = mockClient(ec2);
const alarms = mockClient(cloudwatch);
let retrying: VirtualRetrying;
let fleet: ReturnType<typeof makeFleet>;
beforeEach(() => {
  aws.reset();
  alarms.reset();
  retrying = makeRetrying();
  fleet = makeFleet({ ec2, cloudwatch }, retrying);
});
const inputs = (client: typeof aws | typeof alarms): readonly object[] =>
  client.calls().map((call) => call.args[0].input as object);

describe('interfaces', () => {
  const first = { Filters: [{ Name: 'tag:eni-failover', Values: ['managed'] }], MaxResults: 1_000 };

  it('are asked for by the tag, in the largest pages', async () => {
    aws.on(DescribeNetworkInterfacesCommand).resolves({
      NetworkInterfaces: [{ NetworkInterfaceId: ENI, Status: 'available', AvailabilityZone: 'us-east-1a' }],
    });
    const found = await fleet.interfaces();
    expect(inputs(aws)).toStrictEqual([first]);
    expect([...found]).toMatchObject([[ENI, { eni: ENI, status: 'available', attachment: undefined }]]);
  });
  it('are read to the last page', async () => {
    aws
      .on(DescribeNetworkInterfacesCommand)
      .resolvesOnce({ NetworkInterfaces: [{ NetworkInterfaceId: ENI }], NextToken: 'page-2' })
      .resolvesOnce({ NetworkInterfaces: [], NextToken: 'page-3' })
      .resolvesOnce({ NetworkInterfaces: [{ NetworkInterfaceId: OTHER_ENI }] });
    expect([...(await fleet.interfaces()).keys()]).toEqual([ENI, OTHER_ENI]);
    expect(inputs(aws)).toStrictEqual([
      first,
      { ...first, NextToken: 'page-2' },
      { ...first, NextToken: 'page-3' },
    ]);
  });
  it('go on with the page that was throttled, not with the first', async () => {
    aws
      .on(DescribeNetworkInterfacesCommand)
      .resolvesOnce({ NetworkInterfaces: [{ NetworkInterfaceId: ENI }], NextToken: 'page-2' })
      .rejectsOnce(awsError('RequestLimitExceeded', 503))
      .resolvesOnce({ NetworkInterfaces: [{ NetworkInterfaceId: OTHER_ENI }] });
    expect([...(await fleet.interfaces()).keys()]).toEqual([ENI, OTHER_ENI]);
    const second = { ...first, NextToken: 'page-2' };
    expect(inputs(aws)).toStrictEqual([first, second, second]);
  });
  it('that stay unread are an error, not a part of them', async () => {
    aws
      .on(DescribeNetworkInterfacesCommand)
      .resolvesOnce({ NetworkInterfaces: [{ NetworkInterfaceId: ENI }], NextToken: 'page-2' })
      .rejects(awsError('RequestLimitExceeded', 503));
    await expect(fleet.interfaces()).rejects.toMatchObject({ name: 'PortError', failure: 'throttled' });
    expect(inputs(aws)).toHaveLength(5);
  });
  it('are an error where the answer has no list, for then every interface would look gone', async () => {
    aws.on(DescribeNetworkInterfacesCommand).resolves({});
    await expect(fleet.interfaces()).rejects.toMatchObject({ code: 'EmptyAnswer' });
  });
  it('are not asked for again without the permission', async () => {
    aws.on(DescribeNetworkInterfacesCommand).rejects(awsError('UnauthorizedOperation', 403));
    await expect(fleet.interfaces()).rejects.toMatchObject({ failure: 'denied' });
    expect(inputs(aws)).toHaveLength(1);
  });
});

describe('the troubled instances', () => {
  const notFine = ['impaired', 'initializing', 'insufficient-data'];
  const asked = (Name: string, Values: readonly string[]) => ({
    Filters: [{ Name, Values }],
    IncludeAllInstances: true,
    MaxResults: 1_000,
  });
  const calls = [
    asked('system-status.status', notFine),
    asked('instance-status.status', notFine),
    asked('attached-ebs-status.status', notFine),
    asked('instance-state-name', ['pending', 'shutting-down', 'terminated', 'stopping', 'stopped']),
  ];

  it('are asked for by one call for each kind of trouble, and named once', async () => {
    aws.on(DescribeInstanceStatusCommand).resolves({ InstanceStatuses: [{ InstanceId: HOLDER }] });
    expect([...(await fleet.troubled())]).toEqual([HOLDER]);
    expect(inputs(aws)).toStrictEqual(calls);
  });
  it('are read to the last page of each', async () => {
    aws
      .on(DescribeInstanceStatusCommand)
      .callsFake((input: { NextToken?: string; Filters: { Name: string }[] }) => {
        if (input.Filters[0]?.Name !== 'system-status.status') return { InstanceStatuses: [] };
        return input.NextToken
          ? { InstanceStatuses: [{ InstanceId: STANDBY }] }
          : { InstanceStatuses: [{ InstanceId: HOLDER }], NextToken: 'more' };
      });
    expect([...(await fleet.troubled())]).toEqual([HOLDER, STANDBY]);
    expect(inputs(aws)).toHaveLength(5);
    expect(inputs(aws)).toContainEqual({ ...calls[0], NextToken: 'more' });
  });
  it('are an error when one kind of trouble could not be read', async () => {
    aws.on(DescribeInstanceStatusCommand).callsFake((input: { Filters: { Name: string }[] }) => {
      if (input.Filters[0]?.Name === 'instance-state-name') throw awsError('UnauthorizedOperation', 403);
      return { InstanceStatuses: [] };
    });
    await expect(fleet.troubled()).rejects.toMatchObject({ failure: 'denied' });
  });
  it('are an error where an answer has no list', async () => {
    aws.on(DescribeInstanceStatusCommand).resolves({});
    await expect(fleet.troubled()).rejects.toMatchObject({ code: 'EmptyAnswer' });
  });
});

describe('the red alarms', () => {
  const first = { StateValue: 'ALARM', AlarmTypes, MaxRecords: 100 };
  const check = {
    Namespace: 'AWS/EC2',
    MetricName: 'StatusCheckFailed_System',
    Dimensions: [{ Name: 'InstanceId', Value: HOLDER }],
  };
  const idsOf = async (alarm: MetricAlarm) => {
    alarms.on(DescribeAlarmsCommand).resolves({ MetricAlarms: [alarm], CompositeAlarms: [] });
    return (await fleet.redAlarms())[0]?.instanceIds;
  };

  it('are asked for by state, both kinds of them', async () => {
    const state = { StateValue: 'ALARM' as const, StateTransitionedTimestamp: AT };
    alarms.on(DescribeAlarmsCommand).resolves({
      MetricAlarms: [{ AlarmArn: SYSTEM, ...state, ...check }],
      CompositeAlarms: [{ AlarmArn: `${SYSTEM}-or-so`, ...state, ActionsSuppressedBy: 'WaitPeriod' }],
    });
    const red = { state: 'ALARM', transitionedAtMs: AT.getTime() };
    expect(await fleet.redAlarms()).toStrictEqual([
      { arn: SYSTEM, ...red, suppressedBy: undefined, instanceIds: [HOLDER] },
      { arn: `${SYSTEM}-or-so`, ...red, suppressedBy: 'WaitPeriod', instanceIds: [] },
    ]);
    expect(inputs(alarms)).toStrictEqual([first]);
  });
  it('are read to the last page, whichever lists a page has', async () => {
    const red = (AlarmArn: string) => ({ AlarmArn, StateValue: 'ALARM' as const });
    alarms
      .on(DescribeAlarmsCommand)
      .resolvesOnce({ MetricAlarms: [red('one')], NextToken: 'page-2' })
      .resolvesOnce({ CompositeAlarms: [red('two')] });
    expect((await fleet.redAlarms()).map((each) => each.arn)).toEqual(['one', 'two']);
    expect(inputs(alarms)).toStrictEqual([first, { ...first, NextToken: 'page-2' }]);
  });
  it.each(['StatusCheckFailed', 'StatusCheckFailed_Instance', 'StatusCheckFailed_AttachedEBS'])(
    'that watch %s speak of the instance',
    async (MetricName) => {
      expect(await idsOf({ ...check, MetricName })).toEqual([HOLDER]);
    },
  );
  it.each<[string, MetricAlarm]>([
    ['another metric of EC2', { ...check, MetricName: 'CPUUtilization' }],
    ['a metric of somebody else by the same name', { ...check, Namespace: 'Orders' }],
    ['no metric', {}],
    ['no dimension', { Namespace: check.Namespace, MetricName: check.MetricName }],
    ['another dimension', { ...check, Dimensions: [{ Name: 'ImageId', Value: HOLDER }] }],
    ['a dimension without a value', { ...check, Dimensions: [{ Name: 'InstanceId', Value: undefined }] }],
    ['what is no instance id', { ...check, Dimensions: [{ Name: 'InstanceId', Value: '*' }] }],
    ['an expression only', { Metrics: [{ Id: 'e', Expression: '1' }] }],
  ])('that watch %s speak of no instance', async (_, alarm) => {
    expect(await idsOf(alarm)).toEqual([]);
  });
  it('over an expression speak of every instance whose checks are in it', async () => {
    const metric = (id: string, Value: string) => ({
      Id: id,
      ReturnData: false,
      MetricStat: {
        Metric: { ...check, Dimensions: [{ Name: 'InstanceId', Value }] },
        Period: 60,
        Stat: 'Maximum',
      },
    });
    const Metrics = [{ Id: 'e', Expression: 'MAX(METRICS())' }, metric('a', HOLDER), metric('b', STANDBY)];
    expect(await idsOf({ Metrics })).toEqual([HOLDER, STANDBY]);
  });
});
