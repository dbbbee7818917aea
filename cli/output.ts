/** How answers look: aligned columns without frames that fit the terminal, colours where there is one, and times. */
import { stripVTControlCharacters, styleText } from 'node:util';
import Table from 'cli-table3';

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow';

export interface Terminal {
  /** Undefined where nobody reads along: in a pipe or a file nothing is wrapped or cut. */
  readonly columns: number | undefined;
  style(style: Style, text: string): string;
}

/** A terminal that does not know its width says 0. */
export const widthOf = (stream: NodeJS.WriteStream) => stream.columns || 80;

/** Colours only on a terminal, and never against NO_COLOR: styleText asks both of the stream. */
export const terminalOf = (stream: NodeJS.WriteStream): Terminal => ({
  columns: stream.isTTY ? widthOf(stream) : undefined,
  style: (style, text) => styleText(style, text, { stream }),
});

const sides = ['top', 'bottom', 'left', 'right', 'mid'] as const;
const frameless = Object.fromEntries(
  ['middle', ...sides.flatMap((side) => [side, `${side}-mid`, `${side}-left`, `${side}-right`])].map(
    (part) => [part, ''],
  ),
);
const gap = 2;
const plain = { 'padding-left': 0, 'padding-right': gap, head: [], border: [] };

/** Words at the edge of the terminal, for what is no table. Commands are never given to it: they are there to be copied. */
export function wrapped(text: string, { columns = 10_000 }: Pick<Terminal, 'columns'>): string {
  const lines: string[] = [];
  let line = '';
  // Spaces within a line are kept as they are: two of them part the name from what is said about it.
  for (const [, space = '', word = ''] of text.matchAll(/(\s*)(\S+)/g)) {
    const isFull = line !== '' && stripVTControlCharacters(line + space + word).length > columns;
    if (isFull) lines.push(line);
    line = isFull ? word : line + space + word;
  }
  return [...lines, line].join('\n');
}

const widest = (texts: readonly string[]) => Math.max(0, ...texts.map((text) => text.length));
const rendered = (table: Table.Table) =>
  table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');

/** One line of a sheet. Without `subject` the text begins where the subjects do. */
export interface Line {
  readonly label: string;
  readonly subject?: string | undefined;
  readonly text: string;
  /** The style of the text. */
  readonly style?: Style | undefined;
  /** What to type about it: at the right where there is room for all of them, else beneath. Never wrapped. */
  readonly command?: string | undefined;
}

/** Labels, what they are about, and a text that wraps at the edge of the terminal. Ids are never cut. */
export function sheet(lines: readonly Line[], terminal: Terminal): string {
  const columns = terminal.columns ?? 10_000;
  const label = widest(lines.map((each) => each.label)) + gap;
  const subject = widest(lines.map((each) => each.subject ?? ''));
  const subjectWidth = subject === 0 ? 0 : subject + gap;
  const textStart = ({ subject: own }: Line) => label + (own === undefined ? 0 : subjectWidth);
  const textEnd = Math.max(0, ...lines.map((each) => textStart(each) + each.text.length));
  const isBeside = textEnd + gap + widest(lines.map((each) => each.command ?? '')) <= columns;
  const longestWord = (each: Line) =>
    widest(each.text.split(/\s+/)) - (each.subject === undefined ? subjectWidth : 0);
  // A word that does not fit is cut by the table: rather a line that is too long than half an ARN.
  const rest = Math.max(columns - label - subjectWidth, ...lines.map(longestWord));
  const colWidths = [label, ...(subjectWidth > 0 ? [subjectWidth] : []), rest + gap];
  let last = '';
  return lines
    .map((each) => {
      const shown = each.label === last ? '' : each.label;
      last = each.label;
      const text = each.style ? terminal.style(each.style, each.text) : each.text;
      const head = terminal.style('dim', shown);
      const table = new Table({ chars: frameless, style: plain, wordWrap: true, colWidths });
      if (subjectWidth === 0) table.push([head, text]);
      else if (each.subject === undefined) table.push([head, { content: text, colSpan: 2 }]);
      else table.push([head, each.subject, text]);
      const { command } = each;
      if (command === undefined) return rendered(table);
      const beneath = `${' '.repeat(textStart(each))}${command}`;
      // One more command about the same: it needs no empty line before it.
      if (!isBeside) return each.text === '' && shown === '' ? beneath : `${rendered(table)}\n${beneath}`;
      return rendered(table) + ' '.repeat(textEnd - textStart(each) - each.text.length + gap) + command;
    })
    .join('\n');
}

export interface Cell {
  readonly text: string;
  readonly style?: Style | undefined;
}

/** The last column ends at the edge of the terminal: it is cut there, so that each row is one line, or wrapped. */
export function table(
  head: readonly string[],
  rows: readonly (readonly Cell[])[],
  terminal: Terminal,
  atTheEdge: 'cut' | 'wrap' = 'cut',
): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, widest(rows.map((row) => row[column]?.text ?? ''))),
  );
  const before = widths.slice(0, -1).reduce((sum, width) => sum + width + gap, 0);
  const isWrapped = atTheEdge === 'wrap';
  const words = isWrapped ? rows.flatMap((row) => row.at(-1)?.text.split(/\s+/) ?? []) : [];
  const least = Math.max(10, widest(words));
  const last = Math.min(widths.at(-1) ?? 0, Math.max(least, (terminal.columns ?? 10_000) - before));
  const colWidths = [...widths.slice(0, -1), last].map((width) => width + gap);
  const shown = new Table({ chars: frameless, style: plain, wordWrap: isWrapped, colWidths });
  shown.push(head.map((title) => terminal.style('dim', title)));
  for (const row of rows)
    shown.push(row.map(({ text, style }) => (style ? terminal.style(style, text) : text)));
  return rendered(shown);
}

/** `2026-11-21 02:11:09Z` */
export const timeOf = (atMs: number) => `${new Date(atMs).toISOString().slice(0, 19).replace('T', ' ')}Z`;
export const isoOf = (atMs: number) => new Date(atMs).toISOString();

/** A length of time as people say it: `12 s`, `6 min`, `3 h`, `2 days`. */
export function spanOf(ms: number): string {
  const seconds = Math.round(Math.abs(ms) / 1_000);
  if (seconds < 90) return `${seconds} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  if (seconds < 48 * 3_600) return `${Math.round(seconds / 3_600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

export const ago = (atMs: number, nowMs: number) =>
  atMs <= nowMs
    ? `${timeOf(atMs)} (${spanOf(nowMs - atMs)} ago)`
    : `${timeOf(atMs)} (in ${spanOf(atMs - nowMs)})`;
