/** The simulator's quick part: it repeats itself, it sees what it should, and no single fault breaks anything. */
import { describe, expect, it } from 'vitest';
import type { Guard, Ports } from '../../shared/app/ports.ts';
import type { ServiceState } from '../../shared/core/state.ts';
import { drawPlan } from './draw-plan.ts';
import {
  awayMs,
  explore,
  exploreOutage,
  exploreTriples,
  planFor,
  type Story,
  strike,
  type Tally,
  walk,
} from './exhaustive.ts';
import { faultPoints } from './fault-points.ts';
import type { Happening } from './happenings.ts';
import { interleave } from './interleavings.ts';
import { regressions } from './regressions.ts';
import { runPlan, runSeed, shrink } from './seeds.ts';
import { type ServicePlan, World } from './world.ts';

const plain: Story = { failure: 'impaired', interfaces: 2 };

const fenced: Story = { failure: 'fenced', interfaces: 1 };

describe('the simulator', () => {
  it('writes the same log, byte for byte, for the same seed', async () => {
    const [first, second] = [await runSeed(7, 20, true), await runSeed(7, 20, true)];
    expect(first.world.lines?.length).toBeGreaterThan(500);
    expect(second.world.lines).toEqual(first.world.lines);
  });

  it('goes on from a registration that it has kept as from one that it makes', async () => {
    const calls: string[][] = [];
    for (const run of [0, 1]) {
      const heard: string[] = [];
      const world: World = new World(
        { ...planFor(plain), seed: 77 },
        { onCall: ({ worker, operation, atMs }) => heard.push(`${worker.name} ${operation} ${atMs}`) },
      );
      await world.build();
      expect(heard.length > 0).toBe(run === 0);
      heard.length = 0;
      strike(world, plain);
      await world.runTo(90_000);
      calls.push(heard);
    }
    expect(calls[0]?.length).toBeGreaterThan(50);
    expect(calls[1]).toEqual(calls[0]);
  });

  it('finds the points of a plain failover by itself', async () => {
    const { calls, places } = await faultPoints(plain);
    expect(places).toMatchInlineSnapshot(`
      [
        "dynamodb.GetItem in record readService",
        "dynamodb.PutItem in dedupe (anonymous)",
        "dynamodb.PutItem in deliver copyFrozen",
        "dynamodb.Query in brake brakeCheck",
        "dynamodb.Query in dispatch (anonymous)",
        "dynamodb.Query in dispatch servicesFor",
        "dynamodb.Query in restore #round",
        "dynamodb.UpdateItem in brake brakeCheck",
        "dynamodb.UpdateItem in claim claim",
        "dynamodb.UpdateItem in dedupe (anonymous)",
        "dynamodb.UpdateItem in deliver deliver",
        "dynamodb.UpdateItem in journal writeOnce",
        "ec2.AttachNetworkInterface in hands #attach",
        "ec2.DescribeInstanceStatus in observe observe",
        "ec2.DescribeInstances in observe observe",
        "ec2.DescribeNetworkInterfaces in looking lookNow",
        "ec2.DescribeNetworkInterfaces in observe observe",
        "ec2.DetachNetworkInterface in hands #detach",
        "sns.Publish in deliver (anonymous)",
        "sqs.SendMessage in later-looks sendWatchdog",
      ]
    `);
    expect(places).toHaveLength(20);
    expect(calls).toBe(49);
  });

  it('lets Lambda be away for minutes, and demands that nobody is called for it', async () => {
    const tally: Tally = { runs: 0, found: [], counts: new Map() };
    await exploreOutage(plain, 14, tally);
    expect(tally.found).toEqual([]);
    expect(tally.runs).toBeGreaterThan(20);
    expect(tally.counts.get('Lambda away')).toBe(tally.runs);
    const away = { at: 14, kind: 'crash-after', awayMs } as const;
    const long = await walk(plain, [away], {}, true);
    expect(long.violations).toEqual([]);
    expect(long.world.lines?.some((line) => line.includes('Lambda is away for 360 s'))).toBe(true);
    expect(long.world.loop.now() - long.world.bornMs).toBeGreaterThan(awayMs);
    // That EC2 refuses an attach, and then a detach, does not pass by itself: it is what people are called for.
    const changes = long.points.flatMap((kinds, at) =>
      at >= 14 && kinds.includes('refused') ? [at + 1] : [],
    );
    const refused = changes.map((at) => ({ at, kind: 'refused' as const }));
    const called = await walk(plain, [away, ...refused]);
    expect(called.violations.map((each) => each.invariant)).toEqual(['L7']);
  });

  it('finds the points of a fence, of hooks and of a check', async () => {
    const stories: Story[] = [
      { failure: 'fenced', interfaces: 1 },
      { failure: 'fenced', interfaces: 2 },
      { failure: 'planned', interfaces: 1 },
      { failure: 'planned', interfaces: 2 },
      { failure: 'back', interfaces: 1 },
      { failure: 'back', interfaces: 2 },
    ];
    const known = new Set((await faultPoints(plain)).places);
    const places = new Set<string>();
    const calls: string[] = [];
    for (const story of stories) {
      const found = await faultPoints(story);
      for (const place of found.places) if (!known.has(place)) places.add(place);
      calls.push(`${story.failure} ${story.interfaces}: ${found.calls}`);
    }
    expect(calls).toMatchInlineSnapshot(`
      [
        "fenced 1: 106",
        "fenced 2: 112",
        "planned 1: 62",
        "planned 2: 68",
        "back 1: 50",
        "back 2: 51",
      ]
    `);
    expect([...places].sort()).toMatchInlineSnapshot(`
      [
        "cloudwatch.DescribeAlarms in stages #alarm",
        "ec2.DescribeInstances in stages #stateOf",
        "ec2.StopInstances in stages #fence",
        "lambda.Invoke in stages #ask",
        "sqs.SendMessage in later-looks #send",
        "ssm.GetCommandInvocation in stages #ask",
        "ssm.SendCommand in stages #ask",
      ]
    `);
  });

  // Every fault, every pair and two thousand seeds are `npm run simulate`, which `npm run check` runs after the tests.
  it('breaks nothing by a fault at some of the calls of a failover', { timeout: 180_000 }, async () => {
    const tally: Tally = { runs: 0, found: [], counts: new Map() };
    for (const at of [3, 12, 21, 30]) await explore(plain, at, 1, tally);
    expect(tally.runs).toBeGreaterThan(20);
    expect(tally.found).toEqual([]);
  });

  it('breaks nothing by three faults', { timeout: 180_000 }, async () => {
    const tally: Tally = { runs: 0, found: [], counts: new Map() };
    await exploreTriples({ failure: 'impaired', interfaces: 1 }, 26, 30, tally);
    expect(tally.runs).toBeGreaterThan(50);
    expect(tally.found).toEqual([]);
  });

  it('breaks nothing in ten seeds', { timeout: 180_000 }, async () => {
    const broken: string[] = [];
    for (let seed = 1; seed <= 10; seed += 1) {
      const { violation } = await runSeed(seed, 20);
      if (violation) broken.push(`seed ${seed}: ${violation.invariant} ${violation.what}`);
    }
    expect(broken).toEqual([]);
  });

  it('breaks nothing when two invocations take turns', async () => {
    const found: unknown[] = [];
    for (const at of [8, 12, 16, 20, 30])
      found.push(...(await interleave(plain, 'event', at, 3)).world.checker.violations);
    expect(found).toEqual([]);
  });
});

const impairFirst = (answer: Awaited<ReturnType<Ports['ec2']['checks']>>) => ({
  ...answer,
  value: new Map(
    [...answer.value].map(([id, checks], index) => [
      id,
      index === 0 ? { ...checks, system: 'impaired' as const, impairedSinceMs: 0 } : checks,
    ]),
  ),
});

describe('the checker', () => {
  const broken = (change: (ports: Ports) => Ports) => walk(plain, [], { tamper: change });

  it('sees a worker that mutates without a lease', async () => {
    const { violations } = await broken((ports) => ({
      ...ports,
      store: {
        ...ports.store,
        // Says "written", and writes nothing: the worker believes in a lease that nobody gave it.
        write: async (before, after, guard) =>
          guard.freeBeforeMs === undefined
            ? ports.store.write(before, after, guard)
            : { kind: 'written' as const },
      },
    }));
    expect(violations.map((each) => each.invariant)).toContain('S8');
  });

  it('sees an attach to an instance that no plan tries', async () => {
    const { violations } = await broken((ports) => ({
      ...ports,
      ec2: {
        ...ports.ec2,
        attach: (order) => ports.ec2.attach({ ...order, deviceIndex: order.deviceIndex + 3 }),
      },
    }));
    expect(violations.map((each) => each.invariant)).toContain('S1');
  });

  it('sees a holder that is left although it is healthy', async () => {
    const { violation } = await runPlan({ ...drawPlan(3, 20), happenings: [] }, false, (ports) => ({
      ...ports,
      ec2: { ...ports.ec2, checks: (ids) => ports.ec2.checks(ids).then(impairFirst) },
    }));
    expect(violation?.invariant).toBe('S4');
  });

  it('sees a detach from a source that only seems to be stopped', async () => {
    const told = new Set<string>();
    const { violations } = await walk(fenced, [], {
      tamper: (ports) => ({
        ...ports,
        ec2: {
          ...ports.ec2,
          stop: async (id) => {
            told.add(id);
            return { kind: 'accepted' as const };
          },
          instances: async (ids) => {
            const answer = await ports.ec2.instances(ids);
            const shown = [...answer.value].map(
              ([id, fact]) => [id, told.has(id) ? { ...fact, state: 'stopped' } : fact] as const,
            );
            return { ...answer, value: new Map(shown) };
          },
        },
      }),
    });
    expect(violations.map((each) => each.invariant)).toContain('S7');
  });

  it('sees a hook that is begun without its mark', async () => {
    const { violations } = await walk(fenced, [], {
      tamper: (ports) => ({
        ...ports,
        store: {
          ...ports.store,
          write: (before, after, guard) => {
            const { stages: _, ...episode } = after.episode ?? {};
            const bare = after.episode ? { ...after, episode: episode as typeof after.episode } : after;
            return ports.store.write(before, bare, guard);
          },
        },
      }),
    });
    expect(violations.map((each) => each.invariant)).toContain('P38');
  });

  it('sees one token for two hooks', async () => {
    const { violations } = await walk(fenced, [], {
      tamper: (ports) => ({
        ...ports,
        hooks: {
          run: (order) => {
            if (order.command.kind !== 'document') return ports.hooks.run(order);
            const parameters = { ...order.command.parameters, Token: ['orders.1/1/before.0'] };
            return ports.hooks.run({ ...order, command: { ...order.command, parameters } });
          },
        },
      }),
    });
    expect(violations.map((each) => each.invariant)).toContain('P39');
  });

  it('sees a service that is said to serve, and does not', async () => {
    const dark = [
      { atMs: 500, kind: 'mood', service: 0, mood: 'dark', forMs: 600_000 },
      { atMs: 40_000, kind: 'impair', instance: 0, check: 'system' },
    ] as const;
    const plan = { seed: 1, minutes: 20, world: { ...planFor(fenced), steady: false }, happenings: dark };
    const { world } = await runPlan(plan);
    expect(world.checker.violations).toEqual([]);
    expect(world.counts.get('attached, not serving')).toBe(1);
    const { violation } = await runPlan(plan, false, (ports) => ({
      ...ports,
      alarms: {
        describe: async (arns) => {
          const answer = await ports.alarms.describe(arns);
          const green = [...answer.value].map(
            ([arn, alarm]) => [arn, { ...alarm, state: 'OK' as const }] as const,
          );
          return { ...answer, value: new Map(green) };
        },
      },
    }));
    expect(violation?.invariant).toBe('S13');
  });

  it('sees a record that was dropped before it was copied', async () => {
    const { violations } = await broken((ports) => ({
      ...ports,
      store: { ...ports.store, copyToTrail: async () => undefined },
    }));
    expect(violations.map((each) => each.invariant)).toContain('S12');
  });

  it('sees what an invocation sends after it has returned', async () => {
    const plan = drawPlan(3, 20);
    const holder = plan.world.services[0]?.members[0] ?? 0;
    const happenings = [{ atMs: 10_000, kind: 'impair', instance: holder, check: 'system' }] as const;
    const { violation } = await runPlan({ ...plan, happenings }, false, (ports) => ({
      ...ports,
      notifier: {
        publish: async (notice) => {
          await ports.notifier.publish(notice);
          void ports.clock.sleep(1_000).then(() => ports.notifier.publish(notice));
        },
      },
    }));
    expect(violation?.what).toContain('sends Publish, and has returned');
  });

  it('sees notices that nobody published', async () => {
    const { violations } = await broken((ports) => ({
      ...ports,
      notifier: { publish: async () => undefined },
    }));
    expect(violations.map((each) => each.invariant)).toContain('L4');
  });

  /** The world of one service that returns by itself, carried out by this engine. */
  const returned = async (change: (ports: Ports) => Ports, more: readonly Happening[] = []) => {
    const services = [{ name: 'orders', indexes: [1], members: [0, 1, 2], ...returning.service }];
    const world = { seed: 1, zones: ['a', 'a', 'a'] as const, services, steady: true, sweeps: true };
    const happenings = [...returning.happenings, ...more];
    return runPlan({ seed: 1, minutes: 20, skewMs: 0, world, happenings }, false, change);
  };
  const writing = (change: (after: ServiceState) => ServiceState) => (ports: Ports) => ({
    ...ports,
    store: {
      ...ports.store,
      write: (before: ServiceState, after: ServiceState, guard: Guard) =>
        ports.store.write(before, change(after), guard),
    },
  });

  it('sees a failback by itself before its time', async () => {
    const long = writing((after) =>
      after.preferredSinceMs === undefined ? after : { ...after, preferredSinceMs: 1, lastMoveAtMs: 1 },
    );
    const { violation } = await returned(long);
    expect(violation).toMatchObject({
      invariant: 'P29',
      what: expect.stringContaining('ms after the failover'),
    });
  });

  it('sees a failback by itself after a move that somebody asked for', async () => {
    const ours = writing((after) => ({ ...after, movedBy: 'failover' }));
    const asked = { atMs: 90_000, kind: 'switchover', service: 0, member: 2 } as const;
    const { violation } = await returned(ours, [asked]);
    expect(violation).toMatchObject({
      invariant: 'P29',
      what: expect.stringContaining('the last move was no failover of ours'),
    });
  });

  it('sees an adopted move that still counts as ours', async () => {
    const ours = writing((after) => ({ ...after, movedBy: 'failover' }));
    const { violation } = await returned(ours, [
      { atMs: 90_000, kind: 'person-moves', service: 0, eni: 'all', instance: 2 },
      { atMs: 103_000, kind: 'adopt', service: 0 },
    ]);
    expect(violation?.invariant).toBe('P28');
  });

  it('sees a failure that nobody acted on, and says so with the fewest happenings', async () => {
    const deaf = (ports: Ports): Ports => ({
      ...ports,
      store: { ...ports.store, write: async (_, after) => ({ kind: 'conflict', now: after }) },
    });
    const plan = drawPlan(3, 12);
    const happenings = [
      { atMs: 10_000, kind: 'impair', instance: plan.world.services[0]?.members[0] ?? 0, check: 'system' },
      ...plan.happenings.slice(0, 2),
    ] as typeof plan.happenings;
    const ran = await runPlan({ ...plan, happenings }, false, deaf);
    expect(ran.violation?.invariant).toBe('L3');
    const { plan: shortest } = await shrink(ran, deaf);
    expect(shortest.happenings).toHaveLength(1);
  });
});

/** A service that returns by itself, and a primary that is stopped, started again and acknowledged. */
const returning: { readonly service: Partial<ServicePlan>; readonly happenings: readonly Happening[] } = {
  service: { policy: { failback: { after: '10m' } } },
  happenings: [
    { atMs: 10_000, kind: 'stop', instance: 0, startAfterMs: 20_000 },
    { atMs: 60_000, kind: 'acknowledge', service: 0 },
  ],
};

/** What so many minutes of one service with all of it come to, by the simulator's counts. */
async function countsOf(service: Partial<ServicePlan>, happenings: readonly Happening[], minutes = 20) {
  const services = [{ name: 'orders', indexes: [1, 2], members: [0, 1, 2], ...service }];
  const world = { seed: 1, zones: ['a', 'a', 'a'] as const, services, steady: true, sweeps: true };
  const { world: after } = await runPlan({ seed: 1, minutes, skewMs: 0, world, happenings });
  expect(after.checker.violations).toEqual([]);
  return Object.fromEntries(after.counts);
}

describe('what is around a move', () => {
  const minute = 60_000;
  const failure = { atMs: 10_000, kind: 'impair', instance: 0, check: 'system' } as const;
  const fence = { fence: 'stop', fenceTimeout: '20s' };
  const promote = { on: 'target', deadline: '20s', tookMs: 500 } as const;
  const stuck = { atMs: 1_000, kind: 'stuck-stopping', instance: 0, forMs: 10 * minute } as const;

  it('detaches nothing from a source that does not get out of stopping, and goes on once it has', async () => {
    const counts = await countsOf({ policy: fence }, [stuck, failure]);
    expect(counts).toMatchObject({
      'stage fence timed-out': 3,
      'outcome NEEDS_HUMAN failover': 3,
      'outcome COMPLETED failover': 1,
    });
  });

  it('goes on without a fence where the service wants that', async () => {
    const policy = { ...fence, onFenceTimeout: 'proceed' };
    expect(await countsOf({ policy }, [stuck, failure])).toMatchObject({
      'stage fence timed-out': 1,
      'outcome COMPLETED failover': 1,
    });
    const protecting = { ...stuck, kind: 'stop-protected' } as const;
    expect(await countsOf({ policy }, [protecting, failure])).toMatchObject({
      'stage fence refused': 1,
      'outcome COMPLETED failover': 1,
    });
  });

  it('calls a person to a hook that hangs, and leaves the interfaces where they are', async () => {
    const mood = { atMs: 1_000, kind: 'mood', service: 0, mood: 'hangs', forMs: 10 * minute } as const;
    const counts = await countsOf({ around: { after: [promote] } }, [mood, failure]);
    expect(counts).toMatchObject({ 'stage after timed-out': 1, 'outcome ATTACHED failover': 1 });
  });

  it('carries a hook out once, though its answer is lost', async () => {
    const lost = { kind: 'timeout-applied' } as const;
    const fault = { atMs: 1_000, kind: 'call', trigger: 'hook', skip: 0, times: 1, injury: lost } as const;
    const counts = await countsOf({ around: { after: [promote] } }, [fault, failure]);
    expect(counts).toMatchObject({
      'fault timeout-applied': 1,
      'hook asked for again by its token': 1,
      'hook after took effect': 1,
      'outcome COMPLETED failover': 1,
    });
  });

  it('waits for a function that takes longer than an invocation lives', async () => {
    const mood = { atMs: 1_000, kind: 'mood', service: 0, mood: 'long', forMs: 10 * minute } as const;
    const slow = { on: 'function', deadline: '3m', tookMs: 500 } as const;
    const counts = await countsOf({ around: { after: [slow] } }, [mood, failure]);
    expect(counts).toMatchObject({ 'hook after took effect': 1, 'outcome COMPLETED failover': 1 });
    expect(counts['hook asked for again by its token']).toBeGreaterThan(0);
  });

  it('keeps to its target although readiness is lost with the primary', async () => {
    const flip = { atMs: 1_000, kind: 'readiness-flips', trigger: 'fence', skip: 1, forMs: minute } as const;
    const counts = await countsOf({ policy: fence, ready: true }, [flip, failure]);
    expect(counts).toMatchObject({
      'step reached: readiness-flips': 1,
      'outcome COMPLETED failover': 1,
    });
    expect(counts).not.toHaveProperty('rung: next standby');
  });

  it('goes back by itself, ten minutes after the preferred member is well', async () => {
    const counts = await countsOf(returning.service, returning.happenings);
    expect(counts).toMatchObject({ 'outcome COMPLETED failover': 1, 'failback by itself COMPLETED': 1 });
  });

  it('stays where a person has put it and meant it, though it could go back', async () => {
    const counts = await countsOf(returning.service, [
      ...returning.happenings,
      { atMs: 3 * minute, kind: 'person-moves', service: 0, eni: 'all', instance: 2 },
      { atMs: 3 * minute + 15_000, kind: 'adopt', service: 0 },
    ]);
    expect(counts).toMatchObject({ 'outcome COMPLETED failover': 1, 'adopted elsewhere': 1 });
    expect(counts).not.toHaveProperty('failback by itself');
  });

  it('does not try again by itself what went wrong once', async () => {
    const refused = {
      kind: 'call',
      trigger: 'attach',
      skip: 0,
      times: 5,
      injury: { kind: 'refused' },
    } as const;
    const happenings = [...returning.happenings, { atMs: 11 * minute, ...refused }];
    const counts = await countsOf(returning.service, happenings, 40);
    expect(counts).toMatchObject({ 'failback by itself': 1, 'failback suspended': 1 });
    expect(counts).not.toHaveProperty('failback by itself COMPLETED');
  });

  it('leaves an instance that will be lost while it lives, and stops nobody', async () => {
    const policy = { ...fence, onSpotInterruption: 'switchover' };
    const notice = { atMs: 10_000, kind: 'announced', instance: 0, what: 'spot-interruption' } as const;
    const counts = await countsOf({ policy, around: { after: [promote] } }, [
      { ...notice, lostAfterMs: 2 * minute },
    ]);
    expect(counts).toMatchObject({ 'announced switchover': 1, 'hook after took effect': 1 });
    expect(counts).not.toHaveProperty('fence sent');
    expect(counts).not.toHaveProperty('outcome COMPLETED failover');
  });
});

describe('what was broken once', () => {
  it.each(Object.entries(regressions))('%s', async (_, plan) => {
    const { violations } =
      plan.kind === 'walk'
        ? await walk(plan.story, plan.faults)
        : (await runPlan({ ...plan, seed: plan.world.seed, minutes: 20 })).world.checker;
    expect(violations).toEqual([]);
  });
});
