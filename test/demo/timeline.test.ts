/** The timeline: which steps the logs add up to, and how they look at the edge of a terminal. */
import { describe, expect, it } from 'vitest';
import { timelineHead, timelineLines, waitingFor } from '../../demo/telling.ts';
import { type TimelineStep, toSteps, verifiedAt } from '../../demo/timeline.ts';
import { account, at, call, chain, change, facts, ids, marked, plain, startMs } from './made-up.ts';

const told = (given: Parameters<typeof facts>[0]) =>
  toSteps(facts(given), account, startMs).map(({ step, text, atMs, durationMs }) => [
    atMs - startMs,
    step,
    text,
    durationMs,
  ]);

const alarm = (id: string) => ({
  id,
  'detail-type': 'CloudWatch Alarm State Change',
  detail: { alarmName: 'db-a-system', state: { value: 'ALARM' }, previousState: { value: 'OK' } },
});
const delivery = {
  ruleArn: 'arn:aws:events:us-east-1:000000000000:rule/eni-failover-FailoverFunctionAlarmWentOff',
  targetArn: 'arn:aws:lambda:us-east-1:000000000000:function:eni-failover-FailoverFunction',
  status: 'delivered',
  attempts: 1,
} as const;
const invocation = {
  requestId: 'r1',
  function: 'eni-failover-FailoverFunction',
  accessKeyId: 'AKIA',
  trigger: 'Event',
  payload: '{}',
  startedAt: at(20),
  durationMs: 300,
  initDurationMs: null,
  outcome: 'success',
  response: null,
};

describe('the steps', () => {
  it('tell a stop, and a fence or a hook from its beginning to its end', () => {
    const input = { InstanceIds: [ids.first], Force: true };
    const calls = [
      call(100, 'StopInstances', {
        input: { ...input, SkipOsShutdown: true },
        outcome: 'UnsupportedOperation',
      }),
      call(300, 'StopInstances', { input: { ...input, SkipOsShutdown: true } }),
      call(500, 'StopInstances', { input }),
    ];
    const [row] = chain({
      kind: 'episode',
      closedAt: at(3_000),
      outcome: 'ATTACHED',
      episode: {
        id: 'orders-db.1',
        kind: 'failover',
        openedAtMs: startMs,
        plan: { source: ids.first, target: ids.second, tried: [ids.second] },
        steps: [
          { atMs: startMs + 1_000, step: 'fence-begun', detail: `fence (stop ${ids.first})` },
          { atMs: startMs + 2_000, step: 'fence-ended', detail: 'timed-out', durationMs: 1_000 },
        ],
      },
    });
    const steps = told({ calls, trail: row ? [row] : [] });
    expect(steps.filter(([, step]) => step === 'stop' || step === 'fence')).toEqual([
      [100, 'stop', 'db-a: UnsupportedOperation', 100],
      [300, 'stop', 'db-a, forced, without its guest', 100],
      [500, 'stop', 'db-a, forced', 100],
      [1_000, 'fence', 'begins: fence (stop db-a)', 0],
      [2_000, 'fence', 'timed-out', 1_000],
    ]);
  });
  it('tell a move from the logs, in order of time and by name', () => {
    const attachments = [
      change(500, 'detaching'),
      change(2_900, 'detached'),
      change(3_200, 'attaching'),
      change(4_700, 'attached'),
    ];
    const calls = [
      call(400, 'DetachNetworkInterface', { input: { AttachmentId: 'eni-attach-old', Force: true } }),
      call(3_100, 'AttachNetworkInterface', {
        input: { NetworkInterfaceId: ids.front, InstanceId: ids.second, DeviceIndex: 1 },
      }),
    ];
    expect(told({ attachments, calls })).toEqual([
      [400, 'detach', 'front from db-a, forced', 100],
      [2_900, 'detached', 'front has left db-a', 2_400],
      [3_100, 'attach', 'front to db-b, device index 1', 100],
      [4_700, 'attached', 'front is on db-b', 1_500],
    ]);
  });

  it('measure the alarm from the failed check, and name the rule that matched', () => {
    const deeds = [{ atMs: startMs, step: 'status-check', text: 'the system status check of db-a fails' }];
    const events = [{ at: at(10), event: alarm('1'), deliveries: [delivery] }];
    expect(told({ deeds, events })).toEqual([
      [0, 'status-check', 'the system status check of db-a fails', 0],
      [10, 'alarm', 'db-a-system: OK → ALARM', 10],
      [10, 'event', 'rule AlarmWentOff → functions/failover', 0],
    ]);
  });

  it('call the same event the same event', () => {
    const events = [5, 9].map((ms) => ({ at: at(ms), event: alarm('1'), deliveries: [delivery] }));
    expect(told({ events }).map(([, , text]) => text)).toEqual([
      'db-a-system: OK → ALARM',
      'rule AlarmWentOff → functions/failover',
      'the same event, delivered once more',
    ]);
  });

  it('show a refused call of the controller, and none of anybody else', () => {
    const refused = { outcome: 'RequestLimitExceeded' };
    const calls = [
      call(10, 'DescribeInstances', refused),
      call(20, 'DescribeInstances'),
      call(30, 'DescribeInstances', { ...refused, caller: 'eni-failover-demo' }),
    ];
    expect(told({ calls })).toEqual([[10, 'refused-call', 'DescribeInstances: RequestLimitExceeded', 100]]);
  });

  it('give the answer of an invocation that found nothing to do', () => {
    const reports = [{ kind: 'nothing', code: 'NOT_HOLDER', detail: `${ids.second} is healthy` }];
    const invocations = [{ ...invocation, response: JSON.stringify({ kind: 'looked', reports }) }];
    expect(told({ invocations })).toEqual([
      [20, 'function', 'functions/failover starts (event)', 0],
      [320, 'answer', 'nothing to do: NOT_HOLDER (db-b is healthy)', 300],
    ]);
  });

  it('say that a function died', () => {
    const invocations = [{ ...invocation, outcome: 'exit' }];
    expect(told({ invocations }).at(-1)).toEqual([320, 'function', 'functions/failover died (exit)', 300]);
  });

  it('say why a function failed', () => {
    const response = JSON.stringify({ errorType: 'PortError', errorMessage: 'the table does not answer' });
    const invocations = [{ ...invocation, outcome: 'error', response }];
    expect(told({ invocations }).at(-1)?.[2]).toBe(
      'functions/failover died (error): PortError: the table does not answer',
    );
  });

  it('leave out what the trail held before the clock started', () => {
    const trail = chain({ at: at(-10), kind: 'refusal', code: 'PAUSED', detail: 'by somebody' });
    expect(told({ trail })).toEqual([]);
  });

  it('verify by the last answer before the episode was closed', () => {
    const looks = [
      call(4_650, 'DescribeNetworkInterfaces'),
      call(4_900, 'DescribeNetworkInterfaces'),
      call(5_900, 'DescribeNetworkInterfaces'),
    ];
    const given = facts({ attachments: [change(4_700, 'attached')], calls: looks });
    expect(verifiedAt(given, startMs + 5_100)).toEqual({ atMs: startMs + 5_000, durationMs: 300 });
    expect(verifiedAt(given, startMs + 4_700)).toBeUndefined();
    expect(verifiedAt(facts({ calls: looks }), startMs + 5_100)).toBeUndefined();
  });
});

const step = (change_: Partial<TimelineStep> = {}): TimelineStep => ({
  key: 'k',
  atMs: startMs + 470,
  step: 'detach',
  text: 'front from db-a, forced',
  durationMs: 210,
  tone: 'plain',
  ...change_,
});

describe('a line of the timeline', () => {
  it('fills 80 columns, the duration at the right edge', () => {
    const [line = '', ...more] = timelineLines(step(), startMs, plain(80));
    expect(more).toEqual([]);
    expect(line).toHaveLength(80);
    expect(line).toMatch(/^ {3}\+0\.47 s {2}detach {8}front from db-a, forced +0\.21 s$/);
  });

  it('has its columns where the head says', () => {
    const head = timelineHead(plain(80));
    const [line = ''] = timelineLines(step(), startMs, plain(80));
    expect(head).toHaveLength(80);
    expect(head.indexOf('step')).toBe(line.indexOf('detach'));
    expect(head.indexOf('what')).toBe(line.indexOf('front'));
  });

  it.each([40, 60, 80, 120])('never gets wider than %i columns', (columns) => {
    const text =
      'NO_ELIGIBLE_STANDBY: db-a: system check impaired; db-b: CHECKS_FAILED (instance check impaired)';
    const long = step({ text, step: 'keep-on-termination', durationMs: 0 });
    const lines = timelineLines(long, startMs, plain(columns));
    const tookToo = timelineLines({ ...long, durationMs: 12_340 }, startMs, plain(columns));
    const late = step({ text, durationMs: 123_450 });
    const muchLater = timelineLines({ ...late, atMs: startMs + 123_450 }, startMs, plain(columns));
    for (const line of [...lines, ...tookToo, ...muchLater]) expect(line.length).toBeLessThanOrEqual(columns);
    expect(lines.join('').replace(/\s+/g, '')).toContain('(instancecheckimpaired)');
  });

  it('goes on below its own text', () => {
    const text = 'a text that is so long that it has to go on in another line of the timeline';
    const [first = '', second = ''] = timelineLines(step({ text }), startMs, plain(80));
    expect(second.search(/\S/)).toBe(first.indexOf('a text'));
    expect(second.trimEnd()).toBe(second);
  });

  it('says nothing of a duration that nobody could see', () => {
    const [line = ''] = timelineLines(step({ durationMs: 4 }), startMs, plain(80));
    expect(line.endsWith('forced')).toBe(true);
  });

  it('is painted by its tone', () => {
    expect(timelineLines(step({ tone: 'trouble' }), startMs, marked(80))[0]).toContain('<red>detach');
    expect(timelineLines(step({ tone: 'good' }), startMs, marked(80))[0]).toContain('<green>detach');
    expect(timelineLines(step(), startMs, marked(80))[0]).not.toMatch(/<red>|<green>/);
  });
});

describe('what is being waited for', () => {
  it('is EC2 while an interface is on its way', () => {
    const given = facts({ attachments: [change(500, 'detaching')] });
    expect(waitingFor(given, account, startMs + 1_900)).toBe('EC2: front detaching from db-a 1.4 s');
  });

  it('is the function while it runs', () => {
    const given = facts({ invocations: [{ ...invocation, outcome: 'running', durationMs: null }] });
    expect(waitingFor(given, account, startMs)).toBe('functions/failover is at work');
  });

  it('is the lease of a worker that died', () => {
    const episode = {
      id: 'orders-db.1',
      kind: 'failover',
      evidence: '',
      openedAtMs: startMs,
      plan: { target: ids.second, tried: [ids.second] },
      steps: [],
    };
    const item = {
      rev: 1,
      epoch: 1,
      declared: '{}',
      lease: { untilMs: startMs + 9_000 },
      episode,
      outbox: [],
      trail: { next: 1, head: '' },
    };
    expect(waitingFor(facts({ item }), account, startMs)).toContain('runs for 9 s more');
  });
});
