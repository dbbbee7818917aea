/** What would happen now, and why: the engine's own answer, every reason with its way out, and nothing written. */
import { describe, expect } from 'vitest';
import { pauseController, pauseService } from '../../shared/app/operate.ts';
import { type Ahead, planAhead } from '../../shared/app/plan-ahead.ts';
import type { InstanceId, ServiceName } from '../../shared/core/ids.ts';
import type { ServiceState } from '../../shared/core/state.ts';
import {
  a,
  applicationAlarm,
  b,
  c,
  front,
  management,
  ordersDb,
  replicaLagOf,
  stranger,
  type World,
  zone,
} from '../fakes/world.ts';
import { story } from './story.ts';

const forAnHour = { author: 'ann', reason: 'patching', forMs: 3_600_000 };

/** The plan; it is part of every story that nothing is written for it. */
async function plan(world: World, to?: InstanceId): Promise<Ahead> {
  const writes = world.store.writes.length;
  const ahead = await world.run(planAhead(world.ports, ordersDb, to));
  expect(world.store.writes).toHaveLength(writes);
  expect(world.ec2.mutations()).toEqual([]);
  if (ahead.kind !== 'plan') throw new Error(ahead.detail);
  return ahead;
}
/** The same while others are at work. */
async function planOnly(world: World): Promise<Ahead> {
  const ahead = await world.run(planAhead(world.ports, ordersDb));
  if (ahead.kind !== 'plan') throw new Error(ahead.detail);
  return ahead;
}
const codes = (ahead: Ahead) => ahead.reasons.map((each) => each.code);
const change = (world: World, to: Partial<ServiceState>) =>
  world.store.change(ordersDb, (state) => ({ ...state, ...to }));

describe('the plan of a failover', () => {
  story('is the move to the first eligible standby, with its steps', async (world) => {
    expect(await plan(world)).toEqual({
      kind: 'plan',
      service: ordersDb,
      holder: a,
      wouldMove: true,
      target: b,
      reasons: [],
      members: [
        { member: a, role: 'holder', eligible: true, refusals: [] },
        { member: b, role: 'standby', eligible: true, refusals: [] },
        { member: c, role: 'standby', eligible: true, refusals: [] },
      ],
      steps: [
        { step: 'detach', what: `${front}, ${management} from ${a}, by force if it hangs` },
        { step: 'attach', what: `${front} at device index 1, ${management} at device index 2 to ${b}` },
      ],
      interrupts: expect.stringContaining(front),
    });
  });

  story('names every reason against it, one behind the other, each with what ends it', async (world) => {
    await world.run(pauseService(world.ports, ordersDb, forAnHour));
    await world.run(pauseController(world.ports, forAnHour));
    await world.run(world.store.tripBrake(zone, ['x'], world.clock.now()));
    const declared = JSON.stringify({ ...world.declaration, policy: { mode: 'observe' } });
    const atMs = world.clock.now();
    change(world, { declared, failoversAtMs: [atMs, atMs], unfencedAtMs: [atMs] });
    world.ec2.impair(b);
    change(world, { quarantine: { [c]: { sinceMs: 0, why: 'failed in orders-db.1' } } });
    const ahead = await plan(world);
    expect(ahead).toMatchObject({ wouldMove: false, steps: [], interrupts: 'nothing' });
    expect(ahead).not.toHaveProperty('target');
    expect(ahead.reasons.map(({ code, member, command }) => [code, member, command])).toEqual([
      ['PAUSED', undefined, `eni-failover resume ${ordersDb} --reason '...'`],
      ['CONTROLLER_PAUSED', undefined, "eni-failover resume --all --reason '...'"],
      ['OBSERVE_ONLY', undefined, `eni-failover mode ${ordersDb} act --reason '...'`],
      ['BRAKE', undefined, `eni-failover ack --zone ${zone} --reason '...'`],
      ['BUDGET_SPENT', undefined, `eni-failover ack ${ordersDb} --reason '...'`],
      ['CHECKS_FAILED', b, `eni-failover member replace ${ordersDb} ${b} i-... --reason '...'`],
      ['QUARANTINED', c, `eni-failover ack ${ordersDb} --member ${c} --reason '...'`],
    ]);
    for (const each of ahead.reasons) expect(each.wayOut).not.toBe('');
    // Not what the question made up: nothing is impaired.
    const paused = `by ${forAnHour.author} until TIME: ${forAnHour.reason}`;
    const told = ahead.reasons.slice(0, 5).map(({ detail }) => detail.replace(/\d{4}-\S+Z/, 'TIME'));
    expect(told).toEqual([
      paused,
      paused,
      'it would have moved to nothing, for no standby is eligible',
      `${zone} is braked`,
      '3 in an hour',
    ]);
    expect(ahead.members[2]).toMatchObject({ eligible: false, refusals: [{ code: 'QUARANTINED' }] });
  });

  story('without a standby is none', { members: [a] }, async (world) => {
    expect(codes(await plan(world))).toEqual(['NO_ELIGIBLE_STANDBY']);
  });

  story('says which command replaces a member that is gone', async (world) => {
    world.ec2.terminate(b);
    world.ec2.setState(c, 'stopped');
    expect((await plan(world)).reasons).toMatchObject([
      { member: b, command: `eni-failover member replace ${ordersDb} ${b} i-... --reason '...'` },
      { member: c, code: 'NOT_RUNNING' },
    ]);
    expect((await plan(world)).reasons[1]).not.toHaveProperty('command');
    // What ends the quarantine is not a replacement, whatever it was for.
    change(world, { quarantine: { [b]: { sinceMs: 0, why: 'it was terminated' } } });
    expect((await plan(world)).reasons).toMatchObject([
      { member: b, code: 'NOT_RUNNING' },
      { code: 'QUARANTINED', command: `eni-failover ack ${ordersDb} --member ${b} --reason '...'` },
      { member: c },
    ]);
  });

  story('names the network card that an interface will sit on', async (world) => {
    const cards = { interfaces: 8, interfacesPerCard: [4, 4], ipv4PerInterface: 15, ipv6PerInterface: 15 };
    const facts = { availabilityZone: zone, limits: { 'm6i.large': cards } };
    const interfaces = [
      { eni: front, deviceIndex: 1 },
      { eni: management, deviceIndex: 2, networkCardIndex: 1 },
    ];
    change(world, { facts, declared: JSON.stringify({ ...world.declaration, interfaces }) });
    expect((await plan(world)).steps[1]?.what).toBe(
      `${front} at device index 1, ${management} at device index 2 of network card 1 to ${b}`,
    );
  });

  const signals: readonly (readonly [string, object, readonly string[]])[] = [
    ['status checks', { stateChanges: false }, []],
    ['state changes', { statusChecks: false }, []],
    ['an alarm', { statusChecks: false, stateChanges: false, alarms: [{ arn: applicationAlarm }] }, []],
    [
      'an alarm, and to one of another member',
      {
        statusChecks: false,
        stateChanges: false,
        alarms: [{ arn: replicaLagOf(b), member: b }, { arn: applicationAlarm }],
      },
      [],
    ],
    ['nothing', { statusChecks: false, stateChanges: false }, ['SIGNAL_NOT_DECLARED']],
  ];
  const alarms = [{ arn: applicationAlarm }];
  const afterMove: readonly (readonly [string, object, readonly string[]])[] = [
    ['an alarm', { statusChecks: false, stateChanges: false, alarms }, ['GRACE_PERIOD']],
    ['status checks too', { stateChanges: false, alarms }, []],
    ['state changes too', { statusChecks: false, alarms }, []],
  ];
  for (const [what, given, expected] of afterMove)
    story(
      `just after a move, of a service that listens to ${what}`,
      { signals: { ...given } },
      async (world) => {
        change(world, { lastMoveAtMs: world.clock.now() });
        expect(codes(await plan(world))).toEqual(expected);
      },
    );
  for (const [what, given, expected] of signals)
    story(`of a service that listens to ${what}`, { signals: { ...given } }, async (world) => {
      const ahead = await plan(world);
      expect(codes(ahead)).toEqual(expected);
      expect(ahead.wouldMove).toBe(expected.length === 0);
    });

  story('of a holder that has failed already is the same', async (world) => {
    world.ec2.setState(a, 'stopped');
    expect(await plan(world)).toMatchObject({ wouldMove: true, target: b });
  });

  story('of a holder that EC2 does not list is not made up', async (world) => {
    world.ec2.unlist(a);
    expect(codes(await plan(world))).toEqual(['UNKNOWN_HEALTH']);
  });

  story('of what people left on nothing says where it is, and that they know', async (world) => {
    world.ec2.detachByHand(front);
    change(world, { lastObserved: `DETACHED_BY_OTHERS ${front} on nothing, the rest on ${a}` });
    expect((await plan(world)).reasons).toMatchObject([
      {
        code: 'DETACHED_BY_OTHERS',
        detail: `${front} on nothing, the rest on ${a}; people know`,
      },
    ]);
  });

  story('of interfaces that somebody moved asks whether that was meant', async (world) => {
    for (const eni of [front, management]) {
      world.ec2.detachByHand(eni);
      world.ec2.attachByHand(eni, c, eni === front ? 1 : 2);
    }
    expect((await plan(world)).reasons).toMatchObject([
      { code: 'MOVED_BY_OTHERS', command: `eni-failover adopt ${ordersDb} --reason '...'` },
    ]);
  });

  story('of interfaces that somebody moved to a stranger names no command', async (world) => {
    world.ec2.moveByHand(front, stranger, 1);
    world.ec2.moveByHand(management, stranger, 2);
    const { reasons } = await plan(world);
    expect(reasons).toMatchObject([{ code: 'MOVED_BY_OTHERS' }]);
    expect(reasons[0]).not.toHaveProperty('command');
  });

  story('beside an open episode says so', async (world) => {
    world.excuse(['S12']);
    world.ec2.impair(a);
    const { worker } = world.begin(world.alarm(a));
    await world.clock.advance(400);
    const ahead = await world.run(planAhead(world.ports, ordersDb));
    expect(ahead).toMatchObject({ wouldMove: false });
    await world.clock.advance(60_000);
    expect(worker.calls.length).toBeGreaterThan(0);
  });

  story('of an episode whose worker died says that it goes on', async (world) => {
    world.ec2.impair(a);
    const worker = world.worker();
    worker.crashAt(12, 'before');
    world.begin(world.alarm(a), worker);
    await world.run(worker.crashed);
    expect(world.service().episode).toBeDefined();
    await world.clock.advance(20_000);
    expect(codes(await planOnly(world))).toEqual(['EPISODE_OPEN']);
    await world.settle();
  });

  story('that was stranded and is whole again says that it is being recorded', async (world) => {
    const lost = { target: b, tried: [b], detach: 'plain', plainDetachMs: 1, interfaces: [] } as const;
    change(world, { stranded: { sinceMs: 0, plan: lost, why: 'nobody took it', tries: 1 } });
    const ahead = await plan(world);
    expect(codes(ahead)).toEqual(['UNKNOWN_STATE']);
    expect(ahead).not.toHaveProperty('stranded');
    expect(codes(await plan(world, c))).toEqual(['UNKNOWN_STATE']);
  });

  story('that is stranded says so, also to whoever asks for a move', async (world) => {
    world.ec2.impair(a);
    for (const id of [a, b, c]) world.ec2.refuseAttach(id);
    await world.look(world.alarm(a));
    expect(await world.run(planAhead(world.ports, ordersDb))).toMatchObject({
      stranded: { tries: 1, where: expect.stringMatching(/on nothing$/) },
      // There is nothing to detach.
      steps: [
        {
          step: 'attach',
          what: `${front} at device index 1, ${management} at device index 2 to ${b}`,
        },
      ],
      interrupts: 'nothing more: it is down already',
    });
    expect(await world.run(planAhead(world.ports, ordersDb, b))).toMatchObject({
      wouldMove: false,
      reasons: [{ code: 'STRANDED', detail: expect.stringMatching(/^since .* on nothing: /) }],
    });
    world.ec2.attachByHand(front, b, 1);
    expect(await world.run(planAhead(world.ports, ordersDb))).toMatchObject({
      stranded: { where: `${management} on nothing, the rest on ${b}` },
    });
    await world.run(pauseService(world.ports, ordersDb, forAnHour));
    expect(await world.run(planAhead(world.ports, ordersDb, b))).toMatchObject({
      reasons: [{ code: 'PAUSED' }, { code: 'STRANDED' }],
    });
  });

  const around = {
    policy: { fence: 'stop' },
    hooks: {
      before: [
        { function: 'eni-failover-hook-drain' },
        { document: 'stop-db', on: 'source' },
        { document: 'warm-up', on: 'target' },
      ],
      after: [{ document: 'promote', on: 'target' }],
    },
  } as const;
  story('names the fence and the hooks that such a move has', around, async (world) => {
    const steps = (await plan(world)).steps.map((each) => each.step);
    expect(steps).toEqual(['fence', 'before.0', 'before.2', 'detach', 'attach', 'after.0']);
    const planned = (await plan(world, c)).steps.map((each) => each.step);
    expect(planned).toEqual(['before.0', 'before.1', 'before.2', 'detach', 'attach', 'after.0']);
  });
});

describe('the plan of a switchover', () => {
  story('is the plain move to the member that was named', async (world) => {
    const ahead = await plan(world, c);
    expect(ahead).toMatchObject({ wouldMove: true, target: c, reasons: [] });
    expect(ahead.steps[0]).toEqual({ step: 'detach', what: `${front}, ${management} from ${a}` });
  });

  story('names every reason against it', async (world) => {
    await world.run(pauseService(world.ports, ordersDb, forAnHour));
    await world.run(pauseController(world.ports, { ...forAnHour, author: 'bob' }));
    await world.run(world.store.tripBrake(zone, ['x'], world.clock.now()));
    change(world, { quarantine: { [c]: { sinceMs: 0, why: 'failed in orders-db.1' } } });
    const ahead = await plan(world, c);
    expect(ahead.wouldMove).toBe(false);
    expect(ahead.reasons).toMatchObject([
      { code: 'BRAKE', detail: expect.stringContaining(`${zone} is braked`) },
      { code: 'PAUSED', detail: expect.stringContaining('by ann') },
      { code: 'CONTROLLER_PAUSED', detail: expect.stringContaining('by bob') },
      { code: 'QUARANTINED', member: c },
    ]);
  });

  story('to the holder is none', async (world) => {
    expect(codes(await plan(world, a))).toEqual(['ALREADY_HOLDER']);
  });
});

describe('the plan of a service', () => {
  story('that nobody registered is refused', async (world) => {
    const ahead = await world.run(planAhead(world.ports, 'no-such' as ServiceName));
    expect(ahead).toMatchObject({ kind: 'refused', code: 'NO_SUCH_SERVICE' });
    change(world, { tombstone: true });
    expect(await world.run(planAhead(world.ports, ordersDb))).toMatchObject({ code: 'NO_SUCH_SERVICE' });
  });
});
