/** Proves what functions/control answers to whom, and that nobody but IAM says who that is. */
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { maxBodyBytes } from '../../../functions/control/event.ts';
import { handle } from '../../../functions/control/handle.ts';
import { type ControlDocument, ControlDocumentSchema } from '../../../shared/core/control.ts';
import { PortError } from '../../../shared/core/errors.ts';
import { a, b, c, makeWorld, ordersDb, stranger, type World, zone } from '../../fakes/world.ts';

const ann = 'arn:aws:sts::111122223333:assumed-role/operators/ann';
const at = '2026-11-21T02:11:30.000Z';
const allowed = { fencing: false, hookDocuments: [], hookFunctions: false };

interface Told {
  readonly status: number;
  readonly document: ControlDocument;
  readonly headers: Readonly<Record<string, string>>;
}

interface Asking {
  readonly method?: string;
  readonly raw?: string;
  readonly isBase64Encoded?: boolean;
  readonly more?: Readonly<Record<string, unknown>>;
  readonly iam?: unknown;
}

async function ask(world: World, command: string, body: unknown, how: Asking = {}): Promise<Told> {
  const { method = 'POST', raw = JSON.stringify(body), isBase64Encoded = false, more = {} } = how;
  const iam = 'iam' in how ? how.iam : { userArn: ann, accountId: '111122223333' };
  const event = {
    version: '2.0',
    rawPath: command.startsWith('/') ? command : `/v1/${command}`,
    requestContext: { http: { method }, authorizer: { iam } },
    body: isBase64Encoded ? Buffer.from(raw).toString('base64') : raw,
    isBase64Encoded,
    ...more,
  };
  const answer = await world.run(handle(event, world.ports, allowed));
  expect(answer.headers['content-type']).toBe('application/json');
  return {
    status: answer.statusCode,
    document: v.parse(ControlDocumentSchema, JSON.parse(answer.body)),
    headers: answer.headers,
  };
}

const pause = { service: ordersDb, reason: 'kernel upgrade', forMs: 60_000 };

describe('a command', () => {
  it('is carried out and recorded in the name of whom IAM says', async () => {
    const world = await makeWorld();
    const { status, document } = await ask(world, 'pause', pause);
    expect(status).toBe(200);
    expect(document).toMatchObject({
      kind: 'done',
      command: 'pause',
      service: ordersDb,
      author: ann,
      code: null,
      detail: expect.stringContaining('paused until'),
    });
    expect(world.records('pause')).toMatchObject([{ author: ann, reason: 'kernel upgrade' }]);
  });

  it('takes no author from anywhere else', async () => {
    const world = await makeWorld();
    const claimed = await ask(world, 'pause', { ...pause, author: 'root' });
    expect(claimed).toMatchObject({
      status: 400,
      document: { kind: 'invalid', problems: [expect.stringContaining('author: is not a known key')] },
    });
    await ask(world, 'pause', pause, {
      more: { headers: { 'x-author': 'root' }, queryStringParameters: { author: 'root' } },
    });
    expect(world.records('pause')).toMatchObject([{ author: ann }]);
  });

  it.each([undefined, null, {}, { userArn: '' }, { userArn: 'root' }, { accountId: '1' }])(
    'of a caller whom IAM does not name is turned away: %j',
    async (iam) => {
      const world = await makeWorld();
      expect(await ask(world, 'pause', pause, { iam })).toMatchObject({
        status: 403,
        document: { kind: 'failed', code: 'NO_IDENTITY' },
      });
      expect(world.kinds()).toEqual([]);
    },
  );

  it.each([undefined, null, 'x', {}, { detail: {} }])(
    'that is no request is turned away: %j',
    async (event) => {
      const world = await makeWorld();
      expect((await world.run(handle(event, world.ports, allowed))).statusCode).toBe(403);
    },
  );

  it.each(['a\nb', 'a\u001b[2Jb', 'a\u0085b', 'a\u2028b', 'a\u0000b'])(
    'with a reason that would write more than a line on a terminal is invalid: %j',
    async (reason) => {
      const world = await makeWorld();
      expect(await ask(world, 'pause', { ...pause, reason })).toMatchObject({
        status: 400,
        document: {
          problems: [expect.stringContaining('reason: must be one line, without control characters')],
        },
      });
      expect(world.kinds()).toEqual([]);
    },
  );

  it('with a reason in any writing, and signs of today, is taken', async () => {
    const world = await makeWorld();
    const reason = ' 保守作業 – Kernel größer 👩\u200d🔧\n';
    expect((await ask(world, 'pause', { ...pause, reason })).status).toBe(200);
    expect(world.records('pause')).toMatchObject([{ reason: reason.trim() }]);
  });

  it('that is refused is told with its code, and nothing is done', async () => {
    const world = await makeWorld();
    const { status, document } = await ask(world, 'resume', { service: ordersDb, reason: 'done' });
    expect(status).toBe(409);
    expect(document).toEqual({
      kind: 'refused',
      command: 'resume',
      service: ordersDb,
      author: ann,
      code: 'NOT_PAUSED',
      detail: 'orders-db is not paused',
      problems: [],
      data: {},
    });
    expect(world.kinds()).toEqual([]);
  });

  it('may come in base64, as Lambda passes on what it takes for binary', async () => {
    const world = await makeWorld();
    expect((await ask(world, 'pause', pause, { isBase64Encoded: true })).status).toBe(200);
  });
});

describe('every command', () => {
  it.each(['seven', 'orders-db', '', 'orders-db.7 ', 'x'.repeat(2_000)])(
    'that names an episode takes no other text: %j',
    async (there) => {
      const world = await makeWorld();
      const body = { service: ordersDb, there, back: 'orders-db.2', reason: 'x' };
      const { status, document } = await ask(world, 'record-drill', body);
      expect(status).toBe(400);
      expect(document).toMatchObject({
        problems: [expect.stringContaining('there: must be the id of an episode, such as orders-db.7')],
      });
    },
  );

  it.each<[string, object, number, string | null]>([
    ['pause', { all: true, reason: 'x', forMs: 1_000 }, 200, null],
    ['pause', { ...pause, forMs: 8 * 24 * 3_600_000 }, 409, 'TOO_LONG'],
    ['pause', { ...pause, service: 'nope' }, 409, 'NO_SUCH_SERVICE'],
    ['resume', { all: true, reason: 'x' }, 409, 'NOT_PAUSED'],
    ['acknowledge', { service: ordersDb, reason: 'x' }, 409, 'NOTHING_TO_ACKNOWLEDGE'],
    ['acknowledge', { service: ordersDb, reason: 'x', member: b }, 409, 'NOT_QUARANTINED'],
    ['acknowledge', { zone, reason: 'x' }, 409, 'NO_BRAKE'],
    ['plan', { service: ordersDb }, 200, null],
    ['plan', { service: ordersDb, to: b }, 200, null],
    ['plan', { service: 'nope' }, 409, 'NO_SUCH_SERVICE'],
    ['switchover', { service: ordersDb, to: b, reason: 'x' }, 200, null],
    ['switchover', { service: ordersDb, to: b, reason: 'x', force: true }, 200, null],
    ['switchover', { service: ordersDb, to: a, reason: 'x' }, 409, 'ALREADY_HOLDER'],
    ['failback', { service: ordersDb, reason: 'x' }, 409, 'ALREADY_HOLDER'],
    [
      'record-drill',
      { service: ordersDb, there: 'orders-db.1', back: 'orders-db.2', reason: 'x' },
      409,
      'NO_SUCH_EPISODE',
    ],
    ['test-notice', { reason: 'x' }, 200, null],
    [
      'report',
      { service: ordersDb, reason: 'x', journal: [{ at, call: 'detach', detail: 'eni' }] },
      200,
      null,
    ],
    ['report', { service: 'nope', reason: 'x', journal: [{ at, call: 'detach' }] }, 409, 'NO_SUCH_SERVICE'],
    ['unregister', { service: ordersDb, reason: 'x' }, 200, null],
    ['unregister', { service: 'nope', reason: 'x' }, 409, 'NO_SUCH_SERVICE'],
    ['replace-member', { service: ordersDb, old: c, new: stranger, reason: 'x' }, 200, null],
    ['replace-member', { service: ordersDb, old: a, new: stranger, reason: 'x' }, 409, 'IS_HOLDER'],
    ['adopt', { service: ordersDb, reason: 'x' }, 200, null],
    ['mode', { service: ordersDb, mode: 'observe', reason: 'x' }, 200, null],
    ['mode', { service: ordersDb, mode: 'act', reason: 'x' }, 409, 'SAME_MODE'],
  ])('%s with %j answers %i %s', async (command, body, status, code) => {
    const world = await makeWorld();
    const told = await ask(world, command, body);
    expect(told).toMatchObject({ status, document: { command, author: ann, code } });
  });

  it('acknowledge releases the brake of a zone', async () => {
    const world = await makeWorld();
    await world.run(world.ports.store.tripBrake(zone, ['x'], world.clock.now()));
    expect(await ask(world, 'acknowledge', { zone, reason: 'it is back' })).toMatchObject({ status: 200 });
    expect((await world.run(world.ports.store.readController())).brakes).toEqual({});
  });

  it('test-notice tells everybody who subscribes, and fails where it cannot', async () => {
    const world = await makeWorld();
    await ask(world, 'test-notice', { reason: 'new phone' });
    expect(world.notifier.published).toMatchObject([
      { attributes: { service: '*', outcome: 'TEST_NOTICE', severity: 'info' } },
    ]);
    expect(JSON.stringify(world.notifier.published)).toContain('new phone');
    world.notifier.fail(1);
    expect((await ask(world, 'test-notice', { reason: 'again' })).status).toBe(503);
  });

  it('plan changes nothing, and switchover only asks', async () => {
    const world = await makeWorld();
    const plan = await ask(world, 'plan', { service: ordersDb, to: b });
    expect(plan.document).toMatchObject({ data: { kind: 'plan', wouldMove: true, target: b } });
    expect(world.kinds()).toEqual([]);
    const asked = await ask(world, 'switchover', { service: ordersDb, to: b, reason: 'patching' });
    expect(asked.document).toMatchObject({ data: { request: expect.any(String), from: a, to: b } });
    expect(world.holder()).toBe(a);
    await world.settle();
    expect(world.holder()).toBe(b);
    expect(world.episodes().at(-1)).toMatchObject({ author: ann });
  });
});

describe('register', () => {
  it('answers what it changed, who holds the interfaces, and what stands in the way', async () => {
    const world = await makeWorld({ registered: false });
    world.ec2.setState(c, 'stopped');
    const { status, document } = await ask(world, 'register', { declaration: world.declaration });
    expect(status).toBe(200);
    expect(document).toMatchObject({
      service: ordersDb,
      author: ann,
      detail: 'registered',
      data: { change: 'registered', holder: a, warnings: [expect.stringContaining('NOT_RUNNING')] },
    });
    expect(world.service()).toMatchObject({ registeredBy: ann });
    expect(await ask(world, 'register', { declaration: world.declaration })).toMatchObject({
      document: { data: { change: 'unchanged', holder: a } },
    });
  });

  it('names every problem of a declaration, and stores nothing', async () => {
    const world = await makeWorld({ registered: false });
    world.ec2.forget(c);
    const told = await ask(world, 'register', { declaration: world.declaration });
    expect(told).toMatchObject({
      status: 409,
      document: {
        kind: 'refused',
        service: ordersDb,
        code: 'REJECTED',
        problems: [expect.stringContaining('NO_SUCH_MEMBER')],
        data: { change: 'rejected' },
      },
    });
    const nonsense = await ask(world, 'register', { declaration: 'orders-db' });
    expect(nonsense).toMatchObject({ status: 409, document: { service: null, code: 'REJECTED' } });
  });

  it('knows where a registration comes from, and does not overwrite another source’s unless told', async () => {
    const world = await makeWorld({ registered: false });
    const { declaration } = world;
    await ask(world, 'register', { declaration, source: 'stack shop', reason: 'deployed' });
    expect(world.service()).toMatchObject({ source: 'stack shop', registeredBy: ann });
    const changed = { ...declaration, policy: { budgetPerHour: 5 } };
    expect(await ask(world, 'register', { declaration: changed })).toMatchObject({
      status: 409,
      document: { code: 'OWNED_BY_OTHERS' },
    });
    const tried = await ask(world, 'register', { declaration: changed, takeOver: true, dryRun: true });
    expect(tried).toMatchObject({
      status: 200,
      document: { detail: 'the registration would be changed', data: { change: 'changed' } },
    });
    expect(world.service()).toMatchObject({ source: 'stack shop' });
    expect((await ask(world, 'register', { declaration: changed, takeOver: true })).status).toBe(200);
  });

  it('holds a declaration against what the stack may do', async () => {
    const world = await makeWorld({ registered: false });
    const declaration = { ...world.declaration, policy: { fence: 'stop' } };
    expect((await ask(world, 'register', { declaration })).document).toMatchObject({
      problems: [expect.stringContaining('policy.fence: this stack may not stop instances')],
    });
  });
});

describe('a request that cannot be meant', () => {
  it.each<[string, unknown, readonly string[]]>([
    ['pause', {}, ['reason: is missing', 'forMs: is missing']],
    ['pause', { ...pause, reson: 'x' }, ['reson: is not a known key; did you mean reason?']],
    ['pause', { ...pause, reason: ' ' }, ['reason: must say why']],
    ['pause', { ...pause, reason: 'x'.repeat(501) }, ['reason: must be at most 500 characters']],
    ['pause', { ...pause, forMs: 1.5 }, ['forMs: ']],
    ['pause', { ...pause, forMs: -1 }, ['forMs: must be longer than nothing']],
    ['pause', { ...pause, forMs: '1h' }, ['forMs: must be a number']],
    ['pause', { ...pause, all: true }, ['name one of service or all']],
    ['pause', { reason: 'x', forMs: 1 }, ['name one of service or all']],
    ['pause', { all: false, reason: 'x', forMs: 1 }, ['all: must be true']],
    ['pause', { ...pause, service: 'Orders' }, ['service: must be 1 to 63 characters']],
    ['resume', { service: ordersDb }, ['reason: is missing']],
    ['resume', { reason: 'x' }, ['name one of service or all']],
    ['acknowledge', { reason: 'x' }, ['name one of service or zone']],
    ['acknowledge', { zone: 'here', reason: 'x' }, ['zone: must look like us-east-1a']],
    ['acknowledge', { zone, reason: 'x', member: b }, ['member belongs to a service']],
    ['switchover', { service: ordersDb, reason: 'x' }, ['to: is missing']],
    ['switchover', { service: ordersDb, to: 'b', reason: 'x' }, ['to: must look like i-']],
    ['plan', { service: ordersDb, reason: 'x' }, ['reason: is not a known key']],
    ['register', {}, ['declaration: is missing']],
    ['register', { declaration: {}, takeOver: 'yes' }, ['takeOver: must be true or false']],
    ['unregister', { service: ordersDb }, ['reason: is missing']],
    ['replace-member', { service: ordersDb, reason: 'x' }, ['old: is missing', 'new: is missing']],
    ['adopt', { service: ordersDb, reason: '' }, ['reason: must say why']],
    ['report', { service: ordersDb, reason: 'x', journal: [] }, ['journal: is empty']],
    [
      'report',
      { service: ordersDb, reason: 'x', journal: [{ at: 'noon', call: '' }] },
      ['journal.0.at: must be a time', 'journal.0.call: must name'],
    ],
    ['mode', { service: ordersDb, mode: 'on', reason: 'x' }, ['mode: must be "act" or "observe"']],
    ['register', { declaration: {}, author: 'x' }, ['author: is not a known key']],
    ['pause', [], ['body: must be a JSON object']],
    ['pause', 'x', ['body: must be a JSON object']],
    ['pause', null, ['body: must be a JSON object']],
  ])('is a 400 that names every problem: %s %j', async (command, body, problems) => {
    const world = await makeWorld();
    const told = await ask(world, command, body);
    expect(told).toMatchObject({ status: 400, document: { kind: 'invalid', command } });
    const named = told.document.kind === 'invalid' ? told.document.problems : [];
    expect(named).toHaveLength(problems.length);
    for (const [index, problem] of problems.entries()) expect(named[index]).toContain(problem);
    expect(world.kinds()).toEqual([]);
  });

  it.each(['{', '', 'pause', '{"a":1}}'])('is a 400 where it is no JSON: %j', async (raw) => {
    const world = await makeWorld();
    expect(await ask(world, 'pause', undefined, { raw })).toMatchObject({
      status: 400,
      document: { problems: [expect.stringContaining('body: must be JSON')] },
    });
  });

  it('is a 413 where it is too long, counted in bytes', async () => {
    const world = await makeWorld();
    const long = { ...pause, reason: 'ü'.repeat(maxBodyBytes / 2) };
    expect((await ask(world, 'pause', long)).status).toBe(413);
    expect((await ask(world, 'pause', long, { isBase64Encoded: true })).status).toBe(413);
  });

  it.each([
    ['puase', 'did you mean pause?'],
    ['switch-over', 'did you mean switchover?'],
    ['terminate', 'known here: register, '],
    ['constructor', 'known here: '],
    ['__proto__', 'known here: '],
    ['/v1/', 'path: must be /v1/COMMAND'],
    ['/v2/pause', 'path: must be /v1/COMMAND'],
    ['/v1/pause/orders-db', 'path: must be /v1/COMMAND'],
    ['/', 'path: must be /v1/COMMAND'],
  ])('is a 404 where there is no such command: %s', async (command, said) => {
    const world = await makeWorld();
    expect(await ask(world, command, pause)).toMatchObject({
      status: 404,
      document: { kind: 'invalid', problems: [expect.stringContaining(said)] },
    });
  });

  it.each(['GET', 'PUT', 'DELETE', 'OPTIONS'])('is a 405 by %s', async (method) => {
    const world = await makeWorld();
    expect(await ask(world, 'pause', pause, { method })).toMatchObject({
      status: 405,
      headers: { allow: 'POST' },
      document: { problems: [`method: must be POST (is ${method})`] },
    });
    expect(world.kinds()).toEqual([]);
  });
});

describe('what goes wrong', () => {
  const broken = (world: World, error: unknown): World => ({
    ...world,
    ports: { ...world.ports, store: { ...world.ports.store, read: () => Promise.reject(error) } },
  });

  it('at a port is a 503 with its code: it may help to try again', async () => {
    const world = await makeWorld();
    const error = new PortError('unavailable', 'ECONNREFUSED', 'the table is out of reach');
    expect(await ask(broken(world, error), 'pause', pause)).toMatchObject({
      status: 503,
      document: { kind: 'failed', code: 'ECONNREFUSED', detail: expect.stringContaining('out of reach') },
    });
    expect(world.lines).toMatchObject([{ level: 'warn', facts: { command: 'pause', author: ann } }]);
  });

  it('inside is a 500 that says nothing of the inside; the log says it all', async () => {
    const world = await makeWorld();
    const told = await ask(broken(world, new TypeError('x.secret is undefined')), 'pause', pause);
    expect(told).toMatchObject({ status: 500, document: { kind: 'failed', code: 'UNEXPECTED' } });
    expect(JSON.stringify(told)).not.toContain('secret');
    expect(world.lines).toMatchObject([
      {
        level: 'error',
        facts: { command: 'pause', author: ann, error: 'x.secret is undefined', stack: expect.any(String) },
      },
    ]);
  });

  it('because an item cannot be understood is a 500 that names it', async () => {
    const world = await makeWorld();
    world.store.change(ordersDb, (state) => ({ ...state, declared: '{}' }));
    expect(await ask(world, 'pause', pause)).toMatchObject({
      status: 500,
      document: { kind: 'failed', code: 'MALFORMED_STATE' },
    });
  });
});
