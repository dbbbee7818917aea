/** `drill`: would a failover work? Every member looked at, every call as a dry run; with `--move` there and back for real. */
import type { Command } from 'commander';
import * as v from 'valibot';
import type { InstanceId, ServiceName } from '../shared/core/ids.ts';
import { type MemberReasonCode, memberReasons } from '../shared/core/reasons.ts';
import type { Answer } from './answer.ts';
import { parseInstanceId, parseServiceName, reasonOption } from './arguments.ts';
import { addYes, callOff, mustBeAskable } from './confirm.ts';
import { type Line, sheet, type Terminal } from './output.ts';
import { holderLine, planText } from './plan-view.ts';
import {
  type Asked,
  askFor,
  type NotDone,
  planOf,
  type Said,
  saidOf,
  seconds,
  spelled,
  standsAgainst,
  typedIn,
} from './planned-move.ts';
import type { CommandContext, Runner } from './program.ts';
import type { Say } from './service-view.ts';
import type { Connection } from './session.ts';
import { type EpisodeEnd, follow, parsePatience, patienceMs, type Recorded } from './wait.ts';

export interface DrillOptions {
  readonly reason: string;
  readonly move?: true;
  readonly to?: InstanceId;
  readonly yes?: true;
  /** Milliseconds. */
  readonly timeout?: number;
}

/** functions/failover answers within seconds; a message that is lost never comes. */
const rehearsalPatienceMs = 2 * 60_000;

interface Begun {
  readonly drill: string;
  readonly ready: boolean;
  /** Why a failover would not happen now, however well it would work. */
  readonly hindrances: readonly {
    readonly code: string;
    readonly detail: string;
    readonly wayOut: string;
    readonly command?: string;
  }[];
  readonly members: readonly {
    readonly member: string;
    readonly role: 'holder' | 'standby';
    readonly refusals: readonly { readonly code: MemberReasonCode; readonly detail: string }[];
  }[];
}

/** What functions/failover found: its record in the trail. */
const RehearsalSchema = v.object({
  outcome: v.string(),
  why: v.array(v.string()),
  tried: v.array(
    v.object({
      action: v.string(),
      of: v.string(),
      answer: v.picklist(['allowed', 'denied', 'unclear']),
      detail: v.optional(v.string(), ''),
    }),
  ),
});
type Found = v.InferOutput<typeof RehearsalSchema>;
type Rehearsed = Found['tried'];

/** The same keys whatever the outcome. */
interface Data {
  readonly service: string;
  readonly author: string | null;
  readonly code: string | null;
  readonly detail: string;
  readonly drill: string | null;
  readonly ready: boolean;
  readonly hindrances: Begun['hindrances'];
  readonly members: Begun['members'];
  /** Each dry run; null where no answer came. */
  readonly rehearsed: Rehearsed | null;
  readonly move: {
    readonly from: string;
    readonly to: string;
    readonly there: EpisodeEnd | null;
    readonly back: EpisodeEnd | null;
  } | null;
}

// ── The rehearsal ───────────────────────────────────────────────────────────────────────────────────────

interface Rehearsal {
  readonly kind: 'rehearsed';
  readonly author: string;
  readonly begun: Begun;
  /** Null where no answer came in time. */
  readonly found: Found | null;
}

function foundIn(drill: string, record: Recorded): Found | undefined {
  if (record.kind !== 'drill' || record['drill'] !== drill) return undefined;
  const parsed = v.safeParse(RehearsalSchema, record);
  return parsed.success ? parsed.output : undefined;
}

/** functions/failover does the dry runs, for it is its role that an outage asks; its record is waited for. */
async function rehearse(
  context: CommandContext,
  { control, ports }: Connection,
  service: ServiceName,
  { reason, timeout }: DrillOptions,
): Promise<Rehearsal | NotDone> {
  const before = await ports.store.read(service);
  const from = before.kind === 'known' ? before.value.trail.next : 1;
  const answer = await control.send('drill', { service, reason });
  const { author, detail } = answer;
  if (answer.kind === 'refused') return { kind: 'not-done', author, code: answer.code, detail };
  const said = answer.data as unknown as Begun;
  const begun = { ...said, hindrances: typedIn(said.hindrances, context.say) };
  const timeoutMs = Math.min(timeout ?? rehearsalPatienceMs, rehearsalPatienceMs);
  const wait = { service, from, timeoutMs, waitingFor: 'functions/failover makes the dry runs' };
  const followed = await follow(context, ports, wait, ({ records }) =>
    records.map((each) => foundIn(begun.drill, each)).find((each) => each !== undefined),
  );
  return { kind: 'rehearsed', author, begun, found: followed.kind === 'ended' ? followed.value : null };
}

/** `headline` and `why` are one sentence in JSON; a terminal wraps the second. */
type Verdict = Omit<Said, 'hint'> & { readonly hint?: string };

const isReady: Verdict = { outcome: 'done', code: null, headline: 'ready for a failover', why: '' };

function verdictOf({ begun, found }: Rehearsal, service: string, say: Say): Verdict {
  if (!begun.ready)
    return {
      outcome: 'needs-human',
      code: 'NOT_READY',
      headline: 'NOT_READY: a failover would NOT work now',
      why: '',
      hint: `Every reason:  ${say(`explain ${service}`)}`,
    };
  if (!found)
    return {
      outcome: 'needs-human',
      code: 'NO_DRY_RUNS',
      headline: 'NO_DRY_RUNS: functions/failover did not answer',
      why: 'look at its log and at the dead-letter queues',
    };
  if (found.outcome !== 'DRILL_PASSED')
    return {
      outcome: 'needs-human',
      code: found.outcome,
      headline: `${found.outcome}: a failover would NOT work as it should`,
      why: 'what EC2 refuses in a dry run it refuses in an outage: check the role and the tags',
    };
  const [first] = begun.hindrances;
  if (first)
    return {
      outcome: 'needs-human',
      code: first.code,
      headline: `${first.code}: it would work, but a failover would NOT happen now`,
      why: first.detail,
    };
  return isReady;
}

const hindranceLines = ({ hindrances }: Begun): Line[] =>
  hindrances.map(({ code, detail, wayOut }) => ({
    label: 'hindrance',
    text: `${code}: ${detail} → ${wayOut}`,
    style: 'red',
  }));

const memberLines = ({ members }: Begun): Line[] =>
  members.flatMap(({ member, role, refusals }): Line[] =>
    role === 'holder'
      ? [holderLine({ member, refusals })]
      : refusals.length === 0
        ? [{ label: role, subject: member, text: 'eligible', style: 'green' }]
        : refusals.map(({ code, detail }) => ({
            label: role,
            subject: member,
            text: `${code}: ${detail} → ${memberReasons[code].wayOut}`,
            style: 'yellow',
          })),
  );

const answerStyles = { allowed: 'green', denied: 'red', unclear: 'yellow' } as const;

/** What is allowed is counted; what is not is what people came for. */
function rehearsedLines(tried: Rehearsed): Line[] {
  const actions = [...new Set(tried.map((each) => each.action))];
  return actions.flatMap((action): Line[] => {
    const own = tried.filter((each) => each.action === action);
    const allowed = own.filter((each) => each.answer === 'allowed').length;
    const text = `allowed, ${allowed} of ${own.length}`;
    return [
      ...(allowed > 0 ? [{ label: action, text, style: answerStyles.allowed }] : []),
      ...own
        .filter((each) => each.answer !== 'allowed')
        .map(({ of, answer, detail }) => ({
          label: action,
          text: `${answer}: ${of}: ${detail}`,
          style: answerStyles[answer],
        })),
    ];
  });
}

const colours = { done: 'green', refused: 'yellow', 'needs-human': 'red' } as const;

function drillText(
  { begun, found }: Rehearsal,
  { outcome, headline, why, hint }: Verdict,
  more: readonly Line[],
  service: string,
  terminal: Terminal,
): string {
  const commands = begun.hindrances.flatMap(({ command }) => command ?? []);
  return [
    terminal.style(colours[outcome], `${service}: ${headline}`),
    ...(why ? [sheet([{ label: 'why', text: why }], terminal)] : []),
    '',
    // Where the interfaces are since then is said above.
    ...(more.length > 0 ? ['Before it was moved'] : []),
    sheet([...hindranceLines(begun), ...memberLines(begun)], terminal),
    // Never wrapped: they are there to be copied.
    ...(commands.length > 0 ? ['', 'Ways out', ...commands.map((each) => `  ${each}`)] : []),
    ...(found && found.tried.length > 0
      ? ['', 'Dry runs', sheet(rehearsedLines(found.tried), terminal)]
      : []),
    ...(more.length > 0 ? ['', 'Moved for real', sheet(more, terminal)] : []),
    ...(hint ? ['', hint] : []),
  ].join('\n');
}

// ── There and back ──────────────────────────────────────────────────────────────────────────────────────

type Tour = NonNullable<Data['move']>;

interface Toured {
  readonly verdict: Verdict;
  readonly move: Tour | null;
}

const isCompleted = (asked: Asked) => asked.moved.kind === 'ended' && asked.moved.end.outcome === 'COMPLETED';
const endIn = ({ moved }: Asked) => ('end' in moved ? moved.end : null);

/** Where it stands, and the command that brings it home. */
const astray = (service: string, at: string, home: string, why: string, say: Say): Verdict => ({
  outcome: 'needs-human',
  code: 'NOT_BACK',
  headline: `NOT_BACK: it is on ${at}, not on ${home}`,
  why,
  hint: `Bring it back:  ${say(`switchover ${service} --to ${home} --reason '...'`)}`,
});

const untouched = (verdict: Verdict): Toured => ({ verdict, move: null });
const notMoved = ({ code, detail }: Pick<NotDone, 'code' | 'detail'>): Toured =>
  untouched({ outcome: 'refused', code, headline: `${code}: not moved`, why: detail });

/** Goes to a standby and comes back, each as a planned move of its own that is seen to its end. */
async function thereAndBack(
  context: CommandContext,
  connection: Connection,
  service: ServiceName,
  { members }: Begun,
  options: DrillOptions,
): Promise<Toured> {
  const { say } = context;
  const { reason } = options;
  const home = members.find((each) => each.role === 'holder')?.member as InstanceId | undefined;
  const first = members.find((each) => each.role === 'standby' && each.refusals.length === 0)?.member;
  const to = options.to ?? (first as InstanceId | undefined);
  if (!home || !to)
    return notMoved({ code: 'NO_ELIGIBLE_STANDBY', detail: 'no standby may take the interfaces' });
  const planned = await planOf(connection, service, to, say);
  if (planned.kind === 'not-done') return notMoved(planned);
  const { plan, author } = planned;
  if (!plan.wouldMove) return notMoved(standsAgainst(plan, author));

  const headline = `drill: ${service} goes from ${home} to ${to}, and back`;
  const twice = [{ label: 'twice', text: `the same again for the way back to ${home}` }];
  const off = await callOff(context, service, options.yes === true, (terminal) =>
    planText(plan, terminal.style('bold', headline), terminal, twice),
  );
  if (off) return notMoved(off);

  const waitMs = options.timeout ?? patienceMs;
  const way = (target: InstanceId) => ({ command: 'switchover', service, to: target, reason }) as const;
  const there = await askFor(context, connection, way(to), waitMs);
  if (there.kind === 'not-done') return notMoved(there);
  const move = { from: home, to, there: endIn(there), back: null };
  if (!isCompleted(there)) {
    return { verdict: saidOf(there.moved, way(to), say), move };
  }

  const back = await askFor(context, connection, way(home), waitMs);
  if (back.kind === 'not-done')
    return { verdict: astray(service, to, home, `${back.code}: ${back.detail}`, say), move };
  const toured = { ...move, back: endIn(back) };
  if (!isCompleted(back)) {
    const why = spelled(saidOf(back.moved, way(home), say));
    return { verdict: astray(service, to, home, why, say), move: toured };
  }
  return { verdict: await recorded(connection, service, toured, options), move: toured };
}

/** The service is home: that the drill could not be recorded is said, and no more than that. */
async function recorded(
  { control }: Connection,
  service: ServiceName,
  { there, back }: Tour,
  { reason }: DrillOptions,
): Promise<Verdict> {
  const body = { service, there: there?.episode, back: back?.episode, reason };
  const answer = await control.send('record-drill', body);
  return {
    outcome: 'done',
    code: null,
    headline: 'moved there and back',
    why: answer.kind === 'refused' ? `the drill is not on record: ${answer.code}, ${answer.detail}` : '',
  };
}

function tourLines({ from, to, there, back }: Tour): Line[] {
  const line = (label: string, way: string, end: EpisodeEnd | null): Line => {
    if (!end) return { label, text: `${way}: not made` };
    const { outcome, episode, gapMs } = end;
    const gap = gapMs === null ? '' : `, gap ${seconds(gapMs)}`;
    return { label, text: `${way}: ${outcome}${gap} (${episode})` };
  };
  return [line('there', `${from} → ${to}`, there), line('back', `${to} → ${from}`, back)];
}

// ── The command ─────────────────────────────────────────────────────────────────────────────────────────

function notDoneAnswer(service: string, { author, code, detail }: NotDone, say: Say): Answer {
  const data: Data = {
    service,
    author,
    code,
    detail,
    drill: null,
    ready: false,
    hindrances: [],
    members: [],
    rehearsed: null,
    move: null,
  };
  const look = code === 'NO_SUCH_SERVICE' ? 'status' : `status ${service}`;
  return {
    outcome: 'refused',
    data: { ...data },
    text: ({ style }) =>
      `${style('red', `nothing was done (${code}): ${detail}`)}\n\nHow it is:  ${say(look)}`,
  };
}

export async function drillCommand(
  service: ServiceName,
  options: DrillOptions,
  context: CommandContext,
): Promise<Answer> {
  const { say } = context;
  if (options.move) mustBeAskable(context, options.yes === true);
  const connection = await context.connect();
  const rehearsal = await rehearse(context, connection, service, options);
  if (rehearsal.kind === 'not-done') return notDoneAnswer(service, rehearsal, say);
  const { author, begun, found } = rehearsal;
  const rehearsed = verdictOf(rehearsal, service, say);
  const { verdict, move } = !options.move
    ? untouched(rehearsed)
    : rehearsed.outcome === 'done'
      ? await thereAndBack(context, connection, service, begun, options)
      : untouched({ ...rehearsed, headline: `${rehearsed.headline}; nothing was moved` });
  const { outcome, code } = verdict;
  const detail = spelled(verdict);
  const { drill, ready, hindrances, members } = begun;
  const data: Data = {
    service,
    author,
    code,
    detail,
    drill,
    ready,
    hindrances,
    members,
    rehearsed: found?.tried ?? null,
    move,
  };
  return {
    outcome,
    data: { ...data },
    text: (terminal) => drillText(rehearsal, verdict, move ? tourLines(move) : [], service, terminal),
  };
}

export function addDrill(program: Command, { run, say }: Runner): void {
  const command = program
    .command('drill')
    .summary('rehearse a failover, or move there and back')
    .description(
      'Looks at every member and lets functions/failover make every call of a failover as a dry run: what is missing ' +
        'shows now, not in the outage. Changes nothing. With --move the service goes to a standby and comes back, ' +
        'each time with a short interruption: for a quiet hour. Exits with 4 if a failover would not work, or would not happen.',
    )
    .argument('<service>', 'a registered service', parseServiceName)
    .addOption(reasonOption())
    .option('--move', 'go to a standby and back for real, and record both gaps')
    .option('--to <instance>', 'with --move: this standby, not the first that is eligible', parseInstanceId)
    .option('--timeout <duration>', 'how long each way is waited for (default: 15m)', parsePatience);
  addYes(command)
    .action((name: ServiceName, options: DrillOptions, command: Command) => {
      for (const [option, value] of Object.entries({ '--to': options.to, '--yes': options.yes }))
        if (value && !options.move) command.error(`error: option '${option}' belongs to --move`);
      return run(command, (context) => drillCommand(name, options, context));
    })
    .addHelpText(
      'after',
      `
Examples:
  ${say("drill orders-db --reason 'monthly rehearsal'")}
  ${say("drill orders-db --move --reason 'quarterly, announced'")}`,
    );
}
