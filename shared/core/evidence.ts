/** Whether the holder has failed, judged from what was observed; the event only says where to look. */
import type { Hint } from './hint.ts';
import type { InstanceId } from './ids.ts';
import { alarmOf, type Health, healthOf, memberOf, type Observation } from './observation.ts';
import type { ReasonCode } from './reasons.ts';
import type { Service } from './state.ts';
import { times } from './times.ts';

export type Evidence =
  /** `byEc2`: EC2 itself says so, and the source may be forced; otherwise only an application's alarm does. */
  | { readonly kind: 'failed'; readonly byEc2: boolean; readonly why: string }
  | {
      readonly kind: 'not-failed';
      readonly code: ReasonCode;
      readonly why: string;
      /** Something contradicts it: look again soon, and tell a person if it stays so. */
      readonly doubtful: boolean;
    };

type DeclaredAlarm = Service['declaration']['signals']['alarms'][number];

const not = (code: ReasonCode, why: string, doubtful = false): Evidence => ({
  kind: 'not-failed',
  code,
  why,
  doubtful,
});

/** Does the event that led here speak of this holder? */
function accuses(hint: Hint, holder: InstanceId): boolean {
  if (hint.kind === 'state-change') return hint.instanceId === holder;
  return hint.kind === 'alarm' && hint.instanceIds.includes(holder);
}

/** The service's own failure signals (P33): red, not suppressed, and red only after the last move had its grace. */
function declaredAlarms(
  service: Service,
  holder: InstanceId,
  observation: Observation,
  nowMs: number,
): Evidence | undefined {
  const graceEndsAtMs = (service.lastMoveAtMs ?? Number.NEGATIVE_INFINITY) + times.graceAfterMoveMs;
  const judged = service.declaration.signals.alarms
    .filter(({ member }) => member === undefined || member === holder)
    .flatMap(({ arn }): Evidence[] => {
      const name = arn.slice(arn.indexOf(':alarm:') + 7);
      const alarm = alarmOf(observation, arn);
      if (alarm.kind === 'unknown') return [not('UNKNOWN_STATE', `alarm ${name}: ${alarm.why}`, true)];
      if (alarm.kind !== 'known' || alarm.value.state !== 'ALARM') return [];
      const { transitionedAtMs, suppressedBy } = alarm.value;
      if (suppressedBy !== undefined)
        return [not('SUPPRESSED', `alarm ${name} is red, its actions are suppressed by ${suppressedBy}`)];
      return transitionedAtMs !== undefined && transitionedAtMs > graceEndsAtMs
        ? [{ kind: 'failed', byEc2: false, why: `alarm ${name} is red` }]
        : [not('GRACE_PERIOD', `alarm ${name} is red since the last move`, nowMs > graceEndsAtMs)];
    });
  return judged.toSorted((one, other) => rankOf(one) - rankOf(other))[0];
}

/** A red alarm counts for more than one that cannot be read, and that for more than what is in no doubt. */
function rankOf(each: Evidence): number {
  if (each.kind === 'failed') return 0;
  if (!each.doubtful) return 3;
  return each.code === 'GRACE_PERIOD' ? 1 : 2;
}

/** What it is worth to this service that EC2 shows a failure. */
function judge(
  { certain, sinceMs, why }: Health & { kind: 'failed' },
  { signals, policy }: Service['declaration'],
  isAlarmed: boolean,
  nowMs: number,
): Evidence {
  const isHeard = certain ? signals.stateChanges : signals.statusChecks;
  if (!isHeard) return not('SIGNAL_NOT_DECLARED', why);
  const lastedMs = sinceMs === undefined ? 0 : nowMs - sinceMs;
  return certain || isAlarmed || lastedMs >= policy.confirm
    ? { kind: 'failed', byEc2: true, why }
    : not('WITHIN_CONFIRM', why, true);
}

/**
 * Has the holder failed? Certain: EC2 says stopping or gone, or a check is impaired and an alarm said so or it
 * has lasted for the service's `confirm` time. Unknown never counts as failed (docs/protocol.md, Evidence).
 */
export function evidenceOf(
  service: Service,
  holder: InstanceId,
  observation: Observation,
  hint: Hint,
  nowMs: number,
): Evidence {
  const { declaration } = service;
  const fact = memberOf(observation, holder);
  // EC2 shows an interface on an instance that it does not list: one of the two reads is stale.
  const health: Health =
    fact.kind === 'absent'
      ? { kind: 'unknown', why: 'EC2 does not list the instance that the interfaces are attached to' }
      : healthOf(fact);
  const accused = accuses(hint, holder);

  const shown =
    health.kind === 'failed'
      ? judge(health, declaration, accused && hint.kind === 'alarm', nowMs)
      : undefined;
  if (shown?.kind === 'failed') return shown;
  const declared = declaredAlarms(service, holder, observation, nowMs);
  if (declared?.kind === 'failed') return { ...declared, byEc2: shown !== undefined };
  if (shown) return shown;

  if (health.kind === 'unknown') return not('UNKNOWN_HEALTH', health.why, true);
  if (declared) return declared;
  if (accused) return not('NOT_CONFIRMED', 'EC2 says that it is healthy', true);
  const notHolder = not('NOT_HOLDER', `${holder} holds the interfaces and is healthy`);
  switch (hint.kind) {
    case 'alarm': {
      const { alarmArn } = hint;
      const speaksOfHolder = ({ arn, member = holder }: DeclaredAlarm) =>
        arn === alarmArn && member === holder;
      return declaration.signals.alarms.some(speaksOfHolder)
        ? not('NOT_CONFIRMED', 'the alarm is not red any more', true)
        : notHolder;
    }
    case 'state-change':
      return notHolder;
    default:
      return not('HOLDER_HEALTHY', `${holder} is healthy`);
  }
}
