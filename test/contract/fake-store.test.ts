/** The fake store keeps what the table's adapter promises: the stories that run on it mean something. */
import { describe } from 'vitest';
import { makeFakeStore } from '../fakes/fake-store.ts';
import { stateStoreContract } from './state-store-contract.ts';

describe('the fake store', () => {
  stateStoreContract(async () => {
    const store = makeFakeStore({ now: () => 0, sleep: () => Promise.resolve() });
    return {
      store,
      loseAnswers: (count) => {
        store.heal();
        if (count > 0) store.fail('any', { kind: 'answer-lost' }, { times: count });
      },
      tamper: async (name, attributes) => {
        store.put(name, { ...(store.raw(name) as object), ...attributes });
      },
      close: async () => undefined,
    };
  });
});
