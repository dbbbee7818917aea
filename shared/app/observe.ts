/** One look at the world: all reads go out together, and a read that failed is unknown, never absent. */
import { messageOf, PortError } from '../core/errors.ts';
import type { AlarmArn } from '../core/ids.ts';
import {
  type AlarmFact,
  absent,
  type Fact,
  known,
  type MemberFact,
  type Observation,
  unknown,
} from '../core/observation.ts';
import { interfacesOf, type Service } from '../core/state.ts';
import { times } from '../core/times.ts';
import { inTime } from './in-time.ts';
import type { Answer, Ports } from './ports.ts';

type Read<K, V> =
  | { readonly answer: Answer<ReadonlyMap<K, V>> }
  | { readonly failed: string; readonly slow: boolean };

async function attempt<K, V>(read: Promise<Answer<ReadonlyMap<K, V>>>): Promise<Read<K, V>> {
  try {
    return { answer: await read };
  } catch (error) {
    const slow = error instanceof PortError && error.failure === 'throttled';
    return { failed: messageOf(error), slow };
  }
}

function factsOf<K, V>(ids: readonly K[], read: Read<K, V>): ReadonlyMap<K, Fact<V>> {
  return new Map(
    ids.map((id): [K, Fact<V>] => {
      if ('failed' in read) return [id, unknown(read.failed)];
      const value = read.answer.value.get(id);
      return [id, value === undefined ? absent : known(value)];
    }),
  );
}

function alarmsOf(service: Service): readonly AlarmArn[] {
  const { members, signals } = service.declaration;
  const arns = [...signals.alarms.map((each) => each.arn), ...members.flatMap((each) => each.readyWhen)];
  return [...new Set(arns)];
}

/** Looks at a service's interfaces, members and alarms. Never throws; what could not be read is unknown. */
export async function observe(
  { clock, ec2, alarms }: Pick<Ports, 'clock' | 'ec2' | 'alarms'>,
  service: Service,
): Promise<Observation> {
  const startedAtMs = clock.now();
  const enis = interfacesOf(service);
  const members = service.declaration.members.map((each) => each.instance);
  const arns = alarmsOf(service);
  const none: Answer<ReadonlyMap<AlarmArn, AlarmFact>> = {
    value: new Map(),
    sentAtMs: startedAtMs,
    slow: false,
  };

  const [interfaces, instances, checks, alarmFacts] = await Promise.all([
    attempt(ec2.interfaces(enis)),
    attempt(ec2.instances(members)),
    attempt(ec2.checks(members)),
    attempt(arns.length > 0 ? alarms.describe(arns) : Promise.resolve(none)),
  ]);

  const found = 'answer' in instances ? [...instances.answer.value.values()] : [];
  const cached = service.facts.limits;
  const uncached = [...new Set(found.map((each) => each.instanceType))].filter((type) => !cached[type]);
  // Only after a member changed its type. Not waited for longer than it is worth: that member alone is not eligible.
  const fetched =
    uncached.length > 0
      ? await inTime(
          clock,
          ec2.limits(uncached).catch(() => undefined),
          times.limitsTimeoutMs,
        )
      : undefined;
  const limits = { ...cached, ...fetched?.value };

  const instanceFacts = factsOf(members, instances);
  const checkFacts = factsOf(members, checks);
  const memberFacts = members.map((id): [typeof id, Fact<MemberFact>] => {
    const instance = instanceFacts.get(id) ?? absent;
    if (instance.kind !== 'known') return [id, instance];
    const typeLimits = limits[instance.value.instanceType];
    return [
      id,
      known({
        ...instance.value,
        checks: checkFacts.get(id) ?? absent,
        limits: typeLimits ? known(typeLimits) : unknown('the instance type could not be read'),
      }),
    ];
  });

  // Without alarms nothing was asked of CloudWatch: that must not age the observation.
  const reads = [interfaces, instances, checks, ...(arns.length > 0 ? [alarmFacts] : [])];
  const sentAtMs = reads.map((read) => ('answer' in read ? read.answer.sentAtMs : startedAtMs));
  return {
    atMs: Math.min(...sentAtMs),
    slow: reads.some((read) => ('answer' in read ? read.answer.slow : read.slow)),
    interfaces: factsOf(enis, interfaces),
    members: new Map(memberFacts),
    alarms: factsOf(arns, alarmFacts),
  };
}
