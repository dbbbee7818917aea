// What an alarm on a custom metric makes of its data points, missing ones included: the rules of CloudWatch's guide.

import type { PutMetricAlarmInput } from '@aws-sdk/client-cloudwatch';
import { toShortDate, toTimestamp } from './alarm.ts';
import type { StateValue } from './alarm-rule.ts';
import { BREACHES } from './status-check-metrics.ts';

/** A period's value; undefined where there is no data. Newest first. */
export interface Datapoint {
  readonly atMs: number;
  readonly value: number | undefined;
}

/**
 * CloudWatch looks at more periods than an alarm evaluates, so that data which comes late does not change its state.
 * How many more is not documented: the guide's examples show five periods for an alarm that evaluates three.
 */
export const EXTRA_PERIODS = 2;

/** How often an alarm is evaluated: every ten seconds with a period below a minute, every minute otherwise. */
export function evaluationStepMs(periodSec: number): number {
  return periodSec < 60 ? 10_000 : 60_000;
}

/** `undefined`: the state stays. */
export function evaluate(
  config: PutMetricAlarmInput,
  range: readonly Datapoint[],
): { value: StateValue; reason: string; filled: number } | undefined {
  const { EvaluationPeriods: periods = 1, Threshold: threshold = 0 } = config;
  const { DatapointsToAlarm: needed = periods, TreatMissingData: treatment = 'missing' } = config;
  const isBreaching = (value: number) => BREACHES[config.ComparisonOperator ?? '']?.holds(value, threshold);
  const known = range.flatMap(({ atMs, value }, age) => (value === undefined ? [] : [{ atMs, value, age }]));
  const evaluated = known.slice(0, periods);
  const breaching = evaluated.filter(({ value }) => isBreaching(value));
  const filled = periods - evaluated.length;
  const told = (value: StateValue) => ({ value, filled, reason: reasonOf(config, value, evaluated, filled) });

  if (known.length === 0 && treatment === 'missing') return told('INSUFFICIENT_DATA');
  if (breaching.length + (treatment === 'breaching' ? filled : 0) >= needed) return told('ALARM');
  if (filled === 0 || treatment === 'breaching' || treatment === 'notBreaching') return told('OK');
  // Nothing but breaches, the oldest of them old enough: what is missing since does not count for health.
  const oldest = evaluated.at(-1);
  const onlyBreaches = oldest !== undefined && breaching.length === evaluated.length;
  if (onlyBreaches) return treatment === 'missing' && oldest.age + 1 >= needed ? told('ALARM') : undefined;
  return evaluated.length > 0 ? told('OK') : undefined;
}

const plural = (count: number, word: string) => `${count} ${word}${count === 1 ? '' : 's'}`;

function reasonOf(
  config: PutMetricAlarmInput,
  value: StateValue,
  evaluated: readonly { readonly atMs: number; readonly value: number }[],
  filled: number,
): string {
  const { EvaluationPeriods: periods = 1, Threshold: threshold = 0, TreatMissingData: treatment } = config;
  const was = (count: number) => (count === 1 ? 'was' : 'were');
  if (value === 'INSUFFICIENT_DATA') {
    return `Insufficient Data: ${plural(periods, 'datapoint')} ${was(periods)} unknown.`;
  }
  const treatedAs = treatment === 'breaching' ? 'Breaching' : 'NonBreaching';
  const missing = `${plural(filled, 'missing datapoint')} ${was(filled)} treated as [${treatedAs}]`;
  if (evaluated.length === 0) {
    return `Threshold Crossed: no datapoints were received for ${plural(filled, 'period')} and ${missing}.`;
  }
  const words = BREACHES[config.ComparisonOperator ?? '']?.words ?? '';
  const points = evaluated.map((point) => `${point.value.toFixed(1)} (${toShortDate(point.atMs)})`);
  const verb = `${was(points.length)}${value === 'OK' ? ' not' : ''}`;
  return `Threshold Crossed: ${points.length} out of the last ${periods} datapoints [${points.join(', ')}] ${verb} ${words} the threshold (${threshold.toFixed(1)}).`;
}

/** The reason's machine-readable half, as it goes into the event. */
export function reasonDataOf(
  config: PutMetricAlarmInput,
  range: readonly Datapoint[],
  nowMs: number,
): string {
  const { EvaluationPeriods: periods = 1 } = config;
  const recent = range.filter(({ value }) => value !== undefined).slice(0, periods);
  const startMs = recent.at(-1)?.atMs;
  return JSON.stringify({
    version: '1.0',
    queryDate: toTimestamp(nowMs),
    ...(startMs === undefined ? {} : { startDate: toTimestamp(startMs) }),
    statistic: config.Statistic,
    period: config.Period,
    recentDatapoints: recent.map(({ value }) => value).reverse(),
    threshold: config.Threshold,
  });
}
