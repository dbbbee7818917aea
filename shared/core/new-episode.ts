/** The ways to open an episode: a failover, a move that was asked for or announced, a rescue; each with all that may stand against it. */
import { again, type Decision, isExpired, type Question, type Refusal, refuse } from './decision.ts';
import { type Candidates, candidates } from './eligibility.ts';
import type { Evidence } from './evidence.ts';
import { againstFailback } from './failback.ts';
import { blockedBy } from './forbidden.ts';
import type { InstanceId } from './ids.ts';
import { healthOf, memberOf } from './observation.ts';
import { makePlan } from './rungs.ts';
import { mayGoBack } from './stages.ts';
import { isMember, type OperatorRequest } from './state.ts';
import { times } from './times.ts';
import type { Whereabouts } from './whereabouts.ts';

/** From a holder that has failed to the first eligible standby; forced where EC2 itself says so. */
export function failover(q: Question, holder: InstanceId, evidence: Evidence & { kind: 'failed' }): Decision {
  const { service, observation, nowMs } = q;
  const why = `${holder}: ${evidence.why}`;
  const choice = candidates(service, observation, [holder], nowMs);
  const forbidden = blockedBy(q, 'failover', why, choice);
  if (forbidden) return forbidden;
  const [target] = choice.eligible;
  if (!target) return unreadMember(q, holder) ?? down(`its holder ${holder} failed`, why, choice);
  const manner = evidence.byEc2 ? 'force' : 'plain-then-force';
  const plan = makePlan(q, target, manner, holder);
  return { kind: 'move', episode: 'failover', plan, evidence: evidence.why };
}

const down = (who: string, why: string, { refused }: Candidates): Refusal => ({
  ...refuse('NO_ELIGIBLE_STANDBY', why, refused),
  down: who,
});

/** A standby that could not be read may be the one: that is no reason yet to call a person. */
function unreadMember(q: Question, holder: InstanceId): Decision | undefined {
  const unread = q.service.declaration.members.find(
    ({ instance }) => instance !== holder && memberOf(q.observation, instance).kind === 'unknown',
  );
  return unread && again('UNKNOWN_STATE', `${unread.instance} could not be read`, true);
}

/** An operator's request (P29): carried out plainly, unless force was asked for, and only to an eligible member; or refused and over. */
export function planned(q: Question, holder: InstanceId, request: OperatorRequest): Decision {
  const { service, observation, nowMs } = q;
  const no = (refusal: Refusal): Refusal => ({ ...refusal, request: request.id });
  if (isExpired(request, nowMs)) return no(refuse('REQUEST_EXPIRED', `asked by ${request.author}`));
  if (request.target === holder) return no(refuse('REQUEST_REFUSED', `${holder} has the interfaces already`));
  const { from = holder } = request;
  if (from !== holder)
    return no(
      refuse('REQUEST_REFUSED', `asked for while ${from} had the interfaces, and ${holder} has them now`),
    );
  const choice = candidates(service, observation, [holder], nowMs);
  const forbidden = blockedBy(q, request.kind, request.reason, choice);
  if (forbidden) return no(forbidden);
  if (!choice.eligible.includes(request.target)) {
    const own = choice.refused.filter((each) => each.member === request.target);
    return no(refuse('REQUEST_REFUSED', `${request.target} may not take the interfaces`, own));
  }
  const against = request.byItself && againstFailback(service, observation, holder, nowMs);
  if (against) return no(refuse('REQUEST_REFUSED', against));
  const plain = makePlan(q, request.target, 'plain', holder);
  const plainDetachMs = Math.max(plain.plainDetachMs, times.forcedMoveAfterMs);
  const plan = request.force ? { ...plain, detach: 'plain-then-force' as const, plainDetachMs } : plain;
  return { kind: 'move', episode: request.kind, plan, evidence: `${request.author}: ${request.reason}` };
}

/** AWS announced that the holder will be lost: to the first eligible standby, plainly, while the holder still lives. */
export function announced(q: Question, holder: InstanceId, why: string): Decision {
  const choice = candidates(q.service, q.observation, [holder], q.nowMs);
  const forbidden = blockedBy(q, 'switchover', why, choice);
  if (forbidden) return forbidden;
  const [target] = choice.eligible;
  if (!target) return unreadMember(q, holder) ?? refuse('NO_ELIGIBLE_STANDBY', why, choice.refused);
  return { kind: 'move', episode: 'switchover', plan: makePlan(q, target, 'plain', holder), evidence: why };
}

/** Brings interfaces that are on nothing beside the rest, else to any eligible member, else back (P16, P26). */
export function rescue(
  q: Question,
  { beside }: Whereabouts & { kind: 'on-nothing' | 'split' },
  why: string,
  isOurs = false,
): Decision {
  const { service, observation, nowMs } = q;
  const last = service.lastSeen?.holder ?? service.stranded?.plan.source;
  // Once another member was promoted, the member that was left then has an old state of the data (P20).
  const outdated = mayGoBack(service) ? undefined : service.stranded?.plan.source;
  const choice = candidates(service, observation, [outdated], nowMs);
  const forbidden = isOurs ? undefined : blockedBy(q, 'rescue', why, choice);
  if (forbidden) return forbidden;
  const isWell = (id: InstanceId | undefined) =>
    isMember(service, id) && id !== outdated && healthOf(memberOf(observation, id)).kind === 'healthy';
  // One that refused last time may well be asked first: the ladder goes on from it.
  const wanted = service.stranded?.plan.target;
  const target =
    [beside, isOurs ? last : undefined].find(isWell) ??
    choice.eligible.find((id) => id === wanted) ??
    choice.eligible[0] ??
    (isMember(service, last) && last !== outdated && memberOf(observation, last).kind === 'known'
      ? last
      : undefined);
  if (!target) return down('its interfaces are on nothing', why, choice);
  const plan = makePlan(q, target, 'plain-then-force', last);
  return { kind: 'move', episode: 'rescue', plan, evidence: why };
}
