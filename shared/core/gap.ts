/** For how long nobody could reach the service, as the steps of an episode tell it. Pure. */
import type { Step } from './episode.ts';

/** Said beside every gap: it is as near as an episode's own log comes. */
export const gapIsFrom =
  'the steps of the episodes: from the sending of the first detach to the last interface seen attached; EC2 may have been quicker';

/**
 * Milliseconds from the first detach that was sent to the last interface seen attached; undefined where nothing was
 * detached, or where not all of them were seen attached again after the last detach: that gap is not over.
 */
export function gapOf(steps: readonly Step[]): number | undefined {
  const isDetach = ({ step }: Step) => step === 'detach' || step === 'detach-forced';
  const detach = steps.find(isDetach);
  const verifiedAt = steps.findLastIndex(({ step }) => step === 'verified');
  if (!detach || verifiedAt < steps.findLastIndex(isDetach)) return undefined;
  const before = steps.slice(0, verifiedAt + 1);
  const seen = before.findLast(({ step }) => step === 'attached') ?? before.at(-1);
  if (!seen) return undefined;
  return Math.max(0, (seen.untilMs ?? seen.atMs) - (detach.atMs - (detach.durationMs ?? 0)));
}
