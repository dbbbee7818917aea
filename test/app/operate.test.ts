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
import { a, b, c, front, management, ordersDb, type World, zone } from '../fakes/world.ts';
import { story } from './story.ts';

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
      expect(await world.run(resumeService(world.ports, ordersDb, 'bob'))).toMatchObject({ kind: 'done' });
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
    expect(await world.run(resumeService(world.ports, ordersDb, 'ann'))).toMatchObject({
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

describe('the whole controller', () => {
  story('is paused and resumed', async (world) => {
    await world.run(pauseController(world.ports, ask));
    world.ec2.impair(a);
    expect((await world.look(world.alarm(a))).code).toBe('CONTROLLER_PAUSED');
    expect(await world.run(resumeController(world.ports))).toMatchObject({ kind: 'done' });
    expect((await world.look(world.alarm(a))).code).toBe('COMPLETED');
  });
});

describe('the brake', () => {
  story('is released by command, and only if it is on', async (world) => {
    expect(await world.run(releaseBrake(world.ports, zone))).toMatchObject({ code: 'NO_BRAKE' });
    await world.run(world.store.tripBrake(zone, ['x'], world.clock.now()));
    world.ec2.impair(a);
    expect((await world.look(world.alarm(a))).code).toBe('BRAKE');
    expect(await world.run(releaseBrake(world.ports, zone))).toMatchObject({ kind: 'done' });
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
    expect(await world.run(acknowledge(world.ports, ordersDb, 'ann', 'repaired'))).toMatchObject({
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

  story('of one member leaves the others and the budget', async (world) => {
    await failed(world);
    world.store.change(ordersDb, (state) => ({
      ...state,
      quarantine: { ...state.quarantine, [c]: { sinceMs: 0, why: 'x' } },
    }));
    await world.run(acknowledge(world.ports, ordersDb, 'ann', 'repaired', a));
    expect(Object.keys(world.service().quarantine)).toEqual([c]);
    expect(world.service().failoversAtMs).toHaveLength(1);
  });

  story('of nothing is refused', async (world) => {
    expect(await world.run(acknowledge(world.ports, ordersDb, 'ann', 'x'))).toMatchObject({
      code: 'NOTHING_TO_ACKNOWLEDGE',
    });
    expect(await world.run(acknowledge(world.ports, ordersDb, 'ann', 'x', b))).toMatchObject({
      code: 'NOT_QUARANTINED',
    });
  });
});
