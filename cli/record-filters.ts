/** The options by which `history` and `export` pick records, and the questions to functions/audit that they become. */
import { type Command, Option } from 'commander';
import { outcomes } from '../shared/core/episode.ts';
import { EniIdSchema, type InstanceId, type TrailName } from '../shared/core/ids.ts';
import { nearestKey } from '../shared/core/problems.ts';
import { commandReasons, reasons } from '../shared/core/reasons.ts';
import { recordKinds } from '../shared/core/trail.ts';
import { parseInstanceId, parserOf, parseTrailName } from './arguments.ts';
import { type Moment, parseMoment } from './moment.ts';
import { timeOf } from './output.ts';
import type { RecordFilters } from './trail-answers.ts';

export interface FilterOptions {
  readonly instance?: InstanceId;
  readonly interface?: string;
  readonly author?: string;
  readonly since?: Moment;
  readonly until?: Moment;
  readonly kind?: string;
  readonly outcome?: string;
}

export const addFilters = (command: Command): Command =>
  command
    .argument(
      '[service]',
      "a service, registered or not any more; '*' for pauses of everything and released brakes",
      parseTrailName,
    )
    .option('--instance <id>', 'records that name this instance', parseInstanceId)
    .option('--interface <eni>', 'records that name this interface', parserOf(EniIdSchema))
    .option(
      '--author <name>',
      'records by this author: a whole ARN, or eni-failover for the controller itself',
    )
    .option('--since <time>', '2026-11-21T02:11Z, 2026-11-21, 02:11 (UTC) or 2h (ago)', parseMoment)
    .option('--until <time>', 'the same; records of that very moment are left out', parseMoment)
    .addOption(new Option('--kind <kind>', 'records of one kind').choices(Object.keys(recordKinds)))
    .option('--outcome <code>', 'how an episode ended, or a reason code', (text) =>
      text.toUpperCase().replaceAll('-', '_'),
    );

const isoAt = (moment: Moment | undefined, nowMs: number) =>
  moment && new Date(moment.at(nowMs)).toISOString();

export function toFilters(
  service: TrailName | undefined,
  { since, until, instance, interface: eni, author, kind, outcome }: FilterOptions,
  nowMs: number,
): RecordFilters {
  const from = isoAt(since, nowMs);
  const to = isoAt(until, nowMs);
  return { service, instance, interface: eni, author, from, to, kind, outcome };
}

/** How the records are known to end; a hint for whoever misspelt one, for other versions may have written others. */
const knownOutcomes = [
  ...Object.keys(outcomes),
  ...Object.keys(reasons),
  ...Object.keys(commandReasons),
  // What is done to everything.
  'CONTROLLER_RESUMED',
  'BRAKE_RELEASED',
  'PAUSE_ENDED',
];

/** Why nothing may have been found: the conditions as they were understood, and which of them looks misspelt. */
export function nothingWords({ instance, interface: eni, author, kind, outcome }: FilterOptions): string {
  const conditions = Object.entries({ instance, interface: eni, author, kind, outcome }).flatMap(
    ([name, value]) => (value === undefined ? [] : [`--${name} ${value}`]),
  );
  const meant =
    outcome === undefined || knownOutcomes.includes(outcome) ? undefined : nearestKey(outcome, knownOutcomes);
  return [
    conditions.length > 0 ? `Nothing on record with ${conditions.join(' ')}.` : 'Nothing on record.',
    ...(meant ? [`Did you mean --outcome ${meant}?`] : []),
    ...(author === undefined || author === 'eni-failover' || author.startsWith('arn:')
      ? []
      : ['An author is a whole ARN, as show and -o json spell it.']),
  ].join(' ');
}

/** Which time was understood: whoever types 02:11 should see of which day. Empty where none was named. */
export function spanWords({ since, until }: FilterOptions, nowMs: number): string {
  return [
    ...(since ? [`since ${timeOf(since.at(nowMs))}`] : []),
    ...(until ? [`until ${timeOf(until.at(nowMs))}`] : []),
  ].join(' ');
}
