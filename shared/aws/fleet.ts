/** The whole fleet in pages: EC2 and CloudWatch as the sweep reads them. */
import { type CloudWatchClient, DescribeAlarmsCommand, type MetricAlarm } from '@aws-sdk/client-cloudwatch';
import {
  DescribeInstanceStatusCommand,
  DescribeNetworkInterfacesCommand,
  type EC2Client,
  type Filter,
} from '@aws-sdk/client-ec2';
import type { Fleet } from '../app/ports.ts';
import { type EniId, type InstanceId, instanceIdIn } from '../core/ids.ts';
import { toAlarm } from './alarms.ts';
import { listed, managedTag, toInterface } from './ec2.ts';
import { type Retrying, reads, withRetries } from './retry.ts';

/** The most that EC2 gives in a page; CloudWatch gives a tenth of it. */
const pageSize = 1_000;
const alarmPageSize = 100;
const notFine = ['impaired', 'initializing', 'insufficient-data'];
const notRunning = ['pending', 'shutting-down', 'terminated', 'stopping', 'stopped'];

/** Filters of one call are joined by AND, so each kind of trouble is a call of its own. */
const troubles: readonly Filter[] = [
  { Name: 'system-status.status', Values: notFine },
  { Name: 'instance-status.status', Values: notFine },
  { Name: 'attached-ebs-status.status', Values: notFine },
  { Name: 'instance-state-name', Values: notRunning },
];

/** The instances whose status checks it watches. */
export function instancesOf(alarm: MetricAlarm): readonly InstanceId[] {
  const metrics = [
    { Namespace: alarm.Namespace, MetricName: alarm.MetricName, Dimensions: alarm.Dimensions },
    ...(alarm.Metrics ?? []).flatMap((each) => each.MetricStat?.Metric ?? []),
  ];
  return metrics
    .filter(
      ({ Namespace, MetricName }) => Namespace === 'AWS/EC2' && MetricName?.startsWith('StatusCheckFailed'),
    )
    .flatMap(({ Dimensions }) => Dimensions ?? [])
    .flatMap(({ Name, Value }) => (Name === 'InstanceId' ? (instanceIdIn(Value ?? '') ?? []) : []));
}

interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | undefined;
}

/** Each page is retried by itself: a throttle at the tenth does not begin again at the first. */
export async function allPages<T>(
  retrying: Retrying,
  read: (token: { readonly NextToken?: string }) => Promise<Page<T>>,
): Promise<readonly T[]> {
  const items: T[] = [];
  let token: { readonly NextToken?: string } | undefined = {};
  while (token) {
    const from: { readonly NextToken?: string } = token;
    const { value } = await withRetries(retrying, reads, () => read(from));
    items.push(...value.items);
    token = value.next ? { NextToken: value.next } : undefined;
  }
  return items;
}

export function makeFleet(
  clients: { readonly ec2: Pick<EC2Client, 'send'>; readonly cloudwatch: Pick<CloudWatchClient, 'send'> },
  retrying: Retrying,
): Fleet {
  const { ec2, cloudwatch } = clients;

  const troubledBy = (filter: Filter) =>
    allPages(retrying, async (token) => {
      const page = await ec2.send(
        new DescribeInstanceStatusCommand({
          Filters: [filter],
          IncludeAllInstances: true,
          MaxResults: pageSize,
          ...token,
        }),
      );
      const items = listed(page.InstanceStatuses).map((each) => each.InstanceId as InstanceId);
      return { items, next: page.NextToken };
    });

  return {
    async interfaces() {
      const found = await allPages(retrying, async (token) => {
        const page = await ec2.send(
          new DescribeNetworkInterfacesCommand({
            Filters: [{ Name: `tag:${managedTag.key}`, Values: [managedTag.value] }],
            MaxResults: pageSize,
            ...token,
          }),
        );
        return { items: listed(page.NetworkInterfaces), next: page.NextToken };
      });
      return new Map(found.map((each) => [each.NetworkInterfaceId as EniId, toInterface(each)]));
    },

    troubled: async () => new Set((await Promise.all(troubles.map(troubledBy))).flat()),

    redAlarms: () =>
      allPages(retrying, async (token) => {
        const page = await cloudwatch.send(
          new DescribeAlarmsCommand({
            StateValue: 'ALARM',
            // Without this, composite alarms are left out silently.
            AlarmTypes: ['MetricAlarm', 'CompositeAlarm'],
            MaxRecords: alarmPageSize,
            ...token,
          }),
        );
        const items = [
          ...(page.MetricAlarms ?? []).map((each) => ({ ...toAlarm(each), instanceIds: instancesOf(each) })),
          ...(page.CompositeAlarms ?? []).map((each) => ({ ...toAlarm(each), instanceIds: [] })),
        ];
        return { items, next: page.NextToken };
      }),
  };
}
