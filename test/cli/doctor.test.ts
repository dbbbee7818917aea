/** Proves what doctor says of a stack and its services: nothing where all is well, and each mischief by its name. */
import { describe, expect, it } from 'vitest';
import type { ControlClient } from '../../cli/control-client.ts';
import { type DoctorOptions, doctorCommand } from '../../cli/doctor.ts';
import { checks, type Finding } from '../../shared/app/doctor.ts';
import type { Environment } from '../../shared/app/ports.ts';
import type { InstanceId, ServiceName } from '../../shared/core/ids.ts';
import { type FakeEnvironment, makeHealthyEnvironment, siteOf } from '../fakes/fake-environment.ts';
import {
  a,
  applicationAlarm,
  b,
  c,
  front,
  makeWorld,
  management,
  ordersDb,
  replicaLagOf,
  type World,
  type WorldOptions,
} from '../fakes/world.ts';
import { ann, connectionTo, contextOf, narrow, pipe, seen } from './screen.ts';

interface Room {
  readonly world: World;
  readonly environment: FakeEnvironment;
  readonly ask: (
    options?: DoctorOptions,
    more?: { readonly name?: ServiceName; readonly ownAddress?: string },
  ) => ReturnType<typeof doctorCommand>;
}

async function enter(options: WorldOptions = {}): Promise<Room> {
  const world = await makeWorld(options);
  const environment = makeHealthyEnvironment(world);
  const context = contextOf(world, { site: async () => siteOf(world, environment) });
  return {
    world,
    environment,
    ask: (given = {}, { name, ownAddress } = {}) =>
      world.run(doctorCommand(name, given, ownAddress, context)),
  };
}

const primaryOf = (id: InstanceId) => `eni-${id.slice(2).replace(/^./, 'f')}` as typeof front;
type Answered = Awaited<ReturnType<Room['ask']>>;
const findingsIn = ({ data }: Answered) => data['findings'] as readonly Finding[];
/** What is not fine, as `result id subject`. */
const complaints = (answer: Answered) =>
  findingsIn(answer)
    .filter((each) => each.result !== 'ok')
    .map(({ result, id, subject }) => [result, id, subject ?? ''].join(' ').trim());

describe('where all is well', () => {
  it('says so in one line, and exits with 0', async () => {
    const { ask } = await enter();
    const answer = await ask();
    expect(answer.outcome).toBe('done');
    expect(seen(answer)).toMatchInlineSnapshot(`
      "
      everything looks well: 47 checks fine
      "
    `);
  });

  it('shows every check when asked', async () => {
    const { ask } = await enter();
    expect(seen(await ask({ all: true }, { name: ordersDb }), narrow)).toMatchInlineSnapshot(`
      "
      everything looks well: 47 checks fine

      the stack
      ec2           ok: it answers
      table         ok: it answers; registered services: 1
      brakes        ok: no pause, no brake
      rules         stopped        ok: instances that stop are told
                    alarms         ok: alarms that go off are told
                    announced      ok: spot interruptions are told
                    health         ok: instances that are to retire are told
      heartbeat     heartbeat      ok: the sweep looks
      queues        work           ok: 0 messages wait
                    dead-work      ok: no message was given up
                    failed-events  ok: no message was given up
      alarms        stranded       ok: it is OK
      subscription  ok: email on-call@example.com

      orders-db
      registered        ok: by ops@example.com
      state             ok: nothing does
      holder            i-0aaaaaaaaaaaaaaa1              ok: it holds them, and is
                                                         healthy
      interfaces        eni-0aaaaaaaaaaaaaa01            ok: tagged, and it survives
                                                         its instance
                        eni-0aaaaaaaaaaaaaa02            ok: tagged, and it survives
                                                         its instance
      exists            i-0bbbbbbbbbbbbbbb2              ok: it is there
                        i-0ccccccccccccccc3              ok: it is there
      health            i-0bbbbbbbbbbbbbbb2              ok: running, its checks pass
                        i-0ccccccccccccccc3              ok: running, its checks pass
      tags              i-0bbbbbbbbbbbbbbb2              ok: tagged
                        i-0ccccccccccccccc3              ok: tagged
      zone              i-0bbbbbbbbbbbbbbb2              ok: in the same zone
                        i-0ccccccccccccccc3              ok: in the same zone
      limits            i-0bbbbbbbbbbbbbbb2              ok: there is room
                        i-0ccccccccccccccc3              ok: there is room
      index             i-0bbbbbbbbbbbbbbb2              ok: free, or held by the
                                                         service itself
                        i-0ccccccccccccccc3              ok: free, or held by the
                                                         service itself
      cleared           i-0bbbbbbbbbbbbbbb2              ok: neither quarantined nor
                                                         behind
                        i-0ccccccccccccccc3              ok: neither quarantined nor
                                                         behind
      status-alarms     i-0aaaaaaaaaaaaaaa1              ok:
                                                         i-0aaaaaaaaaaaaaaa1-system
                                                         (StatusCheckFailed_System)
                        i-0bbbbbbbbbbbbbbb2              ok:
                                                         i-0bbbbbbbbbbbbbbb2-system
                                                         (StatusCheckFailed_System)
                        i-0ccccccccccccccc3              ok:
                                                         i-0ccccccccccccccc3-system
                                                         (StatusCheckFailed_System)
      role-permissions  ok: no rehearsal of the hour was refused; drill asks the role
                        now
      own-permissions   DetachNetworkInterface           ok: allowed
                        AttachNetworkInterface           ok: allowed
                        ModifyNetworkInterfaceAttribute  ok: allowed
      one-subnet        ok: each interface has its own
      clients           eni-0aaaaaaaaaaaaaa01            ok: lets in tcp 5432 from
                                                         10.0.0.0/8
                        eni-0aaaaaaaaaaaaaa02            ok: lets in tcp 5432 from
                                                         10.0.0.0/8
      egress            eni-0aaaaaaaaaaaaaa01            ok: it has no public address
                                                         of its own that others could
                                                         expect
                        eni-0aaaaaaaaaaaaaa02            ok: it has no public address
                                                         of its own that others could
                                                         expect
      public-address    eni-0aaaaaaaaaaaaaa01            ok: it has none
                        eni-0aaaaaaaaaaaaaa02            ok: it has none
      own-path          ok: nothing says that it is
      "
    `);
  });

  it('has run every check that needs no order', async () => {
    const { ask } = await enter({ readyWhen: true });
    const ran = new Set(findingsIn(await ask()).map((each) => each.id));
    expect(Object.keys(checks).filter((id) => !ran.has(id as Finding['id']))).toEqual(['test-notice']);
  });

  it('changes nothing', async () => {
    const { ask, world } = await enter();
    const before = world.service().rev;
    await ask();
    expect(world.ec2.mutations()).toEqual([]);
    expect(world.service().rev).toBe(before);
    expect(world.notifier.published).toEqual([]);
  });
});

describe('of the stack', () => {
  it.each<[string, (room: Room) => unknown, readonly string[], 'done' | 'needs-human']>([
    [
      'a rule that is disabled',
      ({ environment: { rules } }) =>
        rules.splice(1, 1, { ...(rules[1] as (typeof rules)[0]), enabled: false }),
      ['problem rules alarms'],
      'needs-human',
    ],
    [
      'a rule that is not there',
      ({ environment: { rules } }) => rules.shift(),
      ['problem rules'],
      'needs-human',
    ],
    ['an announcement nobody hears', ({ environment: { rules } }) => rules.pop(), ['warning rules'], 'done'],
    [
      'a sweep that does not look',
      ({ environment: { telling } }) => Object.assign(telling[0] ?? {}, { state: 'ALARM' }),
      ['problem heartbeat heartbeat'],
      'needs-human',
    ],
    [
      'a heartbeat without data',
      ({ environment: { telling } }) => Object.assign(telling[0] ?? {}, { state: 'INSUFFICIENT_DATA' }),
      ['unknown heartbeat heartbeat'],
      'done',
    ],
    [
      'a heartbeat without an alarm',
      ({ environment: { telling } }) => telling.shift(),
      ['warning heartbeat'],
      'done',
    ],
    [
      'an alarm that is red',
      ({ environment: { telling } }) => Object.assign(telling[1] ?? {}, { state: 'ALARM' }),
      ['warning alarms stranded'],
      'done',
    ],
    [
      'an alarm that tells nobody',
      ({ environment: { telling } }) => Object.assign(telling[1] ?? {}, { actionsEnabled: false }),
      ['warning alarms stranded'],
      'done',
    ],
    [
      'dead letters',
      ({ environment: { queues } }) =>
        queues.set('arn:aws:sqs:eu-central-1:123456789012:dead-work', {
          name: 'dead-work',
          visible: 2,
          deadLetters: undefined,
        }),
      ['warning queues dead-work'],
      'done',
    ],
    [
      'a queue that is not there',
      ({ environment: { queues } }) => queues.clear(),
      ['unknown queues', 'unknown queues arn:aws:sqs:eu-central-1:123456789012:failed-events'],
      'done',
    ],
    [
      'notices that nobody receives',
      ({ environment: { subscribed } }) => subscribed.pop(),
      ['warning subscription'],
      'done',
    ],
    [
      'a subscription that was never confirmed',
      ({ environment: { subscribed } }) =>
        subscribed.push({ protocol: 'email', endpoint: 'boss@example.com', confirmed: false }),
      ['warning subscription'],
      'done',
    ],
    [
      'a brake',
      ({ world }) => world.run(world.store.tripBrake('eu-central-1a', ['x'], world.clock.now())),
      ['problem brakes eu-central-1a'],
      'needs-human',
    ],
    [
      'a pause of everything',
      ({ world: { store, clock } }) =>
        store.pauseAll({ reason: 'x', author: 'ann', atMs: clock.now(), untilMs: clock.now() + 60_000 }),
      ['problem brakes'],
      'needs-human',
    ],
  ])('%s is found', async (_, happen, expected, outcome) => {
    const room = await enter();
    await happen(room);
    const answer = await room.ask();
    expect(complaints(answer)).toEqual(expected);
    expect(answer.outcome).toBe(outcome);
  });

  it.each<[keyof Environment, readonly string[]]>([
    ['rulesOf', ['unknown rules']],
    ['alarmsTelling', ['unknown heartbeat', 'unknown alarms']],
    ['subscriptions', ['unknown subscription']],
    ['statusAlarms', ['unknown status-alarms']],
    ['openings', ['unknown clients']],
    [
      'network',
      [
        'unknown one-subnet',
        'unknown clients',
        'unknown egress',
        'unknown public-address',
        'unknown own-path',
      ],
    ],
  ])('what may not be read by %s is unknown, never fine', async (call, expected) => {
    const { ask, environment } = await enter();
    environment.deny(call);
    const answer = await ask();
    expect(complaints(answer)).toEqual(expected);
    expect(seen(answer)).toContain(`could not be read (AccessDenied: you may not read ${call})`);
  });
});

describe('of a service', () => {
  it.each<[string, (room: Room) => unknown, readonly string[], 'done' | 'needs-human', WorldOptions?]>([
    [
      'a member without the tag',
      ({ world }) => world.ec2.change(b, { tagged: false }),
      [`warning tags ${b}`],
      'done',
    ],
    [
      'no member that could take over',
      ({ world }) => [b, c].map((id) => world.ec2.setState(id, 'stopped')),
      [`problem health ${b}`, `problem health ${c}`],
      'needs-human',
    ],
    [
      'a member in another zone',
      ({ world }) => world.ec2.change(c, { availabilityZone: 'eu-central-1b' }),
      [`warning zone ${c}`],
      'done',
    ],
    [
      'a member without room',
      ({ world }) => world.ec2.change(c, { instanceType: 't3.nano' }),
      [`unknown health ${c}`],
      'done',
    ],
    ['a member that is gone', ({ world }) => world.ec2.forget(c), [`warning exists ${c}`], 'done'],
    [
      'an interface without the tag',
      ({ world }) => world.ec2.changeInterface(front, { tagged: false }),
      [`problem interfaces ${front}`],
      'needs-human',
    ],
    [
      'an interface that dies with its instance',
      ({ world }) => world.ec2.setDeleteOnTermination(front, true),
      [`problem interfaces ${front}`],
      'needs-human',
    ],
    [
      'interfaces on nothing',
      ({ world }) => world.ec2.detachByHand(front),
      ['problem holder'],
      'needs-human',
    ],
    [
      'interfaces on two members',
      ({ world }) => world.ec2.moveByHand(front, b, 1),
      ['problem holder'],
      'needs-human',
    ],
    ['a holder that failed', ({ world }) => world.ec2.impair(a), [`warning holder ${a}`], 'done'],
    [
      'status checks that nobody watches',
      ({ environment: { checks: watching } }) => watching.splice(0),
      [`warning status-alarms ${a}`, `warning status-alarms ${b}`, `warning status-alarms ${c}`],
      'done',
    ],
    [
      'a declared alarm that is gone',
      ({ world }) => world.alarms.forget(applicationAlarm),
      ['problem declared-alarms orders-db-answers'],
      'needs-human',
      { signals: { alarms: [{ arn: applicationAlarm }] } },
    ],
    [
      'a member that has not caught up',
      ({ world }) => world.alarms.set(replicaLagOf(b), 'ALARM'),
      [`warning cleared ${b}`],
      'done',
      { readyWhen: true },
    ],
    ['mode observe', () => undefined, ['problem state'], 'needs-human', { policy: { mode: 'observe' } }],
    [
      'a pause',
      ({ world: { store, clock } }) => {
        const pause = { reason: 'x', author: 'ann', atMs: clock.now(), untilMs: clock.now() + 60_000 };
        store.change(ordersDb, (state) => ({ ...state, pause }));
      },
      ['problem state'],
      'needs-human',
    ],
    [
      'a budget that is spent',
      ({ world: { store, clock } }) => {
        const failoversAtMs = Array.from({ length: 50 }, () => clock.now());
        store.change(ordersDb, (state) => ({ ...state, failoversAtMs }));
      },
      ['problem state'],
      'needs-human',
    ],
    [
      'a rehearsal that was refused',
      ({ world }) =>
        world.store.change(ordersDb, (state) => ({ ...state, lastRefusal: 'PERMISSION_DENIED' })),
      ['problem role-permissions'],
      'needs-human',
    ],
    [
      'a declaration that nobody can read',
      ({ world }) => world.store.change(ordersDb, (state) => ({ ...state, declared: '{}' })),
      ['problem registered'],
      'needs-human',
    ],
  ])('%s is found', async (_, happen, expected, outcome, options = {}) => {
    const room = await enter(options);
    await happen(room);
    const answer = await room.ask();
    expect(complaints(answer)).toEqual(expected);
    expect(answer.outcome).toBe(outcome);
  });

  it('that nobody registered is refused', async () => {
    const { ask } = await enter();
    const answer = await ask({}, { name: 'nope' as ServiceName });
    expect(answer).toMatchObject({ outcome: 'refused', data: { code: 'NO_SUCH_SERVICE', findings: [] } });
  });
});

describe('a drill on record', () => {
  const drilled = async (answer: 'allowed' | 'denied') => {
    const room = await enter();
    const tried = [{ action: 'AttachNetworkInterface', of: `${front} to ${b}`, answer, detail: 'not you' }];
    const { trail } = room.world.ports.store;
    const rows = [{ number: 2, kind: 'drill', atMs: 0, body: JSON.stringify({ tried }), hash: '' }];
    room.world.ports.store.trail = async (...asked) => [...(await trail(...asked)), ...rows];
    return room.ask();
  };
  const ofRole = (answer: Answered) => findingsIn(answer).find((each) => each.id === 'role-permissions');

  it('says what the role may do', async () => {
    expect(ofRole(await drilled('allowed'))).toMatchObject({
      result: 'ok',
      reason: 'at the drill of 1970-01-01T00:00:00.000Z none of 1 calls was refused',
    });
  });
  it('that was refused is a problem', async () => {
    const answer = await drilled('denied');
    expect(answer.outcome).toBe('needs-human');
    expect(ofRole(answer)).toMatchObject({
      result: 'problem',
      reason: expect.stringContaining(`EC2 refused: AttachNetworkInterface of ${front} to ${b}: not you`),
    });
  });
});

describe('what bites later', () => {
  it.each<[string, (room: Room) => unknown, readonly string[]]>([
    [
      'two interfaces of one subnet on one instance',
      ({ environment: { places } }) => {
        places.set(front, { subnet: 'subnet-1' });
        places.set(primaryOf(b), { subnet: 'subnet-1' });
      },
      [`warning one-subnet ${b}`],
    ],
    [
      'two interfaces of the service in one subnet',
      ({ environment: { places } }) => {
        places.set(front, { subnet: 'subnet-1' });
        places.set(management, { subnet: 'subnet-1' });
      },
      [a, b, c].map((id) => `warning one-subnet ${id}`),
    ],
    [
      'groups that let nobody in',
      ({ environment: { places } }) => places.set(front, { groups: ['sg-closed'] }),
      [`warning clients ${front}`],
    ],
    [
      'groups that let in fewer than those of the instances',
      ({ environment: { places, ingress } }) => {
        const tcp = { protocol: 'tcp', source: '10.0.0.0/8' };
        ingress.set('sg-wide', [
          { ...tcp, fromPort: 22, toPort: 22 },
          { ...tcp, fromPort: 5432, toPort: 5432 },
          { ...tcp, fromPort: 8000, toPort: 8080 },
        ]);
        places.set(primaryOf(a), { groups: ['sg-wide'] });
      },
      [`warning clients ${front}`, `warning clients ${management}`],
    ],
    [
      'an Elastic IP that others may expect',
      ({ environment: { places } }) => {
        places.set(front, { publicAddresses: [{ address: '203.0.113.7', kind: 'elastic' }] });
        places.set(primaryOf(a), { publicAddresses: [{ address: '203.0.113.8', kind: 'elastic' }] });
      },
      [`warning egress ${front}`],
    ],
    [
      'a public address that stays behind, and is the only one',
      ({ environment: { places } }) =>
        places.set(front, { publicAddresses: [{ address: '198.51.100.4', kind: 'assigned' }] }),
      [`warning public-address ${front}`, `warning own-path ${front}`],
    ],
  ])('is found: %s', async (_, happen, expected) => {
    const room = await enter();
    happen(room);
    const answer = await room.ask();
    expect(complaints(answer)).toEqual(expected);
    expect(answer.outcome).toBe('done');
  });

  it('is found: a session that came in by what moves', async () => {
    const { ask, environment } = await enter();
    environment.places.set(front, { addresses: ['10.0.0.20'] });
    const answer = await ask({}, { ownAddress: '10.0.0.20' });
    expect(complaints(answer)).toEqual([`warning own-path ${front}`]);
    expect(complaints(await ask({}, { ownAddress: '10.0.0.99' }))).toEqual([]);
  });
});

describe('where a failover would work, and would not happen', () => {
  it('says so as drill does, with commands that can be pasted', async () => {
    const { ask, world } = await enter({ policy: { mode: 'observe' } });
    const { store, clock } = world;
    const pause = { reason: 'x', author: 'ann', atMs: clock.now(), untilMs: clock.now() + 60_000 };
    store.change(ordersDb, (state) => ({ ...state, pause }));
    await store.pauseAll(pause);
    expect(seen(await ask(), narrow)).toMatchInlineSnapshot(`
      "
      a failover would NOT happen now: 3 problems; 45 checks fine

      the stack
      brakes  PROBLEM: everything is paused until 2026-11-21T02:02:00.256Z by ann: x →
              resume, or wait until it ends

      orders-db
      state  PROBLEM: paused until 2026-11-21T02:02:00.256Z by ann: x → resume, or
             wait until it ends
             PROBLEM: in mode observe it says what it would do, and moves nothing →
             set it to act when you trust it

      Ways out
        eni-failover resume --all --reason '...'
        eni-failover resume orders-db --reason '...'
        eni-failover mode orders-db act --reason '...'
      "
    `);
  });

  it('is told apart from one that would not work', async () => {
    const { ask, world } = await enter({ policy: { mode: 'observe' } });
    world.ec2.detachByHand(front);
    expect(seen(await ask())).toContain('a failover would NOT work: 2 problems');
  });
});

it('does not ask for what nobody can do of a heartbeat that is too young', async () => {
  const { ask, environment } = await enter();
  Object.assign(environment.telling[0] ?? {}, { state: 'INSUFFICIENT_DATA' });
  expect(seen(await ask(), pipe)).toMatchInlineSnapshot(`
    "
    1 unknown; 46 checks fine

    the stack
    heartbeat  heartbeat  unknown: its alarm has no data yet: normal for five minutes after a deployment → ask again then; if it stays so, look at the sweep's log, and whether its rule is enabled
    "
  `);
});

it('shows problems, warnings and the commands that end them, and nothing else', async () => {
  const { ask, world, environment } = await enter();
  world.ec2.setDeleteOnTermination(front, true);
  world.ec2.change(b, { tagged: false });
  environment.subscribed.pop();
  environment.places.set(front, { publicAddresses: [{ address: '198.51.100.4', kind: 'assigned' }] });
  expect(seen(await ask(), narrow)).toMatchInlineSnapshot(`
    "
    a failover would NOT work: 1 problem, 4 warnings; 42 checks fine

    the stack
    subscription  warning: nobody receives the notices: a failover happens in
                  silence → subscribe somebody

    orders-db
    interfaces      eni-0aaaaaaaaaaaaaa01  PROBLEM: it is deleted with
                                           i-0aaaaaaaaaaaaaaa1 when that is
                                           terminated, addresses and all → the sweep
                                           has it set within minutes; if it comes
                                           back, whoever deploys the attachment sets
                                           it
    tags            i-0bbbbbbbbbbbbbbb2    warning: NOT_TAGGED: it lacks the tag
                                           eni-failover=managed → tag it
    public-address  eni-0aaaaaaaaaaaaaa01  warning: 198.51.100.4 was assigned by
                                           EC2, and is lost with the move → give it
                                           an Elastic IP
    own-path        eni-0aaaaaaaaaaaaaa01  warning: its public address is the only
                                           one of the instance: whoever administers
                                           it from outside loses the way in → have
                                           another one: a session manager, a
                                           bastion, an address of the primary
                                           interface

    Ways out
      aws sns subscribe --topic-arn arn:aws:sns:eu-central-1:123456789012:notices --protocol email --notification-endpoint ...
      aws ec2 modify-network-interface-attribute --network-interface-id eni-0aaaaaaaaaaaaaa01 --attachment AttachmentId=eni-attach-00000000000000005,DeleteOnTermination=false
      aws ec2 create-tags --resources i-0bbbbbbbbbbbbbbb2 --tags Key=eni-failover,Value=managed
      aws ec2 allocate-address
      aws ec2 associate-address --network-interface-id eni-0aaaaaaaaaaaaaa01 --allocation-id eipalloc-...
    "
  `);
});

describe('a test notice', () => {
  async function askWith(send: ControlClient['send']) {
    const world = await makeWorld();
    const environment = makeHealthyEnvironment(world);
    const connect = async () => ({ ...connectionTo(world), control: { send } });
    const context = contextOf(world, { connect, site: async () => siteOf(world, environment) });
    return world.run(doctorCommand(undefined, { testNotice: true }, undefined, context));
  }

  it('is asked of functions/control', async () => {
    const asked: unknown[] = [];
    const answer = await askWith(async (...command) => {
      asked.push(command);
      return {
        kind: 'done',
        command: 'test-notice',
        service: null,
        author: ann,
        code: null,
        detail: 'sent',
        data: {},
      };
    });
    expect(asked).toEqual([['test-notice', { reason: 'asked for by doctor' }]]);
    expect(findingsIn(answer).find((each) => each.id === 'test-notice')).toMatchObject({
      result: 'ok',
      reason: 'sent; it should be with those who subscribe',
    });
  });

  it('that cannot be sent is a warning, with why', async () => {
    const answer = await askWith(() => Promise.reject(new Error('nothing answers')));
    expect(complaints(answer)).toEqual(['warning test-notice']);
    expect(seen(answer)).toContain('warning: nothing answers → nobody hears of a failover until it works');
  });
});
