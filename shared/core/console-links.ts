/** Links into the AWS console for what a notice names, in the account's own partition. */

/** Where the controller runs: what ids alone do not say. */
export interface Place {
  readonly partition: string;
  readonly region: string;
  readonly account: string;
}

/** The place that an ARN names. A malformed one names none. */
export function placeOf(arn: string): Place {
  const [, partition = 'aws', , region = '', account = ''] = arn.split(':');
  return { partition, region, account };
}

export interface Named {
  readonly instances: readonly string[];
  readonly enis: readonly string[];
  readonly alarms: readonly string[];
}

export interface Link {
  readonly of: string;
  readonly url: string;
}

const hosts: Readonly<Record<string, string>> = {
  'aws-cn': 'console.amazonaws.cn',
  'aws-us-gov': 'console.amazonaws-us-gov.com',
};

export function toLinks({ instances, enis, alarms }: Named, { partition, region }: Place): readonly Link[] {
  if (region === '') return [];
  const home = (service: string) =>
    `https://${region}.${hosts[partition] ?? 'console.aws.amazon.com'}/${service}/home?region=${region}`;
  const link = (of: string, service: string, fragment: string): Link => ({
    of,
    url: `${home(service)}#${fragment}`,
  });
  return [
    ...instances.map((id) => link(id, 'ec2', `InstanceDetails:instanceId=${id}`)),
    ...enis.map((id) => link(id, 'ec2', `NetworkInterface:networkInterfaceId=${id}`)),
    ...alarms.map((arn) => {
      const name = arn.slice(arn.indexOf(':alarm:') + 7);
      return link(name, 'cloudwatch', `alarmsV2:alarm/${encodeURIComponent(name)}`);
    }),
  ];
}

/** ARNs of the instances and interfaces, for a program that does not know where they are. */
export const toArns = ({ instances, enis, alarms }: Named, { partition, region, account }: Place) => [
  ...instances.map((id) => `arn:${partition}:ec2:${region}:${account}:instance/${id}`),
  ...enis.map((id) => `arn:${partition}:ec2:${region}:${account}:network-interface/${id}`),
  ...alarms,
];
