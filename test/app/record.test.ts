/** A record is frozen once, and never over one that nobody has copied. */
import { describe, expect, it } from 'vitest';
import type { Change, Journal } from '../../shared/app/journal.ts';
import { freezeThrough } from '../../shared/app/record.ts';
import { toService } from '../../shared/core/state.ts';
import { frozenRecord, fullState } from '../contract/state-store-contract.ts';
import { a, b, front, makeWorld, management } from '../fakes/world.ts';
import { story } from './story.ts';

/** A journal whose lease is ours all the time; `meanwhile` runs just before each of its writes. */
function journalOf(meanwhile: (state: ReturnType<typeof fullState>) => ReturnType<typeof fullState>) {
  let state = fullState();
  let commits = 0;
  const journal = {
    service: () => toService(state),
    commit: (change: Change = (each) => each) => {
      commits += 1;
      if (commits > 5) throw new Error('it does not come to an end');
      state = change(meanwhile(state));
      return Promise.resolve('written' as const);
    },
  } as unknown as Journal;
  return { journal, commits: () => commits, state: () => state };
}
const refusing: Change = (state) => ({ ...state, lastRefusal: `${state.lastRefusal}, changed` });

describe('a change that freezes a record', () => {
  it('is made once, also when it leaves the lease as it is', async () => {
    const world = await makeWorld();
    const { journal, commits, state } = journalOf((each) => each);
    expect(await world.run(freezeThrough(world.ports, journal, refusing))).toBe('written');
    expect(commits()).toBe(1);
    expect(state().lastRefusal).toBe('NO_ELIGIBLE_STANDBY, changed');
  });

  it('waits for the copy of what somebody froze in between', async () => {
    const world = await makeWorld();
    let isFirst = true;
    const { journal, commits, state } = journalOf((each) => {
      if (!isFirst) return each;
      isFirst = false;
      return { ...each, frozen: frozenRecord(13) };
    });
    expect(await world.run(freezeThrough(world.ports, journal, refusing))).toBe('written');
    expect(commits()).toBe(2);
    expect(state().lastRefusal).toBe('NO_ELIGIBLE_STANDBY, changed');
    expect(world.store.rows(fullState().name).map((each) => each.number)).toContain(13);
  });

  it('is done when an earlier try of it ended the lease after all', async () => {
    const world = await makeWorld();
    const { lease: _, ...ended } = fullState();
    const { journal, commits } = journalOf((each) => each);
    let isStored = false;
    const told: Journal = {
      ...journal,
      service: () => (isStored ? toService(ended) : journal.service()),
      commit: () => {
        isStored = true;
        return journal.commit();
      },
    };
    expect(await world.run(freezeThrough(world.ports, told, refusing))).toBe('written');
    expect(commits()).toBe(1);
  });

  story('and ends the lease is made once, although nobody answered', async (world) => {
    world.store.fail(
      'write',
      { kind: 'answer-lost' },
      { when: ({ before, after }) => before?.episode !== undefined && after?.episode === undefined },
    );
    world.ec2.impair(a);
    expect((await world.look(world.alarm(a))).code).toBe('COMPLETED');
    expect(world.kinds()).toEqual(['episode']);
    expect([front, management].map((eni) => world.ec2.where(eni)?.instanceId)).toEqual([b, b]);
  });
});
