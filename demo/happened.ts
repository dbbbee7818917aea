/** What came of a scenario, boiled down to facts that can be held against what was expected. */
import type { Account } from './account.ts';
import { type Facts, firstOfEach, msOf, reportsOf } from './facts.ts';
import { type InterfaceView, isSameIdentity, restsOn } from './identity.ts';
import type { Registration } from './registration.ts';
import type { SnsMessage } from './sandbox-control.ts';
import { chainFaults, toRecord } from './state-table.ts';
import { isController, isFailover } from './timeline.ts';

export interface Happened {
  /** Each attempt to register: `accepted`, or `refused` and why. */
  readonly registration: readonly string[];
  /** Outcomes and reason codes of the records that the story left in the audit trail. */
  readonly recorded: readonly string[];
  /** Why members were not eligible. */
  readonly reasons: readonly string[];
  /** How many invocations of functions/failover were killed, threw, or ran out of time. */
  readonly died: number;
  /** What functions/failover answered where it closed no episode. */
  readonly answers: readonly string[];
  /** The outcomes of the notices, as subscribers filter by them; copies of one (the same dedupe id) count once. */
  readonly notices: readonly string[];
  /** The words that a notice must contain. */
  readonly says: string;
  /** Fences, hooks and checks of the episodes, and how each ended. */
  readonly stages: readonly string[];
  /** Where every interface rests; `nowhere` if any is on nothing or they are apart. */
  readonly holder: string;
  /** How often an interface was detached and attached. */
  readonly detached: number;
  readonly attached: number;
  /** What EC2 refused the controller, by operation and code. */
  readonly refusedCalls: readonly string[];
  readonly identity: 'kept' | 'changed';
  readonly audit: string;
}

export type HappenedName = keyof Happened;

export const labels: Readonly<Record<HappenedName, string>> = {
  registration: 'registration',
  recorded: 'audit trail says',
  reasons: 'not eligible',
  died: 'function died',
  answers: 'function answers',
  notices: 'notices sent',
  says: 'notice says',
  stages: 'around the move',
  holder: 'interfaces rest on',
  detached: 'detached, times',
  attached: 'attached, times',
  refusedCalls: 'EC2 refused',
  identity: 'identity',
  audit: 'hash chain',
};

/** What every scenario must keep, whatever else happens. */
const always = { identity: 'kept', audit: 'intact' } as const satisfies Partial<Happened>;

/** What must be so where a scenario says nothing else: a crash that was announced must come, and no other. */
const usually = { died: 0 } as const satisfies Partial<Happened>;

/** Everything that a scenario is held against. */
export const wantedOf = (expected: Partial<Happened>): Partial<Happened> => ({
  ...usually,
  ...expected,
  ...always,
});

const codesIn = (problems: readonly string[]) => [
  ...new Set(problems.join(' ').match(/\b[A-Z]+_[A-Z_]+\b/g) ?? []),
];

const toldRecords = new Set(['episode', 'refusal', 'observed', 'recovered']);

/** A notice is published at least once: its dedupe id tells a copy from another one. */
export const noticesOf = ({ messages }: Facts): readonly SnsMessage[] =>
  firstOfEach(messages, ({ attributes, at }) => attributes['dedupeId'] ?? at);

export interface Evidence {
  readonly account: Pick<Account, 'nameOf' | 'named'>;
  readonly registrations: readonly Registration[];
  readonly before: readonly InterfaceView[];
  readonly after: readonly InterfaceView[];
  readonly facts: Facts;
  readonly sinceMs: number;
}

export function toHappened(evidence: Evidence, wanted: Partial<Happened>): Happened {
  const { account, registrations, before, after, facts, sinceMs } = evidence;
  const records = facts.trail
    .filter((row) => row.atMs >= sinceMs)
    .map(toRecord)
    .filter((record) => toldRecords.has(record.kind));
  const invocations = facts.invocations.filter((each) => isFailover(each.function));
  const answers = invocations
    .toSorted((one, other) => msOf(one.startedAt) - msOf(other.startedAt))
    .flatMap(reportsOf)
    .filter((report) => report.kind === 'nothing')
    .map((report) => `nothing to do: ${report.code}`);
  const refused = new Map<string, number>();
  for (const { caller, outcome, operation } of facts.calls) {
    if (outcome === 'ok' || !isController({ caller })) continue;
    const what = `${operation} ${outcome}`;
    refused.set(what, (refused.get(what) ?? 0) + 1);
  }
  const texts = facts.messages.map((each) => account.named(`${each.subject}\n${each.message}`));
  const said = wanted.says !== undefined && texts.some((text) => text.includes(wanted.says ?? ''));
  const rest = restsOn(after);
  const times = (status: string) => facts.attachments.filter((each) => each.status === status).length;
  const faults = chainFaults(facts.trail, facts.item?.trail.head);
  return {
    registration: registrations.map(({ kind, problems }) =>
      kind === 'accepted' ? kind : `${kind}: ${codesIn(problems).join(', ') || problems.join('; ')}`,
    ),
    recorded: records.map((record) => record.outcome ?? record.code ?? record.kind),
    reasons: records.flatMap((record) =>
      (record.members ?? []).map(({ member, code }) => `${account.nameOf(member)} ${code}`),
    ),
    died: invocations.filter(({ outcome }) => outcome !== 'success' && outcome !== 'running').length,
    answers: [...new Set(answers)],
    notices: noticesOf(facts).map((each) => each.attributes['outcome'] ?? '?'),
    says: said ? (wanted.says ?? '') : (texts[0]?.split('\n')[0] ?? 'nothing'),
    stages: records.flatMap(({ episode }) =>
      Object.entries(episode?.stages ?? {})
        .toSorted(([, one], [, other]) => one.begunAtMs - other.begunAtMs)
        .map(([id, { end }]) => `${id} ${end ?? 'not ended'}`),
    ),
    holder: rest === undefined ? 'nowhere' : account.nameOf(rest),
    detached: times('detached'),
    attached: times('attached'),
    refusedCalls: [...refused].map(([what, count]) => (count === 1 ? what : `${what} ×${count}`)).toSorted(),
    identity: isSameIdentity(before, after) ? 'kept' : 'changed',
    audit: faults.length === 0 ? 'intact' : faults.join('; '),
  };
}

export interface Comparison {
  readonly name: HappenedName;
  readonly expected: string;
  readonly happened: string;
  readonly isSame: boolean;
}

const toText = (value: Happened[HappenedName]) =>
  typeof value === 'object' ? value.join('\n') || 'none' : String(value);

/** Each fact that was expected, beside what came of it. */
export function compare(expected: Partial<Happened>, happened: Happened): readonly Comparison[] {
  const wanted = wantedOf(expected);
  const names = (Object.keys(labels) as HappenedName[]).filter((name) => wanted[name] !== undefined);
  return names.map((name) => {
    const comparison = { expected: toText(wanted[name] ?? ''), happened: toText(happened[name]) };
    return { name, ...comparison, isSame: comparison.expected === comparison.happened };
  });
}
