/** Calls a function by its URL, signed with the caller's own credentials: behind it Lambda says who it was. */
import type { LambdaClient } from '@aws-sdk/client-lambda';
import { SignatureV4 } from '@smithy/signature-v4';
import type { Clock } from '../app/ports.ts';
import { PortError } from '../core/errors.ts';
import { codeOf, toPortError, within } from './retry.ts';

export interface UrlRequest {
  readonly method: 'GET' | 'POST';
  /** With everything that is asked for in path and query. */
  readonly url: URL;
  /** JSON. */
  readonly body?: string;
}

export interface UrlResponse {
  readonly status: number;
  readonly body: string;
}

/** One attempt: whether a command may be given twice is not for this layer to say. Throws {@link PortError}. */
export type CallUrl = (request: UrlRequest) => Promise<UrlResponse>;

/** Longer than the functions' own timeout, or a caller would not hear of it. */
const patienceMs = 20_000;

/** A function's URL says in which Region it is; any other host (the sandbox) takes the client's. */
const regionIn = (host: string) => /\.lambda-url\.([a-z0-9-]+)\.on\.aws$/.exec(host)?.[1];

/** RFC 3986, as it is signed: URLSearchParams would write a space as `+`. */
const escaped = (text: string): string =>
  encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );

function onTheWire(url: URL): URL {
  const wired = new URL(url);
  wired.search = [...url.searchParams].map(([name, value]) => `${escaped(name)}=${escaped(value)}`).join('&');
  return wired;
}

async function signed(
  { credentials, region, sha256 }: LambdaClient['config'],
  { method, url, body }: UrlRequest,
  nowMs: number,
): Promise<Readonly<Record<string, string>>> {
  const signer = new SignatureV4({
    service: 'lambda',
    region: regionIn(url.hostname) ?? region,
    credentials,
    sha256,
  });
  const { headers } = await signer.sign(
    {
      method,
      protocol: url.protocol,
      hostname: url.hostname,
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers: { host: url.host, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body }),
    },
    { signingDate: new Date(nowMs) },
  );
  // fetch sets it from the URL, and lets nobody else.
  const { host: _, ...rest } = headers;
  return rest;
}

/** Why there was no answer, in the network's own word; fetch hides it in the cause. */
function toUnreachable(error: unknown): PortError {
  const cause = (error as { readonly cause?: unknown }).cause;
  const known = cause instanceof Error ? cause : error;
  return new PortError(
    'unavailable',
    codeOf(known),
    known instanceof Error ? known.message : String(known),
    error,
  );
}

/** Credentials and Region come from where the client finds them. */
export function makeCallUrl(
  { config }: Pick<LambdaClient, 'config'>,
  clock: Clock,
  send: typeof fetch = fetch,
): CallUrl {
  return async (request) => {
    const { method, url, body } = request;
    let headers: Readonly<Record<string, string>>;
    try {
      headers = await signed(config, request, clock.now());
    } catch (error) {
      throw toPortError(error);
    }
    try {
      return await within(clock, patienceMs, async (signal) => {
        const answer = await send(onTheWire(url), {
          method,
          headers,
          signal,
          redirect: 'error',
          ...(body !== undefined && { body }),
        });
        return { status: answer.status, body: await answer.text() };
      });
    } catch (error) {
      throw toUnreachable(error);
    }
  };
}
