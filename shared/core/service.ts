/** What a person declares about a service. Unknown keys are errors: a typo must not become a default. */
import * as v from 'valibot';
import { AlarmArnSchema, EniIdSchema, InstanceIdSchema, ServiceNameSchema } from './ids.ts';

const unitMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 };

/** `90s`, `3m` or `1h`, parsed to milliseconds. */
export const DurationSchema = v.pipe(
  v.string(),
  v.regex(/^\d{1,5}[smh]$/, 'must be a number and a unit, such as 90s, 3m or 1h'),
  v.transform((text) => Number(text.slice(0, -1)) * (unitMs[text.slice(-1)] ?? Number.NaN)),
);

const InterfaceSchema = v.strictObject({
  eni: EniIdSchema,
  deviceIndex: v.pipe(v.number(), v.integer(), v.minValue(1, 'must be 1 or more: index 0 is the primary')),
  networkCardIndex: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)), 0),
});

const MemberSchema = v.strictObject({
  instance: InstanceIdSchema,
  /** All of them must be OK before this member may take the interfaces. */
  readyWhen: v.optional(v.array(AlarmArnSchema), []),
});

const SignalsSchema = v.strictObject({
  statusChecks: v.optional(v.boolean(), true),
  stateChanges: v.optional(v.boolean(), true),
  /** Alarms that mean "the service has failed"; with `member`, only while that member is the holder. */
  alarms: v.optional(
    v.array(v.strictObject({ arn: AlarmArnSchema, member: v.exactOptional(InstanceIdSchema) })),
    [],
  ),
});

const PolicySchema = v.strictObject({
  mode: v.optional(v.picklist(['act', 'observe']), 'act'),
  /** How long a check must have been impaired to count without an alarm. */
  confirm: v.optional(DurationSchema, '3m'),
  budgetPerHour: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(60)), 3),
  /** How long an application-alarm failover detaches plainly before it forces. */
  plainDetach: v.optional(DurationSchema, '5s'),
  quarantine: v.optional(v.picklist(['until-acknowledged', 'until-healthy']), 'until-acknowledged'),
  /** How long a quarantined member must be healthy and ready where the quarantine ends by itself. */
  quarantineFor: v.optional(DurationSchema, '10m'),
});

function repeated(values: readonly string[]): string[] {
  return [...new Set(values.filter((value, index) => values.indexOf(value) !== index))];
}

/** A declaration as people write it. At most 15 interfaces: no instance type carries more that matter. */
export const DeclarationSchema = v.pipe(
  v.strictObject({
    name: ServiceNameSchema,
    description: v.exactOptional(v.pipe(v.string(), v.maxLength(500))),
    contacts: v.optional(v.pipe(v.array(v.pipe(v.string(), v.maxLength(200))), v.maxLength(10)), []),
    interfaces: v.pipe(
      v.array(InterfaceSchema),
      v.minLength(1, 'must name at least one interface'),
      v.maxLength(15, 'must name at most 15 interfaces'),
    ),
    members: v.pipe(v.array(MemberSchema), v.maxLength(20, 'must name at most 20 members')),
    signals: v.optional(SignalsSchema, {}),
    policy: v.optional(PolicySchema, {}),
  }),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const { interfaces, members, signals } = dataset.value;
    const complain = (message: string) => addIssue({ message });
    for (const eni of repeated(interfaces.map((each) => each.eni)))
      complain(`interfaces: ${eni} is named twice`);
    for (const slot of repeated(interfaces.map((each) => `${each.networkCardIndex}/${each.deviceIndex}`)))
      complain(`interfaces: two take network card/device index ${slot}; each needs its own`);
    for (const id of repeated(members.map((each) => each.instance)))
      complain(`members: ${id} is named twice`);
    for (const alarm of signals.alarms)
      if (alarm.member && !members.some((each) => each.instance === alarm.member))
        complain(`signals.alarms: ${alarm.member} is not one of the members`);
  }),
);
export type Declaration = v.InferOutput<typeof DeclarationSchema>;
export type DeclaredInterface = Declaration['interfaces'][number];
export type Member = Declaration['members'][number];

/** A place in a schema, as far as it can be asked what belongs there. */
interface Place {
  readonly wrapped?: Place;
  readonly item?: Place;
  readonly entries?: Readonly<Record<string, Place>>;
  readonly pipe?: readonly { readonly message?: unknown }[];
}

function placeAt(schema: Place | undefined, path: readonly { readonly key?: unknown }[]): Place | undefined {
  let place = schema;
  for (const { key } of path) {
    const part = typeof key === 'number' ? place?.item : place?.entries?.[String(key)];
    place = part?.wrapped ?? part;
  }
  return place;
}

/** How many letters differ, two that changed places counting as one. */
function distance(a: string, b: string): number {
  const rows: number[][] = [];
  const at = (i: number, j: number) => (i < 0 || j < 0 ? i + j + 2 : (rows[i]?.[j] ?? 0));
  for (let i = 0; i < a.length; i += 1) {
    const row: number[] = [];
    rows.push(row);
    for (let j = 0; j < b.length; j += 1) {
      const swapped = i > 0 && j > 0 && a[i] === b[j - 1] && a[i - 1] === b[j];
      row.push(
        Math.min(
          at(i - 1, j) + 1,
          at(i, j - 1) + 1,
          at(i - 1, j - 1) + Number(a[i] !== b[j]),
          swapped ? at(i - 2, j - 2) + 1 : Number.POSITIVE_INFINITY,
        ),
      );
    }
  }
  return at(a.length - 1, b.length - 1);
}

const bare = (key: string) => key.toLowerCase().replace(/[^a-z]/g, '');

/** The known key that was probably meant; undefined when none is near. */
function nearestKey(key: string, known: readonly string[]): string | undefined {
  const word = bare(key);
  const begins = (other: string) =>
    Math.min(word.length, other.length) >= 3 && (other.startsWith(word) || word.startsWith(other));
  const [best] = known
    .map((each) => ({ each, off: begins(bare(each)) ? 0 : distance(word, bare(each)) }))
    .sort((a, b) => a.off - b.off);
  return best && best.off <= Math.max(1, Math.floor(word.length / 3)) ? best.each : undefined;
}

const types: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  boolean: 'true or false',
  Array: 'a list',
  Object: 'a map',
};

function problemOf(issue: v.BaseIssue<unknown>, schema: Place | undefined): string {
  const path = issue.path ?? [];
  const dotted = v.getDotPath(issue);
  const { expected, received, message } = issue;
  // What a check over several fields complains of names its fields itself.
  if (!dotted && issue.kind !== 'schema') return message;
  const at = dotted ?? 'declaration';
  if (issue.type === 'strict_object' && expected === 'never') {
    const known = Object.keys(placeAt(schema, path.slice(0, -1))?.entries ?? {});
    const nearest = nearestKey(String(path.at(-1)?.key), known);
    const help = nearest ? `did you mean ${nearest}?` : `known here: ${known.join(', ')}`;
    return `${at}: is not a known key; ${known.length > 0 ? help : 'remove it or correct its spelling'}`;
  }
  const place = placeAt(schema, path);
  const rule = place?.pipe?.map((each) => each.message).find((each) => typeof each === 'string');
  if (received === 'undefined') return `${at}: is missing; it ${rule ?? 'has to be there'}`;
  const isLength = issue.type.endsWith('_length');
  const value = received === 'null' ? 'empty' : (types[received] ?? received.slice(0, 80));
  const shown = `${isLength ? 'has' : 'is'} ${value}`;
  if (issue.kind !== 'schema') {
    const isDefault = message.startsWith('Invalid ');
    const wanted = `must ${isLength ? 'have a length of' : 'be'} ${expected ?? 'a whole number'}`;
    return `${at}: ${isDefault ? wanted : message} (${shown})`;
  }
  const keys = expected === 'Object' && place?.entries ? ` of ${Object.keys(place.entries).join(', ')}` : '';
  const type = types[expected ?? ''] ?? (expected ?? '?').replace(/[()]/g, '').replaceAll(' | ', ' or ');
  return `${at}: must be ${type}${keys} (${shown})${rule && expected === 'string' ? `; it ${rule}` : ''}`;
}

/**
 * Where each schema issue is, what is there and what would be right, one sentence each. With the schema at
 * hand, an unknown key names the nearest known one and a missing value what it would have to look like.
 */
export function problemsOf(issues: readonly v.BaseIssue<unknown>[], schema?: v.GenericSchema): string[] {
  return issues.map((issue) => problemOf(issue, schema as Place | undefined));
}

export type ParsedDeclaration =
  | { readonly kind: 'declared'; readonly declaration: Declaration }
  | { readonly kind: 'invalid'; readonly problems: readonly string[] };

/** Reads what is stored. A service without members is understood, so that it can be refused with its reason. */
export function parseStoredDeclaration(raw: unknown): ParsedDeclaration {
  const result = v.safeParse(DeclarationSchema, raw);
  return result.success
    ? { kind: 'declared', declaration: result.output }
    : { kind: 'invalid', problems: problemsOf(result.issues, DeclarationSchema) };
}

/** Reads what people declare. Never throws: what is wrong with it is an answer, not an accident. */
export function parseDeclaration(raw: unknown): ParsedDeclaration {
  const parsed = parseStoredDeclaration(raw);
  return parsed.kind === 'declared' && parsed.declaration.members.length === 0
    ? {
        kind: 'invalid',
        problems: ['members: must name at least one member, the preferred one first (has none)'],
      }
    : parsed;
}
