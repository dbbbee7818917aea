/** Proves that whoever watches sees each change once, that a terminal is left as it was found, and that nothing is asked in a hurry. */
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { watchCommand } from '../../cli/watch.ts';
import { pauseService } from '../../shared/app/operate.ts';
import type { ServiceName } from '../../shared/core/ids.ts';
import { a, b, c, front, makeWorld, ordersDb, type World } from '../fakes/world.ts';
import { contextOf, type FakeScreen, makeFakeScreen, narrow } from './screen.ts';

interface Watching {
  readonly screen: FakeScreen;
  /** What was written since the last time. */
  news(): string;
  end(): Promise<unknown>;
}

function watch(world: World, more: Partial<FakeScreen> = {}, name?: ServiceName): Watching {
  const screen = makeFakeScreen(more);
  const answer = watchCommand(name, contextOf(world, { screen }));
  return {
    screen,
    news: () => screen.written.splice(0).join(''),
    end() {
      screen.stopping.abort();
      return world.run(answer);
    },
  };
}

const pause = { author: 'local:ann', reason: 'kernel upgrade', forMs: 30 * 60_000 };

describe('in a pipe', () => {
  it('each change of a failover is one line', async () => {
    const world = await makeWorld();
    const watching = watch(world);
    await world.clock.advance(10_000);
    expect(watching.news()).toBe(
      '2026-11-21 02:01:00Z  orders-db  first-look  on i-0aaaaaaaaaaaaaaa1; ready for a failover\n',
    );
    world.ec2.impair(a);
    const { report } = world.begin(world.alarm(a));
    await world.clock.advance(20_000);
    await world.run(report);
    expect(`\n${watching.news()}`).toMatchInlineSnapshot(`
      "
      2026-11-21 02:01:10Z  orders-db  episode-opened  failover orders-db.1, i-0aaaaaaaaaaaaaaa1 → i-0bbbbbbbbbbbbbbb2, DETACHING: system check impaired
      2026-11-21 02:01:10Z  orders-db  holder  i-0aaaaaaaaaaaaaaa1 → eni-0aaaaaaaaaaaaaa01 is detaching
      2026-11-21 02:01:10Z  orders-db  readiness  is being moved now, i-0aaaaaaaaaaaaaaa1 → i-0bbbbbbbbbbbbbbb2
      2026-11-21 02:01:12Z  orders-db  episode-state  failover orders-db.1: DETACHING → ATTACHING
      2026-11-21 02:01:12Z  orders-db  holder  eni-0aaaaaaaaaaaaaa01 is detaching → eni-0aaaaaaaaaaaaaa01 is attaching
      2026-11-21 02:01:15Z  orders-db  episode-closed  failover orders-db.1: now on i-0bbbbbbbbbbbbbbb2
      2026-11-21 02:01:15Z  orders-db  holder  eni-0aaaaaaaaaaaaaa01 is attaching → i-0bbbbbbbbbbbbbbb2
      2026-11-21 02:01:15Z  orders-db  readiness  ready for a failover
      2026-11-21 02:01:15Z  orders-db  record  orders-db#2 COMPLETED: failover i-0aaaaaaaaaaaaaaa1 → i-0bbbbbbbbbbbbbbb2: system check impaired
      "
    `);
    expect(await watching.end()).toMatchObject({ outcome: 'done', isShown: true });
  });

  it('a service that is down is said to be down, and who is tried next', async () => {
    const world = await makeWorld({ members: [a, b] });
    world.ec2.impair(a);
    const watching = watch(world);
    await world.clock.advance(1_000);
    for (const id of [a, b]) world.ec2.refuseAttach(id);
    await world.look(world.alarm(a));
    await world.clock.advance(10_000);
    const told = watching
      .news()
      .split('\n')
      .map((each) => each.slice(22));
    expect(told.filter((each) => each.includes('  readiness  ') || each.includes('first-look'))).toEqual([
      'orders-db  first-look  on i-0aaaaaaaaaaaaaaa1; the holder has FAILED: system check impaired',
      'orders-db  readiness  is being moved now, i-0aaaaaaaaaaaaaaa1 → i-0bbbbbbbbbbbbbbb2',
      'orders-db  readiness  DOWN (STRANDED) since 2026-11-21 02:01:04Z; next try to i-0bbbbbbbbbbbbbbb2',
    ]);
    await watching.end();
  });

  it('the records of the trail are told, whoever wrote them, and each once', async () => {
    const world = await makeWorld();
    const watching = watch(world);
    await world.clock.advance(3_000);
    watching.news();
    await world.clock.run(pauseService(world.ports, ordersDb, pause));
    await world.clock.advance(10_000);
    expect(`\n${watching.news()}`).toMatchInlineSnapshot(`
      "
      2026-11-21 02:01:04Z  orders-db  readiness  not ready for a failover: PAUSED
      2026-11-21 02:01:04Z  orders-db  record  orders-db#2 PAUSED: pause: kernel upgrade, by local:ann
      "
    `);
    await watching.end();
  });

  it('JSON is one document in each line, always with the same keys', async () => {
    const world = await makeWorld();
    const watching = watch(world, { format: 'json' });
    await world.clock.advance(3_000);
    world.ec2.setState(b, 'stopped');
    world.ec2.setState(c, 'stopped');
    await world.clock.advance(3_000);
    const lines = watching.news().trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { service: 'orders-db', what: 'first-look' },
      {
        service: 'orders-db',
        what: 'readiness',
        detail: 'NOT ready for a failover, needs a human: NO_ELIGIBLE_STANDBY',
      },
    ]);
    const keys = new Set(lines.map((line) => Object.keys(JSON.parse(line) as object).join()));
    expect([...keys]).toEqual(['at,service,what,detail']);
    await watching.end();
  });

  it('services that come and go are told', async () => {
    const world = await makeWorld();
    const watching = watch(world);
    await world.clock.advance(3_000);
    watching.news();
    await world.addService(1);
    await world.clock.advance(3_000);
    world.store.change(ordersDb, (state) => ({ ...state, tombstone: true }));
    await world.clock.advance(3_000);
    const news = watching.news();
    expect(news).toMatch(/service-1 {2}registered {2}on i-0000000000000a001; ready for a failover\n/);
    expect(news).toMatch(/orders-db {2}unregistered {2}not registered any more\n$/);
    await watching.end();
  });

  it('says once that AWS is out of reach, and goes on', async () => {
    const world = await makeWorld();
    const watching = watch(world);
    await world.clock.advance(3_000);
    watching.news();
    world.store.goDown();
    await world.clock.advance(30_000);
    world.store.comeBack();
    await world.clock.advance(30_000);
    const news = watching.news().trimEnd().split('\n');
    expect(news).toHaveLength(2);
    expect(news[0]).toMatch(/Z {2}everything {2}out-of-reach {2}AWS could not be reached/);
    expect(news[1]).toMatch(/Z {2}everything {2}in-reach {2}AWS answers again$/);
    await watching.end();
  });

  it('looks every two seconds, and reads no trail while nothing is added to it', async () => {
    const world = await makeWorld();
    const from = world.store.calls.length;
    const watching = watch(world, {}, ordersDb);
    await world.clock.advance(60_000);
    const calls = world.store.calls.slice(from).map((each) => each.operation);
    const looks = calls.filter((each) => each === 'read').length;
    expect(looks).toBeGreaterThan(20);
    expect(looks).toBeLessThanOrEqual(30);
    expect(calls).not.toContain('trail');
    await watching.end();
  });

  it('refuses a name that nobody registered', async () => {
    const world = await makeWorld();
    const answer = await world.run(watchCommand('nope' as ServiceName, contextOf(world)));
    expect(answer).toMatchObject({ outcome: 'refused', data: { code: 'NO_SUCH_SERVICE' } });
  });
});

describe('on a terminal', () => {
  const live = { isLive: true, terminal: () => narrow };
  const hide = '\u001b[?25l';
  const show = '\u001b[?25h';

  it('draws the status again in its place, and gives the cursor back at the end', async () => {
    const world = await makeWorld();
    const watching = watch(world, live, ordersDb);
    await world.clock.advance(1_000);
    const first = watching.news();
    expect(first.startsWith(hide)).toBe(true);
    expect(shown(first)).toMatchInlineSnapshot(`
      "
      orders-db  ready for a failover

      holder     i-0aaaaaaaaaaaaaaa1    healthy
      standby    i-0bbbbbbbbbbbbbbb2    eligible
                 i-0ccccccccccccccc3    eligible
      interface  eni-0aaaaaaaaaaaaaa01  device index 1
                 eni-0aaaaaaaaaaaaaa02  device index 2
      trail      1 record, head
                 ################################################################

      2026-11-21 02:01:00Z, looked at every 2 s; Ctrl-C ends it
      "
    `);
    world.ec2.stick(front);
    world.ec2.impair(a);
    const { report } = world.begin(world.alarm(a));
    await world.clock.advance(4_000);
    expect(shown(watching.news())).toMatch(
      /orders-db {2}is being moved now, i-0aaaaaaaaaaaaaaa1 → i-0bbbbbbbbbbbbbbb2\n[\s\S]*episode {4}failover orders-db\.1, /,
    );
    await world.run(report);
    await watching.end();
    expect(watching.news().endsWith(`\n${show}`)).toBe(true);
  });

  it('cuts what does not fit, for a screen that scrolls cannot be drawn over', async () => {
    const world = await makeWorld();
    const watching = watch(world, { ...live, rows: () => 8 }, ordersDb);
    await world.clock.advance(1_000);
    const lines = shown(watching.news()).trim().split('\n');
    expect(lines).toHaveLength(8);
    expect(lines[5]).toBe('… 4 more lines: make the window higher');
    expect(lines[7]).toContain('Ctrl-C ends it');
    await watching.end();
  });

  it('keeps the last look while AWS does not answer, and says that it is old', async () => {
    const world = await makeWorld();
    const watching = watch(world, live, ordersDb);
    await world.clock.advance(1_000);
    watching.news();
    world.store.goDown();
    await world.clock.advance(30_000);
    const text = shown(watching.news());
    expect(text).toContain('orders-db  ready for a failover');
    expect(text).toMatch(/NOT up to date: AWS could not be reached/);
    await watching.end();
  });

  it('gives the cursor back where it cannot go on', async () => {
    const world = await makeWorld();
    world.ports.store.readController = () => Promise.reject(new Error('a bug'));
    const screen = makeFakeScreen(live);
    await expect(world.run(watchCommand(undefined, contextOf(world, { screen })))).rejects.toThrow('a bug');
    expect(screen.written.at(-1)).toBe(`\n${show}`);
  });
});

/** The last frame as it stands on the terminal. */
const shown = (written: string) =>
  `\n${stripVTControlCharacters(written.split('\u001b[H').at(-1) ?? '')}\n`.replace(/[0-9a-f]{64}/g, (hash) =>
    '#'.repeat(hash.length),
  );
