/** The lease and the writes under it: stolen, expired, thawed, unanswered, out of reach, raced. */
import { describe, expect, it } from 'vitest';
import { type Journal, makeJournal } from '../../shared/app/journal.ts';
import type { OwnerId } from '../../shared/core/ids.ts';
import type { ServiceState } from '../../shared/core/state.ts';
import { times } from '../../shared/core/times.ts';
import { a, b, front, makeWorld, management, ordersDb, type World } from '../fakes/world.ts';
import { story } from './story.ts';

const us = 'worker-us' as OwnerId;
const them = 'worker-them' as OwnerId;
const attachedTo = (world: World) => [front, management].map((eni) => world.ec2.where(eni)?.instanceId);

async function held(): Promise<{ world: World; journal: Journal }> {
  const world = await makeWorld();
  world.store.change(ordersDb, (state) => ({
    ...state,
    epoch: 1,
    lease: { owner: us, untilMs: world.clock.now() + times.leaseTtlMs },
    episode: {
      id: 'orders-db.1',
      kind: 'failover',
      state: 'CLAIMED',
      evidence: 'x',
      openedAtMs: world.clock.now(),
      plan: { target: b, tried: [b], detach: 'force', plainDetachMs: 0, interfaces: [] },
      committed: false,
      steps: [],
    },
  }));
  return { world, journal: makeJournal(world.ports, world.service(), us) };
}
const steal = (world: World) =>
  world.store.change(ordersDb, (state) => ({
    ...state,
    epoch: state.epoch + 1,
    lease: { owner: them, untilMs: world.clock.now() + times.leaseTtlMs },
  }));
const mark = (word: string) => (state: ServiceState) => ({ ...state, lastObserved: word });

describe('a journal', () => {
  it('renews its lease every five seconds as long as it lives', async () => {
    const { world, journal } = await held();
    await world.clock.advance(61_000);
    expect(journal.covers(times.ec2TimeoutMs)).toBe(true);
    expect(world.store.writes.filter((each) => each.after.lease?.owner === us).length).toBeGreaterThan(11);
    await world.run(journal.stop());
    const before = world.store.writes.length;
    await world.clock.advance(60_000);
    expect(world.store.writes).toHaveLength(before);
    expect(journal.covers(0)).toBe(false);
  });

  it('covers no call that could outlive the lease', async () => {
    const { world, journal } = await held();
    world.store.goDown();
    await world.clock.advance(10_900);
    expect(journal.covers(times.ec2TimeoutMs)).toBe(true);
    await world.clock.advance(200);
    expect(journal.covers(times.ec2TimeoutMs)).toBe(false);
    world.store.comeBack();
    await world.run(journal.stop());
  });

  it('writes its steps with the next write, in order and once', async () => {
    const { world, journal } = await held();
    journal.note({ step: 'one' });
    journal.note({ step: 'two' });
    const before = world.store.writes.length;
    expect(await world.run(journal.commit())).toBe('written');
    expect(world.store.writes).toHaveLength(before + 1);
    expect(world.service().episode?.steps.map((each) => each.step)).toEqual(['one', 'two']);
    await world.run(journal.stop());
  });

  it('sends one write at a time, whoever asks', async () => {
    const { world, journal } = await held();
    world.store.latencyMs = 300;
    const before = world.store.calls.length;
    const writing = ['a', 'b', 'c'].map((word) => journal.commit(mark(word)));
    expect(await world.run(Promise.all(writing))).toEqual(['written', 'written', 'written']);
    expect(world.service().lastObserved).toBe('c');
    const sentAtMs = world.store.calls.slice(before).map((each) => each.atMs);
    for (const [index, atMs] of sentAtMs.entries())
      if (index > 0) expect(atMs - (sentAtMs[index - 1] ?? 0)).toBeGreaterThanOrEqual(300);
    await world.run(journal.stop());
  });

  it('takes what others wrote in between and keeps it', async () => {
    const { world, journal } = await held();
    const pause = { reason: 'x', author: 'y', atMs: 0, untilMs: 1 };
    world.store.change(ordersDb, (state) => ({ ...state, pause }));
    expect(await world.run(journal.commit(mark('ours')))).toBe('written');
    expect(world.service()).toMatchObject({ pause, lastObserved: 'ours' });
    await world.run(journal.stop());
  });

  it('knows its own write whose answer was lost, and makes it once', async () => {
    const { world, journal } = await held();
    world.store.fail('write', { kind: 'answer-lost' });
    const add = (state: ServiceState): ServiceState => ({ ...state, detached: [...state.detached] });
    journal.note({ step: 'once' });
    expect(await world.run(journal.commit(add))).toBe('unreachable');
    expect(journal.status()).toBe('unreachable');
    expect(await world.run(journal.commit())).toBe('written');
    expect(journal.status()).toBe('held');
    expect(world.service().episode?.steps).toHaveLength(1);
    await world.run(journal.stop());
  });

  it('keeps what waits while the table is away, and writes it when it is back', async () => {
    const { world, journal } = await held();
    world.store.goDown();
    expect(await world.run(journal.commit(mark('late')))).toBe('unreachable');
    world.store.comeBack();
    expect(await world.run(journal.commit())).toBe('written');
    expect(world.service().lastObserved).toBe('late');
    await world.run(journal.stop());
  });

  it('is lost when the lease was stolen, and writes nothing more', async () => {
    const { world, journal } = await held();
    steal(world);
    expect(await world.run(journal.commit(mark('ours')))).toBe('lost');
    expect(journal.covers(0)).toBe(false);
    expect(await world.run(journal.commit(mark('again')))).toBe('lost');
    expect(world.service().lastObserved).toBeUndefined();
    await world.run(journal.stop());
  });

  it('is lost when its lease has expired, even if nobody took it', async () => {
    const { world, journal } = await held();
    world.store.change(ordersDb, (state) => ({
      ...state,
      lease: { owner: us, untilMs: world.clock.now() - 1 },
    }));
    expect(await world.run(journal.commit(mark('ours')))).toBe('lost');
    await world.run(journal.stop());
  });

  it('asks the table no more once it is lost', async () => {
    const { world, journal } = await held();
    steal(world);
    await world.run(journal.commit());
    const before = world.store.calls.length;
    expect(await world.run(journal.commit(mark('again')))).toBe('lost');
    await world.clock.advance(30_000);
    expect(world.store.calls).toHaveLength(before);
    await world.run(journal.stop());
  });

  it('is lost to its own owner of another epoch', async () => {
    const { world, journal } = await held();
    world.store.change(ordersDb, (state) => ({ ...state, epoch: state.epoch + 1 }));
    const before = world.store.calls.length;
    expect(await world.run(journal.commit(mark('ours')))).toBe('lost');
    expect(world.store.calls).toHaveLength(before + 1);
    expect(world.service().lastObserved).toBeUndefined();
    await world.run(journal.stop());
  });

  it('is lost when its lease was taken away within the epoch', async () => {
    const { world, journal } = await held();
    const untilMs = world.clock.now() + times.leaseTtlMs;
    world.store.change(ordersDb, (state) => ({ ...state, lease: { owner: them, untilMs } }));
    const before = world.store.calls.length;
    expect(await world.run(journal.commit(mark('ours')))).toBe('lost');
    expect(world.store.calls).toHaveLength(before + 1);
    expect(world.service().lastObserved).toBeUndefined();
    await world.run(journal.stop());
  });

  it('has nothing more to write once a change has ended its lease', async () => {
    const { world, journal } = await held();
    await world.run(journal.commit(({ lease: _, ...state }) => state));
    const before = world.store.calls.length;
    expect(await world.run(journal.commit(mark('after the end')))).toBe('written');
    await world.clock.advance(12_000);
    expect(world.store.calls).toHaveLength(before);
    await world.run(journal.stop());
  });

  it('goes by the declaration that somebody registered meanwhile', async () => {
    const { world, journal } = await held();
    const declared = JSON.stringify({ ...world.declaration, members: [{ instance: b }, { instance: a }] });
    world.store.change(ordersDb, (state) => ({ ...state, declared }));
    await world.run(journal.commit());
    expect(journal.service().declaration.members.map((each) => each.instance)).toEqual([b, a]);
    await world.run(journal.stop());
  });

  it('notes a step also where no episode is open: in the log alone', async () => {
    const { world, journal } = await held();
    await world.run(journal.commit(({ episode: _, ...state }) => state));
    journal.note({ step: 'late' });
    expect(await world.run(journal.commit())).toBe('written');
    expect(world.service().episode).toBeUndefined();
    expect(world.lines.at(-1)).toMatchObject({ message: 'late' });
    await world.run(journal.stop());
  });

  it('has nothing under way when it has stopped, and begins nothing', async () => {
    const { world, journal } = await held();
    world.store.latencyMs = 300;
    const writing = journal.commit(mark('under way'));
    await world.run(journal.stop());
    expect(world.service().lastObserved).toBe('under way');
    await world.run(writing);
    const before = world.store.calls.length;
    await world.clock.advance(12_000);
    expect(world.store.calls).toHaveLength(before);
  });

  it('renews nothing any more when it is stopped between two renewals', async () => {
    const { world, journal } = await held();
    const before = world.store.calls.length;
    await world.run(journal.stop());
    expect(world.store.calls).toHaveLength(before);
  });

  it('does not bring back a lease that a change has ended', async () => {
    const { world, journal } = await held();
    await world.run(journal.commit(({ lease: _, ...state }) => state));
    await world.clock.advance(12_000);
    expect(world.service().lease).toBeUndefined();
    await world.run(journal.stop());
  });
});

describe('a claim', () => {
  story('whose answer was lost is ours: one episode, and it goes on at once', async (world) => {
    world.ec2.impair(a);
    world.store.fail('write', { kind: 'answer-lost' });
    const startMs = world.clock.now();
    expect((await world.look(world.alarm(a))).code).toBe('COMPLETED');
    expect(world.clock.now() - startMs).toBeLessThan(10_000);
    expect(world.service().epoch).toBe(1);
    expect(world.episodes()).toHaveLength(1);
  });

  story(
    'that was never written because the table was away moves nothing and is made again',
    async (world) => {
      world.ec2.impair(a);
      world.store.fail('write', { kind: 'unreachable' });
      await world.look(world.alarm(a));
      await world.settle();
      expect(attachedTo(world)).toEqual([b, b]);
      expect(world.episodes()).toHaveLength(1);
    },
  );

  story('leaves a live lease alone and comes back after it', async (world) => {
    world.store.change(ordersDb, (state) => ({
      ...state,
      lease: { owner: them, untilMs: world.clock.now() + 10_000 },
    }));
    world.ec2.impair(a);
    expect(await world.look(world.alarm(a))).toMatchObject({ kind: 'nothing', code: 'LEASE_HELD' });
    expect(world.kinds(), 'only logged').toEqual([]);
    const waits = world.queue.waiting()[0]?.delayMs ?? 0;
    expect(waits).toBeGreaterThan(11_000);
    await world.settle();
    expect(attachedTo(world)).toEqual([b, b]);
  });

  story('takes a lease that expired', async (world) => {
    world.store.change(ordersDb, (state) => ({
      ...state,
      lease: { owner: them, untilMs: world.clock.now() - times.skewMarginMs - 1 },
    }));
    world.ec2.impair(a);
    expect((await world.look(world.alarm(a))).code).toBe('COMPLETED');
  });

  story('waits out the skew of two clocks', async (world) => {
    world.store.change(ordersDb, (state) => ({
      ...state,
      lease: { owner: them, untilMs: world.clock.now() - times.skewMarginMs + 100 },
    }));
    world.ec2.impair(a);
    expect((await world.look(world.alarm(a))).code).toBe('LEASE_HELD');
  });

  story('is not made on what was seen before somebody else wrote', async (world) => {
    world.ec2.impair(a);
    const before = world.ec2.calls.filter((each) => each.operation === 'checks').length;
    world.ec2.fail('checks', {
      kind: 'meanwhile',
      run: () => world.store.change(ordersDb, (state) => ({ ...state })),
    });
    expect((await world.look(world.alarm(a))).code).toBe('COMPLETED');
    // The first observation was thrown away.
    expect(world.ec2.calls.filter((each) => each.operation === 'checks')).toHaveLength(before + 2);
  });
});

describe('a worker that Lambda freezes', () => {
  for (const call of ['ec2.detach', 'ec2.attach', 'store.write', 'ec2.interfaces'])
    for (const forMs of [6_000, 20_000, 90_000])
      story(`before ${call} for ${forMs / 1_000} s harms nothing when it is thawed`, async (world) => {
        world.ec2.impair(a);
        const worker = world.worker(600_000);
        let seen = 0;
        worker.freezeAt((name) => {
          if (name !== call) return false;
          seen += 1;
          // The first read and the claim come before anything could go wrong.
          return call === 'ec2.interfaces' ? seen === 3 : call === 'store.write' ? seen === 2 : true;
        }, forMs);
        // A call that was on the wire when Lambda froze the process arrives late; what it does is repaired.
        if (call === 'ec2.detach' || call === 'ec2.attach') world.excuse(['P6', 'S2', 'P13']);
        const { report } = world.begin(world.alarm(a), worker);
        await world.clock.advance(1_000);
        await world.settle({ forMs: 60_000 });
        await world.run(report);
        await world.settle();
        expect(attachedTo(world)).toEqual([b, b]);
        expect(world.episodes().map((each) => each.outcome)).toEqual(['COMPLETED']);
      });
});

describe('the lease is stolen in the middle', () => {
  story('the worker sends nothing more', async (world) => {
    world.ec2.impair(a);
    let stolenAtMs = Number.POSITIVE_INFINITY;
    world.ec2.onEffect((effect) => {
      if (effect.what === 'detaching' && stolenAtMs === Number.POSITIVE_INFINITY) {
        stolenAtMs = world.clock.now();
        // Not as the protocol has it: as a clock that is wrong by far would do it.
        const state = world.service();
        world.store.put(ordersDb, {
          ...state,
          rev: state.rev + 1,
          epoch: state.epoch + 1,
          nonce: 'stolen',
          lease: { owner: them, untilMs: world.clock.now() + 8_000 },
        });
      }
    });
    await world.look(world.alarm(a));
    const during = world.ec2
      .mutations()
      .filter((each) => each.atMs > stolenAtMs + 400 && each.atMs < stolenAtMs + 8_000);
    expect(during).toEqual([]);
    await world.settle();
    expect(attachedTo(world)).toEqual([b, b]);
  });
});

describe('the table is out of reach', () => {
  story(
    'between the detach and the attach, for longer than the lease: the attach still happens',
    async (world) => {
      world.ec2.impair(a);
      world.ec2.latency.forcedDetachMs = 19_000;
      world.ec2.onCall((call) => {
        if (call.operation === 'detach') world.store.goDown();
      });
      world.clock.after(40_000, () => world.store.comeBack());
      await world.look(world.alarm(a));
      await world.settle();
      expect(attachedTo(world)).toEqual([b, b]);
      const attachedAtMs = world.ec2.effects.findLast((each) => each.what === 'attached')?.atMs ?? 0;
      const detachedAtMs = world.ec2.effects.findLast((each) => each.what === 'detached')?.atMs ?? 0;
      expect(attachedAtMs - detachedAtMs).toBeLessThan(4_000);
      expect(world.episodes().map((each) => each.outcome)).toEqual(['COMPLETED']);
    },
  );

  story(
    'and one detach has to be sent again: the attach of the other one does not wait for it',
    async (world) => {
      world.ec2.impair(a);
      world.ec2.latency.forcedDetachMs = 13_000;
      world.ec2.stick(front, 'forced-too');
      world.ec2.onCall((call) => {
        if (call.operation === 'detach') world.store.goDown();
      });
      world.clock.after(45_000, () => {
        // The worker's last try to renew had failed: it cannot know yet that the table is back (P5).
        world.excuse(['P6']);
        world.store.comeBack();
        world.ec2.loosen(front);
      });
      await world.look(world.alarm(a));
      await world.settle();
      const freeAtMs =
        world.ec2.effects.find((each) => each.what === 'detached' && each.eni === management)?.atMs ?? 0;
      const attach = world.ec2.mutations('attach').find((each) => each.eni === management);
      expect((attach?.atMs ?? 0) - freeAtMs).toBeLessThan(2_500);
      expect(attachedTo(world)).toEqual([b, b]);
    },
  );

  story('from the start: nothing is moved, and the caller hears of it', async (world) => {
    world.ec2.impair(a);
    world.store.goDown();
    await expect(world.look(world.alarm(a))).rejects.toMatchObject({ name: 'PortError' });
    expect(world.ec2.mutations()).toEqual([]);
  });

  story('at the end: the move is done, and its end is recorded when the table is back', async (world) => {
    world.ec2.impair(a);
    world.ec2.onEffect((effect) => {
      if (effect.what === 'attached') world.store.goDown();
    });
    world.clock.after(120_000, () => world.store.comeBack());
    await world.look(world.alarm(a));
    await world.settle();
    expect(attachedTo(world)).toEqual([b, b]);
    expect(world.episodes().map((each) => each.outcome)).toEqual(['COMPLETED']);
    expect(world.notifier.of('COMPLETED')).toHaveLength(1);
  });

  for (const ms of [1_500, 2_500])
    story(`only slowly, ${ms} ms a write: the failover still comes`, async (world) => {
      world.ec2.impair(a);
      world.store.fail('write', { kind: 'slow', ms }, { times: 10_000 });
      await world.look(world.alarm(a));
      await world.settle();
      expect(attachedTo(world)).toEqual([b, b]);
      expect(world.episodes().map((each) => each.outcome)).toEqual(['COMPLETED']);
    });
});

describe('the watchdog', () => {
  story('that could not be sent does not hold up the detach', async (world) => {
    world.ec2.impair(a);
    world.queue.fail('silent', 1);
    const startMs = world.clock.now();
    expect((await world.look(world.alarm(a))).code).toBe('COMPLETED');
    expect((world.ec2.mutations('detach')[0]?.atMs ?? 0) - startMs).toBeLessThan(1_300);
  });

  story('of a live epoch comes again, and of a closed one does nothing', async (world) => {
    world.ec2.impair(a);
    world.ec2.latency.forcedDetachMs = 25_000;
    const { report } = world.begin(world.alarm(a));
    await world.clock.advance(1_000);
    const looks = await world.settle({ forMs: 60_000 });
    await world.run(report);
    await world.settle();
    expect(looks[0]).toMatchObject({ kind: 'nothing', code: 'LEASE_HELD' });
    expect(attachedTo(world)).toEqual([b, b]);
    expect(world.episodes()).toHaveLength(1);
    expect(world.queue.waiting()).toEqual([]);
  });

  story('goes on coming while EC2 cannot be read, until the episode has ended', async (world) => {
    world.ec2.impair(a);
    const worker = world.worker();
    world.ec2.onEffect((effect) => {
      if (effect.what === 'detached') worker.crashAt(worker.calls.length + 1, 'before');
    });
    const { report } = world.begin(world.alarm(a), worker);
    report.catch(() => undefined);
    await world.run(worker.crashed);
    world.ec2.fail(
      'reads',
      { kind: 'refused', code: 'Unavailable' },
      { untilMs: world.clock.now() + 4 * 60_000 },
    );
    await world.settle({ forMs: 20 * 60_000 });
    expect(attachedTo(world)).toEqual([b, b]);
  });
});

describe('the holder recovers', () => {
  const dieAfterTheClaim = async (world: World) => {
    world.ec2.impair(a);
    const worker = world.worker();
    worker.freezeAt(() => false, 0);
    world.store.onWrite(({ after }) => {
      if (after.episode) worker.crashAt(worker.calls.length, 'after');
    });
    const { report } = world.begin(world.alarm(a), worker);
    report.catch(() => undefined);
    await world.clock.advance(3_000);
    expect(world.ec2.mutations()).toEqual([]);
    expect(world.service().episode).toBeDefined();
  };

  story('before the commit point: the episode is called off', async (world) => {
    await dieAfterTheClaim(world);
    world.ec2.recover(a);
    await world.look(world.alarm(a));
    await world.settle();
    await world.clock.advance(30_000);
    await world.look({ kind: 'watchdog', epoch: 1, atMs: world.clock.now() });
    expect(world.episodes().map((each) => each.outcome)).toEqual(['ABORTED']);
    expect(attachedTo(world)).toEqual([a, a]);
    expect(world.service().failoversAtMs).toEqual([]);
    // Nobody can know whether a detach of the dead worker is still under way (P15).
    expect(world.service().mayDetach).toHaveLength(2);
  });

  story('before the commit point, and the dead worker had sent a detach: it is rescued', async (world) => {
    await dieAfterTheClaim(world);
    world.ec2.recover(a);
    await world.clock.advance(30_000);
    await world.look({ kind: 'watchdog', epoch: 1, atMs: world.clock.now() });
    expect(world.episodes().map((each) => each.outcome)).toEqual(['ABORTED']);
    // It lands now.
    world.ec2.detachByHand(front);
    await world.look(world.sweep());
    await world.settle();
    expect(attachedTo(world)).toEqual([a, a]);
    expect(world.episodes().map((each) => each.episode.kind)).toEqual(['failover', 'rescue']);
  });

  story('after the commit point: there is only forward', async (world) => {
    world.ec2.impair(a);
    world.ec2.onEffect((effect) => {
      if (effect.what === 'detaching') world.ec2.recover(a);
    });
    expect((await world.look(world.alarm(a))).code).toBe('COMPLETED');
    expect(attachedTo(world)).toEqual([b, b]);
  });

  story('or is paused before the commit point: the resumer calls it off', async (world) => {
    await dieAfterTheClaim(world);
    world.store.change(ordersDb, (state) => ({
      ...state,
      pause: { reason: 'x', author: 'y', atMs: 0, untilMs: world.clock.now() + 3_600_000 },
    }));
    await world.clock.advance(30_000);
    await world.look({ kind: 'watchdog', epoch: 1, atMs: world.clock.now() });
    expect(world.episodes().map((each) => each.outcome)).toEqual(['REFUSED']);
    expect(attachedTo(world)).toEqual([a, a]);
  });
});
