/** The whole policy of the product: from one service, one look at EC2 and one hint to one decision. Pure. */
import { type Candidates, candidates } from './eligibility.ts';
import type { EpisodeKind } from './episode.ts';
import { type Evidence, evidenceOf } from './evidence.ts';
import type { Hint } from './hint.ts';
import type { AttachmentId, EniId, InstanceId } from './ids.ts';
import { healthOf, interfaceOf, memberOf, type Observation } from './observation.ts';
import { isUntouched, type Plan, withRung } from './plan.ts';
import { describeMember, type MemberRefusal, type ReasonCode } from './reasons.ts';
import type { Member } from './service.ts';
import { type ControllerState, interfacesOf, isLeaseFree, isPaused, type Service } from './state.ts';
import { times } from './times.ts';
import { attachmentsIn, type Whereabouts, whereabouts } from './whereabouts.ts';

export type Decision =
  | { readonly kind: 'nothing'; readonly code: ReasonCode; readonly detail: string }
  | Refusal
  /** Too surprising or too unclear to act on at one glance (P11, P35). */
  | {
      readonly kind: 'look-again';
      readonly code: ReasonCode;
      readonly detail: string;
      readonly soon: boolean;
    }
  | { readonly kind: 'move'; readonly episode: EpisodeKind; readonly plan: Plan; readonly evidence: string }
  | { readonly kind: 'continue'; readonly plan: Plan; readonly why: string }
  /** Ends an open episode that has not moved anything. */
  | { readonly kind: 'abort'; readonly outcome: 'ABORTED' | 'REFUSED'; readonly why: string }
  /** A person did something, or AWS announces something: write it down, tell people, touch nothing. */
  | {
      readonly kind: 'record';
      readonly code: ReasonCode;
      readonly detail: string;
      readonly holder?: InstanceId;
    }
  /** Healthy, but terminating the holder would delete an interface: set DeleteOnTermination to false. */
  | {
      readonly kind: 'keep';
      readonly attachments: readonly { readonly eni: EniId; readonly attachment: AttachmentId }[];
    }
  /** Stranded before, and now together again on one member, whoever did it (P26). */
  | { readonly kind: 'recovered'; readonly holder: InstanceId };

export interface Refusal {
  readonly kind: 'refuse';
  readonly code: ReasonCode;
  readonly detail: string;
  readonly members: readonly MemberRefusal[];
  /** The operator's request that is refused, and so is over (P29). */
  readonly request?: string;
  /** A person must know: the service is down or unprotected, and we do nothing. */
  readonly callHuman: boolean;
}

export interface Question {
  readonly service: Service;
  readonly controller: ControllerState;
  readonly observation: Observation;
  readonly hint: Hint;
  /** How often this was looked at already because of the same event. */
  readonly look: number;
  /** True once a second look in a row showed the same surprise (P11). */
  readonly believed: boolean;
  readonly nowMs: number;
}

const refuse = (code: ReasonCode, detail: string, members: readonly MemberRefusal[] = []): Refusal => ({
  kind: 'refuse',
  code,
  detail: [detail, ...members.map(describeMember)].join('; '),
  members,
  callHuman: true,
});
const nothing = (code: ReasonCode, detail: string): Decision => ({ kind: 'nothing', code, detail });
const again = (code: ReasonCode, detail: string, soon: boolean): Decision => ({
  kind: 'look-again',
  code,
  detail,
  soon,
});

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
    const anew = attachedAnew(q);
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
  const attachments = interfacesOf(q.service).flatMap((eni) => {
    const fact = interfaceOf(q.observation, eni);
    const attachment = fact.kind === 'known' ? fact.value.attachment : undefined;
    return attachment?.deleteOnTermination ? [{ eni, attachment: attachment.id }] : [];
  });
  if (attachments.length === 0) return undefined;
  const forbidden = blockedBy(q, 'rescue', 'DeleteOnTermination is true', { eligible: [], refused: [] });
  return forbidden ? undefined : { kind: 'keep', attachments };
}

/** The interface whose attachment is another one than we last saw, though it is where we saw it. */
function attachedAnew(q: Question): EniId | undefined {
  const seen = q.service.lastSeen?.attachments ?? {};
  const now = attachmentsIn(q.service, q.observation);
  return interfacesOf(q.service).find((eni) => seen[eni] !== undefined && seen[eni] !== now[eni]);
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
  if (health?.kind === 'failed') return rescue(q, where, `${last?.holder}: ${health.why}`);
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
  const unread = interfacesOf(service).find((eni) => interfaceOf(observation, eni).kind === 'unknown');
  if (unread) return again('UNKNOWN_STATE', `${unread} could not be read`, true);
  const stale = interfacesOf(service).find((eni) => {
    const fact = interfaceOf(observation, eni);
    const shown = fact.kind === 'known' ? fact.value.attachment?.id : undefined;
    return shown !== undefined && service.detached.includes(shown);
  });
  if (stale) return again('UNKNOWN_STATE', `${stale}: EC2 shows an attachment that has ended`, true);
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
  const next = keepsTarget ? plan.target : (choice.eligible[0] ?? plan.target);
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
  const untagged = interfacesOf(service).flatMap((eni) => {
    const fact = interfaceOf(q.observation, eni);
    if (fact.kind !== 'known') return [];
    const on = fact.value.attachment?.instanceId;
    const holder = on ? memberOf(q.observation, on) : undefined;
    const holderLacksIt = on && holder?.kind === 'known' && !holder.value.tagged;
    return [...(fact.value.tagged ? [] : [eni]), ...(holderLacksIt ? [on] : [])];
  });
  if (untagged.length > 0) return refuse('NOT_TAGGED', `${[...new Set(untagged)].join(', ')}; ${why}`);
  if (kind !== 'failover') return undefined;
  const zone = service.facts.availabilityZone;
  if (controller.brakes[zone]) return refuse('BRAKE', `${zone} is braked; ${why}`);
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

/** The plan of a move to a target: all interfaces together, each with the attachment it is to leave (P12). */
export function makePlan(q: Question, target: InstanceId, detach: Plan['detach'], source?: InstanceId): Plan {
  const { declaration } = q.service;
  return {
    ...(source && { source }),
    target,
    tried: [target],
    detach,
    plainDetachMs: declaration.policy.plainDetach,
    interfaces: declaration.interfaces.map(({ eni, deviceIndex, networkCardIndex }) => {
      const fact = interfaceOf(q.observation, eni);
      const attachment = fact.kind === 'known' ? fact.value.attachment : undefined;
      return { eni, deviceIndex, networkCardIndex, ours: [], ...(attachment && { detach: attachment.id }) };
    }),
  };
}

export type Rung =
  | { readonly kind: 'member'; readonly id: InstanceId }
  /** Some member could not be judged: look again before a worse one is taken. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'none' };

/** The member to try after a refusal: the next eligible one, else the source, else none (P20). */
export function nextRung(q: Question, plan: Plan): Rung {
  const { service, observation, nowMs } = q;
  const source = plan.source;
  const without = [...plan.tried, ...(source ? [source] : [])];
  const kind = service.episode?.kind;
  // Nobody is sent by a planned move where nobody asked: back first.
  if ((kind === 'switchover' || kind === 'failback') && source && !plan.tried.includes(source))
    return { kind: 'member', id: source };
  const [next] = candidates(service, observation, without, nowMs).eligible;
  if (next) return { kind: 'member', id: next };
  const isUnread = ({ instance }: Member) =>
    !without.includes(instance) && memberOf(observation, instance).kind === 'unknown';
  if (service.declaration.members.some(isUnread)) return { kind: 'unknown' };
  return source && !plan.tried.includes(source) ? { kind: 'member', id: source } : { kind: 'none' };
}
