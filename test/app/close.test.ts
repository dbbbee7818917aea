/** The end of an episode: what is left in the item, the record, the chain, and the notice. */
import { describe, expect, it } from 'vitest';
import {
  afterwards,
  calledBack,
  callOff,
  closeEpisode,
  type Ending,
  notServing,
  stoppedBefore,
  toEnding,
  toFacts,
} from '../../shared/app/close.ts';
import { makeJournal } from '../../shared/app/journal.ts';
import type { MoveEnd } from '../../shared/app/move.ts';
import { observe } from '../../shared/app/observe.ts';
import type { Episode, EpisodeKind, Outcome } from '../../shared/core/episode.ts';
import type { AttachmentId, EniId, InstanceId, OwnerId } from '../../shared/core/ids.ts';
import {
  type Attachment,
  absent,
  type Fact,
  type InterfaceFact,
  unknown,
} from '../../shared/core/observation.ts';
import type { Plan } from '../../shared/core/plan.ts';
import { reasons } from '../../shared/core/reasons.ts';
import type { ServiceState } from '../../shared/core/state.ts';
import { times } from '../../shared/core/times.ts';
import { verifyChain } from '../../shared/core/trail.ts';
import * as core from '../core/world.ts';
import { sha256 } from '../fakes/invariants.ts';
import { a, applicationAlarm, b, c, front, management, ordersDb, type World } from '../fakes/world.ts';
import { story } from './story.ts';

const attachedTo = (world: World) => [front, management].map((eni) => world.ec2.where(eni)?.instanceId);

const fails = async (world: World) => {
  world.ec2.impair(a);
  return world.look(world.alarm(a));
};

const { admin, data, minute, now, planTo } = core;
/** In the tables below: the member that is left, the one that takes over, and another one. */
const [old, next, third] = [core.a, core.b, core.c];

const ours = (eni: EniId, on: InstanceId) => core.attachmentOf(eni, on, 1);
/** The plan from `old` to `next` after both attaches were accepted. */
const carriedOut = (more: Parameters<typeof planTo>[1] = {}, target = next): Plan => {
  const plan = planTo(target, { source: old, ...more });
  const interfaces = plan.interfaces.map((each) => ({ ...each, ours: [ours(each.eni, target)] }));
  return { ...plan, interfaces };
};
const at = (eni: EniId, on: InstanceId, more: Partial<Attachment> = {}): Fact<InterfaceFact> =>
  core.interfaceAt(eni, on, { attachment: core.attachment(eni, on, { id: ours(eni, on), ...more }) });
const both = (to: (eni: EniId) => Fact<InterfaceFact>) =>
  new Map([data, admin].map((eni) => [eni, to(eni)] as const));
const restingOn = (on: InstanceId) => both((eni) => at(eni, on));
const untouched = both((eni) => core.interfaceAt(eni, old));

describe('the outcome of a move', () => {
  interface Case {
    readonly fact: string;
    readonly kind?: EpisodeKind;
    readonly plan?: Plan;
    readonly end?: 'resting' | 'stranded' | 'needs-human';
    readonly acted?: boolean;
    readonly members?: core.Sketch['members'];
    readonly is: readonly [outcome: Outcome, severity: string];
    readonly sourceFailed: boolean;
  }
  const back = carriedOut({ tried: [next, old] }, old);
  const nothingAttached = planTo(old, { source: old });
  const cases: readonly Case[] = [
    {
      fact: 'a failover that came to rest is completed, and a warning',
      is: ['COMPLETED', 'warning'],
      sourceFailed: true,
    },
    {
      fact: 'a rescue that came to rest is completed, and a warning',
      kind: 'rescue',
      is: ['COMPLETED', 'warning'],
      sourceFailed: false,
    },
    {
      fact: 'a rescue from a member that has failed says so',
      kind: 'rescue',
      members: { a: 'stopped' },
      is: ['COMPLETED', 'warning'],
      sourceFailed: true,
    },
    {
      fact: 'a rescue of what nobody held has no member that failed',
      kind: 'rescue',
      plan: { ...carriedOut(), source: undefined } as unknown as Plan,
      members: { a: 'stopped' },
      is: ['COMPLETED', 'warning'],
      sourceFailed: false,
    },
    {
      fact: 'a switchover is news, not a warning',
      kind: 'switchover',
      is: ['COMPLETED', 'info'],
      sourceFailed: false,
    },
    { fact: 'so is a failback', kind: 'failback', is: ['COMPLETED', 'info'], sourceFailed: false },
    {
      fact: 'a switchover accuses nobody, also where the old holder stops once it has left',
      kind: 'switchover',
      plan: { ...carriedOut(), detach: 'plain' },
      members: { a: 'stopped' },
      is: ['COMPLETED', 'info'],
      sourceFailed: false,
    },
    {
      fact: 'a switchover that had to force its way off a holder that failed says so',
      kind: 'switchover',
      plan: { ...carriedOut(), detach: 'force' },
      members: { a: 'stopped' },
      is: ['COMPLETED', 'info'],
      sourceFailed: true,
    },
    {
      fact: 'one that is stranded is critical',
      end: 'stranded',
      is: ['STRANDED', 'critical'],
      sourceFailed: true,
    },
    {
      fact: 'one that needs a person is critical',
      kind: 'switchover',
      end: 'needs-human',
      is: ['NEEDS_HUMAN', 'critical'],
      sourceFailed: false,
    },
    {
      fact: 'one that came to rest where it began found nobody to take the interfaces',
      plan: back,
      is: ['RETURNED_TO_SOURCE', 'critical'],
      sourceFailed: true,
    },
    {
      fact: 'so does a planned one, whose old holder is healthy',
      kind: 'switchover',
      plan: back,
      is: ['RETURNED_TO_SOURCE', 'critical'],
      sourceFailed: false,
    },
    {
      fact: 'a rescue back to a healthy member is what was wanted',
      kind: 'rescue',
      plan: back,
      is: ['COMPLETED', 'warning'],
      sourceFailed: false,
    },
    {
      fact: 'a rescue back to a member that failed is not',
      kind: 'rescue',
      plan: back,
      members: { a: 'impaired' },
      is: ['RETURNED_TO_SOURCE', 'critical'],
      sourceFailed: true,
    },
    {
      fact: 'a rescue back to a member of which nothing is known is not either',
      kind: 'rescue',
      plan: back,
      members: { a: 'unread' },
      is: ['RETURNED_TO_SOURCE', 'critical'],
      sourceFailed: false,
    },
    {
      fact: 'on a target that has failed itself it does not serve',
      members: { b: 'impaired' },
      is: ['ATTACHED', 'critical'],
      sourceFailed: true,
    },
    {
      fact: 'without anything sent there was nothing to do',
      acted: false,
      is: ['NOTHING_TO_DO', 'info'],
      sourceFailed: true,
    },
    {
      fact: 'without an attachment of ours it does not claim to have moved anything',
      kind: 'rescue',
      plan: nothingAttached,
      is: ['NOTHING_TO_DO', 'info'],
      sourceFailed: false,
    },
    {
      fact: 'with one attachment of ours it has moved something',
      kind: 'rescue',
      plan: {
        ...carriedOut(),
        interfaces: carriedOut().interfaces.map((each) => (each.eni === data ? { ...each, ours: [] } : each)),
      },
      is: ['COMPLETED', 'warning'],
      sourceFailed: false,
    },
  ];
  it.each(core.titled(cases))(
    '%s',
    (_, { kind, plan = carriedOut(), end = 'resting', acted = true, members, ...answer }) => {
      const last = { facts: restingOn(plan.target), sentAtMs: now, slow: false };
      const scene = { plan, last, seen: new Set<AttachmentId>(), acted };
      const given: MoveEnd =
        end === 'resting' ? { kind: end, ...scene } : { kind: end, why: 'it is so', ...scene };
      const { observation } = core.world(members ? { members } : {});
      const ending = toEnding(core.episodeOf(plan, kind), given, observation);
      expect([ending.outcome, ending.severity]).toEqual(answer.is);
      expect(ending.sourceFailed).toBe(answer.sourceFailed);
    },
  );
});

describe('the end of an episode that a fence or a hook did not let begin', () => {
  const stopped = (kind: EpisodeKind, plan: Plan, facts: Ending['facts'] = untouched) => {
    const { observation } = core.world();
    const end = { why: 'it failed', trouble: 'it' };
    return stoppedBefore(core.episodeOf(plan, kind), end, { ...observation, interfaces: facts });
  };
  const plan = planTo(next, { source: old });

  it.each(['failover', 'switchover', 'failback'] as const)(
    'a %s needs a person, and nothing was moved',
    (kind) => {
      expect(stopped(kind, plan)).toMatchObject({
        outcome: 'NEEDS_HUMAN',
        why: 'it failed',
        severity: 'critical',
        facts: untouched,
        untouched: true,
        sourceFailed: kind === 'failover',
      });
    },
  );
  it.each(['failover', 'switchover', 'rescue'] as const)(
    'a %s of what is on nothing has stranded it',
    (kind) => {
      const facts = both((eni) => core.interfaceAt(eni, eni === data ? 'nothing' : old));
      expect(stopped(kind, plan, facts).outcome).toBe('STRANDED');
    },
  );
  it.each(['failover', 'rescue'] as const)(
    'a %s of what is split over two members leaves it stranded (S14)',
    (kind) => {
      const facts = both((eni) => core.interfaceAt(eni, eni === data ? next : old));
      expect(stopped(kind, plan, facts).outcome).toBe('STRANDED');
    },
  );
  it('a failover of which everything is on nothing has stranded it', () => {
    const facts = both((eni) => core.interfaceAt(eni, 'nothing'));
    expect(stopped('failover', plan, facts).outcome).toBe('STRANDED');
  });
  it('a rescue does not call whole what it came for', () => {
    expect(stopped('rescue', plan).outcome).toBe('STRANDED');
  });
  it('one of a later rung may still see a detach for the rung before it', () => {
    expect(stopped('failover', planTo(third, { source: old, tried: [next, third] })).untouched).toBe(false);
  });
});

describe('the end of a move after which nothing serves', () => {
  const ending = (outcome: Outcome): Ending => ({
    ...callOff('ABORTED', 'the instance is stopped', 'warning', core.world().observation, false),
    outcome,
  });
  it('is attached, with the reason, and critical', () => {
    expect(notServing(ending('COMPLETED'), 'NOT_SERVING: x')).toEqual({
      ...ending('ATTACHED'),
      why: 'NOT_SERVING: x',
      severity: 'critical',
    });
  });
  it('stays what it was where it came back to its source, and says both', () => {
    expect(notServing(ending('RETURNED_TO_SOURCE'), 'HOOK_FAILED: undo.0')).toEqual({
      ...ending('RETURNED_TO_SOURCE'),
      why: 'the instance is stopped; HOOK_FAILED: undo.0',
    });
  });
});

describe('the end of a move that was called back', () => {
  const back = { ...callOff('ABORTED', 'nobody', 'critical', core.world().observation, false) };
  const returned: Ending = { ...back, outcome: 'RETURNED_TO_SOURCE' };
  it('says which hook it was, and is no refusal of a member', () => {
    expect(calledBack(returned, 'HOOK_FAILED: x')).toEqual({
      ...returned,
      why: 'HOOK_FAILED: x',
      calledBack: true,
    });
  });
  it('is as it was where no hook called, or where it did not come back', () => {
    expect(calledBack(returned, undefined)).toBe(returned);
    expect(calledBack({ ...returned, outcome: 'STRANDED' }, 'x').why).toBe('nobody');
  });
});

const ended = (more: Partial<Ending> = {}): Ending => ({
  outcome: 'COMPLETED',
  why: 'it is so',
  severity: 'info',
  facts: restingOn(next),
  untouched: false,
  seen: new Set(),
  sourceFailed: false,
  ...more,
});

describe('what an episode leaves in the item', () => {
  const leftBy = (
    plan: Plan,
    ending: Partial<Ending> = {},
    { kind = 'failover' as EpisodeKind, state = {} as Partial<ServiceState> } = {},
  ) => afterwards(core.stateOf(state), core.episodeOf(plan, kind), ended(ending), now);
  const planned = (eni: EniId) => core.attachmentOf(eni, old);
  const was = [data, admin].map(planned);
  const is = [data, admin].map((eni) => ours(eni, next));

  describe('of attachments', () => {
    interface Case {
      readonly fact: string;
      readonly plan?: Plan;
      readonly ending?: Partial<Ending>;
      readonly detached: readonly AttachmentId[];
      readonly mayDetach: readonly AttachmentId[];
    }
    const withOld = carriedOut({}, next);
    const cases: readonly Case[] = [
      { fact: 'those that it left are gone, those that it rests on stay', detached: was, mayDetach: [] },
      {
        fact: 'those that are not at rest yet may still be detached by a call of ours',
        ending: { outcome: 'NEEDS_HUMAN', facts: both((eni) => at(eni, next, { status: 'attaching' })) },
        detached: was,
        mayDetach: is,
      },
      {
        fact: 'those that it was to leave and that are there still may be detached late',
        ending: { outcome: 'NEEDS_HUMAN', facts: untouched },
        detached: [],
        mayDetach: was,
      },
      {
        fact: 'where nothing was ever sent, nothing is detached late',
        ending: { outcome: 'REFUSED', facts: untouched, untouched: true },
        detached: [],
        mayDetach: [],
      },
      {
        fact: 'where nothing was ever sent and nothing is known, neither',
        ending: { outcome: 'REFUSED', facts: both(() => unknown('throttled')), untouched: true },
        detached: [],
        mayDetach: [],
      },
      {
        fact: 'of what could not be read all may be detached late, and none is certainly gone',
        ending: { outcome: 'NEEDS_HUMAN', facts: both(() => unknown('throttled')) },
        detached: [],
        mayDetach: [data, admin].flatMap((eni) => [planned(eni), ours(eni, next)]),
      },
      {
        fact: 'of ours that was never seen and is not there nothing is said: it may still appear',
        ending: { outcome: 'STRANDED', facts: both((eni) => core.interfaceAt(eni, 'nothing')) },
        detached: was,
        mayDetach: [],
      },
      {
        fact: 'one of ours that was seen and is not there any more is gone',
        ending: {
          outcome: 'STRANDED',
          facts: both((eni) => core.interfaceAt(eni, 'nothing')),
          seen: new Set(is),
        },
        detached: [data, admin].flatMap((eni) => [planned(eni), ours(eni, next)]),
        mayDetach: [],
      },
      {
        fact: 'one that was at rest beside the others all the time is not detached by anyone',
        plan: { ...planTo(next, { source: third }), interfaces: planTo(next, { source: next }).interfaces },
        ending: { facts: both((eni) => core.interfaceAt(eni, next)) },
        detached: [],
        mayDetach: [],
      },
      {
        fact: 'back on the source by a new attachment, the new one stays',
        plan: carriedOut({ tried: [next, old] }, old),
        ending: { outcome: 'RETURNED_TO_SOURCE', facts: restingOn(old) },
        detached: was,
        mayDetach: [],
      },
      {
        fact: 'back on the source by the old attachment, our detach of it may come late',
        plan: planTo(old, { source: old, tried: [next, old] }),
        ending: { outcome: 'RETURNED_TO_SOURCE', facts: untouched },
        detached: [],
        mayDetach: was,
      },
      {
        fact: 'of an interface that EC2 does not know any more all may come late',
        plan: { ...withOld, interfaces: withOld.interfaces.slice(0, 1) },
        ending: { outcome: 'NEEDS_HUMAN', facts: new Map([[data, absent]]) },
        detached: [],
        mayDetach: [planned(data), ours(data, next)],
      },
      {
        fact: 'of what was on nothing when the plan was made only ours are named',
        plan: {
          ...carriedOut(),
          interfaces: carriedOut().interfaces.map(({ detach: _, ...each }) => each),
        },
        ending: { outcome: 'NEEDS_HUMAN', facts: both(() => unknown('throttled')) },
        detached: [],
        mayDetach: is,
      },
    ];
    it.each(core.titled(cases))('%s', (_, { plan = carriedOut(), ending, detached, mayDetach }) => {
      const item = leftBy(plan, ending);
      expect(item.detached).toEqual(detached);
      expect(item.mayDetach).toEqual(mayDetach);
      expect(item.mayDetachUntilMs).toBe(mayDetach.length > 0 ? now + times.lateEffectMs : undefined);
    });

    it('one of an earlier episode that is gone by now is expected no more, and the others are, as long as before', () => {
      const other = core.attachmentOf(core.foreign, old);
      const mayDetachUntilMs = now + minute;
      const state = { mayDetach: [other, planned(data)], mayDetachUntilMs };
      expect(leftBy(carriedOut(), {}, { state })).toMatchObject({ mayDetach: [other], mayDetachUntilMs });
    });
  });

  describe('of where the interfaces are', () => {
    const seen = { holder: next, attachments: { [data]: is[0], [admin]: is[1] } };
    const remembers = { lastSeen: core.seenOn(old), lastRefusal: 'BRAKE', lastObserved: 'SPLIT x' };

    for (const outcome of ['COMPLETED', 'ATTACHED', 'NOTHING_TO_DO', 'NEEDS_HUMAN'] as const)
      it(`${outcome}: all at rest on the target, that is what was last seen, and what was told before is over`, () => {
        const item = leftBy(carriedOut(), { outcome }, { state: remembers });
        expect(item).toMatchObject({ lastSeen: seen, lastMoveAtMs: now });
        expect(item.lastRefusal).toBeUndefined();
        expect(item.lastObserved).toBeUndefined();
      });

    const notMoved: readonly (readonly [string, Partial<Ending>])[] = [
      [
        'one is still being attached',
        { facts: new Map([...restingOn(next), [admin, at(admin, next, { status: 'attaching' })]]) },
      ],
      ['one is on another member', { facts: new Map([...restingOn(next), [admin, at(admin, third)]]) }],
      ['it was refused', { outcome: 'REFUSED' }],
      ['it was called off', { outcome: 'ABORTED' }],
    ];
    for (const [why, ending] of notMoved)
      it(`${why}: nothing was moved, and everything is remembered as it was`, () => {
        const item = leftBy(carriedOut(), ending, { state: remembers });
        expect(item).toMatchObject(remembers);
        expect(item.lastMoveAtMs).toBeUndefined();
      });
  });

  describe('of the members', () => {
    const failed = { [old]: { sinceMs: now, why: 'failed in orders-db.7: the instance is stopped' } };
    const refused = {
      [next]: {
        sinceMs: now,
        why: 'refused the interfaces in orders-db.7',
        untilMs: now + times.refusedQuarantineMs,
      },
    };
    const back = carriedOut({ tried: [next, old] }, old);
    const cases: readonly {
      readonly fact: string;
      readonly plan?: Plan;
      readonly ending: Partial<Ending>;
      readonly quarantine: object;
    }[] = [
      { fact: 'the one that failed stays out', ending: { sourceFailed: true }, quarantine: failed },
      {
        fact: 'the one that failed stays out also where the interfaces are on nothing',
        ending: {
          sourceFailed: true,
          outcome: 'STRANDED',
          facts: both((eni) => core.interfaceAt(eni, 'nothing')),
        },
        quarantine: failed,
      },
      { fact: 'one that did not fail stays in', ending: {}, quarantine: {} },
      {
        fact: 'the interfaces are back on the one that failed: it stays in, and those that refused stay out for a while',
        plan: back,
        ending: { sourceFailed: true, outcome: 'RETURNED_TO_SOURCE', facts: restingOn(old) },
        quarantine: refused,
      },
      {
        fact: 'they are not all back on it: it stays out',
        plan: back,
        ending: {
          sourceFailed: true,
          outcome: 'STRANDED',
          facts: both((eni) => core.interfaceAt(eni, 'nothing')),
        },
        quarantine: failed,
      },
      {
        fact: 'a rescue that ends where it began accuses nobody',
        plan: back,
        ending: { facts: restingOn(old) },
        quarantine: {},
      },
    ];
    it.each(core.titled(cases))('%s', (_, { plan = carriedOut(), ending, quarantine }) => {
      expect(leftBy(plan, ending).quarantine).toEqual(quarantine);
    });

    const announced = 'the instance is stopped';
    const givenUp = { [old]: { sinceMs: now, why: `given up in orders-db.7: ${announced}` } };
    const left = (episode: Partial<Episode>, ending: Partial<Ending> = {}, plan = carriedOut()) =>
      afterwards(core.stateOf(), { ...core.episodeOf(plan, 'switchover'), ...episode }, ended(ending), now)
        .quarantine;
    const { request } = core.askedFor(planTo(next));
    it.each(['COMPLETED', 'ATTACHED'] as const)(
      'one that AWS announced to take away stays out after %s: it is no standby any more',
      (outcome) => {
        expect(left({}, { outcome })).toEqual(givenUp);
        expect(left({ kind: 'failback' }, { outcome })).toEqual(givenUp);
      },
    );
    it('one that a person wanted to leave stays in', () => {
      expect(left(request ? { request } : {})).toEqual({});
    });
    it('one that was announced and not left stays in: it holds the interfaces', () => {
      expect(left({}, { outcome: 'NEEDS_HUMAN', facts: untouched })).toEqual({});
      expect(
        left({}, { outcome: 'RETURNED_TO_SOURCE', facts: restingOn(old), calledBack: true }, back),
      ).toEqual({});
    });
    it('nobody is held to have refused where a hook called the move back', () => {
      const ending = { outcome: 'RETURNED_TO_SOURCE', facts: restingOn(old) } as const;
      expect(left({}, { ...ending, calledBack: true }, back)).toEqual({});
      expect(Object.keys(left({}, ending, back))).toEqual([next]);
    });

    describe('a rescue that finds its source failed still', () => {
      const leftByRescue = (quarantine: ServiceState['quarantine']) =>
        afterwards(
          core.stateOf({ quarantine }),
          core.episodeOf(carriedOut(), 'rescue'),
          ended({ sourceFailed: true }),
          now,
        ).quarantine;
      const since = { sinceMs: now - minute, why: 'failed in orders-db.6: the instance is stopped' };
      const again = { sinceMs: now, why: 'failed still when its service was rescued' };
      it('leaves what is known of the failure', () => {
        expect(leftByRescue({ [old]: since })).toEqual({ [old]: since });
      });
      it('keeps out one that a person let in', () => {
        expect(leftByRescue({})).toEqual({ [old]: again });
      });
      it('keeps out for longer one that had only refused', () => {
        expect(leftByRescue({ [old]: { ...since, untilMs: now + minute } })).toEqual({ [old]: again });
      });
    });

    it('those that were out before stay out', () => {
      const before = { [third]: { sinceMs: now - minute, why: 'failed before' } };
      const item = leftBy(carriedOut(), { sourceFailed: true }, { state: { quarantine: before } });
      expect(item.quarantine).toEqual({ ...before, ...failed });
    });
  });

  describe('of the budget', () => {
    for (const outcome of ['COMPLETED', 'ATTACHED', 'RETURNED_TO_SOURCE', 'STRANDED', 'NEEDS_HUMAN'] as const)
      it(`a failover that ended as ${outcome} counts`, () => {
        expect(leftBy(carriedOut(), { outcome }).failoversAtMs).toEqual([now]);
      });
    for (const outcome of ['ABORTED', 'REFUSED', 'NOTHING_TO_DO'] as const)
      it(`a failover that ended as ${outcome} does not count`, () => {
        expect(leftBy(carriedOut(), { outcome }).failoversAtMs).toEqual([]);
      });
    for (const kind of ['rescue', 'switchover', 'failback'] as const)
      it(`a ${kind} does not count`, () => {
        expect(leftBy(carriedOut(), {}, { kind }).failoversAtMs).toEqual([]);
      });
    it('what is an hour old is forgotten', () => {
      const failoversAtMs = [now - times.budgetWindowMs, now - times.budgetWindowMs + 1];
      const item = leftBy(carriedOut(), {}, { kind: 'rescue', state: { failoversAtMs } });
      expect(item.failoversAtMs).toEqual([now - times.budgetWindowMs + 1]);
    });

    const unfenced = {
      outcome: 'NEEDS_HUMAN',
      trouble: 'FENCE_FAILED: fence (stop it)',
      facts: untouched,
    } as const;
    it('but that a source could not be stopped, apart from those that moved something', () => {
      const item = leftBy(planTo(next, { source: old }), unfenced, { state: { failoversAtMs: [now - 1] } });
      expect(item).toMatchObject({ failoversAtMs: [now - 1], unfencedAtMs: [now] });
    });
    it('and of such a try only where it was a failover', () => {
      expect(
        leftBy(planTo(next, { source: old }), unfenced, { kind: 'rescue' }).unfencedAtMs,
      ).toBeUndefined();
    });
    it('and no such try any more once the service has moved, or after an hour', () => {
      const unfencedAtMs = [now - times.budgetWindowMs, now - 1];
      const state = { unfencedAtMs };
      expect(leftBy(carriedOut(), {}, { state }).unfencedAtMs).toBeUndefined();
      const stays = planTo(next, { source: old });
      expect(leftBy(stays, unfenced, { state }).unfencedAtMs).toEqual([now - 1, now]);
    });
  });

  describe('of being stranded', () => {
    const before = core.strandedSince();
    const onNothing = {
      outcome: 'STRANDED',
      facts: both((eni) => core.interfaceAt(eni, 'nothing')),
    } as const;
    it('nothing, where it never was', () => {
      expect('stranded' in leftBy(carriedOut())).toBe(false);
      expect('stranded' in leftBy(carriedOut(), { outcome: 'REFUSED' })).toBe(false);
    });
    it('the first time', () => {
      const plan = carriedOut();
      expect(leftBy(plan, onNothing).stranded).toEqual({
        sinceMs: now,
        plan,
        why: 'it is so',
        tries: 1,
        sourceFailed: true,
      });
    });
    it('since when it is so, and one try more', () => {
      const plan = carriedOut();
      const { stranded } = leftBy(plan, onNothing, { state: { stranded: before } });
      expect(stranded).toMatchObject({ sinceMs: before.sinceMs, plan, why: 'it is so', tries: 2 });
    });

    const well = { ...before, sourceFailed: false };
    const failed = { ...before, sourceFailed: true };
    interface Fate {
      readonly by: string;
      readonly kind: EpisodeKind;
      readonly detach?: Plan['detach'];
      readonly was?: typeof well;
      readonly sourceFailed?: true;
      readonly is: boolean;
    }
    const fates: readonly Fate[] = [
      { by: 'a planned move', kind: 'switchover', is: false },
      { by: 'one that was to be forced', kind: 'failback', detach: 'plain-then-force', is: false },
      { by: 'one that forced a source which failed', kind: 'switchover', detach: 'force', is: true },
      { by: 'one whose source has failed', kind: 'switchover', sourceFailed: true, is: true },
      { by: 'a failover', kind: 'failover', is: true },
      { by: 'a rescue of what nobody knows of', kind: 'rescue', detach: 'plain-then-force', is: true },
      { by: 'a rescue after a planned move', kind: 'rescue', was: well, is: false },
      { by: 'a rescue whose source failed since', kind: 'rescue', was: well, sourceFailed: true, is: true },
      { by: 'a rescue after a failover', kind: 'rescue', was: failed, is: true },
    ];
    it.each(fates)('by $by, and that its source had failed: $is', (fate) => {
      const { kind, detach = 'plain', was, sourceFailed = false, is } = fate;
      const ending = { ...onNothing, sourceFailed };
      const state = was ? { stranded: was } : {};
      expect(leftBy(planTo(next, { detach }), ending, { kind, state }).stranded?.sourceFailed).toBe(is);
    });
    it('by a planned move that had begun to fence, and so that its source had failed', () => {
      const episode = core.episodeOf(planTo(next, { detach: 'plain' }), 'switchover', {
        stages: { fence: { begunAtMs: now } },
      });
      const { stranded } = afterwards(
        core.stateOf(),
        episode,
        ended({ ...onNothing, sourceFailed: false }),
        now,
      );
      expect(stranded?.sourceFailed).toBe(true);
    });
    it('all that there was, where a try ended without a move', () => {
      const { stranded } = leftBy(carriedOut(), { outcome: 'REFUSED' }, { state: { stranded: before } });
      expect(stranded).toEqual(before);
    });
    it('nothing, where everything came to rest', () => {
      expect('stranded' in leftBy(carriedOut(), {}, { state: { stranded: before } })).toBe(false);
    });
  });

  it('no episode, no lease and no request', () => {
    const state = { lease: core.lease(now + minute), request: core.request(next) };
    const item = leftBy(carriedOut(), {}, { state });
    expect([item.episode, item.lease, item.request]).toEqual([undefined, undefined, undefined]);
  });
});

const declared = core.world().service.declaration;

describe('the end of an episode as people read it', () => {
  const told = (
    outcome: Outcome,
    more: { kind?: EpisodeKind; plan?: Plan; why?: string; left?: readonly InstanceId[] } = {},
  ) => {
    const { kind = 'failover', plan = carriedOut(), why = 'the instance is stopped', left = [third] } = more;
    const steps = [
      { atMs: now - 9_000, step: 'claimed' },
      { atMs: now - 4_500, step: 'detach-forced', eni: data },
      { atMs: now - 4_000, step: 'detach-forced', eni: admin },
      { atMs: now, step: 'verified' },
    ];
    const ending = { ...callOff('ABORTED', why, 'info', core.world().observation, true), outcome };
    const episode = core.episodeOf(plan, kind, { steps: outcome === 'ABORTED' ? steps.slice(0, 1) : steps });
    return toFacts(core.stateOf(), declared, episode, ending, left, now);
  };
  const status = 'eni-failover status orders-db';
  const repair = `repair ${old}, then: eni-failover ack orders-db --reason '...'`;
  const none = 'NO STANDBY IS LEFT: make one eligible';
  const { source: _, ...fromNothing } = carriedOut();

  const cases: readonly {
    readonly fact: string;
    readonly outcome: Outcome;
    readonly more?: Parameters<typeof told>[1];
    readonly headline: string;
    readonly asks: readonly string[];
  }[] = [
    {
      fact: 'a failover asks for the repair',
      outcome: 'COMPLETED',
      headline: `failover to ${next} done`,
      asks: [repair],
    },
    {
      fact: 'one that used the last standby asks for another',
      outcome: 'COMPLETED',
      more: { left: [] },
      headline: `failover to ${next} done`,
      asks: [repair, none],
    },
    {
      fact: 'a rescue of what nobody held asks for no repair',
      outcome: 'COMPLETED',
      more: { plan: fromNothing },
      headline: `failover to ${next} done`,
      asks: [],
    },
    {
      fact: 'a switchover asks for nothing',
      outcome: 'COMPLETED',
      more: { kind: 'switchover' },
      headline: `switchover to ${next} done`,
      asks: [],
    },
    {
      fact: 'nothing to do asks for nothing',
      outcome: 'NOTHING_TO_DO',
      more: { left: [] },
      headline: 'nothing to do, already in place',
      asks: [],
    },
    {
      fact: 'what was called off asks for nothing',
      outcome: 'ABORTED',
      headline: 'failover called off, nothing was moved',
      asks: [],
    },
    {
      fact: 'what was refused asks for a look',
      outcome: 'REFUSED',
      headline: 'failover refused, nothing was moved',
      asks: [status],
    },
    {
      fact: 'what does not serve asks for a look',
      outcome: 'ATTACHED',
      headline: `attached to ${next}, but not serving`,
      asks: [status],
    },
    {
      fact: 'what went back asks for a look',
      outcome: 'RETURNED_TO_SOURCE',
      headline: `back on ${old}, nothing else took it`,
      asks: [status],
    },
    {
      fact: 'STRANDED asks for a look, not for a repair',
      outcome: 'STRANDED',
      more: { left: [] },
      headline: 'STRANDED, an interface is on nothing or left behind',
      asks: [status],
    },
    {
      fact: 'what stopped asks for a look',
      outcome: 'NEEDS_HUMAN',
      headline: 'failover stopped, a person is needed',
      asks: [status],
    },
  ];
  it.each(core.titled(cases))('%s', (_title, { outcome, more, headline, asks }) => {
    const facts = told(outcome, more);
    expect(facts.headline).toBe(headline);
    expect(facts.next).toEqual(asks);
  });

  it('says from where to where, why, how long it took and who is left', () => {
    expect(told('COMPLETED', { left: [old, third] }).lines).toEqual([
      `From: ${old}`,
      `To: ${next}`,
      'Why: the instance is stopped',
      'Detach to verified: 4.5 s',
      `Interfaces: ${data}, ${admin}`,
      `Standbys left: ${old}, ${third}`,
      'Episode: orders-db.7',
    ]);
    expect(told('COMPLETED').data).toMatchObject({
      detachToVerifiedMs: 4_500,
      from: old,
      standbysLeft: [third],
    });
  });

  const withStages = (stages: Episode['stages'], more: Partial<Episode> = {}) => {
    const steps = [
      { atMs: now - 60_000, step: 'before.0-ended' },
      { atMs: now - 50_000, step: 'detach-forced', eni: data },
      { atMs: now - 46_500, step: 'verified' },
      { atMs: now - 1_000, step: 'after.0-ended' },
    ];
    const episode = { ...core.episodeOf(carriedOut()), steps, ...(stages && { stages }), ...more };
    return toFacts(core.stateOf(), declared, episode, ended(), [third], now);
  };

  it('says of each fence, hook and check how it ended, when it was begun deciding the order', () => {
    const { lines } = withStages({
      '1/serving': { begunAtMs: now - 4_000, end: 'timed-out', endedAtMs: now },
      '1/after.0': { begunAtMs: now - 9_000, handle: 'h-1' },
      '1/before.0': { begunAtMs: now - 62_000, end: 'done', endedAtMs: now - 60_000, output: 'ready' },
      fence: { begunAtMs: now - 70_500, end: 'refused', endedAtMs: now - 70_000, output: 'protected' },
    });
    expect(lines.slice(6, 10)).toEqual([
      'fence: refused after 0.5 s: protected',
      '1/before.0: done after 2.0 s: ready',
      '1/after.0: begun, not ended',
      '1/serving: timed-out after 4.0 s',
    ]);
  });

  it('counts neither what came before the detach nor what came after the last attach', () => {
    expect(withStages({}).data).toMatchObject({ detachToVerifiedMs: 3_500 });
    expect(withStages({}).lines).toContain('Detach to verified: 3.5 s');
  });

  it('says of a rescue that nothing took where it was meant for, and no time to a verification that never was', () => {
    const rescue = core.episodeOf(carriedOut({ source: old, target: old, tried: [old] }));
    const steps = [
      { atMs: now - 9_000, step: 'detach', eni: data },
      { atMs: now - 5_000, step: 'attached', eni: data },
    ];
    const ending: Ending = { ...ended(), outcome: 'STRANDED' };
    const episode = { ...rescue, kind: 'rescue' as const, steps };
    const { lines, data: facts } = toFacts(core.stateOf(), declared, episode, ending, [], now);
    expect(lines.slice(0, 3)).toEqual([
      `From: nothing, last on ${old}`,
      `Meant for: ${old}`,
      'Why: the instance is stopped',
    ]);
    expect(lines.join('\n')).not.toContain('Detach to verified');
    expect(facts['detachToVerifiedMs']).toBeUndefined();
  });

  it('says that a hook called it back, and not that nobody took it', () => {
    const ending: Ending = { ...ended(), outcome: 'RETURNED_TO_SOURCE', calledBack: true };
    const { headline } = toFacts(core.stateOf(), declared, core.episodeOf(carriedOut()), ending, [], now);
    expect(headline).toBe(`back on ${old}, a hook called it back`);
  });

  it('says that nobody is left', () => {
    expect(told('COMPLETED', { left: [] }).lines).toContain('Standbys left: none');
  });

  it('says why it ended, and no duration, where nothing was detached', () => {
    const facts = told('ABORTED', { why: `${old} recovered`, plan: fromNothing });
    expect(facts.lines).toEqual([
      'From: nothing',
      `Meant for: ${next}`,
      'Why: the instance is stopped',
      `End: ${old} recovered`,
      `Interfaces: ${data}, ${admin}`,
      'Episode: orders-db.7',
    ]);
    expect(facts.data['detachToVerifiedMs']).toBeUndefined();
    expect(facts.data['from']).toBeNull();
  });
});

describe('the notice of an end that needs a person', () => {
  const told = (
    ending: Partial<Ending>,
    more: { plan?: Plan; kind?: EpisodeKind; stages?: Episode['stages']; left?: readonly InstanceId[] } = {},
    declares: Parameters<typeof toFacts>[1] = declared,
  ) => {
    const { plan = carriedOut(), kind = 'failover', stages, left = [] } = more;
    const episode = { ...core.episodeOf(plan, kind), ...(stages && { stages }) };
    const whole = { ...ended({ outcome: 'STRANDED', sourceFailed: true }), ...ending };
    return toFacts(core.stateOf(), declares, episode, whole, left, now);
  };
  const toldTo = (...args: Parameters<typeof told>) => [
    ...new Set(told(...args).byHand?.flatMap((each) => (each.do === 'attach' ? [each.instance] : []))),
  ];
  const places = (one: core.Place, other: core.Place) =>
    new Map([
      [data, core.interfaceAt(data, one)],
      [admin, core.interfaceAt(admin, other)],
    ]);

  it('says where each interface is, on nothing, gone, or not known', () => {
    expect(told({ facts: places('gone', 'unread') }).lines).toEqual(
      expect.arrayContaining([`${data}: gone`, `${admin}: not known`]),
    );
    expect(told({ facts: places('nothing', next) }).lines).toEqual(
      expect.arrayContaining([`${data}: on nothing, available`, `${admin}: attached ${next}`]),
    );
    expect(told({ facts: new Map() }).lines).toContain(`${data}: not known`);
  });

  it('gives the commands with the attachments as they are', () => {
    expect(told({ facts: places(old, 'nothing') }).byHand).toContainEqual({
      do: 'detach',
      eni: data,
      attachment: core.attachmentOf(data, old),
      force: true,
    });
  });

  it.each<[fact: string, args: Parameters<typeof told>, to: InstanceId]>([
    ['beside those that rest', [{ facts: places(third, 'nothing') }], third],
    [
      'beside those that rest on the source, which is well',
      [{ facts: places(old, 'nothing'), sourceFailed: false }],
      old,
    ],
    ['not to a source that failed', [{ facts: places(old, 'nothing') }], next],
    [
      'not beside one that is only on its way there',
      [
        {
          facts: places('nothing', third)
            .set(data, at(data, third, { status: 'attaching' }))
            .set(admin, core.interfaceAt(admin, 'nothing')),
        },
      ],
      next,
    ],
    [
      'to a standby that is left, where the plan led to a source that failed',
      [{ facts: places('nothing', 'nothing') }, { plan: carriedOut({ tried: [next] }, old), left: [third] }],
      third,
    ],
    [
      'to a member that was tried, where nobody else is left',
      [{ facts: places('nothing', 'nothing') }, { plan: carriedOut({ tried: [old, next] }, old) }],
      next,
    ],
  ])('brings them %s', (_fact, args, to) => {
    expect(toldTo(...args)).toEqual([to]);
  });

  it('names the alarms of the service, and that of serving where it is one', () => {
    const signals = { ...declared.signals, alarms: [{ arn: core.alarm('app'), treatAsInstance: false }] };
    const alarm = core.alarm('serving');
    expect(told({}, {}, { signals }).alarms).toEqual([core.alarm('app')]);
    expect(told({}, {}, { signals, serving: { alarm, within: 60_000 } }).alarms).toEqual([
      core.alarm('app'),
      alarm,
    ]);
  });

  it('leads to what a hook printed that did not end well, and to no other', () => {
    const stages = {
      '1/before.0': { begunAtMs: now - 9_000, end: 'done', endedAtMs: now, handle: 'h-done' },
      '1/before.1': { begunAtMs: now - 8_000, end: 'failed', endedAtMs: now, handle: 'h-failed' },
      '1/after.0': { begunAtMs: now - 7_000 },
    } as const;
    const why = 'HOOK_FAILED: it ended with 1';
    const { byHand, section, next: asks } = told({ outcome: 'NEEDS_HUMAN', why }, { stages });
    expect(byHand?.filter((each) => each.do === 'describe-hook')).toEqual([
      { do: 'describe-hook', command: 'h-failed' },
    ]);
    expect(section).toBe('HOOK_FAILED');
    expect(asks).toEqual([reasons.HOOK_FAILED.wayOut, 'eni-failover status orders-db']);
  });

  it('says the command that ends its reason', () => {
    const { next: asks } = told({ outcome: 'NEEDS_HUMAN', why: 'MOVED_BY_OTHERS: to another one' });
    expect(asks).toEqual([
      reasons.MOVED_BY_OTHERS.wayOut,
      `eni-failover adopt orders-db --reason '...'`,
      'eni-failover status orders-db',
    ]);
  });

  it('says of a rescue without a source that nothing held them', () => {
    const { source: _, ...plan } = carriedOut();
    expect(told({}, { plan, kind: 'rescue' }).lines[0]).toBe('From: nothing');
  });

  it('has no commands for an end that is well', () => {
    expect(told({ outcome: 'COMPLETED' })).not.toHaveProperty('byHand');
  });
});

describe('a completed episode', () => {
  story('leaves a record that says what was seen, planned, done and found', async (world) => {
    await fails(world);
    const [record] = world.episodes();
    expect(record).toMatchObject({
      number: 2,
      kind: 'episode',
      author: 'eni-failover',
      outcome: 'COMPLETED',
      epoch: 1,
      attachedTo: { [front]: b, [management]: b },
      episode: { id: 'orders-db.1', kind: 'failover', plan: { source: a, target: b, tried: [b] } },
    });
    const steps = record?.episode.steps.map((each) => each.step);
    expect(steps).toEqual(expect.arrayContaining(['claimed', 'detach-forced', 'attach', 'closed']));
    expect(steps?.indexOf('claimed')).toBe(0);
    expect(steps?.at(-1)).toBe('closed');
  });

  story('names as its own the attachments that EC2 shows', async (world) => {
    await fails(world);
    for (const planned of world.episodes()[0]?.episode.plan.interfaces ?? [])
      expect(planned.ours).toEqual([world.ec2.where(planned.eni)?.id]);
  });

  story('is found by episode, instance, interface, author and day', async (world) => {
    await fails(world);
    const found = world.store.pointers().filter((each) => each.endsWith(' 2'));
    expect(found.map((each) => each.split(' ')[0])).toEqual([
      'BY#AUTHOR#eni-failover',
      'BY#DAY#2026-11-21',
      `BY#ENI#${front}`,
      `BY#ENI#${management}`,
      'BY#EPISODE#orders-db.1',
      `BY#INSTANCE#${a}`,
      `BY#INSTANCE#${b}`,
    ]);
  });

  story('says who stays out from now on, for nobody can derive it a year later', async (world) => {
    await fails(world);
    const body = JSON.parse(world.store.rows(world.service().name).at(-1)?.body ?? '');
    expect(body).toMatchObject({
      quarantined: [{ member: a, why: expect.stringMatching(/^failed in orders-db\.1: /) }],
    });
  });

  story('remembers what it detached, and expects nothing of it late', async (world) => {
    const before = [front, management].map((eni) => world.ec2.where(eni)?.id);
    await fails(world);
    expect(world.service().detached).toEqual(before);
    expect(world.service().mayDetach).toEqual([]);
  });

  story('counts against the budget and starts the grace of the application', async (world) => {
    await fails(world);
    expect(world.service().failoversAtMs).toHaveLength(1);
    expect(world.service().lastMoveAtMs).toBeGreaterThan(0);
  });

  story('is chained to the record before it, and the notice carries the head', async (world) => {
    await fails(world);
    const rows = world.store.rows(ordersDb);
    expect(verifyChain(rows, sha256, world.service().trail.head)).toEqual([]);
    expect(world.notifier.published[0]?.program).toMatchObject({
      outcome: 'COMPLETED',
      data: { from: a, to: b },
      trail: { number: 2, headHash: world.service().trail.head },
    });
  });

  story('that finds everything in place already does not claim to have moved it', async (world) => {
    // A plan is stored, its worker dies, and people do the work before the resumer comes.
    world.ec2.impair(a);
    const worker = world.worker();
    world.store.onWrite(({ after }) => {
      if (after.episode) worker.crashAt(worker.calls.length + 1, 'before');
    });
    world.begin(world.alarm(a), worker).report.catch(() => undefined);
    await world.clock.advance(500);
    world.ec2.moveByHand(front, b, 1);
    world.ec2.moveByHand(management, b, 2);
    await world.settle();
    await world.clock.advance(60_000);
    await world.look(world.alarm(a));
    await world.settle();
    expect(world.ec2.mutations()).toEqual([]);
    expect(world.episodes()).toHaveLength(1);
    expect(world.episodes()[0]?.outcome).not.toBe('COMPLETED');
  });
});

describe('the standbys that are left', () => {
  const bodyOf = (world: World) => world.notifier.of('COMPLETED').at(-1)?.body;

  story(
    'after a switchover are also the healthy member that was left',
    { members: [a, b] },
    async (world) => {
      const request = { id: 'r', kind: 'switchover', target: b, author: 'ann', reason: 'x' } as const;
      world.store.change(ordersDb, (state) => ({
        ...state,
        request: { ...request, atMs: world.clock.now() },
      }));
      await world.look({ kind: 'request', atMs: world.clock.now() });
      expect(attachedTo(world)).toEqual([b, b]);
      expect(bodyOf(world)).toContain(`Standbys left: ${a}`);
      expect(bodyOf(world)).not.toContain('NO STANDBY IS LEFT');
    },
  );

  story('after a failover are those that could take over next', async (world) => {
    await fails(world);
    expect(bodyOf(world)).toContain(`Standbys left: ${c}\n`);
  });

  story(
    'after a failover by an application alarm are not the member that was accused',
    { signals: { alarms: [{ arn: applicationAlarm }] } },
    async (world) => {
      world.alarms.set(applicationAlarm, 'ALARM');
      await world.look(world.applicationAlarm());
      expect(bodyOf(world)).toContain(`Standbys left: ${c}\n`);
    },
  );
});

describe('freeze, copy, clear', () => {
  story('a record that could not be copied is copied by the next looker, byte for byte', async (world) => {
    world.store.fail('copyToTrail', { kind: 'unreachable' }, { times: 1 });
    await fails(world);
    const frozen = world.service().frozen;
    expect(frozen).toMatchObject({ number: 2, kind: 'episode' });
    await world.clock.advance(5_000);
    await world.look(world.alarm(a));
    expect(world.store.rows(ordersDb).at(-1)).toMatchObject({
      number: 2,
      body: frozen?.body,
      hash: frozen?.hash,
    });
    expect(world.service().frozen).toBeUndefined();
  });

  story('a copy whose answer was lost is made again without harm', async (world) => {
    world.store.fail('copyToTrail', { kind: 'answer-lost' }, { times: 1 });
    await fails(world);
    await world.look(world.sweep());
    expect(world.kinds()).toEqual(['episode']);
  });

  story(
    'a record that lies frozen from before is copied before the next one takes its place',
    async (world) => {
      world.store.fail('copyToTrail', { kind: 'unreachable' }, { times: 1 });
      await fails(world);
      world.ec2.impair(b);
      await world.clock.advance(60_000);
      await world.look(world.alarm(b));
      expect(world.kinds()).toEqual(['episode', 'episode']);
      expect([front, management].map((eni) => world.ec2.where(eni)?.instanceId)).toEqual([c, c]);
    },
  );

  story(
    'a pause that is recorded while the episode runs comes before its end in the chain',
    async (world) => {
      world.ec2.impair(a);
      let isPaused = false;
      world.ec2.onEffect((effect) => {
        if (effect.what !== 'detached' || isPaused) return;
        isPaused = true;
        const state = world.service();
        const body = JSON.stringify({ previous: state.trail.head, number: state.trail.next });
        const hash = sha256(body);
        world.store.change(ordersDb, (before) => ({
          ...before,
          frozen: { number: state.trail.next, kind: 'pause', atMs: 0, body, hash, pointers: [] },
          trail: { next: state.trail.next + 1, head: hash },
        }));
      });
      expect((await world.look(world.alarm(a))).code).toBe('COMPLETED');
      expect(world.kinds()).toEqual(['pause', 'episode']);
    },
  );

  story('an end whose answer was lost is one end, and is told', async (world) => {
    world.ec2.impair(a);
    world.store.fail(
      'write',
      { kind: 'answer-lost' },
      { when: (call) => call.after?.frozen?.kind === 'episode' },
    );
    const report = await world.look(world.alarm(a));
    await world.settle();
    expect(world.kinds()).toEqual(['episode']);
    expect(world.notifier.of('COMPLETED')).toHaveLength(1);
    expect(report).toMatchObject({ kind: 'closed', code: 'COMPLETED' });
  });
});

describe('RETURNED_TO_SOURCE', () => {
  story('calls a human, and asks those that refused not again for a while', async (world) => {
    world.ec2.refuseAttach(b);
    world.ec2.refuseAttach(c);
    await fails(world);
    expect(world.notifier.pages()[0]?.subject).toContain('CRITICAL');
    expect(world.service().lastSeen?.holder).toBe(a);
    expect(Object.keys(world.service().quarantine).sort()).toEqual([b, c]);
    expect(world.service().stranded).toBeUndefined();
    await world.look(world.sweep());
    expect(world.episodes()).toHaveLength(1);
    world.ec2.acceptAttach(b);
    await world.clock.advance(11 * 60_000);
    await world.look(world.alarm(a));
    expect(attachedTo(world)).toEqual([b, b]);
  });
});

describe('STRANDED', () => {
  story('closes its episode and stays as a state of the service, with plan and tried', async (world) => {
    for (const id of [a, b, c]) world.ec2.refuseAttach(id);
    await fails(world);
    expect(world.service().episode).toBeUndefined();
    expect(world.service().stranded).toMatchObject({ tries: 1, plan: { tried: [b, c, a] } });
    expect(world.service().lease).toBeUndefined();
  });

  story('of which the next try comes by itself is told in the record of the rescue', async (world) => {
    for (const id of [a, b, c]) world.ec2.refuseAttach(id);
    await fails(world);
    world.ec2.acceptAttach(b);
    await world.look(world.sweep());
    await world.settle();
    expect(world.episodes().map((each) => [each.episode.kind, each.outcome])).toEqual([
      ['failover', 'STRANDED'],
      ['rescue', 'COMPLETED'],
    ]);
  });
});

describe('the write that ends an episode', () => {
  const owner = 'worker-us' as OwnerId;
  /** Our worker has an open episode, of a service that was stranded before or not. */
  async function open(world: World, more: Partial<ServiceState> = {}) {
    const lease = { owner, untilMs: world.clock.now() + times.leaseTtlMs };
    const episode = core.episodeOf({ ...carriedOut(), source: a, target: b }, 'rescue');
    world.store.change(ordersDb, (state) => ({ ...state, epoch: 7, lease, episode, ...more }));
    const journal = makeJournal(world.ports, world.service(), owner);
    const observation = await world.run(observe(world.ports, journal.service()));
    const end = (outcome: Outcome, why: string) => {
      const ending = { ...callOff('REFUSED', why, 'critical', observation, false), outcome };
      return world.run(closeEpisode(world.ports, journal, ending, observation));
    };
    return { journal, end };
  }
  const stranded = { ...core.strandedSince(), why: 'nobody takes it' };
  const isDelivered = (world: World) => {
    expect(world.kinds()).toEqual(['episode']);
    expect(world.notifier.published).toHaveLength(1);
    expect(world.service()).toMatchObject({ outbox: [] });
  };

  story('is made once and delivered', async (world) => {
    const { journal, end } = await open(world);
    expect(await end('REFUSED', 'forbidden')).toBe('written');
    isDelivered(world);
    await world.run(journal.stop());
  });

  story('that a renewal made after all is not made again, and is delivered', async (world) => {
    const { journal, end } = await open(world);
    world.store.fail('write', { kind: 'unreachable' });
    expect(await end('REFUSED', 'forbidden')).toBe('unreachable');
    expect(world.notifier.published).toEqual([]);
    await world.run(journal.commit());
    expect(world.service().episode).toBeUndefined();
    expect(await end('REFUSED', 'forbidden')).toBe('written');
    isDelivered(world);
    await world.run(journal.stop());
  });

  story('that nobody answered goes out with the next one, and counts once', async (world) => {
    const { journal, end } = await open(world, { stranded });
    world.store.fail('write', { kind: 'unreachable' });
    expect(await end('STRANDED', 'nobody takes it')).toBe('unreachable');
    expect(await end('STRANDED', 'nobody takes it')).toBe('written');
    expect(world.service().stranded?.tries).toBe(stranded.tries + 1);
    await world.run(journal.stop());
  });

  story('of one more try that changed nothing is counted alone', async (world) => {
    const { journal, end } = await open(world, { stranded });
    expect(await end('STRANDED', 'nobody takes it')).toBe('written');
    expect(world.kinds()).toEqual([]);
    expect(world.notifier.published).toEqual([]);
    expect(world.service().stranded?.tries).toBe(stranded.tries + 1);
    await world.run(journal.stop());
  });

  const news = [
    ['STRANDED', 'now for another reason'],
    ['REFUSED', 'nobody takes it'],
  ] as const;
  for (const [outcome, why] of news)
    story(`as ${outcome}, ${why}: that is recorded and told`, async (world) => {
      const { journal, end } = await open(world, { stranded });
      expect(await end(outcome, why)).toBe('written');
      isDelivered(world);
      await world.run(journal.stop());
    });

  story('where nothing was moved does not name the holder as a standby', async (world) => {
    const { journal, end } = await open(world);
    await end('ABORTED', 'it recovered');
    expect(world.notifier.published[0]?.program).toMatchObject({
      outcome: 'ABORTED',
      data: { from: a, to: b, standbysLeft: [c] },
    });
    await world.run(journal.stop());
  });

  story('names where each interface was at the end, and where that is not known', async (world) => {
    world.ec2.detachByHand(front);
    world.ec2.deleteInterface(management);
    const { journal, end } = await open(world);
    await end('NEEDS_HUMAN', 'x');
    expect(world.episodes()[0]).toMatchObject({ attachedTo: { [front]: null, [management]: 'absent' } });
    await world.run(journal.stop());
  });
});

describe('a long episode', () => {
  story('keeps its item small, however often EC2 is asked', async (world) => {
    world.ec2.fail('attach', { kind: 'look', code: 'IncorrectState' }, { times: 500 });
    world.ec2.fail('detach', { kind: 'throttled' }, { times: 60 });
    await fails(world);
    await world.settle();
    const largest = Math.max(...world.store.writes.map((each) => JSON.stringify(each.after).length));
    expect(largest).toBeLessThan(200_000);
  });
});
