/** Proves what goes to SQS, SNS and, when SQS refuses, straight to the function. */
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { PublishCommand, SNSClient } from '@aws-sdk/client-sns';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { mockClient } from 'aws-sdk-client-mock';
import { beforeEach, describe, expect, it } from 'vitest';
import { parseEvent } from '../../functions/failover/event.ts';
import { withDirectInvocation } from '../../shared/aws/direct-invocation.ts';
import { makeNotifier, makeWorkQueue } from '../../shared/aws/messages.ts';
import { placeOf } from '../../shared/core/console-links.ts';
import type { WorkMessage } from '../../shared/core/hint.ts';
import type { ServiceName } from '../../shared/core/ids.ts';
import { toMessage, toPublication } from '../../shared/core/notice.ts';
import { waitingNotice } from '../fakes/notices.ts';
import { awsError, makeRetrying, START_MS, socketError, timeoutError } from './retrying.ts';

const QUEUE = 'https://sqs.us-east-1.amazonaws.com/123456789012/work';
const TOPIC = 'arn:aws:sns:us-east-1:123456789012:notices';
const message: WorkMessage = {
  service: 'orders-db' as ServiceName,
  hint: { kind: 'watchdog', epoch: 7, atMs: START_MS },
  look: 1,
};

const [sqsClient, snsClient, lambdaClient] = [
  new SQSClient({ region: 'us-east-1' }),
  new SNSClient({ region: 'us-east-1' }),
  new LambdaClient({ region: 'us-east-1' }),
] as const;
const sqs = mockClient(sqsClient);
const sns = mockClient(snsClient);
const lambda = mockClient(lambdaClient);
let retrying = makeRetrying();
beforeEach(() => {
  sqs.reset();
  sns.reset();
  lambda.reset();
  retrying = makeRetrying();
});
const inputsOf = (calls: readonly { readonly args: readonly [{ readonly input: object }, ...unknown[]] }[]) =>
  calls.map((call) => call.args[0].input);

describe('the work queue', () => {
  const send = (delayMs: number) => makeWorkQueue(sqsClient, QUEUE, retrying).send(message, delayMs);
  const sent = () => inputsOf(sqs.commandCalls(SendMessageCommand));

  it('takes the message as JSON', async () => {
    sqs.on(SendMessageCommand).resolves({ MessageId: 'm-1' });
    await send(16_000);
    expect(sent()).toStrictEqual([
      {
        QueueUrl: QUEUE,
        MessageBody: `{"service":"orders-db","hint":{"kind":"watchdog","epoch":7,"atMs":${START_MS}},"look":1}`,
        DelaySeconds: 16,
      },
    ]);
  });
  it.each([
    ['never before its time', 15_001, 16],
    ['never before its time', 1, 1],
    ['at once', 0, 0],
    ['at once when its time is over', -5_000, 0],
    ['with the longest delay that SQS knows', 900_000, 900],
    ['with the longest delay that SQS knows', 3_600_000, 900],
  ])('delivers %s: after %i ms in %i s', async (_, delayMs, DelaySeconds) => {
    sqs.on(SendMessageCommand).resolves({});
    await send(delayMs);
    expect(sent()).toMatchObject([{ DelaySeconds }]);
  });
  it.each([
    ['throttles', awsError('RequestThrottled', 403)],
    ['does not answer', timeoutError()],
    ['is out of reach', socketError('ECONNREFUSED')],
  ])('is tried four times while SQS %s', async (_, error) => {
    sqs.on(SendMessageCommand).rejects(error);
    await expect(send(0)).rejects.toMatchObject({ name: 'PortError', mayRetry: true });
    expect(sent()).toHaveLength(4);
    expect(retrying.pauses).toEqual([25, 50, 100]);
  });
  it.each([
    ['QueueDoesNotExist', 400, 'refused'],
    ['AccessDenied', 403, 'denied'],
  ])('fails at once with %s', async (code, status, failure) => {
    sqs.on(SendMessageCommand).rejects(awsError(code, status));
    await expect(send(0)).rejects.toMatchObject({ name: 'PortError', code, failure });
    expect(sent()).toHaveLength(1);
  });
});

describe('the notifier', () => {
  const waiting = waitingNotice('orders-db.7.COMPLETED', { outcome: 'COMPLETED', headline: 'moved' });
  const publish = () => makeNotifier(snsClient, TOPIC, retrying).publish(waiting);
  const published = () => inputsOf(sns.commandCalls(PublishCommand));

  it('publishes each form of the notice at once, with the attributes to filter by', async () => {
    sns.on(PublishCommand).resolves({ MessageId: 'm-1' });
    await publish();
    expect(published()).toStrictEqual([
      {
        TopicArn: TOPIC,
        Subject: '[eni-failover] orders-db: moved',
        MessageStructure: 'json',
        Message: toMessage(toPublication(waiting, placeOf(TOPIC))),
        MessageAttributes: {
          service: { DataType: 'String', StringValue: 'orders-db' },
          kind: { DataType: 'String', StringValue: 'change' },
          outcome: { DataType: 'String', StringValue: 'COMPLETED' },
          severity: { DataType: 'String', StringValue: 'info' },
          needsHuman: { DataType: 'String', StringValue: 'false' },
          dedupeId: { DataType: 'String', StringValue: 'orders-db.7.COMPLETED' },
          account: { DataType: 'String', StringValue: '123456789012' },
          region: { DataType: 'String', StringValue: 'us-east-1' },
        },
      },
    ]);
  });
  it('publishes the very same again when SNS did not answer', async () => {
    sns.on(PublishCommand).rejectsOnce(timeoutError()).resolvesOnce({});
    await publish();
    expect(published()).toHaveLength(2);
    expect(published()[1]).toStrictEqual(published()[0]);
    expect(retrying.pauses).toEqual([25]);
  });
  it('fails after four attempts', async () => {
    sns.on(PublishCommand).rejects(awsError('Throttled', 429));
    await expect(publish()).rejects.toMatchObject({ name: 'PortError', failure: 'throttled' });
    expect(published()).toHaveLength(4);
  });
  it('fails at once when the topic will not take it', async () => {
    sns.on(PublishCommand).rejects(awsError('AuthorizationError', 403));
    await expect(publish()).rejects.toMatchObject({ failure: 'denied' });
    expect(published()).toHaveLength(1);
  });
});

describe('the queue with a second way out', () => {
  const FUNCTION = 'arn:aws:lambda:us-east-1:123456789012:function:failover';
  const send = () =>
    withDirectInvocation(makeWorkQueue(sqsClient, QUEUE, retrying), lambdaClient, FUNCTION, retrying).send(
      message,
      10_000,
    );
  const invoked = () => lambda.commandCalls(InvokeCommand).map((call) => call.args[0].input);

  it('invokes nothing while SQS takes the message', async () => {
    sqs.on(SendMessageCommand).resolves({});
    await send();
    expect(inputsOf(sqs.commandCalls(SendMessageCommand))).toMatchObject([{ DelaySeconds: 10 }]);
    expect(invoked()).toEqual([]);
  });
  it.each([
    ['refuses', awsError('QueueDoesNotExist', 400)],
    ['does not answer', timeoutError()],
  ])(
    'invokes the function asynchronously when SQS %s, with what the queue would have delivered',
    async (_, error) => {
      sqs.on(SendMessageCommand).rejects(error);
      lambda.on(InvokeCommand).resolves({ StatusCode: 202 });
      await send();
      const [{ Payload, ...input } = {}, ...more] = invoked();
      expect(more).toEqual([]);
      expect(input).toStrictEqual({ FunctionName: FUNCTION, InvocationType: 'Event' });
      const event: unknown = JSON.parse(Buffer.from(Payload as Uint8Array).toString());
      expect(parseEvent(event, START_MS)).toMatchObject({ kind: 'work', message });
    },
  );
  it('fails when neither way is open', async () => {
    sqs.on(SendMessageCommand).rejects(awsError('AccessDenied', 403));
    lambda.on(InvokeCommand).rejects(awsError('TooManyRequestsException', 429));
    await expect(send()).rejects.toMatchObject({ name: 'PortError', failure: 'throttled' });
    expect(invoked()).toHaveLength(4);
  });
});
