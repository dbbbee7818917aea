/** Holds every effect against the invariants S1 to S15, and the quiet end against L1 to L6; asks the world, never the controller. */
import { hash } from 'node:crypto';
import type { NativeAttributeValue } from '@aws-sdk/util-dynamodb';
import * as v from 'valibot';
import type { Check, CheckStatus, Ec2Event, InstanceState } from '../../sandbox/ec2/model.ts';
import type { Episode, StageMark } from '../../shared/core/episode.ts';
import type { Plan } from '../../shared/core/plan.ts';
import { reasons } from '../../shared/core/reasons.ts';
import type { Declaration } from '../../shared/core/service.ts';
import { DeclarationSchema } from '../../shared/core/service.ts';
import type { ServiceState } from '../../shared/core/state.ts';
import { times } from '../../shared/core/times.ts';
import { verifyChain } from '../../shared/core/trail.ts';
import { servingAlarmOf, type Told } from './applications.ts';
import { arnOf } from './monitoring.ts';
import { type Call, changesEc2, isHookFunction, isRead } from './network.ts';
import type { AttributeValue, Item, TableWrite } from './table.ts';
import type { Worker } from './virtual-time.ts';
import type { World } from './world.ts';

export interface Violation {
  readonly invariant: string;
  readonly service: string;
  readonly what: string;
  readonly atMs: number;
}

interface InstanceTruth {
  state: InstanceState;
  checks: Partial<Record<Check, CheckStatus>>;
  /** Grows with each new failure: what S9 counts failovers against. */
  failures: number;
  failedSinceMs: number | undefined;
  failedUntilMs: number;
  /** Stopped, and not started again since. */
  isOff: boolean;
  /** When somebody last started it. */
  startedAtMs: number;
}

interface AttachmentTruth {
  readonly id: string;
  readonly eni: string;
  readonly instance: string;
  readonly slot: string;
  readonly by: 'ours' | 'person';
  /** The episode in which our attach was sent. */
  readonly episode: string | undefined;
  readonly madeAtMs: number;
  status: 'attaching' | 'attached' | 'detaching' | 'gone';
  wasAttached: boolean;
  detachedBy: 'ours' | 'person' | undefined;
  goneAtMs?: number;
}

/** Of a service: when we last took it from a failed holder, and when anybody last moved it for another reason. */
interface Moves {
  oursAtMs: number;
  othersAtMs: number;
}

/** What a call of a hook says of itself. */
interface HookCall {
  readonly token: string;
  readonly epoch: number;
  readonly episode: string;
  readonly service: string;
  /** The stage's id: rung and step. */
  readonly stage: string;
  readonly step: string;
  /** What is called, and where. */
  readonly what: string;
}

interface Controller {
  readonly pause: { readonly untilMs: number } | undefined;
  readonly brakes: ReadonlySet<string>;
}

/** An observation may be 10 s old at a claim while EC2 is slow, and a Describe itself some seconds stale. */
const sightMs = 20_000;
const gone: ReadonlySet<string> = new Set(['stopping', 'stopped', 'shutting-down', 'terminated']);
const planned: ReadonlySet<string> = new Set(['switchover', 'failback']);
const off: ReadonlySet<string> = new Set(['stopped', 'terminated']);
const sha256 = (text: string) => hash('sha256', text);

function toNative(value: AttributeValue): NativeAttributeValue {
  for (const type in value) {
    const held = value[type];
    switch (type) {
      case 'S':
      case 'BOOL':
        return held;
      case 'N':
        return Number(held);
      case 'NULL':
        return null;
      case 'SS':
        return new Set(held as string[]);
      case 'L':
        return (held as AttributeValue[]).map(toNative);
      case 'M':
        return toRow(held as Item);
      default:
        throw new Error(`nothing that is stored here is of type ${type}`);
    }
  }
  throw new Error('a value without a type');
}

type Row = Record<string, NativeAttributeValue>;

/** What a write left alone is the same object before and after it, and then so is what stands for it here. */
function toRow(item: Item, last?: { readonly item: Item; readonly row: Row }): Row {
  const row: Row = {};
  for (const name in item) {
    const value = item[name] as AttributeValue;
    row[name] = last?.item[name] === value ? last.row[name] : toNative(value);
  }
  return row;
}

/** Which count a row of the brake's belongs to: everything but the minute. */
const countOf = (sk: string) => sk.slice(0, sk.lastIndexOf('#'));

const isOther = (a: unknown, b: unknown) => a !== b && JSON.stringify(a) !== JSON.stringify(b);

const declarations = new Map<string, Declaration>();
function declarationOf(state: ServiceState): Declaration {
  let known = declarations.get(state.declared);
  if (!known) {
    known = v.parse(DeclarationSchema, JSON.parse(state.declared));
    if (declarations.size > 5_000) declarations.clear();
    declarations.set(state.declared, known);
  }
  return known;
}

/** How long everything around one move may take by its own deadlines, on every member in turn. */
export function stagesBoundMs({ hooks, serving, policy, members }: Declaration): number {
  const sum = (list: readonly { readonly deadline: number }[]) =>
    list.reduce((all, { deadline }) => all + deadline, 0);
  const fence = policy.fence === 'stop' ? policy.fenceTimeout : 0;
  const perMember = 2 * sum(hooks.before) + sum(hooks.after) + (serving?.within ?? 0);
  return fence + Math.max(1, members.length - 1) * perMember;
}

function hookIn(call: Call): HookCall | undefined {
  const { input, operation } = call;
  let told: { token?: string; epoch?: string | number };
  let what: string;
  if (isHookFunction(call)) {
    const { FunctionName, Payload } = input as { FunctionName: string; Payload: Uint8Array };
    told = JSON.parse(Buffer.from(Payload).toString()) as typeof told;
    what = FunctionName;
  } else if (operation === 'SendCommand') {
    const { DocumentName, InstanceIds, Parameters } = input as {
      DocumentName: string;
      InstanceIds: string[];
      Parameters: Record<string, string[]>;
    };
    told = { token: Parameters['Token']?.[0] ?? '', epoch: Parameters['Epoch']?.[0] ?? '' };
    what = `${DocumentName} on ${InstanceIds.join()}`;
  } else return undefined;
  const { token = '', epoch } = told;
  const [episode = '', rung = '', step = ''] = token.split('/');
  const service = episode.slice(0, episode.lastIndexOf('.'));
  return { token, epoch: Number(epoch), episode, service, stage: `${rung}/${step}`, step, what };
}

export class Checker {
  readonly violations: Violation[] = [];
  readonly items = new Map<string, ServiceState>();
  readonly #world: World;
  readonly #instances = new Map<string, InstanceTruth>();
  readonly #attachments = new Map<string, AttachmentTruth>();
  /** The attachment that each interface has now, or had last. */
  readonly #current = new Map<string, AttachmentTruth>();
  readonly #deleted = new Set<string>();
  readonly #serviceOfEni = new Map<string, string>();
  readonly #episodeOfCall = new Map<number, string | undefined>();
  readonly #skews = new Map<string, number>();
  readonly #eligible = new Map<string, { now: boolean; untilMs: number }>();
  readonly #redUntil = new Map<string, number>();
  readonly #accusedAt = new Map<string, number>();
  readonly #announcedAt = new Map<string, number>();
  readonly #detachedInEpoch = new Set<string>();
  readonly #causes = new Map<string, readonly string[]>();
  readonly #usedCauses = new Set<string>();
  readonly #troubled = new Set<string>();
  readonly #saw = new Map<string, readonly { readonly atMs: number; readonly controller: Controller }[]>();
  readonly #braked = new Map<string, ReadonlySet<string>>();
  readonly #touchedAt = new Map<string, number>();
  readonly #sameEnd = new Map<string, { readonly why: string; readonly times: number }>();
  readonly #touches = new Map<string, number>();
  readonly #notices = new Map<string, { readonly service: string; readonly keep: boolean }>();
  readonly #wroteAt = new Map<string, number>();
  readonly #mutatedAt = new Map<string, number>();
  /** Episodes in which the source was told to stop. */
  readonly #fenced = new Set<string>();
  /** Of a service that may have been promoted elsewhere: whom it left then, until its interfaces rest again. */
  readonly #outdated = new Map<string, string>();
  /** Stranded by a planned move: since when it was under way. Whoever was well since then is not stopped for it. */
  readonly #strandedByMove = new Map<string, number>();
  /** What each token was first used for. */
  readonly #tokens = new Map<string, string>();
  /** When the checker last saw a stage of an episode end. */
  readonly #stageEndedAt = new Map<string, number>();
  /** When each service was last known to serve; for ever, while its alarm is OK. */
  readonly #servedUntil = new Map<string, number>();
  readonly #moves = new Map<string, Moves>();
  readonly #pauses = new Map<string, { readonly fromMs: number; toMs: number }[]>();
  readonly #adopted = new Map<string, { readonly holder: string; readonly atMs: number }>();
  /** Since when each instance has been well or not, the latest stretch last. */
  readonly #health = new Map<string, { readonly isWell: boolean; readonly sinceMs: number }[]>();
  /** When a call of a sweep's was last hurt: it may have seen nothing, or kept nothing of it. */
  readonly #sweepHurtAtMs: number[] = [];
  /** When each worker last looked at each interface and was answered. */
  readonly #lookedAt = new Map<string, number>();
  #controller: Controller = { pause: undefined, brakes: new Set() };
  #counted: { readonly zone: string; readonly service: string; readonly atMs: number }[] = [];
  #begun = false;
  #promised: ReadonlySet<string> | undefined;
  /** When anything in the world last changed, by whomever. */
  #changedAtMs = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** Holds the world to these only: the rest is promised under conditions that it does not keep. */
  promiseOnly(invariants: readonly string[]): void {
    this.#promised = new Set(invariants);
  }

  /** Where the episode of this worker is going. */
  targetOf(worker: string): string | undefined {
    for (const state of this.items.values())
      if (state.lease?.owner === worker && state.episode) return state.episode.plan.target;
    return undefined;
  }

  begin(): void {
    this.#begun = true;
    for (const service of this.#world.services)
      for (const eni of service.enis) this.#serviceOfEni.set(eni, service.name);
    this.onAlarm();
  }

  #fail(invariant: string, service: string, what: string): void {
    if (!this.#begun) return;
    if (this.#promised && !this.#promised.has(invariant)) {
      this.#world.count(`not promised: ${invariant}`);
      return;
    }
    const atMs = this.#world.loop.now() - this.#world.bornMs;
    this.#world.log(() => `VIOLATION ${invariant} ${service}: ${what}`);
    this.violations.push({ invariant, service, what, atMs });
  }

  // ── What is so ────────────────────────────────────────────────────────────────────────────────────────

  #instance(id: string): InstanceTruth {
    let truth = this.#instances.get(id);
    if (!truth) {
      truth = {
        state: 'pending',
        checks: {},
        failures: 0,
        failedSinceMs: undefined,
        failedUntilMs: -1,
        isOff: false,
        startedAtMs: -1,
      };
      this.#instances.set(id, truth);
    }
    return truth;
  }

  isHealthy(id: string): boolean {
    const { state, checks } = this.#instance(id);
    return (
      state === 'running' &&
      Object.values(checks).every((status) => status === 'ok' || status === 'not-applicable')
    );
  }

  #isFailed(truth: InstanceTruth): boolean {
    return gone.has(truth.state) || Object.values(truth.checks).includes('impaired');
  }

  /** EC2 called it failed at some time that an observation may still have seen. */
  #wasFailed(id: string): boolean {
    const truth = this.#instance(id);
    return truth.failedSinceMs !== undefined || this.#now() - truth.failedUntilMs <= sightMs;
  }

  #now(): number {
    return this.#world.loop.now();
  }

  holders(service: string): (string | undefined)[] {
    const enis = this.#world.services.find((each) => each.name === service)?.enis ?? [];
    return enis.map((eni) => {
      const attachment = this.#current.get(eni);
      return attachment && attachment.status !== 'gone' ? attachment.instance : undefined;
    });
  }

  /** The instance that has all interfaces of a service, attached. */
  wholeHolderOf(service: string): string | undefined {
    const all = this.#enisOf(service).map((eni) => this.#current.get(eni));
    const [first] = all;
    const isWhole = all.every((each) => each?.status === 'attached' && each.instance === first?.instance);
    return isWhole ? first?.instance : undefined;
  }

  /** Some service is not at its rest yet, or its holder has failed: what is around a move may still take its time. */
  isUnderway(): boolean {
    return (
      !this.isAtRest() ||
      this.#world.services.some(({ name }) =>
        this.holders(name).some((holder) => holder && this.#instance(holder).failedSinceMs !== undefined),
      )
    );
  }

  /** The longest that the stages of any of these services may take. */
  boundMs(): number {
    return Math.max(0, ...[...this.items.values()].map((state) => stagesBoundMs(declarationOf(state))));
  }

  /** What an operator does changes the world as an event does: it is not settled yet (L6). */
  onOperator(): void {
    this.#changedAtMs = this.#now();
  }

  /** Interfaces of a service that EC2 still has. */
  #enisOf(service: string): readonly string[] {
    const enis = this.#world.services.find((each) => each.name === service)?.enis ?? [];
    return enis.filter((eni) => !this.#deleted.has(eni));
  }

  #isEligible(service: string, member: string): boolean {
    const state = this.items.get(service);
    if (!state) return false;
    if (!this.isHealthy(member)) return false;
    const declaration = declarationOf(state);
    for (const { status, instance, eni, slot } of this.#current.values()) {
      if (status === 'gone' || instance !== member) continue;
      const isOwn = declaration.interfaces.some((each) => each.eni === eni);
      const isWanted = (each: Declaration['interfaces'][number]) =>
        `${each.networkCardIndex}:${each.deviceIndex}` === slot;
      if (!isOwn && declaration.interfaces.some(isWanted)) return false;
    }
    if (this.#isQuarantined(state, member)) return false;
    const { readyWhen = [] } = declaration.members.find((each) => each.instance === member) ?? {};
    const { monitoring } = this.#world;
    return readyWhen.every((arn) => monitoring.alarm(arn.slice(arn.indexOf(':alarm:') + 7))?.state === 'OK');
  }

  #isQuarantined(state: ServiceState, member: string): boolean {
    const quarantine = state.quarantine[member];
    if (!quarantine) return false;
    // One that ends by itself: a second either way, for two clocks.
    if (quarantine.untilMs !== undefined && quarantine.untilMs <= this.#now() + times.skewMarginMs)
      return false;
    const declaration = declarationOf(state);
    const ready = declaration.members.find((each) => each.instance === member)?.readyWhen ?? [];
    const mayEnd = declaration.policy.quarantine === 'until-healthy' || ready.length > 0;
    const sinceMs = quarantine.healthySinceMs;
    // Half a minute less: two clocks, and the time from the look to the attach.
    return !(
      mayEnd &&
      sinceMs !== undefined &&
      this.#now() - sinceMs >= declaration.policy.quarantineFor - 2_000
    );
  }

  #lookAtEligibility(): void {
    if (!this.#begun) return;
    const nowMs = this.#now();
    for (const { name, members } of this.#world.services)
      for (const member of members) {
        const key = `${name} ${member}`;
        const known = this.#eligible.get(key);
        const now = this.#isEligible(name, member);
        if (!known) this.#eligible.set(key, { now, untilMs: now ? nowMs : -1 });
        else {
          if (known.now) known.untilMs = nowMs;
          known.now = now;
        }
      }
  }

  #wasEligible(service: string, member: string): boolean {
    const known = this.#eligible.get(`${service} ${member}`);
    // Looked at once more: a quarantine ends by itself.
    const isNow = known !== undefined && (known.now || this.#isEligible(service, member));
    return isNow || (known !== undefined && this.#now() - known.untilMs <= sightMs);
  }

  // ── What happens ──────────────────────────────────────────────────────────────────────────────────────

  onEc2(event: Ec2Event): void {
    const nowMs = this.#now();
    // A quarantine may have ended by itself since the last event.
    this.#lookAtEligibility();
    this.#changedAtMs = nowMs;
    if (event.kind === 'attachment') {
      this.#onAttachment(event);
    } else {
      const truth = this.#instance(event.instanceId);
      if (event.kind === 'instance-state') {
        truth.state = event.state;
        if (off.has(event.state)) truth.isOff = true;
        if (event.state === 'pending') {
          truth.isOff = false;
          truth.startedAtMs = nowMs;
        }
      } else truth.checks[event.check] = event.status;
      this.#noteHealth(event.instanceId);
      const failed = this.#isFailed(truth);
      if (failed && truth.failedSinceMs === undefined) {
        truth.failedSinceMs = nowMs;
        truth.failures += 1;
      } else if (!failed && truth.failedSinceMs !== undefined) {
        truth.failedSinceMs = undefined;
        truth.failedUntilMs = nowMs;
        for (const state of this.items.values())
          if (state.quarantine[event.instanceId]) this.#world.count('old primary returned while quarantined');
      }
    }
    this.#lookAtEligibility();
  }

  #onAttachment(event: Extract<Ec2Event, { kind: 'attachment' }>): void {
    const { eniId: eni, attachmentId: id, instanceId: instance, status } = event;
    const { actor, current } = this.#world;
    const by = actor === undefined || actor === 'person' ? 'person' : 'ours';
    const service = this.#serviceOfEni.get(eni);
    if (actor === 'person' && service) this.#touch(service);
    if (status === 'attaching') {
      const { DeviceIndex = 0, NetworkCardIndex = 0 } = (current?.input ?? this.#world.personInput ?? {}) as {
        DeviceIndex?: number;
        NetworkCardIndex?: number;
      };
      const attachment: AttachmentTruth = {
        id,
        eni,
        instance,
        slot: `${NetworkCardIndex}:${DeviceIndex}`,
        by,
        episode: current && this.#episodeOfCall.get(current.ordinal),
        madeAtMs: this.#now(),
        status,
        wasAttached: false,
        detachedBy: undefined,
      };
      this.#attachments.set(id, attachment);
      this.#current.set(eni, attachment);
      if (service && by === 'person') this.#movesOf(service).othersAtMs = this.#now();
      return;
    }
    const attachment = this.#attachments.get(id);
    if (!attachment) return;
    if (status === 'attached') {
      attachment.status = 'attached';
      attachment.wasAttached = true;
    } else if (status === 'detaching') {
      attachment.status = 'detaching';
      attachment.detachedBy = by;
    } else {
      attachment.status = 'gone';
      attachment.goneAtMs = this.#now();
      if (actor === 'person') attachment.detachedBy = 'person';
      // With its instance, because DeleteOnTermination was set.
      if (!this.#world.exists(eni)) this.onDeleted(eni);
      if (service) this.#checkOnNothing(service, 'an interface came off');
    }
  }

  onDeleted(eni: string): void {
    this.#deleted.add(eni);
    const service = this.#serviceOfEni.get(eni);
    if (service) this.#touch(service);
  }

  #touch(service: string): void {
    this.#touchedAt.set(service, this.#now());
    this.#touches.set(service, (this.#touches.get(service) ?? 0) + 1);
  }

  onAlarm(): void {
    const nowMs = this.#now();
    this.#changedAtMs = nowMs;
    for (const { name } of this.#world.services) {
      const alarm = this.#world.monitoring.alarm(servingAlarmOf(name));
      if (alarm?.state === 'OK') this.#servedUntil.set(name, Number.POSITIVE_INFINITY);
      else if (alarm && this.#servedUntil.get(name) === Number.POSITIVE_INFINITY)
        this.#servedUntil.set(name, nowMs);
    }
    for (const alarm of this.#world.monitoring.alarms())
      if (alarm.state === 'ALARM' && !alarm.suppressed)
        this.#redUntil.set(alarm.arn, Number.POSITIVE_INFINITY);
      else if (this.#redUntil.get(alarm.arn) === Number.POSITIVE_INFINITY)
        this.#redUntil.set(alarm.arn, nowMs);
    this.#lookAtEligibility();
  }

  onInvocation(worker: Worker, event: object): void {
    this.#skews.set(worker.name, worker.skewMs);
    if (!('Records' in event)) this.#changedAtMs = this.#now();
    const text = JSON.stringify(event);
    for (const word of ['Spot', 'Rebalance', 'Health'])
      if (String((event as { 'detail-type'?: string })['detail-type']).includes(word))
        for (const id of text.match(/\bi-[0-9a-f]{17}/g) ?? [])
          this.#announcedAt.set(`${word} ${id}`, this.#now());
    if (!text.includes('larm') && !text.includes('state-change') && !text.includes('State-change')) return;
    for (const id of text.match(/\bi-[0-9a-f]{17}/g) ?? []) this.#accusedAt.set(id, this.#now());
  }

  onInjury(call: Call): void {
    if (call.service === 'dynamodb') this.#troubled.add(call.worker.name);
    if (call.worker.name.startsWith('sweep')) this.#sweepHurtAtMs.push(this.#now());
  }

  /** A use case may throw only what its contract says: a port out of reach, never a bug of its own. */
  onThrow(worker: Worker, error: unknown): void {
    const all = error instanceof AggregateError ? (error.errors as unknown[]) : [error];
    for (const each of all) {
      const name = each instanceof Error ? each.name : String(each);
      if (name !== 'PortError')
        this.#fail('BUG', '', `${worker.name} threw ${each instanceof Error ? each.stack : name}`);
    }
  }

  // ── Calls that change EC2 ─────────────────────────────────────────────────────────────────────────────

  /** S1, S2, S3, S4, S8, S10, S11: judged as the call leaves the code that checked its lease, before any freeze. */
  onCall(call: Call): void {
    if (call.worker.isOver) this.#onLeftBehind(call);
    const hook = hookIn(call);
    if (hook) this.#onHook(call, hook);
    // A dry run asks only whether the role might: it changes nothing.
    if (!changesEc2(call) || (call.input as { DryRun?: boolean }).DryRun === true) return;
    if (call.operation === 'StopInstances') {
      this.#onStop(call);
      return;
    }
    const { worker, operation } = call;
    const input = call.input as {
      AttachmentId?: string;
      NetworkInterfaceId?: string;
      InstanceId?: string;
      Attachment?: { AttachmentId?: string };
      DeviceIndex?: number;
      NetworkCardIndex?: number;
    };
    const attachmentId = input.AttachmentId ?? input.Attachment?.AttachmentId;
    const eni = input.NetworkInterfaceId ?? this.#attachments.get(attachmentId ?? '')?.eni ?? '';
    const service = this.#serviceOfEni.get(eni);
    const state = service ? this.items.get(service) : undefined;
    if (!service || !state) {
      this.#fail('S11', '', `${operation} of ${eni}, which no service declares`);
      return;
    }
    this.#episodeOfCall.set(call.ordinal, state.episode?.id);
    this.#mutatedAt.set(service, this.#now());

    // P5: what is on nothing may be attached while the table is away.
    const excused = operation === 'AttachNetworkInterface' && this.#troubled.has(worker.name);
    if (!excused) this.#checkLease(call, service, state);
    if (operation === 'DetachNetworkInterface') this.#onDetach(call, service, state, eni, attachmentId ?? '');
    if (operation === 'AttachNetworkInterface')
      this.#onAttach(service, state, eni, input.InstanceId ?? '', input);
  }

  /** S8: the lease outlives the call's own timeout. */
  #checkLease({ worker, operation }: Call, service: string, { lease }: ServiceState): void {
    const nowMs = worker.clock.now();
    const leftMs = (lease?.untilMs ?? 0) - nowMs;
    if (lease?.owner === worker.name && leftMs >= times.ec2TimeoutMs + times.skewMarginMs) return;
    this.#fail(
      'S8',
      service,
      `${operation} by ${worker.name} without a live lease (${lease?.owner}, ${leftMs} ms left)`,
    );
  }

  // ── Fence and hooks ───────────────────────────────────────────────────────────────────────────────────

  /** P38, S8, S11: only the source of a failover or a rescue is ever stopped, and only where that is declared. */
  #onStop(call: Call): void {
    const { InstanceIds = [] } = call.input as { InstanceIds?: string[] };
    const [instance = ''] = InstanceIds;
    // One worker may have the leases of several services.
    const leased = [...this.items.values()].filter((each) => each.lease?.owner === call.worker.name);
    const isFencing = ({ episode }: ServiceState) => {
      const mark = episode?.stages?.['fence'];
      return episode?.plan.source === instance && mark && !mark.end;
    };
    const state = leased.find(isFencing) ?? leased[0];
    const episode = state?.episode;
    if (!state || !episode || InstanceIds.length !== 1) {
      this.#fail('S8', '', `StopInstances of ${InstanceIds.join()} by ${call.worker.name} without a lease`);
      return;
    }
    const { name } = state;
    this.#mutatedAt.set(name, this.#now());
    this.#checkLease(call, name, state);
    const { policy, members } = declarationOf(state);
    // A planned move stops nobody, unless its source fails on the way: from then on it is as a failover.
    const mayStop = planned.has(episode.kind)
      ? this.#wasFailed(instance)
      : !this.#wasWellSince(name, instance);
    if (policy.fence !== 'stop' || (!mayStop && !this.#fenced.has(episode.id)))
      this.#fail('S7', name, `${episode.kind} ${episode.id} stops ${instance}, and must not`);
    this.#fenced.add(episode.id);
    if (instance !== episode.plan.source || !members.some((each) => each.instance === instance))
      this.#fail('S11', name, `stops ${instance}, which is not its member and source`);
    const mark = episode.stages?.['fence'];
    if (!mark || mark.end) this.#fail('P38', name, `stops ${instance}, and no open fence is stored`);
    this.#world.count('fence sent');
  }

  /** P38, P39, S8, and when a hook may begin at all. */
  #onHook(call: Call, { token, epoch, episode: id, service, stage, step, what }: HookCall): void {
    const state = this.items.get(service);
    const episode = state?.episode;
    if (!state || !episode || episode.id !== id) {
      this.#fail('P38', service, `${token} is begun, and no such episode is open`);
      return;
    }
    this.#checkLease(call, service, state);
    if (epoch !== state.epoch)
      this.#fail('P39', service, `${token} speaks for epoch ${epoch} in ${state.epoch}`);
    const mark = episode.stages?.[stage];
    if (!mark) this.#fail('P38', service, `${token} is begun, and is not marked so in the table`);
    else if (mark.end) this.#fail('P38', service, `${token} is begun, and has ended: ${mark.end}`);
    const first = this.#tokens.get(token);
    if (first !== undefined && first !== what)
      this.#fail('P39', service, `${token} was ${first}, and is ${what} now`);
    this.#tokens.set(token, what);
    if (first !== undefined) return;
    const { plan } = episode;
    // Somebody else's work since, or the end of an instance: no look could tell.
    const isTouched = (this.#touchedAt.get(service) ?? -1) >= this.#now() - 60_000;
    if (step.startsWith('after.') && this.wholeHolderOf(service) !== plan.target) {
      const isLost = gone.has(this.#instance(plan.target).state);
      if (!isTouched && !isLost)
        this.#fail('S13', service, `${token} is begun, and ${plan.target} has not all interfaces`);
    }
    if (step.startsWith('after.') && plan.source && plan.source !== plan.target)
      this.#outdated.set(service, plan.source);
    if (step.startsWith('before.'))
      for (const { eni, detach } of plan.interfaces) {
        const left = this.#attachments.get(detach ?? '');
        // The late detach of an episode that has ended: a stale look cannot tell.
        if (detach && state.mayDetach.includes(detach)) continue;
        if (left?.detachedBy === 'ours' && this.#current.get(eni)?.status !== 'attached')
          this.#fail('P38', service, `${token} is begun, and ${eni} is on its way`);
      }
  }

  /** S7: whoever is promoted is alone, where the source is stopped first and nothing else will do. */
  onHookEffect(service: string, step: string, { token, source }: Told): void {
    const state = this.items.get(service);
    this.#world.count(`hook ${step.split('.')[0]} took effect`);
    if (step === 'serving') this.#servedUntil.set(service, this.#now());
    if (!state || step !== 'after.0' || source === '') return;
    const { policy } = declarationOf(state);
    const episode = state.episode;
    if (policy.fence !== 'stop' || policy.onFenceTimeout !== 'page' || !episode) return;
    if (this.#isLeftPlainly(state)) return;
    if (!token.startsWith(`${episode.id}/`) || source === episode.plan.target) return;
    if (!this.#isOff(source)) this.#fail('S7', service, `${token} promotes beside ${source}, which runs`);
  }

  /** A planned move leaves a source that lives, and so does the rescue of one that stranded: nobody is stopped for it. */
  #isLeftPlainly({ name, episode, stranded }: ServiceState): boolean {
    if (!episode || planned.has(episode.kind)) return true;
    if (episode.kind !== 'rescue' || !this.#strandedByMove.has(name) || stranded?.sourceFailed) return false;
    const { failedSinceMs } = this.#instance(episode.plan.source ?? '');
    return failedSinceMs === undefined || this.#now() - failedSinceMs <= sightMs;
  }

  /** The service was stranded by a planned move, and its source has been well since before that. */
  #wasWellSince(service: string, instance: string): boolean {
    const sinceMs = this.#strandedByMove.get(service);
    const { failedSinceMs, failedUntilMs } = this.#instance(instance);
    return sinceMs !== undefined && failedSinceMs === undefined && failedUntilMs < sinceMs - sightMs;
  }

  /** Stopped or gone; or it was, and somebody has started it again. */
  #isOff(instance: string, sinceMs = Number.NEGATIVE_INFINITY): boolean {
    const { isOff, startedAtMs } = this.#instance(instance);
    return isOff || (startedAtMs > this.#world.bornMs && startedAtMs >= sinceMs);
  }

  /** S7: fenced before anything is detached, or the fence failed and the service goes on without it. */
  #checkFence(service: string, state: ServiceState, instance: string): void {
    const { episode } = state;
    const { policy, members } = declarationOf(state);
    if (!episode || policy.fence !== 'stop') return;
    if (this.#isLeftPlainly(state) && !this.#fenced.has(episode.id)) return;
    const { source, target } = episode.plan;
    if (instance !== source || source === target || !members.some((each) => each.instance === source)) return;
    const mark = episode.stages?.['fence'];
    const mayGoOn = policy.onFenceTimeout === 'proceed' && mark?.end !== undefined && mark.end !== 'done';
    if (mayGoOn) {
      this.#world.count('went on without a fence');
      return;
    }
    if (mark?.end !== 'done')
      this.#fail('S7', service, `detach from ${source}, which is not fenced (${mark?.end})`);
    else if (!this.#isOff(source, mark.begunAtMs - sightMs))
      this.#fail('S7', service, `detach from ${source}, which is ${this.#instance(source).state}`);
  }

  /** The first mark of an episode is its commit point: from then on nobody asks again whether it should be (P15). */
  #onStages(name: string, before: ServiceState, after: ServiceState, call: Call | undefined): void {
    const { episode } = after;
    if (!episode?.stages || before.episode?.id !== episode.id || before.episode.stages === episode.stages)
      return;
    const isBeforeMove = Object.keys(episode.stages).every((id) => id === 'fence' || id.includes('/before.'));
    const isCommit = !before.episode.stages && isBeforeMove && this.#isUntouched(episode.plan);
    if (isCommit && call) this.#onCommit(call, name, after);
    for (const [id, mark] of Object.entries(episode.stages)) {
      const old = before.episode.stages?.[id];
      if (old?.end === mark.end) continue;
      if (old?.end) this.#fail('P38', name, `${id} had ended ${old.end}, and is ${mark.end} now`);
      this.#stageEndedAt.set(name, this.#now());
      const [, step = id] = id.split('/');
      this.#world.count(`stage ${step.split('.')[0]} ${mark.end}`);
    }
    for (const id of Object.keys(before.episode.stages ?? {}))
      if (!episode.stages[id]) this.#fail('P38', name, `the mark of ${id} was lost`);
  }

  /** S13, P39: what the record promises of the stages has really ended so. */
  #checkStages(
    name: string,
    state: ServiceState,
    who: string,
    record: {
      readonly outcome: string;
      readonly episode?: ServiceState['episode'];
    },
  ): void {
    const { outcome, episode } = record;
    if (!episode) return;
    const { plan, stages = {}, id, kind } = episode;
    const { hooks, serving } = declarationOf(state);
    const isBack = plan.source === plan.target;
    const rung = plan.tried.indexOf(plan.target) + 1;
    if (outcome === 'COMPLETED' && !isBack) {
      const isGood = (stage: string, mayFail: boolean) => {
        const end: StageMark['end'] = stages[`${rung}/${stage}`]?.end;
        return end === 'done' || (mayFail && end !== undefined);
      };
      hooks.after.forEach((hook, index) => {
        const applies = !('document' in hook) || hook.on === 'target' || planned.has(kind);
        if (applies && !isGood(`after.${index}`, hook.onFailure === 'proceed'))
          this.#fail('S13', name, `${id} is COMPLETED, and after.${index} is not done`);
      });
      const servedUntilMs = this.#servedUntil.get(name) ?? -1;
      const begunAtMs = stages[`${rung}/serving`]?.begunAtMs ?? 0;
      if (serving && (!isGood('serving', false) || servedUntilMs < begunAtMs - sightMs))
        this.#fail('S13', name, `${id} is COMPLETED, and nobody saw it serve`);
      // An alarm may be OK still, or not OK any more: what it watches is not what it says.
      if (serving && !this.#world.applications?.serves(name)) this.#world.count('completed on an old alarm');
    }
    if (outcome === 'ATTACHED' && stages[`${rung}/serving`]?.end === 'timed-out')
      this.#world.count('attached, not serving');
    if (outcome === 'COMPLETED' && kind === 'switchover' && !episode.request)
      this.#world.count('announced switchover');
    // A look after the last of them, by whoever closes.
    const isAttached = outcome === 'COMPLETED' || outcome === 'ATTACHED';
    const endedAtMs = this.#stageEndedAt.get(name) ?? 0;
    const hasLooked = plan.interfaces.every(
      ({ eni }) => (this.#lookedAt.get(`${who} ${eni}`) ?? 0) > endedAtMs,
    );
    if (isAttached && Object.keys(stages).length > 0 && !hasLooked)
      this.#fail('S13', name, `${id} is ${outcome}, and ${who} has not looked since the last stage`);
    // A source that has failed meanwhile is nobody to give anything back to: it is left, as in a failover.
    if (outcome === 'RETURNED_TO_SOURCE' && planned.has(kind) && !this.#wasFailed(plan.source ?? ''))
      for (const stage of Object.keys(stages)) {
        const [, index] = stage.split('before.');
        const { undo } = (index !== undefined && hooks.before[Number(index)]) || {};
        if (undo && !stages[stage.replace('before', 'undo')])
          this.#fail('P39', name, `${id} is back, and ${stage} is not undone`);
      }
  }

  /**
   * An invocation that has returned goes on in the time of a later one. A read, a copy into the trail or a count
   * for the brake may be tried once more then: each says the same whenever it comes. Nothing else may be sent.
   */
  #onLeftBehind({ worker, service, operation, input }: Call): void {
    this.#world.count(`after the end: ${service}.${operation}`);
    const { Key } = input as { Key?: { sk?: { S?: string } } };
    const isCopyOrCount = service === 'dynamodb' && (operation === 'PutItem' || Key?.sk?.S !== 'SERVICE');
    if (!isRead(operation) && !isCopyOrCount)
      this.#fail('S8', '', `${worker.name} sends ${operation}, and has returned`);
  }

  #onDetach(call: Call, service: string, state: ServiceState, eni: string, id: string): void {
    const { episode } = state;
    const plan = episode?.plan;
    const own = plan?.interfaces.find((each) => each.eni === eni);
    if (!episode || !plan || !own || (own.detach !== id && !own.ours.includes(id as never))) {
      this.#fail('S2', service, `detach of ${id}, which no persisted plan names`);
      return;
    }
    const declaration = declarationOf(state);
    const truth = this.#attachments.get(id);
    const known = new Set<string>([...declaration.members.map((each) => each.instance), plan.source ?? '']);
    if (truth && !known.has(truth.instance))
      this.#fail('S11', service, `detach from ${truth.instance}, which is no member`);

    if (truth) this.#checkFence(service, state, truth.instance);
    if (truth && plan.detach === 'plain' && (call.input as { readonly Force?: boolean }).Force)
      this.#checkForce(service, episode, truth.instance);
    const lookedAtMs = this.#lookedAt.get(`${call.worker.name} ${eni}`) ?? 0;
    if (episode.stages && lookedAtMs <= (this.#stageEndedAt.get(service) ?? 0))
      this.#fail(
        'P8',
        service,
        `detach of ${id}, and ${call.worker.name} has not looked since the last stage`,
      );

    const key = `${service}.${state.epoch}`;
    if (this.#detachedInEpoch.has(key) || !this.#isUntouched(plan)) {
      this.#detachedInEpoch.add(key);
      return;
    }
    this.#detachedInEpoch.add(key);
    // Judged where it was committed: at the first mark of a fence or a hook.
    if (!episode.stages) this.#onCommit(call, service, state);
  }

  /** P17: what is to be left plainly is forced only off a member that has failed meanwhile. */
  #checkForce(service: string, { openedAtMs }: Episode, instance: string): void {
    const { failedSinceMs, failedUntilMs } = this.#instance(instance);
    if (failedSinceMs === undefined && failedUntilMs < openedAtMs - sightMs)
      this.#fail('P17', service, `detach from ${instance} by force, and it has not failed`);
    this.#world.count('forced off a failed target');
  }

  /** Every interface still has the attachment that the plan began with. */
  #isUntouched({ interfaces }: Plan): boolean {
    return interfaces.every(({ eni, detach }) => {
      const now = this.#current.get(eni);
      return now?.id === detach && now?.status === 'attached';
    });
  }

  /** S3, S4, S8: before anything is done, the target is eligible, the source has failed, and no brake is on. */
  #onCommit(call: Call, service: string, state: ServiceState): void {
    const { episode } = state;
    if (!episode) return;
    const { plan } = episode;
    const declaration = declarationOf(state);
    const { source, target } = plan;
    if (episode.kind !== 'rescue' && target !== source && !this.#wasEligible(service, target))
      this.#fail('S3', service, `epoch ${state.epoch} is committed, but ${target} was not eligible`);
    if (episode.request?.byItself) this.#checkAlarmsOfReturn(service, declaration, 'a failback by itself');
    if (episode.kind !== 'failover' || !source) return;

    const red = declaration.signals.alarms.filter(
      (each) =>
        (each.member === undefined || each.member === source) &&
        this.#now() - (this.#redUntil.get(each.arn) ?? -1) <= sightMs,
    );
    const { failures } = this.#instance(source);
    // Whoever puts the interfaces back on a failed instance asks for another failover.
    const touches = `touched ${this.#touches.get(service) ?? 0}`;
    const causes = [
      ...(this.#wasFailed(source) ? [`${service} ${source} ${failures} ${touches}`] : []),
      ...red.map((each) => `${service} ${each.arn} ${this.#transitionOf(each.arn)} ${touches}`),
    ];
    if (causes.length === 0) this.#fail('S4', service, `detach from ${source}, which is healthy`);
    else if (red.length === 0 && !this.#isPatient(source, declaration))
      this.#fail('S4', service, `${source} is impaired for less than confirm, and no alarm says so`);
    this.#causes.set(episode.id, causes);
    this.#checkBrake(call, service, state);
  }

  #transitionOf(arn: string): number | undefined {
    return this.#world.monitoring.alarm(arn.slice(arn.indexOf(':alarm:') + 7))?.transitionedAtMs;
  }

  /** Gone for certain, spoken of by an event, or impaired for as long as the service waits without one. */
  #isPatient(source: string, declaration: Declaration): boolean {
    const { state, failedSinceMs } = this.#instance(source);
    if (gone.has(state) || failedSinceMs === undefined) return true;
    if (this.#now() - (this.#accusedAt.get(source) ?? Number.NEGATIVE_INFINITY) < times.maxEventAgeMs)
      return true;
    const red = this.#redUntil.get(arnOf(`status-${source}`));
    // Red once is no word about a later failure: an alarm's news is as old as any event may be.
    const wasRed = red !== undefined && this.#now() - red < times.maxEventAgeMs;
    return wasRed || this.#now() - failedSinceMs >= declaration.policy.confirm - 2_000;
  }

  /** S8, the brake: the services that had counted before this worker's own two calls were answered. */
  #checkBrake(call: Call, service: string, state: ServiceState): void {
    const zone = state.facts.availabilityZone;
    const seen = this.#braked.get(call.worker.name);
    if (!seen) return;
    const all = [...this.items.values()].filter((each) => each.facts.availabilityZone === zone).length;
    if (seen.size >= times.brakeAtLeast && seen.size * 2 >= all)
      this.#fail('S8', service, `detach although ${seen.size} of ${all} services of ${zone} fail`);
  }

  #onAttach(
    service: string,
    state: ServiceState,
    eni: string,
    instance: string,
    at: { readonly DeviceIndex?: number; readonly NetworkCardIndex?: number },
  ): void {
    const { episode } = state;
    const plan = episode?.plan;
    const own = plan?.interfaces.find((each) => each.eni === eni);
    if (!episode || !plan || !own || !plan.tried.includes(instance as never)) {
      this.#fail('S1', service, `attach of ${eni} to ${instance}, which no persisted plan tries`);
      return;
    }
    if (own.deviceIndex !== at.DeviceIndex || own.networkCardIndex !== at.NetworkCardIndex)
      this.#fail('S1', service, `attach of ${eni} at an index that is not planned`);
    const members = declarationOf(state).members.map((each) => each.instance as string);
    if (!members.includes(instance) && instance !== plan.source)
      this.#fail('S11', service, `attach to ${instance}, which is no member`);
    if (!planned.has(episode.kind) && instance !== plan.source && this.#isQuarantined(state, instance))
      this.#fail('S10', service, `attach to ${instance}, which is quarantined`);
    const isTouched = (this.#touchedAt.get(service) ?? -1) >= episode.openedAtMs - 60_000;
    if (instance === this.#outdated.get(service) && !isTouched)
      this.#fail('P20', service, `attach to ${instance}, which was left before an after hook was begun`);
  }

  // ── Effects ───────────────────────────────────────────────────────────────────────────────────────────

  onEffect(call: Call, outcome: object | Error): void {
    if (outcome instanceof Error) return;
    if (call.operation === 'DescribeNetworkInterfaces') {
      const { Filters = [] } = call.input as { Filters?: { Name: string; Values: string[] }[] };
      const [filter] = Filters;
      for (const eni of filter?.Name === 'network-interface-id' ? filter.Values : []) {
        const key = `${call.worker.name} ${eni}`;
        this.#lookedAt.set(key, Math.max(call.atMs, this.#lookedAt.get(key) ?? 0));
      }
    }
    if (call.service !== 'dynamodb') return;
    const input = call.input as { ExpressionAttributeValues?: Item; KeyConditionExpression?: string };
    const values = input.ExpressionAttributeValues ?? {};
    if (call.operation === 'Query' && values[':pk']?.['S'] === 'CONTROLLER') {
      const from = String(values[':from']?.['S'] ?? values[':prefix']?.['S'] ?? '');
      if (from === 'STATE') {
        const sights = this.#saw.get(call.worker.name) ?? [];
        this.#saw.set(call.worker.name, [...sights, { atMs: this.#now(), controller: this.#controller }]);
      }
      if (from.startsWith('BRAKE#')) this.#seeBrake(call, countOf(from));
    }
    const key = (call.input as { Key?: { pk?: { S?: string }; sk?: { S?: string } } }).Key;
    const sk = key?.sk?.S ?? '';
    if (call.operation === 'UpdateItem' && sk.startsWith('BRAKE#')) {
      const zone = countOf(sk);
      const [service = ''] = (values[':name'] as { SS?: string[] } | undefined)?.SS ?? [];
      this.#seeBrake(call, zone);
      this.#counted.push({ zone, service, atMs: this.#now() });
    }
  }

  /** What both of the worker's looks at the counter could see: the smaller of the two sets. */
  #seeBrake(call: Call, zone: string): void {
    const nowMs = this.#now();
    this.#counted = this.#counted.filter((each) => nowMs - each.atMs <= times.brakeWindowMs);
    const now = new Set(this.#counted.filter((each) => each.zone === zone).map((each) => each.service));
    const before = this.#braked.get(call.worker.name);
    this.#braked.set(call.worker.name, before && before.size < now.size ? before : now);
  }

  onWrite({ pk, sk, before, after }: TableWrite, call: Call | undefined): void {
    if (pk.startsWith('SERVICE#') && sk === 'SERVICE') this.#onItem(before, after, call);
    else if (sk.startsWith('TRAIL#')) this.#onTrail(pk, before, after);
    else if (pk === 'CONTROLLER') this.#onController();
    else if (sk === 'OWNER') this.#onOwner(pk, after);
  }

  #onController(): void {
    const rows = this.#world.table.partition('CONTROLLER').map((item) => toRow(item));
    const state = rows.find((row) => row['sk'] === 'STATE');
    const pause = state?.['pause'] as { untilMs: number } | undefined;
    // As with a service's own: what ends a pause is news, also where the sweep only notes that it is over.
    if (this.#controller.pause && !pause) this.#changedAtMs = this.#now();
    this.#controller = {
      pause,
      brakes: new Set(
        rows
          .filter((row) => String(row['sk']).startsWith('STATE#BRAKE#') && row['released'] !== true)
          .map((row) => String(row['sk']).slice('STATE#BRAKE#'.length)),
      ),
    };
  }

  get controller(): Controller {
    return this.#controller;
  }

  /** S15: the rows say one owner, and no two items declare the same interface. */
  #onOwner(pk: string, after: Item): void {
    const eni = pk.slice('ENI#'.length);
    const owner = String(after['service']?.['S']);
    for (const state of this.items.values()) {
      const isOther = state.name !== owner && !state.tombstone && after['released']?.['BOOL'] !== true;
      if (isOther && declarationOf(state).interfaces.some((each) => each.eni === eni))
        this.#fail('S15', owner, `${eni} belongs to ${state.name} and was taken by ${owner}`);
    }
  }

  /** S12: written once, numbered without gaps, each with the hash of the one before. */
  #onTrail(pk: string, before: Item | undefined, after: Item): void {
    const service = pk === 'CONTROLLER' ? '*' : pk.slice('SERVICE#'.length);
    const row = toRow(after);
    if (before) {
      const old = toRow(before);
      if (old['body'] !== row['body'] || old['hash'] !== row['hash'])
        this.#fail('S12', service, `record ${row['number']} was overwritten`);
      return;
    }
    const number = Number(row['number']);
    const body = String(row['body']);
    if (sha256(body) !== row['hash']) this.#fail('S12', service, `record ${number} does not match its hash`);
    const previous = this.#world.table.get(pk, `TRAIL#${String(number - 1).padStart(12, '0')}`);
    if (number > 1 && !previous) this.#fail('S12', service, `record ${number} leaves a gap`);
    const said = (JSON.parse(body) as { previous?: string }).previous;
    if (previous && said !== toRow(previous)['hash'])
      this.#fail('S12', service, `record ${number} does not follow the one before it`);
  }

  // ── The service's item ────────────────────────────────────────────────────────────────────────────────

  #onItem(old: Item | undefined, item: Item, call: Call | undefined): void {
    const before = this.items.get(String(item['name']?.['S']));
    const last = old && before && { item: old, row: before as unknown as Row };
    const after = toRow(item, last) as unknown as ServiceState;
    const { name } = after;
    if (before && (before.quarantine !== after.quarantine || before.declared !== after.declared))
      this.#lookAtEligibility();
    this.items.set(name, after);
    // A pause that ends, by whomever or by itself, lets the controller act again: the world is not settled yet.
    if (before?.pause && !after.pause) this.#changedAtMs = this.#now();
    // Readiness, and that a refusal is over, may be noted up to ten minutes late, when its turn comes.
    const isNews = after.frozen !== undefined && after.frozen.number !== before?.frozen?.number;
    if ((isNews && after.frozen?.kind !== 'readiness') || after.epoch !== before?.epoch)
      this.#wroteAt.set(name, this.#now());
    for (const entry of after.outbox) this.#notices.set(entry.dedupeId, { service: name, keep: entry.keep });
    if (!before || !this.#begun) return;
    const ended = before.episode;
    if (!after.stranded) this.#strandedByMove.delete(name);
    else if (!before.stranded && ended && planned.has(ended.kind))
      this.#strandedByMove.set(name, ended.openedAtMs);
    const writer = call?.worker;
    const who = writer?.name ?? 'nobody';

    if (after.rev !== before.rev + 1) this.#fail('S5', name, `rev went from ${before.rev} to ${after.rev}`);
    if (after.nonce === before.nonce) this.#fail('S5', name, `a write by ${who} left no nonce of its own`);
    if (after.epoch === before.epoch + 1) this.#onClaim(name, before, after, writer);
    else if (after.epoch !== before.epoch)
      this.#fail('S5', name, `epoch went from ${before.epoch} to ${after.epoch}`);
    else if (
      before.lease?.owner !== who &&
      (isOther(before.episode, after.episode) || isOther(before.lease, after.lease))
    )
      this.#fail('S5', name, `${who} wrote episode or lease, which are ${before.lease?.owner ?? "nobody's"}`);

    const asked = after.request;
    if (asked?.byItself && asked.id !== before.request?.id) this.#onAskedByItself(before, after);
    // Refused with a record, expired, or overtaken by a failure.
    const isDropped = before.request?.byItself && asked?.id !== before.request.id;
    if (isDropped && after.episode?.request?.id !== before.request?.id)
      this.#world.count('failback by itself refused');
    this.#onSuspension(name, before, after, who);
    if (before.pause !== after.pause) this.#notePauses(name, before, after);
    if (who.startsWith('adopt-')) this.#onAdopted(name, before, after);
    this.#onStages(name, before, after, call);
    if (before.episode && after.episode?.id !== before.episode.id) this.#onClose(name, before, after, who);
    this.#checkOnNothing(name, `a write by ${who}`);
    this.#checkFrozen(name, before, after, who);
    this.#checkOutbox(name, before, after);
    if (before.quarantine !== after.quarantine || before.declared !== after.declared)
      this.#lookAtEligibility();
    this.#countReached(before, after);
  }

  /** S5 and S8: the lease before was over for its own owner too, and nobody had paused what is opened. */
  #onClaim(name: string, before: ServiceState, after: ServiceState, writer: Worker | undefined): void {
    const who = writer?.name ?? 'nobody';
    if (after.lease?.owner !== who) this.#fail('S5', name, `${who} claimed for ${after.lease?.owner}`);
    const { lease } = before;
    if (lease) {
      const ownersNowMs = this.#now() + (this.#skews.get(lease.owner) ?? 0);
      if (ownersNowMs < lease.untilMs)
        this.#fail(
          'S5',
          name,
          `${who} took the lease of ${lease.owner} ${lease.untilMs - ownersNowMs} ms early`,
        );
      if (before.episode) this.#world.count('lease taken over');
    }
    const { episode } = after;
    if (!episode || before.episode?.id === episode.id) return;
    this.#world.count(`episode ${episode.kind}`);
    if (planned.has(episode.kind) && !before.request && !this.#wasAnnounced(before, episode.plan.source))
      this.#fail('S8', name, `a ${episode.kind} that nobody asked for`);
    if (episode.kind === 'rescue') this.#checkAdopted(name);
    const isOurLateEffect =
      episode.kind === 'rescue' &&
      this.#enisOf(name).some((eni) => {
        const last = this.#current.get(eni);
        return last?.status === 'gone' && before.mayDetach.includes(last.id as never);
      });
    if (isOurLateEffect) return;
    const nowMs = (writer?.clock.now() ?? 0) + times.skewMarginMs;
    const paused = (pause: { readonly untilMs: number } | undefined) =>
      pause !== undefined && pause.untilMs > nowMs + times.observationFreshWhenSlowMs;
    // One worker looks at several services: held against it is only what all its latest reads showed.
    const sights = (this.#saw.get(who) ?? []).filter((each) => this.#now() - each.atMs <= sightMs);
    const sawAll = (is: (controller: Controller) => boolean) =>
      sights.length > 0 && sights.every((each) => is(each.controller));
    if (paused(before.pause)) this.#fail('S8', name, `${who} opened an episode of a paused service`);
    if (sawAll((each) => paused(each.pause)))
      this.#fail('S8', name, `${who} opened an episode although all is paused`);
    if (episode.kind === 'failover' && sawAll((each) => each.brakes.has(before.facts.availabilityZone)))
      this.#fail('S8', name, `${who} opened a failover in a braked zone`);
    if (declarationOf(before).policy.mode === 'observe')
      this.#fail('S8', name, `${who} opened an episode in mode observe`);
  }

  /** AWS said, not long ago, that this instance will be lost, and the service wants to leave it then. */
  #wasAnnounced(state: ServiceState, instance: string | undefined): boolean {
    const { onSpotInterruption, onRebalance, onRetirement } = declarationOf(state).policy;
    const wishes = { Spot: onSpotInterruption, Rebalance: onRebalance, Health: onRetirement };
    return Object.entries(wishes).some(([word, wish]) => {
      const atMs = this.#announcedAt.get(`${word} ${instance}`) ?? Number.NEGATIVE_INFINITY;
      return wish === 'switchover' && this.#now() - atMs < times.maxEventAgeMs;
    });
  }

  /** S9, S13, S14. */
  #onClose(name: string, before: ServiceState, after: ServiceState, who: string): void {
    const { episode } = before;
    if (!episode) return;
    const isNew = after.frozen && after.frozen.number !== before.frozen?.number;
    if (!isNew) {
      if (!after.stranded) this.#fail('S12', name, `${episode.id} ended without a record`);
      return;
    }
    const record = JSON.parse(after.frozen?.body ?? '{}') as {
      outcome: string;
      episode?: NonNullable<ServiceState['episode']>;
    };
    const { outcome } = record;
    this.#world.count(`outcome ${outcome} ${episode.kind}`);
    this.#world.log(() => `CLOSED ${episode.id} ${episode.kind} ${outcome}`);
    const { why } = record as { why?: string };
    const same = this.#sameEnd.get(name);
    const repeats = same?.why === `${outcome} ${why}` ? same.times + 1 : 1;
    this.#sameEnd.set(name, { why: `${outcome} ${why}`, times: repeats });
    if (repeats > 5 && episode.kind === 'rescue')
      this.#fail('P26', name, `${outcome} was recorded ${repeats} times in a row: ${why}`);
    if (record.episode?.id !== episode.id)
      this.#fail('S12', name, `${episode.id} ended with the record of ${record.episode?.id}`);

    if (!after.outbox.some((each) => each.dedupeId === `${episode.id}.${outcome}`))
      this.#fail('L4', name, `${episode.id} ended ${outcome}, and no notice says so`);
    this.#onMoved(name, before, after, outcome);
    this.#checkStages(name, before, who, record);
    if (!after.stranded) this.#outdated.delete(name);
    const { plan } = after.episode ?? record.episode ?? episode;
    if (outcome === 'COMPLETED' || outcome === 'ATTACHED') {
      for (const eni of before.episode?.plan.interfaces.map((each) => each.eni as string) ?? []) {
        const made = [...this.#attachments.values()].findLast(
          (each) =>
            each.eni === eni &&
            each.instance === plan.target &&
            each.by === 'ours' &&
            each.wasAttached &&
            // A rescue may find what the stranded episode sent and EC2 did only now: made in this one, all the same.
            (each.episode === episode.id ||
              (episode.kind === 'rescue' && each.madeAtMs >= episode.openedAtMs - times.skewMarginMs)),
        );
        const lookedAtMs = this.#lookedAt.get(`${who} ${eni}`) ?? -1;
        if (made && lookedAtMs < made.madeAtMs)
          this.#fail('S13', name, `${episode.id} is ${outcome}, and ${who} has not seen ${eni} there`);
        const foundThere = episode.plan.interfaces.some(
          (each) => each.eni === eni && this.#attachments.get(each.detach ?? '')?.instance === plan.target,
        );
        // Somebody else may have put it just there in the middle: no look could tell.
        const isTouched = (this.#touchedAt.get(name) ?? -1) >= episode.openedAtMs - times.skewMarginMs;
        if (!made && !isTouched && !(foundThere && episode.kind === 'rescue'))
          this.#fail(
            'S13',
            name,
            `${episode.id} is ${outcome}, but it did not attach ${eni} to ${plan.target}`,
          );
      }
    }
    if (outcome === 'COMPLETED' && episode.kind === 'failover') {
      const causes = this.#causes.get(episode.id) ?? [];
      if (causes.length > 0 && causes.every((each) => this.#usedCauses.has(each)))
        this.#fail('S9', name, `a second failover for ${causes.join(' and ')}`);
      for (const each of causes) this.#usedCauses.add(each);
    }
    const on = new Set(this.holders(name).filter((each) => each !== undefined));
    const touchedMs = this.#touchedAt.get(name) ?? -1;
    if (on.size > 1 && outcome !== 'STRANDED' && !after.stranded && touchedMs < episode.openedAtMs - 60_000)
      this.#fail('S14', name, `${episode.id} ended ${outcome} with interfaces on ${[...on].join(' and ')}`);
  }

  /** S1: what our own detach left on nothing is in a persisted plan, stranded, or known as our late effect. */
  #checkOnNothing(name: string, when: string): void {
    const state = this.items.get(name);
    if (!state || !this.#begun) return;
    for (const eni of this.#enisOf(name)) {
      const last = this.#current.get(eni);
      if (last?.status !== 'gone' || last.detachedBy !== 'ours') continue;
      const isPlanned = state.episode?.plan.interfaces.some((each) => each.eni === eni);
      if (!isPlanned && !state.stranded && !state.mayDetach.includes(last.id as never))
        this.#fail('S1', name, `after ${when}, ${eni} is on nothing and no plan says so`);
    }
  }

  /** S12: a frozen record is replaced only when its copy is in the trail, and each follows the one before. */
  #checkFrozen(name: string, before: ServiceState, after: ServiceState, who: string): void {
    const was = before.frozen;
    if (was && after.frozen?.number !== was.number) {
      const copy = this.#world.table.get(`SERVICE#${name}`, `TRAIL#${String(was.number).padStart(12, '0')}`);
      if (!copy) this.#fail('S12', name, `${who} dropped record ${was.number} before it was copied`);
    }
    if (was && after.frozen?.number === was.number && after.frozen.body !== was.body)
      this.#fail('S12', name, `${who} changed the frozen record ${was.number}`);
    const isNew = after.frozen !== undefined && after.frozen.number !== was?.number;
    if (isNew && after.frozen?.number !== before.trail.next)
      this.#fail(
        'S12',
        name,
        `record ${after.frozen?.number} was frozen where ${before.trail.next} was next`,
      );
    if (!isNew && after.trail.next !== before.trail.next)
      this.#fail(
        'S12',
        name,
        `the trail went from ${before.trail.next} to ${after.trail.next}, nothing frozen`,
      );
    if (isNew && after.frozen?.kind === 'refusal') {
      const { code } = JSON.parse(after.frozen.body) as { code?: string };
      if (!code || !(code in reasons)) this.#fail('L5', name, `a refusal without a reason: ${code}`);
      this.#world.count(`refusal ${code}`);
    }
    if (isNew) this.#world.count(`record ${after.frozen?.kind}`);
  }

  /** L4: what leaves the outbox was published, or gave way to something more important. */
  #checkOutbox(name: string, before: ServiceState, after: ServiceState): void {
    const left = new Set(after.outbox.map((each) => each.dedupeId));
    for (const entry of before.outbox) {
      if (left.has(entry.dedupeId)) continue;
      const told = this.#world.notices.some((each) => each.dedupeId === entry.dedupeId);
      if (!told && (entry.keep || before.outbox.length < 20))
        this.#fail('L4', name, `${entry.dedupeId} left the outbox unpublished`);
    }
  }

  #countReached(before: ServiceState, after: ServiceState): void {
    const plan = after.episode?.plan;
    const old = before.episode?.plan;
    if (plan && old && before.episode?.id === after.episode?.id) {
      if (plan.target !== old.target)
        this.#world.count(plan.target === plan.source ? 'rung: back to the source' : 'rung: next standby');
      const isLate = after.episode?.steps.some(
        (each) => each.step === 'adopted' && !before.episode?.steps.some((one) => one.atMs === each.atMs),
      );
      if (isLate) this.#world.count('late attach taken into the plan');
    }
    const now = after.episode?.state;
    if (now && now !== before.episode?.state) this.#world.count(`state ${now}`);
    if (!before.stranded && after.stranded) this.#world.count('stranded');
    if (before.stranded && !after.stranded) this.#world.count('stranded and over');
  }

  // ── Back by itself, and moved by hand (P28, P29) ──────────────────────────────────────────────────────

  #movesOf(service: string): Moves {
    let moves = this.#moves.get(service);
    if (!moves) {
      moves = { oursAtMs: Number.NEGATIVE_INFINITY, othersAtMs: Number.NEGATIVE_INFINITY };
      this.#moves.set(service, moves);
    }
    return moves;
  }

  #noteHealth(instance: string): void {
    const stretches = this.#health.get(instance) ?? [];
    const isWell = this.isHealthy(instance);
    if (stretches.at(-1)?.isWell !== isWell) stretches.push({ isWell, sinceMs: this.#now() });
    this.#health.set(instance, stretches);
  }

  /** Unwell, and not only in between two sweeps. */
  #wasSeenUnwell(instance: string, sinceMs: number): boolean {
    const nowMs = this.#now();
    const stretches = this.#health.get(instance) ?? [];
    return stretches.some(
      (each, index) =>
        !each.isWell &&
        this.#wasSeen(Math.max(each.sinceMs, sinceMs), stretches[index + 1]?.sinceMs ?? nowMs),
    );
  }

  /** So long that two sweeps that nothing had hurt must have seen it. */
  #wasSeen(fromMs: number, toMs: number): boolean {
    const isHurt = this.#sweepHurtAtMs.some((atMs) => atMs >= fromMs - 60_000 && atMs <= toMs + 60_000);
    return toMs - fromMs > 130_000 + 2 * sightMs && !isHurt;
  }

  #notePauses(name: string, before: ServiceState, after: ServiceState): void {
    const pauses = this.#pauses.get(name) ?? [];
    const last = pauses.at(-1);
    if (before.pause && last) last.toMs = Math.min(last.toMs, this.#now());
    if (after.pause) pauses.push({ fromMs: this.#now(), toMs: after.pause.untilMs });
    this.#pauses.set(name, pauses);
  }

  /** Every alarm by which the service could fail on its preferred member is OK, and so for as long as declared. */
  #checkAlarmsOfReturn(service: string, { policy, signals, members }: Declaration, what: string): void {
    if (policy.failback === 'manual') return;
    const preferred = members[0]?.instance;
    for (const { arn, member = preferred } of signals.alarms) {
      const alarm = this.#world.monitoring.alarm(arn.slice(arn.indexOf(':alarm:') + 7));
      if (member !== preferred || !alarm) continue;
      const sinceMs = this.#now() - alarm.transitionedAtMs;
      // A look may be older than the alarm's last word.
      if (sinceMs <= sightMs) continue;
      if (alarm.state !== 'OK')
        this.#fail('P29', service, `${what}, and alarm ${alarm.name} is ${alarm.state}`);
      else if (sinceMs < policy.failback.after - sightMs)
        this.#fail('P29', service, `${what}, and alarm ${alarm.name} is OK for ${sinceMs} ms only`);
    }
  }

  /** P29: what a service needs for going back by itself, when it is asked for. */
  #onAskedByItself(before: ServiceState, { name, request }: ServiceState): void {
    const nowMs = this.#now();
    const declaration = declarationOf(before);
    const { policy, members } = declaration;
    const preferred = members[0]?.instance;
    const what = `${request?.kind} to ${request?.target} by itself`;
    this.#changedAtMs = nowMs;
    this.#world.count('failback by itself');
    if (request?.kind !== 'failback' || request.target !== preferred)
      this.#fail('P29', name, `${what}, and ${preferred} is preferred`);
    if (policy.failback === 'manual') {
      this.#fail('P29', name, `${what}, and failback is manual`);
      return;
    }
    if (policy.mode === 'observe') this.#fail('P29', name, `${what} in mode observe`);
    if (before.failbackSuspended) this.#fail('P29', name, `${what}, and it is suspended`);
    if (before.episode || before.request) this.#fail('P29', name, `${what}, and something else is under way`);
    const isPaused = (pause: { readonly untilMs: number } | undefined) =>
      pause !== undefined && pause.untilMs > nowMs + times.skewMarginMs;
    if (isPaused(before.pause)) this.#fail('P29', name, `${what}, and it is paused`);
    const { oursAtMs, othersAtMs } = this.#movesOf(name);
    // By hand, a moment ago: nobody has seen it yet.
    const isOthers = othersAtMs > oursAtMs && nowMs - othersAtMs > sightMs;
    if (isOthers || oursAtMs === Number.NEGATIVE_INFINITY)
      this.#fail('P29', name, `${what}, and the last move was no failover of ours`);
    const { after } = policy.failback;
    if (nowMs - oursAtMs < after - times.skewMarginMs)
      this.#fail('P29', name, `${what}, ${nowMs - oursAtMs} ms after the failover`);
    if (preferred && !this.#wasEligible(name, preferred)) this.#fail('P29', name, `${what}, not eligible`);
    if (preferred && this.#wasSeenUnwell(preferred, nowMs - after))
      this.#fail('P29', name, `${what}, which was not well in the time that counts`);
    const counted = ({ fromMs, toMs }: { readonly fromMs: number; readonly toMs: number }) =>
      this.#wasSeen(Math.max(fromMs, nowMs - after), toMs);
    if (this.#pauses.get(name)?.some(counted))
      this.#fail('P29', name, `${what}, and it was paused in the time that counts`);
    this.#checkAlarmsOfReturn(name, declaration, what);
  }

  /** Whose the last move is, by how it ended; a failback by itself that went wrong is not tried again. */
  #onMoved(name: string, before: ServiceState, after: ServiceState, outcome: string): void {
    const { episode } = before;
    if (!episode) return;
    const moves = this.#movesOf(name);
    const nowMs = this.#now();
    const isMoved = this.wholeHolderOf(name) === episode.plan.target;
    if (episode.request?.byItself) {
      this.#changedAtMs = nowMs;
      this.#world.count(`failback by itself ${outcome}`);
      const isFine = outcome === 'COMPLETED' || outcome === 'NOTHING_TO_DO';
      if (!isFine && !after.failbackSuspended)
        this.#fail('P29', name, `${episode.id} ended ${outcome}, and the next one is not suspended`);
    }
    if (planned.has(episode.kind)) {
      if (isMoved && (outcome === 'COMPLETED' || outcome === 'ATTACHED')) moves.othersAtMs = nowMs;
    } else if (outcome === 'COMPLETED') moves.oursAtMs = nowMs;
  }

  /** Only a person's word ends it. */
  #onSuspension(name: string, before: ServiceState, after: ServiceState, who: string): void {
    if (!before.failbackSuspended && after.failbackSuspended) this.#world.count('failback suspended');
    const isLifted = before.failbackSuspended && !after.failbackSuspended;
    if (isLifted && !who.startsWith('ack-') && !who.startsWith('unregister-'))
      this.#fail('P29', name, `${who} lifted the suspension of its failback`);
  }

  /** P28: what is adopted is true, and counts as moved by people. */
  #onAdopted(name: string, before: ServiceState, after: ServiceState): void {
    const { body } = after.frozen ?? {};
    const { outcome } = (body ? JSON.parse(body) : {}) as { outcome?: string };
    if (outcome !== 'ADOPTED' || after.frozen?.number === before.frozen?.number) return;
    const nowMs = this.#now();
    const holder = after.lastSeen?.holder ?? '';
    const isTouched = nowMs - (this.#touchedAt.get(name) ?? Number.NEGATIVE_INFINITY) <= sightMs;
    if (this.wholeHolderOf(name) !== holder && !isTouched)
      this.#fail('P28', name, `${holder} is adopted, and has not all interfaces`);
    if (!declarationOf(after).members.some((each) => each.instance === holder))
      this.#fail('P28', name, `${holder} is adopted, and is no member`);
    if (after.movedBy) this.#fail('P28', name, `${holder} is adopted, and the move still counts as ours`);
    this.#movesOf(name).othersAtMs = nowMs;
    this.#adopted.set(name, { holder, atMs: nowMs });
    this.#changedAtMs = nowMs;
    this.#world.count(before.lastSeen?.holder === holder ? 'adopted where it was' : 'adopted elsewhere');
  }

  /** P28: nobody repairs what a person did and meant. */
  #checkAdopted(name: string): void {
    const adopted = this.#adopted.get(name);
    if (!adopted || this.#now() - adopted.atMs <= sightMs) return;
    const rests = this.#enisOf(name).every((eni) => {
      const { status, instance, madeAtMs = 0 } = this.#current.get(eni) ?? {};
      return status === 'attached' && instance === adopted.holder && madeAtMs <= adopted.atMs;
    });
    if (rests) this.#fail('P28', name, `a rescue of what rests on ${adopted.holder}, as adopted`);
  }

  // ── The quiet end ─────────────────────────────────────────────────────────────────────────────────────

  isAtRest(): boolean {
    for (const state of this.items.values())
      if (state.episode || state.frozen || state.outbox.length > 0 || state.request) return false;
    for (const attachment of this.#current.values())
      if (attachment.status === 'attaching' || attachment.status === 'detaching') return false;
    return true;
  }

  /** L7: nothing but time was lost, so nobody was called, and everything went where it was meant to go. */
  finishUndisturbed(): void {
    for (const what of this.#world.counts.keys())
      if (/^outcome (?!COMPLETED|NOTHING_TO_DO)/.test(what)) this.#fail('L7', '', what);
  }

  /** L1 to L6, once faults have stopped for lease + 2 sweeps + EC2's own time and more. */
  finish(quietForMs: number): void {
    this.#lookAtEligibility();
    for (const { name } of this.#world.services) this.#finish(name, quietForMs);
  }

  #finish(name: string, quietForMs: number): void {
    const state = this.items.get(name);
    if (!state) return;
    const nowMs = this.#now();
    const told = (outcomes: readonly string[]) =>
      this.#world.notices.some((each) => each.service === name && outcomes.includes(each.outcome));
    if (state.episode)
      this.#fail(
        'L2',
        name,
        `${state.episode.id} is open (${state.episode.state}, lease ${state.lease?.owner})`,
      );
    for (const [id, { service }] of this.#notices)
      if (service === name && !this.#world.notices.some((each) => each.dedupeId === id)) {
        const isWaiting = state.outbox.some((each) => each.dedupeId === id);
        this.#fail('L4', name, `${id} was never published${isWaiting ? ', and waits in the outbox' : ''}`);
      }
    if (state.request && nowMs - state.request.atMs > times.requestTtlMs + 120_000)
      this.#fail('L5', name, 'a request is neither carried out nor refused');

    // What becomes of one that is unregistered is nobody's but a person's.
    if (state.tombstone) return;
    const enis = this.#enisOf(name);
    const isTouched = this.#touchedAt.has(name);
    const on = new Set<string>();
    for (const eni of enis) {
      const last = this.#current.get(eni);
      if (last && last.status !== 'gone') on.add(last.instance);
      else if (last?.detachedBy === 'ours') {
        // One that EC2 took longer over than any late effect may take (P16) looks like a person's work: he is called.
        const sentAtMs = this.#mutatedAt.get(name) ?? 0;
        const isBeyond = enis.some(
          (each) => (this.#current.get(each)?.goneAtMs ?? 0) > sentAtMs + times.lateEffectMs,
        );
        if (isBeyond && told(['DETACHED_BY_OTHERS'])) continue;
        if (!state.stranded || !told(['STRANDED']))
          this.#fail('L1', name, `${eni} is on nothing, and nobody was told`);
      } else if (
        !told([...Object.keys(reasons), 'STRANDED', 'NEEDS_HUMAN']) // by a person, or with its instance
      )
        this.#fail('L1', name, `${eni} is on nothing by somebody's hand, and nobody was told`);
    }
    if (on.size > 1 && !isTouched && !(state.stranded && told(['STRANDED'])))
      this.#fail('S6', name, `interfaces are on ${[...on].join(' and ')}`);
    this.#checkTrail(name, state, on);
    const [holder] = on;
    const hasAll = enis.every((eni) => this.#current.get(eni)?.status !== 'gone');
    const isWhole = enis.length === declarationOf(state).interfaces.length;
    if (on.size !== 1 || !holder || !hasAll || !isWhole) return;
    this.#checkFailedOver(name, state, holder);
    // Second looks go on for 70 s after the world has settled, and a sweep's for as long again.
    const quietMs = Math.min(quietForMs, 121_000);
    const settledAtMs = Math.max(
      this.#changedAtMs,
      state.pause?.untilMs ?? 0,
      this.#controller.pause?.untilMs ?? 0,
      ...Object.values(state.quarantine).map((each) => each.untilMs ?? 0),
    );
    const isSettled = nowMs - settledAtMs > quietMs + 150_000;
    const isWell = isSettled && this.isHealthy(holder) && !state.stranded && !isTouched && !state.pause;
    if (isWell && nowMs - (this.#mutatedAt.get(name) ?? 0) < quietMs)
      this.#fail('L6', name, 'EC2 is still being changed in a settled world');
    if (isWell && nowMs - (this.#wroteAt.get(name) ?? 0) < quietMs)
      this.#fail('L6', name, 'the item is still being written in a settled world');
  }

  /** L3: a holder that has failed for long is not left alone while a standby may take over. */
  #checkFailedOver(name: string, state: ServiceState, holder: string): void {
    const declaration = declarationOf(state);
    const { failedSinceMs } = this.#instance(holder);
    const nowMs = this.#now();
    const patienceMs = declaration.policy.confirm + 150_000 + 2 * stagesBoundMs(declaration);
    if (failedSinceMs === undefined || nowMs - failedSinceMs < patienceMs) return;
    const paused = (pause: { readonly untilMs: number } | undefined) =>
      pause !== undefined && pause.untilMs > nowMs - 150_000;
    if (paused(state.pause) || paused(this.#controller.pause)) return;
    if (this.#controller.brakes.has(state.facts.availabilityZone)) return;
    if (declaration.policy.mode === 'observe' || state.stranded) return;
    // Somebody moved it there: people were told, and theirs it is (P28).
    if (!declaration.members.some((each) => each.instance === holder)) return;
    // What has just left the window may still be counted by the last look.
    const tries = [...state.failoversAtMs, ...(state.unfencedAtMs ?? [])];
    const recent = tries.filter((atMs) => nowMs - atMs < times.budgetWindowMs + 150_000);
    if (recent.length >= declaration.policy.budgetPerHour) return;
    const standby = declaration.members
      .map((each) => each.instance as string)
      .find((each) => {
        const known = this.#eligible.get(`${name} ${each}`);
        return each !== holder && known?.now && nowMs - (this.#eligibleSince(name, each) ?? nowMs) > 150_000;
      });
    if (standby)
      this.#fail(
        'L3',
        name,
        `${holder} failed ${Math.round((nowMs - failedSinceMs) / 1000)} s ago, ${standby} is eligible`,
      );
  }

  /** When it last became eligible: not before its instance stopped being failed and its quarantine ended. */
  #eligibleSince(name: string, member: string): number {
    const state = this.items.get(name);
    const quarantine = state?.quarantine[member];
    const declaration = state && declarationOf(state);
    const healedAtMs =
      quarantine?.healthySinceMs === undefined || !declaration
        ? 0
        : quarantine.healthySinceMs + declaration.policy.quarantineFor;
    return Math.max(this.#instance(member).failedUntilMs, healedAtMs, quarantine?.untilMs ?? 0);
  }

  /** S12: the whole chain, and what replaying it says of the holder. */
  #checkTrail(name: string, state: ServiceState, on: ReadonlySet<string>): void {
    const rows = this.#world.table
      .partition(`SERVICE#${name}`)
      .map((item) => toRow(item))
      .filter((row) => String(row['sk']).startsWith('TRAIL#'))
      .map((row) => ({ number: Number(row['number']), body: String(row['body']), hash: String(row['hash']) }))
      .sort((a, b) => a.number - b.number);
    const isCopied = !state.frozen || rows.some((row) => row.number === state.frozen?.number);
    const faults = verifyChain(rows, sha256, isCopied ? state.trail.head : undefined);
    const [fault] = faults;
    if (fault) this.#fail('S12', name, `record ${fault.number}: ${fault.why}`);
    // With an interface deleted the service is a person's to mend: they were told, and no more is recorded.
    const isWhole = this.#enisOf(name).length === declarationOf(state).interfaces.length;
    if (on.size !== 1 || state.stranded || !isWhole) return;
    const replayed = new Map<string, string | null>();
    for (const { body } of rows) {
      const record = JSON.parse(body) as {
        kind: string;
        outcome?: string;
        holder?: string;
        to?: string;
        lastSeen?: { holder?: string };
        attachedTo?: Record<string, string | null>;
      };
      const adopted = record.outcome === 'ADOPTED' ? record.to : undefined;
      const together = adopted ?? (record.kind === 'change' ? record.lastSeen?.holder : record.holder);
      if (together && (record.kind === 'change' || record.kind === 'recovered'))
        for (const eni of this.#enisOf(name)) replayed.set(eni, together);
      for (const [eni, place] of Object.entries(record.attachedTo ?? {}))
        if (place === null || place.startsWith('i-')) replayed.set(eni, place);
    }
    for (const eni of this.#enisOf(name)) {
      const last = this.#current.get(eni);
      const holder = last && last.status !== 'gone' ? last.instance : null;
      // On nothing, and a refusal says why that is not acted on: told, though not as an observation.
      if (holder === null && state.lastRefusal !== undefined) continue;
      if (replayed.get(eni) !== holder)
        this.#fail('S12', name, `the trail says that ${eni} is on ${replayed.get(eni)}, it is on ${holder}`);
    }
  }
}
