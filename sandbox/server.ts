// An AWS for one machine on one loopback port: starts the stack of a template and routes every request to its service.

import { existsSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type AwsAnswer, type AwsRequest, type AwsService, jsonAnswer, toAwsRequest } from './aws-request.ts';
import { realClock, type SandboxClock } from './clock.ts';
import { type Attachment, makeControl } from './control.ts';
import { type DataPlane, makeDataPlane } from './data-plane/data-plane.ts';
import { type Deployment, deploy } from './deployment.ts';
import { type Ec2Model, makeEc2Model } from './ec2/model.ts';
import { makeEc2Endpoint } from './ec2-endpoint.ts';
import { makeKillTriggers } from './kill-triggers.ts';
import { answerFunctionUrl } from './lambda/function-url.ts';
import { makeServiceFaults } from './service-faults.ts';
import { makeRunCommand, type RunCommand } from './ssm/run-command.ts';
import { makeSsm } from './ssm/ssm.ts';
import { type FunctionSpec, readStack, type Stack } from './stack.ts';

export interface SandboxOptions {
  templateFile: string;
  /** 0, the default, picks a free port. */
  port?: number;
  latency?: 'instant' | 'realistic';
  /** How long a failed status check takes to become an alarm: not at all, or one to three minutes. */
  detection?: 'instant' | 'realistic';
  freeze?: boolean;
  distDir?: string;
  asyncRetryDelaysMs?: readonly number[];
  parameters?: Record<string, string>;
  stackName?: string;
  clock?: SandboxClock;
  random?: () => number;
}

export interface Sandbox {
  endpoint: string;
  region: string;
  accountId: string;
  stack: Stack;
  ec2: Ec2Model;
  /** Register here what the guests' documents do. */
  ssm: RunCommand;
  /** Addresses that can be connected to, and processes behind instances. */
  dataPlane: DataPlane;
  /** Everything as it was at the start; the endpoint stays. */
  reset(): Promise<void>;
  close(): Promise<void>;
}

export class SandboxError extends Error {}

const REGION = 'us-east-1';
const ACCOUNT_ID = '000000000000';
const DEFAULT_STACK_NAME = 'eni-failover';
/** AWS waits one minute and two; nobody wants to at a desk. */
const DEFAULT_ASYNC_RETRY_DELAYS_MS = [1_000, 2_000];
const SSM_TIMES = {
  instant: { visibleAfterMs: 0, deliveryMs: 0 },
  realistic: { visibleAfterMs: 300, deliveryMs: 500 },
};
const REALISTIC_DETECTION_MS = { least: 60_000, most: 180_000 };

export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  const { clock = realClock(), random = Math.random, latency = 'instant', detection = 'instant' } = options;
  if (!existsSync(options.templateFile)) {
    throw new SandboxError(`There is no template ${options.templateFile}: name one with --template FILE.`);
  }
  const server = createServer();
  const endpoint = await listen(server, options.port ?? 0);
  const problems: { at: string; message: string }[] = [];
  const onProblem = (message: string): void => {
    problems.push({ at: new Date(clock.now()).toISOString(), message });
  };

  const faults = makeServiceFaults();
  const killTriggers = makeKillTriggers();
  const ec2 = makeEc2Model({ clock, random, latency, region: REGION, accountId: ACCOUNT_ID });
  const ec2Endpoint = makeEc2Endpoint(ec2);
  const ssm = makeRunCommand({ clock, random, ec2, accountId: ACCOUNT_ID, times: SSM_TIMES[latency] });
  const ssmEndpoint = faults.wrap('ssm', makeSsm(ssm));
  const dataPlane = makeDataPlane(ec2);
  const attachments: Attachment[] = [];

  const start = async () => {
    const stack = readStack({
      templateFile: options.templateFile,
      endpoint,
      region: REGION,
      accountId: ACCOUNT_ID,
      stackName: options.stackName ?? DEFAULT_STACK_NAME,
      parameters: options.parameters ?? {},
      ...(options.distDir === undefined ? {} : { distDir: options.distDir }),
    });
    requireBundles(stack.functions);
    const deployment = await deploy(stack, {
      clock,
      endpoint,
      region: REGION,
      accountId: ACCOUNT_ID,
      freeze: options.freeze ?? false,
      asyncRetryDelaysMs: options.asyncRetryDelaysMs ?? DEFAULT_ASYNC_RETRY_DELAYS_MS,
      detectionDelayMs: () => {
        const { least, most } = REALISTIC_DETECTION_MS;
        return detection === 'instant' ? 0 : least + random() * (most - least);
      },
      faults,
      onProblem,
    });
    return { stack, deployment };
  };

  const running = await start().catch(async (error: unknown) => {
    server.close();
    throw error;
  });
  const { stack } = running;
  let deployment: Deployment = running.deployment;

  ec2.onEvent((event) => {
    if (event.kind === 'attachment') {
      const { kind: _, atMs, ...change } = event;
      attachments.push({ at: new Date(atMs).toISOString(), ...change });
    }
    deployment.onEc2Event(event);
  });

  const reset = async (): Promise<void> => {
    faults.clear();
    killTriggers.clear();
    await deployment.close();
    ssm.reset();
    await dataPlane.reset();
    ec2.reset();
    attachments.length = 0;
    problems.length = 0;
    deployment = (await start()).deployment;
  };

  const control = makeControl({
    ec2,
    ssm,
    dataPlane,
    stack,
    faults,
    killTriggers,
    attachments,
    problems,
    deployment: () => deployment,
    reset,
  });

  const serviceOf = (name: string): AwsService | undefined =>
    ({ ec2: ec2Endpoint, ssm: ssmEndpoint })[name] ?? deployment.services[name];

  /** `undefined`: the caller is dead and its answer lost. */
  const answerAws = async (
    request: AwsRequest,
  ): Promise<{ answer: AwsAnswer; onSent?: () => void } | undefined> => {
    const handle = serviceOf(request.service);
    if (handle === undefined) {
      return { answer: jsonAnswer({ message: `The sandbox has no service '${request.service}'` }, 501) };
    }
    const answer = await handle(request);
    const pool = deployment.lambda.poolOf(request.accessKeyId);
    const trigger = pool && killTriggers.match(pool.spec.name, request);
    if (pool === undefined || trigger === undefined) return { answer };
    const kill = (): void => void pool.kill(request.accessKeyId);
    if (trigger.answer === 'sent') return { answer, onSent: kill };
    kill();
    return undefined;
  };

  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', endpoint);
    const method = request.method ?? 'GET';
    const body = await bodyOf(request);
    if (url.pathname.startsWith('/_sandbox')) {
      return send(response, await control(method, url.pathname, body.toString()));
    }
    const functionUrl = /^\/_url\/([^/]+)(\/.*)?$/.exec(url.pathname);
    if (functionUrl !== null) {
      const pool = deployment.lambda.pool(functionUrl[1] ?? '');
      if (pool === undefined) return send(response, jsonAnswer({ Message: null }, 404));
      const signed = {
        method,
        path: url.pathname,
        query: url.search.slice(1),
        headers: request.headers,
        body,
      };
      const context = { accountId: ACCOUNT_ID, nowMs: clock.now() };
      return send(response, await answerFunctionUrl(pool, signed, functionUrl[2] ?? '/', context));
    }
    const awsRequest = toAwsRequest(method, url, request.headers, body);
    if (awsRequest === undefined) {
      const message =
        'Nothing in this request says which AWS service it is for: it has no signature, no X-Amz-Target and no API version. The sandbox’s own endpoints are under /_sandbox/.';
      return send(response, jsonAnswer({ message }, 400, 'application/json'));
    }
    const answered = await answerAws(awsRequest);
    if (answered === undefined) {
      response.destroy();
      return;
    }
    if (answered.onSent !== undefined) response.once('finish', answered.onSent);
    send(response, answered.answer);
  };

  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    respond(request, response).catch((error: unknown) => {
      const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
      onProblem(`${request.method} ${request.url}: ${message}`);
      if (response.headersSent) response.destroy();
      else
        send(
          response,
          jsonAnswer({ __type: 'InternalFailure', message: `The sandbox failed: ${message}` }, 500),
        );
    });
  });

  return {
    endpoint,
    region: REGION,
    accountId: ACCOUNT_ID,
    stack,
    ec2,
    ssm,
    dataPlane,
    reset,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      ssm.reset();
      await dataPlane.reset();
      await deployment.close();
      await closed;
    },
  };
}

function requireBundles(functions: FunctionSpec[]): void {
  for (const { name, codePath, handler } of functions) {
    const file = handler.slice(0, handler.lastIndexOf('.'));
    if (!['.mjs', '.js', '.cjs'].some((extension) => existsSync(join(codePath, file + extension)))) {
      throw new SandboxError(
        `The bundle of ${name} is missing (${join(codePath, `${file}.mjs`)}): run \`npm run build\` first.`,
      );
    }
  }
}

function listen(server: Server, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const inUse = error.code === 'EADDRINUSE';
      reject(
        inUse
          ? new SandboxError(
              `Port ${port} is in use: stop what listens there, or pass --port 0 to have a free one picked.`,
            )
          : error,
      );
    });
    server.listen(port, '127.0.0.1', () =>
      resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
    );
  });
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function send(response: ServerResponse, { status, headers, body }: AwsAnswer): void {
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}
