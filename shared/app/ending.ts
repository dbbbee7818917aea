/** How an episode ends: its outcome and why, from a move that came to rest or was never begun. Pure. */
import type { Episode, Outcome } from '../core/episode.ts';
import type { AttachmentId, EniId } from '../core/ids.ts';
import type { Severity } from '../core/notice.ts';
import {
  attachmentOf,
  type Fact,
  healthOf,
  type InterfaceFact,
  memberOf,
  type Observation,
} from '../core/observation.ts';
import type { MoveEnd } from './move.ts';
import type { StagesEnd } from './stages.ts';

/** How an episode ends, once a move has come to rest or was never begun. */
export interface Ending {
  readonly outcome: Outcome;
  readonly why: string;
  readonly severity: Severity;
  /** The interfaces at the end; empty when nothing was begun. */
  readonly facts: ReadonlyMap<EniId, Fact<InterfaceFact>>;
  /** Nothing was issued by anyone: only whoever opened the episode can know that. */
  readonly untouched: boolean;
  /** Attachments that a look has shown: only those are certainly gone when they are not there any more. */
  readonly seen: ReadonlySet<AttachmentId>;
  /** EC2 or an application's alarm says that the source failed: it stays out until it is cleared. */
  readonly sourceFailed: boolean;
  /** What is wrong, without what differs from one try to the next: the same is not told twice. */
  readonly trouble?: string;
  /** A hook called the move back: no member has refused anything. */
  readonly calledBack?: true;
}

/** The end of an episode in which no worker of ours moved anything. */
export const callOff = (
  outcome: 'ABORTED' | 'REFUSED',
  why: string,
  severity: Severity,
  observation: Observation,
  untouched: boolean,
): Ending => ({
  outcome,
  why,
  severity,
  facts: observation.interfaces,
  untouched,
  seen: new Set(),
  sourceFailed: false,
});

/** The outcome of a move that came to rest or stopped (P18, P20, P22). */
export function toEnding(
  episode: Episode,
  end: Extract<MoveEnd, { last: unknown }>,
  observation: Observation,
): Ending {
  const { kind } = episode;
  const { plan, seen, acted } = end;
  const health = plan.source ? healthOf(memberOf(observation, plan.source)).kind : 'unknown';
  const ending = (outcome: Outcome, why: string, severity: Severity): Ending => ({
    outcome,
    why,
    severity,
    facts: end.last.facts,
    untouched: false,
    seen,
    // A planned move accuses nobody, unless it came to leaving a source that had failed.
    sourceFailed:
      kind === 'failover' || (health === 'failed' && (kind === 'rescue' || plan.detach === 'force')),
  });
  if (end.kind !== 'resting')
    return ending(end.kind === 'stranded' ? 'STRANDED' : 'NEEDS_HUMAN', end.why, 'critical');
  if (plan.source === plan.target && !(kind === 'rescue' && health === 'healthy'))
    return ending('RETURNED_TO_SOURCE', 'no other member took the interfaces', 'critical');
  if (healthOf(memberOf(observation, plan.target)).kind === 'failed')
    return ending('ATTACHED', `${plan.target} itself has failed`, 'critical');
  if (!acted || plan.interfaces.every((each) => each.ours.length === 0))
    return ending('NOTHING_TO_DO', `the interfaces were on ${plan.target} already`, 'info');
  return ending('COMPLETED', episode.evidence, kind === 'failover' || kind === 'rescue' ? 'warning' : 'info');
}

/**
 * The end of an episode whose fence or `before` hook failed: nothing was detached yet, or, where a rescue went on to
 * another member, nothing is detached from it or attached any more.
 */
export function stoppedBefore(
  { kind, plan }: Episode,
  { why, trouble }: Pick<Extract<StagesEnd, { why: string }>, 'why' | 'trouble'>,
  observation: Observation,
): Ending {
  const holders = plan.interfaces.map(({ eni }) => {
    const attachment = attachmentOf(observation, eni);
    return attachment?.status === 'attached' ? attachment.instanceId : undefined;
  });
  const isWhole = holders.every((each) => each !== undefined && each === holders[0]);
  return {
    // A rescue that is not carried out leaves what it came for: on nothing, or on two members (S14).
    outcome: isWhole && kind !== 'rescue' ? 'NEEDS_HUMAN' : 'STRANDED',
    why,
    trouble,
    severity: 'critical',
    facts: observation.interfaces,
    // No detach precedes the first rung's: only one of an earlier rung can still come late (P15).
    untouched: plan.tried.length <= 1,
    seen: new Set(),
    sourceFailed: kind === 'failover',
  };
}

/** Back on the source because a `before` hook wanted that, not because no other member took the interfaces (P39). */
export const calledBack = (ending: Ending, why: string | undefined): Ending =>
  why !== undefined && ending.outcome === 'RETURNED_TO_SOURCE'
    ? { ...ending, why, calledBack: true }
    : ending;

/** Every interface rests, but an `after` hook failed or nothing answers: a person is called. */
export const notServing = (ending: Ending, why: string): Ending =>
  ending.outcome === 'COMPLETED'
    ? { ...ending, outcome: 'ATTACHED', why, severity: 'critical' }
    : { ...ending, why: `${ending.why}; ${why}` };
