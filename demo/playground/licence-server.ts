/** The second service of the playground: a licence server that is bound to the MAC address of one interface. */
import type { AwsEndpoint } from '../aws-endpoint.ts';
import { until } from '../until.ts';
import { itemsAt, textAt, type Xml } from '../xml.ts';

const name = 'licences';
const managed = [{ Key: 'eni-failover', Value: 'managed' }];
const tagsOf = (type: string) => [{ ResourceType: type, Tag: [{ Key: 'Name', Value: name }, ...managed] }];
const idOf = (at: string) => (answer: Xml) => textAt(answer, at);

/** Two instances, one interface on the first of them, an alarm for each check: what its declaration names. */
export async function buildLicenceServer(aws: AwsEndpoint, region: string, checks: readonly string[]) {
  const vpc = await aws.ec2('CreateVpc', { CidrBlock: '10.1.0.0/16' }).then(idOf('vpc/vpcId'));
  const subnet = (CidrBlock: string) =>
    aws
      .ec2('CreateSubnet', { VpcId: vpc, CidrBlock, AvailabilityZone: `${region}a` })
      .then(idOf('subnet/subnetId'));
  const hosts = await subnet('10.1.0.0/24');
  const instance = () =>
    aws
      .ec2('RunInstances', {
        ImageId: 'ami-0123456789abcdef0',
        InstanceType: 'm7g.large',
        MinCount: 1,
        MaxCount: 1,
        SubnetId: hosts,
        TagSpecification: tagsOf('instance'),
      })
      .then(idOf('instancesSet/item/instanceId'));
  const members = [await instance(), await instance()];
  const eni = await aws
    .ec2('CreateNetworkInterface', {
      SubnetId: await subnet('10.1.1.0/24'),
      Description: 'the licence is bound to its MAC',
      TagSpecification: tagsOf('network-interface'),
    })
    .then(idOf('networkInterface/networkInterfaceId'));
  for (const InstanceId of members)
    for (const MetricName of checks)
      await aws.cloudWatch('PutMetricAlarm', {
        AlarmName: `${name}-${InstanceId}-${MetricName}`,
        Namespace: 'AWS/EC2',
        MetricName,
        Dimensions: [{ Name: 'InstanceId', Value: InstanceId }],
        Statistic: 'Maximum',
        Period: 60,
        EvaluationPeriods: 1,
        Threshold: 1,
        ComparisonOperator: 'GreaterThanOrEqualToThreshold',
      });
  await until('the licence server is not ready: its instances do not run', async () => {
    const answer = await aws.ec2('DescribeInstanceStatus', { InstanceId: members });
    const well = itemsAt(answer, 'instanceStatusSet').filter((each) =>
      ['systemStatus', 'instanceStatus'].every((check) => textAt(each, `${check}/status`) === 'ok'),
    );
    return well.length === members.length;
  });
  await aws.ec2('AttachNetworkInterface', {
    NetworkInterfaceId: eni,
    InstanceId: members[0] ?? '',
    DeviceIndex: 1,
  });
  await until('the licence server is not ready: its interface is not attached', async () => {
    const answer = await aws.ec2('DescribeNetworkInterfaces', { NetworkInterfaceId: [eni] });
    return textAt(answer, 'networkInterfaceSet/item/attachment/status') === 'attached';
  });
  return {
    name,
    description: 'The licence server (playground)',
    interfaces: [{ eni, deviceIndex: 1 }],
    members: members.map((each) => ({ instance: each })),
  };
}
