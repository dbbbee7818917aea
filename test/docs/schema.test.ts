/** Holds the JSON schemas in docs/schema against the code: what an editor says of a file is what registration says. */
import { Ajv } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { parseDeclaration } from '../../shared/core/service.ts';
import { recordKinds } from '../../shared/core/trail.ts';
import { declarationSchema, file } from './declaration-schema.ts';
import { readText } from './markdown.ts';

const instance = 'i-0aaaaaaaaaaaaaaa1';
const other = 'i-0bbbbbbbbbbbbbbb2';
const alarm = 'arn:aws:cloudwatch:us-east-1:123456789012:alarm:answers';
const least = {
  name: 'orders-db',
  interfaces: [{ eni: 'eni-0aaaaaaaaaaaaaa01', deviceIndex: 1 }],
  members: [{ instance }, { instance: other }],
};
const isValid = new Ajv({ strict: true, allErrors: true }).compile(JSON.parse(readText(file)) as object);

describe('docs/schema/declaration.schema.json', () => {
  it('is current', () => {
    expect(
      JSON.parse(readText(file)),
      `run: node test/docs/declaration-schema.ts && npx biome check --write ${file}`,
    ).toEqual(declarationSchema());
  });

  it.each<[string, object]>([
    ['the least that is needed', {}],
    ['a description and contacts', { description: 'x', contacts: ['db@example.com'] }],
    [
      'an alarm of a member',
      { signals: { statusChecks: false, alarms: [{ arn: alarm, member: instance }] } },
    ],
    ['members with readiness', { members: [{ instance, readyWhen: [alarm] }] }],
    [
      'hooks of both kinds',
      {
        hooks: {
          before: [
            {
              document: 'stop-app',
              on: 'source',
              deadline: '30s',
              onFailure: 'back',
              undo: { function: 'eni-failover-hook-undo' },
            },
          ],
          after: [{ function: 'eni-failover-hook-dns' }],
        },
      },
    ],
    ['serving by an alarm', { serving: { alarm, within: '1m' } }],
    ['serving by a check', { serving: { check: { document: 'ask', on: 'target' } } }],
    [
      'a whole policy',
      { policy: { mode: 'observe', fence: 'stop', failback: { after: '30m' }, confirm: '90s' } },
    ],
    ['failback by hand', { policy: { failback: 'manual' } }],
  ])('accepts what can be registered: %s', (_, more) => {
    expect(parseDeclaration({ ...least, ...more })).toMatchObject({ kind: 'declared' });
    expect(isValid({ ...least, ...more }), JSON.stringify(isValid.errors)).toBe(true);
  });

  it.each<[string, object]>([
    ['an unknown key', { polciy: {} }],
    ['an unknown key far inside', { policy: { fense: 'stop' } }],
    ['a name that is none', { name: 'Orders DB' }],
    ['no interface', { interfaces: [] }],
    ['the primary interface', { interfaces: [{ eni: 'eni-0aaaaaaaaaaaaaa01', deviceIndex: 0 }] }],
    ['no member', { members: [] }],
    ['an instance id that is none', { members: [{ instance: 'web-1' }] }],
    ['a duration without a unit', { policy: { confirm: '90' } }],
    ['a word that is no choice', { policy: { mode: 'on' } }],
    ['a hook of neither kind', { hooks: { after: [{ deadline: '10s' }] } }],
    ['a hook of both kinds', { hooks: { after: [{ document: 'a-b', on: 'target', function: 'f' }] } }],
    ['a way back after the move', { hooks: { after: [{ function: 'f', onFailure: 'back' }] } }],
    ['serving by both', { serving: { alarm, check: { function: 'f' } } }],
    ['failback of another kind', { policy: { failback: 'automatic' } }],
  ])('rejects what cannot: %s', (_, more) => {
    expect(parseDeclaration({ ...least, ...more })).toMatchObject({ kind: 'invalid' });
    expect(isValid({ ...least, ...more })).toBe(false);
  });
});

describe('docs/schema/notice.schema.json', () => {
  const schema = JSON.parse(readText('docs/schema/notice.schema.json')) as {
    readonly properties: { readonly kind: { readonly enum: readonly string[] } };
  };
  it('is a schema, and knows every kind of record', () => {
    expect(() => new Ajv2020({ allowUnionTypes: true }).compile(schema)).not.toThrow();
    expect(schema.properties.kind.enum).toEqual([...Object.keys(recordKinds), 'controller']);
  });
});
