/** What operators do beside moving: pause, resume, acknowledge. Each is a record with its author. */
import { messageOf } from '../core/errors.ts';
import { everything, type InstanceId, type ServiceName } from '../core/ids.ts';
import type { OutboxEntry, Severity } from '../core/notice.ts';
import type { CommandReasonCode, ReasonCode } from '../core/reasons.ts';
import type { ControllerItem, Frozen, Service, ServiceState } from '../core/state.ts';
import type { RecordKind } from '../core/trail.ts';
import { copyControllerRecord, recordOfController } from './controller-record.ts';
import { toEntry } from './entry.ts';
import type { Ports } from './ports.ts';
import { readService, record, tooLargeFor } from './record.ts';

/** Who asked for it, and why: every record of a command names both. */
export interface By {
  readonly author: string;
  readonly reason: string;
}

/** What a program reads of an answer, beside the sentence for people. */
export type OperatedData = Readonly<Record<string, unknown>>;

export interface Done {
  readonly kind: 'done';
  readonly detail: string;
  readonly data?: OperatedData;
}

/** Nothing was done. */
export interface Refused {
  readonly kind: 'refused';
  readonly code: ReasonCode | CommandReasonCode;
  readonly detail: string;
  readonly data?: OperatedData;
}

export type Operated = Done | Refused;

export interface Deed {
  readonly kind: RecordKind;
  readonly outcome: string;
  readonly headline: string;
  readonly severity?: Severity;
  /** As people read it; the facts, each on a line, where it is not said. */
  readonly lines?: readonly string[];
  readonly facts: Readonly<Record<string, unknown>>;
  /**
   * What the notice says to programs beside the author: named one by one, because it stands in the item, and five
   * times in one message (P7).
   */
  readonly notice?: OperatedData;
  /** By these the record is found again. */
  readonly instances?: readonly string[];
  readonly enis?: readonly string[];
  /** What follows tells people: this is on record only. */
  readonly quiet?: true;
  readonly data?: OperatedData;
  readonly change: (state: ServiceState) => ServiceState;
}

export const refused = (
  code: ReasonCode | CommandReasonCode,
  detail: string,
  data?: OperatedData,
): Refused => ({ kind: 'refused', code, detail, ...(data && { data }) });

const maxAttempts = 5;

/** A pause that is forgotten is an outage in waiting. */
const longestPauseMs = 7 * 24 * 60 * 60 * 1_000;
const tooLong = (forMs: number): Operated | undefined =>
  forMs > longestPauseMs
    ? refused('TOO_LONG', 'a pause lasts at most 7 days (168h); pause again then')
    : undefined;

/** Reads, changes and records; begins again when somebody wrote in between. */
export async function carryOut(
  ports: Ports,
  name: ServiceName,
  { author }: Pick<By, 'author'>,
  toDeed: (service: Service) => Deed | Operated | Promise<Deed | Operated>,
): Promise<Operated> {
  for (let attempt = 0; attempt < maxAttempts; attempt += 1) {
    const service = await readService(ports, name);
    if (!service || service.tombstone) return refused('NO_SUCH_SERVICE', `${name} is not registered`);
    const deed = await toDeed(service);
    if (!('change' in deed)) return deed;
    const { kind, outcome, headline, severity = 'info', facts } = deed;
    const { instances = [], enis = [], quiet, data, notice = {}, change } = deed;
    const told = Object.entries(facts).map(([key, value]) => `${key}: ${String(value)}`);
    const entry = toEntry(ports, service, {
      kind,
      author,
      outcome,
      severity,
      headline,
      lines: deed.lines ?? told,
      next: [],
      facts,
      data: { author, ...notice },
      instances,
      enis,
      ...(quiet && { quiet }),
      change,
    });
    const tooLarge = tooLargeFor(ports, service, entry);
    if (tooLarge !== undefined) return refused('ITEM_TOO_LARGE', tooLarge);
    if ((await record(ports, service, entry)) === 'recorded')
      return { kind: 'done', detail: headline, ...(data && { data }) };
  }
  return refused('LEASE_HELD', `${name} is being written by others all the time; try again`);
}

export interface PauseRequest extends By {
  /** A pause ends by itself: one that is forgotten is an outage in waiting. */
  readonly forMs: number;
}

/** As people read it; the record keeps the milliseconds. */
const toTheSecond = (iso: string) => iso.replace(/\.\d+Z$/, 'Z');

/** Stops every automatic move of one service until the pause ends. An episode under way goes on to its end (P30). */
export function pauseService(ports: Ports, name: ServiceName, request: PauseRequest): Promise<Operated> {
  const { author, reason, forMs } = request;
  const long = tooLong(forMs);
  if (long) return Promise.resolve(long);
  return carryOut(ports, name, request, (service) => {
    const atMs = ports.clock.now();
    const pause = { reason, author, atMs, untilMs: atMs + forMs };
    const until = new Date(pause.untilMs).toISOString();
    const under = service.episode
      ? `; episode ${service.episode.id} is under way and goes on to its end`
      : '';
    return {
      kind: 'pause',
      outcome: 'PAUSED',
      headline: `paused until ${toTheSecond(until)} by ${author}${under}`,
      facts: { reason, until },
      notice: { reason, until },
      data: { until },
      // The preferred member's time begins anew after it.
      change: ({ preferredSinceMs: _, ...state }) => ({ ...state, pause }),
    };
  });
}

export function resumeService(ports: Ports, name: ServiceName, by: By): Promise<Operated> {
  return carryOut(ports, name, by, (service) => {
    if (!service.pause) return refused('NOT_PAUSED', `${name} is not paused`);
    const facts = { reason: by.reason, pausedBy: service.pause.author, pausedFor: service.pause.reason };
    return {
      kind: 'resume',
      outcome: 'RESUMED',
      headline: `resumed by ${by.author}; looked at within a minute`,
      facts,
      notice: facts,
      change: ({ pause: _, ...state }) => state,
    };
  });
}

/**
 * Ends quarantines (all, or one member's), the budget's count, what was refused or observed before, and the suspension
 * of automatic failbacks.
 */
export function acknowledge(ports: Ports, name: ServiceName, by: By, member?: InstanceId): Promise<Operated> {
  return carryOut(ports, name, by, (service) => {
    const ended = Object.keys(service.quarantine).filter((id) => member === undefined || id === member);
    if (member !== undefined && ended.length === 0)
      return refused('NOT_QUARANTINED', `${member} is not quarantined in ${name}`);
    const { failoversAtMs, unfencedAtMs = [] } = service;
    const spent = member === undefined ? failoversAtMs.length + unfencedAtMs.length : 0;
    const told = service.lastRefusal ?? service.lastObserved;
    const suspended = member === undefined ? service.failbackSuspended?.why : undefined;
    if (ended.length === 0 && spent === 0 && told === undefined && suspended === undefined)
      return refused('NOTHING_TO_ACKNOWLEDGE', `${name} has nothing that waits for a person`);
    const facts = {
      reason: by.reason,
      quarantinesEnded: ended.join(', ') || 'none',
      failoversForgotten: spent,
      was: told ?? 'nothing',
      ...(suspended !== undefined && { failbackWasSuspended: suspended }),
    };
    return {
      kind: 'ack',
      outcome: 'ACKNOWLEDGED',
      headline: `acknowledged by ${by.author}`,
      facts,
      notice: facts,
      change: ({ lastRefusal: _, lastObserved: __, ...state }) => {
        const left = Object.entries(state.quarantine).filter(([id]) => !ended.includes(id));
        const quarantine = Object.fromEntries(left);
        if (member !== undefined) return { ...state, quarantine };
        const { unfencedAtMs: ___, failbackSuspended: ____, preferredSinceMs, ...rest } = state;
        // From here the whole time counts again, however long the member has been well.
        const sinceMs = suspended === undefined ? preferredSinceMs : undefined;
        return {
          ...rest,
          ...(sinceMs !== undefined && { preferredSinceMs: sinceMs }),
          quarantine,
          failoversAtMs: [],
        };
      },
    };
  });
}

/** Of the whole controller: its item has no outbox, so it is told at once. */
function ofController(
  outcome: string,
  severity: Severity,
  headline: string,
  { author, reason }: By,
  atMs: number,
  place?: Frozen,
): OutboxEntry {
  return {
    dedupeId: `controller.${outcome}.${atMs}`,
    atMs,
    keep: true,
    service: everything,
    kind: 'controller',
    outcome,
    severity,
    headline,
    lines: [`By ${author}: ${reason}`],
    next: [],
    data: { author, reason },
    ...(place && { trail: { number: place.number, headHash: place.hash } }),
  };
}

/** If it cannot be told, the caller says so: what was done stays done. */
async function tellAll(ports: Ports, notice: OutboxEntry): Promise<string> {
  const { dedupeId, headline } = notice;
  try {
    await ports.notifier.publish(notice);
    return headline;
  } catch (error) {
    ports.log.warn('a notice could not be published', { dedupeId, error: messageOf(error) });
    return `${headline} (people could not be told: ${messageOf(error)})`;
  }
}

/** Publishes a notice that says nothing but that it arrived. Throws {@link PortError} where it cannot be published. */
export async function testNotice(ports: Ports, by: By): Promise<Operated> {
  const headline = 'a test: whoever reads this will hear of a failover too';
  await ports.notifier.publish(ofController('TEST_NOTICE', 'info', headline, by, ports.clock.now()));
  return { kind: 'done', detail: 'a test notice is published' };
}

/** What is done to everything. */
interface ControllerDeed extends Pick<Deed, 'kind' | 'outcome' | 'headline' | 'facts' | 'data'> {
  readonly change?: (item: ControllerItem) => ControllerItem;
  /** What no write of the controller's item can do: after its record, so that nothing is done without one. */
  readonly effect?: () => Promise<void>;
}

/** Reads, changes and records in the controller's own trail; begins again when somebody recorded in between. */
async function carryOutForAll(
  ports: Ports,
  by: By,
  toDeed: (
    item: ControllerItem,
    atMs: number,
  ) => ControllerDeed | Refused | Promise<ControllerDeed | Refused>,
): Promise<Operated> {
  const { author } = by;
  for (let attempt = 0; attempt < maxAttempts; attempt += 1) {
    const item = await ports.store.readControllerItem();
    const atMs = ports.clock.now();
    const deed = await toDeed(item, atMs);
    if (!('facts' in deed)) return deed;
    const { kind, outcome, headline, facts, data, change = (same) => same } = deed;
    const draft = { kind, atMs, author, outcome, facts, instances: [], enis: [] };
    const recorded = await recordOfController(ports, item, { draft, change });
    if (recorded.kind === 'conflict') continue;
    const { frozen } = recorded;
    await deed.effect?.();
    const notice = ofController(outcome, 'warning', headline, by, atMs, frozen);
    const [detail] = await Promise.all([tellAll(ports, notice), copyControllerRecord(ports, frozen)]);
    return { kind: 'done', detail, ...(data && { data }) };
  }
  return refused('LEASE_HELD', 'everything is paused or resumed by others all the time; try again');
}

const ofEverything = (answer: Operated): Operated =>
  answer.kind === 'done' ? { ...answer, detail: `everything is ${answer.detail}` } : answer;

/** Stops every automatic move of every service. */
export async function pauseController(ports: Ports, request: PauseRequest): Promise<Operated> {
  const { author, reason, forMs } = request;
  const long = tooLong(forMs);
  if (long) return long;
  const answer = await carryOutForAll(ports, request, (_, atMs) => {
    const pause = { reason, author, atMs, untilMs: atMs + forMs };
    const until = new Date(pause.untilMs).toISOString();
    return {
      kind: 'pause',
      outcome: 'CONTROLLER_PAUSED',
      headline: `paused until ${toTheSecond(until)} by ${author}: ${reason}`,
      facts: { reason, until },
      data: { until },
      change: (item) => ({ ...item, pause }),
    };
  });
  return ofEverything(answer);
}

export async function resumeController(ports: Ports, by: By): Promise<Operated> {
  const answer = await carryOutForAll(ports, by, ({ pause }) => {
    if (!pause) return refused('NOT_PAUSED', 'the controller is not paused');
    return {
      kind: 'resume',
      outcome: 'CONTROLLER_RESUMED',
      headline: `resumed by ${by.author}; looked at within a minute`,
      facts: { reason: by.reason, pausedBy: pause.author, pausedFor: pause.reason },
      change: ({ pause: _, ...item }) => item,
    };
  });
  return ofEverything(answer);
}

/** The brake lies in another row: recorded first, so that none is ever released without a record. */
export function releaseBrake(ports: Ports, zone: string, by: By): Promise<Operated> {
  return carryOutForAll(ports, by, async (_, atMs) => {
    const brake = (await ports.store.readController()).brakes[zone];
    if (!brake) return refused('NO_BRAKE', `the brake of ${zone} is not on`);
    return {
      kind: 'ack',
      outcome: 'BRAKE_RELEASED',
      headline: `the brake of ${zone} is released`,
      facts: {
        reason: by.reason,
        detail: `releasing the brake of ${zone}: ${by.reason}`,
        zone,
        trippedAt: new Date(brake.sinceMs).toISOString(),
        trippedBy: brake.services,
      },
      effect: () => ports.store.releaseBrake(zone, atMs),
    };
  });
}
