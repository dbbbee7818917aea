/** A registered service in a world of fakes, in one line: what every story begins with. */
import type { Ports } from '../../shared/app/ports.ts';
import { register } from '../../shared/app/register.ts';
import { type Report, restore } from '../../shared/app/restore.ts';
import type { AlarmHint, EventHint, Hint, StateChangeHint, WorkMessage } from '../../shared/core/hint.ts';
import type { AlarmArn, EniId, InstanceId, ServiceName } from '../../shared/core/ids.ts';
import type { ServiceState } from '../../shared/core/state.ts';
import { alarmNamed, type FakeAlarms, makeFakeAlarms } from './fake-alarms.ts';
import { type FakeEc2, makeFakeEc2 } from './fake-ec2.ts';
import { type FakeHooks, makeFakeHooks } from './fake-hooks.ts';
import { type FakeNotifier, makeFakeNotifier } from './fake-notifier.ts';
import { type FakeQueue, makeFakeQueue } from './fake-queue.ts';
import { type FakeStore, makeFakeStore } from './fake-store.ts';
import { type EpisodeRecord, makeInvariants, sha256 } from './invariants.ts';
import { makeVirtualClock, type VirtualClock } from './virtual-clock.ts';
import { makeWorker, type Worker } from './worker.ts';

/** The members of `orders-db`, the preferred one first; `a` holds the interfaces at the beginning. */
export const a = 'i-0aaaaaaaaaaaaaaa1' as InstanceId;
export const b = 'i-0bbbbbbbbbbbbbbb2' as InstanceId;
export const c = 'i-0ccccccccccccccc3' as InstanceId;
/** No member of anything. */
export const stranger = 'i-0eeeeeeeeeeeeeee9' as InstanceId;

export const front = 'eni-0aaaaaaaaaaaaaa01' as EniId;
export const management = 'eni-0aaaaaaaaaaaaaa02' as EniId;
export const ordersDb = 'orders-db' as ServiceName;
export const zone = 'eu-central-1a';

export const systemAlarmOf = (id: InstanceId) => alarmNamed(`${id}-system`);
export const replicaLagOf = (id: InstanceId) => alarmNamed(`${id}-replica-lag`);
export const applicationAlarm: AlarmArn = alarmNamed('orders-db-answers');
/** OK while the service answers; no signal of a failure. */
export const servingAlarm: AlarmArn = alarmNamed('orders-db-serves');

export interface LogLine {
  readonly level: 'info' | 'warn' | 'error';
  readonly message: string;
  readonly facts: Readonly<Record<string, unknown>>;
}

export interface WorldOptions {
  /** One interface or two; two unless said otherwise. */
  readonly interfaces?: readonly EniId[];
  readonly members?: readonly InstanceId[];
  readonly policy?: Readonly<Record<string, unknown>>;
  readonly signals?: Readonly<Record<string, unknown>>;
  readonly hooks?: Readonly<Record<string, unknown>>;
  readonly serving?: Readonly<Record<string, unknown>>;
  /** Every member has a replica lag alarm that must be OK. */
  readonly readyWhen?: boolean;
  /** Registered unless said otherwise. */
  readonly registered?: boolean;
}

export interface World {
  readonly clock: VirtualClock;
  readonly ec2: FakeEc2;
  readonly alarms: FakeAlarms;
  readonly hooks: FakeHooks;
  readonly store: FakeStore;
  readonly queue: FakeQueue;
  readonly notifier: FakeNotifier;
  readonly lines: readonly LogLine[];
  readonly ports: Ports;
  /** What was declared: change a copy of it to register something else. */
  readonly declaration: Readonly<Record<string, unknown>>;

  alarm(id: InstanceId): AlarmHint;
  applicationAlarm(): AlarmHint;
  stateChange(id: InstanceId, state: string): StateChangeHint;
  sweep(): Hint;

  worker(lifeMs?: number): Worker;
  /** Runs `restore` in an invocation of its own to its end. */
  look(hint: Hint, more?: { readonly look?: number; readonly worker?: Worker }): Promise<Report>;
  /** Begins it and lets others act beside it. */
  begin(hint: Hint, worker?: Worker): { readonly report: Promise<Report>; readonly worker: Worker };
  /** Delivers what the queue holds as it falls due, each in a new invocation, until it is empty or time is up. */
  settle(options?: { readonly forMs?: number; readonly deliveries?: number }): Promise<readonly Report[]>;
  /** An operator asks for a planned move: the hint that follows. */
  request(target: InstanceId): Hint;
  /** The same, and it is looked at. */
  askFor(target: InstanceId): Promise<Report>;
  run<T>(promise: Promise<T>): Promise<T>;

  service(name?: ServiceName): ServiceState;
  /** The holder if all interfaces rest on one instance, as EC2 really has it. */
  holder(): InstanceId | undefined;
  episodes(name?: ServiceName): readonly EpisodeRecord[];
  /** Kinds of the records since the registration. */
  kinds(name?: ServiceName): readonly string[];
  records(kind: string, name?: ServiceName): readonly Readonly<Record<string, unknown>>[];
  /** Another service with one interface and two members of its own. */
  addService(number: number): Promise<{ readonly name: ServiceName; readonly holder: InstanceId }>;
  /** These rules cannot hold in this story, and the story says why. */
  excuse(rules: readonly string[]): void;
  violations(): readonly string[];
}

/** Not chance, but as unequal: the same run gives the same numbers. */
function makeRandom(seed = 20_261_121): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

export async function makeWorld(options: WorldOptions = {}): Promise<World> {
  const clock = makeVirtualClock();
  const ec2 = makeFakeEc2(clock);
  const alarms = makeFakeAlarms(clock);
  const hooks = makeFakeHooks(clock);
  const store = makeFakeStore(clock);
  const queue = makeFakeQueue(clock);
  const notifier = makeFakeNotifier(clock);
  const lines: LogLine[] = [];
  const excused = new Set<string>();
  const invariants = makeInvariants({ clock, ec2, store, hooks });
  const log =
    (level: LogLine['level']) =>
    (message: string, facts: Readonly<Record<string, unknown>> = {}) => {
      lines.push({ level, message, facts });
    };
  let nonces = 0;
  const ports: Ports = {
    clock,
    ids: {
      owner: () => makeWorker(ports, clock).run.owner,
      nonce: () => {
        nonces += 1;
        return `nonce-${nonces}`;
      },
    },
    random: makeRandom(),
    hash: { sha256 },
    ec2,
    alarms,
    hooks,
    store,
    queue,
    notifier,
    log: { info: log('info'), warn: log('warn'), error: log('error') },
  };

  const members = options.members ?? [a, b, c];
  const enis = options.interfaces ?? [front, management];
  for (const id of new Set([...members, stranger])) ec2.addInstance(id);
  enis.forEach((eni, index) => {
    ec2.addInterface(eni, { ipv4Count: index === 0 ? 3 : 1 });
    ec2.attachByHand(eni, members[0] ?? a, index + 1);
  });
  alarms.set(applicationAlarm, 'OK');
  alarms.set(servingAlarm, 'OK');
  for (const id of members) alarms.set(replicaLagOf(id), 'OK');

  const declaration = {
    name: ordersDb,
    interfaces: enis.map((eni, index) => ({ eni, deviceIndex: index + 1 })),
    members: members.map((instance) => ({
      instance,
      ...(options.readyWhen && { readyWhen: [replicaLagOf(instance)] }),
    })),
    ...(options.signals && { signals: options.signals }),
    ...(options.policy && { policy: options.policy }),
    ...(options.hooks && { hooks: options.hooks }),
    ...(options.serving && { serving: options.serving }),
  };

  async function registerQuietly(given: unknown, name: ServiceName): Promise<void> {
    const answer = await clock.run(register(ports, { declaration: given, author: 'ops@example.com' }));
    if (answer.kind !== 'registered') throw new Error(`not registered: ${JSON.stringify(answer)}`);
    invariants.watch(name);
    queue.clear();
    notifier.clear();
    lines.length = 0;
    await clock.advance(60_000);
  }
  if (options.registered ?? true) await registerQuietly(declaration, ordersDb);
  else invariants.watch(ordersDb);

  const world: World = {
    clock,
    ec2,
    alarms,
    hooks,
    store,
    queue,
    notifier,
    lines,
    ports,
    declaration,

    alarm: (id) => ({
      kind: 'alarm',
      alarmArn: systemAlarmOf(id),
      instanceIds: [id],
      atMs: clock.now(),
    }),
    applicationAlarm: () => ({
      kind: 'alarm',
      alarmArn: applicationAlarm,
      instanceIds: [],
      atMs: clock.now(),
    }),
    stateChange: (instanceId, state) => ({ kind: 'state-change', instanceId, state, atMs: clock.now() }),
    sweep: () => ({ kind: 'sweep', finding: 'a look every minute', atMs: clock.now() }),

    worker: (lifeMs) => makeWorker(ports, clock, lifeMs),
    look: (hint, { look = 0, worker = world.worker() } = {}) =>
      clock.run(restore(worker.ports, { service: ordersDb, hint, look }, worker.run)),
    begin: (hint, worker = world.worker()) => {
      const report = restore(worker.ports, { service: ordersDb, hint, look: 0 }, worker.run);
      report.catch(() => undefined);
      return { report, worker };
    },
    async settle({ forMs = 15 * 60_000, deliveries = 100 } = {}) {
      const untilMs = clock.now() + forMs;
      const reports: Report[] = [];
      for (let delivered = 0; delivered < deliveries; delivered += 1) {
        await clock.advance(0);
        const next = queue.waiting()[0];
        if (!next || next.dueAtMs > untilMs) break;
        queue.take();
        await clock.advance(Math.max(0, next.dueAtMs - clock.now()));
        const worker = world.worker();
        try {
          reports.push(await clock.run(restore(worker.ports, next.message, worker.run)));
        } catch (error) {
          lines.push({ level: 'error', message: 'delivery failed', facts: { error: String(error) } });
          // Three receives, then the dead letters.
          if (next.receives < 2) queue.putBack(next);
        }
      }
      return reports;
    },
    request: (target) => {
      const atMs = clock.now();
      const kind = 'switchover' as const;
      const request = { id: `request-${atMs}`, kind, target, author: 'ann', reason: 'patching', atMs };
      store.change(ordersDb, (state) => ({ ...state, request }));
      return { kind: 'request', atMs };
    },
    askFor: (target) => world.look(world.request(target)),
    run: (promise) => clock.run(promise),

    service: (name = ordersDb) => store.peek(name),
    holder: () => {
      const on = new Set(
        enis
          .map((eni) => ec2.where(eni))
          .map((each) => (each?.status === 'attached' ? each.instanceId : undefined)),
      );
      const [only] = on;
      return on.size === 1 ? only : undefined;
    },
    episodes: (name = ordersDb) =>
      store
        .rows(name)
        .filter((row) => row.kind === 'episode')
        .map((row) => ({ ...(JSON.parse(row.body) as EpisodeRecord), number: row.number })),
    kinds: (name = ordersDb) =>
      store
        .rows(name)
        .slice(1)
        .map((row) => row.kind),
    records: (kind, name = ordersDb) =>
      store
        .rows(name)
        .filter((row) => row.kind === kind)
        .map((row) => JSON.parse(row.body) as Record<string, unknown>),
    async addService(number) {
      const name = `service-${number}` as ServiceName;
      const holder = `i-0000000000000a${String(number).padStart(3, '0')}` as InstanceId;
      const standby = `i-0000000000000b${String(number).padStart(3, '0')}` as InstanceId;
      const eni = `eni-0000000000000c${String(number).padStart(3, '0')}` as EniId;
      ec2.addInstance(holder);
      ec2.addInstance(standby);
      ec2.addInterface(eni);
      ec2.attachByHand(eni, holder, 1);
      await registerQuietly(
        {
          name,
          interfaces: [{ eni, deviceIndex: 1 }],
          members: [{ instance: holder }, { instance: standby }],
        },
        name,
      );
      return { name, holder };
    },
    excuse: (rules) => {
      for (const rule of rules) excused.add(rule);
    },
    violations: () =>
      invariants.violations().filter((each) => !excused.has(each.slice(0, each.indexOf(' ')))),
  };
  return world;
}

/** The outcome of an event for any service, in an invocation of its own. */
export function lookAt(world: World, service: ServiceName, hint: EventHint, worker = world.worker()) {
  const message: WorkMessage = { service, hint, look: 0 };
  return restore(worker.ports, message, worker.run);
}
