/** How a service is right now, as EC2 shows it and as the item remembers it. Reads only. */
import { candidates } from '../core/eligibility.ts';
import type { InstanceId, ServiceName } from '../core/ids.ts';
import { type Health, healthOf, memberOf, type Observation } from '../core/observation.ts';
import type { MemberRefusal } from '../core/reasons.ts';
import { type ControllerState, isPaused, type Service } from '../core/state.ts';
import { type Whereabouts, whereabouts } from '../core/whereabouts.ts';
import { observe } from './observe.ts';
import type { Ports } from './ports.ts';
import { readService } from './record.ts';

export interface Status {
  readonly service: Service;
  /** What was read, for whoever has more to ask of the same look. */
  readonly controller: ControllerState;
  readonly observation: Observation;
  readonly nowMs: number;
  readonly where: Whereabouts;
  readonly holderHealth: Health | undefined;
  readonly standbys: readonly {
    readonly member: InstanceId;
    readonly refusals: readonly MemberRefusal[];
  }[];
  readonly isPaused: boolean;
  readonly controllerPaused: boolean;
  readonly braked: boolean;
}

/** `read`: the controller, where it was read already. Undefined: no such service is registered. */
export async function statusOf(
  ports: Ports,
  name: ServiceName,
  read?: ControllerState,
): Promise<Status | undefined> {
  const [service, controller] = await Promise.all([
    readService(ports, name),
    read ?? ports.store.readController(),
  ]);
  if (!service || service.tombstone) return undefined;
  const observation = await observe(ports, service);
  const nowMs = ports.clock.now();
  const where = whereabouts(service, observation);
  const holder = where.kind === 'together' ? where.holder : undefined;
  const standbys = service.declaration.members
    .map((each) => each.instance)
    .filter((id) => id !== holder)
    .map((member) => {
      const others = service.declaration.members.map((each) => each.instance).filter((id) => id !== member);
      return { member, refusals: candidates(service, observation, others, nowMs).refused };
    });
  return {
    service,
    controller,
    observation,
    nowMs,
    where,
    holderHealth: holder && healthOf(memberOf(observation, holder)),
    standbys,
    isPaused: isPaused(service.pause, nowMs),
    controllerPaused: isPaused(controller.pause, nowMs),
    braked: controller.brakes[service.facts.availabilityZone] !== undefined,
  };
}
