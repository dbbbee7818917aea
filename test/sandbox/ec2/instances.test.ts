/** Instances: their states, their checks, and what their end does. */
import { describe, expect, it } from 'vitest';
import { type Ec2Event, latencyProfiles } from '../../../sandbox/ec2/model.ts';
import { codeOf, makeLab, some } from './lab.ts';

const image = { ImageId: 'ami-0123456789abcdef0', MinCount: 1, MaxCount: 1 } as const;

describe('states', () => {
  it('follow one another, each told to listeners', () => {
    const lab = makeLab();
    const states: string[] = [];
    lab.model.onEvent((event) => event.kind === 'instance-state' && states.push(event.state));
    const instance = lab.instance();
    for (const operation of ['StopInstances', 'StartInstances', 'TerminateInstances']) {
      lab.model.execute(operation, { InstanceIds: [instance] });
      lab.settle();
    }
    expect(states).toEqual([
      ...['pending', 'running', 'stopping', 'stopped'],
      ...['pending', 'running', 'shutting-down', 'terminated'],
    ]);
  });

  it('are answered with the state before', () => {
    const lab = makeLab();
    const instance = lab.instance();
    expect(lab.model.execute('StopInstances', { InstanceIds: [instance] }).StoppingInstances).toEqual([
      {
        InstanceId: instance,
        PreviousState: { Code: 16, Name: 'running' },
        CurrentState: { Code: 64, Name: 'stopping' },
      },
    ]);
  });

  it('refuse a start while stopping, and change nothing else in the same call', () => {
    const lab = makeLab();
    const [stopped, stopping] = [lab.instance(), lab.instance()];
    lab.model.execute('StopInstances', { InstanceIds: [stopped] });
    lab.settle();
    lab.model.execute('StopInstances', { InstanceIds: [stopping] });
    const start = () => lab.model.execute('StartInstances', { InstanceIds: [stopped, stopping] });
    expect(codeOf(start)).toBe('IncorrectInstanceState');
    expect(lab.stateOf(stopped)).toBe('stopped');
  });

  it('hang where an instance is stuck, however hard it is asked to stop, until it is unstuck', () => {
    const lab = makeLab();
    const instance = lab.instance();
    lab.model.stick(instance);
    for (const how of [{}, { Force: true }, { SkipOsShutdown: true }]) {
      lab.model.execute('StopInstances', { InstanceIds: [instance], ...how });
      lab.settle();
      expect(lab.stateOf(instance)).toBe('stopping');
    }
    lab.model.unstick(instance);
    lab.settle();
    expect(lab.stateOf(instance)).toBe('stopped');
  });

  it('keep secondary interfaces attached through a stop', () => {
    const lab = makeLab();
    const eni = lab.eni();
    const instance = lab.instance();
    lab.attach(eni, instance);
    lab.model.execute('StopInstances', { InstanceIds: [instance] });
    lab.settle();
    expect(lab.states(eni)).toBe('in-use attached');
  });

  it('end in an instance that can be forgotten, as EC2 does after an hour', () => {
    const lab = makeLab();
    const instance = lab.instance();
    lab.model.execute('TerminateInstances', { InstanceIds: [instance] });
    lab.settle();
    lab.model.forget(instance);
    expect(codeOf(() => lab.stateOf(instance))).toBe('InvalidInstanceID.NotFound');
  });
});

describe('StopInstances', () => {
  const latency = {
    ...latencyProfiles.instant,
    stop: [5_000, 5_000],
    hungStop: [60_000, 60_000],
    forcedStop: [4_000, 4_000],
    skippedStop: [1_000, 1_000],
  } as const;

  it.each<['well' | 'impaired', object, number]>([
    ['well', {}, 5_000],
    ['impaired', {}, 60_000],
    ['well', { Force: true }, 4_000],
    ['impaired', { Force: true }, 4_000],
    ['well', { SkipOsShutdown: true }, 1_000],
    ['impaired', { Force: true, SkipOsShutdown: true }, 1_000],
  ])('of a guest that is %s, with %o, takes %i ms', (guest, how, expectedMs) => {
    const lab = makeLab({ latency });
    const instance = lab.instance();
    if (guest === 'impaired') lab.model.impair(instance, 'instance');
    lab.model.execute('StopInstances', { ...how, InstanceIds: [instance] });
    lab.clock.advance(expectedMs - 1);
    expect(lab.stateOf(instance)).toBe('stopping');
    lab.clock.advance(1);
    expect(lab.stateOf(instance)).toBe('stopped');
  });

  it('hurries an instance that stops already when it is asked again and harder', () => {
    const lab = makeLab({ latency });
    const instance = lab.instance();
    lab.model.impair(instance, 'system');
    lab.model.execute('StopInstances', { InstanceIds: [instance] });
    lab.model.execute('StopInstances', { InstanceIds: [instance], SkipOsShutdown: true });
    lab.clock.advance(1_000);
    expect(lab.stateOf(instance)).toBe('stopped');
  });

  it('waits for the guest again the next time', () => {
    const lab = makeLab({ latency });
    const instance = lab.instance();
    lab.model.execute('StopInstances', { InstanceIds: [instance], SkipOsShutdown: true });
    lab.settle();
    lab.model.execute('StartInstances', { InstanceIds: [instance] });
    lab.settle();
    lab.model.execute('StopInstances', { InstanceIds: [instance] });
    lab.clock.advance(1_000);
    expect(lab.stateOf(instance)).toBe('stopping');
  });

  it('is refused while stop protection is on, whatever else is in the call', () => {
    const lab = makeLab();
    const [free, kept] = [lab.instance(), lab.instance()];
    const protect = (Value: boolean) =>
      lab.model.execute('ModifyInstanceAttribute', { InstanceId: kept, DisableApiStop: { Value } });
    protect(true);
    const stop = () =>
      lab.model.execute('StopInstances', { InstanceIds: [free, kept], Force: true, SkipOsShutdown: true });
    expect(codeOf(stop)).toBe('OperationNotPermitted');
    expect(lab.stateOf(free)).toBe('running');
    protect(false);
    expect(codeOf(stop)).toBe('ok');
  });

  it('is refused for an instance launched with stop protection', () => {
    const lab = makeLab();
    const run = { ...image, SubnetId: lab.subnet, DisableApiStop: true };
    const instance = some(lab.model.execute('RunInstances', run).Instances?.[0]?.InstanceId);
    lab.settle();
    expect(codeOf(() => lab.model.execute('StopInstances', { InstanceIds: [instance] }))).toBe(
      'OperationNotPermitted',
    );
  });

  it.each<[object, string]>([
    [{ Hibernate: true }, 'UnsupportedHibernationConfiguration'],
    [{ DryRun: true, Force: true }, 'DryRunOperation'],
  ])('%o is answered %s and stops nothing', (how, code) => {
    const lab = makeLab();
    const instance = lab.instance();
    expect(codeOf(() => lab.model.execute('StopInstances', { InstanceIds: [instance], ...how }))).toBe(code);
    expect(lab.stateOf(instance)).toBe('running');
  });
});

describe('status checks', () => {
  const words = (lab: ReturnType<typeof makeLab>, instance: string) => {
    const { SystemStatus, InstanceStatus, AttachedEbsStatus } = lab.status(instance);
    return [SystemStatus?.Status, InstanceStatus?.Status, AttachedEbsStatus?.Status].join(' ');
  };

  it('first lack data after a start, then initialize, then are ok', () => {
    const lab = makeLab();
    const seen: string[] = [];
    lab.model.onEvent((event) => {
      if (event.kind === 'status-check' && event.check === 'system') seen.push(event.status);
    });
    lab.instance();
    expect(seen).toEqual(['insufficient-data', 'initializing', 'ok']);
  });

  it.each([
    ['system', 'impaired ok ok'],
    ['instance', 'ok impaired ok'],
    ['ebs', 'ok ok impaired'],
  ] as const)('fail one by one: %s', (check, expected) => {
    const lab = makeLab();
    const instance = lab.instance();
    lab.model.impair(instance, check);
    expect(words(lab, instance)).toBe(expected);
    lab.model.recover(instance, check);
    expect(words(lab, instance)).toBe('ok ok ok');
  });

  it('say since when they fail', () => {
    const lab = makeLab();
    const instance = lab.instance();
    const failedAt = new Date(lab.clock.now());
    lab.model.impair(instance, 'system');
    lab.clock.advance(90_000);
    expect(lab.status(instance).SystemStatus?.Details).toEqual([
      { Name: 'reachability', Status: 'failed', ImpairedSince: failedAt },
    ]);
  });

  it('can lose their data', () => {
    const lab = makeLab();
    const instance = lab.instance();
    lab.model.impair(instance, 'instance', 'insufficient-data');
    expect(words(lab, instance)).toBe('ok insufficient-data ok');
  });

  it('recover one without the others', () => {
    const lab = makeLab();
    const instance = lab.instance();
    lab.model.impair(instance, 'system');
    lab.model.impair(instance, 'ebs');
    lab.model.recover(instance, 'ebs');
    expect(words(lab, instance)).toBe('impaired ok ok');
  });

  it('do not apply to an instance that is stopped, and begin anew on another host', () => {
    const lab = makeLab();
    const instance = lab.instance();
    lab.model.impair(instance, 'system');
    lab.model.execute('StopInstances', { InstanceIds: [instance] });
    lab.settle();
    expect(words(lab, instance)).toBe('not-applicable not-applicable not-applicable');
    lab.model.execute('StartInstances', { InstanceIds: [instance] });
    lab.settle();
    expect(words(lab, instance)).toBe('ok ok ok');
  });

  it('fail for the instance while it reboots', () => {
    const lab = makeLab();
    const instance = lab.instance();
    const events: Ec2Event[] = [];
    lab.model.onEvent((event) => events.push(event));
    lab.model.execute('RebootInstances', { InstanceIds: [instance] });
    expect(words(lab, instance)).toBe('ok impaired ok');
    lab.settle();
    expect(words(lab, instance)).toBe('ok ok ok');
    expect(events.map((event) => event.kind === 'status-check' && `${event.check} ${event.status}`)).toEqual([
      'instance impaired',
      'instance ok',
    ]);
  });

  it('are reported of running instances only, unless all are asked for', () => {
    const lab = makeLab();
    const [running, stopped] = [lab.instance(), lab.instance()];
    lab.model.execute('StopInstances', { InstanceIds: [stopped] });
    lab.settle();
    const ids = (IncludeAllInstances: boolean) =>
      lab.model
        .execute('DescribeInstanceStatus', { IncludeAllInstances })
        .InstanceStatuses?.map(({ InstanceId }) => InstanceId);
    expect(ids(false)).toEqual([running]);
    expect(ids(true)).toEqual([running, stopped]);
  });

  it('can be filtered', () => {
    const lab = makeLab();
    const [failed] = [lab.instance(), lab.instance()];
    lab.model.impair(some(failed), 'ebs');
    const Filters = [{ Name: 'attached-ebs-status.status', Values: ['impaired'] }];
    const { InstanceStatuses } = lab.model.execute('DescribeInstanceStatus', { Filters });
    expect(InstanceStatuses?.map(({ InstanceId }) => InstanceId)).toEqual([failed]);
  });
});

describe('RunInstances', () => {
  it('makes as many as it is asked for, in one reservation, all tagged', () => {
    const lab = makeLab();
    const { Instances } = lab.model.execute('RunInstances', {
      ...image,
      MaxCount: 3,
      SubnetId: lab.subnet,
      TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'role', Value: 'db' }] }],
    });
    expect(new Set(Instances?.map(({ PrivateIpAddress }) => PrivateIpAddress)).size).toBe(3);
    expect(Instances?.map(({ Tags }) => Tags?.[0]?.Value)).toEqual(['db', 'db', 'db']);
    expect(lab.model.execute('DescribeInstances', {}).Reservations).toHaveLength(1);
  });

  it('has one effect however often a client token is repeated', () => {
    const lab = makeLab();
    const run = (SubnetId: string) =>
      lab.model.execute('RunInstances', { ...image, SubnetId, ClientToken: 'once' }).Instances?.[0]
        ?.InstanceId;
    expect(run(lab.subnet)).toBe(run(lab.subnet));
    expect(codeOf(() => run(lab.elsewhere))).toBe('IdempotentParameterMismatch');
  });

  it.each<[string, object, string]>([
    ['without a subnet', {}, 'VPCIdNotSpecified'],
    ['without an image', { ImageId: undefined }, 'MissingParameter'],
    ['of a type that does not exist', { InstanceType: 'x9.huge' }, 'InvalidParameterValue'],
    ['with what the model does not know', { EbsOptimized: true }, 'UnknownParameter'],
    [
      'with an interface nobody knows',
      { NetworkInterfaces: [{ DeviceIndex: 0, EnaSrdSpecification: {} }] },
      'UnknownParameter',
    ],
    ['without a primary interface', { NetworkInterfaces: [{ DeviceIndex: 1 }] }, 'MissingParameter'],
  ])('refuses to launch %s', (_how, input, code) => {
    const lab = makeLab();
    const { model } = lab;
    expect(codeOf(() => model.execute('RunInstances' as string, { ...image, ...input }))).toBe(code);
    expect(model.execute('DescribeNetworkInterfaces', {}).NetworkInterfaces).toEqual([]);
  });

  it('leaves nothing behind when it refuses the second interface', () => {
    const lab = makeLab();
    const NetworkInterfaces = [
      { DeviceIndex: 0, SubnetId: lab.subnet },
      { DeviceIndex: 1, SubnetId: lab.subnet, PrivateIpAddress: '10.0.9.9' },
    ];
    expect(codeOf(() => lab.model.execute('RunInstances', { ...image, NetworkInterfaces }))).toBe(
      'InvalidParameterValue',
    );
    expect(lab.model.execute('DescribeNetworkInterfaces', {}).NetworkInterfaces).toEqual([]);
  });
});
