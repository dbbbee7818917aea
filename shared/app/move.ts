/** Carries out a plan: detach, attach, verify, for all interfaces at once, deriving each step from what EC2 shows. */

import type { EpisodeState } from '../core/episode.ts';
import { messageOf } from '../core/errors.ts';
import type { AttachmentId, EniId, InstanceId } from '../core/ids.ts';
import { absent, type Fact, type InterfaceFact, known, unknown } from '../core/observation.ts';
import {
  type NextStep,
  nextStep,
  type Plan,
  type PlannedInterface,
  type Sent,
  withAttachment,
  withRung,
} from '../core/plan.ts';
import type { Rung } from '../core/rungs.ts';
import { times } from '../core/times.ts';
import type { Journal } from './journal.ts';
import type { Ports, Run } from './ports.ts';

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
  /** The worker's time is nearly over: the next one goes on from the plan. */
  | { readonly kind: 'hand-over' };

/** An interface that takes no further part, and why. */
interface Out {
  readonly kind: 'gone' | 'unmovable' | 'third-party' | 'stuck' | 'detach-refused' | 'keep-refused';
  readonly why: string;
}

/** The interfaces as one Describe showed them. */
export interface Look {
  readonly facts: ReadonlyMap<EniId, Fact<InterfaceFact>>;
  readonly sentAtMs: number;
  /** EC2 throttled, was slow, or did not answer. */
  readonly slow: boolean;
}

export interface MoveContext {
  /** This worker issued something for this plan before, under a lease that it lost. */
  readonly acted: boolean;
  readonly ports: Ports;
  readonly journal: Journal;
  readonly run: Run;
  /** A planned move gives the interfaces back to its source when a detach is refused for good (P18). */
  readonly isPlannedMove: boolean;
  /** A new look at everything, and the member that it suggests after a refusal. */
  readonly chooseRung: (plan: Plan) => Promise<Rung>;
}

/** The state that EC2 shows: what is not off its old member yet is detaching, what is not on the new one attaching. */
function stateOf(plan: Plan, look: Look): EpisodeState {
  const attachments = plan.interfaces.map(({ eni }) => {
    const fact = look.facts.get(eni);
    return fact?.kind === 'known' ? fact.value.attachment : undefined;
  });
  if (attachments.some((each) => each && (each.instanceId !== plan.target || each.status === 'detaching')))
    return 'DETACHING';
  return attachments.every((each) => each?.status === 'attached') ? 'VERIFYING' : 'ATTACHING';
}

/**
 * Goes on with the plan that the journal's episode holds until all interfaces rest on its target, nothing will
 * take them, a person is needed, or this worker has to stop.
 *
 * Between a detach and the first attach nothing is awaited but EC2 (P3). `first` is a look that is still fresh.
 */
export async function carryOut(context: MoveContext, first: Look): Promise<MoveEnd> {
  const { ports, journal, run, isPlannedMove, chooseRung } = context;
  const { clock, ec2, random } = ports;

  let plan = planOf(journal);
  let look = first;
  let pollMs: number = times.pollFirstMs;
  let progressAtMs = clock.now();
  let state: EpisodeState = 'CLAIMED';
  let progress = 0;
  let acted = context.acted || (journal.service().episode?.committed ?? false);
  let refusedSinceMs: number | undefined;
  let renewing = false;
  const seen = new Set<AttachmentId>();
  const unclear = new Map<EniId, number>();
  const sent = new Map<EniId, Sent>();
  const attachAnsweredAtMs = new Map<EniId, number>();
  const inFlight = new Map<EniId, Promise<void>>();
  const begunAtMs = new Map<EniId, number>();
  const out = new Map<EniId, Out>();
  const refusedBy = new Map<EniId, string>();

  const ended = new Set(journal.service().detached);
  /** A read that shows an attachment which an earlier episode ended, or this one saw end, is stale (P10). */
  const believable = (fact: Fact<InterfaceFact>): Fact<InterfaceFact> =>
    fact.kind === 'known' && fact.value.attachment && ended.has(fact.value.attachment.id)
      ? unknown('EC2 shows an attachment that has ended')
      : fact;
  const remember = (eni: EniId, more: Sent) => sent.set(eni, { ...sent.get(eni), ...more });
  const leave = (planned: PlannedInterface, how: Out) => {
    out.set(planned.eni, how);
    journal.note({ step: how.kind, eni: planned.eni, detail: how.why });
  };

  /** Changes the plan here at once and in the table soon. */
  const amendPlan = (change: (plan: Plan) => Plan, committed = false) => {
    plan = change(plan);
    journal.amend((item) =>
      item.episode
        ? {
            ...item,
            episode: {
              ...item.episode,
              plan: change(item.episode.plan),
              committed: item.episode.committed || committed,
            },
          }
        : item,
    );
  };

  /** Until when nothing is sent for this interface: longer each time, up to the longest poll. */
  const backOff = (eni: EniId) => {
    const count = (unclear.get(eni) ?? 0) + 1;
    unclear.set(eni, count);
    const pauseMs = Math.min(times.pollFirstMs * times.pollGrowth ** count, times.pollMaxMs);
    return clock.now() + pauseMs * (0.8 + 0.4 * random());
  };

  async function detach(planned: PlannedInterface, attachment: AttachmentId, force: boolean) {
    const startedAtMs = clock.now();
    const earlier = sent.get(planned.eni);
    remember(planned.eni, {
      detachAtMs: earlier?.detachAtMs ?? startedAtMs,
      ...(force && { forceAtMs: startedAtMs }),
    });
    acted = true;
    const answering = ec2.detach(attachment, { force });
    // Not awaited: no write stands between a detach and the first attach (P3).
    amendPlan((before) => leavingSince(before, planned.eni, startedAtMs), true);
    const answer = await answering;
    const detail = answer.kind === 'accepted' ? attachment : `${attachment}: ${answer.kind} ${answer.code}`;
    const step = force ? 'detach-forced' : 'detach';
    journal.note({ step, eni: planned.eni, detail, durationMs: clock.now() - startedAtMs });
    journal.flush();
    // In the wrong state just now (an instance that is stopping, say) is not accepted either.
    const isWrongState = answer.kind === 'look' && answer.code.startsWith('Incorrect');
    if (answer.kind === 'unclear' || isWrongState) {
      // Not accepted for certain: the next look may send it again without waiting out its time.
      const { detachAtMs: _, forceAtMs: __, ...rest } = sent.get(planned.eni) ?? {};
      sent.set(planned.eni, { waitingSinceMs: startedAtMs, ...rest, notBeforeMs: backOff(planned.eni) });
    } else if (answer.kind === 'refused') {
      leave(planned, { kind: 'detach-refused', why: `${answer.code}: ${answer.detail}` });
    }
  }

  async function attach(planned: PlannedInterface) {
    const startedAtMs = clock.now();
    const { target } = plan;
    acted = true;
    remember(planned.eni, { attachAtMs: sent.get(planned.eni)?.attachAtMs ?? startedAtMs });
    const { eni, deviceIndex, networkCardIndex } = planned;
    const answer = await ec2.attach({ eni, instanceId: target, deviceIndex, networkCardIndex });
    attachAnsweredAtMs.set(eni, clock.now());
    const detail = answer.kind === 'accepted' ? target : `${target}: ${answer.kind} ${answer.code}`;
    journal.note({ step: 'attach', eni, detail, durationMs: clock.now() - startedAtMs });
    if (answer.kind === 'accepted') {
      remember(eni, { attachAcceptedAtMs: clock.now() });
      amendPlan((before) => withAttachment(before, eni, answer.attachment));
    } else if (answer.kind === 'unclear') {
      // Nothing that the target caused: its patience begins anew, and it is not blamed (P18).
      const { attachAtMs: _, ...rest } = sent.get(eni) ?? {};
      sent.set(eni, { ...rest, notBeforeMs: backOff(eni) });
    } else if (answer.kind === 'target-refused') {
      refusedBy.set(eni, `${answer.code}: ${answer.detail}`);
    } else if (answer.kind === 'gone') {
      leave(planned, { kind: 'gone', why: answer.code });
    }
  }

  /** An attachment is taken into the stored plan before anything is done about it (S2). */
  async function adopt(planned: PlannedInterface, id: AttachmentId) {
    const written = await journal.commit((item) =>
      item.episode
        ? { ...item, episode: { ...item.episode, plan: withAttachment(item.episode.plan, planned.eni, id) } }
        : item,
    );
    if (written !== 'written') return;
    plan = withAttachment(plan, planned.eni, id);
    sent.delete(planned.eni);
    journal.note({ step: 'adopted', eni: planned.eni, detail: `${id} is our own late effect` });
  }

  async function keep(planned: PlannedInterface, id: AttachmentId) {
    const answer = await ec2.keepOnTermination(planned.eni, id);
    journal.note({ step: 'keep-on-termination', eni: planned.eni, detail: answer });
    if (answer === 'refused')
      leave(planned, { kind: 'keep-refused', why: 'DeleteOnTermination could not be set to false' });
  }

  const begin = (planned: PlannedInterface, work: Promise<void>) => {
    progress += 1;
    begunAtMs.set(planned.eni, clock.now());
    inFlight.set(
      planned.eni,
      work
        .catch((error: unknown) => journal.note({ step: 'call-failed', detail: messageOf(error) }))
        .finally(() => inFlight.delete(planned.eni)),
    );
  };

  /** P6: a mutation begins only if the lease outlives its timeout; P5: an attach also while the table is away. */
  const mayMutate = () => journal.covers(times.ec2TimeoutMs);
  const mayAttach = () => mayMutate() || journal.status() === 'unreachable';

  async function act(planned: PlannedInterface, step: NextStep): Promise<'ok' | 'no-lease'> {
    switch (step.kind) {
      case 'detach':
        if (!mayMutate()) return 'no-lease';
        begin(planned, detach(planned, step.attachment, step.force));
        return 'ok';
      case 'attach':
        if (!mayAttach()) return 'no-lease';
        begin(planned, attach(planned));
        return 'ok';
      case 'adopt':
        begin(planned, adopt(planned, step.attachment));
        return 'ok';
      case 'keep-on-termination':
        if (!mayMutate()) return 'no-lease';
        begin(planned, keep(planned, step.attachment));
        return 'ok';
      case 'target-refused':
        refusedBy.set(planned.eni, step.why);
        return 'ok';
      case 'gone':
        leave(planned, { kind: 'gone', why: 'EC2 does not know it any more' });
        return 'ok';
      case 'unmovable':
      case 'third-party':
      case 'stuck':
        leave(planned, step);
        return 'ok';
      case 'look':
        if (sent.get(planned.eni)?.waitingSinceMs === undefined)
          remember(planned.eni, { waitingSinceMs: clock.now() });
        return 'ok';
      case 'rest':
        return 'ok';
    }
  }

  /** What EC2 shows goes into the log when it shows it first: the durations of the trail are EC2's, not ours. */
  function noteSeen(before?: Look): void {
    for (const [eni, fact] of look.facts) {
      const old = before?.facts.get(eni);
      const was = old?.kind === 'known' ? old.value.attachment : undefined;
      const is = fact.kind === 'known' ? fact.value.attachment : undefined;
      if (is) seen.add(is.id);
      // What the plan detaches comes back as another attachment or not at all.
      const detached = plan.interfaces.find((each) => each.eni === eni)?.detach;
      if (detached && fact.kind === 'known' && is?.id !== detached) ended.add(detached);
      if (old?.kind !== 'known' || fact.kind !== 'known') continue;
      if (was && !is) journal.note({ step: 'detached', eni, detail: `${was.id} from ${was.instanceId}` });
      if (is?.status === 'attached' && (was?.id !== is.id || was.status !== 'attached'))
        journal.note({ step: 'attached', eni, detail: `${is.id} to ${is.instanceId}` });
    }
  }
  noteSeen();

  async function lookNow(): Promise<void> {
    const before = look;
    const ids = plan.interfaces.map((each) => each.eni);
    try {
      const { value, sentAtMs, slow } = await ec2.interfaces(ids, 'poll');
      look = {
        sentAtMs,
        slow,
        facts: new Map(
          ids.map((id) => {
            const fact = value.get(id);
            return [id, fact ? known(fact) : absent];
          }),
        ),
      };
    } catch (error) {
      const facts = new Map(ids.map((id) => [id, unknown(messageOf(error))]));
      look = { sentAtMs: clock.now(), slow: true, facts };
    }
    noteSeen(before);
    if (signature(look) !== signature(before)) progress += 1;
  }

  const settle = () => Promise.all(inFlight.values());

  /** Persists the next rung before anything is sent to it (P13). */
  async function takeRung(why: string): Promise<'taken' | 'none' | 'later'> {
    await settle();
    refusedSinceMs ??= clock.now();
    const rung = await chooseRung(plan);
    if (rung.kind === 'member') return (await moveTo(rung.id, why)) === 'taken' ? 'taken' : 'later';
    if (rung.kind === 'none') return 'none';
    // Not known is not refused; but an interface on nothing does not wait for ever for a better answer.
    if (clock.now() - refusedSinceMs < times.observationFreshWhenSlowMs) return 'later';
    const { source } = plan;
    if (!source || plan.tried.includes(source)) return 'later';
    return (await moveTo(source, why)) === 'taken' ? 'taken' : 'later';
  }

  async function moveTo(target: InstanceId, why: string): Promise<'taken' | 'unwritten'> {
    journal.note({ step: 'rung', detail: `${target}, because ${plan.target} refused: ${why}` });
    const written = await journal.commit((item) =>
      item.episode
        ? { ...item, episode: { ...item.episode, plan: withRung(item.episode.plan, target) } }
        : item,
    );
    if (written !== 'written') return 'unwritten';
    plan = withRung(plan, target);
    refusedBy.clear();
    sent.clear();
    refusedSinceMs = undefined;
    return 'taken';
  }

  /**
   * Frozen past the lease, or the renewals stalled: find out whose it is. Not waited for, since the attach of
   * another interface may be due (P5).
   */
  const renew = () => {
    if (renewing) return;
    renewing = true;
    journal
      .commit()
      .catch((error: unknown) => journal.note({ step: 'call-failed', detail: messageOf(error) }))
      .finally(() => {
        renewing = false;
      });
  };

  const enter = (next: EpisodeState) => {
    if (next === state) return;
    state = next;
    journal.amend((item) => (item.episode ? { ...item, episode: { ...item.episode, state: next } } : item));
  };

  for (;;) {
    const nowMs = clock.now();
    const progressBefore = progress;
    if (journal.status() === 'lost') {
      // Nothing may be under way when the process is frozen: it would be sent on thaw, without a lease.
      await settle();
      return { kind: 'lease-lost', acted };
    }
    if (run.deadlineMs - nowMs < times.handOverBeforeDeadlineMs) {
      await settle();
      return { kind: 'hand-over' };
    }

    const steps: NextStep[] = [];
    for (const planned of plan.interfaces) {
      const { eni } = planned;
      if (out.has(eni) || inFlight.has(eni) || refusedBy.has(eni)) continue;
      const fact = believable(look.facts.get(eni) ?? unknown('not looked at'));
      const step = nextStep(plan, planned, fact, sent.get(eni) ?? {}, nowMs);
      // A rest counts only if the look that shows it was sent after the attach was answered (S13).
      const tooEarly = step.kind === 'rest' && look.sentAtMs < (attachAnsweredAtMs.get(eni) ?? 0);
      const taken: NextStep = tooEarly ? { kind: 'look', why: 'to verify' } : step;
      steps.push(taken);
      if ((await act(planned, taken)) === 'no-lease') renew();
    }
    if (steps.length > 0) enter(stateOf(plan, look));

    const thirdParty = [...out.values()].find((each) => each.kind === 'third-party');
    if (thirdParty) return stopForPeople(thirdParty.why);

    const detachRefused = [...out].find(([, each]) => each.kind === 'detach-refused');
    if (detachRefused && isPlannedMove && plan.source && plan.target !== plan.source) {
      await settle();
      out.delete(detachRefused[0]);
      if ((await moveTo(plan.source, detachRefused[1].why)) === 'taken') continue;
    }

    const active = plan.interfaces.filter((each) => !out.has(each.eni));
    const resting = steps.filter((each) => each.kind === 'rest').length;
    if (resting === active.length && inFlight.size === 0) {
      enter('VERIFYING');
      if (out.size === 0) journal.note({ step: 'verified', detail: `all on ${plan.target}` });
      return ending();
    }

    const [refusal] = refusedBy.values();
    if (refusal !== undefined && inFlight.size === 0) {
      const rung = await takeRung(refusal);
      if (rung === 'none') return stopForPeople(`${plan.target}: ${refusal}; no member is left to try`);
      if (rung === 'taken') {
        await lookNow();
        continue;
      }
    }

    if (progress !== progressBefore) {
      pollMs = times.pollFirstMs;
      progressAtMs = clock.now();
    }
    const pause = new AbortController();
    const jitter = 0.8 + 0.4 * random();
    await Promise.race([clock.sleep(pollMs * jitter, pause.signal), ...inFlight.values()]);
    pause.abort();
    // A call that takes long may have taken effect all the same: its answer is not waited for with eyes closed.
    const isLong = (eni: EniId) => clock.now() - (begunAtMs.get(eni) ?? 0) > 2 * times.pollFirstMs;
    if (inFlight.size < active.length || active.length === 0 || [...inFlight.keys()].some(isLong))
      await lookNow();
    // EC2 is usually done within this time: to look less often only adds to the outage. One that is slow or asks
    // to be spared is spared.
    const isSteady = !look.slow && clock.now() - progressAtMs < times.pollSteadyMs;
    if (progress !== progressBefore) pollMs = times.pollFirstMs;
    else if (!isSteady) pollMs = Math.min(pollMs * times.pollGrowth, times.pollMaxMs);
  }

  function factOf(eni: EniId): InterfaceFact | undefined {
    const fact = look.facts.get(eni);
    return fact?.kind === 'known' ? fact.value : undefined;
  }

  function isOnNothing({ eni }: PlannedInterface): boolean {
    const fact = factOf(eni);
    return fact !== undefined && fact.attachment === undefined;
  }

  /** Still on its way off a member, within its time, or not seen: nobody knows yet where it will be. */
  function isUndecided({ eni, leavingSinceMs }: PlannedInterface): boolean {
    if (look.facts.get(eni)?.kind === 'unknown') return true;
    if (!isLeaving(eni)) return false;
    const { detachAtMs, waitingSinceMs } = sent.get(eni) ?? {};
    const sinceMs = leavingSinceMs ?? detachAtMs ?? waitingSinceMs;
    return sinceMs === undefined || clock.now() - sinceMs < times.detachDeadlineMs;
  }

  function isLeaving(eni: EniId): boolean {
    return factOf(eni)?.attachment?.status === 'detaching';
  }

  function ending(): MoveEnd {
    const scene: Scene = { plan, last: look, seen, acted };
    const [firstOut] = out;
    if (!firstOut) return { kind: 'resting', ...scene };
    const [eni, how] = firstOut;
    // S14: an episode that ends with the service on two members has stranded it.
    const holders = new Set(
      plan.interfaces.flatMap((each) => factOf(each.eni)?.attachment?.instanceId ?? []),
    );
    const isStranded = holders.size > 1 || plan.interfaces.some(isOnNothing);
    return { kind: isStranded ? 'stranded' : 'needs-human', why: `${eni}: ${how.why}`, ...scene };
  }

  /** P19, P20: whatever is under way is seen to its end first; only then is it known what is left on nothing. */
  async function stopForPeople(why: string): Promise<MoveEnd> {
    await settle();
    await lookNow();
    while (plan.interfaces.some(isUndecided)) {
      if (run.deadlineMs - clock.now() < times.handOverBeforeDeadlineMs) return { kind: 'hand-over' };
      await clock.sleep(times.pollMaxMs);
      await lookNow();
    }
    // What has been leaving for too long will be on nothing, sooner or later.
    const isLost = plan.interfaces.some((each) => isOnNothing(each) || isLeaving(each.eni));
    return { kind: isLost ? 'stranded' : 'needs-human', why, plan, last: look, seen, acted };
  }
}

function planOf(journal: Journal): Plan {
  const { episode } = journal.service();
  if (!episode) throw new Error('a move needs an open episode');
  return episode.plan;
}

function leavingSince(plan: Plan, eni: EniId, atMs: number): Plan {
  return {
    ...plan,
    interfaces: plan.interfaces.map((each) =>
      each.eni === eni && each.leavingSinceMs === undefined ? { ...each, leavingSinceMs: atMs } : each,
    ),
  };
}

const signature = (look: Look) =>
  [...look.facts]
    .map(([eni, fact]) =>
      fact.kind === 'known'
        ? `${eni} ${fact.value.status} ${fact.value.attachment?.id} ${fact.value.attachment?.status}`
        : `${eni} ${fact.kind}`,
    )
    .join();
