/** Planned moves as processes against the sandbox: what is shown before, what is seen after, there and back in a drill. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ServiceName } from '../../shared/core/ids.ts';
import { jsonOf, start } from '../processes.ts';
import { openStage, type Stage } from './stage.ts';

const name = 'orders-db' as ServiceName;

let stage: Stage;
let home: string;
beforeAll(async () => {
  home = mkdtempSync(path.join(tmpdir(), 'planned-moves-'));
  stage = await openStage({ name, alarm: false });
}, 60_000);
afterAll(async () => {
  await stage.sandbox.close();
  rmSync(home, { recursive: true });
});

/** Without a terminal, as a script runs it. */
const run = (...args: readonly string[]) =>
  start('cli/main.ts', [...args, '--endpoint-url', stage.sandbox.endpoint], home).ended;

/** Ids and lengths of time differ from run to run; what is said about them does not. */
function steady(text: string): string {
  const named = stage.instances.reduce(
    (all, id, index) => all.replaceAll(id, `i-${String.fromCharCode(65 + index).repeat(17)}`),
    text,
  );
  const enis = stage.enis.reduce(
    (all, id, index) => all.replaceAll(id, `eni-${String(index + 1).repeat(17)}`),
    named,
  );
  return `\n${enis.replace(/\d+\.\d s/g, 'T s').replace(/record \d+/g, 'record N')}`;
}

describe('a planned move', { timeout: 90_000 }, () => {
  it('a plan says what a switchover would do', async () => {
    const [, standby = ''] = stage.instances;
    const ended = await run('plan', name, '--to', standby);
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(steady(ended.stdout)).toMatchInlineSnapshot(`
      "
      orders-db would move to i-BBBBBBBBBBBBBBBBB

      holder   i-AAAAAAAAAAAAAAAAA
      standby  i-BBBBBBBBBBBBBBBBB  eligible
               i-CCCCCCCCCCCCCCCCC  eligible

      What will happen
      detach      eni-11111111111111111, eni-22222222222222222 from i-AAAAAAAAAAAAAAAAA
      attach      eni-11111111111111111 at device index 1, eni-22222222222222222 at device index 2 to i-BBBBBBBBBBBBBBBBB
      interrupts  the addresses of eni-11111111111111111, eni-22222222222222222 answer nobody from the detach to the attach; connections over them may break
      "
    `);
  });

  it('a switchover is followed to its end', async () => {
    const [, standby = ''] = stage.instances;
    const ended = await run('switchover', name, '--to', standby, '--reason', 'patching', '--yes', '--wait');
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(steady(ended.stdout)).toMatchInlineSnapshot(`
      "
      COMPLETED: orders-db is on i-BBBBBBBBBBBBBBBBB
      episode  orders-db.1, record N of the trail
      gap      T s from the first detach to the last attach

      Step by step:  eni-failover show orders-db.1
      "
    `);
  });

  it('a failback waits for its time, and says what can be done at once', async () => {
    const ended = await run('failback', name, '--reason', 'patched', '--yes', '-o', 'json');
    expect(ended.code).toBe(1);
    expect(jsonOf(ended)).toMatchObject({
      command: 'failback',
      outcome: 'refused',
      service: name,
      code: 'NOT_LONG_ENOUGH',
      end: null,
    });
  });

  it('a drill that moves goes there and comes back', async () => {
    const moved = await run('drill', name, '--reason', 'quarterly', '--move', '--yes', '-o', 'json');
    expect(moved).toMatchObject({ code: 0, stderr: '' });
    const [, holder] = stage.instances;
    expect(jsonOf(moved)).toMatchObject({
      outcome: 'done',
      move: {
        from: holder,
        there: { outcome: 'COMPLETED', from: holder },
        back: { outcome: 'COMPLETED', to: holder },
      },
    });
  });

  it('the mode is changed in the name of who asked, and nothing is there to adopt', async () => {
    const observe = await run('mode', name, 'observe', '--reason', 'rebuilding', '--yes', '-o', 'json');
    expect(jsonOf(observe)).toMatchObject({
      command: 'mode',
      outcome: 'done',
      author: 'arn:aws:iam::000000000000:user/eni-failover-cli',
      result: { from: 'act', to: 'observe' },
    });
    expect(await run('adopt', name, '--reason', 'all is well', '--yes')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('nothing had to be adopted'),
    });
  });
});
