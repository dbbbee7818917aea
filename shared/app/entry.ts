/** The one mould for what happened beside the end of an episode: its record for the trail, its notice for people. */
import type { ByHand } from '../core/aws-commands.ts';
import { needsHuman, type Severity, toNotice } from '../core/notice.ts';
import type { ServiceState } from '../core/state.ts';
import type { RecordKind } from '../core/trail.ts';
import type { Ports } from './ports.ts';
import type { Entry } from './record.ts';

/** What happened, what it changes, and how people are told. */
export interface Story {
  readonly kind: RecordKind;
  readonly author: string;
  /** The notice's word for it: a reason code, or what was done. */
  readonly outcome: string;
  readonly severity: Severity;
  readonly headline: string;
  readonly lines: readonly string[];
  readonly next: readonly string[];
  /** What a person can do with the AWS CLI alone. */
  readonly byHand?: readonly ByHand[];
  /** The alarms that it is about. */
  readonly alarms?: readonly string[];
  /** The section of the runbook, where the outcome is too coarse. */
  readonly section?: string;
  /** What the record says beside who and when. */
  readonly facts: Readonly<Record<string, unknown>>;
  /** What the notice says to programs. */
  readonly data: Readonly<Record<string, unknown>>;
  /** By these the record is found again. */
  readonly instances: readonly string[];
  readonly enis: readonly string[];
  /** On record only: what follows tells people. */
  readonly quiet?: true;
  readonly change: (state: ServiceState) => ServiceState;
}

/** `service` as it is when the notice is written: its description and contacts go into the text. */
export function toEntry(ports: Ports, service: Pick<ServiceState, 'name' | 'declared'>, story: Story): Entry {
  const atMs = ports.clock.now();
  const { kind, author, facts, instances, enis, change } = story;
  const { outcome, severity, headline, lines, next, data, byHand, alarms, section } = story;
  const told = {
    service: service.name,
    kind,
    outcome,
    severity,
    headline,
    atMs,
    lines,
    next,
    data,
    instances,
    enis,
    ...(byHand && { byHand }),
    ...(alarms && { alarms }),
    ...(section && { section }),
  };
  return {
    draft: { kind, atMs, author, outcome, facts, instances, enis },
    change,
    notice: ({ number, hash }) =>
      story.quiet
        ? undefined
        : toNotice(
            { ...told, trail: { number, headHash: hash } },
            `${service.name}.${kind}.${number}`,
            // One that comes again with the next change of readiness may make room (P23).
            needsHuman({ severity }) && kind !== 'readiness',
            service,
          ),
  };
}
