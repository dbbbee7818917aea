/** Proves what unregister, adopt, mode and member replace show before they ask, what they do, and what they say. */
import { describe, expect, it } from 'vitest';
import { adoptCommand } from '../../cli/adopt.ts';
import { replaceMemberCommand } from '../../cli/member.ts';
import { modeCommand } from '../../cli/mode.ts';
import { unregisterCommand } from '../../cli/unregister.ts';
import type { EniId, InstanceId, ServiceName } from '../../shared/core/ids.ts';
import { a, b, c, front, makeWorld, ordersDb, stranger, type World } from '../fakes/world.ts';
import { contextOf, makePerson, narrow, seen } from './screen.ts';

const one = { interfaces: [front] };
const spare = 'i-0ddddddddddddddd4' as InstanceId;
const yes = { reason: 'as agreed', yes: true } as const;
const asks = { reason: 'as agreed' } as const;

/** What was shown and asked, and the answer below it. */
async function shown(world: World, run: (context: ReturnType<typeof contextOf>) => Promise<unknown>) {
  const person = makePerson([ordersDb]);
  const answer = (await world.run(run(contextOf(world, { person })))) as Parameters<typeof seen>[0];
  return `\n${person.said.join('\n')}\n${seen(answer, narrow)}`;
}

describe('unregister', () => {
  it('says what ends, asks, and ends it', async () => {
    const world = await makeWorld(one);
    expect(
      await shown(world, (context) => unregisterCommand(ordersDb, asks, context)),
    ).toMatchInlineSnapshot(`
      "
      orders-db is not watched any more

      interfaces  stay where they are: on i-0aaaaaaaaaaaaaaa1
      failover    none any more, whatever fails
      set free    eni-0aaaaaaaaaaaaaa01, for another service
      trail       is kept; registering it again continues it

      To go on, type the name of the service (orders-db): 

      orders-db: unregistered by arn:aws:iam::111122223333:user/ann; nothing watches it any more
      "
    `);
    expect(world.service().tombstone).toBe(true);
  });

  it('is refused while a move is under way', async () => {
    const world = await makeWorld(one);
    world.ec2.impair(a);
    const { report } = world.begin(world.alarm(a));
    await world.clock.advance(2_000);
    const answer = await world.run(unregisterCommand(ordersDb, yes, contextOf(world)));
    expect(answer).toMatchObject({ outcome: 'refused', data: { code: 'EPISODE_OPEN' } });
    await world.run(report);
  });

  it('does nothing when another name is typed', async () => {
    const world = await makeWorld(one);
    const context = contextOf(world, { person: makePerson(['orders']) });
    const answer = await world.run(unregisterCommand(ordersDb, asks, context));
    expect(answer).toMatchObject({ outcome: 'refused', data: { code: 'OTHER_NAME', author: null } });
    expect(seen(answer)).toMatchInlineSnapshot(`
      "
      nothing was done (OTHER_NAME): the service is orders-db, but "orders" was typed

      How it is:  eni-failover status orders-db
      "
    `);
    expect(world.service().tombstone).toBeUndefined();
  });

  it('asks nobody about a service that is not there, and has the same keys', async () => {
    const world = await makeWorld(one);
    const person = makePerson();
    const nope = 'nope' as ServiceName;
    const gone = await world.run(unregisterCommand(nope, asks, contextOf(world, { person })));
    const done = await world.run(unregisterCommand(ordersDb, yes, contextOf(world)));
    expect(person.said).toEqual([]);
    expect(gone).toMatchObject({ outcome: 'refused', data: { code: 'NO_SUCH_SERVICE' } });
    expect(Object.keys(gone.data)).toEqual(Object.keys(done.data));
  });

  it('is wrong usage where nobody can be asked', async () => {
    const world = await makeWorld(one);
    const answer = unregisterCommand(ordersDb, asks, contextOf(world));
    await expect(answer).rejects.toMatchObject({ outcome: 'usage' });
  });
});

describe('adopt', () => {
  it('shows where the service is now, and takes it over', async () => {
    const world = await makeWorld(one);
    world.ec2.moveByHand(front as EniId, b, 1);
    expect(await shown(world, (context) => adoptCommand(ordersDb, asks, context))).toMatchInlineSnapshot(`
      "
      orders-db is taken over as it is now

      now      on i-0bbbbbbbbbbbbbbb2
      nothing  is moved: the next failover begins from here

      To go on, type the name of the service (orders-db): 

      orders-db: adopted by arn:aws:iam::111122223333:user/ann: all on i-0bbbbbbbbbbbbbbb2

      How it is:  eni-failover status orders-db
      "
    `);
    expect(world.service()).toMatchObject({ lastSeen: { holder: b } });
    expect(world.service().lastObserved).toBeUndefined();
  });

  it('says that all of them have to be attached first, where they rest on nothing', async () => {
    const world = await makeWorld(one);
    world.ec2.detachByHand(front as EniId);
    const answer = await world.run(adoptCommand(ordersDb, yes, contextOf(world)));
    expect(answer).toMatchObject({ outcome: 'refused', data: { code: 'NOT_TOGETHER' } });
    expect(seen(answer, narrow)).toMatchInlineSnapshot(`
      "
      nothing was done (NOT_TOGETHER): eni-0aaaaaaaaaaaaaa01 attached to nothing

      Attach them all to one member first; status has the commands.

      How it is:  eni-failover status orders-db
      "
    `);
  });

  it('is done where nobody did anything', async () => {
    const world = await makeWorld(one);
    const answer = await world.run(adoptCommand(ordersDb, yes, contextOf(world)));
    expect(answer).toMatchObject({ outcome: 'done', data: { code: null } });
    expect(seen(answer)).toMatchInlineSnapshot(`
      "
      orders-db: nothing had to be adopted: orders-db is on i-0aaaaaaaaaaaaaaa1, as the controller knows

      How it is:  eni-failover status orders-db
      "
    `);
  });
});

describe('mode', () => {
  it('says what each mode means, and changes it', async () => {
    const world = await makeWorld(one);
    expect(
      await shown(world, (context) => modeCommand(ordersDb, 'observe', asks, context)),
    ).toMatchInlineSnapshot(`
      "
      orders-db goes into mode observe

      now   act: it is moved by itself when its holder fails
      then  observe: nothing is moved, whatever fails: only a notice says what would
            have been done

      To go on, type the name of the service (orders-db): 

      orders-db: mode observe by arn:aws:iam::111122223333:user/ann

      Change your declaration file too: registering it as it is would undo this.

      How it is:  eni-failover status orders-db
      "
    `);
    expect(JSON.parse(world.service().declared)).toMatchObject({ policy: { mode: 'observe' } });
  });

  it('warns whoever switches it on that a failed holder is moved at once', async () => {
    const world = await makeWorld({ ...one, policy: { mode: 'observe' } });
    world.ec2.impair(a);
    expect(
      await shown(world, (context) => modeCommand(ordersDb, 'act', asks, context)),
    ).toMatchInlineSnapshot(`
      "
      orders-db goes into mode act

      now     observe: nothing is moved, whatever fails: only a notice says what would
              have been done
      then    act: it is moved by itself when its holder fails
      holder  i-0aaaaaaaaaaaaaaa1  has failed: it is moved at once

      To go on, type the name of the service (orders-db): 

      orders-db: mode act by arn:aws:iam::111122223333:user/ann

      Change your declaration file too: registering it as it is would undo this.

      How it is:  eni-failover status orders-db
      "
    `);
  });
});

describe('member replace', () => {
  it('puts the new instance in the place of the old one', async () => {
    const world = await makeWorld(one);
    world.ec2.addInstance(spare);
    expect(
      await shown(world, (context) => replaceMemberCommand(ordersDb, c, spare, asks, context)),
    ).toMatchInlineSnapshot(`
      "
      orders-db gets a new member

      leaves  i-0ccccccccccccccc3  a standby that could take over
      comes   i-0ddddddddddddddd4  in its place in the order of preference, once EC2
                                   knows it

      To go on, type the name of the service (orders-db): 

      orders-db: i-0ccccccccccccccc3 replaced by i-0ddddddddddddddd4

      Change your declaration file too: registering it as it is would undo this.

      How it is:  eni-failover status orders-db
      "
    `);
    const { members } = JSON.parse(world.service().declared) as { members: { instance: string }[] };
    expect(members.map((each) => each.instance)).toEqual([a, b, spare]);
  });

  it.each<[InstanceId, InstanceId, string]>([
    [stranger, spare, 'NOT_A_MEMBER'],
    [a, spare, 'IS_HOLDER'],
    [c, b, 'ALREADY_A_MEMBER'],
  ])('of %s by %s is refused: %s', async (old, fresh, code) => {
    const world = await makeWorld(one);
    world.ec2.addInstance(spare);
    const answer = await world.run(replaceMemberCommand(ordersDb, old, fresh, yes, contextOf(world)));
    expect(answer).toMatchObject({ outcome: 'refused', data: { code } });
  });
});
