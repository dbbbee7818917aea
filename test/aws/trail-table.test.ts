/** Proves what the trail's adapter asks of DynamoDB, to the letter, and that it only ever reads. */
import {
  BatchGetItemCommand,
  type BatchGetItemCommandOutput,
  DynamoDBClient,
  GetItemCommand,
  QueryCommand,
} from '@aws-sdk/client-dynamodb';
import { marshall } from '@aws-sdk/util-dynamodb';
import { mockClient } from 'aws-sdk-client-mock';
import { beforeEach, describe, expect, it } from 'vitest';
import { makeTrailTable } from '../../shared/aws/trail-table.ts';
import type { ServiceName } from '../../shared/core/ids.ts';
import { emptyItem } from '../app/written-trail.ts';
import { awsError, makeRetrying, timeoutError } from './retrying.ts';

// This one alone: whatever else runs in the process has clients of its own.
const client = new DynamoDBClient({ region: 'us-east-1' });
const aws = mockClient(client);
const TABLE = 'state';
const name = 'orders-db' as ServiceName;
let retrying = makeRetrying();
let trail = makeTrailTable(client, TABLE, retrying);
beforeEach(() => {
  aws.reset();
  retrying = makeRetrying();
  trail = makeTrailTable(client, TABLE, retrying);
});
const queries = () => aws.commandCalls(QueryCommand).map((call) => call.args[0].input);
const key = (number: number) =>
  marshall({ pk: 'SERVICE#orders-db', sk: `TRAIL#${String(number).padStart(12, '0')}` });
const row = (number: number) => ({
  ...key(number),
  ...marshall({ number, body: '{}', hash: 'h', atMs: 1, kind: 'ack' }),
});

describe('the records of a service', () => {
  it('are asked for downwards, consistently, and no more than allowed', async () => {
    aws.on(QueryCommand).resolves({ Items: [row(7)], ScannedCount: 3, LastEvaluatedKey: key(5) });
    const slice = await trail.newest(name, { from: 1, to: 7 }, 3);
    expect(slice).toMatchObject({ rows: [{ number: 7 }], read: 3, rest: 'TRAIL#000000000005' });
    expect(queries()).toStrictEqual([
      {
        TableName: TABLE,
        ConsistentRead: true,
        ScanIndexForward: false,
        Limit: 3,
        KeyConditionExpression: 'pk = :pk AND sk BETWEEN :from AND :to',
        ExpressionAttributeValues: marshall({
          ':pk': 'SERVICE#orders-db',
          ':from': 'TRAIL#000000000001',
          ':to': 'TRAIL#000000000007',
        }),
      },
    ]);
  });
  it('are sorted out in the table, those left in that say nothing of it', async () => {
    aws.on(QueryCommand).resolves({ Items: [], ScannedCount: 3 });
    expect(await trail.newest(name, { from: 1, to: 7 }, 3, { kind: 'ack', outcome: 'X' })).toEqual({
      rows: [],
      read: 3,
    });
    expect(queries()[0]).toMatchObject({
      FilterExpression:
        '(attribute_not_exists(#kind) OR #kind = :kind) AND (attribute_not_exists(#outcome) OR #outcome = :outcome)',
      ExpressionAttributeNames: { '#kind': 'kind', '#outcome': 'outcome' },
      ExpressionAttributeValues: { ':kind': { S: 'ack' }, ':outcome': { S: 'X' } },
    });
  });
  it('of an empty range are not asked for: DynamoDB would refuse it', async () => {
    expect(await trail.newest(name, { from: 1, to: 0 }, 3)).toEqual({ rows: [], read: 0 });
    expect(queries()).toEqual([]);
  });
  it('upwards are read on where a page of the table ended early', async () => {
    aws
      .on(QueryCommand)
      .resolvesOnce({ Items: [row(4), row(5)], ScannedCount: 2, LastEvaluatedKey: key(5) })
      .resolvesOnce({ Items: [row(9)], ScannedCount: 1 });
    expect((await trail.oldest(name, 4, 5)).map(({ number }) => number)).toEqual([4, 5, 9]);
    expect(queries().map(({ Limit, ScanIndexForward }) => ({ Limit, ScanIndexForward }))).toEqual([
      { Limit: 5, ScanIndexForward: true },
      { Limit: 3, ScanIndexForward: true },
    ]);
    expect(queries()[1]?.ExpressionAttributeValues).toMatchObject({
      ':from': { S: 'TRAIL#000000000005~' },
      ':to': { S: 'TRAIL#~' },
    });
  });
});

describe('pointers', () => {
  it('are asked for from below a key that need not exist', async () => {
    aws
      .on(QueryCommand)
      .resolves({ Items: [marshall({ sk: 'y', service: name, number: 7 })], ScannedCount: 1 });
    expect(
      await trail.pointers('BY#DAY#2026-11-21', { from: '0', below: 'z' }, 5, { service: name }),
    ).toEqual({
      rows: [{ sk: 'y', service: name, number: 7 }],
      read: 1,
    });
    expect(queries()[0]).toMatchObject({
      ExclusiveStartKey: marshall({ pk: 'BY#DAY#2026-11-21', sk: 'z' }),
      ScanIndexForward: false,
      ConsistentRead: true,
      FilterExpression: '(attribute_not_exists(#service) OR #service = :service)',
    });
  });
});

describe('records by key', () => {
  const answer = (numbers: readonly number[], left: readonly number[] = []) =>
    ({
      Responses: { [TABLE]: numbers.map(row) },
      ...(left.length > 0 && { UnprocessedKeys: { [TABLE]: { Keys: left.map(key) } } }),
    }) as Partial<BatchGetItemCommandOutput>;
  const keys = (count: number) =>
    Array.from({ length: count }, (_, index) => ({ service: name, number: index + 1 }));
  const asked = () =>
    aws
      .commandCalls(BatchGetItemCommand)
      .map((call) => call.args[0].input.RequestItems?.[TABLE]?.Keys?.length);

  it('are read in one call, consistently, with the service that they are of', async () => {
    aws.on(BatchGetItemCommand).resolves(answer([2, 1]));
    expect(await trail.rows(keys(2))).toMatchObject([
      { service: name, number: 2 },
      { service: name, number: 1 },
    ]);
    expect(aws.commandCalls(BatchGetItemCommand)[0]?.args[0].input).toStrictEqual({
      RequestItems: { [TABLE]: { Keys: [key(1), key(2)], ConsistentRead: true } },
    });
  });
  it('of none make no call', async () => {
    expect(await trail.rows([])).toEqual([]);
    expect(asked()).toEqual([]);
  });
  it('that are more than one call takes are asked for by the hundred', async () => {
    aws.on(BatchGetItemCommand).resolves(answer([]));
    await trail.rows(keys(250));
    expect(asked().sort()).toEqual([100, 100, 50]);
  });
  it('that DynamoDB did not get to are asked for again, and only those', async () => {
    aws
      .on(BatchGetItemCommand)
      .resolvesOnce(answer([1], [2, 3]))
      .resolvesOnce(answer([3, 2]));
    expect((await trail.rows(keys(3))).map(({ number }) => number)).toEqual([1, 3, 2]);
    expect(asked()).toEqual([3, 2]);
    expect(retrying.pauses).toHaveLength(1);
  });
  it('that it never gets to are an error, not missing records', async () => {
    aws.on(BatchGetItemCommand).resolves(answer([], [1]));
    await expect(trail.rows(keys(1))).rejects.toMatchObject({
      name: 'PortError',
      failure: 'throttled',
      code: 'UnprocessedKeys',
    });
  });
});

describe('the service’s item', () => {
  it('is read consistently', async () => {
    const item = emptyItem(name);
    aws.on(GetItemCommand).resolves({
      Item: marshall({ pk: 'SERVICE#orders-db', sk: 'SERVICE', ...item }, { removeUndefinedValues: true }),
    });
    expect(await trail.service(name)).toEqual({ kind: 'known', value: item });
    expect(aws.commandCalls(GetItemCommand)[0]?.args[0].input).toStrictEqual({
      TableName: TABLE,
      Key: marshall({ pk: 'SERVICE#orders-db', sk: 'SERVICE' }),
      ConsistentRead: true,
    });
  });
  it('that is not there is absent', async () => {
    aws.on(GetItemCommand).resolves({});
    expect(await trail.service(name)).toEqual({ kind: 'absent' });
  });
  it('that nobody answers for is an error, never absent', async () => {
    aws.on(GetItemCommand).rejects(timeoutError());
    await expect(trail.service(name)).rejects.toMatchObject({ failure: 'unavailable' });
  });
  it('that may not be read is an error at once', async () => {
    aws.on(GetItemCommand).rejects(awsError('AccessDeniedException', 400));
    await expect(trail.service(name)).rejects.toMatchObject({ failure: 'denied' });
    expect(aws.commandCalls(GetItemCommand)).toHaveLength(1);
  });
});

describe('what was done to everything', () => {
  const recordKey = marshall({ pk: 'CONTROLLER', sk: 'TRAIL#000000000001' });
  const record = { ...recordKey, ...marshall({ number: 1, body: '{}', hash: 'h', atMs: 1, kind: 'pause' }) };

  it('lies beside the controller’s own item, whose chain ends there', async () => {
    aws.on(GetItemCommand).resolves({ Item: marshall({ trail: { next: 2, head: 'h' } }) });
    aws.on(QueryCommand).resolves({ Items: [record], ScannedCount: 1 });
    aws.on(BatchGetItemCommand).resolves({ Responses: { [TABLE]: [record] } });
    expect(await trail.service('*')).toStrictEqual({
      kind: 'known',
      value: { name: '*', trail: { next: 2, head: 'h' } },
    });
    await trail.newest('*', { from: 1, to: 7 }, 3);
    await trail.oldest('*', 1, 3);
    expect(await trail.rows([{ service: '*', number: 1 }])).toMatchObject([{ service: '*', number: 1 }]);
    expect(aws.commandCalls(GetItemCommand)[0]?.args[0].input).toStrictEqual({
      TableName: TABLE,
      Key: marshall({ pk: 'CONTROLLER', sk: 'STATE' }),
      ConsistentRead: true,
    });
    expect(queries().map((each) => each.ExpressionAttributeValues?.[':pk'])).toEqual([
      { S: 'CONTROLLER' },
      { S: 'CONTROLLER' },
    ]);
    const [batch] = aws.commandCalls(BatchGetItemCommand);
    expect(batch?.args[0].input.RequestItems?.[TABLE]?.Keys).toStrictEqual([recordKey]);
  });
  it('is nothing before the first of it: nobody registers the controller', async () => {
    aws.on(GetItemCommand).resolves({});
    expect(await trail.service('*')).toMatchObject({
      kind: 'known',
      value: { trail: { next: 1, head: '' } },
    });
  });
});
