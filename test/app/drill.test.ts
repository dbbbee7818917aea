/** Drills: asked for and rehearsed, or done there and back and put on record. */
import { describe, expect } from 'vitest';
import { adopt } from '../../shared/app/adopt.ts';
import { rehearse } from '../../shared/app/canary.ts';
import { drill, recordDrill } from '../../shared/app/drill.ts';
import { setMode } from '../../shared/app/mode.ts';
import { pauseController, pauseService } from '../../shared/app/operate.ts';
import { gapIsFrom } from '../../shared/core/gap.ts';
import type { InstanceId, ServiceName } from '../../shared/core/ids.ts';
import {
  a,
  b,
  c,
  front,
  management,
  ordersDb,
  servingAlarm,
  type World,
  type WorldOptions,
} from '../fakes/world.ts';
import { story } from './story.ts';

const by = { author: 'ann', reason: 'the quarterly drill' };
const ask = (world: World) => world.run(drill(world.ports, ordersDb, by));

describe('a drill', () => {
  story('asks functions/failover, and says at once who is eligible', async (world) => {
    world.ec2.impair(c);
    const answer = await ask(world);
    expect(answer).toMatchObject({
      kind: 'done',
      data: {
        ready: true,
        hindrances: [],
        members: [
          { member: a, role: 'holder', refusals: [] },
          { member: b, role: 'standby', refusals: [] },
          { member: c, role: 'standby', refusals: [{ code: 'CHECKS_FAILED' }] },
        ],
      },
    });
    const id = answer.data?.['drill'];
    expect(world.queue.sent.map((each) => each.message)).toMatchObject([
      { service: ordersDb, hint: { kind: 'canary', drill: { id, ...by } } },
    ]);
    expect(world.kinds()).toEqual([]);
  });

  story('says that a failover would not work', async (world) => {
    for (const id of [b, c]) world.ec2.impair(id);
    expect(await ask(world)).toMatchObject({
      detail: expect.stringContaining('NO_STANDBY_LEFT'),
      data: { ready: false, hindrances: [] },
    });
  });

  const hindered: readonly (readonly [string, string, (world: World) => unknown])[] = [
    [
      'the service is paused',
      'PAUSED',
      (world) => world.run(pauseService(world.ports, ordersDb, { ...by, forMs: 3_600_000 })),
    ],
    [
      'everything is paused',
      'CONTROLLER_PAUSED',
      (world) => world.run(pauseController(world.ports, { ...by, forMs: 3_600_000 })),
    ],
    ['it only observes', 'OBSERVE_ONLY', (world) => world.run(setMode(world.ports, ordersDb, 'observe', by))],
  ];
  for (const [when, code, prepare] of hindered)
    story(`says that a failover would not happen where ${when}, and so does its record`, async (world) => {
      await prepare(world);
      expect(await ask(world)).toMatchObject({
        detail: expect.stringContaining(`would NOT happen now: ${code}`),
        data: { ready: true, hindrances: [{ code, command: expect.stringContaining('eni-failover ') }] },
      });
      const asked = world.queue.sent.find((each) => each.message.hint.kind === 'canary')?.message;
      if (asked?.hint.kind !== 'canary') throw new Error('no rehearsal was asked for');
      await world.run(rehearse(world.ports, ordersDb, asked.hint.drill));
      expect(world.records('drill')).toMatchObject([
        { outcome: 'DRILL_PASSED', hindrances: [expect.stringMatching(new RegExp(`^${code}: `))] },
      ]);
      expect(world.notifier.of('DRILL_PASSED')).toMatchObject([
        {
          severity: 'warning',
          headline: expect.stringMatching(/allowed; but a failover would NOT happen now$/),
        },
      ]);
    });

  story('of a service that was never registered is refused', { registered: false }, async (world) => {
    expect(await ask(world)).toMatchObject({ kind: 'refused', code: 'NO_SUCH_SERVICE' });
  });

  const refused: readonly (readonly [string, string, (world: World) => unknown])[] = [
    ['they are not together', 'NOT_TOGETHER', (world) => world.ec2.detachByHand(front)],
    [
      'EC2 cannot be read',
      'UNKNOWN_STATE',
      (world) => world.ec2.fail('interfaces', { kind: 'throttled' }, { times: 9 }),
    ],
    [
      'it was unregistered',
      'NO_SUCH_SERVICE',
      (world) => world.store.change(ordersDb, (state) => ({ ...state, tombstone: true })),
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
      expect(world.queue.sent.filter((each) => each.message.hint.kind === 'canary')).toEqual([]);
      await world.clock.advance(60_000);
    });

  story('that the queue refuses was not asked for', async (world) => {
    world.queue.fail();
    await expect(ask(world)).rejects.toMatchObject({ name: 'PortError' });
  });
});

describe('a drill there and back', () => {
  const episodes = { there: 'orders-db.1', back: 'orders-db.2' };
  const move = async (world: World, to: InstanceId) =>
    expect((await world.askFor(to)).code).toBe('COMPLETED');
  const keep = (world: World, given = episodes, name: ServiceName = ordersDb) =>
    world.run(recordDrill(world.ports, name, given, by));

  story('is recorded with both gaps, and what they are computed from', async (world) => {
    await move(world, b);
    await move(world, a);
    const answer = await keep(world);
    expect(answer).toMatchObject({ kind: 'done', data: { passed: true } });
    const [record] = world.records('drill');
    expect(record).toMatchObject({
      author: 'ann',
      outcome: 'DRILL_PASSED',
      there: { episode: 'orders-db.1', from: a, to: b, outcome: 'COMPLETED' },
      back: { episode: 'orders-db.2', from: b, to: a, outcome: 'COMPLETED' },
      computedFrom: expect.stringContaining('steps'),
    });
    const { effects } = world.ec2;
    const left = effects.find((each) => each.what === 'detached' && each.by === 'controller')?.atMs ?? 0;
    const there = record?.['there'] as { gapMs: number };
    expect(there.gapMs).toBeGreaterThan(1_000);
    expect(there.gapMs).toBeLessThan(60_000);
    expect(left).toBeGreaterThan(0);
    const back = record?.['back'] as { gapMs: number };
    expect(answer.detail).toBe(`drill passed: there in ${there.gapMs} ms, back in ${back.gapMs} ms`);
    expect(world.notifier.of('DRILL_PASSED')).toMatchObject([
      {
        severity: 'info',
        headline: answer.detail,
        lines: [
          `${a} to ${b}: COMPLETED, gap ${there.gapMs} ms`,
          `${b} to ${a}: COMPLETED, gap ${back.gapMs} ms`,
          `Computed from ${gapIsFrom}.`,
          `Why: ${by.reason}`,
        ],
      },
    ]);
  });

  const mistaken: readonly (readonly [string, typeof episodes, RegExp, (world: World) => unknown])[] = [
    [
      'that did not come back to where it began',
      episodes,
      /does not go back the way/,
      (world) => move(world, c),
    ],
    [
      'whose halves are named the wrong way round',
      { there: 'orders-db.2', back: 'orders-db.1' },
      /orders-db\.1 is not the episode after orders-db\.2/,
      (world) => move(world, a),
    ],
    [
      'of one episode alone',
      { there: 'orders-db.1', back: 'orders-db.1' },
      /is not the episode after/,
      (world) => move(world, a),
    ],
    [
      'with another episode in between',
      { there: 'orders-db.1', back: 'orders-db.4' },
      /orders-db\.4 is not the episode after orders-db\.1/,
      async (world) => {
        for (const to of [a, b, a]) await move(world, to);
      },
    ],
    [
      'of which a failure was one half',
      episodes,
      /orders-db\.2 is a failover that no person asked for/,
      async (world) => {
        await world.clock.advance(600_000);
        world.ec2.impair(b);
        await world.look(world.alarm(b));
      },
    ],
  ];
  for (const [what, given, why, prepare] of mistaken)
    story(`${what} is no drill`, async (world) => {
      await move(world, b);
      await prepare(world);
      const answer = await keep(world, given);
      expect(answer).toMatchObject({ kind: 'refused', code: 'NOT_A_DRILL' });
      expect(answer.detail).toMatch(why);
      expect(world.records('drill')).toEqual([]);
    });

  story('of which the controller asked for one half itself is no drill', async (world) => {
    await move(world, b);
    const request = { id: 'r', kind: 'failback', target: a, author: 'eni-failover', reason: 'x' } as const;
    world.store.change(ordersDb, (state) => ({ ...state, request: { ...request, atMs: world.clock.now() } }));
    expect((await world.look(world.sweep())).code).toBe('COMPLETED');
    expect(await keep(world)).toMatchObject({
      code: 'NOT_A_DRILL',
      detail: 'orders-db.2 is a failback that no person asked for',
    });
  });

  story('is looked for in the last five hundred records, and no further', async (world) => {
    await move(world, b);
    await move(world, a);
    // As if six hundred others had been written since.
    world.excuse(['S12']);
    world.store.change(ordersDb, (state) => ({ ...state, trail: { ...state.trail, next: 604 } }));
    const before = world.store.calls.filter((each) => each.operation === 'trail').length;
    expect(await keep(world)).toMatchObject({ code: 'NO_SUCH_EPISODE' });
    expect(world.store.calls.filter((each) => each.operation === 'trail').length - before).toBe(5);
  });

  const ends = async (world: World, to: InstanceId, outcome: string) => {
    await world.askFor(to);
    await world.settle();
    expect(world.episodes().at(-1)?.outcome).toBe(outcome);
  };
  const failed: readonly (readonly [
    string,
    WorldOptions,
    (world: World) => Promise<void>,
    readonly [RegExp, RegExp],
  ])[] = [
    [
      'returned to where it was',
      {},
      async (world) => {
        await move(world, b);
        world.ec2.refuseAttach(a);
        await ends(world, a, 'RETURNED_TO_SOURCE');
      },
      [
        new RegExp(`^${a} to ${b}: COMPLETED, gap \\d+ ms$`),
        new RegExp(`^${b} to ${b}: RETURNED_TO_SOURCE, gap`),
      ],
    ],
    [
      'came to rest on the third member',
      {},
      async (world) => {
        await move(world, b);
        for (const id of [a, b]) world.ec2.refuseAttach(id);
        await ends(world, a, 'COMPLETED');
      },
      [new RegExp(`^${a} to ${b}: COMPLETED`), new RegExp(`^${b} to ${c}: COMPLETED`)],
    ],
    [
      'did not serve there',
      { serving: { alarm: servingAlarm } },
      async (world) => {
        world.alarms.set(servingAlarm, 'ALARM');
        await ends(world, b, 'ATTACHED');
        world.alarms.set(servingAlarm, 'OK');
        await ends(world, a, 'COMPLETED');
      },
      [new RegExp(`^${a} to ${b}: ATTACHED`), new RegExp(`^${b} to ${a}: COMPLETED`)],
    ],
    [
      'did not serve when it was back',
      { serving: { alarm: servingAlarm } },
      async (world) => {
        await move(world, b);
        world.alarms.set(servingAlarm, 'ALARM');
        await ends(world, a, 'ATTACHED');
      },
      [new RegExp(`^${a} to ${b}: COMPLETED`), new RegExp(`^${b} to ${a}: ATTACHED`)],
    ],
    [
      'never left for home, because a hook failed',
      { hooks: { before: [{ document: 'prepare-replica', on: 'target' }] } },
      async (world) => {
        await move(world, b);
        world.hooks.behave('prepare-replica', { end: 'failed' });
        await ends(world, a, 'NEEDS_HUMAN');
      },
      [new RegExp(`^${a} to ${b}: COMPLETED`), new RegExp(`^${b} to ${a}: NEEDS_HUMAN, nothing moved$`)],
    ],
  ];
  for (const [how, options, prepare, [there, back]] of failed)
    story(`of which one half ${how} has failed`, options, async (world) => {
      await prepare(world);
      const [one, other] = world.episodes().map(({ episode }) => episode.id);
      expect(await keep(world, { there: one ?? '', back: other ?? '' })).toMatchObject({
        kind: 'done',
        detail: 'drill FAILED: it did not go there and back',
        data: { passed: false },
      });
      expect(world.notifier.of('DRILL_FAILED')).toMatchObject([
        {
          severity: 'warning',
          lines: [
            expect.stringMatching(there),
            expect.stringMatching(back),
            expect.any(String),
            expect.any(String),
          ],
        },
      ]);
    });

  story('that began where somebody had put it by hand in between is no drill', async (world) => {
    await move(world, b);
    for (const [index, eni] of [front, management].entries()) {
      world.ec2.detachByHand(eni);
      world.ec2.attachByHand(eni, c, index + 1);
    }
    await world.look(world.sweep());
    await world.run(adopt(world.ports, ordersDb, by));
    await move(world, a);
    expect(await keep(world)).toMatchObject({
      code: 'NOT_A_DRILL',
      detail: 'orders-db.2 does not go back the way that orders-db.1 went',
    });
  });

  story('is looked for no further back than it is', async (world) => {
    // As if two hundred records had been written before.
    world.excuse(['S12']);
    world.store.change(ordersDb, (state) => ({ ...state, trail: { ...state.trail, next: 204 } }));
    await move(world, b);
    await move(world, a);
    const before = world.store.calls.filter((each) => each.operation === 'trail').length;
    expect(await keep(world)).toMatchObject({ data: { passed: true } });
    expect(world.store.calls.filter((each) => each.operation === 'trail').length - before).toBe(1);
  });

  story('counts once what is copied already and still in the item', async (world) => {
    await move(world, b);
    world.store.fail('copyToTrail', { kind: 'answer-lost' }, { times: 3 });
    await move(world, a);
    const { frozen } = world.service();
    expect(frozen?.number).toBe(world.episodes().at(-1)?.number);
    world.store.heal();
    expect(await keep(world)).toMatchObject({ kind: 'done', data: { passed: true } });
  });

  story('finds an episode that is not copied yet, and one that is long ago', async (world) => {
    await move(world, b);
    for (let count = 0; count < 120; count += 1) await world.run(keepBusy(world, count));
    world.store.fail('copyToTrail', { kind: 'unreachable' }, { times: 3 });
    await move(world, a);
    expect(world.service().frozen?.kind).toBe('episode');
    world.store.heal();
    expect(await keep(world)).toMatchObject({ kind: 'done', data: { passed: true } });
  });

  story('of an episode that the trail does not have is refused', async (world) => {
    await move(world, b);
    expect(await keep(world)).toMatchObject({
      code: 'NO_SUCH_EPISODE',
      detail: expect.stringContaining('orders-db.2'),
    });
    expect(await keep(world, { there: 'other.1', back: 'orders-db.1' })).toMatchObject({
      detail: expect.stringContaining('other.1'),
    });
    expect(world.records('drill')).toEqual([]);
  });
});

/** One more record. */
async function keepBusy(world: World, count: number): Promise<void> {
  await setMode(world.ports, ordersDb, count % 2 === 0 ? 'observe' : 'act', by);
}
