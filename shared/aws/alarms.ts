/** CloudWatch behind the port: the states of alarms, metric and composite. */
import { type CloudWatchClient, DescribeAlarmsCommand } from '@aws-sdk/client-cloudwatch';
import type { Alarms } from '../app/ports.ts';
import type { AlarmArn } from '../core/ids.ts';
import type { AlarmFact } from '../core/observation.ts';
import { type Retrying, reads, withRetries } from './retry.ts';

const nameIn = (arn: AlarmArn) => arn.slice(arn.indexOf(':alarm:') + ':alarm:'.length);
const maxNames = 100;

interface AlarmLike {
  readonly AlarmArn?: string | undefined;
  readonly StateValue?: string | undefined;
  readonly StateTransitionedTimestamp?: Date | undefined;
  readonly ActionsSuppressedBy?: string | undefined;
}

export const toAlarm = (from: AlarmLike): AlarmFact => ({
  arn: from.AlarmArn as AlarmArn,
  state: from.StateValue === 'OK' || from.StateValue === 'ALARM' ? from.StateValue : 'INSUFFICIENT_DATA',
  transitionedAtMs: from.StateTransitionedTimestamp?.getTime(),
  suppressedBy: from.ActionsSuppressedBy,
});

/** Alarms of other accounts or Regions are absent: DescribeAlarms answers for its own only. */
export function makeAlarms(client: Pick<CloudWatchClient, 'send'>, retrying: Retrying): Alarms {
  return {
    describe: (arns) =>
      withRetries(retrying, reads, async () => {
        const found: AlarmLike[] = [];
        for (let from = 0; from < arns.length; from += maxNames) {
          let NextToken: string | undefined;
          do {
            const page = await client.send(
              new DescribeAlarmsCommand({
                AlarmNames: arns.slice(from, from + maxNames).map(nameIn),
                // Without this, composite alarms are left out silently.
                AlarmTypes: ['MetricAlarm', 'CompositeAlarm'],
                MaxRecords: maxNames,
                ...(NextToken && { NextToken }),
              }),
            );
            found.push(...(page.MetricAlarms ?? []), ...(page.CompositeAlarms ?? []));
            NextToken = page.NextToken;
          } while (NextToken);
        }
        const wanted = new Set<string>(arns);
        return new Map(
          found.map(toAlarm).flatMap((each) => (wanted.has(each.arn) ? [[each.arn, each] as const] : [])),
        );
      }),
  };
}
