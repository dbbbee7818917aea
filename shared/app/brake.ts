/** The mass-failure brake: when much of a zone seems to fail at once, the monitoring is what failed (P31). */
import { messageOf } from '../core/errors.ts';
import type { ControllerState, Service } from '../core/state.ts';
import { times } from '../core/times.ts';
import type { Ports } from './ports.ts';

export type BrakeCheck =
  | { readonly kind: 'clear' }
  /** `first`: this worker tripped it, and is the one to page. */
  | { readonly kind: 'tripped'; readonly services: readonly string[]; readonly first: boolean }
  | { readonly kind: 'unreadable' };

const attempts = 3;

/** Counts this service's failover and says whether too many of its zone came before it. Never throws. */
export async function brakeCheck(
  ports: Ports,
  service: Service,
  controller: ControllerState,
): Promise<BrakeCheck> {
  const { clock, store, log } = ports;
  const zone = service.facts.availabilityZone;
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    try {
      const failing = await store.countFailover(
        zone,
        service.name,
        clock.now(),
        controller.releasedAtMs[zone],
      );
      const registered = controller.servicesByZone[zone]?.length ?? 0;
      if (failing.length < times.brakeAtLeast || failing.length * 2 < registered) return { kind: 'clear' };
      const tripped = await store.tripBrake(zone, failing, clock.now());
      return { kind: 'tripped', services: failing, first: tripped === 'tripped' };
    } catch (error) {
      log.warn('the brake could not be read', { service: service.name, zone, error: messageOf(error) });
      if (attempt < attempts) await clock.sleep(times.pollFirstMs);
    }
  }
  return { kind: 'unreadable' };
}
