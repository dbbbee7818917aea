/** A small counter service, as a process of its own: the primary numbers writes and puts them on the shared disk. */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { type Log, openLog, readLog, replay } from './disk.ts';

/** A `taker` needs no promotion: it becomes the primary with the first write that reaches it. */
type Role = 'primary' | 'replica' | 'taker';

interface Answer {
  readonly status: number;
  readonly body: object;
}

class Counter {
  readonly #name: string;
  readonly #disk: string;
  readonly #log: Log;
  #role: Role;
  #counter = 0;
  /** One after the other, so that numbers and lines come in the same order. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(name: string, disk: string, log: Log, role: Role) {
    this.#name = name;
    this.#disk = disk;
    this.#log = log;
    this.#role = role;
  }

  #inTurn(work: () => Promise<Answer>): Promise<Answer> {
    const mine = this.#last.then(work);
    this.#last = mine.catch(() => undefined);
    return mine;
  }

  health(): Answer {
    const isPrimary = this.#role === 'primary';
    return { status: isPrimary ? 200 : 503, body: { member: this.#name, role: this.#role } };
  }

  write(id: string): Promise<Answer> {
    return this.#inTurn(async () => {
      if (this.#role === 'replica') return { status: 503, body: { error: `${this.#name} is a replica` } };
      if (this.#role === 'taker') await this.#recover();
      this.#counter += 1;
      const number = this.#counter;
      await this.#log.append({ kind: 'write', number, id, by: this.#name, atMs: Date.now() });
      return { status: 200, body: { number, by: this.#name } };
    });
  }

  /** Repeatable by its token, and refused where a higher epoch was seen: the disk remembers both. */
  promote(token: string, epoch: number): Promise<Answer> {
    return this.#inTurn(async () => {
      const seen = replay(await readLog(this.#disk));
      if (epoch < seen.epoch)
        return { status: 409, body: { error: `epoch ${epoch} is over: ${seen.epoch} was seen` } };
      if (seen.tokens.has(token) && this.#role === 'primary')
        return { status: 200, body: { output: `${this.#name} was promoted before, by ${token}` } };
      await this.#log.append({ kind: 'promoted', by: this.#name, epoch, token, atMs: Date.now() });
      const counter = await this.#recover();
      return {
        status: 200,
        body: { output: `${this.#name} is the primary of epoch ${epoch}, from ${counter}` },
      };
    });
  }

  async #recover(): Promise<number> {
    this.#counter = replay(await readLog(this.#disk)).counter;
    this.#role = 'primary';
    return this.#counter;
  }
}

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
}

async function answer(counter: Counter, request: IncomingMessage): Promise<Answer> {
  const body = await bodyOf(request);
  switch (`${request.method} ${request.url}`) {
    case 'GET /health':
      return counter.health();
    case 'POST /writes':
      return counter.write(String(body['id']));
    case 'POST /promote':
      return counter.promote(String(body['token']), Number(body['epoch']));
    default:
      return { status: 404, body: { error: 'there is nothing here' } };
  }
}

const { values } = parseArgs({
  options: { name: { type: 'string' }, disk: { type: 'string' }, role: { type: 'string' } },
});
const { name = 'member', disk = '.', role = 'replica' } = values;
const counter = new Counter(name, disk, await openLog(disk), role as Role);
const server = createServer((request, response) => {
  answer(counter, request).then(
    ({ status, body }) => {
      response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
      response.end(JSON.stringify(body));
    },
    (error: unknown) => {
      response.writeHead(500).end(String(error));
    },
  );
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${JSON.stringify({ port: (server.address() as AddressInfo).port })}\n`);
});
// However the demo ends, this ends with it.
process.stdin.on('end', () => process.exit()).resume();
