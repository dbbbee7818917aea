/** The work queue (SQS) and the notices (SNS) behind their ports. */
import { PublishCommand, type SNSClient } from '@aws-sdk/client-sns';
import { SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { Notifier, WorkQueue } from '../app/ports.ts';
import { placeOf } from '../core/console-links.ts';
import { toMessage, toPublication } from '../core/notice.ts';
import { type Retrying, withRetries, writes } from './retry.ts';

/** SQS delays whole seconds, at most 15 minutes; the rest is cut off, for a look too early is harmless. */
const toDelaySeconds = (delayMs: number) => Math.min(900, Math.max(0, Math.ceil(delayMs / 1_000)));

export function makeWorkQueue(
  client: Pick<SQSClient, 'send'>,
  queueUrl: string,
  retrying: Retrying,
): WorkQueue {
  return {
    async send(message, delayMs) {
      await withRetries(retrying, writes, () =>
        client.send(
          new SendMessageCommand({
            QueueUrl: queueUrl,
            MessageBody: JSON.stringify(message),
            DelaySeconds: toDelaySeconds(delayMs),
          }),
        ),
      );
    },
  };
}

export function makeNotifier(
  client: Pick<SNSClient, 'send'>,
  topicArn: string,
  retrying: Retrying,
): Notifier {
  const place = placeOf(topicArn);
  return {
    async publish(entry) {
      const publication = toPublication(entry, place);
      await withRetries(retrying, writes, () =>
        client.send(
          new PublishCommand({
            TopicArn: topicArn,
            Subject: publication.subject,
            MessageStructure: 'json',
            Message: toMessage(publication),
            MessageAttributes: Object.fromEntries(
              Object.entries(publication.attributes).map(([name, value]) => [
                name,
                { DataType: 'String', StringValue: value },
              ]),
            ),
          }),
        ),
      );
    },
  };
}
