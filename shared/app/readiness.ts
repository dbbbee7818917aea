/** Whether a failover would work if it were needed now, and what of a service's item is kept up for it. */
import { byHand } from '../core/by-hand.ts';
import { type Candidates, candidates, refusalsOf } from '../core/eligibility.ts';
import { isTimeStopped, preferredSince } from '../core/failback.ts';
import { healthOf, memberOf, type Observation } from '../core/observation.ts';
import { describeMember } from '../core/reasons.ts';
import type { CachedFacts, Pause, Quarantine, Service } from '../core/state.ts';
import { canonical } from '../core/trail.ts';
import { whereabouts } from '../core/whereabouts.ts';
import type { Ports } from './ports.ts';
import { record } from './record.ts';
import { foundEntry, sceneOf, unblockingAll } from './restore-records.ts';

export interface Readiness {
  /** Why a failover would not work now; undefined when it would. */
  readonly notReady: string | undefined;
  readonly standbys: Candidates;
  /** Everything was read. Otherwise the next look may well know better: that is no news for people yet (P9). */
  readonly isCertain: boolean;
}

function isRead(observation: Observation): boolean {
  const { interfaces, members, alarms } = observation;
  const parts = [...members.values()].flatMap((fact) =>
    fact.kind === 'known' ? [fact.value.checks, fact.value.limits] : [fact],
  );
  return [...interfaces.values(), ...parts, ...alarms.values()].every((fact) => fact.kind !== 'unknown');
}

/** Ready means: all interfaces rest on one healthy member, and another one could take them. Pure. */
export function readinessOf(service: Service, observation: Observation, nowMs: number): Readiness {
  const where = whereabouts(service, observation);
  const isCertain = isRead(observation);
  if (where.kind !== 'together') {
    const standbys = candidates(service, observation, [], nowMs);
    return { notReady: where.kind.toUpperCase().replace('-', '_'), standbys, isCertain };
  }
  const standbys = candidates(service, observation, [where.holder], nowMs);
  // First of the two: its alarm stands until there is a standby, however the holder fares meanwhile.
  if (standbys.eligible.length === 0) return { notReady: 'NO_STANDBY_LEFT', standbys, isCertain };
  const isWell = healthOf(memberOf(observation, where.holder)).kind === 'healthy';
  return { notReady: isWell ? undefined : 'HOLDER_NOT_HEALTHY', standbys, isCertain };
}

/** Records and tells a change of readiness; writes nothing, and says so, when it is as it was. */
export async function tellReadiness(
  ports: Ports,
  service: Service,
  { notReady, standbys }: Readiness,
): Promise<boolean> {
  if (service.notReady === notReady) return false;
  const facts = { code: notReady ?? 'READY', members: standbys.refused, eligible: standbys.eligible };
  const entry =
    notReady === undefined
      ? foundEntry(ports, service, {
          kind: 'readiness',
          code: 'READY',
          severity: 'info',
          headline: 'ready for a failover again',
          lines: [`Eligible: ${standbys.eligible.join(', ')}`],
          next: [],
          facts: { ...facts, ready: true },
          instances: [],
          change: ({ notReady: _, ...state }) => state,
        })
      : foundEntry(ports, service, {
          kind: 'readiness',
          code: 'NOT_READY',
          // Nothing could be done in an outage: worth waking somebody before there is one.
          severity: notReady === 'NO_STANDBY_LEFT' ? 'critical' : 'warning',
          // It is the very moment that a failover is for: nobody must read that it would not work.
          headline:
            notReady === 'HOLDER_NOT_HEALTHY'
              ? 'the holder is not healthy, a standby could take over'
              : `a failover would NOT work now: ${notReady}`,
          lines: [
            ...(standbys.eligible.length > 0 ? [`Eligible: ${standbys.eligible.join(', ')}`] : []),
            ...standbys.refused.map(describeMember),
          ],
          next: [...unblockingAll(service, standbys.refused), `eni-failover explain ${service.name}`],
          byHand: byHand(['NO_ELIGIBLE_STANDBY'], { ...sceneOf(service), refusals: standbys.refused }),
          section: notReady,
          facts: { ...facts, ready: false },
          instances: [...new Set(standbys.refused.map((each) => each.member))],
          change: (state) => ({ ...state, notReady }),
        });
  return (await record(ports, service, entry)) === 'recorded';
}

/**
 * Where a quarantine may end by itself: since when its member has been healthy and ready, forgotten as soon as
 * it is not. Undefined when nothing changes.
 */
function tendedQuarantine(
  service: Service,
  observation: Observation,
  nowMs: number,
): Readonly<Record<string, Quarantine>> | undefined {
  const { members, policy } = service.declaration;
  const tended = Object.entries(service.quarantine).map(([id, quarantine]): [string, Quarantine] => {
    const { healthySinceMs, ...rest } = quarantine;
    const member = members.find((each) => each.instance === id);
    if (!member) return [id, rest];
    const mayEnd = policy.quarantine === 'until-healthy' || member.readyWhen.length > 0;
    const refusals = refusalsOf(service, observation, member, nowMs);
    const isWell = refusals.every((each) => each.code === 'QUARANTINED');
    return [id, mayEnd && isWell ? { ...rest, healthySinceMs: healthySinceMs ?? nowMs } : rest];
  });
  const isChanged = tended.some(
    ([id, each]) => each.healthySinceMs !== service.quarantine[id]?.healthySinceMs,
  );
  return isChanged ? Object.fromEntries(tended) : undefined;
}

/**
 * The limits of the members' types as they were read now, where the item has none or others: a member was
 * resized, or EC2 changed what a type carries. Undefined when nothing changes.
 */
function tendedLimits(service: Service, observation: Observation): CachedFacts | undefined {
  const { limits } = service.facts;
  const read = [...observation.members.values()].flatMap((fact) =>
    fact.kind === 'known' && fact.value.limits.kind === 'known'
      ? [[fact.value.instanceType, fact.value.limits.value] as const]
      : [],
  );
  const changed = read.filter(([type, now]) => canonical(limits[type]) !== canonical(now));
  if (changed.length === 0) return undefined;
  return { ...service.facts, limits: { ...limits, ...Object.fromEntries(changed) } };
}

/**
 * Keeps up what an outage will find in the item: healthy times of quarantined members and of the preferred one,
 * limits of instance types.
 * Writes only what changed. Answers the service as it is afterwards; undefined when somebody else wrote meanwhile:
 * then the next sweep looks again.
 */
export async function tend(
  ports: Ports,
  service: Service,
  observation: Observation,
  pauseOfAll?: Pause,
): Promise<Service | undefined> {
  const nowMs = ports.clock.now();
  const quarantine = tendedQuarantine(service, observation, nowMs);
  const facts = tendedLimits(service, observation);
  // What could not be read is no break.
  const seenSinceMs = isRead(observation)
    ? preferredSince(service, observation, nowMs)
    : service.preferredSinceMs;
  const sinceMs = isTimeStopped(service, pauseOfAll, nowMs) ? undefined : seenSinceMs;
  if (!quarantine && !facts && sinceMs === service.preferredSinceMs) return service;
  const { declaration, ...before } = service;
  const { preferredSinceMs: _, ...rest } = before;
  const after = {
    ...rest,
    ...(sinceMs !== undefined && { preferredSinceMs: sinceMs }),
    ...(quarantine && { quarantine }),
    ...(facts && { facts }),
    rev: before.rev + 1,
    nonce: ports.ids.nonce(),
  };
  const result = await ports.store.write(before, after, { rev: before.rev });
  return result.kind === 'written' ? { ...after, declaration } : undefined;
}
