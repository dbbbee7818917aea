/** How many interfaces and addresses each instance type holds, as DescribeInstanceTypes published it. */
import { readFileSync } from 'node:fs';
import type {
  DescribeInstanceTypesRequest,
  DescribeInstanceTypesResult,
  InstanceTypeInfo,
} from '@aws-sdk/client-ec2';
import { Ec2Error } from './errors.ts';
import { type Attributes, matcher } from './filters.ts';
import { operation } from './operation.ts';
import { pageOf, refusePagedIds } from './pages.ts';
import type { EniRecord, InstanceRecord, Tags } from './records.ts';
import type { World } from './world.ts';

export interface TypeLimits {
  readonly name: string;
  readonly seq: number;
  readonly interfaces: number;
  readonly ipv4PerInterface: number;
  readonly ipv6PerInterface: number;
  readonly interfacesPerCard: readonly number[];
}

/** The table's last column holds one number for each network card. */
function readTable(): ReadonlyMap<string, TypeLimits> {
  const lines = readFileSync(new URL('../data/instance-type-network.csv', import.meta.url), 'utf8')
    .trim()
    .split('\n');
  return new Map(
    lines.slice(1).map((line, seq) => {
      const [name = '', interfaces, ipv4, ipv6, cards = ''] = line.trim().split(',');
      const limits: TypeLimits = {
        name,
        seq,
        interfaces: Number(interfaces),
        ipv4PerInterface: Number(ipv4),
        ipv6PerInterface: Number(ipv6),
        interfacesPerCard: cards.split('|').map(Number),
      };
      return [name, limits];
    }),
  );
}

const types = readTable();

export const limitsOf = (instanceType: string): TypeLimits | undefined => types.get(instanceType);

export function requireLimits(instanceType: string): TypeLimits {
  const limits = limitsOf(instanceType);
  if (limits !== undefined) return limits;
  throw new Ec2Error('InvalidParameterValue', `Invalid value '${instanceType}' for InstanceType.`);
}

/**
 * EC2 documents this code for assigning addresses. That attaching an interface which already carries too many
 * is refused with the same one is an assumption.
 */
export function refuseTooManyAddresses(instanceType: string, ipv4: number, ipv6: number): void {
  const limits = requireLimits(instanceType);
  if (ipv4 > limits.ipv4PerInterface || ipv6 > limits.ipv6PerInterface) {
    throw new Ec2Error('PrivateIpAddressLimitExceeded', 'Number of private addresses will exceed limit.');
  }
}

/** Refuses one interface more than the instance's type, or the network card, holds. */
export function refuseTooManyInterfaces(
  instanceType: string,
  networkCardIndex: number,
  attached: readonly EniRecord[],
): void {
  const limits = requireLimits(instanceType);
  const cardLimit = limits.interfacesPerCard[networkCardIndex];
  if (cardLimit === undefined) {
    throw new Ec2Error(
      'InvalidParameterValue',
      `Network card index ${networkCardIndex} is invalid for instance type ${instanceType}: it has ${limits.interfacesPerCard.length} network card(s).`,
    );
  }
  const onCard = attached.filter((eni) => eni.attachment?.networkCardIndex === networkCardIndex).length;
  if (attached.length >= limits.interfaces || onCard >= cardLimit) {
    throw new Ec2Error(
      'AttachmentLimitExceeded',
      `Interface count ${attached.length + 1} exceeds the limit for ${instanceType}`,
    );
  }
}

/** Everything that is on the instance, in whatever state of attachment. */
export const attachedTo = (world: World, instance: InstanceRecord): EniRecord[] =>
  instance.eniIds.map((id) => world.enis.get(id)).filter((eni) => eni !== undefined);

const attributes: Attributes<TypeLimits & { readonly tags?: Tags }> = {
  'instance-type': (type) => type.name,
  'network-info.ipv4-addresses-per-interface': (type) => type.ipv4PerInterface,
  'network-info.ipv6-addresses-per-interface': (type) => type.ipv6PerInterface,
  'network-info.ipv6-supported': (type) => type.ipv6PerInterface > 0,
  'network-info.maximum-network-cards': (type) => type.interfacesPerCard.length,
  'network-info.maximum-network-interfaces': (type) => type.interfaces,
};

const toInfo = (type: TypeLimits): InstanceTypeInfo => ({
  // The table may know types that this version of the SDK does not.
  InstanceType: type.name as NonNullable<InstanceTypeInfo['InstanceType']>,
  NetworkInfo: {
    DefaultNetworkCardIndex: 0,
    Ipv4AddressesPerInterface: type.ipv4PerInterface,
    Ipv6AddressesPerInterface: type.ipv6PerInterface,
    Ipv6Supported: type.ipv6PerInterface > 0,
    MaximumNetworkCards: type.interfacesPerCard.length,
    MaximumNetworkInterfaces: type.interfaces,
    NetworkCards: type.interfacesPerCard.map((MaximumNetworkInterfaces, NetworkCardIndex) => ({
      MaximumNetworkInterfaces,
      NetworkCardIndex,
    })),
  },
});

export const instanceTypeOperations = () => ({
  DescribeInstanceTypes: operation<DescribeInstanceTypesRequest, DescribeInstanceTypesResult>()({
    accepts: ['InstanceTypes', 'Filters', 'MaxResults', 'NextToken'],
    run({ InstanceTypes: names = [], Filters, ...page }) {
      refusePagedIds('instanceType', names, page);
      const unknown = names.filter((name) => !types.has(name));
      if (unknown.length > 0) {
        throw new Ec2Error(
          'InvalidInstanceType',
          `The following supplied instance types do not exist: [${unknown.join(', ')}]`,
        );
      }
      const wanted = new Set<string>(names);
      const chosen = [...types.values()]
        .filter((type) => wanted.size === 0 || wanted.has(type.name))
        .filter(matcher(Filters, attributes));
      const { items, ...next } = pageOf(chosen, ({ seq }) => seq, page, { min: 5, max: 100, otherwise: 100 });
      return { InstanceTypes: items.map(toInfo), ...next };
    },
  }),
});
