/** What would happen now, as a person reads it: who could take the interfaces, what would be done, what stands against it. */
import type { Ahead, Obstacle } from '../shared/app/plan-ahead.ts';
import { type Line, sheet, type Terminal, timeOf } from './output.ts';
import type { Say } from './service-view.ts';

/** Hints are there to be pasted: as the command line is called here. */
export const pasted = (command: string, say: Say) =>
  command.startsWith('eni-failover ') ? say(command.slice('eni-failover '.length)) : command;

/** Of a service that is down: since when, where its interfaces are, and what is tried next. Undefined for all others. */
export function strandedText({ stranded, wouldMove, target }: Ahead): string | undefined {
  if (!stranded) return undefined;
  const { since, where, tries } = stranded;
  const next = wouldMove ? `next try to ${target}` : 'nothing can be tried now';
  return `STRANDED since ${timeOf(Date.parse(since))}, ${where}; tried ${tries} time${tries === 1 ? '' : 's'}; ${next}`;
}

const reasonLine = ({ code, detail, wayOut, member }: Obstacle): Line => ({
  label: code,
  // A detail names the member where it is about one.
  text: `${member && !detail.includes(member) ? `${member}: ` : ''}${detail} → ${wayOut}`,
  style: 'yellow',
});

interface HolderSeen {
  readonly member: string;
  readonly refusals: readonly { readonly code: string; readonly detail: string }[];
}

const failures: ReadonlySet<string> = new Set(['CHECKS_FAILED', 'NOT_RUNNING', 'NO_SUCH_MEMBER']);

/** Of the holder it only counts whether it has failed: whatever else would keep it from taking them, it has them. */
export function holderLine({ member, refusals }: HolderSeen): Line {
  const why = refusals.filter(({ code }) => failures.has(code)).map(({ detail }) => detail);
  if (why.length === 0) return { label: 'holder', subject: member, text: '' };
  return { label: 'holder', subject: member, text: `failed: ${why.join('; ')}`, style: 'red' };
}

function memberLine(each: Ahead['members'][number]): Line {
  const { member, role, eligible, refusals } = each;
  if (role === 'holder') return holderLine(each);
  const text = eligible ? 'eligible' : refusals.map((each) => each.code).join(', ');
  return { label: 'standby', subject: member, text, style: eligible ? 'green' : 'yellow' };
}

/** Why it would not be done, and what helps; nothing where nothing stands against it. */
export function obstaclesText({ reasons }: Pick<Ahead, 'reasons'>, terminal: Terminal): string[] {
  const commands = [...new Set(reasons.flatMap(({ command }) => command ?? []))];
  return [
    ...(reasons.length > 0 ? ['', 'Why not', sheet(reasons.map(reasonLine), terminal)] : []),
    // Never wrapped: they are there to be copied.
    ...(commands.length > 0 ? ['', 'Ways out', ...commands.map((each) => `  ${each}`)] : []),
  ];
}

/** `more` comes behind the steps: what only the one who asks knows. */
export function planText(
  plan: Ahead,
  headline: string,
  terminal: Terminal,
  more: readonly Line[] = [],
): string {
  const steps = plan.steps.map(({ step, what }): Line => ({ label: step, text: what }));
  const will = plan.wouldMove ? [...steps, ...more, { label: 'interrupts', text: plan.interrupts }] : [];
  return [
    headline,
    ...obstaclesText(plan, terminal),
    '',
    sheet(plan.members.map(memberLine), terminal),
    ...(will.length > 0 ? ['', 'What will happen', sheet(will, terminal)] : []),
  ].join('\n');
}
