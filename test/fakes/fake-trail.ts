/** The trail of the fake store behind its own port: what was copied there, by service and by pointer. */
import type { Pointer, RowsAskedFor, Slice, Trail, TrailRow } from '../../shared/app/ports.ts';
import { everything, type TrailName } from '../../shared/core/ids.ts';
import { absent, known } from '../../shared/core/observation.ts';
import { parseServiceState } from '../../shared/core/state.ts';
import type { FakeStore } from './fake-store.ts';

const sortOf = ({ atMs, number }: TrailRow, service: string) =>
  `${new Date(atMs).toISOString()}#${service}#${String(number).padStart(12, '0')}`;

const fits = (row: TrailRow, service: string, where: RowsAskedFor = {}) =>
  [
    [where.service, service],
    [where.kind, row.kind],
    [where.outcome, row.outcome],
    [where.author, row.author],
  ].every(([asked, is]) => asked === undefined || asked === is);

const rowsOf = (store: FakeStore, service: string) => store.rows(service as TrailName);

/** `limit` bounds what is read, as in DynamoDB, not what is found. */
function sliced<T, U>(
  all: readonly T[],
  limit: number,
  keep: (row: T) => readonly U[],
  key: (row: T) => string,
) {
  const read = all.slice(0, limit);
  const last = read.at(-1);
  const rest = all.length > limit && last !== undefined ? { rest: key(last) } : {};
  return { rows: read.flatMap(keep), read: read.length, ...rest } satisfies Slice<U>;
}

export const makeFakeTrail = (store: FakeStore): Trail => ({
  // At once: whoever writes files as he reads cannot be run by the virtual clock.
  service: async (name) => {
    if (name === everything) return known(store.peekController());
    const item = store.raw(name);
    return item === undefined ? absent : known(parseServiceState(item));
  },
  newest: async (name, { from, to }, limit, where) =>
    sliced(
      rowsOf(store, name)
        .toReversed()
        .filter(({ number }) => from <= number && number <= to),
      limit,
      (row) => (fits(row, name, where) ? [row] : []),
      ({ number }) => String(number),
    ),
  oldest: async (name, from, limit) =>
    rowsOf(store, name)
      .filter((row) => row.number >= from)
      .slice(0, limit),
  async pointers(partition, { from, below }, limit, where) {
    const found = store.pointers().flatMap((pointer): (Pointer & { readonly row: TrailRow })[] => {
      const [key, service = '', number] = pointer.split(' ');
      const row = rowsOf(store, service).find((each) => each.number === Number(number));
      return key === partition && row ? [{ sk: sortOf(row, service), service, number: row.number, row }] : [];
    });
    const inRange = found
      .filter(({ sk }) => from <= sk && sk < below)
      .toSorted((one, other) => (one.sk < other.sk ? 1 : -1));
    return sliced(
      inRange,
      limit,
      ({ row, ...pointer }) => (fits(row, pointer.service, where) ? [pointer] : []),
      ({ sk }) => sk,
    );
  },
  rows: async (keys) =>
    keys.flatMap(({ service, number }) =>
      rowsOf(store, service)
        .filter((row) => row.number === number)
        .map((row) => ({ ...row, service })),
    ),
});
