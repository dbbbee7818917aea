/** The item stays small: what operators give is bounded, and what would make it too large is refused before anything is written. */
import { describe, expect } from 'vitest';
import { setMode } from '../../shared/app/mode.ts';
import { acknowledge, type Operated, pauseService, resumeService } from '../../shared/app/operate.ts';
import { register } from '../../shared/app/register.ts';
import { switchover } from '../../shared/app/request.ts';
import { unregister } from '../../shared/app/unregister.ts';
import { bytesOf, most } from '../../shared/core/size.ts';
import { waitingNotice } from '../fakes/notices.ts';
import { a, b, front, management, ordersDb, type World } from '../fakes/world.ts';
import { story } from './story.ts';

const by = { author: 'ann', reason: 'maintenance' };

/** An item that has so many bytes: notices that call a person wait while the topic is away. */
function fillTo(world: World, bytes: number): void {
  world.notifier.fail(99_999);
  world.store.change(ordersDb, (state) => {
    const waiting = (length: number) => waitingNotice('long', { lines: ['x'.repeat(length)] });
    const room = bytes - bytesOf({ ...state, outbox: [waiting(0)] });
    return { ...state, outbox: [waiting(room)] };
  });
}

const deeds: readonly (readonly [string, (world: World) => Promise<Operated>])[] = [
  ['mode', (world) => setMode(world.ports, ordersDb, 'observe', by)],
  ['a request', (world) => switchover(world.ports, ordersDb, b, by)],
  ['unregistering', (world) => unregister(world.ports, ordersDb, by)],
];

describe('an item that is nearly too large', () => {
  for (const [what, deed] of deeds)
    story(`is not changed by ${what}, which is refused with its size`, async (world) => {
      fillTo(world, most.item - 500);
      const before = world.service();
      const answer = await world.run(deed(world));
      expect(answer).toMatchObject({ kind: 'refused', code: 'ITEM_TOO_LARGE' });
      expect(answer.detail).toMatch(/would have \d+ bytes, and 200000 are allowed; 1 notices wait in it/);
      expect(world.service()).toEqual(before);
      expect(world.store.ownerOf(front)).toBe(ordersDb);
    });

  story('takes no other registration, and gives back what was taken for it', async (world) => {
    await world.run(
      register(world.ports, { ...by, declaration: { ...world.declaration, interfaces: only(front) } }),
    );
    fillTo(world, most.item - 500);
    const before = world.service();
    const answer = await world.run(register(world.ports, { ...by, declaration: world.declaration }));
    expect(answer).toMatchObject({ kind: 'rejected', code: 'ITEM_TOO_LARGE' });
    expect(world.service()).toEqual(before);
    expect([front, management].map((eni) => world.store.ownerOf(eni))).toEqual([ordersDb, 'released']);
  });

  story('is paused, resumed, acknowledged and failed over all the same', async (world) => {
    world.excuse(['P7']);
    fillTo(world, most.item - 500);
    expect(await world.run(pauseService(world.ports, ordersDb, { ...by, forMs: 1_000 }))).toMatchObject({
      kind: 'done',
    });
    expect(await world.run(resumeService(world.ports, ordersDb, by))).toMatchObject({ kind: 'done' });
    world.store.change(ordersDb, (state) => ({ ...state, quarantine: { [b]: { sinceMs: 0, why: 'x' } } }));
    expect(await world.run(acknowledge(world.ports, ordersDb, by))).toMatchObject({ kind: 'done' });
    world.ec2.impair(a);
    expect((await world.look(world.alarm(a))).code).toBe('COMPLETED');
  });

  story('takes a change that just fits', async (world) => {
    fillTo(world, most.item - 10_000);
    expect(await world.run(setMode(world.ports, ordersDb, 'observe', by))).toMatchObject({ kind: 'done' });
    expect(bytesOf(world.service())).toBeLessThanOrEqual(most.item);
  });
});

function only(eni: string) {
  return [{ eni, deviceIndex: 1 }];
}

describe('a declaration', () => {
  const sized = (world: World, bytes: number) => {
    const hook = (words: string) => ({
      before: { function: 'arn:aws:lambda:us-east-1:123456789012:function:stop-writes', payload: { words } },
    });
    const room = bytes - bytesOf({ ...world.declaration, hooks: hook('') });
    return { ...world.declaration, hooks: hook('x'.repeat(room)) };
  };

  story('of more than 32 KB is rejected with its size, the limit and the way out', async (world) => {
    const before = world.service();
    const declaration = sized(world, most.declaration + 1);
    expect(await world.run(register(world.ports, { ...by, declaration }))).toEqual({
      kind: 'rejected',
      code: 'REJECTED',
      problems: [
        'declaration: has 32769 bytes of JSON; at most 32768 are taken: keep what hooks are given (parameters, payloads) elsewhere, and pass where it is',
      ],
    });
    expect(world.service()).toEqual(before);
  });
});
