/** Unregistering: the item becomes a tombstone that a later registration continues; nothing is ever deleted (P25). */
import type { ServiceName } from '../core/ids.ts';
import { interfacesOf, type Service, type ServiceState } from '../core/state.ts';
import { type By, carryOut, type Operated, type Refused, refused } from './operate.ts';
import type { Ports } from './ports.ts';
import { readService } from './record.ts';
import { mayBeUndoneBy } from './source.ts';

/** Why the service cannot be let go, or changed, just now (P16, P25, P26, P29); undefined when it can. */
export function unfinishedIn(service: Service, nowMs: number): Refused | undefined {
  const { name, episode, stranded, request, mayDetach, mayDetachUntilMs = 0 } = service;
  if (episode) return refused('EPISODE_OPEN', `episode ${episode.id} of ${name} is under way`);
  if (stranded) return refused('STRANDED', `${name}: ${stranded.why}`);
  if (request) return refused('REQUEST_WAITS', `a ${request.kind} that ${request.author} asked for waits`);
  if (mayDetach.length > 0 && nowMs <= mayDetachUntilMs)
    return refused(
      'LATE_EFFECTS',
      `${mayDetach.join(', ')} until ${new Date(mayDetachUntilMs).toISOString()}`,
    );
  return undefined;
}

/** What people were told, and what they asked for: it ends with the registration. Everything else is kept. */
function buried(state: ServiceState): ServiceState {
  const { pause: _, lastRefusal: __, lastObserved: ___, notReady: ____, lastSeen: _____, ...kept } = state;
  const { preferredSinceMs: ______, movedBy: _______, ...buried } = kept;
  return { ...buried, tombstone: true };
}

/**
 * First the tombstone, then the interfaces: a released one may be registered by others at once. Neither of the two is
 * written with the item, so a registration may come in between: whoever finds one puts back what is its own.
 */
async function letGo(ports: Ports, service: Service): Promise<void> {
  const { store, log } = ports;
  const { name, facts } = service;
  await Promise.all([
    ...interfacesOf(service).map((eni) => store.release(eni, name)),
    store.leaveZone(facts.availabilityZone, name),
  ]);
  const now = await readService(ports, name);
  if (!now || now.tombstone) return;
  await store.joinZone(now.facts.availabilityZone, name);
  for (const eni of interfacesOf(now)) {
    const answer = await store.own(eni, name);
    // Another service took it in that moment: EC2 lets one of them have it, and people decide which.
    if (answer.kind === 'taken')
      log.error('an interface has two services', { service: name, eni, ...answer });
  }
}

/**
 * Ends the watch over a service. The ways back stay: they are hints, and the item decides. Throws {@link PortError}
 * when the table is out of reach; asking again then finishes what was begun.
 */
export async function unregister(ports: Ports, name: ServiceName, by: By): Promise<Operated> {
  const before = await readService(ports, name);
  if (before?.tombstone) {
    // Begun before, and perhaps not finished.
    await letGo(ports, before);
    return refused('NO_SUCH_SERVICE', `${name} is not registered any more`);
  }
  let found: Service | undefined;
  const operated = await carryOut(ports, name, by, (service) => {
    const unfinished = unfinishedIn(service, ports.clock.now());
    if (unfinished) return unfinished;
    found = service;
    return {
      kind: 'change',
      outcome: 'UNREGISTERED',
      headline: `unregistered by ${by.author}; nothing watches it any more${mayBeUndoneBy(service)}`,
      severity: 'warning',
      facts: { reason: by.reason },
      notice: { reason: by.reason },
      instances: service.declaration.members.map((each) => each.instance),
      enis: interfacesOf(service),
      change: buried,
    };
  });
  if (operated.kind === 'done' && found) await letGo(ports, found);
  return operated;
}
