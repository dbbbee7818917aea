/** Proves what a drill shows of a service that is ready and of one that is not, and where it says a service was left. */
import { describe, expect, it } from 'vitest';
import type { Answer } from '../../cli/answer.ts';
import { type DrillOptions, drillCommand } from '../../cli/drill.ts';
import type { Person } from '../../cli/person.ts';
import { rehearse } from '../../shared/app/canary.ts';
import { setMode } from '../../shared/app/mode.ts';
import { pauseService } from '../../shared/app/operate.ts';
import { restore } from '../../shared/app/restore.ts';
import type { ServiceName } from '../../shared/core/ids.ts';
import { a, b, c, front, makeWorld, ordersDb, type World, type WorldOptions } from '../fakes/world.ts';
import { contextOf, makePerson, narrow, nobody, seen } from './screen.ts';

const one: WorldOptions = { interfaces: [front] };
const reason = 'monthly rehearsal';

interface Delivering {
  readonly person?: Person;
  /** Before each delivery, beginning with 1. */
  readonly before?: (delivery: number) => void;
  /** What EC2 answers to a dry run of an attach. */
  readonly attach?: 'allowed' | 'denied';
}

/** Delivers what is queued to functions/failover, each in an invocation of its own, until the drill is over. */
async function drill(
  world: World,
  options: Partial<DrillOptions> = {},
  { person = nobody, before = () => undefined, attach = 'allowed' }: Delivering = {},
): Promise<Answer> {
  let ended = false;
  const answer = drillCommand(ordersDb, { reason, ...options }, contextOf(world, { person }));
  const end = () => {
    ended = true;
  };
  answer.then(end, end);
  for (let turn = 0, delivery = 0; !ended && turn < 10_000; turn += 1) {
    await world.clock.advance(50);
    const next = world.queue.waiting()[0];
    if (!next || next.dueAtMs > world.clock.now()) continue;
    world.queue.take();
    delivery += 1;
    before(delivery);
    const { ports, run } = world.worker();
    const { service, hint } = next.message;
    const answered = async (order: Parameters<typeof ports.ec2.rehearse>[0]) =>
      (await ports.ec2.rehearse(order)).map((each) =>
        each.action === 'AttachNetworkInterface' && attach === 'denied'
          ? { ...each, answer: attach, detail: 'UnauthorizedOperation' }
          : each,
      );
    const work =
      hint.kind === 'canary'
        ? rehearse({ ...ports, ec2: { ...ports.ec2, rehearse: answered } }, service, hint.drill)
        : restore(ports, next.message, run);
    await world.run(work);
  }
  return world.run(answer);
}

describe('a drill', () => {
  it('shows every member and every call, and changes nothing', async () => {
    const world = await makeWorld(one);
    world.ec2.setState(c, 'stopped');
    const answer = await drill(world);
    expect(seen(answer, narrow)).toMatchInlineSnapshot(`
      "
      orders-db: ready for a failover

      holder   i-0aaaaaaaaaaaaaaa1
      standby  i-0bbbbbbbbbbbbbbb2  eligible
               i-0ccccccccccccccc3  NOT_RUNNING: it is stopped → start it

      Dry runs
      DetachNetworkInterface           allowed, 2 of 2
      AttachNetworkInterface           allowed, 2 of 2
      ModifyNetworkInterfaceAttribute  allowed, 2 of 2
      "
    `);
    expect(answer).toMatchObject({ outcome: 'done', data: { code: null, ready: true, move: null } });
    expect(world.holder()).toBe(a);
    expect(world.records('drill')).toHaveLength(1);
  });

  it('calls a human where no standby could take over', async () => {
    const world = await makeWorld({ ...one, members: [a, b] });
    world.ec2.setState(b, 'stopped');
    const answer = await drill(world);
    expect(answer).toMatchObject({ outcome: 'needs-human', data: { code: 'NOT_READY', ready: false } });
    expect(seen(answer, narrow)).toMatchInlineSnapshot(`
      "
      orders-db: NOT_READY: a failover would NOT work now

      holder   i-0aaaaaaaaaaaaaaa1
      standby  i-0bbbbbbbbbbbbbbb2  NOT_RUNNING: it is stopped → start it

      Dry runs
      DetachNetworkInterface           allowed, 1 of 1
      AttachNetworkInterface           allowed, 1 of 1
      ModifyNetworkInterfaceAttribute  allowed, 1 of 1

      Every reason:  eni-failover explain orders-db
      "
    `);
  });

  it('calls a human where a failover would not happen, however well it would work, and moves nothing', async () => {
    const world = await makeWorld(one);
    const by = { author: 'ann', reason: 'maintenance' };
    await world.run(pauseService(world.ports, ordersDb, { ...by, forMs: 3_600_000 }));
    await world.run(setMode(world.ports, ordersDb, 'observe', by));
    const answer = await drill(world, { move: true, yes: true });
    expect(answer).toMatchObject({
      outcome: 'needs-human',
      data: { code: 'PAUSED', ready: true, move: null },
    });
    expect(seen(answer, narrow)).toMatchInlineSnapshot(`
      "
      orders-db: PAUSED: it would work, but a failover would NOT happen now; nothing was moved
      why  by ann until 2026-11-21T03:01:00.256Z: maintenance

      hindrance  PAUSED: by ann until 2026-11-21T03:01:00.256Z: maintenance → resume
                 it
                 OBSERVE_ONLY: it would have moved to i-0bbbbbbbbbbbbbbb2 → set
                 policy.mode to act
      holder     i-0aaaaaaaaaaaaaaa1
      standby    i-0bbbbbbbbbbbbbbb2  eligible
                 i-0ccccccccccccccc3  eligible

      Ways out
        eni-failover resume orders-db --reason '...'
        eni-failover mode orders-db act --reason '...'

      Dry runs
      DetachNetworkInterface           allowed, 2 of 2
      AttachNetworkInterface           allowed, 2 of 2
      ModifyNetworkInterfaceAttribute  allowed, 2 of 2
      "
    `);
    expect(world.records('drill')).toMatchObject([{ outcome: 'DRILL_PASSED' }]);
    expect(world.records('episode')).toEqual([]);
  });

  it('says of the holder that it has failed', async () => {
    const world = await makeWorld(one);
    world.ec2.impair(a);
    expect(seen(await drill(world), narrow)).toContain(`holder   ${a}  failed: system check impaired`);
  });

  it('says nothing of moving where nobody asked for a move', async () => {
    const world = await makeWorld(one);
    await world.run(pauseService(world.ports, ordersDb, { author: 'ann', reason: 'x', forMs: 60_000 }));
    expect(seen(await drill(world))).not.toContain('nothing was moved');
  });

  it('calls a human where EC2 would refuse a call', async () => {
    const world = await makeWorld(one);
    const answer = await drill(world, {}, { attach: 'denied' });
    expect(answer).toMatchObject({ outcome: 'needs-human', data: { code: 'DRILL_FAILED', ready: true } });
    expect(seen(answer, narrow)).toMatchInlineSnapshot(`
      "
      orders-db: DRILL_FAILED: a failover would NOT work as it should
      why  what EC2 refuses in a dry run it refuses in an outage: check the role and
           the tags

      holder   i-0aaaaaaaaaaaaaaa1
      standby  i-0bbbbbbbbbbbbbbb2  eligible
               i-0ccccccccccccccc3  eligible

      Dry runs
      DetachNetworkInterface           allowed, 2 of 2
      AttachNetworkInterface           denied: eni-0aaaaaaaaaaaaaa01 to
                                       i-0bbbbbbbbbbbbbbb2: UnauthorizedOperation
                                       denied: eni-0aaaaaaaaaaaaaa01 to
                                       i-0ccccccccccccccc3: UnauthorizedOperation
      ModifyNetworkInterfaceAttribute  allowed, 2 of 2
      "
    `);
  });

  it('says so when functions/failover does not answer', async () => {
    const world = await makeWorld(one);
    const answer = await world.run(drillCommand(ordersDb, { reason }, contextOf(world)));
    expect(answer).toMatchObject({
      outcome: 'needs-human',
      data: { code: 'NO_DRY_RUNS', rehearsed: null },
    });
    expect(seen(answer, narrow)).toMatchInlineSnapshot(`
      "
      orders-db: NO_DRY_RUNS: functions/failover did not answer
      why  look at its log and at the dead-letter queues

      holder   i-0aaaaaaaaaaaaaaa1
      standby  i-0bbbbbbbbbbbbbbb2  eligible
               i-0ccccccccccccccc3  eligible
      "
    `);
  });

  it('of a service that is not there has the same keys', async () => {
    const world = await makeWorld(one);
    const nope = await world.run(drillCommand('nope' as ServiceName, { reason }, contextOf(world)));
    expect(nope).toMatchObject({ outcome: 'refused', data: { code: 'NO_SUCH_SERVICE' } });
    expect(Object.keys(nope.data)).toEqual(Object.keys((await drill(world)).data));
  });
});

describe('a drill that moves', () => {
  it('asks, goes there and back, and puts both gaps on record', async () => {
    const world = await makeWorld(one);
    const person = makePerson([ordersDb]);
    const answer = await drill(world, { move: true }, { person });
    expect(`\n${person.said.join('\n')}\n`).toMatchInlineSnapshot(`
      "
      drill: orders-db goes from i-0aaaaaaaaaaaaaaa1 to i-0bbbbbbbbbbbbbbb2, and back

      holder   i-0aaaaaaaaaaaaaaa1
      standby  i-0bbbbbbbbbbbbbbb2  eligible
               i-0ccccccccccccccc3  eligible

      What will happen
      detach      eni-0aaaaaaaaaaaaaa01 from i-0aaaaaaaaaaaaaaa1
      attach      eni-0aaaaaaaaaaaaaa01 at device index 1 to i-0bbbbbbbbbbbbbbb2
      twice       the same again for the way back to i-0aaaaaaaaaaaaaaa1
      interrupts  the addresses of eni-0aaaaaaaaaaaaaa01 answer nobody from the detach
                  to the attach; connections over them may break

      To go on, type the name of the service (orders-db): 
      "
    `);
    expect(seen(answer, narrow)).toMatchInlineSnapshot(`
      "
      orders-db: moved there and back

      Before it was moved
      holder   i-0aaaaaaaaaaaaaaa1
      standby  i-0bbbbbbbbbbbbbbb2  eligible
               i-0ccccccccccccccc3  eligible

      Dry runs
      DetachNetworkInterface           allowed, 2 of 2
      AttachNetworkInterface           allowed, 2 of 2
      ModifyNetworkInterfaceAttribute  allowed, 2 of 2

      Moved for real
      there  i-0aaaaaaaaaaaaaaa1 → i-0bbbbbbbbbbbbbbb2: COMPLETED, gap 4.2 s
             (orders-db.1)
      back   i-0bbbbbbbbbbbbbbb2 → i-0aaaaaaaaaaaaaaa1: COMPLETED, gap 4.3 s
             (orders-db.2)
      "
    `);
    expect(answer).toMatchObject({
      outcome: 'done',
      data: { code: null, move: { from: a, to: b, there: { to: b }, back: { to: a } } },
    });
    expect(world.holder()).toBe(a);
    expect(world.records('drill').at(-1)).toMatchObject({ there: { to: b }, back: { to: a } });
  });

  it('goes to the standby that is named', async () => {
    const world = await makeWorld(one);
    const answer = await drill(world, { move: true, to: c, yes: true });
    expect(answer).toMatchObject({ outcome: 'done', data: { move: { to: c } } });
  });

  it('does not begin when another name is typed', async () => {
    const world = await makeWorld(one);
    const answer = await drill(world, { move: true }, { person: makePerson(['no']) });
    expect(answer).toMatchObject({ outcome: 'refused', data: { code: 'OTHER_NAME', move: null } });
    expect(world.episodes()).toEqual([]);
  });

  it('does not begin where a failover would not work', async () => {
    const world = await makeWorld({ ...one, members: [a, b] });
    world.ec2.setState(b, 'stopped');
    const answer = await drill(world, { move: true, yes: true });
    expect(answer).toMatchObject({ outcome: 'needs-human', data: { code: 'NOT_READY', move: null } });
  });

  it('says where the service is and how to bring it back when the way back is refused', async () => {
    const world = await makeWorld({ ...one, members: [a, b] });
    // Once it has left, the first member does not come back.
    const before = (delivery: number) => {
      if (delivery > 2 && world.holder() === b) world.ec2.setState(a, 'stopped');
    };
    const answer = await drill(world, { move: true, yes: true }, { before });
    expect(answer).toMatchObject({
      outcome: 'needs-human',
      data: { code: 'NOT_BACK', move: { there: { outcome: 'COMPLETED' }, back: null } },
    });
    expect(seen(answer, narrow)).toMatchInlineSnapshot(`
      "
      orders-db: NOT_BACK: it is on i-0bbbbbbbbbbbbbbb2, not on i-0aaaaaaaaaaaaaaa1
      why  REQUEST_REFUSED: the switchover was not carried out, nothing was moved;
           i-0aaaaaaaaaaaaaaa1 may not take the interfaces; i-0aaaaaaaaaaaaaaa1:
           NOT_RUNNING (it is stopped)

      Before it was moved
      holder   i-0aaaaaaaaaaaaaaa1
      standby  i-0bbbbbbbbbbbbbbb2  eligible

      Dry runs
      DetachNetworkInterface           allowed, 1 of 1
      AttachNetworkInterface           allowed, 1 of 1
      ModifyNetworkInterfaceAttribute  allowed, 1 of 1

      Moved for real
      there  i-0aaaaaaaaaaaaaaa1 → i-0bbbbbbbbbbbbbbb2: COMPLETED, gap 4.2 s
             (orders-db.1)
      back   i-0bbbbbbbbbbbbbbb2 → i-0aaaaaaaaaaaaaaa1: not made

      Bring it back:  eni-failover switchover orders-db --to i-0aaaaaaaaaaaaaaa1 --reason '...'
      "
    `);
    expect(world.holder()).toBe(b);
  });
});
