/** IP ranges, as far as subnets need them. */
import { BlockList, isIPv6 } from 'node:net';
import { invalidValue } from './errors.ts';

export interface Ipv4Range {
  readonly first: number;
  readonly size: number;
}

/** undefined unless `text` is a dotted quad. */
export function toNumber(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256))
    return undefined;
  return parts.reduce((sum, part) => sum * 256 + Number(part), 0);
}

export const toDotted = (address: number): string =>
  [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');

/** undefined unless `cidr` is a network address with a prefix that EC2 takes: /16 to /28. */
export function rangeOf(cidr: string): Ipv4Range | undefined {
  const [address = '', prefix = ''] = cidr.split('/');
  const first = toNumber(address);
  const bits = /^\d{2}$/.test(prefix) ? Number(prefix) : 0;
  if (first === undefined || bits < 16 || bits > 28) return undefined;
  const size = 2 ** (32 - bits);
  return first % size === 0 ? { first, size } : undefined;
}

export const contains = (outer: Ipv4Range, inner: Ipv4Range): boolean =>
  inner.first >= outer.first && inner.first + inner.size <= outer.first + outer.size;

export const overlap = (a: Ipv4Range, b: Ipv4Range): boolean =>
  a.first < b.first + b.size && b.first < a.first + a.size;

/** The one spelling of an IPv6 address that EC2 answers with. */
export function canonicalIpv6(address: string): string {
  if (!isIPv6(address)) throw invalidValue(`invalid value for parameter address: ${address}`);
  return new URL(`http://[${address}]/`).hostname.slice(1, -1);
}

export function ipv6In(cidr: string, address: string): boolean {
  const [network = '', prefix = ''] = cidr.split('/');
  const range = new BlockList();
  range.addSubnet(network, Number(prefix), 'ipv6');
  return range.check(address, 'ipv6');
}
