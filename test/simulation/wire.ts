/** The real SDK clients over the simulated network: requests are read and answers written as AWS does on the wire. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { Publish$ } from '@aws-sdk/client-sns';
import { NormalizedSchema } from '@smithy/core/schema';
import {
  type AwsAnswer,
  type AwsRequest,
  friendlyServiceName,
  jsonAnswer,
  toAwsRequest,
} from '../../sandbox/aws-request.ts';
import { isCloudWatchOperation, readInput, writeOutput } from '../../sandbox/cloudwatch/wire.ts';
import { answerXml, errorXml, parseQuery } from '../../sandbox/ec2/wire.ts';
import { queryAnswer, readForm } from '../../sandbox/query.ts';
import { toErrorAnswer } from '../../sandbox/service-faults.ts';
import * as ssm from '../../sandbox/ssm/wire.ts';
import { makeClients } from '../../shared/aws/clients.ts';
import { makeLambdaClient } from '../../shared/aws/direct-invocation.ts';
import { makeHookClients } from '../../shared/aws/hook-clients.ts';
import { classify } from '../../shared/aws/retry.ts';
import { times } from '../../shared/core/times.ts';
import {
  isHookFunction,
  type Network,
  type SendOptions,
  type ServiceName,
  services,
  timeoutMs,
} from './network.ts';
import type { Worker } from './virtual-time.ts';

// ── The wire formats ────────────────────────────────────────────────────────────────────────────────────

const requestId = '00000000-0000-4000-8000-000000000000';
const sns = {
  xmlNamespace: 'http://sns.amazonaws.com/doc/2010-03-31/',
  serviceNamespace: 'com.amazonaws.sns',
};
const jsonOf = (request: AwsRequest) => JSON.parse(request.body.toString()) as object;

async function readRequest(service: ServiceName, request: AwsRequest): Promise<object> {
  switch (service) {
    case 'ec2':
      return parseQuery(request.body.toString()).input;
    case 'dynamodb':
    case 'sqs':
      return jsonOf(request);
    case 'ssm':
      if (!ssm.isSsmOperation(request.operation)) break;
      return (await ssm.readInput(request.operation, request)) as object;
    case 'cloudwatch':
      if (!isCloudWatchOperation(request.operation)) break;
      return (await readInput(request.operation, request)) as object;
    case 'sns':
      if (request.operation !== 'Publish') break;
      return readForm(
        NormalizedSchema.of(Publish$[4]),
        new URLSearchParams(request.body.toString()),
      ) as object;
    case 'lambda':
      return {
        FunctionName: /^\/2015-03-31\/functions\/([^/]+)\/invocations$/.exec(request.path)?.[1],
        InvocationType: request.headers['x-amz-invocation-type'],
        Payload: request.body,
      };
  }
  throw new Error(`the wire does not know ${service}.${request.operation}`);
}

const xml = (status: number, body: string): AwsAnswer => ({
  status,
  headers: { 'content-type': 'text/xml;charset=UTF-8', 'x-amzn-requestid': requestId },
  body,
});

/** No answer has a Date header: the SDK would set its clock by it, and that clock is the real one. */
function writeAnswer(service: ServiceName, request: AwsRequest, output: object): AwsAnswer {
  switch (service) {
    case 'ec2':
      return xml(200, answerXml(parseQuery(request.body.toString()).operation, output, requestId));
    case 'dynamodb':
      return jsonAnswer(output);
    case 'ssm':
      if (!ssm.isSsmOperation(request.operation)) break;
      return ssm.writeOutput(request.operation, output);
    case 'cloudwatch':
      if (!isCloudWatchOperation(request.operation)) break;
      return writeOutput(request.operation, output, request);
    case 'sqs': {
      const { MessageBody } = jsonOf(request) as { readonly MessageBody: string };
      // The SDK compares it with what it sent.
      const MD5OfMessageBody = createHash('md5').update(MessageBody).digest('hex');
      return jsonAnswer({ ...output, MD5OfMessageBody });
    }
    case 'sns':
      return queryAnswer('Publish', Publish$[5], { MessageId: requestId, ...output }, sns);
    case 'lambda': {
      const { Payload } = output as { readonly Payload?: Uint8Array };
      const body = Buffer.from(Payload ?? []).toString();
      return { status: body === '' ? 202 : 200, headers: { 'x-amzn-requestid': requestId }, body };
    }
  }
  throw new Error(`the wire does not know ${service}.${request.operation}`);
}

/** What SNS writes where the SDK's name of an error is another. */
const snsCodes: Readonly<Record<string, string>> = {
  AuthorizationErrorException: 'AuthorizationError',
  ThrottledException: 'Throttled',
};

function writeFailure(service: ServiceName, request: AwsRequest, error: Error, status: number): AwsAnswer {
  const { message, name } = error;
  if (service === 'ec2') return xml(status, errorXml(name, message, requestId));
  const code = (service === 'sns' && snsCodes[name]) || name;
  return toErrorAnswer(service, { code, message, status }, request);
}

/** What a request handler is given and gives, as far as this one is concerned. */
interface HttpRequest {
  readonly method: string;
  readonly protocol: string;
  readonly hostname: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}
interface HttpResponse {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readable;
}

/** A body arrives as a stream, as from a socket. */
const toHttp = ({ status, headers, body }: AwsAnswer): { readonly response: HttpResponse } => ({
  response: { statusCode: status, headers, body: Readable.from(body === '' ? [] : [Buffer.from(body)]) },
});

function parse(expected: ServiceName, { method, protocol, hostname, path, headers, body }: HttpRequest) {
  const lower = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  );
  const request = toAwsRequest(
    method,
    new URL(`${protocol}//${hostname}${path}`),
    lower,
    // Not a copy: the SDK's own kind of byte array warns of being read as anything else than bytes.
    body instanceof Uint8Array
      ? Buffer.from(body.buffer, body.byteOffset, body.length)
      : Buffer.from(body ?? ''),
  );
  const service = request && friendlyServiceName(request.service);
  if (!request || service !== expected)
    throw new Error(`the client of ${expected} sent a request that is for ${service}`);
  return request;
}

// ── The clients ─────────────────────────────────────────────────────────────────────────────────────────

interface SdkClient {
  readonly config: { requestHandler: object };
  send(command: object, options?: object): Promise<object>;
}
interface NodeHttpHandler {
  handle(request: object, options: { readonly abortSignal: AbortSignal }): Promise<unknown>;
  httpHandlerConfigs(): { readonly requestTimeout?: number; readonly throwOnRequestTimeout?: boolean };
}

/** One call's way through the SDK; the client hands it on to its request handler among the options. */
interface Trip {
  cross(request: HttpRequest, real: NodeHttpHandler): Promise<{ readonly response: HttpResponse }>;
}

/** The network's error without what the SDK adds to it by itself. */
const timeoutErrorOf = ({ name, message, code }: Error & { readonly code?: string }) =>
  Object.assign(new Error(message), { name, code });

/** The SDK's own handler refuses before it opens anything, with its own error. */
const abortedBy = (real: NodeHttpHandler) =>
  real.handle({ protocol: 'https:' }, { abortSignal: AbortSignal.abort() });

const environment: Readonly<Record<string, string>> = {
  AWS_REGION: 'us-east-1',
  AWS_ACCESS_KEY_ID: 'simulated',
  AWS_SECRET_ACCESS_KEY: 'simulated',
  // Nobody's own configuration may change what is tested.
  AWS_CONFIG_FILE: '/nowhere',
  AWS_SHARED_CREDENTIALS_FILE: '/nowhere',
};

/** Of Lambda there are two: one hands an event over, the other waits for a hook's answer. */
type Clients = Readonly<Record<ServiceName | 'hooks', SdkClient>>;

/**
 * The clients of production, signing included; only what would open a socket is another. The environment stays as
 * it is set here, for the SDK reads it at each call.
 */
async function openClients(): Promise<Clients> {
  for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name];
  Object.assign(process.env, environment);
  const hooks = makeHookClients();
  const clients = {
    ...makeClients(),
    lambda: makeLambdaClient(),
    ssm: hooks.ssm,
    hooks: hooks.lambda,
  } as unknown as Clients;
  const limits = { ...timeoutMs, hooks: times.hookTimeoutMs };
  for (const service of [...services, 'hooks'] as const) {
    const { config } = clients[service];
    const real = config.requestHandler as NodeHttpHandler;
    // It has no configuration before its first request.
    await abortedBy(real).catch(() => undefined);
    const { requestTimeout, throwOnRequestTimeout } = real.httpHandlerConfigs();
    if (requestTimeout !== limits[service] || !throwOnRequestTimeout)
      throw new Error(`the client of ${service} gives up after ${requestTimeout} ms`);
    config.requestHandler = {
      metadata: { handlerProtocol: 'http/1.1' },
      handle: (request: HttpRequest, { trip }: { readonly trip: Trip }) => trip.cross(request, real),
    };
  }
  return clients;
}

let opened: ReturnType<typeof openClients> | undefined;

// ── The wire ────────────────────────────────────────────────────────────────────────────────────────────

export interface Wire {
  /** Through the real client of this service, on behalf of this worker. */
  send(
    network: Network,
    worker: Worker,
    service: ServiceName,
    command: object,
    options?: SendOptions,
  ): Promise<object>;
  /**
   * Once the SDK is done with all that it was given, lets it through: what comes first went in first, however many
   * turns the SDK took for it. True as long as there may be more.
   */
  readonly stir: () => boolean;
  /** HTTP requests that the clients have made. */
  readonly requests: () => number;
}

/** Far more than any answer takes to read: seconds. */
const maxTurns = 1_000_000;

/** One world's wire; the clients are the same for all worlds of a thread, as for all invocations of a process. */
export async function openWire(): Promise<Wire> {
  opened ??= openClients();
  const clients = await opened;
  const due: { readonly order: number; readonly run: () => void }[] = [];
  let order = 0;
  /** Calls that the SDK is working on, on their way out or back. */
  let busy = 0;
  let turns = 0;
  let requests = 0;
  let broken: Error | undefined;

  /** The simulator's own mistakes must not pass for a call that failed. */
  const breaks = (error: unknown) => {
    broken ??= error instanceof Error ? error : new Error(String(error));
    return broken;
  };

  return {
    requests: () => requests,

    stir() {
      if (broken) throw broken;
      if (busy > 0) {
        turns += 1;
        if (turns > maxTurns) throw breaks(new Error('the SDK does not settle'));
        return true;
      }
      turns = 0;
      if (due.length === 0) return false;
      for (const { run } of due.splice(0).sort((a, b) => a.order - b.order)) run();
      return true;
    },

    send(network, worker, service, command, options) {
      const enter = () => {
        order += 1;
        busy += 1;
        return order;
      };
      let place = enter();
      let isSent = false;
      /** What the network said, to be compared with what the SDK makes of it. */
      let outcome: object | undefined;

      const leave = (run: () => void) => {
        busy -= 1;
        due.push({ order: place, run });
      };

      const trip: Trip = {
        async cross(http, real) {
          if (isSent) throw breaks(new Error(`the client of ${service} tried again by itself`));
          isSent = true;
          requests += 1;
          let request: AwsRequest;
          let input: object;
          try {
            request = parse(service, http);
            input = await readRequest(service, request);
          } catch (error) {
            throw breaks(error);
          }
          const said = await new Promise<object>((resolve) => {
            leave(() => {
              network.request(worker, service, request.operation, input, options).then(resolve, resolve);
            });
          });
          outcome = said;
          place = enter();
          if (!(said instanceof Error)) return toHttp(writeAnswer(service, request, said));
          const { httpStatusCode } = (said as Error & { $metadata: { httpStatusCode?: number } }).$metadata;
          if (httpStatusCode !== undefined)
            return toHttp(writeFailure(service, request, said, httpStatusCode));
          if (said.name === 'AbortError') await abortedBy(real);
          throw timeoutErrorOf(said);
        },
      };

      return new Promise((resolve, reject) => {
        const { input } = command as { readonly input: object };
        const client = clients[isHookFunction({ service, input }) ? 'hooks' : service];
        client.send(command, { ...options, trip }).then(
          (answer) => {
            if (outcome instanceof Error) breaks(new Error(`${outcome.name} became an answer`));
            leave(() => resolve(answer));
          },
          (error: unknown) => {
            // Given up before it left, or in the moment of its answer: the SDK says so, whatever the answer was.
            const isGivenUp = options?.abortSignal?.aborted === true;
            const isAsSaid = outcome instanceof Error && classify(error) === classify(outcome);
            if (!isGivenUp && !isAsSaid) breaks(error);
            leave(() => reject(error));
          },
        );
      });
    },
  };
}
