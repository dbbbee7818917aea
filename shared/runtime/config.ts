/** What a function takes from its environment, all problems named at once. */
import * as v from 'valibot';
import { InvalidInputError } from '../core/errors.ts';

const name = v.pipe(v.string(), v.nonEmpty('must not be empty'));

const ConfigSchema = v.object({
  STATE_TABLE: name,
  IDEMPOTENCY_TABLE: name,
  WORK_QUEUE_URL: v.pipe(v.string(), v.url('must be the URL of the work queue')),
  TOPIC_ARN: v.pipe(v.string(), v.startsWith('arn:', 'must be the ARN of the SNS topic')),
});
export type Config = v.InferOutput<typeof ConfigSchema>;

/** Throws {@link InvalidInputError} that names every variable that is missing or wrong. */
export function parseConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const result = v.safeParse(ConfigSchema, env);
  if (result.success) return result.output;
  throw new InvalidInputError(
    'the environment is incomplete',
    result.issues.map((issue) => `${v.getDotPath(issue)}: ${issue.message}`),
  );
}
