/** Writes one record and its notice into a service's item without a lease, then delivers both. */
import { messageOf } from '../core/errors.ts';
import type { ServiceName } from '../core/ids.ts';
import type { OutboxEntry } from '../core/notice.ts';
import { bytesOf, most } from '../core/size.ts';
import type { Service, ServiceState } from '../core/state.ts';
import { toService } from '../core/state.ts';
import { freeze, type RecordDraft, withRecord } from '../core/trail.ts';
import { copyFrozen, deliver } from './deliver.ts';
import type { Change, Journal, Written } from './journal.ts';
import type { Ports } from './ports.ts';

export interface Entry {
  readonly draft: RecordDraft;
  /** What changes beside the record. */
  readonly change: (state: ServiceState) => ServiceState;
  readonly notice: (place: { readonly number: number; readonly hash: string }) => OutboxEntry | undefined;
}

/** The state with the entry's change, record and notice. The frozen slot must be free or its record copied. */
export function withEntry(ports: Ports, state: ServiceState, entry: Entry): ServiceState {
  const frozen = freeze(state, entry.draft, ports.hash.sha256);
  return withRecord(entry.change(state), frozen, entry.notice(frozen));
}

/**
 * Why an operator's change cannot be stored (P7): undefined where it can. What an episode writes is never held back,
 * nor what stops the controller or lets it go on: that is small, and may be what the item waits for.
 */
export function tooLargeFor(ports: Ports, state: ServiceState, entry: Entry): string | undefined {
  if (['pause', 'resume', 'ack'].includes(entry.draft.kind)) return undefined;
  const { declaration: _, ...stored }: Partial<Service> = withEntry(ports, state, entry);
  const size = bytesOf(stored);
  return size <= most.item
    ? undefined
    : `the item of ${state.name} would have ${size} bytes, and ${most.item} are allowed; ${state.outbox.length} notices wait in it`;
}

/**
 * Records without a lease: requires only that nobody wrote since `service` was read. `conflict` means that
 * somebody did, and that the caller should look again before it believes what it was about to record.
 */
export async function record(ports: Ports, service: Service, entry: Entry): Promise<'recorded' | 'conflict'> {
  const { declaration: _, ...state } = service;
  await copyFrozen(ports, state);
  const after = {
    ...withEntry(ports, state, entry),
    rev: state.rev + 1,
    nonce: ports.ids.nonce(),
  };
  const result = await ports.store.write(state, after, { rev: state.rev });
  if (result.kind === 'conflict') return 'conflict';
  await deliver(ports, after);
  return 'recorded';
}

/**
 * Makes a change that freezes a record, under the journal's lease. Whatever is frozen already is copied first,
 * also when somebody freezes a record in between: an uncopied one is never overwritten (P21).
 */
export async function freezeThrough(ports: Ports, journal: Journal, change: Change): Promise<Written> {
  for (;;) {
    const { frozen } = journal.service();
    try {
      await copyFrozen(ports, journal.service());
    } catch (error) {
      ports.log.warn('a record could not be copied', { error: messageOf(error) });
      return 'unreachable';
    }
    let applied = false;
    const written = await journal.commit((state) => {
      applied = state.frozen === undefined || state.frozen.number === frozen?.number;
      return applied ? change(state) : state;
    });
    // Without a lease, an earlier try of this very change was stored after all: there is nothing left to do.
    if (written !== 'written' || applied || !journal.service().lease) return written;
  }
}

/** The service as it is now; absent when it was never registered. Throws when the table is out of reach. */
export async function readService(ports: Ports, name: ServiceName): Promise<Service | undefined> {
  const fact = await ports.store.read(name);
  return fact.kind === 'known' ? toService(fact.value) : undefined;
}
