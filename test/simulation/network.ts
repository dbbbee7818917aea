/** The wire between workers and AWS: every call of every adapter passes here, is counted, delayed, and may be hurt. */
import { times } from '../../shared/core/times.ts';
import type { Chance } from './random.ts';
import { sdkError } from './table.ts';
import type { EventLoop, Worker } from './virtual-time.ts';

export const services = ['ec2', 'dynamodb', 'cloudwatch', 'sqs', 'sns', 'lambda', 'ssm'] as const;
export type ServiceName = (typeof services)[number];

export const faultKinds = [
  /** The process dies as it is about to call. */
  'crash-before',
  /** The process dies after the effect, before it hears of it. */
  'crash-after',
  'throttled',
  /** No effect, and no answer until the caller's own timeout. */
  'timeout',
  'timeout-applied',
  /** The caller times out, and the effect comes later. */
  'applied-late',
  /** A Describe answers as it would have some seconds ago. */
  'stale',
  'denied',
  /** AWS understood and will not: a taken index, an interface that is not to be detached, no such document. */
  'refused',
  /** The process stops before the call leaves it, and goes on later: much later than its lease, perhaps. */
  'freeze',
  /** DynamoDB: another transaction is at the item. */
  'conflict',
  /** The answer comes late, but before the caller gives up. */
  'slow',
] as const;
export type FaultKind = (typeof faultKinds)[number];

export interface Injury {
  readonly kind: FaultKind;
  /** How late an effect comes, how old an answer is, how long a process is frozen. */
  readonly ms?: number;
}

export interface Call {
  readonly ordinal: number;
  readonly worker: Worker;
  readonly service: ServiceName;
  readonly operation: string;
  readonly input: object;
  readonly atMs: number;
}

/** How long a caller waits, as shared/aws/clients.ts sets it. */
export const timeoutMs: Readonly<Record<ServiceName, number>> = {
  ec2: 3_000,
  dynamodb: 1_000,
  cloudwatch: 3_000,
  sqs: 1_000,
  sns: 1_000,
  lambda: 1_000,
  ssm: 3_000,
};

/** A function that somebody waits for: as a service's hook. The sweep's direct invocation waits for nobody. */
export const isHookFunction = ({ service, input }: Pick<Call, 'service' | 'input'>) =>
  service === 'lambda' && (input as { InvocationType?: string }).InvocationType === 'RequestResponse';

const limitOf = (call: Call) => (isHookFunction(call) ? times.hookTimeoutMs : timeoutMs[call.service]);

/** From request to answer, lower and upper bound. */
const latencyMs: Readonly<Record<ServiceName, readonly [number, number]>> = {
  ec2: [60, 260],
  dynamodb: [4, 20],
  cloudwatch: [30, 90],
  sqs: [8, 40],
  sns: [10, 50],
  lambda: [10, 50],
  ssm: [20, 80],
};

const reads = /^(?:Describe|Get|List|Query)/;
export const isRead = (operation: string) => reads.test(operation);
export const changesEc2 = (call: Call) => call.service === 'ec2' && !isRead(call.operation);

/** Which faults can hit a call at all; a read that is crashed before or after is the same thing. */
export function faultsFor(service: ServiceName, operation: string): readonly FaultKind[] {
  const reading = isRead(operation);
  return faultKinds.filter((kind) => {
    if (kind === 'stale') return reading && service === 'ec2' && operation !== 'DescribeInstanceTypes';
    if (kind === 'refused') return /^(?:Attach|Detach|StopInstances|SendCommand)/.test(operation);
    if (kind === 'slow') return service === 'ec2';
    if (kind === 'conflict') return service === 'dynamodb' && !reading;
    if (kind === 'crash-after' || kind === 'timeout-applied' || kind === 'applied-late') return !reading;
    return true;
  });
}

const throttleOf: Readonly<Record<ServiceName, readonly [string, number]>> = {
  ec2: ['RequestLimitExceeded', 503],
  dynamodb: ['ProvisionedThroughputExceededException', 400],
  cloudwatch: ['Throttling', 400],
  sqs: ['RequestThrottled', 403],
  sns: ['ThrottledException', 429],
  lambda: ['TooManyRequestsException', 429],
  ssm: ['ThrottlingException', 400],
};
const deniedOf: Readonly<Record<ServiceName, readonly [string, number]>> = {
  ec2: ['UnauthorizedOperation', 403],
  dynamodb: ['AccessDeniedException', 400],
  cloudwatch: ['AccessDenied', 403],
  sqs: ['AccessDenied', 403],
  sns: ['AuthorizationErrorException', 403],
  lambda: ['AccessDeniedException', 403],
  ssm: ['AccessDeniedException', 400],
};

function errorFor(kind: FaultKind, call: Call): Error {
  const { service, operation, input } = call;
  switch (kind) {
    case 'throttled':
      return sdkError(throttleOf[service][0], 'Request limit exceeded.', throttleOf[service][1]);
    case 'denied':
      return sdkError(deniedOf[service][0], 'You are not authorized to do this.', deniedOf[service][1]);
    case 'conflict':
      return sdkError('TransactionConflictException', 'Transaction is ongoing for the item', 400);
    case 'refused': {
      const { InstanceId, DeviceIndex } = input as { InstanceId?: string; DeviceIndex?: number };
      if (operation === 'StopInstances')
        return sdkError('UnsupportedOperation', 'The instance cannot be stopped in this way.', 400);
      if (operation === 'SendCommand') return sdkError('InvalidDocument', 'There is no such document.', 400);
      return operation.startsWith('Attach')
        ? sdkError(
            'InvalidParameterValue',
            `Instance '${InstanceId}' already has an interface attached at device index '${DeviceIndex}'.`,
            400,
          )
        : sdkError('OperationNotPermitted', 'This interface cannot be detached.', 400);
    }
    default:
      return timeoutError(service, limitOf(call));
  }
}

/** As the SDK's own request handler says it, with what the SDK adds to it. */
export function timeoutError(service: ServiceName, limitMs = timeoutMs[service]): Error {
  const configured = `a request has exceeded the configured ${limitMs} ms requestTimeout`;
  const error = sdkError('TimeoutError', `@smithy/node-http-handler - [ERROR] ${configured}.`, undefined);
  return Object.assign(error, { code: 'ETIMEDOUT' });
}

const aborted = () => sdkError('AbortError', 'Request aborted', undefined);

/** What AWS answers when something has come to its end there: a function that it runs. Perhaps never. */
export class Underway {
  readonly whenOver: (tell: (outcome: object) => void) => void;

  constructor(whenOver: (tell: (outcome: object) => void) => void) {
    this.whenOver = whenOver;
  }
}

export interface NetworkOptions {
  readonly loop: EventLoop;
  readonly chance: Chance;
  /** Every call takes the middle of its range: for walks in which only the faults differ. */
  readonly steady: boolean;
  /** The effect, or its beginning as `Underway`; throws an SDK-shaped error. */
  readonly perform: (call: Call, staleMs: number) => object;
  /** What becomes of this call. */
  readonly injure: (call: Call) => Injury | undefined;
  /** Before it leaves the process. */
  readonly onCall: (call: Call) => void;
  /** After its effect, with what AWS would answer. */
  readonly onEffect: (call: Call, outcome: object | Error) => void;
  readonly log: (call: Call, what: string) => void;
}

/** What the SDK lets a caller say beside the command. */
export interface SendOptions {
  /** The caller waits no longer; what was sent has its effect all the same. */
  readonly abortSignal?: AbortSignal;
}

export interface Network {
  /** The one proxy around the `send` of every client. */
  send(worker: Worker, service: ServiceName, command: object, options?: SendOptions): Promise<object>;
  /** The same for a call whose operation is known by name. */
  request(
    worker: Worker,
    service: ServiceName,
    operation: string,
    input: object,
    options?: SendOptions,
  ): Promise<object>;
  calls(): number;
  /** Calls whose effect is still to come. */
  underway(): number;
}

const operations = new Map<object, string>();
function operationOf(command: object): string {
  const made = command.constructor;
  const known = operations.get(made);
  if (known !== undefined) return known;
  const operation = made.name.replace(/Command$/, '');
  operations.set(made, operation);
  return operation;
}
const nobody = () => undefined;
/** A promise of its own each time: a shared one would hold on to all who ever waited for it. */
const forever = () => new Promise<never>(() => undefined);

export function makeNetwork(options: NetworkOptions): Network {
  const { loop, chance, steady, perform, injure, onCall, onEffect, log } = options;
  let ordinal = 0;
  let underway = 0;

  function effect(call: Call, staleMs: number, onEnd: (outcome: object | Error) => void): void {
    const end = (outcome: object | Error) => {
      onEffect(call, outcome);
      onEnd(outcome);
    };
    let outcome: object | Error;
    try {
      outcome = perform(call, staleMs);
    } catch (error) {
      if (!(error instanceof Error) || !('$metadata' in error)) throw error;
      outcome = error;
    }
    if (outcome instanceof Underway) outcome.whenOver(end);
    else end(outcome);
  }

  return {
    calls: () => ordinal,
    underway: () => underway,
    send(worker, service, command, options) {
      const { input } = command as { readonly input: object };
      return this.request(worker, service, operationOf(command), input, options);
    },
    request(worker, service, operation, input, { abortSignal } = {}) {
      if (worker.isDead()) return forever();
      if (abortSignal?.aborted) return Promise.reject(aborted());
      ordinal += 1;
      const call: Call = { ordinal, worker, service, operation, input, atMs: loop.now() };
      onCall(call);
      const injury = injure(call);
      if (injury) log(call, `FAULT ${injury.kind}${injury.ms === undefined ? '' : ` ${injury.ms} ms`}`);
      if (injury?.kind === 'crash-before') {
        worker.crash();
        return forever();
      }
      const [least, most] = latencyMs[service];
      const usualMs = steady ? Math.round((least + most) / 2) : chance.between(least, most);
      const tookMs = injury?.kind === 'slow' ? (injury.ms ?? 2_500) : usualMs;
      const limitMs = limitOf(call);

      return new Promise((resolve, reject) => {
        let isOver = false;
        const answer = (outcome: object | Error) =>
          worker.deliver(() => {
            if (isOver) return;
            isOver = true;
            log(call, outcome instanceof Error ? outcome.name : 'ok');
            if (outcome instanceof Error) reject(outcome);
            else resolve(outcome);
          });
        const later = (ms: number, run: () => void) => {
          underway += 1;
          loop.after(ms, () => {
            underway -= 1;
            run();
          });
        };
        const go = () => {
          switch (injury?.kind) {
            case 'throttled':
            case 'denied':
            case 'refused':
            case 'conflict':
              loop.after(tookMs, () => answer(errorFor(injury.kind, call)));
              return;
            case 'timeout':
              loop.after(limitMs, () => answer(errorFor('timeout', call)));
              return;
            case 'timeout-applied':
              later(tookMs / 2, () => effect(call, 0, nobody));
              loop.after(limitMs, () => answer(errorFor('timeout', call)));
              return;
            case 'applied-late':
              later(limitMs + (injury.ms ?? 5_000), () => {
                log(call, 'takes effect late');
                effect(call, 0, nobody);
              });
              loop.after(limitMs, () => answer(errorFor('timeout', call)));
              return;
            case 'crash-after':
              later(tookMs / 2, () =>
                effect(call, 0, () => {
                  log(call, 'and the process is dead');
                  worker.crash();
                }),
              );
              return;
            default: {
              const staleMs = injury?.kind === 'stale' ? (injury.ms ?? 2_500) : 0;
              later(tookMs / 2, () =>
                effect(call, staleMs, (outcome) => loop.after(tookMs / 2, () => answer(outcome))),
              );
              // Everything else answers well within its time.
              if (isHookFunction(call)) loop.after(limitMs, () => answer(errorFor('timeout', call)));
            }
          }
        };
        const giveUp = () => answer(aborted());
        abortSignal?.addEventListener('abort', giveUp, { once: true });
        if (injury?.kind === 'freeze') {
          worker.freeze();
          loop.after(injury.ms ?? 30_000, () => {
            log(call, 'and the process is thawed');
            worker.thaw();
            loop.settled();
          });
        }
        worker.whenAwake(go);
      });
    },
  };
}
