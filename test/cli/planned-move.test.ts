/** Proves what plan, switchover and failback show, ask, do and say, up to the end that is waited for. */
import { describe, expect, it } from 'vitest';
import type { Answer } from '../../cli/answer.ts';
import { failbackCommand } from '../../cli/failback.ts';
import { planCommand } from '../../cli/plan.ts';
import { switchoverCommand } from '../../cli/switchover.ts';
import { pauseService } from '../../shared/app/operate.ts';
import type { InstanceId, ServiceName } from '../../shared/core/ids.ts';
import { sweeping } from '../app/sweeping.ts';
import { a, b, c, makeWorld, ordersDb, stranger, type World, type WorldOptions } from '../fakes/world.ts';
import { contextOf, makeFakeScreen, makePerson, narrow, seen } from './screen.ts';

const one: WorldOptions = { interfaces: ['eni-0aaaaaaaaaaaaaa01' as never] };

/** Lets a command run until what it asks for is queued. */
async function begun(world: World, answer: Promise<Answer>): Promise<void> {
  answer.catch(() => undefined);
  for (let i = 0; i < 100 && world.queue.waiting().length === 0; i += 1) await world.clock.advance(50);
}

/** Runs a command while the queue is delivered, as it is while people wait. */
async function during(world: World, answer: Promise<Answer>): Promise<Answer> {
  await begun(world, answer);
  await world.settle();
  return world.run(answer);
}

const plan = (world: World, to?: InstanceId, name = ordersDb) =>
  world.run(planCommand(name, to, contextOf(world)));

const patching = { to: b, reason: 'patching', yes: true } as const;

describe('plan', () => {
  it('shows what would happen if the holder failed now', async () => {
    const world = await makeWorld();
    world.ec2.setState(c, 'stopped');
    const answer = await plan(world);
    expect(answer).toMatchObject({ outcome: 'done', data: { service: ordersDb, code: null } });
    expect(seen(answer, narrow)).toMatchInlineSnapshot(`
      "
      orders-db would move to i-0bbbbbbbbbbbbbbb2, if i-0aaaaaaaaaaaaaaa1 failed now

      holder   i-0aaaaaaaaaaaaaaa1
      standby  i-0bbbbbbbbbbbbbbb2  eligible
               i-0ccccccccccccccc3  NOT_RUNNING

      What will happen
      detach      eni-0aaaaaaaaaaaaaa01, eni-0aaaaaaaaaaaaaa02 from
                  i-0aaaaaaaaaaaaaaa1, by force if it hangs
      attach      eni-0aaaaaaaaaaaaaa01 at device index 1, eni-0aaaaaaaaaaaaaa02 at
                  device index 2 to i-0bbbbbbbbbbbbbbb2
      interrupts  the addresses of eni-0aaaaaaaaaaaaaa01, eni-0aaaaaaaaaaaaaa02 answer
                  nobody from the detach to the attach; connections over them may
                  break
      "
    `);
  });

  it('shows what a switchover would do, with the hooks that run', async () => {
    const world = await makeWorld({
      ...one,
      hooks: {
        before: [{ function: 'eni-failover-hook-drain', deadline: '30s' }],
        after: [
          {
            document: 'promote-replica',
            on: 'target',
            parameters: { Token: ['@token@'], Epoch: ['@epoch@'] },
          },
        ],
      },
    });
    expect(seen(await plan(world, b), narrow)).toMatchInlineSnapshot(`
      "
      orders-db would move to i-0bbbbbbbbbbbbbbb2

      holder   i-0aaaaaaaaaaaaaaa1
      standby  i-0bbbbbbbbbbbbbbb2  eligible
               i-0ccccccccccccccc3  eligible

      What will happen
      before.0    function eni-failover-hook-drain, within 30s; else page
      detach      eni-0aaaaaaaaaaaaaa01 from i-0aaaaaaaaaaaaaaa1
      attach      eni-0aaaaaaaaaaaaaa01 at device index 1 to i-0bbbbbbbbbbbbbbb2
      after.0     document promote-replica on the target, within 1m; else page
      interrupts  the addresses of eni-0aaaaaaaaaaaaaa01 answer nobody from the detach
                  to the attach; connections over them may break
      "
    `);
  });

  it('says of the holder that it has failed, on its line', async () => {
    const world = await makeWorld(one);
    world.ec2.impair(a);
    expect(seen(await plan(world), narrow)).toContain(`holder   ${a}  failed: system check impaired`);
  });

  it('says that a stranded service is down within the width of the terminal', async () => {
    const world = await makeWorld({ members: [a, b] });
    world.ec2.impair(a);
    for (const id of [a, b]) world.ec2.refuseAttach(id);
    await world.look(world.alarm(a));
    const [headline = ''] = seen(await plan(world), narrow)
      .trim()
      .split('\n\n');
    expect(headline).toMatch(/^orders-db is STRANDED since .*\n[\s\S]*next try to i-0bbbbbbbbbbbbbbb2$/);
    expect(Math.max(...headline.split('\n').map((each) => each.length))).toBeLessThanOrEqual(80);
  });

  it('gives programs the commands as they are typed here', async () => {
    const world = await makeWorld(one);
    await world.run(pauseService(world.ports, ordersDb, { author: 'ann', reason: 'upgrade', forMs: 60_000 }));
    const context = contextOf(world, { say: (command) => `npm run cli -- ${command}` });
    const { data } = await world.run(planCommand(ordersDb, undefined, context));
    expect(data).toMatchObject({
      plan: { reasons: [{ command: "npm run cli -- resume orders-db --reason '...'" }] },
    });
  });

  it('says every reason against it, and the command that ends it', async () => {
    const world = await makeWorld(one);
    await world.run(pauseService(world.ports, ordersDb, { author: 'ann', reason: 'upgrade', forMs: 60_000 }));
    world.ec2.setState(b, 'stopped');
    world.ec2.setState(c, 'stopped');
    const answer = await plan(world);
    expect(answer).toMatchObject({
      outcome: 'refused',
      // On standard output: a no is what was asked for.
      isAskedFor: true,
      data: { code: 'PAUSED', plan: { wouldMove: false } },
    });
    expect(seen(answer, narrow)).toMatchInlineSnapshot(`
      "
      orders-db would NOT fail over now

      Why not
      PAUSED       by ann until 2026-11-21T02:02:00.256Z: upgrade → resume it
      NOT_RUNNING  i-0bbbbbbbbbbbbbbb2: it is stopped → start it
                   i-0ccccccccccccccc3: it is stopped → start it

      Ways out
        eni-failover resume orders-db --reason '...'

      holder   i-0aaaaaaaaaaaaaaa1
      standby  i-0bbbbbbbbbbbbbbb2  NOT_RUNNING
               i-0ccccccccccccccc3  NOT_RUNNING
      "
    `);
    expect(seen(await plan(world, b), narrow)).toMatchInlineSnapshot(`
      "
      orders-db would NOT move to i-0bbbbbbbbbbbbbbb2

      Why not
      PAUSED       by ann until 2026-11-21T02:02:00.256Z: upgrade → resume it
      NOT_RUNNING  i-0bbbbbbbbbbbbbbb2: it is stopped → start it

      Ways out
        eni-failover resume orders-db --reason '...'

      holder   i-0aaaaaaaaaaaaaaa1
      standby  i-0bbbbbbbbbbbbbbb2  NOT_RUNNING
               i-0ccccccccccccccc3  NOT_RUNNING
      "
    `);
  });

  it('has the same keys when nobody knows the service', async () => {
    const world = await makeWorld();
    const known = await plan(world);
    const unknown = await plan(world, undefined, 'nope' as ServiceName);
    expect(unknown).toMatchObject({ outcome: 'refused', data: { code: 'NO_SUCH_SERVICE', plan: null } });
    expect(Object.keys(unknown.data)).toEqual(Object.keys(known.data));
    expect(seen(unknown)).toMatchInlineSnapshot(`
      "
      nothing was done (NO_SUCH_SERVICE): nope is not registered

      What is registered:  eni-failover status
      "
    `);
  });
});

describe('switchover', () => {
  it('shows the plan, asks for the name, and moves', async () => {
    const world = await makeWorld(one);
    const person = makePerson(['orders-db']);
    const options = { to: b, reason: 'patching', wait: true } as const;
    const answer = await during(world, switchoverCommand(ordersDb, options, contextOf(world, { person })));
    expect(`\n${person.said.join('\n')}\n`).toMatchInlineSnapshot(`
      "
      switchover of orders-db from i-0aaaaaaaaaaaaaaa1 to i-0bbbbbbbbbbbbbbb2

      holder   i-0aaaaaaaaaaaaaaa1
      standby  i-0bbbbbbbbbbbbbbb2  eligible
               i-0ccccccccccccccc3  eligible

      What will happen
      detach      eni-0aaaaaaaaaaaaaa01 from i-0aaaaaaaaaaaaaaa1
      attach      eni-0aaaaaaaaaaaaaa01 at device index 1 to i-0bbbbbbbbbbbbbbb2
      interrupts  the addresses of eni-0aaaaaaaaaaaaaa01 answer nobody from the detach
                  to the attach; connections over them may break

      To go on, type the name of the service (orders-db): 
      "
    `);
    expect([...new Set(person.shown)]).toMatchInlineSnapshot(`
      [
        "switchover to i-0bbbbbbbbbbbbbbb2 is asked for (0 s)",
        "switchover orders-db.1 is DETACHING after 0 s: detach eni-0aaaaaaaaaaaaaa01 eni-attach-00000000000000005",
        "switchover orders-db.1 is DETACHING after 1 s: detach eni-0aaaaaaaaaaaaaa01 eni-attach-00000000000000005",
        "switchover orders-db.1 is DETACHING after 2 s: detach eni-0aaaaaaaaaaaaaa01 eni-attach-00000000000000005",
        "switchover orders-db.1 is ATTACHING after 3 s: attach eni-0aaaaaaaaaaaaaa01 i-0bbbbbbbbbbbbbbb2",
        "switchover orders-db.1 is ATTACHING after 4 s: attach eni-0aaaaaaaaaaaaaa01 i-0bbbbbbbbbbbbbbb2",
        "",
      ]
    `);
    expect(seen(answer, narrow)).toMatchInlineSnapshot(`
      "
      COMPLETED: orders-db is on i-0bbbbbbbbbbbbbbb2
      episode  orders-db.1, record 3 of the trail
      gap      4.2 s from the first detach to the last attach

      Step by step:  eni-failover show orders-db.1
      "
    `);
    expect(answer).toMatchObject({
      outcome: 'done',
      data: { code: null, from: a, to: b, end: { outcome: 'COMPLETED', from: a, to: b } },
    });
    expect(world.holder()).toBe(b);
  });

  it.each([
    [['orders'], 'OTHER_NAME'],
    [[], 'CALLED_OFF'],
  ])('does nothing if %j is typed', async (typed, code) => {
    const world = await makeWorld(one);
    const context = contextOf(world, { person: makePerson(typed) });
    const answer = await world.run(switchoverCommand(ordersDb, { to: b, reason: 'patching' }, context));
    expect(answer).toMatchObject({ outcome: 'refused', data: { code, request: null } });
    expect(world.service().request).toBeUndefined();
    expect(world.kinds()).toEqual([]);
  });

  it('without waiting only asks for it, and says how to watch', async () => {
    const world = await makeWorld(one);
    const answer = await world.run(switchoverCommand(ordersDb, patching, contextOf(world)));
    expect(answer).toMatchObject({ outcome: 'done', data: { end: null } });
    expect(seen(answer, narrow)).toMatchInlineSnapshot(`
      "
      switchover of orders-db to i-0bbbbbbbbbbbbbbb2 is asked for, and begins within seconds

      Watch it:  eni-failover watch orders-db
      "
    `);
    expect(world.service().request).toMatchObject({ kind: 'switchover', target: b, reason: 'patching' });
  });

  it('is refused, and nobody is asked, where it would not be carried out', async () => {
    const world = await makeWorld(one);
    world.ec2.setState(b, 'stopped');
    const person = makePerson();
    const answer = await world.run(
      switchoverCommand(ordersDb, { to: b, reason: 'patching' }, contextOf(world, { person })),
    );
    expect(person.said).toEqual([]);
    expect(answer).toMatchObject({ outcome: 'refused', data: { code: 'NOT_RUNNING' } });
    expect(seen(answer, narrow)).toMatchInlineSnapshot(`
      "
      nothing was done (NOT_RUNNING)

      Why not
      NOT_RUNNING  i-0bbbbbbbbbbbbbbb2: it is stopped → start it
      "
    `);
  });

  it('is refused where the target is no member', async () => {
    const world = await makeWorld(one);
    const options = { ...patching, to: stranger };
    const answer = await world.run(switchoverCommand(ordersDb, options, contextOf(world)));
    expect(answer).toMatchObject({ outcome: 'refused', data: { code: 'NOT_A_MEMBER' } });
  });

  it('is wrong usage where nobody can be asked', async () => {
    const world = await makeWorld(one);
    const answer = switchoverCommand(ordersDb, { to: b, reason: 'patching' }, contextOf(world));
    await expect(answer).rejects.toMatchObject({ outcome: 'usage' });
  });

  it('says so when functions/failover would not, after all', async () => {
    const world = await makeWorld(one);
    const answer = switchoverCommand(ordersDb, { ...patching, wait: true }, contextOf(world));
    await begun(world, answer);
    world.ec2.setState(b, 'stopped');
    await world.settle();
    const ended = await world.run(answer);
    expect(ended).toMatchObject({ outcome: 'refused', data: { code: 'REQUEST_REFUSED', end: null } });
    expect(seen(ended, narrow)).toMatchInlineSnapshot(`
      "
      REQUEST_REFUSED: the switchover was not carried out, nothing was moved
      why  i-0bbbbbbbbbbbbbbb2 may not take the interfaces; i-0bbbbbbbbbbbbbbb2:
           NOT_RUNNING (it is stopped)

      How it is:  eni-failover status orders-db
      "
    `);
    expect(world.holder()).toBe(a);
  });

  it('calls a human when no member took the interfaces', async () => {
    const world = await makeWorld({ ...one, members: [a, b] });
    world.ec2.refuseAttach(b);
    const answer = await during(
      world,
      switchoverCommand(ordersDb, { ...patching, wait: true }, contextOf(world)),
    );
    expect(answer).toMatchObject({ outcome: 'needs-human', data: { code: 'RETURNED_TO_SOURCE' } });
    expect(seen(answer, narrow)).toMatchInlineSnapshot(`
      "
      RETURNED_TO_SOURCE: orders-db needs a human
      why      no standby took the interfaces; they are back on the source: no other
               member took the interfaces
      episode  orders-db.1, record 3 of the trail
      gap      4.6 s from the first detach to the last attach

      How it is:  eni-failover status orders-db
      "
    `);
  });

  it('says what came first when the holder fails meanwhile', async () => {
    const world = await makeWorld(one);
    const answer = switchoverCommand(ordersDb, { ...patching, to: c, wait: true }, contextOf(world));
    await begun(world, answer);
    world.ec2.impair(a);
    await world.look(world.alarm(a));
    await world.settle();
    const ended = await world.run(answer);
    expect(ended).toMatchObject({
      outcome: 'refused',
      data: { code: 'SUPERSEDED', end: { kind: 'failover' } },
    });
    expect(seen(ended, narrow)).toMatchInlineSnapshot(`
      "
      SUPERSEDED: a failover of orders-db came before the switchover
      why      it ended as COMPLETED on i-0bbbbbbbbbbbbbbb2: every interface was seen
               attached to the target
      episode  orders-db.1, record 3 of the trail
      gap      3.5 s from the first detach to the last attach

      How it is:  eni-failover status orders-db
      "
    `);
  });

  it('says what is known when nobody takes it up in time', async () => {
    const world = await makeWorld(one);
    const options = { ...patching, wait: true, timeout: 60_000 } as const;
    const answer = await world.run(switchoverCommand(ordersDb, options, contextOf(world)));
    expect(answer).toMatchObject({
      outcome: 'needs-human',
      data: { code: 'NOT_SEEN_TO_THE_END', end: null },
    });
    expect(seen(answer, narrow)).toMatchInlineSnapshot(`
      "
      NOT_SEEN_TO_THE_END: look how the switchover of orders-db goes on
      why  not at its end after 60 s

      How it is:  eni-failover status orders-db
      "
    `);
  });

  it('goes on by itself when the waiting is ended by hand', async () => {
    const world = await makeWorld(one);
    const screen = makeFakeScreen();
    const answer = switchoverCommand(ordersDb, { ...patching, wait: true }, contextOf(world, { screen }));
    await begun(world, answer);
    screen.stopping.abort();
    expect(await world.run(answer)).toMatchObject({ data: { code: 'NOT_SEEN_TO_THE_END' } });
    await world.settle();
    expect(world.holder()).toBe(b);
  });

  it('waits on while the table does not answer for a moment', async () => {
    const world = await makeWorld(one);
    const answer = switchoverCommand(ordersDb, { ...patching, wait: true }, contextOf(world));
    await begun(world, answer);
    world.store.goDown();
    await world.clock.advance(3_000);
    world.store.comeBack();
    await world.settle();
    expect(await world.run(answer)).toMatchObject({ outcome: 'done' });
  });

  it('has the same keys whatever the outcome', async () => {
    const world = await makeWorld(one);
    const gone = await world.run(switchoverCommand('nope' as ServiceName, patching, contextOf(world)));
    const done = await world.run(switchoverCommand(ordersDb, patching, contextOf(world)));
    expect(gone).toMatchObject({ outcome: 'refused', data: { code: 'NO_SUCH_SERVICE' } });
    expect(Object.keys(gone.data)).toEqual(Object.keys(done.data));
  });
});

describe('failback', () => {
  /** On the second member, and the preferred one seen eligible by a sweep since then. */
  async function awayFromHome(): Promise<World> {
    const world = await makeWorld(one);
    await world.askFor(b);
    await world.settle();
    await sweeping(world).later();
    return world;
  }
  const repaired = { reason: 'repaired', yes: true, wait: true } as const;

  it('goes to the member that is declared first, once it was well long enough', async () => {
    const world = await awayFromHome();
    await world.clock.advance(10 * 60_000);
    const answer = await during(world, failbackCommand(ordersDb, repaired, contextOf(world)));
    expect(answer).toMatchObject({ outcome: 'done', data: { from: b, to: a, end: { kind: 'failback' } } });
    expect(world.holder()).toBe(a);
  });

  it('is refused before that, nobody is asked, and what can be done at once is said', async () => {
    const world = await awayFromHome();
    const person = makePerson();
    const answer = await world.run(
      failbackCommand(ordersDb, { reason: 'repaired' }, contextOf(world, { person })),
    );
    expect(person.said).toEqual([]);
    expect(answer).toMatchObject({ outcome: 'refused', data: { code: 'NOT_LONG_ENOUGH' } });
    expect(seen(answer, narrow)).toMatchInlineSnapshot(`
      "
      nothing was done (NOT_LONG_ENOUGH): i-0aaaaaaaaaaaaaaa1 may have it back from 2026-11-21 02:12:16Z

      Sooner:  eni-failover switchover orders-db --to i-0aaaaaaaaaaaaaaa1 --reason '...'
      "
    `);
  });

  it('to a member with reasons of its own names those, for no time passes before they end', async () => {
    const world = await makeWorld(one);
    world.ec2.impair(a);
    await world.look(world.alarm(a));
    const answer = await world.run(failbackCommand(ordersDb, repaired, contextOf(world)));
    expect(answer).toMatchObject({ outcome: 'refused', data: { code: 'CHECKS_FAILED' } });
    expect(seen(answer, narrow)).toMatchInlineSnapshot(`
      "
      nothing was done (CHECKS_FAILED)

      Why not
      CHECKS_FAILED  i-0aaaaaaaaaaaaaaa1: system check impaired → repair or replace it
      QUARANTINED    i-0aaaaaaaaaaaaaaa1: failed in orders-db.1: system check impaired
                     → acknowledge it

      Ways out
        eni-failover member replace orders-db i-0aaaaaaaaaaaaaaa1 i-... --reason '...'
        eni-failover ack orders-db --member i-0aaaaaaaaaaaaaaa1 --reason '...'
      "
    `);
  });

  it('is refused where it is there already', async () => {
    const world = await makeWorld(one);
    const answer = await world.run(failbackCommand(ordersDb, repaired, contextOf(world)));
    expect(answer).toMatchObject({ outcome: 'refused', data: { code: 'ALREADY_HOLDER' } });
    expect(seen(answer, narrow)).toMatchInlineSnapshot(`
      "
      nothing was done (ALREADY_HOLDER)

      Why not
      ALREADY_HOLDER  i-0aaaaaaaaaaaaaaa1 has the interfaces of orders-db already →
                      nothing to do
      "
    `);
  });
});
