/** What documents of Systems Manager do in the guests of the demo: a server on this machine that the sandbox asks. */
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Stage } from './acts.ts';

export interface DocumentCall {
  readonly instanceId: string;
  readonly parameters: Readonly<Record<string, readonly string[]>>;
}

export interface GuestDocument {
  readonly name: string;
  /** Those that it declares. */
  readonly parameters: readonly string[];
  /** How long it takes in the guest. */
  readonly tookMs: number;
  /** Answers what it prints; what it throws is its failure. */
  run(call: DocumentCall, stage: Guests): Promise<string>;
}

/** What a document may reach for. */
export type Guests = Pick<Stage, 'aws' | 'account' | 'control'>;

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

async function carryOut(document: GuestDocument | undefined, body: string, stage: Guests) {
  try {
    if (document === undefined) throw new Error('no such document');
    const output = await document.run(JSON.parse(body) as DocumentCall, stage);
    return { status: 'Success', output, tookMs: document.tookMs };
  } catch (error) {
    return { status: 'Failed', output: '', error: error instanceof Error ? error.message : String(error) };
  }
}

/** Makes the documents known to the sandbox; answers how to end the server. */
export async function startGuests(
  documents: readonly GuestDocument[],
  stage: Guests,
): Promise<() => Promise<void>> {
  if (documents.length === 0) return async () => {};
  const server = createServer((request, response) => {
    const document = documents.find((each) => `/${each.name}` === request.url);
    void bodyOf(request)
      .then((body) => carryOut(document, body, stage))
      .then((result) => response.end(JSON.stringify(result)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  for (const { name, parameters } of documents)
    await stage.control.addDocument({ name, parameters, url: `http://127.0.0.1:${port}/${name}` });
  return async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
}
