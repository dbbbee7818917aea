/** The whole fleet in pages: EC2 and CloudWatch as the sweep reads them. */
import { type CloudWatchClient, DescribeAlarmsCommand, type MetricAlarm } from '@aws-sdk/client-cloudwatch';
import {
  DescribeInstanceStatusCommand,
  DescribeNetworkInterfacesCommand,
  type EC2Client,
  type Filter,
  type NetworkInterface,
} from '@aws-sdk/client-ec2';
import type { Fleet, RedAlarm } from '../app/ports.ts';
import { type EniId, type InstanceId, instanceIdIn } from '../core/ids.ts';
import { toAlarm } from './alarms.ts';
import { managedTag, toInterface } from './ec2.ts';
import { type Retrying, reads, withRetries } from './retry.ts';

const pageSize = 1_000;
const notFine = ['impaired', 'initializing', 'insufficient-data'];
const notRunning = ['pending', 'shutting-down', 'terminated', 'stopping', 'stopped'];

/** Filters of one call are joined by AND, so each kind of trouble is a call of its own. */
const troubles: readonly Filter[] = [
  { Name: 'system-status.status', Values: notFine },
  { Name: 'instance-status.status', Values: notFine },
  { Name: 'attached-ebs-status.status', Values: notFine },
  { Name: 'instance-state-name', Values: notRunning },
];

function instancesOf(alarm: MetricAlarm): readonly InstanceId[] {
  const metrics = [
    { Namespace: alarm.Namespace, MetricName: alarm.MetricName, Dimensions: alarm.Dimensions },
    ...(alarm.Metrics ?? []).flatMap((each) => each.MetricStat?.Metric ?? []),
  ];
  return metrics
    .filter(
      ({ Namespace, MetricName }) => Namespace === 'AWS/EC2' && MetricName?.startsWith('StatusCheckFailed'),
    )
    .flatMap(({ Dimensions }) => Dimensions ?? [])
    .flatMap(({ Name, Value }) => (Name === 'InstanceId' && Value ? (instanceIdIn(Value) ?? []) : []));
}

export function makeFleet(
  clients: { readonly ec2: Pick<EC2Client, 'send'>; readonly cloudwatch: Pick<CloudWatchClient, 'send'> },
  retrying: Retrying,
): Fleet {
  const { ec2, cloudwatch } = clients;

  async function troubledBy(filter: Filter): Promise<readonly InstanceId[]> {
    const found: InstanceId[] = [];
    let NextToken: string | undefined;
    do {
      const page = await ec2.send(
        new DescribeInstanceStatusCommand({
          Filters: [filter],
          IncludeAllInstances: true,
          MaxResults: pageSize,
          ...(NextToken && { NextToken }),
        }),
      );
      found.push(...(page.InstanceStatuses ?? []).map((each) => each.InstanceId as InstanceId));
      NextToken = page.NextToken;
    } while (NextToken);
    return found;
  }

  return {
    interfaces: () =>
      withRetries(retrying, reads, async () => {
        const found: NetworkInterface[] = [];
        let NextToken: string | undefined;
        do {
          const page = await ec2.send(
            new DescribeNetworkInterfacesCommand({
              Filters: [{ Name: `tag:${managedTag.key}`, Values: [managedTag.value] }],
              MaxResults: pageSize,
              ...(NextToken && { NextToken }),
            }),
          );
          found.push(...(page.NetworkInterfaces ?? []));
          NextToken = page.NextToken;
        } while (NextToken);
        return new Map(found.map((each) => [each.NetworkInterfaceId as EniId, toInterface(each)]));
      }),

    troubled: () =>
      withRetries(retrying, reads, async () => new Set((await Promise.all(troubles.map(troubledBy))).flat())),

    redAlarms: () =>
      withRetries(retrying, reads, async () => {
        const found: RedAlarm[] = [];
        let NextToken: string | undefined;
        do {
          const page = await cloudwatch.send(
            new DescribeAlarmsCommand({
              StateValue: 'ALARM',
              AlarmTypes: ['MetricAlarm', 'CompositeAlarm'],
              MaxRecords: 100,
              ...(NextToken && { NextToken }),
            }),
          );
          found.push(
            ...(page.MetricAlarms ?? []).map((each) => ({
              ...toAlarm(each),
              instanceIds: instancesOf(each),
            })),
            ...(page.CompositeAlarms ?? []).map((each) => ({ ...toAlarm(each), instanceIds: [] })),
          );
          NextToken = page.NextToken;
        } while (NextToken);
        return found;
      }),
  };
}
