/** The second way to functions/failover, past the queue. In a file of its own: only the sweep loads Lambda's client. */
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import type { WorkQueue } from '../app/ports.ts';
import { times } from '../core/times.ts';
import { timed } from './clients.ts';
import { type Retrying, withRetries, writes } from './retry.ts';

export function makeLambdaClient(endpoint?: string): LambdaClient {
  return new LambdaClient({ ...timed(times.messageTimeoutMs), ...(endpoint && { endpoint }) });
}

/**
 * A work queue that does not depend on SQS alone: what it refuses goes to functions/failover directly, in the
 * shape in which the queue would have delivered it (P37). The delay is lost then; a look too early is harmless.
 */
export function withDirectInvocation(
  queue: WorkQueue,
  client: Pick<LambdaClient, 'send'>,
  functionName: string,
  retrying: Retrying,
): WorkQueue {
  return {
    async send(message, delayMs) {
      try {
        await queue.send(message, delayMs);
      } catch {
        const record = {
          messageId: `direct-${message.service}-${retrying.clock.now()}`,
          eventSource: 'aws:sqs',
          body: JSON.stringify(message),
        };
        await withRetries(retrying, writes, () =>
          client.send(
            new InvokeCommand({
              FunctionName: functionName,
              InvocationType: 'Event',
              Payload: Buffer.from(JSON.stringify({ Records: [record] })),
            }),
          ),
        );
      }
    },
  };
}
