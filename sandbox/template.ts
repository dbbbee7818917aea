// Reads a CloudFormation template and resolves its intrinsic functions; whatever it does not know is an error that names it.

import { readFileSync } from 'node:fs';
import { type CollectionTag, parseDocument, type ScalarTag, type Tags } from 'yaml';

export class TemplateError extends Error {}

export type Value = null | string | number | boolean | Value[] | { [key: string]: Value };
export type Properties = { [key: string]: Value };

export interface Resource {
  logicalId: string;
  type: string;
  properties: Properties;
}

/** What Ref and GetAtt answer; the stack knows, because it gives the names. */
export interface Attributes {
  ref: string;
  attributes: Record<string, string>;
}

export interface ResolveOptions {
  stackName: string;
  region: string;
  accountId: string;
  /** Values for the template's parameters; others take their default. */
  parameters: Record<string, string>;
  /** Properties that change nothing in a sandbox; they are not even resolved. */
  ignores(type: string, property: string): boolean;
  attributesOf(resource: {
    logicalId: string;
    type: string;
    property(name: string): Value | undefined;
  }): Attributes;
}

export interface Template {
  parameters: Record<string, Value>;
  /** Those whose condition holds, with every intrinsic function resolved. */
  resources: Resource[];
  outputs: Record<string, string>;
}

const TOP_LEVEL = [
  'AWSTemplateFormatVersion',
  'Transform',
  'Description',
  'Metadata',
  'Parameters',
  'Mappings',
  'Conditions',
  'Globals',
  'Resources',
  'Outputs',
];
const RESOURCE_ATTRIBUTES = [
  'Type',
  'Properties',
  'Condition',
  'DependsOn',
  'Metadata',
  'DeletionPolicy',
  'UpdateReplacePolicy',
];
const SHORT_FORMS = [
  'Ref',
  'Condition',
  'GetAtt',
  'Sub',
  'If',
  'Equals',
  'Not',
  'And',
  'Or',
  'Join',
  'Select',
  'Split',
  'FindInMap',
];
const FUNCTION_GLOBALS_MERGED = ['Environment', 'Tags'];

type Raw = null | string | number | boolean | Raw[] | RawMap;
type RawMap = { [key: string]: Raw };

const NO_VALUE = Symbol('AWS::NoValue');
type Resolved = Value | typeof NO_VALUE;

export function readTemplate(file: string, options: ResolveOptions): Template {
  return resolveTemplate(readFileSync(file, 'utf8'), options);
}

export function resolveTemplate(yaml: string, options: ResolveOptions): Template {
  const document = parseDocument(yaml, { customTags: shortForms() });
  const problem = document.errors[0] ?? document.warnings[0];
  if (problem !== undefined) throw new TemplateError(problem.message);
  const root = mapOf(document.toJS() as Raw, 'the template');
  onlyKnown(Object.keys(root), TOP_LEVEL, 'the template', 'section');

  const rawResources = section(root, 'Resources');
  const globals = section(root, 'Globals');
  onlyKnown(Object.keys(globals), ['Function'], 'Globals', 'section');
  const conditions = section(root, 'Conditions');
  const mappings = section(root, 'Mappings');
  const parameters = readParameters(section(root, 'Parameters'), options.parameters);
  const pseudoParameters: Record<string, Value> = {
    'AWS::Region': options.region,
    'AWS::AccountId': options.accountId,
    'AWS::Partition': 'aws',
    'AWS::URLSuffix': 'amazonaws.com',
    'AWS::StackName': options.stackName,
    'AWS::StackId': `arn:aws:cloudformation:${options.region}:${options.accountId}:stack/${options.stackName}/sandbox`,
  };

  const resolving = new Set<string>();
  const conditionHolds = (name: string, path: string): boolean => {
    const condition = conditions[name];
    if (condition === undefined) throw new TemplateError(`${path}: there is no condition '${name}'`);
    return once(`condition '${name}'`, path, () =>
      truth(resolve(condition, `Conditions.${name}`), `Conditions.${name}`),
    );
  };

  const once = <T>(what: string, path: string, evaluate: () => T): T => {
    if (resolving.has(what)) throw new TemplateError(`${path}: ${what} refers to itself`);
    resolving.add(what);
    try {
      return evaluate();
    } finally {
      resolving.delete(what);
    }
  };

  const propertiesOf = (logicalId: string): RawMap => {
    const resource = mapOf(rawResources[logicalId] ?? null, `Resources.${logicalId}`);
    const own = section(resource, 'Properties', `Resources.${logicalId}`);
    return resource['Type'] === 'AWS::Serverless::Function'
      ? withGlobals(section(globals, 'Function'), own)
      : own;
  };

  const attributesOf = (logicalId: string, path: string): Attributes => {
    const raw = rawResources[logicalId];
    // SAM makes a resource of its own for a function's URL.
    const functionOfUrl = logicalId.endsWith('Url') ? logicalId.slice(0, -3) : '';
    if (raw === undefined && rawResources[functionOfUrl] !== undefined)
      return attributesOf(functionOfUrl, path);
    const resource = mapOf(raw ?? null, `${path}: '${logicalId}' is neither a parameter nor a resource; it`);
    return once(`resource '${logicalId}'`, path, () =>
      options.attributesOf({
        logicalId,
        type: String(resource['Type']),
        property: (name) => {
          const value = propertiesOf(logicalId)[name];
          const resolved =
            value === undefined ? NO_VALUE : resolve(value, `Resources.${logicalId}.Properties.${name}`);
          return resolved === NO_VALUE ? undefined : resolved;
        },
      }),
    );
  };

  const reference = (name: string, path: string): Resolved =>
    name === 'AWS::NoValue'
      ? NO_VALUE
      : (parameters[name] ?? pseudoParameters[name] ?? attributesOf(name, path).ref);

  const attribute = (logicalId: string, name: string, path: string): string => {
    const value = attributesOf(logicalId, path).attributes[name];
    if (value === undefined)
      throw new TemplateError(`${path}: the sandbox knows no attribute '${name}' of '${logicalId}'`);
    return value;
  };

  const resolve = (raw: Raw, path: string): Resolved => {
    if (raw === null) throw new TemplateError(`${path}: is empty`);
    if (Array.isArray(raw)) {
      // In a list, null is meant: an event pattern may ask for it. Elsewhere it is a value that was forgotten.
      return raw
        .map((item, index) => (item === null ? null : resolve(item, `${path}[${index}]`)))
        .filter((item) => item !== NO_VALUE);
    }
    if (typeof raw !== 'object') return raw;
    const [key, ...others] = Object.keys(raw);
    const isIntrinsic =
      key === 'Ref' || key?.startsWith('Fn::') || (key === 'Condition' && path.startsWith('Conditions.'));
    if (key !== undefined && others.length === 0 && isIntrinsic)
      return intrinsic(key, raw[key] ?? null, path);
    const resolved: Properties = {};
    for (const [name, item] of Object.entries(raw)) {
      const value = resolve(item, `${path}.${name}`);
      if (value !== NO_VALUE) resolved[name] = value;
    }
    return resolved;
  };

  const intrinsic = (name: string, operand: Raw, path: string): Resolved => {
    const value = (raw: Raw): Value => {
      const resolved = resolve(raw, path);
      if (resolved === NO_VALUE) throw new TemplateError(`${path}: AWS::NoValue cannot stand inside ${name}`);
      return resolved;
    };
    const text = (raw: Raw): string => String(value(raw));
    const list = (raw: Raw): Value[] => {
      const resolved = value(raw);
      if (!Array.isArray(resolved)) throw new TemplateError(`${path}: ${name} takes a list here`);
      return resolved;
    };
    const operands = (count: number): Raw[] => {
      if (!Array.isArray(operand) || operand.length !== count)
        throw new TemplateError(`${path}: ${name} takes ${count} operands`);
      return operand;
    };
    const holds = (raw: Raw): boolean => truth(resolve(raw, path), path);
    switch (name) {
      case 'Ref':
        return reference(String(operand), path);
      case 'Condition':
        return conditionHolds(String(operand), path);
      case 'Fn::GetAtt': {
        const [logicalId = '', ...rest] = Array.isArray(operand)
          ? operand.map(String)
          : String(operand).split('.');
        return attribute(logicalId, rest.join('.'), path);
      }
      case 'Fn::Sub': {
        const [pattern, variables] = Array.isArray(operand) ? operands(2) : [operand, {}];
        const own = mapOf(variables ?? {}, path);
        return String(pattern).replace(/\$\{(!?)([^}]+)\}/g, (_, literal: string, expression: string) => {
          if (literal === '!') return `\${${expression}}`;
          const variable = own[expression];
          if (variable !== undefined) return text(variable);
          const [logicalId = '', ...rest] = expression.split('.');
          if (rest.length > 0) return attribute(logicalId, rest.join('.'), path);
          return text({ Ref: expression });
        });
      }
      case 'Fn::If': {
        const [condition, whenTrue, whenFalse] = operands(3);
        return resolve((conditionHolds(String(condition), path) ? whenTrue : whenFalse) ?? null, path);
      }
      case 'Fn::Equals': {
        const [left, right] = operands(2);
        return text(left ?? null) === text(right ?? null);
      }
      case 'Fn::Not':
        return !holds(operands(1)[0] ?? null);
      case 'Fn::And':
        return Array.isArray(operand) && operand.every(holds);
      case 'Fn::Or':
        return Array.isArray(operand) && operand.some(holds);
      case 'Fn::Join': {
        const [separator, items] = operands(2);
        return list(items ?? null).join(text(separator ?? null));
      }
      case 'Fn::Split': {
        const [separator, whole] = operands(2);
        return text(whole ?? null).split(text(separator ?? null));
      }
      case 'Fn::Select': {
        const [index, items] = operands(2);
        const selected = list(items ?? null)[Number(value(index ?? null))];
        if (selected === undefined) throw new TemplateError(`${path}: Fn::Select beyond the end of its list`);
        return selected;
      }
      case 'Fn::FindInMap': {
        const [map = '', first = '', second = ''] = operands(3).map(text);
        const found = section(section(mappings, map, 'Mappings'), first, `Mappings.${map}`)[second];
        if (found === undefined)
          throw new TemplateError(`${path}: Mappings.${map}.${first}.${second} does not exist`);
        return value(found);
      }
      default:
        throw new TemplateError(`${path}: the sandbox does not know the intrinsic function ${name}`);
    }
  };

  const isPresent = (item: RawMap, path: string): boolean =>
    item['Condition'] === undefined || conditionHolds(String(item['Condition']), path);

  const resources = Object.keys(rawResources).flatMap((logicalId): Resource[] => {
    const path = `Resources.${logicalId}`;
    const raw = mapOf(rawResources[logicalId] ?? null, path);
    onlyKnown(Object.keys(raw), RESOURCE_ATTRIBUTES, path, 'attribute');
    if (typeof raw['Type'] !== 'string') throw new TemplateError(`${path}: has no Type`);
    if (!isPresent(raw, path)) return [];
    const type = raw['Type'];
    const properties: Properties = {};
    for (const [name, property] of Object.entries(propertiesOf(logicalId))) {
      const value = options.ignores(type, name) ? NO_VALUE : resolve(property, `${path}.Properties.${name}`);
      if (value !== NO_VALUE) properties[name] = value;
    }
    return [{ logicalId, type, properties }];
  });

  const outputs = Object.fromEntries(
    Object.entries(section(root, 'Outputs')).flatMap(([name, raw]) => {
      const output = mapOf(raw, `Outputs.${name}`);
      return isPresent(output, `Outputs.${name}`)
        ? [[name, String(resolve(output['Value'] ?? null, `Outputs.${name}.Value`))]]
        : [];
    }),
  );
  return { parameters, resources, outputs };
}

function readParameters(declared: RawMap, given: Record<string, string>): Record<string, Value> {
  const unknown = Object.keys(given).find((name) => declared[name] === undefined);
  if (unknown !== undefined) throw new TemplateError(`the template has no parameter '${unknown}'`);
  return Object.fromEntries(
    Object.entries(declared).map(([name, raw]) => {
      const declaration = mapOf(raw, `Parameters.${name}`);
      const value = given[name] ?? declaration['Default'];
      if (value === undefined || value === null)
        throw new TemplateError(`Parameters.${name}: has no default, give it a value`);
      const allowed = declaration['AllowedValues'];
      if (Array.isArray(allowed) && !allowed.map(String).includes(String(value))) {
        throw new TemplateError(`Parameters.${name}: '${String(value)}' is not one of ${allowed.join(', ')}`);
      }
      switch (declaration['Type']) {
        case 'String':
          return [name, String(value)];
        case 'Number':
          if (Number.isNaN(Number(value)))
            throw new TemplateError(`Parameters.${name}: '${String(value)}' is no number`);
          return [name, String(value)];
        case 'CommaDelimitedList':
          return [
            name,
            String(value)
              .split(',')
              .map((item) => item.trim()),
          ];
        default:
          throw new TemplateError(
            `Parameters.${name}: the sandbox does not know the type '${String(declaration['Type'])}'`,
          );
      }
    }),
  );
}

/** As SAM merges Globals: maps are merged, lists are joined, anything else is overridden. */
function withGlobals(globals: RawMap, own: RawMap): RawMap {
  const merged: RawMap = { ...globals, ...own };
  for (const name of FUNCTION_GLOBALS_MERGED) {
    if (globals[name] !== undefined && own[name] !== undefined)
      merged[name] = mergeMaps(globals[name], own[name]);
  }
  return merged;
}

function mergeMaps(base: Raw, over: Raw): Raw {
  if (Array.isArray(base) && Array.isArray(over)) return [...base, ...over];
  if (!isMap(base) || !isMap(over)) return over;
  const merged: RawMap = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key];
    merged[key] = below === undefined ? value : mergeMaps(below, value);
  }
  return merged;
}

/** `!Sub x` stands for `{"Fn::Sub": x}`, on scalars, lists and maps alike. */
function shortForms(): Tags {
  return SHORT_FORMS.flatMap((name) => {
    const longForm = name === 'Ref' || name === 'Condition' ? name : `Fn::${name}`;
    const scalar: ScalarTag = {
      tag: `!${name}`,
      resolve: (text) => ({ [longForm]: text }),
    };
    const collection = (kind: 'seq' | 'map'): CollectionTag => ({
      tag: `!${name}`,
      collection: kind,
      resolve: (node) => ({ [longForm]: node.toJSON() as Raw }),
    });
    return [scalar, collection('seq'), collection('map')];
  });
}

export function onlyKnown(names: string[], known: readonly string[], path: string, what: string): void {
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new TemplateError(`${path}: the sandbox does not know the ${what} '${unknown}'`);
}

function truth(value: Resolved, path: string): boolean {
  if (typeof value !== 'boolean') throw new TemplateError(`${path}: is no condition`);
  return value;
}

function section(parent: RawMap, name: string, path = ''): RawMap {
  return mapOf(parent[name] ?? {}, path === '' ? name : `${path}.${name}`);
}

function mapOf(raw: Raw, path: string): RawMap {
  if (!isMap(raw)) throw new TemplateError(`${path} is not a map`);
  return raw;
}

function isMap(raw: Raw): raw is RawMap {
  return typeof raw === 'object' && raw !== null && !Array.isArray(raw);
}
