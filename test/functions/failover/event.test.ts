/** Proves that every event AWS is known to send is understood, and that a broken one is never a hint. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { IGNORE_CODES, type Parsed, parseEvent } from '../../../functions/failover/event.ts';
import type { EventHint } from '../../../shared/core/hint.ts';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type JsonObject = { [key: string]: Json };
type Path = readonly (string | number)[];

const folder = new URL('../../fixtures/events/', import.meta.url);
const fixtureNames = readdirSync(folder).map((file) => file.replace(/\.json$/, ''));
const fixture = (name: string): JsonObject =>
  JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8'));

const NOW = Date.parse('2026-11-20T02:01:00Z');
const HEALTH_NOW = Date.parse('2026-11-20T01:44:00Z');
const nowFor = (name: string): number => (name.startsWith('health') ? HEALTH_NOW : NOW);
const parse = (name: string): Parsed => parseEvent(fixture(name), nowFor(name));

const ALARM = 'arn:aws:cloudwatch:us-east-1:123456789012:alarm:orders-db-primary-system';
const INSTANCE = 'i-0a1b2c3d4e5f60001';
const OTHER = 'i-0a1b2c3d4e5f60002';
const INSTANCE_ARN = `arn:aws:ec2:us-east-1:123456789012:instance/${INSTANCE}`;
const SYSTEM = 'cloudwatch-alarm-status-check-system';
const STATE_CHANGE = 'ec2-instance-state-change-stopping';
const SPOT = 'ec2-spot-interruption-warning';
const HEALTH = 'health-instance-retirement';
const ACTION = 'lambda-alarm-action';
const SUPPRESSED = 'cloudwatch-composite-alarm-suppressed';
const METRIC = 'detail.configuration.metrics.0.metricStat.metric';

const isContainer = (value: Json | undefined): value is Json[] | JsonObject =>
  typeof value === 'object' && value !== null;

/** A copy with the value at `path` changed by `change`; what `change` answers undefined for is dropped. */
function edited(value: Json, path: Path, change: (old: Json | undefined) => Json | undefined): Json {
  const [key, ...rest] = path;
  if (key === undefined || !isContainer(value)) throw new Error(`no field at ${path.join('.')}`);
  const copy: Json = structuredClone(value);
  const target = copy as JsonObject;
  const old = target[key];
  const next = rest.length === 0 ? change(old) : edited(old ?? {}, rest, change);
  if (next !== undefined) target[key] = next;
  else if (Array.isArray(copy)) copy.splice(Number(key), 1);
  else delete copy[key];
  return copy;
}
const pathOf = (dotted: string): Path => dotted.split('.');
const set = (name: string, path: string, value: Json): Json =>
  edited(fixture(name), pathOf(path), () => value);
const drop = (name: string, path: string): Json => edited(fixture(name), pathOf(path), () => undefined);

function hintOf(parsed: Parsed): EventHint {
  if (parsed.kind !== 'hint') throw new Error(`expected a hint, got ${JSON.stringify(parsed)}`);
  return parsed.hint;
}
function problemsOf(parsed: Parsed): readonly string[] {
  if (parsed.kind !== 'malformed') throw new Error(`expected malformed, got ${JSON.stringify(parsed)}`);
  return parsed.problems;
}
const codeOf = (parsed: Parsed): string => (parsed.kind === 'ignored' ? parsed.code : parsed.kind);

describe('the events that AWS sends', () => {
  const alarmHint = (name: string, atIso: string, instanceIds: string[]) => ({
    kind: 'alarm',
    alarmArn: `arn:aws:cloudwatch:us-east-1:123456789012:alarm:${name}`,
    instanceIds,
    atMs: Date.parse(atIso),
  });
  const expected: Record<string, object> = {
    'cloudwatch-alarm-status-check-system': alarmHint(
      'orders-db-primary-system',
      '2026-11-20T02:00:40.989Z',
      [INSTANCE],
    ),
    'cloudwatch-alarm-status-check-instance': alarmHint(
      'orders-db-primary-instance',
      '2026-11-20T02:00:40.989Z',
      [INSTANCE],
    ),
    'cloudwatch-alarm-custom-metric-no-instance': alarmHint(
      'orders-db-replication-lag',
      '2026-11-20T02:00:40.989Z',
      [],
    ),
    'cloudwatch-composite-alarm': alarmHint('orders-db-unhealthy', '2026-11-20T02:00:45.394Z', []),
    'lambda-alarm-action': alarmHint('orders-db-primary-system', '2026-11-20T02:00:41.490Z', [INSTANCE]),
    'ec2-instance-state-change-stopping': {
      kind: 'state-change',
      instanceId: INSTANCE,
      state: 'stopping',
      atMs: Date.parse('2026-11-20T02:00:54Z'),
    },
    'ec2-spot-interruption-warning': {
      kind: 'announcement',
      what: 'spot-interruption',
      detail: 'terminate',
      instanceIds: [INSTANCE],
      atMs: Date.parse('2026-11-20T02:00:00Z'),
    },
    'ec2-rebalance-recommendation': {
      kind: 'announcement',
      what: 'rebalance',
      detail: 'EC2 Instance Rebalance Recommendation',
      instanceIds: [INSTANCE],
      atMs: Date.parse('2026-11-20T02:00:00Z'),
    },
    'health-instance-retirement': {
      kind: 'announcement',
      what: 'health',
      detail: 'AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED',
      instanceIds: [INSTANCE],
      atMs: Date.parse('2026-11-20T01:43:21Z'),
    },
  };
  const ignoredFixtures: Record<string, string> = {
    'cloudwatch-alarm-back-to-ok': 'ALARM_NOT_IN_ALARM',
    'cloudwatch-composite-alarm-suppressed': 'SUPPRESSED',
  };

  it('have a sample each, and an expectation for each sample', () => {
    expect(fixtureNames.toSorted()).toEqual(
      [...Object.keys(expected), ...Object.keys(ignoredFixtures)].toSorted(),
    );
  });
  it.each(Object.entries(expected))('%s becomes a hint', (name, hint) => {
    expect(hintOf(parse(name))).toEqual(hint);
  });
  it.each(Object.entries(ignoredFixtures))('%s is ignored as %s', (name, code) => {
    const parsed = parse(name);
    expect(codeOf(parsed)).toBe(code);
    expect(parsed).toHaveProperty('reason', expect.stringMatching(/^The .+\.$/));
  });
  it('leave every code for ignoring with one sentence of meaning', () => {
    for (const meaning of Object.values(IGNORE_CODES)) expect(meaning).toMatch(/^[A-Z][^.]+\.$/);
  });
});

describe('the dedupe key', () => {
  const keyOf = (raw: Json, now = NOW) => {
    const parsed = parseEvent(raw, now);
    return parsed.kind === 'hint' ? parsed.dedupeKey : parsed;
  };
  it("is EventBridge's id", () => {
    expect(keyOf(fixture(SYSTEM))).toBe('c4c1c1c9-6542-e61b-6ef0-8c4d36933a92');
  });
  it("is the alarm's ARN and state timestamp where there is no id", () => {
    expect(keyOf(fixture(ACTION))).toBe(`${ALARM}#2026-11-20T02:00:41.490Z`);
    expect(keyOf(drop(SYSTEM, 'id'))).toBe(`${ALARM}#2026-11-20T02:00:40.989Z`);
  });
  it('is the same however the timestamp is written', () => {
    expect(keyOf(set(ACTION, 'alarmData.state.timestamp', '2026-11-20T03:00:41.49+01:00'))).toBe(
      keyOf(fixture(ACTION)),
    );
  });
  it('is the communication of a Health event, whichever Region delivers it', () => {
    expect(keyOf(set(HEALTH, 'id', 'another'), HEALTH_NOW)).toBe('1234abc01232a4012345678-1');
    expect(keyOf(drop(HEALTH, 'detail.communicationId'), HEALTH_NOW)).toBe(
      '7bf73129-1428-4cd3-a780-95db273d1603',
    );
  });
  it('tells the pages of one Health communication apart', () => {
    expect(keyOf(set(HEALTH, 'detail.page', '2'), HEALTH_NOW)).toBe('1234abc01232a4012345678-1#2');
  });
});

describe('an alarm', () => {
  it.each([
    'detail.state.reasonData',
    'detail.configuration.description',
    'detail.previousState',
    'detail.alarmName',
    'version',
    'account',
    'region',
    'time',
  ])('is understood without %s', (path) => {
    expect(hintOf(parseEvent(drop(SYSTEM, path), NOW))).toEqual(hintOf(parse(SYSTEM)));
  });
  it.each([
    ['no configuration', drop(SYSTEM, 'detail.configuration')],
    ['a null configuration', set(SYSTEM, 'detail.configuration', null)],
    ['no metrics', drop(SYSTEM, 'detail.configuration.metrics')],
    ['no metricStat', drop(SYSTEM, 'detail.configuration.metrics.0.metricStat')],
    ['another namespace', set(SYSTEM, `${METRIC}.namespace`, 'Orders/Db')],
    ['another metric', set(SYSTEM, `${METRIC}.name`, 'CPUUtilization')],
    ['no dimensions', drop(SYSTEM, `${METRIC}.dimensions`)],
    ['the dimension of a group', set(SYSTEM, `${METRIC}.dimensions`, { AutoScalingGroupName: 'orders' })],
    [
      'an inherited-looking dimension',
      set(SYSTEM, `${METRIC}.dimensions`, JSON.parse(`{"__proto__":{"InstanceId":"${INSTANCE}"}}`)),
    ],
  ])('with %s names no instance, but is a hint: a service may declare its ARN', (_, raw) => {
    expect(hintOf(parseEvent(raw, NOW))).toMatchObject({ kind: 'alarm', alarmArn: ALARM, instanceIds: [] });
  });
  it.each(['StatusCheckFailed', 'StatusCheckFailed_AttachedEBS', 'StatusCheckFailed_Application'])(
    'on %s names its instance',
    (metric) => {
      expect(hintOf(parseEvent(set(SYSTEM, `${METRIC}.name`, metric), NOW))).toMatchObject({
        instanceIds: [INSTANCE],
      });
    },
  );
  it('takes the instance out of an ARN in the dimension', () => {
    expect(hintOf(parseEvent(set(SYSTEM, `${METRIC}.dimensions.InstanceId`, INSTANCE_ARN), NOW))).toEqual(
      hintOf(parse(SYSTEM)),
    );
  });
  it('on a metric-math expression names the instances of its hidden entries, each once', () => {
    const entry = (id: string, instance: string): Json => ({
      id,
      returnData: false,
      metricStat: {
        metric: { namespace: 'AWS/EC2', name: 'StatusCheckFailed', dimensions: { InstanceId: instance } },
        period: 60,
        stat: 'Maximum',
      },
    });
    const metrics: Json = [
      { id: 'e1', expression: 'MAX(METRICS())', label: 'any', returnData: true },
      entry('m1', INSTANCE),
      entry('m2', OTHER),
      entry('m3', INSTANCE),
    ];
    expect(hintOf(parseEvent(set(SYSTEM, 'detail.configuration.metrics', metrics), NOW))).toMatchObject({
      instanceIds: [INSTANCE, OTHER],
    });
  });
  it('that goes from ALARM to ALARM is a hint: its suppression has ended', () => {
    expect(hintOf(parseEvent(set(SYSTEM, 'detail.previousState.value', 'ALARM'), NOW))).toEqual(
      hintOf(parse(SYSTEM)),
    );
  });
  it.each([
    ['ALARM_NOT_IN_ALARM', set(SYSTEM, 'detail.state.value', 'OK')],
    ['ALARM_NOT_IN_ALARM', set(ACTION, 'alarmData.state.value', 'INSUFFICIENT_DATA')],
    ['SUPPRESSED', set(SYSTEM, 'detail.state.actionsSuppressedBy', 'Alarm')],
    ['SUPPRESSED', drop(SUPPRESSED, 'detail.state.actionsSuppressedBy')],
    ['SUPPRESSED', set(SYSTEM, 'detail.muteDetail', { mutedBy: 'maintenance' })],
    ['SUPPRESSED', set(SYSTEM, 'detail.state.muteDetail', { mutedBy: 'maintenance' })],
    ['SUPPRESSED', set(ACTION, 'alarmData.muteDetail', {})],
    ['hint', set(SYSTEM, 'detail.muteDetail', null)],
    ['NOT_A_SIGNAL', set(SYSTEM, 'detail-type', 'CloudWatch Alarm Configuration Change')],
    ['NOT_A_SIGNAL', set(SYSTEM, 'detail-type', 'CloudWatch Alarm Contributor State Change')],
    ['NOT_A_SIGNAL', set(SYSTEM, 'detail-type', 'constructor')],
    ['NOT_A_SIGNAL', set(SYSTEM, 'source', 'com.example.monitoring')],
  ])('ends as %s when its event says so', (code, raw) => {
    expect(codeOf(parseEvent(raw, NOW))).toBe(code);
  });
});

describe('the age of an event', () => {
  const limitMs = 5 * 60_000;
  it.each([
    [SYSTEM, '2026-11-20T02:00:40.989Z'],
    [ACTION, '2026-11-20T02:00:41.490Z'],
    [STATE_CHANGE, '2026-11-20T02:00:54Z'],
    [SPOT, '2026-11-20T02:00:00Z'],
    [HEALTH, '2026-11-20T01:43:21Z'],
  ])('%s counts at exactly five minutes and is stale a millisecond later', (name, iso) => {
    const at = Date.parse(iso);
    expect(codeOf(parseEvent(fixture(name), at + limitMs))).toBe('hint');
    expect(codeOf(parseEvent(fixture(name), at + limitMs + 1))).toBe('STALE_EVENT');
  });
  it("of an alarm counts from its state's timestamp, not from the event's time", () => {
    const late = set(SYSTEM, 'time', '2026-11-20T02:30:00Z');
    expect(codeOf(parseEvent(late, Date.parse('2026-11-20T02:30:01Z')))).toBe('STALE_EVENT');
  });
  it('does not count against an event from the future', () => {
    expect(codeOf(parseEvent(set(HEALTH, 'time', '2026-12-03T13:19:03Z'), HEALTH_NOW))).toBe('hint');
  });
  it('of a Health event counts from its last update where that is newer than its time', () => {
    expect(codeOf(parseEvent(set(HEALTH, 'time', '2026-10-01T00:00:00Z'), HEALTH_NOW))).toBe('hint');
  });
});

describe('a timestamp', () => {
  it.each([
    ['2026-11-20T02:00:40.989+0000', '2026-11-20T02:00:40.989Z'],
    ['2026-11-20T02:00:40+00:00', '2026-11-20T02:00:40Z'],
    ['2026-11-20T04:30:40.9+0230', '2026-11-20T02:00:40.900Z'],
    ['2026-11-19T21:00:40.123456789-0500', '2026-11-20T02:00:40.123Z'],
    ['Fri, 20 Nov 2026 02:00:14 GMT', '2026-11-20T02:00:14Z'],
  ])('%s is understood', (text, iso) => {
    expect(hintOf(parseEvent(set(SYSTEM, 'detail.state.timestamp', text), NOW)).atMs).toBe(Date.parse(iso));
  });
  it.each([
    '',
    'now',
    'yesterday',
    '2026-11-20',
    '2026-02-30T02:00:40Z',
    '2026-02-99T02:00:40Z',
    '2026-02-00T02:00:40Z',
    '2026-12-32T02:00:40Z',
    '2026-13-01T02:00:40Z',
    '2026-00-01T02:00:40Z',
    '2026-11-20T02:60:40Z',
    '2026-11-20T24:00:00Z',
    '2026-11-20T02:00:60Z',
    '2026-11-20T02:00:40+9900',
    '2026-11-20T02:00:40+0060',
    '2026-11-20T02:00:40',
    '+275761-01-01T00:00:00Z',
    'Fri, 31 Nov 2026 02:00:14 GMT',
    'Fri, 20 Foo 2026 02:00:14 GMT',
    1795140040989,
    null,
    {},
    [],
  ])('%j is malformed, never "now"', (value) => {
    for (const [name, path] of [
      [SYSTEM, 'detail.state.timestamp'],
      [ACTION, 'alarmData.state.timestamp'],
      [STATE_CHANGE, 'time'],
      [SPOT, 'time'],
      [HEALTH, 'time'],
    ] as const) {
      expect(problemsOf(parseEvent(set(name, path, value), NOW))[0]).toContain(`${path}: got `);
    }
  });
});

describe('an instance', () => {
  it.each(['stopping', 'stopped', 'shutting-down', 'terminated'])('that is %s is a hint', (state) => {
    expect(hintOf(parseEvent(set(STATE_CHANGE, 'detail.state', state), NOW))).toMatchObject({ state });
  });
  it.each(['pending', 'running'])('that is %s has not failed', (state) => {
    expect(codeOf(parseEvent(set(STATE_CHANGE, 'detail.state', state), NOW))).toBe('NOT_A_FAILURE');
  });
  it('may be named by its ARN', () => {
    expect(hintOf(parseEvent(set(STATE_CHANGE, 'detail.instance-id', INSTANCE_ARN), NOW))).toEqual(
      hintOf(parse(STATE_CHANGE)),
    );
  });
  it('on Spot is taken from the detail, whatever the resources say', () => {
    for (const raw of [drop(SPOT, 'resources'), set(SPOT, 'resources', ['arn:aws:ec2:odd'])]) {
      expect(hintOf(parseEvent(raw, NOW))).toEqual(hintOf(parse(SPOT)));
    }
  });
});

describe('a Health event', () => {
  const withEntities = (entities: Json | undefined, resources: Json | undefined): Json =>
    edited(
      edited(fixture(HEALTH), ['detail', 'affectedEntities'], () => entities),
      ['resources'],
      () => resources,
    );
  it.each([
    ['an id as entity', [{ entityValue: INSTANCE }], undefined],
    ['an ARN as entity', [{ entityValue: INSTANCE_ARN }], undefined],
    ['no entities and a bare id as resource', undefined, [INSTANCE]],
    ['empty entities and an ARN as resource', [], [INSTANCE_ARN]],
    ['the same instance in both', [{ entityValue: INSTANCE_ARN }], [INSTANCE]],
    [
      'a volume beside the instance',
      [{ entityValue: 'vol-0a1b2c3d4e5f60001' }, { entityValue: INSTANCE }],
      [],
    ],
    ['an entity without a value', [{ status: 'PENDING' }], [INSTANCE]],
  ])('with %s announces for the instance', (_, entities, resources) => {
    expect(hintOf(parseEvent(withEntities(entities, resources), HEALTH_NOW))).toMatchObject({
      instanceIds: [INSTANCE],
    });
  });
  it.each([
    ['without any instance', withEntities([], [])],
    ['that is public', withEntities(undefined, undefined)],
    ['of another service', set(HEALTH, 'detail.service', 'RDS')],
    ['that is closed', set(HEALTH, 'detail.statusCode', 'closed')],
  ])('%s is no signal', (_, raw) => {
    expect(codeOf(parseEvent(raw, HEALTH_NOW))).toBe('NOT_A_SIGNAL');
  });
  it.each(['RESOLVED', 'UNIMPAIRED'])('does not announce for an instance that is %s', (status) => {
    const entities = [{ entityValue: INSTANCE_ARN, status }, { entityValue: OTHER }];
    const raw = withEntities(entities, [INSTANCE_ARN, OTHER]);
    expect(hintOf(parseEvent(raw, HEALTH_NOW))).toMatchObject({ instanceIds: [OTHER] });
  });
  it.each(['PENDING', 'IMPAIRED', 'UNKNOWN', 'whatever else', null])(
    'announces for an instance that is %s',
    (status) => {
      const raw = withEntities([{ entityValue: INSTANCE, status }], undefined);
      expect(hintOf(parseEvent(raw, HEALTH_NOW))).toMatchObject({ instanceIds: [INSTANCE] });
    },
  );
  it('that is over for every instance it names is no signal', () => {
    const raw = withEntities([{ entityValue: INSTANCE, status: 'RESOLVED' }], [INSTANCE]);
    expect(codeOf(parseEvent(raw, HEALTH_NOW))).toBe('NOT_A_SIGNAL');
  });
  it('of the same kin counts too', () => {
    const code = 'AWS_EC2_PERSISTENT_INSTANCE_RETIREMENT_SCHEDULED';
    expect(hintOf(parseEvent(set(HEALTH, 'detail.eventTypeCode', code), HEALTH_NOW))).toMatchObject({
      detail: code,
    });
  });
});

describe('the work queue', () => {
  const message = { service: 'orders-db', hint: { kind: 'watchdog', epoch: 7, atMs: NOW }, look: 0 };
  const record = (body: Json): JsonObject => ({
    messageId: 'm-1',
    receiptHandle: 'r',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    attributes: { ApproximateReceiveCount: '1' },
    eventSource: 'aws:sqs',
    awsRegion: 'us-east-1',
  });
  it.each([
    { kind: 'watchdog', epoch: 7, atMs: NOW },
    { kind: 'request', atMs: NOW },
    { kind: 'sweep', finding: 'impaired for 4 min', atMs: NOW },
    { kind: 'state-change', instanceId: INSTANCE, state: 'stopped', atMs: NOW },
    { kind: 'alarm', alarmArn: ALARM, instanceIds: [INSTANCE], atMs: NOW },
    { kind: 'announcement', what: 'health', detail: 'X', instanceIds: [INSTANCE], atMs: NOW },
  ])('carries a hint of the kind $kind', (hint) => {
    expect(parseEvent({ Records: [record({ ...message, hint })] }, NOW)).toEqual({
      kind: 'work',
      messageId: 'm-1',
      message: { ...message, hint },
    });
  });
  it.each<[string, Json[], RegExp]>([
    ['an empty batch', [], /^Records: got an array of 0, expected exactly one record/],
    [
      'two records',
      [record(message), record(message)],
      /^Records: got an array of 2, expected exactly one record/,
    ],
    ['a record that is no object', ['x'], /^Records\.0: /],
    ['a body that is no JSON', [record('{')], /^Records\.0\.body: got "\{", expected JSON/],
    ['a body that is no object', [record('null')], /^Records\.0\.body: got null, /],
    ['an unknown field', [record({ ...message, extra: 1 })], /extra: /],
    [
      'an unknown field in the hint',
      [record({ ...message, hint: { ...message.hint, extra: 1 } })],
      /extra: /,
    ],
    [
      'an unknown kind of hint',
      [record({ ...message, hint: { kind: 'rumour', atMs: NOW } })],
      /hint\.kind: /,
    ],
    [
      'a service name that is none',
      [record({ ...message, service: 'Orders DB' })],
      /service: got "Orders DB", must/,
    ],
    ['a negative look', [record({ ...message, look: -1 })], /look: got -1, expected 0 or more/],
    [
      'a fractional epoch',
      [record({ ...message, hint: { ...message.hint, epoch: 1.5 } })],
      /epoch: got 1\.5, /,
    ],
    ['another source', [{ ...record(message), eventSource: 'aws:s3' }], /eventSource: got "aws:s3", /],
    [
      'no message id',
      [edited(record(message), ['messageId'], () => undefined)],
      /messageId: got undefined, /,
    ],
  ])('with %s is malformed', (_, records, problem) => {
    expect(problemsOf(parseEvent({ Records: records }, NOW)).join('\n')).toMatch(problem);
  });
});

describe('a malformed event', () => {
  it.each([undefined, null, true, 42, 'event', '', [], [{}], () => ({}), Symbol('x'), 10n])(
    'is what a non-object is: %s',
    (raw) => {
      expect(problemsOf(parseEvent(raw, NOW))).toEqual([
        expect.stringMatching(/^\(event\): got .+, expected an object$/),
      ]);
    },
  );
  it.each<[string, Json, string]>([
    ['an empty object', {}, '(event): got the fields ""'],
    ['no source', drop(SYSTEM, 'source'), 'source: got undefined, expected string'],
    ['a numeric detail type', set(SYSTEM, 'detail-type', 7), 'detail-type: got 7, expected string'],
    ['no resources', drop(SYSTEM, 'resources'), 'resources: got undefined'],
    ['empty resources', set(SYSTEM, 'resources', []), 'resources.0: got undefined'],
    [
      'a resource that is no alarm',
      set(SYSTEM, 'resources', [INSTANCE_ARN]),
      'must be the ARN of a CloudWatch alarm',
    ],
    ['a direct action without ARN', drop(ACTION, 'alarmArn'), 'alarmArn: got undefined'],
    ['a direct action of another source', set(ACTION, 'source', 'me'), 'source: got "me"'],
    [
      'an unknown alarm state',
      set(SYSTEM, 'detail.state.value', 'MAYBE'),
      'detail.state.value: got "MAYBE", expected',
    ],
    ['a detail that is an array', set(SYSTEM, 'detail', []), 'detail: got an array of 0, expected an object'],
    [
      'metrics that are no list',
      set(SYSTEM, 'detail.configuration.metrics', {}),
      'detail.configuration.metrics: got an object',
    ],
    [
      'a status check of something odd',
      set(SYSTEM, `${METRIC}.dimensions.InstanceId`, 'db-1'),
      'expected an instance id',
    ],
    ['a numeric instance', set(SYSTEM, `${METRIC}.dimensions.InstanceId`, 7), 'InstanceId: got 7'],
    [
      'an unknown instance state',
      set(STATE_CHANGE, 'detail.state', 'dreaming'),
      'detail.state: got "dreaming"',
    ],
    ['no instance', drop(STATE_CHANGE, 'detail.instance-id'), 'detail.instance-id: got undefined'],
    [
      'the ARN of something else',
      set(SPOT, 'detail.instance-id', 'arn:aws:ec2:us-east-1:123456789012:volume/vol-1'),
      'detail.instance-id: got "arn:',
    ],
    ['no event id', drop(STATE_CHANGE, 'id'), 'id: got undefined'],
    ['an empty event id', set(STATE_CHANGE, 'id', ''), 'id: got "", expected an id'],
    ['an event id beyond any key', set(STATE_CHANGE, 'id', 'x'.repeat(3000)), 'expected an id'],
    ['a Health event without service', drop(HEALTH, 'detail.service'), 'detail.service: got undefined'],
    [
      'bad mail dates',
      set(HEALTH, 'detail.lastUpdatedTime', 'Tomorrow'),
      'detail.lastUpdatedTime: got "Tomorrow"',
    ],
  ])('with %s says which field, what it holds and what was expected', (_, raw, problem) => {
    expect(problemsOf(parseEvent(raw, NOW)).join('\n')).toContain(problem);
  });
  it('is described briefly, however long and many its values are', () => {
    const huge = 'x'.repeat(1_000_000);
    const metric = {
      metricStat: {
        metric: { namespace: 'AWS/EC2', name: 'StatusCheckFailed', dimensions: { InstanceId: huge } },
      },
    };
    const raw = set(
      SYSTEM,
      'detail.configuration.metrics',
      Array.from({ length: 50 }, () => metric),
    );
    const problems = problemsOf(parseEvent(raw, NOW));
    expect(problems.length).toBeLessThanOrEqual(10);
    for (const problem of problems) expect(problem.length).toBeLessThan(300);
    const bigKeys = problemsOf(parseEvent({ [huge]: 1 }, NOW));
    expect(bigKeys.join().length).toBeLessThan(400);
  });
  it('takes nothing from a prototype', () => {
    expect(parseEvent(Object.create(fixture(SYSTEM)), NOW).kind).toBe('malformed');
    const inherited = {
      ...fixture(STATE_CHANGE),
      detail: Object.create({ 'instance-id': INSTANCE, state: 'stopped' }),
    };
    expect(parseEvent(inherited, NOW).kind).toBe('malformed');
    expect(parseEvent(JSON.parse('{"__proto__":{"alarmData":{}},"constructor":1}'), NOW).kind).toBe(
      'malformed',
    );
  });
});

describe('any field that is missing or broken', () => {
  function pathsIn(value: Json, at: Path = []): Path[] {
    if (!isContainer(value)) return [];
    const keys = Array.isArray(value) ? value.map((_, index) => index) : Object.keys(value);
    return keys.flatMap((key) => {
      const path = [...at, key];
      return [path, ...pathsIn((value as JsonObject)[key] ?? null, path)];
    });
  }
  /** The same claim about the same things, or less of it. Only wording and dedupe key may fall back. */
  function expectNothingNew(parsed: Parsed, original: Parsed, path: Path): void {
    if (parsed.kind !== 'hint') return;
    const where = path.join('.');
    const [hint, before] = [hintOf(parsed), hintOf(original)];
    const idsOf = (of: EventHint) => (of.kind === 'state-change' ? [of.instanceId] : of.instanceIds);
    expect(idsOf(before), where).toEqual(expect.arrayContaining([...idsOf(hint)]));
    const claim = ({ kind, atMs, ...rest }: EventHint) => ({
      ...rest,
      kind,
      atMs,
      instanceIds: 0,
      detail: 0,
    });
    expect(claim(hint), where).toEqual(claim(before));
  }
  const junk: Json[] = [
    null,
    0,
    '',
    'x',
    [],
    {},
    { __proto__: null, constructor: 'x' },
    true,
    'y'.repeat(10_000),
  ];

  describe.each(fixtureNames)('of %s', (name) => {
    const original = parse(name);
    const paths = pathsIn(fixture(name));
    it('is never an exception and never a hint that was not there', () => {
      for (const path of paths) {
        expectNothingNew(
          parseEvent(
            edited(fixture(name), path, () => undefined),
            nowFor(name),
          ),
          original,
          path,
        );
      }
    });
    it('is never an exception when it holds something else', () => {
      for (const path of paths) {
        for (const value of junk) {
          const parsed = parseEvent(
            edited(fixture(name), path, () => value),
            nowFor(name),
          );
          expect(['hint', 'ignored', 'malformed'], path.join('.')).toContain(parsed.kind);
        }
      }
    });
  });
});
