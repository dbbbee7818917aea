/** Plays one scenario on a sandbox of its own, and tells its narrator what happens while it happens. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Account, buildAccount, service } from './account.ts';
import type { Act, Stage } from './acts.ts';
import { makeAwsEndpoint } from './aws-endpoint.ts';
import { type Deed, type Facts, isQuiet, readFacts } from './facts.ts';
import { startGuests } from './guests.ts';
import { type Comparison, compare, type Happened, toHappened } from './happened.ts';
import { type InterfaceView, viewInterfaces } from './identity.ts';
import { type Registration, register } from './registration.ts';
import { type Latency, makeSandboxControl } from './sandbox-control.ts';
import { type SandboxProcess, startSandboxProcess } from './sandbox-process.ts';
import type { Scenario } from './scenarios.ts';
import { makeStateTable } from './state-table.ts';
import { type Delivered, subscribe } from './subscriber.ts';
import { type TimelineStep, toSteps } from './timeline.ts';
import { untilQuiet } from './until-quiet.ts';

/** Hears of a scenario while it runs. */
export interface Narrator {
  preparing(what: string): void;
  /** Everything stands; the clock starts. */
  ready(setting: Setting): void;
  step(step: TimelineStep, sinceMs: number): void;
  /** Called again and again with everything known so far. */
  watching(facts: Facts, setting: Setting): void;
  over(): void;
}

/** What there was before anything went wrong. */
export interface Setting {
  readonly scenario: Scenario;
  readonly account: Account;
  readonly registrations: readonly Registration[];
  /** What was done before the clock started. */
  readonly prepared: readonly Deed[];
  readonly before: readonly InterfaceView[];
  readonly latency: Latency;
}

export interface Run extends Setting {
  readonly after: readonly InterfaceView[];
  readonly facts: Facts;
  readonly steps: readonly TimelineStep[];
  /** What the subscriber's queue received since the clock started. */
  readonly received: readonly Delivered[];
  readonly happened: Happened;
  readonly comparisons: readonly Comparison[];
  readonly isAsExpected: boolean;
  readonly sinceMs: number;
}

export interface RunOptions {
  readonly latency: Latency;
  readonly dist?: string | undefined;
  readonly signal: AbortSignal;
  readonly narrator: Narrator;
}

const pollMs = 80;
/** A line is told this late, so that those of several logs come in order. */
const tellingLagMs = 400;
/** What is quiet for so long and still not as expected will not become so. */
const silenceMs = 6_000;
/** The slowest of them waits for a lease to run out. */
const patienceMs = 60_000;

const root = path.join(import.meta.dirname, '..');

/** Always stops its sandbox, also when it throws: at an interruption, or where something cannot be set up. */
export async function runScenario(scenario: Scenario, options: RunOptions): Promise<Run> {
  const { narrator, dist = path.join(root, 'dist') } = options;
  narrator.preparing('starting an AWS for one machine');
  const template = await templateFor(scenario);
  try {
    const { parameters } = scenario;
    const sandbox = await startSandboxProcess({ dist, template: template.file, parameters });
    try {
      return await play(scenario, sandbox, { ...options, dist });
    } catch (error) {
      const epitaph = options.signal.aborted ? undefined : sandbox.epitaph();
      throw epitaph === undefined ? error : new Error(epitaph, { cause: error });
    } finally {
      narrator.over();
      await sandbox.stop();
    }
  } finally {
    await template.remove();
  }
}

async function play(
  scenario: Scenario,
  sandbox: SandboxProcess,
  options: RunOptions & { readonly dist: string },
): Promise<Run> {
  const { setting, stage, subscriber, endGuests } = await prepare(scenario, sandbox, options);
  try {
    return await perform(setting, stage, subscriber, options);
  } finally {
    await endGuests();
  }
}

async function perform(
  setting: Setting,
  stage: Omit<Stage, 'sinceMs'>,
  subscriber: Awaited<ReturnType<typeof subscribe>>,
  { narrator, signal }: RunOptions,
): Promise<Run> {
  const { scenario } = setting;
  narrator.ready(setting);
  const { account } = stage;

  const sinceMs = Date.now();
  const deeds: Deed[] = [];
  const read = () => readFacts(stage, deeds, sinceMs);
  const watch = makeWatch(setting, narrator, sinceMs);
  let hasActed = false;
  const acting = performAll(scenario.acts, { ...stage, sinceMs }, deeds).finally(() => {
    hasActed = true;
  });
  // Awaited below; until then nobody else listens.
  acting.catch(() => undefined);

  const judge = (facts: Facts, after: readonly InterfaceView[]) => {
    const happened = toHappened({ ...setting, after, facts, sinceMs }, scenario.expected);
    return { happened, comparisons: compare(scenario.expected, happened) };
  };
  /** All but where the interfaces are: that is asked of EC2 when everything is over. */
  const looksDone = (facts: Facts) =>
    judge(facts, setting.before).comparisons.every((each) => each.isSame || each.name === 'holder');

  let quietSinceMs: number | undefined;
  while (Date.now() - sinceMs < patienceMs) {
    const readAtMs = Date.now();
    const facts = await read();
    watch(facts, readAtMs - tellingLagMs);
    if (hasActed && isQuiet(facts)) quietSinceMs ??= readAtMs;
    else quietSinceMs = undefined;
    const isEnoughMs = looksDone(facts) ? tellingLagMs : silenceMs;
    if (quietSinceMs !== undefined && readAtMs - quietSinceMs >= isEnoughMs) break;
    await sleep(pollMs, undefined, { signal });
  }
  await acting;

  // What is left of the faults is not meant for the demo's own look.
  await stage.control.clearFaults();
  await stage.control.configure({ latency: 'instant' });
  const after = await viewInterfaces(stage.aws, eniIdsOf(account));
  const facts = await read();
  watch(facts, Number.POSITIVE_INFINITY);
  const { happened, comparisons } = judge(facts, after);
  return {
    ...setting,
    after,
    facts,
    received: await subscriber.receive(),
    steps: toSteps(facts, account, sinceMs),
    happened,
    comparisons,
    isAsExpected: comparisons.every((each) => each.isSame),
    sinceMs,
  };
}

const eniIdsOf = ({ interfaces }: Account) => interfaces.map((each) => each.eniId);

/** Everything up to the moment before something goes wrong; EC2 answers at once until then. */
async function prepare(
  scenario: Scenario,
  sandbox: SandboxProcess,
  { narrator, signal, latency, dist }: RunOptions & { readonly dist: string },
) {
  const sinceMs = Date.now();
  const { endpoint, resources, region } = sandbox;
  const aws = makeAwsEndpoint(endpoint, signal);
  const control = makeSandboxControl(endpoint, signal);
  const table = makeStateTable(aws, resources['StateTable'] ?? '', service);

  narrator.preparing('building a VPC, instances, interfaces and alarms');
  const account = await buildAccount(aws, region, scenario.account);
  const subscriber = await subscribe(aws, resources['NoticeTopic'] ?? '');
  const stage = { aws, control, table, account, resources };
  const endGuests = await startGuests(scenario.documents ?? [], stage);

  narrator.preparing(`registering ${service} with the command line`);
  const registrations: Registration[] = [];
  for (const attempt of scenario.registrations) {
    signal.throwIfAborted();
    registrations.push(await register({ endpoint, dist }, account, attempt));
  }
  await untilQuiet(stage, sinceMs, registrations.at(-1)?.kind === 'accepted');
  const prepared: Deed[] = [];
  await performAll(scenario.before, { ...stage, sinceMs }, prepared);
  if (prepared.length > 0) await untilQuiet(stage, sinceMs, true);
  await subscriber.receive();

  const before = await viewInterfaces(aws, eniIdsOf(account));
  await control.configure({ latency });
  const setting: Setting = { scenario, account, registrations, prepared, before, latency };
  return { setting, stage, subscriber, endGuests };
}

async function performAll(acts: readonly Act[], stage: Stage, deeds: Deed[]): Promise<void> {
  for (const { step, text, run } of acts) {
    deeds.push({ atMs: Date.now(), step, text });
    await run(stage);
  }
}

/** Tells every step once, as soon as all that came before it must be known. */
function makeWatch(setting: Setting, narrator: Narrator, sinceMs: number) {
  const told = new Set<string>();
  return (facts: Facts, untilMs: number): void => {
    for (const step of toSteps(facts, setting.account, sinceMs)) {
      if (step.atMs > untilMs || told.has(step.key)) continue;
      told.add(step.key);
      narrator.step(step, sinceMs);
    }
    narrator.watching(facts, setting);
  };
}

/** The repository's template, or a changed copy where the scenario needs one; the bundles stay the same. */
async function templateFor({ name, template }: Scenario) {
  const original = path.join(root, 'template.yaml');
  if (template === undefined) return { file: original, remove: async () => {} };
  const text = await readFile(original, 'utf8');
  const changed = template(text);
  if (changed === text) throw new Error(`the scenario ${name} no longer fits template.yaml`);
  const folder = await mkdtemp(path.join(tmpdir(), 'eni-failover-demo-'));
  const file = path.join(folder, 'template.yaml');
  await writeFile(file, changed);
  return { file, remove: () => rm(folder, { recursive: true, force: true }) };
}
