/** EC2 and what lies around it with the operator's own permissions: for commands that must work without the stack. */
import type { Site } from '../shared/app/ports.ts';
import { findSandbox } from './sandbox-discovery.ts';
import { awsEnvironment, type GlobalOptions } from './session.ts';

/** Sets Region and credentials for the SDK, as `connect` does. */
export async function connectSite(
  options: GlobalOptions,
  env: Record<string, string | undefined>,
): Promise<Site> {
  const { endpointUrl: endpoint } = options;
  const sandbox = endpoint ? await findSandbox(endpoint) : undefined;
  for (const [name, value] of Object.entries(awsEnvironment(options, env, sandbox !== undefined)))
    if (value === undefined) delete env[name];
    else env[name] = value;
  const { composeSite } = await import('../shared/runtime/compose-doctor.ts');
  return composeSite(endpoint);
}
