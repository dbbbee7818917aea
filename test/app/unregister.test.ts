/** Unregistering leaves a tombstone that a later registration continues, and gives the interfaces free. */
import { describe, expect } from 'vitest';
import { register } from '../../shared/app/register.ts';
import { switchover } from '../../shared/app/request.ts';
import { unregister } from '../../shared/app/unregister.ts';
import type { AttachmentId, ServiceName } from '../../shared/core/ids.ts';
import type { ServiceState } from '../../shared/core/state.ts';
import { verifyChain } from '../../shared/core/trail.ts';
import { sha256 } from '../fakes/invariants.ts';
import { a, b, front, management, ordersDb, type World } from '../fakes/world.ts';
import { story } from './story.ts';
import { sweeping } from './sweeping.ts';

const by = { author: 'ann', reason: 'the database is retired' };
const end = (world: World) => world.run(unregister(world.ports, ordersDb, by));
const change = (world: World, to: Partial<ServiceState>) =>
  world.store.change(ordersDb, (state) => ({ ...state, ...to }));

describe('unregistering', () => {
  story('leaves a tombstone, frees the interfaces, and ends the watch', async (world) => {
    change(world, { lastRefusal: 'X', lastObserved: 'Y', notReady: 'Z', epoch: 7 });
    change(world, { quarantine: { [b]: { sinceMs: 0, why: 'x' } } });
    change(world, { pause: { reason: 'x', author: 'x', atMs: 0, untilMs: 1 } });
    const before = world.service();
    expect(await end(world)).toMatchObject({ kind: 'done' });
    const after = world.service();
    expect(after).toMatchObject({ tombstone: true, epoch: 7, quarantine: before.quarantine });
    for (const gone of ['pause', 'lastRefusal', 'lastObserved', 'notReady', 'lastSeen'])
      expect(after).not.toHaveProperty(gone);
    expect(world.records('change').at(-1)).toMatchObject({ outcome: 'UNREGISTERED', ...by });
    expect(world.notifier.of('UNREGISTERED')).toHaveLength(1);
    expect([front, management].map((eni) => world.store.ownerOf(eni))).toEqual(['released', 'released']);
    expect((await world.run(world.store.list())).names).toEqual([]);
    expect(await world.run(world.store.servicesOfInstance(a))).toEqual([ordersDb]);
    world.ec2.impair(a);
    expect(await world.look(world.alarm(a))).toMatchObject({ kind: 'nothing', code: 'NO_SUCH_SERVICE' });
    expect(world.holder()).toBe(a);
  });

  story('and registering again goes on with epoch, rev and trail', async (world) => {
    change(world, { epoch: 7 });
    await end(world);
    const { rev } = world.service();
    const again = register(world.ports, { declaration: world.declaration, author: 'bob' });
    expect(await world.run(again)).toMatchObject({ kind: 'registered', isNew: true, changes: [] });
    expect(world.service()).toMatchObject({ epoch: 7, lastSeen: { holder: a } });
    expect(world.service()).not.toHaveProperty('tombstone');
    expect(world.service().rev).toBeGreaterThan(rev);
    expect(world.store.ownerOf(front)).toBe(ordersDb);
    const rows = world.store.rows(ordersDb);
    expect(rows.map((each) => each.number)).toEqual([1, 2, 3]);
    expect(verifyChain(rows, sha256, world.service().trail.head)).toEqual([]);
    world.ec2.impair(a);
    expect((await world.look(world.alarm(a))).code).toBe('COMPLETED');
  });

  story('what a stack registered warns that its next deployment may undo it', async (world) => {
    change(world, { source: 'arn:stack/orders' });
    expect((await end(world)).detail).toContain('arn:stack/orders may undo it');
  });

  const hindered: readonly (readonly [string, string, (world: World) => unknown])[] = [
    [
      'an episode is open',
      'EPISODE_OPEN',
      async (world) => {
        world.excuse(['S12']);
        world.ec2.impair(a);
        world.begin(world.alarm(a));
        await world.clock.advance(400);
      },
    ],
    [
      'it is stranded',
      'STRANDED',
      (world) => {
        const plan = { target: b, tried: [b], detach: 'plain', plainDetachMs: 1, interfaces: [] } as const;
        change(world, { stranded: { sinceMs: 0, plan, why: 'nobody took it', tries: 1 } });
      },
    ],
    ['a request waits', 'REQUEST_WAITS', (world) => world.run(switchover(world.ports, ordersDb, b, by))],
    [
      'a detach of ours may still come',
      'LATE_EFFECTS',
      (world) =>
        change(world, {
          mayDetach: ['eni-attach-0123456789abcdef0' as AttachmentId],
          mayDetachUntilMs: world.clock.now() + 60_000,
        }),
    ],
  ];
  for (const [when, code, prepare] of hindered)
    story(`is refused while ${when}`, async (world) => {
      await prepare(world);
      expect(await end(world)).toMatchObject({ kind: 'refused', code });
      expect(world.service()).not.toHaveProperty('tombstone');
      expect(world.store.ownerOf(front)).toBe(ordersDb);
      await world.clock.advance(60_000);
    });

  story('is not held up by what can have no effect any more', async (world) => {
    const mayDetach = ['eni-attach-0123456789abcdef0' as AttachmentId];
    change(world, { mayDetach, mayDetachUntilMs: world.clock.now() - 1 });
    expect(await end(world)).toMatchObject({ kind: 'done' });
    expect(world.service()).toMatchObject({ mayDetach });
  });

  story('is not held up by the time of a detach that was seen to its end', async (world) => {
    change(world, { mayDetach: [], mayDetachUntilMs: world.clock.now() + 60_000 });
    expect(await end(world)).toMatchObject({ kind: 'done' });
  });

  story('lets nothing go, not even for a moment, where others write all the time', async (world) => {
    world.store.fail('write', { kind: 'meanwhile', run: () => change(world, {}) }, { times: 9 });
    expect(await end(world)).toMatchObject({ kind: 'refused', code: 'LEASE_HELD' });
    const operations = world.store.calls.map((each) => each.operation);
    expect(operations).not.toContain('release');
    expect(operations).not.toContain('leaveZone');
  });

  for (const operation of ['release', 'leaveZone'] as const)
    story(`that dies at ${operation} is finished when it is asked for again`, async (world) => {
      world.store.fail(operation, { kind: 'unreachable' });
      await expect(end(world)).rejects.toMatchObject({ name: 'PortError' });
      expect(await end(world)).toMatchObject({ kind: 'refused', code: 'NO_SUCH_SERVICE' });
      expect([front, management].map((eni) => world.store.ownerOf(eni))).toEqual(['released', 'released']);
      expect((await world.run(world.store.list())).names).toEqual([]);
    });

  story('that is asked for again beside a new registration leaves that whole', async (world) => {
    await end(world);
    // Between the tombstone that the second one reads and what it lets go.
    world.store.fail('release', {
      kind: 'meanwhile',
      run: () => {
        world.store.change(ordersDb, ({ tombstone: _, ...state }) => state);
      },
    });
    expect(await end(world)).toMatchObject({ kind: 'refused', code: 'NO_SUCH_SERVICE' });
    expect([front, management].map((eni) => world.store.ownerOf(eni))).toEqual([ordersDb, ordersDb]);
    expect((await world.run(world.store.list())).names).toEqual([ordersDb]);
  });

  story('that is finished while a registration is under way takes nothing from it', async (world) => {
    await end(world);
    // The registration has its interfaces and has not written the item: all that is to be seen is the tombstone.
    world.store.fail('write', {
      kind: 'meanwhile',
      run: () => {
        for (const eni of [front, management]) void world.store.release(eni, ordersDb);
      },
    });
    const again = register(world.ports, { declaration: world.declaration, author: 'bob' });
    expect(await world.run(again)).toMatchObject({ kind: 'registered' });
    expect([front, management].map((eni) => world.store.ownerOf(eni))).toEqual([ordersDb, ordersDb]);
  });

  story('that finds an interface with another service says so', async (world) => {
    await end(world);
    const other = 'other-db' as ServiceName;
    world.store.fail('leaveZone', {
      kind: 'meanwhile',
      run: () => {
        world.store.change(ordersDb, ({ tombstone: _, ...state }) => state);
      },
    });
    expect(await world.run(world.store.own(front, other))).toEqual({ kind: 'owned' });
    await end(world);
    expect(world.lines).toContainEqual({
      level: 'error',
      message: 'an interface has two services',
      facts: { service: ordersDb, eni: front, kind: 'taken', owner: other },
    });
    expect(world.store.ownerOf(management)).toBe(ordersDb);
  });

  story('of what nobody registered is refused', async (world) => {
    const answer = unregister(world.ports, 'no-such' as ServiceName, by);
    expect(await world.run(answer)).toMatchObject({ kind: 'refused', code: 'NO_SUCH_SERVICE' });
  });

  story('is told also if the topic is away then: the sweep finds the tombstone', async (world) => {
    world.notifier.fail(1);
    await end(world);
    expect(world.notifier.of('UNREGISTERED')).toEqual([]);
    const process = sweeping(world);
    expect(await process.later()).toMatchObject({ services: 0 });
    expect(world.notifier.of('UNREGISTERED')).toHaveLength(1);
  });
});
