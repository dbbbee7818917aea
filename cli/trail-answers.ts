/** What functions/audit answers, as far as the commands need it: checked, so that nothing else is shown as a trail. */
import * as v from 'valibot';
import type { EpisodeRecord, TrailPage, TrailRecord, Verified } from '../shared/core/audit-query.ts';
import type { ExplainedPast } from '../shared/core/explain-at.ts';
import { CliError } from './answer.ts';
import type { AuditAnswer, AuditClient } from './audit-client.ts';

/** Not there: nobody registered it, or no such episode ended. */
export interface Missing {
  readonly kind: 'missing';
  readonly code: string;
  readonly detail: string;
}

export type Read<T> = { readonly kind: 'read'; readonly value: T } | Missing;

/** Only what is shown or followed is held against what was promised; the rest passes through. */
const RecordSchema = v.looseObject({
  service: v.string(),
  number: v.number(),
  kind: v.string(),
  at: v.string(),
  author: v.string(),
  outcome: v.string(),
  previous: v.string(),
  hash: v.string(),
  instances: v.array(v.string()),
  interfaces: v.array(v.string()),
});
const PageSchema = v.looseObject({
  records: v.array(RecordSchema),
  cursor: v.nullable(v.string()),
  read: v.number(),
  missing: v.array(v.looseObject({ service: v.string(), number: v.number() })),
});
const OneSchema = v.looseObject({ record: RecordSchema });
const VerifiedSchema = v.looseObject({
  service: v.string(),
  records: v.number(),
  head: v.string(),
  faults: v.array(v.looseObject({ number: v.number(), why: v.string() })),
  cursor: v.nullable(v.string()),
});
const ExplainedSchema = v.looseObject({
  service: v.string(),
  at: v.string(),
  answer: v.looseObject({ verdict: v.string(), sentence: v.string() }),
});
const ProblemsSchema = v.looseObject({ problems: v.array(v.string()) });
const MissingSchema = v.looseObject({ code: v.string(), detail: v.string() });

function understood<T>(schema: v.GenericSchema<unknown, unknown>, body: unknown): T {
  // The schema is a part of T: functions/audit and this share the rest as types (audit-query.ts). The body is handed
  // on as it came, with its keys in their order: that is what the hashes are over.
  if (v.is(schema, body)) return body as T;
  throw new CliError(
    'failed',
    'functions/audit answered what this version does not understand: ' +
      'check --audit-url, and that stack and command line are of the same version',
  );
}

interface Problems {
  readonly problems: readonly string[];
}

/** What functions/audit calls from and to was typed as --since and --until. */
const asOption = (problem: string) =>
  problem
    .replace(/^from: must be earlier than to$/, '--since: must be earlier than --until')
    .replace(/^from:/, '--since:')
    .replace(/^to:/, '--until:');

function toRead<T>({ status, body }: AuditAnswer, schema: v.GenericSchema<unknown, unknown>): Read<T> {
  if (status === 200) return { kind: 'read', value: understood<T>(schema, body) };
  if (status === 404) return { kind: 'missing', ...understood<Omit<Missing, 'kind'>>(MissingSchema, body) };
  if (status === 400)
    throw new CliError('usage', understood<Problems>(ProblemsSchema, body).problems.map(asOption).join('; '));
  throw new CliError('failed', `functions/audit answered with status ${status}: see its log`);
}

export type RecordFilters = Readonly<Record<string, string | number | undefined>>;

export async function readPage(audit: AuditClient, filters: RecordFilters): Promise<Read<TrailPage>> {
  return toRead(await audit.get('v1/records', filters), PageSchema);
}

export async function readEpisode(audit: AuditClient, id: string): Promise<Read<EpisodeRecord>> {
  const one = toRead<{ record: TrailRecord }>(await audit.get(`v1/episodes/${id}`), OneSchema);
  return one.kind === 'read' ? { kind: 'read', value: one.value.record as EpisodeRecord } : one;
}

/** The whole chain, however many answers it takes. */
export async function readVerified(audit: AuditClient, service: string): Promise<Read<Verified>> {
  let records = 0;
  const faults: Verified['faults'][number][] = [];
  let cursor: string | undefined;
  for (;;) {
    const part = toRead<Verified>(await audit.get('v1/verify', { service, cursor }), VerifiedSchema);
    if (part.kind === 'missing') return part;
    records += part.value.records;
    faults.push(...part.value.faults);
    if (part.value.cursor === null) return { kind: 'read', value: { ...part.value, records, faults } };
    cursor = part.value.cursor;
  }
}

export async function readPast(
  audit: AuditClient,
  service: string,
  atMs: number,
): Promise<Read<ExplainedPast>> {
  const at = new Date(atMs).toISOString();
  return toRead(await audit.get('v1/explain', { service, at }), ExplainedSchema);
}
