/** `unregister`: a service is not watched any more. Nothing in EC2 changes, and its trail is kept. */
import type { Command } from 'commander';
import type { ServiceName } from '../shared/core/ids.ts';
import type { Answer } from './answer.ts';
import { parseServiceName, reasonOption } from './arguments.ts';
import { type ChangeOptions, change } from './changing.ts';
import { addYes } from './confirm.ts';
import type { CommandContext, Runner } from './program.ts';

export function unregisterCommand(
  service: ServiceName,
  options: ChangeOptions,
  context: CommandContext,
): Promise<Answer> {
  return change(
    context,
    {
      service,
      command: 'unregister',
      body: {},
      headline: () => `${service} is not watched any more`,
      lines: ({ whereabouts, interfaces }) => [
        { label: 'interfaces', text: `stay where they are: ${whereabouts?.detail ?? 'unknown'}` },
        { label: 'failover', text: 'none any more, whatever fails' },
        { label: 'set free', text: `${interfaces.map((each) => each.eni).join(', ')}, for another service` },
        { label: 'trail', text: 'is kept; registering it again continues it' },
      ],
    },
    options,
  );
}

export function addUnregister(program: Command, { run, say }: Runner): void {
  const command = program
    .command('unregister')
    .summary('stop watching a service')
    .description(
      'Stops watching a service and sets its interfaces free for another registration. Nothing in EC2 changes, and ' +
        'its trail is kept. Refused while a move is under way, or while the service is stranded.',
    )
    .argument('<service>', 'a registered service', parseServiceName)
    .addOption(reasonOption());
  addYes(command)
    .action((name: ServiceName, options: ChangeOptions, command: Command) =>
      run(command, (context) => unregisterCommand(name, options, context)),
    )
    .addHelpText(
      'after',
      `
Examples:
  ${say("unregister orders-db --reason 'replaced by orders-db-2'")}`,
    );
}
