/** What a function takes from its environment, all problems named at once. */
import * as v from 'valibot';
import type { Allowed } from '../app/register.ts';
import { InvalidInputError } from '../core/errors.ts';

const name = v.pipe(v.string(), v.nonEmpty('must not be empty'));

/** What the stack's parameters switch on; only registration asks, and can do without. */
const onOrOff = v.optional(v.picklist(['off', 'on'], 'must be on or off'));

const ConfigSchema = v.object({
  STATE_TABLE: name,
  IDEMPOTENCY_TABLE: name,
  WORK_QUEUE_URL: v.pipe(v.string(), v.url('must be the URL of the work queue')),
  TOPIC_ARN: v.pipe(v.string(), v.startsWith('arn:', 'must be the ARN of the SNS topic')),
  FENCING: onOrOff,
  HOOK_DOCUMENTS: v.optional(v.string()),
  HOOK_FUNCTIONS: onOrOff,
});
export type Config = v.InferOutput<typeof ConfigSchema>;

/** What functions/audit takes: it has nothing else to reach. */
const AuditConfigSchema = v.object({ STATE_TABLE: name });
export type AuditConfig = v.InferOutput<typeof AuditConfigSchema>;

type Env = Readonly<Record<string, string | undefined>>;

function parse<T>(schema: v.GenericSchema<unknown, T>, env: Env): T {
  const result = v.safeParse(schema, env);
  if (result.success) return result.output;
  throw new InvalidInputError(
    'the environment is incomplete',
    result.issues.map((issue) => `${v.getDotPath(issue)}: ${issue.message}`),
  );
}

/** Throws {@link InvalidInputError} that names every variable that is missing or wrong. */
export const parseConfig = (env: Env): Config => parse(ConfigSchema, env);
/** The same for functions/audit. */
export const parseAuditConfig = (env: Env): AuditConfig => parse(AuditConfigSchema, env);

const isOn = (value: 'off' | 'on' | undefined) => (value === undefined ? undefined : value === 'on');

/** What the stack may do around a move. */
export function allowedBy({ FENCING, HOOK_DOCUMENTS, HOOK_FUNCTIONS }: Config): Allowed {
  return {
    fencing: isOn(FENCING),
    hookDocuments: HOOK_DOCUMENTS?.split(',').flatMap((each) => each.trim() || []),
    hookFunctions: isOn(HOOK_FUNCTIONS),
  };
}
