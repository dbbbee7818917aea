/** The demo as users run it: the main job and two scenarios, end to end, on EC2 that answers at once. */
import { tmpdir } from 'node:os';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Document } from '../../demo/document.ts';
import { start } from '../processes.ts';

const demo = (...args: readonly string[]) => start('demo/main.ts', args, tmpdir()).ended;

async function documentOf(scenario: string): Promise<{ code: number | null; document: Document }> {
  const { code, stdout, stderr } = await demo('--json', '--latency', 'instant', '--scenario', scenario);
  if (!stdout.startsWith('{')) throw new Error(`${scenario} ended with ${code}: ${stderr}`);
  return { code, document: JSON.parse(stdout) as Document };
}

describe('npm run demo -- --json', () => {
  let code: number | null;
  let document: Document;
  beforeAll(async () => {
    ({ code, document } = await documentOf('failover'));
  });

  it('completes, and says from where to where', () => {
    expect(code).toBe(0);
    expect(document).toMatchObject({
      service: 'orders-db',
      outcome: 'COMPLETED',
      from: expect.stringMatching(/^i-/),
      to: expect.stringMatching(/^i-/),
      episodeId: expect.stringMatching(/^orders-db\.\d+$/),
      gapMs: expect.any(Number),
      ok: true,
    });
    expect(document.to).not.toBe(document.from);
  });

  it('tells the moments in the order in which they must come', () => {
    const { eventAt, detachedAt, attachedAt, verifiedAt, closedAt } = document;
    const moments = [eventAt, detachedAt, attachedAt, verifiedAt, closedAt];
    expect(moments).toEqual(moments.toSorted());
    expect(moments).not.toContain(null);
  });

  it('shows two interfaces that changed their instance and nothing else', () => {
    expect(document.interfaces).toHaveLength(2);
    for (const each of document.interfaces) {
      expect(each.instanceBefore).toBe(document.from);
      expect(each.instanceAfter).toBe(document.to);
      expect(each.macAfter).toBe(each.macBefore);
      expect(each.addressesAfter).toEqual(each.addressesBefore);
      expect(each.securityGroupsAfter).toEqual(each.securityGroupsBefore);
      expect(each.sourceDestCheckAfter).toBe(each.sourceDestCheckBefore);
    }
    const [front] = document.interfaces;
    // Three private addresses and the Elastic IP.
    expect(front?.addressesBefore).toHaveLength(4);
  });

  it('goes the real way, step by step', () => {
    const way = [
      ...['status-check', 'alarm', 'event', 'function', 'claimed'],
      ...['detach', 'detached', 'attach', 'attached', 'verified', 'closed', 'notice'],
    ];
    const steps = document.steps.map((each) => each.step).filter((step) => way.includes(step));
    expect([...new Set(steps)]).toEqual(way);
    expect(document.steps.every((each) => each.durationMs >= 0)).toBe(true);
  });

  it('sends one notice, and leaves an audit trail that is whole', () => {
    expect(document.notices).toHaveLength(1);
    expect(document.notices[0]).toMatchObject({ attributes: { service: 'orders-db', outcome: 'COMPLETED' } });
    expect(document.notices[0]?.message).toContain(document.audit.head);
    expect(document.audit).toMatchObject({ chain: 'intact', records: 2 });
  });
});

describe('npm run demo -- --scenario', () => {
  it('refuses to move to an impaired standby, and detaches nothing', async () => {
    const { code, document } = await documentOf('standby-impaired');
    expect(document).toMatchObject({
      outcome: 'NO_ELIGIBLE_STANDBY',
      to: null,
      gapMs: null,
      detachedAt: null,
      happened: { reasons: ['db-b CHECKS_FAILED'], detached: 0 },
      differences: [],
      ok: true,
    });
    expect(code).toBe(0);
  });

  it('says in mode observe what it would have done', async () => {
    const { code, document } = await documentOf('observe');
    expect(document).toMatchObject({
      outcome: 'OBSERVE_ONLY',
      gapMs: null,
      happened: { says: 'would have moved to db-b', holder: 'db-a' },
      ok: true,
    });
    expect(code).toBe(0);
  });

  it('stops the failed holder before anything is detached from it', async () => {
    const { code, document } = await documentOf('fence');
    expect(document).toMatchObject({
      outcome: 'COMPLETED',
      happened: { registration: ['accepted'], stages: ['fence done'] },
      ok: true,
    });
    const steps = document.steps.map((each) => each.step);
    expect(steps.indexOf('stop')).toBeGreaterThan(0);
    expect(steps.indexOf('detach')).toBeGreaterThan(steps.lastIndexOf('fence'));
    expect(code).toBe(0);
  });

  it('stops the application, moves, and starts it again when EC2 takes the holder back', async () => {
    const { code, document } = await documentOf('spot-interruption');
    expect(document).toMatchObject({
      outcome: 'COMPLETED',
      happened: { stages: ['1/before.0 done', '1/after.0 done'], holder: 'db-b' },
      ok: true,
    });
    const told = document.steps.filter((each) => /^(before|detach|after)/.test(each.step));
    const order = ['before.0', 'detach', 'detached', 'after.0'];
    expect([...new Set(told.map((each) => each.step))]).toEqual(order);
    expect(told.find((each) => each.step === 'detach')?.detail).toBe('front from db-a');
    expect(code).toBe(0);
  });

  it('names the scenarios that there are when it does not know one', async () => {
    const { code, stdout, stderr } = await demo('--scenario', 'nope');
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain("there is no 'nope'; there are failover, standby-impaired, cross-az");
  });

  it('lists them', async () => {
    const { code, stdout } = await demo('--list');
    expect(code).toBe(0);
    for (const name of ['cross-az', 'attach-refused-first-standby', 'duplicate-events', 'already-moved'])
      expect(stdout).toContain(name);
  });
});
