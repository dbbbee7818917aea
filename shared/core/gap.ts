/** For how long nobody could reach the service, as the steps of an episode tell it. Pure. */
import type { Step } from './episode.ts';

/** Said beside every gap: it is as near as an episode's own log comes. */
export const gapIsFrom =
  'the steps of the episodes: from the sending of the first detach to the last interface seen attached; EC2 may have been quicker';

/** Milliseconds from the first detach that was sent to the last interface seen attached; undefined where nothing moved. */
export function gapOf(steps: readonly Step[]): number | undefined {
  const detach = steps.find(({ step }) => step === 'detach' || step === 'detach-forced');
  const attached =
    steps.findLast(({ step }) => step === 'attached') ?? steps.findLast(({ step }) => step === 'verified');
  if (!detach || !attached) return undefined;
  return (attached.untilMs ?? attached.atMs) - (detach.atMs - (detach.durationMs ?? 0));
}
