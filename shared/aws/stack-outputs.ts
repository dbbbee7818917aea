/** What a deployed stack says of itself: its outputs, by which everything of it is found. Only the CLI asks. */
import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import type { StackFact, Stacks } from '../app/ports.ts';
import { messageOf } from '../core/errors.ts';
import { times } from '../core/times.ts';
import { timed } from './clients.ts';
import { codeOf, type Retrying, reads, withRetries } from './retry.ts';

export function makeCloudFormationClient(endpoint?: string): CloudFormationClient {
  return new CloudFormationClient({ ...timed(times.ec2TimeoutMs), ...(endpoint && { endpoint }) });
}

/** CloudFormation has no code of its own for a stack that is not there. */
const isAbsent = (error: unknown) =>
  codeOf(error) === 'ValidationError' && /does not exist/.test(messageOf(error));

export function makeStacks(client: Pick<CloudFormationClient, 'send'>, retrying: Retrying): Stacks {
  return {
    async find(name) {
      const { value } = await withRetries(retrying, reads, async (): Promise<StackFact | undefined> => {
        try {
          const { Stacks = [] } = await client.send(new DescribeStacksCommand({ StackName: name }));
          const [stack] = Stacks;
          if (!stack) return undefined;
          const outputs = (stack.Outputs ?? []).map(({ OutputKey, OutputValue }) => [OutputKey, OutputValue]);
          return {
            name: stack.StackName ?? name,
            status: stack.StackStatus ?? 'unknown',
            outputs: Object.fromEntries(outputs) as Record<string, string>,
          };
        } catch (error) {
          if (isAbsent(error)) return undefined;
          throw error;
        }
      });
      return value;
    },
  };
}
