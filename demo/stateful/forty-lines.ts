/** The usual way: detach, the SDK's waiter, attach, and no memory. For comparison only; it is no part of the product. */
import {
  AttachNetworkInterfaceCommand,
  DescribeInstancesCommand,
  DescribeNetworkInterfacesCommand,
  DetachNetworkInterfaceCommand,
  EC2Client,
  waitUntilNetworkInterfaceAvailable,
} from '@aws-sdk/client-ec2';

const client = new EC2Client({});
const byName = (name: string | undefined) => [{ Name: 'tag:Name', Values: [name ?? ''] }];

export const handler = async (event: unknown): Promise<void> => {
  console.log('alarm', JSON.stringify(event));
  const enis = await client.send(
    new DescribeNetworkInterfacesCommand({ Filters: byName(process.env['ENI_NAME']) }),
  );
  const eni = enis.NetworkInterfaces?.[0];
  const standbys = await client.send(
    new DescribeInstancesCommand({ Filters: byName(process.env['STANDBY_NAME']) }),
  );
  const standby = standbys.Reservations?.[0]?.Instances?.[0]?.InstanceId;

  const NetworkInterfaceId = eni?.NetworkInterfaceId ?? '';
  const AttachmentId = eni?.Attachment?.AttachmentId;

  console.log('detaching', AttachmentId);
  await client.send(new DetachNetworkInterfaceCommand({ AttachmentId, Force: true }));
  await waitUntilNetworkInterfaceAvailable(
    { client, maxWaitTime: 60 },
    { NetworkInterfaceIds: [NetworkInterfaceId] },
  );

  console.log('attaching to', standby);
  await client.send(
    new AttachNetworkInterfaceCommand({ NetworkInterfaceId, InstanceId: standby, DeviceIndex: 1 }),
  );
};
