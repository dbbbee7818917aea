/** `history`: what happened, newest first, from the trail. */
import { type Command, InvalidArgumentError } from 'commander';
import type { TrailPage, TrailRecord } from '../shared/core/audit-query.ts';
import type { TrailName } from '../shared/core/ids.ts';
import type { Answer } from './answer.ts';
import { quoted } from './arguments.ts';
import { type Cell, type Terminal, table, timeOf } from './output.ts';
import type { CommandContext, Runner } from './program.ts';
import { addFilters, type FilterOptions, nothingWords, spanWords, toFilters } from './record-filters.ts';
import { briefly, placeOf, showOf, styleOf, summaryOf } from './record-view.ts';
import type { Say } from './service-view.ts';
import { readPage } from './trail-answers.ts';

export interface HistoryOptions extends FilterOptions {
  readonly limit: number;
  readonly cursor?: string;
  readonly all?: true;
}

/** functions/audit gives no more at once. */
const mostAtOnce = 100;

function parseLimit(text: string): number {
  const limit = Number(text);
  if (/^\d+$/.test(text) && limit >= 1 && limit <= mostAtOnce) return limit;
  throw new InvalidArgumentError(
    `It must be a whole number from 1 to ${mostAtOnce}; --all shows everything.`,
  );
}

const row = (record: TrailRecord): readonly Cell[] => [
  { text: timeOf(Date.parse(record.at)) },
  { text: placeOf(record) },
  { text: record.outcome, style: styleOf(record) },
  { text: briefly(summaryOf(record)) },
];

/** The same question with its cursor. Times as they were understood: `2h` would be another time by then. */
function moreCommand(
  service: TrailName | undefined,
  options: HistoryOptions,
  cursor: string,
  nowMs: number,
  say: Say,
): string {
  const { from, to, ...rest } = toFilters(undefined, options, nowMs);
  const words = Object.entries({ ...rest, since: from, until: to, limit: options.limit, cursor }).flatMap(
    ([name, value]) => (value === undefined ? [] : [`--${name} ${quoted(String(value))}`]),
  );
  return say(['history', ...(service ? [quoted(service)] : []), ...words].join(' '));
}

interface Found extends Pick<TrailPage, 'records' | 'cursor' | 'missing'> {
  readonly read: number;
}

function historyText(
  { records, cursor, missing }: Found,
  options: HistoryOptions,
  nowMs: number,
  more: string | undefined,
  say: Say,
  terminal: Terminal,
): string {
  const span = spanWords(options, nowMs);
  const about = span ? [terminal.style('dim', span), ''] : [];
  const gaps = missing.map((each) =>
    terminal.style(
      'red',
      `${placeOf(each)} is missing: it was written, and is not in the table any more: ${say(`${showOf(each)} --verify`)}`,
    ),
  );
  const [last] = records;
  if (!last && cursor === null) return [...about, nothingWords(options), ...gaps].join('\n');
  return [
    ...about,
    table(['TIME', 'RECORD', 'OUTCOME', 'WHAT'], records.map(row), terminal, 'wrap'),
    ...gaps,
    '',
    // Never wrapped: they are there to be copied.
    ...(last ? [`One in full:  ${say(showOf(last))}`] : []),
    ...(more ? [`Older ones:   ${more}`] : []),
  ].join('\n');
}

export async function historyCommand(
  service: TrailName | undefined,
  options: HistoryOptions,
  { connect, say, now }: CommandContext,
): Promise<Answer> {
  const { audit } = await connect();
  const nowMs = now();
  const filters = { ...toFilters(service, options, nowMs), limit: options.all ? mostAtOnce : options.limit };
  const records: TrailRecord[] = [];
  const missing: TrailPage['missing'][number][] = [];
  let read = 0;
  let cursor: string | null = options.cursor ?? null;
  // A page may be short, or empty, and still not be the last one: a screen is filled as far as there is something.
  do {
    const limit: number = options.all ? mostAtOnce : options.limit - records.length;
    const page = await readPage(audit, { ...filters, limit, cursor: cursor ?? undefined });
    if (page.kind === 'missing') {
      const { code, detail } = page;
      return {
        outcome: 'refused',
        data: { code, detail, records: [], cursor: null, read: 0, missing: [] },
        text: () => `${detail}. What is registered:  ${say('status')}`,
      };
    }
    records.push(...page.value.records);
    missing.push(...page.value.missing);
    read += page.value.read;
    cursor = page.value.cursor;
  } while (cursor !== null && (options.all || records.length < options.limit));
  const found: Found = { records, cursor, missing, read };
  const more = cursor === null ? undefined : moreCommand(service, options, cursor, nowMs, say);
  return {
    outcome: 'done',
    data: { code: null, detail: null, ...found },
    text: (terminal) => historyText(found, options, nowMs, more, say, terminal),
  };
}

export function addHistory(program: Command, { run, say }: Runner): void {
  addFilters(
    program
      .command('history')
      .summary('what happened, newest first')
      .description(
        'Lists the records of the trail, newest first: failovers and planned moves, refusals, pauses, ' +
          'acknowledgements, changes of the registration. Without a service: of all of them, and what was done to ' +
          "everything; '*': only that. Conditions are combined. Times are in UTC.",
      ),
  )
    .option('--limit <number>', 'how many', parseLimit, 20)
    .option('--cursor <cursor>', 'go on where the last page ended, with the same conditions')
    .option('--all', 'every record that fits, page after page')
    .action((service: TrailName | undefined, options: HistoryOptions, command: Command) => {
      if (options.all && options.cursor)
        command.error("error: options '--all' and '--cursor' exclude each other");
      return run(command, (context) => historyCommand(service, options, context));
    })
    .addHelpText(
      'after',
      `
Examples:
  ${say('history')}
  ${say('history orders-db --since 2h')}
  ${say('history --instance i-0a1b2c3d4e5f60001 --kind episode')}
  ${say("history '*'")}
  ${say('history --outcome STRANDED --since 2026-11-01 --all -o json')}`,
    );
}
