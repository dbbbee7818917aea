/** Ends an episode: what it leaves behind in the service's item, its record for the trail, and its notice. */
import { candidates } from '../core/eligibility.ts';
import { type Episode, isAskedFor, isPlannedMove } from '../core/episode.ts';
import { movedByAfter, suspendsFailback } from '../core/failback.ts';
import type { AttachmentId, InstanceId } from '../core/ids.ts';
import { toNotice } from '../core/notice.ts';
import type { Observation } from '../core/observation.ts';
import { mayGoBack, mayHaveFailed } from '../core/stages.ts';
import type { ServiceState } from '../core/state.ts';
import { times } from '../core/times.ts';
import { deliver } from './deliver.ts';
import type { Ending } from './ending.ts';
import { toFacts, withSuspension } from './episode-notice.ts';
import type { Journal, Written } from './journal.ts';
import type { Ports } from './ports.ts';
import { freezeThrough, withEntry } from './record.ts';

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
  if (known === undefined || known.untilMs !== undefined)
    return { sinceMs: nowMs, why: 'failed still when its service was rescued' };
  // Since when it is healthy is counted anew.
  return { sinceMs: known.sinceMs, why: known.why };
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
