/** Outages as stories: from one event to interfaces that rest together, a record in the trail and a notice. */
import { describe, expect } from 'vitest';
import type { Hint } from '../../shared/core/hint.ts';
import type { InstanceId } from '../../shared/core/ids.ts';
import type { ServiceState } from '../../shared/core/state.ts';
import { times } from '../../shared/core/times.ts';
import type { StoreCall } from '../fakes/fake-store.ts';
import { waitingNotice } from '../fakes/notices.ts';
import {
  a,
  applicationAlarm,
  b,
  c,
  front,
  lookAt,
  management,
  ordersDb,
  replicaLagOf,
  stranger,
  type World,
  zone,
} from '../fakes/world.ts';
import { story } from './story.ts';

const attachedTo = (world: World) => [front, management].map((eni) => world.ec2.where(eni)?.instanceId);
const change = (world: World, more: Partial<ServiceState>) =>
  world.store.change(ordersDb, (state) => ({ ...state, ...more }));
const pausedFor = (world: World, ms: number) => ({
  reason: 'patching',
  author: 'ops@example.com',
  atMs: world.clock.now(),
  untilMs: world.clock.now() + ms,
});
const expectUntouched = (world: World) => {
  expect(world.ec2.mutations(), 'calls that change EC2').toEqual([]);
  expect(attachedTo(world)).toEqual([a, a]);
};
/** A worker has claimed a failover and died before it detached anything; its lease is over. */
const claimedAndDead = async (world: World) => {
  world.ec2.impair(a);
  const worker = world.worker();
  world.store.onWrite(({ before, after }) => {
    if (!before?.episode && after.episode) worker.crashAt(worker.calls.length, 'after');
  });
  world.begin(world.alarm(a), worker);
  await world.clock.advance(30_000);
};
/** Does something as soon as a claim is in the table. */
const onceClaimed = (world: World, run: () => void) =>
  world.store.onWrite(({ before, after }) => {
    if (!before?.episode && after.episode) run();
  });
const slowClaim = { kind: 'slow', ms: 4_000 } as const;
const withApplicationAlarm = { signals: { alarms: [{ arn: applicationAlarm }] } };

describe('the holder fails', () => {
  story('its system check is impaired: both interfaces move to the standby together', async (world) => {
    world.ec2.impair(a);
    const report = await world.look(world.alarm(a));
    expect(report).toMatchObject({ kind: 'closed', code: 'COMPLETED', episodeId: 'orders-db.1' });
    expect(world.ec2.where(front)).toMatchObject({ instanceId: b, deviceIndex: 1, status: 'attached' });
    expect(world.ec2.where(management)).toMatchObject({ instanceId: b, deviceIndex: 2, status: 'attached' });
    expect(world.service().lastSeen).toEqual({
      holder: b,
      attachments: { [front]: world.ec2.where(front)?.id, [management]: world.ec2.where(management)?.id },
    });
    const [notice] = world.notifier.of('COMPLETED');
    expect(notice).toMatchObject({
      dedupeId: 'orders-db.1.COMPLETED',
      subject: expect.stringContaining('orders-db: failover to i-0bbbbbbbbbbbbbbb2 done'),
      attributes: { service: 'orders-db', outcome: 'COMPLETED', severity: 'warning' },
    });
    expect(notice?.body).toContain(world.service().trail.head);
    expect(world.service()).toMatchObject({ outbox: [], epoch: 1 });
    expect(world.service().lease).toBeUndefined();
    expect(world.service().frozen).toBeUndefined();
    expect(Object.keys(world.service().quarantine)).toEqual([a]);
  });

  for (const check of ['instance', 'ebs'] as const)
    story(`its ${check} check is impaired: the same`, async (world) => {
      world.ec2.impair(a, check);
      expect((await world.look(world.alarm(a))).code).toBe('COMPLETED');
      expect(attachedTo(world)).toEqual([b, b]);
    });

  for (const state of ['stopping', 'stopped', 'shutting-down'])
    story(`it is ${state}: the same, without any alarm`, async (world) => {
      world.ec2.setState(a, state);
      expect((await world.look(world.stateChange(a, state))).code).toBe('COMPLETED');
      expect(attachedTo(world)).toEqual([b, b]);
    });

  story('it is terminated and lets the interfaces go: they are rescued without a detach', async (world) => {
    world.ec2.terminate(a);
    const report = await world.look(world.stateChange(a, 'terminated'));
    expect(report.code).toBe('COMPLETED');
    expect(attachedTo(world)).toEqual([b, b]);
    expect(world.ec2.mutations('detach')).toEqual([]);
    expect(world.episodes()[0]?.episode.kind).toBe('rescue');
  });

  story('it is gone from EC2 altogether: the same', async (world) => {
    world.ec2.forget(a);
    await world.look(world.stateChange(a, 'terminated'));
    await world.settle();
    expect(attachedTo(world)).toEqual([b, b]);
  });

  story('its application alarm is red: it is left plainly', withApplicationAlarm, async (world) => {
    world.alarms.set(applicationAlarm, 'ALARM');
    const report = await world.look(world.applicationAlarm());
    expect(report.code).toBe('COMPLETED');
    expect(world.ec2.mutations('detach').map((each) => each.force)).toEqual([false, false]);
    expect(attachedTo(world)).toEqual([b, b]);
  });

  story(
    'its check is impaired for three minutes and no alarm said so: the sweep is enough',
    async (world) => {
      world.ec2.impair(a, 'system', world.clock.now() - 3 * 60_000);
      expect((await world.look(world.sweep())).code).toBe('COMPLETED');
    },
  );

  story('the failed member stays out until it is acknowledged', async (world) => {
    world.ec2.impair(a);
    await world.look(world.alarm(a));
    world.ec2.recover(a);
    await world.clock.advance(20 * 60_000);
    world.ec2.impair(b);
    await world.look(world.alarm(b));
    expect(attachedTo(world)).toEqual([c, c]);
    await world.clock.advance(20 * 60_000);
    world.ec2.impair(c);
    const report = await world.look(world.alarm(c));
    expect(report).toMatchObject({ kind: 'refused', code: 'NO_ELIGIBLE_STANDBY' });
    expect(attachedTo(world)).toEqual([c, c]);
  });

  story('also when it was stranded in between', async (world) => {
    world.ec2.impair(a);
    for (const id of [a, b, c]) world.ec2.refuseAttach(id);
    await world.look(world.alarm(a));
    for (const id of [a, b, c]) world.ec2.acceptAttach(id);
    await world.clock.advance(60_000);
    await world.look(world.sweep());
    await world.settle();
    expect(attachedTo(world)).toEqual([b, b]);
    // The old primary comes back, and its data is old.
    world.ec2.recover(a);
    world.ec2.impair(b);
    await world.clock.advance(5 * 60_000);
    await world.look(world.alarm(b));
    expect(attachedTo(world)).toEqual([c, c]);
  });

  story('the standby is lagging: the next one is taken', { readyWhen: true }, async (world) => {
    world.alarms.set(replicaLagOf(b), 'ALARM');
    world.ec2.impair(a);
    await world.look(world.alarm(a));
    expect(attachedTo(world)).toEqual([c, c]);
  });

  story('the notice says that no standby is left', { members: [a, b] }, async (world) => {
    world.ec2.impair(a);
    await world.look(world.alarm(a));
    expect(world.notifier.of('COMPLETED')[0]?.body).toContain('NO STANDBY IS LEFT');
  });
});

describe('an event', () => {
  story('that comes twice moves once', async (world) => {
    world.ec2.impair(a);
    await world.look(world.alarm(a));
    const report = await world.look(world.alarm(a));
    expect(report).toMatchObject({ kind: 'nothing', code: 'NOT_HOLDER' });
    expect(world.episodes()).toHaveLength(1);
  });

  story('that comes to two workers at once moves once', async (world) => {
    world.ec2.impair(a);
    const both = [world.begin(world.alarm(a)), world.begin(world.stateChange(a, 'stopping'))];
    const reports = await world.run(Promise.all(both.map((each) => each.report)));
    await world.settle();
    expect(reports.filter((each) => each.code === 'COMPLETED')).toHaveLength(1);
    expect(world.episodes()).toHaveLength(1);
    expect(world.ec2.mutations('detach')).toHaveLength(2);
  });

  story('that comes to five workers, each some milliseconds later, moves once', async (world) => {
    world.ec2.impair(a);
    const all = [];
    for (let index = 0; index < 5; index += 1) {
      all.push(world.begin(world.alarm(a)));
      await world.clock.advance(37);
    }
    await world.run(Promise.all(all.map((each) => each.report)));
    await world.settle();
    expect(world.episodes()).toHaveLength(1);
    expect(world.ec2.mutations('detach')).toHaveLength(2);
  });

  story('about a standby moves nothing', async (world) => {
    world.ec2.impair(b);
    expect(await world.look(world.alarm(b))).toMatchObject({ kind: 'nothing', code: 'NOT_HOLDER' });
    expectUntouched(world);
  });

  story('that EC2 does not confirm is looked at after 10, 20 and 40 s, then recorded once', async (world) => {
    const startMs = world.clock.now();
    const report = await world.look(world.alarm(a));
    expect(report).toMatchObject({ kind: 'later', code: 'NOT_CONFIRMED' });
    const looks = await world.settle();
    expect(world.queue.sent.map((each) => each.delayMs)).toEqual([10_000, 20_000, 40_000]);
    expect(looks.at(-1)).toMatchObject({ kind: 'refused', code: 'NOT_CONFIRMED' });
    expect(world.clock.now() - startMs).toBeLessThan(75_000);
    expect(world.kinds()).toEqual(['refusal']);
    await world.look(world.alarm(a), { look: 3 });
    expect(world.kinds()).toEqual(['refusal']);
    expectUntouched(world);
  });

  story('that EC2 confirms at a second look moves', async (world) => {
    await world.look(world.alarm(a));
    world.ec2.impair(a);
    await world.settle();
    expect(attachedTo(world)).toEqual([b, b]);
  });

  story(
    'that EC2 confirms at a second look moves, also when DeleteOnTermination had to be cleared first',
    async (world) => {
      world.ec2.setDeleteOnTermination(front, true);
      await world.look(world.alarm(a));
      // CloudWatch was some seconds faster than DescribeInstanceStatus.
      world.ec2.impair(a);
      await world.settle();
      expect(attachedTo(world)).toEqual([b, b]);
    },
  );

  story(
    'of a signal that is not declared is refused as such',
    { signals: { statusChecks: false } },
    async (world) => {
      world.ec2.impair(a);
      expect(await world.look(world.alarm(a))).toMatchObject({
        kind: 'nothing',
        code: 'SIGNAL_NOT_DECLARED',
      });
      expectUntouched(world);
    },
  );

  story('for a service that nobody registered does nothing', { registered: false }, async (world) => {
    expect(await world.look(world.alarm(a))).toMatchObject({ kind: 'nothing', code: 'NO_SUCH_SERVICE' });
    expectUntouched(world);
  });

  story('for a service that was unregistered does nothing', async (world) => {
    change(world, { tombstone: true });
    world.ec2.impair(a);
    expect(await world.look(world.alarm(a))).toMatchObject({ kind: 'nothing', code: 'NO_SUCH_SERVICE' });
    expectUntouched(world);
  });

  story(
    'of an application alarm that turned red before the last move does not chase it',
    withApplicationAlarm,
    async (world) => {
      world.alarms.set(applicationAlarm, 'ALARM');
      await world.look(world.applicationAlarm());
      expect(attachedTo(world)).toEqual([b, b]);
      const report = await world.look(world.applicationAlarm());
      expect(report.code).toBe('GRACE_PERIOD');
      const looks = await world.settle();
      expect(looks.at(-1)).toMatchObject({ kind: 'refused', code: 'GRACE_PERIOD' });
      expect(world.notifier.of('GRACE_PERIOD'), 'a person is called once').toHaveLength(1);
      expect(attachedTo(world)).toEqual([b, b]);
    },
  );

  story('of a suppressed application alarm moves nothing', withApplicationAlarm, async (world) => {
    world.alarms.set(applicationAlarm, 'ALARM', { suppressedBy: 'Alarm' });
    expect(await world.look(world.applicationAlarm())).toMatchObject({ kind: 'nothing', code: 'SUPPRESSED' });
    expectUntouched(world);
  });

  story('that announces an interruption tells people and moves nothing', async (world) => {
    const hint = {
      kind: 'announcement',
      what: 'spot-interruption',
      detail: 'terminate',
      instanceIds: [a],
      atMs: world.clock.now(),
    } as const;
    expect(await world.look(hint)).toMatchObject({ kind: 'recorded', code: 'ANNOUNCED' });
    expect(world.notifier.of('ANNOUNCED')).toHaveLength(1);
    expect(world.kinds()).toEqual(['announced']);
    expectUntouched(world);
  });
});

describe('what is not known', () => {
  for (const check of ['initializing', 'insufficient-data'] as const)
    story(`a check that is ${check} is no failure`, async (world) => {
      world.ec2.change(a, {
        checks: { system: check, instance: 'ok', ebs: 'ok', impairedSinceMs: undefined },
      });
      expect(await world.look(world.alarm(a))).toMatchObject({ kind: 'later', code: 'UNKNOWN_HEALTH' });
      await world.settle();
      expect(world.notifier.of('UNKNOWN_HEALTH'), 'paged once').toHaveLength(1);
      expectUntouched(world);
    });

  for (const operation of ['interfaces', 'instances', 'checks'] as const)
    story(`a failed read of ${operation} moves nothing, and the next look does`, async (world) => {
      world.ec2.impair(a);
      world.ec2.fail(
        operation,
        { kind: 'refused', code: 'UnauthorizedOperation' },
        { untilMs: world.clock.now() + 9_000 },
      );
      await world.look(world.alarm(a));
      expectUntouched(world);
      await world.settle();
      expect(attachedTo(world)).toEqual([b, b]);
    });

  story('EC2 unreadable for good moves nothing and pages', async (world) => {
    world.ec2.impair(a);
    world.ec2.fail('reads', { kind: 'refused', code: 'UnauthorizedOperation' }, { times: 10_000 });
    await world.look(world.alarm(a));
    await world.settle();
    expect(world.notifier.of('UNKNOWN_STATE').length).toBe(1);
    expectUntouched(world);
  });

  story(
    'a request that expires while EC2 cannot be read is refused, not left waiting (P29)',
    async (world) => {
      const atMs = world.clock.now();
      const request = { id: 'r', kind: 'switchover', target: b, author: 'ann', reason: 'x', atMs } as const;
      world.store.change(ordersDb, (state) => ({ ...state, request }));
      world.ec2.fail('reads', { kind: 'refused', code: 'UnauthorizedOperation' }, { times: 10_000 });
      await world.look({ kind: 'request', atMs });
      await world.settle();
      expect(world.service().request, 'it has not expired yet').toBeDefined();
      await world.clock.advance(times.requestTtlMs);
      await world.look({ kind: 'sweep', finding: 'a request waits', atMs: world.clock.now() });
      await world.settle();
      expect(world.service().request).toBeUndefined();
      expectUntouched(world);
    },
  );

  story('answers that take five seconds still lead to the move', async (world) => {
    world.ec2.impair(a);
    world.ec2.fail('reads', { kind: 'slow', ms: 5_000 }, { times: 4 });
    await world.look(world.alarm(a));
    await world.settle();
    expect(attachedTo(world)).toEqual([b, b]);
  });

  story('a declared alarm that cannot be read moves nothing', withApplicationAlarm, async (world) => {
    world.alarms.set(applicationAlarm, 'ALARM');
    world.alarms.fail(1);
    const report = await world.look(world.applicationAlarm());
    expect(report).toMatchObject({ kind: 'later', code: 'UNKNOWN_STATE' });
    expectUntouched(world);
    await world.settle();
    expect(attachedTo(world)).toEqual([b, b]);
  });
});

describe('people forbid', () => {
  story('a paused service is not moved, and people hear of it once', async (world) => {
    change(world, { pause: pausedFor(world, 3_600_000) });
    world.ec2.impair(a);
    expect(await world.look(world.alarm(a))).toMatchObject({ kind: 'refused', code: 'PAUSED' });
    await world.look(world.alarm(a));
    expect(world.notifier.of('PAUSED')).toHaveLength(1);
    expect(world.kinds()).toEqual(['refusal']);
    expectUntouched(world);
  });

  story('a pause that has ended forbids nothing', async (world) => {
    change(world, { pause: pausedFor(world, 1_000) });
    await world.clock.advance(1_000);
    world.ec2.impair(a);
    expect((await world.look(world.alarm(a))).code).toBe('COMPLETED');
  });

  story('a second outage under a second pause is told again', async (world) => {
    change(world, { pause: pausedFor(world, 60_000) });
    world.ec2.impair(a);
    await world.look(world.alarm(a));
    await world.clock.advance(60_000);
    expect((await world.look(world.alarm(a))).code).toBe('COMPLETED');
    change(world, { pause: pausedFor(world, 60_000) });
    world.ec2.impair(b);
    expect((await world.look(world.alarm(b))).code).toBe('PAUSED');
    expect(world.notifier.of('PAUSED')).toHaveLength(2);
  });

  story('a pause between the read and the claim is seen', async (world) => {
    world.ec2.impair(a);
    world.ec2.fail('interfaces', {
      kind: 'meanwhile',
      run: () => change(world, { pause: pausedFor(world, 3_600_000) }),
    });
    expect((await world.look(world.alarm(a))).code).toBe('PAUSED');
    expectUntouched(world);
  });

  story('a pause in the middle of an episode lets it go on to its end', async (world) => {
    world.ec2.impair(a);
    let isPaused = false;
    world.ec2.onEffect((effect) => {
      if (effect.what === 'detached' && !isPaused) {
        isPaused = true;
        change(world, { pause: pausedFor(world, 3_600_000) });
      }
    });
    expect((await world.look(world.alarm(a))).code).toBe('COMPLETED');
    expect(world.service().pause).toBeDefined();
  });

  story('the paused controller moves nothing', async (world) => {
    world.store.pauseAll(pausedFor(world, 3_600_000));
    world.ec2.impair(a);
    expect(await world.look(world.alarm(a))).toMatchObject({ kind: 'refused', code: 'CONTROLLER_PAUSED' });
    expectUntouched(world);
  });

  story('in observe it says what it would have done', { policy: { mode: 'observe' } }, async (world) => {
    world.ec2.impair(a);
    const report = await world.look(world.alarm(a));
    expect(report).toMatchObject({ kind: 'refused', code: 'OBSERVE_ONLY' });
    expect(report.detail).toContain(`would have moved to ${b}`);
    expectUntouched(world);
  });

  story(
    'the budget of three an hour is spent',
    { policy: { quarantine: 'until-healthy', quarantineFor: '1s' } },
    async (world) => {
      const now = world.clock.now();
      change(world, { failoversAtMs: [now - 50 * 60_000, now - 20_000, now - 10_000] });
      world.ec2.impair(a);
      expect(await world.look(world.alarm(a))).toMatchObject({ kind: 'refused', code: 'BUDGET_SPENT' });
      expectUntouched(world);
      await world.clock.advance(11 * 60_000);
      expect((await world.look(world.alarm(a))).code).toBe('COMPLETED');
    },
  );

  story('the last failover of an hour counts as soon as something was detached', async (world) => {
    world.ec2.impair(a);
    for (const id of [a, b, c]) world.ec2.refuseAttach(id);
    await world.look(world.alarm(a));
    expect(world.service().failoversAtMs).toHaveLength(1);
  });
});

describe('the mass-failure brake', () => {
  const fleet = async (world: World, count: number) => {
    const services = [];
    for (let number = 1; number <= count; number += 1) services.push(await world.addService(number));
    return services;
  };
  const failAll = async (
    world: World,
    services: readonly { name: typeof ordersDb; holder: InstanceId }[],
  ) => {
    for (const { holder } of services) world.ec2.impair(holder);
    return world.run(
      Promise.all(services.map(({ name, holder }) => lookAt(world, name, world.alarm(holder)))),
    );
  };

  story('stops the fifth of eight that fail at once, and pages once', async (world) => {
    const services = await fleet(world, 7);
    const reports = await failAll(world, services.slice(0, 5));
    expect(reports.filter((each) => each.code === 'REFUSED').length).toBeGreaterThan(0);
    expect((await world.run(world.store.readController())).brakes[zone]).toBeDefined();
    expect(world.notifier.pages()).toHaveLength(1);
    for (const report of reports.filter((each) => each.code === 'REFUSED'))
      expect(world.service(report.service as typeof ordersDb)).toMatchObject({
        failoversAtMs: [],
        mayDetach: [],
      });
  });

  story('pages for the first that it stops, and only warns for the one beside it', async (world) => {
    const services = await fleet(world, 7);
    const reports = await failAll(world, services.slice(0, 6));
    expect(reports.filter((each) => each.code === 'REFUSED')).toHaveLength(2);
    const told = world.notifier.of('REFUSED').map((each) => each.attributes['severity']);
    expect(told.toSorted()).toEqual(['critical', 'warning']);
  });

  story('holds the next one before it plans anything', async (world) => {
    await world.run(world.store.tripBrake(zone, ['x'], world.clock.now()));
    world.ec2.impair(a);
    expect(await world.look(world.alarm(a))).toMatchObject({ kind: 'refused', code: 'BRAKE' });
    expect(world.service().epoch).toBe(0);
    expectUntouched(world);
  });

  story('leaves four of eight alone', async (world) => {
    const services = await fleet(world, 7);
    const reports = await failAll(world, services.slice(0, 4));
    expect(reports.map((each) => each.code)).toEqual(Array(4).fill('COMPLETED'));
  });

  story('leaves five of eleven alone', async (world) => {
    const services = await fleet(world, 10);
    const reports = await failAll(world, services.slice(0, 5));
    expect(reports.map((each) => each.code)).toEqual(Array(5).fill('COMPLETED'));
  });

  story(
    'leaves one service that fails five times alone',
    { policy: { budgetPerHour: 60 } },
    async (world) => {
      for (let time = 0; time < 5; time += 1) {
        const holder = world.holder() as InstanceId;
        change(world, { quarantine: {} });
        world.ec2.impair(holder);
        expect((await world.look(world.alarm(holder))).code).toBe('COMPLETED');
        world.ec2.recover(holder);
      }
    },
  );

  story('whose counter cannot be read holds the move until it can', async (world) => {
    world.ec2.impair(a);
    world.store.fail('countFailover', { kind: 'unreachable' }, { times: 3 });
    const report = await world.look(world.alarm(a));
    expect(report.kind).toBe('handed-over');
    expectUntouched(world);
    await world.settle();
    expect(attachedTo(world)).toEqual([b, b]);
    expect(world.episodes()).toHaveLength(1);
  });

  story('does not hold back a rescue', async (world) => {
    await world.run(world.store.tripBrake(zone, ['x'], world.clock.now()));
    world.ec2.terminate(a);
    await world.look(world.stateChange(a, 'terminated'));
    await world.settle();
    expect(attachedTo(world)).toEqual([b, b]);
  });
});

describe('a bad state has a clear outcome and changes nothing', () => {
  const bad: readonly (readonly [string, string, (world: World) => void])[] = [
    ['an interface is gone', 'UNMOVABLE_INTERFACE', (world) => world.ec2.deleteInterface(front)],
    [
      'an interface belongs to an AWS service',
      'UNMOVABLE_INTERFACE',
      (world) => world.ec2.changeInterface(front, { managedBy: 'amazon-elb' }),
    ],
    [
      'an interface is the primary one of its instance',
      'UNMOVABLE_INTERFACE',
      (world) => {
        world.ec2.moveByHand(front, a, 0);
      },
    ],
    [
      'an interface lost its tag',
      'NOT_TAGGED',
      (world) => world.ec2.changeInterface(front, { tagged: false }),
    ],
    ['the holder lost its tag', 'NOT_TAGGED', (world) => world.ec2.change(a, { tagged: false })],
    [
      'every standby is stopped',
      'NO_ELIGIBLE_STANDBY',
      (world) => {
        world.ec2.setState(b, 'stopped');
        world.ec2.setState(c, 'stopped');
      },
    ],
    [
      'every standby is impaired',
      'NO_ELIGIBLE_STANDBY',
      (world) => {
        world.ec2.impair(b);
        world.ec2.impair(c, 'instance');
      },
    ],
    [
      'every standby is gone',
      'NO_ELIGIBLE_STANDBY',
      (world) => {
        world.ec2.forget(b);
        world.ec2.forget(c);
      },
    ],
    [
      'every standby is in another zone',
      'NO_ELIGIBLE_STANDBY',
      (world) => {
        world.ec2.change(b, { availabilityZone: 'eu-central-1b' });
        world.ec2.change(c, { availabilityZone: 'eu-central-1b' });
      },
    ],
    [
      'every standby is full',
      'NO_ELIGIBLE_STANDBY',
      (world) => {
        for (const [index, id] of [b, c].entries()) {
          for (const at of [5, 6]) {
            const eni = `eni-0dddddddddddd${index}${at}0` as typeof front;
            world.ec2.addInterface(eni);
            world.ec2.attachByHand(eni, id, at);
          }
        }
      },
    ],
    [
      'every standby is of a type that carries fewer addresses',
      'NO_ELIGIBLE_STANDBY',
      (world) => {
        world.ec2.limitsByType['t3.nano'] = {
          interfaces: 4,
          interfacesPerCard: [4],
          ipv4PerInterface: 2,
          ipv6PerInterface: 2,
        };
        world.ec2.change(b, { instanceType: 't3.nano' });
        world.ec2.change(c, { instanceType: 't3.nano' });
      },
    ],
    [
      'the device index is taken on every standby',
      'NO_ELIGIBLE_STANDBY',
      (world) => {
        for (const [index, id] of [b, c].entries()) {
          const eni = `eni-0dddddddddddd${index}110` as typeof front;
          world.ec2.addInterface(eni);
          world.ec2.attachByHand(eni, id, 2);
        }
      },
    ],
    [
      'every standby lost its tag',
      'NO_ELIGIBLE_STANDBY',
      (world) => {
        world.ec2.change(b, { tagged: false });
        world.ec2.change(c, { tagged: false });
      },
    ],
  ];
  for (const [what, code, make] of bad)
    story(`${what}: ${code}`, async (world) => {
      world.ec2.impair(a);
      make(world);
      const first = await world.look(world.alarm(a));
      const later = await world.settle();
      const report = [first, ...later].find((each) => each.kind === 'refused');
      expect(report).toMatchObject({ kind: 'refused', code });
      expect(world.ec2.mutations()).toEqual([]);
      expect(world.records('refusal')[0]).toMatchObject({ code });
      expect(world.notifier.of(code)).toHaveLength(1);
      expect(world.service().episode).toBeUndefined();
    });

  story('the refusal names each standby with its own reason', async (world) => {
    world.ec2.impair(a);
    world.ec2.setState(b, 'stopped');
    world.ec2.impair(c);
    const report = await world.look(world.alarm(a));
    expect(report.detail).toContain(`${b}: NOT_RUNNING`);
    expect(report.detail).toContain(`${c}: CHECKS_FAILED`);
  });

  story('the refusal is recorded again only when it changes', async (world) => {
    world.ec2.impair(a);
    world.ec2.setState(b, 'stopped');
    world.ec2.impair(c);
    await world.look(world.alarm(a));
    await world.look(world.alarm(a));
    expect(world.kinds()).toEqual(['refusal']);
    world.ec2.recover(b);
    world.ec2.impair(b);
    await world.look(world.alarm(a));
    expect(world.kinds()).toEqual(['refusal', 'refusal']);
  });

  story('a standby that becomes eligible seconds later is taken', async (world) => {
    world.ec2.impair(a);
    world.ec2.setState(b, 'stopped');
    world.ec2.setState(c, 'stopped');
    await world.look(world.alarm(a));
    world.ec2.setState(b, 'running');
    await world.settle();
    expect(attachedTo(world)).toEqual([b, b]);
  });

  story('EC2 denies the calls: NEEDS_HUMAN, and nothing was changed', async (world) => {
    world.ec2.impair(a);
    world.ec2.fail('detach', { kind: 'refused', code: 'UnauthorizedOperation' }, { times: 99 });
    const report = await world.look(world.alarm(a));
    expect(report).toMatchObject({ kind: 'closed', code: 'NEEDS_HUMAN' });
    expect(world.ec2.effects.filter((each) => each.by === 'controller')).toEqual([]);
    expect(attachedTo(world)).toEqual([a, a]);
  });

  story('the interfaces are on the target already: nothing to do', async (world) => {
    world.ec2.impair(a);
    await world.look(world.alarm(a));
    const before = world.ec2.mutations().length;
    expect((await world.look(world.alarm(a))).kind).toBe('nothing');
    expect(world.ec2.mutations()).toHaveLength(before);
  });

  story('the item has no members: NO_MEMBERS', async (world) => {
    change(world, { declared: JSON.stringify({ ...world.declaration, members: [] }) });
    world.ec2.impair(a);
    const report = await world.look(world.alarm(a)).catch((error: unknown) => ({ kind: 'thrown', error }));
    expectUntouched(world);
    expect(report).toMatchObject({ kind: 'refused', code: 'NO_MEMBERS' });
  });

  for (const [what, lease] of [
    ['without an end', { owner: 'x' }],
    ['without an owner', { untilMs: 1 }],
    ['that is text', 'free'],
  ] as const)
    story(`a lease ${what} is an error and never a free lease`, async (world) => {
      world.store.put(ordersDb, { ...(world.store.raw(ordersDb) as object), lease });
      world.ec2.impair(a);
      await expect(world.look(world.alarm(a))).rejects.toMatchObject({ name: 'InvalidInputError' });
      expectUntouched(world);
    });
});

describe('what people do to the interfaces', () => {
  story(
    'moved by hand to a member: written down once, after a second look, and left there',
    async (world) => {
      world.ec2.moveByHand(front, b, 1);
      world.ec2.moveByHand(management, b, 2);
      await world.look(world.sweep());
      await world.look(world.sweep());
      expect(world.records('observed')).toMatchObject([{ code: 'MOVED_BY_OTHERS' }]);
      expect(world.notifier.of('MOVED_BY_OTHERS')).toHaveLength(1);
      expect(world.service().lastSeen?.holder).toBe(b);
      expect(world.ec2.mutations()).toEqual([]);
    },
  );

  story('moved by hand to a member that fails: it is moved on', async (world) => {
    world.ec2.moveByHand(front, b, 1);
    world.ec2.moveByHand(management, b, 2);
    world.ec2.impair(b);
    expect((await world.look(world.alarm(b))).code).toBe('COMPLETED');
    expect(attachedTo(world)).toEqual([a, a]);
  });

  story('moved by hand twice to the same failing member: it is moved on twice', async (world) => {
    for (const time of [1, 2]) {
      world.ec2.recover(b);
      change(world, { quarantine: {} });
      world.ec2.moveByHand(front, b, 1);
      world.ec2.moveByHand(management, b, 2);
      world.ec2.impair(b);
      await world.look(world.alarm(b));
      await world.settle();
      expect(attachedTo(world), `time ${time}`).toEqual([a, a]);
    }
    expect(world.records('observed')).toHaveLength(2);
  });

  story('moved by hand to a stranger: written down once, and never taken back', async (world) => {
    world.ec2.moveByHand(front, stranger, 1);
    world.ec2.moveByHand(management, stranger, 2);
    world.ec2.impair(stranger);
    for (let minute = 0; minute < 3; minute += 1) {
      await world.look(world.sweep());
      await world.clock.advance(60_000);
    }
    expect(world.records('observed')).toHaveLength(1);
    expect(world.ec2.mutations()).toEqual([]);
  });

  story('split over two members: paged once, left alone', async (world) => {
    world.ec2.moveByHand(front, b, 1);
    world.ec2.impair(a);
    await world.look(world.alarm(a));
    await world.look(world.alarm(a));
    expect(world.records('observed')).toMatchObject([{ code: 'SPLIT' }]);
    expect(world.notifier.pages()).toHaveLength(1);
    expect(world.ec2.mutations()).toEqual([]);
  });

  story('detached by hand from a healthy holder: paged once, left alone', async (world) => {
    world.ec2.detachByHand(front);
    await world.look(world.sweep());
    await world.look(world.sweep());
    expect(world.records('observed')).toMatchObject([{ code: 'DETACHED_BY_OTHERS' }]);
    expect(world.notifier.pages()).toHaveLength(1);
    expect(world.ec2.mutations()).toEqual([]);
  });

  story(
    'detached by hand, and attached again while we look twice: written down, nobody paged',
    async (world) => {
      world.ec2.detachByHand(front);
      const looking = world.begin(world.sweep());
      await world.clock.advance(2_000);
      world.ec2.attachByHand(front, a, 1);
      await world.run(looking.report);
      expect(world.records('observed').map((each) => each['code'])).toEqual(['REATTACHED_BY_OTHERS']);
      expect(world.notifier.pages()).toEqual([]);
      await world.look(world.sweep());
      expect(world.kinds()).toEqual(['observed']);
    },
  );

  story('one detached by hand, then the holder fails: both are rescued', async (world) => {
    world.ec2.detachByHand(front);
    await world.look(world.sweep());
    world.ec2.impair(a);
    await world.look(world.alarm(a));
    await world.settle();
    expect(attachedTo(world)).toEqual([b, b]);
  });

  story('one put on a stranger by hand and the holder dies: their work is not taken away', async (world) => {
    world.ec2.moveByHand(front, stranger, 1);
    world.ec2.terminate(a);
    await world.look(world.stateChange(a, 'terminated'));
    await world.settle();
    expect(world.ec2.where(front)?.instanceId).toBe(stranger);
    expect(world.ec2.mutations('detach')).toEqual([]);
    expect(world.notifier.pages().length).toBeGreaterThan(0);
  });

  story(
    'on nothing, and the last holder is in an unclear state: a person is called in the end',
    async (world) => {
      world.ec2.detachByHand(front);
      world.ec2.detachByHand(management);
      world.ec2.change(a, {
        checks: { system: 'insufficient-data', instance: 'ok', ebs: 'ok', impairedSinceMs: undefined },
      });
      await world.look(world.alarm(a));
      await world.settle({ forMs: 10 * 60_000 });
      expect(world.notifier.pages().length).toBeGreaterThan(0);
    },
  );

  story('our own late detach is taken back to the last holder, paused or not', async (world) => {
    const attachment = world.ec2.where(front)?.id;
    change(world, {
      mayDetach: attachment ? [attachment] : [],
      pause: pausedFor(world, 3_600_000),
    });
    world.ec2.detachByHand(front);
    const report = await world.look(world.sweep());
    expect(report.code).toBe('COMPLETED');
    expect(attachedTo(world)).toEqual([a, a]);
    expect(world.episodes()[0]?.episode.kind).toBe('rescue');
  });

  story('a stranded service that people attached again is whole', async (world) => {
    world.ec2.impair(a);
    for (const id of [a, b, c]) world.ec2.refuseAttach(id);
    await world.look(world.alarm(a));
    world.ec2.attachByHand(front, b, 1);
    world.ec2.attachByHand(management, b, 2);
    await world.look(world.sweep());
    expect(world.service().stranded).toBeUndefined();
    expect(world.records('recovered')).toMatchObject([{ holder: b }]);
    expect(world.service().lastSeen?.holder).toBe(b);
  });

  story(
    'a stranded service that people attached to a member which fails at once is moved on',
    async (world) => {
      world.ec2.impair(a);
      for (const id of [a, b, c]) world.ec2.refuseAttach(id);
      await world.look(world.alarm(a));
      world.ec2.attachByHand(front, b, 1);
      world.ec2.attachByHand(management, b, 2);
      world.ec2.acceptAttach(c);
      world.ec2.impair(b);
      await world.look(world.alarm(b));
      await world.settle();
      expect(attachedTo(world)).toEqual([c, c]);
    },
  );

  story('a stranded service under a pause waits', async (world) => {
    world.ec2.impair(a);
    for (const id of [a, b, c]) world.ec2.refuseAttach(id);
    await world.look(world.alarm(a));
    world.ec2.acceptAttach(c);
    change(world, { pause: pausedFor(world, 3_600_000) });
    const before = world.ec2.mutations().length;
    expect((await world.look(world.sweep())).code).toBe('PAUSED');
    expect(world.ec2.mutations()).toHaveLength(before);
  });
});

describe("an operator's request", () => {
  const asked = (world: World, target: InstanceId, kind: 'switchover' | 'failback' = 'switchover') => ({
    request: { id: 'request-1', kind, target, author: 'ann', reason: 'patching', atMs: world.clock.now() },
  });
  const hint = (world: World) => ({ kind: 'request', atMs: world.clock.now() }) as const;

  story('moves plainly to the member that was asked for', async (world) => {
    change(world, asked(world, c));
    expect((await world.look(hint(world))).code).toBe('COMPLETED');
    expect(attachedTo(world)).toEqual([c, c]);
    expect(world.ec2.mutations('detach').every((each) => each.force === false)).toBe(true);
    expect(world.service().request).toBeUndefined();
    expect(world.service().quarantine).toEqual({});
    expect(world.episodes()[0]).toMatchObject({ outcome: 'COMPLETED', author: 'ann' });
  });

  story('is superseded by a failure', async (world) => {
    change(world, asked(world, c));
    world.ec2.impair(a);
    await world.look(world.alarm(a));
    expect(attachedTo(world)).toEqual([b, b]);
    expect(world.service().request).toBeUndefined();
  });

  story('that is too old is refused and cleared, and so is the next one', async (world) => {
    for (const time of [1, 2]) {
      change(world, asked(world, c));
      await world.clock.advance(6 * 60_000);
      expect((await world.look(hint(world))).code).toBe('REQUEST_EXPIRED');
      expect(world.service().request, `request ${time}`).toBeUndefined();
    }
    expect(world.records('refusal')).toHaveLength(2);
    expectUntouched(world);
  });

  story('for a member that may not take it is refused and cleared', async (world) => {
    world.ec2.setState(c, 'stopped');
    change(world, asked(world, c));
    const report = await world.look(hint(world));
    expect(report).toMatchObject({ kind: 'refused', code: 'REQUEST_REFUSED' });
    expect(report.detail).toContain('NOT_RUNNING');
    expect(world.service().request).toBeUndefined();
    expectUntouched(world);
  });

  story(
    'under a pause is refused and cleared: it does not move anything when the pause ends',
    async (world) => {
      change(world, { ...asked(world, c), pause: pausedFor(world, 60_000) });
      await world.look(hint(world));
      expect(world.service().request).toBeUndefined();
      await world.clock.advance(90_000);
      await world.look(world.sweep());
      expectUntouched(world);
    },
  );

  story('whose detach is refused brings everything back to the source', async (world) => {
    change(world, asked(world, c));
    world.ec2.fail(
      'detach',
      { kind: 'refused', code: 'OperationNotPermitted' },
      { when: (call) => call.eni === management, times: 99 },
    );
    const report = await world.look(hint(world));
    expect(report.code).toBe('RETURNED_TO_SOURCE');
    expect(attachedTo(world)).toEqual([a, a]);
  });
});

describe('DeleteOnTermination', () => {
  story('that is found true is set to false, with a record, under a lease', async (world) => {
    world.ec2.setDeleteOnTermination(front, true);
    const report = await world.look({ kind: 'request', atMs: world.clock.now() });
    expect(report).toMatchObject({ kind: 'recorded', code: 'KEPT_ON_TERMINATION' });
    expect(world.ec2.where(front)?.deleteOnTermination).toBe(false);
    expect(world.ec2.mutations().map((each) => each.eni)).toEqual([front]);
    expect(world.kinds()).toEqual(['change']);
    expect(world.service().lease).toBeUndefined();
  });

  story('that was claimed too long ago to be acted on is claimed anew', async (world) => {
    world.ec2.setDeleteOnTermination(front, true);
    const worker = world.worker();
    worker.freezeAt((call) => call === 'store.write', times.leaseTtlMs);
    expect(await world.look(world.sweep(), { worker })).toMatchObject({
      kind: 'recorded',
      code: 'KEPT_ON_TERMINATION',
    });
    expect(world.ec2.mutations()).toHaveLength(1);
    expect(world.service()).toMatchObject({ epoch: 2 });
  });

  story('is left alone under a pause and in observe', async (world) => {
    change(world, { pause: pausedFor(world, 3_600_000) });
    world.ec2.setDeleteOnTermination(front, true);
    await world.look(world.sweep());
    expect(world.ec2.mutations()).toEqual([]);
  });

  story('that EC2 will not clear is told, not told again every minute', async (world) => {
    world.ec2.setDeleteOnTermination(front, true);
    world.ec2.fail('keepOnTermination', { kind: 'refused', code: 'UnauthorizedOperation' }, { times: 999 });
    await world.look({ kind: 'request', atMs: world.clock.now() });
    await world.settle({ forMs: 10 * 60_000 });
    expect(world.kinds().length).toBeLessThanOrEqual(2);
    expect(world.notifier.of('KEPT_ON_TERMINATION').length).toBeGreaterThan(0);
  });

  story('is found while somebody pauses and dies before the copy: no record is lost', async (world) => {
    world.ec2.setDeleteOnTermination(front, true);
    world.ec2.fail('keepOnTermination', {
      kind: 'meanwhile',
      run: () => {
        // A pause that was frozen, and whose worker died before it copied the record.
        const state = world.service();
        const body = JSON.stringify({ previous: state.trail.head, number: state.trail.next });
        const hash = world.ports.hash.sha256(body);
        change(world, {
          frozen: { number: state.trail.next, kind: 'pause', atMs: 0, body, hash, pointers: [] },
          trail: { next: state.trail.next + 1, head: hash },
        });
      },
    });
    await world.look({ kind: 'request', atMs: world.clock.now() });
    expect(world.kinds()).toEqual(['pause', 'change']);
  });
});

describe('a look that has nothing better to do', () => {
  const left = waitingNotice('left', { outcome: 'LEFT' });
  const looks: readonly (readonly [string, Partial<ServiceState>, (world: World) => Hint])[] = [
    [
      'of a watchdog whose epoch is closed',
      {},
      ({ clock }) => ({ kind: 'watchdog', epoch: 7, atMs: clock.now() }),
    ],
    ['that finds all well', {}, (world) => world.sweep()],
    ['that finds all well again', { lastRefusal: 'BRAKE' }, (world) => world.sweep()],
    ['about an alarm that EC2 does not confirm', {}, (world) => world.alarm(a)],
  ];
  for (const [which, more, hint] of looks)
    story(`delivers what was left behind: one ${which}`, async (world) => {
      change(world, { ...more, outbox: [left] });
      await world.look(hint(world));
      expect(world.notifier.of('LEFT')).toHaveLength(1);
      expect(world.service().outbox).toEqual([]);
    });
  story('delivers what was left behind: one that refuses what it refused before', async (world) => {
    change(world, { pause: pausedFor(world, 3_600_000) });
    world.ec2.impair(a);
    await world.look(world.alarm(a));
    change(world, { outbox: [left] });
    await world.look(world.alarm(a));
    expect(world.notifier.of('LEFT')).toHaveLength(1);
    expect(world.queue.waiting(), 'nothing to look at again').toEqual([]);
  });

  story('sends nothing again that somebody else has delivered meanwhile', async (world) => {
    change(world, { lastRefusal: 'BRAKE', outbox: [left] });
    world.store.fail('write', { kind: 'meanwhile', run: () => change(world, { outbox: [] }) });
    await world.look(world.sweep());
    expect(world.notifier.of('LEFT')).toEqual([]);
  });

  story('writes nothing where there is nothing to forget', async (world) => {
    const writes = world.store.writes.length;
    await world.look(world.sweep());
    expect(world.store.writes).toHaveLength(writes);
  });
  for (const memory of [{ lastRefusal: 'BRAKE' }, { lastObserved: 'SPLIT on two' }])
    for (const whose of [a, b])
      story(`forgets what is over: ${Object.keys(memory)}, after an event about ${whose}`, async (world) => {
        change(world, memory);
        await world.look(whose === a ? world.sweep() : world.alarm(b));
        expect(world.service()).not.toHaveProperty(Object.keys(memory));
      });
  story('remembers what is not over', async (world) => {
    for (const [eni, index] of [
      [front, 1],
      [management, 2],
    ] as const)
      world.ec2.moveByHand(eni, stranger, index);
    await world.look(world.sweep());
    const { lastObserved } = world.service();
    expect(lastObserved).toContain(stranger);
    expect(await world.look(world.sweep())).toMatchObject({ kind: 'nothing', code: 'MOVED_BY_OTHERS' });
    expect(world.service().lastObserved).toBe(lastObserved);
  });
});

describe('a second look', () => {
  story('comes after a second when something could not be read', async (world) => {
    world.ec2.impair(a);
    world.ec2.fail('interfaces', { kind: 'throttled' });
    const startMs = world.clock.now();
    await world.look(world.alarm(a));
    expect((world.ec2.mutations('detach')[0]?.atMs ?? 0) - startMs).toBeLessThan(1_500);
  });
  story('comes after a second when an open episode cannot see how its source is', async (world) => {
    await claimedAndDead(world);
    world.ec2.fail('checks', { kind: 'throttled' });
    const startMs = world.clock.now();
    await world.look({ kind: 'watchdog', epoch: 1, atMs: startMs });
    expect((world.ec2.mutations('detach')[0]?.atMs ?? 0) - startMs).toBeLessThan(1_500);
  });
  story('comes after five seconds when what was seen is a surprise', async (world) => {
    world.ec2.moveByHand(front, b, 1);
    const startMs = world.clock.now();
    expect((await world.look(world.sweep())).code).toBe('SPLIT');
    expect(world.clock.now() - startMs).toBeGreaterThanOrEqual(5_000);
  });
});

describe('after a move', () => {
  const graceLooks = (world: World) =>
    world.queue.sent.filter(({ message }) => message.hint.kind === 'sweep').map((each) => each.delayMs);

  story('a declared alarm is looked at when its grace ends', withApplicationAlarm, async (world) => {
    world.ec2.impair(a);
    expect((await world.look(world.alarm(a))).code).toBe('COMPLETED');
    expect(graceLooks(world)).toEqual([121_000]);
  });
  story('without a declared alarm there is nothing to look at', async (world) => {
    world.ec2.impair(a);
    expect((await world.look(world.alarm(a))).code).toBe('COMPLETED');
    expect(graceLooks(world)).toEqual([]);
  });
  story('that moved nothing no alarm has a grace', withApplicationAlarm, async (world) => {
    for (const id of [a, b, c]) world.ec2.refuseAttach(id);
    world.ec2.impair(a);
    expect((await world.look(world.alarm(a))).code).toBe('STRANDED');
    expect(graceLooks(world)).toEqual([]);
  });
});

describe('the steps of an episode', () => {
  story('say who began and who went on, and why', async (world) => {
    world.ec2.impair(a);
    world.ec2.latency.forcedDetachMs = 20_000;
    await world.look(world.alarm(a), { worker: world.worker(15_000) });
    await world.settle();
    const { steps } = world.episodes()[0]?.episode ?? { steps: [] };
    const begun = steps.find((each) => each.step === 'claimed');
    expect(begun?.detail).toBe('failover: system check impaired');
    const names = steps.map((each) => each.step);
    expect(names.filter((each) => each === 'claimed')).toHaveLength(1);
    expect(steps.find((each) => each.step === 'resumed')?.detail).not.toContain('undefined');
    expect(names.indexOf('resumed')).toBeGreaterThan(names.indexOf('hand-over'));
  });
});

describe('a rescue', () => {
  story('that people overtake leaves the service as stranded as it was', async (world) => {
    for (const id of [a, b, c]) world.ec2.refuseAttach(id);
    world.ec2.impair(a);
    await world.look(world.alarm(a));
    const sinceMs = world.service().stranded?.sinceMs;
    world.ec2.acceptAttach(c);
    await world.clock.advance(60_000);
    let isTaken = false;
    world.ec2.onCall((call) => {
      if (isTaken || call.operation !== 'attach') return;
      isTaken = true;
      world.ec2.attachByHand(front, stranger, 1);
      world.ec2.attachByHand(management, stranger, 2);
    });
    expect((await world.look(world.sweep())).code).toBe('STRANDED');
    expect(attachedTo(world)).toEqual([stranger, stranger]);
    expect(world.service().stranded).toMatchObject({ sinceMs, tries: 2 });
  });
});

describe('an announcement', () => {
  story('about strangers is nothing to write down', async (world) => {
    const atMs = world.clock.now();
    const about = {
      kind: 'announcement',
      what: 'health',
      detail: 'x',
      instanceIds: [stranger],
      atMs,
    } as const;
    await world.look(about);
    expect(world.kinds()).toEqual([]);
    expect(world.notifier.published).toEqual([]);
  });
});

describe('a run', () => {
  story('gives up while others keep writing, and asks for a later look', async (world) => {
    world.ec2.impair(a);
    const run = () => change(world, {});
    world.store.fail('write', { kind: 'meanwhile', run }, { times: 200 });
    const report = await world.look(world.alarm(a));
    expect(report).toMatchObject({ kind: 'later', detail: expect.stringContaining('others kept writing') });
    expectUntouched(world);
    world.store.heal();
    await world.settle();
    expect(attachedTo(world)).toEqual([b, b]);
  });

  story('leaves nothing under way when it is over', async (world) => {
    world.ec2.impair(a);
    world.ec2.latency.forcedDetachMs = 30_000;
    const report = await world.look(world.alarm(a), { worker: world.worker(15_000) });
    expect(report.kind).toBe('handed-over');
    const calls = world.store.calls.length;
    await world.clock.advance(12_000);
    expect(world.store.calls).toHaveLength(calls);
    await world.settle();
    expect(attachedTo(world)).toEqual([b, b]);
  });

  story('is not over while the watchdog may still be on its way', async (world) => {
    world.queue.fail('silent', 1);
    world.ec2.impair(a);
    await world.look(world.alarm(a));
    const lastAtMs = world.ec2.calls.at(-1)?.atMs ?? 0;
    expect(world.clock.now() - lastAtMs).toBeGreaterThanOrEqual(5_000);
  });

  story('that looks again after a slow claim sees what people wrote since', async (world) => {
    world.ec2.impair(a);
    world.store.fail('write', slowClaim);
    onceClaimed(world, () => {
      world.clock.after(100, () => change(world, { pause: pausedFor(world, 3_600_000) }));
    });
    const before = world.store.calls.length;
    expect(await world.look(world.alarm(a))).toMatchObject({ kind: 'closed', code: 'REFUSED' });
    expect(world.notifier.pages().map((each) => each.attributes['outcome'])).toEqual(['REFUSED']);
    expectUntouched(world);
    const calls = world.store.calls.slice(before);
    expect(calls.filter((each) => each.operation === 'read')).toHaveLength(1);
    await world.clock.advance(12_000);
    expect(world.store.calls).toHaveLength(before + calls.length);
  });

  story('detaches nothing for a plan that has changed since and cannot be written', async (world) => {
    world.ec2.impair(a);
    world.store.fail('write', slowClaim);
    onceClaimed(world, () => {
      world.ec2.setState(b, 'stopped');
      world.store.fail('write', { kind: 'unreachable' }, { times: 3 });
    });
    expect((await world.look(world.alarm(a))).code).toBe('COMPLETED');
    expect(world.ec2.mutations('attach').map((each) => each.instanceId)).toEqual([c, c]);
  });

  story('of a watchdog whose own claim was slow goes on under its own epoch', async (world) => {
    await claimedAndDead(world);
    world.store.fail('write', slowClaim);
    const report = await world.look({ kind: 'watchdog', epoch: 1, atMs: world.clock.now() });
    expect(report).toMatchObject({ kind: 'closed', code: 'COMPLETED' });
  });

  story('of a watchdog that is older than the open episode leaves it to its own', async (world) => {
    world.ec2.impair(a);
    const { report } = world.begin(world.alarm(a));
    await world.clock.advance(800);
    const old = await world.look({ kind: 'watchdog', epoch: 0, atMs: world.clock.now() });
    expect(old).toMatchObject({ kind: 'nothing', detail: 'epoch 0 is closed' });
    expect((await world.run(report)).code).toBe('COMPLETED');
  });

  story('that was frozen past its own lease waits until it is free for everybody', async (world) => {
    world.ec2.impair(a);
    const worker = world.worker();
    worker.freezeAt((call) => call === 'ec2.interfaces' && worker.calls.includes('ec2.detach'), 15_300);
    const report = await world.look(world.alarm(a), { worker });
    expect(report).toMatchObject({ kind: 'closed', code: 'COMPLETED' });
  });
});

describe('a lease that is lost while its worker is frozen', () => {
  /** It freezes beside its claim; another worker takes over and ends the failover. */
  const overtaken = async (world: World, worker = world.worker(120_000)) => {
    world.ec2.impair(a);
    worker.freezeAt((call) => call === 'queue.send', 60_000);
    const { report } = world.begin(world.alarm(a), worker);
    await world.clock.advance(20_000);
    expect((await world.look(world.alarm(a))).code).toBe('COMPLETED');
    return { report };
  };

  story('takes its plan with it: what counts is what is read then', async (world) => {
    const { report } = await overtaken(world);
    world.ec2.impair(b);
    expect((await world.look(world.alarm(b))).code).toBe('COMPLETED');
    expect(await world.run(report)).toMatchObject({ kind: 'nothing', code: 'NOT_HOLDER' });
    expect(attachedTo(world)).toEqual([c, c]);
  });

  story('is not renewed any more', async (world) => {
    const worker = world.worker(120_000);
    const { clock } = worker.ports;
    let sleeps = 0;
    const sleep = (...given: Parameters<typeof clock.sleep>) => {
      sleeps += 1;
      return clock.sleep(...given);
    };
    const ports = { ...worker.ports, clock: { ...clock, sleep } };
    const { report } = await overtaken(world, { ...worker, ports });
    await world.run(report);
    const before = sleeps;
    await world.clock.advance(60_000);
    expect(sleeps).toBe(before);
  });
});

describe('a worker that hands over', () => {
  const untilItMoves = async (world: World) => {
    const handedOverAtMs = world.clock.now();
    await world.settle();
    expect(world.episodes().map((each) => each.outcome)).toEqual(['COMPLETED']);
    return (world.ec2.mutations('detach')[0]?.atMs ?? 0) - handedOverAtMs;
  };
  /** The margin between two clocks, twice, and a look. */
  const soonMs = 2 * times.skewMarginMs + 500;

  story('ends its lease and calls the next one, who need not wait for the lease', async (world) => {
    world.ec2.impair(a);
    world.store.fail('countFailover', { kind: 'unreachable' }, { times: 3 });
    expect((await world.look(world.alarm(a))).kind).toBe('handed-over');
    expect(await untilItMoves(world)).toBeLessThan(soonMs);
  });

  story('does so too when EC2 cannot be read after its claim', async (world) => {
    world.ec2.impair(a);
    world.store.fail('write', slowClaim);
    onceClaimed(world, () => world.ec2.fail('interfaces', { kind: 'throttled' }, { times: 4 }));
    expect((await world.look(world.alarm(a))).kind).toBe('handed-over');
    expectUntouched(world);
    expect(await untilItMoves(world)).toBeLessThan(soonMs);
  });

  story('does so too when EC2 answers too slowly after its claim, and people are told', async (world) => {
    world.ec2.impair(a);
    world.store.fail('write', slowClaim);
    onceClaimed(world, () => world.ec2.fail('interfaces', { kind: 'slow', ms: 11_000 }, { times: 3 }));
    expect((await world.look(world.alarm(a))).kind).toBe('handed-over');
    expectUntouched(world);
    expect(world.kinds()).toEqual(['refusal']);
    expect(world.notifier.pages()).toMatchObject([{ attributes: { outcome: 'UNKNOWN_STATE' } }]);
    expect(await untilItMoves(world)).toBeLessThan(soonMs);
  });
});

describe('an end that the table does not take', () => {
  const isEnd = ({ before, after }: StoreCall) =>
    before?.episode !== undefined && after !== undefined && after.episode === undefined;

  story('is written again after a pause', async (world) => {
    world.ec2.impair(a);
    world.store.fail('write', { kind: 'unreachable', afterMs: 100 }, { times: 4, when: isEnd });
    expect((await world.look(world.alarm(a))).code).toBe('COMPLETED');
    const [first, ...others] = world.store.calls.filter(isEnd).map((each) => each.atMs);
    expect((others.at(-1) ?? 0) - (first ?? 0)).toBeGreaterThan(2 * times.pollMaxMs);
  });

  story('is left to the watchdog in the end, and is not reported as one', async (world) => {
    world.ec2.impair(a);
    world.store.fail('write', { kind: 'unreachable' }, { times: 30, when: isEnd });
    const report = await world.look(world.alarm(a), { worker: world.worker(20_000) });
    expect(report).toMatchObject({ kind: 'handed-over', code: 'UNKNOWN_STATE' });
    expect(world.episodes()).toEqual([]);
    world.store.heal();
    await world.settle();
    expect(world.episodes().map((each) => each.outcome)).toEqual(['COMPLETED']);
    expect(world.notifier.of('COMPLETED')).toHaveLength(1);
  });
});

describe('a holder that recovers before anything was detached', () => {
  story('is kept: people are told, and nobody is paged', async (world) => {
    await claimedAndDead(world);
    world.ec2.recover(a);
    const report = await world.look({ kind: 'watchdog', epoch: 1, atMs: world.clock.now() });
    expect(report).toMatchObject({ kind: 'closed', code: 'ABORTED' });
    expect(world.notifier.of('ABORTED')).toMatchObject([{ attributes: { severity: 'info' } }]);
    expectUntouched(world);
  });

  story(
    'is kept by whoever gets the lease, after another look if somebody wrote meanwhile',
    async (world) => {
      await claimedAndDead(world);
      world.ec2.recover(a);
      const run = () => change(world, { pause: pausedFor(world, 1) });
      world.store.fail('write', { kind: 'meanwhile', run });
      const report = await world.look({ kind: 'watchdog', epoch: 1, atMs: world.clock.now() });
      expect(report).toMatchObject({ kind: 'closed', code: 'ABORTED' });
      expect(world.service()).toMatchObject({ epoch: 2, pause: { reason: 'patching' } });
      expectUntouched(world);
    },
  );
});

describe('the brake counts', () => {
  const counted = async (world: World) =>
    world.run(world.store.countFailover(zone, 'asking' as typeof ordersDb, world.clock.now()));
  const counts = (world: World) =>
    world.store.calls.filter((each) => each.operation === 'countFailover').length;

  story('a failover that was held because nothing could be counted, once it goes on', async (world) => {
    world.ec2.impair(a);
    world.store.fail('countFailover', { kind: 'unreachable' }, { times: 3 });
    await world.look(world.alarm(a));
    await world.settle();
    expect(attachedTo(world)).toEqual([b, b]);
    expect(await counted(world)).toContain(ordersDb);
  });

  story('no move that people asked for', async (world) => {
    const atMs = world.clock.now();
    const asked = {
      id: 'request-1',
      kind: 'switchover',
      target: c,
      author: 'ann',
      reason: 'x',
      atMs,
    } as const;
    change(world, { request: asked });
    expect((await world.look({ kind: 'request', atMs })).code).toBe('COMPLETED');
    expect(await counted(world)).not.toContain(ordersDb);
  });

  story('a failover once, however often its run looks again', async (world) => {
    world.ec2.impair(a);
    world.store.fail('write', slowClaim);
    expect((await world.look(world.alarm(a))).code).toBe('COMPLETED');
    expect(counts(world)).toBe(1);
  });

  story('and stops nothing that has begun: what is detached is attached', async (world) => {
    world.ec2.impair(a);
    world.ec2.latency.forcedDetachMs = 20_000;
    await world.look(world.alarm(a), { worker: world.worker(15_000) });
    // So many others fail meanwhile that the next one to be counted would be held.
    for (const other of ['one', 'two', 'three', 'four', 'five', 'six'])
      await world.run(world.store.countFailover(zone, other as typeof ordersDb, world.clock.now()));
    await world.settle();
    expect(attachedTo(world)).toEqual([b, b]);
    expect(world.episodes().map((each) => each.outcome)).toEqual(['COMPLETED']);
  });
});

describe('what was seen too long ago', () => {
  story('is not even claimed on, and people are told why', async (world) => {
    world.ec2.impair(a);
    world.ec2.fail('reads', { kind: 'slow', ms: 11_000 }, { times: 1_000 });
    const report = await world.look(world.alarm(a));
    expect(report).toMatchObject({ code: 'UNKNOWN_STATE', detail: 'EC2 answers too slowly' });
    expect(world.service().epoch).toBe(0);
    expect(world.notifier.of('UNKNOWN_STATE')).toHaveLength(1);
    expectUntouched(world);
  });

  story('is looked at anew: two slow answers are no reason to call anybody', async (world) => {
    world.ec2.impair(a);
    world.ec2.fail('interfaces', { kind: 'slow', ms: 11_000 }, { times: 2 });
    expect((await world.look(world.alarm(a))).code).toBe('COMPLETED');
    expect(world.kinds()).toEqual(['episode']);
  });

  story('is measured by how slow EC2 is: three seconds are not too long then', async (world) => {
    world.ec2.impair(a);
    world.ec2.fail('reads', { kind: 'slow', ms: 3_000 }, { times: 1_000 });
    expect((await world.look(world.alarm(a))).code).toBe('COMPLETED');
  });
});
