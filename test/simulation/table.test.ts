/** The table's model answers as dynalite does over HTTP, for the expressions that the adapter sends. */
import type { AddressInfo } from 'node:net';
import {
  CreateTableCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import dynalite from 'dynalite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeTable } from './table.ts';

type Command = GetItemCommand | PutItemCommand | QueryCommand | UpdateItemCommand;

const key = { pk: { S: 'SERVICE#a' }, sk: { S: 'SERVICE' } };
const claim = (rev: string, now: string) =>
  new UpdateItemCommand({
    TableName: 'state',
    Key: key,
    UpdateExpression: 'SET #rev = :rev, #lease = :lease REMOVE #request',
    ConditionExpression:
      '#rev = :expectedRev AND (attribute_not_exists(#lease) OR #lease.#untilMs < :freeBeforeMs)',
    ExpressionAttributeNames: {
      '#rev': 'rev',
      '#lease': 'lease',
      '#request': 'request',
      '#untilMs': 'untilMs',
    },
    ExpressionAttributeValues: {
      ':rev': { N: '1' },
      ':lease': { M: { owner: { S: 'o' }, untilMs: { N: '50' } } },
      ':expectedRev': { N: rev },
      ':freeBeforeMs': { N: now },
    },
    ReturnValues: 'ALL_NEW',
  });
const count = (name: string) =>
  new UpdateItemCommand({
    TableName: 'state',
    Key: { pk: { S: 'CONTROLLER' }, sk: { S: 'BRAKE#z#1' } },
    UpdateExpression: 'ADD #services :name SET #expiresAtSec = :at',
    ExpressionAttributeNames: { '#services': 'services', '#expiresAtSec': 'expiresAtSec' },
    ExpressionAttributeValues: { ':name': { SS: [name] }, ':at': { N: '7' } },
    ReturnValues: 'ALL_NEW',
  });
const put = (sk: string, condition?: string) =>
  new PutItemCommand({
    TableName: 'state',
    Item: { pk: { S: 'SERVICE#a' }, sk: { S: sk }, rev: { N: '0' }, request: { S: 'x' } },
    ...(condition && { ConditionExpression: condition }),
  });
const query = (condition: string, values: Record<string, { S: string }>) =>
  new QueryCommand({
    TableName: 'state',
    KeyConditionExpression: condition,
    ExpressionAttributeValues: values,
    ConsistentRead: true,
  });

/** One after the other: each finds what the ones before it left. */
const story: readonly (readonly [string, Command])[] = [
  ['an update of nothing, under a condition', claim('0', '10')],
  ['a first put', put('SERVICE', 'attribute_not_exists(pk)')],
  ['a second put', put('SERVICE', 'attribute_not_exists(pk)')],
  ['a claim with another rev', claim('7', '10')],
  ['a claim of a free lease', claim('0', '10')],
  ['a claim of a lease that is held', claim('1', '50')],
  ['a claim of a lease that has ended', claim('1', '51')],
  ['an ADD to a set that is not there', count('one')],
  ['an ADD to a set', count('two')],
  ['an ADD of what is in it', count('two')],
  ['a get', new GetItemCommand({ TableName: 'state', Key: key, ConsistentRead: true })],
  [
    'a get of nothing',
    new GetItemCommand({ TableName: 'state', Key: { pk: { S: 'x' }, sk: { S: 'y' } }, ConsistentRead: true }),
  ],
  ['another put', put('TRAIL#2')],
  ['and another', put('TRAIL#1')],
  [
    'a query by prefix',
    query('pk = :pk AND begins_with(sk, :prefix)', { ':pk': { S: 'SERVICE#a' }, ':prefix': { S: 'TRAIL#' } }),
  ],
  [
    'a query by range',
    query('pk = :pk AND sk BETWEEN :from AND :to', {
      ':pk': { S: 'SERVICE#a' },
      ':from': { S: 'S' },
      ':to': { S: 'TRAIL#1' },
    }),
  ],
  [
    'a query of nothing',
    query('pk = :pk AND begins_with(sk, :prefix)', { ':pk': { S: 'q' }, ':prefix': { S: 'x' } }),
  ],
  [
    'an expression with a value that it does not use',
    new UpdateItemCommand({
      TableName: 'state',
      Key: key,
      UpdateExpression: 'SET a = :a',
      ExpressionAttributeValues: { ':a': { N: '1' }, ':b': { N: '2' } },
    }),
  ],
  [
    'an expression with a reserved word',
    new UpdateItemCommand({
      TableName: 'state',
      Key: key,
      UpdateExpression: 'SET owner = :a',
      ExpressionAttributeValues: { ':a': { N: '1' } },
    }),
  ],
];

describe("the simulator's table", () => {
  const server = dynalite({ createTableMs: 0 });
  let client: DynamoDBClient;
  const table = makeTable('state');

  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    client = new DynamoDBClient({
      endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      region: 'us-east-1',
      credentials: { accessKeyId: 'x', secretAccessKey: 'x' },
      maxAttempts: 1,
    });
    await client.send(
      new CreateTableCommand({
        TableName: 'state',
        BillingMode: 'PAY_PER_REQUEST',
        AttributeDefinitions: [
          { AttributeName: 'pk', AttributeType: 'S' },
          { AttributeName: 'sk', AttributeType: 'S' },
        ],
        KeySchema: [
          { AttributeName: 'pk', KeyType: 'HASH' },
          { AttributeName: 'sk', KeyType: 'RANGE' },
        ],
      }),
    );
  });
  afterAll(() => {
    client.destroy();
    server.close();
  });

  const outcomeOf = async (answer: () => Promise<object>) => {
    try {
      const { Item, Items, Attributes } = (await answer()) as Record<string, unknown>;
      return JSON.parse(JSON.stringify({ Item, Items, Attributes })) as object;
    } catch (error) {
      const { name, message } = error as Error;
      return { name, message };
    }
  };

  it.each(story)('answers %s as DynamoDB does', async (_, command) => {
    const real = await outcomeOf(() => client.send(command as UpdateItemCommand));
    const operation = command.constructor.name.replace(/Command$/, '');
    const ours = await outcomeOf(async () => table.execute(operation, structuredClone(command.input)));
    expect(ours).toEqual(real);
  });

  it('refuses a key condition that it does not know', () => {
    const unknown = query('pk = :pk', { ':pk': { S: 'SERVICE#a' } });
    expect(() => table.execute('Query', unknown.input)).toThrow('does not know the key condition');
  });
});
