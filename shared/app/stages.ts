/** Carries out what a service declares around the move: fence, hooks and the check that it serves, one after the other. */
import type { Episode, StageMark } from '../core/episode.ts';
import { messageOf } from '../core/errors.ts';
import type { InstanceId } from '../core/ids.ts';
import { memberOf, type Observation } from '../core/observation.ts';
import {
  describeStage,
  filledIn,
  isFenced,
  nextStage,
  type Stage,
  tokenOf,
  toldTo,
  troubleOf,
  whyItEnded,
  withMark,
} from '../core/stages.ts';
import { interfacesOf, type Service } from '../core/state.ts';
import { times } from '../core/times.ts';
import { type Change, inEpisode, type Journal } from './journal.ts';
import type { HookAnswer, HookOrder, Ports, Run } from './ports.ts';

export interface StagesContext {
  readonly ports: Ports;
  readonly journal: Journal;
  readonly run: Run;
  /** Still fresh: a source that it shows stopped need not be stopped. */
  readonly observation: Observation;
}

/** `waited`: time has passed and something was done, so whatever was seen before is old. */
export type StagesEnd =
  | { readonly kind: 'passed'; readonly waited: boolean }
  /** A stage failed: a person is needed, or the move goes back. */
  | {
      readonly kind: 'page' | 'back';
      readonly why: string;
      /** The beginning of it, which is the same for each try. */
      readonly trouble: string;
      readonly waited: boolean;
    }
  | { readonly kind: 'lease-lost' }
  | { readonly kind: 'hand-over' };

type Verdict = Required<Pick<StageMark, 'end' | 'output'>>;
/** What the work on one stage comes to, or why it stopped in the middle: whoever resumes goes on with it. */
type Work = Verdict | 'lease-lost' | 'hand-over';

/** How much is kept of what a hook printed, whose end says how it went, or of why it was refused, whose begin does. */
const maxOutput = 200;
const shortened = ({ end, output }: Verdict) =>
  // Cut between the halves of a character, a text is not what the table gives back.
  (end === 'refused' ? output.slice(0, maxOutput) : output.slice(-maxOutput)).toWellFormed();

/**
 * Carries out every stage on one side of the move that has not ended yet, until one fails that the service does not
 * want to go on without. Each is marked begun before it is issued (P38), and ended before the next one.
 */
export async function carryOutStages(context: StagesContext, side: 'before' | 'after'): Promise<StagesEnd> {
  const { journal, observation } = context;
  for (let waited = false; ; waited = true) {
    const service = journal.service();
    const { episode } = service;
    if (!episode) return { kind: 'lease-lost' };
    const next = nextStage(service, episode, side, observation);
    if (next.kind === 'none') return { kind: 'passed', waited };
    if (next.kind !== 'due') {
      const { kind, stage, mark } = next;
      return { kind, why: whyItEnded(stage, mark), trouble: troubleOf(stage), waited };
    }
    const stopped = await carryOut(context, next.stage, next.mark);
    if (stopped) return { kind: stopped };
  }
}

async function carryOut(
  context: StagesContext,
  stage: Stage,
  begun: StageMark | undefined,
): Promise<'lease-lost' | 'hand-over' | undefined> {
  const { ports, journal, run, observation } = context;
  const mark = begun ?? { begunAtMs: ports.clock.now() };
  const seen = stage.kind === 'fence' ? stateSeen(observation, stage.instance) : undefined;
  if (isFenced(seen))
    return end(context, stage, mark.begunAtMs, { end: 'done', output: `it is ${seen} already` });
  const gone = begun ? undefined : notRunning(observation, stage);
  if (gone) return end(context, stage, mark.begunAtMs, gone);
  if (timeLeftMs(ports, run) < needsMs(stage)) return 'hand-over';
  if (!begun) {
    journal.note({ step: `${stage.step}-begun`, detail: describeStage(stage) });
    const stopped = await store(context, marked(stage, mark));
    if (stopped) return stopped;
  }
  const work = await new StageWork(context, stage, mark).run();
  if (typeof work === 'string') return work;
  return end(context, stage, mark.begunAtMs, work);
}

function end(
  context: StagesContext,
  stage: Stage,
  begunAtMs: number,
  verdict: Verdict,
): Promise<'lease-lost' | 'hand-over' | undefined> {
  const { ports, journal } = context;
  const endedAtMs = ports.clock.now();
  const output = shortened(verdict);
  journal.note({
    step: `${stage.step}-ended`,
    detail: output === '' ? verdict.end : `${verdict.end}: ${output}`,
    durationMs: endedAtMs - begunAtMs,
  });
  return store(context, marked(stage, { begunAtMs, end: verdict.end, output, endedAtMs }));
}

/** No document runs on an instance that does not; sent all the same, it might when somebody starts that again. */
function notRunning(observation: Observation, stage: Stage): Verdict | undefined {
  if (stage.kind !== 'hook' || stage.command.kind !== 'document') return undefined;
  const { instance } = stage.command;
  const seen = stateSeen(observation, instance);
  return isFenced(seen) ? { end: 'failed', output: `${instance} is ${seen}` } : undefined;
}

function stateSeen(observation: Observation, instance: InstanceId): string | undefined {
  const fact = memberOf(observation, instance);
  return fact.kind === 'known' ? fact.value.state : undefined;
}

/** A mark counts as begun from its first write on, and as a commit point (P38). */
const marked = (stage: Stage, mark: StageMark): Change =>
  inEpisode((episode) => ({
    ...withMark(episode, stage.id, mark),
    state: stage.state,
    committed: true,
  }));

/** Waits until it is stored: nothing is issued, and no stage is left, without it. */
async function store(
  { ports, journal, run }: StagesContext,
  change: Change,
): Promise<'lease-lost' | 'hand-over' | undefined> {
  for (let written = await journal.commit(change); ; written = await journal.commit()) {
    if (written === 'written') return undefined;
    if (written === 'lost') return 'lease-lost';
    if (timeLeftMs(ports, run) <= 0) return 'hand-over';
    await ports.clock.sleep(times.pollMaxMs);
  }
}

/** Until this worker has to hand over. */
const timeLeftMs = ({ clock }: Ports, { deadlineMs }: Run) =>
  deadlineMs - times.handOverBeforeDeadlineMs - clock.now();

/**
 * A function answers when it is done: one that is cut off in the middle would be called a second time beside itself,
 * so it is left to the next worker, who has all his time before him.
 */
function needsMs(stage: Stage): number {
  const isFunction = (stage.kind === 'hook' || stage.kind === 'check') && stage.command.kind === 'function';
  return isFunction ? Math.min(times.functionNeedsMs, stage.deadlineMs) : times.ec2TimeoutMs;
}

/** The work on one stage that is marked begun, by this worker or by one before it. */
class StageWork {
  readonly #context: StagesContext;
  readonly #stage: Stage;
  readonly #begunAtMs: number;
  readonly #deadlineAtMs: number;
  #handle: string | undefined;
  /** When EC2 was last told to stop the source, and whether it took the order. */
  #stopSent = { atMs: Number.NEGATIVE_INFINITY, isAccepted: false };
  /** How often in a row EC2 did not know the source. */
  #absences = 0;
  /** Why it is not done yet, as far as is known. */
  #last = '';
  /** What a check said when it last failed: more than that it runs again. */
  #said = '';

  /** Who resumes looks for a while, even if the time is over: it may have been done long ago. */
  constructor(context: StagesContext, stage: Stage, { begunAtMs, handle }: StageMark) {
    this.#context = context;
    this.#stage = stage;
    this.#deadlineAtMs = Math.max(
      begunAtMs + stage.deadlineMs,
      context.ports.clock.now() + times.lookAgainMs,
    );
    this.#begunAtMs = begunAtMs;
    this.#handle = handle;
  }

  /** Tries again and again, as often as the stage's pace says, until it is done, has failed or its time is over. */
  async run(): Promise<Work> {
    const { ports, journal, run } = this.#context;
    const { clock } = ports;
    for (;;) {
      if (journal.status() === 'lost') return 'lease-lost';
      if (clock.now() >= this.#deadlineAtMs) return { end: 'timed-out', output: this.#last };
      if (timeLeftMs(ports, run) < times.ec2TimeoutMs) return 'hand-over';
      // P5, P6: never a fence or a hook without a lease, though it may merely be the table that does not answer.
      const work = journal.covers(2 * times.ec2TimeoutMs) ? await this.#try() : await this.#renew();
      if (work) return work;
      // It was asked once what became of it: the document itself may have stopped the instance.
      const gone = notRunning(this.#context.observation, this.#stage);
      if (gone && journal.status() === 'held') return gone;
      await clock.sleep(Math.min(this.#pauseMs, Math.max(this.#deadlineAtMs - clock.now(), 0)));
    }
  }

  #try(): Promise<Verdict | undefined> {
    const stage = this.#stage;
    switch (stage.kind) {
      case 'fence':
        return this.#fence(stage);
      case 'alarm':
        return this.#alarm(stage);
      case 'hook':
      case 'check':
        return this.#hook(stage);
    }
  }

  async #renew(): Promise<undefined> {
    await this.#context.journal.commit();
  }

  /** Stops it, and believes only what EC2 shows; told again now and then, for an order can get lost. */
  async #fence({ instance }: Stage & { kind: 'fence' }): Promise<Verdict | undefined> {
    const { journal, ports } = this.#context;
    const { ec2, clock } = ports;
    const { atMs, isAccepted } = this.#stopSent;
    const isDue = clock.now() - atMs >= (isAccepted ? times.resendAfterMs : times.pollMaxMs);
    const mayStill = () => journal.covers(times.ec2TimeoutMs);
    const answer = isDue ? await ec2.stop(instance, mayStill) : undefined;
    if (answer) this.#stopSent = { atMs: clock.now(), isAccepted: answer.kind === 'accepted' };
    const state = await this.#stateOf(instance);
    if (isFenced(state)) return { end: 'done', output: `${instance} is ${state}` };
    if (answer?.kind === 'refused') return { end: 'refused', output: `${answer.code}: ${answer.detail}` };
    this.#last = `${instance} is ${state}${answer?.kind === 'unclear' ? `, ${answer.code}` : ''}`;
    return undefined;
  }

  /**
   * What EC2 does not know twice in a row was terminated; once may be a stale answer. And while it shows an interface
   * attached to an instance that it does not list, one of the two reads is stale.
   */
  async #stateOf(instance: InstanceId): Promise<string> {
    const { ports, journal } = this.#context;
    try {
      const { value } = await ports.ec2.instances([instance]);
      const state = value.get(instance)?.state;
      this.#absences = state === undefined ? this.#absences + 1 : 0;
      if (state !== undefined) return state;
      const held = await ports.ec2.interfaces(interfacesOf(journal.service()));
      const isHeld = [...held.value.values()].some((each) => each.attachment?.instanceId === instance);
      if (isHeld) return 'not known: EC2 does not list it';
      return this.#absences > 1 ? 'terminated' : 'not shown';
    } catch (error) {
      return `not known: ${messageOf(error)}`;
    }
  }

  async #alarm({ alarm }: Stage & { kind: 'alarm' }): Promise<Verdict | undefined> {
    try {
      const { value } = await this.#context.ports.alarms.describe([alarm]);
      const state = value.get(alarm)?.state ?? 'not there';
      this.#last = `the alarm is ${state}`;
      return state === 'OK' ? { end: 'done', output: 'the alarm is OK' } : undefined;
    } catch (error) {
      this.#last = messageOf(error);
      return undefined;
    }
  }

  async #hook(stage: Stage & { kind: 'hook' | 'check' }): Promise<Verdict | undefined> {
    const { ports, journal } = this.#context;
    const { episode } = journal.service();
    if (!episode) return undefined;
    const answer = await this.#ask(this.#orderOf(stage, journal.service(), episode));
    switch (answer.kind) {
      case 'running':
        if (answer.handle !== undefined && answer.handle !== this.#handle) this.#keep(answer.handle);
        this.#last = this.#said || 'still running';
        return undefined;
      case 'done':
        return { end: 'done', output: answer.output };
      case 'unclear':
        this.#last = answer.code;
        return undefined;
      case 'refused':
        return { end: 'refused', output: `${answer.code}: ${answer.detail}` };
      case 'failed': {
        if (stage.kind === 'hook') return { end: 'failed', output: answer.output };
        // It does not serve yet: asked anew until its time is over.
        this.#handle = undefined;
        this.#said = answer.output;
        this.#last = answer.output;
        ports.log.info('does not serve yet', { service: journal.service().name, output: answer.output });
        return undefined;
      }
    }
  }

  async #ask(order: HookOrder): Promise<HookAnswer> {
    try {
      return await this.#context.ports.hooks.run(order);
    } catch (error) {
      return { kind: 'unclear', code: messageOf(error) };
    }
  }

  /** A resumer asks for what was sent instead of sending it again. */
  #keep(handle: string): void {
    this.#handle = handle;
    this.#context.journal.amend(marked(this.#stage, { begunAtMs: this.#begunAtMs, handle }));
  }

  #orderOf(stage: Stage & { kind: 'hook' | 'check' }, { epoch }: Service, episode: Episode): HookOrder {
    const { ports, run } = this.#context;
    const told = toldTo(stage, episode, epoch);
    const { command } = stage;
    const leftMs = this.#deadlineAtMs - ports.clock.now();
    // A document goes on without us; a function is waited for by this invocation.
    const timeoutMs = command.kind === 'document' ? leftMs : Math.min(leftMs, timeLeftMs(ports, run));
    return {
      token: tokenOf(episode, stage),
      timeoutMs,
      ...(this.#handle !== undefined && { handle: this.#handle }),
      command:
        command.kind === 'document'
          ? { ...command, parameters: filledIn(command.parameters, told) }
          : { ...command, payload: told },
    };
  }

  /** The service is dark until the fence and the hooks are done; an alarm or a probe may take its time. */
  get #pauseMs(): number {
    const { kind } = this.#stage;
    return kind === 'fence' || kind === 'hook' ? times.stagePollMs : times.pollMaxMs;
  }
}
