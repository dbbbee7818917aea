/** `status`: one service in full, or all of them with one line each. Reads only. */
import type { Command } from 'commander';
import type { Ports } from '../shared/app/ports.ts';
import { statusOf } from '../shared/app/status.ts';
import type { EpisodeRecord } from '../shared/core/audit-query.ts';
import { InvalidInputError, PortError } from '../shared/core/errors.ts';
import type { ServiceName } from '../shared/core/ids.ts';
import { reasons } from '../shared/core/reasons.ts';
import { type ControllerState, isPaused } from '../shared/core/state.ts';
import type { Answer } from './answer.ts';
import { parseServiceName } from './arguments.ts';
import { ago, type Cell, type Line, sheet, spanOf, type Terminal, table, wrapped } from './output.ts';
import type { CommandContext, Runner } from './program.ts';
import { isEpisode } from './record-view.ts';
import {
  because,
  failbackLines,
  movementOf,
  type Say,
  type ServiceView,
  standingStyle,
  toPauseView,
  toServiceView,
  unreadableView,
} from './service-view.ts';
import { toTrailRecord } from './trail-row.ts';

/** Services that are looked at together: EC2 answers some dozens of reads a second. */
const atOnce = 8;

/** So many records back the episode is looked for that left a service stranded: a pause or two may have come since. */
const recordsBack = 20;

/** What each member refused for, as the episode tells that left the service stranded: the item knows only the last. */
function refusalsIn({ episode, why }: EpisodeRecord): NonNullable<ServiceView['stranded']>['refused'] {
  const told = episode.steps.flatMap(({ step, detail = '' }) =>
    step === 'rung' ? [/because (?<instance>i-\S+) refused: (?<why>.+)$/s.exec(detail)?.groups] : [],
  );
  const last = /^(?<instance>i-\S+): (?<why>.+); no member is left to try$/s.exec(why)?.groups;
  return [...told, last].flatMap((each) =>
    each ? [{ instance: each['instance'] ?? '', why: each['why'] ?? '' }] : [],
  );
}

/** Of a service that is stranded: who refused, and the episode that shows how it came to that. */
async function withRefusals({ store }: Ports, view: ServiceView, say: Say): Promise<ServiceView> {
  const { stranded, trail, hindrances } = view;
  if (!stranded) return view;
  try {
    const from = Math.max(1, trail.records - recordsBack + 1);
    const rows = await store.trail(view.service as ServiceName, from, recordsBack);
    const left = rows
      .map(toTrailRecord)
      .filter(isEpisode)
      .findLast((each) => each.outcome === 'STRANDED');
    if (!left) return view;
    const { id } = left.episode;
    const show = say(`show ${id}`);
    return {
      ...view,
      stranded: { ...stranded, episode: id, refused: refusalsIn(left) },
      hindrances: hindrances.map((each) =>
        each.code === 'STRANDED' ? { ...each, commands: [show, ...each.commands] } : each,
      ),
    };
  } catch (error) {
    // How it is does not depend on how it came to that.
    if (error instanceof PortError || error instanceof SyntaxError) return view;
    throw error;
  }
}

async function lookAt(
  ports: Ports,
  name: ServiceName,
  controller: ControllerState,
  say: Say,
): Promise<ServiceView | undefined> {
  try {
    const status = await statusOf(ports, name, controller);
    return status && (await withRefusals(ports, toServiceView(status, say), say));
  } catch (error) {
    // One broken item must not hide the other services.
    if (error instanceof InvalidInputError) return unreadableView(name, error.message, say);
    throw error;
  }
}

// ── One service ─────────────────────────────────────────────────────────────────────────────────────────

function headlineLine(view: ServiceView, nowMs: number, terminal: Terminal): string {
  const { service, state, stranded, holder } = view;
  const since = state === 'down' && stranded ? ` (${spanOf(nowMs - Date.parse(stranded.since))} ago)` : '';
  const moved = holder?.movedWhen ? `; it is moved ${holder.movedWhen}` : '';
  const said = terminal.style(standingStyle(view), `${view.headline}${since}${moved}`);
  return wrapped(`${terminal.style('bold', service)}  ${said}`, terminal);
}

const healthStyles = { healthy: 'green', failed: 'red', unknown: 'yellow' } as const;

function holderLine({ holder, whereabouts, episode }: ServiceView, nowMs: number): Line {
  const where = whereabouts?.detail ?? 'unknown';
  if (!holder && episode) return { label: 'holder', text: `changing: ${where}`, style: 'yellow' };
  if (!holder) return { label: 'holder', text: `none: ${where}`, style: 'red' };
  const since = holder.since ? ` since ${ago(Date.parse(holder.since), nowMs)}` : '';
  const why = holder.why ? `: ${holder.why}` : '';
  return {
    label: 'holder',
    subject: holder.instance,
    text: `${holder.health}${why}${since}`,
    style: healthStyles[holder.health],
  };
}

function standbyLines({ standbys, holder }: ServiceView): Line[] {
  // Where nobody holds the interfaces, nobody stands by.
  const label = holder ? 'standby' : 'member';
  return standbys.flatMap(({ instance, eligible, refusals }): Line[] =>
    eligible
      ? [{ label, subject: instance, text: 'eligible', style: 'green' }]
      : refusals.map(({ code, detail, wayOut }) => ({
          label,
          subject: instance,
          text: `${code}: ${detail} → ${wayOut}`,
          style: 'yellow',
        })),
  );
}

function stateLines(view: ServiceView, nowMs: number): Line[] {
  const { episode, stranded, pause, request, lastRefusal, lastObserved } = view;
  const when = (iso: string) => ago(Date.parse(iso), nowMs);
  const lines: Line[] = [];
  const add = (label: string, text: string) => lines.push({ label, text });
  if (episode) {
    const from = episode.source ?? 'nothing';
    const open = spanOf(nowMs - Date.parse(episode.openedAt));
    add(
      'episode',
      `${episode.kind} ${episode.id}, ${episode.state} after ${open}: from ${from} to ${episode.target}, ` +
        `because ${episode.evidence}${episode.lastStep ? `; last step ${episode.lastStep}` : ''}`,
    );
  }
  if (stranded) {
    const tried = `tried ${stranded.tries} time${stranded.tries === 1 ? '' : 's'}`;
    const next = stranded.next
      ? `; next try to ${stranded.next}`
      : view.state === 'down'
        ? '; nothing can be tried now'
        : '';
    add('stranded', `since ${when(stranded.since)}, ${tried}${next}`);
    for (const { instance, why } of stranded.refused)
      lines.push({ label: 'refused', subject: instance, text: why, style: 'yellow' });
  }
  if (request)
    add('request', `${request.kind} to ${request.target} by ${request.author}, ${when(request.at)}`);
  if (pause)
    add(
      'pause',
      pause.active
        ? `until ${when(pause.until)} by ${pause.author}: ${pause.reason}`
        : `none; the last one, by ${pause.author}, ended ${when(pause.until)}`,
    );
  for (const { instance, since, why, ends } of view.quarantine)
    lines.push({
      label: 'quarantine',
      subject: instance,
      text: `since ${when(since)}: ${why}; ends ${ends}`,
    });
  lines.push(...failbackLines(view, nowMs));
  if (lastRefusal) add('last refusal', `${lastRefusal}${meaningOf(lastRefusal)}`);
  if (lastObserved) add('observed', `${lastObserved}${meaningOf(lastObserved)}`);
  if (view.noticesWaiting > 0) add('notices', `${view.noticesWaiting} not sent yet; the sweep sends them`);
  return lines;
}

/** What the code at the beginning of a stored refusal means. */
function meaningOf(stored: string): string {
  const code = /^[A-Z_]+/.exec(stored)?.[0] ?? '';
  return code in reasons ? `. ${reasons[code as keyof typeof reasons].meaning}` : '';
}

/** What is under way has been told above. */
const isAgainst = ({ code, needsHuman }: ServiceView['hindrances'][number]) =>
  code !== 'EPISODE_OPEN' || needsHuman;

function titleOf({ state, needsHuman }: ServiceView): string {
  switch (state) {
    case 'moving':
      return 'What stands in the way';
    case 'down':
      return 'Why it is down';
    case 'failed':
      return needsHuman ? 'Why it is not moved' : 'What happens now';
    default:
      return 'Why it would not fail over now';
  }
}

function serviceText(view: ServiceView, nowMs: number, terminal: Terminal): string {
  const interfaces = view.interfaces.map(
    ({ eni, deviceIndex, networkCardIndex }): Line => ({
      label: 'interface',
      subject: eni,
      text: `device index ${deviceIndex}${networkCardIndex > 0 ? `, network card ${networkCardIndex}` : ''}`,
    }),
  );
  const { records, head } = view.trail;
  const lines: Line[] = [
    holderLine(view, nowMs),
    ...standbyLines(view),
    ...interfaces,
    ...view.around.map(({ step, what }): Line => ({ label: step, text: what })),
    ...stateLines(view, nowMs),
    { label: 'trail', text: `${records} record${records === 1 ? '' : 's'}, head ${head || 'none'}` },
  ];
  const hindrances = view.hindrances.filter(isAgainst).map(
    ({ code, detail, wayOut, needsHuman }): Line => ({
      label: code,
      text: `${detail} → ${wayOut}`,
      style: needsHuman ? 'red' : 'yellow',
    }),
  );
  const commands = [
    ...view.hindrances.flatMap((each) => each.commands),
    ...view.standbys.flatMap((each) => each.refusals.flatMap((refusal) => refusal.commands)),
    ...[view.failback?.suspended?.command ?? []].flat(),
  ];
  return [
    headlineLine(view, nowMs, terminal),
    ...(view.description ? [wrapped(view.description, terminal)] : []),
    '',
    sheet(lines, terminal),
    ...(hindrances.length > 0 ? ['', titleOf(view), sheet(hindrances, terminal)] : []),
    // Never wrapped: they are there to be copied.
    ...(commands.length > 0 ? ['', 'Ways out', ...[...new Set(commands)].map((each) => `  ${each}`)] : []),
  ].join('\n');
}

// ── All services ────────────────────────────────────────────────────────────────────────────────────────

const states = {
  moving: 'moving',
  down: 'DOWN',
  failed: 'FAILED',
  'not-ready': 'not ready',
  ready: 'ready',
} as const satisfies Record<ServiceView['state'], string>;

function holderCell({ holder, whereabouts, episode }: ServiceView): Cell {
  if (episode) return { text: movementOf(episode), style: 'yellow' };
  if (!holder) return { text: whereabouts?.kind.replace('-', ' ') ?? 'unknown', style: 'red' };
  return {
    text: holder.instance,
    style: holder.health === 'healthy' ? undefined : healthStyles[holder.health],
  };
}

function row(view: ServiceView): readonly Cell[] {
  const { service, state, hindrances, episode } = view;
  const why = hindrances.map((each) =>
    each.code === 'EPISODE_OPEN' && episode ? `${episode.kind} ${episode.id}` : each.code,
  );
  return [
    { text: service },
    { text: states[state], style: standingStyle(view) },
    holderCell(view),
    { text: why.join(', ') },
  ];
}

/** Every service that needs a human, those that are down first. */
function waitingLines(views: readonly ServiceView[], terminal: Terminal, say: Say): readonly string[] {
  const rank = ({ state }: ServiceView) => (state === 'down' ? 0 : state === 'failed' ? 1 : 2);
  const waiting = views.filter((each) => each.needsHuman).toSorted((one, other) => rank(one) - rank(other));
  if (waiting.length === 0) return [];
  const names = waiting.map((each) =>
    rank(each) < 2 ? `${each.service} (${states[each.state]})` : each.service,
  );
  return [
    '',
    wrapped(`${terminal.style('red', 'Needs a human')}: ${names.join(', ')}`, terminal),
    ...waiting.map(
      ({ service }, index) => `${index === 0 ? 'What to do:' : '           '}  ${say(`status ${service}`)}`,
    ),
  ];
}

function controllerLines(controller: ControllerState, nowMs: number, terminal: Terminal, say: Say): string[] {
  const { pause, brakes } = controller;
  const warn = (text: string) => wrapped(terminal.style('yellow', text), terminal);
  return [
    ...(pause && isPaused(pause, nowMs)
      ? [
          warn(`Everything is paused until ${ago(pause.untilMs, nowMs)} by ${pause.author}: ${pause.reason}`),
          `  ${say(`resume --all ${because}`)}`,
        ]
      : []),
    ...Object.entries(brakes).flatMap(([zone, { sinceMs, services }]) => [
      warn(
        `The brake of ${zone} is on since ${ago(sinceMs, nowMs)}: ${services.length} services failed at once`,
      ),
      `  ${say(`ack --zone ${zone} ${because}`)}`,
    ]),
  ];
}

function listText(
  views: readonly ServiceView[],
  controller: ControllerState,
  nowMs: number,
  terminal: Terminal,
  say: Say,
): string {
  const about = controllerLines(controller, nowMs, terminal, say);
  const head = about.length > 0 ? [...about, ''] : [];
  if (views.length === 0)
    return [...head, `No service is registered. To register one: ${say('register <file.yaml>')}`].join('\n');
  return [
    ...head,
    table(['SERVICE', 'STATE', 'HOLDER', 'WHY NOT'], views.map(row), terminal),
    ...waitingLines(views, terminal, say),
  ].join('\n');
}

// ── The command ─────────────────────────────────────────────────────────────────────────────────────────

function toAnswer(
  views: readonly ServiceView[],
  controller: ControllerState,
  nowMs: number,
  text: Answer['text'],
): Answer {
  const pause = controller.pause ? toPauseView(controller.pause, nowMs) : null;
  return {
    outcome: views.some((each) => each.needsHuman) ? 'needs-human' : 'done',
    data: { code: null, detail: null, services: views, controller: { pause, brakes: controller.brakes } },
    text,
  };
}

export async function statusCommand(
  name: ServiceName | undefined,
  { connect, say }: CommandContext,
): Promise<Answer> {
  const { ports } = await connect();
  const controller = await ports.store.readController();
  if (name) {
    const view = await lookAt(ports, name, controller, say);
    const nowMs = ports.clock.now();
    if (view) return toAnswer([view], controller, nowMs, (terminal) => serviceText(view, nowMs, terminal));
    const detail = `${name} is not registered`;
    return {
      outcome: 'refused',
      data: { ...toAnswer([], controller, nowMs, String).data, code: 'NO_SUCH_SERVICE', detail },
      text: () => `${detail}. What is registered:  ${say('status')}`,
    };
  }
  const { names } = await ports.store.list();
  const views: ServiceView[] = [];
  for (let from = 0; from < names.length; from += atOnce) {
    const looks = names.slice(from, from + atOnce).map((each) => lookAt(ports, each, controller, say));
    views.push(...(await Promise.all(looks)).flatMap((view) => view ?? []));
  }
  const nowMs = ports.clock.now();
  return toAnswer(views, controller, nowMs, (terminal) => listText(views, controller, nowMs, terminal, say));
}

export function addStatus(program: Command, { run, say }: Runner): void {
  program
    .command('status')
    .summary('show where a service is, and whether a failover would work')
    .description(
      'Shows one service: who holds it and how it is, which standby could take it, and what stands in the way. ' +
        'Without a name: one line for each service. Changes nothing. Exits with 4 if a service needs a human.',
    )
    .argument('[service]', 'a registered service; all of them if none is named', parseServiceName)
    .action((name: ServiceName | undefined, _: unknown, command: Command) =>
      run(command, (context) => statusCommand(name, context)),
    )
    .addHelpText(
      'after',
      `
Examples:
  ${say('status')}
  ${say('status orders-db')}
  ${say('status -o json')}`,
    );
}
