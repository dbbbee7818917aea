/** Stories of moves without the controller: what goes wrong, what is written down, and that nothing stays on nothing unsaid. */
import { beforeEach, describe, expect, it } from 'vitest';
import {
  type ByHand,
  commandsByHand,
  type JournalLine,
  moveByHand,
  type Prepared,
  prepareByHand,
} from '../../shared/app/break-glass.ts';
import type { Ec2 } from '../../shared/app/ports.ts';
import { readService } from '../../shared/app/record.ts';
import type { InstanceId, OwnerId } from '../../shared/core/ids.ts';
import type { Service } from '../../shared/core/state.ts';
import { siteOf } from '../fakes/fake-environment.ts';
import { a, b, c, front, makeWorld, management, ordersDb, stranger, type World } from '../fakes/world.ts';

let world: World;
let journal: JournalLine[];
let told: string[];
beforeEach(async () => {
  world = await makeWorld();
  journal = [];
  told = [];
});

const service = async (): Promise<Service> => {
  const read = await world.run(readService(world.ports, ordersDb));
  if (!read) throw new Error('not registered');
  return read;
};
const prepare = async (to: InstanceId = b, force = false) =>
  world.run(prepareByHand(siteOf(world), await service(), to, { force }));

type Ready = Extract<Prepared, { kind: 'prepared' }>;
function mustBeReady(prepared: Prepared): Ready {
  if (prepared.kind !== 'prepared') throw new Error(prepared.detail);
  return prepared;
}
const handsWith = (ec2: Ec2) => ({
  clock: world.clock,
  ec2,
  random: () => 0,
  journal: async (line: JournalLine) => {
    journal.push(line);
  },
  tell: (text: string) => void told.push(text),
});
const move = async (to: InstanceId = b, force = false): Promise<ByHand> =>
  world.run(moveByHand(handsWith(world.ec2), mustBeReady(await prepare(to, force))));
const mutations = () =>
  world.ec2.mutations().map(({ operation, eni, instanceId }) => [operation, eni, instanceId]);

describe('before anything is done', () => {
  it.each<[string, (world: World) => unknown, InstanceId, string]>([
    ['to an instance that is no member', () => undefined, stranger, 'NOT_A_MEMBER'],
    ['to where it is', () => undefined, a, 'NOTHING_TO_DO'],
    ['to an instance that is stopped', ({ ec2 }) => ec2.setState(b, 'stopped'), b, 'NO_ELIGIBLE_STANDBY'],
    ['to an instance whose checks fail', ({ ec2 }) => ec2.impair(b), b, 'NO_ELIGIBLE_STANDBY'],
    [
      'to another zone',
      ({ ec2 }) => ec2.change(b, { availabilityZone: 'eu-central-1b' }),
      b,
      'NO_ELIGIBLE_STANDBY',
    ],
    ['of an interface that is gone', ({ ec2 }) => ec2.deleteInterface(front), b, 'UNMOVABLE_INTERFACE'],
    [
      'of what AWS manages',
      ({ ec2 }) => ec2.changeInterface(front, { managedBy: 'elb' }),
      b,
      'UNMOVABLE_INTERFACE',
    ],
    [
      'of what cannot be read',
      ({ ec2 }) => ec2.fail('interfaces', { kind: 'throttled' }),
      b,
      'UNKNOWN_STATE',
    ],
    [
      'while the controller is at work',
      ({ store, clock }) =>
        store.change(ordersDb, (state) => ({
          ...state,
          lease: { owner: 'somebody' as OwnerId, untilMs: clock.now() + 10_000 },
        })),
      b,
      'LEASE_HELD',
    ],
  ])('is refused: a move %s', async (_, happen, to, code) => {
    happen(world);
    expect(await prepare(to)).toMatchObject({ kind: 'refused', code });
    expect(world.ec2.mutations()).toEqual([]);
  });

  it('a lease that has ended holds nobody back', async () => {
    const untilMs = world.clock.now();
    world.store.change(ordersDb, (state) => ({ ...state, lease: { owner: 'dead' as OwnerId, untilMs } }));
    await world.clock.advance(2_000);
    expect(await prepare()).toMatchObject({ kind: 'prepared' });
  });

  it('what only the controller’s own rules forbid is a warning', async () => {
    world.ec2.change(b, { tagged: false });
    world.store.change(ordersDb, (state) => ({
      ...state,
      quarantine: { [b]: { sinceMs: 0, why: 'it failed before' } },
    }));
    expect(mustBeReady(await prepare()).warnings).toEqual([
      expect.stringMatching(/^NOT_TAGGED: /),
      expect.stringMatching(/^QUARANTINED: it failed before/),
    ]);
  });

  it('the commands name every id, and detach before they attach', async () => {
    const { plan, facts } = mustBeReady(await prepare());
    const commands = commandsByHand(plan, facts);
    expect(commands.map((each) => each.split(' ').slice(2, 3).join())).toEqual([
      'detach-network-interface',
      'detach-network-interface',
      'wait',
      'wait',
      'attach-network-interface',
      'modify-network-interface-attribute',
      'attach-network-interface',
      'modify-network-interface-attribute',
    ]);
    expect(commands[0]).toBe(
      `aws ec2 detach-network-interface --attachment-id ${world.ec2.where(front)?.id}`,
    );
    expect(commands[4]).toBe(
      `aws ec2 attach-network-interface --network-interface-id ${front} --instance-id ${b} --device-index 1 --network-card-index 0`,
    );
  });
});

describe('a move', () => {
  it('detaches plainly, attaches, and keeps on termination', async () => {
    world.ec2.deletesOnTermination = true;
    expect(await move()).toMatchObject({ kind: 'moved', on: b });
    expect(world.holder()).toBe(b);
    expect(world.ec2.where(front)).toMatchObject({ deviceIndex: 1, deleteOnTermination: false });
    expect(world.ec2.where(management)).toMatchObject({ deviceIndex: 2, deleteOnTermination: false });
    expect(world.ec2.mutations('detach').map((each) => each.force)).toEqual([false, false]);
  });

  it('forces when told', async () => {
    world.ec2.stick(front);
    expect(await move(b, true)).toMatchObject({ kind: 'moved' });
    expect(world.ec2.mutations('detach').map((each) => each.force)).toEqual([true, true]);
  });

  it('writes each call down before it is sent, and its answer after', async () => {
    const seen: number[] = [];
    world.ec2.onCall(({ operation }) => {
      if (operation === 'detach' || operation === 'attach') seen.push(journal.length);
    });
    await move();
    expect(journal.map(({ call, detail }) => `${call} ${detail}`.replaceAll(/eni-attach-\w+/g, '…'))).toEqual(
      [
        `DetachNetworkInterface ${front} …`,
        `DetachNetworkInterface ${front} … answered: accepted`,
        `DetachNetworkInterface ${management} …`,
        `DetachNetworkInterface ${management} … answered: accepted`,
        `AttachNetworkInterface ${front} to ${b} at device index 1`,
        `AttachNetworkInterface ${front} to ${b} answered: accepted`,
        `AttachNetworkInterface ${management} to ${b} at device index 2`,
        `AttachNetworkInterface ${management} to ${b} answered: accepted`,
      ],
    );
    expect(seen).toEqual([1, 3, 5, 7]);
  });

  it('begins nothing that cannot be written down', async () => {
    const hands = { ...handsWith(world.ec2), journal: () => Promise.reject(new Error('disk full')) };
    await expect(world.run(moveByHand(hands, mustBeReady(await prepare())))).rejects.toThrow('disk full');
    expect(world.ec2.mutations()).toEqual([]);
  });

  it('ends what it has begun though the disk is full', async () => {
    let lines = 0;
    const full = async () => {
      lines += 1;
      if (lines > 1) throw new Error('disk full');
    };
    const hands = { ...handsWith(world.ec2), journal: full };
    const end = await world.run(moveByHand(hands, mustBeReady(await prepare())));
    expect(end).toMatchObject({ kind: 'moved', on: b });
    expect(told).toContain('the journal could not be written: disk full');
  });

  it('of what lies on nothing attaches it', async () => {
    world.ec2.detachByHand(front);
    world.ec2.detachByHand(management);
    expect(await move()).toMatchObject({ kind: 'moved', on: b });
    expect(world.ec2.mutations('detach')).toEqual([]);
  });

  it('of what is split brings it together', async () => {
    world.ec2.moveByHand(front, b, 1);
    expect(await move()).toMatchObject({ kind: 'moved', on: b });
    expect(world.ec2.mutations('detach').map((each) => each.eni)).toEqual([management]);
  });

  it.each(['throttled', 'timed-out', 'answer-lost'] as const)(
    'goes on when an answer is %s',
    async (kind) => {
      world.ec2.fail('detach', { kind });
      world.ec2.fail('attach', { kind });
      world.ec2.fail('keepOnTermination', { kind: 'throttled' });
      world.ec2.fail('interfaces', { kind: 'timed-out' }, { when: () => world.ec2.mutations().length > 0 });
      world.ec2.deletesOnTermination = true;
      expect(await move()).toMatchObject({ kind: 'moved', on: b });
      expect(world.holder()).toBe(b);
    },
  );

  it('is moved although DeleteOnTermination may not be set, and says so', async () => {
    world.ec2.deletesOnTermination = true;
    world.ec2.fail('keepOnTermination', { kind: 'refused', code: 'UnauthorizedOperation' }, { times: 9 });
    const end = await move();
    expect(end).toMatchObject({ kind: 'moved', on: b });
    expect(told.join('\n')).toContain('DeleteOnTermination could not be set to false');
    expect(commandsByHand(end.plan, end.facts)).toHaveLength(2);
  });
});

describe('a target that refuses', () => {
  it('gets nothing, and everything goes back', async () => {
    world.ec2.refuseAttach(b);
    expect(await move()).toMatchObject({ kind: 'returned', on: a, why: expect.stringContaining(b) });
    expect(world.holder()).toBe(a);
    expect(journal.map((each) => each.call)).toContain('GoBack');
    expect(told.join('\n')).toContain(`going back to ${a}`);
  });

  it('after it took one: that one goes back too', async () => {
    world.ec2.fail(
      'attach',
      { kind: 'refused', code: 'AttachmentLimitExceeded' },
      { when: (call) => call.eni === management && call.instanceId === b },
    );
    expect(await move()).toMatchObject({ kind: 'returned', on: a });
    expect(world.holder()).toBe(a);
  });

  it('like the source: a person is told with the commands', async () => {
    world.ec2.refuseAttach(b);
    world.ec2.refuseAttach(a);
    const end = await move();
    expect(end).toMatchObject({ kind: 'stopped', why: expect.stringContaining('the way back failed') });
    expect(commandsByHand(end.plan, end.facts).join('\n')).toContain(
      `attach-network-interface --network-interface-id ${front} --instance-id ${a}`,
    );
  });
});

describe('a detach', () => {
  it('that is refused changes nothing', async () => {
    world.ec2.fail('detach', { kind: 'refused', code: 'UnauthorizedOperation' });
    expect(await move()).toMatchObject({
      kind: 'refused',
      why: expect.stringContaining('UnauthorizedOperation'),
    });
    expect(world.holder()).toBe(a);
    expect(mutations()).toEqual([['detach', front, a]]);
  });

  it('that is refused for the second brings back the first', async () => {
    world.ec2.fail(
      'detach',
      { kind: 'refused', code: 'UnauthorizedOperation' },
      { when: (call) => call.eni === management },
    );
    expect(await move()).toMatchObject({ kind: 'returned', on: a });
    expect(world.holder()).toBe(a);
  });

  it('that hangs ends with how to force it', async () => {
    world.ec2.stick(front);
    world.ec2.stick(management);
    const end = await move();
    expect(end).toMatchObject({
      kind: 'stopped',
      why: expect.stringContaining('a forced detach may free it'),
    });
    expect(commandsByHand(end.plan, end.facts)[0]).toMatch(/detach-network-interface .* --force$/);
  });
});

describe('somebody else', () => {
  it('who takes the interface meanwhile is left alone', async () => {
    world.ec2.onEffect(({ what, eni }) => {
      if (what === 'detached' && eni === front) world.ec2.attachByHand(front, stranger, 3);
    });
    expect(await move()).toMatchObject({ kind: 'stopped', why: expect.stringContaining(stranger) });
    expect(world.ec2.where(front)).toMatchObject({ instanceId: stranger });
  });
});

describe('broken off in the middle', () => {
  const never = () => new Promise<never>(() => undefined);

  it.each<[string, Partial<Ec2>]>([
    ['before an attach was sent', { attach: never }],
    ['after one detach', { detach: (id, how) => world.ec2.detach(id, how).then(never) }],
    ['after one attach', { attach: (order) => world.ec2.attach(order).then(never) }],
    ['before the first call', { detach: never }],
  ])('%s, the same command goes on', async (_, broken) => {
    world.ec2.deletesOnTermination = true;
    void moveByHand(handsWith({ ...world.ec2, ...broken }), mustBeReady(await prepare()));
    await world.clock.advance(600);
    expect(await move()).toMatchObject({ kind: 'moved', on: b });
    expect(world.holder()).toBe(b);
    expect(world.ec2.where(front)?.deleteOnTermination).toBe(false);
  });

  it('it can go to another member instead, or home', async () => {
    void moveByHand(handsWith({ ...world.ec2, attach: never }), mustBeReady(await prepare()));
    await world.clock.advance(10_000);
    expect(world.ec2.where(front)).toBeUndefined();
    expect(await move(c)).toMatchObject({ kind: 'moved', on: c });
    expect(await move(a)).toMatchObject({ kind: 'moved', on: a });
  });
});
