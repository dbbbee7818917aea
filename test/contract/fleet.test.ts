/** Proves that the adapter keeps the Fleet contract, over the sandbox's EC2 and CloudWatch in this process. */
import type { DescribeAlarmsCommandInput } from '@aws-sdk/client-cloudwatch';
import { describe } from 'vitest';
import { makeAlarms } from '../../sandbox/cloudwatch/alarms.ts';
import { makeFleet } from '../../shared/aws/fleet.ts';
import type { AlarmArn, EniId, InstanceId } from '../../shared/core/ids.ts';
import { makeRetrying } from '../aws/retrying.ts';
import { makeLab, some } from '../sandbox/ec2/lab.ts';
import { makeManualClock } from '../sandbox/manual-clock.ts';
import { fleetContract } from './fleet-contract.ts';

const managed = [{ Key: 'eni-failover', Value: 'managed' }];

describe('the fleet in pages', () => {
  fleetContract(async () => {
    const lab = makeLab({ latency: 'instant', throttle: false });
    const { model, settle } = lab;
    const alarms = makeAlarms({
      clock: makeManualClock(),
      region: 'us-east-1',
      accountId: '123456789012',
      detectionDelayMs: () => 0,
      emitEvent: () => undefined,
      invokeLambda: () => undefined,
      publish: () => undefined,
    });
    const nameOf = (command: object) => command.constructor.name.replace(/Command$/, '');
    const client = {
      send: async (command: { readonly input: object }) =>
        nameOf(command) === 'DescribeAlarms'
          ? alarms.describeAlarms(command.input as DescribeAlarmsCommandInput)
          : model.execute(nameOf(command), command.input),
    } as never;
    return {
      fleet: makeFleet({ ec2: client, cloudwatch: client }, makeRetrying()),
      addInstance: async () => {
        const id = lab.instance();
        // The first status checks take minutes.
        lab.clock.advance(600_000);
        return id as InstanceId;
      },
      addInterface: async ({ tagged, on }) => {
        const { NetworkInterface } = model.execute('CreateNetworkInterface', {
          SubnetId: lab.subnet,
          ...(tagged && { TagSpecifications: [{ ResourceType: 'network-interface', Tags: managed }] }),
        });
        const eni = some(NetworkInterface?.NetworkInterfaceId) as EniId;
        if (on) lab.attach(eni, on);
        settle();
        return eni;
      },
      impair: async (id, check) => {
        model.impair(id, check);
      },
      recover: async (id) => {
        model.recover(id);
        settle();
      },
      stop: async (id) => {
        model.execute('StopInstances', { InstanceIds: [id] });
        settle();
      },
      terminate: async (id) => {
        model.execute('TerminateInstances', { InstanceIds: [id] });
        settle();
      },
      addAlarm: async (name, state, id) => {
        alarms.putMetricAlarm({
          AlarmName: name,
          Namespace: id ? 'AWS/EC2' : 'Orders',
          MetricName: id ? 'StatusCheckFailed_System' : 'Errors',
          ...(id && { Dimensions: [{ Name: 'InstanceId', Value: id }] }),
          Statistic: 'Maximum',
          Period: 60,
          EvaluationPeriods: 1,
          Threshold: 1,
          ComparisonOperator: 'GreaterThanOrEqualToThreshold',
        });
        alarms.setAlarmState({ AlarmName: name, StateValue: state, StateReason: 'test' });
        return `arn:aws:cloudwatch:us-east-1:123456789012:alarm:${name}` as AlarmArn;
      },
    };
  });
});
