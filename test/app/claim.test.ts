/** The claim's own part: what is written with it, when it failed, and the plan of an episode that is ours already. */
import { describe, expect, it } from 'vitest';
import { claim, persistPlan, withEpisode } from '../../shared/app/claim.ts';
import { makeJournal } from '../../shared/app/journal.ts';
import type { WriteResult } from '../../shared/app/ports.ts';
import type { EpisodeKind } from '../../shared/core/episode.ts';
import { PortError } from '../../shared/core/errors.ts';
import type { OwnerId } from '../../shared/core/ids.ts';
import type { ServiceState } from '../../shared/core/state.ts';
import { toService } from '../../shared/core/state.ts';
import { times } from '../../shared/core/times.ts';
import { episodeOf, world as looked, planTo, request, a as source, b as target } from '../core/world.ts';
import { a, b, c, makeWorld, ordersDb, type World } from '../fakes/world.ts';
import { story } from './story.ts';

const us = 'worker-us' as OwnerId;

/** Claims while the table answers so. */
async function claimed(answer: () => Promise<WriteResult>) {
  const world = await makeWorld();
  const service = toService(world.service());
  const ports = { ...world.ports, store: { ...world.store, write: answer } };
  return claim(ports, service, world.service(), world.clock.now());
}

describe('a claim', () => {
  it('that was written is ours', async () => {
    expect(await claimed(async () => ({ kind: 'written' }))).toBe(true);
  });

  it('that somebody else was faster than is not', async () => {
    const world = await makeWorld();
    expect(await claimed(async () => ({ kind: 'conflict', now: world.service() }))).toBe(false);
  });

  for (const failure of ['throttled', 'unavailable'] as const)
    it(`to a table that is ${failure} is not ours as far as anybody knows`, async () => {
      const answer = () => Promise.reject(new PortError(failure, 'X', 'not answered'));
      expect(await claimed(answer)).toBe(false);
    });

  for (const failure of ['denied', 'refused'] as const)
    it(`that is ${failure} is an error: to look again would not help`, async () => {
      const error = new PortError(failure, 'X', 'never');
      await expect(claimed(() => Promise.reject(error))).rejects.toBe(error);
    });

  it('whose fault is our own is an error', async () => {
    const error = new TypeError('a bug');
    await expect(claimed(() => Promise.reject(error))).rejects.toBe(error);
  });
});

describe('the item of a claim', () => {
  const run = { owner: us, deadlineMs: 0 };
  const opening = async (episode: EpisodeKind, waiting?: ReturnType<typeof request>) => {
    const { ports } = await makeWorld();
    const question = looked({ state: waiting ? { request: waiting } : {} });
    const plan = planTo(target, { source });
    return withEpisode(ports, question, { kind: 'move', episode, plan, evidence: 'why' }, run);
  };

  for (const kind of ['switchover', 'failback'] as const)
    it(`for a ${kind} carries the request that it fulfils, and nothing waits any more`, async () => {
      const item = await opening(kind, request(target));
      expect(item.episode).toMatchObject({
        kind,
        evidence: 'why',
        request: { id: 'r-1', author: 'ada', reason: 'patching' },
      });
      expect(item.request).toBeUndefined();
    });

  for (const kind of ['failover', 'rescue'] as const)
    it(`for a ${kind} says which request it supersedes, and does not pass for it`, async () => {
      const item = await opening(kind, request(target));
      expect(item.episode?.evidence).toBe('why; supersedes the switchover that ada asked for');
      expect(item.episode?.request).toBeUndefined();
      expect(item.request).toBeUndefined();
    });

  it('of which nobody asked anything says only why', async () => {
    const item = await opening('failover');
    expect(item.episode?.evidence).toBe('why');
    expect(item.episode?.request).toBeUndefined();
  });

  const plan = planTo(source, { source });
  const goingOn = async (state: Partial<ServiceState>) => {
    const { ports } = await makeWorld();
    return withEpisode(ports, looked({ state }), { kind: 'continue', plan, why: 'resumed' }, run);
  };

  it('of an episode that goes on carries the plan as it goes on', async () => {
    const episode = episodeOf(planTo(target, { source }));
    expect((await goingOn({ episode })).episode).toEqual({ ...episode, plan });
  });

  it('without an episode gets none by going on', async () => {
    expect('episode' in (await goingOn({}))).toBe(false);
  });
});

describe('the plan of an episode that is ours', () => {
  async function held(episode = true) {
    const world = await makeWorld();
    const lease = { owner: us, untilMs: world.clock.now() + times.leaseTtlMs };
    const open = episodeOf(planTo(target, { source }));
    world.store.change(ordersDb, (state) => ({ ...state, lease, ...(episode && { episode: open }) }));
    return { world, journal: makeJournal(world.ports, world.service(), us) };
  }
  const changed = planTo(source, { source, tried: [target, source] });

  it('is in the table before anything is done by it', async () => {
    const { world, journal } = await held();
    expect(await world.run(persistPlan(journal, changed))).toBe(true);
    expect(world.service().episode?.plan).toEqual(changed);
    await world.run(journal.stop());
  });

  it('is not written again when it is there', async () => {
    const { world, journal } = await held();
    const before = world.store.writes.length;
    expect(await world.run(persistPlan(journal, planTo(target, { source })))).toBe(true);
    expect(world.store.writes).toHaveLength(before);
    await world.run(journal.stop());
  });

  it('that could not be written is not gone by', async () => {
    const { world, journal } = await held();
    world.store.goDown();
    expect(await world.run(persistPlan(journal, changed))).toBe(false);
    world.store.comeBack();
    // Nor does it come into the table later, beside what was decided meanwhile.
    expect(await world.run(journal.commit())).toBe('written');
    expect(world.service().episode?.plan).toEqual(planTo(target, { source }));
    await world.run(journal.stop());
  });

  it('makes no episode where there is none', async () => {
    const { world, journal } = await held(false);
    await world.run(persistPlan(journal, changed));
    expect(world.service().episode).toBeUndefined();
    await world.run(journal.stop());
  });
});

describe('a resumer', () => {
  const diesAfterTheDetach = async (world: World) => {
    world.ec2.impair(a);
    const worker = world.worker();
    world.ec2.onEffect(({ what }) => {
      if (what === 'detached') worker.crashAt(worker.calls.length + 1, 'before');
    });
    world.begin(world.alarm(a), worker).report.catch(() => undefined);
    await world.run(worker.crashed);
  };

  story(
    'goes to another member than the dead worker did: by a plan that its claim has stored',
    async (world) => {
      await diesAfterTheDetach(world);
      world.ec2.setState(b, 'stopped');
      const from = world.store.writes.length;
      await world.settle();
      const claims = world.store.writes
        .slice(from)
        .filter((each) => each.after.epoch > (each.before?.epoch ?? 0));
      expect(claims[0]?.after.episode?.plan).toMatchObject({ target: c, tried: [b, c] });
      expect(world.ec2.mutations('attach').map((each) => each.instanceId)).toEqual([c, c]);
      expect(world.holder()).toBe(c);
    },
  );
});
