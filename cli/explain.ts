/** `explain`: would it fail over right now, and if not, why and what ends that; or what was known at a past moment. */
import type { Command } from 'commander';
import { type Ahead, type Obstacle, planFrom } from '../shared/app/plan-ahead.ts';
import { statusOf } from '../shared/app/status.ts';
import type { ExplainedPast, Past } from '../shared/core/explain-at.ts';
import { everything, type ServiceName } from '../shared/core/ids.ts';
import { memberReasons } from '../shared/core/reasons.ts';
import { type Answer, CliError } from './answer.ts';
import { parseServiceName } from './arguments.ts';
import { type Moment, parseMoment } from './moment.ts';
import { ago, type Line, type Style, sheet, spanOf, type Terminal, timeOf, wrapped } from './output.ts';
import { strandedText } from './plan-view.ts';
import type { CommandContext, Runner } from './program.ts';
import { placeOf } from './record-view.ts';
import { failbackLines, movementOf, type Say, type ServiceView, toServiceView } from './service-view.ts';
import { readPast } from './trail-answers.ts';

export interface ExplainOptions {
  readonly at?: Moment;
}

// ── Now ─────────────────────────────────────────────────────────────────────────────────────────────────

/** As it has to be typed here. */
const typed = (command: string, say: Say) => command.replace(/^eni-failover /, () => say(''));

const indented = (text: string) =>
  text
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n');
const within = ({ columns, style }: Terminal): Terminal => ({
  columns: columns === undefined ? undefined : columns - 2,
  style,
});

/** One reason with what `status` knows of it as well: who paused it and why, since when, and what to type. */
function toReason(
  { code, member, detail, wayOut, command }: Obstacle,
  view: ServiceView,
  nowMs: number,
  say: Say,
) {
  const standby = view.standbys.find((each) => each.instance === member);
  const known = member
    ? standby?.refusals.find((each) => each.code === code)
    : view.hindrances.find((each) => each.code === code);
  const quarantine = code === 'QUARANTINED' && view.quarantine.find((each) => each.instance === member);
  const since = quarantine
    ? `, ${spanOf(nowMs - Date.parse(quarantine.since))} ago, ${quarantine.ends.replace(/^when /, 'until ')}`
    : '';
  return {
    code,
    member: member ?? null,
    // What stands in the way is looked for as if the holder had failed: status does not make that up.
    detail: `${known?.detail ?? detail}${since}`,
    // What status knows of it fits this service; the tables fit all of them.
    wayOut: known?.wayOut ?? wayOut,
    commands: command ? [typed(command, say)] : (known?.commands ?? []),
  };
}
type Reason = ReturnType<typeof toReason>;

function reasonLines({ code, member, detail, wayOut, commands }: Reason): Line[] {
  const [first, ...others] = commands;
  const about = { label: code, ...(member && { subject: member }), style: 'yellow' } as const;
  return [
    { ...about, text: first && others.length === 0 ? detail : `${detail} → ${wayOut}`, command: first },
    ...others.map((command) => ({ ...about, ...(member && { subject: '' }), text: '', command })),
  ];
}

/** Of a service that is being moved: that its lease is held is no second reason. */
const isNews = ({ code }: Obstacle) => code !== 'LEASE_HELD' && code !== 'EPISODE_OPEN';

function underWay({ hindrances }: ServiceView): Obstacle {
  const open = hindrances.find((each) => each.code === 'EPISODE_OPEN');
  return { code: 'EPISODE_OPEN', detail: open?.detail ?? '', wayOut: open?.wayOut ?? '' };
}

function holderLines({ holder }: ServiceView, nowMs: number): Line[] {
  if (!holder) return [];
  const { instance, health, why, since } = holder;
  const text = `${health}${why ? `: ${why}` : ''}${since ? ` since ${ago(Date.parse(since), nowMs)}` : ''}`;
  return [{ label: 'holder', subject: instance, text, style: health === 'healthy' ? 'green' : 'red' }];
}

function memberLines({ members, target }: Ahead): Line[] {
  const standbys = members.filter((each) => each.role === 'standby' && each.member !== target);
  return standbys.flatMap(({ member, eligible, refusals }): Line[] =>
    eligible
      ? [{ label: 'next', subject: member, text: 'eligible', style: 'green' }]
      : refusals.map(({ code, detail }) => ({
          label: 'not',
          subject: member,
          text: `${code}: ${detail} → ${memberReasons[code].wayOut}`,
          style: 'yellow',
        })),
  );
}

interface Now {
  readonly ahead: Ahead;
  readonly view: ServiceView;
  readonly reasons: readonly Reason[];
  readonly nowMs: number;
}

/** In one sentence: where it goes, or that it is down, or that nothing moves it. */
function headOf(
  { wouldMove, target }: Ahead,
  { episode, state, whereabouts }: ServiceView,
  stranded: string | undefined,
): readonly [Style, string] {
  if (stranded) return ['red', stranded];
  if (episode) return ['yellow', `is being moved now, ${movementOf(episode)}`];
  if (state === 'down') {
    const what = whereabouts?.beside
      ? 'partly on nothing: some of its addresses'
      : 'on nothing: its addresses';
    return ['red', `${what} answer nobody${wouldMove ? `; the next look brings them to ${target}` : ''}`];
  }
  return wouldMove ? ['green', `would fail over now, to ${target}`] : ['red', 'would NOT fail over now'];
}

function nowText({ ahead, view, reasons, nowMs }: Now, terminal: Terminal): string {
  const { style } = terminal;
  const lines = (list: readonly Line[]) => indented(sheet(list, within(terminal)));
  const isMoving = view.episode !== null;
  const down = isMoving ? undefined : strandedText(ahead);
  const { suspended = null } = view.failback ?? {};
  const back = failbackLines(view, nowMs).map((each) => ({ ...each, command: suspended?.command }));
  const why: Line[] = down ? [{ label: 'why', text: ahead.stranded?.why ?? '' }] : [];
  const head = wrapped(style(...headOf(ahead, view, down)), terminal);
  if (!ahead.wouldMove) {
    return [
      head,
      lines([
        ...why,
        ...(view.holder?.health === 'failed' ? holderLines(view, nowMs) : []),
        ...reasons.flatMap(reasonLines),
        ...back,
      ]),
    ].join('\n');
  }
  return [
    head,
    lines([
      ...why,
      ...holderLines(view, nowMs),
      ...ahead.steps.map(({ step, what }): Line => ({ label: step, text: what })),
      { label: 'meanwhile', text: ahead.interrupts },
      ...memberLines(ahead),
      ...back,
    ]),
  ].join('\n');
}

/** The same keys for now and for then. */
const nothingYet = {
  code: null,
  detail: null,
  service: null,
  at: null,
  wouldMove: null,
  holder: null,
  target: null,
  reasons: [],
  members: [],
  steps: [],
  interrupts: null,
  stranded: null,
  failback: null,
  past: null,
};

const notRegistered = (service: string, code: string, detail: string, say: Say): Answer => ({
  outcome: 'refused',
  data: { ...nothingYet, service, code, detail },
  text: () => `${detail}. What is registered:  ${say('status')}`,
});

async function explainNow(name: ServiceName, { connect, say }: CommandContext): Promise<Answer> {
  const { ports } = await connect();
  const status = await statusOf(ports, name);
  if (!status) return notRegistered(name, 'NO_SUCH_SERVICE', `${name} is not registered`, say);
  // Both from one look: what the two say must not differ.
  const ahead = planFrom(status);
  const { nowMs } = status;
  const view = toServiceView(status, say);
  const found = view.episode ? [underWay(view), ...ahead.reasons.filter(isNews)] : ahead.reasons;
  const reasons = found.map((each) => toReason(each, view, nowMs, say));
  const { service, wouldMove, holder = null, target = null, members, steps, interrupts } = ahead;
  const { stranded = null } = ahead;
  return {
    outcome: 'done',
    data: {
      ...nothingYet,
      service,
      at: new Date(nowMs).toISOString(),
      wouldMove,
      holder,
      target,
      reasons,
      members,
      steps,
      interrupts,
      stranded,
      failback: view.failback,
    },
    text: (terminal) => nowText({ ahead, view, reasons, nowMs }, terminal),
  };
}

// ── Then ────────────────────────────────────────────────────────────────────────────────────────────────

const verdicts: Readonly<Record<Past['verdict'], string>> = {
  acting: 'was being moved',
  stranded: 'was STRANDED',
  'needs-human': 'waited for a person',
  'would-not-act': 'would NOT have failed over',
  watching: 'was watching',
  'not-registered': 'was not registered',
  unknown: 'nothing is known',
};

function pastLines(past: Past, atMs: number): Line[] {
  const { registered, holder, pause, controllerPause, quarantined, episode, lastEpisode } = past;
  const { lastRefusal, lastObserved, readiness, next } = past;
  const lines: Line[] = [];
  const add = (
    label: string,
    record: { readonly number: number; readonly at: string } | null,
    text: string,
  ) =>
    lines.push({
      label,
      subject: record ? `#${record.number}` : '',
      text: record ? `${text} (${spanOf(atMs - Date.parse(record.at))} before)` : text,
    });
  if (registered)
    add(
      'registered',
      registered,
      `mode ${registered.mode}, members ${registered.members.join(', ')}, by ${registered.author}`,
    );
  if (holder) add('holder', holder, holder.instance ?? 'none');
  if (pause)
    add('pause', pause, `until ${timeOf(Date.parse(pause.until))} by ${pause.author}: ${pause.reason}`);
  if (controllerPause) {
    const { author, reason, until } = controllerPause;
    const ended = `until ${timeOf(Date.parse(until))} by ${author}: ${reason}`;
    const before = spanOf(atMs - Date.parse(controllerPause.at));
    const subject = placeOf({ service: everything, number: controllerPause.number });
    lines.push({ label: 'all paused', subject, text: `${ended} (${before} before)` });
  }
  for (const each of quarantined) add('quarantine', each, `${each.member}: ${each.why}`);
  if (readiness)
    add('readiness', readiness, `${readiness.code}${readiness.detail ? `: ${readiness.detail}` : ''}`);
  if (lastRefusal) add('last refusal', lastRefusal, `${lastRefusal.code}: ${lastRefusal.detail}`);
  if (lastObserved) add('observed', lastObserved, `${lastObserved.code}: ${lastObserved.detail}`);
  if (lastEpisode)
    add('last episode', lastEpisode, `${lastEpisode.id} ${lastEpisode.outcome}: ${lastEpisode.why}`);
  if (episode) {
    const { id, kind, from, to, evidence, openedAt, steps, end } = episode;
    const step = steps.at(-1);
    const opened = spanOf(atMs - Date.parse(openedAt));
    add('episode', null, `${kind} ${id}, ${from ?? 'nothing'} → ${to}, opened ${opened} before: ${evidence}`);
    if (step) add('step', null, [step.step, step.eni, step.detail].filter(Boolean).join(' '));
    if (end) add('ended', null, `${spanOf(Date.parse(end.at) - atMs)} later, ${end.outcome}: ${end.why}`);
  }
  if (next)
    lines.push({
      label: 'next',
      subject: `#${next.number}`,
      text: `${next.kind} ${next.outcome}, ${spanOf(Date.parse(next.at) - atMs)} later`,
    });
  return lines;
}

function pastText(
  { service, at, answer }: ExplainedPast,
  nowMs: number,
  say: Say,
  terminal: Terminal,
): string {
  const { style } = terminal;
  const atMs = Date.parse(at);
  const { verdict, sentence, blockers, unknown, episode, next } = answer;
  const color = verdict === 'watching' ? 'green' : verdict === 'acting' ? 'yellow' : 'red';
  const known = pastLines(answer, atMs);
  const place = episode?.end ? episode.id : next ? `${service}#${next.number}` : undefined;
  const lines = (list: readonly Line[]) => indented(sheet(list, within(terminal)));
  return [
    `${style('bold', service)} at ${ago(atMs, nowMs)}: ${style(color, verdicts[verdict])}`,
    ...(sentence ? [indented(sheet([{ label: '', text: sentence }], within(terminal)).trimStart())] : []),
    ...(blockers.length > 0
      ? [
          lines(
            blockers.map(({ code, detail, wayOut }) => ({
              label: code,
              text: `${detail} → ${wayOut}`,
              style: 'yellow',
            })),
          ),
        ]
      : []),
    ...(known.length > 0 ? ['', style('dim', 'What the controller knew'), lines(known)] : []),
    ...(unknown.length > 0
      ? ['', style('dim', 'What the trail cannot tell'), lines(unknown.map((text) => ({ label: '-', text })))]
      : []),
    ...(place ? ['', `What came of it:  ${say(`show ${place}`)}`] : []),
  ].join('\n');
}

async function explainThen(
  name: ServiceName,
  moment: Moment,
  { connect, say, now }: CommandContext,
): Promise<Answer> {
  const nowMs = now();
  const atMs = moment.at(nowMs);
  if (atMs > nowMs)
    throw new CliError('usage', `--at: that moment is still to come (now is ${timeOf(nowMs)})`);
  const { audit } = await connect();
  const read = await readPast(audit, name, atMs);
  if (read.kind === 'missing') return notRegistered(name, read.code, read.detail, say);
  const { service, at, answer } = read.value;
  return {
    outcome: 'done',
    data: { ...nothingYet, service, at, past: answer },
    text: (terminal) => pastText(read.value, nowMs, say, terminal),
  };
}

// ── The command ─────────────────────────────────────────────────────────────────────────────────────────

export const explainCommand = (
  name: ServiceName,
  { at }: ExplainOptions,
  context: CommandContext,
): Promise<Answer> => (at ? explainThen(name, at, context) : explainNow(name, context));

export function addExplain(program: Command, { run, say }: Runner): void {
  program
    .command('explain')
    .summary('would it fail over right now; if not, why, and what ends that')
    .description(
      'Asks the rules that decide about a failover as if the holder had failed just now: where the interfaces would ' +
        'go and in which steps, or every reason why not with the command that ends it. With --at: what the ' +
        'controller knew at a past moment, and why it did or did not act. Changes nothing; exits with 0 ' +
        'whatever the answer is.',
    )
    .argument('<service>', 'a registered service', parseServiceName)
    .option('--at <time>', '2026-11-21T02:11Z, 02:11 (UTC, the last one) or 10m (ago)', parseMoment)
    .action((name: ServiceName, options: ExplainOptions, command: Command) =>
      run(command, (context) => explainCommand(name, options, context)),
    )
    .addHelpText(
      'after',
      `
Examples:
  ${say('explain orders-db')}
  ${say('explain orders-db --at 02:11')}
  ${say('explain orders-db --at 10m -o json')}`,
    );
}
