// Alarms on what somebody puts: followed on the sandbox's clock, through both wire formats, missing data noticed as time passes.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { MetricDatum, PutMetricAlarmInput, PutMetricDataInput } from '@aws-sdk/client-cloudwatch';
import { CloudWatchClient, PutMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import { afterEach, describe, expect, it } from 'vitest';
import { type JsonObject, toAwsRequest } from '../../../sandbox/aws-request.ts';
import { makeAlarms } from '../../../sandbox/cloudwatch/alarms.ts';
import { makeCloudWatch } from '../../../sandbox/cloudwatch/cloudwatch.ts';
import { some } from '../ec2/lab.ts';
import { makeManualClock } from '../manual-clock.ts';

const Namespace = 'Orders';
const Dimensions = [
  { Name: 'Instance', Value: 'i-1' },
  { Name: 'Role', Value: 'primary' },
];

const heartbeat = (overrides: Partial<PutMetricAlarmInput> = {}): PutMetricAlarmInput => ({
  AlarmName: 'heartbeat',
  Namespace,
  MetricName: 'Beat',
  Dimensions,
  Statistic: 'SampleCount',
  Period: 10,
  EvaluationPeriods: 1,
  Threshold: 1,
  ComparisonOperator: 'LessThanThreshold',
  TreatMissingData: 'breaching',
  ...overrides,
});

function setUp(alarm = heartbeat()) {
  const clock = makeManualClock(Date.parse('2026-11-20T02:00:00Z'));
  const events: JsonObject[] = [];
  const alarms = makeAlarms({
    clock,
    region: 'us-east-1',
    accountId: '123456789012',
    detectionDelayMs: () => 0,
    emitEvent: (_arn, detail) => void events.push(detail),
    invokeLambda: () => undefined,
    publish: () => undefined,
  });
  alarms.putMetricAlarm(alarm);
  const put = (datum: Partial<MetricDatum> = {}) =>
    alarms.putMetricData({
      Namespace,
      MetricData: [{ MetricName: 'Beat', Dimensions, Value: 1, StorageResolution: 1, ...datum }],
    });
  const state = () => alarms.describeAlarms({}).MetricAlarms?.[0]?.StateValue;
  return { alarms, clock, events, put, state };
}

describe('a heartbeat alarm', () => {
  it('is OK while the heart beats, in ALARM once the evaluation range is empty, and OK again with the next beat', async () => {
    const { clock, put, state } = setUp();
    for (let beat = 0; beat < 5; beat += 1) {
      put();
      await clock.advance(10_000);
      expect(state()).toBe('OK');
    }
    // The last beat is in the period that has just ended; two more are looked at than evaluated.
    await clock.advance(20_000);
    expect(state()).toBe('OK');
    await clock.advance(10_000);
    expect(state()).toBe('ALARM');
    put();
    await clock.advance(10_000);
    expect(state()).toBe('OK');
  });

  it('tells of each change once, with the reason and the data it saw', async () => {
    const { clock, events, put } = setUp();
    put();
    await clock.advance(60_000);
    expect(events.map(({ state }) => state)).toMatchObject([
      {
        value: 'OK',
        reason:
          'Threshold Crossed: 1 out of the last 1 datapoints [1.0 (20/11/26 02:00:00)] was not less than the threshold (1.0).',
      },
      {
        value: 'ALARM',
        reason:
          'Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was treated as [Breaching].',
      },
    ]);
    const { reasonData } = some(events[0])['state'] as { reasonData: string };
    expect(JSON.parse(reasonData)).toEqual({
      version: '1.0',
      queryDate: '2026-11-20T02:00:10.000+0000',
      startDate: '2026-11-20T02:00:00.000+0000',
      statistic: 'SampleCount',
      period: 10,
      recentDatapoints: [1],
      threshold: 1,
    });
  });

  it('can be set by hand, until the next evaluation', async () => {
    const { alarms, clock, put, state } = setUp();
    put();
    await clock.advance(10_000);
    alarms.setAlarmState({ AlarmName: 'heartbeat', StateValue: 'ALARM', StateReason: 'by hand' });
    await clock.advance(5_000);
    expect(state()).toBe('ALARM');
    await clock.advance(5_000);
    expect(state()).toBe('OK');
  });

  it('begins anew when it is put again, and ends with its deletion', async () => {
    const { alarms, clock, events, put, state } = setUp();
    put();
    await clock.advance(10_000);
    alarms.putMetricAlarm(heartbeat({ TreatMissingData: 'missing' }));
    await clock.advance(40_000);
    expect(state()).toBe('INSUFFICIENT_DATA');
    alarms.deleteAlarms(['heartbeat']);
    put();
    await clock.advance(60_000);
    expect(events).toHaveLength(2);
  });
});

describe('a heartbeat alarm that fills in what is missing', () => {
  const filled = (Expression: string): PutMetricAlarmInput => ({
    AlarmName: 'heartbeat',
    EvaluationPeriods: 1,
    Threshold: 1,
    ComparisonOperator: 'LessThanThreshold',
    TreatMissingData: 'breaching',
    Metrics: [
      {
        Id: 'beats',
        MetricStat: {
          Metric: { Namespace, MetricName: 'Beat', Dimensions },
          Period: 10,
          Stat: 'SampleCount',
        },
        ReturnData: false,
      },
      { Id: 'filled', Expression, ReturnData: true },
    ],
  });

  it('is in ALARM with the first period that is empty', async () => {
    const { clock, put, state } = setUp(filled('FILL(beats, 0)'));
    put();
    await clock.advance(10_000);
    expect(state()).toBe('OK');
    await clock.advance(10_000);
    expect(state()).toBe('ALARM');
  });

  it.each(['FILL(beats, REPEAT)', 'beats * 2', 'FILL(other, 0)'])(
    'is set by hand when its expression is %s',
    async (expression) => {
      const { clock, put, state } = setUp(filled(expression));
      put();
      await clock.advance(60_000);
      expect(state()).toBe('INSUFFICIENT_DATA');
    },
  );
});

describe('an alarm on a custom metric', () => {
  it('is left alone while nobody has put any data', async () => {
    const { clock, state } = setUp();
    await clock.advance(600_000);
    expect(state()).toBe('INSUFFICIENT_DATA');
  });

  it.each<[Partial<MetricDatum>, string]>([
    [{ Dimensions: [...Dimensions].reverse() }, 'OK'],
    [{ Dimensions: [] }, 'INSUFFICIENT_DATA'],
    [{ MetricName: 'Other' }, 'INSUFFICIENT_DATA'],
  ])('follows its own metric only: %o', async (datum, expected) => {
    const { clock, put, state } = setUp();
    put(datum);
    await clock.advance(10_000);
    expect(state()).toBe(expected);
  });

  it.each<[PutMetricAlarmInput['Statistic'], number]>([
    ['Average', 4],
    ['Sum', 16],
    ['Minimum', 1],
    ['Maximum', 9],
    ['SampleCount', 4],
  ])('compares with the %s of each period', async (Statistic, expected) => {
    const alarm = {
      Statistic,
      Threshold: expected,
      ComparisonOperator: 'GreaterThanOrEqualToThreshold',
    } as const;
    const { clock, events, put } = setUp(heartbeat(alarm));
    put({ Value: undefined, Values: [1, 3], Counts: [1, 2] });
    put({ Value: undefined, StatisticValues: { SampleCount: 1, Sum: 9, Minimum: 9, Maximum: 9 } });
    await clock.advance(10_000);
    const { value, reasonData } = some(events[0])['state'] as { value: string; reasonData: string };
    expect(value).toBe('ALARM');
    expect(JSON.parse(reasonData)).toMatchObject({ recentDatapoints: [expected] });
  });

  it('looks at a sliding window, every minute', async () => {
    const { clock, put, state } = setUp(
      heartbeat({
        Period: 300,
        Statistic: 'Sum',
        Threshold: 2,
        ComparisonOperator: 'GreaterThanOrEqualToThreshold',
      }),
    );
    await clock.advance(240_000);
    put();
    await clock.advance(120_000);
    put();
    await clock.advance(60_000);
    expect(state()).toBe('ALARM');
  });

  it('stores by the minute what is not put in high resolution', async () => {
    const { clock, put, state } = setUp(heartbeat({ TreatMissingData: 'missing' }));
    await clock.advance(55_000);
    put({ StorageResolution: 60 });
    await clock.advance(5_000);
    expect(state()).toBe('INSUFFICIENT_DATA');
  });

  it('counts only the unit that it names', async () => {
    const { clock, put, state } = setUp(heartbeat({ Unit: 'Seconds', TreatMissingData: 'missing' }));
    put();
    await clock.advance(10_000);
    expect(state()).toBe('INSUFFICIENT_DATA');
    put({ Unit: 'Seconds' });
    await clock.advance(10_000);
    expect(state()).toBe('OK');
  });
});

describe('is refused', () => {
  it.each<[string, Partial<PutMetricAlarmInput>, string]>([
    ['a percentile', { Statistic: undefined, ExtendedStatistic: 'p99' }, "no percentiles: 'p99'"],
    ['no statistic', { Statistic: undefined }, 'Statistic'],
    ['a period of 15 seconds', { Period: 15 }, 'Period: 15'],
    ['a period of 90 seconds', { Period: 90 }, 'Period: 90'],
    ['more to alarm than are evaluated', { DatapointsToAlarm: 2 }, 'DatapointsToAlarm: 2'],
    ['more than a day', { Period: 60, EvaluationPeriods: 1441 }, 'at most 86400'],
    ['an anomaly', { ComparisonOperator: 'GreaterThanUpperThreshold' }, 'GreaterThanUpperThreshold'],
    ['another way with missing data', { TreatMissingData: 'guess' }, 'guess'],
  ])('an alarm with %s', (_what, overrides, message) => {
    expect(() => setUp(heartbeat(overrides))).toThrow(message);
  });

  it.each<[string, Partial<PutMetricDataInput>, string]>([
    ['in a namespace of AWS', { Namespace: 'AWS/EC2' }, 'AWS/EC2'],
    ['in no namespace', { Namespace: undefined }, 'Namespace'],
    ['without a value', { MetricData: [{ MetricName: 'Beat' }] }, 'takes one of'],
    ['that is no number', { MetricData: [{ MetricName: 'Beat', Value: Number.NaN }] }, 'is not a number'],
    ['from long ago', { MetricData: [{ MetricName: 'B', Value: 1, Timestamp: new Date(0) }] }, 'Timestamp'],
    ['of none', { MetricData: [] }, 'MetricData'],
  ])('data %s', (_what, input, message) => {
    const { alarms } = setUp();
    const data = { Namespace, MetricData: [{ MetricName: 'Beat', Value: 1 }], ...input };
    expect(() => alarms.putMetricData(data)).toThrow(message);
  });
});

describe('PutMetricData on the wire', () => {
  const closers: (() => void)[] = [];
  afterEach(() => {
    for (const close of closers.splice(0)) close();
  });

  /** The SDK's own client before the service, and how it encoded what it sent. */
  async function clientOf(world: ReturnType<typeof setUp>) {
    const handle = makeCloudWatch(world.alarms);
    const encodings: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      void buffer(request).then(async (body) => {
        encodings.push(request.headers['content-encoding']);
        const url = new URL('http://127.0.0.1/');
        const answer = await handle(some(toAwsRequest('POST', url, request.headers, body)));
        response.writeHead(answer.status, answer.headers).end(answer.body);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const client = new CloudWatchClient({
      endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      region: 'us-east-1',
      credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
      maxAttempts: 1,
    });
    closers.push(() => {
      client.destroy();
      server.close();
    });
    return { client, encodings };
  }

  it.each([
    ['as it is', 1, undefined],
    ['compressed when there is much of it', 900, 'gzip'],
  ])('is read %s', async (_how, count, encoding) => {
    const world = setUp();
    const { client, encodings } = await clientOf(world);
    const datum = { MetricName: 'Beat', Dimensions, Value: 1, StorageResolution: 1 };
    const MetricData = Array.from({ length: count }, () => datum);
    await client.send(new PutMetricDataCommand({ Namespace, MetricData }));
    await world.clock.advance(10_000);
    expect(world.state()).toBe('OK');
    expect(encodings).toEqual([encoding]);
  });

  it('is read in the Query protocol', async () => {
    const world = setUp();
    const form = {
      ...{ Action: 'PutMetricData', Version: '2010-08-01', Namespace },
      'MetricData.member.1.MetricName': 'Beat',
      'MetricData.member.1.Value': '1',
      'MetricData.member.1.StorageResolution': '1',
      'MetricData.member.1.Dimensions.member.1.Name': 'Instance',
      'MetricData.member.1.Dimensions.member.1.Value': 'i-1',
      'MetricData.member.1.Dimensions.member.2.Name': 'Role',
      'MetricData.member.1.Dimensions.member.2.Value': 'primary',
    };
    const { status, body } = await makeCloudWatch(world.alarms)({
      ...{ service: 'monitoring', operation: 'PutMetricData', accessKeyId: 'a', method: 'POST', path: '/' },
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: Buffer.from(new URLSearchParams(form).toString()),
    });
    expect([status, body.toString()]).toEqual([200, expect.stringContaining('<PutMetricDataResponse')]);
    await world.clock.advance(10_000);
    expect(world.state()).toBe('OK');
  });
});
