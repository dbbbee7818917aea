/** The SDK clients, made once per process, with explicit timeouts and without retries of their own. */
import { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { EC2Client } from '@aws-sdk/client-ec2';
import { SNSClient } from '@aws-sdk/client-sns';
import { SQSClient } from '@aws-sdk/client-sqs';
import { times } from '../core/times.ts';

export interface Clients {
  readonly ec2: EC2Client;
  readonly dynamodb: DynamoDBClient;
  readonly cloudwatch: CloudWatchClient;
  readonly sns: SNSClient;
  readonly sqs: SQSClient;
}

/** `maxAttempts: 1`: the retry layer is shared/aws/retry.ts, with a clock that tests can turn. */
export const timed = (timeoutMs: number) => ({
  maxAttempts: 1,
  requestHandler: {
    connectionTimeout: Math.min(timeoutMs, 1_000),
    requestTimeout: timeoutMs,
    // The one above ends with the status line: this one ends an answer that stops in its middle.
    socketTimeout: timeoutMs,
    // Without it the SDK only warns and waits on.
    throwOnRequestTimeout: true,
  },
});

/** For who reads and writes the table and calls nothing else: the other clients stay out of its bundle. */
export const makeTableClient = (endpoint?: string): DynamoDBClient =>
  new DynamoDBClient({ ...timed(times.tableTimeoutMs), ...(endpoint && { endpoint }) });

/** Region, credentials and endpoint come from where every AWS tool takes them; `endpoint` overrules. */
export function makeClients(endpoint?: string): Clients {
  const at = { ...(endpoint && { endpoint }) };
  return {
    ec2: new EC2Client({ ...timed(times.ec2TimeoutMs), ...at }),
    dynamodb: makeTableClient(endpoint),
    cloudwatch: new CloudWatchClient({ ...timed(times.ec2TimeoutMs), ...at }),
    sns: new SNSClient({ ...timed(times.messageTimeoutMs), ...at }),
    sqs: new SQSClient({ ...timed(times.messageTimeoutMs), ...at }),
  };
}
