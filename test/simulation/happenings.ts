/** What befalls a world beside the calls themselves: an explicit list, so that a run can be replayed without any one of them. */

import { type Announcement, announcements, type Passage } from './monitoring.ts';
import type { Call, Injury, ServiceName } from './network.ts';
import { faultsFor } from './network.ts';
import { type Chance, makeChance } from './random.ts';
import type { ServicePlan, World, WorldPlan } from './world.ts';

type Timed<T> = T & { readonly atMs: number };

/** The call of functions/failover from which something begins. */
type Trigger = 'any' | 'claim' | 'detach' | 'attach';

export type Happening = Timed<
  | {
      readonly kind: 'impair';
      readonly instance: number;
      readonly check: 'system' | 'instance' | 'ebs';
      readonly forMs?: number;
    }
  | { readonly kind: 'no-data'; readonly instance: number; readonly forMs: number }
  | {
      readonly kind: 'stop' | 'terminate' | 'reboot';
      readonly instance: number;
      readonly startAfterMs?: number;
    }
  | { readonly kind: 'zone-failure'; readonly zone: 'a' | 'b'; readonly forMs: number }
  | { readonly kind: 'app-alarm'; readonly service: number; readonly forMs: number }
  | { readonly kind: 'not-ready'; readonly service: number; readonly member: number; readonly forMs: number }
  | { readonly kind: 'suppress'; readonly instance: number; readonly forMs: number }
  | { readonly kind: 'forged'; readonly instance: number; readonly event: 'alarm' | 'state-change' }
  | { readonly kind: 'person-detaches'; readonly service: number; readonly eni: number }
  | {
      readonly kind: 'person-moves';
      readonly service: number;
      readonly eni: number | 'all';
      readonly instance: number;
    }
  | { readonly kind: 'person-deletes'; readonly service: number; readonly eni: number }
  | {
      readonly kind: 'index-taken';
      readonly instance: number;
      readonly index: number;
      readonly forMs: number;
    }
  | { readonly kind: 'delete-on-termination'; readonly service: number; readonly eni: number }
  | { readonly kind: 'stuck'; readonly service: number; readonly eni: number; readonly forMs: number }
  | {
      readonly kind: 'pause' | 'pause-all';
      readonly service: number;
      readonly forMs: number;
      readonly resumes: boolean;
    }
  | { readonly kind: 'acknowledge'; readonly service: number }
  | { readonly kind: 'release-brake'; readonly zone: 'a' | 'b' }
  | { readonly kind: 'switchover' | 'failback'; readonly service: number; readonly member: number }
  | { readonly kind: 'edit'; readonly service: number; readonly confirm: string }
  | { readonly kind: 'duplicate-message' }
  | {
      readonly kind: 'events';
      readonly weather: 'lost' | 'twice' | 'late' | 'shuffled';
      readonly forMs: number;
    }
  | {
      readonly kind: 'outage';
      readonly of: ServiceName;
      readonly injury: Injury;
      readonly share: number;
      readonly forMs: number;
    }
  /** From a step of a failover on: the table away between two effects of EC2, the permission gone in the middle. */
  | {
      readonly kind: 'outage-at-step';
      readonly trigger: Trigger;
      readonly of: ServiceName;
      readonly injury: Injury;
      readonly forMs: number;
    }
  /** The member that a failover is moving to, at one of its steps. */
  | {
      readonly kind: 'target-dies';
      readonly trigger: Trigger;
      readonly skip: number;
      readonly how: 'impaired' | 'stopped' | 'terminated';
    }
  | { readonly kind: 'announced'; readonly instance: number; readonly what: Announcement }
  | { readonly kind: 'deploy' }
  /** At the first call that it can hit, once so many of functions/failover's calls (or of all) have gone by. */
  | {
      readonly kind: 'call';
      readonly trigger: Trigger;
      readonly skip: number;
      readonly times: number;
      readonly injury: Injury;
      readonly of?: ServiceName;
    }
>;

export interface RunPlan {
  readonly seed: number;
  readonly minutes: number;
  readonly world: WorldPlan;
  /** How far each clock may be from the true time, either way. */
  readonly skewMs?: number;
  readonly happenings: readonly Happening[];
}

// ── Drawing a plan ──────────────────────────────────────────────────────────────────────────────────────

/** Two clocks then differ by no more than the second that every lease allows for. */
export const marginMs = 500;
const second = 1_000;
const minute = 60 * second;

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
    return {
      name: `service-${index}`,
      indexes,
      members,
      ...(alarm !== 'none' && { alarm }),
      ready: chance.likely(0.25),
      policy: {
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
        trigger: chance.pick(['any', 'claim', 'claim', 'detach', 'attach']),
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
  happenings.sort((a, b) => a.atMs - b.atMs);
  const world: WorldPlan = { seed, zones, services, steady: false, sweeps: true };
  const skewMs = chance.likely(0.05) ? chance.pick([2_000, 5_000, 15_000]) : chance.pick([0, marginMs]);
  return { seed, minutes, world, skewMs, happenings };
}

const makePlanChance = (seed: number) => makeChance(seed).fork('plan');

// ── Carrying it out ─────────────────────────────────────────────────────────────────────────────────────

interface Pending {
  readonly from: number;
  readonly fault: Extract<Happening, { kind: 'call' }>;
  armed: boolean;
  skip: number;
  left: number;
}

/** The weather of one run: which calls are hurt and what becomes of events. */
export class Storm {
  readonly #chance: Chance;
  readonly #pending: Pending[] = [];
  #outages: { untilMs: number; of: ServiceName; injury: Injury; share: number }[] = [];
  #events: { untilMs: number; weather: 'lost' | 'twice' | 'late' | 'shuffled' } | undefined;
  #over = false;
  readonly #skewMs: number;
  #watches: { readonly trigger: Trigger; skip: number; isArmed: boolean; readonly run: Reaction }[] = [];

  constructor(plan: RunPlan) {
    this.#chance = makeChance(plan.seed).fork('storm');
    const isSkewed = this.#chance.likely(0.5);
    this.#skewMs = plan.skewMs ?? (isSkewed ? marginMs : 0);
  }

  readonly injure = (call: Call): Injury | undefined => {
    if (this.#over) return undefined;
    const nowMs = call.atMs;
    const isFailover = call.worker.name.startsWith('failover');
    if (isFailover && this.#watches.length > 0) this.#watch(call);
    let chosen: Injury | undefined;
    for (const each of this.#pending) {
      if (each.left <= 0 || nowMs < each.from) continue;
      if (!each.armed) each.armed = triggers[each.fault.trigger](call);
      if (!each.armed || chosen || (!isFailover && each.fault.trigger !== 'any')) continue;
      if (each.skip > 0) {
        each.skip -= 1;
        continue;
      }
      if (!faultsFor(call.service, call.operation).includes(each.fault.injury.kind)) continue;
      each.left -= 1;
      chosen = each.fault.injury;
    }
    if (chosen) return chosen;
    for (const outage of this.#outages)
      if (outage.of === call.service && nowMs < outage.untilMs && this.#chance() < outage.share) {
        const { kind } = outage.injury;
        const fits = faultsFor(call.service, call.operation).includes(kind);
        return fits ? outage.injury : kind === 'timeout-applied' ? { kind: 'timeout' } : undefined;
      }
    return undefined;
  };

  readonly passage = (_event: object, world: World): Passage => {
    const usualMs = this.#chance.between(200, 2_500);
    const now = world.loop.now();
    if (this.#over || !this.#events || now > this.#events.untilMs) return { copies: [{ afterMs: usualMs }] };
    switch (this.#events.weather) {
      case 'lost':
        world.count('event lost');
        return { copies: [] };
      case 'twice':
        world.count('event duplicated');
        return {
          copies: [{ afterMs: usualMs }, { afterMs: this.#chance.pick([usualMs + 500, 4_000, 30_000]) }],
        };
      case 'late':
        world.count('event delayed');
        return { copies: [{ afterMs: this.#chance.between(10_000, 400_000) }] };
      case 'shuffled':
        world.count('event reordered');
        return { copies: [{ afterMs: this.#chance.between(100, 20_000) }] };
    }
  };

  /** Each process by its name, always the same. */
  readonly skewMs = (worker: string): number => {
    if (this.#skewMs === 0 || worker.startsWith('register')) return 0;
    return makeChance(0).fork(worker).between(-this.#skewMs, this.#skewMs);
  };

  /** Runs once, `skip` calls of functions/failover after the trigger; again at the next one if it says not yet. */
  when(trigger: Trigger, skip: number, run: Reaction): void {
    this.#watches.push({ trigger, skip, isArmed: trigger === 'any', run });
  }

  #watch(call: Call): void {
    this.#watches = this.#watches.filter((each) => {
      each.isArmed ||= triggers[each.trigger](call);
      if (!each.isArmed) return true;
      if (each.skip > 0) {
        each.skip -= 1;
        return true;
      }
      return each.run(call) === 'not yet';
    });
  }

  add(happening: Extract<Happening, { kind: 'call' }>, from: number): void {
    const { skip, times } = happening;
    this.#pending.push({ from, fault: happening, armed: happening.trigger === 'any', skip, left: times });
  }

  addOutage(of: ServiceName, injury: Injury, share: number, untilMs: number): void {
    this.#outages = [...this.#outages.slice(-8), { untilMs, of, injury, share }];
  }

  setEvents(weather: 'lost' | 'twice' | 'late' | 'shuffled', untilMs: number): void {
    this.#events = { weather, untilMs };
  }

  calm(): void {
    this.#over = true;
  }

  begin(): void {
    this.#over = false;
  }
}

type Reaction = (call: Call) => 'done' | 'not yet';

const triggers: Readonly<Record<Trigger, (call: Call) => boolean>> = {
  any: () => true,
  claim: ({ input }) =>
    Boolean((input as { ConditionExpression?: string }).ConditionExpression?.includes('not_exists(#lease)')),
  detach: ({ operation }) => operation === 'DetachNetworkInterface',
  attach: ({ operation }) => operation === 'AttachNetworkInterface',
};

/** Sets the timers of every happening. */
export function schedule(world: World, storm: Storm, plan: RunPlan): void {
  for (const each of plan.happenings)
    world.loop.after(each.atMs, () => {
      world.count(`happening ${each.kind}`);
      world.log(() => `HAPPENS ${JSON.stringify(each)}`);
      happen(world, storm, plan, each);
    });
}

function happen(world: World, storm: Storm, plan: RunPlan, each: Happening): void {
  const { loop, model, monitoring } = world;
  const instanceAt = (index: number) => world.instances[index] ?? '';
  const later = (ms: number | undefined, run: () => void) => {
    if (ms !== undefined) loop.after(ms, run);
  };
  const alive = (id: string, act: () => void) => {
    try {
      act();
    } catch (error) {
      world.log(() => `nothing becomes of it: ${id} ${String(error)}`);
    }
  };
  switch (each.kind) {
    case 'impair': {
      const id = instanceAt(each.instance);
      alive(id, () => model.impair(id, each.check));
      later(each.forMs, () => alive(id, () => model.recover(id, each.check)));
      return;
    }
    case 'no-data': {
      const id = instanceAt(each.instance);
      alive(id, () => model.impair(id, 'instance', 'insufficient-data'));
      later(each.forMs, () => alive(id, () => model.recover(id, 'instance')));
      return;
    }
    case 'zone-failure': {
      const ids = world.instances.filter((_, index) => plan.world.zones[index] === each.zone);
      const holders = new Set(world.services.flatMap(({ name }) => world.checker.holders(name)));
      for (const id of ids) if (holders.has(id)) alive(id, () => model.impair(id, 'system'));
      later(each.forMs, () => {
        for (const id of ids) alive(id, () => model.recover(id, 'system'));
      });
      return;
    }
    case 'stop': {
      const InstanceIds = [instanceAt(each.instance)];
      world.asPerson('StopInstances', { InstanceIds });
      later(each.startAfterMs, () => world.asPerson('StartInstances', { InstanceIds }));
      return;
    }
    case 'terminate':
      world.asPerson('TerminateInstances', { InstanceIds: [instanceAt(each.instance)] });
      return;
    case 'reboot':
      world.asPerson('RebootInstances', { InstanceIds: [instanceAt(each.instance)] });
      return;
    case 'app-alarm': {
      const name = `app-${world.services[each.service]?.name}`;
      monitoring.setCustom(name, 'ALARM');
      later(each.forMs, () => monitoring.setCustom(name, 'OK'));
      return;
    }
    case 'not-ready': {
      const name = `ready-${world.services[each.service]?.name}-${instanceAt(each.member)}`;
      monitoring.setCustom(name, 'ALARM');
      later(each.forMs, () => monitoring.setCustom(name, 'OK'));
      return;
    }
    case 'suppress': {
      const name = `status-${instanceAt(each.instance)}`;
      monitoring.suppress(name, true);
      later(each.forMs, () => monitoring.suppress(name, false));
      return;
    }
    case 'forged':
      monitoring.forge(instanceAt(each.instance), each.event);
      return;
    case 'person-detaches': {
      const AttachmentId = world.attachmentOf(each.service, each.eni);
      if (AttachmentId) world.asPerson('DetachNetworkInterface', { AttachmentId, Force: true });
      return;
    }
    case 'person-moves': {
      const { plan: declared, enis = [] } = world.services[each.service] ?? {};
      enis.forEach((NetworkInterfaceId, index) => {
        if (each.eni !== 'all' && each.eni !== index) return;
        const AttachmentId = world.attachmentOf(each.service, index);
        if (AttachmentId) world.asPerson('DetachNetworkInterface', { AttachmentId, Force: true });
        const DeviceIndex = declared?.indexes[index] ?? 1;
        loop.after(8_000, () =>
          world.asPerson('AttachNetworkInterface', {
            NetworkInterfaceId,
            InstanceId: instanceAt(each.instance),
            DeviceIndex,
          }),
        );
      });
      return;
    }
    case 'person-deletes': {
      const NetworkInterfaceId = world.services[each.service]?.enis[each.eni] ?? '';
      const AttachmentId = world.attachmentOf(each.service, each.eni);
      if (AttachmentId) world.asPerson('DetachNetworkInterface', { AttachmentId, Force: true });
      loop.after(8_000, () => world.asPerson('DeleteNetworkInterface', { NetworkInterfaceId }));
      return;
    }
    case 'index-taken':
      world.takeIndex(each.instance, each.index, each.forMs);
      return;
    case 'delete-on-termination': {
      const NetworkInterfaceId = world.services[each.service]?.enis[each.eni] ?? '';
      const AttachmentId = world.attachmentOf(each.service, each.eni);
      if (AttachmentId)
        world.asPerson('ModifyNetworkInterfaceAttribute', {
          NetworkInterfaceId,
          Attachment: { AttachmentId, DeleteOnTermination: true },
        });
      return;
    }
    case 'stuck': {
      const id = world.services[each.service]?.enis[each.eni] ?? '';
      model.stick(id);
      later(each.forMs, () => alive(id, () => model.unstick(id)));
      return;
    }
    case 'pause':
    case 'pause-all': {
      const name = world.services[each.service]?.name;
      if (!name) return;
      if (each.kind === 'pause') world.pause(name, each.forMs);
      else world.pauseAll(each.forMs);
      if (each.resumes)
        loop.after(each.forMs / 2, () => (each.kind === 'pause' ? world.resume(name) : world.resumeAll()));
      return;
    }
    case 'acknowledge': {
      const name = world.services[each.service]?.name;
      if (name) world.acknowledge(name);
      return;
    }
    case 'release-brake':
      world.releaseBrake(`us-east-1${each.zone}`);
      return;
    case 'switchover':
    case 'failback': {
      const name = world.services[each.service]?.name;
      if (name)
        world.request(
          name,
          each.kind,
          each.kind === 'failback' ? 0 : each.member % (world.services[each.service]?.members.length ?? 1),
        );
      return;
    }
    case 'edit':
      world.edit(each.service, each.confirm);
      return;
    case 'duplicate-message':
      world.queue.duplicateNext();
      return;
    case 'events':
      storm.setEvents(each.weather, loop.now() + each.forMs);
      return;
    case 'outage':
      storm.addOutage(each.of, each.injury, each.share, loop.now() + each.forMs);
      return;
    case 'outage-at-step':
      storm.when(each.trigger, 0, () => {
        world.count(`step reached: ${each.kind} ${each.of} ${each.injury.kind}`);
        storm.addOutage(each.of, each.injury, 1, loop.now() + each.forMs);
        return 'done';
      });
      return;
    case 'target-dies':
      storm.when(each.trigger, each.skip, ({ worker }) => {
        const id = world.checker.targetOf(worker.name);
        if (!id) return 'not yet';
        world.count(`step reached: ${each.kind}`);
        world.log(() => `${id} is the target, and is ${each.how}`);
        // Not within the call that is being sent.
        loop.after(0, () => {
          if (each.how === 'impaired') alive(id, () => model.impair(id, 'system'));
          else if (each.how === 'stopped') world.asPerson('StopInstances', { InstanceIds: [id] });
          else world.asPerson('TerminateInstances', { InstanceIds: [id] });
        });
        return 'done';
      });
      return;
    case 'announced':
      monitoring.announce(instanceAt(each.instance), each.what);
      return;
    case 'deploy':
      world.deploy();
      return;
    case 'call':
      storm.add(each, loop.now());
      return;
  }
}
