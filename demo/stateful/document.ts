/** A run as one JSON document: the dark time and its parts, what was lost, the client's view, the steps, the notice. */
import { cloudWatchMs } from '../document.ts';
import type { Play } from './play.ts';
import { retryDelaysMs } from './play.ts';
import type { Attempt } from './writer.ts';

const iso = (ms: number) => new Date(ms).toISOString();

/** Each write as the client saw it: when it was sent, relative to the failure, and what came of it. */
const toView = (attempts: readonly Attempt[], sinceMs: number) =>
  attempts.map(({ sentAtMs, endedAtMs, result }) => ({
    atMs: sentAtMs - sinceMs,
    result,
    tookMs: endedAtMs === undefined ? null : endedAtMs - sentAtMs,
  }));

const counted = (attempts: readonly Attempt[]) => {
  const of = (result: Attempt['result']) => attempts.filter((each) => each.result === result).length;
  return {
    sent: attempts.length,
    answered: of('answered'),
    refused: of('refused'),
    timedOut: of('timed-out'),
  };
};

export type Document = ReturnType<typeof toDocument>;

export function toDocument({ outcome, options, view, received, pairs, facts }: Play) {
  const { score, dark, stillDarkMs, episodes, kills, usual, faults, isSafe } = outcome;
  const { killPoint, latency, detection, fence } = options;
  return {
    ok: isSafe,
    faults,
    service: pairs.service.name,
    outcome: episodes.length === 1 ? (episodes[0] ?? null) : null,
    episodes,
    kill: { point: killPoint.name, at: killPoint.triggers, ...kills },
    latency,
    fence,
    detection: {
      mode: detection,
      /** What CloudWatch takes, which the mode `instant` does not wait for. */
      cloudWatchMs: [cloudWatchMs.least, cloudWatchMs.most],
    },
    failedAt: iso(view.sinceMs),
    /** The parts add up to the total; `nobodyMs` is part of the controller's. Null where the client had no answer. */
    dark: dark ?? null,
    stillDarkMs: stillDarkMs ?? null,
    acknowledgedWrites: score.acknowledged,
    acknowledgedWritesLost: score.lost.length,
    lost: score.lost,
    writesByOldPrimaryAfterPromotion: score.afterPromotion.length,
    client: { ...counted(view.service), view: toView(view.service, view.sinceMs) },
    steps: view.steps.map(({ step, atMs, durationMs, text }) => ({
      ...{ step, at: iso(atMs), sinceFailureMs: atMs - view.sinceMs, durationMs, detail: text },
    })),
    notices: received.map(({ Subject = null, Message }) => ({ subject: Subject, message: Message })),
    attachments: facts.attachments.map(({ at, status, instanceId }) => ({
      ...{ at, status, on: pairs.service.nameOf(instanceId) },
    })),
    usualWay: {
      restsOn: usual.rests,
      kill: killPoint.usualWay ?? null,
      retryDelaysMs,
      tries: usual.tries.map(({ atMs, outcome: end, said }) => ({ at: iso(atMs), outcome: end, said })),
      darkMs: usual.darkMs ?? null,
      stillDarkMs: usual.stillDarkMs ?? null,
      writesByOldHolderAfterDetach: usual.oldWrites,
      client: { ...counted(view.usual), view: toView(view.usual, view.sinceMs) },
    },
  };
}
