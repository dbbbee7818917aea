/** Known, absent and unknown are three values, and health is never guessed from what was not seen. */
import { describe, expect, it } from 'vitest';
import {
  alarmOf,
  type CheckStatus,
  type Checks,
  type Fact,
  healthOf,
  interfaceOf,
  known,
  memberOf,
} from '../../shared/core/observation.ts';
import { a, alarm, type Condition, checks, data, foreign, member, now, stranger, world } from './world.ts';

describe('health', () => {
  it.each<[Condition, object]>([
    ['healthy', { kind: 'healthy' }],
    ['stopping', { kind: 'failed', certain: true, why: 'the instance is stopping' }],
    ['stopped', { kind: 'failed', certain: true }],
    ['shutting-down', { kind: 'failed', certain: true }],
    ['terminated', { kind: 'failed', certain: true }],
    ['gone', { kind: 'failed', certain: true, why: 'the instance no longer exists' }],
    ['pending', { kind: 'unknown', why: 'the instance is pending' }],
    ['initializing', { kind: 'unknown', why: 'instance check is initializing' }],
    ['insufficient-data', { kind: 'unknown' }],
    ['checks-unread', { kind: 'unknown', why: 'DescribeInstanceStatus was throttled' }],
    ['unread', { kind: 'unknown', why: 'DescribeInstances was throttled' }],
  ])('of an instance that is %s', (is, answer) => {
    expect(healthOf(member(a, is))).toMatchObject(answer);
  });

  const withChecks = (said: Partial<Checks>) => healthOf(member(a, { checks: known(checks(said)) }));
  it.each(['system', 'instance', 'ebs'] as const)(
    'is failed, not certain, when the %s check is impaired',
    (check) => {
      expect(withChecks({ [check]: 'impaired', impairedSinceMs: now })).toMatchObject({
        kind: 'failed',
        certain: false,
        sinceMs: now,
      });
    },
  );
  it.each(['system', 'instance', 'ebs'] as const)('is unknown while the %s check is', (check) => {
    for (const status of ['insufficient-data', 'initializing'] satisfies CheckStatus[])
      expect(withChecks({ [check]: status }).kind).toBe('unknown');
  });
  it('is fine without an EBS check, but unknown without the others: EC2 says so of what does not run', () => {
    expect(withChecks({ ebs: 'not-applicable' }).kind).toBe('healthy');
    expect(withChecks({ system: 'not-applicable' }).kind).toBe('unknown');
    expect(withChecks({ instance: 'not-applicable' }).kind).toBe('unknown');
  });
  it('is failed when one check is impaired and another not known', () => {
    expect(withChecks({ system: 'impaired', instance: 'initializing' })).toMatchObject({ kind: 'failed' });
  });
  it('names every impaired check', () => {
    expect(withChecks({ system: 'impaired', ebs: 'impaired' })).toMatchObject({
      why: 'system and attached EBS check impaired',
    });
  });
  it('is unknown when EC2 reports no checks of a running instance', () => {
    const nothing: Fact<Checks> = { kind: 'absent' };
    expect(healthOf(member(a, { checks: nothing }))).toEqual({
      kind: 'unknown',
      why: 'EC2 reports no status checks',
    });
  });
});

describe('what was not looked at', () => {
  it('is unknown, not absent', () => {
    const { observation } = world();
    expect(interfaceOf(observation, foreign)).toMatchObject({ kind: 'unknown' });
    expect(memberOf(observation, stranger)).toMatchObject({ kind: 'unknown' });
    expect(alarmOf(observation, alarm('never'))).toMatchObject({ kind: 'unknown' });
    expect(interfaceOf(observation, data)).toMatchObject({ kind: 'known' });
  });
});
