// Checks what a caller asks of an alarm, and refuses what the sandbox cannot do rather than ignore it.

import type { PutCompositeAlarmInput, PutMetricAlarmInput } from '@aws-sdk/client-cloudwatch';
import { type Actions, allActions } from './alarm.ts';
import { type AlarmRule, AlarmRuleError, parseAlarmRule } from './alarm-rule.ts';
import { BREACHES, CHECKS_OF_METRIC } from './status-check-metrics.ts';

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
  if (instanceMetricWithUnknownOperator(input)) {
    throw new CloudWatchError(
      'ValidationError',
      `The sandbox does not know ComparisonOperator '${input.ComparisonOperator}' on a status check`,
    );
  }
  requireKnownActions(input);
  return input.AlarmName ?? '';
}

export function instanceMetricWithUnknownOperator({
  Namespace,
  MetricName = '',
  ComparisonOperator,
}: PutMetricAlarmInput): boolean {
  return (
    Namespace === 'AWS/EC2' &&
    CHECKS_OF_METRIC[MetricName] !== undefined &&
    BREACHES[ComparisonOperator ?? ''] === undefined
  );
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
