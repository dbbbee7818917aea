/** Instances: launching, describing, and asking them to change state. */
import type {
  DescribeInstancesRequest,
  DescribeInstancesResult,
  Instance,
  InstanceNetworkInterface,
  InstanceNetworkInterfaceSpecification,
  InstanceStateChange,
  ModifyInstanceAttributeRequest,
  RebootInstancesRequest,
  Reservation,
  RunInstancesRequest,
  StartInstancesRequest,
  StartInstancesResult,
  StopInstancesRequest,
  StopInstancesResult,
  TerminateInstancesRequest,
  TerminateInstancesResult,
} from '@aws-sdk/client-ec2';
import { attachEni, type Placement } from './attachments.ts';
import { stateCodes } from './checks.ts';
import {
  Ec2Error,
  invalidCombination,
  invalidValue,
  missing,
  notPermitted,
  unknownParameter,
} from './errors.ts';
import { type Attributes, matcher, taggedAttributes } from './filters.ts';
import { requireAll, requireOne } from './ids.ts';
import {
  associationOf,
  createEni,
  destroyEni,
  groupNames,
  privateDnsName,
  publicDnsName,
  statusOf,
} from './interfaces.ts';
import { enter, proceed, reboot, stop } from './lifecycle.ts';
import { refuseTooManyAddresses, requireLimits } from './limits.ts';
import { refuseManaged } from './managed.ts';
import { operation, unknownKey } from './operation.ts';
import { pageOf, refusePagedIds } from './pages.ts';
import { type EniRecord, type InstanceRecord, type InstanceState, slotOf } from './records.ts';
import { tagsFor, toTags } from './tags.ts';
import type { View, World } from './world.ts';

const attachedEnis = (view: View, instance: InstanceRecord): EniRecord[] =>
  instance.eniIds
    .map((id) => view.enis.get(id))
    .filter((eni): eni is EniRecord => eni?.attachment?.instanceId === instance.id);

const isPrimary = (eni: EniRecord) =>
  eni.attachment?.deviceIndex === 0 && eni.attachment.networkCardIndex === 0;

function toInstanceInterface(world: World, view: View, eni: EniRecord): InstanceNetworkInterface {
  const { attachment } = eni;
  const addresses = eni.privateIps.map((ip) => {
    const elastic = associationOf(world, view, ip);
    return {
      ...(elastic && { Association: elastic }),
      Primary: ip.primary,
      PrivateDnsName: privateDnsName(ip.address),
      PrivateIpAddress: ip.address,
    };
  });
  return {
    ...(addresses[0]?.Association && { Association: addresses[0].Association }),
    ...(attachment && {
      Attachment: {
        AttachTime: new Date(attachment.attachedAtMs),
        AttachmentId: attachment.id,
        DeleteOnTermination: attachment.deleteOnTermination,
        DeviceIndex: attachment.deviceIndex,
        NetworkCardIndex: attachment.networkCardIndex,
        Status: attachment.status,
      },
    }),
    Description: eni.description,
    Groups: groupNames(view, eni.groupIds),
    InterfaceType: 'interface',
    Ipv6Addresses: eni.ipv6.map((Ipv6Address) => ({ Ipv6Address, IsPrimaryIpv6: false })),
    MacAddress: eni.macAddress,
    NetworkInterfaceId: eni.id,
    OwnerId: world.accountId,
    PrivateDnsName: addresses[0]?.PrivateDnsName,
    PrivateIpAddress: addresses[0]?.PrivateIpAddress,
    PrivateIpAddresses: addresses,
    SourceDestCheck: eni.sourceDestCheck,
    Status: statusOf(eni),
    SubnetId: eni.subnetId,
    VpcId: eni.vpcId,
  };
}

/** A terminated instance has lost its place in the network. */
function networkOf(world: World, view: View, instance: InstanceRecord): Partial<Instance> {
  if (instance.state === 'terminated') return { NetworkInterfaces: [], SecurityGroups: [] };
  const enis = attachedEnis(view, instance);
  const interfaces = enis.map((eni) => toInstanceInterface(world, view, eni));
  const primary = interfaces[enis.findIndex(isPrimary)];
  const publicIp = primary?.Association?.PublicIp;
  return {
    NetworkInterfaces: interfaces,
    PrivateDnsName: primary?.PrivateDnsName ?? '',
    PrivateIpAddress: primary?.PrivateIpAddress,
    PublicDnsName: publicIp === undefined ? '' : publicDnsName(publicIp),
    PublicIpAddress: publicIp,
    SecurityGroups: primary?.Groups ?? [],
    SourceDestCheck: primary?.SourceDestCheck,
    SubnetId: instance.subnetId,
    VpcId: instance.vpcId,
  };
}

const toInstance = (world: World, view: View, instance: InstanceRecord): Instance => ({
  AmiLaunchIndex: instance.launchIndex,
  Architecture: 'x86_64',
  BlockDeviceMappings: [],
  Hypervisor: 'xen',
  ImageId: instance.imageId,
  InstanceId: instance.id,
  // The table of types may know some that this version of the SDK does not.
  InstanceType: instance.instanceType as NonNullable<Instance['InstanceType']>,
  KeyName: instance.keyName,
  LaunchTime: new Date(instance.launchedAtMs),
  Monitoring: { State: 'disabled' },
  Placement: { AvailabilityZone: instance.availabilityZone, GroupName: '', Tenancy: 'default' },
  ProductCodes: [],
  RootDeviceName: '/dev/xvda',
  RootDeviceType: 'ebs',
  State: { Code: stateCodes[instance.state], Name: instance.state },
  ...(instance.stateReason !== '' && {
    StateReason: { Code: instance.stateReason, Message: instance.stateReason },
  }),
  StateTransitionReason: instance.stateReason === '' ? '' : 'User initiated',
  Tags: toTags(instance.tags),
  VirtualizationType: 'hvm',
  ...networkOf(world, view, instance),
});

/** Instances of one launch, which are given together even when they are not asked for together. */
function toReservations(world: World, view: View, instances: readonly InstanceRecord[]): Reservation[] {
  const launches = Map.groupBy(instances, (instance) => instance.reservationId);
  return [...launches].map(([ReservationId, launched]) => ({
    Groups: [],
    Instances: launched.map((instance) => toInstance(world, view, instance)),
    OwnerId: world.accountId,
    ReservationId,
  }));
}

function attributes(world: World, view: View): Attributes<InstanceRecord> {
  const each =
    <T>(of: (eni: EniRecord) => T) =>
    (instance: InstanceRecord): T[] =>
      attachedEnis(view, instance).map(of);
  const primary = (instance: InstanceRecord) => attachedEnis(view, instance).find(isPrimary);
  const elastic = (eni: EniRecord) => eni.privateIps.map((ip) => associationOf(world, view, ip)?.PublicIp);
  return taggedAttributes({
    'availability-zone': (instance) => instance.availabilityZone,
    'image-id': (instance) => instance.imageId,
    'instance-id': (instance) => instance.id,
    'instance-state-code': (instance) => stateCodes[instance.state],
    'instance-state-name': (instance) => instance.state,
    'instance-type': (instance) => instance.instanceType,
    'instance.group-id': (instance) => primary(instance)?.groupIds,
    'ip-address': (instance) => attachedEnis(view, instance).filter(isPrimary).flatMap(elastic),
    'key-name': (instance) => instance.keyName,
    'network-interface.addresses.association.public-ip': (instance) =>
      attachedEnis(view, instance).flatMap(elastic),
    'network-interface.addresses.private-ip-address': (instance) =>
      attachedEnis(view, instance).flatMap((eni) => eni.privateIps.map(({ address }) => address)),
    'network-interface.attachment.attachment-id': each((eni) => eni.attachment?.id),
    'network-interface.attachment.status': each((eni) => eni.attachment?.status),
    'network-interface.group-id': (instance) => attachedEnis(view, instance).flatMap((eni) => eni.groupIds),
    'network-interface.mac-address': each((eni) => eni.macAddress),
    'network-interface.network-interface-id': each((eni) => eni.id),
    'network-interface.status': each(statusOf),
    'network-interface.subnet-id': each((eni) => eni.subnetId),
    'network-interface.vpc-id': each((eni) => eni.vpcId),
    'owner-id': () => world.accountId,
    'private-ip-address': (instance) => primary(instance)?.privateIps[0]?.address,
    'reservation-id': (instance) => instance.reservationId,
    'subnet-id': (instance) => instance.subnetId,
    'vpc-id': (instance) => instance.vpcId,
  });
}

/** What RunInstances understands of one interface. */
const specificationKeys: ReadonlySet<string> = new Set<keyof InstanceNetworkInterfaceSpecification>([
  'DeleteOnTermination',
  'Description',
  'DeviceIndex',
  'Groups',
  'Ipv6AddressCount',
  'Ipv6Addresses',
  'NetworkCardIndex',
  'NetworkInterfaceId',
  'PrivateIpAddress',
  'PrivateIpAddresses',
  'SecondaryPrivateIpAddressCount',
  'SubnetId',
]);

/** The interfaces that a launch asks for, whether it lists them or describes its only one at the top. */
function specifications(input: RunInstancesRequest): readonly InstanceNetworkInterfaceSpecification[] {
  const { NetworkInterfaces: listed = [], SubnetId, SecurityGroupIds, PrivateIpAddress } = input;
  if (listed.length === 0) {
    if (SubnetId === undefined) {
      throw new Ec2Error('VPCIdNotSpecified', 'No default VPC for this user: name a subnet.');
    }
    return [{ DeviceIndex: 0, SubnetId, Groups: SecurityGroupIds, PrivateIpAddress }];
  }
  if (SubnetId !== undefined || SecurityGroupIds !== undefined || PrivateIpAddress !== undefined) {
    throw invalidCombination(
      'Network interfaces and an instance-level subnet ID or security groups may not be specified on the same request',
    );
  }
  for (const specification of listed) {
    const unknown = unknownKey(specification, specificationKeys);
    if (unknown !== undefined) throw unknownParameter(`NetworkInterface.${unknown}`);
  }
  return listed;
}

/** The place and the interface; a new one is made here. */
function interfaceFor(
  world: World,
  specification: InstanceNetworkInterfaceSpecification,
  input: RunInstancesRequest,
): { eni: EniRecord; at: Placement; isNew: boolean } {
  const {
    DeviceIndex: deviceIndex,
    NetworkCardIndex: networkCardIndex = 0,
    NetworkInterfaceId,
  } = specification;
  if (deviceIndex === undefined) throw missing('NetworkInterface.DeviceIndex');
  const deleteOnTermination = specification.DeleteOnTermination ?? NetworkInterfaceId === undefined;
  const at = { deviceIndex, networkCardIndex, deleteOnTermination };
  if (NetworkInterfaceId === undefined) {
    if (specification.SubnetId === undefined) throw missing('NetworkInterface.SubnetId');
    const { Description: description = '', Groups: groupIds, ...addresses } = specification;
    const subnet = requireOne('subnet', specification.SubnetId, world.subnets.get);
    const tags = tagsFor(input.TagSpecifications, 'network-interface', ['instance', 'network-interface']);
    return { eni: createEni(world, { subnet, groupIds, description, tags, ...addresses }), at, isNew: true };
  }
  const eni = requireOne('eni', NetworkInterfaceId, world.enis.get);
  refuseManaged(eni);
  if (eni.attachment !== undefined || (input.MaxCount ?? 1) > 1) {
    throw new Ec2Error('InvalidNetworkInterface.InUse', `Interface: [${eni.id}] in use.`);
  }
  return { eni, at, isNew: false };
}

function refuseSpecifications(
  instanceType: string,
  interfaces: readonly { readonly eni: EniRecord; readonly at: Placement }[],
): void {
  const limits = requireLimits(instanceType);
  const slots = new Set(interfaces.map(({ at }) => slotOf(at)));
  if (slots.size < interfaces.length) {
    throw invalidValue('Each network interface requires a unique device index.');
  }
  if (!slots.has('0:0')) throw invalidCombination('A network interface with device index 0 is required.');
  const zones = new Set(interfaces.map(({ eni }) => eni.availabilityZone));
  if (zones.size > 1) throw invalidCombination('Network interfaces must be in the same availability zone.');
  for (const [card, onCard] of Map.groupBy(interfaces, ({ at }) => at.networkCardIndex)) {
    if (onCard.length > (limits.interfacesPerCard[card] ?? 0) || interfaces.length > limits.interfaces) {
      throw new Ec2Error(
        'AttachmentLimitExceeded',
        `Interface count ${interfaces.length} exceeds the limit for ${instanceType}`,
      );
    }
  }
  for (const { eni } of interfaces) {
    refuseTooManyAddresses(instanceType, eni.privateIps.length, eni.ipv6.length);
  }
}

const defaultType = 'm1.small';

/** Either all instances are launched or nothing is left behind. */
function launch(world: World, input: RunInstancesRequest): InstanceRecord[] {
  const { InstanceType: instanceType = defaultType, MinCount: min = 1, MaxCount: max = 1, ImageId } = input;
  if (ImageId === undefined) throw missing('ImageId');
  if (!/^ami-[0-9a-f]+$/.test(ImageId)) {
    throw new Ec2Error('InvalidAMIID.Malformed', `Invalid id: "${ImageId}" (expecting "ami-...")`);
  }
  requireLimits(instanceType);
  if (min < 1 || max < min) {
    throw invalidValue(`Value (${min}) for parameter minCount or (${max}) for maxCount is invalid.`);
  }
  const { AvailabilityZone: zone, ...placement } = input.Placement ?? {};
  const unknown = unknownKey(placement, new Set());
  if (unknown !== undefined) throw unknownParameter(`Placement.${unknown}`);
  const tags = tagsFor(input.TagSpecifications, 'instance', ['instance', 'network-interface']);
  const wanted = specifications(input);

  const made: EniRecord[] = [];
  try {
    const reservationId = world.newId('r', world.nextSeq());
    const planned = Array.from({ length: max }, (_, launchIndex) => {
      const interfaces = wanted.map((specification) => {
        const chosen = interfaceFor(world, specification, input);
        if (chosen.isNew) made.push(chosen.eni);
        return chosen;
      });
      refuseSpecifications(instanceType, interfaces);
      const primary = interfaces.find(({ at }) => slotOf(at) === '0:0')?.eni;
      if (primary === undefined) throw missing('NetworkInterface');
      if (zone !== undefined && zone !== primary.availabilityZone) {
        throw invalidValue(
          `The availability zone '${zone}' is not that of the subnet '${primary.subnetId}'.`,
        );
      }
      const seq = world.nextSeq();
      const instance: InstanceRecord = {
        id: world.newId('i', seq),
        seq,
        tags,
        instanceType,
        imageId: ImageId,
        ...(input.KeyName !== undefined && { keyName: input.KeyName }),
        reservationId,
        launchIndex,
        launchedAtMs: world.nowMs(),
        subnetId: primary.subnetId,
        vpcId: primary.vpcId,
        availabilityZone: primary.availabilityZone,
        state: 'pending',
        stateReason: '',
        disableApiStop: input.DisableApiStop ?? false,
        transition: 0,
        eniIds: [],
        impairments: {},
        boot: 'done',
        forcedSlots: {},
      };
      return { instance, interfaces };
    });
    return planned.map(({ instance, interfaces }) => {
      world.putInstance(instance);
      for (const { eni, at } of interfaces) {
        attachEni(world, eni, requireOne('i', instance.id, world.instances.get), at);
      }
      proceed(world, instance.id);
      return requireOne('i', instance.id, world.instances.get);
    });
  } catch (error) {
    for (const eni of made) destroyEni(world, eni);
    throw error;
  }
}

const stateOf = (state: InstanceState) => ({ Code: stateCodes[state], Name: state });

/** All instances must allow the change before any is changed. Those that are there already stay as they are. */
function changeStates(
  world: World,
  ids: readonly string[],
  verb: string,
  from: readonly InstanceState[],
  already: readonly InstanceState[],
  change: (instance: InstanceRecord) => void,
): InstanceStateChange[] {
  const instances = requireAll('i', ids, world.instances.get);
  for (const { id, state } of instances) {
    if (from.includes(state) || already.includes(state)) continue;
    throw new Ec2Error(
      'IncorrectInstanceState',
      `The instance '${id}' is not in a state from which it can be ${verb}.`,
    );
  }
  return instances.map((instance) => {
    if (from.includes(instance.state)) change(instance);
    const now = world.instances.get(instance.id)?.state ?? instance.state;
    return { InstanceId: instance.id, CurrentState: stateOf(now), PreviousState: stateOf(instance.state) };
  });
}

/** One that may not be stopped keeps all the others of the call running. */
function refuseStop(instances: readonly InstanceRecord[], hibernate: boolean): void {
  for (const { id, state, disableApiStop } of instances) {
    if (disableApiStop && state !== 'stopped') {
      throw notPermitted(
        `The instance '${id}' may not be stopped. Modify its 'disableApiStop' instance attribute and try again.`,
      );
    }
    // No instance here is: RunInstances does not accept HibernationOptions.
    if (hibernate) {
      throw new Ec2Error(
        'UnsupportedHibernationConfiguration',
        `The instance '${id}' is not configured for hibernation.`,
      );
    }
  }
}

const userShutdown = 'Client.UserInitiatedShutdown';

export const instanceOperations = (world: World) => ({
  RunInstances: operation<RunInstancesRequest, Reservation>()({
    requires: ['ImageId', 'MinCount', 'MaxCount'],
    // User data has no effect that EC2's API would show, and there is no guest that could read it.
    accepts: [
      'InstanceType',
      'KeyName',
      'NetworkInterfaces',
      'Placement',
      'PrivateIpAddress',
      'SecurityGroupIds',
      'SubnetId',
      'TagSpecifications',
      'ClientToken',
      'DisableApiStop',
      'UserData',
    ],
    run(input) {
      const [reservation] = toReservations(world, world, launch(world, input));
      return reservation ?? {};
    },
  }),

  DescribeInstances: operation<DescribeInstancesRequest, DescribeInstancesResult>()({
    accepts: ['InstanceIds', 'Filters', 'MaxResults', 'NextToken'],
    run({ InstanceIds: ids = [], Filters, ...page }) {
      refusePagedIds('instancesSet', ids, page);
      const view = world.view();
      const named = ids.length > 0 ? requireAll('i', ids, view.instances.get) : [...view.instances.values()];
      const chosen = Filters === undefined ? named : named.filter(matcher(Filters, attributes(world, view)));
      const { items, ...next } = pageOf(chosen, ({ seq }) => seq, page);
      return { Reservations: toReservations(world, view, items), ...next };
    },
  }),

  StartInstances: operation<StartInstancesRequest, StartInstancesResult>()({
    requires: ['InstanceIds'],
    run({ InstanceIds }) {
      const start = (instance: InstanceRecord) =>
        enter(world, { ...instance, launchedAtMs: world.nowMs() }, 'pending', '');
      return {
        StartingInstances: changeStates(
          world,
          InstanceIds,
          'started',
          ['stopped'],
          ['pending', 'running'],
          start,
        ),
      };
    },
  }),

  StopInstances: operation<StopInstancesRequest, StopInstancesResult>()({
    requires: ['InstanceIds'],
    accepts: ['Force', 'SkipOsShutdown', 'Hibernate'],
    run({ InstanceIds, Force: force = false, SkipOsShutdown: skip = false, Hibernate: hibernate = false }) {
      refuseStop(requireAll('i', InstanceIds, world.instances.get), hibernate);
      const shutdown = skip ? 'skipped' : force ? 'forced' : 'plain';
      return {
        StoppingInstances: changeStates(
          world,
          InstanceIds,
          'stopped',
          ['running', 'stopping'],
          ['stopped'],
          (instance) => stop(world, instance, shutdown, userShutdown),
        ),
      };
    },
  }),

  ModifyInstanceAttribute: operation<ModifyInstanceAttributeRequest, object>()({
    requires: ['InstanceId', 'DisableApiStop'],
    run({ InstanceId, DisableApiStop }) {
      const instance = requireOne('i', InstanceId, world.instances.get);
      if (DisableApiStop.Value === undefined) throw missing('DisableApiStop.Value');
      world.putInstance({ ...instance, disableApiStop: DisableApiStop.Value });
      return {};
    },
  }),

  RebootInstances: operation<RebootInstancesRequest, object>()({
    requires: ['InstanceIds'],
    run({ InstanceIds }) {
      changeStates(world, InstanceIds, 'rebooted', ['running'], [], (instance) => reboot(world, instance));
      return {};
    },
  }),

  TerminateInstances: operation<TerminateInstancesRequest, TerminateInstancesResult>()({
    requires: ['InstanceIds'],
    run({ InstanceIds }) {
      const terminate = (instance: InstanceRecord) => enter(world, instance, 'shutting-down', userShutdown);
      return {
        TerminatingInstances: changeStates(
          world,
          InstanceIds,
          'terminated',
          ['pending', 'running', 'stopping', 'stopped'],
          ['shutting-down', 'terminated'],
          terminate,
        ),
      };
    },
  }),
});
