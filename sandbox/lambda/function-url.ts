// A function's URL with IAM auth: the function is told who signed the request, as behind Lambda's own URLs.

import { randomUUID } from 'node:crypto';
import { type AwsAnswer, type JsonObject, jsonAnswer } from '../aws-request.ts';
import type { FunctionPool } from './function-pool.ts';
import { checkSignature, type SignedRequest } from './signature.ts';

interface UrlResponse {
  statusCode?: number;
  headers?: Record<string, string>;
  body?: string;
  isBase64Encoded?: boolean;
}

/** `path` is what follows the URL; the whole of it is signed. */
export async function answerFunctionUrl(
  pool: FunctionPool,
  request: SignedRequest,
  path: string,
  context: { accountId: string; nowMs: number },
): Promise<AwsAnswer> {
  const { functionUrl } = pool.spec;
  if (functionUrl === undefined) return jsonAnswer({ Message: null }, 404, 'application/json');
  let accessKeyId: string | undefined;
  if (functionUrl.authType === 'AWS_IAM') {
    const check = checkSignature(request, context.nowMs);
    if (check.kind === 'refused') return jsonAnswer({ Message: check.message }, 403, 'application/json');
    accessKeyId = check.accessKeyId;
  }
  const requestId = randomUUID();
  const event = toEvent(request, accessKeyId, path, requestId, context);
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
  request: SignedRequest,
  accessKeyId: string | undefined,
  path: string,
  requestId: string,
  { accountId, nowMs }: { accountId: string; nowMs: number },
): JsonObject {
  const { headers, method, body } = request;
  const query = new URLSearchParams(request.query);
  const text = body.toString();
  const isText = Buffer.from(text).equals(body);
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath: path,
    rawQueryString: request.query,
    headers,
    ...(query.size === 0 ? {} : { queryStringParameters: Object.fromEntries(query) }),
    requestContext: {
      accountId,
      apiId: 'sandbox',
      ...(accessKeyId === undefined
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
