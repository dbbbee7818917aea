/** What every StateStore promises, told as one suite: the table's adapter and the in-memory fake both run it. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Guard, StateStore, WriteResult } from '../../shared/app/ports.ts';
import type { Episode } from '../../shared/core/episode.ts';
import { PortError } from '../../shared/core/errors.ts';
import type {
  AlarmArn,
  AttachmentId,
  EniId,
  InstanceId,
  OwnerId,
  ServiceName,
} from '../../shared/core/ids.ts';
import type { Plan } from '../../shared/core/plan.ts';
import type {
  ControllerItem,
  Frozen,
  OperatorRequest,
  Pause,
  ServiceState,
  Stranded,
} from '../../shared/core/state.ts';
import { waitingNotice } from '../fakes/notices.ts';

export interface StoreUnderTest {
  readonly store: StateStore;
  /** That many of the next answers are lost on their way back: what was asked has been done all the same. */
  loseAnswers(count: number): void;
  /** Sets attributes of a service's stored item as they are given, without a condition; undefined removes one. */
  tamper(name: ServiceName, attributes: Readonly<Record<string, unknown>>): Promise<void>;
  close(): Promise<void>;
}

const ORDERS = 'orders-db' as ServiceName;
const BILLING = 'billing' as ServiceName;
const ENI = 'eni-0a1b2c3d4e5f60001' as EniId;
const OTHER_ENI = 'eni-0a1b2c3d4e5f60002' as EniId;
const HOLDER = 'i-0a1b2c3d4e5f60001' as InstanceId;
const STANDBY = 'i-0a1b2c3d4e5f60002' as InstanceId;
const ATTACHMENT = 'eni-attach-0a1b2c3d4e5f60001' as AttachmentId;
const OTHER_ATTACHMENT = 'eni-attach-0a1b2c3d4e5f60002' as AttachmentId;
const ALARM = 'arn:aws:cloudwatch:us-east-1:123456789012:alarm:orders #1: down/ü' as AlarmArn;
const ZONE = 'us-east-1a';
const OTHER_ZONE = 'us-east-1b';
const US = 'owner-us' as OwnerId;
const THEM = 'owner-them' as OwnerId;

/** In the middle of a minute, so that nothing depends on where a minute ends. */
const NOW = Date.parse('2026-11-21T02:11:30.000Z');
const second = 1_000;
const minute = 60 * second;

/** A registered service to which nothing has happened yet: every optional field is unset. */
export const bareState = (name: ServiceName = ORDERS): ServiceState => ({
  name,
  rev: 1,
  epoch: 0,
  nonce: `${name}-1`,
  declared: JSON.stringify({
    name,
    interfaces: [{ eni: ENI, deviceIndex: 1 }],
    members: [{ instance: HOLDER }, { instance: STANDBY }],
  }),
  facts: {
    availabilityZone: ZONE,
    limits: {
      'm7g.large': { interfaces: 3, interfacesPerCard: [3], ipv4PerInterface: 10, ipv6PerInterface: 10 },
    },
  },
  registeredBy: 'arn:aws:iam::123456789012:user/ann',
  outbox: [],
  detached: [],
  mayDetach: [],
  quarantine: {},
  failoversAtMs: [],
  trail: { next: 1, head: '' },
});

const plan: Plan = {
  source: HOLDER,
  target: STANDBY,
  tried: [STANDBY],
  detach: 'plain-then-force',
  plainDetachMs: 5_000,
  interfaces: [
    {
      eni: ENI,
      deviceIndex: 1,
      networkCardIndex: 0,
      detach: ATTACHMENT,
      ours: [OTHER_ATTACHMENT],
      leavingSinceMs: NOW - 3,
      leavingTakenMs: NOW - 2,
    },
    { eni: OTHER_ENI, deviceIndex: 2, networkCardIndex: 1, ours: [] },
  ],
};

const pause: Pause = { reason: 'maintenance', author: 'ann', atMs: NOW, untilMs: NOW + minute };
const stranded: Stranded = { sinceMs: NOW, plan, why: 'nothing takes it', tries: 3 };

export const frozenRecord = (number: number): Frozen => {
  const body = JSON.stringify({ number, service: ORDERS, why: 'line 1\nline 2 — “ü” \u0000 😀' });
  return {
    number,
    kind: 'episode',
    atMs: NOW + number,
    outcome: 'COMPLETED',
    author: 'eni-failover',
    body,
    hash: `hash-of-${number}`,
    pointers: [`BY#INSTANCE#${HOLDER}`, `BY#ENI#${ENI}`, 'BY#AUTHOR#eni-failover', 'BY#DAY#2026-11-21'],
  };
};

/** The controller's item with its next record frozen, and this beside it. */
const itemBehind = (
  { frozen: _, ...item }: ControllerItem,
  change: Pick<ControllerItem, 'pause'>,
  by = 'us',
): ControllerItem => {
  const frozen = { ...frozenRecord(item.trail.next), hash: `hash-of-${item.trail.next}-${by}` };
  return { ...item, ...change, frozen, trail: { next: frozen.number + 1, head: frozen.hash } };
};

/** Every optional field set, each list with something in it. */
export const fullState = (name: ServiceName = ORDERS): ServiceState => ({
  ...bareState(name),
  rev: 41,
  epoch: 7,
  nonce: `${name}-41`,
  lease: { owner: US, untilMs: NOW + 15 * second },
  episode: {
    id: `${name}.7`,
    kind: 'switchover',
    state: 'ATTACHING',
    evidence: 'requested by ann',
    eventAtMs: NOW - 2 * second,
    openedAtMs: NOW - second,
    plan,
    committed: true,
    steps: [
      { atMs: NOW, step: 'claimed' },
      { atMs: NOW + 1, step: 'attach', detail: 'accepted', eni: ENI, durationMs: 312.5, times: 2 },
    ],
    request: { id: 'request-1', author: 'ann', reason: 'patching' },
  },
  request: { id: 'request-2', kind: 'failback', target: HOLDER, author: 'bob', reason: 'back', atMs: NOW },
  frozen: frozenRecord(12),
  outbox: [
    waitingNotice(`${name}.6.COMPLETED`, {
      atMs: NOW,
      lines: ['To: a standby'],
      byHand: [{ do: 'detach', eni: ENI, attachment: ATTACHMENT, force: true }],
      data: { to: STANDBY, members: [{ member: STANDBY }], tookMs: 1.5, none: null },
      trail: { number: 12, headHash: 'h12' },
      contacts: ['db@example.com'],
    }),
  ],
  lastSeen: { holder: HOLDER, attachments: { [ENI]: ATTACHMENT } },
  detached: [ATTACHMENT],
  mayDetach: [OTHER_ATTACHMENT],
  quarantine: {
    [HOLDER]: { sinceMs: NOW, why: 'failed', healthySinceMs: NOW + 1 },
    [STANDBY]: { sinceMs: NOW, why: 'failed' },
  },
  failoversAtMs: [NOW - minute, NOW],
  lastMoveAtMs: NOW,
  pause,
  stranded,
  lastRefusal: 'NO_ELIGIBLE_STANDBY',
  notReady: 'no standby is eligible',
  lastObserved: 'SPLIT on two',
  trail: { next: 13, head: 'hash-of-12' },
  tombstone: true,
});

/** The state after one more write, as every writer leaves it: a new rev and a nonce of its own. */
const next = (state: ServiceState, nonce: string, change: Partial<ServiceState> = {}): ServiceState => ({
  ...state,
  ...change,
  rev: state.rev + 1,
  nonce,
});
const without = <K extends keyof ServiceState>(state: ServiceState, key: K): Omit<ServiceState, K> => {
  const { [key]: _, ...rest } = state;
  return rest;
};

/** A write whose answers may be lost: what it answered, or that nobody answered. */
async function outcome(write: Promise<WriteResult>): Promise<WriteResult | { readonly kind: 'unanswered' }> {
  try {
    return await write;
  } catch (error) {
    if (error instanceof PortError && error.mayRetry) return { kind: 'unanswered' };
    throw error;
  }
}

/** More than any adapter tries. */
const ALL_ANSWERS = 50;

/** `make` gives a store with nothing in it; each test has its own. */
export function stateStoreContract(make: () => Promise<StoreUnderTest>): void {
  let under: StoreUnderTest;
  let store: StateStore;
  beforeEach(async () => {
    under = await make();
    store = under.store;
  });
  afterEach(() => under.close());

  const stored = async (name: ServiceName = ORDERS): Promise<ServiceState> => {
    const fact = await store.read(name);
    if (fact.kind !== 'known') throw new Error(`${name} is ${fact.kind}`);
    return fact.value;
  };
  const created = async (state: ServiceState): Promise<ServiceState> => {
    expect(await store.create(state)).toBe('created');
    return state;
  };

  describe('create and read', () => {
    it('a service that was never registered is absent', async () => {
      expect(await store.read(ORDERS)).toStrictEqual({ kind: 'absent' });
    });
    it.each([
      ['every optional field unset', bareState()],
      ['every optional field set', fullState()],
    ])('an item with %s comes back as it was', async (_, state) => {
      await created(state);
      expect(await store.read(ORDERS)).toStrictEqual({ kind: 'known', value: state });
    });
    it('what is read is not what others hold in their hands', async () => {
      await created(fullState());
      expect(await stored()).not.toBe(await stored());
    });
    it('two services keep apart', async () => {
      await created(bareState(ORDERS));
      await created(fullState(BILLING));
      expect(await stored(ORDERS)).toStrictEqual(bareState(ORDERS));
      expect(await stored(BILLING)).toStrictEqual(fullState(BILLING));
    });
    it('a second registration leaves the first as it is', async () => {
      await created(bareState());
      expect(await store.create({ ...fullState(), nonce: 'another' })).toBe('exists');
      expect(await stored()).toStrictEqual(bareState());
    });
    it('a registration whose answer was lost is created', async () => {
      under.loseAnswers(1);
      const answer = await store.create(bareState()).catch(() => 'unanswered');
      if (answer === 'unanswered') expect(await store.create(bareState())).toBe('created');
      else expect(answer).toBe('created');
      expect(await stored()).toStrictEqual(bareState());
    });
    it('of two registrations at once one creates the item', async () => {
      const answers = await Promise.all([
        store.create({ ...bareState(), nonce: 'a' }),
        store.create({ ...bareState(), nonce: 'b' }),
      ]);
      expect([...answers].sort()).toEqual(['created', 'exists']);
      expect((await stored()).nonce).toBe(answers[0] === 'created' ? 'a' : 'b');
    });
    it.each<[string, unknown]>([
      ['without an end', { owner: US }],
      ['without an owner', { untilMs: 0 }],
      ['with an end that is text', { owner: US, untilMs: '0' }],
      ['that is null', null],
      ['that is text', 'free'],
    ])('an item with a lease %s is an error, never a free lease', async (_, lease) => {
      await created(bareState());
      await under.tamper(ORDERS, { lease });
      await expect(store.read(ORDERS)).rejects.toMatchObject({ name: 'InvalidInputError' });
    });
    it('an item whose plan cannot be understood is an error', async () => {
      await created(fullState());
      await under.tamper(ORDERS, { episode: { ...fullState().episode, plan: { target: STANDBY } } });
      await expect(store.read(ORDERS)).rejects.toMatchObject({ name: 'InvalidInputError' });
    });
  });

  describe('write', () => {
    it.each([
      ['sets every optional field', bareState(), fullState()],
      ['removes every optional field', fullState(), bareState()],
      ['changes what is nested', fullState(), { ...fullState(), stranded: { ...stranded, tries: 4 } }],
    ])('%s', async (_, from, to) => {
      const before = await created(from);
      const after = { ...to, rev: before.rev + 1, nonce: 'after' };
      expect(await store.write(before, after, { rev: before.rev })).toStrictEqual({ kind: 'written' });
      expect(await stored()).toStrictEqual(after);
    });
    it('changes nothing of another service', async () => {
      const before = await created(bareState());
      await created(fullState(BILLING));
      await store.write(before, next(before, 'ours'), { rev: before.rev });
      expect(await stored(BILLING)).toStrictEqual(fullState(BILLING));
    });
    it.each([
      ['older', -1],
      ['newer', 1],
    ])('that requires an %s rev answers with the item as it is', async (_, by) => {
      const before = await created(fullState());
      const result = await store.write(before, next(before, 'ours'), { rev: before.rev + by });
      expect(result).toStrictEqual({ kind: 'conflict', now: fullState() });
      expect(await stored()).toStrictEqual(fullState());
    });
    it('of an item that is not there is an error, not a conflict', async () => {
      const before = bareState();
      await expect(store.write(before, next(before, 'ours'), { rev: before.rev })).rejects.toMatchObject({
        name: 'PortError',
        failure: 'refused',
      });
      expect(await store.read(ORDERS)).toStrictEqual({ kind: 'absent' });
    });
    it('of two writers from the same rev one wins, and the other gets what the winner wrote', async () => {
      const before = await created(bareState());
      const afters = [next(before, 'a', { epoch: 1 }), next(before, 'b', { epoch: 2 })];
      const results = await Promise.all(
        afters.map((after) => store.write(before, after, { rev: before.rev })),
      );
      const winner = afters[results.findIndex((each) => each.kind === 'written')];
      expect(results).toContainEqual({ kind: 'written' });
      expect(results).toContainEqual({ kind: 'conflict', now: winner });
      expect(await stored()).toStrictEqual(winner);
    });
    it('of ten writers at once one wins', async () => {
      const before = await created(bareState());
      const results = await Promise.all(
        Array.from({ length: 10 }, (_, index) =>
          store.write(before, next(before, `writer-${index}`), { rev: before.rev }),
        ),
      );
      expect(results.filter((each) => each.kind === 'written')).toHaveLength(1);
      expect((await stored()).rev).toBe(before.rev + 1);
    });

    describe('whose answers are lost', () => {
      it('is written by its own nonce', async () => {
        const before = await created(bareState());
        const after = next(before, 'ours', { lastRefusal: 'x' });
        under.loseAnswers(1);
        const first = await outcome(store.write(before, after, { rev: before.rev }));
        expect(['written', 'unanswered']).toContain(first.kind);
        expect(await store.write(before, after, { rev: before.rev })).toStrictEqual({ kind: 'written' });
        expect(await stored()).toStrictEqual(after);
      });
      it('is unanswered when none comes through, and written when it is made again', async () => {
        const before = await created(bareState());
        const after = next(before, 'ours', { lastRefusal: 'x' });
        under.loseAnswers(ALL_ANSWERS);
        expect(await outcome(store.write(before, after, { rev: before.rev }))).toStrictEqual({
          kind: 'unanswered',
        });
        under.loseAnswers(0);
        expect(await stored()).toStrictEqual(after);
        expect(await store.write(before, after, { rev: before.rev })).toStrictEqual({ kind: 'written' });
        expect(await stored()).toStrictEqual(after);
      });
      it('is a conflict once somebody wrote after it', async () => {
        const before = await created(bareState());
        const ours = next(before, 'ours', { lastRefusal: 'x' });
        under.loseAnswers(ALL_ANSWERS);
        await outcome(store.write(before, ours, { rev: before.rev }));
        under.loseAnswers(0);
        const theirs = next(ours, 'theirs', { lastObserved: 'y' });
        expect(await store.write(ours, theirs, { rev: ours.rev })).toStrictEqual({ kind: 'written' });
        expect(await store.write(before, ours, { rev: before.rev })).toStrictEqual({
          kind: 'conflict',
          now: theirs,
        });
        expect(await stored()).toStrictEqual(theirs);
      });
      it('is a conflict when somebody else had written before it', async () => {
        const before = await created(bareState());
        const theirs = next(before, 'theirs');
        await store.write(before, theirs, { rev: before.rev });
        under.loseAnswers(1);
        const guard = { rev: before.rev };
        const first = await outcome(store.write(before, next(before, 'ours'), guard));
        if (first.kind !== 'unanswered') expect(first).toStrictEqual({ kind: 'conflict', now: theirs });
        expect(await stored()).toStrictEqual(theirs);
      });
    });
  });

  describe('a claim', () => {
    const guard: Guard = { rev: 1, freeBeforeMs: NOW };
    const claim = (before: ServiceState) =>
      next(before, 'claim', { epoch: before.epoch + 1, lease: { owner: US, untilMs: NOW + 15 * second } });
    const leased = (untilMs: number): ServiceState => ({ ...bareState(), lease: { owner: THEM, untilMs } });

    it.each([
      ['was never given', bareState()],
      ['ended more than the skew margin before the observation began', leased(NOW - second - 1)],
      ['ended long ago', leased(0)],
    ])('takes a lease that %s', async (_, before) => {
      await created(before);
      expect(await store.write(before, claim(before), guard)).toStrictEqual({ kind: 'written' });
      expect(await stored()).toStrictEqual(claim(before));
    });
    it.each([
      ['is alive', leased(NOW + 5 * second)],
      ['ends as the observation begins', leased(NOW)],
      ['ended within the skew margin', leased(NOW - second + 1)],
      ['ended exactly the skew margin before', leased(NOW - second)],
    ])('leaves a lease that %s', async (_, before) => {
      await created(before);
      expect(await store.write(before, claim(before), guard)).toStrictEqual({
        kind: 'conflict',
        now: before,
      });
      expect(await stored()).toStrictEqual(before);
    });
    it.each<[string, unknown]>([
      ['has no end', { owner: THEM }],
      ['has an end that is text', { owner: THEM, untilMs: '0' }],
      ['has an end that is null', { owner: THEM, untilMs: null }],
      ['is null', null],
      ['is text', ''],
      ['is a list', []],
    ])('leaves a lease that %s', async (_, lease) => {
      const before = await created(bareState());
      await under.tamper(ORDERS, { lease });
      await expect(store.write(before, claim(before), guard)).rejects.toThrow();
      await under.tamper(ORDERS, { lease: undefined });
      expect(await stored()).toStrictEqual(before);
    });
    it('requires that nobody wrote since the item was read', async () => {
      const before = await created(bareState());
      const paused = next(before, 'pause', { pause });
      await store.write(before, paused, { rev: before.rev });
      expect(await store.write(before, claim(before), guard)).toStrictEqual({
        kind: 'conflict',
        now: paused,
      });
    });
    it('is won by one of two workers', async () => {
      const before = await created(leased(NOW - 20 * second));
      const claims = [US, THEM].map((owner) =>
        next(before, `claim-of-${owner}`, { epoch: 1, lease: { owner, untilMs: NOW + 15 * second } }),
      );
      const results = await Promise.all(claims.map((after) => store.write(before, after, guard)));
      expect(results.map((each) => each.kind).sort()).toEqual(['conflict', 'written']);
      expect(claims).toContainEqual(await stored());
    });
    it('whose answer was lost is ours', async () => {
      const before = await created(bareState());
      under.loseAnswers(1);
      const first = await outcome(store.write(before, claim(before), guard));
      expect(['written', 'unanswered']).toContain(first.kind);
      // The lease is alive now, and it is our own: made again, the claim is not beaten by itself.
      expect(await store.write(before, claim(before), guard)).toStrictEqual({ kind: 'written' });
    });
  });

  describe('a step', () => {
    const held: ServiceState = { ...fullState(), lease: { owner: US, untilMs: NOW + 1 } };
    const guard: Guard = { rev: held.rev, lease: { owner: US, epoch: held.epoch, aliveAtMs: NOW } };
    const step = (before: ServiceState) =>
      next(before, 'step', { lease: { owner: US, untilMs: NOW + 15 * second } });

    it('is written under our own lease, alive, in our own epoch', async () => {
      await created(held);
      expect(await store.write(held, step(held), guard)).toStrictEqual({ kind: 'written' });
      expect(await stored()).toStrictEqual(step(held));
    });
    it('may end the lease', async () => {
      await created(held);
      const after = { ...without(next(held, 'close'), 'lease') };
      expect(await store.write(held, after, guard)).toStrictEqual({ kind: 'written' });
      expect(await stored()).toStrictEqual(after);
    });
    it.each<[string, Partial<ServiceState>]>([
      ['is somebody else’s', { lease: { owner: THEM, untilMs: NOW + 15 * second } }],
      ['ends now', { lease: { owner: US, untilMs: NOW } }],
      ['has ended', { lease: { owner: US, untilMs: NOW - 1 } }],
      ['is ours again in a later epoch', { epoch: held.epoch + 1 }],
      ['is of an earlier epoch', { epoch: held.epoch - 1 }],
    ])('is refused when the lease %s, although nobody raised the rev', async (_, change) => {
      await created(held);
      await under.tamper(ORDERS, change);
      const now = { ...held, ...change };
      expect(await store.write(held, step(held), guard)).toStrictEqual({ kind: 'conflict', now });
      expect(await stored()).toStrictEqual(now);
    });
    it('is refused when there is no lease', async () => {
      const freed = await created(without(held, 'lease'));
      expect(await store.write(held, step(held), guard)).toStrictEqual({ kind: 'conflict', now: freed });
    });
    it.each<[string, unknown]>([
      ['has no end', { owner: US }],
      ['has an end that is text', { owner: US, untilMs: String(NOW + second) }],
      ['has no owner', { untilMs: NOW + second }],
      ['is null', null],
    ])('is not written when the lease %s', async (_, lease) => {
      await created(held);
      await under.tamper(ORDERS, { lease });
      await expect(store.write(held, step(held), guard)).rejects.toThrow();
      await under.tamper(ORDERS, { lease: held.lease });
      expect(await stored()).toStrictEqual(held);
    });
    it('is refused when somebody wrote in between, and can be made again on what they wrote', async () => {
      await created(held);
      const acknowledged = next(held, 'ack', { quarantine: {} });
      await store.write(held, acknowledged, { rev: held.rev });
      expect(await store.write(held, step(held), guard)).toStrictEqual({
        kind: 'conflict',
        now: acknowledged,
      });
      const again = step(acknowledged);
      expect(await store.write(acknowledged, again, { ...guard, rev: acknowledged.rev })).toStrictEqual({
        kind: 'written',
      });
      expect(await stored()).toStrictEqual(again);
    });
    it('that ended the lease and lost its answer is written', async () => {
      await created(held);
      const after = { ...without(next(held, 'close'), 'lease') };
      under.loseAnswers(1);
      const first = await outcome(store.write(held, after, guard));
      expect(['written', 'unanswered']).toContain(first.kind);
      expect(await store.write(held, after, guard)).toStrictEqual({ kind: 'written' });
    });
  });

  describe('the services that need attention', () => {
    const full = fullState();
    it.each<[string, Partial<ServiceState>]>([
      ['an open episode', { episode: full.episode as Episode }],
      ['a waiting request', { request: full.request as OperatorRequest }],
      ['a record that is not copied', { frozen: frozenRecord(1) }],
      ['a notice that is not published', { outbox: full.outbox }],
      ['something stranded', { stranded }],
    ])('are those with %s, until it is gone', async (_, change) => {
      const calm = await created(bareState());
      await created(bareState(BILLING));
      expect(await store.needingAttention()).toEqual([]);
      const troubled = next(calm, 'troubled', change);
      await store.write(calm, troubled, { rev: calm.rev });
      expect(await store.needingAttention()).toEqual([ORDERS]);
      const over = { ...calm, rev: troubled.rev + 1, nonce: 'over' };
      await store.write(troubled, over, { rev: troubled.rev });
      expect(await store.needingAttention()).toEqual([]);
    });
    it('are those registered with a record or a notice', async () => {
      await created({ ...bareState(), frozen: frozenRecord(1) });
      await created({ ...bareState(BILLING), outbox: full.outbox });
      expect([...(await store.needingAttention())].sort()).toEqual([BILLING, ORDERS]);
    });
    it('are not those that are leased, paused, quarantined or not ready', async () => {
      const { lease, quarantine, notReady, lastRefusal } = full;
      const change = { lease, quarantine, notReady, lastRefusal } as Partial<ServiceState>;
      await created({ ...bareState(), pause, ...change });
      expect(await store.needingAttention()).toEqual([]);
    });
  });

  describe('an interface', () => {
    const owned = { kind: 'owned' };
    it('is owned by the first service that asks, as often as it asks', async () => {
      expect(await store.own(ENI, ORDERS)).toStrictEqual(owned);
      expect(await store.own(ENI, ORDERS)).toStrictEqual(owned);
    });
    it('is taken for every other service, and it says by whom', async () => {
      await store.own(ENI, ORDERS);
      expect(await store.own(ENI, BILLING)).toStrictEqual({ kind: 'taken', owner: ORDERS });
      expect(await store.own(OTHER_ENI, BILLING)).toStrictEqual(owned);
    });
    it('that was released is free for anyone', async () => {
      await store.own(ENI, ORDERS);
      await store.release(ENI, ORDERS);
      expect(await store.own(ENI, BILLING)).toStrictEqual(owned);
      expect(await store.own(ENI, ORDERS)).toStrictEqual({ kind: 'taken', owner: BILLING });
    });
    it('that was released can be owned by the same service again', async () => {
      await store.own(ENI, ORDERS);
      await store.release(ENI, ORDERS);
      expect(await store.own(ENI, ORDERS)).toStrictEqual(owned);
      expect(await store.own(ENI, BILLING)).toStrictEqual({ kind: 'taken', owner: ORDERS });
    });
    it('is not released by a service that does not own it', async () => {
      await store.own(ENI, ORDERS);
      await store.release(ENI, BILLING);
      expect(await store.own(ENI, BILLING)).toStrictEqual({ kind: 'taken', owner: ORDERS });
    });
    it('that nobody owned can be released, and stays free', async () => {
      await store.release(ENI, ORDERS);
      expect(await store.own(ENI, BILLING)).toStrictEqual(owned);
    });
    it('is owned although the answer was lost', async () => {
      under.loseAnswers(1);
      const answer = await store.own(ENI, ORDERS).catch(() => undefined);
      if (answer) expect(answer).toStrictEqual(owned);
      expect(await store.own(ENI, BILLING)).toStrictEqual({ kind: 'taken', owner: ORDERS });
    });
    it('is owned by one of two services that ask at once', async () => {
      const answers = await Promise.all([store.own(ENI, ORDERS), store.own(ENI, BILLING)]);
      const winner = answers[0].kind === 'owned' ? ORDERS : BILLING;
      expect(answers).toContainEqual(owned);
      expect(answers).toContainEqual({ kind: 'taken', owner: winner });
    });
  });

  describe('the ways back', () => {
    it('lead from instances and alarms to the service', async () => {
      await store.addWayBack(ORDERS, { instances: [HOLDER, STANDBY], alarms: [ALARM] });
      expect(await store.servicesOfInstance(HOLDER)).toEqual([ORDERS]);
      expect(await store.servicesOfInstance(STANDBY)).toEqual([ORDERS]);
      expect(await store.servicesOfAlarm(ALARM)).toEqual([ORDERS]);
    });
    it('lead nowhere from what nobody declared', async () => {
      expect(await store.servicesOfInstance(HOLDER)).toEqual([]);
      expect(await store.servicesOfAlarm(ALARM)).toEqual([]);
    });
    it('lead to every service that shares an instance, once', async () => {
      await store.addWayBack(ORDERS, { instances: [HOLDER], alarms: [] });
      await store.addWayBack(BILLING, { instances: [HOLDER], alarms: [ALARM] });
      await store.addWayBack(ORDERS, { instances: [HOLDER], alarms: [] });
      expect([...(await store.servicesOfInstance(HOLDER))].sort()).toEqual([BILLING, ORDERS]);
      expect(await store.servicesOfAlarm(ALARM)).toEqual([BILLING]);
    });
    it('stay when more are added', async () => {
      await store.addWayBack(ORDERS, { instances: [HOLDER], alarms: [] });
      await store.addWayBack(ORDERS, { instances: [STANDBY], alarms: [] });
      expect(await store.servicesOfInstance(HOLDER)).toEqual([ORDERS]);
    });
  });

  describe('the trail', () => {
    const rows = async (from: number, limit: number) =>
      (await store.trail(ORDERS, from, limit)).map(({ number, kind, atMs, outcome, author, body, hash }) => ({
        number,
        kind,
        atMs,
        outcome,
        author,
        body,
        hash,
      }));
    const row = (number: number) => {
      const { pointers: _, ...rest } = frozenRecord(number);
      return rest;
    };

    it('holds a record byte for byte', async () => {
      await store.copyToTrail(ORDERS, frozenRecord(1));
      expect(await rows(1, 10)).toStrictEqual([row(1)]);
    });
    it('takes an identical copy for a success, from whomever it comes', async () => {
      await store.copyToTrail(ORDERS, frozenRecord(1));
      await store.copyToTrail(ORDERS, frozenRecord(1));
      await Promise.all([
        store.copyToTrail(ORDERS, frozenRecord(2)),
        store.copyToTrail(ORDERS, frozenRecord(2)),
      ]);
      expect(await rows(1, 10)).toStrictEqual([row(1), row(2)]);
    });
    it.each([
      ['text', { body: '{}' }],
      ['hash', { hash: 'another' }],
    ])('refuses another %s under the same number, and keeps the first', async (_, change) => {
      await store.copyToTrail(ORDERS, frozenRecord(1));
      await expect(store.copyToTrail(ORDERS, { ...frozenRecord(1), ...change })).rejects.toMatchObject({
        name: 'PortError',
        failure: 'refused',
        code: 'TrailConflict',
      });
      expect(await rows(1, 10)).toStrictEqual([row(1)]);
    });
    it('takes a copy whose answer was lost for a success', async () => {
      under.loseAnswers(1);
      await store.copyToTrail(ORDERS, frozenRecord(1)).catch(() => undefined);
      await store.copyToTrail(ORDERS, frozenRecord(1));
      expect(await rows(1, 10)).toStrictEqual([row(1)]);
    });
    it('is read in the order of its numbers, from one on and as many as asked for', async () => {
      for (const number of [100, 9, 11, 10, 101]) await store.copyToTrail(ORDERS, frozenRecord(number));
      expect((await rows(1, 200)).map((each) => each.number)).toEqual([9, 10, 11, 100, 101]);
      expect((await rows(10, 2)).map((each) => each.number)).toEqual([10, 11]);
      expect(await rows(102, 10)).toEqual([]);
    });
    it('is each service’s own', async () => {
      await store.copyToTrail(ORDERS, frozenRecord(1));
      expect(await store.trail(BILLING, 1, 10)).toEqual([]);
    });
    it('is not touched by what is written to the item', async () => {
      await store.copyToTrail(ORDERS, frozenRecord(1));
      await created(bareState());
      expect(await rows(1, 10)).toStrictEqual([row(1)]);
      expect(await stored()).toStrictEqual(bareState());
    });
    it('is read whole when it is longer than one page of the table', async () => {
      const body = 'x'.repeat(150_000);
      const numbers = Array.from({ length: 10 }, (_, index) => index + 1);
      for (const number of numbers) await store.copyToTrail(ORDERS, { ...frozenRecord(number), body });
      expect((await rows(1, 10)).map((each) => each.number)).toEqual(numbers);
    });
  });

  describe('the count of failovers', () => {
    const count = (name: string, atMs: number, zone = ZONE) =>
      store.countFailover(zone, name as ServiceName, atMs);

    it('holds a service once, however often it fails over', async () => {
      expect(await count('a', NOW)).toEqual(['a']);
      expect(await count('a', NOW + second)).toEqual(['a']);
      expect(await count('a', NOW + minute)).toEqual(['a']);
    });
    it('unites the minutes of the window', async () => {
      await count('c', NOW);
      await count('a', NOW + minute);
      await count('b', NOW + 4 * minute);
      expect(await count('d', NOW + 5 * minute)).toEqual(['a', 'b', 'c', 'd']);
    });
    it('leaves out what is older than the window', async () => {
      await count('a', NOW);
      await count('b', NOW + 3 * minute);
      expect(await count('c', NOW + 7 * minute)).toEqual(['b', 'c']);
    });
    it('crosses midnight', async () => {
      const midnight = Date.parse('2026-12-01T00:00:00.000Z');
      await count('a', midnight - minute);
      expect(await count('b', midnight)).toEqual(['a', 'b']);
    });
    it('is kept by zone', async () => {
      await count('a', NOW, ZONE);
      expect(await count('b', NOW, OTHER_ZONE)).toEqual(['b']);
    });
    it('misses nobody of a crowd within a minute', async () => {
      const names = Array.from({ length: 12 }, (_, index) => `service-${String(index).padStart(2, '0')}`);
      const answers = await Promise.all(names.map((name) => count(name, NOW)));
      expect(answers).toContainEqual(names);
      for (const [index, answer] of answers.entries()) expect(answer).toContain(names[index]);
    });
    it('does not show in the controller’s state', async () => {
      await count('a', NOW);
      expect(await store.readController()).toStrictEqual({
        brakes: {},
        releasedAtMs: {},
        servicesByZone: {},
      });
    });
  });

  describe('the controller', () => {
    it('has neither pause nor brakes nor services at first', async () => {
      expect(await store.readController()).toStrictEqual({
        brakes: {},
        releasedAtMs: {},
        servicesByZone: {},
      });
      expect(await store.list()).toEqual({ names: [], unreadable: [] });
    });
    it('is paused until it is resumed', async () => {
      const begun = await store.readControllerItem();
      expect(begun).toStrictEqual({ name: '*', trail: { next: 1, head: '' } });
      const paused = itemBehind(begun, { pause });
      expect(await store.writeControllerItem(begun, paused)).toBe('written');
      expect(await store.readControllerItem()).toStrictEqual(paused);
      // What a decision reads is no more than before.
      expect(await store.readController()).toStrictEqual({
        brakes: {},
        releasedAtMs: {},
        servicesByZone: {},
        pause,
      });
      const { pause: _, ...resumed } = itemBehind(paused, {});
      expect(await store.writeControllerItem(paused, resumed)).toBe('written');
      expect(await store.readControllerItem()).toStrictEqual(resumed);
      expect(await store.readController()).toStrictEqual({
        brakes: {},
        releasedAtMs: {},
        servicesByZone: {},
      });
    });
    it('can be paused anew', async () => {
      const first = itemBehind(await store.readControllerItem(), { pause });
      await store.writeControllerItem(await store.readControllerItem(), first);
      const later = itemBehind(first, { pause: { ...pause, untilMs: NOW + 2 * minute } });
      expect(await store.writeControllerItem(first, later)).toBe('written');
      expect((await store.readController()).pause).toStrictEqual(later.pause);
    });
    it('is not changed by whoever read it before somebody else recorded', async () => {
      const begun = await store.readControllerItem();
      const first = itemBehind(begun, { pause });
      const answers = await Promise.all([
        store.writeControllerItem(begun, first),
        store.writeControllerItem(begun, itemBehind(begun, {}, 'another')),
      ]);
      expect([...answers].sort()).toEqual(['conflict', 'written']);
      const now = await store.readControllerItem();
      expect(now.trail.next).toBe(2);
      expect(await store.writeControllerItem(now, itemBehind(now, {}))).toBe('written');
      expect(await store.writeControllerItem(now, itemBehind(now, {}, 'another'))).toBe('conflict');
    });
    it('that was written although the answer was lost is written', async () => {
      const begun = await store.readControllerItem();
      const first = itemBehind(begun, { pause });
      under.loseAnswers(1);
      await store.writeControllerItem(begun, first).catch(() => undefined);
      expect(await store.writeControllerItem(begun, first)).toBe('written');
      expect(await store.readControllerItem()).toStrictEqual(first);
    });
    it('that was written before somebody else recorded is written, and not done again', async () => {
      const begun = await store.readControllerItem();
      const first = itemBehind(begun, { pause });
      await store.writeControllerItem(begun, first);
      if (first.frozen) await store.copyToTrail('*', first.frozen);
      const second = itemBehind(first, {}, 'another');
      await store.writeControllerItem(first, second);
      expect(await store.writeControllerItem(begun, first)).toBe('written');
      expect(await store.writeControllerItem(begun, itemBehind(begun, {}, 'third'))).toBe('conflict');
      expect(await store.readControllerItem()).toStrictEqual(second);
    });
    it('loses the frozen record that was copied, and no later one', async () => {
      const begun = await store.readControllerItem();
      const first = itemBehind(begun, { pause });
      await store.writeControllerItem(begun, first);
      const second = itemBehind(first, {});
      await store.writeControllerItem(first, second);
      await store.clearControllerFrozen(1);
      expect(await store.readControllerItem()).toStrictEqual(second);
      await store.clearControllerFrozen(2);
      const { frozen: _, ...cleared } = second;
      expect(await store.readControllerItem()).toStrictEqual(cleared);
      await store.clearControllerFrozen(2);
      expect(await store.writeControllerItem(cleared, itemBehind(cleared, {}))).toBe('written');
    });
    it('has a trail of its own, which no decision and no listing reads', async () => {
      await store.copyToTrail('*', frozenRecord(1));
      await store.copyToTrail('*', frozenRecord(1));
      await expect(store.copyToTrail('*', { ...frozenRecord(1), hash: 'another' })).rejects.toMatchObject({
        code: 'TrailConflict',
      });
      await store.copyToTrail('*', frozenRecord(2));
      expect((await store.trail('*', 1, 10)).map(({ number }) => number)).toEqual([1, 2]);
      expect(await store.trail(ORDERS, 1, 10)).toEqual([]);
      expect(await store.readController()).toStrictEqual({
        brakes: {},
        releasedAtMs: {},
        servicesByZone: {},
      });
      expect(await store.list()).toEqual({ names: [], unreadable: [] });
    });

    it('shows a brake that tripped, and that it tripped once', async () => {
      expect(await store.tripBrake(ZONE, ['a', 'b'], NOW)).toBe('tripped');
      expect(await store.tripBrake(ZONE, ['a', 'b', 'c'], NOW + second)).toBe('already');
      expect((await store.readController()).brakes).toStrictEqual({
        [ZONE]: { sinceMs: NOW, services: ['a', 'b'] },
      });
    });
    it('keeps the brakes of zones apart', async () => {
      await store.tripBrake(ZONE, ['a'], NOW);
      expect(await store.tripBrake(OTHER_ZONE, ['b'], NOW)).toBe('tripped');
      await store.releaseBrake(ZONE, NOW);
      expect(Object.keys((await store.readController()).brakes)).toEqual([OTHER_ZONE]);
    });
    it('shows a released brake no more, and lets it trip again', async () => {
      await store.tripBrake(ZONE, ['a', 'b'], NOW);
      await store.releaseBrake(ZONE, NOW);
      expect((await store.readController()).brakes).toStrictEqual({});
      expect(await store.tripBrake(ZONE, ['c'], NOW + minute)).toBe('tripped');
      expect((await store.readController()).brakes).toStrictEqual({
        [ZONE]: { sinceMs: NOW + minute, services: ['c'] },
      });
    });
    it('forgets at a release who failed before it', async () => {
      await store.countFailover(ZONE, ORDERS, NOW);
      await store.tripBrake(ZONE, ['a'], NOW);
      await store.releaseBrake(ZONE, NOW + second);
      const releasedAtMs = (await store.readController()).releasedAtMs[ZONE];
      expect(releasedAtMs).toBe(NOW + second);
      expect(await store.countFailover(ZONE, BILLING, NOW + 2 * second, releasedAtMs)).toEqual([BILLING]);
    });
    it('lets a brake be released that never tripped', async () => {
      await store.releaseBrake(ZONE, NOW);
      expect((await store.readController()).brakes).toStrictEqual({});
      expect(await store.tripBrake(ZONE, ['a'], NOW)).toBe('tripped');
    });
    it('says tripped to one of two workers', async () => {
      const answers = await Promise.all([
        store.tripBrake(ZONE, ['a', 'b'], NOW),
        store.tripBrake(ZONE, ['a', 'b', 'c'], NOW + 1),
      ]);
      expect([...answers].sort()).toEqual(['already', 'tripped']);
    });
    it('says tripped to the worker that tripped it and lost the answer, for somebody has to page', async () => {
      under.loseAnswers(1);
      const answer = await store.tripBrake(ZONE, ['a', 'b'], NOW).catch(() => 'unanswered');
      if (answer === 'unanswered') expect(await store.tripBrake(ZONE, ['a', 'b'], NOW)).toBe('tripped');
      else expect(answer).toBe('tripped');
    });
    it.each([
      ['by other services at the same moment', ['a', 'c'], NOW],
      ['by the same services at another moment', ['a', 'b'], NOW + 1],
    ])(
      'says already to a worker of a brake that was tripped %s, for that one pages',
      async (_, names, atMs) => {
        await store.tripBrake(ZONE, ['a', 'b'], NOW);
        expect(await store.tripBrake(ZONE, names, atMs)).toBe('already');
      },
    );

    it('lists the services of every zone, each once', async () => {
      await store.joinZone(ZONE, ORDERS);
      await store.joinZone(ZONE, BILLING);
      await store.joinZone(OTHER_ZONE, 'web' as ServiceName);
      await store.joinZone(ZONE, ORDERS);
      const { servicesByZone } = await store.readController();
      expect(Object.keys(servicesByZone).sort()).toEqual([ZONE, OTHER_ZONE]);
      expect([...(servicesByZone[ZONE] ?? [])].sort()).toEqual([BILLING, ORDERS]);
      expect(servicesByZone[OTHER_ZONE]).toEqual(['web']);
      expect((await store.list()).names).toEqual([BILLING, ORDERS, 'web']);
    });
    it('loses none of the services that join at once', async () => {
      const names = Array.from({ length: 12 }, (_, index) => `service-${String(index).padStart(2, '0')}`);
      await Promise.all(names.map((name) => store.joinZone(ZONE, name as ServiceName)));
      expect((await store.list()).names).toEqual(names);
    });
    it('lists a service no more that left its zone, the last one too, until it joins again', async () => {
      await store.joinZone(ZONE, ORDERS);
      await store.joinZone(ZONE, BILLING);
      await store.leaveZone(ZONE, BILLING);
      await store.leaveZone(ZONE, BILLING);
      expect(await store.list()).toEqual({ names: [ORDERS], unreadable: [] });
      await store.leaveZone(ZONE, ORDERS);
      expect(await store.list()).toEqual({ names: [], unreadable: [] });
      expect((await store.readController()).servicesByZone[ZONE] ?? []).toEqual([]);
      await store.joinZone(ZONE, BILLING);
      expect(await store.list()).toEqual({ names: [BILLING], unreadable: [] });
    });
    it('keeps pause, brakes and zones apart', async () => {
      await store.joinZone(ZONE, ORDERS);
      await store.tripBrake(ZONE, ['a'], NOW);
      const begun = await store.readControllerItem();
      await store.writeControllerItem(begun, itemBehind(begun, { pause }));
      await store.countFailover(ZONE, ORDERS, NOW);
      expect(await store.readController()).toStrictEqual({
        pause,
        brakes: { [ZONE]: { sinceMs: NOW, services: ['a'] } },
        releasedAtMs: {},
        servicesByZone: { [ZONE]: [ORDERS] },
      });
    });
  });
}
