/** Proves what `pause`, `resume` and `ack` do, say, and refuse. */
import { describe, expect, it } from 'vitest';
import { ackServiceCommand, ackZoneCommand } from '../../cli/ack.ts';
import { timeOf } from '../../cli/output.ts';
import { parsePauseLength, pauseCommand } from '../../cli/pause.ts';
import { resumeCommand } from '../../cli/resume.ts';
import type { ServiceName } from '../../shared/core/ids.ts';
import { a, b, front, makeWorld, ordersDb, zone } from '../fakes/world.ts';
import { ann, connectionTo, contextOf, pipe } from './screen.ts';

const options = { reason: 'kernel upgrade', for: 30 * 60_000 };
const nobody = 'nope' as ServiceName;

describe('pause and resume', () => {
  it.each([
    ['2d', 172_800_000],
    ['10d', 864_000_000],
    ['90s', 90_000],
  ])('%s is %i ms: longer than seven days is refused by control', (text, ms) => {
    expect(parsePauseLength(text)).toBe(ms);
  });

  it('pauses a service with reason, author and end, and resumes it', async () => {
    const world = await makeWorld();
    const context = contextOf(world);
    const paused = await world.run(pauseCommand(ordersDb, options, context));
    expect(paused.text(pipe)).toMatch(
      /^orders-db: paused until [\d-]+T\d\d:\d\d:\d\dZ by arn:aws:iam::111122223333:user\/ann$/,
    );
    expect(paused).toMatchObject({
      outcome: 'done',
      data: {
        service: ordersDb,
        zone: null,
        author: ann,
        code: null,
        until: new Date(world.service().pause?.untilMs ?? 0).toISOString(),
      },
    });
    expect(world.service().pause).toMatchObject({ reason: 'kernel upgrade', author: ann });

    const resumed = await world.run(resumeCommand(ordersDb, 'upgraded', context));
    expect(resumed.text(pipe)).toBe(`orders-db: resumed by ${ann}; looked at within a minute`);
    expect(world.service().pause).toBeUndefined();
    expect(world.kinds()).toEqual(['pause', 'resume']);
  });

  it('says until when it was paused, for the end is set anew, sooner too', async () => {
    const world = await makeWorld();
    const context = contextOf(world);
    const first = await world.run(pauseCommand(ordersDb, options, context));
    expect(first.data).toMatchObject({ insteadOf: null });
    const shorter = await world.run(pauseCommand(ordersDb, { ...options, for: 60_000 }, context));
    const until = timeOf(Date.parse(String(first.data['until'])));
    expect(shorter.text(pipe)).toMatch(new RegExp(`by arn\\S+, instead of until ${until}$`));
    expect(shorter.data).toMatchObject({ insteadOf: first.data['until'] });
    await world.run(pauseCommand(undefined, options, context));
    const all = await world.run(pauseCommand(undefined, { ...options, for: 60_000 }, context));
    expect(all.text(pipe)).toMatch(/: kernel upgrade, instead of until 2026-11-21 02:\d\d:\d\dZ$/);
  });

  it('pauses all the same where nobody can read until when it was', async () => {
    const world = await makeWorld();
    const connection = connectionTo(world);
    const connect = async () => ({
      ...connection,
      get ports(): never {
        throw new Error('the state table could not be read');
      },
    });
    const paused = await world.run(pauseCommand(ordersDb, options, contextOf(world, { connect })));
    expect(paused).toMatchObject({ outcome: 'done', data: { insteadOf: null } });
  });

  it('does nothing, with the reason, where nothing is paused', async () => {
    const world = await makeWorld();
    const service = await world.run(resumeCommand(ordersDb, 'upgraded', contextOf(world)));
    expect(service).toMatchObject({ outcome: 'refused', data: { code: 'NOT_PAUSED' } });
    expect(service.text(pipe)).toBe(
      'nothing was done (NOT_PAUSED): orders-db is not paused. How it is:  eni-failover status orders-db',
    );
    const everything = await world.run(resumeCommand(undefined, 'upgraded', contextOf(world)));
    expect(everything).toMatchObject({ outcome: 'refused', data: { code: 'NOT_PAUSED', service: null } });
  });

  it.each([ordersDb, undefined])('waits for the end of a move under way, if it should: %s', async (name) => {
    const world = await makeWorld();
    world.ec2.impair(a);
    const { report } = world.begin(world.alarm(a));
    await world.clock.advance(2_000);
    const wait = { ...options, wait: true } as const;
    const paused = await world.run(pauseCommand(name, wait, contextOf(world)));
    await world.run(report);
    expect(paused).toMatchObject({
      outcome: 'done',
      data: { underWay: [{ service: ordersDb, end: { outcome: 'COMPLETED', to: b } }] },
    });
    expect(paused.text(pipe)).toMatch(
      /\norders-db: failover orders-db\.1 ended as COMPLETED on i-0bbbbbbbbbbbbbbb2$/,
    );
  });

  it('waits for nothing where nothing is under way, and says what it could not see', async () => {
    const world = await makeWorld();
    const wait = { ...options, wait: true, timeout: 1_000 } as const;
    const still = await world.run(pauseCommand(ordersDb, wait, contextOf(world)));
    expect(still).toMatchObject({ outcome: 'done', data: { underWay: [] } });
    world.ec2.stick(front, 'forced-too');
    world.ec2.impair(a);
    await world.run(resumeCommand(ordersDb, 'over', contextOf(world)));
    const { report } = world.begin(world.alarm(a));
    await world.clock.advance(3_000);
    const unseen = await world.run(pauseCommand(ordersDb, wait, contextOf(world)));
    expect(unseen).toMatchObject({ outcome: 'needs-human', data: { underWay: [{ end: null }] } });
    expect(unseen.text(pipe)).toMatch(/its move was not seen to the end .*eni-failover status orders-db$/);
    world.ec2.loosen(front);
    await world.run(report);
  });

  it('pauses and resumes everything', async () => {
    const world = await makeWorld();
    const paused = await world.run(pauseCommand(undefined, options, contextOf(world)));
    expect(paused.text(pipe)).toMatch(
      /^everything is paused until [\d-]+T\d\d:\d\d:\d\dZ by arn:aws:iam::111122223333:user\/ann: kernel upgrade$/,
    );
    const { pause } = await world.run(world.ports.store.readController());
    expect(pause).toMatchObject({ reason: 'kernel upgrade' });
    expect(paused.data).toMatchObject({ until: new Date(pause?.untilMs ?? 0).toISOString() });
    const resumed = await world.run(resumeCommand(undefined, 'upgraded', contextOf(world)));
    expect(resumed.text(pipe)).toBe(`everything is resumed by ${ann}; looked at within a minute`);
  });

  it('refuses a service that nobody registered', async () => {
    const world = await makeWorld();
    const answer = await world.run(pauseCommand(nobody, options, contextOf(world)));
    expect(answer).toMatchObject({ outcome: 'refused', data: { code: 'NO_SUCH_SERVICE' } });
    expect(answer.text(pipe)).toBe(
      'nothing was done (NO_SUCH_SERVICE): nope is not registered. How things are:  eni-failover status',
    );
  });
});

describe('ack', () => {
  it('ends the quarantine of the member that failed, and only once', async () => {
    const world = await makeWorld();
    world.ec2.impair(a);
    await world.look(world.alarm(a));
    const context = contextOf(world);
    const ack = () => world.run(ackServiceCommand(ordersDb, 'rebooted', a, context));
    const done = await ack();
    expect(done.text(pipe)).toBe(`orders-db: acknowledged by ${ann}`);
    expect(world.service().quarantine).toEqual({});
    expect(world.records('ack')).toMatchObject([{ reason: 'rebooted', author: ann }]);
    expect(await ack()).toMatchObject({ outcome: 'refused', data: { code: 'NOT_QUARANTINED' } });
  });

  it('does nothing where nothing waits for a person', async () => {
    const world = await makeWorld();
    const context = contextOf(world);
    const all = await world.run(ackServiceCommand(ordersDb, 'looked', undefined, context));
    expect(all).toMatchObject({ outcome: 'refused', data: { code: 'NOTHING_TO_ACKNOWLEDGE' } });
    const one = await world.run(ackServiceCommand(ordersDb, 'looked', b, context));
    expect(one).toMatchObject({ outcome: 'refused', data: { code: 'NOT_QUARANTINED' } });
  });

  it('releases the brake of a zone', async () => {
    const world = await makeWorld();
    await world.run(world.ports.store.tripBrake(zone, ['x'], world.clock.now()));
    const done = await world.run(ackZoneCommand(zone, 'the zone is back', contextOf(world)));
    expect(done.text(pipe)).toBe(`the brake of ${zone} is released`);
    const again = await world.run(ackZoneCommand(zone, 'the zone is back', contextOf(world)));
    expect(again).toMatchObject({ outcome: 'refused', data: { code: 'NO_BRAKE', zone, service: null } });
  });
});
