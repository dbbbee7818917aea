/** An answer of a function URL as Lambda takes it, in payload format 2.0: one JSON document that no cache may keep. Pure. */

export interface UrlResponse {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** `more`: headers beside the usual ones. */
export const respond = (
  statusCode: number,
  document: object,
  more: Readonly<Record<string, string>> = {},
): UrlResponse => ({
  statusCode,
  headers: { 'content-type': 'application/json', 'cache-control': 'no-store', ...more },
  body: JSON.stringify(document),
});
