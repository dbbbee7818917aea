/** What a person can do with the AWS CLI alone, for each reason and outcome: every id is in it. */
import { describe, expect, it } from 'vitest';
import {
  type ByHand,
  bringTo,
  isByHand,
  isInstead,
  toCommand,
  toCommands,
} from '../../shared/core/aws-commands.ts';
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
  it('is forced off where a plain detach hangs already', () => {
    const hanging = { id: attachmentOf(data, a), instanceId: a, status: 'detaching' } as const;
    const told = commands(['SPLIT'], {
      isSourceFailed: false,
      attachmentOf: (eni) => (eni === data ? hanging : undefined),
    });
    expect(told.filter((line) => line.includes(' detach-network-interface '))).toEqual([
      `aws ec2 detach-network-interface --attachment-id ${hanging.id} --force --region eu-central-1`,
    ]);
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

describe('an episode that needs a person', () => {
  const looks = ['describe-interfaces', 'describe-status'];
  const both = ['attach', 'keep-on-termination', 'attach', 'keep-on-termination'];
  const on = (eni: typeof data, instanceId: typeof a) =>
    ({ id: attachmentOf(eni, instanceId), instanceId, status: 'attached' }) as const;
  it.each<[string, ReasonCode | Outcome, Partial<Scene>, readonly string[]]>([
    [
      'is looked at where all rest together, and nothing is moved',
      'NEEDS_HUMAN',
      { attachmentOf: () => on(data, a) },
      looks,
    ],
    ['attaches what is on nothing', 'NEEDS_HUMAN', { attachmentOf: () => undefined }, [...looks, ...both]],
    [
      'brings together what is on two instances, of which one is right',
      'NEEDS_HUMAN',
      { attachmentOf: (eni) => (eni === data ? on(data, a) : on(admin, b)) },
      [...looks, 'detach', 'attach', 'keep-on-termination'],
    ],
    [
      'brings away what went back to an instance that has failed',
      'RETURNED_TO_SOURCE',
      {},
      [...looks, 'detach', ...both],
    ],
    ['leaves what went back to one that is well', 'RETURNED_TO_SOURCE', { isSourceFailed: false }, looks],
    ['looks at the failing zone', 'BRAKE', {}, ['describe-zone']],
    ['looks at who failed so often', 'BUDGET_SPENT', {}, [...looks, 'console-output']],
  ])('%s', (_fact, code, more, expected) => {
    expect(kinds([code], more)).toEqual(expected);
  });
  it('looks at the instance that it had to leave', () => {
    expect(commands(['GRACE_PERIOD'], { alarms: [] })).toEqual([
      `aws ec2 describe-instance-status --include-all-instances --instance-ids ${a} --region eu-central-1`,
      `aws ec2 get-console-output --instance-id ${a} --output text --region eu-central-1`,
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
      const steps = byHand([code], bare);
      expect(toCommands(steps, '').join('\n')).not.toMatch(/undefined|null/);
      // An option without its ids is an error, or a question about everything.
      expect(steps.flatMap((step) => Object.values(step)).filter((each) => each.length === 0)).toEqual([]);
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

describe('a step', () => {
  const slot = { eni: data, deviceIndex: 1, networkCardIndex: 0 };
  const steps: readonly ByHand[] = [
    { do: 'describe-status', instances: [a] },
    { do: 'start', instance: a },
    { do: 'stop', instance: a },
    { do: 'reboot', instance: a },
    { do: 'detach', eni: data, attachment: 'eni-attach-1', force: false },
    { do: 'attach', instance: b, ...slot },
    { do: 'keep-on-termination', eni: data },
  ];
  it('is done instead of the controller where it would do the same', () => {
    expect(steps.filter(isInstead).map((each) => each.do)).toEqual(['stop', 'detach', 'attach']);
  });
  it('is known again where it was stored, and nothing else is', () => {
    expect(steps.every(isByHand)).toBe(true);
    for (const other of [null, undefined, 'stop', 7, {}, { do: 'explode' }, { do: 'toString' }])
      expect(isByHand(other)).toBe(false);
  });
});
