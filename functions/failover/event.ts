/**
 * Boils whatever invoked functions/failover down to a hint, a work message, a reason to ignore it or a list
 * of what is wrong with it: pure, total (it never throws), and never a decision.
 *
 * Strict where the controller relies on a field, tolerant of everything else that AWS adds or leaves out.
 */
import * as v from 'valibot';
import type { EventHint, Hint, WorkMessage } from '../../shared/core/hint.ts';
import type { AlarmArn, InstanceId } from '../../shared/core/ids.ts';
import { AlarmArnSchema, InstanceIdSchema, instanceIdIn, ServiceNameSchema } from '../../shared/core/ids.ts';
import { times } from '../../shared/core/times.ts';

/** Why an event that was understood is not acted on: every code, with what it means. */
export const IGNORE_CODES = {
  ALARM_NOT_IN_ALARM: 'The alarm went to OK or INSUFFICIENT_DATA, which is no evidence of a failure.',
  SUPPRESSED: 'Somebody suppressed or muted the alarm, which means: do not act.',
  STALE_EVENT: 'The event is too old to describe the present, so it is left to the sweep.',
  NOT_A_FAILURE: 'The instance is in a state that is no failure.',
  NOT_A_SIGNAL: 'Nothing that the controller acts on looks like this.',
} as const;
export type IgnoreCode = keyof typeof IGNORE_CODES;

export interface HintParsed {
  readonly kind: 'hint';
  readonly hint: EventHint;
  /** Equal for two deliveries of the same event. */
  readonly dedupeKey: string;
}
export interface WorkParsed {
  readonly kind: 'work';
  readonly message: WorkMessage;
  /** SQS's id of the message. Work is not deduped: a look too many does no harm, a lost one may. */
  readonly messageId: string;
}
export interface IgnoredParsed {
  readonly kind: 'ignored';
  readonly code: IgnoreCode;
  readonly reason: string;
}
export interface MalformedParsed {
  readonly kind: 'malformed';
  /** At least one; each says which field, what it holds and what was expected there. */
  readonly problems: readonly string[];
}
export type Parsed = HintParsed | WorkParsed | IgnoredParsed | MalformedParsed;

/** `nowMs` is used for the age of the event only; a time that cannot be read is malformed, never "now". */
export function parseEvent(raw: unknown, nowMs: number): Parsed {
  if (!isObject(raw)) return malformed([`(event): got ${shown(raw)}, expected an object`]);
  if (Object.hasOwn(raw, 'Records')) return readQueueBatch(raw);
  if (Object.hasOwn(raw, 'detail-type')) return readBusEvent(raw, nowMs);
  if (Object.hasOwn(raw, 'alarmData')) return readAlarmAction(raw, nowMs);
  return malformed([
    `(event): got the fields ${shown(Object.keys(raw).join(', '))}, expected "detail-type" (EventBridge), ` +
      '"alarmData" (an alarm action) or "Records" (SQS)',
  ]);
}

// ── Building blocks ─────────────────────────────────────────────────────────────────────────────────────

const SHOWN_LENGTH = 80;
const MAX_PROBLEMS = 10;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** An AWS object of which only these fields matter. Reads own fields only: nothing comes from a prototype. */
function fields<const E extends v.ObjectEntries>(entries: E) {
  return v.pipe(
    v.unknown(),
    v.check(isObject, 'expected an object'),
    v.transform((input): Record<string, unknown> => {
      // Checked above: a pipe ends at its first issue before it transforms.
      const object = input as Record<string, unknown>;
      return Object.fromEntries(
        Object.keys(entries).map((key) => [key, Object.hasOwn(object, key) ? object[key] : undefined]),
      );
    }),
    v.object(entries),
  );
}

/** A string that `read` can make sense of. */
function textOf<T>(read: (text: string) => T | undefined, expectation: string) {
  return v.pipe(
    v.string(),
    v.rawTransform<string, T>(({ dataset, addIssue, NEVER }) => {
      const value = read(dataset.value);
      if (value !== undefined) return value;
      addIssue({ message: expectation });
      return NEVER;
    }),
  );
}

const TimeSchema = textOf(toEpochMs, 'expected a time such as 2026-11-20T02:00:40.989Z');
const InstanceSchema = textOf(instanceIdIn, 'expected an instance id or the ARN of an instance');
/** Ids become keys in DynamoDB, which takes 2 KB. */
const IdSchema = v.pipe(v.string(), v.nonEmpty('expected an id'), v.maxLength(256, 'expected an id'));
const EventAlarmArnSchema = v.pipe(
  AlarmArnSchema,
  v.maxLength(512, 'expected an ARN of at most 512 characters'),
);

const ISO_TIME =
  /^(?<year>\d{4})-(?<month>\d\d)-(?<day>\d\d)T(?<hour>\d\d):(?<minute>\d\d):(?<second>\d\d)(?:\.(?<fraction>\d{1,9}))?(?:Z|(?<sign>[+-])(?<offsetHour>\d\d):?(?<offsetMinute>\d\d))$/;
const MAIL_TIME =
  /^(?:[A-Z][a-z]{2}, )?(?<day>\d{1,2}) (?<monthName>[A-Z][a-z]{2}) (?<year>\d{4}) (?<hour>\d\d):(?<minute>\d\d):(?<second>\d\d) GMT$/;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/**
 * The times that AWS writes: ISO 8601 with `Z`, `+00:00` or `+0000`, and mail dates. Not `Date.parse`, which
 * leaves `+0000` and mail dates to each engine and takes 30 February for 2 March.
 */
function toEpochMs(text: string): number | undefined {
  const part = (ISO_TIME.exec(text) ?? MAIL_TIME.exec(text))?.groups;
  if (part === undefined) return undefined;
  const numberOf = (name: string): number => Number(part[name] ?? 0);
  const month = part['monthName'] === undefined ? numberOf('month') : MONTHS.indexOf(part['monthName']) + 1;
  const [year, day, hour, minute, second] = [
    numberOf('year'),
    numberOf('day'),
    numberOf('hour'),
    numberOf('minute'),
    numberOf('second'),
  ] as const;
  if (hour > 23 || minute > 59 || second > 59) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  // A day that there is not (30 February), and a month that there is not, is a day of another month.
  if (date.getUTCMonth() !== month - 1) return undefined;
  const [offsetHour, offsetMinute] = [numberOf('offsetHour'), numberOf('offsetMinute')];
  if (offsetHour > 14 || offsetMinute > 59) return undefined;
  const offsetMs = (part['sign'] === '-' ? -1 : 1) * (offsetHour * 60 + offsetMinute) * 60_000;
  const milliseconds = Number((part['fraction'] ?? '').padEnd(3, '0').slice(0, 3));
  return date.setUTCHours(hour, minute, second, milliseconds) - offsetMs;
}

const malformed = (problems: readonly string[]): MalformedParsed => ({ kind: 'malformed', problems });
const ignored = (code: IgnoreCode, reason: string): IgnoredParsed => ({ kind: 'ignored', code, reason });

const shorten = (text: string): string =>
  text.length > SHOWN_LENGTH ? `${text.slice(0, SHOWN_LENGTH)}… (${text.length} characters)` : text;

/** A value from outside, fit for one line of a log. */
function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(shorten(value));
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  return shorten(String(value));
}

function toProblem(issue: v.BaseIssue<unknown>): string {
  const path = v.getDotPath(issue) ?? '(event)';
  const expected = issue.kind === 'schema' ? `expected ${issue.expected ?? 'something else'}` : issue.message;
  return `${shorten(path)}: got ${shown(issue.input)}, ${expected}`;
}

/** Reads `raw` by `schema` and goes on, or says what is wrong. */
function reading<S extends v.GenericSchema>(
  schema: S,
  raw: unknown,
  then: (value: v.InferOutput<S>) => Parsed,
): Parsed {
  const result = v.safeParse(schema, raw);
  return result.success
    ? then(result.output)
    : malformed(result.issues.slice(0, MAX_PROBLEMS).map(toProblem));
}

/** An event of exactly the limit's age still counts. */
const stale = (what: string, atMs: number, nowMs: number): IgnoredParsed | undefined =>
  nowMs - atMs > times.maxEventAgeMs
    ? ignored(
        'STALE_EVENT',
        `${what} is ${Math.floor((nowMs - atMs) / 1000)} s old, and the limit is ${times.maxEventAgeMs / 1000} s.`,
      )
    : undefined;

// ── EventBridge ─────────────────────────────────────────────────────────────────────────────────────────

interface Signal {
  /** Nobody but AWS can send events of a source that begins with `aws.`, so this is checked too. */
  readonly source: string;
  readonly read: (raw: unknown, nowMs: number) => Parsed;
}

/**
 * Everything else is no signal, *CloudWatch Alarm Configuration Change* and *Alarm Contributor State Change*
 * among it, although they carry `state.value: ALARM` too.
 */
const SIGNALS: ReadonlyMap<string, Signal> = new Map([
  ['CloudWatch Alarm State Change', { source: 'aws.cloudwatch', read: readAlarmStateChange }],
  ['EC2 Instance State-change Notification', { source: 'aws.ec2', read: readInstanceStateChange }],
  ['EC2 Spot Instance Interruption Warning', { source: 'aws.ec2', read: readSpotInterruption }],
  ['EC2 Instance Rebalance Recommendation', { source: 'aws.ec2', read: readRebalance }],
  ['AWS Health Event', { source: 'aws.health', read: readHealth }],
]);

const BusEnvelopeSchema = fields({ 'detail-type': v.string(), source: v.string() });

function readBusEvent(raw: unknown, nowMs: number): Parsed {
  return reading(BusEnvelopeSchema, raw, ({ 'detail-type': detailType, source }) => {
    const signal = SIGNALS.get(detailType);
    if (signal === undefined) {
      return ignored('NOT_A_SIGNAL', `Events of the type ${shown(detailType)} trigger nothing.`);
    }
    if (signal.source !== source) {
      return ignored(
        'NOT_A_SIGNAL',
        `${detailType} counts only from ${signal.source}, not from ${shown(source)}.`,
      );
    }
    return signal.read(raw, nowMs);
  });
}

// ── Alarms ──────────────────────────────────────────────────────────────────────────────────────────────

const StatusCheckSchema = v.object({
  metricStat: v.object({
    metric: v.object({
      namespace: v.literal('AWS/EC2'),
      name: v.pipe(v.string(), v.startsWith('StatusCheckFailed')),
    }),
  }),
});

const StatusCheckInstanceSchema = v.pipe(
  fields({
    metricStat: fields({
      metric: fields({ dimensions: v.nullish(fields({ InstanceId: v.nullish(InstanceSchema) })) }),
    }),
  }),
  v.transform(({ metricStat }) => metricStat.metric.dimensions?.InstanceId ?? undefined),
);

/** Expressions and custom metrics may look like anything; an InstanceId there is nobody's status check. */
const OtherMetricSchema = v.pipe(
  v.unknown(),
  v.transform((): InstanceId | undefined => undefined),
);

/** The instance whose status check a metric is. A math alarm keeps those in entries with `returnData: false`. */
const MetricSchema = v.lazy((metric) =>
  v.is(StatusCheckSchema, metric) ? StatusCheckInstanceSchema : OtherMetricSchema,
);

const AlarmDetailSchema = fields({
  state: fields({
    value: v.picklist(['OK', 'ALARM', 'INSUFFICIENT_DATA']),
    timestamp: TimeSchema,
    actionsSuppressedBy: v.nullish(v.unknown()),
    actionsSuppressedReason: v.nullish(v.unknown()),
    muteDetail: v.nullish(v.unknown()),
  }),
  muteDetail: v.nullish(v.unknown()),
  configuration: v.nullish(fields({ metrics: v.nullish(v.array(MetricSchema)) })),
});
type AlarmDetail = v.InferOutput<typeof AlarmDetailSchema>;

/** ALARM → ALARM is a hint as well: it is what the end of a suppression looks like. */
function toAlarm(
  alarm: { arn: AlarmArn; detail: AlarmDetail; eventId: string | undefined },
  nowMs: number,
): Parsed {
  const { state, configuration, muteDetail } = alarm.detail;
  const name = `alarm ${shown(alarm.arn.slice(alarm.arn.indexOf(':alarm:') + ':alarm:'.length))}`;
  if (state.value !== 'ALARM') {
    return ignored('ALARM_NOT_IN_ALARM', `The ${name} went to ${state.value}.`);
  }
  const suppressedBy = state.actionsSuppressedBy ?? state.actionsSuppressedReason ?? undefined;
  if (suppressedBy !== undefined) {
    return ignored('SUPPRESSED', `The actions of the ${name} are suppressed: ${shown(suppressedBy)}.`);
  }
  if ((muteDetail ?? state.muteDetail ?? undefined) !== undefined) {
    return ignored('SUPPRESSED', `The ${name} is muted.`);
  }
  const instanceIds = (configuration?.metrics ?? []).filter((id) => id !== undefined);
  return (
    stale(`The news of the ${name}`, state.timestamp, nowMs) ?? {
      kind: 'hint',
      hint: {
        kind: 'alarm',
        alarmArn: alarm.arn,
        instanceIds: [...new Set(instanceIds)],
        atMs: state.timestamp,
      },
      dedupeKey: alarm.eventId ?? `${alarm.arn}#${new Date(state.timestamp).toISOString()}`,
    }
  );
}

const AlarmStateChangeSchema = fields({
  id: v.nullish(IdSchema),
  resources: v.tuple([EventAlarmArnSchema]),
  detail: AlarmDetailSchema,
});

function readAlarmStateChange(raw: unknown, nowMs: number): Parsed {
  return reading(AlarmStateChangeSchema, raw, ({ id, resources, detail }) =>
    toAlarm({ arn: resources[0], detail, eventId: id ?? undefined }, nowMs),
  );
}

const AlarmActionSchema = fields({
  source: v.literal('aws.cloudwatch'),
  alarmArn: EventAlarmArnSchema,
  alarmData: AlarmDetailSchema,
});

/** An alarm that invokes the function directly: the same facts in another envelope, without an event id. */
function readAlarmAction(raw: unknown, nowMs: number): Parsed {
  return reading(AlarmActionSchema, raw, ({ alarmArn, alarmData }) =>
    toAlarm({ arn: alarmArn, detail: alarmData, eventId: undefined }, nowMs),
  );
}

// ── Instances ───────────────────────────────────────────────────────────────────────────────────────────

const InstanceStateChangeSchema = fields({
  id: IdSchema,
  time: TimeSchema,
  detail: fields({
    'instance-id': InstanceSchema,
    state: v.picklist(['pending', 'running', 'stopping', 'stopped', 'shutting-down', 'terminated']),
  }),
});

function readInstanceStateChange(raw: unknown, nowMs: number): Parsed {
  return reading(InstanceStateChangeSchema, raw, ({ id, time, detail }) => {
    const { 'instance-id': instanceId, state } = detail;
    if (state === 'pending' || state === 'running') {
      return ignored('NOT_A_FAILURE', `${instanceId} is ${state}.`);
    }
    return (
      stale(`The news that ${instanceId} is ${state}`, time, nowMs) ?? {
        kind: 'hint',
        hint: { kind: 'state-change', instanceId, state, atMs: time },
        dedupeKey: id,
      }
    );
  });
}

/** The ARN in `resources` is malformed for Spot (a zone for a Region, no account), so `detail` is read. */
const AnnouncedInstanceSchema = fields({
  id: IdSchema,
  'detail-type': v.string(),
  time: TimeSchema,
  detail: fields({ 'instance-id': InstanceSchema, 'instance-action': v.nullish(v.string()) }),
});

function readAnnouncedInstance(what: 'spot-interruption' | 'rebalance', raw: unknown, nowMs: number): Parsed {
  return reading(AnnouncedInstanceSchema, raw, ({ id, 'detail-type': detailType, time, detail }) => {
    const { 'instance-id': instanceId, 'instance-action': action } = detail;
    return (
      stale(`The announcement for ${instanceId}`, time, nowMs) ?? {
        kind: 'hint',
        hint: {
          kind: 'announcement',
          what,
          detail: shorten(action ?? detailType),
          instanceIds: [instanceId],
          atMs: time,
        },
        dedupeKey: id,
      }
    );
  });
}

function readSpotInterruption(raw: unknown, nowMs: number): Parsed {
  return readAnnouncedInstance('spot-interruption', raw, nowMs);
}

function readRebalance(raw: unknown, nowMs: number): Parsed {
  return readAnnouncedInstance('rebalance', raw, nowMs);
}

// ── Health ──────────────────────────────────────────────────────────────────────────────────────────────

/** Volumes, services and accounts are affected entities too: what names no instance is passed over. */
const EntityTextSchema = v.nullish(v.string());

/** An update of a long event names those too for which it is over; a status that is not known here is no all-clear. */
const isOver = (status: unknown) => status === 'RESOLVED' || status === 'UNIMPAIRED';

const HealthSchema = fields({
  id: IdSchema,
  time: TimeSchema,
  resources: v.nullish(v.array(EntityTextSchema)),
  detail: fields({
    service: v.string(),
    eventTypeCode: v.pipe(v.string(), v.maxLength(256, 'expected an event type code')),
    communicationId: v.nullish(IdSchema),
    page: v.nullish(v.string()),
    statusCode: v.nullish(v.string()),
    lastUpdatedTime: v.nullish(TimeSchema),
    affectedEntities: v.nullish(
      v.array(fields({ entityValue: EntityTextSchema, status: v.nullish(v.unknown()) })),
    ),
  }),
});

function readHealth(raw: unknown, nowMs: number): Parsed {
  return reading(HealthSchema, raw, ({ id, time, resources, detail }) => {
    const { service, eventTypeCode, communicationId, page, statusCode } = detail;
    if (service !== 'EC2') {
      return ignored(
        'NOT_A_SIGNAL',
        `The Health event ${eventTypeCode} concerns ${shown(service)}, not EC2.`,
      );
    }
    if (statusCode === 'closed') {
      return ignored('NOT_A_SIGNAL', `The Health event ${eventTypeCode} is closed.`);
    }
    const entities = detail.affectedEntities ?? [];
    const over = new Set(
      entities
        .filter(({ status }) => isOver(status))
        .map(({ entityValue }) => instanceIdIn(entityValue ?? '')),
    );
    const instanceIds = [...entities.map(({ entityValue }) => entityValue), ...(resources ?? [])]
      .map((text) => instanceIdIn(text ?? ''))
      .filter((instanceId) => instanceId !== undefined)
      .filter((instanceId) => !over.has(instanceId));
    if (instanceIds.length === 0) {
      return ignored(
        'NOT_A_SIGNAL',
        `The Health event ${eventTypeCode} names no instance that it is still about.`,
      );
    }
    // `time` is when the trouble begins for some events, so the last update may be what is new.
    const atMs = Math.max(time, detail.lastUpdatedTime ?? time);
    // The same communication comes once per Region, under different event ids; a long one comes in pages.
    const pageSuffix = page === undefined || page === null || page === '1' ? '' : `#${shorten(page)}`;
    return (
      stale(`The Health event ${eventTypeCode}`, atMs, nowMs) ?? {
        kind: 'hint',
        hint: {
          kind: 'announcement',
          what: 'health',
          detail: eventTypeCode,
          instanceIds: [...new Set(instanceIds)],
          atMs,
        },
        dedupeKey: `${communicationId ?? id}${pageSuffix}`,
      }
    );
  });
}

// ── The work queue ──────────────────────────────────────────────────────────────────────────────────────

const EpochMsSchema = v.pipe(
  v.number(),
  v.safeInteger('expected whole milliseconds'),
  v.minValue(0, 'expected a time'),
);
const CountSchema = v.pipe(
  v.number(),
  v.safeInteger('expected a whole number'),
  v.minValue(0, 'expected 0 or more'),
);

const HintSchema = v.variant('kind', [
  v.strictObject({
    kind: v.literal('state-change'),
    instanceId: InstanceIdSchema,
    state: v.string(),
    atMs: EpochMsSchema,
  }),
  v.strictObject({
    kind: v.literal('alarm'),
    alarmArn: AlarmArnSchema,
    instanceIds: v.array(InstanceIdSchema),
    atMs: EpochMsSchema,
  }),
  v.strictObject({
    kind: v.literal('announcement'),
    what: v.picklist(['spot-interruption', 'rebalance', 'health']),
    detail: v.string(),
    instanceIds: v.array(InstanceIdSchema),
    atMs: EpochMsSchema,
  }),
  v.strictObject({ kind: v.literal('sweep'), finding: v.string(), atMs: EpochMsSchema }),
  v.strictObject({ kind: v.literal('request'), atMs: EpochMsSchema }),
  v.strictObject({
    kind: v.literal('canary'),
    atMs: EpochMsSchema,
    drill: v.exactOptional(v.strictObject({ id: v.string(), author: v.string(), reason: v.string() })),
  }),
  v.strictObject({ kind: v.literal('watchdog'), epoch: CountSchema, atMs: EpochMsSchema }),
]) satisfies v.GenericSchema<unknown, Hint>;

/** The controller writes these itself, so anything unknown in them is a mistake or somebody else's message. */
const WorkMessageSchema = v.strictObject({
  service: ServiceNameSchema,
  hint: HintSchema,
  look: CountSchema,
}) satisfies v.GenericSchema<unknown, WorkMessage>;

const BodySchema = v.pipe(
  v.string(),
  v.rawTransform<string, unknown>(({ dataset, addIssue, NEVER }) => {
    try {
      return JSON.parse(dataset.value);
    } catch {
      addIssue({ message: 'expected JSON' });
      return NEVER;
    }
  }),
  WorkMessageSchema,
);

/** One message a batch: with more, a failure of the one would bring back the other. */
const QueueBatchSchema = fields({
  Records: v.pipe(
    v.array(v.unknown()),
    v.length(1, 'expected exactly one record'),
    v.tuple([fields({ eventSource: v.literal('aws:sqs'), messageId: IdSchema, body: BodySchema })]),
  ),
});

function readQueueBatch(raw: unknown): Parsed {
  return reading(QueueBatchSchema, raw, ({ Records: [record] }) => ({
    kind: 'work',
    message: record.body,
    messageId: record.messageId,
  }));
}
