/** The policy as tables: for each situation and rule of the protocol, the one answer that `decide` gives. */
import { describe, expect, it } from 'vitest';
import { decide } from '../../shared/core/decide.ts';
import type { Decision } from '../../shared/core/decision.ts';
import type { Episode } from '../../shared/core/episode.ts';
import type { AnnouncementHint } from '../../shared/core/hint.ts';
import type { Plan } from '../../shared/core/plan.ts';
import { type ReasonCode, reasons } from '../../shared/core/reasons.ts';
import { makePlan, nextRung } from '../../shared/core/rungs.ts';
import type { ServiceState } from '../../shared/core/state.ts';
import { times } from '../../shared/core/times.ts';
import {
  a,
  admin,
  alarm,
  askedFor,
  attachment,
  attachmentOf,
  b,
  c,
  data,
  episodeOf,
  hints,
  lease,
  minute,
  now,
  pause,
  planTo,
  red,
  request,
  type Sketch,
  second,
  seenOn,
  strandedSince,
  stranger,
  titled,
  world,
  zone,
} from './world.ts';

interface Case {
  readonly rule: string;
  readonly fact: string;
  readonly given: Sketch;
  readonly answer: object;
}

const nothing = (code: ReasonCode) => ({ kind: 'nothing', code });
const refuse = (code: ReasonCode, callHuman = true) => ({ kind: 'refuse', code, callHuman });
const again = (code: ReasonCode, soon: boolean) => ({ kind: 'look-again', code, soon });
const move = (episode: string, target: string, more: object = {}) => ({
  kind: 'move',
  episode,
  plan: { target, ...more },
});
const goOn = (target: string, more: object = {}) => ({ kind: 'continue', plan: { target, ...more } });

const stoppedA = { a: 'stopped' } as const;
const ownAlarm = { signals: { alarms: [{ arn: alarm('app') }] } };
const quarantined = (...ids: string[]) => ({
  quarantine: Object.fromEntries(ids.map((id) => [id, { sinceMs: now - minute, why: 'failed before' }])),
});
const someQuarantined = quarantined(b, c);

const beforeAnything: Case[] = [
  {
    rule: 'P25',
    fact: 'does nothing for a service that was unregistered',
    given: { members: stoppedA, state: { tombstone: true } },
    answer: nothing('NO_SUCH_SERVICE'),
  },
  {
    rule: 'P4',
    fact: 'stays away while a lease is alive, even from a failed holder',
    given: { members: stoppedA, state: { lease: lease(now + second) } },
    answer: nothing('LEASE_HELD'),
  },
  {
    rule: 'P4',
    fact: 'stays away for exactly the skew margin after a lease ended',
    given: { members: stoppedA, state: { lease: lease(now - times.skewMarginMs) } },
    answer: nothing('LEASE_HELD'),
  },
  {
    rule: 'P4',
    fact: 'takes over one millisecond later',
    given: { members: stoppedA, state: { lease: lease(now - times.skewMarginMs - 1) } },
    answer: move('failover', b),
  },
  {
    rule: '§7',
    fact: 'records what AWS announces and moves nothing',
    given: { hint: hints.announcement, members: { a: 'healthy' } },
    answer: { kind: 'record', code: 'ANNOUNCED', detail: 'terminate' },
  },
];

const healthyOrDoubtful: Case[] = [
  {
    rule: '§7',
    fact: 'leaves a healthy holder alone',
    given: {},
    answer: nothing('HOLDER_HEALTHY'),
  },
  {
    rule: '§7',
    fact: 'leaves the holder alone when another member stopped',
    given: { hint: hints.stopped(b), members: { b: 'stopped' } },
    answer: nothing('NOT_HOLDER'),
  },
  ...(['initializing', 'insufficient-data', 'checks-unread', 'unread', 'pending'] as const).flatMap(
    (is): Case[] => [
      {
        rule: 'P9',
        fact: `leaves the interfaces alone when the holder is ${is}`,
        given: { members: { a: is } },
        answer: nothing('UNKNOWN_HEALTH'),
      },
      {
        rule: 'P9',
        fact: `looks again after an alarm when the holder is ${is}`,
        given: { members: { a: is }, hint: hints.checkAlarm(a) },
        answer: again('UNKNOWN_HEALTH', false),
      },
    ],
  ),
  {
    rule: 'P35',
    fact: 'calls a human when the holder of an accused service stays unknown',
    given: { members: { a: 'initializing' }, hint: hints.checkAlarm(a), look: 3 },
    answer: refuse('UNKNOWN_HEALTH'),
  },
  ...[0, 1, 2].map(
    (look): Case => ({
      rule: 'P35',
      fact: `looks again at an alarm that EC2 does not confirm, after look ${look}`,
      given: { hint: hints.checkAlarm(a), look },
      answer: again('NOT_CONFIRMED', false),
    }),
  ),
  {
    rule: 'P35',
    fact: 'looks again when an event says that the holder stopped and EC2 says that it is healthy',
    given: { hint: hints.stopped(a) },
    answer: again('NOT_CONFIRMED', false),
  },
  {
    rule: 'P35',
    fact: 'records an alarm that EC2 does not confirm after the third later look, without calling anyone',
    given: { hint: hints.checkAlarm(a), look: 3 },
    answer: refuse('NOT_CONFIRMED', false),
  },
  {
    rule: '§7',
    fact: 'waits out an impaired check that no alarm speaks of',
    given: { members: { a: { is: 'impaired', sinceMs: now - minute } } },
    answer: nothing('WITHIN_CONFIRM'),
  },
  {
    rule: '§7',
    fact: 'leaves a stopped holder alone where state changes are not declared',
    given: { members: stoppedA, signals: { stateChanges: false }, hint: hints.stopped(a) },
    answer: nothing('SIGNAL_NOT_DECLARED'),
  },
  {
    rule: 'P33',
    fact: 'calls a human when a declared alarm is still red after its grace',
    given: {
      ...ownAlarm,
      alarms: { app: red(now - 10 * minute) },
      state: { lastMoveAtMs: now - 5 * minute },
    },
    answer: refuse('GRACE_PERIOD'),
  },
  {
    rule: 'P33',
    fact: 'leaves a declared alarm alone that is red within its grace',
    given: { ...ownAlarm, alarms: { app: red(now - second) }, state: { lastMoveAtMs: now - minute } },
    answer: nothing('GRACE_PERIOD'),
  },
  {
    rule: '§7',
    fact: 'leaves a suppressed alarm alone',
    given: {
      ...ownAlarm,
      alarms: { app: red(now - minute, 'maintenance-window') },
      hint: hints.alarm('app'),
    },
    answer: nothing('SUPPRESSED'),
  },
];

const deletable = { admin: { attachment: attachment(admin, a, { deleteOnTermination: true }) } };
const kept = { kind: 'keep', attachments: [{ eni: admin, attachment: attachmentOf(admin, a) }] };
const deletedWithItsHolder: Case[] = [
  {
    rule: '§5',
    fact: 'keeps an interface from being deleted with a healthy holder, and names no other',
    given: deletable,
    answer: kept,
  },
  {
    rule: '§5',
    fact: 'keeps an interface from being deleted with a holder whose health is unknown',
    given: { ...deletable, members: { a: 'initializing' } },
    answer: kept,
  },
  {
    rule: '§5',
    fact: 'keeps it when an event about another member led here',
    given: { ...deletable, members: { b: 'stopped' }, hint: hints.stopped(b) },
    answer: kept,
  },
  {
    rule: 'P35',
    fact: 'looks again first at an alarm that EC2 does not confirm',
    given: { ...deletable, hint: hints.checkAlarm(a) },
    answer: again('NOT_CONFIRMED', false),
  },
  ...(
    [
      ['while paused', { state: { pause: pause() } }],
      ['while the controller is paused', { controller: { pause: pause() } }],
      ['in mode observe', { policy: { mode: 'observe' } }],
      ['without the tag', { data: { tagged: false } }],
    ] as const
  ).map(
    ([when, given]): Case => ({
      rule: 'P30',
      fact: `changes no attribute ${when}`,
      given: { ...deletable, ...given },
      answer: nothing('HOLDER_HEALTHY'),
    }),
  ),
  {
    rule: '§5',
    fact: 'moves first: a failed holder is not a matter of attributes',
    given: { ...deletable, members: stoppedA },
    answer: move('failover', b),
  },
];

const failovers: Case[] = [
  ...(['stopping', 'stopped', 'shutting-down', 'terminated'] as const).map(
    (is): Case => ({
      rule: '§7',
      fact: `fails over by force, whatever led here, when the holder is ${is}`,
      given: { members: { a: is } },
      answer: move('failover', b, { source: a, detach: 'force', tried: [b] }),
    }),
  ),
  {
    rule: '§7',
    fact: 'fails over when a status alarm and EC2 agree',
    given: { members: { a: { is: 'impaired', sinceMs: now - second } }, hint: hints.checkAlarm(a) },
    answer: move('failover', b, { detach: 'force' }),
  },
  {
    rule: 'P33',
    fact: "detaches plainly first when only the application's alarm says so",
    given: { ...ownAlarm, alarms: { app: red(now - minute) } },
    answer: move('failover', b, { source: a, detach: 'plain-then-force', plainDetachMs: 5_000 }),
  },
  {
    rule: '§5',
    fact: 'goes to the next member where the preferred standby is quarantined',
    given: { members: stoppedA, state: quarantined(b) },
    answer: move('failover', c),
  },
  {
    rule: '§1',
    fact: 'goes to the first member in order, not to "the other one"',
    given: { on: c, members: { c: 'stopped' }, state: { lastSeen: seenOn(c) } },
    answer: move('failover', a, { source: c }),
  },
  {
    rule: '§5',
    fact: 'calls a human when no standby may take the interfaces, and says of each why',
    given: { members: { a: 'stopped', b: 'stopped', c: 'impaired' } },
    answer: {
      ...refuse('NO_ELIGIBLE_STANDBY'),
      members: [
        { member: b, code: 'NOT_RUNNING' },
        { member: c, code: 'CHECKS_FAILED' },
      ],
    },
  },
  {
    rule: 'P9',
    fact: 'moves nothing to standbys of which nobody knows how they are',
    given: { members: { a: 'stopped', b: 'checks-unread', c: 'checks-unread' } },
    answer: {
      code: 'NO_ELIGIBLE_STANDBY',
      members: [
        { member: b, code: 'UNKNOWN_HEALTH' },
        { member: c, code: 'UNKNOWN_HEALTH' },
      ],
    },
  },
  {
    rule: 'P9',
    fact: 'looks again at once, and calls nobody yet, when a standby could not be read',
    given: { members: { a: 'stopped', b: 'stopped', c: 'unread' } },
    answer: { kind: 'look-again', code: 'UNKNOWN_STATE', soon: true },
  },
  {
    rule: 'P33',
    fact: 'calls a human when no standby may take them, though it is the holder that could not be read',
    given: {
      ...ownAlarm,
      alarms: { app: red(now - minute) },
      members: { a: 'unread', b: 'stopped', c: 'stopped' },
    },
    answer: refuse('NO_ELIGIBLE_STANDBY'),
  },
  {
    rule: 'P29',
    fact: 'lets a confirmed failure supersede a request',
    given: { members: stoppedA, state: { request: request(c) } },
    answer: move('failover', b),
  },
];

const failed = { members: stoppedA };
const blocked: Case[] = [
  {
    rule: 'P30',
    fact: 'does not fail over a paused service',
    given: { ...failed, state: { pause: pause() } },
    answer: refuse('PAUSED'),
  },
  {
    rule: 'P30',
    fact: 'stays paused until a millisecond before the pause ends',
    given: { ...failed, state: { pause: pause(now + 1) } },
    answer: refuse('PAUSED'),
  },
  {
    rule: 'P30',
    fact: 'acts from the moment the pause ends',
    given: { ...failed, state: { pause: pause(now) } },
    answer: move('failover', b),
  },
  {
    rule: 'P30',
    fact: 'does not fail over while the controller is paused',
    given: { ...failed, controller: { pause: pause() } },
    answer: refuse('CONTROLLER_PAUSED'),
  },
  {
    rule: 'P30',
    fact: 'says what it would have done in mode observe',
    given: { ...failed, policy: { mode: 'observe' } },
    answer: { ...refuse('OBSERVE_ONLY'), detail: expect.stringContaining(`would have moved to ${b}`) },
  },
  {
    rule: 'P30',
    fact: 'says in mode observe that nothing would have taken it',
    given: { members: { a: 'stopped', b: 'stopped', c: 'stopped' }, policy: { mode: 'observe' } },
    answer: { ...refuse('OBSERVE_ONLY'), detail: expect.stringContaining('no standby is eligible') },
  },
  {
    rule: '§5',
    fact: 'refuses before the detach when an interface lacks the tag',
    given: { ...failed, admin: { tagged: false } },
    answer: { ...refuse('NOT_TAGGED'), detail: expect.stringContaining(admin) },
  },
  {
    rule: '§5',
    fact: 'refuses before the detach when the holder lacks the tag, for EC2 would refuse the detach',
    given: { members: { a: { is: 'stopped', tagged: false } } },
    answer: refuse('NOT_TAGGED'),
  },
  {
    rule: 'P31',
    fact: 'does not fail over in a braked zone',
    given: { ...failed, controller: { brakes: { [zone]: { sinceMs: now, services: ['x'] } } } },
    answer: { kind: 'refuse', code: 'BRAKE', callHuman: false },
  },
  {
    rule: 'P31',
    fact: 'fails over when another zone is braked',
    given: { ...failed, controller: { brakes: { 'eu-central-1b': { sinceMs: now, services: ['x'] } } } },
    answer: move('failover', b),
  },
  {
    rule: 'P32',
    fact: 'does not fail over once the budget of three is spent',
    given: { ...failed, state: { failoversAtMs: [now - 3 * minute, now - 2 * minute, now - minute] } },
    answer: refuse('BUDGET_SPENT'),
  },
  {
    rule: 'P32',
    fact: 'fails over the third time within the hour',
    given: { ...failed, state: { failoversAtMs: [now - 2 * minute, now - minute] } },
    answer: move('failover', b),
  },
  {
    rule: 'P32',
    fact: 'counts a failover until a millisecond before its hour is over',
    given: { ...failed, policy: { budgetPerHour: 1 }, state: { failoversAtMs: [now - 60 * minute + 1] } },
    answer: refuse('BUDGET_SPENT'),
  },
  {
    rule: 'P32',
    fact: 'no longer counts a failover of exactly an hour ago',
    given: { ...failed, policy: { budgetPerHour: 1 }, state: { failoversAtMs: [now - 60 * minute] } },
    answer: move('failover', b),
  },
];

const elsewhere: Case[] = [
  {
    rule: 'P9',
    fact: 'does nothing when an interface could not be read',
    given: { ...failed, on: { data: a, admin: 'unread' } },
    answer: again('UNKNOWN_STATE', true),
  },
  {
    rule: 'P10',
    fact: 'takes an attachment that a closed episode detached for a stale read',
    given: { ...failed, state: { detached: [attachmentOf(admin, a)] } },
    answer: again('UNKNOWN_STATE', true),
  },
  {
    rule: 'P11',
    fact: 'looks twice before it believes that an interface cannot be moved',
    given: { on: { data: a, admin: 'gone' } },
    answer: again('UNMOVABLE_INTERFACE', true),
  },
  {
    rule: 'P18',
    fact: 'calls a human when an interface is gone',
    given: { on: { data: a, admin: 'gone' }, believed: true },
    answer: refuse('UNMOVABLE_INTERFACE'),
  },
  {
    rule: 'P11',
    fact: 'looks twice before it believes a split',
    given: { on: { data: a, admin: b } },
    answer: again('SPLIT', true),
  },
  {
    rule: 'P28',
    fact: 'records a split and repairs nothing, even when a holder failed',
    given: { on: { data: a, admin: b }, believed: true, members: stoppedA },
    answer: { kind: 'record', code: 'SPLIT' },
  },
  {
    rule: 'P28',
    fact: 'records a split once',
    given: { on: { data: a, admin: b }, believed: true, state: { lastObserved: `SPLIT on ${a} and ${b}` } },
    answer: nothing('SPLIT'),
  },
  {
    rule: 'P28',
    fact: 'records another split again',
    given: { on: { data: a, admin: c }, believed: true, state: { lastObserved: `SPLIT on ${a} and ${b}` } },
    answer: { kind: 'record', code: 'SPLIT' },
  },
  {
    rule: 'P11',
    fact: 'looks twice before it believes that the holder is another',
    given: { on: b },
    answer: again('MOVED_BY_OTHERS', true),
  },
  {
    rule: 'P28',
    fact: 'records that somebody else moved the interfaces to another member',
    given: { on: b, believed: true },
    answer: { kind: 'record', code: 'MOVED_BY_OTHERS', holder: b },
  },
  {
    rule: 'P28',
    fact: 'records a move by others again once the controller had moved the service in between',
    given: {
      on: b,
      believed: true,
      state: { lastSeen: seenOn(c), lastObserved: `MOVED_BY_OTHERS found on ${b}` },
    },
    answer: { kind: 'record', code: 'MOVED_BY_OTHERS', holder: b },
  },
  {
    rule: 'P28',
    fact: 'protects the member that others moved the interfaces to, once that is on record',
    given: {
      on: b,
      members: { b: 'stopped' },
      state: { lastSeen: seenOn(b), lastObserved: `MOVED_BY_OTHERS found on ${b}` },
    },
    answer: move('failover', a, { source: b }),
  },
  {
    rule: 'P28',
    fact: 'records that somebody detached an interface and attached it to its holder again',
    given: {
      believed: true,
      state: { lastSeen: { ...seenOn(a), attachments: { [data]: attachmentOf(data, a, 7) } } },
    },
    answer: { kind: 'record', code: 'REATTACHED_BY_OTHERS', holder: a },
  },
  {
    rule: 'P11',
    fact: 'looks twice before it believes that somebody attached an interface anew',
    given: { state: { lastSeen: { ...seenOn(a), attachments: { [data]: attachmentOf(data, a, 7) } } } },
    answer: again('REATTACHED_BY_OTHERS', true),
  },
  {
    rule: 'P28',
    fact: 'records interfaces on an instance that is no member',
    given: { on: stranger, believed: true },
    answer: { kind: 'record', code: 'MOVED_BY_OTHERS', holder: stranger },
  },
  {
    rule: 'P28',
    fact: 'tells people once of interfaces on an instance that is no member, though it has never seen a holder',
    given: { on: stranger, believed: true, neverSeen: true },
    answer: { kind: 'record', code: 'MOVED_BY_OTHERS', holder: stranger },
  },
  {
    rule: 'S11',
    fact: 'leaves interfaces on an instance that is no member, even when it fails',
    given: {
      on: stranger,
      members: { stranger: 'stopped' },
      state: { lastSeen: seenOn(stranger), lastObserved: `MOVED_BY_OTHERS found on ${stranger}` },
    },
    answer: nothing('MOVED_BY_OTHERS'),
  },
  {
    rule: 'P28',
    fact: 'knows no mover where it has never seen a holder',
    given: { on: b, neverSeen: true },
    answer: nothing('HOLDER_HEALTHY'),
  },
];

const late = { mayDetach: [attachmentOf(data, a), attachmentOf(admin, a)] };
const onNothing: Case[] = [
  {
    rule: 'P11',
    fact: 'looks twice before it believes that an interface is on nothing',
    given: { ...failed, on: 'nothing' },
    answer: again('DETACHED_BY_OTHERS', true),
  },
  {
    rule: 'P27',
    fact: 'leaves an interface that somebody detached from a healthy holder',
    given: { on: 'nothing', believed: true },
    answer: { kind: 'record', code: 'DETACHED_BY_OTHERS' },
  },
  {
    rule: 'P27',
    fact: 'says where the rest is when somebody detached one interface',
    given: { on: { data: 'nothing', admin: a }, believed: true },
    answer: {
      kind: 'record',
      code: 'DETACHED_BY_OTHERS',
      detail: `${data} on nothing, the rest on ${a}`,
    },
  },
  {
    rule: 'P27',
    fact: 'records a detach by hand once',
    given: {
      on: 'nothing',
      believed: true,
      state: { lastObserved: `DETACHED_BY_OTHERS ${data}, ${admin} on nothing` },
    },
    answer: nothing('DETACHED_BY_OTHERS'),
  },
  {
    rule: 'P27',
    fact: 'leaves interfaces on nothing that it has never seen anywhere',
    given: { on: 'nothing', believed: true, neverSeen: true },
    answer: { kind: 'record', code: 'DETACHED_BY_OTHERS' },
  },
  {
    rule: 'P16',
    fact: 'takes a detach for its own as long as one may still take effect',
    given: { on: 'nothing', believed: true, state: { ...late, mayDetachUntilMs: now } },
    answer: move('rescue', a),
  },
  {
    rule: 'P16',
    fact: "takes it for a person's one millisecond later",
    given: { on: 'nothing', believed: true, state: { ...late, mayDetachUntilMs: now - 1 } },
    answer: { kind: 'record', code: 'DETACHED_BY_OTHERS' },
  },
  ...(['stopped', 'terminated', 'impaired', 'gone'] as const).map(
    (is): Case => ({
      rule: 'P27',
      fact: `rescues without a detach when the last holder is ${is}`,
      given: { on: 'nothing', believed: true, members: { a: is } },
      answer: move('rescue', b, {
        source: a,
        interfaces: [
          { eni: data, ours: [] },
          { eni: admin, ours: [] },
        ],
      }),
    }),
  ),
  {
    rule: 'P27',
    fact: 'looks again later when nobody knows how the last holder is',
    given: { on: 'nothing', believed: true, members: { a: 'initializing' } },
    answer: again('UNKNOWN_HEALTH', false),
  },
  {
    rule: 'L1',
    fact: 'calls a human when interfaces stay on nothing and the last holder stays unknown',
    given: { on: 'nothing', believed: true, members: { a: 'initializing' }, look: 3 },
    answer: refuse('UNKNOWN_HEALTH'),
  },
  {
    rule: 'P27',
    fact: 'brings what is on nothing beside the rest, where that is healthy',
    given: {
      on: { data: 'nothing', admin: c },
      believed: true,
      members: stoppedA,
    },
    answer: move('rescue', c),
  },
  {
    rule: 'P27',
    fact: 'takes the rest along to an eligible member where its holder failed',
    given: { on: { data: 'nothing', admin: a }, believed: true, members: stoppedA },
    answer: move('rescue', b, {
      interfaces: [{ eni: data }, { eni: admin, detach: attachmentOf(admin, a) }],
    }),
  },
  {
    rule: 'P28',
    fact: 'neither joins nor takes back what somebody put on an instance that is no member',
    given: { on: { data: 'nothing', admin: stranger }, believed: true, members: stoppedA },
    answer: { kind: 'record', code: 'SPLIT' },
  },
  {
    rule: 'S11',
    fact: 'never returns a late detach to an instance that is no member',
    given: {
      on: 'nothing',
      believed: true,
      members: { stranger: 'healthy' },
      state: { lastSeen: seenOn(stranger), mayDetach: [attachmentOf(data, stranger)] },
    },
    answer: { plan: { target: a } },
  },
  {
    rule: 'S11',
    fact: 'has no last resort in an instance that is no member',
    given: {
      on: 'nothing',
      believed: true,
      members: { a: 'stopped', b: 'stopped', c: 'stopped', stranger: 'impaired' },
      state: { lastSeen: seenOn(stranger) },
    },
    answer: refuse('NO_ELIGIBLE_STANDBY'),
  },
  {
    rule: 'P27',
    fact: 'does not rescue a paused service',
    given: { ...failed, on: 'nothing', believed: true, state: { pause: pause() } },
    answer: refuse('PAUSED'),
  },
  {
    rule: 'P28',
    fact: 'records what somebody attached elsewhere while a rescue is not allowed',
    given: { ...failed, on: { data: 'nothing', admin: c }, believed: true, state: { pause: pause() } },
    answer: { kind: 'record', code: 'SPLIT', detail: `${data} on nothing, the rest on ${c}` },
  },
  {
    rule: 'P30',
    fact: 'refuses a rescue in a pause where the rest is still on the failed holder',
    given: { ...failed, on: { data: 'nothing', admin: a }, believed: true, state: { pause: pause() } },
    answer: refuse('PAUSED'),
  },
  {
    rule: 'P30',
    fact: 'does not rescue while the controller is paused',
    given: { ...failed, on: 'nothing', believed: true, controller: { pause: pause() } },
    answer: refuse('CONTROLLER_PAUSED'),
  },
  {
    rule: 'P30',
    fact: 'does not rescue in mode observe',
    given: { ...failed, on: 'nothing', believed: true, policy: { mode: 'observe' } },
    answer: refuse('OBSERVE_ONLY'),
  },
  {
    rule: 'P30',
    fact: 'rescues in spite of brake and budget',
    given: {
      ...failed,
      on: 'nothing',
      believed: true,
      policy: { budgetPerHour: 1 },
      state: { failoversAtMs: [now - minute] },
      controller: { brakes: { [zone]: { sinceMs: now, services: ['x'] } } },
    },
    answer: move('rescue', b),
  },
  {
    rule: 'P20',
    fact: 'returns to the last holder when nothing else will have it',
    given: { on: 'nothing', believed: true, members: { a: 'impaired', b: 'stopped', c: 'stopped' } },
    answer: move('rescue', a),
  },
  {
    rule: '§5',
    fact: 'calls a human when nothing at all will have it',
    given: { on: 'nothing', believed: true, members: { a: 'gone', b: 'stopped', c: 'stopped' } },
    answer: refuse('NO_ELIGIBLE_STANDBY'),
  },
  {
    rule: 'P16',
    fact: 'brings a late detach of our own back to the last holder',
    given: { on: 'nothing', believed: true, state: { ...late, lastSeen: seenOn(a) } },
    answer: move('rescue', a),
  },
  {
    rule: 'P16',
    fact: 'brings it back to the last holder although others are preferred in the declaration',
    given: {
      on: 'nothing',
      believed: true,
      state: { lastSeen: seenOn(c), mayDetach: [attachmentOf(data, c)] },
    },
    answer: move('rescue', c),
  },
  {
    rule: 'P16',
    fact: 'looks twice even at a late detach of our own',
    given: { on: 'nothing', state: late },
    answer: again('DETACHED_BY_OTHERS', true),
  },
  {
    rule: 'P16',
    fact: 'takes a detach for its own where only one of the interfaces is known to be',
    given: {
      on: 'nothing',
      believed: true,
      state: { mayDetach: [attachmentOf(admin, a)], pause: pause() },
    },
    answer: move('rescue', a),
  },
  {
    rule: 'P16',
    fact: 'takes an interface elsewhere after a late detach when the last holder failed',
    given: { ...failed, on: 'nothing', believed: true, state: late },
    answer: move('rescue', b),
  },
  {
    rule: 'P16',
    fact: 'takes an attachment of an earlier life for nothing of its own',
    given: { on: 'nothing', believed: true, state: { mayDetach: [attachmentOf(data, b)] } },
    answer: { kind: 'record', code: 'DETACHED_BY_OTHERS' },
  },
  ...(
    [
      ['a pause', { state: { ...late, pause: pause() } }],
      ["the controller's pause", { state: late, controller: { pause: pause() } }],
      ['a brake', { state: late, controller: { brakes: { [zone]: { sinceMs: now, services: [] } } } }],
      ['the budget', { state: { ...late, failoversAtMs: [now, now, now] } }],
    ] as const
  ).map(
    ([what, given]): Case => ({
      rule: 'P16',
      fact: `repairs its own late detach in spite of ${what}`,
      given: { on: 'nothing', believed: true, ...given },
      answer: move('rescue', a),
    }),
  ),
];

const stranded = { stranded: strandedSince() };
const whileStranded: Case[] = [
  {
    rule: 'P26',
    fact: 'tries again with an eligible member while stranded',
    given: { on: 'nothing', believed: true, members: stoppedA, state: stranded },
    answer: move('rescue', b),
  },
  {
    rule: 'P26',
    fact: 'rescues what is stranded although the last holder is healthy: it takes precedence over P27',
    given: { on: 'nothing', believed: true, state: stranded },
    answer: move('rescue', b),
  },
  {
    rule: 'P26',
    fact: 'brings what is stranded beside the rest',
    given: { on: { data: c, admin: 'nothing' }, believed: true, state: stranded },
    answer: move('rescue', c),
  },
  {
    rule: 'P26',
    fact: 'does not bring what is stranded beside the rest where that failed',
    given: { on: { data: c, admin: 'nothing' }, believed: true, members: { c: 'stopped' }, state: stranded },
    answer: move('rescue', b),
  },
  {
    rule: 'P26',
    fact: 'brings together what is stranded over two members',
    given: { on: { data: a, admin: b }, believed: true, members: stoppedA, state: stranded },
    answer: move('rescue', b, {
      interfaces: [{ detach: attachmentOf(data, a) }, { detach: attachmentOf(admin, b) }],
    }),
  },
  {
    rule: 'P26',
    fact: 'goes back to the source of the stranded plan when nothing else will have it',
    given: {
      on: 'nothing',
      believed: true,
      neverSeen: true,
      members: { a: 'impaired', b: 'stopped', c: 'stopped' },
      state: stranded,
    },
    answer: move('rescue', a),
  },
  {
    rule: 'P26, P20',
    fact: 'does not go back to the source once another member was promoted, though nothing else will have it',
    given: {
      on: 'nothing',
      believed: true,
      neverSeen: true,
      members: { a: 'impaired', b: 'stopped', c: 'stopped' },
      state: { stranded: { ...stranded.stranded, promoted: true } },
    },
    answer: refuse('NO_ELIGIBLE_STANDBY'),
  },
  {
    rule: 'P26, P20',
    fact: 'brings nothing beside the rest on the source once another member was promoted',
    given: {
      on: { data: a, admin: 'nothing' },
      believed: true,
      state: { stranded: { ...stranded.stranded, promoted: true } },
    },
    answer: move('rescue', b),
  },
  {
    rule: 'P26, S10',
    fact: 'goes to an eligible member rather than to the quarantined source that was the last rung',
    given: {
      on: 'nothing',
      believed: true,
      state: { stranded: strandedSince(planTo(a, { source: a, tried: [b, c, a] })), ...quarantined(a) },
    },
    answer: move('rescue', b),
  },
  {
    rule: 'P26, P20',
    fact: 'goes to an eligible member rather than to the target that is not ready any more',
    given: {
      on: 'nothing',
      believed: true,
      members: stoppedA,
      readyWhen: { b: ['lag'] },
      alarms: { lag: 'ALARM' },
      state: stranded,
    },
    answer: move('rescue', c),
  },
  {
    rule: 'P26',
    fact: 'brings a split beside what already is on the target of the stranded plan',
    given: {
      on: { data: b, admin: c },
      believed: true,
      members: stoppedA,
      state: { stranded: strandedSince(planTo(c, { source: a })) },
    },
    answer: move('rescue', c),
  },
  {
    rule: 'P26',
    fact: 'does not rescue what is stranded while paused',
    given: { on: 'nothing', believed: true, state: { ...stranded, pause: pause() } },
    answer: refuse('PAUSED'),
  },
  {
    rule: 'P26',
    fact: 'rescues what is stranded in spite of brake and budget',
    given: {
      on: 'nothing',
      believed: true,
      members: stoppedA,
      state: { ...stranded, failoversAtMs: [now, now, now] },
      controller: { brakes: { [zone]: { sinceMs: now, services: [] } } },
    },
    answer: move('rescue', b),
  },
  ...[
    { what: 'a split', on: { data: a, admin: b } },
    { what: 'an interface on nothing', on: { data: a, admin: 'nothing' as const } },
  ].map(
    ({ what, on }): Case => ({
      rule: 'P11',
      fact: `looks twice before it acts on ${what}, stranded or not`,
      given: { on, state: stranded },
      answer: { kind: 'look-again', soon: true },
    }),
  ),
  {
    rule: 'P26',
    fact: 'is over once everything is together on one member, whoever did it',
    given: { on: c, state: stranded },
    answer: { kind: 'recovered', holder: c },
  },
  {
    rule: 'P26, P28',
    fact: 'is not over when everything is together on an instance that is no member',
    given: { on: stranger, believed: true, state: stranded },
    answer: { kind: 'record', code: 'MOVED_BY_OTHERS', holder: stranger },
  },
  {
    rule: 'P26, P28',
    fact: 'takes nothing away from an instance that is no member, though the rest is on nothing',
    given: { on: { data: 'nothing', admin: stranger }, believed: true, state: stranded },
    answer: { kind: 'record', code: 'SPLIT' },
  },
  {
    rule: 'P26, P28',
    fact: 'does not bring together what is split between a member and an instance that is none',
    given: { on: { data: b, admin: stranger }, believed: true, state: stranded },
    answer: { kind: 'record', code: 'SPLIT' },
  },
];

const asked = (more: Partial<ServiceState> = {}, to = b) => ({ state: { request: request(to), ...more } });
const requests: Case[] = [
  {
    rule: 'P29',
    fact: 'carries a request out plainly',
    given: asked(),
    answer: { ...move('switchover', b, { source: a, detach: 'plain' }), evidence: 'ada: patching' },
  },
  {
    rule: 'P29',
    fact: 'waits half a minute for a request with force before it forces',
    given: asked({ request: request(b, { force: true }) }),
    answer: move('switchover', b, { detach: 'plain-then-force', plainDetachMs: times.forcedMoveAfterMs }),
  },
  {
    rule: 'P29',
    fact: 'waits for a request with force as long as the service is patient',
    given: { ...asked({ request: request(b, { force: true }) }), policy: { plainDetach: '1m' } },
    answer: move('switchover', b, { detach: 'plain-then-force', plainDetachMs: minute }),
  },
  {
    rule: 'P29',
    fact: 'refuses what it asked for by itself where that is not declared any more',
    given: asked({ request: request(b, { kind: 'failback', byItself: true }) }),
    answer: { ...refuse('REQUEST_REFUSED'), detail: 'policy.failback is manual', request: 'r-1' },
  },
  {
    rule: 'P29',
    fact: 'carries out a failback as such, to the member that was asked for and no other',
    given: { state: { request: request(c, { kind: 'failback' }) } },
    answer: move('failback', c),
  },
  {
    rule: 'P29',
    fact: 'carries out a request that is exactly five minutes old',
    given: { state: { request: request(b, { atMs: now - times.requestTtlMs }) } },
    answer: move('switchover', b),
  },
  {
    rule: 'P29',
    fact: 'lets a request expire one millisecond later',
    given: { state: { request: request(b, { atMs: now - times.requestTtlMs - 1 }) } },
    answer: refuse('REQUEST_EXPIRED'),
  },
  {
    rule: '§1',
    fact: 'does not toggle when the target has the interfaces already',
    given: asked({}, a),
    answer: { ...refuse('REQUEST_REFUSED'), detail: `${a} has the interfaces already` },
  },
  {
    rule: 'P29',
    fact: 'refuses a target that may not take the interfaces, with its own reasons only',
    given: { ...asked(someQuarantined), members: { c: 'stopped' } },
    answer: { ...refuse('REQUEST_REFUSED'), members: [{ member: b, code: 'QUARANTINED' }] },
  },
  {
    rule: 'S11',
    fact: 'refuses a target that is no member',
    given: { ...asked({}, stranger), members: { stranger: 'healthy' } },
    answer: refuse('REQUEST_REFUSED'),
  },
  {
    rule: 'P29',
    fact: 'refuses a request while the interfaces are where somebody else put them, and people know',
    given: {
      ...asked(),
      on: { data: a, admin: b },
      believed: true,
      state: { request: request(b), lastObserved: `SPLIT on ${a} and ${b}` },
    },
    answer: { ...refuse('REQUEST_REFUSED'), request: 'r-1' },
  },
  {
    rule: 'P28',
    fact: 'refuses a request to move away from somebody else than who has the interfaces',
    given: { ...asked({ request: request(b, { from: c }) }) },
    answer: { ...refuse('REQUEST_REFUSED'), request: 'r-1' },
  },
  {
    rule: 'P29',
    fact: 'lets a request of that kind expire as any other',
    given: { ...asked({ request: request(b, { from: c, atMs: now - times.requestTtlMs - 1 }) }) },
    answer: { ...refuse('REQUEST_EXPIRED'), request: 'r-1' },
  },
  {
    rule: 'P29',
    fact: 'refuses a request while the holder is no member, and people know',
    given: { ...asked(), on: stranger, state: { request: request(b), lastSeen: seenOn(stranger) } },
    answer: { ...refuse('REQUEST_REFUSED'), request: 'r-1' },
  },
  {
    rule: 'P4',
    fact: 'leaves a request to whoever is at work on the service',
    given: asked({ lease: lease(now + second) }),
    answer: nothing('LEASE_HELD'),
  },
  {
    rule: 'P29',
    fact: 'ends an expired request together with the failover that it refuses',
    given: {
      ...failed,
      state: { pause: pause(), request: request(b, { atMs: now - times.requestTtlMs - 1 }) },
    },
    answer: { ...refuse('PAUSED'), request: 'r-1' },
  },
  {
    rule: 'P30',
    fact: 'does not carry out a request while paused',
    given: asked({ pause: pause() }),
    answer: refuse('PAUSED'),
  },
  {
    rule: 'P30',
    fact: 'does not carry out a request in mode observe',
    given: { ...asked(), policy: { mode: 'observe' } },
    answer: refuse('OBSERVE_ONLY'),
  },
  {
    rule: 'P30',
    fact: 'carries a request out in spite of brake and budget',
    given: {
      ...asked({ failoversAtMs: [now, now, now] }),
      controller: { brakes: { [zone]: { sinceMs: now, services: [] } } },
    },
    answer: move('switchover', b),
  },
];

const announces = (what: AnnouncementHint['what'], instanceIds = [a], detail = 'terminate') => ({
  hint: { kind: 'announcement', what, detail, instanceIds, atMs: now } as const,
});
const retirement = 'AWS_EC2_PERSISTENT_INSTANCE_RETIREMENT_SCHEDULED';
const kinds = [
  ['spot-interruption', 'onSpotInterruption', 'terminate'],
  ['rebalance', 'onRebalance', 'rebalance recommendation'],
  ['health', 'onRetirement', retirement],
] as const;
const leaves = { policy: { onSpotInterruption: 'switchover' } };
const told = { kind: 'record', code: 'ANNOUNCED' };
const spot = announces('spot-interruption');
const announcements: Case[] = [
  ...kinds.flatMap(([what, policy, detail]): Case[] => [
    {
      rule: 'P29',
      fact: `tells people of a ${what} of the holder, and moves nothing unless that is declared`,
      given: announces(what, [a], detail),
      answer: { ...told, detail },
    },
    {
      rule: 'P29',
      fact: `leaves the holder plainly at a ${what}, where ${policy} says switchover`,
      given: { ...announces(what, [a], detail), policy: { [policy]: 'switchover' } },
      answer: {
        ...move('switchover', b, { source: a, tried: [b], detach: 'plain' }),
        evidence: `AWS announces a ${what} for ${a}: ${detail}`,
      },
    },
    {
      rule: 'P29',
      fact: `tells people of a ${what} where only the other two are declared`,
      given: {
        ...announces(what, [a], detail),
        policy: Object.fromEntries(
          kinds.map(([, each]) => [each, each === policy ? 'notify' : 'switchover']),
        ),
      },
      answer: told,
    },
    {
      rule: 'P29',
      fact: `tells people of a ${what} of a standby`,
      given: { ...announces(what, [c], detail), policy: { [policy]: 'switchover' } },
      answer: told,
    },
    {
      rule: 'P29',
      fact: `tells people of a ${what} of an instance that is no member`,
      given: { ...announces(what, [stranger], detail), policy: { [policy]: 'switchover' } },
      answer: told,
    },
  ]),
  {
    rule: 'P29',
    fact: 'tells people of any other news that Health has about the holder',
    given: { ...announces('health', [a], 'AWS_EC2_MAINTENANCE'), policy: { onRetirement: 'switchover' } },
    answer: told,
  },
  {
    rule: 'P29',
    fact: 'leaves the holder where it is named among others',
    given: { ...announces('spot-interruption', [c, a]), ...leaves },
    answer: move('switchover', b),
  },
  {
    rule: 'P30',
    fact: 'does not leave an announced holder while paused',
    given: { ...spot, ...leaves, state: { pause: pause() } },
    answer: refuse('PAUSED'),
  },
  {
    rule: 'P30',
    fact: 'does not leave an announced holder while the controller is paused',
    given: { ...spot, ...leaves, controller: { pause: pause() } },
    answer: refuse('CONTROLLER_PAUSED'),
  },
  {
    rule: 'P30',
    fact: 'does not leave an announced holder in mode observe, and says where it would have gone',
    given: { ...spot, policy: { ...leaves.policy, mode: 'observe' } },
    answer: refuse('OBSERVE_ONLY'),
  },
  {
    rule: 'P30',
    fact: 'leaves an announced holder in spite of brake and budget',
    given: {
      ...spot,
      ...leaves,
      state: { failoversAtMs: [now, now, now] },
      controller: { brakes: { [zone]: { sinceMs: now, services: ['x'] } } },
    },
    answer: move('switchover', b),
  },
  {
    rule: 'P29',
    fact: 'refuses to leave an announced holder when no standby is eligible, with the reason of each',
    given: { ...spot, ...leaves, members: { b: 'stopped' }, state: quarantined(c) },
    answer: {
      ...refuse('NO_ELIGIBLE_STANDBY'),
      members: [
        { member: b, code: 'NOT_RUNNING' },
        { member: c, code: 'QUARANTINED' },
      ],
    },
  },
  {
    rule: 'P9',
    fact: 'looks again before it refuses, while a standby could not be read',
    given: { ...spot, ...leaves, members: { b: 'stopped', c: 'unread' } },
    answer: again('UNKNOWN_STATE', true),
  },
  {
    rule: 'P29',
    fact: 'carries out what a person asked for before what was announced',
    given: { ...spot, ...leaves, state: { request: request(c) } },
    answer: { ...move('switchover', c), evidence: 'ada: patching' },
  },
  {
    rule: 'S9',
    fact: 'fails over, by force, from an announced holder that has failed by now',
    given: { ...spot, ...leaves, ...failed },
    answer: move('failover', b, { detach: 'force' }),
  },
  {
    rule: 'P11',
    fact: 'looks again before it leaves an announced holder while the interfaces are split',
    given: { ...spot, ...leaves, on: { data: a, admin: b } },
    answer: again('SPLIT', true),
  },
  {
    rule: 'P9',
    fact: 'does not leave an announced holder while an interface is unread',
    given: { ...spot, ...leaves, on: { data: a, admin: 'unread' } },
    answer: again('UNKNOWN_STATE', true),
  },
  {
    rule: 'P4',
    fact: 'leaves an announced holder to whoever is at work on the service',
    given: { ...spot, ...leaves, state: { lease: lease(now + second) } },
    answer: nothing('LEASE_HELD'),
  },
  {
    rule: 'P14',
    fact: 'goes on with the open episode, whatever is announced meanwhile',
    given: { ...spot, ...leaves, ...failed, state: { episode: episodeOf(planTo(b, { source: a })) } },
    answer: goOn(b),
  },
];

const fromAToB = planTo(b, { source: a });
const open = (kind: 'failover' | 'switchover' | 'failback' | 'rescue' = 'failover', plan = fromAToB) => ({
  episode: kind === 'switchover' || kind === 'failback' ? askedFor(plan, kind) : episodeOf(plan, kind),
});
/** Nobody asked for it: AWS announced the loss of its source. */
const announced = (plan: Plan, more: Partial<Episode> = {}) => ({
  episode: episodeOf(plan, 'switchover', more),
});
const begun = { stages: { fence: { begunAtMs: now - second } }, committed: true };
const sourceless = ({ source: _, ...plan }: Plan): Plan => plan;
const plainly = planTo(b, { source: a, detach: 'plain' });
const splitBefore = planTo(b, {
  source: a,
  interfaces: [
    { eni: data, deviceIndex: 1, networkCardIndex: 0, ours: [], detach: attachmentOf(data, a) },
    { eni: admin, deviceIndex: 2, networkCardIndex: 0, ours: [], detach: attachmentOf(admin, b) },
  ],
});
const openEpisodes: Case[] = [
  {
    rule: 'P15',
    fact: 'ends a failover before its first detach when the holder recovered',
    given: { state: open() },
    answer: { kind: 'abort', outcome: 'ABORTED' },
  },
  {
    rule: 'P14',
    fact: 'goes on with a failover whose holder is still failed',
    given: { ...failed, state: open() },
    answer: goOn(b, { tried: [b], detach: 'force' }),
  },
  {
    rule: 'P14',
    fact: 'goes on with a failover whose check is impaired, whatever the confirm time',
    given: { members: { a: { is: 'impaired', sinceMs: now - second } }, hint: hints.watchdog, state: open() },
    answer: goOn(b),
  },
  {
    rule: 'P33',
    fact: "goes on with a failover while the application's alarm is red",
    given: { ...ownAlarm, alarms: { app: red(now - minute) }, state: open() },
    answer: goOn(b),
  },
  {
    rule: 'P9',
    fact: 'looks again, rather than call a failover off, when the alarm that began it cannot be read',
    given: { ...ownAlarm, alarms: { app: 'unread' }, hint: hints.watchdog, state: open() },
    answer: { kind: 'look-again' },
  },
  {
    rule: 'P15',
    fact: 'goes forward after the first detach although the holder recovered',
    given: { on: { data: 'nothing', admin: a }, state: open() },
    answer: goOn(b),
  },
  {
    rule: 'P15',
    fact: 'goes forward while a planned attachment is detaching',
    given: { data: { attachment: attachment(data, a, { status: 'detaching' }) }, state: open() },
    answer: goOn(b),
  },
  {
    rule: 'P9',
    fact: 'looks again at an open episode when an interface could not be read',
    given: { ...failed, on: { data: 'unread', admin: a }, state: open() },
    answer: again('UNKNOWN_STATE', true),
  },
  {
    rule: 'P10',
    fact: 'looks again at an open episode when EC2 shows an attachment that ended long ago',
    given: {
      ...failed,
      on: { data: c, admin: 'nothing' },
      state: { ...open(), detached: [attachmentOf(data, c)] },
    },
    answer: { kind: 'look-again', soon: true },
  },
  {
    rule: 'P10',
    fact: 'goes on with an open episode when EC2 does not show the attachment that ended',
    given: { ...failed, state: { ...open(), detached: [attachmentOf(data, c)] } },
    answer: goOn(b),
  },
  {
    rule: 'P9',
    fact: 'looks again before the first detach when the holder is unknown by now',
    given: { members: { a: 'initializing' }, state: open() },
    answer: again('UNKNOWN_HEALTH', true),
  },
  {
    rule: 'P30',
    fact: 'applies a pause to an episode that has not begun to move',
    given: { ...failed, state: { ...open(), pause: pause() } },
    answer: { kind: 'abort', outcome: 'REFUSED', why: expect.stringContaining('PAUSED') },
  },
  {
    rule: 'P30',
    fact: 'applies a pause to a planned move that has not begun to move',
    given: { state: { ...open('switchover', plainly), pause: pause() } },
    answer: { kind: 'abort', outcome: 'REFUSED', why: expect.stringContaining('PAUSED') },
  },
  {
    rule: 'P30',
    fact: 'applies a pause to a rescue that has not begun to move, though nobody knows who had the interfaces',
    given: {
      on: { data: a, admin: b },
      state: { ...open('rescue', sourceless(splitBefore)), pause: pause() },
    },
    answer: { kind: 'abort', outcome: 'REFUSED', why: expect.stringContaining('PAUSED') },
  },
  {
    rule: 'P14',
    fact: 'goes on with a failover whose source is not on record: nobody is there who could have recovered',
    given: { state: open('failover', sourceless(fromAToB)) },
    answer: goOn(b),
  },
  {
    rule: 'P30',
    fact: 'applies the brake to a failover that has not begun to move',
    given: {
      ...failed,
      state: open(),
      controller: { brakes: { [zone]: { sinceMs: now, services: ['x'] } } },
    },
    answer: { kind: 'abort', outcome: 'REFUSED', why: expect.stringContaining('BRAKE') },
  },
  {
    rule: 'P30',
    fact: 'brings an episode to its end in spite of pause and brake once something moved',
    given: {
      ...failed,
      on: { data: 'nothing', admin: a },
      state: { ...open(), pause: pause() },
      controller: { pause: pause(), brakes: { [zone]: { sinceMs: now, services: ['x'] } } },
    },
    answer: goOn(b),
  },
  {
    rule: 'S3',
    fact: 'calls an untouched episode off when no member is eligible any more',
    given: { members: { a: 'stopped', b: 'stopped', c: 'stopped' }, state: open() },
    answer: { kind: 'abort', outcome: 'REFUSED', why: expect.stringContaining('NO_ELIGIBLE_STANDBY') },
  },
  {
    rule: 'S3',
    fact: 'calls an untouched failover off when its source alone could take the interfaces',
    given: {
      ...ownAlarm,
      alarms: { app: red(now - minute) },
      members: { b: 'stopped', c: 'stopped' },
      state: open(),
    },
    answer: { kind: 'abort', outcome: 'REFUSED', why: expect.stringContaining('NO_ELIGIBLE_STANDBY') },
  },
  {
    rule: 'P9',
    fact: 'looks again, rather than go to a worse member, when the target has failed and another is not known',
    given: { members: { a: 'stopped', b: 'stopped', c: 'unread' }, on: 'nothing', state: open() },
    answer: again('UNKNOWN_STATE', true),
  },
  {
    rule: 'P20',
    fact: 'goes on with a target that has failed when every other member was tried',
    given: {
      members: { a: 'stopped', b: 'stopped' },
      on: 'nothing',
      state: open('failover', planTo(b, { source: a, tried: [c, a, b] })),
    },
    answer: goOn(b, { tried: [c, a, b] }),
  },
  {
    rule: 'P13',
    fact: 'takes the next rung into the plan when the target has failed meanwhile',
    given: { members: { a: 'stopped', b: 'stopped' }, on: 'nothing', state: open() },
    answer: goOn(c, { tried: [b, c] }),
  },
  {
    rule: 'P13',
    fact: 'chooses again before the first detach when the target is not eligible any more',
    given: { ...failed, state: { ...open(), ...quarantined(b) } },
    answer: goOn(c, { tried: [b, c] }),
  },
  {
    rule: 'P14',
    fact: 'keeps its target after the first detach although a lag alarm turned red, for the primary is gone',
    given: { ...failed, on: 'nothing', readyWhen: { b: ['lag'] }, alarms: { lag: 'ALARM' }, state: open() },
    answer: goOn(b, { tried: [b] }),
  },
  {
    rule: 'P20',
    fact: 'does not go back to a member that was tried',
    given: {
      members: { a: 'stopped', c: 'stopped' },
      on: 'nothing',
      state: open('failover', planTo(c, { source: a, tried: [b, c] })),
    },
    answer: goOn(c, { tried: [b, c] }),
  },
  {
    rule: 'P20',
    fact: 'stays with the source as its last rung',
    given: {
      on: 'nothing',
      members: stoppedA,
      state: open('failover', planTo(a, { source: a, tried: [b, c, a] })),
    },
    answer: goOn(a, { tried: [b, c, a] }),
  },
  {
    rule: 'P20',
    fact: 'stays with the source as its last rung, though it failed and another may take them by now',
    given: {
      on: 'nothing',
      members: stoppedA,
      state: open('failover', planTo(a, { source: a, tried: [b, a] })),
    },
    answer: goOn(a, { tried: [b, a] }),
  },
  {
    rule: 'P17',
    fact: 'forces a planned move once EC2 says that the holder failed',
    given: { ...failed, state: open('switchover', plainly) },
    answer: goOn(b, { detach: 'force' }),
  },
  {
    rule: 'P17',
    fact: 'forces nothing but what is on the member that EC2 says failed after it was chosen',
    given: {
      on: 'nothing',
      members: { b: 'stopped' },
      state: open('switchover', { ...plainly, target: c, tried: [b, c] }),
    },
    answer: goOn(c, { detach: 'plain', tried: [b, c], failed: [b] }),
  },
  {
    rule: 'P17',
    fact: 'names neither source nor target among the members that failed after they were chosen',
    given: {
      on: 'nothing',
      members: { a: 'stopped', b: 'stopped', c: 'stopped' },
      state: open('failover', planTo(c, { source: a, tried: [a, b, c] })),
    },
    answer: { kind: 'continue', plan: { ...planTo(c, { source: a, tried: [a, b, c] }), failed: [b] } },
  },
  {
    rule: 'P17',
    fact: 'goes on plainly with a planned move whose holder is healthy',
    given: { state: open('switchover', plainly) },
    answer: goOn(b, { detach: 'plain' }),
  },
  {
    rule: 'P29',
    fact: 'calls a planned move off, rather than surprise the operator with another target, when its own may not take it any more',
    given: { members: { b: 'stopped' }, state: open('switchover', plainly) },
    answer: { kind: 'abort', outcome: 'REFUSED' },
  },
  {
    rule: 'P29',
    fact: 'sends an announced move to the next eligible member when its own may not take it any more',
    given: { members: { b: 'stopped' }, state: announced(plainly) },
    answer: goOn(c, { tried: [b, c], detach: 'plain' }),
  },
  {
    rule: 'P29',
    fact: 'calls an announced move off when nobody may take the interfaces any more',
    given: { members: { b: 'stopped', c: 'stopped' }, state: announced(plainly) },
    answer: { kind: 'abort', outcome: 'REFUSED' },
  },
  {
    rule: 'P17',
    fact: 'forces an announced move once its source is gone',
    given: { ...failed, state: announced(plainly) },
    answer: goOn(b, { detach: 'force' }),
  },
  {
    rule: 'P30',
    fact: 'applies a pause to an announced move that has not begun',
    given: { state: { ...announced(plainly), pause: pause() } },
    answer: { kind: 'abort', outcome: 'REFUSED' },
  },
  {
    rule: 'P38',
    fact: 'goes forward once a fence was begun, though the holder is well again and all is as it was',
    given: { state: { episode: episodeOf(fromAToB, 'failover', begun) } },
    answer: goOn(b),
  },
  {
    rule: 'P38',
    fact: 'goes forward in spite of a pause once a fence was begun',
    given: { ...failed, state: { episode: episodeOf(fromAToB, 'failover', begun), pause: pause() } },
    answer: goOn(b),
  },
  {
    rule: 'P38',
    fact: 'goes forward in spite of the brake once a fence was begun',
    given: {
      ...failed,
      state: { episode: episodeOf(fromAToB, 'failover', begun) },
      controller: { brakes: { [zone]: { sinceMs: now, services: ['x'] } } },
    },
    answer: goOn(b),
  },
  {
    rule: 'P38',
    fact: 'keeps its target once a hook was begun, though that is less than perfect now',
    given: {
      readyWhen: { b: ['lag'] },
      alarms: { lag: 'ALARM' },
      state: announced(plainly, { stages: { '1/before.0': { begunAtMs: now } } }),
    },
    answer: goOn(b),
  },
  {
    rule: 'P38',
    fact: 'leaves a target that failed while a hook of it ran, before anything was detached',
    given: {
      members: { b: 'stopped' },
      state: announced(plainly, { stages: { '1/before.0': { begunAtMs: now } } }),
    },
    answer: goOn(c, { tried: [b, c] }),
  },
  {
    rule: 'P38',
    fact: 'goes back first with a move that was asked for, when its target failed while a hook of it ran',
    given: {
      members: { b: 'stopped' },
      state: { episode: { ...askedFor(plainly), stages: { '1/before.0': { begunAtMs: now } } } },
    },
    answer: goOn(a, { tried: [b, a] }),
  },
  {
    rule: 'P26',
    fact: 'does not force a rescue',
    given: {
      ...failed,
      on: 'nothing',
      state: open('rescue', planTo(b, { source: a, detach: 'plain-then-force' })),
    },
    answer: goOn(b, { detach: 'plain-then-force' }),
  },
  {
    rule: 'P14',
    fact: 'goes on with a rescue that has no source',
    given: { on: 'nothing', state: open('rescue', planTo(b)) },
    answer: goOn(b),
  },
  {
    rule: 'P14',
    fact: 'is done on its target even where that failed meanwhile: that is another failover',
    given: { members: { a: 'stopped', b: 'stopped' }, on: b, state: open() },
    answer: goOn(b, { tried: [b] }),
  },
  ...(
    [
      [
        'its readyWhen alarm is no longer OK',
        { readyWhen: { b: ['lag'] }, alarms: { lag: 'INSUFFICIENT_DATA' } },
      ],
      ['its checks are not known', { members: { a: 'stopped', b: 'insufficient-data' } }],
      ['it lost its tag', { members: { a: 'stopped', b: { tagged: false } } }],
    ] as const
  ).map(
    ([what, given]): Case => ({
      rule: 'P14, P18',
      fact: `does not take interfaces away again from the target that they rest on, though ${what}`,
      given: { ...failed, on: b, ...given, state: open() },
      answer: goOn(b, { tried: [b] }),
    }),
  ),
];

const tables: Readonly<Record<string, readonly Case[]>> = {
  'before anything else': beforeAnything,
  'a holder that is healthy or in doubt': healthyOrDoubtful,
  'an interface that would be deleted with its holder': deletedWithItsHolder,
  'a holder that failed': failovers,
  'what people and limits forbid': blocked,
  'interfaces elsewhere': elsewhere,
  'interfaces on nothing': onNothing,
  'a stranded service': whileStranded,
  "an operator's request": requests,
  'an announcement': announcements,
  'an open episode': openEpisodes,
};

it('lets a request wait that is not expired while it refuses a failover (P29)', () => {
  const q = world({ ...failed, state: { pause: pause(), request: request(b) } });
  expect(decide(q)).toMatchObject(refuse('PAUSED'));
  expect(decide(q)).not.toHaveProperty('request');
});

it('ends an expired request by a refusal only, not by a look that has to be taken again (P29)', () => {
  const expired = { request: request(b, { atMs: now - times.requestTtlMs - 1 }) };
  const answer = decide(world({ on: { data: a, admin: 'unread' }, state: expired }));
  expect(answer).toMatchObject(again('UNKNOWN_STATE', true));
  expect(answer).not.toHaveProperty('request');
});

it('refuses for good when the service has no members', () => {
  const q = world({ members: stoppedA });
  const service = { ...q.service, declaration: { ...q.service.declaration, members: [] } };
  expect(decide({ ...q, service })).toMatchObject(refuse('NO_MEMBERS'));
});

describe.each(Object.entries(tables))('%s', (_, cases) => {
  it.each(titled(cases))('%s', (_title, { given, answer }) => {
    expect(decide(world(given))).toMatchObject(answer);
  });
});

it('forgets that a member had failed which is well again (P17)', () => {
  const plan = { ...plainly, target: c, tried: [b, c] };
  const state = open('switchover', { ...plan, failed: [b] });
  expect(decide(world({ on: 'nothing', state }))).toMatchObject({
    kind: 'continue',
    plan: expect.not.objectContaining({ failed: expect.anything() }),
  });
});

describe('the tables', () => {
  /** Codes that parsing, the use case or the adapters give; `decide` has no say in them. */
  const ofOthers: readonly ReasonCode[] = [
    'FENCE_FAILED',
    'HOOK_FAILED',
    'NOT_SERVING',
    'MALFORMED_STATE',
    'NO_MEMBERS',
    'PERMISSION_DENIED',
    'STALE_EVENT',
    'STRANDED',
  ];
  const codeOf = (decision: Decision) => ('code' in decision ? [decision.code] : []);
  it('show every reason code that decide can give', () => {
    const shown = Object.values(tables).flatMap((cases) =>
      cases.flatMap(({ given }) => codeOf(decide(world(given)))),
    );
    expect([...new Set([...shown, ...ofOthers])].sort()).toEqual(Object.keys(reasons).sort());
  });
  it.each(Object.keys(reasons) as ReasonCode[])('can explain %s', (code) => {
    expect(reasons[code].meaning).toMatch(/\.$/);
    expect(reasons[code].wayOut.length).toBeGreaterThan(5);
  });
});

describe('the plan of a move', () => {
  it('covers all interfaces with index, card and the attachment each is to leave (P12)', () => {
    expect(makePlan(world({ policy: { plainDetach: '9s' } }), b, 'force', a)).toEqual({
      source: a,
      target: b,
      tried: [b],
      detach: 'force',
      plainDetachMs: 9_000,
      interfaces: [
        { eni: data, deviceIndex: 1, networkCardIndex: 0, ours: [], detach: attachmentOf(data, a) },
        { eni: admin, deviceIndex: 2, networkCardIndex: 0, ours: [], detach: attachmentOf(admin, a) },
      ],
    });
  });
  it('names no attachment for an interface on nothing, and no source where there is none', () => {
    const plan = makePlan(world({ on: { data: 'nothing', admin: 'unread' } }), b, 'plain');
    expect(plan).not.toHaveProperty('source');
    for (const each of plan.interfaces) expect(each).not.toHaveProperty('detach');
  });
});

describe('the next rung (P20)', () => {
  it.each<{ fact: string; given?: Sketch; tried: readonly (typeof a)[]; answer: typeof a | undefined }>([
    { fact: 'is the next eligible member', tried: [b], answer: c },
    { fact: 'is not a member that was tried', given: { members: { c: 'stopped' } }, tried: [b], answer: a },
    {
      fact: 'is the source, quarantined or not, when all others refused',
      given: { state: quarantined(a) },
      tried: [b, c],
      answer: a,
    },
    { fact: 'is the source even where it failed', given: failed, tried: [b, c], answer: a },
    { fact: 'is none once the source was tried', tried: [b, c, a], answer: undefined },
    { fact: 'is never a quarantined standby', given: { state: someQuarantined }, tried: [b], answer: a },
    {
      fact: 'keeps to the order of preference, with the source last though it is preferred',
      tried: [],
      answer: b,
    },
  ])('$fact', ({ given, tried, answer }) => {
    const target = tried.at(-1) ?? b;
    const rung = answer === undefined ? { kind: 'none' } : { kind: 'member', id: answer };
    expect(nextRung(world(given), planTo(target, { source: a, tried }))).toEqual(rung);
  });
  it('is none for a plan without source when every eligible member was tried', () => {
    expect(nextRung(world(), planTo(c, { tried: [a, b, c] }))).toEqual({ kind: 'none' });
  });
  it.each(['switchover', 'failback'] as const)(
    'of a %s is the source first, for nobody asked for another',
    (kind) => {
      const state = open(kind, planTo(b, { source: a, tried: [b], detach: 'plain' }));
      expect(nextRung(world({ state }), state.episode.plan)).toEqual({ kind: 'member', id: a });
    },
  );
  it('of an announced move is the next eligible member, for the source will be lost', () => {
    const state = announced(planTo(b, { source: a, tried: [b], detach: 'plain' }));
    expect(nextRung(world({ state }), state.episode.plan)).toEqual({ kind: 'member', id: c });
  });
  it('of an announced move that nobody else takes is the source', () => {
    const state = announced(planTo(c, { source: a, tried: [b, c], detach: 'plain' }));
    expect(nextRung(world({ state }), state.episode.plan)).toEqual({ kind: 'member', id: a });
  });
  it.each(['failover', 'switchover', 'failback', 'rescue'] as const)(
    'of a %s is not the source once an after hook was begun, for the target may be promoted',
    (kind) => {
      const plan = planTo(c, { source: a, tried: [b, c] });
      const stages = { '1/after.0': { begunAtMs: now } };
      const { episode } = open(kind, plan);
      const begunAfter = world({ state: { episode: { ...episode, stages } } });
      expect(nextRung(begunAfter, plan)).toEqual({ kind: 'none' });
    },
  );
  it('is the next eligible member, even of a move that was asked for, once an after hook was begun', () => {
    const plan = planTo(b, { source: a, tried: [b] });
    const episode = { ...askedFor(plan), stages: { '1/after.0': { begunAtMs: now } } };
    expect(nextRung(world({ state: { episode } }), plan)).toEqual({ kind: 'member', id: c });
  });
  it('of a planned move whose source refused as well is the next eligible member', () => {
    const state = open('switchover', planTo(a, { source: a, tried: [b, a], detach: 'plain' }));
    expect(nextRung(world({ state }), state.episode.plan)).toEqual({ kind: 'member', id: c });
  });
  it('does not wait for news of a member that was tried', () => {
    const unread = world({ members: { b: 'unread', c: 'stopped' } });
    expect(nextRung(unread, planTo(b, { source: a, tried: [b] }))).toEqual({ kind: 'member', id: a });
  });
  it('is unknown, not the failed source, while a member that was not tried could not be read (P9)', () => {
    const unread = world({ members: { c: 'unread' } });
    expect(nextRung(unread, planTo(b, { source: a, tried: [b] }))).toEqual({ kind: 'unknown' });
  });
});
