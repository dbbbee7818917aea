/** Proves what people are told of the trail, on a table as the engine leaves it: pages, the chain, one episode. */
import { DeleteItemCommand, type DynamoDBClient, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { marshall } from '@aws-sdk/util-dynamodb';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  type AuditPorts,
  explainPast,
  findEpisode,
  findRecords,
  verifyTrail,
} from '../../shared/app/audit.ts';
import { makeStateTable } from '../../shared/aws/state-table.ts';
import { makeTrailTable } from '../../shared/aws/trail-table.ts';
import type { RecordsQuery, TrailPage, Verified } from '../../shared/core/audit-query.ts';
import { readCursor, toCursor } from '../../shared/core/cursor.ts';
import type { EpisodeId, ServiceName } from '../../shared/core/ids.ts';
import { startDynamoDb, type TestDynamoDb } from '../aws/dynalite.ts';
import { makeRetrying, START_MS } from '../aws/retrying.ts';
import {
  chained,
  emptyItem,
  episodeDraft,
  otherDraft,
  sha256,
  type WrittenTrail,
  writeTrails,
} from './written-trail.ts';

const ORDERS = 'orders-db' as ServiceName;
const BILLING = 'billing' as ServiceName;
const [a, b, c] = ['i-0aaaaaaaaaaaaaaa1', 'i-0bbbbbbbbbbbbbbb2', 'i-0ccccccccccccccc3'] as const;
const [front, other] = ['eni-0aaaaaaaaaaaaaa01', 'eni-0bbbbbbbbbbbbbb02'] as const;
const ANN = 'arn:aws:iam::123456789012:user/ann';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
/** Ten days back. */
const start = START_MS - 10 * day;

let dynamodb: TestDynamoDb;
beforeAll(async () => {
  dynamodb = await startDynamoDb();
});
afterAll(() => dynamodb.close());

let client: DynamoDBClient;
let table: string;
let ports: AuditPorts;
beforeEach(async () => {
  ({ client } = dynamodb);
  table = await dynamodb.makeTable();
  const retrying = makeRetrying();
  ports = { trail: makeTrailTable(client, table, retrying), hash: { sha256 }, clock: retrying.clock };
});

const failover = (service: string, epoch: number, atMs: number, outcome?: string) =>
  episodeDraft({
    service,
    epoch,
    atMs,
    from: epoch % 2 ? a : b,
    to: epoch % 2 ? b : a,
    eni: service === ORDERS ? front : other,
    ...(outcome !== undefined && { outcome }),
  });

/** Registered, moved every hour, refused, paused, and moved back by Ann. */
const orders = (): WrittenTrail =>
  chained(ORDERS, [
    otherDraft('change', start, 'REGISTERED', {}, { author: ANN, instances: [a, b], enis: [front] }),
    failover(ORDERS, 1, start + hour),
    failover(ORDERS, 2, start + 2 * hour, 'RETURNED_TO_SOURCE'),
    otherDraft('refusal', start + 3 * hour, 'NO_ELIGIBLE_STANDBY', {}, { instances: [a, c], enis: [front] }),
    otherDraft('pause', start + 2 * day, 'PAUSED', { reason: 'patching' }, { author: ANN }),
    otherDraft('resume', start + 2 * day + hour, 'RESUMED', {}, { author: ANN }),
    episodeDraft({
      service: ORDERS,
      epoch: 3,
      atMs: start + 5 * day,
      from: b,
      to: a,
      eni: front,
      author: ANN,
    }),
    failover(ORDERS, 4, start + 5 * day + hour),
  ]);
const billing = (): WrittenTrail =>
  chained(BILLING, [
    otherDraft('change', start + 5, 'REGISTERED', {}, { author: ANN, instances: [a, c], enis: [other] }),
    episodeDraft({ service: BILLING, epoch: 1, atMs: start + 3 * day, from: a, to: c, eni: other }),
  ]);

async function page(query: RecordsQuery): Promise<TrailPage> {
  const asked = await findRecords(ports, query);
  if (asked.kind !== 'answer') throw new Error(JSON.stringify(asked));
  return asked.answer;
}
const placesOf = ({ records }: TrailPage) => records.map(({ service, number }) => `${service} ${number}`);
const found = async (query: RecordsQuery) => placesOf(await page(query));

/** Every page to the end, and how many there were. */
async function pages(query: RecordsQuery): Promise<readonly TrailPage[]> {
  const all: TrailPage[] = [];
  for (let cursor: string | undefined; ; ) {
    const next = await page({ ...query, ...(cursor !== undefined && { cursor }) });
    all.push(next);
    if (next.cursor === null) return all;
    cursor = next.cursor;
  }
}

describe('records', { timeout: 30_000 }, () => {
  beforeEach(() => writeTrails(client, table, [orders(), billing()]));

  it('of a service come newest first, whole, with their hashes', async () => {
    const { records, cursor, missing } = await page({ service: ORDERS });
    expect(records.map(({ number }) => number)).toEqual([8, 7, 6, 5, 4, 3, 2, 1]);
    const { body = '', hash } = orders().records[7] ?? {};
    expect(records[0]).toEqual({ ...JSON.parse(body), hash });
    expect({ cursor, missing }).toEqual({ cursor: null, missing: [] });
  });
  it.each<[string, RecordsQuery, readonly string[]]>([
    ['of an instance', { instance: c as never }, ['billing 2', 'orders-db 4', 'billing 1']],
    ['of an interface', { interface: other as never }, ['billing 2', 'billing 1']],
    [
      'of a person',
      { author: ANN },
      ['orders-db 7', 'orders-db 6', 'orders-db 5', 'billing 1', 'orders-db 1'],
    ],
    [
      'of everything the controller did by itself',
      { author: 'eni-failover' },
      ['orders-db 8', 'billing 2', 'orders-db 4', 'orders-db 3', 'orders-db 2'],
    ],
    ['of an instance in one service', { instance: c as never, service: ORDERS }, ['orders-db 4']],
    [
      'of an instance on one interface',
      { instance: a as never, interface: other as never },
      ['billing 2', 'billing 1'],
    ],
    ['of a person in one service', { author: ANN, service: BILLING }, ['billing 1']],
    ['of the controller in one service', { author: 'eni-failover', service: BILLING }, ['billing 2']],
    ['of one kind', { service: ORDERS, kind: 'pause' }, ['orders-db 5']],
    ['of one outcome', { service: ORDERS, outcome: 'RETURNED_TO_SOURCE' }, ['orders-db 3']],
    ['of one outcome anywhere', { outcome: 'REGISTERED' }, ['billing 1', 'orders-db 1']],
    ['of one kind by a person', { author: ANN, kind: 'episode' }, ['orders-db 7']],
    ['of a day', { from: start + 3 * day, to: start + 4 * day }, ['billing 2']],
    ['of a service before a time', { service: ORDERS, to: start + 2 * hour }, ['orders-db 2', 'orders-db 1']],
    ['of a service since a time', { service: ORDERS, from: start + 5 * day }, ['orders-db 8', 'orders-db 7']],
    [
      'of an instance between two times',
      { instance: a as never, from: start + 5, to: start + 2 * hour },
      ['orders-db 2', 'billing 1'],
    ],
  ])('%s are found', async (_, query, expected) => {
    expect(await found(query)).toEqual(expected);
  });
  it('include the moment that they are asked from, and not the one that they are asked to', async () => {
    const [one, two] = [start + hour, start + 2 * hour];
    expect(await found({ service: ORDERS, from: one, to: two })).toEqual(['orders-db 2']);
    expect(await found({ instance: b as never, from: one, to: two })).toEqual(['orders-db 2']);
    expect(await found({ from: one, to: two })).toEqual(['orders-db 2']);
  });

  it.each<[string, RecordsQuery]>([
    ['a service', { service: ORDERS }],
    ['an instance', { instance: a as never }],
    ['a person', { author: ANN }],
    ['every day', {}],
    ['a kind', { kind: 'episode' }],
    ['a service and an outcome', { service: ORDERS, outcome: 'COMPLETED' }],
    ['a service until a time', { service: ORDERS, to: start + 5 * day }],
  ])('of %s come on pages: all of them, each once, as without pages', async (_, query) => {
    const whole = await found({ ...query, limit: 100 });
    for (const limit of [1, 2, 3]) {
      const parts = await pages({ ...query, limit });
      expect(parts.flatMap(placesOf)).toEqual(whole);
      for (const { records, read } of parts) {
        expect(records.length).toBeLessThanOrEqual(limit);
        expect(read).toBeLessThanOrEqual(10 * limit + 10);
      }
    }
  });
  it('that are new do not shift the pages behind them', async () => {
    const first = await page({ service: ORDERS, limit: 3 });
    const more = chained(ORDERS, [failover(ORDERS, 5, START_MS)], orders().item);
    await writeTrails(client, table, [more]);
    const second = await page({ service: ORDERS, limit: 3, cursor: first.cursor ?? '' });
    expect(placesOf(second)).toEqual(['orders-db 5', 'orders-db 4', 'orders-db 3']);
  });
  it('go on with a cursor of their own question only', async () => {
    const { cursor } = await page({ service: ORDERS, limit: 1 });
    for (const query of [
      { service: BILLING, cursor: cursor ?? '' },
      { service: ORDERS, kind: 'pause' as const, cursor: cursor ?? '' },
      { service: ORDERS, cursor: 'made-up' },
      { service: ORDERS, cursor: btoa('{"asked":"x","place":{}}') },
    ])
      expect(await findRecords(ports, query)).toEqual({
        kind: 'invalid',
        problems: ['cursor: is not one of this question; ask again without it'],
      });
  });
  it('go on with no day that the calendar does not have', async () => {
    const query = { from: START_MS - 400 * 86_400_000, limit: 1 };
    const { cursor } = await page(query);
    const { asked } = readCursor(cursor ?? '') ?? {};
    for (const day of ['2026-99-99', '2026-11-00'])
      expect(
        await findRecords(ports, { ...query, cursor: toCursor({ asked: asked ?? '', place: { day } }) }),
      ).toEqual({
        kind: 'invalid',
        problems: ['cursor: is not one of this question; ask again without it'],
      });
  });
  it('a cursor takes a page of another size', async () => {
    const { cursor } = await page({ service: ORDERS, limit: 1 });
    expect((await page({ service: ORDERS, limit: 5, cursor: cursor ?? '' })).records).toHaveLength(5);
  });
  it('of a service that was never registered are no empty page', async () => {
    expect(await findRecords(ports, { service: 'odrers-db' as ServiceName })).toEqual({
      kind: 'absent',
      code: 'NO_SUCH_SERVICE',
      detail: 'odrers-db was never registered',
    });
  });
  it('of a service in a quiet time are an empty page', async () => {
    expect(await page({ service: ORDERS, from: START_MS })).toMatchObject({ records: [], cursor: null });
  });
  it('that something leads to and that are gone are named', async () => {
    await remove(`SERVICE#${ORDERS}`, 'TRAIL#000000000004');
    const { records, missing } = await page({ instance: c as never });
    expect(records).toHaveLength(2);
    expect(missing).toEqual([{ service: ORDERS, number: 4 }]);
  });
  it('of a service that are gone are named wherever the hole is, once', async () => {
    for (const number of [8, 5, 4, 1])
      await remove(`SERVICE#${ORDERS}`, `TRAIL#${String(number).padStart(12, '0')}`);
    for (const limit of [1, 2, 25]) {
      const parts = await pages({ service: ORDERS, limit });
      expect(parts.flatMap(placesOf)).toEqual([7, 6, 3, 2].map((number) => `orders-db ${number}`));
      expect(parts.flatMap(({ missing }) => missing.map(({ number }) => number))).toEqual([8, 5, 4, 1]);
    }
    expect((await page({ service: ORDERS, kind: 'episode' })).missing).toEqual([]);
  });
  it('of a service in a time that are gone are named, also where the time begins or ends at them', async () => {
    await remove(`SERVICE#${ORDERS}`, 'TRAIL#000000000004');
    const missingIn = async (query: RecordsQuery) =>
      (await page({ service: ORDERS, ...query })).missing.map(({ number }) => number);
    expect(await missingIn({ from: start + 2.5 * hour, to: start + 4 * day })).toEqual([4]);
    expect(await missingIn({ to: start + 3.5 * hour })).toEqual([4]);
    expect(await missingIn({ from: start + 4 * day })).toEqual([]);
    expect(await missingIn({ to: start + 1.5 * hour })).toEqual([]);
  });
  it('of a service that are frozen and not copied yet are not gone', async () => {
    const { item, records } = orders();
    const [last] = records.slice(-1);
    const written = { item: { ...item, ...(last && { frozen: last }) }, records: records.slice(0, -1) };
    await remove(`SERVICE#${ORDERS}`, 'TRAIL#000000000008');
    await writeTrails(client, table, [written]);
    expect((await page({ service: ORDERS })).missing).toEqual([]);
  });
  it('of an older version are found by what their text says', async () => {
    const [key, ...names] = [{ pk: `SERVICE#${ORDERS}`, sk: 'TRAIL#000000000005' }, 'outcome', 'author'];
    await set(
      key,
      'body',
      JSON.stringify({
        service: ORDERS,
        number: 5,
        kind: 'pause',
        at: iso(start + 2 * day),
        author: ANN,
        previous: '',
      }),
    );
    for (const name of names) await set(key, name as string, undefined);
    expect(await found({ service: ORDERS, outcome: 'PAUSED' })).toEqual(['orders-db 5']);
    expect(await found({ service: ORDERS, outcome: 'RESUMED' })).toEqual(['orders-db 6']);
  });
  it('whose text is no record any more are shown as what they are', async () => {
    await set({ pk: `SERVICE#${ORDERS}`, sk: 'TRAIL#000000000005' }, 'body', 'nonsense');
    const { records } = await page({ service: ORDERS });
    expect(records[3]).toMatchObject({ number: 5, outcome: 'UNREADABLE', text: 'nonsense' });
  });
  it('go back over many days without one in a bounded number of calls', async () => {
    const years = chained('old-one', [failover('old-one', 1, START_MS - 300 * day)]);
    await writeTrails(client, table, [years]);
    const parts = await pages({ to: start });
    expect(parts.length).toBeGreaterThan(2);
    expect(parts.flatMap(placesOf)).toEqual(['old-one 1']);
  });
});

const iso = (atMs: number) => new Date(atMs).toISOString();

const remove = (pk: string, sk: string) =>
  client.send(new DeleteItemCommand({ TableName: table, Key: marshall({ pk, sk }) }));
const set = (key: object, name: string, value: unknown) =>
  client.send(
    new UpdateItemCommand({
      TableName: table,
      Key: marshall(key),
      UpdateExpression: value === undefined ? 'REMOVE #key' : 'SET #key = :value',
      ExpressionAttributeNames: { '#key': name },
      ...(value !== undefined && { ExpressionAttributeValues: marshall({ ':value': value }) }),
    }),
  );

describe('one episode', () => {
  it('comes with all its steps', async () => {
    await writeTrails(client, table, [orders(), billing()]);
    const asked = await findEpisode(ports, 'orders-db.3');
    if (asked.kind !== 'answer') throw new Error(asked.kind);
    const { record } = asked.answer;
    expect(record).toMatchObject({ number: 7, outcome: 'COMPLETED', episode: { id: 'orders-db.3' } });
    expect(record.episode.steps.map(({ step }) => step)).toEqual(
      expect.arrayContaining(['detach', 'verified']),
    );
  });
  it('comes out of the item while its record is not copied yet', async () => {
    const { item, records } = chained(ORDERS, [failover(ORDERS, 1, start)]);
    await writeTrails(client, table, [
      { item: { ...item, ...(records[0] && { frozen: records[0] }) }, records: [] },
    ]);
    expect(await findEpisode(ports, 'orders-db.1')).toMatchObject({
      kind: 'answer',
      answer: { record: { number: 1, outcome: 'COMPLETED', hash: records[0]?.hash } },
    });
  });
  it.each<[string, EpisodeId]>([
    ['was never opened', 'orders-db.99'],
    ['belongs to no service', 'nobody.1'],
  ])('that %s is not found', async (_, id) => {
    await writeTrails(client, table, [orders()]);
    expect(await findEpisode(ports, id)).toEqual({
      kind: 'absent',
      code: 'NO_SUCH_EPISODE',
      detail: `no record of ${id}`,
    });
  });
});

describe('verify', { timeout: 30_000 }, () => {
  const verified = async (
    query: { service: ServiceName; cursor?: string } = { service: ORDERS },
    deadlineMs = Number.POSITIVE_INFINITY,
  ) => {
    const asked = await verifyTrail(ports, query, deadlineMs);
    if (asked.kind !== 'answer') throw new Error(JSON.stringify(asked));
    return asked.answer;
  };
  const keyOf = (number: number) => ({
    pk: `SERVICE#${ORDERS}`,
    sk: `TRAIL#${String(number).padStart(12, '0')}`,
  });
  const faultsOf = ({ faults }: Verified) => faults.map(({ number, why }) => `${number}: ${why}`);

  it('finds nothing wrong in a chain that nobody touched', async () => {
    await writeTrails(client, table, [orders()]);
    expect(await verified()).toEqual({
      service: ORDERS,
      records: 8,
      head: orders().item.trail.head,
      faults: [],
      cursor: null,
    });
  });
  it('counts a record that is frozen and not copied yet', async () => {
    const { item, records } = orders();
    const frozen = records.at(-1);
    await writeTrails(client, table, [
      { item: { ...item, ...(frozen && { frozen }) }, records: records.slice(0, -1) },
    ]);
    expect(await verified()).toMatchObject({ records: 8, head: item.trail.head, faults: [] });
  });
  it('takes a frozen record and its copy for one', async () => {
    const { item, records } = orders();
    const frozen = records.at(-1);
    await writeTrails(client, table, [{ item: { ...item, ...(frozen && { frozen }) }, records }]);
    expect(await verified()).toMatchObject({ records: 8, faults: [] });
  });
  it('of a service without records is well', async () => {
    await writeTrails(client, table, [{ item: emptyItem(ORDERS), records: [] }]);
    expect(await verified()).toMatchObject({ records: 0, head: '', faults: [] });
  });
  it('of a service that was never registered says so', async () => {
    expect(await verifyTrail(ports, { service: ORDERS }, Number.POSITIVE_INFINITY)).toMatchObject({
      kind: 'absent',
      code: 'NO_SUCH_SERVICE',
    });
  });

  describe('of a trail that somebody tampered with', () => {
    beforeEach(() => writeTrails(client, table, [orders()]));

    it('finds one byte of an episode that was changed', async () => {
      const { body = '' } = orders().records[2] ?? {};
      await set(keyOf(3), 'body', body.replace('RETURNED_TO_SOURCE', 'RETURNED_TO_SOURCF'));
      expect(faultsOf(await verified())).toEqual([
        '3: its text does not match its hash',
        '3: its row says another outcome than its text',
      ]);
    });
    it('finds a changed episode whose hash was made to fit', async () => {
      const body = (orders().records[2]?.body ?? '').replace('RETURNED_TO_SOURCE', 'COMPLETED');
      await set(keyOf(3), 'body', body);
      await set(keyOf(3), 'hash', sha256(body));
      await set(keyOf(3), 'outcome', 'COMPLETED');
      expect(faultsOf(await verified())).toEqual(['4: it does not follow the record before it']);
    });
    it('finds a record that was deleted', async () => {
      await remove(keyOf(5).pk, keyOf(5).sk);
      expect(faultsOf(await verified())).toEqual([
        '6: a record before it is missing',
        '6: it does not follow the record before it',
      ]);
    });
    it('finds that the first record was deleted', async () => {
      await remove(keyOf(1).pk, keyOf(1).sk);
      expect(faultsOf(await verified())[0]).toBe('2: a record before it is missing');
    });
    it('finds that the last records were deleted', async () => {
      for (const number of [7, 8]) await remove(keyOf(number).pk, keyOf(number).sk);
      expect(faultsOf(await verified())).toEqual([
        '8: the service counts 8 records; the last ones are missing',
        "6: the service's head hash is another one",
      ]);
    });
    it('finds a tail that was written anew with hashes that fit', async () => {
      const { records } = orders();
      const drafts = [7, 8].map((number) => otherDraft('recovered', start + number * day, 'RECOVERED'));
      const forged = chained(ORDERS, drafts, {
        ...emptyItem(ORDERS),
        trail: { next: 7, head: records[5]?.hash ?? '' },
      });
      for (const { number, body, hash, kind, outcome, author, atMs } of forged.records)
        for (const [key, value] of Object.entries({ body, hash, kind, outcome, author, atMs }))
          await set(keyOf(number), key, value);
      expect(faultsOf(await verified())).toEqual(["8: the service's head hash is another one"]);
    });
    it('finds a record that the service does not count', async () => {
      const { records } = chained(ORDERS, [failover(ORDERS, 9, START_MS)], orders().item);
      const store = makeStateTable(client, table, makeRetrying());
      for (const record of records) await store.copyToTrail(ORDERS, record);
      expect(faultsOf(await verified())).toEqual(['9: the service does not count this record']);
    });
    it('finds a row that queries would sort by what its text does not say', async () => {
      await set(keyOf(3), 'kind', 'readiness');
      expect(faultsOf(await verified())).toEqual(['3: its row says another kind than its text']);
    });
    it('finds a copy that is not the record which is frozen', async () => {
      const { item, records } = orders();
      const frozen = records.at(-1);
      const { body } = chained(ORDERS, [otherDraft('recovered', start, 'RECOVERED')], {
        ...item,
        trail: { next: 8, head: records[6]?.hash ?? '' },
      }).records[0] ?? { body: '' };
      await set({ pk: keyOf(1).pk, sk: 'SERVICE' }, 'frozen', frozen && { ...frozen });
      await set(keyOf(8), 'body', body);
      await set(keyOf(8), 'hash', sha256(body));
      expect(faultsOf(await verified())).toContain(
        "8: the copy is not the record that is frozen in the service's item",
      );
    });
    it('says so when the item itself cannot be understood', async () => {
      await set({ pk: keyOf(1).pk, sk: 'SERVICE' }, 'trail', 'none');
      const { records, faults } = await verified();
      expect(records).toBe(8);
      expect(faults[0]?.why).toMatch(/^the service's item cannot be understood/);
    });
  });

  it('of a long chain goes on with a cursor where time ran out, and finds the same', async () => {
    const drafts = Array.from({ length: 450 }, (_, index) =>
      failover(ORDERS, index + 1, start + index * minute),
    );
    const { item, records } = chained(ORDERS, drafts);
    await writeTrails(client, table, [{ item, records }]);
    await set(keyOf(300), 'body', '{}');
    const parts: Verified[] = [];
    for (let cursor: string | undefined; ; ) {
      const part = await verified({ service: ORDERS, ...(cursor && { cursor }) }, 0);
      parts.push(part);
      if (part.cursor === null) break;
      cursor = part.cursor;
    }
    expect(parts.map((part) => part.records)).toEqual([200, 200, 50]);
    expect(parts.at(-1)?.head).toBe(item.trail.head);
    expect(parts.flatMap(faultsOf)).toEqual([
      '300: its text does not match its hash',
      '300: it does not follow the record before it',
    ]);
    expect(await verifyTrail(ports, { service: BILLING, cursor: parts[0]?.cursor ?? '' }, 0)).toMatchObject({
      kind: 'invalid',
    });
  });
});

describe('explain at a past time', () => {
  const explained = async (at: number) => {
    const asked = await explainPast(ports, { service: ORDERS, at });
    if (asked.kind !== 'answer') throw new Error(JSON.stringify(asked));
    return asked.answer;
  };

  it('reads the records around that time, whatever came later', async () => {
    await writeTrails(client, table, [orders()]);
    const { answer, at } = await explained(start + 5 * day - 3_000);
    expect(at).toBe(iso(start + 5 * day - 3_000));
    expect(answer).toMatchObject({
      verdict: 'acting',
      episode: { id: 'orders-db.3', end: { number: 7, outcome: 'COMPLETED' } },
      lastEpisode: { number: 3 },
    });
  });
  it('knows the episode that is open now', async () => {
    const { item } = orders();
    const { episode } = episodeDraft({
      service: ORDERS,
      epoch: 9,
      atMs: START_MS,
      from: a,
      to: b,
      eni: front,
    }).facts;
    await writeTrails(client, table, [{ ...orders(), item: { ...item, episode: episode as never } }]);
    expect((await explained(START_MS)).answer).toMatchObject({
      verdict: 'acting',
      episode: { id: 'orders-db.9', end: null },
    });
  });
  it('knows the record that is not copied yet', async () => {
    const { item, records } = orders();
    const frozen = records.at(-1);
    await writeTrails(client, table, [
      { item: { ...item, ...(frozen && { frozen }) }, records: records.slice(0, -1) },
    ]);
    expect((await explained(START_MS)).answer).toMatchObject({
      lastEpisode: { id: 'orders-db.4', number: 8 },
    });
  });
  it('of a service that was never registered says so', async () => {
    expect(await explainPast(ports, { service: BILLING, at: start })).toMatchObject({
      kind: 'absent',
      code: 'NO_SUCH_SERVICE',
    });
  });
});

describe('what was done to everything', { timeout: 30_000 }, () => {
  const store = () => makeStateTable(client, table, makeRetrying());
  const until = iso(start + 2 * day);
  const drafts = [
    otherDraft(
      'pause',
      start + day,
      'CONTROLLER_PAUSED',
      { reason: 'network works', until },
      { author: ANN },
    ),
    otherDraft('ack', start + day + hour, 'BRAKE_RELEASED', { zone: 'us-east-1a' }, { author: ANN }),
    otherDraft('resume', start + day + 2 * hour, 'CONTROLLER_RESUMED', { reason: 'done' }),
  ];
  const keyOf = (number: number) => ({ pk: 'CONTROLLER', sk: `TRAIL#${String(number).padStart(12, '0')}` });

  /** Frozen one after the other; the last `left` of them are not copied yet. */
  async function record(all = drafts, left = 0): Promise<void> {
    const { records } = chained('*', all);
    for (const frozen of records) {
      const before = await store().readControllerItem();
      const trail = { next: frozen.number + 1, head: frozen.hash };
      await store().writeControllerItem(before, { name: '*', trail, frozen });
      if (frozen.number <= records.length - left) {
        await store().copyToTrail('*', frozen);
        await store().clearControllerFrozen(frozen.number);
      }
    }
  }
  const verified = async () => {
    const asked = await verifyTrail(ports, { service: '*' }, Number.POSITIVE_INFINITY);
    if (asked.kind !== 'answer') throw new Error(JSON.stringify(asked));
    const { records, faults } = asked.answer;
    return { records, faults: faults.map(({ number, why }) => `${number}: ${why}`) };
  };

  it('is found by the name *, by author, by day, and among the records of all', async () => {
    await record();
    await writeTrails(client, table, [orders()]);
    expect(await found({ service: '*' })).toEqual(['* 3', '* 2', '* 1']);
    expect(await found({ service: '*', to: start + day + hour })).toEqual(['* 1']);
    expect(await found({ author: ANN, from: start + day, to: start + 2 * day })).toEqual(['* 2', '* 1']);
    expect(await found({ from: start + day, to: start + 2 * day })).toEqual(['* 3', '* 2', '* 1']);
    expect(await found({ service: ORDERS, kind: 'pause' })).toEqual(['orders-db 5']);
    expect((await page({ service: '*', kind: 'pause' })).records).toMatchObject([
      { service: '*', number: 1, outcome: 'CONTROLLER_PAUSED', author: ANN, reason: 'network works' },
    ]);
  });
  it('that is nothing yet is an empty page and a whole chain, not a name that was misspelt', async () => {
    expect(await found({ service: '*' })).toEqual([]);
    expect(await verified()).toEqual({ records: 0, faults: [] });
  });
  it('is verified as a service’s chain is, with what is not copied yet', async () => {
    await record(drafts, 1);
    expect(await verified()).toEqual({ records: 3, faults: [] });
  });
  it('that somebody changed, deleted or added is found', async () => {
    await record();
    const body = (chained('*', drafts).records[0]?.body ?? '').replace('network works', 'nothing at all');
    await set(keyOf(1), 'body', body);
    expect((await verified()).faults).toEqual(['1: its text does not match its hash']);
    await set(keyOf(1), 'hash', sha256(body));
    expect((await verified()).faults).toEqual(['2: it does not follow the record before it']);
    await remove(keyOf(3).pk, keyOf(3).sk);
    expect((await verified()).faults).toContain('3: the service counts 3 records; the last ones are missing');
    await set({ pk: 'CONTROLLER', sk: 'STATE' }, 'trail', undefined);
    expect((await verified()).faults).toContain('1: the service does not count this record');
    await set({ pk: 'CONTROLLER', sk: 'STATE' }, 'trail', { next: 'x' });
    expect((await verified()).faults.at(-1)).toContain('cannot be understood');
  });
  it.each([
    ['copied', 0],
    ['still frozen', 1],
  ])('answers whether everything was paused at a past time, %s', async (_, left) => {
    await writeTrails(client, table, [orders()]);
    await record(drafts.slice(0, 1), left);
    const at = async (atMs: number) => {
      const asked = await explainPast(ports, { service: ORDERS, at: atMs });
      return asked.kind === 'answer' ? asked.answer.answer : undefined;
    };
    expect(await at(start + day + minute)).toMatchObject({
      sentence: expect.stringContaining('CONTROLLER_PAUSED (by '),
      blockers: expect.arrayContaining([expect.objectContaining({ code: 'CONTROLLER_PAUSED' })]),
      controllerPause: { number: 1, author: ANN, until },
    });
    expect(await at(start + day - minute)).toMatchObject({ controllerPause: null });
    expect(await at(start + 3 * day)).toMatchObject({ controllerPause: null });
  });
});
