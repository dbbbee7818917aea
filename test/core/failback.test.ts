/** Going back by itself, rule by rule: when it is time, what speaks against it, and whose the last move was. */
import { describe, expect, it } from 'vitest';
import type { EpisodeKind, Outcome } from '../../shared/core/episode.ts';
import {
  againstFailback,
  awaitsFailback,
  failbackFromMs,
  isFailbackDue,
  movedByAfter,
  preferredSince,
  suspendsFailback,
} from '../../shared/core/failback.ts';
import type { ServiceState } from '../../shared/core/state.ts';
import {
  a,
  alarm,
  b,
  c,
  episodeOf,
  minute,
  now,
  pause,
  planTo,
  red,
  type Sketch,
  seenOn,
  stateOf,
  strandedSince,
  world,
} from './world.ts';

const policy = { failback: { after: '30m' } };
const due: Partial<ServiceState> = {
  movedBy: 'failover',
  preferredSinceMs: now - 30 * minute,
  lastMoveAtMs: now - 60 * minute,
  lastSeen: seenOn(b),
};
type Given = { readonly [K in keyof ServiceState]?: ServiceState[K] | undefined };
const away = (given: Given = {}, declared: object = policy) =>
  world({ policy: { ...declared }, on: b, state: { ...due, ...given } as Partial<ServiceState> });

describe('the preferred member’s time', () => {
  const began = now - 3 * minute;
  const cases: readonly (readonly [string, Sketch, number | undefined, number | undefined])[] = [
    ['begins when it could have the interfaces back', { on: b }, undefined, now],
    ['goes on while it could', { on: b }, began, began],
    ['ends when it could not', { on: b, members: { a: 'impaired' } }, began, undefined],
    ['does not begin while it could not', { on: b, members: { a: 'impaired' } }, undefined, undefined],
    ['ends when it has them', { on: a }, began, undefined],
    ['goes on while they are on their way', { on: { data: 'nothing', admin: b } }, began, began],
    ['does not begin on their way', { on: { data: 'nothing', admin: b } }, undefined, undefined],
  ];
  for (const [fact, sketch, before, answer] of cases)
    it(fact, () => {
      const { service, observation } = world({
        ...sketch,
        state: { ...(before !== undefined && { preferredSinceMs: before }) },
      });
      expect(preferredSince(service, observation, now)).toBe(answer);
    });

  it('does not begin where nobody is a member', () => {
    const { service, observation } = away({ preferredSinceMs: undefined });
    const nobody = { ...service, declaration: { ...service.declaration, members: [] } };
    expect(preferredSince(nobody, observation, now)).toBeUndefined();
  });

  it('must have lasted ten minutes before anybody fails back', () => {
    expect(failbackFromMs(away({ preferredSinceMs: now }).service)).toBe(now + 10 * minute);
    expect(failbackFromMs(away({ preferredSinceMs: undefined }).service)).toBeUndefined();
  });
});

describe('it is time', () => {
  const cases: readonly (readonly [string, boolean, Given, object?])[] = [
    ['after so long', true, {}],
    ['not a millisecond sooner', false, { preferredSinceMs: now - 30 * minute + 1 }],
    ['not while nobody has seen it eligible', false, { preferredSinceMs: undefined }],
    ['counted from the last move, if that was later', false, { lastMoveAtMs: now - 30 * minute + 1 }],
    ['where no move is known, too', true, { lastMoveAtMs: undefined }],
    ['not after the move of a person', false, { movedBy: undefined }],
    ['not after a failback', false, { movedBy: 'failback' }],
    ['not while it is suspended', false, { failbackSuspended: { sinceMs: 0, why: 'x' } }],
    ['not where it is manual', false, {}, {}],
  ];
  for (const [fact, answer, given, declared] of cases)
    it(fact, () => expect(isFailbackDue(away(given, declared).service, now)).toBe(answer));
});

describe('a look of its own', () => {
  it('is worth it where the time has not begun or is over, and not in between', () => {
    const asks = (state: Given) => awaitsFailback(away(state).service, undefined, now);
    expect(asks({ preferredSinceMs: undefined })).toBe(true);
    expect(asks({ preferredSinceMs: now })).toBe(false);
    expect(asks({})).toBe(true);
    expect(asks({ lastSeen: seenOn(a) })).toBe(false);
    expect(asks({ lastSeen: undefined, preferredSinceMs: undefined }), 'never seen').toBe(false);
    expect(asks({ failbackSuspended: { sinceMs: 0, why: 'x' } })).toBe(false);
  });

  it('is worth it in a pause only as long as the time was not stopped', () => {
    const inPause = (state: Given) => awaitsFailback(away(state).service, pause(), now);
    expect(inPause({})).toBe(true);
    expect(inPause({ preferredSinceMs: undefined })).toBe(false);
    expect(awaitsFailback(away({ pause: pause(), preferredSinceMs: now }).service, undefined, now)).toBe(
      true,
    );
  });
});

describe('against it speaks', () => {
  const against = (state: Given = {}, declared?: object) => {
    const { service, observation } = away(state, declared);
    return againstFailback(service, observation, b, now);
  };
  it('nothing where all is plain', () => expect(against()).toBeUndefined());
  it('whatever the item says', () => {
    expect(against({}, {})).toContain('manual');
    expect(against({ movedBy: undefined })).toContain('no failover of ours');
    expect(against({ failbackSuspended: { sinceMs: 0, why: 'it failed again' } })).toContain(
      'it failed again',
    );
  });
  it('a holder that is not plainly healthy', () => {
    const { service, observation } = world({ policy, on: b, members: { b: 'impaired' }, state: due });
    expect(againstFailback(service, observation, b, now)).toBe('instance check impaired');
  });

  const ofPreferred = { signals: { alarms: [{ arn: alarm('answers'), member: a }] } };
  const ofAll = { signals: { alarms: [{ arn: alarm('answers') }] } };
  const ofAnother = { signals: { alarms: [{ arn: alarm('answers'), member: c }] } };
  const okSince = (sinceMs: number | undefined) => ({
    alarms: { answers: { state: 'OK', transitionedAtMs: sinceMs } as const },
  });
  const whenRed = { alarms: { answers: red(now - 60 * minute) } };
  const signals: readonly (readonly [string, Sketch, string | undefined])[] = [
    ['its own signal that is red', { ...ofPreferred, ...whenRed }, 'alarm answers is ALARM'],
    ['everybody’s signal that is red', { ...ofAll, ...whenRed }, 'alarm answers is ALARM'],
    ['no signal of another member', { ...ofAnother, ...whenRed }, undefined],
    ['one that is gone', { ...ofPreferred, alarms: { answers: 'gone' } }, 'alarm answers is absent'],
    [
      'one that cannot be read',
      { ...ofPreferred, alarms: { answers: 'unread' } },
      'alarm answers is unknown',
    ],
    [
      'one that is OK, but not for long enough',
      { ...ofPreferred, ...okSince(now - 30 * minute + 1) },
      'alarm answers is OK only since 2026-11-21T01:30:00.001Z',
    ],
    [
      'none that was OK for as long as declared',
      { ...ofPreferred, ...okSince(now - 30 * minute) },
      undefined,
    ],
    ['none that was never anything else', { ...ofPreferred, ...okSince(undefined) }, undefined],
  ];
  for (const [fact, sketch, answer] of signals)
    it(fact, () => {
      const { service, observation } = world({ policy, on: b, state: due, ...sketch });
      expect(againstFailback(service, observation, b, now)).toBe(answer);
    });
});

describe('the last move', () => {
  const end = { outcome: 'COMPLETED' as Outcome, hasMoved: true, sourceFailed: true };
  const lastAfter = (
    kind: EpisodeKind,
    more: Partial<typeof end> = {},
    state: Partial<ServiceState> = {},
    source = a,
    request?: { byItself?: true },
  ) =>
    movedByAfter(
      stateOf(state),
      episodeOf(planTo(b, { source }), kind, {
        ...(request && { request: { id: 'r', author: 'x', reason: 'y', ...request } }),
      }),
      { ...end, ...more },
    );
  const byItself = { byItself: true } as const;
  const moved = { movedBy: 'failover' } as const;
  const stranded = { stranded: strandedSince() };

  it('is a failover once that is completed or left to a rescue', () => {
    expect(lastAfter('failover')).toBe('failover');
    expect(lastAfter('failover', { outcome: 'STRANDED', hasMoved: false })).toBe('failover');
    expect(lastAfter('failover', { outcome: 'ATTACHED' }, moved)).toBeUndefined();
    expect(lastAfter('failover', { outcome: 'NOTHING_TO_DO' }, moved)).toBeUndefined();
    expect(lastAfter('failover', { outcome: 'NEEDS_HUMAN', hasMoved: false })).toBeUndefined();
    expect(lastAfter('failover', { outcome: 'NEEDS_HUMAN', hasMoved: false }, moved)).toBe('failover');
    expect(lastAfter('failover', { sourceFailed: false }), 'for the application’s sake').toBe('failover');
    expect(lastAfter('failover', { outcome: 'RETURNED_TO_SOURCE' }, {}, b)).toBeUndefined();
    expect(lastAfter('failover', { outcome: 'RETURNED_TO_SOURCE' }, moved, b)).toBe('failover');
  });
  it('is what was rescued, not the rescue', () => {
    expect(lastAfter('rescue', {}, { ...stranded, ...moved })).toBe('failover');
    expect(lastAfter('rescue', {}, stranded), 'of a switchover').toBeUndefined();
    expect(lastAfter('rescue', {}, { ...stranded, ...moved }, b), 'back on its source').toBeUndefined();
    expect(lastAfter('rescue'), 'from a dead holder').toBe('failover');
    expect(lastAfter('rescue', { sourceFailed: false })).toBeUndefined();
    expect(lastAfter('rescue', { outcome: 'STRANDED', hasMoved: false })).toBeUndefined();
    expect(lastAfter('rescue', { sourceFailed: false }, moved)).toBe('failover');
    expect(lastAfter('rescue', { outcome: 'ATTACHED' }, moved)).toBeUndefined();
  });
  it.each(['switchover', 'failback'] as const)(
    'is nobody else’s after a %s that was asked for or announced',
    (kind) => {
      expect(lastAfter(kind, {}, moved, a, {})).toBeUndefined();
      expect(lastAfter(kind, {}, moved)).toBeUndefined();
      expect(lastAfter(kind, { outcome: 'RETURNED_TO_SOURCE' }, moved, b, {})).toBeUndefined();
      expect(lastAfter(kind, { outcome: 'STRANDED', hasMoved: false }, moved, a, {})).toBeUndefined();
      expect(lastAfter(kind, { outcome: 'ABORTED', hasMoved: false }, moved, a, {})).toBe('failover');
      expect(lastAfter(kind, { outcome: 'REFUSED', hasMoved: false }, moved, a, {})).toBe('failover');
    },
  );
  it('is a failback only where it was completed', () => {
    expect(lastAfter('failback', {}, moved, a, byItself)).toBe('failback');
    expect(lastAfter('failback', { hasMoved: false }, moved, a, byItself)).toBe('failover');
    expect(lastAfter('failback', { outcome: 'NOTHING_TO_DO' }, moved, a, byItself)).toBeUndefined();
    expect(lastAfter('failback', { outcome: 'RETURNED_TO_SOURCE' }, moved, b, byItself)).toBe('failover');
  });
});

describe('it is suspended', () => {
  const back = { movedBy: 'failback', lastMoveAtMs: now - 59 * minute } as const;
  const suspends = (
    kind: EpisodeKind,
    outcome: Outcome,
    state: Partial<ServiceState> = back,
    { sourceFailed = true, byItself = false } = {},
  ) =>
    suspendsFailback(
      stateOf(state),
      episodeOf(planTo(b, { source: a }), kind, {
        openedAtMs: now,
        ...(byItself && { request: { id: 'r', author: 'x', reason: 'y', byItself } }),
      }),
      { outcome, hasMoved: true, sourceFailed },
    ) !== undefined;

  it.each(['RETURNED_TO_SOURCE', 'STRANDED', 'NEEDS_HUMAN', 'ATTACHED', 'ABORTED', 'REFUSED'] as const)(
    'by one that ended %s',
    (outcome) => expect(suspends('failback', outcome, {}, { byItself: true })).toBe(true),
  );
  it('by no other end, and by nobody’s who asked', () => {
    expect(suspends('failback', 'COMPLETED', {}, { byItself: true })).toBe(false);
    expect(suspends('failback', 'NOTHING_TO_DO', {}, { byItself: true })).toBe(false);
    expect(suspends('failback', 'RETURNED_TO_SOURCE')).toBe(false);
  });
  it('by a failure within the hour', () => {
    expect(suspends('failover', 'COMPLETED')).toBe(true);
    expect(suspends('failover', 'STRANDED')).toBe(true);
    expect(suspends('rescue', 'COMPLETED')).toBe(true);
    expect(suspends('rescue', 'COMPLETED', back, { sourceFailed: false })).toBe(false);
    expect(suspends('switchover', 'COMPLETED')).toBe(false);
    expect(suspends('failover', 'ABORTED')).toBe(false);
    expect(suspends('failover', 'COMPLETED', { ...back, lastMoveAtMs: now - 60 * minute })).toBe(false);
    expect(suspends('failover', 'COMPLETED', { ...back, movedBy: 'failover' })).toBe(false);
  });
  it('once', () => {
    const failbackSuspended = { sinceMs: 0, why: 'x' };
    expect(suspends('failover', 'COMPLETED', { ...back, failbackSuspended })).toBe(false);
  });
});
