/** How a question to the trail becomes ranges of keys: the narrowest partition first, the rest sorted out after it. */
import type { RecordsQuery, TrailRecord } from './audit-query.ts';
import type { TrailName } from './ids.ts';

/** Whoever acts by himself: the author of nearly everything, so that his partition narrows nothing down. */
const controller = 'eni-failover';

const dayMs = 24 * 60 * 60 * 1_000;

/** A worker's clock may be ahead of ours. */
const skewMs = 60 * 1_000;

/** A question by time alone goes back at most so far from its end, unless it says from when. */
const longestMs = 400 * dayMs;

/** A range of pointers in one partition: `from` is included, `below` is not. */
export interface PointerRange {
  readonly partition: string;
  readonly from: string;
  readonly below: string;
}

export type Access =
  /** The service's own records, by number: nothing but themselves is read. */
  | { readonly kind: 'service'; readonly service: TrailName }
  /** Pointers of the same author, instance or interface, in the order of time. */
  | { readonly kind: 'pointers'; readonly partition: string }
  /** The pointers of a day, one day after the other. */
  | { readonly kind: 'days'; readonly first: string; readonly last: string };

const dayOf = (atMs: number) => new Date(atMs).toISOString().slice(0, 10);

/** Which partition answers with the fewest rows that were not asked for. */
export function accessOf(query: RecordsQuery, nowMs: number): Access {
  const { service, instance, interface: eni, author, from, to = nowMs + skewMs } = query;
  if (instance !== undefined) return { kind: 'pointers', partition: `BY#INSTANCE#${instance}` };
  if (eni !== undefined) return { kind: 'pointers', partition: `BY#ENI#${eni}` };
  if (author !== undefined && author !== controller)
    return { kind: 'pointers', partition: `BY#AUTHOR#${author}` };
  if (service !== undefined) return { kind: 'service', service };
  if (author !== undefined) return { kind: 'pointers', partition: `BY#AUTHOR#${author}` };
  return { kind: 'days', first: dayOf(from ?? to - longestMs), last: dayOf(to - 1) };
}

export const partitionOfDay = (day: string) => `BY#DAY#${day}`;
export const dayBefore = (day: string) => dayOf(Date.parse(day) - dayMs);

/** Behind every time that a key can begin with. */
const afterAll = '~';

/** The sort keys of pointers between the two times: a key begins with its time, and nothing sorts like a bare time. */
export const rangeOf = ({ from, to }: Pick<RecordsQuery, 'from' | 'to'>) => ({
  from: from === undefined ? '0' : new Date(from).toISOString(),
  below: to === undefined ? afterAll : new Date(to).toISOString(),
});

/** Is anything asked for beside what the partition stands for? Then pointers are read that lead to nothing asked for. */
export function isSparse({ kind, outcome, ...query }: RecordsQuery): boolean {
  const { service, instance, interface: eni, author } = query;
  const named = [service, instance, eni, author].filter((each) => each !== undefined);
  return kind !== undefined || outcome !== undefined || named.length > 1;
}

/** Holds a record against all that was asked for, whatever brought it here. */
export function isAskedFor(record: TrailRecord, text: string, query: RecordsQuery): boolean {
  const { service, instance, interface: eni, author, kind, outcome, from, to } = query;
  const atMs = Date.parse(record.at);
  // A record of an older version does not list whom it concerns; its text names them.
  const names = (list: readonly string[] | undefined, id: string) => list?.includes(id) ?? text.includes(id);
  return (
    (service === undefined || record.service === service) &&
    (instance === undefined || names(record.instances, instance)) &&
    (eni === undefined || names(record.interfaces, eni)) &&
    (author === undefined || record.author === author) &&
    (kind === undefined || record.kind === kind) &&
    (outcome === undefined || record.outcome === outcome) &&
    (from === undefined || atMs >= from) &&
    (to === undefined || atMs < to)
  );
}

interface Row {
  readonly number: number;
  readonly kind: string;
  readonly atMs: number;
  readonly body: string;
  readonly hash: string;
}

/** What older versions recorded without an outcome of its own. */
const outcomesByKind: Readonly<Record<string, string>> = {
  pause: 'PAUSED',
  resume: 'RESUMED',
  ack: 'ACKNOWLEDGED',
  change: 'CHANGED',
};

/** A row as it is answered. One whose text is no record any more is answered too, as what it is. */
export function toRecord(service: string, row: Row): TrailRecord {
  let body: Partial<TrailRecord> & { readonly code?: unknown } = {};
  try {
    body = (JSON.parse(row.body) ?? {}) as typeof body;
  } catch {
    const { number, kind, hash } = row;
    const at = new Date(row.atMs).toISOString();
    const outcome = 'UNREADABLE';
    const unknown = { author: '', previous: '', instances: [], interfaces: [] };
    return {
      ...unknown,
      service,
      number,
      kind: kind as TrailRecord['kind'],
      at,
      outcome,
      hash,
      text: row.body,
    };
  }
  const { code, outcome = typeof code === 'string' ? code : outcomesByKind[row.kind] } = body;
  return { ...(body as TrailRecord), outcome: outcome ?? row.kind.toUpperCase(), hash: row.hash };
}
