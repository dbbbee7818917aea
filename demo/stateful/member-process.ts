/** A member's service as a process: started, reached on a port of this machine, and ended as a machine ends it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';

export interface MemberProcess {
  readonly host: string;
  /** Where it listens on this machine. */
  readonly port: number;
  readonly isOver: () => boolean;
  /** At once, without a word to it: returns when it is gone. */
  end(): Promise<void>;
}

export interface MemberOptions {
  readonly host: string;
  readonly disk: string;
  readonly role: 'primary' | 'replica' | 'taker';
}

export async function startMember({ host, disk, role }: MemberOptions): Promise<MemberProcess> {
  const child = spawn(
    process.execPath,
    [path.join(import.meta.dirname, 'member.ts'), '--name', host, '--disk', disk, '--role', role],
    // Its standard input ends with the demo, however that ends, and so does it.
    { stdio: ['pipe', 'pipe', 'pipe'] },
  );
  let said = '';
  let complaints = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints += text;
  });
  const isReady = new Promise<void>((resolve) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (said.includes('\n')) resolve();
    });
  });
  const isOver = () => child.exitCode !== null || child.signalCode !== null;
  const isGone = once(child, 'close');
  await Promise.race([isReady, isGone]);
  if (!said.includes('\n')) throw new Error(`the service of ${host} did not start: ${complaints.trim()}`);
  const { port } = JSON.parse(said) as { port: number };
  return {
    host,
    port,
    isOver,
    async end() {
      if (!isOver()) child.kill('SIGKILL');
      await isGone;
    },
  };
}
