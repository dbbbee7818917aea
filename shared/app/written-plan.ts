/** The plan that a move carries out, and how far: what changes here changes in the table too, before or beside what is done. */
import type { Episode, EpisodeState } from '../core/episode.ts';
import type { AttachmentId, EniId } from '../core/ids.ts';
import { isPlanned, type Plan } from '../core/plan.ts';
import { inEpisode, type Journal } from './journal.ts';

type PlanChange = (plan: Plan) => Plan;

export class WrittenPlan {
  /** The journal's open episode as the move found it. */
  readonly episode: Episode;
  readonly #journal: Journal;
  #now: Plan;
  #state: EpisodeState = 'CLAIMED';

  constructor(journal: Journal) {
    const { episode } = journal.service();
    if (!episode) throw new Error('a move needs an open episode');
    this.episode = episode;
    // Who comes back from an after hook finds the interfaces where they were seen: that is not news.
    if (episode.state === 'AFTER_HOOK' || episode.state === 'SERVING') this.#state = 'VERIFYING';
    this.#journal = journal;
    this.#now = episode.plan;
  }

  get now(): Plan {
    return this.#now;
  }

  /** Does the plan in the table name this attachment? Only then may it be detached (S2). */
  isStored(eni: EniId, id: AttachmentId): boolean {
    const stored = this.#journal.service().episode?.plan.interfaces.find((each) => each.eni === eni);
    return stored !== undefined && isPlanned(stored, id);
  }

  /** Changes it here at once and in the table soon: nothing stands between a detach and the first attach (P3). */
  amend(change: PlanChange, committed = false): void {
    this.#now = change(this.#now);
    this.#journal.amend(
      inEpisode((episode) => ({
        plan: change(episode.plan),
        committed: episode.committed || committed,
      })),
    );
  }

  /** Says where the move stands; once, until it stands elsewhere. */
  enter(state: EpisodeState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#journal.amend(inEpisode(() => ({ state })));
  }

  /**
   * Changes it in the table first, for what may only be done once it is stored. `onStored` runs before anything
   * else can be written. False: nothing was changed.
   */
  async store(change: PlanChange, onStored: () => void): Promise<boolean> {
    const changing = inEpisode(({ plan }) => ({ plan: change(plan) }));
    if ((await this.#journal.commit(changing)) !== 'written') {
      // It waits in the journal and may be stored yet: what is carried out, and recorded, is the plan as it was.
      this.#journal.amend(inEpisode(({ plan }) => ({ plan: { ...plan, target: this.#now.target } })));
      return false;
    }
    this.#now = change(this.#now);
    onStored();
    return true;
  }
}
