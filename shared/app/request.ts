/**
 * What operators ask to be moved: a request in the service's item, refused here for what functions/failover would
 * refuse too (P29). Nothing is moved by it: only functions/failover changes EC2.
 */
import { decide } from '../core/decide.ts';
import { isPlannedMove } from '../core/episode.ts';
import { messageOf } from '../core/errors.ts';
import { failbackFromMs, isFailbackDue, preferredOf } from '../core/failback.ts';
import type { InstanceId, ServiceName } from '../core/ids.ts';
import type { Observation } from '../core/observation.ts';
import { reasons } from '../core/reasons.ts';
import {
  type ControllerState,
  interfacesOf,
  isMember,
  type OperatorRequest,
  type Service,
  type ServiceState,
} from '../core/state.ts';
import { type Whereabouts, whereabouts } from '../core/whereabouts.ts';
import { observe } from './observe.ts';
import { type By, carryOut, type Operated, type Refused, refused } from './operate.ts';
import type { Ports } from './ports.ts';

export interface How {
  /** A plain detach that hangs is forced, although the source is well. */
  readonly force?: boolean;
}

/** Where the interfaces of a service are. */
export function spellWhere(where: Whereabouts): string {
  switch (where.kind) {
    case 'together':
      return `all on ${where.holder}`;
    case 'on-nothing':
      return `${where.free.join(', ')} on nothing${where.beside ? `, the rest on ${where.beside}` : ''}`;
    case 'split':
      return `split over ${where.holders.join(' and ')}`;
    case 'unmovable':
    case 'unknown':
      return where.why;
  }
}

/** Why the request would not be carried out now; undefined when it would. Pure. */
export function refusalOf(
  service: Service,
  controller: ControllerState,
  observation: Observation,
  request: OperatorRequest,
  nowMs: number,
): Refused | undefined {
  const { name, episode, facts } = service;
  const { target } = request;
  if (episode) return refused('EPISODE_OPEN', `episode ${episode.id} of ${name} is under way`);
  if (service.request) {
    const { kind, author } = service.request;
    return refused('REQUEST_WAITS', `a ${kind} that ${author} asked for waits already`);
  }
  if (!isMember(service, target)) return refused('NOT_A_MEMBER', `${target} is not a member of ${name}`);
  const where = whereabouts(service, observation);
  if (where.kind === 'together' && where.holder === target)
    return refused('ALREADY_HOLDER', `${target} has the interfaces of ${name} already`);
  // A zone that seems to fail is no place for maintenance; the engine itself holds back failovers only (P30).
  if (controller.brakes[facts.availabilityZone])
    return refused('BRAKE', `${facts.availabilityZone} is braked: ${reasons.BRAKE.meaning}`);

  // The engine's own answer, as if the request was stored and every second look had shown the same.
  const hint = { kind: 'request', atMs: nowMs } as const;
  const asked = { ...service, request };
  const look = Number.POSITIVE_INFINITY;
  const decision = decide({ service: asked, controller, observation, hint, look, believed: true, nowMs });
  switch (decision.kind) {
    case 'move': {
      if (isPlannedMove(decision.episode)) return undefined;
      const { stranded } = service;
      if (!stranded) return refused('HOLDER_FAILED', decision.evidence);
      // "Wait for the failover" would be no advice: it is the failover that did not get through.
      const since = new Date(stranded.sinceMs).toISOString();
      return refused('STRANDED', `since ${since}, ${spellWhere(where)}: ${stranded.why}`);
    }
    case 'refuse': {
      const { code, detail, members } = decision;
      return members.some((each) => each.member === target)
        ? refused('NOT_ELIGIBLE', detail, { refusals: members })
        : refused(code, detail);
    }
    case 'nothing':
    case 'look-again':
    case 'record':
      return refused(decision.code, decision.detail);
    default:
      return refused('UNKNOWN_STATE', `${name} is being put right; ask again in a minute`);
  }
}

/** What is asked for, before it has a target that this service can name. */
interface Wish {
  readonly kind: OperatorRequest['kind'];
  readonly target: (service: Service) => InstanceId | undefined;
  readonly force?: true;
  readonly byItself?: true;
  /** What stands against this kind of wish only. */
  readonly unless?: (service: Service, nowMs: number) => Refused | undefined;
  /** What the wish changes beside. */
  readonly change?: (state: ServiceState) => ServiceState;
}

async function ask(ports: Ports, name: ServiceName, by: By, wish: Wish): Promise<Operated> {
  const { clock, store, queue, log } = ports;
  const operated = await carryOut(ports, name, by, async (service) => {
    const target = wish.target(service);
    if (!target) return refused('NO_MEMBERS', `${name} has no members`);
    const [controller, observation] = await Promise.all([store.readController(), observe(ports, service)]);
    const where = whereabouts(service, observation);
    const from = where.kind === 'together' ? where.holder : undefined;
    const atMs = clock.now();
    const request: OperatorRequest = {
      id: ports.ids.nonce(),
      kind: wish.kind,
      ...(from && { from }),
      target,
      ...by,
      atMs,
      ...(wish.force && { force: wish.force }),
      ...(wish.byItself && { byItself: wish.byItself }),
    };
    const refusal =
      refusalOf(service, controller, observation, request, atMs) ?? wish.unless?.(service, atMs);
    if (refusal) return refusal;
    const { id, kind, force, reason } = request;
    return {
      kind: 'request',
      outcome: 'REQUESTED',
      headline: `${kind} to ${target} asked for by ${by.author}`,
      facts: { reason, request: id, asks: kind, from, to: target, ...(force && { force }) },
      instances: [...new Set([from, target])].flatMap((each) => each ?? []),
      enis: interfacesOf(service),
      // The end of its episode tells, or its refusal.
      quiet: true,
      data: { request: id, from, to: target },
      change: (state) => ({ ...(wish.change?.(state) ?? state), request }),
    };
  });
  if (operated.kind === 'refused') return operated;
  try {
    await queue.send({ service: name, hint: { kind: 'request', atMs: clock.now() }, look: 0 }, 0);
    return operated;
  } catch (error) {
    log.warn('a request could not be queued', { service: name, error: messageOf(error) });
    return {
      ...operated,
      detail: `${operated.detail}; the queue refused it, the sweep finds it within a minute`,
    };
  }
}

/**
 * Asks for a planned move to a member. Throws {@link PortError} when the table is out of reach: then the request may
 * have been stored all the same, and `status` shows it.
 */
export function switchover(
  ports: Ports,
  name: ServiceName,
  to: InstanceId,
  by: By,
  { force = false }: How = {},
): Promise<Operated> {
  return ask(ports, name, by, { kind: 'switchover', target: () => to, ...(force && { force }) });
}

/** Too short a time in good health is no time: it may be the pause between two failures. */
function tooSoon(service: Service, nowMs: number): Refused | undefined {
  const preferred = preferredOf(service);
  const fromMs = failbackFromMs(service);
  if (fromMs === undefined)
    return refused(
      'NOT_LONG_ENOUGH',
      `${preferred} has not been seen eligible yet; its time begins within a minute`,
    );
  const from = new Date(fromMs).toISOString();
  return nowMs < fromMs
    ? refused('NOT_LONG_ENOUGH', `${preferred} may have it back from ${from}`, { from })
    : undefined;
}

/** Asks for the move back to the preferred member, once that has been eligible for long enough; otherwise as a switchover. */
export function failback(ports: Ports, name: ServiceName, by: By): Promise<Operated> {
  return ask(ports, name, by, { kind: 'failback', target: preferredOf, unless: tooSoon });
}

/**
 * The same where a service declares that it goes back by itself. One that is refused or comes back is not asked for
 * again before the time has passed anew.
 */
export function failbackByItself(ports: Ports, name: ServiceName): Promise<Operated> {
  const by = {
    author: 'eni-failover',
    reason: 'policy.failback: the preferred member has been eligible for so long',
  };
  return ask(ports, name, by, {
    kind: 'failback',
    target: preferredOf,
    byItself: true,
    unless: (service, nowMs) =>
      isFailbackDue(service, nowMs) ? undefined : refused('NOT_LONG_ENOUGH', 'it is not due any more'),
    change: ({ preferredSinceMs: _, ...state }) => state,
  });
}
