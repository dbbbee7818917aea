/** What was done by hand while the controller was away comes on record, found by what it was done to. */
import { describe, expect } from 'vitest';
import { reportBreakGlass } from '../../shared/app/break-glass-report.ts';
import { pauseService, resumeService } from '../../shared/app/operate.ts';
import type { ServiceName } from '../../shared/core/ids.ts';
import { toMessage } from '../../shared/core/notice.ts';
import { bytesOf, most } from '../../shared/core/size.ts';
import { b, front, ordersDb } from '../fakes/world.ts';
import { story } from './story.ts';

const by = { author: 'ann', reason: 'DynamoDB was down' };
const at = '2026-11-21T02:11:00.000Z';

describe('a report of a move by hand', () => {
  story('is on record with every call, and found by instance and interface', async (world) => {
    const journal = [
      { at, call: 'DetachNetworkInterface', detail: `${front}: accepted` },
      { at, call: `AttachNetworkInterface ${front} to ${b}` },
    ];
    const answer = await world.run(reportBreakGlass(world.ports, ordersDb, journal, by));
    expect(answer).toMatchObject({ kind: 'done', data: { recorded: 2, calls: 2 } });
    expect(world.records('break-glass')).toMatchObject([
      { author: 'ann', reason: 'DynamoDB was down', outcome: 'BREAK_GLASS', journal, calls: 2 },
    ]);
    expect(world.store.pointers()).toContain(`BY#INSTANCE#${b} ${ordersDb} 2`);
    expect(world.store.pointers()).toContain(`BY#ENI#${front} ${ordersDb} 2`);
    const [notice] = world.notifier.of('BREAK_GLASS');
    expect(notice?.body).toContain(`${at} DetachNetworkInterface: ${front}: accepted\n`);
    expect(notice?.body).toContain(`${at} AttachNetworkInterface ${front} to ${b}\n`);
    expect(notice?.body).not.toContain('On record are');
  });

  story('that was sent before is on record once, and the answer says where', async (world) => {
    const journal = [{ at, call: `DetachNetworkInterface ${front}` }];
    const report = (calls = journal, more = by) =>
      world.run(reportBreakGlass(world.ports, ordersDb, calls, more));
    await report();
    const [first] = world.records('break-glass');
    const again = {
      kind: 'done',
      detail: expect.stringMatching(/^already on record as orders-db#2: nothing was written$/),
      data: { record: 2 },
    };
    expect(first).toMatchObject({ journal });
    expect(await report(journal, { author: 'bob', reason: 'to be sure' })).toMatchObject(again);
    expect(world.notifier.of('BREAK_GLASS')).toHaveLength(1);
    // The same calls in another night are another report.
    const later = [{ at: '2026-11-22T02:11:00.000Z', call: `DetachNetworkInterface ${front}` }];
    expect(await report(later)).not.toMatchObject(again);
    expect(world.records('break-glass')).toHaveLength(2);
    for (let count = 0; count < 60; count += 1) {
      await world.run(pauseService(world.ports, ordersDb, { ...by, forMs: 60_000 }));
      await world.run(resumeService(world.ports, ordersDb, by));
    }
    expect(await report()).toMatchObject(again);
    expect(world.records('break-glass')).toHaveLength(2);
  });

  story(
    'that is not copied yet is on record all the same, and no other one is taken for it',
    async (world) => {
      const journal = [{ at, call: `DetachNetworkInterface ${front}` }];
      const report = (calls: typeof journal) => world.run(reportBreakGlass(world.ports, ordersDb, calls, by));
      world.store.fail('copyToTrail', { kind: 'unreachable' }, { times: 9 });
      await report(journal);
      expect(await report(journal)).toMatchObject({ kind: 'done', data: { record: 2 } });
      await expect(report([{ at, call: 'another' }])).rejects.toMatchObject({ name: 'PortError' });
    },
  );

  story('of which only the beginning is on record as another one is one more', async (world) => {
    const journal = Array.from({ length: 102 }, () => ({ at, call: 'x' }));
    await world.run(reportBreakGlass(world.ports, ordersDb, journal.slice(0, 101), by));
    await world.run(reportBreakGlass(world.ports, ordersDb, journal, by));
    expect(world.records('break-glass')).toMatchObject([{ calls: 101 }, { calls: 102 }]);
  });

  story('that is endless is cut, and says so', async (world) => {
    const journal = Array.from({ length: 101 }, () => ({ at, call: 'x', detail: 'y' }));
    const answer = await world.run(reportBreakGlass(world.ports, ordersDb, journal, by));
    expect(answer).toMatchObject({ data: { recorded: 100, calls: 101 } });
    expect(world.notifier.of('BREAK_GLASS')[0]?.body).toContain('On record are the first 100 of them.');
  });

  story('that is long in bytes has the calls on record that fit, each cut', async (world) => {
    const long = { at, call: 'ü'.repeat(400), detail: 'y'.repeat(400) };
    const journal = Array.from({ length: 100 }, () => long);
    const answer = await world.run(reportBreakGlass(world.ports, ordersDb, journal, by));
    const fit = Math.floor(most.journal / bytesOf({ at, call: 'ü'.repeat(300), detail: 'y'.repeat(300) }));
    expect(answer).toMatchObject({ data: { recorded: fit, calls: 100 } });
    const [record] = world.records('break-glass');
    expect(record?.['journal']).toEqual(
      Array.from({ length: fit }, () => ({ at, call: 'ü'.repeat(300), detail: 'y'.repeat(300) })),
    );
  });

  story('is told in a message that a topic takes, without the journal', async (world) => {
    const journal = Array.from({ length: 100 }, () => ({
      at,
      call: '"'.repeat(300),
      detail: 'y'.repeat(300),
    }));
    await world.run(reportBreakGlass(world.ports, ordersDb, journal, by));
    const [notice] = world.notifier.of('BREAK_GLASS');
    expect(notice?.data).toEqual({ ...by, calls: 100, recorded: expect.any(Number) });
    expect(notice && Buffer.byteLength(toMessage(notice))).toBeLessThan(256 * 1_024);
  });

  story('is found by the first twenty instances and interfaces that it names', async (world) => {
    const id = (index: number) => `i-${String(index).padStart(17, '0')}`;
    const journal = Array.from({ length: 30 }, (_, index) => ({ at, call: `StopInstances ${id(index)}` }));
    await world.run(reportBreakGlass(world.ports, ordersDb, journal, by));
    const ids = Array.from({ length: 20 }, (_, index) => id(index));
    expect(world.records('break-glass')).toMatchObject([{ instances: ids }]);
  });

  story('for a service that is not registered is refused', async (world) => {
    const answer = reportBreakGlass(world.ports, 'no-such' as ServiceName, [], by);
    expect(await world.run(answer)).toMatchObject({ kind: 'refused', code: 'NO_SUCH_SERVICE' });
  });
});
