/** Stories of a source that nobody may write on any more: in a rescue, and in a planned move that came too late. */
import { describe, expect } from 'vitest';
import { switchover } from '../../shared/app/request.ts';
import type { AnnouncementHint } from '../../shared/core/hint.ts';
import type { InstanceId } from '../../shared/core/ids.ts';
import { a, b, front, management, ordersDb, type World, type WorldOptions } from '../fakes/world.ts';
import { story } from './story.ts';

const two: WorldOptions = { members: [a, b], policy: { fence: 'stop', fenceTimeout: '20s' } };
const by = { author: 'ann', reason: 'new kernel' };
const refusal = { kind: 'refused', code: 'OperationNotPermitted' } as const;
const attachedTo = (world: World) => [front, management].map((eni) => world.ec2.where(eni)?.instanceId);
const mutations = (world: World) =>
  world.ec2.mutations().map(({ operation, eni, instanceId }) => [operation, eni ?? instanceId, instanceId]);
const forced = (world: World) => world.ec2.mutations('detach').map((each) => each.force);
const last = (world: World) => world.episodes().at(-1);
const spotOf = (world: World, id: InstanceId): AnnouncementHint => ({
  kind: 'announcement',
  what: 'spot-interruption',
  detail: 'terminate',
  instanceIds: [id],
  atMs: world.clock.now(),
});
/** A minute later. */
const sweep = async (world: World) => {
  await world.clock.advance(60_000);
  return world.look(world.sweep());
};

describe('a rescue that its own member refuses', () => {
  /** A detach of ours took effect late: one interface is on nothing, the other still on a member that is well. */
  const comeLoose = (world: World) => {
    const id = world.ec2.where(front)?.id;
    world.store.change(ordersDb, (state) => ({
      ...state,
      mayDetach: id ? [id] : [],
      mayDetachUntilMs: world.clock.now() + 600_000,
    }));
    world.ec2.detachByHand(front);
    world.ec2.refuseAttach(a);
    return world.look(world.sweep());
  };

  story('stops that member before it takes anything from it or beside it', two, async (world) => {
    expect(await comeLoose(world)).toMatchObject({ code: 'COMPLETED' });
    expect(mutations(world)).toEqual([
      ['attach', front, a],
      ['stop', a, a],
      ['attach', front, b],
      ['detach', management, a],
      ['attach', management, b],
    ]);
    expect(last(world)?.episode.stages?.['fence']).toMatchObject({ end: 'done' });
  });

  story('and whose stop is refused leaves it stranded, and says why', two, async (world) => {
    world.ec2.fail('stop', refusal, { times: 99 });
    expect(await comeLoose(world)).toMatchObject({ code: 'STRANDED' });
    expect(attachedTo(world)).toEqual([undefined, a]);
    expect(world.service().stranded?.why).toContain('FENCE_FAILED');
    expect(world.notifier.of('STRANDED')[0]?.body).toContain('FENCE_FAILED');
  });

  story(
    'and whose stop is not confirmed leaves it stranded, with one page for all tries',
    two,
    async (world) => {
      world.ec2.neverStops(a);
      await comeLoose(world);
      await world.settle();
      for (let minute = 0; minute < 3; minute += 1) {
        await sweep(world);
        await world.settle();
      }
      expect(attachedTo(world)).toEqual([undefined, a]);
      expect(world.ec2.mutations('detach')).toEqual([]);
      expect(world.service().stranded?.tries).toBeGreaterThan(2);
      expect(world.notifier.of('STRANDED')).toHaveLength(1);
    },
  );
});

describe('a rescue after a planned move that was stranded', () => {
  const strand = async (world: World) => {
    world.ec2.refuseAttach(a);
    world.ec2.refuseAttach(b);
    expect(await world.askFor(b)).toMatchObject({ code: 'STRANDED' });
    world.ec2.acceptAttach(b);
  };

  story('stops nobody: its source was never ill', two, async (world) => {
    await strand(world);
    expect(await sweep(world)).toMatchObject({ code: 'COMPLETED' });
    expect(attachedTo(world)).toEqual([b, b]);
    expect(world.ec2.mutations('stop')).toEqual([]);
    expect(world.service().quarantine).toEqual({});
  });

  story(
    'stops nobody either, though the detach may be forced and it takes several tries',
    two,
    async (world) => {
      world.ec2.refuseAttach(a);
      world.ec2.refuseAttach(b);
      await world.run(switchover(world.ports, ordersDb, b, by, { force: true }));
      expect(await world.settle()).toMatchObject([{ code: 'STRANDED' }, {}]);
      for (let minute = 0; minute < 3; minute += 1)
        expect(await sweep(world)).toMatchObject({ code: 'STRANDED' });
      expect(world.service().stranded).toMatchObject({ sourceFailed: false, tries: 4 });
      world.ec2.acceptAttach(b);
      expect(await sweep(world)).toMatchObject({ code: 'COMPLETED' });
      expect(attachedTo(world)).toEqual([b, b]);
      expect(world.ec2.mutations('stop')).toEqual([]);
      expect(world.service().quarantine).toEqual({});
    },
  );

  story(
    'goes on stopping a source that failed between two tries, well as it seems by now',
    two,
    async (world) => {
      await strand(world);
      world.ec2.impair(a);
      world.ec2.fail('stop', refusal, { times: 1 });
      expect((await sweep(world)).detail).toContain('FENCE_FAILED');
      expect(world.service().stranded).toMatchObject({ sourceFailed: true, tries: 2 });
      world.ec2.recover(a);
      expect(await sweep(world)).toMatchObject({ code: 'COMPLETED' });
      expect(world.ec2.mutations('stop').map((each) => each.instanceId)).toContain(a);
    },
  );

  for (const [detach, stopped] of [
    ['plain', []],
    ['plain-then-force', [a]],
    ['force', [a]],
  ] as const)
    story(
      `that an older version left so, by a ${detach} detach, stops ${stopped[0] ?? 'nobody'}`,
      two,
      async (world) => {
        await strand(world);
        world.store.change(ordersDb, ({ stranded, ...state }) => {
          if (!stranded) return state;
          const { sourceFailed: _, ...rest } = stranded;
          return { ...state, stranded: { ...rest, plan: { ...rest.plan, detach } } };
        });
        expect(await sweep(world)).toMatchObject({ code: 'COMPLETED' });
        expect(world.ec2.mutations('stop').map((each) => each.instanceId)).toEqual(stopped);
      },
    );

  story('stops a source that has failed since', two, async (world) => {
    await strand(world);
    world.ec2.impair(a);
    expect(await sweep(world)).toMatchObject({ code: 'COMPLETED' });
    expect(world.ec2.mutations('stop').map((each) => each.instanceId)).toEqual([a]);
    expect(Object.keys(world.service().quarantine)).toEqual([a]);
  });
});

describe('a failover that was stranded on two members', () => {
  /** What is left on the source cannot be taken from it, and somebody has started it again. */
  const split = async (world: World) => {
    world.ec2.fail('detach', refusal, { times: 999, when: (call) => call.eni === management });
    world.ec2.impair(a);
    expect(await world.look(world.alarm(a))).toMatchObject({ code: 'STRANDED' });
    world.ec2.recover(a);
    expect(attachedTo(world)).toEqual([b, a]);
  };

  story('stops the source again, well as it seems, before it takes the rest', two, async (world) => {
    await split(world);
    await sweep(world);
    expect(world.ec2.mutations('stop').map((each) => each.instanceId)).toEqual([a, a]);
  });

  story('stays stranded while the source does not stop, and pages once', two, async (world) => {
    await split(world);
    await sweep(world);
    world.ec2.recover(a);
    world.ec2.neverStops(a);
    world.notifier.clear();
    for (let minute = 0; minute < 5; minute += 1) {
      const { code, detail } = await sweep(world);
      expect([code, detail.slice(0, 12)]).toEqual(['STRANDED', 'FENCE_FAILED']);
      await world.settle();
    }
    expect(world.notifier.pages().map((each) => each.attributes['outcome'])).toEqual(['STRANDED']);
    expect(attachedTo(world)).toEqual([b, a]);
  });
});

describe('a planned move whose source fails before anything is taken from it', () => {
  const leaving: WorldOptions = {
    members: [a, b],
    policy: { fence: 'stop', onSpotInterruption: 'switchover' },
    hooks: {
      before: [{ document: 'prepare', on: 'target' }],
      after: [{ document: 'promote', on: 'target' }],
    },
  };
  const asked = (world: World) => world.askFor(b);
  const announced = (world: World) => world.look(spotOf(world, a));

  for (const [how, move] of [
    ['asked for', asked],
    ['announced', announced],
  ] as const)
    story(`that was ${how} stops it first, and then forces`, leaving, async (world) => {
      world.hooks.behave('prepare', { tookMs: 4_000 });
      world.clock.after(2_500, () => world.ec2.impair(a));
      expect(await move(world)).toMatchObject({ code: 'COMPLETED' });
      expect(world.ec2.mutations().map((each) => each.operation)).toEqual([
        'stop',
        'detach',
        'detach',
        'attach',
        'attach',
      ]);
      expect(forced(world)).toEqual([true, true]);
      expect(last(world)?.episode.stages?.['fence']).toMatchObject({
        end: 'done',
        output: `${a} is stopped`,
      });
      expect(attachedTo(world)).toEqual([b, b]);
      expect(world.service().quarantine[a]?.why).toMatch(/^failed in orders-db\.1/);
    });

  story('and cannot be stopped moves nothing, and calls a person', leaving, async (world) => {
    world.hooks.behave('prepare', { tookMs: 4_000 });
    world.clock.after(2_500, () => world.ec2.impair(a));
    world.ec2.fail('stop', refusal, { times: 99 });
    expect(await announced(world)).toMatchObject({ code: 'NEEDS_HUMAN' });
    expect(world.ec2.mutations('detach')).toEqual([]);
    expect(attachedTo(world)).toEqual([a, a]);
  });

  story(
    'runs no hook on it',
    {
      members: [a, b],
      hooks: {
        before: [
          { document: 'prepare', on: 'target' },
          { document: 'stop-licence', on: 'source' },
        ],
      },
    },
    async (world) => {
      // Only a fresh look can know: the hook in between is what brings one.
      const first = world.worker();
      world.hooks.behave('prepare', { tookMs: 4_000 });
      world.clock.after(2_500, () => {
        world.ec2.impair(a);
        first.crashAt(first.calls.length + 1, 'before');
      });
      world.begin(world.request(b), first);
      await world.run(first.crashed);
      await world.settle();
      expect(world.hooks.names()).toEqual(['prepare']);
      expect(attachedTo(world)).toEqual([b, b]);
      expect(last(world)?.outcome).toBe('COMPLETED');
    },
  );

  story(
    'leaves a hook that hangs on it to itself, and does not go back to it',
    {
      members: [a, b],
      hooks: {
        before: [
          {
            document: 'stop-licence',
            on: 'source',
            deadline: '10m',
            onFailure: 'back',
            undo: { document: 'start-licence', on: 'source' },
          },
        ],
      },
    },
    async (world) => {
      world.hooks.behave('stop-licence', { hangs: true });
      let failedAtMs = 0;
      world.clock.after(5_000, () => {
        failedAtMs = world.clock.now();
        world.ec2.setState(a, 'stopped');
      });
      await world.askFor(b);
      await world.settle();
      expect(attachedTo(world)).toEqual([b, b]);
      expect(last(world)?.outcome).toBe('COMPLETED');
      expect(world.hooks.names()).toEqual(['stop-licence']);
      // What is left of one invocation, and not the hook's ten minutes.
      const attachedAtMs = world.ec2.effects.findLast((each) => each.what === 'attached')?.atMs ?? Number.NaN;
      expect(attachedAtMs - failedAtMs).toBeLessThan(60_000);
      expect(world.service().quarantine[a]?.why).toMatch(/^failed in/);
    },
  );

  story(
    'is not called back to it by a hook: a person is',
    {
      members: [a, b],
      hooks: {
        before: [
          {
            document: 'prepare',
            on: 'target',
            onFailure: 'back',
            undo: { document: 'unprepare', on: 'target' },
          },
        ],
      },
    },
    async (world) => {
      world.hooks.behave('prepare', { tookMs: 4_000, end: 'failed', output: 'disk full' });
      world.clock.after(2_500, () => world.ec2.impair(a));
      expect(await world.askFor(b)).toMatchObject({ code: 'NEEDS_HUMAN' });
      expect(last(world)?.why).toContain('disk full');
      expect(world.hooks.names()).toEqual(['prepare']);
      expect(world.notifier.pages()).toHaveLength(1);
    },
  );
});
