/** Proves what one delivery leads to: what is looked up, which services are looked at, and what is left alone. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { handle, type Once } from '../../../functions/failover/handle.ts';
import type { Ports, Run } from '../../../shared/app/ports.ts';
import { PortError } from '../../../shared/core/errors.ts';
import type { EventHint, WorkMessage } from '../../../shared/core/hint.ts';
import type { AlarmArn, InstanceId, OwnerId, ServiceName } from '../../../shared/core/ids.ts';
import { absent, known } from '../../../shared/core/observation.ts';
import { bareState } from '../../contract/state-store-contract.ts';

const NOW = Date.parse('2026-11-20T02:01:00Z');
const HEALTH_NOW = Date.parse('2026-11-20T01:44:00Z');
const INSTANCE = 'i-0a1b2c3d4e5f60001' as InstanceId;
const arnOf = (name: string) => `arn:aws:cloudwatch:us-east-1:123456789012:alarm:${name}` as AlarmArn;
const SYSTEM = arnOf('orders-db-primary-system');
const ORDERS = 'orders-db' as ServiceName;
const BILLING = 'billing' as ServiceName;
const WEB = 'web' as ServiceName;

const folder = new URL('../../fixtures/events/', import.meta.url);
const fixture = (name: string): Record<string, unknown> =>
  JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8'));

const unexpected = (what: string) => async () => {
  throw new Error(`nobody should ${what}`);
};

interface Given {
  readonly nowMs?: number;
  /** Service names by the instance or alarm that leads to them. */
  readonly ways?: Readonly<Record<string, readonly ServiceName[]>>;
  /** Services whose item cannot be read. */
  readonly unreadable?: readonly ServiceName[];
  readonly lookup?: () => Promise<void>;
  readonly registered?: readonly ServiceName[];
}

/**
 * Every registered service is just now looked after by another worker: a look at one ends with the same message,
 * hint and all, sent to the queue for later. So what is sent says what was restored, and why.
 */
function makeWorld({ nowMs = NOW, ways = {}, unreadable = [], lookup, registered }: Given = {}) {
  const lookups: string[] = [];
  const reads: ServiceName[] = [];
  const sent: WorkMessage[] = [];
  const logged: { readonly level: string; readonly message: string; readonly facts: unknown }[] = [];
  const keys: string[] = [];
  const behind = async (what: string) => {
    lookups.push(what);
    await lookup?.();
    return ways[what] ?? [];
  };
  const note = (level: string) => (message: string, facts?: unknown) => {
    logged.push({ level, message, facts });
  };
  const store: Partial<Ports['store']> = {
    servicesOfInstance: behind,
    servicesOfAlarm: behind,
    readController: async () => ({ brakes: {}, releasedAtMs: {}, servicesByZone: {} }),
    read: async (name) => {
      reads.push(name);
      if (unreadable.includes(name)) throw new PortError('unavailable', 'TimeoutError', 'no answer');
      if (registered && !registered.includes(name)) return absent;
      return known({ ...bareState(name), lease: { owner: 'them' as OwnerId, untilMs: nowMs + 10_000 } });
    },
    write: unexpected('write'),
  };
  const ports = {
    clock: { now: () => nowMs, sleep: unexpected('wait') },
    ids: { owner: () => 'us' as OwnerId, nonce: () => 'nonce' },
    random: () => 0,
    hash: { sha256: () => 'hash' },
    ec2: new Proxy({}, { get: (_, name) => unexpected(`call EC2's ${String(name)}`) }),
    alarms: { describe: unexpected('ask CloudWatch') },
    store,
    queue: {
      send: async (message: WorkMessage) => {
        sent.push(message);
      },
    },
    notifier: { publish: unexpected('publish') },
    log: { info: note('info'), warn: note('warn'), error: note('error') },
  } as unknown as Ports;
  const run: Run = { owner: 'us' as OwnerId, deadlineMs: nowMs + 60_000 };
  const everyTime: Once = (key, work) => {
    keys.push(key);
    return work();
  };
  return {
    lookups,
    reads,
    sent,
    logged,
    keys,
    handle: (raw: unknown, once: Once = everyTime) => handle(raw, ports, run, once),
  };
}

/** What a fixture boils down to, and the key by which two deliveries of it are one. */
type Expected = { readonly hint: EventHint; readonly key: string } | { readonly ignored: string };
const alarmAtMs = Date.parse('2026-11-20T02:00:40.989Z');
const compositeAtMs = Date.parse('2026-11-20T02:00:45.394Z');
const actionAtMs = Date.parse('2026-11-20T02:00:41.490Z');
const expected: Readonly<Record<string, Expected>> = {
  'cloudwatch-alarm-back-to-ok': { ignored: 'ALARM_NOT_IN_ALARM' },
  'cloudwatch-alarm-custom-metric-no-instance': {
    hint: {
      kind: 'alarm',
      alarmArn: arnOf('orders-db-replication-lag'),
      instanceIds: [],
      atMs: alarmAtMs,
    },
    key: '6b2f34b0-53a4-4e15-9c7a-6a0f9a0f7a02',
  },
  'cloudwatch-alarm-status-check-instance': {
    hint: {
      kind: 'alarm',
      alarmArn: arnOf('orders-db-primary-instance'),
      instanceIds: [INSTANCE],
      atMs: alarmAtMs,
    },
    key: 'c4c1c1c9-6542-e61b-6ef0-8c4d36933a92',
  },
  'cloudwatch-alarm-status-check-system': {
    hint: { kind: 'alarm', alarmArn: SYSTEM, instanceIds: [INSTANCE], atMs: alarmAtMs },
    key: 'c4c1c1c9-6542-e61b-6ef0-8c4d36933a92',
  },
  'cloudwatch-composite-alarm': {
    hint: { kind: 'alarm', alarmArn: arnOf('orders-db-unhealthy'), instanceIds: [], atMs: compositeAtMs },
    key: 'd3dfc86d-384d-24c8-0345-9f7986db0b80',
  },
  'cloudwatch-composite-alarm-suppressed': { ignored: 'SUPPRESSED' },
  'ec2-instance-state-change-stopping': {
    hint: {
      kind: 'state-change',
      instanceId: INSTANCE,
      state: 'stopping',
      atMs: Date.parse('2026-11-20T02:00:54Z'),
    },
    key: '7bf73129-1428-4cd3-a780-95db273d1602',
  },
  'ec2-rebalance-recommendation': {
    hint: {
      kind: 'announcement',
      what: 'rebalance',
      detail: 'EC2 Instance Rebalance Recommendation',
      instanceIds: [INSTANCE],
      atMs: Date.parse('2026-11-20T02:00:00Z'),
    },
    key: '12345678-1234-1234-1234-123456789013',
  },
  'ec2-spot-interruption-warning': {
    hint: {
      kind: 'announcement',
      what: 'spot-interruption',
      detail: 'terminate',
      instanceIds: [INSTANCE],
      atMs: Date.parse('2026-11-20T02:00:00Z'),
    },
    key: '12345678-1234-1234-1234-123456789012',
  },
  'health-instance-retirement': {
    hint: {
      kind: 'announcement',
      what: 'health',
      detail: 'AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED',
      instanceIds: [INSTANCE],
      atMs: Date.parse('2026-11-20T01:43:21Z'),
    },
    key: '1234abc01232a4012345678-1',
  },
  'lambda-alarm-action': {
    hint: { kind: 'alarm', alarmArn: SYSTEM, instanceIds: [INSTANCE], atMs: actionAtMs },
    key: `${SYSTEM}#2026-11-20T02:00:41.490Z`,
  },
};
const nowFor = (name: string) => (name.startsWith('health') ? HEALTH_NOW : NOW);
const hints = Object.entries(expected).flatMap(([name, each]) =>
  'hint' in each ? [[name, each.hint, each.key] as const] : [],
);
const ignored = Object.entries(expected).flatMap(([name, each]) =>
  'ignored' in each ? [[name, each.ignored] as const] : [],
);
/** The ways back that a hint names. */
const waysOf = (hint: EventHint): readonly string[] =>
  hint.kind === 'state-change'
    ? [hint.instanceId]
    : [...hint.instanceIds, ...(hint.kind === 'alarm' ? [hint.alarmArn] : [])];

describe('the fixtures', () => {
  it('are all told here', () => {
    const names = readdirSync(folder).map((file) => file.replace(/\.json$/, ''));
    expect(Object.keys(expected).sort()).toEqual(names.sort());
  });
});

describe('an event that is a hint', () => {
  it.each(hints)(
    '%s leads by what it names to its services, and each is looked at',
    async (name, hint, key) => {
      const named = waysOf(hint);
      // The first way leads to two services, and every way to one of them.
      const ways = Object.fromEntries(
        named.map((way, index) => [way, index === 0 ? [ORDERS, BILLING] : [ORDERS]]),
      );
      const world = makeWorld({ nowMs: nowFor(name), ways });
      const answer = await world.handle(fixture(name));
      expect(world.lookups).toEqual(named);
      expect(world.keys).toEqual([key]);
      expect([...world.reads].sort()).toEqual([BILLING, ORDERS]);
      expect(world.sent).toHaveLength(2);
      for (const service of [ORDERS, BILLING]) expect(world.sent).toContainEqual({ service, hint, look: 1 });
      expect(answer).toMatchObject({
        kind: 'looked',
        reports: [
          { service: ORDERS, kind: 'nothing', code: 'LEASE_HELD' },
          { service: BILLING, kind: 'nothing', code: 'LEASE_HELD' },
        ],
      });
    },
  );
  it('that names nothing registered is answered and logged', async () => {
    const world = makeWorld();
    expect(await world.handle(fixture('ec2-instance-state-change-stopping'))).toStrictEqual({
      kind: 'looked',
      reports: [],
    });
    expect(world.reads).toEqual([]);
    expect(world.logged).toContainEqual(
      expect.objectContaining({
        level: 'info',
        facts: expect.objectContaining({ code: 'NO_SUCH_SERVICE', instanceId: INSTANCE }),
      }),
    );
  });
  it('over a stale way back finds nothing at its end', async () => {
    const world = makeWorld({ ways: { [INSTANCE]: [ORDERS] }, registered: [] });
    expect(await world.handle(fixture('ec2-instance-state-change-stopping'))).toMatchObject({
      reports: [{ service: ORDERS, kind: 'nothing', code: 'NO_SUCH_SERVICE' }],
    });
  });
  it('whose services cannot be looked up is an error within the dedupe, so that it is not completed', async () => {
    const lost = new PortError('unavailable', 'TimeoutError', 'no answer');
    const world = makeWorld({ lookup: () => Promise.reject(lost) });
    const ended: string[] = [];
    const once: Once = async (_, work) => {
      try {
        const answer = await work();
        ended.push('completed');
        return answer;
      } catch (error) {
        ended.push('failed');
        throw error;
      }
    };
    await expect(world.handle(fixture('ec2-instance-state-change-stopping'), once)).rejects.toBe(lost);
    expect(ended).toEqual(['failed']);
    expect(world.reads).toEqual([]);
  });
  it('is an error when one of its services cannot be read, after the others were looked at', async () => {
    const world = makeWorld({ ways: { [INSTANCE]: [ORDERS, BILLING, WEB] }, unreadable: [ORDERS] });
    const handling = world.handle(fixture('ec2-instance-state-change-stopping'));
    await expect(handling).rejects.toBeInstanceOf(AggregateError);
    await expect(handling).rejects.toMatchObject({
      message: expect.stringContaining('no answer'),
      errors: [expect.objectContaining({ code: 'TimeoutError' })],
    });
    expect(world.sent.map((message) => message.service).sort()).toEqual([BILLING, WEB]);
  });
});

describe('the dedupe', () => {
  const event = fixture('cloudwatch-alarm-status-check-system');
  const ways = { [INSTANCE]: [ORDERS], [SYSTEM]: [ORDERS] };

  it('answers only after the lookup has started', async () => {
    const world = makeWorld({ ways });
    const begun = Promise.withResolvers<readonly string[]>();
    const gate = Promise.withResolvers<void>();
    const handling = world.handle(event, async (_, work) => {
      begun.resolve([...world.lookups]);
      await gate.promise;
      return work();
    });
    expect(await begun.promise).toEqual([INSTANCE, SYSTEM]);
    expect(world.reads).toEqual([]);
    gate.resolve();
    await handling;
    expect(world.lookups).toEqual([INSTANCE, SYSTEM]);
    expect(world.reads).toEqual([ORDERS]);
  });
  it('that suppresses a delivery answers for it, and no service is looked at', async () => {
    const world = makeWorld({ ways });
    const before = { kind: 'looked', reports: [{ service: ORDERS, code: 'COMPLETED' }] };
    const suppress = (async () => before) as unknown as Once;
    expect(await world.handle(event, suppress)).toBe(before);
    expect(world.reads).toEqual([]);
    expect(world.sent).toEqual([]);
  });
  it('that suppresses a delivery does not mind a lookup that failed', async () => {
    const unhandled: unknown[] = [];
    const keep = (reason: unknown) => unhandled.push(reason);
    process.on('unhandledRejection', keep);
    try {
      const world = makeWorld({ lookup: () => Promise.reject(new Error('no answer')) });
      const suppress = (async () => ({ kind: 'looked', reports: [] })) as unknown as Once;
      expect(await world.handle(event, suppress)).toStrictEqual({ kind: 'looked', reports: [] });
      await new Promise((resolve) => setImmediate(resolve));
    } finally {
      process.off('unhandledRejection', keep);
    }
    expect(unhandled).toEqual([]);
  });
  it('that fails fails the delivery', async () => {
    const broken = new Error('no context');
    const world = makeWorld({ ways });
    await expect(world.handle(event, () => Promise.reject(broken))).rejects.toBe(broken);
  });
});

describe('an event that is ignored', () => {
  it.each<readonly [string, unknown, string, number]>([
    ...ignored.map(([name, code]) => [name, fixture(name), code, NOW] as const),
    [
      'an instance that runs',
      {
        ...fixture('ec2-instance-state-change-stopping'),
        detail: { 'instance-id': INSTANCE, state: 'running' },
      },
      'NOT_A_FAILURE',
      NOW,
    ],
    ['an old event', fixture('ec2-instance-state-change-stopping'), 'STALE_EVENT', NOW + 3_600_000],
    [
      'another kind of event',
      {
        ...fixture('cloudwatch-alarm-status-check-system'),
        'detail-type': 'CloudWatch Alarm Configuration Change',
      },
      'NOT_A_SIGNAL',
      NOW,
    ],
  ])('touches nothing: %s', async (_, event, code, nowMs) => {
    const world = makeWorld({ nowMs, ways: { [INSTANCE]: [ORDERS], [SYSTEM]: [ORDERS] } });
    expect(await world.handle(event)).toMatchObject({ kind: 'ignored', code, reason: expect.any(String) });
    expect([world.lookups, world.keys, world.reads, world.sent]).toEqual([[], [], [], []]);
    expect(world.logged).toEqual([
      { level: 'info', message: 'event ignored', facts: { code, reason: expect.any(String) } },
    ]);
  });
});

describe('an event that is malformed', () => {
  it.each([
    ['nothing', undefined],
    ['text', 'ALARM'],
    ['an empty object', {}],
    [
      'a state change without an instance',
      { ...fixture('ec2-instance-state-change-stopping'), detail: { state: 'stopping' } },
    ],
    ['an alarm without a state', { ...fixture('cloudwatch-alarm-status-check-system'), detail: {} }],
    ['a batch of two', { Records: [{}, {}] }],
    ['a message that is no JSON', { Records: [{ eventSource: 'aws:sqs', messageId: 'm-1', body: '{' }] }],
  ])('throws and touches nothing: %s', async (_, event) => {
    const world = makeWorld({ ways: { [INSTANCE]: [ORDERS], [SYSTEM]: [ORDERS] } });
    const handling = world.handle(event);
    await expect(handling).rejects.toMatchObject({
      name: 'InvalidInputError',
      problems: expect.arrayContaining([expect.any(String)]),
    });
    expect([world.lookups, world.keys, world.reads, world.sent]).toEqual([[], [], [], []]);
    expect(world.logged).toMatchObject([{ level: 'error', facts: { problems: [expect.any(String)] } }]);
  });
});

describe('a message of the work queue', () => {
  const toEvent = (message: WorkMessage) => ({
    Records: [{ eventSource: 'aws:sqs', messageId: 'm-1', body: JSON.stringify(message) }],
  });
  const hint = { kind: 'sweep', finding: 'an open episode without a lease', atMs: NOW } as const;

  it('leads to its service without a lookup and without a dedupe, as often as it comes', async () => {
    const world = makeWorld();
    const event = toEvent({ service: ORDERS, hint, look: 1 });
    const answer = await world.handle(event);
    await world.handle(event);
    expect(answer).toMatchObject({ kind: 'looked', reports: [{ service: ORDERS, code: 'LEASE_HELD' }] });
    expect([world.lookups, world.keys]).toEqual([[], []]);
    expect(world.reads).toEqual([ORDERS, ORDERS]);
    expect(world.sent).toEqual([
      { service: ORDERS, hint, look: 2 },
      { service: ORDERS, hint, look: 2 },
    ]);
  });
  it('of the canary rehearses, whoever is at work, and restores nothing', async () => {
    const world = makeWorld();
    const canary = { kind: 'canary', atMs: NOW } as const;
    expect(await world.handle(toEvent({ service: ORDERS, hint: canary, look: 0 }))).toMatchObject({
      kind: 'looked',
      reports: [
        { service: ORDERS, kind: 'nothing', detail: expect.stringContaining('do not rest together') },
      ],
    });
    expect(world.sent).toEqual([]);
  });
  it('of a drill puts on record what the hour’s rehearsal does not', async () => {
    const world = makeWorld();
    const drill = { id: 'drill-7', author: 'ann', reason: 'the quarterly drill' };
    const canary = { kind: 'canary', atMs: NOW, drill } as const;
    const handled = world.handle(toEvent({ service: ORDERS, hint: canary, look: 0 }));
    await expect(handled).rejects.toThrow('nobody should write');
  });
  it('of a watchdog whose epoch is over does nothing', async () => {
    const world = makeWorld();
    const watchdog = { kind: 'watchdog', epoch: 7, atMs: NOW } as const;
    expect(await world.handle(toEvent({ service: ORDERS, hint: watchdog, look: 0 }))).toMatchObject({
      reports: [{ service: ORDERS, kind: 'nothing', code: 'HOLDER_HEALTHY' }],
    });
    expect(world.sent).toEqual([]);
  });
  it('whose service cannot be read is an error, so that the queue delivers it again', async () => {
    const world = makeWorld({ unreadable: [ORDERS] });
    await expect(world.handle(toEvent({ service: ORDERS, hint, look: 0 }))).rejects.toMatchObject({
      name: 'PortError',
      failure: 'unavailable',
    });
  });
  it('is not too old, for it was sent to be delivered later', async () => {
    const world = makeWorld();
    const old = { ...hint, atMs: NOW - 24 * 3_600_000 };
    expect(await world.handle(toEvent({ service: ORDERS, hint: old, look: 0 }))).toMatchObject({
      kind: 'looked',
    });
  });
});
