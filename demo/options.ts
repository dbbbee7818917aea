/** The command line of `npm run demo`: every option checked, the wrong one named. */
import { parseArgs } from 'node:util';
import type { Latency } from './sandbox-control.ts';
import { findScenario, mainScenario, type Scenario, scenarioNames, scenarios } from './scenarios.ts';

export const usage = `Usage: npm run demo -- [options]

  --scenario NAME              one of those below, or all of them with: all (${mainScenario})
  --list                       the scenarios, and what each shows
  --json                       one JSON document on standard output, and nothing else
  --latency realistic|instant  whether EC2 takes its time (realistic)
  --dist DIR                   where the built bundles lie (dist)
  --help
`;

export class UsageError extends Error {}

export type Options =
  | { readonly kind: 'help' }
  | { readonly kind: 'list'; readonly json: boolean }
  | {
      readonly kind: 'run';
      readonly scenarios: readonly Scenario[];
      /** One of several is told more briefly, and all share one document. */
      readonly isSeries: boolean;
      readonly json: boolean;
      readonly latency: Latency;
      readonly dist: string | undefined;
    };

export function parseOptions(args: readonly string[]): Options {
  const values = valuesOf(args);
  const { json, latency, dist } = values;
  if (values.help) return { kind: 'help' };
  if (values.list) return { kind: 'list', json };
  if (latency !== 'instant' && latency !== 'realistic')
    throw new UsageError(`--latency: '${latency}' is neither realistic nor instant.`);
  const isSeries = values.scenario === 'all';
  const one = findScenario(values.scenario);
  if (!isSeries && one === undefined)
    throw new UsageError(
      `--scenario: there is no '${values.scenario}'; there are ${scenarioNames.join(', ')}, and all.`,
    );
  return { kind: 'run', scenarios: one ? [one] : scenarios, isSeries, json, latency, dist };
}

function valuesOf(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        scenario: { type: 'string', default: mainScenario },
        list: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        latency: { type: 'string', default: 'realistic' },
        dist: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
