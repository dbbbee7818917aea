/** Stories of what people are told when something fails again and again: from its beginning, and once. */
import { describe, expect } from 'vitest';
import type { AnnouncementHint } from '../../shared/core/hint.ts';
import { a, b, c, front, management, type World, type WorldOptions } from '../fakes/world.ts';
import { story } from './story.ts';

const fenced: WorldOptions = { members: [a, b], policy: { fence: 'stop', fenceTimeout: '20s' } };
const attachedTo = (world: World) => [front, management].map((eni) => world.ec2.where(eni)?.instanceId);
/** A minute later. */
const sweep = async (world: World) => {
  await world.clock.advance(60_000);
  return world.look(world.sweep());
};

describe('a rescue whose fence is refused', () => {
  const said = 'You are not authorized to perform this operation.';
  const deny = (world: World, detail: string) =>
    world.ec2.fail('stop', { kind: 'refused', code: 'UnauthorizedOperation', detail });
  const comeLoose = (world: World) => {
    world.ec2.setState(a, 'stopping');
    world.ec2.neverStops(a);
    for (const eni of [front, management]) world.ec2.detachByHand(eni);
  };

  story('in other words each time calls a person once', fenced, async (world) => {
    comeLoose(world);
    for (let tries = 1; tries < 6; tries += 1) {
      deny(world, `${said} Request ${tries * 7_919}, ${'x'.repeat(tries * 40)}`);
      expect(await sweep(world)).toMatchObject({ code: 'STRANDED' });
      expect(world.service().stranded).toMatchObject({ tries });
    }
    expect(world.notifier.pages()).toHaveLength(1);
    expect(world.kinds()).toEqual(['episode']);
  });

  story('and then only not confirmed calls nobody again: it is the same source', fenced, async (world) => {
    comeLoose(world);
    deny(world, said);
    await sweep(world);
    expect(await sweep(world)).toMatchObject({ code: 'STRANDED' });
    expect(world.notifier.pages()).toHaveLength(1);
  });

  story('and then something else calls a person again', fenced, async (world) => {
    comeLoose(world);
    deny(world, said);
    await sweep(world);
    world.ec2.setState(a, 'stopped');
    for (const id of [a, b]) world.ec2.refuseAttach(id);
    expect(await sweep(world)).toMatchObject({ code: 'STRANDED' });
    expect(world.notifier.pages()).toHaveLength(2);
    expect(world.notifier.pages()[1]?.body).toContain('AttachmentLimitExceeded');
  });

  story('says what is wrong from its beginning, however long that is', fenced, async (world) => {
    comeLoose(world);
    deny(world, `${said} ${'x'.repeat(900)}`);
    await sweep(world);
    const output = world.episodes()[0]?.episode.stages?.['fence']?.output ?? '';
    expect(output).toMatch(/^UnauthorizedOperation: You are not authorized/);
    expect(output).toHaveLength(200);
    expect(world.notifier.pages()[0]?.body).toContain(`refused: UnauthorizedOperation: ${said}`);
    expect(world.notifier.pages()[0]?.body).toContain('stop the instance by hand');
  });
});

describe('an announcement behind a request', () => {
  const spotOf = (world: World): AnnouncementHint => ({
    kind: 'announcement',
    what: 'spot-interruption',
    detail: 'terminate',
    instanceIds: [a],
    atMs: world.clock.now(),
  });
  const leaving: WorldOptions = { policy: { onSpotInterruption: 'switchover' } };

  story('that expired unseen is not lost', leaving, async (world) => {
    world.request(c);
    await world.clock.advance(400_000);
    expect(await world.look(spotOf(world))).toMatchObject({ code: 'COMPLETED' });
    expect(attachedTo(world)).toEqual([b, b]);
    expect(world.kinds()).toEqual(['refusal', 'episode']);
    expect(world.notifier.of('REQUEST_EXPIRED')).toHaveLength(1);
    expect(world.service()).not.toHaveProperty('request');
  });

  story('that cannot be carried out is not lost', leaving, async (world) => {
    world.ec2.setState(c, 'stopped');
    world.request(c);
    expect(await world.look(spotOf(world))).toMatchObject({ code: 'COMPLETED' });
    expect(attachedTo(world)).toEqual([b, b]);
    expect(world.kinds()).toEqual(['refusal', 'episode']);
  });
});
