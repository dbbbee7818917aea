/**
 * Back to the preferred member: since when it could have the interfaces, whether that is long enough, and what speaks
 * against going there by itself. Pure.
 */
import { refusalsOf } from './eligibility.ts';
import { type Episode, isPlannedMove, type Outcome } from './episode.ts';
import { evidenceOf } from './evidence.ts';
import type { InstanceId } from './ids.ts';
import { alarmOf, type Observation } from './observation.ts';
import { isPaused, type Pause, type Service, type ServiceState } from './state.ts';
import { times } from './times.ts';
import { whereabouts } from './whereabouts.ts';

/** The first of the members, as declared. */
export const preferredOf = (service: Service): InstanceId | undefined =>
  service.declaration.members[0]?.instance;

/** Since when the preferred member could have the interfaces back, by this look; undefined while it has them, or could not. */
export function preferredSince(
  service: Service,
  observation: Observation,
  nowMs: number,
): number | undefined {
  const { preferredSinceMs } = service;
  const [preferred] = service.declaration.members;
  const where = whereabouts(service, observation);
  // Where the interfaces are on the way, the member's own time goes on.
  if (!preferred || where.kind !== 'together') return preferredSinceMs;
  if (where.holder === preferred.instance) return undefined;
  const isEligible = refusalsOf(service, observation, preferred, nowMs).length === 0;
  return isEligible ? (preferredSinceMs ?? nowMs) : undefined;
}

/** In a pause people are at work: what the preferred member is like meanwhile says nothing of afterwards. */
export const isTimeStopped = (service: Service, ofAll: Pause | undefined, nowMs: number): boolean =>
  isPaused(service.pause, nowMs) || isPaused(ofAll, nowMs);

/** Until when anybody must wait who wants to fail back; undefined while it is not known since when it could. */
export const failbackFromMs = ({ preferredSinceMs }: Service): number | undefined =>
  preferredSinceMs === undefined ? undefined : preferredSinceMs + times.failbackAfterMs;

/** By the item alone: is it time for a failback that nobody asks for? What is seen may still speak against it. */
export function isFailbackDue(service: Service, nowMs: number): boolean {
  const { preferredSinceMs = Number.POSITIVE_INFINITY, lastMoveAtMs = 0 } = service;
  const { movedBy, failbackSuspended } = service;
  const { failback } = service.declaration.policy;
  if (failback === 'manual' || movedBy !== 'failover' || failbackSuspended) return false;
  return nowMs - Math.max(preferredSinceMs, lastMoveAtMs) >= failback.after;
}

/**
 * What speaks against a failback that nobody asks for; undefined when nothing does. More than for one that is asked
 * for: every signal by which the service could fail on the preferred member must be there, OK, and so for as long as
 * declared. After the move an alarm that was red before is no evidence any more (P33).
 */
export function againstFailback(
  service: Service,
  observation: Observation,
  holder: InstanceId,
  nowMs: number,
): string | undefined {
  const { movedBy, failbackSuspended } = service;
  const { policy, signals } = service.declaration;
  if (policy.failback === 'manual') return 'policy.failback is manual';
  if (movedBy !== 'failover') return 'the last move was no failover of ours';
  if (failbackSuspended) return `suspended: ${failbackSuspended.why}`;
  const preferred = preferredOf(service);
  for (const { arn, member = preferred } of signals.alarms) {
    if (member !== preferred) continue;
    const name = arn.slice(arn.indexOf(':alarm:') + 7);
    const alarm = alarmOf(observation, arn);
    if (alarm.kind !== 'known') return `alarm ${name} is ${alarm.kind}`;
    const { state, transitionedAtMs = 0 } = alarm.value;
    if (state !== 'OK') return `alarm ${name} is ${state}`;
    if (nowMs - transitionedAtMs < policy.failback.after)
      return `alarm ${name} is OK only since ${new Date(transitionedAtMs).toISOString()}`;
  }
  const hint = { kind: 'sweep', finding: 'is the holder well?', atMs: nowMs } as const;
  const evidence = evidenceOf(service, holder, observation, hint, nowMs);
  return evidence.kind === 'not-failed' && evidence.code === 'HOLDER_HEALTHY' ? undefined : evidence.why;
}

/** Away from its preferred member, and worth a look: its time begins, is over, or is stopped by a pause. */
export function awaitsFailback(service: Service, ofAll: Pause | undefined, nowMs: number): boolean {
  const holder = service.lastSeen?.holder;
  if (holder === undefined || holder === preferredOf(service)) return false;
  if (isTimeStopped(service, ofAll, nowMs)) return service.preferredSinceMs !== undefined;
  return service.preferredSinceMs === undefined || isFailbackDue(service, nowMs);
}

/** How an episode came to its end. */
export interface EndOfMove {
  readonly outcome: Outcome;
  /** Every interface rests on the plan's target. */
  readonly hasMoved: boolean;
  readonly sourceFailed: boolean;
}

const untouched: readonly Outcome[] = ['ABORTED', 'REFUSED'];

/** Whose the last move is after this episode: only a failover of ours, or the rescue that ended it, is ever undone by itself. */
export function movedByAfter(
  { movedBy, stranded }: ServiceState,
  { kind, plan, request }: Episode,
  { outcome, hasMoved, sourceFailed }: EndOfMove,
): ServiceState['movedBy'] {
  if (untouched.includes(outcome)) return movedBy;
  const isDone = hasMoved && outcome === 'COMPLETED';
  if (isPlannedMove(kind)) {
    if (!request?.byItself) return undefined;
    if (isDone) return 'failback';
    return outcome === 'NOTHING_TO_DO' ? undefined : movedBy;
  }
  // What it could not finish, its rescue will.
  if (kind === 'failover' && outcome === 'STRANDED') return 'failover';
  if (!hasMoved) return movedBy;
  if (plan.source === plan.target) return stranded ? undefined : movedBy;
  // Attached, but not serving: people are at work. Already there: somebody else was.
  if (!isDone) return undefined;
  return kind === 'failover' || (sourceFailed && !stranded) ? 'failover' : movedBy;
}

/** Why the next failback by itself must wait for a person after this episode; undefined when it need not, or must already. */
export function suspendsFailback(
  { movedBy, lastMoveAtMs = 0, failbackSuspended }: ServiceState,
  { id, kind, plan, request, openedAtMs }: Episode,
  { outcome, sourceFailed }: EndOfMove,
): string | undefined {
  if (failbackSuspended || outcome === 'NOTHING_TO_DO') return undefined;
  if (request?.byItself) return outcome === 'COMPLETED' ? undefined : `${id} ended ${outcome}`;
  if (isPlannedMove(kind) || !sourceFailed || untouched.includes(outcome)) return undefined;
  const isSoon = movedBy === 'failback' && openedAtMs - lastMoveAtMs < times.failbackProvenMs;
  return isSoon ? `${plan.source} failed within an hour after the automatic failback to it` : undefined;
}
