/** `member replace`: a new image is a new instance id; it takes the place of the old one in the declaration. */
import type { Command } from 'commander';
import type { InstanceId, ServiceName } from '../shared/core/ids.ts';
import type { Answer } from './answer.ts';
import { parseInstanceId, parseServiceName, reasonOption } from './arguments.ts';
import { type ChangeOptions, change } from './changing.ts';
import { addYes } from './confirm.ts';
import type { CommandContext, Runner } from './program.ts';
import type { ServiceView } from './service-view.ts';

function placeOf({ holder, standbys }: ServiceView, old: InstanceId): string {
  if (holder?.instance === old) return 'has the interfaces: move the service away from it first';
  const standby = standbys.find((each) => each.instance === old);
  if (!standby) return 'no member of the service';
  return standby.eligible ? 'a standby that could take over' : 'a standby that could not take over now';
}

export function replaceMemberCommand(
  service: ServiceName,
  old: InstanceId,
  fresh: InstanceId,
  options: ChangeOptions,
  context: CommandContext,
): Promise<Answer> {
  return change(
    context,
    {
      service,
      command: 'replace-member',
      body: { old, new: fresh },
      headline: () => `${service} gets a new member`,
      lines: (view) => [
        { label: 'leaves', subject: old, text: placeOf(view, old) },
        {
          label: 'comes',
          subject: fresh,
          text: 'in its place in the order of preference, once EC2 knows it',
        },
      ],
    },
    options,
  );
}

export function addMember(program: Command, { run, say }: Runner): void {
  const member = program
    .command('member')
    .summary('replace a member of a service')
    .description('Changes who is a member of a service.');
  const replace = member
    .command('replace')
    .summary('put a new instance in the place of an old one')
    .description(
      'Puts a new instance in the place of an old member: every new image is a new instance id. The declaration in ' +
        'the table is checked and changed as by register; change your file too. Moves nothing.',
    )
    .argument('<service>', 'a registered service', parseServiceName)
    .argument('<old>', 'the member that leaves', parseInstanceId)
    .argument('<new>', 'the instance that takes its place', parseInstanceId)
    .addOption(reasonOption());
  addYes(replace)
    .action(
      (name: ServiceName, old: InstanceId, fresh: InstanceId, options: ChangeOptions, command: Command) =>
        run(command, (context) => replaceMemberCommand(name, old, fresh, options, context)),
    )
    .addHelpText(
      'after',
      `
Examples:
  ${say("member replace orders-db i-0a1b2c3d4e5f60002 i-0a1b2c3d4e5f60009 --reason 'new image'")}`,
    );
}
