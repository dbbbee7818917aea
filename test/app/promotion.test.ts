/** Stories of a member that may have been promoted: nothing goes back to a source whose data are older (P20). */
import { describe, expect } from 'vitest';
import type { InstanceId } from '../../shared/core/ids.ts';
import { a, b, c, front, management, type World, type WorldOptions } from '../fakes/world.ts';
import { story } from './story.ts';

const promote = { document: 'promote', on: 'target', deadline: '30s' };
const three: WorldOptions = { hooks: { after: [promote] } };
const two: WorldOptions = { ...three, members: [a, b] };
const attachedTo = (world: World) => [front, management].map((eni) => world.ec2.where(eni)?.instanceId);
const attachesTo = (world: World, id: InstanceId) =>
  world.ec2.mutations('attach').filter((each) => each.instanceId === id);
const last = (world: World) => world.episodes().at(-1);
/** While the target is being promoted. */
const whilePromoting = (world: World, run: () => void) =>
  world.hooks.fail('promote', { kind: 'meanwhile', run });
const comeLoose = (world: World) => {
  for (const eni of [front, management]) world.ec2.detachByHand(eni);
};
/** A minute later. */
const sweep = async (world: World) => {
  await world.clock.advance(60_000);
  const report = await world.look(world.sweep());
  await world.settle({ forMs: 30_000 });
  return report;
};

describe('a move whose target was promoted and lost what it had', () => {
  story('waits for a member that can be read, and does not go back', three, async (world) => {
    whilePromoting(world, () => {
      world.ec2.detachByHand(front);
      world.ec2.refuseAttach(b);
      const untilMs = world.clock.now() + 60_000;
      world.ec2.fail('instances', { kind: 'throttled' }, { untilMs });
    });
    world.ec2.impair(a);
    await world.look(world.alarm(a));
    expect(attachesTo(world, a)).toEqual([]);
    await world.settle({ forMs: 180_000 });
    expect(attachesTo(world, a)).toEqual([]);
    expect(attachedTo(world)).toEqual([c, c]);
  });

  story('that was asked for has no way back where a detach is refused for good', three, async (world) => {
    whilePromoting(world, () => {
      world.ec2.detachByHand(front);
      world.ec2.refuseAttach(b);
      const refusal = { kind: 'refused', code: 'OperationNotPermitted' } as const;
      world.ec2.fail('detach', refusal, { times: 999, when: (call) => call.eni === management });
    });
    await world.askFor(b);
    await world.settle({ forMs: 60_000 });
    expect(attachedTo(world)).toEqual([c, b]);
    expect(attachesTo(world, a)).toEqual([]);
    expect(last(world)?.outcome).toBe('STRANDED');
  });
});

describe('a service that was stranded after its target was promoted', () => {
  /** Nobody but the source could take the interfaces, and it is well again. */
  const strand = async (world: World) => {
    whilePromoting(world, () => {
      comeLoose(world);
      for (const id of [b, c]) if (world.ec2.stateOf(id)) world.ec2.refuseAttach(id);
    });
    world.ec2.impair(a);
    await world.look(world.alarm(a));
    await world.settle({ forMs: 30_000 });
    expect(last(world)?.outcome).toBe('STRANDED');
    expect(world.service().stranded).toMatchObject({ promoted: true });
    world.ec2.recover(a);
    world.store.change(world.service().name, (state) => ({ ...state, quarantine: {} }));
  };

  story('is not rescued to the source, well as that may be, and people know', two, async (world) => {
    await strand(world);
    world.ec2.setState(b, 'stopped');
    expect(await sweep(world)).toMatchObject({ kind: 'refused', code: 'NO_ELIGIBLE_STANDBY' });
    expect(await sweep(world)).toMatchObject({ kind: 'refused', code: 'NO_ELIGIBLE_STANDBY' });
    expect(attachedTo(world)).toEqual([undefined, undefined]);
    expect(world.ec2.mutations('attach').every((each) => each.instanceId === b)).toBe(true);
  });

  story('is rescued to another member, not to the source that comes first', three, async (world) => {
    await strand(world);
    world.ec2.acceptAttach(c);
    await sweep(world);
    await sweep(world);
    expect(attachedTo(world)).toEqual([c, c]);
    expect(attachesTo(world, a)).toEqual([]);
  });

  story('remembers it over every try that fails', two, async (world) => {
    await strand(world);
    for (let tries = 2; tries < 5; tries += 1) {
      expect(await sweep(world)).toMatchObject({ code: 'STRANDED' });
      expect(world.service().stranded).toMatchObject({ promoted: true, tries });
    }
    expect(attachesTo(world, a)).toEqual([]);
    world.ec2.acceptAttach(b);
    await sweep(world);
    expect(attachedTo(world)).toEqual([b, b]);
    expect(world.service().stranded).toBeUndefined();
  });

  story('does not follow one interface that somebody put on the source', two, async (world) => {
    await strand(world);
    world.ec2.attachByHand(management, a, 2);
    world.ec2.acceptAttach(b);
    await sweep(world);
    expect(attachesTo(world, a)).toEqual([]);
  });
});

story(
  'a move that was stranded before anything was promoted may be rescued to its source',
  two,
  async (world) => {
    for (const id of [a, b]) world.ec2.refuseAttach(id);
    expect(await world.askFor(b)).toMatchObject({ code: 'STRANDED' });
    expect(world.service().stranded).not.toHaveProperty('promoted');
    world.ec2.acceptAttach(a);
    await sweep(world);
    expect(attachedTo(world)).toEqual([a, a]);
  },
);
