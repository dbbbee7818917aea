/** `export`: the trail of a time range for other programs, written page by page and never half a line. */
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import type { TrailPage, TrailRecord } from '../shared/core/audit-query.ts';
import { messageOf } from '../shared/core/errors.ts';
import type { TrailName } from '../shared/core/ids.ts';
import { type Answer, CliError } from './answer.ts';
import type { AuditClient } from './audit-client.ts';
import { toCsv } from './csv.ts';
import type { CommandContext, Runner } from './program.ts';
import { addFilters, type FilterOptions, spanWords, toFilters } from './record-filters.ts';
import type { Screen } from './screen.ts';
import type { Say } from './service-view.ts';
import { type Missing, type RecordFilters, readPage } from './trail-answers.ts';

export interface ExportOptions extends FilterOptions {
  readonly format: 'ndjson' | 'csv';
  readonly file?: string;
}

/** Where lines go. Only what was finished is ever found under the file's own name. */
interface Sink {
  write(text: string): Promise<void>;
  finish(): Promise<void>;
  abandon(): Promise<void>;
}

const screenSink = (screen: Screen): Sink => ({
  write: (text) => screen.write(text),
  finish: async () => undefined,
  abandon: async () => undefined,
});

const cannotWrite = (file: string, error: unknown) =>
  new CliError('failed', `${file} cannot be written: ${messageOf(error)}`, error);

async function fileSink(file: string): Promise<Sink> {
  // Beside it, for a rename is atomic within one file system only; a name that no other export takes.
  const unfinished = `${file}.${process.pid}.part`;
  let handle: FileHandle;
  try {
    if ((await stat(file).catch(() => undefined))?.isDirectory()) throw new Error('it is a directory');
    handle = await open(unfinished, 'wx');
  } catch (error) {
    throw cannotWrite(file, error);
  }
  const abandon = async () => {
    await handle.close().catch(() => undefined);
    await rm(unfinished, { force: true });
  };
  return {
    async write(text) {
      try {
        await handle.writeFile(text);
      } catch (error) {
        throw cannotWrite(file, error);
      }
    },
    async finish() {
      try {
        await handle.sync();
        await handle.close();
        await rename(unfinished, file);
      } catch (error) {
        throw cannotWrite(file, error);
      }
    },
    abandon,
  };
}

const toLines = (records: readonly TrailRecord[], format: ExportOptions['format'], isFirst: boolean) =>
  format === 'csv'
    ? toCsv(records, { header: isFirst })
    : records.map((each) => `${JSON.stringify(each)}\n`).join('');

/** As many as functions/audit gives at once. */
const pageSize = 100;

interface Exported {
  readonly kind: 'written' | 'stopped';
  readonly records: number;
  readonly missing: TrailPage['missing'];
}

async function writeAll(
  audit: AuditClient,
  filters: RecordFilters,
  format: ExportOptions['format'],
  sink: Sink,
  stop: AbortSignal,
): Promise<Exported | Missing> {
  const missing: TrailPage['missing'][number][] = [];
  let written = 0;
  let isFirst = true;
  let cursor: string | null = null;
  do {
    if (stop.aborted) return { kind: 'stopped', records: written, missing };
    const page = await readPage(audit, { ...filters, limit: pageSize, cursor: cursor ?? undefined });
    if (page.kind === 'missing') return page;
    const { records } = page.value;
    // Also of nothing, so that a table without rows has its header.
    const lines = toLines(records, format, isFirst);
    if (lines) await sink.write(lines);
    isFirst = false;
    written += records.length;
    missing.push(...page.value.missing);
    cursor = page.value.cursor;
  } while (cursor !== null);
  return { kind: stop.aborted ? 'stopped' : 'written', records: written, missing };
}

const counted = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`;

function toAnswer(
  exported: Exported | Missing,
  { format, file }: ExportOptions,
  span: string,
  say: Say,
): Answer {
  const data = { format, file: file ?? null, order: 'newest first' };
  if (exported.kind === 'missing') {
    const { code, detail } = exported;
    return {
      outcome: 'refused',
      data: { code, detail, ...data, records: 0, missing: [] },
      text: () => `${detail}. What is registered:  ${say('status')}`,
    };
  }
  const { kind, records, missing } = exported;
  const where = file === undefined ? '' : ` to ${file}`;
  const gaps = missing.map(({ service, number }) => `${service}#${number}`).join(', ');
  const detail =
    kind === 'stopped'
      ? `stopped after ${counted(records, 'record')}${file === undefined ? '' : `; ${file} was not touched`}`
      : [
          `${counted(records, 'record')} written${where} as ${format}, newest first${span ? `, ${span}` : ''}`,
          ...(gaps ? [`not in the table, though something leads there: ${gaps}`] : []),
        ].join('; ');
  return {
    outcome: kind === 'stopped' ? 'refused' : gaps ? 'needs-human' : 'done',
    data: {
      code: kind === 'stopped' ? 'STOPPED' : gaps ? 'RECORDS_MISSING' : null,
      detail,
      ...data,
      records,
      missing,
    },
    text: () => detail,
  };
}

export async function exportCommand(
  service: TrailName | undefined,
  options: ExportOptions,
  { connect, say, screen, now }: CommandContext,
): Promise<Answer> {
  const { audit } = await connect();
  const nowMs = now();
  const stop = screen.untilStopped();
  const sink = options.file === undefined ? screenSink(screen) : await fileSink(options.file);
  let exported: Exported | Missing | undefined;
  try {
    exported = await writeAll(audit, toFilters(service, options, nowMs), options.format, sink, stop);
    if (exported.kind === 'written') await sink.finish();
  } finally {
    if (exported?.kind !== 'written') await sink.abandon();
  }
  const answer = toAnswer(exported, options, spanWords(options, nowMs), say);
  // Standard output belongs to the records: what is said about them must not be read as one.
  if (options.file !== undefined && screen.format === 'json') return answer;
  screen.remark(answer.text(screen.terminal()));
  return { ...answer, isShown: true };
}

export function addExport(program: Command, { run, say }: Runner): void {
  addFilters(
    program
      .command('export')
      .summary('records of the trail for other programs')
      .description(
        'Writes every record that fits, newest first, to standard output or a file, and says on standard error how ' +
          'many there were. NDJSON: one record in a line, whole, with its hash. CSV: fixed columns, the first line ' +
          'names them. A file appears once it is complete; until then its name leads to what was there before. ' +
          '-o json concerns only what is said about a file.',
      ),
  )
    .addOption(
      new Option('--format <format>', 'one JSON document in a line, or columns')
        .choices(['ndjson', 'csv'])
        .default('ndjson'),
    )
    .option('--file <path>', 'write there instead of standard output')
    .action((service: TrailName | undefined, options: ExportOptions, command: Command) =>
      run(command, (context) => exportCommand(service, options, context)),
    )
    .addHelpText(
      'after',
      `
Examples:
  ${say('export --since 2026-11-01 --until 2026-12-01 --file november.ndjson')}
  ${say('export orders-db --format csv --file orders-db.csv')}
  ${say("export orders-db --kind episode | jq -r '.outcome' | sort | uniq -c")}`,
    );
}
