/** What can be asked of the trail, and what is answered: the words that functions/audit and its callers share. */
import * as v from 'valibot';
import type { Episode } from './episode.ts';
import { EniIdSchema, InstanceIdSchema, ServiceNameSchema, TrailNameSchema } from './ids.ts';
import { problemsOf } from './problems.ts';
import { type RecordKind, recordKinds } from './trail.ts';

/** A record as it is answered: the text of its row as JSON, with its hash. What else it holds differs by kind. */
export interface TrailRecord {
  /** `*` for what was done to everything. */
  readonly service: string;
  readonly number: number;
  readonly kind: RecordKind;
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly author: string;
  /** How it ended, or its reason code. */
  readonly outcome: string;
  /** The hash of the record before it; empty in the first one. */
  readonly previous: string;
  readonly hash: string;
  readonly instances: readonly string[];
  readonly interfaces: readonly string[];
  readonly [fact: string]: unknown;
}

/** A record of kind `episode`. */
export interface EpisodeRecord extends TrailRecord {
  readonly kind: 'episode';
  readonly why: string;
  readonly closedAt: string;
  readonly episode: Episode;
  /** Where each interface was at the end: an instance, null for nothing, or `absent` or `unknown`. */
  readonly attachedTo: Readonly<Record<string, string | null>>;
}

export interface TrailPage {
  /** Newest first. */
  readonly records: readonly TrailRecord[];
  /** Goes on behind the last record; null at the end. A page may be short, or empty, and still have one. */
  readonly cursor: string | null;
  /** How many items of the table were read for it. */
  readonly read: number;
  /** Records that something leads to, and that are not in the table: verify says what else is wrong. */
  readonly missing: readonly { readonly service: string; readonly number: number }[];
}

export interface Verified {
  readonly service: string;
  /** How many records were checked in this answer. */
  readonly records: number;
  /** The hash of the last record that was checked. */
  readonly head: string;
  readonly faults: readonly { readonly number: number; readonly why: string }[];
  /** There was not time for all of it: goes on from here; null when the chain was checked to its end. */
  readonly cursor: string | null;
}

const timePattern = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d))?$/;

/** How a time is written: a day, or a moment with its offset from UTC. */
const TimeSchema = v.pipe(
  v.string(),
  v.check(
    (text) => timePattern.test(text) && Number.isFinite(Date.parse(text)),
    'must be a day such as 2026-11-21 (UTC), or a moment such as 2026-11-21T02:11:00Z or 2026-11-21T03:11+01:00',
  ),
  v.transform((text) => Date.parse(text)),
);

const maxLimit = 100;
const limitRule = `must be a whole number from 1 to ${maxLimit}`;
const LimitSchema = v.pipe(
  v.string(),
  v.regex(/^\d{1,3}$/, limitRule),
  v.transform(Number),
  v.minValue(1, limitRule),
  v.maxValue(maxLimit, limitRule),
);

/** Part of a key, of which DynamoDB takes 2,048 bytes. */
const AuthorSchema = v.pipe(
  v.string(),
  v.nonEmpty('must not be empty'),
  v.maxBytes(1_000, 'must be at most 1000 bytes'),
);
const KindSchema = v.picklist(Object.keys(recordKinds) as RecordKind[]);
const OutcomeSchema = v.pipe(
  v.string(),
  v.regex(/^[A-Z][A-Z_]*$/, 'must be an outcome or a reason code, such as COMPLETED or PAUSED'),
);

const RecordsSchema = v.pipe(
  v.strictObject({
    service: v.exactOptional(TrailNameSchema),
    instance: v.exactOptional(InstanceIdSchema),
    interface: v.exactOptional(EniIdSchema),
    author: v.exactOptional(AuthorSchema),
    from: v.exactOptional(TimeSchema),
    to: v.exactOptional(TimeSchema),
    kind: v.exactOptional(KindSchema),
    outcome: v.exactOptional(OutcomeSchema),
    limit: v.exactOptional(LimitSchema),
    cursor: v.exactOptional(v.string()),
  }),
  v.check(
    // Where one of them is no time, that is the problem.
    ({ from, to }) => typeof from !== 'number' || typeof to !== 'number' || from < to,
    'from: must be earlier than to',
  ),
);

/** `from` and `to` in milliseconds; from is included, to is not. */
export type RecordsQuery = v.InferOutput<typeof RecordsSchema>;

const VerifySchema = v.strictObject({ service: TrailNameSchema, cursor: v.exactOptional(v.string()) });
export type VerifyQuery = v.InferOutput<typeof VerifySchema>;

const ExplainSchema = v.strictObject({ service: ServiceNameSchema, at: TimeSchema });
export type ExplainQuery = v.InferOutput<typeof ExplainSchema>;

/** What may be asked, by path; a parameter that is not here is a problem. */
export const queries = { records: RecordsSchema, verify: VerifySchema, explain: ExplainSchema } as const;

export type Parsed<T> =
  | { readonly kind: 'valid'; readonly query: T }
  | { readonly kind: 'invalid'; readonly problems: readonly string[] };

/** Parameters as they come in an address: every problem is named at once. */
export function parseQuery<K extends keyof typeof queries>(
  what: K,
  parameters: unknown,
): Parsed<v.InferOutput<(typeof queries)[K]>> {
  const schema: v.GenericSchema<unknown, v.InferOutput<(typeof queries)[K]>> = queries[what];
  const result = v.safeParse(schema, parameters);
  return result.success
    ? { kind: 'valid', query: result.output }
    : { kind: 'invalid', problems: problemsOf(result.issues, schema) };
}
