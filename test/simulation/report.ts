/** What a run of the simulator says at its end: how much, how hard, what was reached, what was broken. */
import type { Found } from './exhaustive.ts';

/** States that a large run must really have been in (safety.md, end of §3), and where each is counted. */
export const reachable: Readonly<Record<string, (counts: ReadonlyMap<string, number>) => number>> = {
  'failover completed': (counts) => counts.get('outcome COMPLETED failover') ?? 0,
  'switchover completed': (counts) => counts.get('outcome COMPLETED switchover') ?? 0,
  'failback completed': (counts) => counts.get('outcome COMPLETED failback') ?? 0,
  'failed back by itself': (counts) => counts.get('failback by itself COMPLETED') ?? 0,
  'automatic failback suspended': (counts) => counts.get('failback suspended') ?? 0,
  'adopted elsewhere': (counts) => counts.get('adopted elsewhere') ?? 0,
  rollback: (counts) => counts.get('rung: back to the source') ?? 0,
  'second standby': (counts) => counts.get('rung: next standby') ?? 0,
  STRANDED: (counts) => counts.get('stranded') ?? 0,
  'stranded and over': (counts) => counts.get('stranded and over') ?? 0,
  rescue: (counts) => counts.get('outcome COMPLETED rescue') ?? 0,
  'lease taken over': (counts) => counts.get('lease taken over') ?? 0,
  'late attach repaired': (counts) => counts.get('late attach taken into the plan') ?? 0,
  'brake tripped': (counts) => counts.get('outcome REFUSED failover') ?? 0,
  'held by the brake': (counts) => counts.get('refusal BRAKE') ?? 0,
  'budget spent': (counts) => counts.get('refusal BUDGET_SPENT') ?? 0,
  'holder recovered in time': (counts) => counts.get('outcome ABORTED failover') ?? 0,
  'old primary returning': (counts) => counts.get('old primary returned while quarantined') ?? 0,
  'needs a human': (counts) => sum(counts, /^outcome NEEDS_HUMAN/),
  'somebody else moved it': (counts) => counts.get('notice MOVED_BY_OTHERS') ?? 0,
  'somebody else detached it': (counts) => counts.get('notice DETACHED_BY_OTHERS') ?? 0,
  'paused, and left alone': (counts) => counts.get('refusal PAUSED') ?? 0,
  'handed over before the deadline': (counts) => sum(counts, /^report handed-over/),
  'announced, and left alone': (counts) => counts.get('notice ANNOUNCED') ?? 0,
  'target died in the middle': (counts) => counts.get('step reached: target-dies') ?? 0,
  'table away in the middle': (counts) => sum(counts, /^step reached: outage-at-step dynamodb/),
  'permission gone in the middle': (counts) => counts.get('step reached: outage-at-step ec2 denied') ?? 0,
  'force refused': (counts) => counts.get('force refused') ?? 0,
  'deployed beside a running invocation': (counts) => counts.get('deployed beside a running invocation') ?? 0,
  'clocks beyond the margin': (counts) => counts.get('clocks beyond the margin') ?? 0,
  fencing: (counts) => counts.get('state FENCING') ?? 0,
  'before hooks': (counts) => counts.get('state BEFORE_HOOK') ?? 0,
  'after hooks': (counts) => counts.get('state AFTER_HOOK') ?? 0,
  serving: (counts) => counts.get('state SERVING') ?? 0,
  'fence timed out': (counts) => counts.get('stage fence timed-out') ?? 0,
  'fence refused': (counts) => counts.get('stage fence refused') ?? 0,
  'went on without a fence': (counts) => counts.get('went on without a fence') ?? 0,
  'hook timed out': (counts) => sum(counts, /^stage (?:before|after) timed-out/),
  'hook failed': (counts) => sum(counts, /^stage (?:before|after) failed/),
  'hook begun again': (counts) => counts.get('hook asked for again by its token') ?? 0,
  'hook of an older epoch refused': (counts) => counts.get('hook of an older epoch refused') ?? 0,
  'hook undone': (counts) => counts.get('stage undo done') ?? 0,
  'attached, not serving': (counts) => counts.get('attached, not serving') ?? 0,
  'announced, and moved': (counts) => counts.get('announced switchover') ?? 0,
  'readiness flips in the middle': (counts) => counts.get('step reached: readiness-flips') ?? 0,
  'delivery deduped': (counts) => counts.get('delivery found COMPLETED') ?? 0,
  'delivery while the first is running': (counts) => counts.get('delivery found INPROGRESS') ?? 0,
};

function sum(counts: ReadonlyMap<string, number>, pattern: RegExp): number {
  let total = 0;
  for (const [what, times] of counts) if (pattern.test(what)) total += times;
  return total;
}

export interface Summary {
  readonly runs: Readonly<Record<string, number>>;
  readonly found: readonly Found[];
  readonly counts: ReadonlyMap<string, number>;
  readonly wallMs: number;
  readonly cpuMs: number;
}

const number = (value: number) => value.toLocaleString('en-US');

function table(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value.padStart(10)}`);
}

/** States that were never reached. */
export const unreached = (counts: ReadonlyMap<string, number>) =>
  Object.entries(reachable).flatMap(([name, of]) => (of(counts) > 0 ? [] : [name]));

/** Violations of one kind are one line, with the shortest way to see one again. */
function kindsOf(found: readonly Found[]): string[] {
  const kinds = Map.groupBy(found, ({ violation }) =>
    `${violation.invariant}: ${violation.what.split('\n')[0]}`
      .replace(/\b(?:eni|i|eni-attach)-[0-9a-f]+/g, '…')
      .replace(/\d+/g, 'n'),
  );
  return [...kinds].flatMap(([kind, all]) => {
    const [shortest] = all.toSorted((a, b) => a.replay.length - b.replay.length);
    return [`  ${number(all.length)} × ${kind}`, `      replay: ${shortest?.replay}`];
  });
}

export function render({ runs, found, counts, wallMs, cpuMs }: Summary): string {
  const total = Object.values(runs).reduce((a, b) => a + b, 0);
  const counted = (pattern: RegExp) =>
    [...counts]
      .filter(([what]) => pattern.test(what))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([what, times]) => [what.replace(pattern, ''), number(times)] as const);
  return [
    'Runs',
    ...table(Object.entries(runs).map(([name, value]) => [name, number(value)] as const)),
    `  ${number(total)} in ${(wallMs / 1000).toFixed(0)} s: ${number(Math.round(total / (wallMs / 1000)))} a second, ${(cpuMs / Math.max(total, 1)).toFixed(1)} ms of one core each`,
    '',
    'Faults at calls',
    ...table(counted(/^fault /)),
    '',
    'What befell the worlds',
    ...table([
      ...counted(/^happening /),
      ...counted(/^(?=event |killed|step reached|not promised|after the end)/),
    ]),
    '',
    'How episodes ended',
    ...table(counted(/^outcome /)),
    '',
    'Reached',
    ...table(Object.entries(reachable).map(([name, of]) => [name, number(of(counts))] as const)),
    '',
    found.length === 0 ? 'Violations: none' : 'Violations',
    ...kindsOf(found),
  ].join('\n');
}
