/** EC2 behind its port: asynchronous attachments on the virtual clock, its refusals, its faults, and people's hands. */
import type {
  Answer,
  AttachAnswer,
  AttachOrder,
  ChecksFact,
  DetachAnswer,
  Ec2,
  InstanceFact,
} from '../../shared/app/ports.ts';
import { PortError } from '../../shared/core/errors.ts';
import type { AttachmentId, EniId, InstanceId } from '../../shared/core/ids.ts';
import type { Attachment, Checks, InterfaceFact, TypeLimits } from '../../shared/core/observation.ts';
import type { VirtualClock } from './virtual-clock.ts';

export type Ec2Operation = keyof Ec2;
export type Mutation = 'stop' | 'detach' | 'attach' | 'keepOnTermination';

export type Ec2Fault =
  | { readonly kind: 'throttled' }
  /** No answer, and nothing was done. */
  | { readonly kind: 'timed-out' }
  /** It was done, and the answer was lost. */
  | { readonly kind: 'answer-lost' }
  /** The answer was lost, and it is done this much later. */
  | { readonly kind: 'applied-late'; readonly ms: number }
  /** Accepted with an id, and it takes effect this much later. */
  | { readonly kind: 'accepted-late'; readonly ms: number }
  | { readonly kind: 'refused'; readonly code: string; readonly detail?: string }
  | { readonly kind: 'look'; readonly code: string }
  | { readonly kind: 'slow'; readonly ms: number }
  /** Something happens in the world just before the call arrives. */
  | { readonly kind: 'meanwhile'; readonly run: () => void };

export interface Ec2Call {
  readonly atMs: number;
  readonly operation: Ec2Operation;
  readonly eni?: EniId;
  readonly attachment?: AttachmentId;
  readonly instanceId?: InstanceId;
  readonly force?: boolean;
}

/** What happened to an interface, and whose work it was. */
export interface Effect {
  readonly atMs: number;
  readonly eni: EniId;
  readonly what: 'detaching' | 'detached' | 'attaching' | 'attached' | 'deleted' | 'kept';
  readonly attachment?: AttachmentId;
  readonly instanceId?: InstanceId;
  readonly by: 'controller' | 'person' | 'ec2';
}

interface Instance {
  readonly id: InstanceId;
  state: string;
  availabilityZone: string;
  instanceType: string;
  tagged: boolean;
  checks: Checks;
}

interface Interface {
  readonly eni: EniId;
  availabilityZone: string;
  status: string;
  attachment: Attachment | undefined;
  managedBy: string | undefined;
  ipv4Count: number;
  ipv6Count: number;
  tagged: boolean;
}

interface Truth {
  readonly atMs: number;
  readonly instances: ReadonlyMap<InstanceId, Instance>;
  readonly interfaces: ReadonlyMap<EniId, Interface>;
}

const fine: Checks = { system: 'ok', instance: 'ok', ebs: 'ok', impairedSinceMs: undefined };

const large: TypeLimits = {
  interfaces: 4,
  interfacesPerCard: [4],
  ipv4PerInterface: 15,
  ipv6PerInterface: 15,
};

export interface FaultOptions {
  readonly times?: number;
  /** Only until this moment. */
  readonly untilMs?: number;
  readonly when?: (call: Ec2Call) => boolean;
}

export interface FakeEc2 extends Ec2 {
  readonly calls: readonly Ec2Call[];
  readonly effects: readonly Effect[];
  readonly latency: {
    describeMs: number;
    mutateMs: number;
    detachMs: number;
    forcedDetachMs: number;
    attachMs: number;
    /** A forced stop. */
    stopMs: number;
  };
  readonly limitsByType: Record<string, TypeLimits>;
  /** The calls that may change something, by kind. */
  mutations(kind?: Mutation): readonly Ec2Call[];
  fail(operation: Ec2Operation | 'reads' | 'any', fault: Ec2Fault, options?: FaultOptions): void;

  addInstance(id: InstanceId, more?: Partial<Omit<Instance, 'id'>>): void;
  addInterface(eni: EniId, more?: Partial<Omit<Interface, 'eni' | 'attachment'>>): void;
  /** What a test wants otherwise: a tag, a zone, a type. */
  change(id: InstanceId, more: Partial<Omit<Instance, 'id'>>): void;
  changeInterface(eni: EniId, more: Partial<Omit<Interface, 'eni' | 'attachment'>>): void;
  impair(id: InstanceId, check?: 'system' | 'instance' | 'ebs', sinceMs?: number): void;
  recover(id: InstanceId): void;
  setState(id: InstanceId, state: string): void;
  /** It is gone, and what it held is free or deleted. */
  terminate(id: InstanceId): void;
  /** EC2 has forgotten that it ever existed. */
  forget(id: InstanceId): void;
  /** It is there, and DescribeInstances does not list it: one read that lags behind the others. */
  unlist(id: InstanceId): void;
  list(id: InstanceId): void;

  /** What people do, at once. Answers the new attachment's id. */
  attachByHand(eni: EniId, id: InstanceId, deviceIndex: number): AttachmentId;
  detachByHand(eni: EniId): void;
  /** The same, with the time that it takes; what sticks, sticks. */
  detachPlainly(eni: EniId): void;
  moveByHand(eni: EniId, id: InstanceId, deviceIndex: number): AttachmentId;
  deleteInterface(eni: EniId): void;
  setDeleteOnTermination(eni: EniId, value: boolean): void;
  /** Every attach from now on comes with DeleteOnTermination set. */
  deletesOnTermination: boolean;

  /** This member takes no interface from now on. */
  refuseAttach(id: InstanceId, code?: string, detail?: string): void;
  acceptAttach(id: InstanceId): void;
  /** A detach of it stays in `detaching`: a plain one, or a forced one too. */
  stick(eni: EniId, how?: 'plain' | 'forced-too'): void;
  loosen(eni: EniId): void;
  /** It stays in `stopping`. */
  neverStops(id: InstanceId): void;
  /** As it is now, without a call; undefined once EC2 has forgotten it. */
  stateOf(id: InstanceId): string | undefined;
  /** Reads show the world as it was this long ago. */
  staleByMs: number;

  where(eni: EniId): Attachment | undefined;
  exists(eni: EniId): boolean;
  /** Everything there is, without a call: what a look at the whole fleet shows. */
  census(): {
    readonly interfaces: readonly InterfaceFact[];
    readonly instances: readonly {
      readonly id: InstanceId;
      readonly state: string;
      readonly checks: Checks;
    }[];
  };
  /** Where it was at an earlier time. */
  whereAt(eni: EniId, atMs: number): Attachment | undefined;
  /** Who had handled it by hand since then. */
  touchedByPeopleSince(atMs: number): boolean;
  onCall(watch: (call: Ec2Call) => void): void;
  onEffect(watch: (effect: Effect) => void): void;
}

const timeoutMs = 3_000;

/** What is inside the entries is replaced, never changed. */
const copyOf = <K, V extends object>(map: ReadonlyMap<K, V>): ReadonlyMap<K, V> =>
  new Map([...map].map(([key, value]) => [key, { ...value }]));

export function makeFakeEc2(clock: VirtualClock): FakeEc2 {
  const instances = new Map<InstanceId, Instance>();
  const interfaces = new Map<EniId, Interface>();
  const history: Truth[] = [];
  const calls: Ec2Call[] = [];
  const effects: Effect[] = [];
  const callWatchers: ((call: Ec2Call) => void)[] = [];
  const effectWatchers: ((effect: Effect) => void)[] = [];
  const faults: {
    readonly operation: Ec2Operation | 'reads' | 'any';
    readonly fault: Ec2Fault;
    readonly options: FaultOptions;
    left: number;
  }[] = [];
  const refusing = new Map<InstanceId, { readonly code: string; readonly detail: string }>();
  const unstoppable = new Set<InstanceId>();
  const unlisted = new Set<InstanceId>();
  const stuck = new Map<EniId, 'plain' | 'forced-too'>();
  const ending = new Map<AttachmentId, { readonly atMs: number; readonly cancel: () => void }>();
  let made = 0;

  const remember = () => {
    history.push({
      atMs: clock.now(),
      instances: copyOf(instances),
      interfaces: copyOf(interfaces),
    });
  };

  const happened = (effect: Omit<Effect, 'atMs'>) => {
    const full = { atMs: clock.now(), ...effect };
    remember();
    effects.push(full);
    for (const watch of effectWatchers) watch(full);
  };

  const truthAt = (atMs: number): Truth => {
    const before = history.findLast((each) => each.atMs <= atMs) ?? history[0];
    return before ?? { atMs, instances, interfaces };
  };

  const theInterface = (eni: EniId) => {
    const found = interfaces.get(eni);
    if (!found) throw new Error(`no interface ${eni}`);
    return found;
  };
  const theInstance = (id: InstanceId) => {
    const found = instances.get(id);
    if (!found) throw new Error(`no instance ${id}`);
    return found;
  };

  const newAttachmentId = () => {
    made += 1;
    return `eni-attach-${made.toString(16).padStart(17, '0')}` as AttachmentId;
  };

  function beginAttach(
    eni: EniId,
    instanceId: InstanceId,
    deviceIndex: number,
    networkCardIndex: number,
    by: Effect['by'],
    takesMs: number,
  ): AttachmentId {
    const target = theInterface(eni);
    const id = newAttachmentId();
    const attachment: Attachment = {
      id,
      instanceId,
      deviceIndex,
      networkCardIndex,
      status: takesMs > 0 ? 'attaching' : 'attached',
      deleteOnTermination: by === 'controller' ? handle.deletesOnTermination : false,
    };
    target.attachment = attachment;
    target.status = 'in-use';
    happened({ eni, what: takesMs > 0 ? 'attaching' : 'attached', attachment: id, instanceId, by });
    if (takesMs > 0)
      clock.after(takesMs, () => {
        const now = interfaces.get(eni);
        if (now?.attachment?.id !== id || now.attachment.status !== 'attaching') return;
        now.attachment = { ...now.attachment, status: 'attached' };
        happened({ eni, what: 'attached', attachment: id, instanceId, by });
      });
    return id;
  }

  function free(eni: EniId, by: Effect['by']): void {
    const target = interfaces.get(eni);
    const attachment = target?.attachment;
    if (!target || !attachment) return;
    ending.get(attachment.id)?.cancel();
    ending.delete(attachment.id);
    target.attachment = undefined;
    target.status = 'available';
    happened({
      eni,
      what: 'detached',
      attachment: attachment.id,
      instanceId: attachment.instanceId,
      by,
    });
  }

  function beginDetach(eni: EniId, force: boolean, by: Effect['by'] = 'controller'): void {
    const target = theInterface(eni);
    const attachment = target.attachment;
    if (!attachment) return;
    if (attachment.status !== 'detaching') {
      target.attachment = { ...attachment, status: 'detaching' };
      happened({
        eni,
        what: 'detaching',
        attachment: attachment.id,
        instanceId: attachment.instanceId,
        by,
      });
    }
    const how = stuck.get(eni);
    if (how === 'forced-too' || (how === 'plain' && !force)) return;
    const takesMs = force ? handle.latency.forcedDetachMs : handle.latency.detachMs;
    const atMs = clock.now() + takesMs;
    const under = ending.get(attachment.id);
    // The same order again does not make it slower.
    if (under && under.atMs <= atMs) return;
    under?.cancel();
    ending.set(attachment.id, { atMs, cancel: clock.after(takesMs, () => free(eni, by)) });
  }

  const interfacesOn = (truth: Pick<Truth, 'interfaces'>, id: InstanceId) =>
    [...truth.interfaces.values()].filter((each) => each.attachment?.instanceId === id);

  /** Why this instance does not take this interface now, as EC2 would say it. */
  function objection(order: AttachOrder): readonly [string, string] | undefined {
    const instance = instances.get(order.instanceId);
    const carried = theInterface(order.eni);
    const own = refusing.get(order.instanceId);
    if (own) return [own.code, own.detail];
    if (!instance || instance.state === 'terminated')
      return ['InvalidInstanceID.NotFound', `The instance ID '${order.instanceId}' does not exist`];
    if (!['running', 'stopped'].includes(instance.state))
      return ['IncorrectInstanceState', `${order.instanceId} is ${instance.state}`];
    if (instance.availabilityZone !== carried.availabilityZone)
      return ['InvalidParameterCombination', 'instance and interface are in different Availability Zones'];
    const there = interfacesOn({ interfaces }, order.instanceId);
    if (there.some((each) => each.attachment?.deviceIndex === order.deviceIndex))
      return [
        'InvalidParameterValue',
        `Instance '${order.instanceId}' already has an interface attached at device index '${order.deviceIndex}'.`,
      ];
    const limits = handle.limitsByType[instance.instanceType] ?? large;
    if (there.length + 1 > limits.interfaces)
      return ['AttachmentLimitExceeded', `${instance.instanceType} carries ${limits.interfaces}`];
    return undefined;
  }

  /** Finds the fault that this call meets, and lets the call arrive. */
  async function arrive(call: Omit<Ec2Call, 'atMs'>, latencyMs: number): Promise<Ec2Fault | undefined> {
    const full = { atMs: clock.now(), ...call };
    const isRead = ['interfaces', 'instances', 'checks', 'limits'].includes(call.operation);
    const planned = faults.find(
      (each) =>
        each.left > 0 &&
        clock.now() < (each.options.untilMs ?? Number.POSITIVE_INFINITY) &&
        (each.operation === 'any' ||
          each.operation === call.operation ||
          (each.operation === 'reads' && isRead)) &&
        (each.options.when?.(full) ?? true),
    );
    if (planned) planned.left -= 1;
    calls.push(full);
    for (const watch of callWatchers) watch(full);
    const fault = planned?.fault;
    if (fault?.kind === 'meanwhile') fault.run();
    await clock.sleep(fault?.kind === 'slow' ? fault.ms : latencyMs);
    return fault;
  }

  async function read<T>(
    operation: 'interfaces' | 'instances' | 'checks' | 'limits',
    answer: (truth: Truth) => T,
  ): Promise<Answer<T>> {
    const sentAtMs = clock.now();
    const fault = await arrive({ operation }, handle.latency.describeMs);
    if (fault?.kind === 'throttled')
      throw new PortError('throttled', 'RequestLimitExceeded', 'Request limit exceeded.');
    if (fault?.kind === 'timed-out' || fault?.kind === 'answer-lost') {
      await clock.sleep(timeoutMs);
      throw new PortError('unavailable', 'TimeoutError', `${operation} was not answered`);
    }
    if (fault?.kind === 'refused')
      throw new PortError('denied', fault.code, fault.detail ?? 'You are not authorized.');
    const truth =
      handle.staleByMs > 0 ? truthAt(clock.now() - handle.staleByMs) : { atMs: 0, instances, interfaces };
    return { value: answer(truth), sentAtMs, slow: fault?.kind === 'slow' && fault.ms > 1_000 };
  }

  const toInterface = (from: Interface): InterfaceFact => ({
    eni: from.eni,
    availabilityZone: from.availabilityZone,
    status: from.status,
    attachment: from.attachment && { ...from.attachment },
    unmovable:
      from.attachment?.deviceIndex === 0
        ? 'is the primary interface of its instance'
        : from.managedBy && `is managed by ${from.managedBy}`,
    ipv4Count: from.ipv4Count,
    ipv6Count: from.ipv6Count,
    tagged: from.tagged,
  });

  const toInstance = (truth: Truth, from: Instance): InstanceFact => ({
    instanceId: from.id,
    state: from.state,
    availabilityZone: from.availabilityZone,
    instanceType: from.instanceType,
    tagged: from.tagged,
    interfaces: interfacesOn(truth, from.id).map((each) => ({
      eni: each.eni,
      deviceIndex: each.attachment?.deviceIndex ?? 0,
      networkCardIndex: each.attachment?.networkCardIndex ?? 0,
    })),
  });

  /** Those of the ids that are there. */
  function pick<K, V, W>(ids: readonly K[], from: ReadonlyMap<K, V>, to: (value: V) => W): ReadonlyMap<K, W> {
    return new Map(
      ids.flatMap((id) => {
        const value = from.get(id);
        return value === undefined ? [] : [[id, to(value)] as const];
      }),
    );
  }

  const handle: FakeEc2 = {
    calls,
    effects,
    latency: {
      describeMs: 80,
      mutateMs: 120,
      detachMs: 2_500,
      forcedDetachMs: 1_500,
      attachMs: 1_200,
      stopMs: 4_500,
    },
    limitsByType: { 'm6i.large': large },
    deletesOnTermination: false,
    staleByMs: 0,
    mutations: (kind) =>
      calls.filter((each) =>
        kind
          ? each.operation === kind
          : ['stop', 'detach', 'attach', 'keepOnTermination'].includes(each.operation),
      ),
    fail: (operation, fault, options = {}) => {
      const left = options.times ?? (options.untilMs === undefined ? 1 : Number.POSITIVE_INFINITY);
      faults.push({ operation, fault, options, left });
    },

    addInstance: (id, more = {}) => {
      instances.set(id, {
        id,
        state: 'running',
        availabilityZone: 'eu-central-1a',
        instanceType: 'm6i.large',
        tagged: true,
        checks: fine,
        ...more,
      });
      const primary = `eni-${id.slice(2).replace(/^./, 'f')}` as EniId;
      handle.addInterface(primary, {
        availabilityZone: more.availabilityZone ?? 'eu-central-1a',
        tagged: false,
      });
      beginAttach(primary, id, 0, 0, 'ec2', 0);
    },
    addInterface: (eni, more = {}) => {
      interfaces.set(eni, {
        eni,
        availabilityZone: 'eu-central-1a',
        status: 'available',
        attachment: undefined,
        managedBy: undefined,
        ipv4Count: 1,
        ipv6Count: 0,
        tagged: true,
        ...more,
      });
      remember();
    },
    change: (id, more) => {
      Object.assign(theInstance(id), more);
      remember();
    },
    changeInterface: (eni, more) => {
      Object.assign(theInterface(eni), more);
      remember();
    },
    impair: (id, check = 'system', sinceMs = clock.now()) => {
      handle.change(id, {
        checks: { ...theInstance(id).checks, [check]: 'impaired', impairedSinceMs: sinceMs },
      });
    },
    recover: (id) => {
      handle.change(id, { checks: fine, state: 'running' });
    },
    setState: (id, state) => {
      const isRunning = state === 'running';
      const none = {
        system: 'not-applicable',
        instance: 'not-applicable',
        ebs: 'not-applicable',
        impairedSinceMs: undefined,
      } as const;
      handle.change(id, { state, checks: isRunning ? fine : none });
    },
    terminate: (id) => {
      handle.setState(id, 'terminated');
      for (const each of interfacesOn({ interfaces }, id)) {
        const isDeleted = each.attachment?.deleteOnTermination === true || each.attachment?.deviceIndex === 0;
        free(each.eni, 'ec2');
        if (isDeleted) handle.deleteInterface(each.eni);
      }
    },
    forget: (id) => {
      handle.terminate(id);
      instances.delete(id);
      remember();
    },

    unlist: (id) => {
      unlisted.add(id);
    },
    list: (id) => {
      unlisted.delete(id);
    },

    attachByHand: (eni, id, deviceIndex) => beginAttach(eni, id, deviceIndex, 0, 'person', 0),
    detachByHand: (eni) => free(eni, 'person'),
    detachPlainly: (eni) => beginDetach(eni, false, 'person'),
    moveByHand: (eni, id, deviceIndex) => {
      free(eni, 'person');
      return beginAttach(eni, id, deviceIndex, 0, 'person', 0);
    },
    deleteInterface: (eni) => {
      interfaces.delete(eni);
      happened({ eni, what: 'deleted', by: 'person' });
    },
    setDeleteOnTermination: (eni, value) => {
      const target = theInterface(eni);
      if (target.attachment) target.attachment = { ...target.attachment, deleteOnTermination: value };
      remember();
    },

    refuseAttach: (id, code = 'AttachmentLimitExceeded', detail = 'it takes no more') => {
      refusing.set(id, { code, detail });
    },
    acceptAttach: (id) => {
      refusing.delete(id);
    },
    stick: (eni, how = 'plain') => {
      stuck.set(eni, how);
    },
    neverStops: (id) => {
      unstoppable.add(id);
    },
    stateOf: (id) => instances.get(id)?.state,
    loosen: (eni) => {
      stuck.delete(eni);
      if (interfaces.get(eni)?.attachment?.status === 'detaching') free(eni, 'controller');
    },

    where: (eni) => interfaces.get(eni)?.attachment,
    exists: (eni) => interfaces.has(eni),
    census: () => ({
      interfaces: [...interfaces.values()].map(toInterface),
      instances: [...instances.values()].map(({ id, state, checks }) => ({ id, state, checks })),
    }),
    whereAt: (eni, atMs) => truthAt(atMs).interfaces.get(eni)?.attachment,
    touchedByPeopleSince: (atMs) => effects.some((each) => each.by === 'person' && each.atMs >= atMs),
    onCall: (watch) => {
      callWatchers.push(watch);
    },
    onEffect: (watch) => {
      effectWatchers.push(watch);
    },

    interfaces: (ids) => read('interfaces', (truth) => pick(ids, truth.interfaces, toInterface)),
    instances: (ids) =>
      read('instances', (truth) =>
        pick(
          ids.filter((id) => !unlisted.has(id)),
          truth.instances,
          (each) => toInstance(truth, each),
        ),
      ),
    checks: (ids) => read('checks', (truth) => pick(ids, truth.instances, (each): ChecksFact => each.checks)),
    limits: (types) =>
      read('limits', () =>
        Object.fromEntries(
          types.flatMap((type) => {
            const found = handle.limitsByType[type];
            return found ? [[type, found] as const] : [];
          }),
        ),
      ),

    async detach(attachment, { force }): Promise<DetachAnswer> {
      const target = [...interfaces.values()].find((each) => each.attachment?.id === attachment);
      const fault = await arrive(
        {
          operation: 'detach',
          attachment,
          force,
          ...(target && { eni: target.eni }),
          ...(target?.attachment && { instanceId: target.attachment.instanceId }),
        },
        handle.latency.mutateMs,
      );
      const apply = () => {
        const now = [...interfaces.values()].find((each) => each.attachment?.id === attachment);
        if (now) beginDetach(now.eni, force);
      };
      if (fault?.kind === 'throttled') return { kind: 'unclear', code: 'RequestLimitExceeded' };
      if (fault?.kind === 'timed-out' || fault?.kind === 'answer-lost' || fault?.kind === 'applied-late') {
        if (fault.kind === 'answer-lost') apply();
        if (fault.kind === 'applied-late') clock.after(fault.ms, apply);
        await clock.sleep(timeoutMs);
        return { kind: 'unclear', code: 'TimeoutError' };
      }
      if (fault?.kind === 'refused')
        return { kind: 'refused', code: fault.code, detail: fault.detail ?? 'You are not authorized.' };
      if (fault?.kind === 'look') return { kind: 'look', code: fault.code };
      const now = [...interfaces.values()].find((each) => each.attachment?.id === attachment);
      if (!now?.attachment) return { kind: 'look', code: 'InvalidAttachmentID.NotFound' };
      if (now.attachment.deviceIndex === 0)
        return { kind: 'refused', code: 'OperationNotPermitted', detail: 'it is the primary interface' };
      if (fault?.kind === 'accepted-late') clock.after(fault.ms, apply);
      else apply();
      return { kind: 'accepted' };
    },

    async attach(order): Promise<AttachAnswer> {
      const { eni, instanceId, deviceIndex, networkCardIndex } = order;
      const fault = await arrive({ operation: 'attach', eni, instanceId }, handle.latency.mutateMs);
      const apply = () => {
        const now = interfaces.get(eni);
        if (!now || now.attachment || objection(order)) return undefined;
        return beginAttach(
          eni,
          instanceId,
          deviceIndex,
          networkCardIndex,
          'controller',
          handle.latency.attachMs,
        );
      };
      if (fault?.kind === 'throttled') return { kind: 'unclear', code: 'RequestLimitExceeded' };
      if (fault?.kind === 'timed-out' || fault?.kind === 'answer-lost' || fault?.kind === 'applied-late') {
        if (fault.kind === 'answer-lost') apply();
        if (fault.kind === 'applied-late') clock.after(fault.ms, apply);
        await clock.sleep(timeoutMs);
        return { kind: 'unclear', code: 'TimeoutError' };
      }
      if (fault?.kind === 'refused')
        return { kind: 'target-refused', code: fault.code, detail: fault.detail ?? 'it refused' };
      if (fault?.kind === 'look') return { kind: 'look', code: fault.code };
      const now = interfaces.get(eni);
      if (!now) return { kind: 'gone', code: 'InvalidNetworkInterfaceID.NotFound' };
      if (now.attachment) return { kind: 'look', code: 'InvalidNetworkInterface.InUse' };
      const no = objection(order);
      if (no) return { kind: 'target-refused', code: no[0], detail: no[1] };
      if (fault?.kind === 'accepted-late') {
        // EC2 has taken the order and named the attachment; nobody can see it for a while.
        made += 1;
        const promised = made;
        clock.after(fault.ms, () => {
          const later = interfaces.get(eni);
          if (!later || later.attachment || objection(order)) return;
          const next = made;
          made = promised - 1;
          apply();
          made = next;
        });
        return {
          kind: 'accepted',
          attachment: `eni-attach-${promised.toString(16).padStart(17, '0')}` as AttachmentId,
        };
      }
      const attachment = apply();
      return attachment
        ? { kind: 'accepted', attachment }
        : { kind: 'look', code: 'InvalidNetworkInterface.InUse' };
    },

    async rehearse({ eni, instanceId, attachment }) {
      await arrive({ operation: 'rehearse', eni, instanceId, attachment }, handle.latency.mutateMs);
      const actions = [
        'DetachNetworkInterface',
        'AttachNetworkInterface',
        'ModifyNetworkInterfaceAttribute',
      ] as const;
      return actions.map((action) => ({ action, answer: 'allowed' as const, detail: 'DryRunOperation' }));
    },

    async stop(instanceId) {
      const fault = await arrive({ operation: 'stop', instanceId }, handle.latency.mutateMs);
      const apply = () => {
        const state = instances.get(instanceId)?.state;
        if (state !== 'running' && state !== 'stopping') return;
        handle.setState(instanceId, 'stopping');
        clock.after(handle.latency.stopMs, () => {
          if (instances.get(instanceId)?.state === 'stopping' && !unstoppable.has(instanceId))
            handle.setState(instanceId, 'stopped');
        });
      };
      if (fault?.kind === 'throttled') return { kind: 'unclear', code: 'RequestLimitExceeded' };
      if (fault?.kind === 'refused')
        return { kind: 'refused', code: fault.code, detail: fault.detail ?? 'it is protected' };
      if (fault?.kind === 'timed-out' || fault?.kind === 'answer-lost' || fault?.kind === 'applied-late') {
        if (fault.kind === 'answer-lost') apply();
        if (fault.kind === 'applied-late') clock.after(fault.ms, apply);
        await clock.sleep(timeoutMs);
        return { kind: 'unclear', code: 'TimeoutError' };
      }
      apply();
      return { kind: 'accepted' };
    },

    async keepOnTermination(eni, attachment) {
      const fault = await arrive(
        { operation: 'keepOnTermination', eni, attachment },
        handle.latency.mutateMs,
      );
      if (fault?.kind === 'throttled' || fault?.kind === 'timed-out') return 'unclear';
      if (fault?.kind === 'refused') return 'refused';
      const target = interfaces.get(eni);
      if (target?.attachment?.id !== attachment || fault?.kind === 'look') return 'look';
      target.attachment = { ...target.attachment, deleteOnTermination: false };
      happened({ eni, what: 'kept', attachment, by: 'controller' });
      return fault?.kind === 'answer-lost' ? 'unclear' : 'done';
    },
  };
  return handle;
}
