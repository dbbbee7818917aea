/** Proves what a question costs among ten thousand episodes, in items read and calls made: never in time. */
import type { BatchGetItemCommandOutput, DynamoDBClient, QueryCommandOutput } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AuditPorts, findEpisode, findRecords, verifyTrail } from '../../shared/app/audit.ts';
import { makeTrailTable } from '../../shared/aws/trail-table.ts';
import type { RecordsQuery, TrailPage } from '../../shared/core/audit-query.ts';
import type { EniId, InstanceId, ServiceName } from '../../shared/core/ids.ts';
import { startDynamoDb, type TestDynamoDb } from '../aws/dynalite.ts';
import { makeRetrying } from '../aws/retrying.ts';
import { eniOf, firstAtMs, instanceOf, lastAtMs, people, serviceOf, tenThousand } from './ten-thousand.ts';
import { sha256, writeTrails } from './written-trail.ts';

const day = 24 * 60 * 60 * 1_000;

let dynamodb: TestDynamoDb;
let table: string;
beforeAll(async () => {
  dynamodb = await startDynamoDb();
  table = await dynamodb.makeTable();
  await writeTrails(dynamodb.client, table, tenThousand());
}, 300_000);
afterAll(() => dynamodb.close());

/** What the table itself says that was read, whatever the answer claims. */
function counting() {
  const count = { items: 0, calls: 0 };
  const client = {
    send: async (command: Parameters<DynamoDBClient['send']>[0]) => {
      const answer = await dynamodb.client.send(command);
      const { ScannedCount, Responses, Item } = answer as Partial<QueryCommandOutput> &
        Partial<BatchGetItemCommandOutput> & { readonly Item?: object };
      count.items += ScannedCount ?? Responses?.[table]?.length ?? (Item ? 1 : 0);
      count.calls += 1;
      return answer;
    },
  } as Pick<DynamoDBClient, 'send'>;
  const retrying = makeRetrying();
  const clock = { ...retrying.clock, now: () => lastAtMs };
  const ports: AuditPorts = { trail: makeTrailTable(client, table, retrying), hash: { sha256 }, clock };
  return { count, ports };
}

async function ask(query: RecordsQuery): Promise<TrailPage & { items: number; calls: number }> {
  const { count, ports } = counting();
  const asked = await findRecords(ports, query);
  if (asked.kind !== 'answer') throw new Error(asked.kind);
  expect(asked.answer.read).toBe(count.items);
  return { ...asked.answer, ...count };
}

const service = serviceOf(7) as ServiceName;
const instance = instanceOf(7, 1) as InstanceId;
const eni = eniOf(7) as EniId;
const [ann = ''] = people;

describe('among ten thousand episodes', { timeout: 60_000 }, () => {
  it.each([1, 25, 100])(
    '%i records of a service cost themselves and the look at how many there are',
    async (limit) => {
      const { records, items, calls } = await ask({ service, limit });
      expect(records).toHaveLength(limit);
      expect({ items, calls }).toEqual({ items: limit + 1, calls: 2 });
    },
  );
  it.each<[string, RecordsQuery]>([
    ['an instance', { instance }],
    ['an interface', { interface: eni }],
    ['a person', { author: ann }],
    ['the controller', { author: 'eni-failover' }],
    ['an instance since a day', { instance, from: firstAtMs }],
    ['an interface until a day', { interface: eni, to: lastAtMs - 100 * day }],
    ['a person between two days', { author: ann, from: firstAtMs, to: lastAtMs - 50 * day }],
  ])('those of %s cost themselves and the pointers to them', async (_, query) => {
    for (const limit of [1, 25]) {
      const { records, items, calls } = await ask({ ...query, limit });
      expect(records).toHaveLength(limit);
      expect({ items, calls }).toEqual({ items: 2 * limit, calls: 2 });
    }
  });
  it.each<[string, RecordsQuery]>([
    ['the newest', {}],
    ['those of a week', { from: firstAtMs + 70 * day, to: firstAtMs + 77 * day }],
    ['those since a day', { from: firstAtMs + 199 * day }],
  ])('%s cost themselves and the pointers to them', async (_, query) => {
    const { records, items, calls } = await ask({ ...query, limit: 100 });
    expect(records.length).toBeGreaterThanOrEqual(50);
    expect(items).toBe(2 * records.length);
    expect(calls).toBeLessThan(15);
  });
  it('those of a service in a week cost a search by halves beside themselves', async () => {
    const { records, items } = await ask({
      service,
      from: firstAtMs + 70 * day,
      to: firstAtMs + 77 * day,
      limit: 100,
    });
    expect(records).toHaveLength(9);
    // The page reads on below the week until it knows that it is over.
    expect(items).toBeLessThanOrEqual(100 + Math.ceil(Math.log2(250)) + 2);
  });
  it.each<[string, RecordsQuery]>([
    ['a service and an outcome', { service, outcome: 'STRANDED' }],
    ['a service and what nobody ever recorded', { service, outcome: 'NEVER' }],
    ['an outcome anywhere', { outcome: 'STRANDED' }],
    ['a kind that nobody ever recorded', { kind: 'pause' }],
    ['an instance and an outcome', { instance, outcome: 'STRANDED' }],
    ['an instance of another service', { instance, service: serviceOf(8) as ServiceName }],
    ['a person in a service', { author: ann, service }],
    ['the controller in a service, stranded', { author: 'eni-failover', service, outcome: 'STRANDED' }],
    ['an instance and an interface of another', { instance, interface: eniOf(8) as EniId }],
  ])('a page for %s costs at most ten times its limit, found or not', async (_, query) => {
    for (const limit of [1, 5, 25]) {
      const { items, records } = await ask({ ...query, limit });
      expect(items).toBeLessThanOrEqual(10 * limit + 1);
      expect(records.every((each) => query.outcome === undefined || each.outcome === query.outcome)).toBe(
        true,
      );
    }
  });
  it('page after page all that were asked for are found, each once', async () => {
    const found: string[] = [];
    for (let cursor: string | undefined; ; ) {
      const next = await ask({ outcome: 'STRANDED', limit: 100, ...(cursor && { cursor }) });
      found.push(...next.records.map((each) => `${each.service} ${each.number}`));
      if (next.cursor === null) break;
      cursor = next.cursor;
    }
    expect(found).toHaveLength(200);
    expect(new Set(found).size).toBe(200);
  });
  it('one episode costs itself and its pointer', async () => {
    const { count, ports } = counting();
    expect(await findEpisode(ports, 'service-07.200')).toMatchObject({ kind: 'answer' });
    expect(count).toEqual({ items: 2, calls: 2 });
  });
  it('a whole chain is verified', async () => {
    const { ports } = counting();
    expect(await verifyTrail(ports, { service }, Number.POSITIVE_INFINITY)).toMatchObject({
      answer: { records: 250, faults: [], cursor: null },
    });
  });
});
