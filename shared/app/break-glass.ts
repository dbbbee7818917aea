/** A move without the controller: a person, EC2, and a journal on the person's own disk. The same plan, derived the same way. */
import { bringTo, type ByHand as Call, toCommands } from '../core/aws-commands.ts';
import { refusalsOf } from '../core/eligibility.ts';
import { messageOf } from '../core/errors.ts';
import type { EniId, InstanceId } from '../core/ids.ts';
import {
  type Attachment,
  absent,
  type Fact,
  type InterfaceFact,
  interfaceOf,
  known,
  unknown,
} from '../core/observation.ts';
import {
  leavingUnnoticed,
  type NextStep,
  nextStep,
  type Plan,
  type PlannedInterface,
  type Sent,
  withAttachment,
  withDetachAnswered,
  withDetachSent,
  withLeaving,
  withRung,
} from '../core/plan.ts';
import { type MemberReasonCode, type MemberRefusal, memberReasons } from '../core/reasons.ts';
import { interfacesOf, isLeaseFree, isMember, type Service } from '../core/state.ts';
import { times } from '../core/times.ts';
import { observe } from './observe.ts';
import type { Clock, Ec2, Site } from './ports.ts';

// ── Before ──────────────────────────────────────────────────────────────────────────────────────────────

export type Prepared =
  | {
      readonly kind: 'prepared';
      readonly plan: Plan;
      readonly facts: ReadonlyMap<EniId, Fact<InterfaceFact>>;
      /** What a person may overrule: it speaks of the data and of our own rules, not of EC2's. */
      readonly warnings: readonly string[];
    }
  | { readonly kind: 'refused'; readonly code: string; readonly detail: string; readonly wayOut: string };

/** The controller would not, a person may: who is quarantined or behind may still be all that is left. */
const forPeople: ReadonlySet<MemberReasonCode> = new Set([
  'QUARANTINED',
  'NOT_READY',
  'NOT_TAGGED',
  'UNKNOWN_HEALTH',
]);

const refused = (code: string, detail: string, wayOut: string): Prepared => ({
  kind: 'refused',
  code,
  detail,
  wayOut,
});

const inWords = ({ code, detail }: MemberRefusal) =>
  `${code}: ${detail} (${memberReasons[code as MemberReasonCode].meaning})`;

function planOf(
  service: Service,
  attachments: ReadonlyMap<EniId, Attachment>,
  target: InstanceId,
  force: boolean,
): Plan {
  const holders = interfacesOf(service).flatMap((eni) => attachments.get(eni)?.instanceId ?? []);
  const before = [...holders, service.lastSeen?.holder].find((id) => id !== target && isMember(service, id));
  return {
    ...(before && { source: before }),
    target,
    tried: [target],
    detach: force ? 'force' : 'plain',
    // Only for the way back from a target that took a part: it is alive, and its guest should let go by itself.
    plainDetachMs: 5_000,
    interfaces: service.declaration.interfaces.map((each): PlannedInterface => {
      const attachment = attachments.get(each.eni);
      return { ...each, ...(attachment && { detach: attachment.id }), ours: [] };
    }),
  };
}

/**
 * Looks at EC2 and says what would be done, or why nothing may be. A move that was broken off is prepared like any
 * other: what is on its way, or on nothing, is where the plan begins.
 */
export async function prepareByHand(
  site: Pick<Site, 'clock' | 'ec2' | 'alarms'>,
  service: Service,
  target: InstanceId,
  { force }: { readonly force: boolean },
): Promise<Prepared> {
  const { name } = service;
  const nowMs = site.clock.now();
  if (!isLeaseFree(service, nowMs))
    return refused(
      'LEASE_HELD',
      `the controller is at work on ${name}: ${service.episode?.kind ?? 'a look'} until ${new Date(service.lease?.untilMs ?? nowMs).toISOString()}`,
      'wait until it has ended; if the controller is dead, the lease is free within seconds',
    );
  const member = service.declaration.members.find((each) => each.instance === target);
  if (!member)
    return refused('NOT_A_MEMBER', `${target} is not a member of ${name}`, 'name one of its members');

  const observation = await observe(site, service);
  const facts = new Map(interfacesOf(service).map((eni) => [eni, interfaceOf(observation, eni)]));
  const attachments = new Map<EniId, Attachment>();
  for (const [eni, fact] of facts) {
    if (fact.kind === 'unknown')
      return refused('UNKNOWN_STATE', `${eni} could not be read: ${fact.why}`, 'try again');
    if (fact.kind === 'absent')
      return refused('UNMOVABLE_INTERFACE', `EC2 does not know ${eni} any more`, 'nothing can be moved');
    if (fact.value.unmovable !== undefined)
      return refused('UNMOVABLE_INTERFACE', `${eni} ${fact.value.unmovable}`, 'EC2 never moves it');
    const { attachment } = fact.value;
    if (attachment && attachment.status !== 'detached') attachments.set(eni, attachment);
  }
  const plan = planOf(service, attachments, target, force);
  const isThere = plan.interfaces.every(({ eni }) => {
    const attachment = attachments.get(eni);
    return attachment?.instanceId === target && attachment.status === 'attached';
  });
  if (isThere) return refused('NOTHING_TO_DO', `${name} is on ${target} already`, 'look at its guest');

  const refusals = refusalsOf(service, observation, member, nowMs);
  const hard = refusals.filter((each) => !forPeople.has(each.code));
  if (hard.length > 0)
    return refused(
      'NO_ELIGIBLE_STANDBY',
      `${target}: ${hard.map(inWords).join('; ')}`,
      'name another member',
    );
  return { kind: 'prepared', plan, facts, warnings: refusals.map(inWords) };
}

// ── The same for people's hands ─────────────────────────────────────────────────────────────────────────

/** What is left to do, as commands that can be pasted, from what EC2 showed. */
export function commandsByHand(
  plan: Plan,
  facts: ReadonlyMap<EniId, Fact<InterfaceFact>>,
): readonly string[] {
  const attachmentOf = (eni: string) => {
    const fact = facts.get(eni as EniId);
    return fact?.kind === 'known' ? fact.value.attachment : undefined;
  };
  const moves = bringTo(plan.target, plan.interfaces, attachmentOf, plan.detach === 'force');
  const isMoved = (eni: EniId) => moves.some((step) => step.do === 'attach' && step.eni === eni);
  const kept = plan.interfaces.flatMap(({ eni }): readonly Call[] => {
    const attachment = attachmentOf(eni);
    return attachment?.deleteOnTermination && !isMoved(eni)
      ? [{ do: 'keep-on-termination', eni, attachment: attachment.id }]
      : [];
  });
  // The Region is the one that his AWS CLI uses: he asks in it.
  return toCommands([...moves, ...kept], '');
}

// ── The move ────────────────────────────────────────────────────────────────────────────────────────────

export interface JournalLine {
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly call: string;
  readonly detail: string;
}

/** Resolves once the line is on the disk; it is written before the call that it speaks of. */
export type LocalJournal = (line: JournalLine) => Promise<void>;

export type ByHand = {
  readonly plan: Plan;
  /** As EC2 showed them last. */
  readonly facts: ReadonlyMap<EniId, Fact<InterfaceFact>>;
} & (
  | { readonly kind: 'moved'; readonly on: InstanceId }
  /** The target refused, and everything is back where it was. */
  | { readonly kind: 'returned'; readonly on: InstanceId; readonly why: string }
  /** Nothing was changed. */
  | { readonly kind: 'refused'; readonly why: string }
  /** A person has to go on, with {@link commandsByHand}. */
  | { readonly kind: 'stopped'; readonly why: string }
);

interface Hands {
  readonly clock: Clock;
  readonly ec2: Ec2;
  readonly random: () => number;
  readonly journal: LocalJournal;
  /** What people are told beside the journal. */
  readonly tell: (text: string) => void;
}

/** EC2 takes minutes at worst; whoever waits longer should see for himself. */
const patienceMs = 10 * 60_000;
const pauseAfterUnclearMs = 1_000;
const keepTries = 5;

class Move {
  plan: Plan;
  facts: ReadonlyMap<EniId, Fact<InterfaceFact>>;
  readonly #hands: Hands;
  readonly #sent = new Map<EniId, Sent>();
  readonly #kept = new Map<EniId, number>();
  #hasActed = false;
  #goesBackBecause: string | undefined;

  constructor(hands: Hands, plan: Plan, facts: ReadonlyMap<EniId, Fact<InterfaceFact>>) {
    this.#hands = hands;
    this.plan = plan;
    this.facts = facts;
  }

  async run(): Promise<ByHand> {
    const { clock, random } = this.#hands;
    const untilMs = clock.now() + patienceMs;
    for (;;) {
      await this.#look();
      for (const { eni, id } of leavingUnnoticed(this.plan, this.facts))
        this.plan = withLeaving(this.plan, eni, id, { atMs: clock.now(), isTaken: true });
      let resting = 0;
      for (const planned of this.plan.interfaces) {
        const end = await this.#take(planned);
        if (end === 'rest') resting += 1;
        else if (end !== undefined) return end;
      }
      if (resting === this.plan.interfaces.length) return this.#rest();
      if (clock.now() >= untilMs) return this.#stop('it takes too long');
      await clock.sleep(times.pollFirstMs * (1 + random()));
    }
  }

  #rest(): ByHand {
    const { plan, facts } = this;
    const why = this.#goesBackBecause;
    return why === undefined
      ? { kind: 'moved', on: plan.target, plan, facts }
      : { kind: 'returned', on: plan.target, why, plan, facts };
  }

  #stop(why: string): ByHand {
    const { plan, facts } = this;
    return { kind: this.#hasActed ? 'stopped' : 'refused', why, plan, facts };
  }

  async #look(): Promise<void> {
    const enis = this.plan.interfaces.map((each) => each.eni);
    try {
      const { value } = await this.#hands.ec2.interfaces(enis, 'poll');
      this.facts = new Map(
        enis.map((eni) => {
          const fact = value.get(eni);
          return [eni, fact ? known(fact) : absent];
        }),
      );
    } catch (error) {
      this.facts = new Map(enis.map((eni) => [eni, unknown(messageOf(error))]));
    }
  }

  /** Does what is due for one interface. `rest`: nothing is left to do for it. */
  async #take(planned: PlannedInterface): Promise<'rest' | ByHand | undefined> {
    const { eni } = planned;
    const fact = this.facts.get(eni) ?? unknown('not looked at');
    const step = nextStep(this.plan, planned, fact, this.#sent.get(eni) ?? {}, this.#hands.clock.now());
    switch (step.kind) {
      case 'rest':
        return 'rest';
      case 'look': {
        const sent = this.#sent.get(eni) ?? {};
        if (sent.waitingSinceMs === undefined)
          this.#remember(eni, { waitingSinceMs: this.#hands.clock.now() });
        return undefined;
      }
      case 'adopt':
        this.plan = withAttachment(this.plan, eni, step.attachment);
        return undefined;
      case 'detach':
        return this.#detach(eni, step);
      case 'attach':
        return this.#attach(planned);
      case 'keep-on-termination':
        return this.#keep(eni, step);
      case 'target-refused':
        return this.#goBack(step.why);
      case 'gone':
        return this.#stop(`EC2 does not know ${eni} any more`);
      case 'stuck':
        return this.#stop(`${eni}: ${step.why}; a forced detach may free it`);
      case 'unmovable':
      case 'third-party':
        return this.#stop(`${eni}: ${step.why}`);
    }
  }

  async #detach(eni: EniId, { attachment, force }: NextStep & { readonly kind: 'detach' }) {
    const { ec2, clock } = this.#hands;
    await this.#write('DetachNetworkInterface', `${eni} ${attachment}${force ? ' forced' : ''}`);
    const nowMs = clock.now();
    this.#sent.set(eni, withDetachSent(this.#sent.get(eni) ?? {}, attachment, force, nowMs));
    const hadActed = this.#hasActed;
    this.#hasActed = true;
    const answer = await ec2.detach(attachment, { force });
    await this.#write('DetachNetworkInterface', `${eni} ${attachment} answered: ${inShort(answer)}`);
    if (answer.kind === 'refused') {
      // An answer that says no means that nothing was done.
      this.#hasActed = hadActed;
      const why = `the detach of ${eni} was refused (${answer.code}: ${answer.detail})`;
      return hadActed ? this.#goBack(why) : this.#stop(why);
    }
    // Not accepted for certain: it is sent again without waiting out the time that EC2 has for what it accepted.
    if (answer.kind === 'accepted') this.#sent.set(eni, withDetachAnswered(this.#sent.get(eni) ?? {}, true));
    else this.#again(eni);
    return undefined;
  }

  async #attach({ eni, deviceIndex, networkCardIndex }: PlannedInterface) {
    const { ec2, clock } = this.#hands;
    const { target } = this.plan;
    await this.#write('AttachNetworkInterface', `${eni} to ${target} at device index ${deviceIndex}`);
    this.#hasActed = true;
    this.#remember(eni, { attachAtMs: this.#sent.get(eni)?.attachAtMs ?? clock.now() });
    const answer = await ec2.attach({ eni, instanceId: target, deviceIndex, networkCardIndex });
    await this.#write('AttachNetworkInterface', `${eni} to ${target} answered: ${inShort(answer)}`);
    switch (answer.kind) {
      case 'accepted':
        this.plan = withAttachment(this.plan, eni, answer.attachment);
        this.#remember(eni, { attachAcceptedAtMs: clock.now() });
        return undefined;
      case 'unclear': {
        const { attachAtMs: _, ...rest } = this.#sent.get(eni) ?? {};
        this.#sent.set(eni, rest);
        this.#again(eni);
        return undefined;
      }
      case 'target-refused':
        return this.#goBack(`${target} does not take ${eni} (${answer.code}: ${answer.detail})`);
      case 'gone':
        return this.#stop(`EC2 does not know ${eni} any more`);
      case 'look':
        return undefined;
    }
  }

  /** It is attached; a mark that cannot be set is told, and no reason to move it again. */
  async #keep(eni: EniId, { attachment }: NextStep & { readonly kind: 'keep-on-termination' }) {
    const tries = (this.#kept.get(eni) ?? 0) + 1;
    this.#kept.set(eni, tries);
    if (tries === keepTries + 1)
      this.#hands.tell(
        `${eni}: DeleteOnTermination could not be set to false; it is deleted with its instance`,
      );
    if (tries > keepTries) return 'rest';
    await this.#write('ModifyNetworkInterfaceAttribute', `${eni} ${attachment} DeleteOnTermination=false`);
    const answer = await this.#hands.ec2.keepOnTermination(eni, attachment);
    await this.#write('ModifyNetworkInterfaceAttribute', `${eni} ${attachment} answered: ${answer}`);
    if (answer === 'refused') this.#kept.set(eni, keepTries);
    return undefined;
  }

  /** Better where it came from than on nothing. */
  async #goBack(why: string): Promise<ByHand | undefined> {
    const { source } = this.plan;
    if (!source || this.#goesBackBecause !== undefined) {
      const first = this.#goesBackBecause;
      return this.#stop(first === undefined ? why : `${first}; and the way back failed: ${why}`);
    }
    this.#goesBackBecause = why;
    this.#hands.tell(`${why}; going back to ${source}`);
    await this.#write('GoBack', `to ${source}, because ${why}`);
    this.plan = withRung(this.plan, source);
    this.#sent.clear();
    this.#kept.clear();
    return undefined;
  }

  #again(eni: EniId): void {
    this.#remember(eni, { notBeforeMs: this.#hands.clock.now() + pauseAfterUnclearMs });
  }

  #remember(eni: EniId, more: Sent): void {
    this.#sent.set(eni, { ...this.#sent.get(eni), ...more });
  }

  /** Nothing is begun that is not written down; but what is begun is ended, whether or not the disk is full. */
  async #write(call: string, detail: string): Promise<void> {
    const { journal, clock, tell } = this.#hands;
    tell(`${call}: ${detail}`);
    try {
      await journal({ at: new Date(clock.now()).toISOString(), call, detail });
    } catch (error) {
      if (!this.#hasActed) throw error;
      tell(`the journal could not be written: ${messageOf(error)}`);
    }
  }
}

const inShort = (answer: { readonly kind: string; readonly code?: string; readonly detail?: string }) =>
  [answer.kind, answer.code, answer.detail].filter(Boolean).join(' ');

/** Moves until everything rests, was brought back, or only a person can go on. Never throws once it has begun. */
export function moveByHand(
  hands: Hands,
  { plan, facts }: Pick<Prepared & { readonly kind: 'prepared' }, 'plan' | 'facts'>,
): Promise<ByHand> {
  return new Move(hands, plan, facts).run();
}
