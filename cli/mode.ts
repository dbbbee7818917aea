/** `mode`: whether a service is moved by itself, or it is only said what would have been done. */
import { Argument, type Command } from 'commander';
import type { ServiceName } from '../shared/core/ids.ts';
import type { Answer } from './answer.ts';
import { parseServiceName, reasonOption } from './arguments.ts';
import { type ChangeOptions, change } from './changing.ts';
import { addYes } from './confirm.ts';
import type { CommandContext, Runner } from './program.ts';

export type Mode = 'observe' | 'act';

const meaning = {
  observe: 'nothing is moved, whatever fails: only a notice says what would have been done',
  act: 'it is moved by itself when its holder fails',
} as const satisfies Record<Mode, string>;

export function modeCommand(
  service: ServiceName,
  mode: Mode,
  options: ChangeOptions,
  context: CommandContext,
): Promise<Answer> {
  return change(
    context,
    {
      service,
      command: 'mode',
      body: { mode },
      headline: () => `${service} goes into mode ${mode}`,
      lines: (view) => [
        { label: 'now', text: view.mode ? `${view.mode}: ${meaning[view.mode]}` : 'unknown' },
        { label: 'then', text: `${mode}: ${meaning[mode]}` },
        // Whoever switches it on in the middle of an outage should know that it moves at once.
        ...(mode === 'act' && view.holder?.health === 'failed'
          ? [{ label: 'holder', subject: view.holder.instance, text: 'has failed: it is moved at once' }]
          : []),
      ],
    },
    options,
  );
}

export function addMode(program: Command, { run, say }: Runner): void {
  const command = program
    .command('mode')
    .summary('let a service move by itself, or only say what it would do')
    .description(
      'act: the service is moved when its holder fails. observe: nothing is moved, and a notice says what would ' +
        'have been done. The declaration in the table is changed; change your file too, or registering it again ' +
        'changes it back.',
    )
    .argument('<service>', 'a registered service', parseServiceName)
    .addArgument(new Argument('<mode>', 'what it does from now on').choices(['observe', 'act']))
    .addOption(reasonOption());
  addYes(command)
    .action((name: ServiceName, mode: Mode, options: ChangeOptions, command: Command) =>
      run(command, (context) => modeCommand(name, mode, options, context)),
    )
    .addHelpText(
      'after',
      `
Examples:
  ${say("mode orders-db act --reason 'watched it for two weeks'")}
  ${say("mode orders-db observe --reason 'the standby is being rebuilt'")}`,
    );
}
