/** A move under EC2's refusals, delays and lost answers: where the interfaces end up, and what is sent on the way. */
import { describe, expect } from 'vitest';
import type { AttachmentId, EniId, OwnerId } from '../../shared/core/ids.ts';
import { a, b, c, front, management, ordersDb, stranger, type World } from '../fakes/world.ts';
import { story } from './story.ts';

const fails = async (world: World) => {
  world.ec2.impair(a);
  return world.look(world.alarm(a));
};
const attachedTo = (world: World) => [front, management].map((eni) => world.ec2.where(eni)?.instanceId);
const timesOf = (world: World, kind: 'detach' | 'attach') =>
  world.ec2.mutations(kind).map((each) => each.atMs);

describe('a move without trouble', () => {
  story('detaches both interfaces at once and attaches each as soon as it is free', async (world) => {
    await fails(world);
    const [first, second] = timesOf(world, 'detach');
    expect(second).toBe(first);
    for (const attach of world.ec2.mutations('attach')) {
      const freeAtMs = world.ec2.effects.find(
        (each) => each.what === 'detached' && each.eni === attach.eni,
      )?.atMs;
      expect(attach.atMs - (freeAtMs ?? 0)).toBeLessThan(1_200);
    }
    expect(world.ec2.mutations()).toHaveLength(4);
  });

  story('forces a holder that EC2 knows failed', async (world) => {
    await fails(world);
    expect(world.ec2.mutations('detach').map((each) => each.force)).toEqual([true, true]);
  });

  story('needs four round trips before the first detach', async (world) => {
    world.ec2.impair(a);
    const eventAtMs = world.clock.now();
    await world.look(world.alarm(a));
    // Read, observe, claim beside the watchdog and the brake: nothing else stands before the detach.
    expect((timesOf(world, 'detach')[0] ?? 0) - eventAtMs).toBeLessThan(150);
  });

  story('waits for no write between a detach and the first attach', async (world) => {
    world.ec2.impair(a);
    world.ec2.onCall((call) => {
      if (call.operation === 'detach') world.store.goDown();
    });
    world.clock.after(9_000, () => world.store.comeBack());
    const report = await world.look(world.alarm(a));
    expect(report.code).toBe('COMPLETED');
    const lastFreeAtMs = world.ec2.effects.findLast((each) => each.what === 'detached')?.atMs ?? 0;
    expect(timesOf(world, 'attach').every((atMs) => atMs < lastFreeAtMs + 1_200)).toBe(true);
  });

  story('needs nothing but one interface', { interfaces: [front] }, async (world) => {
    const report = await fails(world);
    expect(report.code).toBe('COMPLETED');
    expect(world.ec2.where(front)).toMatchObject({ instanceId: b, deviceIndex: 1 });
  });
});

describe('an attach that is refused', () => {
  story('at the first standby takes both interfaces to the second', async (world) => {
    world.ec2.refuseAttach(b);
    const report = await fails(world);
    expect(report.code).toBe('COMPLETED');
    expect(attachedTo(world)).toEqual([c, c]);
    expect(world.episodes()[0]?.episode.plan.tried).toEqual([b, c]);
  });

  story('for one interface only takes the other one along', async (world) => {
    world.ec2.fail(
      'attach',
      { kind: 'refused', code: 'AttachmentLimitExceeded' },
      { when: (call) => call.eni === management && call.instanceId === b, times: 99 },
    );
    const report = await fails(world);
    expect(report.code).toBe('COMPLETED');
    expect(attachedTo(world)).toEqual([c, c]);
  });

  story('lets the follower leave the living first standby plainly before it forces', async (world) => {
    world.ec2.fail(
      'attach',
      { kind: 'refused', code: 'AttachmentLimitExceeded' },
      { when: (call) => call.eni === management && call.instanceId === b, times: 99 },
    );
    // The holder is slow to let go, so the follower begins to leave long after the first detach was sent.
    world.ec2.latency.forcedDetachMs = 8_000;
    await fails(world);
    const leaving = world.ec2.mutations('detach').filter((each) => each.instanceId === b);
    expect(leaving[0]).toMatchObject({ eni: front, force: false });
  });

  story('by every standby brings both back to the source and calls a human', async (world) => {
    world.ec2.refuseAttach(b);
    world.ec2.refuseAttach(c);
    const report = await fails(world);
    expect(report.code).toBe('RETURNED_TO_SOURCE');
    expect(attachedTo(world)).toEqual([a, a]);
    expect(world.notifier.of('RETURNED_TO_SOURCE')).toHaveLength(1);
    expect(world.notifier.pages()).toHaveLength(1);
    expect(world.episodes()[0]?.episode.plan.tried).toEqual([b, c, a]);
  });

  story('by everyone strands them, pages, and a later look rescues them', async (world) => {
    for (const id of [a, b, c]) world.ec2.refuseAttach(id);
    const report = await fails(world);
    expect(report.code).toBe('STRANDED');
    expect(attachedTo(world)).toEqual([undefined, undefined]);
    expect(world.notifier.of('STRANDED')).toHaveLength(1);
    expect(world.service().stranded).toMatchObject({ tries: 1 });

    world.ec2.acceptAttach(c);
    await world.clock.advance(60_000);
    await world.look(world.sweep());
    await world.settle();
    expect(attachedTo(world)).toEqual([c, c]);
    expect(world.service().stranded).toBeUndefined();
    expect(world.episodes().map((each) => each.outcome)).toContain('COMPLETED');
  });

  story('every minute anew is paged once, and its tries are counted', async (world) => {
    for (const id of [a, b, c]) world.ec2.refuseAttach(id);
    await fails(world);
    for (let minute = 0; minute < 4; minute += 1) {
      await world.clock.advance(60_000);
      await world.look(world.sweep());
    }
    expect(world.service().stranded?.tries).toBe(5);
    expect(world.notifier.of('STRANDED').length, 'pages').toBeLessThanOrEqual(2);
  });

  story('because the standby dies in the middle goes on to the next', async (world) => {
    world.ec2.onEffect((effect) => {
      if (effect.what === 'detached' && effect.eni === front) world.ec2.setState(b, 'stopping');
    });
    const report = await fails(world);
    expect(report.code).toBe('COMPLETED');
    expect(attachedTo(world)).toEqual([c, c]);
  });

  story('while EC2 cannot be read is not answered by going back to the failed holder', async (world) => {
    world.ec2.refuseAttach(b);
    // Between the refusal and the choice of the next rung, EC2 answers no question about instances.
    world.ec2.onCall((call) => {
      if (call.operation === 'attach' && call.instanceId === b)
        world.ec2.fail('instances', { kind: 'throttled' }, { untilMs: world.clock.now() + 2_000 });
    });
    await fails(world);
    await world.settle();
    expect(attachedTo(world)).toEqual([c, c]);
  });

  story('never leads to a quarantined member', async (world) => {
    world.store.change(ordersDb, (state) => ({
      ...state,
      quarantine: { [c]: { sinceMs: world.clock.now(), why: 'failed before' } },
    }));
    world.ec2.refuseAttach(b);
    expect((await fails(world)).code).toBe('RETURNED_TO_SOURCE');
    expect(world.ec2.mutations('attach').some((each) => each.instanceId === c)).toBe(false);
  });
});

describe('an attach that stays open', () => {
  story('in attaching beyond its limit counts as refused, and both go on', async (world) => {
    world.ec2.latency.attachMs = 10 * 60_000;
    world.ec2.onEffect((effect) => {
      if (effect.what === 'detaching' && effect.instanceId === b) world.ec2.latency.attachMs = 1_000;
    });
    await fails(world);
    await world.settle();
    expect(attachedTo(world)).toEqual([c, c]);
  });

  story('is repaired when it lands after the worker went on', async (world) => {
    world.ec2.fail(
      'attach',
      { kind: 'accepted-late', ms: 21_500 },
      { when: (call) => call.instanceId === b && call.eni === front, times: 4 },
    );
    world.ec2.fail(
      'attach',
      { kind: 'look', code: 'IncorrectState' },
      { when: (call) => call.instanceId === b && call.eni === front, times: 4 },
    );
    await fails(world);
    await world.settle();
    expect(new Set(attachedTo(world)).size).toBe(1);
    expect(world.holder()).toBeDefined();
  });

  story('is still ours when it lands after the episode was given up as stranded', async (world) => {
    for (const id of [a, c]) world.ec2.refuseAttach(id);
    world.ec2.fail(
      'attach',
      { kind: 'accepted-late', ms: 90_000 },
      { when: (call) => call.instanceId === b, times: 99 },
    );
    await fails(world);
    await world.settle();
    expect(world.service().stranded).toBeDefined();
    await world.clock.advance(120_000);
    expect(attachedTo(world)).toEqual([b, b]);
    await world.look(world.sweep());
    await world.settle();
    // Both are attached to a healthy member: nobody may call that an ended attachment for ever.
    expect(world.service().stranded).toBeUndefined();
    world.ec2.acceptAttach(c);
    world.ec2.impair(b);
    await world.look(world.alarm(b));
    await world.settle();
    expect(attachedTo(world)).toEqual([c, c]);
  });

  story('from before that lands in the middle of the rescue ends with both together', async (world) => {
    for (const id of [a, b, c]) world.ec2.refuseAttach(id);
    await fails(world);
    // An attach to the first standby that EC2 carries out only now, while the rescue goes elsewhere.
    world.ec2.acceptAttach(c);
    world.ec2.setState(b, 'stopped');
    await world.clock.advance(60_000);
    world.ec2.fail('attach', {
      kind: 'meanwhile',
      run: () => {
        world.ec2.attachByHand(front, b, 1);
      },
    });
    await world.look(world.sweep());
    await world.settle();
    await world.look(world.sweep());
    await world.settle();
    expect(attachedTo(world)).toEqual([c, c]);
  });
});

describe('a detach', () => {
  story(
    'that hangs plainly is forced when only an application alarm accuses the holder',
    {
      signals: { alarms: [{ arn: 'arn:aws:cloudwatch:eu-central-1:123456789012:alarm:orders-db-answers' }] },
    },
    async (world) => {
      world.ec2.stick(front, 'plain');
      world.alarms.set(world.applicationAlarm().alarmArn, 'ALARM');
      const report = await world.look(world.applicationAlarm());
      expect(report.code).toBe('COMPLETED');
      const sent = world.ec2.mutations('detach').filter((each) => each.eni === front);
      expect(sent.map((each) => each.force)).toEqual([false, true]);
      expect((sent[1]?.atMs ?? 0) - (sent[0]?.atMs ?? 0)).toBeGreaterThanOrEqual(5_000);
      expect(world.ec2.mutations('detach').filter((each) => each.eni === management)).toHaveLength(1);
    },
  );

  story(
    'that is refused for one interface leaves the rest on the target and pages STRANDED',
    async (world) => {
      world.ec2.fail(
        'detach',
        { kind: 'refused', code: 'UnauthorizedOperation' },
        { when: (call) => call.eni === management, times: 99 },
      );
      const report = await fails(world);
      expect(report.code).toBe('STRANDED');
      expect(attachedTo(world)).toEqual([b, a]);
      expect(world.notifier.of('STRANDED')).toHaveLength(1);
    },
  );

  story(
    'that was refused for one interface is made good by a later look once EC2 allows it',
    async (world) => {
      let isDenied = true;
      world.ec2.fail(
        'detach',
        { kind: 'refused', code: 'UnauthorizedOperation' },
        { when: (call) => isDenied && call.eni === management, times: 99 },
      );
      await fails(world);
      isDenied = false;
      await world.clock.advance(60_000);
      await world.look(world.sweep());
      await world.settle();
      expect(attachedTo(world)).toEqual([b, b]);
      expect(world.service().stranded).toBeUndefined();
      expect(world.ec2.mutations('detach').filter((each) => each.eni === front)).toHaveLength(1);
    },
  );

  story('that is refused for all of them moves nothing and calls a human', async (world) => {
    world.ec2.fail('detach', { kind: 'refused', code: 'UnauthorizedOperation' }, { times: 99 });
    const report = await fails(world);
    expect(report.code).toBe('NEEDS_HUMAN');
    expect(report.detail).toContain('UnauthorizedOperation');
    expect(attachedTo(world)).toEqual([a, a]);
    expect(world.notifier.pages()).toHaveLength(1);
  });

  story(
    'that never ends is paged after five minutes as STRANDED when the other one has moved',
    async (world) => {
      world.ec2.stick(management, 'forced-too');
      await fails(world);
      await world.settle();
      expect(attachedTo(world)).toEqual([b, a]);
      expect(world.episodes().map((each) => each.outcome)).toEqual(['STRANDED']);
    },
  );

  story('that answers NotFound is looked at again, not believed', async (world) => {
    world.ec2.fail('detach', { kind: 'look', code: 'InvalidAttachmentID.NotFound' }, { times: 2 });
    expect((await fails(world)).code).toBe('COMPLETED');
  });

  story('that took effect although it timed out is not taken for a failure', async (world) => {
    world.ec2.fail('detach', { kind: 'answer-lost' }, { times: 2 });
    expect((await fails(world)).code).toBe('COMPLETED');
    expect(attachedTo(world)).toEqual([b, b]);
  });

  story('that takes effect late only delays the move', async (world) => {
    world.ec2.fail('detach', { kind: 'applied-late', ms: 6_000 }, { times: 1 });
    expect((await fails(world)).code).toBe('COMPLETED');
  });
});

describe('EC2 throttles', () => {
  story('the detach for ten seconds: the move happens, and the calls are spaced out', async (world) => {
    world.ec2.fail('detach', { kind: 'throttled' }, { untilMs: world.clock.now() + 10_000 });
    expect((await fails(world)).code).toBe('COMPLETED');
    // From 250 ms growing to 2 s: about nine calls an interface, not forty.
    expect(world.ec2.mutations('detach').length).toBeLessThanOrEqual(24);
  });

  story(
    'the attach for 25 seconds: that is nothing the standby caused, so both still go there',
    async (world) => {
      world.ec2.fail('attach', { kind: 'throttled' }, { untilMs: world.clock.now() + 28_000 });
      await fails(world);
      await world.settle();
      expect(attachedTo(world)).toEqual([b, b]);
      expect(world.episodes().map((each) => each.outcome)).toEqual(['COMPLETED']);
    },
  );

  story('the reads in the middle: nothing is done on what is unknown, and then it goes on', async (world) => {
    world.ec2.onCall((call) => {
      if (call.operation === 'detach')
        world.ec2.fail('reads', { kind: 'throttled' }, { untilMs: world.clock.now() + 4_000 });
    });
    expect((await fails(world)).code).toBe('COMPLETED');
  });

  story('everything for two seconds at the beginning: the failover comes all the same', async (world) => {
    world.ec2.fail('any', { kind: 'throttled' }, { untilMs: world.clock.now() + 2_000 });
    await fails(world);
    await world.settle();
    expect(attachedTo(world)).toEqual([b, b]);
  });
});

describe('reads that lag behind', () => {
  for (const lagMs of [500, 1_500, 3_000, 6_000])
    story(`by ${lagMs} ms end in the same place`, async (world) => {
      world.ec2.impair(a);
      await world.clock.advance(10_000);
      world.ec2.staleByMs = lagMs;
      await world.look(world.alarm(a));
      await world.settle();
      expect(attachedTo(world)).toEqual([b, b]);
      expect(world.episodes().map((each) => each.outcome)).toEqual(['COMPLETED']);
    });

  story('and show an attachment that an earlier episode ended are no third party', async (world) => {
    await fails(world);
    await world.clock.advance(1_000);
    world.ec2.recover(a);
    world.ec2.impair(b);
    // In the middle of the second move one read is as old as the first.
    let isStale = false;
    world.ec2.onCall((call) => {
      if (call.operation === 'detach' && !isStale) {
        isStale = true;
        world.ec2.staleByMs = 12_000;
        world.clock.after(1_000, () => {
          world.ec2.staleByMs = 0;
        });
      }
    });
    await world.look(world.alarm(b));
    await world.settle();
    expect(attachedTo(world)).toEqual([c, c]);
    expect(world.episodes().map((each) => each.outcome)).toEqual(['COMPLETED', 'COMPLETED']);
  });
});

describe('DeleteOnTermination', () => {
  story('is set to false after every attach', async (world) => {
    world.ec2.deletesOnTermination = true;
    expect((await fails(world)).code).toBe('COMPLETED');
    expect(world.ec2.where(front)?.deleteOnTermination).toBe(false);
    expect(world.ec2.where(management)?.deleteOnTermination).toBe(false);
  });

  story(
    'that EC2 will not clear calls a human, and the controller knows that it moved them itself',
    async (world) => {
      world.ec2.deletesOnTermination = true;
      world.ec2.fail('keepOnTermination', { kind: 'refused', code: 'UnauthorizedOperation' }, { times: 99 });
      await fails(world);
      expect(attachedTo(world)).toEqual([b, b]);
      expect(world.notifier.pages()).toHaveLength(1);
      await world.clock.advance(60_000);
      await world.look(world.sweep());
      await world.settle({ forMs: 120_000 });
      expect(world.records('observed')).toEqual([]);
      expect(world.service().lastSeen?.holder).toBe(b);
      // The failed holder stays out, however the episode ended.
      expect(Object.keys(world.service().quarantine)).toEqual([a]);
    },
  );
});

describe('somebody else in the middle', () => {
  story('takes an interface away: the episode stops and a person is called', async (world) => {
    world.ec2.impair(a);
    world.ec2.onEffect((effect) => {
      if (effect.what === 'detached' && effect.eni === front && effect.by === 'controller')
        world.ec2.attachByHand(front, stranger, 3);
    });
    await world.look(world.alarm(a));
    await world.settle();
    expect(world.ec2.where(front)?.instanceId).toBe(stranger);
    expect(world.notifier.pages().length).toBeGreaterThan(0);
    expect(world.ec2.mutations('detach').some((each) => each.instanceId === stranger)).toBe(false);
  });

  story(
    'while our detach of the other is under way: what ends on nothing is paged as STRANDED or attached',
    async (world) => {
      world.ec2.impair(a);
      world.ec2.latency.forcedDetachMs = 3_000;
      world.ec2.onCall((call) => {
        if (call.operation === 'detach' && call.eni === front)
          world.clock.after(600, () => world.ec2.moveByHand(front, stranger, 3));
      });
      await world.look(world.alarm(a));
      await world.clock.advance(10_000);
      await world.settle();
      const isFree = world.ec2.where(management) === undefined;
      const isPaged = world.notifier.of('STRANDED').length > 0;
      expect(isFree && !isPaged, 'on nothing, and nobody was told so').toBe(false);
    },
  );

  story('and afterwards the rescue does not take their work away', async (world) => {
    world.ec2.impair(a);
    world.ec2.latency.forcedDetachMs = 3_000;
    world.ec2.onCall((call) => {
      if (call.operation === 'detach' && call.eni === front)
        world.clock.after(600, () => world.ec2.moveByHand(front, stranger, 3));
    });
    await world.look(world.alarm(a));
    await world.clock.advance(10_000);
    for (let minute = 0; minute < 3; minute += 1) {
      await world.clock.advance(60_000);
      await world.look(world.sweep());
      await world.settle();
    }
    expect(world.ec2.where(front)?.instanceId).toBe(stranger);
  });

  story('deletes an interface: the rest goes on to the target and a person is called', async (world) => {
    world.ec2.impair(a);
    world.ec2.onEffect((effect) => {
      if (effect.what === 'detached' && effect.eni === front && effect.by === 'controller')
        world.ec2.deleteInterface(front);
    });
    const report = await world.look(world.alarm(a));
    expect(report.code).toBe('NEEDS_HUMAN');
    expect(world.ec2.where(management)?.instanceId).toBe(b);
    expect(world.notifier.pages()).toHaveLength(1);
  });
});

describe('the end of the invocation', () => {
  story('comes in the middle: the next worker goes on from the plan', async (world) => {
    world.ec2.impair(a);
    world.ec2.latency.forcedDetachMs = 20_000;
    const worker = world.worker(15_000);
    const report = await world.look(world.alarm(a), { worker });
    expect(report.kind).toBe('handed-over');
    expect(world.clock.now()).toBeLessThan(worker.run.deadlineMs);
    await world.settle();
    expect(attachedTo(world)).toEqual([b, b]);
    expect(world.episodes()).toHaveLength(1);
    expect(world.episodes()[0]?.outcome).toBe('COMPLETED');
  });
});

describe('an attachment', () => {
  story('that a detach names is always one that the stored plan names', async (world) => {
    // The invariants assert it at every call; this shows that they see something.
    await fails(world);
    const named = world.ec2.mutations('detach').map((each) => each.attachment as AttachmentId);
    const planned = world.episodes()[0]?.episode.plan.interfaces.map((each) => each.detach);
    expect(named).toEqual(planned);
  });
});

describe('where a move stands', () => {
  const statesOf = (world: World) =>
    world.store.writes.flatMap(({ after }) => (after.episode ? [after.episode.state] : []));

  story('is what EC2 shows, for whoever reads the item', async (world) => {
    await fails(world);
    const states = statesOf(world).filter((each, index, all) => each !== all[index - 1]);
    expect(states).toEqual(['CLAIMED', 'DETACHING', 'ATTACHING', 'VERIFYING']);
  });

  story('is written when it changes, not at every look', async (world) => {
    world.ec2.latency.forcedDetachMs = 20_000;
    await fails(world);
    const looks = world.ec2.calls.filter((each) => each.operation === 'interfaces').length;
    expect(statesOf(world).length).toBeLessThan(looks / 2);
  });
});

describe('the looks', () => {
  const looksOf = (world: World) =>
    world.ec2.calls.filter((each) => each.operation === 'interfaces').map((each) => each.atMs);
  /** How far apart the looks are that were sent after this moment. */
  const gapsAfter = (world: World, atMs: number) => {
    const looks = looksOf(world).filter((each) => each > atMs);
    return looks.slice(1).map((each, index) => each - (looks[index] ?? 0));
  };
  const effectAtMs = (world: World, what: 'attached' | 'detached', eni = front) =>
    world.ec2.effects.findLast((each) => each.what === what && each.eni === eni)?.atMs ?? 0;

  story('at what lasts come less and less often, and never without a pause', async (world) => {
    world.ec2.latency.attachMs = 18_000;
    await fails(world);
    const gaps = gapsAfter(world, timesOf(world, 'attach')[0] ?? 0);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(200);
    expect(Math.max(...gaps)).toBeGreaterThan(1_600);
  });

  story('come often again once something is begun, however long the move has taken', async (world) => {
    world.ec2.latency.forcedDetachMs = 30_000;
    world.ec2.latency.attachMs = 4_000;
    await fails(world);
    const gaps = gapsAfter(world, timesOf(world, 'attach')[0] ?? 0);
    expect(gaps.length).toBeGreaterThan(8);
    expect(Math.max(...gaps)).toBeLessThan(500);
  });

  story('come often again once EC2 shows something new', async (world) => {
    world.ec2.latency.attachMs = 15_000;
    world.ec2.fail('attach', { kind: 'slow', ms: 2_500 }, { when: (call) => call.eni === management });
    await fails(world);
    const [shown = 0, next = 0] = looksOf(world).filter((each) => each > effectAtMs(world, 'attached') - 80);
    expect(effectAtMs(world, 'attached', management)).toBeGreaterThan(shown);
    expect(next - shown).toBeLessThan(500);
  });

  story('go on while both calls wait for an answer: the trail knows when EC2 was done', async (world) => {
    world.ec2.fail('detach', { kind: 'answer-lost' }, { times: 2 });
    await fails(world);
    const { episode } = world.store.writes.findLast(({ after }) => after.episode)?.after ?? {};
    const detached = episode?.steps.filter((each) => each.step === 'detached') ?? [];
    expect(detached).toHaveLength(2);
    for (const { eni, atMs } of detached)
      expect(atMs - effectAtMs(world, 'detached', eni as EniId)).toBeLessThan(500);
  });
});

describe('the next rung', () => {
  /** When the plan that names this target was stored. */
  const storedAtMs = (world: World, target: string) =>
    world.store.writes.find(({ after }) => after.episode?.plan.target === target)?.atMs ?? 0;
  const attachesTo = (world: World, target: string) =>
    world.ec2.mutations('attach').filter((each) => each.instanceId === target);

  story('is tried at once, after one look', { interfaces: [front] }, async (world) => {
    world.ec2.refuseAttach(b);
    await fails(world);
    const waitedMs = (attachesTo(world, c)[0]?.atMs ?? 0) - storedAtMs(world, c);
    expect(waitedMs).toBeGreaterThanOrEqual(80);
    expect(waitedMs).toBeLessThan(150);
  });

  story('is not tried with what somebody took away meanwhile', { interfaces: [front] }, async (world) => {
    world.ec2.refuseAttach(b);
    world.store.onWrite(({ before, after }) => {
      const isTaken = before?.episode?.plan.target === b && after.episode?.plan.target === c;
      if (isTaken) world.ec2.attachByHand(front, stranger, 3);
    });
    expect((await fails(world)).code).toBe('NEEDS_HUMAN');
    expect(attachesTo(world, c)).toEqual([]);
    expect(world.ec2.where(front)?.instanceId).toBe(stranger);
  });

  story('is not blamed for a refusal of the one before that comes late', async (world) => {
    world.ec2.refuseAttach(b);
    world.ec2.fail(
      'attach',
      { kind: 'slow', ms: 2_000 },
      { when: (call) => call.eni === management && call.instanceId === b },
    );
    expect((await fails(world)).code).toBe('COMPLETED');
    expect(attachedTo(world)).toEqual([c, c]);
    expect(world.episodes()[0]?.episode.plan.tried).toEqual([b, c]);
  });

  story('that cannot be written is asked for again, less and less often', async (world) => {
    world.ec2.refuseAttach(b);
    let isDownYet = false;
    world.ec2.onCall((call) => {
      if (isDownYet || call.operation !== 'attach') return;
      isDownYet = true;
      world.store.goDown();
      world.clock.after(40_000, () => world.store.comeBack());
    });
    await fails(world);
    await world.settle();
    expect(attachedTo(world)).toEqual([c, c]);
    const observed = world.ec2.calls
      .filter((each) => each.operation === 'instances')
      .map((each) => each.atMs);
    const refusedAtMs = attachesTo(world, b)[0]?.atMs ?? 0;
    const asked = observed.filter((each) => each > refusedAtMs && each < refusedAtMs + 30_000);
    const gaps = asked.slice(1).map((each, index) => each - (asked[index] ?? 0));
    // Some two seconds for the table that does not answer, and a pause that grows.
    const last = gaps.slice(-4);
    expect(last.reduce((sum, each) => sum + each, 0) / last.length).toBeGreaterThan(2_700);
  });

  /** From the first refusal on, EC2 answers no question about instances. */
  const blindFrom = (world: World, target: string, forMs: number) =>
    world.ec2.onCall((call) => {
      if (call.operation === 'attach' && call.instanceId === target)
        world.ec2.fail('instances', { kind: 'throttled' }, { untilMs: world.clock.now() + forMs });
    });

  story(
    'that nobody can judge for ten seconds is the source, once',
    { interfaces: [front] },
    async (world) => {
      world.ec2.refuseAttach(a);
      world.ec2.refuseAttach(b);
      blindFrom(world, b, 40_000);
      await fails(world);
      await world.settle();
      const [refused] = attachesTo(world, b);
      const [source, ...more] = attachesTo(world, a);
      expect((source?.atMs ?? 0) - (refused?.atMs ?? 0)).toBeGreaterThanOrEqual(10_000);
      expect(more).toEqual([]);
      // Another member was there all the time, and is found as soon as it can be judged.
      expect(world.ec2.where(front)?.instanceId).toBe(c);
    },
  );

  story(
    'of a rescue that nobody can judge is waited for: there is no source to go back to',
    async (world) => {
      for (const id of [a, b, c]) world.ec2.refuseAttach(id);
      await fails(world);
      // Nothing says any more where they were before.
      world.store.change(ordersDb, ({ lastSeen: _, stranded, ...state }) => {
        if (!stranded) throw new Error('it is stranded');
        const { source: __, ...plan } = stranded.plan;
        return { ...state, stranded: { ...stranded, plan } };
      });
      world.ec2.acceptAttach(c);
      await world.clock.advance(60_000);
      blindFrom(world, b, 15_000);
      await world.look(world.sweep());
      await world.settle();
      expect(world.episodes()[1]?.episode.plan).not.toHaveProperty('source');
      expect(attachedTo(world)).toEqual([c, c]);
    },
  );
});

describe('a planned move that cannot go on', () => {
  const asked = (world: World) => {
    const atMs = world.clock.now();
    const request = {
      id: 'request-1',
      kind: 'switchover',
      target: b,
      author: 'ann',
      reason: 'x',
      atMs,
    } as const;
    world.store.change(ordersDb, (state) => ({ ...state, request }));
    return world.look({ kind: 'request', atMs });
  };

  story('waits for its calls before it turns back, and blames nobody for their answers', async (world) => {
    const startMs = world.clock.now();
    const ofManagement = (call: { readonly eni?: string }) => call.eni === management;
    world.ec2.fail('detach', { kind: 'throttled' }, { untilMs: startMs + 3_300, when: ofManagement });
    const denied = { kind: 'refused', code: 'OperationNotPermitted' } as const;
    world.ec2.fail('detach', denied, { times: 99, when: ofManagement });
    world.ec2.refuseAttach(b);
    world.ec2.fail('attach', { kind: 'slow', ms: 4_000 }, { when: (call) => call.instanceId === b });
    expect((await asked(world)).code).toBe('RETURNED_TO_SOURCE');
    expect(attachedTo(world)).toEqual([a, a]);
    expect(world.ec2.mutations('attach').map((each) => each.instanceId)).toEqual([b, a]);
  });

  story('and cannot turn back either stops, and says so', async (world) => {
    const startMs = world.clock.now();
    const ofManagement = (call: { readonly eni?: string }) => call.eni === management;
    const denied = { kind: 'refused', code: 'OperationNotPermitted' } as const;
    // Refused once the other one has moved; then that one is not let go either.
    world.ec2.fail('detach', { kind: 'throttled' }, { untilMs: startMs + 6_000, when: ofManagement });
    world.ec2.fail('detach', denied, { times: 99, when: ofManagement });
    world.ec2.fail('detach', denied, { times: 99, when: (call) => call.instanceId === b });
    const report = await asked(world);
    expect(report).toMatchObject({
      code: 'STRANDED',
      detail: expect.stringContaining('OperationNotPermitted'),
    });
    expect(attachedTo(world)).toEqual([b, a]);
    expect(world.ec2.mutations('detach').filter((each) => each.instanceId === b)).toHaveLength(1);
  });
});

describe('a look that was sent before the last attach was answered', () => {
  const answerMs = 400;
  /** The second interface rests already; the look begins before the answer and ends after it. */
  const lateAnswer = async (world: World) => {
    world.ec2.latency.attachMs = 0;
    world.ec2.latency.describeMs = 300;
    world.ec2.fail('detach', { kind: 'slow', ms: 2_500 }, { when: (call) => call.eni === front });
    world.ec2.fail('attach', { kind: 'slow', ms: answerMs }, { when: (call) => call.eni === front });
    const report = await fails(world);
    const sent = world.ec2.mutations('attach').find((each) => each.eni === front);
    return { report, answeredAtMs: (sent?.atMs ?? 0) + answerMs };
  };

  story('is not the one that calls it attached', async (world) => {
    const { report, answeredAtMs } = await lateAnswer(world);
    expect(report.code).toBe('COMPLETED');
    const last = world.ec2.calls.findLast((each) => each.operation === 'interfaces');
    expect(last?.atMs).toBeGreaterThanOrEqual(answeredAtMs);
  });

  story('is good enough to do what is left to do', async (world) => {
    world.ec2.deletesOnTermination = true;
    const { answeredAtMs } = await lateAnswer(world);
    const kept = world.ec2.mutations('keepOnTermination').find((each) => each.eni === front);
    expect((kept?.atMs ?? 0) - answeredAtMs).toBeLessThan(250);
  });
});

describe('an interface that was left behind', () => {
  story('and that nothing holds in the end is paged as STRANDED, wherever the other is', async (world) => {
    world.ec2.fail(
      'detach',
      { kind: 'refused', code: 'UnauthorizedOperation' },
      { when: (call) => call.eni === management, times: 99 },
    );
    world.ec2.onCall((call) => {
      if (call.operation === 'attach') world.ec2.detachByHand(management);
    });
    const report = await fails(world);
    expect(attachedTo(world)).toEqual([b, undefined]);
    expect(report.code).toBe('STRANDED');
  });

  story('in its place, with what it must keep only, is a case for people but not STRANDED', async (world) => {
    world.ec2.deletesOnTermination = true;
    world.ec2.fail('keepOnTermination', { kind: 'refused', code: 'UnauthorizedOperation' }, { times: 99 });
    const report = await fails(world);
    expect(attachedTo(world)).toEqual([b, b]);
    expect(report.code).toBe('NEEDS_HUMAN');
  });
});

describe('an episode that stops for people', () => {
  /** Somebody takes the first interface away 600 ms after our detach of it was sent. */
  const takenAway = (world: World, meanwhile: () => void = () => undefined) => {
    world.ec2.onCall((call) => {
      if (call.operation === 'detach' && call.eni === front)
        world.clock.after(600, () => {
          world.ec2.moveByHand(front, stranger, 3);
          meanwhile();
        });
    });
    return fails(world);
  };

  story('sends nothing more', async (world) => {
    world.ec2.latency.forcedDetachMs = 3_000;
    const report = await takenAway(world);
    expect(report).toMatchObject({ code: 'STRANDED', detail: `somebody attached it to ${stranger}` });
    expect(world.ec2.mutations('attach')).toEqual([]);
    expect(attachedTo(world)).toEqual([stranger, undefined]);
  });

  story('waits for the answer of what is under way, and for what comes of it', async (world) => {
    world.ec2.fail('detach', { kind: 'slow', ms: 2_000 }, { when: (call) => call.eni === management });
    const report = await takenAway(world);
    expect(attachedTo(world)).toEqual([stranger, undefined]);
    expect(report.code).toBe('STRANDED');
  });

  story('does not page STRANDED when they take the rest along', async (world) => {
    world.ec2.latency.forcedDetachMs = 3_000;
    world.ec2.onEffect((effect) => {
      if (effect.what === 'detached' && effect.eni === management && effect.by === 'controller')
        world.ec2.attachByHand(management, stranger, 4);
    });
    const report = await takenAway(world);
    expect(attachedTo(world)).toEqual([stranger, stranger]);
    expect(report.code).toBe('NEEDS_HUMAN');
  });

  story('says nothing of what it cannot see until it sees it', async (world) => {
    world.ec2.latency.forcedDetachMs = 3_000;
    let looks = 0;
    const report = await takenAway(world, () => {
      world.ec2.onCall((call) => {
        if (call.operation !== 'interfaces') return;
        looks += 1;
        // The first look shows that it was taken; the ones after it are not answered.
        if (looks === 1)
          world.ec2.fail('interfaces', { kind: 'throttled' }, { untilMs: world.clock.now() + 5_000 });
      });
    });
    expect(attachedTo(world)).toEqual([stranger, undefined]);
    expect(report.code).toBe('STRANDED');
  });

  story('waits no longer than its invocation lives, and looks seldom', async (world) => {
    world.ec2.stick(management, 'forced-too');
    world.ec2.impair(a);
    world.ec2.onCall((call) => {
      if (call.operation === 'detach' && call.eni === front)
        world.clock.after(600, () => world.ec2.moveByHand(front, stranger, 3));
    });
    const worker = world.worker();
    const report = await world.look(world.alarm(a), { worker });
    expect(report.kind).toBe('handed-over');
    expect(world.clock.now()).toBeLessThan(worker.run.deadlineMs);
    expect(world.ec2.calls.filter((each) => each.operation === 'interfaces').length).toBeLessThan(40);
  });

  story('gives up on a detach that never ends after its five minutes', async (world) => {
    world.ec2.stick(management, 'forced-too');
    await takenAway(world);
    expect(world.episodes()).toEqual([]);
    await world.settle({ forMs: 10 * 60_000 });
    expect(world.episodes().map((each) => each.outcome)).toEqual(['STRANDED']);
    expect(world.clock.now() - (timesOf(world, 'detach')[0] ?? 0)).toBeGreaterThanOrEqual(5 * 60_000);
  });
});

describe('a lease that is lost in the middle', () => {
  const takenOver = (world: World) =>
    world.store.change(ordersDb, (state) => ({
      ...state,
      epoch: state.epoch + 1,
      lease: { owner: 'somebody-else' as OwnerId, untilMs: world.clock.now() + 60_000 },
    }));

  story('ends the work as soon as it is known, and leaves no call unanswered', async (world) => {
    // They take it while it is alive: no worker of ours would.
    world.excuse(['S5']);
    world.ec2.impair(a);
    world.ec2.latency.forcedDetachMs = 30_000;
    world.ec2.fail('detach', { kind: 'slow', ms: 2_500 }, { when: (call) => call.eni === management });
    world.ec2.onCall((call) => {
      if (call.operation === 'detach' && call.eni === front) world.clock.after(50, () => takenOver(world));
    });
    const startMs = world.clock.now();
    const report = await world.look(world.alarm(a));
    expect(report).toMatchObject({ kind: 'nothing', code: 'LEASE_HELD' });
    expect(world.lines.filter((each) => each.message === 'detach-forced')).toHaveLength(2);
    expect(world.clock.now() - startMs).toBeLessThan(6_000);
  });
});

describe('the last seconds of an invocation', () => {
  story('are for the answers of what was sent', async (world) => {
    world.ec2.impair(a);
    world.ec2.fail('detach', { kind: 'slow', ms: 2_500 }, { times: 2 });
    const worker = world.worker(10_500);
    const report = await world.look(world.alarm(a), { worker });
    expect(report.kind).toBe('handed-over');
    expect(world.lines.filter((each) => each.message === 'detach-forced')).toHaveLength(2);
    expect(world.clock.now()).toBeLessThan(worker.run.deadlineMs);
    await world.settle();
    expect(attachedTo(world)).toEqual([b, b]);
  });
});
