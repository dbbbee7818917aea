// The data plane through the control endpoints, as a demo uses it that is a process of its own.

import { type AddressInfo, connect, createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Sandbox, startSandbox } from '../../../sandbox/server.ts';

const templateFile = fileURLToPath(new URL('../fixtures/template.yaml', import.meta.url));
const process = createServer((socket) => socket.end('primary'));
const port = 5432;

let sandbox: Sandbox;
let instanceId: string;
let eni: string;
let target: { host: string; port: number };

beforeAll(async () => {
  sandbox = await startSandbox({ templateFile });
  await new Promise<void>((resolve) => process.listen(0, '127.0.0.1', resolve));
  target = { host: '127.0.0.1', port: (process.address() as AddressInfo).port };
});
afterAll(async () => {
  process.close();
  await sandbox.close();
});
beforeEach(async () => {
  await sandbox.reset();
  const { ec2 } = sandbox;
  const vpc = ec2.execute('CreateVpc', { CidrBlock: '10.0.0.0/16' }).Vpc?.VpcId ?? '';
  const subnet = ec2.execute('CreateSubnet', { VpcId: vpc, CidrBlock: '10.0.0.0/24' }).Subnet?.SubnetId ?? '';
  const run = { ImageId: 'ami-12345678', InstanceType: 't3.large', MinCount: 1, MaxCount: 1 } as const;
  const { Instances = [] } = ec2.execute('RunInstances', { ...run, SubnetId: subnet });
  instanceId = Instances[0]?.InstanceId ?? '';
  eni = Instances[0]?.NetworkInterfaces?.[0]?.NetworkInterfaceId ?? '';
  await expect.poll(() => ec2.guest(instanceId)?.answers).toBe(true);
  await expect.poll(() => ec2.eni(eni)?.attachment?.status).toBe('attached');
});

async function control<T>(method: string, path: string, body?: unknown) {
  const response = await fetch(`${sandbox.endpoint}/_sandbox/data-plane${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as T };
}

const listen = async () => (await control<typeof target>('POST', '/listen', { eni, port })).body;

describe('the data plane', () => {
  it('leads a client to the process that was put behind the instance', async () => {
    const at = await listen();
    expect(await listen()).toEqual(at);
    const put = { instanceId, port, target };
    expect(await control('POST', '/process', put)).toEqual({ status: 200, body: put });
    expect(await text(connect(at))).toBe('primary');
    expect((await control('GET', '')).body).toMatchObject({
      listeners: [
        { eniId: eni, servicePort: port, ...at, leadsTo: { kind: 'process', ...{ instanceId, target } } },
      ],
      processes: [put],
    });
  });

  it.each<[string, string, (process: object) => object]>([
    ['a target of null', 'POST', (process) => ({ ...process, target: null })],
    ['DELETE', 'DELETE', (process) => process],
  ])('has no process any more after %s', async (_how, method, body) => {
    const at = await listen();
    await control('POST', '/process', { instanceId, port, target });
    expect((await control(method, '/process', body({ instanceId, port }))).body).toMatchObject({
      target: null,
    });
    await expect(text(connect(at))).rejects.toThrow('ECONNRESET');
  });

  it.each<[string, object, string]>([
    ['listen', { port }, 'names an eni, an address, or both'],
    ['listen', { eni: 'eni-0123456789abcdef0', port }, 'there is no interface'],
    ['listen', { address: '10.9.9.9', port }, 'there is no interface'],
    ['process', { instanceId: 'i-0', port, target: null }, 'instanceId'],
    ['process', { instanceId: 'i-0', port, target: { host: '192.0.2.1', port } }, 'target.host'],
    ['process', { instanceId: 'i-0', port: 0, target: null }, 'port'],
  ])('refuses at %s: %o', async (path, body, message) => {
    const answered = await control<{ error: string }>('POST', `/${path}`, body);
    expect(answered.status).toBe(400);
    expect(answered.body.error).toContain(message);
  });
});
