/** EC2 and what lies around it, for operators. In a file of its own: no function's bundle carries these clients. */
import type { Site } from '../app/ports.ts';
import { makeAlarms } from '../aws/alarms.ts';
import { makeClients } from '../aws/clients.ts';
import { makeEc2 } from '../aws/ec2.ts';
import { makeEnvironment, makeEventBridgeClient } from '../aws/environment.ts';
import { realClock } from './clock.ts';

export function composeSite(endpoint?: string): Site {
  const retrying = { clock: realClock, random: Math.random };
  const clients = makeClients(endpoint);
  return {
    ...retrying,
    ec2: makeEc2(clients.ec2, retrying),
    alarms: makeAlarms(clients.cloudwatch, retrying),
    environment: makeEnvironment({ ...clients, events: makeEventBridgeClient(endpoint) }, retrying),
  };
}
