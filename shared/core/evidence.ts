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
  // The gravest first: a red alarm counts for more than one that cannot be read, and that for more than the rest.
  const isCode = (code: ReasonCode) => (each: Evidence) =>
    each.kind === 'not-failed' && each.doubtful && each.code === code;
  return (
    judged.find((each) => each.kind === 'failed') ??
    judged.find(isCode('GRACE_PERIOD')) ??
    judged.find(isCode('UNKNOWN_STATE')) ??
    judged[0]
  );
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
  const { signals, policy } = service.declaration;
  const fact = memberOf(observation, holder);
  // EC2 shows an interface on an instance that it does not list: one of the two reads is stale.
  const health: Health =
    fact.kind === 'absent'
      ? { kind: 'unknown', why: 'EC2 does not list the instance that the interfaces are attached to' }
      : healthOf(fact);
  const accused = accuses(hint, holder);

  if (health.kind === 'failed' && health.certain && signals.stateChanges)
    return { kind: 'failed', byEc2: true, why: health.why };
  if (health.kind === 'failed' && !health.certain && signals.statusChecks) {
    const lastedMs = health.sinceMs === undefined ? 0 : nowMs - health.sinceMs;
    if ((accused && hint.kind === 'alarm') || lastedMs >= policy.confirm)
      return { kind: 'failed', byEc2: true, why: health.why };
  }

  const declared = declaredAlarms(service, holder, observation, nowMs);
  if (declared?.kind === 'failed') return { ...declared, byEc2: health.kind === 'failed' };

  if (health.kind === 'failed') {
    const heard = health.certain ? signals.stateChanges : signals.statusChecks;
    return heard ? not('WITHIN_CONFIRM', health.why, true) : not('SIGNAL_NOT_DECLARED', health.why);
  }
  if (health.kind === 'unknown') return not('UNKNOWN_HEALTH', health.why, true);
  if (declared) return declared;
  if (accused) return not('NOT_CONFIRMED', 'EC2 says that it is healthy', true);
  const speaksOfHolder = (each: { arn: string; member?: InstanceId }) =>
    hint.kind === 'alarm' && each.arn === hint.alarmArn && (each.member ?? holder) === holder;
  if (signals.alarms.some(speaksOfHolder)) return not('NOT_CONFIRMED', 'the alarm is not red any more', true);
  if (hint.kind === 'state-change' || hint.kind === 'alarm')
    return not('NOT_HOLDER', `${holder} holds the interfaces and is healthy`);
  return not('HOLDER_HEALTHY', `${holder} is healthy`);
}
