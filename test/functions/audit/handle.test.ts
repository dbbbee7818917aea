/** Proves what comes back over the function URL: every problem named, and nothing but reading. */
import { describe, expect, it } from 'vitest';
import { handle } from '../../../functions/audit/handle.ts';
import type { Trail } from '../../../shared/app/ports.ts';
import { PortError } from '../../../shared/core/errors.ts';
import { absent } from '../../../shared/core/observation.ts';
import { chained, episodeDraft, sha256 } from '../../app/written-trail.ts';

const now = Date.parse('2026-11-21T02:11:00Z');

const { records, item } = chained('orders-db', [
  episodeDraft({
    service: 'orders-db',
    epoch: 1,
    atMs: now - 1_000,
    from: 'i-0aaaaaaaaaaaaaaa1',
    to: 'i-0bbbbbbbbbbbbbbb2',
    eni: 'eni-0aaaaaaaaaaaaaa01',
  }),
]);

/** One service with one episode, whatever is asked. */
const oneEpisode: Trail = {
  service: async (name) => (name === item.name ? { kind: 'known', value: item } : absent),
  newest: async (name) => (name === item.name ? { rows: records, read: 1 } : { rows: [], read: 0 }),
  oldest: async (_, from) => records.filter((each) => each.number >= from),
  pointers: async (partition) =>
    records[0]?.pointers.includes(partition)
      ? { rows: [{ sk: 'x', service: item.name, number: 1 }], read: 1 }
      : { rows: [], read: 0 },
  rows: async (keys) => (keys.length > 0 ? records.map((each) => ({ ...each, service: item.name })) : []),
};
const failing = (error: Error): Trail => ({ ...oneEpisode, newest: () => Promise.reject(error) });

const lines: unknown[] = [];
const log = {
  info: (...line: unknown[]) => void lines.push(line),
  warn: (...line: unknown[]) => void lines.push(line),
  error: (...line: unknown[]) => void lines.push(line),
};

async function get(address: string, { method = 'GET', trail = oneEpisode } = {}) {
  const [rawPath, rawQueryString = ''] = address.split('?');
  const clock = { now: () => now, sleep: async () => undefined };
  const event = { version: '2.0', rawPath, rawQueryString, requestContext: { http: { method } } };
  const answered = await handle(event, { trail, hash: { sha256 }, clock, log, deadlineMs: now + 10_000 });
  return { ...answered, body: JSON.parse(answered.body) };
}
const problemsOf = async (address: string): Promise<readonly string[]> => {
  const { statusCode, body } = await get(address);
  expect(statusCode).toBe(400);
  return body.problems;
};

describe('an answer', () => {
  it('is JSON that nobody keeps', async () => {
    expect(await get('/v1/records')).toMatchObject({
      statusCode: 200,
      headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
    });
  });
  it('to records holds them, a cursor, what was read and what is missing', async () => {
    const { body } = await get('/v1/records?service=orders-db&limit=5');
    expect(body).toEqual({
      records: [expect.objectContaining({ number: 1, outcome: 'COMPLETED', hash: records[0]?.hash })],
      cursor: null,
      read: 2,
      missing: [],
    });
  });
  it('to an episode holds its record', async () => {
    const { statusCode, body } = await get('/v1/episodes/orders-db.1');
    expect(statusCode).toBe(200);
    expect(body.record).toMatchObject({ kind: 'episode', episode: { id: 'orders-db.1' } });
  });
  it('to verify holds the faults', async () => {
    expect((await get('/v1/verify?service=orders-db')).body).toEqual({
      service: 'orders-db',
      records: 1,
      head: item.trail.head,
      faults: [],
      cursor: null,
    });
  });
  it('to explain holds what was known', async () => {
    const { body } = await get('/v1/explain?service=orders-db&at=2026-11-21T03:10:57%2B01:00');
    expect(body).toMatchObject({
      service: 'orders-db',
      at: '2026-11-21T02:10:57.000Z',
      answer: { verdict: 'acting' },
    });
  });
});

describe('what cannot be answered', () => {
  it('names every problem at once', async () => {
    const address =
      '/v1/records?service=Orders_DB&instance=x&interface=y&author=&from=yesterday&to=2026-13-01&kind=epsiode&outcome=done&limit=0&autor=ann';
    const problems = await problemsOf(address);
    expect(problems.map((each) => each.split(':')[0]).sort()).toEqual(
      [
        'author',
        'autor',
        'from',
        'instance',
        'interface',
        'kind',
        'limit',
        'outcome',
        'service',
        'to',
      ].sort(),
    );
    expect(problems).toContain('autor: is not a known key; did you mean author?');
  });
  it.each([
    ['/v1/records?limit=101', /^limit: must be a whole number from 1 to 100/],
    ['/v1/records?limit=2.5', /^limit: must be a whole number/],
    ['/v1/records?from=2026-11-21T02:11', /^from: must be a day such as/],
    ['/v1/records?from=2026-11-22&to=2026-11-21', /^from: must be earlier than to/],
    ['/v1/records?service=a&service=b', /^service: is given twice; give it once/],
    ['/v1/records?cursor=x', /^cursor: is not one of this question/],
    ['/v1/verify', /^service: is missing/],
    ['/v1/verify?service=orders-db&limit=1', /^limit: is not a known key/],
    ['/v1/verify?service=orders-db&cursor=x', /^cursor: is not one of this question/],
    ['/v1/explain?service=orders-db', /^at: is missing/],
    ['/v1/explain?service=orders-db&at=2127-01-01', /^at: that moment is still to come \(now is 20/],
    ['/v1/explain?at=2026-11-21', /^service: is missing/],
    ['/v1/episodes/orders-db', /^id: must be the id of an episode, such as orders-db\.7/],
    ['/v1/episodes/orders-db.1?steps=all', /^steps: is not a known key/],
  ])('%s is refused with its reason', async (address, problem) => {
    expect(await problemsOf(address)).toEqual([expect.stringMatching(problem)]);
  });
  it('with an author that has no room in a key, counted in bytes, is refused', async () => {
    const problems = await problemsOf(`/v1/records?author=${'%C3%BC'.repeat(501)}`);
    expect(problems).toEqual([expect.stringMatching(/^author: must be at most 1000 bytes/)]);
    expect((await get(`/v1/records?author=${'%C3%BC'.repeat(500)}`)).statusCode).toBe(200);
  });
  it.each([
    ['/v1/record', 'NO_SUCH_PATH', /did you mean \/v1\/records\?/],
    ['/', 'NO_SUCH_PATH', /known here: \/v1\/records/],
    ['/v2/records', 'NO_SUCH_PATH', /is not a known path/],
    ['/v1/records?service=unknown', 'NO_SUCH_SERVICE', /unknown was never registered/],
    ['/v1/verify?service=unknown', 'NO_SUCH_SERVICE', /unknown was never registered/],
    ['/v1/explain?service=unknown&at=2026-11-21', 'NO_SUCH_SERVICE', /unknown was never registered/],
    ['/v1/episodes/orders-db.2', 'NO_SUCH_EPISODE', /no record of orders-db\.2/],
  ])('%s is not found', async (address, code, detail) => {
    expect(await get(address)).toMatchObject({
      statusCode: 404,
      body: { code, detail: expect.stringMatching(detail) },
    });
  });
  it.each(['POST', 'PUT', 'DELETE', 'HEAD'])('a %s changes nothing here', async (method) => {
    expect(await get('/v1/records', { method })).toMatchObject({
      statusCode: 405,
      headers: { allow: 'GET' },
      body: { code: 'NOT_A_GET' },
    });
  });
  it('while the table is out of reach is told apart from nothing', async () => {
    const trail = failing(new PortError('throttled', 'ThrottlingException', 'slow down'));
    expect(await get('/v1/records?service=orders-db', { trail })).toMatchObject({
      statusCode: 503,
      body: { code: 'ThrottlingException', detail: 'ThrottlingException: slow down' },
    });
  });
  it('keeps what is unexpected in the log', async () => {
    const answered = await get('/v1/records?service=orders-db', {
      trail: failing(new Error('secret thing')),
    });
    expect(answered).toMatchObject({ statusCode: 500, body: { code: 'UNEXPECTED' } });
    expect(JSON.stringify(answered.body)).not.toContain('secret thing');
    expect(JSON.stringify(lines)).toContain('secret thing');
  });
  it('an event that is no request is no answer either', async () => {
    const clock = { now: () => now, sleep: async () => undefined };
    for (const event of [undefined, null, 'x', {}]) {
      const answered = await handle(event, {
        trail: oneEpisode,
        hash: { sha256 },
        clock,
        log,
        deadlineMs: now,
      });
      expect(answered.statusCode).toBe(405);
    }
  });
});
