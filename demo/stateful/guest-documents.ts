/** What the two SSM documents of the service do in a guest: promote the counter, and ask whether its address answers. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export const promoteDocument = 'promote-counter';
export const probeDocument = 'probe-counter';

/** What SSM asks of whoever stands for the guest. */
interface DocumentCall {
  readonly instanceId: string;
  readonly parameters: Readonly<Record<string, readonly string[]>>;
}

interface DocumentResult {
  readonly status: 'Success' | 'Failed';
  readonly output?: string;
  readonly error?: string;
}

export interface Guests {
  /** The port of the service that runs on the instance. */
  portOf(instanceId: string): number | undefined;
  /** The port that stands for the service's address. */
  readonly servicePort: number;
  /** What EC2 shows as stopped is over before any document looks. */
  catchUp(): Promise<void>;
}

export interface GuestDocuments {
  readonly url: string;
  close(): Promise<void>;
}

const probeTimeoutMs = 1_000;

async function ask(url: string, init: RequestInit = {}): Promise<DocumentResult> {
  try {
    const answer = await fetch(url, { ...init, signal: AbortSignal.timeout(probeTimeoutMs) });
    const text = await answer.text();
    if (!answer.ok) return { status: 'Failed', error: text };
    const { output = text } = JSON.parse(text) as { output?: string };
    return { status: 'Success', output };
  } catch (error) {
    return { status: 'Failed', error: error instanceof Error ? error.message : String(error) };
  }
}

async function run(path: string, { instanceId, parameters }: DocumentCall, guests: Guests) {
  await guests.catchUp();
  // As a client would: through the address, so that it must lead to a primary.
  if (path === `/${probeDocument}`) return ask(`http://127.0.0.1:${guests.servicePort}/health`);
  const port = guests.portOf(instanceId);
  if (port === undefined) return { status: 'Failed', error: `nothing runs on ${instanceId}` } as const;
  const [token = ''] = parameters['Token'] ?? [];
  const [epoch = ''] = parameters['Epoch'] ?? [];
  const body = JSON.stringify({ token, epoch: Number(epoch) });
  return ask(`http://127.0.0.1:${port}/promote`, { method: 'POST', body });
}

export async function serveGuestDocuments(guests: Guests): Promise<GuestDocuments> {
  const server = createServer((request, response) => {
    const answer = async (): Promise<DocumentResult> => {
      let text = '';
      for await (const chunk of request) text += String(chunk);
      return run(request.url ?? '', JSON.parse(text) as DocumentCall, guests);
    };
    answer().then(
      (result) => response.end(JSON.stringify(result)),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
