/** The fake fleet keeps what the adapter promises: the sweep's stories mean something. */
import { describe } from 'vitest';
import type { EniId, InstanceId } from '../../shared/core/ids.ts';
import { alarmNamed, makeFakeAlarms } from '../fakes/fake-alarms.ts';
import { makeFakeEc2 } from '../fakes/fake-ec2.ts';
import { makeFakeFleet } from '../fakes/fake-fleet.ts';
import { makeVirtualClock } from '../fakes/virtual-clock.ts';
import { fleetContract } from './fleet-contract.ts';

describe('the fake fleet', () => {
  fleetContract(async () => {
    const clock = makeVirtualClock();
    const ec2 = makeFakeEc2(clock);
    const alarms = makeFakeAlarms(clock);
    const fake = makeFakeFleet(clock, ec2, alarms);
    let made = 0;
    const nextId = () => {
      made += 1;
      return made.toString(16).padStart(17, '0');
    };
    return {
      fleet: {
        interfaces: () => clock.run(fake.interfaces()),
        troubled: () => clock.run(fake.troubled()),
        redAlarms: () => clock.run(fake.redAlarms()),
      },
      addInstance: async () => {
        const id = `i-${nextId()}` as InstanceId;
        ec2.addInstance(id);
        return id;
      },
      addInterface: async ({ tagged, on }) => {
        const eni = `eni-${nextId()}` as EniId;
        ec2.addInterface(eni, { tagged });
        if (on) ec2.attachByHand(eni, on, 1);
        return eni;
      },
      impair: async (id, check) => ec2.impair(id, check),
      recover: async (id) => ec2.recover(id),
      stop: async (id) => ec2.setState(id, 'stopped'),
      terminate: async (id) => ec2.terminate(id),
      addAlarm: async (name, state, id) => {
        const arn = alarmNamed(name);
        alarms.set(arn, state);
        if (id) fake.watches(arn, [id]);
        return arn;
      },
    };
  });
});
