/** Where adapters meet ports, and nowhere else but here and in compose-sweep.ts. Everything is made once per process. */
import type { Ports, Run } from '../app/ports.ts';
import { makeAlarms } from '../aws/alarms.ts';
import { type Clients, makeClients } from '../aws/clients.ts';
import { makeEc2 } from '../aws/ec2.ts';
import { makeNotifier, makeWorkQueue } from '../aws/messages.ts';
import { makeStateTable } from '../aws/state-table.ts';
import { realClock, realHash, realIds, retrying } from './clock.ts';
import type { Config } from './config.ts';
import { type Dedupe, makeDedupe } from './dedupe.ts';
import { lazyHooks } from './hooks.ts';
import { makeLogger, toLog } from './logger.ts';

export interface Composed {
  readonly ports: Ports;
  readonly dedupe: Dedupe;
}

interface Given {
  readonly endpoint?: string;
  /** Stands in for the structured logger where a person reads the output (the CLI). */
  readonly log?: Ports['log'];
}

export function makePorts(config: Config, clients: Clients, log: Ports['log'], endpoint?: string): Ports {
  return {
    clock: realClock,
    ids: realIds,
    random: Math.random,
    hash: realHash,
    ec2: makeEc2(clients.ec2, retrying),
    alarms: makeAlarms(clients.cloudwatch, retrying),
    hooks: lazyHooks(endpoint),
    store: makeStateTable(clients.dynamodb, config.STATE_TABLE, retrying),
    queue: makeWorkQueue(clients.sqs, config.WORK_QUEUE_URL, retrying),
    notifier: makeNotifier(clients.sns, config.TOPIC_ARN, retrying),
    log,
  };
}

/** Ports over AWS, and the dedupe in front of them. */
export function compose(config: Config, given: Given = {}): Composed {
  const clients = makeClients(given.endpoint);
  const log = given.log ?? toLog(makeLogger());
  const dedupe = makeDedupe(clients.dynamodb, config.IDEMPOTENCY_TABLE, log);
  return { ports: makePorts(config, clients, log, given.endpoint), dedupe };
}

/** One invocation: its own owner id, and its end by our own clock. */
export function newRun(remainingMs: number): Run {
  return { owner: realIds.owner(), deadlineMs: realClock.now() + remainingMs };
}
