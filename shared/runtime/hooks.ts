/** Hooks that cost nothing until the first one is run: their clients are loaded only then. */
import type { Hooks } from '../app/ports.ts';
import { realClock } from './clock.ts';

async function load(endpoint: string | undefined): Promise<Hooks> {
  const [{ makeHookClients }, { makeHooks }] = await Promise.all([
    import('../aws/hook-clients.ts'),
    import('../aws/hooks.ts'),
  ]);
  return makeHooks(makeHookClients(endpoint), realClock);
}

/** A load that failed is tried again by the next call. */
export function lazyHooks(endpoint?: string): Hooks {
  let loading: Promise<Hooks> | undefined;
  return {
    async run(order) {
      loading ??= load(endpoint).catch((error: unknown) => {
        loading = undefined;
        throw error;
      });
      const hooks = await loading;
      return hooks.run(order);
    },
  };
}
