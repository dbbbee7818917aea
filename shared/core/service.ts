/** What a person declares about a service. Unknown keys are errors: a typo must not become a default. */
import * as v from 'valibot';
import { AlarmArnSchema, EniIdSchema, InstanceIdSchema, ServiceNameSchema } from './ids.ts';
import { problemsOf } from './problems.ts';
import { bytesOf, most } from './size.ts';
import { times } from './times.ts';

const unitMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 };

const toMs = (text: string) => Number(text.slice(0, -1)) * (unitMs[text.slice(-1)] ?? Number.NaN);
const isDuration = v.regex<string, string>(
  /^\d{1,5}[smh]$/,
  'must be a number and a unit, such as 90s, 3m or 1h',
);

/** `90s`, `3m` or `1h`, parsed to milliseconds. */
export const DurationSchema = v.pipe(v.string(), isDuration, v.transform(toMs));

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

const DocumentSchema = v.strictObject({
  /** An SSM document of this account, or one of AWS's own. */
  document: v.pipe(
    v.string(),
    v.regex(/^[\w.-]{3,128}$/, 'must be the name of an SSM document, as HookDocuments names it'),
  ),
  on: v.picklist(['source', 'target']),
  /** What it is given, by its own parameter names; `@token@` and its like are filled in (stages.ts). */
  parameters: v.optional(v.record(v.string(), v.pipe(v.array(v.string()), v.maxLength(50))), {}),
});
const FunctionSchema = v.strictObject({
  function: v.pipe(v.string(), v.regex(/^[\w:-]{1,170}$/, 'must be the name or ARN of a Lambda function')),
});

const isMap = (input: unknown): input is object => typeof input === 'object' && input !== null;

/** One of two shapes, told apart by the key that only one of them has: so that what is wrong is said of that one. */
function eitherBy<A extends v.GenericSchema, B extends v.GenericSchema>(
  [one, first]: readonly [key: string, schema: A],
  [other, second]: readonly [key: string, schema: B],
) {
  const neither = v.pipe(
    v.custom<never>(isMap),
    v.check(
      () => false,
      ({ input }: { readonly input: object }) =>
        `must have ${one} or ${other}${one in input ? ', not both' : ''}`,
    ),
  );
  const schema = v.lazy((input): A | B | typeof neither => {
    if (!isMap(input)) return first;
    if (one in input === other in input) return neither;
    return one in input ? first : second;
  });
  // For whoever wants to know without an input, such as the JSON schema in docs/.
  return Object.assign(schema, { alternatives: [first, second] });
}

const CommandSchema = eitherBy(['document', DocumentSchema], ['function', FunctionSchema]);

/** How long a stage around the move may take: long enough for one look, and an outage that a person still understands. */
const PatienceSchema = v.pipe(
  v.string(),
  isDuration,
  v.check((text) => !(toMs(text) < 5_000), 'must be 5s or more'),
  v.check((text) => !(toMs(text) > 900_000), 'must be 15m or less'),
  v.transform(toMs),
);

const frame = { deadline: v.optional(PatienceSchema, '60s') };
const beforeFrame = {
  ...frame,
  /** `back` exists only in planned moves: nothing is moved, and what was begun is undone. */
  onFailure: v.optional(v.picklist(['page', 'proceed', 'back']), 'page'),
  undo: v.exactOptional(CommandSchema),
};
const afterFrame = { ...frame, onFailure: v.optional(v.picklist(['page', 'proceed']), 'page') };
const hookList = <T extends v.GenericSchema>(hook: T) =>
  v.optional(v.pipe(v.array(hook), v.maxLength(5, 'must name at most 5 hooks')), []);

const HooksSchema = v.strictObject({
  /** Before anything is detached, in this order. */
  before: hookList(
    eitherBy(
      ['document', v.strictObject({ ...DocumentSchema.entries, ...beforeFrame })],
      ['function', v.strictObject({ ...FunctionSchema.entries, ...beforeFrame })],
    ),
  ),
  /** Once every interface was seen on the target, in this order. */
  after: hookList(
    eitherBy(
      ['document', v.strictObject({ ...DocumentSchema.entries, ...afterFrame })],
      ['function', v.strictObject({ ...FunctionSchema.entries, ...afterFrame })],
    ),
  ),
});

const within = v.optional(PatienceSchema, '2m');
const ServingSchema = eitherBy(
  /** Must be OK within that time. */
  ['alarm', v.strictObject({ alarm: AlarmArnSchema, within })],
  /** Must succeed within that time; asked again until it does. */
  ['check', v.strictObject({ check: CommandSchema, within })],
);

/** Automatic after the preferred member has been eligible for so long; never sooner than a person would be allowed to. */
const AutomaticSchema = v.strictObject({
  after: v.pipe(
    v.string(),
    isDuration,
    v.check((text) => !(toMs(text) < times.failbackAfterMs), 'must be 10m or more'),
    v.transform(toMs),
  ),
});
const ManualSchema = v.picklist(['manual'], 'must be manual, or after: with a time, such as 30m');
const FailbackSchema = Object.assign(
  v.lazy((input) => (isMap(input) ? AutomaticSchema : ManualSchema)),
  { alternatives: [ManualSchema, AutomaticSchema] },
);

const AnnouncementPolicySchema = v.optional(v.picklist(['notify', 'switchover']), 'notify');

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
  /** `stop`: nothing is detached from a failed member before EC2 shows it stopped. */
  fence: v.optional(v.picklist(['none', 'stop']), 'none'),
  fenceTimeout: v.optional(PatienceSchema, '2m'),
  onFenceTimeout: v.optional(v.picklist(['page', 'proceed']), 'page'),
  /** Back to the preferred member: when an operator asks for it, or by itself. */
  failback: v.optional(FailbackSchema, 'manual'),
  onSpotInterruption: AnnouncementPolicySchema,
  onRebalance: AnnouncementPolicySchema,
  onRetirement: AnnouncementPolicySchema,
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
    hooks: v.optional(HooksSchema, {}),
    serving: v.exactOptional(ServingSchema),
    policy: v.optional(PolicySchema, {}),
  }),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const { interfaces, members, signals, serving } = dataset.value;
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
    const check = serving && 'check' in serving ? serving.check : undefined;
    if (check && 'on' in check && check.on === 'source')
      complain('serving.check.on: must be target: only who has the interfaces can say whether it serves');
  }),
);
export type Declaration = v.InferOutput<typeof DeclarationSchema>;
export type DeclaredInterface = Declaration['interfaces'][number];
export type Member = Declaration['members'][number];
/** What a hook or a check does: an SSM document on a member, or a Lambda function. */
export type Command = v.InferOutput<typeof DocumentSchema> | v.InferOutput<typeof FunctionSchema>;
/** A hook on either side of the move; only those before it can go back and be undone. */
export type Hook = Command & {
  readonly deadline: number;
  readonly onFailure: 'page' | 'proceed' | 'back';
  readonly undo?: Command;
};

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
  const size = bytesOf(raw);
  if (size > most.declaration) {
    const wayOut = 'keep what hooks are given (parameters, payloads) elsewhere, and pass where it is';
    return {
      kind: 'invalid',
      problems: [`declaration: has ${size} bytes of JSON; at most ${most.declaration} are taken: ${wayOut}`],
    };
  }
  const parsed = parseStoredDeclaration(raw);
  return parsed.kind === 'declared' && parsed.declaration.members.length === 0
    ? {
        kind: 'invalid',
        problems: ['members: must name at least one member, the preferred one first (has none)'],
      }
    : parsed;
}
