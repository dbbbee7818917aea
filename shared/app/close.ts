/** Ends an episode: what it leaves behind in the service's item, its record for the trail, and its notice. */
import { byHand } from '../core/by-hand.ts';
import { candidates } from '../core/eligibility.ts';
import {
  type Episode,
  isAskedFor,
  isPlannedMove,
  type Outcome,
  outcomes,
  type StageMark,
} from '../core/episode.ts';
import { movedByAfter, suspendsFailback } from '../core/failback.ts';
import { gapOf } from '../core/gap.ts';
import type { AttachmentId, EniId, InstanceId } from '../core/ids.ts';
import { type NoticeFacts, type Severity, toNotice } from '../core/notice.ts';
import {
  attachmentOf,
  type Fact,
  healthOf,
  type InterfaceFact,
  memberOf,
  type Observation,
} from '../core/observation.ts';
import { type ReasonCode, reasons } from '../core/reasons.ts';
import { runbookFor } from '../core/runbook.ts';
import type { Declaration } from '../core/service.ts';
import { mayGoBack, mayHaveFailed } from '../core/stages.ts';
import type { ServiceState } from '../core/state.ts';
import { times } from '../core/times.ts';
import { unblocking } from '../core/unblock.ts';
import { deliver } from './deliver.ts';
import type { Journal, Written } from './journal.ts';
import type { MoveEnd } from './move.ts';
import type { Ports } from './ports.ts';
import { freezeThrough, withEntry } from './record.ts';
import type { StagesEnd } from './stages.ts';

/** How an episode ends, once a move has come to rest or was never begun. */
export interface Ending {
  readonly outcome: Outcome;
  readonly why: string;
  readonly severity: Severity;
  /** The interfaces at the end; empty when nothing was begun. */
  readonly facts: ReadonlyMap<EniId, Fact<InterfaceFact>>;
  /** Nothing was issued by anyone: only whoever opened the episode can know that. */
  readonly untouched: boolean;
  /** Attachments that a look has shown: only those are certainly gone when they are not there any more. */
  readonly seen: ReadonlySet<AttachmentId>;
  /** EC2 or an application's alarm says that the source failed: it stays out until it is cleared. */
  readonly sourceFailed: boolean;
  /** What is wrong, without what differs from one try to the next: the same is not told twice. */
  readonly trouble?: string;
  /** A hook called the move back: no member has refused anything. */
  readonly calledBack?: true;
}

/** The end of an episode in which no worker of ours moved anything. */
export const callOff = (
  outcome: 'ABORTED' | 'REFUSED',
  why: string,
  severity: Severity,
  observation: Observation,
  untouched: boolean,
): Ending => ({
  outcome,
  why,
  severity,
  facts: observation.interfaces,
  untouched,
  seen: new Set(),
  sourceFailed: false,
});

/** The outcome of a move that came to rest or stopped (P18, P20, P22). */
export function toEnding(
  episode: Episode,
  end: Extract<MoveEnd, { last: unknown }>,
  observation: Observation,
): Ending {
  const { kind } = episode;
  const { plan, seen, acted } = end;
  const health = plan.source ? healthOf(memberOf(observation, plan.source)).kind : 'unknown';
  const ending = (outcome: Outcome, why: string, severity: Severity): Ending => ({
    outcome,
    why,
    severity,
    facts: end.last.facts,
    untouched: false,
    seen,
    // A planned move accuses nobody, unless it came to leaving a source that had failed.
    sourceFailed:
      kind === 'failover' || (health === 'failed' && (kind === 'rescue' || plan.detach === 'force')),
  });
  if (end.kind !== 'resting')
    return ending(end.kind === 'stranded' ? 'STRANDED' : 'NEEDS_HUMAN', end.why, 'critical');
  if (plan.source === plan.target && !(kind === 'rescue' && health === 'healthy'))
    return ending('RETURNED_TO_SOURCE', 'no other member took the interfaces', 'critical');
  if (healthOf(memberOf(observation, plan.target)).kind === 'failed')
    return ending('ATTACHED', `${plan.target} itself has failed`, 'critical');
  if (!acted || plan.interfaces.every((each) => each.ours.length === 0))
    return ending('NOTHING_TO_DO', `the interfaces were on ${plan.target} already`, 'info');
  return ending('COMPLETED', episode.evidence, kind === 'failover' || kind === 'rescue' ? 'warning' : 'info');
}

/**
 * The end of an episode whose fence or `before` hook failed: nothing was detached yet, or, where a rescue went on to
 * another member, nothing is detached from it or attached any more.
 */
export function stoppedBefore(
  { kind, plan }: Episode,
  { why, trouble }: Pick<Extract<StagesEnd, { why: string }>, 'why' | 'trouble'>,
  observation: Observation,
): Ending {
  const holders = plan.interfaces.map(({ eni }) => {
    const attachment = attachmentOf(observation, eni);
    return attachment?.status === 'attached' ? attachment.instanceId : undefined;
  });
  const isWhole = holders.every((each) => each !== undefined && each === holders[0]);
  return {
    // A rescue that is not carried out leaves what it came for: on nothing, or on two members (S14).
    outcome: isWhole && kind !== 'rescue' ? 'NEEDS_HUMAN' : 'STRANDED',
    why,
    trouble,
    severity: 'critical',
    facts: observation.interfaces,
    // No detach precedes the first rung's: only one of an earlier rung can still come late (P15).
    untouched: plan.tried.length <= 1,
    seen: new Set(),
    sourceFailed: kind === 'failover',
  };
}

/** Back on the source because a `before` hook wanted that, not because no other member took the interfaces (P39). */
export const calledBack = (ending: Ending, why: string | undefined): Ending =>
  why !== undefined && ending.outcome === 'RETURNED_TO_SOURCE'
    ? { ...ending, why, calledBack: true }
    : ending;

/** Every interface rests, but an `after` hook failed or nothing answers: a person is called. */
export const notServing = (ending: Ending, why: string): Ending =>
  ending.outcome === 'COMPLETED'
    ? { ...ending, outcome: 'ATTACHED', why, severity: 'critical' }
    : { ...ending, why: `${ending.why}; ${why}` };

/** In this episode, or in one before it that left the service stranded: what its rescues go by (P26). */
const hasSourceFailed = (state: ServiceState, { kind, plan, stages }: Episode, ending: Ending) =>
  ending.sourceFailed ||
  plan.detach === 'force' ||
  stages?.['fence'] !== undefined ||
  (!isPlannedMove(kind) && mayHaveFailed(state));

/** Why and since when a source is out. A rescue finds what failed before it, and its tries leave no record to name. */
function quarantineOf(
  source: InstanceId,
  { quarantine }: ServiceState,
  { kind, id, evidence }: Episode,
  { sourceFailed }: Ending,
  nowMs: number,
) {
  if (kind !== 'rescue')
    return { sinceMs: nowMs, why: `${sourceFailed ? 'failed' : 'given up'} in ${id}: ${evidence}` };
  const known = quarantine[source];
  const isLasting = known !== undefined && known.untilMs === undefined;
  return isLasting ? known : { sinceMs: nowMs, why: 'failed still when its service was rescued' };
}

const bounded = <T>(list: readonly T[], most: number) => [...new Set(list)].slice(-most);

/** What the end of an episode changes in the item, beside its record. Pure. */
export function afterwards(
  state: ServiceState,
  episode: Episode,
  ending: Ending,
  nowMs: number,
): ServiceState {
  const { plan } = episode;
  const { outcome, facts, seen } = ending;
  // After every episode the preferred member's time counts anew: what was just given up is not tried again at once.
  const { preferredSinceMs: _______, movedBy: ________, ...timeless } = state;
  const { episode: _, lease: __, request: ___, stranded, unfencedAtMs: ____, ...kept } = timeless;

  const gone: AttachmentId[] = [];
  const late: AttachmentId[] = [];
  const attachments: Record<string, AttachmentId> = {};
  let resting = 0;
  for (const planned of plan.interfaces) {
    const fact = facts.get(planned.eni);
    const attachment = fact?.kind === 'known' ? fact.value.attachment : undefined;
    const isResting = attachment?.instanceId === plan.target && attachment.status === 'attached';
    if (attachment) attachments[planned.eni] = attachment.id;
    if (isResting) resting += 1;
    const named = [...(planned.detach ? [planned.detach] : []), ...planned.ours];
    for (const id of named) {
      const isCurrent = id === attachment?.id;
      const rests = isResting && (planned.ours.includes(id) || plan.source !== plan.target);
      if (fact?.kind === 'known' && !isCurrent && (id === planned.detach || seen.has(id))) gone.push(id);
      else if (!ending.untouched && (isCurrent ? !rests : fact?.kind !== 'known')) late.push(id);
    }
  }
  // Whatever the outcome is called: this is where the interfaces are, and the next look must not be surprised.
  const hasMoved = resting === plan.interfaces.length && outcome !== 'ABORTED' && outcome !== 'REFUSED';
  // Called back before anything was detached, a service has not moved: its alarms need no grace (P33).
  const isAnew = hasMoved && plan.interfaces.some((each) => attachments[each.eni] !== each.detach);
  const { lastRefusal: _____, lastObserved: ______, ...forgotten } = kept;
  const rest = hasMoved ? forgotten : kept;

  // However it ended: a source that failed stays out until it is cleared, unless the interfaces are back on it.
  const isBack = hasMoved && plan.source === plan.target;
  const isOut = ending.sourceFailed || (hasMoved && isAnnounced(episode));
  const failed = isOut && !isBack ? plan.source : undefined;
  // Back on the source: those that refused are not asked again at once, each try is an outage of its own.
  const isRefused = outcome === 'RETURNED_TO_SOURCE' && !ending.calledBack;
  const refusing = isRefused ? plan.tried.filter((id) => id !== plan.source) : [];
  const refusal = {
    sinceMs: nowMs,
    why: `refused the interfaces in ${episode.id}`,
    untilMs: nowMs + times.refusedQuarantineMs,
  };
  const counted = episode.kind === 'failover' && !['ABORTED', 'REFUSED', 'NOTHING_TO_DO'].includes(outcome);
  const isUnfenced = counted && ending.trouble?.startsWith('FENCE_FAILED') === true;
  const recently = (atMs: number) => nowMs - atMs < times.budgetWindowMs;
  const unfencedAtMs = [
    ...(hasMoved ? [] : (state.unfencedAtMs ?? []).filter(recently)),
    ...(isUnfenced ? [nowMs] : []),
  ];
  const mayDetach = [...state.mayDetach, ...late].filter((id) => !gone.includes(id));
  const end = { outcome, hasMoved, sourceFailed: ending.sourceFailed };
  const movedBy = movedByAfter(state, episode, end);
  const suspended = suspendsFailback(state, episode, end);
  return {
    ...rest,
    detached: bounded([...state.detached, ...gone], 60),
    mayDetach: bounded(mayDetach, 60),
    ...(late.length > 0 && { mayDetachUntilMs: nowMs + times.lateEffectMs }),
    ...(hasMoved && { lastSeen: { holder: plan.target, attachments } }),
    ...(isAnew && { lastMoveAtMs: nowMs }),
    ...(movedBy && { movedBy }),
    ...(suspended !== undefined && { failbackSuspended: { sinceMs: nowMs, why: suspended } }),
    quarantine: {
      ...state.quarantine,
      ...(failed && { [failed]: quarantineOf(failed, state, episode, ending, nowMs) }),
      ...Object.fromEntries(refusing.map((id) => [id, refusal])),
    },
    failoversAtMs: [...state.failoversAtMs.filter(recently), ...(counted && !isUnfenced ? [nowMs] : [])],
    ...(unfencedAtMs.length > 0 && { unfencedAtMs }),
    ...(outcome === 'STRANDED' && {
      stranded: {
        sinceMs: stranded?.sinceMs ?? nowMs,
        plan,
        why: ending.why,
        tries: (stranded?.tries ?? 0) + 1,
        ...(!mayGoBack(state) && { promoted: true }),
        sourceFailed: hasSourceFailed(state, episode, ending),
      },
    }),
    ...(stranded && !hasMoved && outcome !== 'STRANDED' && { stranded }),
  };
}

/** AWS will take the source away: it is no standby any more. */
const isAnnounced = (episode: Episode) => isPlannedMove(episode.kind) && !isAskedFor(episode);

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;

/** A stage that ended it says so with its reason code first. */
function reasonIn(why: string): ReasonCode | undefined {
  const code = why.replace(/:.*$/s, '');
  return Object.hasOwn(reasons, code) ? (code as ReasonCode) : undefined;
}

function spellMark({ begunAtMs, endedAtMs, end, output }: StageMark): string {
  const took = endedAtMs === undefined ? '' : ` after ${seconds(endedAtMs - begunAtMs)}`;
  return `${end ?? 'begun, not ended'}${took}${output ? `: ${output}` : ''}`;
}

/** Where an interface is at the end. */
function spellPlace(fact: Fact<InterfaceFact> | undefined): string {
  if (fact?.kind !== 'known') return fact?.kind === 'absent' ? 'gone' : 'not known';
  const { attachment, status } = fact.value;
  return attachment ? `${attachment.status} ${attachment.instanceId}` : `on nothing, ${status}`;
}

/** The hooks that were begun for a move that was not carried out, and that nobody has undone (P39). */
function notUndone({ stages = {} }: Episode): readonly string[] {
  const ids = Object.keys(stages).filter(
    (id) => id.includes('/before.') && stages[id.replace('/before.', '/undo.')]?.end !== 'done',
  );
  return [...new Set(ids.map((id) => id.slice(id.indexOf('/') + 1)))].toSorted();
}

/**
 * Where a person would bring the interfaces: beside those that rest, else where they were meant to go. A source that
 * has failed is the last place, and so is a member that was tried before.
 */
function placeByHand({ plan }: Episode, { facts, sourceFailed }: Ending, left: readonly InstanceId[]) {
  const { source, target, tried } = plan;
  const isGood = (id: InstanceId) => id !== source || !sourceFailed;
  const resting = [...facts.values()].flatMap((fact) =>
    fact.kind === 'known' && fact.value.attachment?.status === 'attached'
      ? [fact.value.attachment.instanceId]
      : [],
  );
  return [...resting, target, ...left, ...tried].find(isGood) ?? target;
}

/** A rescue takes nothing away from anybody: its source is who had it last. */
const spellSource = ({ kind, plan: { source } }: Episode) =>
  kind !== 'rescue' ? (source ?? 'nothing') : source ? `nothing, last on ${source}` : 'nothing';

/** The interfaces are where the plan wanted them in the end. */
const hasArrived: ReadonlySet<Outcome> = new Set([
  'COMPLETED',
  'ATTACHED',
  'NOTHING_TO_DO',
  'RETURNED_TO_SOURCE',
]);

/** What ends a reason, and the command for it where one is enough. */
const waysOut = (code: ReasonCode, { name, facts }: ServiceState) => [
  reasons[code].wayOut,
  ...[unblocking(code, { name, zone: facts.availabilityZone }) ?? []].flat(),
];

/** The end of an episode as people read it. */
export function toFacts(
  state: ServiceState,
  { signals, serving }: Pick<Declaration, 'signals' | 'serving'>,
  episode: Episode,
  ending: Ending,
  left: readonly InstanceId[],
  nowMs: number,
): Omit<NoticeFacts, 'trail'> {
  const { plan, kind } = episode;
  const { source, target } = plan;
  const { outcome } = ending;
  const gapMs = gapOf(episode.steps);
  const headlines: Record<Outcome, string> = {
    COMPLETED: `${kind} to ${target} done`,
    ATTACHED: `attached to ${target}, but not serving`,
    NOTHING_TO_DO: 'nothing to do, already in place',
    ABORTED: `${kind} called off, nothing was moved`,
    REFUSED: `${kind} refused, nothing was moved`,
    RETURNED_TO_SOURCE: `back on ${source ?? 'its source'}, ${ending.calledBack ? 'a hook called it back' : 'nothing else took it'}`,
    STRANDED: 'STRANDED, an interface is on nothing or left behind',
    NEEDS_HUMAN: `${kind} stopped, a person is needed`,
  };
  const code = reasonIn(ending.why);
  const pending = outcome === 'NEEDS_HUMAN' ? notUndone(episode) : [];
  const isDone = outcome === 'COMPLETED' || outcome === 'NOTHING_TO_DO' || outcome === 'ABORTED';
  const next = [
    ...(code ? waysOut(code, state) : []),
    ...(isDone ? [] : [`eni-failover status ${state.name}`]),
    ...(outcome === 'COMPLETED' && kind === 'failover' && source
      ? [`repair ${source}, then: eni-failover ack ${state.name} --reason '...'`]
      : []),
    ...(outcome === 'COMPLETED' && left.length === 0 ? ['NO STANDBY IS LEFT: make one eligible'] : []),
  ];
  const alarms = [
    ...signals.alarms.map((each) => each.arn),
    ...(serving && 'alarm' in serving ? [serving.alarm] : []),
  ];
  const steps = byHand([code, outcome], {
    slots: plan.interfaces,
    attachmentOf: (eni) => {
      const fact = ending.facts.get(eni as EniId);
      return fact?.kind === 'known' ? fact.value.attachment : undefined;
    },
    source,
    target: placeByHand(episode, ending, left),
    isSourceFailed: ending.sourceFailed,
    alarms,
    sent: Object.values(episode.stages ?? {}).flatMap(({ handle, end }) =>
      handle !== undefined && end !== 'done' ? [handle] : [],
    ),
    zone: state.facts.availabilityZone,
  });
  return {
    service: state.name,
    kind: 'episode',
    outcome,
    severity: ending.severity,
    headline: headlines[outcome],
    atMs: nowMs,
    lines: [
      `From: ${spellSource(episode)}`,
      hasArrived.has(outcome) ? `To: ${target}` : `Meant for: ${plan.tried[0] ?? target}`,
      `Why: ${episode.evidence}`,
      ...(ending.why === episode.evidence ? [] : [`End: ${ending.why}`]),
      ...(gapMs === undefined ? [] : [`Detach to verified: ${seconds(gapMs)}`]),
      ...(isDone
        ? [`Interfaces: ${plan.interfaces.map((each) => each.eni).join(', ')}`]
        : plan.interfaces.map(({ eni }) => `${eni}: ${spellPlace(ending.facts.get(eni))}`)),
      ...(plan.tried.length > 1 ? [`Tried: ${plan.tried.join(', ')}`] : []),
      ...Object.entries(episode.stages ?? {})
        // The table keeps no order of its own.
        .toSorted(([, one], [, other]) => one.begunAtMs - other.begunAtMs)
        .map(([id, mark]) => `${id}: ${spellMark(mark)}`),
      ...(pending.length > 0 ? [`Not undone: ${pending.join(', ')}`] : []),
      ...(outcome === 'COMPLETED' ? [`Standbys left: ${left.join(', ') || 'none'}`] : []),
      `Episode: ${episode.id}`,
    ],
    next,
    instances: [...new Set([source, target].flatMap((id) => id ?? []))],
    enis: plan.interfaces.map((each) => each.eni),
    ...(isDone ? {} : { alarms, byHand: steps }),
    ...(code && { section: code }),
    data: {
      episodeId: episode.id,
      episodeKind: kind,
      from: source ?? null,
      to: target,
      evidence: episode.evidence,
      why: ending.why,
      meaning: outcomes[outcome].meaning,
      interfaces: plan.interfaces.map((each) => each.eni),
      standbysLeft: left,
      ...(gapMs !== undefined && { detachToVerifiedMs: gapMs }),
    },
  };
}

/** Told once, with the end that led to it: nothing else happens until somebody acknowledges. */
function withSuspension(told: Omit<NoticeFacts, 'trail'>, why: string): Omit<NoticeFacts, 'trail'> {
  const ack = `eni-failover ack ${told.service} --reason '...'`;
  return {
    ...told,
    // What else calls for a person comes first.
    ...(!runbookFor(told.section ?? told.outcome) && { section: 'FAILBACK_SUSPENDED' }),
    headline: `${told.headline}; automatic failback suspended`,
    lines: [...told.lines, `Automatic failback is suspended until acknowledged: ${why}`],
    next: [...told.next, `to let it go back by itself again: ${ack}`],
  };
}

const isToldAlready = ({ stranded }: ServiceState, { why, trouble }: Ending) =>
  stranded?.why.startsWith(trouble ?? why) === true;

/**
 * Freezes the record, its notice and the end of the episode and lease in one fenced write, then delivers (P21).
 * `lost` and `unreachable` leave the episode open for whoever comes next.
 */
export async function closeEpisode(
  ports: Ports,
  journal: Journal,
  ending: Ending,
  observation: Observation,
): Promise<Written> {
  const { clock } = ports;
  const service = journal.service();
  const { episode } = service;
  if (!episode) {
    // An earlier attempt that got no answer was written after all, by a renewal that carried it.
    await deliver(ports, service);
    return 'written';
  }
  const nowMs = clock.now();
  const { source, target } = episode.plan;
  // A member that the interfaces have left in good health can take over next.
  const isStandby = ending.outcome === 'COMPLETED' && !ending.sourceFailed && !isAnnounced(episode);
  const without = [target, isStandby ? undefined : source].flatMap((id) => id ?? []);
  const left = candidates(service, observation, without, nowMs).eligible;

  journal.note({ step: 'closed', detail: ending.outcome });
  const change = (state: ServiceState): ServiceState => {
    // Ended already, by this same change: an earlier attempt was written after all.
    const closing = state.episode;
    if (!closing) return state;
    // One more try that changed nothing is counted, not recorded and paged again (P26).
    if (ending.outcome === 'STRANDED' && isToldAlready(state, ending))
      return afterwards(state, closing, ending, nowMs);
    const after = afterwards(state, closing, ending, nowMs);
    const suspended = state.failbackSuspended ? undefined : after.failbackSuspended?.why;
    const told = toFacts(state, service.declaration, closing, ending, left, nowMs);
    const facts = suspended === undefined ? told : withSuspension(told, suspended);
    return withEntry(ports, state, {
      draft: {
        kind: 'episode',
        atMs: nowMs,
        author: closing.request?.author ?? 'eni-failover',
        outcome: ending.outcome,
        episode: closing.id,
        instances: [...new Set([closing.plan.source, ...closing.plan.tried].flatMap((id) => id ?? []))],
        enis: closing.plan.interfaces.map((each) => each.eni),
        facts: {
          why: ending.why,
          epoch: state.epoch,
          closedAt: new Date(nowMs).toISOString(),
          episode: closing,
          ...(suspended !== undefined && { failbackSuspended: suspended }),
          // Who stays out from now on, and until when at most: a year later nobody can derive it any more.
          quarantined: Object.entries(after.quarantine).flatMap(([member, { sinceMs, why, untilMs }]) =>
            sinceMs === nowMs ? [{ member, why, ...(untilMs !== undefined && { untilMs }) }] : [],
          ),
          attachedTo: Object.fromEntries(
            [...ending.facts].map(([eni, fact]) => [
              eni,
              fact.kind === 'known' ? (fact.value.attachment?.instanceId ?? null) : fact.kind,
            ]),
          ),
        },
      },
      change: () => after,
      notice: ({ number, hash }) =>
        toNotice(
          { ...facts, trail: { number, headHash: hash } },
          `${closing.id}.${ending.outcome}`,
          true,
          state,
        ),
    });
  };

  const written = await freezeThrough(ports, journal, change);
  if (written !== 'written') return written;
  await deliver(ports, journal.service());
  return 'written';
}
