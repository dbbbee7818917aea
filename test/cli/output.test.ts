/** Proves that columns line up, that nothing a person has to copy is cut, and that colours keep to the terminal. */
import { describe, expect, it } from 'vitest';
import { ago, sheet, spanOf, type Terminal, table, wrapped } from '../../cli/output.ts';
import { narrow, pipe } from './screen.ts';

const marked: Terminal = { columns: 40, style: (style, text) => `<${style}>${text}</${style}>` };

describe('words that are no table', () => {
  it('are wrapped at the edge of the terminal, with their spaces as they are', () => {
    expect(wrapped('orders-db  one two three', { columns: 14 })).toBe('orders-db  one\ntwo three');
    expect(wrapped('orders-db  one two three', pipe)).toBe('orders-db  one two three');
    expect(wrapped('', narrow)).toBe('');
  });

  it('do not count their colours, and are never cut', () => {
    expect(wrapped('\u001b[31mone two\u001b[39m', { columns: 7 })).toBe('\u001b[31mone two\u001b[39m');
    expect(wrapped('an i-0aaaaaaaaaaaaaaa1', { columns: 10 })).toBe('an\ni-0aaaaaaaaaaaaaaa1');
  });
});

describe('a sheet', () => {
  const words = 'one two three four five six seven eight nine ten eleven twelve thirteen fourteen';

  it('wraps its text at the edge of the terminal and says a repeated label once', () => {
    const lines = [
      { label: 'standby', subject: 'i-1', text: words },
      { label: 'standby', subject: 'i-2', text: 'eligible' },
      { label: 'trail', text: words },
    ];
    expect(`\n${sheet(lines, narrow)}\n`).toMatchInlineSnapshot(`
      "
      standby  i-1  one two three four five six seven eight nine ten eleven twelve
                    thirteen fourteen
               i-2  eligible
      trail    one two three four five six seven eight nine ten eleven twelve thirteen
               fourteen
      "
    `);
  });

  it('never cuts a word that is longer than the line', () => {
    const arn = `arn:aws:cloudwatch:us-east-1:123456789012:alarm:${'replica-lag-'.repeat(6)}`;
    const shown = sheet(
      [{ label: 'standby', subject: 'i-0123456789abcdef0', text: `NOT_READY ${arn}` }],
      narrow,
    );
    expect(shown).toContain(arn);
  });

  it('puts commands at the right where there is room for all of them, else beneath, and never wraps them', () => {
    const lines = [
      { label: 'PAUSED', text: 'by ann', command: 'eni-failover resume orders-db' },
      { label: 'NOT_READY', text: 'a replica lags behind' },
    ];
    expect(sheet(lines, narrow)).toBe(
      'PAUSED     by ann                 eni-failover resume orders-db\nNOT_READY  a replica lags behind',
    );
    expect(sheet(lines, { ...narrow, columns: 40 })).toBe(
      'PAUSED     by ann\n           eni-failover resume orders-db\nNOT_READY  a replica lags behind',
    );
  });

  it('does not wrap where nobody reads along', () => {
    expect(sheet([{ label: 'why', text: words }], pipe)).toBe(`why  ${words}`);
  });
});

describe('a table', () => {
  const rows = [
    [{ text: 'orders-db' }, { text: 'PAUSED, CONTROLLER_PAUSED, NO_ELIGIBLE_STANDBY' }],
    [{ text: 'x' }, { text: '' }],
  ];

  it('has one line for each row and ends at the edge of the terminal', () => {
    const lines = table(['SERVICE', 'WHY'], rows, { ...pipe, columns: 30 }).split('\n');
    expect(lines).toEqual(['SERVICE    WHY', 'orders-db  PAUSED, CONTROLLER…', 'x']);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(30);
  });

  it('wraps its last column where that is asked for, and cuts no word of it', () => {
    const shown = table(['SERVICE', 'WHY'], rows, { ...pipe, columns: 34 }, 'wrap');
    expect(`\n${shown}\n`).toMatchInlineSnapshot(`
      "
      SERVICE    WHY
      orders-db  PAUSED,
                 CONTROLLER_PAUSED,
                 NO_ELIGIBLE_STANDBY
      x
      "
    `);
  });

  it('is whole in a pipe', () => {
    expect(table(['SERVICE', 'WHY'], rows, pipe)).toContain('NO_ELIGIBLE_STANDBY');
  });
});

it('takes its colours from the terminal it is printed on', () => {
  expect(sheet([{ label: 'a', text: 'b', style: 'red' }], marked)).toContain('<red>b</red>');
  expect(sheet([{ label: 'a', text: 'b', style: 'red' }], pipe)).toBe('a  b');
});

it.each([
  [0, '0 s'],
  [89_400, '89 s'],
  [90_000, '2 min'],
  [3 * 3_600_000, '3 h'],
  [72 * 3_600_000, '3 days'],
])('says %d ms as people do', (ms, said) => {
  expect(spanOf(ms)).toBe(said);
});

it('says a time and how far off it is', () => {
  const nowMs = Date.parse('2026-11-21T02:00:00Z');
  expect(ago(nowMs - 360_000, nowMs)).toBe('2026-11-21 01:54:00Z (6 min ago)');
  expect(ago(nowMs + 3_600_000 * 2, nowMs)).toBe('2026-11-21 04:00:00Z (in 2 h)');
});
