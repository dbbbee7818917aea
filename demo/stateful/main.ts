/** `npm run demo:stateful`: a stateful service fails over while a client writes to it and the controller is killed. */
import path from 'node:path';
import { exitCodeFor } from '../exit-code.ts';
import { watchForInterruption } from '../interruption.ts';
import { makeScreen } from '../screen.ts';
import { toDocument } from './document.ts';
import { makeNarrator, silent } from './narrators.ts';
import { type Options, parseOptions, usage } from './options.ts';
import { play } from './play.ts';
import { isSafe, playSeries, tableHead, tableLine, toTotal, totalLines } from './series.ts';
import { summary } from './summary.ts';

type RunOptions = Extract<Options, { kind: 'run' }>;

const exitCodes = { safe: 0, unsafe: 1 } as const;
const defaultDist = path.join(import.meta.dirname, '..', '..', 'dist');

const print = (document: unknown) => process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);

async function playOnce(options: RunOptions, signal: AbortSignal): Promise<boolean> {
  const { json, dist = defaultDist } = options;
  const settings = { ...options, dist, signal };
  const run = await play({ ...settings, narrator: json ? silent : makeNarrator(settings) });
  if (json) print(toDocument(run));
  else {
    const screen = makeScreen();
    for (const line of summary(run, screen)) screen.line(line);
  }
  return run.outcome.isSafe;
}

async function playMany(runs: number, options: RunOptions, signal: AbortSignal): Promise<boolean> {
  const { json, dist = defaultDist } = options;
  const screen = makeScreen();
  const waitFor = (done: number) => {
    if (!json) screen.wait(`${done} of ${runs} runs are over`);
  };
  if (!json) screen.line(tableHead(screen));
  waitFor(0);
  try {
    const results = await playSeries(runs, { ...options, dist, signal }, (run, done) => {
      if (!json) screen.line(tableLine(run, screen));
      waitFor(done);
    });
    screen.close();
    if (json)
      print({
        ok: results.every(isSafe),
        total: toTotal(results),
        runs: results.map(({ killPoint, play: run, problem }) =>
          run ? toDocument(run) : { ok: false, kill: { point: killPoint.name }, faults: [problem] },
        ),
      });
    else for (const line of totalLines(results, screen)) screen.line(line);
    return results.every(isSafe);
  } finally {
    screen.close();
  }
}

const interruption = watchForInterruption();

try {
  const options = parseOptions(process.argv.slice(2));
  if (options.kind === 'help') process.stdout.write(usage);
  else {
    const { signal } = interruption;
    const isRight =
      options.runs === undefined
        ? await playOnce(options, signal)
        : await playMany(options.runs, options, signal);
    process.exitCode = isRight ? exitCodes.safe : exitCodes.unsafe;
  }
} catch (error) {
  process.exitCode = exitCodeFor(error, interruption.signal, usage);
}
