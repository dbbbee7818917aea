/** Where the usual forty lines have left their interface, and how often Lambda tried. */
import { type Facts, msOf } from '../facts.ts';
import type { Invocation } from '../sandbox-control.ts';
import type { Pair } from './pair.ts';
import { isUsualWay } from './without-usual-way.ts';

export interface UsualTry {
  readonly atMs: number;
  readonly outcome: 'running' | 'done' | 'killed' | 'failed';
  /** The last word of its answer. */
  readonly said: string;
}

export interface UsualWay {
  readonly tries: readonly UsualTry[];
  /** A host, or `nothing`. */
  readonly rests: string;
  /** When its interface first left the old instance; undefined where it never did. */
  readonly leftAtMs: number | undefined;
  /** Lambda does not try any more. */
  readonly isOver: boolean;
}

/** Lambda's own: one invocation, and two retries of it. */
const mostTries = 3;

function toTry(invocation: Invocation): UsualTry {
  const { startedAt, outcome, response } = invocation;
  const { errorType = '', errorMessage = '' } = (response?.startsWith('{') ? JSON.parse(response) : {}) as {
    errorType?: string;
    errorMessage?: string;
  };
  const atMs = msOf(startedAt);
  if (outcome === 'running') return { atMs, outcome, said: '' };
  if (outcome === 'success') return { atMs, outcome: 'done', said: '' };
  if (outcome === 'exit') return { atMs, outcome: 'killed', said: '' };
  return { atMs, outcome: 'failed', said: [errorType, errorMessage].filter(Boolean).join(': ') };
}

export function toUsualWay({ invocations, history, attachments }: Facts, { eniId, nameOf }: Pair): UsualWay {
  const tries = invocations
    .filter(isUsualWay)
    .map(toTry)
    .toSorted((one, other) => one.atMs - other.atMs);
  const last = history.findLast((each) => each.eniId === eniId);
  const left = attachments.find((each) => each.eniId === eniId && each.status === 'detaching');
  const end = tries.at(-1)?.outcome;
  return {
    tries,
    rests: last?.status === 'attached' ? nameOf(last.instanceId) : 'nothing',
    leftAtMs: left && msOf(left.at),
    isOver: end === 'done' || (tries.length >= mostTries && end !== 'running'),
  };
}
