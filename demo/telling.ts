/** How the demo's lines look: the cast, the timeline, what is being waited for. Text in, text out. */
import type { Account } from './account.ts';
import { type Facts, underway } from './facts.ts';
import type { InterfaceView } from './identity.ts';
import type { Setting } from './run-scenario.ts';
import { type Look, type Style, widthOf, wrapped } from './screen.ts';
import { isFailover, type TimelineStep } from './timeline.ts';

export const seconds = (ms: number) => `${(ms / 1_000).toFixed(2)} s`;

const indent = '  ';
const timeWidth = 8;
const stepWidth = 12;
const tookWidth = 7;

const words = { plain: undefined, trouble: 'red', good: 'green' } as const;

/** `+0.47 s  detach  front from db-a, forced  0.21 s`; a text that does not fit goes on below itself. */
export function timelineLines(step: TimelineStep, sinceMs: number, look: Look): readonly string[] {
  const time = `+${seconds(step.atMs - sinceMs)}`.padStart(timeWidth);
  const took = step.durationMs < 5 ? '' : seconds(step.durationMs);
  const before = `${indent}${' '.repeat(timeWidth)}  ${' '.repeat(stepWidth)}  `;
  // A hundred seconds take a digit more.
  const overhang = Math.max(0, time.length - timeWidth) + Math.max(0, took.length - tookWidth);
  const textWidth = look.columns - before.length - tookWidth - 2 - overhang;
  const [first = '', ...rest] = wrapped(step.text, textWidth);
  const tone = words[step.tone];
  const name = step.step.replaceAll('-', ' ').slice(0, stepWidth).padEnd(stepWidth);
  const toned = (text: string) => (tone === undefined ? text : look.paint(tone, text));
  const head = `${indent}${look.paint('dim', time)}  ${toned(name)}  ${first}`;
  const gap = ' '.repeat(Math.max(0, textWidth - widthOf(first) + 2));
  return [
    took === '' ? head.trimEnd() : `${head}${gap}${look.paint('dim', took.padStart(tookWidth))}`,
    ...rest.map((line) => `${before}${line}`),
  ];
}

export function timelineHead(look: Look): string {
  const left = `${indent}${'time'.padStart(timeWidth)}  ${'step'.padEnd(stepWidth)}  what`;
  return look.paint('dim', `${left}${'took'.padStart(look.columns - left.length)}`);
}

export const heading = (text: string, look: Look) => look.paint('bold', text);

export const paragraph = (text: string, look: Look) => wrapped(text, look.columns);

const margin = 12;

/** A label in the margin, and lines beside it that wrap at the edge. */
export function labelled(
  label: string,
  texts: readonly string[],
  look: Look,
  style?: Style,
): readonly string[] {
  const lines = texts.flatMap((text) => wrapped(text, look.columns - indent.length - margin));
  return lines.map((line, index) => {
    const head =
      index === 0 ? `${look.paint('dim', label)}${' '.repeat(margin - label.length)}` : ' '.repeat(margin);
    return `${indent}${head}${style ? look.paint(style, line) : line}`;
  });
}

const addressesOf = (view: InterfaceView) =>
  [view.privateAddresses[0], view.privateAddresses.length > 1 && `+${view.privateAddresses.length - 1}`]
    .filter(Boolean)
    .join(' ');

/** Who is who: short names for the ids that everything below is about. */
export function cast(setting: Setting, look: Look): readonly string[] {
  const { account, before, registrations, prepared, latency } = setting;
  const holder = before[0]?.attachment?.instanceId;
  const interfaces = account.interfaces.map(({ name, eniId }) => {
    const view = before.find((each) => each.eniId === eniId);
    const elastic = view?.elasticIps.map((ip) => `, EIP ${ip}`).join('') ?? '';
    return `${name.padEnd(10)}  ${eniId}  ${view ? addressesOf(view) : ''}${elastic}`;
  });
  const members = account.members.map(({ host, instanceId, zone }) => {
    const role = instanceId === holder ? 'holder' : 'standby';
    return `${host.padEnd(10)}  ${instanceId}    ${zone}, ${role}`;
  });
  const registered = registrations.flatMap(({ kind, problems, warnings }) => [
    `eni-failover register ${account.service}.yaml: ${kind}`,
    ...[...problems, ...warnings].map((each) => `  ${account.named(each)}`),
  ]);
  const ec2 =
    latency === 'realistic'
      ? 'takes its time: detach 2–3 s, attach 1–2 s, a describe 50–150 ms'
      : 'answers at once (--latency instant)';
  const deeds = prepared.map((deed) => deed.text);
  return [
    ...labelled(account.service, interfaces, look),
    ...labelled('members', members, look),
    ...labelled('registered', registered, look),
    ...labelled('prepared', deeds, look),
    ...labelled('EC2', [ec2], look),
  ];
}

/** What takes the time just now. */
export function waitingFor(facts: Facts, account: Pick<Account, 'nameOf'>, nowMs: number): string {
  const moving = underway(facts).map(({ eniId, instanceId, status, sinceMs }) => {
    const where = `${status === 'attaching' ? 'to' : 'from'} ${account.nameOf(instanceId)}`;
    return `${account.nameOf(eniId)} ${status} ${where} ${((nowMs - sinceMs) / 1_000).toFixed(1)} s`;
  });
  if (moving.length > 0) return `EC2: ${moving.join(', ')}`;
  const isBusy = facts.invocations.some((each) => each.outcome === 'running' && isFailover(each.function));
  if (isBusy) return 'functions/failover is at work';
  const { item } = facts;
  if (item?.episode !== undefined) {
    const left = Math.max(0, ((item.lease?.untilMs ?? nowMs) - nowMs) / 1_000);
    return `nobody is at it; the lease of the one that died runs for ${left.toFixed(0)} s more`;
  }
  return 'waiting for what comes next';
}
