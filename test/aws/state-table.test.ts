/** Proves what is asked of DynamoDB, word by word: what a claim, a step and a plain write require and change. */
import {
  ConditionalCheckFailedException,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { marshall } from '@aws-sdk/util-dynamodb';
import { mockClient } from 'aws-sdk-client-mock';
import { beforeEach, describe, expect, it } from 'vitest';
import { makeStateTable } from '../../shared/aws/state-table.ts';
import type { AlarmArn, EniId, InstanceId, OwnerId, ServiceName } from '../../shared/core/ids.ts';
import type { ServiceState } from '../../shared/core/state.ts';
import { bareState, frozenRecord, fullState } from '../contract/state-store-contract.ts';
import { awsError, makeRetrying, START_MS, timeoutError, type VirtualRetrying } from './retrying.ts';

const TABLE = 'state';
const ORDERS = 'orders-db' as ServiceName;
const ENI = 'eni-0a1b2c3d4e5f60001' as EniId;
const HOLDER = 'i-0a1b2c3d4e5f60001' as InstanceId;
const ALARM = 'arn:aws:cloudwatch:us-east-1:123456789012:alarm:orders-db-down' as AlarmArn;
const US = 'owner-us' as OwnerId;
const ITEM_KEY = { pk: { S: 'SERVICE#orders-db' }, sk: { S: 'SERVICE' } };

const client = new DynamoDBClient({ region: 'us-east-1' });
const aws = mockClient(client);
let retrying: VirtualRetrying;
let store: ReturnType<typeof makeStateTable>;
beforeEach(() => {
  aws.reset();
  retrying = makeRetrying();
  store = makeStateTable(client, TABLE, retrying);
});

const inputs = (): readonly object[] => aws.calls().map((call) => call.args[0].input as object);
const conditionFailed = () =>
  new ConditionalCheckFailedException({
    message: 'The conditional request failed',
    $metadata: { httpStatusCode: 400 },
  });
const toItem = (row: object) => marshall(row, { removeUndefinedValues: true });
const itemOf = (state: ServiceState) => ({
  Item: toItem({ ...state, pk: 'SERVICE#orders-db', sk: 'SERVICE' }),
});

describe('read', () => {
  it('is consistent', async () => {
    aws.on(GetItemCommand).resolves(itemOf(fullState()));
    expect(await store.read(ORDERS)).toStrictEqual({ kind: 'known', value: fullState() });
    expect(inputs()).toStrictEqual([{ TableName: TABLE, Key: ITEM_KEY, ConsistentRead: true }]);
  });
  it('is absent only when the table says so', async () => {
    aws.on(GetItemCommand).resolves({});
    expect(await store.read(ORDERS)).toStrictEqual({ kind: 'absent' });
  });
  it('is tried four times, and then is an error', async () => {
    aws.on(GetItemCommand).rejects(timeoutError());
    await expect(store.read(ORDERS)).rejects.toMatchObject({ name: 'PortError', failure: 'unavailable' });
    expect(inputs()).toHaveLength(4);
    expect(retrying.pauses).toEqual([25, 50, 100]);
  });
  it('is not tried again without the permission', async () => {
    aws.on(GetItemCommand).rejects(awsError('AccessDeniedException', 400));
    await expect(store.read(ORDERS)).rejects.toMatchObject({ failure: 'denied' });
    expect(inputs()).toHaveLength(1);
  });
});

describe('create', () => {
  it('writes the whole item where there is none', async () => {
    aws.on(PutItemCommand).resolves({});
    expect(await store.create(bareState())).toBe('created');
    expect(inputs()).toStrictEqual([
      {
        TableName: TABLE,
        Item: toItem({ pk: 'SERVICE#orders-db', sk: 'SERVICE', ...bareState() }),
        ConditionExpression: 'attribute_not_exists(pk)',
      },
    ]);
  });
  it('puts a service with something undelivered into the index of those that need attention', async () => {
    aws.on(PutItemCommand).resolves({});
    await store.create({ ...bareState(), frozen: frozenRecord(1) });
    expect(inputs()).toMatchObject([{ Item: { attention: { S: 'yes' } } }]);
  });
  it('has created what carries its own nonce', async () => {
    aws.on(PutItemCommand).rejectsOnce(timeoutError()).rejectsOnce(conditionFailed());
    aws.on(GetItemCommand).resolves(itemOf(bareState()));
    expect(await store.create(bareState())).toBe('created');
  });
  it('leaves what carries another nonce', async () => {
    aws.on(PutItemCommand).rejects(conditionFailed());
    aws.on(GetItemCommand).resolves(itemOf({ ...bareState(), nonce: 'theirs' }));
    expect(await store.create(bareState())).toBe('exists');
  });
  it('has not created what is not there when it looks', async () => {
    aws.on(PutItemCommand).rejects(conditionFailed());
    aws.on(GetItemCommand).resolves({});
    expect(await store.create(bareState())).toBe('exists');
  });
});

describe('write', () => {
  const before: ServiceState = { ...bareState(), rev: 7, epoch: 3, nonce: 'n-7' };
  const { episode: opened } = fullState();
  const episode = opened as NonNullable<ServiceState['episode']>;

  it('of a claim requires the rev and a lease that is free by the skew margin', async () => {
    const lease = { owner: US, untilMs: START_MS + 15_000 };
    const after: ServiceState = { ...before, rev: 8, epoch: 4, nonce: 'n-8', lease, episode };
    aws.on(UpdateItemCommand).resolves({});
    expect(await store.write(before, after, { rev: 7, freeBeforeMs: START_MS })).toStrictEqual({
      kind: 'written',
    });
    expect(inputs()).toStrictEqual([
      {
        TableName: TABLE,
        Key: ITEM_KEY,
        UpdateExpression:
          'SET #rev = :rev, #epoch = :epoch, #nonce = :nonce, #lease = :lease, #episode = :episode, #attention = :attention',
        ConditionExpression:
          '#rev = :expectedRev AND (attribute_not_exists(#lease) OR #lease.#untilMs < :freeBeforeMs)',
        ExpressionAttributeNames: {
          '#rev': 'rev',
          '#epoch': 'epoch',
          '#nonce': 'nonce',
          '#lease': 'lease',
          '#episode': 'episode',
          '#attention': 'attention',
          '#untilMs': 'untilMs',
        },
        ExpressionAttributeValues: {
          ':rev': { N: '8' },
          ':epoch': { N: '4' },
          ':nonce': { S: 'n-8' },
          ':lease': { M: { owner: { S: 'owner-us' }, untilMs: { N: String(START_MS + 15_000) } } },
          ':episode': { M: toItem(episode) },
          ':attention': { S: 'yes' },
          ':expectedRev': { N: '7' },
          ':freeBeforeMs': { N: String(START_MS - 1_000) },
        },
      },
    ]);
  });

  it('of a step requires the rev, the owner, the epoch and a living lease', async () => {
    const held: ServiceState = { ...before, lease: { owner: US, untilMs: START_MS + 1 }, episode };
    const lease = { owner: US, untilMs: START_MS + 15_000 };
    const moved = { ...episode, state: 'VERIFYING' as const };
    const after: ServiceState = { ...held, rev: 8, nonce: 'n-8', lease, episode: moved };
    aws.on(UpdateItemCommand).resolves({});
    await store.write(held, after, { rev: 7, lease: { owner: US, epoch: 3, aliveAtMs: START_MS } });
    expect(inputs()).toStrictEqual([
      {
        TableName: TABLE,
        Key: ITEM_KEY,
        UpdateExpression: 'SET #rev = :rev, #nonce = :nonce, #lease = :lease, #episode = :episode',
        ConditionExpression:
          '#rev = :expectedRev AND #lease.#owner = :owner AND #epoch = :expectedEpoch AND #lease.#untilMs > :nowMs',
        ExpressionAttributeNames: {
          '#rev': 'rev',
          '#nonce': 'nonce',
          '#lease': 'lease',
          '#episode': 'episode',
          '#owner': 'owner',
          '#untilMs': 'untilMs',
          '#epoch': 'epoch',
        },
        ExpressionAttributeValues: {
          ':rev': { N: '8' },
          ':nonce': { S: 'n-8' },
          ':lease': { M: { owner: { S: 'owner-us' }, untilMs: { N: String(START_MS + 15_000) } } },
          ':episode': { M: toItem(moved) },
          ':expectedRev': { N: '7' },
          ':owner': { S: 'owner-us' },
          ':expectedEpoch': { N: '3' },
          ':nowMs': { N: String(START_MS) },
        },
      },
    ]);
  });

  it('without a lease requires the rev only, and sends only what changed', async () => {
    const after: ServiceState = { ...before, rev: 8, nonce: 'n-8', lastRefusal: 'BRAKE' };
    aws.on(UpdateItemCommand).resolves({});
    await store.write(before, after, { rev: 7 });
    expect(inputs()).toStrictEqual([
      {
        TableName: TABLE,
        Key: ITEM_KEY,
        UpdateExpression: 'SET #rev = :rev, #nonce = :nonce, #lastRefusal = :lastRefusal',
        ConditionExpression: '#rev = :expectedRev',
        ExpressionAttributeNames: { '#rev': 'rev', '#nonce': 'nonce', '#lastRefusal': 'lastRefusal' },
        ExpressionAttributeValues: {
          ':rev': { N: '8' },
          ':nonce': { S: 'n-8' },
          ':lastRefusal': { S: 'BRAKE' },
          ':expectedRev': { N: '7' },
        },
      },
    ]);
  });

  it('removes what is gone, and with the last of it the service from the index', async () => {
    const lease = { owner: US, untilMs: START_MS + 1 };
    const busy: ServiceState = { ...before, lease, episode };
    aws.on(UpdateItemCommand).resolves({});
    await store.write(busy, { ...before, rev: 8, nonce: 'n-8' }, { rev: 7 });
    expect(inputs()).toStrictEqual([
      {
        TableName: TABLE,
        Key: ITEM_KEY,
        UpdateExpression: 'SET #rev = :rev, #nonce = :nonce REMOVE #lease, #episode, #attention',
        ConditionExpression: '#rev = :expectedRev',
        ExpressionAttributeNames: {
          '#rev': 'rev',
          '#nonce': 'nonce',
          '#lease': 'lease',
          '#episode': 'episode',
          '#attention': 'attention',
        },
        ExpressionAttributeValues: { ':rev': { N: '8' }, ':nonce': { S: 'n-8' }, ':expectedRev': { N: '7' } },
      },
    ]);
  });

  const after: ServiceState = { ...before, rev: 8, nonce: 'n-8' };
  it.each([
    ['is lost', [timeoutError(), conditionFailed()]],
    ['is lost twice', [timeoutError(), awsError('InternalServerError', 500), conditionFailed()]],
    [
      'breaks off',
      [Object.assign(new Error('aborted'), { code: 'ECONNRESET', $metadata: { httpStatusCode: 200 } })],
    ],
  ])('is written when its answer %s and its own nonce is there', async (_, errors) => {
    const [first, ...rest] = errors;
    let stub = aws.on(UpdateItemCommand).rejectsOnce(first);
    for (const error of rest) stub = stub.rejectsOnce(error);
    stub.rejects(conditionFailed());
    aws.on(GetItemCommand).resolves(itemOf(after));
    expect(await store.write(before, after, { rev: 7 })).toStrictEqual({ kind: 'written' });
    const updates = aws.commandCalls(UpdateItemCommand).map((call) => call.args[0].input);
    for (const update of updates) expect(update).toStrictEqual(updates[0]);
    expect(inputs().at(-1)).toStrictEqual({ TableName: TABLE, Key: ITEM_KEY, ConsistentRead: true });
  });
  it('is a conflict when another nonce is there, and answers with the item', async () => {
    const theirs: ServiceState = { ...fullState(), rev: 8, nonce: 'theirs' };
    aws.on(UpdateItemCommand).rejects(conditionFailed());
    aws.on(GetItemCommand).resolves(itemOf(theirs));
    expect(await store.write(before, after, { rev: 7 })).toStrictEqual({ kind: 'conflict', now: theirs });
    expect(aws.commandCalls(UpdateItemCommand)).toHaveLength(1);
    expect(retrying.pauses).toEqual([]);
  });
  it('is an error when the item is not there', async () => {
    aws.on(UpdateItemCommand).rejects(conditionFailed());
    aws.on(GetItemCommand).resolves({});
    await expect(store.write(before, after, { rev: 7 })).rejects.toMatchObject({ code: 'ItemMissing' });
  });
  it('is an error when the item cannot be understood', async () => {
    aws.on(UpdateItemCommand).rejects(conditionFailed());
    aws.on(GetItemCommand).resolves({ Item: toItem({ ...before, lease: { owner: US } }) });
    await expect(store.write(before, after, { rev: 7 })).rejects.toMatchObject({ name: 'InvalidInputError' });
  });
  it.each([
    ['the table is out of reach', timeoutError(), 'unavailable', 4],
    ['the table throttles', awsError('ProvisionedThroughputExceededException', 400), 'throttled', 4],
    ['it is forbidden', awsError('AccessDeniedException', 400), 'denied', 1],
    ['the item would be too large', awsError('ValidationException', 400), 'refused', 1],
  ])('is an error when %s', async (_, error, failure, attempts) => {
    aws.on(UpdateItemCommand).rejects(error);
    await expect(store.write(before, after, { rev: 7 })).rejects.toMatchObject({
      name: 'PortError',
      failure,
    });
    expect(inputs()).toHaveLength(attempts);
  });
});

describe('the owner of an interface', () => {
  const Key = { pk: { S: `ENI#${ENI}` }, sk: { S: 'OWNER' } };
  const ExpressionAttributeNames = { '#service': 'service', '#released': 'released' };

  it('is set where it is free, ours or released', async () => {
    aws.on(UpdateItemCommand).resolves({});
    expect(await store.own(ENI, ORDERS)).toStrictEqual({ kind: 'owned' });
    expect(inputs()).toStrictEqual([
      {
        TableName: TABLE,
        Key,
        UpdateExpression: 'SET #service = :name, #released = :no',
        ConditionExpression: 'attribute_not_exists(pk) OR #service = :name OR #released = :yes',
        ExpressionAttributeNames,
        ExpressionAttributeValues: {
          ':name': { S: 'orders-db' },
          ':no': { BOOL: false },
          ':yes': { BOOL: true },
        },
      },
    ]);
  });
  it('is read consistently when it is somebody else', async () => {
    aws.on(UpdateItemCommand).rejects(conditionFailed());
    aws.on(GetItemCommand).resolves({ Item: toItem({ service: 'billing', released: false }) });
    expect(await store.own(ENI, ORDERS)).toStrictEqual({ kind: 'taken', owner: 'billing' });
    expect(inputs()[1]).toStrictEqual({ TableName: TABLE, Key, ConsistentRead: true });
  });
  it('releases what is its own, and deletes nothing', async () => {
    aws.on(UpdateItemCommand).resolves({});
    await store.release(ENI, ORDERS);
    expect(inputs()).toStrictEqual([
      {
        TableName: TABLE,
        Key,
        UpdateExpression: 'SET #released = :yes',
        ConditionExpression: '#service = :name',
        ExpressionAttributeNames,
        ExpressionAttributeValues: { ':name': { S: 'orders-db' }, ':yes': { BOOL: true } },
      },
    ]);
  });
  it.each([
    ['own', () => store.own(ENI, ORDERS)],
    ['release', () => store.release(ENI, ORDERS)],
  ])('is not known while the table is out of reach: %s', async (_, call) => {
    aws.on(UpdateItemCommand).rejects(timeoutError());
    await expect(call()).rejects.toMatchObject({ failure: 'unavailable' });
  });
});

describe('the ways back', () => {
  it('are written under each instance and alarm', async () => {
    aws.on(PutItemCommand).resolves({});
    await store.addWayBack(ORDERS, { instances: [HOLDER], alarms: [ALARM] });
    expect(inputs()).toStrictEqual(
      [`INSTANCE#${HOLDER}`, `ALARM#${ALARM}`].map((pk) => ({
        TableName: TABLE,
        Item: { pk: { S: pk }, sk: { S: 'SERVICE#orders-db' }, service: { S: 'orders-db' } },
      })),
    );
  });
  it.each([
    [`INSTANCE#${HOLDER}`, () => store.servicesOfInstance(HOLDER)],
    [`ALARM#${ALARM}`, () => store.servicesOfAlarm(ALARM)],
  ])('are read consistently from %s, page by page', async (pk, call) => {
    const LastEvaluatedKey = toItem({ pk, sk: 'SERVICE#billing' });
    aws
      .on(QueryCommand)
      .resolvesOnce({ Items: [toItem({ service: 'billing' })], LastEvaluatedKey })
      .resolvesOnce({ Items: [toItem({ service: 'orders-db' })] });
    expect(await call()).toEqual(['billing', 'orders-db']);
    const first = {
      TableName: TABLE,
      ConsistentRead: true,
      KeyConditionExpression: 'pk = :pk AND begins_with(sk, :prefix)',
      ExpressionAttributeValues: { ':pk': { S: pk }, ':prefix': { S: 'SERVICE#' } },
    };
    expect(inputs()).toStrictEqual([first, { ...first, ExclusiveStartKey: LastEvaluatedKey }]);
  });
  it('are unknown, not absent, when they cannot be read', async () => {
    aws.on(QueryCommand).rejects(timeoutError());
    await expect(store.servicesOfInstance(HOLDER)).rejects.toMatchObject({ failure: 'unavailable' });
  });
});

describe('the services that need attention', () => {
  it('are read from the sparse index, page by page', async () => {
    const LastEvaluatedKey = toItem({ pk: 'SERVICE#billing', sk: 'SERVICE', attention: 'yes' });
    aws
      .on(QueryCommand)
      .resolvesOnce({ Items: [toItem({ pk: 'SERVICE#billing', sk: 'SERVICE' })], LastEvaluatedKey })
      .resolvesOnce({ Items: [toItem({ pk: 'SERVICE#orders-db', sk: 'SERVICE' })] });
    expect(await store.needingAttention()).toEqual(['billing', 'orders-db']);
    const first = {
      TableName: TABLE,
      ConsistentRead: false,
      IndexName: 'attention',
      KeyConditionExpression: 'attention = :yes',
      ExpressionAttributeValues: { ':yes': { S: 'yes' } },
    };
    expect(inputs()).toStrictEqual([first, { ...first, ExclusiveStartKey: LastEvaluatedKey }]);
  });
});

describe('the copy to the trail', () => {
  const frozen = frozenRecord(42);
  const { pointers, ...record } = frozen;
  const Item = toItem({ pk: 'SERVICE#orders-db', sk: 'TRAIL#000000000042', ...record });
  const puts = () => aws.commandCalls(PutItemCommand).map((call) => call.args[0].input);

  it('writes the record once, then its pointers', async () => {
    aws.on(PutItemCommand).resolves({});
    await store.copyToTrail(ORDERS, frozen);
    const at = new Date(frozen.atMs).toISOString();
    expect(inputs()).toStrictEqual([
      { TableName: TABLE, Item, ConditionExpression: 'attribute_not_exists(pk)' },
      ...pointers.map((pointer) => ({
        TableName: TABLE,
        Item: {
          pk: { S: pointer },
          sk: { S: `${at}#orders-db#000000000042` },
          service: { S: 'orders-db' },
          number: { N: '42' },
          kind: { S: 'episode' },
          outcome: { S: 'COMPLETED' },
          author: { S: 'eni-failover' },
        },
      })),
    ]);
  });
  it('writes the pointers again when the record is there already, for whoever came before may not have', async () => {
    aws.on(PutItemCommand).resolves({}).rejectsOnce(conditionFailed());
    aws.on(GetItemCommand).resolves({ Item });
    await store.copyToTrail(ORDERS, frozen);
    expect(aws.commandCalls(GetItemCommand).map((call) => call.args[0].input)).toStrictEqual([
      {
        TableName: TABLE,
        Key: { pk: { S: 'SERVICE#orders-db' }, sk: { S: 'TRAIL#000000000042' } },
        ConsistentRead: true,
      },
    ]);
    expect(puts().slice(1)).toHaveLength(pointers.length);
  });
  it('writes no pointers to a record that is another one', async () => {
    aws.on(PutItemCommand).resolves({}).rejectsOnce(conditionFailed());
    aws.on(GetItemCommand).resolves({ Item: { ...Item, hash: { S: 'another' } } });
    await expect(store.copyToTrail(ORDERS, frozen)).rejects.toMatchObject({ code: 'TrailConflict' });
    expect(puts()).toHaveLength(1);
  });
  it('is not done when a pointer is missing', async () => {
    aws.on(PutItemCommand).callsFake(({ Item: item }: { Item: { pk: { S: string } } }) => {
      if (item.pk.S === pointers.at(-1)) throw timeoutError();
      return {};
    });
    await expect(store.copyToTrail(ORDERS, frozen)).rejects.toMatchObject({ failure: 'unavailable' });
  });
});

describe('the trail', () => {
  it('is read from one number to another', async () => {
    aws.on(QueryCommand).resolves({ Items: [] });
    expect(await store.trail(ORDERS, 7, 100)).toEqual([]);
    expect(inputs()).toStrictEqual([
      {
        TableName: TABLE,
        ConsistentRead: true,
        KeyConditionExpression: 'pk = :pk AND sk BETWEEN :from AND :to',
        ExpressionAttributeValues: {
          ':pk': { S: 'SERVICE#orders-db' },
          ':from': { S: 'TRAIL#000000000007' },
          ':to': { S: 'TRAIL#000000000106' },
        },
      },
    ]);
  });
});

describe('the count of failovers', () => {
  const at = Date.parse('2026-12-01T00:02:59.999Z');

  it('adds to the minute’s set and reads the window', async () => {
    aws.on(UpdateItemCommand).resolves({});
    const rows = [
      ['billing', 'web'],
      ['orders-db', 'web'],
    ];
    aws.on(QueryCommand).resolves({ Items: rows.map((names) => toItem({ services: new Set(names) })) });
    expect(await store.countFailover('us-east-1a', ORDERS, at)).toEqual(['billing', 'orders-db', 'web']);
    expect(inputs()).toStrictEqual([
      {
        TableName: TABLE,
        Key: { pk: { S: 'BRAKE#us-east-1a' }, sk: { S: '0#2026-12-01T00:02' } },
        UpdateExpression: 'ADD #services :name SET #expiresAtSec = :expiresAtSec',
        ExpressionAttributeNames: { '#services': 'services', '#expiresAtSec': 'expiresAtSec' },
        ExpressionAttributeValues: {
          ':name': { SS: ['orders-db'] },
          ':expiresAtSec': { N: String(Date.parse('2026-12-02T00:03:00Z') / 1_000) },
        },
      },
      {
        TableName: TABLE,
        ConsistentRead: true,
        KeyConditionExpression: 'pk = :pk AND sk BETWEEN :from AND :to',
        ExpressionAttributeValues: {
          ':pk': { S: 'BRAKE#us-east-1a' },
          ':from': { S: '0#2026-11-30T23:57' },
          ':to': { S: '0#~' },
        },
      },
    ]);
  });
  it('adds again when its answer was lost, which changes nothing in a set', async () => {
    aws.on(UpdateItemCommand).rejectsOnce(timeoutError()).resolvesOnce({});
    aws.on(QueryCommand).resolves({ Items: [toItem({ services: new Set(['orders-db']) })] });
    expect(await store.countFailover('us-east-1a', ORDERS, at)).toEqual(['orders-db']);
  });
  it.each([
    ['cannot be added to', UpdateItemCommand],
    ['cannot be read', QueryCommand],
  ])('is an error when it %s', async (_, command) => {
    aws.on(UpdateItemCommand).resolves({ Attributes: toItem({ services: new Set(['orders-db']) }) });
    aws.on(QueryCommand).resolves({ Items: [] });
    aws.on(command as typeof QueryCommand).rejects(timeoutError());
    await expect(store.countFailover('us-east-1a', ORDERS, at)).rejects.toMatchObject({
      failure: 'unavailable',
    });
  });
});

describe('the controller', () => {
  it('is read whole, consistently, page by page', async () => {
    const pause = { reason: 'game day', author: 'ann', atMs: 1, untilMs: 2 };
    const LastEvaluatedKey = toItem({ pk: 'CONTROLLER', sk: 'STATE' });
    const row = (sk: string, more: object) => toItem({ pk: 'CONTROLLER', sk, ...more });
    aws
      .on(QueryCommand)
      .resolvesOnce({ Items: [row('STATE', { pause })], LastEvaluatedKey })
      .resolvesOnce({
        Items: [
          row('STATE#BRAKE#us-east-1a', { sinceMs: 5, services: ['a', 'b'], released: false }),
          row('STATE#BRAKE#us-east-1b', { sinceMs: 6, services: ['c'], released: true, releasedAtMs: 7 }),
          row('STATE#ZONE#us-east-1a', { services: new Set(['a', 'b']) }),
        ],
      });
    expect(await store.readController()).toStrictEqual({
      pause,
      brakes: { 'us-east-1a': { sinceMs: 5, services: ['a', 'b'] } },
      releasedAtMs: { 'us-east-1b': 7 },
      servicesByZone: { 'us-east-1a': ['a', 'b'] },
    });
    const first = {
      TableName: TABLE,
      ConsistentRead: true,
      KeyConditionExpression: 'pk = :pk AND begins_with(sk, :prefix)',
      ExpressionAttributeValues: { ':pk': { S: 'CONTROLLER' }, ':prefix': { S: 'STATE' } },
    };
    expect(inputs()).toStrictEqual([first, { ...first, ExclusiveStartKey: LastEvaluatedKey }]);
  });
  it('is paused wherever among its rows the pause stands', async () => {
    const pause = { reason: 'game day', author: 'ann', atMs: 1, untilMs: 2 };
    aws.on(QueryCommand).resolves({
      Items: [
        toItem({ sk: 'STATE#ZONE#us-east-1a', services: new Set(['a']) }),
        toItem({ sk: 'STATE', pause }),
      ],
    });
    expect(await store.readController()).toMatchObject({ pause, servicesByZone: { 'us-east-1a': ['a'] } });
  });
  it('lists the services of its zones', async () => {
    aws.on(QueryCommand).resolves({
      Items: [toItem({ services: new Set(['web', 'billing']) }), toItem({ services: new Set(['web']) })],
    });
    expect(await store.list()).toEqual({ names: ['billing', 'web'], unreadable: [] });
    expect(inputs()).toMatchObject([
      { ExpressionAttributeValues: { ':pk': { S: 'CONTROLLER' }, ':prefix': { S: 'STATE#ZONE#' } } },
    ]);
  });
  it.each([
    ['holds no services', {}],
    ['holds a text', { services: 'orders-db' }],
    ['holds a number', { services: 7 }],
  ])('names a zone whose row %s, and lists the others', async (_, attributes) => {
    const rows = [
      { sk: 'STATE#ZONE#us-east-1a', ...attributes },
      { sk: 'STATE#ZONE#us-east-1b', services: new Set(['web']) },
    ];
    aws.on(QueryCommand).resolves({ Items: rows.map(toItem) });
    expect(await store.list()).toEqual({ names: ['web'], unreadable: ['STATE#ZONE#us-east-1a'] });
    expect((await store.readController()).servicesByZone).toEqual({
      'us-east-1a': [],
      'us-east-1b': ['web'],
    });
  });
  it('trips a brake where none is tripped', async () => {
    aws.on(UpdateItemCommand).resolves({});
    expect(await store.tripBrake('us-east-1a', ['a', 'b'], START_MS)).toBe('tripped');
    expect(inputs()).toStrictEqual([
      {
        TableName: TABLE,
        Key: { pk: { S: 'CONTROLLER' }, sk: { S: 'STATE#BRAKE#us-east-1a' } },
        UpdateExpression: 'SET sinceMs = :nowMs, #services = :services, released = :no',
        ConditionExpression: 'attribute_not_exists(pk) OR released = :yes',
        ExpressionAttributeNames: { '#services': 'services' },
        ExpressionAttributeValues: {
          ':nowMs': { N: String(START_MS) },
          ':services': { L: [{ S: 'a' }, { S: 'b' }] },
          ':no': { BOOL: false },
          ':yes': { BOOL: true },
        },
      },
    ]);
  });
  it('releases a brake and deletes nothing', async () => {
    aws.on(UpdateItemCommand).resolves({});
    await store.releaseBrake('us-east-1a', START_MS);
    expect(inputs()).toStrictEqual([
      {
        TableName: TABLE,
        Key: { pk: { S: 'CONTROLLER' }, sk: { S: 'STATE#BRAKE#us-east-1a' } },
        UpdateExpression: 'SET released = :yes, releasedAtMs = :nowMs',
        ExpressionAttributeValues: { ':yes': { BOOL: true }, ':nowMs': { N: String(START_MS) } },
      },
    ]);
  });
  describe('its own item', () => {
    const pause = { reason: 'game day', author: 'ann', atMs: 1, untilMs: 2 };
    const item = { name: '*', trail: { next: 3, head: 'h2' } } as const;
    const frozen = frozenRecord(3);
    const after = { ...item, frozen, trail: { next: 4, head: frozen.hash } };
    const Key = { pk: { S: 'CONTROLLER' }, sk: { S: 'STATE' } };
    const names = { '#pause': 'pause', '#frozen': 'frozen', '#trail': 'trail', '#next': 'next' };
    const values = {
      ':frozen': { M: toItem(frozen) },
      ':trail': { M: toItem(after.trail) },
      ':expectedNext': { N: '3' },
    };

    it('is paused, and its record frozen, in one write that nobody came before', async () => {
      aws.on(UpdateItemCommand).resolves({});
      expect(await store.writeControllerItem(item, { ...after, pause })).toBe('written');
      expect(inputs()).toStrictEqual([
        {
          TableName: TABLE,
          Key,
          UpdateExpression: 'SET #pause = :pause, #frozen = :frozen, #trail = :trail',
          ConditionExpression: '#trail.#next = :expectedNext',
          ExpressionAttributeNames: names,
          ExpressionAttributeValues: { ':pause': { M: toItem(pause) }, ...values },
        },
      ]);
    });
    it('is resumed in the same way', async () => {
      aws.on(UpdateItemCommand).resolves({});
      expect(await store.writeControllerItem({ ...item, pause }, after)).toBe('written');
      expect(inputs()).toStrictEqual([
        {
          TableName: TABLE,
          Key,
          UpdateExpression: 'SET #frozen = :frozen, #trail = :trail REMOVE #pause',
          ConditionExpression: '#trail.#next = :expectedNext',
          ExpressionAttributeNames: names,
          ExpressionAttributeValues: values,
        },
      ]);
    });
    it('of an older version has no chain yet: its first record begins it', async () => {
      aws.on(GetItemCommand).resolves({ Item: toItem({ pk: 'CONTROLLER', sk: 'STATE', pause }) });
      aws.on(UpdateItemCommand).resolves({});
      const old = await store.readControllerItem();
      expect(old).toStrictEqual({ name: '*', pause, trail: { next: 1, head: '' } });
      await store.writeControllerItem(old, after);
      expect(inputs()[0]).toStrictEqual({ TableName: TABLE, Key, ConsistentRead: true });
      expect(inputs()[1]).toMatchObject({
        ConditionExpression: 'attribute_not_exists(#trail) OR #trail.#next = :expectedNext',
        ExpressionAttributeValues: { ':expectedNext': { N: '1' } },
      });
    });
    it('whose condition failed is looked at: our own head there means that it was written', async () => {
      aws.on(UpdateItemCommand).rejects(conditionFailed());
      aws.on(GetItemCommand).resolves({ Item: toItem(after) });
      expect(await store.writeControllerItem(item, after)).toBe('written');
      aws.on(GetItemCommand).resolves({ Item: toItem({ trail: { next: 4, head: 'theirs' } }) });
      expect(await store.writeControllerItem(item, after)).toBe('conflict');
    });
    it('whose condition failed because somebody recorded later is looked for in the trail', async () => {
      aws.on(UpdateItemCommand).rejects(conditionFailed());
      aws.on(GetItemCommand).resolves({ Item: toItem({ trail: { next: 5, head: 'theirs' } }) });
      const Copy = { pk: { S: 'CONTROLLER' }, sk: { S: 'TRAIL#000000000003' } };
      aws.on(GetItemCommand, { Key: Copy }).resolves({ Item: toItem({ hash: frozen.hash }) });
      expect(await store.writeControllerItem(item, after)).toBe('written');
      aws.on(GetItemCommand, { Key: Copy }).resolves({ Item: toItem({ hash: 'theirs' }) });
      expect(await store.writeControllerItem(item, after)).toBe('conflict');
    });
    it.each([
      ['an end of the chain', { trail: { next: '4', head: 'h' } }],
      ['a frozen record', { frozen: { number: 1 } }],
    ])('with %s that cannot be understood is an error', async (_, attributes) => {
      aws.on(GetItemCommand).resolves({ Item: toItem(attributes) });
      await expect(store.readControllerItem()).rejects.toMatchObject({ name: 'InvalidInputError' });
    });
    it('loses the frozen record of one number only', async () => {
      aws.on(UpdateItemCommand).rejects(conditionFailed());
      await store.clearControllerFrozen(3);
      expect(inputs()).toStrictEqual([
        {
          TableName: TABLE,
          Key,
          UpdateExpression: 'REMOVE #frozen',
          ConditionExpression: '#frozen.#number = :number',
          ExpressionAttributeNames: { '#frozen': 'frozen', '#number': 'number' },
          ExpressionAttributeValues: { ':number': { N: '3' } },
        },
      ]);
    });
    it('is read by a decision without its trail, and shows it nothing but the pause', async () => {
      aws.on(QueryCommand).resolves({
        Items: [toItem({ pk: 'CONTROLLER', sk: 'STATE', pause, frozen, trail: after.trail })],
      });
      expect(await store.readController()).toStrictEqual({
        pause,
        brakes: {},
        releasedAtMs: {},
        servicesByZone: {},
      });
      expect(inputs()).toStrictEqual([
        {
          TableName: TABLE,
          ConsistentRead: true,
          KeyConditionExpression: 'pk = :pk AND begins_with(sk, :prefix)',
          ExpressionAttributeValues: { ':pk': { S: 'CONTROLLER' }, ':prefix': { S: 'STATE' } },
        },
      ]);
    });
    it('has its records beside it, and pointers to them in its name', async () => {
      aws.on(PutItemCommand).resolves({});
      await store.copyToTrail('*', frozen);
      expect(inputs()[0]).toMatchObject({
        Item: { pk: { S: 'CONTROLLER' }, sk: { S: 'TRAIL#000000000003' } },
        ConditionExpression: 'attribute_not_exists(pk)',
      });
      expect(inputs().at(-1)).toMatchObject({
        Item: { pk: { S: 'BY#DAY#2026-11-21' }, sk: { S: expect.stringContaining('#*#000000000003') } },
      });
      expect(inputs().at(-1)).toMatchObject({ Item: { service: { S: '*' }, number: { N: '3' } } });
    });
  });
  it('adds a service to its zone', async () => {
    aws.on(UpdateItemCommand).resolves({});
    await store.joinZone('us-east-1a', ORDERS);
    expect(inputs()).toStrictEqual([
      {
        TableName: TABLE,
        Key: { pk: { S: 'CONTROLLER' }, sk: { S: 'STATE#ZONE#us-east-1a' } },
        UpdateExpression: 'ADD #services :name',
        ExpressionAttributeNames: { '#services': 'services' },
        ExpressionAttributeValues: { ':name': { SS: ['orders-db'] } },
      },
    ]);
  });
  it('takes a service out of its zone, and leaves the row', async () => {
    aws.on(UpdateItemCommand).resolves({});
    await store.leaveZone('us-east-1a', ORDERS);
    expect(inputs()).toStrictEqual([
      {
        TableName: TABLE,
        Key: { pk: { S: 'CONTROLLER' }, sk: { S: 'STATE#ZONE#us-east-1a' } },
        UpdateExpression: 'DELETE #services :name SET #left = :yes',
        ExpressionAttributeNames: { '#services': 'services', '#left': 'left' },
        ExpressionAttributeValues: { ':name': { SS: ['orders-db'] }, ':yes': { BOOL: true } },
      },
    ]);
  });
});
