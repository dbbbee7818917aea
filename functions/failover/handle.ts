/** One delivery: parsed, deduped, looked at. */
import { dispatch, servicesFor } from '../../shared/app/dispatch.ts';
import type { Ports, Run } from '../../shared/app/ports.ts';
import { type Report, restore } from '../../shared/app/restore.ts';
import { InvalidInputError } from '../../shared/core/errors.ts';
import { parseEvent } from './event.ts';

export type Answer =
  | { readonly kind: 'ignored'; readonly code: string; readonly reason: string }
  | { readonly kind: 'looked'; readonly reports: readonly Report[] };

/** Runs the work unless this delivery was completed before. */
export type Once = <T>(key: string, work: () => Promise<T>) => Promise<T>;

/**
 * Throws {@link InvalidInputError} for a malformed event: Lambda then keeps it at the on-failure destination,
 * where it can be read, and nothing is moved.
 */
export async function handle(raw: unknown, ports: Ports, run: Run, once: Once): Promise<Answer> {
  const parsed = parseEvent(raw, ports.clock.now());
  switch (parsed.kind) {
    case 'ignored':
      ports.log.info('event ignored', { code: parsed.code, reason: parsed.reason });
      return parsed;
    case 'malformed':
      ports.log.error('event malformed', { problems: parsed.problems });
      throw new InvalidInputError('the event cannot be understood', parsed.problems);
    case 'work':
      if (parsed.message.hint.kind === 'canary') {
        const { service, hint } = parsed.message;
        // No outage waits for a rehearsal: it is loaded with the first one.
        const { rehearse } = await import('../../shared/app/canary.ts');
        return { kind: 'looked', reports: [await rehearse(ports, service, hint.drill)] };
      }
      return { kind: 'looked', reports: [await restore(ports, parsed.message, run)] };
    case 'hint': {
      // Beside the dedupe, not behind it: each round trip before the detach is downtime (P36).
      const looking = servicesFor(ports, parsed.hint);
      looking.catch(() => undefined);
      return once(parsed.dedupeKey, async () => ({
        kind: 'looked',
        reports: await dispatch(ports, parsed.hint, await looking, run),
      }));
    }
  }
}
