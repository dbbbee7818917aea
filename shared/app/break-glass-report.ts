/** What an operator did in EC2 by hand while the controller was out of reach: put on record when it is back. */
import type { ServiceName } from '../core/ids.ts';
import { bytesOf, most } from '../core/size.ts';
import type { Service } from '../core/state.ts';
import { canonical } from '../core/trail.ts';
import { newestRecords } from './newest-records.ts';
import { type By, carryOut, type Operated } from './operate.ts';
import type { Ports } from './ports.ts';

export interface BreakGlassCall {
  /** By the operator's own clock. */
  readonly at: string;
  readonly call: string;
  readonly detail?: string;
}

const maxCalls = 100;
const maxCharacters = 300;
/** By so many the record is found. */
const maxNamed = 20;

const shortened = (text: string) => text.slice(0, maxCharacters);

/** The first calls that have room: the record stands in the item until it is copied (P7). */
function fitting(journal: readonly BreakGlassCall[]): readonly BreakGlassCall[] {
  let room = most.journal;
  const shown = journal.slice(0, maxCalls).map(({ at, call, detail }) => ({
    at: shortened(at),
    call: shortened(call),
    ...(detail !== undefined && { detail: shortened(detail) }),
  }));
  const end = shown.findIndex((each) => {
    room -= bytesOf(each);
    return room < 0;
  });
  return end < 0 ? shown : shown.slice(0, end);
}

/** The number of the record that has this very journal already; undefined where there is none. */
async function recordedAs(
  ports: Ports,
  service: Service,
  told: readonly BreakGlassCall[],
  calls: number,
): Promise<number | undefined> {
  const wanted = canonical({ journal: told, calls });
  for await (const { number, body } of newestRecords(ports, service)) {
    // No other kind of record has a journal.
    const { journal, calls: counted } = JSON.parse(body) as { journal: unknown; calls: unknown };
    if (canonical({ journal, calls: counted }) === wanted) return number;
  }
  return undefined;
}

/**
 * Believed as it is told: nobody else was there. Where the interfaces are now is a question for `adopt`. Each line has
 * its time, so the journal is its own id: it is on record once, however often it is sent.
 */
export function reportBreakGlass(
  ports: Ports,
  name: ServiceName,
  journal: readonly BreakGlassCall[],
  by: By,
): Promise<Operated> {
  const told = fitting(journal);
  const text = told.map(({ call, detail = '' }) => `${call} ${detail}`).join(' ');
  const named = (pattern: RegExp) => [...new Set(text.match(pattern))].slice(0, maxNamed);
  return carryOut(ports, name, by, async (service) => {
    const already = await recordedAs(ports, service, told, journal.length);
    if (already !== undefined)
      return {
        kind: 'done',
        detail: `already on record as ${name}#${already}: nothing was written`,
        data: { recorded: told.length, calls: journal.length, record: already },
      };
    return {
      kind: 'break-glass',
      outcome: 'BREAK_GLASS',
      severity: 'warning',
      headline: `${journal.length} calls were made by hand by ${by.author} while the controller was out of reach`,
      lines: [
        `Why: ${by.reason}`,
        ...(told.length < journal.length ? [`On record are the first ${told.length} of them.`] : []),
        ...told.map(({ at, call, detail }) => `${at} ${call}${detail ? `: ${detail}` : ''}`),
      ],
      facts: { reason: by.reason, journal: told, calls: journal.length },
      notice: { reason: by.reason, calls: journal.length, recorded: told.length },
      instances: named(/\bi-[0-9a-f]{8,17}\b/g),
      enis: named(/\beni-[0-9a-f]{8,17}\b/g),
      data: { recorded: told.length, calls: journal.length },
      change: (state) => state,
    };
  });
}
