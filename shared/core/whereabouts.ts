/** Where the interfaces of a service are, as one look at EC2 shows it. */
import type { AttachmentId, EniId, InstanceId } from './ids.ts';
import { attachmentOf, interfaceOf, memberOf, type Observation } from './observation.ts';
import { interfacesOf, type Service } from './state.ts';

export type Whereabouts =
  | { readonly kind: 'together'; readonly holder: InstanceId }
  /** `beside` is the one member that has the rest of them. */
  | { readonly kind: 'on-nothing'; readonly free: readonly EniId[]; readonly beside: InstanceId | undefined }
  | { readonly kind: 'split'; readonly holders: readonly InstanceId[]; readonly beside?: never }
  | { readonly kind: 'unmovable'; readonly why: string }
  | { readonly kind: 'unknown'; readonly why: string };

/** Reads the observation only; what is stored of the holder is a hint and is not asked. */
export function whereabouts(service: Service, observation: Observation): Whereabouts {
  const free: EniId[] = [];
  const holders = new Set<InstanceId>();
  for (const eni of interfacesOf(service)) {
    const fact = interfaceOf(observation, eni);
    if (fact.kind === 'unknown') return { kind: 'unknown', why: `${eni}: ${fact.why}` };
    if (fact.kind === 'absent') return { kind: 'unmovable', why: `${eni} no longer exists` };
    const { attachment, unmovable, status } = fact.value;
    if (unmovable !== undefined) return { kind: 'unmovable', why: `${eni} ${unmovable}` };
    if (attachment === undefined || attachment.status === 'detached') {
      if (status !== 'available') return { kind: 'unknown', why: `${eni} is ${status}` };
      free.push(eni);
    } else if (service.detached.includes(attachment.id)) {
      return { kind: 'unknown', why: `${eni}: EC2 shows an attachment that has ended` };
    } else if (attachment.status !== 'attached') {
      return { kind: 'unknown', why: `${eni} is ${attachment.status}` };
    } else {
      holders.add(attachment.instanceId);
    }
  }
  const [holder, ...others] = holders;
  if (others.length > 0) return { kind: 'split', holders: [...holders] };
  if (free.length > 0) return { kind: 'on-nothing', free, beside: holder };
  return holder ? { kind: 'together', holder } : { kind: 'unknown', why: 'the service has no interfaces' };
}

/** The instances that have any of the interfaces. */
export function holdersIn(where: Whereabouts): readonly InstanceId[] {
  switch (where.kind) {
    case 'together':
      return [where.holder];
    case 'split':
      return where.holders;
    case 'on-nothing':
      return where.beside ? [where.beside] : [];
    default:
      return [];
  }
}

/** Where the interfaces are attached, by interface. */
export function attachmentsIn(service: Service, observation: Observation): Record<string, AttachmentId> {
  const found: Record<string, AttachmentId> = {};
  for (const eni of interfacesOf(service)) {
    const attachment = attachmentOf(observation, eni);
    if (attachment) found[eni] = attachment.id;
  }
  return found;
}

/** The attachments that would take their interface with them when the holder is terminated. */
export function deletedWithHolder(service: Service, observation: Observation) {
  return interfacesOf(service).flatMap((eni) => {
    const attachment = attachmentOf(observation, eni);
    return attachment?.deleteOnTermination ? [{ eni, attachment: attachment.id }] : [];
  });
}

/** The interface whose attachment is another one than we last saw, though it is where we saw it. */
export function attachedAnew(service: Service, observation: Observation): EniId | undefined {
  const seen = service.lastSeen?.attachments ?? {};
  const now = attachmentsIn(service, observation);
  return interfacesOf(service).find((eni) => seen[eni] !== undefined && seen[eni] !== now[eni]);
}

/** Why this look at the interfaces cannot be used, if it cannot: one was not read, or is shown as it was (P10). */
export function unusable(service: Service, observation: Observation): string | undefined {
  for (const eni of interfacesOf(service)) {
    if (interfaceOf(observation, eni).kind === 'unknown') return `${eni} could not be read`;
    const shown = attachmentOf(observation, eni)?.id;
    if (service.detached.some((each) => each === shown))
      return `${eni}: EC2 shows an attachment that has ended`;
  }
  return undefined;
}

/** Interfaces, and instances that hold one, without the tag that the role's permissions ask for. */
export function untagged(service: Service, observation: Observation): readonly string[] {
  const found = interfacesOf(service).flatMap((eni): string[] => {
    const fact = interfaceOf(observation, eni);
    if (fact.kind !== 'known') return [];
    const holder = memberOf(observation, fact.value.attachment?.instanceId);
    const holderLacksIt = holder.kind === 'known' && !holder.value.tagged;
    return [...(fact.value.tagged ? [] : [eni]), ...(holderLacksIt ? [holder.value.instanceId] : [])];
  });
  return [...new Set(found)];
}
