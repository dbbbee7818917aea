/** Drafts the declaration of a service from what EC2 says of its interfaces and instances. Reads only. */
import { messageOf } from '../core/errors.ts';
import type { EniId, InstanceId, ServiceName } from '../core/ids.ts';
import {
  absent,
  type Fact,
  type InterfaceFact,
  interfaceOf,
  known,
  memberOf,
  type Observation,
  unknown,
} from '../core/observation.ts';
import { toNewService } from './new-service.ts';
import { observe } from './observe.ts';
import type { PlacedInterface, Site, StatusAlarm } from './ports.ts';
import { check } from './register.ts';

export interface DraftRequest {
  readonly name: ServiceName;
  readonly interfaces: readonly EniId[];
  readonly members: readonly InstanceId[];
  /** Where the interfaces shall be when all is well; the holder unless told. */
  readonly preferred?: InstanceId;
}

export interface Draft {
  readonly name: ServiceName;
  readonly holder: InstanceId;
  readonly interfaces: readonly {
    readonly eni: EniId;
    readonly deviceIndex: number;
    readonly networkCardIndex: number;
    /** Undefined where it could not be read: nothing depends on it. */
    readonly placed: PlacedInterface | undefined;
  }[];
  /** In order of preference. */
  readonly members: readonly {
    readonly instance: InstanceId;
    readonly instanceType: string;
    readonly availabilityZone: string;
    readonly alarms: Fact<readonly StatusAlarm[]>;
  }[];
  /** What lacks the tag without which it may be neither registered nor moved. */
  readonly untagged: readonly (EniId | InstanceId)[];
  readonly warnings: readonly string[];
}

export type Drafted =
  | { readonly kind: 'drafted'; readonly draft: Draft }
  | { readonly kind: 'rejected'; readonly problems: readonly string[] };

type Declared = Pick<Draft, 'name'> & {
  readonly interfaces: readonly Omit<Draft['interfaces'][number], 'placed'>[];
  readonly members: readonly { readonly instance: InstanceId }[];
};

/** A tag is set by one command, and no mistake in what was named: what else is wrong is found as if it were there. */
function asIfTagged(observation: Observation): Observation {
  const tagged = <T extends { readonly tagged: boolean }>(fact: Fact<T>): Fact<T> =>
    fact.kind === 'known' ? known({ ...fact.value, tagged: true }) : fact;
  return {
    ...observation,
    interfaces: new Map([...observation.interfaces].map(([eni, fact]) => [eni, tagged(fact)])),
    members: new Map([...observation.members].map(([id, fact]) => [id, tagged(fact)])),
  };
}

const factOf = <K, V>(map: ReadonlyMap<K, V>, key: K): Fact<V> => {
  const value = map.get(key);
  return value === undefined ? absent : known(value);
};

/** Where each is attached now. One that is on nothing gets the first index that nobody has; registration will refuse it. */
function placesOf(enis: readonly EniId[], facts: ReadonlyMap<EniId, InterfaceFact>) {
  const taken = new Set([...facts.values()].map((each) => each.attachment?.deviceIndex));
  return enis.map((eni) => {
    const fact = factOf(facts, eni);
    const attachment = fact.kind === 'known' ? fact.value.attachment : undefined;
    let free = 1;
    while (taken.has(free)) free += 1;
    // The primary one is at 0: registration says what is wrong with it, and may not stumble over the index.
    const deviceIndex = Math.max(1, attachment?.deviceIndex ?? free);
    taken.add(deviceIndex);
    return { eni, deviceIndex, networkCardIndex: attachment?.networkCardIndex ?? 0 };
  });
}

async function read<T>(reading: Promise<T>): Promise<Fact<T>> {
  try {
    return known(await reading);
  } catch (error) {
    return unknown(messageOf(error));
  }
}

/** Throws {@link PortError} when EC2 cannot be asked at all; what is wrong with what was named is an answer. */
export async function draftDeclaration(site: Site, request: DraftRequest): Promise<Drafted> {
  const { name, interfaces: enis, members } = request;
  const [{ value: facts }, network, statusAlarms] = await Promise.all([
    site.ec2.interfaces(enis),
    read(site.environment.network(enis, [])),
    read(site.environment.statusAlarms()),
  ]);
  const declaredAs = (ordered: readonly InstanceId[]): Declared => ({
    name,
    interfaces: placesOf(enis, facts),
    members: ordered.map((instance) => ({ instance })),
  });
  const made = toNewService(declaredAs(members));
  if (made.kind === 'invalid') return { kind: 'rejected', problems: made.problems };

  const { service } = made;
  const observation = await observe(site, service);
  const seen = asIfTagged(observation);
  const { problems, holder } = check(service, seen, site.clock.now());
  if (problems.length > 0 || !holder) return { kind: 'rejected', problems };

  const first = request.preferred ?? holder;
  const ordered = [first, ...members.filter((id) => id !== first)];
  // Once more in this order: the warnings name members by their place in the list.
  const inOrder = toNewService(declaredAs(ordered));
  const warnings = inOrder.kind === 'invalid' ? [] : check(inOrder.service, seen, site.clock.now()).warnings;
  const untagged = [
    ...enis.filter((eni) => {
      const fact = interfaceOf(observation, eni);
      return fact.kind === 'known' && !fact.value.tagged;
    }),
    ...ordered.filter((id) => {
      const fact = memberOf(observation, id);
      return fact.kind === 'known' && !fact.value.tagged;
    }),
  ];
  const placed = network.kind === 'known' ? network.value : [];
  return {
    kind: 'drafted',
    draft: {
      name,
      holder,
      interfaces: declaredAs(ordered).interfaces.map((each) => ({
        ...each,
        placed: placed.find(({ eni }) => eni === each.eni),
      })),
      members: ordered.map((instance) => {
        const fact = memberOf(observation, instance);
        return {
          instance,
          instanceType: fact.kind === 'known' ? fact.value.instanceType : '',
          availabilityZone: fact.kind === 'known' ? fact.value.availabilityZone : '',
          alarms:
            statusAlarms.kind === 'known'
              ? known(statusAlarms.value.filter((alarm) => alarm.instanceIds.includes(instance)))
              : statusAlarms,
        };
      }),
      untagged,
      warnings,
    },
  };
}
