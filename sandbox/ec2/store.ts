/** A table of records that can still be read as it was a moment ago, for as long as EC2's answers may lag. */
import type { Resource } from './records.ts';

export interface Reader<T> {
  get(id: string): T | undefined;
  values(): Iterable<T>;
}

export interface Store<T extends Resource> extends Reader<T> {
  put(record: T): void;
  delete(id: string): void;
  clear(): void;
  /** The table as it was at `atMs`, which may not lie further back than `keepMs`. */
  asOf(atMs: number): Reader<T>;
}

interface Version<T> {
  readonly value: T | undefined;
  /** The first moment at which this was no longer so. */
  readonly untilMs: number;
}

/** `keepMs` says how far back views may reach; at 0 no history is kept at all. */
export function makeStore<T extends Resource>(nowMs: () => number, keepMs: () => number): Store<T> {
  const current = new Map<string, T>();
  const past = new Map<string, Version<T>[]>();

  function remember(id: string) {
    const keep = keepMs();
    if (keep === 0) {
      past.clear();
      return;
    }
    const now = nowMs();
    const versions = (past.get(id) ?? []).filter((version) => version.untilMs > now - keep);
    versions.push({ value: current.get(id), untilMs: now });
    past.set(id, versions);
  }

  return {
    get: (id) => current.get(id),
    values: () => current.values(),
    put(record) {
      remember(record.id);
      current.set(record.id, record);
    },
    delete(id) {
      remember(id);
      current.delete(id);
    },
    clear() {
      current.clear();
      past.clear();
    },
    asOf(atMs) {
      const get = (id: string): T | undefined => {
        const version = past.get(id)?.find(({ untilMs }) => untilMs > atMs);
        return version === undefined ? current.get(id) : version.value;
      };
      return {
        get,
        values() {
          const ids = new Set([...current.keys(), ...past.keys()]);
          const seen = [...ids].map(get).filter((record) => record !== undefined);
          return seen.sort((a, b) => a.seq - b.seq);
        },
      };
    },
  };
}
