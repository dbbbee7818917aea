/** All combinations of what `decide` can meet: whatever comes together, the promises of the product hold. */
import { beforeAll, describe, expect, it } from 'vitest';
import { decide } from '../../shared/core/decide.ts';
import type { Decision, Question } from '../../shared/core/decision.ts';
import { refusalsOf } from '../../shared/core/eligibility.ts';
import {
  type Fact,
  healthOf,
  interfaceOf,
  type MemberFact,
  memberOf,
} from '../../shared/core/observation.ts';
import { isUntouched, type Plan } from '../../shared/core/plan.ts';
import { reasons } from '../../shared/core/reasons.ts';
import { isUntouchedYet } from '../../shared/core/stages.ts';
import { interfacesOf, isPaused } from '../../shared/core/state.ts';
import { whereabouts } from '../../shared/core/whereabouts.ts';
import {
  a,
  alarm,
  askedFor,
  attachmentOf,
  b,
  type Condition,
  c,
  data,
  episodeOf,
  hints,
  minute,
  now,
  pause,
  planTo,
  red,
  request,
  type Sketch,
  seenOn,
  strandedSince,
  stranger,
  world,
  zone,
} from './world.ts';

type Axis = Readonly<Record<string, Sketch>>;

const places: Axis = {
  'together on a': {},
  'together on b': { on: b },
  'together on a stranger': { on: stranger },
  'on nothing': { on: 'nothing' },
  'half on a': { on: { data: 'nothing', admin: a } },
  'half on b': { on: { data: 'nothing', admin: b } },
  'half on a stranger': { on: { data: 'nothing', admin: stranger } },
  split: { on: { data: a, admin: b } },
  'half unread': { on: { data: a, admin: 'unread' } },
  'half gone': { on: { data: a, admin: 'gone' } },
};
const holderIs: readonly Condition[] = ['healthy', 'impaired', 'stopped', 'initializing', 'unread', 'gone'];
const standbysAre: Readonly<Record<string, NonNullable<Sketch['members']>>> = {
  'healthy standbys': {},
  'b stopped': { b: 'stopped' },
  'no standby': { b: 'stopped', c: 'checks-unread' },
};
const because: Axis = {
  'a sweep': { hint: hints.sweep },
  'a stop of a': { hint: hints.stopped(a) },
  'a status alarm on a': { hint: hints.checkAlarm(a) },
  'its own red alarm': { hint: hints.alarm('app'), alarms: { app: red(now - minute) } },
  'its own unread alarm': { hint: hints.alarm('app'), alarms: { app: 'unread' } },
  'a watchdog': { hint: hints.watchdog },
  'an announcement': { hint: hints.announcement },
  'an announcement to leave': { hint: hints.announcement, policy: { onSpotInterruption: 'switchover' } },
};
const forbidden: Axis = {
  allowed: {},
  paused: { state: { pause: pause() } },
  'controller paused': { controller: { pause: pause() } },
  observe: { policy: { mode: 'observe' } },
  braked: { controller: { brakes: { [zone]: { sinceMs: now, services: ['x'] } } } },
  'budget spent': { state: { failoversAtMs: [now, now, now] } },
};
const memory: Axis = {
  '': {},
  stranded: { state: { stranded: strandedSince() } },
  'stranded, source tried': { state: { stranded: strandedSince(planTo(a, { source: a, tried: [b, a] })) } },
  'late detach': { state: { mayDetach: [attachmentOf(data, a)] } },
  request: { state: { request: request(c) } },
  'a quarantined': { state: { quarantine: { [a]: { sinceMs: now, why: 'failed' } } } },
  'last seen on a stranger': { state: { lastSeen: seenOn(stranger) } },
  'open failover': { state: { episode: episodeOf(planTo(b, { source: a })) } },
  'open switchover': {
    state: { episode: askedFor(planTo(b, { source: a, detach: 'plain' })) },
  },
  'open announced switchover': {
    state: { episode: episodeOf(planTo(b, { source: a, detach: 'plain' }), 'switchover') },
  },
  'open failover, fence begun': {
    state: {
      episode: episodeOf(planTo(b, { source: a }), 'failover', { stages: { fence: { begunAtMs: now } } }),
    },
  },
  'open rescue': { state: { episode: episodeOf(planTo(b), 'rescue') } },
};

interface Meeting {
  readonly title: string;
  readonly q: Question;
  readonly decision: Decision | { readonly kind: 'thrown'; readonly error: unknown };
}

function decideOrThrown(q: Question): Meeting['decision'] {
  try {
    return decide(q);
  } catch (error) {
    return { kind: 'thrown', error };
  }
}

const pairs = (axis: Axis) => Object.entries(axis);
const signals = { alarms: [{ arn: alarm('app') }] };

function* meetings(): Generator<Meeting> {
  for (const [where, place] of pairs(places))
    for (const is of holderIs)
      for (const [standbys, others] of Object.entries(standbysAre))
        for (const [why, hint] of pairs(because))
          for (const [law, limit] of pairs(forbidden))
            for (const [past, known] of pairs(memory))
              for (const believed of [false, true]) {
                const state = { ...known.state, ...limit.state };
                const members = { a: is, ...others };
                const policy = { ...hint.policy, ...limit.policy };
                const q = world({ signals, ...place, ...hint, ...limit, policy, members, state, believed });
                const title = [where, is, standbys, why, law, past, believed ? 'believed' : 'seen once'].join(
                  ' | ',
                );
                yield { title, q, decision: decideOrThrown(q) };
              }
}

type Moving = Decision & { readonly kind: 'move' };
const isMove = (decision: Meeting['decision']): decision is Moving => decision.kind === 'move';
const isPlanned = (move: Moving) => move.episode === 'switchover' || move.episode === 'failback';

const membersOf = (q: Question) => q.service.declaration.members;
const refusalsFor = (q: Question, id: typeof a) => {
  const own = membersOf(q).find((each) => each.instance === id);
  return own ? refusalsOf(q.service, q.observation, own, q.nowMs) : undefined;
};
const healthIn = (q: Question, id: typeof a) => healthOf(memberOf(q.observation, id)).kind;
const isForbidden = ({ service, controller, nowMs }: Question) =>
  isPaused(service.pause, nowMs) ||
  isPaused(controller.pause, nowMs) ||
  service.declaration.policy.mode === 'observe';
const isLateDetach = ({ service }: Question) => service.mayDetach.length > 0 && !service.stranded;
const isOwnAlarmRed = ({ observation }: Question) =>
  [...observation.alarms.values()].some((each) => each.kind === 'known' && each.value.state === 'ALARM');
const allRead = (q: Question) =>
  interfacesOf(q.service).every((eni) => interfaceOf(q.observation, eni).kind === 'known');
const planOf = (decision: Meeting['decision']): Plan | undefined =>
  decision.kind === 'move' || decision.kind === 'continue' ? decision.plan : undefined;

const isRunning = (fact: Fact<MemberFact>) => fact.kind !== 'known' || fact.value.state === 'running';

/** An announcement names the holder, the service wants to leave it then, and it still runs or cannot be read. */
const isToLeave = ({ hint, service, observation }: Question, { plan }: Moving) =>
  hint.kind === 'announcement' &&
  service.declaration.policy.onSpotInterruption === 'switchover' &&
  plan.source !== undefined &&
  hint.instanceIds.includes(plan.source) &&
  plan.detach === 'plain' &&
  isRunning(memberOf(observation, plan.source));

/** Does the decision keep the promise? */
type Holds = (meeting: Meeting) => boolean;

const promises: Readonly<Record<string, Holds>> = {
  'it never throws': ({ decision }) => decision.kind !== 'thrown',
  'it moves nothing while an interface is unread or gone (P9)': ({ q, decision }) =>
    !isMove(decision) || allRead(q),
  'it ends no episode while an interface is unread (P9)': ({ q, decision }) =>
    decision.kind !== 'abort' || allRead(q),
  'it fails over only from a holder that EC2 or its own alarm calls failed (S4)': ({ q, decision }) =>
    !isMove(decision) ||
    decision.episode !== 'failover' ||
    isOwnAlarmRed(q) ||
    (decision.plan.source !== undefined && healthIn(q, decision.plan.source) === 'failed'),
  'it forces only a holder that EC2 calls failed (§5)': ({ q, decision }) =>
    planOf(decision)?.detach !== 'force' ||
    decision.kind === 'continue' ||
    healthIn(q, planOf(decision)?.source ?? c) === 'failed',
  'it never moves to where the interfaces already are (§1)': ({ q, decision }) => {
    const where = whereabouts(q.service, q.observation);
    return !isMove(decision) || where.kind !== 'together' || where.holder !== decision.plan.target;
  },
  'it fails over and switches over to eligible members only (S3, S10)': ({ q, decision }) =>
    !isMove(decision) || decision.episode === 'rescue' || refusalsFor(q, decision.plan.target)?.length === 0,
  'it moves to members only (S11)': ({ q, decision }) =>
    !isMove(decision) || membersOf(q).some((each) => each.instance === decision.plan.target),
  'it rescues to a member that is not eligible only beside the rest, to the last holder of a late detach, or as last resort':
    ({ q, decision }) => {
      if (!isMove(decision) || decision.episode !== 'rescue') return true;
      const { target, source } = decision.plan;
      if (refusalsFor(q, target)?.length === 0) return true;
      const where = whereabouts(q.service, q.observation);
      const isBeside = where.kind === 'on-nothing' && where.beside === target;
      const isLate = isLateDetach(q) && q.service.lastSeen?.holder === target;
      const healthy = healthIn(q, target) === 'healthy';
      const noOther = membersOf(q).every((each) => refusalsFor(q, each.instance)?.length !== 0);
      return (healthy && (isBeside || isLate)) || (noOther && target === source);
    },
  'it starts nothing automatic under pause or observe, but the repair of its own late detach (P16, P30)': ({
    q,
    decision,
  }) => !isMove(decision) || !isForbidden(q) || (decision.episode === 'rescue' && isLateDetach(q)),
  'it starts no failover under brake or with the budget spent (P30)': ({ q, decision }) =>
    !isMove(decision) ||
    decision.episode !== 'failover' ||
    (Object.keys(q.controller.brakes).length === 0 && q.service.failoversAtMs.length === 0),
  'it names only attachments that it sees, and all of them (S2)': ({ q, decision }) =>
    !isMove(decision) ||
    decision.plan.interfaces.every((each) => {
      const fact = interfaceOf(q.observation, each.eni);
      return fact.kind === 'known' && fact.value.attachment?.id === each.detach;
    }),
  'its target is the only rung that was tried (P13)': ({ decision }) =>
    !isMove(decision) || decision.plan.tried.join() === decision.plan.target,
  'it goes on with a target that was tried (P13)': ({ decision }) =>
    decision.kind !== 'continue' || decision.plan.tried.includes(decision.plan.target),
  'it opens no second episode (P12)': ({ q, decision }) => !isMove(decision) || !q.service.episode,
  'it calls an episode off only while nothing was touched (P15)': ({ q, decision }) =>
    decision.kind !== 'abort' ||
    (q.service.episode !== undefined && isUntouchedYet(q.service.episode, q.observation.interfaces)),
  'it believes a surprise only after a second look (P11)': ({ q, decision }) => {
    const { kind } = whereabouts(q.service, q.observation);
    const isSurprise = kind === 'on-nothing' || kind === 'split' || kind === 'unmovable';
    const acts = isMove(decision) || decision.kind === 'refuse' || decision.kind === 'record';
    return (
      !isSurprise || q.believed || q.service.episode !== undefined || q.hint.kind === 'announcement' || !acts
    );
  },
  'it carries out what was asked for, or nothing, unless its holder was announced to be lost (P29)': ({
    q,
    decision,
  }) =>
    !isMove(decision) ||
    !isPlanned(decision) ||
    (q.service.request ? decision.plan.target === q.service.request.target : isToLeave(q, decision)),
  'a move that was asked for goes on to its own target while nothing was touched (P29)': ({ q, decision }) =>
    decision.kind !== 'continue' ||
    q.service.episode?.request === undefined ||
    !isUntouched(q.service.episode.plan, q.observation.interfaces) ||
    decision.plan.target === q.service.episode.plan.target,
  'it always says why, with a code that is explained (L5)': ({ decision }) =>
    !('code' in decision) || (decision.code in reasons && decision.detail.length > 0),
  'it says why it moves, goes on or stops': ({ decision }) =>
    (!isMove(decision) || decision.evidence !== '') && (!('why' in decision) || decision.why !== ''),
  'it gives the same answer to the same question': ({ q, decision }) =>
    JSON.stringify(decideOrThrown(q)) === JSON.stringify(decision),
};

describe('whatever comes together', () => {
  const broken = new Map<string, string[]>();
  const kinds = new Map<string, number>();
  beforeAll(() => {
    for (const meeting of meetings()) {
      const { decision } = meeting;
      kinds.set(decision.kind, (kinds.get(decision.kind) ?? 0) + 1);
      for (const [name, holds] of Object.entries(promises)) {
        if (holds(meeting)) continue;
        const example = `${meeting.title} -> ${JSON.stringify(decision)}`;
        const examples = broken.get(name) ?? [];
        if (examples.length < 3) broken.set(name, [...examples, example]);
      }
    }
  });

  it.each(Object.keys(promises))('%s', (name) => {
    expect(broken.get(name) ?? []).toEqual([]);
  });
  it('gives every kind of answer but keep often enough for the promises to mean something', () => {
    for (const kind of [
      'nothing',
      'refuse',
      'look-again',
      'move',
      'continue',
      'abort',
      'record',
      'recovered',
    ])
      expect(kinds.get(kind) ?? 0, kind).toBeGreaterThan(100);
  });
});
