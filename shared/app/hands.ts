/** The four things that a move does to an interface: detach, attach, keep and adopt; and what each answer means. */
import { messageOf } from '../core/errors.ts';
import type { AttachmentId, EniId } from '../core/ids.ts';
import {
  leavingTaken,
  type NextStep,
  type Plan,
  type PlannedInterface,
  type Sent,
  withAttachment,
  withDetachAnswered,
  withDetachSent,
  withLeaving,
} from '../core/plan.ts';
import { times } from '../core/times.ts';
import type { Journal } from './journal.ts';
import type { AttachAnswer, DetachAnswer, Ports } from './ports.ts';
import type { WrittenPlan } from './written-plan.ts';

/** An interface that takes no further part, and why. */
export interface Out {
  readonly eni: EniId;
  readonly kind: 'gone' | 'unmovable' | 'third-party' | 'stuck' | 'detach-refused' | 'keep-refused';
  readonly why: string;
}

interface UnderWay {
  readonly sinceMs: number;
  readonly done: Promise<void>;
}

type Detach = Extract<NextStep, { kind: 'detach' }>;

const told = (what: string, answer: DetachAnswer | AttachAnswer) =>
  answer.kind === 'accepted' ? what : `${what}: ${answer.kind} ${answer.code}`;

/** Begins what is due for an interface, one thing at a time for each, and remembers what it has sent. */
export class Hands {
  /** Something was issued for this plan, by this worker or, as the item says, by one before it. */
  acted: boolean;
  /** How many things were begun. */
  begun = 0;
  /** Interfaces that take no further part, in the order in which they were left. */
  readonly out = new Map<EniId, Out>();
  /** Why the present target will not have an interface. */
  readonly refused = new Map<EniId, string>();
  readonly #ports: Ports;
  readonly #journal: Journal;
  readonly #plan: WrittenPlan;
  readonly #sent = new Map<EniId, Sent>();
  readonly #unclear = new Map<EniId, number>();
  readonly #attachAnsweredAtMs = new Map<EniId, number>();
  readonly #underWay = new Map<EniId, UnderWay>();
  #renewing = false;

  constructor(ports: Ports, journal: Journal, plan: WrittenPlan, acted: boolean) {
    this.#ports = ports;
    this.#journal = journal;
    this.#plan = plan;
    this.acted = acted;
  }

  sent(eni: EniId): Sent {
    return this.#sent.get(eni) ?? {};
  }

  attachAnsweredAtMs(eni: EniId): number {
    return this.#attachAnsweredAtMs.get(eni) ?? 0;
  }

  isFree(eni: EniId): boolean {
    return !this.out.has(eni) && !this.refused.has(eni) && !this.#underWay.has(eni);
  }

  leftAs(kind: Out['kind']): Out | undefined {
    return [...this.out.values()].find((each) => each.kind === kind);
  }

  /** How many calls are not answered yet. */
  get busy(): number {
    return this.#underWay.size;
  }

  /** Of each call under way; none of them rejects. */
  answers(): readonly Promise<void>[] {
    return [...this.#underWay.values()].map((each) => each.done);
  }

  settle(): Promise<unknown> {
    return Promise.all(this.answers());
  }

  hasOneLongerThan(ms: number): boolean {
    const nowMs = this.#ports.clock.now();
    return [...this.#underWay.values()].some(({ sinceMs }) => nowMs - sinceMs > ms);
  }

  /** What was sent to the target before says nothing of the next one. */
  forget(): void {
    this.refused.clear();
    this.#sent.clear();
  }

  /**
   * Begins a step without waiting for its answer; without a lease that allows it, nothing is sent. Resolves at
   * once, but not before the write beside it is on its way.
   */
  async take(planned: PlannedInterface, step: NextStep): Promise<void> {
    const { eni } = planned;
    switch (step.kind) {
      case 'detach':
        // What our own attach has just made is in the plan here before it is in the table.
        this.#send(this.#mayMutate && this.#plan.isStored(eni, step.attachment), eni, () =>
          this.#detach(planned, step),
        );
        return;
      case 'attach':
        this.#send(this.#mayAttach, eni, () => this.#attach(planned));
        return;
      case 'keep-on-termination':
        this.#send(this.#mayMutate, eni, () => this.#keep(eni, step.attachment));
        return;
      case 'adopt':
        this.#begin(eni, this.#adopt(eni, step.attachment));
        return;
      case 'target-refused':
        this.refused.set(eni, step.why);
        return;
      case 'gone':
        this.#leave(eni, 'gone', 'EC2 does not know it any more');
        return;
      case 'unmovable':
      case 'third-party':
      case 'stuck':
        this.#leave(eni, step.kind, step.why);
        return;
      case 'look':
        if (this.sent(eni).waitingSinceMs === undefined)
          this.#remember(eni, { waitingSinceMs: this.#ports.clock.now() });
        return;
      case 'rest':
        return;
    }
  }

  async #detach(planned: PlannedInterface, { attachment, force }: Detach): Promise<void> {
    const { clock, ec2 } = this.#ports;
    const { eni } = planned;
    const startedAtMs = clock.now();
    const leaving = (isTaken: boolean) => (plan: Plan) =>
      withLeaving(plan, eni, attachment, { atMs: startedAtMs, isTaken });
    this.#sent.set(eni, withDetachSent(this.sent(eni), attachment, force, startedAtMs));
    this.acted = true;
    const answering = ec2.detach(attachment, { force });
    // Not awaited: no write stands between a detach and the first attach (P3).
    this.#plan.amend(leaving(false), true);
    const answer = await answering;
    const isTaken = answer.kind === 'accepted';
    const step = force ? 'detach-forced' : 'detach';
    this.#journal.note({
      step,
      eni,
      detail: told(attachment, answer),
      durationMs: clock.now() - startedAtMs,
    });
    // Either of them writes what waits.
    if (isTaken && leavingTaken(planned, attachment) === undefined) this.#plan.amend(leaving(true));
    else this.#journal.flush();
    // In the wrong state just now (an instance that is stopping, say) is no answer either.
    const isWrongState = answer.kind === 'look' && answer.code.startsWith('Incorrect');
    if (answer.kind === 'refused') this.#leave(eni, 'detach-refused', `${answer.code}: ${answer.detail}`);
    // The next look may send it again without waiting out the time that EC2 has for what it answered.
    else if (answer.kind === 'unclear' || isWrongState)
      this.#remember(eni, { notBeforeMs: this.#backOff(eni) });
    else this.#sent.set(eni, withDetachAnswered(this.sent(eni), isTaken));
  }

  async #attach({ eni, deviceIndex, networkCardIndex }: PlannedInterface): Promise<void> {
    const { clock, ec2 } = this.#ports;
    const startedAtMs = clock.now();
    const { target } = this.#plan.now;
    this.acted = true;
    this.#remember(eni, { attachAtMs: this.sent(eni).attachAtMs ?? startedAtMs });
    const answer = await ec2.attach({ eni, instanceId: target, deviceIndex, networkCardIndex });
    this.#attachAnsweredAtMs.set(eni, clock.now());
    this.#journal.note({
      step: 'attach',
      eni,
      detail: told(target, answer),
      durationMs: clock.now() - startedAtMs,
    });
    if (answer.kind === 'accepted') {
      this.#remember(eni, { attachAcceptedAtMs: clock.now() });
      this.#plan.amend((plan) => withAttachment(plan, eni, answer.attachment));
    } else if (answer.kind === 'unclear') {
      // Nothing that the target caused: its patience begins anew, and it is not blamed (P18).
      const { attachAtMs: _, ...rest } = this.sent(eni);
      this.#sent.set(eni, { ...rest, notBeforeMs: this.#backOff(eni) });
    } else if (answer.kind === 'target-refused') {
      this.refused.set(eni, `${answer.code}: ${answer.detail}`);
    } else if (answer.kind === 'gone') {
      this.#leave(eni, 'gone', answer.code);
    }
  }

  async #keep(eni: EniId, id: AttachmentId): Promise<void> {
    const answer = await this.#ports.ec2.keepOnTermination(eni, id);
    this.#journal.note({ step: 'keep-on-termination', eni, detail: answer });
    if (answer === 'refused')
      this.#leave(eni, 'keep-refused', 'DeleteOnTermination could not be set to false');
  }

  /** An attachment is taken into the stored plan before anything is done about it (S2). */
  async #adopt(eni: EniId, id: AttachmentId): Promise<void> {
    const adopting = (plan: Plan) => withAttachment(plan, eni, id);
    await this.#plan.store(adopting, () => {
      this.#sent.delete(eni);
      this.#journal.note({ step: 'adopted', eni, detail: `${id} is our own late effect` });
    });
  }

  /** The lease must outlive the timeout of what is sent under it (P6). */
  get #mayMutate(): boolean {
    return this.#journal.covers(times.ec2TimeoutMs);
  }

  /** An attach also while the table is away: nobody can have taken the lease through it (P5). */
  get #mayAttach(): boolean {
    return this.#mayMutate || this.#journal.status() === 'unreachable';
  }

  #send(isAllowed: boolean, eni: EniId, call: () => Promise<void>): void {
    if (isAllowed) this.#begin(eni, call());
    else this.#renew();
  }

  #begin(eni: EniId, work: Promise<void>): void {
    this.begun += 1;
    const done = work.catch(this.#noteFailure).finally(() => this.#underWay.delete(eni));
    this.#underWay.set(eni, { sinceMs: this.#ports.clock.now(), done });
  }

  /**
   * Frozen past the lease, or the renewals stalled: find out whose it is. Not waited for, since the attach of
   * another interface may be due (P5).
   */
  #renew(): void {
    if (this.#renewing) return;
    this.#renewing = true;
    this.#journal
      .commit()
      .catch(this.#noteFailure)
      .finally(() => {
        this.#renewing = false;
      });
  }

  readonly #noteFailure = (error: unknown) =>
    this.#journal.note({ step: 'call-failed', detail: messageOf(error) });

  #remember(eni: EniId, more: Sent): void {
    this.#sent.set(eni, { ...this.sent(eni), ...more });
  }

  #leave(eni: EniId, kind: Out['kind'], why: string): void {
    this.out.set(eni, { eni, kind, why });
    this.#journal.note({ step: kind, eni, detail: why });
  }

  /** Until when nothing is sent for this interface: longer each time, up to the longest poll. */
  #backOff(eni: EniId): number {
    const { clock, random } = this.#ports;
    const count = (this.#unclear.get(eni) ?? 0) + 1;
    this.#unclear.set(eni, count);
    const pauseMs = Math.min(times.pollFirstMs * times.pollGrowth ** count, times.pollMaxMs);
    return clock.now() + pauseMs * (0.8 + 0.4 * random());
  }
}
