/** What a look shows, what of it is new and goes into the log, what of it is stale, and when to look again. */
import { describe, expect, it } from 'vitest';
import { makeJournal } from '../../shared/app/journal.ts';
import {
  attachmentIn,
  isLeaving,
  isOnNothing,
  type Look,
  Pace,
  stateOf,
  Watch,
} from '../../shared/app/looking.ts';
import { WrittenPlan } from '../../shared/app/written-plan.ts';
import type { AttachmentId, OwnerId } from '../../shared/core/ids.ts';
import {
  type Attachment,
  absent,
  type Fact,
  type InterfaceFact,
  unknown,
} from '../../shared/core/observation.ts';
import { times } from '../../shared/core/times.ts';
import * as core from '../core/world.ts';
import { a, b, front, makeWorld, management, ordersDb } from '../fakes/world.ts';

const { admin, data, now, planTo } = core;
const look = (first: Fact<InterfaceFact>, second: Fact<InterfaceFact>): Look => ({
  facts: new Map([
    [data, first],
    [admin, second],
  ]),
  sentAtMs: now,
  slow: false,
});
const unread = unknown('throttled');
const on = (place: core.Place, eni = data, more?: Partial<Attachment>) =>
  core.interfaceAt(eni, place, more && { attachment: core.attachment(eni, place as typeof core.a, more) });

describe('a look', () => {
  const [old, target] = [core.a, core.b];
  it.each([
    ['attached', on(old), { attached: true, onNothing: false, leaving: false }],
    [
      'detaching',
      on(old, data, { status: 'detaching' }),
      { attached: true, onNothing: false, leaving: true },
    ],
    [
      'attaching',
      on(old, data, { status: 'attaching' }),
      { attached: true, onNothing: false, leaving: false },
    ],
    ['on nothing', on('nothing'), { attached: false, onNothing: true, leaving: false }],
    ['not read', unread, { attached: false, onNothing: false, leaving: false }],
    ['gone', absent, { attached: false, onNothing: false, leaving: false }],
  ])('at an interface that is %s', (_, fact, answer) => {
    const shown = look(fact, on(old, admin));
    expect({
      attached: attachmentIn(shown, data) !== undefined,
      onNothing: isOnNothing(shown, data),
      leaving: isLeaving(shown, data),
    }).toEqual(answer);
  });

  it.each([
    ['both are on the old member', on(old), on(old, admin), 'DETACHING'],
    ['one is on the old member', on(target), on(old, admin), 'DETACHING'],
    ['one is leaving the new one', on(target), on(target, admin, { status: 'detaching' }), 'DETACHING'],
    ['both are on nothing', on('nothing'), on('nothing', admin), 'ATTACHING'],
    ['one is on nothing', on(target), on('nothing', admin), 'ATTACHING'],
    ['one is being attached', on(target), on(target, admin, { status: 'attaching' }), 'ATTACHING'],
    ['one was not read', on(target), unread, 'ATTACHING'],
    ['both are on the new one', on(target), on(target, admin), 'VERIFYING'],
  ])('shows the state of the episode: %s', (_, first, second, state) => {
    expect(stateOf(planTo(target, { source: old }), look(first, second))).toBe(state);
  });
});

describe('a watch', () => {
  /** Over both interfaces of a service on `a`, of which the plan detaches what they have. */
  async function watching(
    more: { readonly ended?: readonly AttachmentId[]; readonly rescues?: boolean } = {},
  ) {
    const world = await makeWorld();
    const owner = 'worker-us' as OwnerId;
    const held = (eni: typeof front) => world.ec2.where(eni)?.id as AttachmentId;
    const before = { front: held(front), management: held(management) };
    const planned = (eni: typeof front, deviceIndex: number) => ({
      eni,
      deviceIndex,
      networkCardIndex: 0,
      ours: [],
      ...(!more.rescues && { detach: held(eni) }),
    });
    const interfaces = [planned(front, 1), planned(management, 2)];
    const plan = { source: a, target: b, tried: [b], detach: 'force', plainDetachMs: 0, interfaces } as const;
    world.store.change(ordersDb, (state) => ({
      ...state,
      detached: more.ended ?? [],
      lease: { owner, untilMs: world.clock.now() + times.leaseTtlMs },
      episode: core.episodeOf(plan),
    }));
    const journal = makeJournal(world.ports, world.service(), owner);
    const { value, sentAtMs } = await world.run(world.ec2.interfaces([front, management]));
    const facts = new Map([...value].map(([eni, fact]) => [eni, { kind: 'known', value: fact }] as const));
    const watch = new Watch(world.ports, journal, new WrittenPlan(journal), { facts, sentAtMs, slow: false });
    return {
      world,
      watch,
      before,
      looks: () => world.run(watch.lookNow()),
      log: () => world.lines.map((each) => `${each.message}: ${each.facts['detail']}`),
    };
  }

  it('notes nothing of what it finds, and counts no change where nothing changes', async () => {
    const { watch, looks, log, before } = await watching();
    await looks();
    expect(log()).toEqual([]);
    expect(watch.changes).toBe(0);
    expect([...watch.seen]).toEqual([before.front, before.management]);
  });

  it('notes each change once, when it is seen first', async () => {
    const { world, watch, looks, log, before } = await watching();
    world.ec2.detachByHand(front);
    await looks();
    await looks();
    const now = world.ec2.attachByHand(front, b, 1);
    await looks();
    await looks();
    expect(log()).toEqual([`detached: ${before.front} from ${a}`, `attached: ${now} to ${b}`]);
    expect(watch.changes).toBe(2);
    expect(watch.seen.has(now)).toBe(true);
  });

  it('notes an attachment when it is attached, not while it is attaching', async () => {
    const { world, watch, looks, log } = await watching();
    world.ec2.detachByHand(front);
    await looks();
    await world.run(world.ec2.attach({ eni: front, instanceId: b, deviceIndex: 1, networkCardIndex: 0 }));
    await looks();
    const noted = log().length;
    await world.clock.advance(world.ec2.latency.attachMs);
    await looks();
    expect(log().slice(noted)).toEqual([`attached: ${world.ec2.where(front)?.id} to ${b}`]);
    expect(watch.changes).toBe(3);
  });

  it('notes what was moved between two looks as attached', async () => {
    const { world, looks, log } = await watching();
    const moved = world.ec2.moveByHand(front, b, 1);
    await looks();
    expect(log()).toEqual([`attached: ${moved} to ${b}`]);
  });

  it('that cannot read takes nothing for detached, before or after', async () => {
    const { world, watch, looks, log } = await watching();
    world.ec2.fail('interfaces', { kind: 'throttled' });
    await looks();
    expect(watch.last.slow).toBe(true);
    expect(watch.believable(front)).toMatchObject({
      kind: 'unknown',
      why: expect.stringContaining('RequestLimit'),
    });
    await looks();
    expect(watch.believable(front)).toMatchObject({ kind: 'known' });
    expect(log()).toEqual([]);
    expect(watch.changes, 'unread, and read again').toBe(2);
  });

  it('does not believe a read that shows again what it saw end', async () => {
    const { world, watch, looks } = await watching();
    world.ec2.moveByHand(front, b, 1);
    await world.clock.advance(1_000);
    await looks();
    world.ec2.staleByMs = 10_000;
    await looks();
    expect(watch.believable(front)).toEqual(unknown('EC2 shows an attachment that has ended'));
    expect(watch.believable(management)).toMatchObject({ kind: 'known' });
  });

  it('does not believe a read that shows what an earlier episode ended', async () => {
    const world = await makeWorld();
    const ended = [world.ec2.where(front)?.id as AttachmentId];
    const { watch } = await watching({ ended });
    expect(watch.believable(front).kind).toBe('unknown');
    expect(watch.believable(management).kind).toBe('known');
  });

  it('believes what it has seen come and go where the plan detaches nothing', async () => {
    const { world, watch, looks } = await watching({ rescues: true });
    world.ec2.detachByHand(front);
    await looks();
    expect(watch.believable(front)).toMatchObject({ kind: 'known', value: { attachment: undefined } });
  });

  it('knows an interface that EC2 does not know any more as gone', async () => {
    const { world, watch, looks } = await watching();
    world.ec2.deleteInterface(front);
    await looks();
    expect(watch.believable(front)).toEqual(absent);
    expect(watch.changes).toBe(1);
  });
});

describe('the pace', () => {
  const steps = async (
    ...looks: readonly (readonly [isProgress: boolean, isSlow: boolean, afterMs: number])[]
  ) => {
    const world = await makeWorld();
    const pace = new Pace({ ...world.ports, random: () => 0.5 });
    const waits: number[] = [];
    for (const [isProgress, isSlow, afterMs] of looks) {
      await world.clock.advance(afterMs);
      pace.looked(isProgress, isSlow);
      waits.push(pace.nextMs());
    }
    return { world, pace, waits };
  };
  const first = times.pollFirstMs;
  const later = times.pollSteadyMs;
  const grown = (count: number) => first * times.pollGrowth ** count;

  it('is steady for a while after a call was begun', async () => {
    expect((await steps([false, false, 0], [false, false, later - 1])).waits).toEqual([first, first]);
  });

  it('grows afterwards, up to the longest', async () => {
    const looks = Array.from({ length: 7 }, () => [false, false, later] as const);
    expect((await steps(...looks)).waits).toEqual([
      ...[1, 2, 3, 4, 5].map(grown),
      times.pollMaxMs,
      times.pollMaxMs,
    ]);
  });

  it('spares at once an EC2 that is slow', async () => {
    expect((await steps([false, true, 0], [false, true, 0])).waits).toEqual([grown(1), grown(2)]);
  });

  it('is quick again after progress', async () => {
    expect((await steps([false, false, later], [true, false, 0])).waits).toEqual([grown(1), first]);
    expect((await steps([false, true, 0], [true, true, 0])).waits).toEqual([grown(1), first]);
  });

  it('is quick and steady again when a call was begun', async () => {
    const { world, pace } = await steps([false, false, later]);
    pace.begun();
    expect(pace.nextMs()).toBe(first);
    await world.clock.advance(later - 1);
    pace.looked(false, false);
    expect(pace.nextMs()).toBe(first);
  });
});
