/** The commands around the controller as a person runs them: init, doctor and break-glass, real processes, in the sandbox. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { start } from '../processes.ts';
import { openStage, type Stage } from './stage.ts';

let stage: Stage;
let home: string;
beforeAll(async () => {
  stage = await openStage({ name: 'orders-db' });
  home = mkdtempSync(path.join(tmpdir(), 'e2e-environment-'));
}, 60_000);
afterAll(async () => {
  rmSync(home, { recursive: true });
  await stage.sandbox.close();
});

/** The installed command line, without any setting but the endpoint. */
const run = (...args: readonly string[]) =>
  start('dist/cli/main.mjs', args, home, { AWS_ENDPOINT_URL: stage.sandbox.endpoint }).ended;

interface Finding {
  readonly id: string;
  readonly result: string;
}
/** The checks that were not fine, each once, worst first as they come. */
async function complaints(...args: readonly string[]) {
  const { code, stdout, stderr } = await run('doctor', '-o', 'json', ...args);
  expect(stderr).toBe('');
  const { findings } = JSON.parse(stdout) as { readonly findings: readonly Finding[] };
  const bad = findings.filter((each) => each.result !== 'ok').map(({ result, id }) => `${result} ${id}`);
  return { code, bad: [...new Set(bad)].toSorted() };
}

/** What a stack without subscribers and instances without alarms, all in one subnet, look like in the sandbox. */
const asDeployed = [
  'unknown heartbeat',
  'warning clients',
  'warning one-subnet',
  'warning status-alarms',
  'warning subscription',
];

describe('around the controller', { timeout: 60_000 }, () => {
  it('init writes what register takes', async () => {
    const [holder = '', standby = ''] = stage.instances;
    const [one = '', other = ''] = stage.enis;
    const named = ['--name', 'orders-db', '--interface', one, '--interface', other];
    const written = await run('init', ...named, '--member', standby, '--member', holder);
    expect(written).toMatchObject({ code: 0, stderr: '' });
    expect(written.stdout).toContain('eni-failover register orders-db.yaml');
    const registered = await run('register', 'orders-db.yaml', '-o', 'json', '--take-over');
    expect(JSON.parse(registered.stdout)).toMatchObject({ outcome: 'done', members: [holder, standby] });
    expect((await run('init', ...named, '--member', standby, '--member', holder)).code).toBe(1);
  });

  it('doctor finds what a person should know, by endpoint and by stack', async () => {
    expect(await complaints()).toEqual({ code: 0, bad: asDeployed });
    expect(await complaints('orders-db', '--stack', 'eni-failover')).toEqual({ code: 0, bad: asDeployed });
    expect((await complaints('--test-notice')).bad).toEqual(asDeployed);
    const wrong = await run('doctor', '--stack', 'mine');
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain('there is no stack mine in this account and Region');
  });

  it('doctor ends with 4 where a failover would not work', async () => {
    const [, standby = ''] = stage.instances;
    await stage.post('ec2/impair', { instanceId: standby, check: 'system' });
    const { code, bad } = await complaints('orders-db');
    expect(code).toBe(4);
    expect(bad).toContain('problem health');
    await stage.post('ec2/recover', { instanceId: standby });
  });

  it('break-glass prints, and moves with a journal', async () => {
    const [holder = '', standby = ''] = stage.instances;
    const to = ['break-glass', 'move', 'orders-db', '--to', standby];
    const printed = await run(...to, '--print');
    expect(printed).toMatchObject({ code: 0, stderr: '' });
    expect(printed.stdout.match(/^aws ec2 (?:detach|attach)-network-interface /gm)).toHaveLength(4);
    expect(await stage.holders()).toEqual([holder, holder]);

    expect((await run(...to, '--reason', 'the table is down')).code).toBe(2);
    const journal = path.join(home, 'journal.ndjson');
    const moved = await run(
      ...to,
      '--yes',
      '--reason',
      'the table is down',
      '--journal',
      journal,
      '-o',
      'json',
    );
    expect(JSON.parse(moved.stdout)).toMatchObject({
      command: 'break-glass move',
      outcome: 'done',
      on: standby,
      reported: true,
    });
    expect(moved.code).toBe(0);
    expect(await stage.holders()).toEqual([standby, standby]);
    const calls = readFileSync(journal, 'utf8')
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { readonly call: string }).call);
    expect(calls.filter((call) => call === 'DetachNetworkInterface')).toHaveLength(4);
    expect(calls.filter((call) => call === 'AttachNetworkInterface')).toHaveLength(4);
  });
});
