/** Carries out a plan: detach, attach, verify, for all interfaces at once, deriving each step from what EC2 shows. */
import { isPlannedMove } from '../core/episode.ts';
import type { AttachmentId, InstanceId } from '../core/ids.ts';
import {
  leavingSince,
  leavingUnnoticed,
  mannerOf,
  type NextStep,
  nextStep,
  type Plan,
  type PlannedInterface,
  withLeaving,
  withRung,
} from '../core/plan.ts';
import type { Rung } from '../core/rungs.ts';
import { mayGoBack } from '../core/stages.ts';
import { times } from '../core/times.ts';
import { Hands, type Out } from './hands.ts';
import { inTime, over } from './in-time.ts';
import type { Journal } from './journal.ts';
import { attachmentIn, isLeaving, isOnNothing, type Look, Pace, stateOf, Watch } from './looking.ts';
import type { Ports, Run } from './ports.ts';
import { WrittenPlan } from './written-plan.ts';

/** What a move leaves behind, whatever its end. */
export interface Scene {
  readonly plan: Plan;
  readonly last: Look;
  /** Attachments that a look has shown: only of those is it certain that they are gone when they are gone. */
  readonly seen: ReadonlySet<AttachmentId>;
  /** Something was issued, by this worker or, as the item says, by one before it. */
  readonly acted: boolean;
}

/** Where a move came to rest, or why it stopped. */
export type MoveEnd =
  | ({ readonly kind: 'resting' } & Scene)
  | ({ readonly kind: 'stranded' | 'needs-human'; readonly why: string } & Scene)
  /** Somebody else has the lease, or ours ended: only a new look may go on. */
  | { readonly kind: 'lease-lost'; readonly acted: boolean }
  /** The next rung leaves a member that the service wants fenced first. */
  | { readonly kind: 'fence-due'; readonly acted: boolean }
  /** A member failed while it was left plainly: only a new look may say that it is forced (P17). */
  | { readonly kind: 'force-due'; readonly acted: boolean }
  /** The worker's time is nearly over: the next one goes on from the plan. */
  | { readonly kind: 'hand-over' };

export interface MoveContext {
  /** This worker issued something for this plan before, under a lease that it lost. */
  readonly acted: boolean;
  readonly ports: Ports;
  readonly journal: Journal;
  readonly run: Run;
  /** A new look at everything, and the member that it suggests after a refusal. */
  readonly chooseRung: (plan: Plan) => Promise<Rung>;
  /** Must the source be stopped before the plan goes on, now that it has another rung? */
  readonly isFenceDue: () => boolean;
  /** A new look at members that are being left: does EC2 say by now that one of them failed? */
  readonly haveFailed: (left: readonly InstanceId[]) => Promise<boolean>;
}

/** A move under way. */
interface Moving extends MoveContext {
  readonly plan: WrittenPlan;
  readonly watch: Watch;
  readonly hands: Hands;
  readonly pace: Pace;
  /** Since when the present target is known to refuse. */
  refusedSinceMs: number | undefined;
  /** When the members that are left were last looked at. */
  leftSeenAtMs: number;
}

function begin(context: MoveContext, first: Look): Moving {
  const { ports, journal } = context;
  const plan = new WrittenPlan(journal);
  const acted = context.acted || plan.episode.committed;
  return {
    ...context,
    plan,
    watch: new Watch(ports, journal, plan, first),
    hands: new Hands(ports, journal, plan, acted),
    pace: new Pace(ports),
    refusedSinceMs: undefined,
    leftSeenAtMs: ports.clock.now(),
  };
}

/**
 * Goes on with the plan that the journal's episode holds until all interfaces rest on its target, nothing will
 * take them, a person is needed, or this worker has to stop.
 *
 * Between a detach and the first attach nothing is awaited but EC2 (P3). `first` is a look that is still fresh.
 */
export async function carryOut(context: MoveContext, first: Look): Promise<MoveEnd> {
  const moving = begin(context, first);
  const { journal, plan, watch, hands, pace } = moving;
  for (;;) {
    if (journal.status() === 'lost') {
      // Nothing may be under way when the process is frozen: it would be sent on thaw, without a lease.
      await hands.settle();
      return { kind: 'lease-lost', acted: hands.acted };
    }
    if (isTimeOver(moving)) {
      await hands.settle();
      return { kind: 'hand-over' };
    }
    const begunBefore = hands.begun;
    const changesBefore = watch.changes;
    const steps = await takeSteps(moving);
    if (steps.length > 0) plan.enter(stateOf(plan.now, watch.last));

    const thirdParty = hands.leftAs('third-party');
    if (thirdParty) return stopForPeople(moving, thirdParty.why);
    const detachRefused = hands.leftAs('detach-refused');
    const back = detachRefused && wayBack(moving);
    if (back && (await turnBack(moving, detachRefused, back)) === 'taken') continue;

    const active = plan.now.interfaces.filter((each) => !hands.out.has(each.eni));
    const resting = steps.filter((each) => each.kind === 'rest');
    // What is under way is seen to its end first.
    if (hands.busy === 0) {
      if (resting.length === active.length) return comeToRest(moving);
      const [refusal] = hands.refused.values();
      if (refusal !== undefined) {
        const rung = await takeRung(moving, refusal);
        if (rung === 'none')
          return stopForPeople(moving, `${plan.now.target}: ${refusal}; no member is left to try`);
        if (rung === 'taken') {
          if (context.isFenceDue()) return { kind: 'fence-due', acted: hands.acted };
          await watch.lookNow();
          continue;
        }
      }
      if (await haveFailed(moving, leftPlainly(moving))) return { kind: 'force-due', acted: hands.acted };
    }

    if (hands.begun !== begunBefore) pace.begun();
    const pause = new AbortController();
    await Promise.race([context.ports.clock.sleep(pace.nextMs(), pause.signal), ...hands.answers()]);
    pause.abort(over);
    // A call that takes long may have taken effect all the same: its answer is not waited for with eyes closed.
    if (hands.busy < active.length || hands.hasOneLongerThan(2 * times.pollFirstMs)) await watch.lookNow();
    pace.looked(watch.changes !== changesBefore, watch.last.slow);
  }
}

const isTimeOver = ({ run, ports }: Moving) =>
  run.deadlineMs - ports.clock.now() < times.handOverBeforeDeadlineMs;

/** What is seen on its way has its time from now on, whoever sent it away: for whoever resumes, too (P17). */
function noteLeaving({ ports, plan, watch }: Moving): void {
  const atMs = ports.clock.now();
  const facts = new Map(plan.now.interfaces.map(({ eni }) => [eni, watch.believable(eni)]));
  for (const { eni, id } of leavingUnnoticed(plan.now, facts))
    plan.amend((before) => withLeaving(before, eni, id, { atMs, isTaken: true }));
}

/** Begins what is left to do for each interface that waits for nothing. */
async function takeSteps(moving: Moving): Promise<readonly NextStep[]> {
  const { ports, plan, watch, hands } = moving;
  const nowMs = ports.clock.now();
  noteLeaving(moving);
  const steps: NextStep[] = [];
  for (const planned of plan.now.interfaces) {
    const { eni } = planned;
    if (!hands.isFree(eni)) continue;
    const derived = nextStep(plan.now, planned, watch.believable(eni), hands.sent(eni), nowMs);
    // A rest counts only if the look that shows it was sent after the attach was answered (S13).
    const tooEarly = derived.kind === 'rest' && watch.last.sentAtMs < hands.attachAnsweredAtMs(eni);
    const step: NextStep = tooEarly ? { kind: 'look', why: 'to verify' } : derived;
    steps.push(step);
    await hands.take(planned, step);
  }
  return steps;
}

/** Which members are left plainly: a planned move waits for EC2, but not for ever on one that may have failed (P17). */
function leftPlainly({ ports, plan, watch, leftSeenAtMs }: Moving): readonly InstanceId[] {
  const { plainDetachMs, interfaces } = plan.now;
  if (ports.clock.now() - leftSeenAtMs < Math.max(plainDetachMs, times.resendAfterMs)) return [];
  return interfaces.flatMap((planned) => {
    const attachment = attachmentIn(watch.last, planned.eni);
    // What leaves the target does so against the plan: it is waited for, and attached again.
    if (attachment?.status !== 'detaching' || attachment.instanceId === plan.now.target) return [];
    return mannerOf(plan.now, planned, attachment) === 'plain' ? [attachment.instanceId] : [];
  });
}

/** Not waited for longer than a poll: an interface that comes loose meanwhile is to be attached. */
async function haveFailed(moving: Moving, left: readonly InstanceId[]): Promise<boolean> {
  if (left.length === 0) return false;
  const { clock } = moving.ports;
  moving.leftSeenAtMs = clock.now();
  return (await inTime(clock, moving.haveFailed(left), times.pollTimeoutMs)) ?? false;
}

/** Where a planned move returns the others when a detach is refused for good (P18). */
function wayBack({ plan, journal }: Moving): InstanceId | undefined {
  const { source, target } = plan.now;
  const mayReturn = isPlannedMove(plan.episode.kind) && mayGoBack(journal.service());
  return mayReturn && target !== source ? source : undefined;
}

async function turnBack(moving: Moving, { eni, why }: Out, source: InstanceId): Promise<'taken' | 'later'> {
  await moving.hands.settle();
  moving.hands.out.delete(eni);
  return moveTo(moving, source, why);
}

/** The next rung after a refusal, the source as the last one (P20). */
async function takeRung(moving: Moving, why: string): Promise<'taken' | 'none' | 'later'> {
  const { ports, journal, plan, chooseRung } = moving;
  moving.refusedSinceMs ??= ports.clock.now();
  const rung = await chooseRung(plan.now);
  if (rung.kind === 'member') return moveTo(moving, rung.id, why);
  if (rung.kind === 'none') return 'none';
  // Not known is not refused; but an interface on nothing does not wait for ever for a better answer.
  if (ports.clock.now() - moving.refusedSinceMs < times.observationFreshWhenSlowMs) return 'later';
  const { source, tried } = plan.now;
  // Rather that than a source beside which another member may have been promoted (P20).
  if (!source || tried.includes(source) || !mayGoBack(journal.service())) return 'later';
  return moveTo(moving, source, why);
}

/** Persists the next rung before anything is sent to it (P13); what cannot be written now is for later. */
async function moveTo(moving: Moving, target: InstanceId, why: string): Promise<'taken' | 'later'> {
  const { journal, plan, hands } = moving;
  journal.note({ step: 'rung', detail: `${target}, because ${plan.now.target} refused: ${why}` });
  const rising = (before: Plan) => withRung(before, target);
  const isStored = await plan.store(rising, () => {
    hands.forget();
    moving.refusedSinceMs = undefined;
  });
  return isStored ? 'taken' : 'later';
}

const sceneOf = ({ plan, watch, hands }: Moving): Scene => ({
  plan: plan.now,
  last: watch.last,
  seen: watch.seen,
  acted: hands.acted,
});

/** Every interface that still takes part was seen on the target. */
function comeToRest(moving: Moving): MoveEnd {
  const { journal, plan, watch, hands } = moving;
  plan.enter('VERIFYING');
  const [left] = hands.out.values();
  if (!left) {
    journal.note({ step: 'verified', detail: `all on ${plan.now.target}` });
    return { kind: 'resting', ...sceneOf(moving) };
  }
  const enis = plan.now.interfaces.map((each) => each.eni);
  // S14: an episode that ends with the service on two members has stranded it.
  const holders = new Set(enis.flatMap((eni) => attachmentIn(watch.last, eni)?.instanceId ?? []));
  const isStranded = holders.size > 1 || enis.some((eni) => isOnNothing(watch.last, eni));
  const kind = isStranded ? 'stranded' : 'needs-human';
  return { kind, why: `${left.eni}: ${left.why}`, ...sceneOf(moving) };
}

/** P19, P20: whatever is under way is seen to its end first; only then is it known what is left on nothing. */
async function stopForPeople(moving: Moving, why: string): Promise<MoveEnd> {
  const { ports, plan, watch, hands } = moving;
  await hands.settle();
  for (;;) {
    await watch.lookNow();
    noteLeaving(moving);
    if (!plan.now.interfaces.some((each) => isUndecided(moving, each))) break;
    if (isTimeOver(moving)) return { kind: 'hand-over' };
    await ports.clock.sleep(times.pollMaxMs);
  }
  // What has been leaving for too long will be on nothing, sooner or later.
  const isLost = ({ eni }: PlannedInterface) => isOnNothing(watch.last, eni) || isLeaving(watch.last, eni);
  const kind = plan.now.interfaces.some(isLost) ? 'stranded' : 'needs-human';
  return { kind, why, ...sceneOf(moving) };
}

/** Still on its way off a member, within its time, or not seen: nobody knows yet where it will be. */
function isUndecided({ ports, watch }: Moving, planned: PlannedInterface): boolean {
  const { eni } = planned;
  if (watch.last.facts.get(eni)?.kind === 'unknown') return true;
  const attachment = attachmentIn(watch.last, eni);
  if (attachment?.status !== 'detaching') return false;
  const nowMs = ports.clock.now();
  return nowMs - (leavingSince(planned, attachment.id) ?? nowMs) < times.detachDeadlineMs;
}
