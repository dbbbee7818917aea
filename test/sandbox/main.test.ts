// The command: one line when it is ready, clear words when it cannot start, nothing left behind when it stops or is killed.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';

const MAIN = fileURLToPath(new URL('../../sandbox/main.ts', import.meta.url));
const TEMPLATE = fileURLToPath(new URL('fixtures/template.yaml', import.meta.url));

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

function run(...args: string[]): ChildProcess {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  return child;
}

async function firstLine(child: ChildProcess): Promise<string> {
  let text = '';
  for await (const chunk of child.stdout ?? []) {
    text += String(chunk);
    if (text.includes('\n')) break;
  }
  return text.split('\n')[0] ?? '';
}

async function failure(...args: string[]): Promise<{ code: number; stderr: string }> {
  const child = run(...args);
  let stderr = '';
  child.stderr?.on('data', (chunk) => {
    stderr += String(chunk);
  });
  const [code] = (await once(child, 'close')) as [number];
  return { code, stderr };
}

const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

async function startWithFunction(...args: string[]) {
  const child = run('--port', '0', '--template', TEMPLATE, ...args);
  const ready = JSON.parse(await firstLine(child)) as { endpoint: string; pid: number };
  const url = `${ready.endpoint}/2015-03-31/functions/probe-function/invocations`;
  const { pid } = (await (await fetch(url, { method: 'POST', body: '{"do":"count"}' })).json()) as {
    pid: number;
  };
  return { child, ready, functionPid: pid };
}

describe('npm run sandbox', () => {
  it('prints one JSON line when it is ready', async () => {
    const child = run('--port', '0', '--template', TEMPLATE);
    expect(JSON.parse(await firstLine(child))).toMatchObject({
      endpoint: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      region: 'us-east-1',
      accountId: '000000000000',
      stack: { outputs: { FunctionArn: expect.any(String) }, resources: { Probe: 'probe-function' } },
      pid: child.pid,
    });
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('ends on %s with its functions', async (signal) => {
    const { child, functionPid } = await startWithFunction('--freeze');
    child.kill(signal);
    const [code] = (await once(child, 'exit')) as [number];
    expect(code).toBe(0);
    expect(isAlive(functionPid)).toBe(false);
  });

  it('ends at its next start the frozen functions of one that was killed', async () => {
    const { child, functionPid } = await startWithFunction('--freeze');
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(isAlive(functionPid)).toBe(true);
    await startWithFunction();
    while (isAlive(functionPid)) await sleep(20);
  });

  it('says in one sentence that its port is in use', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const { code, stderr } = await failure('--port', String(port), '--template', TEMPLATE);
    server.close();
    expect(code).toBe(1);
    expect(stderr).toBe(
      `Port ${port} is in use: stop what listens there, or pass --port 0 to have a free one picked.\n`,
    );
  });

  it.each<[string[], number, string]>([
    [['--port', '0', '--template', '/nowhere.yaml'], 1, '/nowhere.yaml'],
    [['--port', '0', '--template', TEMPLATE, '--dist', '/nowhere'], 1, 'run `npm run build` first'],
  ])('refuses %j', async (args, code, message) => {
    const failed = await failure(...args);
    expect(failed.stderr).toContain(message);
    expect(failed.code).toBe(code);
  });
});
