/** Reads the controller's own table, and checks the audit trail by itself: numbers, hashes and the chain they make. */
import { createHash } from 'node:crypto';
import type { AwsEndpoint } from './aws-endpoint.ts';

export interface Step {
  readonly atMs: number;
  readonly step: string;
  readonly detail?: string;
  readonly eni?: string;
  readonly durationMs?: number;
}

export interface Episode {
  readonly id: string;
  readonly kind: string;
  readonly evidence: string;
  readonly openedAtMs: number;
  readonly plan: { readonly source?: string; readonly target: string; readonly tried: readonly string[] };
  readonly steps: readonly Step[];
  /** Its fence, hooks and checks, by stage. */
  readonly stages?: Readonly<Record<string, { readonly begunAtMs: number; readonly end?: string }>>;
}

/** The service's item, as far as the demo looks at it. */
export interface ServiceItem {
  readonly rev: number;
  readonly epoch: number;
  readonly declared: string;
  readonly lease?: { readonly untilMs: number };
  readonly episode?: Episode;
  readonly frozen?: unknown;
  readonly outbox: readonly unknown[];
  readonly trail: { readonly next: number; readonly head: string };
}

export interface TrailRow {
  readonly number: number;
  readonly kind: string;
  readonly atMs: number;
  /** Canonical JSON: what the hash is over. */
  readonly body: string;
  readonly hash: string;
}

/** A record of the trail, understood. */
export interface TrailRecord {
  readonly number: number;
  readonly kind: string;
  readonly at: string;
  readonly previous: string;
  readonly outcome?: string;
  readonly code?: string;
  readonly why?: string;
  readonly detail?: string;
  readonly epoch?: number;
  readonly closedAt?: string;
  readonly episode?: Episode;
  readonly members?: readonly { readonly member: string; readonly code: string; readonly detail: string }[];
}

export const toRecord = (row: TrailRow) => JSON.parse(row.body) as TrailRecord;

type Value = Readonly<Record<string, unknown>>;

/** A value of DynamoDB's JSON as plain JSON. */
function plain(value: Value): unknown {
  if ('M' in value) return plainItem(value['M'] as Readonly<Record<string, Value>>);
  if ('L' in value) return (value['L'] as readonly Value[]).map(plain);
  if ('N' in value) return Number(value['N']);
  if ('NULL' in value) return null;
  return Object.values(value)[0];
}

const plainItem = (item: Readonly<Record<string, Value>>) =>
  Object.fromEntries(Object.entries(item).map(([name, value]) => [name, plain(value)]));

export interface StateTable {
  /** Undefined where the service is not registered. */
  item(): Promise<ServiceItem | undefined>;
  trail(): Promise<readonly TrailRow[]>;
  /** Changes the stored declaration behind the controller's back, as somebody with access to the table could. */
  editDeclaration(change: (declaration: Record<string, unknown>) => Record<string, unknown>): Promise<void>;
}

export function makeStateTable(aws: AwsEndpoint, table: string, service: string): StateTable {
  const key = { pk: { S: `SERVICE#${service}` }, sk: { S: 'SERVICE' } };

  async function item(): Promise<ServiceItem | undefined> {
    const answer = (await aws.dynamoDb('GetItem', {
      TableName: table,
      Key: key,
      ConsistentRead: true,
    })) as { Item?: Record<string, Value> };
    return answer.Item && (plainItem(answer.Item) as unknown as ServiceItem);
  }

  return {
    item,
    async trail() {
      const answer = (await aws.dynamoDb('Query', {
        TableName: table,
        ConsistentRead: true,
        KeyConditionExpression: 'pk = :pk AND begins_with(sk, :trail)',
        ExpressionAttributeValues: { ':pk': key.pk, ':trail': { S: 'TRAIL#' } },
      })) as { Items: readonly Record<string, Value>[] };
      return answer.Items.map((each) => plainItem(each) as unknown as TrailRow);
    },
    async editDeclaration(change) {
      const before = await item();
      if (before === undefined) throw new Error(`${service} is not registered`);
      const declared = JSON.stringify(change(JSON.parse(before.declared) as Record<string, unknown>));
      await aws.dynamoDb('UpdateItem', {
        TableName: table,
        Key: key,
        UpdateExpression: 'SET declared = :declared, rev = :next',
        ConditionExpression: 'rev = :rev',
        ExpressionAttributeValues: {
          ':declared': { S: declared },
          ':rev': { N: String(before.rev) },
          ':next': { N: String(before.rev + 1) },
        },
      });
    },
  };
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

/** What is wrong with the trail; empty where it is whole, in order, and ends with the head that the service knows. */
export function chainFaults(rows: readonly TrailRow[], head: string | undefined): readonly string[] {
  const faults = rows.flatMap((row, index) => {
    const before = rows[index - 1];
    return [
      ...(row.number === index + 1 ? [] : [`record ${index + 1} is missing`]),
      ...(sha256(row.body) === row.hash ? [] : [`record ${row.number} does not match its hash`]),
      ...(toRecord(row).previous === (before?.hash ?? '')
        ? []
        : [`record ${row.number} does not follow the one before it`]),
    ];
  });
  const last = rows.at(-1)?.hash ?? '';
  return head === undefined || head === last
    ? faults
    : [...faults, 'the head of the service is another record'];
}
