/** What the model remembers. Records are never changed, only replaced, so that an older view stays what it was. */

export type Tags = ReadonlyMap<string, string>;

export interface Resource {
  readonly id: string;
  /** Order of creation: what a page token points at. */
  readonly seq: number;
  readonly tags: Tags;
}

export interface VpcRecord extends Resource {
  readonly cidr: string;
  readonly ipv6Cidr?: string;
  readonly defaultGroupId: string;
}

export interface SubnetRecord extends Resource {
  readonly vpcId: string;
  readonly availabilityZone: string;
  readonly cidr: string;
  readonly ipv6Cidr?: string;
}

export interface GroupRecord extends Resource {
  readonly vpcId: string;
  readonly name: string;
  readonly description: string;
}

export interface AddressRecord extends Resource {
  readonly publicIp: string;
  readonly association?: { readonly id: string; readonly eniId: string; readonly privateIp: string };
}

export interface PrivateIp {
  readonly address: string;
  readonly primary: boolean;
  /** The Elastic IP in front of it, by allocation id. */
  readonly allocationId?: string;
}

export type AttachmentStatus = 'attaching' | 'attached' | 'detaching';

export interface AttachmentRecord {
  readonly id: string;
  readonly instanceId: string;
  readonly deviceIndex: number;
  readonly networkCardIndex: number;
  readonly status: AttachmentStatus;
  readonly deleteOnTermination: boolean;
  readonly attachedAtMs: number;
  /** Somebody asked for a forced detach: nothing holds it up any more. */
  readonly forced: boolean;
}

/** Who, other than the account's owner, manages an interface. */
export type Manager = { readonly by: 'requester' | 'operator'; readonly principal: string };

export interface EniRecord extends Resource {
  readonly subnetId: string;
  readonly vpcId: string;
  readonly availabilityZone: string;
  readonly description: string;
  readonly macAddress: string;
  readonly groupIds: readonly string[];
  /** The primary address comes first. */
  readonly privateIps: readonly PrivateIp[];
  readonly ipv6: readonly string[];
  readonly sourceDestCheck: boolean;
  readonly managed?: Manager;
  readonly attachment?: AttachmentRecord;
}

export type InstanceState = 'pending' | 'running' | 'stopping' | 'stopped' | 'shutting-down' | 'terminated';

export type Check = 'system' | 'instance' | 'ebs';
export const checks: readonly Check[] = ['system', 'instance', 'ebs'];

export type CheckStatus = 'ok' | 'impaired' | 'insufficient-data' | 'not-applicable' | 'initializing';

/** How an instance was asked to stop: waiting for its guest, with `Force`, or with `SkipOsShutdown`. */
export type Shutdown = 'plain' | 'forced' | 'skipped';

/** A check that somebody made fail, until it is recovered or the instance has been stopped. */
export interface Impairment {
  readonly status: 'impaired' | 'insufficient-data';
  readonly sinceMs: number;
}

export interface InstanceRecord extends Resource {
  readonly instanceType: string;
  readonly imageId: string;
  readonly keyName?: string;
  readonly reservationId: string;
  readonly launchIndex: number;
  readonly launchedAtMs: number;
  readonly subnetId: string;
  readonly vpcId: string;
  readonly availabilityZone: string;
  readonly state: InstanceState;
  readonly stateReason: string;
  /** Of an instance that stops, the hardest way it was asked to. */
  readonly shutdown?: Shutdown;
  /** Stop protection: StopInstances is refused, whoever asks and however hard. */
  readonly disableApiStop: boolean;
  /** Counts state changes, so that a timer set for an earlier one finds itself outdated. */
  readonly transition: number;
  readonly eniIds: readonly string[];
  readonly impairments: Readonly<Partial<Record<Check, Impairment>>>;
  /** How far the checks have come since the start. */
  readonly boot: 'insufficient-data' | 'initializing' | 'done';
  readonly rebootingSinceMs?: number;
  /** Slots that a forced detach left behind, and the interface each still takes. */
  readonly forcedSlots: Readonly<Record<string, string>>;
}

/** Device indexes are counted per network card. */
export const slotOf = (at: { readonly networkCardIndex: number; readonly deviceIndex: number }): string =>
  `${at.networkCardIndex}:${at.deviceIndex}`;
