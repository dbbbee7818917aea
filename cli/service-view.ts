/** One service as a person and a program see it: where it is, who could take it, and what stands in the way. Pure. */
import type { Status } from '../shared/app/status.ts';
import { aroundTheMove, type Declared } from '../shared/core/around-the-move.ts';
import type { InstanceId } from '../shared/core/ids.ts';
import type { Health } from '../shared/core/observation.ts';
import {
  type MemberReasonCode,
  type MemberRefusal,
  memberReasons,
  type ReasonCode,
  reasons,
} from '../shared/core/reasons.ts';
import { isPaused, type Pause, type Service, spentOf } from '../shared/core/state.ts';
import { times } from '../shared/core/times.ts';
import type { Whereabouts } from '../shared/core/whereabouts.ts';
import { ago, isoOf, type Line, spanOf } from './output.ts';

/** A reason why a failover would not happen now. */
export interface Hindrance {
  readonly code: ReasonCode | 'HOLDER_FAILED' | 'EPISODE_OPEN';
  readonly detail: string;
  readonly wayOut: string;
  readonly commands: readonly string[];
  /** Waiting does not end it, and nobody chose it. */
  readonly needsHuman: boolean;
}

export interface StandbyView {
  readonly instance: InstanceId;
  readonly eligible: boolean;
  readonly refusals: readonly {
    readonly code: MemberReasonCode;
    readonly detail: string;
    readonly wayOut: string;
    readonly commands: readonly string[];
  }[];
}

export interface PauseView {
  readonly reason: string;
  readonly author: string;
  readonly at: string;
  readonly until: string;
  /** False once it has ended by itself. */
  readonly active: boolean;
}

/** The JSON of one service. Absent is null, never a missing key. Times are ISO 8601 in UTC. */
export interface ServiceView {
  readonly service: string;
  readonly description: string | null;
  /** A failover would happen now if the holder failed. */
  readonly ready: boolean;
  readonly needsHuman: boolean;
  readonly mode: 'act' | 'observe' | null;
  readonly availabilityZone: string | null;
  readonly whereabouts: { readonly kind: Whereabouts['kind']; readonly detail: string } | null;
  readonly holder: {
    readonly instance: InstanceId;
    readonly health: 'healthy' | 'failed' | 'unknown';
    readonly why: string | null;
    readonly since: string | null;
  } | null;
  readonly standbys: readonly StandbyView[];
  readonly interfaces: readonly {
    readonly eni: string;
    readonly deviceIndex: number;
    readonly networkCardIndex: number;
  }[];
  /** What is declared around a move, in the order in which it comes. */
  readonly around: readonly Declared[];
  readonly hindrances: readonly Hindrance[];
  readonly pause: PauseView | null;
  readonly quarantine: readonly {
    readonly instance: string;
    readonly since: string;
    readonly why: string;
    readonly ends: string;
  }[];
  readonly request: {
    readonly kind: string;
    readonly target: InstanceId;
    readonly author: string;
    readonly at: string;
  } | null;
  readonly episode: {
    readonly id: string;
    readonly kind: string;
    readonly state: string;
    readonly openedAt: string;
    readonly source: InstanceId | null;
    readonly target: InstanceId;
    readonly evidence: string;
    readonly lastStep: string | null;
  } | null;
  readonly stranded: { readonly since: string; readonly why: string; readonly tries: number } | null;
  /** Does it go back by itself, and what stands against that until a person acknowledges? */
  readonly failback: {
    readonly byItself: boolean;
    /** Whose the last move was, where nobody had asked for it. */
    readonly movedBy: 'failover' | 'failback' | null;
    readonly suspended: { readonly since: string; readonly why: string; readonly command: string } | null;
  } | null;
  readonly lastRefusal: string | null;
  readonly lastObserved: string | null;
  /** Notices that have not been published for certain. */
  readonly noticesWaiting: number;
  readonly trail: { readonly records: number; readonly head: string };
}

/** How to write a command of this CLI so that it can be pasted. */
export type Say = (command: string) => string;

export const toPauseView = (pause: Pause, nowMs: number): PauseView => ({
  reason: pause.reason,
  author: pause.author,
  at: isoOf(pause.atMs),
  until: isoOf(pause.untilMs),
  active: isPaused(pause, nowMs),
});

export const because = "--reason '…'";

function commandsFor({ member, code, detail }: MemberRefusal, service: Service, say: Say): readonly string[] {
  // While it is being moved, or stranded, no change of the members is taken.
  const isBusy = service.episode !== undefined || service.stranded !== undefined;
  const replace = isBusy ? [] : [say(`member replace ${service.name} ${member} i-… ${because}`)];
  switch (code) {
    case 'NOT_RUNNING':
      // Nothing starts an instance that is gone: it has to be replaced in the declaration.
      return /terminated|shutting-down/.test(detail)
        ? replace
        : [`aws ec2 start-instances --instance-ids ${member}`];
    case 'NOT_TAGGED':
      return [`aws ec2 create-tags --resources ${member} --tags Key=eni-failover,Value=managed`];
    case 'NO_SUCH_MEMBER':
    case 'CHECKS_FAILED':
      return replace;
    case 'QUARANTINED':
      return [say(`ack ${service.name} --member ${member} ${because}`)];
    default:
      return [];
  }
}

/** Does waiting end it? A replica catches up, checks are reported; the rest takes a person. */
function endsByItself(service: Service, { member, code }: MemberRefusal): boolean {
  if (code === 'UNKNOWN_HEALTH' || code === 'NOT_READY') return true;
  if (code !== 'QUARANTINED') return false;
  const declared = service.declaration.members.find((each) => each.instance === member);
  return service.declaration.policy.quarantine === 'until-healthy' || (declared?.readyWhen.length ?? 0) > 0;
}

/** Interfaces that lie on nothing, as the calls that attach them: beside the rest, else to this member. */
function attachCommands(
  { declaration }: Service,
  where: Whereabouts,
  other: InstanceId | undefined,
): readonly string[] {
  const to = where.kind === 'on-nothing' ? (where.beside ?? other) : undefined;
  if (where.kind !== 'on-nothing' || !to) return [];
  return declaration.interfaces
    .filter((each) => where.free.includes(each.eni))
    .map(
      ({ eni, deviceIndex, networkCardIndex }) =>
        `aws ec2 attach-network-interface --network-interface-id ${eni} --instance-id ${to} ` +
        `--device-index ${deviceIndex}${networkCardIndex > 0 ? ` --network-card-index ${networkCardIndex}` : ''}`,
    );
}

function describe(where: Whereabouts): string {
  switch (where.kind) {
    case 'together':
      return `on ${where.holder}`;
    case 'split':
      return `split over ${where.holders.join(' and ')}`;
    case 'on-nothing':
      return `${where.free.join(', ')} on nothing${where.beside ? `, the rest on ${where.beside}` : ''}`;
    case 'unmovable':
    case 'unknown':
      return where.why;
  }
}

/** Twice what a move can take: whoever had it is gone, and nobody took over. */
const episodeIsStuckAfterMs = 2 * (times.detachDeadlineMs + times.attachLimitMs);

interface Found {
  readonly detail: string;
  readonly commands?: readonly string[];
  readonly wayOut?: string;
  readonly needsHuman?: boolean;
}

function isSignalDeclared({ declaration }: Service, health: Health): boolean {
  const { stateChanges, statusChecks } = declaration.signals;
  return health.kind === 'failed' && (health.certain ? stateChanges : statusChecks);
}

/** A holder that has failed is moved by itself, unless something forbids it or nobody is there to do it. */
function holderHasFailed(
  { service, holderHealth }: Status,
  isForbidden: boolean,
  nowMs: number,
): Hindrance | undefined {
  if (service.episode || holderHealth?.kind !== 'failed' || !isSignalDeclared(service, holderHealth))
    return undefined;
  const { certain, sinceMs, why } = holderHealth;
  const { confirm } = service.declaration.policy;
  const isOverdue = sinceMs !== undefined && nowMs - sinceMs > confirm + times.maxEventAgeMs;
  const soon = certain ? 'it is moved at once' : `it is moved on an alarm, or after ${spanOf(confirm)}`;
  const late = "it should have been moved by now: look at the functions' logs and the dead-letter queues";
  return {
    code: 'HOLDER_FAILED',
    detail: why,
    wayOut: isForbidden ? 'end what else is listed here' : isOverdue ? late : `wait: ${soon}`,
    commands: [],
    needsHuman: isForbidden || isOverdue,
  };
}

function hindrancesOf(status: Status, say: Say): Hindrance[] {
  const { service, controller, nowMs, where, holderHealth, standbys } = status;
  const { name, declaration, episode, stranded, pause, lastSeen } = service;
  const zone = service.facts.availabilityZone;
  const found: Hindrance[] = [];
  const add = (code: ReasonCode, { detail, commands = [], wayOut, needsHuman = false }: Found) =>
    found.push({ code, detail, wayOut: wayOut ?? reasons[code].wayOut, commands, needsHuman });
  const hasFailed = holderHealth?.kind === 'failed';

  if (episode)
    found.push({
      code: 'EPISODE_OPEN',
      detail: `${episode.kind} ${episode.id} is ${episode.state}`,
      wayOut: 'wait: it goes on to its end',
      commands: [],
      needsHuman: nowMs - episode.openedAtMs > episodeIsStuckAfterMs,
    });
  const eligible = standbys.find((each) => each.refusals.length === 0)?.member;
  if (stranded)
    add('STRANDED', {
      detail: stranded.why,
      commands: episode ? [] : attachCommands(service, where, eligible),
      needsHuman: true,
    });
  // In the middle of a move the interfaces are bound to be somewhere else.
  if (!episode) {
    const detail = describe(where);
    if (where.kind === 'unknown') add('UNKNOWN_STATE', { detail });
    if (where.kind === 'unmovable') add('UNMOVABLE_INTERFACE', { detail, needsHuman: true });
    if (where.kind === 'split') add('SPLIT', { detail, needsHuman: true });
    if (where.kind === 'on-nothing' && !stranded)
      add('DETACHED_BY_OTHERS', {
        detail,
        commands: attachCommands(service, where, service.lastSeen?.holder),
        needsHuman: true,
      });
    if (where.kind === 'together' && !declaration.members.some((each) => each.instance === where.holder))
      add('MOVED_BY_OTHERS', {
        detail: `${where.holder} is not a member of the service`,
        wayOut: 'move them to a member, or declare it as one and register again',
        needsHuman: true,
      });
    else if (where.kind === 'together' && !stranded && lastSeen && lastSeen.holder !== where.holder)
      add('MOVED_BY_OTHERS', {
        detail: `found on ${where.holder}, last seen on ${lastSeen.holder}: the next look records it`,
        commands: [say(`adopt ${name} ${because}`)],
        needsHuman: true,
      });
    const isHeard = holderHealth && isSignalDeclared(service, holderHealth);
    if (hasFailed && !isHeard) add('SIGNAL_NOT_DECLARED', { detail: holderHealth.why, needsHuman: true });
    if (service.lastRefusal?.startsWith('GRACE_PERIOD'))
      add('GRACE_PERIOD', {
        detail: reasons.GRACE_PERIOD.meaning,
        commands: [say(`ack ${name} ${because}`)],
        needsHuman: true,
      });
  }
  // Chosen or tripped on purpose; but once the holder has failed it is what keeps the service down.
  const needsHuman = hasFailed;
  if (status.isPaused && pause)
    add('PAUSED', {
      detail: `by ${pause.author}: ${pause.reason}`,
      commands: [say(`resume ${name} ${because}`)],
      needsHuman,
    });
  if (status.controllerPaused)
    add('CONTROLLER_PAUSED', {
      detail: `by ${controller.pause?.author}: ${controller.pause?.reason}`,
      commands: [say(`resume --all ${because}`)],
      needsHuman,
    });
  if (declaration.policy.mode === 'observe')
    add('OBSERVE_ONLY', {
      detail: 'the service is in mode observe: it says what it would do, and moves nothing',
      wayOut: 'switch it on',
      commands: [say(`mode ${name} act ${because}`)],
      needsHuman,
    });
  if (status.braked)
    add('BRAKE', {
      detail: `so many services of ${zone} failed at once that the monitoring is under suspicion`,
      commands: [say(`ack --zone ${zone} ${because}`)],
      needsHuman: true,
    });
  const recent = spentOf(service, false, nowMs);
  if (recent >= declaration.policy.budgetPerHour)
    add('BUDGET_SPENT', {
      detail: `${recent} failovers within the hour, ${declaration.policy.budgetPerHour} allowed`,
      commands: [say(`ack ${name} ${because}`)],
      needsHuman: true,
    });
  if (!episode && !eligible)
    add('NO_ELIGIBLE_STANDBY', {
      detail: standbys.length > 0 ? 'no standby may take the interfaces' : 'the service has no standby',
      ...(standbys.length === 0 && { wayOut: 'declare a second member and register again' }),
      needsHuman:
        hasFailed ||
        !standbys.some((each) => each.refusals.every((refusal) => endsByItself(service, refusal))),
    });
  const failed = holderHasFailed(status, found.length > 0, nowMs);
  return failed ? [failed, ...found] : found;
}

export function toServiceView(status: Status, say: Say): ServiceView {
  const { service, where, holderHealth, nowMs } = status;
  const { declaration, episode, stranded, request, pause } = service;
  const hindrances = hindrancesOf(status, say);
  const sinceMs = holderHealth?.kind === 'failed' ? holderHealth.sinceMs : undefined;
  const lastStep = episode?.steps.at(-1);
  return {
    service: service.name,
    description: declaration.description ?? null,
    ready: hindrances.length === 0,
    needsHuman: hindrances.some((each) => each.needsHuman),
    mode: declaration.policy.mode,
    availabilityZone: service.facts.availabilityZone,
    whereabouts: { kind: where.kind, detail: describe(where) },
    holder:
      where.kind === 'together'
        ? {
            instance: where.holder,
            health: holderHealth?.kind ?? 'unknown',
            why: holderHealth && holderHealth.kind !== 'healthy' ? holderHealth.why : null,
            since: sinceMs === undefined ? null : isoOf(sinceMs),
          }
        : null,
    standbys: status.standbys.map(({ member, refusals }) => ({
      instance: member,
      eligible: refusals.length === 0,
      refusals: refusals.map((refusal) => ({
        code: refusal.code,
        detail: refusal.detail,
        wayOut: memberReasons[refusal.code].wayOut,
        commands: commandsFor(refusal, service, say),
      })),
    })),
    interfaces: declaration.interfaces,
    around: aroundTheMove(declaration),
    hindrances,
    pause: pause ? toPauseView(pause, nowMs) : null,
    // That of a former member is kept for the day on which it is named again.
    quarantine: Object.entries(service.quarantine)
      .filter(([instance]) => declaration.members.some((each) => each.instance === instance))
      .map(([instance, { sinceMs: fromMs, why }]) => ({
        instance,
        since: isoOf(fromMs),
        why,
        ends: endsByItself(service, { member: instance, code: 'QUARANTINED', detail: why })
          ? 'when acknowledged, or healthy and ready for a while'
          : 'when acknowledged',
      })),
    request: request
      ? { kind: request.kind, target: request.target, author: request.author, at: isoOf(request.atMs) }
      : null,
    episode: episode
      ? {
          id: episode.id,
          kind: episode.kind,
          state: episode.state,
          openedAt: isoOf(episode.openedAtMs),
          source: episode.plan.source ?? null,
          target: episode.plan.target,
          evidence: episode.evidence,
          lastStep: lastStep ? [lastStep.step, lastStep.eni].filter(Boolean).join(' ') : null,
        }
      : null,
    stranded: stranded ? { since: isoOf(stranded.sinceMs), why: stranded.why, tries: stranded.tries } : null,
    failback: {
      byItself: declaration.policy.failback !== 'manual',
      movedBy: service.movedBy ?? null,
      suspended: service.failbackSuspended
        ? {
            since: isoOf(service.failbackSuspended.sinceMs),
            why: service.failbackSuspended.why,
            command: say(`ack ${service.name} ${because}`),
          }
        : null,
    },
    lastRefusal: service.lastRefusal ?? null,
    lastObserved: service.lastObserved ?? null,
    noticesWaiting: service.outbox.length,
    trail: { records: service.trail.next - 1, head: service.trail.head },
  };
}

/** What becomes of the way back by itself; nothing where the service is not one that goes back. */
export function failbackLines({ failback, holder }: ServiceView, nowMs: number): Line[] {
  if (!failback) return [];
  const { byItself, movedBy, suspended } = failback;
  const line = (text: string): Line => ({ label: 'failback', text });
  if (suspended) {
    const since = ago(Date.parse(suspended.since), nowMs);
    const text = `SUSPENDED since ${since}: ${suspended.why}; not by itself until acknowledged`;
    return [{ ...line(text), style: 'yellow' }];
  }
  if (!byItself || !holder) return [];
  switch (movedBy) {
    case 'failover':
      return [line('by itself, once the preferred member has been eligible for as long as declared')];
    case 'failback':
      return [line('the last move was one: it went back by itself')];
    case null:
      return [line("not by itself now: the last move was no failover of the controller's own")];
  }
}

/** A service whose item cannot be understood: nothing is known of it, and nothing is done for it. */
export const unreadableView = (service: string, why: string, say: Say): ServiceView => ({
  service,
  description: null,
  ready: false,
  needsHuman: true,
  mode: null,
  availabilityZone: null,
  whereabouts: null,
  holder: null,
  standbys: [],
  interfaces: [],
  around: [],
  hindrances: [
    {
      code: 'MALFORMED_STATE',
      detail: why,
      wayOut: reasons.MALFORMED_STATE.wayOut,
      commands: [say('register <file.yaml>')],
      needsHuman: true,
    },
  ],
  pause: null,
  quarantine: [],
  request: null,
  episode: null,
  stranded: null,
  failback: null,
  lastRefusal: null,
  lastObserved: null,
  noticesWaiting: 0,
  trail: { records: 0, head: '' },
});
