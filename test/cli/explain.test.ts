/** Proves what `explain` says to whoever asks whether the service would fail over, and how they can make it do so. */
import { describe, expect, it } from 'vitest';
import { explainCommand } from '../../cli/explain.ts';
import { parseMoment } from '../../cli/moment.ts';
import { pauseService } from '../../shared/app/operate.ts';
import type { Past } from '../../shared/core/explain-at.ts';
import type { ServiceName } from '../../shared/core/ids.ts';
import { a, b, c, front, makeWorld, management, ordersDb, servingAlarm, type World } from '../fakes/world.ts';
import { connectionTo, contextOf, narrow, pipe, seen } from './screen.ts';

const explain = (world: World, name = ordersDb) => world.run(explainCommand(name, {}, contextOf(world)));
const wide = { ...narrow, columns: 120 };

describe('explain', () => {
  it('says where a service would go, in which steps, and who would be next', async () => {
    const world = await makeWorld({
      policy: { fence: 'stop' },
      hooks: { after: [{ document: 'promote-replica', on: 'target' }] },
      serving: { alarm: servingAlarm },
    });
    const answer = await explain(world);
    expect(answer).toMatchObject({
      outcome: 'done',
      data: { wouldMove: true, holder: a, target: b, reasons: [], past: null, code: null },
    });
    expect(seen(answer, narrow)).toMatchInlineSnapshot(`
      "
      would fail over now, to i-0bbbbbbbbbbbbbbb2
        holder     i-0aaaaaaaaaaaaaaa1  healthy
        fence      a failed source is stopped, within 2m; else page
        detach     eni-0aaaaaaaaaaaaaa01, eni-0aaaaaaaaaaaaaa02 from
                   i-0aaaaaaaaaaaaaaa1, by force if it hangs
        attach     eni-0aaaaaaaaaaaaaa01 at device index 1, eni-0aaaaaaaaaaaaaa02 at
                   device index 2 to i-0bbbbbbbbbbbbbbb2
        after.0    document promote-replica on the target, within 1m; else page
        serving    alarm orders-db-serves is OK within 2m
        meanwhile  the addresses of eni-0aaaaaaaaaaaaaa01, eni-0aaaaaaaaaaaaaa02
                   answer nobody from the detach to the attach; connections over them
                   may break
        next       i-0ccccccccccccccc3  eligible
      "
    `);
  });

  it('names every reason in the way, and the command that ends it', async () => {
    const world = await makeWorld();
    world.ec2.impair(a);
    await world.look(world.alarm(a));
    await world.clock.advance(6 * 60_000);
    world.ec2.setState(c, 'stopped');
    const answer = await explain(world);
    expect(answer).toMatchObject({ outcome: 'done', data: { wouldMove: false, holder: b, target: null } });
    expect(seen(answer, narrow)).toMatchInlineSnapshot(`
      "
      would NOT fail over now
        CHECKS_FAILED  i-0aaaaaaaaaaaaaaa1  system check impaired
                                            eni-failover member replace orders-db i-0aaaaaaaaaaaaaaa1 i-... --reason '...'
        QUARANTINED    i-0aaaaaaaaaaaaaaa1  failed in orders-db.1: system check
                                            impaired, 6 min ago, until acknowledged
                                            eni-failover ack orders-db --member i-0aaaaaaaaaaaaaaa1 --reason '...'
        NOT_RUNNING    i-0ccccccccccccccc3  it is stopped
                                            aws ec2 start-instances --instance-ids i-0ccccccccccccccc3
      "
    `);
    expect(seen(answer, wide)).toMatchInlineSnapshot(`
      "
      would NOT fail over now
        CHECKS_FAILED  i-0aaaaaaaaaaaaaaa1  system check impaired
                                            eni-failover member replace orders-db i-0aaaaaaaaaaaaaaa1 i-... --reason '...'
        QUARANTINED    i-0aaaaaaaaaaaaaaa1  failed in orders-db.1: system check impaired, 6 min ago, until acknowledged
                                            eni-failover ack orders-db --member i-0aaaaaaaaaaaaaaa1 --reason '...'
        NOT_RUNNING    i-0ccccccccccccccc3  it is stopped
                                            aws ec2 start-instances --instance-ids i-0ccccccccccccccc3
      "
    `);
  });

  it('says first that a stranded service is down, and what is tried next', async () => {
    const world = await makeWorld({ members: [a, b] });
    world.ec2.impair(a);
    world.ec2.refuseAttach(b);
    world.ec2.refuseAttach(a);
    await world.look(world.alarm(a));
    const answer = await explain(world);
    expect(answer.data).toMatchObject({ wouldMove: true, stranded: { tries: 1, why: expect.any(String) } });
    expect(answer.text(pipe)).toMatch(
      /^STRANDED since 2026-11-21 02:01:03Z, eni-.*on nothing; tried 1 time; next try to i-0bbbbbbbbbbbbbbb2\n {2}why /,
    );
    const pause = { author: 'local:ann', reason: 'patching', forMs: 30 * 60_000 };
    await world.run(pauseService(world.ports, ordersDb, pause));
    expect((await explain(world)).text(pipe)).toMatch(/^STRANDED since .*; nothing can be tried now\n/);
  });

  it('puts the command beside the reason where there is room', async () => {
    const world = await makeWorld();
    const pause = { author: 'local:ann', reason: 'kernel upgrade', forMs: 30 * 60_000 };
    await world.run(pauseService(world.ports, ordersDb, pause));
    const answer = await explain(world);
    expect(seen(answer, wide)).toMatchInlineSnapshot(`
      "
      would NOT fail over now
        PAUSED  by local:ann: kernel upgrade  eni-failover resume orders-db --reason '...'
      "
    `);
    expect(answer.data['reasons']).toMatchObject([
      {
        code: 'PAUSED',
        member: null,
        detail: 'by local:ann: kernel upgrade',
        commands: ["eni-failover resume orders-db --reason '...'"],
      },
    ]);
  });

  it('says what is wrong with a holder that has failed and stays', async () => {
    const world = await makeWorld({ members: [a, b], policy: { mode: 'observe' } });
    world.ec2.impair(a);
    world.ec2.setState(b, 'stopped');
    expect(seen(await explain(world), narrow)).toMatchInlineSnapshot(`
      "
      would NOT fail over now
        holder        i-0aaaaaaaaaaaaaaa1  failed: system check impaired since
                                           2026-11-21 02:01:00Z (0 s ago)
        OBSERVE_ONLY  the service is in mode observe: it says what it would do, and
                      moves nothing
                      eni-failover mode orders-db act --reason '...'
        NOT_RUNNING   i-0bbbbbbbbbbbbbbb2  it is stopped
                                           aws ec2 start-instances --instance-ids i-0bbbbbbbbbbbbbbb2
      "
    `);
  });

  it('gives one command for each interface that somebody detached', async () => {
    const world = await makeWorld();
    world.ec2.detachByHand(front);
    expect(seen(await explain(world), narrow)).toMatchInlineSnapshot(`
      "
      partly on nothing: some of its addresses answer nobody
        DETACHED_BY_OTHERS  eni-0aaaaaaaaaaaaaa01 on nothing, the rest on
                            i-0aaaaaaaaaaaaaaa1 → attach them all to one member by
                            hand, then adopt
                            aws ec2 attach-network-interface --network-interface-id eni-0aaaaaaaaaaaaaa01 --instance-id i-0aaaaaaaaaaaaaaa1 --device-index 1 --network-card-index 0
                            eni-failover adopt orders-db --reason '...'
      "
    `);
  });

  it('says that nothing answers where a person left everything on nothing, with all that it takes', async () => {
    const world = await makeWorld();
    world.ec2.detachByHand(front);
    world.ec2.detachByHand(management);
    expect(seen(await explain(world), narrow)).toMatchInlineSnapshot(`
      "
      on nothing: its addresses answer nobody
        DETACHED_BY_OTHERS  eni-0aaaaaaaaaaaaaa01, eni-0aaaaaaaaaaaaaa02 on nothing →
                            attach them all to one member by hand, then adopt
                            aws ec2 attach-network-interface --network-interface-id eni-0aaaaaaaaaaaaaa01 --instance-id i-0aaaaaaaaaaaaaaa1 --device-index 1 --network-card-index 0
                            aws ec2 attach-network-interface --network-interface-id eni-0aaaaaaaaaaaaaa02 --instance-id i-0aaaaaaaaaaaaaaa1 --device-index 2 --network-card-index 0
                            eni-failover adopt orders-db --reason '...'
      "
    `);
  });

  it('says whom the next look brings to what a dead holder left on nothing', async () => {
    const world = await makeWorld();
    world.ec2.terminate(a);
    expect((await explain(world)).text(pipe)).toMatch(
      /^on nothing: its addresses answer nobody; the next look brings them to i-0bbbbbbbbbbbbbbb2\n/,
    );
  });

  it('says that a move is under way', async () => {
    const world = await makeWorld();
    world.ec2.impair(a);
    world.ec2.stick(front, 'forced-too');
    const { report } = world.begin(world.alarm(a));
    await world.clock.advance(4_000);
    expect((await explain(world)).text(pipe)).toMatch(
      /^is being moved now, i-0aaaaaaaaaaaaaaa1 → i-0bbbbbbbbbbbbbbb2\n {2}EPISODE_OPEN {2}/,
    );
    world.ec2.loosen(front);
    await world.run(report);
  });

  it('refuses a name that nobody registered, with the same keys', async () => {
    const world = await makeWorld();
    const answer = await explain(world, 'nope' as ServiceName);
    expect(answer).toMatchObject({ outcome: 'refused', data: { code: 'NO_SUCH_SERVICE' } });
    expect(answer.text(pipe)).toBe('nope is not registered. What is registered:  eni-failover status');
    expect(Object.keys(answer.data).sort()).toEqual(Object.keys((await explain(world)).data).sort());
  });
});

describe('explain at a past time', () => {
  const nothingKnown: Past = {
    verdict: 'watching',
    sentence: '',
    blockers: [],
    registered: null,
    holder: null,
    pause: null,
    controllerPause: null,
    quarantined: [],
    episode: null,
    lastEpisode: null,
    trouble: null,
    lastRefusal: null,
    lastObserved: null,
    readiness: null,
    next: null,
    unknown: [],
  };

  async function explainAt(time: string, status: number, body: unknown) {
    const world = await makeWorld();
    const asked: unknown[] = [];
    const audit = {
      get: async (...question: unknown[]) => {
        asked.push(question);
        return { status, body };
      },
    };
    const context = contextOf(world, { connect: async () => ({ ...connectionTo(world), audit }) });
    const answer = await world.run(explainCommand(ordersDb, { at: parseMoment(time) }, context));
    return { answer, asked };
  }

  it('asks the trail, and says which time was understood', async () => {
    const past = { ...nothingKnown, verdict: 'unknown' as const, sentence: 'The trail begins later.' };
    const at = '2026-11-20T02:11:00.000Z';
    const { answer, asked } = await explainAt('02:11', 200, { service: ordersDb, at, answer: past });
    expect(asked).toEqual([['v1/explain', { service: ordersDb, at }]]);
    expect(answer).toMatchObject({ outcome: 'done', data: { service: ordersDb, at, past, wouldMove: null } });
    expect(seen(answer, narrow)).toMatchInlineSnapshot(`
      "
      orders-db at 2026-11-20 02:11:00Z (24 h ago): nothing is known
        The trail begins later.
      "
    `);
  });

  it('says nothing of a moment that is still to come', async () => {
    const asked = explainAt('2026-11-21T02:02Z', 200, {});
    await expect(asked).rejects.toMatchObject({
      outcome: 'usage',
      message: '--at: that moment is still to come (now is 2026-11-21 02:01:00Z)',
    });
  });

  it('tells what was known, why nothing was done, and what came next', async () => {
    const at = '2026-11-21T01:51:00.000Z';
    const past: Past = {
      ...nothingKnown,
      verdict: 'would-not-act',
      sentence: 'It was paused by ann since 01:40, and no standby was eligible.',
      blockers: [
        { code: 'PAUSED', detail: 'by ann: kernel upgrade', wayOut: 'resume it' },
        { code: 'QUARANTINED', detail: `${b} failed in orders-db.1`, wayOut: 'acknowledge it' },
      ],
      registered: {
        number: 1,
        at: '2026-11-20T00:00:00.000Z',
        author: 'ops',
        mode: 'act',
        members: [a, b],
        interfaces: [front],
      },
      holder: { number: 2, at: '2026-11-21T01:30:00.000Z', instance: a },
      pause: {
        number: 3,
        at: '2026-11-21T01:40:00.000Z',
        author: 'ann',
        reason: 'kernel upgrade',
        until: '2026-11-21T03:00:00.000Z',
      },
      controllerPause: {
        number: 5,
        at: '2026-11-21T01:50:00.000Z',
        author: 'bob',
        reason: 'network works',
        until: '2026-11-21T02:00:00.000Z',
      },
      quarantined: [{ number: 2, at: '2026-11-21T01:30:00.000Z', member: b, why: 'failed in orders-db.1' }],
      next: { number: 4, at: '2026-11-21T01:52:30.000Z', kind: 'refusal', outcome: 'PAUSED' },
      unknown: ['Whether the members were healthy: health is recorded only where it led to something.'],
    };
    const { answer } = await explainAt('2026-11-21T01:51Z', 200, { service: ordersDb, at, answer: past });
    expect(seen(answer, narrow)).toMatchInlineSnapshot(`
      "
      orders-db at 2026-11-21 01:51:00Z (10 min ago): would NOT have failed over
        It was paused by ann since 01:40, and no standby was eligible.
        PAUSED       by ann: kernel upgrade → resume it
        QUARANTINED  i-0bbbbbbbbbbbbbbb2 failed in orders-db.1 → acknowledge it

      What the controller knew
        registered  #1   mode act, members i-0aaaaaaaaaaaaaaa1, i-0bbbbbbbbbbbbbbb2,
                         by ops (26 h before)
        holder      #2   i-0aaaaaaaaaaaaaaa1 (21 min before)
        pause       #3   until 2026-11-21 03:00:00Z by ann: kernel upgrade (11 min
                         before)
        all paused  *#5  until 2026-11-21 02:00:00Z by bob: network works (60 s
                         before)
        quarantine  #2   i-0bbbbbbbbbbbbbbb2: failed in orders-db.1 (21 min before)
        next        #4   refusal PAUSED, 2 min later

      What the trail cannot tell
        -  Whether the members were healthy: health is recorded only where it led to
           something.

      What came of it:  eni-failover show orders-db#4
      "
    `);
  });

  it('refuses a service that the trail does not know', async () => {
    const body = { code: 'NO_SUCH_SERVICE', detail: 'orders-db is not in the trail' };
    const { answer } = await explainAt('10m', 404, body);
    expect(answer).toMatchObject({ outcome: 'refused', data: { code: 'NO_SUCH_SERVICE', past: null } });
  });

  it('takes bad parameters for wrong usage, and anything else for a failure', async () => {
    await expect(
      explainAt('10m', 400, { problems: ['at: must not be', 'x: is unknown'] }),
    ).rejects.toMatchObject({
      outcome: 'usage',
      message: 'at: must not be; x: is unknown',
    });
    await expect(explainAt('10m', 200, { hello: 'world' })).rejects.toMatchObject({ outcome: 'failed' });
  });
});
