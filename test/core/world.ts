/** Builds small worlds for the core's tests: by default orders-db, healthy and together on its first member. */
import * as v from 'valibot';
import type { Question } from '../../shared/core/decision.ts';
import type { Episode, EpisodeKind } from '../../shared/core/episode.ts';
import type { Hint } from '../../shared/core/hint.ts';
import {
  type AlarmArn,
  AlarmArnSchema,
  type AttachmentId,
  AttachmentIdSchema,
  type EniId,
  EniIdSchema,
  type InstanceId,
  InstanceIdSchema,
  type OwnerId,
  ServiceNameSchema,
} from '../../shared/core/ids.ts';
import {
  type AlarmFact,
  type Attachment,
  absent,
  type Checks,
  type Fact,
  type InterfaceFact,
  known,
  type MemberFact,
  type TypeLimits,
  unknown,
} from '../../shared/core/observation.ts';
import type { Plan, PlannedInterface } from '../../shared/core/plan.ts';
import {
  type ControllerState,
  emptyController,
  type Pause,
  type Service,
  type ServiceState,
  toService,
} from '../../shared/core/state.ts';

export const now = Date.parse('2026-11-21T02:00:00Z');
export const second = 1_000;
export const minute = 60 * second;
export const zone = 'eu-central-1a';

const instance = (digit: string) => v.parse(InstanceIdSchema, `i-${digit.repeat(17)}`);
/** The members in order of preference, and an instance that is none of them. */
export const [a, b, c, stranger] = [instance('a'), instance('b'), instance('c'), instance('d')];
const nameOf: Readonly<Record<string, MemberName>> = { [a]: 'a', [b]: 'b', [c]: 'c', [stranger]: 'stranger' };
type MemberName = 'a' | 'b' | 'c' | 'stranger';

const eniId = (digit: string) => v.parse(EniIdSchema, `eni-${digit.repeat(17)}`);
/** The service's interfaces, at device index 1 and 2, and one that belongs to nobody here. */
export const [data, admin, foreign] = [eniId('1'), eniId('2'), eniId('9')];

/** The attachment that an interface has on an instance; `again` names a later one of the same pair. */
export const attachmentOf = (eni: EniId, on: InstanceId, again = 0): AttachmentId =>
  v.parse(AttachmentIdSchema, `eni-attach-${eni.slice(-4)}${on.slice(-4)}${again}`);

export const alarm = (name: string): AlarmArn =>
  v.parse(AlarmArnSchema, `arn:aws:cloudwatch:eu-central-1:123456789012:alarm:${name}`);

export const hints = {
  sweep: { kind: 'sweep', finding: 'drift', atMs: now },
  request: { kind: 'request', atMs: now },
  watchdog: { kind: 'watchdog', epoch: 7, atMs: now },
  stopped: (id: InstanceId) => ({ kind: 'state-change', instanceId: id, state: 'stopped', atMs: now }),
  checkAlarm: (id: InstanceId) => ({
    kind: 'alarm',
    alarmArn: alarm('status-check'),
    instanceIds: [id],
    atMs: now,
  }),
  alarm: (name: string) => ({ kind: 'alarm', alarmArn: alarm(name), instanceIds: [], atMs: now }),
  announcement: {
    kind: 'announcement',
    what: 'spot-interruption',
    detail: 'terminate',
    instanceIds: [a],
    atMs: now,
  },
} as const satisfies Record<string, Hint | ((of: never) => Hint)>;

export type Condition =
  | 'healthy'
  | 'impaired'
  | 'initializing'
  | 'insufficient-data'
  | 'pending'
  | 'stopping'
  | 'stopped'
  | 'shutting-down'
  | 'terminated'
  | 'checks-unread'
  | 'unread'
  | 'gone';

export interface MemberSketch extends Partial<Omit<MemberFact, 'checks' | 'interfaces'>> {
  readonly is?: Condition;
  /** Since when a check is impaired; with `is: 'impaired'`. */
  readonly sinceMs?: number;
  /** Beside its primary and what `on` says. */
  readonly carries?: MemberFact['interfaces'];
  readonly checks?: Fact<Checks>;
}

export type Place = InstanceId | 'nothing' | 'unread' | 'gone';

export interface Sketch {
  /** Where the interfaces are; `data` and `admin` one by one, or both. */
  readonly on?: Place | { readonly data: Place; readonly admin: Place };
  readonly data?: Partial<InterfaceFact>;
  readonly admin?: Partial<InterfaceFact>;
  readonly members?: Partial<Record<MemberName, Condition | MemberSketch>>;
  /** By name: `red(…)`, a bare state, or not known. An alarm that is not named was not looked at. */
  readonly alarms?: Readonly<Record<string, AlarmFact['state'] | 'unread' | 'gone' | Partial<AlarmFact>>>;
  readonly readyWhen?: Partial<Record<'a' | 'b' | 'c', readonly string[]>>;
  readonly signals?: Readonly<Record<string, unknown>>;
  readonly policy?: Readonly<Record<string, unknown>>;
  readonly hooks?: Readonly<Record<string, unknown>>;
  readonly serving?: Readonly<Record<string, unknown>>;
  readonly state?: Partial<ServiceState>;
  readonly neverSeen?: boolean;
  readonly controller?: Partial<ControllerState>;
  readonly hint?: Hint;
  readonly look?: number;
  readonly believed?: boolean;
  readonly nowMs?: number;
}

export const red = (transitionedAtMs: number | undefined, suppressedBy?: string): Partial<AlarmFact> => ({
  state: 'ALARM',
  transitionedAtMs,
  suppressedBy,
});

const gone = ['stopping', 'stopped', 'shutting-down', 'terminated', 'pending'];

export const checks = (more: Partial<Checks> = {}): Checks => ({
  system: 'ok',
  instance: 'ok',
  ebs: 'ok',
  impairedSinceMs: undefined,
  ...more,
});

function checksOf(is: Condition, sinceMs: number | undefined): Fact<Checks> {
  if (is === 'checks-unread') return unknown('DescribeInstanceStatus was throttled');
  if (is === 'impaired') return known(checks({ instance: 'impaired', impairedSinceMs: sinceMs }));
  if (is === 'initializing' || is === 'insufficient-data') return known(checks({ instance: is }));
  return gone.includes(is) ? absent : known(checks());
}

export const limits: TypeLimits = {
  interfaces: 4,
  interfacesPerCard: [4, 4],
  ipv4PerInterface: 15,
  ipv6PerInterface: 15,
};

export function member(
  instanceId: InstanceId,
  sketch: Condition | MemberSketch = 'healthy',
  held: MemberFact['interfaces'] = [],
): Fact<MemberFact> {
  const {
    is = 'healthy',
    sinceMs,
    carries = [],
    ...more
  } = typeof sketch === 'string' ? { is: sketch } : sketch;
  if (is === 'unread') return unknown('DescribeInstances was throttled');
  if (is === 'gone') return absent;
  return known({
    instanceId,
    state: gone.includes(is) ? is : 'running',
    availabilityZone: zone,
    instanceType: 'm7g.large',
    interfaces: [{ eni: eniId('0'), deviceIndex: 0, networkCardIndex: 0 }, ...held, ...carries],
    checks: checksOf(is, sinceMs),
    limits: known(limits),
    tagged: true,
    ...more,
  });
}

const deviceIndexOf = (eni: EniId) => (eni === data ? 1 : 2);

export const attachment = (eni: EniId, on: InstanceId, more: Partial<Attachment> = {}): Attachment => ({
  id: attachmentOf(eni, on),
  instanceId: on,
  deviceIndex: deviceIndexOf(eni),
  networkCardIndex: 0,
  status: 'attached',
  deleteOnTermination: false,
  ...more,
});

export function interfaceAt(
  eni: EniId,
  place: Place,
  more: Partial<InterfaceFact> = {},
): Fact<InterfaceFact> {
  if (place === 'unread') return unknown('DescribeNetworkInterfaces was throttled');
  if (place === 'gone') return absent;
  return known({
    eni,
    availabilityZone: zone,
    status: place === 'nothing' ? 'available' : 'in-use',
    attachment: place === 'nothing' ? undefined : attachment(eni, place),
    unmovable: undefined,
    ipv4Count: 2,
    ipv6Count: 0,
    tagged: true,
    ...more,
  });
}

function alarmFact(name: string, sketch: NonNullable<Sketch['alarms']>[string]): Fact<AlarmFact> {
  if (sketch === 'unread') return unknown('DescribeAlarms was throttled');
  if (sketch === 'gone') return absent;
  const said = typeof sketch === 'string' ? { state: sketch } : sketch;
  return known({
    arn: alarm(name),
    state: 'OK',
    transitionedAtMs: now - minute,
    suppressedBy: undefined,
    ...said,
  });
}

type Declared = Pick<Sketch, 'readyWhen' | 'signals' | 'policy' | 'hooks' | 'serving'>;

export const declaration = (more: Declared = {}) => ({
  name: 'orders-db',
  interfaces: [
    { eni: data, deviceIndex: 1 },
    { eni: admin, deviceIndex: 2 },
  ],
  members: [a, b, c].map((id) => ({
    instance: id,
    readyWhen: (more.readyWhen?.[nameOf[id] as 'a' | 'b' | 'c'] ?? []).map(alarm),
  })),
  signals: more.signals ?? {},
  policy: more.policy ?? {},
  ...(more.hooks && { hooks: more.hooks }),
  ...(more.serving && { serving: more.serving }),
});

export const seenOn = (holder: InstanceId) => ({
  holder,
  attachments: { [data]: attachmentOf(data, holder), [admin]: attachmentOf(admin, holder) },
});

export function stateOf(more: Partial<ServiceState> = {}, declared: unknown = declaration()): ServiceState {
  return {
    name: v.parse(ServiceNameSchema, 'orders-db'),
    rev: 41,
    epoch: 7,
    nonce: 'n-1',
    declared: JSON.stringify(declared),
    facts: { availabilityZone: zone, limits: {} },
    registeredBy: 'arn:aws:iam::123456789012:role/ops',
    outbox: [],
    detached: [],
    mayDetach: [],
    quarantine: {},
    failoversAtMs: [],
    trail: { next: 12, head: 'h11' },
    ...more,
  };
}

export const pause = (untilMs = now + minute): Pause => ({
  reason: 'maintenance',
  author: 'ada',
  atMs: now - minute,
  untilMs,
});

export const lease = (untilMs: number) => ({ owner: 'worker-1' as OwnerId, untilMs });

export const request = (target: InstanceId, more: Partial<NonNullable<ServiceState['request']>> = {}) => ({
  id: 'r-1',
  kind: 'switchover' as const,
  target,
  author: 'ada',
  reason: 'patching',
  atMs: now - second,
  ...more,
});

/** A plan from one member to another; both interfaces leave the attachment that they have on the source. */
export function planTo(
  target: InstanceId,
  more: Partial<Plan> & { readonly source?: InstanceId } = {},
): Plan {
  const { source } = more;
  const planned = (eni: EniId): PlannedInterface => ({
    eni,
    deviceIndex: deviceIndexOf(eni),
    networkCardIndex: 0,
    ours: [],
    ...(source && { detach: attachmentOf(eni, source) }),
  });
  return {
    target,
    tried: [target],
    detach: 'force',
    plainDetachMs: 5 * second,
    interfaces: [planned(data), planned(admin)],
    ...more,
  };
}

export const episodeOf = (
  plan: Plan,
  kind: EpisodeKind = 'failover',
  more: Partial<Episode> = {},
): Episode => ({
  id: 'orders-db.7',
  kind,
  state: 'CLAIMED',
  evidence: 'the instance is stopped',
  openedAtMs: now - minute,
  plan,
  committed: false,
  steps: [],
  ...more,
});

/** A planned move that a person asked for. */
export const askedFor = (plan: Plan, kind: 'switchover' | 'failback' = 'switchover'): Episode =>
  episodeOf(plan, kind, { request: { id: 'r-1', author: 'ada', reason: 'patching' } });

export const strandedSince = (plan: Plan = planTo(b, { source: a })) => ({
  sinceMs: now - 10 * minute,
  plan,
  why: 'no member took it',
  tries: 1,
});

const parsed = new Map<string, Service['declaration']>();
/** Parsing a declaration is slow beside deciding; the sweeps ask for the same few again and again. */
function understood(state: ServiceState): Service {
  const found = parsed.get(state.declared) ?? toService(state).declaration;
  parsed.set(state.declared, found);
  return { ...state, declaration: found };
}

/** A question to `decide`. Everything that is not said is as on a quiet night. */
export function world(sketch: Sketch = {}): Question {
  const { on = a, members = {}, alarms = {}, state = {} } = sketch;
  const places = typeof on === 'string' ? { data: on, admin: on } : on;
  const at: readonly (readonly [EniId, Place])[] = [
    [data, places.data],
    [admin, places.admin],
  ];
  const heldBy = (id: InstanceId) =>
    at
      .filter(([, place]) => place === id)
      .map(([eni]) => ({ eni, deviceIndex: deviceIndexOf(eni), networkCardIndex: 0 }));
  const looked = [
    a,
    b,
    c,
    ...(members.stranger || at.some(([, place]) => place === stranger) ? [stranger] : []),
  ];
  const seen = sketch.neverSeen ? {} : { lastSeen: seenOn(a) };
  return {
    service: understood(stateOf({ ...seen, ...state }, declaration(sketch))),
    controller: { ...emptyController, ...sketch.controller },
    observation: {
      atMs: sketch.nowMs ?? now,
      slow: false,
      interfaces: new Map([
        [data, interfaceAt(data, places.data, sketch.data)],
        [admin, interfaceAt(admin, places.admin, sketch.admin)],
      ]),
      members: new Map(looked.map((id) => [id, member(id, members[nameOf[id] ?? 'a'], heldBy(id))])),
      alarms: new Map(Object.entries(alarms).map(([name, said]) => [alarm(name), alarmFact(name, said)])),
    },
    hint: sketch.hint ?? hints.sweep,
    look: sketch.look ?? 0,
    believed: sketch.believed ?? false,
    nowMs: sketch.nowMs ?? now,
  };
}

/** Rows with their whole fact as the title: vitest cuts `$fact` short. */
export const titled = <T extends { readonly rule?: string; readonly fact: string }>(
  rows: readonly T[],
): readonly (readonly [string, T])[] =>
  rows.map((row) => [row.rule === undefined ? row.fact : `${row.rule}: ${row.fact}`, row]);
