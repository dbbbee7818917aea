/** What a service declares to be run around a move, behind the port: SSM documents and Lambda functions. */
import { InvokeCommand, type LambdaClient } from '@aws-sdk/client-lambda';
import {
  GetCommandInvocationCommand,
  ListCommandInvocationsCommand,
  SendCommandCommand,
  type SSMClient,
} from '@aws-sdk/client-ssm';
import type { Clock, HookAnswer, HookOrder, Hooks } from '../app/ports.ts';
import { classify, codeOf, detailOf, within } from './retry.ts';

type Document = Extract<HookOrder['command'], { kind: 'document' }>;
type Function = Extract<HookOrder['command'], { kind: 'function' }>;

/** SSM takes no less for the delivery to the agent. */
const minDeliverySec = 30;
const maxComment = 100;

/**
 * What passes by itself: an agent that SSM has not heard of for a moment, an invocation that cannot be looked at yet,
 * a function that is being updated or set up.
 */
const passing = new Set([
  'InvalidInstanceId',
  'InvocationDoesNotExist',
  'ResourceConflictException',
  'CodeArtifactUserPendingException',
  'SnapStartNotReadyException',
  'EFSMountConnectivityException',
  'EFSMountTimeoutException',
]);

/** Lambda answers these with a status of 5xx, and nothing but a change of the function ends them. */
const lasting = new Set([
  'EC2AccessDeniedException',
  'InvalidRuntimeException',
  'InvalidSecurityGroupIDException',
  'InvalidSubnetIDException',
  'InvalidZipFileException',
  'KMSAccessDeniedException',
  'KMSDisabledException',
  'KMSInvalidStateException',
  'KMSNotFoundException',
]);

function toFailure(error: unknown): HookAnswer {
  const code = codeOf(error);
  const failure = classify(error);
  const mayPass = failure === 'throttled' || failure === 'unavailable' || passing.has(code);
  return mayPass && !lasting.has(code)
    ? { kind: 'unclear', code }
    : { kind: 'refused', code, detail: detailOf(error) };
}

/** SSM knows no client token: a document that was sent twice must find out by the token in its parameters. */
async function send(
  client: Pick<SSMClient, 'send'>,
  { name, parameters, instance }: Document,
  { token, timeoutMs }: HookOrder,
): Promise<HookAnswer> {
  const { Command } = await client.send(
    new SendCommandCommand({
      DocumentName: name,
      InstanceIds: [instance],
      Parameters: Object.fromEntries(Object.entries(parameters).map(([key, values]) => [key, [...values]])),
      Comment: `eni-failover ${token}`.slice(0, maxComment),
      TimeoutSeconds: Math.max(minDeliverySec, Math.ceil(timeoutMs / 1_000)),
    }),
  );
  const handle = Command?.CommandId;
  return handle ? { kind: 'running', handle } : { kind: 'unclear', code: 'EmptyAnswer' };
}

/** How a command has come along on its instance. */
interface Progress {
  readonly status: string | undefined;
  readonly details: string | undefined;
  readonly said: string;
}

/** https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetCommandInvocation.html */
function toProgress({ status, details, said }: Progress, handle: string): HookAnswer {
  switch (status) {
    case 'Success':
      return { kind: 'done', output: said };
    case 'Failed':
    case 'TimedOut':
    case 'Cancelled':
      return { kind: 'failed', output: [details ?? status, said].filter(Boolean).join(': ') };
    default:
      return { kind: 'running', handle };
  }
}

/** Of a document with one step: standard error only where it failed, for a success may warn a lot. */
async function oneStep(client: Pick<SSMClient, 'send'>, order: CommandOf): Promise<Progress> {
  const { Status, StatusDetails, StandardOutputContent, StandardErrorContent } = await client.send(
    new GetCommandInvocationCommand(order),
  );
  const [out, err] = [StandardOutputContent ?? '', StandardErrorContent ?? ''].map((each) => each.trim());
  return { status: Status, details: StatusDetails, said: (Status === 'Success' ? out : err || out) ?? '' };
}

/** Of a document with several: the whole command's status, and what its last step that ran has printed. */
async function allSteps(client: Pick<SSMClient, 'send'>, order: CommandOf): Promise<Progress> {
  const { CommandInvocations } = await client.send(
    new ListCommandInvocationsCommand({ ...order, Details: true }),
  );
  const [found] = CommandInvocations ?? [];
  const outputs = (found?.CommandPlugins ?? []).map((each) => each.Output?.trim() ?? '');
  return {
    status: found?.Status,
    details: found?.StatusDetails,
    said: outputs.findLast((each) => each !== '') ?? '',
  };
}

interface CommandOf {
  readonly CommandId: string;
  readonly InstanceId: string;
}

async function ask(
  client: Pick<SSMClient, 'send'>,
  { instance }: Document,
  handle: string,
): Promise<HookAnswer> {
  const order = { CommandId: handle, InstanceId: instance };
  try {
    return toProgress(await oneStep(client, order), handle);
  } catch (error) {
    // It wants to be told which step of several is meant: https://github.com/boto/boto3/issues/1811
    if (codeOf(error) !== 'InvalidPluginName') throw error;
    return toProgress(await allSteps(client, order), handle);
  }
}

/** What a function must answer; anything else is a failure that says so. */
function toAnswer(text: string): HookAnswer {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    answer = undefined;
  }
  const { status, output } = (answer ?? {}) as { readonly status?: unknown; readonly output?: unknown };
  const said = typeof output === 'string' ? output : '';
  if (status === 'done' || status === 'failed') return { kind: status, output: said };
  if (status === 'pending') return { kind: 'running' };
  return {
    kind: 'failed',
    output: `it must answer {"status": "done"}, "pending" or "failed"; it answered ${text.slice(0, 100)}`,
  };
}

/** What it threw, without the stack trace that would push the message out of what is kept. */
function thrownBy(functionError: string, text: string): string {
  try {
    const { errorType, errorMessage } = JSON.parse(text) as Record<string, unknown>;
    if (typeof errorMessage === 'string')
      return typeof errorType === 'string' ? `${errorType}: ${errorMessage}` : errorMessage;
  } catch {
    // What killed it left no JSON.
  }
  return `${functionError}: ${text}`;
}

async function invoke(
  client: Pick<LambdaClient, 'send'>,
  clock: Clock,
  { name, payload }: Function,
  timeoutMs: number,
): Promise<HookAnswer> {
  const command = new InvokeCommand({
    FunctionName: name,
    InvocationType: 'RequestResponse',
    Payload: Buffer.from(JSON.stringify(payload)),
  });
  const { FunctionError, Payload } = await within(clock, timeoutMs, (abortSignal) =>
    client.send(command, { abortSignal }),
  );
  const text = Buffer.from(Payload ?? []).toString();
  return FunctionError ? { kind: 'failed', output: thrownBy(FunctionError, text) } : toAnswer(text);
}

/** The clients must not retry by themselves: a stage asks again as long as its deadline allows. */
export function makeHooks(
  clients: { readonly ssm: Pick<SSMClient, 'send'>; readonly lambda: Pick<LambdaClient, 'send'> },
  clock: Clock,
): Hooks {
  return {
    async run(order) {
      const { command, handle, timeoutMs } = order;
      try {
        if (command.kind === 'function') return await invoke(clients.lambda, clock, command, timeoutMs);
        return handle === undefined
          ? await send(clients.ssm, command, order)
          : await ask(clients.ssm, command, handle);
      } catch (error) {
        return toFailure(error);
      }
    },
  };
}
