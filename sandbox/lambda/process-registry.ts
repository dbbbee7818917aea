// Remembers on disk which processes a sandbox started, so that the next start can end those that a killed sandbox left behind.

import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface ProcessRegistry {
  add(pid: number): void;
  remove(pid: number): void;
  close(): void;
}

const DEFAULT_DIRECTORY = join(tmpdir(), 'eni-failover-sandbox');
let registries = 0;

/** Ends the survivors of sandboxes that are gone, then opens a file for this one. */
export function openProcessRegistry(directory = DEFAULT_DIRECTORY): ProcessRegistry {
  mkdirSync(directory, { recursive: true });
  endSurvivors(directory);
  registries += 1;
  const file = join(directory, `${process.pid}-${registries}.pids`);
  const pids = new Set<number>();
  // Written at every change and at once: a crash gives no warning.
  const save = (): void => writeFileSync(file, [...pids].join('\n'));
  // The last net, for an exit that nobody planned: a frozen process would stay for ever.
  const endAll = (): void => {
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    rmSync(file, { force: true });
  };
  process.once('exit', endAll);
  return {
    add: (pid) => {
      pids.add(pid);
      save();
    },
    remove: (pid) => {
      pids.delete(pid);
      save();
    },
    close: () => {
      process.off('exit', endAll);
      rmSync(file, { force: true });
    },
  };
}

function endSurvivors(directory: string): void {
  for (const name of readdirSync(directory)) {
    const sandboxPid = Number(/^(\d+)-\d+\.pids$/.exec(name)?.[1]);
    if (!sandboxPid || isAlive(sandboxPid)) continue;
    const file = join(directory, name);
    for (const pid of readFileSync(file, 'utf8').split('\n').filter(Boolean).map(Number)) {
      if (isRuntime(pid)) process.kill(pid, 'SIGKILL');
    }
    rmSync(file, { force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** The number may belong to another process by now: only a function's runtime is ended. */
function isRuntime(pid: number): boolean {
  try {
    return execFileSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' }).includes(
      'lambda/bootstrap.mjs',
    );
  } catch {
    return false;
  }
}
