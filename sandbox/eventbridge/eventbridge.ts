// EventBridge: matches every event against the rules of the template and delivers it to their targets, with retries and dead letters.

import { randomUUID } from 'node:crypto';
import { type AwsService, type JsonObject, jsonAnswer } from '../aws-request.ts';
import type { SandboxClock } from '../clock.ts';
import type { RuleSpec, ScheduleSpec, TargetSpec } from '../stack.ts';
import { compileEventPattern, EventPatternError, type Json } from './event-pattern.ts';
import { makeRuleReads, RuleError } from './rules.ts';

export interface EventBridgeOptions {
  clock: SandboxClock;
  region: string;
  accountId: string;
  rules: RuleSpec[];
  schedules: ScheduleSpec[];
  /** Throws a `DeliveryError` when the target does not take the event. */
  deliver(targetArn: string, payload: string, ruleArn: string): Promise<void>;
  sendDeadLetter(queueArn: string, body: string, attributes: Record<string, string>): Promise<void>;
}

export class DeliveryError extends Error {
  readonly code: string;
  /** A target that is gone or forbidden will not be there a minute later. */
  readonly retryable: boolean;
  constructor(code: string, message: string, retryable: boolean) {
    super(message);
    this.code = code;
    this.retryable = retryable;
  }
}

export interface EventRecord {
  at: string;
  event: JsonObject;
  /** Empty when no rule matched. */
  deliveries: Delivery[];
}

export interface Delivery {
  ruleArn: string;
  targetArn: string;
  status: 'pending' | 'delivered' | 'dead-lettered' | 'dropped';
  attempts: number;
  error: string | null;
}

export interface EventBridge {
  handle: AwsService;
  /** Begins to fire the schedules. */
  start(): void;
  /** Takes an event as it stands, id and all. */
  put(event: JsonObject): EventRecord;
  /** Fills in what AWS gives to the events of its own services. */
  emit(source: string, detailType: string, resources: string[], detail: JsonObject): void;
  records(): EventRecord[];
  close(): void;
}

const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 60_000;

export function makeEventBridge(options: EventBridgeOptions): EventBridge {
  const { clock, region, accountId, deliver, sendDeadLetter } = options;
  const records: EventRecord[] = [];
  const waiting = new Set<() => void>();
  const readRules = makeRuleReads(options);
  const rules = options.rules.map((rule) => ({ ...rule, matches: compileRule(rule) }));
  let closed = false;

  const later = (delayMs: number, run: () => void): void => {
    if (closed) return;
    const cancel = clock.after(delayMs, () => {
      waiting.delete(cancel);
      run();
    });
    waiting.add(cancel);
  };

  const attempt = async (
    target: TargetSpec,
    delivery: Delivery,
    payload: string,
    acceptedAtMs: number,
  ): Promise<void> => {
    delivery.attempts += 1;
    try {
      await deliver(target.arn, payload, delivery.ruleArn);
      delivery.status = 'delivered';
    } catch (error) {
      const { code, retryable } =
        error instanceof DeliveryError ? error : { code: 'INTERNAL_ERROR', retryable: true };
      delivery.error = `${code}: ${error instanceof Error ? error.message : String(error)}`;
      const retries = delivery.attempts - 1;
      const delayMs = Math.min(FIRST_RETRY_MS * 2 ** retries, MAX_RETRY_MS);
      const tooOld = clock.now() + delayMs - acceptedAtMs > target.maximumEventAgeMs;
      if (retryable && retries < target.maximumRetryAttempts && !tooOld) {
        return later(delayMs, () => void attempt(target, delivery, payload, acceptedAtMs));
      }
      delivery.status = target.deadLetterArn === undefined ? 'dropped' : 'dead-lettered';
      if (target.deadLetterArn === undefined) return;
      await sendDeadLetter(target.deadLetterArn, payload, {
        RULE_ARN: delivery.ruleArn,
        TARGET_ARN: target.arn,
        ERROR_CODE: code,
        ERROR_MESSAGE: delivery.error,
        ...(retryable
          ? { EXHAUSTED_RETRY_CONDITION: tooOld ? 'MaximumEventAgeInSeconds' : 'MaximumRetryAttempts' }
          : {}),
        RETRY_ATTEMPTS: String(retries),
      }).catch((problem: unknown) => {
        delivery.status = 'dropped';
        delivery.error = `${delivery.error}; the dead letter failed too: ${String(problem)}`;
      });
    }
  };

  const send = (ruleArn: string, targets: TargetSpec[], event: JsonObject, record: EventRecord): void => {
    const acceptedAtMs = clock.now();
    for (const target of targets) {
      const delivery: Delivery = {
        ruleArn,
        targetArn: target.arn,
        status: 'pending',
        attempts: 0,
        error: null,
      };
      record.deliveries.push(delivery);
      later(0, () => void attempt(target, delivery, target.input ?? JSON.stringify(event), acceptedAtMs));
    }
  };

  const addRecord = (event: JsonObject): EventRecord => {
    const record: EventRecord = { at: new Date(clock.now()).toISOString(), event, deliveries: [] };
    records.push(record);
    return record;
  };

  const put = (event: JsonObject): EventRecord => {
    const record = addRecord(event);
    for (const rule of rules) if (rule.matches(event as Json)) send(rule.arn, rule.targets, event, record);
    return record;
  };

  const toEvent = (
    source: string,
    detailType: string,
    resources: string[],
    detail: unknown,
    time?: string,
  ): JsonObject => ({
    version: '0',
    id: randomUUID(),
    'detail-type': detailType,
    source,
    account: accountId,
    time: time ?? toSeconds(clock.now()),
    region,
    resources,
    detail,
  });

  const startSchedules = (): void => {
    for (const schedule of options.schedules) {
      const fire = (): void => {
        const event = toEvent('aws.events', 'Scheduled Event', [schedule.arn], {});
        send(schedule.arn, schedule.targets, event, addRecord(event));
        later(schedule.everyMs, fire);
      };
      later(schedule.everyMs, fire);
    }
  };

  const putEntry = (entry: JsonObject): JsonObject => {
    const {
      Source: source,
      DetailType: detailType,
      Detail: detail,
      Resources: resources,
      Time: time,
    } = entry;
    if (typeof source !== 'string' || typeof detailType !== 'string' || typeof detail !== 'string') {
      return {
        ErrorCode: 'InvalidArgument',
        ErrorMessage: 'Parameter Source, DetailType and Detail are mandatory. Reason: they are strings.',
      };
    }
    const parsed = parseJsonObject(detail);
    if (parsed === undefined) return { ErrorCode: 'MalformedDetail', ErrorMessage: 'Detail is malformed.' };
    if (source.startsWith('aws.')) {
      return { ErrorCode: 'NotAuthorizedForSourceException', ErrorMessage: 'Not authorized for the source.' };
    }
    const at = typeof time === 'number' ? toSeconds(time * 1000) : undefined;
    const event = toEvent(
      source,
      detailType,
      Array.isArray(resources) ? resources.map(String) : [],
      parsed,
      at,
    );
    put(event);
    return { EventId: event['id'] };
  };

  return {
    handle: async (request) => {
      const refuse = (code: string, message: string) => jsonAnswer({ __type: code, message }, 400, JSON_1_1);
      const input = JSON.parse(request.body.toString() || '{}') as JsonObject;
      if (request.operation !== 'PutEvents') {
        try {
          const answer = readRules(request.operation, input);
          if (answer !== undefined) return jsonAnswer(answer, 200, JSON_1_1);
        } catch (error) {
          if (error instanceof RuleError) return refuse(error.code, error.message);
          throw error;
        }
        return refuse(
          'UnknownOperationException',
          `The sandbox knows PutEvents of EventBridge and reads of its rules, not '${request.operation}'.`,
        );
      }
      const entries = input['Entries'] as JsonObject[] | undefined;
      if (!Array.isArray(entries) || entries.length === 0 || entries.length > 10) {
        return refuse('ValidationException', 'Entries: from 1 to 10 events.');
      }
      const results = entries.map(putEntry);
      return jsonAnswer(
        { FailedEntryCount: results.filter((result) => 'ErrorCode' in result).length, Entries: results },
        200,
        JSON_1_1,
      );
    },
    start: startSchedules,
    put,
    emit: (source, detailType, resources, detail) => void put(toEvent(source, detailType, resources, detail)),
    records: () => [...records],
    close: () => {
      closed = true;
      for (const cancel of waiting) cancel();
      waiting.clear();
    },
  };
}

const JSON_1_1 = 'application/x-amz-json-1.1';

function compileRule(rule: RuleSpec): (event: Json) => boolean {
  try {
    return compileEventPattern(rule.pattern);
  } catch (error) {
    if (error instanceof EventPatternError)
      throw new EventPatternError(`rule ${rule.name}: ${error.message}`);
    throw error;
  }
}

/** Events carry whole seconds. */
function toSeconds(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d{3}Z$/, 'Z');
}

function parseJsonObject(text: string): JsonObject | undefined {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as JsonObject)
      : undefined;
  } catch {
    return undefined;
  }
}
