/** Fence, hooks, serving and announcements under faults drawn from a seed: the invariants hold, and every episode ends. */
import { describe, expect, it } from 'vitest';
import type { AnnouncementHint, Hint } from '../../shared/core/hint.ts';
import type { Ec2Fault } from '../fakes/fake-ec2.ts';
import type { Behaviour, HookFault } from '../fakes/fake-hooks.ts';
import type { Worker } from '../fakes/worker.ts';
import {
  a,
  b,
  front,
  makeWorld,
  management,
  servingAlarm,
  type World,
  type WorldOptions,
} from '../fakes/world.ts';

const perTest = 20;
const tests = 6;

interface Dice {
  chance(of: number): boolean;
  below(count: number): number;
  pick<T>(from: readonly [T, ...T[]]): T;
}

function makeDice(seed: number): Dice {
  let state = Math.imul(seed, 7_919) >>> 0;
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  // The first few still resemble the seed.
  for (let drawn = 0; drawn < 5; drawn += 1) next();
  const below = (count: number) => Math.floor(next() * count);
  return { chance: (of) => next() < of, below, pick: (from) => from[below(from.length)] ?? from[0] };
}

const document = (name: string, on: string, more: object = {}) => ({ document: name, on, ...more });
const names = ['stop-licence', 'prepare', 'start-licence', 'undo', 'promote', 'publish', 'probe', 'ask'];

function declared({ chance, below, pick }: Dice): WorldOptions {
  const onFailure = () => pick(['page', 'proceed', 'back']);
  const afterwards = () => pick(['page', 'proceed']);
  const before = [
    document('stop-licence', 'source', {
      onFailure: onFailure(),
      deadline: pick(['10s', '60s', '3m']),
      undo: document('start-licence', 'source'),
    }),
    document('prepare', 'target', { onFailure: onFailure(), undo: { function: 'undo' } }),
  ];
  const after = [
    document('promote', 'target', { onFailure: afterwards() }),
    { function: 'publish', onFailure: afterwards() },
  ];
  return {
    policy: {
      fence: pick(['stop', 'none']),
      onFenceTimeout: pick(['page', 'proceed']),
      fenceTimeout: pick(['20s', '2m']),
      onSpotInterruption: 'switchover',
    },
    hooks: { before: before.slice(0, below(3)), after: after.slice(0, below(3)) },
    ...(chance(0.5) && {
      serving: pick<Record<string, unknown>>([
        { alarm: servingAlarm, within: '30s' },
        { check: document('probe', 'target'), within: '30s' },
        { check: { function: 'ask' } },
      ]),
    }),
  };
}

function goWrong(world: World, { chance, below, pick }: Dice): void {
  const { clock, ec2, hooks, store, alarms } = world;
  for (const name of names) {
    if (chance(0.3))
      hooks.behave(
        name,
        pick<Behaviour>([
          { end: 'failed', output: 'no' },
          { hangs: true },
          { tookMs: 20_000 },
          { tookMs: 70_000 },
          { pends: true, tookMs: 5_000 },
        ]),
      );
    if (chance(0.3))
      hooks.fail(
        name,
        pick<HookFault>([
          { kind: 'answer-lost' },
          { kind: 'throws' },
          { kind: 'unclear', code: 'ThrottlingException' },
          { kind: 'refused', code: 'AccessDenied' },
        ]),
        pick([1, 2, 5]),
      );
  }
  const faults: readonly [Ec2Fault, ...Ec2Fault[]] = [
    { kind: 'throttled' },
    { kind: 'timed-out' },
    { kind: 'answer-lost' },
  ];
  for (const operation of ['instances', 'interfaces'] as const)
    if (chance(0.25)) ec2.fail(operation, pick(faults), { times: pick([1, 3, 8]) });
  for (const operation of ['stop', 'detach', 'attach'] as const)
    if (chance(0.25))
      ec2.fail(operation, pick([...faults, { kind: 'applied-late', ms: 30_000 }]), { times: pick([1, 3]) });
  if (chance(0.2)) ec2.neverStops(a);
  if (chance(0.3)) ec2.latency.stopMs = 40_000;
  if (chance(0.15)) ec2.refuseAttach(b);
  const later = (run: () => void) => clock.after(below(60_000), run);
  for (const id of [a, b])
    if (chance(0.2)) later(() => ec2.stateOf(id) === 'running' && ec2.setState(id, 'stopped'));
  if (chance(0.2)) later(() => alarms.set(servingAlarm, 'ALARM'));
  if (chance(0.15))
    later(() => {
      store.goDown();
      clock.after(pick([3_000, 20_000, 40_000]), () => store.comeBack());
    });
}

function beginsWith(world: World, kind: string): Hint {
  if (kind === 'request') return world.request(b);
  if (kind === 'failure') {
    world.ec2.impair(a);
    return world.alarm(a);
  }
  const what: AnnouncementHint['what'] = 'spot-interruption';
  return { kind: 'announcement', what, detail: 'terminate', instanceIds: [a], atMs: world.clock.now() };
}

async function live(world: World, hint: Hint, worker: Worker): Promise<void> {
  const { report } = world.begin(hint, worker);
  // One that throws is tried again by its queue or by the sweep.
  const ended = report.then(
    () => undefined,
    () => undefined,
  );
  await world.run(Promise.race([worker.crashed, ended]));
}

async function problemsOf(seed: number): Promise<readonly string[]> {
  const dice = makeDice(seed);
  const world = await makeWorld(declared(dice));
  goWrong(world, dice);
  const mortal = (likely: number) => {
    const worker = world.worker();
    if (dice.chance(likely)) worker.crashAt(3 + dice.below(80), dice.pick(['before', 'after']));
    return worker;
  };
  await live(world, beginsWith(world, dice.pick(['failure', 'request', 'announcement'])), mortal(0.5));
  for (let delivery = 0; delivery < 10; delivery += 1) {
    const next = world.queue.take();
    if (!next) break;
    await world.clock.advance(Math.max(0, next.dueAtMs - world.clock.now()));
    await live(world, next.message.hint, mortal(0.25));
  }
  await world.clock.advance(120_000);
  for (let minute = 0; minute < 6; minute += 1) {
    await world.settle({ forMs: 20 * 60_000 });
    await world.clock.advance(60_000);
    await live(world, world.sweep(), world.worker());
  }
  const { episode, stranded, outbox } = world.service();
  const isOnNothing = [front, management].some((eni) => world.ec2.where(eni) === undefined);
  return [
    ...(episode ? [`still open in ${episode.state}`] : []),
    ...(isOnNothing && !stranded ? ['on nothing, and nobody knows'] : []),
    ...(outbox.length > 0 ? ['a notice was never sent'] : []),
    ...world.violations(),
  ].map((each) => `seed ${seed}: ${each}`);
}

describe('whatever is declared and whatever goes wrong', () => {
  it.each(Array.from({ length: tests }, (_, index) => index * perTest + 1))(
    'every episode ends, and no invariant breaks, from seed %i on',
    async (from) => {
      const found: string[] = [];
      for (let seed = from; seed < from + perTest; seed += 1) found.push(...(await problemsOf(seed)));
      expect(found).toEqual([]);
    },
  );
});
