/** What counts as "the holder has failed", and what only looks like it. */
import { describe, expect, it } from 'vitest';
import { evidenceOf } from '../../shared/core/evidence.ts';
import type { ReasonCode } from '../../shared/core/reasons.ts';
import { times } from '../../shared/core/times.ts';
import {
  a,
  alarm,
  b,
  type Condition,
  hints,
  minute,
  now,
  red,
  type Sketch,
  second,
  titled,
  world,
} from './world.ts';

interface Case {
  readonly rule: string;
  readonly fact: string;
  readonly given: Sketch;
  readonly answer: object;
}

const failed = (byEc2: boolean) => ({ kind: 'failed', byEc2 });
const not = (code: ReasonCode, doubtful: boolean) => ({ kind: 'not-failed', code, doubtful });
const ask = (given: Sketch) => {
  const { service, observation, hint, nowMs } = world(given);
  return evidenceOf(service, a, observation, hint, nowMs);
};

const impairedFor = (ms: number) => ({ a: { is: 'impaired', sinceMs: now - ms } }) as const;
const confirmMs = 3 * minute;
const gone: Condition[] = ['stopping', 'stopped', 'shutting-down', 'terminated'];

const ofEc2: Case[] = [
  ...gone.flatMap((is): Case[] => [
    {
      rule: '§7',
      fact: `is certain when the holder is ${is}`,
      given: { members: { a: is } },
      answer: failed(true),
    },
    {
      rule: '§7',
      fact: `is nothing when the holder is ${is} and state changes are not declared`,
      given: { members: { a: is }, signals: { stateChanges: false } },
      answer: not('SIGNAL_NOT_DECLARED', false),
    },
  ]),
  {
    rule: 'P9',
    fact: 'is doubtful when EC2 does not list the instance that it shows the interfaces on',
    given: { members: { a: 'gone' } },
    answer: not('UNKNOWN_HEALTH', true),
  },
  {
    rule: '§7',
    fact: 'is there when a status alarm accuses the holder and EC2 still says impaired',
    given: { members: impairedFor(second), hint: hints.checkAlarm(a) },
    answer: failed(true),
  },
  {
    rule: '§7',
    fact: 'is not there while an impaired check is younger than the confirm time',
    given: { members: impairedFor(confirmMs - 1) },
    answer: not('WITHIN_CONFIRM', true),
  },
  {
    rule: '§7',
    fact: 'is there once the check has been impaired for exactly the confirm time',
    given: { members: impairedFor(confirmMs) },
    answer: failed(true),
  },
  {
    rule: '§7',
    fact: "waits for the service's own confirm time",
    given: { members: impairedFor(confirmMs), policy: { confirm: '4m' } },
    answer: not('WITHIN_CONFIRM', true),
  },
  {
    rule: '§7',
    fact: 'does not guess since when a check is impaired',
    given: { members: { a: 'impaired' } },
    answer: not('WITHIN_CONFIRM', true),
  },
  {
    rule: '§7',
    fact: 'is not hastened by an alarm about another instance',
    given: { members: impairedFor(second), hint: hints.checkAlarm(b) },
    answer: not('WITHIN_CONFIRM', true),
  },
  {
    rule: '§7',
    fact: 'is not hastened by a state change: only an alarm is the patience of its user, and a reboot moves nothing',
    given: { members: impairedFor(second), hint: hints.stopped(a) },
    answer: not('WITHIN_CONFIRM', true),
  },
  {
    rule: '§7',
    fact: 'needs no patience where the confirm time is nothing, though nobody knows since when it is impaired',
    given: { members: { a: 'impaired' }, policy: { confirm: '0s' } },
    answer: failed(true),
  },
  {
    rule: '§7',
    fact: 'is nothing when an alarm accuses a stopped holder and state changes are not declared',
    given: { members: { a: 'stopped' }, signals: { stateChanges: false }, hint: hints.checkAlarm(a) },
    answer: not('SIGNAL_NOT_DECLARED', false),
  },
  {
    rule: '§7',
    fact: 'is nothing when a check is impaired and status checks are not declared',
    given: { members: impairedFor(10 * minute), signals: { statusChecks: false }, hint: hints.checkAlarm(a) },
    answer: not('SIGNAL_NOT_DECLARED', false),
  },
  {
    rule: '§7',
    fact: 'needs no declaration of state changes for an impaired check',
    given: { members: impairedFor(confirmMs), signals: { stateChanges: false } },
    answer: failed(true),
  },
  {
    rule: '§7',
    fact: 'needs no declaration of status checks for a stopped holder',
    given: { members: { a: 'stopped' }, signals: { statusChecks: false } },
    answer: failed(true),
  },
  ...(['initializing', 'insufficient-data', 'pending', 'checks-unread', 'unread'] as const).map(
    (is): Case => ({
      rule: 'P9',
      fact: `is unknown when the holder is ${is}, whoever accuses it`,
      given: { members: { a: is }, hint: hints.checkAlarm(a) },
      answer: not('UNKNOWN_HEALTH', true),
    }),
  ),
];

const ofHints: Case[] = [
  { rule: '§7', fact: 'is not there on a quiet night', given: {}, answer: not('HOLDER_HEALTHY', false) },
  {
    rule: 'P35',
    fact: 'is in doubt when a status alarm accuses a healthy holder',
    given: { hint: hints.checkAlarm(a) },
    answer: not('NOT_CONFIRMED', true),
  },
  {
    rule: 'P35',
    fact: 'is in doubt when EC2 reported a stop and shows a healthy holder',
    given: { hint: hints.stopped(a) },
    answer: not('NOT_CONFIRMED', true),
  },
  {
    rule: '§7',
    fact: 'is not there when another stopped',
    given: { hint: hints.stopped(b) },
    answer: not('NOT_HOLDER', false),
  },
  {
    rule: '§7',
    fact: 'is not there when an alarm is about another',
    given: { hint: hints.checkAlarm(b) },
    answer: not('NOT_HOLDER', false),
  },
  {
    rule: '§7',
    fact: 'is in doubt when a declared alarm is not red any more',
    given: { signals: { alarms: [{ arn: alarm('app') }] }, alarms: { app: 'OK' }, hint: hints.alarm('app') },
    answer: not('NOT_CONFIRMED', true),
  },
  {
    rule: '§7',
    fact: 'is not there when the event is of another alarm than the one that the service declares',
    given: { signals: { alarms: [{ arn: alarm('app') }] }, alarms: { app: 'OK' }, hint: hints.alarm('x') },
    answer: not('NOT_HOLDER', false),
  },
  {
    rule: '§7',
    fact: 'is not there when an alarm is red that the service does not declare',
    given: { alarms: { app: red(now) }, hint: hints.alarm('app') },
    answer: not('NOT_HOLDER', false),
  },
  ...(['watchdog', 'request', 'announcement'] as const).map(
    (name): Case => ({
      rule: '§7',
      fact: `is not there because of a hint of the kind ${name}`,
      given: { hint: hints[name] },
      answer: not('HOLDER_HEALTHY', false),
    }),
  ),
];

const own = { signals: { alarms: [{ arn: alarm('app') }] } };
const bound = (member: typeof a) => ({ signals: { alarms: [{ arn: alarm('app'), member }] } });
const moved = now - 10 * minute;
const graceEnds = moved + times.graceAfterMoveMs;
const ofDeclaredAlarms: Case[] = [
  {
    rule: 'P33',
    fact: "is the application's, not EC2's, when a declared alarm is red",
    given: { ...own, alarms: { app: red(now) } },
    answer: failed(false),
  },
  {
    rule: 'P33',
    fact: "is what EC2 says rather than the application's alarm where both speak",
    given: { ...own, alarms: { app: red(now) }, members: { a: 'stopped' } },
    answer: { ...failed(true), why: 'the instance is stopped' },
  },
  {
    rule: 'P33',
    fact: 'is there without any event: the state is read, not heard',
    given: { ...own, alarms: { app: red(now - 60 * minute) }, hint: hints.sweep },
    answer: failed(false),
  },
  ...(['impaired', 'healthy', 'initializing'] as const).map(
    (is): Case => ({
      rule: '§5',
      fact: `${is === 'impaired' ? 'lets' : 'does not let'} a red alarm be forced when the holder is ${is}`,
      given: { ...own, alarms: { app: red(now) }, members: { a: is } },
      answer: failed(is === 'impaired'),
    }),
  ),
  {
    rule: 'P33',
    fact: 'is not there in an alarm that lacks data',
    given: { ...own, alarms: { app: 'INSUFFICIENT_DATA' } },
    answer: not('HOLDER_HEALTHY', false),
  },
  {
    rule: 'P33',
    fact: 'is not there in an alarm that was deleted',
    given: { ...own, alarms: { app: 'gone' } },
    answer: not('HOLDER_HEALTHY', false),
  },
  {
    rule: 'P9',
    fact: 'is unknown when a declared alarm cannot be read',
    given: { ...own, alarms: { app: 'unread' } },
    answer: not('UNKNOWN_STATE', true),
  },
  {
    rule: 'P9',
    fact: 'is unknown when a declared alarm was not looked at',
    given: own,
    answer: not('UNKNOWN_STATE', true),
  },
  {
    rule: '§7',
    fact: 'is not there in a suppressed alarm',
    given: { ...own, alarms: { app: red(now, 'maintenance-window') } },
    answer: not('SUPPRESSED', false),
  },
  {
    rule: 'P33',
    fact: 'counts an alarm bound to the holder',
    given: { ...bound(a), alarms: { app: red(now) } },
    answer: failed(false),
  },
  {
    rule: 'P33',
    fact: 'does not count an alarm bound to another member',
    given: { ...bound(b), alarms: { app: red(now) } },
    answer: not('HOLDER_HEALTHY', false),
  },
  {
    rule: 'P33',
    fact: 'is not in doubt after an alarm bound to another member: that one does not hold the interfaces',
    given: { ...bound(b), alarms: { app: red(now) }, hint: hints.alarm('app') },
    answer: not('NOT_HOLDER', false),
  },
  {
    rule: 'P33',
    fact: 'does not count an alarm that turned red before the last move',
    given: { ...own, alarms: { app: red(moved - 1) }, state: { lastMoveAtMs: moved } },
    answer: not('GRACE_PERIOD', true),
  },
  {
    rule: 'P33',
    fact: 'does not count an alarm that turned red at the very end of the grace',
    given: { ...own, alarms: { app: red(graceEnds) }, state: { lastMoveAtMs: moved } },
    answer: not('GRACE_PERIOD', true),
  },
  {
    rule: 'P33',
    fact: 'counts an alarm that turned red one millisecond after the grace',
    given: { ...own, alarms: { app: red(graceEnds + 1) }, state: { lastMoveAtMs: moved } },
    answer: failed(false),
  },
  {
    rule: 'P33',
    fact: 'is not in doubt while the grace lasts',
    given: { ...own, alarms: { app: red(moved) }, state: { lastMoveAtMs: moved }, nowMs: graceEnds },
    answer: not('GRACE_PERIOD', false),
  },
  {
    rule: 'P33',
    fact: 'is in doubt one millisecond after the grace',
    given: { ...own, alarms: { app: red(moved) }, state: { lastMoveAtMs: moved }, nowMs: graceEnds + 1 },
    answer: not('GRACE_PERIOD', true),
  },
  {
    rule: 'P33',
    fact: 'does not count an alarm of which nobody knows since when it is red',
    given: { ...own, alarms: { app: red(undefined) }, state: { lastMoveAtMs: moved } },
    answer: not('GRACE_PERIOD', true),
  },
];

const tables = {
  'what EC2 says': ofEc2,
  'what the event says': ofHints,
  'declared alarms': ofDeclaredAlarms,
};

describe.each(Object.entries(tables))('evidence from %s', (_, cases) => {
  it.each(titled(cases))('%s', (_title, { given, answer }) => {
    expect(ask(given)).toMatchObject(answer);
  });
});

describe('evidence from several alarms', () => {
  const names = ['one', 'two'];
  const both = (alarms: NonNullable<Sketch['alarms']>, state: Sketch['state'] = {}) =>
    [names, [...names].reverse()].map((order) =>
      ask({ signals: { alarms: order.map((name) => ({ arn: alarm(name) })) }, alarms, state }),
    );
  it.each(
    titled([
      {
        fact: 'is there when one is red and the other cannot be read',
        alarms: { one: red(now), two: 'unread' as const },
        answer: failed(false),
      },
      {
        fact: 'is there when one is red and the other suppressed',
        alarms: { one: red(now), two: red(now, 'somebody') },
        answer: failed(false),
      },
      {
        fact: 'is in doubt for one red since before the move, though the other is suppressed',
        alarms: { one: red(moved), two: red(now, 'somebody') },
        answer: not('GRACE_PERIOD', true),
      },
      {
        fact: 'calls a person for one red since before the move, though the other cannot be read',
        alarms: { one: red(moved), two: 'unread' as const },
        answer: not('GRACE_PERIOD', true),
      },
      {
        fact: 'stays in doubt when one cannot be read, though the other is suppressed',
        alarms: { one: 'unread' as const, two: red(now, 'somebody') },
        answer: { kind: 'not-failed', doubtful: true },
      },
    ]),
  )('%s, whatever their order', (_title, { alarms, answer }) => {
    for (const evidence of both(alarms, { lastMoveAtMs: moved })) expect(evidence).toMatchObject(answer);
  });
  it('is unknown when one cannot be read, though the other is red within its grace', () => {
    const state = { lastMoveAtMs: now - second };
    for (const evidence of both({ one: red(now), two: 'unread' }, state))
      expect(evidence).toMatchObject(not('UNKNOWN_STATE', true));
  });
  it('names the alarm that is red', () => {
    expect(both({ one: 'OK', two: red(now) })[0]).toMatchObject({ why: 'alarm two is red' });
  });
});
