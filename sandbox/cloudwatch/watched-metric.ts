// The one metric that an alarm watches, named at its top or among its metric queries, perhaps with what is missing filled in.

import type { PutMetricAlarmInput } from '@aws-sdk/client-cloudwatch';

export interface WatchedMetric {
  /** As if the alarm named the metric at its top. */
  readonly config: PutMetricAlarmInput;
  /** The value of a period without data, as `FILL` gives it. That it fills a range without any data is an assumption. */
  readonly fill?: number;
}

const FILL = /^FILL\(\s*(\w+)\s*,\s*(-?\d+(?:\.\d+)?)\s*\)$/i;

/** `undefined`: any other metric math, which the sandbox keeps and shows, and does not evaluate. */
export function watchedMetric(config: PutMetricAlarmInput): WatchedMetric | undefined {
  const { Metrics: queries, ...rest } = config;
  if (queries === undefined) return { config };
  const [query, ...otherMetrics] = queries.filter(({ MetricStat }) => MetricStat !== undefined);
  const [expression, ...otherExpressions] = queries.filter(({ Expression }) => Expression !== undefined);
  if (query?.MetricStat === undefined || otherMetrics.length > 0 || otherExpressions.length > 0)
    return undefined;
  const { Metric, Period, Stat, Unit } = query.MetricStat;
  const watched = { ...rest, ...Metric, Period, Statistic: Stat as PutMetricAlarmInput['Statistic'], Unit };
  if (expression === undefined) return { config: watched };
  const [, filled, value] = FILL.exec(expression.Expression?.trim() ?? '') ?? [];
  return filled === query.Id && value !== undefined ? { config: watched, fill: Number(value) } : undefined;
}
