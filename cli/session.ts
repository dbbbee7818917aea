/** From options and environment to the ports: endpoint, Region, credentials, table names, and who is asking. */
import { userInfo } from 'node:os';
import type { Log, Ports } from '../shared/app/ports.ts';
import type { Allowed } from '../shared/app/register.ts';
import { InvalidInputError } from '../shared/core/errors.ts';
import { allowedBy, parseConfig } from '../shared/runtime/config.ts';
import { CliError } from './answer.ts';
import { findSandbox } from './sandbox-discovery.ts';
import { type Outputs, outputsOfStack } from './stack-outputs.ts';

export interface GlobalOptions {
  readonly output: 'text' | 'json';
  readonly debug?: boolean;
  readonly endpointUrl?: string;
  readonly region?: string;
  readonly profile?: string;
  readonly stack?: string;
  readonly stateTable?: string;
  readonly idempotencyTable?: string;
  readonly queueUrl?: string;
  readonly topicArn?: string;
  readonly fencing?: string;
  readonly hookDocuments?: string;
  readonly hookFunctions?: string;
}

type Environment = Record<string, string | undefined>;

/** What each command needs to know of the stack: the option, its variable, and the stack's output. */
const stackSettings = [
  {
    key: 'stateTable',
    option: '--state-table',
    variable: 'STATE_TABLE',
    output: 'StateTable',
  },
  {
    key: 'idempotencyTable',
    option: '--idempotency-table',
    variable: 'IDEMPOTENCY_TABLE',
    output: 'IdempotencyTable',
  },
  {
    key: 'queueUrl',
    option: '--queue-url',
    variable: 'WORK_QUEUE_URL',
    output: 'WorkQueueUrl',
  },
  {
    key: 'topicArn',
    option: '--topic-arn',
    variable: 'TOPIC_ARN',
    output: 'NoticeTopicArn',
  },
] as const;

/** What registration holds a declaration against; unknown where it is not said. */
const stackSwitches = [
  { key: 'fencing', option: '--fencing', variable: 'FENCING', output: 'Fencing' },
  { key: 'hookDocuments', option: '--hook-documents', variable: 'HOOK_DOCUMENTS', output: 'HookDocuments' },
  { key: 'hookFunctions', option: '--hook-functions', variable: 'HOOK_FUNCTIONS', output: 'HookFunctions' },
] as const;

/**
 * The variables from which the SDK takes Region and credentials. With the sandbox and no identity chosen it gets
 * made-up ones: a newcomer needs none, and nobody's real keys sign requests to a process on the desk.
 */
export function awsEnvironment(
  options: Pick<GlobalOptions, 'region' | 'profile'>,
  env: Environment,
  isSandbox: boolean,
): Environment {
  const profile = options.profile ?? env['AWS_PROFILE'];
  const isIdentified = Boolean(profile || env['AWS_ACCESS_KEY_ID']);
  // The JavaScript SDK does not know AWS_DEFAULT_REGION, which every other AWS tool takes.
  const region =
    options.region || env['AWS_REGION'] || env['AWS_DEFAULT_REGION'] || (isSandbox ? 'us-east-1' : undefined);
  return {
    ...(region && { AWS_REGION: region }),
    ...(profile && { AWS_PROFILE: profile }),
    // A profile that was asked for goes before the keys of the environment.
    ...(options.profile && { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined }),
    ...(isSandbox &&
      !isIdentified && { AWS_ACCESS_KEY_ID: 'eni-failover-cli', AWS_SECRET_ACCESS_KEY: 'sandbox' }),
  };
}

function switchesOf(options: GlobalOptions, outputs: Outputs | undefined) {
  return stackSwitches.flatMap(({ key, variable, output }) => {
    const said = options[key] ?? outputs?.[output];
    // No document at all is an answer too; a stack that names none has no such output.
    const value = key === 'hookDocuments' ? (said ?? (outputs && '')) : said || undefined;
    return value === undefined ? [] : [[variable, value] as const];
  });
}

function stackNames(options: GlobalOptions, outputs: Outputs | undefined) {
  const found = stackSettings.map((setting) => ({
    ...setting,
    value: options[setting.key] || outputs?.[setting.output],
  }));
  const missing = found.filter((each) => !each.value);
  if (missing.length === 0)
    return Object.fromEntries([
      ...found.map((each) => [each.variable, each.value]),
      ...switchesOf(options, outputs),
    ]);
  const which = missing.map((each) => `${each.option} (or ${each.variable})`).join(', ');
  const why = options.endpointUrl
    ? `${options.endpointUrl} is no sandbox of ours (no /_sandbox/state) that could be asked for them; `
    : '';
  throw new CliError(
    'usage',
    `missing: ${which}; ${why}` +
      'pass --stack to find them by the outputs of the deployed stack' +
      (options.endpointUrl ? '' : ', or --endpoint-url for the sandbox'),
  );
}

function configOf(options: GlobalOptions, outputs: Outputs | undefined) {
  try {
    return parseConfig(stackNames(options, outputs));
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error;
    const problems = error.problems.map((problem) => {
      const setting = [...stackSettings, ...stackSwitches].find((each) =>
        problem.startsWith(`${each.variable}: `),
      );
      return setting
        ? problem.replace(setting.variable, `${setting.option} (or ${setting.variable})`)
        : problem;
    });
    throw new CliError('usage', problems.join('; '), error);
  }
}

/**
 * Who is asking, for the trail. The machine's own word for now: functions/control will take the author from the
 * caller's IAM identity, which nobody can claim for themselves (docs/architecture.md).
 */
export function author(env: Environment): string {
  try {
    return `local:${userInfo().username}`;
  } catch {
    // A container's user without a name in the system.
    return `local:${env['USER'] || 'unknown'}`;
  }
}

const lineOf = (message: string, facts: Readonly<Record<string, unknown>> = {}) =>
  [message, ...Object.entries(facts).map(([key, value]) => `${key}=${String(value)}`)].join(' ');

/** What use cases log goes to standard error: warnings always, the rest only while debugging. */
const logTo = (stream: NodeJS.WritableStream, debug: boolean): Log => ({
  info: (message, facts) => debug && stream.write(`debug: ${lineOf(message, facts)}\n`),
  warn: (message, facts) => stream.write(`warning: ${lineOf(message, facts)}\n`),
  error: (message, facts) => stream.write(`error: ${lineOf(message, facts)}\n`),
});

export interface Connection {
  readonly ports: Ports;
  readonly author: string;
  readonly allowed?: Allowed;
}

/** Finds out where to go and makes the ports. Throws {@link CliError} where something is missing or out of reach. */
export async function connect(
  options: GlobalOptions,
  env: Environment,
  stderr: NodeJS.WritableStream,
): Promise<Connection> {
  const { endpointUrl: endpoint, debug = false } = options;
  const sandbox = endpoint ? await findSandbox(endpoint) : undefined;
  for (const [name, value] of Object.entries(awsEnvironment(options, env, sandbox !== undefined)))
    if (value === undefined) delete env[name];
    else env[name] = value;
  // A stack that was named goes before what the sandbox says of its own.
  const outputs = options.stack ? await outputsOfStack(options.stack, endpoint) : sandbox?.outputs;
  const config = configOf(options, outputs);
  // Only now: the SDK takes longer to load than everything else, and help and usage errors do not need it.
  const { compose } = await import('../shared/runtime/compose.ts');
  const { ports } = compose(config, { ...(endpoint && { endpoint }), log: logTo(stderr, debug) });
  return { ports, author: author(env), allowed: allowedBy(config) };
}
