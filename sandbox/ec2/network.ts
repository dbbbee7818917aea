/** VPCs, subnets, security groups and zones: what an interface lives in. */
import type {
  AvailabilityZone,
  CreateSecurityGroupRequest,
  CreateSecurityGroupResult,
  CreateSubnetRequest,
  CreateSubnetResult,
  CreateVpcRequest,
  CreateVpcResult,
  DescribeAvailabilityZonesRequest,
  DescribeAvailabilityZonesResult,
  DescribeRegionsRequest,
  DescribeRegionsResult,
  DescribeSecurityGroupsRequest,
  DescribeSecurityGroupsResult,
  DescribeSubnetsRequest,
  DescribeSubnetsResult,
  DescribeVpcsRequest,
  DescribeVpcsResult,
  Region,
  SecurityGroup,
  Subnet,
  Vpc,
} from '@aws-sdk/client-ec2';
import { contains, ipv6In, overlap, rangeOf } from './cidr.ts';
import { Ec2Error, invalidValue, missing } from './errors.ts';
import { type Attributes, matcher, taggedAttributes } from './filters.ts';
import { requireAll, requireOne } from './ids.ts';
import { operation } from './operation.ts';
import { pageOf, refusePagedIds } from './pages.ts';
import type { GroupRecord, SubnetRecord, Tags, VpcRecord } from './records.ts';
import { tagsFor, toTags } from './tags.ts';
import type { World } from './world.ts';

/** EC2 keeps the first four addresses of a subnet and the last one. */
export const reservedAtStart = 4;
export const reservedAtEnd = 1;

const bySeq = ({ seq }: { readonly seq: number }) => seq;
const arn = (world: World, rest: string) => `arn:aws:ec2:${world.region}:${world.accountId}:${rest}`;
/** `use1-az1` for `us-east-1a`. */
function zoneId(world: World, zone: string): string {
  const [area = '', direction = '', number = ''] = world.region.split('-');
  const initials = direction.match(/north|south|east|west|central/g)?.map((word) => word[0]) ?? [];
  return `${area}${initials.join('')}${number}-az${world.zones.indexOf(zone) + 1}`;
}

function createGroup(world: World, group: Omit<GroupRecord, 'id' | 'seq'>): GroupRecord {
  const seq = world.nextSeq();
  const record = { id: world.newId('sg', seq), seq, ...group };
  world.groups.put(record);
  return record;
}

const toVpc = (world: World, vpc: VpcRecord): Vpc => ({
  CidrBlock: vpc.cidr,
  CidrBlockAssociationSet: [
    {
      AssociationId: vpc.id.replace('vpc-', 'vpc-cidr-assoc-'),
      CidrBlock: vpc.cidr,
      CidrBlockState: { State: 'associated' },
    },
  ],
  Ipv6CidrBlockAssociationSet:
    vpc.ipv6Cidr === undefined
      ? []
      : [
          {
            AssociationId: vpc.id.replace('vpc-', 'vpc-cidr-assoc-'),
            Ipv6CidrBlock: vpc.ipv6Cidr,
            Ipv6CidrBlockState: { State: 'associated' },
          },
        ],
  DhcpOptionsId: 'default',
  InstanceTenancy: 'default',
  IsDefault: false,
  OwnerId: world.accountId,
  State: 'available',
  Tags: toTags(vpc.tags),
  VpcId: vpc.id,
});

/** Only IPv4 is counted: an IPv6 network does not run out. */
function freeAddresses(world: World, subnet: SubnetRecord): number {
  const size = rangeOf(subnet.cidr)?.size ?? 0;
  const taken = [...(world.takenAddresses.get(subnet.id) ?? [])].filter((address) => !address.includes(':'));
  return size - reservedAtStart - reservedAtEnd - taken.length;
}

const toSubnet = (world: World, subnet: SubnetRecord): Subnet => ({
  AssignIpv6AddressOnCreation: false,
  AvailabilityZone: subnet.availabilityZone,
  AvailabilityZoneId: zoneId(world, subnet.availabilityZone),
  AvailableIpAddressCount: freeAddresses(world, subnet),
  CidrBlock: subnet.cidr,
  DefaultForAz: false,
  Ipv6CidrBlockAssociationSet:
    subnet.ipv6Cidr === undefined
      ? []
      : [
          {
            AssociationId: subnet.id.replace('subnet-', 'subnet-cidr-assoc-'),
            Ipv6CidrBlock: subnet.ipv6Cidr,
            Ipv6CidrBlockState: { State: 'associated' },
          },
        ],
  MapPublicIpOnLaunch: false,
  OwnerId: world.accountId,
  State: 'available',
  SubnetArn: arn(world, `subnet/${subnet.id}`),
  SubnetId: subnet.id,
  Tags: toTags(subnet.tags),
  VpcId: subnet.vpcId,
});

/** Rules of groups are not modelled: each has the ones EC2 gives a new group. */
const toGroup = (world: World, group: GroupRecord): SecurityGroup => ({
  Description: group.description,
  GroupId: group.id,
  GroupName: group.name,
  IpPermissions: [],
  IpPermissionsEgress: [
    {
      IpProtocol: '-1',
      IpRanges: [{ CidrIp: '0.0.0.0/0' }],
      Ipv6Ranges: [],
      PrefixListIds: [],
      UserIdGroupPairs: [],
    },
  ],
  OwnerId: world.accountId,
  SecurityGroupArn: arn(world, `security-group/${group.id}`),
  Tags: toTags(group.tags),
  VpcId: group.vpcId,
});

const vpcAttributes: Attributes<VpcRecord> = taggedAttributes({
  cidr: (vpc) => vpc.cidr,
  'cidr-block-association.cidr-block': (vpc) => vpc.cidr,
  'is-default': () => false,
  state: () => 'available',
  'vpc-id': (vpc) => vpc.id,
});

const subnetAttributes: Attributes<SubnetRecord> = taggedAttributes({
  'availability-zone': (subnet) => subnet.availabilityZone,
  availabilityZone: (subnet) => subnet.availabilityZone,
  cidr: (subnet) => subnet.cidr,
  'cidr-block': (subnet) => subnet.cidr,
  'default-for-az': () => false,
  'ipv6-cidr-block-association.ipv6-cidr-block': (subnet) => subnet.ipv6Cidr,
  state: () => 'available',
  'subnet-id': (subnet) => subnet.id,
  'vpc-id': (subnet) => subnet.vpcId,
});

const groupAttributes: Attributes<GroupRecord> = taggedAttributes({
  description: (group) => group.description,
  'group-id': (group) => group.id,
  'group-name': (group) => group.name,
  'vpc-id': (group) => group.vpcId,
});

interface Zone {
  readonly name: string;
  readonly id: string;
}

const zoneAttributes = (region: string): Attributes<Zone & { readonly tags?: Tags }> => ({
  'region-name': () => region,
  state: () => 'available',
  'zone-id': (zone) => zone.id,
  'zone-name': (zone) => zone.name,
  'zone-type': () => 'availability-zone',
});

export const networkOperations = (world: World) => ({
  CreateVpc: operation<CreateVpcRequest, CreateVpcResult>()({
    requires: ['CidrBlock'],
    accepts: ['AmazonProvidedIpv6CidrBlock', 'InstanceTenancy', 'TagSpecifications'],
    run({ CidrBlock: cidr, AmazonProvidedIpv6CidrBlock: withIpv6, InstanceTenancy, TagSpecifications }) {
      if (rangeOf(cidr) === undefined) {
        throw new Ec2Error('InvalidVpc.Range', `The CIDR '${cidr}' is invalid.`);
      }
      if (InstanceTenancy !== undefined && InstanceTenancy !== 'default') {
        throw invalidValue(`The sandbox has no tenancy but 'default'`);
      }
      const seq = world.nextSeq();
      const id = world.newId('vpc', seq);
      const tags = tagsFor(TagSpecifications, 'vpc');
      const description = 'default VPC security group';
      const group = createGroup(world, { vpcId: id, name: 'default', description, tags: new Map() });
      // 56 bits of network: the last two digits of the fourth group are the subnet's.
      const ipv6Cidr = `2600:1f18:${(seq % 0xffff).toString(16)}:${(0x1000 + Math.floor(world.random() * 0xe0) * 0x100).toString(16)}::/56`;
      const vpc: VpcRecord = {
        id,
        seq,
        tags,
        cidr,
        defaultGroupId: group.id,
        ...(withIpv6 === true && { ipv6Cidr }),
      };
      world.vpcs.put(vpc);
      return { Vpc: toVpc(world, vpc) };
    },
  }),

  DescribeVpcs: operation<DescribeVpcsRequest, DescribeVpcsResult>()({
    accepts: ['VpcIds', 'Filters', 'MaxResults', 'NextToken'],
    run({ VpcIds: ids = [], Filters, ...page }) {
      refusePagedIds('vpcIds', ids, page);
      const { vpcs } = world.view();
      const named = ids.length > 0 ? requireAll('vpc', ids, vpcs.get) : [...vpcs.values()];
      const { items, ...next } = pageOf(named.filter(matcher(Filters, vpcAttributes)), bySeq, page);
      return { Vpcs: items.map((vpc) => toVpc(world, vpc)), ...next };
    },
  }),

  CreateSubnet: operation<CreateSubnetRequest, CreateSubnetResult>()({
    requires: ['VpcId', 'CidrBlock'],
    accepts: ['AvailabilityZone', 'Ipv6CidrBlock', 'TagSpecifications'],
    run({ VpcId, CidrBlock: cidr, AvailabilityZone: zone, Ipv6CidrBlock: ipv6Cidr, TagSpecifications }) {
      const vpc = requireOne('vpc', VpcId, world.vpcs.get);
      const range = rangeOf(cidr);
      const vpcRange = rangeOf(vpc.cidr);
      if (range === undefined || vpcRange === undefined || !contains(vpcRange, range)) {
        throw new Ec2Error('InvalidSubnet.Range', `The CIDR '${cidr}' is invalid.`);
      }
      for (const other of world.subnets.values()) {
        const taken = other.vpcId === vpc.id ? rangeOf(other.cidr) : undefined;
        const sameIpv6 = ipv6Cidr !== undefined && other.ipv6Cidr === ipv6Cidr;
        if (sameIpv6 || (taken !== undefined && overlap(taken, range))) {
          const conflicting = sameIpv6 ? ipv6Cidr : cidr;
          throw new Ec2Error(
            'InvalidSubnet.Conflict',
            `The CIDR '${conflicting}' conflicts with another subnet`,
          );
        }
      }
      if (ipv6Cidr !== undefined) refuseForeignIpv6(vpc, ipv6Cidr);
      const availabilityZone = zone ?? world.zones[0] ?? '';
      if (!world.zones.includes(availabilityZone)) {
        throw invalidValue(
          `Value (${availabilityZone}) for parameter availabilityZone is invalid. Subnets can currently only be created in the following availability zones: ${world.zones.join(', ')}.`,
        );
      }
      const seq = world.nextSeq();
      const subnet: SubnetRecord = {
        id: world.newId('subnet', seq),
        seq,
        tags: tagsFor(TagSpecifications, 'subnet'),
        vpcId: vpc.id,
        availabilityZone,
        cidr,
        ...(ipv6Cidr !== undefined && { ipv6Cidr }),
      };
      world.subnets.put(subnet);
      return { Subnet: toSubnet(world, subnet) };
    },
  }),

  DescribeSubnets: operation<DescribeSubnetsRequest, DescribeSubnetsResult>()({
    accepts: ['SubnetIds', 'Filters', 'MaxResults', 'NextToken'],
    run({ SubnetIds: ids = [], Filters, ...page }) {
      refusePagedIds('subnetIds', ids, page);
      const { subnets } = world.view();
      const named = ids.length > 0 ? requireAll('subnet', ids, subnets.get) : [...subnets.values()];
      const { items, ...next } = pageOf(named.filter(matcher(Filters, subnetAttributes)), bySeq, page);
      return { Subnets: items.map((subnet) => toSubnet(world, subnet)), ...next };
    },
  }),

  CreateSecurityGroup: operation<CreateSecurityGroupRequest, CreateSecurityGroupResult>()({
    requires: ['GroupName', 'Description'],
    accepts: ['VpcId', 'TagSpecifications'],
    run({ GroupName: name, Description: description, VpcId, TagSpecifications }) {
      // Without a VPC, EC2 takes the default one, and the sandbox has none.
      if (VpcId === undefined) throw missing('VpcId');
      const vpc = requireOne('vpc', VpcId, world.vpcs.get);
      for (const group of world.groups.values()) {
        if (group.vpcId === vpc.id && group.name === name) {
          throw new Ec2Error(
            'InvalidGroup.Duplicate',
            `The security group '${name}' already exists for VPC '${vpc.id}'`,
          );
        }
      }
      const tags = tagsFor(TagSpecifications, 'security-group');
      const group = createGroup(world, { vpcId: vpc.id, name, description, tags });
      return {
        GroupId: group.id,
        Tags: toTags(tags),
        SecurityGroupArn: arn(world, `security-group/${group.id}`),
      };
    },
  }),

  DescribeSecurityGroups: operation<DescribeSecurityGroupsRequest, DescribeSecurityGroupsResult>()({
    accepts: ['GroupIds', 'Filters', 'MaxResults', 'NextToken'],
    run({ GroupIds: ids = [], Filters, ...page }) {
      refusePagedIds('groupIds', ids, page);
      const { groups } = world.view();
      const named = ids.length > 0 ? requireAll('sg', ids, groups.get) : [...groups.values()];
      const { items, ...next } = pageOf(named.filter(matcher(Filters, groupAttributes)), bySeq, page);
      return { SecurityGroups: items.map((group) => toGroup(world, group)), ...next };
    },
  }),

  DescribeAvailabilityZones: operation<DescribeAvailabilityZonesRequest, DescribeAvailabilityZonesResult>()({
    accepts: ['ZoneNames', 'ZoneIds', 'Filters', 'AllAvailabilityZones'],
    run({ ZoneNames: names = [], ZoneIds: ids = [], Filters }) {
      const unknown = names.find((name) => !world.zones.includes(name));
      if (unknown !== undefined) throw invalidValue(`Invalid availability zone: [${unknown}]`);
      const zones: Zone[] = world.zones.map((name) => ({ name, id: zoneId(world, name) }));
      const chosen = zones
        .filter((zone) => names.length === 0 || names.includes(zone.name))
        .filter((zone) => ids.length === 0 || ids.includes(zone.id))
        .filter(matcher(Filters, zoneAttributes(world.region)));
      const toZone = (zone: Zone): AvailabilityZone => ({
        GroupName: world.region,
        NetworkBorderGroup: world.region,
        OptInStatus: 'opt-in-not-required',
        RegionName: world.region,
        State: 'available',
        ZoneId: zone.id,
        ZoneName: zone.name,
        ZoneType: 'availability-zone',
      });
      return { AvailabilityZones: chosen.map(toZone) };
    },
  }),

  DescribeRegions: operation<DescribeRegionsRequest, DescribeRegionsResult>()({
    accepts: ['RegionNames', 'AllRegions'],
    run({ RegionNames: names = [] }) {
      const unknown = names.find((name) => name !== world.region);
      if (unknown !== undefined) throw invalidValue(`Invalid region: [${unknown}]`);
      const region: Region = {
        Endpoint: `ec2.${world.region}.amazonaws.com`,
        OptInStatus: 'opt-in-not-required',
        RegionName: world.region,
      };
      return { Regions: [region] };
    },
  }),
});

/** The sandbox hands out addresses from /64 networks only, as EC2 usually does. */
function refuseForeignIpv6(vpc: VpcRecord, ipv6Cidr: string): void {
  const network = ipv6Cidr.replace(/::\/64$/, '::');
  if (vpc.ipv6Cidr === undefined || network === ipv6Cidr || !ipv6In(vpc.ipv6Cidr, network)) {
    throw new Ec2Error('InvalidSubnet.Range', `The CIDR '${ipv6Cidr}' is invalid.`);
  }
}
