// The data points of custom metrics: what PutMetricData accepts, and what a period of them comes to.

import type {
  Dimension,
  MetricDatum,
  PutMetricAlarmInput,
  PutMetricDataInput,
} from '@aws-sdk/client-cloudwatch';
import { CloudWatchError } from './alarm-input.ts';

export type MetricName = Pick<PutMetricAlarmInput, 'Namespace' | 'MetricName' | 'Dimensions'>;

export type Statistic = 'Average' | 'Sum' | 'Minimum' | 'Maximum' | 'SampleCount';

interface Values {
  readonly count: number;
  readonly sum: number;
  readonly minimum: number;
  readonly maximum: number;
}

interface Point extends Values {
  readonly atMs: number;
  readonly unit: string;
}

export interface MetricData {
  /** All of it or, with a `CloudWatchError`, nothing. */
  put(input: PutMetricDataInput): void;
  has(key: string): boolean;
  /** Of the samples from `fromMs` until before `toMs`; undefined where there are none. */
  statistic(
    key: string,
    statistic: Statistic,
    fromMs: number,
    toMs: number,
    unit: string | undefined,
  ): number | undefined;
}

const MAX_DATA = 1000;
/** As long as the longest that an alarm may look back. */
const KEPT_MS = 7 * 86_400_000;
const OLDEST_MS = 14 * 86_400_000;
const NEWEST_MS = 2 * 3_600_000;

/** One metric: a namespace, a name and a set of dimensions, in whatever order. */
export function metricKey({ Namespace, MetricName, Dimensions = [] }: MetricName): string {
  const dimensions = Dimensions.map(({ Name, Value }: Dimension) => `${Name}=${Value}`).sort();
  return JSON.stringify([Namespace, MetricName, dimensions]);
}

export function makeMetricData(nowMs: () => number): MetricData {
  const series = new Map<string, Point[]>();

  return {
    put({ Namespace, MetricData = [], EntityMetricData }) {
      if (EntityMetricData !== undefined) throw invalid('The sandbox does not know EntityMetricData');
      if (Namespace === undefined || Namespace === '') throw missing('Namespace');
      if (Namespace.startsWith('AWS/')) {
        throw invalid(`The value ${Namespace} for parameter Namespace is invalid: it is reserved.`);
      }
      if (MetricData.length === 0) throw missing('MetricData');
      if (MetricData.length > MAX_DATA) throw invalid(`MetricData: at most ${MAX_DATA} in one call`);
      const now = nowMs();
      const points = MetricData.map((datum) => {
        if (datum.MetricName === undefined) throw missing('MetricData.member.MetricName');
        return { key: metricKey({ ...datum, Namespace }), point: toPoint(datum, now) };
      });
      for (const { key, point } of points) {
        const kept = (series.get(key) ?? []).filter(({ atMs }) => atMs > now - KEPT_MS);
        series.set(key, [...kept, point]);
      }
    },

    has: (key) => series.has(key),

    statistic(key, statistic, fromMs, toMs, unit) {
      const points = (series.get(key) ?? []).filter(
        (point) => point.atMs >= fromMs && point.atMs < toMs && (unit === undefined || point.unit === unit),
      );
      return points.length === 0 ? undefined : STATISTICS[statistic](points.reduce(together));
    },
  };
}

const STATISTICS: Record<Statistic, (values: Values) => number> = {
  Average: ({ sum, count }) => sum / count,
  Sum: ({ sum }) => sum,
  Minimum: ({ minimum }) => minimum,
  Maximum: ({ maximum }) => maximum,
  SampleCount: ({ count }) => count,
};

const invalid = (message: string) => new CloudWatchError('InvalidParameterValue', message);
const missing = (name: string) =>
  new CloudWatchError('MissingParameter', `The parameter ${name} is required.`);

function together<T extends Values>(one: T, other: T): T {
  return {
    ...one,
    count: one.count + other.count,
    sum: one.sum + other.sum,
    minimum: Math.min(one.minimum, other.minimum),
    maximum: Math.max(one.maximum, other.maximum),
  };
}

function toPoint(datum: MetricDatum, nowMs: number): Point {
  const { StorageResolution: resolutionSec = 60, Timestamp, Unit: unit = 'None' } = datum;
  if (resolutionSec !== 1 && resolutionSec !== 60) throw invalid('StorageResolution: is 1 or 60');
  const atMs = Timestamp?.getTime() ?? nowMs;
  if (!(atMs > nowMs - OLDEST_MS && atMs < nowMs + NEWEST_MS)) {
    throw invalid('Timestamp: from two weeks ago to two hours ahead');
  }
  const values = toValues(datum);
  if (!Object.values(values).every(Number.isFinite)) throw invalid(`${datum.MetricName}: is not a number`);
  // What is not put in high resolution is stored by the minute.
  return { ...values, unit, atMs: Math.floor(atMs / (resolutionSec * 1000)) * resolutionSec * 1000 };
}

function toValues({ MetricName: name, Value, Values, Counts, StatisticValues }: MetricDatum): Values {
  const given = [Value, Values, StatisticValues].filter((one) => one !== undefined);
  if (given.length !== 1) throw invalid(`${name}: takes one of Value, Values and StatisticValues`);
  if (StatisticValues !== undefined) {
    const { SampleCount = NaN, Sum = NaN, Minimum = NaN, Maximum = NaN } = StatisticValues;
    return { count: SampleCount, sum: Sum, minimum: Minimum, maximum: Maximum };
  }
  const values = Values ?? (Value === undefined ? [] : [Value]);
  if (values.length === 0) throw invalid(`${name}: Values is empty`);
  if (Counts !== undefined && Counts.length !== values.length) {
    throw invalid(`${name}: as many Counts as Values`);
  }
  return values
    .map((value, index) => ({ value, count: Counts?.[index] ?? 1 }))
    .map(({ value, count }) => ({ count, sum: value * count, minimum: value, maximum: value }))
    .reduce(together);
}
