// The sandbox checks a signature as Lambda does: what botocore signed is right, and anything else is not.

import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { checkSignature, type SignedRequest } from '../../../sandbox/lambda/signature.ts';

const NOW_MS = Date.parse('2026-11-21T02:11:30Z');
const SCOPE = 'Credential=AKIAALICE/20261121/eu-central-1/lambda/aws4_request';

/** Signed by botocore with the secret `sandbox`. */
const POST: SignedRequest = {
  method: 'POST',
  path: '/v1/pause',
  query: '',
  headers: {
    host: 'abc123.lambda-url.eu-central-1.on.aws',
    'content-type': 'application/json',
    'x-amz-content-sha256': '50008a9cbf24e518ce8fb43602f30efa114bb009a01eae886c327794807367c3',
    'x-amz-date': '20261121T021130Z',
    authorization: `AWS4-HMAC-SHA256 ${SCOPE}, SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date, Signature=691f1088157f2df33b4224909f36dd5a0d8f92ca675eaa1a5b74fd74213a44f0`,
  },
  body: Buffer.from('{"all":true,"reason":"x","forMs":1}'),
};
const GET: SignedRequest = {
  method: 'GET',
  path: '/v1/records',
  query:
    'author=arn%3Aaws%3Aiam%3A%3A1%3Auser%2Fann%20b&from=2026-11-21T02%3A11%3A00%2B01%3A00&service=db%2A',
  headers: {
    host: 'abc123.lambda-url.eu-central-1.on.aws',
    'x-amz-content-sha256': createHash('sha256').digest('hex'),
    'x-amz-date': '20261121T021130Z',
    authorization: `AWS4-HMAC-SHA256 ${SCOPE}, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=443b160ec81946a4acf0691959a8ebb1a24d4934a42b64e802b76ff083290ff7`,
  },
  body: Buffer.alloc(0),
};
const withHeaders = (headers: SignedRequest['headers']): SignedRequest => ({
  ...POST,
  headers: { ...POST.headers, ...headers },
});
const authorized = (from: string, to: string) =>
  withHeaders({ authorization: String(POST.headers.authorization).replace(from, to) });

describe('a signature', () => {
  it('of botocore is right', () => {
    expect(checkSignature(POST, NOW_MS)).toEqual({ kind: 'signed', accessKeyId: 'AKIAALICE' });
    expect(checkSignature(GET, NOW_MS)).toEqual({ kind: 'signed', accessKeyId: 'AKIAALICE' });
  });
  it('is right for parameters in any order', () => {
    const query = GET.query.split('&').reverse().join('&');
    expect(checkSignature({ ...GET, query }, NOW_MS)).toMatchObject({ kind: 'signed' });
  });

  it.each<[string, SignedRequest, string]>([
    ['another method', { ...POST, method: 'PUT' }, 'does not match the signature'],
    ['another path', { ...POST, path: '/v1/resume' }, 'does not match the signature'],
    ['another query', { ...GET, query: 'service=other' }, 'does not match the signature'],
    ['another host', withHeaders({ host: '127.0.0.1' }), 'does not match the signature'],
    ['another body', { ...POST, body: Buffer.from('{}') }, 'does not match what was computed'],
    [
      'a body that nobody signed',
      withHeaders({ 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' }),
      'does not match',
    ],
    [
      'a token that nobody signed',
      withHeaders({ 'x-amz-security-token': 't' }),
      "'x-amz-security-token' must be",
    ],
    ['no signed host', authorized('content-type;host;', 'content-type;'), "'host' must be"],
    ['another service', authorized('/lambda/', '/s3/'), "correct service: 'lambda'"],
    ['another terminator', authorized('aws4_request', 'aws5'), 'valid terminator'],
    ['another day', authorized('/20261121/', '/20261120/'), 'Date in Credential scope'],
    ['another Region', authorized('/eu-central-1/', '/us-east-1/'), 'does not match the signature'],
    ['a shorter signature', authorized('691f', ''), 'does not match the signature'],
    ['another algorithm', authorized('AWS4-HMAC-SHA256', 'AWS4-HMAC-SHA1'), "requires 'Credential'"],
    ['no time', withHeaders({ 'x-amz-date': 'now' }), "existence of 'X-Amz-Date'"],
  ])('is wrong with %s', (_, request, message) => {
    expect(checkSignature(request, NOW_MS)).toEqual({
      kind: 'refused',
      message: expect.stringContaining(message),
    });
  });

  it('holds for five minutes, in both directions', () => {
    for (const ms of [300_000, -300_000])
      expect(checkSignature(POST, NOW_MS + ms)).toMatchObject({ kind: 'signed' });
    expect(checkSignature(POST, NOW_MS + 301_000)).toMatchObject({
      message: expect.stringContaining('Signature expired: 20261121T021130Z'),
    });
    expect(checkSignature(POST, NOW_MS - 301_000)).toMatchObject({
      message: expect.stringContaining('not yet current'),
    });
  });
});
