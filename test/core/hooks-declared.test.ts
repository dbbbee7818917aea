/** What people declare around the move: defaults, and for each mistake the field, the value and the way out. */
import { describe, expect, it } from 'vitest';
import { type Declaration, parseDeclaration } from '../../shared/core/service.ts';
import { a, alarm, data } from './world.ts';

const smallest = {
  name: 'orders-db',
  interfaces: [{ eni: data, deviceIndex: 1 }],
  members: [{ instance: a }],
};
const declared = (more: object): Declaration => {
  const parsed = parseDeclaration({ ...smallest, ...more });
  if (parsed.kind === 'invalid') throw new Error(parsed.problems.join('; '));
  return parsed.declaration;
};
const problems = (more: object): string => {
  const parsed = parseDeclaration({ ...smallest, ...more });
  return parsed.kind === 'invalid' ? parsed.problems.join('\n') : 'nothing';
};
const promote = { document: 'promote-replica', on: 'target' };
const call = { function: 'eni-failover-hook-promote' };

describe('a hook', () => {
  it('is a document on a member, with a minute, parameters of its own, and a person where it fails', () => {
    expect(declared({ hooks: { after: [promote] } }).hooks).toEqual({
      before: [],
      after: [{ ...promote, parameters: {}, deadline: 60_000, onFailure: 'page' }],
    });
  });
  it('is a function, which is told everything', () => {
    expect(declared({ hooks: { before: [call] } }).hooks.before).toEqual([
      { ...call, deadline: 60_000, onFailure: 'page' },
    ]);
  });
  it('may go back before the move, and be undone', () => {
    const hook = { ...promote, on: 'source', onFailure: 'back', undo: { document: 'undo', on: 'source' } };
    expect(declared({ hooks: { before: [hook] } }).hooks.before).toMatchObject([
      { onFailure: 'back', undo: { document: 'undo', on: 'source', parameters: {} } },
    ]);
    expect(declared({ hooks: { before: [{ ...hook, undo: call }] } }).hooks.before).toMatchObject([
      { undo: call },
    ]);
  });
  it.each(['AWS-RunShellScript', 'promote', 'a.b_c-1'])('names its document %s', (document) => {
    expect(problems({ hooks: { after: [{ ...promote, document }] } })).toBe('nothing');
  });
  it.each([
    'eni-failover-hook-promote',
    'eni-failover-hook-promote:live',
    'arn:aws:lambda:eu-central-1:123456789012:function:eni-failover-hook-promote:7',
  ])('names its function %s', (name) => {
    expect(problems({ hooks: { after: [{ function: name }] } })).toBe('nothing');
  });
  it.each([['5s'], ['15m'], ['900s']])('may have %s', (deadline) => {
    expect(problems({ hooks: { after: [{ ...promote, deadline }] } })).toBe('nothing');
  });

  it.each<[string, object, string]>([
    [
      'has no unknown key',
      { after: [{ ...promote, deadine: '5s' }] },
      'hooks.after.0.deadine: is not a known key; did you mean deadline?',
    ],
    [
      'is not a document and a function at once',
      { after: [{ ...promote, ...call }] },
      'hooks.after.0: must have document or function, not both (is a map)',
    ],
    [
      'is one of the two',
      { after: [{ deadline: '5s' }] },
      'hooks.after.0: must have document or function (is a map)',
    ],
    [
      'says where its document runs',
      { before: [{ document: 'promote' }] },
      'hooks.before.0.on: is missing; it must be "source" or "target"',
    ],
    [
      'runs its document on source or target',
      { before: [{ document: 'promote', on: 'standby' }] },
      'hooks.before.0.on: must be "source" or "target" (is "standby")',
    ],
    [
      'runs its function nowhere in particular',
      { before: [call, { ...call, on: 'target' }] },
      'hooks.before.1.on: is not a known key; known here: function, deadline, onFailure, undo',
    ],
    [
      'does not go back once everything has moved',
      { after: [{ ...promote, onFailure: 'back' }] },
      'hooks.after.0.onFailure: must be "page" or "proceed" (is "back")',
    ],
    [
      'is not undone once everything has moved',
      { after: [{ ...call, undo: promote }] },
      'hooks.after.0.undo: is not a known key; known here: function, deadline, onFailure',
    ],
    [
      'does one of three things when it fails',
      { before: [{ ...promote, onFailure: 'retry' }] },
      'hooks.before.0.onFailure: must be "page" or "proceed" or "back" (is "retry")',
    ],
    [
      'ends within fifteen minutes',
      { after: [{ ...promote, deadline: '901s' }] },
      'hooks.after.0.deadline: must be 15m or less (is "901s")',
    ],
    [
      'has time for one look at least',
      { after: [{ ...promote, deadline: '4s' }] },
      'hooks.after.0.deadline: must be 5s or more (is "4s")',
    ],
    [
      'has a deadline with a unit',
      { after: [{ ...call, deadline: '60' }] },
      'hooks.after.0.deadline: must be a number and a unit, such as 90s, 3m or 1h (is "60")',
    ],
    [
      'has a deadline in text',
      { after: [{ ...call, deadline: 60 }] },
      'hooks.after.0.deadline: must be text (is 60); it must be a number and a unit, such as 90s, 3m or 1h',
    ],
    [
      'is a map',
      { after: ['promote'] },
      'hooks.after.0: must be a map of document, on, parameters, deadline, onFailure (is "promote")',
    ],
    ['is one of a list', { after: promote }, 'hooks.after: must be a list (is a map)'],
    ['is one of five', { after: Array(6).fill(call) }, 'hooks.after: must name at most 5 hooks (has 6)'],
    [
      'gives a list for each parameter',
      { after: [{ ...promote, parameters: { Token: '@token@' } }] },
      'hooks.after.0.parameters.Token: must be a list (is "@token@")',
    ],
    [
      'gives text in each list',
      { after: [{ ...promote, parameters: { Port: [5432] } }] },
      'hooks.after.0.parameters.Port.0: must be text (is 5432)',
    ],
    [
      'is undone by a whole command',
      { before: [{ ...promote, undo: { document: 'demote' } }] },
      'hooks.before.0.undo.on: is missing; it must be "source" or "target"',
    ],
    [
      'is undone by one command',
      { before: [{ ...promote, undo: {} }] },
      'hooks.before.0.undo: must have document or function (is a map)',
    ],
    [
      'is undone without a deadline of its own',
      { before: [{ ...promote, undo: { ...call, deadline: '5s' } }] },
      'hooks.before.0.undo.deadline: is not a known key; known here: function',
    ],
    [
      'names a document',
      { before: [{ document: 'a b', on: 'target' }] },
      'hooks.before.0.document: must be the name of an SSM document, as HookDocuments names it (is "a b")',
    ],
    [
      'names it by no ARN: the stack allows names only',
      { before: [{ document: 'arn:aws:ssm:eu-central-1:123456789012:document/promote', on: 'target' }] },
      'hooks.before.0.document: must be the name of an SSM document, as HookDocuments names it (is "arn:aws:ssm:eu-central-1:123456789012:document/promote")',
    ],
    [
      'names a function',
      { before: [{ function: 'a/b' }] },
      'hooks.before.0.function: must be the name or ARN of a Lambda function (is "a/b")',
    ],
    [
      'stands before or after',
      { during: [call] },
      'hooks.during: is not a known key; known here: before, after',
    ],
  ])('%s', (_, hooks, says) => {
    expect(problems({ hooks })).toBe(says);
  });
});

describe('serving', () => {
  it('is an alarm that is OK within two minutes', () => {
    const serving = { alarm: alarm('serves') };
    expect(declared({ serving }).serving).toEqual({ ...serving, within: 120_000 });
  });
  it('is a check that succeeds within two minutes', () => {
    expect(declared({ serving: { check: promote } }).serving).toEqual({
      check: { ...promote, parameters: {} },
      within: 120_000,
    });
    expect(declared({ serving: { check: call, within: '10s' } }).serving).toEqual({
      check: call,
      within: 10_000,
    });
  });
  it('is nothing unless it is declared', () => {
    expect(declared({})).not.toHaveProperty('serving');
  });
  it.each<[string, unknown, string]>([
    ['is one of the two', {}, 'serving: must have alarm or check (is a map)'],
    ['is one of the two, not its time', { within: '5s' }, 'serving: must have alarm or check (is a map)'],
    [
      'is not both',
      { alarm: alarm('serves'), check: promote },
      'serving: must have alarm or check, not both (is a map)',
    ],
    ['is a map', 'yes', 'serving: must be a map of alarm, within (is "yes")'],
    [
      'names an alarm by its ARN',
      { alarm: 'serves' },
      'serving.alarm: must be the ARN of a CloudWatch alarm, arn:aws:cloudwatch:REGION:ACCOUNT:alarm:NAME (is "serves")',
    ],
    [
      'has a time with a unit',
      { check: call, within: '2' },
      'serving.within: must be a number and a unit, such as 90s, 3m or 1h (is "2")',
    ],
    [
      'ends within fifteen minutes',
      { check: call, within: '16m' },
      'serving.within: must be 15m or less (is "16m")',
    ],
    ['has a whole check', { check: {} }, 'serving.check: must have document or function (is a map)'],
    [
      'has a check that cannot fail in its own way',
      { check: { ...call, onFailure: 'page' } },
      'serving.check.onFailure: is not a known key; known here: function',
    ],
  ])('%s', (_, serving, says) => {
    expect(problems({ serving })).toBe(says);
  });
});

describe('the policy', () => {
  it.each<[string, unknown, string]>([
    ['fence', 'reboot', 'policy.fence: must be "none" or "stop" (is "reboot")'],
    ['onFenceTimeout', 'back', 'policy.onFenceTimeout: must be "page" or "proceed" (is "back")'],
    ['fenceTimeout', '2', 'policy.fenceTimeout: must be a number and a unit, such as 90s, 3m or 1h (is "2")'],
    ['onSpotInterruption', 'move', 'policy.onSpotInterruption: must be "notify" or "switchover" (is "move")'],
    ['onRebalance', true, 'policy.onRebalance: must be "notify" or "switchover" (is true)'],
    ['onRetirement', null, 'policy.onRetirement: must be "notify" or "switchover" (is empty)'],
  ])('%s has its own words', (key, value, says) => {
    expect(problems({ policy: { [key]: value } })).toBe(says);
  });
});
