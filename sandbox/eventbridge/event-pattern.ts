// Decides whether an event matches an EventBridge event pattern, with EventBridge's whole set of comparison operators.

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type JsonRecord = { [key: string]: Json };
/** Undefined stands for "no such field". */
type Matcher = (value: Json | undefined) => boolean;

export class EventPatternError extends Error {}

/** Checks the whole pattern at once, so that a wrong one is an error at start and not a rule that never fires. */
export function compileEventPattern(pattern: unknown): (event: Json) => boolean {
  return isRecord(pattern) ? compileObject(pattern, '') : fail('an event pattern is a JSON object');
}

function compileObject(pattern: JsonRecord, path: string): (event: Json) => boolean {
  if (Object.keys(pattern).length === 0) fail(`${path || 'pattern'}: an empty object matches nothing`);
  const tests = Object.entries(pattern).map(([key, rule]) => {
    const here = path === '' ? key : `${path}.${key}`;
    if (key === '$or' && Array.isArray(rule) && rule.length > 1 && rule.every(isRecord)) {
      const alternatives = rule.map((alternative) => compileObject(alternative as JsonRecord, here));
      return (event: Json) => alternatives.some((matches) => matches(event));
    }
    if (isRecord(rule)) {
      const matches = compileObject(rule, here);
      // `exists: false` further down holds where its parent is missing altogether.
      return (event: Json) => orNothing(elementsOf(fieldOf(event, key) ?? {}), {}).some(matches);
    }
    if (!Array.isArray(rule))
      return fail(`${here}: a value in a pattern is an array of alternatives or an object`);
    if (rule.length === 0) fail(`${here}: an empty array matches nothing`);
    const alternatives = rule.map((alternative) => compileAlternative(alternative, here));
    return (event: Json) => {
      const value = fieldOf(event, key);
      // An array matches if any of its elements does. Only leaves count as fields: an object does not exist here.
      const leaves = value === undefined ? [] : elementsOf(value).filter((element) => !isRecord(element));
      return orNothing(leaves, undefined).some((leaf) => alternatives.some((matches) => matches(leaf)));
    };
  });
  return (event) => tests.every((test) => test(event));
}

function compileAlternative(alternative: Json, path: string): Matcher {
  if (Array.isArray(alternative)) return fail(`${path}: an array inside an array of alternatives`);
  if (!isRecord(alternative)) return (value) => value === alternative;
  const [[operator, operand] = fail(`${path}: an empty comparison`), ...others] = Object.entries(alternative);
  if (others.length > 0) fail(`${path}: a comparison has one operator, this one has ${others.length + 1}`);
  return compileOperator(operator, operand, path);
}

function compileOperator(operator: string, operand: Json, path: string): Matcher {
  const where = `${path}: ${operator}`;
  switch (operator) {
    case 'prefix':
      return affix(operand, where, (text, part) => text.startsWith(part));
    case 'suffix':
      return affix(operand, where, (text, part) => text.endsWith(part));
    case 'equals-ignore-case': {
      const wanted = textOf(operand, where).toLowerCase();
      return (value) => typeof value === 'string' && value.toLowerCase() === wanted;
    }
    case 'wildcard': {
      const expression = wildcard(textOf(operand, where), where);
      return (value) => typeof value === 'string' && expression.test(value);
    }
    case 'exists':
      if (typeof operand !== 'boolean') fail(`${where}: takes true or false`);
      return (value) => (value !== undefined) === operand;
    case 'numeric':
      return numeric(operand, where);
    case 'cidr':
      return cidr(textOf(operand, where), where);
    case 'anything-but':
      return anythingBut(operand, where);
    default:
      return fail(`${path}: unknown operator '${operator}'`);
  }
}

/** `{"prefix": "a"}` or `{"prefix": {"equals-ignore-case": "a"}}`. */
function affix(operand: Json, where: string, holds: (text: string, part: string) => boolean): Matcher {
  if (typeof operand === 'string') return (value) => typeof value === 'string' && holds(value, operand);
  if (isRecord(operand) && Object.keys(operand).join() === 'equals-ignore-case') {
    const part = textOf(operand['equals-ignore-case'], where).toLowerCase();
    return (value) => typeof value === 'string' && holds(value.toLowerCase(), part);
  }
  return fail(`${where}: takes a string or {"equals-ignore-case": string}`);
}

/** A field that does not exist is not "anything but": EventBridge wants a value there. */
function anythingBut(operand: Json, where: string): Matcher {
  const unwanted: Matcher[] = [];
  if (isRecord(operand)) {
    const [[operator, inner] = fail(`${where}: an empty comparison`), ...others] = Object.entries(operand);
    if (others.length > 0 || !['prefix', 'suffix', 'equals-ignore-case', 'wildcard'].includes(operator)) {
      fail(
        `${where}: takes prefix, suffix, equals-ignore-case or wildcard, not '${Object.keys(operand).join()}'`,
      );
    }
    if (Array.isArray(inner) && inner.length === 0) fail(`${where}: an empty list`);
    for (const one of Array.isArray(inner) ? inner : [inner])
      unwanted.push(compileOperator(operator, one, where));
  } else {
    const list = Array.isArray(operand) ? operand : [operand];
    if (list.length === 0 || list.some((one) => typeof one !== 'string' && typeof one !== 'number')) {
      fail(`${where}: takes strings or numbers`);
    }
    unwanted.push((value) => list.some((one) => one === value));
  }
  return (value) => value !== undefined && !unwanted.some((matches) => matches(value));
}

const COMPARE: Record<string, (value: number, bound: number) => boolean> = {
  '=': (value, bound) => value === bound,
  '<': (value, bound) => value < bound,
  '<=': (value, bound) => value <= bound,
  '>': (value, bound) => value > bound,
  '>=': (value, bound) => value >= bound,
};

function numeric(operand: Json, where: string): Matcher {
  if (!Array.isArray(operand) || operand.length === 0 || operand.length % 2 !== 0 || operand.length > 4) {
    return fail(`${where}: takes [operator, number] or a range of two such pairs`);
  }
  const tests: ((value: number) => boolean)[] = [];
  for (let index = 0; index < operand.length; index += 2) {
    const compare = COMPARE[String(operand[index])];
    const bound = operand[index + 1];
    if (compare === undefined || typeof bound !== 'number')
      return fail(`${where}: '${operand[index]} ${bound}' is no comparison`);
    tests.push((value) => compare(value, bound));
  }
  return (value) => typeof value === 'number' && tests.every((test) => test(value));
}

function wildcard(text: string, where: string): RegExp {
  if (text.includes('**')) fail(`${where}: two * in a row`);
  let source = '';
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index] ?? '';
    if (character === '\\') {
      index += 1;
      const escaped = text[index];
      if (escaped !== '*' && escaped !== '\\') fail(`${where}: a backslash may only stand before * or \\`);
      source += `\\${escaped}`;
    } else {
      source += character === '*' ? '.*' : character.replace(/[.+?^${}()|[\]]/g, '\\$&');
    }
  }
  return new RegExp(`^${source}$`, 's');
}

function cidr(text: string, where: string): Matcher {
  const [address = '', bits = ''] = text.split('/');
  const base = ipBits(address);
  const length = Number(bits);
  if (base === undefined || !/^\d+$/.test(bits) || length > base.length)
    return fail(`${where}: '${text}' is no CIDR block`);
  return (value) => {
    const candidate = typeof value === 'string' ? ipBits(value) : undefined;
    return candidate?.length === base.length && candidate.slice(0, length) === base.slice(0, length);
  };
}

/** An address as a string of 32 or 128 binary digits. */
function ipBits(address: string): string | undefined {
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(address)) {
    const octets = address.split('.').map(Number);
    return octets.every((octet) => octet <= 255)
      ? octets.map((octet) => binary(octet, 8)).join('')
      : undefined;
  }
  if (!/^[0-9a-f:]+$/i.test(address) || !address.includes(':')) return undefined;
  const [head = '', tail, ...more] = address.split('::');
  if (more.length > 0) return undefined;
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const missing = 8 - left.length - right.length;
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined;
  const groups = [...left, ...Array<string>(missing).fill('0'), ...right];
  return groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))
    ? groups.map((group) => binary(Number.parseInt(group, 16), 16)).join('')
    : undefined;
}

function binary(value: number, width: number): string {
  return value.toString(2).padStart(width, '0');
}

function textOf(value: Json | undefined, where: string): string {
  return typeof value === 'string' ? value : fail(`${where}: takes a string`);
}

function fieldOf(event: Json, key: string): Json | undefined {
  return isRecord(event) && Object.hasOwn(event, key) ? event[key] : undefined;
}

function orNothing<T, N>(values: T[], nothing: N): (T | N)[] {
  return values.length === 0 ? [nothing] : values;
}

function elementsOf(value: Json): Json[] {
  return Array.isArray(value) ? value.flatMap(elementsOf) : [value];
}

function isRecord(value: unknown): value is JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function fail(message: string): never {
  throw new EventPatternError(message);
}
