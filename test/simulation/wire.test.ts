/** Proves that worlds run the same through the real SDK clients, and that their errors arrive as AWS's do. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DescribeAlarmsCommand } from '@aws-sdk/client-cloudwatch';
import {
  ConditionalCheckFailedException,
  GetItemCommand,
  PutItemCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import {
  AttachNetworkInterfaceCommand,
  DescribeNetworkInterfacesCommand,
  DetachNetworkInterfaceCommand,
} from '@aws-sdk/client-ec2';
import { InvokeCommand } from '@aws-sdk/client-lambda';
import { PublishCommand } from '@aws-sdk/client-sns';
import { SendMessageCommand } from '@aws-sdk/client-sqs';
import { describe, expect, it } from 'vitest';
import type { Ports } from '../../shared/app/ports.ts';
import { makeClients } from '../../shared/aws/clients.ts';
import { classify, codeOf } from '../../shared/aws/retry.ts';
import type { AlarmArn, EniId, InstanceId, ServiceName as Name } from '../../shared/core/ids.ts';
import { waitingNotice } from '../fakes/notices.ts';
import { planFor, type Story, walk } from './exhaustive.ts';
import {
  type FaultKind,
  faultsFor,
  type Injury,
  makeNetwork,
  type SendOptions,
  type ServiceName,
} from './network.ts';
import { makeChance } from './random.ts';
import { type Mode, runSeed } from './seeds.ts';
import { sdkError } from './table.ts';
import { makeEventLoop, makeWorker } from './virtual-time.ts';
import { openWire } from './wire.ts';
import { type Weather, World } from './world.ts';

const modes: readonly Mode[] = ['plain', 'wire'];
const orders = 'orders' as Name;
const plain: Story = { failure: 'impaired', interfaces: 2 };

/** A line is the time, and what happened. What happens in one moment is written in no promised order. */
function moments(lines: readonly string[] = []): readonly string[] {
  const timeOf = (line: string) => line.slice(0, 9);
  return [...Map.groupBy(lines, timeOf).values()].flatMap((each) => each.toSorted());
}

describe('a world behind the real clients', () => {
  it('writes the same log, byte for byte, for the same seed', { timeout: 180_000 }, async () => {
    const run = () => runSeed(7, 20, true, undefined, 'wire');
    const [first, second] = [await run(), await run()];
    expect(first.world.lines?.length).toBeGreaterThan(500);
    expect(second.world.lines).toEqual(first.world.lines);
  });

  it('has no time pass while the SDK is at work, however many turns it takes', async () => {
    let turns = 0;
    const loop = makeEventLoop(0, () => {
      turns += 1;
      return turns < 50;
    });
    const seen: number[] = [];
    loop.after(5, () => seen.push(turns));
    await loop.run(10);
    expect(seen).toEqual([50]);
  });

  it('makes one HTTP request for each call', async () => {
    const wire = await openWire();
    const { world, violations } = await walk(plain, [], { wire });
    expect(violations).toEqual([]);
    expect(wire.requests()).toBeGreaterThan(46);
    expect(wire.requests()).toBe(world.network.calls());
  });

  it('breaks nothing in twenty seeds, and lives the same lives', { timeout: 180_000 }, async () => {
    const broken: string[] = [];
    const others: number[] = [];
    for (let seed = 1; seed <= 20; seed += 1) {
      const behind = await runSeed(seed, 20, true, undefined, 'wire');
      const direct = await runSeed(seed, 20, true);
      if (behind.violation)
        broken.push(`seed ${seed}: ${behind.violation.invariant} ${behind.violation.what}`);
      const same = moments(behind.world.lines).join() === moments(direct.world.lines).join();
      if (!same) others.push(seed);
    }
    expect(broken).toEqual([]);
    // A call leaves after the SDK's own steps, not at once. So two timers of one millisecond may have been set in the
    // other order, and a call that nobody waits for may find its process gone: from there on chance gives other numbers.
    expect(others.length).toBeLessThanOrEqual(5);
  });
});

describe('what adapters read', () => {
  /** All that the ports tell of one world: dates, numbers, flags, nested and empty lists. */
  async function factsOf(mode: Mode) {
    const weather: Weather = mode === 'wire' ? { wire: await openWire() } : {};
    const world = new World(
      { ...planFor({ failure: 'application', interfaces: 2 }), sweeps: false },
      weather,
    );
    await world.build();
    const [holder = '', standby = ''] = world.instances as InstanceId[];
    world.model.impair(holder, 'system');
    world.asPerson('StopInstances', { InstanceIds: [standby] });
    world.monitoring.suppress('app-orders', true);
    await world.runTo(20_000);
    const enis = (world.services[0]?.enis ?? []) as EniId[];
    const alarms = world.monitoring.alarms().map(({ arn }) => arn as AlarmArn);
    const read = async ({ ec2, alarms: alarmsPort, store, queue, notifier }: Ports) => ({
      interfaces: [...(await ec2.interfaces(enis)).value],
      noInterfaces: [...(await ec2.interfaces(['eni-00000000000000000' as EniId])).value],
      polled: [...(await ec2.interfaces(enis, 'poll')).value],
      instances: [...(await ec2.instances(world.instances as InstanceId[])).value],
      checks: [...(await ec2.checks([...world.instances, 'i-00000000000000000'] as InstanceId[])).value],
      limits: (await ec2.limits(['m5.24xlarge'])).value,
      alarms: [...(await alarmsPort.describe(alarms)).value],
      noAlarms: [...(await alarmsPort.describe(['arn:aws:cloudwatch:x:1:alarm:none' as AlarmArn])).value],
      service: await store.read(orders),
      nobody: await store.read('nobody' as Name),
      controller: await store.readController(),
      brake: [await store.countFailover('us-east-1a', orders, 1), await store.readController()],
      trail: await store.trail(orders, 0, 10),
      queued: await queue.send({ service: orders, hint: { kind: 'request', atMs: 0 }, look: 0 }, 0),
      published: await notifier.publish(waitingNotice('a', { headline: '“&”', lines: ['<a> & b\n'] })),
    });
    return world.asOperator('reader', read);
  }

  it('is the same through the SDK as without it', async () => {
    const [direct, behind] = [await factsOf('plain'), await factsOf('wire')];
    expect(direct).toMatchObject({ noInterfaces: [], noAlarms: [], trail: [{ number: 1 }, {}] });
    expect(JSON.stringify(direct)).toMatch(/"impairedSinceMs":\d+/);
    expect(behind).toEqual(direct);
  });
});

// ── Errors ──────────────────────────────────────────────────────────────────────────────────────────────

const work = 'https://sqs.us-east-1.amazonaws.com/000000000000/work';
const commands: readonly (readonly [ServiceName, { readonly input: object }])[] = [
  [
    'ec2',
    new AttachNetworkInterfaceCommand({ NetworkInterfaceId: 'eni-1', InstanceId: 'i-1', DeviceIndex: 1 }),
  ],
  ['ec2', new DetachNetworkInterfaceCommand({ AttachmentId: 'eni-attach-1' })],
  ['ec2', new DescribeNetworkInterfacesCommand({})],
  ['dynamodb', new UpdateItemCommand({ TableName: 'state', Key: { pk: { S: 'a' } } })],
  ['dynamodb', new GetItemCommand({ TableName: 'state', Key: { pk: { S: 'a' } } })],
  ['cloudwatch', new DescribeAlarmsCommand({})],
  ['sqs', new SendMessageCommand({ QueueUrl: work, MessageBody: '{}' })],
  ['sns', new PublishCommand({ TopicArn: 'arn:topic', Message: 'm' })],
  ['lambda', new InvokeCommand({ FunctionName: 'failover', InvocationType: 'Event' })],
];
const unanswered: readonly FaultKind[] = ['crash-before', 'crash-after', 'freeze', 'slow', 'stale'];
const nameOf = (command: object) => command.constructor.name.replace(/Command$/, '');
const faults = commands.flatMap(([service, command]) =>
  faultsFor(service, nameOf(command))
    .filter((kind) => !unanswered.includes(kind))
    .map((kind) => ({ service, command, operation: nameOf(command), kind })),
);

interface Heard {
  readonly error: unknown;
  readonly atMs: number;
}

/** What a caller hears of a call that fails so. */
async function failureOf(
  mode: Mode,
  service: ServiceName,
  command: object,
  how: Injury | Error,
  limitMs?: number,
): Promise<Heard> {
  const wire = mode === 'wire' ? await openWire() : undefined;
  const loop = makeEventLoop(0, wire?.stir);
  const worker = makeWorker(loop, 'worker', 0);
  const network = makeNetwork({
    loop,
    chance: makeChance(1),
    steady: true,
    perform: () => {
      if (how instanceof Error) throw how;
      return {};
    },
    injure: () => (how instanceof Error ? undefined : how),
    onCall: () => undefined,
    onEffect: () => undefined,
    log: () => undefined,
  });
  const tooLate = new AbortController();
  const options: SendOptions = limitMs === undefined ? {} : { abortSignal: tooLate.signal };
  if (limitMs !== undefined) loop.after(limitMs, () => tooLate.abort());
  let heard: Heard | undefined;
  (wire
    ? wire.send(network, worker, service, command, options)
    : network.send(worker, service, command, options)
  ).catch((error: unknown) => {
    heard = { error, atMs: loop.now() };
  });
  loop.settled();
  await loop.run(60_000);
  if (!heard) throw new Error('the call did not fail');
  return heard;
}

const classOf = ({ error, atMs }: Heard) => ({
  class: classify(error),
  code: codeOf(error),
  message: (error as Error).message,
  status: (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode,
  atMs,
});

const classes: Partial<Record<FaultKind, string>> = {
  throttled: 'throttled',
  denied: 'denied',
  refused: 'refused',
  conflict: 'unavailable',
  timeout: 'unavailable',
};

describe('an error', () => {
  it.each(faults)('of $service: $operation $kind is the same through the SDK', async (fault) => {
    const { service, command, kind } = fault;
    const [direct, behind] = [
      await failureOf('plain', service, command, { kind }),
      await failureOf('wire', service, command, { kind }),
    ];
    expect(classOf(behind)).toEqual(classOf(direct));
    expect(classOf(behind).class).toBe(classes[kind] ?? 'unavailable');
  });

  it.each([
    'InvalidAttachmentID.NotFound',
    'IncorrectState',
    'InvalidNetworkInterface.InUse',
    'DryRunOperation',
    'InternalError',
  ])('of EC2 keeps its code %s, and a message with every character', async (code) => {
    const refusal = sdkError(code, `"<eni-1>" & 'i-1' – é`, code === 'InternalError' ? 500 : 400);
    const [, command] = commands[1] ?? [];
    const behind = await failureOf('wire', 'ec2', command ?? {}, refusal);
    expect(classOf(behind)).toEqual(classOf(await failureOf('plain', 'ec2', command ?? {}, refusal)));
    expect(codeOf(behind.error)).toBe(code);
  });

  it('of a failed condition is the exception that the SDK has for it', async () => {
    const command = new PutItemCommand({ TableName: 'state', Item: { pk: { S: 'a' } } });
    const refusal = sdkError('ConditionalCheckFailedException', 'The conditional request failed', 400);
    const { error } = await failureOf('wire', 'dynamodb', command, refusal);
    expect(error).toBeInstanceOf(ConditionalCheckFailedException);
    expect(error).toMatchObject({
      message: 'The conditional request failed',
      $metadata: { httpStatusCode: 400 },
    });
  });
});

describe('a lost answer', () => {
  /** What the real clients make of a server that never answers; in real time, so once. */
  async function realFailure(options: SendOptions): Promise<unknown> {
    const server = createServer(() => undefined);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { dynamodb } = makeClients(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    try {
      return await dynamodb
        .send(new GetItemCommand({ TableName: 'state', Key: { pk: { S: 'a' } } }), options)
        .then(
          () => undefined,
          (error: unknown) => error,
        );
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }
  const shapeOf = (error: unknown) => ({
    ...(error as object),
    name: (error as Error).name,
    message: (error as Error).message,
    kind: (error as Error).constructor.name,
  });
  const [, command = {}] = commands[4] ?? [];

  it.each(modes)('looks as that of a real socket (%s)', async (mode) => {
    await openWire();
    const real = await realFailure({});
    const { error, atMs } = await failureOf(mode, 'dynamodb', command, { kind: 'timeout' });
    expect(atMs).toBe(1_000);
    expect(real).toMatchObject({ name: 'TimeoutError', code: 'ETIMEDOUT' });
    expect(shapeOf(error)).toMatchObject({ ...shapeOf(real), ...(mode === 'plain' && { $metadata: {} }) });
  });

  it.each(modes)('that the caller does not wait for looks so too (%s)', async (mode) => {
    await openWire();
    const real = await realFailure({ abortSignal: AbortSignal.timeout(50) });
    const { error, atMs } = await failureOf(mode, 'dynamodb', command, { kind: 'timeout' }, 300);
    expect(atMs).toBe(300);
    expect(shapeOf(real)).toMatchObject({ name: 'AbortError', message: 'Request aborted' });
    expect(shapeOf(error)).toMatchObject({ name: 'AbortError', message: 'Request aborted' });
    expect(classify(error)).toBe(classify(real));
  });
});
