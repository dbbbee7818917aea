/** A scenario as one JSON document: what moved, when, and the proof that it stayed itself. */
import { msOf } from './facts.ts';
import { gapMsOf, toMove } from './gap.ts';
import { noticesOf, wantedOf } from './happened.ts';
import type { InterfaceView } from './identity.ts';
import type { Run } from './run-scenario.ts';
import { toRecord } from './state-table.ts';
import { verifiedAt } from './timeline.ts';

/** What CloudWatch needs from a failed check to its alarm: one period of a minute, up to three of evaluation. */
export const cloudWatchMs = { least: 60_000, most: 180_000 } as const;

/** The moments that everything is measured from; undefined where the story has no such moment. */
export function toMoments({ facts, sinceMs }: Pick<Run, 'facts' | 'sinceMs'>) {
  const isAlarm = (event: Readonly<Record<string, unknown>>) =>
    event['detail-type'] === 'CloudWatch Alarm State Change';
  const event = facts.events.find((each) => isAlarm(each.event) && msOf(each.at) >= sinceMs);
  const closed = facts.trail
    .filter((row) => row.atMs >= sinceMs)
    .map(toRecord)
    .findLast((record) => record.kind === 'episode');
  const closedAtMs = closed?.closedAt === undefined ? undefined : msOf(closed.closedAt);
  return {
    failedAtMs: facts.deeds.find((deed) => deed.step === 'status-check')?.atMs,
    eventAtMs: event && msOf(event.at),
    verifiedAtMs: closedAtMs === undefined ? undefined : verifiedAt(facts, closedAtMs)?.atMs,
    closedAtMs,
  };
}

const iso = (ms: number | undefined) => (ms === undefined ? null : new Date(ms).toISOString());
const addressesOf = (view: InterfaceView | undefined) =>
  view === undefined ? [] : [...view.privateAddresses, ...view.elasticIps];

function toInterfaces({ account, before, after }: Pick<Run, 'account' | 'before' | 'after'>) {
  return account.interfaces.map(({ name, eniId }) => {
    const [was, is] = [before, after].map((views) => views.find((view) => view.eniId === eniId));
    return {
      name,
      eniId,
      instanceBefore: was?.attachment?.instanceId ?? null,
      instanceAfter: is?.attachment?.instanceId ?? null,
      macBefore: was?.macAddress ?? null,
      macAfter: is?.macAddress ?? null,
      addressesBefore: addressesOf(was),
      addressesAfter: addressesOf(is),
      securityGroupsBefore: (was?.securityGroups ?? []).map((each) => each.id),
      securityGroupsAfter: (is?.securityGroups ?? []).map((each) => each.id),
      sourceDestCheckBefore: was?.sourceDestCheck ?? null,
      sourceDestCheckAfter: is?.sourceDestCheck ?? null,
    };
  });
}

export type Document = ReturnType<typeof toDocument>;

export function toDocument(run: Run) {
  const { scenario, account, facts, sinceMs, before, happened, comparisons } = run;
  const records = facts.trail.filter((row) => row.atMs >= sinceMs).map(toRecord);
  const episode = records.findLast((record) => record.kind === 'episode');
  const move = toMove(facts.attachments);
  const moments = toMoments(run);
  const word = records.findLast((record) => record.outcome ?? record.code);
  return {
    scenario: scenario.name,
    ok: run.isAsExpected,
    service: account.service,
    /** The outcome of the episode, else the code of what was recorded instead, else what was answered. */
    outcome: episode?.outcome ?? word?.code ?? happened.answers[0] ?? null,
    from: episode?.episode?.plan.source ?? before[0]?.attachment?.instanceId ?? null,
    to:
      episode?.outcome === 'COMPLETED' || episode?.outcome === 'ATTACHED'
        ? (episode.episode?.plan.target ?? null)
        : null,
    episodeId: episode?.episode?.id ?? null,
    failedAt: iso(moments.failedAtMs),
    eventAt: iso(moments.eventAtMs),
    detachedAt: iso(move?.detachedAtMs),
    attachedAt: iso(move?.attachedAtMs),
    verifiedAt: iso(moments.verifiedAtMs),
    closedAt: iso(moments.closedAtMs),
    gapMs: gapMsOf(facts.attachments),
    /** The sandbox raises the alarm at once; CloudWatch does not. */
    detection: {
      sandboxMs:
        moments.eventAtMs === undefined || moments.failedAtMs === undefined
          ? null
          : Math.max(0, moments.eventAtMs - moments.failedAtMs),
      cloudWatchMs: [cloudWatchMs.least, cloudWatchMs.most],
    },
    interfaces: toInterfaces(run),
    steps: run.steps.map(({ step, atMs, durationMs, text }) => ({
      step,
      at: new Date(atMs).toISOString(),
      durationMs,
      detail: text,
    })),
    notices: noticesOf(facts).map(({ at, subject, message, attributes }) => ({
      at,
      subject,
      message,
      attributes,
    })),
    audit: {
      records: facts.trail.length,
      head: facts.item?.trail.head ?? null,
      chain: happened.audit,
    },
    expected: wantedOf(scenario.expected),
    happened,
    /** The names of the facts that came out differently. */
    differences: comparisons.filter((each) => !each.isSame).map((each) => each.name),
  };
}
