/** The state table behind its port: every condition named, every write fenced by `rev`, nothing ever deleted. */
import {
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  type QueryCommandInput,
  UpdateItemCommand,
  type UpdateItemCommandInput,
} from '@aws-sdk/client-dynamodb';
import { unmarshall } from '@aws-sdk/util-dynamodb';
import type { Guard, StateStore, TrailRow } from '../app/ports.ts';
import { PortError } from '../core/errors.ts';
import type { ServiceName } from '../core/ids.ts';
import { absent, known } from '../core/observation.ts';
import {
  emptyController,
  emptyTrail,
  needsAttention,
  type Pause,
  parseControllerItem,
  parseServiceState,
  type ServiceState,
} from '../core/state.ts';
import { times } from '../core/times.ts';
import { type Retrying, toPortError, withRetries, writes } from './retry.ts';
import {
  controllerPartition,
  keyOf,
  pointerSort,
  type Row,
  servicePartition,
  toItem,
  trailPartition,
  trailSort,
} from './trail-keys.ts';

const serviceKey = (name: ServiceName) => keyOf(servicePartition(name), 'SERVICE');
const controllerKey = keyOf(controllerPartition, 'STATE');
/** Sorts by time, to the minute: `2026-11-21T02:11`. */
const minuteOf = (atMs: number) => new Date(atMs).toISOString().slice(0, 16);

/** Reads of a secondary index are eventually consistent: it only says where to look. */
const attentionIndex = 'attention';

/** `attention` is the key of the one, sparse, index. */
const toRow = (state: ServiceState): Row => ({
  ...state,
  ...(needsAttention(state) && { attention: 'yes' }),
});

interface Expression {
  readonly text: string;
  readonly names: Record<string, string>;
  readonly values: Row;
}

/** Only what changed is sent: two writers of different attributes still meet at `rev`. */
function changeOf(before: Row, after: Row): Expression {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
    (key) => before[key] !== after[key],
  );
  const set = keys.filter((key) => after[key] !== undefined);
  const remove = keys.filter((key) => after[key] === undefined);
  const clause = (word: string, parts: readonly string[]) =>
    parts.length > 0 ? `${word} ${parts.join(', ')}` : '';
  return {
    text: [
      clause(
        'SET',
        set.map((key) => `#${key} = :${key}`),
      ),
      clause(
        'REMOVE',
        remove.map((key) => `#${key}`),
      ),
    ]
      .filter(Boolean)
      .join(' '),
    names: Object.fromEntries(keys.map((key) => [`#${key}`, key])),
    values: Object.fromEntries(set.map((key) => [`:${key}`, after[key]])),
  };
}

/** The services of a zone's row; undefined when the row holds no set of names. */
function namesIn(row: Row): readonly ServiceName[] | undefined {
  const { services, left } = row;
  // A set that lost its last name is no attribute any more.
  if (services === undefined && left === true) return [];
  return services instanceof Set ? ([...services] as ServiceName[]) : undefined;
}

/** What a write requires, each condition by its name (P1, P2, P4). */
function conditionOf(guard: Guard): Expression {
  const nobodyWroteSince = '#rev = :expectedRev';
  const parts = [nobodyWroteSince];
  const names: Record<string, string> = { '#rev': 'rev' };
  const values: Row = { ':expectedRev': guard.rev };
  if (guard.lease) {
    const leaseIsOurs = '#lease.#owner = :owner';
    const epochIsOurs = '#epoch = :expectedEpoch';
    const leaseIsAlive = '#lease.#untilMs > :nowMs';
    parts.push(leaseIsOurs, epochIsOurs, leaseIsAlive);
    Object.assign(names, {
      '#lease': 'lease',
      '#owner': 'owner',
      '#untilMs': 'untilMs',
      '#epoch': 'epoch',
    });
    Object.assign(values, {
      ':owner': guard.lease.owner,
      ':expectedEpoch': guard.lease.epoch,
      ':nowMs': guard.lease.aliveAtMs,
    });
  }
  if (guard.freeBeforeMs !== undefined) {
    const leaseIsFree = '(attribute_not_exists(#lease) OR #lease.#untilMs < :freeBeforeMs)';
    parts.push(leaseIsFree);
    Object.assign(names, { '#lease': 'lease', '#untilMs': 'untilMs' });
    values[':freeBeforeMs'] = guard.freeBeforeMs - times.skewMarginMs;
  }
  return { text: parts.join(' AND '), names, values };
}

const isConditionFailed = (error: unknown) => toPortError(error).code === 'ConditionalCheckFailedException';

/** Reads are consistent throughout: an eventually consistent one could miss a pause or a lease. */
export function makeStateTable(
  client: Pick<DynamoDBClient, 'send'>,
  table: string,
  retrying: Retrying,
): StateStore {
  const tried = async <T>(call: () => Promise<T>): Promise<T> =>
    (await withRetries(retrying, writes, call)).value;

  async function get(pk: string, sk: string): Promise<Row | undefined> {
    const Key = keyOf(pk, sk);
    const { Item } = await tried(() =>
      client.send(new GetItemCommand({ TableName: table, Key, ConsistentRead: true })),
    );
    return Item && unmarshall(Item);
  }

  async function query(input: Omit<QueryCommandInput, 'TableName'>): Promise<readonly Row[]> {
    const rows: Row[] = [];
    let ExclusiveStartKey: QueryCommandInput['ExclusiveStartKey'];
    do {
      const page = await tried(() =>
        client.send(
          new QueryCommand({
            TableName: table,
            ConsistentRead: true,
            ...input,
            ...(ExclusiveStartKey && { ExclusiveStartKey }),
          }),
        ),
      );
      rows.push(...(page.Items ?? []).map((item) => unmarshall(item)));
      ExclusiveStartKey = page.LastEvaluatedKey;
    } while (ExclusiveStartKey);
    return rows;
  }

  const withPrefix = (pk: string, prefix: string) =>
    query({
      KeyConditionExpression: 'pk = :pk AND begins_with(sk, :prefix)',
      ExpressionAttributeValues: toItem({ ':pk': pk, ':prefix': prefix }),
    });

  /** Did the call go through? False when its condition does not hold; every other failure is thrown. */
  async function ifAllowed(call: () => Promise<unknown>): Promise<boolean> {
    try {
      await tried(call);
      return true;
    } catch (error) {
      if (!isConditionFailed(error)) throw error;
      return false;
    }
  }

  type Update = Omit<UpdateItemCommandInput, 'TableName' | 'Key'>;
  const updating = (Key: UpdateItemCommandInput['Key'], input: Update) => () =>
    client.send(new UpdateItemCommand({ TableName: table, Key, ...input }));
  const update = (Key: UpdateItemCommandInput['Key'], input: Update) => tried(updating(Key, input));
  /** An attempt of ours whose answer was lost fails on its own success: whoever asks must look (P1). */
  const updateIf = (Key: UpdateItemCommandInput['Key'], input: Update & { ConditionExpression: string }) =>
    ifAllowed(updating(Key, input));

  const putting = (row: Row, condition?: string) => () =>
    client.send(
      new PutItemCommand({
        TableName: table,
        Item: toItem(row),
        ...(condition && { ConditionExpression: condition }),
      }),
    );
  const put = (row: Row) => tried(putting(row));
  const putIf = (row: Row, condition: string) => ifAllowed(putting(row, condition));

  async function read(name: ServiceName) {
    const row = await get(`SERVICE#${name}`, 'SERVICE');
    return row ? known(parseServiceState(row)) : absent;
  }

  const readControllerItem = async () => parseControllerItem(await get(controllerPartition, 'STATE'));

  const servicesBehind = async (pk: string) =>
    (await withPrefix(pk, 'SERVICE#')).map((row) => row['service'] as ServiceName);

  async function controllerRows(): Promise<readonly Row[]> {
    return withPrefix(controllerPartition, 'STATE');
  }

  return {
    read,

    async readController() {
      const rows = await controllerRows();
      const named = (prefix: string) =>
        rows.flatMap((row) => {
          const sk = String(row['sk']);
          return sk.startsWith(prefix) ? [[sk.slice(prefix.length), row] as const] : [];
        });
      const pause = rows.find((row) => row['sk'] === 'STATE')?.['pause'] as Pause | undefined;
      return {
        ...emptyController,
        ...(pause && { pause }),
        brakes: Object.fromEntries(
          named('STATE#BRAKE#')
            .filter(([, row]) => row['released'] !== true)
            .map(([zone, row]) => [
              zone,
              { sinceMs: Number(row['sinceMs']), services: row['services'] as string[] },
            ]),
        ),
        releasedAtMs: Object.fromEntries(
          named('STATE#BRAKE#').flatMap(([zone, row]) =>
            row['releasedAtMs'] === undefined ? [] : [[zone, Number(row['releasedAtMs'])]],
          ),
        ),
        servicesByZone: Object.fromEntries(
          // A row that holds no names trips the brake sooner, and stops nobody else's failover.
          named('STATE#ZONE#').map(([zone, row]) => [zone, namesIn(row) ?? []]),
        ),
      };
    },

    async write(before, after, guard) {
      const change = changeOf(toRow(before), toRow(after));
      const condition = conditionOf(guard);
      const isWritten = await updateIf(serviceKey(before.name), {
        UpdateExpression: change.text,
        ConditionExpression: condition.text,
        ExpressionAttributeNames: { ...change.names, ...condition.names },
        ExpressionAttributeValues: toItem({ ...change.values, ...condition.values }),
      });
      if (isWritten) return { kind: 'written' };
      const now = await read(before.name);
      if (now.kind !== 'known')
        throw new PortError('refused', 'ItemMissing', `the item of ${before.name} is not there`);
      // Our own nonce: an attempt of this very write succeeded and its answer was lost (P1).
      return now.value.nonce === after.nonce ? { kind: 'written' } : { kind: 'conflict', now: now.value };
    },

    async create(state) {
      const isFree = 'attribute_not_exists(pk)';
      const row = { pk: `SERVICE#${state.name}`, sk: 'SERVICE', ...toRow(state) };
      if (await putIf(row, isFree)) return 'created';
      const now = await read(state.name);
      return now.kind === 'known' && now.value.nonce === state.nonce ? 'created' : 'exists';
    },

    async list() {
      const zones = await withPrefix('CONTROLLER', 'STATE#ZONE#');
      return {
        names: [...new Set(zones.flatMap((row) => namesIn(row) ?? []))].sort(),
        unreadable: zones.filter((row) => namesIn(row) === undefined).map((row) => String(row['sk'])),
      };
    },

    async needingAttention() {
      const rows = await query({
        IndexName: attentionIndex,
        ConsistentRead: false,
        KeyConditionExpression: 'attention = :yes',
        ExpressionAttributeValues: toItem({ ':yes': 'yes' }),
      });
      return rows.map((row) => String(row['pk']).slice('SERVICE#'.length) as ServiceName);
    },

    servicesOfInstance: (id) => servicesBehind(`INSTANCE#${id}`),
    servicesOfAlarm: (arn) => servicesBehind(`ALARM#${arn}`),

    async own(eni, name) {
      const isFree = 'attribute_not_exists(pk)';
      const isOurs = '#service = :name';
      const isReleased = '#released = :yes';
      const isOwned = await updateIf(keyOf(`ENI#${eni}`, 'OWNER'), {
        UpdateExpression: 'SET #service = :name, #released = :no',
        ConditionExpression: [isFree, isOurs, isReleased].join(' OR '),
        ExpressionAttributeNames: { '#service': 'service', '#released': 'released' },
        ExpressionAttributeValues: toItem({ ':name': name, ':no': false, ':yes': true }),
      });
      if (isOwned) return { kind: 'owned' };
      const row = await get(`ENI#${eni}`, 'OWNER');
      return { kind: 'taken', owner: row?.['service'] as ServiceName };
    },

    async release(eni, name) {
      // Somebody else's by now: then it is not ours to release, and nothing is left to do.
      const isOurs = '#service = :name';
      await updateIf(keyOf(`ENI#${eni}`, 'OWNER'), {
        UpdateExpression: 'SET #released = :yes',
        ConditionExpression: isOurs,
        ExpressionAttributeNames: { '#service': 'service', '#released': 'released' },
        ExpressionAttributeValues: toItem({ ':name': name, ':yes': true }),
      });
    },

    async addWayBack(name, { instances, alarms }) {
      const keys = [...instances.map((id) => `INSTANCE#${id}`), ...alarms.map((arn) => `ALARM#${arn}`)];
      await Promise.all(keys.map((pk) => put({ pk, sk: `SERVICE#${name}`, service: name })));
    },

    async copyToTrail(name, frozen) {
      const { number, kind, atMs, outcome, author, body, hash, pointers } = frozen;
      const pk = trailPartition(name);
      const sk = trailSort(number);
      const isFree = 'attribute_not_exists(pk)';
      if (!(await putIf({ pk, sk, number, kind, atMs, outcome, author, body, hash }, isFree))) {
        const there = await get(pk, sk);
        if (there?.['body'] !== body || there['hash'] !== hash)
          throw new PortError('refused', 'TrailConflict', `record ${number} of ${name} is another one`);
      }
      // Enough to sort out what was not asked for without reading the record itself.
      const place = { sk: pointerSort(atMs, name, number), service: name, number, kind, outcome, author };
      await Promise.all(pointers.map((pointer) => put({ pk: pointer, ...place })));
    },

    async trail(name, from, limit) {
      const rows = await query({
        KeyConditionExpression: 'pk = :pk AND sk BETWEEN :from AND :to',
        ExpressionAttributeValues: toItem({
          ':pk': trailPartition(name),
          ':from': trailSort(from),
          ':to': trailSort(from + limit - 1),
        }),
      });
      return rows as unknown as readonly TrailRow[];
    },

    async countFailover(zone, name, nowMs, releasedAtMs = 0) {
      // Apart from the controller's own partition, which every look reads. A release begins new sets: what tripped
      // the brake before does not trip it again.
      const pk = `BRAKE#${zone}`;
      const sort = (minute: string) => `${releasedAtMs}#${minute}`;
      // First the ADD, then the look, and later minutes too: of two workers on either side of a minute, the one
      // that looks last sees both.
      await update(keyOf(pk, sort(minuteOf(nowMs))), {
        UpdateExpression: 'ADD #services :name SET #expiresAtSec = :expiresAtSec',
        ExpressionAttributeNames: { '#services': 'services', '#expiresAtSec': 'expiresAtSec' },
        ExpressionAttributeValues: toItem({
          ':name': new Set([name]),
          ':expiresAtSec': Math.ceil((nowMs + 24 * times.budgetWindowMs) / 1_000),
        }),
      });
      const rows = await query({
        KeyConditionExpression: 'pk = :pk AND sk BETWEEN :from AND :to',
        ExpressionAttributeValues: toItem({
          ':pk': pk,
          ':from': sort(minuteOf(nowMs - times.brakeWindowMs)),
          ':to': sort('~'),
        }),
      });
      return [...new Set(rows.flatMap((row) => [...(row['services'] as Set<string>)]))].sort();
    },

    async tripBrake(zone, services, nowMs) {
      const isFree = 'attribute_not_exists(pk)';
      const isReleased = 'released = :yes';
      const isTripped = await updateIf(keyOf('CONTROLLER', `STATE#BRAKE#${zone}`), {
        UpdateExpression: 'SET sinceMs = :nowMs, #services = :services, released = :no',
        ConditionExpression: [isFree, isReleased].join(' OR '),
        ExpressionAttributeNames: { '#services': 'services' },
        ExpressionAttributeValues: toItem({
          ':nowMs': nowMs,
          ':services': [...services],
          ':no': false,
          ':yes': true,
        }),
      });
      if (isTripped) return 'tripped';
      // Ours, if an attempt of this call succeeded and its answer was lost: somebody has to page (P31).
      const there = await get('CONTROLLER', `STATE#BRAKE#${zone}`);
      const isOurs = there?.['sinceMs'] === nowMs && String(there['services']) === String(services);
      return isOurs ? 'tripped' : 'already';
    },

    async releaseBrake(zone, nowMs) {
      await update(keyOf('CONTROLLER', `STATE#BRAKE#${zone}`), {
        UpdateExpression: 'SET released = :yes, releasedAtMs = :nowMs',
        ExpressionAttributeValues: toItem({ ':yes': true, ':nowMs': nowMs }),
      });
    },

    readControllerItem,

    async writeControllerItem({ trail }, { pause, frozen, trail: { next, head } }) {
      // Of an item without a chain, as an older version leaves it, the first record has this number.
      const nothingRecordedYet = 'attribute_not_exists(#trail)';
      const nobodyRecordedSince = '#trail.#next = :expectedNext';
      const set = { pause, frozen, trail: { next, head } };
      const change = changeOf({ pause: null, frozen: null, trail: null }, set);
      const isWritten = await updateIf(controllerKey, {
        UpdateExpression: change.text,
        ConditionExpression:
          trail.next === emptyTrail.next
            ? [nothingRecordedYet, nobodyRecordedSince].join(' OR ')
            : nobodyRecordedSince,
        ExpressionAttributeNames: { ...change.names, '#next': 'next' },
        ExpressionAttributeValues: toItem({ ...change.values, ':expectedNext': trail.next }),
      });
      if (isWritten) return 'written';
      // Our own record: an attempt of this very write succeeded and its answer was lost (P1).
      if ((await readControllerItem()).trail.head === head) return 'written';
      // Whoever recorded after it has copied it. Done again, it would undo what they did since.
      const copied = await get(controllerPartition, trailSort(trail.next));
      return copied?.['hash'] === head ? 'written' : 'conflict';
    },

    async clearControllerFrozen(number) {
      // Of a later number: somebody recorded meanwhile, and that one is not copied yet.
      const isThatOne = '#frozen.#number = :number';
      await updateIf(controllerKey, {
        UpdateExpression: 'REMOVE #frozen',
        ConditionExpression: isThatOne,
        ExpressionAttributeNames: { '#frozen': 'frozen', '#number': 'number' },
        ExpressionAttributeValues: toItem({ ':number': number }),
      });
    },

    async joinZone(zone, name) {
      await update(keyOf('CONTROLLER', `STATE#ZONE#${zone}`), {
        UpdateExpression: 'ADD #services :name',
        ExpressionAttributeNames: { '#services': 'services' },
        ExpressionAttributeValues: toItem({ ':name': new Set([name]) }),
      });
    },

    async leaveZone(zone, name) {
      await update(keyOf('CONTROLLER', `STATE#ZONE#${zone}`), {
        UpdateExpression: 'DELETE #services :name SET #left = :yes',
        ExpressionAttributeNames: { '#services': 'services', '#left': 'left' },
        ExpressionAttributeValues: toItem({ ':name': new Set([name]), ':yes': true }),
      });
    },
  };
}
