/** Drills: would a failover work? Asked of EC2 by dry runs, or done there and back at a quiet hour; both on record. */
import { everyMember } from '../core/eligibility.ts';
import type { Episode, Step } from '../core/episode.ts';
import { gapIsFrom, gapOf } from '../core/gap.ts';
import type { Drill } from '../core/hint.ts';
import type { ServiceName } from '../core/ids.ts';
import { interfacesOf, type Service } from '../core/state.ts';
import { whereabouts } from '../core/whereabouts.ts';
import { maxRecords, newestRecords } from './newest-records.ts';
import { observe } from './observe.ts';
import { type By, carryOut, type Operated, refused } from './operate.ts';
import { type Obstacle, planFrom } from './plan-ahead.ts';
import type { Ports } from './ports.ts';
import { readinessOf } from './readiness.ts';
import { readService } from './record.ts';

/**
 * Why a failover would not happen now, however well it would work: paused, braked, its budget spent, and the like. What
 * stands against single members is not among it. Pure.
 */
export const hindrancesOf = (scene: Parameters<typeof planFrom>[0]): readonly Obstacle[] =>
  planFrom(scene).reasons.filter((each) => !each.member);

/**
 * Asks functions/failover for a rehearsal, for it is its role that EC2 would refuse: the result is a record of kind
 * `drill`. Answers at once what needs no dry run: who is eligible, and what
 * would forbid a failover. Throws {@link PortError} when the table or the queue
 * is out of reach: then nothing was asked for.
 */
export async function drill(ports: Ports, name: ServiceName, by: By): Promise<Operated> {
  const { clock, ids, queue, store } = ports;
  const [service, controller] = await Promise.all([readService(ports, name), store.readController()]);
  if (!service || service.tombstone) return refused('NO_SUCH_SERVICE', `${name} is not registered`);
  if (service.episode)
    return refused('EPISODE_OPEN', `episode ${service.episode.id} of ${name} is under way`);
  const observation = await observe(ports, service);
  const where = whereabouts(service, observation);
  if (where.kind === 'unknown') return refused('UNKNOWN_STATE', where.why);
  if (where.kind !== 'together')
    return refused('NOT_TOGETHER', `the interfaces of ${name} do not rest together on one instance`);
  const atMs = clock.now();
  const { notReady } = readinessOf(service, observation, atMs);
  const hindrances = hindrancesOf({ service, controller, observation, nowMs: atMs });
  const [first] = hindrances;
  const asked: Drill = { id: ids.nonce(), ...by };
  await queue.send({ service: name, hint: { kind: 'canary', atMs, drill: asked }, look: 0 }, 0);
  return {
    kind: 'done',
    detail: notReady
      ? `a failover would NOT work now: ${notReady}; the rehearsal was asked for`
      : first
        ? `a failover would NOT happen now: ${first.code}, ${first.detail}; the rehearsal was asked for`
        : 'a standby is eligible; the rehearsal was asked for',
    data: {
      drill: asked.id,
      members: everyMember(service, observation, where.holder, atMs),
      ready: notReady === undefined,
      hindrances,
    },
  };
}

/** What the trail says of an episode, as far as a drill goes by it. */
interface Told {
  readonly outcome: string;
  readonly episode: {
    readonly id: string;
    readonly kind: Episode['kind'];
    readonly request?: { readonly author: string };
    readonly steps: readonly Step[];
    readonly plan: { readonly source?: string; readonly target: string; readonly tried: readonly string[] };
  };
}

/** The ends of episodes, newest first, as far back as the first of these two, if that is not too far. */
async function endsSince(ports: Ports, service: Service, ids: readonly string[]): Promise<readonly Told[]> {
  const ends: Told[] = [];
  const missing = new Set(ids);
  for await (const { kind, body } of newestRecords(ports, service)) {
    if (kind !== 'episode') continue;
    const end = JSON.parse(body) as Told;
    ends.push(end);
    missing.delete(end.episode.id);
    if (missing.size === 0) break;
  }
  return ends;
}

/** Why these two moves were no drill, whatever came of them; undefined when they were one. */
function noDrill(one: Told, other: Told, between: number): string | undefined {
  for (const { episode } of [one, other])
    if (!episode.request || episode.request.author === 'eni-failover')
      return `${episode.id} is a ${episode.kind} that no person asked for`;
  const [there, back] = [one.episode, other.episode];
  if (between !== 0) return `${back.id} is not the episode after ${there.id}`;
  // Where the one came to rest, and where the other was to go: it may have come to rest elsewhere.
  const askedFor = back.plan.tried[0] ?? back.plan.target;
  return there.plan.target === back.plan.source && there.plan.source === askedFor
    ? undefined
    : `${back.id} does not go back the way that ${there.id} went`;
}

const legOf = ({ outcome, episode }: Told) => ({
  episode: episode.id,
  outcome,
  from: episode.plan.source ?? null,
  to: episode.plan.target,
  gapMs: gapOf(episode.steps) ?? null,
});

const spelled = ({ from, to, outcome, gapMs }: ReturnType<typeof legOf>) =>
  `${from ?? 'nothing'} to ${to}: ${outcome}, ${gapMs === null ? 'nothing moved' : `gap ${gapMs} ms`}`;

/** Records a drill there and back, from what the trail says of its two moves. */
export function recordDrill(
  ports: Ports,
  name: ServiceName,
  episodes: { readonly there: string; readonly back: string },
  by: By,
): Promise<Operated> {
  return carryOut(ports, name, by, async (service) => {
    const ends = await endsSince(ports, service, [episodes.there, episodes.back]);
    const placeOf = (id: string) => ends.findIndex(({ episode }) => episode.id === id);
    const [thereAt, backAt] = [placeOf(episodes.there), placeOf(episodes.back)];
    const [one, other] = [ends[thereAt], ends[backAt]];
    if (!one || !other) {
      const missing = one ? episodes.back : episodes.there;
      return refused(
        'NO_SUCH_EPISODE',
        `the last ${maxRecords} records of ${name} have no episode ${missing}`,
      );
    }
    const why = noDrill(one, other, thereAt - backAt - 1);
    if (why) return refused('NOT_A_DRILL', why);
    const [there, back] = [legOf(one), legOf(other)];
    const isHome = back.to === there.from;
    const isPassed = isHome && there.outcome === 'COMPLETED' && back.outcome === 'COMPLETED';
    return {
      kind: 'drill',
      outcome: isPassed ? 'DRILL_PASSED' : 'DRILL_FAILED',
      severity: isPassed ? 'info' : 'warning',
      headline: isPassed
        ? `drill passed: there in ${there.gapMs ?? 0} ms, back in ${back.gapMs ?? 0} ms`
        : 'drill FAILED: it did not go there and back',
      lines: [spelled(there), spelled(back), `Computed from ${gapIsFrom}.`, `Why: ${by.reason}`],
      facts: { reason: by.reason, there, back, computedFrom: gapIsFrom },
      notice: { reason: by.reason, there, back, computedFrom: gapIsFrom },
      instances: [...new Set([there.from, there.to, back.from, back.to])].flatMap((id) => id ?? []),
      enis: interfacesOf(service),
      data: { there, back, passed: isPassed },
      change: (state) => state,
    };
  });
}
