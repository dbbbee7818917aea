/** Stories of what is on its way off a member: by whom, since when, with what patience, and who is called when it hangs. */
import { describe, expect } from 'vitest';
import { a, b, c, front, management, stranger, type World, type WorldOptions } from '../fakes/world.ts';
import { story } from './story.ts';

const two: WorldOptions = { members: [a, b] };
const minute = 60_000;
const attachedTo = (world: World) => [front, management].map((eni) => world.ec2.where(eni)?.instanceId);
const offB = (world: World) =>
  world.ec2.mutations('detach').flatMap((each) => (each.instanceId === b ? [each.force] : []));
const last = (world: World) => world.episodes().at(-1);
/** The first time that this comes about. */
const once = (world: World, what: string, eni: typeof front, run: () => void) => {
  let isDone = false;
  world.ec2.onEffect((each) => {
    if (isDone || each.what !== what || each.eni !== eni) return;
    isDone = true;
    run();
  });
};
/** `b` takes `front` and refuses `management`; `then` happens with the refusal. */
const takeHalf = (world: World, then: () => void) =>
  world.ec2.fail(
    'attach',
    { kind: 'refused', code: 'AttachmentLimitExceeded' },
    {
      when: ({ eni, instanceId }) => {
        if (eni !== management || instanceId !== b) return false;
        then();
        return true;
      },
      times: 99,
    },
  );

describe('what leaves the target of a planned move, which has failed', () => {
  story('keeps nothing else from its own limits', {}, async (world) => {
    once(world, 'attached', front, () => {
      world.ec2.impair(b);
      world.ec2.stick(front, 'plain');
      world.clock.after(300, () => world.ec2.detachPlainly(front));
    });
    world.ec2.onCall(({ operation, eni, instanceId }) => {
      if (operation !== 'attach' || instanceId !== b || eni !== management) return;
      world.ec2.latency.attachMs = 60 * minute;
      world.clock.after(1_000, () => {
        world.ec2.latency.attachMs = 1_200;
      });
    });
    world.ec2.fail('attach', { kind: 'slow', ms: 600 }, { when: ({ eni }) => eni === management, times: 1 });
    const { report } = world.begin(world.request(b));
    await world.clock.advance(50_000);
    expect(attachedTo(world)[1]).toBe(a);
    await world.run(report);
    await world.settle({ forMs: 20 * minute });
    expect(world.service().episode).toBeUndefined();
    expect(world.notifier.pages()).not.toEqual([]);
  });

  story('has its five minutes, and then people are called', { interfaces: [front] }, async (world) => {
    once(world, 'attached', front, () => {
      world.ec2.setState(b, 'shutting-down');
      world.ec2.stick(front, 'forced-too');
      world.ec2.detachPlainly(front);
    });
    await world.askFor(b);
    await world.settle({ forMs: 20 * minute });
    expect(world.service().episode).toBeUndefined();
    expect(world.notifier.pages()).not.toEqual([]);
  });
});

describe('what somebody else took and sends away again', () => {
  story('has its five minutes, and then people are called', {}, async (world) => {
    world.ec2.impair(a);
    once(world, 'detached', front, () =>
      world.clock.after(0, () => {
        world.ec2.attachByHand(front, stranger, 1);
        world.ec2.stick(front, 'forced-too');
        world.ec2.detachPlainly(front);
      }),
    );
    await world.look(world.alarm(a));
    await world.settle({ forMs: 20 * minute });
    expect(world.service().episode).toBeUndefined();
    expect(last(world)?.outcome).toBe('STRANDED');
    expect(world.notifier.pages()).not.toEqual([]);
  });

  story('from its target is not forced because the rest has been leaving for long', {}, async (world) => {
    world.ec2.impair(a);
    world.ec2.stick(management, 'forced-too');
    world.clock.after(7_000, () => world.ec2.detachPlainly(front));
    const { report } = world.begin(world.alarm(a));
    await world.clock.advance(20_000);
    world.ec2.loosen(management);
    await world.run(report);
    expect(attachedTo(world)).toEqual([b, b]);
    expect(offB(world)).toEqual([]);
  });
});

describe('the five minutes', () => {
  story('do not end before force was tried, where EC2 says that the member failed', two, async (world) => {
    takeHalf(world, () => world.ec2.stick(front, 'plain'));
    const { report, worker } = world.begin(world.request(b));
    void report.catch(() => undefined);
    await world.clock.advance(8_000);
    expect(offB(world)).toEqual([false]);
    worker.crashAt(worker.calls.length + 1, 'before');
    world.ec2.impair(b);
    await world.clock.advance(6 * minute);
    await world.look(world.sweep());
    expect(offB(world)).toEqual([false, true]);
    expect(attachedTo(world)).toEqual([a, a]);
  });

  story('are not those of a detach that EC2 never took', {}, async (world) => {
    world.ec2.impair(a);
    world.ec2.fail('detach', { kind: 'timed-out' }, { times: 2 });
    const { report, worker } = world.begin(world.alarm(a));
    void report.catch(() => undefined);
    await world.clock.advance(500);
    worker.crashAt(worker.calls.length + 1, 'before');
    await world.clock.advance(6 * minute);
    await world.look(world.sweep());
    expect(attachedTo(world)).toEqual([b, b]);
    expect(last(world)?.outcome).toBe('COMPLETED');
  });

  for (const [what, hurt] of [
    ['asks once more to be spared', { kind: 'throttled' }],
    ['answers nobody once more', { kind: 'answer-lost' }],
  ] as const)
    for (const [kind, begins] of [
      ['failover', (world: World) => world.alarm(a)],
      ['planned move', (world: World) => world.request(b)],
    ] as const)
      story(`of a ${kind} do not end because EC2 ${what}`, {}, async (world) => {
        if (kind === 'failover') world.ec2.impair(a);
        world.ec2.latency.forcedDetachMs = 6_000;
        world.ec2.fail('detach', { kind: 'timed-out' }, { times: 2 });
        const { report, worker } = world.begin(begins(world));
        void report.catch(() => undefined);
        await world.clock.advance(500);
        worker.crashAt(worker.calls.length + 1, 'before');
        await world.clock.advance(6 * minute);
        world.ec2.fail('detach', hurt, { times: 1 });
        await world.look(world.sweep());
        await world.settle();
        expect(last(world)?.outcome).toBe('COMPLETED');
        expect(attachedTo(world)).toEqual([b, b]);
      });

  story('do not end in the middle of a forced detach that was sent at their end', two, async (world) => {
    for (const eni of [front, management]) world.ec2.stick(eni, 'plain');
    world.ec2.latency.forcedDetachMs = 8_000;
    world.clock.after(4 * minute + 52_000, () => world.ec2.impair(a));
    await world.askFor(b);
    await world.settle({ forMs: 7 * minute });
    expect(world.episodes().map((each) => each.outcome)).toEqual(['COMPLETED']);
    expect(attachedTo(world)).toEqual([b, b]);
  });

  for (const kind of ['failover', 'planned move'] as const)
    story(`of a ${kind} end though EC2 accepts each detach, and shows nothing of it`, {}, async (world) => {
      world.ec2.fail('detach', { kind: 'accepted-late', ms: 24 * 60 * minute }, { times: 99_999 });
      if (kind === 'failover') world.ec2.impair(a);
      await world.look(kind === 'failover' ? world.alarm(a) : world.request(b));
      await world.settle({ forMs: 8 * minute, deliveries: 400 });
      expect(world.service().episode).toBeUndefined();
      expect(world.notifier.pages()).not.toEqual([]);
    });

  story('end for what EC2 will not take either, though it shows it as attached', two, async (world) => {
    world.ec2.fail('detach', { kind: 'throttled' }, { times: 9_999 });
    await world.askFor(b);
    await world.settle({ forMs: 20 * minute });
    expect(world.service().episode).toBeUndefined();
    expect(attachedTo(world)).toEqual([a, a]);
    expect(world.notifier.pages()).not.toEqual([]);
  });
});

describe('the patience of a plain detach', () => {
  story('begins when EC2 takes it, not while it asks to be spared', {}, async (world) => {
    world.ec2.impair(a);
    takeHalf(world, () => {
      const untilMs = world.clock.now() + 6_500;
      world.ec2.fail(
        'detach',
        { kind: 'throttled' },
        { when: ({ eni }) => eni === front, times: 99, untilMs },
      );
    });
    expect(await world.look(world.alarm(a))).toMatchObject({ code: 'COMPLETED' });
    expect(attachedTo(world)).toEqual([c, c]);
    expect(offB(world).length).toBeGreaterThan(1);
    expect(offB(world)).not.toContain(true);
  });

  story('begins with what somebody else sent, where EC2 never took ours', {}, async (world) => {
    world.ec2.impair(a);
    takeHalf(world, () =>
      world.ec2.fail('detach', { kind: 'throttled' }, { when: ({ eni }) => eni === front, times: 1 }),
    );
    const { report, worker } = world.begin(world.alarm(a));
    void report.catch(() => undefined);
    world.ec2.onCall(({ operation, instanceId }) => {
      if (operation === 'detach' && instanceId === b) worker.crashAt(worker.calls.length, 'after');
    });
    await world.clock.advance(25_000);
    world.ec2.stick(front, 'plain');
    world.ec2.detachPlainly(front);
    const seenAtMs = world.clock.now();
    await world.look(world.sweep());
    const forced = world.ec2.mutations('detach').find((each) => each.instanceId === b && each.force);
    expect((forced?.atMs ?? 0) - seenAtMs).toBeGreaterThan(5_000);
  });

  for (const code of ['InvalidAttachmentID.NotFound', 'IncorrectState'])
    story(`does not begin with the answer ${code}`, {}, async (world) => {
      world.ec2.impair(a);
      takeHalf(world, () =>
        world.ec2.fail('detach', { kind: 'look', code }, { when: ({ eni }) => eni === front, times: 1 }),
      );
      expect(await world.look(world.alarm(a))).toMatchObject({ code: 'COMPLETED' });
      expect(attachedTo(world)).toEqual([c, c]);
      expect(offB(world)).toEqual([false, false]);
    });
});
