/** Notices: short enough for a phone, complete for a program, and the same text in every copy. */
import { describe, expect, it } from 'vitest';
import { type NoticeFacts, toNotice } from '../../shared/core/notice.ts';
import { now } from './world.ts';

const facts = (more: Partial<NoticeFacts> = {}): NoticeFacts => ({
  service: 'orders-db',
  outcome: 'COMPLETED',
  severity: 'info',
  headline: 'failover to i-b done',
  lines: ['From: i-a', 'To: i-b'],
  atMs: now,
  next: ['eni-failover ack orders-db'],
  data: { from: 'i-a', to: 'i-b' },
  trailNumber: 12,
  headHash: 'h12',
  ...more,
});
const plain = { declared: '{}' };
const render = (more: Partial<NoticeFacts> = {}, declared: object = {}) =>
  toNotice(facts(more), 'orders-db.7.COMPLETED', true, { declared: JSON.stringify(declared) });
const programIn = (body: string) => JSON.parse(body.slice(body.lastIndexOf('\n') + 1)) as object;

describe('the subject', () => {
  it('says which service and what, in one line', () => {
    expect(render().subject).toBe('[eni-failover] orders-db: failover to i-b done');
  });
  it.each(['warning', 'critical'] as const)('of one that is %s begins with that', (severity) => {
    expect(render({ severity }).subject).toContain(` ${severity.toUpperCase()}: orders-db`);
  });
  it('is at most 100 printable ASCII characters, as SNS wants it', () => {
    const { subject } = render({ headline: `größer\n${'x'.repeat(200)}` });
    expect(subject).toHaveLength(100);
    expect(subject).toMatch(/^[\x20-\x7e]+\.\.\.$/);
  });
  it('of exactly 100 characters is left whole', () => {
    const room = 100 - '[eni-failover] orders-db: '.length;
    expect(render({ headline: 'x'.repeat(room) }).subject).toMatch(/x$/);
    expect(render({ headline: 'x'.repeat(room + 1) }).subject).toMatch(/x\.\.\.$/);
  });
});

describe('the body', () => {
  it('tells what happened, what to do, when, and where it is on record', () => {
    const { body } = render({ severity: 'critical' });
    const lines = body.split('\n');
    expect(lines[0]).toBe('CRITICAL: orders-db: failover to i-b done');
    expect(lines).toEqual(
      expect.arrayContaining([
        'From: i-a',
        'To: i-b',
        'What to do:',
        '  eni-failover ack orders-db',
        'At 2026-11-21T02:00:00.000Z',
        'Trail #12, head h12',
      ]),
    );
  });
  it('goes from the headline to the facts where nothing is declared', () => {
    expect(render().body).toMatch(/^orders-db: failover to i-b done\n\nFrom: i-a\nTo: i-b\n\nWhat to do:\n/);
  });
  it('asks for nothing when nobody has to do anything', () => {
    expect(render({ next: [] }).body).not.toContain('What to do');
  });
  it('names the description and the contacts where they are declared', () => {
    const { body } = render(
      {},
      { description: 'The orders database', contacts: ['db@example.com', '+49 30 1'] },
    );
    expect(body).toContain('\nThe orders database\n');
    expect(body).toContain('Contacts: db@example.com, +49 30 1');
    expect(render({}, { contacts: [] }).body).not.toContain('Contacts');
  });
  it('ends with the same for programs, on one line', () => {
    expect(programIn(render().body)).toEqual({
      version: 1,
      dedupeId: 'orders-db.7.COMPLETED',
      service: 'orders-db',
      outcome: 'COMPLETED',
      severity: 'info',
      at: '2026-11-21T02:00:00.000Z',
      headline: 'failover to i-b done',
      next: ['eni-failover ack orders-db'],
      trail: { number: 12, headHash: 'h12' },
      from: 'i-a',
      to: 'i-b',
    });
  });
});

describe('a notice', () => {
  it('carries what a subscription filters by, and whether it may be dropped', () => {
    expect(render()).toMatchObject({
      dedupeId: 'orders-db.7.COMPLETED',
      atMs: now,
      keep: true,
      attributes: {
        service: 'orders-db',
        outcome: 'COMPLETED',
        severity: 'info',
        dedupeId: 'orders-db.7.COMPLETED',
      },
    });
    expect(toNotice(facts(), 'x', false, plain).keep).toBe(false);
  });
  it('is the same text each time it is rendered', () => {
    expect(render()).toEqual(render());
  });
});
