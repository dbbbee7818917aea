/** A queue that subscribes to the notices as any team's would, and what it receives. */
import type { AwsEndpoint } from './aws-endpoint.ts';
import { textAt } from './xml.ts';

/** What SNS puts into a queue. */
export interface Delivered {
  readonly Timestamp: string;
  readonly Subject?: string;
  readonly Message: string;
  readonly MessageAttributes?: Readonly<Record<string, { readonly Value: string }>>;
}

/** A notice as a queue gets it: the text that people get by mail, and the facts around it. */
export function told({ Message }: Delivered): { readonly text: string; readonly facts: object } {
  const { text, ...facts } = JSON.parse(Message) as { readonly text: string };
  return { text, facts };
}

export interface Subscriber {
  /** Takes what has arrived since the last time. */
  receive(): Promise<readonly Delivered[]>;
}

export async function subscribe(aws: AwsEndpoint, topicArn: string): Promise<Subscriber> {
  const { QueueUrl } = (await aws.sqs('CreateQueue', { QueueName: 'on-call' })) as { QueueUrl: string };
  const { Attributes } = (await aws.sqs('GetQueueAttributes', {
    QueueUrl,
    AttributeNames: ['QueueArn'],
  })) as { Attributes: { QueueArn: string } };
  const answer = await aws.sns('Subscribe', {
    TopicArn: topicArn,
    Protocol: 'sqs',
    Endpoint: Attributes.QueueArn,
  });
  if (textAt(answer, 'SubscribeResult/SubscriptionArn') === '') throw new Error('SNS took no subscription');
  return {
    async receive() {
      const received: Delivered[] = [];
      for (;;) {
        const page = (await aws.sqs('ReceiveMessage', { QueueUrl, MaxNumberOfMessages: 10 })) as {
          Messages?: readonly { Body: string; ReceiptHandle: string }[];
        };
        const messages = page.Messages ?? [];
        if (messages.length === 0) return received;
        for (const { Body, ReceiptHandle } of messages) {
          received.push(JSON.parse(Body) as Delivered);
          await aws.sqs('DeleteMessage', { QueueUrl, ReceiptHandle });
        }
      }
    },
  };
}
