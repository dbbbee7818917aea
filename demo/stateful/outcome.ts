/** What a run comes to: the client's dark time and its parts, what was lost, and what the usual way left behind. */
import type { Facts } from '../facts.ts';
import type { SsmCommand } from '../sandbox-control.ts';
import { toRecord } from '../state-table.ts';
import { isFailover } from '../timeline.ts';
import { darkOf, type Split, splitDark } from './dark-time.ts';
import type { Line } from './disk.ts';
import type { KillPoint } from './kill-points.ts';
import { toMoments } from './moments.ts';
import { type Score, toScore, writtenBy } from './score.ts';
import type { Served } from './stage.ts';
import { toUsualWay, type UsualWay } from './usual-way.ts';
import { acknowledged } from './writer.ts';

export interface Evidence {
  readonly facts: Facts;
  /** With what concerns the usual way. */
  readonly all: Facts;
  readonly commands: readonly SsmCommand[];
  /** The service's disk at the end. */
  readonly lines: readonly Line[];
  readonly usualLines: readonly Line[];
  readonly sinceMs: number;
  readonly service: Served;
  readonly usual: Served;
  readonly killPoint: KillPoint;
}

export interface Outcome {
  readonly score: Score;
  /** Undefined where the client got no answer any more. */
  readonly dark: Split | undefined;
  /** How long the client had no answer when it was stopped; undefined where it has one. */
  readonly stillDarkMs: number | undefined;
  /** The outcome of every episode. */
  readonly episodes: readonly string[];
  /** How often the controller's process was killed, and how often it should have been. */
  readonly kills: { readonly planned: number; readonly done: number };
  readonly usual: UsualWay & {
    readonly darkMs: number | undefined;
    readonly stillDarkMs: number | undefined;
    /** Writes of the old holder after its interface had left it. */
    readonly oldWrites: number;
  };
  /** Everything that must be so, is. */
  readonly isSafe: boolean;
  /** What is not as it must be, in words. */
  readonly faults: readonly string[];
}

function darkness({ client }: Served, sinceMs: number) {
  const attempts = client.attempts();
  const dark = darkOf(attempts.filter(({ sentAtMs }) => sentAtMs >= sinceMs - 2_000));
  const lastMs = attempts.at(-1)?.endedAtMs ?? sinceMs;
  const stillDarkMs = dark && dark.toMs === undefined ? lastMs - dark.fromMs : undefined;
  const span = dark?.toMs === undefined ? undefined : { fromMs: dark.fromMs, toMs: dark.toMs };
  return { span, stillDarkMs };
}

/** What must be so after every run, wherever the controller died. */
function faultsOf({ score, episodes, kills, dark }: Omit<Outcome, 'faults' | 'isSafe'>): readonly string[] {
  return [
    ...(score.lost.length > 0 ? [`${score.lost.length} acknowledged writes are lost`] : []),
    ...(score.afterPromotion.length > 0
      ? [`the old primary took ${score.afterPromotion.length} writes after the promotion`]
      : []),
    ...(episodes.length === 1 && episodes[0] === 'COMPLETED'
      ? []
      : [`the episodes ended ${episodes.join(', ') || 'never'} instead of COMPLETED once`]),
    ...(score.acknowledged > 0 ? [] : ['no write was ever acknowledged']),
    ...(dark === undefined ? ['the client is not answered any more'] : []),
    // A failover without its kill proves nothing.
    ...(kills.done >= kills.planned
      ? []
      : [`the controller was killed ${kills.done} of ${kills.planned} times`]),
  ];
}

export function toOutcome(evidence: Evidence): Outcome {
  const { facts, all, commands, lines, usualLines, sinceMs, service, usual, killPoint } = evidence;
  const writes = [service.client, service.job].flatMap((each) => acknowledged(each.attempts()));
  const { span, stillDarkMs } = darkness(service, sinceMs);
  const usualWay = toUsualWay(all, usual.pair);
  const usuallyDark = darkness(usual, sinceMs - 1_000);
  const { leftAtMs } = usualWay;
  const outcome = {
    score: toScore(lines, writes),
    dark: span && splitDark(span, toMoments(facts, commands)),
    stillDarkMs,
    episodes: facts.trail
      .filter(({ kind, atMs }) => kind === 'episode' && atMs >= sinceMs)
      .map((row) => toRecord(row).outcome ?? '?'),
    kills: {
      planned: killPoint.triggers.length,
      done: facts.invocations.filter(({ function: name, outcome: end }) => isFailover(name) && end === 'exit')
        .length,
    },
    usual: {
      ...usualWay,
      darkMs: usuallyDark.span && usuallyDark.span.toMs - usuallyDark.span.fromMs,
      stillDarkMs: usuallyDark.stillDarkMs,
      oldWrites: leftAtMs === undefined ? 0 : writtenBy(usualLines, usual.pair.holder.host, leftAtMs).length,
    },
  };
  const faults = faultsOf(outcome);
  return { ...outcome, faults, isSafe: faults.length === 0 };
}
