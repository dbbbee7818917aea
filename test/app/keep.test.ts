/** DeleteOnTermination under a lease: what is set, recorded and told, and that the lease ends in every case. */
import { describe, expect, it } from 'vitest';
import { makeJournal } from '../../shared/app/journal.ts';
import { keepOnTermination } from '../../shared/app/keep.ts';
import type { AttachmentId, OwnerId } from '../../shared/core/ids.ts';
import { type ServiceState, toService } from '../../shared/core/state.ts';
import { times } from '../../shared/core/times.ts';
import { front, makeWorld, management, ordersDb, type World } from '../fakes/world.ts';

const us = 'worker-us' as OwnerId;
const denied = { kind: 'refused', code: 'UnauthorizedOperation' } as const;

/** Our worker has the lease, and both interfaces would be deleted with their holder. */
async function held(more: Partial<ServiceState> = {}, leaseMs: number = times.leaseTtlMs) {
  const world = await makeWorld();
  for (const eni of [front, management]) world.ec2.setDeleteOnTermination(eni, true);
  const lease = { owner: us, untilMs: world.clock.now() + leaseMs };
  world.store.change(ordersDb, (state) => ({ ...state, epoch: 1, lease, ...more }));
  const service = toService(world.service());
  const journal = makeJournal(world.ports, world.service(), us);
  const attachments = [front, management].map((eni) => ({
    eni,
    attachment: world.ec2.where(eni)?.id as AttachmentId,
  }));
  const keeping = () =>
    world.run(keepOnTermination(world.ports, journal, service, { kind: 'keep', attachments }));
  return { world, keeping };
}

const willDelete = (world: World) =>
  [front, management].filter((eni) => world.ec2.where(eni)?.deleteOnTermination);

/** Long after it has returned, nothing is written any more. */
async function expectEnded(world: World) {
  const calls = world.store.calls.length;
  await world.clock.advance(60_000);
  expect(world.store.calls).toHaveLength(calls);
}

describe('DeleteOnTermination', () => {
  it('is set to false, recorded and told, and the lease is free again', async () => {
    const { world, keeping } = await held();
    expect(await keeping()).toEqual({
      kind: 'recorded',
      code: 'KEPT_ON_TERMINATION',
      detail: `${front} done, ${management} done`,
    });
    expect(willDelete(world)).toEqual([]);
    expect(world.kinds()).toEqual(['change']);
    expect(world.notifier.of('KEPT_ON_TERMINATION')).toHaveLength(1);
    expect(world.service().lease).toBeUndefined();
    await expectEnded(world);
  });

  it('that EC2 sets for one interface only is no success', async () => {
    const { world, keeping } = await held();
    world.ec2.fail('keepOnTermination', denied, { when: (call) => call.eni === front });
    expect(await keeping()).toMatchObject({
      kind: 'refused',
      detail: `${front} refused, ${management} done`,
    });
    expect(willDelete(world)).toEqual([front]);
    expect(world.notifier.of('KEPT_ON_TERMINATION')[0]?.attributes['severity']).toBe('warning');
    await expectEnded(world);
  });

  it('that EC2 will not set is not told again, and the lease is free again', async () => {
    const { world, keeping } = await held({ lastRefusal: 'KEPT_ON_TERMINATION' });
    world.ec2.fail('keepOnTermination', denied, { times: 2 });
    expect(await keeping()).toMatchObject({ kind: 'refused', detail: 'EC2 will not, and people know' });
    expect(world.kinds()).toEqual([]);
    expect(world.notifier.published).toEqual([]);
    expect(world.service().lease).toBeUndefined();
    await expectEnded(world);
  });

  it('is not touched under a lease that may end before EC2 answers', async () => {
    const { world, keeping } = await held({}, times.ec2TimeoutMs);
    expect(await keeping()).toBeUndefined();
    expect(world.ec2.mutations()).toEqual([]);
    await expectEnded(world);
  });

  it('that was set and could not be recorded says so', async () => {
    const { world, keeping } = await held();
    world.store.fail('write', { kind: 'unreachable' }, { times: 99 });
    expect(await keeping()).toEqual({
      kind: 'handed-over',
      code: 'UNKNOWN_STATE',
      detail: 'DeleteOnTermination was set, but not recorded',
    });
    expect(willDelete(world)).toEqual([]);
    expect(world.notifier.published).toEqual([]);
    await expectEnded(world);
  });
});
