/** `ack`: a person has looked; ends quarantines and a spent budget of a service, or the brake of a zone. */
import type { Command } from 'commander';
import type { InstanceId, ServiceName } from '../shared/core/ids.ts';
import type { Answer } from './answer.ts';
import { parseInstanceId, parseReason, parseServiceName, parseZone } from './arguments.ts';
import { onService, operatedAnswer } from './operated.ts';
import { type CommandContext, oneOf, type Runner } from './program.ts';

interface AckOptions {
  readonly reason: string;
  readonly member?: InstanceId;
  readonly zone?: string;
}

export async function ackServiceCommand(
  name: ServiceName,
  reason: string,
  member: InstanceId | undefined,
  { connect, say }: CommandContext,
): Promise<Answer> {
  const { control } = await connect();
  const answered = await control.send('acknowledge', { service: name, reason, ...(member && { member }) });
  return operatedAnswer(answered, onService(name), say);
}

export async function ackZoneCommand(
  zone: string,
  reason: string,
  { connect, say }: CommandContext,
): Promise<Answer> {
  const { control } = await connect();
  const answered = await control.send('acknowledge', { zone, reason });
  return operatedAnswer(answered, { service: null, zone }, say);
}

export function addAck(program: Command, { run, say }: Runner): void {
  program
    .command('ack')
    .summary('acknowledge: end a quarantine, a spent budget or a brake')
    .description(
      'Says that a person has looked. For a service: ends the quarantine of its members, forgets the failovers ' +
        'that spent its budget, and lets it fail back by itself again. For a zone: releases the brake that holds back every failover there.',
    )
    .argument('[service]', 'a registered service', parseServiceName)
    .requiredOption(
      '--reason <text>',
      'what you found; people read it in the notice and in the trail',
      parseReason,
    )
    .option('--member <instance>', 'end the quarantine of this member only', parseInstanceId)
    .option('--zone <zone>', 'release the brake of an Availability Zone', parseZone)
    .action((name: ServiceName | undefined, options: AckOptions, command: Command) => {
      const { reason, member, zone } = options;
      oneOf(command, { '<service>': name, '--zone': zone });
      if (name) return run(command, (context) => ackServiceCommand(name, reason, member, context));
      if (member) command.error("error: option '--member' belongs to a service, not to --zone");
      return run(command, (context) => ackZoneCommand(zone ?? '', reason, context));
    })
    .addHelpText(
      'after',
      `
Examples:
  ${say("ack orders-db --reason 'disk replaced'")}
  ${say("ack orders-db --member i-0a1b2c3d4e5f60001 --reason 'rebooted, checks are fine'")}
  ${say("ack --zone us-east-1a --reason 'the zone is back'")}`,
    );
}
