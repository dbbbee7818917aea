/** The plan of a move, and the pure function that derives from it and a look at EC2 what is left to do. */
import type { AttachmentId, EniId, InstanceId } from './ids.ts';
import type { Attachment, Fact, InterfaceFact } from './observation.ts';
import { times } from './times.ts';

export interface PlannedInterface {
  readonly eni: EniId;
  readonly deviceIndex: number;
  readonly networkCardIndex: number;
  /** The attachment it had when the plan was made; absent when it was on nothing (a rescue). */
  readonly detach?: AttachmentId;
  /** Attachments that this episode made, the latest last. */
  readonly ours: readonly AttachmentId[];
  /** When a detach of `leaving` was first sent, or seen: for a resumer the five minutes do not begin anew. */
  readonly leavingSinceMs?: number;
  /** Since when EC2 is known to be at it: only then has a plain detach its time. */
  readonly leavingTakenMs?: number;
  /** The attachment that was sent away or seen on its way. Absent in items of older versions: the one to the source. */
  readonly leaving?: AttachmentId;
}

/**
 * One plan covers all interfaces of a service together (P12). It is stored before anything is changed, and
 * whoever resumes derives from it and from EC2 what is left: nobody replays a list of calls (P14).
 */
export interface Plan {
  /** The member that is left; absent when nothing held the interfaces. */
  readonly source?: InstanceId;
  readonly target: InstanceId;
  /** Every member that an attach was ever issued to, in order; a member enters as it becomes a rung (P13). */
  readonly tried: readonly InstanceId[];
  /**
   * How the source is left: `force` when EC2 knows that it failed, `plain-then-force` when only an
   * application's alarm says so, `plain` in a planned move.
   */
  readonly detach: 'plain' | 'plain-then-force' | 'force';
  readonly plainDetachMs: number;
  /** Members that the plan had chosen and leaves again because EC2 says that they failed: as it looked last (P17). */
  readonly failed?: readonly InstanceId[];
  readonly interfaces: readonly PlannedInterface[];
}

/** What this run has sent to end one attachment. */
export interface SentDetach {
  readonly attachment: AttachmentId;
  readonly force: boolean;
  /** When the first of this kind, plain or forced, was sent, and the latest. */
  readonly sinceMs: number;
  readonly atMs: number;
  /** Has EC2 answered the latest, so that it is not sent again at once? Not where it asked to be spared. */
  readonly isAnswered: boolean;
  /** When the first of any kind was sent that EC2 took. */
  readonly takenSinceMs?: number;
}

/** What this run itself has sent for one interface. A resumer starts with an empty one. */
export interface Sent {
  readonly detach?: SentDetach;
  /** The first attach to the present target that was not merely throttled or left unanswered. */
  readonly attachAtMs?: number;
  /** Nothing is sent before: EC2 did not answer, or asked us to slow down. */
  readonly notBeforeMs?: number;
  /** When EC2 last accepted one: a read that still shows nothing is then merely stale. */
  readonly attachAcceptedAtMs?: number;
  /** When the worker first saw it on its way, where it did not send the call itself. */
  readonly waitingSinceMs?: number;
}

/** What is left to do for one interface. */
export type NextStep =
  | { readonly kind: 'look'; readonly why: string }
  | { readonly kind: 'detach'; readonly attachment: AttachmentId; readonly force: boolean }
  | { readonly kind: 'attach' }
  /** Our own late effect: an attachment that the plan does not know. Take it into the plan, then go on. */
  | { readonly kind: 'adopt'; readonly attachment: AttachmentId }
  | { readonly kind: 'keep-on-termination'; readonly attachment: AttachmentId }
  | { readonly kind: 'rest'; readonly attachment: AttachmentId }
  | { readonly kind: 'target-refused'; readonly why: string }
  | { readonly kind: 'stuck'; readonly why: string }
  | { readonly kind: 'gone' }
  | { readonly kind: 'unmovable'; readonly why: string }
  | { readonly kind: 'third-party'; readonly why: string };

const hasLasted = (sinceMs: number | undefined, forMs: number, nowMs: number) =>
  sinceMs !== undefined && nowMs - sinceMs >= forMs;

/** Is the attachment one that this plan may detach (S2)? */
export const isPlanned = (planned: PlannedInterface, id: AttachmentId) =>
  planned.detach === id || planned.ours.includes(id);

/** What is known of the end of this attachment, by whichever run. */
const leavingOf = (
  { detach, leaving = detach, leavingSinceMs, leavingTakenMs }: PlannedInterface,
  id: AttachmentId,
) => (leaving === id ? { sinceMs: leavingSinceMs, takenMs: leavingTakenMs } : {});

/** When a detach of this attachment was first sent or seen; undefined when none was. */
export const leavingSince = (planned: PlannedInterface, id: AttachmentId): number | undefined =>
  leavingOf(planned, id).sinceMs;

/** Since when EC2 is known to detach it; undefined when it is not. */
export const leavingTaken = (planned: PlannedInterface, id: AttachmentId): number | undefined =>
  leavingOf(planned, id).takenMs;

const sentFor = ({ detach }: Sent, id: AttachmentId) => (detach?.attachment === id ? detach : undefined);

/** What this run knows while the answer to a detach is still to come. */
export function withDetachSent(sent: Sent, attachment: AttachmentId, force: boolean, atMs: number): Sent {
  const before = sentFor(sent, attachment);
  const sinceMs = before?.force === force ? before.sinceMs : atMs;
  return { ...sent, detach: { ...before, attachment, force, sinceMs, atMs, isAnswered: false } };
}

/** EC2 has answered the detach that was sent last, and taken it or not. */
export function withDetachAnswered(sent: Sent, isTaken: boolean): Sent {
  const { detach } = sent;
  if (!detach) return sent;
  return { ...sent, detach: { ...(isTaken && { takenSinceMs: detach.atMs }), ...detach, isAnswered: true } };
}

/** How an attachment is left. A follower leaves a member that is alive, so it leaves plainly first. */
export function mannerOf(
  plan: Plan,
  { detach }: PlannedInterface,
  { id, instanceId }: Attachment,
): Plan['detach'] {
  if (detach === id) return plan.detach;
  if (plan.failed?.includes(instanceId)) return 'force';
  return plan.detach === 'plain' ? 'plain' : 'plain-then-force';
}

/** The way out of an attachment that is not where the plan wants it. */
function leave(
  plan: Plan,
  planned: PlannedInterface,
  attachment: Attachment,
  sent: Sent,
  nowMs: number,
): NextStep {
  const { id } = attachment;
  const manner = mannerOf(plan, planned, attachment);
  const detaching = attachment.status === 'detaching';
  const { sinceMs, takenMs } = leavingOf(planned, id);
  const own = sentFor(sent, id);
  // What EC2 shows as attached it has not taken from anybody before this run.
  const plainSinceMs = own?.takenSinceMs ?? (detaching ? takenMs : undefined);
  const force =
    manner === 'force' ||
    (manner === 'plain-then-force' && hasLasted(plainSinceMs, plan.plainDetachMs, nowMs));
  // Nobody is called before what may be done was tried by this run, too, and had its time.
  const isTried = own
    ? (own.force || !force) && hasLasted(own.sinceMs, times.lastTryMs, nowMs)
    : detaching && !force;
  if (isTried && hasLasted(sinceMs, times.detachDeadlineMs, nowMs))
    return { kind: 'stuck', why: 'it has been leaving for five minutes' };
  // What EC2 answered is given its time before the same is sent again.
  const isDue = !own?.isAnswered || (force && !own.force) || nowMs - own.atMs >= times.resendAfterMs;
  // A plain detach under way is not sent twice: EC2 has nothing to add to it.
  if (isDue && (force || !detaching)) return { kind: 'detach', attachment: id, force };
  return { kind: 'look', why: 'waiting for EC2 to detach it' };
}

/**
 * What is left to do for one interface, from the plan, what EC2 shows and what this run has sent.
 *
 * Rules P14 (resume by observation), P17 (a planned detach may be issued again), P18 and P19. Pure.
 */
export function nextStep(
  plan: Plan,
  planned: PlannedInterface,
  fact: Fact<InterfaceFact>,
  sent: Sent,
  nowMs: number,
): NextStep {
  const step = whatIsLeft(plan, planned, fact, sent, nowMs);
  const isCall = step.kind === 'detach' || step.kind === 'attach';
  return isCall && nowMs < (sent.notBeforeMs ?? 0)
    ? { kind: 'look', why: 'EC2 gave no clear answer: it is not asked again at once' }
    : step;
}

function whatIsLeft(
  plan: Plan,
  planned: PlannedInterface,
  fact: Fact<InterfaceFact>,
  sent: Sent,
  nowMs: number,
): NextStep {
  if (fact.kind === 'unknown') return { kind: 'look', why: fact.why };
  if (fact.kind === 'absent') return { kind: 'gone' };
  const { attachment, unmovable, status } = fact.value;
  if (unmovable !== undefined) return { kind: 'unmovable', why: unmovable };

  if (attachment === undefined || attachment.status === 'detached') {
    if (status !== 'available') return { kind: 'look', why: `EC2 says ${status}` };
    if (hasLasted(sent.attachAtMs, times.attachLimitMs, nowMs))
      return { kind: 'target-refused', why: 'the attach did not take effect within its limit' };
    const accepted = sent.attachAcceptedAtMs;
    return accepted !== undefined && nowMs - accepted < times.resendAfterMs
      ? { kind: 'look', why: 'EC2 accepted the attach and does not show it yet' }
      : { kind: 'attach' };
  }

  const { id, instanceId, deviceIndex, networkCardIndex } = attachment;
  const atPlannedIndex = deviceIndex === planned.deviceIndex && networkCardIndex === planned.networkCardIndex;
  if (!isPlanned(planned, id)) {
    // On a member that we tried, at the index that we asked for, after the planned attachment went away:
    // an attach of ours whose answer we never saw. Anything else is somebody else's work.
    if (plan.tried.includes(instanceId) && atPlannedIndex) return { kind: 'adopt', attachment: id };
    return { kind: 'third-party', why: `somebody attached it to ${instanceId}` };
  }
  if (instanceId === plan.target && attachment.status !== 'detaching') {
    if (attachment.status === 'attached')
      return attachment.deleteOnTermination
        ? { kind: 'keep-on-termination', attachment: id }
        : { kind: 'rest', attachment: id };
    return hasLasted(sent.attachAtMs ?? sent.waitingSinceMs, times.attachLimitMs, nowMs)
      ? { kind: 'target-refused', why: 'it stayed in attaching beyond its limit' }
      : { kind: 'look', why: 'waiting for EC2 to attach it' };
  }
  return leave(plan, planned, attachment, sent, nowMs);
}

/** The plan with its next rung: the target changes, and is in `tried` before anything is sent to it (P13). */
export function withRung(plan: Plan, target: InstanceId): Plan {
  return { ...plan, target, tried: [...plan.tried.filter((each) => each !== target), target] };
}

/** The plan that knows one more attachment as its own. */
export function withAttachment(plan: Plan, eni: EniId, id: AttachmentId): Plan {
  return {
    ...plan,
    interfaces: plan.interfaces.map((each) =>
      each.eni === eni && !each.ours.includes(id) ? { ...each, ours: [...each.ours, id] } : each,
    ),
  };
}

/** The plan that knows that an attachment is on its way, and whether EC2 is known to be at it; the first time counts. */
export function withLeaving(
  plan: Plan,
  eni: EniId,
  id: AttachmentId,
  { atMs, isTaken }: { readonly atMs: number; readonly isTaken: boolean },
): Plan {
  return {
    ...plan,
    interfaces: plan.interfaces.map((each) => {
      if (each.eni !== eni) return each;
      const { sinceMs = atMs, takenMs = isTaken ? atMs : undefined } = leavingOf(each, id);
      const { leavingTakenMs: _, ...planned } = each;
      const taken = takenMs === undefined ? {} : { leavingTakenMs: takenMs };
      return { ...planned, leaving: id, leavingSinceMs: sinceMs, ...taken };
    }),
  };
}

/** What EC2 shows on its way, by whomever it was sent away, and the plan does not know it. */
export function leavingUnnoticed(
  { interfaces }: Plan,
  facts: ReadonlyMap<EniId, Fact<InterfaceFact>>,
): readonly { readonly eni: EniId; readonly id: AttachmentId }[] {
  return interfaces.flatMap((planned) => {
    const { eni } = planned;
    const fact = facts.get(eni);
    const attachment = fact?.kind === 'known' ? fact.value.attachment : undefined;
    return attachment?.status === 'detaching' && leavingTaken(planned, attachment.id) === undefined
      ? [{ eni, id: attachment.id }]
      : [];
  });
}

/** True while every interface still has the attachment that the plan began with (P15). */
export function isUntouched(plan: Plan, facts: ReadonlyMap<EniId, Fact<InterfaceFact>>): boolean {
  return plan.interfaces.every((each) => {
    const fact = facts.get(each.eni);
    return (
      each.detach !== undefined &&
      fact?.kind === 'known' &&
      fact.value.attachment?.id === each.detach &&
      fact.value.attachment.status === 'attached'
    );
  });
}
