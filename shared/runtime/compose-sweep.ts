/** The sweep's ports: those of every function, the whole fleet, and a second way to functions/failover. */
import type { Fleet, Ports } from '../app/ports.ts';
import { makeClients } from '../aws/clients.ts';
import { makeLambdaClient, withDirectInvocation } from '../aws/direct-invocation.ts';
import { makeFleet } from '../aws/fleet.ts';
import { retrying } from './clock.ts';
import { makePorts } from './compose.ts';
import type { Config } from './config.ts';
import { makeLogger, toLog } from './logger.ts';

/** A queue with a second way out where the function to invoke is known (P37). */
export function composeSweep(
  config: Config,
  failoverFunction: string | undefined,
): { readonly ports: Ports; readonly fleet: Fleet } {
  const clients = makeClients();
  const ports = makePorts(config, clients, toLog(makeLogger()));
  const fleet = makeFleet(clients, retrying);
  if (!failoverFunction) return { ports, fleet };
  const queue = withDirectInvocation(ports.queue, makeLambdaClient(), failoverFunction, retrying);
  return { ports: { ...ports, queue }, fleet };
}
