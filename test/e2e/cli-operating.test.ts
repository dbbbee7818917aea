/** What operators do: the command line as a process against the sandbox, and what becomes of it in EC2 and in the trail. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DescribeInstancesCommand, RunInstancesCommand } from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import type { ServiceName } from '../../shared/core/ids.ts';
import { jsonOf, start } from '../processes.ts';
import { openStage, type Stage } from './stage.ts';

const name = 'orders-db' as ServiceName;
const me = 'arn:aws:iam::000000000000:user/eni-failover-cli';

let stage: Stage;
let home: string;
beforeAll(async () => {
  home = mkdtempSync(path.join(tmpdir(), 'cli-operating-'));
  stage = await openStage({ name, alarm: false });
}, 60_000);
afterAll(async () => {
  await stage.sandbox.close();
  rmSync(home, { recursive: true });
});

/** With the endpoint alone, or as somebody else. */
const run = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  start('cli/main.ts', [...args, '--endpoint-url', stage.sandbox.endpoint], home, env).ended;

const recorded = async (kind: string) =>
  (await stage.ports.store.trail(name, 1, 50))
    .filter((each) => each.kind === kind)
    .map((each) => JSON.parse(each.body) as Record<string, unknown>);

const times = (text: string) => text.replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME');

describe('an operator', { timeout: 120_000 }, () => {
  it('pauses and resumes in the own name, and says why', async () => {
    const paused = await run(['pause', name, '--for', '30m', '--reason', 'kernel upgrade']);
    expect(paused).toMatchObject({ code: 0, stderr: '' });
    expect(times(paused.stdout)).toBe(`orders-db: paused until TIME by ${me}\n`);
    expect(await run(['resume', name, '--reason', 'upgraded'])).toMatchObject({
      code: 0,
      stdout: `orders-db: resumed by ${me}; looked at within a minute\n`,
    });
    const again = await run(['resume', name, '--reason', 'upgraded', '-o', 'json']);
    expect(again.code).toBe(1);
    expect(jsonOf(again)).toEqual({
      command: 'resume',
      outcome: 'refused',
      service: name,
      zone: null,
      author: me,
      code: 'NOT_PAUSED',
      detail: 'orders-db is not paused',
    });
    expect(await recorded('pause')).toMatchObject([{ author: me, reason: 'kernel upgrade' }]);
    expect(await recorded('resume')).toMatchObject([{ author: me, reason: 'upgraded' }]);
  });

  it('with another secret is told what is missing, and nothing is done', async () => {
    const stranger = { AWS_ACCESS_KEY_ID: 'AKIASTRANGER', AWS_SECRET_ACCESS_KEY: 'guessed' };
    const ended = await run(['pause', '--all', '--for', '1h', '--reason', 'mischief'], stranger);
    expect(ended).toMatchObject({ code: 3, stdout: '' });
    expect(ended.stderr).toMatch(
      /^error: you may not call functions\/control .*lambda:InvokeFunctionUrl.*\n$/,
    );
    expect((await stage.ports.store.readController()).pause).toBeUndefined();
  });

  it('registers a change after looking at what it is', async () => {
    const file = path.join(home, 'orders-db.yaml');
    const declaration = {
      name,
      interfaces: stage.enis.map((eni, index) => ({ eni, deviceIndex: index + 1 })),
      members: stage.instances.map((instance) => ({ instance })),
      policy: { budgetPerHour: 5 },
    };
    writeFileSync(file, stringify(declaration));
    const tried = await run(['register', file, '--dry-run', '-o', 'json']);
    expect(tried).toMatchObject({ code: 0, stderr: '' });
    expect(jsonOf(tried)).toMatchObject({ change: 'changed', dryRun: true, holder: stage.instances[0] });
    const done = await run(['register', file]);
    expect(done).toMatchObject({ code: 0, stderr: '' });
    expect(done.stdout).toContain('changed the registration of orders-db');
    expect(await stage.ports.store.read(name)).toMatchObject({ value: { registeredBy: me } });
  });

  it('does not interrupt a service from a script without --yes', async () => {
    const [, target = ''] = stage.instances;
    const ended = await run(['switchover', name, '--to', target, '--reason', 'patching']);
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    expect(ended.stderr).toContain('--yes');
    expect(await recorded('request')).toEqual([]);
  });

  it('moves a service to a member and follows it to the end', async () => {
    const [source, target = ''] = stage.instances;
    const refused = await run(['switchover', name, '--to', source ?? '', '--reason', 'x', '--yes']);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('ALREADY_HOLDER');
    const moved = await run(['switchover', name, '--to', target, '--reason', 'patching', '--yes', '--wait']);
    expect(moved.code).toBe(0);
    expect(await stage.holders()).toEqual([target, target]);
    expect(await recorded('request')).toMatchObject([{ author: me, reason: 'patching' }]);
    expect((await recorded('episode')).at(-1)).toMatchObject({ author: me, outcome: 'COMPLETED' });
  });

  it('rehearses the next failover, and has it on record', async () => {
    const ended = await run(['drill', name, '--reason', 'quarterly', '-o', 'json']);
    expect(ended.code).toBe(0);
    expect(jsonOf(ended)).toMatchObject({ command: 'drill', outcome: 'done', service: name });
    expect(await recorded('drill')).toMatchObject([{ author: me }]);
  });

  it('replaces a standby by a new instance, and the holder by nothing', async () => {
    const [, holder = '', old = ''] = stage.instances;
    const { Reservations } = await stage.ec2.send(new DescribeInstancesCommand({ InstanceIds: [old] }));
    const launched = await stage.ec2.send(
      new RunInstancesCommand({
        ImageId: 'ami-12345678',
        InstanceType: 'm6i.large',
        MinCount: 1,
        MaxCount: 1,
        SubnetId: Reservations?.[0]?.Instances?.[0]?.SubnetId,
        TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'eni-failover', Value: 'managed' }] }],
      }),
    );
    const fresh = launched.Instances?.[0]?.InstanceId ?? '';
    const replace = (member: string) =>
      run(['member', 'replace', name, member, fresh, '--reason', 'a new image', '--yes']);
    const refused = await replace(holder);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('IS_HOLDER') });
    const replaced = await replace(old);
    expect(replaced.code).toBe(0);
    expect(replaced.stdout).toContain(`${old} replaced by ${fresh}`);
    const { services } = jsonOf(await run(['status', name, '-o', 'json'])) as {
      services: readonly { standbys: readonly { instance: string }[] }[];
    };
    const standbys = services[0]?.standbys.map((each) => each.instance);
    expect(standbys).toContain(fresh);
    expect(standbys).not.toContain(old);
    expect((await recorded('change')).at(-1)).toMatchObject({ author: me, reason: 'a new image' });
  });

  it('says that a person has looked', async () => {
    const nothing = await run(['ack', name, '--reason', 'looked']);
    expect(nothing).toMatchObject({ code: 1, stderr: expect.stringContaining('NOTHING_TO_ACKNOWLEDGE') });
  });

  it('ends the registration', async () => {
    const ended = await run(['unregister', name, '--reason', 'retired', '--yes']);
    expect(ended.code).toBe(0);
    const status = await run(['status', name]);
    expect(status.code).toBe(1);
    expect(status.stderr).toContain('is not registered');
  });
});
