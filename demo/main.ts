/** `npm run demo`: a service survives the loss of its instance, on an AWS for one machine, while you watch. */
import { toDocument } from './document.ts';
import { exitCodeFor } from './exit-code.ts';
import { watchForInterruption } from './interruption.ts';
import { type Options, parseOptions, usage } from './options.ts';
import { type Narrator, type Run, runScenario } from './run-scenario.ts';
import { mainScenario, type Scenario, scenarios } from './scenarios.ts';
import { makeScreen, type Screen } from './screen.ts';
import { scoreboard, summary } from './summary.ts';
import { cast, heading, paragraph, timelineHead, timelineLines, waitingFor } from './telling.ts';

type RunOptions = Extract<Options, { kind: 'run' }>;

const exitCodes = { asExpected: 0, different: 1 } as const;

const silent: Narrator = { preparing() {}, ready() {}, step() {}, watching() {}, over() {} };

/** Tells a scenario while it happens. */
function makeNarrator(scenario: Scenario, screen: Screen): Narrator {
  screen.line(heading(`eni-failover demo · ${scenario.name}`, screen));
  for (const line of paragraph(scenario.story, screen)) screen.line(line);
  screen.line();
  return {
    preparing: (what) => screen.wait(what),
    ready(setting) {
      screen.wait();
      for (const line of cast(setting, screen)) screen.line(line);
      screen.line();
      screen.line(timelineHead(screen));
    },
    step(step, sinceMs) {
      for (const line of timelineLines(step, sinceMs, screen)) screen.line(line);
    },
    watching: (facts, { account }) => screen.wait(waitingFor(facts, account, Date.now())),
    over: () => screen.wait(),
  };
}

async function play(options: RunOptions, signal: AbortSignal): Promise<boolean> {
  const { latency, dist, json, isSeries } = options;
  const screen = makeScreen();
  const runs: Run[] = [];
  for (const [index, scenario] of options.scenarios.entries()) {
    if (!json && index > 0) screen.line(`\n${screen.paint('dim', '─'.repeat(screen.columns))}\n`);
    const narrator = json ? silent : makeNarrator(scenario, screen);
    const run = await runScenario(scenario, { latency, dist, signal, narrator });
    runs.push(run);
    const isMain = scenario.name === mainScenario && !isSeries;
    if (!json) for (const line of summary(run, isMain, screen)) screen.line(line);
  }
  const areAllAsExpected = runs.every((run) => run.isAsExpected);
  if (!json && isSeries) {
    screen.line(`\n${screen.paint('dim', '─'.repeat(screen.columns))}\n`);
    for (const line of scoreboard(runs, screen)) screen.line(line);
  }
  if (json) {
    const documents = runs.map(toDocument);
    const document = isSeries ? { ok: areAllAsExpected, scenarios: documents } : documents[0];
    process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
  }
  return areAllAsExpected;
}

function list(json: boolean): void {
  if (json) {
    const items = scenarios.map(({ name, title, story }) => ({ name, title, story }));
    process.stdout.write(`${JSON.stringify(items, null, 2)}\n`);
    return;
  }
  const screen = makeScreen();
  for (const { name, title } of scenarios) {
    screen.line(`${screen.paint('bold', name)}${name === mainScenario ? ' (unless another is named)' : ''}`);
    screen.line(`  ${title}`);
  }
}

const interruption = watchForInterruption();

try {
  const options = parseOptions(process.argv.slice(2));
  if (options.kind === 'help') process.stdout.write(usage);
  else if (options.kind === 'list') list(options.json);
  else {
    const isAsExpected = await play(options, interruption.signal);
    process.exitCode = isAsExpected ? exitCodes.asExpected : exitCodes.different;
  }
} catch (error) {
  process.exitCode = exitCodeFor(error, interruption.signal, usage);
}
