/** What people ask the trail: records by whom or what they concern, one episode, the chain, a past moment. Reads only. */
import type {
  EpisodeRecord,
  ExplainQuery,
  RecordsQuery,
  TrailPage,
  TrailRecord,
  Verified,
  VerifyQuery,
} from '../core/audit-query.ts';
import { readCursor, toCursor } from '../core/cursor.ts';
import { InvalidInputError } from '../core/errors.ts';
import { type ExplainedPast, explainAt } from '../core/explain-at.ts';
import { type EpisodeId, everything, type ServiceName, type TrailName } from '../core/ids.ts';
import type { TrailHolder } from '../core/state.ts';
import { beginning, type ChainFault, type ChainLink, canonical, verifyChain } from '../core/trail.ts';
import {
  type Access,
  accessOf,
  dayBefore,
  isAskedFor,
  isSparse,
  partitionOfDay,
  rangeOf,
  toRecord,
} from '../core/trail-query.ts';
import type { Clock, Hash, RowsAskedFor, Slice, Trail, TrailKey, TrailRow } from './ports.ts';

export interface AuditPorts {
  readonly trail: Trail;
  readonly hash: Hash;
  readonly clock: Clock;
}

export type Asked<T> =
  | { readonly kind: 'answer'; readonly answer: T }
  | { readonly kind: 'invalid'; readonly problems: readonly string[] }
  | { readonly kind: 'absent'; readonly code: string; readonly detail: string };

const defaultLimit = 25;
/** What is read for one page, those sorted out included: at most so many times its limit. */
const readsPerRecord = 10;
/** Days without a record cost a call each. */
const maxDays = 60;
/** An answer of Lambda's may have six megabytes. */
const maxText = 4_000_000;

/**
 * A record's time is taken before it is written, and its number when it is: within the longest run of a worker and
 * the skew of two clocks, a higher number may carry an earlier time.
 */
const disorderMs = 2 * 60 * 1_000;

const maxNumber = 10 ** 12 - 1;

/** How many numbers without a record one hole adds to an answer. */
const mostNamed = 1_000;

const invalidCursor = {
  kind: 'invalid',
  problems: ['cursor: is not one of this question; ask again without it'],
} as const;

const noSuchService = (name: string) =>
  ({ kind: 'absent', code: 'NO_SUCH_SERVICE', detail: `${name} was never registered` }) as const;

/** Where to go on: a number downwards, or the key of a pointer, in its day where days are walked. */
interface Place {
  readonly number?: number;
  readonly day?: string;
  readonly below?: string;
}

const fingerprint = ({ hash }: AuditPorts, query: object) => hash.sha256(canonical(query)).slice(0, 16);

function isPlace(value: unknown): value is Place {
  const { number, day, below } = (value ?? {}) as Record<keyof Place, unknown>;
  return (
    (number === undefined ||
      (Number.isInteger(number) && Number(number) >= 0 && Number(number) <= maxNumber)) &&
    (day === undefined ||
      (typeof day === 'string' && /^\d{4}-\d\d-\d\d$/.test(day) && Number.isFinite(Date.parse(day)))) &&
    (below === undefined || typeof below === 'string')
  );
}

/** What was found so far, and what it cost. */
class Page {
  readonly records: TrailRecord[] = [];
  readonly missing: TrailKey[] = [];
  read = 0;
  #text = 0;
  readonly #query: RecordsQuery;
  readonly limit: number;

  constructor(query: RecordsQuery) {
    this.#query = query;
    this.limit = query.limit ?? defaultLimit;
  }

  get wanted() {
    return this.limit - this.records.length;
  }

  /** How many more items may be read. */
  get room() {
    return readsPerRecord * this.limit - this.read;
  }

  get isFull() {
    return this.wanted <= 0 || this.#text >= maxText;
  }

  /** Numbers of a service that hold no record, downwards. So many at most: verify tells how far a hole goes. */
  lack(service: string, from: number, to: number): void {
    const last = Math.max(to, from - mostNamed + 1);
    for (let number = from; number >= last; number -= 1) this.missing.push({ service, number });
  }

  add(service: string, row: TrailRow): void {
    const record = toRecord(service, row);
    if (!isAskedFor(record, row.body, this.#query)) return;
    this.records.push(record);
    this.#text += row.body.length;
  }
}

/** What the table itself can sort out. */
const whereOf = ({ service, kind, outcome, author }: RecordsQuery): RowsAskedFor => ({
  ...(service !== undefined && { service }),
  ...(kind !== undefined && { kind }),
  ...(outcome !== undefined && { outcome }),
  ...(author !== undefined && { author }),
});

/** The highest number whose record may be older than `to`: found by halving, for the trail is ordered by number. */
async function numberAt(trail: Trail, name: string, to: number, page: { read: number }): Promise<number> {
  const below = async (number: number) => {
    const { rows, read } = await trail.newest(name, { from: 1, to: number }, 1);
    page.read += read;
    return rows[0];
  };
  const newest = await below(maxNumber);
  if (!newest || newest.atMs < to + disorderMs) return maxNumber;
  let low = 0;
  let high = newest.number - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    const row = await below(middle);
    if (row && row.atMs >= to + disorderMs) high = row.number - 1;
    else low = middle;
  }
  return high;
}

/** The number of the last record that must be in the table: one that is frozen may still be on its way there. */
async function lastCopied(trail: Trail, service: TrailName, page: Page): Promise<number> {
  page.read += 1;
  const item = await itemOf(trail, service);
  if (item.kind !== 'known') return 0;
  const { next } = item.state.trail;
  return next - (item.state.frozen ? 2 : 1);
}

/** The service's own records downwards. Its numbers have no gap: asked for all kinds, it names each that is gone. */
async function fromService(
  trail: Trail,
  service: TrailName,
  query: RecordsQuery,
  page: Page,
  place: Place,
): Promise<Place | undefined> {
  const { from, to } = query;
  const { service: _, ...where } = whereOf(query);
  const sparse = Object.keys(where).length > 0;
  let next = place.number ?? (to === undefined ? maxNumber : await numberAt(trail, service, to, page));
  // Read before the records: whatever it counts is there by then.
  let due = sparse ? 0 : next === maxNumber ? await lastCopied(trail, service, page) : next;
  while (next > 0) {
    if (page.isFull || page.room <= 0) return { number: next };
    const limit = Math.min(sparse ? 4 * page.limit : page.wanted, page.room);
    const slice = await trail.newest(service, { from: 1, to: next }, limit, where);
    page.read += slice.read;
    for (const row of slice.rows) {
      if (page.isFull) return { number: next };
      page.lack(service, due, row.number + 1);
      next = row.number - 1;
      if (!sparse) due = next;
      // Whatever is lower is older still.
      if (from !== undefined && row.atMs < from - disorderMs) return undefined;
      page.add(service, row);
    }
    if (slice.rest === undefined) {
      page.lack(service, due, 1);
      return undefined;
    }
    // What was left out by its kind was read all the same.
    next = Math.min(next, Number(slice.rest.slice(-12)) - 1);
  }
  return undefined;
}

/** The pointers of one partition downwards, and the records that they lead to. Answers the key to go on below. */
async function fromPointers(
  trail: Trail,
  partition: string,
  query: RecordsQuery,
  page: Page,
  place: Place,
): Promise<string | undefined> {
  const range = rangeOf(query);
  let below = place.below ?? range.below;
  for (;;) {
    const sparse = isSparse(query);
    // Room for the records that are found; where every pointer leads to one, each costs two reads.
    const most = sparse ? page.room - page.wanted : Math.floor(page.room / 2);
    if (page.isFull || most <= 0) return below;
    const limit = Math.min(sparse ? 4 * page.limit : page.wanted, most);
    const slice = await trail.pointers(partition, { from: range.from, below }, limit, whereOf(query));
    page.read += slice.read;
    for (let first = 0; first < slice.rows.length; ) {
      if (page.isFull || page.room <= 0) return below;
      const pointers = slice.rows.slice(first, first + Math.min(page.wanted, page.room));
      const rows = await trail.rows(pointers);
      page.read += rows.length;
      for (const { sk, service, number } of pointers) {
        if (page.isFull) return below;
        const row = rows.find((each) => each.service === service && each.number === number);
        if (row) page.add(service, row);
        else page.missing.push({ service, number });
        below = sk;
      }
      first += pointers.length;
    }
    if (slice.rest === undefined) return undefined;
    below = slice.rest;
  }
}

async function fromDays(
  trail: Trail,
  { first, last }: Extract<Access, { kind: 'days' }>,
  query: RecordsQuery,
  page: Page,
  place: Place,
): Promise<Place | undefined> {
  let { below } = place;
  let day = place.day ?? last;
  for (let days = 0; day >= first; days += 1) {
    if (days >= maxDays) return { day };
    const at: Place = below === undefined ? {} : { below };
    const rest = await fromPointers(trail, partitionOfDay(day), query, page, at);
    if (rest !== undefined) return { day, below: rest };
    below = undefined;
    day = dayBefore(day);
  }
  return undefined;
}

/** Records, newest first. Throws {@link PortError} when the table is out of reach. */
export async function findRecords(ports: AuditPorts, asked: RecordsQuery): Promise<Asked<TrailPage>> {
  const { trail, clock } = ports;
  const { cursor, limit: _, ...query } = asked;
  const print = fingerprint(ports, query);
  const read = cursor === undefined ? undefined : readCursor(cursor);
  if (cursor !== undefined && (read?.asked !== print || !isPlace(read.place))) return invalidCursor;
  const place = (read?.place ?? {}) as Place;

  const page = new Page(asked);
  const access = accessOf(query, clock.now());
  const { from, below } = rangeOf(query);
  if (place.below !== undefined && !(from <= place.below && place.below <= below)) return invalidCursor;
  let rest: Place | undefined;
  switch (access.kind) {
    case 'service':
      rest = await fromService(trail, access.service, asked, page, place);
      break;
    case 'pointers': {
      const key = await fromPointers(trail, access.partition, asked, page, place);
      rest = key === undefined ? undefined : { below: key };
      break;
    }
    case 'days':
      rest = await fromDays(trail, access, asked, page, place);
      break;
  }
  const { service } = query;
  const isNothing = page.records.length === 0 && cursor === undefined && rest === undefined;
  // "Nothing happened" must not be the answer to a name that was misspelt.
  if (isNothing && service !== undefined) {
    page.read += 1;
    if ((await itemOf(trail, service)).kind === 'absent') return noSuchService(service);
  }
  return {
    kind: 'answer',
    answer: {
      records: page.records,
      cursor: rest === undefined ? null : toCursor({ asked: print, place: rest }),
      read: page.read,
      missing: page.missing,
    },
  };
}

/** One episode with all its steps. */
export async function findEpisode(
  { trail }: AuditPorts,
  id: EpisodeId,
): Promise<Asked<{ readonly record: EpisodeRecord }>> {
  const { rows } = await trail.pointers(`BY#EPISODE#${id}`, rangeOf({}), 1);
  const [row] = await trail.rows(rows);
  if (row) return { kind: 'answer', answer: { record: toRecord(row.service, row) as EpisodeRecord } };
  const name = id.slice(0, id.lastIndexOf('.')) as ServiceName;
  const item = await itemOf(trail, name);
  const state = item.kind === 'known' ? item.state : undefined;
  // Ended, and not copied yet: the copy is what whoever looks next makes of it.
  const frozen = state?.frozen && toRecord(name, state.frozen);
  if (frozen?.kind === 'episode' && (frozen as EpisodeRecord).episode.id === id)
    return { kind: 'answer', answer: { record: frozen as EpisodeRecord } };
  const detail =
    state?.episode?.id === id ? `${id} is still open; ask again when it has ended` : `no record of ${id}`;
  return { kind: 'absent', code: 'NO_SUCH_EPISODE', detail };
}

type Item =
  | { readonly kind: 'known'; readonly state: TrailHolder }
  | { readonly kind: 'absent' }
  | { readonly kind: 'malformed'; readonly why: string };

async function itemOf(trail: Trail, name: TrailName): Promise<Item> {
  try {
    const fact = await trail.service(name);
    return fact.kind === 'known' ? { kind: 'known', state: fact.value } : { kind: 'absent' };
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error;
    return { kind: 'malformed', why: error.problems.join('; ') };
  }
}

const chainPage = 200;

function isLink(value: unknown): value is ChainLink {
  const { number, hash } = (value ?? {}) as Record<keyof ChainLink, unknown>;
  return Number.isInteger(number) && Number(number) >= 0 && typeof hash === 'string';
}

/**
 * The whole chain of a service from its first record to the head in its item; a record that is frozen and not copied
 * yet counts as its last. Ends in time, with a cursor that goes on, by `deadlineMs`.
 */
export async function verifyTrail(
  ports: AuditPorts,
  query: VerifyQuery,
  deadlineMs: number,
): Promise<Asked<Verified>> {
  const { trail, hash, clock } = ports;
  const { service, cursor } = query;
  const print = fingerprint(ports, { verify: service });
  const given = cursor === undefined ? undefined : readCursor(cursor);
  if (cursor !== undefined && (given?.asked !== print || !isLink(given.place))) return invalidCursor;
  let last = (given?.place ?? beginning) as ChainLink;

  const item = await itemOf(trail, service);
  if (item.kind === 'absent') return noSuchService(service);
  const state = item.kind === 'known' ? item.state : undefined;
  const count = state ? state.trail.next - 1 : maxNumber;
  const faults: ChainFault[] = [];
  let records = 0;
  const check = (rows: readonly TrailRow[]) => {
    faults.push(...verifyChain(rows, hash.sha256, undefined, last));
    records += rows.length;
    last = rows.at(-1) ?? last;
  };
  for (;;) {
    const rows = await trail.oldest(service, last.number + 1, chainPage);
    // What was recorded since the item was read is for the next time.
    check(rows.filter((row) => row.number <= count));
    const isEnd = last.number >= count || rows.length === 0;
    if (isEnd) break;
    if (clock.now() >= deadlineMs) {
      const next = toCursor({ asked: print, place: { number: last.number, hash: last.hash } });
      return { kind: 'answer', answer: { service, records, head: last.hash, faults, cursor: next } };
    }
  }
  const fault = (number: number, why: string) => faults.push({ number, why });
  if (item.kind === 'malformed')
    fault(
      last.number,
      `the service's item cannot be understood, nothing can be said of its head: ${item.why}`,
    );
  if (state) {
    const { frozen } = state;
    if (frozen && frozen.number === last.number + 1) check([frozen]);
    else if (frozen && frozen.number === last.number && frozen.body !== (await bodyAt(trail, service, last)))
      fault(frozen.number, "the copy is not the record that is frozen in the service's item");
    if (last.number < count) fault(count, `the service counts ${count} records; the last ones are missing`);
    faults.push(...verifyChain([], hash.sha256, state.trail.head, last));
    const stranger = await beyond(trail, service, count);
    if (stranger !== undefined) fault(stranger, 'the service does not count this record');
  }
  return { kind: 'answer', answer: { service, records, head: last.hash, faults, cursor: null } };
}

const bodyAt = async (trail: Trail, service: string, { number }: ChainLink) =>
  (await trail.rows([{ service, number }]))[0]?.body;

/** A record behind the last one that the item counts, unless it was written just now. */
async function beyond(trail: Trail, service: TrailName, count: number): Promise<number | undefined> {
  const [row] = await trail.oldest(service, count + 1, 1);
  if (!row) return undefined;
  const now = await itemOf(trail, service);
  return now.kind === 'known' && row.number >= now.state.trail.next ? row.number : undefined;
}

/** How far back the last command to everything is looked for, past those that released a brake. */
const commandsBefore = 50;

/** What was done to everything around a past moment: by it the pause of the whole controller is known. */
async function controllerAround(trail: Trail, atMs: number): Promise<readonly TrailRecord[]> {
  const item = await itemOf(trail, everything);
  const near = await numberAt(trail, everything, atMs + 1, { read: 0 });
  const { rows } = await trail.newest(everything, { from: 1, to: near }, commandsBefore);
  const frozen = item.kind === 'known' ? item.state.frozen : undefined;
  const isCopied = frozen === undefined || rows.some((each) => each.number === frozen.number);
  return [...rows.toReversed(), ...(isCopied ? [] : [frozen])].map((row) => toRecord(everything, row));
}

/** How far back, and how far on, a past moment is looked at. */
const recordsBefore = 1_000;
const recordsAfter = 50;

/** What the controller knew at a past moment, from the records around it. */
export async function explainPast(
  { trail, clock }: AuditPorts,
  { service, at }: ExplainQuery,
): Promise<Asked<ExplainedPast>> {
  const nowMs = clock.now();
  // The clock of whoever asks may go ahead a little.
  if (at > nowMs + disorderMs) {
    const now = new Date(nowMs).toISOString();
    return { kind: 'invalid', problems: [`at: that moment is still to come (now is ${now})`] };
  }
  const item = await itemOf(trail, service);
  if (item.kind === 'absent') return noSuchService(service);
  const state = item.kind === 'known' ? item.state : undefined;
  const [near, ofController] = await Promise.all([
    numberAt(trail, service, at + 1, { read: 0 }),
    controllerAround(trail, at),
  ]);
  const older: TrailRow[] = [];
  let next = near;
  while (next > 0 && older.length < recordsBefore) {
    const slice: Slice<TrailRow> = await trail.newest(service, { from: 1, to: next }, 250);
    older.push(...slice.rows);
    next = slice.rest === undefined ? 0 : Number(slice.rest.slice(-12)) - 1;
  }
  const newer = await trail.oldest(service, near + 1, recordsAfter);
  const { frozen } = state ?? {};
  const isCopied = frozen && [...older, ...newer].some((each) => each.number === frozen.number);
  const records = [...older.toReversed(), ...newer, ...(frozen && !isCopied ? [frozen] : [])].map((row) =>
    toRecord(service, row),
  );
  const answer = explainAt({
    service,
    atMs: at,
    records,
    ofController,
    isWhole: next <= 0,
    ...(state?.episode && { open: state.episode }),
    ...(item.kind === 'malformed' && { open: 'unreadable' as const }),
  });
  return { kind: 'answer', answer: { service, at: new Date(at).toISOString(), answer } };
}
