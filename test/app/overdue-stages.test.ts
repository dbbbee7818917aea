/** Stories of the time that a fence, a hook or a check has: looked at before it counts as over, and never a worker's own. */
import { describe, expect } from 'vitest';
import type { Ports } from '../../shared/app/ports.ts';
import type { InstanceId, OwnerId } from '../../shared/core/ids.ts';
import type { Worker } from '../fakes/worker.ts';
import {
  a,
  b,
  front,
  management,
  ordersDb,
  replicaLagOf,
  type World,
  type WorldOptions,
} from '../fakes/world.ts';
import { story } from './story.ts';

const two: WorldOptions = { members: [a, b] };
const fenced: WorldOptions = { ...two, policy: { fence: 'stop', fenceTimeout: '20s' } };
const prepare = { document: 'prepare', on: 'target', deadline: '20s' };
const hooks = { before: [prepare] };
const attachedTo = (world: World) => [front, management].map((eni) => world.ec2.where(eni)?.instanceId);
const last = (world: World) => world.episodes().at(-1);
const stage = (world: World, id: string) => last(world)?.episode.stages?.[id];
const watchdog = (world: World) =>
  world.look({ kind: 'watchdog', epoch: world.service().epoch, atMs: world.clock.now() });
const fail = (world: World, worker = world.worker()) => {
  world.ec2.impair(a);
  return world.look(world.alarm(a), { worker });
};
/** The worker dies, and whoever comes next comes late. */
const dieAfter = async (world: World, ms: number, forMs: number) => {
  const worker = world.worker();
  world.ec2.impair(a);
  world.begin(world.alarm(a), worker);
  await world.clock.advance(ms);
  worker.crashAt(worker.calls.length + 1, 'before');
  await world.run(worker.crashed);
  await world.clock.advance(forMs);
};

describe('a stage whose time was over before somebody came to look', () => {
  story('a document that was done in time counts as done', { ...two, hooks }, async (world) => {
    world.hooks.behave('prepare', { tookMs: 12_000 });
    await dieAfter(world, 5_000, 60_000);
    expect(await watchdog(world)).toMatchObject({ code: 'COMPLETED' });
    expect(stage(world, '1/before.0')).toMatchObject({ end: 'done' });
    expect(world.hooks.begun).toHaveLength(1);
  });

  story('a document that hangs is given up after a short look', { ...two, hooks }, async (world) => {
    world.hooks.behave('prepare', { hangs: true });
    await dieAfter(world, 5_000, 60_000);
    const resumedAtMs = world.clock.now();
    expect(await watchdog(world)).toMatchObject({ code: 'NEEDS_HUMAN' });
    expect(stage(world, '1/before.0')).toMatchObject({ end: 'timed-out' });
    expect(world.clock.now() - resumedAtMs).toBeLessThan(8_000);
  });

  story('a source that was stopped meanwhile is fenced', fenced, async (world) => {
    world.ec2.latency.stopMs = 15_000;
    await dieAfter(world, 3_000, 40_000);
    expect(await watchdog(world)).toMatchObject({ code: 'COMPLETED' });
    expect(stage(world, 'fence')).toMatchObject({ end: 'done' });
    expect(world.ec2.mutations('stop')).toHaveLength(1);
  });

  story('a source that stops just then is fenced', fenced, async (world) => {
    world.ec2.latency.stopMs = 45_000;
    await dieAfter(world, 3_000, 40_000);
    expect(world.ec2.stateOf(a)).toBe('stopping');
    expect(await watchdog(world)).toMatchObject({ code: 'COMPLETED' });
    expect(stage(world, 'fence')).toMatchObject({ end: 'done' });
  });

  story(
    'an alarm that is OK by now serves',
    {
      ...two,
      serving: { alarm: replicaLagOf(b), within: '10s' },
    },
    async (world) => {
      world.alarms.set(replicaLagOf(b), 'ALARM');
      await dieAfter(world, 9_000, 60_000);
      world.alarms.set(replicaLagOf(b), 'OK');
      expect(await watchdog(world)).toMatchObject({ code: 'COMPLETED' });
      expect(stage(world, '1/serving')).toMatchObject({ end: 'done' });
    },
  );
});

describe('a source that one answer does not show', () => {
  /** EC2's answers lack the source so often, once this is asked. */
  const hide = (world: World, times: number, isTime: () => boolean): Worker => {
    const worker = world.worker();
    let left = times;
    const ec2: Ports['ec2'] = {
      ...world.ec2,
      async instances(ids: readonly InstanceId[]) {
        const answer = await world.ec2.instances(ids);
        if (left === 0 || !isTime()) return answer;
        left -= 1;
        return { ...answer, value: new Map([...answer.value].filter(([id]) => id !== a)) };
      },
    };
    return { ...worker, ports: { ...worker.ports, ec2 } };
  };
  const firstDetachAtMs = (world: World) => world.ec2.mutations('detach')[0]?.atMs ?? Number.NaN;

  story('is not stopped yet: one stale answer says nothing', fenced, async (world) => {
    const isFencing = () => world.service().episode?.state === 'FENCING';
    await fail(world, hide(world, 1, isFencing));
    expect(attachedTo(world)).toEqual([b, b]);
    expect(firstDetachAtMs(world)).toBeGreaterThan(
      (world.ec2.mutations('stop')[0]?.atMs ?? 0) + world.ec2.latency.stopMs,
    );
    expect(stage(world, 'fence')).toMatchObject({ output: `${a} is stopped` });
  });

  story(
    'is not stopped yet where it is the look of who resumes that lacks it',
    {
      ...two,
      policy: { fence: 'stop', fenceTimeout: '60s' },
    },
    async (world) => {
      world.ec2.latency.stopMs = 30_000;
      await dieAfter(world, 3_000, 20_000);
      const stopsAtMs = (world.ec2.mutations('stop')[0]?.atMs ?? Number.NaN) + world.ec2.latency.stopMs;
      const hint = { kind: 'watchdog', epoch: world.service().epoch, atMs: world.clock.now() } as const;
      await world.look(hint, { worker: hide(world, 1, () => true) });
      expect(attachedTo(world)).toEqual([b, b]);
      expect(firstDetachAtMs(world)).toBeGreaterThan(stopsAtMs);
    },
  );

  story(
    'is not stopped yet by one stale answer either, once its interfaces are off it',
    fenced,
    async (world) => {
      const isFencing = () => world.service().episode?.state === 'FENCING';
      let reads = 0;
      world.ec2.onCall(({ operation }) => {
        if (operation === 'instances' && isFencing()) reads += 1;
        if (reads !== 2) return;
        for (const eni of [front, management]) if (world.ec2.where(eni)) world.ec2.detachByHand(eni);
      });
      await fail(
        world,
        hide(world, 1, () => isFencing() && reads === 4),
      );
      await world.settle();
      expect(stage(world, 'fence')).toMatchObject({ end: 'done', output: `${a} is stopped` });
      expect(reads).toBeGreaterThan(4);
    },
  );

  story('is terminated where EC2 does not know it twice in a row', fenced, async (world) => {
    world.ec2.latency.stopMs = 60_000;
    world.clock.after(3_000, () => world.ec2.forget(a));
    await fail(world);
    await world.settle();
    expect(stage(world, 'fence')).toMatchObject({ end: 'done', output: `${a} is terminated` });
    expect(attachedTo(world)).toEqual([b, b]);
  });
});

describe('an order to stop that EC2 does not take', () => {
  story('is not given more often than every two seconds', fenced, async (world) => {
    world.ec2.fail('stop', { kind: 'throttled' }, { times: 999 });
    expect(await fail(world)).toMatchObject({ code: 'NEEDS_HUMAN' });
    const at = world.ec2.mutations('stop').map((each) => each.atMs);
    expect(at.length).toBeGreaterThan(5);
    const gaps = at.slice(1).map((ms, index) => ms - (at[index] ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(2_000);
    expect(stage(world, 'fence')?.output).toBe(`${a} is running, RequestLimitExceeded`);
  });
});

describe('the time of a hook', () => {
  story(
    "is its own and not the invocation's, where SSM is to deliver it",
    {
      ...two,
      hooks: {
        before: [
          { ...prepare, deadline: '5m' },
          { document: 'second', on: 'target', deadline: '5m' },
        ],
      },
    },
    async (world) => {
      world.hooks.behave('prepare', { tookMs: 38_000 });
      await fail(world);
      await world.settle();
      expect(attachedTo(world)).toEqual([b, b]);
      expect(world.hooks.names()).toEqual(['prepare', 'second']);
      for (const { order } of world.hooks.begun) expect(order.timeoutMs).toBeGreaterThan(290_000);
    },
  );

  story(
    'does not begin in an invocation that has none left for a function',
    {
      ...two,
      hooks: { before: [{ function: 'eni-failover-hook-prepare' }] },
    },
    async (world) => {
      expect(await fail(world, world.worker(39_000))).toMatchObject({ kind: 'handed-over' });
      expect(world.service().episode?.stages).toBeUndefined();
      const resumedAtMs = world.clock.now();
      await world.settle();
      expect(last(world)?.outcome).toBe('COMPLETED');
      expect(stage(world, '1/before.0')?.begunAtMs).toBeGreaterThan(resumedAtMs);
    },
  );

  story(
    'does not begin there for a check by a function either',
    { ...two, serving: { check: { function: 'eni-failover-hook-probe' } } },
    async (world) => {
      expect(await fail(world, world.worker(42_000))).toMatchObject({ kind: 'handed-over' });
      expect(attachedTo(world)).toEqual([b, b]);
      expect(world.hooks.calls).toEqual([]);
      await world.settle();
      expect(last(world)?.outcome).toBe('COMPLETED');
    },
  );

  story(
    'is not spent on asking whether the service serves more often than every two seconds',
    { ...two, serving: { check: { function: 'eni-failover-hook-probe' } } },
    async (world) => {
      world.hooks.behave('eni-failover-hook-probe', { pends: true, tookMs: 20_000 });
      await fail(world);
      const at = world.hooks.calls.map((each) => each.atMs);
      expect(at.length).toBeGreaterThan(5);
      const gaps = at.slice(1).map((ms, index) => ms - (at[index] ?? 0));
      expect(Math.min(...gaps)).toBeGreaterThanOrEqual(2_000);
      expect(last(world)?.outcome).toBe('COMPLETED');
    },
  );

  const slow = { before: [{ ...prepare, deadline: '60s' }] };
  story('begins there for a document, which goes on by itself', { ...two, hooks: slow }, async (world) => {
    await fail(world, world.worker(39_000));
    expect(world.hooks.begun).toHaveLength(1);
  });
});

story(
  'no hook is called on a lease that may end during the call',
  {
    ...two,
    hooks: { before: [{ ...prepare, deadline: '60s' }] },
  },
  async (world) => {
    world.hooks.behave('prepare', { tookMs: 30_000 });
    const left: number[] = [];
    world.hooks.onCall(() => left.push((world.service().lease?.untilMs ?? 0) - world.clock.now()));
    const isDown = () => world.clock.now() > beganAtMs + 4_000 && world.clock.now() < beganAtMs + 40_000;
    const beganAtMs = world.clock.now();
    world.store.fail('write', { kind: 'unreachable' }, { times: 999, when: isDown });
    await fail(world);
    await world.settle();
    expect(attachedTo(world)).toEqual([b, b]);
    // A call may be tried twice, and two hosts' clocks differ.
    expect(Math.min(...left)).toBeGreaterThanOrEqual(7_000);
  },
);

describe('a target that a hook was waited for', () => {
  const hooks = {
    before: [
      {
        document: 'drain',
        on: 'source',
        deadline: '3m',
        undo: { document: 'undrain', on: 'source' },
      },
    ],
  };
  const drain = async (world: World, meanwhile: () => void) => {
    world.hooks.behave('drain', { tookMs: 20_000 });
    world.clock.after(10_000, meanwhile);
    await world.askFor(b);
    await world.settle();
  };

  story(
    'must still be able to take them: nothing is detached for one that is not',
    { ...two, hooks },
    async (world) => {
      await drain(world, () => world.ec2.change(b, { tagged: false }));
      expect(world.ec2.mutations()).toEqual([]);
      expect(last(world)?.outcome).toBe('RETURNED_TO_SOURCE');
      expect(world.hooks.names()).toEqual(['drain', 'undrain']);
    },
  );

  story(
    'may lag: that its primary is gone may be the reason',
    { ...two, hooks, readyWhen: true },
    async (world) => {
      await drain(world, () => world.alarms.set(replicaLagOf(b), 'ALARM'));
      expect(attachedTo(world)).toEqual([b, b]);
    },
  );

  story('may be quarantined meanwhile', { ...two, hooks }, async (world) => {
    await drain(world, () =>
      world.store.change(ordersDb, (state) => ({
        ...state,
        quarantine: { ...state.quarantine, [b]: { sinceMs: world.clock.now(), why: 'x' } },
      })),
    );
    expect(attachedTo(world)).toEqual([b, b]);
  });
});

describe('a rescue to where the interfaces were', () => {
  const strand = async (world: World) => {
    for (const id of [a, b]) world.ec2.refuseAttach(id);
    expect(await world.askFor(b)).toMatchObject({ code: 'STRANDED' });
    world.ec2.acceptAttach(a);
    await world.clock.advance(60_000);
  };
  const options: WorldOptions = { ...two, serving: { check: { function: 'probe' }, within: '20s' } };

  story('asks whether the service serves there', options, async (world) => {
    await strand(world);
    expect(await world.look(world.sweep())).toMatchObject({ code: 'COMPLETED' });
    expect(world.hooks.names()).toEqual(['probe']);
    expect(attachedTo(world)).toEqual([a, a]);
  });

  story('is attached, but not serving, where nothing answers', options, async (world) => {
    await strand(world);
    world.hooks.behave('probe', { end: 'failed', output: 'dead' });
    expect(await world.look(world.sweep())).toMatchObject({ code: 'ATTACHED' });
    expect(world.notifier.of('ATTACHED')[0]?.body).toContain('dead');
  });
});

describe('a mark of a stage', () => {
  story(
    'that cannot be stored is tried at the pace of the looks, and left to the next worker in time',
    { ...two, hooks },
    async (world) => {
      world.store.onWrite(({ after }) => after.episode && world.store.goDown());
      const worker = world.worker();
      await fail(world, worker);
      expect(world.hooks.calls).toEqual([]);
      expect(world.clock.now()).toBeLessThanOrEqual(worker.run.deadlineMs);
      const tries = worker.calls.filter((each) => each === 'store.write').length;
      expect(tries).toBeLessThan(35);
    },
  );

  // A function's end is to be written then; a document's is still to come.
  for (const hook of [{ function: 'eni-failover-hook-prepare' }, prepare])
    story(
      `of a worker that has lost its lease is not tried again (${Object.keys(hook)[0]})`,
      { ...two, hooks: { before: [hook] } },
      async (world) => {
        const steal = () =>
          world.store.change(ordersDb, (state) => ({
            ...state,
            epoch: state.epoch + 1,
            lease: { owner: 'another' as OwnerId, untilMs: world.clock.now() + 600_000 },
          }));
        for (const name of ['eni-failover-hook-prepare', 'prepare'])
          world.hooks.fail(name, { kind: 'meanwhile', run: steal });
        const beganAtMs = world.clock.now();
        await fail(world);
        // The lease was taken from one that lives: nobody does that but a test.
        world.excuse(['S5']);
        expect(world.clock.now() - beganAtMs).toBeLessThan(10_000);
      },
    );

  story(
    'says in the log how the stage ended, and what it printed',
    { ...two, hooks: { before: [prepare, { ...prepare, document: 'silent' }] } },
    async (world) => {
      world.hooks.behave('silent', { output: '' });
      await fail(world);
      const ended = last(world)?.episode.steps.filter((each) => each.step.endsWith('-ended'));
      expect(ended?.map((each) => each.detail)).toEqual(['done: prepare ok', 'done']);
    },
  );
});
