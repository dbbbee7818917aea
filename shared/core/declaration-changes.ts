/** What differs between two declarations of a service, spelled out for people: old value, new value. Pure. */
import type { Declaration } from './service.ts';
import { canonical } from './trail.ts';

/** A declaration as it was written, beside what it means. */
export interface Declared {
  readonly written: unknown;
  readonly declaration: Declaration;
}

const isSame = (one: unknown, other: unknown) => canonical(one) === canonical(other);

/** As it was written; what was left out is the default. */
function spelled({ written, declaration }: Declared, part: 'policy' | 'signals', key: string): string {
  const values = (written as Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>>)[part];
  const value = values?.[key];
  if (value === undefined) {
    const meant = (declaration[part] as Readonly<Record<string, unknown>>)[key];
    // A number may be a duration, which nobody reads in milliseconds.
    return typeof meant === 'string' || typeof meant === 'boolean' ? `the default (${meant})` : 'the default';
  }
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function keysOf(before: Declared, after: Declared, part: 'policy' | 'signals'): readonly string[] {
  const [old, now] = [before, after].map((each) => each.declaration[part] as Record<string, unknown>);
  return Object.keys({ ...old, ...now })
    .filter((key) => !isSame(old?.[key], now?.[key]))
    .map((key) => `${part}.${key}: ${spelled(before, part, key)} → ${spelled(after, part, key)}`);
}

function addedAndRemoved(
  what: string,
  before: readonly string[],
  after: readonly string[],
): readonly string[] {
  const added = after.filter((each) => !before.includes(each));
  const removed = before.filter((each) => !after.includes(each));
  const isReordered =
    added.length + removed.length === 0 && before.some((each, index) => each !== after[index]);
  return [
    ...added.map((each) => `${what} added: ${each}`),
    ...removed.map((each) => `${what} removed: ${each}`),
    ...(isReordered ? [`${what}s in another order: ${after.join(', ')}`] : []),
  ];
}

/** Empty when both mean the same. */
export function changesBetween(before: Declared, after: Declared): readonly string[] {
  const [old, now] = [before.declaration, after.declaration];
  const placed = ({ interfaces }: Declaration) =>
    interfaces.map(
      ({ eni, deviceIndex, networkCardIndex }) =>
        `${eni} at device index ${deviceIndex} of network card ${networkCardIndex}`,
    );
  const readyWhen = now.members.flatMap(({ instance, readyWhen: alarms }) => {
    const member = old.members.find((each) => each.instance === instance);
    return member && !isSame(member.readyWhen, alarms)
      ? [`readyWhen of ${instance}: ${alarms.join(', ') || 'nothing'}`]
      : [];
  });
  const whole = (['hooks', 'serving', 'description', 'contacts'] as const).filter(
    (key) => !isSame(old[key], now[key]),
  );
  return [
    ...addedAndRemoved('interface', placed(old), placed(now)),
    ...addedAndRemoved(
      'member',
      old.members.map((each) => each.instance),
      now.members.map((each) => each.instance),
    ),
    ...readyWhen,
    ...keysOf(before, after, 'signals'),
    ...keysOf(before, after, 'policy'),
    ...whole.map((key) => `${key} changed`),
  ];
}
