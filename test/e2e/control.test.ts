/** Operators' commands over real HTTP: the built bundle behind its URL, signed as the command line signs. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ServiceName } from '../../shared/core/ids.ts';
import { makeUrlCaller } from '../../shared/runtime/function-urls.ts';
import { openStage, type Stage } from './stage.ts';

const name = 'orders-db' as ServiceName;
const ann = 'arn:aws:iam::000000000000:user/AKIAANN';

let stage: Stage;
beforeAll(async () => {
  stage = await openStage({ name, alarm: false });
}, 60_000);
afterAll(() => stage.sandbox.close());

const urlOf = (command: string) => new URL(`v1/${command}`, stage.sandbox.stack.outputs['ControlUrl']);

/** As Ann: credentials come from the environment, as for every AWS tool. */
async function give(command: string, body: unknown, secret = 'sandbox') {
  const before = { ...process.env };
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'AKIAANN', AWS_SECRET_ACCESS_KEY: secret });
  try {
    const call = makeUrlCaller();
    const answer = await call({ method: 'POST', url: urlOf(command), body: JSON.stringify(body) });
    return { status: answer.status, document: JSON.parse(answer.body) as Record<string, unknown> };
  } finally {
    Object.assign(process.env, before);
  }
}

const authorsOf = async (kind: string) =>
  (await stage.ports.store.trail(name, 1, 50))
    .filter((each) => each.kind === kind)
    .map((each) => (JSON.parse(each.body) as { author: string }).author);

describe('functions/control', { timeout: 60_000 }, () => {
  it('turns away whoever did not sign, or signed with another secret', async () => {
    const body = JSON.stringify({ all: true, reason: 'mischief', forMs: 60_000 });
    const unsigned = await fetch(urlOf('pause'), { method: 'POST', body });
    expect(unsigned.status).toBe(403);
    expect(await give('pause', { all: true, reason: 'mischief', forMs: 60_000 }, 'guessed')).toMatchObject({
      status: 403,
      document: { Message: expect.stringContaining('signature') },
    });
    expect((await stage.ports.store.readController()).pause).toBeUndefined();
  });

  it('pauses and resumes in the name of whom the signature says', async () => {
    const paused = await give('pause', { service: name, reason: 'kernel upgrade', forMs: 60_000 });
    expect(paused).toMatchObject({ status: 200, document: { kind: 'done', author: ann, service: name } });
    const state = await stage.ports.store.read(name);
    expect(state).toMatchObject({ value: { pause: { author: ann, reason: 'kernel upgrade' } } });
    expect((await give('resume', { service: name, reason: 'upgraded' })).status).toBe(200);
    expect(await authorsOf('pause')).toEqual([ann]);
    expect(await authorsOf('resume')).toEqual([ann]);
  });

  it('does not take an author from the body', async () => {
    const claimed = await give('pause', { service: name, reason: 'x', forMs: 60_000, author: 'root' });
    expect(claimed).toMatchObject({ status: 400, document: { kind: 'invalid' } });
    expect(await authorsOf('pause')).not.toContain('root');
  });

  it('refuses what cannot be registered, with every problem, and stores nothing', async () => {
    const [holder] = stage.instances;
    const [eni] = stage.enis;
    const declaration = {
      name: 'other',
      interfaces: [{ eni, deviceIndex: 1 }],
      members: [{ instance: holder }, { instance: 'i-0123456789abcdef0' }],
      policy: { fence: 'stop' },
    };
    const { status, document } = await give('register', { declaration });
    expect(status).toBe(409);
    expect(document).toMatchObject({ kind: 'refused', code: 'REJECTED', service: 'other' });
    expect(String(document['problems'])).toContain('NO_SUCH_MEMBER');
    expect(String(document['problems'])).toContain('this stack may not stop instances');
    expect(await stage.ports.store.read('other' as ServiceName)).toMatchObject({ kind: 'absent' });
  });

  it('shows a plan, and a switchover that was asked for really moves', async () => {
    const [source, target] = stage.instances;
    const plan = await give('plan', { service: name, to: target });
    expect(plan).toMatchObject({ status: 200, document: { data: { wouldMove: true, target } } });
    expect(await stage.holders()).toEqual([source, source]);

    const asked = await give('switchover', { service: name, to: target, reason: 'patching' });
    expect(asked).toMatchObject({ status: 200, document: { data: { from: source, to: target } } });
    await stage.until(async () =>
      (await stage.holders()).every((each) => each === target) ? true : undefined,
    );
    const [author] = await stage.until(async () => {
      const authors = await authorsOf('episode');
      return authors.length > 0 ? authors : undefined;
    });
    expect(author).toBe(ann);
  });
});
