/** A planned move from the plan that is shown to the end that is seen: what switchover, failback and a drill share. */
import type { Ahead } from '../shared/app/plan-ahead.ts';
import { outcomes } from '../shared/core/episode.ts';
import type { InstanceId, ServiceName } from '../shared/core/ids.ts';
import type { Answer } from './answer.ts';
import { type CalledOff, callOff } from './confirm.ts';
import { type Line, sheet, type Terminal } from './output.ts';
import { obstaclesText, pasted, planText } from './plan-view.ts';
import type { CommandContext } from './program.ts';
import type { Say } from './service-view.ts';
import type { Connection } from './session.ts';
import { type EpisodeEnd, episodeEndIn, follow, patienceMs, type Seen } from './wait.ts';

export interface MoveOptions {
  readonly reason: string;
  readonly yes?: true;
  readonly wait?: true;
  /** Milliseconds. */
  readonly timeout?: number;
}

export interface Wanted {
  readonly command: 'switchover' | 'failback';
  readonly service: ServiceName;
  readonly to: InstanceId;
  readonly reason: string;
  readonly force?: true;
}

/** A refusal of control, or of whoever was asked at the terminal: nothing was done. */
export interface NotDone {
  readonly kind: 'not-done';
  readonly author: string | null;
  readonly code: string;
  readonly detail: string;
  /** What else could be done. */
  readonly hint?: string;
}

export type Planned = { readonly kind: 'planned'; readonly author: string; readonly plan: Ahead } | NotDone;

const data = <T>(answer: { readonly data: Readonly<Record<string, unknown>> }) => answer.data as unknown as T;

/** Commands are typed as the command line is called here, by programs too. */
export const typedIn = <T extends { readonly command?: string }>(reasons: readonly T[], say: Say): T[] =>
  reasons.map((each) => (each.command ? { ...each, command: pasted(each.command, say) } : each));

export async function planOf(
  { control }: Connection,
  service: ServiceName,
  to: InstanceId | undefined,
  say: Say,
): Promise<Planned> {
  const answer = await control.send('plan', { service, ...(to && { to }) });
  const { author } = answer;
  if (answer.kind === 'refused')
    return { kind: 'not-done', author, code: answer.code, detail: answer.detail };
  const plan = data<Ahead>(answer);
  return { kind: 'planned', author, plan: { ...plan, reasons: typedIn(plan.reasons, say) } };
}

/** How a request ended. */
export type Moved =
  | { readonly kind: 'ended'; readonly end: EpisodeEnd }
  /** functions/failover looked again, and would not. */
  | { readonly kind: 'turned-down'; readonly code: string; readonly detail: string; readonly record: number }
  /** The holder failed first, and a failover came before what was asked for. */
  | { readonly kind: 'superseded'; readonly end: EpisodeEnd }
  | { readonly kind: 'unseen'; readonly why: string }
  /** It was not waited for. */
  | { readonly kind: 'asked' };

function endOf(request: string, { state, records, isComplete }: Seen): Moved | undefined {
  const episodes = records.flatMap((each) => episodeEndIn(each) ?? []);
  const own = episodes.find((each) => each.request === request);
  if (own) return { kind: 'ended', end: own.end };
  if (state.request?.id === request || state.episode || !isComplete) return undefined;
  const other = episodes.at(-1);
  const refusal = records.findLast((each) => each.kind === 'refusal');
  if (refusal && (!other || refusal.number > other.end.record))
    return {
      kind: 'turned-down',
      code: String(refusal['code']),
      detail: String(refusal['detail']),
      record: refusal.number,
    };
  if (other) return { kind: 'superseded', end: other.end };
  return { kind: 'unseen', why: 'the request is gone, and no record says what became of it' };
}

export interface Asked {
  readonly kind: 'asked';
  readonly author: string;
  readonly request: string;
  readonly from: string | null;
  readonly to: string;
  readonly moved: Moved;
}

/** Asks control for it and, if `waitMs` says so, follows it to its end. */
export async function askFor(
  context: CommandContext,
  { control, ports }: Connection,
  { command, service, to, reason, force }: Wanted,
  waitMs: number | undefined,
): Promise<Asked | NotDone> {
  const before = await ports.store.read(service);
  const from = before.kind === 'known' ? before.value.trail.next : 1;
  const aim = command === 'switchover' ? { to, ...(force && { force }) } : {};
  const answer = await control.send(command, { service, reason, ...aim });
  const { author } = answer;
  if (answer.kind === 'refused')
    return { kind: 'not-done', author, code: answer.code, detail: answer.detail };
  const asked = data<{ request: string; from?: string; to: string }>(answer);
  const wait = {
    service,
    from,
    timeoutMs: waitMs ?? 0,
    waitingFor: `${command} to ${asked.to} is asked for`,
  };
  const followed =
    waitMs === undefined
      ? undefined
      : await follow(context, ports, wait, (seen) => endOf(asked.request, seen));
  const moved: Moved = followed?.kind === 'ended' ? followed.value : (followed ?? { kind: 'asked' });
  return { kind: 'asked', author, request: asked.request, from: asked.from ?? null, to: asked.to, moved };
}

// ── As an answer ────────────────────────────────────────────────────────────────────────────────────────

/** The same keys whatever the outcome. */
interface Data {
  readonly service: string;
  readonly author: string | null;
  readonly code: string | null;
  readonly detail: string;
  readonly from: string | null;
  readonly to: string | null;
  readonly request: string | null;
  /** How it ended, where it was waited for. */
  readonly end: EpisodeEnd | null;
  readonly plan: Ahead | null;
}

export const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`;

/** Where the end can be read again, and how long nobody answered. */
export function endLines({ episode, record, gapMs }: EpisodeEnd): Line[] {
  return [
    { label: 'episode', text: `${episode}, record ${record} of the trail` },
    ...(gapMs === null
      ? []
      : [{ label: 'gap', text: `${seconds(gapMs)} from the first detach to the last attach` }]),
  ];
}

/** `headline` and `why` are one sentence in JSON; a terminal wraps the second. */
export interface Said {
  readonly outcome: Answer['outcome'];
  readonly code: string | null;
  readonly headline: string;
  readonly why: string;
  readonly hint: string;
}

/** Of an end that was seen. */
function saidOfEnd({ outcome, why, episode, to }: EpisodeEnd, service: string, say: Say): Said {
  const { meaning } = outcomes[outcome];
  const show = `Step by step:  ${say(`show ${episode}`)}`;
  const look = `How it is:  ${say(`status ${service}`)}`;
  switch (outcome) {
    case 'COMPLETED':
    case 'NOTHING_TO_DO':
      return {
        outcome: 'done',
        code: null,
        headline: `${outcome}: ${service} is on ${to}`,
        why: meaning,
        hint: show,
      };
    case 'ABORTED':
    case 'REFUSED':
      return {
        outcome: 'refused',
        code: outcome,
        headline: `${outcome}: nothing was moved`,
        why,
        hint: show,
      };
    default:
      return {
        outcome: 'needs-human',
        code: outcome,
        headline: `${outcome}: ${service} needs a human`,
        why: `${meaning}: ${why}`,
        hint: look,
      };
  }
}

export function saidOf(moved: Moved, { command, service, to }: Omit<Wanted, 'reason'>, say: Say): Said {
  const hint = `How it is:  ${say(`status ${service}`)}`;
  switch (moved.kind) {
    case 'asked':
      return {
        outcome: 'done',
        code: null,
        headline: `${command} of ${service} to ${to} is asked for, and begins within seconds`,
        why: '',
        hint: `Watch it:  ${say(`watch ${service}`)}`,
      };
    case 'ended':
      return saidOfEnd(moved.end, service, say);
    case 'turned-down': {
      const { code, detail } = moved;
      return {
        outcome: 'refused',
        code,
        headline: `${code}: the ${command} was not carried out, nothing was moved`,
        why: detail,
        hint,
      };
    }
    case 'superseded': {
      const { kind, outcome, to: where } = moved.end;
      return {
        outcome: outcomes[outcome].human ? 'needs-human' : 'refused',
        code: 'SUPERSEDED',
        headline: `SUPERSEDED: a ${kind} of ${service} came before the ${command}`,
        why: `it ended as ${outcome} on ${where}: ${outcomes[outcome].meaning}`,
        hint,
      };
    }
    case 'unseen':
      return {
        outcome: 'needs-human',
        code: 'NOT_SEEN_TO_THE_END',
        headline: `NOT_SEEN_TO_THE_END: look how the ${command} of ${service} goes on`,
        why: moved.why,
        hint,
      };
  }
}

/** For programs, and where there is room for one line only. */
export const spelled = ({ headline, why }: Pick<Said, 'headline' | 'why'>) =>
  [headline, why].filter(Boolean).join('; ');

const colours = { done: 'green', refused: 'red', 'needs-human': 'red' } as const;

export function saidText(said: Said, end: EpisodeEnd | null, terminal: Terminal): string {
  const { outcome, headline, why, hint } = said;
  const isExplained = outcome !== 'done' && why !== '';
  const lines = [...(isExplained ? [{ label: 'why', text: why }] : []), ...(end ? endLines(end) : [])];
  return [
    terminal.style(colours[outcome], headline),
    ...(lines.length > 0 ? [sheet(lines, terminal)] : []),
    '',
    hint,
  ].join('\n');
}

export function notDoneAnswer(
  { author, code, detail, hint: other = '' }: NotDone,
  service: ServiceName,
  plan: Ahead | undefined,
  say: Say,
): Answer {
  const full: Data = {
    service,
    author,
    code,
    detail,
    from: plan?.holder ?? null,
    to: null,
    request: null,
    end: null,
    plan: plan ?? null,
  };
  const hint = code === 'NO_SUCH_SERVICE' ? `What is registered:  ${say('status')}` : other;
  return {
    outcome: 'refused',
    data: { ...full },
    text: (terminal) =>
      [
        // What the plan has to say against it says it all.
        terminal.style('red', `nothing was done (${code})${plan ? '' : `: ${detail}`}`),
        ...(plan ? obstaclesText(plan, terminal) : []),
        ...(hint ? ['', hint] : []),
      ].join('\n'),
  };
}

/** A plan that would not move says why by its first reason. */
export const standsAgainst = ({ reasons: [first] }: Ahead, author: string): NotDone => ({
  kind: 'not-done',
  author,
  code: first?.code ?? 'UNKNOWN_STATE',
  detail: first?.detail ?? 'it would not be carried out now',
});

export const calledOff = (off: CalledOff, author: string): NotDone => ({ kind: 'not-done', author, ...off });

/** Shows the plan, asks, asks for the move, waits if it should. */
export async function carryOut(
  context: CommandContext,
  connection: Connection,
  wanted: Wanted,
  options: MoveOptions,
): Promise<Answer> {
  const { say } = context;
  const { command, service, to, force } = wanted;
  const planned = await planOf(connection, service, to, say);
  if (planned.kind === 'not-done') return notDoneAnswer(planned, service, undefined, say);
  const { plan, author } = planned;
  if (!plan.wouldMove) return notDoneAnswer(standsAgainst(plan, author), service, plan, say);

  const headline = `${command} of ${service} from ${plan.holder ?? 'nothing'} to ${to}`;
  const more = force
    ? [{ label: 'force', text: 'a detach that hangs is forced, although the source is well' }]
    : [];
  const shown = (terminal: Terminal) => planText(plan, terminal.style('bold', headline), terminal, more);
  const off = await callOff(context, service, options.yes === true, shown);
  if (off) return notDoneAnswer(calledOff(off, author), service, undefined, say);

  const waitMs = options.wait ? (options.timeout ?? patienceMs) : undefined;
  const asked = await askFor(context, connection, wanted, waitMs);
  if (asked.kind === 'not-done') return notDoneAnswer(asked, service, undefined, say);
  const said = saidOf(asked.moved, wanted, say);
  const end = 'end' in asked.moved ? asked.moved.end : null;
  const full: Data = {
    service,
    author,
    code: said.code,
    detail: spelled(said),
    from: asked.from,
    to: asked.to,
    request: asked.request,
    end,
    plan,
  };
  return {
    outcome: said.outcome,
    data: { ...full },
    text: (terminal) => saidText(said, end, terminal),
  };
}
