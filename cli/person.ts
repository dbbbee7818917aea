/** The person at the terminal, spoken to on standard error: what is said while a command works is no part of its answer. */
import { clearLine, cursorTo } from 'node:readline';
import { createInterface } from 'node:readline/promises';
import { type Terminal, terminalOf, widthOf } from './output.ts';

export interface Person {
  /** Somebody sees what is said, and can answer. */
  readonly isThere: boolean;
  tell(text: (terminal: Terminal) => string): void;
  /** Undefined when they end it instead of answering: Ctrl-C, or the end of the input. */
  ask(question: string): Promise<string | undefined>;
  /** One line in the place of the last one; an empty one takes it away. Nothing where nobody watches. */
  show(line: string): void;
}

/** Both must be a terminal: a question that nobody sees is not answered, and a pipe's next line is no answer. */
export function personAt(stdin: NodeJS.ReadStream, stderr: NodeJS.WriteStream): Person {
  return {
    isThere: stdin.isTTY === true && stderr.isTTY === true,
    tell: (text) => {
      stderr.write(`${text(terminalOf(stderr))}\n`);
    },
    async ask(question) {
      const lines = createInterface({ input: stdin, output: stderr });
      const ended = new Promise<undefined>((resolve) => {
        lines.once('SIGINT', () => resolve(undefined));
        lines.once('close', () => resolve(undefined));
      });
      try {
        const answer = await Promise.race([lines.question(question), ended]);
        // The cursor is still behind the question.
        if (answer === undefined) stderr.write('\n');
        return answer;
      } finally {
        lines.close();
      }
    },
    show(line) {
      if (!stderr.isTTY) return;
      cursorTo(stderr, 0);
      clearLine(stderr, 0);
      // One that wraps could not be taken back.
      stderr.write(line.slice(0, widthOf(stderr) - 1));
    },
  };
}
