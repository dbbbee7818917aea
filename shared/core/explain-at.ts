/** What the controller knew of a service at a past moment, and why it did or did not act: from its trail and the controller's own. */
import type { EpisodeRecord, TrailRecord } from './audit-query.ts';
import { type Episode, type EpisodeKind, isPlannedMove, type Step } from './episode.ts';
import { type MemberRefusal, type ReasonCode, reasons } from './reasons.ts';

interface FromRecord {
  /** The record's place in the service's trail. */
  readonly number: number;
  /** ISO 8601, UTC, as every `at`, `since` and `until` here. */
  readonly at: string;
}

export interface PastRegistration extends FromRecord {
  readonly author: string;
  readonly mode: string;
  readonly members: readonly string[];
  readonly interfaces: readonly string[];
}

export interface PastPause extends FromRecord {
  readonly author: string;
  readonly reason: string;
  readonly until: string;
}

export interface PastQuarantine extends FromRecord {
  readonly member: string;
  readonly why: string;
}

export interface PastEpisode {
  readonly id: string;
  readonly kind: EpisodeKind;
  readonly openedAt: string;
  readonly from: string | null;
  readonly to: string;
  readonly evidence: string;
  /** Up to the moment that is asked about. */
  readonly steps: readonly Step[];
  /** How it ended later; null while it is still open. */
  readonly end: (FromRecord & { readonly outcome: string; readonly why: string }) | null;
}

/** What an episode left behind, and nothing on record has put right since. */
export interface PastTrouble extends FromRecord {
  /** The try that was recorded last; `number` and `at` are the first one's. */
  readonly id: string;
  readonly outcome: 'STRANDED' | 'NEEDS_HUMAN' | 'RETURNED_TO_SOURCE';
  readonly why: string;
  /** Those on record: one that changed nothing is not recorded (P26). */
  readonly tries: number;
  /** As an episode's record has it. */
  readonly attachedTo: EpisodeRecord['attachedTo'];
}

export interface PastFinding extends FromRecord {
  readonly kind: string;
  readonly code: string;
  readonly detail: string;
  /** Each member's own reason, where the record names them. */
  readonly members: readonly MemberRefusal[];
}

/**
 * `acting`: an episode was open. `stranded`: down, and tried again by itself. `needs-human`: the last failover left it
 * to a person. `would-not-act`: registered, and something held it back. `watching`: nothing known held it back.
 * `not-registered`: not yet, or not any more. `unknown`: the trail does not reach that far.
 */
export type PastVerdict =
  | 'acting'
  | 'stranded'
  | 'needs-human'
  | 'would-not-act'
  | 'watching'
  | 'not-registered'
  | 'unknown';

export interface Past {
  readonly verdict: PastVerdict;
  /** Why it did or did not act, in one or two sentences. */
  readonly sentence: string;
  /** The reason codes that held it back, with how each could have been ended. */
  readonly blockers: readonly { readonly code: string; readonly detail: string; readonly wayOut: string }[];
  readonly registered: PastRegistration | null;
  /** Where the interfaces were, as last recorded. */
  readonly holder: (FromRecord & { readonly instance: string | null }) | null;
  readonly pause: PastPause | null;
  /** Of everything; its place is in the controller's own trail. */
  readonly controllerPause: PastPause | null;
  readonly quarantined: readonly PastQuarantine[];
  /** The episode that was open at that moment. */
  readonly episode: PastEpisode | null;
  /** The one that had ended last before. */
  readonly lastEpisode:
    | (FromRecord & { readonly id: string; readonly outcome: string; readonly why: string })
    | null;
  readonly trouble: PastTrouble | null;
  readonly lastRefusal: PastFinding | null;
  readonly lastObserved: PastFinding | null;
  readonly readiness: (PastFinding & { readonly ready: boolean }) | null;
  /** What was recorded next. */
  readonly next: (FromRecord & { readonly kind: string; readonly outcome: string }) | null;
  /** What no trail can tell about that moment, in sentences. */
  readonly unknown: readonly string[];
}

export interface ExplainedPast {
  readonly service: string;
  readonly at: string;
  readonly answer: Past;
}

export interface Sources {
  readonly service: string;
  readonly atMs: number;
  /** Those around the moment, by number. */
  readonly records: readonly TrailRecord[];
  /** What was done to everything around the moment, by number. */
  readonly ofController: readonly TrailRecord[];
  /** The first of them is the first of the service. */
  readonly isWhole: boolean;
  /** The episode that is open now; `unreadable` where the item that would say so cannot be understood. */
  readonly open?: Episode | 'unreadable';
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);
const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
const list = (value: unknown): readonly Readonly<Record<string, unknown>>[] =>
  Array.isArray(value) ? value.filter(isRecord) : [];
const iso = (atMs: number) => new Date(atMs).toISOString();
const placeOf = ({ number, at }: TrailRecord): FromRecord => ({ number, at });

const isEpisode = (record: TrailRecord): record is EpisodeRecord =>
  record.kind === 'episode' && isRecord(record['episode']);

function toFinding(record: TrailRecord): PastFinding {
  const { kind, outcome } = record;
  const members = list(record['members']) as unknown as readonly MemberRefusal[];
  const code = text(record['code']) ?? outcome;
  return { ...placeOf(record), kind, code, detail: text(record['detail']) ?? '', members };
}

/** Where the interfaces were when it was written, if it says so: one instance, null for split or on nothing. */
function holderIn(record: TrailRecord): string | null | undefined {
  const attachedTo = record['attachedTo'];
  if (isRecord(attachedTo)) {
    const holders = [...new Set(Object.values(attachedTo))];
    return holders.length === 1 ? (text(holders[0]) ?? null) : null;
  }
  if (record.outcome === 'ADOPTED') return text(record['to']);
  const lastSeen = record['lastSeen'];
  return text(record['holder']) ?? (isRecord(lastSeen) ? text(lastSeen['holder']) : undefined);
}

function registrationIn(record: TrailRecord): PastRegistration | undefined {
  const { declaration } = record;
  if (!isRecord(declaration)) return undefined;
  const policy = isRecord(declaration['policy']) ? declaration['policy'] : {};
  const ids = (value: unknown, key: string) => list(value).flatMap((each) => text(each[key]) ?? []);
  return {
    ...placeOf(record),
    author: record.author,
    mode: text(policy['mode']) ?? 'act',
    members: ids(declaration['members'], 'instance'),
    interfaces: ids(declaration['interfaces'], 'eni'),
  };
}

/** The mode that a command set, without a registration of its own. */
function modeIn({
  number,
  changes,
}: TrailRecord): { readonly number: number; readonly mode: string } | undefined {
  const lines = Array.isArray(changes) ? changes.flatMap((each) => text(each) ?? []) : [];
  const mode = lines.flatMap((each) => /^policy\.mode: .* → (\w+)$/.exec(each)?.[1] ?? []).at(-1);
  return mode === undefined ? undefined : { number, mode };
}

/** Members that stay out: put there by the ends of episodes, let back by acknowledgements. */
function quarantinedBy(records: readonly TrailRecord[], atMs: number): readonly PastQuarantine[] {
  const out = new Map<string, PastQuarantine & { readonly untilMs?: number }>();
  for (const record of records) {
    if (isEpisode(record)) {
      for (const { member, why, untilMs } of list(record['quarantined'])) {
        const ends = typeof untilMs === 'number' ? { untilMs } : {};
        out.set(String(member), { ...placeOf(record), member: String(member), why: String(why), ...ends });
      }
    }
    const ended = text(record['quarantinesEnded'])?.split(', ') ?? [];
    for (const member of ended) out.delete(member);
  }
  return [...out.values()].flatMap(({ untilMs, ...each }) =>
    untilMs === undefined || untilMs > atMs ? [each] : [],
  );
}

function toPastEpisode(episode: Episode, atMs: number, end?: EpisodeRecord): PastEpisode {
  const { id, kind, openedAtMs, plan, evidence, steps } = episode;
  return {
    id,
    kind,
    openedAt: iso(openedAtMs),
    from: plan.source ?? null,
    to: plan.target,
    evidence,
    steps: steps.filter((each) => each.atMs <= atMs),
    end: end ? { ...placeOf(end), outcome: end.outcome, why: end.why } : null,
  };
}

const isTrouble = (outcome: string): outcome is PastTrouble['outcome'] =>
  ['STRANDED', 'NEEDS_HUMAN', 'RETURNED_TO_SOURCE'].includes(outcome);

/** Whole again by itself, by hand or by a new registration. */
const makesWhole = (record: TrailRecord) =>
  record.kind === 'recovered' || record.outcome === 'ADOPTED' || registrationIn(record) !== undefined;

function troubleBy(records: readonly TrailRecord[]): PastTrouble | null {
  let left = null as PastTrouble | null;
  for (const record of records) {
    const isStranded = left?.outcome === 'STRANDED';
    if (makesWhole(record) || (record.kind === 'ack' && !isStranded)) left = null;
    if (!isEpisode(record)) continue;
    const { outcome, why, attachedTo, episode } = record;
    // A try that was called off or stopped leaves a stranded service as it was (P26).
    if (isStranded && ['ABORTED', 'REFUSED', 'NEEDS_HUMAN'].includes(outcome)) continue;
    // One that somebody asked for began with a service that was well.
    const counts = isTrouble(outcome) && (outcome === 'STRANDED' || !isPlannedMove(episode.kind));
    const first = outcome === 'STRANDED' && isStranded ? left : null;
    const { number, at } = first ?? record;
    const tries = (first?.tries ?? 0) + 1;
    left = counts ? { number, at, id: episode.id, outcome, why, tries, attachedTo } : null;
  }
  return left;
}

/** Since when it was down, why, and which interfaces were on nothing. */
function spellStranded({ at, why, attachedTo }: PastTrouble): string {
  const free = Object.keys(attachedTo).filter((eni) => attachedTo[eni] === null);
  return `since ${at}: ${why}${free.length > 0 ? `; ${free.join(', ')} on nothing` : ''}`;
}

type Blocker = Past['blockers'][number];

const wayOutOf = (code: string) =>
  Object.hasOwn(reasons, code) ? reasons[code as ReasonCode].wayOut : 'see the record';

function troubleBlocker(trouble: PastTrouble): Blocker {
  const { outcome, id, at, why } = trouble;
  if (outcome === 'STRANDED') return blockedBy(outcome, spellStranded(trouble));
  return { code: outcome, detail: `${id} ended so at ${at}: ${why}`, wayOut: 'end what it names, then ack' };
}

const blockedBy = (code: string, detail: string): Blocker => ({ code, detail, wayOut: wayOutOf(code) });

/** A refusal stands until the service moves, or somebody acknowledges it or registers it anew. */
const endsRefusal = ({ kind }: TrailRecord) =>
  ['episode', 'ack', 'recovered', 'change', 'resume'].includes(kind);

/** Somebody took the interfaces after all: whether another one could next is looked at anew. */
const endsReadiness = ({ kind, outcome }: TrailRecord) =>
  kind === 'episode' && (outcome === 'COMPLETED' || outcome === 'ATTACHED');

const lasting = [
  'PAUSED',
  'CONTROLLER_PAUSED',
  'BRAKE',
  'BUDGET_SPENT',
  'NO_ELIGIBLE_STANDBY',
  'OBSERVE_ONLY',
  'SIGNAL_NOT_DECLARED',
  'SPLIT',
  'STRANDED',
  'UNMOVABLE_INTERFACE',
  'NOT_TAGGED',
  'NO_MEMBERS',
];

interface Known extends Omit<Past, 'verdict' | 'sentence' | 'blockers' | 'unknown'> {
  readonly isGone: boolean;
  readonly refusalStands: boolean;
  readonly readinessStands: boolean;
}

/** A standby could take over all the same, or it is what being stranded looks like. */
const saysNoMore = ({ code }: PastFinding, trouble: PastTrouble | null) =>
  code === 'HOLDER_NOT_HEALTHY' ||
  (trouble?.outcome === 'STRANDED' && ['ON_NOTHING', 'SPLIT', 'UNKNOWN', 'UNMOVABLE'].includes(code));

const pausedBy = (code: string, pause: PastPause | null) =>
  pause ? [blockedBy(code, `by ${pause.author} until ${pause.until}: ${pause.reason}`)] : [];

function blockersIn(known: Known): readonly Blocker[] {
  const { pause, controllerPause, registered, lastRefusal, refusalStands, readinessStands, trouble } = known;
  const refusal = refusalStands ? lastRefusal : null;
  const readiness = readinessStands ? known.readiness : null;
  const found = [
    ...(trouble ? [troubleBlocker(trouble)] : []),
    ...pausedBy('PAUSED', pause),
    ...pausedBy('CONTROLLER_PAUSED', controllerPause),
    ...(registered?.mode === 'observe'
      ? [blockedBy('OBSERVE_ONLY', 'registered in mode observe: it tells, and moves nothing')]
      : []),
    ...(refusal ? [blockedBy(refusal.code, `refused at ${refusal.at}: ${refusal.detail}`)] : []),
    ...(readiness && !readiness.ready && !saysNoMore(readiness, trouble)
      ? [blockedBy(readiness.code, `since ${readiness.at} a failover would not have worked`)]
      : []),
  ];
  return found.filter((each, index) => found.findIndex(({ code }) => code === each.code) === index);
}

function sentenceOf(known: Known, verdict: PastVerdict, blockers: readonly Blocker[], at: string): string {
  const { episode, lastEpisode, registered, trouble } = known;
  const isStranded = trouble?.outcome === 'STRANDED';
  const others = blockers.filter(({ code }) => code !== trouble?.outcome);
  const spelled = others.map(({ code, detail }) => `${code} (${detail})`).join('; ');
  const before = lastEpisode
    ? ` Its last episode, ${lastEpisode.id}, had ended ${lastEpisode.outcome} at ${lastEpisode.at}.`
    : '';
  switch (verdict) {
    case 'acting': {
      const way = `${episode?.kind} from ${episode?.from ?? 'nothing'} to ${episode?.to}`;
      const end = episode?.end
        ? `; it ended ${episode.end.outcome} at ${episode.end.at}`
        : '; it is still open';
      return `It was acting: ${episode?.id}, a ${way}, because ${episode?.evidence}${end}.${isStranded ? ` It was STRANDED ${spellStranded(trouble)}.` : ''}`;
    }
    case 'stranded': {
      const down = trouble ? spellStranded(trouble) : '';
      return others.length > 0
        ? `It was STRANDED ${down}. Nothing was tried any more: ${spelled}.`
        : `It was STRANDED ${down}. The controller was trying again by itself: a try that changed nothing leaves no record.`;
    }
    case 'needs-human':
      return `It waited for a person: its last failover, ${trouble?.id}, had ended ${trouble?.outcome} at ${trouble?.at}: ${trouble?.why}.${others.length > 0 ? ` And it would not have moved by itself: ${spelled}.` : ''}`;
    case 'would-not-act':
      return `It would not have moved by itself: ${spelled}.${before}`;
    case 'watching':
      return `Nothing on record held it back, and nothing called for a move: it was watching.${before}`;
    case 'not-registered':
      return registered ? `It was not registered any more at ${at}.` : `It was not registered yet at ${at}.`;
    case 'unknown':
      return `The records that were read do not reach back to its registration.${before}`;
  }
}

/** What the trail cannot tell, whatever it holds. */
function unknowns(
  { quarantined, lastRefusal }: Known,
  isWhole: boolean,
  isControllerKnown: boolean,
): readonly string[] {
  return [
    'What EC2 and CloudWatch showed at that moment: only what led to a record was written down.',
    'Whether the brake of the zone was on, unless a refusal says so.',
    ...(isControllerKnown
      ? []
      : ["Whether everything was paused: the controller's own trail has no pause from before that moment."]),
    'Whether a failover would have worked at that very second: that is looked at once a minute, and only a change is recorded.',
    ...(quarantined.length > 0
      ? ['Whether a quarantine had ended by itself by then, where the policy or readyWhen alarms let it.']
      : []),
    ...(lastRefusal
      ? ['Whether the cause of the last refusal was still there: that one goes away leaves no record.']
      : []),
    ...(isWhole ? [] : ['What was recorded before the oldest record that was read.']),
  ];
}

const lastPauseOrResume = (records: readonly TrailRecord[]) =>
  records.findLast(({ kind }) => kind === 'pause' || kind === 'resume');

/** The pause that this record began, if it was still on. */
function pauseAt(record: TrailRecord | undefined, atMs: number): PastPause | null {
  const until = text(record?.['until']);
  if (record?.kind !== 'pause' || until === undefined || Date.parse(until) <= atMs) return null;
  return { ...placeOf(record), author: record.author, reason: text(record['reason']) ?? '', until };
}

/** What was known, and what follows from it. Pure. */
export function explainAt({ service: _, atMs, records, ofController, isWhole, open }: Sources): Past {
  const isBefore = ({ at }: TrailRecord) => Date.parse(at) <= atMs;
  const before = records.filter(isBefore);
  const after = records.filter((each) => !isBefore(each));
  const last = (wanted: (record: TrailRecord) => boolean) => before.findLast(wanted);

  const registration = before.flatMap((each) => registrationIn(each) ?? []).at(-1) ?? null;
  const mode = before.flatMap((each) => modeIn(each) ?? []).at(-1);
  const isModeLater = mode && registration && mode.number > registration.number;
  const registered = isModeLater ? { ...registration, mode: mode.mode } : registration;

  const commandToAll = lastPauseOrResume(ofController.filter(isBefore));

  const ended = before.filter(isEpisode).at(-1);
  const under = after.filter(isEpisode).find((each) => each.episode.openedAtMs <= atMs);
  const isOpen = open !== undefined && open !== 'unreadable' && open.openedAtMs <= atMs;
  const openThen = isOpen ? toPastEpisode(open, atMs) : null;
  const refusal = last(({ kind }) => kind === 'refusal');
  const readiness = last(({ kind }) => kind === 'readiness');
  const observed = last(({ kind }) => kind === 'observed');
  const gone = last(({ kind }) => kind === 'change');
  const holderRecord = last((each) => holderIn(each) !== undefined);
  const [next] = after;

  const known: Known = {
    registered,
    holder: holderRecord ? { ...placeOf(holderRecord), instance: holderIn(holderRecord) ?? null } : null,
    pause: pauseAt(lastPauseOrResume(before), atMs),
    controllerPause: pauseAt(commandToAll, atMs),
    quarantined: quarantinedBy(before, atMs),
    episode: under ? toPastEpisode(under.episode, atMs, under) : openThen,
    lastEpisode: ended
      ? { ...placeOf(ended), id: ended.episode.id, outcome: ended.outcome, why: ended.why }
      : null,
    trouble: troubleBy(before),
    lastRefusal: refusal ? toFinding(refusal) : null,
    lastObserved: observed ? toFinding(observed) : null,
    readiness: readiness ? { ...toFinding(readiness), ready: readiness['ready'] === true } : null,
    next: next ? { ...placeOf(next), kind: next.kind, outcome: next.outcome } : null,
    isGone: gone?.outcome === 'UNREGISTERED',
    refusalStands:
      refusal !== undefined &&
      lasting.includes(toFinding(refusal).code) &&
      !before.some((each) => each.number > refusal.number && endsRefusal(each)),
    readinessStands:
      readiness !== undefined &&
      !before.some((each) => each.number > readiness.number && endsReadiness(each)),
  };
  const blockers = blockersIn(known);
  const verdict = verdictOf(known, before.length === 0 ? isWhole : undefined, blockers);
  const { isGone: __, refusalStands: ___, readinessStands: ____, ...facts } = known;
  return {
    verdict,
    sentence: sentenceOf(known, verdict, blockers, iso(atMs)),
    blockers: ['would-not-act', 'stranded', 'needs-human'].includes(verdict) ? blockers : [],
    ...facts,
    unknown: [
      ...unknowns(known, isWhole, commandToAll !== undefined),
      ...(open === 'unreadable'
        ? ["Whether an episode is open now: the service's item cannot be understood."]
        : []),
    ],
  };
}

/** `isFirst`: nothing is recorded before, and nothing before was left out; undefined where something is. */
function verdictOf(known: Known, isFirst: boolean | undefined, blockers: readonly Blocker[]): PastVerdict {
  if (known.episode) return 'acting';
  if (known.isGone || isFirst) return 'not-registered';
  if (known.trouble) return known.trouble.outcome === 'STRANDED' ? 'stranded' : 'needs-human';
  if (blockers.length > 0) return 'would-not-act';
  return known.registered ? 'watching' : 'unknown';
}
