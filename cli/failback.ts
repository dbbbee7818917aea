/** `failback`: back to the preferred member, once it has been healthy long enough. */
import type { Command } from 'commander';
import { readService } from '../shared/app/record.ts';
import { failbackFromMs } from '../shared/core/failback.ts';
import type { InstanceId, ServiceName } from '../shared/core/ids.ts';
import { times } from '../shared/core/times.ts';
import type { Answer } from './answer.ts';
import { parseServiceName, reasonOption } from './arguments.ts';
import { addYes, mustBeAskable } from './confirm.ts';
import { spanOf, timeOf } from './output.ts';
import { carryOut, type MoveOptions, type NotDone, notDoneAnswer, planOf } from './planned-move.ts';
import type { CommandContext, Runner } from './program.ts';
import type { Say } from './service-view.ts';
import type { Connection } from './session.ts';
import { addWait, mustWait } from './wait.ts';

/** Why it is too soon, before anybody is asked; control says the same. */
async function tooSoon({ ports }: Connection, name: ServiceName, preferred: InstanceId, say: Say) {
  const service = await readService(ports, name);
  const fromMs = service && failbackFromMs(service);
  if (fromMs !== undefined && fromMs <= ports.clock.now()) return undefined;
  return {
    code: 'NOT_LONG_ENOUGH',
    detail:
      fromMs === undefined
        ? `${preferred} must be eligible for ${spanOf(times.failbackAfterMs)} without a break; its time begins within a minute`
        : `${preferred} may have it back from ${timeOf(fromMs)}`,
    hint: `Sooner:  ${say(`switchover ${name} --to ${preferred} --reason '...'`)}`,
  };
}

export async function failbackCommand(
  service: ServiceName,
  options: MoveOptions,
  context: CommandContext,
): Promise<Answer> {
  const { say } = context;
  mustBeAskable(context, options.yes === true);
  const connection = await context.connect();
  const planned = await planOf(connection, service, undefined, say);
  if (planned.kind === 'not-done') return notDoneAnswer(planned, service, undefined, say);
  const { plan, author } = planned;
  const notDone = (why: Omit<NotDone, 'kind' | 'author'>) =>
    notDoneAnswer({ kind: 'not-done', author, ...why }, service, undefined, say);
  // Members are declared in order of preference.
  const [first] = plan.members;
  const preferred = first?.member;
  if (!preferred) return notDone({ code: 'NO_MEMBERS', detail: `${service} has no members` });
  const isAway = plan.holder !== undefined && plan.holder !== preferred;
  // Its time does not begin before its own reasons have ended: those are what stands against it, and waiting ends none.
  const soon = isAway && first.eligible ? await tooSoon(connection, service, preferred, say) : undefined;
  if (soon) return notDone(soon);
  const wanted = { command: 'failback', service, to: preferred, reason: options.reason } as const;
  return carryOut(context, connection, wanted, options);
}

export function addFailback(program: Command, { run, say }: Runner): void {
  const command = program
    .command('failback')
    .summary('move a service back to its preferred member')
    .description(
      'Moves the interfaces back to the member that is declared first, as a switchover does. Refused until that ' +
        'member has been healthy long enough.',
    )
    .argument('<service>', 'a registered service', parseServiceName)
    .addOption(reasonOption());
  addWait(addYes(command))
    .action((name: ServiceName, options: MoveOptions, command: Command) => {
      mustWait(command, options);
      return run(command, (context) => failbackCommand(name, options, context));
    })
    .addHelpText(
      'after',
      `
Examples:
  ${say("failback orders-db --reason 'i-0a1b2c3d4e5f60001 is repaired'")}
  ${say("failback orders-db --yes --wait --reason 'maintenance is over'")}`,
    );
}
