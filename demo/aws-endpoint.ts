/** AWS's own protocols over plain HTTP, as much as the demo needs: whatever it does, any AWS client could do. */
import { find, parseXml, textAt, type Xml } from './xml.ts';

type Text = string | number | boolean;
export interface QueryInput {
  readonly [parameter: string]: Text | readonly (Text | QueryInput)[] | QueryInput;
}

export interface AwsEndpoint {
  readonly url: string;
  /** EC2's query protocol; parameters as EC2 names them, lists without numbers. */
  ec2(action: string, input: QueryInput): Promise<Xml>;
  sns(action: string, input: QueryInput): Promise<Xml>;
  sqs(action: string, input: object): Promise<unknown>;
  dynamoDb(action: string, input: object): Promise<unknown>;
  cloudWatch(action: string, input: object): Promise<unknown>;
  /** Waits for the function's answer. */
  invoke(functionName: string, payload: object): Promise<unknown>;
}

/** What AWS refused, with its own code. */
export class AwsError extends Error {
  readonly code: string;
  constructor(operation: string, code: string, message: string) {
    super(`${operation}: ${code}: ${message}`);
    this.name = 'AwsError';
    this.code = code;
  }
}

/** Who calls: the sandbox's log tells the demo's calls from the controller's by it. */
export const caller = 'eni-failover-demo';

/** The sandbox checks no signature, but reads from its scope which service is meant and who calls. */
const authorization = (service: string) =>
  `AWS4-HMAC-SHA256 Credential=${caller}/20260101/us-east-1/${service}/aws4_request, SignedHeaders=host, Signature=none`;

/** `{Filter: [{Name, Value: […]}]}` becomes `Filter.1.Name=…&Filter.1.Value.1=…`. */
function flatten(input: QueryInput, prefix = ''): [string, string][] {
  const entries = (name: string, value: QueryInput[string]): [string, string][] => {
    if (Array.isArray(value)) {
      return (value as readonly (Text | QueryInput)[]).flatMap((each, index) =>
        entries(`${name}.${index + 1}`, each),
      );
    }
    return typeof value === 'object' ? flatten(value as QueryInput, `${name}.`) : [[name, String(value)]];
  };
  return Object.entries(input).flatMap(([name, value]) => entries(prefix + name, value));
}

export function makeAwsEndpoint(url: string, signal?: AbortSignal): AwsEndpoint {
  async function post(service: string, path: string, headers: Record<string, string>, body: string) {
    const answer = await fetch(new URL(path, url), {
      method: 'POST',
      headers: { authorization: authorization(service), ...headers },
      body,
      ...(signal && { signal }),
    });
    return { ok: answer.ok, status: answer.status, text: await answer.text() };
  }

  async function query(service: string, version: string, action: string, input: QueryInput): Promise<Xml> {
    const body = new URLSearchParams([['Action', action], ['Version', version], ...flatten(input)]);
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const { ok, text } = await post(service, '/', headers, body.toString());
    const xml = parseXml(text);
    if (ok) return xml;
    const error = find(xml, 'Errors/Error') ?? find(xml, 'Error') ?? xml;
    throw new AwsError(action, textAt(error, 'Code'), textAt(error, 'Message'));
  }

  async function json(service: string, target: string, action: string, input: object): Promise<unknown> {
    const headers = { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': `${target}.${action}` };
    const { ok, text } = await post(service, '/', headers, JSON.stringify(input));
    const body: unknown = text === '' ? {} : JSON.parse(text);
    if (ok) return body;
    const { __type: type = '', message, Message } = body as Record<string, string>;
    throw new AwsError(action, type.replace(/^.*#/, ''), message ?? Message ?? text);
  }

  return {
    url,
    ec2: (action, input) => query('ec2', '2016-11-15', action, input),
    sns: (action, input) => query('sns', '2010-03-31', action, input),
    sqs: (action, input) => json('sqs', 'AmazonSQS', action, input),
    dynamoDb: (action, input) => json('dynamodb', 'DynamoDB_20120810', action, input),
    cloudWatch: (action, input) => json('monitoring', 'GraniteServiceVersion20100801', action, input),
    async invoke(functionName, payload) {
      const path = `/2015-03-31/functions/${functionName}/invocations`;
      const { ok, status, text } = await post('lambda', path, {}, JSON.stringify(payload));
      if (!ok) throw new AwsError('Invoke', String(status), text);
      return text === '' ? undefined : JSON.parse(text);
    },
  };
}
