/** The one use case: read, observe, decide, claim and plan in one write, act, verify, close, notify. */
import { decide } from '../core/decide.ts';
import { answering, type Decision, type Question, type Refusal, refuse } from '../core/decision.ts';
import type { WorkMessage } from '../core/hint.ts';
import type { InstanceId } from '../core/ids.ts';
import { healthOf, memberOf, type Observation } from '../core/observation.ts';
import { type Plan, withRung } from '../core/plan.ts';
import { reasons } from '../core/reasons.ts';
import { nextRung } from '../core/rungs.ts';
import { calledBackBy, isFenceDue, isUntouchedYet } from '../core/stages.ts';
import type { Service, ServiceState } from '../core/state.ts';
import { times } from '../core/times.ts';
import { canonical } from '../core/trail.ts';
import { type BrakeCheck, brakeCheck } from './brake.ts';
import { claim, leased, type Moves, persistPlan, withEpisode } from './claim.ts';
import { closeEpisode } from './close.ts';
import { deliverLeftovers } from './deliver.ts';
import { calledBack, callOff, type Ending, notServing, stoppedBefore, toEnding } from './ending.ts';
import { type Journal, makeJournal } from './journal.ts';
import { keepOnTermination } from './keep.ts';
import { LaterLooks } from './later-looks.ts';
import { carryOut } from './move.ts';
import { observe } from './observe.ts';
import type { Ports, Run } from './ports.ts';
import { readService, record } from './record.ts';
import { announcedEntry, observedEntry, recoveredEntry, refusalEntry } from './restore-records.ts';
import { carryOutStages, type StagesEnd } from './stages.ts';

/** What came of one look at one service. `code` is an outcome or a reason code. */
export interface Report {
  readonly service: string;
  readonly kind: 'closed' | 'nothing' | 'refused' | 'recorded' | 'later' | 'handed-over';
  readonly code: string;
  readonly detail: string;
  readonly episodeId?: string;
}

const timeIsOver = 'the time of this invocation is nearly over';

/** In one run, by itself. */
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
  readonly #laterLooks: LaterLooks;
  /** While we have the lease. */
  #journal: Journal | undefined;
  /** The surprising decision that the look before led to, as text (P11). */
  #surprise = '';
  #looks = 0;
  #brakeIsClear = false;
  /** Something was sent to EC2 for the open episode. */
  #acted = false;

  constructor(ports: Ports, message: WorkMessage, run: Run) {
    this.#ports = ports;
    this.#message = message;
    this.#run = run;
    this.#laterLooks = new LaterLooks(ports, message);
  }

  async run(): Promise<Report> {
    try {
      for (let round = 0; round < maxRounds; round += 1) {
        const report = await this.#round();
        if (report) return report;
      }
      return await this.#later('UNKNOWN_STATE', 'others kept writing the item');
    } finally {
      await this.#journal?.stop();
      await this.#laterLooks.settle();
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
    const readAtMs = clock.now();
    const { lease, ...withoutLease } = read;
    // A claim of ours whose answer was lost: nobody else has this owner id (P1).
    if (!held && lease?.owner === this.#run.owner && readAtMs < lease.untilMs)
      this.#journal = this.#hold(read);
    if (!this.#journal && lease && lease.untilMs + times.skewMarginMs >= readAtMs) {
      if (lease.owner !== this.#run.owner) return this.#leaseHeld(lease.untilMs);
      // Our own lease ended under us and nobody took it: it is ours again once it is free for everybody.
      await clock.sleep(lease.untilMs + times.skewMarginMs + 1 - readAtMs);
      return undefined;
    }
    // What is left of a lease is ours or over: it stands in nobody's way.
    const service: Service = withoutLease;

    const observation = await observe(this.#ports, service);
    const nowMs = clock.now();
    const question = { service, controller, observation, hint, look, believed: false, nowMs };
    const first = decide(question);
    const isSame = canonical(first) === this.#surprise;
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
            ? announcedEntry(this.#ports, service, this.#message.hint, observation)
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
        return this.#keep(decision, service, readAtMs);
      case 'abort':
        return this.#abort(decision, question, readAtMs);
      case 'move':
      case 'continue':
        return this.#move(decision, question, readAtMs);
    }
  }

  async #move(decision: Moves, question: Question, readAtMs: number): Promise<Report | undefined> {
    const { service, observation } = question;
    if (!this.#isFresh(observation)) return this.#stale(service);
    const isNew = decision.kind === 'move';
    const { episode } = service;
    const kind = isNew ? decision.episode : episode?.kind;
    const untouched = isNew || (episode && isUntouchedYet(episode, observation.interfaces));
    const mustCount = kind === 'failover' && untouched && !this.#brakeIsClear;
    const checking: Promise<BrakeCheck> = mustCount
      ? brakeCheck(this.#ports, service, question.controller)
      : Promise.resolve({ kind: 'clear' });
    const held = this.#journal;
    const journal = held
      ? (await persistPlan(held, decision.plan)) && held
      : await this.#claimAndPlan(decision, question, readAtMs, checking);
    if (!journal) return undefined;
    const brake = await checking;
    const detail = isNew ? `${decision.episode}: ${decision.evidence}` : decision.why;
    journal.note({ step: isNew ? 'claimed' : 'resumed', detail });

    if (brake.kind === 'unreadable') return this.#handOver('the brake counter cannot be read');
    if (brake.kind === 'tripped') {
      const why = `BRAKE: ${brake.services.length} services of ${service.facts.availabilityZone} failed within five minutes`;
      const severity = brake.first ? 'critical' : 'warning';
      return this.#close(journal, callOff('REFUSED', why, severity, observation, isNew), observation);
    }
    this.#brakeIsClear = true;
    // The claim's answer took too long: nothing is detached on an old look (P8).
    return this.#isFresh(observation) ? this.#carryOut(journal, question) : undefined;
  }

  async #carryOut(journal: Journal, question: Question): Promise<Report | undefined> {
    const { observation } = question;
    const ahead = await this.#stages(journal, observation, 'before');
    if (ahead.kind !== 'passed') return this.#stopBefore(ahead, journal, observation);
    // What was seen before the fence and the hooks is old: nothing is detached on it (P8).
    if (ahead.waited) return undefined;
    const { atMs: sentAtMs, slow, interfaces: facts } = observation;
    const end = await carryOut(
      {
        ports: this.#ports,
        journal,
        acted: this.#acted,
        run: this.#run,
        chooseRung: (plan) => this.#chooseRung(question, plan),
        isFenceDue: () => {
          const now = journal.service();
          return now.episode !== undefined && isFenceDue(now, now.episode, observation);
        },
        haveFailed: (left) => this.#haveFailed(journal, left),
      },
      { facts, sentAtMs, slow },
    );
    if ('acted' in end) this.#acted = end.acted;
    if (end.kind === 'lease-lost') return this.#lost();
    if (end.kind === 'hand-over') return this.#handOver(timeIsOver);
    if (end.kind === 'fence-due' || end.kind === 'force-due') return undefined;
    const service = journal.service();
    const { episode } = service;
    if (!episode) return this.#lost();
    const ending = calledBack(
      toEnding(episode, end, observation),
      calledBackBy(service, episode, observation),
    );
    if (ending.outcome === 'COMPLETED' || ending.outcome === 'RETURNED_TO_SOURCE') {
      const behind = await this.#stages(journal, observation, 'after');
      if (behind.kind === 'lease-lost') return this.#lost();
      if (behind.kind === 'hand-over') return this.#handOver(timeIsOver);
      // What the record says must have been seen after the last of them (S13).
      if (behind.waited) return undefined;
      if (behind.kind === 'page') return this.#close(journal, notServing(ending, behind.why), observation);
    }
    return this.#close(journal, ending, observation);
  }

  #stages(journal: Journal, observation: Observation, side: 'before' | 'after'): Promise<StagesEnd> {
    return carryOutStages({ ports: this.#ports, journal, run: this.#run, observation }, side);
  }

  /** Nothing is detached where a fence or a hook does not allow it. */
  async #stopBefore(
    end: Exclude<StagesEnd, { kind: 'passed' }>,
    journal: Journal,
    observation: Observation,
  ): Promise<Report | undefined> {
    if (end.kind === 'lease-lost') return this.#lost();
    if (end.kind === 'hand-over') return this.#handOver(timeIsOver);
    if (end.waited) return undefined;
    const { episode } = journal.service();
    if (!episode) return this.#lost();
    const { plan } = episode;
    if (end.kind === 'page' || !plan.source)
      return this.#close(journal, stoppedBefore(episode, end, observation), observation);
    // The source is the rung then: there the move comes to rest, and what was begun is undone (P39).
    await persistPlan(journal, withRung(plan, plan.source));
    return undefined;
  }

  async #chooseRung(question: Question, plan: Plan) {
    const service = this.#journal?.service() ?? question.service;
    const observation = await observe(this.#ports, service);
    return nextRung({ ...question, service, observation, nowMs: this.#ports.clock.now() }, plan);
  }

  async #haveFailed(journal: Journal, members: readonly InstanceId[]): Promise<boolean> {
    const observation = await observe(this.#ports, journal.service());
    return members.some((each) => healthOf(memberOf(observation, each)).kind === 'failed');
  }

  /** P8 */
  #isFresh(observation: Observation): boolean {
    const limitMs = observation.slow ? times.observationFreshWhenSlowMs : times.observationFreshMs;
    return this.#ports.clock.now() - observation.atMs <= limitMs;
  }

  /** The claim, the watchdog and the brake's counter go out together: one round trip lies before the detach. */
  async #claimAndPlan(
    decision: Moves,
    question: Question,
    readAtMs: number,
    checking: Promise<BrakeCheck>,
  ): Promise<Journal | undefined> {
    const after = withEpisode(this.#ports, question, decision, this.#run);
    const [journal] = await Promise.all([
      this.#claim(question.service, after, readAtMs),
      this.#laterLooks.sendWatchdogBesideClaim(after.epoch),
      checking,
    ]);
    return journal;
  }

  /** The renewals begin with the claim: a slow counter must not use up the lease. */
  async #claim(before: Service, after: ServiceState, readAtMs: number): Promise<Journal | undefined> {
    if (await claim(this.#ports, before, after, readAtMs)) this.#journal = this.#hold(after);
    return this.#journal;
  }

  #hold(state: ServiceState): Journal {
    return makeJournal(this.#ports, state, this.#run.owner);
  }

  /** The lease ended under us. Whoever has it goes on; if nobody does, the next look claims it anew. */
  async #lost(): Promise<undefined> {
    await this.#journal?.stop();
    this.#journal = undefined;
  }

  async #close(journal: Journal, given: Ending, observation: Observation): Promise<Report | undefined> {
    const { clock } = this.#ports;
    const { episode, stranded } = journal.service();
    // A try to rescue that brings no rest leaves the service as stranded as it was (P26).
    const isStillStranded = given.outcome === 'NEEDS_HUMAN' && stranded !== undefined;
    const ending: Ending = isStillStranded ? { ...given, outcome: 'STRANDED' } : given;
    let written = await closeEpisode(this.#ports, journal, ending, observation);
    const giveUpAtMs = this.#run.deadlineMs - times.handOverBeforeDeadlineMs;
    while (written === 'unreachable' && clock.now() < giveUpAtMs) {
      await clock.sleep(times.pollMaxMs);
      written = await closeEpisode(this.#ports, journal, ending, observation);
    }
    if (written === 'lost') return this.#lost();
    if (written === 'unreachable')
      return this.#report('handed-over', 'UNKNOWN_STATE', 'the end could not be recorded: the watchdog will');
    const { alarms } = journal.service().declaration.signals;
    if (ending.outcome === 'COMPLETED' && alarms.length > 0) await this.#laterLooks.askAfterGrace();
    return {
      ...this.#report('closed', ending.outcome, ending.why),
      ...(episode && { episodeId: episode.id }),
    };
  }

  async #keep(
    decision: Extract<Decision, { kind: 'keep' }>,
    service: Service,
    readAtMs: number,
  ): Promise<Report | undefined> {
    // A claim of ours whose answer was lost is held already, and claimed only once.
    const journal =
      this.#journal ?? (await this.#claim(service, leased(this.#ports, service, this.#run), readAtMs));
    if (!journal) return undefined;
    this.#journal = undefined;
    const kept = await keepOnTermination(this.#ports, journal, service, decision);
    return kept && this.#report(kept.kind, kept.code, kept.detail);
  }

  async #abort(
    decision: Extract<Decision, { kind: 'abort' }>,
    question: Question,
    readAtMs: number,
  ): Promise<Report | undefined> {
    const { service, observation } = question;
    const { outcome, why } = decision;
    const journal =
      this.#journal ?? (await this.#claim(service, leased(this.#ports, service, this.#run), readAtMs));
    if (!journal) return undefined;
    const severity = outcome === 'ABORTED' ? 'info' : 'critical';
    return this.#close(journal, callOff(outcome, why, severity, observation, false), observation);
  }

  /** Ends the lease on purpose and calls the next worker, who goes on from the plan. */
  async #handOver(why: string): Promise<Report> {
    const journal = this.#journal;
    if (journal) {
      journal.note({ step: 'hand-over', detail: why });
      const lease = { owner: this.#run.owner, untilMs: this.#ports.clock.now() };
      await journal.commit((item) => ({ ...item, lease }));
      await this.#laterLooks.sendWatchdog(journal.service().epoch, times.skewMarginMs);
    }
    return this.#report('handed-over', 'LEASE_HELD', why);
  }

  async #leaseHeld(untilMs: number): Promise<Report> {
    const { service } = this.#message;
    this.#ports.log.info('another worker is acting', { service, code: 'LEASE_HELD' });
    await this.#laterLooks.askAfterLease(untilMs);
    return this.#report('nothing', 'LEASE_HELD', reasons.LEASE_HELD.meaning);
  }

  /** An observation that is too old by now; after three of them a person is told (P8). */
  async #stale(service: Service): Promise<Report | undefined> {
    this.#looks += 1;
    if (this.#looks < maxLooks) return undefined;
    return this.#refuse(refuse('UNKNOWN_STATE', 'EC2 answers too slowly'), service);
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
    this.#surprise = canonical(decision);
    const isUnread = decision.code === 'UNKNOWN_STATE' || decision.code === 'UNKNOWN_HEALTH';
    if (this.#looks <= maxLooks) {
      await clock.sleep(isUnread ? times.skewMarginMs : times.surpriseLookMs);
      return undefined;
    }
    if (this.#laterLooks.mayAsk) return this.#later(decision.code, decision.detail);
    // An open episode is never left alone: people are told, and the looks go on.
    if (service.episode) await this.#later(decision.code, decision.detail);
    return this.#refuse(refuse(decision.code, decision.detail), service);
  }

  /** A later look by way of the queue, or by the next worker while we have the lease. */
  async #later(code: string, detail: string): Promise<Report> {
    if (this.#journal) return this.#handOver(detail);
    await this.#laterLooks.ask();
    return this.#report('later', code, `${detail}; looking again in ${this.#laterLooks.delayMs / 1000} s`);
  }

  async #refuse(found: Refusal, service: Service): Promise<Report | undefined> {
    const refusal = answering(found, service, this.#ports.clock.now());
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
    const isWorthALook = refusal.code === 'NO_ELIGIBLE_STANDBY' && this.#laterLooks.mayAsk;
    if (isWorthALook) await this.#later(refusal.code, refusal.detail);
    const entry = refusalEntry(this.#ports, service, refusal);
    if (!entry) {
      await deliverLeftovers(this.#ports, service);
      return report;
    }
    if ((await record(this.#ports, service, entry)) === 'conflict') return undefined;
    // The request stood in the way of what was announced: now it is answered.
    return this.#message.hint.kind === 'announcement' && refusal.request ? undefined : report;
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
