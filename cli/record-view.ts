/** A record of the trail in one line of words: what happened, whatever kind of record it is. Pure. */

import type { EpisodeRecord, TrailRecord } from '../shared/core/audit-query.ts';
import { quoted } from './arguments.ts';
import type { Style } from './output.ts';

export const isEpisode = (record: TrailRecord): record is EpisodeRecord =>
  record.kind === 'episode' && typeof record['episode'] === 'object' && record['episode'] !== null;

/** `orders-db#12`, as `show` takes it. */
export const placeOf = ({ service, number }: Pick<TrailRecord, 'service' | 'number'>) =>
  `${service}#${number}`;

/** The command that shows it: a shell would take the controller's own name for a pattern. */
export const showOf = (record: Pick<TrailRecord, 'service' | 'number'>) => `show ${quoted(placeOf(record))}`;

const wordOf = (value: unknown) => (typeof value === 'string' ? value : undefined);

/** From where to where; nothing held what a rescue brings back. */
export const movement = ({ kind, plan }: EpisodeRecord['episode']) =>
  `${(kind === 'rescue' ? undefined : plan.source) ?? 'nothing'} → ${plan.target}`;

const wordsOf = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];

/** What was changed, before why; that calls would be allowed says nothing of whether they would be made. */
function withMore({ kind, changes, hindrances }: TrailRecord, said: string | undefined): string | undefined {
  if (kind === 'change' && wordsOf(changes).length > 0)
    return [...wordsOf(changes), ...(said ? [said] : [])].join('; ');
  const codes = wordsOf(hindrances).map((each) => each.replace(/:.*$/s, ''));
  if (kind === 'drill' && codes.length > 0)
    return `${said ?? ''}; but ${codes.join(', ')}: a failover would NOT happen`;
  return said;
}

/** The first that the record has of what records say about themselves. */
function detailOf(record: TrailRecord): string {
  const { what, detail, reason, holder, code } = record;
  if (wordOf(what)) return `${wordOf(what)}: ${wordOf(detail) ?? ''}`;
  const said = withMore(record, wordOf(detail) ?? wordOf(reason));
  if (said) return said;
  if (wordOf(holder)) return `all on ${wordOf(holder)}`;
  // Of a change that does not say what it changed, not that it was the members.
  if (record.outcome === 'CHANGED') return wordOf(code) ?? 'the registration';
  if (record.kind === 'change' && record['declaration']) return `members ${record.instances.join(', ')}`;
  return wordOf(code) ?? '';
}

/** An ARN without what every other of the account begins with: a row has no room for it, and `show` says it whole. */
export const briefly = (text: string) => text.replace(/\barn:aws[\w-]*:[\w-]+:[\w-]*:\d*:(?=[\w/])/g, '');

/** Nobody has to be told that the controller did what it is for, or a second time who asked for it. */
const byWhom = ({ author }: TrailRecord, said: string) =>
  author === 'eni-failover' || said.includes(author) ? '' : `, by ${author}`;

export function summaryOf(record: TrailRecord): string {
  if (isEpisode(record)) {
    const { episode, why } = record;
    return `${episode.kind} ${movement(episode)}: ${why}${byWhom(record, why)}`;
  }
  const detail = detailOf(record);
  return `${record.kind}${detail ? `: ${detail}` : ''}${byWhom(record, detail)}`;
}

const good = new Set(['COMPLETED', 'READY', 'RECOVERED', 'NOTHING_TO_DO']);
const bad = new Set(['STRANDED', 'NEEDS_HUMAN', 'ATTACHED', 'RETURNED_TO_SOURCE', 'REFUSED']);

export function styleOf({ kind, outcome }: TrailRecord): Style | undefined {
  if (good.has(outcome)) return 'green';
  if (bad.has(outcome)) return 'red';
  return kind === 'refusal' || kind === 'observed' || kind === 'readiness' ? 'yellow' : undefined;
}
