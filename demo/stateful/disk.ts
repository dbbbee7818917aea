/** The disk that two members share: one log with a line for each write, and what the log says when it is replayed. */
import { type FileHandle, open, readFile } from 'node:fs/promises';
import path from 'node:path';

/** A write that was accepted: it is on the disk before it is acknowledged. */
export interface WriteLine {
  readonly kind: 'write';
  readonly number: number;
  readonly id: string;
  /** The member that accepted it. */
  readonly by: string;
  readonly atMs: number;
}

/** From here on another member is the primary. */
export interface PromotionLine {
  readonly kind: 'promoted';
  readonly by: string;
  readonly epoch: number;
  readonly token: string;
  readonly atMs: number;
}

export type Line = WriteLine | PromotionLine;

const logOf = (disk: string) => path.join(disk, 'counter.log');

/** A line that a dying process left unfinished was never acknowledged: it is passed over. */
export function parseLog(text: string): readonly Line[] {
  return text.split('\n').flatMap((line): Line[] => {
    if (!line.startsWith('{') || !line.endsWith('}')) return [];
    try {
      return [JSON.parse(line) as Line];
    } catch {
      return [];
    }
  });
}

export async function readLog(disk: string): Promise<readonly Line[]> {
  try {
    return parseLog(await readFile(logOf(disk), 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

export interface Replay {
  /** The highest number given so far. */
  readonly counter: number;
  /** The highest epoch of any promotion. */
  readonly epoch: number;
  readonly tokens: ReadonlySet<string>;
  /** Which write each number stands for: of two with the same number, the later one has replaced the other. */
  readonly writes: ReadonlyMap<number, string>;
}

export function replay(lines: readonly Line[]): Replay {
  const writes = new Map<number, string>();
  const tokens = new Set<string>();
  let [counter, epoch] = [0, 0];
  for (const line of lines) {
    if (line.kind === 'promoted') {
      tokens.add(line.token);
      epoch = Math.max(epoch, line.epoch);
    } else {
      writes.set(line.number, line.id);
      counter = Math.max(counter, line.number);
    }
  }
  return { counter, epoch, tokens, writes };
}

export interface Log {
  /** Returns when the line is on the disk, not only in a cache. */
  append(line: Line): Promise<void>;
}

/** Nothing keeps two processes from writing to it at once: like a disk that is attached twice. */
export async function openLog(disk: string): Promise<Log> {
  const file: FileHandle = await open(logOf(disk), 'a');
  let isBegun = false;
  return {
    async append(line) {
      // Whatever another process left unfinished ends here.
      const ending = isBegun ? '' : '\n';
      isBegun = true;
      await file.write(`${ending}${JSON.stringify(line)}\n`);
      await file.datasync();
    },
  };
}
