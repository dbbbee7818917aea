/** `show`: one record of the trail in full; of an episode every step, with how long it took. */
import { type Command, InvalidArgumentError } from 'commander';
import type { Ports } from '../shared/app/ports.ts';
import type { EpisodeRecord, TrailRecord, Verified } from '../shared/core/audit-query.ts';
import { outcomes, type StageMark } from '../shared/core/episode.ts';
import { gapOf } from '../shared/core/gap.ts';
import { everything, type TrailName } from '../shared/core/ids.ts';
import { describeMember, type MemberRefusal, type ReasonCode, reasons } from '../shared/core/reasons.ts';
import type { TrailHolder } from '../shared/core/state.ts';
import type { Answer } from './answer.ts';
import { parseTrailName, quoted } from './arguments.ts';
import { ago, type Line, sheet, type Terminal } from './output.ts';
import type { CommandContext, Runner } from './program.ts';
import { isEpisode, movement, placeOf, showOf, styleOf, summaryOf } from './record-view.ts';
import type { Say } from './service-view.ts';
import { type Read, readEpisode, readVerified } from './trail-answers.ts';
import { toTrailRecord } from './trail-row.ts';
import { tookOf, waterfall } from './waterfall.ts';

/** What is to be shown: an episode by its id, or any record by its place in a service's trail. */
export type Shown =
  | { readonly kind: 'episode'; readonly id: string }
  | { readonly kind: 'record'; readonly service: TrailName; readonly number: number };

export function parseShown(text: string): Shown {
  const [, service, number] = /^([^#.\s]+)#([1-9]\d{0,9})$/.exec(text) ?? [];
  if (service !== undefined)
    return { kind: 'record', service: parseTrailName(service), number: Number(number) };
  if (/^[^.#/\s]+\.\d+$/.test(text)) return { kind: 'episode', id: text };
  throw new InvalidArgumentError(
    'It must be an episode such as orders-db.3, or a record such as orders-db#12; history lists them.',
  );
}

// ── Text ────────────────────────────────────────────────────────────────────────────────────────────────

function meaningOf({ outcome }: TrailRecord): string | undefined {
  if (Object.hasOwn(outcomes, outcome)) return outcomes[outcome as keyof typeof outcomes].meaning;
  if (Object.hasOwn(reasons, outcome)) return reasons[outcome as ReasonCode].meaning;
  return undefined;
}

function spellMark({ begunAtMs, endedAtMs, end, output }: StageMark): string {
  const took = endedAtMs === undefined ? '' : ` after ${tookOf(endedAtMs - begunAtMs)}`;
  return `${end ?? 'begun, not ended'}${took}${output ? `: ${output}` : ''}`;
}

function durations(record: EpisodeRecord): string {
  const { eventAtMs, openedAtMs } = record.episode;
  const closedAtMs = Date.parse(record.closedAt);
  const gapMs = gapOf(record.episode.steps);
  return [
    ...(eventAtMs === undefined ? [] : [`event to claim ${tookOf(Math.max(0, openedAtMs - eventAtMs))}`]),
    ...(gapMs === undefined ? [] : [`detach to verified ${tookOf(gapMs)}`]),
    `claim to end ${tookOf(closedAtMs - openedAtMs)}`,
  ].join(', ');
}

function episodeLines(record: EpisodeRecord): Line[] {
  const { episode, why, attachedTo } = record;
  const { plan, request, evidence, stages = {} } = episode;
  // As declared; a record keeps its keys in the order of the alphabet.
  const declared = plan.interfaces.map((each) => each.eni);
  const placeOf = ([eni]: readonly [string, unknown]) => (declared as readonly string[]).indexOf(eni);
  const where = Object.entries(attachedTo).toSorted((one, other) => placeOf(one) - placeOf(other));
  const elsewhere = where.filter(([, instance]) => instance !== plan.target);
  return [
    { label: 'move', text: movement(episode) },
    ...(plan.tried.length > 1 ? [{ label: 'tried', text: plan.tried.join(', then ') }] : []),
    { label: 'evidence', text: evidence },
    ...(why === evidence ? [] : [{ label: 'end', text: why }]),
    ...(request ? [{ label: 'request', text: `by ${request.author}: ${request.reason}` }] : []),
    { label: 'durations', text: durations(record) },
    ...(elsewhere.length === 0
      ? [{ label: 'interfaces', text: `${where.map(([eni]) => eni).join(', ')}: on ${plan.target}` }]
      : where.map(([eni, instance]) => ({
          label: 'interfaces',
          text: `${eni} on ${instance ?? 'nothing'}`,
        }))),
    ...Object.entries(stages)
      // The table keeps no order of its own.
      .toSorted(([, one], [, other]) => one.begunAtMs - other.begunAtMs)
      .map(([id, mark]) => ({ label: id, text: spellMark(mark) })),
  ];
}

/** Told elsewhere on the screen, or by every record. */
const toldKeys = new Set(
  'service number kind at author outcome previous hash instances interfaces detail code episode'.split(' '),
);

function spellFact(value: unknown): readonly string[] {
  if (!Array.isArray(value)) return [typeof value === 'object' ? JSON.stringify(value) : String(value)];
  const isRefusal = (each: unknown): each is MemberRefusal =>
    typeof each === 'object' && each !== null && 'member' in each && 'code' in each;
  if (value.some((each) => typeof each === 'object'))
    return value.map((each: unknown) => (isRefusal(each) ? describeMember(each) : JSON.stringify(each)));
  return value.length > 0 ? [value.join(', ')] : [];
}

function otherLines(record: TrailRecord): Line[] {
  const summary = summaryOf(record).replace(/^[^:]*: /, '');
  const isTold = (value: unknown): boolean =>
    Array.isArray(value)
      ? value.length > 0 && value.every(isTold)
      : typeof value === 'string' && summary.includes(value);
  const facts = Object.entries(record).filter(
    ([key, value]) => !toldKeys.has(key) && value != null && !isTold(value),
  );
  return [
    { label: record.kind, text: summary },
    ...(record.instances.length > 0 ? [{ label: 'instances', text: record.instances.join(', ') }] : []),
    ...(record.interfaces.length > 0 ? [{ label: 'interfaces', text: record.interfaces.join(', ') }] : []),
    ...facts.flatMap(([label, value]) => spellFact(value).map((text) => ({ label, text }))),
  ];
}

function chainLines(record: TrailRecord, verified: Verified | undefined, nowMs: number, say: Say): Line[] {
  const faults = verified?.faults ?? [];
  return [
    { label: 'at', text: ago(Date.parse(record.at), nowMs) },
    { label: 'trail', text: `record ${record.number} of ${record.service}` },
    { label: 'hash', text: record.hash },
    { label: 'follows', text: record.previous || 'nothing, it is the first' },
    ...faults.map(
      ({ number, why }): Line => ({ label: 'CHAIN', text: `record ${number}: ${why}`, style: 'red' }),
    ),
    ...(verified && faults.length === 0
      ? [
          {
            label: 'chain',
            text: `verified: ${verified.records} records, each follows the one before it, head ${verified.head}`,
            style: 'green',
          } as const,
        ]
      : []),
    ...(verified
      ? []
      : [{ label: 'chain', text: 'not checked', command: say(`${showOf(record)} --verify`) }]),
  ];
}

function showText(
  record: TrailRecord,
  verified: Verified | undefined,
  nowMs: number,
  say: Say,
  terminal: Terminal,
): string {
  const { style } = terminal;
  const color = styleOf(record);
  const what = isEpisode(record) ? `${record.episode.id}  ${record.episode.kind}` : placeOf(record);
  const end = color ? style(color, record.outcome) : record.outcome;
  const meaning = meaningOf(record);
  const lines = [
    ...(isEpisode(record) ? episodeLines(record) : otherLines(record)),
    { label: 'author', text: record.author },
    ...chainLines(record, verified, nowMs, say),
  ];
  return [
    `${style('bold', what)}  ${end}`,
    ...(meaning ? [meaning] : []),
    '',
    sheet(lines, terminal),
    ...(isEpisode(record) && record.episode.steps.length > 0
      ? [
          '',
          style('dim', 'Steps'),
          waterfall(record.episode.steps, record.episode.openedAtMs, Date.parse(record.closedAt), terminal),
        ]
      : []),
    ...(verified ? brokenText(verified, record.service, say) : []),
  ].join('\n');
}

/** Outside the table lies what nobody who can write there has changed. */
function brokenText({ faults }: Verified, service: string, say: Say): readonly string[] {
  if (faults.length === 0) return [];
  const numbers = [...new Set(faults.map((each) => each.number))].join(', ');
  const file = `trail-${service === everything ? 'everything' : service}.ndjson`;
  return [
    '',
    'Somebody changed the trail: what is shown here may not be what was written.',
    `Compare record ${numbers} with its notice, which has the number and hash, or with an export kept elsewhere.`,
    `Keep what is there now:  ${say(`export ${quoted(service)} --file ${file}`)}`,
  ];
}

// ── The command ─────────────────────────────────────────────────────────────────────────────────────────

const noSuchRecord = (service: string, number: number): Read<TrailRecord> => ({
  kind: 'missing',
  code: 'NO_SUCH_RECORD',
  detail: `the trail of ${service} has no record ${number}`,
});

const deletedRecord = (service: string, number: number): Read<TrailRecord> => ({
  kind: 'missing',
  code: 'RECORD_DELETED',
  detail: `record ${number} of ${service} is missing: it was written, and somebody deleted it`,
});

/** Where the chain ends, and what of it is not copied yet. */
async function holderOf(store: Ports['store'], service: TrailName): Promise<TrailHolder | undefined> {
  if (service === everything) return store.readControllerItem();
  const fact = await store.read(service);
  return fact.kind === 'known' ? fact.value : undefined;
}

/** By its number straight from the table: functions/audit knows records by what they are about. */
async function readRecord(
  { store }: Pick<Ports, 'store'>,
  service: TrailName,
  number: number,
): Promise<Read<TrailRecord>> {
  const [row] = await store.trail(service, number, 1);
  if (row?.number === number) return { kind: 'read', value: toTrailRecord(row) };
  const holder = await holderOf(store, service);
  if (!holder || number >= holder.trail.next) return noSuchRecord(service, number);
  const { frozen } = holder;
  // On its way into the trail; it shows as it will lie there.
  return frozen?.number === number
    ? { kind: 'read', value: toTrailRecord(frozen) }
    : deletedRecord(service, number);
}

export async function showCommand(
  shown: Shown,
  options: { readonly verify?: true },
  { connect, say, now }: CommandContext,
): Promise<Answer> {
  const connection = await connect();
  const { audit } = connection;
  const read =
    shown.kind === 'episode'
      ? await readEpisode(audit, shown.id)
      : await readRecord(connection.ports, shown.service, shown.number);
  // A record that is gone is just what the chain tells.
  const service = shown.kind === 'record' ? shown.service : shown.id.replace(/\.\d+$/, '');
  const chain = options.verify ? await readVerified(audit, service) : undefined;
  const verified = chain?.kind === 'read' ? chain.value : undefined;
  const hasFaults = verified !== undefined && verified.faults.length > 0;
  if (read.kind === 'missing') {
    const { code, detail } = read;
    const faults = verified?.faults ?? [];
    return {
      outcome: hasFaults || code === 'RECORD_DELETED' ? 'needs-human' : 'refused',
      data: { code, detail, record: null, verified: verified ?? null },
      text: ({ style }) =>
        [
          `${detail}. What is on record:  ${say(`history ${quoted(service)}`)}`,
          ...faults.map(({ number, why }) => style('red', `CHAIN  record ${number}: ${why}`)),
          ...(verified ? brokenText(verified, service, say) : []),
        ].join('\n'),
    };
  }
  const nowMs = now();
  const count = verified?.faults.length ?? 0;
  const detail = hasFaults ? `the chain of ${service} has ${count} fault${count === 1 ? '' : 's'}` : null;
  return {
    outcome: hasFaults ? 'needs-human' : 'done',
    data: {
      code: hasFaults ? 'CHAIN_BROKEN' : null,
      detail,
      record: read.value,
      verified: verified ?? null,
    },
    text: (terminal) => showText(read.value, verified, nowMs, say, terminal),
  };
}

export function addShow(program: Command, { run, say }: Runner): void {
  program
    .command('show')
    .summary('one episode with every step and how long it took')
    .description(
      'Shows one record of the trail in full. Of an episode: what led to it, who asked for it, every step with its ' +
        'duration, what the hooks printed, and where the interfaces were at the end. Exits with 4 if --verify ' +
        'finds that the trail was changed afterwards, or if the record was deleted.',
    )
    .argument('<record>', "an episode (orders-db.3) or any record (orders-db#12, '*#1')", parseShown)
    .option('--verify', "check the whole chain of the service's trail as well")
    .action((shown: Shown, options: { verify?: true }, command: Command) =>
      run(command, (context) => showCommand(shown, options, context)),
    )
    .addHelpText(
      'after',
      `
Examples:
  ${say('show orders-db.3')}
  ${say("show 'orders-db#12' --verify")}
  ${say("show '*#1'")}
  ${say('show orders-db.3 -o json')}`,
    );
}
