/** Notices: what happened to which service, in words for a phone, and the same facts as data for a program. */
import type { OutboxEntry, ServiceState } from './state.ts';

export type Severity = 'info' | 'warning' | 'critical';

export interface NoticeFacts {
  readonly service: string;
  /** An outcome, or the reason code of a refusal. */
  readonly outcome: string;
  readonly severity: Severity;
  /** One sentence, without the service's name: "failed over to i-…". */
  readonly headline: string;
  /** Lines for a person, each short enough for a phone. */
  readonly lines: readonly string[];
  readonly atMs: number;
  /** What to do next, as commands or sentences. Empty when nobody has to do anything. */
  readonly next: readonly string[];
  readonly data: Readonly<Record<string, unknown>>;
  readonly trailNumber: number;
  readonly headHash: string;
}

/** SNS takes at most 100 printable ASCII characters in a subject. */
const maxSubject = 100;

const toSubject = (text: string) => {
  const ascii = text.replace(/[^\x20-\x7e]/g, '?');
  return ascii.length <= maxSubject ? ascii : `${ascii.slice(0, maxSubject - 3)}...`;
};

/** Renders a notice once; every publication of it is this text. */
export function toNotice(
  facts: NoticeFacts,
  dedupeId: string,
  keep: boolean,
  state: Pick<ServiceState, 'declared'>,
): OutboxEntry {
  const { description, contacts } = JSON.parse(state.declared) as {
    description?: string;
    contacts?: readonly string[];
  };
  const at = new Date(facts.atMs).toISOString();
  const flag = facts.severity === 'info' ? '' : `${facts.severity.toUpperCase()}: `;
  const program = {
    version: 1,
    dedupeId,
    service: facts.service,
    outcome: facts.outcome,
    severity: facts.severity,
    at,
    headline: facts.headline,
    next: facts.next,
    trail: { number: facts.trailNumber, headHash: facts.headHash },
    ...facts.data,
  };
  const body = [
    `${flag}${facts.service}: ${facts.headline}`,
    ...(description ? [description] : []),
    '',
    ...facts.lines,
    ...(facts.next.length > 0 ? ['', 'What to do:', ...facts.next.map((each) => `  ${each}`)] : []),
    ...(contacts && contacts.length > 0 ? ['', `Contacts: ${contacts.join(', ')}`] : []),
    '',
    `At ${at}`,
    `Trail #${facts.trailNumber}, head ${facts.headHash}`,
    '',
    '--- the same for programs ---',
    JSON.stringify(program),
  ].join('\n');
  return {
    dedupeId,
    atMs: facts.atMs,
    keep,
    subject: toSubject(`[eni-failover] ${flag}${facts.service}: ${facts.headline}`),
    body,
    attributes: { service: facts.service, outcome: facts.outcome, severity: facts.severity, dedupeId },
  };
}
