/** What a service declares to be run around a move, behind the port: SSM documents and Lambda functions. */
import { InvokeCommand, type LambdaClient } from '@aws-sdk/client-lambda';
import { GetCommandInvocationCommand, SendCommandCommand, type SSMClient } from '@aws-sdk/client-ssm';
import type { Clock, HookAnswer, HookOrder, Hooks } from '../app/ports.ts';
import { messageOf } from '../core/errors.ts';
import { classify, codeOf, within } from './retry.ts';

type Document = Extract<HookOrder['command'], { kind: 'document' }>;
type Function = Extract<HookOrder['command'], { kind: 'function' }>;

/** SSM takes no less for the delivery to the agent. */
const minDeliverySec = 30;
const maxComment = 100;

/** What passes by itself: an agent that has lost its connection for a moment, a function being updated. */
const passing = new Set(['InvalidInstanceId', 'InvocationDoesNotExist', 'ResourceConflictException']);

function toFailure(error: unknown): HookAnswer {
  const code = codeOf(error);
  const failure = classify(error);
  return failure === 'throttled' || failure === 'unavailable' || passing.has(code)
    ? { kind: 'unclear', code }
    : { kind: 'refused', code, detail: messageOf(error) };
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

/** https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetCommandInvocation.html */
async function ask(
  client: Pick<SSMClient, 'send'>,
  { instance }: Document,
  handle: string,
): Promise<HookAnswer> {
  const answer = await client.send(
    new GetCommandInvocationCommand({ CommandId: handle, InstanceId: instance }),
  );
  const { Status, StatusDetails, StandardOutputContent = '', StandardErrorContent = '' } = answer;
  switch (Status) {
    case 'Success':
      return { kind: 'done', output: StandardOutputContent.trim() };
    case 'Failed':
    case 'TimedOut':
    case 'Cancelled': {
      const said = StandardErrorContent.trim() || StandardOutputContent.trim();
      return { kind: 'failed', output: [StatusDetails ?? Status, said].filter(Boolean).join(': ') };
    }
    default:
      return { kind: 'running', handle };
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
  return FunctionError ? { kind: 'failed', output: `${FunctionError}: ${text}` } : toAnswer(text);
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
