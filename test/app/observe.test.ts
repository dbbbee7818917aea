/** One look at the world: everything at once, and a read that failed is unknown, never absent. */
import { describe, expect, vi } from 'vitest';
import { observe } from '../../shared/app/observe.ts';
import type { Answer } from '../../shared/app/ports.ts';
import { readService } from '../../shared/app/record.ts';
import type { Service } from '../../shared/core/state.ts';
import {
  a,
  applicationAlarm,
  b,
  c,
  front,
  management,
  ordersDb,
  replicaLagOf,
  type World,
} from '../fakes/world.ts';
import { story } from './story.ts';

const declared = { readyWhen: true, signals: { alarms: [{ arn: applicationAlarm }] } };
async function seen(world: World) {
  const service = (await world.run(readService(world.ports, ordersDb))) as Service;
  const startedAtMs = world.clock.now();
  const observation = await world.run(observe(world.ports, service));
  return { observation, startedAtMs, tookMs: world.clock.now() - startedAtMs };
}

describe('an observation', () => {
  story('knows every interface, member and alarm, after one round trip', declared, async (world) => {
    const { observation, startedAtMs, tookMs } = await seen(world);
    expect([...observation.interfaces.keys()]).toEqual([front, management]);
    expect([...observation.members.keys()]).toEqual([a, b, c]);
    expect(new Set(observation.alarms.keys())).toEqual(
      new Set([applicationAlarm, ...[a, b, c].map(replicaLagOf)]),
    );
    for (const facts of [observation.interfaces, observation.members, observation.alarms])
      for (const fact of facts.values()) expect(fact.kind).toBe('known');
    expect(tookMs).toBe(world.ec2.latency.describeMs);
    expect(observation).toMatchObject({ atMs: startedAtMs, slow: false });
  });

  story('asks for no limits that registration has cached', async (world) => {
    await seen(world);
    const before = world.ec2.calls.filter((each) => each.operation === 'limits').length;
    world.ec2.limitsByType['m7i.large'] = {
      interfaces: 3,
      interfacesPerCard: [3],
      ipv4PerInterface: 10,
      ipv6PerInterface: 10,
    };
    await seen(world);
    expect(world.ec2.calls.filter((each) => each.operation === 'limits')).toHaveLength(before);
    world.ec2.change(b, { instanceType: 'm7i.large' });
    const { observation } = await seen(world);
    const fact = observation.members.get(b);
    expect(fact?.kind === 'known' && fact.value.limits).toMatchObject({
      kind: 'known',
      value: { interfaces: 3 },
    });
  });

  story('calls what EC2 does not know absent', async (world) => {
    world.ec2.deleteInterface(front);
    world.ec2.forget(c);
    const { observation } = await seen(world);
    expect(observation.interfaces.get(front)).toEqual({ kind: 'absent' });
    expect(observation.members.get(c)).toEqual({ kind: 'absent' });
  });

  for (const operation of ['interfaces', 'instances', 'checks'] as const)
    story(`calls what could not be read of ${operation} unknown, and keeps the rest`, async (world) => {
      world.ec2.fail(operation, { kind: 'throttled' });
      const { observation } = await seen(world);
      const fact =
        operation === 'interfaces' ? observation.interfaces.get(front) : observation.members.get(a);
      if (operation === 'checks') expect(fact).toMatchObject({ value: { checks: { kind: 'unknown' } } });
      else expect(fact?.kind).toBe('unknown');
      if (operation !== 'interfaces') expect(observation.interfaces.get(front)?.kind).toBe('known');
      expect(observation.slow, 'EC2 throttles').toBe(true);
    });

  story(
    'calls an alarm that could not be read unknown, and one that is gone absent',
    declared,
    async (world) => {
      world.alarms.forget(applicationAlarm);
      expect((await seen(world)).observation.alarms.get(applicationAlarm)).toEqual({ kind: 'absent' });
      world.alarms.fail(1);
      expect((await seen(world)).observation.alarms.get(applicationAlarm)?.kind).toBe('unknown');
    },
  );

  story('is as old as the sending of its oldest read, and slow when one was', async (world) => {
    world.ec2.fail('checks', { kind: 'slow', ms: 4_000 });
    const { observation, startedAtMs, tookMs } = await seen(world);
    expect(tookMs).toBe(4_000);
    expect(observation).toMatchObject({ atMs: startedAtMs, slow: true });
  });

  story('is not slow because a read was refused', async (world) => {
    world.ec2.fail('checks', { kind: 'refused', code: 'UnauthorizedOperation' });
    expect((await seen(world)).observation.slow).toBe(false);
  });

  story('is as old as the attempt that was answered, not as the first one', async (world) => {
    const service = (await world.run(readService(world.ports, ordersDb))) as Service;
    const startedAtMs = world.clock.now();
    /** The adapter tried for a second before this attempt. */
    const later =
      <Ids, T>(call: (ids: Ids) => Promise<Answer<T>>) =>
      async (ids: Ids) => ({ ...(await call(ids)), sentAtMs: startedAtMs + 1_000 });
    const { interfaces, instances, checks } = world.ec2;
    const reads = { interfaces: later(interfaces), instances: later(instances), checks: later(checks) };
    const ports = { ...world.ports, ec2: { ...world.ec2, ...reads } };
    const observation = await world.run(observe(ports, service));
    expect(observation.atMs).toBe(startedAtMs + 1_000);
  });

  story('asks CloudWatch nothing where no alarm is declared', async (world) => {
    const service = (await world.run(readService(world.ports, ordersDb))) as Service;
    const describeAlarms = vi.fn(world.alarms.describe);
    const ports = { ...world.ports, alarms: { describe: describeAlarms } };
    await world.run(observe(ports, service));
    expect(describeAlarms).not.toHaveBeenCalled();
  });

  story(
    'is as old and as slow as what CloudWatch said where alarms are declared',
    declared,
    async (world) => {
      const service = (await world.run(readService(world.ports, ordersDb))) as Service;
      const sentAtMs = world.clock.now() - 500;
      const describeAlarms: typeof world.alarms.describe = async (arns) => ({
        ...(await world.alarms.describe(arns)),
        sentAtMs,
        slow: true,
      });
      const ports = { ...world.ports, alarms: { describe: describeAlarms } };
      expect(await world.run(observe(ports, service))).toMatchObject({ atMs: sentAtMs, slow: true });
    },
  );

  story('calls the limits of a type that could not be read unknown', async (world) => {
    world.ec2.change(b, { instanceType: 'm7i.large' });
    const fact = (await seen(world)).observation.members.get(b);
    expect(fact?.kind === 'known' && fact.value.limits.kind).toBe('unknown');
  });
});
