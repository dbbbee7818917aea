/** Proves what becomes of every answer of the functions behind URLs, and that each failure says the way out. */
import { describe, expect, it } from 'vitest';
import { makeAuditClient } from '../../cli/audit-client.ts';
import { makeControlClient } from '../../cli/control-client.ts';
import { PortError } from '../../shared/core/errors.ts';
import type { CallUrl } from '../../shared/runtime/function-urls.ts';

type Request = Parameters<CallUrl>[0];

function answering(status: number, body: unknown) {
  const asked: Request[] = [];
  const call: CallUrl = async (request) => {
    asked.push(request);
    return { status, body: typeof body === 'string' ? body : JSON.stringify(body) };
  };
  return { asked, call };
}
const failing =
  (error: Error): CallUrl =>
  () =>
    Promise.reject(error);

const controlUrl = () => 'https://control.example';
const auditUrl = () => 'https://audit.example/';
const send = (call: CallUrl, command = 'pause') =>
  makeControlClient(controlUrl, call).send(command, { all: true });
const get = (call: CallUrl) => makeAuditClient(auditUrl, call).get('v1/records');

const about = { command: 'pause', service: null, author: 'arn:aws:iam::1:user/ann', detail: 'so it is' };
const done = { kind: 'done', ...about, code: null, data: {} };
const refused = { kind: 'refused', ...about, code: 'TOO_LONG', problems: ['x'], data: {} };

describe('control', () => {
  it('is sent one JSON document, at the command’s own path', async () => {
    const { asked, call } = answering(200, done);
    expect(await send(call, 'replace-member')).toEqual(done);
    expect(asked).toMatchObject([{ method: 'POST', body: '{"all":true}' }]);
    expect(asked[0]?.url.href).toBe('https://control.example/v1/replace-member');
  });
  it('may lie below a path', async () => {
    const { asked, call } = answering(200, done);
    await makeControlClient(() => 'http://127.0.0.1:4566/_url/control', call).send('pause', {});
    expect(asked[0]?.url.href).toBe('http://127.0.0.1:4566/_url/control/v1/pause');
  });
  it('answers also when it refuses', async () => {
    expect(await send(answering(409, refused).call)).toEqual(refused);
  });
  it('is asked for its URL by the first command only', async () => {
    const client = makeControlClient(() => {
      throw new Error('nobody said');
    }, answering(200, done).call);
    await expect(client.send('pause', {})).rejects.toThrow('nobody said');
  });

  it.each<[string, number, unknown, string, readonly string[]]>([
    [
      'does not take it',
      400,
      { kind: 'invalid', command: 'pause', problems: ['a: b', 'c: d'] },
      'usage',
      ['a: b; c: d'],
    ],
    [
      'does not know it',
      404,
      { kind: 'invalid', command: 'x', problems: ['x: is not'] },
      'usage',
      ['x: is not'],
    ],
    [
      'has lost its table',
      503,
      { kind: 'failed', code: 'ECONNREFUSED', detail: 'no' },
      'failed',
      ['ECONNREFUSED', 'try again'],
    ],
    ['broke', 500, { kind: 'failed', code: 'UNEXPECTED', detail: 'log' }, 'failed', ['UNEXPECTED: log']],
    [
      'is not allowed',
      403,
      { Message: 'Forbidden' },
      'failed',
      ['Forbidden', 'lambda:InvokeFunctionUrl', 'lambda:InvokeFunction ', 'OperatorPolicyArn'],
    ],
    ['is throttled', 429, { Message: 'Rate Exceeded.' }, 'failed', ['Rate Exceeded', 'try again']],
    ['ran out of time', 502, { Message: 'Internal Server Error' }, 'failed', ['502', '--control-url']],
    ['is somebody else', 200, '<html>\n hello', 'failed', ['200: <html> hello', 'check --control-url']],
    ['is another function', 200, { records: [] }, 'failed', ['check --control-url']],
    ['says nothing', 204, '', 'failed', ['204: nothing']],
  ])('that %s says so with a way out', async (_, status, body, outcome, said) => {
    const error = await send(answering(status, body).call).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'CliError', outcome });
    for (const words of said) expect((error as Error).message).toContain(words);
    expect((error as Error).message).not.toContain('\n');
  });

  it('that cannot be reached says what works without it', async () => {
    const unreachable = failing(new PortError('unavailable', 'ENOTFOUND', 'getaddrinfo'));
    await expect(send(unreachable)).rejects.toMatchObject({
      name: 'CliError',
      outcome: 'failed',
      message: expect.stringMatching(/control\.example .*ENOTFOUND.*--control-url.*break-glass/),
    });
  });
  it('leaves missing credentials and Regions to those who explain them', async () => {
    const nobody = new PortError('denied', 'CredentialsProviderError', 'none');
    await expect(send(failing(nobody))).rejects.toBe(nobody);
    const nowhere = new PortError('unavailable', 'Error', 'Region is missing');
    await expect(send(failing(nowhere))).rejects.toBe(nowhere);
  });
});

describe('audit', () => {
  it('is asked with what is said, and nothing for what is not', async () => {
    const { asked, call } = answering(200, { records: [] });
    const audit = makeAuditClient(auditUrl, call);
    const parameters = { service: 'db', limit: 5, author: 'a b&c', kind: undefined };
    expect(await audit.get('v1/records', parameters)).toEqual({ status: 200, body: { records: [] } });
    expect(asked[0]?.method).toBe('GET');
    expect(asked[0]?.url.href).toBe('https://audit.example/v1/records?service=db&limit=5&author=a+b%26c');
  });
  it.each([
    [400, { problems: ['limit: must be a number'] }],
    [404, { code: 'NO_SUCH_EPISODE', detail: 'db.9' }],
  ])('answers %i with what it says', async (status, body) => {
    expect(await get(answering(status, body).call)).toEqual({ status, body });
  });
  it.each<[number, unknown, string]>([
    [500, { code: 'UNEXPECTED' }, 'try again in some seconds'],
    [502, { Message: 'Internal Server Error' }, 'try again in some seconds'],
    [403, { Message: 'Forbidden' }, 'you may not call functions/audit (Forbidden)'],
    [200, '<html>', 'check --audit-url'],
  ])('that answers %i %j failed, with the way out', async (status, body, said) => {
    await expect(get(answering(status, body).call)).rejects.toMatchObject({
      outcome: 'failed',
      message: expect.stringContaining(said),
    });
  });
  it('that cannot be reached says what works without it', async () => {
    const unreachable = failing(new PortError('unavailable', 'ECONNRESET', 'reset'));
    await expect(get(unreachable)).rejects.toMatchObject({ message: expect.stringContaining('--audit-url') });
  });
});
