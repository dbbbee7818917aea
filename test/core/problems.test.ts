/** What is wrong with an input: the field, what is there, and what would be right, for a tired person. */
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { problemsOf } from '../../shared/core/problems.ts';
import { DeclarationSchema } from '../../shared/core/service.ts';
import { a, data } from './world.ts';

const smallest = {
  name: 'orders-db',
  interfaces: [{ eni: data, deviceIndex: 1 }],
  members: [{ instance: a }],
};
const problems = (raw: unknown, schema: v.GenericSchema = DeclarationSchema) =>
  problemsOf(v.safeParse(schema, raw).issues ?? [], schema);
const inDeclaration = (more: object) => problems({ ...smallest, ...more }).join('\n');
const known = 'name, description, contacts, interfaces, members, signals, hooks, serving, policy';

describe('what is wrong', () => {
  it.each<[string, object, string]>([
    [
      'is missing, and what it would look like',
      { name: undefined },
      'name: is missing; it must be 1 to 63 characters of a-z, 0-9 and -, and not begin with -',
    ],
    [
      'is missing in a list',
      { interfaces: [{ deviceIndex: 1 }] },
      'interfaces.0.eni: is missing; it must look like eni-0123456789abcdef0',
    ],
    [
      'is of another type, and what it would look like',
      { name: 7 },
      'name: must be text (is 7); it must be 1 to 63 characters of a-z, 0-9 and -, and not begin with -',
    ],
    [
      'is of another type, where no rule is about the type',
      { interfaces: [{ eni: data, deviceIndex: '1' }] },
      'interfaces.0.deviceIndex: must be a number (is "1")',
    ],
    ['is a map where a list belongs', { interfaces: {} }, 'interfaces: must be a list (is a map)'],
    ['is empty', { interfaces: null }, 'interfaces: must be a list (is empty)'],
    [
      'is text where a map belongs, with its keys',
      { interfaces: ['eni-1'] },
      'interfaces.0: must be a map of eni, deviceIndex, networkCardIndex (is "eni-1")',
    ],
    [
      'is not true or false',
      { signals: { statusChecks: 'yes' } },
      'signals.statusChecks: must be true or false (is "yes")',
    ],
    [
      'is none of the words, cut short',
      { policy: { mode: 'x'.repeat(200) } },
      `policy.mode: must be "act" or "observe" (is "${'x'.repeat(79)})`,
    ],
    [
      'breaks a rule',
      { name: 'Orders' },
      'name: must be 1 to 63 characters of a-z, 0-9 and -, and not begin with - (is "Orders")',
    ],
    [
      'is not whole',
      { policy: { budgetPerHour: 1.5 } },
      'policy.budgetPerHour: must be a whole number (is 1.5)',
    ],
    ['is too large', { policy: { budgetPerHour: 61 } }, 'policy.budgetPerHour: must be <=60 (is 61)'],
    ['is too long', { contacts: ['x'.repeat(201)] }, 'contacts.0: must have a length of <=200 (has 201)'],
    ['is too many', { contacts: Array(11).fill('x') }, 'contacts: must have a length of <=10 (has 11)'],
    ['is too few', { interfaces: [] }, 'interfaces: must name at least one interface (has 0)'],
    [
      'is about several fields, which the check names itself',
      { members: [{ instance: a }, { instance: a }] },
      `members: ${a} is named twice`,
    ],
  ])('%s', (_fact, more, says) => {
    expect(inDeclaration(more)).toBe(says);
  });
  it.each([
    ['text', `declaration: must be a map of ${known} (is "text")`],
    [null, `declaration: must be a map of ${known} (is empty)`],
    [undefined, 'declaration: is missing; it has to be there'],
  ])('is the whole: %s', (raw, says) => {
    expect(problems(raw)).toEqual([says]);
  });
  it('is said of each field', () => {
    expect(problems({ name: 7, interfaces: {} })).toHaveLength(3);
  });
  it('is said without the schema at hand too', () => {
    const schema = v.strictObject({ name: v.string() });
    const said = (raw: unknown) => problemsOf(v.safeParse(schema, raw).issues ?? []);
    expect(said({})).toEqual(['name: is missing; it has to be there']);
    expect(said({ name: 7 })).toEqual(['name: must be text (is 7)']);
    expect(said(7)).toEqual(['declaration: must be a map (is 7)']);
    expect(said({ name: 'x', nmae: 'x' })).toEqual([
      'nmae: is not a known key; remove it or correct its spelling',
    ]);
  });
});

describe('a key that is not known', () => {
  it.each([
    ['nmae', 'name'],
    ['Name', 'name'],
    ['naem', 'name'],
    ['aname', 'name'],
    ['nam', 'name'],
    ['zame', 'name'],
    ['polcy', 'policy'],
    ['polciy', 'policy'],
    ['descripton', 'description'],
    ['contact', 'contacts'],
    ['interfaces2', 'interfaces'],
    ['member_s', 'members'],
    ['members-list', 'members'],
  ])('%s was probably meant as %s', (key, meant) => {
    expect(inDeclaration({ [key]: 1 })).toBe(`${key}: is not a known key; did you mean ${meant}?`);
  });
  it.each(['na', 'xyz', 'device', 'policies', 'nickname', 'nmxe', 'nxae'])(
    '%s resembles none of those that belong there',
    (key) => {
      expect(inDeclaration({ [key]: 1 })).toBe(`${key}: is not a known key; known here: ${known}`);
    },
  );
  it('is compared with those of its own place', () => {
    expect(inDeclaration({ policy: { budget: 3 } })).toBe(
      'policy.budget: is not a known key; did you mean budgetPerHour?',
    );
    expect(inDeclaration({ interfaces: [{ eni: data, deviceIndex: 1, index: 1 }] })).toBe(
      'interfaces.0.index: is not a known key; known here: eni, deviceIndex, networkCardIndex',
    );
  });
});
