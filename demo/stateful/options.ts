/** The command line of `npm run demo:stateful`: every option checked, the wrong one named. */
import { parseArgs } from 'node:util';
import { UsageError } from '../options.ts';
import type { Latency } from '../sandbox-control.ts';
import { defaultKillPoint, findKillPoint, type KillPoint, killPoints } from './kill-points.ts';

const wide = Math.max(...killPoints.map(({ name }) => name.length));

export const usage = `Usage: npm run demo:stateful -- [options]

  --kill POINT                   where the controller's process is killed (${defaultKillPoint})
  --runs N                       N runs, each with another kill point, and a table; not with --kill
  --detection instant|realistic  when the alarm comes: at once, or after the 1 to 3 min of CloudWatch (instant)
  --latency realistic|instant    whether EC2 takes its time (realistic)
  --json                         one JSON document on standard output, and nothing else
  --dist DIR                     where the built bundles lie (dist)
  --help

Exit code 0 only if no acknowledged write was lost, the old primary accepted none after the promotion, and there was
one episode, COMPLETED; 1 if not, 2 for a wrong option, 3 if the demo itself failed.

Kill points; --runs spreads its runs evenly over them:
${killPoints.map(({ name, text }) => `  ${name.padEnd(wide)}  ${text}`).join('\n')}
`;

export type Options =
  | { readonly kind: 'help' }
  | {
      readonly kind: 'run';
      readonly killPoint: KillPoint;
      /** Undefined: one run, with the kill point that is named. */
      readonly runs: number | undefined;
      readonly detection: 'instant' | 'realistic';
      readonly latency: Latency;
      readonly fence: 'stop' | 'none';
      readonly json: boolean;
      readonly dist: string | undefined;
    };

const mostRuns = 200;

export function parseOptions(args: readonly string[]): Options {
  const { help, kill, runs, detection, latency, fence, json, dist } = valuesOf(args);
  if (help) return { kind: 'help' };
  if (runs !== undefined && kill !== undefined)
    throw new UsageError('--runs: takes the kill points from the list; leave --kill out.');
  const name = kill ?? defaultKillPoint;
  const killPoint = findKillPoint(name);
  if (killPoint === undefined)
    throw new UsageError(
      `--kill: there is no '${name}'; there are ${killPoints.map((each) => each.name).join(', ')}.`,
    );
  return {
    kind: 'run',
    killPoint,
    runs: runs === undefined ? undefined : toRuns(runs),
    detection: oneOf('--detection', detection, ['instant', 'realistic']),
    latency: oneOf('--latency', latency, ['realistic', 'instant']),
    fence: oneOf('--fence', fence, ['stop', 'none']),
    json,
    dist,
  };
}

function toRuns(text: string): number {
  const runs = Number(text);
  if (!/^\d+$/.test(text) || runs < 1 || runs > mostRuns)
    throw new UsageError(`--runs: '${text}' is not a number from 1 to ${mostRuns}.`);
  return runs;
}

function oneOf<const T extends string>(option: string, text: string, allowed: readonly [T, T]): T {
  const found = allowed.find((each) => each === text);
  if (found === undefined)
    throw new UsageError(`${option}: '${text}' is neither ${allowed[0]} nor ${allowed[1]}.`);
  return found;
}

function valuesOf(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        kill: { type: 'string' },
        runs: { type: 'string' },
        detection: { type: 'string', default: 'instant' },
        latency: { type: 'string', default: 'realistic' },
        // Only to see that the checks can fail: without the fence the old primary lives on.
        fence: { type: 'string', default: 'stop' },
        json: { type: 'boolean', default: false },
        dist: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
