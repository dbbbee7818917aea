/** Stories of what a service wants to be run around a move: in order, on the right instance, once, and undone. */
import { describe, expect } from 'vitest';
import { a, b, c, front, management, ordersDb, type World, type WorldOptions } from '../fakes/world.ts';
import { story } from './story.ts';

const parameters = { Token: ['@token@'], Epoch: ['@epoch@'], Words: ['@source@ to @target@, @who@'] };
const stop = { document: 'stop-licence', on: 'source', parameters };
const start = { document: 'start-licence', on: 'source', parameters };
const prepare = { document: 'prepare-replica', on: 'target', parameters };
const unprepare = { document: 'unprepare-replica', on: 'target' };
const promote = { document: 'promote-replica', on: 'target', parameters };
const announce = { function: 'eni-failover-hook-announce' };
const name = 'eni-failover-hook-announce';

const withHooks = (hooks: Record<string, unknown>, more: WorldOptions = {}): WorldOptions => ({
  hooks,
  ...more,
});
const attachedTo = (world: World) => [front, management].map((eni) => world.ec2.where(eni)?.instanceId);
const fail = (world: World) => {
  world.ec2.impair(a);
  return world.look(world.alarm(a));
};
const last = (world: World) => world.episodes().at(-1);
const marks = (world: World) => last(world)?.episode.stages ?? {};
const ends = (world: World) =>
  Object.fromEntries(Object.entries(marks(world)).map(([id, { end }]) => [id, end]));
const body = (world: World, outcome: string) => world.notifier.of(outcome)[0]?.body ?? '';
const orders = (world: World) =>
  world.hooks.begun.map(({ name: what, order: { command, token } }) => [
    what,
    command.kind === 'document' ? command.instance : 'function',
    token,
  ]);
const firstDetachAtMs = (world: World) => world.ec2.mutations('detach')[0]?.atMs ?? Number.NaN;

describe('hooks', () => {
  const all = withHooks({ before: [prepare, announce], after: [promote, announce] });

  story('run in order around a failover, each on its instance and with its token', all, async (world) => {
    expect(await fail(world)).toMatchObject({ code: 'COMPLETED' });
    expect(orders(world)).toEqual([
      ['prepare-replica', b, 'orders-db.1/1/before.0'],
      [name, 'function', 'orders-db.1/1/before.1'],
      ['promote-replica', b, 'orders-db.1/1/after.0'],
      [name, 'function', 'orders-db.1/1/after.1'],
    ]);
    const [, second, third] = world.hooks.begun;
    expect(second?.atMs).toBeLessThan(firstDetachAtMs(world));
    const verified = last(world)?.episode.steps.find((each) => each.step === 'verified');
    expect(verified).toBeDefined();
    expect(third?.atMs).toBeGreaterThan(
      world.ec2.effects.findLast((each) => each.what === 'attached')?.atMs ?? 0,
    );
    expect(Object.values(ends(world))).toEqual(['done', 'done', 'done', 'done']);
  });

  story('are told token, epoch, source and target; a word that is not known stays', all, async (world) => {
    await fail(world);
    expect(world.hooks.begun[0]?.order.command).toEqual({
      kind: 'document',
      name: 'prepare-replica',
      instance: b,
      parameters: { Token: ['orders-db.1/1/before.0'], Epoch: ['1'], Words: [`${a} to ${b}, @who@`] },
    });
    expect(world.hooks.begun[1]?.order.command).toEqual({
      kind: 'function',
      name,
      payload: {
        token: 'orders-db.1/1/before.1',
        epoch: '1',
        service: 'orders-db',
        episode: 'orders-db.1',
        kind: 'failover',
        step: 'before.1',
        source: a,
        target: b,
      },
    });
  });

  story(
    'are told in the notice, with how they ended, how long they took and what they said',
    all,
    async (world) => {
      await fail(world);
      expect(body(world, 'COMPLETED')).toMatch(/1\/before\.0: done after \d\.\d s: prepare-replica ok/);
      expect(body(world, 'COMPLETED')).toMatch(
        /1\/after\.1: done after \d\.\d s: eni-failover-hook-announce ok/,
      );
    },
  );

  story(
    'on the source run in a planned move only: the source of a failover answers nobody',
    withHooks({
      before: [stop, prepare],
    }),
    async (world) => {
      await fail(world);
      expect(world.hooks.names()).toEqual(['prepare-replica']);
      await world.clock.advance(600_000);
      world.ec2.recover(a);
      expect(await world.askFor(c)).toMatchObject({ code: 'COMPLETED' });
      expect(orders(world).slice(1)).toEqual([
        ['stop-licence', b, 'orders-db.2/1/before.0'],
        ['prepare-replica', c, 'orders-db.2/1/before.1'],
      ]);
    },
  );

  story(
    'after the attach do not count into the time from detach to verified',
    withHooks({ after: [promote] }),
    async (world) => {
      world.hooks.behave('promote-replica', { tookMs: 15_000 });
      await fail(world);
      const [, seconds = '99'] = /Detach to verified: (\d+\.\d) s/.exec(body(world, 'COMPLETED')) ?? [];
      expect(Number(seconds)).toBeLessThan(6);
    },
  );

  story(
    'after the attach run in a rescue too; those before do not, for nothing is left to prepare',
    all,
    async (world) => {
      world.ec2.impair(a);
      world.ec2.detachByHand(front);
      world.ec2.detachByHand(management);
      await world.look(world.sweep());
      expect(attachedTo(world)).toEqual([b, b]);
      expect(world.hooks.names()).toEqual(['promote-replica', name]);
    },
  );

  story(
    'are no part of a move to where the interfaces were already',
    withHooks({ after: [promote] }),
    async (world) => {
      world.ec2.recover(a);
      await world.look(world.alarm(a));
      await world.settle();
      expect(world.hooks.calls).toEqual([]);
    },
  );

  story(
    'keep the begin of why they were refused, where its code is',
    withHooks({ before: [prepare] }),
    async (world) => {
      world.hooks.fail('prepare-replica', { kind: 'refused', code: `AccessDenied${'x'.repeat(300)}` });
      await fail(world);
      expect(marks(world)['1/before.0']?.output).toMatch(/^AccessDeniedx{188}$/);
    },
  );

  story('keep whole characters of what they printed', withHooks({ before: [prepare] }), async (world) => {
    world.hooks.behave('prepare-replica', { output: `${'😀'.repeat(150)}.` });
    await fail(world);
    expect(marks(world)['1/before.0']?.output?.isWellFormed()).toBe(true);
  });

  story('keep what they printed short', withHooks({ before: [prepare] }), async (world) => {
    world.hooks.behave('prepare-replica', { output: `${'x'.repeat(500)} the end` });
    await fail(world);
    expect(marks(world)['1/before.0']?.output).toMatch(/^x{192} the end$/);
  });
});

describe('a hook that goes wrong before the detach', () => {
  for (const [how, options, says] of [
    ['fails', { end: 'failed', output: 'no licence' }, /failed: no licence/],
    ['hangs', { hangs: true }, /not done within 60 s: still running/],
  ] as const) {
    story(
      `and ${how}: nothing is detached, and a person is called`,
      withHooks({ before: [prepare, announce] }),
      async (world) => {
        world.hooks.behave('prepare-replica', options);
        await fail(world);
        await world.settle();
        expect(last(world)?.outcome).toBe('NEEDS_HUMAN');
        expect(last(world)?.why).toMatch(/^HOOK_FAILED: before\.0 \(prepare-replica on i-0b/);
        expect(last(world)?.why).toMatch(says);
        expect(world.ec2.mutations()).toEqual([]);
        expect(world.hooks.names()).toEqual(['prepare-replica']);
        expect(body(world, 'NEEDS_HUMAN')).toContain('HOOK_FAILED');
        expect(world.service().mayDetach).toEqual([]);
      },
    );

    story(
      `and ${how}: the move goes on where the service says so`,
      withHooks({
        before: [{ ...prepare, onFailure: 'proceed' }, announce],
      }),
      async (world) => {
        world.hooks.behave('prepare-replica', options);
        await fail(world);
        await world.settle();
        expect(last(world)?.outcome).toBe('COMPLETED');
        expect(attachedTo(world)).toEqual([b, b]);
        expect(world.hooks.names()).toEqual(['prepare-replica', name]);
        expect(body(world, 'COMPLETED')).toMatch(
          says.source.startsWith('failed') ? /before\.0: failed/ : /before\.0: timed-out/,
        );
      },
    );

    story(
      `and ${how}: a failover has no way back, and calls a person`,
      withHooks({
        before: [{ ...prepare, onFailure: 'back', undo: unprepare }],
      }),
      async (world) => {
        world.hooks.behave('prepare-replica', options);
        await fail(world);
        await world.settle();
        expect(last(world)?.outcome).toBe('NEEDS_HUMAN');
        expect(world.hooks.names()).toEqual(['prepare-replica']);
        expect(world.ec2.mutations()).toEqual([]);
      },
    );
  }

  story(
    'has a deadline of its own',
    withHooks({ before: [{ ...prepare, deadline: '10s' }] }),
    async (world) => {
      world.hooks.behave('prepare-replica', { hangs: true });
      expect(await fail(world)).toMatchObject({ code: 'NEEDS_HUMAN' });
      const mark = marks(world)['1/before.0'];
      expect(mark).toMatchObject({ end: 'timed-out' });
      const tookMs = (mark?.endedAtMs ?? 0) - (mark?.begunAtMs ?? 0);
      expect(tookMs).toBeGreaterThanOrEqual(10_000);
      expect(tookMs).toBeLessThan(11_000);
    },
  );

  story(
    'is not begun again when SSM or Lambda will never begin it',
    withHooks({ before: [prepare] }),
    async (world) => {
      world.hooks.fail('prepare-replica', { kind: 'refused', code: 'InvalidDocument' }, 99);
      expect(await fail(world)).toMatchObject({ code: 'NEEDS_HUMAN' });
      expect(world.hooks.calls).toHaveLength(1);
      expect(marks(world)['1/before.0']).toMatchObject({
        end: 'refused',
        output: 'InvalidDocument: it will not',
      });
    },
  );
});

describe('the way back of a planned move', () => {
  const back = { onFailure: 'back' };
  const hooks = withHooks({
    before: [
      { ...stop, ...back, undo: start },
      { ...announce, ...back },
      { ...prepare, ...back, undo: unprepare },
    ],
    after: [promote],
  });

  story(
    'leaves everything where it is, and undoes what was begun, the last first, where it was done',
    hooks,
    async (world) => {
      world.hooks.behave('prepare-replica', { end: 'failed', output: 'disk full' });
      await world.askFor(b);
      await world.settle();
      expect(world.ec2.mutations()).toEqual([]);
      expect(attachedTo(world)).toEqual([a, a]);
      expect(orders(world)).toEqual([
        ['stop-licence', a, 'orders-db.1/1/before.0'],
        [name, 'function', 'orders-db.1/1/before.1'],
        ['prepare-replica', b, 'orders-db.1/1/before.2'],
        ['unprepare-replica', b, 'orders-db.1/1/undo.2'],
        ['start-licence', a, 'orders-db.1/1/undo.0'],
      ]);
      expect(last(world)?.outcome).toBe('RETURNED_TO_SOURCE');
      expect(world.notifier.of('RETURNED_TO_SOURCE')).toHaveLength(1);
      expect(body(world, 'RETURNED_TO_SOURCE')).toContain('disk full');
      expect(world.service().lastSeen?.holder).toBe(a);
    },
  );

  story('says which hook was the reason', hooks, async (world) => {
    world.hooks.behave('prepare-replica', { end: 'failed', output: 'disk full' });
    await world.askFor(b);
    expect(last(world)?.why).toMatch(
      /^HOOK_FAILED: before\.2 \(prepare-replica on i-0b\w+\) failed: disk full/,
    );
    expect(world.notifier.of('RETURNED_TO_SOURCE')[0]?.subject).not.toContain('nothing else took it');
  });

  story('does not hold it against the target, which was never asked', hooks, async (world) => {
    world.hooks.behave('stop-licence', { end: 'failed' });
    await world.askFor(b);
    expect(world.service().quarantine).toEqual({});
    world.hooks.behave('stop-licence', {});
    expect(await world.askFor(b)).toMatchObject({ code: 'COMPLETED' });
  });

  story('undoes a hook that hangs too: it may have begun', hooks, async (world) => {
    world.hooks.behave('stop-licence', { hangs: true });
    await world.askFor(b);
    await world.settle();
    expect(world.hooks.names()).toEqual(['stop-licence', 'start-licence']);
    expect(last(world)?.outcome).toBe('RETURNED_TO_SOURCE');
  });

  story('undoes the others though one undo failed', hooks, async (world) => {
    world.hooks.behave('prepare-replica', { end: 'failed', output: 'disk full' });
    world.hooks.behave('unprepare-replica', { end: 'failed', output: 'still full' });
    await world.askFor(b);
    expect(world.hooks.names().slice(-2)).toEqual(['unprepare-replica', 'start-licence']);
    expect(last(world)?.why).toMatch(
      /^HOOK_FAILED: before\.2 .*; HOOK_FAILED: undo\.2 .* failed: still full$/,
    );
  });

  story('tells a person of an undo that failed as well', hooks, async (world) => {
    world.hooks.behave('stop-licence', { end: 'failed', output: 'no' });
    world.hooks.behave('start-licence', { end: 'failed', output: 'neither' });
    await world.askFor(b);
    await world.settle();
    expect(last(world)?.outcome).toBe('RETURNED_TO_SOURCE');
    expect(last(world)?.why).toContain('HOOK_FAILED: undo.0');
    expect(body(world, 'RETURNED_TO_SOURCE')).toContain('neither');
  });

  story('is taken too when the target fails after the hooks and before the detach', hooks, async (world) => {
    world.hooks.behave('prepare-replica', { tookMs: 5_000 });
    world.clock.after(4_000, () => world.ec2.setState(b, 'stopped'));
    await world.askFor(b);
    await world.settle();
    expect(world.ec2.mutations()).toEqual([]);
    // What was prepared on a target that does not run any more cannot be undone there; the source is well again.
    expect(world.hooks.names()).toEqual(['stop-licence', name, 'prepare-replica', 'start-licence']);
    expect(marks(world)['1/undo.2']).toMatchObject({ end: 'failed', output: `${b} is stopped` });

    expect(last(world)?.outcome).toBe('RETURNED_TO_SOURCE');
  });

  story(
    'waits for no undo on a target that stops in the middle of it',
    withHooks({
      before: [
        { ...stop, ...back, undo: start },
        { ...prepare, ...back, deadline: '10m', undo: unprepare },
      ],
    }),
    async (world) => {
      world.hooks.behave('prepare-replica', { end: 'failed', output: 'disk full' });
      world.hooks.behave('unprepare-replica', { hangs: true });
      const beganAtMs = world.clock.now();
      world.clock.after(10_000, () => world.ec2.setState(b, 'stopped'));
      await world.askFor(b);
      await world.settle();
      expect(marks(world)['1/undo.1']).toMatchObject({ end: 'failed', output: `${b} is stopped` });
      expect(marks(world)['1/undo.0']).toMatchObject({ end: 'done' });
      // Whoever takes over, once the first worker's time is over, asks what became of it once more, and goes on.
      expect((marks(world)['1/undo.1']?.endedAtMs ?? 0) - beganAtMs).toBeLessThan(120_000);
      expect(last(world)?.outcome).toBe('RETURNED_TO_SOURCE');
    },
  );

  story('is taken, and undone, when the target refuses the interfaces', hooks, async (world) => {
    world.ec2.refuseAttach(b);
    await world.askFor(b);
    await world.settle();
    expect(attachedTo(world)).toEqual([a, a]);
    expect(world.hooks.names()).toEqual([
      'stop-licence',
      name,
      'prepare-replica',
      'unprepare-replica',
      'start-licence',
    ]);
    expect(last(world)?.outcome).toBe('RETURNED_TO_SOURCE');
    expect(last(world)?.why).toContain('no other member took the interfaces');
  });

  story('does not exist any more once an after hook was begun', hooks, async (world) => {
    world.hooks.fail('promote-replica', {
      kind: 'meanwhile',
      run: () => {
        world.ec2.detachByHand(front);
        world.ec2.detachByHand(management);
        for (const id of [b, c]) world.ec2.refuseAttach(id);
      },
    });
    await world.askFor(b);
    await world.settle();
    expect(world.ec2.mutations('attach').filter((each) => each.instanceId === a)).toEqual([]);
    expect(last(world)?.outcome).toBe('STRANDED');
  });

  story('does not exist after an after hook, though no other member can be read', hooks, async (world) => {
    world.hooks.fail('promote-replica', {
      kind: 'meanwhile',
      run: () => {
        world.ec2.detachByHand(front);
        world.ec2.detachByHand(management);
        world.ec2.refuseAttach(b);
        const untilMs = world.clock.now() + 90_000;
        world.ec2.fail('instances', { kind: 'throttled' }, { times: 999, untilMs });
      },
    });
    await world.askFor(b);
    await world.settle();
    expect(world.ec2.mutations('attach').filter((each) => each.instanceId === a)).toEqual([]);
  });
});

describe('a planned move whose source stops', () => {
  const patient = (more: object = {}) =>
    withHooks({ before: [{ ...stop, deadline: '10m', ...more }], after: [promote] });

  story(
    'while its hook hangs there does not wait for the hook: it goes on as a failover does',
    patient(),
    async (world) => {
      world.hooks.behave('stop-licence', { hangs: true });
      const beganAtMs = world.clock.now();
      world.clock.after(10_000, () => world.ec2.setState(a, 'stopped'));
      await world.askFor(b);
      await world.settle();
      expect(firstDetachAtMs(world) - beganAtMs).toBeLessThan(90_000);
      expect(world.ec2.mutations('detach').every((each) => each.force)).toBe(true);
      expect(attachedTo(world)).toEqual([b, b]);
      expect(last(world)?.outcome).toBe('COMPLETED');
    },
  );
});

describe('a failover whose target fails while its hook runs', () => {
  story(
    'goes to the next standby, whose own hook runs first',
    withHooks({
      before: [{ ...prepare, undo: unprepare }],
      after: [promote],
    }),
    async (world) => {
      world.hooks.behave('prepare-replica', { tookMs: 5_000 });
      world.clock.after(3_000, () => world.ec2.setState(b, 'stopped'));
      await fail(world);
      await world.settle();
      expect(orders(world)).toEqual([
        ['prepare-replica', b, 'orders-db.1/1/before.0'],
        ['prepare-replica', c, 'orders-db.1/2/before.0'],
        ['promote-replica', c, 'orders-db.1/2/after.0'],
      ]);
      expect(attachedTo(world)).toEqual([c, c]);
      expect(world.ec2.mutations('attach').every((each) => each.instanceId === c)).toBe(true);
    },
  );

  story(
    'does not leave it again for a readyWhen alarm that turns red once a hook was begun',
    {
      ...withHooks({ before: [prepare] }),
      readyWhen: true,
    },
    async (world) => {
      const lag = world.ec2.where(front) && 'replica-lag';
      world.hooks.fail('prepare-replica', {
        kind: 'meanwhile',
        run: () =>
          world.alarms.set(
            `arn:aws:cloudwatch:eu-central-1:123456789012:alarm:${b}-${lag}` as never,
            'ALARM',
          ),
      });
      await fail(world);
      expect(attachedTo(world)).toEqual([b, b]);
    },
  );

  story(
    'runs no before hook once an interface is on its way: the next rung takes it at once',
    withHooks({
      before: [prepare],
      after: [promote],
    }),
    async (world) => {
      world.ec2.refuseAttach(b);
      await fail(world);
      expect(attachedTo(world)).toEqual([c, c]);
      expect(orders(world)).toEqual([
        ['prepare-replica', b, 'orders-db.1/1/before.0'],
        ['promote-replica', c, 'orders-db.1/2/after.0'],
      ]);
    },
  );
});

describe('a hook that goes wrong after the attach', () => {
  for (const [how, options, code] of [
    ['fails', { end: 'failed', output: 'not a replica' }, /failed: not a replica/],
    ['hangs', { hangs: true }, /not done within 60 s/],
  ] as const) {
    story(
      `and ${how}: attached, but not serving, and a person is called`,
      withHooks({ after: [promote, announce] }),
      async (world) => {
        world.hooks.behave('promote-replica', options);
        await fail(world);
        await world.settle();
        expect(last(world)?.outcome).toBe('ATTACHED');
        expect(last(world)?.why).toMatch(code);
        expect(attachedTo(world)).toEqual([b, b]);
        const [notice] = world.notifier.of('ATTACHED');
        expect(notice).toMatchObject({
          subject: expect.stringContaining('attached to i-0bbbbbbbbbbbbbbb2, but not serving'),
          attributes: { severity: 'critical' },
        });
        expect(notice?.body).toContain('HOOK_FAILED');
        expect(Object.keys(world.service().quarantine)).toEqual([a]);
        expect(world.service().failoversAtMs).toHaveLength(1);
        expect(world.service().lastSeen?.holder).toBe(b);
        expect(world.hooks.names()).toEqual(['promote-replica']);
      },
    );

    story(
      `and ${how}: the next one runs where the service says so`,
      withHooks({
        after: [{ ...promote, onFailure: 'proceed' }, announce],
      }),
      async (world) => {
        world.hooks.behave('promote-replica', options);
        await fail(world);
        await world.settle();
        expect(last(world)?.outcome).toBe('COMPLETED');
        expect(world.hooks.names()).toEqual(['promote-replica', name]);
      },
    );
  }

  story(
    'of a move that was asked for leaves the source free: it is well',
    withHooks({ after: [promote] }),
    async (world) => {
      world.hooks.behave('promote-replica', { end: 'failed' });
      await world.askFor(b);
      expect(last(world)?.outcome).toBe('ATTACHED');
      expect(world.service().quarantine).toEqual({});
    },
  );

  story('does not move anything a second time', withHooks({ after: [promote] }), async (world) => {
    world.hooks.behave('promote-replica', { end: 'failed' });
    await fail(world);
    await world.settle();
    for (let minute = 0; minute < 5; minute += 1) {
      await world.clock.advance(60_000);
      await world.look(world.sweep());
    }
    expect(world.ec2.mutations()).toHaveLength(4);
    expect(world.hooks.begun).toHaveLength(1);
  });
});

describe('a hook whose answer is lost', () => {
  story(
    'is asked for by its handle, and not sent again, once that is known',
    withHooks({ before: [prepare] }),
    async (world) => {
      world.hooks.behave('prepare-replica', { tookMs: 10_000 });
      await world.clock.advance(0);
      world.clock.after(3_000, () =>
        world.hooks.fail('prepare-replica', { kind: 'unclear', code: 'ThrottlingException' }, 3),
      );
      world.clock.after(6_000, () => world.hooks.fail('prepare-replica', { kind: 'throws' }, 2));
      await fail(world);
      expect(world.hooks.begun).toHaveLength(1);
      expect(world.hooks.calls.slice(1).every((each) => each.order.handle === 'command-1')).toBe(true);
      expect(last(world)?.outcome).toBe('COMPLETED');
    },
  );

  story(
    'is sent again with the same token when nobody knows its handle',
    withHooks({ before: [prepare] }),
    async (world) => {
      world.hooks.fail('prepare-replica', { kind: 'answer-lost' });
      await fail(world);
      expect(world.hooks.tokens('prepare-replica')).toEqual([
        'orders-db.1/1/before.0',
        'orders-db.1/1/before.0',
      ]);
      expect(last(world)?.outcome).toBe('COMPLETED');
    },
  );

  story(
    'of a function is called again with the same token',
    withHooks({ before: [announce] }),
    async (world) => {
      world.hooks.fail(name, { kind: 'answer-lost' });
      await fail(world);
      expect(world.hooks.calls.map((each) => each.order.token)).toEqual([
        'orders-db.1/1/before.0',
        'orders-db.1/1/before.0',
      ]);
      expect(world.hooks.begun).toHaveLength(1);
      expect(last(world)?.outcome).toBe('COMPLETED');
    },
  );
});

describe("a hook's function", () => {
  story(
    'that says pending is asked again with the same token until it is done',
    withHooks({ after: [announce] }),
    async (world) => {
      world.hooks.behave(name, { pends: true, tookMs: 4_000 });
      await fail(world);
      expect(world.hooks.calls.length).toBeGreaterThan(3);
      expect(new Set(world.hooks.calls.map((each) => each.order.token)).size).toBe(1);
      expect(last(world)?.outcome).toBe('COMPLETED');
    },
  );

  story(
    'that says pending for ever ends with its deadline',
    withHooks({
      after: [{ ...announce, deadline: '20s' }],
    }),
    async (world) => {
      world.hooks.behave(name, { pends: true, hangs: true });
      await fail(world);
      await world.settle();
      expect(last(world)?.outcome).toBe('ATTACHED');
      expect(marks(world)['1/after.0']).toMatchObject({ end: 'timed-out', output: 'still running' });
    },
  );

  story(
    'is left to the next worker by one that has not 30 s left for it',
    withHooks({ after: [announce] }),
    async (world) => {
      world.ec2.impair(a);
      const worker = world.worker(42_000);
      const report = await world.look(world.alarm(a), { worker });
      expect(report).toMatchObject({ kind: 'handed-over' });
      expect(world.hooks.calls).toEqual([]);
      expect(attachedTo(world)).toEqual([b, b]);
      await world.settle();
      expect(world.hooks.begun).toHaveLength(1);
      expect(last(world)?.outcome).toBe('COMPLETED');
    },
  );

  story(
    'is called by one that has as much left as its deadline',
    withHooks({
      after: [{ ...announce, deadline: '5s' }],
    }),
    async (world) => {
      world.ec2.impair(a);
      const worker = world.worker(30_000);
      expect(await world.look(world.alarm(a), { worker })).toMatchObject({ code: 'COMPLETED' });
    },
  );

  story(
    'may take no longer than this worker has, nor than its deadline',
    withHooks({
      before: [{ ...announce, deadline: '20s' }],
      after: [announce],
    }),
    async (world) => {
      await fail(world);
      const [before, after] = world.hooks.calls.map((each) => each.order.timeoutMs);
      expect(before).toBeLessThanOrEqual(20_000);
      expect(before).toBeGreaterThan(19_000);
      expect(after).toBeLessThan(50_000);
      expect(after).toBeGreaterThan(30_000);
    },
  );
});

describe('a document that takes longer than an invocation lives', () => {
  const slow = withHooks({ before: [{ ...prepare, deadline: '5m' }] });

  story('is handed over, and asked for by the next worker', slow, async (world) => {
    world.hooks.behave('prepare-replica', { tookMs: 150_000 });
    expect(await fail(world)).toMatchObject({ kind: 'handed-over' });
    const reports = await world.settle();
    expect(reports.map((each) => each.kind)).toEqual(expect.arrayContaining(['handed-over', 'closed']));
    expect(world.hooks.begun).toHaveLength(1);
    expect(attachedTo(world)).toEqual([b, b]);
    expect(world.service().epoch).toBeGreaterThan(2);
  });

  story(
    'does not get its deadline anew from each worker',
    withHooks({ before: [{ ...prepare, deadline: '90s' }] }),
    async (world) => {
      world.hooks.behave('prepare-replica', { hangs: true });
      await fail(world);
      await world.settle();
      const mark = marks(world)['1/before.0'];
      expect(mark).toMatchObject({ end: 'timed-out' });
      expect((mark?.endedAtMs ?? 0) - (mark?.begunAtMs ?? 0)).toBeLessThan(120_000);
    },
  );
});

describe('the lease', () => {
  const paused = (world: World) =>
    world.store.change(ordersDb, (state) => ({
      ...state,
      pause: { reason: 'x', author: 'ann', atMs: world.clock.now(), untilMs: world.clock.now() + 600_000 },
    }));

  story(
    'lost while a hook runs: whoever has it asks for what was begun, and the loser does nothing more',
    withHooks({
      before: [prepare],
      after: [promote],
    }),
    async (world) => {
      world.hooks.behave('prepare-replica', { tookMs: 20_000 });
      const first = world.worker();
      let froze = false;
      world.hooks.onCall(() => {
        if (froze) return;
        froze = true;
        first.freezeAt((call) => call === 'hooks.run', 45_000);
      });
      world.ec2.impair(a);
      const { report } = world.begin(world.alarm(a), first);
      await world.clock.advance(5_000);
      await world.settle();
      await world.run(report);
      // A call that was frozen on its way is sent on thaw: it only asks for what was begun.
      world.excuse(['P5', 'P38']);
      expect(world.hooks.names()).toEqual(['prepare-replica', 'promote-replica']);
      expect(world.episodes()).toHaveLength(1);
      expect(attachedTo(world)).toEqual([b, b]);
    },
  );

  story(
    'cannot be renewed while the table is out of reach: the next hook waits, and what was begun is sent again as itself',
    withHooks({ before: [prepare, announce] }),
    async (world) => {
      world.hooks.behave('prepare-replica', { tookMs: 5_000 });
      // Before its handle could be stored.
      world.hooks.fail('prepare-replica', { kind: 'meanwhile', run: () => world.store.goDown() });
      let backAtMs = Number.NaN;
      world.clock.after(40_000, () => {
        backAtMs = world.clock.now();
        world.store.comeBack();
      });
      await fail(world);
      await world.settle();
      expect(world.hooks.names()).toEqual(['prepare-replica', 'prepare-replica', name]);
      expect(new Set(world.hooks.tokens('prepare-replica')).size).toBe(1);
      const [, again, next] = world.hooks.begun;
      expect(again?.atMs).toBeGreaterThan(backAtMs);
      expect(next?.order.token).toBe('orders-db.1/1/before.1');
      expect(firstDetachAtMs(world)).toBeGreaterThan(next?.atMs ?? 0);
      expect(attachedTo(world)).toEqual([b, b]);
    },
  );

  story(
    'cannot be renewed after the handle was stored: whoever comes back asks for it',
    withHooks({ before: [prepare] }),
    async (world) => {
      world.hooks.behave('prepare-replica', { tookMs: 30_000 });
      world.clock.after(4_000, () => world.store.goDown());
      world.clock.after(34_000, () => world.store.comeBack());
      await fail(world);
      await world.settle();
      expect(world.hooks.begun).toHaveLength(1);
      expect(last(world)?.outcome).toBe('COMPLETED');
    },
  );

  story(
    'and a pause in the middle: the move goes on to its end',
    withHooks({ before: [prepare], after: [promote] }),
    async (world) => {
      world.hooks.fail('prepare-replica', { kind: 'meanwhile', run: () => paused(world) });
      await fail(world);
      expect(last(world)?.outcome).toBe('COMPLETED');
      expect(world.hooks.names()).toEqual(['prepare-replica', 'promote-replica']);
    },
  );

  story(
    'and a worker that dies while a hook runs: paused or not, the next one goes on',
    withHooks({
      before: [prepare],
    }),
    async (world) => {
      world.hooks.behave('prepare-replica', { tookMs: 5_000 });
      const first = world.worker();
      world.hooks.onCall(() => first.crashAt(first.calls.length, 'after'));
      world.ec2.impair(a);
      const { report } = world.begin(world.alarm(a), first);
      report.catch(() => undefined);
      await world.run(first.crashed);
      paused(world);
      world.ec2.recover(a);
      await world.settle();
      expect(attachedTo(world)).toEqual([b, b]);
      expect(last(world)?.outcome).toBe('COMPLETED');
    },
  );
});

describe('a service that declares nothing around the move', () => {
  story('asks for nothing of it', async (world) => {
    world.ec2.impair(a);
    const worker = world.worker();
    await world.look(world.alarm(a), { worker });
    expect(worker.calls.filter((each) => each.startsWith('hooks.') || each === 'ec2.stop')).toEqual([]);
    expect(last(world)?.episode).not.toHaveProperty('stages');
  });

  story('is moved with not one call or write more than before there were any hooks', async (world) => {
    world.ec2.impair(a);
    const worker = world.worker();
    await world.look(world.alarm(a), { worker });
    const counts: Record<string, number> = {};
    for (const call of worker.calls) counts[call] = (counts[call] ?? 0) + 1;
    expect(counts).toEqual({
      'store.read': 1,
      'store.readController': 1,
      'ec2.interfaces': 12,
      'ec2.instances': 1,
      'ec2.checks': 1,
      'store.countFailover': 1,
      'store.write': 12,
      'queue.send': 1,
      'ec2.detach': 2,
      'ec2.attach': 2,
      'store.copyToTrail': 1,
      'notifier.publish': 1,
    });
  });
});
