/** CloudWatch and EventBridge: alarms over EC2's status checks, alarms of applications, and the events of both. */
import type { Ec2Model } from '../../sandbox/ec2/model.ts';
import type { Chance } from './random.ts';
import { sdkError } from './table.ts';
import type { EventLoop } from './virtual-time.ts';

export interface Alarm {
  readonly name: string;
  readonly arn: string;
  readonly state: 'OK' | 'ALARM' | 'INSUFFICIENT_DATA';
  readonly transitionedAtMs: number;
  /**
   * A metric alarm watches the status checks of this instance; a custom alarm is a composite one, over what only the
   * simulator knows.
   */
  readonly instanceId?: string;
  /** Only a composite alarm can be suppressed, and says so; a metric alarm can be muted, and only its events say so. */
  readonly suppressed: boolean;
}

/** What the weather does to one event between its source and the function. */
export interface Passage {
  readonly copies: readonly { readonly afterMs: number }[];
}

export interface Monitoring {
  alarm(name: string): Alarm | undefined;
  alarms(): readonly Alarm[];
  watchInstance(instanceId: string): string;
  addCustom(name: string): string;
  setCustom(name: string, state: Alarm['state']): void;
  suppress(name: string, suppressed: boolean): void;
  describe(input: object): object;
  /** Puts an event on the bus that nothing in the world stands behind. */
  forge(instanceId: string, kind: 'alarm' | 'state-change'): void;
  /** AWS says that an instance will be lost; it may be, or not. */
  announce(instanceId: string, what: Announcement): void;
  /** Evaluations that are still to come. */
  underway(): number;
}

export const announcements = ['spot-interruption', 'rebalance', 'health'] as const;
export type Announcement = (typeof announcements)[number];

const region = 'us-east-1';
const account = '000000000000';
const customRule = 'ALARM(errors)';
export const arnOf = (name: string) => `arn:aws:cloudwatch:${region}:${account}:alarm:${name}`;

export interface MonitoringOptions {
  readonly loop: EventLoop;
  readonly model: Ec2Model;
  readonly chance: Chance;
  readonly steady: boolean;
  readonly passage: (event: object) => Passage;
  readonly deliver: (event: object) => void;
  readonly onAlarm: (alarm: Alarm) => void;
}

export function makeMonitoring(options: MonitoringOptions): Monitoring {
  const { loop, model, chance, steady, passage, deliver, onAlarm } = options;
  const alarms = new Map<string, Alarm>();
  const impaired = new Map<string, Set<string>>();
  let serial = 0;
  let underway = 0;

  function emit(detail: { readonly [key: string]: unknown }): void {
    serial += 1;
    const event = {
      version: '0',
      id: `event-${serial}`,
      account,
      region,
      time: new Date(loop.now()).toISOString(),
      ...detail,
    };
    for (const { afterMs } of passage(event).copies) {
      underway += 1;
      loop.after(afterMs, () => {
        underway -= 1;
        deliver(event);
      });
    }
  }

  function alarmEvent(alarm: Alarm): void {
    emit({
      'detail-type': 'CloudWatch Alarm State Change',
      source: 'aws.cloudwatch',
      resources: [alarm.arn],
      detail: {
        alarmName: alarm.name,
        state: {
          value: alarm.state,
          timestamp: new Date(loop.now()).toISOString().replace('Z', '+0000'),
          ...(alarm.suppressed &&
            (alarm.instanceId ? { muteDetail: { mutedBy: 'ops' } } : { actionsSuppressedBy: 'Alarm' })),
        },
        configuration: alarm.instanceId
          ? {
              metrics: [
                {
                  id: 'm1',
                  metricStat: {
                    metric: {
                      namespace: 'AWS/EC2',
                      name: 'StatusCheckFailed',
                      dimensions: { InstanceId: alarm.instanceId },
                    },
                    period: 60,
                    stat: 'Maximum',
                  },
                  returnData: true,
                },
              ],
            }
          : { alarmRule: customRule },
      },
    });
  }

  function turn(name: string, state: Alarm['state']): void {
    const alarm = alarms.get(name);
    if (!alarm || alarm.state === state) return;
    const next = { ...alarm, state, transitionedAtMs: loop.now() };
    alarms.set(name, next);
    onAlarm(next);
    alarmEvent(next);
  }

  const watchName = (instanceId: string) => `status-${instanceId}`;

  model.onEvent((event) => {
    if (event.kind === 'instance-state') {
      emit({
        'detail-type': 'EC2 Instance State-change Notification',
        source: 'aws.ec2',
        resources: [`arn:aws:ec2:${region}:${account}:instance/${event.instanceId}`],
        detail: { 'instance-id': event.instanceId, state: event.state },
      });
    } else if (event.kind === 'status-check') {
      const failing = impaired.get(event.instanceId) ?? new Set();
      impaired.set(event.instanceId, failing);
      if (event.status === 'impaired') failing.add(event.check);
      else failing.delete(event.check);
      if (!alarms.has(watchName(event.instanceId))) return;
      // A metric of a minute, evaluated each minute.
      underway += 1;
      loop.after(steady ? 1_000 : chance.between(500, 120_000), () => {
        underway -= 1;
        turn(watchName(event.instanceId), failing.size > 0 ? 'ALARM' : 'OK');
      });
    }
  });

  const add = (name: string, instanceId?: string) => {
    const arn = arnOf(name);
    const initial = { name, arn, state: 'OK', transitionedAtMs: loop.now(), suppressed: false } as const;
    alarms.set(name, { ...initial, ...(instanceId && { instanceId }) });
    return arn;
  };

  return {
    alarm: (name) => alarms.get(name),
    alarms: () => [...alarms.values()],
    watchInstance: (instanceId) => add(watchName(instanceId), instanceId),
    addCustom: (name) => add(name),
    setCustom: turn,
    suppress(name, suppressed) {
      const alarm = alarms.get(name);
      if (!alarm) return;
      alarms.set(name, { ...alarm, suppressed });
      // The end of a suppression looks like ALARM to ALARM.
      if (!suppressed && alarm.state === 'ALARM') alarmEvent({ ...alarm, suppressed });
    },
    describe(input) {
      const { AlarmNames, AlarmTypes, StateValue } = input as {
        AlarmNames?: string[];
        AlarmTypes?: string[];
        StateValue?: string;
      };
      if (!AlarmTypes?.includes('MetricAlarm') || !AlarmTypes.includes('CompositeAlarm'))
        throw sdkError('ValidationError', 'ask for metric and composite alarms', 400);
      const named = (
        AlarmNames ? AlarmNames.flatMap((name) => alarms.get(name) ?? []) : [...alarms.values()]
      ).filter((alarm) => StateValue === undefined || alarm.state === StateValue);
      const common = (alarm: Alarm) => ({
        AlarmName: alarm.name,
        AlarmArn: alarm.arn,
        StateValue: alarm.state,
        StateTransitionedTimestamp: new Date(alarm.transitionedAtMs),
        StateUpdatedTimestamp: new Date(alarm.transitionedAtMs),
        ActionsEnabled: true,
      });
      return {
        MetricAlarms: named
          .filter(({ instanceId }) => instanceId !== undefined)
          .map((alarm) => ({
            ...common(alarm),
            Namespace: 'AWS/EC2',
            MetricName: 'StatusCheckFailed',
            Dimensions: [{ Name: 'InstanceId', Value: alarm.instanceId }],
          })),
        CompositeAlarms: named
          .filter(({ instanceId }) => instanceId === undefined)
          .map((alarm) => ({
            ...common(alarm),
            AlarmRule: customRule,
            ...(alarm.suppressed && { ActionsSuppressedBy: 'Alarm' }),
          })),
      };
    },
    forge(instanceId, kind) {
      if (kind === 'state-change')
        emit({
          'detail-type': 'EC2 Instance State-change Notification',
          source: 'aws.ec2',
          resources: [],
          detail: { 'instance-id': instanceId, state: 'stopped' },
        });
      else
        alarmEvent({
          name: watchName(instanceId),
          arn: arnOf(watchName(instanceId)),
          state: 'ALARM',
          transitionedAtMs: loop.now(),
          instanceId,
          suppressed: false,
        });
    },
    announce(instanceId, what) {
      if (what === 'health')
        emit({
          'detail-type': 'AWS Health Event',
          source: 'aws.health',
          resources: [instanceId],
          detail: {
            eventArn: `arn:aws:health:${region}::event/EC2/AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED/${serial}`,
            service: 'EC2',
            eventTypeCode: 'AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED',
            communicationId: `communication-${serial}`,
            statusCode: 'open',
            affectedEntities: [{ entityValue: instanceId }],
          },
        });
      else
        emit({
          'detail-type':
            what === 'rebalance'
              ? 'EC2 Instance Rebalance Recommendation'
              : 'EC2 Spot Instance Interruption Warning',
          source: 'aws.ec2',
          resources: [`arn:aws:ec2:us-east-1a:instance/${instanceId}`],
          detail: {
            'instance-id': instanceId,
            ...(what === 'spot-interruption' && { 'instance-action': 'terminate' }),
          },
        });
    },
    underway: () => underway,
  };
}
