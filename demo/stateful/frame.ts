/** A part of the terminal that is drawn anew again and again, and goes away when what stays is printed. */

import { clipped } from '../screen.ts';

export interface Frame {
  /** The head always shows; of the tail the end, as far as the terminal is high. What is wider than it is cut. */
  draw(head: readonly string[], tail: readonly string[]): void;
  erase(): void;
}

const hideCursor = '\x1b[?25l';
const showCursor = '\x1b[?25h';
const clearBelow = '\x1b[J';
const clearLine = '\x1b[K';
const up = (lines: number) => (lines === 0 ? '\r' : `\x1b[${lines}A\r`);

/** What fits: the head, and below it the end of the tail. */
export function fitted(head: readonly string[], tail: readonly string[], rows: number): readonly string[] {
  const room = Math.max(0, rows - head.length);
  return [...head.slice(0, rows), ...(room === 0 ? [] : tail.slice(-room))];
}

export function makeFrame(stream: NodeJS.WriteStream): Frame {
  let height = 0;
  const restore = () => stream.write(showCursor);
  let isHidden = false;
  return {
    draw(head, tail) {
      // The last line of the terminal stays free: a line break there would scroll.
      const lines = fitted(head, tail, (stream.rows ?? 24) - 1).map((line) =>
        clipped(line, stream.columns ?? 80),
      );
      if (!isHidden) {
        isHidden = true;
        stream.write(hideCursor);
        // However the demo ends, the cursor comes back.
        process.once('exit', restore);
      }
      stream.write(`${up(height)}${lines.map((line) => `${line}${clearLine}\n`).join('')}${clearBelow}`);
      height = lines.length;
    },
    erase() {
      if (!isHidden) return;
      stream.write(`${up(height)}${clearBelow}${showCursor}`);
      process.off('exit', restore);
      isHidden = false;
      height = 0;
    },
  };
}
