/** What becomes of an episode without a live worker: only forward, unless nothing has been touched yet. */
import { again, type Decision, type Question, refuse } from './decision.ts';
import { type Candidates, candidates } from './eligibility.ts';
import { type Episode, isAskedFor } from './episode.ts';
import { evidenceOf } from './evidence.ts';
import { blockedBy } from './forbidden.ts';
import type { InstanceId } from './ids.ts';
import { attachmentOf, healthOf, memberOf } from './observation.ts';
import { isUntouched, type Plan, withRung } from './plan.ts';
import { nextRung } from './rungs.ts';
import { isUntouchedYet } from './stages.ts';
import { unusable } from './whereabouts.ts';

/** Whoever resumes observes and derives what is left; nobody replays a list of calls (P14). */
export function decideOpenEpisode(q: Question, episode: Episode): Decision {
  const { service, observation } = q;
  const { plan } = episode;
  const unclear = unusable(service, observation);
  if (unclear) return again('UNKNOWN_STATE', unclear, true); // P9, P10
  const untouched = isUntouchedYet(episode, observation.interfaces);
  const choice = choiceFor(q, plan);
  const over = untouched ? whyNotBegin(q, episode, choice) : undefined;
  if (over) return over; // P15, P30
  if (keepsTarget(q, plan, untouched, choice)) return goOn(q, episode, plan.target);
  // Otherwise the next eligible member, else the source (P20); a source that is dead as well is no better.
  const rung = nextRung(q, plan);
  if (rung.kind === 'unknown') return again('UNKNOWN_STATE', 'a member could not be read', true);
  return goOn(q, episode, rung.kind === 'member' && !hasFailed(q, rung.id) ? rung.id : plan.target);
}

const hasFailed = ({ observation }: Question, id: InstanceId | undefined) =>
  healthOf(memberOf(observation, id)).kind === 'failed';

/** The members that may still be tried, the present target among them. */
function choiceFor({ service, observation, nowMs }: Question, plan: Plan): Candidates {
  const tried = plan.tried.filter((each) => each !== plan.target);
  return candidates(service, observation, [...tried, plan.source], nowMs);
}

/** Nothing has been touched: the reason must still be there, nobody may forbid it, and somebody must take them. */
function whyNotBegin(q: Question, episode: Episode, choice: Candidates): Decision | undefined {
  const { kind, plan } = episode;
  const { source, target } = plan;
  if (kind === 'failover' && source) {
    const evidence = evidenceOf(q.service, source, q.observation, q.hint, q.nowMs);
    const health = healthOf(memberOf(q.observation, source));
    if (health.kind === 'healthy' && evidence.kind === 'not-failed')
      return evidence.code === 'UNKNOWN_STATE'
        ? again(evidence.code, evidence.why, true)
        : { kind: 'abort', outcome: 'ABORTED', why: `${source} recovered` };
    if (health.kind === 'unknown') return again('UNKNOWN_HEALTH', health.why, true);
  }
  const forbidden = blockedBy(q, kind, 'resumed', choice);
  if (forbidden) return { kind: 'abort', outcome: 'REFUSED', why: `${forbidden.code}: ${forbidden.detail}` };
  // Nobody is sent anywhere that he did not ask for: a planned move goes to its own target or not at all.
  const mayTake = isAskedFor(episode) ? choice.eligible.includes(target) : choice.eligible.length > 0;
  if (mayTake) return undefined;
  const { detail } = refuse('NO_ELIGIBLE_STANDBY', 'resumed', choice.refused);
  return { kind: 'abort', outcome: 'REFUSED', why: `NO_ELIGIBLE_STANDBY: ${detail}` };
}

/**
 * After the commit point a member that merely became less than perfect is not left again (P14): a replica's lag
 * alarm, for one, turns red because its primary is gone.
 */
function keepsTarget(q: Question, plan: Plan, untouched: boolean, choice: Candidates): boolean {
  const restsThere = plan.interfaces.some(
    ({ eni }) => attachmentOf(q.observation, eni)?.instanceId === plan.target,
  );
  if (plan.target === plan.source || restsThere) return true;
  if (untouched) return choice.eligible.includes(plan.target);
  // S3: a fence or hook takes its time, and what it is followed by is the first detach all the same.
  const isStillWhole = isUntouched(plan, q.observation.interfaces);
  return isStillWhole ? mayStillTake(choice, plan.target) : !hasFailed(q, plan.target);
}

/** Nothing stands against it but what the loss of the primary itself may have caused. */
const mayStillTake = ({ refused }: Candidates, target: InstanceId) =>
  refused.every(({ member, code }) => member !== target || code === 'NOT_READY' || code === 'QUARANTINED');

/** Forced once EC2 says that the source failed, however it was to be left before; so is a member that was tried (P17). */
function goOn(q: Question, { kind, plan }: Episode, target: InstanceId): Decision {
  const isForced = kind !== 'rescue' && hasFailed(q, plan.source);
  const { failed: _, ...next } = withRung(plan, target);
  const failed = next.tried.filter((id) => id !== plan.source && id !== target && hasFailed(q, id));
  const resumed: Plan = {
    ...next,
    detach: isForced ? 'force' : plan.detach,
    ...(failed.length > 0 && { failed }),
  };
  return { kind: 'continue', plan: resumed, why: `resumed on ${target}` };
}
