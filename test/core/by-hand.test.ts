/** What a person can do with the AWS CLI alone, for each reason and outcome: every id is in it. */
import { describe, expect, it } from 'vitest';
import { type ByHand, bringTo, toCommand, toCommands } from '../../shared/core/aws-commands.ts';
import { byHand, type Scene } from '../../shared/core/by-hand.ts';
import { type Outcome, outcomes } from '../../shared/core/episode.ts';
import { type memberReasons, type ReasonCode, reasons } from '../../shared/core/reasons.ts';
import { a, admin, alarm, attachmentOf, b, c, data, zone } from './world.ts';

const slots = [
  { eni: data, deviceIndex: 1, networkCardIndex: 0 },
  { eni: admin, deviceIndex: 2, networkCardIndex: 1 },
];
/** The first interface on the source, the other on nothing. */
const scene: Scene = {
  slots,
  attachmentOf: (eni) =>
    eni === data ? { id: attachmentOf(data, a), instanceId: a, status: 'attached' } : undefined,
  source: a,
  target: b,
  isSourceFailed: true,
  refusals: [],
  alarms: [alarm('replica lag')],
  sent: ['0b1c2d3e'],
  zone,
};
const commands = (codes: readonly (ReasonCode | Outcome)[], more: Partial<Scene> = {}) =>
  toCommands(byHand(codes, { ...scene, ...more }), 'eu-central-1');
const kinds = (codes: readonly (ReasonCode | Outcome)[], more: Partial<Scene> = {}) =>
  byHand(codes, { ...scene, ...more }).map((each) => each.do);

describe('what is on nothing or left behind', () => {
  it('is detached where it is, waited for, attached in its place, and kept when that is terminated', () => {
    expect(commands(['STRANDED']).slice(2)).toEqual([
      `aws ec2 detach-network-interface --attachment-id ${attachmentOf(data, a)} --force --region eu-central-1`,
      `aws ec2 wait network-interface-available --network-interface-ids ${data} --region eu-central-1`,
      `aws ec2 attach-network-interface --network-interface-id ${data} --instance-id ${b} --device-index 1 --network-card-index 0 --region eu-central-1`,
      expect.stringMatching(
        new RegExp(
          `^aws ec2 modify-network-interface-attribute --network-interface-id ${data} --attachment "AttachmentId=\\$\\(aws ec2 .* --region eu-central-1\\),DeleteOnTermination=false" --region eu-central-1$`,
        ),
      ),
      `aws ec2 attach-network-interface --network-interface-id ${admin} --instance-id ${b} --device-index 2 --network-card-index 1 --region eu-central-1`,
      expect.stringContaining(`--network-interface-id ${admin}`),
    ]);
  });
  it('is looked at first', () => {
    expect(commands(['STRANDED']).slice(0, 2)).toEqual([
      expect.stringContaining(`describe-network-interfaces --network-interface-ids ${data} ${admin} `),
      expect.stringContaining(`describe-instance-status --include-all-instances --instance-ids ${a} ${b} `),
    ]);
  });
  it('is not touched where it is in its place already', () => {
    const there = { id: attachmentOf(data, b), instanceId: b, status: 'attached' } as const;
    expect(bringTo(b, slots, () => there, false)).toEqual([]);
    expect(bringTo(b, slots, () => ({ ...there, status: 'detaching' }), false)).toHaveLength(6);
  });
  it('is on nothing where EC2 still shows an attachment that it calls detached', () => {
    const left = { id: attachmentOf(data, b), instanceId: b, status: 'detached' } as const;
    expect(bringTo(b, slots, () => left, false)).toEqual(bringTo(b, slots, () => undefined, false));
  });
  it('is left plainly where the source has not failed', () => {
    expect(commands(['SPLIT'], { isSourceFailed: false }).join('\n')).not.toContain('--force');
  });
});

describe('a fence that failed', () => {
  it('is finished by hand before anything is detached', () => {
    expect(kinds(['FENCE_FAILED', 'NEEDS_HUMAN'])).toEqual([
      'describe-interfaces',
      'describe-status',
      'stop',
      'detach',
      'attach',
      'keep-on-termination',
      'attach',
      'keep-on-termination',
    ]);
  });
});

describe('an application that does not answer', () => {
  it('is looked at from the interfaces inwards', () => {
    expect(kinds(['NOT_SERVING', 'ATTACHED'])).toEqual([
      'describe-interfaces',
      'describe-status',
      'describe-alarms',
      'console-output',
    ]);
  });
});

describe('an episode that stopped while everything rests together', () => {
  it('is looked at, and nothing is moved', () => {
    const together = { id: attachmentOf(data, a), instanceId: a, status: 'attached' } as const;
    expect(kinds(['NEEDS_HUMAN'], { attachmentOf: () => together })).toEqual([
      'describe-interfaces',
      'describe-status',
    ]);
  });
});

describe('a standby that may not take over', () => {
  it.each<[keyof typeof memberReasons, string | undefined]>([
    ['NO_SUCH_MEMBER', undefined],
    ['NOT_RUNNING', `start-instances --instance-ids ${c}`],
    ['CHECKS_FAILED', `reboot-instances --instance-ids ${c}`],
    ['UNKNOWN_HEALTH', `describe-instance-status --include-all-instances --instance-ids ${a} ${b} ${c}`],
    ['WRONG_AZ', `describe-instances --instance-ids ${c}`],
    ['INDEX_TAKEN', `Name=attachment.instance-id,Values=${c}`],
    ['LIMIT_REACHED', `Name=attachment.instance-id,Values=${c}`],
    ['QUARANTINED', `--instance-ids ${a} ${b} ${c}`],
    ['NOT_READY', `describe-alarms --alarm-types MetricAlarm CompositeAlarm --alarm-names 'replica lag'`],
    ['NOT_TAGGED', `create-tags --resources ${c} --tags Key=eni-failover,Value=managed`],
  ])('because of %s: %s', (code, expected) => {
    const told = commands(['NO_ELIGIBLE_STANDBY'], { refusals: [{ member: c, code, detail: 'x' }] });
    if (expected === undefined) expect(told).toHaveLength(2);
    else expect(told.join('\n')).toContain(expected);
  });
});

describe('every reason and outcome', () => {
  it.each([...Object.keys(reasons), ...Object.keys(outcomes)] as (ReasonCode | Outcome)[])(
    '%s names no id that is not known, and each step once',
    (code) => {
      const told = commands([code, code]);
      expect(new Set(told).size).toBe(told.length);
      expect(told.join('\n')).not.toMatch(/undefined|null/);
      const bare = { slots, attachmentOf: () => undefined };
      expect(toCommands(byHand([code], bare), '').join('\n')).not.toMatch(/undefined|null/);
    },
  );
  it('asks for nothing where nothing has to be done', () => {
    for (const code of ['COMPLETED', 'HOLDER_HEALTHY', 'LEASE_HELD'] as const)
      expect(byHand([code, undefined], scene)).toEqual([]);
  });
});

describe('a command', () => {
  it.each<[ByHand, string]>([
    [{ do: 'stop', instance: a }, `aws ec2 stop-instances --force --instance-ids ${a}`],
    [{ do: 'console-output', instance: a }, `aws ec2 get-console-output --instance-id ${a} --output text`],
    [{ do: 'describe-hook', command: 'c-1' }, 'aws ssm list-command-invocations --command-id c-1 --details'],
    [
      { do: 'describe-zone', zone },
      `aws ec2 describe-instance-status --include-all-instances --filters Name=availability-zone,Values=${zone} Name=instance-status.status,Values=impaired`,
    ],
    [
      { do: 'describe-alarms', alarms: ["it's red", 'plain'] },
      `aws cloudwatch describe-alarms --alarm-types MetricAlarm CompositeAlarm --alarm-names 'it'\\''s red' plain`,
    ],
    [
      { do: 'keep-on-termination', eni: data, attachment: 'eni-attach-1' },
      `aws ec2 modify-network-interface-attribute --network-interface-id ${data} --attachment "AttachmentId=eni-attach-1,DeleteOnTermination=false"`,
    ],
  ])('for %o is %s', (step, expected) => {
    expect(toCommand(step, '')).toBe(expected);
    expect(toCommand(step, 'eu-west-1')).toBe(`${expected} --region eu-west-1`);
  });
});
