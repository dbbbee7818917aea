/** Stories of a planned move that a hook called back, or stopped, before anything was moved: and what people are told. */
import { describe, expect } from 'vitest';
import {
  a,
  applicationAlarm,
  b,
  front,
  management,
  stranger,
  type World,
  type WorldOptions,
} from '../fakes/world.ts';
import { story } from './story.ts';

const two: WorldOptions = { members: [a, b] };
const attachedTo = (world: World) => [front, management].map((eni) => world.ec2.where(eni)?.instanceId);

describe('a move that a hook called back before anything was detached', () => {
  const options: WorldOptions = {
    ...two,
    signals: { alarms: [{ arn: applicationAlarm }] },
    hooks: { before: [{ document: 'stop-licence', on: 'source', onFailure: 'back' }] },
  };

  story('is no move: the alarms need no grace, and nobody is out', options, async (world) => {
    world.hooks.behave('stop-licence', { end: 'failed', output: 'licence server busy' });
    expect(await world.askFor(b)).toMatchObject({ code: 'RETURNED_TO_SOURCE' });
    expect(world.service().lastMoveAtMs).toBeUndefined();
    expect(world.service().quarantine).toEqual({});
    const [notice] = world.notifier.of('RETURNED_TO_SOURCE');
    expect(notice?.subject).toContain('a hook called it back');
    expect(notice?.body).toContain('licence server busy');
    expect(notice?.body).toContain('see what it printed');
    await world.clock.advance(10_000);
    world.alarms.set(applicationAlarm, 'ALARM');
    expect(await world.look(world.applicationAlarm())).toMatchObject({ code: 'COMPLETED' });
    expect(attachedTo(world)).toEqual([b, b]);
  });

  story('unlike one that came back from a target which refused', options, async (world) => {
    world.ec2.refuseAttach(b);
    expect(await world.askFor(b)).toMatchObject({ code: 'RETURNED_TO_SOURCE' });
    expect(world.service().lastMoveAtMs).toBeDefined();
    expect(Object.keys(world.service().quarantine)).toEqual([b]);
    expect(world.notifier.of('RETURNED_TO_SOURCE')[0]?.subject).toContain('nothing else took it');
  });
});

describe('what a person is told of a move that a hook stopped', () => {
  const stop = { document: 'stop-licence', on: 'source', undo: { document: 'start-licence', on: 'source' } };
  const body = (world: World, outcome: string) => world.notifier.of(outcome)[0]?.body ?? '';

  story(
    'names the hooks that were begun and not undone',
    {
      ...two,
      hooks: { before: [stop, { document: 'check', on: 'target' }, { document: 'never', on: 'target' }] },
    },
    async (world) => {
      world.hooks.behave('check', { end: 'failed', output: 'lag' });
      expect(await world.askFor(b)).toMatchObject({ code: 'NEEDS_HUMAN' });
      expect(body(world, 'NEEDS_HUMAN')).toContain('Not undone: before.0, before.1\n');
    },
  );

  story(
    'names none that was undone before somebody came in between',
    { ...two, hooks: { before: [{ ...stop, onFailure: 'back' }] } },
    async (world) => {
      world.hooks.behave('stop-licence', { end: 'failed' });
      const run = () => world.ec2.moveByHand(front, stranger, 1);
      world.hooks.fail('start-licence', { kind: 'meanwhile', run });
      await world.askFor(b);
      await world.settle();
      expect(world.episodes()[0]?.outcome).toBe('NEEDS_HUMAN');
      expect(body(world, 'NEEDS_HUMAN')).toContain('undo.0: done');
      expect(body(world, 'NEEDS_HUMAN')).not.toContain('Not undone');
    },
  );

  story(
    'names none where there is a way back, which undoes them',
    {
      ...two,
      hooks: { before: [stop, { document: 'check', on: 'target', onFailure: 'back' }] },
    },
    async (world) => {
      world.hooks.behave('check', { end: 'failed', output: 'lag' });
      expect(await world.askFor(b)).toMatchObject({ code: 'RETURNED_TO_SOURCE' });
      expect(body(world, 'RETURNED_TO_SOURCE')).not.toContain('Not undone');
    },
  );

  story(
    'names none where none was begun',
    { ...two, policy: { fence: 'stop' }, hooks: { before: [stop] } },
    async (world) => {
      world.ec2.impair(a);
      world.ec2.fail('stop', { kind: 'refused', code: 'OperationNotPermitted' }, { times: 9 });
      expect(await world.look(world.alarm(a))).toMatchObject({ code: 'NEEDS_HUMAN' });
      expect(body(world, 'NEEDS_HUMAN')).not.toContain('Not undone');
    },
  );
});
