/** Proves that each step of an episode is drawn as long as it took, and what it is measured by. */
import { describe, expect, it } from 'vitest';
import { tookOf, toSpans, waterfall } from '../../cli/waterfall.ts';
import type { Step } from '../../shared/core/episode.ts';
import { narrow } from './screen.ts';

const eni = 'eni-0aaaaaaaaaaaaaa01';
const spans = (steps: readonly Step[]) =>
  toSpans(steps).map(({ name, fromMs, toMs }) => `${name} ${fromMs}-${toMs}`);

describe('a step lasts', () => {
  it('until the interface was seen detached, and seen attached', () => {
    expect(
      spans([
        { atMs: 100, step: 'detach', eni, durationMs: 50 },
        { atMs: 900, step: 'detached', eni },
        { atMs: 1_000, step: 'attach', eni, durationMs: 50 },
        { atMs: 2_000, step: 'attached', eni },
      ]),
    ).toEqual(['detach 50-900', 'attach 950-2000']);
  });

  it('until the attach, and until all were verified, where no look came in between', () => {
    expect(
      spans([
        { atMs: 100, step: 'detach', eni, durationMs: 50 },
        { atMs: 1_000, step: 'attach', eni, durationMs: 50 },
        { atMs: 2_000, step: 'verified' },
      ]),
    ).toEqual(['detach 50-950', 'attach 950-2000', 'verified 2000-2000']);
  });

  it('only as long as the call that came to nothing', () => {
    expect(
      spans([
        { atMs: 100, step: 'detach', eni, durationMs: 50 },
        { atMs: 5_000, step: 'detach-forced', eni, durationMs: 50 },
        { atMs: 6_000, step: 'detached', eni },
        {
          atMs: 6_100,
          step: 'attach',
          eni,
          durationMs: 50,
          detail: 'i-0a: target-refused AttachmentLimitExceeded',
        },
        { atMs: 7_000, step: 'verified' },
      ]),
    ).toEqual(['detach 50-100', 'detach-forced 4950-6000', 'attach 6050-6100', 'verified 7000-7000']);
  });

  it('from the begin of a hook to its end, or as a moment where it never ended', () => {
    const begun = { atMs: 0, step: 'after.0-begun', detail: 'after.0 (promote on i-0a)' };
    const ended = { atMs: 700, step: 'after.0-ended', detail: 'failed: exit status 1', durationMs: 700 };
    expect(toSpans([begun, ended])).toMatchObject([
      { name: 'after.0', fromMs: 0, toMs: 700, detail: 'promote on i-0a: failed' },
    ]);
    expect(spans([begun])).toEqual(['after.0-begun 0-0']);
  });

  it('from its first to its last time where it was counted', () => {
    const steps = [{ atMs: 10, untilMs: 90, times: 4, step: 'call-failed', detail: 'Throttling' }];
    expect(spans(steps)).toEqual(['call-failed 10-90']);
    expect(waterfall(steps, 0, 100, narrow)).toContain('call-failed ×4');
  });
});

it('draws an episode without a single step, and one that took no time', () => {
  expect(waterfall([], 0, 0, narrow)).toBe('');
  expect(waterfall([{ atMs: 5, step: 'claimed' }], 5, 5, narrow)).toBe('  +0.00 s  claimed  │');
});

it('never draws past the edge, however long the words are', () => {
  const detail = 'AttachmentLimitExceeded: '.repeat(9);
  const shown = waterfall([{ atMs: 100_000, step: 'rung', detail, durationMs: 99_000 }], 0, 100_000, narrow);
  for (const line of shown.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
});

it('is red where something went wrong', () => {
  const style = (name: string, text: string) => `<${name}>${text}</>`;
  const steps = [{ atMs: 0, step: 'serving-ended', detail: 'timed-out: no answer' }];
  expect(waterfall(steps, 0, 1, { columns: 80, style })).toContain('<red>');
});

it.each([
  [0, '0 ms'],
  [999, '999 ms'],
  [3_440, '3.4 s'],
  [59_960, '1 min 00 s'],
  [125_000, '2 min 05 s'],
  [4_200_000, '1 h 10 min'],
])('says %d ms as %s', (ms, said) => {
  expect(tookOf(ms)).toBe(said);
});
