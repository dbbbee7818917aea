/** What is wrong with an input, in sentences that name the field, the value and the way out. */
import * as v from 'valibot';

/** A place in a schema, as far as it can be asked what belongs there. */
interface Place {
  readonly wrapped?: Place;
  readonly item?: Place;
  readonly entries?: Readonly<Record<string, Place>>;
  readonly options?: readonly unknown[];
  /** Of a schema that depends on what is there. */
  readonly getter?: (input: unknown) => Place;
  readonly pipe?: readonly { readonly message?: unknown }[];
}

function placeAt(
  schema: Place | undefined,
  path: readonly { readonly key?: unknown; readonly value?: unknown }[],
): Place | undefined {
  let place = schema;
  for (const { key, value } of path) {
    const part = typeof key === 'number' ? place?.item : place?.entries?.[String(key)];
    const bare = part?.wrapped ?? part;
    place = bare?.getter?.(value) ?? bare;
  }
  return place;
}

/** How many letters differ, two that changed places counting as one. */
function distance(a: string, b: string): number {
  const rows: number[][] = [];
  const at = (i: number, j: number) => (i < 0 || j < 0 ? i + j + 2 : (rows[i]?.[j] ?? 0));
  for (let i = 0; i < a.length; i += 1) {
    const row: number[] = [];
    rows.push(row);
    for (let j = 0; j < b.length; j += 1) {
      const swapped = a[i] === b[j - 1] && a[i - 1] === b[j];
      row.push(
        Math.min(
          at(i - 1, j) + 1,
          at(i, j - 1) + 1,
          at(i - 1, j - 1) + Number(a[i] !== b[j]),
          swapped ? at(i - 2, j - 2) + 1 : Number.POSITIVE_INFINITY,
        ),
      );
    }
  }
  return at(a.length - 1, b.length - 1);
}

const lettersOf = (key: string) => key.toLowerCase().replace(/[^a-z]/g, '');

/** The known key that was probably meant; undefined when none is near. */
export function nearestKey(key: string, known: readonly string[]): string | undefined {
  const word = lettersOf(key);
  const begins = (other: string) =>
    Math.min(word.length, other.length) >= 3 && (other.startsWith(word) || word.startsWith(other));
  const [best] = known
    .map((each) => ({ each, off: begins(lettersOf(each)) ? 0 : distance(word, lettersOf(each)) }))
    .sort((a, b) => a.off - b.off);
  return best && best.off <= Math.max(1, Math.floor(word.length / 3)) ? best.each : undefined;
}

const types: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  boolean: 'true or false',
  Array: 'a list',
  Object: 'a map',
};

function problemOf(issue: v.BaseIssue<unknown>, schema: Place | undefined): string {
  const path = issue.path ?? [];
  const dotted = v.getDotPath(issue);
  const { expected, received, message } = issue;
  // What a check over several fields complains of names its fields itself.
  if (!dotted && issue.kind !== 'schema') return message;
  const at = dotted ?? 'declaration';
  if (expected === 'never') {
    const known = Object.keys(placeAt(schema, path.slice(0, -1))?.entries ?? {});
    const nearest = nearestKey(String(path.at(-1)?.key), known);
    const help = nearest ? `did you mean ${nearest}?` : `known here: ${known.join(', ')}`;
    return `${at}: is not a known key; ${known.length > 0 ? help : 'remove it or correct its spelling'}`;
  }
  const place = placeAt(schema, path);
  const said = place?.pipe?.map((each) => each.message).find((each) => typeof each === 'string');
  const words = place?.options?.map((each) => JSON.stringify(each)).join(' or ');
  const rule = said ?? (words && `must be ${words}`);
  if (received === 'undefined') return `${at}: is missing; it ${rule ?? 'has to be there'}`;
  const isLength = issue.type.endsWith('_length');
  const value = received === 'null' ? 'empty' : (types[received] ?? received.slice(0, 80));
  const shown = `${isLength ? 'has' : 'is'} ${value}`;
  if (issue.kind !== 'schema') {
    const isDefault = message.startsWith('Invalid ');
    const wanted = `must ${isLength ? 'have a length of' : 'be'} ${expected ?? 'a whole number'}`;
    return `${at}: ${isDefault ? wanted : message} (${shown})`;
  }
  const keys = place?.entries ? ` of ${Object.keys(place.entries).join(', ')}` : '';
  const type = types[expected ?? ''] ?? (expected ?? '?').replace(/[()]/g, '').replaceAll(' | ', ' or ');
  return `${at}: must be ${type}${keys} (${shown})${rule && expected === 'string' ? `; it ${rule}` : ''}`;
}

/**
 * Where each schema issue is, what is there and what would be right, one sentence each. With the schema at
 * hand, an unknown key names the nearest known one and a missing value what it would have to look like.
 */
export function problemsOf(issues: readonly v.BaseIssue<unknown>[], schema?: v.GenericSchema): string[] {
  return issues.map((issue) => problemOf(issue, schema as Place | undefined));
}
