/** Proves that the clients do not retry by themselves, and that no server can make them wait for ever. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DescribeAlarmsCommand } from '@aws-sdk/client-cloudwatch';
import { GetItemCommand } from '@aws-sdk/client-dynamodb';
import { AttachNetworkInterfaceCommand } from '@aws-sdk/client-ec2';
import { InvokeCommand, type LambdaClient } from '@aws-sdk/client-lambda';
import { PublishCommand } from '@aws-sdk/client-sns';
import { SendMessageCommand } from '@aws-sdk/client-sqs';
import { SendCommandCommand } from '@aws-sdk/client-ssm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Clients, makeClients } from '../../shared/aws/clients.ts';
import { makeLambdaClient } from '../../shared/aws/direct-invocation.ts';
import { makeHookClients } from '../../shared/aws/hook-clients.ts';
import { classify, codeOf } from '../../shared/aws/retry.ts';

/** The real times would make these tests wait for seconds. */
vi.mock('../../shared/core/times.ts', async (importOriginal) => {
  const { times } = await importOriginal<typeof import('../../shared/core/times.ts')>();
  return {
    times: { ...times, ec2TimeoutMs: 130, tableTimeoutMs: 120, messageTimeoutMs: 110, hookTimeoutMs: 140 },
  };
});

type Behaviour = (request: IncomingMessage, response: ServerResponse) => void;
let behave: Behaviour;
let requests = 0;
let server: Server;
let endpoint: string;
let clients: Clients;
let lambda: LambdaClient;
let hooks: ReturnType<typeof makeHookClients>;
beforeAll(async () => {
  vi.stubEnv('AWS_REGION', 'us-east-1');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'test');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test');
  server = createServer((request, response) => {
    requests += 1;
    request.resume();
    behave(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  vi.unstubAllEnvs();
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});
beforeEach(() => {
  requests = 0;
  clients = makeClients(endpoint);
  lambda = makeLambdaClient(endpoint);
  hooks = makeHookClients(endpoint);
});
afterEach(() => server.closeAllConnections());

/** The part of the SDK's handler that says how it is set up; a client's type leaves open which handler it has. */
interface NodeHttpHandler {
  httpHandlerConfigs(): object;
}

interface Call {
  readonly name: string;
  readonly timeoutMs: number;
  /** Which of the two wire formats the service speaks. */
  readonly type: 'text/xml' | 'application/json';
  readonly config: () => { readonly maxAttempts: () => Promise<number>; readonly requestHandler: object };
  readonly send: () => Promise<unknown>;
}
const calls: readonly Call[] = [
  {
    name: 'EC2',
    timeoutMs: 130,
    type: 'text/xml',
    config: () => clients.ec2.config,
    send: () =>
      clients.ec2.send(
        new AttachNetworkInterfaceCommand({ NetworkInterfaceId: 'eni-1', InstanceId: 'i-1', DeviceIndex: 1 }),
      ),
  },
  {
    name: 'DynamoDB',
    timeoutMs: 120,
    type: 'application/json',
    config: () => clients.dynamodb.config,
    send: () => clients.dynamodb.send(new GetItemCommand({ TableName: 'state', Key: { pk: { S: 'x' } } })),
  },
  {
    name: 'CloudWatch',
    timeoutMs: 130,
    type: 'application/json',
    config: () => clients.cloudwatch.config,
    send: () => clients.cloudwatch.send(new DescribeAlarmsCommand({})),
  },
  {
    name: 'SNS',
    timeoutMs: 110,
    type: 'text/xml',
    config: () => clients.sns.config,
    send: () => clients.sns.send(new PublishCommand({ TopicArn: 'arn:x', Message: 'm' })),
  },
  {
    name: 'SQS',
    timeoutMs: 110,
    type: 'application/json',
    config: () => clients.sqs.config,
    send: () =>
      clients.sqs.send(
        new SendMessageCommand({ QueueUrl: `${endpoint}/123456789012/work`, MessageBody: '{}' }),
      ),
  },
  {
    name: 'Lambda',
    timeoutMs: 110,
    type: 'application/json',
    config: () => lambda.config,
    send: () => lambda.send(new InvokeCommand({ FunctionName: 'failover' })),
  },
  {
    name: 'SSM, for hooks',
    timeoutMs: 130,
    type: 'application/json',
    config: () => hooks.ssm.config,
    send: () => hooks.ssm.send(new SendCommandCommand({ DocumentName: 'promote', InstanceIds: ['i-1'] })),
  },
  {
    name: 'Lambda, for hooks',
    timeoutMs: 140,
    type: 'application/json',
    config: () => hooks.lambda.config,
    send: () => hooks.lambda.send(new InvokeCommand({ FunctionName: 'eni-failover-hook-promote' })),
  },
];
const failureOf = (call: Call): Promise<unknown> =>
  call.send().then(
    (answer) => {
      throw new Error(`it answered ${JSON.stringify(answer)}`);
    },
    (error: unknown) => error,
  );

describe.each(calls)('the client of $name', (call) => {
  it('makes one attempt, and says so', async () => {
    expect(await call.config().maxAttempts()).toBe(1);
    behave = (_, response) => response.writeHead(503, { 'content-type': call.type }).end('oops');
    expect(classify(await failureOf(call))).toBe('unavailable');
    expect(requests).toBe(1);
  });
  it('has the timeout of its kind', async () => {
    behave = (_, response) => response.writeHead(503).end();
    // The handler has no configuration before its first request.
    await failureOf(call);
    const handler = call.config().requestHandler as NodeHttpHandler;
    expect(handler.httpHandlerConfigs()).toMatchObject({
      connectionTimeout: call.timeoutMs,
      requestTimeout: call.timeoutMs,
      throwOnRequestTimeout: true,
    });
  });
  it('gives up on a server that never answers', async () => {
    behave = () => undefined;
    const error = await failureOf(call);
    expect(codeOf(error)).toBe('TimeoutError');
    expect(classify(error)).toBe('unavailable');
    expect(requests).toBe(1);
  });
  it('gives up on a server that stops in the middle of its answer', async () => {
    behave = (_, response) => {
      response.writeHead(200, { 'content-type': call.type, 'content-length': '1000' });
      response.write('<');
    };
    expect(classify(await failureOf(call))).toBe('unavailable');
    expect(requests).toBe(1);
  }, 3_000);
  it('knows nothing of what happened when the connection breaks off in the middle of an answer', async () => {
    behave = (request, response) => {
      response.writeHead(200, { 'content-type': call.type, 'content-length': '1000' });
      response.write('<', () => request.socket.destroy());
    };
    expect(classify(await failureOf(call))).toBe('unavailable');
  });
  it('knows nothing of what happened when the connection breaks off before an answer', async () => {
    behave = (request) => request.socket.destroy();
    expect(classify(await failureOf(call))).toBe('unavailable');
  });
});

describe('the clients', () => {
  it('find nobody at a port that is closed', async () => {
    const other = createServer();
    other.listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    other.close();
    await once(other, 'close');
    const { dynamodb } = makeClients(`http://127.0.0.1:${port}`);
    const error: unknown = await dynamodb
      .send(new GetItemCommand({ TableName: 'state', Key: { pk: { S: 'x' } } }))
      .catch((thrown: unknown) => thrown);
    expect(codeOf(error)).toBe('ECONNREFUSED');
    expect(classify(error)).toBe('unavailable');
  });
  it.each([
    ['RequestLimitExceeded', 503, 'throttled'],
    ['UnauthorizedOperation', 403, 'denied'],
    ['InvalidAttachmentID.NotFound', 400, 'refused'],
    ['IncorrectState', 400, 'refused'],
    ['InternalError', 500, 'unavailable'],
  ])('carry the code %s of EC2 from the wire', async (code, status, failure) => {
    const body = `<?xml version="1.0" encoding="UTF-8"?>
<Response><Errors><Error><Code>${code}</Code><Message>in its words</Message></Error></Errors><RequestID>r</RequestID></Response>`;
    behave = (_, response) => response.writeHead(status, { 'content-type': 'text/xml' }).end(body);
    const error = await failureOf(calls[0] as Call);
    expect(codeOf(error)).toBe(code);
    expect(classify(error)).toBe(failure);
    expect(error).toMatchObject({ message: 'in its words' });
  });
  it.each([
    ['InvalidInstanceId', 'refused'],
    ['InvocationDoesNotExist', 'refused'],
    ['InvalidPluginName', 'refused'],
    ['ThrottlingException', 'throttled'],
    ['AccessDeniedException', 'denied'],
  ])('carry the code %s of SSM from the wire', async (code, failure) => {
    behave = (_, response) =>
      response
        .writeHead(400, { 'content-type': 'application/x-amz-json-1.1' })
        .end(JSON.stringify({ __type: code, message: 'in its words' }));
    const error = await failureOf(calls.find((each) => each.name === 'SSM, for hooks') as Call);
    expect(codeOf(error)).toBe(code);
    expect(classify(error)).toBe(failure);
  });
  it.each([
    ['TooManyRequestsException', 429, 'throttled'],
    ['ResourceNotFoundException', 404, 'refused'],
    ['ServiceException', 500, 'unavailable'],
  ])('carry the code %s of Lambda from the wire', async (code, status, failure) => {
    behave = (_, response) =>
      response
        .writeHead(status, { 'content-type': 'application/json', 'x-amzn-errortype': code })
        .end(JSON.stringify({ Type: 'User', Message: 'in its words' }));
    const error = await failureOf(calls.find((each) => each.name === 'Lambda, for hooks') as Call);
    expect(codeOf(error)).toBe(code);
    expect(classify(error)).toBe(failure);
  });
  it('carry the code of a failed condition from the wire', async () => {
    const body = JSON.stringify({
      __type: 'com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException',
      message: 'The conditional request failed',
    });
    behave = (_, response) =>
      response.writeHead(400, { 'content-type': 'application/x-amz-json-1.0' }).end(body);
    const error = await failureOf(calls[1] as Call);
    expect(codeOf(error)).toBe('ConditionalCheckFailedException');
    expect(classify(error)).toBe('refused');
  });
});

describe('the timeouts of an attempt', () => {
  it('are those of the protocol', async () => {
    const { times } = await vi.importActual<typeof import('../../shared/core/times.ts')>(
      '../../shared/core/times.ts',
    );
    expect(times).toMatchObject({
      ec2TimeoutMs: 3_000,
      tableTimeoutMs: 1_000,
      messageTimeoutMs: 1_000,
      hookTimeoutMs: 50_000,
    });
  });
});
