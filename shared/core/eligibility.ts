/** Whether a member may take a service's interfaces: everything that is checked before anything is detached. */
import type { InstanceId } from './ids.ts';
import {
  alarmOf,
  healthOf,
  interfaceOf,
  type MemberFact,
  memberOf,
  type Observation,
} from './observation.ts';
import type { MemberReasonCode, MemberRefusal } from './reasons.ts';
import type { DeclaredInterface, Member } from './service.ts';
import type { Service } from './state.ts';

type Complaint = readonly [MemberReasonCode, string];

function quarantineOf(service: Service, member: Member, nowMs: number): Complaint[] {
  const quarantine = service.quarantine[member.instance];
  if (!quarantine || (quarantine.untilMs !== undefined && quarantine.untilMs <= nowMs)) return [];
  const { quarantineFor, quarantine: ends } = service.declaration.policy;
  const mayEnd = ends === 'until-healthy' || member.readyWhen.length > 0;
  const healthySinceMs = quarantine.healthySinceMs;
  if (mayEnd && healthySinceMs !== undefined && nowMs - healthySinceMs >= quarantineFor) return [];
  return [['QUARANTINED', quarantine.why]];
}

function readinessOf(observation: Observation, member: Member): Complaint[] {
  return member.readyWhen.flatMap((arn): Complaint[] => {
    const alarm = alarmOf(observation, arn);
    if (alarm.kind === 'known' && alarm.value.state === 'OK') return [];
    const shown =
      alarm.kind === 'known'
        ? alarm.value.state
        : alarm.kind === 'absent'
          ? 'not there'
          : `not known (${alarm.why})`;
    return [['NOT_READY', `${arn.slice(arn.indexOf(':alarm:') + 7)} is ${shown}`]];
  });
}

/** Room for the interfaces that are not there yet, on each network card and for their addresses. */
function roomOn(service: Service, observation: Observation, fact: MemberFact): Complaint[] {
  const here = new Map(fact.interfaces.map((each) => [each.eni, each]));
  const coming = service.declaration.interfaces.filter((each) => !here.has(each.eni));
  const taken = (wanted: DeclaredInterface) =>
    fact.interfaces.find(
      (each) => each.deviceIndex === wanted.deviceIndex && each.networkCardIndex === wanted.networkCardIndex,
    );
  const complaints = coming.flatMap((wanted): Complaint[] => {
    const other = taken(wanted);
    return other ? [['INDEX_TAKEN', `${other.eni} sits at device index ${wanted.deviceIndex}`]] : [];
  });

  if (fact.limits.kind !== 'known')
    return [...complaints, ['UNKNOWN_HEALTH', `the limits of ${fact.instanceType} are not known`]];
  const limits = fact.limits.value;
  if (fact.interfaces.length + coming.length > limits.interfaces)
    complaints.push([
      'LIMIT_REACHED',
      `${fact.instanceType} carries ${limits.interfaces} interfaces and has ${fact.interfaces.length}`,
    ]);
  for (const card of new Set(coming.map((each) => each.networkCardIndex))) {
    const onCard = (each: { networkCardIndex: number }) => each.networkCardIndex === card;
    const wanted = fact.interfaces.filter(onCard).length + coming.filter(onCard).length;
    const room = limits.interfacesPerCard[card] ?? 0;
    if (wanted > room)
      complaints.push([
        'LIMIT_REACHED',
        `network card ${card} of ${fact.instanceType} carries ${room} interfaces`,
      ]);
  }
  for (const { eni } of coming) {
    const carried = interfaceOf(observation, eni);
    if (carried.kind !== 'known') continue;
    if (
      carried.value.ipv4Count > limits.ipv4PerInterface ||
      carried.value.ipv6Count > limits.ipv6PerInterface
    )
      complaints.push([
        'LIMIT_REACHED',
        `${eni} has ${carried.value.ipv4Count} IPv4 and ${carried.value.ipv6Count} IPv6 addresses; ` +
          `${fact.instanceType} carries ${limits.ipv4PerInterface} and ${limits.ipv6PerInterface} per interface`,
      ]);
  }
  return complaints;
}

function zoneOf(service: Service, observation: Observation, fact: MemberFact): Complaint[] {
  const zones = service.declaration.interfaces.flatMap(({ eni }) => {
    const carried = interfaceOf(observation, eni);
    return carried.kind === 'known' ? [carried.value.availabilityZone] : [];
  });
  const other = zones.find((zone) => zone !== fact.availabilityZone);
  return other ? [['WRONG_AZ', `it is in ${fact.availabilityZone}, the interface in ${other}`]] : [];
}

/** Every reason why a member may not take the interfaces; empty means eligible. */
export function refusalsOf(
  service: Service,
  observation: Observation,
  member: Member,
  nowMs: number,
): readonly MemberRefusal[] {
  const refuse = (complaints: readonly Complaint[]) =>
    complaints.map(([code, detail]) => ({ member: member.instance, code, detail }));
  const fact = memberOf(observation, member.instance);
  if (fact.kind === 'absent') return refuse([['NO_SUCH_MEMBER', 'EC2 knows no such instance']]);
  if (fact.kind === 'unknown') return refuse([['UNKNOWN_HEALTH', fact.why]]);
  const { state, tagged } = fact.value;
  const health = healthOf(fact);
  const complaints: Complaint[] = [];
  if (state !== 'running') complaints.push(['NOT_RUNNING', `it is ${state}`]);
  else if (health.kind === 'failed') complaints.push(['CHECKS_FAILED', health.why]);
  else if (health.kind === 'unknown') complaints.push(['UNKNOWN_HEALTH', health.why]);
  if (!tagged) complaints.push(['NOT_TAGGED', 'it lacks the tag eni-failover=managed']);
  return refuse([
    ...complaints,
    ...zoneOf(service, observation, fact.value),
    ...quarantineOf(service, member, nowMs),
    ...readinessOf(observation, member),
    ...roomOn(service, observation, fact.value),
  ]);
}

export interface Judged {
  readonly member: InstanceId;
  readonly role: 'holder' | 'standby';
  readonly eligible: boolean;
  readonly refusals: readonly MemberRefusal[];
}

/** Every member as it is now, in the declared order: for people, who want to see those too that are not asked. */
export function everyMember(
  service: Service,
  observation: Observation,
  holder: InstanceId | undefined,
  nowMs: number,
): readonly Judged[] {
  return service.declaration.members.map((each) => {
    const refusals = refusalsOf(service, observation, each, nowMs);
    const role = each.instance === holder ? 'holder' : 'standby';
    return { member: each.instance, role, eligible: refusals.length === 0, refusals };
  });
}

export interface Candidates {
  /** Members that may take the interfaces, in the declared order of preference. */
  readonly eligible: readonly InstanceId[];
  readonly refused: readonly MemberRefusal[];
}

/** The members in order of preference, without those named, split into eligible and refused. */
export function candidates(
  service: Service,
  observation: Observation,
  without: readonly (InstanceId | undefined)[],
  nowMs: number,
): Candidates {
  const judged = service.declaration.members
    .filter((member) => !without.includes(member.instance))
    .map((member) => ({
      id: member.instance,
      refusals: refusalsOf(service, observation, member, nowMs),
    }));
  return {
    eligible: judged.filter((each) => each.refusals.length === 0).map((each) => each.id),
    refused: judged.flatMap((each) => each.refusals),
  };
}
