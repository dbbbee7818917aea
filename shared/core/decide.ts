/**
 * The whole policy of the product: from one service, one look at EC2 and one hint to one decision. Pure.
 *
 * - An open episode goes on, unless nothing has been touched and its reason is gone.
 * - Interfaces together on a member: moved only if that member has failed (evidence.ts), nobody forbids it
 *   (`blockedBy`), and a standby may take them (eligibility.ts). An operator's request is carried out here too.
 * - Interfaces on nothing: brought back if the controller or a dead holder caused it; a person's work is left alone.
 * - Interfaces elsewhere or split: written down and paged, never repaired; a stranded service is rescued.
 * - What is unknown or surprising is looked at again before it counts.
 *
 * Failed means: stopping, stopped or gone; a check impaired, with an alarm or for the `confirm` time; a declared alarm
 * that turned red after the last move had its grace (evidence.ts). Eligible means: running, healthy, tagged, in the
 * same zone, with room, its index free, not quarantined, ready (eligibility.ts). An attach that is refused goes to the
 * next eligible member, else to the source, else it is STRANDED (rungs.ts); a detach is forced only where EC2 says
 * failed, or after `plainDetach` (plan.ts). The brake trips at five services and half a zone in five minutes
 * (brake.ts). Quarantine and budget are written when an episode ends (close.ts).
 */
import { again, type Decision, nothing, type Question, type Refusal, refuse } from './decision.ts';
import { type Candidates, candidates } from './eligibility.ts';
import type { EpisodeKind } from './episode.ts';
import { type Evidence, evidenceOf } from './evidence.ts';
import type { Hint } from './hint.ts';
import type { InstanceId } from './ids.ts';
import { healthOf, interfaceOf, memberOf } from './observation.ts';
import { isUntouched, type Plan, withRung } from './plan.ts';
import type { ReasonCode } from './reasons.ts';
import { makePlan, nextRung } from './rungs.ts';
import { isLeaseFree, isPaused, type Service } from './state.ts';
import { times } from './times.ts';
import {
  attachedAnew,
  deletedWithHolder,
  untagged,
  unusable,
  type Whereabouts,
  whereabouts,
} from './whereabouts.ts';

export function decide(q: Question): Decision {
  return answeringRequest(q, decideByState(q));
}

function decideByState(q: Question): Decision {
  const { service, hint, nowMs } = q;
  if (service.tombstone) return nothing('NO_SUCH_SERVICE', 'it was unregistered');
  if (!isLeaseFree(service, nowMs)) return nothing('LEASE_HELD', 'another worker is at it');
  if (service.episode) return decideOpenEpisode(q, service.episode.plan);
  if (service.declaration.members.length === 0)
    return refuse('NO_MEMBERS', 'nothing may take its interfaces');
  if (hint.kind === 'announcement') return { kind: 'record', code: 'ANNOUNCED', detail: hint.detail };

  const where = whereabouts(service, q.observation);
  switch (where.kind) {
    case 'unknown':
      return again('UNKNOWN_STATE', where.why, true);
    case 'unmovable':
      return q.believed
        ? refuse('UNMOVABLE_INTERFACE', where.why)
        : again('UNMOVABLE_INTERFACE', where.why, true);
    case 'together':
      return service.stranded && isMember(service, where.holder)
        ? { kind: 'recovered', holder: where.holder }
        : decideTogether(q, where.holder);
    case 'split':
      return service.stranded && q.believed && where.holders.every((id) => isMember(service, id))
        ? rescue(q, where)
        : somebodyElse(q, 'SPLIT', `on ${where.holders.join(' and ')}`);
    case 'on-nothing':
      return decideOnNothing(q, where);
  }
}

const isMember = (service: Service, id: InstanceId | undefined): id is InstanceId =>
  service.declaration.members.some((each) => each.instance === id);

/** The ordinary case: one instance has all the interfaces. Move them only if it has failed. */
function decideTogether(q: Question, holder: InstanceId): Decision {
  const { service, observation, hint, nowMs } = q;
  const isNews = service.lastSeen ? service.lastSeen.holder !== holder : !isMember(service, holder);
  if (isNews) return somebodyElse(q, 'MOVED_BY_OTHERS', `found on ${holder}`, holder);
  if (!isMember(service, holder))
    return nothing('MOVED_BY_OTHERS', `${holder} is not a member, and people know`);

  const evidence = evidenceOf(service, holder, observation, hint, nowMs);
  if (evidence.kind === 'not-failed') {
    if (service.request) return planned(q, holder);
    const anew = attachedAnew(service, observation);
    if (anew) return somebodyElse(q, 'REATTACHED_BY_OTHERS', `${anew} on ${holder}`, holder);
    // An event that is in doubt is looked at again first: the next look may be the one that has to move.
    const isFirst = evidence.doubtful && isEvent(hint);
    return (isFirst ? undefined : keepOnTermination(q)) ?? leaveAlone(q, evidence);
  }

  const choice = candidates(service, observation, [holder], nowMs);
  const forbidden = blockedBy(q, 'failover', `${holder}: ${evidence.why}`, choice);
  if (forbidden) return forbidden;
  const [target] = choice.eligible;
  if (!target)
    return (
      unreadMember(q, [holder]) ?? refuse('NO_ELIGIBLE_STANDBY', `${holder}: ${evidence.why}`, choice.refused)
    );
  const manner = evidence.byEc2 ? 'force' : 'plain-then-force';
  return {
    kind: 'move',
    episode: 'failover',
    plan: makePlan(q, target, manner, holder),
    evidence: evidence.why,
  };
}

/** A standby that could not be read may be the one: that is no reason yet to call a person. */
function unreadMember(q: Question, without: readonly InstanceId[]): Decision | undefined {
  const unread = q.service.declaration.members.find(
    ({ instance }) => !without.includes(instance) && memberOf(q.observation, instance).kind === 'unknown',
  );
  return unread && again('UNKNOWN_STATE', `${unread.instance} could not be read`, true);
}

/** Somebody's attach may have set DeleteOnTermination: then terminating the holder deletes the interface. */
function keepOnTermination(q: Question): Decision | undefined {
  const attachments = deletedWithHolder(q.service, q.observation);
  if (attachments.length === 0) return undefined;
  const forbidden = blockedBy(q, 'rescue', 'DeleteOnTermination is true', { eligible: [], refused: [] });
  return forbidden ? undefined : { kind: 'keep', attachments };
}

const isEvent = (hint: Hint) => hint.kind === 'state-change' || hint.kind === 'alarm';

/** Not failed: say why, and look again where an event and EC2 contradict each other. */
function leaveAlone(q: Question, evidence: Evidence & { kind: 'not-failed' }): Decision {
  if (!evidence.doubtful) return nothing(evidence.code, evidence.why);
  if (evidence.code === 'GRACE_PERIOD') return refuse(evidence.code, evidence.why);
  if (!isEvent(q.hint)) return nothing(evidence.code, evidence.why);
  return laterOrTell(q, evidence.code, evidence.why, evidence.code === 'UNKNOWN_HEALTH');
}

/** Looks again later, a few times; then it is recorded, and a person told where the service may be down (P35). */
function laterOrTell(q: Question, code: ReasonCode, why: string, callHuman: boolean): Decision {
  return q.look < times.secondLooksMs.length ? again(code, why, false) : { ...refuse(code, why), callHuman };
}

/** Interfaces on nothing and no episode: our own late effect, a dead holder, or a person's hand (P16, P26, P27). */
function decideOnNothing(q: Question, where: Whereabouts & { kind: 'on-nothing' }): Decision {
  const { service, observation } = q;
  if (!q.believed) return again('DETACHED_BY_OTHERS', `${where.free.join(', ')} on nothing`, true);
  // Somebody put the rest where it is: to bring the others beside it, or it back, would be to undo that (P28).
  if (where.beside && !isMember(service, where.beside))
    return somebodyElse(q, 'SPLIT', `${where.free.join(', ')} on nothing, the rest on ${where.beside}`);
  if (service.stranded) return rescue(q, where);
  const last = service.lastSeen;
  const isOurs = where.free.some((eni) => {
    const attachment = last?.attachments[eni];
    const isInTime = q.nowMs <= (service.mayDetachUntilMs ?? Number.POSITIVE_INFINITY);
    return attachment !== undefined && isInTime && service.mayDetach.includes(attachment);
  });
  if (isOurs) return rescue(q, where, 'our own detach took effect late', true);
  const health = last ? healthOf(memberOf(observation, last.holder)) : undefined;
  if (health?.kind === 'failed') {
    const decision = rescue(q, where, `${last?.holder}: ${health.why}`);
    // Where nothing may be done, what people did meanwhile is recorded all the same (P28).
    const isNews = decision.kind === 'refuse' && where.beside && where.beside !== last?.holder;
    return isNews
      ? somebodyElse(q, 'SPLIT', `${where.free.join(', ')} on nothing, the rest on ${where.beside}`)
      : decision;
  }
  if (health?.kind === 'unknown')
    return laterOrTell(q, 'UNKNOWN_HEALTH', `${last?.holder}: ${health.why}`, true);
  const rest = where.beside ? `, the rest on ${where.beside}` : '';
  return somebodyElse(q, 'DETACHED_BY_OTHERS', `${where.free.join(', ')} on nothing${rest}`);
}

/** Brings interfaces that are on nothing beside the rest, else to any eligible member, else back (P16, P26). */
function rescue(q: Question, where: Whereabouts, why = 'stranded before', isOurs = false): Decision {
  const { service, observation, nowMs } = q;
  const last = service.lastSeen?.holder ?? service.stranded?.plan.source;
  const choice = candidates(service, observation, [], nowMs);
  const forbidden = isOurs ? undefined : blockedBy(q, 'rescue', why, choice);
  if (forbidden) return forbidden;
  const isWell = (id: InstanceId | undefined) =>
    isMember(service, id) && healthOf(memberOf(observation, id)).kind === 'healthy';
  const beside = where.kind === 'on-nothing' ? where.beside : undefined;
  // One that refused last time may well be asked first: the ladder goes on from it.
  const wanted = service.stranded?.plan.target;
  const target =
    [beside, isOurs ? last : undefined].find(isWell) ??
    choice.eligible.find((id) => id === wanted) ??
    choice.eligible[0] ??
    (isMember(service, last) && memberOf(observation, last).kind === 'known' ? last : undefined);
  if (!target) return refuse('NO_ELIGIBLE_STANDBY', why, choice.refused);
  return {
    kind: 'move',
    episode: 'rescue',
    plan: makePlan(q, target, 'plain-then-force', last),
    evidence: why,
  };
}

/** No request is left waiting for ever: where nothing else is to be done for the service, it is refused (P29). */
function answeringRequest(q: Question, decision: Decision): Decision {
  const { request } = q.service;
  if (!request) return decision;
  const isExpired = q.nowMs - request.atMs > times.requestTtlMs;
  if (decision.kind === 'refuse' && isExpired) return { ...decision, request: request.id };
  const isState = decision.kind === 'nothing' && decision.code.endsWith('_BY_OTHERS');
  const isSplit = decision.kind === 'nothing' && decision.code === 'SPLIT';
  return isState || isSplit
    ? { ...refuse('REQUEST_REFUSED', decision.detail), request: request.id }
    : decision;
}

/** An operator's request (P29): carried out plainly and only to an eligible member, or refused and over. */
function planned(q: Question, holder: InstanceId): Decision {
  const { service, observation, nowMs } = q;
  const request = service.request;
  if (!request) return nothing('HOLDER_HEALTHY', `${holder} is healthy`);
  const no = (refusal: Refusal): Refusal => ({ ...refusal, request: request.id });
  if (nowMs - request.atMs > times.requestTtlMs)
    return no(refuse('REQUEST_EXPIRED', `asked by ${request.author}`));
  if (request.target === holder) return no(refuse('REQUEST_REFUSED', `${holder} has the interfaces already`));
  const choice = candidates(service, observation, [holder], nowMs);
  const forbidden = blockedBy(q, request.kind, request.reason, choice);
  if (forbidden) return no(forbidden);
  if (!choice.eligible.includes(request.target)) {
    const own = choice.refused.filter((each) => each.member === request.target);
    return no(refuse('REQUEST_REFUSED', `${request.target} may not take the interfaces`, own));
  }
  const plan = makePlan(q, request.target, 'plain', holder);
  return { kind: 'move', episode: request.kind, plan, evidence: `${request.author}: ${request.reason}` };
}

/** An episode without a live worker: there is only forward, unless nothing has been touched yet (P14, P15, P30). */
function decideOpenEpisode(q: Question, plan: Plan): Decision {
  const { service, observation, nowMs } = q;
  const unclear = unusable(service, observation);
  if (unclear) return again('UNKNOWN_STATE', unclear, true);
  const source = plan.source ? healthOf(memberOf(observation, plan.source)) : undefined;
  const kind = service.episode?.kind ?? 'failover';
  const untouched = isUntouched(plan, observation.interfaces);

  const without = [
    ...plan.tried.filter((each) => each !== plan.target),
    ...(plan.source ? [plan.source] : []),
  ];
  const choice = candidates(service, observation, without, nowMs);
  if (untouched && plan.source) {
    const evidence = evidenceOf(service, plan.source, observation, q.hint, nowMs);
    if (kind === 'failover' && source?.kind === 'healthy' && evidence.kind === 'not-failed')
      return evidence.code === 'UNKNOWN_STATE'
        ? again(evidence.code, evidence.why, true)
        : { kind: 'abort', outcome: 'ABORTED', why: `${plan.source} recovered` };
    if (kind === 'failover' && source?.kind === 'unknown') return again('UNKNOWN_HEALTH', source.why, true);
    const forbidden = blockedBy(q, kind, 'resumed', choice);
    if (forbidden)
      return { kind: 'abort', outcome: 'REFUSED', why: `${forbidden.code}: ${forbidden.detail}` };
    // Nobody is sent anywhere that he did not ask for: a planned move goes to its own target or not at all.
    const isPlanned = kind === 'switchover' || kind === 'failback';
    if (choice.eligible.length === 0 || (isPlanned && !choice.eligible.includes(plan.target))) {
      const why = refuse('NO_ELIGIBLE_STANDBY', 'resumed', choice.refused).detail;
      return { kind: 'abort', outcome: 'REFUSED', why: `NO_ELIGIBLE_STANDBY: ${why}` };
    }
  }
  const manner = source?.kind === 'failed' && kind !== 'rescue' ? 'force' : plan.detach;
  // After the commit point a member that merely became less than perfect is not left again (P14): a replica's
  // lag alarm, for one, turns red because its primary is gone.
  const restsThere = plan.interfaces.some((each) => {
    const fact = interfaceOf(observation, each.eni);
    return fact.kind === 'known' && fact.value.attachment?.instanceId === plan.target;
  });
  const isAlive = healthOf(memberOf(observation, plan.target)).kind !== 'failed';
  const keepsTarget =
    plan.target === plan.source ||
    restsThere ||
    (untouched ? choice.eligible.includes(plan.target) : isAlive);
  // Otherwise the next eligible member, else the source (P20); a source that is dead as well is no better.
  const rung = keepsTarget ? undefined : nextRung(q, plan);
  if (rung?.kind === 'unknown') return again('UNKNOWN_STATE', 'a member could not be read', true);
  const isDeadToo = rung?.kind === 'member' && rung.id === plan.source && source?.kind === 'failed';
  const next = rung?.kind === 'member' && !isDeadToo ? rung.id : plan.target;
  const resumed = { ...(next === plan.target ? plan : withRung(plan, next)), detach: manner } as const;
  return { kind: 'continue', plan: resumed, why: `resumed on ${next}` };
}

/** What people and limits forbid. Pause and observe stop every automatic kind; brake and budget only failovers. */
function blockedBy(q: Question, kind: EpisodeKind, why: string, choice: Candidates): Refusal | undefined {
  const { service, controller, nowMs } = q;
  const { mode, budgetPerHour } = service.declaration.policy;
  const wouldTake = choice.eligible[0] ?? 'nothing, for no standby is eligible';
  if (isPaused(service.pause, nowMs)) return refuse('PAUSED', `by ${service.pause?.author}; ${why}`);
  if (isPaused(controller.pause, nowMs))
    return refuse('CONTROLLER_PAUSED', `by ${controller.pause?.author}; ${why}`);
  if (mode === 'observe') return refuse('OBSERVE_ONLY', `${why}; would have moved to ${wouldTake}`);
  const bare = untagged(service, q.observation);
  if (bare.length > 0) return refuse('NOT_TAGGED', `${bare.join(', ')}; ${why}`);
  if (kind !== 'failover') return undefined;
  const zone = service.facts.availabilityZone;
  // The episode that tripped it has paged: one page for a zone, not one for each of its services (P31).
  if (controller.brakes[zone]) return { ...refuse('BRAKE', `${zone} is braked; ${why}`), callHuman: false };
  const recent = service.failoversAtMs.filter((atMs) => nowMs - atMs < times.budgetWindowMs);
  if (recent.length >= budgetPerHour) return refuse('BUDGET_SPENT', `${recent.length} in an hour; ${why}`);
  return undefined;
}

/** What people do to the interfaces is recorded and paged once, after a second look, never repaired (P11, P28). */
function somebodyElse(q: Question, code: ReasonCode, detail: string, holder?: InstanceId): Decision {
  if (!q.believed) return again(code, detail, true);
  // With a holder, what was last seen already tells whether this is news.
  if (!holder && q.service.lastObserved === `${code} ${detail}`)
    return nothing(code, `${detail}; people know`);
  return { kind: 'record', code, detail, ...(holder && { holder }) };
}
