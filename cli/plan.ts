/** `plan`: what would happen now, and why. Asked of functions/control, which decides as functions/failover does. */
import type { Command } from 'commander';
import type { InstanceId, ServiceName } from '../shared/core/ids.ts';
import type { Answer } from './answer.ts';
import { parseInstanceId, parseServiceName } from './arguments.ts';
import { wrapped } from './output.ts';
import { planText, strandedText } from './plan-view.ts';
import { notDoneAnswer, planOf, standsAgainst } from './planned-move.ts';
import type { CommandContext, Runner } from './program.ts';

export async function planCommand(
  name: ServiceName,
  to: InstanceId | undefined,
  { connect, say }: CommandContext,
): Promise<Answer> {
  const planned = await planOf(await connect(), name, to, say);
  if (planned.kind === 'not-done') {
    const { data, ...answer } = notDoneAnswer(planned, name, undefined, say);
    const { service, author, code, detail } = data;
    return { ...answer, data: { service, author, code, detail, plan: null } };
  }
  const { plan, author } = planned;
  const { wouldMove, holder, target } = plan;
  const against = wouldMove ? undefined : standsAgainst(plan, author);
  const when = to ? '' : `, if ${holder ?? 'the holder'} failed now`;
  const down = to ? undefined : strandedText(plan);
  const headline = down
    ? `${name} is ${down}`
    : wouldMove
      ? `${name} would move to ${target}${when}`
      : to
        ? `${name} would NOT move to ${to}`
        : `${name} would NOT fail over now`;
  const color = down ? 'red' : wouldMove ? 'green' : 'yellow';
  return {
    outcome: wouldMove ? 'done' : 'refused',
    isAskedFor: true,
    data: { service: name, author, code: against?.code ?? null, detail: against?.detail ?? headline, plan },
    text: (terminal) => planText(plan, wrapped(terminal.style(color, headline), terminal), terminal),
  };
}

export function addPlan(program: Command, { run, say }: Runner): void {
  program
    .command('plan')
    .summary('show what would happen now, and why')
    .description(
      'Shows what would be done if the holder failed now, or, with --to, if a switchover there was asked for: ' +
        'who could take the interfaces, each step, what is interrupted, or every reason against it. ' +
        'Changes nothing. Exits with 1 if nothing would be moved.',
    )
    .argument('<service>', 'a registered service', parseServiceName)
    .option('--to <instance>', 'the member of a planned move', parseInstanceId)
    .action((name: ServiceName, { to }: { to?: InstanceId }, command: Command) =>
      run(command, (context) => planCommand(name, to, context)),
    )
    .addHelpText(
      'after',
      `
Examples:
  ${say('plan orders-db')}
  ${say('plan orders-db --to i-0a1b2c3d4e5f60002')}`,
    );
}
