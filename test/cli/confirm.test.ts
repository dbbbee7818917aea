/** Proves that nothing is interrupted before somebody who saw what it means has typed which service it is. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { callOff, mustBeAskable } from '../../cli/confirm.ts';
import type { CommandContext } from '../../cli/program.ts';
import { ordersDb } from '../fakes/world.ts';
import { makeFakeScreen, makePerson, nobody } from './screen.ts';

const contextWith = (person: CommandContext['person']): CommandContext => ({
  connect: () => Promise.reject(new Error('asked AWS')),
  site: () => Promise.reject(new Error('asked AWS')),
  say: (command) => command,
  screen: makeFakeScreen(),
  now: () => 0,
  person,
});
const what = () => 'the interfaces leave i-1';

describe('the question before something is interrupted', () => {
  it('comes after what will happen, and is answered with the name of the service', async () => {
    const person = makePerson([' orders-db ']);
    expect(await callOff(contextWith(person), ordersDb, false, what)).toBeUndefined();
    expect(person.said).toEqual([
      'the interfaces leave i-1\n',
      'To go on, type the name of the service (orders-db): ',
    ]);
  });

  it.each<[readonly string[], string, string]>([
    [['orders-bd'], 'OTHER_NAME', 'the service is orders-db, but "orders-bd" was typed'],
    [['y'], 'OTHER_NAME', 'the service is orders-db, but "y" was typed'],
    [[''], 'OTHER_NAME', 'the service is orders-db, but no name was typed'],
    [[], 'CALLED_OFF', 'called off at the question'],
  ])('answered with %j calls it off: %s', async (answers, code, detail) => {
    const off = await callOff(contextWith(makePerson(answers)), ordersDb, false, what);
    expect(off).toEqual({ code, detail });
  });

  it('is not asked of who answered ahead', async () => {
    const person = makePerson();
    expect(await callOff(contextWith(person), ordersDb, true, what)).toBeUndefined();
    expect(person.said).toEqual([]);
  });

  it('that nobody can answer is wrong usage, with the way out', () => {
    expect(() => mustBeAskable(contextWith(nobody), false)).toThrow(
      /no terminal; nothing was done: add --yes/,
    );
    expect(() => mustBeAskable(contextWith(nobody), true)).not.toThrow();
    expect(() => mustBeAskable(contextWith(makePerson()), false)).not.toThrow();
  });
});

/** The arguments of `script` are other ones elsewhere. */
describe.runIf(process.platform === 'linux')('a terminal', () => {
  const script = `
    import { personAt } from './cli/person.ts';
    const person = personAt(process.stdin, process.stderr);
    console.log('there: ' + person.isThere);
    person.show('waiting');
    person.show('');
    console.log('answer: ' + (await person.ask('name? ')));
  `;

  /** On a pseudo terminal: what is typed once the question is there, and everything that was printed. */
  async function type(keys: string): Promise<string> {
    const command = `'${process.execPath}' --input-type=module -e "$SCRIPT"`;
    const child = spawn('script', ['-qec', command, '/dev/null'], {
      cwd: path.join(import.meta.dirname, '..', '..'),
      env: { PATH: process.env['PATH'] ?? '', SCRIPT: script, SHELL: '/bin/sh', TERM: 'xterm' },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let printed = '';
    let isTyped = false;
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      printed += chunk;
      if (isTyped || !printed.includes('name? ')) return;
      isTyped = true;
      child.stdin.write(keys);
    });
    await once(child, 'close');
    return printed;
  }

  it.each([
    ['orders-db\r', 'answer: orders-db'],
    ['ord\u0003', 'answer: undefined'],
    ['\u0004', 'answer: undefined'],
  ])('passes on what is typed, and takes Ctrl-C and Ctrl-D for no answer: %j', async (keys, answer) => {
    const printed = await type(keys);
    expect(printed).toContain('there: true');
    expect(printed).toContain('waiting\u001b[1G\u001b[2K');
    expect(printed).toContain(answer);
  });
});
