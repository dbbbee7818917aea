/** Proves that an export is whole or not there, that its lines are never cut, and that no spreadsheet runs what it says. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AuditClient } from '../../cli/audit-client.ts';
import { type ExportOptions, exportCommand } from '../../cli/export.ts';
import { parseMoment } from '../../cli/moment.ts';
import { a, makeWorld, ordersDb, type World } from '../fakes/world.ts';
import { connectionTo, contextOf, type FakeScreen, makeFakeScreen, pipe } from './screen.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'cli-export-'));
});
afterEach(() => rmSync(directory, { recursive: true }));
const inDirectory = (name: string) => path.join(directory, name);

async function failedOver(): Promise<World> {
  const world = await makeWorld();
  world.ec2.impair(a);
  await world.look(world.alarm(a));
  return world;
}

async function exported(
  world: World,
  options: Partial<ExportOptions> = {},
  screen: FakeScreen = makeFakeScreen(),
) {
  const context = contextOf(world, { screen });
  // Not run by the virtual clock: files take real time.
  const answer = await exportCommand(ordersDb, { format: 'ndjson', ...options }, context);
  return { answer, text: screen.written.join(''), screen };
}

const record = {
  service: 'orders-db',
  number: 1,
  kind: 'ack',
  at: '2026-11-21T02:00:00.000Z',
  author: 'ann',
  outcome: 'ACKNOWLEDGED',
  reason: 'repaired',
  previous: '',
  hash: 'x',
  instances: ['i-1', 'i-2'],
  interfaces: [],
};

/** One page after the other, each with these records; `onPage` runs as it is asked for. */
async function overPages(
  pages: readonly (readonly object[])[],
  options: Partial<ExportOptions> = {},
  onPage: (page: number, screen: FakeScreen) => void = () => undefined,
) {
  const world = await makeWorld();
  const screen = makeFakeScreen();
  const asked: unknown[] = [];
  const audit: AuditClient = {
    get: async (_, parameters = {}) => {
      asked.push(parameters);
      const page = asked.length - 1;
      onPage(page, screen);
      const cursor = page + 1 < pages.length ? `c${page + 1}` : null;
      return { status: 200, body: { records: pages[page], cursor, read: 1, missing: [] } };
    },
  };
  const context = contextOf(world, { screen, connect: async () => ({ ...connectionTo(world), audit }) });
  const answer = await exportCommand(ordersDb, { format: 'ndjson', ...options }, context);
  return { answer, screen, asked, text: screen.written.join('') };
}

describe('NDJSON', () => {
  it('has one record in a line, newest first, as the trail has it', async () => {
    const { answer, text, screen } = await exported(await failedOver());
    const lines = text.split('\n');
    expect(lines.pop()).toBe('');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { number: 2, kind: 'episode', outcome: 'COMPLETED', hash: expect.stringMatching(/^[0-9a-f]{64}$/) },
      { number: 1, kind: 'change' },
    ]);
    expect(answer).toMatchObject({ outcome: 'done', isShown: true, data: { records: 2 } });
    expect(screen.remarks).toEqual(['2 records written as ndjson, newest first']);
  });

  it('is written page by page, each asked for with the cursor of the one before', async () => {
    const { screen, asked } = await overPages([[record], [], [{ ...record, number: 2 }]]);
    expect(screen.written.map((text) => text.split('\n').length - 1)).toEqual([1, 1]);
    expect(asked).toMatchObject([{ cursor: undefined }, { cursor: 'c1' }, { cursor: 'c2' }]);
  });

  it('ends between two pages when it is stopped', async () => {
    const { answer, text, asked } = await overPages(
      [[record], [record], [record]],
      {},
      (page, { stopping }) => {
        if (page === 1) stopping.abort();
      },
    );
    expect(asked).toHaveLength(2);
    expect(text).toBe(`${JSON.stringify(record)}\n`.repeat(2));
    expect(answer).toMatchObject({ outcome: 'refused', data: { code: 'STOPPED', records: 2 } });
    expect(answer.text(pipe)).toBe('stopped after 2 records');
  });
});

describe('CSV', () => {
  it('has a fixed header, once, and one line for each record', async () => {
    const { text } = await exported(await failedOver(), { format: 'csv' });
    const lines = text.split('\r\n');
    expect(lines[0]).toMatchInlineSnapshot(
      `"at,service,number,kind,outcome,author,summary,code,reason,episode,episode_kind,from,to,evidence,opened_at,closed_at,open_ms,detach_to_verified_ms,instances,interfaces,previous,hash"`,
    );
    expect(lines[1]?.replace(/[0-9a-f]{64}/g, '#')).toMatchInlineSnapshot(
      `"2026-11-21T02:01:03.819Z,orders-db,2,episode,COMPLETED,eni-failover,failover i-0aaaaaaaaaaaaaaa1 → i-0bbbbbbbbbbbbbbb2: system check impaired,,,orders-db.1,failover,i-0aaaaaaaaaaaaaaa1,i-0bbbbbbbbbbbbbbb2,system check impaired,2026-11-21T02:01:00.344Z,2026-11-21T02:01:03.819Z,3475,3460,i-0aaaaaaaaaaaaaaa1 i-0bbbbbbbbbbbbbbb2,eni-0aaaaaaaaaaaaaa01 eni-0aaaaaaaaaaaaaa02,#,#"`,
    );
    expect(lines).toHaveLength(4);
    expect(lines.at(-1)).toBe('');
    const pages = await overPages([[record], [record]], { format: 'csv' });
    expect(pages.text.match(/^at,/gm)).toHaveLength(1);
  });

  it('has its header also where there is nothing', async () => {
    const { text, answer } = await overPages([[]], { format: 'csv' });
    expect(text).toMatch(/^at,service,number,[^\n]*\r\n$/);
    expect(answer.data['records']).toBe(0);
  });

  it('quotes what would be taken apart', async () => {
    const reason = 'disk "sdb", replaced\nand checked';
    const { text } = await overPages([[{ ...record, reason }]], { format: 'csv' });
    expect(text).toContain(',"disk ""sdb"", replaced\nand checked",');
  });

  it.each(['=HYPERLINK("http://x")', '+1', '-1', '@SUM(A1)', '\tx', '＝1'])(
    'shows %j as text instead of calculating it',
    async (reason) => {
      const { text } = await overPages([[{ ...record, reason, author: reason }]], { format: 'csv' });
      const escaped = `'${reason}`.replaceAll('"', '""');
      expect(text).toContain(escaped);
      expect(text).not.toMatch(new RegExp(`,"?${reason.slice(0, 2).replace(/[+.*()@]/g, '\\$&')}`));
    },
  );
});

describe('a file', () => {
  it('appears when it is complete, in the place of the one before', async () => {
    const file = inDirectory('trail.ndjson');
    writeFileSync(file, 'before');
    const seen: string[] = [];
    const { answer, text, screen } = await overPages([[record], [record]], { file }, () =>
      seen.push(readFileSync(file, 'utf8')),
    );
    expect(seen).toEqual(['before', 'before']);
    expect(readFileSync(file, 'utf8')).toBe(`${JSON.stringify(record)}\n`.repeat(2));
    expect(readdirSync(directory)).toEqual(['trail.ndjson']);
    expect(text).toBe('');
    expect(screen.remarks).toEqual([`2 records written to ${file} as ndjson, newest first`]);
    expect(answer.isShown).toBe(true);
  });

  it('is described in JSON where that is asked for', async () => {
    const screen = makeFakeScreen({ format: 'json' });
    const file = inDirectory('trail.csv');
    const { answer } = await exported(await failedOver(), { format: 'csv', file }, screen);
    expect(answer.isShown).toBeUndefined();
    expect(answer.data).toMatchObject({ file, format: 'csv', records: 2, order: 'newest first', code: null });
    expect(screen.remarks).toEqual([]);
  });

  it.each<[string, (page: number, screen: FakeScreen) => void]>([
    ['is stopped', (_, { stopping }) => stopping.abort()],
    [
      'fails',
      (page) => {
        if (page === 1) throw new Error('out of reach');
      },
    ],
  ])('is not touched by an export that %s', async (_, onPage) => {
    const file = inDirectory('trail.ndjson');
    writeFileSync(file, 'before');
    const outcome = await overPages([[record], [record]], { file }, onPage).then(
      ({ answer }) => answer.text(pipe),
      (error: unknown) => String(error),
    );
    expect(outcome).toMatch(/was not touched|out of reach/);
    expect(readFileSync(file, 'utf8')).toBe('before');
    expect(readdirSync(directory)).toEqual(['trail.ndjson']);
  });

  it.each(['', 'nowhere/trail.csv'])('that cannot be there is named: %j', async (name) => {
    const file = inDirectory(name);
    await expect(overPages([[record]], { file })).rejects.toMatchObject({
      outcome: 'failed',
      message: expect.stringContaining(`${file} cannot be written: `),
    });
    expect(existsSync(inDirectory('nowhere'))).toBe(false);
    expect(readdirSync(directory)).toEqual([]);
  });
});

it('says which times were understood', async () => {
  const { screen } = await overPages([[record]], {
    since: parseMoment('2h'),
    until: parseMoment('2026-11-21'),
  });
  expect(screen.remarks).toEqual([
    '1 record written as ndjson, newest first, since 2026-11-21 00:01:00Z until 2026-11-21 00:00:00Z',
  ]);
});
