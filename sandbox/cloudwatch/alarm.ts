// An alarm as the sandbox keeps it, and the shapes in which CloudWatch shows it: in answers, in events and in reasons.

import type {
  CompositeAlarm,
  MetricAlarm,
  PutCompositeAlarmInput,
  PutMetricAlarmInput,
} from '@aws-sdk/client-cloudwatch';
import type { JsonObject } from '../aws-request.ts';
import type { AlarmRule, StateValue } from './alarm-rule.ts';
import { BREACHES } from './status-check-metrics.ts';

export interface State {
  value: StateValue;
  reason: string;
  reasonData?: string;
  updatedAtMs: number;
  transitionedAtMs: number;
}

export interface Suppression {
  by: 'Alarm' | 'WaitPeriod' | 'ExtensionPeriod';
  cancel(): void;
}

export interface Actions {
  ActionsEnabled?: boolean | undefined;
  AlarmActions?: string[] | undefined;
  OKActions?: string[] | undefined;
  InsufficientDataActions?: string[] | undefined;
  AlarmDescription?: string | undefined;
}

export interface MetricAlarmEntry {
  kind: 'metric';
  name: string;
  arn: string;
  config: PutMetricAlarmInput;
  /** Of the metric in the event; CloudWatch gives it one where the user did not. */
  metricId: string;
  configuredAtMs: number;
  state: State;
  cancelPending: () => void;
  /** Whether it follows data points that somebody put. */
  isEvaluated: boolean;
}

export interface CompositeAlarmEntry {
  kind: 'composite';
  name: string;
  arn: string;
  config: PutCompositeAlarmInput;
  rule: AlarmRule;
  configuredAtMs: number;
  state: State;
  suppression?: Suppression | undefined;
}

export type Entry = MetricAlarmEntry | CompositeAlarmEntry;

export function toMetricAlarm(alarm: MetricAlarmEntry): MetricAlarm {
  const { Tags: _, ...config } = alarm.config;
  return { ...config, ...toDescribedState(alarm) };
}

export function toCompositeAlarm(alarm: CompositeAlarmEntry): CompositeAlarm {
  const { Tags: _, ...config } = alarm.config;
  const { actionsSuppressedBy: ActionsSuppressedBy, actionsSuppressedReason: ActionsSuppressedReason } =
    suppressionOf(alarm);
  return { ...config, ...toDescribedState(alarm), ActionsSuppressedBy, ActionsSuppressedReason };
}

export function toDescribedState({ arn, config, configuredAtMs, state }: Entry) {
  return {
    AlarmArn: arn,
    ActionsEnabled: config.ActionsEnabled ?? true,
    OKActions: config.OKActions ?? [],
    AlarmActions: config.AlarmActions ?? [],
    InsufficientDataActions: config.InsufficientDataActions ?? [],
    AlarmConfigurationUpdatedTimestamp: new Date(configuredAtMs),
    StateValue: state.value,
    StateReason: state.reason,
    StateReasonData: state.reasonData,
    StateUpdatedTimestamp: new Date(state.updatedAtMs),
    StateTransitionedTimestamp: new Date(state.transitionedAtMs),
  };
}

export function toEventState(state: State): JsonObject {
  return {
    reason: state.reason,
    ...(state.reasonData === undefined ? {} : { reasonData: state.reasonData }),
    timestamp: toTimestamp(state.updatedAtMs),
    value: state.value,
  };
}

export function suppressionOf(alarm: Entry): {
  actionsSuppressedBy?: Suppression['by'];
  actionsSuppressedReason?: string;
} {
  if (alarm.kind !== 'composite' || alarm.suppression === undefined) return {};
  const { by } = alarm.suppression;
  return { actionsSuppressedBy: by, actionsSuppressedReason: `Actions suppressed by ${by}` };
}

export function toConfiguration(alarm: Entry): JsonObject {
  const { AlarmDescription: description } = alarm.config;
  const common = description === undefined ? {} : { description };
  if (alarm.kind === 'composite') {
    const { AlarmRule, ActionsSuppressor, ActionsSuppressorWaitPeriod, ActionsSuppressorExtensionPeriod } =
      alarm.config;
    return {
      ...common,
      alarmRule: AlarmRule,
      ...(ActionsSuppressor === undefined
        ? {}
        : {
            actionsSuppressor: ActionsSuppressor,
            actionsSuppressorWaitPeriod: ActionsSuppressorWaitPeriod,
            actionsSuppressorExtensionPeriod: ActionsSuppressorExtensionPeriod,
          }),
    };
  }
  const { config, metricId } = alarm;
  const queries = config.Metrics ?? [
    {
      Id: metricId,
      MetricStat: {
        Metric: { Namespace: config.Namespace, MetricName: config.MetricName, Dimensions: config.Dimensions },
        Period: config.Period,
        Stat: config.Statistic ?? config.ExtendedStatistic,
      },
    },
  ];
  return {
    ...common,
    metrics: queries.map(({ Id, Expression, Label, MetricStat, ReturnData }) => ({
      id: Id,
      ...(Expression === undefined ? {} : { expression: Expression }),
      ...(Label === undefined ? {} : { label: Label }),
      ...(MetricStat === undefined
        ? {}
        : {
            metricStat: {
              metric: {
                dimensions: Object.fromEntries(
                  (MetricStat.Metric?.Dimensions ?? []).map(({ Name, Value }) => [Name, Value]),
                ),
                name: MetricStat.Metric?.MetricName,
                namespace: MetricStat.Metric?.Namespace,
              },
              period: MetricStat.Period,
              stat: MetricStat.Stat,
            },
          }),
      returnData: ReturnData ?? true,
    })),
  };
}

export function toReason(
  config: PutMetricAlarmInput,
  value: StateValue,
  datapoint: number | undefined,
  nowMs: number,
) {
  const { Threshold: threshold = 0, Period: periodSec = 60, EvaluationPeriods: periods = 1 } = config;
  const words = BREACHES[config.ComparisonOperator ?? '']?.words ?? '';
  const lastMs = Math.floor(nowMs / (periodSec * 1000) - 1) * periodSec * 1000;
  const recent = datapoint === undefined ? [] : Array<number>(periods).fill(datapoint);
  const points = recent.map(
    (point, index) => `${point.toFixed(1)} (${toShortDate(lastMs - index * periodSec * 1000)})`,
  );
  const verb = `${periods === 1 ? 'was' : 'were'}${value === 'OK' ? ' not' : ''}`;
  const reason =
    datapoint === undefined
      ? `Insufficient Data: ${periods} ${periods === 1 ? 'datapoint was' : 'datapoints were'} unknown.`
      : `Threshold Crossed: ${periods} out of the last ${periods} datapoints [${points.join(', ')}] ${verb} ${words} the threshold (${threshold.toFixed(1)}).`;
  const data = {
    version: '1.0',
    queryDate: toTimestamp(nowMs),
    ...(datapoint === undefined ? {} : { startDate: toTimestamp(lastMs - (periods - 1) * periodSec * 1000) }),
    statistic: config.Statistic,
    period: periodSec,
    recentDatapoints: recent,
    threshold,
  };
  return { reason, data };
}

/** `2026-11-20T02:00:40.989+0000`, as CloudWatch writes it in events. */
export function toTimestamp(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '+0000');
}

/** `20/11/26 01:59:00`. */
export function toShortDate(ms: number): string {
  const [date = '', time = ''] = new Date(ms).toISOString().split('T');
  return `${date.slice(2).split('-').reverse().join('/')} ${time.slice(0, 8)}`;
}

/** `Friday 20 November, 2026 02:00:40 UTC`. */
export function toWords(ms: number): string {
  const date = new Date(ms);
  const part = (format: Intl.DateTimeFormatOptions) =>
    date.toLocaleDateString('en-US', { ...format, timeZone: 'UTC' });
  return `${part({ weekday: 'long' })} ${date.getUTCDate()} ${part({ month: 'long' })}, ${date.getUTCFullYear()} ${date.toISOString().slice(11, 19)} UTC`;
}

export function actionsFor(config: Actions, value: StateValue): string[] {
  switch (value) {
    case 'ALARM':
      return config.AlarmActions ?? [];
    case 'OK':
      return config.OKActions ?? [];
    case 'INSUFFICIENT_DATA':
      return config.InsufficientDataActions ?? [];
  }
}

export function allActions(config: Actions): string[] {
  return [
    ...(config.AlarmActions ?? []),
    ...(config.OKActions ?? []),
    ...(config.InsufficientDataActions ?? []),
  ];
}
