/** A service's own records from the newest backwards: those that were frozen or copied to the trail lately. */
import type { Frozen, Service } from '../core/state.ts';
import type { Ports, TrailRow } from './ports.ts';

const page = 100;
/** What lies further back is of another day. */
export const maxRecords = 500;

/** One page is read at a time, and none that nobody asks for. Throws when the table is out of reach. */
export async function* newestRecords(
  { store }: Ports,
  { name, frozen, trail }: Service,
): AsyncGenerator<Frozen | TrailRow> {
  if (frozen) yield frozen;
  const oldest = Math.max(1, trail.next - maxRecords);
  for (let end = trail.next; end > oldest; end -= page) {
    const from = Math.max(oldest, end - page);
    const rows = await store.trail(name, from, end - from);
    // What is frozen may be copied already.
    yield* rows.filter((row) => row.number !== frozen?.number).toReversed();
  }
}
