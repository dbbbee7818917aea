/** What a break-glass move does, on the operator's own disk: a line is there before the call that it speaks of is sent. */
import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import * as v from 'valibot';
import type { JournalLine, LocalJournal } from '../shared/app/break-glass.ts';
import { messageOf } from '../shared/core/errors.ts';
import { type ServiceName, ServiceNameSchema } from '../shared/core/ids.ts';
import { CliError } from './answer.ts';

const LineSchema = v.object({
  service: ServiceNameSchema,
  at: v.string(),
  call: v.string(),
  detail: v.string(),
});

export interface JournalFile {
  readonly write: LocalJournal;
  close(): void;
}

/** Never over a file that is there: it may be the only word of another move. */
export function openJournal(file: string, service: ServiceName): JournalFile {
  let descriptor: number;
  try {
    descriptor = openSync(file, 'ax');
  } catch (error) {
    throw new CliError(
      'failed',
      `the journal ${file} cannot be begun (${messageOf(error)}): pass --journal for another place; nothing was done`,
      error,
    );
  }
  return {
    write: async ({ at, call, detail }) => {
      writeSync(descriptor, `${JSON.stringify({ service, at, call, detail })}\n`);
      fsyncSync(descriptor);
    },
    close: () => closeSync(descriptor),
  };
}

/** A last line that was torn by a crash is left out: the call that it speaks of was not sent. */
export function readJournal(file: string): {
  readonly service: ServiceName;
  readonly journal: readonly JournalLine[];
} {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new CliError('usage', `${file} cannot be read: ${messageOf(error)}`, error);
  }
  const raw = text.split('\n');
  const torn = raw.pop();
  const lines = (torn === undefined || torn === '' ? raw : [...raw, torn]).flatMap((line, index, all) => {
    try {
      return [v.parse(LineSchema, JSON.parse(line))];
    } catch (error) {
      if (index === all.length - 1 && torn) return [];
      throw new CliError('usage', `${file}:${index + 1} is no line of a break-glass journal`, error);
    }
  });
  const [first] = lines;
  if (!first) throw new CliError('usage', `${file} holds no line of a break-glass journal: nothing was done`);
  return { service: first.service, journal: lines.map(({ service: _, ...line }) => line) };
}
