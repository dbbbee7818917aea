/** A person moved the interfaces by hand; an operator says that this is how it is meant. */
import { describe, expect } from 'vitest';
import { adopt } from '../../shared/app/adopt.ts';
import { type Ahead, planAhead } from '../../shared/app/plan-ahead.ts';
import type { InstanceId } from '../../shared/core/ids.ts';
import { a, b, c, front, management, ordersDb, stranger, type World } from '../fakes/world.ts';
import { story } from './story.ts';
import { sweeping } from './sweeping.ts';

const by = { author: 'ann', reason: 'moved for the audit' };
const ask = (world: World) => world.run(adopt(world.ports, ordersDb, by));

function moveByHand(world: World, to: InstanceId, enis = [front, management]): void {
  for (const eni of enis) {
    world.ec2.detachByHand(eni);
    world.ec2.attachByHand(eni, to, eni === front ? 1 : 2);
  }
}

describe('adopting', () => {
  story('makes the service be where it is, on record', async (world) => {
    moveByHand(world, c);
    world.store.change(ordersDb, (state) => ({
      ...state,
      lastRefusal: 'SPLIT',
      lastObserved: 'SPLIT x',
      preferredSinceMs: 1,
      movedBy: 'failover',
    }));
    expect(await ask(world)).toMatchObject({ kind: 'done', data: { from: a, to: c } });
    const { lastSeen, lastMoveAtMs, ...state } = world.service();
    expect(lastSeen).toEqual({
      holder: c,
      attachments: { [front]: world.ec2.where(front)?.id, [management]: world.ec2.where(management)?.id },
    });
    expect(lastMoveAtMs).toBeGreaterThan(0);
    // The preferred member's time begins anew, and what a person did is not undone by itself.
    for (const gone of ['lastRefusal', 'lastObserved', 'preferredSinceMs', 'movedBy'])
      expect(state).not.toHaveProperty(gone);
    expect(world.records('change').at(-1)).toMatchObject({
      outcome: 'ADOPTED',
      from: a,
      to: c,
      was: 'SPLIT x',
      ...by,
    });
    expect(world.ec2.mutations()).toEqual([]);
    expect((await world.look(world.sweep())).code).toBe('HOLDER_HEALTHY');
    expect(world.kinds()).toEqual(['change']);
  });

  story('ends the call for a person of a service that is whole again', async (world) => {
    const plan = { target: b, tried: [b], detach: 'plain', plainDetachMs: 1, interfaces: [] } as const;
    const stranded = { sinceMs: 0, plan, why: 'nobody took it', tries: 1 };
    world.store.change(ordersDb, (state) => ({ ...state, stranded }));
    expect(await ask(world)).toMatchObject({ kind: 'done' });
    expect(world.service()).not.toHaveProperty('stranded');
    // Nothing was moved: no grace for its alarms.
    expect(world.service()).not.toHaveProperty('lastMoveAtMs');
    expect(world.records('change').at(-1)).toMatchObject({ was: 'nobody took it' });
  });

  story('clears what was told of a service that a person has put back', async (world) => {
    world.store.change(ordersDb, (state) => ({ ...state, lastObserved: 'SPLIT x' }));
    expect(await ask(world)).toMatchObject({ kind: 'done', data: { from: a, to: a } });
    expect(world.service()).not.toHaveProperty('lastObserved');
    expect(world.records('change').at(-1)).toMatchObject({ outcome: 'ADOPTED', was: 'SPLIT x' });
  });

  story('forgets the detaches that can hit nothing any more', async (world) => {
    const id = world.ec2.where(front)?.id;
    world.store.change(ordersDb, (state) => ({ ...state, mayDetach: id ? [id] : [] }));
    moveByHand(world, c, [management]);
    moveByHand(world, c, [front]);
    await ask(world);
    expect(world.service().mayDetach).toEqual([]);
  });

  story('of what the sweep has taken note of already is done, and needs no record', async (world) => {
    moveByHand(world, c);
    const process = sweeping(world);
    for (let minute = 0; minute < 4; minute += 1) {
      await process.later();
      await world.settle();
    }
    expect(world.notifier.of('MOVED_BY_OTHERS')).toHaveLength(1);
    const records = world.kinds().length;
    expect(await ask(world)).toMatchObject({
      kind: 'done',
      detail: expect.stringContaining('nothing had to be adopted'),
      data: { from: c, to: c },
    });
    expect(world.kinds()).toHaveLength(records);
  });

  story('is not suggested where it would be refused: on an instance that is no member', async (world) => {
    moveByHand(world, stranger);
    const { reasons } = (await world.run(planAhead(world.ports, ordersDb))) as Ahead;
    expect(reasons).toMatchObject([{ code: 'MOVED_BY_OTHERS' }]);
    expect(reasons[0]).not.toHaveProperty('command');
    const process = sweeping(world);
    for (let minute = 0; minute < 4; minute += 1) {
      await process.later();
      await world.settle();
    }
    const [notice] = world.notifier.of('MOVED_BY_OTHERS');
    expect(notice?.body).toContain('move them back');
    expect(notice?.body).not.toContain('adopt');
    const { reasons: later } = (await world.run(planAhead(world.ports, ordersDb))) as Ahead;
    expect(later).toMatchObject([{ code: 'MOVED_BY_OTHERS' }]);
    expect(later[0]).not.toHaveProperty('command');
  });

  const refused: readonly (readonly [string, string, (world: World) => unknown])[] = [
    ['they are on no member', 'NOT_A_MEMBER', (world) => moveByHand(world, stranger)],
    ['they are on two', 'NOT_TOGETHER', (world) => moveByHand(world, c, [front])],
    ['one is on nothing', 'NOT_TOGETHER', (world) => world.ec2.detachByHand(front)],
    ['one is gone', 'UNMOVABLE_INTERFACE', (world) => world.ec2.deleteInterface(front)],
    [
      'EC2 cannot be read',
      'UNKNOWN_STATE',
      (world) => world.ec2.fail('interfaces', { kind: 'throttled' }, { times: 9 }),
    ],
    [
      'an episode is open',
      'EPISODE_OPEN',
      async (world) => {
        world.excuse(['S12']);
        world.ec2.impair(a);
        world.begin(world.alarm(a));
        await world.clock.advance(400);
      },
    ],
  ];
  for (const [when, code, prepare] of refused)
    story(`is refused where ${when}`, async (world) => {
      await prepare(world);
      expect(await ask(world)).toMatchObject({ kind: 'refused', code });
      expect(world.records('change')).toHaveLength(1);
      await world.clock.advance(60_000);
    });
});
