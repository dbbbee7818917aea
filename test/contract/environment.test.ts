/** Proves that the sandbox answers what an operator asks around the services: with the real clients, over its port. */
import { fileURLToPath } from 'node:url';
import { CloudWatchClient, PutMetricAlarmCommand } from '@aws-sdk/client-cloudwatch';
import {
  AllocateAddressCommand,
  AssociateAddressCommand,
  CreateNetworkInterfaceCommand,
  CreateSubnetCommand,
  CreateVpcCommand,
  EC2Client,
  RunInstancesCommand,
} from '@aws-sdk/client-ec2';
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { SNSClient } from '@aws-sdk/client-sns';
import { SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Sandbox, startSandbox } from '../../sandbox/server.ts';
import type { Environment } from '../../shared/app/ports.ts';
import { makeEnvironment } from '../../shared/aws/environment.ts';
import type { EniId, InstanceId } from '../../shared/core/ids.ts';
import { makeRetrying } from '../aws/retrying.ts';

const templateFile = fileURLToPath(new URL('../sandbox/fixtures/template.yaml', import.meta.url));

let sandbox: Sandbox;
let ec2: EC2Client;
let cloudwatch: CloudWatchClient;
let environment: Environment;
beforeAll(async () => {
  sandbox = await startSandbox({ templateFile });
  const at = {
    endpoint: sandbox.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'AKIATEST', secretAccessKey: 'sandbox' },
    maxAttempts: 1,
  };
  ec2 = new EC2Client(at);
  cloudwatch = new CloudWatchClient(at);
  environment = makeEnvironment(
    { ec2, cloudwatch, sns: new SNSClient(at), sqs: new SQSClient(at), events: new EventBridgeClient(at) },
    makeRetrying(),
  );
});
afterAll(() => sandbox.close());

/** An instance whose second interface has an Elastic IP. */
async function makeNetwork() {
  const { Vpc } = await ec2.send(new CreateVpcCommand({ CidrBlock: '10.0.0.0/16' }));
  const zone = { VpcId: Vpc?.VpcId, AvailabilityZone: 'us-east-1a' };
  const { Subnet } = await ec2.send(new CreateSubnetCommand({ ...zone, CidrBlock: '10.0.0.0/24' }));
  const SubnetId = Subnet?.SubnetId;
  const { Instances = [] } = await ec2.send(
    new RunInstancesCommand({
      ImageId: 'ami-12345678',
      InstanceType: 't3.large',
      MinCount: 1,
      MaxCount: 1,
      SubnetId,
    }),
  );
  const { NetworkInterface } = await ec2.send(new CreateNetworkInterfaceCommand({ SubnetId }));
  const { AllocationId, PublicIp } = await ec2.send(new AllocateAddressCommand({}));
  const NetworkInterfaceId = NetworkInterface?.NetworkInterfaceId;
  await ec2.send(new AssociateAddressCommand({ AllocationId, NetworkInterfaceId }));
  return {
    instance: Instances[0]?.InstanceId as InstanceId,
    eni: NetworkInterfaceId as EniId,
    subnet: SubnetId,
    address: NetworkInterface?.PrivateIpAddress,
    publicIp: PublicIp,
  };
}

const arnOf = (logicalId: string) =>
  `arn:aws:sqs:us-east-1:000000000000:${String(sandbox.stack.physicalIds[logicalId]).split('/').at(-1)}`;

describe('the sandbox', () => {
  it('shows interfaces in their place, and what their groups let in', async () => {
    const { instance, eni, subnet, address, publicIp } = await makeNetwork();
    const found = await environment.network([eni], [instance]);
    expect(found).toMatchObject([
      {
        eni,
        subnet,
        addresses: [address],
        publicAddresses: [{ address: publicIp, kind: 'elastic' }],
        instanceId: undefined,
      },
      { subnet, publicAddresses: [], instanceId: instance, deviceIndex: 0 },
    ]);
    const groups = found.flatMap((each) => each.groups);
    expect([...(await environment.openings(groups)).keys()]).toEqual([groups[0]]);
  });

  it('names the rules that invoke a function', async () => {
    const rules = await environment.rulesOf(String(sandbox.stack.outputs['FunctionArn']));
    expect(rules.map(({ name, enabled, deadLetters }) => [name, enabled, deadLetters])).toEqual([
      ['eni-failover-ProbeEc2State', true, []],
      ['eni-failover-ProbeAlarm', true, []],
      ['eni-failover-ProbeAsked', true, [arnOf('DeadLetterQueue')]],
    ]);
    expect(JSON.parse(rules[2]?.pattern ?? '')).toEqual({ source: ['test.probe'] });
  });

  it('shows a queue, by URL and by ARN, and its dead letters', async () => {
    const url = String(sandbox.stack.physicalIds['WorkQueue']);
    const work = { name: 'eni-failover-WorkQueue', visible: 0, deadLetters: arnOf('DeadLetterQueue') };
    expect(await environment.queue(url)).toEqual(work);
    expect(await environment.queue(arnOf('WorkQueue'))).toEqual(work);
  });

  it('shows who subscribes to a topic', async () => {
    expect(await environment.subscriptions(String(sandbox.stack.physicalIds['Topic']))).toEqual([
      { protocol: 'sqs', endpoint: arnOf('InboxQueue'), confirmed: true },
    ]);
  });

  it('tells the alarms on status checks, and those that tell a topic', async () => {
    const topic = String(sandbox.stack.physicalIds['Topic']);
    const instance = 'i-0123456789abcdef0' as InstanceId;
    const common = {
      Statistic: 'Maximum',
      Period: 60,
      EvaluationPeriods: 1,
      Threshold: 1,
      ComparisonOperator: 'GreaterThanOrEqualToThreshold',
    } as const;
    await cloudwatch.send(
      new PutMetricAlarmCommand({
        ...common,
        AlarmName: 'system',
        Namespace: 'AWS/EC2',
        MetricName: 'StatusCheckFailed_System',
        Dimensions: [{ Name: 'InstanceId', Value: instance }],
      }),
    );
    await cloudwatch.send(
      new PutMetricAlarmCommand({
        ...common,
        AlarmName: 'heartbeat',
        Namespace: 'EniFailover',
        MetricName: 'Heartbeat',
        AlarmActions: [topic],
      }),
    );
    expect(await environment.statusAlarms()).toMatchObject([
      { instanceIds: [instance], metric: 'StatusCheckFailed_System' },
    ]);
    expect(await environment.alarmsTelling(topic)).toMatchObject([
      { name: 'heartbeat', namespace: 'EniFailover', metric: 'Heartbeat', actionsEnabled: true },
    ]);
  });
});
