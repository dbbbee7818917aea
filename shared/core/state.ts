/** The service's item: lock, write-ahead log and state in one, and the strict reader of what is stored. */
import * as v from 'valibot';
import { type Episode, type EpisodeState, type StageMark, type Step, statesBefore } from './episode.ts';
import { InvalidInputError } from './errors.ts';
import {
  type AttachmentId,
  AttachmentIdSchema,
  type EniId,
  EniIdSchema,
  type EpisodeId,
  everything,
  type InstanceId,
  InstanceIdSchema,
  type OwnerId,
  type ServiceName,
  ServiceNameSchema,
} from './ids.ts';
import type { OutboxEntry } from './notice.ts';
import type { TypeLimits } from './observation.ts';
import type { Plan, PlannedInterface } from './plan.ts';
import { problemsOf } from './problems.ts';
import { type Declaration, parseStoredDeclaration } from './service.ts';
import { parseNotice } from './stored-notice.ts';
import { times } from './times.ts';

export interface Lease {
  readonly owner: OwnerId;
  readonly untilMs: number;
}

export interface Pause {
  readonly reason: string;
  readonly author: string;
  readonly atMs: number;
  readonly untilMs: number;
}

/** A record on its way to the trail: copied byte for byte, by anyone, then cleared (P21). */
export interface Frozen {
  readonly number: number;
  readonly kind: string;
  readonly atMs: number;
  /** Beside the text, so that the table can be asked for it; absent in what an older version froze. */
  readonly outcome?: string;
  readonly author?: string;
  /** The canonical JSON of the record: what the hash is over. */
  readonly body: string;
  readonly hash: string;
  /** Partition keys of the pointers that lead to it. */
  readonly pointers: readonly string[];
}

export interface Stranded {
  readonly sinceMs: number;
  readonly plan: Plan;
  readonly why: string;
  readonly tries: number;
  /** A member was promoted, or may have been: the plan's source has another state of the data (P20). */
  readonly promoted?: boolean;
  /** The source had failed, or may have: a rescue stops it. Absent in what an older version stored. */
  readonly sourceFailed?: boolean;
}

export interface Quarantine {
  readonly sinceMs: number;
  readonly why: string;
  readonly healthySinceMs?: number;
  /** Ends by itself then: a member that refused an attach is not asked again at once. */
  readonly untilMs?: number;
}

/** An operator's wish (P29). */
export interface OperatorRequest {
  readonly id: string;
  readonly kind: 'switchover' | 'failback';
  /** Who had the interfaces then: nobody else is moved away from. Absent in what an older version stored. */
  readonly from?: InstanceId;
  readonly target: InstanceId;
  readonly author: string;
  readonly reason: string;
  readonly atMs: number;
  /** A detach that hangs may be forced although the source is well: only who asked can answer for that. */
  readonly force?: true;
  /** Nobody asked for it: the service declares that it goes back by itself. */
  readonly byItself?: true;
}

/**
 * Facts that do not change while an instance keeps its type. Cached, and kept up by the sweep, so that they cost
 * nothing in an outage.
 */
export interface CachedFacts {
  readonly availabilityZone: string;
  readonly limits: Readonly<Record<string, TypeLimits>>;
}

export interface ServiceState {
  readonly name: ServiceName;
  readonly rev: number;
  readonly epoch: number;
  readonly nonce: string;
  /** The declaration as it was registered, in JSON. */
  readonly declared: string;
  readonly facts: CachedFacts;
  readonly registeredBy: string;
  /** Where the registration comes from, such as a stack's ARN; absent where an operator made it by hand. */
  readonly source?: string;
  readonly lease?: Lease;
  readonly episode?: Episode;
  readonly request?: OperatorRequest;
  readonly frozen?: Frozen;
  readonly outbox: readonly OutboxEntry[];
  /** Where the interfaces were when last looked at for certain: a hint for people and for a rescue. */
  readonly lastSeen?: {
    readonly holder: InstanceId;
    readonly attachments: Readonly<Record<string, AttachmentId>>;
  };
  /** Attachments that closed episodes detached: a read that shows one is stale (P10). */
  readonly detached: readonly AttachmentId[];
  /** Attachments that a closed episode may still detach late (P15, P16). */
  readonly mayDetach: readonly AttachmentId[];
  /** No effect of ours comes later than this; afterwards a detached interface is somebody else's work. */
  readonly mayDetachUntilMs?: number;
  readonly quarantine: Readonly<Record<string, Quarantine>>;
  /** When failovers were committed, within the budget's window. */
  readonly failoversAtMs: readonly number[];
  /** When failovers ended because their source could not be seen stopped, within the same window. */
  readonly unfencedAtMs?: readonly number[];
  readonly lastMoveAtMs?: number;
  /** Since when the preferred member could have the interfaces back; absent while it has them, or could not. */
  readonly preferredSinceMs?: number;
  /** Which move of ours, decided by ourselves, was the last one; absent after anybody else's, and after an asked one. */
  readonly movedBy?: 'failover' | 'failback';
  /** Why there is no failback by itself until somebody acknowledges. */
  readonly failbackSuspended?: { readonly sinceMs: number; readonly why: string };
  readonly pause?: Pause;
  readonly stranded?: Stranded;
  /** The refusal recorded last; the same one is not recorded again (P24). */
  readonly lastRefusal?: string;
  /** Why a failover would not work now, as told last; absent when it would. */
  readonly notReady?: string;
  /** What was last recorded as observed, so that it is paged once. */
  readonly lastObserved?: string;
  /** The next number of the trail, and the hash of the record before it. */
  readonly trail: { readonly next: number; readonly head: string };
  /** Unregistered: nothing is ever deleted (P25). */
  readonly tombstone?: boolean;
}

/** A service's item with its declaration understood: what the decision reads. */
export interface Service extends ServiceState {
  readonly declaration: Declaration;
}

const ms = v.pipe(v.number(), v.finite());
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const instanceMap = <T extends v.GenericSchema>(value: T) => v.record(v.string(), value);

const StepSchema: v.GenericSchema<unknown, Step> = v.object({
  atMs: ms,
  step: v.string(),
  detail: v.exactOptional(v.string()),
  eni: v.exactOptional(v.string()),
  durationMs: v.exactOptional(ms),
  times: v.exactOptional(count),
  untilMs: v.exactOptional(ms),
});

const PlannedInterfaceSchema: v.GenericSchema<unknown, PlannedInterface> = v.object({
  eni: EniIdSchema,
  deviceIndex: count,
  networkCardIndex: count,
  detach: v.exactOptional(AttachmentIdSchema),
  ours: v.array(AttachmentIdSchema),
  leavingSinceMs: v.exactOptional(ms),
  leavingTakenMs: v.exactOptional(ms),
  leaving: v.exactOptional(AttachmentIdSchema),
});

const PlanSchema: v.GenericSchema<unknown, Plan> = v.object({
  source: v.exactOptional(InstanceIdSchema),
  target: InstanceIdSchema,
  tried: v.array(InstanceIdSchema),
  detach: v.picklist(['plain', 'plain-then-force', 'force']),
  plainDetachMs: ms,
  failed: v.exactOptional(v.array(InstanceIdSchema)),
  interfaces: v.array(PlannedInterfaceSchema),
});

const StageMarkSchema: v.GenericSchema<unknown, StageMark> = v.object({
  begunAtMs: ms,
  handle: v.exactOptional(v.string()),
  end: v.exactOptional(v.picklist(['done', 'failed', 'refused', 'timed-out'])),
  endedAtMs: v.exactOptional(ms),
  output: v.exactOptional(v.string()),
});

const EpisodeSchema: v.GenericSchema<unknown, Episode> = v.object({
  id: v.custom<EpisodeId>((id) => typeof id === 'string' && /^[^.]+\.\d+$/.test(id), 'must be an episode id'),
  kind: v.picklist(['failover', 'switchover', 'failback', 'rescue']),
  state: v.picklist(Object.keys(statesBefore) as EpisodeState[]),
  evidence: v.string(),
  eventAtMs: v.exactOptional(ms),
  openedAtMs: ms,
  plan: PlanSchema,
  committed: v.boolean(),
  steps: v.array(StepSchema),
  stages: v.exactOptional(v.record(v.string(), StageMarkSchema)),
  request: v.exactOptional(
    v.object({
      id: v.string(),
      author: v.string(),
      reason: v.string(),
      byItself: v.exactOptional(v.literal(true)),
    }),
  ),
});

const FrozenSchema: v.GenericSchema<unknown, Frozen> = v.object({
  number: count,
  kind: v.string(),
  atMs: ms,
  outcome: v.exactOptional(v.string()),
  author: v.exactOptional(v.string()),
  body: v.string(),
  hash: v.string(),
  pointers: v.array(v.string()),
});
const PauseSchema: v.GenericSchema<unknown, Pause> = v.object({
  reason: v.string(),
  author: v.string(),
  atMs: ms,
  untilMs: ms,
});
const ChainEndSchema = v.object({ next: count, head: v.string() });

/** Reads what is stored. A lease or plan that cannot be understood is an error, never a free lease. */
const ServiceStateSchema: v.GenericSchema<
  unknown,
  Omit<ServiceState, 'outbox'> & { readonly outbox: readonly unknown[] }
> = v.object({
  name: ServiceNameSchema,
  rev: count,
  epoch: count,
  nonce: v.string(),
  declared: v.string(),
  facts: v.object({
    availabilityZone: v.string(),
    limits: v.record(
      v.string(),
      v.object({
        interfaces: count,
        interfacesPerCard: v.array(count),
        ipv4PerInterface: count,
        ipv6PerInterface: count,
      }),
    ),
  }),
  registeredBy: v.string(),
  source: v.exactOptional(v.string()),
  lease: v.exactOptional(
    v.object({
      owner: v.pipe(
        v.string(),
        v.nonEmpty(),
        v.transform((text) => text as OwnerId),
      ),
      untilMs: ms,
    }),
  ),
  episode: v.exactOptional(EpisodeSchema),
  request: v.exactOptional(
    v.object({
      id: v.string(),
      kind: v.picklist(['switchover', 'failback']),
      from: v.exactOptional(InstanceIdSchema),
      target: InstanceIdSchema,
      author: v.string(),
      reason: v.string(),
      atMs: ms,
      force: v.exactOptional(v.literal(true)),
      byItself: v.exactOptional(v.literal(true)),
    }),
  ),
  frozen: v.exactOptional(FrozenSchema),
  outbox: v.array(v.unknown()),
  lastSeen: v.exactOptional(
    v.object({ holder: InstanceIdSchema, attachments: v.record(v.string(), AttachmentIdSchema) }),
  ),
  detached: v.array(AttachmentIdSchema),
  mayDetach: v.array(AttachmentIdSchema),
  mayDetachUntilMs: v.exactOptional(ms),
  quarantine: instanceMap(
    v.object({
      sinceMs: ms,
      why: v.string(),
      healthySinceMs: v.exactOptional(ms),
      untilMs: v.exactOptional(ms),
    }),
  ),
  failoversAtMs: v.array(ms),
  unfencedAtMs: v.exactOptional(v.array(ms)),
  lastMoveAtMs: v.exactOptional(ms),
  preferredSinceMs: v.exactOptional(ms),
  movedBy: v.exactOptional(v.picklist(['failover', 'failback'])),
  failbackSuspended: v.exactOptional(v.object({ sinceMs: ms, why: v.string() })),
  pause: v.exactOptional(PauseSchema),
  stranded: v.exactOptional(
    v.object({
      sinceMs: ms,
      plan: PlanSchema,
      why: v.string(),
      tries: count,
      promoted: v.exactOptional(v.boolean()),
      sourceFailed: v.exactOptional(v.boolean()),
    }),
  ),
  lastRefusal: v.exactOptional(v.string()),
  notReady: v.exactOptional(v.string()),
  lastObserved: v.exactOptional(v.string()),
  trail: ChainEndSchema,
  tombstone: v.exactOptional(v.boolean()),
});

/** What concerns every service, as far as a decision needs it: read beside the service's own item. */
export interface ControllerState {
  readonly pause?: Pause;
  /** Tripped brakes by Availability Zone. */
  readonly brakes: Readonly<
    Record<string, { readonly sinceMs: number; readonly services: readonly string[] }>
  >;
  /** When a zone's brake was released last: failovers before that do not trip it again. */
  readonly releasedAtMs: Readonly<Record<string, number>>;
  /** Registered services by Availability Zone: the brake's denominator. */
  readonly servicesByZone: Readonly<Record<string, readonly string[]>>;
}

export const emptyController: ControllerState = { brakes: {}, releasedAtMs: {}, servicesByZone: {} };

/** The controller's own item: the pause of everything, and the end of the chain of what was done to everything. */
export interface ControllerItem {
  readonly name: typeof everything;
  readonly pause?: Pause;
  readonly trail: ServiceState['trail'];
  readonly frozen?: Frozen;
}

const ControllerItemSchema = v.object({
  pause: v.exactOptional(PauseSchema),
  /** Absent before the first record, and in an item of an older version. */
  trail: v.exactOptional(ChainEndSchema),
  frozen: v.exactOptional(FrozenSchema),
});

/**
 * Reads the stored item, or says what it is where there is none yet. Throws {@link InvalidInputError}: a chain whose
 * end cannot be understood is not begun anew.
 */
export function parseControllerItem(row: unknown): ControllerItem {
  const result = v.safeParse(ControllerItemSchema, row ?? {});
  if (result.success) return { name: everything, trail: emptyTrail, ...result.output };
  throw new InvalidInputError("the controller's own item is malformed", problemsOf(result.issues));
}

/** Reads a stored item. Throws {@link InvalidInputError}: on an item that cannot be understood nothing is done. */
export function parseServiceState(row: unknown): ServiceState {
  const result = v.safeParse(ServiceStateSchema, row);
  if (result.success) {
    const { outbox, ...state } = result.output;
    return { ...state, outbox: outbox.map((each) => parseNotice(each, state.name)) };
  }
  throw new InvalidInputError('the stored service item is malformed', problemsOf(result.issues));
}

/** Declarations by their text: each look at a service reads the same one again, and nobody changes one in place. */
const declarations = new Map<string, Declaration>();
const mostDeclarations = 1_000;

/** The item's declaration, parsed. Throws only if the table holds what registration never stored. */
export function toService(state: ServiceState): Service {
  const known = declarations.get(state.declared);
  if (known) return { ...state, declaration: known };
  const what = `the stored declaration of ${state.name}`;
  let raw: unknown;
  try {
    raw = JSON.parse(state.declared);
  } catch {
    throw new InvalidInputError(what, ['it is not JSON']);
  }
  const parsed = parseStoredDeclaration(raw);
  if (parsed.kind === 'invalid') throw new InvalidInputError(what, parsed.problems);
  if (declarations.size >= mostDeclarations) declarations.clear();
  declarations.set(state.declared, parsed.declaration);
  return { ...state, declaration: parsed.declaration };
}

/** A lease is free once it ended longer ago than two clocks may differ (P4). */
export function isLeaseFree(state: ServiceState, nowMs: number): boolean {
  return state.lease === undefined || state.lease.untilMs + times.skewMarginMs < nowMs;
}

/** Something of it is on its way or unfinished: somebody must look, whatever EC2 shows. */
export const needsAttention = (state: ServiceState): boolean =>
  state.episode !== undefined ||
  state.stranded !== undefined ||
  state.frozen !== undefined ||
  state.request !== undefined ||
  state.outbox.length > 0;

/** How many failovers there were within the hour, for the budget (P32); those that wait for a source to stop are over once it has. */
export function spentOf(state: ServiceState, isSourceStopped: boolean, nowMs: number): number {
  const all = [...state.failoversAtMs, ...(isSourceStopped ? [] : (state.unfencedAtMs ?? []))];
  return all.filter((atMs) => nowMs - atMs < times.budgetWindowMs).length;
}

/** What the trail is asked of an item: where its chain ends, what is not copied yet, and what is still open. */
export type TrailHolder = Pick<ServiceState, 'trail' | 'frozen' | 'episode'>;

export const isPaused = (pause: Pause | undefined, nowMs: number) =>
  pause !== undefined && nowMs < pause.untilMs;

/** The end of the chain of a service without records. */
export const emptyTrail = { next: 1, head: '' } as const;

export const interfacesOf = (service: Service): readonly EniId[] =>
  service.declaration.interfaces.map((each) => each.eni);

export const isMember = (service: Service, id: InstanceId | undefined): id is InstanceId =>
  service.declaration.members.some((each) => each.instance === id);

/**
 * For a write that changes who was seen last with the interfaces: a request that an older version stored was meant
 * for the one before, and is refused because of it rather than move what a person has put elsewhere (P28).
 */
export const originKept = ({ request, lastSeen }: ServiceState): Pick<ServiceState, 'request'> =>
  request && lastSeen ? { request: { from: lastSeen.holder, ...request } } : {};
