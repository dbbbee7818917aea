/** A program as a person starts it: in a home of its own, with nobody's real credentials, its words kept apart by stream. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import type { Readable } from 'node:stream';

export const root = path.join(import.meta.dirname, '..');

/** How it ended: `code` is null when a signal ended it. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Started {
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  /** What it has said until now. */
  readonly text: { readonly stdout: string; readonly stderr: string };
  readonly ended: Promise<Ended>;
}

/** `program` is a file of the repository; the working directory is `home`. No setting of this process is passed on. */
export function start(
  program: string,
  args: readonly string[],
  home: string,
  env: Readonly<Record<string, string>> = {},
): Started {
  const child = spawn(process.execPath, [path.join(root, program), ...args], {
    cwd: home,
    env: { HOME: home, PATH: process.env['PATH'] ?? '', AWS_EC2_METADATA_DISABLED: 'true', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const text = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const)
    child[stream].setEncoding('utf8').on('data', (chunk: string) => {
      text[stream] += chunk;
    });
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, ...text }));
  return { child, text, ended };
}

export const jsonOf = ({ stdout }: Pick<Ended, 'stdout'>) => JSON.parse(stdout) as Record<string, unknown>;
