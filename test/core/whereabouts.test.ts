/** Where the interfaces are, as one look shows it; in doubt, unknown. */
import { describe, expect, it } from 'vitest';
import { attachmentsIn, untagged, whereabouts } from '../../shared/core/whereabouts.ts';
import {
  a,
  admin,
  attachment,
  attachmentOf,
  b,
  c,
  data,
  type Sketch,
  stranger,
  titled,
  world,
} from './world.ts';

const ask = (given: Sketch) => {
  const { service, observation } = world(given);
  return whereabouts(service, observation);
};
const status = (said: 'attaching' | 'attached' | 'detaching' | 'detached') => ({
  attachment: attachment(admin, a, { status: said }),
});

describe('the whereabouts', () => {
  it.each(
    titled<{ rule: string; fact: string; given: Sketch; answer: object }>([
      {
        rule: '§2',
        fact: 'are together on the one that has them all',
        given: {},
        answer: { kind: 'together', holder: a },
      },
      {
        rule: '§2',
        fact: 'are what EC2 shows, whatever is stored',
        given: { on: stranger },
        answer: { kind: 'together', holder: stranger },
      },
      {
        rule: 'P27',
        fact: 'are on nothing, all of them',
        given: { on: 'nothing' },
        answer: { kind: 'on-nothing', free: [data, admin] },
      },
      {
        rule: 'P27',
        fact: 'are on nothing for one, beside the other',
        given: { on: { data: c, admin: 'nothing' } },
        answer: { kind: 'on-nothing', free: [admin], beside: c },
      },
      {
        rule: 'P28',
        fact: 'are split over two members',
        given: { on: { data: a, admin: b } },
        answer: { kind: 'split', holders: [a, b] },
      },
      {
        rule: 'P9',
        fact: 'are unknown when one could not be read',
        given: { on: { data: a, admin: 'unread' } },
        answer: { kind: 'unknown' },
      },
      {
        rule: 'P18',
        fact: 'are unmovable when one is gone',
        given: { on: { data: a, admin: 'gone' } },
        answer: { kind: 'unmovable' },
      },
      {
        rule: 'P18',
        fact: 'are unmovable when EC2 would never move one',
        given: { admin: { unmovable: 'is managed by a NAT gateway' } },
        answer: { kind: 'unmovable', why: `${admin} is managed by a NAT gateway` },
      },
      {
        rule: 'P10',
        fact: 'are unknown when EC2 shows an attachment that has ended',
        given: { state: { detached: [attachmentOf(admin, a)] } },
        answer: { kind: 'unknown' },
      },
      {
        rule: 'P9',
        fact: 'are unknown while one is attaching',
        given: { admin: status('attaching') },
        answer: { kind: 'unknown' },
      },
      {
        rule: 'P9',
        fact: 'are unknown while one is detaching',
        given: { admin: status('detaching') },
        answer: { kind: 'unknown' },
      },
      {
        rule: 'P9',
        fact: 'are unknown when one is attached to nothing and yet in use',
        given: { admin: { attachment: undefined } },
        answer: { kind: 'unknown' },
      },
      {
        rule: 'P27',
        fact: 'are on nothing when an available interface still shows its detached attachment',
        given: { admin: { ...status('detached'), status: 'available' } },
        answer: { kind: 'on-nothing', free: [admin], beside: a },
      },
    ]),
  )('%s', (_title, { given, answer }) => {
    expect(ask(given)).toMatchObject(answer);
  });
});

it('are unknown for a service without interfaces', () => {
  const { service, observation } = world();
  const none = { ...service, declaration: { ...service.declaration, interfaces: [] } };
  expect(whereabouts(none, observation)).toMatchObject({ kind: 'unknown' });
});

describe('what lacks the tag', () => {
  it.each(
    titled<{ fact: string; given: Sketch; lacking: readonly string[] }>([
      { fact: 'is nothing where all have it', given: {}, lacking: [] },
      { fact: 'is an interface without it', given: { admin: { tagged: false } }, lacking: [admin] },
      {
        fact: 'is an interface on nothing as well',
        given: { on: 'nothing', data: { tagged: false } },
        lacking: [data],
      },
      {
        fact: 'is a holder without it, named once',
        given: { members: { a: { tagged: false } } },
        lacking: [a],
      },
      {
        fact: 'is not a member that holds none of the interfaces',
        given: { members: { b: { tagged: false } } },
        lacking: [],
      },
      {
        fact: 'is not guessed of a holder that could not be read',
        given: { members: { a: 'unread' } },
        lacking: [],
      },
      {
        fact: 'is not guessed of an interface that could not be read, or is gone',
        given: { on: { data: 'unread', admin: 'gone' } },
        lacking: [],
      },
    ]),
  )('%s', (_title, { given, lacking }) => {
    const { service, observation } = world(given);
    expect(untagged(service, observation)).toEqual(lacking);
  });
});

describe('the attachments', () => {
  it('are listed for each interface that has one', () => {
    const { service, observation } = world({ on: { data: a, admin: 'nothing' } });
    expect(attachmentsIn(service, observation)).toEqual({ [data]: attachmentOf(data, a) });
  });
  it('of an interface that could not be read are not guessed', () => {
    const { service, observation } = world({ on: { data: 'unread', admin: 'gone' } });
    expect(attachmentsIn(service, observation)).toEqual({});
  });
});
