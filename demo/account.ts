/** The account that the demo plays in: a VPC, instances, a service's two interfaces, and alarms on status checks. */
import type { AwsEndpoint } from './aws-endpoint.ts';
import { until } from './until.ts';
import { itemsAt, textAt, type Xml } from './xml.ts';

/** The members of the service, in order of preference. The first has the interfaces at the start. */
export const hosts = ['db-a', 'db-b', 'db-c'] as const;
export type Host = (typeof hosts)[number];
export type InterfaceName = 'front' | 'management';

export interface AccountPlan {
  /** Where each member is, in order; `other` is another Availability Zone than the interfaces'. */
  readonly members: readonly ('same' | 'other')[];
  /** The metrics of `AWS/EC2` that have an alarm for each member. */
  readonly alarms: readonly string[];
  /** Alarms of the service's own, by name: OK at the start. */
  readonly ownAlarms?: readonly string[];
}

export interface Member {
  readonly host: Host;
  readonly instanceId: string;
  readonly zone: string;
}

export interface ServiceInterface {
  readonly name: InterfaceName;
  readonly eniId: string;
  readonly deviceIndex: number;
}

export interface Account {
  readonly service: 'orders-db';
  readonly zone: string;
  readonly members: readonly Member[];
  readonly interfaces: readonly ServiceInterface[];
  instanceOf(host: Host): string;
  eniOf(name: InterfaceName): string;
  /** The short name of what an id stands for, or the id itself. */
  nameOf(id: string): string;
  /** The text with every id of the account replaced by its short name. */
  named(text: string): string;
}

export const service = 'orders-db';
/** The role's permissions ask for it, so that nothing else can be touched. */
const managed = { Key: 'eni-failover', Value: 'managed' };
const tagsOf = (type: string, name: string, ...more: { Key: string; Value: string }[]) => [
  { ResourceType: type, Tag: [{ Key: 'Name', Value: name }, ...more] },
];

/** Runs in some tenths of a second where the sandbox's EC2 answers at once. */
export async function buildAccount(aws: AwsEndpoint, region: string, plan: AccountPlan): Promise<Account> {
  const idOf = (path: string) => (answer: Xml) => textAt(answer, path);
  const [zone, otherZone] = [`${region}a`, `${region}b`];
  const vpc = await aws
    .ec2('CreateVpc', { CidrBlock: '10.0.0.0/16', TagSpecification: tagsOf('vpc', service) })
    .then(idOf('vpc/vpcId'));
  const subnet = (name: string, cidr: string, at: string) =>
    aws
      .ec2('CreateSubnet', {
        VpcId: vpc,
        CidrBlock: cidr,
        AvailabilityZone: at,
        TagSpecification: tagsOf('subnet', `${service}-${name}`),
      })
      .then(idOf('subnet/subnetId'));
  const group = (name: string, description: string) =>
    aws
      .ec2('CreateSecurityGroup', {
        GroupName: `${service}-${name}`,
        GroupDescription: description,
        VpcId: vpc,
      })
      .then(idOf('groupId'));

  // The instances' own interfaces stay out of the service's subnets: two in one subnet route asymmetrically.
  const hostSubnets = {
    same: await subnet('hosts', '10.0.0.0/24', zone),
    other: await subnet('hosts-elsewhere', '10.0.100.0/24', otherZone),
  };
  const front = {
    subnet: await subnet('front', '10.0.1.0/24', zone),
    group: await group('front', 'PostgreSQL from the clients'),
  };
  const management = {
    subnet: await subnet('management', '10.0.2.0/24', zone),
    group: await group('management', 'Backups and monitoring'),
  };

  const members: Member[] = [];
  for (const [index, where] of plan.members.entries()) {
    const host = hosts[index];
    if (host === undefined) throw new Error(`there are names for ${hosts.length} members only`);
    const instanceId = await aws
      .ec2('RunInstances', {
        ImageId: 'ami-0123456789abcdef0',
        InstanceType: 'm7g.large',
        MinCount: 1,
        MaxCount: 1,
        SubnetId: hostSubnets[where],
        SecurityGroupId: [management.group],
        TagSpecification: tagsOf('instance', `${service}-${host}`, managed),
      })
      .then(idOf('instancesSet/item/instanceId'));
    members.push({ host, instanceId, zone: where === 'same' ? zone : otherZone });
  }
  const instanceIds = members.map((each) => each.instanceId);
  await until('the account is not ready: the status checks of its instances have not passed', async () => {
    const answer = await aws.ec2('DescribeInstanceStatus', {
      InstanceId: instanceIds,
      IncludeAllInstances: true,
    });
    const passed = itemsAt(answer, 'instanceStatusSet').filter(
      (each) =>
        textAt(each, 'systemStatus/status') === 'ok' && textAt(each, 'instanceStatus/status') === 'ok',
    );
    return passed.length === members.length;
  });

  const eni = (name: InterfaceName, side: typeof front, addresses: readonly string[]) =>
    aws
      .ec2('CreateNetworkInterface', {
        SubnetId: side.subnet,
        SecurityGroupId: [side.group],
        Description: `${service}, ${name} side`,
        PrivateIpAddresses: addresses.map((PrivateIpAddress, index) => ({
          PrivateIpAddress,
          Primary: index === 0,
        })),
        TagSpecification: tagsOf('network-interface', `${service}-${name}`, managed),
      })
      .then(idOf('networkInterface/networkInterfaceId'));
  const interfaces: ServiceInterface[] = [
    {
      name: 'front',
      eniId: await eni('front', front, ['10.0.1.10', '10.0.1.11', '10.0.1.12']),
      deviceIndex: 1,
    },
    { name: 'management', eniId: await eni('management', management, ['10.0.2.10']), deviceIndex: 2 },
  ];
  const [frontEni = '', managementEni = ''] = interfaces.map((each) => each.eniId);
  // A flag that is not at its default shows whether it travels.
  await aws.ec2('ModifyNetworkInterfaceAttribute', {
    NetworkInterfaceId: frontEni,
    SourceDestCheck: { Value: false },
  });
  const allocation = await aws.ec2('AllocateAddress', { Domain: 'vpc' }).then(idOf('allocationId'));
  await aws.ec2('AssociateAddress', { AllocationId: allocation, NetworkInterfaceId: frontEni });
  for (const { eniId, deviceIndex } of interfaces) {
    await aws.ec2('AttachNetworkInterface', {
      NetworkInterfaceId: eniId,
      InstanceId: instanceIds[0] ?? '',
      DeviceIndex: deviceIndex,
      NetworkCardIndex: 0,
    });
  }
  await until('the account is not ready: its interfaces are not attached', async () => {
    const answer = await aws.ec2('DescribeNetworkInterfaces', {
      NetworkInterfaceId: [frontEni, managementEni],
    });
    return itemsAt(answer, 'networkInterfaceSet').every(
      (each) => textAt(each, 'attachment/status') === 'attached',
    );
  });

  const alarmNames = members.flatMap(({ host, instanceId }) =>
    plan.alarms.map((metric) => ({ metric, instanceId, name: alarmName(host, metric) })),
  );
  for (const { name, metric, instanceId } of alarmNames) {
    await aws.cloudWatch('PutMetricAlarm', {
      AlarmName: name,
      Namespace: 'AWS/EC2',
      MetricName: metric,
      Dimensions: [{ Name: 'InstanceId', Value: instanceId }],
      Statistic: 'Maximum',
      Period: 60,
      EvaluationPeriods: 1,
      Threshold: 1,
      ComparisonOperator: 'GreaterThanOrEqualToThreshold',
      TreatMissingData: 'missing',
    });
  }
  for (const AlarmName of plan.ownAlarms ?? []) {
    await aws.cloudWatch('PutMetricAlarm', {
      AlarmName,
      Namespace: service,
      MetricName: AlarmName,
      Statistic: 'Maximum',
      Period: 60,
      EvaluationPeriods: 1,
      Threshold: 1,
      ComparisonOperator: 'GreaterThanOrEqualToThreshold',
    });
    await aws.cloudWatch('SetAlarmState', { AlarmName, StateValue: 'OK', StateReason: 'as it should be' });
  }
  await until('the account is not ready: its alarms are not OK', async () => {
    const answer = (await aws.cloudWatch('DescribeAlarms', {
      AlarmNames: [...alarmNames.map((each) => each.name), ...(plan.ownAlarms ?? [])],
    })) as { MetricAlarms: readonly { StateValue: string }[] };
    return answer.MetricAlarms.every((each) => each.StateValue === 'OK');
  });

  const names = new Map<string, string>([
    ...members.map(({ host, instanceId }) => [instanceId, host] as const),
    ...interfaces.map(({ name, eniId }) => [eniId, name] as const),
  ]);
  const known = <T>(found: T | undefined, what: string): T => {
    if (found === undefined) throw new Error(`this account has no ${what}`);
    return found;
  };
  return {
    service,
    zone,
    members,
    interfaces,
    instanceOf: (host) =>
      known(
        members.find((each) => each.host === host),
        host,
      ).instanceId,
    eniOf: (name) =>
      known(
        interfaces.find((each) => each.name === name),
        name,
      ).eniId,
    nameOf: (id) => names.get(id) ?? id,
    named: (text) => text.replace(/\b(?:eni|i)-[0-9a-f]{17}\b/g, (id) => names.get(id) ?? id),
  };
}

/** `db-a-system` for `StatusCheckFailed_System`, `db-a-status` for the sum of all checks. */
export function alarmName(host: Host, metric: string): string {
  const [, check = 'status'] = metric.split('_');
  return `${host}-${check.toLowerCase()}`;
}

/** Of an alarm of the account, by its name. */
export const alarmArn = ({ zone }: Pick<Account, 'zone'>, name: string) =>
  `arn:aws:cloudwatch:${zone.slice(0, -1)}:000000000000:alarm:${name}`;
