/** The strips of what clients saw: each cell shows the worst of it, and every line fits. */
import { describe, expect, it } from 'vitest';
import { widthOf } from '../../../demo/screen.ts';
import { drawStrips, legend, toCells } from '../../../demo/stateful/strip.ts';
import type { Attempt, Result } from '../../../demo/stateful/writer.ts';
import { marked, plain } from '../made-up.ts';

const attempt = (sentAtMs: number, result: Result): Attempt => ({ id: `w${sentAtMs}`, sentAtMs, result });
const every100Ms = (toMs: number, result: (ms: number) => Result) =>
  Array.from({ length: toMs / 100 }, (_, index) => attempt(index * 100, result(index * 100)));

describe('a cell', () => {
  const cell = (...results: Result[]) =>
    toCells(
      results.map((result) => attempt(0, result)),
      { fromMs: 0, toMs: 200, zeroMs: 0 },
      200,
    );

  it.each<[Result, Result[]]>([
    ['answered', ['answered', 'answered']],
    ['refused', ['answered', 'refused']],
    ['timed-out', ['refused', 'timed-out', 'answered']],
    ['pending', ['answered', 'pending']],
    ['timed-out', ['pending', 'timed-out']],
  ])('shows %s for %j', (shown, results) => {
    expect(cell(...results)).toEqual([shown]);
  });

  it('shows nothing where nothing was sent', () => {
    expect(cell()).toEqual([undefined]);
  });

  it('leaves out what was sent before the period and after it', () => {
    const attempts = [attempt(-1, 'refused'), attempt(0, 'answered'), attempt(200, 'refused')];
    expect(toCells(attempts, { fromMs: 0, toMs: 200, zeroMs: 0 }, 200)).toEqual(['answered']);
  });
});

describe('the strips', () => {
  const attempts = every100Ms(4_000, (ms) =>
    ms < 2_000 ? 'answered' : ms < 3_000 ? 'timed-out' : 'refused',
  );
  const tracks = [
    { label: 'one', attempts },
    { label: 'other', attempts },
  ];

  it('tell without colours what is answered, refused and dark', () => {
    const { lines, cellMs } = drawStrips(tracks, { fromMs: 0, toMs: 4_000, zeroMs: 1_000 }, plain(80));
    expect(cellMs).toBe(200);
    expect(lines).toEqual([
      '    -1.0 s  one    ██████████·····▄▄▄▄▄',
      '            other  ██████████·····▄▄▄▄▄',
    ]);
  });

  it('are painted run by run', () => {
    const { lines } = drawStrips(tracks, { fromMs: 0, toMs: 4_000, zeroMs: 0 }, marked(80));
    expect(lines[0]).toContain('<green>██████████</green><red>·····</red><yellow>▄▄▄▄▄</yellow>');
  });

  it.each([60, 80, 100])(
    'never are wider than a terminal of %i columns, and never more than four lines each',
    (columns) => {
      for (const seconds of [1, 10, 39, 120, 290]) {
        const long = [{ label: 'eni-failover', attempts: every100Ms(seconds * 1_000, () => 'answered') }];
        const { lines } = drawStrips(long, { fromMs: 0, toMs: seconds * 1_000, zeroMs: 0 }, plain(columns));
        expect(lines.length).toBeLessThanOrEqual(4);
        for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(columns);
      }
    },
  );

  it('have a legend that says how long a cell is', () => {
    expect(legend(500, plain(80))).toBe(
      'What each client saw, a cell is 0.5 s:  █ answered  ▄ refused  · timed out',
    );
  });
});
