/** What differs between two declarations, as people read it in a notice. */
import { expect, it } from 'vitest';
import { changesBetween } from '../../shared/core/declaration-changes.ts';
import { parseDeclaration } from '../../shared/core/service.ts';

const base = {
  name: 'orders-db',
  interfaces: [{ eni: 'eni-0aaaaaaaaaaaaaa01', deviceIndex: 1 }],
  members: [{ instance: 'i-0aaaaaaaaaaaaaaa1' }, { instance: 'i-0bbbbbbbbbbbbbbb2' }],
};
const lag = 'arn:aws:cloudwatch:eu-central-1:000000000000:alarm:lag';
const more = `${lag}-more`;

function declared(written: object) {
  const parsed = parseDeclaration(written);
  if (parsed.kind === 'invalid') throw new Error(parsed.problems.join());
  return { written, declaration: parsed.declaration };
}
const between = (before: object, after: object) =>
  changesBetween(declared({ ...base, ...before }), declared({ ...base, ...after }));

it.each([
  ['nothing', {}, {}, []],
  ['a default that is written out', {}, { policy: { mode: 'act', confirm: '180s' } }, []],
  [
    'policy keys, old and new',
    { policy: { confirm: '3m', budgetPerHour: 5 } },
    { policy: { confirm: '5m', mode: 'observe' } },
    [
      'policy.mode: the default (act) → observe',
      'policy.confirm: 3m → 5m',
      'policy.budgetPerHour: 5 → the default',
    ],
  ],
  [
    'a signal',
    {},
    { signals: { statusChecks: false } },
    ['signals.statusChecks: the default (true) → false'],
  ],
  [
    'what is no plain word as it was written',
    {},
    { signals: { alarms: [{ arn: lag }] }, policy: { failback: { after: '30m' }, budgetPerHour: 5 } },
    [
      `signals.alarms: the default → [{"arn":"${lag}"}]`,
      'policy.budgetPerHour: the default → 5',
      'policy.failback: the default (manual) → {"after":"30m"}',
    ],
  ],
  [
    'members that come and go',
    {},
    { members: [{ instance: 'i-0ccccccccccccccc3' }, base.members[1]] },
    ['member added: i-0ccccccccccccccc3', 'member removed: i-0aaaaaaaaaaaaaaa1'],
  ],
  [
    'another order of preference',
    {},
    { members: base.members.toReversed() },
    ['members in another order: i-0bbbbbbbbbbbbbbb2, i-0aaaaaaaaaaaaaaa1'],
  ],
  [
    'when a member is ready',
    { members: [{ ...base.members[0], readyWhen: [lag] }] },
    { members: [base.members[0]] },
    ['readyWhen of i-0aaaaaaaaaaaaaaa1: nothing'],
  ],
  [
    'of which member that is, and by which alarms',
    { members: [{ ...base.members[0], readyWhen: [lag, more] }, base.members[1]] },
    { members: base.members.map((each) => ({ ...each, readyWhen: [lag, more] })) },
    [`readyWhen of i-0bbbbbbbbbbbbbbb2: ${lag}, ${more}`],
  ],
  [
    'the place of an interface',
    {},
    { interfaces: [{ ...base.interfaces[0], deviceIndex: 2 }] },
    [
      'interface added: eni-0aaaaaaaaaaaaaa01 at device index 2 of network card 0',
      'interface removed: eni-0aaaaaaaaaaaaaa01 at device index 1 of network card 0',
    ],
  ],
  [
    'what is only named as changed',
    { description: 'old', hooks: { after: [{ function: 'eni-failover-hook-x' }] } },
    { description: 'new', contacts: ['ann'], serving: { alarm: lag } },
    ['hooks changed', 'serving changed', 'description changed', 'contacts changed'],
  ],
] as const)('spells out %s', (_, before, after, expected) => {
  expect(between(before, after)).toEqual(expected);
});
