/** What the use cases need from the world. Adapters implement it, fakes stand in for it, proxies watch it. */
import type { WorkMessage } from '../core/hint.ts';
import type {
  AlarmArn,
  AttachmentId,
  EniId,
  InstanceId,
  OwnerId,
  ServiceName,
  TrailName,
} from '../core/ids.ts';
import type { OutboxEntry } from '../core/notice.ts';
import type { AlarmFact, Fact, InterfaceFact, MemberFact, TypeLimits } from '../core/observation.ts';
import type { ControllerItem, ControllerState, Frozen, ServiceState, TrailHolder } from '../core/state.ts';

export interface Clock {
  now(): number;
  /** Resolves after `ms`, or at once when the signal aborts; never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export interface Ids {
  owner(): OwnerId;
  nonce(): string;
}

/** From 0 up to, but not including, 1. */
export type Random = () => number;

export interface Hash {
  /** Lower-case hex. */
  sha256(text: string): string;
}

/** An answer and when its request was sent: an observation is as old as its sending (P8). */
export interface Answer<T> {
  readonly value: T;
  readonly sentAtMs: number;
  /** It took retries, or longer than the usual. */
  readonly slow: boolean;
}

export type DetachAnswer =
  | { readonly kind: 'accepted' }
  /** EC2 knows no such attachment, or it is on its way already: look again. */
  | { readonly kind: 'look'; readonly code: string }
  /** Throttled, timed out or a passing fault; it may have taken effect. */
  | { readonly kind: 'unclear'; readonly code: string }
  /** It will not be detached by us: permission, or an interface that EC2 never detaches. */
  | { readonly kind: 'refused'; readonly code: string; readonly detail: string };

export type AttachAnswer =
  | { readonly kind: 'accepted'; readonly attachment: AttachmentId }
  /** In use, or not available yet: look again, perhaps it was our own attach. */
  | { readonly kind: 'look'; readonly code: string }
  | { readonly kind: 'unclear'; readonly code: string }
  /** This target will not take it: index, limit, state, zone, addresses, permission on that instance. */
  | { readonly kind: 'target-refused'; readonly code: string; readonly detail: string }
  | { readonly kind: 'gone'; readonly code: string };

/**
 * EC2, as far as the controller uses it. Reads throw {@link PortError} when they could not be answered;
 * mutations never throw for anything that EC2 can answer. No mutation retries by itself: whether it may be
 * sent again is the protocol's decision.
 */
export interface Ec2 {
  /** Interfaces by id; those that EC2 does not know are absent from the map. */
  /**
   * A `poll` is one short attempt: the next one comes at once anyway, and a dead answer is paid for in outage.
   */
  interfaces(ids: readonly EniId[], how?: 'poll'): Promise<Answer<ReadonlyMap<EniId, InterfaceFact>>>;
  /** Instances by id, without their status checks and limits. */
  instances(ids: readonly InstanceId[]): Promise<Answer<ReadonlyMap<InstanceId, InstanceFact>>>;
  /** Status checks by instance id. */
  checks(ids: readonly InstanceId[]): Promise<Answer<ReadonlyMap<InstanceId, ChecksFact>>>;
  limits(types: readonly string[]): Promise<Answer<Readonly<Record<string, TypeLimits>>>>;

  detach(attachment: AttachmentId, options: { readonly force: boolean }): Promise<DetachAnswer>;
  attach(order: AttachOrder): Promise<AttachAnswer>;
  /**
   * The three mutations as dry runs, and the stop of an instance where one is named: what EC2 would refuse for lack
   * of permission, and nothing changes.
   */
  rehearse(
    order: AttachOrder & { readonly attachment: AttachmentId; readonly stop?: InstanceId | undefined },
  ): Promise<readonly Rehearsed[]>;
  /**
   * Stops an instance by force, without waiting for its guest where EC2 allows that. Where it does not, a second call
   * follows, if the caller then still may.
   */
  stop(instance: InstanceId, mayStill?: () => boolean): Promise<StopAnswer>;
  /** Sets DeleteOnTermination of the attachment to false. */
  keepOnTermination(eni: EniId, attachment: AttachmentId): Promise<'done' | 'look' | 'unclear' | 'refused'>;
}

export type StopAnswer =
  | { readonly kind: 'accepted' }
  /** Throttled, timed out, or the wrong moment; it may have taken effect. */
  | { readonly kind: 'unclear'; readonly code: string }
  /** EC2 will not stop it: permission, stop protection, or an instance that cannot be stopped. */
  | { readonly kind: 'refused'; readonly code: string; readonly detail: string };

export interface AttachOrder {
  readonly eni: EniId;
  readonly instanceId: InstanceId;
  readonly deviceIndex: number;
  readonly networkCardIndex: number;
}

export interface Rehearsed {
  readonly action:
    | 'DetachNetworkInterface'
    | 'AttachNetworkInterface'
    | 'ModifyNetworkInterfaceAttribute'
    | 'StopInstances';
  readonly answer: 'allowed' | 'denied' | 'unclear';
  readonly detail: string;
}

export type InstanceFact = Omit<MemberFact, 'checks' | 'limits'>;
export type ChecksFact = Extract<MemberFact['checks'], { kind: 'known' }>['value'];

/** A command of the service's own, to be carried out at least once; idempotent by its token. */
export interface HookOrder {
  readonly command:
    | {
        readonly kind: 'document';
        readonly name: string;
        readonly parameters: Readonly<Record<string, readonly string[]>>;
        readonly instance: InstanceId;
      }
    | {
        readonly kind: 'function';
        readonly name: string;
        readonly payload: Readonly<Record<string, string>>;
      };
  readonly token: string;
  /** Of a document that was sent already: asks for it instead of sending it again. */
  readonly handle?: string;
  /** How long a function may take to answer. */
  readonly timeoutMs: number;
}

export type HookAnswer =
  /** Ask again, with the handle if there is one. */
  | { readonly kind: 'running'; readonly handle?: string }
  | { readonly kind: 'done' | 'failed'; readonly output: string }
  /** Throttled, timed out, or an instance that SSM cannot reach just now; it may have begun. */
  | { readonly kind: 'unclear'; readonly code: string }
  /** It will never begin: permission, no such document or function, parameters that it does not take. */
  | { readonly kind: 'refused'; readonly code: string; readonly detail: string };

/** SSM documents and Lambda functions that a service declares. */
export interface Hooks {
  run(order: HookOrder): Promise<HookAnswer>;
}

export interface Alarms {
  /** Metric and composite alarms by ARN; those that CloudWatch does not know are absent from the map. */
  describe(arns: readonly AlarmArn[]): Promise<Answer<ReadonlyMap<AlarmArn, AlarmFact>>>;
}

/** A CloudWatch alarm that is in ALARM now. */
export interface RedAlarm extends AlarmFact {
  /** Of its AWS/EC2 status-check metrics; empty for composite and custom alarms. */
  readonly instanceIds: readonly InstanceId[];
}

/**
 * The whole fleet in pages, not service by service: what the sweep looks at every minute. It only says whom to
 * suspect. Methods throw {@link PortError} when a page could not be read.
 */
export interface Fleet {
  /** Every interface with the controller's tag. */
  interfaces(): Promise<ReadonlyMap<EniId, InterfaceFact>>;
  /** Instances that are not running, or whose checks are not all fine. Absence means "not suspected", never "healthy". */
  troubled(): Promise<ReadonlySet<InstanceId>>;
  redAlarms(): Promise<readonly RedAlarm[]>;
}

/** What a write of the service item requires, each by name. Every write requires `rev` (P1). */
export interface Guard {
  readonly rev: number;
  /** A step of an episode: our lease, still alive at this time (P2). */
  readonly lease?: { readonly owner: OwnerId; readonly epoch: number; readonly aliveAtMs: number };
  /** A claim: the lease must have ended before this time (P4). */
  readonly freeBeforeMs?: number;
}

export type WriteResult =
  | { readonly kind: 'written' }
  /** Somebody wrote in between, or the lease does not allow it: the item as it is now. */
  | { readonly kind: 'conflict'; readonly now: ServiceState };

/** One service's partition and the ways to it. Methods throw {@link PortError} when the table is out of reach. */
export interface StateStore {
  read(name: ServiceName): Promise<Fact<ServiceState>>;
  readController(): Promise<ControllerState>;
  /**
   * Replaces `before` by `after`, which carries a new `rev` and nonce. A condition that fails on the write's
   * own lost answer is found out by the nonce and reported as written (P1).
   */
  write(before: ServiceState, after: ServiceState, guard: Guard): Promise<WriteResult>;
  create(state: ServiceState): Promise<'created' | 'exists'>;
  list(): Promise<Listing>;
  /** Services with an open episode, a waiting request, something undelivered, or stranded: the sparse index. */
  needingAttention(): Promise<readonly ServiceName[]>;

  servicesOfInstance(id: InstanceId): Promise<readonly ServiceName[]>;
  servicesOfAlarm(arn: AlarmArn): Promise<readonly ServiceName[]>;
  /** Takes the interface for a service; `owner` says whose it is when it is not free (S15). */
  own(
    eni: EniId,
    name: ServiceName,
  ): Promise<{ readonly kind: 'owned' } | { readonly kind: 'taken'; readonly owner: ServiceName }>;
  release(eni: EniId, name: ServiceName): Promise<void>;
  addWayBack(name: ServiceName, ways: WaysBack): Promise<void>;

  /** Copies a frozen record and its pointers; an identical copy that is there already is success (P21). */
  copyToTrail(name: TrailName, frozen: Frozen): Promise<void>;
  trail(name: TrailName, from: number, limit: number): Promise<readonly TrailRow[]>;

  /** Adds to the set of services that failed over in this zone and minute; answers the sets of the window (P31). */
  countFailover(
    zone: string,
    name: ServiceName,
    nowMs: number,
    releasedAtMs?: number,
  ): Promise<readonly string[]>;
  tripBrake(zone: string, services: readonly string[], nowMs: number): Promise<'tripped' | 'already'>;
  releaseBrake(zone: string, nowMs: number): Promise<void>;

  /** The controller's own item; no decision needs more of it than `readController` says. */
  readControllerItem(): Promise<ControllerItem>;
  /**
   * Replaces pause, frozen record and the chain's end, if that end is still the one of `before`. A condition that
   * fails on the write's own lost answer is found out by the record's hash, in the item or copied, and reported as
   * written.
   */
  writeControllerItem(before: ControllerItem, after: ControllerItem): Promise<'written' | 'conflict'>;
  /** Clears the frozen record of this number, and no later one. */
  clearControllerFrozen(number: number): Promise<void>;
  /** Adds a service to its zone's registered services: the brake's denominator. */
  joinZone(zone: string, name: ServiceName): Promise<void>;
  /** Takes it out again: an unregistered service is looked at no more, and counts no more. */
  leaveZone(zone: string, name: ServiceName): Promise<void>;
}

/** Every registered service. A row of the registry that cannot be understood is named, never left out silently. */
export interface Listing {
  readonly names: readonly ServiceName[];
  readonly unreadable: readonly string[];
}

export interface WaysBack {
  readonly instances: readonly InstanceId[];
  readonly alarms: readonly AlarmArn[];
}

export interface TrailRow {
  readonly number: number;
  readonly kind: string;
  readonly atMs: number;
  /** Of these two the text is what counts; absent in rows of an older version. */
  readonly outcome?: string;
  readonly author?: string;
  readonly body: string;
  readonly hash: string;
}

/** Part of a partition, as one call read it. */
export interface Slice<T> {
  readonly rows: readonly T[];
  /** How many items were read, those included that the condition left out. */
  readonly read: number;
  /** Where the next call goes on; undefined at the end of the range. */
  readonly rest?: string;
}

/** What rows must say; a row of an older version that says nothing of it is answered too. */
export interface RowsAskedFor {
  readonly service?: string;
  readonly kind?: string;
  readonly outcome?: string;
  readonly author?: string;
}

/** A way to a record, without the record. */
export interface Pointer {
  readonly sk: string;
  readonly service: string;
  readonly number: number;
}

export interface TrailKey {
  readonly service: string;
  readonly number: number;
}

/** The trail as it lies in the table: it can only be read. Methods throw {@link PortError} when it is out of reach. */
export interface Trail {
  /** The service's item, or the controller's own: the head of its chain, and what is frozen or open. */
  service(name: TrailName): Promise<Fact<TrailHolder>>;
  /** One service's records from number `to` down to `from`, at most `limit` items read. */
  newest(
    name: string,
    range: { readonly from: number; readonly to: number },
    limit: number,
    where?: RowsAskedFor,
  ): Promise<Slice<TrailRow>>;
  /** The same upwards. */
  oldest(name: string, from: number, limit: number): Promise<readonly TrailRow[]>;
  /** The pointers of one partition, newest first, from below `below` down to `from`, at most `limit` items read. */
  pointers(
    partition: string,
    range: { readonly from: string; readonly below: string },
    limit: number,
    where?: RowsAskedFor,
  ): Promise<Slice<Pointer>>;
  /** Records by key, in no order; those that are not there are left out. */
  rows(keys: readonly TrailKey[]): Promise<readonly (TrailRow & { readonly service: string })[]>;
}

export interface WorkQueue {
  send(message: WorkMessage, delayMs: number): Promise<void>;
}

export interface Notifier {
  publish(entry: OutboxEntry): Promise<void>;
}

/** One structured line per step. Never throws. */
export interface Log {
  info(message: string, facts?: Readonly<Record<string, unknown>>): void;
  warn(message: string, facts?: Readonly<Record<string, unknown>>): void;
  error(message: string, facts?: Readonly<Record<string, unknown>>): void;
}

export interface Ports {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly random: Random;
  readonly hash: Hash;
  readonly ec2: Ec2;
  readonly alarms: Alarms;
  readonly hooks: Hooks;
  readonly store: StateStore;
  readonly queue: WorkQueue;
  readonly notifier: Notifier;
  readonly log: Log;
}

/** An interface and its place in the network, whoever's it is. */
export interface PlacedInterface {
  readonly eni: EniId;
  readonly subnet: string;
  /** The ids of its security groups. */
  readonly groups: readonly string[];
  readonly addresses: readonly string[];
  /** `assigned` by EC2 itself: it belongs to the instance's launch, and stays behind. */
  readonly publicAddresses: readonly { readonly address: string; readonly kind: 'elastic' | 'assigned' }[];
  readonly instanceId: InstanceId | undefined;
  readonly deviceIndex: number | undefined;
}

/** What a security group lets in, for one protocol, range of ports and source. */
export interface Opening {
  /** `tcp`, `udp`, …; undefined is every one. */
  readonly protocol: string | undefined;
  readonly fromPort: number;
  readonly toPort: number;
  /** A network, a group or a prefix list. */
  readonly source: string;
}

/** A metric alarm on a status check of EC2. */
export interface StatusAlarm {
  readonly arn: AlarmArn;
  readonly instanceIds: readonly InstanceId[];
  readonly metric: string;
  readonly state: AlarmFact['state'];
}

/** A metric alarm that tells a topic. */
export interface TopicAlarm {
  readonly name: string;
  readonly namespace: string;
  readonly metric: string;
  /** Of its first dimension. */
  readonly of: string;
  readonly state: AlarmFact['state'];
  readonly actionsEnabled: boolean;
}

export interface RuleFact {
  readonly name: string;
  readonly enabled: boolean;
  /** The event pattern, in JSON. */
  readonly pattern: string | undefined;
  /** Queues for what could not be delivered to its targets. */
  readonly deadLetters: readonly string[];
}

export interface QueueFact {
  readonly name: string;
  /** Waiting to be received. */
  readonly visible: number;
  /** Where what failed too often goes. */
  readonly deadLetters: string | undefined;
}

export interface SubscriptionFact {
  readonly protocol: string;
  readonly endpoint: string;
  readonly confirmed: boolean;
}

/**
 * What lies around the services and is asked by operators only, with their own permissions. Reads, and nothing
 * else; throws {@link PortError}.
 */
export interface Environment {
  /** These interfaces, and every interface of these instances. */
  network(enis: readonly EniId[], instances: readonly InstanceId[]): Promise<readonly PlacedInterface[]>;
  /** Ingress by the id of the group. */
  openings(groups: readonly string[]): Promise<ReadonlyMap<string, readonly Opening[]>>;
  /** Every one of this account and Region. */
  statusAlarms(): Promise<readonly StatusAlarm[]>;
  alarmsTelling(topicArn: string): Promise<readonly TopicAlarm[]>;
  /** The rules that invoke a function. */
  rulesOf(functionArn: string): Promise<readonly RuleFact[]>;
  /** By its URL, or by its ARN. */
  queue(urlOrArn: string): Promise<QueueFact>;
  subscriptions(topicArn: string): Promise<readonly SubscriptionFact[]>;
}

/** EC2 and what lies around it, without the stack: enough to write a declaration, and to act when the stack cannot. */
export interface Site extends Pick<Ports, 'clock' | 'random' | 'ec2' | 'alarms'> {
  readonly environment: Environment;
}

/** A deployed stack of CloudFormation. */
export interface StackFact {
  readonly name: string;
  readonly status: string;
  readonly outputs: Readonly<Record<string, string>>;
}

/** Where the names of everything else are found. Throws {@link PortError} when it could not be asked. */
export interface Stacks {
  /** Undefined where there is no such stack in this account and Region. */
  find(name: string): Promise<StackFact | undefined>;
}

/** What one invocation may use. */
export interface Run {
  readonly owner: OwnerId;
  /** When the worker will be stopped, by the same clock. */
  readonly deadlineMs: number;
}
