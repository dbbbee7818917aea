/** Reading the stored item: what cannot be understood is an error, and never a free lease. */
import { describe, expect, it } from 'vitest';
import { InvalidInputError } from '../../shared/core/errors.ts';
import {
  interfacesOf,
  isLeaseFree,
  isPaused,
  needsAttention,
  originKept,
  parseServiceState,
  type ServiceState,
  toService,
} from '../../shared/core/state.ts';
import { times } from '../../shared/core/times.ts';
import { waitingNotice } from '../fakes/notices.ts';
import {
  a,
  admin,
  attachmentOf,
  b,
  data,
  episodeOf,
  lease,
  now,
  pause,
  planTo,
  request,
  seenOn,
  stateOf,
  strandedSince,
  titled,
} from './world.ts';

const everything = {
  lease: lease(now),
  episode: episodeOf(planTo(b, { source: a }), 'failover', {
    eventAtMs: now,
    steps: [{ atMs: now, step: 'attach', eni: data, detail: 'x', durationMs: 5, times: 2 }],
    request: { id: 'r', author: 'ada', reason: 'x', byItself: true },
    stages: {
      fence: { begunAtMs: now },
      '1/before.0': { begunAtMs: now, handle: 'h', end: 'timed-out', endedAtMs: now + 1, output: 'x' },
    },
  }),
  request: request(b, { from: a, force: true, byItself: true }),
  frozen: { number: 1, kind: 'episode', atMs: now, body: '{}', hash: 'h', pointers: ['BY#DAY#x'] },
  outbox: [
    waitingNotice('d', {
      byHand: [{ do: 'start', instance: b }],
      section: 'FENCE_FAILED',
      instances: [a],
      enis: [data],
      alarms: ['x'],
      trail: { number: 1, headHash: 'h' },
      description: 'x',
      contacts: ['y'],
      asWritten: { subject: 'x', text: 'y' },
    }),
  ],
  movedBy: 'failover',
  failbackSuspended: { sinceMs: now, why: 'x' },
  lastSeen: seenOn(a),
  detached: [attachmentOf(data, b)],
  mayDetach: [attachmentOf(data, a)],
  quarantine: { [a]: { sinceMs: now, why: 'failed', healthySinceMs: now } },
  failoversAtMs: [now],
  lastMoveAtMs: now,
  pause: pause(),
  stranded: { ...strandedSince(), promoted: true, sourceFailed: true },
  lastRefusal: 'PAUSED',
  lastObserved: 'SPLIT',
  notReady: 'NO_ELIGIBLE_STANDBY',
  tombstone: true,
} satisfies Partial<ServiceState>;
const full = stateOf(everything);

describe('a stored item', () => {
  it('is read as it was written, with everything that it can hold', () => {
    expect(parseServiceState(JSON.parse(JSON.stringify(full)))).toEqual(full);
  });
  it('is read as it was written, with nothing that it may leave out', () => {
    expect(parseServiceState(stateOf())).toEqual(stateOf());
  });

  const without = (key: keyof ServiceState) =>
    Object.fromEntries(Object.entries(full).filter(([k]) => k !== key));
  const required: (keyof ServiceState)[] = [
    'name',
    'rev',
    'epoch',
    'nonce',
    'declared',
    'facts',
    'outbox',
    'detached',
    'mayDetach',
    'quarantine',
    'failoversAtMs',
    'trail',
  ];
  it.each(required)('without %s is not understood', (key) => {
    expect(() => parseServiceState(without(key))).toThrow(InvalidInputError);
  });
  it.each<[string, object]>([
    ['a lease that is null', { lease: null }],
    ['an empty lease', { lease: {} }],
    ['a lease under another name', { lease: { owner: 'w', expiresAt: now } }],
    ['a lease of nobody', { lease: { owner: '', untilMs: now } }],
    ['a lease until text', { lease: { owner: 'w', untilMs: '2026' } }],
    ['a lease until never', { lease: { owner: 'w', untilMs: Number.NaN } }],
    ['a lease for ever', { lease: { owner: 'w', untilMs: Number.POSITIVE_INFINITY } }],
    ['an episode without a plan', { episode: { ...full.episode, plan: undefined } }],
    [
      'a plan without target',
      { episode: { ...full.episode, plan: { ...full.episode?.plan, target: undefined } } },
    ],
    [
      'a plan with another manner',
      { episode: { ...full.episode, plan: { ...full.episode?.plan, detach: 'maybe' } } },
    ],
    ['an episode in an unknown state', { episode: { ...full.episode, state: 'DREAMING' } }],
    ['an episode without a proper id', { episode: { ...full.episode, id: 'seven' } }],
    ['an episode whose id is a list', { episode: { ...full.episode, id: ['orders-db.7'] } }],
    ['a stage without its begin', { episode: { ...full.episode, stages: { fence: { end: 'done' } } } }],
    [
      'a stage that ended in an unknown way',
      { episode: { ...full.episode, stages: { fence: { begunAtMs: 1, end: 'maybe' } } } },
    ],
    ['stages that are text', { episode: { ...full.episode, stages: 'fence' } }],
    ['an episode of an unknown kind', { episode: { ...full.episode, kind: 'repair' } }],
    ['a pause without end', { pause: { ...full.pause, untilMs: undefined } }],
    ['a negative rev', { rev: -1 }],
    ['half an epoch', { epoch: 0.5 }],
    ['detached things that are no attachments', { detached: [data] }],
    ['a tombstone that is a word', { tombstone: 'yes' }],
    ['a request of an unknown kind', { request: { ...full.request, kind: 'delete' } }],
  ])('with %s is not understood', (_, more) => {
    expect(() => parseServiceState({ ...full, ...more })).toThrow(/the stored service item is malformed/);
  });
  it.each([undefined, null, 'x', 7, [], {}])('that is %j is not understood', (row) => {
    expect(() => parseServiceState(row)).toThrow(InvalidInputError);
  });
});

describe('a stored declaration', () => {
  it('is understood beside the state', () => {
    const service = toService(stateOf());
    expect(interfacesOf(service)).toEqual([data, admin]);
    expect(service.rev).toBe(41);
  });
  it.each(['{}', 'null', '{', ''])('that is %j is an error with a name, not an accident', (declared) => {
    expect(() => toService({ ...stateOf(), declared })).toThrow(InvalidInputError);
  });
});

describe('a lease', () => {
  it.each(
    titled([
      { rule: 'P4', fact: 'is free when there is none', state: stateOf(), answer: true },
      {
        rule: 'P4',
        fact: 'is not free while it lasts',
        state: stateOf({ lease: lease(now + 1) }),
        answer: false,
      },
      { rule: 'P4', fact: 'is not free as it ends', state: stateOf({ lease: lease(now) }), answer: false },
      {
        rule: 'P4',
        fact: 'is not free at exactly the skew margin',
        state: stateOf({ lease: lease(now - times.skewMarginMs) }),
        answer: false,
      },
      {
        rule: 'P4',
        fact: 'is free one millisecond later',
        state: stateOf({ lease: lease(now - times.skewMarginMs - 1) }),
        answer: true,
      },
    ]),
  )('%s', (_title, { state, answer }) => {
    expect(isLeaseFree(state, now)).toBe(answer);
  });
});

describe('a service needs attention', () => {
  it.each<[string, Partial<ServiceState>]>([
    ['while an episode is open', { episode: everything.episode }],
    ['while it is stranded', { stranded: everything.stranded }],
    ['while a record is frozen', { frozen: everything.frozen }],
    ['while a request waits', { request: everything.request }],
    ['while a notice waits', { outbox: everything.outbox }],
  ])('%s', (_, more) => {
    expect(needsAttention(stateOf(more))).toBe(true);
  });
  it('not while it only remembers', () => {
    const { lastSeen, quarantine, lastRefusal, lastObserved, lastMoveAtMs } = everything;
    const memory = { lastSeen, quarantine, lastRefusal, lastObserved, lastMoveAtMs };
    expect(needsAttention(stateOf(memory))).toBe(false);
  });
});

describe('a pause', () => {
  it.each([
    ['is none where there is none', undefined, false],
    ['lasts until a millisecond before its end', pause(now + 1), true],
    ['is over at its end', pause(now), false],
  ])('%s', (_, given, answer) => {
    expect(isPaused(given, now)).toBe(answer);
  });
});

describe('whom a waiting request is to move', () => {
  it.each([
    ['is kept as it was stored', request(b, { from: b }), seenOn(a), { request: request(b, { from: b }) }],
    [
      'is who was seen last, where an older version did not store it',
      request(b),
      seenOn(a),
      { request: request(b, { from: a }) },
    ],
    ['is not known where nobody was ever seen', request(b), undefined, {}],
    ['is nobody where none waits', undefined, seenOn(a), {}],
  ])('%s', (_, asked, lastSeen, kept) => {
    const state = stateOf({ ...(asked && { request: asked }), ...(lastSeen && { lastSeen }) });
    expect(originKept(state)).toEqual(kept);
  });
});
