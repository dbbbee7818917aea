// A client's view of an address while its interface moves and its instances fail: real sockets, EC2 on a clock of its own.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type DataPlane, DataPlaneError, makeDataPlane } from '../../../sandbox/data-plane/data-plane.ts';
import { latencyProfiles } from '../../../sandbox/ec2/model.ts';
import { type Lab, makeLab } from '../ec2/lab.ts';

const PORT = 5432;
const ADDRESS = '10.0.1.50';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

/** Says its name before whatever it is told. */
async function startProcess(name: string) {
  const sockets = new Set<Socket>();
  const heard: string[] = [];
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    socket.on('data', (data) => {
      heard.push(data.toString());
      socket.write(`${name}:${data.toString()}`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  cleanups.push(stop);
  const target = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
  return { heard, stop, target, connections: () => sockets.size };
}

/** A client that remembers what it was told and how its connection ended. */
async function startClient(at: { host: string; port: number }) {
  const socket = connect(at);
  const seen = { text: '', closed: false, error: '' };
  socket.on('data', (data) => {
    seen.text += data.toString();
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    seen.error = error.code ?? error.message;
  });
  socket.on('close', () => {
    seen.closed = true;
  });
  cleanups.push(() => socket.destroy());
  // A refusal may come before the client knows that it is connected.
  await new Promise<void>((resolve) => void socket.once('connect', resolve).once('close', () => resolve()));
  return {
    seen,
    socket,
    say: (text: string) => void socket.write(text),
    told: (text: string) => expect.poll(() => seen.text).toBe(text),
    ended: () => expect.poll(() => seen.closed).toBe(true),
  };
}

async function setUp() {
  const lab = makeLab({
    latency: { ...latencyProfiles.instant, detach: [2_000, 2_000], attach: [1_000, 1_000] },
  });
  const plane = makeDataPlane(lab.model);
  cleanups.push(() => plane.reset());
  const [primary, standby] = [lab.instance(), lab.instance()];
  const eni = lab.eni({ PrivateIpAddress: ADDRESS });
  const attachment = lab.attach(eni, primary);
  lab.settle();
  const [one, two] = [await startProcess('one'), await startProcess('two')];
  plane.setProcess(primary, PORT, one.target);
  plane.setProcess(standby, PORT, two.target);
  const at = await plane.listen({ eni, port: PORT });
  return { lab, plane, primary, standby, eni, attachment, one, two, at };
}

/** When this has been answered, whatever was sent before on this machine had its chance too. */
async function roundTrip(lab: Lab, plane: DataPlane) {
  const [instance, eni] = [lab.instance(), lab.eni()];
  lab.attach(eni, instance);
  lab.settle();
  const process = await startProcess('control');
  plane.setProcess(instance, 1, process.target);
  const client = await startClient(await plane.listen({ eni, port: 1 }));
  for (const text of ['a', 'b', 'c']) {
    client.seen.text = '';
    client.say(text);
    await client.told(`control:${text}`);
  }
}

const recordOf = (plane: DataPlane) => plane.listeners().find(({ address }) => address === ADDRESS);

describe('an address', () => {
  it('is one loopback port, however often and however it is asked for', async () => {
    const { plane, eni, at } = await setUp();
    expect(at.host).toBe('127.0.0.1');
    expect(await plane.listen({ eni, port: PORT })).toEqual(at);
    expect(await plane.listen({ address: ADDRESS, port: PORT })).toEqual(at);
    expect(await plane.listen({ eni, address: ADDRESS, port: PORT })).toEqual(at);
    expect(await plane.listen({ eni, port: PORT + 1 })).not.toEqual(at);
  });

  it('leads to the process behind the instance that holds its interface', async () => {
    const { at, one } = await setUp();
    const client = await startClient(at);
    client.say('hello');
    await client.told('one:hello');
    client.socket.end();
    await client.ended();
    await expect.poll(one.connections).toBe(0);
  });

  it.each([
    ['an interface', { eni: 'eni-0123456789abcdef0' }],
    ['an address', { address: '10.9.9.9' }],
  ])('of %s that does not exist is refused', async (_what, where) => {
    const { plane } = await setUp();
    expect(() => plane.listen({ ...where, port: PORT })).toThrow(DataPlaneError);
  });
});

describe('a move', () => {
  it('ends what is established, answers nothing in between, and leads to the other process afterwards', async () => {
    const { lab, plane, eni, attachment, standby, at, one, two } = await setUp();
    const before = await startClient(at);
    before.say('1');
    await before.told('one:1');

    lab.detach(attachment);
    await before.ended();
    await expect.poll(one.connections).toBe(0);
    const between = await startClient(at);
    between.say('2');
    lab.settle();
    expect(recordOf(plane)?.leadsTo).toEqual({ kind: 'silent', why: 'the interface is attached to nothing' });

    lab.attach(eni, standby);
    expect(recordOf(plane)?.leadsTo).toEqual({ kind: 'silent', why: 'the interface is attaching' });
    lab.settle();
    const after = await startClient(at);
    after.say('3');
    await after.told('two:3');
    expect(between.seen).toEqual({ text: '', closed: false, error: '' });
    expect([one.heard, two.heard]).toEqual([['1'], ['3']]);
    expect(recordOf(plane)).toMatchObject({ established: 1, unanswered: 1, accepted: 3, cut: 1, refused: 0 });
  });
});

describe('an instance', () => {
  it.each(['system', 'instance'] as const)(
    'whose %s check fails answers nothing new, and lets nothing through, while its process lives on',
    async (check) => {
      const { lab, plane, primary, at, one } = await setUp();
      const established = await startClient(at);
      established.say('1');
      await established.told('one:1');
      lab.model.impair(primary, check);
      established.say('2');
      const late = await startClient(at);
      late.say('3');
      await roundTrip(lab, plane);
      expect(one.heard).toEqual(['1']);
      expect(one.connections()).toBe(1);
      expect(late.seen).toEqual({ text: '', closed: false, error: '' });
      expect(recordOf(plane)).toMatchObject({ established: 1, held: 1, unanswered: 1 });
      expect(recordOf(plane)?.leadsTo).toEqual({ kind: 'silent', why: `${primary} does not answer` });

      lab.model.recover(primary);
      await established.told('one:1one:2');
      const fresh = await startClient(at);
      fresh.say('4');
      await fresh.told('one:4');
      expect(late.seen.text).toBe('');
    },
  );

  it('whose EBS check fails still answers', async () => {
    const { lab, primary, at } = await setUp();
    lab.model.impair(primary, 'ebs');
    const client = await startClient(at);
    client.say('1');
    await client.told('one:1');
  });

  it('that is impaired sends nothing either, and what its process said is lost with a move', async () => {
    const { lab, plane, primary, attachment, at, one } = await setUp();
    const client = await startClient(at);
    client.say('1');
    await client.told('one:1');
    lab.model.impair(primary, 'system');
    client.say('2');
    await roundTrip(lab, plane);
    lab.detach(attachment, true);
    await client.ended();
    expect(client.seen.text).toBe('one:1');
    expect(one.heard).toEqual(['1']);
    await expect.poll(one.connections).toBe(0);
  });

  it('that stops answers nothing; its process loses the connection and the client is not told', async () => {
    const { lab, plane, primary, at, one } = await setUp();
    const client = await startClient(at);
    client.say('1');
    await client.told('one:1');
    lab.model.execute('StopInstances', { InstanceIds: [primary] });
    await expect.poll(one.connections).toBe(0);
    lab.settle();
    const late = await startClient(at);
    late.say('2');
    await roundTrip(lab, plane);
    expect([client.seen.closed, late.seen.closed, late.seen.text]).toEqual([false, false, '']);
    expect(recordOf(plane)?.leadsTo).toEqual({ kind: 'silent', why: `${primary} is stopped` });
  });

  it('without a process on that port refuses at once', async () => {
    const { plane, primary, at } = await setUp();
    plane.setProcess(primary, PORT, null);
    const client = await startClient(at);
    await client.ended();
    expect(client.seen.error).toBe('ECONNRESET');
    expect(recordOf(plane)).toMatchObject({ refused: 1, leadsTo: { kind: 'refused', instanceId: primary } });
  });

  it('whose process has died refuses at once', async () => {
    const { plane, at, one } = await setUp();
    const established = await startClient(at);
    established.say('1');
    await established.told('one:1');
    one.stop();
    await established.ended();
    const client = await startClient(at);
    await client.ended();
    expect(recordOf(plane)).toMatchObject({ refused: 1, established: 0 });
  });
});

describe('a client', () => {
  it('that gives up waiting leaves no socket behind', async () => {
    const { lab, plane, primary, at } = await setUp();
    lab.model.impair(primary, 'instance');
    const client = await startClient(at);
    await expect.poll(() => recordOf(plane)?.unanswered).toBe(1);
    client.socket.destroy();
    await expect.poll(() => recordOf(plane)?.unanswered).toBe(0);
  });

  it('loses its connection, and every port, when the data plane ends', async () => {
    const { lab, plane, primary, at } = await setUp();
    const established = await startClient(at);
    established.say('1');
    await established.told('one:1');
    lab.model.impair(primary, 'instance');
    const waiting = await startClient(at);
    await expect.poll(() => recordOf(plane)?.unanswered).toBe(1);
    await plane.reset();
    await Promise.all([established.ended(), waiting.ended()]);
    expect([...plane.listeners(), ...plane.processes()]).toEqual([]);
    const [error] = (await once(connect(at), 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNREFUSED');
  });
});
