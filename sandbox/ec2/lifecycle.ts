/** The states of an instance in time: what each leads to, how long that takes, and what it does to interfaces. */
import { removeAttachment, settle, settleAll } from './attachments.ts';
import { isGuestImpaired } from './checks.ts';
import { destroyEni } from './interfaces.ts';
import type { LatencyProfile, RangeMs } from './latency.ts';
import { attachedTo } from './limits.ts';
import type { Check, Impairment, InstanceRecord, InstanceState, Shutdown } from './records.ts';
import type { World } from './world.ts';

type Underway = 'pending' | 'stopping' | 'shutting-down';

const durations: Readonly<Record<Underway, (latency: LatencyProfile, instance: InstanceRecord) => RangeMs>> =
  {
    pending: ({ start }) => start,
    stopping: stopDuration,
    'shutting-down': ({ terminate }) => terminate,
  };

function stopDuration(latency: LatencyProfile, instance: InstanceRecord): RangeMs {
  const { stop, hungStop = stop, forcedStop = stop, skippedStop = stop } = latency;
  switch (instance.shutdown) {
    case 'skipped':
      return skippedStop;
    case 'forced':
      return forcedStop;
    default:
      return isGuestImpaired(instance) ? hungStop : stop;
  }
}

const isUnderway = (state: InstanceState): state is Underway => Object.hasOwn(durations, state);

/** Enters a state on the caller's behalf and sets out for the one after it. */
export function enter(
  world: World,
  instance: InstanceRecord,
  state: Underway,
  stateReason: string,
): InstanceRecord {
  const next = { ...instance, state, stateReason, transition: instance.transition + 1 };
  world.putInstance(next);
  proceed(world, next.id);
  return next;
}

const hardness: Readonly<Record<Shutdown, number>> = { plain: 0, forced: 1, skipped: 2 };

/** Begins to stop; asked again and harder, an instance that stops already gets there sooner. */
export function stop(world: World, instance: InstanceRecord, shutdown: Shutdown, stateReason: string): void {
  if (instance.state !== 'stopping') {
    enter(world, { ...instance, shutdown }, 'stopping', stateReason);
  } else if (hardness[shutdown] > hardness[instance.shutdown ?? 'plain']) {
    world.putInstance({ ...instance, shutdown });
    proceed(world, instance.id);
  }
}

/** Lets an instance that is on its way arrive, unless it is stuck: then no force helps either. */
export function proceed(world: World, instanceId: string): void {
  const instance = world.instances.get(instanceId);
  if (instance === undefined || !isUnderway(instance.state)) return;
  const { state, transition } = instance;
  world.later(durations[state](world.settings.latency, instance), () => {
    const now = world.instances.get(instanceId);
    if (now?.transition !== transition || world.stuck.has(instanceId)) return;
    arrivals[state](world, { ...now, transition: transition + 1 });
  });
}

const arrivals: Readonly<Record<Underway, (world: World, instance: InstanceRecord) => void>> = {
  pending(world, instance) {
    const [first] = bootPhases(world.settings.latency);
    world.putInstance({ ...instance, state: 'running', boot: first ?? 'done' });
    bootOn(world, instance.id, instance.transition);
  },

  /** A stopped instance gives up its host: the next start is on another one, with a fresh guest. */
  stopping(world, instance) {
    const { rebootingSinceMs: _, shutdown: __, ...rest } = instance;
    world.putInstance({ ...rest, state: 'stopped', impairments: {}, forcedSlots: {} });
    settleAll(world, instance.id);
  },

  'shutting-down'(world, instance) {
    for (const eni of attachedTo(world, instance)) {
      if (eni.attachment?.deleteOnTermination === true) destroyEni(world, eni);
      else removeAttachment(world, eni);
    }
    world.putInstance({ ...instance, state: 'terminated', eniIds: [] });
  },
};

type BootPhase = Exclude<InstanceRecord['boot'], 'done'>;

/** The phases that take any time. EC2's documentation names both words; that they come in this order is an assumption. */
const bootPhases = (latency: LatencyProfile): BootPhase[] => {
  const phases: BootPhase[] = [];
  if (latency.insufficientData[1] > 0) phases.push('insufficient-data');
  if (latency.initializing[1] > 0) phases.push('initializing');
  return phases;
};

function bootOn(world: World, instanceId: string, transition: number): void {
  const { latency } = world.settings;
  const boot = world.instances.get(instanceId)?.boot;
  if (boot === undefined || boot === 'done') return;
  world.later(boot === 'initializing' ? latency.initializing : latency.insufficientData, () => {
    const now = world.instances.get(instanceId);
    if (now?.transition !== transition) return;
    world.putInstance({ ...now, boot: boot === 'insufficient-data' ? 'initializing' : 'done' });
    bootOn(world, instanceId, transition);
  });
}

/** The instance check fails until the guest is back. */
export function reboot(world: World, instance: InstanceRecord): void {
  if (world.settings.latency.reboot[1] === 0) return;
  const rebootingSinceMs = world.nowMs();
  world.putInstance({ ...instance, rebootingSinceMs });
  world.later(world.settings.latency.reboot, () => {
    const now = world.instances.get(instance.id);
    if (now?.rebootingSinceMs !== rebootingSinceMs) return;
    const { rebootingSinceMs: _, ...up } = now;
    world.putInstance(up);
  });
}

export function impair(
  world: World,
  instance: InstanceRecord,
  check: Check,
  status: Impairment['status'],
): void {
  const impairments = { ...instance.impairments, [check]: { status, sinceMs: world.nowMs() } };
  world.putInstance({ ...instance, impairments });
}

/** All checks, unless one is named. Interfaces that waited for the guest to let go of them go on. */
export function recover(world: World, instance: InstanceRecord, check?: Check): void {
  const { [check ?? 'system']: _, ...others } = instance.impairments;
  world.putInstance({ ...instance, impairments: check === undefined ? {} : others });
  settleAll(world, instance.id);
}

export function unstick(world: World, id: string): void {
  if (!world.stuck.delete(id)) return;
  if (world.enis.get(id) !== undefined) settle(world, id);
  else proceed(world, id);
}
