/** Proves what is asked about the surroundings of a service, and what is read out of the answers. */
import { CloudWatchClient, DescribeAlarmsCommand } from '@aws-sdk/client-cloudwatch';
import {
  DescribeNetworkInterfacesCommand,
  DescribeSecurityGroupsCommand,
  EC2Client,
} from '@aws-sdk/client-ec2';
import {
  DescribeRuleCommand,
  EventBridgeClient,
  ListRuleNamesByTargetCommand,
  ListTargetsByRuleCommand,
} from '@aws-sdk/client-eventbridge';
import { ListSubscriptionsByTopicCommand, SNSClient } from '@aws-sdk/client-sns';
import { GetQueueAttributesCommand, GetQueueUrlCommand, SQSClient } from '@aws-sdk/client-sqs';
import { mockClient } from 'aws-sdk-client-mock';
import { beforeEach, describe, expect, it } from 'vitest';
import { makeEnvironment } from '../../shared/aws/environment.ts';
import type { EniId, InstanceId } from '../../shared/core/ids.ts';
import { awsError, makeRetrying, type VirtualRetrying } from './retrying.ts';

const ENI = 'eni-0a1b2c3d4e5f60001' as EniId;
const PRIMARY = 'eni-0a1b2c3d4e5f600ff' as EniId;
const HOLDER = 'i-0a1b2c3d4e5f60001' as InstanceId;
const TOPIC = 'arn:aws:sns:us-east-1:123456789012:notices';
const FUNCTION = 'arn:aws:lambda:us-east-1:123456789012:function:failover';
const DEAD = 'arn:aws:sqs:us-east-1:123456789012:dead';
const DEAD_URL = 'https://sqs.us-east-1.amazonaws.com/123456789012/dead';

const region = { region: 'us-east-1' };
const clients = {
  ec2: new EC2Client(region),
  cloudwatch: new CloudWatchClient(region),
  sns: new SNSClient(region),
  sqs: new SQSClient(region),
  events: new EventBridgeClient(region),
};
const ec2 = mockClient(clients.ec2);
const cloudwatch = mockClient(clients.cloudwatch);
const sns = mockClient(clients.sns);
const sqs = mockClient(clients.sqs);
const events = mockClient(clients.events);
let retrying: VirtualRetrying;
let environment: ReturnType<typeof makeEnvironment>;
beforeEach(() => {
  for (const each of [ec2, cloudwatch, sns, sqs, events]) each.reset();
  retrying = makeRetrying();
  environment = makeEnvironment(clients, retrying);
});
const inputs = (aws: { calls(): readonly { readonly args: readonly unknown[] }[] }) =>
  aws.calls().map((call) => (call.args[0] as { readonly input: object }).input);

describe('the network', () => {
  it('is asked for by interface and by instance, and each interface is given once', async () => {
    const attached = {
      NetworkInterfaceId: ENI,
      SubnetId: 'subnet-1',
      Groups: [{ GroupId: 'sg-1' }, { GroupId: 'sg-2' }],
      Attachment: { InstanceId: HOLDER, DeviceIndex: 1 },
      PrivateIpAddresses: [
        {
          PrivateIpAddress: '10.0.0.20',
          Association: { PublicIp: '203.0.113.1', AllocationId: 'eipalloc-1' },
        },
        { PrivateIpAddress: '10.0.0.21' },
      ],
      Ipv6Addresses: [{ Ipv6Address: '2600::1' }],
    };
    const primary = {
      NetworkInterfaceId: PRIMARY,
      SubnetId: 'subnet-1',
      Attachment: { InstanceId: HOLDER, DeviceIndex: 0 },
      PrivateIpAddresses: [
        { PrivateIpAddress: '10.0.0.10', Association: { PublicIp: '198.51.100.1', IpOwnerId: 'amazon' } },
      ],
    };
    ec2
      .on(DescribeNetworkInterfacesCommand)
      .resolvesOnce({ NetworkInterfaces: [attached] })
      .resolvesOnce({ NetworkInterfaces: [attached], NextToken: 'page-2' })
      .resolvesOnce({ NetworkInterfaces: [primary] });
    expect(await environment.network([ENI], [HOLDER])).toStrictEqual([
      {
        eni: ENI,
        subnet: 'subnet-1',
        groups: ['sg-1', 'sg-2'],
        addresses: ['10.0.0.20', '10.0.0.21', '2600::1'],
        publicAddresses: [{ address: '203.0.113.1', kind: 'elastic' }],
        instanceId: HOLDER,
        deviceIndex: 1,
      },
      {
        eni: PRIMARY,
        subnet: 'subnet-1',
        groups: [],
        addresses: ['10.0.0.10'],
        publicAddresses: [{ address: '198.51.100.1', kind: 'assigned' }],
        instanceId: HOLDER,
        deviceIndex: 0,
      },
    ]);
    const onHolder = { Filters: [{ Name: 'attachment.instance-id', Values: [HOLDER] }] };
    expect(inputs(ec2)).toStrictEqual([
      { Filters: [{ Name: 'network-interface-id', Values: [ENI] }] },
      onHolder,
      { ...onHolder, NextToken: 'page-2' },
    ]);
  });

  it('of nothing is nothing, and nobody is asked', async () => {
    expect(await environment.network([], [])).toEqual([]);
    expect(await environment.openings([])).toEqual(new Map());
    expect(inputs(ec2)).toEqual([]);
  });

  it('lets in what the ingress of its groups says, each source by itself', async () => {
    ec2.on(DescribeSecurityGroupsCommand).resolves({
      SecurityGroups: [
        {
          GroupId: 'sg-1',
          IpPermissions: [
            {
              IpProtocol: 'tcp',
              FromPort: 5432,
              ToPort: 5433,
              IpRanges: [{ CidrIp: '10.0.0.0/8' }],
              Ipv6Ranges: [{ CidrIpv6: '2600::/32' }],
            },
            {
              IpProtocol: '-1',
              UserIdGroupPairs: [{ GroupId: 'sg-1' }],
              PrefixListIds: [{ PrefixListId: 'pl-1' }],
            },
          ],
        },
      ],
    });
    const tcp = { protocol: 'tcp', fromPort: 5432, toPort: 5433 };
    const all = { protocol: undefined, fromPort: 0, toPort: 65_535 };
    expect(await environment.openings(['sg-1', 'sg-gone'])).toEqual(
      new Map([
        [
          'sg-1',
          [
            { ...tcp, source: '10.0.0.0/8' },
            { ...tcp, source: '2600::/32' },
            { ...all, source: 'sg-1' },
            { ...all, source: 'pl-1' },
          ],
        ],
      ]),
    );
    expect(inputs(ec2)).toStrictEqual([{ Filters: [{ Name: 'group-id', Values: ['sg-1', 'sg-gone'] }] }]);
  });
});

describe('alarms', () => {
  it('on status checks are found among all, page by page', async () => {
    const watching = { Namespace: 'AWS/EC2', MetricName: 'StatusCheckFailed' };
    const arn = 'arn:aws:cloudwatch:us-east-1:123456789012:alarm:checks';
    cloudwatch
      .on(DescribeAlarmsCommand)
      .resolvesOnce({
        MetricAlarms: [{ AlarmName: 'cpu', Namespace: 'AWS/EC2', MetricName: 'CPUUtilization' }],
        NextToken: 'page-2',
      })
      .resolvesOnce({
        MetricAlarms: [
          {
            ...watching,
            AlarmArn: arn,
            StateValue: 'OK',
            Dimensions: [{ Name: 'InstanceId', Value: HOLDER }],
          },
        ],
      });
    expect(await environment.statusAlarms()).toStrictEqual([
      { arn, state: 'OK', instanceIds: [HOLDER], metric: 'StatusCheckFailed' },
    ]);
    const asked = { AlarmTypes: ['MetricAlarm'], MaxRecords: 100 };
    expect(inputs(cloudwatch)).toStrictEqual([asked, { ...asked, NextToken: 'page-2' }]);
  });

  it('of the stack are those that tell its topic', async () => {
    cloudwatch.on(DescribeAlarmsCommand).resolves({
      MetricAlarms: [
        {
          AlarmName: 'heartbeat',
          Namespace: 'EniFailover',
          MetricName: 'Heartbeat',
          Dimensions: [{ Name: 'service', Value: 'eni-failover' }],
          StateValue: 'ALARM',
          ActionsEnabled: false,
        },
      ],
    });
    expect(await environment.alarmsTelling(TOPIC)).toStrictEqual([
      {
        name: 'heartbeat',
        namespace: 'EniFailover',
        metric: 'Heartbeat',
        of: 'eni-failover',
        state: 'ALARM',
        actionsEnabled: false,
      },
    ]);
    expect(inputs(cloudwatch)).toStrictEqual([
      { ActionPrefix: TOPIC, AlarmTypes: ['MetricAlarm'], MaxRecords: 100 },
    ]);
  });
});

describe('rules', () => {
  it('are those that invoke the function, with their state and their dead letters', async () => {
    events.on(ListRuleNamesByTargetCommand).resolves({ RuleNames: ['stopped'] });
    events.on(DescribeRuleCommand).resolves({ State: 'DISABLED', EventPattern: '{"source":["aws.ec2"]}' });
    events.on(ListTargetsByRuleCommand).resolves({
      Targets: [
        { Id: 'one', Arn: FUNCTION, DeadLetterConfig: { Arn: DEAD } },
        { Id: 'two', Arn: FUNCTION },
      ],
    });
    expect(await environment.rulesOf(FUNCTION)).toStrictEqual([
      { name: 'stopped', enabled: false, pattern: '{"source":["aws.ec2"]}', deadLetters: [DEAD] },
    ]);
    expect(inputs(events)).toStrictEqual([{ TargetArn: FUNCTION }, { Name: 'stopped' }, { Rule: 'stopped' }]);
  });
});

describe('queues and subscriptions', () => {
  const AttributeNames = ['ApproximateNumberOfMessages', 'RedrivePolicy'];

  it('are asked for by ARN where no URL is known', async () => {
    sqs.on(GetQueueUrlCommand).resolves({ QueueUrl: DEAD_URL });
    sqs.on(GetQueueAttributesCommand).resolves({ Attributes: { ApproximateNumberOfMessages: '3' } });
    expect(await environment.queue(DEAD)).toStrictEqual({ name: 'dead', visible: 3, deadLetters: undefined });
    expect(inputs(sqs)).toStrictEqual([{ QueueName: 'dead' }, { QueueUrl: DEAD_URL, AttributeNames }]);
  });

  it('say where dead letters go', async () => {
    sqs.on(GetQueueAttributesCommand).resolves({
      Attributes: {
        ApproximateNumberOfMessages: '0',
        RedrivePolicy: JSON.stringify({ deadLetterTargetArn: DEAD, maxReceiveCount: 3 }),
      },
    });
    expect(await environment.queue('https://sqs/123456789012/work')).toStrictEqual({
      name: 'work',
      visible: 0,
      deadLetters: DEAD,
    });
    expect(inputs(sqs)).toStrictEqual([{ QueueUrl: 'https://sqs/123456789012/work', AttributeNames }]);
  });

  it('that wait for their confirmation are not confirmed', async () => {
    sns.on(ListSubscriptionsByTopicCommand).resolves({
      Subscriptions: [
        { Protocol: 'email', Endpoint: 'a@example.com', SubscriptionArn: 'PendingConfirmation' },
        { Protocol: 'email', Endpoint: 'b@example.com', SubscriptionArn: `${TOPIC}:1` },
      ],
    });
    expect(await environment.subscriptions(TOPIC)).toStrictEqual([
      { protocol: 'email', endpoint: 'a@example.com', confirmed: false },
      { protocol: 'email', endpoint: 'b@example.com', confirmed: true },
    ]);
    expect(inputs(sns)).toStrictEqual([{ TopicArn: TOPIC }]);
  });

  it('that may not be read throw, and are not tried again', async () => {
    sqs.on(GetQueueAttributesCommand).rejects(awsError('AccessDenied', 403));
    await expect(environment.queue(DEAD_URL)).rejects.toMatchObject({ name: 'PortError', failure: 'denied' });
    expect(inputs(sqs)).toHaveLength(1);
  });
});
