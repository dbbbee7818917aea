/** What people and limits forbid, whatever has failed: pause, observe, missing tags, brake, budget. */
import { type Question, type Refusal, refuse } from './decision.ts';
import type { Candidates } from './eligibility.ts';
import type { EpisodeKind } from './episode.ts';
import { memberOf } from './observation.ts';
import { isFenced } from './stages.ts';
import { isPaused, spentOf } from './state.ts';
import { holdersIn, untagged, whereabouts } from './whereabouts.ts';

/** Pause and observe stop every automatic kind; brake and budget only failovers (P30–P32). */
export function blockedBy(
  q: Question,
  kind: EpisodeKind,
  why: string,
  choice: Candidates,
): Refusal | undefined {
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
  const spent = spentOf(service, isSourceStopped(q), nowMs);
  if (spent >= budgetPerHour) return refuse('BUDGET_SPENT', `${spent} in an hour; ${why}`);
  return undefined;
}

function isSourceStopped({ service, observation }: Question): boolean {
  const [holder] = holdersIn(whereabouts(service, observation));
  const fact = memberOf(observation, holder);
  return fact.kind === 'known' && isFenced(fact.value.state);
}
