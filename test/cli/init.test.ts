/** Proves that `init` writes what registration accepts, says what it found, and writes nothing that would be refused. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type InitOptions, initCommand } from '../../cli/init.ts';
import { registerCommand } from '../../cli/register.ts';
import { parseDeclaration } from '../../shared/core/service.ts';
import { alarmNamed } from '../fakes/fake-alarms.ts';
import { type FakeEnvironment, makeFakeEnvironment, siteOf } from '../fakes/fake-environment.ts';
import { a, b, c, front, makeWorld, management, ordersDb, stranger, type World } from '../fakes/world.ts';
import { contextOf, narrow, pipe } from './screen.ts';

let directory: string;
let file: string;
let world: World;
let environment: FakeEnvironment;
beforeEach(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'cli-init-'));
  file = path.join(directory, 'orders-db.yaml');
  world = await makeWorld({ registered: false });
  environment = makeFakeEnvironment(world);
});
afterEach(() => rmSync(directory, { recursive: true }));

const context = () => contextOf(world, { site: async () => siteOf(world, environment) });

async function init(more: Partial<InitOptions> = {}, terminal = narrow) {
  const options = { name: ordersDb, interface: [front, management], member: [b, a], file, ...more };
  const answer = await world.run(initCommand(options, context()));
  return { ...answer, seen: `\n${answer.text(terminal)}\n`.replaceAll(`${directory}/`, '') };
}
const written = () => readFileSync(file, 'utf8');

describe('a declaration', () => {
  it('is written with the holder first, the index of today, and what was found', async () => {
    environment.places.set(front, {
      addresses: ['10.0.0.20', '10.0.0.21'],
      publicAddresses: [{ address: '203.0.113.7', kind: 'elastic' }],
    });
    environment.places.set(management, {
      addresses: ['10.0.1.20'],
      publicAddresses: [{ address: '198.51.100.4', kind: 'assigned' }],
    });
    environment.checks.push({
      arn: alarmNamed('a-system'),
      instanceIds: [a],
      metric: 'StatusCheckFailed_System',
      state: 'OK',
    });
    const answer = await init();
    expect(written()).toMatchInlineSnapshot(`
      "# A service: what moves, between which instances, and when. Every key: docs/cli.md.
      name: orders-db
      # description: what it is, and whom it hurts when it is down
      # contacts: [on-call@example.com]

      # What moves, all together, and the device index that it takes on a member.
      interfaces:
        - eni: eni-0aaaaaaaaaaaaaa01  # 10.0.0.20, 10.0.0.21, Elastic IP 203.0.113.7
          deviceIndex: 1              # where it is now; must be free on every member
        - eni: eni-0aaaaaaaaaaaaaa02  # 10.0.1.20, 198.51.100.4 (does not travel: no Elastic IP)
          deviceIndex: 2              # where it is now; must be free on every member

      # Who may hold it, in order of preference.
      members:
        - instance: i-0aaaaaaaaaaaaaaa1  # m6i.large in eu-central-1a, holds it now
        - instance: i-0bbbbbbbbbbbbbbb2  # m6i.large in eu-central-1a
          # readyWhen: [alarm ARN, …]   all OK, or the member is not taken: replica lag, for one

      # What says that the holder has failed.
      signals:
        # Alarms on EC2 status checks are heard of by themselves. Found:
        # i-0aaaaaaaaaaaaaaa1: alarm a-system (StatusCheckFailed_System)
        # i-0bbbbbbbbbbbbbbb2: no alarm on its status checks; a failed one counts after policy.confirm only
        statusChecks: true
        stateChanges: true
        # alarms: [{arn: …}]           your own: the service does not answer

      policy:
        mode: act       # observe: says what it would do, and moves nothing
        confirm: 3m     # how long a check must have failed to count without an alarm
      "
    `);
    expect(answer.seen).toMatchInlineSnapshot(`
      "
      wrote orders-db.yaml

      interface  eni-0aaaaaaaaaaaaaa01  device index 1
                 eni-0aaaaaaaaaaaaaa02  device index 2
      member     i-0aaaaaaaaaaaaaaa1    holder, 1 alarm on its status checks
                 i-0bbbbbbbbbbbbbbb2    standby, no alarm on its status checks

      Next
        eni-failover register orders-db.yaml
        eni-failover doctor orders-db
      "
    `);
    expect(answer).toMatchObject({
      outcome: 'done',
      data: {
        code: null,
        service: ordersDb,
        holder: a,
        members: [a, b],
        interfaces: [
          { eni: front, deviceIndex: 1, networkCardIndex: 0 },
          { eni: management, deviceIndex: 2, networkCardIndex: 0 },
        ],
        untagged: [],
        problems: [],
      },
    });
  });

  it('parses, and is registered as it stands', async () => {
    await init();
    expect(parseDeclaration(parse(written()))).toMatchObject({ kind: 'declared' });
    const registered = await world.run(registerCommand(file, {}, context()));
    expect(registered).toMatchObject({ outcome: 'done', data: { change: 'registered', warnings: [] } });
  });

  it('puts first the member where the interfaces belong', async () => {
    const answer = await init({ preferred: b, member: [a, b, c] });
    expect(answer.data).toMatchObject({ holder: a, members: [b, a, c] });
    expect(parse(written())).toMatchObject({ members: [{ instance: b }, { instance: a }, { instance: c }] });
  });

  it('is written although tags are missing, with the command that sets them', async () => {
    world.ec2.change(b, { tagged: false });
    world.ec2.changeInterface(front, { tagged: false });
    const { seen, data } = await init();
    expect(data).toMatchObject({ untagged: [front, b], problems: [] });
    expect(seen).toContain(
      `aws ec2 create-tags --resources ${front} ${b} --tags Key=eni-failover,Value=managed`,
    );
    expect(seen).toContain('without the tag');
  });

  it('warns of what would stand in the way today, by the order in which it was written', async () => {
    world.ec2.setState(b, 'stopped');
    const { seen, outcome } = await init();
    expect(outcome).toBe('done');
    expect(seen).toContain(`Warnings\n  members.1.instance: ${b}: NOT_RUNNING (it is stopped)`);
  });

  it('is written although alarms and addresses may not be read', async () => {
    environment.deny('network', 'statusAlarms');
    const { outcome, seen } = await init();
    expect(outcome).toBe('done');
    expect(seen).toContain('its alarms could not be read');
    expect(written()).toContain('its alarms could not be read (AccessDenied: you may not read statusAlarms)');
    expect(parseDeclaration(parse(written()))).toMatchObject({ kind: 'declared' });
  });
});

describe('nothing is written', () => {
  it('over a file that is there, unless told', async () => {
    writeFileSync(file, 'mine\n');
    const refused = await init();
    expect(refused).toMatchObject({ outcome: 'refused', data: { code: 'FILE_EXISTS' } });
    expect(refused.seen).toContain('orders-db.yaml is there already; pass --force');
    expect(written()).toBe('mine\n');
    expect((await init({ force: true })).outcome).toBe('done');
    expect(written()).toContain('name: orders-db');
  });

  it.each<[string, Partial<InitOptions>, (world: World) => void, string]>([
    [
      'what EC2 does not know',
      { member: [a, 'i-0123456789abcdef0' as typeof a] },
      () => undefined,
      'NO_SUCH_MEMBER',
    ],
    [
      'the primary interface',
      {},
      ({ ec2 }) => ec2.changeInterface(front, { managedBy: 'elb' }),
      'managed by elb',
    ],
    ['another zone', {}, ({ ec2 }) => ec2.change(b, { availabilityZone: 'eu-central-1b' }), 'WRONG_AZ'],
    ['a holder that was not named', { member: [b, c] }, () => undefined, `the interfaces are on ${a}`],
    ['interfaces on nothing', {}, ({ ec2 }) => ec2.detachByHand(management), 'attached to nothing'],
    [
      'interfaces on two instances',
      {},
      ({ ec2 }) => void ec2.moveByHand(management, stranger, 2),
      'must rest together',
    ],
  ])('for %s', async (_, more, happen, said) => {
    happen(world);
    const answer = await init(more, pipe);
    expect(answer).toMatchObject({ outcome: 'refused', data: { code: 'NOT_WRITTEN' } });
    expect(answer.seen).toContain('nothing was written: this would not be registered');
    expect(answer.seen).toContain(said);
    expect(existsSync(file)).toBe(false);
  });

  it('when EC2 cannot be asked', async () => {
    world.ec2.fail('interfaces', { kind: 'refused', code: 'UnauthorizedOperation' });
    await expect(init()).rejects.toMatchObject({ name: 'PortError' });
    expect(existsSync(file)).toBe(false);
  });

  it('where the file cannot be', async () => {
    await expect(init({ file: path.join(directory, 'none', 'x.yaml') })).rejects.toMatchObject({
      outcome: 'failed',
    });
  });
});
