// `npm run sandbox`: starts an AWS for one machine, prints one JSON line when it is ready, and stops without leaving a process behind.

import { parseArgs } from 'node:util';
import { EventPatternError } from './eventbridge/event-pattern.ts';
import { LambdaError } from './lambda/lambda.ts';
import { SandboxError, type SandboxOptions, startSandbox } from './server.ts';
import { TemplateError } from './template.ts';

const USAGE = `Usage: npm run sandbox -- [options]

  --port N                    port on 127.0.0.1, 0 for a free one (4566)
  --template FILE             what to deploy (template.yaml)
  --parameter NAME=VALUE      a parameter of the template; may be repeated
  --dist DIR                  where the built bundles lie (as CodeUri says)
  --latency instant|realistic how long EC2 takes (instant)
  --detection instant|realistic
                              how long a failed status check takes to become an alarm (instant)
  --freeze                    stop a function's process between invocations, as Lambda does
  --async-retry-delays A,B    milliseconds before the asynchronous retries (1000,2000; AWS: 60000,120000)
  --help
`;

class UsageError extends Error {}

function parseOptions(args: string[]): SandboxOptions | 'help' {
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
        latency: { type: 'string', default: 'instant' },
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

/** What a person can put right; anything else shows its stack. */
function isExplained(error: unknown): error is Error {
  return (
    [UsageError, SandboxError, TemplateError, EventPatternError, LambdaError].some(
      (kind) => error instanceof kind,
    ) || (error as NodeJS.ErrnoException).code === 'ENOENT'
  );
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options === 'help') {
    process.stdout.write(USAGE);
  } else {
    const sandbox = await startSandbox(options);
    const { endpoint, region, accountId, stack } = sandbox;
    const deployed = { outputs: stack.outputs, resources: stack.physicalIds };
    process.stdout.write(
      `${JSON.stringify({ endpoint, region, accountId, stack: deployed, pid: process.pid })}\n`,
    );
    let stopping = false;
    const stop = (): void => {
      // A second Ctrl-C does not wait: the exit hook still ends the children.
      if (stopping) process.exit(1);
      stopping = true;
      sandbox.close().then(
        () => process.exit(0),
        (error: unknown) => {
          console.error(error);
          process.exit(1);
        },
      );
    };
    process.on('SIGINT', stop);
    process.on('SIGTERM', stop);
    process.on('SIGHUP', stop);
  }
} catch (error) {
  if (!isExplained(error)) throw error;
  process.stderr.write(`${error.message}\n${error instanceof UsageError ? `\n${USAGE}` : ''}`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
