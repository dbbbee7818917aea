/** Network interfaces themselves: making, describing, changing and deleting them. */
import type {
  CreateNetworkInterfaceRequest,
  CreateNetworkInterfaceResult,
  DeleteNetworkInterfaceRequest,
  DescribeNetworkInterfacesRequest,
  DescribeNetworkInterfacesResult,
  ModifyNetworkInterfaceAttributeRequest,
  NetworkInterface,
  NetworkInterfaceAssociation,
  NetworkInterfaceStatus,
} from '@aws-sdk/client-ec2';
import { Ec2Error, invalidCombination, invalidValue, missing } from './errors.ts';
import { type Attributes, matcher, taggedAttributes } from './filters.ts';
import { requireAll, requireOne, unknownIds } from './ids.ts';
import { refuseManaged } from './managed.ts';
import { operation } from './operation.ts';
import { pageOf, refusePagedIds } from './pages.ts';
import { type AddressRequest, giveBack, takeAddresses } from './private-addresses.ts';
import type { EniRecord, GroupRecord, PrivateIp, SubnetRecord, Tags } from './records.ts';
import { tagsFor, toTags } from './tags.ts';
import type { View, World } from './world.ts';

export const statusOf = (eni: EniRecord): 'in-use' | 'available' =>
  eni.attachment === undefined ? 'available' : 'in-use';

/** The groups of these ids, which must all be in the subnet's VPC; the VPC's default group if none are named. */
export function groupsFor(world: World, vpcId: string, ids: readonly string[] | undefined): GroupRecord[] {
  const named = ids !== undefined && ids.length > 0 ? ids : [world.vpcs.get(vpcId)?.defaultGroupId ?? ''];
  const groups = requireAll('sg', named, world.groups.get);
  const foreign = groups.find((group) => group.vpcId !== vpcId);
  if (foreign !== undefined) {
    throw new Ec2Error(
      'InvalidParameter',
      `Security group ${foreign.id} and the network interface belong to different networks.`,
    );
  }
  return groups;
}

interface NewEni extends AddressRequest {
  readonly subnet: SubnetRecord;
  readonly groupIds: readonly string[] | undefined;
  readonly description: string;
  readonly tags: Tags;
}

export function createEni(world: World, request: NewEni): EniRecord {
  const { subnet, groupIds, description, tags } = request;
  const groups = groupsFor(world, subnet.vpcId, groupIds);
  const addresses = takeAddresses(world, subnet, request);
  const seq = world.nextSeq();
  const mac = world.hex(4) + seq.toString(16).padStart(6, '0').slice(-6);
  const eni: EniRecord = {
    id: world.newId('eni', seq),
    seq,
    tags,
    subnetId: subnet.id,
    vpcId: subnet.vpcId,
    availabilityZone: subnet.availabilityZone,
    description,
    macAddress: `02:${mac.match(/../g)?.join(':')}`,
    groupIds: groups.map(({ id }) => id),
    ...addresses,
    sourceDestCheck: true,
  };
  world.putEni(eni);
  return eni;
}

/** Deletes it whatever its state; its Elastic IPs stay with the account. */
export function destroyEni(world: World, eni: EniRecord): void {
  for (const { allocationId } of eni.privateIps) {
    const elastic = allocationId === undefined ? undefined : world.addresses.get(allocationId);
    if (elastic === undefined) continue;
    const { association: _, ...free } = elastic;
    world.addresses.put(free);
  }
  giveBack(world, eni.subnetId, [...eni.privateIps.map(({ address }) => address), ...eni.ipv6]);
  world.stuck.delete(eni.id);
  world.deleteEni(eni.id);
}

export function associationOf(
  world: World,
  view: View,
  ip: PrivateIp,
): NetworkInterfaceAssociation | undefined {
  const elastic = ip.allocationId === undefined ? undefined : view.addresses.get(ip.allocationId);
  if (elastic?.association === undefined) return undefined;
  return {
    AllocationId: elastic.id,
    AssociationId: elastic.association.id,
    IpOwnerId: world.accountId,
    PublicDnsName: publicDnsName(elastic.publicIp),
    PublicIp: elastic.publicIp,
  };
}

export const privateDnsName = (address: string): string => `ip-${address.replaceAll('.', '-')}.ec2.internal`;
export const publicDnsName = (address: string): string =>
  `ec2-${address.replaceAll('.', '-')}.compute-1.amazonaws.com`;

export const groupNames = (view: View, ids: readonly string[]) =>
  ids.map((GroupId) => ({ GroupId, GroupName: view.groups.get(GroupId)?.name ?? '' }));

export function toNetworkInterface(world: World, view: View, eni: EniRecord): NetworkInterface {
  const { attachment, managed } = eni;
  const primary = eni.privateIps[0];
  const association = primary && associationOf(world, view, primary);
  return {
    ...(association && { Association: association }),
    ...(attachment && {
      Attachment: {
        AttachTime: new Date(attachment.attachedAtMs),
        AttachmentId: attachment.id,
        DeleteOnTermination: attachment.deleteOnTermination,
        DeviceIndex: attachment.deviceIndex,
        NetworkCardIndex: attachment.networkCardIndex,
        InstanceId: attachment.instanceId,
        InstanceOwnerId: world.accountId,
        Status: attachment.status,
      },
    }),
    AvailabilityZone: eni.availabilityZone,
    Description: eni.description,
    Groups: groupNames(view, eni.groupIds),
    InterfaceType: 'interface',
    Ipv6Addresses: eni.ipv6.map((Ipv6Address) => ({ Ipv6Address, IsPrimaryIpv6: false })),
    MacAddress: eni.macAddress,
    NetworkInterfaceId: eni.id,
    Operator: {
      Managed: managed?.by === 'operator',
      ...(managed?.by === 'operator' && { Principal: managed.principal }),
    },
    OwnerId: world.accountId,
    PrivateDnsName: privateDnsName(primary?.address ?? ''),
    PrivateIpAddress: primary?.address,
    PrivateIpAddresses: eni.privateIps.map((ip) => {
      const elastic = associationOf(world, view, ip);
      return {
        ...(elastic && { Association: elastic }),
        Primary: ip.primary,
        PrivateDnsName: privateDnsName(ip.address),
        PrivateIpAddress: ip.address,
      };
    }),
    ...(managed?.by === 'requester' && { RequesterId: managed.principal }),
    RequesterManaged: managed?.by === 'requester',
    SourceDestCheck: eni.sourceDestCheck,
    Status: statusOf(eni),
    SubnetId: eni.subnetId,
    TagSet: toTags(eni.tags),
    VpcId: eni.vpcId,
  };
}

const attributes = (world: World, view: View): Attributes<EniRecord> => {
  const elastic = (eni: EniRecord) => eni.privateIps.map((ip) => associationOf(world, view, ip));
  return taggedAttributes({
    'addresses.association.public-ip': (eni) => elastic(eni).map((one) => one?.PublicIp),
    'addresses.primary': (eni) => eni.privateIps.map((ip) => ip.primary),
    'addresses.private-ip-address': (eni) => eni.privateIps.map((ip) => ip.address),
    'association.allocation-id': (eni) => elastic(eni).map((one) => one?.AllocationId),
    'association.association-id': (eni) => elastic(eni).map((one) => one?.AssociationId),
    'association.public-ip': (eni) => elastic(eni).map((one) => one?.PublicIp),
    'attachment.attachment-id': (eni) => eni.attachment?.id,
    'attachment.delete-on-termination': (eni) => eni.attachment?.deleteOnTermination,
    'attachment.device-index': (eni) => eni.attachment?.deviceIndex,
    'attachment.instance-id': (eni) => eni.attachment?.instanceId,
    'attachment.instance-owner-id': (eni) => eni.attachment && world.accountId,
    'attachment.network-card-index': (eni) => eni.attachment?.networkCardIndex,
    'attachment.status': (eni) => eni.attachment?.status,
    'availability-zone': (eni) => eni.availabilityZone,
    description: (eni) => eni.description,
    'group-id': (eni) => eni.groupIds,
    'group-name': (eni) => eni.groupIds.map((id) => view.groups.get(id)?.name),
    'interface-type': () => 'interface',
    'ipv6-addresses.ipv6-address': (eni) => eni.ipv6,
    'mac-address': (eni) => eni.macAddress,
    'network-interface-id': (eni) => eni.id,
    'operator.managed': (eni) => eni.managed?.by === 'operator',
    'operator.principal': (eni) => (eni.managed?.by === 'operator' ? eni.managed.principal : undefined),
    'owner-id': () => world.accountId,
    'private-dns-name': (eni) => privateDnsName(eni.privateIps[0]?.address ?? ''),
    'private-ip-address': (eni) => eni.privateIps.map((ip) => ip.address),
    'requester-id': (eni) => (eni.managed?.by === 'requester' ? eni.managed.principal : undefined),
    'requester-managed': (eni) => eni.managed?.by === 'requester',
    'source-dest-check': (eni) => eni.sourceDestCheck,
    status: statusOf,
    'subnet-id': (eni) => eni.subnetId,
    'vpc-id': (eni) => eni.vpcId,
  });
};

/** The change that one attribute of ModifyNetworkInterfaceAttribute asks for. */
const changes = {
  Description: (_world, eni, { Description }) => ({ ...eni, description: Description?.Value ?? '' }),
  SourceDestCheck: (_world, eni, { SourceDestCheck }) => ({
    ...eni,
    sourceDestCheck: SourceDestCheck?.Value ?? eni.sourceDestCheck,
  }),
  Groups: (world, eni, { Groups }) => ({
    ...eni,
    groupIds: groupsFor(world, eni.vpcId, Groups).map(({ id }) => id),
  }),
  Attachment(_world, eni, { Attachment: wanted }) {
    if (wanted?.AttachmentId === undefined) throw missing('attachment.attachmentId');
    if (wanted.DeleteOnTermination === undefined) throw missing('attachment.deleteOnTermination');
    const { attachment } = eni;
    if (attachment === undefined || attachment.id !== wanted.AttachmentId) {
      throw unknownIds('eni-attach', [wanted.AttachmentId]);
    }
    return { ...eni, attachment: { ...attachment, deleteOnTermination: wanted.DeleteOnTermination } };
  },
} satisfies Record<
  string,
  (world: World, eni: EniRecord, input: ModifyNetworkInterfaceAttributeRequest) => EniRecord
>;

const changeable = Object.keys(changes) as (keyof typeof changes)[];

export const interfaceOperations = (world: World) => ({
  CreateNetworkInterface: operation<CreateNetworkInterfaceRequest, CreateNetworkInterfaceResult>()({
    requires: ['SubnetId'],
    accepts: [
      'Description',
      'Groups',
      'PrivateIpAddress',
      'PrivateIpAddresses',
      'SecondaryPrivateIpAddressCount',
      'Ipv6Addresses',
      'Ipv6AddressCount',
      'TagSpecifications',
      'ClientToken',
    ],
    run({ SubnetId, Description: description = '', Groups: groupIds, TagSpecifications, ...addresses }) {
      const subnet = requireOne('subnet', SubnetId, world.subnets.get);
      const tags = tagsFor(TagSpecifications, 'network-interface');
      const eni = createEni(world, { subnet, groupIds, description, tags, ...addresses });
      // `pending` is only ever seen in this answer: the interface is usable at once. The SDK's type forgot it.
      const Status = 'pending' as string as NetworkInterfaceStatus;
      return { NetworkInterface: { ...toNetworkInterface(world, world, eni), Status } };
    },
  }),

  DeleteNetworkInterface: operation<DeleteNetworkInterfaceRequest, object>()({
    requires: ['NetworkInterfaceId'],
    run({ NetworkInterfaceId }) {
      const eni = requireOne('eni', NetworkInterfaceId, world.enis.get);
      refuseManaged(eni);
      if (eni.attachment !== undefined) {
        throw invalidValue(`Network interface '${eni.id}' is currently in use.`);
      }
      destroyEni(world, eni);
      return {};
    },
  }),

  DescribeNetworkInterfaces: operation<DescribeNetworkInterfacesRequest, DescribeNetworkInterfacesResult>()({
    accepts: ['NetworkInterfaceIds', 'Filters', 'MaxResults', 'NextToken'],
    run({ NetworkInterfaceIds: ids = [], Filters, ...page }) {
      refusePagedIds('networkInterfaceIdSet', ids, page);
      const view = world.view();
      const named = ids.length > 0 ? requireAll('eni', ids, view.enis.get) : [...view.enis.values()];
      const chosen = Filters === undefined ? named : named.filter(matcher(Filters, attributes(world, view)));
      const { items, ...next } = pageOf(chosen, ({ seq }) => seq, page);
      return { NetworkInterfaces: items.map((eni) => toNetworkInterface(world, view, eni)), ...next };
    },
  }),

  ModifyNetworkInterfaceAttribute: operation<ModifyNetworkInterfaceAttributeRequest, object>()({
    requires: ['NetworkInterfaceId'],
    accepts: changeable,
    run(input) {
      const eni = requireOne('eni', input.NetworkInterfaceId, world.enis.get);
      refuseManaged(eni);
      const [attribute, ...more] = changeable.filter((name) => input[name] !== undefined);
      if (attribute === undefined) throw invalidCombination('No attributes specified.');
      if (more.length > 0) {
        throw invalidCombination(
          `Fields for multiple attribute types specified: ${[attribute, ...more].join(', ')}`,
        );
      }
      world.putEni(changes[attribute](world, eni, input));
      return {};
    },
  }),
});
