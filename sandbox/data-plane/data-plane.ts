// The network as a client sees it: an address leads to the process behind whichever instance holds its interface, or to nobody.

import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';
import type { Ec2Model } from '../ec2/model.ts';
import { type Connection, makeConnection, type Target } from './connection.ts';

/** Where a new connection would get to. */
export type Lead =
  | { kind: 'process'; instanceId: string; target: Target }
  /** The instance is up, and nothing listens on it. */
  | { kind: 'refused'; instanceId: string }
  /** No answer at all, not even a refusal. */
  | { kind: 'silent'; why: string };

export interface ListenerRecord extends Target {
  eniId: string;
  address: string;
  servicePort: number;
  leadsTo: Lead;
  /** Established now; of those, the ones through which nothing gets at the moment. */
  established: number;
  held: number;
  /** Open, and never to be answered. */
  unanswered: number;
  /** Since the listener was asked for. */
  accepted: number;
  refused: number;
  cut: number;
}

export interface ProcessRecord {
  instanceId: string;
  port: number;
  target: Target;
}

export interface DataPlane {
  /** A loopback port that stands for this port of an interface's address; always the same one. Throws `DataPlaneError`. */
  listen(at: { eni?: string; address?: string; port: number }): Promise<Target>;
  /** What listens on the instance's port; without a target, nothing does any more. */
  setProcess(instanceId: string, port: number, target: Target | null): void;
  listeners(): ListenerRecord[];
  processes(): ProcessRecord[];
  /** Ends every listener and every connection, and forgets the processes. */
  reset(): Promise<void>;
}

export class DataPlaneError extends Error {}

interface Listener {
  readonly eniId: string;
  readonly address: string;
  readonly servicePort: number;
  readonly server: Server;
  readonly opened: Promise<Target>;
  readonly connections: Set<Connection>;
  readonly unanswered: Set<Socket>;
  host: string;
  port: number;
  accepted: number;
  refused: number;
  cut: number;
}

const HOST = '127.0.0.1';

export function makeDataPlane(ec2: Pick<Ec2Model, 'eni' | 'guest' | 'onEvent'>): DataPlane {
  const listeners = new Map<string, Listener>();
  const processes = new Map<string, ProcessRecord>();
  const processKey = (instanceId: string, port: number) => `${instanceId}:${port}`;

  const lead = ({ eniId, address, servicePort }: Listener): Lead => {
    const silent = (why: string): Lead => ({ kind: 'silent', why });
    const eni = ec2.eni(eniId);
    if (eni === undefined) return silent('the interface is gone');
    if (!eni.addresses.includes(address)) return silent('the interface has lost the address');
    if (eni.attachment === undefined) return silent('the interface is attached to nothing');
    const { instanceId, status } = eni.attachment;
    if (status !== 'attached') return silent(`the interface is ${status}`);
    const guest = ec2.guest(instanceId);
    if (guest?.state !== 'running') return silent(`${instanceId} is ${guest?.state ?? 'gone'}`);
    if (!guest.answers) return silent(`${instanceId} does not answer`);
    const process = processes.get(processKey(instanceId, servicePort));
    return process === undefined
      ? { kind: 'refused', instanceId }
      : { kind: 'process', instanceId, target: process.target };
  };

  const onClient = (listener: Listener, client: Socket): void => {
    listener.accepted += 1;
    const { connections, unanswered } = listener;
    const where = lead(listener);
    switch (where.kind) {
      case 'refused':
        listener.refused += 1;
        client.on('error', () => undefined).resetAndDestroy();
        return;
      case 'silent':
        unanswered.add(client);
        leaveUnanswered(client, () => unanswered.delete(client));
        return;
      case 'process': {
        const connection = makeConnection(client, where, {
          onRefused: () => {
            listener.refused += 1;
          },
          onEnd: () => connections.delete(connection),
        });
        connections.add(connection);
      }
    }
  };

  const onAttachment = (eniId: string): void => {
    if (ec2.eni(eniId)?.attachment?.status === 'attached') return;
    for (const listener of listeners.values()) {
      if (listener.eniId !== eniId) continue;
      listener.cut += listener.connections.size;
      for (const connection of [...listener.connections]) connection.cut();
    }
  };

  const onGuest = (instanceId: string): void => {
    const guest = ec2.guest(instanceId);
    for (const { connections } of listeners.values()) {
      for (const connection of connections) {
        if (connection.instanceId !== instanceId) continue;
        if (guest?.state !== 'running') connection.die();
        else if (guest.answers) connection.release();
        else connection.hold();
      }
    }
  };

  ec2.onEvent((event) => {
    if (event.kind === 'attachment') onAttachment(event.eniId);
    else onGuest(event.instanceId);
  });

  const open = (eniId: string, address: string, servicePort: number): Listener => {
    // What is not to be answered is not to be closed either: half-open sockets are ours to end.
    const server = createServer({ allowHalfOpen: true });
    const opened = new Promise<Target>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, HOST, () => {
        listener.port = (server.address() as AddressInfo).port;
        resolve({ host: HOST, port: listener.port });
      });
    });
    const listener: Listener = {
      ...{ eniId, address, servicePort, server, opened, host: HOST, port: 0 },
      ...{ connections: new Set(), unanswered: new Set(), accepted: 0, refused: 0, cut: 0 },
    };
    server.on('connection', (client) => onClient(listener, client));
    return listener;
  };

  return {
    listen({ eni: eniId, address, port }) {
      const eni = ec2.eni(eniId ?? address ?? '');
      if (eni === undefined) {
        throw new DataPlaneError(`there is no interface ${eniId ?? `with the address ${address}`}`);
      }
      const at = address ?? eni.addresses[0] ?? '';
      if (!eni.addresses.includes(at)) throw new DataPlaneError(`${eni.id} has no address ${at}`);
      const key = `${eni.id} ${at}:${port}`;
      const listener = listeners.get(key) ?? open(eni.id, at, port);
      listeners.set(key, listener);
      return listener.opened;
    },

    setProcess(instanceId, port, target) {
      if (target === null) processes.delete(processKey(instanceId, port));
      else processes.set(processKey(instanceId, port), { instanceId, port, target });
    },

    listeners: () =>
      [...listeners.values()].map((listener) => {
        const { eniId, address, servicePort, host, port, accepted, refused, cut } = listener;
        const connections = [...listener.connections];
        return {
          ...{ eniId, address, servicePort, host, port, leadsTo: lead(listener) },
          established: connections.length,
          held: connections.filter(({ isHeld }) => isHeld()).length,
          unanswered: listener.unanswered.size,
          ...{ accepted, refused, cut },
        };
      }),
    processes: () => [...processes.values()],

    async reset() {
      const closing = [...listeners.values()].map(({ server, connections, unanswered }) => {
        const closed = new Promise((resolve) => server.close(resolve));
        for (const connection of [...connections]) connection.cut();
        for (const client of unanswered) client.destroy();
        return closed;
      });
      listeners.clear();
      processes.clear();
      await Promise.all(closing);
    },
  };
}

/** Whatever the client says is lost. Once it gives up, so that no socket is kept for nobody, so do we. */
function leaveUnanswered(client: Socket, onClose: () => void): void {
  client.on('error', () => undefined);
  client.on('end', () => client.destroy());
  client.on('close', onClose);
  client.resume();
}
