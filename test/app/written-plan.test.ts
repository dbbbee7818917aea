/** The plan of a move as it stands in the item: every change of it is one of the open episode, and of nothing else. */
import { describe, expect, it } from 'vitest';
import type { Change, Journal, Written } from '../../shared/app/journal.ts';
import { WrittenPlan } from '../../shared/app/written-plan.ts';
import type { AttachmentId, EniId } from '../../shared/core/ids.ts';
import type { Plan } from '../../shared/core/plan.ts';
import { toService } from '../../shared/core/state.ts';
import { bareState, fullState } from '../contract/state-store-contract.ts';
import { c } from '../fakes/world.ts';

const { episode: _, ...closed } = fullState();
const toThird = (plan: Plan): Plan => ({ ...plan, target: c });

/** A journal that keeps what it was told to change. */
function told(answer: Written = 'written', state = fullState()) {
  const changes: Change[] = [];
  const journal = {
    service: () => toService(state),
    amend: (change: Change) => void changes.push(change),
    commit: (change: Change) => {
      changes.push(change);
      return Promise.resolve(answer);
    },
  } as unknown as Journal;
  return { plan: new WrittenPlan(journal), changes };
}
const uncommitted = () => {
  const { episode, ...state } = fullState();
  if (!episode) throw new Error('it has an episode');
  return { ...state, episode: { ...episode, committed: false } };
};

describe('a written plan', () => {
  it('needs an open episode', () => {
    expect(() => told('written', bareState())).toThrow('a move needs an open episode');
  });

  it('allows a detach of what the table has for that very interface, and of nothing else (S2)', () => {
    const { plan } = told();
    const [{ eni, detach } = {}] = plan.now.interfaces;
    if (!eni || !detach) throw new Error('its first interface leaves an attachment');
    expect(plan.isStored(eni, detach)).toBe(true);
    expect(plan.isStored(eni, 'eni-attach-0fffffffffffffff9' as AttachmentId)).toBe(false);
    expect(plan.isStored('eni-0ffffffffffffff99' as EniId, detach)).toBe(false);
  });

  it('that could not be stored is taken back, though the journal may write it later (S13)', async () => {
    const { plan, changes } = told('unreachable');
    const { target } = plan.now;
    expect(await plan.store(toThird, () => undefined)).toBe(false);
    expect(plan.now.target).toBe(target);
    const written = changes.reduce((state, change) => change(state), fullState());
    expect(written.episode?.plan.target).toBe(target);
  });

  it('that is amended is another one at once, here and in what is written', () => {
    const { plan, changes } = told();
    plan.amend(toThird);
    expect(plan.now.target).toBe(c);
    expect(changes.map((each) => each(fullState()).episode?.plan.target)).toEqual([c]);
  });

  it.each([
    ['stays committed', fullState(), false, true],
    ['is committed with the change that says so', uncommitted(), true, true],
    ['is not committed by another change', uncommitted(), false, false],
  ])('%s', (_name, state, committing, committed) => {
    const { plan, changes } = told('written', state);
    plan.amend(toThird, committing);
    expect(changes[0]?.(state).episode?.committed).toBe(committed);
  });

  it('that is to be stored first is another one only when it is', async () => {
    let stored = 0;
    const count = () => {
      stored += 1;
    };
    for (const answer of ['lost', 'unreachable'] as const) {
      const { plan } = told(answer);
      expect(await plan.store(toThird, count)).toBe(false);
      expect(plan.now.target).toBe(fullState().episode?.plan.target);
    }
    expect(stored).toBe(0);
    const { plan, changes } = told();
    expect(await plan.store(toThird, count)).toBe(true);
    expect(plan.now.target).toBe(c);
    expect(changes[0]?.(fullState()).episode).toEqual({
      ...fullState().episode,
      plan: toThird(plan.episode.plan),
    });
    expect(stored).toBe(1);
  });

  it('says where the move stands once, until it stands elsewhere', () => {
    const { plan, changes } = told();
    for (const state of ['CLAIMED', 'DETACHING', 'DETACHING', 'ATTACHING'] as const) plan.enter(state);
    expect(changes.map((each) => each(fullState()).episode?.state)).toEqual(['DETACHING', 'ATTACHING']);
  });

  it('changes nothing of a service whose episode is closed', async () => {
    const { plan, changes } = told();
    plan.amend(toThird, true);
    plan.enter('VERIFYING');
    await plan.store(toThird, () => undefined);
    expect(changes.map((each) => each(closed))).toEqual([closed, closed, closed]);
  });
});
