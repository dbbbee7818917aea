/** Proves that the table's adapter keeps the StateStore contract, over dynalite in this process. */
import { type DynamoDBClient, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { marshall } from '@aws-sdk/util-dynamodb';
import { afterAll, beforeAll, describe } from 'vitest';
import { makeStateTable } from '../../shared/aws/state-table.ts';
import { startDynamoDb, type TestDynamoDb } from '../aws/dynalite.ts';
import { makeRetrying, timeoutError } from '../aws/retrying.ts';
import { type StoreUnderTest, stateStoreContract } from './state-store-contract.ts';

let dynamodb: TestDynamoDb;
beforeAll(async () => {
  dynamodb = await startDynamoDb();
});
afterAll(() => dynamodb.close());

async function make(): Promise<StoreUnderTest> {
  const { client } = dynamodb;
  const TableName = await dynamodb.makeTable();
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
