/** Finds a deployed stack by its name, so that nobody has to copy its tables, queues and URLs by hand. */
import { CliError } from './answer.ts';

/** Output of template.yaml → value. */
export type Outputs = Readonly<Record<string, string>>;

/**
 * Asks CloudFormation with the operator's own credentials. Throws {@link CliError} where there is no such stack, or
 * one that says nothing; PortError where it could not be asked.
 */
export async function outputsOfStack(name: string, endpoint: string | undefined): Promise<Outputs> {
  // Only now: nobody else needs its client.
  const { findStack } = await import('../shared/runtime/find-stack.ts');
  const stack = await findStack(name, endpoint);
  if (!stack)
    throw new CliError(
      'usage',
      `there is no stack ${name} in this account and Region; correct --stack (or ENI_FAILOVER_STACK), ` +
        'or check --region and --profile',
    );
  if (!('StateTable' in stack.outputs))
    throw new CliError(
      'usage',
      `the stack ${name} (${stack.status}) has no output StateTable: it is not made from template.yaml, ` +
        'or has not been created to its end; correct --stack (or ENI_FAILOVER_STACK)',
    );
  return stack.outputs;
}
