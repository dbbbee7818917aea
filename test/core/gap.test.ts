/** For how long nobody could reach the service, by an episode's own log. */
import { expect, it } from 'vitest';
import type { Step } from '../../shared/core/episode.ts';
import { gapOf } from '../../shared/core/gap.ts';

const step = (atMs: number, what: string, more: Partial<Step> = {}): Step => ({ atMs, step: what, ...more });

it.each<readonly [string, readonly Step[], number | undefined]>([
  [
    'is from the sending of the first detach to the last interface seen attached',
    [
      step(900, 'claimed'),
      step(1_200, 'detach', { eni: 'one', durationMs: 200 }),
      step(1_300, 'detach', { eni: 'other', durationMs: 250 }),
      step(2_000, 'detached', { eni: 'one' }),
      step(3_000, 'attached', { eni: 'one' }),
      step(3_500, 'attached', { eni: 'other' }),
      step(3_600, 'verified'),
      step(4_000, 'closed'),
    ],
    2_500,
  ],
  ['counts a forced detach', [step(100, 'detach-forced'), step(400, 'attached'), step(500, 'verified')], 300],
  ['ends with the verification where no attach was seen', [step(100, 'detach'), step(700, 'verified')], 600],
  [
    'ends when it was seen last',
    [step(100, 'detach'), step(200, 'attached', { untilMs: 900 }), step(950, 'verified')],
    800,
  ],
  [
    'lasts until it came back where it was taken away again',
    [
      step(100, 'detach'),
      step(400, 'attached'),
      step(500, 'verified'),
      step(700, 'detach'),
      step(900, 'attached'),
      step(1_000, 'verified'),
    ],
    800,
  ],
  [
    'is none where nothing was detached',
    [step(100, 'claimed'), step(400, 'attached'), step(450, 'verified')],
    undefined,
  ],
  ['is none where not all came back', [step(100, 'detach'), step(300, 'attached')], undefined],
  [
    'is none where it was taken away again and did not come back',
    [step(100, 'detach'), step(400, 'attached'), step(500, 'verified'), step(700, 'detach')],
    undefined,
  ],
  ['is never less than nothing', [step(500, 'detach'), step(400, 'attached'), step(600, 'verified')], 0],
  ['is none where nothing came back', [step(100, 'detach'), step(300, 'detached')], undefined],
])('%s', (_, steps, expected) => {
  expect(gapOf(steps)).toBe(expected);
});
