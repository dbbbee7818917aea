/** What runs on the members, as far as hooks change it; and the hooks: documents in the guests, functions beside them. */
import type { Ec2Model } from '../../sandbox/ec2/model.ts';
import type { DocumentResult } from '../../sandbox/ssm/document.ts';
import { makeRunCommand, type RunCommand } from '../../sandbox/ssm/run-command.ts';
import { SsmError } from '../../sandbox/ssm/send-command-input.ts';
import { arnOf, type Monitoring } from './monitoring.ts';
import { type Call, Underway } from './network.ts';
import type { Chance } from './random.ts';
import { sdkError } from './table.ts';
import type { EventLoop } from './virtual-time.ts';

/** A document in the guest of the source or the target, or a function that Lambda runs. */
export type Place = 'source' | 'target' | 'function';

export interface HookPlan {
  readonly on: Place;
  readonly deadline: string;
  readonly onFailure?: 'page' | 'proceed' | 'back';
  readonly undo?: Place;
  /** How long it takes as long as nothing is wrong with it. */
  readonly tookMs: number;
  /** A function that answers at once that it is not done yet, and is asked again. */
  readonly pends?: boolean;
  readonly fails?: boolean;
}

/** What a service declares around its move, beside its policy. */
export interface Around {
  readonly before?: readonly HookPlan[];
  readonly after?: readonly HookPlan[];
  readonly serving?: { readonly by: 'alarm' | 'target' | 'function'; readonly within: string };
}

/** What is wrong with everything that a service runs, for a while. `long`: longer than an invocation lives. */
export type Mood = 'hangs' | 'fails' | 'long' | 'dark';

/** What a hook is told, by the names that both a document's parameters and a function's payload use. */
export interface Told {
  readonly token: string;
  readonly epoch: number;
  readonly source: string;
  readonly target: string;
}

interface Answer {
  readonly status: 'done' | 'failed';
  readonly output: string;
}

/** One piece of work, known by its token to whoever asks for it again. */
interface Job {
  answer: Answer | undefined;
  readonly waiting: ((answer: Answer) => void)[];
}

export interface ApplicationsOptions {
  readonly loop: EventLoop;
  readonly model: Ec2Model;
  readonly monitoring: Monitoring;
  readonly chance: Chance;
  readonly steady: boolean;
  /** The instance that has all the interfaces of a service, attached. */
  readonly holderOf: (service: string) => string | undefined;
  readonly count: (what: string) => void;
  readonly log: (line: () => string) => void;
  /** A hook has done what it is there for. */
  readonly onEffect: (service: string, step: string, told: Told) => void;
}

const slug = (step: string) => step.replace('.', '-');
const nameOfDocument = (service: string, step: string) => `${service}-${slug(step)}`;
const nameOfFunction = (service: string, step: string) => `eni-failover-hook-${service}-${slug(step)}`;
export const servingAlarmOf = (service: string) => `serving-${service}`;
const longMs = 75_000;

const parameters = {
  Token: ['@token@'],
  Epoch: ['@epoch@'],
  Source: ['@source@'],
  Target: ['@target@'],
  Step: ['@step@'],
};

function commandFor(service: string, step: string, on: Place): object {
  return on === 'function'
    ? { function: nameOfFunction(service, step) }
    : { document: nameOfDocument(service, step), on, parameters };
}

/** The part of a service's declaration that says so. */
export function declarationOf(service: string, { before = [], after = [], serving }: Around): object {
  const hook = (side: 'before' | 'after') => (plan: HookPlan, index: number) => ({
    ...commandFor(service, `${side}.${index}`, plan.on),
    deadline: plan.deadline,
    ...(plan.onFailure && { onFailure: plan.onFailure }),
    ...(plan.undo && { undo: commandFor(service, `undo.${index}`, plan.undo) }),
  });
  return {
    hooks: { before: before.map(hook('before')), after: after.map(hook('after')) },
    ...(serving && {
      serving:
        serving.by === 'alarm'
          ? { alarm: arnOf(servingAlarmOf(service)), within: serving.within }
          : { check: commandFor(service, 'serving', serving.by), within: serving.within },
    }),
  };
}

interface Application {
  readonly around: Around;
  /** The member that was promoted last; where nothing is promoted, whoever has the interfaces serves. */
  primary: string;
  /** Members on which a hook has stopped it. */
  readonly stopped: Set<string>;
  mood: Mood | undefined;
  isEvaluating: boolean;
}

export class Applications {
  readonly #options: ApplicationsOptions;
  readonly #runCommand: RunCommand;
  readonly #applications = new Map<string, Application>();
  readonly #functions = new Map<string, (told: Told, tell: (answer: object) => void) => void>();
  /** The highest epoch that each place has heard of a service: an instance's own disk, or the functions' table. */
  readonly #epochs = new Map<string, number>();
  readonly #jobs = new Map<string, Job>();

  constructor(options: ApplicationsOptions) {
    this.#options = options;
    const { loop, model, chance, steady } = options;
    const times = steady
      ? { visibleAfterMs: 300, deliveryMs: 200 }
      : { visibleAfterMs: chance.pick([0, 400, 3_000]), deliveryMs: chance.between(100, 2_000) };
    this.#runCommand = makeRunCommand({
      clock: loop,
      random: chance,
      ec2: model,
      accountId: '000000000000',
      times,
    });
  }

  add(service: string, around: Around, primary: string): void {
    const application = { around, primary, stopped: new Set<string>(), mood: undefined, isEvaluating: false };
    this.#applications.set(service, application);
    const { before = [], after = [], serving } = around;
    for (const [side, plans] of [['before', before] as const, ['after', after] as const])
      plans.forEach((plan, index) => {
        this.#install(service, `${side}.${index}`, plan.on, plan);
        const { undo, ...rest } = plan;
        if (undo) this.#install(service, `undo.${index}`, undo, { ...rest, fails: false });
      });
    if (serving?.by === 'alarm') this.#options.monitoring.addCustom(servingAlarmOf(service));
    else if (serving) this.#install(service, 'serving', serving.by, { tookMs: 200 });
  }

  #install(
    service: string,
    step: string,
    on: Place,
    plan: Pick<HookPlan, 'tookMs' | 'pends' | 'fails'>,
  ): void {
    if (on === 'function') {
      this.#functions.set(nameOfFunction(service, step), (told, tell) => {
        const job = this.#take(service, step, 'function', plan, told);
        if (job.answer || !plan.pends) this.#whenOver(job, tell);
        else tell({ status: 'pending', output: 'at it' });
      });
      return;
    }
    this.#runCommand.register({
      name: nameOfDocument(service, step),
      parameters: Object.keys(parameters),
      run: ({ instanceId, parameters: given }, signal) =>
        new Promise<DocumentResult>((resolve) => {
          const of = (name: string) => given[name]?.[0] ?? '';
          const told = {
            token: of('Token'),
            epoch: Number(of('Epoch')),
            source: of('Source'),
            target: of('Target'),
          };
          const job = this.#take(service, step, instanceId, plan, told, signal);
          this.#whenOver(job, ({ status, output }) => {
            this.#options.loop.settled();
            const isDone = status === 'done';
            resolve({
              status: isDone ? 'Success' : 'Failed',
              output: isDone ? output : '',
              ...(!isDone && { error: output }),
            });
          });
        }),
    });
  }

  #whenOver(job: Job, tell: (answer: Answer) => void): void {
    if (job.answer) tell(job.answer);
    else job.waiting.push(tell);
  }

  /** Idempotent by its token, and deaf to whoever speaks for an older epoch than it has heard (P39). */
  #take(
    service: string,
    step: string,
    place: string,
    { tookMs, fails = false }: Pick<HookPlan, 'tookMs' | 'fails'>,
    told: Told,
    signal?: AbortSignal,
  ): Job {
    const { count, log, loop } = this.#options;
    const seen = `${service} ${place}`;
    const highest = this.#epochs.get(seen) ?? 0;
    const no = (output: string): Job => ({ answer: { status: 'failed', output }, waiting: [] });
    if (told.epoch < highest) {
      count('hook of an older epoch refused');
      log(() => `HOOK ${told.token} on ${place} is of epoch ${told.epoch}: ${highest} was heard`);
      return no(`epoch ${told.epoch} is over`);
    }
    this.#epochs.set(seen, told.epoch);
    const application = this.#applications.get(service);
    // A check is asked as often as anyone likes, and says how it is now.
    if (step === 'serving' && application?.mood !== 'hangs') {
      if (!this.serves(service)) return no('does not serve');
      this.#options.onEffect(service, step, told);
      return { answer: { status: 'done', output: 'serves' }, waiting: [] };
    }
    const key = `${place} ${told.token}`;
    const known = this.#jobs.get(key);
    if (known) {
      count('hook asked for again by its token');
      return known;
    }
    log(() => `HOOK ${told.token} begins on ${place}`);
    const job: Job = { answer: undefined, waiting: [] };
    this.#jobs.set(key, job);
    const mood = application?.mood;
    if (mood === 'hangs') return job;
    // What is cut off with its guest never happened.
    signal?.addEventListener('abort', () => job.answer || this.#jobs.delete(key), { once: true });
    loop.after(mood === 'long' ? longMs : tookMs, () => {
      if (signal?.aborted || job.answer) return;
      const isFailing = fails || mood === 'fails';
      log(() => `HOOK ${told.token} ${isFailing ? 'fails' : 'is done'} on ${place}`);
      job.answer = isFailing
        ? { status: 'failed', output: 'out of order' }
        : { status: 'done', output: 'ok' };
      if (!isFailing) this.#takeEffect(service, step, place, told);
      for (const tell of job.waiting.splice(0)) tell(job.answer);
    });
    return job;
  }

  #takeEffect(service: string, step: string, place: string, told: Told): void {
    const application = this.#applications.get(service);
    if (!application) return;
    const at = place === 'function' ? told.source : place;
    if (step.startsWith('before.')) {
      // Where nothing starts it on the other side, it runs everywhere.
      if (at === told.source && application.around.after?.length) application.stopped.add(at);
    } else if (step.startsWith('undo.')) {
      application.stopped.delete(at);
      // Whatever it undoes shall not come after it.
      const undone = `${place} ${told.token.replace('/undo.', '/before.')}`;
      const before = this.#jobs.get(undone) ?? { answer: undefined, waiting: [] };
      before.answer ??= { status: 'failed', output: 'it was undone' };
      this.#jobs.set(undone, before);
    } else if (step === 'after.0') {
      application.primary = told.target;
      application.stopped.delete(told.target);
    }
    this.#options.onEffect(service, step, told);
    this.look();
  }

  /** As it is, whatever an alarm says. */
  serves(service: string): boolean {
    const application = this.#applications.get(service);
    const holder = this.#options.holderOf(service);
    if (!application || !holder || application.mood === 'dark') return false;
    const { around, primary, stopped } = application;
    const isPrimary = !around.after?.length || primary === holder;
    return isPrimary && !stopped.has(holder) && this.#options.model.guest(holder)?.answers === true;
  }

  /** Something has changed: the alarms find out in their own time. */
  look(): void {
    const { loop, monitoring, chance, steady } = this.#options;
    for (const [service, application] of this.#applications) {
      if (application.around.serving?.by !== 'alarm' || application.isEvaluating) continue;
      const state = this.serves(service) ? 'OK' : 'ALARM';
      if (monitoring.alarm(servingAlarmOf(service))?.state === state) continue;
      application.isEvaluating = true;
      loop.after(steady ? 1_000 : chance.between(1_000, 20_000), () => {
        application.isEvaluating = false;
        monitoring.setCustom(servingAlarmOf(service), this.serves(service) ? 'OK' : 'ALARM');
      });
    }
  }

  setMood(service: string, mood: Mood | undefined): void {
    const application = this.#applications.get(service);
    if (!application) return;
    application.mood = mood;
    this.look();
  }

  calm(): void {
    for (const service of this.#applications.keys()) this.setMood(service, undefined);
  }

  // ── AWS ───────────────────────────────────────────────────────────────────────────────────────────────

  ssm({ operation, input, worker }: Call): object {
    try {
      if (operation === 'SendCommand') return this.#runCommand.sendCommand(input as never, worker.name);
      if (operation === 'GetCommandInvocation') return this.#runCommand.getCommandInvocation(input as never);
    } catch (error) {
      if (error instanceof SsmError) throw sdkError(error.code, error.message, 400);
      throw error;
    }
    throw new Error(`the model of SSM does not know ${operation}`);
  }

  invoke({ input }: Call): Underway {
    const { FunctionName = '', Payload } = input as { FunctionName?: string; Payload: Uint8Array };
    const run = this.#functions.get(FunctionName);
    if (!run) throw sdkError('ResourceNotFoundException', `Function not found: ${FunctionName}`, 404);
    const { epoch, ...told } = JSON.parse(Buffer.from(Payload).toString()) as Told & { epoch: string };
    return new Underway((tell) =>
      run({ ...told, epoch: Number(epoch) }, (answer) =>
        tell({ StatusCode: 200, Payload: Buffer.from(JSON.stringify(answer)) }),
      ),
    );
  }
}
