/** Finds every guard of a source file and says by what each could be replaced to remove or invert it. Pure. */
import { parse } from '@babel/parser';

export interface Guard {
  /** Offsets of the expression in the source. */
  readonly start: number;
  readonly end: number;
  readonly line: number;
  /** What stands there, in one line. */
  readonly text: string;
  /** What would stand there instead. */
  readonly instead: string;
}

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly loc: { readonly start: { readonly line: number } };
  readonly [key: string]: unknown;
}

type Constant = 'true' | 'false';
const both: readonly Constant[] = ['true', 'false'];

const comparisons = new Set(['===', '!==', '<', '>', '<=', '>=', 'in', 'instanceof']);
/** What a callback of these answers decides; a `find` that takes anything is a guard less, one that finds nothing is a bug of another kind. */
const deciding: ReadonlyMap<string, readonly Constant[]> = new Map([
  ['filter', ['true']],
  ['find', ['true']],
  ['some', both],
  ['every', both],
]);

/** A clause of a DynamoDB condition: always true or never true, and still naming what the request defines. */
const clause = /^(?!pk = )(?:attribute_(?:not_)?exists\(|#?[\w.#]+ (?:=|<|>|<=|>=) :\w+$)/;
const alwaysTrue = (text: string) => `(${text} OR attribute_not_exists(neverThere))`;
const neverTrue = (text: string) => `(${text} AND attribute_exists(neverThere))`;

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string';

function childrenOf(node: Node): Node[] {
  return Object.entries(node).flatMap(([key, value]) => {
    if (key === 'loc' || key.endsWith('Comments')) return [];
    return (Array.isArray(value) ? value : [value]).filter(isNode);
  });
}

/** Types have no say at run time; the expressions that they wrap do. */
const isTypeOnly = ({ type }: Node) =>
  type.startsWith('TS') && !/^TS(?:As|Satisfies|NonNull)/.test(type) && type !== 'TSParameterProperty';

const operatorOf = (node: Node) => node['operator'] as string;
const isNegation = (node: Node) => node.type === 'UnaryExpression' && operatorOf(node) === '!';
const isAndOr = (node: Node) => node.type === 'LogicalExpression' && operatorOf(node) !== '??';

/** Certainly true or false, whatever its parts are. */
function isCondition(node: Node): boolean {
  if (node.type === 'BinaryExpression') return comparisons.has(operatorOf(node));
  if (isAndOr(node)) return isCondition(node['right'] as Node);
  return isNegation(node);
}

/**
 * `...(x && { x })` and `...(x !== undefined && { y: x })` say no more than that what is absent stays absent: the
 * stricter types ask for it, and nobody can tell it from a key whose value is undefined.
 */
function isPresence(node: Node, source: string): boolean {
  if (!isAndOr(node) || (node['right'] as Node).type !== 'ObjectExpression') return false;
  const textOf = ({ start, end }: Node) => source.slice(start, end);
  const given = textOf(node['left'] as Node).replace(/ !== undefined$/, '');
  const { properties } = node['right'] as unknown as { properties: readonly Node[] };
  const [only] = properties;
  const value = only?.['value'] as Node | undefined;
  return properties.length === 1 && value !== undefined && textOf(value).includes(given);
}

/**
 * The first half of `x !== undefined && nowMs - x > y`: an undefined x makes the second half false by itself; only the
 * types need to be told.
 */
function presenceBefore(node: Node, source: string): Node | undefined {
  const textOf = ({ start, end }: Node) => source.slice(start, end);
  const left = node['left'] as Node;
  const right = node['right'] as Node;
  // The last of a longer chain is what stands beside the comparison.
  const beside = isAndOr(left) ? (left['right'] as Node) : left;
  const [, given] = /^(.*) !== undefined$/.exec(textOf(beside)) ?? [];
  const isNumeric = right.type === 'BinaryExpression' && /^[<>]=?$/.test(operatorOf(right));
  const isTold =
    operatorOf(node) === '&&' && isNumeric && given !== undefined && textOf(right).includes(given);
  return isTold ? beside : undefined;
}

/** In the order of the source; the outer one first. */
export function guardsIn(source: string): readonly Guard[] {
  const { program } = parse(source, { sourceType: 'module', plugins: ['typescript'] });
  const guards: Guard[] = [];
  const seen = new Set<string>();
  const exempt = new Set<Node | undefined>();

  function add(node: Node, instead: string): void {
    const { start, end, loc } = node;
    const key = `${start} ${end} ${instead}`;
    if (seen.has(key)) return;
    seen.add(key);
    const text = source.slice(start, end).replace(/\s+/g, ' ');
    guards.push({ start, end, line: loc.start.line, text, instead });
  }

  /** A condition, and the values that would take the guard away. */
  function condition(node: Node, constants: readonly Constant[]): void {
    if (exempt.has(node)) return;
    if (isAndOr(node)) {
      const neutral: Constant = operatorOf(node) === '&&' ? 'true' : 'false';
      exempt.add(presenceBefore(node, source));
      condition(node['left'] as Node, [neutral]);
      condition(node['right'] as Node, [neutral]);
      // The neutral value for the whole is no more than all of them at once.
      for (const constant of constants) if (constant !== neutral) add(node, constant);
      return;
    }
    for (const constant of constants) add(node, constant);
    visitChildren(node);
  }

  function callback(node: Node, constants: readonly Constant[]): void {
    const body = node['body'] as Node | undefined;
    const isArrow = node.type === 'ArrowFunctionExpression' && body?.type !== 'BlockStatement';
    if (isArrow && body) condition(body, constants);
    else {
      for (const constant of constants) add(node, `(() => ${constant})`);
      visit(node);
    }
  }

  function visitChildren(node: Node): void {
    for (const child of childrenOf(node)) visit(child);
  }

  function visit(node: Node): void {
    if (isTypeOnly(node)) return;
    switch (node.type) {
      case 'IfStatement': {
        const { test, consequent, alternate } = node as unknown as Record<string, Node | null>;
        if (test) condition(test, alternate ? both : ['false']);
        for (const branch of [consequent, alternate]) if (branch) visit(branch);
        return;
      }
      case 'ConditionalExpression': {
        condition(node['test'] as Node, both);
        visit(node['consequent'] as Node);
        visit(node['alternate'] as Node);
        return;
      }
      case 'WhileStatement':
        condition(node['test'] as Node, ['false']);
        visit(node['body'] as Node);
        return;
      case 'CallExpression': {
        const callee = node['callee'] as Node;
        const property = callee['property'] as { name?: string } | undefined;
        const constants = callee.type === 'MemberExpression' ? deciding.get(property?.name ?? '') : undefined;
        const [first, ...rest] = node['arguments'] as Node[];
        visit(callee);
        if (first) constants ? callback(first, constants) : visit(first);
        for (const each of rest) visit(each);
        return;
      }
      case 'ExpressionStatement': {
        const expression = node['expression'] as Node;
        // A step that is waited for is left out.
        if (expression.type === 'AwaitExpression') add(expression, 'undefined');
        visit(expression);
        return;
      }
      case 'SpreadElement': {
        const spread = node['argument'] as Node;
        visit(isPresence(spread, source) ? (spread['right'] as Node) : spread);
        return;
      }
      case 'LogicalExpression': {
        if (isCondition(node)) condition(node, both);
        else if (isAndOr(node)) {
          condition(node['left'] as Node, [operatorOf(node) === '&&' ? 'true' : 'false']);
          visit(node['right'] as Node);
        } else visitChildren(node);
        return;
      }
      case 'StringLiteral':
      case 'TemplateLiteral':
        clauses(node);
        visitChildren(node);
        return;
      default:
        if (isCondition(node)) condition(node, both);
        else visitChildren(node);
    }
  }

  function clauses(node: Node): void {
    const quoted = source.slice(node.start, node.end);
    const inner = quoted.slice(1, -1).replace(/^\((.*)\)$/, '$1');
    const parts = inner.split(' OR ');
    if (node.type !== 'StringLiteral' || !parts.every((part) => clause.test(part))) return;
    for (const [index, part] of parts.entries())
      for (const change of [alwaysTrue, neverTrue])
        add(node, `'(${parts.with(index, change(part)).join(' OR ')})'`);
  }

  visit(program as unknown as Node);
  return guards.toSorted((a, b) => a.start - b.start || b.end - a.end);
}
