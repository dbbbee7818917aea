// Patterns match as EventBridge documents it, operator by operator.

import { describe, expect, it } from 'vitest';
import { compileEventPattern, type Json } from '../../../sandbox/eventbridge/event-pattern.ts';

const matches = (pattern: Json, event: Json) => compileEventPattern(pattern)(event);

describe('an event pattern', () => {
  it.each<[string, Json, Json, boolean]>([
    ['exact string', { a: ['x'] }, { a: 'x' }, true],
    ['exact string, other case', { a: ['x'] }, { a: 'X' }, false],
    ['any of several', { a: ['x', 'y'] }, { a: 'y' }, true],
    ['all fields', { a: ['x'], b: ['y'] }, { a: 'x', b: 'z' }, false],
    ['number is not its string', { a: [1] }, { a: '1' }, false],
    ['number', { a: [300] }, { a: 300.0 }, true],
    ['boolean', { a: [true] }, { a: true }, true],
    ['null', { a: [null] }, { a: null }, true],
    ['null is not absent', { a: [null] }, {}, false],
    ['empty string', { a: [''] }, { a: '' }, true],
    ['nested', { detail: { state: { value: ['ALARM'] } } }, { detail: { state: { value: 'ALARM' } } }, true],
    ['nested, parent absent', { detail: { state: ['x'] } }, {}, false],
    ['prefix', { a: [{ prefix: 'arn:' }] }, { a: 'arn:aws' }, true],
    ['prefix of a number', { a: [{ prefix: '1' }] }, { a: 12 }, false],
    ['prefix ignoring case', { a: [{ prefix: { 'equals-ignore-case': 'ARN' } }] }, { a: 'arn:aws' }, true],
    ['suffix', { a: [{ suffix: '.png' }] }, { a: 'x.png' }, true],
    ['suffix ignoring case', { a: [{ suffix: { 'equals-ignore-case': '.PNG' } }] }, { a: 'x.png' }, true],
    ['equals-ignore-case', { a: [{ 'equals-ignore-case': 'alarm' }] }, { a: 'ALARM' }, true],
    ['anything-but', { a: [{ 'anything-but': 'x' }] }, { a: 'y' }, true],
    ['anything-but, the same', { a: [{ 'anything-but': 'x' }] }, { a: 'x' }, false],
    ['anything-but, absent', { a: [{ 'anything-but': 'x' }] }, {}, false],
    ['anything-but a list', { a: [{ 'anything-but': ['x', 'y'] }] }, { a: 'y' }, false],
    ['anything-but a number', { a: [{ 'anything-but': 1 }] }, { a: 2 }, true],
    ['anything-but prefix', { a: [{ 'anything-but': { prefix: 'in' } }] }, { a: 'init' }, false],
    ['anything-but prefixes', { a: [{ 'anything-but': { prefix: ['in', 'ou'] } }] }, { a: 'out' }, false],
    ['anything-but suffix', { a: [{ 'anything-but': { suffix: 's' } }] }, { a: 'x' }, true],
    ['anything-but wildcard', { a: [{ 'anything-but': { wildcard: '*/b/*' } }] }, { a: 'a/b/c' }, false],
    ['anything-but wildcards', { a: [{ 'anything-but': { wildcard: ['a*', 'b*'] } }] }, { a: 'cc' }, true],
    [
      'anything-but ignoring case',
      { a: [{ 'anything-but': { 'equals-ignore-case': ['X'] } }] },
      { a: 'x' },
      false,
    ],
    ['numeric range, inside', { a: [{ numeric: ['>', 0, '<=', 5] }] }, { a: 5 }, true],
    ['numeric range, outside', { a: [{ numeric: ['>', 0, '<=', 5] }] }, { a: 0 }, false],
    ['numeric equality', { a: [{ numeric: ['=', 3.018e2] }] }, { a: 301.8 }, true],
    ['numeric of a string', { a: [{ numeric: ['=', 1] }] }, { a: '1' }, false],
    ['exists', { a: [{ exists: true }] }, { a: null }, true],
    ['exists, absent', { a: [{ exists: true }] }, {}, false],
    ['exists false', { a: [{ exists: false }] }, {}, true],
    ['exists false, parent absent', { d: { a: [{ exists: false }] } }, {}, true],
    ['exists looks at leaves only', { a: [{ exists: true }] }, { a: { b: 1 } }, false],
    ['absent or a value', { a: [{ exists: false }, 'x'] }, { a: 'x' }, true],
    ['cidr', { a: [{ cidr: '10.0.0.0/24' }] }, { a: '10.0.0.255' }, true],
    ['cidr, outside', { a: [{ cidr: '10.0.0.0/24' }] }, { a: '10.0.1.0' }, false],
    ['cidr of all', { a: [{ cidr: '0.0.0.0/0' }] }, { a: '203.0.113.9' }, true],
    ['cidr of IPv6', { a: [{ cidr: '2001:db8::/32' }] }, { a: '2001:db8:1::1' }, true],
    ['cidr of the other family', { a: [{ cidr: '2001:db8::/32' }] }, { a: '10.0.0.1' }, false],
    ['wildcard', { a: [{ wildcard: 'dir/*.p*g' }] }, { a: 'dir/x.png' }, true],
    ['wildcard takes dots as they are', { a: [{ wildcard: 'a.c*' }] }, { a: 'abc' }, false],
    ['wildcard with an escaped star', { a: [{ wildcard: 'a\\*b' }] }, { a: 'a*b' }, true],
    ['wildcard with an escaped star, no star', { a: [{ wildcard: 'a\\*b' }] }, { a: 'axb' }, false],
    ['array: any element', { a: ['x'] }, { a: ['w', 'x'] }, true],
    ['array: no element', { a: ['x'] }, { a: ['w'] }, false],
    ['empty array does not exist', { a: [{ exists: false }] }, { a: [] }, true],
    [
      'array of objects: one object holds all',
      { a: { b: [1], c: [2] } },
      { a: [{ b: 1, c: 2 }, { b: 9 }] },
      true,
    ],
    ['array of objects: not spread over two', { a: { b: [1], c: [2] } }, { a: [{ b: 1 }, { c: 2 }] }, false],
    ['array: anything-but by one element', { a: [{ 'anything-but': 'x' }] }, { a: ['x', 'y'] }, true],
    ['$or, one branch', { $or: [{ a: ['x'] }, { b: ['y'] }] }, { b: 'y' }, true],
    ['$or, no branch', { $or: [{ a: ['x'] }, { b: ['y'] }] }, { b: 'x' }, false],
    ['$or beside a field', { c: ['z'], $or: [{ a: ['x'] }, { b: ['y'] }] }, { a: 'x' }, false],
    ['nested $or', { d: { $or: [{ a: [1] }, { a: [{ numeric: ['>', 5] }] }] } }, { d: { a: 6 } }, true],
  ])('%s', (_name, pattern, event, expected) => {
    expect(matches(pattern, event)).toBe(expected);
  });

  it.each<[string, Json, string]>([
    ['an unknown operator', { d: { a: [{ regex: 'x' }] } }, "d.a: unknown operator 'regex'"],
    ['a bare value', { a: 'x' }, 'a: a value in a pattern is an array'],
    ['an empty array', { a: [] }, 'a: an empty array'],
    ['an empty object', { a: {} }, 'a: an empty object'],
    ['an empty pattern', {}, 'an empty object'],
    ['a list', [], 'an event pattern is a JSON object'],
    ['two operators at once', { a: [{ prefix: 'x', suffix: 'y' }] }, 'one operator'],
    ['half a numeric range', { a: [{ numeric: ['>'] }] }, 'numeric'],
    ['an unknown comparison', { a: [{ numeric: ['!=', 1] }] }, 'numeric'],
    ['two stars in a row', { a: [{ wildcard: 'a**b' }] }, 'two * in a row'],
    ['a wrong escape', { a: [{ wildcard: 'a\\b' }] }, 'backslash'],
    ['a wrong CIDR', { a: [{ cidr: '10.0.0.0/33' }] }, 'no CIDR block'],
    ['anything-but nothing', { a: [{ 'anything-but': [] }] }, 'anything-but'],
    ['anything-but an unknown operator', { a: [{ 'anything-but': { exists: true } }] }, 'anything-but'],
    ['exists without a boolean', { a: [{ exists: 'yes' }] }, 'takes true or false'],
  ])('is refused with %s', (_name, pattern, message) => {
    expect(() => compileEventPattern(pattern)).toThrow(message);
  });
});
