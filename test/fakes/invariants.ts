/** What must hold after every single effect, and at the end of every story, whatever went wrong in it (S1 to S15, P38, P39). */
import { createHash } from 'node:crypto';
import type { StageMark } from '../../shared/core/episode.ts';
import type { EniId, InstanceId, ServiceName } from '../../shared/core/ids.ts';
import { isPlanned, type PlannedInterface } from '../../shared/core/plan.ts';
import { type Declaration, parseDeclaration } from '../../shared/core/service.ts';
import type { ServiceState } from '../../shared/core/state.ts';
import { times } from '../../shared/core/times.ts';
import { verifyChain } from '../../shared/core/trail.ts';
import type { Ec2Call, Effect, FakeEc2 } from './fake-ec2.ts';
import type { FakeHooks, HookCall } from './fake-hooks.ts';
import type { FakeStore, Written } from './fake-store.ts';
import type { VirtualClock } from './virtual-clock.ts';

export interface Watched {
  readonly clock: VirtualClock;
  readonly ec2: FakeEc2;
  readonly store: FakeStore;
  readonly hooks: FakeHooks;
}

export interface Invariants {
  /** From now on this service is watched. */
  watch(name: ServiceName): void;
  /** What was broken so far, and what the trail says that is not so. Empty when all is well. */
  violations(): readonly string[];
}

export const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

const closedAs = (state: ServiceState): { readonly outcome?: string } =>
  state.frozen?.kind === 'episode' ? (JSON.parse(state.frozen.body) as { outcome: string }) : {};

export interface EpisodeRecord {
  readonly number: number;
  readonly outcome: string;
  readonly closedAt: string;
  readonly why: string;
  readonly epoch: number;
  readonly attachedTo: Readonly<Record<string, string | null>>;
  readonly episode: {
    readonly id: string;
    readonly kind: string;
    readonly openedAtMs: number;
    readonly steps: readonly { readonly step: string; readonly detail?: string; readonly eni?: string }[];
    readonly stages?: Readonly<Record<string, StageMark>>;
    readonly plan: {
      readonly source?: InstanceId;
      readonly target: InstanceId;
      readonly tried: readonly InstanceId[];
      readonly interfaces: readonly PlannedInterface[];
    };
  };
}

export function makeInvariants({ clock, ec2, store, hooks }: Watched): Invariants {
  const names: ServiceName[] = [];
  const found: string[] = [];
  const broken = (rule: string, what: string) => {
    found.push(`${rule} at ${clock.now()}: ${what}`);
  };

  const serviceOf = (eni: EniId | undefined) =>
    names
      .map((name) => {
        try {
          const state = store.peek(name);
          const parsed = parseDeclaration(JSON.parse(state.declared));
          return parsed.kind === 'declared' ? { state, declaration: parsed.declaration } : undefined;
        } catch {
          return undefined;
        }
      })
      .find((each) => each?.declaration.interfaces.some((declared) => declared.eni === eni));

  const serviceNamed = (wanted: string | undefined) => {
    const name = names.find((each) => each === wanted);
    if (!name) return undefined;
    const state = store.peek(name);
    const parsed = parseDeclaration(JSON.parse(state.declared));
    return parsed.kind === 'declared' ? { state, declaration: parsed.declaration } : undefined;
  };

  const leaseEndsInMs = ({ lease }: ServiceState) => (lease?.untilMs ?? 0) - clock.now();
  const isCovered = (state: ServiceState) => leaseEndsInMs(state) >= times.ec2TimeoutMs + times.skewMarginMs;

  /** Nothing runs on it any more, or the service said that it goes on all the same (S7). */
  function isFencedOrExcused({ episode }: ServiceState, { policy }: Declaration): boolean {
    const source = episode?.plan.source;
    const state = source && ec2.stateOf(source);
    if (state === undefined || state === 'stopped' || state === 'terminated') return true;
    const end = episode?.stages?.['fence']?.end;
    return (end === 'timed-out' || end === 'refused') && policy.onFenceTimeout === 'proceed';
  }

  const isWell = (id: InstanceId | undefined) =>
    ec2
      .census()
      .instances.some(
        ({ id: each, state, checks }) =>
          each === id &&
          state === 'running' &&
          checks.system !== 'impaired' &&
          checks.instance !== 'impaired',
      );

  function checkFence(what: string, call: Ec2Call, state: ServiceState, declaration: Declaration): void {
    const { episode } = state;
    if (!episode || declaration.policy.fence !== 'stop') return;
    const { source, target } = episode.plan;
    const isLeaving = call.operation === 'detach' && call.instanceId === source;
    const isTaking = call.operation === 'attach' && call.instanceId !== source;
    const leaves = episode.kind === 'failover' ? isLeaving : episode.kind === 'rescue' && isTaking;
    // Stranded by a planned move, and well: it was never ill, and whoever asked for the move has it in hand.
    const { sourceFailed, plan: { detach } = episode.plan } = state.stranded ?? {};
    const wasWell = sourceFailed === undefined ? detach === 'plain' : !sourceFailed;
    if (episode.kind === 'rescue' && wasWell && isWell(source)) return;
    const isMember = declaration.members.some((each) => each.instance === source);
    if (leaves && isMember && source !== target && !isFencedOrExcused(state, declaration))
      broken('S7', `${what}: ${source} is ${source && ec2.stateOf(source)}`);
  }

  /** Only the source of an open failover or rescue is ever stopped, once that is on record (S11, P38). */
  function onStop({ instanceId }: Ec2Call): void {
    const what = `stop of ${instanceId}`;
    const about = names
      .flatMap((name) => serviceNamed(name) ?? [])
      .find(({ state }) => state.episode?.plan.source === instanceId);
    if (!about) {
      broken('S11', `${what}: no open episode leaves it`);
      return;
    }
    const { state, declaration } = about;
    const { kind, stages, plan } = state.episode ?? {};
    if (declaration.policy.fence !== 'stop') broken('S11', `${what}: no fence is declared`);
    // A planned move leaves a source that lives; once that has failed, the move is as a failover.
    const isLeft = kind === 'failover' || kind === 'rescue' || plan?.detach === 'force';
    if (!isLeft) broken('S11', `${what}: in a ${kind}`);
    if (!declaration.members.some((each) => each.instance === instanceId))
      broken('S11', `${what}: not a member`);
    if (!stages?.['fence'] || stages['fence'].end) broken('P38', `${what}: not marked begun`);
    if (!isCovered(state)) broken('P6', `${what}: the lease ends in ${leaseEndsInMs(state)} ms`);
  }

  function onHook({ name, order }: HookCall): void {
    const [episodeId, rung, step = ''] = order.token.split('/');
    const what = `hook ${name} as ${order.token}`;
    const about = serviceNamed(episodeId?.slice(0, episodeId.lastIndexOf('.')));
    if (!about) {
      broken('S11', `${what}: of no service`);
      return;
    }
    const { state } = about;
    const { episode } = state;
    if (episode?.id !== episodeId) {
      broken('P38', `${what}: its episode is not open`);
      return;
    }
    const mark = episode?.stages?.[`${rung}/${step}`];
    if (!mark || mark.end) broken('P38', `${what}: ${mark ? 'it has ended' : 'not marked begun'}`);
    if (!isCovered(state)) broken('P5', `${what}: the lease ends in ${leaseEndsInMs(state)} ms`);
    if (order.command.kind === 'document') {
      const on = order.command.instance;
      if (!about.declaration.members.some((each) => each.instance === on))
        broken('S11', `${what}: on ${on}, which is no member`);
    }
    const isAtRest = episode?.plan.interfaces.every(({ eni }) => {
      const truth = ec2.where(eni);
      return truth?.instanceId === episode.plan.target && truth.status === 'attached';
    });
    if (!step.startsWith('before') && !isAtRest && order.handle === undefined)
      broken('P39', `${what}: not everything is on ${episode?.plan.target}`);
  }

  const plannedFor = (state: ServiceState, eni: EniId) =>
    (state.episode?.plan ?? state.stranded?.plan)?.interfaces.find((each) => each.eni === eni);

  function onCall(call: Ec2Call): void {
    if (call.operation === 'stop') onStop(call);
    if (call.operation !== 'detach' && call.operation !== 'attach') return;
    const about = serviceOf(call.eni);
    const what = `${call.operation} of ${call.eni ?? call.attachment} on ${call.instanceId}`;
    if (!about) {
      // An attachment that has ended meanwhile names no interface any more: harmless.
      if (call.operation === 'attach') broken('S11', `${what}: it belongs to no service`);
      return;
    }
    const { state, declaration } = about;
    const isMember = declaration.members.some((each) => each.instance === call.instanceId);
    if (call.operation === 'attach' && !isMember) broken('S11', `${what}: not a member`);
    if (call.operation === 'detach' && call.eni && call.attachment) {
      const planned = state.episode?.plan.interfaces.find((each) => each.eni === call.eni);
      if (!planned || !isPlanned(planned, call.attachment)) broken('S2', `${what}: no stored plan names it`);
    }
    if (call.operation === 'attach' && !state.episode?.plan.tried.includes(call.instanceId as InstanceId))
      broken('P13', `${what}: not in the stored plan's tried`);
    checkFence(what, call, state, declaration);
    const { stages = {}, plan } = state.episode ?? {};
    const isPromoted = Object.keys(stages).some((id) => id.includes('/after.'));
    if (call.operation === 'attach' && isPromoted && call.instanceId === plan?.source)
      broken('P20', `${what}: back to the source after an after hook was begun`);
    const isExcepted = call.operation === 'attach' && store.isDown();
    if (!isCovered(state) && !isExcepted)
      broken('P6', `${what}: the lease ends ${leaseEndsInMs(state)} ms from now`);
  }

  function onEffect(effect: Effect): void {
    if (effect.by !== 'controller') return;
    const about = serviceOf(effect.eni);
    if (!about) return;
    const { state, declaration } = about;
    if (effect.what === 'detached') {
      const planned = plannedFor(state, effect.eni);
      const isExpected =
        (planned !== undefined && effect.attachment !== undefined && isPlanned(planned, effect.attachment)) ||
        (effect.attachment !== undefined && state.mayDetach.includes(effect.attachment));
      if (!isExpected) broken('S1', `${effect.eni} came loose and nothing stored says so`);
    }
    if (effect.what === 'attached') {
      const isMember = declaration.members.some((each) => each.instance === effect.instanceId);
      if (!isMember && state.episode?.plan.source !== effect.instanceId)
        broken('S1', `${effect.eni} went to ${effect.instanceId}, which is no member`);
    }
  }

  function onWrite({ before, after }: Written): void {
    if (!names.includes(after.name) || !before) return;
    if (after.rev !== before.rev + 1) broken('P1', `rev went from ${before.rev} to ${after.rev}`);
    if (after.epoch < before.epoch) broken('S5', `the epoch went back to ${after.epoch}`);
    const isLive = before.lease !== undefined && before.lease.untilMs > clock.now();
    if (isLive && after.lease && after.lease.owner !== before.lease?.owner)
      broken('S5', `${after.lease.owner} took the lease of ${before.lease?.owner} while it was alive`);
    if (before.frozen && after.frozen?.number !== before.frozen.number) {
      const isCopied = store.rows(after.name).some((row) => row.number === before.frozen?.number);
      if (!isCopied) broken('S12', `record ${before.frozen.number} was dropped before it was copied`);
    }
    if (before.episode && !after.episode) {
      const { outcome } = closedAs(after);
      const isOneMoreTry = (after.stranded?.tries ?? 0) > (before.stranded?.tries ?? 0);
      if (outcome === undefined && !isOneMoreTry)
        broken('S12', `episode ${before.episode.id} ended without a record`);
      const holders = new Set(
        before.episode.plan.interfaces.flatMap((each) => ec2.where(each.eni)?.instanceId ?? []),
      );
      const byPeople = ec2.touchedByPeopleSince(before.episode.openedAtMs);
      if (holders.size > 1 && outcome !== 'STRANDED' && !isOneMoreTry && !byPeople)
        broken('S14', `${before.episode.id} closed as ${outcome} on ${[...holders].join(' and ')}`);
    }
  }

  /** Recorded as done means: seen attached to the target, by attachments of this episode (S13). */
  function checkDone(record: EpisodeRecord): void {
    const { outcome, episode, number } = record;
    if (outcome !== 'COMPLETED' && outcome !== 'ATTACHED') return;
    const closedAtMs = Date.parse(record.closedAt);
    for (const planned of episode.plan.interfaces) {
      const truth = ec2.whereAt(planned.eni, closedAtMs);
      const said = `record ${number}, ${planned.eni}`;
      if (truth?.instanceId !== episode.plan.target || truth.status !== 'attached')
        broken('S13', `${said}: really ${truth?.status} to ${truth?.instanceId}`);
      // A rescue leaves beside the rest what was there already.
      else if (!planned.ours.includes(truth.id) && episode.kind !== 'rescue')
        broken('S13', `${said}: ${truth.id} is not an attachment of this episode`);
      const begunAtMs = ec2.effects.find((each) => each.attachment === truth?.id)?.atMs ?? 0;
      const isSeen = ec2.calls.some(
        (each) => each.operation === 'interfaces' && each.atMs >= begunAtMs && each.atMs <= closedAtMs,
      );
      if (!isSeen) broken('S13', `${said}: nobody looked after the attach`);
    }
  }

  function checkTrail(name: ServiceName): void {
    let state: ServiceState;
    try {
      state = store.peek(name);
    } catch {
      // An item that a test has broken on purpose.
      return;
    }
    const { frozen, trail } = state;
    const copied = store.rows(name);
    const rows = frozen && !copied.some((row) => row.number === frozen.number) ? [...copied, frozen] : copied;
    for (const fault of verifyChain(rows, sha256, trail.head))
      broken('S12', `record ${fault.number}: ${fault.why}`);
    if (rows.length + 1 !== trail.next)
      broken('S12', `${rows.length} records, but the next is ${trail.next}`);
    for (const row of rows)
      if (row.kind === 'episode')
        checkDone({ ...(JSON.parse(row.body) as EpisodeRecord), number: row.number });
    const opened = rows
      .filter((row) => row.kind === 'episode')
      .map((row) => (JSON.parse(row.body) as EpisodeRecord).episode.id);
    if (new Set(opened).size !== opened.length) broken('S12', 'an episode was recorded twice');
    // 200 KB (P7).
    if (JSON.stringify(state).length > 200_000) broken('P7', 'the item is too large');
  }

  ec2.onCall(onCall);
  ec2.onEffect(onEffect);
  store.onWrite(onWrite);
  hooks.onCall(onHook);
  return {
    watch: (name) => {
      names.push(name);
    },
    violations: () => {
      for (const name of names) checkTrail(name);
      return found;
    },
  };
}
