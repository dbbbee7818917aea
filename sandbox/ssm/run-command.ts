// Run Command: what becomes of a command between the API and the agent in the guest, which may be deaf, late or gone.

import type {
  CancelCommandRequest,
  CancelCommandResult,
  GetCommandInvocationRequest,
  GetCommandInvocationResult,
  SendCommandRequest,
  SendCommandResult,
} from '@aws-sdk/client-ssm';
import type { SandboxClock } from '../clock.ts';
import type { Ec2Model } from '../ec2/model.ts';
import type { DocumentResult, SsmDocument } from './document.ts';
import { executionTimeoutSecOf, requireSendable, SsmError } from './send-command-input.ts';

type Status = 'Pending' | 'InProgress' | 'Success' | 'Failed' | 'TimedOut' | 'Cancelling' | 'Cancelled';

/** One command on one instance. */
interface Invocation {
  readonly instanceId: string;
  readonly command: Command;
  status: Status;
  /** Says which of two timeouts it was. */
  details: string;
  startedAtMs?: number;
  endedAtMs?: number;
  result?: DocumentResult;
  /** Answered while nobody could hear the agent: told when it is heard again. */
  held?: DocumentResult | undefined;
  readonly abort: AbortController;
}

interface Command {
  readonly id: string;
  readonly caller: string;
  readonly document: SsmDocument;
  readonly input: SendCommandRequest;
  readonly requestedAtMs: number;
  /** Until then it can only be sent, not looked at: SSM is eventually consistent. */
  readonly visibleAtMs: number;
  readonly startBeforeMs: number;
  readonly executionTimeoutMs: number;
  readonly invocations: Invocation[];
}

export interface SsmTimes {
  /** How long after SendCommand its invocations can be looked at. */
  visibleAfterMs: number;
  /** How long a command takes to reach the agent. */
  deliveryMs: number;
}

export interface RunCommandOptions {
  clock: SandboxClock;
  /** Uniform in [0, 1): the ids of commands are drawn from it. */
  random: () => number;
  ec2: Pick<Ec2Model, 'guest' | 'onEvent'>;
  accountId: string;
  times: SsmTimes;
}

export interface CommandRecord {
  commandId: string;
  documentName: string;
  caller: string;
  at: string;
  input: SendCommandRequest;
  instanceId: string;
  status: Status;
  statusDetails: string;
  startedAt: string | null;
  endedAt: string | null;
  responseCode: number;
  output: string;
  error: string;
}

/** Refusals are thrown as `SsmError`. */
export interface RunCommand {
  register(document: SsmDocument): void;
  documents(): { name: string; parameters: readonly string[] }[];
  sendCommand(input: SendCommandRequest, caller: string): SendCommandResult;
  getCommandInvocation(input: GetCommandInvocationRequest): GetCommandInvocationResult;
  cancelCommand(input: CancelCommandRequest): CancelCommandResult;
  /** Every command on every instance it was sent to, oldest first. */
  commands(): CommandRecord[];
  configure(times: Partial<SsmTimes>): void;
  /** No commands and no documents; what runs is told to end. */
  reset(): void;
}

/** As SSM cuts them off. */
const SHOWN_OUTPUT = 24_000;
const SHOWN_ERROR = 8_000;
const DEFAULT_TIMEOUT_SEC = 3600;
/** Node's timers hold no more; SSM's own limit is some days longer. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export function makeRunCommand(options: RunCommandOptions): RunCommand {
  const { clock, ec2, random, accountId } = options;
  let times = { ...options.times };
  const documents = new Map<string, SsmDocument>();
  const commands = new Map<string, Command>();
  const timers = new Set<() => void>();

  const later = (delayMs: number, run: () => void): void => {
    const cancel = clock.after(Math.min(delayMs, LONGEST_TIMER_MS), () => {
      timers.delete(cancel);
      run();
    });
    timers.add(cancel);
  };

  const isRunning = ({ status }: Invocation): boolean => status === 'InProgress' || status === 'Cancelling';
  const answers = ({ instanceId }: Invocation): boolean => ec2.guest(instanceId)?.answers ?? false;

  const end = (invocation: Invocation, status: Status, details: string): void => {
    invocation.status = status;
    invocation.details = details;
    invocation.endedAtMs = clock.now();
    invocation.held = undefined;
    invocation.abort.abort();
  };

  /** The agent reports; whoever cannot be heard reports later. */
  const report = (invocation: Invocation, result: DocumentResult): void => {
    if (!isRunning(invocation) || invocation.abort.signal.aborted) return;
    if (!answers(invocation)) {
      invocation.held = result;
      return;
    }
    invocation.result = result;
    end(invocation, result.status, result.status);
  };

  const execute = async (invocation: Invocation): Promise<DocumentResult> => {
    const { command, instanceId, abort } = invocation;
    const parameters = structuredClone(command.input.Parameters ?? {});
    try {
      return await command.document.run({ commandId: command.id, instanceId, parameters }, abort.signal);
    } catch (error) {
      return { status: 'Failed', output: '', error: error instanceof Error ? error.message : String(error) };
    }
  };

  /** Once the agent can be reached, unless it is too late to begin. */
  const deliver = (invocation: Invocation): void => {
    const { command } = invocation;
    const now = clock.now();
    if (invocation.status !== 'Pending' || now >= command.startBeforeMs || !answers(invocation)) return;
    if (now < command.requestedAtMs + times.deliveryMs) return;
    invocation.status = 'InProgress';
    invocation.details = 'InProgress';
    invocation.startedAtMs = now;
    later(command.executionTimeoutMs, () => {
      if (isRunning(invocation)) end(invocation, 'TimedOut', 'ExecutionTimedOut');
    });
    void execute(invocation).then((result) => {
      const { tookMs = 0 } = result;
      if (tookMs === 0) report(invocation, result);
      else if (!invocation.abort.signal.aborted) later(tookMs, () => report(invocation, result));
    });
  };

  const onGuestChange = (instanceId: string): void => {
    const guest = ec2.guest(instanceId);
    for (const { invocations } of commands.values()) {
      for (const invocation of invocations) {
        if (invocation.instanceId !== instanceId) continue;
        deliver(invocation);
        // What ran in the guest ended with it, and nobody is left to say so: SSM waits until its time is up.
        if (isRunning(invocation) && guest?.state !== 'running') invocation.abort.abort();
        else if (invocation.held !== undefined) report(invocation, invocation.held);
      }
    }
  };
  ec2.onEvent((event) => {
    if (event.kind !== 'attachment') onGuestChange(event.instanceId);
  });

  const newCommandId = (): string => {
    const hex = (digits: number) =>
      Array.from({ length: digits }, () => Math.floor(random() * 16).toString(16)).join('');
    return [8, 4, 4, 4, 12].map(hex).join('-');
  };

  const visibleInvocation = (commandId: string | undefined, instanceId: string | undefined): Invocation => {
    const command = commands.get(commandId ?? '');
    const invocation = command?.invocations.find((one) => one.instanceId === instanceId);
    if (command === undefined || invocation === undefined || clock.now() < command.visibleAtMs) {
      throw new SsmError('InvocationDoesNotExist', '');
    }
    return invocation;
  };

  return {
    register: (document) => void documents.set(document.name, document),
    documents: () => [...documents.values()].map(({ name, parameters = [] }) => ({ name, parameters })),

    sendCommand(input, caller) {
      const document = requireSendable(input, documents, ec2, accountId);
      const now = clock.now();
      const timeoutSec = input.TimeoutSeconds ?? DEFAULT_TIMEOUT_SEC;
      const executionTimeoutMs = executionTimeoutSecOf(document, input) * 1000;
      const invocations: Invocation[] = [];
      const command: Command = {
        id: newCommandId(),
        caller,
        document,
        input,
        requestedAtMs: now,
        visibleAtMs: now + times.visibleAfterMs,
        startBeforeMs: now + timeoutSec * 1000,
        executionTimeoutMs,
        invocations,
      };
      for (const instanceId of input.InstanceIds ?? []) {
        const abort = new AbortController();
        const invocation: Invocation = { instanceId, command, status: 'Pending', details: 'Pending', abort };
        invocations.push(invocation);
        later(times.deliveryMs, () => deliver(invocation));
        // Documented: a command that was not received is given up only after both times together.
        later(timeoutSec * 1000 + executionTimeoutMs, () => {
          if (invocation.status === 'Pending') end(invocation, 'TimedOut', 'DeliveryTimedOut');
        });
      }
      commands.set(command.id, command);
      return {
        Command: {
          CommandId: command.id,
          DocumentName: document.name,
          DocumentVersion: input.DocumentVersion ?? '$DEFAULT',
          Comment: input.Comment ?? '',
          ExpiresAfter: new Date(command.startBeforeMs + executionTimeoutMs),
          Parameters: input.Parameters ?? {},
          InstanceIds: input.InstanceIds ?? [],
          Targets: [],
          RequestedDateTime: new Date(now),
          Status: 'Pending',
          StatusDetails: 'Pending',
          TimeoutSeconds: timeoutSec,
          TargetCount: invocations.length,
          CompletedCount: 0,
          ErrorCount: 0,
          DeliveryTimedOutCount: 0,
        },
      };
    },

    getCommandInvocation({ CommandId, InstanceId, PluginName }) {
      // A document here is one function, not steps with names.
      if (PluginName !== undefined) throw new SsmError('InvalidPluginName', PluginName);
      const invocation = visibleInvocation(CommandId, InstanceId);
      const { command, status, details, result, startedAtMs, endedAtMs } = invocation;
      return {
        CommandId: command.id,
        InstanceId: invocation.instanceId,
        Comment: command.input.Comment ?? '',
        DocumentName: command.document.name,
        DocumentVersion: command.input.DocumentVersion ?? '$DEFAULT',
        PluginName: '',
        ResponseCode: responseCodeOf(result),
        ExecutionStartDateTime: startedAtMs === undefined ? '' : new Date(startedAtMs).toISOString(),
        ExecutionElapsedTime:
          startedAtMs === undefined || endedAtMs === undefined
            ? ''
            : `PT${(endedAtMs - startedAtMs) / 1000}S`,
        ExecutionEndDateTime:
          startedAtMs === undefined || endedAtMs === undefined ? '' : new Date(endedAtMs).toISOString(),
        Status: status,
        StatusDetails: details,
        StandardOutputContent: result?.output.slice(0, SHOWN_OUTPUT) ?? '',
        StandardOutputUrl: '',
        StandardErrorContent: result?.error?.slice(0, SHOWN_ERROR) ?? '',
        StandardErrorUrl: '',
      };
    },

    /** What the agent does not hear of, it does not end. */
    cancelCommand({ CommandId, InstanceIds }) {
      const command = commands.get(CommandId ?? '');
      if (command === undefined) throw new SsmError('InvalidCommandId', '');
      for (const invocation of command.invocations) {
        if (InstanceIds !== undefined && !InstanceIds.includes(invocation.instanceId)) continue;
        const { status } = invocation;
        if (status === 'Pending' || (status === 'InProgress' && answers(invocation))) {
          end(invocation, 'Cancelled', 'Cancelled');
        } else if (status === 'InProgress') {
          invocation.status = 'Cancelling';
          invocation.details = 'Cancelling';
        }
      }
      return {};
    },

    commands: () =>
      [...commands.values()].flatMap((command) =>
        command.invocations.map(({ instanceId, status, details, startedAtMs, endedAtMs, result }) => ({
          commandId: command.id,
          documentName: command.document.name,
          caller: command.caller,
          at: new Date(command.requestedAtMs).toISOString(),
          input: command.input,
          instanceId,
          status,
          statusDetails: details,
          startedAt: startedAtMs === undefined ? null : new Date(startedAtMs).toISOString(),
          endedAt: endedAtMs === undefined ? null : new Date(endedAtMs).toISOString(),
          responseCode: responseCodeOf(result),
          output: result?.output ?? '',
          error: result?.error ?? '',
        })),
      ),

    configure: (changed) => {
      times = { ...times, ...changed };
    },

    reset() {
      for (const cancel of timers) cancel();
      timers.clear();
      for (const { invocations } of commands.values()) for (const { abort } of invocations) abort.abort();
      commands.clear();
      documents.clear();
    },
  };
}

/** SSM says -1 for what has not ended, or ended without its own word. */
function responseCodeOf(result: DocumentResult | undefined): number {
  return result === undefined ? -1 : (result.responseCode ?? (result.status === 'Success' ? 0 : 1));
}
