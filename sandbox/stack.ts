// What a template declares, as the sandbox runs it: functions, tables, queues, topics, rules and alarms with their names and ARNs.

import { readFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { IGNORED_TYPES, RESOURCE_TYPES } from './resource-types.ts';
import {
  type Attributes,
  onlyKnown,
  type Properties,
  type Resource,
  resolveTemplate,
  TemplateError,
  type Value,
} from './template.ts';

export interface Stack {
  name: string;
  outputs: Record<string, string>;
  /** Logical id → what Ref answers: name, URL or ARN. */
  physicalIds: Record<string, string>;
  functions: FunctionSpec[];
  permissions: Permission[];
  eventSources: EventSourceSpec[];
  tables: Properties[];
  queues: QueueSpec[];
  topics: TopicSpec[];
  subscriptions: SubscriptionSpec[];
  rules: RuleSpec[];
  schedules: ScheduleSpec[];
  metricAlarms: Properties[];
  compositeAlarms: Properties[];
}

export interface FunctionSpec {
  name: string;
  arn: string;
  /** The folder of the built bundle. */
  codePath: string;
  /** `<file>.<export>`. */
  handler: string;
  memoryMb: number;
  timeoutMs: number;
  environment: Record<string, string>;
  reservedConcurrency?: number;
  deadLetterArn?: string;
  asynchronous: AsynchronousConfig;
  functionUrl?: { authType: string };
}

export interface AsynchronousConfig {
  maximumEventAgeMs: number;
  maximumRetryAttempts: number;
  onFailureArn?: string;
  onSuccessArn?: string;
}

export interface Permission {
  functionName: string;
  principal: string;
  sourceArn?: string;
  sourceAccount?: string;
}

export interface EventSourceSpec {
  functionName: string;
  queueArn: string;
  batchSize: number;
  maximumConcurrency: number;
  reportsBatchItemFailures: boolean;
}

export interface QueueSpec {
  name: string;
  arn: string;
  attributes: Record<string, string>;
}

export interface TopicSpec {
  name: string;
  arn: string;
  attributes: Record<string, string>;
}

export interface SubscriptionSpec {
  topicArn: string;
  protocol: string;
  endpoint: string;
  attributes: Record<string, string>;
}

export interface RuleSpec {
  name: string;
  arn: string;
  pattern: Value;
  targets: TargetSpec[];
}

export interface ScheduleSpec {
  arn: string;
  everyMs: number;
  targets: TargetSpec[];
}

export interface TargetSpec {
  arn: string;
  /** Sent instead of the event. */
  input?: string;
  maximumRetryAttempts: number;
  maximumEventAgeMs: number;
  deadLetterArn?: string;
}

export interface StackOptions {
  templateFile: string;
  /** `http://127.0.0.1:4566`: queue URLs begin with it. */
  endpoint: string;
  stackName: string;
  region: string;
  accountId: string;
  parameters: Record<string, string>;
  /** Where the bundles lie, when not where the template's CodeUri says. */
  distDir?: string;
}

/** EventBridge's own limits, for a target without a retry policy. */
const DEFAULT_TARGET_RETRIES = 185;
const DEFAULT_TARGET_AGE_SEC = 86_400;
const DEFAULT_ASYNC_AGE_SEC = 21_600;
const DEFAULT_ASYNC_RETRIES = 2;
const DEFAULT_POLLER_CONCURRENCY = 10;

export function readStack(options: StackOptions): Stack {
  const { region, accountId, stackName, endpoint, parameters } = options;
  const arn = (service: string, resource: string) => `arn:aws:${service}:${region}:${accountId}:${resource}`;

  const attributesOf = (type: string, name: string, logicalId: string): Attributes => {
    switch (type) {
      case 'AWS::Serverless::Function':
        return {
          ref: name,
          attributes: { Arn: arn('lambda', `function:${name}`), FunctionUrl: `${endpoint}/_url/${name}/` },
        };
      case 'AWS::DynamoDB::Table':
        return { ref: name, attributes: { Arn: arn('dynamodb', `table/${name}`) } };
      case 'AWS::SQS::Queue': {
        const url = `${endpoint}/${accountId}/${name}`;
        return { ref: url, attributes: { Arn: arn('sqs', name), QueueName: name, QueueUrl: url } };
      }
      case 'AWS::SNS::Topic':
        return { ref: arn('sns', name), attributes: { TopicArn: arn('sns', name), TopicName: name } };
      case 'AWS::Events::Rule':
        return { ref: name, attributes: { Arn: arn('events', `rule/${name}`) } };
      case 'AWS::CloudWatch::Alarm':
      case 'AWS::CloudWatch::CompositeAlarm':
        return { ref: name, attributes: { Arn: arn('cloudwatch', `alarm:${name}`) } };
      default:
        return { ref: name, attributes: { Arn: `arn:aws:sandbox:${region}:${accountId}:${logicalId}` } };
    }
  };

  const nameOf = (type: string, logicalId: string, property: (name: string) => Value | undefined): string => {
    const nameProperty = RESOURCE_TYPES[type]?.nameProperty;
    return String((nameProperty && property(nameProperty)) ?? `${stackName}-${logicalId}`);
  };

  const template = resolveTemplate(readFileSync(options.templateFile, 'utf8'), {
    stackName,
    region,
    accountId,
    parameters,
    ignores: (type, property) =>
      IGNORED_TYPES.includes(type) || (RESOURCE_TYPES[type]?.ignores.includes(property) ?? false),
    attributesOf: ({ type, logicalId, property }) =>
      attributesOf(type, nameOf(type, logicalId, property), logicalId),
  });

  const stack: Stack = {
    name: stackName,
    outputs: template.outputs,
    physicalIds: {},
    functions: [],
    permissions: [],
    eventSources: [],
    tables: [],
    queues: [],
    topics: [],
    subscriptions: [],
    rules: [],
    schedules: [],
    metricAlarms: [],
    compositeAlarms: [],
  };
  const codePath = (codeUri: string): string =>
    options.distDir === undefined
      ? resolve(dirname(options.templateFile), codeUri)
      : join(options.distDir, basename(codeUri));
  // Applied last: it may stand before the function that it configures.
  const invokeConfigs: Resource[] = [];

  for (const resource of template.resources) {
    const { type, logicalId, properties } = resource;
    if (IGNORED_TYPES.includes(type)) continue;
    const path = `Resources.${logicalId}`;
    const known = RESOURCE_TYPES[type];
    if (known === undefined)
      throw new TemplateError(`${path}: the sandbox does not know the resource type '${type}'`);
    onlyKnown(Object.keys(properties), known.reads, path, 'property');
    const read = reader(properties, path);
    const name = nameOf(type, logicalId, (property) => properties[property]);
    const { ref, attributes } = attributesOf(type, name, logicalId);
    if (known.nameProperty !== undefined) stack.physicalIds[logicalId] = ref;
    const ownArn = attributes['Arn'] ?? ref;
    switch (type) {
      case 'AWS::Serverless::Function':
        addFunction(stack, read, {
          name,
          arn: ownArn,
          path,
          logicalId,
          codePath,
          ruleArn: (rule) => arn('events', `rule/${rule}`),
          stackName,
        });
        break;
      case 'AWS::Lambda::Permission':
        stack.permissions.push({
          functionName: functionNameOf(read.text('FunctionName')),
          principal: read.text('Principal'),
          ...optional('sourceArn', read.optionalText('SourceArn')),
          ...optional('sourceAccount', read.optionalText('SourceAccount')),
        });
        break;
      case 'AWS::Lambda::EventInvokeConfig':
        invokeConfigs.push(resource);
        break;
      case 'AWS::Lambda::EventSourceMapping':
        addEventSource(stack, read, functionNameOf(read.text('FunctionName')), read.text('EventSourceArn'));
        break;
      case 'AWS::DynamoDB::Table':
        stack.tables.push({ ...properties, TableName: name });
        break;
      case 'AWS::SQS::Queue':
        stack.queues.push({ name, arn: ownArn, attributes: toQueueAttributes(properties) });
        break;
      case 'AWS::SNS::Topic':
        stack.topics.push({
          name,
          arn: ref,
          attributes: stringsOf(read.pick(['DisplayName', 'FifoTopic', 'ContentBasedDeduplication'])),
        });
        for (const subscription of read.list('Subscription')) {
          const inner = reader(subscription, `${path}.Subscription`, ['Protocol', 'Endpoint']);
          stack.subscriptions.push(toSubscription(inner, ref, path));
        }
        break;
      case 'AWS::SNS::Subscription':
        stack.subscriptions.push(toSubscription(read, read.text('TopicArn'), path));
        break;
      case 'AWS::Events::Rule': {
        const targets = read.list('Targets').map((target) => {
          const inner = reader(target, `${path}.Targets`, [
            'Id',
            'Arn',
            'Input',
            'RetryPolicy',
            'DeadLetterConfig',
          ]);
          return toTarget(inner, inner.text('Arn'));
        });
        addRule(stack, read, {
          name,
          arn: ownArn,
          targets,
          pattern: properties['EventPattern'],
          schedule: read.optionalText('ScheduleExpression'),
        });
        break;
      }
      case 'AWS::CloudWatch::Alarm':
        stack.metricAlarms.push({ ...withNumbers(properties), AlarmName: name });
        break;
      case 'AWS::CloudWatch::CompositeAlarm':
        stack.compositeAlarms.push({ ...withNumbers(properties), AlarmName: name });
        break;
    }
  }
  for (const { properties, logicalId } of invokeConfigs) {
    const read = reader(properties, `Resources.${logicalId}`);
    const name = functionNameOf(read.text('FunctionName'));
    const spec = stack.functions.find((candidate) => candidate.name === name);
    if (spec === undefined) throw new TemplateError(`Resources.${logicalId}: there is no function '${name}'`);
    spec.asynchronous = toAsynchronousConfig(read);
  }
  return stack;
}

interface FunctionContext {
  name: string;
  arn: string;
  path: string;
  logicalId: string;
  stackName: string;
  codePath(codeUri: string): string;
  ruleArn(name: string): string;
}

function addFunction(stack: Stack, read: Reader, context: FunctionContext): void {
  const { name, arn, path } = context;
  if (!/^nodejs\d+\.x$/.test(read.text('Runtime'))) {
    throw new TemplateError(
      `${path}.Runtime: the sandbox runs Node.js functions only, not '${read.text('Runtime')}'`,
    );
  }
  const packageType = read.optionalText('PackageType') ?? 'Zip';
  if (packageType !== 'Zip')
    throw new TemplateError(`${path}.PackageType: the sandbox does not know '${packageType}'`);
  const environment = read.object('Environment', ['Variables']).value('Variables') ?? {};
  const reservedConcurrency = read.optionalNumber('ReservedConcurrentExecutions');
  const deadLetter = read.object('DeadLetterQueue', ['Type', 'TargetArn']).optionalText('TargetArn');
  const functionUrl =
    read.value('FunctionUrlConfig') && read.object('FunctionUrlConfig', ['AuthType', 'InvokeMode', 'Cors']);
  stack.functions.push({
    name,
    arn,
    codePath: context.codePath(read.text('CodeUri')),
    handler: read.text('Handler'),
    memoryMb: read.optionalNumber('MemorySize') ?? 128,
    timeoutMs: (read.optionalNumber('Timeout') ?? 3) * 1000,
    environment: stringsOf(environment as Properties),
    ...optional('reservedConcurrency', reservedConcurrency),
    ...optional('deadLetterArn', deadLetter),
    asynchronous: toAsynchronousConfig(
      read.object('EventInvokeConfig', [
        'MaximumEventAgeInSeconds',
        'MaximumRetryAttempts',
        'DestinationConfig',
      ]),
    ),
    ...(functionUrl ? { functionUrl: { authType: functionUrl.text('AuthType') } } : {}),
  });
  for (const [eventId, event] of Object.entries((read.value('Events') ?? {}) as Properties)) {
    addEvent(stack, reader(event, `${path}.Events.${eventId}`, ['Type', 'Properties']), eventId, context);
  }
}

/** SAM turns each event of a function into a rule or an event source mapping, and grants the permission. */
function addEvent(stack: Stack, event: Reader, eventId: string, context: FunctionContext): void {
  const type = event.text('Type');
  switch (type) {
    case 'EventBridgeRule':
    case 'CloudWatchEvent':
    case 'Schedule': {
      const read = event.object('Properties', [
        'Pattern',
        'Schedule',
        'Name',
        'RuleName',
        'State',
        'Enabled',
        'Input',
        'RetryPolicy',
        'DeadLetterConfig',
        'EventBusName',
        'Target',
        'Description',
      ]);
      const name =
        read.optionalText('RuleName') ??
        read.optionalText('Name') ??
        `${context.stackName}-${context.logicalId}${eventId}`;
      const arn = context.ruleArn(name);
      addRule(stack, read, {
        name,
        arn,
        targets: [toTarget(read, context.arn)],
        pattern: read.value('Pattern'),
        schedule: read.optionalText('Schedule'),
      });
      stack.permissions.push({
        functionName: context.name,
        principal: 'events.amazonaws.com',
        sourceArn: arn,
      });
      break;
    }
    case 'SQS': {
      const read = event.object('Properties', [
        'Queue',
        'BatchSize',
        'Enabled',
        'FunctionResponseTypes',
        'ScalingConfig',
        'MaximumBatchingWindowInSeconds',
      ]);
      addEventSource(stack, read, context.name, read.text('Queue'));
      break;
    }
    default:
      throw new TemplateError(`${event.path}: the sandbox does not know the event type '${type}'`);
  }
}

interface RuleContext {
  name: string;
  arn: string;
  targets: TargetSpec[];
  pattern: Value | undefined;
  schedule: string | undefined;
}

function addRule(stack: Stack, read: Reader, { name, arn, targets, pattern, schedule }: RuleContext): void {
  const bus = read.optionalText('EventBusName') ?? 'default';
  if (bus !== 'default')
    throw new TemplateError(`${read.path}.EventBusName: the sandbox has the default event bus only`);
  if ((read.optionalText('State') ?? 'ENABLED') === 'DISABLED' || read.value('Enabled') === false) return;
  if (schedule !== undefined) stack.schedules.push({ arn, everyMs: parseRate(schedule, read.path), targets });
  else if (pattern !== undefined) stack.rules.push({ name, arn, pattern, targets });
  else throw new TemplateError(`${read.path}: a rule has a pattern or a schedule`);
}

/** `rate(1 minute)` in milliseconds. */
function parseRate(expression: string, path: string): number {
  const [, count, unit] = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(expression) ?? [];
  const unitMs = { minute: 60_000, hour: 3_600_000, day: 86_400_000 }[unit ?? ''];
  if (count === undefined || unitMs === undefined) {
    throw new TemplateError(`${path}: the sandbox does not know the schedule '${expression}', only rate(…)`);
  }
  return Number(count) * unitMs;
}

function toTarget(read: Reader, arn: string): TargetSpec {
  const retry = read.object('RetryPolicy', ['MaximumRetryAttempts', 'MaximumEventAgeInSeconds']);
  const deadLetter = read.object('DeadLetterConfig', ['Arn', 'Type']);
  if (read.value('DeadLetterConfig') !== undefined && deadLetter.optionalText('Arn') === undefined) {
    throw new TemplateError(
      `${read.path}.DeadLetterConfig: give the Arn of a queue, the sandbox makes none by itself`,
    );
  }
  return {
    arn,
    ...optional('input', read.optionalText('Input')),
    maximumRetryAttempts: retry.optionalNumber('MaximumRetryAttempts') ?? DEFAULT_TARGET_RETRIES,
    maximumEventAgeMs: (retry.optionalNumber('MaximumEventAgeInSeconds') ?? DEFAULT_TARGET_AGE_SEC) * 1000,
    ...optional('deadLetterArn', deadLetter.optionalText('Arn')),
  };
}

function addEventSource(stack: Stack, read: Reader, functionName: string, queueArn: string): void {
  if (read.value('Enabled') === false) return;
  stack.eventSources.push({
    functionName,
    queueArn,
    batchSize: read.optionalNumber('BatchSize') ?? 10,
    maximumConcurrency:
      read.object('ScalingConfig', ['MaximumConcurrency']).optionalNumber('MaximumConcurrency') ??
      DEFAULT_POLLER_CONCURRENCY,
    reportsBatchItemFailures: read.list('FunctionResponseTypes').includes('ReportBatchItemFailures'),
  });
}

function toAsynchronousConfig(read: Reader): AsynchronousConfig {
  const destinations = read.object('DestinationConfig', ['OnFailure', 'OnSuccess']);
  const destination = (name: string): string | undefined => {
    const inner = destinations.object(name, ['Destination', 'Type']);
    if (destinations.value(name) === undefined) return undefined;
    const arn = inner.text('Destination');
    if (!/^arn:aws:(sqs|sns):/.test(arn))
      throw new TemplateError(`${inner.path}: the sandbox delivers to SQS and SNS only, not '${arn}'`);
    return arn;
  };
  return {
    maximumEventAgeMs: (read.optionalNumber('MaximumEventAgeInSeconds') ?? DEFAULT_ASYNC_AGE_SEC) * 1000,
    maximumRetryAttempts: read.optionalNumber('MaximumRetryAttempts') ?? DEFAULT_ASYNC_RETRIES,
    ...optional('onFailureArn', destination('OnFailure')),
    ...optional('onSuccessArn', destination('OnSuccess')),
  };
}

const NUMERIC_ALARM_PROPERTIES = [
  'Period',
  'EvaluationPeriods',
  'DatapointsToAlarm',
  'Threshold',
  'ActionsSuppressorWaitPeriod',
  'ActionsSuppressorExtensionPeriod',
];

/** Parameters are strings in a template; CloudFormation turns them into what the property is. */
function withNumbers(alarm: Properties): Properties {
  return Object.fromEntries(
    Object.entries(alarm).map(([name, value]) => [
      name,
      NUMERIC_ALARM_PROPERTIES.includes(name) ? Number(value) : value,
    ]),
  );
}

function toQueueAttributes(properties: Properties): Record<string, string> {
  const { QueueName: _, RedrivePolicy: redrive, ...others } = properties;
  return {
    ...stringsOf(others),
    ...(redrive === undefined
      ? {}
      : { RedrivePolicy: typeof redrive === 'string' ? redrive : JSON.stringify(redrive) }),
  };
}

function toSubscription(read: Reader, topicArn: string, path: string): SubscriptionSpec {
  const protocol = read.text('Protocol');
  if (protocol === 'lambda' || protocol === 'firehose') {
    throw new TemplateError(`${path}: the sandbox does not deliver SNS messages to '${protocol}'`);
  }
  const policy = read.value('FilterPolicy');
  return {
    topicArn,
    protocol,
    endpoint: read.text('Endpoint'),
    attributes: {
      ...stringsOf(read.pick(['FilterPolicyScope', 'RawMessageDelivery'])),
      ...(policy === undefined ? {} : { FilterPolicy: JSON.stringify(policy) }),
    },
  };
}

interface Reader {
  path: string;
  value(name: string): Value | undefined;
  text(name: string): string;
  optionalText(name: string): string | undefined;
  optionalNumber(name: string): number | undefined;
  list(name: string): Value[];
  /** An absent object reads as an empty one. */
  object(name: string, known: readonly string[]): Reader;
  pick(names: string[]): Properties;
}

function reader(value: Value, path: string, known?: readonly string[]): Reader {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new TemplateError(`${path}: is not a map`);
  if (known !== undefined) onlyKnown(Object.keys(value), known, path, 'property');
  const wrong = (name: string, what: string): never => {
    throw new TemplateError(
      `${path}.${name}: ${value[name] === undefined ? 'is missing' : `is not ${what}`}`,
    );
  };
  const optionalText = (name: string): string | undefined => {
    const item = value[name];
    return item === undefined || typeof item !== 'object' ? item?.toString() : wrong(name, 'a string');
  };
  return {
    path,
    value: (name) => value[name],
    text: (name) => optionalText(name) ?? wrong(name, 'a string'),
    optionalText,
    optionalNumber: (name) => {
      const text = optionalText(name);
      if (text === undefined) return undefined;
      return text !== '' && Number.isFinite(Number(text)) ? Number(text) : wrong(name, 'a number');
    },
    list: (name) => {
      const item = value[name] ?? [];
      return Array.isArray(item) ? item : wrong(name, 'a list');
    },
    object: (name, known) => reader(value[name] ?? {}, `${path}.${name}`, known),
    pick: (names) =>
      Object.fromEntries(names.flatMap((name) => (value[name] === undefined ? [] : [[name, value[name]]]))),
  };
}

function stringsOf(properties: Properties): Record<string, string> {
  return Object.fromEntries(Object.entries(properties).map(([name, value]) => [name, String(value)]));
}

/** A function is named by its name or its ARN, with or without a qualifier. */
export function functionNameOf(nameOrArn: string): string {
  return nameOrArn.startsWith('arn:') ? (nameOrArn.split(':')[6] ?? '') : (nameOrArn.split(':')[0] ?? '');
}

function optional<K extends string, V>(key: K, value: V | undefined): { [key in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [key in K]: V });
}
