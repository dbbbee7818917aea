/** What must be the same after a move as before it, as DescribeNetworkInterfaces shows it. */
import type { AwsEndpoint } from './aws-endpoint.ts';
import { itemsAt, textAt, type Xml } from './xml.ts';

export interface InterfaceView {
  readonly eniId: string;
  readonly macAddress: string;
  /** The primary one first. */
  readonly privateAddresses: readonly string[];
  readonly elasticIps: readonly string[];
  readonly securityGroups: readonly { readonly id: string; readonly name: string }[];
  readonly sourceDestCheck: boolean;
  /** Undefined where it is attached to nothing. */
  readonly attachment:
    | {
        readonly instanceId: string;
        readonly status: string;
        readonly deviceIndex: number;
        readonly deleteOnTermination: boolean;
      }
    | undefined;
}

function toView(item: Xml): InterfaceView {
  const addresses = itemsAt(item, 'privateIpAddressesSet').toSorted(
    (one, other) => Number(textAt(other, 'primary') === 'true') - Number(textAt(one, 'primary') === 'true'),
  );
  const instanceId = textAt(item, 'attachment/instanceId');
  return {
    eniId: textAt(item, 'networkInterfaceId'),
    macAddress: textAt(item, 'macAddress'),
    privateAddresses: addresses.map((each) => textAt(each, 'privateIpAddress')),
    elasticIps: addresses.map((each) => textAt(each, 'association/publicIp')).filter((ip) => ip !== ''),
    securityGroups: itemsAt(item, 'groupSet')
      .map((each) => ({ id: textAt(each, 'groupId'), name: textAt(each, 'groupName') }))
      .toSorted((one, other) => one.id.localeCompare(other.id)),
    sourceDestCheck: textAt(item, 'sourceDestCheck') === 'true',
    attachment:
      instanceId === ''
        ? undefined
        : {
            instanceId,
            status: textAt(item, 'attachment/status'),
            deviceIndex: Number(textAt(item, 'attachment/deviceIndex')),
            deleteOnTermination: textAt(item, 'attachment/deleteOnTermination') === 'true',
          },
  };
}

/** By a filter: an interface that is gone is missing from the answer, not an error. */
export async function viewInterfaces(
  aws: AwsEndpoint,
  eniIds: readonly string[],
): Promise<readonly InterfaceView[]> {
  const answer = await aws.ec2('DescribeNetworkInterfaces', {
    Filter: [{ Name: 'network-interface-id', Value: eniIds }],
  });
  const views = itemsAt(answer, 'networkInterfaceSet').map(toView);
  return eniIds.flatMap((id) => views.find((view) => view.eniId === id) ?? []);
}

/** Everything but where it is attached. */
const identityOf = ({ attachment: _, ...identity }: InterfaceView) => JSON.stringify(identity);

/** Whether every interface is still there, with the same id, MAC, addresses, groups and source/dest check. */
export const isSameIdentity = (before: readonly InterfaceView[], after: readonly InterfaceView[]): boolean =>
  before.length > 0 &&
  before.length === after.length &&
  before.every((view) => after.some((each) => identityOf(each) === identityOf(view)));

/** The instance that all interfaces are attached to; undefined where any is on nothing, or they are apart. */
export function restsOn(views: readonly InterfaceView[]): string | undefined {
  const [first, ...rest] = views.map((view) =>
    view.attachment?.status === 'attached' ? view.attachment.instanceId : undefined,
  );
  return rest.every((instanceId) => instanceId === first) ? first : undefined;
}
