/** Proves that a call of a function URL is signed as AWS's own tools sign it, and what becomes of every answer. */
import { Sha256 } from '@smithy/core/checksum';
import { describe, expect, it } from 'vitest';
import { makeCallUrl, type UrlRequest } from '../../shared/aws/function-url.ts';
import { PortError } from '../../shared/core/errors.ts';
import { makeRetrying } from './retrying.ts';

const host = 'https://abc123.lambda-url.eu-central-1.on.aws';
const pause: UrlRequest = {
  method: 'POST',
  url: new URL(`${host}/v1/pause`),
  body: '{"all":true,"reason":"x","forMs":1}',
};

interface Sent {
  readonly url: string;
  readonly method: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

function caller(answer: () => Promise<Response>, credentials: object | (() => never) = {}) {
  const sent: Sent[] = [];
  const given = { accessKeyId: 'AKIAALICE', secretAccessKey: 'sandbox', ...credentials };
  const config = {
    region: async () => 'us-east-1',
    credentials: typeof credentials === 'function' ? credentials : async () => given,
    sha256: Sha256,
  };
  const send = async (url: string | URL | Request, { method, headers, body }: RequestInit = {}) => {
    sent.push({ url: String(url), method, headers: headers as Sent['headers'], body });
    return answer();
  };
  const { clock } = makeRetrying();
  // Nobody waits: a clock that jumps would give every call up at once.
  const patient = { ...clock, sleep: () => new Promise<void>(() => undefined) };
  return { sent, call: makeCallUrl({ config } as never, patient, send as typeof fetch) };
}
const ok = async () => new Response('{"kind":"done"}', { status: 200 });
const scope = 'AWS4-HMAC-SHA256 Credential=AKIAALICE/20261121/eu-central-1/lambda/aws4_request, ';

/** The signatures are botocore's, for the same clock and key. */
describe('a call', () => {
  it('is signed for Lambda, in the Region of the URL', async () => {
    const { call, sent } = caller(ok);
    expect(await call(pause)).toEqual({ status: 200, body: '{"kind":"done"}' });
    expect(sent).toEqual([
      {
        url: `${host}/v1/pause`,
        method: 'POST',
        body: pause.body,
        headers: {
          authorization: `${scope}SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date, Signature=691f1088157f2df33b4224909f36dd5a0d8f92ca675eaa1a5b74fd74213a44f0`,
          'content-type': 'application/json',
          'x-amz-content-sha256': '50008a9cbf24e518ce8fb43602f30efa114bb009a01eae886c327794807367c3',
          'x-amz-date': '20261121T021130Z',
        },
      },
    ]);
  });
  it('carries the token of temporary credentials, signed as well', async () => {
    const { call, sent } = caller(ok, { sessionToken: 'a-token' });
    await call(pause);
    expect(sent[0]?.headers).toMatchObject({
      authorization: `${scope}SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token, Signature=67978ead3eb84d226d7f6759a067bce7ebd5ef7459875af1cd1407ccd4aadfdb`,
      'x-amz-security-token': 'a-token',
    });
  });
  it('sends a query as it was signed, whatever is in it', async () => {
    const { call, sent } = caller(ok);
    const url = new URL(`${host}/v1/records`);
    url.searchParams.set('author', 'arn:aws:iam::1:user/ann b');
    url.searchParams.set('from', '2026-11-21T02:11:00+01:00');
    url.searchParams.set('service', 'db*');
    await call({ method: 'GET', url });
    expect(sent[0]?.url).toBe(
      `${host}/v1/records?author=arn%3Aaws%3Aiam%3A%3A1%3Auser%2Fann%20b&from=2026-11-21T02%3A11%3A00%2B01%3A00&service=db%2A`,
    );
    expect(sent[0]?.headers['authorization']).toBe(
      `${scope}SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=443b160ec81946a4acf0691959a8ebb1a24d4934a42b64e802b76ff083290ff7`,
    );
  });
  it('to any other host is signed in the client’s own Region', async () => {
    const { call, sent } = caller(ok);
    await call({ ...pause, url: new URL('http://127.0.0.1:4566/_url/control/v1/pause') });
    expect(sent[0]?.headers['authorization']).toContain('/us-east-1/lambda/aws4_request');
  });
  it('is made once: a command that was lost may have been carried out', async () => {
    const { call, sent } = caller(async () => new Response('{"Message":"no"}', { status: 502 }));
    expect(await call(pause)).toEqual({ status: 502, body: '{"Message":"no"}' });
    expect(sent).toHaveLength(1);
  });
  it('that was not answered names the network’s own word', async () => {
    const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    const { call, sent } = caller(() => Promise.reject(new TypeError('fetch failed', { cause: refused })));
    await expect(call(pause)).rejects.toMatchObject({ failure: 'unavailable', code: 'ECONNREFUSED' });
    expect(sent).toHaveLength(1);
  });
  it('is given up when the function cannot be waited for any longer', async () => {
    const hanging: typeof fetch = (_, init) =>
      new Promise((_resolve, reject) => {
        init?.signal?.addEventListener('abort', () => reject(init.signal?.reason));
      });
    const { clock, pauses } = makeRetrying();
    const credentials = async () => ({ accessKeyId: 'A', secretAccessKey: 'b' });
    const config = { region: async () => 'us-east-1', credentials, sha256: Sha256 };
    await expect(makeCallUrl({ config } as never, clock, hanging)(pause)).rejects.toMatchObject({
      failure: 'unavailable',
      code: 'AbortError',
    });
    expect(pauses).toEqual([20_000]);
  });
  it('without credentials is never sent', async () => {
    const missing = Object.assign(new Error('none found'), { name: 'CredentialsProviderError' });
    const { call, sent } = caller(ok, () => {
      throw missing;
    });
    await expect(call(pause)).rejects.toThrow(PortError);
    await expect(call(pause)).rejects.toMatchObject({ failure: 'denied', code: 'CredentialsProviderError' });
    expect(sent).toEqual([]);
  });
});
