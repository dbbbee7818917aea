/** The idempotency table and Powertools in front of it, over the network like every other call. */
import { ConditionalCheckFailedException, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { Once } from '../../functions/failover/handle.ts';
import type { Log } from '../../shared/app/ports.ts';
import { type Dedupe, makeDedupe } from '../../shared/runtime/dedupe.ts';
import type { AttributeValue, Item } from './table.ts';
import { sdkError } from './table.ts';

export const deliveriesTable = 'deliveries';

interface Request {
  readonly Key?: Item;
  readonly Item?: Item;
  readonly ExpressionAttributeNames?: Readonly<Record<string, string>>;
  readonly ExpressionAttributeValues?: Item;
}
interface Delivery {
  readonly item: Item;
  /** In virtual time: what Powertools says of it comes from the machine's own clock. */
  readonly inProgressUntilMs: number;
}

const textOf = (value: AttributeValue | undefined) => String(value?.['S'] ?? '');

export interface Deliveries {
  execute(operation: string, input: object): object;
}

/**
 * As Powertools asks for it: one put under its condition, one update, one delete. A record that is in progress is
 * so for as long as an invocation may last; an hour, for one that is completed, is longer than any echo.
 */
export function makeDeliveries(
  nowMs: () => number,
  invocationMs: number,
  count: (what: string) => void,
): Deliveries {
  const records = new Map<string, Delivery>();

  function put({ Item: item = {} }: Request): object {
    const id = textOf(item['id']);
    const known = records.get(id);
    const isOver =
      known && textOf(known.item['status']) === 'INPROGRESS' && known.inProgressUntilMs < nowMs();
    if (known && !isOver) {
      count(`delivery found ${textOf(known.item['status'])}`);
      throw sdkError('ConditionalCheckFailedException', 'The conditional request failed', 400);
    }
    records.set(id, { item, inProgressUntilMs: nowMs() + invocationMs });
    return {};
  }

  function update({
    Key = {},
    ExpressionAttributeNames: names = {},
    ExpressionAttributeValues: values = {},
  }: Request) {
    const id = textOf(Key['id']);
    const known = records.get(id);
    const change = Object.entries(names).map(([name, attribute]) => [attribute, values[`:${name.slice(1)}`]]);
    const item = { ...(known?.item ?? Key), ...Object.fromEntries(change) } as Item;
    records.set(id, { item, inProgressUntilMs: known?.inProgressUntilMs ?? nowMs() });
    return {};
  }

  return {
    execute(operation, given) {
      const input = given as Request;
      switch (operation) {
        case 'PutItem':
          return put(input);
        case 'UpdateItem':
          return update(input);
        case 'DeleteItem':
          records.delete(textOf(input.Key?.['id']));
          return {};
        case 'GetItem': {
          const found = records.get(textOf(input.Key?.['id']));
          return found ? { Item: found.item } : {};
        }
        default:
          throw new Error(`the idempotency table's model does not know ${operation}`);
      }
    },
  };
}

/** The product's own dedupe, of one invocation. Powertools wants to see that its client is one of the SDK's. */
export function makeOnce(
  send: (command: object) => Promise<object>,
  remainingMs: () => number,
  log: Log,
): Once {
  const client = {
    config: {},
    middlewareStack: { identify: () => [], addRelativeTo: () => undefined },
    send: async (command: object) => {
      try {
        return await send(command);
      } catch (error) {
        if (!(error instanceof Error) || error.name !== 'ConditionalCheckFailedException') throw error;
        throw new ConditionalCheckFailedException({ message: error.message, $metadata: {} });
      }
    },
  };
  const context = { getRemainingTimeInMillis: remainingMs } as Parameters<Dedupe>[1];
  return (key, work) =>
    makeDedupe(client as unknown as DynamoDBClient, deliveriesTable, log)(key, context, work);
}
