/** What a person would see: answers of commands over the fakes, printed on a terminal that a test describes. */
import type { Answer } from '../../cli/answer.ts';
import type { Terminal } from '../../cli/output.ts';
import type { CommandContext } from '../../cli/program.ts';
import type { World } from '../fakes/world.ts';

/** As in a pipe: no colours, nothing wrapped. */
export const pipe: Terminal = { columns: undefined, style: (_, text) => text };
/** The narrowest terminal that people still use. */
export const narrow: Terminal = { columns: 80, style: (_, text) => text };

export const contextOf = ({ ports }: World): CommandContext => ({
  connect: async () => ({ ports, author: 'local:ann' }),
  say: (command) => `eni-failover ${command}`,
});

/** Hashes are left out: they are over records whose content is no matter of the CLI. */
export const seen = (answer: Answer, terminal: Terminal = pipe) =>
  `\n${answer.text(terminal)}\n`.replace(/[0-9a-f]{64}/g, (hash) => '#'.repeat(hash.length));
