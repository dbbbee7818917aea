/** The worker dies at every port call in turn: whoever comes next brings all interfaces together, once. */
import { describe, expect, it } from 'vitest';
import type { Moment } from '../fakes/worker.ts';
import { a, b, c, front, makeWorld, management, type World } from '../fakes/world.ts';

type Setting = (world: World) => void;

interface Scene {
  readonly name: string;
  readonly set: Setting;
  readonly ends: string;
}

const scenes: readonly Scene[] = [
  { name: 'a plain failover', set: () => undefined, ends: b },
  {
    name: 'a failover to the second standby, one interface leading',
    set: (world) =>
      world.ec2.fail(
        'attach',
        { kind: 'refused', code: 'AttachmentLimitExceeded' },
        { when: (call) => call.eni === management && call.instanceId === b, times: 99 },
      ),
    ends: c,
  },
  {
    name: 'a failover that nobody takes',
    set: (world) => {
      for (const id of [a, b, c]) world.ec2.refuseAttach(id);
    },
    ends: 'STRANDED',
  },
];

async function crashed(scene: Scene, number: number, moment: Moment) {
  const world = await makeWorld();
  scene.set(world);
  world.ec2.impair(a);
  const worker = world.worker();
  worker.crashAt(number, moment);
  const { report } = world.begin(world.alarm(a), worker);
  const word = await world.run(Promise.race([worker.crashed, report.then(() => 'ended')]));
  return { world, worker, isCrashed: word === 'crashed', call: worker.calls[number - 1] };
}

/** One world for each port call and moment, in which the worker has just died there. */
async function* everyCrash(scene: Scene) {
  for (let number = 1; ; number += 1)
    for (const moment of ['before', 'after'] as const) {
      const { world, isCrashed, call } = await crashed(scene, number, moment);
      if (!isCrashed) return;
      yield { world, at: `${moment} ${number} ${call}` };
    }
}

function problems(world: World, scene: Scene): readonly string[] {
  const on = [front, management].map((eni) => world.ec2.where(eni)?.instanceId);
  const state = world.service();
  const found: string[] = [];
  if (scene.ends === 'STRANDED') {
    if (world.notifier.of('STRANDED').length === 0) found.push('STRANDED was not paged');
    if (!state.stranded) found.push('it is not marked as stranded');
  } else if (on.some((each) => each !== scene.ends)) found.push(`they are on ${on.join(' and ')}`);
  if (state.episode) found.push(`the episode is still open in ${state.episode.state}`);
  const done = world.episodes();
  if (done.length !== 1)
    found.push(`${done.length} episodes: ${done.map((each) => each.outcome).join(', ')}`);
  if (state.outbox.length > 0) found.push('a notice was never sent');
  if (state.frozen && !world.store.rows(state.name).some((row) => row.number === state.frozen?.number))
    found.push('a record was never copied');
  const ids = new Set(world.notifier.published.map((each) => each.dedupeId));
  if (scene.ends !== 'STRANDED' && ids.size !== 1) found.push(`notices: ${[...ids].join(', ')}`);
  return [...found, ...world.violations()];
}

for (const scene of scenes)
  describe(scene.name, () => {
    it('is brought to its end by the watchdog alone, wherever the worker dies after the claim', async () => {
      const faults: string[] = [];
      let points = 0;
      for await (const { world, at } of everyCrash(scene)) {
        // Without a claim, or before its watchdog was sent, only the event's next delivery can know of it.
        if (world.service().epoch === 0 || world.queue.sent.length === 0) continue;
        points += 1;
        await world.settle({ forMs: 10 * 60_000 });
        for (const problem of problems(world, scene)) faults.push(`${at}: ${problem}`);
      }
      expect(faults).toEqual([]);
      expect(points).toBeGreaterThan(20);
    });

    it('is brought to its end by the second delivery of the event, wherever the worker dies', async () => {
      const faults: string[] = [];
      let points = 0;
      for await (const { world, at } of everyCrash(scene)) {
        points += 1;
        // Lambda runs an asynchronous invocation again after one and after two minutes.
        await world.settle({ forMs: 60_000 });
        await world.clock.advance(60_000);
        await world.look(world.alarm(a));
        await world.settle({ forMs: 10 * 60_000 });
        for (const problem of problems(world, scene)) faults.push(`${at}: ${problem}`);
      }
      expect(faults).toEqual([]);
      expect(points).toBeGreaterThan(40);
    });
  });

describe('two workers die one after the other', () => {
  for (const second of [4, 8, 12, 16, 20])
    it(`the first after the detach, the second at its call ${second}: the third ends it`, async () => {
      const world = await makeWorld();
      world.ec2.impair(a);
      const first = world.worker();
      world.ec2.onCall((call) => {
        if (call.operation === 'detach') first.crashAt(first.calls.length, 'after');
      });
      const { report } = world.begin(world.alarm(a), first);
      report.catch(() => undefined);
      await world.run(first.crashed);
      const watchdog = world.queue.take();
      await world.clock.advance(17_100);
      const other = world.worker();
      other.crashAt(second, 'after');
      if (watchdog) {
        const begun = world.begin(watchdog.message.hint, other);
        await world.run(Promise.race([other.crashed, begun.report]));
      }
      await world.settle();
      await world.clock.advance(60_000);
      await world.look(world.alarm(a));
      await world.settle();
      expect([front, management].map((eni) => world.ec2.where(eni)?.instanceId)).toEqual([b, b]);
      expect(world.episodes()).toHaveLength(1);
      expect(world.violations()).toEqual([]);
    });
});
