/** What is said of a past moment: each fact from the record that holds it, and the reason in one sentence. */
import { describe, expect, it } from 'vitest';
import type { TrailRecord } from '../../shared/core/audit-query.ts';
import type { Episode } from '../../shared/core/episode.ts';
import { explainAt, type Sources } from '../../shared/core/explain-at.ts';
import { toRecord } from '../../shared/core/trail-query.ts';
import { chained, episodeDraft, otherDraft } from '../app/written-trail.ts';
import { a, b, data, minute, now, second } from './world.ts';

const hour = 60 * minute;
const iso = (atMs: number) => new Date(atMs).toISOString();
const ann = 'arn:aws:iam::123456789012:user/ann';

const declaration = (more: object = {}) => ({
  name: 'orders-db',
  interfaces: [{ eni: data, deviceIndex: 1 }],
  members: [{ instance: a }, { instance: b }],
  ...more,
});
const registered = otherDraft(
  'change',
  now - 10 * hour,
  'REGISTERED',
  { declaration: declaration(), lastSeen: { holder: a, attachments: {} } },
  { author: ann },
);
const failedOver = (atMs: number, epoch = 1) =>
  episodeDraft({ service: 'orders-db', epoch, atMs, from: a, to: b, eni: data });
const refused = (atMs: number, code: string, members: object[] = []) =>
  otherDraft('refusal', atMs, code, { code, detail: 'as it was', members });
const paused = (atMs: number, untilMs: number) =>
  otherDraft('pause', atMs, 'PAUSED', { reason: 'patching', until: iso(untilMs) }, { author: ann });
const readiness = (atMs: number, code: string) =>
  otherDraft('readiness', atMs, 'NOT_READY', { code, ready: code === 'READY', members: [] });

type Draft = ReturnType<typeof otherDraft>;
const recordsOf = (drafts: readonly Draft[]): readonly TrailRecord[] =>
  chained('orders-db', drafts).records.map((each) => toRecord('orders-db', each));
const explain = (drafts: readonly Draft[], more: Partial<Sources> = {}) =>
  explainAt({
    service: 'orders-db',
    atMs: now,
    records: recordsOf(drafts),
    ofController: [],
    isWhole: true,
    ...more,
  });

describe('a past moment', () => {
  it('in which nothing was wrong: it was watching', () => {
    expect(explain([registered])).toMatchObject({
      verdict: 'watching',
      sentence: 'Nothing on record held it back, and nothing called for a move: it was watching.',
      blockers: [],
      registered: { number: 1, author: ann, mode: 'act', members: [a, b], interfaces: [data] },
      holder: { instance: a, number: 1 },
      pause: null,
      quarantined: [],
      episode: null,
      lastEpisode: null,
      trouble: null,
      lastRefusal: null,
      lastObserved: null,
      readiness: null,
      next: null,
    });
  });

  describe('within an episode', () => {
    const drafts = [registered, failedOver(now + 2 * second)];
    it('has the steps up to then, and how it ended later', () => {
      const past = explain(drafts);
      expect(past.verdict).toBe('acting');
      expect(past.episode).toMatchObject({
        id: 'orders-db.1',
        kind: 'failover',
        from: a,
        to: b,
        openedAt: iso(now - 4 * second),
        end: { number: 2, outcome: 'COMPLETED' },
      });
      expect(past.episode?.steps.map(({ step }) => step)).toEqual([
        'claimed',
        'detach',
        'available',
        'attach',
        'attached',
      ]);
      expect(past.sentence).toContain('It was acting: orders-db.1, a failover');
      expect(past.sentence).toContain('it ended COMPLETED');
      expect(past.next).toMatchObject({ number: 2, kind: 'episode', outcome: 'COMPLETED' });
    });
    it('says nothing yet of where it would end', () => {
      expect(explain(drafts)).toMatchObject({ holder: { instance: a }, quarantined: [], lastEpisode: null });
    });
    it('that is open still has no end', () => {
      const open = failedOver(now + second).facts['episode'] as Episode;
      expect(explain([registered], { open })).toMatchObject({ verdict: 'acting', episode: { end: null } });
    });
    it('is not the one that was opened later', () => {
      const open = failedOver(now + hour).facts['episode'] as Episode;
      expect(explain([registered, failedOver(now + minute)], { open }).episode).toBeNull();
    });
  });

  it('after an episode knows where it moved to, and who stayed out', () => {
    const past = explain([registered, failedOver(now - hour)]);
    expect(past).toMatchObject({
      verdict: 'watching',
      holder: { instance: b, number: 2 },
      lastEpisode: { id: 'orders-db.1', outcome: 'COMPLETED' },
      quarantined: [{ member: a, number: 2 }],
    });
    expect(past.unknown).toContainEqual(expect.stringMatching(/^Whether a quarantine had ended by itself/));
  });
  describe('after an episode that left the service stranded', () => {
    const stranded = (atMs: number, epoch = 1, outcome = 'STRANDED') => {
      const draft = failedOver(atMs, epoch);
      const facts = { ...draft.facts, why: 'EC2 refused the attach', attachedTo: { [data]: null } };
      return { ...draft, outcome, facts };
    };
    const since = now - hour;
    it('says since when it is down, and where the interfaces were', () => {
      const past = explain([registered, stranded(since)]);
      expect(past).toMatchObject({
        verdict: 'stranded',
        holder: { instance: null },
        trouble: { id: 'orders-db.1', outcome: 'STRANDED', at: iso(since), number: 2, tries: 1 },
        blockers: [{ code: 'STRANDED', wayOut: expect.stringContaining('every look tries again') }],
      });
      expect(past.sentence).toBe(
        `It was STRANDED since ${iso(since)}: EC2 refused the attach; ${data} on nothing. ` +
          'The controller was trying again by itself: a try that changed nothing leaves no record.',
      );
    });
    it('counts the tries on record, from the first', () => {
      expect(explain([registered, stranded(since), stranded(now - minute, 2)]).trouble).toMatchObject({
        at: iso(since),
        id: 'orders-db.2',
        tries: 2,
      });
    });
    it('is still stranded after a try that stopped, and in a pause says that nothing is tried', () => {
      const drafts = [registered, stranded(since), stranded(now - minute, 2, 'NEEDS_HUMAN')];
      expect(explain(drafts).verdict).toBe('stranded');
      const past = explain([...drafts, paused(now - second, now + hour)]);
      expect(past.blockers.map(({ code }) => code)).toEqual(['STRANDED', 'PAUSED']);
      expect(past.sentence).toContain('Nothing was tried any more: PAUSED (by ');
    });
    it('says so beside the try that is under way', () => {
      const past = explain([registered, stranded(since), failedOver(now + second, 2)]);
      expect(past.verdict).toBe('acting');
      expect(past.sentence).toContain(`It was STRANDED since ${iso(since)}`);
    });
    it.each([
      ['a rescue', failedOver(now - minute, 2)],
      ['a recovery', otherDraft('recovered', now - minute, 'RECOVERED', { holder: a })],
      ['an adoption', otherDraft('change', now - minute, 'ADOPTED', { from: a, to: b })],
      ['a new registration', { ...registered, atMs: now - minute, outcome: 'CHANGED' }],
    ])('and %s is watching again', (_, later) => {
      expect(explain([registered, stranded(since), later])).toMatchObject({
        verdict: 'watching',
        trouble: null,
      });
    });
    it('a change of the mode does not make it whole', () => {
      const mode = otherDraft('change', now - minute, 'CHANGED', {
        changes: ['policy.mode: observe → act'],
      });
      expect(explain([registered, stranded(since), mode]).verdict).toBe('stranded');
    });
  });
  it.each(['NEEDS_HUMAN', 'RETURNED_TO_SOURCE'])(
    'after a failover that ended %s waited for a person',
    (end) => {
      const past = explain([registered, { ...failedOver(now - hour), outcome: end }]);
      expect(past).toMatchObject({ verdict: 'needs-human', blockers: [{ code: end }] });
      expect(past.sentence).toContain(`orders-db.1, had ended ${end} at ${iso(now - hour)}`);
      const ack = otherDraft('ack', now - minute, 'ACKNOWLEDGED');
      const later = [registered, { ...failedOver(now - hour), outcome: end }, ack];
      expect(explain(later)).toMatchObject({ verdict: 'watching', trouble: null });
    },
  );
  it('after a switchover that somebody asked for and that stopped was watching all the same', () => {
    const asked = { service: 'orders-db', epoch: 1, atMs: now - hour, from: a, to: b, eni: data };
    const draft = episodeDraft({ ...asked, author: ann, outcome: 'NEEDS_HUMAN' });
    expect(explain([registered, draft]).verdict).toBe('watching');
  });

  it('after an acknowledgement has that member back', () => {
    const ack = otherDraft('ack', now - minute, 'ACKNOWLEDGED', { quarantinesEnded: `${a}, x` });
    expect(explain([registered, failedOver(now - hour), ack]).quarantined).toEqual([]);
    expect(
      explain([registered, failedOver(now - hour), { ...ack, facts: { quarantinesEnded: 'none' } }])
        .quarantined,
    ).toHaveLength(1);
  });
  it('after a quarantine that had an end has that member back', () => {
    const draft = failedOver(now - hour);
    const until = (untilMs: number) => ({
      ...draft,
      facts: { ...draft.facts, quarantined: [{ member: b, why: 'refused', untilMs }] },
    });
    expect(explain([registered, until(now)]).quarantined).toEqual([]);
    expect(explain([registered, until(now + 1)]).quarantined).toMatchObject([{ member: b }]);
  });

  it('in a pause would not have moved, and says who paused it and until when', () => {
    const past = explain([registered, paused(now - minute, now + hour)]);
    expect(past).toMatchObject({
      verdict: 'would-not-act',
      pause: { author: ann, reason: 'patching', until: iso(now + hour), number: 2 },
      blockers: [{ code: 'PAUSED', wayOut: 'resume it' }],
    });
    expect(past.sentence).toContain('It would not have moved by itself: PAUSED');
  });
  it.each([
    ['that had ended by itself', [paused(now - hour, now)]],
    ['that was resumed', [paused(now - hour, now + hour), otherDraft('resume', now - minute, 'RESUMED')]],
    ['that began later', [paused(now + 1, now + hour)]],
  ])('beside a pause %s was watching', (_, drafts) => {
    expect(explain([registered, ...drafts])).toMatchObject({ verdict: 'watching', pause: null });
  });

  it('in mode observe would not have moved', () => {
    const observing = { ...registered, facts: { declaration: declaration({ policy: { mode: 'observe' } }) } };
    expect(explain([observing])).toMatchObject({
      verdict: 'would-not-act',
      registered: { mode: 'observe' },
      blockers: [{ code: 'OBSERVE_ONLY' }],
    });
  });
  it('knows the mode that a command set later', () => {
    const mode = otherDraft('change', now - minute, 'CHANGED', { changes: ['policy.mode: act → observe'] });
    expect(explain([registered, mode]).registered).toMatchObject({ mode: 'observe', members: [a, b] });
  });

  it('under a refusal says what was refused and each member’s own reason', () => {
    const members = [{ member: b, code: 'QUARANTINED', detail: 'failed before' }];
    expect(explain([registered, refused(now - minute, 'NO_ELIGIBLE_STANDBY', members)])).toMatchObject({
      verdict: 'would-not-act',
      lastRefusal: { code: 'NO_ELIGIBLE_STANDBY', detail: 'as it was', members, number: 2 },
      blockers: [{ code: 'NO_ELIGIBLE_STANDBY', wayOut: expect.stringContaining('standby') }],
    });
  });
  it.each([
    ['an episode', failedOver(now - second)],
    ['an acknowledgement', otherDraft('ack', now - second, 'ACKNOWLEDGED')],
  ])('after %s no older refusal stands, though it is told', (_, later) => {
    const past = explain([registered, refused(now - minute, 'BUDGET_SPENT'), later]);
    expect(past).toMatchObject({ verdict: 'watching', lastRefusal: { code: 'BUDGET_SPENT' } });
  });
  it('a refusal that passes by itself does not stand', () => {
    expect(explain([registered, refused(now - minute, 'NOT_CONFIRMED')]).verdict).toBe('watching');
  });

  it('without a standby says so, also where nothing had failed', () => {
    expect(explain([registered, readiness(now - minute, 'NO_STANDBY_LEFT')])).toMatchObject({
      verdict: 'would-not-act',
      readiness: { ready: false, code: 'NO_STANDBY_LEFT' },
    });
    expect(
      explain([registered, readiness(now - 2, 'NO_STANDBY_LEFT'), readiness(now - 1, 'READY')]).verdict,
    ).toBe('watching');
  });
  it('after a failover does not say any more that no standby was left: one took over', () => {
    const past = explain([registered, readiness(now - minute, 'NO_STANDBY_LEFT'), failedOver(now - second)]);
    expect(past).toMatchObject({ verdict: 'watching', blockers: [], readiness: { number: 2 } });
    expect(past.unknown).toContainEqual(expect.stringContaining('looked at once a minute'));
    const refusing = { ...failedOver(now - second), outcome: 'REFUSED' };
    const still = explain([registered, readiness(now - minute, 'NO_STANDBY_LEFT'), refusing]);
    expect(still.blockers).toMatchObject([{ code: 'NO_STANDBY_LEFT' }]);
  });
  it('in which only the holder was not well could have moved', () => {
    expect(explain([registered, readiness(now - minute, 'HOLDER_NOT_HEALTHY')]).verdict).toBe('watching');
  });

  it('knows what other people had done', () => {
    const observed = otherDraft('observed', now - minute, 'SPLIT', {
      code: 'SPLIT',
      detail: 'on two',
      attachedTo: { [data]: a, x: b },
    });
    expect(explain([registered, observed])).toMatchObject({
      lastObserved: { code: 'SPLIT', detail: 'on two' },
      holder: { instance: null, number: 2 },
    });
  });
  it('knows what was adopted and what recovered', () => {
    const adopted = otherDraft('change', now - 2, 'ADOPTED', { from: a, to: b });
    expect(explain([registered, adopted]).holder).toMatchObject({ instance: b });
    const recovered = otherDraft('recovered', now - 1, 'RECOVERED', { holder: a });
    expect(explain([registered, adopted, recovered]).holder).toMatchObject({ instance: a });
  });

  it('before the first record was not registered yet', () => {
    expect(explain([{ ...registered, atMs: now + 1 }])).toMatchObject({
      verdict: 'not-registered',
      sentence: `It was not registered yet at ${iso(now)}.`,
      next: { number: 1, outcome: 'REGISTERED' },
    });
  });
  it('after the service was unregistered says so', () => {
    const gone = otherDraft('change', now - minute, 'UNREGISTERED');
    expect(explain([registered, gone])).toMatchObject({
      verdict: 'not-registered',
      sentence: `It was not registered any more at ${iso(now)}.`,
    });
    expect(explain([registered, gone, { ...registered, atMs: now - second }]).verdict).toBe('watching');
  });
  it('further back than what was read is not known', () => {
    const past = explain([failedOver(now - minute)], { isWhole: false });
    expect(past).toMatchObject({ verdict: 'unknown', registered: null });
    expect(past.unknown).toContain('What was recorded before the oldest record that was read.');
    expect(explain([], { isWhole: false }).verdict).toBe('unknown');
  });
  describe('of everything', () => {
    const until = (atMs: number) => ({ reason: 'network works', until: iso(atMs) });
    const toAll = (drafts: readonly Draft[]) => ({
      ofController: chained('*', drafts).records.map((each) => toRecord('*', each)),
    });
    const paused = otherDraft('pause', now - minute, 'CONTROLLER_PAUSED', until(now + minute), {
      author: ann,
    });
    const released = otherDraft('ack', now - second, 'BRAKE_RELEASED', { zone: 'us-east-1a' });
    const unknown = expect.stringMatching(/^Whether everything was paused/);

    it('paused: it would not have moved, and says by whom and why', () => {
      const past = explain([registered], toAll([paused, released]));
      expect(past).toMatchObject({
        verdict: 'would-not-act',
        blockers: [
          { code: 'CONTROLLER_PAUSED', detail: `by ${ann} until ${iso(now + minute)}: network works` },
        ],
        pause: null,
        controllerPause: { number: 1, author: ann, reason: 'network works', until: iso(now + minute) },
      });
      expect(past.unknown).not.toContainEqual(unknown);
    });
    it.each<[string, readonly Draft[]]>([
      ['resumed before', [paused, otherDraft('resume', now - second, 'CONTROLLER_RESUMED')]],
      ['paused until before', [otherDraft('pause', now - hour, 'CONTROLLER_PAUSED', until(now))]],
    ])('%s: nothing held it back', (_, drafts) => {
      const past = explain([registered], toAll(drafts));
      expect(past).toMatchObject({ verdict: 'watching', controllerPause: null });
      expect(past.unknown).not.toContainEqual(unknown);
    });
    it('paused later: that is not known of the moment before', () => {
      const later = otherDraft('pause', now + second, 'CONTROLLER_PAUSED', until(now + hour));
      const past = explain([registered], toAll([later]));
      expect(past).toMatchObject({ verdict: 'watching', controllerPause: null });
      expect(past.unknown).toContainEqual(unknown);
    });
  });
  it('says what no trail can know', () => {
    const { unknown } = explain([registered], { open: 'unreadable' });
    expect(unknown).toEqual([
      'What EC2 and CloudWatch showed at that moment: only what led to a record was written down.',
      'Whether the brake of the zone was on, unless a refusal says so.',
      "Whether everything was paused: the controller's own trail has no pause from before that moment.",
      'Whether a failover would have worked at that very second: that is looked at once a minute, and only a change is recorded.',
      "Whether an episode is open now: the service's item cannot be understood.",
    ]);
  });
});
