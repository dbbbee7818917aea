// Alarms follow EC2's status checks, tell it in the very shapes that CloudWatch sends, and run their actions unless suppressed.

import { readFileSync } from 'node:fs';
import type { PutMetricAlarmInput } from '@aws-sdk/client-cloudwatch';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../sandbox/aws-request.ts';
import { makeAlarms } from '../../../sandbox/cloudwatch/alarms.ts';
import { makeManualClock } from '../manual-clock.ts';

const INSTANCE = 'i-0a1b2c3d4e5f60001';
const TOPIC = 'arn:aws:sns:us-east-1:123456789012:t';
const LAMBDA = 'arn:aws:lambda:us-east-1:123456789012:function:f';

const systemCheck = (overrides: Partial<PutMetricAlarmInput> = {}): PutMetricAlarmInput => ({
  AlarmName: 'orders-db-primary-system',
  AlarmDescription: 'System status check of the orders-db primary',
  Namespace: 'AWS/EC2',
  MetricName: 'StatusCheckFailed_System',
  Dimensions: [{ Name: 'InstanceId', Value: INSTANCE }],
  Statistic: 'Maximum',
  Period: 60,
  EvaluationPeriods: 2,
  Threshold: 1,
  ComparisonOperator: 'GreaterThanOrEqualToThreshold',
  ...overrides,
});

function setUp(detectionDelayMs = 0) {
  const clock = makeManualClock();
  const events: { arn: string; detail: JsonObject }[] = [];
  const invocations: { functionArn: string; payload: JsonObject }[] = [];
  const published: { subject: string; message: JsonObject }[] = [];
  const alarms = makeAlarms({
    clock,
    region: 'us-east-1',
    accountId: '123456789012',
    detectionDelayMs: () => detectionDelayMs,
    emitEvent: (arn, detail) => void events.push({ arn, detail }),
    invokeLambda: (functionArn, payload) => void invocations.push({ functionArn, payload }),
    publish: (_arn, subject, message) => void published.push({ subject, message }),
  });
  alarms.onInstanceState(INSTANCE, 'running');
  const states = () =>
    Object.fromEntries(
      [alarms.describeAlarms({ AlarmTypes: ['MetricAlarm', 'CompositeAlarm'] })].flatMap(
        ({ MetricAlarms = [], CompositeAlarms = [] }) =>
          [...MetricAlarms, ...CompositeAlarms].map(({ AlarmName, StateValue }) => [AlarmName, StateValue]),
      ),
    );
  const set = (name: string, value: 'ALARM' | 'OK') =>
    alarms.setAlarmState({ AlarmName: name, StateValue: value, StateReason: 'test' });
  return { clock, alarms, events, invocations, published, states, set };
}

const fixture = (name: string): JsonObject =>
  JSON.parse(
    readFileSync(new URL(`../../fixtures/events/${name}.json`, import.meta.url), 'utf8'),
  ) as JsonObject;

/** The names and types of everything in it, however deep; JSON in a string counts as what it says. `startDate` comes and goes. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.slice(0, 1).map(shapeOf);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value)
        .filter(([key]) => key !== 'startDate')
        .sort(([one], [other]) => (one < other ? -1 : 1))
        .map(([key, item]) => [key, shapeOf(item)]),
    );
  }
  return typeof value === 'string' && value.startsWith('{') ? shapeOf(JSON.parse(value)) : typeof value;
}

describe('an alarm on a status check', () => {
  it('goes to OK when the instance is healthy, to ALARM when the check fails, and back', async () => {
    const { alarms, clock, states } = setUp();
    alarms.putMetricAlarm(systemCheck());
    expect(states()).toEqual({ 'orders-db-primary-system': 'INSUFFICIENT_DATA' });
    await clock.advance(0);
    expect(states()).toEqual({ 'orders-db-primary-system': 'OK' });
    alarms.onStatusCheck(INSTANCE, 'system', 'impaired');
    await clock.advance(0);
    expect(states()).toEqual({ 'orders-db-primary-system': 'ALARM' });
    alarms.onStatusCheck(INSTANCE, 'system', 'ok');
    await clock.advance(0);
    expect(states()).toEqual({ 'orders-db-primary-system': 'OK' });
  });

  it.each([
    ['StatusCheckFailed', 'ebs', 'ALARM'],
    ['StatusCheckFailed_Instance', 'instance', 'ALARM'],
    ['StatusCheckFailed_Instance', 'system', 'OK'],
    ['StatusCheckFailed_AttachedEBS', 'ebs', 'ALARM'],
    ['StatusCheckFailed_System', 'ebs', 'OK'],
  ] as const)('%s, with a failed %s check, is %s', async (MetricName, check, expected) => {
    const { alarms, clock, states } = setUp();
    alarms.putMetricAlarm(systemCheck({ AlarmName: 'a', MetricName }));
    alarms.onStatusCheck(INSTANCE, check, 'impaired');
    await clock.advance(0);
    expect(states()).toEqual({ a: expected });
  });

  it.each([
    ['missing', 'INSUFFICIENT_DATA'],
    ['breaching', 'ALARM'],
    ['notBreaching', 'OK'],
    ['ignore', 'OK'],
  ])(
    'of an instance that stops, with missing data treated as %s, is %s',
    async (TreatMissingData, expected) => {
      const { alarms, clock, states } = setUp();
      alarms.putMetricAlarm(systemCheck({ AlarmName: 'a', TreatMissingData }));
      await clock.advance(0);
      alarms.onInstanceState(INSTANCE, 'stopping');
      await clock.advance(0);
      expect(states()).toEqual({ a: expected });
    },
  );

  it('changes only after the time that detection takes', async () => {
    const { alarms, clock, states } = setUp(90_000);
    alarms.putMetricAlarm(systemCheck());
    await clock.advance(90_000);
    alarms.onStatusCheck(INSTANCE, 'system', 'impaired');
    await clock.advance(89_999);
    expect(states()).toEqual({ 'orders-db-primary-system': 'OK' });
    await clock.advance(1);
    expect(states()).toEqual({ 'orders-db-primary-system': 'ALARM' });
  });

  it('stays when the check recovers before it is detected', async () => {
    const { alarms, clock, events } = setUp(90_000);
    alarms.putMetricAlarm(systemCheck());
    await clock.advance(90_000);
    events.length = 0;
    alarms.onStatusCheck(INSTANCE, 'system', 'impaired');
    await clock.advance(60_000);
    alarms.onStatusCheck(INSTANCE, 'system', 'ok');
    await clock.advance(600_000);
    expect(events).toEqual([]);
  });

  it('tells it in the shape of the sample event', async () => {
    const { alarms, clock, events } = setUp();
    alarms.putMetricAlarm(systemCheck());
    await clock.advance(0);
    alarms.onStatusCheck(INSTANCE, 'system', 'impaired');
    await clock.advance(0);
    const sample = fixture('cloudwatch-alarm-status-check-system');
    expect(shapeOf(events.at(-1)?.detail)).toEqual(shapeOf(sample['detail']));
    expect(events.at(-1)?.arn).toBe((sample['resources'] as string[])[0]);
    expect(events.at(-1)?.detail['state']).toMatchObject({
      value: 'ALARM',
      reason:
        'Threshold Crossed: 2 out of the last 2 datapoints [1.0 (20/11/26 01:59:00), 1.0 (20/11/26 01:58:00)] were greater than or equal to the threshold (1.0).',
      timestamp: '2026-11-20T02:00:40.989+0000',
    });
  });

  it('goes back to OK in the shape of the sample event', async () => {
    const { alarms, clock, events } = setUp();
    alarms.putMetricAlarm(systemCheck());
    alarms.onStatusCheck(INSTANCE, 'system', 'impaired');
    await clock.advance(0);
    alarms.onStatusCheck(INSTANCE, 'system', 'ok');
    await clock.advance(0);
    expect(shapeOf(events.at(-1)?.detail)).toEqual(shapeOf(fixture('cloudwatch-alarm-back-to-ok')['detail']));
  });

  it('invokes a function in the shape of the sample, and publishes to a topic', () => {
    const { alarms, invocations, published, set } = setUp();
    alarms.putMetricAlarm(systemCheck({ AlarmActions: [LAMBDA, TOPIC] }));
    set('orders-db-primary-system', 'ALARM');
    expect(invocations.map(({ functionArn }) => functionArn)).toEqual([LAMBDA]);
    expect(shapeOf(invocations[0]?.payload)).toEqual(shapeOf(fixture('lambda-alarm-action')));
    expect(published).toMatchObject([
      { message: { AlarmName: 'orders-db-primary-system', NewStateValue: 'ALARM' } },
    ]);
  });

  it('sends the event but runs no actions while its actions are disabled', () => {
    const { alarms, events, invocations, set } = setUp();
    alarms.putMetricAlarm(systemCheck({ AlarmActions: [LAMBDA] }));
    alarms.setActionsEnabled(['orders-db-primary-system'], false);
    set('orders-db-primary-system', 'ALARM');
    expect(events).toHaveLength(1);
    expect(invocations).toEqual([]);
  });
});

describe('an alarm on any other metric', () => {
  it('changes by SetAlarmState only, in the shape of the sample but for its reason data', () => {
    const { alarms, events } = setUp();
    alarms.putMetricAlarm(
      systemCheck({
        AlarmName: 'lag',
        Namespace: 'Orders/Db',
        MetricName: 'ReplicationLagSeconds',
        Dimensions: [{ Name: 'Cluster', Value: 'orders' }],
      }),
    );
    const data = JSON.stringify({ version: '1.0' });
    alarms.setAlarmState({ AlarmName: 'lag', StateValue: 'OK', StateReason: 'x', StateReasonData: data });
    alarms.setAlarmState({ AlarmName: 'lag', StateValue: 'ALARM', StateReason: 'x', StateReasonData: data });
    const { configuration } = fixture('cloudwatch-alarm-custom-metric-no-instance')['detail'] as JsonObject;
    const shape = (value: unknown) => JSON.stringify(shapeOf(value)).replace('InstanceId', 'Cluster');
    expect(shape(events.at(-1)?.detail['configuration'])).toEqual(shape(configuration));
    expect(events.at(-1)?.detail['state']).toMatchObject({ value: 'ALARM', reasonData: data });
  });

  it('moves only its updated time when the state is set to what it is', async () => {
    const { alarms, clock, events, set } = setUp();
    alarms.putMetricAlarm(systemCheck({ AlarmName: 'lag', MetricName: 'Lag' }));
    set('lag', 'ALARM');
    await clock.advance(5_000);
    set('lag', 'ALARM');
    const [described] = alarms.describeAlarms({}).MetricAlarms ?? [];
    expect(Number(described?.StateUpdatedTimestamp) - Number(described?.StateTransitionedTimestamp)).toBe(
      5_000,
    );
    expect(events).toHaveLength(1);
  });

  it('keeps its state when it is put again', () => {
    const { alarms, set, states } = setUp();
    const lag = systemCheck({ AlarmName: 'lag', MetricName: 'Lag' });
    alarms.putMetricAlarm(lag);
    set('lag', 'ALARM');
    alarms.putMetricAlarm(lag);
    expect(states()).toEqual({ lag: 'ALARM' });
  });
});

describe('a composite alarm', () => {
  const setUpComposite = (extra: JsonObject = {}) => {
    const world = setUp();
    for (const AlarmName of ['orders-db-primary-system', 'orders-db-primary-instance', 'maintenance']) {
      world.alarms.putMetricAlarm(systemCheck({ AlarmName, MetricName: 'Other' }));
      world.set(AlarmName, 'OK');
    }
    world.alarms.putCompositeAlarm({
      AlarmName: 'orders-db-unhealthy',
      AlarmRule: 'ALARM(orders-db-primary-system) OR ALARM(orders-db-primary-instance)',
      AlarmActions: [LAMBDA],
      ...extra,
    });
    world.events.length = 0;
    const ofComposite = () =>
      world.events.filter(({ arn }) => arn.endsWith(':orders-db-unhealthy')).map(({ detail }) => detail);
    return { ...world, ofComposite };
  };
  const suppressor = {
    ActionsSuppressor: 'maintenance',
    ActionsSuppressorWaitPeriod: 120,
    ActionsSuppressorExtensionPeriod: 180,
  };

  it('follows its rule, in the shape of the sample event', () => {
    const { set, ofComposite, states } = setUpComposite();
    set('orders-db-primary-system', 'ALARM');
    expect(states()).toMatchObject({ 'orders-db-unhealthy': 'ALARM' });
    const sample = fixture('cloudwatch-composite-alarm')['detail'] as JsonObject;
    const { reasonData: _, ...previousState } = (ofComposite()[0]?.['previousState'] ?? {}) as JsonObject;
    expect(shapeOf({ ...ofComposite()[0], previousState })).toEqual(shapeOf(sample));
    expect(ofComposite()[0]?.['state']).toMatchObject({
      reason:
        'arn:aws:cloudwatch:us-east-1:123456789012:alarm:orders-db-primary-system transitioned to ALARM at Friday 20 November, 2026 02:00:40 UTC',
    });
  });

  it('holds its actions back during the wait period, says so in its event, and runs them when it ends', async () => {
    const { set, ofComposite, clock, invocations } = setUpComposite(suppressor);
    set('orders-db-primary-system', 'ALARM');
    const sample = fixture('cloudwatch-composite-alarm-suppressed')['detail'] as JsonObject;
    const { reasonData: _, ...previousState } = (ofComposite()[0]?.['previousState'] ?? {}) as JsonObject;
    expect(shapeOf({ ...ofComposite()[0], previousState })).toEqual(shapeOf(sample));
    expect(ofComposite()[0]?.['state']).toMatchObject({ actionsSuppressedBy: 'WaitPeriod' });
    expect(invocations).toEqual([]);
    await clock.advance(120_000);
    expect(ofComposite()[1]).toMatchObject({ previousState: { value: 'ALARM' }, state: { value: 'ALARM' } });
    expect(ofComposite()[1]?.['state']).not.toHaveProperty('actionsSuppressedBy');
    expect(invocations).toHaveLength(1);
  });

  it('stays suppressed as long as its suppressor is in ALARM, and for the extension period after', async () => {
    const { set, alarms, clock, invocations } = setUpComposite(suppressor);
    const suppressedBy = () =>
      alarms.describeAlarms({ AlarmTypes: ['CompositeAlarm'] }).CompositeAlarms?.[0]?.ActionsSuppressedBy;
    set('maintenance', 'ALARM');
    set('orders-db-primary-system', 'ALARM');
    await clock.advance(600_000);
    expect(suppressedBy()).toBe('Alarm');
    set('maintenance', 'OK');
    expect(suppressedBy()).toBe('ExtensionPeriod');
    await clock.advance(180_000);
    expect(suppressedBy()).toBeUndefined();
    expect(invocations).toHaveLength(1);
  });

  it('is refused when it names an alarm that does not exist', () => {
    const { alarms } = setUp();
    expect(() => alarms.putCompositeAlarm({ AlarmName: 'c', AlarmRule: 'ALARM(none)' })).toThrow('[none]');
  });
});

describe('DescribeAlarms', () => {
  const three = () => {
    const world = setUp();
    for (const AlarmName of ['b', 'a', 'c'])
      world.alarms.putMetricAlarm(systemCheck({ AlarmName, MetricName: 'M' }));
    world.alarms.putCompositeAlarm({ AlarmName: 'bc', AlarmRule: 'ALARM(b) AND ALARM(c)' });
    return world;
  };
  const names = (output: {
    MetricAlarms?: { AlarmName?: string }[];
    CompositeAlarms?: { AlarmName?: string }[];
  }) => [...(output.MetricAlarms ?? []), ...(output.CompositeAlarms ?? [])].map(({ AlarmName }) => AlarmName);

  it('returns metric alarms only, unless both kinds are asked for', () => {
    const { alarms } = three();
    expect(names(alarms.describeAlarms({}) as never)).toEqual(['a', 'b', 'c']);
    expect(names(alarms.describeAlarms({ AlarmTypes: ['MetricAlarm', 'CompositeAlarm'] }) as never)).toEqual([
      'a',
      'b',
      'c',
      'bc',
    ]);
  });

  it('selects by names, prefix and state', () => {
    const { alarms, set } = three();
    set('c', 'ALARM');
    expect(names(alarms.describeAlarms({ AlarmNames: ['b', 'gone'] }) as never)).toEqual(['b']);
    expect(
      names(alarms.describeAlarms({ AlarmNamePrefix: 'b', AlarmTypes: ['CompositeAlarm'] }) as never),
    ).toEqual(['bc']);
    expect(names(alarms.describeAlarms({ StateValue: 'ALARM' }) as never)).toEqual(['c']);
  });

  it('answers in pages', () => {
    const { alarms } = three();
    const first = alarms.describeAlarms({ MaxRecords: 2 });
    expect(names(first as never)).toEqual(['a', 'b']);
    const second = alarms.describeAlarms({ MaxRecords: 2, NextToken: first.NextToken });
    expect(names(second as never)).toEqual(['c']);
    expect(second.NextToken).toBeUndefined();
  });

  it('refuses a selection that the sandbox does not know', () => {
    expect(() => three().alarms.describeAlarms({ ParentsOfAlarmName: 'a' })).toThrow('ParentsOfAlarmName');
  });
});

describe('what the sandbox cannot do', () => {
  it.each<[string, Partial<PutMetricAlarmInput>, string]>([
    [
      'an action that it does not run',
      { AlarmActions: ['arn:aws:automate:us-east-1:ec2:recover'] },
      'SNS and Lambda actions only',
    ],
    [
      'a comparison that it does not know',
      { ComparisonOperator: 'LessThanLowerThreshold' },
      'ComparisonOperator',
    ],
    ['a missing parameter', { Period: undefined }, 'Period is mandatory'],
  ])('is refused: %s', (_name, overrides, message) => {
    expect(() => setUp().alarms.putMetricAlarm(systemCheck(overrides))).toThrow(message);
  });

  it('is refused: the state of an alarm that does not exist', () => {
    expect(() => setUp().set('none', 'ALARM')).toThrow('does not exist');
  });
});
