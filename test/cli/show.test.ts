/** Proves what `show` tells of one record: an episode with every step, how long it took, and whether the chain holds. */
import { describe, expect, it } from 'vitest';
import { parseShown, showCommand } from '../../cli/show.ts';
import { pauseController, pauseService } from '../../shared/app/operate.ts';
import type { Frozen, ServiceState } from '../../shared/core/state.ts';
import { a, b, c, front, makeWorld, ordersDb, servingAlarm, type World } from '../fakes/world.ts';
import { connectionTo, contextOf, narrow, pipe, seen } from './screen.ts';

const show = (world: World, what: string, options: { verify?: true } = {}) =>
  world.run(showCommand(parseShown(what), options, contextOf(world)));

async function failedOver(options?: Parameters<typeof makeWorld>[0]): Promise<World> {
  const world = await makeWorld(options);
  world.ec2.impair(a);
  await world.look(world.alarm(a));
  return world;
}

describe('a record of what was done to everything', () => {
  it('is shown as one of a service is, its chain too', async () => {
    const world = await makeWorld();
    const by = { author: 'local:ann', reason: 'network works', forMs: 1_800_000 };
    await world.run(pauseController(world.ports, by));
    const answer = await show(world, '*#1', { verify: true });
    expect(answer).toMatchObject({
      outcome: 'done',
      data: {
        record: { service: '*', kind: 'pause', author: 'local:ann' },
        verified: { records: 1, faults: [] },
      },
    });
    expect(seen(answer, narrow)).toContain('*#1  CONTROLLER_PAUSED');
    expect(seen(await show(world, '*#1'), narrow)).toContain("eni-failover show '*#1' --verify");
    expect(await show(world, '*#2')).toMatchObject({ outcome: 'refused', data: { code: 'NO_SUCH_RECORD' } });
  });
});

describe('an episode', () => {
  it('is shown with what led to it, its end, and every step as long as it took', async () => {
    const answer = await show(await failedOver(), 'orders-db.1');
    expect(answer).toMatchObject({ outcome: 'done', data: { code: null, verified: null } });
    expect(seen(answer, narrow)).toMatchInlineSnapshot(`
      "
      orders-db.1  failover  COMPLETED
      every interface was seen attached to the target

      move        i-0aaaaaaaaaaaaaaa1 → i-0bbbbbbbbbbbbbbb2
      evidence    system check impaired
      durations   event to claim 88 ms, detach to verified 3.5 s, claim to end 3.5 s
      interfaces  eni-0aaaaaaaaaaaaaa01, eni-0aaaaaaaaaaaaaa02: on i-0bbbbbbbbbbbbbbb2
      author      eni-failover
      at          2026-11-21 02:01:03Z (0 s ago)
      trail       record 2 of orders-db
      hash        ################################################################
      follows     ################################################################
      chain       not checked
                  eni-failover show orders-db#2 --verify

      Steps
        +0.01 s  claimed                                      │
        +0.01 s  detach-forced  eni-0aaaaaaaaaaaaaa01  2.0 s  █████████████
        +0.01 s  detach-forced  eni-0aaaaaaaaaaaaaa02  2.0 s  █████████████
        +2.00 s  attach         eni-0aaaaaaaaaaaaaa01  1.5 s               ██████████
        +2.00 s  attach         eni-0aaaaaaaaaaaaaa02  1.5 s               ██████████
        +3.48 s  verified                                                            │
        +3.48 s  closed                                                              │
      "
    `);
  });

  it('draws its bars as wide as the terminal, and as on a narrow one in a pipe', async () => {
    const answer = await show(await failedOver(), 'orders-db.1');
    const barsOn = (terminal: typeof narrow) =>
      answer.text(terminal).split('\nSteps\n')[1]?.split('\n') ?? [];
    const widestOn = (terminal: typeof narrow) => Math.max(...barsOn(terminal).map((line) => line.length));
    expect(widestOn({ ...narrow, columns: 120 })).toBe(120);
    expect(widestOn(narrow)).toBe(80);
    expect(barsOn(pipe)).toEqual(barsOn(narrow));
  });

  it('shows what fence, hooks and the check said, and how long each took', async () => {
    const world = await failedOver({
      policy: { fence: 'stop' },
      hooks: { after: [{ document: 'promote-replica', on: 'target' }] },
      serving: { alarm: servingAlarm },
    });
    expect(seen(await show(world, 'orders-db.1'), narrow)).toMatchInlineSnapshot(`
      "
      orders-db.1  failover  COMPLETED
      every interface was seen attached to the target

      move        i-0aaaaaaaaaaaaaaa1 → i-0bbbbbbbbbbbbbbb2
      evidence    system check impaired
      durations   event to claim 88 ms, detach to verified 3.5 s, claim to end 9.9 s
      interfaces  eni-0aaaaaaaaaaaaaa01, eni-0aaaaaaaaaaaaaa02: on i-0bbbbbbbbbbbbbbb2
      fence       done after 4.8 s: i-0aaaaaaaaaaaaaaa1 is stopped
      1/after.0   done after 1.3 s: promote-replica ok
      1/serving   done after 68 ms: the alarm is OK
      author      eni-failover
      at          2026-11-21 02:01:10Z (0 s ago)
      trail       record 2 of orders-db
      hash        ################################################################
      follows     ################################################################
      chain       not checked
                  eni-failover show orders-db#2 --verify

      Steps
        +0.01 s  claimed                                      │
        +0.01 s  fence                                 4.8 s  ███████████
                   stop i-0aaaaaaaaaaaaaaa1: done
        +4.97 s  resumed                                                  │
        +4.97 s  detach-forced  eni-0aaaaaaaaaaaaaa01  2.0 s              ████
        +4.97 s  detach-forced  eni-0aaaaaaaaaaaaaa02  2.0 s              ████
        +6.95 s  attach         eni-0aaaaaaaaaaaaaa01  1.5 s                  ████
        +6.95 s  attach         eni-0aaaaaaaaaaaaaa02  1.5 s                  ████
        +8.43 s  verified                                                         │
        +8.43 s  after.0                               1.3 s                      ███
                   promote-replica on i-0bbbbbbbbbbbbbbb2: done
        +9.69 s  serving                               68 ms                         █
                   orders-db-serves: done
        +9.86 s  resumed                                                             │
        +9.86 s  verified                                                            │
        +9.86 s  closed                                                              │
      "
    `);
  });

  it('shows which members would not take it', async () => {
    const world = await makeWorld();
    world.ec2.impair(a);
    world.ec2.refuseAttach(b);
    await world.look(world.alarm(a));
    expect(seen(await show(world, 'orders-db.1'), narrow)).toMatchInlineSnapshot(`
      "
      orders-db.1  failover  COMPLETED
      every interface was seen attached to the target

      move        i-0aaaaaaaaaaaaaaa1 → i-0ccccccccccccccc3
      tried       i-0bbbbbbbbbbbbbbb2, then i-0ccccccccccccccc3
      evidence    system check impaired
      durations   event to claim 88 ms, detach to verified 3.9 s, claim to end 3.9 s
      interfaces  eni-0aaaaaaaaaaaaaa01, eni-0aaaaaaaaaaaaaa02: on i-0ccccccccccccccc3
      author      eni-failover
      at          2026-11-21 02:01:04Z (0 s ago)
      trail       record 2 of orders-db
      hash        ################################################################
      follows     ################################################################
      chain       not checked
                  eni-failover show orders-db#2 --verify

      Steps
        +0.01 s  claimed                                       │
        +0.01 s  detach-forced  eni-0aaaaaaaaaaaaaa01   2.0 s  ███████████
        +0.01 s  detach-forced  eni-0aaaaaaaaaaaaaa02   2.0 s  ███████████
        +2.00 s  attach         eni-0aaaaaaaaaaaaaa01  120 ms             █
                   target-refused AttachmentLimitExceeded
        +2.00 s  attach         eni-0aaaaaaaaaaaaaa02  120 ms             █
                   target-refused AttachmentLimitExceeded
        +2.28 s  rung                                                       │
                   i-0ccccccccccccccc3, because i-0bbbbbbbbbbbbbbb2 refused:
                   AttachmentLimitExceeded: it takes no more
        +2.37 s  attach         eni-0aaaaaaaaaaaaaa01   1.5 s               █████████
        +2.37 s  attach         eni-0aaaaaaaaaaaaaa02   1.5 s               █████████
        +3.88 s  verified                                                            │
        +3.88 s  closed                                                              │
      "
    `);
  });

  it('shows who asked for it', async () => {
    const world = await makeWorld();
    await world.askFor(b);
    expect((await show(world, 'orders-db.1')).text(pipe)).toContain('\nrequest     by ann: patching\n');
  });

  it('shows where each interface is when they are not together', async () => {
    const world = await makeWorld({ members: [a, b] });
    world.ec2.impair(a);
    world.ec2.refuseAttach(b);
    world.ec2.refuseAttach(a);
    await world.look(world.alarm(a));
    const text = (await show(world, 'orders-db.1')).text(pipe);
    expect(text).toMatch(/^orders-db\.1 {2}failover {2}STRANDED\nan interface is attached to nothing\n/);
    expect(text).toContain(`\ninterfaces  ${front} on nothing\n`);
  });

  it('that is not on record is refused', async () => {
    const answer = await show(await makeWorld(), 'orders-db.7');
    expect(answer).toMatchObject({ outcome: 'refused', data: { record: null, verified: null } });
    expect(answer.text(pipe)).toMatch(/What is on record: {2}eni-failover history orders-db$/);
  });
});

describe('any other record', () => {
  it('is shown with all that it says', async () => {
    const world = await makeWorld();
    await world.run(
      pauseService(world.ports, ordersDb, {
        author: 'local:ann',
        reason: 'kernel upgrade',
        forMs: 1_800_000,
      }),
    );
    world.ec2.setState(b, 'stopped');
    world.ec2.setState(c, 'stopped');
    expect(seen(await show(world, 'orders-db#2'), narrow)).toMatchInlineSnapshot(`
      "
      orders-db#2  PAUSED
      The service is paused.

      pause    kernel upgrade, by local:ann
      until    2026-11-21T02:31:00.264Z
      author   local:ann
      at       2026-11-21 02:01:00Z (0 s ago)
      trail    record 2 of orders-db
      hash     ################################################################
      follows  ################################################################
      chain    not checked
               eni-failover show orders-db#2 --verify
      "
    `);
  });

  it('names the members of a refusal with their own reasons', async () => {
    const world = await makeWorld();
    world.ec2.setState(b, 'stopped');
    world.ec2.setState(c, 'stopped');
    world.ec2.impair(a);
    await world.look(world.alarm(a));
    expect(seen(await show(world, 'orders-db#2'), narrow)).toMatchInlineSnapshot(`
      "
      orders-db#2  NO_ELIGIBLE_STANDBY
      No standby may take the interfaces.

      refusal     i-0aaaaaaaaaaaaaaa1: system check impaired; i-0bbbbbbbbbbbbbbb2:
                  NOT_RUNNING (it is stopped); i-0ccccccccccccccc3: NOT_RUNNING (it is
                  stopped)
      instances   i-0aaaaaaaaaaaaaaa1, i-0bbbbbbbbbbbbbbb2, i-0ccccccccccccccc3
      interfaces  eni-0aaaaaaaaaaaaaa01, eni-0aaaaaaaaaaaaaa02
      members     i-0bbbbbbbbbbbbbbb2: NOT_RUNNING (it is stopped)
                  i-0ccccccccccccccc3: NOT_RUNNING (it is stopped)
      author      eni-failover
      at          2026-11-21 02:01:00Z (0 s ago)
      trail       record 2 of orders-db
      hash        ################################################################
      follows     ################################################################
      chain       not checked
                  eni-failover show orders-db#2 --verify
      "
    `);
  });

  it('that the trail does not have is refused', async () => {
    const answer = await show(await makeWorld(), 'orders-db#12');
    expect(answer).toMatchObject({ outcome: 'refused', data: { code: 'NO_SUCH_RECORD' } });
    expect(answer.text(pipe)).toContain('the trail of orders-db has no record 12');
  });
});

describe('a record that the service counts', () => {
  /** Without the record, as if somebody had deleted it, and with another item. */
  async function without(world: World, change: (state: ServiceState) => ServiceState = (state) => state) {
    const connection = connectionTo(world);
    const { store } = connection.ports;
    const trail = async () => [];
    const read: typeof store.read = async (name) => {
      const fact = await store.read(name);
      return fact.kind === 'known' ? { ...fact, value: change(fact.value) } : fact;
    };
    const ports = { ...connection.ports, store: { ...store, trail, read } };
    const context = contextOf(world, { connect: async () => ({ ...connection, ports }) });
    return world.run(showCommand(parseShown('orders-db#2'), {}, context));
  }

  it('and that is gone was deleted, which needs a human', async () => {
    const answer = await without(await failedOver());
    expect(answer).toMatchObject({ outcome: 'needs-human', data: { code: 'RECORD_DELETED', record: null } });
    expect(answer.text(pipe)).toContain('record 2 of orders-db is missing: it was written, and somebody');
  });

  it('and that is frozen is shown before it is copied', async () => {
    const world = await failedOver();
    const [row] = world.store.rows(ordersDb).slice(1);
    if (!row) throw new Error('no record');
    const answer = await without(world, (state) => ({ ...state, frozen: row as Frozen }));
    expect(answer).toMatchObject({ outcome: 'done', data: { record: { number: 2, kind: 'episode' } } });
  });
});

describe('the chain', () => {
  it('is verified where that is asked for', async () => {
    const answer = await show(await failedOver(), 'orders-db.1', { verify: true });
    expect(answer).toMatchObject({ outcome: 'done', data: { verified: { records: 2, faults: [] } } });
    expect(seen(answer, narrow)).toMatch(
      /chain {7}verified: 2 records, each follows the one before it, head\n {12}#{64}\n/,
    );
  });

  it('needs a human where a record was changed afterwards', async () => {
    const world = await failedOver();
    const { audit, ...connection } = connectionTo(world);
    const faults = [{ number: 2, why: 'its text does not match its hash' }];
    const get = async () => ({
      status: 200,
      body: { service: ordersDb, records: 2, head: 'x', faults, cursor: null },
    });
    const context = contextOf(world, { connect: async () => ({ ...connection, audit: { ...audit, get } }) });
    const answer = await world.run(showCommand(parseShown('orders-db#2'), { verify: true }, context));
    expect(answer).toMatchObject({ outcome: 'needs-human', data: { code: 'CHAIN_BROKEN' } });
    expect(answer.data).toMatchObject({ detail: 'the chain of orders-db has 1 fault' });
    expect(answer.text(pipe)).toContain('CHAIN       record 2: its text does not match its hash');
    const next = [
      'Somebody changed the trail: what is shown here may not be what was written.',
      'Compare record 2 with its notice, which has the number and hash, or with an export kept elsewhere.',
      'Keep what is there now:  eni-failover export orders-db --file trail-orders-db.ndjson',
    ].join('\n');
    expect(answer.text(pipe)).toMatch(new RegExp(`\n\n${next.replaceAll('.', '\\.')}$`));
    const gone = await world.run(showCommand(parseShown('orders-db#99'), { verify: true }, context));
    expect(gone.text(pipe)).toMatch(new RegExp(`\n\n${next.replaceAll('.', '\\.')}$`));
  });
});

it.each(['orders-db', 'orders-db#0', 'Orders#1', 'orders-db.', '#3', 'a/b.1'])('%j is no record', (text) => {
  expect(() => parseShown(text)).toThrow();
});
