/** `register`: reads a declaration, has it checked against EC2 and stored, and says what it found. */
import type { Command } from 'commander';
import * as v from 'valibot';
import { aroundTheMove } from '../shared/core/around-the-move.ts';
import { type InstanceId, InstanceIdSchema } from '../shared/core/ids.ts';
import { type Declaration, parseDeclaration } from '../shared/core/service.ts';
import type { Answer } from './answer.ts';
import { reasonOption } from './arguments.ts';
import { type DeclarationFile, placed, type Remark, readDeclarationFile } from './declaration-file.ts';
import { type Line, sheet } from './output.ts';
import type { CommandContext, Runner } from './program.ts';
import type { Say } from './service-view.ts';

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
  /** It was only asked what would be changed. */
  readonly dryRun: boolean;
  /** What differs from the registration before. */
  readonly changes: readonly string[];
  readonly warnings: readonly Remark[];
  readonly problems: readonly Remark[];
}

/** What control found where it registered. */
const FoundSchema = v.object({
  change: v.picklist(['registered', 'changed', 'unchanged']),
  holder: InstanceIdSchema,
  changes: v.array(v.string()),
  warnings: v.array(v.string()),
});
type Found = v.InferOutput<typeof FoundSchema>;

const count = (number: number, what: string) => `${number} ${what}${number === 1 ? '' : 's'}`;

interface RegisterOptions {
  readonly reason?: string;
  readonly takeOver?: boolean;
  readonly dryRun?: boolean;
}

/** Whose the interfaces are that this one claims: an interface belongs to one service. */
const ownersIn = (problems: readonly Remark[]): readonly string[] => [
  ...new Set(
    problems.flatMap(({ message }) => /belongs to the service (\S+) already/.exec(message)?.[1] ?? []),
  ),
];

function rejectedAnswer(
  file: string,
  service: string | null,
  problems: readonly Remark[],
  { dryRun = false }: RegisterOptions,
  say: Say,
  code = 'REJECTED',
): Answer {
  const data: Data = {
    code,
    detail: problems.map((each) => each.message).join('; '),
    file,
    service,
    change: 'rejected',
    holder: null,
    members: [],
    interfaces: [],
    dryRun,
    changes: [],
    warnings: [],
    problems,
  };
  const owners = ownersIn(problems);
  return {
    outcome: 'refused',
    data: { ...data },
    text: ({ style }) =>
      [
        style('red', `not registered: ${count(problems.length, 'problem')}, nothing was stored`),
        ...problems.map((each) => `  ${placed(file, each)}`),
        ...(owners.length > 0
          ? ['', 'Who has it:', ...owners.map((each) => `  ${say(`status ${each}`)}`)]
          : []),
      ].join('\n'),
  };
}

function toAnswer(
  file: DeclarationFile,
  declaration: Declaration,
  found: Found,
  { dryRun = false }: RegisterOptions,
  context: CommandContext,
): Answer {
  const { name } = declaration;
  const { change, holder, changes } = found;
  const warnings = file.locate(found.warnings);
  const data: Data = {
    code: null,
    detail: null,
    file: file.file,
    service: name,
    change,
    holder,
    members: declaration.members.map((each) => each.instance),
    interfaces: declaration.interfaces,
    dryRun,
    changes,
    warnings,
    problems: [],
  };
  const headline = {
    registered: dryRun ? `would register ${name}` : `registered ${name}`,
    changed: `${dryRun ? 'would change' : 'changed'} the registration of ${name}`,
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
    ...changes.map((text): Line => ({ label: 'change', text })),
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
        dryRun
          ? `Nothing was stored. To do it:  ${context.say(`register ${file.file}`)}`
          : `Is it ready for a failover?  ${context.say(`status ${name}`)}`,
      ].join('\n'),
  };
}

/** Asks nobody as long as the file itself is wrong. */
export async function registerCommand(
  path: string,
  options: RegisterOptions,
  context: CommandContext,
): Promise<Answer> {
  const { say } = context;
  const file = readDeclarationFile(path);
  if (file.broken.length > 0) return rejectedAnswer(path, null, file.broken, options, say);
  const parsed = parseDeclaration(file.declaration);
  if (parsed.kind === 'invalid')
    return rejectedAnswer(path, null, file.locate(parsed.problems), options, say);

  const { control } = await context.connect();
  const { reason, takeOver, dryRun } = options;
  const answered = await control.send('register', {
    declaration: file.declaration,
    ...(reason && { reason }),
    ...(takeOver && { takeOver }),
    ...(dryRun && { dryRun }),
  });
  const { name } = parsed.declaration;
  if (answered.kind === 'refused') {
    const problems = answered.problems.length > 0 ? answered.problems : [answered.detail];
    return rejectedAnswer(path, name, file.locate(problems), options, say, answered.code);
  }
  return toAnswer(file, parsed.declaration, v.parse(FoundSchema, answered.data), options, context);
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
    .addOption(reasonOption().makeOptionMandatory(false))
    .option('--take-over', 'overwrite what another source registered, such as a stack')
    .option('--dry-run', 'check it and say what would change; store nothing')
    .action((file: string, options: RegisterOptions, command: Command) =>
      run(command, (context) => registerCommand(file, options, context)),
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
  ${say('register orders-db.yaml --dry-run')}
  ${say('register orders-db.yaml --endpoint-url http://127.0.0.1:4566')}`,
    );
}
