// The runtime of a sandboxed function: loads its handler and feeds it over Lambda's Runtime API, as AWS's own Node runtime does.

import { existsSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const { AWS_LAMBDA_RUNTIME_API, LAMBDA_TASK_ROOT, _HANDLER } = process.env;
const [apiHost, apiPort] = AWS_LAMBDA_RUNTIME_API.split(':');
// One connection, and node:http rather than fetch: `next` may wait for hours, and fetch gives up after minutes.
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
let currentRequestId;

function call(method, path, body, headers = {}) {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { host: apiHost, port: apiPort, method, path: `/2018-06-01/runtime/${path}`, agent, headers },
      (response) => {
        const chunks = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('end', () =>
          resolve({ headers: response.headers, body: Buffer.concat(chunks).toString() }),
        );
        response.on('error', reject);
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

function reportError(path, error, errorType = error?.name ?? 'Error') {
  const body = {
    errorType,
    errorMessage: error instanceof Error ? error.message : String(error),
    trace: error instanceof Error ? (error.stack ?? '').split('\n') : [],
  };
  return call('POST', path, JSON.stringify(body), { 'lambda-runtime-function-error-type': errorType });
}

async function loadHandler() {
  const dot = _HANDLER.lastIndexOf('.');
  const file = ['.mjs', '.js', '.cjs']
    .map((extension) => join(LAMBDA_TASK_ROOT, _HANDLER.slice(0, dot) + extension))
    .find(existsSync);
  if (file === undefined) {
    throw Object.assign(new Error(`Cannot find module '${_HANDLER.slice(0, dot)}' in ${LAMBDA_TASK_ROOT}`), {
      name: 'Runtime.ImportModuleError',
    });
  }
  const handler = (await import(pathToFileURL(file).href))[_HANDLER.slice(dot + 1)];
  if (typeof handler !== 'function') {
    throw Object.assign(new Error(`${_HANDLER} is undefined or not exported`), {
      name: 'Runtime.HandlerNotFound',
    });
  }
  return handler;
}

function toContext(headers) {
  const deadlineMs = Number(headers['lambda-runtime-deadline-ms']);
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
    awsRequestId: headers['lambda-runtime-aws-request-id'],
    getRemainingTimeInMillis: () => Math.max(deadlineMs - Date.now(), 0),
  };
}

async function crash(errorType, error) {
  const path = currentRequestId === undefined ? 'init/error' : `invocation/${currentRequestId}/error`;
  await reportError(path, error, errorType).catch(() => undefined);
  process.exit(1);
}

process.on('uncaughtException', (error) => void crash('Runtime.UncaughtException', error));
process.on('unhandledRejection', (error) => void crash('Runtime.UnhandledPromiseRejection', error));

let handler;
try {
  handler = await loadHandler();
} catch (error) {
  await reportError('init/error', error);
  process.exit(1);
}

for (;;) {
  // The sandbox is gone when this fails: end as well, quietly.
  const next = await call('GET', 'invocation/next').catch(() => process.exit(0));
  currentRequestId = next.headers['lambda-runtime-aws-request-id'];
  process.env._X_AMZN_TRACE_ID = next.headers['lambda-runtime-trace-id'];
  try {
    const result = await handler(JSON.parse(next.body), toContext(next.headers));
    await call('POST', `invocation/${currentRequestId}/response`, JSON.stringify(result) ?? 'null');
  } catch (error) {
    await reportError(`invocation/${currentRequestId}/error`, error);
  }
  currentRequestId = undefined;
}
