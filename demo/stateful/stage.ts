/** Everything that one run needs, set up and working: a sandbox, two pairs, their services, documents and clients. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type AwsEndpoint, makeAwsEndpoint } from '../aws-endpoint.ts';
import { type Registration, registerDeclaration } from '../registration.ts';
import { makeSandboxControl, type SandboxControl } from '../sandbox-control.ts';
import type { SandboxProcess } from '../sandbox-process.ts';
import { makeStateTable, type StateTable } from '../state-table.ts';
import { type Subscriber, subscribe } from '../subscriber.ts';
import { untilQuiet } from '../until-quiet.ts';
import { toDeclaration } from './declaration.ts';
import { probeDocument, promoteDocument, serveGuestDocuments } from './guest-documents.ts';
import { type Machines, watchMachines } from './machines.ts';
import { type MemberOptions, type MemberProcess, startMember } from './member-process.ts';
import { buildPairs, type Machine, type Pair, type PairPlan } from './pair.ts';
import { startWriter, type Writer } from './writer.ts';

export const servicePlan = {
  name: 'orders-db',
  hosts: ['db-a', 'db-b'],
  address: '10.0.1.10',
} as const satisfies PairPlan;
export const usualPlan = {
  name: 'forty-lines',
  hosts: ['old-a', 'old-b'],
  address: '10.0.1.20',
} as const satisfies PairPlan;

/** Of the counter, on every member. */
const counterPort = 7000;
export const client = { everyMs: 100, timeoutMs: 1_000 } as const;
/** On the holder itself: it needs no network, and so notices an old primary that lives on. */
const localJob = { everyMs: 200, timeoutMs: 1_000 } as const;

/** A pair with its services running and written to. */
export interface Served {
  readonly pair: Pair;
  readonly disk: string;
  /** Through the service address. */
  readonly client: Writer;
  /** On the holder, past the network. */
  readonly job: Writer;
}

export interface Stage {
  readonly aws: AwsEndpoint;
  readonly control: SandboxControl;
  readonly table: StateTable;
  readonly subscriber: Subscriber;
  readonly registration: Registration;
  readonly service: Served;
  readonly usual: Served;
  readonly machines: Machines;
  /** Stops the clients and waits for their last answers. */
  stopWriting(): Promise<void>;
}

export interface StageOptions {
  readonly dist: string;
  readonly fence: 'stop' | 'none';
  readonly latency: 'instant' | 'realistic';
  readonly signal: AbortSignal;
  preparing(what: string): void;
}

/** Run in reverse, so that nothing is taken away from under what still uses it. */
export class CleanUp {
  readonly #deeds: (() => unknown)[] = [];
  add(deed: () => unknown): void {
    this.#deeds.push(deed);
  }
  async run(): Promise<void> {
    for (const deed of this.#deeds.toReversed()) await deed();
    this.#deeds.length = 0;
  }
}

export async function setStage(
  sandbox: SandboxProcess,
  options: StageOptions,
  cleanUp: CleanUp,
): Promise<Stage> {
  const { endpoint, region, resources } = sandbox;
  const { signal, latency } = options;
  const sinceMs = Date.now();
  const aws = makeAwsEndpoint(endpoint, signal);
  const control = makeSandboxControl(endpoint, signal);
  const table = makeStateTable(aws, resources['StateTable'] ?? '', servicePlan.name);

  options.preparing('building two pairs of instances, each with an interface');
  const [service, usual] = await buildPairs(aws, region, [servicePlan, usualPlan]);
  const subscriber = await subscribe(aws, resources['NoticeTopic'] ?? '');

  options.preparing('starting a counter on each instance');
  const disks = await mkdtemp(path.join(tmpdir(), 'eni-failover-disks-'));
  cleanUp.add(() => rm(disks, { recursive: true, force: true }));
  const processes = new Map<string, MemberProcess>();
  const start = async ({ host, instanceId }: Machine, disk: string, role: MemberOptions['role']) => {
    const member = await startMember({ host, disk, role });
    cleanUp.add(() => member.end());
    processes.set(instanceId, member);
    await control.setProcess(instanceId, counterPort, { host: '127.0.0.1', port: member.port });
    return member;
  };
  const serve = async (pair: Pair, standbyRole: MemberOptions['role']) => {
    const disk = await mkdtemp(path.join(disks, `${pair.name}-`));
    const holder = await start(pair.holder, disk, 'primary');
    await start(pair.standby, disk, standbyRole);
    const { port } = await control.listen(pair.eniId, counterPort);
    return { pair, disk, port, holderPort: holder.port };
  };
  const served = await serve(service, 'replica');
  // Its standby needs no promotion: the forty lines have none.
  const usuallyServed = await serve(usual, 'taker');

  const machines = watchMachines(control, processes);
  cleanUp.add(() => machines.stop());
  const documents = await serveGuestDocuments({
    portOf: (instanceId) => processes.get(instanceId)?.port,
    servicePort: served.port,
    catchUp: () => machines.catchUp(),
  });
  cleanUp.add(() => documents.close());
  for (const [name, parameters] of [
    [promoteDocument, ['Token', 'Epoch']],
    [probeDocument, []],
  ] as const)
    await control.addDocument({ name, parameters, url: `${documents.url}/${name}` });

  options.preparing(`registering ${service.name} with the command line`);
  const where = { endpoint, dist: options.dist };
  const registration = await registerDeclaration(where, toDeclaration(service, options.fence));
  if (registration.kind === 'refused')
    throw new Error(`the registration was refused: ${registration.problems.join('; ')}`);
  await untilQuiet({ control, table }, sinceMs, true);
  await subscriber.receive();

  await control.configure({ latency });
  if (latency === 'realistic') await control.configureSsm({ visibleAfterMs: 300, deliveryMs: 500 });
  const writers: Writer[] = [];
  const write = (name: string, port: number, pace: typeof client | typeof localJob) => {
    const writer = startWriter({ name, port, ...pace });
    writers.push(writer);
    return writer;
  };
  const stopWriting = async () => {
    await Promise.all(writers.map((each) => each.stop()));
  };
  cleanUp.add(stopWriting);
  const withClients = ({ pair, disk, port, holderPort }: typeof served): Served => ({
    pair,
    disk,
    client: write(`${pair.name} client`, port, client),
    job: write(`${pair.name} job`, holderPort, localJob),
  });
  return {
    ...{ aws, control, table, subscriber, registration, machines, stopWriting },
    service: withClients(served),
    usual: withClients(usuallyServed),
  };
}
