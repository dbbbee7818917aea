/** What lies between a caller and EC2: latency, throttles, faults, dry runs, and the log of it all. */
import { describe, expect, it } from 'vitest';
import type { Ec2ModelOptions, Fault } from '../../../sandbox/ec2/model.ts';
import { codeOf, makeLab } from './lab.ts';

/** A call over the imagined network: when it was answered, and with what. */
function makeCaller(options: Partial<Ec2ModelOptions> = {}) {
  const lab = makeLab({ latency: 'realistic', ...options });
  const eni = lab.eni();
  const instance = lab.instance();
  const answers: string[] = [];
  const call = (operation: string, input: object) => {
    const startMs = lab.clock.now();
    lab.model.submit(operation, input, 'alice', (outcome) => {
      const word = outcome.kind === 'answer' ? 'ok' : outcome.error.code;
      answers.push(`${word} after ${lab.clock.now() - startMs}`);
    });
  };
  const attach = () =>
    call('AttachNetworkInterface', { NetworkInterfaceId: eni, InstanceId: instance, DeviceIndex: 1 });
  return { lab, eni, instance, answers, call, attach };
}

const steady = { random: () => 0.5 };

describe('latency', () => {
  it('lets the effect happen half-way, and the answer come at the end', () => {
    const { lab, eni, answers, attach } = makeCaller(steady);
    attach();
    lab.clock.advance(99);
    expect(lab.states(eni)).toBe('available -');
    lab.clock.advance(1);
    expect([lab.states(eni), answers]).toEqual(['in-use attaching', []]);
    lab.clock.advance(100);
    expect(answers).toEqual(['ok after 200']);
  });

  it('never answers before the call returns, even where it is nothing', () => {
    const { lab, answers, attach } = makeCaller({ latency: 'instant' });
    attach();
    expect(answers).toEqual([]);
    lab.clock.advance(0);
    expect(answers).toEqual(['ok after 0']);
  });
});

describe('faults', () => {
  const effects: [
    fact: string,
    fault: Omit<Fault, 'operation' | 'times'>,
    answer: string,
    states: string[],
  ][] = [
    [
      'an error that keeps the effect away',
      { code: 'InternalError' },
      'InternalError after 200',
      ['available -', 'available -'],
    ],
    [
      'an error that was applied all the same',
      { code: 'InternalError', applied: true },
      'InternalError after 200',
      ['in-use attaching', 'in-use attached'],
    ],
    [
      'an error whose effect comes late',
      { code: 'RequestTimeout', lateMs: 5_000 },
      'RequestTimeout after 200',
      ['available -', 'in-use attached'],
    ],
    [
      'an answer that takes long',
      { delayMs: 9_000 },
      'ok after 9000',
      ['in-use attaching', 'in-use attached'],
    ],
    ['an effect that takes long', { lateMs: 5_000 }, 'ok after 5100', ['available -', 'in-use attached']],
  ];

  it.each(effects)('can be %s', (_fact, fault, answer, [soon, atLast]) => {
    const { lab, eni, answers, attach } = makeCaller(steady);
    lab.model.addFault({ operation: 'AttachNetworkInterface', times: 1, ...fault });
    attach();
    lab.clock.advance(500);
    expect(lab.states(eni)).toBe(soon);
    lab.settle();
    expect([lab.states(eni), answers]).toEqual([atLast, [answer]]);
  });

  it('hit as often as they were asked to, and only what they match', () => {
    const { lab, eni, instance, answers, call } = makeCaller(steady);
    lab.model.addFault({
      operation: 'DescribeInstances',
      match: { Filters: [{ Name: 'instance-id', Values: [instance] }] },
      code: 'RequestLimitExceeded',
      times: 2,
    });
    const ask = (value: string) =>
      call('DescribeInstances', { Filters: [{ Name: 'instance-id', Values: [value] }] });
    for (const value of [eni, instance, instance, instance]) ask(value);
    expect(lab.model.faults()).toEqual([]);
    lab.settle();
    expect(answers.toSorted()).toEqual([
      'RequestLimitExceeded after 100',
      'RequestLimitExceeded after 100',
      'ok after 100',
      'ok after 100',
    ]);
  });

  it('can deny a dry run', () => {
    const { lab, eni, instance, answers, call } = makeCaller(steady);
    lab.model.addFault({ operation: 'AttachNetworkInterface', code: 'UnauthorizedOperation', times: 1 });
    const input = { NetworkInterfaceId: eni, InstanceId: instance, DeviceIndex: 1, DryRun: true };
    call('AttachNetworkInterface', input);
    call('AttachNetworkInterface', input);
    lab.settle();
    expect(answers).toEqual(['UnauthorizedOperation after 200', 'DryRunOperation after 200']);
  });
});

describe('throttles', () => {
  const burst = (operation: string, input: object, count: number, options?: Partial<Ec2ModelOptions>) => {
    const { lab, answers, call } = makeCaller({ latency: 'instant', ...options });
    for (let index = 0; index < count; index += 1) call(operation, input);
    lab.clock.advance(0);
    const served = () => answers.filter((answer) => !answer.startsWith('RequestLimitExceeded')).length;
    return { lab, call, served };
  };
  const filtered = { Filters: [{ Name: 'status', Values: ['in-use'] }] };

  it.each<[string, object, number, number]>([
    ['DescribeNetworkInterfaces', filtered, 100, 20],
    ['DescribeNetworkInterfaces', {}, 50, 10],
    ['AttachNetworkInterface', {}, 50, 5],
    ['DetachNetworkInterface', {}, 50, 5],
    ['ModifyNetworkInterfaceAttribute', {}, 100, 5],
  ])('give %s %o a burst of %i and %i a second', (operation, input, tokens, perSecond) => {
    const { lab, call, served } = burst(operation, input, 120);
    expect(served()).toBe(tokens);
    lab.clock.advance(1_000);
    for (let index = 0; index < 40; index += 1) call(operation, input);
    lab.clock.advance(0);
    expect(served()).toBe(tokens + perSecond);
  });

  it('can be switched off', () => {
    expect(burst('AttachNetworkInterface', {}, 120, { throttle: false }).served()).toBe(120);
  });
});

describe('what any call is checked for', () => {
  it.each<[string, string, object, string]>([
    ['an operation it does not know', 'LaunchRocket', {}, 'InvalidAction'],
    ['a parameter it does not know', 'DescribeInstances', { Nonsense: 1 }, 'UnknownParameter'],
    ['a parameter that is missing', 'DetachNetworkInterface', { Force: true }, 'MissingParameter'],
    ['a missing parameter before a dry run', 'DetachNetworkInterface', { DryRun: true }, 'MissingParameter'],
  ])('refuses %s', (_what, operation, input, code) => {
    expect(codeOf(() => makeLab().model.execute(operation, input))).toBe(code);
  });

  it('answers a dry run without any effect, in use or not', () => {
    const lab = makeLab();
    const eni = lab.eni();
    const instance = lab.instance();
    const input = { NetworkInterfaceId: eni, InstanceId: instance, DeviceIndex: 1, DryRun: true };
    expect(codeOf(() => lab.model.execute('AttachNetworkInterface', input))).toBe('DryRunOperation');
    expect(lab.states(eni)).toBe('available -');
  });
});

describe('the log', () => {
  it('names caller, outcome and duration of each call', () => {
    const { lab, eni, call } = makeCaller(steady);
    const startMs = lab.clock.now();
    call('DescribeNetworkInterfaces', { NetworkInterfaceIds: [eni] });
    call('DeleteNetworkInterface', { NetworkInterfaceId: 'eni-00000000000000000' });
    lab.settle();
    expect(lab.model.calls().filter(({ caller }) => caller === 'alice')).toEqual([
      {
        atMs: startMs,
        operation: 'DescribeNetworkInterfaces',
        input: { NetworkInterfaceIds: [eni] },
        caller: 'alice',
        outcome: 'ok',
        durationMs: 100,
      },
      {
        atMs: startMs,
        operation: 'DeleteNetworkInterface',
        input: { NetworkInterfaceId: 'eni-00000000000000000' },
        caller: 'alice',
        outcome: 'InvalidNetworkInterfaceID.NotFound',
        durationMs: 200,
      },
    ]);
  });

  it('keeps the last ten thousand', () => {
    const { model } = makeLab();
    for (let index = 0; index < 25_000; index += 1) model.execute('DescribeRegions', {}, String(index));
    expect(model.calls()).toHaveLength(10_000);
    expect(model.calls().at(-1)?.caller).toBe('24999');
  });

  it('is not kept where nobody wants it', () => {
    expect(makeLab({ logCalls: false }).model.calls()).toEqual([]);
  });
});

describe('reset', () => {
  it('empties the account and forgets what was under way', () => {
    const lab = makeLab();
    const eni = lab.eni();
    lab.attach(eni, lab.instance());
    lab.model.addFault({ operation: 'DescribeInstances', code: 'InternalError', times: 1 });
    lab.model.reset();
    const told: unknown[] = [];
    lab.model.onEvent((event) => told.push(event));
    lab.settle();
    expect(told).toEqual([]);
    expect(lab.model.faults()).toEqual([]);
    expect(lab.model.calls()).toEqual([]);
    expect(lab.model.execute('DescribeVpcs', {}).Vpcs).toEqual([]);
  });
});

describe('the same seed', () => {
  it('gives the same ids, times and states', () => {
    const story = () => {
      const lab = makeLab();
      const events: unknown[] = [];
      lab.model.onEvent((event) => events.push(event));
      const eni = lab.eni();
      lab.detach(lab.attach(eni, lab.instance()), true);
      lab.settle();
      return { events, eni: lab.look(eni) };
    };
    expect(story()).toEqual(story());
  });

  it('is not needed for ids to be unique', () => {
    const lab = makeLab({ random: () => 0.5 });
    const ids = Array.from({ length: 20 }, () => lab.eni());
    expect(new Set(ids).size).toBe(20);
    expect(ids[0]).toMatch(/^eni-[0-9a-f]{17}$/);
  });
});
