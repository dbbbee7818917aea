// CloudWatch's alarms: their states, what changes them, the event and the actions that every change sets off.

import { randomUUID } from 'node:crypto';
import type {
  DescribeAlarmsInput,
  DescribeAlarmsOutput,
  PutCompositeAlarmInput,
  PutMetricAlarmInput,
  PutMetricDataInput,
  SetAlarmStateInput,
} from '@aws-sdk/client-cloudwatch';
import type { JsonObject } from '../aws-request.ts';
import type { SandboxClock } from '../clock.ts';
import {
  actionsFor,
  allActions,
  type CompositeAlarmEntry,
  type Entry,
  type MetricAlarmEntry,
  type State,
  type Suppression,
  suppressionOf,
  toCompositeAlarm,
  toConfiguration,
  toEventState,
  toMetricAlarm,
  toReason,
  toTimestamp,
  toWords,
} from './alarm.ts';
import {
  CloudWatchError,
  parseRule,
  readToken,
  requireCompositeAlarm,
  requireMetricAlarm,
} from './alarm-input.ts';
import type { StateValue } from './alarm-rule.ts';
import { makeMetricWatch } from './metric-watch.ts';
import { BREACHES, CHECKS_OF_METRIC, type StatusCheck } from './status-check-metrics.ts';

export interface AlarmOptions {
  clock: SandboxClock;
  region: string;
  accountId: string;
  /** How long a failed status check takes to reach its alarm. */
  detectionDelayMs(): number;
  emitEvent(alarmArn: string, detail: JsonObject): void;
  invokeLambda(functionArn: string, payload: JsonObject, alarmArn: string): void;
  publish(topicArn: string, subject: string, message: JsonObject): void;
}

export interface Alarms {
  putMetricAlarm(input: PutMetricAlarmInput): void;
  putCompositeAlarm(input: PutCompositeAlarmInput): void;
  putMetricData(input: PutMetricDataInput): void;
  describeAlarms(input: DescribeAlarmsInput): DescribeAlarmsOutput;
  setAlarmState(input: SetAlarmStateInput): void;
  deleteAlarms(names: string[]): void;
  setActionsEnabled(names: string[], enabled: boolean): void;
  /** What the EC2 model reports. */
  onInstanceState(instanceId: string, state: string): void;
  onStatusCheck(instanceId: string, check: StatusCheck, status: string): void;
  close(): void;
}

const DEFAULT_PAGE = 50;
const MAX_PAGE = 100;

export function makeAlarms(options: AlarmOptions): Alarms {
  const { clock, region, accountId } = options;
  const alarms = new Map<string, Entry>();
  const instanceStates = new Map<string, string>();
  const checks = new Map<string, Map<StatusCheck, string>>();

  const find = (nameOrArn: string): Entry | undefined =>
    alarms.get(nameOrArn.startsWith('arn:') ? (nameOrArn.split(':alarm:')[1] ?? '') : nameOrArn);
  const existing = (name: string): Entry => {
    const alarm = alarms.get(name);
    if (alarm === undefined)
      throw new CloudWatchError('ResourceNotFound', `Alarm ${name} does not exist`, 404);
    return alarm;
  };
  const initialState = (): State => ({
    value: 'INSUFFICIENT_DATA',
    reason: 'Unchecked: Initial alarm creation',
    updatedAtMs: clock.now(),
    transitionedAtMs: clock.now(),
  });

  // ── Changes of state ─────────────────────────────────────────────────────

  const changeState = (alarm: Entry, value: StateValue, reason: string, reasonData?: string): void => {
    const previous = alarm.state;
    const now = clock.now();
    alarm.state = {
      value,
      reason,
      ...(reasonData === undefined ? {} : { reasonData }),
      updatedAtMs: now,
      transitionedAtMs: value === previous.value ? previous.transitionedAtMs : now,
    };
    if (value === previous.value) return;
    if (alarm.kind === 'composite') suppressIfAsked(alarm);
    announce(alarm, previous);
    for (const other of alarms.values()) {
      if (other.kind !== 'composite') continue;
      if (other.rule.children.some((child) => find(child) === alarm)) evaluateComposite(other, alarm);
      if (other.config.ActionsSuppressor !== undefined && find(other.config.ActionsSuppressor) === alarm)
        onSuppressor(other, value);
    }
  };

  /** The event goes out even when the actions are suppressed or switched off. */
  const announce = (alarm: Entry, previous: State): void => {
    const detail = {
      alarmName: alarm.name,
      configuration: toConfiguration(alarm),
      previousState: toEventState(previous),
      state: { ...toEventState(alarm.state), ...suppressionOf(alarm) },
    };
    options.emitEvent(alarm.arn, detail);
    const suppressed = alarm.kind === 'composite' && alarm.suppression !== undefined;
    if (alarm.config.ActionsEnabled === false || suppressed) return;
    for (const action of actionsFor(alarm.config, alarm.state.value))
      runAction(action, alarm, previous, detail);
  };

  const runAction = (action: string, alarm: Entry, previous: State, alarmData: JsonObject): void => {
    if (action.startsWith('arn:aws:sns:')) {
      const subject = `${alarm.state.value}: "${alarm.name}" in ${region}`;
      options.publish(action, subject, toSnsMessage(alarm, previous));
      return;
    }
    const time = toTimestamp(alarm.state.updatedAtMs);
    const envelope = { source: 'aws.cloudwatch', alarmArn: alarm.arn, accountId, time, region, alarmData };
    options.invokeLambda(action, envelope, alarm.arn);
  };

  const toSnsMessage = (alarm: Entry, previous: State): JsonObject => ({
    AlarmName: alarm.name,
    AlarmDescription: alarm.config.AlarmDescription ?? null,
    AWSAccountId: accountId,
    AlarmConfigurationUpdatedTimestamp: toTimestamp(alarm.configuredAtMs),
    NewStateValue: alarm.state.value,
    NewStateReason: alarm.state.reason,
    StateChangeTime: toTimestamp(alarm.state.updatedAtMs),
    Region: region,
    AlarmArn: alarm.arn,
    OldStateValue: previous.value,
    ...(alarm.kind === 'composite'
      ? { AlarmRule: alarm.config.AlarmRule }
      : {
          Trigger: {
            MetricName: alarm.config.MetricName,
            Namespace: alarm.config.Namespace,
            Statistic: alarm.config.Statistic?.toUpperCase(),
            Dimensions: alarm.config.Dimensions?.map(({ Name, Value }) => ({ name: Name, value: Value })),
            Period: alarm.config.Period,
            EvaluationPeriods: alarm.config.EvaluationPeriods,
            ComparisonOperator: alarm.config.ComparisonOperator,
            Threshold: alarm.config.Threshold,
            TreatMissingData: alarm.config.TreatMissingData,
          },
        }),
  });

  // ── Composite alarms and the suppression of their actions ────────────────

  const stateOf = (nameOrArn: string): StateValue | undefined => find(nameOrArn)?.state.value;

  const evaluateComposite = (alarm: CompositeAlarmEntry, cause: Entry | undefined): void => {
    const value: StateValue = alarm.rule.holds(stateOf) ? 'ALARM' : 'OK';
    if (value === alarm.state.value) return;
    const children = alarm.rule.children.flatMap((child) => find(child) ?? []);
    const triggers = children.filter(
      (child) => child === cause || (value === 'ALARM' && child.state.value === 'ALARM'),
    );
    const trigger = cause ?? triggers[0];
    const reason =
      trigger === undefined
        ? `Alarm rule evaluated to ${value}`
        : `${trigger.arn} transitioned to ${trigger.state.value} at ${toWords(trigger.state.transitionedAtMs)}`;
    const reasonData = {
      triggeringAlarms: triggers.map(({ arn, state }) => ({
        arn,
        state: { value: state.value, timestamp: toTimestamp(state.updatedAtMs) },
      })),
    };
    changeState(alarm, value, reason, JSON.stringify(reasonData));
  };

  const suppressIfAsked = (alarm: CompositeAlarmEntry): void => {
    alarm.suppression?.cancel();
    alarm.suppression = undefined;
    const { ActionsSuppressor: suppressor, ActionsSuppressorWaitPeriod: waitSec = 0 } = alarm.config;
    if (suppressor === undefined) return;
    if (stateOf(suppressor) === 'ALARM') alarm.suppression = { by: 'Alarm', cancel: () => undefined };
    else if (waitSec > 0) suppressFor(alarm, 'WaitPeriod', waitSec);
  };

  const suppressFor = (alarm: CompositeAlarmEntry, by: Suppression['by'], seconds: number): void => {
    alarm.suppression = { by, cancel: clock.after(seconds * 1000, () => endSuppression(alarm)) };
  };

  /** The state stays what it was; now its actions run, and the event says so. */
  const endSuppression = (alarm: CompositeAlarmEntry): void => {
    alarm.suppression = undefined;
    alarm.state = { ...alarm.state, updatedAtMs: clock.now() };
    announce(alarm, alarm.state);
  };

  const onSuppressor = (alarm: CompositeAlarmEntry, value: StateValue): void => {
    const by = alarm.suppression?.by;
    const extensionSec = alarm.config.ActionsSuppressorExtensionPeriod ?? 0;
    if (value === 'ALARM' && (by === 'WaitPeriod' || by === 'ExtensionPeriod')) {
      alarm.suppression?.cancel();
      alarm.suppression = { by: 'Alarm', cancel: () => undefined };
    } else if (value !== 'ALARM' && by === 'Alarm') {
      if (extensionSec > 0) suppressFor(alarm, 'ExtensionPeriod', extensionSec);
      else endSuppression(alarm);
    }
  };

  // ── EC2's status checks ──────────────────────────────────────────────────

  const instanceOf = (config: PutMetricAlarmInput): string | undefined =>
    config.Namespace === 'AWS/EC2' && CHECKS_OF_METRIC[config.MetricName ?? ''] !== undefined
      ? config.Dimensions?.find(({ Name }) => Name === 'InstanceId')?.Value
      : undefined;

  /** 1 is a failed check, 0 a passed one; undefined: no data, as from an instance that does not run. */
  const datapointOf = (instanceId: string, metric: string): number | undefined => {
    if (instanceStates.get(instanceId) !== 'running') return undefined;
    const statuses = (CHECKS_OF_METRIC[metric] ?? []).map(
      (check) => checks.get(instanceId)?.get(check) ?? 'ok',
    );
    if (statuses.includes('impaired')) return 1;
    return statuses.some((status) => status === 'initializing' || status === 'insufficient-data')
      ? undefined
      : 0;
  };

  const evaluateStatusCheck = (
    alarm: MetricAlarmEntry,
  ): { value: StateValue; datapoint: number | undefined } | undefined => {
    const instanceId = instanceOf(alarm.config);
    if (instanceId === undefined) return undefined;
    const datapoint = datapointOf(instanceId, alarm.config.MetricName ?? '');
    if (datapoint !== undefined) {
      const breach = BREACHES[alarm.config.ComparisonOperator ?? ''];
      return { datapoint, value: breach?.holds(datapoint, alarm.config.Threshold ?? 0) ? 'ALARM' : 'OK' };
    }
    switch (alarm.config.TreatMissingData ?? 'missing') {
      case 'ignore':
        return undefined;
      case 'breaching':
        return { datapoint, value: 'ALARM' };
      case 'notBreaching':
        return { datapoint, value: 'OK' };
      default:
        return { datapoint, value: 'INSUFFICIENT_DATA' };
    }
  };

  const reconsider = (alarm: MetricAlarmEntry): void => {
    alarm.cancelPending();
    alarm.cancelPending = () => undefined;
    const expected = evaluateStatusCheck(alarm);
    if (expected === undefined || expected.value === alarm.state.value) return;
    alarm.cancelPending = clock.after(options.detectionDelayMs(), () => {
      const found = evaluateStatusCheck(alarm);
      if (found === undefined || found.value === alarm.state.value) return;
      const { reason, data } = toReason(alarm.config, found.value, found.datapoint, clock.now());
      changeState(alarm, found.value, reason, JSON.stringify(data));
    });
  };

  const reconsiderInstance = (instanceId: string): void => {
    for (const alarm of alarms.values()) {
      if (alarm.kind === 'metric' && instanceOf(alarm.config) === instanceId) reconsider(alarm);
    }
  };

  const metricWatch = makeMetricWatch({ clock, alarms: () => alarms.values(), changeState });

  const page = (input: DescribeAlarmsInput): { entries: Entry[]; nextToken: string | undefined } => {
    const types = input.AlarmTypes ?? ['MetricAlarm'];
    const size = input.MaxRecords ?? DEFAULT_PAGE;
    if (size < 1 || size > MAX_PAGE)
      throw new CloudWatchError('ValidationError', `MaxRecords: from 1 to ${MAX_PAGE}`);
    const after = input.NextToken === undefined ? '' : readToken(input.NextToken);
    const matching = [...alarms.values()]
      .filter((alarm) => types.includes(alarm.kind === 'metric' ? 'MetricAlarm' : 'CompositeAlarm'))
      .filter((alarm) => input.AlarmNames === undefined || input.AlarmNames.includes(alarm.name))
      .filter((alarm) => alarm.name.startsWith(input.AlarmNamePrefix ?? ''))
      .filter((alarm) => input.StateValue === undefined || alarm.state.value === input.StateValue)
      .filter(
        (alarm) =>
          input.ActionPrefix === undefined ||
          allActions(alarm.config).some((action) => action.startsWith(input.ActionPrefix ?? '')),
      )
      .sort((one, other) => (one.name < other.name ? -1 : 1))
      .filter((alarm) => alarm.name > after);
    const entries = matching.slice(0, size);
    const last = matching.length > size ? entries.at(-1) : undefined;
    return { entries, nextToken: last && Buffer.from(last.name).toString('base64') };
  };

  return {
    putMetricAlarm: (input) => {
      const name = requireMetricAlarm(input);
      const before = alarms.get(name);
      if (before?.kind === 'composite')
        throw new CloudWatchError('ValidationError', `${name} is a composite alarm`);
      before?.cancelPending();
      const alarm: MetricAlarmEntry = {
        kind: 'metric',
        name,
        arn: `arn:aws:cloudwatch:${region}:${accountId}:alarm:${name}`,
        config: input,
        metricId: before?.metricId ?? randomUUID(),
        configuredAtMs: clock.now(),
        // An update leaves the state alone.
        state: before?.state ?? initialState(),
        cancelPending: () => undefined,
        isEvaluated: false,
      };
      alarms.set(name, alarm);
      reconsider(alarm);
      metricWatch.begin(alarm);
    },
    putCompositeAlarm: (input) => {
      const name = requireCompositeAlarm(input);
      const before = alarms.get(name);
      if (before?.kind === 'metric')
        throw new CloudWatchError('ValidationError', `${name} is a metric alarm`);
      before?.suppression?.cancel();
      const rule = parseRule(input.AlarmRule ?? '');
      const missing = [
        ...rule.children,
        ...(input.ActionsSuppressor === undefined ? [] : [input.ActionsSuppressor]),
      ].filter((child) => find(child) === undefined);
      if (missing.length > 0) {
        throw new CloudWatchError(
          'ValidationError',
          `Could not save the composite alarm as alarms [${missing.join(', ')}] in the alarm rule do not exist`,
        );
      }
      const alarm: CompositeAlarmEntry = {
        kind: 'composite',
        name,
        arn: `arn:aws:cloudwatch:${region}:${accountId}:alarm:${name}`,
        config: input,
        rule,
        configuredAtMs: clock.now(),
        state: before?.state ?? initialState(),
      };
      alarms.set(name, alarm);
      evaluateComposite(alarm, undefined);
    },
    putMetricData: metricWatch.put,
    describeAlarms: (input) => {
      if (input.ChildrenOfAlarmName !== undefined || input.ParentsOfAlarmName !== undefined) {
        throw new CloudWatchError(
          'ValidationError',
          'The sandbox knows neither ChildrenOfAlarmName nor ParentsOfAlarmName',
        );
      }
      if (input.AlarmNames !== undefined && input.AlarmNamePrefix !== undefined) {
        throw new CloudWatchError(
          'InvalidParameterCombination',
          'AlarmNames and AlarmNamePrefix exclude each other',
        );
      }
      const { entries, nextToken } = page(input);
      return {
        MetricAlarms: entries.flatMap((alarm) => (alarm.kind === 'metric' ? toMetricAlarm(alarm) : [])),
        CompositeAlarms: entries.flatMap((alarm) =>
          alarm.kind === 'composite' ? toCompositeAlarm(alarm) : [],
        ),
        NextToken: nextToken,
      };
    },
    setAlarmState: ({ AlarmName: name, StateValue: value, StateReason: reason, StateReasonData: data }) => {
      if (name === undefined || reason === undefined)
        throw new CloudWatchError('ValidationError', 'AlarmName and StateReason are mandatory');
      if (value !== 'ALARM' && value !== 'OK' && value !== 'INSUFFICIENT_DATA') {
        throw new CloudWatchError(
          'ValidationError',
          `StateValue: '${value}' is not one of ALARM, OK, INSUFFICIENT_DATA`,
        );
      }
      changeState(existing(name), value, reason, data);
    },
    deleteAlarms: (names) => {
      for (const alarm of names.map(existing)) {
        if (alarm.kind === 'metric') alarm.cancelPending();
        else alarm.suppression?.cancel();
        alarms.delete(alarm.name);
      }
    },
    setActionsEnabled: (names, enabled) => {
      for (const name of names) {
        const alarm = alarms.get(name);
        if (alarm !== undefined) alarm.config.ActionsEnabled = enabled;
      }
    },
    onInstanceState: (instanceId, state) => {
      instanceStates.set(instanceId, state);
      reconsiderInstance(instanceId);
    },
    onStatusCheck: (instanceId, check, status) => {
      const known = checks.get(instanceId) ?? new Map<StatusCheck, string>();
      checks.set(instanceId, known.set(check, status));
      reconsiderInstance(instanceId);
    },
    close: () => {
      for (const alarm of alarms.values()) {
        if (alarm.kind === 'metric') alarm.cancelPending();
        else alarm.suppression?.cancel();
      }
    },
  };
}
