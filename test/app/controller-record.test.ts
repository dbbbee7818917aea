/** What is done to everything: each a record in the controller's own chain, and none of it on a failover's way. */
import { describe, expect, it } from 'vitest';
import { type AuditPorts, findRecords, verifyTrail } from '../../shared/app/audit.ts';
import { pauseController, releaseBrake, resumeController } from '../../shared/app/operate.ts';
import type { RecordsQuery } from '../../shared/core/audit-query.ts';
import { makeFakeTrail } from '../fakes/fake-trail.ts';
import { a, makeWorld, type World, zone } from '../fakes/world.ts';
import { story } from './story.ts';
import { sweeping } from './sweeping.ts';

const minute = 60_000;
const ann = { author: 'ann', reason: 'network works', forMs: 30 * minute };
const bob = { author: 'bob', reason: 'the network is well' };

const audit = (world: World): AuditPorts => ({
  trail: makeFakeTrail(world.store),
  hash: world.ports.hash,
  clock: world.clock,
});

/** As functions/audit answers it, oldest first. */
async function records(world: World, query: RecordsQuery = { service: '*' }) {
  const asked = await world.run(findRecords(audit(world), query));
  if (asked.kind !== 'answer') throw new Error(JSON.stringify(asked));
  return asked.answer.records.toReversed();
}
const outcomes = async (world: World, query?: RecordsQuery) =>
  (await records(world, query)).map(({ service, number, outcome }) => `${service}#${number} ${outcome}`);

async function expectWholeChain(world: World, count: number): Promise<void> {
  const verified = await world.run(verifyTrail(audit(world), { service: '*' }, Number.POSITIVE_INFINITY));
  expect(verified).toMatchObject({ kind: 'answer', answer: { records: count, faults: [], cursor: null } });
}

const pauseAll = (world: World, forMs = ann.forMs) =>
  world.run(pauseController(world.ports, { ...ann, forMs }));
const resumeAll = (world: World) => world.run(resumeController(world.ports, bob));
const brake = (world: World) => world.run(world.store.tripBrake(zone, ['x', 'y'], world.clock.now()));
const release = (world: World) => world.run(releaseBrake(world.ports, zone, bob));

describe('what is done to everything', () => {
  story('is on record, with author, reason and outcome, each hung on the one before', async (world) => {
    const until = new Date(world.clock.now() + ann.forMs).toISOString().slice(0, 16);
    await pauseAll(world);
    await resumeAll(world);
    await brake(world);
    await release(world);
    expect(await records(world)).toMatchObject([
      {
        service: '*',
        number: 1,
        kind: 'pause',
        outcome: 'CONTROLLER_PAUSED',
        author: 'ann',
        reason: 'network works',
        until: expect.stringContaining(until),
      },
      { number: 2, kind: 'resume', outcome: 'CONTROLLER_RESUMED', author: 'bob', pausedBy: 'ann' },
      { number: 3, kind: 'ack', outcome: 'BRAKE_RELEASED', author: 'bob', zone, trippedBy: ['x', 'y'] },
    ]);
    await expectWholeChain(world, 3);
    expect(world.store.peekController()).toMatchObject({ trail: { next: 4 } });
    expect(world.store.peekController()).not.toHaveProperty('frozen');
  });

  story('is found by its author, by its day and without a service', async (world) => {
    await pauseAll(world);
    await resumeAll(world);
    expect(await outcomes(world, { author: 'bob' })).toEqual(['*#2 CONTROLLER_RESUMED']);
    const from = world.clock.now() - minute;
    expect(await outcomes(world, { from, kind: 'pause' })).toEqual(['*#1 CONTROLLER_PAUSED']);
    expect(await outcomes(world, { from, service: '*' })).toHaveLength(2);
  });

  story('is told with its place in the trail', async (world) => {
    await pauseAll(world);
    const [record] = world.store.rows('*');
    const [notice] = world.notifier.of('CONTROLLER_PAUSED');
    expect(notice?.text).toContain(`Trail #1, head ${record?.hash}`);
    expect(notice?.service).toBe('*');
  });

  story('before there was anything of it is an empty trail, and a whole one', async (world) => {
    expect(await records(world)).toEqual([]);
    await expectWholeChain(world, 0);
  });

  story('on an item that an older version left, begins the chain', async (world) => {
    world.store.pauseAll({ author: 'ann', reason: 'x', atMs: 0, untilMs: world.clock.now() + minute });
    expect(await resumeAll(world)).toMatchObject({ kind: 'done' });
    expect(await outcomes(world)).toEqual(['*#1 CONTROLLER_RESUMED']);
    expect((await world.run(world.store.readController())).pause).toBeUndefined();
  });

  story('by two at once is on record twice, one behind the other', async (world) => {
    const both = [ann, { ...ann, author: 'bob' }].map((by) => pauseController(world.ports, by));
    expect(await world.run(Promise.all(both))).toMatchObject([{ kind: 'done' }, { kind: 'done' }]);
    expect(await records(world)).toHaveLength(2);
    await expectWholeChain(world, 2);
  });

  story('although others record all the time, is given up, and says so', async (world) => {
    const run = () => world.store.changeController((item) => item);
    world.store.fail('writeControllerItem', { kind: 'meanwhile', run }, { times: 50 });
    expect(await pauseAll(world)).toMatchObject({ kind: 'refused', code: 'LEASE_HELD' });
    expect((await world.run(world.store.readController())).pause).toBeUndefined();
    expect(world.notifier.published).toEqual([]);
  });
  story('is done on what another recorded in between', async (world) => {
    await pauseAll(world);
    const run = () => world.store.changeController(({ pause: _, ...item }) => item);
    world.store.fail('writeControllerItem', { kind: 'meanwhile', run });
    expect(await resumeAll(world)).toMatchObject({ kind: 'refused', code: 'NOT_PAUSED' });
  });
});

describe('a record that was not copied', () => {
  const failCopies = (world: World) => world.store.fail('copyToTrail', { kind: 'unreachable' }, { times: 9 });

  story('stays frozen: what it tells of is done, and the next command copies it first', async (world) => {
    failCopies(world);
    expect(await pauseAll(world)).toMatchObject({ kind: 'done' });
    expect((await world.run(world.store.readController())).pause).toMatchObject({ author: 'ann' });
    expect(await records(world)).toEqual([]);
    // Nothing is lost meanwhile, and verify knows it.
    await expectWholeChain(world, 1);
    world.store.heal();
    await resumeAll(world);
    expect(await outcomes(world)).toEqual(['*#1 CONTROLLER_PAUSED', '*#2 CONTROLLER_RESUMED']);
    await expectWholeChain(world, 2);
  });

  story('is never overwritten: while it cannot be copied, nothing more is done', async (world) => {
    failCopies(world);
    await pauseAll(world);
    await expect(resumeAll(world)).rejects.toMatchObject({ name: 'PortError' });
    expect((await world.run(world.store.readController())).pause).toMatchObject({ author: 'ann' });
    expect(world.store.peekController().frozen).toMatchObject({ number: 1 });
  });

  story('is copied by the sweep', async (world) => {
    failCopies(world);
    await pauseAll(world);
    world.store.heal();
    await sweeping(world).later();
    expect(await outcomes(world)).toEqual(['*#1 CONTROLLER_PAUSED']);
    expect(world.store.peekController()).not.toHaveProperty('frozen');
    expect((await world.run(world.store.readController())).pause).toMatchObject({ author: 'ann' });
  });

  story('is left to whoever wrote it for a moment', async (world) => {
    world.store.fail('copyToTrail', { kind: 'unreachable', afterMs: 5 }, { times: 9 });
    await pauseAll(world);
    world.store.heal();
    const { sweep, later } = sweeping(world);
    await sweep();
    expect(await records(world)).toEqual([]);
    await later();
    expect(await records(world)).toHaveLength(1);
  });
});

story('a pause of everything whose answer was lost is on record once', async (world) => {
  world.store.fail('writeControllerItem', { kind: 'answer-lost' });
  await pauseAll(world).catch(() => undefined);
  expect(world.store.peekController()).toMatchObject({ pause: { author: 'ann' }, frozen: { number: 1 } });
  await resumeAll(world);
  expect(await outcomes(world)).toEqual(['*#1 CONTROLLER_PAUSED', '*#2 CONTROLLER_RESUMED']);
});

describe('a brake', () => {
  const isOn = async (world: World) =>
    (await world.run(world.store.readController())).brakes[zone] !== undefined;

  story('is not released without a record', async (world) => {
    await brake(world);
    world.store.fail('writeControllerItem', { kind: 'unreachable' });
    await expect(release(world)).rejects.toMatchObject({ name: 'PortError' });
    expect(await isOn(world)).toBe(true);
    expect(world.store.calls.map(({ operation }) => operation)).not.toContain('releaseBrake');
  });

  story(
    'whose release failed has a record of what was begun, and is released by the next command',
    async (world) => {
      await brake(world);
      world.store.fail('releaseBrake', { kind: 'unreachable' });
      await expect(release(world)).rejects.toMatchObject({ name: 'PortError' });
      expect(await isOn(world)).toBe(true);
      expect(world.notifier.of('BRAKE_RELEASED')).toEqual([]);
      expect(await release(world)).toMatchObject({ kind: 'done' });
      expect(await isOn(world)).toBe(false);
      expect(await records(world)).toMatchObject([
        { number: 1, detail: expect.stringMatching(/^releasing the brake of/) },
        { number: 2, outcome: 'BRAKE_RELEASED' },
      ]);
    },
  );
});

describe('the end of a pause of everything', () => {
  story('that came by itself is on record once, and the pause is gone', async (world) => {
    await pauseAll(world);
    const { later, restart } = sweeping(world);
    await later(31);
    await later();
    restart();
    await later();
    expect(await records(world)).toMatchObject([
      { kind: 'pause' },
      { kind: 'resume', outcome: 'PAUSE_ENDED', author: 'eni-failover', pausedBy: 'ann' },
    ]);
    expect((await world.run(world.store.readController())).pause).toBeUndefined();
    expect(world.notifier.of('PAUSE_ENDED')).toHaveLength(1);
    await expectWholeChain(world, 2);
  });

  story('is recorded after people were told, and long after only recorded', async (world) => {
    await pauseAll(world);
    world.notifier.fail(1);
    const handle = sweeping(world);
    await handle.later(31);
    expect(await records(world)).toHaveLength(1);
    world.notifier.fail(0);
    await handle.later(20);
    expect(world.notifier.of('PAUSE_ENDED')).toEqual([]);
    expect(await records(world)).toHaveLength(2);
  });

  story('that was told and could not be recorded is recorded later, and not told again', async (world) => {
    await pauseAll(world);
    world.store.fail('writeControllerItem', { kind: 'unreachable' });
    const { later } = sweeping(world);
    await later(31);
    expect(await records(world)).toHaveLength(1);
    await later();
    expect(await records(world)).toHaveLength(2);
    expect(world.notifier.of('PAUSE_ENDED')).toHaveLength(1);
  });

  story('takes nothing from a pause that was made meanwhile', async (world) => {
    await pauseAll(world);
    await world.clock.advance(31 * minute);
    // Between the sweep's read and its write.
    const run = () => {
      const atMs = world.clock.now();
      const pause = { author: 'bob', reason: 'more of it', atMs, untilMs: atMs + minute };
      world.store.changeController((item) => ({ ...item, pause }));
    };
    world.store.fail('writeControllerItem', { kind: 'meanwhile', run });
    await sweeping(world).sweep();
    expect(world.store.peekController().pause).toMatchObject({ author: 'bob' });
    expect(await records(world)).toHaveLength(1);
  });

  story('leaves the sweep whole where the item cannot be read', async (world) => {
    await pauseAll(world);
    world.store.fail('readControllerItem', { kind: 'unreachable' });
    expect(await sweeping(world).later(31)).toMatchObject({ services: 1, failed: [] });
  });
});

it('a failover makes the same calls, whatever the controller’s trail holds', async () => {
  const callsOf = async (prepare: (world: World) => Promise<unknown>) => {
    const world = await makeWorld();
    await prepare(world);
    const before = world.store.calls.length;
    world.ec2.impair(a);
    expect(await world.look(world.alarm(a))).toMatchObject({ code: 'COMPLETED' });
    return world.store.calls.slice(before).map(({ operation }) => operation);
  };
  const plain = await callsOf(async () => undefined);
  const busy = await callsOf(async (world) => {
    await pauseAll(world);
    world.store.fail('copyToTrail', { kind: 'unreachable' });
    await resumeAll(world);
    world.store.heal();
    expect(world.store.peekController().frozen).toBeDefined();
  });
  expect(busy).toEqual(plain);
  for (const operation of ['readControllerItem', 'writeControllerItem', 'clearControllerFrozen'])
    expect(plain).not.toContain(operation);
});
