/** The worker dies at every port call around fence, hooks and serving: whoever comes next goes on, and nothing is run as anything else. */
import { describe, expect, it } from 'vitest';
import type { StoreFault } from '../fakes/fake-store.ts';
import type { Moment } from '../fakes/worker.ts';
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

interface Scene {
  readonly name: string;
  readonly options: WorldOptions;
  readonly set: (world: World) => void;
  readonly asked?: true;
  readonly ends: string;
  readonly on: typeof a;
  /** Each token that is begun, in order: once, or again as itself. */
  readonly tokens: readonly string[];
  readonly stages: Readonly<Record<string, string>>;
}

const on = (document: string, where: string, more: object = {}) => ({ document, on: where, ...more });
const token = (step: string) => `orders-db.1/1/${step}`;

const scenes: readonly Scene[] = [
  {
    name: 'a failover with everything that can be declared around it',
    options: {
      policy: { fence: 'stop' },
      hooks: {
        before: [on('prepare', 'target'), { function: 'hook-before' }],
        after: [on('promote', 'target'), { function: 'hook-after' }],
      },
      serving: { check: on('probe', 'target') },
    },
    set: (world) => world.hooks.behave('hook-after', { pends: true, tookMs: 3_000 }),
    ends: 'COMPLETED',
    on: b,
    tokens: ['before.0', 'before.1', 'after.0', 'after.1', 'serving'].map(token),
    stages: {
      fence: 'done',
      '1/before.0': 'done',
      '1/before.1': 'done',
      '1/after.0': 'done',
      '1/after.1': 'done',
      '1/serving': 'done',
    },
  },
  {
    name: 'a failover whose fence EC2 refuses',
    options: { policy: { fence: 'stop' }, hooks: { before: [on('prepare', 'target')] } },
    set: (world) => world.ec2.fail('stop', { kind: 'refused', code: 'OperationNotPermitted' }, { times: 99 }),
    ends: 'NEEDS_HUMAN',
    on: a,
    tokens: [],
    stages: { fence: 'refused' },
  },
  {
    name: 'a switchover that a hook calls back',
    options: {
      hooks: {
        before: [
          on('stop-licence', 'source', { onFailure: 'back', undo: on('start-licence', 'source') }),
          on('prepare', 'target', { onFailure: 'back', undo: on('unprepare', 'target') }),
        ],
      },
    },
    set: (world) => world.hooks.behave('prepare', { end: 'failed', output: 'no' }),
    asked: true,
    ends: 'RETURNED_TO_SOURCE',
    on: a,
    tokens: ['before.0', 'before.1', 'undo.1', 'undo.0'].map(token),
    stages: { '1/before.0': 'done', '1/before.1': 'failed', '1/undo.1': 'done', '1/undo.0': 'done' },
  },
  {
    name: 'a failover after which nothing serves',
    options: { hooks: { after: [on('promote', 'target')] }, serving: { alarm: servingAlarm, within: '5s' } },
    set: (world) => world.alarms.set(servingAlarm, 'ALARM'),
    ends: 'ATTACHED',
    on: b,
    tokens: [token('after.0')],
    stages: { '1/after.0': 'done', '1/serving': 'timed-out' },
  },
];

async function begin(scene: Scene, number?: number, moment: Moment = 'before') {
  const world = await makeWorld(scene.options);
  scene.set(world);
  const worker = world.worker();
  if (number !== undefined) worker.crashAt(number, moment);
  if (!scene.asked) world.ec2.impair(a);
  const { report } = world.begin(scene.asked ? world.request(b) : world.alarm(a), worker);
  const word = await world.run(Promise.race([worker.crashed, report.then(() => 'ended')]));
  return { world, worker, isCrashed: word === 'crashed', call: worker.calls[(number ?? 0) - 1] };
}

/** One world for each port call and moment, in which the worker has just died there. */
async function* everyCrash(scene: Scene) {
  for (let number = 1; ; number += 1)
    for (const moment of ['before', 'after'] as const) {
      const { world, isCrashed, call } = await begin(scene, number, moment);
      if (!isCrashed) return;
      yield { world, at: `${moment} ${number} ${call}` };
    }
}

function problems(world: World, scene: Scene): readonly string[] {
  const found: string[] = [];
  const where = [front, management].map((eni) => world.ec2.where(eni)?.instanceId);
  if (where.some((each) => each !== scene.on)) found.push(`they are on ${where.join(' and ')}`);
  if (world.service().episode) found.push(`still open in ${world.service().episode?.state}`);
  const [record, ...more] = world.episodes();
  if (record?.outcome !== scene.ends) found.push(`ended as ${record?.outcome}: ${record?.why}`);
  if (more.length > 0) found.push(`${more.length + 1} episodes`);
  const ended = Object.entries(record?.episode.stages ?? {}).map(([id, { end }]) => `${id} ${end}`);
  const wanted = Object.entries(scene.stages).map(([id, end]) => `${id} ${end}`);
  if (ended.sort().join() !== wanted.sort().join()) found.push(`stages: ${ended.join()}`);
  const tokens = world.hooks.begun.map((each) => each.order.token);
  if ([...new Set(tokens)].join() !== scene.tokens.join()) found.push(`begun: ${tokens.join()}`);
  // A worker can die between the beginning and its record: then it is begun once more, as itself.
  if (tokens.length > scene.tokens.length + 1) found.push(`begun too often: ${tokens.join()}`);
  if (world.notifier.of(scene.ends).length === 0) found.push('nobody was told');
  return [...found, ...world.violations()];
}

for (const scene of scenes)
  describe(scene.name, () => {
    it('ends as it should where nobody dies', async () => {
      const { world } = await begin(scene);
      await world.settle({ forMs: 10 * 60_000 });
      expect(problems(world, scene)).toEqual([]);
    });

    it('is brought to the same end by the watchdog, wherever the worker dies after the claim, and the sweep sends its notice', async () => {
      const faults: string[] = [];
      let points = 0;
      for await (const { world, at } of everyCrash(scene)) {
        // Without a claim, or before its watchdog was sent, only the event's next delivery can know of it.
        if (world.service().epoch === 0 || world.queue.sent.length === 0) continue;
        points += 1;
        await world.settle({ forMs: 10 * 60_000 });
        // The watchdog may have come too early for a notice that its writer seemed about to send.
        await world.clock.advance(60_000);
        if (world.service().outbox.length > 0) await world.look(world.sweep());
        for (const problem of problems(world, scene)) faults.push(`${at}: ${problem}`);
      }
      expect(faults).toEqual([]);
      expect(points).toBeGreaterThan(20);
    });
  });

describe('the deadline of a stage', () => {
  it('does not begin anew, wherever the worker dies while a hook hangs', async () => {
    const scene: Scene = {
      ...(scenes[1] as Scene),
      options: { hooks: { before: [on('prepare', 'target', { deadline: '40s' })] } },
      set: (world) => world.hooks.behave('prepare', { hangs: true }),
      tokens: [token('before.0')],
      stages: { '1/before.0': 'timed-out' },
    };
    const faults: string[] = [];
    for (const number of [12, 14, 16, 20, 25, 30]) {
      const { world, isCrashed } = await begin(scene, number);
      await world.settle({ forMs: 10 * 60_000 });
      const { begunAtMs = 0, endedAtMs = 0 } = world.episodes()[0]?.episode.stages?.['1/before.0'] ?? {};
      if (!isCrashed || endedAtMs - begunAtMs < 40_000 || endedAtMs - begunAtMs > 65_000)
        faults.push(`${number}: ${endedAtMs - begunAtMs} ms`);
      for (const problem of problems(world, scene)) faults.push(`${number}: ${problem}`);
    }
    expect(faults).toEqual([]);
  });
});

describe('the table', () => {
  /** One world for each write of the episode's owner, which goes wrong there. */
  async function* everyWrite(scene: Scene, fault: StoreFault, times: number) {
    const total = (await begin(scene)).world.store.calls.filter((each) => each.operation === 'write').length;
    for (let number = 1; number <= total; number += 1) {
      const world = await makeWorld(scene.options);
      scene.set(world);
      world.ec2.impair(a);
      let seen = 0;
      const isDue = () => {
        seen += 1;
        return seen >= number;
      };
      world.store.fail('write', fault, { times, when: isDue });
      await world.look(world.alarm(a));
      await world.settle({ forMs: 10 * 60_000 });
      await world.clock.advance(60_000);
      await world.look(world.alarm(a));
      await world.settle({ forMs: 10 * 60_000 });
      yield { world, at: `write ${number}` };
    }
  }

  it.each([
    ['is written, and says nothing', { kind: 'answer-lost' }, 1],
    ['is written twice, and says nothing', { kind: 'answer-lost' }, 2],
    ['is not written', { kind: 'unreachable' }, 1],
    ['is not written for twenty seconds', { kind: 'unreachable' }, 20],
  ] as const)('%s: the episode comes to the same end', async (_, fault, times) => {
    const faults: string[] = [];
    let points = 0;
    for await (const { world, at } of everyWrite(scenes[0] as Scene, fault, times)) {
      points += 1;
      for (const problem of problems(world, scenes[0] as Scene)) faults.push(`${at}: ${problem}`);
    }
    expect(faults).toEqual([]);
    expect(points).toBeGreaterThan(20);
  });
});

describe('a frozen worker', () => {
  it('that thaws after its lease ended does nothing more to the episode of the next', async () => {
    const faults: string[] = [];
    const scene = scenes[0] as Scene;
    const total = (await begin(scene)).worker.calls.length;
    for (let number = 6; number < total; number += 1) {
      const world = await makeWorld(scene.options);
      scene.set(world);
      world.ec2.impair(a);
      const worker = world.worker();
      // A write or a look that was frozen on its way does no harm; what was already on the wire is the wire's.
      worker.freezeAt(
        (call, at) => at >= number && call !== 'hooks.run' && !/stop|detach|attach/.test(call),
        40_000,
      );
      const { report } = world.begin(world.alarm(a), worker);
      await world.clock.advance(30_000);
      await world.settle({ forMs: 5 * 60_000 });
      await world.run(report);
      await world.settle({ forMs: 5 * 60_000 });
      for (const problem of problems(world, scene)) faults.push(`${number}: ${problem}`);
    }
    expect(faults).toEqual([]);
  });
});
