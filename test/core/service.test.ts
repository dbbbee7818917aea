/** What people declare: every default is deliberate, and a typo is an answer, never a default. */
import { describe, expect, it } from 'vitest';
import { type Declaration, parseDeclaration } from '../../shared/core/service.ts';
import { a, alarm, b, data, declaration, minute, second, stranger, titled } from './world.ts';

const smallest = {
  name: 'orders-db',
  interfaces: [{ eni: data, deviceIndex: 1 }],
  members: [{ instance: a }],
};
const accepted = (raw: unknown): Declaration => {
  const parsed = parseDeclaration(raw);
  if (parsed.kind === 'invalid') throw new Error(parsed.problems.join('; '));
  return parsed.declaration;
};
const problems = (raw: unknown): readonly string[] => {
  const parsed = parseDeclaration(raw);
  return parsed.kind === 'invalid' ? parsed.problems : [];
};

describe('a declaration', () => {
  it('needs a name, an interface and a member; all else has a default', () => {
    expect(accepted(smallest)).toEqual({
      name: 'orders-db',
      contacts: [],
      interfaces: [{ eni: data, deviceIndex: 1, networkCardIndex: 0 }],
      members: [{ instance: a, readyWhen: [] }],
      signals: { statusChecks: true, stateChanges: true, alarms: [] },
      policy: {
        mode: 'act',
        confirm: 3 * minute,
        failback: 'manual',
        budgetPerHour: 3,
        plainDetach: 5 * second,
        quarantine: 'until-acknowledged',
        quarantineFor: 10 * minute,
        fence: 'none',
        fenceTimeout: 2 * minute,
        onFenceTimeout: 'page',
        onSpotInterruption: 'notify',
        onRebalance: 'notify',
        onRetirement: 'notify',
      },
      hooks: { before: [], after: [] },
    });
  });
  it.each([
    ['90s', 90 * second],
    ['3m', 3 * minute],
    ['1h', 60 * minute],
  ])('takes %s for %i milliseconds', (confirm, ms) => {
    expect(accepted({ ...smallest, policy: { confirm } }).policy.confirm).toBe(ms);
  });

  it('takes ten minutes for the soonest failback by itself', () => {
    const policy = { failback: { after: '10m' } };
    expect(accepted({ ...smallest, policy }).policy.failback).toEqual({ after: 10 * minute });
  });
  it('may bind an alarm to a member, or to whichever has the interfaces', () => {
    const alarms = [{ arn: alarm('app'), member: a }, { arn: alarm('answers') }];
    expect(accepted({ ...smallest, signals: { alarms } }).signals.alarms).toEqual(alarms);
  });

  const wide = declaration();
  it.each(
    titled<{ fact: string; raw: unknown; says: RegExp }>([
      { fact: 'is not text', raw: 'orders-db', says: /map/ },
      { fact: 'is not nothing', raw: null, says: /declaration: / },
      { fact: 'has a name', raw: { ...smallest, name: undefined }, says: /^name: is missing/ },
      { fact: 'has a name without capitals', raw: { ...smallest, name: 'Orders' }, says: /^name: .*a-z/ },
      {
        fact: 'has a name without #, which separates keys',
        raw: { ...smallest, name: 'a#b' },
        says: /^name: /,
      },
      { fact: 'has a name of at most 63', raw: { ...smallest, name: 'a'.repeat(64) }, says: /^name: / },
      { fact: 'has no unknown key', raw: { ...smallest, polcy: {} }, says: /^polcy: .*policy/ },
      {
        fact: 'has no unknown key in its policy',
        raw: { ...smallest, policy: { budget: 3 } },
        says: /^policy\.budget: .*budgetPerHour/,
      },
      { fact: 'has an interface', raw: { ...smallest, interfaces: [] }, says: /^interfaces: .*at least one/ },
      { fact: 'has a member', raw: { ...smallest, members: [] }, says: /^members: .*at least one/ },
      {
        fact: 'has no primary interface',
        raw: { ...smallest, interfaces: [{ eni: data, deviceIndex: 0 }] },
        says: /deviceIndex: .*primary/,
      },
      {
        fact: 'has real ids',
        raw: { ...smallest, members: [{ instance: 'i-123' }] },
        says: /^members\.0\.instance: .*i-/,
      },
      {
        fact: 'names an interface once',
        raw: { ...wide, interfaces: [wide.interfaces[0], { eni: data, deviceIndex: 3 }] },
        says: /named twice/,
      },
      {
        fact: 'gives each interface its own place',
        raw: { ...wide, interfaces: wide.interfaces.map((each) => ({ ...each, deviceIndex: 1 })) },
        says: /two take network card\/device index 0\/1/,
      },
      {
        fact: 'names a member once',
        raw: { ...smallest, members: [{ instance: a }, { instance: a }] },
        says: /named twice/,
      },
      {
        fact: 'binds an alarm to a member only',
        raw: { ...smallest, signals: { alarms: [{ arn: alarm('app'), member: stranger }] } },
        says: /is not one of the members/,
      },
      {
        fact: 'names alarms by their ARN',
        raw: { ...smallest, members: [{ instance: a, readyWhen: ['lag'] }] },
        says: /arn:aws:cloudwatch/,
      },
      {
        fact: 'has durations with a unit',
        raw: { ...smallest, policy: { confirm: '180' } },
        says: /^policy\.confirm: .*3m/,
      },
      {
        fact: 'has durations that are not negative',
        raw: { ...smallest, policy: { confirm: '-3m' } },
        says: /^policy\.confirm: /,
      },
      {
        fact: 'fails back by itself after ten minutes at the soonest',
        raw: { ...smallest, policy: { failback: { after: '9m' } } },
        says: /^policy\.failback\.after: must be 10m or more/,
      },
      {
        fact: 'fails back by request, or after a time',
        raw: { ...smallest, policy: { failback: 'automatic' } },
        says: /^policy\.failback: .*manual/,
      },
      {
        fact: 'has hooks that are something',
        raw: { ...smallest, hooks: { before: [null] } },
        says: /^hooks\.before\.0: must be a map of document, .* \(is empty\)/,
      },
      {
        fact: 'asks none but the target whether it serves',
        raw: { ...smallest, serving: { check: { document: 'probe', on: 'source' } } },
        says: /^serving\.check\.on: must be target/,
      },
      {
        fact: 'has a budget of at least one',
        raw: { ...smallest, policy: { budgetPerHour: 0 } },
        says: /^policy\.budgetPerHour: /,
      },
      {
        fact: 'has a whole budget',
        raw: { ...smallest, policy: { budgetPerHour: 1.5 } },
        says: /^policy\.budgetPerHour: /,
      },
      {
        fact: 'has a mode that exists',
        raw: { ...smallest, policy: { mode: 'dry-run' } },
        says: /^policy\.mode: .*observe/,
      },
    ]),
  )('%s', (_title, { raw, says }) => {
    expect(problems(raw).join('\n')).toMatch(says);
  });
  it('may give two interfaces the same index on different network cards', () => {
    const interfaces = wide.interfaces.map((each, card) => ({
      ...each,
      deviceIndex: 1,
      networkCardIndex: card,
    }));
    expect(accepted({ ...wide, interfaces }).interfaces).toHaveLength(2);
  });
  it('names every problem at once', () => {
    expect(problems({ name: 'A', interfaces: [], members: [{ instance: b, ready: [] }] }).length).toBe(3);
  });
});
