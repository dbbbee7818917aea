/** Proves which moment is meant by what people type, and that nothing else is taken for one. */
import { InvalidArgumentError } from 'commander';
import { describe, expect, it } from 'vitest';
import { parseMoment } from '../../cli/moment.ts';

const nowMs = Date.parse('2026-11-21T02:30:00.000Z');
const understood = (text: string) => new Date(parseMoment(text).at(nowMs)).toISOString();

describe('a moment', () => {
  it.each([
    ['2026-11-20T02:11:09Z', '2026-11-20T02:11:09.000Z'],
    ['2026-11-20T02:11Z', '2026-11-20T02:11:00.000Z'],
    ['2026-11-20T02:11:09.123Z', '2026-11-20T02:11:09.123Z'],
    ['2026-11-20T03:11+01:00', '2026-11-20T02:11:00.000Z'],
    ['2026-11-20T03:11:00+0100', '2026-11-20T02:11:00.000Z'],
    // UTC, wherever the terminal stands.
    ['2026-11-20 02:11', '2026-11-20T02:11:00.000Z'],
    ['2026-11-20', '2026-11-20T00:00:00.000Z'],
    ['02:11', '2026-11-21T02:11:00.000Z'],
    ['2:11:30', '2026-11-21T02:11:30.000Z'],
    // Not in the future: yesterday's.
    ['02:31', '2026-11-20T02:31:00.000Z'],
    ['23:59Z', '2026-11-20T23:59:00.000Z'],
    ['10m', '2026-11-21T02:20:00.000Z'],
    [' 10m ago ', '2026-11-21T02:20:00.000Z'],
    ['1h30m', '2026-11-21T01:00:00.000Z'],
    ['90s', '2026-11-21T02:28:30.000Z'],
    ['2d', '2026-11-19T02:30:00.000Z'],
  ])('typed as %j is %s', (text, iso) => {
    expect(understood(text)).toBe(iso);
  });

  it.each([
    '',
    'yesterday',
    '24:00',
    '12:60',
    '10',
    'm',
    '10x',
    '2026-02-30',
    '2026-13-01T00:00Z',
    '2026-11-20T25:00Z',
    '20/11/2026',
  ])('is not %j', (text) => {
    expect(() => parseMoment(text)).toThrow(InvalidArgumentError);
    expect(() => parseMoment(text)).toThrow(
      /such as 2026-11-21T02:11Z, 2026-11-21 or 02:11, or how long ago/,
    );
  });
});
