// An SQS event source: polls the queue, invokes the function, deletes what succeeded and leaves the rest to the queue's own redrive.

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Messaging } from '../messaging.ts';
import type { EventSourceSpec } from '../stack.ts';
import type { FunctionPool } from './function-pool.ts';

interface SqsMessage {
  MessageId: string;
  ReceiptHandle: string;
  Body: string;
  MD5OfBody: string;
  Attributes?: Record<string, string>;
  MessageAttributes?: Record<string, { DataType: string; StringValue?: string; BinaryValue?: string }>;
}

const LONG_POLL_SEC = 20;
const BUSY_PAUSE_MS = 20;

export interface EventSource {
  close(): Promise<void>;
}

export function startEventSource(
  spec: EventSourceSpec,
  pool: FunctionPool,
  messaging: Messaging,
  onProblem: (message: string) => void,
): EventSource {
  const QueueUrl = messaging.queueUrl(spec.queueArn);
  const region = spec.queueArn.split(':')[3] ?? '';
  const underWay = new Set<Promise<void>>();
  let closed = false;

  const deliver = async (messages: SqsMessage[]): Promise<void> => {
    const records = messages.map((message) => toRecord(message, spec.queueArn, region));
    const answer = await pool.invoke({
      requestId: randomUUID(),
      payload: JSON.stringify({ Records: records }),
      attempt: Number(messages[0]?.Attributes?.['ApproximateReceiveCount'] ?? 1),
      trigger: 'SQS',
    });
    if (closed || answer.kind === 'throttled' || answer.outcome.kind !== 'success') return;
    const failed = spec.reportsBatchItemFailures ? failedItems(answer.outcome.payload) : [];
    for (const { MessageId, ReceiptHandle } of messages) {
      if (!failed.includes(MessageId)) await messaging.sqs('DeleteMessage', { QueueUrl, ReceiptHandle });
    }
  };

  const poll = async (): Promise<void> => {
    while (!closed) {
      if (underWay.size >= spec.maximumConcurrency) {
        await sleep(BUSY_PAUSE_MS);
        continue;
      }
      const { Messages = [] } = (await messaging.sqs('ReceiveMessage', {
        QueueUrl,
        MaxNumberOfMessages: Math.min(spec.batchSize, 10),
        WaitTimeSeconds: LONG_POLL_SEC,
        MessageSystemAttributeNames: ['All'],
        MessageAttributeNames: ['All'],
      })) as { Messages?: SqsMessage[] };
      if (closed || Messages.length === 0) continue;
      const delivery: Promise<void> = deliver(Messages)
        .catch((error: unknown) => onProblem(String(error)))
        .finally(() => underWay.delete(delivery));
      underWay.add(delivery);
    }
  };

  const polling = poll().catch((error: unknown) => {
    if (!closed) onProblem(`event source ${spec.queueArn}: ${String(error)}`);
  });

  return {
    // The long poll ends when the queues close, the deliveries when the processes are killed.
    close: async () => {
      closed = true;
      await Promise.all([...underWay]);
      void polling;
    },
  };
}

function toRecord(message: SqsMessage, queueArn: string, region: string) {
  return {
    messageId: message.MessageId,
    receiptHandle: message.ReceiptHandle,
    body: message.Body,
    attributes: message.Attributes ?? {},
    messageAttributes: Object.fromEntries(
      Object.entries(message.MessageAttributes ?? {}).map(([name, value]) => [
        name,
        {
          ...(value.StringValue === undefined ? {} : { stringValue: value.StringValue }),
          ...(value.BinaryValue === undefined ? {} : { binaryValue: value.BinaryValue }),
          stringListValues: [],
          binaryListValues: [],
          dataType: value.DataType,
        },
      ]),
    ),
    md5OfBody: message.MD5OfBody,
    eventSource: 'aws:sqs',
    eventSourceARN: queueArn,
    awsRegion: region,
  };
}

function failedItems(payload: string): string[] {
  const response = JSON.parse(payload) as { batchItemFailures?: { itemIdentifier: string }[] } | null;
  return (response?.batchItemFailures ?? []).map(({ itemIdentifier }) => itemIdentifier);
}
