/**
 * The look at every service each minute: it reads EC2, enqueues what should be looked at, asks for the failbacks that
 * services declare, and never moves anything.
 */
import { decide } from '../core/decide.ts';
import type { Decision } from '../core/decision.ts';
import { messageOf } from '../core/errors.ts';
import { againstFailback, awaitsFailback, isFailbackDue } from '../core/failback.ts';
import type { Hint } from '../core/hint.ts';
import type { InstanceId, ServiceName } from '../core/ids.ts';
import type { InterfaceFact, TypeLimits } from '../core/observation.ts';
import { refusalKey } from '../core/reasons.ts';
import {
  type ControllerState,
  interfacesOf,
  isLeaseFree,
  needsAttention,
  type Pause,
  type Service,
} from '../core/state.ts';
import { times } from '../core/times.ts';
import { whereabouts } from '../core/whereabouts.ts';
import { deliverLeftovers } from './deliver.ts';
import { inTime } from './in-time.ts';
import { observe } from './observe.ts';
import { isPastExpiry, tellPauseEnded, tendController } from './pause-ended.ts';
import type { Clock, Fleet, Ports, RedAlarm } from './ports.ts';
import { readinessOf, tellReadiness, tend } from './readiness.ts';
import { readService } from './record.ts';
import { failbackByItself } from './request.ts';

/** What a warm process remembers between sweeps. Losing it costs one read of each item, nothing else. */
export interface SweepMemory {
  /** Each service as it was read last; old by a few minutes at most, so it only says whom to suspect. */
  readonly services: Map<ServiceName, Service>;
  /** Those of which the memory may be wrong: a look at them failed. Their items are read anew. */
  readonly doubted: Set<ServiceName>;
  /** When the last whole look began, whatever became of it: one that always fails holds up nobody's turn. */
  readonly lookedAtMs: Map<ServiceName, number>;
  /** Those that seemed not ready when not everything could be read: told if the next look finds the same. */
  readonly uncertain: Set<ServiceName>;
  /** The ends of the controller's pauses of which people were told. */
  readonly pausesToldUntilMs: Set<number>;
  /** Limits of the fleet's instance types, and when EC2 was asked; undefined where it knows no such type. */
  readonly limits: Map<string, { readonly askedAtMs: number; readonly limits: TypeLimits | undefined }>;
}

export const emptyMemory = (): SweepMemory => ({
  services: new Map(),
  doubted: new Set(),
  lookedAtMs: new Map(),
  uncertain: new Set(),
  pausesToldUntilMs: new Set(),
  limits: new Map(),
});

export interface SweepReport {
  readonly services: number;
  readonly ready: number;
  readonly notReady: Readonly<Record<string, string>>;
  readonly noStandbyLeft: number;
  readonly openEpisodes: number;
  readonly oldestEpisodeMs: number;
  /** The age of the oldest notice that has not been published for certain, in any outbox. */
  readonly oldestNoticeMs: number;
  readonly stranded: number;
  readonly pausedPastExpiry: number;
  readonly lookedAt: number;
  readonly enqueued: number;
  /** What could not be looked at, by name: one broken service never stops the others. */
  readonly failed: readonly string[];
  /** Items to read and looks to take that the time did not suffice for: the next sweep's. */
  readonly carriedOver: number;
  /** Pages that could not be read: they suspect nobody. */
  readonly unread: readonly string[];
  readonly canary: 'sent' | 'not due' | 'failed';
}

/** One look at the whole fleet; undefined is what could not be read, and suspects nobody. */
export interface Snapshot {
  readonly interfaces: ReadonlyMap<InterfaceFact['eni'], InterfaceFact> | undefined;
  readonly troubled: ReadonlySet<InstanceId> | undefined;
  readonly red: readonly RedAlarm[] | undefined;
  readonly attention: ReadonlySet<ServiceName>;
  /** The pause of everything, if there is one. */
  readonly pause?: Pause | undefined;
}

/**
 * In so many sweeps every service gets a whole look, suspected or not: each sweep takes this part of them, those
 * first whose last look is oldest. Ten, because at a thousand services that is a hundred looks, which is one full
 * bucket of each of EC2's Describe calls; and because what only a whole look finds (a tag lost, a device index
 * taken, a type too small) takes away a standby, not the service.
 */
const wholeLookEveryMinutes = 10;
const atOnce = 8;
const canaryEveryMinutes = 60;
/** The sweep ends this long before it would be stopped: time to tell what it found. */
const endsBeforeDeadlineMs = 5_000;
/** Pages that take longer suspect nobody: the looks that the table asks for need the rest of the time. */
const pagesTimeoutMs = 15_000;
/** EC2 changes what a type carries once in years. */
const limitsEveryMs = 24 * 3_600_000;

export interface Suspicion {
  readonly why: string;
  /** Something happened. Otherwise it is as it was in the last sweeps, and can wait behind what happened. */
  readonly isUrgent: boolean;
}

const urgent = (why: string): Suspicion => ({ why, isUrgent: true });
const standing = (why: string): Suspicion => ({ why, isUrgent: false });

/** Why a service deserves a look of its own, from its item and the pages alone; undefined: nothing is suspected. */
export function suspicion(service: Service, snapshot: Snapshot, nowMs: number): Suspicion | undefined {
  const { interfaces, troubled, red = [], attention } = snapshot;
  if (attention.has(service.name) || needsAttention(service)) return urgent('something of it is unfinished');
  if (service.tombstone) return undefined;
  const { members } = service.declaration;
  const sick = members.find((each) => troubled?.has(each.instance));
  if (sick) return urgent(`${sick.instance} is not well`);
  const alarm = alarmFor(service, service.lastSeen?.holder, red);
  if (alarm) return urgent(`alarm ${alarm.arn} is red`);
  const strayed = interfaces && strayedIn(service, interfaces);
  if (strayed) return urgent(strayed);
  const readiness = members.flatMap((each) => each.readyWhen);
  if (red.some((each) => readiness.includes(each.arn))) return standing('a readiness alarm is red');
  if (service.notReady !== undefined) return standing('it was not ready');
  if (isPastExpiry(service.pause, nowMs)) return standing('its pause has ended');
  const isLocked = members.some(({ instance }) => {
    const quarantine = service.quarantine[instance];
    return quarantine !== undefined && (quarantine.untilMs ?? nowMs + 1) > nowMs;
  });
  if (isLocked) return standing('a member is quarantined');
  return awaitsFailback(service, snapshot.pause, nowMs)
    ? standing('it is not on its preferred member')
    : undefined;
}

/** The first interface that is not as the service's item remembers it, in words. */
function strayedIn(
  service: Service,
  interfaces: ReadonlyMap<InterfaceFact['eni'], InterfaceFact>,
): string | undefined {
  for (const eni of interfacesOf(service)) {
    const fact = interfaces.get(eni);
    if (!fact) return `${eni} is gone or has lost its tag`;
    const { attachment } = fact;
    if (attachment?.status !== 'attached') return `${eni} is ${attachment?.status ?? 'on nothing'}`;
    if (attachment.deleteOnTermination) return `${eni} would be deleted with its instance`;
    // An attachment is of one instance: another instance is another attachment.
    if (attachment.id !== service.lastSeen?.attachments[eni]) return `${eni} was attached anew`;
  }
  return undefined;
}

/** The red alarm that speaks of this service: one that it declares, or a status check of its holder. */
function alarmFor(
  service: Service,
  holder: InstanceId | undefined,
  red: readonly RedAlarm[],
): RedAlarm | undefined {
  const declared = service.declaration.signals.alarms.map((each) => each.arn);
  return red.find(
    (each) =>
      each.suppressedBy === undefined &&
      (declared.includes(each.arn) || each.instanceIds.some((id) => id === holder)),
  );
}

/** Is there anything in the decision that functions/failover should do, or tell for the first time? */
export function isWorthAHop(decision: Decision, service: Service): boolean {
  // A request is carried out or refused, never left waiting.
  if (service.request) return true;
  const isToldAs = (key: string) => service.lastRefusal === key;
  switch (decision.kind) {
    case 'nothing':
      // What was refused or observed before is over: functions/failover forgets it, so that the next time is news.
      return (
        decision.code === 'HOLDER_HEALTHY' && (service.lastRefusal ?? service.lastObserved) !== undefined
      );
    case 'refuse':
      return !isToldAs(refusalKey(decision.code, decision.members, decision.request));
    case 'keep':
      return !isToldAs(refusalKey('KEPT_ON_TERMINATION', []));
    case 'look-again':
      // An alarm that stays red while EC2 says healthy was looked at and recorded: not again every minute.
      if (isToldAs(refusalKey(decision.code, []))) return false;
      return !decision.soon || service.lastObserved !== `${decision.code} ${decision.detail}`;
    default:
      return true;
  }
}

/** What every look of one sweep goes by. */
interface Round {
  readonly controller: ControllerState;
  readonly red: readonly RedAlarm[];
  readonly limits: Readonly<Record<string, TypeLimits>>;
  readonly uncertain: ReadonlySet<ServiceName>;
  readonly endsAtMs: number;
}

interface Looked {
  readonly service: Service;
  readonly enqueued: boolean;
  readonly notReady: string | undefined;
  readonly isCertain: boolean;
}

/** The service, read now. Throws when its item is not there or cannot be understood. */
async function readItem(ports: Ports, name: ServiceName): Promise<Service> {
  const service = await readService(ports, name);
  if (!service) throw new Error('it is registered, and has no item');
  return service;
}

/** One whole look. Throws when the service cannot be looked at. */
async function lookAt(ports: Ports, name: ServiceName, why: string, round: Round): Promise<Looked> {
  const { clock } = ports;
  let service = await readItem(ports, name);
  const free = isLeaseFree(service, clock.now());
  if (free && (service.frozen || service.outbox.length > 0)) {
    await deliverLeftovers(ports, service);
    service = await readItem(ports, name);
  }
  if (service.tombstone) return { service, enqueued: false, notReady: undefined, isCertain: true };
  // Limits that were read for the fleet are newer than the item's.
  const limits = { ...service.facts.limits, ...round.limits };
  const observation = await observe(ports, { ...service, facts: { ...service.facts, limits } });
  const nowMs = clock.now();
  // Nobody waits for this look any more, and a frozen process may be thawed a minute later: it is too old to act on.
  if (nowMs >= round.endsAtMs) throw new Error('the look came too late');
  const readiness = readinessOf(service, observation, nowMs);
  const { notReady, isCertain } = readiness;
  const looked = { service, enqueued: false, notReady, isCertain };
  // Somebody is at it.
  if (!free) return looked;

  const where = whereabouts(service, observation);
  const holder = where.kind === 'together' ? where.holder : service.lastSeen?.holder;
  const alarm = alarmFor(service, holder, round.red);
  // The hint that the alarm's event should have been; otherwise the sweep's own.
  const hint: Hint = alarm
    ? {
        kind: 'alarm',
        alarmArn: alarm.arn,
        instanceIds: alarm.instanceIds,
        atMs: alarm.transitionedAtMs ?? nowMs,
      }
    : { kind: 'sweep', finding: why, atMs: nowMs };
  const { controller } = round;
  const question = { service, controller, observation, hint, look: 0, believed: false, nowMs };
  if (isWorthAHop(decide(question), service)) {
    await ports.queue.send({ service: name, hint, look: 0 }, 0);
    return { ...looked, enqueued: true };
  }
  if (service.episode) return looked;
  if (isPastExpiry(service.pause, nowMs)) {
    await tellPauseEnded(ports, service, service.pause);
    return { ...looked, service: await readItem(ports, name) };
  }
  const tended = await tend(ports, service, observation, controller.pause);
  const mayTell = isCertain || round.uncertain.has(name);
  const isTold = mayTell && tended !== undefined && (await tellReadiness(ports, tended, readiness));
  const isDue =
    tended !== undefined &&
    isCertain &&
    notReady === undefined &&
    holder !== undefined &&
    isFailbackDue(tended, nowMs) &&
    againstFailback(tended, observation, holder, nowMs) === undefined;
  if (isDue && (await failbackByItself(ports, name)).kind === 'done')
    return { ...looked, service: await readItem(ports, name), enqueued: true };
  // What was written now, by whomever, is what the next sweep must remember.
  return { ...looked, service: tended === undefined || isTold ? await readItem(ports, name) : tended };
}

/** Works through a list, several at once, until its end or the end of the time; answers what was left over. */
async function workThrough<T>(
  clock: Clock,
  items: readonly T[],
  endsAtMs: number,
  /** Never rejects. Answers what to remember of it, which is forgotten if it comes too late. */
  work: (item: T) => Promise<() => void>,
): Promise<readonly T[]> {
  const isOver = () => clock.now() >= endsAtMs;
  const done = new Set<T>();
  const next = items.values();
  const worker = async () => {
    for (const item of next) {
      if (isOver()) return;
      const remember = await work(item);
      if (isOver()) return;
      remember();
      done.add(item);
    }
  };
  await inTime(clock, Promise.all(Array.from({ length: atOnce }, worker)), endsAtMs - clock.now());
  return items.filter((each) => !done.has(each));
}

/** An answer that the sweep can do without; undefined, and named in `unread`, when there is none in time. */
async function optional<T>(
  ports: Ports,
  unread: string[],
  what: string,
  read: Promise<T>,
  limitMs = pagesTimeoutMs,
): Promise<T | undefined> {
  try {
    const value = await inTime(ports.clock, read, limitMs);
    if (value !== undefined) return value;
    ports.log.warn('the sweep could not read in time', { what });
  } catch (error) {
    ports.log.warn('the sweep could not read', { what, error: messageOf(error) });
  }
  unread.push(what);
  return undefined;
}

async function readFleet(ports: Ports, fleet: Fleet, unread: string[]): Promise<Snapshot> {
  const [interfaces, troubled, red, attention] = await Promise.all([
    optional(ports, unread, 'interfaces', fleet.interfaces()),
    optional(ports, unread, 'instance status', fleet.troubled()),
    optional(ports, unread, 'alarms', fleet.redAlarms()),
    optional(ports, unread, 'index', ports.store.needingAttention()),
  ]);
  return { interfaces, troubled, red, attention: new Set(attention) };
}

/** The limits of every type that is cached somewhere, asked for once a day and all together. */
async function readLimits(
  ports: Ports,
  memory: SweepMemory,
  unread: string[],
): Promise<Readonly<Record<string, TypeLimits>>> {
  const nowMs = ports.clock.now();
  const cached = [...memory.services.values()].flatMap((each) => Object.keys(each.facts.limits));
  const isOld = (type: string) =>
    nowMs - (memory.limits.get(type)?.askedAtMs ?? Number.NEGATIVE_INFINITY) >= limitsEveryMs;
  const old = [...new Set(cached)].filter(isOld).sort();
  if (old.length > 0) {
    const answer = await optional(ports, unread, 'limits', ports.ec2.limits(old), times.ec2TimeoutMs);
    for (const type of answer ? old : [])
      memory.limits.set(type, { askedAtMs: nowMs, limits: answer?.value[type] });
  }
  return Object.fromEntries(
    [...memory.limits].flatMap(([type, { limits }]) => (limits ? [[type, limits]] : [])),
  );
}

/** One service an hour, in turn: dry runs draw on the same buckets as the real calls. */
async function sendCanary(ports: Ports, memory: SweepMemory): Promise<SweepReport['canary']> {
  const minute = Math.floor(ports.clock.now() / 60_000);
  const names = registeredIn(memory).map((each) => each.name);
  const service = names.sort()[(minute / canaryEveryMinutes) % names.length];
  // In between two hours the place is no whole number, and nobody's.
  if (!service) return 'not due';
  try {
    const hint = { kind: 'canary', atMs: ports.clock.now() } as const;
    await ports.queue.send({ service, hint, look: 0 }, 0);
    return 'sent';
  } catch (error) {
    ports.log.error('the rehearsal could not be sent', { service, error: messageOf(error) });
    return 'failed';
  }
}

const registeredIn = (memory: SweepMemory): readonly Service[] =>
  [...memory.services.values()].filter((each) => !each.tombstone);

/** Whom to look at, in order: what happened, what stands, whose turn it is; within each the oldest look first. */
function tasksOf(known: readonly Service[], snapshot: Snapshot, memory: SweepMemory, nowMs: number) {
  const judged = known
    .map((service) => ({
      name: service.name,
      lookedAtMs: memory.lookedAtMs.get(service.name) ?? 0,
      found:
        suspicion(service, snapshot, nowMs) ??
        (memory.uncertain.has(service.name) ? standing('not everything could be read') : undefined),
    }))
    .sort((a, b) => a.lookedAtMs - b.lookedAtMs);
  const because = (pick: (found: Suspicion | undefined) => boolean) =>
    judged
      .filter((each) => pick(each.found))
      .map(({ name, found }) => ({ name, why: found?.why ?? 'it is its turn' }));
  return [
    ...because((found) => found?.isUrgent === true),
    ...because((found) => found?.isUrgent === false),
    ...because((found) => found === undefined).slice(0, Math.ceil(known.length / wholeLookEveryMinutes)),
  ];
}

/**
 * Looks at the fleet in pages and at each suspected service by itself. Turns red alarms into the hints that
 * their events should have been, finds unfinished episodes, interfaces on nothing and drift, delivers what is
 * left in outboxes, and tells when a service becomes ready or stops being so. In a settled world it only reads.
 *
 * Ends in time before `deadlineMs`; what was not reached is counted, and comes first in the next sweep. Throws
 * only when the table is out of reach; a service that cannot be looked at is named in `failed`.
 */
export async function sweep(
  ports: Ports,
  fleet: Fleet,
  memory: SweepMemory,
  deadlineMs: number,
): Promise<SweepReport> {
  const { clock, store, log } = ports;
  const endsAtMs = deadlineMs - endsBeforeDeadlineMs;
  const unread: string[] = [];
  const [listing, controller, snapshot] = await Promise.all([
    store.list(),
    store.readController(),
    readFleet(ports, fleet, unread),
  ]);
  const failed = new Set<string>(listing.unreadable);
  for (const row of failed) log.error('a row of the registry cannot be understood', { row });
  // Nothing is ever deleted (P25): what is not listed any more is still there, and may have something to tell.
  const names = [...new Set([...listing.names, ...memory.services.keys(), ...snapshot.attention])];

  const orFail = (name: ServiceName, work: Promise<() => void>) =>
    work.catch((error: unknown) => () => {
      failed.add(name);
      memory.doubted.add(name);
      log.error('a service could not be looked at', { service: name, error: messageOf(error) });
    });
  const remember = (service: Service) => {
    memory.services.set(service.name, service);
    memory.doubted.delete(service.name);
  };

  const strange = names.filter((name) => !memory.services.has(name) || memory.doubted.has(name));
  const notRead = await workThrough(clock, strange, endsAtMs, (name) =>
    orFail(
      name,
      readItem(ports, name).then((service) => () => remember(service)),
    ),
  );
  const limits = await readLimits(ports, memory, unread);

  const looked = new Map<ServiceName, Looked>();
  const round: Round = {
    controller,
    red: snapshot.red ?? [],
    limits,
    uncertain: new Set(memory.uncertain),
    endsAtMs,
  };
  const trusted = [...memory.services.values()].filter((each) => !memory.doubted.has(each.name));
  const pausedPastExpiry = trusted.filter((each) => isPastExpiry(each.pause, clock.now())).length;
  const tasks = tasksOf(trusted, { ...snapshot, pause: controller.pause }, memory, clock.now());
  const [notReached, canary] = await Promise.all([
    workThrough(clock, tasks, endsAtMs, ({ name, why }) => {
      memory.lookedAtMs.set(name, clock.now());
      return orFail(
        name,
        lookAt(ports, name, why, round).then((result) => () => {
          looked.set(name, result);
          if (result.isCertain) memory.uncertain.delete(name);
          else memory.uncertain.add(name);
          remember(result.service);
        }),
      );
    }),
    inTime(clock, sendCanary(ports, memory), endsAtMs - clock.now()),
    inTime(clock, tendController(ports, memory.pausesToldUntilMs), endsAtMs - clock.now()),
  ]);

  const nowMs = clock.now();
  const services = registeredIn(memory);
  const tombstones = memory.services.size - services.length;
  const open = services.flatMap((each) => (each.episode ? [nowMs - each.episode.openedAtMs] : []));
  const notices = [...memory.services.values()].flatMap((each) => each.outbox.map((one) => nowMs - one.atMs));
  const notReady = Object.fromEntries(
    services.flatMap((each) => {
      const why = (looked.get(each.name) ?? each).notReady;
      return why === undefined ? [] : [[each.name, why]];
    }),
  );
  return {
    services: names.length - tombstones,
    ready: services.length - Object.keys(notReady).length,
    notReady,
    noStandbyLeft: Object.values(notReady).filter((why) => why === 'NO_STANDBY_LEFT').length,
    openEpisodes: open.length,
    oldestEpisodeMs: Math.max(0, ...open),
    oldestNoticeMs: Math.max(0, ...notices),
    stranded: services.filter((each) => each.stranded).length,
    pausedPastExpiry,
    lookedAt: looked.size,
    enqueued: [...looked.values()].filter((each) => each.enqueued).length,
    failed: [...failed],
    carriedOver: notRead.length + notReached.length,
    unread,
    canary: canary ?? 'failed',
  };
}
