// What EventBridge says of the rules of the template: their names by target, a rule, its targets.

import type { JsonObject } from '../aws-request.ts';
import type { RuleSpec, ScheduleSpec, TargetSpec } from '../stack.ts';

export class RuleError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

interface Rule {
  readonly name: string;
  readonly arn: string;
  readonly targets: readonly TargetSpec[];
  readonly about: JsonObject;
}

const toTarget = (target: TargetSpec, index: number): JsonObject => ({
  Id: `Target${index}`,
  Arn: target.arn,
  ...(target.input === undefined ? {} : { Input: target.input }),
  ...(target.deadLetterArn === undefined ? {} : { DeadLetterConfig: { Arn: target.deadLetterArn } }),
  RetryPolicy: {
    MaximumRetryAttempts: target.maximumRetryAttempts,
    MaximumEventAgeInSeconds: target.maximumEventAgeMs / 1_000,
  },
});

/** Undefined where the operation is none of these. A rule that the template disables is not there at all. */
export function makeRuleReads(given: { rules: RuleSpec[]; schedules: ScheduleSpec[] }) {
  const rules: readonly Rule[] = [
    ...given.rules.map(({ pattern, ...rule }) => ({
      ...rule,
      about: { EventPattern: JSON.stringify(pattern) },
    })),
    ...given.schedules.map(({ everyMs, ...rule }) => ({
      ...rule,
      name: rule.arn.slice(rule.arn.lastIndexOf('/') + 1),
      about: { ScheduleExpression: toRate(everyMs) },
    })),
  ];
  const named = (name: unknown): Rule => {
    const rule = rules.find((each) => each.name === name);
    if (rule === undefined)
      throw new RuleError(
        'ResourceNotFoundException',
        `Rule ${String(name)} does not exist on EventBus default.`,
      );
    return rule;
  };

  return (operation: string, input: JsonObject): JsonObject | undefined => {
    switch (operation) {
      case 'ListRuleNamesByTarget': {
        const hits = rules.filter((rule) => rule.targets.some((target) => target.arn === input['TargetArn']));
        return { RuleNames: hits.map(({ name }) => name) };
      }
      case 'DescribeRule': {
        const { name, arn, about } = named(input['Name']);
        return { Name: name, Arn: arn, State: 'ENABLED', EventBusName: 'default', ...about };
      }
      case 'ListTargetsByRule':
        return { Targets: named(input['Rule']).targets.map(toTarget) };
      default:
        return undefined;
    }
  };
}

function toRate(everyMs: number): string {
  const minutes = everyMs / 60_000;
  return `rate(${minutes} ${minutes === 1 ? 'minute' : 'minutes'})`;
}
