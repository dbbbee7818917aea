/** The trail: equal content is equal text, each record hangs on the one before, and a break is found. */
import { describe, expect, it } from 'vitest';
import type { OutboxEntry } from '../../shared/core/notice.ts';
import {
  canonical,
  freeze,
  type RecordDraft,
  verifyChain,
  withNotice,
  withRecord,
} from '../../shared/core/trail.ts';
import { waitingNotice } from '../fakes/notices.ts';
import { a, data, now, stateOf } from './world.ts';

/** Not a hash that would do outside of tests: it only has to differ where the text does. */
const sha256 = (text: string) =>
  `h${[...text].reduce((sum, each) => (sum * 31 + each.charCodeAt(0)) >>> 0, 7)}`;
const draft = (more: Partial<RecordDraft> = {}): RecordDraft => ({
  kind: 'episode',
  atMs: now,
  author: 'eni-failover',
  outcome: 'COMPLETED',
  facts: { why: 'it failed' },
  instances: [a],
  enis: [data],
  ...more,
});

describe('canonical text', () => {
  it.each([
    ['keys in order, at every depth', { b: { d: 1, c: 2 }, a: 1 }, '{"a":1,"b":{"c":2,"d":1}}'],
    ['nothing undefined', { a: undefined, b: null }, '{"b":null}'],
    ['lists in their own order', { a: [2, { z: 1, y: 0 }, 1] }, '{"a":[2,{"y":0,"z":1},1]}'],
    ['capitals before small letters, whatever the locale', { a: 1, B: 2, ä: 3 }, '{"B":2,"a":1,"ä":3}'],
    ['plain values', 'x', '"x"'],
  ])('has %s', (_, value, text) => {
    expect(canonical(value)).toBe(text);
  });
  it('is the same for the same content, in whatever order it was written', () => {
    expect(canonical({ a: 1, b: [{ c: 1, d: 2 }] })).toBe(canonical({ b: [{ d: 2, c: 1 }], a: 1 }));
  });
});

describe('a frozen record (P21)', () => {
  const frozen = freeze(stateOf(), draft(), sha256);
  it('has the next number, the hash over its exact text, and that of the one before', () => {
    expect(frozen).toMatchObject({ number: 12, kind: 'episode', atMs: now, hash: sha256(frozen.body) });
    expect(JSON.parse(frozen.body)).toEqual({
      service: 'orders-db',
      number: 12,
      kind: 'episode',
      at: '2026-11-21T02:00:00.000Z',
      author: 'eni-failover',
      previous: 'h11',
      outcome: 'COMPLETED',
      instances: [a],
      interfaces: [data],
      why: 'it failed',
    });
  });
  it('carries author and outcome beside its text, for the table to choose by', () => {
    expect(frozen).toMatchObject({ author: 'eni-failover', outcome: 'COMPLETED' });
  });
  it('names an instance once, however often it took part', () => {
    const twice = freeze(stateOf(), draft({ instances: [a, a] }), sha256);
    expect(JSON.parse(twice.body)).toMatchObject({ instances: [a] });
  });
  it('is found by the episode whose end it is', () => {
    const { pointers } = freeze(stateOf(), draft({ episode: 'orders-db.7' }), sha256);
    expect(pointers[0]).toBe('BY#EPISODE#orders-db.7');
  });
  it('is found by instance, interface, author and day', () => {
    expect(frozen.pointers).toEqual([
      `BY#INSTANCE#${a}`,
      `BY#ENI#${data}`,
      'BY#AUTHOR#eni-failover',
      'BY#DAY#2026-11-21',
    ]);
  });
  it('is byte-identical when it is frozen twice', () => {
    expect(freeze(stateOf(), draft(), sha256)).toEqual(frozen);
  });
  it('does not let a fact overwrite its place in the chain', () => {
    const forged = { number: 1, previous: 'forged', service: 'other', kind: 'ack', author: 'x', at: 'never' };
    const facts = { ...forged, outcome: 'ABORTED' };
    expect(JSON.parse(freeze(stateOf(), draft({ facts }), sha256).body)).toMatchObject({
      number: 12,
      previous: 'h11',
      service: 'orders-db',
      outcome: 'COMPLETED',
    });
  });
  it('moves the chain on in the same state that holds it', () => {
    const after = withRecord(stateOf(), frozen, undefined);
    expect(after).toMatchObject({ frozen, trail: { next: 13, head: frozen.hash }, outbox: [] });
  });
  it('brings its notice along in the same state', () => {
    const notice = entry('n', true);
    expect(withRecord(stateOf(), frozen, notice).outbox).toEqual([notice]);
  });
});

const entry = (dedupeId: string, keep: boolean) => waitingNotice(dedupeId, { keep });
const entries = (count: number, keep: boolean) =>
  Array.from({ length: count }, (_, index) => entry(`${keep ? 'keep' : 'may-go'}-${index}`, keep));
const idsOf = (outbox: readonly OutboxEntry[]) => outbox.map((each) => each.dedupeId);

describe('the outbox (P23)', () => {
  it('stays as it is without a notice', () => {
    const outbox = entries(3, true);
    expect(withNotice(outbox, undefined)).toBe(outbox);
  });
  it('holds a notice once', () => {
    const outbox = entries(3, true);
    expect(withNotice(outbox, entry('keep-1', true))).toEqual(outbox);
  });
  it('holds twenty whole', () => {
    expect(idsOf(withNotice(entries(19, false), entry('new', false)))).toHaveLength(20);
    expect(idsOf(withNotice(entries(19, false), entry('new', false)))).toContain('may-go-0');
  });
  it('drops the oldest that may go to make room, and no other', () => {
    const outbox = [...entries(1, true), ...entries(19, false)];
    const after = idsOf(withNotice(outbox, entry('new', true)));
    expect(after).toEqual(['keep-0', ...idsOf(entries(19, false)).slice(1), 'new']);
  });
  it('never drops the end of an episode, and no end waits for room', () => {
    const after = idsOf(withNotice(entries(20, true), entry('end', true)));
    expect(after).toEqual([...idsOf(entries(20, true)), 'end']);
  });
  it('lets a refusal go rather than an end', () => {
    expect(idsOf(withNotice(entries(20, true), entry('refusal', false)))).toEqual(idsOf(entries(20, true)));
  });
});

describe('the chain (S12)', () => {
  const chain = (length: number) => {
    let state = stateOf({ trail: { next: 1, head: '' } });
    return Array.from({ length }, (_, index) => {
      const frozen = freeze(state, draft({ facts: { index } }), sha256);
      state = withRecord(state, frozen, undefined);
      return { number: frozen.number, body: frozen.body, hash: frozen.hash };
    });
  };
  const rows = chain(4);
  const head = rows.at(-1)?.hash ?? '';
  const changed = (index: number, more: Partial<(typeof rows)[number]>) =>
    rows.map((row, at) => (at === index ? { ...row, ...more } : row));
  const forged = (index: number, body: string) => changed(index, { body, hash: sha256(body) });

  it('without a break has no fault', () => {
    expect(verifyChain(rows, sha256, head)).toEqual([]);
    expect(verifyChain([], sha256, '')).toEqual([]);
  });
  it.each<[string, readonly (typeof rows)[number][], readonly number[]]>([
    ['a record left out', rows.filter((row) => row.number !== 2), [3, 3]],
    ['the first record left out', rows.slice(1), [2, 2]],
    ['a text that was changed', changed(1, { body: rows[1]?.body.replace('1', '9') ?? '' }), [2]],
    [
      'a text that was changed together with its hash',
      forged(1, rows[1]?.body.replace('"index":1', '"index":9') ?? ''),
      [3],
    ],
    [
      'two records exchanged',
      [rows[0], rows[2], rows[1], rows[3]].flatMap((row) => row ?? []),
      [3, 3, 2, 2, 4, 4],
    ],
    ['a text that is not JSON any more', forged(3, 'gone'), [4]],
    ['a text that is null', forged(3, 'null'), [4]],
  ])('with %s has its faults where they are', (_, broken, numbers) => {
    expect(verifyChain(broken, sha256).map((each) => each.number)).toEqual(numbers);
  });
  it('that is cut off at its end does not match the head in the mail', () => {
    expect(verifyChain(rows.slice(0, 3), sha256, head)).toEqual([
      { number: 3, why: "the service's head hash is another one" },
    ]);
    expect(verifyChain([], sha256, head)).toHaveLength(1);
  });
});
