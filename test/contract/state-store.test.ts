/** Proves that the table's adapter keeps the StateStore contract, over dynalite in this process. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import {
  CreateTableCommand,
  DescribeTableCommand,
  DynamoDBClient,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { marshall } from '@aws-sdk/util-dynamodb';
import dynalite from 'dynalite';
import { afterAll, beforeAll, describe } from 'vitest';
import { makeStateTable } from '../../shared/aws/state-table.ts';
import { makeRetrying, timeoutError } from '../aws/retrying.ts';
import { type StoreUnderTest, stateStoreContract } from './state-store-contract.ts';

const server = dynalite({ createTableMs: 0, deleteTableMs: 0, updateTableMs: 0 });
let client: DynamoDBClient;
beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  client = new DynamoDBClient({
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
  });
});
afterAll(async () => {
  client.destroy();
  server.close();
  await once(server, 'close');
});

let tables = 0;

async function makeTable(): Promise<string> {
  tables += 1;
  const TableName = `state-${tables}`;
  await client.send(
    new CreateTableCommand({
      TableName,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: ['pk', 'sk', 'attention'].map((AttributeName) => ({
        AttributeName,
        AttributeType: 'S' as const,
      })),
      KeySchema: [
        { AttributeName: 'pk', KeyType: 'HASH' },
        { AttributeName: 'sk', KeyType: 'RANGE' },
      ],
      GlobalSecondaryIndexes: [
        {
          IndexName: 'attention',
          KeySchema: [
            { AttributeName: 'attention', KeyType: 'HASH' },
            { AttributeName: 'pk', KeyType: 'RANGE' },
          ],
          Projection: { ProjectionType: 'KEYS_ONLY' },
        },
      ],
    }),
  );
  for (;;) {
    const { Table } = await client.send(new DescribeTableCommand({ TableName }));
    if (Table?.TableStatus === 'ACTIVE') return TableName;
  }
}

async function make(): Promise<StoreUnderTest> {
  const TableName = await makeTable();
  let toLose = 0;
  /** Hands the request on, and forgets the answer, good or bad, when it is one to lose. */
  const lossy = {
    send: async (command: Parameters<DynamoDBClient['send']>[0]) => {
      const [settled] = await Promise.allSettled([client.send(command)]);
      if (toLose > 0) {
        toLose -= 1;
        throw timeoutError();
      }
      if (settled.status === 'rejected') throw settled.reason;
      return settled.value;
    },
  } as Pick<DynamoDBClient, 'send'>;
  return {
    store: makeStateTable(lossy, TableName, makeRetrying()),
    loseAnswers: (count) => {
      toLose = count;
    },
    tamper: async (name, attributes) => {
      for (const [key, value] of Object.entries(attributes)) {
        await client.send(
          new UpdateItemCommand({
            TableName,
            Key: marshall({ pk: `SERVICE#${name}`, sk: 'SERVICE' }),
            UpdateExpression: value === undefined ? 'REMOVE #key' : 'SET #key = :value',
            ExpressionAttributeNames: { '#key': key },
            ...(value !== undefined && { ExpressionAttributeValues: marshall({ ':value': value }) }),
          }),
        );
      }
    },
    close: async () => undefined,
  };
}

describe('the state table', () => {
  stateStoreContract(make);
});
