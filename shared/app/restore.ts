/** The one use case: read, observe, decide, claim and plan in one write, act, verify, close, notify. */
import { decide } from '../core/decide.ts';
import type { Decision, Question, Refusal } from '../core/decision.ts';
import type { Episode } from '../core/episode.ts';
import { PortError } from '../core/errors.ts';
import type { WorkMessage } from '../core/hint.ts';
import type { EpisodeId } from '../core/ids.ts';
import type { Observation } from '../core/observation.ts';
import { isUntouched, type Plan } from '../core/plan.ts';
import { reasons } from '../core/reasons.ts';
import { nextRung } from '../core/rungs.ts';
import type { Service, ServiceState } from '../core/state.ts';
import { times } from '../core/times.ts';
import { canonical } from '../core/trail.ts';
import { type BrakeCheck, brakeCheck } from './brake.ts';
import { closeEpisode, type Ending, toEnding } from './close.ts';
import { deliver, deliverLeftovers } from './deliver.ts';
import { inTime } from './in-time.ts';
import { type Journal, makeJournal } from './journal.ts';
import { carryOut } from './move.ts';
import { observe } from './observe.ts';
import type { Ports, Run } from './ports.ts';
import { freezeThrough, readService, record, withEntry } from './record.ts';
import {
  announcedEntry,
  isTellingAgain,
  keptEntry,
  observedEntry,
  recoveredEntry,
  refusalEntry,
} from './restore-records.ts';

/** What came of one look at one service. `code` is an outcome or a reason code. */
export interface Report {
  readonly service: string;
  readonly kind: 'closed' | 'nothing' | 'refused' | 'recorded' | 'later' | 'handed-over';
  readonly code: string;
  readonly detail: string;
  readonly episodeId?: string;
}

const clear = Promise.resolve({ kind: 'clear' } as BrakeCheck);

const maxLooks = 3;
const maxRounds = 10;

/**
 * Looks at one service and does what is right for it. Every path of the product ends here: events, second
 * looks, the watchdog, the sweep and operators' requests.
 *
 * Throws {@link PortError} when the table cannot be read: nothing was done then, and the caller's retry looks again.
 */
export async function restore(ports: Ports, message: WorkMessage, run: Run): Promise<Report> {
  const attempt = new Attempt(ports, message, run);
  const report = await attempt.run();
  ports.log.info('looked', { ...report, hint: message.hint.kind, look: message.look });
  return report;
}

/** One run of `restore`: holds what it knows between its looks, so that each step reads as a sentence. */
class Attempt {
  readonly #ports: Ports;
  readonly #message: WorkMessage;
  readonly #run: Run;
  #journal: Journal | undefined;
  #believed = '';
  #looks = 0;
  #brakeIsClear = false;
  #acted = false;
  #watchdog: Promise<void> | undefined;

  constructor(ports: Ports, message: WorkMessage, run: Run) {
    this.#ports = ports;
    this.#message = message;
    this.#run = run;
  }

  async run(): Promise<Report> {
    try {
      for (let round = 0; round < maxRounds; round += 1) {
        const report = await this.#round();
        if (report) return report;
      }
      return await this.#later('UNKNOWN_STATE', 'others kept writing the item');
    } finally {
      // Nothing is left under way: Lambda freezes the process as soon as the handler returns.
      await this.#journal?.stop();
      if (this.#watchdog !== undefined)
        await inTime(this.#ports.clock, this.#watchdog, 5 * times.messageTimeoutMs);
    }
  }

  /** One read, one observation, one decision; undefined when only another look can tell more. */
  async #round(): Promise<Report | undefined> {
    const { store, clock } = this.#ports;
    const { service: name, hint, look } = this.#message;
    const held = this.#journal;
    // A renewal adopts what people wrote since the claim: a pause, above all (P30).
    if (held) await held.commit();
    if (held?.status() === 'lost') return this.#lost();
    const [read, controller] = await Promise.all([
      held ? held.service() : readService(this.#ports, name),
      store.readController(),
    ]);
    if (!read) return this.#report('nothing', 'NO_SUCH_SERVICE', `${name} is not registered`);
    if (hint.kind === 'watchdog' && !held && (!read.episode || read.epoch !== hint.epoch)) {
      await deliverLeftovers(this.#ports, read);
      return this.#report('nothing', 'HOLDER_HEALTHY', `epoch ${hint.epoch} is closed`);
    }
    const { lease, ...withoutLease } = read;
    const readAtMs = clock.now();
    // A claim of ours whose answer was lost: nobody else has this owner id (P1).
    if (!held && lease?.owner === this.#run.owner && readAtMs < lease.untilMs)
      this.#journal = this.#hold(read);
    const isOurs = this.#journal !== undefined;
    if (!isOurs && lease?.owner === this.#run.owner) {
      // Our own lease ended under us and nobody took it: it is ours again once it is free for everybody.
      const freeInMs = lease.untilMs + times.skewMarginMs + 1 - readAtMs;
      if (freeInMs > 0) {
        await clock.sleep(freeInMs);
        return undefined;
      }
    }
    if (!isOurs && lease && lease.untilMs + times.skewMarginMs >= readAtMs)
      return this.#leaseHeld(lease.untilMs);
    // While it is ours, our own lease does not stand in our way.
    const service: Service = isOurs ? withoutLease : read;

    const observation = await observe(this.#ports, service);
    const question: Question = {
      service,
      controller,
      observation,
      hint,
      look,
      believed: false,
      nowMs: clock.now(),
    };
    const first = decide(question);
    const isSame = first.kind === 'look-again' && this.#believed === `${first.code} ${first.detail}`;
    const decision = isSame ? decide({ ...question, believed: true }) : first;
    return this.#act(decision, question, readAtMs);
  }

  async #act(decision: Decision, question: Question, readAtMs: number): Promise<Report | undefined> {
    const { service, observation } = question;
    switch (decision.kind) {
      case 'nothing':
        await this.#clearMemory(decision, service);
        return this.#report('nothing', decision.code, decision.detail);
      case 'look-again':
        return this.#lookAgain(decision, service);
      case 'refuse':
        return this.#refuse(decision, service);
      case 'record': {
        const entry =
          decision.code === 'ANNOUNCED'
            ? announcedEntry(this.#ports, service, this.#message.hint)
            : observedEntry(this.#ports, service, decision, observation);
        if (entry && (await record(this.#ports, service, entry)) === 'conflict') return undefined;
        // The new holder may itself have failed: now that it is known, look at it.
        return decision.holder ? undefined : this.#report('recorded', decision.code, decision.detail);
      }
      case 'recovered': {
        const entry = recoveredEntry(this.#ports, service, decision.holder, observation);
        await record(this.#ports, service, entry);
        // Together again, but perhaps on a member that has failed: look once more.
        return undefined;
      }
      case 'keep':
        return this.#keep(decision, question, readAtMs);
      case 'abort':
        return this.#abort(decision, question, readAtMs);
      case 'move':
      case 'continue':
        return this.#move(decision, question, readAtMs);
    }
  }

  async #move(
    decision: Extract<Decision, { kind: 'move' | 'continue' }>,
    question: Question,
    readAtMs: number,
  ): Promise<Report | undefined> {
    const { clock } = this.#ports;
    const { observation } = question;
    const isFresh = () => {
      const limit = observation.slow ? times.observationFreshWhenSlowMs : times.observationFreshMs;
      return clock.now() - observation.atMs <= limit;
    };
    if (!isFresh()) return this.#stale(question.service);
    const isNew = decision.kind === 'move';
    const kind = isNew ? decision.episode : question.service.episode?.kind;
    const untouched = isNew || isUntouched(decision.plan, observation.interfaces);
    const mustCount = kind === 'failover' && untouched && !this.#brakeIsClear;
    const checking = mustCount ? brakeCheck(this.#ports, question.service, question.controller) : clear;
    if (this.#journal) {
      if ((await this.#persistPlan(this.#journal, decision.plan)) !== 'written') return undefined;
    } else {
      const after = claimed(question, decision, this.#run, clock.now(), this.#ports.ids.nonce());
      // The renewals begin with the claim: a slow counter must not use up the lease.
      const claiming = this.#claim(question.service, after, readAtMs).then((isClaimed) => {
        if (isClaimed) this.#journal = this.#hold(after);
        return isClaimed;
      });
      const [isClaimed] = await Promise.all([claiming, this.#watchdogBesideClaim(after.epoch), checking]);
      if (!isClaimed) return undefined;
    }
    const brake = await checking;
    this.#brakeIsClear ||= brake.kind === 'clear';
    const journal = this.#journal;
    if (!journal) return undefined;
    journal.note({ step: isNew ? 'claimed' : 'resumed', detail: stepDetail(decision) });

    if (brake.kind === 'unreadable') return this.#handOver('the brake counter cannot be read');
    if (brake.kind === 'tripped') {
      const ending: Ending = {
        outcome: 'REFUSED',
        why: `BRAKE: ${brake.services.length} services of ${question.service.facts.availabilityZone} failed within five minutes`,
        severity: brake.first ? 'critical' : 'warning',
        facts: observation.interfaces,
        untouched: isNew,
        seen: new Set(),
        sourceFailed: false,
      };
      return this.#close(journal, ending, observation);
    }
    // The claim's answer took too long: nothing is detached on an old look (P8).
    if (!isFresh()) return undefined;

    const facts = observation.interfaces;
    const end = await carryOut(
      {
        ports: this.#ports,
        journal,
        acted: this.#acted,
        run: this.#run,
        isPlannedMove: ['switchover', 'failback'].includes(journal.service().episode?.kind ?? ''),
        chooseRung: (plan) => this.#chooseRung(question, plan),
      },
      { facts, sentAtMs: observation.atMs, slow: observation.slow },
    );
    if ('acted' in end) this.#acted = end.acted;
    if (end.kind === 'lease-lost') return this.#lost();
    if (end.kind === 'hand-over') return this.#handOver('the time of this invocation is nearly over');
    const { episode } = journal.service();
    if (!episode) return this.#lost();
    const ending = toEnding(episode, end, observation);
    // A try to rescue that brings no rest leaves the service as stranded as it was (P26).
    const isStillStranded = ending.outcome === 'NEEDS_HUMAN' && journal.service().stranded !== undefined;
    return this.#close(journal, isStillStranded ? { ...ending, outcome: 'STRANDED' } : ending, observation);
  }

  async #chooseRung(question: Question, plan: Plan) {
    const { clock } = this.#ports;
    const service = this.#journal?.service() ?? question.service;
    const observation = await observe(this.#ports, service);
    return nextRung({ ...question, service, observation, nowMs: clock.now() }, plan);
  }

  /** Claim and plan in one conditional write (P4). False: somebody else was faster, look again. */
  async #claim(before: Service, after: ServiceState, readAtMs: number): Promise<boolean> {
    const { declaration: _, ...state } = before;
    const guard = { rev: before.rev, freeBeforeMs: readAtMs };
    try {
      const result = await this.#ports.store.write(state, after, guard);
      return result.kind === 'written';
    } catch (error) {
      // It may have been written all the same: the next read tells, by the owner.
      if (error instanceof PortError && error.mayRetry) return false;
      throw error;
    }
  }

  #hold(state: ServiceState): Journal {
    return makeJournal(this.#ports, state, this.#run.owner);
  }

  /** The lease ended under us. Whoever has it goes on; if nobody does, the next look claims it anew. */
  async #lost(): Promise<undefined> {
    await this.#journal?.stop();
    this.#journal = undefined;
  }

  #persistPlan(journal: Journal, plan: Plan) {
    // What is stored already is not written again: a slow table must not make every look stale.
    if (canonical(journal.service().episode?.plan) === canonical(plan)) return Promise.resolve('written');
    return journal.commit((item) => (item.episode ? { ...item, episode: { ...item.episode, plan } } : item));
  }

  async #sendWatchdog(epoch: number, afterMs: number): Promise<void> {
    const { clock, queue, log } = this.#ports;
    const hint = { kind: 'watchdog', epoch, atMs: clock.now() } as const;
    const message: WorkMessage = { service: this.#message.service, hint, look: 0 };
    try {
      await queue.send(message, afterMs + times.skewMarginMs);
    } catch (error) {
      log.warn('the watchdog could not be sent', { service: message.service, error: String(error) });
    }
  }

  /** One that cannot be sent within a second does not hold up the detach (P34); it is waited for at the end. */
  async #watchdogBesideClaim(epoch: number): Promise<void> {
    this.#watchdog = this.#sendWatchdog(epoch, times.leaseTtlMs);
    await inTime(this.#ports.clock, this.#watchdog, times.messageTimeoutMs);
  }

  async #close(journal: Journal, ending: Ending, observation: Observation): Promise<Report | undefined> {
    const episode = journal.service().episode;
    const { clock } = this.#ports;
    let written = await closeEpisode(this.#ports, journal, ending, observation);
    const giveUpAtMs = this.#run.deadlineMs - times.handOverBeforeDeadlineMs;
    while (written === 'unreachable' && clock.now() < giveUpAtMs) {
      await clock.sleep(times.pollMaxMs);
      written = await closeEpisode(this.#ports, journal, ending, observation);
    }
    if (written === 'lost') return this.#lost();
    if (written === 'unreachable')
      return this.#report('handed-over', 'UNKNOWN_STATE', 'the end could not be recorded: the watchdog will');
    await this.#lookAfterGrace(journal.service(), ending);
    return {
      ...this.#report('closed', ending.outcome, ending.why),
      ...(episode && { episodeId: episode.id }),
    };
  }

  /** A declared alarm that is still red when its grace period ends needs a person (P33). */
  async #lookAfterGrace(service: Service, ending: Ending): Promise<void> {
    if (ending.outcome !== 'COMPLETED' || service.declaration.signals.alarms.length === 0) return;
    const { clock } = this.#ports;
    const hint = {
      kind: 'sweep',
      finding: 'the grace period after a move is over',
      atMs: clock.now(),
    } as const;
    await this.#send({ service: service.name, hint, look: 0 }, times.graceAfterMoveMs + 1_000);
  }

  /** A mutation like any other: under a lease, and in the trail; but no episode, for nothing moves. */
  async #keep(
    decision: Extract<Decision, { kind: 'keep' }>,
    question: Question,
    readAtMs: number,
  ): Promise<Report | undefined> {
    const { clock, ids, ec2 } = this.#ports;
    const { declaration: _, ...state } = question.service;
    const after: ServiceState = {
      ...state,
      epoch: state.epoch + 1,
      rev: state.rev + 1,
      nonce: ids.nonce(),
      lease: { owner: this.#run.owner, untilMs: clock.now() + times.leaseTtlMs },
    };
    // A claim of ours whose answer was lost is held already, and claimed only once.
    const held = this.#journal;
    if (!held && !(await this.#claim(question.service, after, readAtMs))) return undefined;
    const journal = held ?? this.#hold(after);
    this.#journal = undefined;
    try {
      if (!journal.covers(times.ec2TimeoutMs)) return undefined;
      const answers = await Promise.all(
        decision.attachments.map(async ({ eni, attachment }) => ({
          eni,
          answer: await ec2.keepOnTermination(eni, attachment),
        })),
      );
      const failed = answers.filter((each) => each.answer !== 'done');
      if (isTellingAgain(question.service, answers)) {
        await journal.commit(({ lease: __, ...item }) => item);
        return this.#report('refused', 'KEPT_ON_TERMINATION', 'EC2 will not, and people know');
      }
      const entry = keptEntry(this.#ports, question.service, answers);
      const written = await freezeThrough(this.#ports, journal, (item) => {
        const { lease: __, ...rest } = item;
        return withEntry(this.#ports, rest, entry);
      });
      if (written !== 'written')
        return this.#report('handed-over', 'UNKNOWN_STATE', 'DeleteOnTermination was set, but not recorded');
      await journal.stop();
      await deliver(this.#ports, journal.service());
      const detail = answers.map((each) => `${each.eni} ${each.answer}`).join(', ');
      return this.#report(failed.length === 0 ? 'recorded' : 'refused', 'KEPT_ON_TERMINATION', detail);
    } finally {
      await journal.stop();
    }
  }

  async #abort(
    decision: Extract<Decision, { kind: 'abort' }>,
    question: Question,
    readAtMs: number,
  ): Promise<Report | undefined> {
    const { service, observation } = question;
    if (!service.episode) return undefined;
    if (!this.#journal) {
      const continued = { kind: 'continue', plan: service.episode.plan, why: decision.why } as const;
      const { clock, ids } = this.#ports;
      const after = claimed(question, continued, this.#run, clock.now(), ids.nonce());
      if (!(await this.#claim(service, after, readAtMs))) return undefined;
      this.#journal = this.#hold(after);
    }
    const severity = decision.outcome === 'ABORTED' ? 'info' : 'critical';
    const ending: Ending = {
      outcome: decision.outcome,
      why: decision.why,
      severity,
      facts: observation.interfaces,
      untouched: false,
      seen: new Set(),
      sourceFailed: false,
    };
    return this.#close(this.#journal, ending, observation);
  }

  /** Ends the lease on purpose and calls the next worker, who goes on from the plan. */
  async #handOver(why: string): Promise<Report> {
    const journal = this.#journal;
    if (journal) {
      journal.note({ step: 'hand-over', detail: why });
      const nowMs = this.#ports.clock.now();
      await journal.commit((item) =>
        item.lease ? { ...item, lease: { ...item.lease, untilMs: nowMs } } : item,
      );
      await this.#sendWatchdog(journal.service().epoch, times.skewMarginMs);
    }
    return this.#report('handed-over', 'LEASE_HELD', why);
  }

  async #leaseHeld(untilMs: number): Promise<Report> {
    const { clock, log } = this.#ports;
    const { service, hint, look } = this.#message;
    log.info('another worker is acting', { service, code: 'LEASE_HELD' });
    const waitMs = Math.max(0, untilMs - clock.now()) + 2 * times.skewMarginMs;
    if (hint.kind === 'watchdog') await this.#send(this.#message, waitMs);
    else if (look < maxLooks) await this.#send({ ...this.#message, look: look + 1 }, waitMs);
    return this.#report('nothing', 'LEASE_HELD', reasons.LEASE_HELD.meaning);
  }

  /** An observation that is too old by now; after three of them a person is told (P8). */
  async #stale(service: Service): Promise<Report | undefined> {
    this.#looks += 1;
    if (this.#looks < maxLooks) return undefined;
    return this.#refuse(
      {
        kind: 'refuse',
        code: 'UNKNOWN_STATE',
        detail: 'EC2 answers too slowly',
        members: [],
        callHuman: true,
      },
      service,
    );
  }

  async #lookAgain(
    decision: Extract<Decision, { kind: 'look-again' }>,
    service: Service,
  ): Promise<Report | undefined> {
    const { clock } = this.#ports;
    if (!decision.soon) {
      await deliverLeftovers(this.#ports, service);
      return this.#later(decision.code, decision.detail);
    }
    this.#looks += 1;
    this.#believed = `${decision.code} ${decision.detail}`;
    const isUnread = decision.code === 'UNKNOWN_STATE' || decision.code === 'UNKNOWN_HEALTH';
    if (this.#looks <= maxLooks) {
      await clock.sleep(isUnread ? times.skewMarginMs : times.surpriseLookMs);
      return undefined;
    }
    const { look } = this.#message;
    if (look < maxLooks) return this.#later(decision.code, decision.detail);
    // An open episode is never left alone: people are told, and the looks go on.
    if (service.episode) await this.#later(decision.code, decision.detail);
    return this.#refuse({ ...decision, kind: 'refuse', members: [], callHuman: true }, service);
  }

  /** A later look by way of the queue: 10, 20, 40 s (P35). */
  async #later(code: string, detail: string): Promise<Report> {
    const { look } = this.#message;
    const delayMs = times.secondLooksMs[Math.min(look, times.secondLooksMs.length - 1)] ?? 0;
    if (this.#journal) return this.#handOver(detail);
    await this.#send({ ...this.#message, look: look + 1 }, delayMs);
    return this.#report('later', code, `${detail}; looking again in ${delayMs / 1000} s`);
  }

  async #send(message: WorkMessage, delayMs: number): Promise<void> {
    try {
      await this.#ports.queue.send(message, delayMs);
    } catch (error) {
      // The sweep finds what a lost message would have said.
      this.#ports.log.warn('a later look could not be queued', {
        service: message.service,
        error: String(error),
      });
    }
  }

  async #refuse(refusal: Refusal, service: Service): Promise<Report | undefined> {
    const report = this.#report('refused', refusal.code, refusal.detail);
    const journal = this.#journal;
    if (journal) {
      // The lease ends first: the next worker need not wait until people have been told.
      const handedOver = await this.#handOver(refusal.detail);
      const entry = refusalEntry(this.#ports, journal.service(), refusal);
      if (entry) await record(this.#ports, journal.service(), entry);
      return handedOver;
    }
    // A standby may be seconds away from being ready: do not leave that to the sweep.
    const isWorthALook = refusal.code === 'NO_ELIGIBLE_STANDBY' && this.#message.look < maxLooks;
    if (isWorthALook) await this.#later(refusal.code, refusal.detail);
    const entry = refusalEntry(this.#ports, service, refusal);
    if (!entry) {
      await deliverLeftovers(this.#ports, service);
      return report;
    }
    return (await record(this.#ports, service, entry)) === 'conflict' ? undefined : report;
  }

  /**
   * What was refused or observed before is over: the next time counts as new (P24). What could not be delivered
   * before is tried again by every look that has nothing better to do.
   */
  async #clearMemory(decision: Decision & { kind: 'nothing' }, service: Service): Promise<void> {
    const { ids, store } = this.#ports;
    const isOver = decision.code === 'HOLDER_HEALTHY' || decision.code === 'NOT_HOLDER';
    if (!isOver || (service.lastRefusal === undefined && service.lastObserved === undefined)) {
      await deliverLeftovers(this.#ports, service);
      return;
    }
    const { declaration: _, ...state } = service;
    const { lastRefusal: __, lastObserved: ___, ...rest } = state;
    const after = { ...rest, rev: state.rev + 1, nonce: ids.nonce() };
    const result = await store.write(state, after, { rev: state.rev });
    await deliverLeftovers(this.#ports, result.kind === 'written' ? after : result.now);
  }

  #report(kind: Report['kind'], code: string, detail: string): Report {
    return { service: this.#message.service, kind, code, detail };
  }
}

const stepDetail = (decision: Extract<Decision, { kind: 'move' | 'continue' }>) =>
  decision.kind === 'move' ? `${decision.episode}: ${decision.evidence}` : decision.why;

/** A confirmed failure supersedes what an operator asked for, and says so (P29). */
const superseding = (evidence: string, request: Service['request']) =>
  request ? `${evidence}; supersedes the ${request.kind} that ${request.author} asked for` : evidence;

/** The item with the claim: a new epoch, our lease, and the plan, all in one write (P4). */
function claimed(
  question: Question,
  decision: Extract<Decision, { kind: 'move' | 'continue' }>,
  run: Run,
  nowMs: number,
  nonce: string,
): ServiceState {
  const { service, hint } = question;
  const { declaration: _, request, ...state } = service;
  const epoch = state.epoch + 1;
  const isRequested = decision.kind === 'move' && ['switchover', 'failback'].includes(decision.episode);
  const opened: Episode =
    decision.kind === 'continue' && state.episode
      ? { ...state.episode, plan: decision.plan }
      : {
          id: `${state.name}.${epoch}` as EpisodeId,
          kind: decision.kind === 'move' ? decision.episode : 'rescue',
          state: 'CLAIMED',
          evidence: superseding(
            decision.kind === 'move' ? decision.evidence : decision.why,
            isRequested ? undefined : request,
          ),
          eventAtMs: hint.atMs,
          openedAtMs: nowMs,
          plan: decision.plan,
          committed: false,
          steps: [],
          ...(isRequested &&
            request && { request: { id: request.id, author: request.author, reason: request.reason } }),
        };
  return {
    ...state,
    ...(request && !isRequested && decision.kind === 'continue' && { request }),
    epoch,
    rev: state.rev + 1,
    nonce,
    lease: { owner: run.owner, untilMs: nowMs + times.leaseTtlMs },
    episode: opened,
  };
}
