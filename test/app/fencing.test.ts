/** Stories of a source that must be seen stopped before anything is taken from it. */
import { describe, expect } from 'vitest';
import { a, b, c, front, management, ordersDb, stranger, type World } from '../fakes/world.ts';
import { story } from './story.ts';

const fenced = { policy: { fence: 'stop' } };
const proceeding = { policy: { fence: 'stop', onFenceTimeout: 'proceed' } };
const attachedTo = (world: World) => [front, management].map((eni) => world.ec2.where(eni)?.instanceId);
const operations = (world: World) => world.ec2.mutations().map((each) => each.operation);
const fail = (world: World) => {
  world.ec2.impair(a);
  return world.look(world.alarm(a));
};
const fence = (world: World) => world.episodes().at(-1)?.episode.stages?.['fence'];
const body = (world: World, outcome: string) => world.notifier.of(outcome)[0]?.body ?? '';

describe('a fence', () => {
  story('stops an impaired holder and sees it stopped before anything is detached', fenced, async (world) => {
    expect(await fail(world)).toMatchObject({ kind: 'closed', code: 'COMPLETED' });
    expect(attachedTo(world)).toEqual([b, b]);
    expect(operations(world)).toEqual(['stop', 'detach', 'detach', 'attach', 'attach']);
    const [stop, detach] = world.ec2.mutations();
    expect(stop).toMatchObject({ instanceId: a });
    expect((detach?.atMs ?? 0) - (stop?.atMs ?? 0)).toBeGreaterThanOrEqual(world.ec2.latency.stopMs);
    expect(fence(world)).toMatchObject({ end: 'done', output: `${a} is stopped` });
    expect(Object.keys(world.episodes()[0]?.episode.stages ?? {})).toEqual(['fence']);
    expect(body(world, 'COMPLETED')).toMatch(/fence: done after \d+\.\d s: i-\w+ is stopped/);
  });

  story(
    'is on record as begun, and as a commit point, before EC2 is asked to stop',
    fenced,
    async (world) => {
      const states: unknown[] = [];
      world.ec2.onCall(({ operation }) => {
        const { episode } = world.service();
        if (operation === 'stop')
          states.push([episode?.state, episode?.committed, episode?.stages?.['fence']?.end]);
      });
      await fail(world);
      expect(states).toEqual([['FENCING', true, undefined]]);
    },
  );

  for (const state of ['stopped', 'terminated'])
    story(`asks nothing of a holder that is ${state} already`, fenced, async (world) => {
      world.ec2.setState(a, state);
      await world.look(world.stateChange(a, state));
      expect(attachedTo(world)).toEqual([b, b]);
      expect(world.ec2.mutations('stop')).toEqual([]);
      expect(fence(world)).toMatchObject({ end: 'done', output: `it is ${state} already` });
    });

  story('waits for a holder that is stopping by itself', fenced, async (world) => {
    world.ec2.setState(a, 'stopping');
    world.clock.after(20_000, () => world.ec2.setState(a, 'stopped'));
    await world.look(world.stateChange(a, 'stopping'));
    expect(attachedTo(world)).toEqual([b, b]);
    expect(fence(world)).toMatchObject({ end: 'done' });
  });

  story('is confirmed by an instance that EC2 knows no more', fenced, async (world) => {
    world.ec2.neverStops(a);
    world.clock.after(5_000, () => world.ec2.terminate(a));
    world.clock.after(9_000, () => world.ec2.forget(a));
    await fail(world);
    expect(attachedTo(world)).toEqual([b, b]);
    expect(fence(world)).toMatchObject({ end: 'done' });
  });

  story(
    'is not confirmed by an instance that EC2 does not list while it shows an interface attached to it',
    fenced,
    async (world) => {
      world.ec2.neverStops(a);
      const unlistedForMs = 30_000;
      world.clock.after(2_000, () => world.ec2.unlist(a));
      world.clock.after(2_000 + unlistedForMs, () => {
        world.ec2.list(a);
        world.ec2.setState(a, 'stopped');
      });
      await fail(world);
      await world.settle();
      const [stop] = world.ec2.mutations('stop');
      const [detach] = world.ec2.mutations('detach');
      expect((detach?.atMs ?? 0) - (stop?.atMs ?? 0)).toBeGreaterThan(unlistedForMs);
      expect(attachedTo(world)).toEqual([b, b]);
    },
  );

  story('tells EC2 again now and then, for an order can get lost', fenced, async (world) => {
    world.ec2.fail('stop', { kind: 'timed-out' }, { times: 2 });
    await fail(world);
    expect(attachedTo(world)).toEqual([b, b]);
    expect(world.ec2.mutations('stop').length).toBeGreaterThanOrEqual(3);
  });

  story('is confirmed by what EC2 shows, though the answer of the stop was lost', fenced, async (world) => {
    world.ec2.fail('stop', { kind: 'answer-lost' });
    await fail(world);
    expect(attachedTo(world)).toEqual([b, b]);
    expect(fence(world)).toMatchObject({ end: 'done' });
  });

  story('is told again at most every five seconds while EC2 is at it', fenced, async (world) => {
    world.ec2.latency.stopMs = 12_000;
    await fail(world);
    const at = world.ec2.mutations('stop').map((each) => each.atMs);
    expect(at).toHaveLength(3);
    for (const [index, ms] of at.slice(1).entries())
      expect(ms - (at[index] ?? 0)).toBeGreaterThanOrEqual(5_000);
  });

  story('goes on through throttled stops and looks', fenced, async (world) => {
    world.ec2.fail('stop', { kind: 'throttled' }, { times: 3 });
    await world.clock.advance(0);
    world.clock.after(2_000, () => world.ec2.fail('instances', { kind: 'throttled' }, { times: 4 }));
    await fail(world);
    await world.settle();
    expect(attachedTo(world)).toEqual([b, b]);
  });

  story(
    'counts nothing that EC2 does not show: an unread source is not a stopped one',
    fenced,
    async (world) => {
      world.ec2.neverStops(a);
      world.ec2.fail(
        'instances',
        { kind: 'throttled' },
        {
          untilMs: world.clock.now() + 60_000,
          times: 500,
          when: () => world.service().episode?.state === 'FENCING',
        },
      );
      world.clock.after(45_000, () => world.ec2.setState(a, 'stopped'));
      await fail(world);
      await world.settle();
      expect(attachedTo(world)).toEqual([b, b]);
      const stoppedAtMs = world.ec2.mutations('stop')[0]?.atMs ?? 0;
      expect(world.ec2.mutations('detach')[0]?.atMs).toBeGreaterThan(stoppedAtMs + 44_000);
    },
  );

  story('that is never confirmed moves nothing and calls a person', fenced, async (world) => {
    world.ec2.neverStops(a);
    await fail(world);
    const reports = await world.settle({ forMs: 200_000 });
    expect(reports.map((each) => each.code)).toContain('NEEDS_HUMAN');
    expect(world.ec2.mutations('detach')).toEqual([]);
    expect(attachedTo(world)).toEqual([a, a]);
    expect(fence(world)).toMatchObject({ end: 'timed-out', output: `${a} is stopping` });
    expect(world.episodes()[0]?.why).toMatch(/^FENCE_FAILED: fence \(stop i-\w+\) not done within 120 s/);
    expect(body(world, 'NEEDS_HUMAN')).toContain('FENCE_FAILED');
    expect(world.notifier.of('NEEDS_HUMAN')[0]?.attributes).toMatchObject({ severity: 'critical' });
    expect(world.service().episode).toBeUndefined();
    expect(world.service().mayDetach, 'nothing of ours can be late').toEqual([]);
    expect(world.service().failoversAtMs, 'the budget').toHaveLength(1);
    expect(Object.keys(world.service().quarantine)).toEqual([a]);
  });

  story('that is never confirmed takes its two minutes once, whoever waits', fenced, async (world) => {
    world.ec2.neverStops(a);
    await fail(world);
    await world.settle({ forMs: 200_000 });
    const mark = fence(world);
    const tookMs = (mark?.endedAtMs ?? 0) - (mark?.begunAtMs ?? 0);
    expect(tookMs).toBeGreaterThanOrEqual(120_000);
    expect(tookMs).toBeLessThan(140_000);
  });

  story(
    'that is never confirmed lets the move go on where the service says so',
    proceeding,
    async (world) => {
      world.ec2.neverStops(a);
      await fail(world);
      await world.settle({ forMs: 300_000 });
      expect(attachedTo(world)).toEqual([b, b]);
      expect(fence(world)).toMatchObject({ end: 'timed-out' });
      expect(world.episodes()[0]?.outcome).toBe('COMPLETED');
      expect(body(world, 'COMPLETED')).toContain('fence: timed-out after');
    },
  );

  story(
    'has a deadline of its own where the service declares one',
    {
      policy: { fence: 'stop', fenceTimeout: '15s', onFenceTimeout: 'proceed' },
    },
    async (world) => {
      world.ec2.neverStops(a);
      expect(await fail(world)).toMatchObject({ kind: 'closed', code: 'COMPLETED' });
      expect(fence(world)).toMatchObject({ end: 'timed-out' });
    },
  );

  story('that EC2 refuses moves nothing and calls a person at once', fenced, async (world) => {
    world.ec2.fail('stop', { kind: 'refused', code: 'OperationNotPermitted' }, { times: 99 });
    const beganAtMs = world.clock.now();
    expect(await fail(world)).toMatchObject({ kind: 'closed', code: 'NEEDS_HUMAN' });
    expect(world.clock.now() - beganAtMs).toBeLessThan(5_000);
    expect(attachedTo(world)).toEqual([a, a]);
    expect(world.ec2.mutations('stop')).toHaveLength(1);
    expect(fence(world)).toMatchObject({ end: 'refused', output: 'OperationNotPermitted: it is protected' });
    expect(body(world, 'NEEDS_HUMAN')).toContain('FENCE_FAILED');
  });

  story('that EC2 refuses lets the move go on where the service says so', proceeding, async (world) => {
    world.ec2.fail('stop', { kind: 'refused', code: 'OperationNotPermitted' }, { times: 99 });
    expect(await fail(world)).toMatchObject({ kind: 'closed', code: 'COMPLETED' });
    expect(world.ec2.mutations('stop')).toHaveLength(1);
    expect(attachedTo(world)).toEqual([b, b]);
  });

  story('that EC2 refuses of an instance that stopped by itself is no obstacle', fenced, async (world) => {
    world.ec2.fail('stop', { kind: 'meanwhile', run: () => world.ec2.setState(a, 'stopped') });
    await fail(world);
    expect(attachedTo(world)).toEqual([b, b]);
  });

  story('that failed is asked of a person three times an hour at most', fenced, async (world) => {
    world.ec2.fail('stop', { kind: 'refused', code: 'OperationNotPermitted' }, { times: 99 });
    await fail(world);
    for (let minute = 0; minute < 10; minute += 1) {
      await world.clock.advance(60_000);
      await world.look(world.alarm(a));
    }
    expect(world.notifier.of('NEEDS_HUMAN')).toHaveLength(3);
    expect(world.notifier.of('BUDGET_SPENT')).toHaveLength(1);
  });

  story(
    'goes on in spite of a pause and of the holder being well again: it is a commit point',
    fenced,
    async (world) => {
      world.clock.after(3_000, () => {
        world.store.change(ordersDb, (state) => ({
          ...state,
          pause: {
            reason: 'x',
            author: 'ann',
            atMs: world.clock.now(),
            untilMs: world.clock.now() + 600_000,
          },
        }));
      });
      await fail(world);
      expect(world.episodes()[0]?.outcome).toBe('COMPLETED');
      expect(attachedTo(world)).toEqual([b, b]);
    },
  );

  story('never comes before a move that was asked for', fenced, async (world) => {
    expect(await world.askFor(b)).toMatchObject({ code: 'COMPLETED' });
    expect(world.ec2.mutations('stop')).toEqual([]);
    expect(world.ec2.stateOf(a)).toBe('running');
  });

  story(
    'never comes before a move of a source that fails in the middle of a move that was asked for',
    fenced,
    async (world) => {
      world.ec2.stick(front);
      world.ec2.stick(management);
      world.clock.after(4_000, () => world.ec2.impair(a));
      await world.askFor(b);
      await world.settle();
      expect(world.ec2.mutations('stop')).toEqual([]);
      expect(attachedTo(world)).toEqual([b, b]);
    },
  );

  story('stops no instance that is not a member of the service', fenced, async (world) => {
    world.ec2.moveByHand(front, stranger, 1);
    world.ec2.moveByHand(management, stranger, 2);
    await world.look(world.sweep());
    await world.clock.advance(60_000);
    world.ec2.impair(stranger);
    await world.look(world.alarm(stranger));
    await world.settle();
    expect(world.ec2.mutations('stop')).toEqual([]);
  });

  story('comes once for all rungs of an episode', fenced, async (world) => {
    world.ec2.refuseAttach(b);
    await fail(world);
    expect(attachedTo(world)).toEqual([c, c]);
    expect(world.ec2.mutations('stop')).toHaveLength(1);
  });

  story('leaves the interfaces on a stopped source rather than on nothing', fenced, async (world) => {
    for (const id of [b, c]) world.ec2.refuseAttach(id);
    await fail(world);
    await world.settle();
    expect(attachedTo(world)).toEqual([a, a]);
    expect(world.episodes()[0]?.outcome).toBe('RETURNED_TO_SOURCE');
    expect(world.notifier.of('RETURNED_TO_SOURCE')).toHaveLength(1);
  });

  story('is not held up by the brake, which was asked before', fenced, async (world) => {
    await fail(world);
    const counted = world.store.calls.findIndex((each) => each.operation === 'countFailover');
    expect(world.store.calls[counted]?.atMs).toBeLessThan(world.ec2.mutations('stop')[0]?.atMs ?? 0);
    expect(world.store.calls.filter((each) => each.operation === 'countFailover')).toHaveLength(1);
  });

  story('whose target fails meanwhile goes on to the next eligible member', fenced, async (world) => {
    world.clock.after(2_000, () => world.ec2.impair(b));
    await fail(world);
    expect(attachedTo(world)).toEqual([c, c]);
    expect(world.ec2.mutations('attach').every((each) => each.instanceId === c)).toBe(true);
    expect(world.ec2.mutations('stop')).toHaveLength(1);
  });
});

describe('a rescue', () => {
  const onNothing = async (world: World) => {
    world.ec2.impair(a);
    world.ec2.detachByHand(front);
    world.ec2.detachByHand(management);
    return world.look(world.sweep());
  };

  story('stops the failed last holder before anything is attached elsewhere', fenced, async (world) => {
    expect(await onNothing(world)).toMatchObject({ code: 'COMPLETED' });
    expect(operations(world)).toEqual(['stop', 'attach', 'attach']);
    expect(attachedTo(world)).toEqual([b, b]);
  });

  story('that cannot fence leaves the interfaces on nothing, and says STRANDED', fenced, async (world) => {
    world.ec2.fail('stop', { kind: 'refused', code: 'OperationNotPermitted' }, { times: 99 });
    expect(await onNothing(world)).toMatchObject({ code: 'STRANDED' });
    expect(world.ec2.mutations('attach')).toEqual([]);
    expect(world.service().stranded).toMatchObject({
      tries: 1,
      why: expect.stringContaining('FENCE_FAILED'),
    });
    expect(body(world, 'STRANDED')).toContain('FENCE_FAILED');
  });

  story('that cannot fence tries again at every look, and pages once', fenced, async (world) => {
    world.ec2.fail('stop', { kind: 'refused', code: 'OperationNotPermitted' }, { times: 2 });
    await onNothing(world);
    await world.clock.advance(60_000);
    await world.look(world.sweep());
    expect(world.service().stranded).toMatchObject({ tries: 2 });
    expect(world.notifier.of('STRANDED')).toHaveLength(1);
    await world.clock.advance(60_000);
    await world.look(world.sweep());
    expect(attachedTo(world)).toEqual([b, b]);
    expect(world.service().stranded).toBeUndefined();
  });

  story('that cannot fence goes on where the service says so', proceeding, async (world) => {
    world.ec2.fail('stop', { kind: 'refused', code: 'OperationNotPermitted' }, { times: 99 });
    expect(await onNothing(world)).toMatchObject({ code: 'COMPLETED' });
    expect(attachedTo(world)).toEqual([b, b]);
  });

  story('to the last holder, which is well, stops nothing', fenced, async (world) => {
    world.store.change(ordersDb, (state) => ({
      ...state,
      mayDetach: Object.values(state.lastSeen?.attachments ?? {}),
      mayDetachUntilMs: world.clock.now() + 60_000,
    }));
    world.ec2.detachByHand(front);
    world.ec2.detachByHand(management);
    await world.look(world.sweep());
    expect(attachedTo(world)).toEqual([a, a]);
    expect(world.ec2.mutations('stop')).toEqual([]);
  });
});
