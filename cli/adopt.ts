/** `adopt`: what a person did by hand is accepted, and the service is where it now is. */
import type { Command } from 'commander';
import type { ServiceName } from '../shared/core/ids.ts';
import type { Answer } from './answer.ts';
import { parseServiceName, reasonOption } from './arguments.ts';
import { type ChangeOptions, change } from './changing.ts';
import { addYes } from './confirm.ts';
import type { CommandContext, Runner } from './program.ts';

export function adoptCommand(
  service: ServiceName,
  options: ChangeOptions,
  context: CommandContext,
): Promise<Answer> {
  return change(
    context,
    {
      service,
      command: 'adopt',
      body: {},
      headline: () => `${service} is taken over as it is now`,
      lines: ({ whereabouts, lastObserved, stranded }) => [
        { label: 'now', text: whereabouts?.detail ?? 'unknown' },
        ...(lastObserved ? [{ label: 'observed', text: lastObserved }] : []),
        ...(stranded ? [{ label: 'stranded', text: stranded.why }] : []),
        { label: 'nothing', text: 'is moved: the next failover begins from here' },
      ],
    },
    options,
  );
}

export function addAdopt(program: Command, { run, say }: Runner): void {
  const command = program
    .command('adopt')
    .summary('accept what a person did by hand')
    .description(
      'Accepts what a person did to the interfaces by hand: the service is where it now is. Refused unless all of ' +
        'them rest on one member. Moves nothing.',
    )
    .argument('<service>', 'a registered service', parseServiceName)
    .addOption(reasonOption());
  addYes(command)
    .action((name: ServiceName, options: ChangeOptions, command: Command) =>
      run(command, (context) => adoptCommand(name, options, context)),
    )
    .addHelpText(
      'after',
      `
Examples:
  ${say("adopt orders-db --reason 'moved by hand during the outage'")}`,
    );
}
