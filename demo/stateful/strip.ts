/** What clients saw, as strips of cells over time: answered, refused or timed out. Text in, text out. */
import type { Look, Style } from '../screen.ts';
import type { Attempt, Result } from './writer.ts';

export interface Track {
  readonly label: string;
  readonly attempts: readonly Attempt[];
}

export interface Period {
  readonly fromMs: number;
  readonly toMs: number;
  /** Where the clock stands at zero. */
  readonly zeroMs: number;
}

/** Distinct without colours too: what is dark leaves a gap. */
const signs: Readonly<Record<Result, { readonly sign: string; readonly style: Style }>> = {
  answered: { sign: '█', style: 'green' },
  refused: { sign: '▄', style: 'yellow' },
  'timed-out': { sign: '·', style: 'red' },
  pending: { sign: ' ', style: 'dim' },
};

/** The first of these that a cell holds is what it shows: it is answered where everything in it was. */
const worstFirst = ['timed-out', 'refused', 'pending', 'answered'] as const satisfies readonly Result[];

const timeWidth = 8;
const gap = 2;
const cellSizesMs = [200, 500, 1_000, 2_000, 5_000] as const;
const mostRows = 4;

/** What each cell of a period shows; undefined where nothing was sent. */
export function toCells(
  attempts: readonly Attempt[],
  { fromMs, toMs }: Period,
  cellMs: number,
): readonly (Result | undefined)[] {
  const cells: Result[][] = Array.from(
    { length: Math.max(0, Math.ceil((toMs - fromMs) / cellMs)) },
    () => [],
  );
  for (const { sentAtMs, result } of attempts) cells[Math.floor((sentAtMs - fromMs) / cellMs)]?.push(result);
  return cells.map((results) => worstFirst.find((each) => results.includes(each)));
}

/** Neighbours that look the same are painted in one go. */
function painted(cells: readonly (Result | undefined)[], look: Look): string {
  const runs: { result: Result | undefined; length: number }[] = [];
  for (const result of cells) {
    const last = runs.at(-1);
    if (last?.result === result && last) last.length += 1;
    else runs.push({ result, length: 1 });
  }
  return runs
    .map(({ result, length }) => {
      const { sign, style } = signs[result ?? 'pending'];
      const text = sign.repeat(length);
      return sign === ' ' ? text : look.paint(style, text);
    })
    .join('');
}

const seconds = (ms: number) => `${ms < 0 ? '-' : '+'}${(Math.abs(ms) / 1_000).toFixed(1)} s`;

/** How many cells a line has room for: whole seconds at the finest size. */
function cellsPerRow(tracks: readonly Track[], columns: number): number {
  const label = Math.max(...tracks.map((each) => each.label.length));
  return Math.max(10, Math.floor((columns - timeWidth - label - 3 * gap) / 10) * 10);
}

export interface Strips {
  readonly cellMs: number;
  readonly lines: readonly string[];
}

/** All tracks side by side, line by line; cells grow until a long story fits. */
export function drawStrips(tracks: readonly Track[], period: Period, look: Look): Strips {
  const perRow = cellsPerRow(tracks, look.columns);
  const lengthMs = period.toMs - period.fromMs;
  const cellMs = cellSizesMs.find((size) => lengthMs <= size * perRow * mostRows) ?? cellSizesMs[4];
  const rows = Math.max(1, Math.ceil(lengthMs / (cellMs * perRow)));
  const wide = Math.max(...tracks.map((each) => each.label.length));
  const cells = tracks.map(({ attempts }) => toCells(attempts, period, cellMs));
  const lines = Array.from({ length: rows }, (_, row) =>
    tracks.map(({ label }, track) => {
      const atMs = period.fromMs + row * perRow * cellMs - period.zeroMs;
      const time = (track === 0 ? seconds(atMs) : '').padStart(timeWidth);
      const part = cells[track]?.slice(row * perRow, (row + 1) * perRow) ?? [];
      return `${' '.repeat(gap)}${look.paint('dim', time)}  ${label.padEnd(wide)}  ${painted(part, look)}`.trimEnd();
    }),
  );
  return { cellMs, lines: lines.flat() };
}

export function legend(cellMs: number, look: Look): string {
  const named = (['answered', 'refused', 'timed-out'] as const).map(
    (result) => `${look.paint(signs[result].style, signs[result].sign)} ${result.replace('-', ' ')}`,
  );
  return `What each client saw, a cell is ${cellMs / 1_000} s:  ${named.join('  ')}`;
}
