/** `watch`: a service, or all of them, as they change: redrawn on a terminal, one line for each change elsewhere. */
import { stripVTControlCharacters } from 'node:util';
import type { Command } from 'commander';
import type { Ports } from '../shared/app/ports.ts';
import { PortError } from '../shared/core/errors.ts';
import type { ServiceName } from '../shared/core/ids.ts';
import type { Answer } from './answer.ts';
import { parseServiceName } from './arguments.ts';
import { explainError } from './explain-error.ts';
import { isoOf, timeOf } from './output.ts';
import type { CommandContext, Runner } from './program.ts';
import { briefly, placeOf, summaryOf } from './record-view.ts';
import type { Screen } from './screen.ts';
import type { ServiceView } from './service-view.ts';
import { statusCommand } from './status.ts';
import { toTrailRecord } from './trail-row.ts';

/** Between two looks: EC2's answers are the account's budget as well. */
const intervalMs = 2_000;

/** Something that was not so at the last look. */
export interface ChangeSeen {
  readonly at: string;
  readonly service: string | null;
  readonly what:
    | 'first-look'
    | 'registered'
    | 'unregistered'
    | 'episode-opened'
    | 'episode-state'
    | 'episode-closed'
    | 'holder'
    | 'readiness'
    | 'record'
    | 'out-of-reach'
    | 'in-reach';
  readonly detail: string;
}

const holderOf = ({ holder, whereabouts }: ServiceView) =>
  holder?.instance ?? whereabouts?.detail ?? 'unknown';

/** What the headline has said already. */
const isImplied = ({ state, headline }: ServiceView, code: string) =>
  (state === 'moving' && code === 'EPISODE_OPEN') ||
  (state === 'failed' && code === 'HOLDER_FAILED') ||
  headline.includes(`(${code})`);

function readinessOf(view: ServiceView): string {
  const { headline, stranded, hindrances } = view;
  const next = stranded?.next ? `; next try to ${stranded.next}` : '';
  const others = hindrances.map((each) => each.code).filter((code) => !isImplied(view, code));
  return `${headline}${next}${others.length > 0 ? `: ${others.join(', ')}` : ''}`;
}

type Told = Pick<ChangeSeen, 'what' | 'detail'>;

function episodeChanges(before: ServiceView, after: ServiceView): Told[] {
  const [was, is] = [before.episode, after.episode];
  const closed: Told[] =
    was && was.id !== is?.id
      ? [{ what: 'episode-closed', detail: `${was.kind} ${was.id}: now on ${holderOf(after)}` }]
      : [];
  if (!is) return closed;
  if (was?.id !== is.id) {
    const detail = `${is.kind} ${is.id}, ${is.source ?? 'nothing'} → ${is.target}, ${is.state}: ${is.evidence}`;
    return [...closed, { what: 'episode-opened', detail }];
  }
  return was.state === is.state
    ? []
    : [{ what: 'episode-state', detail: `${is.kind} ${is.id}: ${was.state} → ${is.state}` }];
}

/** What differs between two looks at a service, in the order in which it matters. Pure. */
export function changesBetween(before: ServiceView, after: ServiceView): readonly Told[] {
  const [was, is] = [holderOf(before), holderOf(after)];
  const wasReady = readinessOf(before);
  const isReady = readinessOf(after);
  return [
    ...episodeChanges(before, after),
    ...(was === is ? [] : [{ what: 'holder', detail: `${was} → ${is}` } as const]),
    ...(wasReady === isReady ? [] : [{ what: 'readiness', detail: isReady } as const]),
  ];
}

/**
 * The records that were added since the one told last, each in one line. Nothing is read where none was; one that is
 * not in the table yet is told by a later look.
 */
async function newRecords(ports: Ports, view: ServiceView, toldUpTo: Map<string, number>): Promise<Told[]> {
  const { service, trail } = view;
  const last = toldUpTo.get(service) ?? trail.records;
  toldUpTo.set(service, last);
  if (trail.records <= last) return [];
  try {
    const rows = await ports.store.trail(service as ServiceName, last + 1, trail.records - last);
    toldUpTo.set(service, rows.at(-1)?.number ?? last);
    return rows.map(toTrailRecord).map((record) => ({
      what: 'record',
      detail: `${placeOf(record)} ${record.outcome}: ${briefly(summaryOf(record))}`,
    }));
  } catch (error) {
    if (error instanceof PortError) return [];
    throw error;
  }
}

const firstLook = (view: ServiceView, what: 'first-look' | 'registered'): Told => ({
  what,
  detail: [
    `on ${holderOf(view)}`,
    readinessOf(view),
    ...(view.episode ? [`${view.episode.kind} ${view.episode.id} is ${view.episode.state}`] : []),
  ].join('; '),
});

// ── Redrawn ─────────────────────────────────────────────────────────────────────────────────────────────

const escapes = {
  home: '\u001b[H',
  clearLine: '\u001b[K',
  clearBelow: '\u001b[J',
  hideCursor: '\u001b[?25l',
  showCursor: '\u001b[?25h',
} as const;

/** As many lines of the terminal as this line takes. */
const heightOf = (line: string, columns: number) =>
  Math.max(1, Math.ceil(stripVTControlCharacters(line).length / columns));

/** What fits: a screen that scrolls cannot be drawn over. */
function fitted(lines: readonly string[], rows: number, columns: number): readonly string[] {
  let left = rows;
  const fitting: string[] = [];
  for (const line of lines) {
    left -= heightOf(line, columns);
    if (left < 1)
      return [...fitting, `… ${lines.length - fitting.length} more lines: make the window higher`];
    fitting.push(line);
  }
  return fitting;
}

function frame(text: string, footer: string, screen: Screen): string {
  const terminal = screen.terminal();
  const columns = terminal.columns ?? 80;
  const foot = ['', terminal.style('dim', footer)];
  const shown = fitted(text.split('\n'), screen.rows() - foot.length, columns);
  const lines = [...shown, ...foot].map((line) => `${line}${escapes.clearLine}`);
  return `${escapes.home}${lines.join('\n')}${escapes.clearBelow}`;
}

// ── The command ─────────────────────────────────────────────────────────────────────────────────────────

type Look =
  | { readonly kind: 'seen'; readonly answer: Answer; readonly views: readonly ServiceView[] }
  /** AWS did not answer: the next look may be luckier. */
  | { readonly kind: 'out-of-reach'; readonly why: string };

async function look(name: ServiceName | undefined, context: CommandContext): Promise<Look> {
  try {
    const answer = await statusCommand(name, context);
    return { kind: 'seen', answer, views: answer.data['services'] as readonly ServiceView[] };
  } catch (error) {
    if (!(error instanceof PortError)) throw error;
    return { kind: 'out-of-reach', why: explainError(error).message };
  }
}

async function toldBetween(
  ports: Ports,
  before: readonly ServiceView[] | undefined,
  after: readonly ServiceView[],
  toldUpTo: Map<string, number>,
): Promise<(Told & { readonly service: string })[]> {
  const told: (Told & { readonly service: string })[] = [];
  for (const view of after) {
    const { service } = view;
    const was = before?.find((each) => each.service === service);
    const changes = was ? changesBetween(was, view) : [firstLook(view, before ? 'registered' : 'first-look')];
    const records = await newRecords(ports, view, toldUpTo);
    told.push(...[...changes, ...records].map((each) => ({ service, ...each })));
  }
  const gone = before?.filter((each) => !after.some(({ service }) => service === each.service)) ?? [];
  return [
    ...told,
    ...gone.map(
      ({ service }) => ({ service, what: 'unregistered', detail: 'not registered any more' }) as const,
    ),
  ];
}

const lineOf = ({ at, service, what, detail }: ChangeSeen) =>
  `${timeOf(Date.parse(at))}  ${service ?? 'everything'}  ${what}  ${detail}`;

/** Ends with the stop signal. Whoever watches for changes gets each of them in one line. */
async function follow(name: ServiceName | undefined, context: CommandContext, ports: Ports): Promise<Answer> {
  const { screen } = context;
  const stop = screen.untilStopped();
  let before: readonly ServiceView[] | undefined;
  let trouble: string | undefined;
  const toldUpTo = new Map<string, number>();
  const tell = (change: Omit<ChangeSeen, 'at'>) => {
    const seen: ChangeSeen = { at: isoOf(ports.clock.now()), ...change };
    return screen.write(`${screen.format === 'json' ? JSON.stringify(seen) : lineOf(seen)}\n`);
  };
  while (!stop.aborted) {
    const seen = await look(name, context);
    if (seen.kind === 'out-of-reach') {
      if (trouble === undefined) await tell({ service: null, what: 'out-of-reach', detail: seen.why });
      trouble = seen.why;
    } else {
      // A name that nobody registered: there is nothing to watch.
      if (!before && seen.answer.outcome === 'refused') return seen.answer;
      if (trouble !== undefined) await tell({ service: null, what: 'in-reach', detail: 'AWS answers again' });
      trouble = undefined;
      for (const each of await toldBetween(ports, before, seen.views, toldUpTo)) await tell(each);
      before = seen.views;
    }
    await ports.clock.sleep(intervalMs, stop);
  }
  return ended;
}

const ended: Answer = { outcome: 'done', data: { code: null, detail: null }, text: () => '', isShown: true };

/** Ends with the stop signal, and leaves the last look on the screen with the cursor beneath it. */
async function redraw(name: ServiceName | undefined, context: CommandContext, ports: Ports): Promise<Answer> {
  const { screen } = context;
  const stop = screen.untilStopped();
  let shown: Extract<Look, { kind: 'seen' }> | undefined;
  await screen.write(`${escapes.hideCursor}${escapes.home}${escapes.clearBelow}`);
  try {
    while (!stop.aborted) {
      const seen = await look(name, context);
      if (seen.kind === 'seen') {
        if (!shown && seen.answer.outcome === 'refused') return seen.answer;
        shown = seen;
      }
      const now = timeOf(ports.clock.now());
      const text = shown ? shown.answer.text(screen.terminal()) : '';
      const footer =
        seen.kind === 'seen'
          ? `${now}, looked at every ${intervalMs / 1_000} s; Ctrl-C ends it`
          : `${now}, NOT up to date: ${seen.why}`;
      await screen.write(frame(text, footer, screen));
      await ports.clock.sleep(intervalMs, stop);
    }
    return ended;
  } finally {
    await screen.write(`\n${escapes.showCursor}`);
  }
}

export async function watchCommand(name: ServiceName | undefined, context: CommandContext): Promise<Answer> {
  const connection = await context.connect();
  const connected = { ...context, connect: async () => connection };
  return context.screen.isLive
    ? redraw(name, connected, connection.ports)
    : follow(name, connected, connection.ports);
}

export function addWatch(program: Command, { run, say }: Runner): void {
  program
    .command('watch')
    .summary('follow a service, or all of them, as they change')
    .description(
      `Looks every ${intervalMs / 1_000} seconds. On a terminal it draws the status again; elsewhere it prints one ` +
        'line for each change: an episode that opens, goes on or ends, another holder, readiness, a new record. ' +
        '-o json prints these lines as JSON, one document in each. Ends with Ctrl-C. Changes nothing.',
    )
    .argument('[service]', 'a registered service; all of them if none is named', parseServiceName)
    .action((name: ServiceName | undefined, _: unknown, command: Command) =>
      run(command, (context) => watchCommand(name, context)),
    )
    .addHelpText(
      'after',
      `
Examples:
  ${say('watch')}
  ${say('watch orders-db')}
  ${say('watch -o json | jq .detail')}`,
    );
}
