/** Proves that whatever cannot be meant is refused before anything is done, naming the value and what would be right. */
import { CommanderError } from 'commander';
import { describe, expect, it } from 'vitest';
import { makeProgram, type Runner } from '../../cli/program.ts';

/** Parses only: what gets as far as being run is recorded. */
async function parse(args: readonly string[]): Promise<{ ran: string[]; refused: string | undefined }> {
  const ran: string[] = [];
  const runner: Runner = {
    say: (words) => words,
    run: async (command) => {
      ran.push(command.name());
    },
  };
  const program = makeProgram('eni-failover', runner);
  for (const each of [program, ...program.commands.flatMap((one) => [one, ...one.commands])])
    each.configureOutput({ writeErr: () => undefined });
  try {
    await program.parseAsync(args, { from: 'user' });
    return { ran, refused: undefined };
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return { ran, refused: error.message };
  }
}

const eni = 'eni-0123456789abcdef0';
const one = 'i-0123456789abcdef0';
const other = 'i-0123456789abcdef1';

describe('usage', () => {
  it.each<[readonly string[], ...string[]]>([
    [['status', '-o', 'xml'], "'xml' is invalid", 'Allowed choices are text, json'],
    [['status', '--queueurl', 'x'], "unknown option '--queueurl'", 'Did you mean --queue-url?'],
    [['status', '--endpoint-url', 'localhost:4566'], "'localhost:4566' is invalid", 'http://127.0.0.1:4566'],
    [['init', '--interface', eni, '--member', one], "'--name <service>' not specified"],
    [
      ['init', '--name', 'a', '--interface', 'eni-1', '--member', one],
      "'eni-1' is invalid",
      'eni-0123456789',
    ],
    [['init', '--name', 'a', '--interface', eni, '--interface', eni], 'It is named twice'],
    [
      ['init', '--name', 'a', '--interface', eni, '--member', one, '--preferred', other],
      'not one of the members',
    ],
    [['break-glass', 'move', 'a', '--reason', 'x'], "'--to <instance>' not specified"],
    [['break-glass', 'move', 'a', '--to', one], "'--reason <text>' not specified"],
    [['break-glass', 'report', 'f'], "'--reason <text>' not specified"],
    [['register'], "missing required argument 'file.yaml'"],
    [['pause', 'a', '--reason', 'x'], "'--for <duration>' not specified"],
    [['pause', 'a', '--for', '3m'], "'--reason <text>' not specified"],
    [['pause', 'a', '--for', '3x', '--reason', 'x'], "'3x' is invalid", '90s, 3m or 1h'],
    [['pause', 'a', '--for', '0d', '--reason', 'x'], "'0d' is invalid", 'longer than nothing'],
    [['pause', 'a', '--for', '0m', '--reason', 'x'], "'0m' is invalid", 'longer than nothing'],
    [['pause', 'a', '--for', '3m', '--reason', ' '], "' ' is invalid", 'must say why'],
    [['pause', '--for', '3m', '--reason', 'x'], 'name one of <service> or --all'],
    [['pause', 'a', '--all', '--for', '3m', '--reason', 'x'], '<service> and --all exclude'],
    [['plan'], "missing required argument 'service'"],
    [['plan', 'a', '--to', 'b'], "'b' is invalid", 'i-0123456789abcdef0'],
    [['switchover', 'a', '--reason', 'x'], "'--to <instance>' not specified"],
    [['switchover', 'a', '--to', 'i-0123456789abcdef0'], "'--reason <text>' not specified"],
    [
      ['switchover', 'a', '--to', 'i-0123456789abcdef0', '--reason', 'x', '--timeout', '5m'],
      "'--timeout' belongs to --wait",
    ],
    [
      ['switchover', 'a', '--to', 'i-0123456789abcdef0', '--reason', 'x', '--wait', '--timeout', '25h'],
      'must be 24h or less',
    ],
    [['pause', 'a', '--for', '3m', '--reason', 'x', '--timeout', '5m'], "'--timeout' belongs to --wait"],
    [['drill', 'a', '--reason', 'x', '--to', 'i-0123456789abcdef0'], "'--to' belongs to --move"],
    [['drill', 'a', '--reason', 'x', '--yes'], "'--yes' belongs to --move"],
    [['unregister', 'a'], "'--reason <text>' not specified"],
    [['adopt', '--reason', 'x'], "missing required argument 'service'"],
    [['mode', 'a', 'watch', '--reason', 'x'], "'watch' is invalid", 'Allowed choices are observe, act'],
    [['member', 'replace', 'a', 'i-0123456789abcdef0', '--reason', 'x'], "missing required argument 'new'"],
    [['member', 'replace', 'a', 'b', 'c', '--reason', 'x'], "'b' is invalid", 'i-0123456789abcdef0'],
    [['member', 'swap'], "unknown command 'swap'"],
    [['resume', '--reason', 'x'], 'name one of <service> or --all'],
    [['resume', 'a'], "'--reason <text>' not specified"],
    [['ack', '--reason', 'x'], 'name one of <service> or --zone'],
    [['ack', 'a'], "'--reason <text>' not specified"],
    [['ack', '--zone', 'us-east-1a'], "'--reason <text>' not specified"],
    [['ack', 'a', '--member', 'i-1', '--reason', 'x'], "'i-1' is invalid", 'i-0123456789abcdef0'],
    [['explain'], "missing required argument 'service'"],
    [['explain', 'a', '--at', 'noon'], "'noon' is invalid", '02:11'],
    [['show', 'orders-db'], "'orders-db' is invalid", 'orders-db.3', 'orders-db#12'],
    [['history', '--kind', 'failover'], "'failover' is invalid", 'episode, refusal'],
    [['history', '--limit', '0'], "'0' is invalid", '1 to 100'],
    [['history', '--all', '--cursor', 'x'], "'--all' and '--cursor' exclude each other"],
    [['history', '--interface', 'eth0'], "'eth0' is invalid", 'eni-'],
    [['export', '--format', 'xml'], "'xml' is invalid", 'ndjson, csv'],
    [['ack', '--zone', 'here'], "'here' is invalid", 'us-east-1a'],
    [
      ['ack', '--zone', 'us-east-1a', '--reason', 'x', '--member', 'i-0123456789abcdef0'],
      "'--member' belongs to a service",
    ],
  ])('of %j is refused', async (args, ...said) => {
    const { ran, refused } = await parse(args);
    for (const words of said) expect(refused).toContain(words);
    expect(ran).toEqual([]);
  });

  it.each([
    [
      `init --name a --interface ${eni} --member ${one} --member ${other} --preferred ${other} --file x --force`,
    ],
    ['doctor'],
    [`break-glass move a --to ${one} --print`],
    [`break-glass move a --to ${one} --reason x --yes --force --declaration f --journal g`],
    ['break-glass report f --reason x'],
    ['doctor orders-db --all --test-notice'],
    ['register x.yaml'],
    ['explain orders-db --at 02:11'],
    ['history orders-db --since 2h --until 2026-11-21T02:11Z --author eni-failover --limit 100'],
    ['show orders-db.3 --verify'],
    ['show orders-db#12'],
    ['watch'],
    ['watch orders-db -o json'],
    ['export --format csv --file x.csv --since 2026-11-01'],
    ['status'],
    ['status orders-db -o json --endpoint-url https://127.0.0.1:4566'],
    ['--region us-east-1 status --profile dev --debug'],
    ['pause orders-db --for 90s --reason x --wait --timeout 5m'],
    ['failback orders-db --reason x --yes --wait'],
    ['drill orders-db --reason x'],
    ['drill orders-db --reason x --move --to i-0123456789abcdef0 --yes --timeout 5m'],
    ['unregister orders-db --reason x --yes'],
    ['adopt orders-db --reason x'],
    ['mode orders-db act --reason x'],
    ['member replace orders-db i-0123456789abcdef0 i-0123456789abcdef1 --reason x'],
    ['plan orders-db'],
    ['plan orders-db --to i-0123456789abcdef0'],
    ['switchover orders-db --to i-0123456789abcdef0 --reason x --yes --wait --timeout 5m --force'],
    ['pause orders-db --for 90s --reason x'],
    ['pause orders-db --for 2d --reason x'],
    ['pause --all --for 2h --reason x'],
    ['resume orders-db --reason x'],
    ['resume --all --reason x'],
    ['ack orders-db --reason x --member i-0123456789abcdef0'],
    ['ack --zone us-east-1a --reason x'],
    ['ack --zone us-west-2-lax-1a --reason x'],
  ])('of %j is accepted', async (line) => {
    const { ran, refused } = await parse(line.split(' '));
    expect(refused).toBeUndefined();
    expect(ran).toHaveLength(1);
  });
});
