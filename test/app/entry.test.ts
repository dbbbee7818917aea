/** The mould of records and notices: what of a story goes where, and which notices never make room for others. */
import { describe, expect, it } from 'vitest';
import { type Story, toEntry } from '../../shared/app/entry.ts';
import type { Severity } from '../../shared/core/notice.ts';
import { a, front, makeWorld } from '../fakes/world.ts';

const entryOf = async (severity: Severity, more: Partial<Story> = {}) => {
  const world = await makeWorld();
  const story: Story = {
    kind: 'change',
    author: 'ann',
    outcome: 'KEPT_ON_TERMINATION',
    severity,
    headline: 'it is so',
    lines: ['a line'],
    next: ['do this'],
    facts: { for: 'the record' },
    data: { for: 'programs' },
    instances: [a],
    enis: [front],
    change: (state) => ({ ...state, lastObserved: 'x' }),
    ...more,
  };
  return { world, entry: toEntry(world.ports, world.service(), story) };
};

describe('an entry', () => {
  it('says who and when, what the record says, and where it is found again', async () => {
    const { world, entry } = await entryOf('info');
    expect(entry.draft).toEqual({
      kind: 'change',
      atMs: world.clock.now(),
      author: 'ann',
      outcome: 'KEPT_ON_TERMINATION',
      facts: { for: 'the record' },
      instances: [a],
      enis: [front],
    });
    expect(entry.change(world.service()).lastObserved).toBe('x');
  });

  it('is told under the name of its record', async () => {
    const { entry } = await entryOf('info');
    expect(entry.notice({ number: 7, hash: 'h7' })).toMatchObject({
      dedupeId: 'orders-db.change.7',
      kind: 'change',
      outcome: 'KEPT_ON_TERMINATION',
      severity: 'info',
      trail: { number: 7, headHash: 'h7' },
      data: { for: 'programs' },
    });
  });

  it('that is on record only is told to nobody', async () => {
    const { entry } = await entryOf('info', { quiet: true });
    expect(entry.notice({ number: 7, hash: 'h7' })).toBeUndefined();
  });

  it('of readiness makes room where the outbox is full: the next change of it is told again', async () => {
    const { entry } = await entryOf('critical', { kind: 'readiness' });
    expect(entry.notice({ number: 7, hash: 'h7' })?.keep).toBe(false);
  });

  it.each([
    ['info', false],
    ['warning', false],
    ['critical', true],
  ] as const)('that is %s is kept where the outbox is full: %s', async (severity, keep) => {
    const { entry } = await entryOf(severity);
    expect(entry.notice({ number: 7, hash: 'h7' })?.keep).toBe(keep);
  });
});
