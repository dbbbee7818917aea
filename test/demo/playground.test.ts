/** Proves the tour of the playground as a person takes it: each command as it is printed, and what the person then sees. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = path.join(import.meta.dirname, '..', '..');
const folder = mkdtempSync(path.join(tmpdir(), 'playground-'));
let playground: ChildProcess;
let printed = '';
let endpoint = '';

const environment = () => ({
  PATH: process.env['PATH'],
  HOME: folder,
  NO_COLOR: '1',
  AWS_ENDPOINT_URL: endpoint,
});

beforeAll(async () => {
  playground = spawn(process.execPath, ['demo/playground/main.ts', '--folder', folder], {
    cwd: root,
    env: environment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  playground.stdout?.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  const isReady = () => printed.includes('until you press Ctrl-C.');
  while (!isReady()) await once(playground.stdout ?? playground, 'data');
  endpoint = /AWS_ENDPOINT_URL=(\S+)/.exec(printed)?.[1] ?? '';
}, 60_000);

afterAll(async () => {
  const ended = once(playground, 'close');
  playground.kill('SIGINT');
  expect(await ended).toEqual([0, null]);
  rmSync(folder, { recursive: true });
}, 20_000);

/** The words of a command as a shell would pass them on. */
const wordsOf = (command: string) =>
  [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');

/** Ids, times and hashes differ each time. */
function steady(text: string): string {
  const names = new Map<string, string>();
  const nameOf = (id: string) => {
    const kind = id.split('-')[0];
    const known = names.get(id) ?? `${kind}-${names.size + 1}`;
    names.set(id, known);
    return known;
  };
  return text
    .replace(/\b(?:eni|i|sg)-[0-9a-f]{17}\b/g, nameOf)
    .replace(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?Z/g, 'TIME')
    .replace(/\b[0-9a-f]{64}\b/g, 'HASH')
    .replace(/arn:aws:iam::000000000000:user\/eni-failover-cli/g, 'ME');
}

interface Seen {
  readonly code: number | null;
  readonly text: string;
}

/** Runs a command of the tour; those that ask are answered as a script answers them. */
async function type(command: string, isEnough?: (text: string) => boolean): Promise<Seen> {
  expect(printed, 'the tour prints it').toContain(command);
  const [tool, ...words] = wordsOf(command);
  if (tool === 'curl') {
    const [url = '', body = ''] = [words[2], words[4]];
    const answer = await fetch(url, { method: 'POST', body });
    return { code: answer.ok ? 0 : 1, text: await answer.text() };
  }
  const args = words.slice(words.indexOf('--') + 1);
  const asks = args[0] === 'switchover' || args.includes('--move');
  const child = spawn(process.execPath, ['cli/main.ts', ...args, ...(asks ? ['--yes'] : [])], {
    cwd: root,
    env: environment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (more: string) => {
      text += more;
      if (isEnough?.(text)) child.kill('SIGINT');
    });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, text: steady(text) };
}

const cli = (words: string) => `npm run cli -- ${words}`;
/** The command of the tour that begins like this. */
const line = (start: string) => printed.split('\n').find((each) => each.startsWith(start)) ?? start;
const curl = (what: string) =>
  printed.split('\n').find((each) => each.includes(`/_sandbox/ec2/${what}`)) ?? what;

describe('the tour', () => {
  it('registers two services, of which both are ready', async () => {
    const registered = await type(cli(`register ${folder}/orders-db.yaml`));
    expect(registered.text).toContain('registered orders-db\n');
    expect((await type(cli(`register ${folder}/licences.yaml`))).code).toBe(0);
    const { code, text } = await type(cli('status'));
    expect(text).toMatch(/^licences +ready +i-1$/m);
    expect(text).toMatch(/^orders-db +ready +i-2$/m);
    expect(code).toBe(0);
    expect(readFileSync(path.join(folder, 'licences.yaml'), 'utf8')).toContain('name: licences');
  }, 60_000);

  it('has a doctor who finds what would bite later, and nothing that stops a failover', async () => {
    const { code, text } = await type(cli('doctor'));
    expect(text).toContain('nobody receives the notices');
    expect(text).toContain('its security groups let nobody in');
    expect(code).toBe(0);
  }, 60_000);

  it('breaks one and watches it move', async () => {
    expect((await type(curl('impair'))).code).toBe(0);
    const { text } = await type(cli('watch orders-db'), (seen) => seen.includes('COMPLETED'));
    expect(text).toMatch(/orders-db#2 COMPLETED: failover i-\d → i-\d: system check impaired/);
  }, 60_000);

  it('says what happened, step by step, and proves that nobody changed it', async () => {
    const { text: history } = await type(line(cli('history --instance i-')));
    expect(history).toMatch(/orders-db#2 +COMPLETED +failover i-1 → i-2: system check impaired/);
    const { text, code } = await type(cli('show orders-db.1 --verify'));
    expect(text).toContain('chain       verified: 2 records, each follows the one before it, head HASH');
    for (const step of ['detach-forced', 'attach', 'verified', 'closed']) expect(text).toContain(` ${step} `);
    expect(code).toBe(0);
  }, 60_000);

  it('explains whether it would move again, and what was known before', async () => {
    const now = await type(cli('explain orders-db'));
    expect(now.text).toMatch(/^would fail over now, to i-1\n/);
    expect(now.text).toMatch(/QUARANTINED: failed in orders-db.1: system check impaired/);
    const before = await type(cli('explain orders-db --at 1m'));
    // As long ago as the playground is old, or not: it is the words of a past moment in any case.
    expect(before.text).toMatch(/was (?:not registered|watching|being moved)/);
  }, 60_000);

  it('goes back when it is repaired', async () => {
    await type(curl('recover'));
    const acknowledged = await type(cli("ack orders-db --reason 'power supply replaced'"));
    expect(acknowledged).toMatchObject({ code: 0, text: 'orders-db: acknowledged by ME\n' });
    const plan = await type(line(cli('plan orders-db --to')));
    expect(plan.text).toMatch(/^orders-db would move to i-1\n/);
    const moved = await type(line(cli('switchover orders-db')));
    expect(moved.text).toContain(
      'COMPLETED: orders-db is on i-1\nepisode  orders-db.2, record 5 of the trail\n',
    );
    expect(moved.code).toBe(0);
  }, 60_000);

  it('pauses, resumes, and rehearses in dry runs and for real', async () => {
    await type(cli("pause licences --for 10m --reason 'kernel upgrade'"));
    const paused = await type(cli('explain licences'));
    expect(paused.text).toMatch(/^would NOT fail over now\n +PAUSED +by ME: kernel upgrade/);
    expect((await type(cli("resume licences --reason 'upgraded'"))).code).toBe(0);
    const drill = await type(cli("drill licences --reason 'monthly'"));
    expect(drill.text).toMatch(/^licences: ready for a failover\n/);
    const moved = await type(cli("drill licences --move --reason 'monthly, for real'"));
    expect(moved.text).toMatch(/there +i-1 → i-2: COMPLETED, gap [\d.]+ s \(licences\.1\)/);
    expect(moved.text).toMatch(/back +i-2 → i-1: COMPLETED, gap [\d.]+ s \(licences\.2\)/);
    expect(moved.code).toBe(0);
  }, 90_000);

  it('asks the trail by time and by instance, and takes it along', async () => {
    const { text } = await type(cli('history --since 1h'));
    for (const outcome of ['REGISTERED', 'PAUSED', 'DRILL_PASSED', 'ACKNOWLEDGED', 'REQUESTED'])
      expect(text).toContain(outcome);
    const exported = await type(cli('export orders-db --format csv'));
    expect(exported.text).toContain('5 records written as csv, newest first');
    expect(exported.code).toBe(0);
  }, 60_000);
});
