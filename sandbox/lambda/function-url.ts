// A function's URL with IAM auth: the function is told who signed the request, as behind Lambda's own URLs.

import { randomUUID } from 'node:crypto';
import { type AwsAnswer, type AwsRequest, type JsonObject, jsonAnswer } from '../aws-request.ts';
import type { FunctionPool } from './function-pool.ts';

interface UrlResponse {
  statusCode?: number;
  headers?: Record<string, string>;
  body?: string;
  isBase64Encoded?: boolean;
}

/** The request was signed (or not) for the service `lambda`; `path` and `query` are what follows the URL. */
export async function answerFunctionUrl(
  pool: FunctionPool,
  request: AwsRequest,
  path: string,
  query: URLSearchParams,
  context: { accountId: string; nowMs: number },
): Promise<AwsAnswer> {
  const { functionUrl } = pool.spec;
  if (functionUrl === undefined) return jsonAnswer({ Message: null }, 404, 'application/json');
  const isSigned = request.accessKeyId !== 'anonymous' && request.service === 'lambda';
  if (functionUrl.authType === 'AWS_IAM' && !isSigned) {
    return jsonAnswer({ Message: 'Forbidden' }, 403, 'application/json');
  }
  const requestId = randomUUID();
  const event = toEvent(request, path, query, requestId, context);
  const answer = await pool.invoke({
    requestId,
    payload: JSON.stringify(event),
    attempt: 1,
    trigger: 'FunctionUrl',
  });
  if (answer.kind === 'throttled') return jsonAnswer({ Message: 'Rate Exceeded.' }, 429, 'application/json');
  if (answer.outcome.kind !== 'success')
    return jsonAnswer({ Message: 'Internal Server Error' }, 502, 'application/json');
  return toAnswer(JSON.parse(answer.outcome.payload) as unknown, answer.outcome.payload);
}

/** Payload format 2.0. */
function toEvent(
  request: AwsRequest,
  path: string,
  query: URLSearchParams,
  requestId: string,
  { accountId, nowMs }: { accountId: string; nowMs: number },
): JsonObject {
  const { accessKeyId, headers, method, body } = request;
  const text = body.toString();
  const isText = Buffer.from(text).equals(body);
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath: path,
    rawQueryString: query.toString(),
    headers,
    ...(query.size === 0 ? {} : { queryStringParameters: Object.fromEntries(query) }),
    requestContext: {
      accountId,
      apiId: 'sandbox',
      ...(accessKeyId === 'anonymous'
        ? {}
        : {
            authorizer: {
              iam: {
                accessKey: accessKeyId,
                accountId,
                callerId: accessKeyId,
                cognitoIdentity: null,
                principalOrgId: null,
                userArn: `arn:aws:iam::${accountId}:user/${accessKeyId}`,
                userId: accessKeyId,
              },
            },
          }),
      domainName: String(headers.host ?? ''),
      http: {
        method,
        path,
        protocol: 'HTTP/1.1',
        sourceIp: '127.0.0.1',
        userAgent: String(headers['user-agent'] ?? ''),
      },
      requestId,
      routeKey: '$default',
      stage: '$default',
      timeEpoch: nowMs,
    },
    ...(body.length === 0 ? {} : { body: isText ? text : body.toString('base64') }),
    isBase64Encoded: !isText,
  };
}

/** A function may answer with a whole response, or with anything else, which then is the body. */
function toAnswer(result: unknown, payload: string): AwsAnswer {
  const isResponse = typeof result === 'object' && result !== null && 'statusCode' in result;
  if (!isResponse) return { status: 200, headers: { 'content-type': 'application/json' }, body: payload };
  const { statusCode = 200, headers = {}, body = '', isBase64Encoded = false } = result as UrlResponse;
  return {
    status: statusCode,
    headers: { 'content-type': 'application/json', ...headers },
    body: isBase64Encoded ? Buffer.from(body, 'base64') : body,
  };
}
