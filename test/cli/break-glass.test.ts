/** Proves what an operator sees who moves a service past the controller, and what is kept of it on disk. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { type BreakGlassOptions, breakGlassMove, breakGlassReport } from '../../cli/break-glass.ts';
import type { ControlClient } from '../../cli/control-client.ts';
import type { CommandContext } from '../../cli/program.ts';
import type { Connection } from '../../cli/session.ts';
import { PortError } from '../../shared/core/errors.ts';
import type { OwnerId, ServiceName } from '../../shared/core/ids.ts';
import { siteOf } from '../fakes/fake-environment.ts';
import { a, b, c, front, makeWorld, management, ordersDb, type World } from '../fakes/world.ts';
import { ann, connectionTo, contextOf, makeFakeScreen, makePerson, narrow, seen } from './screen.ts';

let directory: string;
let journal: string;
let world: World;
/** What functions/control was sent. */
let sent: unknown[];
let remarks: string[];
beforeEach(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'cli-break-glass-'));
  journal = path.join(directory, 'journal.ndjson');
  world = await makeWorld();
  sent = [];
  remarks = [];
});
afterEach(() => rmSync(directory, { recursive: true }));

const recorded: ControlClient = {
  send: async (command, body) => {
    sent.push([command, body]);
    return {
      kind: 'done',
      command,
      service: ordersDb,
      author: ann,
      code: null,
      detail: 'recorded',
      data: {},
    };
  },
};
const down: ControlClient = { send: () => Promise.reject(new Error('nothing answers')) };
const tableIsDown: Connection['ports']['store']['read'] = () =>
  Promise.reject(new PortError('unavailable', 'TimeoutError', 'no answer'));

function contextWith(more: Partial<CommandContext> = {}, control = recorded, isTableDown = false) {
  const screen = makeFakeScreen({ remark: (text) => void remarks.push(text) });
  const { ports, ...connection } = connectionTo(world);
  const store = isTableDown ? { ...ports.store, read: tableIsDown } : ports.store;
  const connect = async () => ({ ...connection, ports: { ...ports, store }, control });
  return contextOf(world, { connect, site: async () => siteOf(world), screen, ...more });
}
const options = (more: Partial<BreakGlassOptions> = {}): BreakGlassOptions => ({
  to: b,
  reason: 'DynamoDB is down',
  journal,
  ...more,
});
const move = (more: Partial<BreakGlassOptions> = {}, context = contextWith(), name = ordersDb) =>
  world.run(breakGlassMove(name, options(more), context));
const read = (answer: Awaited<ReturnType<typeof move>>) =>
  seen(answer, narrow).replaceAll(`${directory}/`, '');

describe('on a terminal', () => {
  it('shows what it will do, asks for the name, moves, and reports', async () => {
    const person = makePerson([ordersDb]);
    world.ec2.change(b, { tagged: false });
    const answer = await move({}, contextWith({ person }));
    expect(person.said.join('\n')).toMatchInlineSnapshot(`
      "orders-db is moved past the controller, with your own permissions

      interface  eni-0aaaaaaaaaaaaaa01  attached on i-0aaaaaaaaaaaaaaa1 →
                                        i-0bbbbbbbbbbbbbbb2, device index 1
                 eni-0aaaaaaaaaaaaaa02  attached on i-0aaaaaaaaaaaaaaa1 →
                                        i-0bbbbbbbbbbbbbbb2, device index 2
      detach     plain
      way back   to i-0aaaaaaaaaaaaaaa1, if i-0bbbbbbbbbbbbbbb2 refuses
      WARNING    NOT_TAGGED: it lacks the tag eni-failover=managed (The instance lacks
                 the tag that lets the controller act on it.)
                 the state table answers: if the controller lives too, pause it first
                 (eni-failover pause orders-db --for 1h --reason '...')

      Every connection to its addresses ends. No hook runs, and nothing is fenced:
      whatever else the service needs is yours to do.

      To go on, type the name of the service (orders-db): "
    `);
    expect(read(answer)).toMatchInlineSnapshot(`
      "
      orders-db is on i-0bbbbbbbbbbbbbbb2

      Reported to the controller:
        eni-failover history orders-db --kind break-glass

      Accept it there as where the service is:
        eni-failover adopt orders-db --reason '...'
      "
    `);
    expect(answer).toMatchObject({
      outcome: 'done',
      data: { code: null, service: ordersDb, to: b, on: b, commands: [], journal, reported: true },
    });
    expect(world.holder()).toBe(b);
    const lines = readFileSync(journal, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    expect(lines[0]).toMatchObject({ service: ordersDb, call: 'DetachNetworkInterface' });
    expect(sent).toMatchObject([
      ['report', { service: ordersDb, reason: 'DynamoDB is down', journal: { length: lines.length } }],
    ]);
  });

  it.each([
    [[], 'CALLED_OFF'],
    [['orders'], 'OTHER_NAME'],
  ])('does nothing without the name: %j', async (answers, code) => {
    const answer = await move({}, contextWith({ person: makePerson(answers) }));
    expect(answer).toMatchObject({ outcome: 'refused', data: { code } });
    expect(world.ec2.mutations()).toEqual([]);
    expect(existsSync(journal)).toBe(false);
  });

  it('does nothing when EC2 shows something else by then', async () => {
    const ask = async () => {
      world.ec2.moveByHand(front, b, 1);
      return ordersDb;
    };
    const person = { ...makePerson(), ask };
    const answer = await move({}, contextWith({ person }));
    expect(answer).toMatchObject({ outcome: 'refused', data: { code: 'CHANGED_MEANWHILE' } });
    expect(world.ec2.mutations()).toEqual([]);
  });
});

describe('in a script', () => {
  it('is usage without --yes, and nobody is asked anything', async () => {
    const before = world.ec2.calls.length;
    await expect(move()).rejects.toMatchObject({ outcome: 'usage' });
    expect(world.ec2.calls).toHaveLength(before);
  });

  it('moves with --yes, and tells what it does', async () => {
    world.ec2.change(b, { tagged: false });
    const answer = await move({ yes: true });
    expect(answer.outcome).toBe('done');
    expect(remarks[0]).toMatch(/^WARNING: NOT_TAGGED/);
    expect(remarks[1]).toMatch(/^WARNING: the state table answers: .*pause it first/);
    expect(remarks[2]).toMatch(/^DetachNetworkInterface: eni-/);
  });

  it('warns of no second hand where the service is paused', async () => {
    const pause = {
      reason: 'x',
      author: 'ann',
      atMs: world.clock.now(),
      untilMs: world.clock.now() + 600_000,
    };
    world.store.change(ordersDb, (state) => ({ ...state, pause }));
    expect(await move({ yes: true })).toMatchObject({ outcome: 'done', data: { warnings: [] } });
  });

  it('never writes over a journal, and does nothing then', async () => {
    writeFileSync(journal, 'mine');
    await expect(move({ yes: true })).rejects.toMatchObject({ outcome: 'failed' });
    expect(world.ec2.mutations()).toEqual([]);
  });
});

describe('--print', () => {
  it('gives the commands with all ids, asks nobody and changes nothing', async () => {
    const answer = await move({ print: true });
    expect(read(answer)).toMatchInlineSnapshot(`
      "
      # orders-db to i-0bbbbbbbbbbbbbbb2. Run them in this order; nothing was done yet.
      # wait looks every 20 s only: an attach that comes too early is refused, and may be repeated at once.
      # WARNING: the state table answers: if the controller lives too, pause it first (eni-failover pause orders-db --for 1h --reason '...'), or better switch over
      aws ec2 detach-network-interface --attachment-id eni-attach-00000000000000005
      aws ec2 detach-network-interface --attachment-id eni-attach-00000000000000006
      aws ec2 wait network-interface-available --network-interface-ids eni-0aaaaaaaaaaaaaa01
      aws ec2 wait network-interface-available --network-interface-ids eni-0aaaaaaaaaaaaaa02
      aws ec2 attach-network-interface --network-interface-id eni-0aaaaaaaaaaaaaa01 --instance-id i-0bbbbbbbbbbbbbbb2 --device-index 1 --network-card-index 0
      aws ec2 modify-network-interface-attribute --network-interface-id eni-0aaaaaaaaaaaaaa01 --attachment "AttachmentId=$(aws ec2 describe-network-interfaces --network-interface-ids eni-0aaaaaaaaaaaaaa01 --query 'NetworkInterfaces[0].Attachment.AttachmentId' --output text),DeleteOnTermination=false"
      aws ec2 attach-network-interface --network-interface-id eni-0aaaaaaaaaaaaaa02 --instance-id i-0bbbbbbbbbbbbbbb2 --device-index 2 --network-card-index 0
      aws ec2 modify-network-interface-attribute --network-interface-id eni-0aaaaaaaaaaaaaa02 --attachment "AttachmentId=$(aws ec2 describe-network-interfaces --network-interface-ids eni-0aaaaaaaaaaaaaa02 --query 'NetworkInterfaces[0].Attachment.AttachmentId' --output text),DeleteOnTermination=false"
      # If an attach is refused: the same attach with --instance-id i-0aaaaaaaaaaaaaaa1. Leave nothing detached.
      "
    `);
    expect(answer.outcome).toBe('done');
    expect(world.ec2.mutations()).toEqual([]);
    expect(existsSync(journal)).toBe(false);
  });
});

describe('--print, where the service is down', () => {
  const lines = async (print: Promise<Awaited<ReturnType<typeof move>>>) =>
    (await print).text(narrow).split('\n');
  const strand = async (members: readonly (typeof a)[]) => {
    world = await makeWorld({ members });
    world.ec2.impair(a);
    for (const member of members) world.ec2.refuseAttach(member);
    await world.look(world.alarm(a));
    expect(world.service().stranded).toBeDefined();
  };

  it('names a member that would take them, not the one that failed, and no switchover', async () => {
    await strand([a, b, c]);
    const said = await lines(move({ print: true }));
    expect(said.at(-1)).toBe(
      `# If an attach is refused: the same attach with --instance-id ${c}. Leave nothing detached.`,
    );
    expect(said.filter((line) => line.startsWith('# WARNING'))).toEqual([
      "# WARNING: the state table answers: if the controller lives too, pause it first (eni-failover pause orders-db --for 1h --reason '...')",
    ]);
  });

  it('would rather name one that lacks its tag than one whose checks fail', async () => {
    await strand([a, b, c]);
    world.ec2.change(c, { tagged: false });
    const said = await lines(move({ print: true }));
    expect(said.slice(-2)).toEqual([
      expect.stringContaining(`--instance-id ${c}.`),
      expect.stringMatching(`^# WARNING: ${c} is not eligible either, nor is any other: NOT_TAGGED: `),
    ]);
  });

  it('names none that EC2 would not take', async () => {
    await strand([a, b]);
    world.ec2.setState(a, 'stopped');
    expect((await lines(move({ print: true }))).join('\n')).not.toContain('If an attach is refused');
  });

  it('says what is wrong with the only one that is left', async () => {
    await strand([a, b]);
    const said = await lines(move({ print: true }));
    expect(said.slice(-2)).toEqual([
      `# If an attach is refused: the same attach with --instance-id ${a}. Leave nothing detached.`,
      expect.stringMatching(`^# WARNING: ${a} is not eligible either, nor is any other: CHECKS_FAILED: `),
    ]);
  });
});

describe('where the controller is', () => {
  it('at work, it is left alone', async () => {
    const untilMs = world.clock.now() + 10_000;
    world.store.change(ordersDb, (state) => ({ ...state, lease: { owner: 'somebody' as OwnerId, untilMs } }));
    const answer = await move({ yes: true });
    expect(answer).toMatchObject({ outcome: 'refused', data: { code: 'LEASE_HELD', reported: false } });
    expect(read(answer)).toContain('wait until it has ended');
    expect(world.ec2.mutations()).toEqual([]);
  });

  it('down, the journal stays, with the command that reports it', async () => {
    const answer = await move({ yes: true }, contextWith({}, down));
    expect(answer).toMatchObject({ outcome: 'done', data: { reported: false, on: b } });
    expect(read(answer)).toMatchInlineSnapshot(`
      "
      orders-db is on i-0bbbbbbbbbbbbbbb2

      The controller could not be told (nothing answers). Once it answers:
        eni-failover break-glass report journal.ndjson --reason 'DynamoDB is down'

      Accept it there as where the service is:
        eni-failover adopt orders-db --reason '...'
      "
    `);
    const reported = await breakGlassReport(journal, 'it was down', contextWith());
    expect(reported).toMatchObject({ outcome: 'done', data: { service: ordersDb, code: null } });
    expect(sent).toMatchObject([['report', { service: ordersDb, reason: 'it was down' }]]);
  });

  it('without its table, the declaration comes from the file', async () => {
    const file = path.join(directory, 'orders-db.yaml');
    writeFileSync(file, stringify(world.declaration));
    const answer = await move({ yes: true, declaration: file }, contextWith({}, down, true));
    expect(answer).toMatchObject({ outcome: 'done', data: { on: b } });
    expect(remarks[0]).toContain('the state table could not be read: TimeoutError: no answer');
    expect(world.holder()).toBe(b);
  });

  it('without its table and without a file, it says what it needs', async () => {
    await expect(move({ yes: true }, contextWith({}, down, true))).rejects.toThrow('pass --declaration FILE');
  });

  it.each([
    [
      'another service',
      'name: other\ninterfaces: [{eni: eni-0123456789abcdef0, deviceIndex: 1}]\nmembers: [{instance: i-0123456789abcdef0}]\n',
      'declares other, not orders-db',
    ],
    ['nothing', 'name: orders-db\n', 'declares no service: interfaces: is missing'],
    ['no YAML', 'name: [x\n', 'declares no service'],
  ])('and a file that declares %s is usage', async (_, text, said) => {
    const file = path.join(directory, 'x.yaml');
    writeFileSync(file, text);
    const moving = move({ yes: true, declaration: file }, contextWith({}, down, true));
    await expect(moving).rejects.toMatchObject({ outcome: 'usage', message: expect.stringContaining(said) });
  });

  it('ignorant of the service, it takes the file’s word', async () => {
    const file = path.join(directory, 'x.yaml');
    writeFileSync(file, stringify({ ...world.declaration, name: 'nope' }));
    const answer = await move({ yes: true, declaration: file }, contextWith(), 'nope' as ServiceName);
    expect(answer).toMatchObject({ outcome: 'done' });
    expect(remarks[0]).toContain('nope is not registered');
  });
});

describe('what does not end well', () => {
  it('is refused where it went back, with why', async () => {
    world.ec2.refuseAttach(b);
    const answer = await move({ yes: true });
    expect(answer).toMatchObject({
      outcome: 'refused',
      data: { code: 'RETURNED_TO_SOURCE', on: a, commands: [] },
    });
    expect(read(answer)).toContain(`orders-db is back on ${a}: ${b} does not take`);
  });

  it('needs a human where it lies on nothing, and says so loudly with the commands', async () => {
    world.ec2.refuseAttach(a);
    world.ec2.refuseAttach(b);
    const answer = await move({ yes: true });
    expect(answer).toMatchObject({
      outcome: 'needs-human',
      data: { code: 'NEEDS_HUMAN', on: null, reported: true },
    });
    expect(read(answer)).toContain('ATTACHED TO NOTHING: eni-');
    expect(answer.data['commands']).toEqual(
      expect.arrayContaining([
        expect.stringContaining(`attach-network-interface --network-interface-id ${management}`),
      ]),
    );
  });

  it('changes nothing where EC2 forbids it', async () => {
    world.ec2.fail('detach', { kind: 'refused', code: 'UnauthorizedOperation' });
    const answer = await move({ yes: true });
    expect(answer).toMatchObject({ outcome: 'refused', data: { code: 'REFUSED', commands: [] } });
    expect(sent).toEqual([]);
  });
});

describe('a journal', () => {
  const line = JSON.stringify({ service: ordersDb, at: 'x', call: 'GoBack', detail: 'y' });

  it('whose last line was torn is reported without it', async () => {
    writeFileSync(journal, `${line}\n{"servi`);
    await breakGlassReport(journal, 'why', contextWith());
    expect(sent).toEqual([
      ['report', { service: ordersDb, reason: 'why', journal: [{ at: 'x', call: 'GoBack', detail: 'y' }] }],
    ]);
  });

  it.each([
    ['', 'holds no line'],
    [`{"a":1}\n${line}\n`, ':1 is no line'],
  ])('of %j is usage', async (text, said) => {
    writeFileSync(journal, text);
    await expect(breakGlassReport(journal, 'why', contextWith())).rejects.toMatchObject({
      outcome: 'usage',
      message: expect.stringContaining(said),
    });
  });

  it('that is not there is usage', async () => {
    await expect(breakGlassReport(journal, 'why', contextWith())).rejects.toMatchObject({ outcome: 'usage' });
  });

  it('that control refuses is refused', async () => {
    writeFileSync(journal, `${line}\n`);
    const refusing: ControlClient = {
      send: async (command) => ({
        kind: 'refused',
        command,
        service: ordersDb,
        author: ann,
        code: 'NO_SUCH_SERVICE',
        detail: 'orders-db is not registered',
        problems: [],
        data: {},
      }),
    };
    const answer = await breakGlassReport(journal, 'why', contextWith({}, refusing));
    expect(answer).toMatchObject({ outcome: 'refused', data: { code: 'NO_SUCH_SERVICE' } });
  });
});
