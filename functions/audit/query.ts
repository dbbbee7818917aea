/** What came over the function URL, boiled down to one question of the trail. Pure and total. */
import {
  type ExplainQuery,
  parseQuery,
  type queries,
  type RecordsQuery,
  type VerifyQuery,
} from '../../shared/core/audit-query.ts';
import type { EpisodeId } from '../../shared/core/ids.ts';
import { nearestKey } from '../../shared/core/problems.ts';

export type Question =
  | { readonly kind: 'records'; readonly query: RecordsQuery }
  | { readonly kind: 'episode'; readonly id: EpisodeId }
  | { readonly kind: 'verify'; readonly query: VerifyQuery }
  | { readonly kind: 'explain'; readonly query: ExplainQuery }
  | { readonly kind: 'invalid'; readonly problems: readonly string[] }
  | { readonly kind: 'no-such-path'; readonly detail: string }
  | { readonly kind: 'not-a-get'; readonly method: string };

/** The paths, as docs/audit-openapi.json writes them. */
export const paths = ['/v1/records', '/v1/episodes/{id}', '/v1/verify', '/v1/explain'] as const;

const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const part = (value: unknown, key: string): unknown =>
  value !== null && typeof value === 'object' ? (value as Readonly<Record<string, unknown>>)[key] : undefined;

/** A parameter that is given twice would say two things; the first would win in silence. */
function parametersIn(raw: string): {
  readonly given: Record<string, string>;
  readonly twice: readonly string[];
} {
  const all = [...new URLSearchParams(raw)];
  const keys = all.map(([key]) => key);
  const twice = [...new Set(keys.filter((key, index) => keys.indexOf(key) !== index))];
  return {
    given: Object.fromEntries(all),
    twice: twice.map((key) => `${key}: is given twice; give it once`),
  };
}

function ask<K extends keyof typeof queries>(what: K, raw: string) {
  const { given, twice } = parametersIn(raw);
  const parsed = parseQuery(what, given);
  const problems = [...twice, ...(parsed.kind === 'invalid' ? parsed.problems : [])];
  return parsed.kind === 'valid' && problems.length === 0
    ? { kind: what, query: parsed.query }
    : { kind: 'invalid' as const, problems };
}

function askForEpisode(id: string, raw: string): Question {
  const { given } = parametersIn(raw);
  const problems = [
    ...(/^[a-z0-9][a-z0-9-]{0,62}\.\d{1,12}$/.test(id)
      ? []
      : ['id: must be the id of an episode, such as orders-db.7']),
    ...Object.keys(given).map((key) => `${key}: is not a known key; remove it`),
  ];
  return problems.length > 0 ? { kind: 'invalid', problems } : { kind: 'episode', id: id as EpisodeId };
}

function noSuchPath(path: string): Question {
  const name = path.split('/').find((each) => !['', 'v1'].includes(each)) ?? '';
  const nearest = nearestKey(name, ['records', 'episodes', 'verify', 'explain']);
  const known = paths.join(', ');
  const help = nearest ? `did you mean /v1/${nearest}?` : `known here: ${known}`;
  return { kind: 'no-such-path', detail: `${path}: is not a known path; ${help}` };
}

export function parseQuestion(event: unknown): Question {
  const method = text(part(part(part(event, 'requestContext'), 'http'), 'method'));
  if (method !== 'GET') return { kind: 'not-a-get', method };
  const path = text(part(event, 'rawPath'));
  const raw = text(part(event, 'rawQueryString'));
  const episode = /^\/v1\/episodes\/([^/]+)$/.exec(path)?.[1];
  if (episode !== undefined) return askForEpisode(episode, raw);
  switch (path) {
    case '/v1/records':
      return ask('records', raw) as Question;
    case '/v1/verify':
      return ask('verify', raw) as Question;
    case '/v1/explain':
      return ask('explain', raw) as Question;
    default:
      return noSuchPath(path);
  }
}
