/** Proves over Powertools and dynalite that only a completed delivery is suppressed, and that nothing runs twice. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { CreateTableCommand, DynamoDBClient, ScanCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { marshall, unmarshall } from '@aws-sdk/util-dynamodb';
import type { Context } from 'aws-lambda';
import dynalite from 'dynalite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Log } from '../../shared/app/ports.ts';
import { type Dedupe, makeDedupe } from '../../shared/runtime/dedupe.ts';
import { awsError, socketError, timeoutError } from '../aws/retrying.ts';

const NOW = Date.parse('2026-11-21T02:11:30.000Z');
const hour = 3_600_000;
const KEY = 'c4c1c1c9-6542-e61b-6ef0-8c4d36933a92';
const ANSWER = { kind: 'looked', reports: [{ service: 'orders-db', kind: 'closed', code: 'COMPLETED' }] };

const server = dynalite({ createTableMs: 0, deleteTableMs: 0, updateTableMs: 0 });
/** The test's own way to the table; the dedupe's client can be made to fail. */
let table: DynamoDBClient;
const connect = () =>
  new DynamoDBClient({
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
  });
beforeAll(async () => {
  vi.stubEnv('AWS_LAMBDA_FUNCTION_NAME', 'failover');
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  table = connect();
});
afterAll(async () => {
  vi.unstubAllEnvs();
  table.destroy();
  server.close();
  await once(server, 'close');
});

let tables = 0;
let TableName: string;
let client: DynamoDBClient;
/** By name of the command: what goes wrong instead of it, or before it. */
let faults: Map<string, () => Error | undefined>;
let warnings: { readonly message: string; readonly facts: Readonly<Record<string, unknown>> | undefined }[];
let dedupe: Dedupe;
const log: Log = {
  info: () => undefined,
  warn: (message, facts) => warnings.push({ message, facts }),
  error: () => undefined,
};
const newDedupe = () => makeDedupe(client, TableName, log);

beforeEach(async () => {
  vi.useFakeTimers({ now: NOW, toFake: ['Date'] });
  tables += 1;
  TableName = `idempotency-${tables}`;
  await table.send(
    new CreateTableCommand({
      TableName,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
    }),
  );
  // It answers as soon as the table is there.
  while ((await table.send(new ScanCommand({ TableName })).catch(() => undefined)) === undefined);
  faults = new Map();
  warnings = [];
  client = connect();
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const fault = faults.get(context['commandName'] as string)?.();
      if (fault) throw fault;
      return next(args);
    },
    { step: 'initialize' },
  );
  dedupe = newDedupe();
});
afterEach(() => {
  client.destroy();
  vi.useRealTimers();
});

const contextWith = (remainingMs: number) => ({ getRemainingTimeInMillis: () => remainingMs }) as Context;
const context = contextWith(60_000);
const records = async () =>
  ((await table.send(new ScanCommand({ TableName }))).Items ?? []).map((item) => unmarshall(item));
const statuses = async () => (await records()).map((record) => record['status'] as string);

/** Work that counts how often it was done. */
function countedWork<T>(answer: () => Promise<T>) {
  const seen = { runs: 0 };
  return {
    seen,
    work: () => {
      seen.runs += 1;
      return answer();
    },
  };
}
const succeeding = () => countedWork(async () => ANSWER);

describe('the first delivery', () => {
  it('runs, and is completed for an hour', async () => {
    const { seen, work } = succeeding();
    expect(await dedupe(KEY, context, work)).toStrictEqual(ANSWER);
    expect(seen.runs).toBe(1);
    expect(await records()).toMatchObject([
      { status: 'COMPLETED', data: ANSWER, expiration: (NOW + hour) / 1_000 },
    ]);
    expect(warnings).toEqual([]);
  });
  it('is in progress while it runs, until its own Lambda deadline', async () => {
    const during: unknown[] = [];
    const look = async () => {
      during.push(...(await records()));
      return ANSWER;
    };
    await dedupe('one', contextWith(60_000), look);
    expect(during).toMatchObject([{ status: 'INPROGRESS', in_progress_expiration: NOW + 60_000 }]);
    during.length = 0;
    await dedupe('two', contextWith(20_000), look);
    expect(during).toContainEqual(
      expect.objectContaining({ status: 'INPROGRESS', in_progress_expiration: NOW + 20_000 }),
    );
  });
});

describe('a delivery that was completed', () => {
  it.each([
    ['the same process', () => dedupe],
    ['another process', () => newDedupe()],
  ])('is suppressed in %s, and answered as before', async (_, second) => {
    await dedupe(KEY, context, succeeding().work);
    const { seen, work } = succeeding();
    expect(await second()(KEY, context, work)).toStrictEqual(ANSWER);
    expect(seen.runs).toBe(0);
    expect(warnings).toEqual([]);
  });
  it('does not suppress another', async () => {
    await dedupe(KEY, context, succeeding().work);
    const { seen, work } = succeeding();
    await dedupe(`${KEY}#2`, context, work);
    expect(seen.runs).toBe(1);
  });
  it.each([
    ['within the hour is suppressed', hour - 1_000, 0],
    ['after an hour runs again', hour + 1_000, 1],
  ])('%s', async (_, laterMs, runs) => {
    await dedupe(KEY, context, succeeding().work);
    vi.setSystemTime(NOW + laterMs);
    const { seen, work } = succeeding();
    expect(await dedupe(KEY, context, work)).toStrictEqual(ANSWER);
    expect(seen.runs).toBe(runs);
  });
});

describe('a delivery that is in progress', () => {
  it('does not hold up the next, which goes on beside it', async () => {
    const gate = Promise.withResolvers<typeof ANSWER>();
    const begun = Promise.withResolvers<void>();
    const first = dedupe(KEY, context, () => {
      begun.resolve();
      return gate.promise;
    });
    await begun.promise;
    const second = succeeding();
    expect(await newDedupe()(KEY, context, second.work)).toStrictEqual(ANSWER);
    expect(second.seen.runs).toBe(1);
    expect(warnings).toMatchObject([{ facts: { key: KEY, begun: false } }]);
    gate.resolve(ANSWER);
    await first;
    const third = succeeding();
    await dedupe(KEY, context, third.work);
    expect(third.seen.runs).toBe(0);
  });
  it('beyond the deadline of its invocation has crashed: the next runs and is completed', async () => {
    const begun = Promise.withResolvers<void>();
    const crashed = dedupe(KEY, contextWith(10_000), () => {
      begun.resolve();
      return new Promise(() => undefined);
    });
    crashed.catch(() => undefined);
    await begun.promise;
    vi.setSystemTime(NOW + 10_001);
    const { seen, work } = succeeding();
    await newDedupe()(KEY, context, work);
    expect(seen.runs).toBe(1);
    expect(await statuses()).toEqual(['COMPLETED']);
    expect(warnings).toEqual([]);
  });
});

describe('a table that cannot be used', () => {
  const outages: [string, Error][] = [
    ['does not answer', timeoutError()],
    ['is out of reach', socketError('ECONNREFUSED')],
    ['throttles', awsError('ProvisionedThroughputExceededException', 400)],
    ['is not there', awsError('ResourceNotFoundException', 400)],
    ['is forbidden', awsError('AccessDeniedException', 400)],
  ];
  it.each(outages)('at the start, because it %s, does not stop the work', async (_, error) => {
    faults.set('PutItemCommand', () => error);
    const { seen, work } = succeeding();
    expect(await dedupe(KEY, context, work)).toStrictEqual(ANSWER);
    expect(seen.runs).toBe(1);
    expect(warnings).toMatchObject([{ facts: { key: KEY, begun: false } }]);
  });
  it.each(outages)('at the end, because it %s, does not run the work twice', async (_, error) => {
    faults.set('UpdateItemCommand', () => error);
    const { seen, work } = succeeding();
    expect(await dedupe(KEY, context, work)).toStrictEqual(ANSWER);
    expect(seen.runs).toBe(1);
    expect(warnings).toMatchObject([{ facts: { key: KEY, begun: true } }]);
    expect(await statuses()).toEqual(['INPROGRESS']);
  });
  it('leaves the error of failed work what it is, and does not run it twice', async () => {
    const broken = new Error('not looked at');
    faults.set('PutItemCommand', timeoutError);
    faults.set('DeleteItemCommand', timeoutError);
    const { seen, work } = countedWork(() => Promise.reject(broken));
    await expect(dedupe(KEY, context, work)).rejects.toBe(broken);
    expect(seen.runs).toBe(1);
  });
  it('when a record of an earlier delivery should be read does not stop the work', async () => {
    await dedupe(KEY, context, succeeding().work);
    faults.set('GetItemCommand', timeoutError);
    const { seen, work } = succeeding();
    expect(await dedupe(KEY, context, work)).toStrictEqual(ANSWER);
    expect(seen.runs).toBe(1);
  });
});

describe('a record that cannot be understood', () => {
  it('does not stop the work', async () => {
    await dedupe(KEY, context, succeeding().work);
    const [record] = await records();
    await table.send(
      new UpdateItemCommand({
        TableName,
        Key: marshall({ id: record?.['id'] }),
        UpdateExpression: 'SET #status = :odd',
        ExpressionAttributeNames: { '#status': 'status' },
        ExpressionAttributeValues: marshall({ ':odd': 'ODD' }),
      }),
    );
    const { seen, work } = succeeding();
    expect(await dedupe(KEY, context, work)).toStrictEqual(ANSWER);
    expect(seen.runs).toBe(1);
  });
});

describe('work that fails', () => {
  const broken = new Error('not looked at');
  const failing = () => countedWork(() => Promise.reject(broken));

  it('fails with its own error, leaves no record, and runs when it is delivered again', async () => {
    const { seen, work } = failing();
    await expect(dedupe(KEY, context, work)).rejects.toBe(broken);
    expect(seen.runs).toBe(1);
    expect(await records()).toEqual([]);
    const again = succeeding();
    expect(await dedupe(KEY, context, again.work)).toStrictEqual(ANSWER);
    expect(again.seen.runs).toBe(1);
  });
  it('fails with its own error when the record cannot be deleted, and is not completed', async () => {
    faults.set('DeleteItemCommand', timeoutError);
    const { seen, work } = failing();
    await expect(dedupe(KEY, context, work)).rejects.toBe(broken);
    expect(seen.runs).toBe(1);
    expect(await statuses()).toEqual(['INPROGRESS']);
  });
  it('beside one in progress fails with its own error, once', async () => {
    const begun = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<typeof ANSWER>();
    const first = dedupe(KEY, context, () => {
      begun.resolve();
      return gate.promise;
    });
    await begun.promise;
    const { seen, work } = failing();
    await expect(dedupe(KEY, context, work)).rejects.toBe(broken);
    expect(seen.runs).toBe(1);
    gate.resolve(ANSWER);
    expect(await first).toStrictEqual(ANSWER);
  });
});

describe('a missing key', () => {
  it('is an error, and nothing runs', async () => {
    const { seen, work } = succeeding();
    await expect(dedupe('', context, work)).rejects.toThrow();
    expect(seen.runs).toBe(0);
    expect(await records()).toEqual([]);
  });
});
