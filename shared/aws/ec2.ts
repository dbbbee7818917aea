/** EC2 behind the port: translates, pages, drops ids that no longer exist; decides nothing. */
import {
  AttachNetworkInterfaceCommand,
  DescribeInstanceStatusCommand,
  DescribeInstancesCommand,
  DescribeInstanceTypesCommand,
  DescribeNetworkInterfacesCommand,
  DetachNetworkInterfaceCommand,
  type EC2Client,
  type Instance,
  type InstanceStatus,
  type InstanceTypeInfo,
  ModifyNetworkInterfaceAttributeCommand,
  type NetworkCardInfo,
  type NetworkInterface,
  StopInstancesCommand,
  type StopInstancesRequest,
  type Tag,
} from '@aws-sdk/client-ec2';
import type {
  AttachAnswer,
  ChecksFact,
  DetachAnswer,
  Ec2,
  InstanceFact,
  Rehearsed,
  StopAnswer,
} from '../app/ports.ts';
import { messageOf, PortError } from '../core/errors.ts';
import type { AttachmentId, EniId, InstanceId } from '../core/ids.ts';
import type { Attachment, CheckStatus, InterfaceFact, TypeLimits } from '../core/observation.ts';
import { times } from '../core/times.ts';
import { classify, codeOf, detailOf, polls, type Retrying, reads, within, withRetries } from './retry.ts';

/** The tag that the role's permissions ask for, and so what the controller may touch. */
export const managedTag = { key: 'eni-failover', value: 'managed' } as const;

const isTagged = (tags: readonly Tag[] | undefined) =>
  (tags ?? []).some((tag) => tag.Key === managedTag.key && tag.Value === managedTag.value);

/** An answer without its list is no answer: an empty list is what says that there is nothing. */
export function listed<T>(list: readonly T[] | undefined): readonly T[] {
  if (list === undefined) throw new PortError('unavailable', 'EmptyAnswer', 'the answer carries no list');
  return list;
}

function unmovableBecause(from: NetworkInterface): string | undefined {
  if (from.Attachment?.DeviceIndex === 0) return 'is the primary interface of its instance';
  if (from.RequesterManaged || from.Operator?.Managed)
    return `is managed by ${from.Operator?.Principal ?? from.RequesterId ?? 'an AWS service'}`;
  if (from.InterfaceType !== undefined && !['interface', 'efa'].includes(from.InterfaceType))
    return `is of type ${from.InterfaceType}`;
  if (from.Attachment && !from.Attachment.InstanceId) return 'is attached to what is no instance';
  return undefined;
}

function toAttachment(from: NetworkInterface['Attachment']): Attachment | undefined {
  // An attachment without an instance belongs to an AWS service: the interface is unmovable anyway.
  if (!from?.AttachmentId || !from.InstanceId) return undefined;
  return {
    id: from.AttachmentId as AttachmentId,
    instanceId: from.InstanceId as InstanceId,
    deviceIndex: from.DeviceIndex ?? 0,
    networkCardIndex: from.NetworkCardIndex ?? 0,
    status: from.Status ?? 'attaching',
    deleteOnTermination: from.DeleteOnTermination ?? false,
  };
}

export function toInterface(from: NetworkInterface): InterfaceFact {
  return {
    eni: from.NetworkInterfaceId as EniId,
    availabilityZone: from.AvailabilityZone ?? '',
    status: from.Status ?? 'pending',
    attachment: toAttachment(from.Attachment),
    unmovable: unmovableBecause(from),
    // A delegated prefix takes the place of one address: that is how the limits of a type are counted.
    ipv4Count: (from.PrivateIpAddresses?.length ?? 0) + (from.Ipv4Prefixes?.length ?? 0),
    ipv6Count: (from.Ipv6Addresses?.length ?? 0) + (from.Ipv6Prefixes?.length ?? 0),
    tagged: isTagged(from.TagSet),
  };
}

function toInstance(from: Instance): InstanceFact {
  return {
    instanceId: from.InstanceId as InstanceId,
    state: from.State?.Name ?? 'unknown',
    availabilityZone: from.Placement?.AvailabilityZone ?? '',
    instanceType: from.InstanceType ?? '',
    interfaces: (from.NetworkInterfaces ?? []).map((each) => ({
      eni: each.NetworkInterfaceId as EniId,
      deviceIndex: each.Attachment?.DeviceIndex ?? 0,
      networkCardIndex: each.Attachment?.NetworkCardIndex ?? 0,
    })),
    tagged: isTagged(from.Tags),
  };
}

const checkStatuses = new Set(['ok', 'impaired', 'insufficient-data', 'not-applicable', 'initializing']);

/** A status that this code does not know is no evidence of anything. */
const toCheck = (status: string | undefined, whenMissing: CheckStatus): CheckStatus =>
  status === undefined
    ? whenMissing
    : checkStatuses.has(status)
      ? (status as CheckStatus)
      : 'insufficient-data';

function toChecks(from: InstanceStatus): ChecksFact {
  const parts = [from.SystemStatus, from.InstanceStatus, from.AttachedEbsStatus];
  const since = parts
    .flatMap((part) => part?.Details ?? [])
    .flatMap((detail) => (detail.ImpairedSince ? [detail.ImpairedSince.getTime()] : []));
  return {
    system: toCheck(from.SystemStatus?.Status, 'insufficient-data'),
    instance: toCheck(from.InstanceStatus?.Status, 'insufficient-data'),
    // Reported for Nitro instances only.
    ebs: toCheck(from.AttachedEbsStatus?.Status, 'not-applicable'),
    impairedSinceMs: since.length > 0 ? Math.min(...since) : undefined,
  };
}

/** EC2 lists the cards in no promised order: each value goes to its own index. */
function byCard(cards: readonly NetworkCardInfo[]): readonly number[] {
  const count = Math.max(0, ...cards.map((card) => (card.NetworkCardIndex ?? 0) + 1));
  return Array.from(
    { length: count },
    (_, index) => cards.find((card) => (card.NetworkCardIndex ?? 0) === index)?.MaximumNetworkInterfaces ?? 0,
  );
}

function toLimits(from: InstanceTypeInfo): TypeLimits {
  const info = from.NetworkInfo;
  return {
    interfaces: info?.MaximumNetworkInterfaces ?? 0,
    interfacesPerCard: byCard(info?.NetworkCards ?? []),
    ipv4PerInterface: info?.Ipv4AddressesPerInterface ?? 0,
    ipv6PerInterface: info?.Ipv6AddressesPerInterface ?? 0,
  };
}

const goneCodes = new Set(['InvalidNetworkInterfaceID.NotFound', 'InvalidNetworkInterface.NotFound']);
/** In the wrong state just now, in use, or gone: only another look tells what that means. */
const lookCodes = new Set([
  'InvalidNetworkInterface.InUse',
  'InvalidAttachmentID.NotFound',
  'InvalidAttachment.NotFound',
  'IncorrectState',
  'ConcurrentModification',
  'DependencyViolation',
]);

function toDetachAnswer(error: unknown): DetachAnswer {
  const code = codeOf(error);
  const failure = classify(error);
  if (failure === 'throttled' || failure === 'unavailable') return { kind: 'unclear', code };
  if (lookCodes.has(code) || goneCodes.has(code) || code === 'IncorrectInstanceState')
    return { kind: 'look', code };
  return { kind: 'refused', code, detail: detailOf(error) };
}

function toAttachAnswer(error: unknown): AttachAnswer {
  const code = codeOf(error);
  const failure = classify(error);
  const detail = detailOf(error);
  if (failure === 'throttled' || failure === 'unavailable') return { kind: 'unclear', code };
  if (goneCodes.has(code)) return { kind: 'gone', code };
  // An interface in use can also come as InvalidParameterValue; one with a device index is the target's.
  if (code === 'InvalidParameterValue' && !/device index/i.test(detail) && /in.?use/i.test(detail))
    return { kind: 'look', code };
  // The same code speaks of the interface (not available yet) and of the instance (stopping, say).
  const speaksOfInstance = idsIn(detail).length > 0 && !/eni-/.test(detail);
  if (code === 'IncorrectState' && speaksOfInstance) return { kind: 'target-refused', code, detail };
  if (lookCodes.has(code)) return { kind: 'look', code };
  return { kind: 'target-refused', code, detail };
}

/** Not now (it is starting, or on its way out) is not never, and what EC2 does not know the next look must show. */
const later = new Set(['IncorrectInstanceState', 'IncorrectState', 'InvalidInstanceID.NotFound']);

function toStopAnswer(error: unknown): StopAnswer {
  const code = codeOf(error);
  const failure = classify(error);
  return failure === 'throttled' || failure === 'unavailable' || later.has(code)
    ? { kind: 'unclear', code }
    : { kind: 'refused', code, detail: detailOf(error) };
}

/** Without waiting for a guest that may hang: what is fenced shall not write one byte more. */
const hardest = (instance: InstanceId, dryRun = false): StopInstancesRequest => ({
  InstanceIds: [instance],
  Force: true,
  SkipOsShutdown: true,
  ...(dryRun && { DryRun: true }),
});

const idsIn = (text: string): readonly string[] => text.match(/\bi-[0-9a-f]{8,17}/g) ?? [];
const statusPage = 100;

/** A dry run always ends in an error: DryRunOperation means that the call would have been allowed. */
async function rehearsed(action: Rehearsed['action'], call: () => Promise<unknown>): Promise<Rehearsed> {
  try {
    await call();
    return { action, answer: 'unclear', detail: 'EC2 answered a dry run without an error' };
  } catch (error) {
    const detail = `${codeOf(error)}: ${detailOf(error)}`;
    if (codeOf(error) === 'DryRunOperation') return { action, answer: 'allowed', detail };
    return { action, answer: classify(error) === 'denied' ? 'denied' : 'unclear', detail };
  }
}

/** Cuts a list into pieces of at most `size`. */
function pieces<T>(list: readonly T[], size: number): readonly (readonly T[])[] {
  const count = Math.ceil(list.length / size);
  return Array.from({ length: count }, (_, index) => list.slice(index * size, (index + 1) * size));
}

/**
 * The client must not retry by itself (`maxAttempts: 1`): reads are retried here, and whether a mutation may be
 * sent again is the protocol's decision.
 */
export function makeEc2(client: Pick<EC2Client, 'send'>, retrying: Retrying): Ec2 {
  /**
   * DescribeInstanceStatus takes ids only as parameters, at most 100, and one unknown id fails the whole call:
   * what the error names is dropped and the rest is asked again.
   */
  async function statuses(ids: readonly InstanceId[]): Promise<readonly InstanceStatus[]> {
    let asked: readonly string[] = ids;
    while (asked.length > 0) {
      try {
        const answer = await client.send(
          new DescribeInstanceStatusCommand({ InstanceIds: [...asked], IncludeAllInstances: true }),
        );
        return listed(answer.InstanceStatuses);
      } catch (error) {
        const unknown: readonly string[] =
          codeOf(error) === 'InvalidInstanceID.NotFound' ? idsIn(messageOf(error)) : [];
        const rest = asked.filter((id) => !unknown.includes(id));
        if (rest.length === asked.length) throw error;
        asked = rest;
      }
    }
    return [];
  }

  async function interfacesOf(
    ids: readonly EniId[],
    options?: { readonly abortSignal: AbortSignal },
  ): Promise<ReadonlyMap<EniId, InterfaceFact>> {
    if (ids.length === 0) return new Map();
    const found: NetworkInterface[] = [];
    let NextToken: string | undefined;
    do {
      const page = await client.send(
        new DescribeNetworkInterfacesCommand({
          // A filter, not ids: an unknown id would fail the whole call.
          Filters: [{ Name: 'network-interface-id', Values: [...ids] }],
          ...(NextToken && { NextToken }),
        }),
        options,
      );
      found.push(...listed(page.NetworkInterfaces));
      NextToken = page.NextToken;
    } while (NextToken);
    return new Map(found.map((each) => [each.NetworkInterfaceId as EniId, toInterface(each)]));
  }

  return {
    interfaces: (ids, how) =>
      how === 'poll'
        ? withRetries(retrying, polls, () =>
            within(retrying.clock, times.pollTimeoutMs, (abortSignal) => interfacesOf(ids, { abortSignal })),
          )
        : withRetries(retrying, reads, () => interfacesOf(ids)),

    instances: (ids) =>
      withRetries(retrying, reads, async () => {
        if (ids.length === 0) return new Map();
        const found: Instance[] = [];
        let NextToken: string | undefined;
        do {
          const page = await client.send(
            new DescribeInstancesCommand({
              Filters: [{ Name: 'instance-id', Values: [...ids] }],
              ...(NextToken && { NextToken }),
            }),
          );
          found.push(...listed(page.Reservations).flatMap((each) => each.Instances ?? []));
          NextToken = page.NextToken;
        } while (NextToken);
        return new Map(found.map((each) => [each.InstanceId as InstanceId, toInstance(each)]));
      }),

    checks: (ids) =>
      withRetries(retrying, reads, async () => {
        const found = (await Promise.all(pieces(ids, statusPage).map(statuses))).flat();
        return new Map(found.map((each) => [each.InstanceId as InstanceId, toChecks(each)]));
      }),

    limits: (types) =>
      withRetries(retrying, reads, async () => {
        const found: InstanceTypeInfo[] = [];
        for (const some of pieces(types, 100)) {
          let NextToken: string | undefined;
          do {
            const page = await client.send(
              new DescribeInstanceTypesCommand({
                Filters: [{ Name: 'instance-type', Values: [...some] }],
                ...(NextToken && { NextToken }),
              }),
            );
            found.push(...listed(page.InstanceTypes));
            NextToken = page.NextToken;
          } while (NextToken);
        }
        return Object.fromEntries(found.map((each) => [each.InstanceType ?? '', toLimits(each)]));
      }),

    async detach(attachment, { force }) {
      try {
        await client.send(
          new DetachNetworkInterfaceCommand({ AttachmentId: attachment, ...(force && { Force: true }) }),
        );
        return { kind: 'accepted' };
      } catch (error) {
        return toDetachAnswer(error);
      }
    },

    async attach({ eni, instanceId, deviceIndex, networkCardIndex }) {
      try {
        const answer = await client.send(
          new AttachNetworkInterfaceCommand({
            NetworkInterfaceId: eni,
            InstanceId: instanceId,
            DeviceIndex: deviceIndex,
            // Always said: left out on a multi-card instance, EC2 has called a free index taken.
            NetworkCardIndex: networkCardIndex,
          }),
        );
        if (!answer.AttachmentId) return { kind: 'unclear', code: 'EmptyAnswer' };
        return { kind: 'accepted', attachment: answer.AttachmentId as AttachmentId };
      } catch (error) {
        return toAttachAnswer(error);
      }
    },

    async rehearse({ attachment, eni, instanceId, deviceIndex, networkCardIndex, stop }) {
      const order = { NetworkInterfaceId: eni, InstanceId: instanceId, DeviceIndex: deviceIndex };
      const kept = { AttachmentId: attachment, DeleteOnTermination: false };
      return Promise.all([
        rehearsed('DetachNetworkInterface', () =>
          client.send(new DetachNetworkInterfaceCommand({ AttachmentId: attachment, DryRun: true })),
        ),
        rehearsed('AttachNetworkInterface', () =>
          client.send(
            new AttachNetworkInterfaceCommand({ ...order, NetworkCardIndex: networkCardIndex, DryRun: true }),
          ),
        ),
        rehearsed('ModifyNetworkInterfaceAttribute', () =>
          client.send(
            new ModifyNetworkInterfaceAttributeCommand({
              NetworkInterfaceId: eni,
              Attachment: kept,
              DryRun: true,
            }),
          ),
        ),
        ...(stop
          ? [rehearsed('StopInstances', () => client.send(new StopInstancesCommand(hardest(stop, true))))]
          : []),
      ]);
    },

    async stop(instance, mayStill = () => true) {
      try {
        await client.send(new StopInstancesCommand(hardest(instance)));
        return { kind: 'accepted' };
      } catch (error) {
        const answer = toStopAnswer(error);
        if (answer.kind !== 'refused' || classify(error) === 'denied') return answer;
        // The first answer may have come late, to a process that was frozen meanwhile.
        if (!mayStill()) return { kind: 'unclear', code: answer.code };
      }
      try {
        // An instance that EC2 will not stop so may still be stopped with its guest.
        await client.send(new StopInstancesCommand({ InstanceIds: [instance], Force: true }));
        return { kind: 'accepted' };
      } catch (error) {
        return toStopAnswer(error);
      }
    },

    async keepOnTermination(eni, attachment) {
      try {
        await client.send(
          new ModifyNetworkInterfaceAttributeCommand({
            NetworkInterfaceId: eni,
            Attachment: { AttachmentId: attachment, DeleteOnTermination: false },
          }),
        );
        return 'done';
      } catch (error) {
        const failure = classify(error);
        if (failure === 'throttled' || failure === 'unavailable') return 'unclear';
        const code = codeOf(error);
        return lookCodes.has(code) || goneCodes.has(code) ? 'look' : 'refused';
      }
    },
  };
}
