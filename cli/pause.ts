/** `pause`: stops every automatic move of a service, or of all of them, for a while. */
import type { Command } from 'commander';
import { outcomes } from '../shared/core/episode.ts';
import type { ServiceName } from '../shared/core/ids.ts';
import { known } from '../shared/core/observation.ts';
import { isPaused } from '../shared/core/state.ts';
import type { Answer } from './answer.ts';
import { parseDuration, parseServiceName, reasonOption } from './arguments.ts';
import { onEverything, onService, operatedAnswer } from './operated.ts';
import { isoOf, timeOf } from './output.ts';
import { type CommandContext, oneOf, type Runner } from './program.ts';
import type { Connection } from './session.ts';
import {
  addWait,
  type EpisodeEnd,
  episodeEndIn,
  type Followed,
  follow,
  mustWait,
  patienceMs,
} from './wait.ts';

/** People pause for days, too; what is declared is never that long. Seven are the limit: control says so. */
export const parsePauseLength = (text: string): number =>
  parseDuration(/^\d{1,3}d$/.test(text) ? `${Number(text.slice(0, -1)) * 24}h` : text);

interface PauseOptions {
  readonly reason: string;
  /** Milliseconds. */
  readonly for: number;
  readonly all?: true;
  readonly wait?: true;
  /** Milliseconds. */
  readonly timeout?: number;
}

/** A move that was under way when the pause began, and how it ended; no end where it could not be seen. */
interface UnderWay {
  readonly service: string;
  readonly end: EpisodeEnd | null;
  readonly why: string | null;
}

const toUnderWay = (service: string, followed: Followed<EpisodeEnd | 'none'>): UnderWay[] => {
  if (followed.kind === 'unseen') return [{ service, end: null, why: followed.why }];
  return followed.value === 'none' ? [] : [{ service, end: followed.value, why: null }];
};

/** Follows what was under way to its end: only then does nothing move any more. */
async function awaitEnds(
  context: CommandContext,
  { ports }: Connection,
  names: readonly ServiceName[],
  timeoutMs: number,
): Promise<readonly UnderWay[]> {
  const ends = names.map(async (service) => {
    const fact = await ports.store.read(service);
    if (fact.kind !== 'known' || !fact.value.episode) return [];
    const wait = { service, from: fact.value.trail.next, timeoutMs, waitingFor: `${service} comes to rest` };
    const followed = await follow(context, ports, wait, ({ state, records, isComplete }) => {
      if (state.episode || !isComplete) return undefined;
      return records.map(episodeEndIn).findLast((each) => each !== undefined)?.end ?? 'none';
    });
    return toUnderWay(service, followed);
  });
  return (await Promise.all(ends)).flat();
}

const lineOf = ({ service, end, why }: UnderWay, say: CommandContext['say']) =>
  end
    ? `${service}: ${end.kind} ${end.episode} ended as ${end.outcome} on ${end.to}`
    : `${service}: its move was not seen to the end (${why}). How it is:  ${say(`status ${service}`)}`;

/** Until when it is paused already: whoever pauses for less than that should know. What cannot be read keeps nobody from pausing. */
async function pausedUntil(
  connection: Connection,
  name: ServiceName | undefined,
  nowMs: number,
): Promise<number | undefined> {
  try {
    const { store } = connection.ports;
    const fact = name ? await store.read(name) : known(await store.readController());
    const pause = fact.kind === 'known' ? fact.value.pause : undefined;
    return pause && isPaused(pause, nowMs) ? pause.untilMs : undefined;
  } catch {
    return undefined;
  }
}

/** Without a name: everything. */
export async function pauseCommand(
  name: ServiceName | undefined,
  options: PauseOptions,
  context: CommandContext,
): Promise<Answer> {
  const { say } = context;
  const connection = await context.connect();
  const { control } = connection;
  const beforeMs = await pausedUntil(connection, name, context.now());
  const request = { reason: options.reason, forMs: options.for };
  const answered = await control.send('pause', { ...request, ...(name ? { service: name } : { all: true }) });
  const operated = operatedAnswer(answered, name ? onService(name) : onEverything, say);
  const insteadOfMs = answered.kind === 'done' ? beforeMs : undefined;
  const instead = insteadOfMs === undefined ? '' : `, instead of until ${timeOf(insteadOfMs)}`;
  const answer: Answer = {
    ...operated,
    data: {
      ...operated.data,
      until: answered.data?.['until'] ?? null,
      insteadOf: insteadOfMs === undefined ? null : isoOf(insteadOfMs),
    },
    text: (terminal) => `${operated.text(terminal)}${instead}`,
  };
  if (answer.outcome === 'refused' || !options.wait)
    return { ...answer, data: { ...answer.data, underWay: [] } };
  const names = name ? [name] : await connection.ports.store.needingAttention();
  const underWay = await awaitEnds(context, connection, names, options.timeout ?? patienceMs);
  const isWell = underWay.every(({ end }) => end && !outcomes[end.outcome].human);
  return {
    outcome: isWell ? 'done' : 'needs-human',
    data: { ...answer.data, underWay },
    text: (terminal) => [answer.text(terminal), ...underWay.map((each) => lineOf(each, say))].join('\n'),
  };
}

export function addPause(program: Command, { run, say }: Runner): void {
  const command = program
    .command('pause')
    .summary('stop automatic moves for a while')
    .description(
      'Stops every automatic move of a service, or of all of them. It ends by itself: a pause that is forgotten ' +
        'is an outage in waiting. A move under way goes on to its end.',
    )
    .argument('[service]', 'a registered service', parseServiceName)
    .option('--all', 'pause every service')
    .addOption(reasonOption())
    .requiredOption('--for <duration>', 'for how long, such as 90s, 30m, 2h or 2d', parsePauseLength);
  addWait(command, 'wait for the end of a move that is under way')
    .action((name: ServiceName | undefined, options: PauseOptions, command: Command) => {
      oneOf(command, { '<service>': name, '--all': options.all });
      mustWait(command, options);
      return run(command, (context) => pauseCommand(name, options, context));
    })
    .addHelpText(
      'after',
      `
Examples:
  ${say("pause orders-db --for 30m --reason 'kernel upgrade'")}
  ${say("pause orders-db --for 1h --wait --reason 'only once nothing moves any more'")}
  ${say("pause --all --for 2h --reason 'network maintenance'")}`,
    );
}
