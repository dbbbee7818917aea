/** The look at every service each minute: it reads EC2, enqueues what should be looked at, and never moves anything. */
import { decide } from '../core/decide.ts';
import type { Decision } from '../core/decision.ts';
import { candidates } from '../core/eligibility.ts';
import { messageOf } from '../core/errors.ts';
import type { Hint } from '../core/hint.ts';
import type { InstanceId, ServiceName } from '../core/ids.ts';
import { healthOf, memberOf, type Observation } from '../core/observation.ts';
import { refusalKey } from '../core/reasons.ts';
import { interfacesOf, isLeaseFree, type Service } from '../core/state.ts';
import { whereabouts } from '../core/whereabouts.ts';
import { deliverLeftovers } from './deliver.ts';
import { observe } from './observe.ts';
import type { Fleet, Ports, RedAlarm } from './ports.ts';
import { tellReadiness, tendQuarantine } from './readiness.ts';
import { readService } from './record.ts';

/** What a warm process remembers between sweeps. Losing it costs reads, nothing else. */
export interface SweepMemory {
  readonly services: Map<ServiceName, Service>;
}

export const emptyMemory = (): SweepMemory => ({ services: new Map() });

export interface SweepReport {
  readonly services: number;
  readonly ready: number;
  readonly notReady: Readonly<Record<string, string>>;
  readonly noStandbyLeft: number;
  readonly openEpisodes: number;
  readonly oldestEpisodeMs: number;
  readonly stranded: number;
  readonly pausedPastExpiry: number;
  readonly lookedAt: number;
  readonly enqueued: number;
  /** Services that could not be looked at: one broken service never stops the others. */
  readonly failed: readonly string[];
}

/** One look at the whole fleet; undefined is what could not be read, and suspects nobody. */
interface Snapshot {
  readonly interfaces: Awaited<ReturnType<Fleet['interfaces']>> | undefined;
  readonly troubled: ReadonlySet<InstanceId> | undefined;
  readonly red: readonly RedAlarm[];
  readonly attention: ReadonlySet<ServiceName>;
}

/** Every service gets a whole look at least this often, suspected or not. */
const wholeLookEveryMinutes = 10;
const atOnce = 8;
const canaryEveryMinutes = 60;

/** Why a service deserves a look of its own, from the snapshot alone; undefined means nothing is suspected. */
export function suspicion(service: Service, snapshot: Snapshot, minute: number): string | undefined {
  const { interfaces, troubled, red, attention } = snapshot;
  if (attention.has(service.name)) return 'something of it is unfinished';
  if (service.notReady !== undefined) return 'it was not ready';
  if (Object.keys(service.quarantine).length > 0) return 'a member is quarantined';
  const members = service.declaration.members.map((each) => each.instance);
  const sick = members.find((id) => troubled?.has(id));
  if (sick) return `${sick} is not well`;
  const alarm = alarmFor(service, red);
  if (alarm) return `alarm ${alarm.arn} is red`;
  const readiness = service.declaration.members.flatMap((each) => each.readyWhen);
  if (red.some((each) => readiness.includes(each.arn))) return 'a readiness alarm is red';
  if (interfaces) {
    for (const eni of interfacesOf(service)) {
      const fact = interfaces.get(eni);
      if (!fact) return `${eni} is gone or has lost its tag`;
      if (fact.attachment?.status !== 'attached')
        return `${eni} is ${fact.attachment?.status ?? 'on nothing'}`;
      if (fact.attachment.deleteOnTermination) return `${eni} would be deleted with its instance`;
      if (fact.attachment.id !== service.lastSeen?.attachments[eni]) return `${eni} was attached anew`;
      if (fact.attachment.instanceId !== service.lastSeen?.holder) return `${eni} is not where it was`;
    }
  }
  const turn = [...service.name].reduce((sum, letter) => sum + letter.charCodeAt(0), 0);
  return (turn + minute) % wholeLookEveryMinutes === 0 ? 'it is its turn' : undefined;
}

/** The red alarm that speaks of this service: one that it declares, or a status check of its last holder. */
function alarmFor(service: Service, red: readonly RedAlarm[]): RedAlarm | undefined {
  const declared = service.declaration.signals.alarms.map((each) => each.arn);
  return red.find(
    (each) =>
      each.suppressedBy === undefined &&
      (declared.includes(each.arn) || each.instanceIds.some((id) => id === service.lastSeen?.holder)),
  );
}

/** The hint that the alarm's event should have been; otherwise the sweep's own. */
function toHint(
  service: Service,
  observation: Observation,
  red: readonly RedAlarm[],
  why: string,
  nowMs: number,
): Hint {
  const where = whereabouts(service, observation);
  const holder = where.kind === 'together' ? where.holder : service.lastSeen?.holder;
  const seen = {
    ...service,
    ...(holder && service.lastSeen && { lastSeen: { ...service.lastSeen, holder } }),
  };
  const alarm = alarmFor(seen, red);
  return alarm
    ? {
        kind: 'alarm',
        alarmArn: alarm.arn,
        instanceIds: alarm.instanceIds,
        atMs: alarm.transitionedAtMs ?? nowMs,
      }
    : { kind: 'sweep', finding: why, atMs: nowMs };
}

/** Is there anything in the decision that functions/failover should do, or tell for the first time? */
function isWorthAHop(decision: Decision, service: Service): boolean {
  // A request is carried out or refused, never left waiting.
  if (service.request) return true;
  // What was refused or observed before is over: functions/failover forgets it, so that the next time is news.
  if (decision.kind === 'nothing')
    return decision.code === 'HOLDER_HEALTHY' && (service.lastRefusal ?? service.lastObserved) !== undefined;
  if (decision.kind === 'refuse')
    return service.lastRefusal !== refusalKey(decision.code, decision.members, decision.request);
  if (decision.kind === 'keep') return service.lastRefusal !== refusalKey('KEPT_ON_TERMINATION', []);
  // An alarm that stays red while EC2 says healthy was looked at and recorded: not again every minute.
  if (decision.kind === 'look-again' && !decision.soon)
    return service.lastRefusal !== refusalKey(decision.code, []);
  if (decision.kind === 'look-again')
    return (
      service.lastObserved !== `${decision.code} ${decision.detail}` &&
      service.lastRefusal !== refusalKey(decision.code, [])
    );
  return true;
}

interface Looked {
  readonly service: Service;
  readonly enqueued: boolean;
  readonly ready: boolean;
  readonly why: string | undefined;
  readonly standbys: number;
}

async function lookAt(
  ports: Ports,
  name: ServiceName,
  snapshot: Snapshot,
  why: string,
): Promise<Looked | undefined> {
  const { clock, queue } = ports;
  const [read, controller] = await Promise.all([readService(ports, name), ports.store.readController()]);
  if (!read) return undefined;
  const free = isLeaseFree(read, clock.now());
  if (free) await deliverLeftovers(ports, read);
  if (read.tombstone) return undefined;
  const service = free ? ((await readService(ports, name)) ?? read) : read;
  const observation = await observe(ports, service);
  const nowMs = clock.now();
  const where = whereabouts(service, observation);
  const holder = where.kind === 'together' ? where.holder : undefined;
  const standbys = candidates(service, observation, holder ? [holder] : [], nowMs);
  const holderIsWell = holder !== undefined && healthOf(memberOf(observation, holder)).kind === 'healthy';
  const notReady = !holderIsWell
    ? where.kind === 'together'
      ? 'HOLDER_NOT_HEALTHY'
      : where.kind.toUpperCase().replace('-', '_')
    : standbys.eligible.length === 0
      ? 'NO_STANDBY_LEFT'
      : undefined;

  let enqueued = false;
  let current = service;
  if (free) {
    const hint = toHint(service, observation, snapshot.red, why, nowMs);
    const question = { service, controller, observation, hint, look: 0, believed: false, nowMs };
    if (isWorthAHop(decide(question), service)) {
      await queue.send({ service: name, hint, look: 0 }, 0);
      enqueued = true;
    } else if (!service.episode) {
      const tended = await tendQuarantine(ports, service, observation);
      const told = await tellReadiness(ports, name, notReady, standbys);
      // What was written now must be what the next sweep remembers.
      if (tended || told) current = (await readService(ports, name)) ?? service;
    }
  }
  return {
    service: current,
    enqueued,
    ready: notReady === undefined,
    why: notReady,
    standbys: standbys.eligible.length,
  };
}

async function readFleet(ports: Ports, fleet: Fleet): Promise<Snapshot> {
  const optional = async <T>(what: string, read: Promise<T>): Promise<T | undefined> => {
    try {
      return await read;
    } catch (error) {
      ports.log.warn('the sweep could not read', { what, error: messageOf(error) });
      return undefined;
    }
  };
  const [interfaces, troubled, red, attention] = await Promise.all([
    optional('interfaces', fleet.interfaces()),
    optional('instance status', fleet.troubled()),
    optional('alarms', fleet.redAlarms()),
    ports.store.needingAttention(),
  ]);
  return { interfaces, troubled, red: red ?? [], attention: new Set(attention) };
}

/** One service an hour, in turn: dry runs draw on the same buckets as the real calls. */
async function sendCanary(ports: Ports, names: readonly ServiceName[], minute: number): Promise<void> {
  const service = names[(minute / canaryEveryMinutes) % names.length];
  if (!service) return;
  await ports.queue.send({ service, hint: { kind: 'canary', atMs: ports.clock.now() }, look: 0 }, 0);
}

/**
 * Looks at the fleet in pages and at each suspected service by itself. Turns red alarms into the hints that
 * their events should have been, finds unfinished episodes, interfaces on nothing and drift, delivers what is
 * left in outboxes, and tells when a service becomes ready or stops being so. In a settled world it only reads.
 *
 * Throws only when the table is out of reach; a service that cannot be looked at is counted in `failed`.
 */
export async function sweep(ports: Ports, fleet: Fleet, memory: SweepMemory): Promise<SweepReport> {
  const { clock, store, log } = ports;
  const [{ names, unreadable }, snapshot] = await Promise.all([store.list(), readFleet(ports, fleet)]);
  const minute = Math.floor(clock.now() / 60_000);
  const failed: string[] = [...unreadable];

  for (const name of memory.services.keys()) if (!names.includes(name)) memory.services.delete(name);
  const tasks = names.flatMap((name) => {
    const known = memory.services.get(name);
    const why = known ? suspicion(known, snapshot, minute) : 'it is new to this process';
    return why === undefined ? [] : [{ name, why }];
  });

  const looked: Looked[] = [];
  const next = tasks.values();
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (const { name, why } of next) {
        try {
          const result = await lookAt(ports, name, snapshot, why);
          if (result) {
            looked.push(result);
            memory.services.set(name, result.service);
          }
        } catch (error) {
          failed.push(name);
          log.error('a service could not be looked at', { service: name, error: messageOf(error) });
        }
      }
    }),
  );

  if (minute % canaryEveryMinutes === 0) await sendCanary(ports, names, minute);

  const nowMs = clock.now();
  const services = [...memory.services.values()];
  const open = services.flatMap((each) => (each.episode ? [nowMs - each.episode.openedAtMs] : []));
  const notReady = Object.fromEntries(
    services.flatMap((each) => {
      const fresh = looked.find((one) => one.service.name === each.name);
      const why = fresh ? fresh.why : each.notReady;
      return why === undefined ? [] : [[each.name, why]];
    }),
  );
  return {
    services: names.length,
    ready: services.length - Object.keys(notReady).length,
    notReady,
    noStandbyLeft: Object.values(notReady).filter((why) => why === 'NO_STANDBY_LEFT').length,
    openEpisodes: open.length,
    oldestEpisodeMs: Math.max(0, ...open),
    stranded: services.filter((each) => each.stranded).length,
    pausedPastExpiry: services.filter((each) => each.pause && each.pause.untilMs <= nowMs).length,
    lookedAt: looked.length,
    enqueued: looked.filter((each) => each.enqueued).length,
    failed,
  };
}
