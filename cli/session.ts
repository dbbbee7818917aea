/** From options and environment to where things are asked: AWS itself, and the stack's functions behind their URLs. */
import type { StackNames } from '../shared/app/doctor-stack.ts';
import type { Log, Ports } from '../shared/app/ports.ts';
import { InvalidInputError } from '../shared/core/errors.ts';
import { type Config, parseConfig } from '../shared/runtime/config.ts';
import { CliError } from './answer.ts';
import { type AuditClient, makeAuditClient } from './audit-client.ts';
import { type ControlClient, makeControlClient } from './control-client.ts';
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
  readonly failoverFunction?: string;
  readonly controlUrl?: string;
  readonly auditUrl?: string;
}

type Environment = Record<string, string | undefined>;

/** What a command may need to know of the stack: the option, its variable, and the stack's output. */
const stackSettings = {
  stateTable: { option: '--state-table', variable: 'STATE_TABLE', output: 'StateTable' },
  idempotencyTable: {
    option: '--idempotency-table',
    variable: 'IDEMPOTENCY_TABLE',
    output: 'IdempotencyTable',
  },
  queueUrl: { option: '--queue-url', variable: 'WORK_QUEUE_URL', output: 'WorkQueueUrl' },
  topicArn: { option: '--topic-arn', variable: 'TOPIC_ARN', output: 'NoticeTopicArn' },
  failoverFunction: {
    option: '--failover-function',
    variable: 'FAILOVER_FUNCTION',
    output: 'FailoverFunctionName',
  },
  controlUrl: { option: '--control-url', variable: 'CONTROL_URL', output: 'ControlUrl' },
  auditUrl: { option: '--audit-url', variable: 'AUDIT_URL', output: 'AuditUrl' },
} as const;
type SettingKey = keyof typeof stackSettings;

/** What it takes to read the tables and ask EC2. */
const portSettings = ['stateTable', 'idempotencyTable', 'queueUrl', 'topicArn'] as const;

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

/** Undefined where nobody said. */
const knownAs = (key: SettingKey, options: GlobalOptions, outputs: Outputs | undefined) =>
  options[key] || outputs?.[stackSettings[key].output];

/** The settings by their variables. Throws {@link CliError} that names every one that nobody said. */
function settingsOf(
  keys: readonly SettingKey[],
  options: GlobalOptions,
  outputs: Outputs | undefined,
): Readonly<Record<string, string>> {
  const found = keys.map((key) => ({
    ...stackSettings[key],
    value: knownAs(key, options, outputs),
  }));
  const missing = found.filter((each) => !each.value);
  if (missing.length === 0)
    return Object.fromEntries(found.map(({ variable, value }) => [variable, value ?? '']));
  const which = missing.map((each) => `${each.option} (or ${each.variable})`).join(', ');
  const why =
    options.endpointUrl && !outputs
      ? `${options.endpointUrl} is no sandbox of ours (no /_sandbox/state) that could be asked for them; `
      : '';
  throw new CliError(
    'usage',
    `missing: ${which}; ${why}` +
      'pass --stack to find them by the outputs of the deployed stack' +
      (options.endpointUrl ? '' : ', or --endpoint-url for the sandbox'),
  );
}

function configOf(options: GlobalOptions, outputs: Outputs | undefined): Config {
  try {
    return parseConfig(settingsOf(portSettings, options, outputs));
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error;
    const problems = error.problems.map((problem) => {
      const setting = Object.values(stackSettings).find((each) => problem.startsWith(`${each.variable}: `));
      return setting
        ? problem.replace(setting.variable, `${setting.option} (or ${setting.variable})`)
        : problem;
    });
    throw new CliError('usage', problems.join('; '), error);
  }
}

/** Where a function is. Throws {@link CliError} where nobody said, or where it cannot be. */
function urlOf(key: 'controlUrl' | 'auditUrl', options: GlobalOptions, outputs: Outputs | undefined): string {
  const { option, variable } = stackSettings[key];
  const url = settingsOf([key], options, outputs)[variable] ?? '';
  const { protocol = '' } = URL.canParse(url) ? new URL(url) : {};
  if (protocol === 'https:' || protocol === 'http:') return url;
  throw new CliError('usage', `${option} (or ${variable}): must be the URL of the function (is ${url})`);
}

const lineOf = (message: string, facts: Readonly<Record<string, unknown>> = {}) =>
  [message, ...Object.entries(facts).map(([key, value]) => `${key}=${String(value)}`)].join(' ');

/** What use cases log goes to standard error: warnings always, the rest only while debugging. */
const logTo = (stream: NodeJS.WritableStream, debug: boolean): Log => ({
  info: (message, facts) => debug && stream.write(`debug: ${lineOf(message, facts)}\n`),
  warn: (message, facts) => stream.write(`warning: ${lineOf(message, facts)}\n`),
  error: (message, facts) => stream.write(`error: ${lineOf(message, facts)}\n`),
});

/** Everything is made when it is first used: a command that needs only control needs no table's name. */
export interface Connection {
  /** With the operator's own credentials; for reading, and for a move past everything else. */
  readonly ports: Ports;
  /** Whatever changes anything is asked of it. */
  readonly control: ControlClient;
  readonly audit: AuditClient;
  /** What is known of the stack without asking anybody. */
  readonly names: StackNames;
}

/** Finds out where to go. Throws {@link CliError} where something is missing or out of reach, also when it is first used. */
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
  // Only now: the SDK takes longer to load than everything else, and help and usage errors do not need it.
  const [{ compose }, { makeUrlCaller }] = await Promise.all([
    import('../shared/runtime/compose.ts'),
    import('../shared/runtime/function-urls.ts'),
  ]);
  const makePorts = () =>
    compose(configOf(options, outputs), { ...(endpoint && { endpoint }), log: logTo(stderr, debug) }).ports;
  const call = makeUrlCaller();
  let ports: Ports | undefined;
  return {
    get ports() {
      ports ??= makePorts();
      return ports;
    },
    control: makeControlClient(() => urlOf('controlUrl', options, outputs), call),
    audit: makeAuditClient(() => urlOf('auditUrl', options, outputs), call),
    names: {
      queueUrl: knownAs('queueUrl', options, outputs),
      topicArn: knownAs('topicArn', options, outputs),
      failoverFunction: knownAs('failoverFunction', options, outputs),
    },
  };
}
