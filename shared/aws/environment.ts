/** What lies around the services, as operators ask for it: networks, alarms, rules, queues, subscriptions. Reads only. */
import { type CloudWatchClient, DescribeAlarmsCommand, type MetricAlarm } from '@aws-sdk/client-cloudwatch';
import {
  DescribeNetworkInterfacesCommand,
  DescribeSecurityGroupsCommand,
  type EC2Client,
  type Filter,
  type IpPermission,
  type NetworkInterface,
} from '@aws-sdk/client-ec2';
import {
  DescribeRuleCommand,
  EventBridgeClient,
  ListRuleNamesByTargetCommand,
  ListTargetsByRuleCommand,
} from '@aws-sdk/client-eventbridge';
import { ListSubscriptionsByTopicCommand, type SNSClient } from '@aws-sdk/client-sns';
import { GetQueueAttributesCommand, GetQueueUrlCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { Environment, Opening, PlacedInterface, QueueFact, RuleFact, TopicAlarm } from '../app/ports.ts';
import { type EniId, isInstanceId } from '../core/ids.ts';
import { times } from '../core/times.ts';
import { toAlarm } from './alarms.ts';
import { timed } from './clients.ts';
import { listed } from './ec2.ts';
import { allPages, instancesOf } from './fleet.ts';
import { type Retrying, reads, withRetries } from './retry.ts';

export interface EnvironmentClients {
  readonly ec2: Pick<EC2Client, 'send'>;
  readonly cloudwatch: Pick<CloudWatchClient, 'send'>;
  readonly sns: Pick<SNSClient, 'send'>;
  readonly sqs: Pick<SQSClient, 'send'>;
  readonly events: Pick<EventBridgeClient, 'send'>;
}

export function makeEventBridgeClient(endpoint?: string): EventBridgeClient {
  return new EventBridgeClient({ ...timed(times.ec2TimeoutMs), ...(endpoint && { endpoint }) });
}

/** The most that CloudWatch gives in a page. */
const alarmPageSize = 100;

function toPlaced(from: NetworkInterface): PlacedInterface {
  const addresses = from.PrivateIpAddresses ?? [];
  const { InstanceId, DeviceIndex } = from.Attachment ?? {};
  return {
    eni: from.NetworkInterfaceId as EniId,
    subnet: from.SubnetId ?? '',
    groups: (from.Groups ?? []).flatMap(({ GroupId }) => GroupId ?? []),
    addresses: [
      ...addresses.flatMap(({ PrivateIpAddress }) => PrivateIpAddress ?? []),
      ...(from.Ipv6Addresses ?? []).flatMap(({ Ipv6Address }) => Ipv6Address ?? []),
    ],
    publicAddresses: addresses.flatMap(({ Association }) =>
      Association?.PublicIp
        ? [
            {
              address: Association.PublicIp,
              kind: Association.AllocationId ? 'elastic' : 'assigned',
            } as const,
          ]
        : [],
    ),
    instanceId: isInstanceId(InstanceId) ? InstanceId : undefined,
    deviceIndex: DeviceIndex,
  };
}

/** EC2 gives ports for tcp and udp, types for icmp, and neither where everything is let in. */
function toOpenings({ IpProtocol, FromPort, ToPort, ...from }: IpPermission): Opening[] {
  const isAny = IpProtocol === '-1';
  const ports = {
    protocol: isAny ? undefined : IpProtocol,
    fromPort: isAny ? 0 : (FromPort ?? 0),
    toPort: isAny ? 65_535 : (ToPort ?? 65_535),
  };
  const sources = [
    ...(from.IpRanges ?? []).map(({ CidrIp }) => CidrIp),
    ...(from.Ipv6Ranges ?? []).map(({ CidrIpv6 }) => CidrIpv6),
    ...(from.UserIdGroupPairs ?? []).map(({ GroupId }) => GroupId),
    ...(from.PrefixListIds ?? []).map(({ PrefixListId }) => PrefixListId),
  ];
  return sources.flatMap((source) => (source ? [{ ...ports, source }] : []));
}

const toTopicAlarm = (from: MetricAlarm): TopicAlarm => ({
  name: from.AlarmName ?? '',
  namespace: from.Namespace ?? '',
  metric: from.MetricName ?? '',
  of: from.Dimensions?.[0]?.Value ?? '',
  state: toAlarm(from).state,
  actionsEnabled: from.ActionsEnabled ?? true,
});

/** `arn:aws:sqs:REGION:ACCOUNT:NAME` and `https://…/ACCOUNT/NAME` end alike. */
const queueNameIn = (urlOrArn: string) => urlOrArn.split(/[:/]/).at(-1) ?? '';

function deadLettersIn(redrivePolicy: string | undefined): string | undefined {
  if (!redrivePolicy) return undefined;
  const { deadLetterTargetArn } = JSON.parse(redrivePolicy) as { readonly deadLetterTargetArn?: string };
  return deadLetterTargetArn;
}

export function makeEnvironment(clients: EnvironmentClients, retrying: Retrying): Environment {
  const { ec2, cloudwatch, sns, sqs, events } = clients;
  const ask = async <T>(call: () => Promise<T>): Promise<T> =>
    (await withRetries(retrying, reads, call)).value;

  const interfacesBy = (filter: Filter) =>
    allPages(retrying, async (token) => {
      const page = await ec2.send(new DescribeNetworkInterfacesCommand({ Filters: [filter], ...token }));
      return { items: listed(page.NetworkInterfaces), next: page.NextToken };
    });

  const alarmsWith = (which: { readonly ActionPrefix?: string }) =>
    allPages(retrying, async (token) => {
      const page = await cloudwatch.send(
        new DescribeAlarmsCommand({
          ...which,
          AlarmTypes: ['MetricAlarm'],
          MaxRecords: alarmPageSize,
          ...token,
        }),
      );
      return { items: page.MetricAlarms ?? [], next: page.NextToken };
    });

  async function rule(name: string): Promise<RuleFact> {
    const [about, { Targets = [] }] = await Promise.all([
      ask(() => events.send(new DescribeRuleCommand({ Name: name }))),
      ask(() => events.send(new ListTargetsByRuleCommand({ Rule: name }))),
    ]);
    return {
      name,
      enabled: about.State !== 'DISABLED',
      pattern: about.EventPattern,
      deadLetters: Targets.flatMap(({ DeadLetterConfig }) => DeadLetterConfig?.Arn ?? []),
    };
  }

  return {
    async network(enis, instances) {
      const found = await Promise.all([
        enis.length > 0 ? interfacesBy({ Name: 'network-interface-id', Values: [...enis] }) : [],
        instances.length > 0 ? interfacesBy({ Name: 'attachment.instance-id', Values: [...instances] }) : [],
      ]);
      const placed = found.flat().map(toPlaced);
      return [...new Map(placed.map((each) => [each.eni, each])).values()];
    },

    async openings(groups) {
      if (groups.length === 0) return new Map();
      const found = await allPages(retrying, async (token) => {
        const page = await ec2.send(
          new DescribeSecurityGroupsCommand({
            Filters: [{ Name: 'group-id', Values: [...groups] }],
            ...token,
          }),
        );
        return { items: listed(page.SecurityGroups), next: page.NextToken };
      });
      return new Map(
        found.map(({ GroupId = '', IpPermissions = [] }) => [GroupId, IpPermissions.flatMap(toOpenings)]),
      );
    },

    async statusAlarms() {
      const found = await alarmsWith({});
      return found.flatMap((alarm) => {
        const instanceIds = instancesOf(alarm);
        if (instanceIds.length === 0) return [];
        const { arn, state } = toAlarm(alarm);
        return [{ arn, state, instanceIds, metric: alarm.MetricName ?? 'a metric of several' }];
      });
    },

    alarmsTelling: async (topicArn) => (await alarmsWith({ ActionPrefix: topicArn })).map(toTopicAlarm),

    async rulesOf(functionArn) {
      const names = await allPages(retrying, async (token) => {
        const page = await events.send(
          new ListRuleNamesByTargetCommand({ TargetArn: functionArn, ...token }),
        );
        return { items: listed(page.RuleNames), next: page.NextToken };
      });
      return Promise.all(names.map(rule));
    },

    async queue(urlOrArn): Promise<QueueFact> {
      const name = queueNameIn(urlOrArn);
      const QueueUrl = urlOrArn.startsWith('arn:')
        ? (await ask(() => sqs.send(new GetQueueUrlCommand({ QueueName: name })))).QueueUrl
        : urlOrArn;
      const { Attributes = {} } = await ask(() =>
        sqs.send(
          new GetQueueAttributesCommand({
            QueueUrl,
            AttributeNames: ['ApproximateNumberOfMessages', 'RedrivePolicy'],
          }),
        ),
      );
      return {
        name,
        visible: Number(Attributes['ApproximateNumberOfMessages'] ?? Number.NaN),
        deadLetters: deadLettersIn(Attributes['RedrivePolicy']),
      };
    },

    async subscriptions(topicArn) {
      const found = await allPages(retrying, async (token) => {
        const page = await sns.send(new ListSubscriptionsByTopicCommand({ TopicArn: topicArn, ...token }));
        return { items: listed(page.Subscriptions), next: page.NextToken };
      });
      return found.map(({ Protocol = '', Endpoint = '', SubscriptionArn = '' }) => ({
        protocol: Protocol,
        endpoint: Endpoint,
        confirmed: SubscriptionArn.startsWith('arn:'),
      }));
    },
  };
}
