/** Reads what waits in an outbox: whatever wrote it, people are told, and no notice makes its service unreadable (P23). */
import * as v from 'valibot';
import { type ByHand, isByHand } from './aws-commands.ts';
import type { OutboxEntry } from './notice.ts';

const text = v.string();
const texts = v.array(text);
/** The last moment that has a date. */
const lastMs = 8.64e15;
const about = {
  dedupeId: text,
  atMs: v.pipe(v.number(), v.minValue(0), v.maxValue(lastMs)),
  keep: v.boolean(),
};
const severity = v.picklist(['info', 'warning', 'critical']);

const EntrySchema: v.GenericSchema<unknown, OutboxEntry> = v.object({
  ...about,
  service: text,
  kind: text,
  outcome: text,
  severity,
  headline: text,
  lines: texts,
  next: texts,
  byHand: v.exactOptional(v.array(v.custom<ByHand>(isByHand))),
  section: v.exactOptional(text),
  instances: v.exactOptional(texts),
  enis: v.exactOptional(texts),
  alarms: v.exactOptional(texts),
  data: v.record(text, v.unknown()),
  trail: v.exactOptional(
    v.object({ number: v.pipe(v.number(), v.integer(), v.minValue(0)), headHash: text }),
  ),
  description: v.exactOptional(text),
  contacts: v.exactOptional(texts),
  asWritten: v.exactOptional(v.object({ subject: text, text })),
});

/** As version 0.1 stored it: finished words, and of the facts only what subscriptions filter by. */
const OlderSchema = v.object({
  ...about,
  subject: text,
  body: text,
  attributes: v.object({ service: text, outcome: text, severity }),
});

function ofOlder({ subject, body, attributes, ...rest }: v.InferOutput<typeof OlderSchema>): OutboxEntry {
  const [people = ''] = body.split('\n--- the same for programs ---\n');
  const [first = '', ...lines] = people.split('\n').filter((line) => line !== '');
  return {
    ...rest,
    ...attributes,
    // Of an episode it ends in the outcome, of everything else in the kind and the record's number.
    kind: /\.([a-z-]+)\.\d+$/.exec(rest.dedupeId)?.[1] ?? 'episode',
    headline: first.split(`${attributes.service}: `).slice(1).join(`${attributes.service}: `) || first,
    lines,
    next: [],
    data: {},
    asWritten: { subject, text: body },
  };
}

const maxStored = 4_000;

/** The same for the same text, so that it is cleared by the name under which it was told. */
const nameOf = (json: string) =>
  [...json].reduce((sum, sign) => (Math.imul(sum, 31) + (sign.codePointAt(0) ?? 0)) >>> 0, 0).toString(36);

/** It may have called a person, and nobody can say that it did not: so this does. */
function unreadable(value: unknown, service: string): OutboxEntry {
  const json = JSON.stringify(value) ?? String(value);
  const { atMs } = (value ?? {}) as { readonly atMs?: unknown };
  const cut = json.length > maxStored ? ` (the first ${maxStored} of ${json.length} characters)` : '';
  return {
    dedupeId: `${service}.NOTICE_UNREADABLE.${nameOf(json)}`,
    atMs: typeof atMs === 'number' && atMs >= 0 && atMs <= lastMs ? atMs : 0,
    keep: true,
    service,
    kind: 'observed',
    outcome: 'NOTICE_UNREADABLE',
    severity: 'critical',
    headline: 'a notice that waited could not be understood; what it was about is not known',
    lines: [`As it was stored${cut}: ${json.slice(0, maxStored)}`],
    next: [`eni-failover history ${service}`],
    data: { stored: json.slice(0, maxStored), characters: json.length },
  };
}

/** Total: what is no notice becomes one that says so, for a service that nobody can read is not failed over. */
export function parseNotice(value: unknown, service: string): OutboxEntry {
  const entry = v.safeParse(EntrySchema, value);
  if (entry.success) return entry.output;
  const older = v.safeParse(OlderSchema, value);
  return older.success ? ofOlder(older.output) : unreadable(value, service);
}
