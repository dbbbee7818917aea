/** DynamoDB in process: dynalite's own validations and actions evaluate the adapter's real expressions on a Map. */
import { createRequire } from 'node:module';

/** A value as DynamoDB writes it: `{ S: '…' }`, `{ N: '…' }` and so on. */
export type AttributeValue = { readonly [type: string]: unknown };
export type Item = Readonly<Record<string, AttributeValue>>;

export interface TableWrite {
  readonly pk: string;
  readonly sk: string;
  readonly before: Item | undefined;
  readonly after: Item;
}

export interface Table {
  /** Answers as DynamoDB does; a refusal is thrown in the SDK's shape. */
  execute(operation: string, input: object): object;
  get(pk: string, sk: string): Item | undefined;
  partition(pk: string): readonly Item[];
  /** Puts items as they were taken from another table; nobody changes an item in place. */
  restore(items: readonly Item[]): void;
  items(): readonly Item[];
}

interface DynaliteError {
  readonly statusCode: number;
  readonly body: { readonly __type: string; readonly message?: string; readonly Message?: string };
}
type Reply = (error: DynaliteError | null | undefined, answer?: object) => void;
type Action = (store: object, data: object, reply: Reply) => void;
interface Validation {
  readonly types: Readonly<Record<string, unknown>>;
  readonly custom: (data: object, store: object) => string | undefined;
}

const require = createRequire(import.meta.url);
const part = <T>(name: string) => require(`dynalite/${name}`) as T;
const actions = {
  UpdateItem: part<Action>('actions/updateItem'),
  PutItem: part<Action>('actions/putItem'),
};
const validations = {
  UpdateItem: part<Validation>('validations/updateItem'),
  PutItem: part<Validation>('validations/putItem'),
  Query: part<Validation>('validations/query'),
  GetItem: part<Validation>('validations/getItem'),
};
const checks = part<{
  checkTypes(data: object, types: object): object;
  checkValidations(data: object, types: object, custom: Validation['custom'], store: object): void;
}>('validations/index');
const database = part<{
  compare: unknown;
  updateIndexes: unknown;
  checkConditional(data: object, item: Item | undefined): DynaliteError | null | undefined;
  itemSize(item: Item): number;
}>('db/index');
// The model answers for its one sparse index by itself; going through the motions costs a third of a write.
database.updateIndexes = (_store: object, _table: object, _before: object, _after: object, reply: Reply) =>
  reply(null);
const { compare } = database;
/** Reserved words are refused by the validation that each shape of an expression passes first. */
const isReserved = () => false;
const notFound = Object.assign(new Error('not found'), { name: 'NotFoundError' });
type Parser = { parse(text: string, options: object): Tree | string };
const parsers = {
  update: part<Parser>('db/updateParser'),
  condition: part<Parser>('db/conditionParser'),
};

/** An error as the SDK throws it. */
export function sdkError(name: string, message: string, httpStatusCode: number | undefined): Error {
  const error = new Error(message);
  error.name = name;
  return Object.assign(error, { $metadata: httpStatusCode === undefined ? {} : { httpStatusCode } });
}

function toSdkError({ statusCode, body }: DynaliteError): Error {
  const name = body.__type.slice(body.__type.indexOf('#') + 1);
  return sdkError(name, body.message ?? body.Message ?? name, statusCode);
}

// ── Expressions, parsed once for each shape ─────────────────────────────────────────────────────────────

/** An expression's tree. It is filled in anew for each request, and nobody keeps it: all here happens at once. */
interface Template {
  readonly tree: Tree;
  /** Where the tree holds a value of the request, and which. */
  readonly slots: readonly { readonly holder: Record<string, unknown>; key: string; name: string }[];
  /** dynalite resolves what a section sets in its place: here is what stood there. */
  readonly unresolved: readonly { readonly section: Section; readonly val: unknown }[];
  /** An update that only sets and removes whole attributes. */
  readonly isPlain: boolean;
}
interface Section {
  readonly type: string;
  readonly path: readonly (string | number)[];
  val?: unknown;
}
interface Tree {
  readonly sections?: readonly Section[];
}
const templates = new Map<string, Template>();
const samples: Readonly<Record<string, () => AttributeValue>> = {
  S: () => ({ S: 'x' }),
  N: () => ({ N: '0' }),
  BOOL: () => ({ BOOL: true }),
  NULL: () => ({ NULL: true }),
  L: () => ({ L: [] }),
  M: () => ({ M: {} }),
  SS: () => ({ SS: ['x'] }),
};
function typeOf(value: AttributeValue | undefined): string {
  for (const type in value) return type;
  return '?';
}

function toTemplate(tree: Tree, marked: ReadonlyMap<unknown, string>): Template {
  const slots: Template['slots'][number][] = [];
  const visit = (node: unknown): void => {
    if (node === null || typeof node !== 'object') return;
    const holder = node as Record<string, unknown>;
    for (const key of Object.keys(holder)) {
      const name = marked.get(holder[key]);
      if (name === undefined) visit(holder[key]);
      else slots.push({ holder, key, name });
    }
  };
  visit(tree);
  const { sections = [] } = tree;
  const isPlain = sections.every(
    ({ type, path, val }) => path.length === 1 && (type === 'remove' || (type === 'set' && marked.has(val))),
  );
  return { tree, slots, unresolved: sections.map((section) => ({ section, val: section.val })), isPlain };
}

function parse(
  kind: keyof typeof parsers,
  text: string,
  attrNames: Readonly<Record<string, string>>,
  values: Item,
  validate: () => void,
): Template {
  let key = `${kind} ${text}`;
  for (const name in attrNames) key += ` ${name} ${attrNames[name]}`;
  for (const name in values) key += ` ${name}=${typeOf(values[name])}`;
  let template = templates.get(key);
  if (template === undefined) {
    validate();
    const marked = Object.entries(values).map(([name, value]) => {
      const sample = samples[typeOf(value)];
      if (sample === undefined) throw new Error(`the table's model has no sample of type ${typeOf(value)}`);
      return [name, sample()] as const;
    });
    const context = {
      attrNames,
      attrVals: Object.fromEntries(marked),
      unusedAttrNames: {},
      unusedAttrVals: {},
      isReserved,
      compare,
    };
    const tree = parsers[kind].parse(text, { context });
    if (typeof tree === 'string') throw sdkError('ValidationException', tree, 400);
    template = toTemplate(tree, new Map(marked.map(([name, value]) => [value, name])));
    templates.set(key, template);
  }
  for (const { section, val } of template.unresolved) section.val = val;
  for (const { holder, key, name } of template.slots) holder[key] = values[name];
  return template;
}

// ── The table ───────────────────────────────────────────────────────────────────────────────────────────

interface Request {
  readonly TableName: string;
  readonly Key?: Item;
  readonly Item?: Item;
  readonly UpdateExpression?: string;
  readonly ConditionExpression?: string;
  readonly KeyConditionExpression?: string;
  readonly ExpressionAttributeNames?: Readonly<Record<string, string>>;
  readonly ExpressionAttributeValues?: Item;
  readonly ReturnValues?: string;
  readonly IndexName?: string;
  readonly Limit?: number;
  readonly ExclusiveStartKey?: Item;
}

const maxItemSize = 409_600;
const textOf = (value: AttributeValue | undefined) => String(value?.['S'] ?? '');

/** `onWrite` hears of every write after it has taken effect. */
export function makeTable(name: string, onWrite: (write: TableWrite) => void = () => undefined): Table {
  const partitions = new Map<string, Map<string, Item>>();
  const schema = {
    TableName: name,
    TableStatus: 'ACTIVE',
    KeySchema: [
      { AttributeName: 'pk', KeyType: 'HASH' },
      { AttributeName: 'sk', KeyType: 'RANGE' },
    ],
    AttributeDefinitions: [
      { AttributeName: 'pk', AttributeType: 'S' },
      { AttributeName: 'sk', AttributeType: 'S' },
    ],
  };
  const get = (pk: string, sk: string) => partitions.get(pk)?.get(sk);

  let writes = 0;

  function put(item: Item): void {
    writes += 1;
    // A whole item is long to measure, and grows by little: now and then is often enough.
    if (writes % 8 === 0 && database.itemSize(item) > maxItemSize)
      throw sdkError('ValidationException', 'Item size has exceeded the maximum allowed size', 400);
    const pk = textOf(item['pk']);
    const sk = textOf(item['sk']);
    const partition = partitions.get(pk) ?? new Map<string, Item>();
    const before = partition.get(sk);
    partitions.set(pk, partition.set(sk, item));
    onWrite({ pk, sk, before, after: item });
  }

  /** dynalite's store, of which the two actions need this much. */
  let wanted: Item = {};
  const items = {
    lock: (_key: string, run: (release: (reply: Reply) => Reply) => void) => run((reply) => reply),
    get: (_key: string, reply: (error: Error | null, item?: Item) => void) => {
      const found = get(textOf(wanted['pk']), textOf(wanted['sk']));
      if (found) reply(null, found);
      else reply(notFound);
    },
    put: (_key: string, item: Item, reply: (error: Error | null) => void) => {
      put(item);
      reply(null);
    },
  };
  const store = {
    options: { maxItemSize },
    getTable: (_name: string, reply: (error: null, table: object) => void) => reply(null, schema),
    getItemDb: () => items,
  };

  function validated(operation: keyof typeof validations, input: Request): () => void {
    return () => {
      const { types, custom } = validations[operation];
      try {
        checks.checkValidations(checks.checkTypes(structuredClone(input), types), types, custom, store);
      } catch (error) {
        if (error instanceof Error && 'statusCode' in error)
          throw toSdkError(error as unknown as DynaliteError);
        throw error;
      }
    };
  }

  const isWholeKey = (item: Item) => textOf(item['pk']) !== '' && textOf(item['sk']) !== '';

  function refuseUnless(condition: object | undefined, before: Item | undefined): void {
    const refusal = condition && database.checkConditional({ _condition: condition }, before);
    if (refusal) throw toSdkError(refusal);
  }

  /**
   * Whole attributes set and removed, which is nearly every write: dynalite's own condition, without its copy of
   * the whole item. What did not change stays the same object. Undefined: that is not all there is to it.
   */
  function updatePlainly(input: Request, update: Template, condition: object | undefined): Item | undefined {
    const { Key = {} } = input;
    const isKey = Object.keys(Key).length === 2 && isWholeKey(Key);
    const touchesKey = update.tree.sections?.some(({ path: [name] }) => name === 'pk' || name === 'sk');
    if (!update.isPlain || !isKey || touchesKey) return undefined;
    const before = get(textOf(Key['pk']), textOf(Key['sk']));
    refuseUnless(condition, before);
    const after: Record<string, AttributeValue> = { ...(before ?? Key) };
    for (const { type, path, val } of update.tree.sections ?? []) {
      const name = String(path[0]);
      if (type === 'remove') delete after[name];
      else after[name] = val as AttributeValue;
    }
    put(after);
    return after;
  }

  function write(operation: 'UpdateItem' | 'PutItem', input: Request): object {
    const { UpdateExpression, ConditionExpression, ExpressionAttributeNames: names = {} } = input;
    const values = input.ExpressionAttributeValues ?? {};
    const validate = validated(operation, input);
    const update =
      UpdateExpression === undefined ? undefined : parse('update', UpdateExpression, names, values, validate);
    const condition =
      ConditionExpression === undefined
        ? undefined
        : parse('condition', ConditionExpression, names, values, validate).tree;
    if (update) {
      const updated = updatePlainly(input, update, condition);
      if (updated) return input.ReturnValues === 'ALL_NEW' ? { Attributes: updated } : {};
    } else if (input.Item && isWholeKey(input.Item) && input.ReturnValues === undefined) {
      const { Item } = input;
      refuseUnless(condition, get(textOf(Item['pk']), textOf(Item['sk'])));
      put(Item);
      return {};
    }
    const data = {
      TableName: input.TableName,
      ReturnValues: input.ReturnValues,
      Key: input.Key,
      Item: input.Item,
      _updates: update?.tree,
      _condition: condition,
    };
    wanted = input.Key ?? input.Item ?? {};
    let failure: DynaliteError | undefined;
    let answer: object | undefined;
    actions[operation](store, data, (error, given) => {
      if (error) failure = error;
      else answer = given;
    });
    if (failure) throw toSdkError(failure);
    if (!answer) throw new Error(`dynalite did not answer ${operation} at once`);
    return answer;
  }

  function query(input: Request): object {
    const { KeyConditionExpression: condition, ExpressionAttributeValues: values = {} } = input;
    if (input.IndexName === 'attention') {
      const rows = [...partitions.values()].flatMap((rows) =>
        [...rows.values()].filter((item) => item['attention'] !== undefined),
      );
      return { Items: rows };
    }
    if (input.IndexName !== undefined) throw new Error(`the table has no index ${input.IndexName}`);
    parse(
      'condition',
      condition ?? '',
      input.ExpressionAttributeNames ?? {},
      values,
      validated('Query', input),
    );
    const rows = partitions.get(textOf(values[':pk']));
    if (!rows) return { Items: [] };
    const inRange =
      condition === 'pk = :pk AND begins_with(sk, :prefix)'
        ? (sk: string) => sk.startsWith(textOf(values[':prefix']))
        : condition === 'pk = :pk AND sk BETWEEN :from AND :to'
          ? (sk: string) => textOf(values[':from']) <= sk && sk <= textOf(values[':to'])
          : undefined;
    if (!inRange) throw new Error(`the table's model does not know the key condition ${condition}`);
    const keys = [...rows.keys()].filter(inRange).sort();
    return { Items: keys.map((sk) => rows.get(sk)) };
  }

  return {
    execute(operation, given) {
      const input = given as Request;
      if (input.TableName !== name) throw sdkError('ResourceNotFoundException', input.TableName, 400);
      switch (operation) {
        case 'UpdateItem':
        case 'PutItem':
          return write(operation, input);
        case 'GetItem': {
          const Item = get(textOf(input.Key?.['pk']), textOf(input.Key?.['sk']));
          return Item ? { Item } : {};
        }
        case 'Query':
          return query(input);
        default:
          throw new Error(`the table's model does not know ${operation}`);
      }
    },
    get,
    partition: (pk) => [...(partitions.get(pk)?.values() ?? [])],
    restore(items) {
      for (const item of items) put(item);
    },
    items: () => [...partitions.values()].flatMap((partition) => [...partition.values()]),
  };
}
