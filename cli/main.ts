#!/usr/bin/env node
/** `eni-failover`: parses the command line, runs one command, prints its answer, and exits with what it means. */
import { type Command, CommanderError } from 'commander';
import { type Answer, exitCodes, type Outcome } from './answer.ts';
import { explainError } from './explain-error.ts';
import { terminalOf } from './output.ts';
import { personAt } from './person.ts';
import { makeProgram, nameIn, type Runner } from './program.ts';
import { makeScreen } from './screen.ts';
import { connect, type GlobalOptions } from './session.ts';
import { connectSite } from './site.ts';

const { argv, env, stdin, stdout, stderr } = process;
const args = argv.slice(2);

/** Asked of the raw words: where they cannot be parsed, the error still has to come as was asked for. */
const isJson = args.some(
  (word, index) =>
    /^(?:-o|--output=)json$/.test(word) ||
    (word === 'json' && /^(?:-o|--output)$/.test(args[index - 1] ?? '')),
);
const isDebug = args.includes('--debug');

function end(outcome: Outcome): void {
  // Not process.exit: what was written to a pipe may still be on its way.
  process.exitCode = exitCodes[outcome];
}

const printJson = (document: Readonly<Record<string, unknown>>) =>
  stdout.write(`${JSON.stringify(document, null, 2)}\n`);

function show(command: string, { outcome, data, text, isShown, isAskedFor }: Answer): void {
  if (isJson && !isShown) printJson({ command, outcome, ...data });
  else if (!isShown) {
    const stream = outcome === 'refused' && !isAskedFor ? stderr : stdout;
    stream.write(`${text(terminalOf(stream))}\n`);
  }
  end(outcome);
}

function showUsageError({ exitCode, message }: CommanderError): void {
  // Help that was asked for.
  if (exitCode === 0) return;
  // Commander shows the help and calls that a message.
  const isHelp = message === '(outputHelp)';
  const detail = isHelp ? 'a command is missing; --help lists them' : message.replace(/^error: /, '');
  // Commander has said it on standard error already.
  if (isJson) printJson({ command: null, outcome: 'usage', code: 'USAGE', detail });
  end('usage');
}

function showError(error: unknown): void {
  const { outcome, code, message } = explainError(error);
  if (isJson) printJson({ command: null, outcome, code, detail: message });
  stderr.write(`${terminalOf(stderr).style('red', 'error')}: ${message}\n`);
  if (isDebug) stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  end(outcome);
}

const name = nameIn(env);
const say = (words: string) => `${name} ${words}`;
const person = personAt(stdin, stderr);
/** `member replace`, as it is typed. */
const spelled = (command: Command): string =>
  command.parent?.parent ? `${spelled(command.parent)} ${command.name()}` : command.name();
const runner: Runner = {
  say,
  async run(command, work) {
    const options = command.optsWithGlobals<GlobalOptions>();
    const screen = makeScreen(process, options.output);
    const context = {
      connect: () => connect(options, env, stderr),
      site: () => connectSite(options, env),
      say,
      screen,
      now: Date.now,
      person,
    };
    show(spelled(command), await work(context));
  },
};

// `eni-failover status | head` is no error.
stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

try {
  await makeProgram(name, runner).parseAsync(args, { from: 'user' });
} catch (error) {
  if (error instanceof CommanderError) showUsageError(error);
  else showError(error);
}
