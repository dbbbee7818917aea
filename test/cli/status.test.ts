/** Proves what `status` tells a tired person, and a program, about services in every state they can be in. */
import { describe, expect, it } from 'vitest';
import { explainCommand } from '../../cli/explain.ts';
import type { ServiceView } from '../../cli/service-view.ts';
import { statusCommand } from '../../cli/status.ts';
import { pauseController, pauseService } from '../../shared/app/operate.ts';
import { PortError } from '../../shared/core/errors.ts';
import type { InstanceId, ServiceName } from '../../shared/core/ids.ts';
import { times } from '../../shared/core/times.ts';
import {
  a,
  applicationAlarm,
  b,
  c,
  front,
  lookAt,
  makeWorld,
  management,
  ordersDb,
  replicaLagOf,
  stranger,
  type World,
  zone,
} from '../fakes/world.ts';
import { contextOf, narrow, pipe, seen } from './screen.ts';

const status = (world: World, name?: ServiceName) => world.run(statusCommand(name, contextOf(world)));

async function viewOf(world: World) {
  const { data, outcome } = await status(world, ordersDb);
  const [view] = data['services'] as readonly ServiceView[];
  if (!view) throw new Error('the service is not shown');
  return { ...view, outcome, codes: view.hindrances.map((each) => each.code) };
}

const pause = { author: 'local:ann', reason: 'kernel upgrade', forMs: 30 * 60_000 };

it('a service in mode observe is switched on by a command', async () => {
  const world = await makeWorld({ policy: { mode: 'observe' } });
  const { hindrances } = await viewOf(world);
  expect(hindrances).toMatchObject([
    { code: 'OBSERVE_ONLY', commands: ["eni-failover mode orders-db act --reason '...'"] },
  ]);
});

describe('the way back by itself', () => {
  const byItself = { policy: { failback: { after: '30m' } } };
  const suspended = { sinceMs: 0, why: 'orders-db.3 ended RETURNED_TO_SOURCE' };

  it('that is suspended is shown with what ended it and with the command that lets it go on', async () => {
    const world = await makeWorld(byItself);
    const sinceMs = world.clock.now() - 60_000;
    world.store.change(ordersDb, (state) => ({
      ...state,
      movedBy: 'failover',
      failbackSuspended: { ...suspended, sinceMs },
    }));
    const text = seen(await status(world, ordersDb), pipe);
    expect(text).toMatch(
      /failback +SUSPENDED since .* ago\): orders-db\.3 ended RETURNED_TO_SOURCE; not by itself/,
    );
    expect(text).toContain("  eni-failover ack orders-db --reason '...'");
    const { failback, outcome } = await viewOf(world);
    expect(failback).toMatchObject({
      byItself: true,
      movedBy: 'failover',
      suspended: { why: suspended.why },
    });
    expect(outcome).toBe('done');
    const explained = await world.run(explainCommand(ordersDb, {}, contextOf(world)));
    expect(explained.data['failback']).toEqual(failback);
    expect(seen(explained, pipe)).toMatch(/failback +SUSPENDED .*eni-failover ack orders-db --reason '...'/);
  });

  const others = [
    ['failover', /failback +by itself, once the preferred member/],
    ['failback', /failback +the last move was one/],
    [undefined, /failback +not by itself now: the last move was no failover/],
  ] as const;
  it.each(others)('says what becomes of it after %s', async (movedBy, words) => {
    const world = await makeWorld(byItself);
    world.store.change(ordersDb, ({ movedBy: _, ...state }) => ({ ...state, ...(movedBy && { movedBy }) }));
    expect(seen(await status(world, ordersDb), pipe)).toMatch(words);
  });

  it('is not spoken of where it is not declared', async () => {
    const world = await makeWorld();
    expect(seen(await status(world, ordersDb), pipe)).not.toContain('failback');
  });
});

describe('status of one service', () => {
  it('shows holder, standbys, interfaces and trail of a service that is fine', async () => {
    const world = await makeWorld();
    const answer = await status(world, ordersDb);
    expect(answer.outcome).toBe('done');
    expect(seen(answer, narrow)).toMatchInlineSnapshot(`
      "
      orders-db  ready for a failover

      holder     i-0aaaaaaaaaaaaaaa1    healthy
      standby    i-0bbbbbbbbbbbbbbb2    eligible
                 i-0ccccccccccccccc3    eligible
      interface  eni-0aaaaaaaaaaaaaa01  device index 1
                 eni-0aaaaaaaaaaaaaa02  device index 2
      trail      1 record, head
                 ################################################################
      "
    `);
  });

  it('names the reasons of each standby and the commands that end them', async () => {
    const world = await makeWorld({ readyWhen: true });
    world.ec2.setState(b, 'stopped');
    world.ec2.change(c, { tagged: false });
    world.alarms.set(replicaLagOf(c), 'ALARM');
    const answer = await status(world, ordersDb);
    expect(answer.outcome).toBe('needs-human');
    expect(seen(answer, narrow)).toMatchInlineSnapshot(`
      "
      orders-db  NOT ready for a failover, needs a human

      holder     i-0aaaaaaaaaaaaaaa1    healthy
      standby    i-0bbbbbbbbbbbbbbb2    NOT_RUNNING: it is stopped → start it
                 i-0ccccccccccccccc3    NOT_TAGGED: it lacks the tag
                                        eni-failover=managed → tag it
                 i-0ccccccccccccccc3    NOT_READY: i-0ccccccccccccccc3-replica-lag is
                                        ALARM → wait until the member has caught up
      interface  eni-0aaaaaaaaaaaaaa01  device index 1
                 eni-0aaaaaaaaaaaaaa02  device index 2
      trail      1 record, head
                 ################################################################

      Why it would not fail over now
      NO_ELIGIBLE_STANDBY  no standby may take the interfaces → end one standby's own
                           reason, listed beside it

      Ways out
        aws ec2 start-instances --instance-ids i-0bbbbbbbbbbbbbbb2
        aws ec2 create-tags --resources i-0ccccccccccccccc3 --tags Key=eni-failover,Value=managed
      "
    `);
  });

  it('shows what is declared around the move', async () => {
    const world = await makeWorld({
      policy: { fence: 'stop' },
      hooks: { after: [{ document: 'promote-replica', on: 'target' }] },
      serving: { alarm: applicationAlarm },
    });
    expect((await viewOf(world)).around).toEqual([
      { step: 'fence', what: 'a failed source is stopped, within 2m; else page' },
      { step: 'after.0', what: 'document promote-replica on the target, within 1m; else page' },
      { step: 'serving', what: 'alarm orders-db-answers is OK within 2m' },
    ]);
    expect(seen(await status(world, ordersDb))).toContain(
      '\nserving    alarm orders-db-answers is OK within 2m\n',
    );
  });

  it('is ready with one standby that is eligible, and calls nobody for the other', async () => {
    const world = await makeWorld();
    world.ec2.impair(b);
    expect(await viewOf(world)).toMatchObject({ ready: true, needsHuman: false, outcome: 'done' });
  });

  it('does not call a human for a standby that only has to catch up', async () => {
    const world = await makeWorld({ members: [a, b], readyWhen: true });
    world.alarms.set(replicaLagOf(b), 'ALARM');
    expect(await viewOf(world)).toMatchObject({
      ready: false,
      needsHuman: false,
      outcome: 'done',
      codes: ['NO_ELIGIBLE_STANDBY'],
    });
  });

  it('shows no quarantine of who is no member any more', async () => {
    const world = await makeWorld({ members: [a, b] });
    const quarantine = { [stranger]: { sinceMs: 1, why: 'x' } };
    world.store.change(ordersDb, (state) => ({ ...state, quarantine }));
    expect(seen(await status(world, ordersDb), narrow)).not.toContain('quarantine');
  });

  it('shows the quarantine of the member that failed after a failover', async () => {
    const world = await makeWorld({ members: [a, b] });
    world.ec2.impair(a);
    await world.look(world.alarm(a));
    const answer = await status(world, ordersDb);
    expect(answer.outcome).toBe('needs-human');
    expect(seen(answer, narrow)).toMatchInlineSnapshot(`
      "
      orders-db  NOT ready for a failover, needs a human

      holder      i-0bbbbbbbbbbbbbbb2    healthy
      standby     i-0aaaaaaaaaaaaaaa1    CHECKS_FAILED: system check impaired → repair
                                         or replace it
                  i-0aaaaaaaaaaaaaaa1    QUARANTINED: failed in orders-db.1: system
                                         check impaired → acknowledge it
      interface   eni-0aaaaaaaaaaaaaa01  device index 1
                  eni-0aaaaaaaaaaaaaa02  device index 2
      quarantine  i-0aaaaaaaaaaaaaaa1    since 2026-11-21 02:01:03Z (0 s ago): failed
                                         in orders-db.1: system check impaired; ends
                                         when acknowledged
      trail       2 records, head
                  ################################################################

      Why it would not fail over now
      NO_ELIGIBLE_STANDBY  no standby may take the interfaces → end one standby's own
                           reason, listed beside it

      Ways out
        eni-failover member replace orders-db i-0aaaaaaaaaaaaaaa1 i-... --reason '...'
        eni-failover ack orders-db --member i-0aaaaaaaaaaaaaaa1 --reason '...'
      "
    `);
  });

  it('shows a pause, who made it and how to end it', async () => {
    const world = await makeWorld();
    await world.run(pauseService(world.ports, ordersDb, pause));
    await world.clock.advance(60_000);
    const answer = await status(world, ordersDb);
    expect(answer.outcome).toBe('done');
    expect(seen(answer, narrow)).toMatchInlineSnapshot(`
      "
      orders-db  not ready for a failover

      holder     i-0aaaaaaaaaaaaaaa1    healthy
      standby    i-0bbbbbbbbbbbbbbb2    eligible
                 i-0ccccccccccccccc3    eligible
      interface  eni-0aaaaaaaaaaaaaa01  device index 1
                 eni-0aaaaaaaaaaaaaa02  device index 2
      pause      until 2026-11-21 02:31:00Z (in 29 min) by local:ann: kernel upgrade
      trail      2 records, head
                 ################################################################

      Why it would not fail over now
      PAUSED  by local:ann: kernel upgrade → resume it

      Ways out
        eni-failover resume orders-db --reason '...'
      "
    `);
    await world.clock.advance(pause.forMs);
    expect(await viewOf(world)).toMatchObject({ ready: true, pause: { active: false } });
  });

  it('calls a human when the holder has failed and a pause forbids the move', async () => {
    const world = await makeWorld();
    await world.run(pauseService(world.ports, ordersDb, pause));
    world.ec2.impair(a);
    await world.look(world.alarm(a));
    const answer = await status(world, ordersDb);
    expect(answer.outcome).toBe('needs-human');
    expect(seen(answer, narrow)).toMatchInlineSnapshot(`
      "
      orders-db  the holder has FAILED: system check impaired; it is NOT moved, needs
      a human

      holder        i-0aaaaaaaaaaaaaaa1    failed: system check impaired since
                                           2026-11-21 02:01:00Z (0 s ago)
      standby       i-0bbbbbbbbbbbbbbb2    eligible
                    i-0ccccccccccccccc3    eligible
      interface     eni-0aaaaaaaaaaaaaa01  device index 1
                    eni-0aaaaaaaaaaaaaa02  device index 2
      pause         until 2026-11-21 02:31:00Z (in 30 min) by local:ann: kernel
                    upgrade
      last refusal  PAUSED. The service is paused.
      trail         3 records, head
                    ################################################################

      Why it is not moved
      HOLDER_FAILED  system check impaired → end what else is listed here
      PAUSED         by local:ann: kernel upgrade → resume it

      Ways out
        eni-failover resume orders-db --reason '...'
      "
    `);
  });

  it('says that a holder that has failed is about to be moved, and when', async () => {
    const world = await makeWorld();
    world.ec2.impair(a);
    const answer = await status(world, ordersDb);
    // Nobody has to do anything yet: that is what the exit code says.
    expect(answer.outcome).toBe('done');
    expect(seen(answer, narrow)).toMatchInlineSnapshot(`
      "
      orders-db  the holder has FAILED: system check impaired; it is moved on an
      alarm, or in 3 min

      holder     i-0aaaaaaaaaaaaaaa1    failed: system check impaired since 2026-11-21
                                        02:01:00Z (0 s ago)
      standby    i-0bbbbbbbbbbbbbbb2    eligible
                 i-0ccccccccccccccc3    eligible
      interface  eni-0aaaaaaaaaaaaaa01  device index 1
                 eni-0aaaaaaaaaaaaaa02  device index 2
      trail      1 record, head
                 ################################################################

      What happens now
      HOLDER_FAILED  system check impaired → wait: it is moved on an alarm, or in 3
                     min
      "
    `);
    await world.clock.advance(2 * 60_000);
    const headline = async () => seen(await status(world, ordersDb), pipe).split('\n')[1];
    expect(await headline()).toContain('; it is moved on an alarm, or in 60 s');
    await world.clock.advance(60_000);
    expect(await headline()).toContain('; it is moved at the next look (within a minute)');
  });

  it('says that an instance that has stopped is moved at the next look', async () => {
    const world = await makeWorld();
    world.ec2.setState(a, 'stopped');
    const answer = await status(world, ordersDb);
    expect(seen(answer, pipe)).toContain(
      'orders-db  the holder has FAILED: the instance is stopped; it is moved at the next look (within a minute)\n',
    );
    const { hindrances, state } = await viewOf(world);
    expect(state).toBe('failed');
    expect(hindrances[0]?.wayOut).toContain('if it is not, look at the functions');
  });

  it('waits for the move of a failed holder, and calls a human once it is overdue', async () => {
    const world = await makeWorld();
    world.ec2.impair(a);
    expect(await viewOf(world)).toMatchObject({
      codes: ['HOLDER_FAILED'],
      needsHuman: false,
      holder: { instance: a, health: 'failed' },
    });
    await world.clock.advance(3 * 60_000 + times.maxEventAgeMs + 1_000);
    expect(await viewOf(world)).toMatchObject({ codes: ['HOLDER_FAILED'], needsHuman: true });
  });

  it('shows an episode under way and blames nothing else meanwhile', async () => {
    const world = await makeWorld();
    world.ec2.impair(a);
    world.ec2.stick(front, 'forced-too');
    const { report } = world.begin(world.alarm(a));
    await world.clock.advance(4_000);
    const answer = await status(world, ordersDb);
    expect(answer.outcome).toBe('done');
    expect(seen(answer, narrow)).toMatchInlineSnapshot(`
      "
      orders-db  is being moved now, i-0aaaaaaaaaaaaaaa1 → i-0bbbbbbbbbbbbbbb2

      holder     changing: eni-0aaaaaaaaaaaaaa01 is detaching
      member     i-0aaaaaaaaaaaaaaa1    CHECKS_FAILED: system check impaired → repair
                                        or replace it
                 i-0bbbbbbbbbbbbbbb2    eligible
                 i-0ccccccccccccccc3    eligible
      interface  eni-0aaaaaaaaaaaaaa01  device index 1
                 eni-0aaaaaaaaaaaaaa02  device index 2
      episode    failover orders-db.1, DETACHING after 4 s: from i-0aaaaaaaaaaaaaaa1
                 to i-0bbbbbbbbbbbbbbb2, because system check impaired; last step
                 attach eni-0aaaaaaaaaaaaaa02
      trail      1 record, head
                 ################################################################
      "
    `);
    world.ec2.loosen(front);
    await world.run(report);
  });

  it('shows a stranded service', async () => {
    const world = await makeWorld({ members: [a, b] });
    world.ec2.impair(a);
    world.ec2.refuseAttach(b);
    world.ec2.refuseAttach(a);
    await world.look(world.alarm(a));
    const answer = await status(world, ordersDb);
    expect(answer.outcome).toBe('needs-human');
    expect(seen(answer, narrow)).toMatchInlineSnapshot(`
      "
      orders-db  DOWN (STRANDED) since 2026-11-21 02:01:03Z (0 s ago)

      holder      none: eni-0aaaaaaaaaaaaaa01, eni-0aaaaaaaaaaaaaa02 on nothing
      member      i-0aaaaaaaaaaaaaaa1    CHECKS_FAILED: system check impaired → repair
                                         or replace it
                  i-0aaaaaaaaaaaaaaa1    QUARANTINED: failed in orders-db.1: system
                                         check impaired → acknowledge it
                  i-0bbbbbbbbbbbbbbb2    eligible
      interface   eni-0aaaaaaaaaaaaaa01  device index 1
                  eni-0aaaaaaaaaaaaaa02  device index 2
      stranded    since 2026-11-21 02:01:03Z (0 s ago), tried 1 time; next try to
                  i-0bbbbbbbbbbbbbbb2
      refused     i-0bbbbbbbbbbbbbbb2    AttachmentLimitExceeded: it takes no more
                  i-0aaaaaaaaaaaaaaa1    AttachmentLimitExceeded: it takes no more
      quarantine  i-0aaaaaaaaaaaaaaa1    since 2026-11-21 02:01:03Z (0 s ago): failed
                                         in orders-db.1: system check impaired; ends
                                         when acknowledged
      trail       2 records, head
                  ################################################################

      Why it is down
      STRANDED  i-0aaaaaaaaaaaaaaa1: AttachmentLimitExceeded: it takes no more; no
                member is left to try → end what the members refuse for; it is tried
                again at the next look (within a minute), with i-0bbbbbbbbbbbbbbb2
                first

      Ways out
        eni-failover show orders-db.1
        eni-failover pause orders-db --for 1h --reason 'by hand'
        aws ec2 attach-network-interface --network-interface-id eni-0aaaaaaaaaaaaaa01 --instance-id i-0bbbbbbbbbbbbbbb2 --device-index 1 --network-card-index 0
        aws ec2 attach-network-interface --network-interface-id eni-0aaaaaaaaaaaaaa02 --instance-id i-0bbbbbbbbbbbbbbb2 --device-index 2 --network-card-index 0
        eni-failover ack orders-db --member i-0aaaaaaaaaaaaaaa1 --reason '...'
      "
    `);
  });

  it('says who is tried next, what each member refused for, and that nothing is tried while a pause forbids it', async () => {
    const world = await makeWorld();
    world.ec2.impair(a);
    for (const id of [a, b]) world.ec2.refuseAttach(id);
    world.ec2.refuseAttach(c, 'InvalidParameterValue', 'the index is taken');
    await world.look(world.alarm(a));
    const view = await viewOf(world);
    expect(view).toMatchObject({
      state: 'down',
      headline: 'DOWN (STRANDED) since 2026-11-21 02:01:03Z',
      stranded: {
        next: b,
        episode: 'orders-db.1',
        refused: [
          { instance: b, why: 'AttachmentLimitExceeded: it takes no more' },
          { instance: c, why: 'InvalidParameterValue: the index is taken' },
          { instance: a, why: 'AttachmentLimitExceeded: it takes no more' },
        ],
      },
    });
    await world.run(pauseService(world.ports, ordersDb, pause));
    const paused = await viewOf(world);
    expect(paused).toMatchObject({
      codes: ['STRANDED', 'PAUSED'],
      stranded: { next: null, episode: 'orders-db.1' },
      hindrances: [{ wayOut: 'end what else is listed here' }, {}],
    });
    expect(seen(await status(world, ordersDb), pipe)).toMatch(
      /\nstranded .*, tried 1 time; nothing can be tried now\n/,
    );
  });

  it('asks for an eligible member only where a stranded service has none', async () => {
    const world = await makeWorld({ members: [a, b] });
    world.ec2.impair(a);
    for (const id of [a, b]) world.ec2.refuseAttach(id);
    await world.look(world.alarm(a));
    world.ec2.setState(b, 'stopped');
    world.ec2.forget(a);
    const { hindrances, stranded } = await viewOf(world);
    expect(stranded?.next).toBeNull();
    expect(hindrances[0]).toMatchObject({
      code: 'STRANDED',
      wayOut: 'make a member eligible: every look tries again',
    });
  });

  it('is stranded all the same where the trail cannot be read, and points to no episode', async () => {
    const world = await makeWorld({ members: [a, b] });
    world.ec2.impair(a);
    for (const id of [a, b]) world.ec2.refuseAttach(id);
    await world.look(world.alarm(a));
    world.ports.store.trail = () => Promise.reject(new PortError('unavailable', 'TimeoutError', 'no answer'));
    expect(await viewOf(world)).toMatchObject({
      state: 'down',
      stranded: { next: b, episode: null, refused: [] },
    });
    world.ports.store.trail = () => Promise.reject(new Error('a bug'));
    await expect(status(world, ordersDb)).rejects.toThrow('a bug');
  });

  it('is not down once it is together again, though no look has recorded that yet', async () => {
    const world = await makeWorld({ members: [a, b], interfaces: [front] });
    world.ec2.impair(a);
    for (const id of [a, b]) world.ec2.refuseAttach(id);
    await world.look(world.alarm(a));
    world.ec2.moveByHand(front, b, 1);
    expect(await viewOf(world)).toMatchObject({
      state: 'not-ready',
      hindrances: [
        {
          code: 'STRANDED',
          wayOut: `wait: all are on ${b} again, the next look records it`,
          needsHuman: false,
        },
        { code: 'NO_ELIGIBLE_STANDBY' },
      ],
    });
  });

  it('says of what a dead holder left on nothing that it is brought back, and of what forbids that', async () => {
    const world = await makeWorld();
    world.ec2.terminate(a);
    const free = await viewOf(world);
    expect(free).toMatchObject({
      state: 'down',
      headline: 'DOWN (HOLDER_FAILED), on nothing: its addresses answer nobody',
      codes: ['HOLDER_FAILED'],
      needsHuman: false,
    });
    expect(free.hindrances[0]?.wayOut).toMatch(
      /^wait: they are brought to i-0bbbbbbbbbbbbbbb2 at the next look \(within a minute\)/,
    );
    await world.run(pauseService(world.ports, ordersDb, pause));
    const paused = await viewOf(world);
    expect(paused).toMatchObject({ codes: ['HOLDER_FAILED', 'PAUSED'], needsHuman: true });
    expect(paused.hindrances[0]).toMatchObject({
      wayOut: 'end what else is listed here',
      commands: [front, management].map((eni) =>
        expect.stringMatching(`^aws ec2 attach-network-interface .*${eni} --instance-id ${b} `),
      ),
    });
  });

  it('says that addresses answer nobody where a person left everything on nothing', async () => {
    const world = await makeWorld();
    world.ec2.detachByHand(front);
    world.ec2.detachByHand(management);
    const answer = await status(world, ordersDb);
    expect(answer.outcome).toBe('needs-human');
    expect(seen(answer, narrow)).toMatchInlineSnapshot(`
      "
      orders-db  DOWN (DETACHED_BY_OTHERS), on nothing: its addresses answer nobody

      holder     none: eni-0aaaaaaaaaaaaaa01, eni-0aaaaaaaaaaaaaa02 on nothing
      member     i-0aaaaaaaaaaaaaaa1    eligible
                 i-0bbbbbbbbbbbbbbb2    eligible
                 i-0ccccccccccccccc3    eligible
      interface  eni-0aaaaaaaaaaaaaa01  device index 1
                 eni-0aaaaaaaaaaaaaa02  device index 2
      trail      1 record, head
                 ################################################################

      Why it is down
      DETACHED_BY_OTHERS  eni-0aaaaaaaaaaaaaa01, eni-0aaaaaaaaaaaaaa02 on nothing →
                          attach them all to one member by hand, then adopt

      Ways out
        aws ec2 attach-network-interface --network-interface-id eni-0aaaaaaaaaaaaaa01 --instance-id i-0aaaaaaaaaaaaaaa1 --device-index 1 --network-card-index 0
        aws ec2 attach-network-interface --network-interface-id eni-0aaaaaaaaaaaaaa02 --instance-id i-0aaaaaaaaaaaaaaa1 --device-index 2 --network-card-index 0
        eni-failover adopt orders-db --reason '...'
      "
    `);
  });

  it('gives the call that attaches what a person detached', async () => {
    const world = await makeWorld();
    world.ec2.detachByHand(front);
    const answer = await status(world, ordersDb);
    expect(answer.outcome).toBe('needs-human');
    expect(seen(answer, narrow)).toMatchInlineSnapshot(`
      "
      orders-db  PARTLY DOWN (DETACHED_BY_OTHERS): some of its addresses answer nobody

      holder     none: eni-0aaaaaaaaaaaaaa01 on nothing, the rest on
                 i-0aaaaaaaaaaaaaaa1
      member     i-0aaaaaaaaaaaaaaa1    eligible
                 i-0bbbbbbbbbbbbbbb2    eligible
                 i-0ccccccccccccccc3    eligible
      interface  eni-0aaaaaaaaaaaaaa01  device index 1
                 eni-0aaaaaaaaaaaaaa02  device index 2
      trail      1 record, head
                 ################################################################

      Why it is down
      DETACHED_BY_OTHERS  eni-0aaaaaaaaaaaaaa01 on nothing, the rest on
                          i-0aaaaaaaaaaaaaaa1 → attach them all to one member by hand,
                          then adopt

      Ways out
        aws ec2 attach-network-interface --network-interface-id eni-0aaaaaaaaaaaaaa01 --instance-id i-0aaaaaaaaaaaaaaa1 --device-index 1 --network-card-index 0
        eni-failover adopt orders-db --reason '...'
      "
    `);
  });

  it.each<[string, (world: World) => unknown, readonly string[], boolean]>([
    ['split', ({ ec2 }) => ec2.moveByHand(front, b, 1), ['SPLIT'], true],
    [
      'a hand move that no look has recorded yet',
      ({ ec2, store }) =>
        store.change(ordersDb, (state) => {
          for (const [index, eni] of [front, 'eni-0aaaaaaaaaaaaaa02' as typeof front].entries()) {
            ec2.moveByHand(eni, c, index + 1);
          }
          return state;
        }),
      ['MOVED_BY_OTHERS'],
      true,
    ],
    ['an interface is gone', ({ ec2 }) => ec2.deleteInterface(front), ['UNMOVABLE_INTERFACE'], true],
    [
      'EC2 does not answer',
      ({ ec2 }) => ec2.fail('interfaces', { kind: 'timed-out' }),
      ['UNKNOWN_STATE'],
      false,
    ],
    [
      'spent budget',
      ({ store, clock }) =>
        store.change(ordersDb, (state) => ({ ...state, failoversAtMs: [1, 2, 3].map(() => clock.now()) })),
      ['BUDGET_SPENT'],
      true,
    ],
    [
      'brake',
      ({ ports, clock, run }) => run(ports.store.tripBrake(zone, ['x'], clock.now())),
      ['BRAKE'],
      true,
    ],
    [
      'everything is paused',
      ({ ports, run }) => run(pauseController(ports, pause)),
      ['CONTROLLER_PAUSED'],
      false,
    ],
    [
      'an alarm that stays red after the move',
      ({ store }) => store.change(ordersDb, (state) => ({ ...state, lastRefusal: 'GRACE_PERIOD' })),
      ['GRACE_PERIOD'],
      true,
    ],
  ])('says what hinders a failover: %s', async (_, happens, codes, needsHuman) => {
    const world = await makeWorld();
    await happens(world);
    expect(await viewOf(world)).toMatchObject({ codes, needsHuman, ready: false });
  });

  it('calls a human when an instance that is no member has the interfaces', async () => {
    const world = await makeWorld({ interfaces: [front] });
    world.ec2.moveByHand(front, stranger, 1);
    expect(await viewOf(world)).toMatchObject({ codes: ['MOVED_BY_OTHERS'], needsHuman: true });
  });

  it.each([
    [{ policy: { mode: 'observe' } }, 'OBSERVE_ONLY', false],
    [{ members: [a] }, 'NO_ELIGIBLE_STANDBY', true],
  ] as const)('says what its declaration hinders: %j', async (options, code, needsHuman) => {
    const world = await makeWorld(options);
    expect(await viewOf(world)).toMatchObject({ codes: [code], needsHuman });
  });

  it('says that a failure is of a kind that the service does not declare', async () => {
    const world = await makeWorld({ signals: { statusChecks: false } });
    world.ec2.impair(a);
    expect(await viewOf(world)).toMatchObject({ codes: ['SIGNAL_NOT_DECLARED'], needsHuman: true });
  });

  it('refuses a name that nobody registered', async () => {
    const world = await makeWorld();
    const answer = await status(world, 'nope' as ServiceName);
    expect(answer).toMatchObject({ outcome: 'refused', data: { code: 'NO_SUCH_SERVICE', services: [] } });
    expect(seen(answer)).toMatchInlineSnapshot(`
      "
      nope is not registered. What is registered:  eni-failover status
      "
    `);
  });

  it('has the same keys in JSON whatever the state', async () => {
    const world = await makeWorld();
    const before = await status(world, ordersDb);
    world.store.put(ordersDb, { name: ordersDb, rev: 'many' });
    const after = await status(world, ordersDb);
    expect(after).toMatchObject({
      outcome: 'needs-human',
      data: { services: [{ hindrances: [{ code: 'MALFORMED_STATE' }] }] },
    });
    const keysOf = ({ data }: typeof before) =>
      (data['services'] as readonly object[]).map((view) => Object.keys(view).sort());
    expect(keysOf(after)).toEqual(keysOf(before));
  });
});

describe('status of everything', () => {
  it('has a line for each service, and says where a human is needed', async () => {
    const world = await makeWorld();
    const one = await world.addService(1);
    await world.addService(2);
    await world.run(pauseService(world.ports, one.name, pause));
    world.ec2.setState(b, 'stopped');
    world.ec2.setState(c, 'stopped');
    const answer = await status(world);
    expect(answer.outcome).toBe('needs-human');
    expect(seen(answer, narrow)).toMatchInlineSnapshot(`
      "
      SERVICE    STATE      HOLDER               WHY NOT
      orders-db  not ready  i-0aaaaaaaaaaaaaaa1  NO_ELIGIBLE_STANDBY
      service-1  not ready  i-0000000000000a001  PAUSED
      service-2  ready      i-0000000000000a002

      Needs a human: orders-db
      What to do:  eni-failover status orders-db
      "
    `);
  });

  it('names every service that needs a human, the one that is down first', async () => {
    const world = await makeWorld();
    const { name, holder } = await world.addService(1);
    world.ec2.setState(b, 'stopped');
    world.ec2.setState(c, 'stopped');
    world.ec2.impair(holder);
    for (const id of [holder, 'i-0000000000000b001' as InstanceId]) world.ec2.refuseAttach(id);
    await world.run(lookAt(world, name, world.alarm(holder)));
    expect(seen(await status(world), narrow)).toMatchInlineSnapshot(`
      "
      SERVICE    STATE      HOLDER               WHY NOT
      orders-db  not ready  i-0aaaaaaaaaaaaaaa1  NO_ELIGIBLE_STANDBY
      service-1  DOWN       on nothing           STRANDED

      Needs a human: service-1 (DOWN), orders-db
      What to do:  eni-failover status service-1
                   eni-failover status orders-db
      "
    `);
  });

  it('shows from where to where a service is being moved', async () => {
    const world = await makeWorld();
    world.ec2.impair(a);
    world.ec2.stick(front, 'forced-too');
    const { report } = world.begin(world.alarm(a));
    await world.clock.advance(4_000);
    expect(seen(await status(world), narrow)).toMatchInlineSnapshot(`
      "
      SERVICE    STATE   HOLDER                                     WHY NOT
      orders-db  moving  i-0aaaaaaaaaaaaaaa1 → i-0bbbbbbbbbbbbbbb2  failover orders-d…
      "
    `);
    world.ec2.loosen(front);
    await world.run(report);
  });

  it('shows a pause of everything and a brake above the services', async () => {
    const world = await makeWorld();
    await world.run(pauseController(world.ports, pause));
    await world.run(world.ports.store.tripBrake(zone, ['v', 'w', 'x', 'y', 'z'], world.clock.now()));
    expect(seen(await status(world), narrow)).toMatchInlineSnapshot(`
      "
      Everything is paused until 2026-11-21 02:31:00Z (in 30 min) by local:ann: kernel
      upgrade
        eni-failover resume --all --reason '...'
      The brake of eu-central-1a is on since 2026-11-21 02:01:00Z (0 s ago): 5
      services failed at once
        eni-failover ack --zone eu-central-1a --reason '...'

      SERVICE    STATE      HOLDER               WHY NOT
      orders-db  not ready  i-0aaaaaaaaaaaaaaa1  CONTROLLER_PAUSED, BRAKE

      Needs a human: orders-db
      What to do:  eni-failover status orders-db
      "
    `);
  });

  it('is done, and says how to begin, when nothing is registered', async () => {
    const world = await makeWorld({ registered: false });
    const answer = await status(world);
    expect(answer.outcome).toBe('done');
    expect(answer.text(pipe)).toBe(
      'No service is registered. To register one: eni-failover register <file.yaml>',
    );
  });

  it('shows the others when one item cannot be understood', async () => {
    const world = await makeWorld();
    const { name } = await world.addService(1);
    world.store.put(name, { name });
    const answer = await status(world);
    expect(answer.text(pipe)).toContain('orders-db  ready');
    expect(answer.text(pipe)).toContain('MALFORMED_STATE');
  });

  it('fails when the table does not answer', async () => {
    const world = await makeWorld();
    world.store.goDown();
    await expect(status(world)).rejects.toMatchObject({ code: 'TimeoutError' });
  });
});
