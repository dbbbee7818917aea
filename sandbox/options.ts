// The command line of `npm run sandbox`: every option checked, the wrong one named.

import { parseArgs } from 'node:util';
import type { SandboxOptions } from './server.ts';

export const USAGE = `Usage: npm run sandbox -- [options]

  --port N                    port on 127.0.0.1, 0 for a free one (4566)
  --template FILE             what to deploy (template.yaml)
  --parameter NAME=VALUE      a parameter of the template; may be repeated
  --dist DIR                  where the built bundles lie (as CodeUri says)
  --latency instant|realistic how long EC2 takes (realistic)
  --detection instant|realistic
                              how long a failed status check takes to become an alarm (instant)
  --freeze                    stop a function's process between invocations, as Lambda does
  --async-retry-delays A,B    milliseconds before the asynchronous retries (1000,2000; AWS: 60000,120000)
  --help
`;

export class UsageError extends Error {}

export function parseOptions(args: string[]): SandboxOptions | 'help' {
  const { values } = readArgs(args);
  if (values.help) return 'help';
  return {
    port: parsePort(values.port),
    templateFile: values.template,
    parameters: Object.fromEntries((values.parameter ?? []).map(parseParameter)),
    latency: parseProfile('--latency', values.latency),
    detection: parseProfile('--detection', values.detection),
    freeze: values.freeze,
    ...(values.dist === undefined ? {} : { distDir: values.dist }),
    ...(values['async-retry-delays'] === undefined
      ? {}
      : { asyncRetryDelaysMs: values['async-retry-delays'].split(',').map(parseDelay) }),
  };
}

function readArgs(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        port: { type: 'string', default: '4566' },
        template: { type: 'string', default: 'template.yaml' },
        parameter: { type: 'string', multiple: true },
        dist: { type: 'string' },
        latency: { type: 'string', default: 'realistic' },
        detection: { type: 'string', default: 'instant' },
        freeze: { type: 'boolean', default: false },
        'async-retry-delays': { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535)
    throw new UsageError(`--port: '${text}' is not a port from 0 to 65535.`);
  return port;
}

function parseProfile(option: string, text: string): 'instant' | 'realistic' {
  if (text !== 'instant' && text !== 'realistic') {
    throw new UsageError(`${option}: '${text}' is neither instant nor realistic.`);
  }
  return text;
}

function parseParameter(text: string): [string, string] {
  const [name, ...value] = text.split('=');
  if (!name || value.length === 0) throw new UsageError(`--parameter: '${text}' is not NAME=VALUE.`);
  return [name, value.join('=')];
}

function parseDelay(text: string): number {
  if (!/^\d+$/.test(text))
    throw new UsageError(`--async-retry-delays: '${text}' is not a number of milliseconds.`);
  return Number(text);
}
