// What an alarm makes of its data points, written as CloudWatch's guide writes them: oldest first, `-` missing, `0` fine, `X` breaching.

import { describe, expect, it } from 'vitest';
import { evaluate } from '../../../sandbox/cloudwatch/metric-evaluation.ts';

const config = {
  AlarmName: 'a',
  Namespace: 'Orders',
  MetricName: 'Lag',
  Statistic: 'Maximum',
  Period: 10,
  EvaluationPeriods: 3,
  Threshold: 1,
  ComparisonOperator: 'GreaterThanOrEqualToThreshold',
} as const;

const rangeOf = (points: string) =>
  points
    .split(' ')
    .reverse()
    .map((point, age) => ({ atMs: -age * 10_000, value: { '0': 0, X: 1 }[point] }));

const verdict = (points: string, DatapointsToAlarm: number, TreatMissingData: string) =>
  evaluate({ ...config, DatapointsToAlarm, TreatMissingData }, rangeOf(points))?.value ?? 'stays';

describe('an alarm that looks at three periods', () => {
  it.each<[points: string, needed: number, missing: string, ignore: string, breaching: string, not: string]>([
    ['0 - X - X', 3, 'OK', 'OK', 'OK', 'OK'],
    ['- - - - 0', 3, 'OK', 'OK', 'OK', 'OK'],
    ['- - - - -', 3, 'INSUFFICIENT_DATA', 'stays', 'ALARM', 'OK'],
    ['0 X X - X', 3, 'ALARM', 'ALARM', 'ALARM', 'ALARM'],
    ['- - X - -', 3, 'ALARM', 'stays', 'ALARM', 'OK'],
    ['- - - - X', 3, 'stays', 'stays', 'ALARM', 'OK'],
    ['0 - X - X', 2, 'ALARM', 'ALARM', 'ALARM', 'ALARM'],
    ['0 0 X 0 X', 2, 'ALARM', 'ALARM', 'ALARM', 'ALARM'],
    ['0 - X - -', 2, 'OK', 'OK', 'ALARM', 'OK'],
    ['- - - - 0', 2, 'OK', 'OK', 'ALARM', 'OK'],
    ['- - - X -', 2, 'ALARM', 'stays', 'ALARM', 'OK'],
    ['X X 0 0 0', 2, 'OK', 'OK', 'OK', 'OK'],
  ])('makes of %s, %i of them to alarm', (points, needed, missing, ignore, breaching, notBreaching) => {
    expect(
      ['missing', 'ignore', 'breaching', 'notBreaching'].map((treatment) =>
        verdict(points, needed, treatment),
      ),
    ).toEqual([missing, ignore, breaching, notBreaching]);
  });

  it('says why, as CloudWatch does', () => {
    const reason = (points: string, TreatMissingData: string) =>
      evaluate({ ...config, TreatMissingData }, rangeOf(points))?.reason;
    expect(reason('- - - - -', 'missing')).toBe('Insufficient Data: 3 datapoints were unknown.');
    expect(reason('- - - - -', 'breaching')).toBe(
      'Threshold Crossed: no datapoints were received for 3 periods and 3 missing datapoints were treated as [Breaching].',
    );
    expect(reason('0 0 0 0 X', 'missing')).toBe(
      'Threshold Crossed: 3 out of the last 3 datapoints [1.0 (01/01/70 00:00:00), 0.0 (31/12/69 23:59:50), 0.0 (31/12/69 23:59:40)] were not greater than or equal to the threshold (1.0).',
    );
  });
});
