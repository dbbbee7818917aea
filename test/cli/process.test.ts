/** Proves the command line as a process: usage, help, exit codes, streams, missing configuration, the sandbox's word. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { jsonOf, start } from '../processes.ts';

/** Nobody's real credentials or settings may decide what a test sees. */
let home: string;
beforeAll(() => {
  home = mkdtempSync(path.join(tmpdir(), 'cli-process-'));
});
afterAll(() => rmSync(home, { recursive: true }));

const run = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  start('cli/main.ts', args, home, env).ended;

const names = ['--state-table', 't', '--idempotency-table', 'i', '--topic-arn', 'arn:aws:sns:us-east-1:1:n'];
const configured = [...names, '--queue-url', 'http://127.0.0.1/q'];

describe('usage', () => {
  it.each([
    [['statsu'], "unknown command 'statsu'", 'Did you mean status?'],
    [['status', 'Orders'], "'Orders' is invalid for argument 'service'", 'a-z, 0-9'],
    [['pause', 'a', '--for', '3m'], "'--reason <text>' not specified", 'add --help'],
    [['resume', '--reason', 'x'], 'name one of <service> or --all', 'add --help'],
  ])('of %j is refused with code 2 and a way out', async (args, ...said) => {
    const ended = await run(args);
    for (const words of said) expect(ended.stderr).toContain(words);
    expect(ended).toMatchObject({ code: 2, stdout: '' });
  });

  it('without a command shows the help and is refused', async () => {
    const ended = await run([]);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain('Usage: eni-failover');
  });

  it('without a command says so in JSON too', async () => {
    const { stdout } = await run(['-o', 'json']);
    expect(JSON.parse(stdout)).toEqual({
      command: null,
      outcome: 'usage',
      code: 'USAGE',
      detail: 'a command is missing; --help lists them',
    });
  });

  it('shows help with examples and exit codes', async () => {
    const [all, one] = await Promise.all([run(['--help']), run(['help', 'pause'])]);
    expect(all).toMatchObject({ code: 0, stderr: '' });
    expect(all.stdout).toContain('Exit codes:');
    expect(all.stdout).toMatch(
      /register [\s\S]*\n\s+status .*\n[\s\S]*pause .*\n[\s\S]*resume .*\n[\s\S]*ack /,
    );
    expect(one.stdout).toContain("eni-failover pause orders-db --for 30m --reason 'kernel upgrade'");
    expect(one.stdout).toContain('Global Options:');
    for (const line of all.stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });

  it('calls itself what has to be typed', async () => {
    const ended = await run(['--help'], { npm_lifecycle_event: 'cli' });
    expect(ended.stdout).toContain('npm run cli -- status');
  });
});

describe('configuration', () => {
  it('names every setting that is missing, as option and as variable', async () => {
    const ended = await run(['status', '--queue-url', 'http://127.0.0.1/q'], {
      STATE_TABLE: 't',
      TOPIC_ARN: '',
    });
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    expect(ended.stderr).toMatchInlineSnapshot(`
      "error: missing: --idempotency-table (or IDEMPOTENCY_TABLE), --topic-arn (or TOPIC_ARN); pass --stack to find them by the outputs of the deployed stack, or --endpoint-url for the sandbox
      "
    `);
  });

  it('names a setting that cannot be right', async () => {
    const ended = await run(['status', ...names, '--queue-url', 'work']);
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    expect(ended.stderr).toBe('error: --queue-url (or WORK_QUEUE_URL): must be the URL of the work queue\n');
  });

  it('says that no Region is set, without a stack trace', async () => {
    const ended = await run(['status', ...configured]);
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    expect(ended.stderr).toBe('error: no AWS Region is set: pass --region, or set AWS_REGION\n');
  });

  it('says that there are no credentials', async () => {
    const ended = await run(['status', ...configured, '--region', 'us-east-1']);
    expect(ended).toMatchObject({ code: 3, stdout: '' });
    expect(ended.stderr).toMatch(/^error: no AWS credentials were found .*--profile.*\n$/);
  });

  it('shows the stack trace only when asked', async () => {
    const ended = await run(['status', ...configured, '--debug']);
    expect(ended.stderr).toMatch(/\n\s+at /);
  });

  it('is not needed to refuse a broken declaration', async () => {
    const file = path.join(home, 'broken.yaml');
    writeFileSync(file, 'nmae: orders-db\n');
    const [text, json] = await Promise.all([run(['register', file]), run(['register', file, '-o', 'json'])]);
    expect(text).toMatchObject({ code: 1, stdout: '' });
    expect(text.stderr).toContain('broken.yaml:1:1  nmae: is not a known key; did you mean name?');
    expect(json).toMatchObject({ code: 1, stderr: '' });
    expect(jsonOf(json)).toMatchObject({ command: 'register', outcome: 'refused', code: 'REJECTED' });
  });
});

describe('an endpoint', () => {
  let server: Server | undefined;
  afterEach(async () => {
    server?.closeAllConnections();
    if (server) await new Promise((resolve) => server?.close(resolve));
    server = undefined;
  });

  async function listen(
    answer: (request: IncomingMessage, response: ServerResponse) => void,
  ): Promise<string> {
    const opened = createServer(answer).listen(0, '127.0.0.1');
    server = opened;
    await once(opened, 'listening');
    return `http://127.0.0.1:${(opened.address() as AddressInfo).port}`;
  }

  /** A sandbox as far as the CLI asks it: what its stack is called, and a table that is empty or not there. */
  function emptySandbox(table: { readonly exists: boolean }) {
    const asked: { readonly path: string; readonly authorization: string }[] = [];
    const answer = (request: IncomingMessage, response: ServerResponse) => {
      asked.push({ path: request.url ?? '', authorization: request.headers.authorization ?? '' });
      const send = (status: number, body: unknown) =>
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      if (request.url === '/_sandbox/state')
        return send(200, {
          outputs: {
            StateTable: 'sandbox-state',
            IdempotencyTable: 'sandbox-idempotency',
            WorkQueueUrl: 'http://127.0.0.1/000000000000/work',
            NoticeTopicArn: 'arn:aws:sns:us-east-1:000000000000:notices',
          },
        });
      const missing = {
        __type: 'com.amazonaws.dynamodb.v20120810#ResourceNotFoundException',
        message: 'gone',
      };
      return table.exists ? send(200, { Items: [], Count: 0 }) : send(400, missing);
    };
    return { asked, answer };
  }

  it('that nobody listens at is named, with how to start a sandbox there', async () => {
    const endpoint = await listen(() => undefined);
    await new Promise((resolve) => server?.close(resolve));
    server = undefined;
    const ended = await run(['status', '--endpoint-url', endpoint]);
    expect(ended).toMatchObject({ code: 3, stdout: '' });
    expect(ended.stderr).toMatch(
      /^error: nothing answers at http:\/\/127\.0\.0\.1:\d+ \(ECONNREFUSED\); .*npm run sandbox.*\n$/,
    );
  });

  /** CloudFormation and DynamoDB as far as the CLI asks them, at an endpoint that is no sandbox. */
  function deployed(stacks: string) {
    const asked: string[] = [];
    const answer = async (request: IncomingMessage, response: ServerResponse) => {
      let body = '';
      for await (const chunk of request) body += String(chunk);
      if (request.url === '/_sandbox/state') return response.writeHead(404).end();
      asked.push(/StackName=([^&]*)/.exec(body)?.[1] ?? String(JSON.parse(body).TableName));
      if (request.headers['x-amz-target']) return response.end(JSON.stringify({ Items: [], Count: 0 }));
      return response.writeHead(200, { 'content-type': 'text/xml' }).end(stacks);
    };
    return { asked, answer };
  }
  const stackWith = (outputs: Readonly<Record<string, string>>) =>
    '<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>mine</StackName>' +
    `<StackStatus>CREATE_COMPLETE</StackStatus><Outputs>${Object.entries(outputs)
      .map(
        ([key, value]) => `<member><OutputKey>${key}</OutputKey><OutputValue>${value}</OutputValue></member>`,
      )
      .join('')}</Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>`;
  const keys = { AWS_ACCESS_KEY_ID: 'AKID', AWS_SECRET_ACCESS_KEY: 's', AWS_REGION: 'eu-west-1' };

  it('is asked for the stack that was named, and for nothing that its outputs say', async () => {
    const { asked, answer } = deployed(
      stackWith({
        StateTable: 'mine-state',
        IdempotencyTable: 'mine-idempotency',
        WorkQueueUrl: 'http://127.0.0.1/000000000000/work',
        NoticeTopicArn: 'arn:aws:sns:eu-west-1:000000000000:notices',
      }),
    );
    const endpoint = await listen((request, response) => void answer(request, response));
    const ended = await run(['status', '--endpoint-url', endpoint, '-o', 'json'], {
      ...keys,
      ENI_FAILOVER_STACK: 'mine',
    });
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(asked).toEqual(['mine', 'mine-state', 'mine-state']);
  });

  it('whose stack is not the controller’s says so', async () => {
    const { answer } = deployed(stackWith({ Vpc: 'vpc-1' }));
    const endpoint = await listen((request, response) => void answer(request, response));
    const ended = await run(['status', '--endpoint-url', endpoint, '--stack', 'mine'], keys);
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    expect(ended.stderr).toBe(
      'error: the stack mine (CREATE_COMPLETE) has no output StateTable: it is not made from template.yaml, ' +
        'or has not been created to its end; correct --stack (or ENI_FAILOVER_STACK)\n',
    );
  });

  it('without such a stack says so', async () => {
    const { answer } = deployed('<DescribeStacksResponse><DescribeStacksResult/></DescribeStacksResponse>');
    const endpoint = await listen((request, response) => void answer(request, response));
    const ended = await run(['status', '--endpoint-url', endpoint, '--stack', 'mine'], keys);
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    expect(ended.stderr).toContain('there is no stack mine in this account and Region');
  });

  it('that is no sandbox is asked nothing more when settings are missing', async () => {
    const paths: string[] = [];
    const endpoint = await listen((request, response) => {
      paths.push(request.url ?? '');
      response.writeHead(404).end('not found');
    });
    const ended = await run(['status', '--state-table', 't', '-o', 'json'], { AWS_ENDPOINT_URL: endpoint });
    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain('--queue-url (or WORK_QUEUE_URL)');
    expect(ended.stderr).not.toContain('--state-table (or STATE_TABLE)');
    expect(ended.stderr).toContain(`${endpoint} is no sandbox of ours (no /_sandbox/state)`);
    expect(jsonOf(ended)).toMatchObject({ outcome: 'usage', code: 'USAGE' });
    expect(paths).toEqual(['/_sandbox/state']);
  });

  it('of the sandbox is all that a newcomer needs', async () => {
    const { asked, answer } = emptySandbox({ exists: true });
    const endpoint = await listen(answer);
    const ended = await run(['status', '--endpoint-url', endpoint, '-o', 'json']);
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(jsonOf(ended)).toEqual({
      command: 'status',
      outcome: 'done',
      code: null,
      detail: null,
      services: [],
      controller: { pause: null, brakes: {} },
    });
    expect(asked.at(-1)?.authorization).toMatch(/Credential=eni-failover-cli\/\d+\/us-east-1\/dynamodb\//);
  });

  it('is signed for with the identity that was chosen', async () => {
    const { asked, answer } = emptySandbox({ exists: true });
    const endpoint = await listen(answer);
    const chosen = {
      AWS_ACCESS_KEY_ID: 'AKIDCHOSEN',
      AWS_SECRET_ACCESS_KEY: 's',
      AWS_DEFAULT_REGION: 'eu-west-1',
    };
    await run(['status', '--endpoint-url', endpoint], chosen);
    expect(asked.at(-1)?.authorization).toMatch(/Credential=AKIDCHOSEN\/\d+\/eu-west-1\//);
  });

  it('whose table is not there says which option to check, in one JSON document', async () => {
    const { answer } = emptySandbox({ exists: false });
    const ended = await run(['status', '--endpoint-url', await listen(answer), '-o', 'json']);
    expect(ended.code).toBe(3);
    expect(jsonOf(ended)).toMatchObject({ outcome: 'failed', code: 'ResourceNotFoundException' });
    expect(ended.stderr).toContain('check --state-table');
  });
});
