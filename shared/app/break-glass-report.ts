/** What an operator did in EC2 by hand while the controller was out of reach: put on record when it is back. */
import type { ServiceName } from '../core/ids.ts';
import { type By, carryOut, type Operated } from './operate.ts';
import type { Ports } from './ports.ts';

export interface BreakGlassCall {
  /** By the operator's own clock. */
  readonly at: string;
  readonly call: string;
  readonly detail?: string;
}

/** The item stays small (P7). */
const most = { calls: 100, characters: 300 };

const shortened = (text: string) => text.slice(0, most.characters);

/** Believed as it is told: nobody else was there. Where the interfaces are now is a question for `adopt`. */
export function reportBreakGlass(
  ports: Ports,
  name: ServiceName,
  journal: readonly BreakGlassCall[],
  by: By,
): Promise<Operated> {
  const told = journal.slice(0, most.calls).map(({ at, call, detail }) => ({
    at,
    call: shortened(call),
    ...(detail !== undefined && { detail: shortened(detail) }),
  }));
  const text = told.map(({ call, detail = '' }) => `${call} ${detail}`).join(' ');
  const named = (pattern: RegExp) => [...new Set(text.match(pattern))];
  return carryOut(ports, name, by, () => ({
    kind: 'break-glass',
    outcome: 'BREAK_GLASS',
    severity: 'warning',
    headline: `${journal.length} calls were made by hand by ${by.author} while the controller was out of reach`,
    lines: [
      `Why: ${by.reason}`,
      ...told.map(({ at, call, detail }) => `${at} ${call}${detail ? `: ${detail}` : ''}`),
    ],
    facts: { reason: by.reason, journal: told, calls: journal.length },
    instances: named(/\bi-[0-9a-f]{8,17}\b/g),
    enis: named(/\beni-[0-9a-f]{8,17}\b/g),
    data: { recorded: told.length, calls: journal.length },
    change: (state) => state,
  }));
}
