/** One account in virtual time: the real use cases and adapters over the sandbox's EC2 and models of the rest. */
import { hash } from 'node:crypto';
import { handle } from '../../functions/failover/handle.ts';
import { Ec2Error, type Ec2Event, type Ec2Model, makeEc2Model } from '../../sandbox/ec2/model.ts';
import { adopt } from '../../shared/app/adopt.ts';
import { setMode } from '../../shared/app/mode.ts';
import {
  acknowledge,
  type Operated,
  pauseController,
  pauseService,
  releaseBrake,
  resumeController,
  resumeService,
} from '../../shared/app/operate.ts';
import type { Ports } from '../../shared/app/ports.ts';
import { type Registered as RegisterAnswer, register } from '../../shared/app/register.ts';
import { switchover } from '../../shared/app/request.ts';
import { emptyMemory, type SweepMemory, sweep } from '../../shared/app/sweep.ts';
import { unregister } from '../../shared/app/unregister.ts';
import { makeAlarms } from '../../shared/aws/alarms.ts';
import { withDirectInvocation } from '../../shared/aws/direct-invocation.ts';
import { makeEc2 } from '../../shared/aws/ec2.ts';
import { makeFleet } from '../../shared/aws/fleet.ts';
import { makeHooks } from '../../shared/aws/hooks.ts';
import { makeNotifier, makeWorkQueue } from '../../shared/aws/messages.ts';
import { makeStateTable } from '../../shared/aws/state-table.ts';
import type { InstanceId, OwnerId, ServiceName } from '../../shared/core/ids.ts';
import { Applications, type Around, declarationOf } from './applications.ts';
import { Checker } from './checker.ts';
import { type Deliveries, deliveriesTable, makeDeliveries, makeOnce } from './deliveries.ts';
import { makeQueue, type Queue } from './messaging.ts';
import { arnOf, type Monitoring, makeMonitoring, type Passage } from './monitoring.ts';
import {
  type ServiceName as AwsServiceName,
  type Call,
  changesEc2,
  type Injury,
  isHookFunction,
  makeNetwork,
  type Network,
  type SendOptions,
} from './network.ts';
import { type Chance, makeChance } from './random.ts';
import { type Item, makeTable, sdkError, type Table } from './table.ts';
import { type EventLoop, makeEventLoop, makeWorker, type Worker } from './virtual-time.ts';
import type { Wire } from './wire.ts';

export interface ServicePlan {
  readonly name: string;
  /** Device indexes that its interfaces take, one interface each. */
  readonly indexes: readonly number[];
  /** Which of the world's instances are members, the first of them the holder. */
  readonly members: readonly number[];
  /** Declares an alarm of its own as a failure signal; `bound` to its first member, or to none. */
  readonly alarm?: 'free' | 'bound';
  /** Each member has a readiness alarm. */
  readonly ready?: boolean;
  /** Hooks, and what says that it serves. */
  readonly around?: Around;
  readonly policy?: Readonly<Record<string, unknown>>;
}

export interface WorldPlan {
  readonly seed: number;
  readonly zones: readonly ('a' | 'b')[];
  /** The zone of each instance. */
  readonly services: readonly ServicePlan[];
  /** All delays in the middle of their ranges, and no chance but in ids. */
  readonly steady: boolean;
  readonly sweeps: boolean;
}

/** What a run does to its world beside letting time pass. */
export interface Weather {
  readonly injure?: (call: Call) => Injury | undefined;
  readonly passage?: (event: object, world: World) => Passage;
  readonly skewMs?: (worker: string) => number;
  /** Stands between the use cases and their ports: a deliberately broken engine. */
  readonly tamper?: (ports: Ports) => Ports;
  /** Hears of each call with the stack it came from: for naming fault points. */
  readonly onCall?: (call: Call) => void;
  /** The real SDK clients in front of the network; without it, adapters send to the network directly. */
  readonly wire?: Wire;
}

const startMs = Date.UTC(2026, 10, 21, 2, 0, 0);
const lambdaTimeoutMs = 60_000;
const retriesMs = [60_000, 120_000];
const maxEventAgeMs = 300_000;
const lagMs = 10_000;

const steadyLatency = {
  describe: [100, 100],
  mutate: [200, 200],
  attach: [1_500, 1_500],
  detach: [2_500, 2_500],
  forcedDetach: [2_500, 2_500],
  start: [4_000, 4_000],
  stop: [5_000, 5_000],
  skippedStop: [1_200, 1_200],
  terminate: [5_000, 5_000],
  reboot: [15_000, 15_000],
  insufficientData: [1_000, 1_000],
  initializing: [3_000, 3_000],
} as const;
const drawnLatency = {
  ...steadyLatency,
  attach: [700, 3_000],
  detach: [1_500, 6_000],
  forcedDetach: [1_500, 6_000],
  start: [4_000, 15_000],
  stop: [4_000, 20_000],
  hungStop: [30_000, 60_000],
  skippedStop: [1_000, 15_000],
  terminate: [4_000, 20_000],
  reboot: [20_000, 60_000],
  insufficientData: [1_000, 10_000],
  initializing: [5_000, 90_000],
} as const;

export interface Notice {
  readonly dedupeId: string;
  readonly outcome: string;
  readonly service: string;
  readonly atMs: number;
}

/** What registering left behind, for the next world that is planned just so. */
interface Registered {
  readonly items: readonly Item[];
  readonly notices: readonly Notice[];
  readonly counts: ReadonlyMap<string, number>;
  readonly serial: number;
}
const toOperated = (answer: RegisterAnswer): Operated =>
  answer.kind === 'rejected'
    ? { kind: 'refused', code: answer.code, detail: answer.problems.join('; ') }
    : { kind: 'done', detail: answer.kind };

const registeredBefore = new Map<string, Registered>();

/** A process of Lambda's: thawed for an invocation, frozen after it, killed with it. */
interface Environment {
  invocations: Worker[];
}
/** Of those that have returned so many are kept: what an older one left hanging has long gone on. */
const remembered = 3;

interface Declared {
  readonly plan: ServicePlan;
  readonly name: ServiceName;
  readonly enis: readonly string[];
  readonly members: readonly string[];
  readonly declaration: { readonly [key: string]: unknown };
}

export class World {
  readonly loop: EventLoop;
  readonly model: Ec2Model;
  readonly table: Table;
  readonly queue: Queue;
  readonly monitoring: Monitoring;
  readonly applications: Applications | undefined;
  readonly network: Network;
  readonly checker: Checker;
  readonly plan: WorldPlan;
  readonly instances: string[] = [];
  readonly services: Declared[] = [];
  readonly notices: Notice[] = [];
  readonly lines: string[] | undefined;
  readonly counts = new Map<string, number>();
  /** On behalf of whom EC2 is being changed this very moment. */
  actor: Worker | 'person' | undefined;
  /** The call that is taking effect this very moment. */
  current: Call | undefined;
  /** What a person is asking of EC2 this very moment. */
  personInput: object | undefined;
  bornMs = 0;
  readonly #chance: Chance;
  readonly #weather: Weather;
  readonly #deliveries: Deliveries;
  readonly #workers = new Set<Worker>();
  #staleMs = 0;
  #describing = false;
  #serial = 0;
  #memory: SweepMemory = emptyMemory();
  #subnets: Record<string, string> = {};
  #sweeping: Worker | undefined;
  /** Environments that wait for their next invocation, frozen, with what the ones before left hanging. */
  #idle: Environment[] = [];
  /** Of the sweep's function there is one at a time. */
  #sweeper: Environment = { invocations: [] };
  #version = 1;
  #hasChangedEc2 = false;
  #lambdaBackAtMs = 0;

  constructor(plan: WorldPlan, weather: Weather = {}, logging = false) {
    this.plan = plan;
    this.#weather = weather;
    this.lines = logging ? [] : undefined;
    this.#chance = makeChance(plan.seed);
    this.loop = makeEventLoop(startMs, weather.wire?.stir);
    const ids = this.#chance.fork('ec2');
    this.model = makeEc2Model({
      clock: this.loop,
      random: () => (this.#describing ? this.#staleMs / lagMs : plan.steady ? 0.5 : ids()),
      latency: 'instant',
      throttle: false,
      logCalls: false,
      consistencyLagMs: lagMs,
    });
    this.checker = new Checker(this);
    this.table = makeTable('state', (write) => this.checker.onWrite(write, this.current));
    this.#deliveries = makeDeliveries(
      () => this.loop.now(),
      lambdaTimeoutMs,
      (what) => this.count(what),
    );
    this.queue = makeQueue(
      this.loop,
      (event, onEnd) => this.invoke(event, onEnd),
      () => this.#withoutLambdaMs(),
    );
    this.monitoring = makeMonitoring({
      loop: this.loop,
      model: this.model,
      chance: this.#chance.fork('alarms'),
      steady: plan.steady,
      passage: (event) => weather.passage?.(event, this) ?? { copies: [{ afterMs: 400 }] },
      deliver: (event) => this.invokeLater(event, 0, this.loop.now()),
      onAlarm: (alarm) => {
        this.log(() => `alarm ${alarm.name} is ${alarm.state}`);
        this.checker.onAlarm();
      },
    });
    this.applications = plan.services.some(({ around }) => around)
      ? new Applications({
          loop: this.loop,
          model: this.model,
          monitoring: this.monitoring,
          chance: this.#chance.fork('applications'),
          steady: plan.steady,
          holderOf: (service) => this.checker.wholeHolderOf(service),
          count: (what) => this.count(what),
          log: (line) => this.log(line),
          onEffect: (service, step, told) => this.checker.onHookEffect(service, step, told),
        })
      : undefined;
    this.network = makeNetwork({
      loop: this.loop,
      chance: this.#chance.fork('network'),
      steady: plan.steady,
      perform: (call, staleMs) => this.#perform(call, staleMs),
      injure: (call) => {
        const injury = weather.injure?.(call);
        if (!injury) return undefined;
        this.count(`fault ${injury.kind}`);
        const isForce = (call.input as { Force?: boolean }).Force === true;
        if (isForce && injury.kind === 'refused') this.count('force refused');
        this.checker.onInjury(call);
        return injury;
      },
      onCall: (call) => {
        if (changesEc2(call)) this.#hasChangedEc2 = true;
        weather.onCall?.(call);
        this.checker.onCall(call);
      },
      onEffect: (call, outcome) => this.checker.onEffect(call, outcome),
      log: (call, what) => this.log(() => `${call.worker.name} #${call.ordinal} ${describe(call)}: ${what}`),
    });
    this.model.onEvent((event) => this.#onEc2(event));
  }

  log(line: () => string): void {
    this.lines?.push(`${((this.loop.now() - this.bornMs) / 1000).toFixed(3).padStart(9)} ${line()}`);
  }

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  // ── The account ───────────────────────────────────────────────────────────────────────────────────────

  /** Makes instances, interfaces and services, and waits until all is quiet. */
  async build(): Promise<void> {
    const { model, plan } = this;
    const VpcId = model.execute('CreateVpc', { CidrBlock: '10.0.0.0/16' }).Vpc?.VpcId ?? '';
    for (const [index, zone] of ['a', 'b'].entries()) {
      const AvailabilityZone = `us-east-1${zone}`;
      const CidrBlock = `10.0.${index}.0/24`;
      this.#subnets[zone] =
        model.execute('CreateSubnet', { VpcId, CidrBlock, AvailabilityZone }).Subnet?.SubnetId ?? '';
    }
    const managed = [{ Key: 'eni-failover', Value: 'managed' }];
    for (const zone of plan.zones) {
      const launched = model.execute('RunInstances', {
        ImageId: 'ami-0123456789abcdef0',
        InstanceType: 'm5.24xlarge',
        SubnetId: this.#subnets[zone],
        MinCount: 1,
        MaxCount: 1,
        TagSpecifications: [{ ResourceType: 'instance', Tags: managed }],
      });
      this.instances.push(launched.Instances?.[0]?.InstanceId ?? '');
    }
    await this.loop.run(this.loop.now() + 100);
    for (const instance of this.instances) this.monitoring.watchInstance(instance);
    for (const service of plan.services) this.#declare(service, managed);
    await this.loop.run(this.loop.now() + 100);
    model.configure({ latency: plan.steady ? steadyLatency : drawnLatency });
    // A walk builds the same world thousands of times: where nothing is left to chance, what registering left in
    // the table the first time is what it would leave every time. A log is always of the whole story.
    const key = plan.steady && !this.lines ? JSON.stringify(plan) : undefined;
    const known = key === undefined ? undefined : registeredBefore.get(key);
    if (!known) await this.#register();
    await this.loop.run(startMs + 55_000);
    if (known) this.#restore(known);
    else if (key !== undefined && !this.#hasChangedEc2) registeredBefore.set(key, this.#registered());
    this.bornMs = this.loop.now();
    this.checker.begin();
    if (plan.sweeps) this.#sweepEveryMinute();
  }

  async #register(): Promise<void> {
    for (const { declaration } of this.services) {
      const answer = await this.asOperator('register', (ports) =>
        register(ports, { declaration, author: 'ops' }),
      );
      if (answer?.kind !== 'registered') throw new Error(`not registered: ${JSON.stringify(answer)}`);
    }
  }

  #registered(): Registered {
    const { table, notices, counts } = this;
    return { items: table.items(), notices: [...notices], counts: new Map(counts), serial: this.#serial };
  }

  #restore({ items, notices, counts, serial }: Registered): void {
    this.table.restore(items);
    this.notices.push(...notices);
    for (const [what, times] of counts) this.counts.set(what, times);
    this.#serial = serial;
  }

  #declare(plan: ServicePlan, managed: { Key: string; Value: string }[]): void {
    const { model } = this;
    const members = plan.members.map((index) => this.instances[index] ?? '');
    const holder = members[0] ?? '';
    const zone = this.plan.zones[plan.members[0] ?? 0] ?? 'a';
    const enis = plan.indexes.map((DeviceIndex) => {
      const { NetworkInterface } = model.execute('CreateNetworkInterface', {
        SubnetId: this.#subnets[zone],
        TagSpecifications: [{ ResourceType: 'network-interface', Tags: managed }],
      });
      const NetworkInterfaceId = NetworkInterface?.NetworkInterfaceId ?? '';
      this.asPerson('AttachNetworkInterface', { NetworkInterfaceId, InstanceId: holder, DeviceIndex });
      return NetworkInterfaceId;
    });
    if (plan.around) this.applications?.add(plan.name, plan.around, holder);
    if (plan.alarm) this.monitoring.addCustom(`app-${plan.name}`);
    if (plan.ready) for (const member of members) this.monitoring.addCustom(`ready-${plan.name}-${member}`);
    const declaration = {
      name: plan.name,
      interfaces: enis.map((eni, index) => ({ eni, deviceIndex: plan.indexes[index] })),
      members: members.map((instance) => ({
        instance,
        ...(plan.ready && { readyWhen: [arnOf(`ready-${plan.name}-${instance}`)] }),
      })),
      ...(plan.alarm && {
        signals: {
          alarms: [{ arn: arnOf(`app-${plan.name}`), ...(plan.alarm === 'bound' && { member: holder }) }],
        },
      }),
      ...(plan.around && declarationOf(plan.name, plan.around)),
      ...(plan.policy && { policy: plan.policy }),
    };
    this.services.push({ plan, name: plan.name as ServiceName, enis, members, declaration });
  }

  /** The attachment that the interface has now. */
  attachmentOf(service: number, eni: number): string | undefined {
    return this.#lookAt(this.services[service]?.enis[eni] ?? '')?.Attachment?.AttachmentId;
  }

  exists(eni: string): boolean {
    return this.#lookAt(eni) !== undefined;
  }

  /** As it is now, never stale. */
  #lookAt(eni: string) {
    const before = this.#describing;
    this.#describing = true;
    const found = this.model.execute('DescribeNetworkInterfaces', {
      Filters: [{ Name: 'network-interface-id', Values: [eni] }],
    });
    this.#describing = before;
    return found.NetworkInterfaces?.[0];
  }

  /** Somebody keeps everybody from stopping it, or allows it again. */
  protect(InstanceId: string, Value: boolean): void {
    this.asPerson('ModifyInstanceAttribute', { InstanceId, DisableApiStop: { Value } });
  }

  /** Whoever was told has put right what is no fault of EC2's or Lambda's. */
  calm(): void {
    for (const { enis } of this.services) for (const eni of enis) this.model.unstick(eni);
    for (const id of this.instances) {
      this.model.unstick(id);
      if (this.applications) this.protect(id, false);
    }
    this.applications?.calm();
  }

  /** Somebody puts an interface of their own where a service's would go. */
  takeIndex(instance: number, DeviceIndex: number, forMs: number): void {
    const { NetworkInterface } = this.model.execute('CreateNetworkInterface', {
      SubnetId: this.#subnets[this.plan.zones[instance] ?? 'a'],
    });
    const NetworkInterfaceId = NetworkInterface?.NetworkInterfaceId ?? '';
    const InstanceId = this.instances[instance] ?? '';
    if (!this.asPerson('AttachNetworkInterface', { NetworkInterfaceId, InstanceId, DeviceIndex })) return;
    this.loop.after(forMs, () => {
      const AttachmentId = this.#lookAt(NetworkInterfaceId)?.Attachment?.AttachmentId;
      if (AttachmentId) this.asPerson('DetachNetworkInterface', { AttachmentId, Force: false });
    });
  }

  /** Registers a service once more with another patience: the edit in the middle. */
  edit(index: number, confirm: string): void {
    const { declaration } = this.services[index] ?? {};
    if (!declaration) return;
    const policy = { ...(declaration['policy'] as object | undefined), confirm };
    this.operate('register', async (ports) => {
      return toOperated(await register(ports, { declaration: { ...declaration, policy }, author: 'ops' }));
    });
  }

  // ── AWS ───────────────────────────────────────────────────────────────────────────────────────────────

  #perform(call: Call, staleMs: number): object {
    const { service, operation, input } = call;
    this.current = call;
    try {
      switch (service) {
        case 'ec2':
          return this.#ec2(call, staleMs);
        case 'dynamodb':
          return (input as { TableName?: string }).TableName === deliveriesTable
            ? this.#deliveries.execute(operation, input)
            : this.table.execute(operation, input);
        case 'cloudwatch':
          return this.monitoring.describe(input);
        case 'sqs':
          return this.queue.send(input);
        case 'sns':
          return this.#publish(input);
        case 'ssm':
          return this.#hooks().ssm(call);
        case 'lambda': {
          if (isHookFunction(call)) return this.#hooks().invoke(call);
          const { Payload } = input as { Payload: Uint8Array };
          this.invokeLater(JSON.parse(Buffer.from(Payload).toString()) as object, 0, this.loop.now());
          return {};
        }
      }
    } finally {
      this.current = undefined;
    }
  }

  #hooks(): Applications {
    if (!this.applications) throw new Error('no service declares a hook');
    return this.applications;
  }

  #ec2(call: Call, staleMs: number): object {
    this.#describing = call.operation.startsWith('Describe');
    this.#staleMs = staleMs;
    this.actor = call.worker;
    try {
      return this.model.execute(call.operation, call.input, call.worker.name);
    } catch (error) {
      if (error instanceof Ec2Error) throw sdkError(error.code, error.message, error.httpStatus);
      throw error;
    } finally {
      this.#describing = false;
      this.#staleMs = 0;
      this.actor = undefined;
    }
  }

  /** What somebody else than the controller does to EC2; what EC2 refuses simply does not happen. */
  asPerson(operation: string, input: object): boolean {
    this.actor = 'person';
    this.personInput = input;
    this.log(() => `PERSON ${operation} ${JSON.stringify(input)}`);
    try {
      this.model.execute(operation, input, 'person');
      if (operation === 'DeleteNetworkInterface')
        this.checker.onDeleted((input as { NetworkInterfaceId: string }).NetworkInterfaceId);
      return true;
    } catch (error) {
      if (!(error instanceof Ec2Error)) throw error;
      this.log(() => `a person is refused: ${error.code}`);
      return false;
    } finally {
      this.actor = undefined;
      this.personInput = undefined;
    }
  }

  #publish(input: object): object {
    const { MessageAttributes, Message } = input as {
      MessageAttributes: Record<string, { StringValue?: string }>;
      Message: string;
    };
    const of = (name: string) => MessageAttributes[name]?.StringValue ?? '';
    const notice = {
      dedupeId: of('dedupeId'),
      outcome: of('outcome'),
      service: of('service'),
      atMs: this.loop.now(),
    };
    this.notices.push(notice);
    this.count(`notice ${notice.outcome}`);
    this.log(() => {
      const { sms } = JSON.parse(Message) as { sms: string };
      return `NOTICE ${notice.dedupeId}: ${sms}`;
    });
    return {};
  }

  #onEc2(event: Ec2Event): void {
    this.log(() => {
      switch (event.kind) {
        case 'instance-state':
          return `ec2 ${event.instanceId} is ${event.state}`;
        case 'status-check':
          return `ec2 ${event.instanceId} ${event.check} check ${event.status}`;
        case 'attachment':
          return `ec2 ${event.eniId} ${event.status} ${event.instanceId} (${event.attachmentId})`;
      }
    });
    this.checker.onEc2(event);
    this.applications?.look();
  }

  // ── Workers ───────────────────────────────────────────────────────────────────────────────────────────

  worker(kind: string): Worker {
    this.#serial += 1;
    const name = `${kind}-${this.#serial}`;
    const worker = makeWorker(this.loop, name, this.#weather.skewMs?.(name) ?? 0);
    this.#workers.add(worker);
    worker.onDeath(() => this.#workers.delete(worker));
    return worker;
  }

  /** Workers that are alive: awake, waiting or frozen. */
  busy(): number {
    return this.#workers.size;
  }

  /** The adapters see the SDK's client type; what answers, in the end, is the one proxy. */
  #clientOf(worker: Worker, service: AwsServiceName): never {
    return {
      send: (command: object, options?: SendOptions) => this.#send(worker, service, command, options),
    } as never;
  }

  #send(worker: Worker, service: AwsServiceName, command: object, options?: SendOptions): Promise<object> {
    const { network } = this;
    const { wire } = this.#weather;
    return wire
      ? wire.send(network, worker, service, command, options)
      : network.send(worker, service, command, options);
  }

  portsOf(worker: Worker): Ports {
    const { clock } = worker;
    let nonce = 0;
    const chance = this.#chance.fork(worker.name);
    const random = this.plan.steady ? () => 0.5 : chance;
    const retrying = { clock, random };
    const client = (service: AwsServiceName) => this.#clientOf(worker, service);
    const say = (level: string) => (message: string, facts?: object) =>
      this.log(() => `${worker.name} ${level}: ${message} ${facts ? JSON.stringify(facts) : ''}`);
    const queue = makeWorkQueue(
      client('sqs'),
      'https://sqs.us-east-1.amazonaws.com/000000000000/work',
      retrying,
    );
    const ports: Ports = {
      clock,
      random,
      ids: {
        owner: () => worker.name as OwnerId,
        nonce: () => {
          nonce += 1;
          return `${worker.name}.${nonce}`;
        },
      },
      hash: { sha256: (text) => hash('sha256', text) },
      ec2: makeEc2(client('ec2'), retrying),
      alarms: makeAlarms(client('cloudwatch'), retrying),
      hooks: makeHooks({ ssm: client('ssm'), lambda: client('lambda') }, clock),
      store: makeStateTable(client('dynamodb'), 'state', retrying),
      queue: worker.name.startsWith('sweep')
        ? withDirectInvocation(queue, client('lambda'), 'failover', retrying)
        : queue,
      notifier: makeNotifier(client('sns'), 'arn:topic', retrying),
      log: { info: say('info'), warn: say('warn'), error: say('ERROR') },
    };
    // Registered by an honest engine: what is broken afterwards is what is tested.
    return (this.bornMs > 0 && this.#weather.tamper?.(ports)) || ports;
  }

  /** The environment goes on where it was: what was left hanging gets its answers and its ticks now. */
  #enter(environment: Environment, worker: Worker): void {
    const { invocations } = environment;
    while (invocations.length > remembered) invocations.shift()?.crash();
    for (const each of invocations) each.wake();
    invocations.push(worker);
    worker.onDeath(() => {
      if (!worker.isOver) for (const each of [...invocations]) each.crash();
    });
  }

  /** Returned: Lambda freezes the process as it is, with every promise that nobody waited for. */
  #leave(environment: Environment, worker: Worker): void {
    worker.isOver = true;
    this.#workers.delete(worker);
    for (const each of environment.invocations) each.rest();
  }

  /**
   * A new version. What is running goes on with the old one; environments that wait, or that stand still in the
   * middle, are never thawed again, and what was warm in memory is lost.
   */
  deploy(): void {
    this.#version += 1;
    this.log(() => `DEPLOYED version ${this.#version}`);
    const idle = [...this.#idle.splice(0), ...(this.#sweeping ? [] : [this.#sweeper])];
    for (const { invocations } of idle) for (const each of [...invocations]) each.crash();
    for (const worker of [...this.#workers]) if (worker.isFrozen()) worker.crash();
    this.#sweeper = { invocations: [] };
    this.#memory = emptyMemory();
    if (this.busy() > 0) this.count('deployed beside a running invocation');
  }

  /** Whatever runs dies, and nothing runs for a while: what was accepted waits, as far as it does not grow too old. */
  loseLambda(forMs: number): void {
    this.#lambdaBackAtMs = this.loop.now() + forMs;
    this.log(() => `Lambda is away for ${forMs / 1_000} s`);
    this.count('Lambda away');
    for (const each of [...this.#workers])
      if (each.name.startsWith('failover') || each.name.startsWith('sweep')) each.crash();
    this.#idle = [];
  }

  #withoutLambdaMs(): number {
    return Math.max(0, this.#lambdaBackAtMs - this.loop.now());
  }

  /** One invocation of functions/failover; `onEnd` hears whether it returned. */
  invoke(event: object, onEnd: (isDone: boolean) => void): Worker {
    const worker = this.worker('failover');
    const environment = this.#idle.pop() ?? { invocations: [] };
    const version = this.#version;
    this.#enter(environment, worker);
    const leave = () => {
      stop();
      this.#leave(environment, worker);
      if (version === this.#version) this.#idle.push(environment);
      else worker.crash();
    };
    const ports = this.portsOf(worker);
    this.checker.onInvocation(worker, event);
    this.log(() => `${worker.name} begins: ${brief(event)}`);
    const deadlineMs = worker.clock.now() + lambdaTimeoutMs;
    let ended = false;
    const end = (isDone: boolean) => {
      if (ended) return;
      ended = true;
      onEnd(isDone);
    };
    const stop = this.loop.after(lambdaTimeoutMs, () => {
      if (worker.isDead()) return;
      this.log(() => `${worker.name} is killed at its deadline`);
      this.count('killed at the deadline');
      worker.crash();
    });
    worker.onDeath(() => {
      stop();
      end(false);
    });
    const once = makeOnce(
      (command) => this.#send(worker, 'dynamodb', command),
      () => deadlineMs - worker.clock.now(),
      ports.log,
    );
    handle(event, ports, { owner: worker.name as OwnerId, deadlineMs }, once).then(
      (answer) => {
        this.log(() => `${worker.name} returns ${JSON.stringify(answer)}`);
        if (answer.kind === 'looked')
          for (const report of answer.reports) this.count(`report ${report.kind} ${report.code}`);
        end(true);
        leave();
      },
      (error: unknown) => {
        this.log(() => `${worker.name} throws ${String(error)}`);
        this.checker.onThrow(worker, error);
        end(false);
        leave();
      },
    );
    this.loop.settled();
    return worker;
  }

  /** Asynchronous invocation: twice more after a failure, unless the event has grown too old. */
  invokeLater(event: object, attempt: number, acceptedAtMs: number): void {
    if (this.loop.now() - acceptedAtMs > maxEventAgeMs) return;
    const laterMs = this.#withoutLambdaMs();
    if (laterMs > 0) {
      this.loop.after(laterMs, () => this.invokeLater(event, attempt, acceptedAtMs));
      return;
    }
    this.invoke(event, (isDone) => {
      const waitMs = retriesMs[attempt];
      if (isDone || waitMs === undefined) return;
      this.loop.after(waitMs, () => this.invokeLater(event, attempt + 1, acceptedAtMs));
    });
  }

  /** An operator's command, in a process of its own that ends with it. */
  #command<T>(what: string, act: (ports: Ports) => Promise<T>, onAnswer: (given: T) => void): Worker {
    const worker = this.worker(what);
    act(this.portsOf(worker)).then(
      (given) => {
        onAnswer(given);
        worker.crash();
      },
      (error: unknown) => {
        this.log(() => `${worker.name} throws ${String(error)}`);
        this.checker.onThrow(worker, error);
        worker.crash();
      },
    );
    this.loop.settled();
    return worker;
  }

  /** Waits until it has ended; undefined when it threw. */
  async asOperator<T>(what: string, act: (ports: Ports) => Promise<T>): Promise<T | undefined> {
    let answer: T | undefined;
    const worker = this.#command(what, act, (given) => {
      answer = given;
    });
    await this.loop.run(this.loop.now() + 30_000, () => worker.isDead());
    return answer;
  }

  /** The same without waiting for it. */
  operate(what: string, act: (ports: Ports) => Promise<Operated>): Worker {
    this.checker.onOperator();
    const worker: Worker = this.#command(what, act, (given) => {
      this.log(() => `${worker.name}: ${given.kind} ${given.detail}`);
      this.count(`operator ${what} ${given.kind}`);
    });
    return worker;
  }

  pause(name: ServiceName, forMs: number): Worker {
    return this.operate('pause', (ports) =>
      pauseService(ports, name, { author: 'ops', reason: 'maintenance', forMs }),
    );
  }
  resume(name: ServiceName): Worker {
    return this.operate('resume', (ports) => resumeService(ports, name, { author: 'ops', reason: 'done' }));
  }
  acknowledge(name: ServiceName): Worker {
    return this.operate('ack', (ports) => acknowledge(ports, name, { author: 'ops', reason: 'repaired' }));
  }
  pauseAll(forMs: number): Worker {
    return this.operate('pause-all', (ports) =>
      pauseController(ports, { author: 'ops', reason: 'maintenance', forMs }),
    );
  }
  resumeAll(): Worker {
    return this.operate('resume-all', (ports) => resumeController(ports, { author: 'ops', reason: 'done' }));
  }
  releaseBrake(zone: string): Worker {
    return this.operate('release-brake', (ports) =>
      releaseBrake(ports, zone, { author: 'ops', reason: 'the zone is well' }),
    );
  }

  /** A request as it lies in the item, whatever control would say of it: for what the engine itself makes of it. */
  request(name: ServiceName, kind: 'switchover' | 'failback', member: number): Worker {
    const target = (this.services.find((each) => each.name === name)?.members[member] ?? '') as InstanceId;
    return this.operate(kind, async (ports) => {
      const [read, controller] = await Promise.all([ports.store.read(name), ports.store.readController()]);
      const nowMs = ports.clock.now();
      if (read.kind !== 'known') return { kind: 'refused', code: 'NO_SUCH_SERVICE', detail: name };
      const { value: state } = read;
      // A tombstone takes none: it is not even looked at, and nobody unregisters while one waits.
      if (state.tombstone) return { kind: 'refused', code: 'NO_SUCH_SERVICE', detail: name };
      const paused = (pause: { untilMs: number } | undefined) => pause !== undefined && nowMs < pause.untilMs;
      if (state.request || state.episode || paused(state.pause) || paused(controller.pause))
        return { kind: 'refused', code: 'LEASE_HELD', detail: 'not now' };
      if (controller.brakes[state.facts.availabilityZone] || state.declared.includes('"observe"'))
        return { kind: 'refused', code: 'BRAKE', detail: 'not now' };
      const id = `request-${nowMs}`;
      const asked = { id, kind, target, author: 'ops', reason: 'patching', atMs: nowMs };
      const after = { ...state, request: asked, rev: state.rev + 1, nonce: ports.ids.nonce() };
      const { kind: written } = await ports.store.write(state, after, { rev: state.rev });
      if (written !== 'written') return { kind: 'refused', code: 'LEASE_HELD', detail: 'conflict' };
      await ports.queue.send({ service: name, hint: { kind: 'request', atMs: nowMs }, look: 0 }, 0);
      return { kind: 'done', detail: `${kind} to ${target}` };
    });
  }
  /** The same by way of control, which refuses what the engine would refuse. */
  ask(name: ServiceName, member: number): Worker {
    const target = (this.services.find((each) => each.name === name)?.members[member] ?? '') as InstanceId;
    return this.operate('ask', (ports) =>
      switchover(ports, name, target, { author: 'ops', reason: 'patching' }),
    );
  }
  adopt(name: ServiceName): Worker {
    return this.operate('adopt', (ports) => adopt(ports, name, { author: 'ops', reason: 'as it is' }));
  }
  setMode(name: ServiceName, mode: 'act' | 'observe'): Worker {
    return this.operate('mode', (ports) => setMode(ports, name, mode, { author: 'ops', reason: 'game day' }));
  }

  /** And registers it again after a while, as often as it takes. */
  unregister(index: number, forMs: number): void {
    const { name, declaration } = this.services[index] ?? {};
    if (!name || !declaration) return;
    this.operate('unregister', (ports) => unregister(ports, name, { author: 'ops', reason: 'retired' }));
    const again = () => {
      if (!this.checker.items.get(name)?.tombstone) return;
      this.operate('register', async (ports) =>
        toOperated(await register(ports, { declaration, author: 'ops' })),
      );
      this.loop.after(30_000, again);
    };
    this.loop.after(forMs, again);
  }

  // ── The sweep ─────────────────────────────────────────────────────────────────────────────────────────

  #sweepEveryMinute(): void {
    const nextMs = 60_000 - (this.loop.now() % 60_000);
    this.loop.after(nextMs, () => {
      this.sweepOnce();
      this.#sweepEveryMinute();
    });
  }

  /** One sweep; its memory is that of a warm process, lost when the process dies. */
  sweepOnce(): Worker | undefined {
    if (this.#sweeping || this.#withoutLambdaMs() > 0) return undefined;
    const worker = this.worker('sweep');
    const environment = this.#sweeper;
    const version = this.#version;
    this.#sweeping = worker;
    this.#enter(environment, worker);
    const retrying = { clock: worker.clock, random: () => 0.5 };
    const client = (service: AwsServiceName) => this.#clientOf(worker, service);
    const fleet = makeFleet({ ec2: client('ec2'), cloudwatch: client('cloudwatch') }, retrying);
    const memory = this.#memory;
    const lifeMs = 55_000;
    const stop = this.loop.after(lifeMs, () => worker.crash());
    const end = () => {
      stop();
      if (this.#sweeping === worker) this.#sweeping = undefined;
    };
    worker.onDeath(() => {
      end();
      if (this.#sweeper !== environment || worker.isOver) return;
      this.#sweeper = { invocations: [] };
      this.#memory = emptyMemory();
    });
    const leave = () => {
      end();
      this.#leave(environment, worker);
      if (version !== this.#version) worker.crash();
    };
    sweep(this.portsOf(worker), fleet, memory, worker.clock.now() + lifeMs).then(
      (report) => {
        this.log(() => `${worker.name} ${JSON.stringify(report)}`);
        leave();
      },
      (error: unknown) => {
        this.log(() => `${worker.name} throws ${String(error)}`);
        this.checker.onThrow(worker, error);
        leave();
      },
    );
    this.loop.settled();
    return worker;
  }

  // ── Time ──────────────────────────────────────────────────────────────────────────────────────────────

  /** Runs until this many milliseconds after the beginning, or until an invariant is broken. */
  runTo(ms: number, isDone: () => boolean = () => false): Promise<void> {
    return this.loop.run(
      this.bornMs + ms,
      () => this.checker.violations.length > 0 || (this.busy() === 0 && isDone()),
    );
  }

  /** Nothing is under way anywhere: no worker, message, event, late effect or open episode. */
  isQuiet(): boolean {
    return (
      this.busy() === 0 &&
      this.network.underway() === 0 &&
      this.monitoring.underway() === 0 &&
      this.queue.waiting().every((body) => body.includes('"watchdog"')) &&
      this.checker.isAtRest()
    );
  }
}

function describe({ operation, input }: Call): string {
  const { Key, AttachmentId, NetworkInterfaceId, InstanceId, InstanceIds, ConditionExpression } = input as {
    Key?: { pk?: { S: string }; sk?: { S: string } };
    AttachmentId?: string;
    NetworkInterfaceId?: string;
    InstanceId?: string;
    InstanceIds?: string[];
    ConditionExpression?: string;
  };
  const words = [
    operation,
    Key && `${Key.pk?.S} ${Key.sk?.S}`,
    AttachmentId,
    NetworkInterfaceId,
    InstanceId,
    !operation.startsWith('Describe') && InstanceIds?.join(),
    ConditionExpression?.includes('attribute_not_exists(#lease)') && '(claim)',
  ];
  return words.filter(Boolean).join(' ');
}

function brief(event: object): string {
  const { Records, detail, ...rest } = event as {
    Records?: { body: string }[];
    detail?: object;
    id?: string;
  };
  if (Records) return Records[0]?.body ?? '';
  return `${rest.id} ${JSON.stringify(detail).slice(0, 160)}`;
}
