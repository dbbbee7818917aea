/** A client that writes at a steady pace, whatever becomes of its writes, and remembers each of them. */
import { request } from 'node:http';

export type Result = 'pending' | 'answered' | 'refused' | 'timed-out';

export interface Attempt {
  readonly id: string;
  readonly sentAtMs: number;
  readonly result: Result;
  /** When it was known. */
  readonly endedAtMs?: number;
  /** What it was given where it was acknowledged. */
  readonly number?: number;
}

export interface WriterOptions {
  readonly name: string;
  readonly port: number;
  readonly everyMs: number;
  /** Patience for one write. */
  readonly timeoutMs: number;
}

export interface Writer {
  attempts(): readonly Attempt[];
  /** No more writes; returns when each is answered, refused or given up. */
  stop(): Promise<void>;
}

type Ended = Pick<Attempt, 'result' | 'number'>;

/** Each on a connection of its own, as clients do who lost theirs. */
function write(id: string, { port, timeoutMs }: WriterOptions): Promise<Ended> {
  return new Promise((resolve) => {
    const body = JSON.stringify({ id });
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const sent = request({ host: '127.0.0.1', port, path: '/writes', method: 'POST', headers, agent: false });
    const patience = setTimeout(() => {
      resolve({ result: 'timed-out' });
      sent.destroy();
    }, timeoutMs);
    const end = (ended: Ended) => {
      clearTimeout(patience);
      resolve(ended);
    };
    sent.on('error', () => end({ result: 'refused' }));
    sent.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.on('error', () => end({ result: 'refused' }));
      response.on('end', () => {
        if (response.statusCode !== 200) return end({ result: 'refused' });
        end({ result: 'answered', number: (JSON.parse(text) as { number: number }).number });
      });
    });
    sent.end(body);
  });
}

export function startWriter(options: WriterOptions): Writer {
  const attempts: Attempt[] = [];
  const underway = new Set<Promise<void>>();
  const next = () => {
    const index = attempts.length;
    const attempt: Attempt = { id: `${options.name}-${index}`, sentAtMs: Date.now(), result: 'pending' };
    attempts.push(attempt);
    const work = write(attempt.id, options).then((ended) => {
      attempts[index] = { ...attempt, ...ended, endedAtMs: Date.now() };
      underway.delete(work);
    });
    underway.add(work);
  };
  const timer = setInterval(next, options.everyMs);
  return {
    attempts: () => attempts,
    async stop() {
      clearInterval(timer);
      await Promise.all(underway);
    },
  };
}

export const acknowledged = (attempts: readonly Attempt[]) =>
  attempts.flatMap(({ id, number }) => (number === undefined ? [] : [{ id, number }]));
