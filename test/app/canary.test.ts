/** The hour's rehearsal: what an outage would be refused is found out before it, and nothing is changed. */
import { describe, expect } from 'vitest';
import { rehearse } from '../../shared/app/canary.ts';
import type { Ports, Rehearsed } from '../../shared/app/ports.ts';
import type { Drill } from '../../shared/core/hint.ts';
import type { ServiceName } from '../../shared/core/ids.ts';
import type { Published } from '../fakes/fake-notifier.ts';
import { a, b, c, front, management, ordersDb, type World } from '../fakes/world.ts';
import { story } from './story.ts';

type Answer = Rehearsed['answer'];

/** Rehearses while EC2 answers so for a move to this standby; answers also what was asked. */
async function rehearsal(
  world: World,
  answerFor: (instanceId: string) => Answer = () => 'allowed',
  name: ServiceName = ordersDb,
  drill?: Drill,
) {
  const orders: object[] = [];
  const ports: Ports = {
    ...world.ports,
    ec2: {
      ...world.ports.ec2,
      rehearse: async (order) => {
        orders.push(order);
        const answer = answerFor(order.instanceId);
        return [
          { action: 'DetachNetworkInterface', answer: 'allowed', detail: 'DryRunOperation' },
          { action: 'AttachNetworkInterface', answer, detail: `it is ${answer}` },
          ...(order.stop
            ? [{ action: 'StopInstances', answer: answerFor(`stop ${order.stop}`), detail: 'stop' } as const]
            : []),
        ];
      },
    },
  };
  return { report: await world.run(rehearse(ports, name, drill)), orders };
}

const fencing = { policy: { fence: 'stop' } };

describe('the rehearsal', () => {
  story('tries every interface on every standby, and says how many moves it tried', async (world) => {
    const { report, orders } = await rehearsal(world);
    expect(report).toEqual({
      service: ordersDb,
      kind: 'nothing',
      code: 'HOLDER_HEALTHY',
      detail: 'rehearsed 4 moves',
    });
    const attached = (eni: typeof front) => world.ec2.where(eni)?.id;
    expect(orders).toEqual([
      { eni: front, attachment: attached(front), instanceId: b, deviceIndex: 1, networkCardIndex: 0 },
      { eni: front, attachment: attached(front), instanceId: c, deviceIndex: 1, networkCardIndex: 0 },
      {
        eni: management,
        attachment: attached(management),
        instanceId: b,
        deviceIndex: 2,
        networkCardIndex: 0,
      },
      {
        eni: management,
        attachment: attached(management),
        instanceId: c,
        deviceIndex: 2,
        networkCardIndex: 0,
      },
    ]);
    expect(world.ec2.mutations()).toEqual([]);
    expect(world.kinds()).toEqual([]);
  });

  story('tells once what EC2 would deny, and to whom', async (world) => {
    const { report } = await rehearsal(world, (id) => (id === c ? 'denied' : 'allowed'));
    expect(report).toMatchObject({ kind: 'refused', code: 'PERMISSION_DENIED' });
    expect(report.detail).toBe(
      [front, management].map((eni) => `AttachNetworkInterface of ${eni} to ${c}: it is denied`).join('; '),
    );
    expect(world.notifier.of('PERMISSION_DENIED')).toHaveLength(1);
    expect(world.notifier.pages()).toHaveLength(1);
    expect(world.kinds()).toEqual(['refusal']);
    expect((await rehearsal(world, (id) => (id === c ? 'denied' : 'allowed'))).report.kind).toBe('refused');
    expect(world.kinds()).toEqual(['refusal']);
    expect(world.notifier.published).toHaveLength(1);
  });

  story('tries to stop the holder once, where the service fences', fencing, async (world) => {
    const { report, orders } = await rehearsal(world, (what) =>
      what === `stop ${a}` ? 'denied' : 'allowed',
    );
    expect(report).toMatchObject({ kind: 'refused', code: 'PERMISSION_DENIED' });
    expect(report.detail).toBe(`StopInstances of ${a}: stop`);
    expect(orders.filter((each) => 'stop' in each)).toEqual([expect.objectContaining({ stop: a })]);
    expect(orders).toHaveLength(4);
  });

  story('comes again later when somebody else wrote meanwhile', async (world) => {
    world.store.fail('write', {
      kind: 'meanwhile',
      run: () => world.store.change(ordersDb, (state) => ({ ...state })),
    });
    const { report } = await rehearsal(world, () => 'denied');
    expect(report).toMatchObject({ kind: 'later', code: 'PERMISSION_DENIED' });
    expect(world.kinds()).toEqual([]);
  });

  story('says nothing of what is not clear: a throttled dry run is no missing permission', async (world) => {
    expect((await rehearsal(world, () => 'unclear')).report.code).toBe('HOLDER_HEALTHY');
  });

  story('of a service that nobody registered does nothing', { registered: false }, async (world) => {
    const { report, orders } = await rehearsal(world, undefined, 'no-such' as ServiceName);
    expect(report).toMatchObject({ kind: 'nothing', code: 'NO_SUCH_SERVICE' });
    expect(orders).toEqual([]);
  });
  story('of an unregistered service does nothing', async (world) => {
    world.store.change(ordersDb, (state) => ({ ...state, tombstone: true }));
    const { report, orders } = await rehearsal(world);
    expect(report).toMatchObject({ kind: 'nothing', code: 'NO_SUCH_SERVICE' });
    expect(orders).toEqual([]);
  });
  story('leaves an open episode alone: that is the real thing', async (world) => {
    world.excuse(['S12']);
    world.ec2.impair(a);
    const { worker } = world.begin(world.alarm(a));
    await world.clock.advance(400);
    const { report, orders } = await rehearsal(world);
    expect(report).toMatchObject({ kind: 'nothing', code: 'LEASE_HELD' });
    expect(orders).toEqual([]);
    await world.clock.advance(60_000);
    expect(worker.calls.length).toBeGreaterThan(0);
  });
  story('needs the interfaces together on one member', async (world) => {
    world.ec2.detachByHand(front);
    const { report, orders } = await rehearsal(world);
    expect(report).toMatchObject({ kind: 'nothing', code: 'UNKNOWN_STATE' });
    expect(orders).toEqual([]);
  });
});

describe('a rehearsal that somebody asked for', () => {
  const drill = { id: 'drill-7', author: 'ann', reason: 'the quarterly drill' };
  const drilled = (world: World, answerFor?: (instanceId: string) => Answer) =>
    rehearsal(world, answerFor, ordersDb, drill);
  /** Without what every notice ends with. */
  const saidOf = (notice: Published | undefined) => notice?.body.split('\n\nIn the console')[0];

  story('that passes is on record and told, with every call and member', async (world) => {
    const { report } = await drilled(world);
    expect(report).toMatchObject({ kind: 'recorded', code: 'DRILL_PASSED' });
    expect(world.records('drill')).toMatchObject([
      {
        author: 'ann',
        outcome: 'DRILL_PASSED',
        drill: 'drill-7',
        reason: 'the quarterly drill',
        why: [],
        moves: 4,
        calls: 8,
        members: [
          { member: a, role: 'holder', eligible: true },
          { member: b, role: 'standby', eligible: true },
          { member: c, role: 'standby', eligible: true },
        ],
      },
    ]);
    expect(world.records('drill')[0]?.['tried']).toHaveLength(8);
    expect(world.notifier.of('DRILL_PASSED')).toHaveLength(1);
    const [notice] = world.notifier.of('DRILL_PASSED');
    expect(notice?.attributes['severity']).toBe('info');
    expect(saidOf(notice)).toMatchInlineSnapshot(`
      "orders-db: drill passed: 8 calls of 4 moves would be allowed

      i-0aaaaaaaaaaaaaaa1 (holder): eligible
      i-0bbbbbbbbbbbbbbb2 (standby): eligible
      i-0ccccccccccccccc3 (standby): eligible
      Why: the quarterly drill"
    `);
    expect(world.ec2.mutations()).toEqual([]);
  });

  const failing: readonly (readonly [string, (world: World) => Answer, RegExp])[] = [
    ['EC2 would deny a call', () => 'denied', /AttachNetworkInterface of .*: it is denied/],
    ['EC2 does not answer clearly', () => 'unclear', /it is unclear/],
    [
      'no standby is eligible',
      (world) => {
        for (const id of [b, c]) world.ec2.impair(id);
        return 'allowed';
      },
      /NO_STANDBY_LEFT/,
    ],
    [
      'the interfaces are not together',
      (world) => {
        world.ec2.detachByHand(front);
        return 'allowed';
      },
      /ON_NOTHING.*nothing could be rehearsed/s,
    ],
  ];
  for (const [when, prepare, why] of failing)
    story(`fails where ${when}`, async (world) => {
      const answer = prepare(world);
      const { report } = await drilled(world, (id) => (id === b ? answer : 'allowed'));
      expect(report).toMatchObject({ kind: 'recorded', code: 'DRILL_FAILED' });
      const [record] = world.records('drill');
      expect(String(record?.['why'])).toMatch(why);
      expect(world.notifier.of('DRILL_FAILED')[0]?.attributes['severity']).toBe('warning');
      expect(world.kinds(), 'the drill is the only record').toEqual(['drill']);
    });

  story('says of every member what speaks against it, and of every call what EC2 answered', async (world) => {
    world.ec2.impair(c);
    await drilled(world, (id) => (id === b ? 'denied' : 'allowed'));
    const [notice] = world.notifier.of('DRILL_FAILED');
    expect(saidOf(notice)).toMatchInlineSnapshot(`
      "WARNING: orders-db: drill FAILED: a failover would not work as it should

      AttachNetworkInterface of eni-0aaaaaaaaaaaaaa01 to i-0bbbbbbbbbbbbbbb2: it is denied
      AttachNetworkInterface of eni-0aaaaaaaaaaaaaa02 to i-0bbbbbbbbbbbbbbb2: it is denied
      i-0aaaaaaaaaaaaaaa1 (holder): eligible
      i-0bbbbbbbbbbbbbbb2 (standby): eligible
      i-0ccccccccccccccc3 (standby): i-0ccccccccccccccc3: CHECKS_FAILED (system check impaired)
      Why: the quarterly drill"
    `);
    const tried = world.records('drill')[0]?.['tried'] as readonly object[];
    const frontTo = (id: string) => `${front} to ${id}`;
    expect(tried.slice(0, 4)).toEqual([
      { action: 'DetachNetworkInterface', of: frontTo(b), answer: 'allowed' },
      { action: 'AttachNetworkInterface', of: frontTo(b), answer: 'denied', detail: 'it is denied' },
      { action: 'DetachNetworkInterface', of: frontTo(c), answer: 'allowed' },
      { action: 'AttachNetworkInterface', of: frontTo(c), answer: 'allowed' },
    ]);
  });

  story('of what is unregistered meanwhile is refused', async (world) => {
    world.store.fail('write', {
      kind: 'meanwhile',
      run: () => world.store.change(ordersDb, (state) => ({ ...state, tombstone: true })),
    });
    expect((await drilled(world)).report).toMatchObject({ kind: 'refused', code: 'NO_SUCH_SERVICE' });
    expect(world.notifier.published).toEqual([]);
  });

  story('fails in the middle of an episode, and rehearses nothing', async (world) => {
    world.excuse(['S12']);
    // The first detach is still on its way: every interface rests on the holder.
    world.ec2.latency.mutateMs = 2_500;
    world.ec2.impair(a);
    world.begin(world.alarm(a));
    await world.clock.advance(400);
    const { report, orders } = await drilled(world);
    expect(report.code).toBe('DRILL_FAILED');
    expect(orders).toEqual([]);
    await world.clock.advance(60_000);
  });

  story('is on record though somebody else writes meanwhile', async (world) => {
    world.store.fail('write', {
      kind: 'meanwhile',
      run: () => world.store.change(ordersDb, (state) => ({ ...state })),
    });
    expect((await drilled(world)).report.kind).toBe('recorded');
  });
});
