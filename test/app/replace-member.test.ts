/** A member is replaced by another instance, checked as a registration is. */
import { describe, expect } from 'vitest';
import { replaceMember } from '../../shared/app/replace-member.ts';
import type { InstanceId, ServiceName } from '../../shared/core/ids.ts';
import {
  a,
  applicationAlarm,
  b,
  c,
  ordersDb,
  replicaLagOf,
  servingAlarm,
  stranger,
  type World,
} from '../fakes/world.ts';
import { story } from './story.ts';

const by = { author: 'ann', reason: 'new image' };
const replace = (world: World, old: InstanceId, incoming: InstanceId, name = ordersDb) =>
  world.run(replaceMember(world.ports, name, { old, by: incoming }, by));
const membersOf = (world: World) =>
  (JSON.parse(world.service().declared) as { members: { instance: string }[] }).members.map(
    (each) => each.instance,
  );

describe('replacing a member', () => {
  story('puts the other in its place, on record, with its ways back', async (world) => {
    world.store.change(ordersDb, (state) => ({ ...state, quarantine: { [b]: { sinceMs: 0, why: 'x' } } }));
    expect(await replace(world, b, stranger)).toMatchObject({
      kind: 'done',
      detail: `${b} replaced by ${stranger}`,
      data: { holder: a, warnings: [] },
    });
    expect(membersOf(world)).toEqual([a, stranger, c]);
    expect(world.service().quarantine).toEqual({ [b]: { sinceMs: 0, why: 'x' } });
    expect(world.records('change').at(-1)).toMatchObject({
      author: 'ann',
      reason: 'new image',
      outcome: 'CHANGED',
      changes: [`member added: ${stranger}`, `member removed: ${b}`],
    });
    expect(world.notifier.of('CHANGED')[0]?.body).toContain(`member removed: ${b}`);
    expect(await world.run(world.store.servicesOfInstance(stranger))).toEqual([ordersDb]);
    world.ec2.impair(a);
    await world.look(world.alarm(a));
    expect(world.holder()).toBe(stranger);
  });

  const bound = {
    readyWhen: true,
    signals: {
      alarms: [
        { arn: applicationAlarm, member: b },
        { arn: servingAlarm, member: c },
      ],
    },
  };
  story('takes over the signals that were bound to it, and says which', bound, async (world) => {
    const answer = await replace(world, b, stranger);
    expect(JSON.parse(world.service().declared)).toMatchObject({
      signals: {
        alarms: [
          { arn: applicationAlarm, member: stranger },
          { arn: servingAlarm, member: c },
        ],
      },
    });
    expect(answer.data?.['warnings']).toEqual(
      [replicaLagOf(b), applicationAlarm].map((arn) => expect.stringContaining(arn)),
    );
  });

  story('of a stack keeps it the stack’s, with a warning', async (world) => {
    world.store.change(ordersDb, (state) => ({ ...state, source: 'arn:stack/orders' }));
    expect((await replace(world, b, stranger)).detail).toContain('arn:stack/orders may undo it');
    expect(world.service().source).toBe('arn:stack/orders');
  });

  const refused: readonly (readonly [string, string, InstanceId, InstanceId])[] = [
    ['that has the interfaces', 'IS_HOLDER', a, stranger],
    ['that is none', 'NOT_A_MEMBER', stranger, b],
    ['by another member', 'ALREADY_A_MEMBER', b, c],
    ['by an instance that is not there', 'REJECTED', b, 'i-0ddddddddddddddd4' as InstanceId],
  ];
  for (const [what, code, old, incoming] of refused)
    story(`${what} is refused`, async (world) => {
      expect(await replace(world, old, incoming)).toMatchObject({ kind: 'refused', code });
      expect(membersOf(world)).toEqual([a, b, c]);
      expect(world.kinds()).toEqual([]);
    });

  story('is refused while something is unfinished, and for what is not registered', async (world) => {
    world.request(b);
    expect(await replace(world, c, stranger)).toMatchObject({ code: 'REQUEST_WAITS' });
    expect(await replace(world, c, stranger, 'no-such' as ServiceName)).toMatchObject({
      code: 'NO_SUCH_SERVICE',
    });
    world.store.change(ordersDb, ({ request: _, ...state }) => ({ ...state, tombstone: true }));
    expect(await replace(world, c, stranger)).toMatchObject({ code: 'NO_SUCH_SERVICE' });
  });

  story('is refused while the service is stranded, though the rest of it be well', async (world) => {
    const plan = { target: b, tried: [b], detach: 'plain', plainDetachMs: 1, interfaces: [] } as const;
    const stranded = { sinceMs: 0, plan, why: 'nobody took it', tries: 1 };
    world.store.change(ordersDb, (state) => ({ ...state, stranded }));
    expect(await replace(world, c, stranger)).toMatchObject({ kind: 'refused', code: 'STRANDED' });
    expect(membersOf(world)).toEqual([a, b, c]);
  });

  story('undoes nothing that somebody registers meanwhile', async (world) => {
    const edited = JSON.stringify({ ...world.declaration, policy: { mode: 'observe' } });
    world.store.fail(
      'read',
      {
        kind: 'meanwhile',
        run: () => world.store.change(ordersDb, (state) => ({ ...state, declared: edited })),
      },
      { when: () => world.store.calls.filter((each) => each.operation === 'read').length > readsBefore + 1 },
    );
    const readsBefore = world.store.calls.filter((each) => each.operation === 'read').length;
    expect(await replace(world, b, stranger)).toMatchObject({ kind: 'refused', code: 'REJECTED' });
    expect(world.service().declared).toBe(edited);
  });
});
