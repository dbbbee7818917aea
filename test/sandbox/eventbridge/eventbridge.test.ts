// Events reach the targets of the rules they match, again after failures, and a dead-letter queue in the end.

import { describe, expect, it } from 'vitest';
import { DeliveryError, makeEventBridge } from '../../../sandbox/eventbridge/eventbridge.ts';
import type { TargetSpec } from '../../../sandbox/stack.ts';
import { makeManualClock } from '../manual-clock.ts';

const TARGET: TargetSpec = {
  arn: 'arn:aws:lambda:us-east-1:000000000000:function:f',
  maximumRetryAttempts: 2,
  maximumEventAgeMs: 3_600_000,
  deadLetterArn: 'arn:aws:sqs:us-east-1:000000000000:dead',
};

function setUp(options: { failures?: Error[]; target?: Partial<TargetSpec>; pattern?: object } = {}) {
  const clock = makeManualClock();
  const delivered: { payload: string; atMs: number }[] = [];
  const deadLetters: { body: string; attributes: Record<string, string> }[] = [];
  const failures = [...(options.failures ?? [])];
  const ruleArn = 'arn:aws:events:us-east-1:000000000000:rule/r';
  const targets = [{ ...TARGET, ...options.target }];
  const bridge = makeEventBridge({
    clock,
    region: 'us-east-1',
    accountId: '000000000000',
    rules: [
      { name: 'r', arn: ruleArn, pattern: (options.pattern ?? { source: ['test'] }) as never, targets },
    ],
    schedules: [{ arn: `${ruleArn}-schedule`, everyMs: 60_000, targets }],
    deliver: async (_arn, payload) => {
      const failure = failures.shift();
      if (failure !== undefined) throw failure;
      delivered.push({ payload, atMs: clock.now() });
    },
    sendDeadLetter: async (_arn, body, attributes) => void deadLetters.push({ body, attributes }),
  });
  return { clock, bridge, delivered, deadLetters };
}

const EVENT = { id: 'e-1', source: 'test', 'detail-type': 'T', detail: { n: 1 } };
const throttled = () => new DeliveryError('THROTTLED', 'too fast', true);

describe('EventBridge', () => {
  it('delivers an event as it stands to a rule that matches', async () => {
    const { bridge, clock, delivered } = setUp();
    bridge.put(EVENT);
    await clock.advance(0);
    expect(delivered.map(({ payload }) => JSON.parse(payload))).toEqual([EVENT]);
    expect(bridge.records()[0]?.deliveries[0]).toMatchObject({ status: 'delivered', attempts: 1 });
  });

  it('keeps a record of an event that no rule matches', () => {
    const { bridge } = setUp();
    bridge.put({ ...EVENT, source: 'other' });
    expect(bridge.records()).toMatchObject([{ event: { source: 'other' }, deliveries: [] }]);
  });

  it('tries again after a failure, later each time', async () => {
    const { bridge, clock, delivered } = setUp({ failures: [throttled(), throttled()] });
    const startMs = clock.now();
    bridge.put(EVENT);
    await clock.advance(10_000);
    expect(delivered.map(({ atMs }) => atMs - startMs)).toEqual([3_000]);
  });

  it('sends a dead letter when the retries are used up', async () => {
    const { bridge, clock, deadLetters } = setUp({ failures: [throttled(), throttled(), throttled()] });
    bridge.put(EVENT);
    await clock.advance(10_000);
    expect(JSON.parse(deadLetters[0]?.body ?? '')).toEqual(EVENT);
    expect(deadLetters[0]?.attributes).toMatchObject({
      ERROR_CODE: 'THROTTLED',
      EXHAUSTED_RETRY_CONDITION: 'MaximumRetryAttempts',
      RETRY_ATTEMPTS: '2',
    });
  });

  it('gives up when the event grows too old', async () => {
    const { bridge, clock, deadLetters } = setUp({
      failures: [throttled()],
      target: { maximumEventAgeMs: 500 },
    });
    bridge.put(EVENT);
    await clock.advance(10_000);
    expect(deadLetters[0]?.attributes['EXHAUSTED_RETRY_CONDITION']).toBe('MaximumEventAgeInSeconds');
  });

  it('does not retry what a retry cannot help', async () => {
    const { bridge, clock, deadLetters } = setUp({
      failures: [new DeliveryError('AccessDeniedException', 'no', false)],
    });
    bridge.put(EVENT);
    await clock.advance(0);
    expect(deadLetters[0]?.attributes['RETRY_ATTEMPTS']).toBe('0');
  });

  it('drops the event when there is no dead-letter queue', async () => {
    const { deadLetterArn: _, ...target } = TARGET;
    const { bridge, clock, deadLetters } = setUp({
      failures: [throttled()],
      target: { ...target, maximumRetryAttempts: 0, deadLetterArn: undefined } as never,
    });
    bridge.put(EVENT);
    await clock.advance(0);
    expect(deadLetters).toEqual([]);
    expect(bridge.records()[0]?.deliveries[0]?.status).toBe('dropped');
  });

  it('fires a schedule at its rate', async () => {
    const { bridge, clock, delivered } = setUp();
    bridge.start();
    await clock.advance(120_000);
    expect(delivered).toHaveLength(2);
    expect(JSON.parse(delivered[0]?.payload ?? '')).toMatchObject({
      'detail-type': 'Scheduled Event',
      source: 'aws.events',
    });
  });

  it('refuses a pattern with an unknown operator at start', () => {
    expect(() => setUp({ pattern: { source: [{ like: 'x' }] } })).toThrow(
      "rule r: source: unknown operator 'like'",
    );
  });

  it('delivers nothing after it is closed', async () => {
    const { bridge, clock, delivered } = setUp();
    bridge.put(EVENT);
    bridge.close();
    await clock.advance(120_000);
    expect(delivered).toEqual([]);
  });
});
