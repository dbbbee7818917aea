/** The words between operators' tools and functions/control: what a command's answer looks like, and what a reason is. */
import * as v from 'valibot';

/** Mandatory wherever something is changed: people read it in the notice and in the trail. */
export const ReasonSchema = v.pipe(
  v.string(),
  v.trim(),
  v.nonEmpty('must say why'),
  v.maxLength(500, 'must be at most 500 characters'),
  // It is shown on terminals, and in mail: whoever writes it must not write there anything else.
  v.check((text) => !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(text), 'must be one line, without control characters'),
);

const texts = v.array(v.string());
const facts = v.record(v.string(), v.unknown());
const about = { command: v.string(), service: v.nullable(v.string()), author: v.string() };

/** Done; what it brought to light is in `data`. */
const DoneSchema = v.object({
  kind: v.literal('done'),
  ...about,
  code: v.null(),
  detail: v.string(),
  data: facts,
});

/** Understood, and nothing was done. */
const RefusedSchema = v.object({
  kind: v.literal('refused'),
  ...about,
  code: v.string(),
  detail: v.string(),
  problems: texts,
  data: facts,
});

/** Not understood: no such command, or a body that is not what the command takes. */
const InvalidSchema = v.object({
  kind: v.literal('invalid'),
  command: v.nullable(v.string()),
  problems: texts,
});

/** Something that the command needs was out of reach, or broke. What was done of it is not known. */
const FailedSchema = v.object({ kind: v.literal('failed'), code: v.string(), detail: v.string() });

/** The JSON document of every answer. `author` is who the caller is by IAM. */
export const ControlDocumentSchema = v.variant('kind', [
  DoneSchema,
  RefusedSchema,
  InvalidSchema,
  FailedSchema,
]);
export type ControlDocument = v.InferOutput<typeof ControlDocumentSchema>;

/** What a caller who asked rightly is told. */
export type ControlAnswer = v.InferOutput<typeof DoneSchema> | v.InferOutput<typeof RefusedSchema>;
