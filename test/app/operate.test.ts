/** Pause, resume and acknowledge: each a record with its author, and each only what it says. */
import { describe, expect } from 'vitest';
import {
  acknowledge,
  pauseController,
  pauseService,
  releaseBrake,
  resumeController,
  resumeService,
} from '../../shared/app/operate.ts';
import type { ServiceState } from '../../shared/core/state.ts';
import { a, b, c, front, management, ordersDb, type World, zone } from '../fakes/world.ts';
import { story } from './story.ts';

const done = { author: 'ann', reason: 'done' };
const ask = { author: 'ann', reason: 'patching', forMs: 3_600_000 };

describe('a pause', () => {
  story(
    'is recorded with author, reason and end, told, and stops moves until it is resumed',
    async (world) => {
      expect(await world.run(pauseService(world.ports, ordersDb, ask))).toMatchObject({ kind: 'done' });
      expect(world.records('pause')).toMatchObject([{ author: 'ann', reason: 'patching' }]);
      expect(world.notifier.of('PAUSED')).toHaveLength(1);
      world.ec2.impair(a);
      expect((await world.look(world.alarm(a))).code).toBe('PAUSED');
      expect(
        await world.run(resumeService(world.ports, ordersDb, { author: 'bob', reason: 'done' })),
      ).toMatchObject({ kind: 'done' });
      expect(world.records('resume')).toMatchObject([{ author: 'bob', pausedBy: 'ann' }]);
      expect((await world.look(world.alarm(a))).code).toBe('COMPLETED');
    },
  );

  story('in the middle of an episode says that it goes on to its end, and it does', async (world) => {
    world.ec2.impair(a);
    const { report } = world.begin(world.alarm(a));
    await world.clock.advance(800);
    const answer = await world.run(pauseService(world.ports, ordersDb, ask));
    expect(answer.detail).toContain('orders-db.1 is under way');
    expect((await world.run(report)).code).toBe('COMPLETED');
    expect(world.service().pause).toMatchObject({ author: 'ann' });
    expect(world.kinds()).toEqual(['pause', 'episode']);
  });

  story('of a service that nobody registered is refused', { registered: false }, async (world) => {
    expect(await world.run(pauseService(world.ports, ordersDb, ask))).toMatchObject({
      code: 'NO_SUCH_SERVICE',
    });
  });

  story('that was never made cannot be resumed', async (world) => {
    expect(
      await world.run(resumeService(world.ports, ordersDb, { author: 'ann', reason: 'done' })),
    ).toMatchObject({
      code: 'NOT_PAUSED',
    });
    expect(world.kinds()).toEqual([]);
  });

  story('begins again when somebody writes in between', async (world) => {
    world.store.fail('write', {
      kind: 'meanwhile',
      run: () => world.store.change(ordersDb, (state) => ({ ...state, lastObserved: 'x' })),
    });
    expect(await world.run(pauseService(world.ports, ordersDb, ask))).toMatchObject({ kind: 'done' });
    expect(world.service()).toMatchObject({ lastObserved: 'x', pause: { author: 'ann' } });
    expect(world.kinds()).toEqual(['pause']);
  });

  story('by two people at once leaves two records and the later pause', async (world) => {
    const both = ['ann', 'bob'].map((author) => pauseService(world.ports, ordersDb, { ...ask, author }));
    await world.run(Promise.all(both));
    expect(world.kinds()).toEqual(['pause', 'pause']);
  });

  story('whose answer was lost is recorded once', async (world) => {
    world.store.fail('write', { kind: 'answer-lost' });
    await world.run(pauseService(world.ports, ordersDb, ask).catch(() => undefined));
    await world.clock.advance(5_000);
    await world.look(world.sweep());
    expect(world.kinds()).toEqual(['pause']);
    expect(world.service().pause).toBeDefined();
  });
});

describe('a command', () => {
  const deeds: readonly (readonly [string, (world: World) => ReturnType<typeof pauseService>])[] = [
    ['a pause', (world) => pauseService(world.ports, ordersDb, ask)],
    ['a resumption', (world) => resumeService(world.ports, ordersDb, { author: 'ann', reason: 'done' })],
    ['an acknowledgement', (world) => acknowledge(world.ports, ordersDb, { author: 'ann', reason: 'x' })],
  ];
  for (const [what, deed] of deeds)
    story(`for a service that was unregistered is refused: ${what}`, async (world) => {
      world.store.change(ordersDb, (state) => ({ ...state, tombstone: true, lastRefusal: 'X' }));
      expect(await world.run(deed(world))).toMatchObject({ code: 'NO_SUCH_SERVICE' });
      expect(world.kinds()).toEqual([]);
    });

  story('gives up when others write all the time, and says so', async (world) => {
    const run = () => world.store.change(ordersDb, (state) => ({ ...state }));
    world.store.fail('write', { kind: 'meanwhile', run }, { times: 50 });
    const answer = await world.run(pauseService(world.ports, ordersDb, ask));
    expect(answer).toMatchObject({ kind: 'refused', code: 'LEASE_HELD' });
    expect(world.service().pause).toBeUndefined();
  });

  story('copies the record before it, whose copy had failed, before it writes its own', async (world) => {
    world.store.fail('copyToTrail', { kind: 'unreachable' }, { times: 2 });
    await world.run(pauseService(world.ports, ordersDb, ask).catch(() => undefined));
    world.store.heal();
    expect(world.kinds()).toEqual([]);
    expect(
      await world.run(resumeService(world.ports, ordersDb, { author: 'bob', reason: 'done' })),
    ).toMatchObject({ kind: 'done' });
    expect(world.kinds()).toEqual(['pause', 'resume']);
  });
});

describe('a pause of more than seven days', () => {
  const week = 7 * 24 * 60 * 60 * 1_000;
  const both: readonly (readonly [
    string,
    (world: World, forMs: number) => ReturnType<typeof pauseService>,
  ])[] = [
    ['one service', (world, forMs) => pauseService(world.ports, ordersDb, { ...ask, forMs })],
    ['everything', (world, forMs) => pauseController(world.ports, { ...ask, forMs })],
  ];
  for (const [what, pause] of both)
    story(`is refused for ${what}: it would be forgotten`, async (world) => {
      expect(await world.run(pause(world, week + 1))).toMatchObject({ code: 'TOO_LONG' });
      expect(world.service().pause).toBeUndefined();
      expect((await world.run(world.store.readController())).pause).toBeUndefined();
      expect(await world.run(pause(world, week))).toMatchObject({ kind: 'done' });
    });
});

describe('the whole controller', () => {
  story('that is not paused is not resumed', async (world) => {
    expect(await world.run(resumeController(world.ports, { author: 'ann', reason: 'done' }))).toMatchObject({
      code: 'NOT_PAUSED',
      detail: 'the controller is not paused',
    });
    expect(world.notifier.published).toEqual([]);
  });

  story('tells people what was done to everything', async (world) => {
    await world.run(pauseController(world.ports, ask));
    await world.run(resumeController(world.ports, { author: 'bob', reason: 'done' }));
    await world.run(world.store.tripBrake(zone, ['x'], world.clock.now()));
    await world.run(releaseBrake(world.ports, zone, done));
    expect(world.notifier.published.map((each) => each.attributes['outcome'])).toEqual([
      'CONTROLLER_PAUSED',
      'CONTROLLER_RESUMED',
      'BRAKE_RELEASED',
    ]);
    expect(world.notifier.published[0]?.body).toContain('by ann: patching');
    expect(world.notifier.published[1]?.body).toContain('resumed by bob');
    expect(world.notifier.published[1]?.body).toContain('By bob: done');
    expect(world.notifier.published[2]?.body).toContain('By ann: done');
  });

  story('is paused also when people cannot be told, and the operator hears that', async (world) => {
    world.notifier.fail(1);
    const answer = await world.run(pauseController(world.ports, ask));
    expect(answer).toMatchObject({ kind: 'done', detail: expect.stringContaining('could not be told') });
    expect((await world.run(world.store.readController())).pause).toMatchObject({ author: 'ann' });
  });

  story('is paused and resumed', async (world) => {
    expect(await world.run(pauseController(world.ports, ask))).toMatchObject({
      kind: 'done',
      detail: expect.stringMatching(/^everything is paused until \S+ by ann: patching$/),
    });
    world.ec2.impair(a);
    expect((await world.look(world.alarm(a))).code).toBe('CONTROLLER_PAUSED');
    expect(await world.run(resumeController(world.ports, done))).toMatchObject({
      kind: 'done',
      detail: 'everything is resumed by ann; looked at within a minute',
    });
    expect((await world.look(world.alarm(a))).code).toBe('COMPLETED');
  });
});

describe('the brake', () => {
  story('is released by command, and only if it is on', async (world) => {
    expect(await world.run(releaseBrake(world.ports, zone, done))).toMatchObject({ code: 'NO_BRAKE' });
    await world.run(world.store.tripBrake(zone, ['x'], world.clock.now()));
    world.ec2.impair(a);
    expect((await world.look(world.alarm(a))).code).toBe('BRAKE');
    expect(await world.run(releaseBrake(world.ports, zone, done))).toMatchObject({ kind: 'done' });
    expect((await world.look(world.alarm(a))).code).toBe('COMPLETED');
  });
});

describe('an acknowledgement', () => {
  const failed = async (world: World) => {
    world.ec2.impair(a);
    await world.look(world.alarm(a));
    world.ec2.recover(a);
  };

  story('lets the member take the interfaces again', async (world) => {
    await failed(world);
    world.ec2.setState(c, 'stopped');
    expect(
      await world.run(acknowledge(world.ports, ordersDb, { author: 'ann', reason: 'repaired' })),
    ).toMatchObject({
      kind: 'done',
    });
    expect(world.service()).toMatchObject({ quarantine: {}, failoversAtMs: [] });
    expect(world.records('ack')).toMatchObject([
      { author: 'ann', quarantinesEnded: a, failoversForgotten: 1 },
    ]);
    world.ec2.impair(b);
    await world.look(world.alarm(b));
    expect([front, management].map((eni) => world.ec2.where(eni)?.instanceId)).toEqual([a, a]);
  });

  story('of everything forgets the failovers that waited for a source to stop', async (world) => {
    world.store.change(ordersDb, (state) => ({ ...state, unfencedAtMs: [1, 2] }));
    await world.run(acknowledge(world.ports, ordersDb, { author: 'ann', reason: 'stopped by hand' }));
    expect(world.records('ack')).toMatchObject([{ failoversForgotten: 2 }]);
    expect(world.service()).not.toHaveProperty('unfencedAtMs');
  });

  story('of one member leaves no count where there is none', async (world) => {
    await failed(world);
    await world.run(acknowledge(world.ports, ordersDb, { author: 'ann', reason: 'repaired' }, a));
    expect(world.service()).not.toHaveProperty('unfencedAtMs');
  });

  story('of one member leaves the others, the budget and a suspended failback', async (world) => {
    await failed(world);
    const failbackSuspended = { sinceMs: 1, why: 'x' };
    world.store.change(ordersDb, (state) => ({
      ...state,
      failbackSuspended,
      unfencedAtMs: [1],
      quarantine: { ...state.quarantine, [c]: { sinceMs: 0, why: 'x' } },
    }));
    await world.run(acknowledge(world.ports, ordersDb, { author: 'ann', reason: 'repaired' }, a));
    expect(Object.keys(world.service().quarantine)).toEqual([c]);
    expect(world.service().failoversAtMs).toHaveLength(1);
    expect(world.service().unfencedAtMs).toEqual([1]);
    expect(world.service().failbackSuspended).toEqual(failbackSuspended);
    const [record] = world.records('ack');
    expect(record).toMatchObject({ quarantinesEnded: a, failoversForgotten: 0 });
    expect(record).not.toHaveProperty('failbackWasSuspended');
  });

  const waiting: readonly (readonly [string, Partial<ServiceState>, Readonly<Record<string, unknown>>])[] = [
    [
      'a quarantine',
      { quarantine: { [c]: { sinceMs: 0, why: 'x' } } },
      { quarantinesEnded: c, failoversForgotten: 0, was: 'nothing' },
    ],
    [
      'spent failovers',
      { failoversAtMs: [1, 2] },
      { quarantinesEnded: 'none', failoversForgotten: 2, was: 'nothing' },
    ],
    [
      'a refusal',
      { lastRefusal: 'BRAKE' },
      { quarantinesEnded: 'none', failoversForgotten: 0, was: 'BRAKE' },
    ],
    ['something observed', { lastObserved: 'SPLIT on two' }, { was: 'SPLIT on two' }],
    [
      'a suspended failback',
      { failbackSuspended: { sinceMs: 1, why: 'asked for' } },
      { was: 'nothing', failbackWasSuspended: 'asked for' },
    ],
  ];
  for (const [what, change, record] of waiting)
    story(`of ${what} alone is on record and clears it`, async (world) => {
      world.store.change(ordersDb, (state) => ({ ...state, ...change }));
      const answer = await world.run(acknowledge(world.ports, ordersDb, { author: 'ann', reason: 'seen' }));
      expect(answer).toMatchObject({ kind: 'done' });
      expect(world.records('ack')).toMatchObject([{ reason: 'seen', ...record }]);
      expect(world.service()).toMatchObject({ quarantine: {}, failoversAtMs: [] });
      expect(world.service().lastRefusal ?? world.service().lastObserved).toBeUndefined();
    });

  const preferred: readonly (readonly [string, Partial<ServiceState>, number | undefined])[] = [
    ['goes on where failbacks were not suspended', { lastRefusal: 'BRAKE' }, 7],
    ['begins anew where they were', { failbackSuspended: { sinceMs: 1, why: 'x' } }, undefined],
  ];
  for (const [what, change, sinceMs] of preferred)
    story(`the preferred member's time ${what}`, async (world) => {
      world.store.change(ordersDb, (state) => ({ ...state, preferredSinceMs: 7, ...change }));
      await world.run(acknowledge(world.ports, ordersDb, done));
      expect(world.service().preferredSinceMs).toBe(sinceMs);
    });

  story('of nothing is refused', async (world) => {
    expect(await world.run(acknowledge(world.ports, ordersDb, { author: 'ann', reason: 'x' }))).toMatchObject(
      {
        code: 'NOTHING_TO_ACKNOWLEDGE',
      },
    );
    expect(
      await world.run(acknowledge(world.ports, ordersDb, { author: 'ann', reason: 'x' }, b)),
    ).toMatchObject({
      code: 'NOT_QUARANTINED',
    });
  });
});
