// Checks what a caller asks of an alarm, and refuses what the sandbox cannot do rather than ignore it.

import type { PutCompositeAlarmInput, PutMetricAlarmInput } from '@aws-sdk/client-cloudwatch';
import { type Actions, allActions } from './alarm.ts';
import { type AlarmRule, AlarmRuleError, parseAlarmRule } from './alarm-rule.ts';
import { BREACHES } from './status-check-metrics.ts';
import { watchedMetric } from './watched-metric.ts';

export class CloudWatchError extends Error {
  readonly code: string;
  readonly status: number;
  constructor(code: string, message: string, status = 400) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

export function requireMetricAlarm(input: PutMetricAlarmInput): string {
  const required: (keyof PutMetricAlarmInput)[] = ['AlarmName', 'EvaluationPeriods', 'ComparisonOperator'];
  if (input.Metrics === undefined) required.push('MetricName', 'Namespace', 'Period', 'Threshold');
  const missing = required.find((name) => input[name] === undefined);
  if (missing !== undefined)
    throw new CloudWatchError('ValidationError', `The parameter ${missing} is mandatory`);
  if (input.Metrics !== undefined && input.MetricName !== undefined) {
    throw new CloudWatchError('ValidationError', 'Metrics and MetricName exclude each other');
  }
  const watched = watchedMetric(input);
  if (watched !== undefined) requireKnownEvaluation(watched.config);
  requireKnownActions(input);
  return input.AlarmName ?? '';
}

const STATISTICS: readonly (string | undefined)[] = ['Average', 'Sum', 'Minimum', 'Maximum', 'SampleCount'];
const TREATMENTS: readonly (string | undefined)[] = [
  'missing',
  'breaching',
  'notBreaching',
  'ignore',
  undefined,
];
const HIGH_RESOLUTION_SEC = [10, 20, 30];
const LONGEST_SEC = { ofShortPeriods: 86_400, ofHours: 604_800 };

function requireKnownEvaluation(input: PutMetricAlarmInput): void {
  const refuse = (message: string): never => {
    throw new CloudWatchError('ValidationError', message);
  };
  const { ComparisonOperator, Statistic, ExtendedStatistic, TreatMissingData } = input;
  if (BREACHES[ComparisonOperator ?? ''] === undefined) {
    refuse(`The sandbox does not know ComparisonOperator '${ComparisonOperator}'`);
  }
  if (ExtendedStatistic !== undefined) refuse(`The sandbox knows no percentiles: '${ExtendedStatistic}'`);
  if (!STATISTICS.includes(Statistic))
    refuse(`Statistic: '${Statistic}' is none of ${STATISTICS.join(', ')}`);
  if (!TREATMENTS.includes(TreatMissingData)) refuse(`TreatMissingData: '${TreatMissingData}'`);
  const {
    Period: periodSec = 0,
    EvaluationPeriods: periods = 0,
    DatapointsToAlarm: needed = periods,
  } = input;
  if (!HIGH_RESOLUTION_SEC.includes(periodSec) && !(periodSec > 0 && periodSec % 60 === 0)) {
    refuse(`Period: ${periodSec} is not 10, 20, 30 or a multiple of 60`);
  }
  if (!Number.isInteger(periods) || periods < 1) refuse(`EvaluationPeriods: ${periods} is not 1 or more`);
  if (!(needed >= 1 && needed <= periods)) refuse(`DatapointsToAlarm: ${needed} is not from 1 to ${periods}`);
  const longestSec = periodSec < 3600 ? LONGEST_SEC.ofShortPeriods : LONGEST_SEC.ofHours;
  if (periods * periodSec > longestSec) {
    refuse(`EvaluationPeriods times Period: at most ${longestSec} seconds`);
  }
}

export function requireCompositeAlarm(input: PutCompositeAlarmInput): string {
  if (input.AlarmName === undefined || input.AlarmRule === undefined) {
    throw new CloudWatchError('ValidationError', 'AlarmName and AlarmRule are mandatory');
  }
  const periods = [input.ActionsSuppressorWaitPeriod, input.ActionsSuppressorExtensionPeriod];
  if (input.ActionsSuppressor !== undefined && periods.includes(undefined)) {
    throw new CloudWatchError(
      'ValidationError',
      'ActionsSuppressor takes ActionsSuppressorWaitPeriod and ActionsSuppressorExtensionPeriod',
    );
  }
  requireKnownActions(input);
  return input.AlarmName;
}

export function requireKnownActions(config: Actions): void {
  const unknown = allActions(config).find((action) => !/^arn:aws:(sns|lambda):/.test(action));
  if (unknown !== undefined) {
    throw new CloudWatchError(
      'ValidationError',
      `The sandbox runs SNS and Lambda actions only, not ${unknown}`,
    );
  }
}

export function parseRule(text: string): AlarmRule {
  try {
    return parseAlarmRule(text);
  } catch (error) {
    if (error instanceof AlarmRuleError) throw new CloudWatchError('ValidationError', error.message);
    throw error;
  }
}

export function readToken(token: string): string {
  const name = Buffer.from(token, 'base64').toString();
  if (Buffer.from(name).toString('base64') !== token)
    throw new CloudWatchError('InvalidNextToken', 'The next token is invalid');
  return name;
}
