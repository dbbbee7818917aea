// SNS and SQS (and STS GetCallerIdentity) on the sandbox's port: fauxqs in memory, called in process without a socket of its own.

import { buildApp } from 'fauxqs';
import { type AwsAnswer, type AwsService, escapeXml, type JsonObject } from './aws-request.ts';
import type { SandboxClock } from './clock.ts';

export interface SnsMessage {
  at: string;
  messageId: string;
  topicArn: string;
  subject: string | null;
  /** Where the publisher gave one for each protocol: the default one. */
  message: string;
  /** By protocol; only of a message that was published with MessageStructure json. */
  variants?: Record<string, string>;
  attributes: Record<string, string>;
}

export interface Messaging {
  handle: AwsService;
  /** Calls an SQS operation as the sandbox itself; an error answer is thrown. */
  sqs(operation: string, input: JsonObject): Promise<JsonObject>;
  /** Calls an SNS operation as the sandbox itself; an error answer is thrown. */
  sns(operation: string, input: Record<string, string>): Promise<void>;
  sendToQueue(queueArn: string, body: string, attributes?: Record<string, string>): Promise<void>;
  queueUrl(queueArn: string): string;
  /** What is in each queue, without touching it. */
  queues(): Promise<unknown>;
  /** Every message published, oldest first, whether or not anybody subscribes. */
  messages(): SnsMessage[];
  close(): Promise<void>;
}

const NAMES_QUEUES = /\.(CreateQueue|GetQueueUrl|ListQueues)$/;

export function makeMessaging(clock: SandboxClock, host: string, region: string): Messaging {
  const app = buildApp({ logger: false, defaultRegion: region });
  const published: SnsMessage[] = [];

  /** `asSent` is what is recorded, where fauxqs was given something else. */
  const dispatch = async (
    headers: Record<string, string>,
    body: Buffer,
    asSent = body,
  ): Promise<AwsAnswer> => {
    const answer = await app.inject({
      method: 'POST',
      url: '/',
      headers: { ...headers, host },
      payload: body,
    });
    if (answer.statusCode === 200) record(headers['content-type'] ?? '', asSent, answer.body);
    return {
      status: answer.statusCode,
      headers: { 'content-type': String(answer.headers['content-type'] ?? 'text/plain') },
      body: NAMES_QUEUES.test(headers['x-amz-target'] ?? '') ? withOwnUrls(answer.body) : answer.rawPayload,
    };
  };

  // fauxqs knows no MessageStructure. All that it delivers to are queues, so they get what is meant for queues.
  const publishStructured = async (headers: Record<string, string>, body: Buffer): Promise<AwsAnswer> => {
    if (!isForm(headers['content-type'] ?? '')) return dispatch(headers, body);
    const form = new URLSearchParams(body.toString());
    const structured = prefixesOf(form).filter((prefix) => isStructured(form, prefix));
    if (structured.length === 0) return dispatch(headers, body);
    for (const prefix of structured) {
      const variants = variantsOf(form.get(`${prefix}Message`) ?? '');
      if (variants === undefined)
        return snsError(
          'InvalidParameter',
          'Invalid parameter: Message Structure - JSON message body failed to parse',
        );
      const forQueues = variants['sqs'] ?? variants['default'];
      if (forQueues === undefined || variants['default'] === undefined)
        return snsError(
          'InvalidParameter',
          'Invalid parameter: Message Structure - No default entry in JSON message body',
        );
      form.set(`${prefix}Message`, forQueues);
      form.delete(`${prefix}MessageStructure`);
    }
    return dispatch(headers, Buffer.from(form.toString()), body);
  };

  // fauxqs puts its queues at sqs.us-east-1.localhost, which not every resolver knows.
  const withOwnUrls = (body: string): string =>
    body.replace(/http:\/\/sqs\.[a-z0-9-]+\.localhost:\d+\//g, `http://${host}/`);

  // Recorded from the request, because fauxqs's own spy leaves the subject out.
  const record = (contentType: string, body: Buffer, answer: string): void => {
    if (!isForm(contentType)) return;
    const form = new URLSearchParams(body.toString());
    const messageIds = [...answer.matchAll(/<MessageId>([^<]+)/g)].map((match) => match[1] ?? '');
    const at = new Date(clock.now()).toISOString();
    const topicArn = form.get('TopicArn') ?? '';
    prefixesOf(form).forEach((prefix, index) => {
      const message = form.get(`${prefix}Message`) ?? '';
      const variants = isStructured(form, prefix) ? variantsOf(message) : undefined;
      published.push({
        at,
        messageId: messageIds[index] ?? '',
        topicArn,
        subject: form.get(`${prefix}Subject`),
        message: variants?.['default'] ?? message,
        ...(variants && { variants }),
        attributes: attributesOf(form, `${prefix}MessageAttributes.entry`),
      });
    });
  };

  const call = async (headers: Record<string, string>, operation: string, body: string): Promise<string> => {
    const answer = await dispatch(headers, Buffer.from(body));
    if (answer.status !== 200) throw new Error(`${operation}: ${String(answer.body)}`);
    return String(answer.body);
  };

  const sqs: Messaging['sqs'] = async (operation, input) => {
    const headers = {
      'content-type': 'application/x-amz-json-1.0',
      'x-amz-target': `AmazonSQS.${operation}`,
    };
    const answer = await call(headers, `SQS ${operation}`, JSON.stringify(input));
    return answer === '' ? {} : (JSON.parse(answer) as JsonObject);
  };

  const queueUrl = (queueArn: string): string => {
    const [, , , , accountId, name] = queueArn.split(':');
    return `http://${host}/${accountId}/${name}`;
  };

  return {
    handle: async (request) => {
      if (request.service === 'sqs' && request.headers['x-amz-target'] === undefined) {
        return snsError(
          'UnsupportedProtocol',
          'The sandbox speaks SQS in AWS JSON only: use a newer client.',
        );
      }
      const headers = Object.fromEntries(
        ['content-type', 'x-amz-target', 'authorization'].flatMap((name) => {
          const value = request.headers[name];
          return value === undefined ? [] : [[name, String(value)]];
        }),
      );
      return publishStructured(headers, request.body);
    },
    sqs,
    sns: async (operation, input) => {
      const form = new URLSearchParams({ Action: operation, Version: '2010-03-31', ...input });
      await call(
        { 'content-type': 'application/x-www-form-urlencoded' },
        `SNS ${operation}`,
        form.toString(),
      );
    },
    sendToQueue: async (queueArn, body, attributes = {}) => {
      await sqs('SendMessage', {
        QueueUrl: queueUrl(queueArn),
        MessageBody: body,
        MessageAttributes: Object.fromEntries(
          Object.entries(attributes).map(([name, value]) => [
            name,
            { DataType: 'String', StringValue: value },
          ]),
        ),
      });
    },
    queueUrl,
    queues: async () =>
      JSON.parse(withOwnUrls((await app.inject({ method: 'GET', url: '/_fauxqs/queues' })).body)) as unknown,
    messages: () => [...published],
    close: async () => {
      await app.close();
    },
  };
}

const isForm = (contentType: string) => contentType.startsWith('application/x-www-form-urlencoded');

/** What stands before the fields of each message that the request publishes. */
function prefixesOf(form: URLSearchParams): readonly string[] {
  if (form.get('Action') === 'Publish') return [''];
  if (form.get('Action') !== 'PublishBatch') return [];
  return [...form.keys()]
    .filter((key) => /^PublishBatchRequestEntries\.member\.\d+\.Id$/.test(key))
    .map((key) => key.slice(0, -2));
}

const isStructured = (form: URLSearchParams, prefix: string) =>
  form.get(`${prefix}MessageStructure`) === 'json';

/** The texts by protocol; undefined if the message is no JSON map. */
function variantsOf(message: string): Record<string, string> | undefined {
  try {
    const map = JSON.parse(message) as unknown;
    return typeof map === 'object' && map !== null ? (map as Record<string, string>) : undefined;
  } catch {
    return undefined;
  }
}

function attributesOf(form: URLSearchParams, prefix: string): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (let index = 1; form.has(`${prefix}.${index}.Name`); index += 1) {
    const name = form.get(`${prefix}.${index}.Name`) ?? '';
    attributes[name] =
      form.get(`${prefix}.${index}.Value.StringValue`) ??
      form.get(`${prefix}.${index}.Value.BinaryValue`) ??
      '';
  }
  return attributes;
}

function snsError(code: string, message: string): AwsAnswer {
  return {
    status: 400,
    headers: { 'content-type': 'text/xml' },
    body: `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>${escapeXml(message)}</Message></Error></ErrorResponse>`,
  };
}
