/** The least HTTP server that speaks EC2's protocol over the model; run as a script, it prints its endpoint. */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { realClock } from '../../../sandbox/clock.ts';
import { Ec2Error, type Ec2Model, makeEc2Model } from '../../../sandbox/ec2/model.ts';
import { answerXml, errorXml, parseQuery } from '../../../sandbox/ec2/wire.ts';

export async function serveEc2(model: Ec2Model): Promise<{ endpoint: string; close: () => void }> {
  async function answer(body: string): Promise<{ status: number; xml: string; requestId: string }> {
    const requestId = randomUUID();
    try {
      const { operation, input } = parseQuery(body);
      return {
        status: 200,
        requestId,
        xml: answerXml(operation, await model.call(operation, input, 'test'), requestId),
      };
    } catch (error) {
      if (!(error instanceof Ec2Error)) throw error;
      return { status: error.httpStatus, requestId, xml: errorXml(error.code, error.message, requestId) };
    }
  }
  const server = createServer((request, response) => {
    text(request)
      .then(answer)
      .then(
        ({ status, xml, requestId }) =>
          response.writeHead(status, { 'content-type': 'text/xml', 'x-amzn-requestid': requestId }).end(xml),
        (error: unknown) => response.writeHead(500).end(String(error)),
      );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

if (import.meta.main) {
  const model = makeEc2Model({ clock: realClock(), random: Math.random, latency: 'realistic' });
  console.log((await serveEc2(model)).endpoint);
}
