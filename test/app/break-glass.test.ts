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
import type { AttachmentId, EniId, InstanceId, OwnerId } from '../../shared/core/ids.ts';
import type { InterfaceFact } from '../../shared/core/observation.ts';
import type { Service } from '../../shared/core/state.ts';
import { times } from '../../shared/core/times.ts';
import type { Ec2Fault } from '../fakes/fake-ec2.ts';
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
const prepare = async (to: InstanceId = b, force = false, ec2: Ec2 = world.ec2) =>
  world.run(prepareByHand({ ...siteOf(world), ec2 }, await service(), to, { force }));

const attachmentIdOf = (eni: EniId): AttachmentId => {
  const id = world.ec2.where(eni)?.id;
  if (!id) throw new Error(`${eni} is on nothing`);
  return id;
};
const verbOf = (command: string) => command.split(' ')[2];

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
/** As the journal tells it, without the attachments' ids. */
const written = () =>
  journal.map(({ call, detail }) => `${call} ${detail}`.replaceAll(/eni-attach-\w+/g, '…'));
/** EC2 with each interface shown as the test wants it. */
const showing = (as: (fact: InterfaceFact) => InterfaceFact): Ec2 => ({
  ...world.ec2,
  interfaces: async (enis, patience) => {
    const { value, ...answer } = await world.ec2.interfaces(enis, patience);
    return { ...answer, value: new Map([...value].map(([eni, fact]) => [eni, as(fact)])) };
  },
});
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

  it('to where it is just leaving is no move for nothing', async () => {
    world.ec2.stick(front);
    await world.run(world.ec2.detach(attachmentIdOf(front), { force: false }));
    expect(await prepare(a)).toMatchObject({ kind: 'prepared', plan: { target: a } });
  });

  it('what EC2 shows as detached is on nothing: it is neither there nor detached again', async () => {
    const ec2 = showing((fact) => ({
      ...fact,
      status: 'available',
      attachment: fact.attachment && { ...fact.attachment, status: 'detached' },
    }));
    const { plan, facts } = mustBeReady(await prepare(a, false, ec2));
    expect(plan.interfaces.map((each) => each.detach)).toEqual([undefined, undefined]);
    expect(plan.source).toBeUndefined();
    expect(commandsByHand(plan, facts).map(verbOf)).toEqual([
      'attach-network-interface',
      'modify-network-interface-attribute',
      'attach-network-interface',
      'modify-network-interface-attribute',
    ]);
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
    expect(commands.map(verbOf)).toEqual([
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

  it('the commands force when told, and keep on termination what is there already', async () => {
    world.ec2.moveByHand(front, b, 1);
    world.ec2.setDeleteOnTermination(front, true);
    world.ec2.setDeleteOnTermination(management, true);
    const { plan, facts } = mustBeReady(await prepare(b, true));
    const found = `$(aws ec2 describe-network-interfaces --network-interface-ids ${management} --query 'NetworkInterfaces[0].Attachment.AttachmentId' --output text)`;
    expect(commandsByHand(plan, facts)).toEqual([
      `aws ec2 detach-network-interface --attachment-id ${attachmentIdOf(management)} --force`,
      `aws ec2 wait network-interface-available --network-interface-ids ${management}`,
      `aws ec2 attach-network-interface --network-interface-id ${management} --instance-id ${b} --device-index 2 --network-card-index 0`,
      `aws ec2 modify-network-interface-attribute --network-interface-id ${management} --attachment "AttachmentId=${found},DeleteOnTermination=false"`,
      `aws ec2 modify-network-interface-attribute --network-interface-id ${front} --attachment "AttachmentId=${attachmentIdOf(front)},DeleteOnTermination=false"`,
    ]);
  });

  it('the commands leave alone what is there already and is kept', async () => {
    world.ec2.moveByHand(front, b, 1);
    const { plan, facts } = mustBeReady(await prepare());
    expect(commandsByHand(plan, facts).join('\n')).not.toContain(front);
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
    expect(written().slice(-4)).toEqual([
      `ModifyNetworkInterfaceAttribute ${front} … DeleteOnTermination=false`,
      `ModifyNetworkInterfaceAttribute ${front} … answered: done`,
      `ModifyNetworkInterfaceAttribute ${management} … DeleteOnTermination=false`,
      `ModifyNetworkInterfaceAttribute ${management} … answered: done`,
    ]);
  });

  it('asks EC2 where things are with a pause between', async () => {
    await move();
    const looks = world.ec2.calls.slice(world.ec2.calls.findIndex((each) => each.operation === 'detach'));
    const sentAtMs = looks.filter((each) => each.operation === 'interfaces').map((each) => each.atMs);
    const gaps = sentAtMs.slice(1).map((atMs, index) => atMs - (sentAtMs[index] ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(times.pollFirstMs);
  });

  it('forces when told', async () => {
    world.ec2.stick(front);
    expect(await move(b, true)).toMatchObject({ kind: 'moved' });
    expect(world.ec2.mutations('detach').map((each) => each.force)).toEqual([true, true]);
    expect(written()[0]).toBe(`DetachNetworkInterface ${front} … forced`);
  });

  it('writes each call down before it is sent, and its answer after', async () => {
    const seen: number[] = [];
    world.ec2.onCall(({ operation }) => {
      if (operation === 'detach' || operation === 'attach') seen.push(journal.length);
    });
    await move();
    expect(written()).toEqual([
      `DetachNetworkInterface ${front} …`,
      `DetachNetworkInterface ${front} … answered: accepted`,
      `DetachNetworkInterface ${management} …`,
      `DetachNetworkInterface ${management} … answered: accepted`,
      `AttachNetworkInterface ${front} to ${b} at device index 1`,
      `AttachNetworkInterface ${front} to ${b} answered: accepted`,
      `AttachNetworkInterface ${management} to ${b} at device index 2`,
      `AttachNetworkInterface ${management} to ${b} answered: accepted`,
    ]);
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

  it('that hangs, and whose answer was lost, has its limit all the same', async () => {
    world.ec2.fail('attach', { kind: 'answer-lost' }, { when: ({ eni }) => eni === front, times: 1 });
    world.ec2.onCall(({ operation, eni, instanceId }) => {
      if (operation === 'attach')
        world.ec2.latency.attachMs = eni === front && instanceId === b ? 3_600_000 : 1_200;
    });
    const beganAtMs = world.clock.now();
    expect(await move()).toMatchObject({ kind: 'returned', on: a });
    expect(world.clock.now() - beganAtMs).toBeLessThan(2 * times.attachLimitMs);
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
    // What is refused once is refused again.
    expect(world.ec2.mutations('keepOnTermination').map((each) => each.eni)).toEqual([front, management]);
  });

  it('is moved although nobody answers about DeleteOnTermination, and says so', async () => {
    world.ec2.deletesOnTermination = true;
    world.ec2.fail('keepOnTermination', { kind: 'throttled' }, { times: 99 });
    const end = await move();
    expect(end).toMatchObject({ kind: 'moved', on: b });
    expect(told.filter((each) => each.includes('could not be set'))).toEqual([
      `${front}: DeleteOnTermination could not be set to false; it is deleted with its instance`,
      `${management}: DeleteOnTermination could not be set to false; it is deleted with its instance`,
    ]);
    expect(commandsByHand(end.plan, end.facts)).toHaveLength(2);
  });

  it('that finds an interface deleted says that EC2 does not know it', async () => {
    world.ec2.onEffect(({ what, eni }) => {
      if (what === 'detached' && eni === front) world.clock.after(0, () => world.ec2.deleteInterface(front));
    });
    expect(await move()).toMatchObject({ kind: 'stopped', why: `EC2 does not know ${front} any more` });
  });

  it('that cannot see EC2 gives up after ten minutes, with every command that may be needed', async () => {
    world.ec2.fail(
      'interfaces',
      { kind: 'timed-out' },
      { times: 9_999, when: () => world.ec2.mutations().length > 0 },
    );
    const beganAtMs = world.clock.now();
    const end = await move();
    expect(end).toMatchObject({ kind: 'stopped', why: 'it takes too long' });
    expect(world.clock.now() - beganAtMs).toBeGreaterThanOrEqual(10 * 60_000);
    expect(commandsByHand(end.plan, end.facts).map(verbOf)).toEqual([
      'attach-network-interface',
      'modify-network-interface-attribute',
      'attach-network-interface',
      'modify-network-interface-attribute',
    ]);
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

  it('of what is split: what it has goes to the member that has the rest', async () => {
    world.ec2.moveByHand(front, b, 1);
    world.ec2.refuseAttach(b);
    expect(await move()).toMatchObject({ kind: 'returned', on: a });
    expect(world.holder()).toBe(a);
  });

  it('what a stranger had goes to the member that had it last, not back to the stranger', async () => {
    world.ec2.moveByHand(front, stranger, 1);
    world.ec2.moveByHand(management, stranger, 2);
    world.ec2.refuseAttach(b);
    expect(await move()).toMatchObject({ kind: 'returned', on: a });
    expect(world.holder()).toBe(a);
  });

  it('what nobody had before: a person is told why, and where to', async () => {
    world.store.change(ordersDb, ({ lastSeen: _, ...state }) => state);
    world.ec2.detachByHand(front);
    world.ec2.detachByHand(management);
    world.ec2.refuseAttach(b);
    const end = await move();
    expect(end).toMatchObject({
      kind: 'stopped',
      why: `${b} does not take ${front} (AttachmentLimitExceeded: it takes no more)`,
    });
    expect(commandsByHand(end.plan, end.facts).map(verbOf)).toContain('attach-network-interface');
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

  it('that hung already before anybody was asked ends no later', async () => {
    world.ec2.stick(front);
    world.ec2.stick(management);
    for (const eni of [front, management])
      await world.run(world.ec2.detach(attachmentIdOf(eni), { force: false }));
    const beganAtMs = world.clock.now();
    expect(await move()).toMatchObject({ why: expect.stringContaining('a forced detach may free it') });
    expect(world.clock.now() - beganAtMs).toBeLessThan(times.detachDeadlineMs + 5_000);
  });

  it('that EC2 accepted and does not show yet is sent again every five seconds, not at every look', async () => {
    world.ec2.fail('detach', { kind: 'accepted-late', ms: 17_000 }, { times: 99 });
    expect(await move()).toMatchObject({ kind: 'moved', on: b });
    const sent = world.ec2.mutations('detach').filter((each) => each.eni === front);
    expect(sent.map((each) => Math.floor((each.atMs - (sent[0]?.atMs ?? 0)) / 5_000))).toEqual([0, 1, 2, 3]);
  });

  it.each<[string, Ec2Fault]>([
    ['throttled', { kind: 'throttled' }],
    ['not answered', { kind: 'timed-out' }],
    ['met in the wrong state', { kind: 'look', code: 'IncorrectInstanceState' }],
  ])('that is %s is sent again, after a pause and long before an accepted one would be', async (_, fault) => {
    world.ec2.fail('detach', fault, { when: (call) => call.eni === front });
    expect(await move()).toMatchObject({ kind: 'moved', on: b });
    const [first, again] = world.ec2.mutations('detach').filter((each) => each.eni === front);
    const afterMs = (again?.atMs ?? 0) - (first?.atMs ?? 0);
    const answeredMs = fault.kind === 'timed-out' ? 3_120 : 120;
    expect(afterMs).toBeGreaterThanOrEqual(answeredMs + 1_000);
    expect(afterMs).toBeLessThan(answeredMs + 2_000);
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
