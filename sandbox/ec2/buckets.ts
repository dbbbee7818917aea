/** EC2's request throttling: a token bucket for each operation, as its developer guide publishes them. */
import { Ec2Error } from './errors.ts';

export interface BucketSize {
  readonly tokens: number;
  readonly refillPerSec: number;
}

const reading: BucketSize = { tokens: 100, refillPerSec: 20 };
const readingEverything: BucketSize = { tokens: 50, refillPerSec: 10 };
const changing: BucketSize = { tokens: 50, refillPerSec: 5 };

/** Operations with a bucket that is not the one of their class. */
const special: Readonly<Record<string, BucketSize>> = {
  ModifyNetworkInterfaceAttribute: { tokens: 100, refillPerSec: 5 },
  CreateNetworkInterface: { tokens: 100, refillPerSec: 5 },
  DeleteNetworkInterface: { tokens: 100, refillPerSec: 5 },
  AssignPrivateIpAddresses: { tokens: 100, refillPerSec: 5 },
  UnassignPrivateIpAddresses: { tokens: 100, refillPerSec: 5 },
  CreateTags: { tokens: 100, refillPerSec: 10 },
  DeleteTags: { tokens: 100, refillPerSec: 10 },
  RunInstances: { tokens: 5, refillPerSec: 2 },
  StartInstances: { tokens: 5, refillPerSec: 2 },
};

/** These draw on a smaller bucket when they ask for everything at once. */
const costlyReads: ReadonlySet<string> = new Set([
  'DescribeInstances',
  'DescribeInstanceStatus',
  'DescribeNetworkInterfaces',
  'DescribeSecurityGroups',
  'DescribeSubnets',
  'DescribeVpcs',
]);

export const isRead = (operation: string): boolean => /^(Describe|Get|List)/.test(operation);

/**
 * Which bucket a call draws on. AWS speaks of calls with neither a filter nor pagination; that explicit ids do
 * not count as a filter is an assumption (the harder of the two readings).
 */
function bucketOf(operation: string, input: object): { name: string; size: BucketSize } {
  const isNarrowed = 'Filters' in input || 'MaxResults' in input || 'NextToken' in input;
  if (costlyReads.has(operation) && !isNarrowed) {
    return { name: `${operation} of everything`, size: readingEverything };
  }
  return { name: operation, size: special[operation] ?? (isRead(operation) ? reading : changing) };
}

export function makeBuckets(nowMs: () => number) {
  const levels = new Map<string, { tokens: number; atMs: number }>();
  return {
    /** Takes one token, or refuses with RequestLimitExceeded. */
    draw(operation: string, input: object): void {
      const { name, size } = bucketOf(operation, input);
      const now = nowMs();
      const last = levels.get(name) ?? { tokens: size.tokens, atMs: now };
      const refilled = last.tokens + ((now - last.atMs) / 1_000) * size.refillPerSec;
      const tokens = Math.min(size.tokens, refilled);
      if (tokens < 1) throw new Ec2Error('RequestLimitExceeded', 'Request limit exceeded.');
      levels.set(name, { tokens: tokens - 1, atMs: now });
    },
    reset: () => levels.clear(),
  };
}
