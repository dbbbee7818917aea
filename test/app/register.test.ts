/** Registration: a declaration held against EC2, stored once, and never against somebody else's interface. */
import { describe, expect } from 'vitest';
import { type Allowed, register } from '../../shared/app/register.ts';
import { switchover } from '../../shared/app/request.ts';
import type { EniId, ServiceName } from '../../shared/core/ids.ts';
import { alarmNamed } from '../fakes/fake-alarms.ts';
import {
  a,
  applicationAlarm,
  b,
  c,
  front,
  management,
  ordersDb,
  stranger,
  type World,
} from '../fakes/world.ts';
import { story } from './story.ts';

const attachedTo = (world: World) => [front, management].map((eni) => world.ec2.where(eni)?.instanceId);
const nothingYet = { registered: false } as const;
const enter = (world: World, declaration: unknown = world.declaration, author = 'ann') =>
  world.run(register(world.ports, { declaration, author }));

describe('a registration', () => {
  story('stores the service, its owner rows, its ways back and its record', nothingYet, async (world) => {
    expect(await enter(world)).toEqual({
      kind: 'registered',
      name: ordersDb,
      isNew: true,
      holder: a,
      changes: [],
      warnings: [],
    });
    expect(world.store.ownerOf(front)).toBe(ordersDb);
    expect(world.store.ownerOf(management)).toBe(ordersDb);
    for (const id of [a, b, c])
      expect(await world.run(world.store.servicesOfInstance(id))).toEqual([ordersDb]);
    expect(world.service()).toMatchObject({
      registeredBy: 'ann',
      facts: { availabilityZone: 'eu-central-1a', limits: { 'm6i.large': { interfaces: 4 } } },
      lastSeen: { holder: a },
      outbox: [],
    });
    expect(world.store.rows(ordersDb)).toHaveLength(1);
    expect(world.service()).not.toHaveProperty('source');
    const [notice, ...others] = world.notifier.of('REGISTERED');
    expect(others).toEqual([]);
    expect(notice?.subject).toBe('[eni-failover] orders-db: registered by ann');
    // Nothing is said of why and by which stack where neither was given.
    expect(notice?.body.split('\n\n').slice(0, 2)).toEqual([
      'orders-db: registered by ann',
      `Interfaces: ${front}, ${management}\nMembers: ${a}, ${b}, ${c}`,
    ]);
    expect((await world.run(world.store.list())).names).toEqual([ordersDb]);
    expect(world.queue.sent.map((each) => [each.message.service, each.message.hint.kind])).toEqual([
      [ordersDb, 'request'],
    ]);
    expect(world.ec2.mutations(), 'only functions/failover changes EC2').toEqual([]);
  });

  story('that is made again changes nothing', nothingYet, async (world) => {
    await enter(world);
    const before = world.service();
    expect(await enter(world)).toMatchObject({ kind: 'unchanged' });
    expect(world.service()).toEqual(before);
    expect(world.store.rows(ordersDb)).toHaveLength(1);
  });

  story('enqueues what must change in EC2, and functions/failover changes it', nothingYet, async (world) => {
    world.ec2.setDeleteOnTermination(management, true);
    await enter(world);
    await world.settle();
    expect(world.ec2.where(management)?.deleteOnTermination).toBe(false);
  });

  story('finds an alarm on the way back', nothingYet, async (world) => {
    await enter(world, { ...world.declaration, signals: { alarms: [{ arn: applicationAlarm }] } });
    expect(await world.run(world.store.servicesOfAlarm(applicationAlarm))).toEqual([ordersDb]);
  });

  story('whose queue is away is stored, and made again enqueues', nothingYet, async (world) => {
    world.queue.fail();
    await expect(enter(world)).rejects.toMatchObject({ name: 'PortError' });
    expect(await enter(world)).toMatchObject({ kind: 'unchanged' });
    expect(world.queue.sent).toHaveLength(1);
  });

  story('whose answer was lost is one registration', nothingYet, async (world) => {
    world.store.fail('create', { kind: 'answer-lost' });
    await enter(world).catch(() => undefined);
    expect(await enter(world)).toMatchObject({ kind: 'unchanged' });
    await world.clock.advance(5_000);
    await world.settle();
    expect(world.store.rows(ordersDb)).toHaveLength(1);
  });

  for (const operation of ['own', 'addWayBack', 'create', 'joinZone', 'copyToTrail'] as const)
    story(`that dies at ${operation} is completed when it is made again`, nothingYet, async (world) => {
      world.store.fail(operation, { kind: 'unreachable' });
      await enter(world).catch(() => undefined);
      await enter(world);
      await world.settle();
      expect(world.service().lastSeen?.holder).toBe(a);
      expect(world.store.ownerOf(front)).toBe(ordersDb);
      expect((await world.run(world.store.list())).names).toEqual([ordersDb]);
      world.ec2.impair(a);
      expect((await world.look(world.alarm(a))).code).toBe('COMPLETED');
    });
});

describe('a registration is rejected', () => {
  const other = (world: World, more: object) => ({ ...world.declaration, ...more });
  const cases: readonly (readonly [string, (world: World) => unknown, string])[] = [
    ['without members', (world) => other(world, { members: [] }), 'at least one member'],
    ['without interfaces', (world) => other(world, { interfaces: [] }), 'at least one interface'],
    ['with an unknown key', (world) => other(world, { member: [] }), 'not a known key'],
    [
      'when EC2 knows no such interface',
      (world) => other(world, { interfaces: [{ eni: 'eni-0ffffffffffffff99', deviceIndex: 1 }] }),
      'EC2 knows no interface',
    ],
    [
      'when EC2 knows no such member',
      (world) => other(world, { members: [{ instance: a }, { instance: 'i-0999999999999999f' }] }),
      'NO_SUCH_MEMBER',
    ],
    [
      'when the interface is a primary one',
      (world) => {
        world.ec2.moveByHand(front, a, 0);
        return world.declaration;
      },
      'declare a secondary interface of your own',
    ],
    [
      'when an AWS service manages the interface',
      (world) => {
        world.ec2.changeInterface(front, { managedBy: 'amazon-elb' });
        return world.declaration;
      },
      'managed by amazon-elb',
    ],
    [
      'when an interface lacks the tag',
      (world) => {
        world.ec2.changeInterface(front, { tagged: false });
        return world.declaration;
      },
      'create-tags',
    ],
    [
      'when a member lacks the tag',
      (world) => {
        world.ec2.change(b, { tagged: false });
        return world.declaration;
      },
      `aws ec2 create-tags --resources ${b}`,
    ],
    [
      'when a member is in another zone',
      (world) => {
        world.ec2.change(b, { availabilityZone: 'eu-central-1b' });
        return world.declaration;
      },
      'WRONG_AZ',
    ],
    [
      'when a member carries fewer addresses than an interface has',
      (world) => {
        world.ec2.limitsByType['t3.nano'] = {
          interfaces: 4,
          interfacesPerCard: [4],
          ipv4PerInterface: 2,
          ipv6PerInterface: 2,
        };
        world.ec2.change(b, { instanceType: 't3.nano' });
        return world.declaration;
      },
      'LIMIT_REACHED',
    ],
    [
      'when the interfaces are split',
      (world) => {
        world.ec2.moveByHand(front, b, 1);
        return world.declaration;
      },
      'must rest together',
    ],
    [
      'when an interface is on nothing',
      (world) => {
        world.ec2.detachByHand(front);
        return world.declaration;
      },
      'attached to nothing',
    ],
    [
      'when the holder is no member',
      (world) => {
        world.ec2.moveByHand(front, stranger, 1);
        world.ec2.moveByHand(management, stranger, 2);
        return world.declaration;
      },
      'not one of the members',
    ],
    [
      'when CloudWatch knows no such alarm',
      (world) => other(world, { signals: { alarms: [{ arn: alarmNamed('misspelt') }] } }),
      'CloudWatch knows no alarm',
    ],
    [
      'with a fence that would be over before anybody looked',
      (world) => other(world, { policy: { fence: 'stop', fenceTimeout: '4s' } }),
      'policy.fenceTimeout: must be 5s or more',
    ],
    [
      'with a fence that takes longer than anybody understands',
      (world) => other(world, { policy: { fence: 'stop', fenceTimeout: '901s' } }),
      'policy.fenceTimeout: must be 15m or less',
    ],
    ...(['before', 'after'] as const).flatMap((at) =>
      [
        ['0s', 'must be 5s or more'],
        ['16m', 'must be 15m or less'],
      ].map(([deadline = '', problem = '']): (typeof cases)[number] => [
        `with a hook ${at} the move that has ${deadline}`,
        (world) => other(world, { hooks: { [at]: [{ function: 'eni-failover-hook-x', deadline }] } }),
        `hooks.${at}.0.deadline: ${problem}`,
      ]),
    ),
    [
      'with a service that is to answer at once',
      (world) => other(world, { serving: { alarm: applicationAlarm, within: '4s' } }),
      'serving.within: must be 5s or more',
    ],
    [
      'with a service that may be silent for longer than an outage that anybody understands',
      (world) => other(world, { serving: { check: { function: 'eni-failover-hook-x' }, within: '16m' } }),
      'serving.within: must be 15m or less',
    ],
    [
      'with a check on the source, which says nothing of who has the interfaces',
      (world) => other(world, { serving: { check: { document: 'probe', on: 'source' } } }),
      'serving.check.on: must be target',
    ],
    [
      'when EC2 cannot be read',
      (world) => {
        world.ec2.fail('instances', { kind: 'throttled' }, { times: 9 });
        return world.declaration;
      },
      'could not be read',
    ],
  ];
  for (const [when, make, problem] of cases)
    story(`${when}: nothing is stored`, nothingYet, async (world) => {
      const answer = await enter(world, make(world));
      expect(answer).toMatchObject({ kind: 'rejected' });
      expect(answer.kind === 'rejected' && answer.problems.join('\n')).toContain(problem);
      expect(world.store.ownerOf(front)).toBeUndefined();
      expect(world.store.writes).toEqual([]);
      expect(world.queue.sent).toEqual([]);
    });

  story('but not for the shortest and the longest time that a stage may take', nothingYet, async (world) => {
    const times = { fence: 'stop', fenceTimeout: '5s' };
    const hooks = { before: [{ function: 'eni-failover-hook-x', deadline: '15m' }] };
    const given = other(world, { policy: times, hooks, serving: { alarm: applicationAlarm, within: '5s' } });
    expect(await enter(world, given)).toMatchObject({ kind: 'registered' });
  });

  story('when an interface is on its way: nothing is stored', nothingYet, async (world) => {
    // Whoever attaches it now is nobody's controller.
    world.excuse(['S11']);
    world.ec2.detachByHand(front);
    world.ec2.latency.attachMs = 600_000;
    await world.run(world.ec2.attach({ eni: front, instanceId: a, deviceIndex: 1, networkCardIndex: 0 }));
    const answer = await enter(world);
    expect(answer.kind === 'rejected' && answer.problems.join()).toContain('register when it is attached');
    expect(world.store.ownerOf(front)).toBeUndefined();
  });

  story('when a tag is missing, and help is given for tags only', nothingYet, async (world) => {
    world.ec2.change(b, { availabilityZone: 'eu-central-1b' });
    const answer = await enter(world);
    expect(answer.kind === 'rejected' && answer.problems.join()).not.toContain('create-tags');
  });

  story('while the table is away it is no rejection: nobody knows', nothingYet, async (world) => {
    world.store.goDown();
    const answer = await enter(world).catch((error: unknown) => error);
    expect(answer).toMatchObject({ name: 'PortError' });
  });

  story('when an edit adds what belongs to another service, and it keeps what it had', async (world) => {
    const theirs = 'eni-0aaaaaaaaaaaaaa77' as EniId;
    world.ec2.addInterface(theirs);
    world.ec2.attachByHand(theirs, a, 3);
    await world.run(world.store.own(theirs, 'billing' as ServiceName));
    const interfaces = [
      { eni: front, deviceIndex: 1 },
      { eni: management, deviceIndex: 2 },
      { eni: theirs, deviceIndex: 3 },
    ];
    expect(await enter(world, other(world, { interfaces }))).toMatchObject({ kind: 'rejected' });
    expect([front, management, theirs].map(world.store.ownerOf)).toEqual([ordersDb, ordersDb, 'billing']);
  });

  story('when an interface belongs to another service, and what it took is given back', async (world) => {
    const free = 'eni-0aaaaaaaaaaaaaa77' as EniId;
    world.ec2.addInterface(free);
    world.ec2.attachByHand(free, a, 3);
    const answer = await enter(world, {
      name: 'billing',
      interfaces: [
        { eni: free, deviceIndex: 3 },
        { eni: front, deviceIndex: 1 },
      ],
      members: [{ instance: a }, { instance: b }],
    });
    expect(answer).toMatchObject({ kind: 'rejected' });
    expect(answer.kind === 'rejected' && answer.problems[0]).toContain('belongs to the service orders-db');
    expect(world.store.ownerOf(free)).toBe('released');
    expect(world.store.ownerOf(front)).toBe(ordersDb);
  });

  story('while an episode is open or the service is stranded', async (world) => {
    world.ec2.impair(a);
    const { report } = world.begin(world.alarm(a));
    await world.clock.advance(700);
    const edited = { ...world.declaration, policy: { budgetPerHour: 9 } };
    const answer = await enter(world, edited);
    expect(answer.kind === 'rejected' && answer.problems.join()).toContain('episode orders-db.1 is open');
    await world.run(report);
    for (const id of [b, c, a]) world.ec2.refuseAttach(id);
    world.ec2.impair(b);
    expect((await world.look(world.alarm(b))).code).toBe('STRANDED');
    expect(await enter(world, edited)).toMatchObject({ kind: 'rejected' });
  });

  story(
    'of a stranded service is accepted once it is whole on a member of the new declaration',
    async (world) => {
      world.ec2.impair(a);
      for (const id of [a, b, c]) world.ec2.refuseAttach(id);
      expect((await world.look(world.alarm(a))).code).toBe('STRANDED');
      for (const id of [a, b, c]) world.ec2.terminate(id);
      world.ec2.attachByHand(front, stranger, 1);
      world.ec2.attachByHand(management, stranger, 2);
      const answer = await enter(world, { ...world.declaration, members: [{ instance: stranger }] });
      expect(answer).toMatchObject({ kind: 'registered', holder: stranger });
      expect(world.service().stranded).toBeUndefined();
      expect(world.service().lastSeen?.holder).toBe(stranger);
    },
  );

  story('of a stranded service as it is declared already is accepted once it is whole', async (world) => {
    world.ec2.impair(a);
    for (const id of [a, b, c]) world.ec2.refuseAttach(id);
    expect((await world.look(world.alarm(a))).code).toBe('STRANDED');
    world.ec2.attachByHand(front, b, 1);
    world.ec2.attachByHand(management, b, 2);
    expect(await enter(world)).toMatchObject({ kind: 'registered', isNew: false, holder: b });
    expect(world.service().stranded).toBeUndefined();
  });

  story('when an episode begins between its look and its write', async (world) => {
    world.store.fail('write', {
      kind: 'meanwhile',
      run: () => world.store.change(ordersDb, (state) => ({ ...state, lastObserved: 'x' })),
    });
    const answer = await enter(world, { ...world.declaration, policy: { budgetPerHour: 9 } });
    expect(answer).toMatchObject({ kind: 'rejected' });
    expect(world.service().declared).not.toContain('budgetPerHour');
  });
});

describe('what is declared around the move', () => {
  const everything: Allowed = { fencing: true, hookDocuments: ['promote', 'stop-app'], hookFunctions: true };
  const answers = alarmNamed('orders-answers');
  const promote = { document: 'promote', on: 'target' };
  const declare = (world: World, more: object, allowed: Allowed = everything) =>
    world.run(
      register(world.ports, { declaration: { ...world.declaration, ...more }, author: 'ann', allowed }),
    );
  /** What the answer says, problems before warnings. */
  const said = async (world: World, more: object, allowed?: Allowed) => {
    const answer = await declare(world, more, allowed);
    return answer.kind === 'rejected' ? answer.problems : answer.warnings;
  };
  const hooksAfter = (...hooks: readonly object[]) => ({ hooks: { after: hooks } });

  story('is stored and told where the stack allows all of it', nothingYet, async (world) => {
    world.alarms.set(answers, 'OK');
    const answer = await declare(world, {
      policy: { fence: 'stop' },
      hooks: {
        before: [{ document: 'stop-app', on: 'source', undo: { document: 'promote', on: 'source' } }],
        after: [promote, { function: 'eni-failover-hook-dns' }],
      },
      serving: { alarm: answers },
    });
    expect(answer).toMatchObject({ kind: 'registered', warnings: [] });
    const [notice] = world.notifier.of('REGISTERED');
    expect(notice?.body).toContain('fence: a failed source is stopped');
    expect(notice?.body).toContain('before.0: document stop-app on the source');
    expect(notice?.body).toContain('after.1: function eni-failover-hook-dns');
    expect(notice?.body).toContain('serving: alarm orders-answers is OK');
  });

  story('of a red alarm that says nothing of serving has no warning about it', nothingYet, async (world) => {
    world.alarms.set(answers, 'OK');
    world.alarms.set(applicationAlarm, 'ALARM');
    const signals = { alarms: [{ arn: applicationAlarm }] };
    expect(await said(world, { signals, serving: { alarm: answers } })).toEqual([]);
  });

  story('asks CloudWatch of no alarm where none is declared', nothingYet, async (world) => {
    let asked = 0;
    const alarms = {
      describe: (arns: Parameters<typeof world.alarms.describe>[0]) => {
        asked += 1;
        return world.alarms.describe(arns);
      },
    };
    await world.run(register({ ...world.ports, alarms }, { declaration: world.declaration, author: 'ann' }));
    expect(asked).toBe(0);
  });

  const refusals: readonly (readonly [string, object, Partial<Allowed>, string, string])[] = [
    ['a fence', { policy: { fence: 'stop' } }, { fencing: false }, 'policy.fence', 'Fencing=on'],
    [
      'a document',
      hooksAfter(promote),
      { hookDocuments: [] },
      'hooks.after.0.document',
      'HookDocuments naming promote',
    ],
    [
      'another document',
      hooksAfter(promote, { document: 'dump', on: 'target' }),
      {},
      'hooks.after.1.document',
      'HookDocuments naming dump',
    ],
    [
      'an undo',
      { hooks: { before: [{ ...promote, undo: { document: 'undo', on: 'target' } }] } },
      {},
      'hooks.before.0.undo.document',
      'HookDocuments naming undo',
    ],
    [
      'a check by a document',
      { serving: { check: { document: 'probe', on: 'target' } } },
      {},
      'serving.check.document',
      'HookDocuments naming probe',
    ],
    [
      'a function',
      hooksAfter({ function: 'eni-failover-hook-dns' }),
      { hookFunctions: false },
      'hooks.after.0.function',
      'HookFunctions=on',
    ],
  ];
  for (const [what, more, allowed, at, wayOut] of refusals)
    story(
      `is rejected with the way out where the stack does not allow ${what}`,
      nothingYet,
      async (world) => {
        const answer = await declare(world, more, { ...everything, ...allowed });
        expect(answer.kind).toBe('rejected');
        const [problem, ...others] = answer.kind === 'rejected' ? answer.problems : [];
        expect(others).toEqual([]);
        expect(problem).toMatch(new RegExp(`^${at}: this stack may not `));
        expect(problem).toContain(`deploy it with the parameter ${wayOut}`);
        expect(world.store.writes).toEqual([]);
      },
    );

  story('is accepted with a warning where nobody said what the stack allows', nothingYet, async (world) => {
    const more = { policy: { fence: 'stop' }, ...hooksAfter(promote, { function: 'eni-failover-hook-dns' }) };
    const answer = await enter(world, { ...world.declaration, ...more });
    expect(answer.kind).toBe('registered');
    const warnings = answer.kind === 'registered' ? answer.warnings : [];
    expect(warnings.map((each) => each.split(':')[0])).toEqual([
      'policy.fence',
      'hooks.after.0.document',
      'hooks.after.1.function',
    ]);
    expect(warnings[0]).toContain('whether this stack may stop instances is not known');
  });

  const names: readonly (readonly [string, boolean])[] = [
    ['eni-failover-hook-dns', true],
    ['eni-failover-hook-dns:live', true],
    ['arn:aws:lambda:eu-central-1:123456789012:function:eni-failover-hook-dns:live', true],
    ['123456789012:function:eni-failover-hook-dns', true],
    ['dns', false],
    ['arn:aws:lambda:eu-central-1:123456789012:function:my-eni-failover-hook-dns', false],
  ];
  for (const [name, isRight] of names)
    story(`may be the function ${name}: ${isRight}`, nothingYet, async (world) => {
      const problems = await said(world, hooksAfter({ function: name }));
      expect(problems).toHaveLength(isRight ? 0 : 1);
      if (!isRight) expect(problems[0]).toContain('does not begin with eni-failover-hook-');
      // Nobody knows by which names the role of a stack that nobody described lets functions be called.
      const unsaid = await enter(world, { ...world.declaration, ...hooksAfter({ function: name }) });
      expect(unsaid.kind).not.toBe('rejected');
    });

  story('is rejected when CloudWatch knows no such alarm', nothingYet, async (world) => {
    const problems = await said(world, { serving: { alarm: alarmNamed('misspelt') } });
    expect(problems).toEqual([
      expect.stringMatching(/^serving\.alarm: CloudWatch knows no alarm .*misspelt/),
    ]);
    expect(world.store.writes).toEqual([]);
  });
  story('is rejected while the alarm cannot be read', nothingYet, async (world) => {
    world.alarms.fail();
    const problems = await said(world, { serving: { alarm: answers } });
    expect(problems).toEqual([expect.stringMatching(/^serving\.alarm: .* could not be read/)]);
  });
  story('is warned of when the service does not answer today either', nothingYet, async (world) => {
    world.alarms.set(answers, 'ALARM');
    const warnings = await said(world, { serving: { alarm: answers } });
    expect(warnings).toEqual([expect.stringMatching(/^serving\.alarm: .* is ALARM now/)]);
  });
});

describe('an edit', () => {
  story('continues number, chain, epoch and rev', async (world) => {
    world.ec2.impair(a);
    await world.look(world.alarm(a));
    world.ec2.recover(a);
    const before = world.service();
    const answer = await enter(world, { ...world.declaration, policy: { budgetPerHour: 9 } }, 'bob');
    expect(answer).toMatchObject({ kind: 'registered', isNew: false, holder: b });
    expect(world.service().epoch).toBe(before.epoch);
    expect(world.service().quarantine).toEqual(before.quarantine);
    expect(world.kinds()).toEqual(['episode', 'change']);
    expect(world.notifier.of('CHANGED')[0]?.body).toContain('registration changed by bob');
    expect([front, management].map(world.store.ownerOf)).toEqual([ordersDb, ordersDb]);
  });

  story(
    'that drops an interface releases it only afterwards, and another service may take it',
    async (world) => {
      await enter(world, { ...world.declaration, interfaces: [{ eni: front, deviceIndex: 1 }] });
      expect(world.store.ownerOf(management)).toBe('released');
      expect(world.store.ownerOf(front)).toBe(ordersDb);
      const answer = await enter(world, {
        name: 'billing',
        interfaces: [{ eni: management, deviceIndex: 2 }],
        members: [{ instance: a }, { instance: b }],
      });
      expect(answer).toMatchObject({ kind: 'registered', name: 'billing' });
    },
  );

  story('that drops a member leaves a way back that harms nobody', async (world) => {
    await enter(world, { ...world.declaration, members: [{ instance: a }, { instance: b }] });
    world.ec2.impair(c);
    expect(await world.look(world.alarm(c))).toMatchObject({ kind: 'nothing', code: 'NOT_HOLDER' });
  });

  story('of an unregistered service brings it back', async (world) => {
    world.store.change(ordersDb, (state) => ({ ...state, tombstone: true }));
    expect(await enter(world)).toMatchObject({ kind: 'registered', isNew: true });
    expect(world.service().tombstone).toBeUndefined();
    world.ec2.impair(a);
    expect((await world.look(world.alarm(a))).code).toBe('COMPLETED');
  });

  story('of a stored item that cannot be understood is rejected, and says what would help', async (world) => {
    world.store.put(ordersDb, { ...(world.store.raw(ordersDb) as object), lease: 'free' });
    const answer = await enter(world);
    expect(answer.kind === 'rejected' && answer.problems.join()).toContain(
      'restore it from a point in time, or correct the item by hand',
    );
  });
});

describe('a registration that stands is warned', () => {
  const warningsOf = async (world: World, declaration: unknown = world.declaration) => {
    const answer = await enter(world, declaration);
    expect(answer).toMatchObject({ kind: 'registered' });
    return answer.kind === 'registered' ? answer.warnings.join() : '';
  };

  story('that a standby could not take over just now', nothingYet, async (world) => {
    world.ec2.setState(b, 'stopped');
    expect(await warningsOf(world)).toContain(`members.1.instance: ${b}: NOT_RUNNING`);
  });
  story('that there is no standby at all', nothingYet, async (world) => {
    const members = [{ instance: a }];
    expect(await warningsOf(world, { ...world.declaration, members })).toContain('there is only one');
  });
  story('that an interface will sit elsewhere after a move', nothingYet, async (world) => {
    world.ec2.moveByHand(front, a, 3);
    expect(await warningsOf(world)).toContain(
      'sits at device index 3 of network card 0 now and will take device index 1 of network card 0 after a move',
    );
  });
  story('that an interface will sit on another network card', nothingYet, async (world) => {
    const large = { interfaces: 8, interfacesPerCard: [4, 4], ipv4PerInterface: 15, ipv6PerInterface: 15 };
    world.ec2.limitsByType['m6i.large'] = large;
    const interfaces = [
      { eni: front, deviceIndex: 1, networkCardIndex: 1 },
      { eni: management, deviceIndex: 2 },
    ];
    expect(await warningsOf(world, { ...world.declaration, interfaces })).toContain(
      'sits at device index 1 of network card 0 now and will take device index 1 of network card 1 after a move',
    );
  });
  story('and stores no limits that could not be read', nothingYet, async (world) => {
    world.ec2.change(b, { instanceType: 'm9x.large' });
    expect(await warningsOf(world)).toContain(b);
    const [written] = world.store.writes;
    expect(Object.keys(written?.after.facts.limits ?? {})).toEqual(['m6i.large']);
  });
});

describe('two registrations at once', () => {
  story('of one new service: one wins, and the other one is told', nothingYet, async (world) => {
    const answers = await world.run(
      Promise.all(
        ['ann', 'bob'].map((author) => register(world.ports, { declaration: world.declaration, author })),
      ),
    );
    expect(answers.map((each) => each.kind).sort()).toEqual(['registered', 'rejected']);
    expect(world.store.rows(ordersDb)).toHaveLength(1);
    expect(world.store.ownerOf(front)).toBe(ordersDb);
  });

  story('of two services for one interface: at most one has it', nothingYet, async (world) => {
    const rival = { ...world.declaration, name: 'rival' };
    const answers = await world.run(
      Promise.all(
        [world.declaration, rival].map((declaration) =>
          register(world.ports, { declaration, author: 'ann' }),
        ),
      ),
    );
    expect(answers.filter((each) => each.kind === 'registered').length).toBeLessThanOrEqual(1);
    const owners = new Set([front, management].map((eni) => world.store.ownerOf(eni)));
    const winner = answers.find((each) => each.kind === 'registered');
    if (winner?.kind === 'registered') expect([...owners]).toEqual([winner.name]);
    // Whoever lost may try again and is told whose it is.
    const again = await enter(
      world,
      winner?.kind === 'registered' && winner.name === ordersDb ? rival : world.declaration,
    );
    expect(again.kind).toBe(winner ? 'rejected' : 'registered');
  });
});

describe('a registration by a stack', () => {
  const stack = 'arn:aws:cloudformation:eu-central-1:000000000000:stack/orders/1';
  const by = (world: World, more: object) =>
    world.run(
      register(world.ports, { declaration: world.declaration, author: 'deploy', source: stack, ...more }),
    );

  story('is the stack’s: nobody else overwrites it unless told', nothingYet, async (world) => {
    await by(world, {});
    expect(world.service().source).toBe(stack);
    expect(world.notifier.of('REGISTERED')[0]?.body).toContain(`Source: ${stack}`);
    expect(await by(world, {})).toMatchObject({ kind: 'unchanged', holder: a });
    const before = world.service();
    const edited = { ...world.declaration, policy: { mode: 'observe' } };
    expect(await enter(world, edited)).toEqual({
      kind: 'rejected',
      code: 'OWNED_BY_OTHERS',
      problems: [expect.stringContaining(stack)],
    });
    expect(world.service()).toEqual(before);
    expect(await by(world, { source: 'operator', takeOver: true })).toMatchObject({
      kind: 'registered',
      isNew: false,
      changes: [`source: ${stack} → operator`],
    });
    expect(world.service()).not.toHaveProperty('source');
    expect(await enter(world, edited)).toMatchObject({ kind: 'registered' });
  });

  story('takes over what an operator registered only if told', nothingYet, async (world) => {
    await enter(world);
    expect(await by(world, {})).toMatchObject({ code: 'OWNED_BY_OTHERS' });
    await by(world, { takeOver: true });
    expect(world.service().source).toBe(stack);
  });

  story('continues what another source had unregistered', nothingYet, async (world) => {
    await by(world, {});
    world.store.change(ordersDb, (state) => ({ ...state, tombstone: true }));
    expect(await enter(world)).toMatchObject({ kind: 'registered', isNew: true, changes: [] });
    expect(world.service()).not.toHaveProperty('source');
  });
});

describe('a registration that is only tried', () => {
  const tried = (world: World, declaration: unknown) =>
    world.run(register(world.ports, { declaration, author: 'ann', dryRun: true }));

  story('checks everything and stores nothing', nothingYet, async (world) => {
    expect(await tried(world, world.declaration)).toMatchObject({
      kind: 'registered',
      isNew: true,
      holder: a,
    });
    expect(world.store.writes).toEqual([]);
    expect(world.store.ownerOf(front)).toBeUndefined();
    expect(world.queue.sent).toEqual([]);
    const wrong = { ...world.declaration, members: [{ instance: b }] };
    expect(await tried(world, wrong)).toMatchObject({ kind: 'rejected', code: 'REJECTED' });
  });

  story('says what would change', async (world) => {
    const edited = { ...world.declaration, policy: { confirm: '5m' } };
    expect(await tried(world, edited)).toMatchObject({
      changes: ['policy.confirm: the default → 5m'],
    });
    expect(world.kinds()).toEqual([]);
  });
});

describe('a changed registration', () => {
  story('says what changed and why, in record and notice', async (world) => {
    const declaration = {
      ...world.declaration,
      members: [{ instance: a }, { instance: b }],
      policy: { confirm: '5m' },
    };
    world.store.change(ordersDb, (state) => ({
      ...state,
      quarantine: { [b]: { sinceMs: 0, why: 'x' } },
    }));
    await world.run(register(world.ports, { declaration, author: 'ann', reason: 'slow disks' }));
    const changes = [`member removed: ${c}`, 'policy.confirm: the default → 5m'];
    expect(world.records('change').at(-1)).toMatchObject({ changes, reason: 'slow disks' });
    for (const line of [...changes, 'Why: slow disks'])
      expect(world.notifier.of('CHANGED')[0]?.body).toContain(`\n${line}\n`);
  });

  story('that drops a quarantined member and names it again does not let it back in', async (world) => {
    world.ec2.impair(a);
    await world.look(world.alarm(a));
    world.ec2.recover(a);
    const { quarantine } = world.service();
    expect(Object.keys(quarantine)).toEqual([a]);
    await enter(world, { ...world.declaration, members: [{ instance: b }, { instance: c }] });
    await enter(world);
    expect(world.service().quarantine).toEqual(quarantine);
    world.ec2.impair(b);
    await world.look(world.alarm(b));
    expect(attachedTo(world)).toEqual([c, c]);
  });

  story('keeps the latest quarantines of former members, and all of its members', async (world) => {
    const well = { healthySinceMs: 1 };
    const former = Array.from({ length: 30 }, (_, i) => [
      `i-${String(i).padStart(17, '0')}`,
      { sinceMs: i + 1, why: 'x', ...well },
    ]);
    // One of the members longer ago than any of them, one later.
    const members = [
      [b, { sinceMs: 0, why: 'x', ...well }],
      [c, { sinceMs: 99, why: 'x', ...well }],
    ];
    const quarantine = Object.fromEntries([...members, ...former.toReversed()]);
    world.store.change(ordersDb, (state) => ({ ...state, quarantine }));
    await enter(world, { ...world.declaration, policy: { confirm: '5m' } });
    expect(new Set(Object.keys(world.service().quarantine))).toEqual(
      new Set([b, c, ...former.slice(-20).map(([id]) => id)]),
    );
    // Nobody looks after those: whether they are well is asked anew when they are named again.
    const timed = Object.entries(world.service().quarantine).filter(([, each]) => 'healthySinceMs' in each);
    expect(timed.map(([id]) => id)).toEqual([b, c]);
  });

  story('is refused in the middle of an episode', async (world) => {
    world.excuse(['S12']);
    world.ec2.impair(a);
    world.begin(world.alarm(a));
    await world.clock.advance(400);
    expect(await enter(world)).toMatchObject({ kind: 'rejected', code: 'EPISODE_OPEN' });
    await world.clock.advance(60_000);
  });
});

describe('while something of the service is unfinished', () => {
  const by = { author: 'ann', reason: 'new kernel' };
  const without = (world: World) => ({
    ...world.declaration,
    interfaces: [{ eni: front, deviceIndex: 1 }],
  });
  const unfinished: readonly (readonly [string, string, string, (world: World) => unknown])[] = [
    [
      'a request waits',
      'REQUEST_WAITS',
      'a switchover that ann asked for waits',
      (world) => world.run(switchover(world.ports, ordersDb, b, by)),
    ],
    [
      'a detach of ours may still take effect',
      'LATE_EFFECTS',
      'eni-attach-',
      (world) =>
        world.store.change(ordersDb, (state) => ({
          ...state,
          mayDetach: Object.values(state.lastSeen?.attachments ?? {}),
          mayDetachUntilMs: world.clock.now() + 600_000,
        })),
    ],
  ];
  for (const [when, code, why, prepare] of unfinished) {
    story(`and ${when}, a changed registration is refused, also as a trial`, async (world) => {
      await prepare(world);
      const before = world.service();
      for (const dryRun of [true, false]) {
        const declaration = without(world);
        const answer = await world.run(register(world.ports, { declaration, author: 'ann', dryRun }));
        expect(answer).toMatchObject({ kind: 'rejected', code });
        expect(answer).toMatchObject({ problems: [expect.stringContaining(`${ordersDb}: ${why}`)] });
      }
      expect(world.service()).toEqual(before);
      expect(world.store.ownerOf(management)).toBe(ordersDb);
      await world.settle();
    });

    story(`and ${when}, the same registration is made again, as by a stack that goes back`, async (world) => {
      await prepare(world);
      expect(await enter(world)).toMatchObject({ kind: 'unchanged' });
      await world.settle();
    });
  }
});
