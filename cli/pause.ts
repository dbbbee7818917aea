/** `pause`: stops every automatic move of a service, or of all of them, for a while. */
import type { Command } from 'commander';
import type { ServiceName } from '../shared/core/ids.ts';
import type { Answer } from './answer.ts';
import { parseDuration, parseReason, parseServiceName } from './arguments.ts';
import { onEverything, onService, operatedAnswer } from './operated.ts';
import { type CommandContext, oneOf, type Runner } from './program.ts';

interface PauseOptions {
  readonly reason: string;
  /** Milliseconds. */
  readonly for: number;
  readonly all?: true;
}

/** Without a name: everything. */
export async function pauseCommand(
  name: ServiceName | undefined,
  options: PauseOptions,
  { connect, say }: CommandContext,
): Promise<Answer> {
  const { control } = await connect();
  const request = { reason: options.reason, forMs: options.for };
  const answered = await control.send('pause', { ...request, ...(name ? { service: name } : { all: true }) });
  return operatedAnswer(answered, name ? onService(name) : onEverything, say);
}

export function addPause(program: Command, { run, say }: Runner): void {
  program
    .command('pause')
    .summary('stop automatic moves for a while')
    .description(
      'Stops every automatic move of a service, or of all of them. It ends by itself: a pause that is forgotten ' +
        'is an outage in waiting. A move under way goes on to its end.',
    )
    .argument('[service]', 'a registered service', parseServiceName)
    .option('--all', 'pause every service')
    .requiredOption('--reason <text>', 'why; people read it in the notice and in the trail', parseReason)
    .requiredOption('--for <duration>', 'for how long, such as 90s, 30m or 2h', parseDuration)
    .action((name: ServiceName | undefined, options: PauseOptions, command: Command) => {
      oneOf(command, { '<service>': name, '--all': options.all });
      return run(command, (context) => pauseCommand(name, options, context));
    })
    .addHelpText(
      'after',
      `
Examples:
  ${say("pause orders-db --for 30m --reason 'kernel upgrade'")}
  ${say("pause --all --for 2h --reason 'network maintenance'")}`,
    );
}
