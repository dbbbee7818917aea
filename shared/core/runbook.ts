/** Which section of docs/runbook.md speaks of what: every notice that asks something of people leads there. */
import { outcomes } from './episode.ts';
import { memberReasons, reasons } from './reasons.ts';

/** Why a failover would not work now, as `readinessOf` says it, where no reason code says the same. */
export const readinessCodes = {
  NO_STANDBY_LEFT: 'no other member may take the interfaces',
  HOLDER_NOT_HEALTHY: 'the holder itself is not well',
  ON_NOTHING: 'an interface is attached to nothing',
  UNMOVABLE: 'EC2 will not move an interface',
  UNKNOWN: 'what EC2 shows is not clear',
} as const;

/** What the controller tells beside reasons and outcomes, and that somebody may have to act on. */
export const noticeCodes = {
  KEPT_ON_TERMINATION: 'DeleteOnTermination was true',
  FAILBACK_SUSPENDED: 'nothing goes back by itself until somebody acknowledges',
  PAUSE_ENDED: 'a pause was not ended by a person',
  NOTICE_UNREADABLE: 'what waited to be told could not be understood',
} as const;

const calling = Object.entries(outcomes).flatMap(([code, { human }]) => (human ? [code] : []));

/** Every code that has a section, each once. */
export const runbookCodes: readonly string[] = [
  ...new Set([
    ...Object.keys(reasons),
    ...Object.keys(memberReasons),
    ...calling,
    ...Object.keys(readinessCodes),
    ...Object.keys(noticeCodes),
  ]),
];

/** Where it stands, as GitHub makes anchors of headings. */
export const runbookFor = (code: string) =>
  runbookCodes.includes(code) ? `docs/runbook.md#${code.toLowerCase()}` : undefined;
