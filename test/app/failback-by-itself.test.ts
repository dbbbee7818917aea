/** A failback that nobody asked for: after a failover of ours, onto a member that nothing speaks against, and once. */
import { describe, expect } from 'vitest';
import { adopt } from '../../shared/app/adopt.ts';
import {
  acknowledge,
  pauseController,
  pauseService,
  resumeController,
  resumeService,
} from '../../shared/app/operate.ts';
import { register } from '../../shared/app/register.ts';
import { failbackByItself } from '../../shared/app/request.ts';
import { unregister } from '../../shared/app/unregister.ts';
import type { InstanceId } from '../../shared/core/ids.ts';
import {
  a,
  applicationAlarm,
  b,
  c,
  front,
  management,
  ordersDb,
  replicaLagOf,
  type World,
} from '../fakes/world.ts';
import { story } from './story.ts';
import { type Sweeping, sweeping } from './sweeping.ts';

const by = { author: 'ann', reason: 'looked at it' };
const policy = { failback: { after: '30m' }, quarantine: 'until-healthy', budgetPerHour: 10 };
const declared = { policy };
const ofA = replicaLagOf(a);
const ofB = replicaLagOf(b);
const watched = {
  policy,
  signals: {
    alarms: [{ arn: applicationAlarm }, { arn: ofA, member: a }, { arn: ofB, member: b }],
  },
};

const asked = (world: World) => world.records('request').length;

/** Minute after minute: the sweep, and what it has found is looked at. */
async function minutes(world: World, process: Sweeping, count: number): Promise<void> {
  for (let minute = 0; minute < count; minute += 1) {
    await process.later();
    await world.settle({ forMs: 50_000 });
  }
}

async function fail(world: World, id: InstanceId): Promise<void> {
  world.ec2.impair(id);
  await world.look(world.alarm(id));
  world.ec2.recover(id);
}

/** Failed over from a to b; a is well again and acknowledged. */
async function away(world: World): Promise<Sweeping> {
  await fail(world, a);
  await world.run(acknowledge(world.ports, ordersDb, by));
  expect(world.holder()).toBe(b);
  return sweeping(world);
}

function moveByHand(world: World, to: InstanceId): void {
  for (const [eni, index] of [
    [front, 1],
    [management, 2],
  ] as const) {
    world.ec2.detachByHand(eni);
    world.ec2.attachByHand(eni, to, index);
  }
}

describe('a failback by itself comes only while every signal is plain', () => {
  const speaking: readonly (readonly [string, (world: World) => unknown])[] = [
    ['the alarm of the preferred member is red', (world) => world.alarms.set(ofA, 'ALARM')],
    ['it is red and suppressed', (world) => world.alarms.set(ofA, 'ALARM', { suppressedBy: 'maintenance' })],
    ['it has no data', (world) => world.alarms.set(ofA, 'INSUFFICIENT_DATA')],
    ['it is gone', (world) => world.alarms.forget(ofA)],
    ['the alarm of the service is red', (world) => world.alarms.set(applicationAlarm, 'ALARM')],
    [
      'the alarm of the holder is red since before the move',
      (world) => {
        world.alarms.set(ofB, 'ALARM', { transitionedAtMs: 0 });
      },
    ],
  ];
  for (const [when, prepare] of speaking)
    story(`not while ${when}`, watched, async (world) => {
      const process = await away(world);
      await world.run(Promise.resolve(prepare(world)));
      await minutes(world, process, 45);
      expect(asked(world)).toBe(0);
      expect(world.holder()).toBe(b);
    });

  story('and once they are, the time is counted from then', watched, async (world) => {
    const process = await away(world);
    world.alarms.set(ofA, 'ALARM');
    await minutes(world, process, 40);
    world.alarms.set(ofA, 'OK');
    await minutes(world, process, 29);
    expect(asked(world)).toBe(0);
    await minutes(world, process, 3);
    expect(world.holder()).toBe(a);
  });

  story('also when the alarm that led away is what is still red', watched, async (world) => {
    await world.clock.advance(300_000);
    world.alarms.set(ofA, 'ALARM');
    await world.look({ kind: 'alarm', alarmArn: ofA, instanceIds: [], atMs: world.clock.now() });
    expect(world.holder()).toBe(b);
    await minutes(world, sweeping(world), 120);
    expect(world.holder()).toBe(b);
    expect(asked(world)).toBe(0);
  });

  story('is refused where one turns red between the request and the move', watched, async (world) => {
    const process = await away(world);
    for (let minute = 0; minute < 40 && !world.service().request; minute += 1) await process.later();
    expect(world.service().request).toBeDefined();
    world.alarms.set(ofA, 'ALARM');
    await world.settle();
    expect(world.holder()).toBe(b);
    expect(world.records('refusal').at(-1)).toMatchObject({ outcome: 'REQUEST_REFUSED' });
  });

  story('costs only reads while it waits', watched, async (world) => {
    const process = await away(world);
    world.alarms.set(ofA, 'ALARM');
    await minutes(world, process, 40);
    process.cost();
    await minutes(world, process, 1);
    // One look at its interfaces, members and checks; the alarms are CloudWatch's.
    expect(process.cost()).toMatchObject({ writes: 0, describes: 3 });
  });
});

describe('a failback by itself comes only after a failover of ours', () => {
  const moved: readonly (readonly [string, (world: World, process: Sweeping) => Promise<unknown>])[] = [
    [
      'a person moved it by hand',
      async (world, process) => {
        moveByHand(world, c);
        await minutes(world, process, 3);
        expect(world.kinds()).toContain('observed');
      },
    ],
    [
      'a move by hand was adopted',
      async (world) => {
        moveByHand(world, c);
        expect(await world.run(adopt(world.ports, ordersDb, by))).toMatchObject({ kind: 'done' });
      },
    ],
    [
      'a registration found it elsewhere',
      async (world) => {
        moveByHand(world, c);
        const declaration = { ...world.declaration, description: 'moved' };
        const answer = await world.run(register(world.ports, { declaration, author: 'ann' }));
        expect(answer).toMatchObject({ kind: 'registered' });
      },
    ],
    ['an operator switched over', (world) => world.askFor(c)],
  ];
  for (const [when, move] of moved)
    story(`not when ${when} since`, declared, async (world) => {
      const process = await away(world);
      await minutes(world, process, 29);
      await move(world, process);
      expect(world.holder()).toBe(c);
      await minutes(world, process, 60);
      expect(world.holder()).toBe(c);
      expect(asked(world)).toBe(0);
    });

  story('not after an operator took it away from the preferred member', declared, async (world) => {
    await world.askFor(b);
    await minutes(world, sweeping(world), 60);
    expect(world.holder()).toBe(b);
  });

  story('and after the rescue that ended one', declared, async (world) => {
    for (const id of [a, b, c]) world.ec2.refuseAttach(id);
    world.ec2.setState(a, 'stopped');
    await world.look(world.stateChange(a, 'stopped'));
    expect(world.service().stranded).toBeDefined();
    for (const id of [a, b, c]) world.ec2.acceptAttach(id);
    world.ec2.setState(a, 'running');
    const process = sweeping(world);
    await minutes(world, process, 3);
    expect(world.service()).not.toHaveProperty('stranded');
    const standby = world.holder();
    expect([b, c]).toContain(standby);
    await world.run(acknowledge(world.ports, ordersDb, by));
    await minutes(world, process, 60);
    expect(world.holder()).toBe(a);
  });

  story('not after people brought together what was stranded', declared, async (world) => {
    for (const id of [a, b, c]) world.ec2.refuseAttach(id);
    world.ec2.setState(a, 'stopped');
    await world.look(world.stateChange(a, 'stopped'));
    expect(world.service()).toMatchObject({ movedBy: 'failover', stranded: {} });
    for (const id of [a, b, c]) world.ec2.acceptAttach(id);
    world.ec2.attachByHand(front, c, 1);
    world.ec2.attachByHand(management, c, 2);
    world.ec2.setState(a, 'running');
    await world.run(acknowledge(world.ports, ordersDb, by));
    await minutes(world, sweeping(world), 60);
    expect(world.kinds()).toContain('recovered');
    expect(world.holder()).toBe(c);
  });

  story('not after it was unregistered and registered anew', declared, async (world) => {
    await away(world);
    await world.clock.advance(11 * 60_000);
    expect(await world.run(unregister(world.ports, ordersDb, by))).toMatchObject({ kind: 'done' });
    expect(world.service()).not.toHaveProperty('movedBy');
  });

  story('also after an edit of the registration, half an hour from then', declared, async (world) => {
    const process = await away(world);
    await minutes(world, process, 20);
    const edited = { ...world.declaration, policy: { ...policy, confirm: '5m' } };
    const answer = register(world.ports, { declaration: edited, author: 'ann' });
    expect(await world.run(answer)).toMatchObject({ kind: 'registered', holder: b });
    await minutes(world, process, 29);
    expect(world.holder()).toBe(b);
    await minutes(world, process, 3);
    expect(world.holder()).toBe(a);
  });

  story('begins to count anew after a pause that no sweep saw', declared, async (world) => {
    const process = await away(world);
    await minutes(world, process, 20);
    await world.run(pauseService(world.ports, ordersDb, { ...by, forMs: 7_200_000 }));
    await world.run(resumeService(world.ports, ordersDb, by));
    await minutes(world, process, 29);
    expect(asked(world)).toBe(0);
  });

  story('does not count the time of a pause', declared, async (world) => {
    const process = await away(world);
    await minutes(world, process, 20);
    await world.run(pauseService(world.ports, ordersDb, { ...by, forMs: 7_200_000 }));
    await minutes(world, process, 20);
    await world.run(resumeService(world.ports, ordersDb, by));
    await minutes(world, process, 29);
    expect(asked(world)).toBe(0);
    await minutes(world, process, 3);
    expect(world.holder()).toBe(a);
  });

  story('does not count the time of a pause of everything', declared, async (world) => {
    const process = await away(world);
    await minutes(world, process, 20);
    await world.run(pauseController(world.ports, { ...by, forMs: 7_200_000 }));
    await minutes(world, process, 5);
    process.cost();
    await minutes(world, process, 5);
    expect(process.cost(), 'a pause is only read').toMatchObject({ writes: 0 });
    await world.run(resumeController(world.ports, by));
    await minutes(world, process, 29);
    expect(asked(world)).toBe(0);
    await minutes(world, process, 3);
    expect(world.holder()).toBe(a);
  });
});

describe('a failback by itself that did not do well', () => {
  const suspended = (world: World) =>
    world.notifier.published.filter((each) =>
      each.lines.some((line) => line.startsWith('Automatic failback is suspended')),
    );

  story(
    'because the member failed again within the hour is not tried until a person looked',
    declared,
    async (world) => {
      const process = await away(world);
      await minutes(world, process, 33);
      expect(world.holder()).toBe(a);
      await minutes(world, process, 30);
      await fail(world, a);
      expect(world.holder()).toBe(b);
      expect(world.service().failbackSuspended?.why).toContain(a);
      await minutes(world, process, 180);
      expect(world.holder()).toBe(b);
      expect(suspended(world)).toHaveLength(1);
      expect(world.episodes()).toHaveLength(3);
      expect(world.episodes().at(-1)).toMatchObject({
        failbackSuspended: world.service().failbackSuspended?.why,
      });

      expect(await world.run(acknowledge(world.ports, ordersDb, by))).toMatchObject({ kind: 'done' });
      expect(world.service()).not.toHaveProperty('failbackSuspended');
      await minutes(world, process, 29);
      expect(asked(world)).toBe(1);
      await minutes(world, process, 4);
      expect(world.holder()).toBe(a);
    },
  );

  story('is told once, with the end that led to it, and not with the next one', declared, async (world) => {
    const process = await away(world);
    await minutes(world, process, 63);
    await fail(world, a);
    const [told] = suspended(world);
    expect(told?.text).toContain('docs/runbook.md#failback_suspended');
    await minutes(world, process, 30);
    await fail(world, b);
    expect(world.holder()).not.toBe(b);
    expect(suspended(world)).toHaveLength(1);
    expect(world.episodes().at(-1)).not.toHaveProperty('failbackSuspended');
  });

  story('is tried again where the member did well for an hour', declared, async (world) => {
    const process = await away(world);
    await minutes(world, process, 33);
    expect(world.holder()).toBe(a);
    await minutes(world, process, 61);
    await fail(world, a);
    expect(world.service()).not.toHaveProperty('failbackSuspended');
  });

  story(
    'because the member refused the interfaces is not tried until a person looked',
    declared,
    async (world) => {
      const process = await away(world);
      world.ec2.refuseAttach(a);
      await minutes(world, process, 240);
      expect(world.episodes().slice(1)).toMatchObject([{ outcome: 'RETURNED_TO_SOURCE' }]);
      expect(suspended(world)).toHaveLength(1);
      // What calls for a person by itself has its own section.
      expect(suspended(world)[0]?.text).toContain('docs/runbook.md#returned_to_source');
      world.ec2.acceptAttach(a);
      await world.run(acknowledge(world.ports, ordersDb, by));
      await minutes(world, process, 34);
      expect(world.holder()).toBe(a);
    },
  );

  story(
    'is judged by the item as it is when it is asked for, not as the sweep read it',
    declared,
    async (world) => {
      const process = await away(world);
      await minutes(world, process, 10);
      expect(await world.run(failbackByItself(world.ports, ordersDb))).toMatchObject({
        kind: 'refused',
        code: 'NOT_LONG_ENOUGH',
      });
      expect(asked(world)).toBe(0);
      expect(world.service()).not.toHaveProperty('request');
    },
  );

  story('leaves the failback of an operator alone', declared, async (world) => {
    const process = await away(world);
    world.ec2.refuseAttach(a);
    await minutes(world, process, 50);
    expect(world.service().failbackSuspended).toBeDefined();
    world.ec2.acceptAttach(a);
    await world.askFor(a);
    expect(world.holder()).toBe(a);
    expect(world.service().failbackSuspended, 'until somebody says so').toBeDefined();
  });
});
