/** `status`: one service in full, or all of them with one line each. Reads only. */
import type { Command } from 'commander';
import type { Ports } from '../shared/app/ports.ts';
import { statusOf } from '../shared/app/status.ts';
import { InvalidInputError } from '../shared/core/errors.ts';
import type { ServiceName } from '../shared/core/ids.ts';
import { reasons } from '../shared/core/reasons.ts';
import { type ControllerState, isPaused } from '../shared/core/state.ts';
import type { Answer } from './answer.ts';
import { parseServiceName } from './arguments.ts';
import { ago, type Cell, type Line, sheet, spanOf, type Terminal, table } from './output.ts';
import type { CommandContext, Runner } from './program.ts';
import {
  because,
  failbackLines,
  type Say,
  type ServiceView,
  toPauseView,
  toServiceView,
  unreadableView,
} from './service-view.ts';

/** Services that are looked at together: EC2 answers some dozens of reads a second. */
const atOnce = 8;

async function lookAt(
  ports: Ports,
  name: ServiceName,
  controller: ControllerState,
  say: Say,
): Promise<ServiceView | undefined> {
  try {
    const status = await statusOf(ports, name, controller);
    return status && toServiceView(status, say);
  } catch (error) {
    // One broken item must not hide the other services.
    if (error instanceof InvalidInputError) return unreadableView(name, error.message, say);
    throw error;
  }
}

// ── One service ─────────────────────────────────────────────────────────────────────────────────────────

function headline({ service, ready, needsHuman }: ServiceView, { style }: Terminal): string {
  if (ready) return `${style('bold', service)}  ${style('green', 'ready for a failover')}`;
  const state = needsHuman ? 'NOT ready for a failover, needs a human' : 'not ready for a failover';
  return `${style('bold', service)}  ${style(needsHuman ? 'red' : 'yellow', state)}`;
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
  if (stranded)
    add(
      'stranded',
      `since ${when(stranded.since)}, tried ${stranded.tries} time${stranded.tries === 1 ? '' : 's'}: ${stranded.why}`,
    );
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
  const hindrances = view.hindrances.map(
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
    headline(view, terminal),
    ...(view.description ? [view.description] : []),
    '',
    sheet(lines, terminal),
    ...(hindrances.length > 0 ? ['', 'Why it would not fail over now', sheet(hindrances, terminal)] : []),
    // Never wrapped: they are there to be copied.
    ...(commands.length > 0 ? ['', 'Ways out', ...[...new Set(commands)].map((each) => `  ${each}`)] : []),
  ].join('\n');
}

// ── All services ────────────────────────────────────────────────────────────────────────────────────────

function row(view: ServiceView): readonly Cell[] {
  const { service, ready, needsHuman, holder, whereabouts, hindrances } = view;
  return [
    { text: service },
    { text: ready ? 'ready' : 'not ready', style: ready ? 'green' : needsHuman ? 'red' : 'yellow' },
    {
      text: holder?.instance ?? whereabouts?.kind ?? 'unknown',
      style: holder ? (holder.health === 'healthy' ? undefined : healthStyles[holder.health]) : 'red',
    },
    { text: hindrances.map((each) => each.code).join(', ') },
  ];
}

function controllerLines(controller: ControllerState, nowMs: number, terminal: Terminal, say: Say): string[] {
  const { pause, brakes } = controller;
  const warn = (text: string) => terminal.style('yellow', text);
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
  const waiting = views.filter((each) => each.needsHuman);
  const [first] = waiting;
  return [
    ...head,
    table(['SERVICE', 'STATE', 'HOLDER', 'WHY NOT'], views.map(row), terminal),
    ...(first
      ? [
          '',
          `${terminal.style('red', 'Needs a human')}: ${waiting.map((each) => each.service).join(', ')}`,
          `What to do:  ${say(`status ${first.service}`)}`,
        ]
      : []),
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
