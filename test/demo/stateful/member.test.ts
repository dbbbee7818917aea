/** The counter service and its machine: roles, promotion by token and epoch, and that a stopped machine ends it. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readLog } from '../../../demo/stateful/disk.ts';
import { downAt } from '../../../demo/stateful/machines.ts';
import {
  type MemberOptions,
  type MemberProcess,
  startMember,
} from '../../../demo/stateful/member-process.ts';
import { acknowledged, startWriter } from '../../../demo/stateful/writer.ts';

let disk = '';
const running: MemberProcess[] = [];

beforeEach(async () => {
  disk = await mkdtemp(path.join(tmpdir(), 'eni-failover-member-'));
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((each) => each.end()));
  await rm(disk, { recursive: true, force: true });
});

async function start(host: string, role: MemberOptions['role']): Promise<MemberProcess> {
  const member = await startMember({ host, disk, role });
  running.push(member);
  return member;
}

async function post({ port }: MemberProcess, what: string, body: object) {
  const answer = await fetch(`http://127.0.0.1:${port}/${what}`, {
    method: 'POST',
    body: JSON.stringify(body),
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

const promote = (member: MemberProcess, token: string, epoch: number) =>
  post(member, 'promote', { token, epoch });

describe('a counter', () => {
  it('has a write on the disk before it acknowledges it', async () => {
    const primary = await start('a', 'primary');
    expect(await post(primary, 'writes', { id: 'w1' })).toMatchObject({ status: 200, body: { number: 1 } });
    expect(await readLog(disk)).toMatchObject([{ kind: 'write', number: 1, id: 'w1', by: 'a' }]);
  });

  it('numbers writes that come at once one after the other', async () => {
    const primary = await start('a', 'primary');
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => post(primary, 'writes', { id: `w${index}` })),
    );
    const numbers = answers.map(({ body }) => body['number'] as number);
    expect(numbers.toSorted((one, other) => one - other)).toEqual(
      Array.from({ length: 20 }, (_, n) => n + 1),
    );
    const lines = await readLog(disk);
    expect(lines.map((line) => (line.kind === 'write' ? line.number : 0))).toEqual(
      Array.from({ length: 20 }, (_, n) => n + 1),
    );
  });

  it('refuses writes as a replica, and goes on counting once it is promoted', async () => {
    const [primary, replica] = [await start('a', 'primary'), await start('b', 'replica')];
    await post(primary, 'writes', { id: 'w1' });
    expect(await post(replica, 'writes', { id: 'w2' })).toMatchObject({ status: 503 });
    expect(await promote(replica, 't1', 2)).toMatchObject({ status: 200 });
    expect(await post(replica, 'writes', { id: 'w3' })).toMatchObject({ status: 200, body: { number: 2 } });
  });

  it('is promoted once by one token, however often that comes', async () => {
    const replica = await start('b', 'replica');
    await promote(replica, 't1', 2);
    expect(await promote(replica, 't1', 2)).toMatchObject({
      status: 200,
      body: { output: 'b was promoted before, by t1' },
    });
    expect((await readLog(disk)).filter(({ kind }) => kind === 'promoted')).toHaveLength(1);
  });

  it('refuses an epoch lower than one that the disk has seen, also of another member', async () => {
    const [one, other] = [await start('b', 'replica'), await start('c', 'replica')];
    await promote(one, 't5', 5);
    expect(await promote(other, 't4', 4)).toMatchObject({ status: 409 });
    expect(await post(other, 'writes', { id: 'w1' })).toMatchObject({ status: 503 });
  });

  it('writes on behind a line that another one left unfinished', async () => {
    await writeFile(
      path.join(disk, 'counter.log'),
      '{"kind":"write","number":1,"id":"w1","by":"a","atMs":1}\n{"kind',
    );
    const replica = await start('b', 'replica');
    await promote(replica, 't1', 2);
    expect(await post(replica, 'writes', { id: 'w2' })).toMatchObject({ body: { number: 2 } });
    expect((await readLog(disk)).map(({ kind }) => kind)).toEqual(['write', 'promoted', 'write']);
  });

  it('takes over with its first write where it needs no promotion', async () => {
    const [primary, taker] = [await start('a', 'primary'), await start('b', 'taker')];
    await post(primary, 'writes', { id: 'w1' });
    expect(await post(taker, 'writes', { id: 'w2' })).toMatchObject({ status: 200, body: { number: 2 } });
  });
});

describe('a writer', () => {
  it('remembers what was acknowledged, and what was refused once the service is gone', async () => {
    const primary = await start('a', 'primary');
    const writer = startWriter({ name: 'w', port: primary.port, everyMs: 10, timeoutMs: 1_000 });
    await expect.poll(() => acknowledged(writer.attempts()).length).toBeGreaterThan(2);
    await primary.end();
    await expect.poll(() => writer.attempts().at(-2)?.result).toBe('refused');
    await writer.stop();
    const lines = await readLog(disk);
    for (const { id, number } of acknowledged(writer.attempts()))
      expect(lines).toContainEqual(expect.objectContaining({ id, number }));
    expect(writer.attempts().every(({ result }) => result !== 'pending')).toBe(true);
  });
});

describe('a machine', () => {
  const event = (state: string, atMs: number) => ({
    at: new Date(atMs).toISOString(),
    event: {
      'detail-type': 'EC2 Instance State-change Notification',
      detail: { 'instance-id': 'i-1', state },
    },
    deliveries: [],
  });

  it('is down when EC2 shows it stopped, and some time before that', () => {
    expect(downAt([event('stopping', 1_000)], 1_100)).toEqual([]);
    expect(downAt([event('stopping', 1_000)], 1_600)).toEqual(['i-1']);
    expect(downAt([event('stopping', 1_000), event('stopped', 1_050)], 1_060)).toEqual(['i-1']);
    expect(downAt([event('terminated', 1_000)], 1_000)).toEqual(['i-1']);
    expect(downAt([event('running', 1_000)], 9_000)).toEqual([]);
  });
});
