/** The one place where adapters meet ports. Everything is made once per process. */
import type { Ports, Run } from '../app/ports.ts';
import { makeAlarms } from '../aws/alarms.ts';
import { type Clients, makeClients } from '../aws/clients.ts';
import { makeEc2 } from '../aws/ec2.ts';
import { makeNotifier, makeWorkQueue } from '../aws/messages.ts';
import { makeStateTable } from '../aws/state-table.ts';
import { realClock, realHash, realIds } from './clock.ts';
import type { Config } from './config.ts';
import { type Dedupe, makeDedupe } from './dedupe.ts';
import { makeLogger, toLog } from './logger.ts';

export interface Composed {
  readonly ports: Ports;
  readonly dedupe: Dedupe;
}

type Log = Ports['log'];

/** Ports over AWS. `log` stands in for the structured logger where a person reads the output (the CLI). */
export function compose(
  config: Config,
  given: { readonly endpoint?: string; readonly log?: Log } = {},
): Composed {
  const clients: Clients = makeClients(given.endpoint);
  const retrying = { clock: realClock, random: Math.random };
  const log = given.log ?? toLog(makeLogger());
  const ports: Ports = {
    clock: realClock,
    ids: realIds,
    random: Math.random,
    hash: realHash,
    ec2: makeEc2(clients.ec2, retrying),
    alarms: makeAlarms(clients.cloudwatch, retrying),
    store: makeStateTable(clients.dynamodb, config.STATE_TABLE, retrying),
    queue: makeWorkQueue(clients.sqs, config.WORK_QUEUE_URL, retrying),
    notifier: makeNotifier(clients.sns, config.TOPIC_ARN, retrying),
    log,
  };
  return { ports, dedupe: makeDedupe(clients.dynamodb, config.IDEMPOTENCY_TABLE, log) };
}

/** One invocation: its own owner id, and its end by our own clock. */
export function newRun(remainingMs: number): Run {
  return { owner: realIds.owner(), deadlineMs: realClock.now() + remainingMs };
}
