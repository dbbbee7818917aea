/** Proves what the EC2 adapter sends, how it reads pages and facts, and what it makes of every refusal. */
import {
  AttachNetworkInterfaceCommand,
  type AttachNetworkInterfaceCommandOutput,
  DescribeInstanceStatusCommand,
  DescribeInstancesCommand,
  DescribeInstanceTypesCommand,
  DescribeNetworkInterfacesCommand,
  DetachNetworkInterfaceCommand,
  EC2Client,
  ModifyNetworkInterfaceAttributeCommand,
  type NetworkInterface,
  StopInstancesCommand,
} from '@aws-sdk/client-ec2';
import { mockClient } from 'aws-sdk-client-mock';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Clock } from '../../shared/app/ports.ts';
import { makeEc2 } from '../../shared/aws/ec2.ts';
import type { AttachmentId, EniId, InstanceId } from '../../shared/core/ids.ts';
import { times } from '../../shared/core/times.ts';
import {
  awsError,
  brokenAnswer,
  makeRetrying,
  START_MS,
  socketError,
  timeoutError,
  type VirtualRetrying,
} from './retrying.ts';

const ENI = 'eni-0a1b2c3d4e5f60001' as EniId;
const OTHER_ENI = 'eni-0a1b2c3d4e5f60002' as EniId;
const ATTACHMENT = 'eni-attach-0a1b2c3d4e5f60001' as AttachmentId;
const HOLDER = 'i-0a1b2c3d4e5f60001' as InstanceId;
const STANDBY = 'i-0a1b2c3d4e5f60002' as InstanceId;
const ZONE = 'us-east-1a';

const client = new EC2Client({ region: 'us-east-1' });
const aws = mockClient(client);
let retrying: VirtualRetrying;
let ec2: ReturnType<typeof makeEc2>;
beforeEach(() => {
  aws.reset();
  retrying = makeRetrying();
  ec2 = makeEc2(client, retrying);
});

const instanceIds = (count: number): InstanceId[] =>
  Array.from({ length: count }, (_, index) => `i-${index.toString(16).padStart(17, '0')}` as InstanceId);
/** The inputs of every call, in order. */
const inputs = (): readonly object[] => aws.calls().map((call) => call.args[0].input as object);

const throttled = awsError('RequestLimitExceeded', 503);

describe('interfaces', () => {
  const attached: NetworkInterface = {
    NetworkInterfaceId: ENI,
    AvailabilityZone: ZONE,
    Status: 'in-use',
    InterfaceType: 'interface',
    RequesterManaged: false,
    Attachment: {
      AttachmentId: ATTACHMENT,
      InstanceId: HOLDER,
      DeviceIndex: 2,
      NetworkCardIndex: 1,
      Status: 'attached',
      DeleteOnTermination: true,
    },
    PrivateIpAddresses: [{ PrivateIpAddress: '10.0.0.1' }, { PrivateIpAddress: '10.0.0.2' }],
    Ipv6Addresses: [{ Ipv6Address: '2001:db8::1' }],
    TagSet: [
      { Key: 'Name', Value: 'orders' },
      { Key: 'eni-failover', Value: 'managed' },
    ],
  };
  const factOf = async (from: NetworkInterface) => {
    aws.on(DescribeNetworkInterfacesCommand).resolves({ NetworkInterfaces: [from] });
    return (await ec2.interfaces([ENI])).value.get(ENI);
  };

  it('are asked for by a filter, so that an unknown id does not fail the call', async () => {
    aws.on(DescribeNetworkInterfacesCommand).resolves({ NetworkInterfaces: [attached] });
    const answer = await ec2.interfaces([ENI, OTHER_ENI]);
    expect(inputs()).toStrictEqual([
      { Filters: [{ Name: 'network-interface-id', Values: [ENI, OTHER_ENI] }] },
    ]);
    expect([...answer.value.keys()]).toEqual([ENI]);
  });
  it('are asked for in no call when there are none', async () => {
    aws.on(DescribeNetworkInterfacesCommand).resolves({ NetworkInterfaces: [] });
    expect((await ec2.interfaces([])).value.size).toBe(0);
    expect(inputs()).toEqual([]);
  });
  it('become facts', async () => {
    expect(await factOf(attached)).toStrictEqual({
      eni: ENI,
      availabilityZone: ZONE,
      status: 'in-use',
      attachment: {
        id: ATTACHMENT,
        instanceId: HOLDER,
        deviceIndex: 2,
        networkCardIndex: 1,
        status: 'attached',
        deleteOnTermination: true,
      },
      unmovable: undefined,
      ipv4Count: 2,
      ipv6Count: 1,
      tagged: true,
    });
  });
  it('count a prefix as one address, as the limits of an instance type do', async () => {
    const prefixed: NetworkInterface = {
      ...attached,
      Ipv4Prefixes: [{ Ipv4Prefix: '10.0.0.16/28' }, { Ipv4Prefix: '10.0.0.32/28' }],
      Ipv6Prefixes: [{ Ipv6Prefix: '2001:db8:1::/80' }],
    };
    expect(await factOf(prefixed)).toMatchObject({ ipv4Count: 4, ipv6Count: 2 });
  });
  it('have no attachment while they are on nothing', async () => {
    const { Attachment: _, ...rest } = attached;
    expect(await factOf({ ...rest, Status: 'available' })).toMatchObject({
      status: 'available',
      attachment: undefined,
      unmovable: undefined,
    });
  });
  it('are on network card 0 where EC2 does not say', async () => {
    const { NetworkCardIndex: _, ...attachment } = { ...attached.Attachment };
    const fact = await factOf({ ...attached, Attachment: attachment });
    expect(fact?.attachment?.networkCardIndex).toBe(0);
  });
  it.each(['attaching', 'attached', 'detaching', 'detached'] as const)(
    'keep the attachment status %s',
    async (Status) => {
      const fact = await factOf({ ...attached, Attachment: { ...attached.Attachment, Status } });
      expect(fact?.attachment?.status).toBe(Status);
    },
  );
  it.each<[string, Partial<NetworkInterface>, RegExp]>([
    ['primary', { Attachment: { ...attached.Attachment, DeviceIndex: 0 } }, /primary/],
    ['managed by a requester', { RequesterManaged: true, RequesterId: 'amazon-elb' }, /amazon-elb/],
    [
      'managed by an operator',
      { Operator: { Managed: true, Principal: 'eks.amazonaws.com' } },
      /eks\.amazonaws\.com/,
    ],
    ['a NAT gateway', { InterfaceType: 'natGateway' }, /natGateway/],
    ['a Lambda interface', { InterfaceType: 'lambda' }, /lambda/],
    [
      'attached to what is no instance',
      { Attachment: { AttachmentId: 'ela-attach-1', Status: 'attached' } },
      /./,
    ],
  ])('are unmovable when %s', async (_, change, why) => {
    expect((await factOf({ ...attached, ...change }))?.unmovable).toMatch(why);
  });
  it('have no attachment that we could name when what holds them is no instance', async () => {
    const fact = await factOf({
      ...attached,
      Attachment: { AttachmentId: 'ela-attach-1', Status: 'attached' },
    });
    expect(fact?.attachment).toBeUndefined();
  });
  it('are movable where EC2 does not say of what type they are', async () => {
    const { InterfaceType: _, ...rest } = attached;
    expect((await factOf(rest))?.unmovable).toBeUndefined();
  });
  it.each(['interface', 'efa'] as const)('are movable when of the type %s', async (InterfaceType) => {
    expect((await factOf({ ...attached, InterfaceType }))?.unmovable).toBeUndefined();
  });
  it.each([
    ['no tags', undefined],
    ['another value', [{ Key: 'eni-failover', Value: 'ignored' }]],
    ['another key', [{ Key: 'managed', Value: 'eni-failover' }]],
    ['the same value under another key', [{ Key: 'patching', Value: 'managed' }]],
  ])('are not tagged with %s', async (_, TagSet) => {
    const { TagSet: __, ...rest } = attached;
    expect((await factOf({ ...rest, ...(TagSet && { TagSet }) }))?.tagged).toBe(false);
  });
  it('come from every page', async () => {
    aws
      .on(DescribeNetworkInterfacesCommand)
      .resolvesOnce({ NetworkInterfaces: [], NextToken: 'page-2' })
      .resolvesOnce({ NetworkInterfaces: [attached], NextToken: 'page-3' })
      .resolvesOnce({ NetworkInterfaces: [{ ...attached, NetworkInterfaceId: OTHER_ENI }] });
    const { value } = await ec2.interfaces([ENI, OTHER_ENI]);
    expect([...value.keys()]).toEqual([ENI, OTHER_ENI]);
    const Filters = [{ Name: 'network-interface-id', Values: [ENI, OTHER_ENI] }];
    expect(inputs()).toStrictEqual([
      { Filters },
      { Filters, NextToken: 'page-2' },
      { Filters, NextToken: 'page-3' },
    ]);
  });
  it('are not absent when an answer carries no list', async () => {
    aws.on(DescribeNetworkInterfacesCommand).resolves({});
    await expect(ec2.interfaces([ENI])).rejects.toMatchObject({ name: 'PortError' });
  });
});

describe('a poll', () => {
  const signalOf = () => {
    const [, options] = (aws.calls()[0]?.args ?? []) as readonly unknown[];
    return (options as { readonly abortSignal: AbortSignal } | undefined)?.abortSignal;
  };
  it('is given up after its time, by the clock that tests turn', async () => {
    let passMs = (_ms: number): void => undefined;
    const clock: Clock = {
      now: () => START_MS,
      sleep: (ms) =>
        new Promise((resolve) => {
          passMs = (given) => {
            if (given >= ms) resolve();
          };
        }),
    };
    aws.on(DescribeNetworkInterfacesCommand).callsFake(
      () =>
        new Promise((_, reject) => {
          signalOf()?.addEventListener('abort', () =>
            reject(Object.assign(new Error('Request aborted'), { name: 'AbortError' })),
          );
        }),
    );
    const heard = makeEc2(client, { clock, random: () => 0 })
      .interfaces([ENI], 'poll')
      .catch((error: unknown) => error);
    passMs(times.pollTimeoutMs);
    expect(await heard).toMatchObject({ failure: 'unavailable', code: 'AbortError' });
    expect(inputs()).toHaveLength(1);
  });
  it('leaves no timer behind', async () => {
    let isOver = false;
    const clock: Clock = {
      now: () => START_MS,
      sleep: (_, signal) =>
        new Promise((resolve) =>
          signal?.addEventListener('abort', () => {
            isOver = true;
            resolve();
          }),
        ),
    };
    aws.on(DescribeNetworkInterfacesCommand).resolves({ NetworkInterfaces: [] });
    await makeEc2(client, { clock, random: () => 0 }).interfaces([ENI], 'poll');
    expect(isOver).toBe(true);
    expect(signalOf()?.aborted).toBe(false);
  });
});

describe('instances', () => {
  const running = (InstanceId: InstanceId) => ({
    InstanceId,
    State: { Name: 'running' as const },
    Placement: { AvailabilityZone: ZONE },
    InstanceType: 'm7g.large' as const,
    NetworkInterfaces: [
      { NetworkInterfaceId: 'eni-0a1b2c3d4e5f6000a', Attachment: { DeviceIndex: 0 } },
      { NetworkInterfaceId: ENI, Attachment: { DeviceIndex: 1, NetworkCardIndex: 2 } },
    ],
    Tags: [{ Key: 'eni-failover', Value: 'managed' }],
  });

  it('become facts', async () => {
    aws.on(DescribeInstancesCommand).resolves({ Reservations: [{ Instances: [running(HOLDER)] }] });
    const answer = await ec2.instances([HOLDER, STANDBY]);
    expect(inputs()).toStrictEqual([{ Filters: [{ Name: 'instance-id', Values: [HOLDER, STANDBY] }] }]);
    expect([...answer.value]).toStrictEqual([
      [
        HOLDER,
        {
          instanceId: HOLDER,
          state: 'running',
          availabilityZone: ZONE,
          instanceType: 'm7g.large',
          interfaces: [
            { eni: 'eni-0a1b2c3d4e5f6000a', deviceIndex: 0, networkCardIndex: 0 },
            { eni: ENI, deviceIndex: 1, networkCardIndex: 2 },
          ],
          tagged: true,
        },
      ],
    ]);
  });
  it('come from every reservation of every page', async () => {
    const [first, second, third, fourth] = instanceIds(4) as [InstanceId, InstanceId, InstanceId, InstanceId];
    aws
      .on(DescribeInstancesCommand)
      .resolvesOnce({
        Reservations: [{ Instances: [running(first)] }, { Instances: [running(second), running(third)] }],
        NextToken: 'page-2',
      })
      .resolvesOnce({ Reservations: [{}, { Instances: [running(fourth)] }] });
    const { value } = await ec2.instances([first, second, third, fourth]);
    expect([...value.keys()]).toEqual([first, second, third, fourth]);
    const Filters = [{ Name: 'instance-id', Values: [first, second, third, fourth] }];
    expect(inputs()).toStrictEqual([{ Filters }, { Filters, NextToken: 'page-2' }]);
  });
  it.each(['pending', 'running', 'stopping', 'stopped', 'shutting-down', 'terminated'] as const)(
    'keep the state %s',
    async (Name) => {
      const instance = { ...running(HOLDER), State: { Name } };
      aws.on(DescribeInstancesCommand).resolves({ Reservations: [{ Instances: [instance] }] });
      expect((await ec2.instances([HOLDER])).value.get(HOLDER)?.state).toBe(Name);
    },
  );
  it('are asked for in no call when there are none', async () => {
    aws.on(DescribeInstancesCommand).resolves({ Reservations: [] });
    expect((await ec2.instances([])).value.size).toBe(0);
    expect(inputs()).toEqual([]);
  });
  it('are not absent when an answer carries no list', async () => {
    aws.on(DescribeInstancesCommand).resolves({});
    await expect(ec2.instances([HOLDER])).rejects.toMatchObject({ name: 'PortError' });
  });
});

describe('checks', () => {
  const ok = (InstanceId: InstanceId) => ({
    InstanceId,
    SystemStatus: { Status: 'ok' as const },
    InstanceStatus: { Status: 'ok' as const },
    AttachedEbsStatus: { Status: 'ok' as const },
  });
  const notFound = (...ids: readonly InstanceId[]) =>
    awsError(
      'InvalidInstanceID.NotFound',
      400,
      ids.length === 1
        ? `The instance ID '${ids[0]}' does not exist`
        : `The instance IDs '${ids.join(', ')}' do not exist`,
    );

  it('are asked for with instances that are not running', async () => {
    aws.on(DescribeInstanceStatusCommand).resolves({ InstanceStatuses: [ok(HOLDER)] });
    const { value } = await ec2.checks([HOLDER, STANDBY]);
    expect(inputs()).toStrictEqual([{ InstanceIds: [HOLDER, STANDBY], IncludeAllInstances: true }]);
    expect([...value]).toStrictEqual([
      [HOLDER, { system: 'ok', instance: 'ok', ebs: 'ok', impairedSinceMs: undefined }],
    ]);
  });
  it('carry the earliest time since when one is impaired', async () => {
    const since = (iso: string) => [
      { Name: 'reachability' as const, Status: 'failed' as const, ImpairedSince: new Date(iso) },
    ];
    aws.on(DescribeInstanceStatusCommand).resolves({
      InstanceStatuses: [
        {
          InstanceId: HOLDER,
          SystemStatus: { Status: 'impaired', Details: since('2026-11-21T02:08:00Z') },
          InstanceStatus: { Status: 'impaired', Details: since('2026-11-21T02:07:00Z') },
          AttachedEbsStatus: { Status: 'impaired', Details: since('2026-11-21T02:09:00Z') },
        },
      ],
    });
    expect((await ec2.checks([HOLDER])).value.get(HOLDER)).toStrictEqual({
      system: 'impaired',
      instance: 'impaired',
      ebs: 'impaired',
      impairedSinceMs: Date.parse('2026-11-21T02:07:00Z'),
    });
  });
  it.each(['ok', 'impaired', 'insufficient-data', 'not-applicable', 'initializing'] as const)(
    'keep the status %s',
    async (Status) => {
      const status = { ...ok(HOLDER), SystemStatus: { Status }, InstanceStatus: { Status } };
      aws.on(DescribeInstanceStatusCommand).resolves({ InstanceStatuses: [status] });
      const checks = (await ec2.checks([HOLDER])).value.get(HOLDER);
      expect(checks).toMatchObject({ system: Status, instance: Status });
    },
  );
  it('take a missing or unknown status for no evidence, and a missing EBS check for not applicable', async () => {
    aws.on(DescribeInstanceStatusCommand).resolves({
      InstanceStatuses: [{ InstanceId: HOLDER, SystemStatus: { Status: 'wobbly' as 'ok' } }],
    });
    expect((await ec2.checks([HOLDER])).value.get(HOLDER)).toMatchObject({
      system: 'insufficient-data',
      instance: 'insufficient-data',
      ebs: 'not-applicable',
    });
  });
  it('drop what EC2 does not know, round by round', async () => {
    const [a, b, c, d, e] = instanceIds(5) as [InstanceId, InstanceId, InstanceId, InstanceId, InstanceId];
    aws
      .on(DescribeInstanceStatusCommand)
      .rejectsOnce(notFound(b))
      .rejectsOnce(notFound(a, e))
      .resolvesOnce({ InstanceStatuses: [ok(c), ok(d)] });
    const answer = await ec2.checks([a, b, c, d, e]);
    expect([...answer.value.keys()]).toEqual([c, d]);
    expect(inputs()).toStrictEqual([
      { InstanceIds: [a, b, c, d, e], IncludeAllInstances: true },
      { InstanceIds: [a, c, d, e], IncludeAllInstances: true },
      { InstanceIds: [c, d], IncludeAllInstances: true },
    ]);
    expect(retrying.pauses).toEqual([]);
    expect(answer.slow).toBe(false);
  });
  it('know old instance ids of eight digits', async () => {
    const old = 'i-0a1b2c3d' as InstanceId;
    aws
      .on(DescribeInstanceStatusCommand)
      .rejectsOnce(notFound(old))
      .resolvesOnce({ InstanceStatuses: [ok(HOLDER)] });
    expect([...(await ec2.checks([old, HOLDER])).value.keys()]).toEqual([HOLDER]);
  });
  it('ask nothing more once EC2 knows none of them', async () => {
    aws.on(DescribeInstanceStatusCommand).rejects(notFound(HOLDER, STANDBY));
    expect((await ec2.checks([HOLDER, STANDBY])).value.size).toBe(0);
    expect(inputs()).toHaveLength(1);
  });
  it('drop nothing that an error of another kind names', async () => {
    const denied = awsError('UnauthorizedOperation', 403, `You may not describe '${STANDBY}'`);
    // Asked without it, EC2 would answer: and a member whose status may not be read would pass for one that is gone.
    aws
      .on(DescribeInstanceStatusCommand)
      .rejectsOnce(denied)
      .resolves({ InstanceStatuses: [ok(HOLDER)] });
    await expect(ec2.checks([HOLDER, STANDBY])).rejects.toMatchObject({ code: 'UnauthorizedOperation' });
  });
  it('fail when EC2 misses an id that was not asked for', async () => {
    aws.on(DescribeInstanceStatusCommand).rejects(notFound(STANDBY));
    await expect(ec2.checks([HOLDER])).rejects.toMatchObject({
      name: 'PortError',
      code: 'InvalidInstanceID.NotFound',
      failure: 'refused',
    });
    expect(inputs()).toHaveLength(1);
  });
  it('are asked for a hundred at a time, each hundred dropping its own', async () => {
    const ids = instanceIds(201);
    const gone = ids[150] as InstanceId;
    aws.on(DescribeInstanceStatusCommand).callsFake(({ InstanceIds }: { InstanceIds: InstanceId[] }) => {
      if (InstanceIds.includes(gone)) throw notFound(gone);
      return { InstanceStatuses: InstanceIds.map(ok) };
    });
    const { value } = await ec2.checks(ids);
    expect([...value.keys()]).toEqual(ids.filter((id) => id !== gone));
    const asked = inputs().map((each) => (each as { InstanceIds: InstanceId[] }).InstanceIds);
    expect(asked.map((each) => each.length).sort((x, y) => x - y)).toEqual([1, 99, 100, 100]);
    expect(asked).toContainEqual(ids.slice(0, 100));
    expect(asked).toContainEqual(ids.slice(200));
  });
  it('are not absent when an answer carries no list', async () => {
    aws.on(DescribeInstanceStatusCommand).resolves({});
    await expect(ec2.checks([HOLDER])).rejects.toMatchObject({ name: 'PortError' });
  });
  it('are asked for in no call when there are none', async () => {
    expect((await ec2.checks([])).value.size).toBe(0);
    expect(inputs()).toEqual([]);
  });
});

describe('limits', () => {
  const type = (InstanceType: 'm7g.large' | 'p5.48xlarge') => ({
    InstanceType,
    NetworkInfo: {
      MaximumNetworkInterfaces: 3,
      NetworkCards: [
        { NetworkCardIndex: 0, MaximumNetworkInterfaces: 2 },
        { NetworkCardIndex: 1, MaximumNetworkInterfaces: 1 },
      ],
      Ipv4AddressesPerInterface: 10,
      Ipv6AddressesPerInterface: 11,
    },
  });
  const limits = { interfaces: 3, interfacesPerCard: [2, 1], ipv4PerInterface: 10, ipv6PerInterface: 11 };

  it('are asked for by a filter and become facts by type', async () => {
    aws.on(DescribeInstanceTypesCommand).resolves({ InstanceTypes: [type('m7g.large')] });
    const { value } = await ec2.limits(['m7g.large', 'x9.huge']);
    expect(inputs()).toStrictEqual([
      { Filters: [{ Name: 'instance-type', Values: ['m7g.large', 'x9.huge'] }] },
    ]);
    expect(value).toStrictEqual({ 'm7g.large': limits });
  });
  it('follow the index of each network card, in whatever order EC2 lists them', async () => {
    const [zero, one] = type('m7g.large').NetworkInfo.NetworkCards;
    const info = {
      ...type('m7g.large').NetworkInfo,
      NetworkCards: [one, zero].flatMap((card) => card ?? []),
    };
    aws
      .on(DescribeInstanceTypesCommand)
      .resolves({ InstanceTypes: [{ InstanceType: 'm7g.large', NetworkInfo: info }] });
    expect((await ec2.limits(['m7g.large'])).value['m7g.large']?.interfacesPerCard).toEqual([2, 1]);
  });
  it('come from every page', async () => {
    aws
      .on(DescribeInstanceTypesCommand)
      .resolvesOnce({ InstanceTypes: [type('m7g.large')], NextToken: 'page-2' })
      .resolvesOnce({ InstanceTypes: [type('p5.48xlarge')] });
    const { value } = await ec2.limits(['m7g.large', 'p5.48xlarge']);
    expect(Object.keys(value)).toEqual(['m7g.large', 'p5.48xlarge']);
    const Filters = [{ Name: 'instance-type', Values: ['m7g.large', 'p5.48xlarge'] }];
    expect(inputs()).toStrictEqual([{ Filters }, { Filters, NextToken: 'page-2' }]);
  });
});

describe('a read', () => {
  it('is tried four times, with pauses that grow', async () => {
    aws.on(DescribeNetworkInterfacesCommand).rejects(throttled);
    await expect(ec2.interfaces([ENI])).rejects.toMatchObject({
      name: 'PortError',
      failure: 'throttled',
      code: 'RequestLimitExceeded',
    });
    expect(inputs()).toHaveLength(4);
    expect(retrying.pauses).toEqual([50, 100, 200]);
  });
  it('begins again with the first page', async () => {
    aws
      .on(DescribeInstancesCommand)
      .resolvesOnce({ Reservations: [{ Instances: [{ InstanceId: HOLDER }] }], NextToken: 'page-2' })
      .rejectsOnce(timeoutError())
      .resolvesOnce({ Reservations: [{ Instances: [{ InstanceId: STANDBY }] }] });
    const answer = await ec2.instances([HOLDER, STANDBY]);
    expect([...answer.value.keys()]).toEqual([STANDBY]);
    expect(inputs().map((each) => 'NextToken' in each)).toEqual([false, true, false]);
  });
  it('is as old as the sending of the attempt that was answered', async () => {
    let calls = 0;
    aws.on(DescribeNetworkInterfacesCommand).callsFake(() => {
      calls += 1;
      retrying.pass(calls === 1 ? 3_000 : 700);
      if (calls === 1) throw timeoutError();
      return { NetworkInterfaces: [] };
    });
    expect(await ec2.interfaces([ENI])).toStrictEqual({
      value: new Map(),
      sentAtMs: START_MS + 3_050,
      slow: true,
    });
  });
  it('is as old as its first page', async () => {
    aws.on(DescribeNetworkInterfacesCommand).callsFake(({ NextToken }: { NextToken?: string }) => {
      retrying.pass(400);
      return { NetworkInterfaces: [], ...(NextToken === undefined && { NextToken: 'page-2' }) };
    });
    expect(await ec2.interfaces([ENI])).toMatchObject({ sentAtMs: START_MS, slow: false });
  });
  it.each([
    ['UnauthorizedOperation', 403, 'denied'],
    ['InvalidParameterValue', 400, 'refused'],
  ])('is not tried again after %s', async (code, status, failure) => {
    aws.on(DescribeInstancesCommand).rejects(awsError(code, status));
    await expect(ec2.instances([HOLDER])).rejects.toMatchObject({ code, failure });
    expect(inputs()).toHaveLength(1);
  });
});

/** No answer, or one that says nothing about what happened: the call may have taken effect. */
const unclear: [string, Error, string][] = [
  ['RequestLimitExceeded', throttled, 'RequestLimitExceeded'],
  ['EC2ThrottledException', awsError('EC2ThrottledException', 503), 'EC2ThrottledException'],
  ['InternalError', awsError('InternalError', 500), 'InternalError'],
  ['ServiceUnavailable', awsError('ServiceUnavailable', 503), 'ServiceUnavailable'],
  ['Unavailable', awsError('Unavailable', 503), 'Unavailable'],
  ['an unknown 5xx', awsError('SomethingNew', 500), 'SomethingNew'],
  ['a timeout', timeoutError(), 'TimeoutError'],
  ['a refused connection', socketError('ECONNREFUSED'), 'ECONNREFUSED'],
  ['a reset connection', socketError('ECONNRESET'), 'ECONNRESET'],
  ['a connection that is reset within a good answer', brokenAnswer('ECONNRESET'), 'ECONNRESET'],
  ['a good answer that cannot be read', brokenAnswer(), 'UnknownError'],
];

describe('detach', () => {
  it.each([
    [false, { AttachmentId: ATTACHMENT }],
    [true, { AttachmentId: ATTACHMENT, Force: true }],
  ])('with force %j sends exactly that', async (force, input) => {
    aws.on(DetachNetworkInterfaceCommand).resolves({});
    expect(await ec2.detach(ATTACHMENT, { force })).toStrictEqual({ kind: 'accepted' });
    expect(inputs()).toStrictEqual([input]);
  });
  it.each([
    ['InvalidAttachmentID.NotFound', 400],
    ['InvalidNetworkInterfaceID.NotFound', 400],
    ['InvalidNetworkInterface.NotFound', 400],
    ['IncorrectState', 400],
    // The holder is on its way down or up: EC2 detaches from it a little later.
    ['IncorrectInstanceState', 400],
  ])('answers look to %s', async (code, status) => {
    aws.on(DetachNetworkInterfaceCommand).rejects(awsError(code, status));
    expect(await ec2.detach(ATTACHMENT, { force: false })).toStrictEqual({ kind: 'look', code });
  });
  it.each([
    ['OperationNotPermitted', 400],
    ['UnauthorizedOperation', 403],
    ['AuthFailure', 401],
    ['InvalidParameterValue', 400],
  ])('answers refused to %s, in the words of EC2', async (code, status) => {
    aws.on(DetachNetworkInterfaceCommand).rejects(awsError(code, status, 'in its words'));
    expect(await ec2.detach(ATTACHMENT, { force: true })).toStrictEqual({
      kind: 'refused',
      code,
      detail: 'in its words',
    });
  });
  it.each(unclear)('answers unclear to %s, and is not sent again', async (_, error, code) => {
    aws.on(DetachNetworkInterfaceCommand).rejects(error);
    expect(await ec2.detach(ATTACHMENT, { force: false })).toStrictEqual({ kind: 'unclear', code });
    expect(inputs()).toHaveLength(1);
    expect(retrying.pauses).toEqual([]);
  });
});

describe('attach', () => {
  const order = { eni: ENI, instanceId: STANDBY, deviceIndex: 1, networkCardIndex: 0 };

  it.each([0, 3])('names network card %i', async (networkCardIndex) => {
    aws.on(AttachNetworkInterfaceCommand).resolves({ AttachmentId: ATTACHMENT, NetworkCardIndex: 0 });
    expect(await ec2.attach({ ...order, networkCardIndex })).toStrictEqual({
      kind: 'accepted',
      attachment: ATTACHMENT,
    });
    expect(inputs()).toStrictEqual([
      { NetworkInterfaceId: ENI, InstanceId: STANDBY, DeviceIndex: 1, NetworkCardIndex: networkCardIndex },
    ]);
  });
  it('is unclear when its answer names no attachment', async () => {
    aws.on(AttachNetworkInterfaceCommand).resolves({} as AttachNetworkInterfaceCommandOutput);
    expect(await ec2.attach(order)).toMatchObject({ kind: 'unclear' });
  });
  it.each([
    ['InvalidNetworkInterface.InUse', `Interface: [${ENI}] in use.`],
    ['InvalidParameterValue', `Interface: [${ENI}] in use.`],
    ['InvalidParameterValue', `Network interface '${ENI}' is currently in use.`],
    // Of the interface, or nobody knows of what: only another look tells.
    ['IncorrectState', `The network interface '${ENI}' is not available`],
    ['IncorrectState', 'It is not in the right state'],
    ['IncorrectState', `The network interface '${ENI}' is not available for the instance '${STANDBY}'`],
    ['InvalidNetworkInterface.InUse', `It is attached to the instance '${HOLDER}'`],
  ])('answers look to %s (%s)', async (code, message) => {
    aws.on(AttachNetworkInterfaceCommand).rejects(awsError(code, 400, message));
    expect(await ec2.attach(order)).toStrictEqual({ kind: 'look', code });
  });
  it.each([
    ['InvalidNetworkInterfaceID.NotFound', 400],
    ['InvalidNetworkInterface.NotFound', 400],
  ])('answers gone to %s', async (code, status) => {
    aws.on(AttachNetworkInterfaceCommand).rejects(awsError(code, status));
    expect(await ec2.attach(order)).toStrictEqual({ kind: 'gone', code });
  });
  it.each([
    [
      'InvalidParameterValue',
      400,
      `Instance '${STANDBY}' already has an interface attached at device index '1'.`,
    ],
    ['InvalidParameterValue', 400, `Device index '1' of '${STANDBY}' is already in use.`],
    ['InvalidParameterValue', 400, 'Value (3) for parameter networkCardIndex is invalid.'],
    ['AttachmentLimitExceeded', 400, 'All 4 interfaces that it carries are in use.'],
    [
      'InvalidParameterCombination',
      400,
      'You may not attach a network interface to an instance in another zone',
    ],
    ['AttachmentLimitExceeded', 400, `Interface count 4 exceeds the limit for m7g.large`],
    ['IncorrectInstanceState', 400, `The instance '${STANDBY}' is not in a valid state`],
    ['IncorrectState', 400, `The instance '${STANDBY}' is not in the 'running' state`],
    ['InvalidInstanceID.NotFound', 400, `The instance ID '${STANDBY}' does not exist`],
    ['UnauthorizedOperation', 403, 'You are not authorized to perform this operation.'],
  ])('answers target-refused to %s', async (code, status, message) => {
    aws.on(AttachNetworkInterfaceCommand).rejects(awsError(code, status, message));
    expect(await ec2.attach(order)).toStrictEqual({ kind: 'target-refused', code, detail: message });
  });
  it('asks the next member after OperationNotPermitted: what was just detached can be moved', async () => {
    const error = awsError(
      'OperationNotPermitted',
      400,
      "You are not allowed to manage 'ela-attach' attachments.",
    );
    aws.on(AttachNetworkInterfaceCommand).rejects(error);
    expect((await ec2.attach(order)).kind).toBe('target-refused');
  });
  it.each(unclear)('answers unclear to %s, and is not sent again', async (_, error, code) => {
    aws.on(AttachNetworkInterfaceCommand).rejects(error);
    expect(await ec2.attach(order)).toStrictEqual({ kind: 'unclear', code });
    expect(inputs()).toHaveLength(1);
    expect(retrying.pauses).toEqual([]);
  });
});

describe('stop', () => {
  const hard = { InstanceIds: [HOLDER], Force: true, SkipOsShutdown: true };
  const soft = { InstanceIds: [HOLDER], Force: true };

  it('stops by force and without the guest, in one call', async () => {
    aws.on(StopInstancesCommand).resolves({ StoppingInstances: [] });
    expect(await ec2.stop(HOLDER)).toStrictEqual({ kind: 'accepted' });
    expect(inputs()).toStrictEqual([hard]);
  });
  it('leaves the guest its shutdown where EC2 will not skip it', async () => {
    aws.on(StopInstancesCommand).rejectsOnce(awsError('UnsupportedOperation', 400)).resolvesOnce({});
    expect(await ec2.stop(HOLDER)).toStrictEqual({ kind: 'accepted' });
    expect(inputs()).toStrictEqual([hard, soft]);
  });
  it.each([
    // Of a one-time request, or with an instance store for its root.
    ['UnsupportedOperation', 400],
    // Stop protection.
    ['OperationNotPermitted', 400],
    ['InvalidParameterCombination', 400],
  ])('answers refused to %s when neither way is open, in the words of EC2', async (code, status) => {
    aws.on(StopInstancesCommand).rejects(awsError(code, status, 'in its words'));
    expect(await ec2.stop(HOLDER)).toStrictEqual({ kind: 'refused', code, detail: 'in its words' });
    expect(inputs()).toStrictEqual([hard, soft]);
  });
  it.each([
    ['UnauthorizedOperation', 403],
    ['AuthFailure', 401],
    ['ExpiredTokenException', 400],
  ])('answers refused to %s without a second call: it is not about the guest', async (code, status) => {
    aws.on(StopInstancesCommand).rejects(awsError(code, status, 'in its words'));
    expect(await ec2.stop(HOLDER)).toStrictEqual({ kind: 'refused', code, detail: 'in its words' });
    expect(inputs()).toStrictEqual([hard]);
  });
  it('is unclear about an instance that is just starting, or on its way out', async () => {
    aws.on(StopInstancesCommand).rejects(awsError('IncorrectInstanceState', 400));
    expect(await ec2.stop(HOLDER)).toStrictEqual({ kind: 'unclear', code: 'IncorrectInstanceState' });
    expect(inputs()).toStrictEqual([hard]);
  });
  it('is unclear when the second way meets a passing fault', async () => {
    aws.on(StopInstancesCommand).rejectsOnce(awsError('UnsupportedOperation', 400)).rejectsOnce(throttled);
    expect(await ec2.stop(HOLDER)).toStrictEqual({ kind: 'unclear', code: 'RequestLimitExceeded' });
    expect(inputs()).toStrictEqual([hard, soft]);
  });
  it.each(unclear)('answers unclear to %s, and is not sent again', async (_, error, code) => {
    aws.on(StopInstancesCommand).rejects(error);
    expect(await ec2.stop(HOLDER)).toStrictEqual({ kind: 'unclear', code });
    expect(inputs()).toHaveLength(1);
    expect(retrying.pauses).toEqual([]);
  });
});

describe('keepOnTermination', () => {
  it('sets DeleteOnTermination of the attachment to false, one attribute in the call', async () => {
    aws.on(ModifyNetworkInterfaceAttributeCommand).resolves({});
    expect(await ec2.keepOnTermination(ENI, ATTACHMENT)).toBe('done');
    expect(inputs()).toStrictEqual([
      { NetworkInterfaceId: ENI, Attachment: { AttachmentId: ATTACHMENT, DeleteOnTermination: false } },
    ]);
  });
  it.each([
    ['InvalidAttachmentID.NotFound', 400, 'look'],
    ['InvalidNetworkInterfaceID.NotFound', 400, 'look'],
    ['IncorrectState', 400, 'look'],
    ['UnauthorizedOperation', 403, 'refused'],
    ['OperationNotPermitted', 400, 'refused'],
    ['InvalidParameterValue', 400, 'refused'],
  ])('answers to %s with status %i: %s', async (code, status, answer) => {
    aws.on(ModifyNetworkInterfaceAttributeCommand).rejects(awsError(code, status));
    expect(await ec2.keepOnTermination(ENI, ATTACHMENT)).toBe(answer);
  });
  it.each(unclear)('answers unclear to %s, and is not sent again', async (_, error) => {
    aws.on(ModifyNetworkInterfaceAttributeCommand).rejects(error);
    expect(await ec2.keepOnTermination(ENI, ATTACHMENT)).toBe('unclear');
    expect(inputs()).toHaveLength(1);
    expect(retrying.pauses).toEqual([]);
  });
});

describe('rehearse', () => {
  const order = {
    eni: ENI,
    instanceId: STANDBY,
    deviceIndex: 2,
    networkCardIndex: 1,
    attachment: ATTACHMENT,
  };
  const actions = ['DetachNetworkInterface', 'AttachNetworkInterface', 'ModifyNetworkInterfaceAttribute'];
  const answersTo = async (error: Error) => {
    aws.onAnyCommand().rejects(error);
    return (await ec2.rehearse(order)).map(({ action, answer }) => [action, answer]);
  };

  it('asks for each mutation as a dry run, and nothing else', async () => {
    await answersTo(awsError('DryRunOperation', 412));
    expect(inputs()).toStrictEqual([
      { AttachmentId: ATTACHMENT, DryRun: true },
      {
        NetworkInterfaceId: ENI,
        InstanceId: STANDBY,
        DeviceIndex: 2,
        NetworkCardIndex: 1,
        DryRun: true,
      },
      {
        NetworkInterfaceId: ENI,
        Attachment: { AttachmentId: ATTACHMENT, DeleteOnTermination: false },
        DryRun: true,
      },
    ]);
  });
  it.each([
    ['allowed', awsError('DryRunOperation', 412)],
    ['denied', awsError('UnauthorizedOperation', 403)],
    ['unclear', throttled],
    ['unclear', timeoutError()],
    ['unclear', awsError('InvalidAttachmentID.NotFound', 400)],
  ])('answers %s to %s, and asks once', async (answer, error) => {
    expect(await answersTo(error)).toEqual(actions.map((action) => [action, answer]));
    expect(inputs()).toHaveLength(3);
  });
  it('takes no answer without an error for a permission', async () => {
    aws.onAnyCommand().resolves({});
    expect((await ec2.rehearse(order)).map((each) => each.answer)).toEqual(['unclear', 'unclear', 'unclear']);
  });
  it('asks for a stop too where one is named, as hard as it would be', async () => {
    aws.onAnyCommand().rejects(awsError('DryRunOperation', 412));
    aws.on(StopInstancesCommand).rejects(awsError('UnauthorizedOperation', 403, 'in its words'));
    const answers = await ec2.rehearse({ ...order, stop: HOLDER });
    expect(inputs().at(-1)).toStrictEqual({
      InstanceIds: [HOLDER],
      Force: true,
      SkipOsShutdown: true,
      DryRun: true,
    });
    expect(answers.map(({ action, answer }) => `${action} ${answer}`)).toEqual([
      ...actions.map((action) => `${action} allowed`),
      'StopInstances denied',
    ]);
  });
  it('keeps the answers of the three apart', async () => {
    aws.on(DetachNetworkInterfaceCommand).rejects(awsError('DryRunOperation', 412));
    aws.on(AttachNetworkInterfaceCommand).rejects(awsError('UnauthorizedOperation', 403, 'in its words'));
    aws.on(ModifyNetworkInterfaceAttributeCommand).rejects(awsError('DryRunOperation', 412));
    const answers = await ec2.rehearse(order);
    expect(answers.map((each) => each.answer)).toEqual(['allowed', 'denied', 'allowed']);
    expect(answers[1]?.detail).toBe('UnauthorizedOperation: in its words');
  });
});
