// One established connection through the data plane: forwarded while its guest answers, held while it does not, cut when the interface leaves.

import { connect, type Socket } from 'node:net';

export interface Target {
  host: string;
  port: number;
}

export interface Connection {
  readonly instanceId: string;
  isHeld(): boolean;
  /** The guest neither hears nor answers: no byte passes, and neither side is told. */
  hold(): void;
  /** What was under way arrives after all, as TCP sends it again. */
  release(): void;
  /** The instance is down: the process has lost its connection, and nobody tells the client. */
  die(): void;
  /** The interface has gone: both sides lose the connection. */
  cut(): void;
}

export interface ConnectionEvents {
  /** Nothing listens at the target. */
  onRefused(): void;
  onEnd(): void;
}

export function makeConnection(
  client: Socket,
  { instanceId, target }: { instanceId: string; target: Target },
  events: ConnectionEvents,
): Connection {
  let phase: 'forwarding' | 'held' | 'dead' | 'over' = 'forwarding';
  let connected = false;
  const upstream = connect({ host: target.host, port: target.port, allowHalfOpen: true }, () => {
    connected = true;
  });

  const forward = (): void => {
    client.pipe(upstream);
    upstream.pipe(client);
  };
  const interrupt = (): void => {
    client.unpipe(upstream);
    upstream.unpipe(client);
    client.pause();
    upstream.pause();
  };
  const end = (): void => {
    if (phase === 'over') return;
    phase = 'over';
    client.destroy();
    upstream.destroy();
    events.onEnd();
  };

  upstream.on('error', () => {
    if (phase !== 'forwarding') return;
    if (!connected) events.onRefused();
    client.resetAndDestroy();
    end();
  });
  client.on('error', () => undefined);
  upstream.on('close', () => {
    if (phase === 'forwarding') end();
  });
  // A client that leaves while nothing passes is not heard of behind; of a dead one there is nobody to hear it.
  client.on('close', () => {
    if (phase === 'forwarding' || phase === 'dead') end();
  });
  client.on('end', () => {
    if (phase === 'dead') end();
  });
  forward();

  return {
    instanceId,
    isHeld: () => phase === 'held' || phase === 'dead',
    hold() {
      if (phase !== 'forwarding') return;
      phase = 'held';
      interrupt();
    },
    release() {
      if (phase !== 'held') return;
      phase = 'forwarding';
      if (client.destroyed || upstream.destroyed) end();
      else forward();
    },
    die() {
      if (phase !== 'forwarding' && phase !== 'held') return;
      interrupt();
      phase = 'dead';
      upstream.destroy();
      client.resume();
    },
    cut: end,
  };
}
