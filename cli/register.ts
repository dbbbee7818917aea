/** `register`: reads a declaration, has it checked against EC2 and stored, and says what it found. */
import type { Command } from 'commander';
import { type Registered, register } from '../shared/app/register.ts';
import { statusOf } from '../shared/app/status.ts';
import { aroundTheMove } from '../shared/core/around-the-move.ts';
import type { InstanceId, ServiceName } from '../shared/core/ids.ts';
import { type Declaration, parseDeclaration } from '../shared/core/service.ts';
import type { Answer } from './answer.ts';
import { type DeclarationFile, placed, type Remark, readDeclarationFile } from './declaration-file.ts';
import { type Line, sheet } from './output.ts';
import type { CommandContext, Runner } from './program.ts';
import type { Connection } from './session.ts';

/** The same keys whatever the outcome. */
interface Data {
  readonly code: string | null;
  readonly detail: string | null;
  readonly file: string;
  readonly service: string | null;
  readonly change: 'registered' | 'changed' | 'unchanged' | 'rejected';
  readonly holder: InstanceId | null;
  readonly members: readonly InstanceId[];
  readonly interfaces: readonly {
    readonly eni: string;
    readonly deviceIndex: number;
    readonly networkCardIndex: number;
  }[];
  readonly warnings: readonly Remark[];
  readonly problems: readonly Remark[];
}

const count = (number: number, what: string) => `${number} ${what}${number === 1 ? '' : 's'}`;

function rejectedAnswer(file: string, service: string | null, problems: readonly Remark[]): Answer {
  const data: Data = {
    code: 'NOT_REGISTERED',
    detail: problems.map((each) => each.message).join('; '),
    file,
    service,
    change: 'rejected',
    holder: null,
    members: [],
    interfaces: [],
    warnings: [],
    problems,
  };
  return {
    outcome: 'refused',
    data: { ...data },
    text: ({ style }) =>
      [
        style('red', `not registered: ${count(problems.length, 'problem')}, nothing was stored`),
        ...problems.map((each) => `  ${placed(file, each)}`),
      ].join('\n'),
  };
}

function toAnswer(
  file: DeclarationFile,
  declaration: Declaration,
  registered: Exclude<Registered, { kind: 'rejected' }>,
  holder: InstanceId | undefined,
  context: CommandContext,
): Answer {
  const { name } = declaration;
  const change = registered.kind === 'unchanged' ? 'unchanged' : registered.isNew ? 'registered' : 'changed';
  const warnings = file.locate(registered.warnings);
  const data: Data = {
    code: null,
    detail: null,
    file: file.file,
    service: name,
    change,
    holder: holder ?? null,
    members: declaration.members.map((each) => each.instance),
    interfaces: declaration.interfaces,
    warnings,
    problems: [],
  };
  const headline = {
    registered: `registered ${name}`,
    changed: `changed the registration of ${name}`,
    unchanged: `${name} is registered like this already: nothing changed`,
  }[change];
  const lines: Line[] = [
    ...declaration.interfaces.map(
      ({ eni, deviceIndex, networkCardIndex }): Line => ({
        label: 'interface',
        subject: eni,
        text: `device index ${deviceIndex}${networkCardIndex > 0 ? `, network card ${networkCardIndex}` : ''}`,
      }),
    ),
    ...declaration.members.map(
      ({ instance }): Line => ({
        label: 'member',
        subject: instance,
        text: instance === holder ? 'holder' : 'standby',
      }),
    ),
    ...aroundTheMove(declaration).map(({ step, what }): Line => ({ label: step, text: what })),
  ];
  return {
    outcome: 'done',
    data: { ...data },
    text: (terminal) =>
      [
        terminal.style('green', headline) +
          (warnings.length > 0 ? `; ${count(warnings.length, 'warning')}` : ''),
        '',
        sheet(lines, terminal),
        ...(warnings.length > 0
          ? [
              '',
              terminal.style('yellow', 'Warnings'),
              ...warnings.map((each) => `  ${placed(file.file, each)}`),
            ]
          : []),
        '',
        `Is it ready for a failover?  ${context.say(`status ${name}`)}`,
      ].join('\n'),
  };
}

const holderOf = async ({ ports }: Connection, name: ServiceName) => {
  const status = await statusOf(ports, name);
  return status?.where.kind === 'together' ? status.where.holder : undefined;
};

/** Asks nobody as long as the file itself is wrong. */
export async function registerCommand(path: string, context: CommandContext): Promise<Answer> {
  const file = readDeclarationFile(path);
  if (file.broken.length > 0) return rejectedAnswer(path, null, file.broken);
  const parsed = parseDeclaration(file.declaration);
  if (parsed.kind === 'invalid') return rejectedAnswer(path, null, file.locate(parsed.problems));

  const connection = await context.connect();
  const { ports, author, allowed } = connection;
  const request = { declaration: file.declaration, author, ...(allowed && { allowed }) };
  const registered = await register(ports, request);
  const { name } = parsed.declaration;
  if (registered.kind === 'rejected') return rejectedAnswer(path, name, file.locate(registered.problems));
  const holder = registered.kind === 'registered' ? registered.holder : await holderOf(connection, name);
  return toAnswer(file, parsed.declaration, registered, holder, context);
}

export function addRegister(program: Command, { run, say }: Runner): void {
  program
    .command('register')
    .summary('register a service, or change its registration')
    .description(
      'Registers a service, or changes its registration. The declaration is checked against EC2 and CloudWatch ' +
        'first; where anything is wrong, nothing is stored. Registering the same declaration again changes nothing.',
    )
    .argument('<file.yaml>', 'the declaration of the service')
    .action((file: string, _: unknown, command: Command) =>
      run(command, (context) => registerCommand(file, context)),
    )
    .addHelpText(
      'after',
      `
A declaration:
  name: orders-db
  interfaces:
    - {eni: eni-0a1b2c3d4e5f60101, deviceIndex: 1}
  members:                                # in order of preference
    - {instance: i-0a1b2c3d4e5f60001}
    - {instance: i-0a1b2c3d4e5f60002}
  # Around the move, each where it is needed:
  policy: {fence: stop}
  hooks:
    after:
      - {document: promote-replica, on: target, parameters: {Token: ['@token@'], Epoch: ['@epoch@']}}
  serving: {alarm: arn:aws:cloudwatch:…:alarm:orders-db-answers, within: 2m}

Examples:
  ${say('register orders-db.yaml')}
  ${say('register orders-db.yaml --endpoint-url http://127.0.0.1:4566')}`,
    );
}
