/** The identifiers of the protocol, branded so that one kind cannot pass for another. */
import * as v from 'valibot';

/** An EC2 instance id. Both lengths exist: eight hex digits (before 2016) and seventeen. */
export const InstanceIdSchema = v.pipe(
  v.string(),
  v.regex(/^i-[0-9a-f]{8,17}$/, 'must look like i-0123456789abcdef0'),
  v.brand('InstanceId'),
);
export type InstanceId = v.InferOutput<typeof InstanceIdSchema>;

export const EniIdSchema = v.pipe(
  v.string(),
  v.regex(/^eni-[0-9a-f]{8,17}$/, 'must look like eni-0123456789abcdef0'),
  v.brand('EniId'),
);
export type EniId = v.InferOutput<typeof EniIdSchema>;

/** Names one attachment of one interface to one instance; EC2 never reuses it. */
export const AttachmentIdSchema = v.pipe(
  v.string(),
  v.regex(/^eni-attach-[0-9a-f]{8,17}$/, 'must look like eni-attach-0123456789abcdef0'),
  v.brand('AttachmentId'),
);
export type AttachmentId = v.InferOutput<typeof AttachmentIdSchema>;

export const AlarmArnSchema = v.pipe(
  v.string(),
  v.regex(
    /^arn:[a-z-]+:cloudwatch:[a-z0-9-]+:\d{12}:alarm:.+$/,
    'must be the ARN of a CloudWatch alarm, arn:aws:cloudwatch:REGION:ACCOUNT:alarm:NAME',
  ),
  v.brand('AlarmArn'),
);
export type AlarmArn = v.InferOutput<typeof AlarmArnSchema>;

/** Short enough for an SNS subject and safe in a key: `#` separates keys, so it may not occur. */
export const ServiceNameSchema = v.pipe(
  v.string(),
  v.regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'must be 1 to 63 characters of a-z, 0-9 and -, and not begin with -'),
  v.brand('ServiceName'),
);
export type ServiceName = v.InferOutput<typeof ServiceNameSchema>;

/** What concerns every service: the controller's own name in notices and in the trail. No service can have it. */
export const everything = '*';

/** Whose trail: a service's, or the controller's own. */
export type TrailName = ServiceName | typeof everything;

export const TrailNameSchema = v.custom<TrailName>(
  (name) => name === everything || v.is(ServiceNameSchema, name),
  "must be a service's name, or * for the controller itself",
);

/** One worker: one invocation of the function. Unique for each invocation, never reused. */
export type OwnerId = string & v.Brand<'OwnerId'>;

/** `name.epoch-that-opened-it`: unique and ordered within a service. */
export type EpisodeId = `${string}.${number}`;

export const isInstanceId = (value: unknown): value is InstanceId => v.is(InstanceIdSchema, value);

/** The instance id in a bare id or in an ARN, however odd the ARN; undefined if there is none. */
export function instanceIdIn(text: string): InstanceId | undefined {
  const last = text.slice(text.lastIndexOf('/') + 1);
  return isInstanceId(last) ? last : undefined;
}
