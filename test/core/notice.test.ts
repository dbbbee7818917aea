/** Notices: short enough for a phone, complete for a program, and the same in every copy. */
import { describe, expect, it } from 'vitest';
import { type Place, placeOf } from '../../shared/core/console-links.ts';
import {
  type NoticeFacts,
  type OutboxEntry,
  toMessage,
  toNotice,
  toPublication,
} from '../../shared/core/notice.ts';
import { a, attachmentOf, b, data, now } from './world.ts';

const here = placeOf('arn:aws:sns:us-east-1:123456789012:notices');
const facts = (more: Partial<NoticeFacts> = {}): NoticeFacts => ({
  service: 'orders-db',
  kind: 'episode',
  outcome: 'COMPLETED',
  severity: 'info',
  headline: 'failover to i-b done',
  lines: ['From: i-a', 'To: i-b'],
  atMs: now,
  next: ['eni-failover ack orders-db'],
  data: { from: 'i-a', to: 'i-b' },
  trail: { number: 12, headHash: 'h12' },
  ...more,
});
const noticeOf = (more: Partial<NoticeFacts> = {}, declared: object = {}): OutboxEntry =>
  toNotice(facts(more), 'orders-db.7.COMPLETED', true, { declared: JSON.stringify(declared) });
const render = (more: Partial<NoticeFacts> = {}, declared: object = {}, place: Place = here) =>
  toPublication(noticeOf(more, declared), place);
const variantsOf = (more: Partial<NoticeFacts> = {}) =>
  JSON.parse(toMessage(render(more))) as Record<string, string>;

describe('the subject', () => {
  it('says which service and what, in one line', () => {
    expect(render().subject).toBe('[eni-failover] orders-db: failover to i-b done');
    expect(render({ service: '*' }).subject).toBe('[eni-failover] all services: failover to i-b done');
  });
  it.each(['warning', 'critical'] as const)('of one that is %s begins with that', (severity) => {
    expect(render({ severity }).subject).toContain(` ${severity.toUpperCase()}: orders-db`);
  });
  it('is at most 100 printable ASCII characters, as SNS wants it', () => {
    const { subject } = render({ headline: `größer\n${'x'.repeat(200)}` });
    expect(subject).toHaveLength(100);
    expect(subject).toMatch(/^[\x20-\x7e]+\.\.\.$/);
  });
  it('of exactly 100 characters is left whole', () => {
    const room = 100 - '[eni-failover] orders-db: '.length;
    expect(render({ headline: 'x'.repeat(room) }).subject).toMatch(/x$/);
    expect(render({ headline: 'x'.repeat(room + 1) }).subject).toMatch(/x\.\.\.$/);
  });
});

describe('the text', () => {
  it('tells what happened, what to do, when and where, and the place on record', () => {
    expect(render({ severity: 'critical' }).text.split('\n')).toEqual([
      'CRITICAL: orders-db: failover to i-b done',
      '',
      'From: i-a',
      'To: i-b',
      '',
      'What to do:',
      '  eni-failover ack orders-db',
      '',
      'At 2026-11-21T02:00:00.000Z',
      'In us-east-1, account 123456789012',
      'Trail #12, head h12',
    ]);
  });
  it('asks for nothing when nobody has to do anything', () => {
    expect(render({ next: [] }).text).not.toContain('What to do');
  });
  it('names the description and the contacts where they are declared', () => {
    const { text } = render(
      {},
      { description: 'The orders database', contacts: ['db@example.com', '+49 30 1'] },
    );
    expect(text).toMatch(/^orders-db: failover to i-b done\nThe orders database\n\nFrom/);
    expect(text).toContain('Contacts: db@example.com, +49 30 1');
    expect(render({}, { contacts: [] }).text).not.toContain('Contacts');
  });
  it('has no place on record where it concerns every service', () => {
    const { trail: _, ...rest } = facts();
    const told = toPublication(toNotice(rest, 'x', true, { declared: '{}' }), here);
    expect(told.text).not.toContain('Trail');
    expect(told.program.trail).toBeNull();
  });
  it('carries commands with every id and the Region, and asks for a pause before the first that changes something', () => {
    const look = { do: 'describe-interfaces', enis: [data] } as const;
    const detach = { do: 'detach', eni: data, attachment: attachmentOf(data, a), force: true } as const;
    expect(render({ byHand: [look, detach] }).program.commands).toEqual([
      `eni-failover pause orders-db --for 1h --reason 'by hand'`,
      expect.stringMatching(
        new RegExp(
          `^aws ec2 describe-network-interfaces --network-interface-ids ${data} .* --region us-east-1$`,
        ),
      ),
      `aws ec2 detach-network-interface --attachment-id ${attachmentOf(data, a)} --force --region us-east-1`,
      `aws ec2 wait network-interface-available --network-interface-ids ${data} --region us-east-1`,
    ]);
    expect(render({ byHand: [look] }).program.commands).toHaveLength(1);
    expect(render({ byHand: [look] }).text).toContain('\nBy hand, with the AWS CLI:\n  aws ec2 describe');
  });
  it('leads into the console and to the runbook', () => {
    const { text } = render({ instances: [b], outcome: 'STRANDED' });
    expect(text).toContain(
      `\nIn the console:\n  https://us-east-1.console.aws.amazon.com/ec2/home?region=us-east-1#InstanceDetails:instanceId=${b}\n`,
    );
    expect(text).toContain('\nRunbook: docs/runbook.md#stranded\n');
    expect(render({ outcome: 'NEEDS_HUMAN', section: 'FENCE_FAILED' }).program.runbook).toBe(
      'docs/runbook.md#fence_failed',
    );
    expect(render().program.runbook).toBeNull();
  });
});

describe('the line for a phone', () => {
  it('is the headline and the first thing to do, in at most 160 plain characters', () => {
    expect(render({ severity: 'critical' }).line).toBe(
      'CRITICAL: orders-db: failover to i-b done. eni-failover ack orders-db',
    );
    const long = render({ headline: 'ü'.repeat(200) }).line;
    expect(long).toHaveLength(160);
    expect(long).toMatch(/^[\x20-\x7e]+\.\.\.$/);
  });
});

describe('the document for programs', () => {
  it('says the same as data', () => {
    const { program, text } = render();
    expect(program).toEqual({
      version: 1,
      dedupeId: 'orders-db.7.COMPLETED',
      service: 'orders-db',
      kind: 'episode',
      outcome: 'COMPLETED',
      severity: 'info',
      needsHuman: false,
      at: '2026-11-21T02:00:00.000Z',
      account: '123456789012',
      region: 'us-east-1',
      headline: 'failover to i-b done',
      description: null,
      contacts: [],
      next: ['eni-failover ack orders-db'],
      commands: [],
      links: [],
      runbook: null,
      trail: { number: 12, headHash: 'h12' },
      data: { from: 'i-a', to: 'i-b' },
      text,
    });
  });
});

describe('a notice', () => {
  it('carries what a subscription filters by', () => {
    expect(render({ severity: 'critical' }).attributes).toEqual({
      service: 'orders-db',
      kind: 'episode',
      outcome: 'COMPLETED',
      severity: 'critical',
      needsHuman: 'true',
      dedupeId: 'orders-db.7.COMPLETED',
      account: '123456789012',
      region: 'us-east-1',
    });
  });
  it('carries no attribute without a value: SNS would refuse the whole of it', () => {
    const { attributes } = render({}, {}, placeOf('arn:topic'));
    expect(attributes).not.toHaveProperty('region');
    expect(attributes).not.toHaveProperty('account');
  });
  it('is the same each time it is rendered, and so is its head hash in every form', () => {
    expect(render()).toEqual(render());
    for (const [protocol, form] of Object.entries(variantsOf()))
      if (protocol !== 'sms') expect(form, protocol).toContain('h12');
  });
  it('is published in the form that each kind of subscription reads', () => {
    const { text, line, program, chat } = render();
    const variants = variantsOf();
    expect(Object.keys(variants).sort()).toEqual([
      'default',
      'email-json',
      'firehose',
      'http',
      'https',
      'lambda',
      'sms',
      'sqs',
    ]);
    expect(variants['default']).toBe(text);
    for (const protocol of ['sqs', 'lambda', 'firehose', 'http', 'email-json'])
      expect(JSON.parse(variants[protocol] ?? '')).toEqual(program);
    expect(variants['sms']).toBe(line);
    expect(JSON.parse(variants['https'] ?? '')).toEqual(chat);
  });
  it('stays small in the item and far below what SNS takes, whatever EC2 and hooks say', () => {
    const long = Array.from({ length: 200 }, () => 'ü'.repeat(2_000));
    const notice = noticeOf({ headline: 'x'.repeat(9_000), lines: long });
    expect(notice.lines).toHaveLength(13);
    expect(notice.lines[0]).toBe(`${'ü'.repeat(499)}…`);
    expect(notice.lines.at(-1)).toBe('… 188 more lines in the trail');
    expect(noticeOf({ lines: Array.from({ length: 41 }, () => 'x') }).lines.slice(39)).toEqual([
      'x',
      '… 1 more lines in the trail',
    ]);
    expect(notice.headline).toHaveLength(500);
    expect(Buffer.byteLength(toMessage(toPublication(notice, here)))).toBeLessThan(256 * 1_024);
  });
});

describe('the facts of a notice', () => {
  it('are kept up to 8 KB, counted in bytes', () => {
    const kept = { words: `${'€'.repeat(2_726)}xx` };
    expect(Buffer.byteLength(JSON.stringify(kept))).toBe(8_192);
    expect(noticeOf({ data: kept }).data).toBe(kept);
  });
  it('beyond that are left to the trail, by whatever version they were stored', () => {
    const large = { words: '€'.repeat(3_000) };
    const omitted = { omitted: '9012 bytes; they are in the trail' };
    expect(noticeOf({ data: large }).data).toEqual(omitted);
    expect(toPublication({ ...noticeOf(), data: large }, here).program.data).toEqual(omitted);
  });
});
