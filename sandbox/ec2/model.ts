/** EC2 as far as moving interfaces goes: synchronous, on an injected clock and random source, with no sockets. */
import type { SandboxClock } from '../clock.ts';
import { addressOperations } from './addresses.ts';
import { attachmentOperations } from './attachments.ts';
import { isRead, makeBuckets } from './buckets.ts';
import { type CallRecord, makeCallLog } from './call-log.ts';
import { checkStatus } from './checks.ts';
import { Ec2Error, missing, unknownParameter } from './errors.ts';
import { type Fault, makeFaults } from './faults.ts';
import { requireOne } from './ids.ts';
import { instanceStatusOperations } from './instance-status.ts';
import { instanceOperations } from './instances.ts';
import { interfaceOperations } from './interfaces.ts';
import { drawMs, type LatencyProfile, type LatencyProfileName, latencyProfiles } from './latency.ts';
import { impair, recover, unstick } from './lifecycle.ts';
import { instanceTypeOperations } from './limits.ts';
import { networkOperations } from './network.ts';
import { type Operation, unknownKey } from './operation.ts';
import { privateAddressOperations } from './private-addresses.ts';
import type { AttachmentStatus, Check, EniRecord, Impairment, InstanceState, Manager } from './records.ts';
import { tagOperations } from './tags.ts';
import { type Ec2Listener, makeWorld, type World } from './world.ts';

export type { CallRecord } from './call-log.ts';
export { Ec2Error } from './errors.ts';
export type { Fault } from './faults.ts';
export { type LatencyProfile, type LatencyProfileName, latencyProfiles } from './latency.ts';
export type { Check, CheckStatus, InstanceState, Manager } from './records.ts';
export type { Ec2Event, Ec2Listener } from './world.ts';

export interface Ec2ModelOptions {
  readonly clock: SandboxClock;
  /** Uniform in [0, 1). Every id, delay and lag is drawn from it. */
  readonly random: () => number;
  readonly latency: LatencyProfile | LatencyProfileName;
  readonly accountId?: string;
  readonly region?: string;
  /** How old an answer to a Describe may be; 0, the default, is never. */
  readonly consistencyLagMs?: number;
  /** Whether `call` and `submit` draw on EC2's token buckets; the default is yes. */
  readonly throttle?: boolean;
  /** Whether calls are logged; the default is yes. */
  readonly logCalls?: boolean;
}

export type Ec2Outcome =
  | { readonly kind: 'answer'; readonly output: object }
  | { readonly kind: 'error'; readonly error: Ec2Error };

const operationsOf = (world: World) => ({
  ...networkOperations(world),
  ...instanceOperations(world),
  ...instanceStatusOperations(world),
  ...instanceTypeOperations(),
  ...interfaceOperations(world),
  ...attachmentOperations(world),
  ...privateAddressOperations(world),
  ...addressOperations(world),
  ...tagOperations(world),
});

type Operations = ReturnType<typeof operationsOf>;
export type Ec2OperationName = keyof Operations;
export type Ec2Input<N extends Ec2OperationName> =
  Operations[N] extends Operation<infer I, infer _> ? I : never;
export type Ec2Output<N extends Ec2OperationName> =
  Operations[N] extends Operation<infer _, infer O> ? O : never;

/** Typed by the operation where its name is known to the compiler. */
type InputOf<N extends string> = N extends Ec2OperationName ? Ec2Input<N> : object;
type OutputOf<N extends string> = N extends Ec2OperationName ? Ec2Output<N> : object;

/** The truth about an interface, without latency or lag. */
export interface EniTruth {
  readonly id: string;
  /** The primary one comes first. */
  readonly addresses: readonly string[];
  readonly attachment?: { readonly instanceId: string; readonly status: AttachmentStatus };
}

export interface Ec2Model {
  /** Does it now and answers at once, without faults, throttles or latency. Throws `Ec2Error`. */
  execute<N extends string>(operation: N, input: InputOf<N>, caller?: string): OutputOf<N>;
  /**
   * As over the network: faults, token buckets and latency apply. The effect takes place half-way between
   * request and answer. `answer` is called exactly once, never before this call has returned.
   */
  submit(operation: string, input: object, caller: string, answer: (outcome: Ec2Outcome) => void): void;
  /** `submit` as a promise, which is rejected with `Ec2Error`. */
  call(operation: string, input: object, caller: string): Promise<object>;
  configure(settings: {
    latency?: LatencyProfile | LatencyProfileName;
    consistencyLagMs?: number;
    throttle?: boolean;
  }): void;
  /** Makes a check of the instance fail (or lose its data) until it is recovered or the instance has stopped. */
  impair(instanceId: string, check: Check, status?: Impairment['status']): void;
  /** Recovers one check, or all. */
  recover(instanceId: string, check?: Check): void;
  /** Holds up attach and plain detach of an interface, or the next state of an instance, until it is unstuck. */
  stick(id: string): void;
  unstick(id: string): void;
  /** Hands an interface to an AWS service, which keeps the account from changing it. */
  manage(eniId: string, manager: Manager): void;
  /** Removes a terminated instance, as EC2 does about an hour later. */
  forget(instanceId: string): void;
  /** The truth about an instance, without latency or lag; the guest of one that runs may not answer. */
  guest(instanceId: string): { readonly state: InstanceState; readonly answers: boolean } | undefined;
  /** By its id, or by one of its private addresses. */
  eni(idOrAddress: string): EniTruth | undefined;
  onEvent(listener: Ec2Listener): () => void;
  addFault(fault: Fault): void;
  faults(): readonly Fault[];
  clearFaults(): void;
  calls(): readonly CallRecord[];
  /** Back to an empty account; settings and listeners stay. */
  reset(): void;
}

const profileOf = (latency: LatencyProfile | LatencyProfileName): LatencyProfile =>
  typeof latency === 'string' ? latencyProfiles[latency] : latency;

export function makeEc2Model(options: Ec2ModelOptions): Ec2Model {
  const { clock, random } = options;
  const settings = {
    latency: profileOf(options.latency),
    consistencyLagMs: options.consistencyLagMs ?? 0,
    throttle: options.throttle ?? true,
  };
  const world = makeWorld({
    clock,
    random,
    settings,
    accountId: options.accountId ?? '000000000000',
    region: options.region ?? 'us-east-1',
  });
  const operations = new Map<string, Operation>(Object.entries(operationsOf(world)));
  const buckets = makeBuckets(() => clock.now());
  const faults = makeFaults();
  const log = makeCallLog();
  const logCalls = options.logCalls ?? true;
  const instanceOf = (id: string) => requireOne('i', id, world.instances.get);

  /** Checks what can be checked of any call, then does it. */
  function run(name: string, input: object): object {
    const operation = operations.get(name);
    if (operation === undefined) {
      throw new Ec2Error('InvalidAction', `The action ${name} is not valid for this web service.`);
    }
    const unknown = unknownKey(input, operation.accepts);
    if (unknown !== undefined) throw unknownParameter(unknown);
    const values: Readonly<Record<string, unknown>> = { ...input };
    const absent = operation.requires.find((key) => values[key] === undefined);
    if (absent !== undefined) throw missing(absent);
    if (values['DryRun'] === true) {
      throw new Ec2Error('DryRunOperation', 'Request would have succeeded, but DryRun flag is set.');
    }
    // Each operation declares its own input; `execute` is typed by it, and the wire parses by EC2's schema.
    const perform = () => operation.run(input as never);
    const token = values['ClientToken'];
    return typeof token === 'string' ? once(`${name} ${token}`, input, perform) : perform();
  }

  /** A repeated client token gets the first answer again, and has no effect of its own. */
  function once(key: string, input: object, perform: () => object): object {
    const asked = JSON.stringify(input);
    const earlier = world.answersByToken.get(key);
    if (earlier !== undefined && earlier.asked !== asked) {
      throw new Ec2Error(
        'IdempotentParameterMismatch',
        'Arguments on this idempotent request are inconsistent with arguments used in previous request(s).',
      );
    }
    const answer = earlier?.answer ?? perform();
    world.answersByToken.set(key, { asked, answer });
    return answer;
  }

  function attempt(perform: () => object): Ec2Outcome {
    try {
      return { kind: 'answer', output: perform() };
    } catch (error) {
      if (error instanceof Ec2Error) return { kind: 'error', error };
      throw error;
    }
  }

  function record(atMs: number, operation: string, input: object, caller: string, outcome: Ec2Outcome) {
    if (!logCalls) return;
    const durationMs = clock.now() - atMs;
    const word = outcome.kind === 'answer' ? 'ok' : outcome.error.code;
    log.add({ atMs, operation, input, caller, outcome: word, durationMs });
  }

  function execute(operation: string, input: object, caller = 'direct'): object {
    const outcome = attempt(() => run(operation, input));
    record(clock.now(), operation, input, caller, outcome);
    if (outcome.kind === 'error') throw outcome.error;
    return outcome.output;
  }

  function submit(operation: string, input: object, caller: string, answer: (outcome: Ec2Outcome) => void) {
    const atMs = clock.now();
    const latencyMs = drawMs(isRead(operation) ? settings.latency.describe : settings.latency.mutate, random);
    const fault = faults.next(operation, input);
    const toServerMs = latencyMs / 2;
    const effectMs = toServerMs + (fault?.lateMs ?? 0);
    const answerMs = Math.max(fault?.delayMs ?? latencyMs, latencyMs);
    const reply = (outcome: Ec2Outcome) => {
      record(atMs, operation, input, caller, outcome);
      answer(outcome);
    };
    const perform = () => attempt(() => run(operation, input));

    if (fault?.code !== undefined) {
      const error = new Ec2Error(fault.code, fault.message ?? 'A fault that the sandbox was asked for.');
      if (fault.applied === true || fault.lateMs !== undefined) clock.after(effectMs, perform);
      clock.after(answerMs, () => reply({ kind: 'error', error }));
      return;
    }
    clock.after(effectMs, () => {
      const outcome = attempt(() => {
        if (settings.throttle) buckets.draw(operation, input);
        return run(operation, input);
      });
      clock.after(Math.max(answerMs - effectMs, 0), () => reply(outcome));
    });
  }

  return {
    execute: execute as Ec2Model['execute'],
    submit,
    call: (operation, input, caller) =>
      new Promise((resolve, reject) => {
        submit(operation, input, caller, (outcome) => {
          if (outcome.kind === 'answer') resolve(outcome.output);
          else reject(outcome.error);
        });
      }),
    configure({ latency, consistencyLagMs, throttle }) {
      if (latency !== undefined) settings.latency = profileOf(latency);
      if (consistencyLagMs !== undefined) settings.consistencyLagMs = consistencyLagMs;
      if (throttle !== undefined) settings.throttle = throttle;
    },
    impair: (instanceId, check, status = 'impaired') => impair(world, instanceOf(instanceId), check, status),
    recover: (instanceId, check) => recover(world, instanceOf(instanceId), check),
    stick: (id) => world.stuck.add(id),
    unstick: (id) => unstick(world, id),
    manage: (eniId, managed) => world.putEni({ ...requireOne('eni', eniId, world.enis.get), managed }),
    forget(instanceId) {
      const { state } = instanceOf(instanceId);
      if (state !== 'terminated') throw new Error(`instance ${instanceId} is ${state}, not terminated`);
      world.instances.delete(instanceId);
    },
    guest(instanceId) {
      const instance = world.instances.get(instanceId);
      if (instance === undefined) return undefined;
      const isReached = (check: Check) => checkStatus(instance, check) !== 'impaired';
      const answers = instance.state === 'running' && isReached('system') && isReached('instance');
      return { state: instance.state, answers };
    },
    eni(idOrAddress) {
      const has = (eni: EniRecord) => eni.privateIps.some(({ address }) => address === idOrAddress);
      const eni = world.enis.get(idOrAddress) ?? [...world.enis.values()].find(has);
      if (eni === undefined) return undefined;
      const { id, attachment } = eni;
      const addresses = eni.privateIps.map(({ address }) => address);
      if (attachment === undefined) return { id, addresses };
      return { id, addresses, attachment: { instanceId: attachment.instanceId, status: attachment.status } };
    },
    onEvent: world.onEvent,
    addFault: faults.add,
    faults: faults.list,
    clearFaults: faults.clear,
    calls: log.list,
    reset() {
      world.reset();
      buckets.reset();
      faults.clear();
      log.clear();
    },
  };
}
