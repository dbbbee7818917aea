/** Two instances, one interface, an alarm for each instance: what a service on two members needs of an account. */
import type { AwsEndpoint } from '../aws-endpoint.ts';
import { until } from '../until.ts';
import { itemsAt, textAt, type Xml } from '../xml.ts';

export interface PairPlan {
  /** The name of the interface. */
  readonly name: string;
  /** The first has the interface at the start. */
  readonly hosts: readonly [string, string];
  readonly address: string;
}

export interface Machine {
  readonly host: string;
  readonly instanceId: string;
}

export interface Pair {
  readonly name: string;
  readonly eniId: string;
  readonly holder: Machine;
  readonly standby: Machine;
  /** Whether a text speaks of anything of this pair. */
  isAbout(text: string): boolean;
  nameOf(id: string): string;
  /** The text with every id replaced by its short name. */
  named(text: string): string;
}

const checkMetric = 'StatusCheckFailed_System';
export const alarmOf = (host: string) => `${host}-system`;

/** The role's permissions ask for it, so that nothing else can be touched. */
const managed = { Key: 'eni-failover', Value: 'managed' };
const tagged = (type: string, name: string) => [
  { ResourceType: type, Tag: [{ Key: 'Name', Value: name }, managed] },
];
const idAt = (path: string) => (answer: Xml) => textAt(answer, path);

interface Network {
  readonly subnet: string;
  readonly hostSubnet: string;
  readonly group: string;
}

async function buildNetwork(aws: AwsEndpoint, zone: string): Promise<Network> {
  const vpc = await aws.ec2('CreateVpc', { CidrBlock: '10.0.0.0/16' }).then(idAt('vpc/vpcId'));
  const subnet = (cidr: string) =>
    aws
      .ec2('CreateSubnet', { VpcId: vpc, CidrBlock: cidr, AvailabilityZone: zone })
      .then(idAt('subnet/subnetId'));
  const group = { GroupName: 'counter', GroupDescription: 'Clients of the counter', VpcId: vpc };
  return {
    // The instances' own interfaces stay out of the service's subnet: two in one subnet route asymmetrically.
    hostSubnet: await subnet('10.0.0.0/24'),
    subnet: await subnet('10.0.1.0/24'),
    group: await aws.ec2('CreateSecurityGroup', group).then(idAt('groupId')),
  };
}

async function runInstance(aws: AwsEndpoint, host: string, { hostSubnet, group }: Network): Promise<Machine> {
  const instanceId = await aws
    .ec2('RunInstances', {
      ...{ ImageId: 'ami-0123456789abcdef0', InstanceType: 'm7g.large', MinCount: 1, MaxCount: 1 },
      ...{ SubnetId: hostSubnet, SecurityGroupId: [group], TagSpecification: tagged('instance', host) },
    })
    .then(idAt('instancesSet/item/instanceId'));
  return { host, instanceId };
}

const makeInterface = (aws: AwsEndpoint, { name, address }: PairPlan, { subnet, group }: Network) =>
  aws
    .ec2('CreateNetworkInterface', {
      ...{ SubnetId: subnet, SecurityGroupId: [group], Description: name, PrivateIpAddress: address },
      TagSpecification: tagged('network-interface', name),
    })
    .then(idAt('networkInterface/networkInterfaceId'));

/** It has been OK for long: nobody waits for CloudWatch to find that out where detection is realistic. */
async function putAlarm(aws: AwsEndpoint, { host, instanceId }: Machine): Promise<void> {
  const AlarmName = alarmOf(host);
  await aws.cloudWatch('PutMetricAlarm', {
    ...{ AlarmName, Namespace: 'AWS/EC2', MetricName: checkMetric },
    Dimensions: [{ Name: 'InstanceId', Value: instanceId }],
    ...{ Statistic: 'Maximum', Period: 60, EvaluationPeriods: 1, Threshold: 1 },
    ComparisonOperator: 'GreaterThanOrEqualToThreshold',
    TreatMissingData: 'missing',
  });
  await aws.cloudWatch('SetAlarmState', {
    AlarmName,
    StateValue: 'OK',
    StateReason: 'all checks have passed',
  });
}

function toPair(name: string, eniId: string, holder: Machine, standby: Machine): Pair {
  const names = new Map([
    [eniId, name],
    ...[holder, standby].map((each) => [each.instanceId, each.host] as const),
  ]);
  const words = [...names.keys(), ...[holder, standby].map(({ host }) => alarmOf(host))];
  return {
    ...{ name, eniId, holder, standby },
    isAbout: (text) => words.some((word) => text.includes(word)),
    nameOf: (id) => names.get(id) ?? id,
    named: (text) => text.replace(/\b(?:eni|i)-[0-9a-f]{17}\b/g, (id) => names.get(id) ?? id),
  };
}

/** Ready when every check has passed, every interface is attached and every alarm is OK. EC2 must answer at once. */
export async function buildPairs<const Plans extends readonly PairPlan[]>(
  aws: AwsEndpoint,
  region: string,
  plans: Plans,
): Promise<{ [Index in keyof Plans]: Pair }> {
  const network = await buildNetwork(aws, `${region}a`);
  const pairs: Pair[] = [];
  for (const plan of plans) {
    const [holder, standby] = [
      await runInstance(aws, plan.hosts[0], network),
      await runInstance(aws, plan.hosts[1], network),
    ];
    pairs.push(toPair(plan.name, await makeInterface(aws, plan, network), holder, standby));
  }
  const machines = pairs.flatMap(({ holder, standby }) => [holder, standby]);
  await until('the status checks of the instances have not passed', async () => {
    const answer = await aws.ec2('DescribeInstanceStatus', {
      InstanceId: machines.map((each) => each.instanceId),
    });
    const passed = itemsAt(answer, 'instanceStatusSet').filter(
      (each) =>
        textAt(each, 'systemStatus/status') === 'ok' && textAt(each, 'instanceStatus/status') === 'ok',
    );
    return passed.length === machines.length;
  });
  for (const { eniId, holder } of pairs) {
    const where = { NetworkInterfaceId: eniId, InstanceId: holder.instanceId };
    await aws.ec2('AttachNetworkInterface', { ...where, DeviceIndex: 1, NetworkCardIndex: 0 });
  }
  await until('the interfaces are not attached', async () => {
    const answer = await aws.ec2('DescribeNetworkInterfaces', {
      NetworkInterfaceId: pairs.map((each) => each.eniId),
    });
    const statuses = itemsAt(answer, 'networkInterfaceSet').map((each) => textAt(each, 'attachment/status'));
    return statuses.every((status) => status === 'attached');
  });
  for (const machine of machines) await putAlarm(aws, machine);
  await until('the alarms are not OK', async () => {
    const answer = (await aws.cloudWatch('DescribeAlarms', {
      AlarmNames: machines.map(({ host }) => alarmOf(host)),
    })) as { MetricAlarms: readonly { StateValue: string }[] };
    return answer.MetricAlarms.every((each) => each.StateValue === 'OK');
  });
  return pairs as { [Index in keyof Plans]: Pair };
}
