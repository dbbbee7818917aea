/** Plays one failover with its kill: what is done to the sandbox, and everything that is known when it is over. */
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Deed, type Facts, isQuiet, readFacts } from '../facts.ts';
import type { Latency, SsmCommand } from '../sandbox-control.ts';
import { type SandboxProcess, startSandboxProcess } from '../sandbox-process.ts';
import type { Delivered } from '../subscriber.ts';
import { isFailover, type TimelineStep } from '../timeline.ts';
import { readLog } from './disk.ts';
import { probeDocument, promoteDocument } from './guest-documents.ts';
import type { KillPoint } from './kill-points.ts';
import { type Outcome, toOutcome } from './outcome.ts';
import { CleanUp, type Served, type Stage, setStage, usualPlan } from './stage.ts';
import { toStory } from './story.ts';
import { usualWayFunction, writeTemplate } from './template.ts';
import { toUsualWay } from './usual-way.ts';
import { withoutUsualWay } from './without-usual-way.ts';
import type { Attempt } from './writer.ts';

export interface PlayOptions {
  readonly killPoint: KillPoint;
  readonly latency: Latency;
  readonly detection: 'instant' | 'realistic';
  /** `none` is there to see that the checks can fail. */
  readonly fence: 'stop' | 'none';
  readonly dist: string;
  readonly signal: AbortSignal;
  readonly narrator: Narrator;
}

/** What can be seen of a run at one moment. */
export interface View {
  /** When both holders lost their network; until then, the beginning. */
  readonly sinceMs: number;
  readonly nowMs: number;
  readonly steps: readonly TimelineStep[];
  /** What each client saw. */
  readonly service: readonly Attempt[];
  readonly usual: readonly Attempt[];
}

/** Hears of a run while it runs. */
export interface Narrator {
  preparing(what: string): void;
  /** Everything stands, and the clients write. */
  ready(stage: Stage): void;
  look(view: View): void;
  over(): void;
}

export interface Play {
  readonly options: Pick<PlayOptions, 'killPoint' | 'latency' | 'detection' | 'fence'>;
  readonly view: View;
  readonly facts: Facts;
  readonly commands: readonly SsmCommand[];
  readonly received: readonly Delivered[];
  readonly pairs: { readonly service: Served['pair']; readonly usual: Served['pair'] };
  readonly outcome: Outcome;
}

/** What the stack is allowed around a move: as somebody would deploy it for this service. */
const parameters = { Fencing: 'on', HookDocuments: `${promoteDocument},${probeDocument}` };

const root = path.join(import.meta.dirname, '..', '..');
const pollMs = 200;
/** Of ordinary work before anything goes wrong. */
const calmMs = 3_000;
/** Of ordinary work behind it: an old primary that lives on would be noticed. */
const afterwardsMs = 3_000;
const patienceMs = 90_000;
const slowestDetectionMs = 180_000;
/** Lambda's retries come when EC2 has finished a detach, as on AWS, where they come after one and two minutes. */
export const retryDelaysMs = [5_000, 10_000] as const;

/** Always ends what it started, also when it throws. */
export async function play(options: PlayOptions): Promise<Play> {
  const { narrator, dist } = options;
  const cleanUp = new CleanUp();
  narrator.preparing('starting an AWS for one machine');
  try {
    const template = await writeTemplate(path.join(root, 'template.yaml'), usualPlan);
    cleanUp.add(() => template.remove());
    options.signal.throwIfAborted();
    const { file } = template;
    const { detection } = options;
    const sandbox = await startSandboxProcess({
      ...{ dist, template: file, parameters, detection },
      retryDelaysMs: [...retryDelaysMs],
    });
    cleanUp.add(() => sandbox.stop());
    return await playOn(sandbox, options, cleanUp);
  } finally {
    narrator.over();
    await cleanUp.run();
  }
}

async function playOn(sandbox: SandboxProcess, options: PlayOptions, cleanUp: CleanUp): Promise<Play> {
  try {
    const preparing = (what: string) => options.narrator.preparing(what);
    return await perform(await setStage(sandbox, { ...options, preparing }, cleanUp), options);
  } catch (error) {
    const epitaph = options.signal.aborted ? undefined : sandbox.epitaph();
    throw epitaph === undefined ? error : new Error(epitaph, { cause: error });
  }
}

async function perform(stage: Stage, options: PlayOptions): Promise<Play> {
  const { signal, narrator, detection } = options;
  const { service, usual, control } = stage;
  const { pair } = service;
  narrator.ready(stage);
  const pause = (ms: number) => sleep(ms, undefined, { signal });

  let sinceMs = Date.now();
  const deeds: Deed[] = [];
  const viewOf = (steps: readonly TimelineStep[]): View => ({
    ...{ sinceMs, nowMs: Date.now(), steps },
    service: service.client.attempts(),
    usual: usual.client.attempts(),
  });
  for (const untilMs = Date.now() + calmMs; Date.now() < untilMs; ) {
    narrator.look({ ...viewOf([]), sinceMs: untilMs });
    await pause(pollMs);
  }

  const troubleAtMs = Date.now();
  await failUsualWay(stage, options, troubleAtMs);
  sinceMs = Date.now();
  await fail(stage, options, deeds);

  const look = async () => {
    const [all, commands, lines] = await Promise.all([
      readFacts(stage, deeds, troubleAtMs),
      control.commands(),
      readLog(service.disk),
    ]);
    const facts = withoutUsualWay(all, usual.pair);
    const machineEndedAtMs = stage.machines.endedAtMs(pair.holder.instanceId);
    const attempts = service.client.attempts();
    const steps = toStory({ facts, pair, lines, attempts, machineEndedAtMs, sinceMs });
    return { all, facts, commands, lines, steps };
  };
  const giveUpAtMs = sinceMs + patienceMs + (detection === 'realistic' ? slowestDetectionMs : 0);
  let quietSinceMs: number | undefined;
  let seen = await look();
  while (Date.now() < giveUpAtMs) {
    narrator.look(viewOf(seen.steps));
    const isOver =
      isQuiet(seen.facts) &&
      seen.facts.trail.some(({ kind, atMs }) => kind === 'episode' && atMs >= sinceMs) &&
      toUsualWay(seen.all, usual.pair).isOver;
    quietSinceMs = isOver ? (quietSinceMs ?? Date.now()) : undefined;
    if (quietSinceMs !== undefined && Date.now() - quietSinceMs >= afterwardsMs) break;
    await pause(pollMs);
    seen = await look();
  }
  await stage.stopWriting();
  seen = await look();
  const view = viewOf(seen.steps);
  narrator.look(view);
  const { all, facts, commands, lines } = seen;
  const outcome = toOutcome({
    ...{ facts, all, commands, lines, sinceMs, service, usual },
    usualLines: await readLog(usual.disk),
    killPoint: options.killPoint,
  });
  return {
    ...{ options, view, facts, commands, outcome },
    received: await stage.subscriber.receive(),
    pairs: { service: pair, usual: usual.pair },
  };
}

/**
 * The usual way's instance first, until its alarm has been heard of and dismissed by the product too: calls are counted
 * from the failure on, and only those of the failover may count.
 */
async function failUsualWay(
  stage: Stage,
  { killPoint, detection }: PlayOptions,
  sinceMs: number,
): Promise<void> {
  const { control, usual } = stage;
  const { holder } = usual.pair;
  const { usualWay } = killPoint;
  if (usualWay) {
    const { operation, times, service, answer } = usualWay;
    await control.killAfter(usualWayFunction, operation, times, service, answer);
  }
  await control.impair(holder.instanceId, 'system');
  if (detection === 'realistic') return;
  for (const giveUpAtMs = Date.now() + 3_000; Date.now() < giveUpAtMs; await sleep(50)) {
    const heard = (await control.invocations()).filter(
      (each) =>
        Date.parse(each.startedAt) >= sinceMs &&
        isFailover(each.function) &&
        usual.pair.isAbout(each.payload),
    );
    if (heard.length > 0 && heard.every(({ outcome }) => outcome !== 'running')) return;
  }
}

async function fail({ control, service }: Stage, { killPoint }: PlayOptions, deeds: Deed[]): Promise<void> {
  const { holder } = service.pair;
  for (const { operation, times, service: name, answer } of killPoint.triggers)
    await control.killAfter('FailoverFunction', operation, times, name, answer);
  deeds.push({
    atMs: Date.now(),
    step: 'status-check',
    text: `${holder.host} loses its network; its process lives on, and a job on it goes on writing`,
  });
  await control.impair(holder.instanceId, 'system');
}
