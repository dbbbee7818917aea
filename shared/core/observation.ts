/** What EC2 and CloudWatch said, and when. Every fact is known, absent or unknown: three different values. */
import type { AlarmArn, AttachmentId, EniId, InstanceId } from './ids.ts';

export type Fact<T> =
  | { readonly kind: 'known'; readonly value: T }
  /** EC2 answered, and there is no such thing. */
  | { readonly kind: 'absent' }
  /** We could not find out. Nothing is done on it. */
  | { readonly kind: 'unknown'; readonly why: string };

export const known = <T>(value: T): Fact<T> => ({ kind: 'known', value });
export const absent: Fact<never> = { kind: 'absent' };
export const unknown = (why: string): Fact<never> => ({ kind: 'unknown', why });

export interface Attachment {
  readonly id: AttachmentId;
  readonly instanceId: InstanceId;
  readonly deviceIndex: number;
  readonly networkCardIndex: number;
  readonly status: 'attaching' | 'attached' | 'detaching' | 'detached';
  readonly deleteOnTermination: boolean;
}

export interface InterfaceFact {
  readonly eni: EniId;
  readonly availabilityZone: string;
  readonly status: string;
  /** Undefined when it is attached to nothing. */
  readonly attachment: Attachment | undefined;
  /** Why EC2 would never move it, or undefined: primary, or managed by an AWS service. */
  readonly unmovable: string | undefined;
  readonly ipv4Count: number;
  readonly ipv6Count: number;
  readonly tagged: boolean;
}

export type CheckStatus = 'ok' | 'impaired' | 'insufficient-data' | 'not-applicable' | 'initializing';

export interface Checks {
  readonly system: CheckStatus;
  readonly instance: CheckStatus;
  readonly ebs: CheckStatus;
  /** The earliest `ImpairedSince` of the impaired checks, where EC2 says it. */
  readonly impairedSinceMs: number | undefined;
}

export interface TypeLimits {
  readonly interfaces: number;
  /** By network card index. */
  readonly interfacesPerCard: readonly number[];
  readonly ipv4PerInterface: number;
  readonly ipv6PerInterface: number;
}

export interface MemberFact {
  readonly instanceId: InstanceId;
  readonly state: string;
  readonly availabilityZone: string;
  readonly instanceType: string;
  readonly interfaces: readonly {
    readonly eni: EniId;
    readonly deviceIndex: number;
    readonly networkCardIndex: number;
  }[];
  readonly checks: Fact<Checks>;
  readonly limits: Fact<TypeLimits>;
  readonly tagged: boolean;
}

export interface AlarmFact {
  readonly arn: AlarmArn;
  readonly state: 'OK' | 'ALARM' | 'INSUFFICIENT_DATA';
  readonly transitionedAtMs: number | undefined;
  /** Who suppresses its actions, if anyone does. A suppressed alarm asks for nothing. */
  readonly suppressedBy: string | undefined;
}

export interface Observation {
  /** When the oldest of the answered reads was sent. */
  readonly atMs: number;
  /** True when EC2 throttled or answered slowly: then an older observation is still accepted. */
  readonly slow: boolean;
  readonly interfaces: ReadonlyMap<EniId, Fact<InterfaceFact>>;
  /** Every declared member, and every other instance that holds one of the interfaces. */
  readonly members: ReadonlyMap<InstanceId, Fact<MemberFact>>;
  readonly alarms: ReadonlyMap<AlarmArn, Fact<AlarmFact>>;
}

export function interfaceOf(observation: Observation, eni: EniId): Fact<InterfaceFact> {
  return observation.interfaces.get(eni) ?? unknown('it was not looked at');
}

/** Undefined when it is attached to nothing, and when that is not known. */
export function attachmentOf(observation: Observation, eni: EniId): Attachment | undefined {
  const fact = interfaceOf(observation, eni);
  return fact.kind === 'known' ? fact.value.attachment : undefined;
}

/** Of no instance nothing is known. */
export function memberOf(observation: Observation, instanceId: InstanceId | undefined): Fact<MemberFact> {
  const members: ReadonlyMap<InstanceId | undefined, Fact<MemberFact>> = observation.members;
  return members.get(instanceId) ?? unknown('it was not looked at');
}

export function alarmOf(observation: Observation, arn: AlarmArn): Fact<AlarmFact> {
  return observation.alarms.get(arn) ?? unknown('it was not looked at');
}

export type Health =
  | { readonly kind: 'healthy' }
  /** `certain`: EC2 says that the instance itself is going or gone. Otherwise a check is impaired. */
  | {
      readonly kind: 'failed';
      readonly certain: boolean;
      readonly why: string;
      readonly sinceMs: number | undefined;
    }
  | { readonly kind: 'unknown'; readonly why: string };

const gone = new Set(['stopping', 'stopped', 'shutting-down', 'terminated']);

/**
 * What EC2 knows of an instance's health. `initializing`, `insufficient-data` and a failed read are unknown:
 * never failed, never healthy (docs/protocol.md, Evidence).
 */
export function healthOf(member: Fact<MemberFact>): Health {
  if (member.kind === 'unknown') return { kind: 'unknown', why: member.why };
  if (member.kind === 'absent')
    return { kind: 'failed', certain: true, why: 'the instance no longer exists', sinceMs: undefined };
  const { state, checks } = member.value;
  if (gone.has(state))
    return { kind: 'failed', certain: true, why: `the instance is ${state}`, sinceMs: undefined };
  if (state !== 'running') return { kind: 'unknown', why: `the instance is ${state}` };
  if (checks.kind !== 'known') {
    const why = checks.kind === 'unknown' ? checks.why : 'EC2 reports no status checks';
    return { kind: 'unknown', why };
  }
  const named: readonly [string, CheckStatus][] = Object.entries({
    system: checks.value.system,
    instance: checks.value.instance,
    'attached EBS': checks.value.ebs,
  });
  const impaired = named.filter(([, status]) => status === 'impaired').map(([name]) => name);
  if (impaired.length > 0)
    return {
      kind: 'failed',
      certain: false,
      why: `${impaired.join(' and ')} check impaired`,
      sinceMs: checks.value.impairedSinceMs,
    };
  // Only the EBS check does not apply to every running instance. Of the others, EC2 says it of instances that do
  // not run: then the two reads were torn apart by a change in between.
  const isFine = ([name, status]: readonly [string, CheckStatus]) =>
    status === 'ok' || (status === 'not-applicable' && name === 'attached EBS');
  const unclear = named.find((each) => !isFine(each));
  return unclear ? { kind: 'unknown', why: `${unclear[0]} check is ${unclear[1]}` } : { kind: 'healthy' };
}
