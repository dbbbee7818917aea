/** Starts the sandbox as a process of the demo's own group and sees to it that it ends with the demo. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface SandboxProcess {
  readonly endpoint: string;
  readonly region: string;
  /** By logical id of the template: a name, a URL or an ARN. */
  readonly resources: Readonly<Record<string, string>>;
  /** Why nothing answers any more, where it has ended by itself. */
  epitaph(): string | undefined;
  stop(): Promise<void>;
}

export interface SandboxProcessOptions {
  /** Where the bundles lie. */
  readonly dist: string;
  readonly template: string;
  /** Of the template, by name. */
  readonly parameters?: Readonly<Record<string, string>> | undefined;
  /** How long a failed check takes to become an alarm: not at all, unless said otherwise. */
  readonly detection?: 'instant' | 'realistic';
  /** Before Lambda's two retries of an asynchronous invocation. */
  readonly retryDelaysMs?: readonly [number, number];
}

const root = path.join(import.meta.dirname, '..');
const patienceMs = 3_000;

export async function startSandboxProcess(options: SandboxProcessOptions): Promise<SandboxProcess> {
  const child = spawn(
    process.execPath,
    [
      path.join(root, 'sandbox', 'main.ts'),
      ...['--port', '0', '--latency', 'instant'],
      ...['--template', options.template],
      ...['--dist', options.dist],
      ...Object.entries(options.parameters ?? {}).flatMap(([name, value]) => [
        '--parameter',
        `${name}=${value}`,
      ]),
      ...(options.detection ? ['--detection', options.detection] : []),
      ...(options.retryDelaysMs ? ['--async-retry-delays', options.retryDelaysMs.join(',')] : []),
    ],
    { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let said = '';
  let complaints = '';
  const isReady = new Promise<void>((resolve) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (said.includes('\n')) resolve();
    });
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints += text;
  });
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  // Whatever ends the demo without its own clean-up ends the sandbox too.
  const end = () => child.kill('SIGTERM');
  process.once('exit', end);

  await Promise.race([isReady, once(child, 'close')]);
  const [line = ''] = said.split('\n');
  if (line === '') {
    process.off('exit', end);
    throw new Error(`the sandbox did not start: ${complaints.trim() || `exit code ${child.exitCode}`}`);
  }
  const { endpoint, region, stack } = JSON.parse(line) as {
    endpoint: string;
    region: string;
    stack: { resources: Record<string, string> };
  };
  return {
    endpoint,
    region,
    resources: stack.resources,
    epitaph: () =>
      hasEnded() ? `the sandbox has ended: ${complaints.trim() || `exit code ${child.exitCode}`}` : undefined,
    async stop() {
      process.off('exit', end);
      if (hasEnded()) return;
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await Promise.race([exited, sleep(patienceMs, undefined, { ref: false })]);
      if (!hasEnded()) child.kill('SIGKILL');
    },
  };
}
