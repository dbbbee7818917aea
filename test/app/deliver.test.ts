/** Notices and records on their way: nothing is lost, nothing is told under two names, and no move waits for it. */
import { describe, expect } from 'vitest';
import { deliver } from '../../shared/app/deliver.ts';
import { times } from '../../shared/core/times.ts';
import { waitingNotice } from '../fakes/notices.ts';
import { a, front, management, ordersDb, type World } from '../fakes/world.ts';
import { story } from './story.ts';

const fails = async (world: World) => {
  world.ec2.impair(a);
  return world.look(world.alarm(a));
};

describe('a notice', () => {
  story('that cannot be published does not hold up or undo the move', async (world) => {
    world.notifier.fail(99);
    expect((await fails(world)).code).toBe('COMPLETED');
    expect(world.service().outbox.map((each) => each.dedupeId)).toEqual(['orders-db.1.COMPLETED']);
  });

  story('that failed is sent by the next look, with the same id and the same words', async (world) => {
    world.notifier.fail(1);
    await fails(world);
    const waiting = world.service().outbox[0];
    await world.clock.advance(5_000);
    await world.look(world.alarm(a));
    expect(world.notifier.published).toHaveLength(1);
    expect(world.notifier.published[0]).toMatchObject({ ...waiting });
    expect(world.service().outbox).toEqual([]);
  });

  story('that was written just now is left to its writer by a look beside it', async (world) => {
    world.notifier.fail(1);
    await fails(world);
    await world.look(world.alarm(a));
    expect(world.notifier.published).toEqual([]);
  });

  story('that failed is sent by the watchdog, without anyone else', async (world) => {
    world.notifier.fail(1);
    await fails(world);
    await world.settle();
    expect(world.notifier.of('COMPLETED')).toHaveLength(1);
    expect(world.service().outbox).toEqual([]);
  });

  const looks: readonly (readonly [string, (world: World) => void])[] = [
    ['a refusal that is on record already', (world) => world.ec2.impair(a)],
    [
      'a look that finds the health unknown',
      (world) =>
        world.ec2.change(a, {
          checks: { system: 'insufficient-data', instance: 'ok', ebs: 'ok', impairedSinceMs: undefined },
        }),
    ],
  ];
  for (const [what, set] of looks)
    story(`that failed is sent also by ${what}`, { policy: { mode: 'observe' } }, async (world) => {
      world.notifier.fail(1);
      world.ec2.impair(a);
      await world.look(world.alarm(a));
      expect(world.service().outbox).toHaveLength(1);
      set(world);
      await world.clock.advance(5_000);
      await world.look(world.sweep());
      await world.look(world.alarm(a));
      expect(world.notifier.of('OBSERVE_ONLY')).toHaveLength(1);
      expect(world.service().outbox).toEqual([]);
    });

  story('of an unregistered service is still sent', async (world) => {
    world.notifier.fail(1);
    await fails(world);
    world.store.change(ordersDb, (state) => ({ ...state, tombstone: true }));
    await world.clock.advance(5_000);
    await world.look(world.sweep());
    expect(world.notifier.of('COMPLETED')).toHaveLength(1);
  });

  /** The item as DynamoDB has it, with these in its outbox. */
  const waits = (world: World, ...outbox: unknown[]) =>
    world.store.put(ordersDb, { ...(world.store.raw(ordersDb) as object), outbox });
  const older = {
    dedupeId: 'orders-db.1.COMPLETED',
    atMs: 5,
    keep: true,
    subject: '[eni-failover] WARNING: orders-db: failed over to i-1',
    body: 'WARNING: orders-db: failed over to i-1\n\nno other member\n\n--- the same for programs ---\n{}',
    attributes: { service: 'orders-db', outcome: 'COMPLETED', severity: 'warning', dedupeId: 'x' },
  };

  story('of an older version is told in its own words, and the service fails over', async (world) => {
    waits(world, older, { ...older, dedupeId: 'orders-db.refusal.3' });
    expect((await fails(world)).code).toBe('COMPLETED');
    const told = world.notifier.published.filter((each) => each.atMs === 5);
    expect(told.map(({ dedupeId, kind, headline }) => [dedupeId, kind, headline])).toEqual([
      ['orders-db.1.COMPLETED', 'episode', 'failed over to i-1'],
      ['orders-db.refusal.3', 'refusal', 'failed over to i-1'],
    ]);
    expect(told[0]).toMatchObject({ subject: older.subject, text: older.body, lines: ['no other member'] });
    expect(told[0]?.program.text).toBe(older.body);
    expect(world.service().outbox).toEqual([]);
  });

  story('of an older version is stored as it was while the topic is away', async (world) => {
    waits(world, older);
    world.notifier.fail(99);
    await fails(world);
    await world.run(deliver(world.ports, world.service()));
    world.notifier.fail(0);
    await world.run(deliver(world.ports, world.service()));
    expect(world.notifier.published[0]).toMatchObject({ subject: older.subject, body: older.body });
  });

  story('that nobody understands holds up no failover, and calls a person in its place', async (world) => {
    const long = { dedupeId: 'x', atMs: 7, words: 'w'.repeat(5_000) };
    const odd = [long, null, 'text', 7, [], { dedupeId: 'y', atMs: -1 }, { ...older, atMs: 1e300 }];
    waits(world, ...odd);
    expect((await fails(world)).code).toBe('COMPLETED');
    const told = world.notifier.of('NOTICE_UNREADABLE');
    expect(new Set(told.map((each) => each.dedupeId)).size).toBe(odd.length);
    expect(told.map((each) => each.severity)).toEqual(odd.map(() => 'critical'));
    expect(told[0]).toMatchObject({ atMs: 7, keep: true, service: ordersDb });
    expect(told[0]?.body).toContain('(the first 4000 of');
    expect(told[0]?.body.length).toBeLessThan(5_000);
    expect(told[2]?.body).toContain('"text"');
    expect(world.service().outbox).toEqual([]);
    const logged = world.lines.filter((each) => each.message === 'a notice could not be understood');
    expect(logged.map((each) => each.level)).toEqual(odd.map(() => 'error'));
  });

  story('whose clearing was lost is sent twice under one id', async (world) => {
    await fails(world);
    world.store.change(ordersDb, (state) => ({
      ...state,
      outbox: world.notifier.published.map(({ publishedAtMs: _, ...entry }) => entry),
    }));
    await world.clock.advance(5_000);
    await world.look(world.alarm(a));
    expect(new Set(world.notifier.published.map((each) => each.dedupeId))).toEqual(
      new Set(['orders-db.1.COMPLETED']),
    );
    expect(world.service().outbox).toEqual([]);
  });

  story('is cleared only if it was published, also when another one is written meanwhile', async (world) => {
    world.notifier.fail(1);
    await fails(world);
    const extra = waitingNotice('another');
    world.store.fail('write', {
      kind: 'meanwhile',
      run: () => world.store.change(ordersDb, (state) => ({ ...state, outbox: [...state.outbox, extra] })),
    });
    await world.clock.advance(5_000);
    await world.look(world.alarm(a));
    expect(world.service().outbox.map((each) => each.dedupeId)).toEqual(['another']);
  });

  story('that others write over four times is left to the next one who looks', async (world) => {
    world.notifier.fail(1);
    await fails(world);
    await world.clock.advance(5_000);
    const writeAgain = () => world.store.change(ordersDb, (state) => ({ ...state }));
    world.store.fail('write', { kind: 'meanwhile', run: writeAgain }, { times: 20 });
    const before = world.store.calls.length;
    await world.run(deliver(world.ports, world.service()));
    const writes = world.store.calls.slice(before).filter((each) => each.operation === 'write');
    expect(writes).toHaveLength(4);
    expect(world.service().outbox).toHaveLength(1);
    world.store.heal();
    await world.run(deliver(world.ports, world.service()));
    expect(world.service().outbox).toEqual([]);
  });

  story('that could not be published costs no write', async (world) => {
    world.notifier.fail(99);
    await fails(world);
    const { rev } = world.service();
    await world.run(deliver(world.ports, world.service()));
    expect(world.service().rev).toBe(rev);
  });

  story('of an end finds room in a full outbox, and no other end is dropped for it', async (world) => {
    const entry = (index: number, keep: boolean) => waitingNotice(`old-${index}`, { atMs: index, keep });
    world.store.change(ordersDb, (state) => ({
      ...state,
      outbox: Array.from({ length: 20 }, (_, index) => entry(index, index !== 7)),
    }));
    world.notifier.fail(99);
    await fails(world);
    const ids = world.service().outbox.map((each) => each.dedupeId);
    expect(ids).toHaveLength(20);
    expect(ids).not.toContain('old-7');
    expect(ids).toContain('orders-db.1.COMPLETED');
  });

  story('is fit for a phone: ASCII subject, what happened to which service, what to do', async (world) => {
    await fails(world);
    const [notice] = world.notifier.published;
    expect(notice?.subject.length).toBeLessThanOrEqual(100);
    expect(notice?.subject).toMatch(/^[\x20-\x7e]+$/);
    expect(notice?.body).toContain(`repair ${a}`);
    for (const eni of [front, management]) expect(notice?.body).toContain(eni);
  });
});

describe('a record', () => {
  const copies = (world: World) =>
    world.store.calls.filter((each) => each.operation === 'copyToTrail').length;

  story('that was frozen just now is left to its writer by a look beside it', async (world) => {
    world.store.fail('copyToTrail', { kind: 'unreachable', afterMs: 0 }, { times: 1 });
    await fails(world);
    const before = copies(world);
    await world.look(world.alarm(a));
    expect(copies(world)).toBe(before);
    await world.clock.advance(times.noticeIsTheirsMs);
    await world.look(world.alarm(a));
    expect(world.kinds()).toEqual(['episode']);
  });

  story('is copied and its slot cleared, also where its notice cannot be published', async (world) => {
    world.notifier.fail(99);
    await fails(world);
    expect(world.kinds()).toEqual(['episode']);
    expect(world.service().frozen).toBeUndefined();
    expect(world.service().outbox).toHaveLength(1);
  });

  story('that nobody is to be told of is copied all the same', async (world) => {
    world.store.fail('copyToTrail', { kind: 'unreachable' }, { times: 1 });
    await fails(world);
    expect(world.service().outbox).toEqual([]);
    await world.run(deliver(world.ports, world.service()));
    expect(world.kinds()).toEqual(['episode']);
    expect(world.service().frozen).toBeUndefined();
  });
});
