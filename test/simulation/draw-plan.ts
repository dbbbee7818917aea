/** A run drawn from its seed: the services, what befalls them and when. */

import type { HookPlan } from './applications.ts';
import { type Happening, marginMs, type RunPlan } from './happenings.ts';
import { announcements } from './monitoring.ts';
import type { Injury } from './network.ts';
import { type Chance, makeChance } from './random.ts';
import type { ServicePlan, WorldPlan } from './world.ts';

const second = 1_000;
const minute = 60 * second;

/** Deadlines are short beside production's: what they end is the same, and twenty minutes hold more of it. */
const deadlines = ['5s', '10s', '20s', '40s'] as const;

function drawHook(chance: Chance, side: 'before' | 'after'): HookPlan {
  const on = chance.pick(['source', 'target', 'target', 'function'] as const);
  const undo = side === 'before' && chance.likely(0.6) && { undo: chance.pick([on, 'function'] as const) };
  return {
    on: side === 'after' && on === 'source' ? 'target' : on,
    deadline: chance.pick(deadlines),
    onFailure: chance.pick(side === 'before' ? ['page', 'proceed', 'back', 'back'] : ['page', 'proceed']),
    tookMs: chance.pick([100, 1_000, 4_000]),
    ...undo,
    ...(chance.likely(0.3) && { pends: true }),
  };
}

/** Most services declare nothing of it: it is theirs to cost nothing. */
function drawAround(chance: Chance): Pick<ServicePlan, 'around' | 'policy'> {
  if (!chance.likely(0.3)) return {};
  const hooks = (side: 'before' | 'after', most: number) =>
    Array.from({ length: chance.between(0, most) }, () => drawHook(chance, side));
  const serving = chance.pick(['none', 'alarm', 'target', 'function'] as const);
  return {
    around: {
      before: hooks('before', 2),
      after: hooks('after', 2),
      ...(serving !== 'none' && { serving: { by: serving, within: chance.pick(['20s', '1m']) } }),
    },
    policy: {
      ...(chance.likely(0.5) && {
        fence: 'stop',
        fenceTimeout: chance.pick(['5s', '30s', '1m']),
        onFenceTimeout: chance.pick(['page', 'proceed']),
      }),
      ...(chance.likely(0.6) && {
        onSpotInterruption: 'switchover',
        onRebalance: 'switchover',
        onRetirement: 'switchover',
      }),
    },
  };
}

function drawServices(chance: Chance, zones: readonly ('a' | 'b')[]): ServicePlan[] {
  const crowd = chance.likely(0.2);
  const count = crowd ? chance.between(6, 8) : chance.between(1, 4);
  const used = new Map<number, Set<number>>();
  return Array.from({ length: count }, (_, index) => {
    const zone = crowd ? 'a' : chance.pick(zones);
    const pool = zones.flatMap((each, at) => (each === zone ? [at] : []));
    const members: number[] = [];
    const wanted = chance.between(2, Math.min(4, pool.length));
    while (members.length < wanted) {
      const next = chance.pick(pool);
      if (!members.includes(next)) members.push(next);
    }
    const holder = members[0] ?? 0;
    const taken = used.get(holder) ?? new Set();
    used.set(holder, taken);
    // Only what the holder has now must not collide: elsewhere two services may well meet at one index.
    const free = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12].filter((each) => !taken.has(each));
    // No more than the instance type carries, with what may come from elsewhere.
    const size = taken.size >= 3 ? 1 : chance.pick([1, 1, 2, 2, 3]);
    const indexes: number[] = [];
    while (indexes.length < size) {
      const next = chance.pick(free);
      if (!indexes.includes(next)) indexes.push(next);
    }
    for (const each of indexes) taken.add(each);
    const alarm = chance.pick(['none', 'none', 'free', 'bound'] as const);
    const { around, policy } = drawAround(chance.fork(`around ${index}`));
    return {
      name: `service-${index}`,
      indexes,
      members,
      ...(alarm !== 'none' && { alarm }),
      ready: chance.likely(0.25),
      ...(around && { around }),
      policy: {
        ...policy,
        ...(chance.likely(0.05) && { mode: 'observe' }),
        ...(chance.likely(0.3) && { quarantine: 'until-healthy', quarantineFor: '2m' }),
        ...(chance.likely(0.3) && { confirm: '1m' }),
        budgetPerHour: chance.pick([3, 3, 3, 1, 10]),
      },
    };
  });
}

const callKinds: readonly Injury['kind'][] = [
  'crash-before',
  'crash-before',
  'crash-after',
  'crash-after',
  'throttled',
  'timeout',
  'timeout-applied',
  'timeout-applied',
  'applied-late',
  'applied-late',
  'stale',
  'stale',
  'denied',
  'refused',
  'refused',
  'freeze',
  'conflict',
  'slow',
];

function drawInjury(chance: Chance): Injury {
  const kind = chance.pick(callKinds);
  if (kind === 'applied-late') return { kind, ms: chance.pick([200, 1_000, 4_000, 9_000, 25_000]) };
  if (kind === 'stale') return { kind, ms: chance.between(500, 5_000) };
  if (kind === 'freeze') return { kind, ms: chance.pick([500, 4_000, 12_000, 20_000, 40_000]) };
  if (kind === 'slow') return { kind, ms: chance.between(1_000, 2_900) };
  return { kind };
}

const moreTriggers = ['any', 'claim', 'fence', 'fence', 'hook', 'hook', 'detach', 'attach'] as const;

/** What operators do beside moving and pausing, at any moment of the storm. */
function drawDeeds(chance: Chance, services: number, stormMs: number): Happening[] {
  if (!chance.likely(0.4)) return [];
  return Array.from({ length: chance.between(1, 3) }, (): Happening => {
    const atMs = chance.between(0, stormMs);
    const service = chance.between(0, services - 1);
    const kind = chance.pick(['ask', 'adopt', 'observe', 'unregister'] as const);
    if (kind === 'ask') return { atMs, kind, service, member: chance.between(0, 2) };
    return kind === 'adopt'
      ? { atMs, kind, service }
      : { atMs, kind, service, forMs: chance.between(10 * second, 4 * minute) };
  });
}

/** Around the failures, what can go wrong with fences, hooks and what they speak to. */
function drawTroubles(
  chance: Chance,
  services: readonly ServicePlan[],
  known: readonly Happening[],
  withHooks: readonly number[],
): Happening[] {
  const failedAtMs = known.flatMap(({ atMs, kind }) =>
    kind === 'impair' || kind === 'stop' || kind === 'app-alarm' || kind === 'switchover' ? [atMs] : [],
  );
  return failedAtMs.flatMap((failureMs): Happening[] => {
    if (!chance.likely(0.5)) return [];
    const service = chance.pick(withHooks);
    const { members = [] } = services[service] ?? {};
    const [holder = 0] = members;
    const atMs = failureMs + chance.between(0, 20_000);
    const forMs = chance.between(10 * second, 3 * minute);
    const trigger = chance.pick(['fence', 'hook', 'hook', 'attach'] as const);
    const skip = chance.between(0, 3);
    const draw: (() => Happening[])[] = [
      () => [{ atMs, kind: 'mood', service, mood: chance.pick(['hangs', 'fails', 'long', 'dark']), forMs }],
      () => [{ atMs, kind: 'mood', service, mood: chance.pick(['hangs', 'fails', 'long', 'dark']), forMs }],
      () => [
        { atMs: failureMs, kind: chance.pick(['stuck-stopping', 'stop-protected']), instance: holder, forMs },
        { atMs: failureMs + 1_000, kind: 'impair', instance: holder, check: 'system' },
      ],
      () => [{ atMs, kind: 'readiness-flips', trigger, skip, forMs }],
      () => [
        { atMs, kind: 'target-dies', trigger, skip, how: chance.pick(['impaired', 'stopped', 'terminated']) },
      ],
      () => [
        {
          atMs,
          kind: 'announced',
          instance: holder,
          what: chance.pick(announcements),
          ...(chance.likely(0.5) && { lostAfterMs: 2 * minute }),
        },
      ],
      () => [{ atMs, kind: 'switchover', service, member: chance.between(0, 2) }],
    ];
    return chance.pick(draw)();
  });
}

/** Before anybody, or a service by itself, goes back to the preferred member. */
const failbackAfterMs = 10 * minute;

/**
 * In some worlds services go back by themselves. That takes ten minutes and more of quiet, so their storm gathers
 * where the return is due.
 */
function drawReturn(
  chance: Chance,
  given: readonly ServicePlan[],
  storm: readonly Happening[],
  stormMs: number,
): { readonly services: readonly ServicePlan[]; readonly happenings: readonly Happening[] } {
  const isTooShort = stormMs < failbackAfterMs + 3 * minute;
  if (isTooShort || !chance.likely(0.2)) return { services: given, happenings: storm };
  const service = chance.between(0, given.length - 1);
  const isAlarmed = chance.likely(0.4);
  const services = given.map((each, index) => {
    const returns = index === service || chance.likely(0.5);
    if (!returns) return each;
    const alarm = index === service && isAlarmed && { alarm: 'bound' as const };
    return { ...each, ...alarm, policy: { ...each.policy, failback: { after: '10m' } } };
  });
  const [preferred = 0] = given[service]?.members ?? [];
  const failureMs = chance.between(1 * second, 20 * second);
  // Whoever is stopped is left at once; an alarm takes its minute or two.
  const isStopped = chance.likely(0.7);
  const forMs = isStopped ? chance.between(20 * second, 40 * second) : chance.between(100_000, 130_000);
  const known: Happening[] = [
    isAlarmed && chance.likely(0.5)
      ? { atMs: failureMs, kind: 'app-alarm', service, forMs: chance.between(30 * second, 15 * minute) }
      : isStopped
        ? { atMs: failureMs, kind: 'stop', instance: preferred, startAfterMs: forMs }
        : { atMs: failureMs, kind: 'impair', instance: preferred, check: 'system', forMs },
  ];
  const wellMs = failureMs + forMs + chance.between(10 * second, 30 * second);
  if (chance.likely(0.85)) known.push({ atMs: wellMs, kind: 'acknowledge', service });
  // Due within the minute after this; half a minute sooner is soon enough for whatever shall meet it.
  const dueMs = wellMs + failbackAfterMs;
  const fromMs = Math.min(dueMs - 30 * second, stormMs - minute);
  const isQuiet = chance.likely(0.4);
  for (const each of storm) {
    const atMs = fromMs + Math.floor((each.atMs * (stormMs - fromMs)) / stormMs);
    if (!isQuiet || chance.likely(0.2)) known.push({ ...each, atMs });
  }
  const meanwhile = () => chance.between(wellMs, Math.floor(stormMs));
  const around = () => chance.between(fromMs, Math.floor(stormMs));
  const forShortMs = chance.between(10 * second, 2 * minute);
  const draw: (() => Happening)[] = [
    ...(['refused', 'crash-after', 'timeout-applied'] as const).map((kind) => (): Happening => {
      const trigger = chance.pick(['claim', 'detach', 'attach'] as const);
      const injury = { kind } as const;
      return { atMs: fromMs, kind: 'call', trigger, skip: 0, times: chance.pick([1, 5]), injury };
    }),
    () => ({ atMs: meanwhile(), kind: 'app-alarm', service, forMs: forShortMs }),
    () => ({ atMs: meanwhile(), kind: 'pause', service, forMs: 2 * forShortMs, resumes: chance.likely(0.5) }),
    () => ({ atMs: meanwhile(), kind: 'observe', service, forMs: forShortMs }),
    () => ({ atMs: meanwhile(), kind: 'impair', instance: preferred, check: 'instance', forMs: forShortMs }),
    () => ({ atMs: around(), kind: 'impair', instance: preferred, check: 'system' }),
    () => ({ atMs: around(), kind: 'acknowledge', service }),
    () => ({ atMs: meanwhile(), kind: 'switchover', service, member: chance.between(0, 2) }),
    () => ({
      atMs: fromMs,
      kind: 'target-dies',
      trigger: 'claim',
      skip: chance.between(1, 8),
      how: 'impaired',
    }),
  ];
  // Somebody moves it on, and it stays there; or is at work on it, and the time counts anew. Either can be seen yet.
  const elsewhere = given[service]?.members.at(-1) ?? preferred;
  const movedMs = wellMs + chance.between(20 * second, 60 * second);
  const pausedForMs = chance.between(4 * minute, 6 * minute);
  if (chance.likely(0.4))
    known.push(
      ...chance.pick<Happening[]>([
        [{ atMs: movedMs, kind: 'switchover', service, member: 2 }],
        [{ atMs: movedMs + minute, kind: 'pause', service, forMs: pausedForMs, resumes: false }],
        [
          { atMs: movedMs, kind: 'person-moves', service, eni: 'all', instance: elsewhere },
          { atMs: movedMs + chance.between(15 * second, minute), kind: 'adopt', service },
        ],
      ]),
    );
  for (let more = chance.between(0, 2); more > 0; more -= 1) known.push(chance.pick(draw)());
  return { services, happenings: known };
}

/** A person takes all interfaces somewhere else, and tells the controller that it is meant so. */
function drawByHand(chance: Chance, services: readonly ServicePlan[], stormMs: number): Happening[] {
  if (stormMs < 3 * minute || !chance.likely(0.12)) return [];
  const service = chance.between(0, services.length - 1);
  const { members = [] } = services[service] ?? {};
  const atMs = chance.between(1, Math.floor(stormMs) - 2 * minute);
  const adoptedMs = atMs + chance.between(10 * second, 100 * second);
  return [
    { atMs, kind: 'person-moves', service, eni: 'all', instance: chance.pick(members) },
    { atMs: adoptedMs, kind: 'adopt', service },
    ...(chance.likely(0.3)
      ? [{ atMs: adoptedMs + chance.between(1, 20_000), kind: 'adopt', service } as const]
      : []),
  ];
}

export function drawPlan(seed: number, minutes: number): RunPlan {
  const chance = makePlanChance(seed);
  const zones = Array.from({ length: chance.between(3, 8) }, (_, index) =>
    index < 3 || chance.likely(0.7) ? 'a' : 'b',
  ) as ('a' | 'b')[];
  // A zone needs at least two, or its services have no standby ever.
  if (zones.filter((each) => each === 'b').length === 1) zones.push('b');
  const services = drawServices(chance, zones);
  const stormMs = minutes * minute * 0.7;
  const when = () => chance.between(1, Math.floor(stormMs));
  const happenings: Happening[] = [];
  const service = () => chance.between(0, services.length - 1);
  const memberOf = (index: number) => chance.pick(services[index]?.members ?? [0]);
  const holderOf = (index: number) => services[index]?.members[0] ?? 0;
  const eniOf = (index: number) => chance.between(0, (services[index]?.indexes.length ?? 1) - 1);

  const withHooks = services.flatMap(({ around }, index) => (around ? [index] : []));
  const triggers =
    withHooks.length > 0 ? moreTriggers : (['any', 'claim', 'claim', 'detach', 'attach'] as const);
  const failures = Math.round((minutes / 20) * chance.between(1, 5));
  for (let index = 0; index < failures; index += 1) {
    const atMs = when();
    const chosen = service();
    const instance = chance.likely(0.6) ? holderOf(chosen) : memberOf(chosen);
    const kind = chance.pick([
      'impair',
      'impair',
      'impair',
      'stop',
      'terminate',
      'app-alarm',
      'reboot',
    ] as const);
    if (kind === 'impair') {
      const check = chance.pick(['system', 'instance', 'ebs'] as const);
      const forMs = chance.likely(0.6) ? chance.between(5 * second, 6 * minute) : undefined;
      happenings.push({ atMs, kind, instance, check, ...(forMs && { forMs }) });
      // Repaired, looked at by somebody, and taken back.
      const backMs = atMs + (forMs ?? 0) + minute;
      if (forMs && backMs < stormMs && chance.likely(0.15)) {
        happenings.push({ atMs: backMs, kind: 'acknowledge', service: chosen });
        happenings.push({ atMs: backMs + minute, kind: 'failback', service: chosen, member: 0 });
      }
    } else if (kind === 'app-alarm')
      happenings.push({ atMs, kind, service: chosen, forMs: chance.between(5 * second, 10 * minute) });
    else
      happenings.push({
        atMs,
        kind,
        instance,
        ...(kind === 'stop' &&
          chance.likely(0.6) && { startAfterMs: chance.between(20 * second, 5 * minute) }),
      });
    // Most faults lie near a failure: that is where they can hurt.
    const faults = chance.between(0, 4);
    for (let more = 0; more < faults; more += 1)
      happenings.push({
        atMs,
        kind: 'call',
        trigger: chance.pick(triggers),
        skip: chance.between(0, 12),
        times: chance.pick([1, 1, 1, 2, 4, 5]),
        injury: drawInjury(chance),
      });
    const steps = ['claim', 'detach', 'attach'] as const;
    if (chance.likely(0.2))
      happenings.push({
        atMs,
        kind: 'outage-at-step',
        trigger: chance.pick(steps),
        ...chance.pick([
          { of: 'dynamodb', injury: { kind: 'timeout' } },
          { of: 'dynamodb', injury: { kind: 'timeout-applied' } },
          { of: 'dynamodb', injury: { kind: 'throttled' } },
          { of: 'ec2', injury: { kind: 'denied' } },
          { of: 'ec2', injury: { kind: 'throttled' } },
        ] as const),
        forMs: chance.pick([1_500, 4_000, 12_000, 30_000, 90_000]),
      });
    if (chance.likely(0.2))
      happenings.push({
        atMs,
        kind: 'target-dies',
        trigger: chance.pick(steps),
        skip: chance.between(1, 8),
        how: chance.pick(['impaired', 'stopped', 'terminated']),
      });
  }
  const crowded = services.length >= 6;
  if (crowded && chance.likely(0.6))
    happenings.push({
      atMs: when(),
      kind: 'zone-failure',
      zone: 'a',
      forMs: chance.between(minute, 8 * minute),
    });

  const extras = Math.round((minutes / 20) * chance.between(0, 8));
  for (let index = 0; index < extras; index += 1) {
    const atMs = when();
    const chosen = service();
    const forMs = chance.between(5 * second, 4 * minute);
    const eni = eniOf(chosen);
    const draw: (() => Happening)[] = [
      () => ({ atMs, kind: 'no-data', instance: memberOf(chosen), forMs }),
      () => ({ atMs, kind: 'not-ready', service: chosen, member: memberOf(chosen), forMs }),
      () => ({ atMs, kind: 'suppress', instance: memberOf(chosen), forMs }),
      () => ({
        atMs,
        kind: 'forged',
        instance: holderOf(chosen),
        event: chance.pick(['alarm', 'state-change']),
      }),
      () => ({ atMs, kind: 'person-detaches', service: chosen, eni }),
      () => ({
        atMs,
        kind: 'person-moves',
        service: chosen,
        eni: chance.likely(0.6) ? 'all' : eni,
        instance: chance.likely(0.8) ? memberOf(chosen) : chance.between(0, zones.length - 1),
      }),
      () =>
        chance.likely(0.2)
          ? { atMs, kind: 'person-deletes', service: chosen, eni }
          : { atMs, kind: 'delete-on-termination', service: chosen, eni },
      () => ({ atMs, kind: 'index-taken', instance: memberOf(chosen), index: chance.between(1, 4), forMs }),
      () => ({ atMs, kind: 'delete-on-termination', service: chosen, eni }),
      () => ({ atMs, kind: 'stuck', service: chosen, eni, forMs }),
      () => ({
        atMs,
        kind: chance.likely(0.8) ? 'pause' : 'pause-all',
        service: chosen,
        forMs: chance.between(30 * second, 10 * minute),
        resumes: chance.likely(0.5),
      }),
      () => ({ atMs, kind: 'acknowledge', service: chosen }),
      () => ({ atMs, kind: 'release-brake', zone: 'a' }),
      () => ({
        atMs,
        kind: chance.pick(['switchover', 'switchover', 'failback']),
        service: chosen,
        member: chance.between(0, 2),
      }),
      () => ({
        atMs,
        kind: chance.pick(['switchover', 'switchover', 'failback']),
        service: chosen,
        member: chance.between(0, 2),
      }),
      () => ({ atMs, kind: 'edit', service: chosen, confirm: chance.pick(['2m', '4m']) }),
      () => ({ atMs, kind: 'duplicate-message' }),
      () => ({ atMs, kind: 'deploy' }),
      () => ({
        atMs,
        kind: 'announced',
        instance: memberOf(chosen),
        what: chance.pick(announcements),
      }),
      () => ({
        atMs,
        kind: 'events',
        weather: chance.pick(['lost', 'twice', 'late', 'shuffled']),
        forMs: 3 * forMs,
      }),
      () => ({
        atMs,
        kind: 'outage',
        of: chance.pick(['dynamodb', 'dynamodb', 'ec2', 'ec2', 'sqs', 'sns', 'cloudwatch']),
        injury: { kind: chance.pick(['throttled', 'timeout', 'timeout-applied', 'denied', 'slow']) },
        share: chance.pick([0.3, 0.7, 1]),
        forMs: chance.between(2 * second, 90 * second),
      }),
      () => ({
        atMs,
        kind: 'call',
        trigger: 'any',
        skip: chance.between(0, 30),
        times: chance.between(1, 5),
        injury: drawInjury(chance),
      }),
    ];
    happenings.push(chance.pick(draw)());
  }
  // A new version comes when it comes: in the middle of a failure too.
  if (chance.likely(0.2))
    happenings.push({ atMs: (happenings[0]?.atMs ?? 0) + chance.between(0, 30_000), kind: 'deploy' });
  if (withHooks.length > 0)
    happenings.push(...drawTroubles(chance.fork('troubles'), services, happenings, withHooks));
  happenings.push(...drawDeeds(chance.fork('deeds'), services.length, 0.7 * minutes * minute));
  happenings.push(...drawByHand(chance.fork('by hand'), services, stormMs));
  const drawn = drawReturn(chance.fork('return'), services, happenings, stormMs);
  const world: WorldPlan = { seed, zones, services: drawn.services, steady: false, sweeps: true };
  const skewMs = chance.likely(0.05) ? chance.pick([2_000, 5_000, 15_000]) : chance.pick([0, marginMs]);
  const inOrder = drawn.happenings.toSorted((a, b) => a.atMs - b.atMs);
  return { seed, minutes, world, skewMs, happenings: inOrder };
}

const makePlanChance = (seed: number) => makeChance(seed).fork('plan');
