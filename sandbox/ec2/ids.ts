/** EC2's ids: how each kind looks, and what EC2 says of one that is malformed or unknown. */
import { Ec2Error } from './errors.ts';

interface IdKind {
  readonly malformed: string;
  readonly notFound: string;
  readonly unknown: (ids: readonly string[]) => string;
}

const notThere =
  (noun: string) =>
  (ids: readonly string[]): string =>
    ids.length === 1
      ? `The ${noun} ID '${ids[0]}' does not exist`
      : `The ${noun} IDs '${ids.join(', ')}' do not exist`;

export const idKinds = {
  i: {
    malformed: 'InvalidInstanceID.Malformed',
    notFound: 'InvalidInstanceID.NotFound',
    unknown: notThere('instance'),
  },
  eni: {
    malformed: 'InvalidNetworkInterfaceId.Malformed',
    notFound: 'InvalidNetworkInterfaceID.NotFound',
    unknown: notThere('networkInterface'),
  },
  'eni-attach': {
    malformed: 'InvalidNetworkInterfaceAttachmentId.Malformed',
    notFound: 'InvalidAttachmentID.NotFound',
    unknown: notThere('interface attachment'),
  },
  vpc: {
    malformed: 'InvalidVpcId.Malformed',
    notFound: 'InvalidVpcID.NotFound',
    unknown: notThere('vpc'),
  },
  subnet: {
    malformed: 'InvalidSubnetID.Malformed',
    notFound: 'InvalidSubnetID.NotFound',
    unknown: notThere('subnet'),
  },
  sg: {
    malformed: 'InvalidGroupId.Malformed',
    notFound: 'InvalidGroup.NotFound',
    unknown: (ids) => `The security group '${ids.join(', ')}' does not exist`,
  },
  eipalloc: {
    malformed: 'InvalidAllocationID.Malformed',
    notFound: 'InvalidAllocationID.NotFound',
    unknown: notThere('allocation'),
  },
  eipassoc: {
    malformed: 'InvalidAssociationID.Malformed',
    notFound: 'InvalidAssociationID.NotFound',
    unknown: notThere('association'),
  },
} as const satisfies Record<string, IdKind>;

export type IdPrefix = keyof typeof idKinds;

export const isIdPrefix = (text: string): text is IdPrefix => Object.hasOwn(idKinds, text);

/** Eight hex digits are the ids from before 2016. */
const digits = /^(?:[0-9a-f]{8}|[0-9a-f]{17})$/;

export function requireWellFormed(prefix: IdPrefix, id: string): void {
  if (id.startsWith(`${prefix}-`) && digits.test(id.slice(prefix.length + 1))) return;
  throw new Ec2Error(idKinds[prefix].malformed, `Invalid id: "${id}" (expecting "${prefix}-...")`);
}

export const unknownIds = (prefix: IdPrefix, ids: readonly string[]): Ec2Error =>
  new Ec2Error(idKinds[prefix].notFound, idKinds[prefix].unknown(ids));

/** All records of these ids. One that is malformed or unknown fails the whole call, as in EC2. */
export function requireAll<T>(
  prefix: IdPrefix,
  ids: readonly string[],
  get: (id: string) => T | undefined,
): T[] {
  for (const id of ids) requireWellFormed(prefix, id);
  const found: T[] = [];
  const unknown: string[] = [];
  for (const id of new Set(ids)) {
    const record = get(id);
    if (record === undefined) unknown.push(id);
    else found.push(record);
  }
  if (unknown.length > 0) throw unknownIds(prefix, unknown);
  return found;
}

export function requireOne<T>(prefix: IdPrefix, id: string, get: (id: string) => T | undefined): T {
  requireWellFormed(prefix, id);
  const record = get(id);
  if (record === undefined) throw unknownIds(prefix, [id]);
  return record;
}
