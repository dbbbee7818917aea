/** The client's dark time: which pause it is, and that its parts always add up to it. */
import { describe, expect, it } from 'vitest';
import { darkOf, type Moments, splitDark } from '../../../demo/stateful/dark-time.ts';
import type { Attempt, Result } from '../../../demo/stateful/writer.ts';

const attempt = (sentAtMs: number, result: Result, tookMs = 5): Attempt => ({
  ...{ id: `w${sentAtMs}`, sentAtMs, result, endedAtMs: sentAtMs + tookMs },
});

describe('the dark time', () => {
  it('is from the last answer to the next one', () => {
    const attempts = [
      attempt(0, 'answered'),
      attempt(100, 'answered'),
      attempt(200, 'timed-out', 1_000),
      attempt(300, 'refused'),
      attempt(900, 'answered'),
      attempt(1_000, 'answered'),
    ];
    expect(darkOf(attempts)).toEqual({ fromMs: 105, toMs: 905 });
  });

  it('has no end where no answer came any more', () => {
    const attempts = [0, 100].map((ms) => attempt(ms, 'answered'));
    const dark = [200, 300, 400].map((ms) => attempt(ms, 'timed-out', 1_000));
    expect(darkOf([...attempts, ...dark])).toEqual({ fromMs: 105, toMs: undefined });
  });

  it('is nothing to measure where no answer ever came', () => {
    expect(darkOf([attempt(0, 'refused')])).toBeUndefined();
  });

  it('goes by when answers came, not by when they were asked for', () => {
    const attempts = [attempt(0, 'answered'), attempt(100, 'answered', 700), attempt(200, 'answered')];
    expect(darkOf(attempts)).toEqual({ fromMs: 205, toMs: 800 });
  });
});

describe('its parts', () => {
  const dark = { fromMs: 1_000, toMs: 21_000 };
  const moments: Moments = {
    alarmAtMs: 1_400,
    promotionAtMs: 20_000,
    ec2: [
      { fromMs: 2_000, toMs: 3_500 },
      { fromMs: 4_000, toMs: 6_000 },
      { fromMs: 18_000, toMs: 19_500 },
    ],
    nobody: [{ fromMs: 4_100, toMs: 17_800 }],
  };

  it('are detection, EC2, promotion, and the controller where it was none of these', () => {
    expect(splitDark(dark, moments)).toEqual({
      totalMs: 20_000,
      detectionMs: 400,
      controllerMs: 13_600,
      nobodyMs: 11_800,
      ec2Ms: 5_000,
      promotionMs: 1_000,
    });
  });

  it.each<[string, Partial<Moments>]>([
    ['as they were', {}],
    [
      'EC2 busy at two things at once',
      {
        ec2: [
          { fromMs: 2_000, toMs: 5_000 },
          { fromMs: 3_000, toMs: 4_000 },
        ],
      },
    ],
    ['EC2 busy before and after', { ec2: [{ fromMs: 0, toMs: Number.POSITIVE_INFINITY }] }],
    ['no alarm', { alarmAtMs: undefined }],
    ['an alarm before the client noticed', { alarmAtMs: 900 }],
    ['an alarm that came after the promotion', { alarmAtMs: 20_500 }],
    ['nobody promoted', { promotionAtMs: undefined }],
    ['a promotion after the first answer', { promotionAtMs: 22_000 }],
    ['nothing known', { alarmAtMs: undefined, promotionAtMs: undefined, ec2: [], nobody: [] }],
  ])('add up with %s', (_, more) => {
    const { totalMs, detectionMs, controllerMs, nobodyMs, ec2Ms, promotionMs } = splitDark(dark, {
      ...moments,
      ...more,
    });
    expect(detectionMs + controllerMs + ec2Ms + promotionMs).toBe(totalMs);
    expect(Math.min(detectionMs, controllerMs, nobodyMs, ec2Ms, promotionMs)).toBeGreaterThanOrEqual(0);
    expect(nobodyMs).toBeLessThanOrEqual(controllerMs);
  });
});
