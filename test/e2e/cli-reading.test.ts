/** What people read: the command line as a process against the sandbox, before, during and after a real failover. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DynamoDBClient, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { StopInstancesCommand } from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ServiceName } from '../../shared/core/ids.ts';
import { start } from '../processes.ts';
import { openStage, type Stage } from './stage.ts';

const name = 'orders-db' as ServiceName;

let stage: Stage;
let home: string;
beforeAll(async () => {
  home = mkdtempSync(path.join(tmpdir(), 'cli-reading-'));
  stage = await openStage({ name, alarm: false });
}, 60_000);
afterAll(async () => {
  await stage.sandbox.close();
  rmSync(home, { recursive: true });
});

/** With the endpoint alone, as the README tells a newcomer. */
const cli = (...args: readonly string[]) =>
  start('cli/main.ts', [...args, '--endpoint-url', stage.sandbox.endpoint], home);
const run = (...args: readonly string[]) => cli(...args).ended;

/** Ids, times and lengths of time differ from run to run; what is said about them does not. */
function steady(text: string): string {
  const names = new Map<string, string>();
  stage.instances.forEach((id, index) => {
    names.set(id, `i-${String.fromCharCode(65 + index).repeat(17)}`);
  });
  stage.enis.forEach((id, index) => {
    names.set(id, `eni-${String(index + 1).repeat(17)}`);
  });
  const named = [...names].reduce((all, [id, called]) => all.replaceAll(id, called), text);
  return (
    `\n${named}`
      .replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ/g, 'YYYY-MM-DD hh:mm:ssZ')
      .replace(/\b[0-9a-f]{64}\b/g, '#')
      .replace(/ *\+?\b\d+(?:\.\d)? (?:ms|s)\b/g, ' T')
      // Whichever the controller sees first.
      .replace(/the instance is stopp(?:ing|ed)/g, 'the instance is stopping')
      .replace(/\(\s*T/g, '(T')
      .replace(/ *[█│][█│ ]*$/gm, ' ▒')
  );
}

describe('before anything happened', { timeout: 60_000 }, () => {
  it('explain says that it would fail over, where to, and in which steps', async () => {
    const ended = await run('explain', name);
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(steady(ended.stdout)).toMatchInlineSnapshot(`
      "
      would fail over now, to i-BBBBBBBBBBBBBBBBB
        holder     i-AAAAAAAAAAAAAAAAA  healthy
        detach     eni-11111111111111111, eni-22222222222222222 from i-AAAAAAAAAAAAAAAAA, by force if it hangs
        attach     eni-11111111111111111 at device index 1, eni-22222222222222222 at device index 2 to i-BBBBBBBBBBBBBBBBB
        meanwhile  the addresses of eni-11111111111111111, eni-22222222222222222 answer nobody from the detach to the attach; connections over them may break
        next       i-CCCCCCCCCCCCCCCCC  eligible
      "
    `);
  });

  it('a name that nobody registered is refused on standard error', async () => {
    expect(await run('explain', 'nope')).toEqual({
      code: 1,
      stdout: '',
      stderr: 'nope is not registered. What is registered:  eni-failover status\n',
    });
    expect(await run('show', 'nope.1')).toMatchObject({ code: 1, stdout: '' });
  });
});

describe('a failover', { timeout: 60_000 }, () => {
  let beforeIt: string;

  it('is followed by watch, line by line, until Ctrl-C', async () => {
    const watching = cli('watch', name);
    await stage.until(async () => (watching.text.stdout.includes('first-look') ? true : undefined));
    beforeIt = new Date().toISOString();
    const [holder = ''] = stage.instances;
    await stage.ec2.send(new StopInstancesCommand({ InstanceIds: [holder] }));
    await stage.until(async () => (/ record .*COMPLETED/.test(watching.text.stdout) ? true : undefined));
    watching.child.kill('SIGINT');
    const { code, stdout, stderr } = await watching.ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const lines = steady(stdout).trim().split('\n');
    expect(lines[0]).toBe(
      'YYYY-MM-DD hh:mm:ssZ  orders-db  first-look  on i-AAAAAAAAAAAAAAAAA; ready for a failover',
    );
    expect(lines.filter((each) => each.includes('  record  '))).toEqual([
      'YYYY-MM-DD hh:mm:ssZ  orders-db  record  orders-db#2 COMPLETED: failover i-AAAAAAAAAAAAAAAAA → i-BBBBBBBBBBBBBBBBB: the instance is stopping',
    ]);
  });

  it('is in the history of the service, of its instances, and of its time', async () => {
    const [holder = '', standby = ''] = stage.instances;
    const [all, byInstance, byTime, others] = await Promise.all([
      run('history', name),
      run('history', '--instance', standby, '--kind', 'episode', '-o', 'json'),
      run('history', '--since', beforeIt, '--outcome', 'completed', '-o', 'json'),
      run('history', '--instance', holder, '--until', '2020-01-01'),
    ]);
    expect(all).toMatchObject({ code: 0, stderr: '' });
    expect(steady(all.stdout)).toMatchInlineSnapshot(`
      "
      TIME                  RECORD       OUTCOME     WHAT
      YYYY-MM-DD hh:mm:ssZ  orders-db#2  COMPLETED   failover i-AAAAAAAAAAAAAAAAA → i-BBBBBBBBBBBBBBBBB: the instance is stopping
      YYYY-MM-DD hh:mm:ssZ  orders-db#1  REGISTERED  change: members i-AAAAAAAAAAAAAAAAA, i-BBBBBBBBBBBBBBBBB, i-CCCCCCCCCCCCCCCCC, by test

      One in full:  eni-failover show orders-db#2
      "
    `);
    for (const { code, stdout } of [byInstance, byTime]) {
      expect(code).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({
        command: 'history',
        outcome: 'done',
        records: [{ service: name, number: 2, kind: 'episode', outcome: 'COMPLETED' }],
        cursor: null,
      });
    }
    const nothing = `until 2020-01-01 00:00:00Z\n\nNothing on record with --instance ${holder}.\n`;
    expect(others).toMatchObject({ code: 0, stdout: nothing });
  });

  it('is shown with its steps, and its chain verified', async () => {
    const ended = await run('show', 'orders-db.1', '--verify');
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    const [head, steps = ''] = steady(ended.stdout).split('\n\nSteps\n');
    expect(`${head}\n`).toMatchInlineSnapshot(`
      "
      orders-db.1  failover  COMPLETED
      every interface was seen attached to the target

      move        i-AAAAAAAAAAAAAAAAA → i-BBBBBBBBBBBBBBBBB
      evidence    the instance is stopping
      durations   event to claim T, detach to verified T, claim to end T
      interfaces  eni-11111111111111111, eni-22222222222222222: on i-BBBBBBBBBBBBBBBBB
      author      eni-failover
      at          YYYY-MM-DD hh:mm:ssZ (T ago)
      trail       record 2 of orders-db
      hash        #
      follows     #
      chain       verified: 2 records, each follows the one before it, head #
      "
    `);
    for (const step of ['claimed', 'detach-forced', 'attach', 'verified', 'closed'])
      expect(steps).toContain(step);
  });

  it('is explained afterwards, now and at the time', async () => {
    const [now, then] = await Promise.all([run('explain', name), run('explain', name, '--at', beforeIt)]);
    expect(steady(now.stdout)).toMatchInlineSnapshot(`
      "
      would fail over now, to i-CCCCCCCCCCCCCCCCC
        holder     i-BBBBBBBBBBBBBBBBB  healthy
        detach     eni-11111111111111111, eni-22222222222222222 from i-BBBBBBBBBBBBBBBBB, by force if it hangs
        attach     eni-11111111111111111 at device index 1, eni-22222222222222222 at device index 2 to i-CCCCCCCCCCCCCCCCC
        meanwhile  the addresses of eni-11111111111111111, eni-22222222222222222 answer nobody from the detach to the attach; connections over them may break
        not        i-AAAAAAAAAAAAAAAAA  NOT_RUNNING: it is stopped → start it
                   i-AAAAAAAAAAAAAAAAA  QUARANTINED: failed in orders-db.1: the instance is stopping → acknowledge it
      "
    `);
    expect(then).toMatchObject({ code: 0, stderr: '' });
    expect(steady(then.stdout)).toMatchInlineSnapshot(`
      "
      orders-db at YYYY-MM-DD hh:mm:ssZ (T ago): was watching
        Nothing on record held it back, and nothing called for a move: it was watching.

      What the controller knew
        registered  #1  mode act, members i-AAAAAAAAAAAAAAAAA, i-BBBBBBBBBBBBBBBBB, i-CCCCCCCCCCCCCCCCC, by test (T before)
        holder      #1  i-AAAAAAAAAAAAAAAAA (T before)
        next        #2  episode COMPLETED, T later

      What the trail cannot tell
        -  What EC2 and CloudWatch showed at that moment: only what led to a record was written down.
           Whether the brake of the zone was on, unless a refusal says so.
           Whether everything was paused: the controller's own trail has no pause from before that moment.
           Whether a failover would have worked at that very second: that is looked at once a minute, and only a change is recorded.

      What came of it:  eni-failover show orders-db#2
      "
    `);
  });

  it('is exported whole, and the reader may go away', async () => {
    const file = path.join(home, 'trail.csv');
    const [lines, csv] = await Promise.all([
      run('export', name),
      run('export', '--format', 'csv', '--file', file, '-o', 'json'),
    ]);
    const records = lines.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { number: number });
    expect(records.map((each) => each.number)).toEqual([2, 1]);
    expect(lines).toMatchObject({ code: 0, stderr: '2 records written as ndjson, newest first\n' });
    expect(JSON.parse(csv.stdout)).toMatchObject({ outcome: 'done', records: 2, file, format: 'csv' });
    expect(readFileSync(file, 'utf8')).toMatch(/^at,service,number,.*\r\n.*,orders-db,2,episode,COMPLETED,/);

    const { child, ended } = cli('export', name);
    child.stdout.destroy();
    expect((await ended).code).not.toBeNull();
  });

  it('that somebody changed afterwards needs a human', async () => {
    const { endpoint, region, stack } = stage.sandbox;
    const credentials = { accessKeyId: 'AKIATEST', secretAccessKey: 'sandbox' };
    const table = new DynamoDBClient({ endpoint, region, credentials });
    await table.send(
      new UpdateItemCommand({
        TableName: stack.outputs['StateTable'],
        Key: { pk: { S: `SERVICE#${name}` }, sk: { S: `TRAIL#${'2'.padStart(12, '0')}` } },
        UpdateExpression: 'SET body = :body',
        ExpressionAttributeValues: { ':body': { S: '{"number":2,"kind":"episode"}' } },
      }),
    );
    table.destroy();
    const ended = await run('show', 'orders-db#1', '--verify');
    expect(ended.code).toBe(4);
    expect(ended.stdout).toContain('CHAIN        record 2: its text does not match its hash');
  });
});

it('bad parameters are named before anything is asked', async () => {
  const ended = await run('history', '--since', 'yesterday', '--kind', 'episodes');
  expect(ended.code).toBe(2);
  expect(ended.stderr).toMatch(/'yesterday' is invalid|Allowed choices/);
});
