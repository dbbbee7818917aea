/**
 * What came over the function URL, boiled down to one call: who, what, with which body. Pure, total, and strict: the
 * caller is who IAM says, and nothing in path, headers or body can say otherwise.
 */
import * as v from 'valibot';

export interface Call {
  /** The caller's ARN. Of a role it is as good as the role's trust policy: the caller chose the session's name. */
  readonly author: string;
  readonly method: string;
  /** `/v1/pause` → `pause`; undefined for any other form of path. */
  readonly command: string | undefined;
  readonly body: Body;
}

export type Body =
  | { readonly kind: 'json'; readonly value: Readonly<Record<string, unknown>> }
  | { readonly kind: 'too-large' | 'not-json'; readonly problem: string };

/** The journal of a long night; a declaration with every option and a hundred members has a tenth of this. */
export const maxBodyBytes = 256 * 1_024;

const EventSchema = v.object({
  rawPath: v.string(),
  requestContext: v.object({
    http: v.object({ method: v.string() }),
    authorizer: v.object({ iam: v.object({ userArn: v.pipe(v.string(), v.startsWith('arn:')) }) }),
  }),
  body: v.optional(v.string(), ''),
  isBase64Encoded: v.optional(v.boolean(), false),
});

function toBody({ body, isBase64Encoded }: v.InferOutput<typeof EventSchema>): Body {
  const bytes = Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8');
  if (bytes.length > maxBodyBytes)
    return {
      kind: 'too-large',
      problem: `body: has ${bytes.length} bytes; at most ${maxBodyBytes} are taken`,
    };
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString());
  } catch (error) {
    return { kind: 'not-json', problem: `body: must be JSON (${String(error)})` };
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return { kind: 'json', value: { ...value } };
  return { kind: 'not-json', problem: 'body: must be a JSON object, such as {"service": "orders-db"}' };
}

/** Undefined where IAM does not say who is calling: then it was no signed request to the URL. */
export function parseCall(raw: unknown): Call | undefined {
  const result = v.safeParse(EventSchema, raw);
  if (!result.success) return undefined;
  const { rawPath, requestContext } = result.output;
  return {
    author: requestContext.authorizer.iam.userArn,
    method: requestContext.http.method,
    command: /^\/v1\/([^/]+)$/.exec(rawPath)?.[1],
    body: toBody(result.output),
  };
}
