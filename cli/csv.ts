/** Records as a table for spreadsheets: one fixed set of columns, quoted as RFC 4180 says, and never a formula. */
import { stringify } from 'csv-stringify/sync';
import type { TrailRecord } from '../shared/core/audit-query.ts';
import { gapOf } from '../shared/core/gap.ts';
import { isEpisode, summaryOf } from './record-view.ts';

/** In this order; docs/cli.md describes each. New columns are added at the end. */
export const csvColumns = [
  'at',
  'service',
  'number',
  'kind',
  'outcome',
  'author',
  'summary',
  'code',
  'reason',
  'episode',
  'episode_kind',
  'from',
  'to',
  'evidence',
  'opened_at',
  'closed_at',
  'open_ms',
  'detach_to_verified_ms',
  'instances',
  'interfaces',
  'previous',
  'hash',
] as const;

type Row = Readonly<Record<(typeof csvColumns)[number], unknown>>;

const textOf = (value: unknown) => (typeof value === 'string' ? value : '');

function toRow(record: TrailRecord): Row {
  const episode = isEpisode(record) ? record.episode : undefined;
  const openedAtMs = episode?.openedAtMs;
  const closedAt = textOf(record['closedAt']);
  return {
    at: record.at,
    service: record.service,
    number: record.number,
    kind: record.kind,
    outcome: record.outcome,
    author: record.author,
    summary: summaryOf(record),
    code: textOf(record['code']),
    reason: textOf(record['reason']) || (episode?.request?.reason ?? ''),
    episode: episode?.id ?? '',
    episode_kind: episode?.kind ?? '',
    from: episode?.plan.source ?? '',
    to: episode?.plan.target ?? '',
    evidence: episode?.evidence ?? '',
    opened_at: openedAtMs === undefined ? '' : new Date(openedAtMs).toISOString(),
    closed_at: closedAt,
    open_ms: openedAtMs === undefined ? '' : Date.parse(closedAt) - openedAtMs,
    detach_to_verified_ms: (episode && gapOf(episode.steps)) ?? '',
    instances: record.instances.join(' '),
    interfaces: record.interfaces.join(' '),
    previous: record.previous,
    hash: record.hash,
  };
}

/** Whole lines. What a spreadsheet would take for a formula is preceded by an apostrophe, and so shown as it is. */
export const toCsv = (records: readonly TrailRecord[], options: { readonly header: boolean }): string =>
  stringify(records.map(toRow), {
    columns: [...csvColumns],
    header: options.header,
    record_delimiter: 'windows',
    escape_formulas: true,
  });
