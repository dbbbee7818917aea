/** The command line as a whole: options for every command, help, and what each command is run with. */
import { Command, Option } from 'commander';
import type { Site } from '../shared/app/ports.ts';
import { addAck } from './ack.ts';
import { addAdopt } from './adopt.ts';
import type { Answer } from './answer.ts';
import { parseEndpoint } from './arguments.ts';
import { addBreakGlass } from './break-glass.ts';
import { addDoctor } from './doctor.ts';
import { addDrill } from './drill.ts';
import { addExplain } from './explain.ts';
import { addExport } from './export.ts';
import { addFailback } from './failback.ts';
import { addHistory } from './history.ts';
import { addInit } from './init.ts';
import { addMember } from './member.ts';
import { addMode } from './mode.ts';
import { addPause } from './pause.ts';
import type { Person } from './person.ts';
import { addPlan } from './plan.ts';
import { addRegister } from './register.ts';
import { addResume } from './resume.ts';
import type { Screen } from './screen.ts';
import type { Say } from './service-view.ts';
import type { Connection } from './session.ts';
import { addShow } from './show.ts';
import { addStatus } from './status.ts';
import { addSwitchover } from './switchover.ts';
import { addUnregister } from './unregister.ts';
import { addWatch } from './watch.ts';

/** What a command is run with. */
export interface CommandContext {
  connect(): Promise<Connection>;
  /** Without the stack: EC2 and what lies around it. */
  site(): Promise<Site>;
  readonly say: Say;
  readonly screen: Screen;
  /** Milliseconds since the epoch. */
  now(): number;
  readonly person: Person;
}

export interface Runner {
  /** Writes a command as it has to be typed here. */
  readonly say: Say;
  /** Does a command's work and shows its answer. */
  run(command: Command, work: (context: CommandContext) => Promise<Answer>): Promise<void>;
}

/** Exactly one of these must be given; anything else is a usage error. */
export function oneOf(command: Command, given: Readonly<Record<string, unknown>>): void {
  const names = Object.keys(given);
  const set = names.filter((name) => given[name] !== undefined);
  if (set.length === 0) command.error(`error: name one of ${names.join(' or ')}`);
  if (set.length > 1) command.error(`error: ${set.join(' and ')} exclude each other`);
}

const installedName = 'eni-failover';

/** `npm run cli --` in the repository, the installed name elsewhere: hints are there to be pasted. */
export const nameIn = (env: Readonly<Record<string, string | undefined>>) =>
  env['npm_lifecycle_event'] === 'cli' ? 'npm run cli --' : installedName;

/** In the order of the help, a line each. */
const allCommands = [
  addInit,
  addRegister,
  addStatus,
  addExplain,
  addHistory,
  addShow,
  addWatch,
  addExport,
  addPlan,
  addSwitchover,
  addFailback,
  addPause,
  addResume,
  addAck,
  addMode,
  addMember,
  addAdopt,
  addUnregister,
  addDrill,
  addDoctor,
  addBreakGlass,
];

export function makeProgram(name: string, runner: Runner): Command {
  const program = new Command(name)
    .description(
      'Moves the network interfaces of a service to a healthy standby. This is how people tell it to.',
    )
    .addOption(
      new Option('-o, --output <format>', 'for people, or one JSON document')
        .choices(['text', 'json'])
        .default('text'),
    )
    .addOption(
      new Option('--endpoint-url <url>', 'of the sandbox, instead of AWS')
        .env('AWS_ENDPOINT_URL')
        .argParser(parseEndpoint),
    )
    .option('--region <region>', 'AWS Region (default: as the AWS CLI finds it)')
    .option('--profile <profile>', 'AWS profile (default: as the AWS CLI finds it)')
    .addOption(
      new Option('--stack <name>', 'the deployed stack: its outputs name all that follows').env(
        'ENI_FAILOVER_STACK',
      ),
    )
    .addOption(new Option('--state-table <name>', 'output StateTable of the stack').env('STATE_TABLE'))
    .addOption(
      new Option('--idempotency-table <name>', 'output IdempotencyTable of the stack').env(
        'IDEMPOTENCY_TABLE',
      ),
    )
    .addOption(new Option('--queue-url <url>', 'output WorkQueueUrl of the stack').env('WORK_QUEUE_URL'))
    .addOption(new Option('--topic-arn <arn>', 'output NoticeTopicArn of the stack').env('TOPIC_ARN'))
    .addOption(
      new Option('--failover-function <name>', 'output FailoverFunctionName of the stack').env(
        'FAILOVER_FUNCTION',
      ),
    )
    .addOption(new Option('--control-url <url>', 'output ControlUrl of the stack').env('CONTROL_URL'))
    .addOption(new Option('--audit-url <url>', 'output AuditUrl of the stack').env('AUDIT_URL'))
    .option('--debug', 'say more on standard error, with stack traces')
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('(add --help for usage and examples)')
    .exitOverride()
    .addHelpText(
      'after',
      `
Exit codes:
  0  done                          3  failed
  1  refused, or nothing done      4  a service needs a human
  2  wrong usage

Examples:
  ${runner.say('register orders-db.yaml --endpoint-url http://127.0.0.1:4566')}
  ${runner.say('status')}
  ${runner.say("pause orders-db --for 30m --reason 'kernel upgrade'")}

With the sandbox (npm run sandbox) the endpoint alone is enough: it needs no
credentials, and says itself what its tables, queue and topic are called.${
        name === installedName ? '' : '\nIn scripts keep npm quiet: npm run --silent cli -- status -o json'
      }`,
    );
  for (const add of allCommands) add(program, runner);
  return program;
}
