/** EC2's query protocol, driven by AWS's own client and by hand. */
import * as sdk from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { realClock } from '../../../sandbox/clock.ts';
import { makeEc2Model } from '../../../sandbox/ec2/model.ts';
import { answerXml, errorXml, parseQuery } from '../../../sandbox/ec2/wire.ts';
import { codeOf, seededRandom, some } from './lab.ts';
import { serveEc2 } from './wire-server.ts';

describe('the AWS SDK', () => {
  const model = makeEc2Model({ clock: realClock(), random: seededRandom(7), latency: 'instant' });
  let client: sdk.EC2Client;
  let close: () => void;

  beforeAll(async () => {
    const server = await serveEc2(model);
    close = server.close;
    client = new sdk.EC2Client({
      endpoint: server.endpoint,
      region: 'us-east-1',
      credentials: { accessKeyId: 'sandbox', secretAccessKey: 'sandbox' },
      maxAttempts: 1,
    });
  });
  afterAll(() => {
    client.destroy();
    close();
  });

  it('moves an interface from one instance to another', async () => {
    const { Vpc } = await client.send(new sdk.CreateVpcCommand({ CidrBlock: '10.0.0.0/16' }));
    const { Subnet } = await client.send(
      new sdk.CreateSubnetCommand({ VpcId: Vpc?.VpcId, CidrBlock: '10.0.0.0/24' }),
    );
    const launched = await client.send(
      new sdk.RunInstancesCommand({
        ImageId: 'ami-0123456789abcdef0',
        InstanceType: 'm5.large',
        MinCount: 2,
        MaxCount: 2,
        SubnetId: Subnet?.SubnetId,
        TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'role', Value: 'db' }] }],
      }),
    );
    const [holder, standby] = launched.Instances ?? [];
    expect(holder).toMatchObject({
      State: { Name: 'pending', Code: 0 },
      Tags: [{ Key: 'role', Value: 'db' }],
    });
    expect(holder?.LaunchTime).toBeInstanceOf(Date);

    const { NetworkInterface } = await client.send(
      new sdk.CreateNetworkInterfaceCommand({ SubnetId: Subnet?.SubnetId, Description: 'a & b <c>' }),
    );
    const NetworkInterfaceId = NetworkInterface?.NetworkInterfaceId;
    const attachTo = (InstanceId: string | undefined) =>
      client.send(
        new sdk.AttachNetworkInterfaceCommand({
          NetworkInterfaceId,
          InstanceId,
          DeviceIndex: 1,
          NetworkCardIndex: 0,
        }),
      );
    const { AttachmentId } = await attachTo(holder?.InstanceId);
    await expect(attachTo(standby?.InstanceId)).rejects.toMatchObject({
      name: 'InvalidNetworkInterface.InUse',
      message: `Interface: [${NetworkInterfaceId}] in use.`,
      $metadata: { httpStatusCode: 400, requestId: expect.stringMatching(/^[0-9a-f-]{36}$/) },
    });
    await client.send(new sdk.DetachNetworkInterfaceCommand({ AttachmentId, Force: true }));
    await expect
      .poll(() =>
        attachTo(standby?.InstanceId).then(
          () => 'attached',
          (error: Error) => error.name,
        ),
      )
      .toBe('attached');

    const described = await client.send(
      new sdk.DescribeNetworkInterfacesCommand({
        Filters: [{ Name: 'network-interface-id', Values: [some(NetworkInterfaceId)] }],
      }),
    );
    expect(described.NetworkInterfaces).toMatchObject([
      {
        Description: 'a & b <c>',
        RequesterManaged: false,
        Attachment: { InstanceId: standby?.InstanceId, DeviceIndex: 1, DeleteOnTermination: false },
      },
    ]);
  });

  it('reads ImpairedSince as a time', async () => {
    const { Vpc } = await client.send(new sdk.CreateVpcCommand({ CidrBlock: '10.1.0.0/16' }));
    const { Subnet } = await client.send(
      new sdk.CreateSubnetCommand({ VpcId: Vpc?.VpcId, CidrBlock: '10.1.0.0/24' }),
    );
    const { Instances } = await client.send(
      new sdk.RunInstancesCommand({
        ImageId: 'ami-0123456789abcdef0',
        MinCount: 1,
        MaxCount: 1,
        SubnetId: Subnet?.SubnetId,
      }),
    );
    const id = some(Instances?.[0]?.InstanceId);
    const read = async () => {
      const command = new sdk.DescribeInstanceStatusCommand({ InstanceIds: [id] });
      return (await client.send(command)).InstanceStatuses?.[0]?.SystemStatus;
    };
    await expect.poll(async () => (await read())?.Status).toBe('ok');
    model.impair(id, 'system');
    const status = await read();
    expect(status?.Status).toBe('impaired');
    expect(status?.Details?.[0]?.ImpairedSince).toBeInstanceOf(Date);
  });

  it('is told DryRunOperation with status 412', async () => {
    const command = new sdk.AttachNetworkInterfaceCommand({
      NetworkInterfaceId: 'eni-00000000000000000',
      InstanceId: 'i-00000000000000000',
      DeviceIndex: 1,
      DryRun: true,
    });
    await expect(client.send(command)).rejects.toMatchObject({
      name: 'DryRunOperation',
      $metadata: { httpStatusCode: 412 },
    });
  });
});

describe('parseQuery', () => {
  it('reads lists, structures, numbers and booleans', () => {
    const body =
      'Action=RunInstances&Version=2016-11-15&ImageId=ami-1&MinCount=1&MaxCount=2&NetworkInterface.1.DeviceIndex=0' +
      '&NetworkInterface.1.DeleteOnTermination=true&NetworkInterface.1.SecurityGroupId.1=sg-1&DryRun=false';
    expect(parseQuery(body)).toEqual({
      operation: 'RunInstances',
      input: {
        ImageId: 'ami-1',
        MinCount: 1,
        MaxCount: 2,
        DryRun: false,
        NetworkInterfaces: [{ DeviceIndex: 0, DeleteOnTermination: true, Groups: ['sg-1'] }],
      },
    });
  });

  it('orders a list by its numbers, beyond nine and with gaps', () => {
    const body = 'Action=DescribeInstances&InstanceId.10=c&InstanceId.2=b&InstanceId.1=a';
    expect(parseQuery(body).input).toEqual({ InstanceIds: ['a', 'b', 'c'] });
  });

  it('accepts any version', () => {
    expect(parseQuery('Action=DescribeVpcs&Version=2014-10-01')).toEqual({
      operation: 'DescribeVpcs',
      input: {},
    });
  });

  it.each([
    ['Action=NoSuchThing', 'InvalidAction'],
    ['Version=2016-11-15', 'MissingParameter'],
    ['Action=DescribeInstances&Nonsense=1', 'UnknownParameter'],
    ['Action=DescribeInstances&InstanceId=i-1', 'UnknownParameter'],
    ['Action=DescribeInstances&InstanceId.first=i-1', 'UnknownParameter'],
    ['Action=DescribeInstances&MaxResults.1=5', 'UnknownParameter'],
    ['Action=DescribeInstances&MaxResults=many', 'InvalidParameterValue'],
    ['Action=DetachNetworkInterface&Force=perhaps', 'InvalidParameterValue'],
  ])('refuses %s', (body, code) => {
    expect(codeOf(() => parseQuery(body))).toBe(code);
  });
});

describe('answers', () => {
  it('say that an operation without output succeeded', () => {
    expect(answerXml('DetachNetworkInterface', {}, 'r-1')).toBe(
      '<?xml version="1.0" encoding="UTF-8"?>\n<DetachNetworkInterfaceResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">' +
        '<requestId>r-1</requestId><return>true</return></DetachNetworkInterfaceResponse>',
    );
  });

  it('quote what XML would misread in an error', () => {
    expect(errorXml('X', 'a < b & c', 'r-1')).toContain('<Message>a &lt; b &amp; c</Message>');
  });
});
