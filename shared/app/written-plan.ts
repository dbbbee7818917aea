/** The plan that a move carries out: what changes in it changes in the table too, before or beside what is done. */
import type { Episode } from '../core/episode.ts';
import type { Plan } from '../core/plan.ts';
import type { Change, Journal } from './journal.ts';

type PlanChange = (plan: Plan) => Plan;

const inItem =
  (change: PlanChange, committed = false): Change =>
  (item) => {
    const { episode } = item;
    if (!episode) return item;
    const after = { plan: change(episode.plan), committed: episode.committed || committed };
    return { ...item, episode: { ...episode, ...after } };
  };

export class WrittenPlan {
  /** The journal's open episode as the move found it. */
  readonly episode: Episode;
  readonly #journal: Journal;
  #now: Plan;

  constructor(journal: Journal) {
    const { episode } = journal.service();
    if (!episode) throw new Error('a move needs an open episode');
    this.episode = episode;
    this.#journal = journal;
    this.#now = episode.plan;
  }

  get now(): Plan {
    return this.#now;
  }

  /** Changes it here at once and in the table soon: nothing stands between a detach and the first attach (P3). */
  amend(change: PlanChange, committed = false): void {
    this.#now = change(this.#now);
    this.#journal.amend(inItem(change, committed));
  }

  /**
   * Changes it in the table first, for what may only be done once it is stored. `onStored` runs before anything
   * else can be written. False: nothing was changed.
   */
  async store(change: PlanChange, onStored: () => void): Promise<boolean> {
    if ((await this.#journal.commit(inItem(change))) !== 'written') return false;
    this.#now = change(this.#now);
    onStored();
    return true;
  }
}
