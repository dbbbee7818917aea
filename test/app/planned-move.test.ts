/** Stories of a planned move whose plain detach hangs: waited for, and forced only once EC2 says that its member failed. */
import { describe, expect } from 'vitest';
import { a, b, front, management, type World, type WorldOptions } from '../fakes/world.ts';
import { story } from './story.ts';

const two: WorldOptions = { members: [a, b] };
const attachedTo = (world: World) => [front, management].map((eni) => world.ec2.where(eni)?.instanceId);
const forced = (world: World) => world.ec2.mutations('detach').map((each) => each.force);
const last = (world: World) => world.episodes().at(-1);
const lastAttachedAtMs = (world: World) =>
  world.ec2.effects.findLast((each) => each.what === 'attached')?.atMs ?? Number.NaN;

describe('a plain detach that hangs', () => {
  const hang = (world: World) => {
    for (const eni of [front, management]) world.ec2.stick(eni, 'plain');
  };

  story('is forced by the same worker once EC2 says that the source has failed', two, async (world) => {
    hang(world);
    let failedAtMs = 0;
    world.clock.after(4_000, () => {
      failedAtMs = world.clock.now();
      world.ec2.impair(a);
    });
    expect(await world.askFor(b)).toMatchObject({ kind: 'closed', code: 'COMPLETED' });
    expect(attachedTo(world)).toEqual([b, b]);
    expect(forced(world)).toEqual([false, false, true, true]);
    // One look every five seconds, and what EC2 needs for the forced detach and the attach.
    expect(lastAttachedAtMs(world) - failedAtMs).toBeLessThan(10_000);
    expect(last(world)?.episode.steps.filter((each) => each.step === 'hand-over')).toEqual([]);
    expect(world.service().quarantine[a]?.why).toMatch(/^failed in orders-db\.1/);
  });

  story('is forced when the source fails late in the life of the worker too', two, async (world) => {
    hang(world);
    world.clock.after(38_000, () => world.ec2.impair(a));
    const reports = [await world.askFor(b), ...(await world.settle())];
    expect(forced(world)).toEqual([false, false, true, true]);
    expect(reports[0]).toMatchObject({ kind: 'closed', code: 'COMPLETED' });
  });

  story('is only waited for while the source is well', two, async (world) => {
    hang(world);
    const { report } = world.begin(world.request(b));
    await world.clock.advance(40_000);
    expect(forced(world)).toEqual([false, false]);
    // The members are looked at now and then, not with every poll.
    const looks = world.ec2.calls.filter((each) => each.operation === 'instances');
    expect(looks.length).toBeLessThan(12);
    for (const eni of [front, management]) world.ec2.loosen(eni);
    expect(await world.run(report)).toMatchObject({ kind: 'closed', code: 'COMPLETED' });
    expect(attachedTo(world)).toEqual([b, b]);
    expect(world.service().quarantine).toEqual({});
  });

  story('is only waited for while nobody can say how the source is', two, async (world) => {
    hang(world);
    world.clock.after(4_000, () => {
      const untilMs = world.clock.now() + 30_000;
      world.ec2.fail('instances', { kind: 'throttled' }, { untilMs });
      world.ec2.fail('checks', { kind: 'throttled' }, { untilMs });
    });
    const { report } = world.begin(world.request(b));
    await world.clock.advance(30_000);
    expect(forced(world)).toEqual([false, false]);
    for (const eni of [front, management]) world.ec2.loosen(eni);
    expect(await world.run(report)).toMatchObject({ kind: 'closed', code: 'COMPLETED' });
    expect(attachedTo(world)).toEqual([b, b]);
    // Not one round more: there are only so many in an invocation.
    expect(last(world)?.episode.steps.filter((each) => each.step === 'resumed')).toEqual([]);
  });

  story('of one interface does not keep the other from its attach', two, async (world) => {
    world.ec2.stick(front, 'plain');
    world.clock.after(12_000, () => world.ec2.impair(a));
    await world.askFor(b);
    expect(attachedTo(world)).toEqual([b, b]);
    const at = (eni: typeof front) =>
      world.ec2.effects.find(
        (each) => each.what === 'attached' && each.eni === eni && each.by === 'controller',
      )?.atMs ?? Number.NaN;
    expect(at(front) - at(management)).toBeGreaterThan(8_000);
  });

  story(
    'does not keep what comes loose waiting, however slowly EC2 tells of the source',
    two,
    async (world) => {
      hang(world);
      world.clock.after(4_000, () => world.ec2.fail('checks', { kind: 'slow', ms: 20_000 }, { times: 99 }));
      let looseAtMs = 0;
      world.clock.after(6_000, () => {
        looseAtMs = world.clock.now();
        for (const eni of [front, management]) world.ec2.loosen(eni);
      });
      await world.askFor(b);
      await world.settle();
      expect(attachedTo(world)).toEqual([b, b]);
      expect((world.ec2.mutations('attach')[0]?.atMs ?? Number.NaN) - looseAtMs).toBeLessThan(3_000);
    },
  );

  story('is not looked into in a failover, which forces in any case', two, async (world) => {
    for (const eni of [front, management]) world.ec2.stick(eni, 'forced-too');
    world.ec2.impair(a);
    const { report } = world.begin(world.alarm(a));
    await world.clock.advance(30_000);
    expect(world.service().episode?.steps.filter((each) => each.step === 'resumed')).toEqual([]);
    for (const eni of [front, management]) world.ec2.loosen(eni);
    expect(await world.run(report)).toMatchObject({ code: 'COMPLETED' });
  });

  for (const attachMs of [1_200, 12_000])
    story(
      `is not looked into where all has left, and the attach takes ${attachMs} ms`,
      two,
      async (world) => {
        world.ec2.latency.attachMs = attachMs;
        const looks = () => world.ec2.calls.filter((each) => each.operation === 'checks').length;
        const before = looks();
        expect(await world.askFor(b)).toMatchObject({ code: 'COMPLETED' });
        expect(looks() - before).toBe(1);
      },
    );
});

describe('a plain detach from a target that took one interface and not the other', () => {
  /** `b` takes the one, and does not let go of it when it refuses the other. */
  const takeHalf = (world: World) =>
    world.ec2.fail(
      'attach',
      { kind: 'refused', code: 'AttachmentLimitExceeded' },
      {
        when: ({ eni, instanceId }) => {
          if (eni !== management || instanceId !== b) return false;
          world.ec2.stick(front, 'plain');
          return true;
        },
        times: 99,
      },
    );
  const offB = (world: World) =>
    world.ec2.mutations('detach').flatMap((each) => (each.instanceId === b ? [each.force] : []));

  story('is forced once EC2 says that this target has failed', two, async (world) => {
    takeHalf(world);
    let failedAtMs = 0;
    world.clock.after(10_000, () => {
      failedAtMs = world.clock.now();
      world.ec2.impair(b);
    });
    expect(await world.askFor(b)).toMatchObject({ kind: 'closed', code: 'RETURNED_TO_SOURCE' });
    expect(attachedTo(world)).toEqual([a, a]);
    expect(offB(world)).toEqual([false, true]);
    expect(lastAttachedAtMs(world) - failedAtMs).toBeLessThan(10_000);
    expect(last(world)?.episode.plan).toMatchObject({ detach: 'plain', failed: [b] });
  });

  story('is only waited for while this target is well', two, async (world) => {
    takeHalf(world);
    // That the member it goes back to fails is no reason to force it off this one.
    world.clock.after(10_000, () => world.ec2.impair(a));
    const { report } = world.begin(world.request(b));
    await world.clock.advance(40_000);
    expect(offB(world)).toEqual([false]);
    world.ec2.loosen(front);
    await world.run(report);
    await world.settle();
    expect(offB(world)).toEqual([false]);
  });
});
