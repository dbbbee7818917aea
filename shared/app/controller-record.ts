/** Writes what was done to everything into the controller's own chain: frozen with its effect, copied, cleared (P21). */
import { messageOf } from '../core/errors.ts';
import { everything } from '../core/ids.ts';
import type { ControllerItem, Frozen } from '../core/state.ts';
import { freeze, type RecordDraft } from '../core/trail.ts';
import type { Ports } from './ports.ts';

/** What the record says, and what changes in the item in the very write that freezes it. */
export interface ControllerEntry {
  readonly draft: RecordDraft;
  readonly change: (item: ControllerItem) => ControllerItem;
}

export type ControllerRecorded =
  | { readonly kind: 'recorded'; readonly frozen: Frozen }
  | { readonly kind: 'conflict' };

/**
 * Records, if nobody did since `item` was read. A record of before is copied first: one that is not copied yet is never
 * overwritten. The new one is left frozen: {@link copyControllerRecord} brings it into the trail, or whoever looks next.
 */
export async function recordOfController(
  ports: Ports,
  item: ControllerItem,
  { draft, change }: ControllerEntry,
): Promise<ControllerRecorded> {
  const { store, hash } = ports;
  if (item.frozen) await store.copyToTrail(everything, item.frozen);
  const frozen = freeze(item, draft, hash.sha256);
  const after = { ...change(item), frozen, trail: { next: frozen.number + 1, head: frozen.hash } };
  const written = await store.writeControllerItem(item, after);
  return written === 'written' ? { kind: 'recorded', frozen } : { kind: 'conflict' };
}

/** Copies and clears. What fails is logged and left for the next command, or the next sweep. */
export async function copyControllerRecord({ store, log }: Ports, frozen: Frozen): Promise<void> {
  try {
    await store.copyToTrail(everything, frozen);
    await store.clearControllerFrozen(frozen.number);
  } catch (error) {
    log.warn('a record could not be copied', { service: everything, error: messageOf(error) });
  }
}
