/** Where a plan begins, and where it goes on when a member refuses. */
import type { Question } from './decision.ts';
import { candidates } from './eligibility.ts';
import { isAskedFor } from './episode.ts';
import type { InstanceId } from './ids.ts';
import { attachmentOf, memberOf } from './observation.ts';
import type { Plan } from './plan.ts';
import type { Member } from './service.ts';
import { mayGoBack } from './stages.ts';

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
      const attachment = attachmentOf(q.observation, eni);
      return { eni, deviceIndex, networkCardIndex, ours: [], ...(attachment && { detach: attachment.id }) };
    }),
  };
}

export type Rung =
  | { readonly kind: 'member'; readonly id: InstanceId }
  /** Some member could not be judged: look again before a worse one is taken. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'none' };

/** The member to try after a refusal: the next eligible one, else the source while nothing was promoted, else none (P20). */
export function nextRung(q: Question, plan: Plan): Rung {
  const { service, observation, nowMs } = q;
  const { source, tried } = plan;
  const without = [...tried, source];
  const { episode } = service;
  const back: Rung | undefined =
    source && !tried.includes(source) && mayGoBack(service) ? { kind: 'member', id: source } : undefined;
  // Nobody is sent where nobody asked: back first.
  if (back && episode && isAskedFor(episode)) return back;
  const [next] = candidates(service, observation, without, nowMs).eligible;
  if (next) return { kind: 'member', id: next };
  const isUnread = ({ instance }: Member) =>
    !without.includes(instance) && memberOf(observation, instance).kind === 'unknown';
  if (service.declaration.members.some(isUnread)) return { kind: 'unknown' };
  return back ?? { kind: 'none' };
}
