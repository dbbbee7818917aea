/** Pagination: a token names the last record given, so that nothing is skipped when records come and go. */
import { invalidCombination, invalidValue } from './errors.ts';

export interface PageRequest {
  readonly MaxResults?: number | undefined;
  readonly NextToken?: string | undefined;
}

export interface PageLimits {
  readonly min: number;
  readonly max: number;
  /** Page size where none is asked for; without it, everything comes at once. */
  readonly otherwise?: number;
}

export const usualPage: PageLimits = { min: 5, max: 1_000 };

/** EC2 refuses a page size together with explicit ids. */
export function refusePagedIds(
  idParameter: string,
  ids: readonly string[] | undefined,
  page: PageRequest,
): void {
  if (ids !== undefined && ids.length > 0 && page.MaxResults !== undefined) {
    throw invalidCombination(`The parameter ${idParameter} cannot be used with the parameter maxResults`);
  }
}

/** `items` in order of `seqOf`. */
export function pageOf<T>(
  items: Iterable<T>,
  seqOf: (item: T) => number,
  page: PageRequest,
  limits: PageLimits = usualPage,
): { items: T[]; NextToken?: string } {
  const size = page.MaxResults ?? limits.otherwise ?? Number.POSITIVE_INFINITY;
  if (page.MaxResults !== undefined && (size < limits.min || size > limits.max)) {
    throw invalidValue(
      `Value ( ${size} ) for parameter maxResults is invalid. Expecting a value between ${limits.min} and ${limits.max}.`,
    );
  }
  const after = page.NextToken === undefined ? Number.NEGATIVE_INFINITY : seqIn(page.NextToken);
  const given: T[] = [];
  for (const item of items) {
    if (seqOf(item) <= after) continue;
    const last = given.at(-1);
    if (given.length === size && last !== undefined)
      return { items: given, NextToken: tokenFor(seqOf(last)) };
    given.push(item);
  }
  return { items: given };
}

const tokenFor = (seq: number): string => Buffer.from(`after:${seq}`).toString('base64url');

function seqIn(token: string): number {
  const seq = /^after:(\d+)$/.exec(Buffer.from(token, 'base64url').toString())?.[1];
  if (seq === undefined) throw invalidValue('Unable to parse pagination token');
  return Number(seq);
}
