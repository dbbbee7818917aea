/** EC2's query protocol (form in, XML out), read from the SDK's own schema tables, so that it knows every operation. */

import * as sdk from '@aws-sdk/client-ec2';
import { XmlShapeSerializer } from '@aws-sdk/core/protocols';
import { NormalizedSchema } from '@smithy/core/schema';
import type { StaticOperationSchema, StaticStructureSchema } from '@smithy/types';
import { Ec2Error, invalidValue, missing, unknownParameter } from './errors.ts';

/** Smithy's numbers for types, where the tables spell them as numbers. */
const kind = { string: 0, boolean: 2, structure: 3, operation: 9, timestampIso: 5 } as const;

const namespace = 'http://ec2.amazonaws.com/doc/2016-11-15/';

const schemas = new Map<string, StaticOperationSchema>(
  Object.values<unknown>(sdk).flatMap((value) => (isOperation(value) ? [[value[2], value]] : [])),
);

function isOperation(value: unknown): value is StaticOperationSchema {
  return Array.isArray(value) && value[0] === kind.operation;
}

function schemaOf(operation: string): StaticOperationSchema {
  const schema = schemas.get(operation);
  if (schema !== undefined) return schema;
  throw new Ec2Error('InvalidAction', `The action ${operation} is not valid for this web service.`);
}

/** What is left of a parameter's path, with its value and, for messages, its full name. */
interface Parameter {
  readonly path: readonly string[];
  readonly value: string;
  readonly name: string;
}

export function parseQuery(body: string): { operation: string; input: object } {
  const form = new URLSearchParams(body);
  const operation = form.get('Action');
  if (operation === null) throw missing('Action');
  const parameters = [...form]
    .filter(([name]) => name !== 'Action' && name !== 'Version')
    .map(([name, value]) => ({ path: name.split('.'), value, name }));
  const schema = NormalizedSchema.of(schemaOf(operation)[4]);
  return { operation, input: schema.isUnitSchema() ? {} : readStructure(schema, parameters) };
}

/** The parameters by the next step of their path. */
function byNextStep(parameters: readonly Parameter[]): [string, Parameter[]][] {
  const groups = new Map<string, Parameter[]>();
  for (const { path, ...rest } of parameters) {
    const [step, ...more] = path;
    if (step === undefined) throw unknownParameter(rest.name);
    const group = groups.get(step) ?? [];
    group.push({ path: more, ...rest });
    groups.set(step, group);
  }
  return [...groups];
}

type Members = ReadonlyMap<string, readonly [string, NormalizedSchema]>;
const membersByStructure = new WeakMap<object, Members>();

/** Members by the name they go by in a query: `ec2QueryName`, or `xmlName` or the member's own, capitalised. */
function membersOf(schema: NormalizedSchema): Members {
  const key = schema.getSchema();
  const known = typeof key === 'object' ? membersByStructure.get(key) : undefined;
  if (known !== undefined) return known;
  const members = new Map<string, readonly [string, NormalizedSchema]>();
  for (const [name, member] of schema.structIterator()) {
    const { ec2QueryName, xmlName = name } = member.getMergedTraits();
    const capitalised = xmlName.charAt(0).toUpperCase() + xmlName.slice(1);
    members.set(typeof ec2QueryName === 'string' ? ec2QueryName : capitalised, [name, member]);
  }
  if (typeof key === 'object') membersByStructure.set(key, members);
  return members;
}

function readStructure(schema: NormalizedSchema, parameters: readonly Parameter[]): Record<string, unknown> {
  const members = membersOf(schema);
  const structure: Record<string, unknown> = {};
  for (const [step, group] of byNextStep(parameters)) {
    const member = members.get(step);
    if (member === undefined) throw unknownParameter(group[0]?.name ?? step);
    structure[member[0]] = readValue(member[1], group);
  }
  return structure;
}

/** EC2 flattens every list: `Filter.1.Value.2`. The numbers give the order and may have gaps. */
function readList(schema: NormalizedSchema, parameters: readonly Parameter[]): unknown[] {
  const items = byNextStep(parameters).map(([step, group]) => {
    if (!/^\d+$/.test(step)) throw unknownParameter(group[0]?.name ?? step);
    return { position: Number(step), value: readValue(schema.getValueSchema(), group) };
  });
  return items.sort((a, b) => a.position - b.position).map(({ value }) => value);
}

function readValue(schema: NormalizedSchema, parameters: readonly Parameter[]): unknown {
  if (schema.isStructSchema()) return readStructure(schema, parameters);
  if (schema.isListSchema()) return readList(schema, parameters);
  const [parameter, ...more] = parameters;
  const { name, value, path } = parameter ?? { name: '', value: '', path: [] };
  if (more.length > 0 || path.length > 0) throw unknownParameter(more[0]?.name ?? name);
  return readScalar(schema, name, value);
}

function readScalar(schema: NormalizedSchema, name: string, value: string): unknown {
  const refused = () => invalidValue(`Invalid value '${value}' for ${name}`);
  if (schema.isBooleanSchema()) {
    const word = value.toLowerCase();
    if (word !== 'true' && word !== 'false') throw refused();
    return word === 'true';
  }
  if (schema.isNumericSchema()) {
    if (value.trim() === '' || !Number.isFinite(Number(value))) throw refused();
    return Number(value);
  }
  if (schema.isTimestampSchema()) {
    const time = new Date(value);
    if (Number.isNaN(time.getTime())) throw refused();
    return time;
  }
  return schema.isBlobSchema() ? Uint8Array.from(Buffer.from(value, 'base64')) : value;
}

const answerSchemas = new Map<string, StaticStructureSchema>();

/**
 * EC2 wraps nothing: the answer's root is `<Operation>Response` with the request id beside the output's own
 * members, or beside `return` where there is no output.
 */
function answerSchema(operation: string): StaticStructureSchema {
  const known = answerSchemas.get(operation);
  if (known !== undefined) return known;
  const output = NormalizedSchema.of(schemaOf(operation)[5]).getSchema();
  const [members, types]: [string[], StaticStructureSchema[5]] = isStructure(output)
    ? [output[4], output[5]]
    : [['return'], [kind.boolean]];
  const schema: StaticStructureSchema = [
    kind.structure,
    'com.amazonaws.ec2',
    `${operation}Response`,
    0,
    ['requestId', ...members],
    [kind.string, ...types],
  ];
  answerSchemas.set(operation, schema);
  return schema;
}

const isStructure = (schema: unknown): schema is StaticStructureSchema =>
  Array.isArray(schema) && schema[0] === kind.structure;

const declaration = '<?xml version="1.0" encoding="UTF-8"?>\n';

export function answerXml(operation: string, output: object, requestId: string): string {
  const serializer = new XmlShapeSerializer({
    xmlNamespace: namespace,
    serviceNamespace: 'com.amazonaws.ec2',
    timestampFormat: { useTrait: true, default: kind.timestampIso },
  });
  serializer.write(answerSchema(operation), { return: true, ...output, requestId });
  return declaration + serializer.flush();
}

export function errorXml(code: string, message: string, requestId: string): string {
  return `${declaration}<Response><Errors><Error><Code>${escaped(code)}</Code><Message>${escaped(message)}</Message></Error></Errors><RequestID>${escaped(requestId)}</RequestID></Response>`;
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };
const escaped = (text: string): string => text.replace(/[&<>]/g, (char) => entities[char] ?? char);
