/** The end of an episode: what is left in the item, the record, the chain, and the notice. */
import { describe, expect } from 'vitest';
import { verifyChain } from '../../shared/core/trail.ts';
import { sha256 } from '../fakes/invariants.ts';
import { a, b, c, front, management, ordersDb, type World } from '../fakes/world.ts';
import { story } from './story.ts';

const attachedTo = (world: World) => [front, management].map((eni) => world.ec2.where(eni)?.instanceId);

const fails = async (world: World) => {
  world.ec2.impair(a);
  return world.look(world.alarm(a));
};

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

  story('is found by instance, interface, author and day', async (world) => {
    await fails(world);
    const found = world.store.pointers().filter((each) => each.endsWith(' 2'));
    expect(found.map((each) => each.split(' ')[0])).toEqual([
      'BY#AUTHOR#eni-failover',
      'BY#DAY#2026-11-21',
      `BY#ENI#${front}`,
      `BY#ENI#${management}`,
      `BY#INSTANCE#${a}`,
      `BY#INSTANCE#${b}`,
    ]);
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
    const notice = JSON.parse(world.notifier.published[0]?.body.split('\n').at(-1) ?? '{}') as object;
    expect(notice).toMatchObject({
      outcome: 'COMPLETED',
      from: a,
      to: b,
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
