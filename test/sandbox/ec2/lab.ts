/** A small account on a virtual clock: one VPC, a subnet in each of two zones, and short ways to ask about it. */
import { Ec2Error, type Ec2ModelOptions, makeEc2Model } from '../../../sandbox/ec2/model.ts';
import { makeVirtualClock } from './virtual-clock.ts';

/** Repeatable and good enough: mulberry32. */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What must be there, or the test is wrong. */
export function some<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('expected a value');
  return value;
}

/** EC2's code for what it refuses; `ok` for what it does not. */
export function codeOf(attempt: () => unknown): string {
  try {
    attempt();
    return 'ok';
  } catch (error) {
    if (error instanceof Ec2Error) return error.code;
    throw error;
  }
}

export function messageOf(attempt: () => unknown): string {
  try {
    attempt();
    return '';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

export function makeLab(options: Partial<Ec2ModelOptions> = {}) {
  const clock = makeVirtualClock();
  const model = makeEc2Model({ clock, random: seededRandom(1), latency: 'realistic', ...options });
  const vpc = some(
    some(model.execute('CreateVpc', { CidrBlock: '10.0.0.0/16', AmazonProvidedIpv6CidrBlock: true }).Vpc)
      .VpcId,
  );
  const subnetIn = (zone: string, CidrBlock: string) =>
    some(
      some(
        model.execute('CreateSubnet', {
          VpcId: vpc,
          CidrBlock,
          AvailabilityZone: (options.region ?? 'us-east-1') + zone,
        }).Subnet,
      ).SubnetId,
    );
  const subnet = subnetIn('a', '10.0.1.0/24');
  const elsewhere = subnetIn('b', '10.0.2.0/24');
  /** Long enough for everything under way to arrive. */
  const settle = () => clock.advance(60_000);

  return {
    clock,
    model,
    vpc,
    subnet,
    elsewhere,
    subnetIn,
    settle,
    instance(InstanceType: 'm5.large' | 't3.micro' | 'p5.48xlarge' = 'm5.large', SubnetId = subnet): string {
      const launched = model.execute('RunInstances', {
        ImageId: 'ami-0123456789abcdef0',
        InstanceType,
        SubnetId,
        MinCount: 1,
        MaxCount: 1,
      });
      settle();
      return some(some(launched.Instances?.[0]).InstanceId);
    },
    eni(input: Partial<Parameters<typeof createEni>[0]> = {}): string {
      return createEni(input);
    },
    attach(NetworkInterfaceId: string, InstanceId: string, DeviceIndex = 1): string {
      return some(
        model.execute('AttachNetworkInterface', { NetworkInterfaceId, InstanceId, DeviceIndex }).AttachmentId,
      );
    },
    detach(AttachmentId: string, Force = false): void {
      model.execute('DetachNetworkInterface', { AttachmentId, Force });
    },
    look(eniId: string) {
      const found = model.execute('DescribeNetworkInterfaces', { NetworkInterfaceIds: [eniId] });
      return some(found.NetworkInterfaces?.[0]);
    },
    /** ENI and attachment status in two words. */
    states(eniId: string): string {
      const { Status, Attachment } = this.look(eniId);
      return `${Status} ${Attachment?.Status ?? '-'}`;
    },
    stateOf(instanceId: string) {
      const found = model.execute('DescribeInstances', { InstanceIds: [instanceId] });
      return found.Reservations?.[0]?.Instances?.[0]?.State?.Name;
    },
    status(instanceId: string) {
      const found = model.execute('DescribeInstanceStatus', {
        InstanceIds: [instanceId],
        IncludeAllInstances: true,
      });
      return some(found.InstanceStatuses?.[0]);
    },
  };

  function createEni(input: {
    SubnetId?: string;
    PrivateIpAddress?: string;
    SecondaryPrivateIpAddressCount?: number;
    Description?: string;
  }): string {
    const created = model.execute('CreateNetworkInterface', { SubnetId: subnet, ...input });
    return some(some(created.NetworkInterface).NetworkInterfaceId);
  }
}

export type Lab = ReturnType<typeof makeLab>;
