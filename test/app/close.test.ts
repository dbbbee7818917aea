/** The end of an episode: what is left in the item, the record, the chain, and the notice. */
import { describe, expect, it } from 'vitest';
import { afterwards, closeEpisode } from '../../shared/app/close.ts';
import { callOff, type Ending } from '../../shared/app/ending.ts';
import { makeJournal } from '../../shared/app/journal.ts';
import { observe } from '../../shared/app/observe.ts';
import type { Episode, EpisodeKind, Outcome } from '../../shared/core/episode.ts';
import type { AttachmentId, EniId, OwnerId } from '../../shared/core/ids.ts';
import { absent, unknown } from '../../shared/core/observation.ts';
import type { Plan } from '../../shared/core/plan.ts';
import type { ServiceState } from '../../shared/core/state.ts';
import { times } from '../../shared/core/times.ts';
import { verifyChain } from '../../shared/core/trail.ts';
import * as core from '../core/world.ts';
import { sha256 } from '../fakes/invariants.ts';
import { a, applicationAlarm, b, c, front, management, ordersDb, type World } from '../fakes/world.ts';
import { at, both, carriedOut, ended, next, old, ours, restingOn, third, untouched } from './ended.ts';
import { story } from './story.ts';

const attachedTo = (world: World) => [front, management].map((eni) => world.ec2.where(eni)?.instanceId);

const fails = async (world: World) => {
  world.ec2.impair(a);
  return world.look(world.alarm(a));
};

const { admin, data, minute, now, planTo } = core;

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
      it('counts anew for how long it is healthy', () => {
        expect(leftByRescue({ [old]: { ...since, healthySinceMs: now - minute } })).toEqual({ [old]: since });
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
