/** `switchover`: a planned move to a member, by the same engine as a failover. */
import type { Command } from 'commander';
import type { InstanceId, ServiceName } from '../shared/core/ids.ts';
import type { Answer } from './answer.ts';
import { parseInstanceId, parseServiceName, reasonOption } from './arguments.ts';
import { addYes, mustBeAskable } from './confirm.ts';
import { carryOut, type MoveOptions } from './planned-move.ts';
import type { CommandContext, Runner } from './program.ts';
import { addWait, mustWait } from './wait.ts';

interface SwitchoverOptions extends MoveOptions {
  readonly to: InstanceId;
  readonly force?: true;
}

export async function switchoverCommand(
  service: ServiceName,
  options: SwitchoverOptions,
  context: CommandContext,
): Promise<Answer> {
  mustBeAskable(context, options.yes === true);
  const { to, reason, force } = options;
  const wanted = { command: 'switchover', service, to, reason, ...(force && { force }) } as const;
  return carryOut(context, await context.connect(), wanted, options);
}

export function addSwitchover(program: Command, { run, say }: Runner): void {
  const command = program
    .command('switchover')
    .summary('move a service to a member while all is well')
    .description(
      'Moves the interfaces of a service to another member: plainly, with its hooks, and only if that member may ' +
        'take them. Clients lose their connections for some seconds. Shows the plan first and asks for the name of ' +
        'the service.',
    )
    .argument('<service>', 'a registered service', parseServiceName)
    .requiredOption('--to <instance>', 'the member that takes the interfaces', parseInstanceId)
    .addOption(reasonOption())
    .option('--force', 'force a detach that hangs, although the source is well: its guest may still hold on');
  addWait(addYes(command))
    .action((name: ServiceName, options: SwitchoverOptions, command: Command) => {
      mustWait(command, options);
      return run(command, (context) => switchoverCommand(name, options, context));
    })
    .addHelpText(
      'after',
      `
Examples:
  ${say("switchover orders-db --to i-0a1b2c3d4e5f60002 --reason 'kernel upgrade'")}
  ${say("switchover orders-db --to i-0a1b2c3d4e5f60002 --yes --wait --reason 'patching'")}`,
    );
}
