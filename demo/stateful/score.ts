/** What a failover must not cost: acknowledged writes that are lost, and writes that the old primary took afterwards. */
import { type Line, replay, type WriteLine } from './disk.ts';

export interface Acknowledged {
  readonly id: string;
  readonly number: number;
}

export interface Score {
  readonly acknowledged: number;
  /** Acknowledged, and not what the disk has under their number: never there, or replaced by another one. */
  readonly lost: readonly string[];
  /** On the disk behind the line that made another member the primary. */
  readonly afterPromotion: readonly string[];
}

const isWrite = (line: Line): line is WriteLine => line.kind === 'write';

/** By the order of lines on the disk, not by anybody's clock. */
export function toScore(lines: readonly Line[], acknowledged: readonly Acknowledged[]): Score {
  const { writes } = replay(lines);
  const lost = acknowledged.filter(({ id, number }) => writes.get(number) !== id).map(({ id }) => id);
  const afterPromotion: string[] = [];
  let primary: string | undefined;
  for (const line of lines) {
    if (!isWrite(line)) primary = line.by;
    else if (primary !== undefined && line.by !== primary) afterPromotion.push(line.id);
  }
  return { acknowledged: acknowledged.length, lost, afterPromotion };
}

/** Writes of a member that its address had left by then: nothing on the disk says so where nobody is promoted. */
export const writtenBy = (lines: readonly Line[], host: string, sinceMs: number): readonly string[] =>
  lines
    .filter(isWrite)
    .filter(({ by, atMs }) => by === host && atMs > sinceMs)
    .map(({ id }) => id);
