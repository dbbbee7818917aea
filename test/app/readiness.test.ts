/** Readiness: told when it is lost and when it is regained, and the item kept up without writing for nothing. */
import { describe, expect } from 'vitest';
import { observe } from '../../shared/app/observe.ts';
import { readinessOf, tellReadiness, tend } from '../../shared/app/readiness.ts';
import { readService } from '../../shared/app/record.ts';
import { known, unknown } from '../../shared/core/observation.ts';
import type { Quarantine, Service } from '../../shared/core/state.ts';
import { a, b, c, front, management, ordersDb, replicaLagOf, stranger, type World } from '../fakes/world.ts';
import { story } from './story.ts';

async function seen(world: World) {
  const service = (await world.run(readService(world.ports, ordersDb))) as Service;
  const observation = await world.run(observe(world.ports, service));
  return { service, observation, readiness: readinessOf(service, observation, world.clock.now()) };
}
const why = async (world: World) => (await seen(world)).readiness.notReady;
const tell = async (world: World) => {
  const { service, readiness } = await seen(world);
  return world.run(tellReadiness(world.ports, service, readiness));
};
const tended = async (world: World) => {
  const { service, observation } = await seen(world);
  return world.run(tend(world.ports, service, observation));
};

describe('a failover would work', () => {
  story('while the holder is well and one standby is eligible', async (world) => {
    world.ec2.setState(b, 'stopped');
    const { readiness } = await seen(world);
    expect(readiness.notReady).toBeUndefined();
    expect(readiness.standbys.eligible).toEqual([c]);
  });

  const losses: readonly (readonly [string, string, (world: World) => void])[] = [
    [
      'NO_STANDBY_LEFT',
      'no standby is eligible',
      (world) => {
        world.ec2.setState(b, 'stopped');
        world.ec2.impair(c);
      },
    ],
    ['HOLDER_NOT_HEALTHY', 'the holder is not well', (world) => world.ec2.impair(a)],
    [
      'NO_STANDBY_LEFT',
      'neither the holder nor a standby is well, so that its alarm stands',
      (world) => {
        world.ec2.impair(a);
        world.ec2.setState(b, 'stopped');
        world.ec2.setState(c, 'stopped');
      },
    ],
    ['ON_NOTHING', 'an interface is on nothing', (world) => world.ec2.detachByHand(front)],
    ['SPLIT', 'the interfaces are split', (world) => void world.ec2.moveByHand(front, b, 1)],
    ['UNMOVABLE', 'an interface is gone', (world) => world.ec2.deleteInterface(front)],
  ];
  for (const [code, what, happen] of losses)
    story(`not while ${what}: ${code}`, async (world) => {
      happen(world);
      expect(await why(world)).toBe(code);
    });

  story('with the holder left out of its own standbys', async (world) => {
    world.ec2.setState(b, 'stopped');
    world.ec2.setState(c, 'stopped');
    const { readiness } = await seen(world);
    expect(readiness.standbys.refused.map((each) => each.member)).toEqual([b, c]);
  });
  story('with every member as a standby while the interfaces are on nothing', async (world) => {
    world.ec2.detachByHand(front);
    expect((await seen(world)).readiness.standbys.eligible).toEqual([a, b, c]);
  });
});

describe('what a look knows for certain', () => {
  const alarmed = { readyWhen: true };

  story('is everything, once everything was read', alarmed, async (world) => {
    expect((await seen(world)).readiness.isCertain).toBe(true);
    world.ec2.forget(c);
    world.alarms.forget(replicaLagOf(b));
    // Absent is an answer too.
    expect((await seen(world)).readiness.isCertain).toBe(true);
  });
  const unread: readonly (readonly [string, (world: World) => void])[] = [
    ['the interfaces', (world) => world.ec2.fail('interfaces', { kind: 'throttled' })],
    ['the members', (world) => world.ec2.fail('instances', { kind: 'throttled' })],
    ['their checks', (world) => world.ec2.fail('checks', { kind: 'throttled' })],
    ['the limits of a type', (world) => world.ec2.change(b, { instanceType: 'm6i.24xlarge' })],
    ['the alarms', (world) => world.alarms.fail(1)],
  ];
  for (const [what, fail] of unread)
    story(`is not what follows while ${what} could not be read`, alarmed, async (world) => {
      fail(world);
      expect((await seen(world)).readiness.isCertain).toBe(false);
    });
});

describe('readiness', () => {
  story('that is as it was costs no write', async (world) => {
    const writes = world.store.writes.length;
    expect(await tell(world)).toBe(false);
    expect(world.store.writes).toHaveLength(writes);
    expect(world.notifier.published).toEqual([]);
  });
  story('that is lost is recorded and told once, with what stands in the way', async (world) => {
    world.ec2.setState(b, 'stopped');
    world.ec2.impair(c);
    expect(await tell(world)).toBe(true);
    expect(await tell(world)).toBe(false);
    expect(world.service().notReady).toBe('NO_STANDBY_LEFT');
    expect(world.kinds()).toEqual(['readiness']);
    expect(world.records('readiness')).toMatchObject([
      {
        ready: false,
        code: 'NO_STANDBY_LEFT',
        author: 'eni-failover',
        eligible: [],
        members: [
          { member: b, code: 'NOT_RUNNING' },
          { member: c, code: 'CHECKS_FAILED' },
        ],
      },
    ]);
    const [notice] = world.notifier.of('NOT_READY');
    expect(world.notifier.published).toHaveLength(1);
    expect(notice?.attributes).toMatchObject({ severity: 'critical', service: ordersDb });
    expect(notice?.dedupeId).toBe('orders-db.readiness.2');
    expect(notice?.body).toContain('a failover would NOT work now: NO_STANDBY_LEFT');
    expect(notice?.body).toContain(`${b}: NOT_RUNNING (it is stopped)`);
    expect(notice?.body).toContain('eni-failover explain orders-db');
    expect(notice?.body).not.toContain('Eligible');
  });
  story('is not denied where only the holder is unwell: who could take over is told', async (world) => {
    world.ec2.impair(a);
    await tell(world);
    const [notice] = world.notifier.of('NOT_READY');
    expect(notice?.attributes['severity'], 'nobody is woken').toBe('warning');
    expect(notice?.subject).toContain('the holder is not healthy, a standby could take over');
    expect(notice?.body).not.toContain('would NOT work');
    expect(notice?.body).toContain(`Eligible: ${b}, ${c}`);
  });
  story('that is regained is told, with who could take over', async (world) => {
    world.ec2.impair(a);
    await tell(world);
    world.ec2.recover(a);
    expect(await tell(world)).toBe(true);
    expect(world.service().notReady).toBeUndefined();
    expect(world.records('readiness')[1]).toMatchObject({ ready: true, code: 'READY', eligible: [b, c] });
    const [notice] = world.notifier.of('READY');
    expect(notice?.attributes['severity']).toBe('info');
    expect(notice?.body).toContain(`Eligible: ${b}, ${c}`);
    expect(notice?.body).not.toContain('What to do:');
  });
  story('that is lost for another reason is told again', async (world) => {
    world.ec2.impair(a);
    await tell(world);
    world.ec2.recover(a);
    world.ec2.detachByHand(management);
    expect(await tell(world)).toBe(true);
    expect(world.service().notReady).toBe('ON_NOTHING');
  });
  story('is not told by whoever read before somebody else wrote', async (world) => {
    world.ec2.impair(a);
    const { service, readiness } = await seen(world);
    world.store.change(ordersDb, (state) => ({ ...state }));
    expect(await world.run(tellReadiness(world.ports, service, readiness))).toBe(false);
    expect(world.service().notReady).toBeUndefined();
    expect(world.notifier.published).toEqual([]);
  });
});

describe('a quarantine', () => {
  const quarantined = (world: World, more: Partial<Quarantine> = {}, id: string = b) =>
    world.store.change(ordersDb, (state) => ({
      ...state,
      quarantine: { [id]: { sinceMs: 1, why: 'it failed', ...more } },
    }));
  const since = (world: World) => world.service().quarantine[b]?.healthySinceMs;
  const untilHealthy = { policy: { quarantine: 'until-healthy' } };

  story(
    'that ends by itself notes since when its member is well, and writes it once',
    untilHealthy,
    async (world) => {
      quarantined(world);
      await tended(world);
      const noted = since(world);
      expect(noted).toBe(world.clock.now() - 8);
      const writes = world.store.writes.length;
      await world.clock.advance(60_000);
      expect((await tended(world))?.quarantine[b]?.healthySinceMs).toBe(noted);
      expect(world.store.writes).toHaveLength(writes);
      expect(world.service().quarantine[b]).toMatchObject({ sinceMs: 1, why: 'it failed' });
    },
  );
  story('forgets it as soon as its member is not well', untilHealthy, async (world) => {
    quarantined(world, { healthySinceMs: 5 });
    world.ec2.impair(b);
    const after = await tended(world);
    expect(since(world)).toBeUndefined();
    expect(after?.quarantine[b]).toEqual({ sinceMs: 1, why: 'it failed' });
  });
  story('that a person ends is left alone', async (world) => {
    quarantined(world);
    const writes = world.store.writes.length;
    await tended(world);
    expect(since(world)).toBeUndefined();
    expect(world.store.writes).toHaveLength(writes);
  });
  story('notes it too where readyWhen alarms vouch for the data', { readyWhen: true }, async (world) => {
    quarantined(world);
    await tended(world);
    expect(since(world)).toBeDefined();
  });
  story('does not count a member that has not caught up', { readyWhen: true }, async (world) => {
    quarantined(world);
    world.alarms.set(replicaLagOf(b), 'ALARM');
    await tended(world);
    expect(since(world)).toBeUndefined();
  });
  story('of what is no member any more does not count either', untilHealthy, async (world) => {
    quarantined(world, { healthySinceMs: 5 }, stranger);
    await tended(world);
    expect(world.service().quarantine[stranger]).toEqual({ sinceMs: 1, why: 'it failed' });
  });
});

describe('the limits in the item', () => {
  const larger = { interfaces: 8, interfacesPerCard: [8], ipv4PerInterface: 30, ipv6PerInterface: 30 };

  story('cost no write while every member is of a type that is known', async (world) => {
    const { writes } = world.store;
    const before = writes.length;
    expect(await tended(world)).toMatchObject({ rev: world.service().rev });
    expect(writes).toHaveLength(before);
  });
  story('take in the type of a member that was resized, beside the others', async (world) => {
    world.ec2.limitsByType['m6i.24xlarge'] = larger;
    world.ec2.change(b, { instanceType: 'm6i.24xlarge' });
    const before = world.service();
    const after = await tended(world);
    expect(world.service().facts).toEqual({
      ...before.facts,
      limits: { ...before.facts.limits, 'm6i.24xlarge': larger },
    });
    expect(world.service()).toMatchObject({ rev: before.rev + 1, nonce: after?.nonce });
    expect(after).toMatchObject(world.service());
    expect(after?.declaration.name).toBe(ordersDb);
  });
  story('are left as they are when the new type could not be read', async (world) => {
    world.ec2.change(b, { instanceType: 'm6i.24xlarge' });
    const writes = world.store.writes.length;
    await tended(world);
    expect(world.store.writes).toHaveLength(writes);
  });
  story('are kept while those of a known type could not be read', async (world) => {
    const { service, observation } = await seen(world);
    const members = new Map(
      [...observation.members].map(([id, fact]) => [
        id,
        fact.kind === 'known' ? known({ ...fact.value, limits: unknown('throttled') }) : fact,
      ]),
    );
    const writes = world.store.writes.length;
    await world.run(tend(world.ports, service, { ...observation, members }));
    expect(world.store.writes).toHaveLength(writes);
  });
  story('are left as they are when a member could not be read', async (world) => {
    world.ec2.forget(c);
    world.ec2.fail('instances', { kind: 'throttled' });
    const writes = world.store.writes.length;
    await tended(world);
    expect(world.store.writes).toHaveLength(writes);
  });
  story(
    'are written together with a quarantine',
    { policy: { quarantine: 'until-healthy' } },
    async (world) => {
      world.store.change(ordersDb, (state) => ({ ...state, quarantine: { [b]: { sinceMs: 1, why: 'x' } } }));
      world.ec2.limitsByType['m6i.24xlarge'] = larger;
      world.ec2.change(c, { instanceType: 'm6i.24xlarge' });
      const writes = world.store.writes.length;
      await tended(world);
      expect(world.store.writes).toHaveLength(writes + 1);
      expect(world.service().quarantine[b]?.healthySinceMs).toBeDefined();
      expect(world.service().facts.limits['m6i.24xlarge']).toEqual(larger);
    },
  );
  story('are not written over what somebody else wrote meanwhile', async (world) => {
    world.ec2.limitsByType['m6i.24xlarge'] = larger;
    world.ec2.change(b, { instanceType: 'm6i.24xlarge' });
    const { service, observation } = await seen(world);
    world.store.change(ordersDb, (state) => ({ ...state, lastRefusal: 'X' }));
    expect(await world.run(tend(world.ports, service, observation))).toBeUndefined();
    expect(world.service().lastRefusal).toBe('X');
    expect(world.service().facts.limits['m6i.24xlarge']).toBeUndefined();
  });
});
