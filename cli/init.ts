/** `init`: asks EC2 about the interfaces and instances that are named, and writes the declaration of a service. */
import { writeFileSync } from 'node:fs';
import { type Command, InvalidArgumentError } from 'commander';
import { type Draft, draftDeclaration } from '../shared/app/draft.ts';
import { messageOf } from '../shared/core/errors.ts';
import type { EniId, InstanceId, ServiceName } from '../shared/core/ids.ts';
import { type Answer, CliError } from './answer.ts';
import { parseEniId, parseInstanceId, parseServiceName } from './arguments.ts';
import { declarationText } from './declaration-text.ts';
import { type Line, sheet } from './output.ts';
import type { CommandContext, Runner } from './program.ts';

export interface InitOptions {
  readonly name: ServiceName;
  readonly interface: readonly EniId[];
  readonly member: readonly InstanceId[];
  readonly preferred?: InstanceId;
  readonly file?: string;
  readonly force?: true;
}

/** The same keys whatever the outcome. */
interface Data {
  readonly code: string | null;
  readonly detail: string | null;
  readonly file: string;
  readonly service: string;
  readonly holder: InstanceId | null;
  readonly members: readonly InstanceId[];
  readonly interfaces: readonly {
    readonly eni: EniId;
    readonly deviceIndex: number;
    readonly networkCardIndex: number;
  }[];
  readonly untagged: readonly string[];
  readonly warnings: readonly string[];
  readonly problems: readonly string[];
  /** What to run next, in this order. */
  readonly commands: readonly string[];
}

const nothing = { holder: null, members: [], interfaces: [], untagged: [], warnings: [], commands: [] };

/** Never over a file that is there, unless told. Undefined when it was written. */
function write(file: string, text: string, mayOverwrite: boolean): 'exists' | undefined {
  try {
    writeFileSync(file, text, { flag: mayOverwrite ? 'w' : 'wx' });
    return undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return 'exists';
    throw new CliError('failed', `${file} cannot be written: ${messageOf(error)}`, error);
  }
}

function rejectedAnswer(file: string, service: string, problems: readonly string[]): Answer {
  const data: Data = {
    code: 'NOT_WRITTEN',
    detail: problems.join('; '),
    file,
    service,
    ...nothing,
    problems,
  };
  return {
    outcome: 'refused',
    data: { ...data },
    text: ({ style }) =>
      [
        style('red', 'nothing was written: this would not be registered'),
        ...problems.map((each) => `  ${each}`),
      ].join('\n'),
  };
}

function existsAnswer(file: string, service: string): Answer {
  const detail = `${file} is there already; pass --force to overwrite it, or --file for another one`;
  const data: Data = { code: 'FILE_EXISTS', detail, file, service, ...nothing, problems: [] };
  return {
    outcome: 'refused',
    data: { ...data },
    text: ({ style }) => `${style('red', 'nothing was written')}: ${detail}`,
  };
}

const count = (number: number, what: string) => `${number} ${what}${number === 1 ? '' : 's'}`;

function writtenAnswer(file: string, draft: Draft, { say }: CommandContext): Answer {
  const { name, holder, members, interfaces, untagged, warnings } = draft;
  const tagging =
    untagged.length > 0
      ? [`aws ec2 create-tags --resources ${untagged.join(' ')} --tags Key=eni-failover,Value=managed`]
      : [];
  const commands = [...tagging, say(`register ${file}`), say(`doctor ${name}`)];
  const data: Data = {
    code: null,
    detail: null,
    file,
    service: name,
    holder,
    members: members.map((each) => each.instance),
    interfaces: interfaces.map(({ placed: _, ...each }) => each),
    untagged,
    warnings,
    problems: [],
    commands,
  };
  const lines = [
    ...interfaces.map(
      ({ eni, deviceIndex }): Line => ({
        label: 'interface',
        subject: eni,
        text: `device index ${deviceIndex}`,
      }),
    ),
    ...members.map(
      ({ instance, alarms }): Line => ({
        label: 'member',
        subject: instance,
        text:
          `${instance === holder ? 'holder' : 'standby'}, ` +
          (alarms.kind === 'known'
            ? `${alarms.value.length === 0 ? 'no alarm' : count(alarms.value.length, 'alarm')} on its status checks`
            : 'its alarms could not be read'),
      }),
    ),
  ];
  return {
    outcome: 'done',
    data: { ...data },
    text: (terminal) =>
      [
        terminal.style('green', `wrote ${file}`) +
          (warnings.length > 0 ? `; ${count(warnings.length, 'warning')}` : ''),
        '',
        sheet(lines, terminal),
        ...(warnings.length > 0
          ? ['', terminal.style('yellow', 'Warnings'), ...warnings.map((each) => `  ${each}`)]
          : []),
        '',
        untagged.length > 0
          ? `Next (${untagged.join(', ')} without the tag that lets the controller act on it)`
          : 'Next',
        ...commands.map((each) => `  ${each}`),
      ].join('\n'),
  };
}

export async function initCommand(options: InitOptions, context: CommandContext): Promise<Answer> {
  const { name, preferred } = options;
  const file = options.file ?? `${name}.yaml`;
  const drafted = await draftDeclaration(await context.site(), {
    name,
    interfaces: options.interface,
    members: options.member,
    ...(preferred && { preferred }),
  });
  if (drafted.kind === 'rejected') return rejectedAnswer(file, name, drafted.problems);
  if (write(file, declarationText(drafted.draft), options.force === true)) return existsAnswer(file, name);
  return writtenAnswer(file, drafted.draft, context);
}

/** One more of an option that may be given several times. */
const collected =
  <T>(parse: (text: string) => T) =>
  (text: string, before: readonly T[] | undefined): readonly T[] => {
    const value = parse(text);
    if (before?.includes(value)) throw new InvalidArgumentError('It is named twice.');
    return [...(before ?? []), value];
  };

export function addInit(program: Command, { run, say }: Runner): void {
  program
    .command('init')
    .summary('write the declaration of a service from what EC2 says')
    .description(
      'Asks EC2 about the interfaces and instances that you name, checks what registration would check, and writes ' +
        'the declaration as a YAML file with comments. Changes nothing in AWS, and needs no deployed stack.',
    )
    .requiredOption('--name <service>', 'what the service is to be called', parseServiceName)
    .requiredOption(
      '--interface <eni>',
      'an interface that moves; give it again for each',
      collected(parseEniId),
    )
    .requiredOption(
      '--member <instance>',
      'an instance that may hold them; give it again for each',
      collected(parseInstanceId),
    )
    .option('--preferred <instance>', 'the member where they belong (default: the holder)', parseInstanceId)
    .option('--file <file.yaml>', 'where to write it (default: <service>.yaml)')
    .option('--force', 'overwrite the file')
    .action((options: InitOptions, command: Command) => {
      if (options.preferred && !options.member.includes(options.preferred))
        command.error(`error: --preferred ${options.preferred} is not one of the members`);
      return run(command, (context) => initCommand(options, context));
    })
    .addHelpText(
      'after',
      `
Example:
  ${say('init --name orders-db --interface eni-0a1b2c3d4e5f60101 \\')}
      --member i-0a1b2c3d4e5f60001 --member i-0a1b2c3d4e5f60002`,
    );
}
