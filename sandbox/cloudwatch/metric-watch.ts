// Evaluates alarms on custom metrics as time passes, from the first data point that somebody puts.

import type { PutMetricDataInput } from '@aws-sdk/client-cloudwatch';
import type { SandboxClock } from '../clock.ts';
import type { Entry, MetricAlarmEntry } from './alarm.ts';
import type { StateValue } from './alarm-rule.ts';
import { makeMetricData, metricKey } from './metric-data.ts';
import { EXTRA_PERIODS, evaluate, evaluationStepMs, reasonDataOf } from './metric-evaluation.ts';
import { type WatchedMetric, watchedMetric } from './watched-metric.ts';

export interface MetricWatch {
  put(input: PutMetricDataInput): void;
  /** A metric of which nobody has put any data is not the sandbox's to judge: an alarm on it is set by hand. */
  begin(alarm: Entry): void;
}

export interface MetricWatchOptions {
  clock: SandboxClock;
  alarms(): Iterable<Entry>;
  changeState(alarm: MetricAlarmEntry, value: StateValue, reason: string, reasonData: string): void;
}

export function makeMetricWatch({ clock, alarms, changeState }: MetricWatchOptions): MetricWatch {
  const data = makeMetricData(() => clock.now());

  /** The last periods, newest first. They slide: the newest ends with the step of the clock, not with a full period. */
  const rangeOf = ({ config, fill }: WatchedMetric) => {
    const { Period: periodSec = 60, EvaluationPeriods: periods = 1, Statistic = 'Average', Unit } = config;
    const periodMs = periodSec * 1000;
    const stepMs = evaluationStepMs(periodSec);
    const endMs = Math.floor(clock.now() / stepMs) * stepMs;
    return Array.from({ length: periods + EXTRA_PERIODS }, (_, age) => {
      const atMs = endMs - (age + 1) * periodMs;
      const value = data.statistic(metricKey(config), Statistic, atMs, atMs + periodMs, Unit);
      return { atMs, value: value ?? fill };
    });
  };

  const evaluateNow = (alarm: MetricAlarmEntry, watched: WatchedMetric): void => {
    const range = rangeOf(watched);
    const found = evaluate(watched.config, range);
    if (found === undefined || found.value === alarm.state.value) return;
    changeState(alarm, found.value, found.reason, reasonDataOf(watched.config, range, clock.now()));
  };

  /** At every full step of the clock: what is missing is noticed by nothing else. */
  const evaluateRegularly = (alarm: MetricAlarmEntry, watched: WatchedMetric): void => {
    const stepMs = evaluationStepMs(watched.config.Period ?? 60);
    alarm.cancelPending = clock.after(stepMs - (clock.now() % stepMs), () => {
      evaluateRegularly(alarm, watched);
      evaluateNow(alarm, watched);
    });
  };

  const begin = (alarm: Entry): void => {
    if (alarm.kind !== 'metric' || alarm.isEvaluated) return;
    const watched = watchedMetric(alarm.config);
    if (watched === undefined || !data.has(metricKey(watched.config))) return;
    alarm.isEvaluated = true;
    evaluateRegularly(alarm, watched);
  };

  return {
    put: (input) => {
      data.put(input);
      for (const alarm of alarms()) begin(alarm);
    },
    begin,
  };
}
