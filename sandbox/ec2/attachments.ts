/** Attaching and detaching: EC2's rules, and the asynchronous way from one state of an attachment to the next. */
import type {
  AttachNetworkInterfaceRequest,
  AttachNetworkInterfaceResult,
  DetachNetworkInterfaceRequest,
} from '@aws-sdk/client-ec2';
import { isGuestImpaired } from './checks.ts';
import { Ec2Error, invalidCombination, invalidValue, notPermitted } from './errors.ts';
import { requireOne } from './ids.ts';
import { attachedTo, refuseTooManyAddresses, refuseTooManyInterfaces } from './limits.ts';
import { refuseManaged } from './managed.ts';
import { operation } from './operation.ts';
import {
  type AttachmentRecord,
  type EniRecord,
  type InstanceRecord,
  type InstanceState,
  slotOf,
} from './records.ts';
import type { World } from './world.ts';

export interface Placement {
  readonly deviceIndex: number;
  readonly networkCardIndex: number;
  readonly deleteOnTermination: boolean;
}

/** Begins to attach, without asking whether EC2 would allow it; `settle` finishes. */
export function attachEni(
  world: World,
  eni: EniRecord,
  instance: InstanceRecord,
  at: Placement,
): AttachmentRecord {
  const attachment: AttachmentRecord = {
    id: world.newId('eni-attach', world.nextSeq()),
    instanceId: instance.id,
    ...at,
    status: 'attaching',
    attachedAtMs: world.nowMs(),
    forced: false,
  };
  const { [slotOf(at)]: _, ...forcedSlots } = instance.forcedSlots;
  world.putInstance({ ...instance, forcedSlots, eniIds: [...instance.eniIds, eni.id] });
  world.putEni({ ...eni, attachment });
  settle(world, eni.id);
  return attachment;
}

export function removeAttachment(world: World, eni: EniRecord): void {
  const { attachment, ...free } = eni;
  const instance = attachment && world.instances.get(attachment.instanceId);
  if (instance !== undefined) {
    world.putInstance({ ...instance, eniIds: instance.eniIds.filter((id) => id !== eni.id) });
  }
  world.putEni(free);
}

/** A guest that does not answer keeps a plain detach waiting; being stuck holds up an attach as well. */
function isHeldUp(world: World, eni: EniRecord, attachment: AttachmentRecord): boolean {
  if (attachment.forced) return false;
  if (world.stuck.has(eni.id)) return true;
  const instance = world.instances.get(attachment.instanceId);
  if (instance === undefined || attachment.status !== 'detaching') return false;
  const hasGuest = instance.state === 'running' || instance.state === 'stopping';
  return hasGuest && isGuestImpaired(instance);
}

/** Lets an attachment that is on its way arrive, unless something holds it up. May be called at any time. */
export function settle(world: World, eniId: string): void {
  const { latency } = world.settings;
  const eni = world.enis.get(eniId);
  const attachment = eni?.attachment;
  if (eni === undefined || attachment === undefined || attachment.status === 'attached') return;
  if (isHeldUp(world, eni, attachment)) return;
  const detach = attachment.forced ? latency.forcedDetach : latency.detach;
  world.later(attachment.status === 'attaching' ? latency.attach : detach, () => {
    const now = world.enis.get(eniId);
    const same = now?.attachment?.id === attachment.id && now.attachment.status === attachment.status;
    if (!same || isHeldUp(world, now, now.attachment)) return;
    if (attachment.status === 'attaching') {
      world.putEni({ ...now, attachment: { ...now.attachment, status: 'attached' } });
    } else {
      removeAttachment(world, now);
    }
  });
}

/** Lets go of every interface of the instance that was only waiting for its guest. */
export function settleAll(world: World, instanceId: string): void {
  for (const eniId of world.instances.get(instanceId)?.eniIds ?? []) settle(world, eniId);
}

function refuseState(instance: InstanceRecord, allowed: readonly InstanceState[]): void {
  if (allowed.includes(instance.state)) return;
  throw new Ec2Error(
    'IncorrectState',
    `The instance '${instance.id}' is '${instance.state}', which is none of: ${allowed.join(', ')}.`,
  );
}

/**
 * The device index must be free. After a forced detach from a running instance it still is not, but for the
 * same interface: EC2 documents that another one "might not" attach until the instance was stopped and started.
 * That it is refused always, and as a taken index, is an assumption (the harder of the two readings).
 */
function refuseTakenSlot(
  instance: InstanceRecord,
  eniId: string,
  at: Omit<Placement, 'deleteOnTermination'>,
  attached: readonly EniRecord[],
): void {
  const slot = slotOf(at);
  const leftBehind = instance.forcedSlots[slot];
  const isTaken = attached.some(
    (other) => other.attachment !== undefined && slotOf(other.attachment) === slot,
  );
  if (isTaken || (leftBehind !== undefined && leftBehind !== eniId)) {
    throw invalidValue(
      `Instance '${instance.id}' already has an interface attached at device index '${at.deviceIndex}'.`,
    );
  }
}

export const attachmentOperations = (world: World) => ({
  AttachNetworkInterface: operation<AttachNetworkInterfaceRequest, AttachNetworkInterfaceResult>()({
    requires: ['NetworkInterfaceId', 'InstanceId', 'DeviceIndex'],
    accepts: ['NetworkCardIndex'],
    run({
      NetworkInterfaceId,
      InstanceId,
      DeviceIndex: deviceIndex,
      NetworkCardIndex: networkCardIndex = 0,
    }) {
      const eni = requireOne('eni', NetworkInterfaceId, world.enis.get);
      const instance = requireOne('i', InstanceId, world.instances.get);
      refuseManaged(eni);
      if (eni.attachment !== undefined) {
        throw new Ec2Error('InvalidNetworkInterface.InUse', `Interface: [${eni.id}] in use.`);
      }
      if (eni.availabilityZone !== instance.availabilityZone) {
        throw invalidCombination(
          'You may not attach a network interface to an instance if they are not in the same availability zone',
        );
      }
      refuseState(instance, ['running', 'stopped']);
      if (!Number.isInteger(deviceIndex) || deviceIndex < 0) {
        throw invalidValue(`Invalid value '${deviceIndex}' for DeviceIndex.`);
      }
      const attached = attachedTo(world, instance);
      const at = { deviceIndex, networkCardIndex };
      refuseTakenSlot(instance, eni.id, at, attached);
      refuseTooManyInterfaces(instance.instanceType, networkCardIndex, attached);
      refuseTooManyAddresses(instance.instanceType, eni.privateIps.length, eni.ipv6.length);
      const { id } = attachEni(world, eni, instance, { ...at, deleteOnTermination: false });
      return { AttachmentId: id, NetworkCardIndex: networkCardIndex };
    },
  }),

  /**
   * EC2 documents detaching for running and stopped instances. That it also takes it while an instance stops or
   * shuts down, and takes a second detach of the same attachment, are assumptions.
   */
  DetachNetworkInterface: operation<DetachNetworkInterfaceRequest, object>()({
    requires: ['AttachmentId'],
    accepts: ['Force'],
    run({ AttachmentId, Force: force = false }) {
      const eni = requireOne('eni-attach', AttachmentId, world.eniOfAttachment);
      const instance = world.instances.get(eni.attachment?.instanceId ?? '');
      refuseManaged(eni);
      if (eni.attachment === undefined || instance === undefined) return {};
      const { deviceIndex, networkCardIndex, forced } = eni.attachment;
      if (deviceIndex === 0 && networkCardIndex === 0) {
        throw notPermitted(
          'The network interface at device index 0 and networkCard index 0 cannot be detached.',
        );
      }
      refuseState(instance, ['running', 'stopped', 'stopping', 'shutting-down']);
      if (eni.attachment.status === 'detaching' && (forced || !force)) return {};
      if (force && instance.state === 'running') {
        const forcedSlots = { ...instance.forcedSlots, [slotOf(eni.attachment)]: eni.id };
        world.putInstance({ ...instance, forcedSlots });
      }
      world.putEni({ ...eni, attachment: { ...eni.attachment, status: 'detaching', forced: force } });
      settle(world, eni.id);
      return {};
    },
  }),
});
