/** From a delivery to the services behind it: what is ignored, what is understood, and what one failure leaves alone. */
import { readFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { handle, type Once } from '../../functions/failover/handle.ts';
import { dispatch, servicesFor } from '../../shared/app/dispatch.ts';
import { a, applicationAlarm, b, c, front, management, ordersDb, type World } from '../fakes/world.ts';
import { story } from './story.ts';

const read = (name: string): Record<string, unknown> =>
  JSON.parse(readFileSync(new URL(`../fixtures/events/${name}.json`, import.meta.url), 'utf8')) as Record<
    string,
    unknown
  >;

/** An event of AWS's, about our holder and of just now. */
function event(world: World, name: string, ageMs = 1_000): unknown {
  const at = new Date(world.clock.now() - ageMs).toISOString();
  const text = JSON.stringify(read(name))
    .replaceAll(/i-[0-9a-f]{8,17}/g, a)
    .replaceAll(/20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+]0000)/g, at);
  return JSON.parse(text);
}

const always: Once = (_, work) => work();
const deliver = (world: World, raw: unknown, once = always) => {
  const worker = world.worker();
  return world.run(handle(raw, worker.ports, worker.run, once));
};
const attachedTo = (world: World) => [front, management].map((eni) => world.ec2.where(eni)?.instanceId);

describe('a delivery', () => {
  for (const name of ['cloudwatch-alarm-status-check-system', 'ec2-instance-state-change-stopping'])
    story(`of ${name} moves the service of the instance that it names`, async (world) => {
      if (name.includes('stopping')) world.ec2.setState(a, 'stopping');
      else world.ec2.impair(a);
      const answer = await deliver(world, event(world, name));
      expect(answer).toMatchObject({ kind: 'looked', reports: [{ code: 'COMPLETED' }] });
      expect(attachedTo(world)).toEqual([b, b]);
    });

  story('of a work message looks at its service', async (world) => {
    world.ec2.impair(a, 'system', world.clock.now() - 600_000);
    const body = JSON.stringify({ service: ordersDb, hint: world.sweep(), look: 0 });
    const raw = { Records: [{ messageId: 'm-1', eventSource: 'aws:sqs', body }] };
    expect(await deliver(world, raw)).toMatchObject({ kind: 'looked', reports: [{ code: 'COMPLETED' }] });
  });

  const ignored: readonly (readonly [string, string, string, number])[] = [
    ['an alarm that goes to OK', 'cloudwatch-alarm-back-to-ok', 'ALARM_NOT_IN_ALARM', 1_000],
    ['a suppressed alarm', 'cloudwatch-composite-alarm-suppressed', 'SUPPRESSED', 1_000],
    ['an event older than five minutes', 'cloudwatch-alarm-status-check-system', 'STALE_EVENT', 301_000],
  ];
  for (const [what, name, code, ageMs] of ignored)
    story(`of ${what} is ignored as ${code}`, async (world) => {
      world.ec2.impair(a);
      expect(await deliver(world, event(world, name, ageMs))).toMatchObject({ kind: 'ignored', code });
      expect(world.ec2.mutations()).toEqual([]);
    });

  story('of an event about an unknown instance does nothing and says so', async (world) => {
    const raw = JSON.parse(
      JSON.stringify(event(world, 'ec2-instance-state-change-stopping')).replaceAll(a, 'i-0999999999999999f'),
    ) as unknown;
    expect(await deliver(world, raw)).toEqual({ kind: 'looked', reports: [] });
    expect(world.lines.some((each) => each.facts['code'] === 'NO_SUCH_SERVICE')).toBe(true);
  });

  for (const raw of [undefined, null, 'x', 42, [], {}, { Records: [] }, { detail: {} }])
    story(`of ${JSON.stringify(raw)} is a clear error and no move`, async (world) => {
      world.ec2.impair(a);
      await expect(deliver(world, raw)).rejects.toMatchObject({ name: 'InvalidInputError' });
      expect(world.ec2.mutations()).toEqual([]);
    });

  story('of an announcement tells people', async (world) => {
    await deliver(world, event(world, 'ec2-spot-interruption-warning'));
    expect(world.notifier.of('ANNOUNCED')).toHaveLength(1);
    expect(world.ec2.mutations()).toEqual([]);
  });

  story('that was completed before is not worked on', async (world) => {
    world.ec2.impair(a);
    const suppressed: Once = () => Promise.resolve({ kind: 'looked', reports: [] } as never);
    await deliver(world, event(world, 'cloudwatch-alarm-status-check-system'), suppressed);
    expect(world.ec2.mutations()).toEqual([]);
  });
});

describe('the services behind a hint', () => {
  story(
    'are those of the instance and of the alarm, each once',
    { signals: { alarms: [{ arn: applicationAlarm }] } },
    async (world) => {
      const hint = { ...world.applicationAlarm(), instanceIds: [a, b] };
      expect(await world.run(servicesFor(world.ports, hint))).toEqual([ordersDb]);
      expect(await world.run(servicesFor(world.ports, world.stateChange(c, 'stopping')))).toEqual([ordersDb]);
    },
  );

  story(
    'are found by the alarm alone',
    { signals: { alarms: [{ arn: applicationAlarm }] } },
    async (world) => {
      expect(await world.run(servicesFor(world.ports, world.applicationAlarm()))).toEqual([ordersDb]);
    },
  );

  story('of an instance are not looked for under an alarm that nobody named', async (world) => {
    await world.run(servicesFor(world.ports, world.stateChange(a, 'stopping')));
    expect(world.store.calls.filter((each) => each.operation === 'servicesOfAlarm')).toEqual([]);
  });

  story('are all looked at, and one that is broken does not stop the others', async (world) => {
    const second = await world.addService(1);
    world.store.put(second.name, { ...(world.store.raw(second.name) as object), lease: 'free' });
    world.ec2.impair(a);
    const worker = world.worker();
    const dispatching = dispatch(worker.ports, world.alarm(a), [second.name, ordersDb], worker.run);
    await expect(world.run(dispatching)).rejects.toMatchObject({
      name: 'AggregateError',
      message: expect.stringMatching(/^not looked at: the stored service item is malformed/),
      errors: [expect.objectContaining({ name: 'InvalidInputError' })],
    });
    expect(attachedTo(world)).toEqual([b, b]);
  });
});
