/** One service as a person and a program see it: where it is, who could take it, and what stands in the way. Pure. */
import { type Ahead, planFrom } from '../shared/app/plan-ahead.ts';
import type { Status } from '../shared/app/status.ts';
import { aroundTheMove, type Declared } from '../shared/core/around-the-move.ts';
import { toCommand } from '../shared/core/aws-commands.ts';
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
import { ago, isoOf, type Line, type Style, spanOf, timeOf } from './output.ts';

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

/**
 * How it is, in the order in which a person has to know. `moving`: an episode is open. `down`: addresses answer nobody.
 * `failed`: it is all on an instance that has failed.
 */
export type ServiceStanding = 'moving' | 'down' | 'failed' | 'not-ready' | 'ready';

/** The JSON of one service. Absent is null, never a missing key. Times are ISO 8601 in UTC. */
export interface ServiceView {
  readonly service: string;
  readonly description: string | null;
  readonly state: ServiceStanding;
  /** The same for people, in one sentence. */
  readonly headline: string;
  /** A failover would happen now if the holder failed. */
  readonly ready: boolean;
  readonly needsHuman: boolean;
  readonly mode: 'act' | 'observe' | null;
  readonly availabilityZone: string | null;
  readonly whereabouts: {
    readonly kind: Whereabouts['kind'];
    readonly detail: string;
    /** Who has the rest of them, where some are on nothing. */
    readonly beside: InstanceId | null;
  } | null;
  readonly holder: {
    readonly instance: InstanceId;
    readonly health: 'healthy' | 'failed' | 'unknown';
    readonly why: string | null;
    readonly since: string | null;
    /** When it is moved, where it has failed and nothing forbids that. */
    readonly movedWhen: string | null;
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
  readonly stranded: {
    readonly since: string;
    readonly why: string;
    readonly tries: number;
    /** Whom the next look tries first; null where nothing can be tried, or is being tried now. */
    readonly next: InstanceId | null;
    /** The episode on record that left it so, and what each member that it tried refused for; once that was read. */
    readonly episode: string | null;
    readonly refused: readonly { readonly instance: string; readonly why: string }[];
  } | null;
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

export const because = "--reason '...'";

function commandsFor({ member, code, detail }: MemberRefusal, service: Service, say: Say): readonly string[] {
  // While it is being moved, or stranded, no change of the members is taken.
  const isBusy = service.episode !== undefined || service.stranded !== undefined;
  const replace = isBusy ? [] : [say(`member replace ${service.name} ${member} i-... ${because}`)];
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
    .map((slot) => toCommand({ do: 'attach', instance: to, ...slot }, ''));
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

const atNextLook = 'at the next look (within a minute)';
const lookAtLogs = "look at the functions' logs and the dead-letter queues";

/** When a holder that has failed is moved, if nothing forbids it. */
function movedWhen(
  { certain, sinceMs }: Health & { kind: 'failed' },
  confirmMs: number,
  nowMs: number,
): string {
  const leftMs = confirmMs - (sinceMs === undefined ? 0 : nowMs - sinceMs);
  return certain || leftMs <= 0 ? atNextLook : `on an alarm, or in ${spanOf(leftMs)}`;
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
  const soon = `wait: it is moved ${movedWhen(holderHealth, confirm, nowMs)}`;
  return {
    code: 'HOLDER_FAILED',
    detail: why,
    wayOut: isForbidden
      ? 'end what else is listed here'
      : isOverdue
        ? `it should have been moved by now: ${lookAtLogs}`
        : // Since when an instance is gone, EC2 does not say: nobody can tell that it is overdue.
          `${soon}${certain ? `; if it is not, ${lookAtLogs}` : ''}`,
    commands: [],
    needsHuman: isForbidden || isOverdue,
  };
}

/** On nothing because whoever had them has failed: brought back by itself, or kept from it by what else is found. */
function leftByTheDead({ detail }: { readonly detail: string }, { target }: Ahead): Hindrance {
  return {
    code: 'HOLDER_FAILED',
    detail: `${detail}: whoever had them has failed`,
    wayOut: target
      ? `wait: they are brought to ${target} ${atNextLook}; if they are not, ${lookAtLogs}`
      : 'end what else is listed here',
    commands: [],
    needsHuman: target === undefined,
  };
}

/** What ends being stranded, as far as the item and one look tell. */
function strandedWayOut({ service, where, standbys }: Status, { target }: Ahead): string {
  if (service.episode) return 'wait: it is being tried again now';
  if (where.kind === 'together') return `wait: all are on ${where.holder} again, the next look records it`;
  if (target) return `end what the members refuse for; it is tried again ${atNextLook}, with ${target} first`;
  const isAnyEligible = standbys.some((each) => each.refusals.length === 0);
  return isAnyEligible ? 'end what else is listed here' : reasons.STRANDED.wayOut;
}

function hindrancesOf(status: Status, ahead: Ahead, say: Say): Hindrance[] {
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
  if (stranded) {
    const attach = episode ? [] : attachCommands(service, where, eligible);
    // Nobody should have to work against the controller, which tries again by itself.
    const isOwn = attach.length === 0 || status.isPaused;
    const byHand = isOwn ? attach : [say(`pause ${name} --for 1h --reason 'by hand'`), ...attach];
    const isMended =
      where.kind === 'together' && declaration.members.some((each) => each.instance === where.holder);
    add('STRANDED', {
      detail: stranded.why,
      wayOut: strandedWayOut(status, ahead),
      commands: byHand,
      needsHuman: !isMended,
    });
  }
  // In the middle of a move the interfaces are bound to be somewhere else.
  if (!episode) {
    const detail = describe(where);
    if (where.kind === 'unknown') add('UNKNOWN_STATE', { detail });
    if (where.kind === 'unmovable') add('UNMOVABLE_INTERFACE', { detail, needsHuman: true });
    if (where.kind === 'split') add('SPLIT', { detail, needsHuman: true });
    if (where.kind === 'on-nothing' && !stranded) {
      const isByOthers = ahead.reasons.some((each) => each.code === 'DETACHED_BY_OTHERS');
      const attach = attachCommands(service, where, lastSeen?.holder);
      if (ahead.wouldMove) found.push(leftByTheDead({ detail }, ahead));
      else if (isByOthers)
        add('DETACHED_BY_OTHERS', {
          detail,
          wayOut: 'attach them all to one member by hand, then adopt',
          commands: [...attach, say(`adopt ${name} ${because}`)],
          needsHuman: true,
        });
      // Not to whom they were taken from.
      else
        found.push({
          ...leftByTheDead({ detail }, ahead),
          commands: attachCommands(service, where, eligible),
        });
    }
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

function standingOf(
  { service, where, holderHealth }: Status,
  hindrances: readonly Hindrance[],
): ServiceStanding {
  if (service.episode) return 'moving';
  // All on one instance, it is whole again, and the next look says so.
  if (where.kind === 'on-nothing' || (service.stranded && where.kind !== 'together')) return 'down';
  if (holderHealth?.kind === 'failed') return 'failed';
  return hindrances.length === 0 ? 'ready' : 'not-ready';
}

/** From where to where it is being moved; nothing holds what a rescue brings back. */
export const movementOf = ({ kind, source, target }: NonNullable<ServiceView['episode']>) =>
  `${(kind === 'rescue' ? undefined : source) ?? 'nothing'} → ${target}`;

/** Addresses answer nobody: since when, or why. */
function downText({ service, where }: Status, hindrances: readonly Hindrance[]): string {
  if (service.stranded) return `DOWN (STRANDED) since ${timeOf(service.stranded.sinceMs)}`;
  const [first] = hindrances;
  const isPartly = where.kind === 'on-nothing' && where.beside !== undefined;
  return isPartly
    ? `PARTLY DOWN (${first?.code}): some of its addresses answer nobody`
    : `DOWN (${first?.code}), on nothing: its addresses answer nobody`;
}

/** How a service is, in one sentence that changes only when that does. */
function headlineOf(
  status: Status,
  state: ServiceStanding,
  hindrances: readonly Hindrance[],
  episode: ServiceView['episode'],
): string {
  const needsHuman = hindrances.some((each) => each.needsHuman);
  const human = needsHuman ? ', needs a human' : '';
  switch (state) {
    case 'moving':
      return `is being moved now${episode ? `, ${movementOf(episode)}` : ''}${human}`;
    case 'down':
      return downText(status, hindrances);
    case 'failed': {
      const why = status.holderHealth?.kind === 'failed' ? `: ${status.holderHealth.why}` : '';
      return `the holder has FAILED${why}${needsHuman ? '; it is NOT moved, needs a human' : ''}`;
    }
    case 'ready':
      return 'ready for a failover';
    case 'not-ready':
      return `${needsHuman ? 'NOT' : 'not'} ready for a failover${human}`;
  }
}

export function toServiceView(status: Status, say: Say): ServiceView {
  const { service, where, holderHealth, nowMs } = status;
  const { declaration, episode, stranded, request, pause } = service;
  const ahead = planFrom(status);
  const hindrances = hindrancesOf(status, ahead, say);
  const sinceMs = holderHealth?.kind === 'failed' ? holderHealth.sinceMs : undefined;
  const lastStep = episode?.steps.at(-1);
  const shownEpisode = episode
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
    : null;
  const state = standingOf(status, hindrances);
  const needsHuman = hindrances.some((each) => each.needsHuman);
  const isMoved = state === 'failed' && !needsHuman && holderHealth?.kind === 'failed';
  return {
    service: service.name,
    description: declaration.description ?? null,
    state,
    headline: headlineOf(status, state, hindrances, shownEpisode),
    ready: hindrances.length === 0,
    needsHuman,
    mode: declaration.policy.mode,
    availabilityZone: service.facts.availabilityZone,
    whereabouts: {
      kind: where.kind,
      detail: describe(where),
      beside: where.kind === 'on-nothing' ? (where.beside ?? null) : null,
    },
    holder:
      where.kind === 'together'
        ? {
            instance: where.holder,
            health: holderHealth?.kind ?? 'unknown',
            why: holderHealth && holderHealth.kind !== 'healthy' ? holderHealth.why : null,
            since: sinceMs === undefined ? null : isoOf(sinceMs),
            movedWhen: isMoved ? movedWhen(holderHealth, declaration.policy.confirm, nowMs) : null,
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
    episode: shownEpisode,
    stranded: stranded
      ? {
          since: isoOf(stranded.sinceMs),
          why: stranded.why,
          tries: stranded.tries,
          next: (!episode && ahead.stranded && ahead.target) || null,
          episode: null,
          refused: [],
        }
      : null,
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

export function standingStyle({ state, needsHuman }: ServiceView): Style {
  if (state === 'ready') return 'green';
  return needsHuman || state === 'down' || state === 'failed' ? 'red' : 'yellow';
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
  state: 'not-ready',
  headline: 'NOT ready for a failover, needs a human',
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
