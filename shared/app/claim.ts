/** Claims a service: a new epoch, our lease and what it is for, in one conditional write (P4). */
import type { Decision, Question } from '../core/decision.ts';
import { type Episode, isPlannedMove } from '../core/episode.ts';
import { PortError } from '../core/errors.ts';
import type { EpisodeId } from '../core/ids.ts';
import type { Plan } from '../core/plan.ts';
import type { Service, ServiceState } from '../core/state.ts';
import { times } from '../core/times.ts';
import { canonical } from '../core/trail.ts';
import { inEpisode, type Journal } from './journal.ts';
import type { Ports, Run } from './ports.ts';

type Move = Extract<Decision, { kind: 'move' }>;
/** A decision that opens an episode, or goes on with one. */
export type Moves = Move | Extract<Decision, { kind: 'continue' }>;

/** Writes a claim on what was read at `readAtMs`. False: somebody else was faster, look again. */
export async function claim(
  ports: Ports,
  before: Service,
  after: ServiceState,
  readAtMs: number,
): Promise<boolean> {
  const { declaration: _, ...state } = before;
  const guard = { rev: before.rev, freeBeforeMs: readAtMs };
  try {
    const result = await ports.store.write(state, after, guard);
    return result.kind === 'written';
  } catch (error) {
    // It may have been written all the same: the next read tells, by the owner.
    if (error instanceof PortError && error.mayRetry) return false;
    throw error;
  }
}

/** The item under a new epoch and our lease, and otherwise as it was. */
export function leased(ports: Ports, service: Service, run: Run): ServiceState {
  const { declaration: _, ...state } = service;
  return {
    ...state,
    epoch: state.epoch + 1,
    rev: state.rev + 1,
    nonce: ports.ids.nonce(),
    lease: { owner: run.owner, untilMs: ports.clock.now() + times.leaseTtlMs },
  };
}

/** The item with the claim of an episode: its plan is in it, so that nobody finds a lease without its purpose. */
export function withEpisode(ports: Ports, question: Question, decision: Moves, run: Run): ServiceState {
  const state = leased(ports, question.service, run);
  if (decision.kind === 'continue') {
    const { episode } = state;
    return episode ? { ...state, episode: { ...episode, plan: decision.plan } } : state;
  }
  // The request, if there is one, is moved into the episode or superseded by it (P29).
  const { request: _, ...rest } = state;
  return { ...rest, episode: opened(question, decision, state.epoch, ports.clock.now()) };
}

function opened({ service, hint }: Question, decision: Move, epoch: number, nowMs: number): Episode {
  const { request } = service;
  const asked = isPlannedMove(decision.episode) ? request : undefined;
  const superseded = asked ? undefined : request;
  return {
    id: `${service.name}.${epoch}` as EpisodeId,
    kind: decision.episode,
    state: 'CLAIMED',
    evidence: superseded
      ? `${decision.evidence}; supersedes the ${superseded.kind} that ${superseded.author} asked for`
      : decision.evidence,
    eventAtMs: hint.atMs,
    openedAtMs: nowMs,
    plan: decision.plan,
    committed: false,
    steps: [],
    ...(asked && {
      request: {
        id: asked.id,
        author: asked.author,
        reason: asked.reason,
        ...(asked.byItself && { byItself: asked.byItself }),
      },
    }),
  };
}

/** Stores the plan of an episode that is ours already. False: it could not be written, and will not be. */
export async function persistPlan(journal: Journal, plan: Plan): Promise<boolean> {
  const stored = journal.service().episode?.plan;
  // What is stored already is not written again: a slow table must not make every look stale.
  if (canonical(stored) === canonical(plan)) return true;
  if ((await journal.commit(inEpisode(() => ({ plan })))) === 'written') return true;
  // It waits in the journal, and must not overwrite what the next look decides.
  if (stored) journal.amend(inEpisode(() => ({ plan: stored })));
  return false;
}
