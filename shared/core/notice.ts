/** Notices: what happened to which service, stored once as facts; every copy, whoever reads it, is made from them. */
import { type ByHand, isInstead, toCommands } from './aws-commands.ts';
import { type Chat, toChat } from './chat-notice.ts';
import { type Link, type Named, type Place, toLinks } from './console-links.ts';
import { runbookFor } from './runbook.ts';
import { bytesOf, most } from './size.ts';

export type Severity = 'info' | 'warning' | 'critical';

export interface NoticeFacts extends Partial<Named> {
  readonly service: string;
  /** The kind of the record that it tells of; `controller` for what concerns every service. */
  readonly kind: string;
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
  /** What to do, or to look at, with the AWS CLI alone. */
  readonly byHand?: readonly ByHand[];
  /** The section of the runbook, where the outcome is too coarse. */
  readonly section?: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** Its place in the trail of `service`; a test, and a pause of everything that ended by itself, have none. */
  readonly trail?: { readonly number: number; readonly headHash: string };
}

/** A notice that has not been published for certain. Its facts are those of the write that made it. */
export interface OutboxEntry extends NoticeFacts {
  readonly dedupeId: string;
  /** Ends of episodes and calls for a human are never dropped to make room (P23). */
  readonly keep: boolean;
  readonly description?: string;
  readonly contacts?: readonly string[];
  /** The words of a version that stored no facts: they are told as they are. */
  readonly asWritten?: { readonly subject: string; readonly text: string };
}

const maxLines = 40;
const maxLine = 500;
/** Of all lines together. */
const maxText = 6_000;

const cut = (text: string, most: number) => (text.length <= most ? text : `${text.slice(0, most - 1)}…`);

/** The first lines that have room; the last says where the rest is. */
function bounded(lines: readonly string[]): readonly string[] {
  const kept: string[] = [];
  let room = maxText;
  for (const line of lines.slice(0, maxLines).map((each) => cut(each, maxLine))) {
    room -= line.length;
    if (room < 0) break;
    kept.push(line);
  }
  const dropped = lines.length - kept.length;
  return dropped > 0 ? [...kept, `… ${dropped} more lines in the trail`] : kept;
}

/** What is too large is in the record, whole. */
function small(data: NoticeFacts['data']): NoticeFacts['data'] {
  const size = bytesOf(data);
  return size <= most.noticeData ? data : { omitted: `${size} bytes; they are in the trail` };
}

/** The facts as they are stored until they are published: bounded, because the item is (P7). */
export function toNotice(
  facts: NoticeFacts,
  dedupeId: string,
  keep: boolean,
  state: { readonly declared: string },
): OutboxEntry {
  const { description, contacts } = JSON.parse(state.declared) as {
    description?: string;
    contacts?: readonly string[];
  };
  return {
    ...facts,
    headline: cut(facts.headline, maxLine),
    lines: bounded(facts.lines),
    next: facts.next.map((each) => cut(each, maxLine)),
    data: small(facts.data),
    dedupeId,
    keep,
    ...(description && { description }),
    ...(contacts && contacts.length > 0 && { contacts }),
  };
}

/** A notice for everyone who subscribes, each in the form that his kind of subscription reads. */
export interface Publication {
  readonly subject: string;
  /** For people: an email, and whatever has no form of its own. */
  readonly text: string;
  /** For a phone: one line. */
  readonly line: string;
  /** For programs: docs/schema/notice.schema.json. */
  readonly program: Program;
  /** For Slack and Teams, as AWS's chat integration reads it. */
  readonly chat: Chat;
  /** What a subscription filters by. */
  readonly attributes: Readonly<Record<string, string>>;
}

/** Facts that programs read; a change of them needs another `version`. */
export interface Program {
  readonly version: 1;
  readonly dedupeId: string;
  /** `*` stands for every service. */
  readonly service: string;
  readonly kind: string;
  readonly outcome: string;
  readonly severity: Severity;
  readonly needsHuman: boolean;
  readonly at: string;
  readonly account: string;
  readonly region: string;
  readonly headline: string;
  readonly description: string | null;
  readonly contacts: readonly string[];
  readonly next: readonly string[];
  readonly commands: readonly string[];
  readonly links: readonly Link[];
  readonly runbook: string | null;
  readonly trail: { readonly number: number; readonly headHash: string } | null;
  readonly data: Readonly<Record<string, unknown>>;
  /** The same as an email says, for whoever hands it on to people. */
  readonly text: string;
}

/** SNS takes at most 100 printable ASCII characters in a subject. */
const maxSubject = 100;
/** One text message of the plainest alphabet. */
const maxSms = 160;

const ascii = (text: string) => text.replace(/[^\x20-\x7e]/g, '?');
const short = (text: string, most: number) => (text.length <= most ? text : `${text.slice(0, most - 3)}...`);

/** A person has to do something: nothing that the controller does by itself will end it. */
export const needsHuman = ({ severity }: Pick<NoticeFacts, 'severity'>) => severity === 'critical';

const titled = (title: string, lines: readonly string[], indent = '  ') =>
  lines.length === 0 ? [] : ['', title, ...lines.map((each) => `${indent}${each}`)];

/** Nobody should have to work against the controller. */
const pauseFirst = ({ service, byHand = [] }: NoticeFacts) =>
  byHand.some(isInstead) ? [`eni-failover pause ${service} --for 1h --reason 'by hand'`] : [];

/** Everything that is published of a notice. Pure: every copy of it says the same. */
export function toPublication(entry: OutboxEntry, place: Place): Publication {
  const { service, kind, outcome, severity, headline, next, trail, description, contacts = [] } = entry;
  const at = new Date(entry.atMs).toISOString();
  const flag = severity === 'info' ? '' : `${severity.toUpperCase()}: `;
  const whose = service === '*' ? 'all services' : service;
  const named = { instances: entry.instances ?? [], enis: entry.enis ?? [], alarms: entry.alarms ?? [] };
  const links = toLinks(named, place);
  const commands = [...pauseFirst(entry), ...toCommands(entry.byHand ?? [], place.region)];
  const runbook = runbookFor(entry.section ?? outcome) ?? null;

  const written = [
    `${flag}${whose}: ${headline}`,
    ...(description ? [description] : []),
    '',
    ...entry.lines,
    ...titled('What to do:', next),
    ...titled('By hand, with the AWS CLI:', commands),
    ...titled(
      'In the console:',
      links.map((each) => each.url),
    ),
    ...(runbook ? ['', `Runbook: ${runbook}`] : []),
    ...(contacts.length > 0 ? ['', `Contacts: ${contacts.join(', ')}`] : []),
    '',
    `At ${at}`,
    `In ${place.region}, account ${place.account}`,
    ...(trail ? [`Trail #${trail.number}, head ${trail.headHash}`] : []),
  ].join('\n');
  const { subject, text } = entry.asWritten ?? {
    subject: `[eni-failover] ${flag}${whose}: ${headline}`,
    text: written,
  };

  const program: Program = {
    version: 1,
    dedupeId: entry.dedupeId,
    service,
    kind,
    outcome,
    severity,
    needsHuman: needsHuman(entry),
    at,
    account: place.account,
    region: place.region,
    headline,
    description: description ?? null,
    contacts,
    next,
    commands,
    links,
    runbook,
    trail: trail ?? null,
    // An older version stored some that no topic takes.
    data: small(entry.data),
    text,
  };
  const attributes = {
    service,
    kind,
    outcome,
    severity,
    needsHuman: String(program.needsHuman),
    dedupeId: entry.dedupeId,
    account: place.account,
    region: place.region,
  };
  return {
    subject: short(ascii(subject), maxSubject),
    text,
    line: short(ascii([`${flag}${whose}: ${headline}`, ...next.slice(0, 1)].join('. ')), maxSms),
    program,
    chat: toChat(program, entry.lines, named, place),
    // SNS refuses an attribute without a value.
    attributes: Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== '')),
  };
}

/** SNS's message for several kinds of subscription at once: docs/notices.md says who gets which. */
export function toMessage({ text, line, program, chat }: Publication): string {
  const json = JSON.stringify(program);
  const forChat = JSON.stringify(chat);
  return JSON.stringify({
    default: text,
    'email-json': json,
    sms: line,
    sqs: json,
    lambda: json,
    firehose: json,
    http: json,
    https: forChat,
  });
}
