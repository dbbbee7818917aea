/** Proves that a declaration with mistakes is refused with the place of each, and a good one is registered. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { CliError } from '../../cli/answer.ts';
import { registerCommand } from '../../cli/register.ts';
import type { Allowed } from '../../shared/app/register.ts';
import {
  a,
  b,
  c,
  front,
  makeWorld,
  management,
  ordersDb,
  type World,
  type WorldOptions,
} from '../fakes/world.ts';
import { ann, connectionTo, contextOf, makeFakeScreen, narrow, nobody, pipe } from './screen.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'cli-register-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const fileWith = (text: string) => {
  const file = path.join(directory, 'orders-db.yaml');
  writeFileSync(file, text);
  return file;
};

const declared = `name: orders-db
interfaces:
  - {eni: ${front}, deviceIndex: 1}
  - {eni: ${management}, deviceIndex: 2}
members:
  - {instance: ${a}}
  - {instance: ${b}}
  - {instance: ${c}}
`;

const unregistered = (options: WorldOptions = {}) => makeWorld({ ...options, registered: false });

async function register(world: World, text: string, terminal = pipe) {
  const answer = await world.run(registerCommand(fileWith(text), {}, contextOf(world)));
  return { ...answer, seen: `\n${answer.text(terminal)}\n`.replaceAll(`${directory}/`, '') };
}

describe('what is declared around the move', () => {
  const fenced = `${declared}policy: {fence: stop}\n`;
  const allowed = { fencing: false, hookDocuments: [], hookFunctions: false };
  const allowedTo = (world: World, given: Allowed) => ({ connect: async () => connectionTo(world, given) });

  it('is shown with the registration', async () => {
    const world = await unregistered();
    const context = contextOf(world, allowedTo(world, { ...allowed, fencing: true }));
    const answer = await world.run(registerCommand(fileWith(fenced), {}, context));
    expect(answer.outcome).toBe('done');
    expect(answer.text(pipe)).toContain('fence      a failed source is stopped, within 2m; else page');
  });
  it('is refused at its place in the file where the stack does not allow it', async () => {
    const world = await unregistered();
    const answer = await world.run(
      registerCommand(fileWith(fenced), {}, contextOf(world, allowedTo(world, allowed))),
    );
    expect(answer.outcome).toBe('refused');
    expect(answer.text(pipe)).toMatch(
      /orders-db\.yaml:9:\d+.*policy\.fence: this stack may not stop instances/,
    );
  });
});

/** Nothing may be asked of AWS. */
async function refusedAtOnce(text: string) {
  const offline = {
    connect: () => Promise.reject(new Error('asked AWS')),
    site: () => Promise.reject(new Error('asked AWS')),
    say: (command: string) => command,
    screen: makeFakeScreen(),
    now: () => 0,
    person: nobody,
  };
  const answer = await registerCommand(fileWith(text), {}, offline);
  expect(answer.outcome).toBe('refused');
  return `\n${answer.text(pipe)}\n`.replaceAll(`${directory}/`, '');
}

describe('a declaration that is right', () => {
  it('is registered, and holder and members are shown', async () => {
    const world = await unregistered();
    const answer = await register(world, declared, narrow);
    expect(answer.outcome).toBe('done');
    expect(answer.seen).toMatchInlineSnapshot(`
      "
      registered orders-db

      interface  eni-0aaaaaaaaaaaaaa01  device index 1
                 eni-0aaaaaaaaaaaaaa02  device index 2
      member     i-0aaaaaaaaaaaaaaa1    holder
                 i-0bbbbbbbbbbbbbbb2    standby
                 i-0ccccccccccccccc3    standby

      Is it ready for a failover?  eni-failover status orders-db
      "
    `);
    expect(world.service()).toMatchObject({ registeredBy: ann, lastSeen: { holder: a } });
  });

  it('warns, with the place, of what would stand in the way of a failover', async () => {
    const world = await unregistered();
    world.ec2.setState(c, 'stopped');
    const answer = await register(world, declared);
    expect(answer).toMatchObject({
      outcome: 'done',
      data: { change: 'registered', holder: a, warnings: [{ line: 8, column: 6 }], problems: [] },
    });
    expect(answer.seen).toMatchInlineSnapshot(`
      "
      registered orders-db; 1 warning

      interface  eni-0aaaaaaaaaaaaaa01  device index 1
                 eni-0aaaaaaaaaaaaaa02  device index 2
      member     i-0aaaaaaaaaaaaaaa1    holder
                 i-0bbbbbbbbbbbbbbb2    standby
                 i-0ccccccccccccccc3    standby

      Warnings
        orders-db.yaml:8:6  members.2.instance: i-0ccccccccccccccc3: NOT_RUNNING (it is stopped)

      Is it ready for a failover?  eni-failover status orders-db
      "
    `);
  });

  it('changes nothing the second time, and says so', async () => {
    const world = await unregistered();
    await register(world, declared);
    const again = await register(world, declared);
    expect(again).toMatchObject({ outcome: 'done', data: { change: 'unchanged', holder: a } });
    expect(again.seen).toContain('orders-db is registered like this already: nothing changed');
    expect(world.kinds()).toEqual([]);
  });

  it('changes the registration when something else is declared', async () => {
    const world = await unregistered();
    await register(world, declared);
    const more = await register(world, `${declared}policy: {budgetPerHour: 5}\n`);
    expect(more).toMatchObject({ outcome: 'done', data: { change: 'changed', service: ordersDb } });
    expect(world.kinds()).toEqual(['change']);
  });
});

describe('a registration', () => {
  const registerWith = (world: World, text: string, options: Parameters<typeof registerCommand>[1]) =>
    world.run(registerCommand(fileWith(text), options, contextOf(world)));

  it('that is only tried says what would change, and stores nothing', async () => {
    const world = await unregistered();
    const tried = await registerWith(world, declared, { dryRun: true });
    expect(tried).toMatchObject({ outcome: 'done', data: { change: 'registered', dryRun: true } });
    expect(tried.text(pipe)).toContain('would register orders-db');
    expect(tried.text(pipe)).toContain('Nothing was stored. To do it:  eni-failover register ');
    expect(await world.run(world.ports.store.read(ordersDb))).toMatchObject({ kind: 'absent' });

    await register(world, declared);
    const more = `${declared}policy: {budgetPerHour: 5}\n`;
    const changing = await registerWith(world, more, { dryRun: true });
    expect(changing).toMatchObject({ data: { change: 'changed', changes: [expect.any(String)] } });
    expect(changing.text(pipe)).toMatch(/change +.*budgetPerHour/);
    expect(world.kinds()).toEqual([]);
  });

  it('of a stack is not overwritten unless told', async () => {
    const world = await unregistered();
    await register(world, declared);
    world.store.change(ordersDb, (state) => ({ ...state, source: 'stack shop' }));
    const more = `${declared}policy: {budgetPerHour: 5}\n`;
    const refused = await registerWith(world, more, {});
    expect(refused).toMatchObject({ outcome: 'refused', data: { code: 'OWNED_BY_OTHERS' } });
    expect(refused.text(pipe)).toContain('stack shop registered it');
    const taken = await registerWith(world, more, { takeOver: true, reason: 'the stack is gone' });
    expect(taken).toMatchObject({ outcome: 'done', data: { change: 'changed' } });
    expect(world.service().source ?? 'operator').toBe('operator');
  });
});

it('says who has an interface that it claims, and how to look at that', async () => {
  const world = await unregistered();
  await register(world, declared);
  const { outcome, seen } = await register(world, declared.replace('orders-db', 'orders-too'));
  expect(outcome).toBe('refused');
  expect(seen).toContain(`${front} belongs to the service orders-db already`);
  expect(seen).toMatch(/\n\nWho has it:\n {2}eni-failover status orders-db\n$/);
});

describe('a declaration that EC2 contradicts', () => {
  it('is refused with every problem at its place', async () => {
    const world = await unregistered();
    world.ec2.changeInterface(front, { tagged: false });
    world.ec2.forget(c);
    const answer = await register(world, declared);
    expect(answer).toMatchObject({
      outcome: 'refused',
      data: { code: 'REJECTED', change: 'rejected', service: ordersDb },
    });
    expect(answer.seen).toMatchInlineSnapshot(`
      "
      not registered: 2 problems, nothing was stored
        orders-db.yaml:3:6  interfaces.0.eni: eni-0aaaaaaaaaaaaaa01 lacks the tag eni-failover=managed; aws ec2 create-tags --resources eni-0aaaaaaaaaaaaaa01 --tags Key=eni-failover,Value=managed
        orders-db.yaml:8:6  members.2.instance: i-0ccccccccccccccc3: NO_SUCH_MEMBER (EC2 knows no such instance)
      "
    `);
  });
});

describe('a declaration with mistakes', () => {
  it('names each with field, value, way out, line and column', async () => {
    const text = stringify({
      name: 'Orders',
      contact: 'dba@example.com',
      interfaces: [{ eni: 'eni-1', device_index: 1 }],
      members: [{ instanceId: a }, b],
      signals: { statusChecks: 'yes', alarms: [{ alarm: 'x' }] },
      policy: { mode: 'on', confirm: 180, budget: 3, colour: 'red' },
    });
    expect(await refusedAtOnce(text)).toMatchInlineSnapshot(`
      "
      not registered: 14 problems, nothing was stored
        orders-db.yaml:1:1  name: must be 1 to 63 characters of a-z, 0-9 and -, and not begin with - (is "Orders")
        orders-db.yaml:4:5  interfaces.0.eni: must look like eni-0123456789abcdef0 (is "eni-1")
        orders-db.yaml:4:5  interfaces.0.deviceIndex: is missing; it must be 1 or more: index 0 is the primary
        orders-db.yaml:5:5  interfaces.0.device_index: is not a known key; did you mean deviceIndex?
        orders-db.yaml:7:5  members.0.instance: is missing; it must look like i-0123456789abcdef0
        orders-db.yaml:7:5  members.0.instanceId: is not a known key; did you mean instance?
        orders-db.yaml:8:5  members.1: must be a map of instance, readyWhen (is "i-0bbbbbbbbbbbbbbb2")
        orders-db.yaml:10:3  signals.statusChecks: must be true or false (is "yes")
        orders-db.yaml:12:7  signals.alarms.0.arn: is missing; it must be the ARN of a CloudWatch alarm, arn:aws:cloudwatch:REGION:ACCOUNT:alarm:NAME
        orders-db.yaml:12:7  signals.alarms.0.alarm: is not a known key; known here: arn, member
        orders-db.yaml:14:3  policy.mode: must be "act" or "observe" (is "on")
        orders-db.yaml:15:3  policy.confirm: must be text (is 180); it must be a number and a unit, such as 90s, 3m or 1h
        orders-db.yaml:16:3  policy.budget: is not a known key; did you mean budgetPerHour?
        orders-db.yaml:2:1  contact: is not a known key; did you mean contacts?
      "
    `);
  });

  it.each([
    ['', 'the file is empty'],
    ['- a\n', 'name: is missing'],
    ['just words', 'declaration: must be a map of name, description, contacts, interfaces, members'],
    ['name: x\nname: y\n', 'orders-db.yaml:2:1  Map keys must be unique'],
    ['name: x\n---\nname: y\n', 'orders-db.yaml:2:1  a second document begins here'],
    ['name: x\nmembers: [a\n', 'orders-db.yaml:3:1  '],
    ['name: [x\n', 'orders-db.yaml:2:1  '],
    ['a: b: c\n', 'orders-db.yaml:1:4  Nested mappings'],
  ])('is refused when it reads %j', async (text, said) => {
    expect(await refusedAtOnce(text)).toContain(said);
  });

  it('is a usage error when there is no such file', async () => {
    const world = await unregistered();
    const missing = registerCommand(path.join(directory, 'none.yaml'), {}, contextOf(world));
    await expect(missing).rejects.toThrow(CliError);
    await expect(missing).rejects.toMatchObject({ outcome: 'usage' });
  });
});
