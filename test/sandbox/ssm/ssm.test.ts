// Run Command over the one port: the SDK's client in front, documents in this process or behind a loopback URL.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  CancelCommandCommand,
  GetCommandInvocationCommand,
  ListCommandsCommand,
  SendCommandCommand,
  SSMClient,
} from '@aws-sdk/client-ssm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Sandbox, startSandbox } from '../../../sandbox/server.ts';

const templateFile = fileURLToPath(new URL('../fixtures/template.yaml', import.meta.url));

let sandbox: Sandbox;
let ssm: SSMClient;
let instance: string;
const servers: (() => void)[] = [];

beforeAll(async () => {
  sandbox = await startSandbox({ templateFile });
  ssm = new SSMClient({
    endpoint: sandbox.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'AKIATEST', secretAccessKey: 'secret' },
    maxAttempts: 1,
  });
});
afterAll(async () => {
  ssm.destroy();
  await sandbox.close();
});
beforeEach(async () => {
  await sandbox.reset();
  const { ec2 } = sandbox;
  const vpc = ec2.execute('CreateVpc', { CidrBlock: '10.0.0.0/16' }).Vpc?.VpcId ?? '';
  const subnet = ec2.execute('CreateSubnet', { VpcId: vpc, CidrBlock: '10.0.0.0/24' }).Subnet?.SubnetId ?? '';
  const run = { ImageId: 'ami-12345678', InstanceType: 't3.large', MinCount: 1, MaxCount: 1 } as const;
  instance = ec2.execute('RunInstances', { ...run, SubnetId: subnet }).Instances?.[0]?.InstanceId ?? '';
  await expect.poll(() => ec2.guest(instance)?.answers).toBe(true);
});
afterEach(() => {
  for (const stop of servers.splice(0)) stop();
});

async function control(method: string, path: string, body?: unknown) {
  const response = await fetch(`${sandbox.endpoint}/_sandbox/${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as unknown };
}

const send = (Parameters: Record<string, string[]> = {}) =>
  ssm.send(new SendCommandCommand({ DocumentName: 'promote', InstanceIds: [instance], Parameters }));

async function ended(CommandId: string | undefined) {
  for (;;) {
    const found = await ssm.send(new GetCommandInvocationCommand({ CommandId, InstanceId: instance }));
    if (found.Status !== 'Pending' && found.Status !== 'InProgress') return found;
    await sleep(10);
  }
}

async function serve(answer: (call: unknown) => unknown): Promise<string> {
  const server = createServer((request, response) => {
    void json(request).then((call) => response.end(JSON.stringify(answer(call))));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  servers.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

describe('the SDK', () => {
  it('sends a command and reads what came of it', async () => {
    sandbox.ssm.register({
      name: 'promote',
      parameters: ['Token'],
      run: ({ parameters }) => ({ status: 'Success', output: `token ${parameters['Token']?.[0]}` }),
    });
    const { Command } = await send({ Token: ['t'] });
    expect(Command).toMatchObject({ Status: 'Pending', DocumentName: 'promote', InstanceIds: [instance] });
    expect(Command?.ExpiresAfter).toBeInstanceOf(Date);
    expect(await ended(Command?.CommandId)).toMatchObject({
      Status: 'Success',
      ResponseCode: 0,
      StandardOutputContent: 'token t',
    });
  });

  it('is told of a refusal by its own exception', async () => {
    await expect(send()).rejects.toThrow(expect.objectContaining({ name: 'InvalidDocument' }));
    const unknown = { CommandId: '12345678-1234-1234-1234-123456789012', InstanceId: instance };
    await expect(ssm.send(new GetCommandInvocationCommand(unknown))).rejects.toThrow(
      expect.objectContaining({ name: 'InvocationDoesNotExist' }),
    );
  });

  it('cancels a command', async () => {
    sandbox.ssm.register({ name: 'promote', run: () => new Promise(() => undefined) });
    const CommandId = (await send()).Command?.CommandId;
    await ssm.send(new CancelCommandCommand({ CommandId }));
    expect(await ended(CommandId)).toMatchObject({ Status: 'Cancelled' });
  });

  it('is told what the sandbox does not know', async () => {
    await expect(ssm.send(new ListCommandsCommand({}))).rejects.toThrow("does not know SSM's 'ListCommands'");
  });
});

describe('a document behind a URL', () => {
  it('is asked with the call, and answers with the result', async () => {
    const calls: unknown[] = [];
    const url = await serve((call) => {
      calls.push(call);
      return { status: 'Failed', output: 'o', error: 'e', responseCode: 3 };
    });
    const registered = { name: 'promote', url, parameters: ['Token'] };
    expect(await control('POST', 'ssm/documents', registered)).toEqual({ status: 200, body: registered });
    const CommandId = (await send({ Token: ['t'] })).Command?.CommandId;
    expect(await ended(CommandId)).toMatchObject({
      Status: 'Failed',
      ResponseCode: 3,
      StandardOutputContent: 'o',
      StandardErrorContent: 'e',
    });
    expect(calls).toEqual([{ commandId: CommandId, instanceId: instance, parameters: { Token: ['t'] } }]);
  });

  it('has failed when it answers with anything else', async () => {
    await control('POST', 'ssm/documents', {
      name: 'promote',
      url: await serve(() => ({ status: 'Great' })),
    });
    expect(await ended((await send()).Command?.CommandId)).toMatchObject({
      Status: 'Failed',
      ResponseCode: 1,
    });
  });

  it.each(['http://192.0.2.1/', 'https://127.0.0.1/', 'file:///etc/passwd', 'nowhere'])(
    'is refused anywhere but on this machine: %s',
    async (url) => {
      const { status, body } = await control('POST', 'ssm/documents', { name: 'promote', url });
      expect(status).toBe(400);
      expect(body).toEqual({ error: expect.stringContaining('url: ') as unknown });
    },
  );
});

describe('the sandbox', () => {
  it('lists every command with its input and what came of it', async () => {
    sandbox.ssm.register({ name: 'promote', run: () => ({ status: 'Success', output: 'done' }) });
    const CommandId = (await send()).Command?.CommandId;
    await ended(CommandId);
    expect((await control('GET', 'ssm/commands')).body).toMatchObject([
      {
        commandId: CommandId,
        documentName: 'promote',
        caller: 'AKIATEST',
        input: { InstanceIds: [instance] },
        instanceId: instance,
        status: 'Success',
        responseCode: 0,
        output: 'done',
      },
    ]);
  });

  it('runs a command whose caller is told that it failed', async () => {
    sandbox.ssm.register({ name: 'promote', run: () => ({ status: 'Success', output: 'done' }) });
    const fault = { service: 'ssm', operation: 'SendCommand', code: 'InternalServerError', applied: true };
    await control('POST', 'faults', fault);
    await expect(send()).rejects.toThrow(expect.objectContaining({ name: 'InternalServerError' }));
    await expect.poll(() => sandbox.ssm.commands().map(({ status }) => status)).toEqual(['Success']);
  });

  it('forgets documents and commands at a reset', async () => {
    sandbox.ssm.register({ name: 'promote', run: () => ({ status: 'Success', output: '' }) });
    await send();
    await sandbox.reset();
    expect([...sandbox.ssm.documents(), ...sandbox.ssm.commands()]).toEqual([]);
  });
});
