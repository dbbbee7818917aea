/** What a move sends and when, what each answer of EC2 means for it, and what its log says of that. */
import { describe, expect } from 'vitest';
import { times } from '../../shared/core/times.ts';
import { a, applicationAlarm, b, c, front, management, type World } from '../fakes/world.ts';
import { story } from './story.ts';

const fails = async (world: World) => {
  world.ec2.impair(a);
  return world.look(world.alarm(a));
};
const attachedTo = (world: World) => [front, management].map((eni) => world.ec2.where(eni)?.instanceId);
/** The pauses between the calls for the first interface. */
const pausesBetween = (world: World, kind: 'detach' | 'attach') => {
  const sent = world.ec2.mutations(kind).filter((each) => each.eni === front);
  return sent.slice(1).map((each, index) => each.atMs - (sent[index]?.atMs ?? 0));
};
/** The log's lines of one kind for the first interface, as the record has them. */
const details = (world: World, step: string) =>
  world
    .episodes()
    .flatMap((each) => each.episode.steps)
    .filter((each) => each.step === step && each.eni === front)
    .map((each) => each.detail);
const withApplicationAlarm = { signals: { alarms: [{ arn: applicationAlarm }] } };

describe('the log of a move', () => {
  story('says in order what was done and what EC2 showed, and nothing else', async (world) => {
    const left = world.ec2.where(front)?.id;
    await fails(world);
    const steps = world.episodes()[0]?.episode.steps ?? [];
    expect(steps.filter((each) => each.eni !== management).map((each) => [each.step, each.detail])).toEqual([
      ['claimed', expect.stringMatching(/^failover: /)],
      ['detach-forced', left],
      ['detached', `${left} from ${a}`],
      ['attach', b],
      ['attached', `${world.ec2.where(front)?.id} to ${b}`],
      ['verified', `all on ${b}`],
      ['closed', 'COMPLETED'],
    ]);
  });

  story('names the code of an answer that was no yes', async (world) => {
    const left = world.ec2.where(front)?.id;
    world.ec2.fail('detach', { kind: 'throttled' }, { when: (call) => call.eni === front });
    world.ec2.fail(
      'attach',
      { kind: 'look', code: 'IncorrectState' },
      { when: (call) => call.eni === front },
    );
    await fails(world);
    expect(details(world, 'detach-forced')).toEqual([`${left}: unclear RequestLimitExceeded`, left]);
    expect(details(world, 'attach')).toEqual([`${b}: look IncorrectState`, b]);
  });

  story('tells a plain detach from a forced one', withApplicationAlarm, async (world) => {
    world.ec2.stick(front, 'plain');
    world.alarms.set(applicationAlarm, 'ALARM');
    await world.look(world.applicationAlarm());
    expect(details(world, 'detach')).toHaveLength(1);
    expect(details(world, 'detach-forced')).toHaveLength(1);
  });
});

describe('a detach', () => {
  story('that EC2 accepted is not sent again before its time', async (world) => {
    world.ec2.latency.forcedDetachMs = times.resendAfterMs - 500;
    await fails(world);
    expect(world.ec2.mutations('detach')).toHaveLength(2);
  });

  story('that EC2 accepted and does not end is sent again in its time', async (world) => {
    world.ec2.latency.forcedDetachMs = 2 * times.resendAfterMs - 1_000;
    await fails(world);
    const pauses = pausesBetween(world, 'detach');
    expect(pauses).toHaveLength(1);
    expect(pauses[0]).toBeGreaterThanOrEqual(times.resendAfterMs);
  });

  const notTaken = [
    ['was throttled', { kind: 'throttled' }],
    ['met an instance that was just stopping', { kind: 'look', code: 'IncorrectState' }],
  ] as const;
  for (const [what, fault] of notTaken)
    story(`that ${what} is sent again within a second, not only when its time is over`, async (world) => {
      world.ec2.fail('detach', fault, { when: (call) => call.eni === front });
      expect((await fails(world)).code).toBe('COMPLETED');
      const [pause, ...more] = pausesBetween(world, 'detach');
      expect(pause).toBeLessThan(1_000);
      expect(more).toEqual([]);
    });

  story('that found the attachment gone is not sent again: a look shows where it is', async (world) => {
    const gone = { kind: 'look', code: 'InvalidAttachmentID.NotFound' } as const;
    world.ec2.fail('detach', gone, { when: (call) => call.eni === front });
    await fails(world);
    for (const pause of pausesBetween(world, 'detach'))
      expect(pause).toBeGreaterThanOrEqual(times.resendAfterMs);
  });

  story(
    'that hangs plainly is forced when its own time is over, not only when it could be sent again',
    { ...withApplicationAlarm, policy: { plainDetach: '2s' } },
    async (world) => {
      world.ec2.stick(front, 'plain');
      world.alarms.set(applicationAlarm, 'ALARM');
      await world.look(world.applicationAlarm());
      const [pause] = pausesBetween(world, 'detach');
      expect(pause).toBeGreaterThanOrEqual(2_000);
      expect(pause).toBeLessThan(4_000);
    },
  );
});

describe('an attach', () => {
  story(
    'that was throttled is not held against the standby, and sent again within a second',
    async (world) => {
      world.ec2.fail('attach', { kind: 'throttled' }, { when: (call) => call.eni === front });
      expect((await fails(world)).code).toBe('COMPLETED');
      expect(attachedTo(world)).toEqual([b, b]);
      const pauses = pausesBetween(world, 'attach');
      expect(pauses).toHaveLength(1);
      expect(pauses[0]).toBeGreaterThan(times.pollFirstMs);
    },
  );

  story('that is not answered yet is not sent a second time', async (world) => {
    world.ec2.fail('attach', { kind: 'slow', ms: 2_500 }, { times: 2 });
    expect((await fails(world)).code).toBe('COMPLETED');
    expect(world.ec2.mutations('attach')).toHaveLength(2);
  });

  story('of an interface that is gone is not sent again, and people read what EC2 said', async (world) => {
    world.ec2.fail(
      'attach',
      { kind: 'meanwhile', run: () => world.ec2.deleteInterface(front) },
      { when: (call) => call.eni === front },
    );
    const report = await fails(world);
    expect(report).toMatchObject({
      code: 'NEEDS_HUMAN',
      detail: `${front}: InvalidNetworkInterfaceID.NotFound`,
    });
    expect(world.ec2.mutations('attach').filter((each) => each.eni === front)).toHaveLength(1);
    expect(world.ec2.where(management)?.instanceId).toBe(b);
  });

  story('of a dead worker that stays open beyond its limit is given up by the next one', async (world) => {
    world.ec2.latency.attachMs = 10 * 60_000;
    world.ec2.impair(a);
    const worker = world.worker();
    world.ec2.onEffect((effect) => {
      if (effect.what === 'attaching' && effect.instanceId === b && effect.eni === management)
        worker.crashAt(worker.calls.length + 2, 'before');
      if (effect.what === 'detaching' && effect.instanceId === b) world.ec2.latency.attachMs = 1_000;
    });
    world.begin(world.alarm(a), worker).report.catch(() => undefined);
    await world.run(worker.crashed);
    await world.settle();
    expect(attachedTo(world)).toEqual([c, c]);
    const freedAtMs = world.ec2.mutations('detach').find((each) => each.instanceId === b)?.atMs ?? 0;
    const resumedAtMs = world.store.writes.find((each) => each.after.epoch === 2)?.atMs ?? 0;
    expect(freedAtMs - resumedAtMs).toBeGreaterThanOrEqual(times.attachLimitMs);
    expect(freedAtMs - resumedAtMs).toBeLessThan(times.attachLimitMs + 5_000);
  });
});

describe('a call that EC2 does not answer', () => {
  story(
    'does not close the eyes: what it has done is seen and gone on with',
    { interfaces: [front] },
    async (world) => {
      world.ec2.fail('detach', { kind: 'answer-lost' });
      await fails(world);
      const sentAtMs = world.ec2.mutations('detach')[0]?.atMs ?? 0;
      const lookedAtMs = world.ec2.calls
        .filter((each) => each.operation === 'interfaces' && each.atMs > sentAtMs)
        .map((each) => each.atMs - sentAtMs);
      // Its answer would come after three seconds; a quick one is waited for.
      expect(lookedAtMs[0]).toBeGreaterThanOrEqual(2 * times.pollFirstMs);
      expect(lookedAtMs[0]).toBeLessThan(1_500);
    },
  );
});

describe('without a lease that covers it', () => {
  /** Every detach hangs, and from the first one on the table does not answer. */
  const cutOff = (world: World, cut = () => world.store.goDown()) => {
    world.ec2.impair(a);
    world.ec2.stick(front, 'forced-too');
    world.ec2.stick(management, 'forced-too');
    world.ec2.onCall((call) => {
      if (call.operation === 'detach') cut();
    });
  };

  const comesBack = async (world: World, report: Promise<unknown>) => {
    world.store.comeBack();
    // Until then it cannot know that the table is back (P5).
    await world.clock.advance(times.renewEveryMs + 1_000);
    for (const eni of [front, management]) world.ec2.loosen(eni);
    await world.run(report);
    await world.settle();
  };

  story('no detach is sent, however long the table is away', async (world) => {
    cutOff(world);
    const { report } = world.begin(world.alarm(a), world.worker(120_000));
    await world.clock.advance(60_000);
    const leaseEndsMs = world.service().lease?.untilMs ?? 0;
    const sent = world.ec2.mutations('detach');
    expect(sent.length).toBeGreaterThan(2);
    for (const { atMs } of sent)
      expect(atMs).toBeLessThanOrEqual(leaseEndsMs - times.ec2TimeoutMs - times.skewMarginMs);
    await comesBack(world, report);
    expect(attachedTo(world)).toEqual([b, b]);
  });

  story('nothing piles up for the table while it is away: the hand-over comes in time', async (world) => {
    const noAnswer = { kind: 'unreachable', afterMs: 2_000 } as const;
    cutOff(world, () => world.store.fail('write', noAnswer, { times: 1_000 }));
    const worker = world.worker(60_000);
    const report = await world.look(world.alarm(a), { worker });
    expect(report.kind).toBe('handed-over');
    expect(world.clock.now()).toBeLessThan(worker.run.deadlineMs);
    world.store.heal();
    for (const eni of [front, management]) world.ec2.loosen(eni);
    await world.settle();
    expect(attachedTo(world)).toEqual([b, b]);
  });

  story('no attach is sent by a worker that was frozen, whoever has the lease by now', async (world) => {
    world.ec2.impair(a);
    const worker = world.worker(120_000);
    const isFree = () => world.ec2.where(front) === undefined && world.ec2.where(management) === undefined;
    worker.freezeAt((name) => {
      const isNow = name === 'ec2.interfaces' && isFree();
      // The look is answered before the table can say that the lease is over: the invariants would see an attach.
      if (isNow) world.store.latencyMs = 600;
      return isNow;
    }, times.leaseTtlMs + 1_000);
    const { report } = world.begin(world.alarm(a), worker);
    await world.clock.advance(times.leaseTtlMs + 10_000);
    world.store.latencyMs = 8;
    await world.run(report);
    await world.settle();
    expect(attachedTo(world)).toEqual([b, b]);
  });
});
