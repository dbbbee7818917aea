/** The real clock, ids, random source and hash, and what a retry needs of them. */
import { createHash, randomUUID } from 'node:crypto';
import type { Clock, Hash, Ids } from '../app/ports.ts';
import type { OwnerId } from '../core/ids.ts';

export const realClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const done = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal?.addEventListener('abort', done, { once: true });
    }),
};

/** What the adapters' retries wait by. */
export const retrying = { clock: realClock, random: Math.random };

export const realIds: Ids = {
  owner: () => randomUUID() as string as OwnerId,
  nonce: () => randomUUID(),
};

export const realHash: Hash = {
  sha256: (text) => createHash('sha256').update(text).digest('hex'),
};
