// `npm run sandbox`: starts an AWS for one machine, prints one JSON line when it is ready, and stops without leaving a process behind.

import { EventPatternError } from './eventbridge/event-pattern.ts';
import { LambdaError } from './lambda/lambda.ts';
import { parseOptions, USAGE, UsageError } from './options.ts';
import { SandboxError, startSandbox } from './server.ts';
import { TemplateError } from './template.ts';

/** What a person can put right; anything else shows its stack. */
function isExplained(error: unknown): error is Error {
  return (
    [UsageError, SandboxError, TemplateError, EventPatternError, LambdaError].some(
      (kind) => error instanceof kind,
    ) || (error as NodeJS.ErrnoException).code === 'ENOENT'
  );
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options === 'help') {
    process.stdout.write(USAGE);
  } else {
    const sandbox = await startSandbox(options);
    const { endpoint, region, accountId, stack } = sandbox;
    const deployed = { outputs: stack.outputs, resources: stack.physicalIds };
    process.stdout.write(
      `${JSON.stringify({ endpoint, region, accountId, stack: deployed, pid: process.pid })}\n`,
    );
    let stopping = false;
    const stop = (): void => {
      // A second Ctrl-C does not wait: the exit hook still ends the children.
      if (stopping) process.exit(1);
      stopping = true;
      sandbox.close().then(
        () => process.exit(0),
        (error: unknown) => {
          console.error(error);
          process.exit(1);
        },
      );
    };
    process.on('SIGINT', stop);
    process.on('SIGTERM', stop);
    process.on('SIGHUP', stop);
  }
} catch (error) {
  if (!isExplained(error)) throw error;
  process.stderr.write(`${error.message}\n${error instanceof UsageError ? `\n${USAGE}` : ''}`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
