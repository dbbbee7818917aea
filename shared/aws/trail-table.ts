/** The trail behind its port: consistent reads of the state table, and not one write. */
import {
  type AttributeValue,
  BatchGetItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  QueryCommand,
  type QueryCommandInput,
} from '@aws-sdk/client-dynamodb';
import { unmarshall } from '@aws-sdk/util-dynamodb';
import type { Pointer, RowsAskedFor, Trail, TrailKey, TrailRow } from '../app/ports.ts';
import { PortError } from '../core/errors.ts';
import { everything } from '../core/ids.ts';
import { absent, known } from '../core/observation.ts';
import { parseControllerItem, parseServiceState } from '../core/state.ts';
import { type Retrying, reads, withRetries } from './retry.ts';
import {
  afterAllRecords,
  controllerPartition,
  keyOf,
  nameOfPartition,
  type Row,
  servicePartition,
  toItem,
  trailPartition,
  trailSort,
} from './trail-keys.ts';

/** As many as BatchGetItem takes. */
const batchSize = 100;

type Client = Pick<DynamoDBClient, 'send'>;
type Item = Record<string, AttributeValue>;

/** A service's own name needs no check: it is the partition of its records. */
function conditionOf({ service, kind, outcome, author }: RowsAskedFor) {
  const asked = Object.entries({ service, kind, outcome, author }).filter(([, value]) => value !== undefined);
  if (asked.length === 0) return undefined;
  return {
    FilterExpression: asked
      .map(([key]) => `(attribute_not_exists(#${key}) OR #${key} = :${key})`)
      .join(' AND '),
    ExpressionAttributeNames: Object.fromEntries(asked.map(([key]) => [`#${key}`, key])),
    values: Object.fromEntries(asked.map(([key, value]) => [`:${key}`, value])),
  };
}

interface RangeOf {
  readonly pk: string;
  readonly from: string;
  readonly to: string;
  readonly limit: number;
  readonly forward: boolean;
  /** Leaves out `to` itself: the key need not exist. */
  readonly isBelow?: boolean;
  readonly where?: RowsAskedFor | undefined;
}

export function makeTrailTable(client: Client, table: string, retrying: Retrying): Trail {
  const tried = async <T>(call: () => Promise<T>): Promise<T> =>
    (await withRetries(retrying, reads, call)).value;

  async function query({ pk, from, to, limit, forward, isBelow, where = {} }: RangeOf) {
    // DynamoDB refuses a range that ends before it begins.
    if (to < from) return { rows: [], read: 0 };
    const condition = conditionOf(where);
    const input: QueryCommandInput = {
      TableName: table,
      ConsistentRead: true,
      ScanIndexForward: forward,
      Limit: limit,
      ...(isBelow && { ExclusiveStartKey: keyOf(pk, to) }),
      KeyConditionExpression: 'pk = :pk AND sk BETWEEN :from AND :to',
      ...(condition && {
        FilterExpression: condition.FilterExpression,
        ExpressionAttributeNames: condition.ExpressionAttributeNames,
      }),
      ExpressionAttributeValues: toItem({ ':pk': pk, ':from': from, ':to': to, ...condition?.values }),
    };
    const {
      Items = [],
      ScannedCount = 0,
      LastEvaluatedKey,
    } = await tried(() => client.send(new QueryCommand(input)));
    const rest = LastEvaluatedKey?.['sk']?.S;
    return {
      rows: Items.map((item): Row => unmarshall(item)),
      read: ScannedCount,
      ...(rest !== undefined && { rest }),
    };
  }

  /** One call; what DynamoDB did not get to is asked for again, as throttling is: by the one retry layer. */
  async function batch(keys: readonly TrailKey[]): Promise<readonly Row[]> {
    const rows: Row[] = [];
    let left: Item[] = keys.map(({ service, number }) => keyOf(trailPartition(service), trailSort(number)));
    await tried(async () => {
      const { Responses, UnprocessedKeys } = await client.send(
        new BatchGetItemCommand({ RequestItems: { [table]: { Keys: left, ConsistentRead: true } } }),
      );
      rows.push(...(Responses?.[table] ?? []).map((item): Row => unmarshall(item)));
      left = UnprocessedKeys?.[table]?.Keys ?? [];
      if (left.length > 0)
        throw new PortError('throttled', 'UnprocessedKeys', `${left.length} records were not read`);
    });
    return rows;
  }

  return {
    async service(name) {
      const isOfAll = name === everything;
      const Key = isOfAll ? keyOf(controllerPartition, 'STATE') : keyOf(servicePartition(name), 'SERVICE');
      const { Item } = await tried(() =>
        client.send(new GetItemCommand({ TableName: table, Key, ConsistentRead: true })),
      );
      // Nobody registers the controller: without an item nothing was done to everything yet.
      if (isOfAll) return known(parseControllerItem(Item && unmarshall(Item)));
      return Item ? known(parseServiceState(unmarshall(Item))) : absent;
    },

    async newest(name, { from, to }, limit, where) {
      const range = { pk: trailPartition(name), from: trailSort(from), to: trailSort(to), limit, where };
      return (await query({ ...range, forward: false })) as unknown as Awaited<ReturnType<Trail['newest']>>;
    },

    async oldest(name, from, limit) {
      const range = { pk: trailPartition(name), to: afterAllRecords };
      const rows: Row[] = [];
      // A page of DynamoDB ends at one megabyte, wherever ours would.
      for (let first = trailSort(from); ; ) {
        const page = await query({ ...range, from: first, limit: limit - rows.length, forward: true });
        rows.push(...page.rows);
        if (page.rest === undefined || rows.length >= limit) return rows as unknown as readonly TrailRow[];
        first = `${page.rest}~`;
      }
    },

    async pointers(partition, { from, below }, limit, where) {
      const page = await query({
        pk: partition,
        from,
        to: below,
        isBelow: true,
        limit,
        forward: false,
        where,
      });
      return { ...page, rows: page.rows as unknown as readonly Pointer[] };
    },

    async rows(keys) {
      const chunks = Array.from({ length: Math.ceil(keys.length / batchSize) }, (_, index) =>
        keys.slice(index * batchSize, (index + 1) * batchSize),
      );
      const rows = (await Promise.all(chunks.map(batch))).flat();
      return rows.map((row) => ({
        ...(row as unknown as TrailRow),
        service: nameOfPartition(String(row['pk'])),
      }));
    },
  };
}
