/**
 * The whole policy of the product: from one service, one look at EC2 and one hint to one decision. Pure.
 *
 * - An open episode goes on, unless nothing has been touched and its reason is gone.
 * - Interfaces together on a member: moved only if that member has failed (evidence.ts), nobody forbids it
 *   (forbidden.ts), and a standby may take them (eligibility.ts). An operator's request is carried out here too.
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

import { decideOpenEpisode } from './decide-open-episode.ts';
import { again, answering, type Decision, nothing, type Question, refuse } from './decision.ts';
import { type Evidence, evidenceOf } from './evidence.ts';
import { blockedBy } from './forbidden.ts';
import type { AnnouncementHint, Hint } from './hint.ts';
import type { EniId, InstanceId } from './ids.ts';
import { announced, failover, planned, rescue } from './new-episode.ts';
import { healthOf, memberOf } from './observation.ts';
import type { ReasonCode } from './reasons.ts';
import { isLeaseFree, isMember, type Service } from './state.ts';
import { times } from './times.ts';
import { attachedAnew, deletedWithHolder, holdersIn, type Whereabouts, whereabouts } from './whereabouts.ts';

export function decide(q: Question): Decision {
  return answeringRequest(q, firstThatApplies(q));
}

/** The policy, line by line: the first that applies answers. */
function firstThatApplies(q: Question): Decision {
  const { service, observation, hint, believed } = q;
  const where = whereabouts(service, observation);
  const isAmongMembers = holdersIn(where).every((id) => isMember(service, id));
  const surprise = surpriseIn(service, where);

  // Is it ours to judge?
  if (service.tombstone) return nothing('NO_SUCH_SERVICE', 'it was unregistered'); // P25
  if (!isLeaseFree(service, q.nowMs)) return nothing('LEASE_HELD', 'another worker is at it'); // P4
  if (service.episode) return decideOpenEpisode(q, service.episode); // P14, P15, P30
  if (service.declaration.members.length === 0)
    return refuse('NO_MEMBERS', 'nothing may take its interfaces');
  if (hint.kind === 'announcement' && !asksToMove(service, hint)) return told(hint);

  // Can what was seen be believed?
  if (where.kind === 'unknown') return again('UNKNOWN_STATE', where.why, true); // P9, P10
  if (where.kind === 'together' && service.stranded && isAmongMembers)
    return { kind: 'recovered', holder: where.holder }; // P26
  if (surprise && !believed) return again(surprise.code, surprise.detail, true); // P11
  if (where.kind === 'unmovable') return refuse('UNMOVABLE_INTERFACE', where.why);

  // Not together on one instance: left so by us or by a dead holder, or a person's work.
  if (where.kind !== 'together') {
    if (service.stranded && isAmongMembers) return rescue(q, where, 'stranded before'); // P26
    if (where.kind === 'split' || !isAmongMembers) return byOthers(q, 'SPLIT', spell(where)); // P28
    if (isOurLateDetach(q, where.free)) return rescue(q, where, 'our own detach took effect late', true); // P16
    const last = service.lastSeen?.holder;
    const health = last === undefined ? undefined : healthOf(memberOf(observation, last));
    if (health?.kind === 'failed') {
      const decision = rescue(q, where, `${last}: ${health.why}`); // P27
      // Where nothing may be done, what people did meanwhile is recorded all the same (P28).
      const isNews = decision.kind === 'refuse' && where.beside !== undefined && where.beside !== last;
      return isNews ? byOthers(q, 'SPLIT', spell(where)) : decision;
    }
    if (health?.kind === 'unknown') return laterOrTell(q, 'UNKNOWN_HEALTH', `${last}: ${health.why}`, true); // P35
    return byOthers(q, 'DETACHED_BY_OTHERS', spell(where)); // P27, P28
  }

  // Together: moved only if the holder has failed, or an operator asks for it.
  const { holder } = where;
  if (surprise) return byOthers(q, surprise.code, surprise.detail, holder); // P28
  if (!isAmongMembers) return nothing('MOVED_BY_OTHERS', `${holder} is not a member, and people know`); // P28
  const evidence = evidenceOf(service, holder, observation, hint, q.nowMs); // P33
  if (evidence.kind === 'failed') return failover(q, holder, evidence); // P12, P30
  if (service.request) return planned(q, holder, service.request); // P29
  if (hint.kind === 'announcement')
    return hint.instanceIds.includes(holder) ? announced(q, holder, announcedFor(hint, holder)) : told(hint);
  const anew = attachedAnew(service, observation);
  if (anew) return byOthers(q, 'REATTACHED_BY_OTHERS', `${anew} on ${holder}`, holder); // P28
  // An event that is in doubt is looked at again first: the next look may be the one that has to move.
  const isInDoubt = evidence.doubtful && isEvent(hint);
  return (isInDoubt ? undefined : keepOnTermination(q)) ?? leaveAlone(q, evidence);
}

const told = ({ detail }: AnnouncementHint): Decision => ({ kind: 'record', code: 'ANNOUNCED', detail });

/** Does the service want to leave an instance of which this is announced, while it lives? */
function asksToMove({ declaration }: Service, { what, detail }: AnnouncementHint): boolean {
  const { onSpotInterruption, onRebalance, onRetirement } = declaration.policy;
  switch (what) {
    case 'spot-interruption':
      return onSpotInterruption === 'switchover';
    case 'rebalance':
      return onRebalance === 'switchover';
    case 'health':
      // Health has news of many kinds about an instance; only this one says that it will be lost.
      return onRetirement === 'switchover' && detail.includes('RETIREMENT');
  }
}

const announcedFor = ({ what, detail }: AnnouncementHint, holder: InstanceId) =>
  `AWS announces a ${what} for ${holder}: ${detail}`;

/** What a second look must show too before it counts (P11). */
function surpriseIn(
  service: Service,
  where: Whereabouts,
): { readonly code: ReasonCode; readonly detail: string } | undefined {
  switch (where.kind) {
    case 'unknown':
      return undefined;
    case 'unmovable':
      return { code: 'UNMOVABLE_INTERFACE', detail: where.why };
    case 'on-nothing':
      return { code: 'DETACHED_BY_OTHERS', detail: `${where.free.join(', ')} on nothing` };
    case 'split':
      return { code: 'SPLIT', detail: spell(where) };
    case 'together': {
      const { lastSeen } = service;
      const isNews = lastSeen ? lastSeen.holder !== where.holder : !isMember(service, where.holder);
      return isNews ? { code: 'MOVED_BY_OTHERS', detail: `found on ${where.holder}` } : undefined;
    }
  }
}

function spell(where: Whereabouts & { kind: 'split' | 'on-nothing' }): string {
  if (where.kind === 'split') return `on ${where.holders.join(' and ')}`;
  return `${where.free.join(', ')} on nothing${where.beside ? `, the rest on ${where.beside}` : ''}`;
}

/** A closed episode may still detach what it named, for a while (P16). */
function isOurLateDetach({ service, nowMs }: Question, free: readonly EniId[]): boolean {
  if (nowMs > (service.mayDetachUntilMs ?? Number.POSITIVE_INFINITY)) return false;
  return free.some((eni) => {
    const seen = service.lastSeen?.attachments[eni];
    return service.mayDetach.some((each) => each === seen);
  });
}

/** What people do to the interfaces is recorded and paged once, after a second look, never repaired (P11, P28). */
function byOthers(q: Question, code: ReasonCode, detail: string, holder?: InstanceId): Decision {
  if (!q.believed) return again(code, detail, true);
  // With a holder, what was last seen already tells whether this is news.
  if (!holder && q.service.lastObserved === `${code} ${detail}`)
    return nothing(code, `${detail}; people know`);
  return { kind: 'record', code, detail, ...(holder && { holder }) };
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
  if (evidence.code === 'GRACE_PERIOD') return refuse(evidence.code, evidence.why); // P33
  if (!isEvent(q.hint)) return nothing(evidence.code, evidence.why);
  return laterOrTell(q, evidence.code, evidence.why, evidence.code === 'UNKNOWN_HEALTH');
}

/** Looks again later, a few times; then it is recorded, and a person told where the service may be down (P35). */
function laterOrTell(q: Question, code: ReasonCode, why: string, callHuman: boolean): Decision {
  return q.look < times.secondLooksMs.length ? again(code, why, false) : { ...refuse(code, why), callHuman };
}

/** No request is left waiting for ever: where nothing else is to be done for the service, it is refused (P29). */
function answeringRequest(q: Question, decision: Decision): Decision {
  const { request } = q.service;
  if (!request) return decision;
  if (decision.kind === 'refuse') return answering(decision, q.service, q.nowMs);
  const isOthersWork =
    decision.kind === 'nothing' && (decision.code.endsWith('_BY_OTHERS') || decision.code === 'SPLIT');
  return isOthersWork ? { ...refuse('REQUEST_REFUSED', decision.detail), request: request.id } : decision;
}
