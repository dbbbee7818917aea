/** The end of an episode as people read it. Pure. */
import { byHand } from '../core/by-hand.ts';
import { type Episode, type Outcome, outcomes, type StageMark } from '../core/episode.ts';
import { gapOf } from '../core/gap.ts';
import type { EniId, InstanceId } from '../core/ids.ts';
import type { NoticeFacts } from '../core/notice.ts';
import type { Fact, InterfaceFact } from '../core/observation.ts';
import { type ReasonCode, reasons } from '../core/reasons.ts';
import { runbookFor } from '../core/runbook.ts';
import type { Declaration } from '../core/service.ts';
import type { ServiceState } from '../core/state.ts';
import { waysOut, whereOf } from '../core/unblock.ts';
import type { Ending } from './ending.ts';

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
    ...(code ? waysOut(code, whereOf(state)) : []),
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
export function withSuspension(told: Omit<NoticeFacts, 'trail'>, why: string): Omit<NoticeFacts, 'trail'> {
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
