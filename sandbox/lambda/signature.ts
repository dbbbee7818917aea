// Checks the SigV4 signature of a request for a function's URL, for real: who has no signature, or a wrong one, is nobody.

import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

/** The secret of every access key: nothing here is worth one of its own. */
export const SANDBOX_SECRET = 'sandbox';

export interface SignedRequest {
  method: string;
  /** As on the wire, still encoded. */
  path: string;
  query: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

export type SignatureCheck =
  | { kind: 'signed'; accessKeyId: string }
  /** In Lambda's words. */
  | { kind: 'refused'; message: string };

const ALGORITHM = 'AWS4-HMAC-SHA256';
const SERVICE = 'lambda';
const UNSIGNED_PAYLOAD = 'UNSIGNED-PAYLOAD';
const SKEW_MS = 5 * 60_000;

const refused = (message: string): SignatureCheck => ({ kind: 'refused', message });
const sha256 = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');
const hmac = (key: string | Buffer, data: string): Buffer => createHmac('sha256', key).update(data).digest();

/** RFC 3986: everything but letters, digits and `-._~`. */
const escaped = (text: string): string =>
  encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}

/** Every service but S3 escapes the path that is escaped already. */
const canonicalPath = (path: string): string => escaped(path).replaceAll('%2F', '/');

const canonicalQuery = (query: string): string =>
  query
    .split('&')
    .filter((part) => part !== '')
    .map((part) => {
      const [name = '', ...value] = part.split('=');
      return `${escaped(decoded(name))}=${escaped(decoded(value.join('=')))}`;
    })
    .sort()
    .join('&');

const headerOf = (headers: IncomingHttpHeaders, name: string): string =>
  String(headers[name] ?? '')
    .trim()
    .replace(/\s+/g, ' ');

/** `20261121T021130Z` in milliseconds; NaN for anything else. */
function parseAmzDate(text: string): number {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (parts === null) return Number.NaN;
  const [, year, month, day, hour, minute, second] = parts;
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

const toAmzDate = (ms: number): string => new Date(ms).toISOString().replace(/[-:]|\.\d{3}/g, '');

export function checkSignature(request: SignedRequest, nowMs: number): SignatureCheck {
  const { method, path, query, headers, body } = request;
  const { authorization } = headers;
  if (authorization === undefined) return refused('Forbidden');
  const parts =
    /^AWS4-HMAC-SHA256\s+Credential=([^,\s]+),\s*SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]+)$/.exec(
      authorization.trim(),
    );
  if (parts === null) {
    return refused(
      `Authorization header requires 'Credential', 'SignedHeaders' and 'Signature' parameters of ${ALGORITHM}.`,
    );
  }
  const [, credential = '', signedHeaders = '', signature = ''] = parts;
  const [accessKeyId = '', date = '', region = '', service = '', terminator = ''] = credential.split('/');
  if (service !== SERVICE) return refused(`Credential should be scoped to correct service: '${SERVICE}'.`);
  if (terminator !== 'aws4_request')
    return refused("Credential should be scoped with a valid terminator: 'aws4_request'.");

  const amzDate = headerOf(headers, 'x-amz-date');
  const signedAtMs = parseAmzDate(amzDate);
  if (Number.isNaN(signedAtMs))
    return refused("Authorization header requires existence of 'X-Amz-Date' header.");
  if (!amzDate.startsWith(date))
    return refused(
      `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '${date}'`,
    );
  if (signedAtMs < nowMs - SKEW_MS)
    return refused(
      `Signature expired: ${amzDate} is now earlier than ${toAmzDate(nowMs - SKEW_MS)} (5 min.)`,
    );
  if (signedAtMs > nowMs + SKEW_MS)
    return refused(
      `Signature not yet current: ${amzDate} is still later than ${toAmzDate(nowMs + SKEW_MS)} (5 min.)`,
    );

  const names = signedHeaders.split(';');
  const unsigned = Object.keys(headers).filter(
    (name) => (name === 'host' || name.startsWith('x-amz-')) && !names.includes(name),
  );
  if (unsigned.length > 0)
    return refused(`'${unsigned[0]}' must be a 'SignedHeader' in the AWS Authorization.`);

  const actualHash = sha256(body);
  const claimedHash = headerOf(headers, 'x-amz-content-sha256') || actualHash;
  if (claimedHash !== actualHash && claimedHash !== UNSIGNED_PAYLOAD)
    return refused("The provided 'x-amz-content-sha256' header does not match what was computed.");

  const canonicalRequest = [
    method,
    canonicalPath(path),
    canonicalQuery(query),
    ...names.map((name) => `${name}:${headerOf(headers, name)}`),
    '',
    signedHeaders,
    claimedHash,
  ].join('\n');
  const scope = [date, region, service, terminator].join('/');
  const key = [region, service, terminator].reduce(hmac, hmac(`AWS4${SANDBOX_SECRET}`, date));
  const expected = hmac(key, [ALGORITHM, amzDate, scope, sha256(canonicalRequest)].join('\n'));
  const given = Buffer.from(signature, 'hex');
  if (given.length === expected.length && timingSafeEqual(given, expected))
    return { kind: 'signed', accessKeyId };
  return refused(
    'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access ' +
      `Key and signing method. (In the sandbox every access key has the secret '${SANDBOX_SECRET}'.)`,
  );
}
