/** Elastic IPs: allocated to the account, associated with a private address, and travelling with its interface. */
import type {
  Address,
  AllocateAddressRequest,
  AllocateAddressResult,
  AssociateAddressRequest,
  AssociateAddressResult,
  DescribeAddressesRequest,
  DescribeAddressesResult,
  DisassociateAddressRequest,
  ReleaseAddressRequest,
} from '@aws-sdk/client-ec2';
import { toDotted } from './cidr.ts';
import { Ec2Error, invalidCombination, invalidValue, missing, notPermitted } from './errors.ts';
import { type Attributes, matcher, taggedAttributes } from './filters.ts';
import { requireAll, requireOne, requireWellFormed, unknownIds } from './ids.ts';
import { attachedTo } from './limits.ts';
import { operation } from './operation.ts';
import type { AddressRecord, EniRecord } from './records.ts';
import { tagsFor, toTags } from './tags.ts';
import type { View, World } from './world.ts';

/** 198.18.0.0/15 is set apart for tests (RFC 2544): no address of the sandbox is anybody's. */
const firstPublicAddress = 198 * 2 ** 24 + 18 * 2 ** 16 + 1;

const holderOf = (view: View, elastic: AddressRecord) =>
  elastic.association && view.enis.get(elastic.association.eniId);

function toAddress(world: World, view: View, elastic: AddressRecord): Address {
  const { association } = elastic;
  const instanceId = holderOf(view, elastic)?.attachment?.instanceId;
  return {
    AllocationId: elastic.id,
    ...(association && {
      AssociationId: association.id,
      NetworkInterfaceId: association.eniId,
      NetworkInterfaceOwnerId: world.accountId,
      PrivateIpAddress: association.privateIp,
      ...(instanceId !== undefined && { InstanceId: instanceId }),
    }),
    Domain: 'vpc',
    NetworkBorderGroup: world.region,
    PublicIp: elastic.publicIp,
    PublicIpv4Pool: 'amazon',
    Tags: toTags(elastic.tags),
  };
}

const attributes = (view: View): Attributes<AddressRecord> =>
  taggedAttributes({
    'allocation-id': (elastic) => elastic.id,
    'association-id': (elastic) => elastic.association?.id,
    domain: () => 'vpc',
    'instance-id': (elastic) => holderOf(view, elastic)?.attachment?.instanceId,
    'network-interface-id': (elastic) => elastic.association?.eniId,
    'private-ip-address': (elastic) => elastic.association?.privateIp,
    'public-ip': (elastic) => elastic.publicIp,
  });

function disassociate(world: World, elastic: AddressRecord): AddressRecord {
  const { association, ...free } = elastic;
  const eni = association && world.enis.get(association.eniId);
  if (eni !== undefined) {
    const privateIps = eni.privateIps.map(({ allocationId, ...ip }) =>
      allocationId === undefined || allocationId === elastic.id ? ip : { ...ip, allocationId },
    );
    world.putEni({ ...eni, privateIps });
  }
  world.addresses.put(free);
  return free;
}

/** The interface an association asks for: named itself, or the only one of an instance. */
function targetOf(world: World, { NetworkInterfaceId, InstanceId }: AssociateAddressRequest): EniRecord {
  if (NetworkInterfaceId !== undefined) {
    if (InstanceId !== undefined) {
      throw invalidCombination('You may specify either an instance ID or a network interface ID, not both');
    }
    return requireOne('eni', NetworkInterfaceId, world.enis.get);
  }
  if (InstanceId === undefined) throw missing('InstanceId');
  const instance = requireOne('i', InstanceId, world.instances.get);
  const [eni, ...more] = attachedTo(world, instance);
  if (eni === undefined || more.length > 0) {
    throw new Ec2Error(
      'InvalidInstanceID',
      `There are multiple interfaces attached to instance '${instance.id}'. Please specify an interface ID for the operation instead.`,
    );
  }
  return eni;
}

export const addressOperations = (world: World) => ({
  AllocateAddress: operation<AllocateAddressRequest, AllocateAddressResult>()({
    accepts: ['Domain', 'TagSpecifications'],
    run({ Domain, TagSpecifications }) {
      if (Domain !== undefined && Domain !== 'vpc')
        throw invalidValue(`Invalid value '${Domain}' for domain`);
      const seq = world.nextSeq();
      const elastic: AddressRecord = {
        id: world.newId('eipalloc', seq),
        seq,
        tags: tagsFor(TagSpecifications, 'elastic-ip'),
        publicIp: toDotted(firstPublicAddress + seq),
      };
      world.addresses.put(elastic);
      const { AllocationId, PublicIp, NetworkBorderGroup, PublicIpv4Pool } = toAddress(world, world, elastic);
      return { AllocationId, Domain: 'vpc', NetworkBorderGroup, PublicIp, PublicIpv4Pool };
    },
  }),

  ReleaseAddress: operation<ReleaseAddressRequest, object>()({
    requires: ['AllocationId'],
    run({ AllocationId }) {
      const elastic = requireOne('eipalloc', AllocationId, world.addresses.get);
      if (elastic.association !== undefined) {
        throw new Ec2Error('InvalidIPAddress.InUse', `Address ${elastic.publicIp} is in use.`);
      }
      world.addresses.delete(elastic.id);
      return {};
    },
  }),

  AssociateAddress: operation<AssociateAddressRequest, AssociateAddressResult>()({
    requires: ['AllocationId'],
    accepts: ['NetworkInterfaceId', 'InstanceId', 'PrivateIpAddress', 'AllowReassociation'],
    run(input) {
      const elastic = requireOne('eipalloc', input.AllocationId, world.addresses.get);
      const target = targetOf(world, input);
      if (target.managed !== undefined) {
        throw notPermitted(`You do not have permission to change the network interface '${target.id}'.`);
      }
      const privateIp = input.PrivateIpAddress ?? target.privateIps[0]?.address ?? '';
      const ip = target.privateIps.find(({ address }) => address === privateIp);
      if (ip === undefined) {
        throw invalidValue(`Private IP address ${privateIp} is not assigned to interface ${target.id}.`);
      }
      const { association } = elastic;
      if (association?.eniId === target.id && association.privateIp === privateIp) {
        return { AssociationId: association.id };
      }
      const occupant = ip.allocationId === undefined ? undefined : world.addresses.get(ip.allocationId);
      for (const bound of [elastic, occupant]) {
        if (bound?.association === undefined) continue;
        if (input.AllowReassociation !== true) {
          throw new Ec2Error(
            'Resource.AlreadyAssociated',
            `resource ${bound.id} is already associated with associate-id ${bound.association.id}`,
          );
        }
        disassociate(world, bound);
      }
      const id = world.newId('eipassoc', world.nextSeq());
      // Read again: taking the old associations away may have changed it.
      const eni = requireOne('eni', target.id, world.enis.get);
      const privateIps = eni.privateIps.map((one) =>
        one.address === privateIp ? { ...one, allocationId: elastic.id } : one,
      );
      world.putEni({ ...eni, privateIps });
      world.addresses.put({ ...elastic, association: { id, eniId: eni.id, privateIp } });
      return { AssociationId: id };
    },
  }),

  DisassociateAddress: operation<DisassociateAddressRequest, object>()({
    requires: ['AssociationId'],
    run({ AssociationId: id }) {
      requireWellFormed('eipassoc', id);
      const elastic = [...world.addresses.values()].find(({ association }) => association?.id === id);
      if (elastic === undefined) throw unknownIds('eipassoc', [id]);
      disassociate(world, elastic);
      return {};
    },
  }),

  DescribeAddresses: operation<DescribeAddressesRequest, DescribeAddressesResult>()({
    accepts: ['AllocationIds', 'PublicIps', 'Filters'],
    run({ AllocationIds: ids = [], PublicIps: publicIps = [], Filters }) {
      const view = world.view();
      const all = [...view.addresses.values()];
      const unknown = publicIps.find((ip) => !all.some(({ publicIp }) => publicIp === ip));
      if (unknown !== undefined) {
        throw new Ec2Error('InvalidAddress.NotFound', `Address '${unknown}' not found.`);
      }
      const named = ids.length > 0 ? requireAll('eipalloc', ids, view.addresses.get) : all;
      const chosen = named
        .filter(({ publicIp }) => publicIps.length === 0 || publicIps.includes(publicIp))
        .filter(matcher(Filters, attributes(view)));
      return { Addresses: chosen.map((elastic) => toAddress(world, view, elastic)) };
    },
  }),
});
