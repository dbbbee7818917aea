/** What every Fleet promises, told as one suite: the adapter over a model of EC2, and the fake that stories run on. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { Fleet } from '../../shared/app/ports.ts';
import type { AlarmArn, EniId, InstanceId } from '../../shared/core/ids.ts';

export interface FleetUnderTest {
  readonly fleet: Fleet;
  /** A running instance whose checks are fine. */
  addInstance(): Promise<InstanceId>;
  addInterface(options: { readonly tagged: boolean; readonly on?: InstanceId }): Promise<EniId>;
  impair(id: InstanceId, check: 'system' | 'instance' | 'ebs'): Promise<void>;
  recover(id: InstanceId): Promise<void>;
  stop(id: InstanceId): Promise<void>;
  terminate(id: InstanceId): Promise<void>;
  /** A metric alarm on the system check of an instance, or one that watches no instance. */
  addAlarm(name: string, state: 'OK' | 'ALARM' | 'INSUFFICIENT_DATA', id?: InstanceId): Promise<AlarmArn>;
}

/** `make` gives an account with nothing in it; each test has its own. */
export function fleetContract(make: () => Promise<FleetUnderTest>): void {
  let under: FleetUnderTest;
  beforeEach(async () => {
    under = await make();
  });

  describe('the interfaces', () => {
    it('are those with the tag, attached or free', async () => {
      const holder = await under.addInstance();
      const attached = await under.addInterface({ tagged: true, on: holder });
      const free = await under.addInterface({ tagged: true });
      await under.addInterface({ tagged: false });
      const found = await under.fleet.interfaces();
      expect([...found.keys()].sort()).toEqual([attached, free].sort());
      expect(found.get(attached)).toMatchObject({
        eni: attached,
        tagged: true,
        attachment: { instanceId: holder, status: 'attached', deviceIndex: 1 },
      });
      expect(found.get(free)).toMatchObject({ status: 'available', attachment: undefined });
    });
    it('are none in an empty account', async () => {
      expect((await under.fleet.interfaces()).size).toBe(0);
    });
  });

  describe('the troubled instances', () => {
    const troubled = async () => [...(await under.fleet.troubled())].sort();

    it('are none while all is fine', async () => {
      await under.addInstance();
      expect(await troubled()).toEqual([]);
    });
    it.each(['system', 'instance', 'ebs'] as const)(
      'have a failed %s check, until it is fine',
      async (check) => {
        const [sick] = [await under.addInstance(), await under.addInstance()];
        await under.impair(sick, check);
        expect(await troubled()).toEqual([sick]);
        await under.recover(sick);
        expect(await troubled()).toEqual([]);
      },
    );
    it('are also those that do not run', async () => {
      const [stopped, gone] = [await under.addInstance(), await under.addInstance()];
      await under.addInstance();
      await under.stop(stopped);
      await under.terminate(gone);
      expect(await troubled()).toEqual([stopped, gone].sort());
    });
    it('are named once, however much is wrong with them', async () => {
      const sick = await under.addInstance();
      await under.impair(sick, 'system');
      await under.impair(sick, 'instance');
      expect(await troubled()).toEqual([sick]);
    });
  });

  describe('the red alarms', () => {
    it('are those in ALARM, with the instances whose checks they watch', async () => {
      const watched = await under.addInstance();
      const system = await under.addAlarm('system', 'ALARM', watched);
      const custom = await under.addAlarm('custom', 'ALARM');
      await under.addAlarm('fine', 'OK', watched);
      await under.addAlarm('silent', 'INSUFFICIENT_DATA', watched);
      const found = await under.fleet.redAlarms();
      expect(found.map((each) => each.arn).sort()).toEqual([custom, system].sort());
      expect(found.find((each) => each.arn === system)).toMatchObject({
        state: 'ALARM',
        instanceIds: [watched],
        suppressedBy: undefined,
        transitionedAtMs: expect.any(Number),
      });
      expect(found.find((each) => each.arn === custom)?.instanceIds).toEqual([]);
    });
  });
}
