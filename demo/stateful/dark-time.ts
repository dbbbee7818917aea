/** How long a client got no answer, and what it was waiting for at each moment of that time. */
import type { Attempt } from './writer.ts';

export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/**
 * The longest time between two acknowledgements, by the client's clock. `toMs` is undefined where none came any more:
 * the client had been waiting since `fromMs` when it was stopped.
 */
export function darkOf(
  attempts: readonly Attempt[],
): { readonly fromMs: number; readonly toMs: number | undefined } | undefined {
  const answers = attempts
    .flatMap(({ result, endedAtMs }) => (result === 'answered' && endedAtMs !== undefined ? [endedAtMs] : []))
    .toSorted((one, other) => one - other);
  const last = answers.at(-1);
  if (last === undefined) return undefined;
  if (attempts.filter(({ sentAtMs }) => sentAtMs > last).length > 2) return { fromMs: last, toMs: undefined };
  let longest: Span | undefined;
  for (const [index, toMs] of answers.entries()) {
    const fromMs = answers[index - 1];
    if (fromMs === undefined) continue;
    if (longest === undefined || toMs - fromMs > longest.toMs - longest.fromMs) longest = { fromMs, toMs };
  }
  return longest;
}

/** What happened in the dark, by the sandbox's logs. */
export interface Moments {
  /** The alarm's event was on the bus. */
  readonly alarmAtMs: number | undefined;
  /** SSM took the promotion. */
  readonly promotionAtMs: number | undefined;
  /** While EC2 was stopping the old instance, detaching or attaching. */
  readonly ec2: readonly Span[];
  /** From the death of the controller's process to the first call of another one. */
  readonly nobody: readonly Span[];
}

export interface Split {
  readonly totalMs: number;
  readonly detectionMs: number;
  readonly controllerMs: number;
  /** Of the controller's time: nobody was at work, for the lease of the one that died had to run out. */
  readonly nobodyMs: number;
  readonly ec2Ms: number;
  readonly promotionMs: number;
}

/** The time that at least one of the spans covers. */
function covered(spans: readonly Span[]): number {
  let [sum, untilMs] = [0, Number.NEGATIVE_INFINITY];
  for (const { fromMs, toMs } of spans.toSorted((one, other) => one.fromMs - other.fromMs)) {
    sum += Math.max(0, toMs - Math.max(fromMs, untilMs));
    untilMs = Math.max(untilMs, toMs);
  }
  return sum;
}

/**
 * Each millisecond of the dark time belongs to exactly one of four: detection until the alarm's event, promotion from
 * the moment that it was sent, and in between EC2 wherever it was busy with something of ours, the controller otherwise.
 */
export function splitDark(dark: Span, { alarmAtMs, promotionAtMs, ec2, nobody }: Moments): Split {
  const within = (ms: number) => Math.min(Math.max(ms, dark.fromMs), dark.toMs);
  const seenMs = within(alarmAtMs ?? dark.fromMs);
  const promotedMs = Math.max(seenMs, within(promotionAtMs ?? dark.toMs));
  const between = (spans: readonly Span[]) =>
    spans
      .map(({ fromMs, toMs }) => ({ fromMs: Math.max(fromMs, seenMs), toMs: Math.min(toMs, promotedMs) }))
      .filter(({ fromMs, toMs }) => toMs > fromMs);
  const busy = between(ec2);
  const ec2Ms = covered(busy);
  return {
    totalMs: dark.toMs - dark.fromMs,
    detectionMs: seenMs - dark.fromMs,
    controllerMs: promotedMs - seenMs - ec2Ms,
    nobodyMs: covered([...busy, ...between(nobody)]) - ec2Ms,
    ec2Ms,
    promotionMs: dark.toMs - promotedMs,
  };
}
