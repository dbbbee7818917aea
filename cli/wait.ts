/** Follows a service through its item and its trail until something has ended, and shows meanwhile how far it is. */
import { type Command, InvalidArgumentError } from 'commander';
import * as v from 'valibot';
import type { Ports } from '../shared/app/ports.ts';
import { type Outcome, outcomes, type Step } from '../shared/core/episode.ts';
import { messageOf, PortError } from '../shared/core/errors.ts';
import { gapOf } from '../shared/core/gap.ts';
import type { ServiceName } from '../shared/core/ids.ts';
import type { ServiceState } from '../shared/core/state.ts';
import { parseDuration } from './arguments.ts';
import { spanOf } from './output.ts';
import type { CommandContext } from './program.ts';

/** Longer than a move with its hooks usually takes; what takes longer still is worth a look of its own. */
export const patienceMs = 15 * 60_000;

/** Milliseconds. */
export function parsePatience(text: string): number {
  const ms = parseDuration(text);
  if (ms > 24 * 3_600_000) throw new InvalidArgumentError('It must be 24h or less.');
  return ms;
}

/** For every command that can wait for what it began. */
export const addWait = (
  command: Command,
  what = 'follow it to its end, and exit with what became of it',
): Command =>
  command
    .option('--wait', what)
    .option('--timeout <duration>', 'how long --wait waits (default: 15m)', parsePatience);

/** A time that nobody waits would be a lie. */
export function mustWait(command: Command, { wait, timeout }: { wait?: true; timeout?: number }): void {
  if (timeout !== undefined && !wait) command.error("error: option '--timeout' belongs to --wait");
}

const pollMs = 500;

/** A record of the trail, as far as somebody waits for it. */
export type Recorded = Readonly<Record<string, unknown>> & { readonly number: number; readonly kind: string };

export interface Seen {
  readonly state: ServiceState;
  /** From the number on that was asked for, in their order. */
  readonly records: readonly Recorded[];
  /** No record is missing: what is not among them has not happened. */
  readonly isComplete: boolean;
}

export type Followed<T> =
  | { readonly kind: 'ended'; readonly value: T }
  /** Time is up, or whoever waited does not want to any more: what was begun goes on. */
  | { readonly kind: 'unseen'; readonly why: string };

export interface Wait {
  readonly service: ServiceName;
  /** The number of the first record that matters. */
  readonly from: number;
  readonly timeoutMs: number;
  /** For the line that is shown as long as no episode is open. */
  readonly waitingFor: string;
}

const toRecorded = (number: number, body: string): Recorded => ({
  ...(JSON.parse(body) as Record<string, unknown> & { kind: string }),
  number,
});

/** Reads what has come since. The last record may still lie in the item itself (P21). */
async function readOn(ports: Ports, service: ServiceName, from: number, seen: Recorded[]) {
  const fact = await ports.store.read(service);
  if (fact.kind !== 'known') return undefined;
  const { frozen, trail } = fact.value;
  const next = () => from + seen.length;
  if (next() < trail.next && next() !== frozen?.number)
    for (const row of await ports.store.trail(service, next(), 50))
      if (row.number === next()) seen.push(toRecorded(row.number, row.body));
  if (frozen && frozen.number === next()) seen.push(toRecorded(frozen.number, frozen.body));
  return { state: fact.value, records: seen, isComplete: next() >= trail.next };
}

const spelledStep = ({ step, eni, detail }: Step) => [step, eni, detail].filter(Boolean).join(' ');

/** `DETACHING after 4 s: detach eni-…` */
function lineOf({ episode }: ServiceState, waitingFor: string, sinceMs: number, nowMs: number): string {
  if (!episode) return `${waitingFor} (${spanOf(nowMs - sinceMs)})`;
  const last = episode.steps.at(-1);
  const how = last ? `: ${spelledStep(last)}` : '';
  return `${episode.kind} ${episode.id} is ${episode.state} after ${spanOf(nowMs - episode.openedAtMs)}${how}`;
}

/** A table that does not answer for a moment is no end; one that never will is thrown as it is. */
export async function follow<T>(
  { person, screen }: Pick<CommandContext, 'person' | 'screen'>,
  ports: Ports,
  { service, from, timeoutMs, waitingFor }: Wait,
  endOf: (seen: Seen) => T | undefined,
): Promise<Followed<T>> {
  const stopped = screen.untilStopped();
  const sinceMs = ports.clock.now();
  const records: Recorded[] = [];
  let trouble = '';
  try {
    for (;;) {
      try {
        const seen = await readOn(ports, service, from, records);
        trouble = '';
        const value = seen && endOf(seen);
        if (value !== undefined) return { kind: 'ended', value };
        const nowMs = ports.clock.now();
        person.show(seen ? lineOf(seen.state, waitingFor, sinceMs, nowMs) : waitingFor);
      } catch (error) {
        if (!(error instanceof PortError && error.mayRetry)) throw error;
        trouble = `; the table does not answer (${messageOf(error)})`;
        person.show(`the table does not answer: asked again (${spanOf(ports.clock.now() - sinceMs)})`);
      }
      if (stopped.aborted) return { kind: 'unseen', why: `the waiting was ended by hand${trouble}` };
      if (ports.clock.now() - sinceMs >= timeoutMs)
        return { kind: 'unseen', why: `not at its end after ${spanOf(timeoutMs)}${trouble}` };
      await ports.clock.sleep(pollMs, stopped);
    }
  } finally {
    person.show('');
  }
}

/** The end of an episode, as its record tells it. */
export interface EpisodeEnd {
  readonly episode: string;
  readonly kind: string;
  readonly outcome: Outcome;
  readonly why: string;
  readonly from: string | null;
  readonly to: string;
  /** Its number in the service's trail. */
  readonly record: number;
  /** From the first detach that was sent to the last interface seen attached; null where nothing moved. */
  readonly gapMs: number | null;
}

const EndSchema = v.object({
  outcome: v.picklist(Object.keys(outcomes) as Outcome[]),
  why: v.string(),
  episode: v.object({
    id: v.string(),
    kind: v.string(),
    plan: v.object({ source: v.optional(v.string()), target: v.string() }),
    steps: v.array(
      v.object({
        atMs: v.number(),
        step: v.string(),
        durationMs: v.exactOptional(v.number()),
        untilMs: v.exactOptional(v.number()),
      }),
    ),
    request: v.optional(v.object({ id: v.string() })),
  }),
});

/** Undefined for a record of another kind. */
export function episodeEndIn(
  record: Recorded,
): { readonly end: EpisodeEnd; readonly request: string | undefined } | undefined {
  const parsed = record.kind === 'episode' ? v.safeParse(EndSchema, record) : undefined;
  if (!parsed?.success) return undefined;
  const { outcome, why, episode } = parsed.output;
  const { plan, steps } = episode;
  return {
    end: {
      episode: episode.id,
      kind: episode.kind,
      outcome,
      why,
      from: plan.source ?? null,
      to: plan.target,
      record: record.number,
      gapMs: gapOf(steps) ?? null,
    },
    request: episode.request?.id,
  };
}
