/** Whether the controller moves a service by itself: one word of its declaration, and nothing else of it. */
import { describe, expect } from 'vitest';
import { setMode } from '../../shared/app/mode.ts';
import { a, ordersDb, type World } from '../fakes/world.ts';
import { story } from './story.ts';

const by = { author: 'ann', reason: 'game day' };
const set = (world: World, mode: 'act' | 'observe') => world.run(setMode(world.ports, ordersDb, mode, by));

describe('the mode', () => {
  story(
    'is rewritten in the declaration, on record, and counts at once',
    { policy: { confirm: '5m' } },
    async (world) => {
      expect(await set(world, 'observe')).toMatchObject({ kind: 'done', detail: 'mode observe by ann' });
      expect(JSON.parse(world.service().declared)).toEqual({
        ...world.declaration,
        policy: { confirm: '5m', mode: 'observe' },
      });
      expect(world.records('change').at(-1)).toMatchObject({
        outcome: 'CHANGED',
        changes: ['policy.mode: act → observe'],
        declaration: { policy: { confirm: '5m', mode: 'observe' } },
        ...by,
      });
      world.ec2.impair(a);
      expect((await world.look(world.alarm(a))).code).toBe('OBSERVE_ONLY');
      expect(await set(world, 'act')).toMatchObject({ kind: 'done', data: { from: 'observe', to: 'act' } });
      expect((await world.look(world.alarm(a))).code).toBe('COMPLETED');
    },
  );

  story('that it is in already is refused', async (world) => {
    expect(await set(world, 'act')).toMatchObject({ kind: 'refused', code: 'SAME_MODE' });
    expect(world.kinds()).toEqual([]);
  });

  story('of what a stack registered is changed, with a warning', async (world) => {
    world.store.change(ordersDb, (state) => ({ ...state, source: 'arn:stack/orders' }));
    expect((await set(world, 'observe')).detail).toBe(
      'mode observe by ann; the next deployment of arn:stack/orders may undo it',
    );
  });
});
