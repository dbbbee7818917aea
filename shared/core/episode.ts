/** An episode, its states and outcomes as data, and the log of its steps. */
import type { EpisodeId } from './ids.ts';
import type { Plan } from './plan.ts';

export type EpisodeKind = 'failover' | 'switchover' | 'failback' | 'rescue';

/** The source lives, and is left plainly: somebody asked for it, or AWS announced that the source will be lost. */
export const isPlannedMove = (kind: EpisodeKind) => kind === 'switchover' || kind === 'failback';

/**
 * The states of an open episode: for each, which states may come before it (P22). `CLAIMED` begins one.
 * A resumer may enter the state that EC2 shows from any state in which the plan is still being carried out.
 */
export const statesBefore = {
  CLAIMED: [],
  FENCING: ['CLAIMED'],
  BEFORE_HOOK: ['CLAIMED', 'FENCING'],
  DETACHING: ['CLAIMED', 'FENCING', 'BEFORE_HOOK', 'ATTACHING', 'VERIFYING'],
  ATTACHING: ['CLAIMED', 'FENCING', 'DETACHING', 'VERIFYING'],
  VERIFYING: ['CLAIMED', 'BEFORE_HOOK', 'DETACHING', 'ATTACHING'],
  AFTER_HOOK: ['VERIFYING'],
  SERVING: ['VERIFYING', 'AFTER_HOOK'],
} as const satisfies Record<string, readonly string[]>;
export type EpisodeState = keyof typeof statesBefore;

/** How an episode can end, and whether a person must look. */
export const outcomes = {
  COMPLETED: { human: false, meaning: 'every interface was seen attached to the target' },
  ATTACHED: { human: true, meaning: 'attached, but the service does not answer' },
  NOTHING_TO_DO: { human: false, meaning: 'the interfaces were already where they belong' },
  ABORTED: { human: false, meaning: 'the holder recovered before anything was detached' },
  REFUSED: { human: true, meaning: 'refused before anything was detached: brake, pause, or no standby' },
  RETURNED_TO_SOURCE: { human: true, meaning: 'no standby took the interfaces; they are back on the source' },
  STRANDED: { human: true, meaning: 'an interface is attached to nothing' },
  NEEDS_HUMAN: { human: true, meaning: 'the controller stopped, because it cannot know what is right' },
} as const satisfies Record<string, { human: boolean; meaning: string }>;
export type Outcome = keyof typeof outcomes;

/** One line of an episode's log. A repeated step is counted, not repeated (P7). */
export interface Step {
  readonly atMs: number;
  readonly step: string;
  readonly detail?: string;
  readonly eni?: string;
  readonly durationMs?: number;
  /** How often, where a line stands for several; of `steps-dropped`, how many lines. */
  readonly times?: number;
  /** When it was repeated last. */
  readonly untilMs?: number;
}

/** How far a fence, a hook or the check that the service serves has come: see stages.ts. */
export interface StageMark {
  /** Written before it is issued: from then on it may be under way (P38). */
  readonly begunAtMs: number;
  /** Of a document that was sent: whoever resumes asks for it instead of sending it again. */
  readonly handle?: string;
  readonly end?: 'done' | 'failed' | 'refused' | 'timed-out';
  readonly endedAtMs?: number;
  /** The end of what it printed, or why EC2 or CloudWatch would not. */
  readonly output?: string;
}

export interface Episode {
  readonly id: EpisodeId;
  readonly kind: EpisodeKind;
  readonly state: EpisodeState;
  /** What was seen that led here, in words. */
  readonly evidence: string;
  /** When the event that led here says that it happened. */
  readonly eventAtMs?: number;
  readonly openedAtMs: number;
  readonly plan: Plan;
  /** A persisted sign that a detach, fence or hook was issued; its absence proves nothing (P15). */
  readonly committed: boolean;
  readonly steps: readonly Step[];
  /** Fence, hooks and serving, by stage id; absent where nothing of it was begun. */
  readonly stages?: Readonly<Record<string, StageMark>>;
  /** The operator's request that this episode carries out. */
  readonly request?: {
    readonly id: string;
    readonly author: string;
    readonly reason: string;
    readonly byItself?: true;
  };
}

/** A person asked for it: nobody is sent anywhere else by it. */
export const isAskedFor = (episode: Episode) => episode.request !== undefined;

const maxSteps = 120;

const isRepeat = (a: Step, b: Step) => a.step === b.step && a.eni === b.eni && a.detail === b.detail;

const maxDetail = 300;

/**
 * The log with more lines; the same line again becomes a counter, and the middle is dropped when it is full.
 * A line that is there already, to the millisecond, is not added: a write may have to be made twice.
 */
export function withSteps(steps: readonly Step[], added: readonly Step[]): readonly Step[] {
  const result = [...steps];
  for (const { detail, ...rest } of added) {
    const step: Step = detail === undefined ? rest : { ...rest, detail: detail.slice(0, maxDetail) };
    const isThere = (each: Step) =>
      isRepeat(each, step) && each.atMs <= step.atMs && step.atMs <= (each.untilMs ?? each.atMs);
    if (result.some(isThere)) continue;
    const last = result.findLastIndex((each) => each.eni === step.eni);
    const before = result[last];
    if (before && isRepeat(before, step))
      result[last] = { ...before, times: (before.times ?? 1) + 1, untilMs: step.atMs };
    else result.push(step);
  }
  return result.length <= maxSteps ? result : withoutMiddle(result);
}

/** Keeps how it began and how it is going; one line says how many are missing in between. */
function withoutMiddle(steps: readonly Step[]): readonly Step[] {
  const half = maxSteps / 2;
  const gap = steps.find((each) => each.step === 'steps-dropped');
  const lines = steps.filter((each) => each !== gap);
  const excess = lines.length - maxSteps + 1;
  const times = (gap?.times ?? 0) + excess;
  return [
    ...lines.slice(0, half),
    {
      atMs: gap?.atMs ?? lines[half]?.atMs ?? 0,
      step: 'steps-dropped',
      detail: `${times} lines of the log were dropped`,
      times,
    },
    ...lines.slice(half + excess),
  ];
}
