/** What befalls a world beside the calls themselves: an explicit list, so that a run can be replayed without any one of them. */

import type { Mood } from './applications.ts';
import type { Announcement, Passage } from './monitoring.ts';
import type { Call, Injury, ServiceName } from './network.ts';
import { faultsFor, isHookFunction } from './network.ts';
import { type Chance, makeChance } from './random.ts';
import type { World, WorldPlan } from './world.ts';

type Timed<T> = T & { readonly atMs: number };

/** The call of functions/failover from which something begins. */
type Trigger = 'any' | 'claim' | 'fence' | 'hook' | 'detach' | 'attach';

export type Happening = Timed<
  | {
      readonly kind: 'impair';
      readonly instance: number;
      readonly check: 'system' | 'instance' | 'ebs';
      readonly forMs?: number;
    }
  | { readonly kind: 'no-data'; readonly instance: number; readonly forMs: number }
  | {
      readonly kind: 'stop' | 'terminate' | 'reboot';
      readonly instance: number;
      readonly startAfterMs?: number;
    }
  | { readonly kind: 'zone-failure'; readonly zone: 'a' | 'b'; readonly forMs: number }
  | { readonly kind: 'app-alarm'; readonly service: number; readonly forMs: number }
  | { readonly kind: 'not-ready'; readonly service: number; readonly member: number; readonly forMs: number }
  | { readonly kind: 'suppress'; readonly instance: number; readonly forMs: number }
  | { readonly kind: 'forged'; readonly instance: number; readonly event: 'alarm' | 'state-change' }
  | { readonly kind: 'person-detaches'; readonly service: number; readonly eni: number }
  | {
      readonly kind: 'person-moves';
      readonly service: number;
      readonly eni: number | 'all';
      readonly instance: number;
    }
  | { readonly kind: 'person-deletes'; readonly service: number; readonly eni: number }
  | {
      readonly kind: 'index-taken';
      readonly instance: number;
      readonly index: number;
      readonly forMs: number;
    }
  | { readonly kind: 'delete-on-termination'; readonly service: number; readonly eni: number }
  | { readonly kind: 'stuck'; readonly service: number; readonly eni: number; readonly forMs: number }
  | {
      readonly kind: 'pause' | 'pause-all';
      readonly service: number;
      readonly forMs: number;
      readonly resumes: boolean;
    }
  | { readonly kind: 'acknowledge'; readonly service: number }
  | { readonly kind: 'release-brake'; readonly zone: 'a' | 'b' }
  | { readonly kind: 'switchover' | 'failback'; readonly service: number; readonly member: number }
  | { readonly kind: 'edit'; readonly service: number; readonly confirm: string }
  | { readonly kind: 'adopt'; readonly service: number }
  | { readonly kind: 'ask'; readonly service: number; readonly member: number }
  /** Only observed, or not registered at all, for a while. */
  | { readonly kind: 'observe' | 'unregister'; readonly service: number; readonly forMs: number }
  | { readonly kind: 'duplicate-message' }
  | {
      readonly kind: 'events';
      readonly weather: 'lost' | 'twice' | 'late' | 'shuffled';
      readonly forMs: number;
    }
  | {
      readonly kind: 'outage';
      readonly of: ServiceName;
      readonly injury: Injury;
      readonly share: number;
      readonly forMs: number;
    }
  /** From a step of a failover on: the table away between two effects of EC2, the permission gone in the middle. */
  | {
      readonly kind: 'outage-at-step';
      readonly trigger: Trigger;
      readonly of: ServiceName;
      readonly injury: Injury;
      readonly forMs: number;
    }
  /** The member that a failover is moving to, at one of its steps. */
  | {
      readonly kind: 'target-dies';
      readonly trigger: Trigger;
      readonly skip: number;
      readonly how: 'impaired' | 'stopped' | 'terminated';
    }
  /** With a time, AWS means it. */
  | {
      readonly kind: 'announced';
      readonly instance: number;
      readonly what: Announcement;
      readonly lostAfterMs?: number;
    }
  /** What a service runs, and its hooks with it. */
  | { readonly kind: 'mood'; readonly service: number; readonly mood: Mood; readonly forMs: number }
  /** An instance does not get out of `stopping`. */
  | { readonly kind: 'stuck-stopping'; readonly instance: number; readonly forMs: number }
  /** Somebody has protected it against being stopped. */
  | { readonly kind: 'stop-protected'; readonly instance: number; readonly forMs: number }
  /** The member that a failover is moving to is not ready any more, at one of its steps. */
  | {
      readonly kind: 'readiness-flips';
      readonly trigger: Trigger;
      readonly skip: number;
      readonly forMs: number;
    }
  | { readonly kind: 'deploy' }
  /** At the first call that it can hit, once so many of functions/failover's calls (or of all) have gone by. */
  | {
      readonly kind: 'call';
      readonly trigger: Trigger;
      readonly skip: number;
      readonly times: number;
      readonly injury: Injury;
      readonly of?: ServiceName;
    }
>;

export interface RunPlan {
  readonly seed: number;
  readonly minutes: number;
  readonly world: WorldPlan;
  /** How far each clock may be from the true time, either way. */
  readonly skewMs?: number;
  readonly happenings: readonly Happening[];
}

/** Two clocks then differ by no more than the second that every lease allows for. */
export const marginMs = 500;

// ── Carrying it out ─────────────────────────────────────────────────────────────────────────────────────

interface Pending {
  readonly from: number;
  readonly fault: Extract<Happening, { kind: 'call' }>;
  armed: boolean;
  skip: number;
  left: number;
}

/** The weather of one run: which calls are hurt and what becomes of events. */
export class Storm {
  readonly #chance: Chance;
  readonly #pending: Pending[] = [];
  #outages: { untilMs: number; of: ServiceName; injury: Injury; share: number }[] = [];
  #events: { untilMs: number; weather: 'lost' | 'twice' | 'late' | 'shuffled' } | undefined;
  #over = false;
  readonly #skewMs: number;
  #watches: { readonly trigger: Trigger; skip: number; isArmed: boolean; readonly run: Reaction }[] = [];

  constructor(plan: RunPlan) {
    this.#chance = makeChance(plan.seed).fork('storm');
    const isSkewed = this.#chance.likely(0.5);
    this.#skewMs = plan.skewMs ?? (isSkewed ? marginMs : 0);
  }

  readonly injure = (call: Call): Injury | undefined => {
    if (this.#over) return undefined;
    const nowMs = call.atMs;
    const isFailover = call.worker.name.startsWith('failover');
    if (isFailover && this.#watches.length > 0) this.#watch(call);
    let chosen: Injury | undefined;
    for (const each of this.#pending) {
      if (each.left <= 0 || nowMs < each.from) continue;
      if (!each.armed) each.armed = triggers[each.fault.trigger](call);
      if (!each.armed || chosen || (!isFailover && each.fault.trigger !== 'any')) continue;
      if (each.skip > 0) {
        each.skip -= 1;
        continue;
      }
      if (!faultsFor(call.service, call.operation).includes(each.fault.injury.kind)) continue;
      each.left -= 1;
      chosen = each.fault.injury;
    }
    if (chosen) return chosen;
    for (const outage of this.#outages)
      if (outage.of === call.service && nowMs < outage.untilMs && this.#chance() < outage.share) {
        const { kind } = outage.injury;
        const fits = faultsFor(call.service, call.operation).includes(kind);
        return fits ? outage.injury : kind === 'timeout-applied' ? { kind: 'timeout' } : undefined;
      }
    return undefined;
  };

  readonly passage = (_event: object, world: World): Passage => {
    const usualMs = this.#chance.between(200, 2_500);
    const now = world.loop.now();
    if (this.#over || !this.#events || now > this.#events.untilMs) return { copies: [{ afterMs: usualMs }] };
    switch (this.#events.weather) {
      case 'lost':
        world.count('event lost');
        return { copies: [] };
      case 'twice':
        world.count('event duplicated');
        return {
          copies: [{ afterMs: usualMs }, { afterMs: this.#chance.pick([usualMs + 500, 4_000, 30_000]) }],
        };
      case 'late':
        world.count('event delayed');
        return { copies: [{ afterMs: this.#chance.between(10_000, 400_000) }] };
      case 'shuffled':
        world.count('event reordered');
        return { copies: [{ afterMs: this.#chance.between(100, 20_000) }] };
    }
  };

  /** Each process by its name, always the same. */
  readonly skewMs = (worker: string): number => {
    if (this.#skewMs === 0 || worker.startsWith('register')) return 0;
    return makeChance(0).fork(worker).between(-this.#skewMs, this.#skewMs);
  };

  /** Runs once, `skip` calls of functions/failover after the trigger; again at the next one if it says not yet. */
  when(trigger: Trigger, skip: number, run: Reaction): void {
    this.#watches.push({ trigger, skip, isArmed: trigger === 'any', run });
  }

  #watch(call: Call): void {
    this.#watches = this.#watches.filter((each) => {
      each.isArmed ||= triggers[each.trigger](call);
      if (!each.isArmed) return true;
      if (each.skip > 0) {
        each.skip -= 1;
        return true;
      }
      return each.run(call) === 'not yet';
    });
  }

  add(happening: Extract<Happening, { kind: 'call' }>, from: number): void {
    const { skip, times } = happening;
    this.#pending.push({ from, fault: happening, armed: happening.trigger === 'any', skip, left: times });
  }

  addOutage(of: ServiceName, injury: Injury, share: number, untilMs: number): void {
    this.#outages = [...this.#outages.slice(-8), { untilMs, of, injury, share }];
  }

  setEvents(weather: 'lost' | 'twice' | 'late' | 'shuffled', untilMs: number): void {
    this.#events = { weather, untilMs };
  }

  calm(): void {
    this.#over = true;
  }

  begin(): void {
    this.#over = false;
  }
}

type Reaction = (call: Call) => 'done' | 'not yet';

const triggers: Readonly<Record<Trigger, (call: Call) => boolean>> = {
  any: () => true,
  claim: ({ input }) =>
    Boolean((input as { ConditionExpression?: string }).ConditionExpression?.includes('not_exists(#lease)')),
  fence: ({ operation }) => operation === 'StopInstances',
  hook: (call) => call.operation === 'SendCommand' || isHookFunction(call),
  detach: ({ operation }) => operation === 'DetachNetworkInterface',
  attach: ({ operation }) => operation === 'AttachNetworkInterface',
};

/** Sets the timers of every happening. */
export function schedule(world: World, storm: Storm, plan: RunPlan): void {
  for (const each of plan.happenings)
    world.loop.after(each.atMs, () => {
      world.count(`happening ${each.kind}`);
      world.log(() => `HAPPENS ${JSON.stringify(each)}`);
      happen(world, storm, plan, each);
    });
}

function happen(world: World, storm: Storm, plan: RunPlan, each: Happening): void {
  const { loop, model, monitoring } = world;
  const instanceAt = (index: number) => world.instances[index] ?? '';
  const later = (ms: number | undefined, run: () => void) => {
    if (ms !== undefined) loop.after(ms, run);
  };
  const alive = (id: string, act: () => void) => {
    try {
      act();
    } catch (error) {
      world.log(() => `nothing becomes of it: ${id} ${String(error)}`);
    }
  };
  switch (each.kind) {
    case 'impair': {
      const id = instanceAt(each.instance);
      alive(id, () => model.impair(id, each.check));
      later(each.forMs, () => alive(id, () => model.recover(id, each.check)));
      return;
    }
    case 'no-data': {
      const id = instanceAt(each.instance);
      alive(id, () => model.impair(id, 'instance', 'insufficient-data'));
      later(each.forMs, () => alive(id, () => model.recover(id, 'instance')));
      return;
    }
    case 'zone-failure': {
      const ids = world.instances.filter((_, index) => plan.world.zones[index] === each.zone);
      const holders = new Set(world.services.flatMap(({ name }) => world.checker.holders(name)));
      for (const id of ids) if (holders.has(id)) alive(id, () => model.impair(id, 'system'));
      later(each.forMs, () => {
        for (const id of ids) alive(id, () => model.recover(id, 'system'));
      });
      return;
    }
    case 'stop': {
      const InstanceIds = [instanceAt(each.instance)];
      world.asPerson('StopInstances', { InstanceIds });
      later(each.startAfterMs, () => world.asPerson('StartInstances', { InstanceIds }));
      return;
    }
    case 'terminate':
      world.asPerson('TerminateInstances', { InstanceIds: [instanceAt(each.instance)] });
      return;
    case 'reboot':
      world.asPerson('RebootInstances', { InstanceIds: [instanceAt(each.instance)] });
      return;
    case 'app-alarm': {
      const name = `app-${world.services[each.service]?.name}`;
      monitoring.setCustom(name, 'ALARM');
      later(each.forMs, () => monitoring.setCustom(name, 'OK'));
      return;
    }
    case 'not-ready': {
      const name = `ready-${world.services[each.service]?.name}-${instanceAt(each.member)}`;
      monitoring.setCustom(name, 'ALARM');
      later(each.forMs, () => monitoring.setCustom(name, 'OK'));
      return;
    }
    case 'suppress': {
      const name = `status-${instanceAt(each.instance)}`;
      monitoring.suppress(name, true);
      later(each.forMs, () => monitoring.suppress(name, false));
      return;
    }
    case 'forged':
      monitoring.forge(instanceAt(each.instance), each.event);
      return;
    case 'person-detaches': {
      const AttachmentId = world.attachmentOf(each.service, each.eni);
      if (AttachmentId) world.asPerson('DetachNetworkInterface', { AttachmentId, Force: true });
      return;
    }
    case 'person-moves': {
      const { plan: declared, enis = [] } = world.services[each.service] ?? {};
      enis.forEach((NetworkInterfaceId, index) => {
        if (each.eni !== 'all' && each.eni !== index) return;
        const AttachmentId = world.attachmentOf(each.service, index);
        if (AttachmentId) world.asPerson('DetachNetworkInterface', { AttachmentId, Force: true });
        const DeviceIndex = declared?.indexes[index] ?? 1;
        loop.after(8_000, () =>
          world.asPerson('AttachNetworkInterface', {
            NetworkInterfaceId,
            InstanceId: instanceAt(each.instance),
            DeviceIndex,
          }),
        );
      });
      return;
    }
    case 'person-deletes': {
      const NetworkInterfaceId = world.services[each.service]?.enis[each.eni] ?? '';
      const AttachmentId = world.attachmentOf(each.service, each.eni);
      if (AttachmentId) world.asPerson('DetachNetworkInterface', { AttachmentId, Force: true });
      loop.after(8_000, () => world.asPerson('DeleteNetworkInterface', { NetworkInterfaceId }));
      return;
    }
    case 'index-taken':
      world.takeIndex(each.instance, each.index, each.forMs);
      return;
    case 'delete-on-termination': {
      const NetworkInterfaceId = world.services[each.service]?.enis[each.eni] ?? '';
      const AttachmentId = world.attachmentOf(each.service, each.eni);
      if (AttachmentId)
        world.asPerson('ModifyNetworkInterfaceAttribute', {
          NetworkInterfaceId,
          Attachment: { AttachmentId, DeleteOnTermination: true },
        });
      return;
    }
    case 'stuck': {
      const id = world.services[each.service]?.enis[each.eni] ?? '';
      model.stick(id);
      later(each.forMs, () => alive(id, () => model.unstick(id)));
      return;
    }
    case 'pause':
    case 'pause-all': {
      const name = world.services[each.service]?.name;
      if (!name) return;
      if (each.kind === 'pause') world.pause(name, each.forMs);
      else world.pauseAll(each.forMs);
      if (each.resumes)
        loop.after(each.forMs / 2, () => (each.kind === 'pause' ? world.resume(name) : world.resumeAll()));
      return;
    }
    case 'acknowledge': {
      const name = world.services[each.service]?.name;
      if (name) world.acknowledge(name);
      return;
    }
    case 'release-brake':
      world.releaseBrake(`us-east-1${each.zone}`);
      return;
    case 'switchover':
    case 'failback': {
      const name = world.services[each.service]?.name;
      if (name)
        world.request(
          name,
          each.kind,
          each.kind === 'failback' ? 0 : each.member % (world.services[each.service]?.members.length ?? 1),
        );
      return;
    }
    case 'edit':
      world.edit(each.service, each.confirm);
      return;
    case 'adopt': {
      const name = world.services[each.service]?.name;
      if (name) world.adopt(name);
      return;
    }
    case 'ask': {
      const { name, members = [] } = world.services[each.service] ?? {};
      if (name) world.ask(name, each.member % Math.max(1, members.length));
      return;
    }
    case 'observe': {
      const name = world.services[each.service]?.name;
      if (!name) return;
      world.setMode(name, 'observe');
      loop.after(each.forMs, () => world.setMode(name, 'act'));
      return;
    }
    case 'unregister':
      world.unregister(each.service, each.forMs);
      return;
    case 'duplicate-message':
      world.queue.duplicateNext();
      return;
    case 'events':
      storm.setEvents(each.weather, loop.now() + each.forMs);
      return;
    case 'outage':
      storm.addOutage(each.of, each.injury, each.share, loop.now() + each.forMs);
      return;
    case 'outage-at-step':
      storm.when(each.trigger, 0, () => {
        world.count(`step reached: ${each.kind} ${each.of} ${each.injury.kind}`);
        storm.addOutage(each.of, each.injury, 1, loop.now() + each.forMs);
        return 'done';
      });
      return;
    case 'target-dies':
      storm.when(each.trigger, each.skip, ({ worker }) => {
        const id = world.checker.targetOf(worker.name);
        if (!id) return 'not yet';
        world.count(`step reached: ${each.kind}`);
        world.log(() => `${id} is the target, and is ${each.how}`);
        // Not within the call that is being sent.
        loop.after(0, () => {
          if (each.how === 'impaired') alive(id, () => model.impair(id, 'system'));
          else if (each.how === 'stopped') world.asPerson('StopInstances', { InstanceIds: [id] });
          else world.asPerson('TerminateInstances', { InstanceIds: [id] });
        });
        return 'done';
      });
      return;
    case 'announced':
      monitoring.announce(instanceAt(each.instance), each.what);
      later(each.lostAfterMs, () =>
        world.asPerson('TerminateInstances', { InstanceIds: [instanceAt(each.instance)] }),
      );
      return;
    case 'mood': {
      const name = world.services[each.service]?.name ?? '';
      world.applications?.setMood(name, each.mood);
      later(each.forMs, () => world.applications?.setMood(name, undefined));
      return;
    }
    case 'stuck-stopping': {
      const id = instanceAt(each.instance);
      model.stick(id);
      later(each.forMs, () => alive(id, () => model.unstick(id)));
      return;
    }
    case 'stop-protected': {
      const id = instanceAt(each.instance);
      world.protect(id, true);
      later(each.forMs, () => world.protect(id, false));
      return;
    }
    case 'readiness-flips':
      storm.when(each.trigger, each.skip, ({ worker }) => {
        const id = world.checker.targetOf(worker.name);
        if (!id) return 'not yet';
        world.count(`step reached: ${each.kind}`);
        for (const { name } of world.services) {
          const alarm = `ready-${name}-${id}`;
          loop.after(0, () => monitoring.setCustom(alarm, 'ALARM'));
          later(each.forMs, () => monitoring.setCustom(alarm, 'OK'));
        }
        return 'done';
      });
      return;
    case 'deploy':
      world.deploy();
      return;
    case 'call':
      storm.add(each, loop.now());
      return;
  }
}
