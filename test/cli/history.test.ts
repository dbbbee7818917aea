/** Proves that `history` asks the trail for just what was asked of it, and how what it answers looks. */
import { describe, expect, it } from 'vitest';
import { type HistoryOptions, historyCommand } from '../../cli/history.ts';
import { parseMoment } from '../../cli/moment.ts';
import { rehearse } from '../../shared/app/canary.ts';
import { setMode } from '../../shared/app/mode.ts';
import { pauseController, pauseService, resumeService } from '../../shared/app/operate.ts';
import { register } from '../../shared/app/register.ts';
import type { TrailName } from '../../shared/core/ids.ts';
import { a, b, makeWorld, ordersDb, type World } from '../fakes/world.ts';
import { connectionTo, contextOf, narrow, pipe, seen } from './screen.ts';

const ask = (
  world: World,
  options: Partial<HistoryOptions> = {},
  service: TrailName | undefined = ordersDb,
) => world.run(historyCommand(service, { limit: 20, ...options }, contextOf(world)));

/** A failover, a pause, and the failover that it forbids. */
async function eventful(): Promise<World> {
  const world = await makeWorld();
  world.ec2.impair(a);
  await world.look(world.alarm(a));
  await world.run(
    pauseService(world.ports, ordersDb, { author: 'local:ann', reason: 'kernel upgrade', forMs: 1_800_000 }),
  );
  world.ec2.impair(b);
  await world.look(world.alarm(b));
  return world;
}

describe('history', () => {
  it('has a line for each record, newest first, and says how to see one in full', async () => {
    const answer = await ask(await eventful());
    expect(answer).toMatchObject({ outcome: 'done', data: { code: null, cursor: null, missing: [] } });
    expect(seen(answer, { ...narrow, columns: 120 })).toMatchInlineSnapshot(`
      "
      TIME                  RECORD       OUTCOME     WHAT
      2026-11-21 02:01:04Z  orders-db#4  PAUSED      refusal: by local:ann; i-0bbbbbbbbbbbbbbb2: system check impaired
      2026-11-21 02:01:03Z  orders-db#3  PAUSED      pause: kernel upgrade, by local:ann
      2026-11-21 02:01:03Z  orders-db#2  COMPLETED   failover i-0aaaaaaaaaaaaaaa1 → i-0bbbbbbbbbbbbbbb2: system check impaired
      2026-11-21 02:00:00Z  orders-db#1  REGISTERED  change: members i-0aaaaaaaaaaaaaaa1, i-0bbbbbbbbbbbbbbb2,
                                                     i-0ccccccccccccccc3, by ops@example.com

      One in full:  eni-failover show orders-db#4
      "
    `);
    expect(seen(answer, narrow)).toMatchInlineSnapshot(`
      "
      TIME                  RECORD       OUTCOME     WHAT
      2026-11-21 02:01:04Z  orders-db#4  PAUSED      refusal: by local:ann;
                                                     i-0bbbbbbbbbbbbbbb2: system check
                                                     impaired
      2026-11-21 02:01:03Z  orders-db#3  PAUSED      pause: kernel upgrade, by
                                                     local:ann
      2026-11-21 02:01:03Z  orders-db#2  COMPLETED   failover i-0aaaaaaaaaaaaaaa1 →
                                                     i-0bbbbbbbbbbbbbbb2: system check
                                                     impaired
      2026-11-21 02:00:00Z  orders-db#1  REGISTERED  change: members
                                                     i-0aaaaaaaaaaaaaaa1,
                                                     i-0bbbbbbbbbbbbbbb2,
                                                     i-0ccccccccccccccc3, by
                                                     ops@example.com

      One in full:  eni-failover show orders-db#4
      "
    `);
  });

  it('says what a change changed, and which mode', async () => {
    const world = await makeWorld();
    const last = async () => {
      const text = (await ask(world, { limit: 1 })).text(pipe);
      return text.split('\n')[1]?.replace(/^.*#\d+ +/, '');
    };
    const by = { author: 'ann', reason: 'watched it' };
    await world.run(setMode(world.ports, ordersDb, 'observe', by));
    expect(await last()).toBe('CHANGED  change: policy.mode: act → observe; watched it, by ann');
    const declaration = { ...world.declaration, policy: { budgetPerHour: 7 } };
    await world.run(register(world.ports, { declaration, author: 'ann' }));
    expect(await last()).toMatchInlineSnapshot(
      `"CHANGED  change: policy.mode: observe → the default (act); policy.budgetPerHour: the default → 7, by ann"`,
    );
  });

  it('does not call a drill passed without saying that nothing would be moved', async () => {
    const world = await makeWorld();
    const by = { author: 'ann', reason: 'monthly' };
    await world.run(pauseService(world.ports, ordersDb, { ...by, forMs: 60_000 }));
    await world.run(rehearse(world.ports, ordersDb, { id: 'x', ...by }));
    expect((await ask(world, { limit: 1 })).text(pipe)).toContain(
      'DRILL_PASSED  drill: monthly; but PAUSED: a failover would NOT happen, by ann',
    );
  });

  it('names a person without the account, and only once', async () => {
    const world = await makeWorld();
    const author = 'arn:aws:iam::111122223333:user/ann';
    await world.run(pauseService(world.ports, ordersDb, { author, reason: 'a disk', forMs: 60_000 }));
    const text = (await ask(world, { limit: 1 })).text(pipe);
    expect(text).toContain('pause: a disk, by user/ann\n');
    world.ec2.impair(a);
    await world.look(world.alarm(a));
    expect((await ask(world, { limit: 1 })).text(pipe)).toContain('refusal: by user/ann; ');
    await world.run(resumeService(world.ports, ordersDb, { author, reason: `as ${author} was told` }));
    expect((await ask(world, { limit: 1 })).text(pipe)).toContain('resume: as user/ann was told\n');
  });

  it('gives the command that goes on, with the times as they were understood', async () => {
    const world = await eventful();
    const answer = await ask(world, { limit: 2, since: parseMoment('2h'), kind: 'pause' });
    expect(answer.data['cursor']).toBeNull();
    const some = await ask(world, { limit: 2, since: parseMoment('2h') });
    const text = some.text(pipe);
    expect(text).toMatch(/^since 2026-11-21 00:01:\d\dZ\n/);
    const cursor = String(some.data['cursor']);
    expect(text).toMatch(
      /\nOlder ones: {3}eni-failover history orders-db --since 2026-11-21T00:01:\S+ --limit 2 --cursor \S+$/,
    );
    expect(text.endsWith(cursor)).toBe(true);
    const since = parseMoment(/--since (\S+)/.exec(text)?.[1] ?? '');
    const rest = await ask(world, { limit: 2, since, cursor });
    expect(numbersOf(rest)).toEqual([2, 1]);
    expect(rest.data['cursor']).toBeNull();
  });

  it('names times in the wrong order as the options that were typed', async () => {
    const turned = ask(await makeWorld(), { since: parseMoment('1h'), until: parseMoment('2h') });
    await expect(turned).rejects.toThrow('--since: must be earlier than --until');
  });

  it('pages through everything where that is asked for', async () => {
    const world = await eventful();
    expect(numbersOf(await ask(world, { all: true }))).toEqual([4, 3, 2, 1]);
  });

  it.each<[Partial<HistoryOptions>, readonly number[]]>([
    [{ kind: 'episode' }, [2]],
    [{ outcome: 'PAUSED' }, [4, 3]],
    [{ author: 'local:ann' }, [3]],
  ])('shows only what fits %j', async (options, numbers) => {
    expect(numbersOf(await ask(await eventful(), options))).toEqual(numbers);
  });

  it.each<[Partial<HistoryOptions>, string]>([
    [{ outcome: 'COMPLETD' }, 'with --outcome COMPLETD. Did you mean --outcome COMPLETED?'],
    [{ outcome: 'STRANDED', kind: 'episode' }, 'with --kind episode --outcome STRANDED.'],
    [{ outcome: 'CONTROLLER_RESUMED' }, 'with --outcome CONTROLLER_RESUMED.'],
    [{ author: 'ann' }, 'with --author ann. An author is a whole ARN, as show and -o json spell it.'],
    [{ author: 'arn:aws:iam::1:user/bob' }, 'with --author arn:aws:iam::1:user/bob.'],
  ])('where there is nothing repeats the conditions %j, and what may be wrong', async (options, words) => {
    expect((await ask(await eventful(), options)).text(pipe)).toBe(`Nothing on record ${words}`);
  });

  it('shows what was done to everything, by a name that the shell must not take for a pattern', async () => {
    const world = await eventful();
    const by = { author: 'local:ann', reason: 'network works', forMs: 1_800_000 };
    await world.run(pauseController(world.ports, by));
    await world.run(pauseController(world.ports, by));
    const answer = await ask(world, { limit: 1 }, '*');
    expect(seen(answer)).toContain('*#2');
    expect(seen(answer)).toContain('CONTROLLER_PAUSED');
    expect(seen(answer)).toContain("eni-failover show '*#2'");
    expect(seen(answer)).toContain("eni-failover history '*' --limit 1 --cursor");
    expect(numbersOf(await ask(world, { limit: 100, author: 'local:ann' }, '*'))).toEqual([2, 1]);
  });

  it('says so where there is nothing', async () => {
    const world = await makeWorld();
    const answer = await ask(world, { kind: 'episode', until: parseMoment('2026-11-20') });
    expect(answer.outcome).toBe('done');
    expect(answer.text(pipe)).toBe('until 2026-11-20 00:00:00Z\n\nNothing on record with --kind episode.');
  });

  it('asks on until the screen is full, however short the pages are, and names what is missing', async () => {
    const world = await makeWorld();
    const record = {
      service: 'orders-db',
      number: 1,
      kind: 'ack',
      at: '2026-11-21T02:00:00.000Z',
      author: 'ann',
      outcome: 'ACKNOWLEDGED',
      reason: "it's repaired",
      previous: '',
      hash: 'x',
      instances: [],
      interfaces: [],
    };
    const asked: unknown[] = [];
    const pages = [
      {
        records: [{ ...record, number: 9 }],
        cursor: 'c1',
        read: 5,
        missing: [{ service: 'orders-db', number: 8 }],
      },
      { records: [], cursor: 'c2', read: 5, missing: [] },
      { records: [{ ...record, number: 3 }], cursor: 'c3', read: 5, missing: [] },
    ];
    const audit = {
      get: async (_: string, parameters: unknown = {}) => {
        asked.push(parameters);
        return { status: 200, body: pages[asked.length - 1] };
      },
    };
    const context = contextOf(world, { connect: async () => ({ ...connectionTo(world), audit }) });
    const answer = await historyCommand(ordersDb, { limit: 2, author: "o'neil", cursor: 'c0' }, context);
    expect(asked).toMatchObject([{ cursor: 'c0' }, { cursor: 'c1' }, { cursor: 'c2' }]);
    expect(answer.data).toMatchObject({ read: 15, cursor: 'c3', missing: [{ number: 8 }] });
    expect(seen(answer)).toMatchInlineSnapshot(`
      "
      TIME                  RECORD       OUTCOME       WHAT
      2026-11-21 02:00:00Z  orders-db#9  ACKNOWLEDGED  ack: it's repaired, by ann
      2026-11-21 02:00:00Z  orders-db#3  ACKNOWLEDGED  ack: it's repaired, by ann
      orders-db#8 is missing: it was written, and is not in the table any more: eni-failover show orders-db#8 --verify

      One in full:  eni-failover show orders-db#9
      Older ones:   eni-failover history orders-db --author 'o'\\''neil' --limit 2 --cursor c3
      "
    `);
  });
});

const numbersOf = ({ data }: Awaited<ReturnType<typeof ask>>) =>
  (data['records'] as readonly { number: number }[]).map((each) => each.number);
