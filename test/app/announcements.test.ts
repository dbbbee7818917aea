/** Stories of instances that AWS announces it will take away, and services that want to leave them while they live. */
import { describe, expect } from 'vitest';
import type { AnnouncementHint } from '../../shared/core/hint.ts';
import type { InstanceId } from '../../shared/core/ids.ts';
import { a, b, c, front, management, ordersDb, type World } from '../fakes/world.ts';
import { story } from './story.ts';

const leaving = { policy: { onSpotInterruption: 'switchover' } };
const attachedTo = (world: World) => [front, management].map((eni) => world.ec2.where(eni)?.instanceId);
const spotOf = (world: World, id: InstanceId): AnnouncementHint => ({
  kind: 'announcement',
  what: 'spot-interruption',
  detail: 'terminate',
  instanceIds: [id],
  atMs: world.clock.now(),
});
const announce = (world: World, id: InstanceId) => world.look(spotOf(world, id));
const last = (world: World) => world.episodes().at(-1);
const forced = (world: World) => world.ec2.mutations('detach').map((each) => each.force);

describe('an announced spot interruption', () => {
  story('is left plainly, while the instance still lives', leaving, async (world) => {
    expect(await announce(world, a)).toMatchObject({ kind: 'closed', code: 'COMPLETED' });
    expect(attachedTo(world)).toEqual([b, b]);
    expect(forced(world)).toEqual([false, false]);
    expect(last(world)?.episode).toMatchObject({ kind: 'switchover' });
    expect(last(world)?.episode).not.toHaveProperty('request');
    expect(last(world)?.why).toBe(`AWS announces a spot-interruption for ${a}: terminate`);
    expect(world.notifier.of('COMPLETED')).toHaveLength(1);
  });

  story('is told, and nothing is moved, where nothing is declared', async (world) => {
    expect(await announce(world, a)).toMatchObject({ kind: 'recorded', code: 'ANNOUNCED' });
    expect(world.ec2.mutations()).toEqual([]);
  });

  story('of a standby is told, and nothing is moved', leaving, async (world) => {
    expect(await announce(world, b)).toMatchObject({ kind: 'recorded', code: 'ANNOUNCED' });
    expect(world.ec2.mutations()).toEqual([]);
  });

  story('keeps the instance out of the running until it is acknowledged', leaving, async (world) => {
    await announce(world, a);
    expect(world.service().quarantine[a]?.why).toMatch(/^given up in orders-db\.1: AWS announces/);
    expect(world.notifier.of('COMPLETED')[0]?.body).toContain(`Standbys left: ${c}\n`);
    world.ec2.impair(b);
    await world.look(world.alarm(b));
    expect(attachedTo(world)).toEqual([c, c]);
  });

  story(
    'does not count into the budget of failovers, and no fence comes before it',
    {
      policy: { ...leaving.policy, fence: 'stop' },
    },
    async (world) => {
      await announce(world, a);
      expect(world.service().failoversAtMs).toEqual([]);
      expect(world.ec2.mutations('stop')).toEqual([]);
      expect(attachedTo(world)).toEqual([b, b]);
    },
  );

  story(
    'that comes true in the middle: what hangs is left by force by whoever resumes',
    leaving,
    async (world) => {
      world.ec2.stick(front, 'plain');
      world.ec2.stick(management, 'plain');
      world.clock.after(10_000, () => world.ec2.setState(a, 'shutting-down'));
      await announce(world, a);
      await world.settle();
      expect(attachedTo(world)).toEqual([b, b]);
      expect(forced(world).slice(0, 2)).toEqual([false, false]);
      expect(forced(world).at(-1)).toBe(true);
      expect(world.episodes()).toHaveLength(1);
      expect(last(world)?.outcome).toBe('COMPLETED');
    },
  );

  story('that comes true before anything is detached is a failover', leaving, async (world) => {
    world.ec2.setState(a, 'shutting-down');
    await announce(world, a);
    expect(last(world)?.episode.kind).toBe('failover');
    expect(attachedTo(world)).toEqual([b, b]);
  });

  story(
    'that comes true takes the interfaces off by itself: they are attached all the same',
    leaving,
    async (world) => {
      world.ec2.stick(front);
      world.ec2.stick(management);
      world.clock.after(5_000, () => world.ec2.terminate(a));
      await announce(world, a);
      await world.settle();
      expect(attachedTo(world)).toEqual([b, b]);
    },
  );

  story(
    'goes on to the next standby when the first refuses, not back to what will be lost',
    leaving,
    async (world) => {
      world.ec2.refuseAttach(b);
      await announce(world, a);
      expect(attachedTo(world)).toEqual([c, c]);
      expect(last(world)?.outcome).toBe('COMPLETED');
    },
  );

  story(
    'goes back when nobody takes the interfaces: nothing is worse than on nothing',
    leaving,
    async (world) => {
      for (const id of [b, c]) world.ec2.refuseAttach(id);
      await announce(world, a);
      await world.settle();
      expect(attachedTo(world)).toEqual([a, a]);
      expect(last(world)?.outcome).toBe('RETURNED_TO_SOURCE');
      expect(world.service().quarantine[a], 'it holds them').toBeUndefined();
    },
  );

  story('without an eligible standby moves nothing, and calls a person', leaving, async (world) => {
    world.ec2.setState(b, 'stopped');
    world.ec2.impair(c);
    await announce(world, a);
    await world.settle();
    expect(world.ec2.mutations()).toEqual([]);
    const [notice] = world.notifier.of('NO_ELIGIBLE_STANDBY');
    expect(notice?.attributes).toMatchObject({ severity: 'critical' });
    expect(notice?.body).toContain('AWS announces a spot-interruption');
  });

  story('waits some seconds for a standby that is nearly ready', leaving, async (world) => {
    world.ec2.setState(b, 'pending');
    world.ec2.setState(c, 'stopped');
    world.clock.after(8_000, () => world.ec2.setState(b, 'running'));
    await announce(world, a);
    await world.settle();
    expect(attachedTo(world)).toEqual([b, b]);
  });

  story('is refused while the service is paused, and people know', leaving, async (world) => {
    world.store.change(ordersDb, (state) => ({
      ...state,
      pause: { reason: 'x', author: 'ann', atMs: world.clock.now(), untilMs: world.clock.now() + 600_000 },
    }));
    expect(await announce(world, a)).toMatchObject({ kind: 'refused', code: 'PAUSED' });
    expect(world.ec2.mutations()).toEqual([]);
    expect(world.ec2.calls.filter((each) => each.operation === 'interfaces')).toHaveLength(2);
    expect(world.notifier.of('PAUSED')).toHaveLength(1);
  });

  story('told twice moves the service once', leaving, async (world) => {
    await announce(world, a);
    await announce(world, a);
    await world.settle();
    expect(attachedTo(world)).toEqual([b, b]);
    expect(world.episodes()).toHaveLength(1);
    expect(world.ec2.mutations('attach')).toHaveLength(2);
  });

  story('told to two workers at once moves the service once', leaving, async (world) => {
    const first = world.begin(spotOf(world, a));
    const second = world.begin(spotOf(world, a));
    await world.run(Promise.all([first.report, second.report]));
    await world.settle();
    expect(attachedTo(world)).toEqual([b, b]);
    expect(world.episodes()).toHaveLength(1);
  });

  story(
    'runs the hooks on the source, which still lives, and those on the target',
    {
      ...leaving,
      hooks: {
        before: [
          { document: 'stop-licence', on: 'source', undo: { document: 'start-licence', on: 'source' } },
        ],
        after: [{ document: 'promote-replica', on: 'target' }],
      },
    },
    async (world) => {
      await announce(world, a);
      expect(world.hooks.begun.map((each) => [each.name, each.order.token])).toEqual([
        ['stop-licence', 'orders-db.1/1/before.0'],
        ['promote-replica', 'orders-db.1/1/after.0'],
      ]);
      expect(last(world)?.outcome).toBe('COMPLETED');
    },
  );

  story(
    'is not held up for ever by a hook on a source that is gone in the middle',
    {
      ...leaving,
      hooks: { before: [{ document: 'stop-licence', on: 'source', onFailure: 'proceed', deadline: '30s' }] },
    },
    async (world) => {
      world.hooks.behave('stop-licence', { hangs: true });
      world.clock.after(10_000, () => world.ec2.terminate(a));
      await announce(world, a);
      await world.settle();
      expect(attachedTo(world)).toEqual([b, b]);
    },
  );

  story('that a worker died over is gone on with, by the watchdog alone', leaving, async (world) => {
    const first = world.worker();
    world.ec2.onCall((call) => {
      if (call.operation === 'detach') first.crashAt(first.calls.length, 'after');
    });
    const { report } = world.begin(spotOf(world, a), first);
    report.catch(() => undefined);
    await world.run(first.crashed);
    await world.settle();
    expect(attachedTo(world)).toEqual([b, b]);
    expect(world.episodes()).toHaveLength(1);
  });
});

describe('a retirement that Health announces', () => {
  const health = (world: World, detail: string): AnnouncementHint => ({
    ...spotOf(world, a),
    what: 'health',
    detail,
  });
  const retiring = { policy: { onRetirement: 'switchover' } };

  story('is left while the instance lives', retiring, async (world) => {
    await world.look(health(world, 'AWS_EC2_PERSISTENT_INSTANCE_RETIREMENT_SCHEDULED'));
    expect(attachedTo(world)).toEqual([b, b]);
  });

  story('is not every news that Health has', retiring, async (world) => {
    await world.look(health(world, 'AWS_EC2_INSTANCE_NETWORK_MAINTENANCE_SCHEDULED'));
    expect(attachedTo(world)).toEqual([a, a]);
    expect(world.notifier.of('ANNOUNCED')).toHaveLength(1);
  });
});
