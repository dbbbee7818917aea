// The whole sandbox through its one port, with the clients that a user has: every service, every control endpoint.

import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  CloudWatchClient,
  DescribeAlarmsCommand,
  PutCompositeAlarmCommand,
  PutMetricAlarmCommand,
  SetAlarmStateCommand,
} from '@aws-sdk/client-cloudwatch';
import {
  DescribeTableCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  UpdateTimeToLiveCommand,
} from '@aws-sdk/client-dynamodb';
import {
  CreateSubnetCommand,
  CreateVpcCommand,
  DescribeSubnetsCommand,
  EC2Client,
  RunInstancesCommand,
  StopInstancesCommand,
} from '@aws-sdk/client-ec2';
import { PublishCommand, SNSClient } from '@aws-sdk/client-sns';
import {
  GetQueueUrlCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { Sha256 } from '@smithy/core/checksum';
import { SignatureV4 } from '@smithy/signature-v4';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { InvocationRecord } from '../../sandbox/lambda/function-pool.ts';
import { type Sandbox, startSandbox } from '../../sandbox/server.ts';

const templateFile = fileURLToPath(new URL('fixtures/template.yaml', import.meta.url));

interface SigningOptions {
  secret?: string;
  sessionToken?: string;
  service?: string;
  atMs?: number;
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** As Alice signs, with the SDK's own signer. */
async function signedHeaders(method: string, to: string, body: string, how: SigningOptions = {}) {
  const { secret = 'sandbox', sessionToken, service = 'lambda', atMs = Date.now() } = how;
  const url = new URL(to);
  const signer = new SignatureV4({
    service,
    region: 'us-east-1',
    credentials: {
      accessKeyId: 'AKIAALICE',
      secretAccessKey: secret,
      ...(sessionToken && { sessionToken }),
    },
    sha256: Sha256,
  });
  const request = { method, protocol: url.protocol, hostname: url.hostname, path: url.pathname };
  const { headers } = await signer.sign(
    { ...request, query: Object.fromEntries(url.searchParams), headers: { host: url.host }, body },
    { signingDate: new Date(atMs) },
  );
  const { host: _, ...rest } = headers;
  return rest;
}

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await startSandbox({ templateFile, asyncRetryDelaysMs: [10, 10] });
});
afterAll(() => sandbox.close());
beforeEach(() => sandbox.reset());

const client = () => ({
  endpoint: sandbox.endpoint,
  region: 'us-east-1',
  credentials: { accessKeyId: 'AKIATEST', secretAccessKey: 'secret' },
  maxAttempts: 1,
});
const queueUrl = (name: string) => `${sandbox.endpoint}/000000000000/eni-failover-${name}`;

async function control<T = Record<string, unknown>>(method: string, path: string, body?: unknown) {
  const response = await fetch(`${sandbox.endpoint}/_sandbox/${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as T };
}

/** Looks until there is something to see; the test's own timeout ends it. */
async function eventually<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const seen = await look();
    if (seen !== undefined) return seen;
    await sleep(20);
  }
}

const invocationOf = (matches: (record: InvocationRecord) => boolean) =>
  eventually(async () => {
    const { body } = await control<InvocationRecord[]>('GET', 'lambda/invocations');
    return body.find((record) => record.outcome !== 'running' && matches(record));
  });

async function receive(name: string): Promise<Record<string, unknown>> {
  const sqs = new SQSClient(client());
  return eventually(async () => {
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({ QueueUrl: queueUrl(name), WaitTimeSeconds: 5 }),
    );
    return Messages[0]?.Body === undefined
      ? undefined
      : (JSON.parse(Messages[0].Body) as Record<string, unknown>);
  });
}

const invoke = (payload: unknown, headers: Record<string, string> = {}, name = 'probe-function') =>
  fetch(`${sandbox.endpoint}/2015-03-31/functions/${name}/invocations`, {
    method: 'POST',
    headers,
    body: typeof payload === 'string' ? payload : JSON.stringify(payload),
  });

async function runInstance(): Promise<string> {
  const ec2 = new EC2Client(client());
  const { Vpc } = await ec2.send(new CreateVpcCommand({ CidrBlock: '10.0.0.0/16' }));
  const { Subnet } = await ec2.send(
    new CreateSubnetCommand({ VpcId: Vpc?.VpcId, CidrBlock: '10.0.0.0/24', AvailabilityZone: 'us-east-1a' }),
  );
  const { Instances = [] } = await ec2.send(
    new RunInstancesCommand({
      ImageId: 'ami-12345678',
      InstanceType: 't3.large',
      MinCount: 1,
      MaxCount: 1,
      SubnetId: Subnet?.SubnetId,
    }),
  );
  return Instances[0]?.InstanceId ?? '';
}

const systemAlarm = (instanceId: string, AlarmActions: string[] = []) =>
  new PutMetricAlarmCommand({
    AlarmName: 'system',
    Namespace: 'AWS/EC2',
    MetricName: 'StatusCheckFailed_System',
    Dimensions: [{ Name: 'InstanceId', Value: instanceId }],
    Statistic: 'Maximum',
    Period: 60,
    EvaluationPeriods: 1,
    Threshold: 1,
    ComparisonOperator: 'GreaterThanOrEqualToThreshold',
    AlarmActions,
  });

describe('a sandbox', () => {
  it.each<[string, Record<string, string>, string]>([
    ['a value for no parameter', { Typo: '1' }, "no parameter 'Typo'"],
    [
      'a queue that shows a message again too early',
      { FunctionTimeout: '9' },
      'Queue visibility timeout: 1 seconds is less than Function timeout: 9 seconds',
    ],
  ])('does not start with %s', async (_name, parameters, message) => {
    await expect(startSandbox({ templateFile, parameters })).rejects.toThrow(message);
  });
});

describe('one port', () => {
  it('serves DynamoDB with the tables of the template', async () => {
    const dynamodb = new DynamoDBClient(client());
    const TableName = 'eni-failover-StateTable';
    const { Table } = await dynamodb.send(new DescribeTableCommand({ TableName }));
    expect(Table?.TableStatus).toBe('ACTIVE');
    await dynamodb.send(
      new PutItemCommand({
        TableName,
        Item: { pk: { S: 'a' } },
        ConditionExpression: 'attribute_not_exists(pk)',
      }),
    );
    await expect(
      dynamodb.send(
        new PutItemCommand({
          TableName,
          Item: { pk: { S: 'a' } },
          ConditionExpression: 'attribute_not_exists(pk)',
        }),
      ),
    ).rejects.toThrow(expect.objectContaining({ name: 'ConditionalCheckFailedException' }));
    expect((await dynamodb.send(new GetItemCommand({ TableName, Key: { pk: { S: 'a' } } }))).Item).toEqual({
      pk: { S: 'a' },
    });
    const TimeToLiveSpecification = { AttributeName: 'x', Enabled: true };
    expect(
      (await dynamodb.send(new UpdateTimeToLiveCommand({ TableName, TimeToLiveSpecification })))
        .TimeToLiveSpecification,
    ).toEqual(TimeToLiveSpecification);
  });

  it('serves SQS with queue URLs that lead back to it', async () => {
    const sqs = new SQSClient(client());
    const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: 'eni-failover-InboxQueue' }));
    expect(QueueUrl).toBe(queueUrl('InboxQueue'));
    await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: '{"n":1}' }));
    expect(await receive('InboxQueue')).toEqual({ n: 1 });
  });

  it('serves SNS, lists what was sent, and filters for subscribers', async () => {
    const sns = new SNSClient(client());
    const TopicArn = 'arn:aws:sns:us-east-1:000000000000:eni-failover-Topic';
    const publish = (severity: string, Message: string) =>
      sns.send(
        new PublishCommand({
          TopicArn,
          Message,
          Subject: `subject ${severity}`,
          MessageAttributes: { severity: { DataType: 'String', StringValue: severity } },
        }),
      );
    await publish('low', '{"n":1}');
    await publish('high', '{"n":2}');
    expect((await control('GET', 'sns/messages')).body).toMatchObject([
      { topicArn: TopicArn, subject: 'subject low', message: '{"n":1}', attributes: { severity: 'low' } },
      { topicArn: TopicArn, subject: 'subject high', message: '{"n":2}', attributes: { severity: 'high' } },
    ]);
    expect(await receive('InboxQueue')).toEqual({ n: 2 });
  });

  it('gives each subscriber the form of a notice that is meant for its protocol, as SNS does', async () => {
    const sns = new SNSClient(client());
    const publish = (Message: string) =>
      sns.send(
        new PublishCommand({
          TopicArn: 'arn:aws:sns:us-east-1:000000000000:eni-failover-Topic',
          Message,
          MessageStructure: 'json',
          MessageAttributes: { severity: { DataType: 'String', StringValue: 'high' } },
        }),
      );
    const variants = { default: 'for people', sqs: '{"for":"programs"}' };
    await publish(JSON.stringify(variants));
    expect(await receive('InboxQueue')).toEqual({ for: 'programs' });
    await publish(JSON.stringify({ default: '{"n":3}' }));
    expect(await receive('InboxQueue')).toEqual({ n: 3 });
    const sent = (await control('GET', 'sns/messages')).body as unknown as readonly unknown[];
    expect(sent.at(-2)).toMatchObject({ message: 'for people', variants });
    await expect(publish('not JSON')).rejects.toThrow('JSON message body failed to parse');
    await expect(publish('{"sqs":"x"}')).rejects.toThrow('No default entry in JSON message body');
  });

  it('serves CloudWatch to the current SDK', async () => {
    const cloudwatch = new CloudWatchClient(client());
    await cloudwatch.send(systemAlarm('i-none'));
    await cloudwatch.send(new PutCompositeAlarmCommand({ AlarmName: 'both', AlarmRule: 'ALARM(system)' }));
    await cloudwatch.send(
      new SetAlarmStateCommand({ AlarmName: 'system', StateValue: 'ALARM', StateReason: 'test' }),
    );
    const { MetricAlarms, CompositeAlarms } = await cloudwatch.send(
      new DescribeAlarmsCommand({ AlarmTypes: ['MetricAlarm', 'CompositeAlarm'] }),
    );
    expect(MetricAlarms).toMatchObject([
      { AlarmName: 'system', StateValue: 'ALARM', StateTransitionedTimestamp: expect.any(Date) },
    ]);
    expect(CompositeAlarms).toMatchObject([{ AlarmName: 'both', StateValue: 'ALARM' }]);
    await expect(
      cloudwatch.send(new SetAlarmStateCommand({ AlarmName: 'none', StateValue: 'OK', StateReason: 'x' })),
    ).rejects.toThrow(expect.objectContaining({ name: 'ResourceNotFound' }));
  });

  it('serves CloudWatch to clients that speak Query', async () => {
    const query = async (parameters: Record<string, string>) => {
      const body = new URLSearchParams({ Version: '2010-08-01', ...parameters });
      const response = await fetch(sandbox.endpoint, { method: 'POST', body });
      return { status: response.status, text: await response.text() };
    };
    const alarm = {
      AlarmName: 'a<b',
      Namespace: 'AWS/EC2',
      MetricName: 'StatusCheckFailed',
      'Dimensions.member.1.Name': 'InstanceId',
      'Dimensions.member.1.Value': 'i-1',
      Statistic: 'Maximum',
      Period: '60',
      EvaluationPeriods: '1',
      Threshold: '1',
      ComparisonOperator: 'GreaterThanOrEqualToThreshold',
      ActionsEnabled: 'false',
    };
    expect(await query({ Action: 'PutMetricAlarm', ...alarm })).toMatchObject({
      status: 200,
      text: expect.stringContaining('<PutMetricAlarmResponse'),
    });
    const { text } = await query({ Action: 'DescribeAlarms', 'AlarmNames.member.1': 'a<b' });
    expect(text).toMatch(/^<DescribeAlarmsResponse [^>]*><DescribeAlarmsResult><CompositeAlarms/);
    expect(text).toContain('<MetricAlarms><member><AlarmName>a&lt;b</AlarmName>');
    expect(text).toContain(
      '<Dimensions><member><Name>InstanceId</Name><Value>i-1</Value></member></Dimensions>',
    );
    expect(await query({ Action: 'DeleteAlarms', 'AlarmNames.member.1': 'none' })).toMatchObject({
      status: 404,
      text: expect.stringContaining('<Code>ResourceNotFound</Code>'),
    });
  });

  it('serves EventBridge’s PutEvents', async () => {
    const response = await fetch(sandbox.endpoint, {
      method: 'POST',
      headers: { 'x-amz-target': 'AWSEvents.PutEvents', 'content-type': 'application/x-amz-json-1.1' },
      body: JSON.stringify({
        Entries: [
          { Source: 'test.probe', DetailType: 'T', Detail: '{"do":"count"}' },
          { Source: 'test.probe', DetailType: 'T', Detail: 'no JSON' },
        ],
      }),
    });
    expect(await response.json()).toMatchObject({
      FailedEntryCount: 1,
      Entries: [{ EventId: expect.any(String) }, { ErrorCode: 'MalformedDetail' }],
    });
    expect(await invocationOf(({ trigger }) => trigger === 'Event')).toMatchObject({ outcome: 'success' });
  });

  it('says what it does not understand', async () => {
    expect((await fetch(sandbox.endpoint, { method: 'POST', body: 'x' })).status).toBe(400);
    const headers = {
      authorization:
        'AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0',
    };
    const response = await fetch(sandbox.endpoint, { headers });
    expect(response.status).toBe(501);
    expect(await response.text()).toContain("no service 's3'");
  });
});

describe('Lambda', () => {
  it('answers a synchronous invocation with its result and the tail of its log', async () => {
    const response = await invoke({ do: 'print', lines: ['hello'] }, { 'x-amz-log-type': 'Tail' });
    expect(response.headers.get('x-amz-function-error')).toBeNull();
    expect(Buffer.from(response.headers.get('x-amz-log-result') ?? '', 'base64').toString()).toContain(
      'hello',
    );
  });

  it('marks a function’s error in the answer', async () => {
    const response = await invoke({ do: 'throw', message: 'boom' });
    expect(response.status).toBe(200);
    expect(response.headers.get('x-amz-function-error')).toBe('Unhandled');
    expect(await response.json()).toMatchObject({ errorMessage: 'boom' });
  });

  it.each<[string, () => Promise<Response>, number, string | null]>([
    ['an unknown function', () => invoke({}, {}, 'none'), 404, 'ResourceNotFoundException'],
    ['a payload that is no JSON', () => invoke('{'), 400, 'InvalidRequestContentException'],
    ['a dry run', () => invoke({}, { 'x-amz-invocation-type': 'DryRun' }), 204, null],
  ])('answers %s', async (_name, ask, status, errorType) => {
    const response = await ask();
    expect(response.status).toBe(status);
    expect(response.headers.get('x-amzn-errortype')).toBe(errorType);
  });

  it('tries a failed asynchronous invocation three times and leaves a record at the destination', async () => {
    expect(
      (await invoke({ do: 'throw', message: 'boom' }, { 'x-amz-invocation-type': 'Event' })).status,
    ).toBe(202);
    expect(await receive('FailureQueue')).toMatchObject({
      requestContext: { condition: 'RetriesExhausted', approximateInvokeCount: 3 },
      requestPayload: { do: 'throw' },
      responsePayload: { errorType: 'RangeError' },
    });
    const { body } = await control<InvocationRecord[]>('GET', 'lambda/invocations');
    expect(body.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
    expect(new Set(body.map(({ requestId }) => requestId)).size).toBe(1);
  });

  it('takes the messages of its queue, one at a time and in Lambda’s shape', async () => {
    const MessageAttributes = { kind: { DataType: 'String', StringValue: 'watchdog' } };
    await new SQSClient(client()).send(
      new SendMessageCommand({ QueueUrl: queueUrl('WorkQueue'), MessageBody: '{"n":1}', MessageAttributes }),
    );
    const { payload } = await invocationOf(({ trigger }) => trigger === 'SQS');
    expect(JSON.parse(payload)).toMatchObject({
      Records: [
        {
          messageId: expect.any(String),
          body: '{"n":1}',
          attributes: { ApproximateReceiveCount: '1' },
          messageAttributes: { kind: { stringValue: 'watchdog', dataType: 'String' } },
          eventSource: 'aws:sqs',
          eventSourceARN: 'arn:aws:sqs:us-east-1:000000000000:eni-failover-WorkQueue',
          awsRegion: 'us-east-1',
        },
      ],
    });
    const { body } = await control<{ queues: { name: string; approximateMessageCount: number }[] }>(
      'GET',
      'state',
    );
    expect(body.queues).toContainEqual(
      expect.objectContaining({
        name: 'eni-failover-WorkQueue',
        approximateMessageCount: 0,
        approximateInflightCount: 0,
      }),
    );
  });

  it('leaves a message that fails to the queue, which moves it to the dead-letter queue', async () => {
    const message = { do: 'throw', message: 'poison' };
    await new SQSClient(client()).send(
      new SendMessageCommand({ QueueUrl: queueUrl('WorkQueue'), MessageBody: JSON.stringify(message) }),
    );
    expect(await receive('DeadLetterQueue')).toEqual(message);
  });

  it('answers at a function’s URL and tells the function who signed', async () => {
    const url = sandbox.stack.outputs['FunctionUrl'] ?? '';
    const headers = await signedHeaders('POST', `${url}orders?dry=yes`, '{"a":1}');
    const response = await fetch(`${url}orders?dry=yes`, { method: 'POST', headers, body: '{"a":1}' });
    expect(await response.json()).toMatchObject({
      version: '2.0',
      rawPath: '/orders',
      queryStringParameters: { dry: 'yes' },
      body: '{"a":1}',
      requestContext: {
        authorizer: { iam: { accessKey: 'AKIAALICE', userArn: 'arn:aws:iam::000000000000:user/AKIAALICE' } },
      },
    });
  });
});

describe('a function’s URL', () => {
  const call = async (headers: Record<string, string>, body = '{"a":1}') => {
    const url = `${sandbox.stack.outputs['FunctionUrl']}orders`;
    const response = await fetch(url, { method: 'POST', headers, body });
    const { Message } = (await response.json()) as { Message?: string };
    return { status: response.status, Message };
  };
  const sign = (how: SigningOptions = {}) =>
    signedHeaders('POST', `${sandbox.stack.outputs['FunctionUrl']}orders`, '{"a":1}', how);

  it('answers to a request that is signed with the sandbox’s secret', async () => {
    expect(await call(await sign())).toMatchObject({ status: 200 });
    expect(await call(await sign({ sessionToken: 'a-token' }))).toMatchObject({ status: 200 });
  });
  it('turns away one that nobody signed', async () => {
    expect(await call({})).toEqual({ status: 403, Message: 'Forbidden' });
  });
  it('turns away one with another secret, and says which one is right here', async () => {
    const { status, Message } = await call(await sign({ secret: 'guessed' }));
    expect(status).toBe(403);
    expect(Message).toMatch(/signature we calculated does not match.*'sandbox'/);
  });
  it('turns away one whose body was changed on the way', async () => {
    const tampered = await call(await sign(), '{"a":2}');
    expect(tampered).toMatchObject({ status: 403, Message: expect.stringContaining('x-amz-content-sha256') });
    const { 'x-amz-content-sha256': _, ...rehashed } = await sign();
    expect((await call({ ...rehashed, 'x-amz-content-sha256': sha256('{"a":2}') }, '{"a":2}')).status).toBe(
      403,
    );
  });
  it('turns away one that is older or newer than five minutes', async () => {
    const expired = await call(await sign({ atMs: Date.now() - 301_000 }));
    expect(expired).toMatchObject({ status: 403, Message: expect.stringContaining('Signature expired') });
    const early = await call(await sign({ atMs: Date.now() + 310_000 }));
    expect(early).toMatchObject({ status: 403, Message: expect.stringContaining('not yet current') });
    expect((await call(await sign({ atMs: Date.now() - 290_000 }))).status).toBe(200);
  });
  it('turns away one that was signed for another service, or another path', async () => {
    const other = await call(await sign({ service: 'execute-api' }));
    expect(other).toMatchObject({ status: 403, Message: expect.stringContaining("'lambda'") });
    const path = await signedHeaders('POST', `${sandbox.stack.outputs['FunctionUrl']}else`, '{"a":1}');
    expect((await call(path)).status).toBe(403);
  });
});

describe('an instance that fails', () => {
  it('raises its alarm, and the event and the alarm’s own action both reach the function', async () => {
    const instanceId = await runInstance();
    const cloudwatch = new CloudWatchClient(client());
    await cloudwatch.send(systemAlarm(instanceId, [sandbox.stack.functions[0]?.arn ?? '']));
    const state = async () =>
      (await cloudwatch.send(new DescribeAlarmsCommand({}))).MetricAlarms?.[0]?.StateValue;
    await eventually(async () => ((await state()) === 'OK' ? true : undefined));
    expect((await control('POST', 'ec2/impair', { instanceId, check: 'system' })).status).toBe(200);
    await eventually(async () => ((await state()) === 'ALARM' ? true : undefined));
    const asEvent = await invocationOf(
      ({ payload }) => payload.includes('"detail-type"') && payload.includes('"ALARM"'),
    );
    expect(JSON.parse(asEvent.payload)).toMatchObject({
      source: 'aws.cloudwatch',
      'detail-type': 'CloudWatch Alarm State Change',
      detail: { alarmName: 'system', state: { value: 'ALARM' }, previousState: { value: 'OK' } },
    });
    const asAction = await invocationOf(({ payload }) => payload.includes('"alarmData"'));
    expect(JSON.parse(asAction.payload)).toMatchObject({ alarmData: { alarmName: 'system' } });
    await control('POST', 'ec2/recover', { instanceId });
    await eventually(async () => ((await state()) === 'OK' ? true : undefined));
  });

  it('that stops is announced as EC2 announces it', async () => {
    const instanceId = await runInstance();
    await eventually(async () => {
      const { body } = await control<{ event: { detail: { state?: string } } }[]>('GET', 'events');
      return body.find(({ event }) => event.detail.state === 'running');
    });
    await new EC2Client(client()).send(new StopInstancesCommand({ InstanceIds: [instanceId] }));
    const { payload } = await invocationOf(({ payload }) => payload.includes('"stopped"'));
    expect(JSON.parse(payload)).toMatchObject({
      source: 'aws.ec2',
      'detail-type': 'EC2 Instance State-change Notification',
      resources: [`arn:aws:ec2:us-east-1:000000000000:instance/${instanceId}`],
      detail: { 'instance-id': instanceId, state: 'stopped' },
    });
  });
});

describe('a control endpoint', () => {
  it('delivers any event as it stands, and says which rules matched', async () => {
    const event = { id: 'given', source: 'test.probe', 'detail-type': 'T', detail: { do: 'count' } };
    await control('POST', 'events', event);
    await control('POST', 'events', { ...event, source: 'nobody' });
    expect(JSON.parse((await invocationOf(() => true)).payload)).toEqual(event);
    const { body } = await control('GET', 'events');
    expect(body).toMatchObject([{ event, deliveries: [{ status: 'delivered' }] }, { deliveries: [] }]);
  });

  it('adds a fault to EC2, and takes all faults back', async () => {
    const ec2 = new EC2Client(client());
    await control('POST', 'faults', { operation: 'DescribeSubnets', code: 'RequestLimitExceeded', times: 5 });
    await expect(ec2.send(new DescribeSubnetsCommand({}))).rejects.toThrow(
      expect.objectContaining({ name: 'RequestLimitExceeded' }),
    );
    await control('DELETE', 'faults');
    await expect(ec2.send(new DescribeSubnetsCommand({}))).resolves.toMatchObject({ Subnets: [] });
  });

  it.each([
    [
      'dynamodb',
      'DescribeTable',
      'ThrottlingException',
      () =>
        new DynamoDBClient(client()).send(new DescribeTableCommand({ TableName: 'eni-failover-StateTable' })),
    ],
    [
      'sqs',
      'GetQueueUrl',
      'RequestThrottled',
      () => new SQSClient(client()).send(new GetQueueUrlCommand({ QueueName: 'eni-failover-WorkQueue' })),
    ],
    [
      'sns',
      'Publish',
      'ThrottledException',
      () =>
        new SNSClient(client()).send(
          new PublishCommand({
            TopicArn: 'arn:aws:sns:us-east-1:000000000000:eni-failover-Topic',
            Message: 'x',
          }),
        ),
    ],
    [
      'cloudwatch',
      'DescribeAlarms',
      'Throttling',
      () => new CloudWatchClient(client()).send(new DescribeAlarmsCommand({})),
    ],
  ])('adds a fault to %s for one call', async (service, operation, code, call) => {
    await control('POST', 'faults', { service, operation, code });
    await expect(call()).rejects.toThrow(expect.objectContaining({ name: code }));
    await expect(call()).resolves.toBeDefined();
  });

  it('keeps the effect of a call whose answer is a fault, when asked to', async () => {
    const dynamodb = new DynamoDBClient(client());
    const TableName = 'eni-failover-StateTable';
    await control('POST', 'faults', {
      service: 'dynamodb',
      operation: 'PutItem',
      code: 'InternalServerError',
      applied: true,
    });
    await expect(
      dynamodb.send(new PutItemCommand({ TableName, Item: { pk: { S: 'a' } } })),
    ).rejects.toThrow();
    expect(
      (await dynamodb.send(new GetItemCommand({ TableName, Key: { pk: { S: 'a' } } }))).Item,
    ).toBeDefined();
  });

  it('has an event delivered again when Lambda refuses it, and dead-lettered in the end', async () => {
    await control('POST', 'faults', {
      service: 'lambda',
      operation: 'Invoke',
      code: 'ServiceException',
      times: 2,
    });
    const event = { source: 'test.probe', 'detail-type': 'T', detail: { do: 'count' } };
    await control('POST', 'events', event);
    expect(await receive('DeadLetterQueue')).toEqual(event);
  });

  it('attributes each EC2 call to its caller', async () => {
    await invoke({ do: 'describe' });
    await new EC2Client(client()).send(new DescribeSubnetsCommand({}));
    expect((await control('GET', 'ec2/calls')).body).toMatchObject([
      { operation: 'DescribeSubnets', caller: 'AKIASANDBOXPROBEFUNCTION0001', outcome: 'ok' },
      { operation: 'DescribeSubnets', caller: 'AKIATEST', outcome: 'ok' },
    ]);
  });

  it.each(['lost', 'sent'])('kills the process that makes the n-th call, its answer %s', async (answer) => {
    await control('POST', 'lambda/kill', {
      function: 'Probe',
      when: { after: { operation: 'DescribeSubnets', times: 2, answer } },
    });
    expect(await (await invoke({ do: 'describe' })).json()).toBe(200);
    await new EC2Client(client()).send(new DescribeSubnetsCommand({}));
    await invoke({ do: 'describe' });
    const { body } = await control<InvocationRecord[]>('GET', 'lambda/invocations');
    expect(body[0]).toMatchObject({ outcome: 'success' });
    // Sent just before the kill, the answer may or may not get the function to its end.
    if (answer === 'lost') expect(body[1]).toMatchObject({ outcome: 'exit', errorType: 'Runtime.ExitError' });
    const { pid } = body[1] ?? {};
    await eventually(async () => {
      const { body: state } = await control<{
        functions: { environments: { pid: number; state: string }[] }[];
      }>('GET', 'state');
      return state.functions[0]?.environments.some((one) => one.pid === pid && one.state !== 'ended')
        ? undefined
        : true;
    });
    expect((await control('GET', 'ec2/calls')).body).toHaveLength(3);
  });

  it('kills at once', async () => {
    await invoke({ do: 'count' });
    expect((await control('POST', 'lambda/kill', { function: 'probe-function', when: 'now' })).body).toEqual({
      killed: 1,
    });
    expect(await (await invoke({ do: 'count' })).json()).toMatchObject({ invocations: 1 });
  });

  it.each<[string, string, unknown, string]>([
    ['POST', 'ec2/impair', { instanceId: 'i-1' }, 'check:'],
    ['POST', 'ec2/impair', { instanceId: 'i-1', check: 'disk' }, 'check:'],
    ['POST', 'ec2/impair', { instanceId: 'i-0000000000000000f', check: 'system' }, 'instanceId:'],
    ['POST', 'ec2/recover', {}, 'instanceId:'],
    ['POST', 'faults', { operation: 'X', times: 0, code: 'Y' }, 'times:'],
    ['POST', 'faults', { operation: 'X' }, 'code:'],
    ['POST', 'faults', { service: 's3', operation: 'X', code: 'Y' }, 'service:'],
    ['POST', 'faults', { operation: 'X', code: 'Y', often: 3 }, 'often:'],
    ['POST', 'events', { source: 'x', 'detail-type': 'y' }, 'detail:'],
    ['POST', 'lambda/kill', { function: 'none', when: 'now' }, 'function:'],
    ['POST', 'lambda/kill', { function: 'Probe', when: 'later' }, 'when:'],
    ['POST', 'events', 'text', 'body:'],
  ])('%s %s refuses %j by naming the field', async (method, path, body, field) => {
    const answer = await control(method, path, body);
    expect(answer.status).toBe(400);
    expect(answer.body['error']).toContain(field);
  });

  it('that does not exist says which do', async () => {
    const { status, body } = await control<{ endpoints: string[] }>('GET', 'nothing');
    expect(status).toBe(404);
    expect(body.endpoints).toContain('POST /_sandbox/ec2/impair');
  });

  it('resets everything', async () => {
    await runInstance();
    await invoke({ do: 'count' });
    await new CloudWatchClient(client()).send(systemAlarm('i-none'));
    await control('POST', 'faults', { service: 'sns', operation: 'Publish', code: 'X' });
    expect((await control('POST', 'reset')).status).toBe(200);
    expect((await control('GET', 'lambda/invocations')).body).toEqual([]);
    expect((await control('GET', 'ec2/calls')).body).toEqual([]);
    expect((await control('GET', 'state')).body).toMatchObject({
      faults: [],
      alarms: { MetricAlarms: [] },
      functions: [{ environments: [] }],
    });
  });
});
