/** The SDK clients of hooks, apart from the others: only what runs a hook loads them. */
import { LambdaClient } from '@aws-sdk/client-lambda';
import { SSMClient } from '@aws-sdk/client-ssm';
import { times } from '../core/times.ts';
import { timed } from './clients.ts';

/** SSM takes an order at once; a function answers when it is done. */
export function makeHookClients(endpoint?: string): {
  readonly ssm: SSMClient;
  readonly lambda: LambdaClient;
} {
  const at = { ...(endpoint && { endpoint }) };
  return {
    ssm: new SSMClient({ ...timed(times.ec2TimeoutMs), ...at }),
    lambda: new LambdaClient({ ...timed(times.hookTimeoutMs), ...at }),
  };
}
