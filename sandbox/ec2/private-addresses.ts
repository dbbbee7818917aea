/** The private addresses of interfaces: which are free, which an interface asks for, which it gives back. */
import type {
  AssignIpv6AddressesRequest,
  AssignIpv6AddressesResult,
  AssignPrivateIpAddressesRequest,
  AssignPrivateIpAddressesResult,
  PrivateIpAddressSpecification,
  UnassignIpv6AddressesRequest,
  UnassignIpv6AddressesResult,
  UnassignPrivateIpAddressesRequest,
} from '@aws-sdk/client-ec2';
import { canonicalIpv6, ipv6In, rangeOf, toDotted, toNumber } from './cidr.ts';
import { Ec2Error, invalidCombination, invalidValue, missing } from './errors.ts';
import { requireOne } from './ids.ts';
import { refuseTooManyAddresses } from './limits.ts';
import { refuseManaged } from './managed.ts';
import { reservedAtEnd, reservedAtStart } from './network.ts';
import { operation } from './operation.ts';
import type { EniRecord, PrivateIp, SubnetRecord } from './records.ts';
import type { World } from './world.ts';

/** How a request asks for addresses; the same words in CreateNetworkInterface and RunInstances. */
export interface AddressRequest {
  readonly PrivateIpAddress?: string | undefined;
  readonly PrivateIpAddresses?: readonly PrivateIpAddressSpecification[] | undefined;
  readonly SecondaryPrivateIpAddressCount?: number | undefined;
  readonly Ipv6Addresses?: readonly { readonly Ipv6Address?: string | undefined }[] | undefined;
  readonly Ipv6AddressCount?: number | undefined;
}

function takenIn(world: World, subnet: SubnetRecord): Set<string> {
  const taken = world.takenAddresses.get(subnet.id) ?? new Set();
  world.takenAddresses.set(subnet.id, taken);
  return taken;
}

export function giveBack(world: World, subnetId: string, addresses: Iterable<string>): void {
  const taken = world.takenAddresses.get(subnetId);
  for (const address of addresses) taken?.delete(address);
}

/** Collects addresses first and takes them together, so that a refused request takes none. */
class Selection {
  readonly #subnet: SubnetRecord;
  readonly #random: () => number;
  readonly #taken: Set<string>;
  readonly #chosen: string[] = [];

  constructor(world: World, subnet: SubnetRecord) {
    this.#subnet = subnet;
    this.#random = world.random;
    this.#taken = takenIn(world, subnet);
  }

  #isFree = (address: string) => !this.#taken.has(address) && !this.#chosen.includes(address);

  #choose(address: string): string {
    if (!this.#isFree(address)) {
      throw new Ec2Error('InvalidIPAddress.InUse', `Address ${address} is in use.`);
    }
    this.#chosen.push(address);
    return address;
  }

  ipv4(wanted: string | undefined): string {
    const range = rangeOf(this.#subnet.cidr) ?? { first: 0, size: 0 };
    const first = range.first + reservedAtStart;
    const last = range.first + range.size - reservedAtEnd - 1;
    if (wanted !== undefined) {
      const address = toNumber(wanted);
      if (address === undefined) throw invalidValue(`invalid value for parameter address: ${wanted}`);
      if (address < first || address > last) {
        throw invalidValue(`Address ${wanted} does not fall within the subnet's address range`);
      }
      return this.#choose(toDotted(address));
    }
    for (let address = first; address <= last; address += 1) {
      if (this.#isFree(toDotted(address))) return this.#choose(toDotted(address));
    }
    throw new Ec2Error(
      'InsufficientFreeAddressesInSubnet',
      `The specified subnet does not have enough free addresses to satisfy the request.`,
    );
  }

  ipv6(wanted: string | undefined): string {
    const { ipv6Cidr } = this.#subnet;
    if (ipv6Cidr === undefined) {
      throw invalidValue(`The subnet ${this.#subnet.id} has no IPv6 CIDR block`);
    }
    if (wanted !== undefined) {
      const address = canonicalIpv6(wanted);
      if (!ipv6In(ipv6Cidr, address)) {
        throw invalidValue(`Address ${wanted} does not fall within the subnet's address range`);
      }
      return this.#choose(address);
    }
    // Random as EC2's are; the count at the end keeps them apart if the random source repeats itself.
    const group = () => Math.floor(this.#random() * 0x10000).toString(16);
    const unique = (this.#taken.size + this.#chosen.length + 1).toString(16);
    return this.#choose(
      canonicalIpv6(ipv6Cidr.replace(/::\/64$/, `:${group()}:${group()}:${group()}:${unique}`)),
    );
  }

  take(): void {
    for (const address of this.#chosen) this.#taken.add(address);
  }
}

function refuseBoth(list: readonly unknown[] | undefined, count: number | undefined, name: string): void {
  if (list !== undefined && list.length > 0 && count !== undefined) {
    throw invalidCombination(`${name} may not be given both as a list and as a count`);
  }
}

/** The addresses of a new interface, the primary one first. */
export function takeAddresses(
  world: World,
  subnet: SubnetRecord,
  request: AddressRequest,
): { privateIps: readonly PrivateIp[]; ipv6: readonly string[] } {
  const listed = request.PrivateIpAddresses ?? [];
  refuseBoth(request.Ipv6Addresses, request.Ipv6AddressCount, 'IPv6 addresses');
  const primaries = listed.filter(({ Primary }) => Primary === true);
  if (primaries.length + (request.PrivateIpAddress === undefined ? 0 : 1) > 1) {
    throw invalidCombination('Only one primary private IP address may be specified');
  }
  const selection = new Selection(world, subnet);
  const primary = selection.ipv4(request.PrivateIpAddress ?? primaries[0]?.PrivateIpAddress);
  const secondary = [
    ...listed.filter(({ Primary }) => Primary !== true).map((one) => selection.ipv4(one.PrivateIpAddress)),
    ...Array.from({ length: request.SecondaryPrivateIpAddressCount ?? 0 }, () => selection.ipv4(undefined)),
  ];
  const ipv6 = [
    ...(request.Ipv6Addresses ?? []).map((one) => selection.ipv6(one.Ipv6Address)),
    ...Array.from({ length: request.Ipv6AddressCount ?? 0 }, () => selection.ipv6(undefined)),
  ];
  selection.take();
  const privateIps = [
    { address: primary, primary: true },
    ...secondary.map((address) => ({ address, primary: false })),
  ];
  return { privateIps, ipv6 };
}

function forChange(world: World, eniId: string): { eni: EniRecord; subnet: SubnetRecord } {
  const eni = requireOne('eni', eniId, world.enis.get);
  refuseManaged(eni);
  return { eni, subnet: requireOne('subnet', eni.subnetId, world.subnets.get) };
}

/** The limit is the instance's, so it holds as soon as the interface is on one. */
function refuseOverLimit(world: World, eni: EniRecord, ipv4: number, ipv6: number): void {
  const instance = eni.attachment && world.instances.get(eni.attachment.instanceId);
  if (instance !== undefined) refuseTooManyAddresses(instance.instanceType, ipv4, ipv6);
}

/** Takes a secondary address from the interface that holds it; never a primary one. */
function takeFromOther(world: World, to: EniRecord, address: string): void {
  for (const other of world.enis.values()) {
    if (other.subnetId !== to.subnetId || other.id === to.id) continue;
    const held = other.privateIps.find((ip) => ip.address === address);
    if (held === undefined || held.primary) continue;
    removePrivateIps(world, other, new Set([address]));
  }
}

function removePrivateIps(world: World, eni: EniRecord, gone: ReadonlySet<string>): void {
  for (const ip of eni.privateIps) {
    const elastic =
      gone.has(ip.address) && ip.allocationId !== undefined
        ? world.addresses.get(ip.allocationId)
        : undefined;
    if (elastic === undefined) continue;
    const { association: _, ...free } = elastic;
    world.addresses.put(free);
  }
  giveBack(world, eni.subnetId, gone);
  world.putEni({ ...eni, privateIps: eni.privateIps.filter((ip) => !gone.has(ip.address)) });
}

export const privateAddressOperations = (world: World) => ({
  AssignPrivateIpAddresses: operation<AssignPrivateIpAddressesRequest, AssignPrivateIpAddressesResult>()({
    requires: ['NetworkInterfaceId'],
    accepts: ['PrivateIpAddresses', 'SecondaryPrivateIpAddressCount', 'AllowReassignment'],
    run({ NetworkInterfaceId, PrivateIpAddresses: listed, SecondaryPrivateIpAddressCount: count, ...rest }) {
      refuseBoth(listed, count, 'Private IP addresses');
      const { eni, subnet } = forChange(world, NetworkInterfaceId);
      const wanted = listed ?? Array.from({ length: count ?? 0 }, () => undefined);
      if (wanted.length === 0) throw missing('SecondaryPrivateIpAddressCount');
      const already = new Set(eni.privateIps.map(({ address }) => address));
      const added = wanted.filter((address) => address === undefined || !already.has(address));
      refuseOverLimit(world, eni, eni.privateIps.length + added.length, eni.ipv6.length);
      if (rest.AllowReassignment === true) {
        for (const address of added) if (address !== undefined) takeFromOther(world, eni, address);
      }
      const selection = new Selection(world, subnet);
      const addresses = added.map((address) => selection.ipv4(address));
      selection.take();
      const secondary = addresses.map((address) => ({ address, primary: false }));
      world.putEni({ ...eni, privateIps: [...eni.privateIps, ...secondary] });
      return {
        NetworkInterfaceId: eni.id,
        AssignedPrivateIpAddresses: addresses.map((PrivateIpAddress) => ({ PrivateIpAddress })),
        AssignedIpv4Prefixes: [],
      };
    },
  }),

  UnassignPrivateIpAddresses: operation<UnassignPrivateIpAddressesRequest, object>()({
    requires: ['NetworkInterfaceId', 'PrivateIpAddresses'],
    run({ NetworkInterfaceId, PrivateIpAddresses: addresses }) {
      const { eni } = forChange(world, NetworkInterfaceId);
      const secondary = new Set(eni.privateIps.filter((ip) => !ip.primary).map((ip) => ip.address));
      if (!addresses.every((address) => secondary.has(address))) {
        throw invalidValue(
          `Some of [${addresses.join(', ')}] are not assigned to interface ${eni.id} as secondary addresses`,
        );
      }
      removePrivateIps(world, eni, new Set(addresses));
      return {};
    },
  }),

  AssignIpv6Addresses: operation<AssignIpv6AddressesRequest, AssignIpv6AddressesResult>()({
    requires: ['NetworkInterfaceId'],
    accepts: ['Ipv6Addresses', 'Ipv6AddressCount'],
    run({ NetworkInterfaceId, Ipv6Addresses: listed, Ipv6AddressCount: count }) {
      refuseBoth(listed, count, 'IPv6 addresses');
      const { eni, subnet } = forChange(world, NetworkInterfaceId);
      const wanted = listed ?? Array.from({ length: count ?? 0 }, () => undefined);
      if (wanted.length === 0) throw missing('Ipv6AddressCount');
      refuseOverLimit(world, eni, eni.privateIps.length, eni.ipv6.length + wanted.length);
      const selection = new Selection(world, subnet);
      const addresses = wanted.map((address) => selection.ipv6(address));
      selection.take();
      world.putEni({ ...eni, ipv6: [...eni.ipv6, ...addresses] });
      return { NetworkInterfaceId: eni.id, AssignedIpv6Addresses: addresses, AssignedIpv6Prefixes: [] };
    },
  }),

  UnassignIpv6Addresses: operation<UnassignIpv6AddressesRequest, UnassignIpv6AddressesResult>()({
    requires: ['NetworkInterfaceId', 'Ipv6Addresses'],
    run({ NetworkInterfaceId, Ipv6Addresses: listed }) {
      const { eni } = forChange(world, NetworkInterfaceId);
      const addresses = listed.map(canonicalIpv6);
      if (!addresses.every((address) => eni.ipv6.includes(address))) {
        throw invalidValue(`Some of [${addresses.join(', ')}] are not assigned to interface ${eni.id}`);
      }
      giveBack(world, eni.subnetId, addresses);
      world.putEni({ ...eni, ipv6: eni.ipv6.filter((address) => !addresses.includes(address)) });
      return { NetworkInterfaceId: eni.id, UnassignedIpv6Addresses: addresses, UnassignedIpv6Prefixes: [] };
    },
  }),
});
