/** Where the demo is told: lines that stay, and on a terminal one line that shows what is being waited for. */
import { stripVTControlCharacters, styleText } from 'node:util';

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

/** How text has to look: how wide, and in which colours. */
export interface Look {
  readonly columns: number;
  paint(style: Style, text: string): string;
}

export interface Screen extends Look {
  line(text?: string): void;
  /** What is being waited for, until the next call; without a text, nothing. */
  wait(text?: string): void;
  close(): void;
}

/** Lines longer than this are hard to read, and tables look lost. */
const mostColumns = 100;
const frames = '⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏';
const frameMs = 80;
const clearLine = '\r\x1b[2K';
const hideCursor = '\x1b[?25l';
const showCursor = '\x1b[?25h';

export const widthOf = (text: string): number => [...stripVTControlCharacters(text)].length;

/** Cut where it does not fit, with a sign that it was. */
export const clipped = (text: string, width: number): string =>
  widthOf(text) <= width ? text : `${[...stripVTControlCharacters(text)].slice(0, width - 1).join('')}…`;

/** Broken at blanks, and indented like its beginning; a word longer than a line is broken where it has to be. */
export function wrapped(text: string, width: number): readonly string[] {
  const [indent = ''] = /^ */.exec(text) ?? [];
  const room = Math.max(1, width - indent.length);
  const lines: string[] = [];
  let line = '';
  for (const word of text.slice(indent.length).split(' ')) {
    let rest = word;
    if (line !== '' && widthOf(line) + 1 + widthOf(rest) > room) {
      lines.push(line);
      line = '';
    }
    while (line === '' && widthOf(rest) > room) {
      lines.push([...rest].slice(0, room).join(''));
      rest = [...rest].slice(room).join('');
    }
    line = line === '' ? rest : `${line} ${rest}`;
  }
  return [...lines, line].map((each) => indent + each);
}

/** The terminal where there is one; in a pipe or a file no colours, and nothing is ever drawn over. */
export function makeScreen(stream: NodeJS.WriteStream = process.stdout): Screen {
  const isLive = stream.isTTY === true && process.env['TERM'] !== 'dumb';
  let waitingFor: string | undefined;
  let timer: NodeJS.Timeout | undefined;
  let frame = 0;

  const columns = () => Math.min(stream.isTTY ? (stream.columns ?? 80) : mostColumns, mostColumns);
  // styleText asks the stream and NO_COLOR whether it may.
  const paint = (style: Style, text: string) => styleText(style, text, { stream });
  const draw = () => {
    if (waitingFor === undefined) return;
    const sign = paint('cyan', frames[frame % frames.length] ?? '');
    frame += 1;
    stream.write(`${clearLine}  ${sign} ${paint('dim', clipped(waitingFor, columns() - 5))}`);
  };
  const restore = () => stream.write(`${clearLine}${showCursor}`);
  const wait = (text?: string) => {
    if (!isLive) return;
    if (text === undefined) {
      if (timer === undefined) return;
      clearInterval(timer);
      timer = undefined;
      waitingFor = undefined;
      process.off('exit', restore);
      restore();
      return;
    }
    waitingFor = text;
    if (timer !== undefined) return;
    stream.write(hideCursor);
    // However the demo ends, the cursor comes back.
    process.once('exit', restore);
    timer = setInterval(draw, frameMs);
    timer.unref();
    draw();
  };

  return {
    get columns() {
      return columns();
    },
    paint,
    line(text = '') {
      if (timer !== undefined) stream.write(clearLine);
      stream.write(`${text}\n`);
      draw();
    },
    wait,
    close: () => wait(),
  };
}
