/** Whether a member may take the interfaces, checked before anything is detached; each reason on its own. */
import { describe, expect, it } from 'vitest';
import { candidates, refusalsOf } from '../../shared/core/eligibility.ts';
import { known, unknown } from '../../shared/core/observation.ts';
import {
  describeMember,
  type MemberReasonCode,
  memberReasons,
  refusalKey,
} from '../../shared/core/reasons.ts';
import {
  a,
  admin,
  b,
  c,
  checks,
  data,
  foreign,
  limits,
  type MemberSketch,
  minute,
  now,
  type Sketch,
  titled,
  world,
} from './world.ts';

interface Case {
  readonly fact: string;
  readonly given: Sketch;
  readonly codes: readonly MemberReasonCode[];
}

const ask = (given: Sketch) => {
  const { service, observation, nowMs } = world(given);
  const member = service.declaration.members.find((each) => each.instance === b);
  if (!member) throw new Error('b is a member of every world here');
  return refusalsOf(service, observation, member, nowMs);
};

const detailOf = (given: Sketch) => ask(given).map(({ detail }) => detail);

const standby = (sketch: MemberSketch) => ({ members: { b: sketch } });
const at = (deviceIndex: number, networkCardIndex = 0) => ({ eni: foreign, deviceIndex, networkCardIndex });
const carrying = (more: Partial<typeof limits>, rest: MemberSketch = {}) =>
  standby({ limits: known({ ...limits, ...more }), ...rest });

const health: Case[] = [
  { fact: 'accepts a healthy standby', given: {}, codes: [] },
  { fact: 'refuses one that EC2 does not know', given: standby({ is: 'gone' }), codes: ['NO_SUCH_MEMBER'] },
  { fact: 'refuses one that could not be read', given: standby({ is: 'unread' }), codes: ['UNKNOWN_HEALTH'] },
  {
    fact: 'refuses one whose checks could not be read',
    given: standby({ is: 'checks-unread' }),
    codes: ['UNKNOWN_HEALTH'],
  },
  {
    fact: 'refuses one that is initializing',
    given: standby({ is: 'initializing' }),
    codes: ['UNKNOWN_HEALTH'],
  },
  {
    fact: 'refuses one with an impaired check',
    given: standby({ is: 'impaired' }),
    codes: ['CHECKS_FAILED'],
  },
  {
    fact: 'refuses one with an impaired EBS check',
    given: standby({ checks: known(checks({ ebs: 'impaired' })) }),
    codes: ['CHECKS_FAILED'],
  },
  {
    fact: 'accepts one to which the EBS check does not apply',
    given: standby({ checks: known(checks({ ebs: 'not-applicable' })) }),
    codes: [],
  },
  ...(['pending', 'stopping', 'stopped', 'shutting-down', 'terminated'] as const).map(
    (is): Case => ({ fact: `refuses one that is ${is}`, given: standby({ is }), codes: ['NOT_RUNNING'] }),
  ),
  { fact: 'refuses one without the tag', given: standby({ tagged: false }), codes: ['NOT_TAGGED'] },
  {
    fact: 'refuses one in another zone',
    given: standby({ availabilityZone: 'eu-central-1b' }),
    codes: ['WRONG_AZ'],
  },
  {
    fact: 'refuses one when only the last interface is in another zone',
    given: { admin: { availabilityZone: 'eu-central-1b' } },
    codes: ['WRONG_AZ'],
  },
];

const room: Case[] = [
  {
    fact: 'refuses one whose device index is taken',
    given: standby({ carries: [at(1)] }),
    codes: ['INDEX_TAKEN'],
  },
  {
    fact: 'names each index that is taken',
    given: carrying(
      { interfaces: 9, interfacesPerCard: [9] },
      { carries: [at(1), { ...at(2), eni: foreign }] },
    ),
    codes: ['INDEX_TAKEN', 'INDEX_TAKEN'],
  },
  { fact: 'accepts one with another index taken', given: standby({ carries: [at(3)] }), codes: [] },
  {
    fact: 'accepts one with the same index taken on another network card',
    given: standby({ carries: [at(1, 1)] }),
    codes: [],
  },
  {
    fact: "refuses one where the service's other interface sits at the index of this one",
    given: {
      on: { data: a, admin: 'nothing' },
      members: { b: { carries: [{ eni: admin, deviceIndex: 1, networkCardIndex: 0 }] } },
    },
    codes: ['INDEX_TAKEN'],
  },
  {
    fact: 'does not count an interface twice that is there already',
    given: { ...carrying({ interfaces: 3, interfacesPerCard: [3] }), on: { data: b, admin: a } },
    codes: [],
  },
  {
    fact: 'accepts one that has exactly the room',
    given: carrying({ interfaces: 3, interfacesPerCard: [3] }),
    codes: [],
  },
  { fact: 'refuses one interface too many', given: carrying({ interfaces: 2 }), codes: ['LIMIT_REACHED'] },
  {
    fact: 'counts what it carries already',
    given: carrying({ interfaces: 3, interfacesPerCard: [9] }, { carries: [at(3)] }),
    codes: ['LIMIT_REACHED'],
  },
  {
    fact: 'refuses one whose network card is full, though the instance is not',
    given: carrying({ interfacesPerCard: [2, 4] }),
    codes: ['LIMIT_REACHED'],
  },
  {
    fact: 'does not count the interfaces of another network card',
    given: carrying({ interfacesPerCard: [3, 1] }, { carries: [at(1, 1)] }),
    codes: [],
  },
  {
    fact: 'refuses one without the network card',
    given: carrying({ interfacesPerCard: [] }),
    codes: ['LIMIT_REACHED'],
  },
  {
    fact: 'accepts exactly as many IPv4 addresses as it carries',
    given: { data: { ipv4Count: 15 } },
    codes: [],
  },
  { fact: 'refuses one IPv4 address too many', given: { data: { ipv4Count: 16 } }, codes: ['LIMIT_REACHED'] },
  {
    fact: 'accepts exactly as many IPv6 addresses as it carries',
    given: { admin: { ipv6Count: 15 } },
    codes: [],
  },
  {
    fact: 'refuses one IPv6 address too many',
    given: { admin: { ipv6Count: 16 } },
    codes: ['LIMIT_REACHED'],
  },
  {
    fact: 'refuses one whose type is not known, rather than try',
    given: standby({ limits: unknown('DescribeInstanceTypes failed') }),
    codes: ['UNKNOWN_HEALTH'],
  },
];

const ready = { readyWhen: { b: ['lag'] } };
const readiness: Case[] = [
  { fact: 'accepts one whose readyWhen alarm is OK', given: { ...ready, alarms: { lag: 'OK' } }, codes: [] },
  ...(['ALARM', 'INSUFFICIENT_DATA', 'unread', 'gone'] as const).map(
    (said): Case => ({
      fact: `refuses one whose readyWhen alarm is ${said}`,
      given: { ...ready, alarms: { lag: said } },
      codes: ['NOT_READY'],
    }),
  ),
  { fact: 'refuses one whose readyWhen alarm was not looked at', given: ready, codes: ['NOT_READY'] },
  {
    fact: 'wants all readyWhen alarms OK',
    given: { readyWhen: { b: ['lag', 'replication'] }, alarms: { lag: 'OK', replication: 'ALARM' } },
    codes: ['NOT_READY'],
  },
  {
    fact: 'does not ask the readyWhen alarms of another member',
    given: { readyWhen: { c: ['lag'] }, alarms: { lag: 'ALARM' } },
    codes: [],
  },
];

const failedBefore = (healthySinceMs?: number) => ({
  state: {
    quarantine: {
      [b]: {
        sinceMs: now - 60 * minute,
        why: 'failed',
        ...(healthySinceMs !== undefined && { healthySinceMs }),
      },
    },
  },
});
const endsAt = (untilMs: number) => ({
  state: { quarantine: { [b]: { sinceMs: now - minute, why: 'refused', untilMs } } },
});
const mayEnd = { policy: { quarantine: 'until-healthy' } };
const quarantine: Case[] = [
  {
    fact: 'refuses one that failed before, however long it has been healthy',
    given: failedBefore(now - 59 * minute),
    codes: ['QUARANTINED'],
  },
  {
    fact: 'refuses one that has not been seen healthy, where quarantine ends by itself',
    given: { ...mayEnd, ...failedBefore() },
    codes: ['QUARANTINED'],
  },
  {
    fact: 'refuses one a millisecond before it has been healthy for long enough',
    given: { ...mayEnd, ...failedBefore(now - 10 * minute + 1) },
    codes: ['QUARANTINED'],
  },
  {
    fact: 'accepts one that has been healthy for exactly long enough',
    given: { ...mayEnd, ...failedBefore(now - 10 * minute) },
    codes: [],
  },
  {
    fact: "keeps to the service's own time",
    given: {
      policy: { quarantine: 'until-healthy', quarantineFor: '11m' },
      ...failedBefore(now - 10 * minute),
    },
    codes: ['QUARANTINED'],
  },
  {
    fact: 'ends by itself where readyWhen alarms vouch for the data',
    given: { ...ready, alarms: { lag: 'OK' }, ...failedBefore(now - 10 * minute) },
    codes: [],
  },
  {
    fact: 'does not end where they do not',
    given: { ...ready, alarms: { lag: 'ALARM' }, ...failedBefore(now - 10 * minute) },
    codes: ['NOT_READY'],
  },
  {
    fact: 'refuses one that refused the interfaces, until a millisecond before its quarantine ends',
    given: endsAt(now + 1),
    codes: ['QUARANTINED'],
  },
  {
    fact: 'accepts one that refused the interfaces from the moment its quarantine ends',
    given: endsAt(now),
    codes: [],
  },
  {
    fact: 'of another member does not matter',
    given: { state: { quarantine: { [c]: { sinceMs: now, why: 'failed' } } } },
    codes: [],
  },
];

const tables = { health, room, readiness, quarantine };
describe.each(Object.entries(tables))('eligibility by %s', (_, cases) => {
  it.each(titled(cases))('%s', (_title, { given, codes }) => {
    expect(ask(given).map((each) => each.code)).toEqual(codes);
  });
});

describe('the refusals', () => {
  it('name every reason at once, for the member they are about', () => {
    const given: Sketch = {
      ...standby({ is: 'stopped', tagged: false, availabilityZone: 'eu-central-1b', carries: [at(1)] }),
      ...failedBefore(),
      ...ready,
    };
    const refusals = ask(given);
    expect(refusals.map((each) => each.code)).toEqual([
      'NOT_RUNNING',
      'NOT_TAGGED',
      'WRONG_AZ',
      'QUARANTINED',
      'NOT_READY',
      'INDEX_TAKEN',
    ]);
    for (const each of refusals) {
      expect(each.member).toBe(b);
      expect(each.detail).not.toBe('');
      expect(describeMember(each)).toBe(`${b}: ${each.code} (${each.detail})`);
    }
  });
  it('are shown here for every reason a member can have', () => {
    const shown = Object.values(tables).flatMap((cases) => cases.flatMap((each) => each.codes));
    expect([...new Set(shown)].sort()).toEqual(Object.keys(memberReasons).sort());
  });
  it('say what a readyWhen alarm shows, or why nothing is known of it', () => {
    const shown = (said: 'ALARM' | 'gone' | 'unread') => detailOf({ ...ready, alarms: { lag: said } });
    expect(shown('ALARM')).toEqual(['lag is ALARM']);
    expect(shown('gone')).toEqual(['lag is not there']);
    expect(shown('unread')).toEqual(['lag is not known (DescribeAlarms was throttled)']);
  });
  it('are the same ones when code and members are the same, whatever the detail (P24)', () => {
    const key = (detail: string, code: MemberReasonCode = 'NOT_READY') =>
      refusalKey('NO_ELIGIBLE_STANDBY', [{ member: b, code, detail }]);
    expect(key('3 s behind')).toBe(key('4 s behind'));
    expect(key('')).not.toBe(key('', 'QUARANTINED'));
    expect(key('')).not.toBe(refusalKey('NO_ELIGIBLE_STANDBY', []));
  });
  it('are others when another request is refused', () => {
    const [none, one, other] = [undefined, 'r-1', 'r-2'].map((id) => refusalKey('PAUSED', [], id));
    expect(none).toBe('PAUSED');
    expect(one).not.toBe(none);
    expect(one).not.toBe(other);
  });
});

describe('room on network cards', () => {
  it('is counted for each card by itself, with what is coming to it', () => {
    const { service, observation, nowMs } = world(carrying({ interfacesPerCard: [2, 1] }));
    const [first, second] = service.declaration.interfaces;
    if (!first || !second) throw new Error('the service has two interfaces');
    const interfaces = [first, { ...second, networkCardIndex: 1 }];
    const spread = { ...service, declaration: { ...service.declaration, interfaces } };
    const member = service.declaration.members.find((each) => each.instance === b);
    if (!member) throw new Error('b is a member of every world here');
    expect(refusalsOf(spread, observation, member, nowMs)).toEqual([]);
  });
});

describe('candidates', () => {
  const split = (given: Sketch, without: readonly (typeof a)[]) => {
    const { service, observation, nowMs } = world(given);
    return candidates(service, observation, without, nowMs);
  };
  it('keep to the declared order of preference', () => {
    expect(split({}, []).eligible).toEqual([a, b, c]);
  });
  it('leave out those that are named, and say nothing of them', () => {
    expect(split({ members: { a: 'stopped' } }, [a])).toEqual({ eligible: [b, c], refused: [] });
  });
  it('split the rest into eligible and refused', () => {
    const { eligible, refused } = split({ members: { b: 'stopped' } }, [a]);
    expect(eligible).toEqual([c]);
    expect(refused).toEqual([{ member: b, code: 'NOT_RUNNING', detail: 'it is stopped' }]);
  });
  it('ignore an interface that could not be read: others refuse to act on it', () => {
    expect(split({ on: { data: 'unread', admin: a } }, [a]).eligible).toEqual([b, c]);
    expect(data).not.toBe(admin);
  });
});
