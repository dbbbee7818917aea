/** Where a page of the trail ended, in a form that callers hand back and do not read. */

/** Binds a place to the question that it belongs to. */
export interface Cursor<P> {
  readonly asked: string;
  readonly place: P;
}

/** JSON in base64url: it stands in an address as it is. A place is ASCII throughout. */
export function toCursor<P>(cursor: Cursor<P>): string {
  return btoa(JSON.stringify(cursor)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** What a cursor says; undefined when it is none of ours. Only its form is known: the place must still be checked. */
export function readCursor(text: string): Cursor<unknown> | undefined {
  try {
    const json = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
    const value = JSON.parse(json) as Partial<Cursor<unknown>> | null;
    return typeof value?.asked === 'string' && 'place' in value
      ? { asked: value.asked, place: value.place }
      : undefined;
  } catch {
    return undefined;
  }
}
