/** What the demo concludes from what it read: gap, identity, chain, whether all is over, and whether it is as expected. */
import { describe, expect, it } from 'vitest';
import { isQuiet } from '../../demo/facts.ts';
import { gapMsOf, toMove } from '../../demo/gap.ts';
import { compare, type Happened, noticesOf, toHappened } from '../../demo/happened.ts';
import { isSameIdentity, restsOn } from '../../demo/identity.ts';
import { scenarios } from '../../demo/scenarios.ts';
import { chainFaults } from '../../demo/state-table.ts';
import { account, at, call, chain, change, facts, ids, startMs, view } from './made-up.ts';

describe('the gap', () => {
  const management = { eniId: ids.management };

  it('goes from the first that leaves to the last that is attached again', () => {
    const changes = [
      change(100, 'detaching'),
      change(300, 'detaching', management),
      change(2_000, 'detached'),
      change(2_500, 'detached', management),
      change(2_600, 'attaching'),
      change(2_700, 'attaching', management),
      change(4_000, 'attached'),
      change(4_400, 'attached', management),
    ];
    expect(gapMsOf(changes)).toBe(4_300);
    expect(toMove(changes)).toMatchObject({ detachedAtMs: startMs + 2_500, attachedAtMs: startMs + 4_400 });
  });

  it('is null where nothing moved, and where something never came back', () => {
    expect(gapMsOf([])).toBeNull();
    expect(gapMsOf([change(1, 'attaching'), change(2, 'attached')])).toBeNull();
    expect(gapMsOf([change(1, 'detaching'), change(2, 'detached')])).toBeNull();
  });
});

describe('the identity of an interface', () => {
  const moved = view({
    attachment: { instanceId: ids.second, status: 'attached', deviceIndex: 1, deleteOnTermination: false },
  });

  it('is the same on another instance', () => {
    expect(isSameIdentity([view()], [moved])).toBe(true);
  });

  it.each([
    ['id', { eniId: ids.management }],
    ['MAC address', { macAddress: '02:00:00:00:00:02' }],
    ['address', { privateAddresses: ['10.0.1.10'] }],
    ['Elastic IP', { elasticIps: [] }],
    ['security group', { securityGroups: [] }],
    ['source/dest check', { sourceDestCheck: true }],
  ])('is another one with another %s', (_, other) => {
    expect(isSameIdentity([view()], [view(other)])).toBe(false);
  });

  it('is lost with the interface', () => {
    expect(isSameIdentity([view()], [])).toBe(false);
    expect(isSameIdentity([], [])).toBe(false);
  });

  it('rests on one instance, or nowhere', () => {
    const attaching = {
      instanceId: ids.second,
      status: 'attaching',
      deviceIndex: 1,
      deleteOnTermination: false,
    };
    expect(restsOn([moved, moved])).toBe(ids.second);
    expect(restsOn([moved, view()])).toBeUndefined();
    expect(restsOn([view({ attachment: undefined })])).toBeUndefined();
    expect(restsOn([view({ attachment: attaching })])).toBeUndefined();
  });
});

describe('the hash chain', () => {
  const rows = chain({ code: 'one' }, { code: 'two' }, { code: 'three' });
  const [one, two, three] = rows;

  it('is intact as the controller wrote it', () => {
    expect(chainFaults(rows, three?.hash)).toEqual([]);
    expect(chainFaults([], '')).toEqual([]);
  });

  it('shows a record that was changed, taken out or cut off', () => {
    if (!one || !two || !three) throw new Error('three rows');
    const changed = { ...two, body: two.body.replace('two', 'TWO') };
    expect(chainFaults([one, changed, three], three.hash)).toEqual(['record 2 does not match its hash']);
    expect(chainFaults([one, three], three.hash)).toContain('record 2 is missing');
    expect(chainFaults([one, two], three.hash)).toEqual(['the head of the service is another record']);
  });
});

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

describe('a story', () => {
  const delivery = { ruleArn: 'r', targetArn: 't', attempts: 1 };
  const item = { rev: 1, epoch: 1, declared: '{}', outbox: [], trail: { next: 1, head: '' } };
  const event = { at: at(1), event: {}, deliveries: [{ ...delivery, status: 'delivered' as const }] };

  it('is over when everything that was set off has ended', () => {
    expect(isQuiet(facts({ events: [event], invocations: [invocation], item }))).toBe(true);
  });

  it.each([
    ['an event is on its way', { events: [event] }],
    [
      'a delivery is retried',
      { events: [{ ...event, deliveries: [{ ...delivery, status: 'pending' as const }] }] },
    ],
    ['a function runs', { invocations: [{ ...invocation, outcome: 'running' }] }],
    ['an interface is on its way', { attachments: [change(1, 'attaching')] }],
    ['a notice is not out yet', { item: { ...item, outbox: [{}] } }],
    ['a record is not copied yet', { item: { ...item, frozen: {} } }],
  ])('is not over while %s', (_, given) => {
    expect(isQuiet(facts(given))).toBe(false);
  });
});

describe('what happened', () => {
  const message = (dedupeId: string) => ({
    at: at(1),
    subject: `about ${dedupeId}`,
    message: `would have moved to ${ids.second}`,
    attributes: { dedupeId, outcome: dedupeId.toUpperCase() },
  });
  const happened = (given: Parameters<typeof facts>[0], wanted: Partial<Happened> = {}) =>
    toHappened(
      {
        account,
        registrations: [],
        before: [view()],
        after: [view()],
        facts: facts(given),
        sinceMs: startMs,
      },
      wanted,
    );

  it('counts copies of a notice once', () => {
    const messages = [message('a'), message('b'), message('a')];
    expect(noticesOf(facts({ messages })).map((each) => each.attributes['dedupeId'])).toEqual(['a', 'b']);
    expect(happened({ messages }).notices).toEqual(['A', 'B']);
  });

  it('finds the words of a notice, with names for ids', () => {
    const wanted = { says: 'would have moved to db-b' };
    expect(happened({ messages: [message('a')] }, wanted).says).toBe('would have moved to db-b');
    expect(happened({ messages: [] }, wanted).says).toBe('nothing');
  });

  it('lists what EC2 refused the controller', () => {
    const refused = { outcome: 'RequestLimitExceeded' };
    const calls = [call(1, 'DescribeInstances', refused), call(2, 'DescribeInstances', refused)];
    expect(happened({ calls }).refusedCalls).toEqual(['DescribeInstances RequestLimitExceeded ×2']);
  });

  it('counts the failures of functions/failover, and of nobody else', () => {
    const failed = ['exit', 'error', 'timeout'].map((outcome) => ({ ...invocation, outcome }));
    const others = { ...invocation, function: 'eni-failover-SweepFunction', outcome: 'exit' };
    expect(happened({ invocations: [invocation, ...failed, others] }).died).toBe(3);
    expect(happened({ invocations: [invocation, { ...invocation, outcome: 'running' }] }).died).toBe(0);
  });

  it('is not as expected where a crash is announced and nobody dies', () => {
    const crashes = scenarios.filter((each) => each.name.startsWith('crash-'));
    expect(crashes.length).toBeGreaterThan(0);
    const verdict = (expected: Partial<Happened>, outcome: string) =>
      compare(expected, happened({ invocations: [{ ...invocation, outcome }] })).find(
        (each) => each.name === 'died',
      )?.isSame;
    for (const { expected } of crashes)
      expect([verdict(expected, 'success'), verdict(expected, 'exit')]).toEqual([false, true]);
  });

  it('is not as expected where somebody dies without notice', () => {
    const died = happened({ invocations: [{ ...invocation, outcome: 'exit' }] });
    expect(compare({}, died).find((each) => each.name === 'died')?.isSame).toBe(false);
  });

  it('is held against what was expected, and always against identity and audit', () => {
    const comparisons = compare({ holder: 'db-b', detached: 0 }, happened({}));
    expect(comparisons.map(({ name, isSame }) => [name, isSame])).toEqual([
      ['died', true],
      ['holder', false],
      ['detached', true],
      ['identity', true],
      ['audit', true],
    ]);
  });
});
