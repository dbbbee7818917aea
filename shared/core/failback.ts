/** Back to the preferred member: since when it could have the interfaces, and whether that is long enough. Pure. */
import { refusalsOf } from './eligibility.ts';
import type { InstanceId } from './ids.ts';
import type { Observation } from './observation.ts';
import type { Service } from './state.ts';
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

/** Until when anybody must wait who wants to fail back; undefined while it is not known since when it could. */
export const failbackFromMs = ({ preferredSinceMs }: Service): number | undefined =>
  preferredSinceMs === undefined ? undefined : preferredSinceMs + times.failbackAfterMs;

/** Has the preferred member been eligible for as long as the service wants, where it wants to go back by itself? */
export function isFailbackDue({ declaration, preferredSinceMs }: Service, nowMs: number): boolean {
  const { failback } = declaration.policy;
  return (
    failback !== 'manual' && preferredSinceMs !== undefined && nowMs - preferredSinceMs >= failback.after
  );
}

/** Away from its preferred member, and either its time has not begun to count or it is over: worth a look. */
export function awaitsFailback(service: Service, nowMs: number): boolean {
  const holder = service.lastSeen?.holder;
  if (holder === undefined || holder === preferredOf(service)) return false;
  return service.preferredSinceMs === undefined || isFailbackDue(service, nowMs);
}
