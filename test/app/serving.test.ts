/** Stories of a service that must be seen to answer before its move counts as done. */
import { describe, expect } from 'vitest';
import {
  a,
  b,
  front,
  management,
  ordersDb,
  servingAlarm,
  type World,
  type WorldOptions,
} from '../fakes/world.ts';
import { story } from './story.ts';

const byAlarm: WorldOptions = { serving: { alarm: servingAlarm } };
const probe = { document: 'probe-orders', on: 'target', parameters: { Token: ['@token@'] } };
const byDocument: WorldOptions = { serving: { check: probe } };
const byFunction: WorldOptions = { serving: { check: { function: 'eni-failover-hook-probe' } } };
const name = 'eni-failover-hook-probe';

const attachedTo = (world: World) => [front, management].map((eni) => world.ec2.where(eni)?.instanceId);
const fail = (world: World) => {
  world.ec2.impair(a);
  return world.look(world.alarm(a));
};
const last = (world: World) => world.episodes().at(-1);
const mark = (world: World) => last(world)?.episode.stages?.['1/serving'];

describe('serving, by an alarm', () => {
  story('that is OK ends the move as completed', byAlarm, async (world) => {
    expect(await fail(world)).toMatchObject({ code: 'COMPLETED' });
    expect(mark(world)).toMatchObject({ end: 'done', output: 'the alarm is OK' });
  });

  story('is asked once everything is attached, in a state of its own', byAlarm, async (world) => {
    world.alarms.set(servingAlarm, 'ALARM');
    world.clock.after(30_000, () => {
      expect(world.service().episode).toMatchObject({ state: 'SERVING', committed: true });
      expect(attachedTo(world)).toEqual([b, b]);
      world.alarms.set(servingAlarm, 'OK');
    });
    await fail(world);
    await world.settle();
    expect(last(world)?.outcome).toBe('COMPLETED');
    expect((mark(world)?.endedAtMs ?? 0) - (mark(world)?.begunAtMs ?? 0)).toBeGreaterThan(20_000);
  });

  for (const [how, set, says] of [
    ['never turns OK', (world: World) => world.alarms.set(servingAlarm, 'ALARM'), 'the alarm is ALARM'],
    [
      'has no data',
      (world: World) => world.alarms.set(servingAlarm, 'INSUFFICIENT_DATA'),
      'the alarm is INSUFFICIENT_DATA',
    ],
    ['is not there', (world: World) => world.alarms.forget(servingAlarm), 'the alarm is not there'],
    [
      'cannot be read',
      (world: World) => world.alarms.fail(9_999),
      'ServiceUnavailable: CloudWatch does not answer',
    ],
  ] as const)
    story(`that ${how} ends it as attached, but not serving, and calls a person`, byAlarm, async (world) => {
      set(world);
      const beganAtMs = world.clock.now();
      await fail(world);
      await world.settle();
      expect(last(world)).toMatchObject({ outcome: 'ATTACHED' });
      expect(last(world)?.why).toBe(`NOT_SERVING: serving (orders-db-serves) not done within 120 s: ${says}`);
      expect(mark(world)).toMatchObject({ end: 'timed-out', output: says });
      expect(world.clock.now() - beganAtMs).toBeGreaterThan(120_000);
      expect(attachedTo(world)).toEqual([b, b]);
      const [notice] = world.notifier.of('ATTACHED');
      expect(notice?.attributes).toMatchObject({ severity: 'critical' });
      expect(notice?.subject).toContain('but not serving');
      expect(notice?.body).toContain('NOT_SERVING');
      expect(Object.keys(world.service().quarantine)).toEqual([a]);
      expect(world.service().lastSeen?.holder).toBe(b);
    });

  story('that could not be read for a while is read again', byAlarm, async (world) => {
    world.alarms.fail(5);
    await fail(world);
    expect(last(world)?.outcome).toBe('COMPLETED');
  });

  story(
    'has the time that the service declares',
    {
      serving: { alarm: servingAlarm, within: '10s' },
    },
    async (world) => {
      world.alarms.set(servingAlarm, 'ALARM');
      expect(await fail(world)).toMatchObject({ code: 'ATTACHED' });
      const { begunAtMs = 0, endedAtMs = 0 } = mark(world) ?? {};
      expect(endedAtMs - begunAtMs).toBeGreaterThanOrEqual(10_000);
      expect(endedAtMs - begunAtMs).toBeLessThan(11_000);
    },
  );

  story('is not asked of a service that was not moved', byAlarm, async (world) => {
    world.alarms.set(servingAlarm, 'ALARM');
    await world.look(world.alarm(a));
    await world.look(world.sweep());
    expect(world.episodes()).toEqual([]);
    expect(world.service().episode).toBeUndefined();
  });

  story('is not asked of interfaces that came back to their source', byAlarm, async (world) => {
    world.alarms.set(servingAlarm, 'ALARM');
    world.ec2.refuseAttach(b);
    await world.askFor(b);
    await world.settle();
    expect(last(world)?.outcome).toBe('RETURNED_TO_SOURCE');
    expect(last(world)?.episode.stages).toBeUndefined();
  });

  story('is asked of a move that was asked for too', byAlarm, async (world) => {
    world.alarms.set(servingAlarm, 'ALARM');
    await world.askFor(b);
    await world.settle();
    expect(last(world)).toMatchObject({ outcome: 'ATTACHED' });
    expect(world.service().quarantine, 'the source is well').toEqual({});
  });

  story('moves nothing again by itself when it does not serve', byAlarm, async (world) => {
    world.alarms.set(servingAlarm, 'ALARM');
    await fail(world);
    await world.settle();
    const moved = world.ec2.mutations().length;
    for (let minute = 0; minute < 5; minute += 1) {
      await world.clock.advance(60_000);
      await world.look(world.sweep());
    }
    expect(world.ec2.mutations()).toHaveLength(moved);
    expect(world.episodes()).toHaveLength(1);
  });
});

describe('serving, by a document', () => {
  story('that succeeds ends the move as completed', byDocument, async (world) => {
    expect(await fail(world)).toMatchObject({ code: 'COMPLETED' });
    expect(world.hooks.begun[0]?.order).toMatchObject({
      token: 'orders-db.1/1/serving',
      command: { instance: b, parameters: { Token: ['orders-db.1/1/serving'] } },
    });
  });

  story('that fails is sent anew until it holds', byDocument, async (world) => {
    world.hooks.behave('probe-orders', { end: 'failed', output: 'connection refused' });
    world.clock.after(30_000, () => world.hooks.behave('probe-orders', {}));
    await fail(world);
    await world.settle();
    expect(last(world)?.outcome).toBe('COMPLETED');
    expect(world.hooks.begun.length).toBeGreaterThan(3);
    expect(new Set(world.hooks.tokens('probe-orders')).size).toBe(1);
    expect(mark(world)).toMatchObject({ end: 'done', output: 'probe-orders ok' });
  });

  story(
    'that never succeeds: attached, but not serving, with the last that it said',
    byDocument,
    async (world) => {
      world.hooks.behave('probe-orders', { end: 'failed', output: 'connection refused' });
      await fail(world);
      await world.settle();
      expect(last(world)).toMatchObject({ outcome: 'ATTACHED' });
      expect(last(world)?.why).toMatch(
        /^NOT_SERVING: serving \(probe-orders on i-0b\w+\) not done within 120 s: connection refused/,
      );
    },
  );

  story('that hangs is not sent a second time', byDocument, async (world) => {
    world.hooks.behave('probe-orders', { hangs: true });
    await fail(world);
    await world.settle();
    expect(world.hooks.begun).toHaveLength(1);
    expect(last(world)?.outcome).toBe('ATTACHED');
  });

  story('that SSM will never begin is not waited for', byDocument, async (world) => {
    world.hooks.fail('probe-orders', { kind: 'refused', code: 'InvalidDocument' });
    expect(await fail(world)).toMatchObject({ code: 'ATTACHED' });
    expect(mark(world)).toMatchObject({ end: 'refused' });
  });
});

describe('serving, by a function', () => {
  story('that says done ends the move as completed', byFunction, async (world) => {
    expect(await fail(world)).toMatchObject({ code: 'COMPLETED' });
  });

  story('that says failed is asked again until it holds', byFunction, async (world) => {
    world.hooks.behave(name, { end: 'failed', output: 'not yet', tookMs: 100 });
    world.clock.after(15_000, () => world.hooks.behave(name, {}));
    await fail(world);
    await world.settle();
    expect(last(world)?.outcome).toBe('COMPLETED');
    expect(new Set(world.hooks.calls.map((each) => each.order.token)).size).toBe(1);
  });
});

describe('while the service is asked whether it serves', () => {
  story(
    'a worker that dies is followed by one that goes on with the same deadline',
    byAlarm,
    async (world) => {
      world.alarms.set(servingAlarm, 'ALARM');
      world.ec2.impair(a);
      const first = world.worker();
      const { report } = world.begin(world.alarm(a), first);
      report.catch(() => undefined);
      await world.clock.advance(20_000);
      first.crashAt(first.calls.length + 1, 'before');
      await world.run(first.crashed);
      await world.settle();
      const { begunAtMs = 0, endedAtMs = 0 } = mark(world) ?? {};
      expect(endedAtMs - begunAtMs).toBeGreaterThanOrEqual(120_000);
      expect(endedAtMs - begunAtMs).toBeLessThan(140_000);
      expect(last(world)?.outcome).toBe('ATTACHED');
      expect(world.ec2.mutations()).toHaveLength(4);
    },
  );

  story(
    'the target fails: attached, to a member that has failed itself, and the next look moves on',
    byAlarm,
    async (world) => {
      world.alarms.set(servingAlarm, 'ALARM');
      world.clock.after(15_000, () => world.ec2.setState(b, 'stopped'));
      await fail(world);
      await world.settle();
      expect(world.episodes()[0]?.outcome).toBe('ATTACHED');
      await world.look(world.stateChange(b, 'stopped'));
      await world.settle();
      expect(world.episodes()).toHaveLength(2);
      expect(world.episodes()[1]?.episode).toMatchObject({ kind: 'failover', plan: { source: b } });
    },
  );

  story(
    'somebody takes an interface away: that is not repaired, and a person is called',
    byAlarm,
    async (world) => {
      world.alarms.set(servingAlarm, 'ALARM');
      world.clock.after(15_000, () => {
        world.ec2.moveByHand(front, 'i-0eeeeeeeeeeeeeee9' as typeof a, 5);
        world.alarms.set(servingAlarm, 'OK');
      });
      await fail(world);
      await world.settle();
      expect(last(world)?.outcome).toBe('NEEDS_HUMAN');
      expect(world.ec2.where(front)?.instanceId).toBe('i-0eeeeeeeeeeeeeee9');
    },
  );

  story('a pause changes nothing', byAlarm, async (world) => {
    world.alarms.set(servingAlarm, 'ALARM');
    world.clock.after(15_000, () => {
      world.store.change(ordersDb, (state) => ({
        ...state,
        pause: { reason: 'x', author: 'ann', atMs: world.clock.now(), untilMs: world.clock.now() + 600_000 },
      }));
      world.alarms.set(servingAlarm, 'OK');
    });
    await fail(world);
    await world.settle();
    expect(last(world)?.outcome).toBe('COMPLETED');
  });
});
