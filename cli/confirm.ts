/** Before something is interrupted: shows what will happen, and asks for the service's name. `--yes` answers ahead. */
import type { Command } from 'commander';
import type { ServiceName } from '../shared/core/ids.ts';
import { CliError } from './answer.ts';
import type { Terminal } from './output.ts';
import type { CommandContext } from './program.ts';

/** Asked before anything is looked up: who cannot be asked learns it at once, and nothing was done. */
export function mustBeAskable({ person }: CommandContext, yes: boolean): void {
  if (!yes && !person.isThere)
    throw new CliError(
      'usage',
      'nobody can be asked here, for there is no terminal; nothing was done: ' +
        'add --yes if it is meant, or run it on a terminal to see first what would happen',
    );
}

/** Why it was not gone on with. */
export interface CalledOff {
  readonly code: 'CALLED_OFF' | 'OTHER_NAME';
  readonly detail: string;
}

/** Undefined: go on. The name is asked for, not a `y`: who types it has read which service it is. */
export async function callOff(
  { person }: CommandContext,
  service: ServiceName,
  yes: boolean,
  what: (terminal: Terminal) => string,
): Promise<CalledOff | undefined> {
  if (yes) return undefined;
  person.tell((terminal) => `${what(terminal)}\n`);
  const typed = await person.ask(`To go on, type the name of the service (${service}): `);
  if (typed === undefined) return { code: 'CALLED_OFF', detail: 'called off at the question' };
  if (typed.trim() === service) return undefined;
  const said = typed.trim() === '' ? 'no name was typed' : `"${typed.trim()}" was typed`;
  return { code: 'OTHER_NAME', detail: `the service is ${service}, but ${said}` };
}

/** For every command that asks. */
export const addYes = (command: Command): Command =>
  command.option('--yes', "do not ask for the service's name; without a terminal it is needed");
