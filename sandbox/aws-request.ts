// Reads from a request on the one port which AWS service, operation and caller it is meant for.

import type { IncomingHttpHeaders } from 'node:http';

export interface AwsRequest {
  service: string;
  operation: string;
  /** The caller: every Lambda process has an access key id of its own. */
  accessKeyId: string;
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

export interface AwsAnswer {
  status: number;
  headers: Record<string, string>;
  body: string | Buffer;
}

export type AwsService = (request: AwsRequest) => Promise<AwsAnswer>;

const SERVICE_OF_TARGET: Record<string, string> = {
  DynamoDB_20120810: 'dynamodb',
  AmazonSQS: 'sqs',
  GraniteServiceVersion20100801: 'monitoring',
  AWSEvents: 'events',
  AmazonSSM: 'ssm',
};

const SERVICE_OF_API_VERSION: Record<string, string> = {
  '2016-11-15': 'ec2',
  '2010-05-15': 'cloudformation',
  '2010-08-01': 'monitoring',
  '2010-03-31': 'sns',
  '2012-11-05': 'sqs',
  '2011-06-15': 'sts',
};

/** `undefined` when nothing in the request says which service it is for. */
export function toAwsRequest(
  method: string,
  url: URL,
  headers: IncomingHttpHeaders,
  body: Buffer,
): AwsRequest | undefined {
  const form = formOf(headers, url, body);
  const [targetPrefix, targetOperation] = String(headers['x-amz-target'] ?? '').split('.');
  const scope = credentialScope(headers, url);
  const service =
    scope?.service ??
    SERVICE_OF_TARGET[targetPrefix ?? ''] ??
    SERVICE_OF_API_VERSION[form.get('Version') ?? ''] ??
    (url.pathname.startsWith('/2015-03-31/functions/') ? 'lambda' : undefined);
  if (service === undefined) return undefined;
  const operation = targetOperation ?? form.get('Action') ?? (service === 'lambda' ? 'Invoke' : '');
  return {
    service,
    operation,
    accessKeyId: scope?.accessKeyId ?? 'anonymous',
    method,
    path: url.pathname,
    headers,
    body,
  };
}

/** Service names as people say them; the signature calls CloudWatch `monitoring`. */
export function friendlyServiceName(service: string): string {
  return service === 'monitoring' ? 'cloudwatch' : service;
}

/** The credential scope is `<access key id>/<date>/<region>/<service>/aws4_request`. */
function credentialScope(headers: IncomingHttpHeaders, url: URL) {
  const credential =
    /Credential=([^,\s]+)/.exec(headers.authorization ?? '')?.[1] ?? url.searchParams.get('X-Amz-Credential');
  const [accessKeyId, , , service] = credential?.split('/') ?? [];
  return accessKeyId !== undefined && service !== undefined ? { accessKeyId, service } : undefined;
}

function formOf(headers: IncomingHttpHeaders, url: URL, body: Buffer): URLSearchParams {
  const isForm = headers['content-type']?.startsWith('application/x-www-form-urlencoded') ?? false;
  return isForm ? new URLSearchParams(body.toString()) : url.searchParams;
}

export type JsonObject = Record<string, unknown>;

export function jsonAnswer(
  value: unknown,
  status = 200,
  contentType = 'application/x-amz-json-1.0',
): AwsAnswer {
  return { status, headers: { 'content-type': contentType }, body: JSON.stringify(value) };
}

export function escapeXml(text: string): string {
  return text.replace(/[<>&"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
