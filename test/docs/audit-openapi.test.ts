/** Holds docs/audit-openapi.json against the code, both ways: paths, parameters, and the keys of every answer. */
import { describe, expect, it } from 'vitest';
import { handle } from '../../functions/audit/handle.ts';
import { paths } from '../../functions/audit/query.ts';
import type { Trail } from '../../shared/app/ports.ts';
import { parseQuery, queries } from '../../shared/core/audit-query.ts';
import { PortError } from '../../shared/core/errors.ts';
import { emptyTrail } from '../../shared/core/state.ts';
import { recordKinds } from '../../shared/core/trail.ts';
import { chained, episodeDraft, sha256 } from '../app/written-trail.ts';
import { readText } from './markdown.ts';

interface Schema {
  readonly $ref?: string;
  readonly allOf?: readonly Schema[];
  readonly type?: string | readonly string[];
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean;
  readonly items?: Schema;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly default?: unknown;
  readonly examples?: readonly string[];
}
interface Operation {
  readonly operationId: string;
  readonly parameters: readonly {
    readonly name: string;
    readonly in: 'query' | 'path';
    readonly required: boolean;
    readonly schema: Schema;
  }[];
  readonly responses: Readonly<
    Record<string, { readonly content: { readonly 'application/json': { schema: Schema } } }>
  >;
}
const document = JSON.parse(readText('docs/audit-openapi.json')) as {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, { readonly get: Operation }>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
};
const operation = (path: string): Operation => {
  const found = document.paths[path]?.get;
  if (!found) throw new Error(`docs/audit-openapi.json: ${path} is missing`);
  return found;
};
const resolved = (schema: Schema): Schema => {
  const ref = schema.$ref ?? schema.allOf?.[0]?.$ref;
  return ref ? (document.components.schemas[ref.split('/').at(-1) ?? ''] ?? {}) : schema;
};

/** Where a value is not what its schema says: a key too many or too few, or another type. */
function differences(value: unknown, given: Schema, at = '$'): readonly string[] {
  const schema = resolved(given);
  const types = [schema.type ?? []].flat();
  const type = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
  const isType = types.includes(type) || (type === 'number' && types.includes('integer'));
  if (!isType) return [`${at}: is ${type}, and the document says ${types.join(' or ')}`];
  if (Array.isArray(value))
    return value.flatMap((each, index) => differences(each, schema.items ?? {}, `${at}[${index}]`));
  if (type !== 'object' || !schema.properties) return [];
  const entries = Object.entries(value as object);
  const { properties, required = [], additionalProperties } = schema;
  return [
    ...required
      .filter((key) => !entries.some(([each]) => each === key))
      .map((key) => `${at}.${key}: is missing`),
    ...entries.flatMap(([key, each]) => {
      const part = properties[key];
      if (part) return differences(each, part, `${at}.${key}`);
      return additionalProperties ? [] : [`${at}.${key}: is not in the document`];
    }),
  ];
}

const now = Date.parse('2026-11-21T02:11:00Z');
const { records, item } = chained('orders-db', [
  episodeDraft({
    service: 'orders-db',
    epoch: 1,
    atMs: now,
    from: 'i-0aaaaaaaaaaaaaaa1',
    to: 'i-0bbbbbbbbbbbbbbb2',
    eni: 'eni-0aaaaaaaaaaaaaa01',
  }),
]);
const wrong = records.map((each) => ({ ...each, body: each.body.replace('COMPLETED', 'ABORTED') }));
const trail: Trail = {
  service: async (name) => {
    if (name === '*') return { kind: 'known', value: { trail: emptyTrail } };
    return name === item.name ? { kind: 'known', value: item } : { kind: 'absent' };
  },
  newest: async (name) => (name === item.name ? { rows: records, read: 1 } : { rows: [], read: 0 }),
  oldest: async (_, from) => wrong.filter((each) => each.number >= from),
  pointers: async () => ({
    rows: [1, 2].map((number) => ({ sk: `${number}`, service: item.name, number })),
    read: 2,
  }),
  rows: async () => records.map((each) => ({ ...each, service: item.name })),
};
const down: Trail = {
  ...trail,
  newest: () => Promise.reject(new PortError('unavailable', 'TimeoutError', 'no answer')),
};

async function get(address: string, from = trail) {
  const [rawPath, rawQueryString = ''] = address.split('?');
  const nothing = () => undefined;
  const answer = await handle(
    { rawPath, rawQueryString, requestContext: { http: { method: 'GET' } } },
    {
      trail: from,
      hash: { sha256 },
      clock: { now: () => now, sleep: async () => undefined },
      log: { info: nothing, warn: nothing, error: nothing },
      deadlineMs: now,
    },
  );
  return { status: answer.statusCode, body: JSON.parse(answer.body) as unknown };
}

describe('docs/audit-openapi.json', () => {
  it('has exactly the paths of the code', () => {
    expect(document.openapi).toBe('3.1.0');
    expect(Object.keys(document.paths)).toEqual(paths);
  });
  it.each(Object.entries(queries))(
    'has exactly the parameters of %s, and which must be given',
    (what, schema) => {
      const { parameters } = operation(`/v1/${what}`);
      const entries = 'pipe' in schema ? schema.pipe[0].entries : schema.entries;
      expect(parameters.map(({ name }) => name)).toEqual(Object.keys(entries));
      const required = Object.entries(entries).filter(([, each]) => each.type !== 'exact_optional');
      expect(parameters.filter((each) => each.required).map(({ name }) => name)).toEqual(
        required.map(([name]) => name),
      );
    },
  );
  it('says of each parameter of records what the code takes, and nothing else', () => {
    const takes = (name: string, value: string) => parseQuery('records', { [name]: value }).kind === 'valid';
    const samples = [
      'orders-db',
      '*',
      'i-0aaaaaaaaaaaaaaa1',
      'eni-0aaaaaaaaaaaaaa01',
      'COMPLETED',
      'done',
      'X_1',
      '',
    ];
    for (const { name, schema } of operation('/v1/records').parameters) {
      for (const each of schema.enum ?? []) expect(takes(name, each), `${name} ${each}`).toBe(true);
      for (const each of schema.examples ?? []) expect(takes(name, each), `${name} ${each}`).toBe(true);
      if (schema.pattern)
        for (const each of samples)
          expect(takes(name, each), `${name} '${each}'`).toBe(new RegExp(schema.pattern).test(each));
      if (schema.minimum !== undefined && schema.maximum !== undefined)
        for (const [value, valid] of [
          [schema.minimum - 1, false],
          [schema.minimum, true],
          [schema.maximum, true],
          [schema.maximum + 1, false],
        ] as const)
          expect(takes(name, String(value)), `${name} ${value}`).toBe(valid);
    }
  });
  it('knows every kind of record', () => {
    const kinds = Object.keys(recordKinds);
    expect(operation('/v1/records').parameters.find(({ name }) => name === 'kind')?.schema.enum).toEqual(
      kinds,
    );
    expect(document.components.schemas['Record']?.properties?.['kind']?.enum).toEqual(kinds);
  });
  it.each([
    ['/v1/records', '200', '/v1/records?service=orders-db'],
    ['/v1/records', '200', '/v1/records?instance=i-0aaaaaaaaaaaaaaa1&limit=1'],
    ['/v1/records', '200', '/v1/records?instance=i-0aaaaaaaaaaaaaaa1'],
    ['/v1/records', '400', '/v1/records?limit=0'],
    ['/v1/records', '404', '/v1/records?service=nobody'],
    ['/v1/episodes/{id}', '200', '/v1/episodes/orders-db.1'],
    ['/v1/episodes/{id}', '400', '/v1/episodes/1'],
    ['/v1/verify', '200', '/v1/verify?service=orders-db'],
    ['/v1/verify', '200', '/v1/verify?service=*'],
    ['/v1/verify', '404', '/v1/verify?service=nobody'],
    ['/v1/explain', '200', '/v1/explain?service=orders-db&at=2026-11-21T02:10:58Z'],
    ['/v1/explain', '200', '/v1/explain?service=orders-db&at=2026-11-21T02:12Z'],
    ['/v1/explain', '400', '/v1/explain?service=orders-db'],
  ])('describes %s, %s, as %s is answered', async (path, status, address) => {
    const answer = await get(address);
    expect(String(answer.status)).toBe(status);
    const { schema } = operation(path).responses[status]?.content['application/json'] ?? { schema: {} };
    expect(differences(answer.body, schema)).toEqual([]);
  });
  it('describes an answer while the table is out of reach', async () => {
    const { status, body } = await get('/v1/records?service=orders-db', down);
    const { schema } = operation('/v1/records').responses[String(status)]?.content['application/json'] ?? {
      schema: {},
    };
    expect(status).toBe(503);
    expect(differences(body, schema)).toEqual([]);
  });
  it('has no schema that nothing refers to', () => {
    const text = JSON.stringify(document);
    for (const name of Object.keys(document.components.schemas))
      expect(text, name).toContain(`#/components/schemas/${name}`);
  });
});
