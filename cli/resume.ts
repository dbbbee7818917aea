/** `resume`: ends a pause before its time. */
import type { Command } from 'commander';
import type { ServiceName } from '../shared/core/ids.ts';
import type { Answer } from './answer.ts';
import { parseServiceName, reasonOption } from './arguments.ts';
import { onEverything, onService, operatedAnswer } from './operated.ts';
import { type CommandContext, oneOf, type Runner } from './program.ts';

interface ResumeOptions {
  readonly reason: string;
  readonly all?: true;
}

/** Without a name: everything. */
export async function resumeCommand(
  name: ServiceName | undefined,
  reason: string,
  { connect, say }: CommandContext,
): Promise<Answer> {
  const { control } = await connect();
  const answered = await control.send('resume', { reason, ...(name ? { service: name } : { all: true }) });
  return operatedAnswer(answered, name ? onService(name) : onEverything, say);
}

export function addResume(program: Command, { run, say }: Runner): void {
  program
    .command('resume')
    .summary('end a pause')
    .description(
      'Ends the pause of a service, or the one of everything. A service that was paused by itself stays so ' +
        'when everything is resumed.',
    )
    .argument('[service]', 'a paused service', parseServiceName)
    .option('--all', 'end the pause of everything')
    .addOption(reasonOption())
    .action((name: ServiceName | undefined, options: ResumeOptions, command: Command) => {
      oneOf(command, { '<service>': name, '--all': options.all });
      return run(command, (context) => resumeCommand(name, options.reason, context));
    })
    .addHelpText(
      'after',
      `
Examples:
  ${say("resume orders-db --reason 'kernel upgraded'")}
  ${say("resume --all --reason 'maintenance is over'")}`,
    );
}
