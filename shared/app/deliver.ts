/** Brings what is frozen into the trail and what is in the outbox to people; anyone may do it, any number of times. */
import { messageOf } from '../core/errors.ts';
import type { ServiceState } from '../core/state.ts';
import type { Ports } from './ports.ts';

/** Copies the frozen record, if there is one. The slot itself is cleared by whoever writes next (P21). */
export async function copyFrozen(ports: Ports, state: ServiceState): Promise<void> {
  if (state.frozen) await ports.store.copyToTrail(state.name, state.frozen);
}

async function publishAll(ports: Ports, state: ServiceState): Promise<readonly string[]> {
  const published = await Promise.all(
    state.outbox.map(async (entry) => {
      try {
        await ports.notifier.publish(entry);
        return [entry.dedupeId];
      } catch (error) {
        // It stays in the outbox: the sweep sends it again. A notice never blocks or undoes a move.
        ports.log.warn('a notice could not be published', {
          service: state.name,
          dedupeId: entry.dedupeId,
          error: messageOf(error),
        });
        return [];
      }
    }),
  );
  return published.flat();
}

/** Copy, publish, clear. Failures are logged and left for the next one who looks. */
export async function deliver(ports: Ports, state: ServiceState): Promise<void> {
  if (!state.frozen && state.outbox.length === 0) return;
  const { store, log } = ports;
  const copying = copyFrozen(ports, state).then(
    () => state.frozen?.number,
    (error: unknown) => {
      log.warn('a record could not be copied', { service: state.name, error: messageOf(error) });
      return undefined;
    },
  );
  const [copied, published] = await Promise.all([copying, publishAll(ports, state)]);
  if (copied === undefined && published.length === 0) return;
  let before = state;
  for (let attempt = 0; attempt < 4; attempt += 1) {
    const { frozen, ...rest } = before;
    const after: ServiceState = {
      ...rest,
      // Another record may have been frozen meanwhile: only what was copied is cleared.
      ...(frozen && frozen.number !== copied && { frozen }),
      outbox: before.outbox.filter((each) => !published.includes(each.dedupeId)),
      rev: before.rev + 1,
      nonce: ports.ids.nonce(),
    };
    try {
      const result = await store.write(before, after, { rev: before.rev });
      if (result.kind === 'written') return;
      before = result.now;
    } catch (error) {
      log.warn('the outbox could not be cleared', { service: state.name, error: messageOf(error) });
      return;
    }
  }
}
