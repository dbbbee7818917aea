/** `resume`: ends a pause before its time. */
import type { Command } from 'commander';
import { resumeController, resumeService } from '../shared/app/operate.ts';
import type { ServiceName } from '../shared/core/ids.ts';
import type { Answer } from './answer.ts';
import { parseServiceName } from './arguments.ts';
import { onEverything, onService, operatedAnswer } from './operated.ts';
import { type CommandContext, oneOf, type Runner } from './program.ts';

/** Without a name: everything. */
export async function resumeCommand(
  name: ServiceName | undefined,
  { connect, say }: CommandContext,
): Promise<Answer> {
  const { ports, author } = await connect();
  const by = { author, reason: 'resumed' };
  return name
    ? operatedAnswer(await resumeService(ports, name, by), onService(name), author, say)
    : operatedAnswer(await resumeController(ports, by), onEverything, author, say);
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
    .action((name: ServiceName | undefined, options: { all?: true }, command: Command) => {
      oneOf(command, { '<service>': name, '--all': options.all });
      return run(command, (context) => resumeCommand(name, context));
    })
    .addHelpText(
      'after',
      `
Examples:
  ${say('resume orders-db')}
  ${say('resume --all')}`,
    );
}
