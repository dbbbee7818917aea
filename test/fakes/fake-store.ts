/** The state table in memory, with the real guards, and with the faults of a table in the middle of an outage. */
import type { Guard, StateStore, TrailRow, WaysBack, WriteResult } from '../../shared/app/ports.ts';
import { PortError } from '../../shared/core/errors.ts';
import {
  type AlarmArn,
  type EniId,
  everything,
  type InstanceId,
  type ServiceName,
  type TrailName,
} from '../../shared/core/ids.ts';
import { absent, known } from '../../shared/core/observation.ts';
import {
  type ControllerItem,
  type ControllerState,
  emptyController,
  type Pause,
  parseControllerItem,
  parseServiceState,
  type ServiceState,
} from '../../shared/core/state.ts';
import { times } from '../../shared/core/times.ts';
import type { VirtualClock } from './virtual-clock.ts';

export type StoreOperation = keyof StateStore;

export type StoreFault =
  /** No answer, and nothing was done. */
  | { readonly kind: 'unreachable'; readonly afterMs?: number }
  /** It was done, and the answer was lost with all its retries. */
  | { readonly kind: 'answer-lost'; readonly afterMs?: number }
  | { readonly kind: 'slow'; readonly ms: number }
  /** Somebody does something just before it is carried out. */
  | { readonly kind: 'meanwhile'; readonly run: () => void };

interface PlannedFault {
  readonly operation: StoreOperation | 'any';
  readonly fault: StoreFault;
  left: number;
  readonly when: (call: StoreCall) => boolean;
}

export interface StoreCall {
  readonly atMs: number;
  readonly operation: StoreOperation;
  readonly before?: ServiceState;
  readonly after?: ServiceState;
  readonly guard?: Guard;
}

/** One write of a service item that took effect. */
export interface Written {
  readonly atMs: number;
  readonly before: ServiceState | undefined;
  readonly after: ServiceState;
}

export interface FakeStore extends StateStore {
  readonly calls: readonly StoreCall[];
  readonly writes: readonly Written[];
  /** How long a call takes when nothing is wrong. */
  latencyMs: number;
  isDown(): boolean;
  /** Nothing gets through until `comeBack`. */
  goDown(): void;
  comeBack(): void;
  /** The next calls of this kind go wrong: one of them unless told otherwise. */
  /** Takes back the faults that have not happened yet. */
  heal(): void;
  fail(
    operation: StoreOperation | 'any',
    fault: StoreFault,
    options?: { readonly times?: number; readonly when?: (call: StoreCall) => boolean },
  ): void;
  /** The item as it is, without a call. */
  peek(name: ServiceName): ServiceState;
  /** Puts an item there by hand, well-formed or not, past every guard. */
  put(name: ServiceName, item: unknown): void;
  /** What is stored, understood or not. */
  raw(name: ServiceName): unknown;
  /** A row of the registry that holds no names. */
  garbleZone(zone: string): void;
  /** Changes the item as another worker would: with a new `rev` and nonce. */
  change(name: ServiceName, change: (state: ServiceState) => ServiceState): void;
  /** The whole trail, without a call. */
  rows(name: TrailName): readonly TrailRow[];
  /** Pauses everything, or ends that, as an older version did: without a record. */
  pauseAll(pause: Pause | undefined): void;
  /** Records as another operator would: the chain goes on, and the copy is not made yet. */
  changeController(change: (item: ControllerItem) => ControllerItem): void;
  /** The controller's own item, without a call. */
  peekController(): ControllerItem;
  pointers(): readonly string[];
  ownerOf(eni: EniId): ServiceName | 'released' | undefined;
  onWrite(watch: (written: Written) => void): void;
}

function deepFreeze<T>(value: T): T {
  if (value !== null && typeof value === 'object' && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const each of Object.values(value)) deepFreeze(each);
  }
  return value;
}

/** A copy that nobody can change: what came out of a table is not the table. */
const copy = <T>(value: T): T => deepFreeze(structuredClone(value));

const withoutUndefined = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

export function makeFakeStore(clock: Pick<VirtualClock, 'now' | 'sleep'>): FakeStore {
  const items = new Map<string, unknown>();
  const trails = new Map<string, Map<number, TrailRow>>();
  const pointers = new Set<string>();
  const owners = new Map<string, { readonly name: ServiceName; readonly released: boolean }>();
  const ways = new Map<string, Set<ServiceName>>();
  const brakeSets = new Map<string, { readonly minute: number; readonly names: Set<string> }[]>();
  const brakes = new Map<
    string,
    { sinceMs: number; services: readonly string[]; readonly released: boolean; releasedAtMs?: number }
  >();
  const zones = new Map<string, Set<ServiceName>>();
  const unreadable = new Set<string>();
  const calls: StoreCall[] = [];
  const writes: Written[] = [];
  const watchers: ((written: Written) => void)[] = [];
  const faults: PlannedFault[] = [];
  /** As it is stored: without a chain before the first record. */
  let controller: Partial<ControllerItem> = {};
  let down = false;
  let hands = 0;

  const lost = (operation: string) =>
    new PortError('unavailable', 'TimeoutError', `${operation} was not answered`);

  const stored = (name: ServiceName) => {
    const item = items.get(name);
    if (item === undefined) throw new Error(`${name} is not in the table`);
    return parseServiceState(structuredClone(item));
  };

  const store = (name: ServiceName, after: ServiceState, before: ServiceState | undefined) => {
    items.set(name, withoutUndefined(after));
    const written = { atMs: clock.now(), before: before && copy(before), after: copy(after) };
    writes.push(written);
    for (const watch of watchers) watch(written);
  };

  async function through<T>(
    operation: StoreOperation,
    work: () => T,
    about: Omit<StoreCall, 'atMs' | 'operation'> = {},
  ): Promise<T> {
    const call: StoreCall = { atMs: clock.now(), operation, ...about };
    calls.push(call);
    const planned = faults.find(
      (each) =>
        each.left > 0 && (each.operation === 'any' || each.operation === operation) && each.when(call),
    );
    if (planned) planned.left -= 1;
    const fault: StoreFault | undefined = down ? { kind: 'unreachable' } : planned?.fault;
    if (fault?.kind === 'unreachable') {
      await clock.sleep(fault.afterMs ?? times.tableTimeoutMs);
      throw lost(operation);
    }
    const eachWayMs = (fault?.kind === 'slow' ? fault.ms : handle.latencyMs) / 2;
    await clock.sleep(eachWayMs);
    if (down) {
      await clock.sleep(times.tableTimeoutMs);
      throw lost(operation);
    }
    if (fault?.kind === 'meanwhile') fault.run();
    const answer = work();
    if (fault?.kind === 'answer-lost') {
      await clock.sleep(fault.afterMs ?? times.tableTimeoutMs);
      throw lost(operation);
    }
    await clock.sleep(eachWayMs);
    return answer;
  }

  function allows(now: ServiceState, guard: Guard): boolean {
    if (now.rev !== guard.rev) return false;
    if (guard.lease) {
      const { owner, epoch, aliveAtMs } = guard.lease;
      if (now.lease?.owner !== owner || now.epoch !== epoch) return false;
      if (!(now.lease.untilMs > aliveAtMs)) return false;
    }
    if (guard.freeBeforeMs === undefined || now.lease === undefined) return true;
    return now.lease.untilMs < guard.freeBeforeMs - times.skewMarginMs;
  }

  const handle: FakeStore = {
    calls,
    writes,
    latencyMs: 8,
    isDown: () => down,
    goDown: () => {
      down = true;
    },
    comeBack: () => {
      down = false;
    },
    fail: (operation, fault, options = {}) => {
      faults.push({ operation, fault, left: options.times ?? 1, when: options.when ?? (() => true) });
    },
    heal: () => {
      faults.length = 0;
    },
    peek: (name) => copy(stored(name)),
    raw: (name) => structuredClone(items.get(name)),
    put: (name, item) => {
      items.set(name, withoutUndefined(item));
    },
    garbleZone: (zone) => {
      zones.delete(zone);
      unreadable.add(`STATE#ZONE#${zone}`);
    },
    change: (name, change) => {
      const before = stored(name);
      hands += 1;
      store(name, { ...change(before), rev: before.rev + 1, nonce: `by-hand-${hands}` }, before);
    },
    rows: (name) => [...(trails.get(name)?.values() ?? [])].sort((a, b) => a.number - b.number),
    pauseAll: (pause) => {
      const { pause: _, ...rest } = controller;
      controller = copy({ ...rest, ...(pause && { pause }) });
    },
    changeController: (change) => {
      const before = handle.peekController();
      const trail = { next: before.trail.next + 1, head: `by-hand-${before.trail.next}` };
      const { name: _, ...after } = change(before);
      controller = copy({ ...after, trail });
    },
    peekController: () => copy(parseControllerItem(structuredClone(controller))),
    pointers: () => [...pointers].sort(),
    ownerOf: (eni) => {
      const row = owners.get(eni);
      return row?.released ? 'released' : row?.name;
    },
    onWrite: (watch) => {
      watchers.push(watch);
    },

    read: (name) =>
      through('read', () => {
        const item = items.get(name);
        return item === undefined ? absent : known(copy(parseServiceState(structuredClone(item))));
      }),

    readController: () =>
      through('readController', (): ControllerState => {
        const on = [...brakes].filter(([, brake]) => !brake.released);
        return copy({
          ...emptyController,
          ...(controller.pause && { pause: controller.pause }),
          brakes: Object.fromEntries(
            on.map(([zone, { sinceMs, services }]) => [zone, { sinceMs, services }]),
          ),
          releasedAtMs: Object.fromEntries(
            [...brakes].flatMap(([zone, each]) =>
              each.releasedAtMs === undefined ? [] : [[zone, each.releasedAtMs]],
            ),
          ),
          servicesByZone: Object.fromEntries([...zones].map(([zone, names]) => [zone, [...names].sort()])),
        });
      }),

    write: (before, after, guard) =>
      through(
        'write',
        (): WriteResult => {
          if (!items.has(before.name))
            throw new PortError('refused', 'ItemMissing', `the item of ${before.name} is not there`);
          const now = stored(before.name);
          if (allows(now, guard)) {
            store(before.name, after, now);
            return { kind: 'written' };
          }
          return now.nonce === after.nonce ? { kind: 'written' } : { kind: 'conflict', now: copy(now) };
        },
        { before, after, guard },
      ),

    create: (state) =>
      through('create', () => {
        if (!items.has(state.name)) {
          store(state.name, state, undefined);
          return 'created' as const;
        }
        return stored(state.name).nonce === state.nonce ? ('created' as const) : ('exists' as const);
      }),

    list: () =>
      through('list', () => ({
        names: [...new Set([...zones.values()].flatMap((each) => [...each]))].sort(),
        unreadable: [...unreadable].sort(),
      })),

    needingAttention: () =>
      through('needingAttention', () =>
        // By the keys of the index: an item that cannot be understood does not hide the others.
        [...items]
          .filter(([, item]) => {
            const { episode, stranded, frozen, request, outbox } = item as Partial<ServiceState>;
            return episode || stranded || frozen || request || (outbox?.length ?? 0) > 0;
          })
          .map(([name]) => name as ServiceName)
          .sort(),
      ),

    servicesOfInstance: (id: InstanceId) =>
      through('servicesOfInstance', () => [...(ways.get(`INSTANCE#${id}`) ?? [])].sort()),
    servicesOfAlarm: (arn: AlarmArn) =>
      through('servicesOfAlarm', () => [...(ways.get(`ALARM#${arn}`) ?? [])].sort()),

    own: (eni, name) =>
      through('own', () => {
        const row = owners.get(eni);
        if (row && row.name !== name && !row.released) return { kind: 'taken' as const, owner: row.name };
        owners.set(eni, { name, released: false });
        return { kind: 'owned' as const };
      }),

    release: (eni, name) =>
      through('release', () => {
        if (owners.get(eni)?.name === name) owners.set(eni, { name, released: true });
      }),

    addWayBack: (name, { instances, alarms }: WaysBack) =>
      through('addWayBack', () => {
        for (const key of [
          ...instances.map((id) => `INSTANCE#${id}`),
          ...alarms.map((arn) => `ALARM#${arn}`),
        ])
          ways.set(key, (ways.get(key) ?? new Set()).add(name));
      }),

    copyToTrail: (name, frozen) =>
      through('copyToTrail', () => {
        const { pointers: leads, ...row } = frozen;
        const { number, body, hash } = row;
        const rows = trails.get(name) ?? new Map<number, TrailRow>();
        trails.set(name, rows);
        const there = rows.get(number);
        if (there && (there.body !== body || there.hash !== hash))
          throw new PortError('refused', 'TrailConflict', `record ${number} of ${name} is another one`);
        if (!there) rows.set(number, copy(row));
        for (const pointer of leads) pointers.add(`${pointer} ${name} ${number}`);
      }),

    trail: (name, from, limit) =>
      through('trail', () =>
        copy(handle.rows(name).filter((row) => row.number >= from && row.number < from + limit)),
      ),

    countFailover: (zone, name, nowMs, releasedAtMs = 0) =>
      through('countFailover', () => {
        const minuteOf = (atMs: number) => Math.floor(atMs / 60_000);
        const generation = `${zone} ${releasedAtMs}`;
        const sets = brakeSets.get(generation) ?? [];
        brakeSets.set(generation, sets);
        const minute = minuteOf(nowMs);
        const now = sets.find((each) => each.minute === minute);
        if (now) now.names.add(name);
        else sets.push({ minute, names: new Set([name]) });
        const from = minuteOf(nowMs - times.brakeWindowMs);
        const within = sets.filter((each) => each.minute >= from && each.minute <= minute);
        return [...new Set(within.flatMap((each) => [...each.names]))].sort();
      }),

    tripBrake: (zone, services, nowMs) =>
      through('tripBrake', () => {
        const brake = brakes.get(zone);
        // The same moment and the same services: this worker's own attempt, whose answer was lost.
        if (brake && !brake.released)
          return brake.sinceMs === nowMs && brake.services.join() === services.join()
            ? ('tripped' as const)
            : ('already' as const);
        brakes.set(zone, { ...brake, sinceMs: nowMs, services: [...services], released: false });
        return 'tripped' as const;
      }),

    releaseBrake: (zone, nowMs) =>
      through('releaseBrake', () => {
        const brake = brakes.get(zone);
        brakes.set(zone, {
          sinceMs: brake?.sinceMs ?? Number.NaN,
          services: brake?.services ?? [],
          released: true,
          releasedAtMs: nowMs,
        });
      }),

    readControllerItem: () => through('readControllerItem', () => handle.peekController()),

    writeControllerItem: (before, after) =>
      through('writeControllerItem', () => {
        const { next, head } = handle.peekController().trail;
        if (next === before.trail.next) {
          const { pause, frozen, trail } = after;
          controller = copy({ trail, ...(pause && { pause }), ...(frozen && { frozen }) });
          return 'written' as const;
        }
        const copied = trails.get(everything)?.get(before.trail.next)?.hash;
        return [head, copied].includes(after.trail.head) ? ('written' as const) : ('conflict' as const);
      }),

    clearControllerFrozen: (number) =>
      through('clearControllerFrozen', () => {
        const { frozen, ...rest } = controller;
        if (frozen?.number === number) controller = rest;
      }),

    joinZone: (zone, name) =>
      through('joinZone', () => {
        zones.set(zone, (zones.get(zone) ?? new Set()).add(name));
      }),

    leaveZone: (zone, name) =>
      through('leaveZone', () => {
        zones.get(zone)?.delete(name);
      }),
  };
  return handle;
}
