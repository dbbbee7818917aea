/** A notice as AWS's chat integration (Amazon Q Developer in chat applications) shows it in Slack and Teams. */
import { type Named, type Place, toArns } from './console-links.ts';
import type { Program, Severity } from './notice.ts';

/** The integration's custom notification; anything else that is published it drops without a word. */
export interface Chat {
  readonly version: '1.0';
  readonly source: 'custom';
  readonly id: string;
  readonly content: {
    readonly textType: 'client-markdown';
    readonly title: string;
    readonly description: string;
    readonly nextSteps: readonly string[];
    readonly keywords: readonly string[];
  };
  readonly metadata: {
    /** Notices with the same one are shown as one thread. */
    readonly threadId: string;
    readonly summary: string;
    readonly eventType: string;
    readonly relatedResources: readonly string[];
    readonly additionalContext: Readonly<Record<string, string>>;
  };
}

/** Slack shows at most 3,000 characters in one block, and 150 in a header. */
const maxDescription = 2_900;
const maxTitle = 150;
const maxStep = 300;
const maxSteps = 10;

const marks: Readonly<Record<Severity, string>> = { critical: '🔴', warning: '🟠', info: '🟢' };

/** What EC2 or a hook says is text: it mentions nobody and formats nothing, in Slack or in Teams. */
const plain = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('`', "'");

const cut = (text: string, most: number) => (text.length <= most ? text : `${text.slice(0, most - 1)}…`);

/** As many lines as fit; one more says how many do not. */
function fitting(lines: readonly string[], room: number): readonly string[] {
  const rest = (count: number) => `… ${count} more in the mail`;
  const kept: string[] = [];
  let left = room - rest(lines.length).length - 1;
  for (const line of lines) {
    left -= line.length + 1;
    if (left < 0) break;
    kept.push(line);
  }
  return kept.length === lines.length ? kept : [...kept, rest(lines.length - kept.length)];
}

export function toChat(
  program: Program,
  lines: readonly string[],
  named: Named,
  { region, account, ...place }: Place,
): Chat {
  const { service, kind, outcome, severity, headline, description, trail } = program;
  const whose = service === '*' ? 'all services' : service;
  const told = fitting(
    [...(description ? [plain(description)] : []), ...lines.map((each) => `- ${plain(each)}`)],
    1_200,
  );
  const links = fitting(
    program.links.map((each) => `- ${each.url}`),
    600,
  );
  const fence = '```';
  const room = maxDescription - [...told, ...links].join('\n').length - 60;
  const commands = fitting(program.commands, room);
  const shown = [
    ...told,
    ...(commands.length > 0 ? ['', 'By hand, with the AWS CLI:', fence, ...commands, fence] : []),
    ...(links.length > 0 ? ['', ...links] : []),
  ].join('\n');
  const steps = [...program.next, ...(program.runbook ? [`Runbook: ${program.runbook}`] : [])];
  const context: Readonly<Record<string, string>> = {
    service,
    kind,
    outcome,
    severity,
    needsHuman: String(program.needsHuman),
    dedupeId: program.dedupeId,
    at: program.at,
    account,
    region,
    ...(trail && { trailNumber: String(trail.number), headHash: trail.headHash }),
  };
  return {
    version: '1.0',
    source: 'custom',
    id: program.dedupeId,
    content: {
      textType: 'client-markdown',
      title: cut(`${marks[severity]} ${plain(whose)}: ${plain(headline)}`, maxTitle),
      // An empty one is refused.
      description: shown === '' ? plain(headline) : shown,
      nextSteps: steps.slice(0, maxSteps).map((each) => cut(plain(each), maxStep)),
      keywords: [service, outcome, severity, region].filter((each) => each !== ''),
    },
    metadata: {
      threadId: [service, region, account].join('.'),
      summary: cut(`${whose}: ${headline}`, maxTitle),
      eventType: outcome,
      relatedResources: toArns(named, { region, account, ...place }),
      additionalContext: context,
    },
  };
}
