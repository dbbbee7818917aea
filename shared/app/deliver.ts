/** Brings what is frozen into the trail and what is in the outbox to people; anyone may do it, any number of times. */
import { messageOf } from '../core/errors.ts';
import type { OutboxEntry } from '../core/notice.ts';
import type { ServiceState } from '../core/state.ts';
import { times } from '../core/times.ts';
import type { Ports } from './ports.ts';

/** Copies the frozen record, if there is one. The slot itself is cleared by whoever writes next (P21). */
export async function copyFrozen(ports: Ports, state: ServiceState): Promise<void> {
  if (state.frozen) await ports.store.copyToTrail(state.name, state.frozen);
}

async function publishAll(ports: Ports, entries: readonly OutboxEntry[], state: ServiceState) {
  const published = await Promise.all(
    entries.map(async (entry) => {
      if (entry.outcome === 'NOTICE_UNREADABLE')
        ports.log.error('a notice could not be understood', { service: state.name, ...entry.data });
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

/** Delivers what somebody else may have left behind; what was written just now is still in its writer's hands. */
export async function deliverLeftovers(ports: Ports, state: ServiceState): Promise<void> {
  const limitMs = ports.clock.now() - times.noticeIsTheirsMs;
  const isLeft = (atMs: number) => atMs <= limitMs;
  if (state.frozen && !isLeft(state.frozen.atMs)) return;
  const left = state.outbox.filter((each) => isLeft(each.atMs));
  await deliver(ports, state, left);
}

/** Copy, publish, clear. Failures are logged and left for the next one who looks. */
export async function deliver(
  ports: Ports,
  state: ServiceState,
  entries: readonly OutboxEntry[] = state.outbox,
): Promise<void> {
  const { store, log } = ports;
  const copying = copyFrozen(ports, state).then(
    () => state.frozen?.number,
    (error: unknown) => {
      log.warn('a record could not be copied', { service: state.name, error: messageOf(error) });
      return undefined;
    },
  );
  const [copied, published] = await Promise.all([copying, publishAll(ports, entries, state)]);
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
