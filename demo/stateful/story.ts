/** The timeline of a run: the controller's steps, and between them what the machines and the client lived through. */
import { type Facts, msOf } from '../facts.ts';
import { type TimelineStep, toSteps } from '../timeline.ts';
import { darkOf } from './dark-time.ts';
import type { Line } from './disk.ts';
import type { Pair } from './pair.ts';
import type { Attempt } from './writer.ts';

export interface Seen {
  readonly facts: Facts;
  readonly pair: Pair;
  readonly lines: readonly Line[];
  readonly attempts: readonly Attempt[];
  readonly machineEndedAtMs: number | undefined;
  readonly sinceMs: number;
}

const toStep = (
  atMs: number | undefined,
  step: string,
  text: string,
  tone: TimelineStep['tone'] = 'plain',
): readonly TimelineStep[] =>
  atMs === undefined ? [] : [{ key: `${step} ${text}`, atMs, step, text, durationMs: 0, tone }];

/** A client notices nothing of a shorter pause. */
const noticeableMs = 500;

/** What the timeline calls by its place in the declaration has a name in this story. */
const stageNames: Readonly<Record<string, string>> = {
  fence: 'fence',
  'after.0': 'promotion',
  serving: 'serving',
};

function named(step: TimelineStep): TimelineStep {
  const name = stageNames[step.step];
  if (name === undefined) return step;
  return { ...step, step: name, tone: step.text.startsWith('done') ? 'good' : 'plain' };
}

/** Invocations that asked EC2 nothing found the lease held, or nothing to do: they would hide the story. */
const withoutBystanders = (facts: Facts): Facts => ({
  ...facts,
  invocations: facts.invocations.filter(
    ({ accessKeyId, startedAt, durationMs, initDurationMs, outcome }) =>
      outcome === 'exit' ||
      facts.calls.some(
        ({ caller, atMs }) =>
          caller === accessKeyId &&
          atMs >= msOf(startedAt) &&
          atMs <= msOf(startedAt) + (initDurationMs ?? 0) + (durationMs ?? Number.POSITIVE_INFINITY),
      ),
  ),
});

/** Told by EC2's own log, or by another step, with more detail. */
const isTold = ({ step, text }: TimelineStep) =>
  ['event', 'state-change', 'resumed'].includes(step) ||
  (step === 'alarm' && !text.endsWith('→ ALARM')) ||
  text.includes('eni-attach-') ||
  (step === 'verified' && text.startsWith('all on'));

export function toStory({
  facts,
  pair,
  lines,
  attempts,
  machineEndedAtMs,
  sinceMs,
}: Seen): readonly TimelineStep[] {
  const { host } = pair.holder;
  const states = facts.events
    .filter(({ event }) => event['detail-type'] === 'EC2 Instance State-change Notification')
    .map(({ at, event }) => ({ atMs: msOf(at), state: (event['detail'] as { state: string }).state }));
  const promoted = lines.find(({ kind, atMs }) => kind === 'promoted' && atMs >= sinceMs);
  const dark = darkOf(attempts.filter(({ sentAtMs }) => sentAtMs >= sinceMs - 1_000));
  const more = [
    ...states.flatMap(({ atMs, state }) => toStep(atMs, 'instance', `${host} is ${state}`)),
    ...toStep(machineEndedAtMs, 'process', `the process on ${host} is over, as its machine is`),
    ...toStep(
      promoted?.atMs,
      'primary',
      `${promoted?.by ?? ''} is the primary, the log has been read`,
      'good',
    ),
    ...(dark?.toMs !== undefined && dark.toMs - dark.fromMs > noticeableMs
      ? toStep(dark.toMs, 'client', 'the client is answered again', 'good')
      : []),
  ];
  const steps = toSteps(withoutBystanders(facts), pair, sinceMs).filter((step) => !isTold(step));
  return [...steps.map(named), ...more].toSorted((one, other) => one.atMs - other.atMs);
}
