/** Runs the wrapper that docs/guides/hooks.md gives to every member: it must keep the rules of a hook by itself. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readText } from './markdown.ts';

const [, wrapper = ''] =
  /^```bash\n(#!\/bin\/bash\n# \/usr\/local\/sbin\/hook-once [\s\S]*?)^```$/m.exec(
    readText('docs/guides/hooks.md'),
  ) ?? [];
const memory = '/var/lib/eni-failover';
/** It is for Linux: elsewhere there is no flock. */
const canRun = spawnSync('flock', ['--version']).status === 0;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'hook-once-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** What the wrapper says, and its exit code; what it runs writes the word down. */
function hook(token: string, epoch: number, word: string) {
  const file = path.join(folder, 'hook-once');
  writeFileSync(file, wrapper.replaceAll(memory, path.join(folder, 'memory')));
  const command = ['sh', '-c', `echo ${word} >> '${path.join(folder, 'done')}'`];
  const { status, stdout } = spawnSync('bash', [file, 'licences', token, String(epoch), ...command], {
    encoding: 'utf8',
  });
  return { status, said: stdout.trim() };
}
const done = () => readFileSync(path.join(folder, 'done'), 'utf8').split('\n').filter(Boolean);

describe.runIf(canRun)('the wrapper of a shell hook', () => {
  it('is in the guide, with its memory in one place', () => {
    expect(wrapper.split(memory)).toHaveLength(2);
  });
  it('runs a command once for each token, and says so twice', () => {
    expect(hook('licences.1/1/after.0', 1, 'start').status).toBe(0);
    expect(hook('licences.1/1/after.0', 1, 'start')).toEqual({
      status: 0,
      said: 'done before: licences.1/1/after.0',
    });
    expect(hook('licences.2/1/after.0', 2, 'start').status).toBe(0);
    expect(done()).toEqual(['start', 'start']);
  });
  it('refuses an epoch lower than one that it has seen', () => {
    hook('licences.2/1/after.0', 2, 'start');
    expect(hook('licences.1/1/before.0', 1, 'stop').status).toBe(76);
    expect(done()).toEqual(['start']);
  });
  it('undoes what was done', () => {
    hook('licences.3/1/before.0', 3, 'stop');
    hook('licences.3/1/undo.0', 3, 'start');
    expect(done()).toEqual(['stop', 'start']);
  });
  it('does nothing that comes later than its own undo', () => {
    hook('licences.3/1/undo.0', 3, 'start');
    expect(hook('licences.3/1/before.0', 3, 'stop').status).toBe(0);
    expect(done()).toEqual(['start']);
  });
  it('takes an undo for its own hook only', () => {
    hook('licences.3/1/undo.0', 3, 'start');
    hook('licences.3/1/before.1', 3, 'stop');
    hook('licences.4/1/before.0', 4, 'stop');
    expect(done()).toEqual(['start', 'stop', 'stop']);
  });
});
