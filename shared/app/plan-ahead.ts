/** What would happen now, and why: the engine's own decision, taken ahead and without a single write. */
import { aroundTheMove } from '../core/around-the-move.ts';
import { decide } from '../core/decide.ts';
import type { Decision } from '../core/decision.ts';
import { everyMember, type Judged } from '../core/eligibility.ts';
import { type EpisodeKind, isPlannedMove } from '../core/episode.ts';
import type { Hint } from '../core/hint.ts';
import type { InstanceId, ServiceName } from '../core/ids.ts';
import { known, memberOf, type Observation } from '../core/observation.ts';
import {
  type CommandReasonCode,
  commandReasons,
  type MemberReasonCode,
  type MemberRefusal,
  memberReasons,
  type ReasonCode,
  reasons,
} from '../core/reasons.ts';
import {
  type ControllerState,
  emptyController,
  interfacesOf,
  isMember,
  type OperatorRequest,
  type Pause,
  type Service,
} from '../core/state.ts';
import { unblocking, whereOf } from '../core/unblock.ts';
import { whereabouts } from '../core/whereabouts.ts';
import { observe } from './observe.ts';
import { type Refused, refused } from './operate.ts';
import type { Ports } from './ports.ts';
import { readService } from './record.ts';
import { refusalOf, spellWhere } from './request.ts';

/** One thing that stands in the way, and what takes it away. */
export interface Obstacle {
  readonly code: ReasonCode | MemberReasonCode | CommandReasonCode;
  readonly detail: string;
  readonly wayOut: string;
  /** The command that takes it away, where there is one. */
  readonly command?: string;
  /** The member that it is about. */
  readonly member?: InstanceId;
}

export interface Ahead {
  readonly kind: 'plan';
  readonly service: ServiceName;
  readonly holder: InstanceId | undefined;
  readonly wouldMove: boolean;
  readonly target?: InstanceId;
  /** Every reason against it; empty if it would move. */
  readonly reasons: readonly Obstacle[];
  readonly members: readonly Judged[];
  /** What would be done, in order. */
  readonly steps: readonly { readonly step: string; readonly what: string }[];
  readonly interrupts: string;
  /** Down already: since when (ISO 8601), why, where the interfaces are, and how often it was tried. */
  readonly stranded?: {
    readonly since: string;
    readonly why: string;
    readonly where: string;
    readonly tries: number;
  };
}

interface Scene {
  readonly service: Service;
  readonly controller: ControllerState;
  readonly observation: Observation;
  readonly nowMs: number;
}

const tables = { ...commandReasons, ...memberReasons, ...reasons };

function strandedIn({ service, observation }: Scene): Ahead['stranded'] {
  const { stranded } = service;
  const where = whereabouts(service, observation);
  // All on one instance: it is whole again, and the next look says so.
  if (!stranded || where.kind === 'together') return undefined;
  const { sinceMs, why, tries } = stranded;
  return { since: new Date(sinceMs).toISOString(), why, where: spellWhere(where), tries };
}

/** What stands in the way, without the failure or the wish that the question made up. */
function detailOf({ service, controller }: Scene, code: string, detail: string): string {
  const whole = (pause: Pause) =>
    `by ${pause.author} until ${new Date(pause.untilMs).toISOString()}: ${pause.reason}`;
  if (code === 'PAUSED' && service.pause) return whole(service.pause);
  if (code === 'CONTROLLER_PAUSED' && controller.pause) return whole(controller.pause);
  const [first = detail, ...rest] = detail.split('; ');
  if (code === 'OBSERVE_ONLY') return `it ${rest.at(-1) ?? detail}`;
  return ['NOT_TAGGED', 'BRAKE', 'BUDGET_SPENT'].includes(code) ? first : detail;
}

function toObstacle(scene: Scene, code: ReasonCode | CommandReasonCode, said: string): Obstacle {
  const where = whereabouts(scene.service, scene.observation);
  const isForeign = where.kind === 'together' && !isMember(scene.service, where.holder);
  const command = unblocking(code, { ...whereOf(scene.service), isForeign });
  const detail = detailOf(scene, code, said);
  return { code, detail, wayOut: tables[code].wayOut, ...(command && { command }) };
}

function toMemberObstacle({ service }: Scene, { member, code, detail }: MemberRefusal): Obstacle {
  // An instance that is going away for good is no more than one that is gone.
  const isGone = code === 'NOT_RUNNING' && detail.endsWith('terminated');
  const command = unblocking(isGone ? 'NO_SUCH_MEMBER' : code, whereOf(service), member);
  return {
    code,
    detail,
    wayOut: memberReasons[code].wayOut,
    ...(command && { command }),
    member: member as InstanceId,
  };
}

/** The scene without the reason that was just found, so that the next one shows; undefined if nothing hides behind it. */
function without(code: string, scene: Scene): Scene | undefined {
  const { service, controller } = scene;
  switch (code) {
    case 'PAUSED': {
      const { pause: _, ...rest } = service;
      return { ...scene, service: rest };
    }
    case 'CONTROLLER_PAUSED': {
      const { pause: _, ...rest } = controller;
      return { ...scene, controller: rest };
    }
    case 'OBSERVE_ONLY': {
      const { declaration } = service;
      const policy = { ...declaration.policy, mode: 'act' as const };
      return { ...scene, service: { ...service, declaration: { ...declaration, policy } } };
    }
    case 'BRAKE':
      return { ...scene, controller: { ...controller, brakes: emptyController.brakes } };
    case 'BUDGET_SPENT': {
      const { unfencedAtMs: _, ...rest } = service;
      return { ...scene, service: { ...rest, failoversAtMs: [] } };
    }
    default:
      return undefined;
  }
}

/** The scene as it would be if the holder failed now, by a kind of signal that the service declares. */
function withFailedHolder(
  { service, observation, nowMs }: Scene,
  holder: InstanceId,
): { readonly observation: Observation; readonly hint: Hint } {
  const { statusChecks, stateChanges, alarms } = service.declaration.signals;
  const own = alarms.find(({ member = holder }) => member === holder);
  if (own && !statusChecks && !stateChanges) {
    const { arn } = own;
    const red = { arn, state: 'ALARM', transitionedAtMs: nowMs, suppressedBy: undefined } as const;
    return {
      observation: { ...observation, alarms: new Map(observation.alarms).set(arn, known(red)) },
      hint: { kind: 'alarm', alarmArn: arn, instanceIds: [], atMs: nowMs },
    };
  }
  const fact = memberOf(observation, holder);
  const hint: Hint = { kind: 'state-change', instanceId: holder, state: 'stopping', atMs: nowMs };
  if (fact.kind !== 'known') return { observation, hint };
  // Else impaired for longer than any service waits.
  const impaired = { system: 'impaired', instance: 'ok', ebs: 'ok', impairedSinceMs: 0 } as const;
  const failed = stateChanges
    ? { ...fact.value, state: 'stopping' }
    : { ...fact.value, state: 'running', checks: known(impaired) };
  const members = new Map(observation.members).set(holder, known(failed));
  return { observation: { ...observation, members }, hint };
}

interface Move {
  readonly kind: EpisodeKind;
  readonly target: InstanceId;
}

/** What would be done, or every reason against it, the first in the way first. */
interface Verdict {
  readonly move?: Move;
  readonly reasons: readonly Obstacle[];
}

/** Would it fail over if the holder failed now? */
function failoverAhead(scene: Scene): Verdict {
  const { service, controller, nowMs } = scene;
  const where = whereabouts(service, scene.observation);
  const { observation, hint } =
    where.kind === 'together'
      ? withFailedHolder(scene, where.holder)
      : { observation: scene.observation, hint: { kind: 'sweep', finding: 'plan', atMs: nowMs } as const };
  const look = Number.POSITIVE_INFINITY;
  const decision = decide({ service, controller, observation, hint, look, believed: true, nowMs });
  if (decision.kind === 'move')
    return { move: { kind: decision.episode, target: decision.plan.target }, reasons: [] };
  if (decision.kind !== 'refuse') return { reasons: [toObstacle(scene, ...codeOf(decision))] };
  const { code, detail, members } = decision;
  if (members.length > 0) return { reasons: members.map((each) => toMemberObstacle(scene, each)) };
  const next = without(code, scene);
  return { reasons: [toObstacle(scene, code, detail), ...(next ? failoverAhead(next).reasons : [])] };
}

/** Nothing but a move, and not a refusal: what it is called. */
function codeOf(
  decision: Exclude<Decision, { kind: 'move' | 'refuse' }>,
): readonly [ReasonCode | CommandReasonCode, string] {
  switch (decision.kind) {
    case 'nothing':
    case 'look-again':
    case 'record':
      return [decision.code, decision.detail];
    case 'continue':
      return ['EPISODE_OPEN', decision.why];
    case 'abort':
      return ['EPISODE_OPEN', `it will be called off: ${decision.why}`];
    case 'recovered':
      return ['UNKNOWN_STATE', `no longer stranded, all on ${decision.holder}: it is being recorded`];
    case 'keep':
      return ['HOLDER_HEALTHY', 'DeleteOnTermination is being set to false'];
  }
}

/** Every reason against a request, by control's own check. */
function requestAhead(scene: Scene, request: OperatorRequest): readonly Obstacle[] {
  const { service, controller, observation, nowMs } = scene;
  const refusal = refusalOf(service, controller, observation, request, nowMs);
  if (!refusal) return [];
  const { code, detail, data } = refusal;
  const members = (data?.['refusals'] ?? []) as readonly MemberRefusal[];
  if (members.length > 0) return members.map((each) => toMemberObstacle(scene, each));
  const next = without(code, scene);
  return [toObstacle(scene, code, detail), ...(next ? requestAhead(next, request) : [])];
}

/** Would it be moved there if somebody asked for it now? */
function switchoverAhead(scene: Scene, target: InstanceId): Verdict {
  const kind = 'switchover';
  const reason = 'what would happen';
  const reasons = requestAhead(scene, {
    id: 'plan',
    kind,
    target,
    author: 'plan',
    reason,
    atMs: scene.nowMs,
  });
  return reasons.length === 0 ? { move: { kind, target }, reasons } : { reasons };
}

/** What is done around such a move, in order. Nothing is asked of a source that has failed. */
function stepsOf(
  { declaration }: Service,
  { kind, target }: Move,
  from: InstanceId | undefined,
): Ahead['steps'] {
  const isPlanned = isPlannedMove(kind);
  const around = aroundTheMove(declaration).filter(({ step }) => {
    const hook = /^before\.(\d+)$/.exec(step);
    const declared = hook && declaration.hooks.before[Number(hook[1])];
    const isOnSource = declared && 'document' in declared && declared.on === 'source';
    return isPlanned ? step !== 'fence' : !isOnSource;
  });
  const isAhead = ({ step }: { readonly step: string }) => step === 'fence' || step.startsWith('before.');
  const enis = declaration.interfaces.map((each) => each.eni).join(', ');
  const places = declaration.interfaces.map(
    ({ eni, deviceIndex, networkCardIndex }) =>
      `${eni} at device index ${deviceIndex}${networkCardIndex > 0 ? ` of network card ${networkCardIndex}` : ''}`,
  );
  return [
    ...around.filter(isAhead),
    ...(from
      ? [{ step: 'detach', what: `${enis} from ${from}${isPlanned ? '' : ', by force if it hangs'}` }]
      : []),
    { step: 'attach', what: `${places.join(', ')} to ${target}` },
    ...around.filter((each) => !isAhead(each)),
  ];
}

/** The same, from what was read already. Pure. */
export function planFrom(scene: Scene, to?: InstanceId): Ahead {
  const { service, observation, nowMs } = scene;
  const where = whereabouts(service, observation);
  const holder = where.kind === 'together' ? where.holder : undefined;
  const { move, reasons: obstacles } = to ? switchoverAhead(scene, to) : failoverAhead(scene);
  const enis = interfacesOf(service).join(', ');
  const stranded = strandedIn(scene);
  return {
    kind: 'plan',
    service: service.name,
    holder,
    wouldMove: move !== undefined,
    ...(stranded && { stranded }),
    ...(move && { target: move.target }),
    reasons: obstacles,
    members: everyMember(service, observation, holder, nowMs),
    steps: move ? stepsOf(service, move, holder) : [],
    interrupts: move
      ? stranded
        ? 'nothing more: it is down already'
        : `the addresses of ${enis} answer nobody from the detach to the attach; connections over them may break`
      : 'nothing',
  };
}

/**
 * What would happen now: if the holder failed, or, with `to`, if a switchover there was asked for. Reads only.
 * Throws {@link PortError} when the table is out of reach.
 */
export async function planAhead(ports: Ports, name: ServiceName, to?: InstanceId): Promise<Ahead | Refused> {
  const [service, controller] = await Promise.all([readService(ports, name), ports.store.readController()]);
  if (!service || service.tombstone) return refused('NO_SUCH_SERVICE', `${name} is not registered`);
  const observation = await observe(ports, service);
  return planFrom({ service, controller, observation, nowMs: ports.clock.now() }, to);
}
