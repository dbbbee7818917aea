/** Looks at a plan's interfaces while it is carried out: what EC2 shows, what of it is new, and when to look again. */
import type { EpisodeState } from '../core/episode.ts';
import { messageOf } from '../core/errors.ts';
import type { AttachmentId, EniId } from '../core/ids.ts';
import {
  type Attachment,
  absent,
  type Fact,
  type InterfaceFact,
  known,
  unknown,
} from '../core/observation.ts';
import type { Plan } from '../core/plan.ts';
import { times } from '../core/times.ts';
import type { Journal } from './journal.ts';
import type { Ports } from './ports.ts';
import type { WrittenPlan } from './written-plan.ts';

/** The interfaces as one Describe showed them. */
export interface Look {
  readonly facts: ReadonlyMap<EniId, Fact<InterfaceFact>>;
  readonly sentAtMs: number;
  /** EC2 throttled, was slow, or did not answer. */
  readonly slow: boolean;
}

export function attachmentIn(look: Look, eni: EniId): Attachment | undefined {
  const fact = look.facts.get(eni);
  return fact?.kind === 'known' ? fact.value.attachment : undefined;
}

export const isOnNothing = (look: Look, eni: EniId) =>
  look.facts.get(eni)?.kind === 'known' && attachmentIn(look, eni) === undefined;

export const isLeaving = (look: Look, eni: EniId) => attachmentIn(look, eni)?.status === 'detaching';

/** The state that EC2 shows: what is not off its old member yet is detaching, what is not on the new one attaching. */
export function stateOf(plan: Plan, look: Look): EpisodeState {
  const attachments = plan.interfaces.map(({ eni }) => attachmentIn(look, eni));
  if (attachments.some((each) => each && (each.instanceId !== plan.target || each.status === 'detaching')))
    return 'DETACHING';
  return attachments.every((each) => each?.status === 'attached') ? 'VERIFYING' : 'ATTACHING';
}

const signature = (look: Look) =>
  [...look.facts]
    .map(([eni, fact]) =>
      fact.kind === 'known'
        ? `${eni} ${fact.value.status} ${fact.value.attachment?.id} ${fact.value.attachment?.status}`
        : `${eni} ${fact.kind}`,
    )
    .join();

/** The looks of one move, of which only the last one counts. */
export class Watch {
  last: Look;
  /** How often a look showed something else than the one before. */
  changes = 0;
  /** Attachments that a look has shown: only of those is it certain that they are gone when they are gone. */
  readonly seen = new Set<AttachmentId>();
  readonly #ports: Ports;
  readonly #journal: Journal;
  readonly #plan: WrittenPlan;
  readonly #enis: readonly EniId[];
  readonly #ended: Set<AttachmentId>;

  /** `first` is a look that is still fresh. */
  constructor(ports: Ports, journal: Journal, plan: WrittenPlan, first: Look) {
    this.#ports = ports;
    this.#journal = journal;
    this.#plan = plan;
    this.#enis = plan.now.interfaces.map((each) => each.eni);
    this.#ended = new Set(journal.service().detached);
    this.last = first;
    this.#noteSeen();
  }

  /** A read that shows an attachment which an earlier episode ended, or this one saw end, is stale (P10). */
  believable(eni: EniId): Fact<InterfaceFact> {
    const shown = attachmentIn(this.last, eni);
    if (shown && this.#ended.has(shown.id)) return unknown('EC2 shows an attachment that has ended');
    return this.last.facts.get(eni) ?? unknown('not looked at');
  }

  async lookNow(): Promise<void> {
    const before = this.last;
    const enis = this.#enis;
    try {
      const { value, sentAtMs, slow } = await this.#ports.ec2.interfaces(enis, 'poll');
      const toFact = (fact: InterfaceFact | undefined) => (fact ? known(fact) : absent);
      this.last = { sentAtMs, slow, facts: new Map(enis.map((eni) => [eni, toFact(value.get(eni))])) };
    } catch (error) {
      const facts = new Map(enis.map((eni) => [eni, unknown(messageOf(error))]));
      this.last = { sentAtMs: this.#ports.clock.now(), slow: true, facts };
    }
    this.#noteSeen(before);
    if (signature(this.last) !== signature(before)) this.changes += 1;
  }

  /** What EC2 shows goes into the log when it shows it first: the durations of the trail are EC2's, not ours. */
  #noteSeen(before?: Look): void {
    const detached = new Map(this.#plan.now.interfaces.map((each) => [each.eni, each.detach]));
    for (const [eni, fact] of this.last.facts) {
      const was = before && attachmentIn(before, eni);
      const is = attachmentIn(this.last, eni);
      if (is) this.seen.add(is.id);
      // What the plan detaches comes back as another attachment or not at all.
      const gone = detached.get(eni);
      if (gone && fact.kind === 'known' && is?.id !== gone) this.#ended.add(gone);
      if (before?.facts.get(eni)?.kind !== 'known' || fact.kind !== 'known') continue;
      if (was && !is)
        this.#journal.note({ step: 'detached', eni, detail: `${was.id} from ${was.instanceId}` });
      if (is?.status === 'attached' && (was?.id !== is.id || was.status !== 'attached'))
        this.#journal.note({ step: 'attached', eni, detail: `${is.id} to ${is.instanceId}` });
    }
  }
}

/** When to look again: soon after progress, otherwise less and less often. */
export class Pace {
  readonly #ports: Ports;
  #pollMs: number = times.pollFirstMs;
  #begunAtMs: number;

  constructor(ports: Ports) {
    this.#ports = ports;
    this.#begunAtMs = ports.clock.now();
  }

  /** A call was begun just now. */
  begun(): void {
    this.#pollMs = times.pollFirstMs;
    this.#begunAtMs = this.#ports.clock.now();
  }

  /** How long to wait for the next look, never twice quite the same. */
  nextMs(): number {
    return this.#pollMs * (0.8 + 0.4 * this.#ports.random());
  }

  /**
   * EC2 is usually done within this time: to look less often only adds to the outage. One that is slow or asks
   * to be spared is spared.
   */
  looked(isProgress: boolean, isSlow: boolean): void {
    const isSteady = !isSlow && this.#ports.clock.now() - this.#begunAtMs < times.pollSteadyMs;
    if (isProgress) this.#pollMs = times.pollFirstMs;
    else if (!isSteady) this.#pollMs = Math.min(this.#pollMs * times.pollGrowth, times.pollMaxMs);
  }
}
