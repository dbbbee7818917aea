/** Records for the trail: canonical, chained by hash, frozen in the service item before they are copied (P21). */

import type { EpisodeId, TrailName } from './ids.ts';
import type { OutboxEntry } from './notice.ts';
import type { Frozen, ServiceState } from './state.ts';

/** What kinds of records there are, and what each is about. */
export const recordKinds = {
  episode: 'an episode ended, with its plan and steps',
  refusal: 'a refusal, or a refusal for another reason than before',
  observed: 'somebody else detached, moved or split the interfaces',
  announced: 'AWS announced the loss of a member',
  change: 'registered, registration changed, or DeleteOnTermination set to false',
  pause: 'paused, by whom, why, until when',
  resume: 'resumed',
  ack: 'a quarantine, a budget, a refusal or an observation was acknowledged, or a brake released',
  recovered: 'no longer stranded',
  readiness: 'a failover would not work now, or would work again',
  request: 'a switchover or a failback was asked for, and taken on',
  drill: 'a rehearsal that somebody asked for, or a drill there and back: what passed, and what would not',
  'break-glass': 'what an operator did in EC2 by hand while the controller was out of reach',
} as const satisfies Record<string, string>;
export type RecordKind = keyof typeof recordKinds;

type Json = string | number | boolean | null | undefined | readonly Json[] | { readonly [key: string]: Json };

/**
 * JSON with keys in order and nothing undefined: equal content is equal text, so that a hash over it means
 * something and two copies are equal byte for byte.
 */
export function canonical(value: unknown): string {
  return JSON.stringify(sorted(value as Json));
}

function sorted(value: Json): Json {
  if (Array.isArray(value)) return value.map((each: Json) => sorted(each));
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value as { readonly [key: string]: Json });
  return Object.fromEntries(
    entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, each]) => [key, sorted(each)]),
  );
}

export interface RecordDraft {
  readonly kind: RecordKind;
  readonly atMs: number;
  readonly author: string;
  /** How it ended, or its reason code. */
  readonly outcome: string;
  /** The episode whose end it is. */
  readonly episode?: EpisodeId;
  /** Everything that the record says beside who, when and where in the chain. */
  readonly facts: Readonly<Record<string, unknown>>;
  readonly instances: readonly string[];
  readonly enis: readonly string[];
}

/** Whoever has a chain of records. */
export interface Chained extends Pick<ServiceState, 'trail'> {
  readonly name: TrailName;
}

/** The record with its place in the chain: the next number, and the hash of the one before. */
export function freeze(state: Chained, draft: RecordDraft, sha256: (text: string) => string): Frozen {
  const body = canonical({
    ...draft.facts,
    service: state.name,
    number: state.trail.next,
    kind: draft.kind,
    at: new Date(draft.atMs).toISOString(),
    author: draft.author,
    outcome: draft.outcome,
    instances: [...new Set(draft.instances)],
    interfaces: [...new Set(draft.enis)],
    previous: state.trail.head,
  });
  const day = new Date(draft.atMs).toISOString().slice(0, 10);
  return {
    number: state.trail.next,
    kind: draft.kind,
    atMs: draft.atMs,
    outcome: draft.outcome,
    author: draft.author,
    body,
    hash: sha256(body),
    pointers: [
      ...(draft.episode ? [`BY#EPISODE#${draft.episode}`] : []),
      ...draft.instances.map((id) => `BY#INSTANCE#${id}`),
      ...draft.enis.map((id) => `BY#ENI#${id}`),
      `BY#AUTHOR#${draft.author}`,
      `BY#DAY#${day}`,
    ],
  };
}

const maxOutbox = 20;

/** Adds a notice once. When the outbox is full, the oldest that may be dropped makes room; the rest stay (P23). */
export function withNotice(
  outbox: readonly OutboxEntry[],
  entry: OutboxEntry | undefined,
): readonly OutboxEntry[] {
  if (!entry || outbox.some((each) => each.dedupeId === entry.dedupeId)) return outbox;
  if (outbox.length < maxOutbox) return [...outbox, entry];
  const victim = outbox.findIndex((each) => !each.keep);
  if (victim < 0) return entry.keep ? [...outbox, entry] : outbox;
  return [...outbox.filter((_, index) => index !== victim), entry];
}

/** The state with a record frozen and its notice in the outbox. The slot must be free, or its record copied. */
export function withRecord(
  state: ServiceState,
  frozen: Frozen,
  notice: OutboxEntry | undefined,
): ServiceState {
  return {
    ...state,
    frozen,
    outbox: withNotice(state.outbox, notice),
    trail: { next: frozen.number + 1, head: frozen.hash },
  };
}

interface ChainRow {
  readonly number: number;
  readonly body: string;
  readonly hash: string;
  /** Beside the text, where the row has them: what queries go by must say what the text says. */
  readonly kind?: string;
  readonly atMs?: number;
  readonly outcome?: string;
  readonly author?: string;
}

/** Where a chain stands: the last number and its hash. */
export interface ChainLink {
  readonly number: number;
  readonly hash: string;
}

export const beginning: ChainLink = { number: 0, hash: '' };

function bodyOf(text: string): Readonly<Record<string, unknown>> {
  try {
    return (JSON.parse(text) ?? {}) as Readonly<Record<string, unknown>>;
  } catch {
    return {};
  }
}

/** What a row says beside its text, and the text says otherwise. */
function otherwise(row: ChainRow, body: Readonly<Record<string, unknown>>): readonly string[] {
  const { number, kind, outcome, author, atMs } = row;
  const at = atMs === undefined ? undefined : new Date(atMs).toISOString();
  return Object.entries({ number, kind, outcome, author, at })
    .filter(([key, value]) => value !== undefined && body[key] !== undefined && body[key] !== value)
    .map(([key]) => key);
}

export type ChainFault = { readonly number: number; readonly why: string };

/**
 * Checks a run of trail rows that follows `before`: numbers without gaps, each hash over its body, each linked to the
 * one before. With `head`, the last one must be it.
 */
export function verifyChain(
  rows: readonly ChainRow[],
  sha256: (text: string) => string,
  head?: string,
  before: ChainLink = beginning,
): readonly ChainFault[] {
  const faults: ChainFault[] = [];
  let last: ChainLink = before;
  for (const row of rows) {
    const body = bodyOf(row.body);
    const fault = (why: string) => faults.push({ number: row.number, why });
    if (row.number !== last.number + 1) fault('a record before it is missing');
    if (sha256(row.body) !== row.hash) fault('its text does not match its hash');
    if (body['previous'] !== last.hash) fault('it does not follow the record before it');
    const others = otherwise(row, body);
    if (others.length > 0) fault(`its row says another ${others.join(', ')} than its text`);
    last = row;
  }
  if (head !== undefined && head !== last.hash)
    faults.push({ number: last.number, why: "the service's head hash is another one" });
  return faults;
}
