/** What a person can do with the AWS CLI where the controller does not: each call as data, and as a line to paste. */
import type { Attachment } from './observation.ts';

export type ByHand =
  | { readonly do: 'describe-interfaces'; readonly enis: readonly string[] }
  | { readonly do: 'describe-interfaces-of'; readonly instances: readonly string[] }
  | { readonly do: 'describe-instances'; readonly instances: readonly string[] }
  | { readonly do: 'describe-status'; readonly instances: readonly string[] }
  | { readonly do: 'describe-zone'; readonly zone: string }
  | { readonly do: 'describe-alarms'; readonly alarms: readonly string[] }
  | { readonly do: 'describe-hook'; readonly command: string }
  | { readonly do: 'console-output'; readonly instance: string }
  | { readonly do: 'start'; readonly instance: string }
  | { readonly do: 'stop'; readonly instance: string }
  | { readonly do: 'reboot'; readonly instance: string }
  | { readonly do: 'tag'; readonly resources: readonly string[] }
  | { readonly do: 'detach'; readonly eni: string; readonly attachment: string; readonly force: boolean }
  | ({ readonly do: 'attach'; readonly instance: string } & Slot)
  /** Without the attachment: the one that it has by then. */
  | { readonly do: 'keep-on-termination'; readonly eni: string; readonly attachment?: string };

/** An interface and the place that it takes on whoever holds it. */
export interface Slot {
  readonly eni: string;
  readonly deviceIndex: number;
  readonly networkCardIndex: number;
}

/** Whether a person does it beside the controller or instead of it: then it had better be paused. */
const sides = {
  'describe-interfaces': 'beside',
  'describe-interfaces-of': 'beside',
  'describe-instances': 'beside',
  'describe-status': 'beside',
  'describe-zone': 'beside',
  'describe-alarms': 'beside',
  'describe-hook': 'beside',
  'console-output': 'beside',
  start: 'beside',
  stop: 'instead',
  reboot: 'beside',
  tag: 'beside',
  detach: 'instead',
  attach: 'instead',
  'keep-on-termination': 'beside',
} as const satisfies Record<ByHand['do'], 'beside' | 'instead'>;

export const isInstead = (step: ByHand) => sides[step.do] === 'instead';

export const isByHand = (value: unknown): value is ByHand =>
  typeof value === 'object' && value !== null && 'do' in value && Object.hasOwn(sides, String(value.do));

/** As a shell takes it: quoted only where it must be. */
const word = (text: string) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);
const words = (list: readonly string[]) => list.map(word).join(' ');

const alarmName = (alarm: string) =>
  alarm.slice(alarm.indexOf(':alarm:') < 0 ? 0 : alarm.indexOf(':alarm:') + 7);

const attachmentColumns = `--query 'NetworkInterfaces[].[NetworkInterfaceId,Status,Attachment.InstanceId,Attachment.AttachmentId,Attachment.Status]' --output table`;

function lineOf(step: ByHand, region: string): string {
  switch (step.do) {
    case 'describe-interfaces':
      return `ec2 describe-network-interfaces --network-interface-ids ${words(step.enis)} ${attachmentColumns}`;
    case 'describe-interfaces-of':
      return `ec2 describe-network-interfaces --filters Name=attachment.instance-id,Values=${step.instances.join(',')} ${attachmentColumns}`;
    case 'describe-instances':
      return `ec2 describe-instances --instance-ids ${words(step.instances)} --query 'Reservations[].Instances[].[InstanceId,State.Name,InstanceType,Placement.AvailabilityZone]' --output table`;
    case 'describe-status':
      return `ec2 describe-instance-status --include-all-instances --instance-ids ${words(step.instances)}`;
    case 'describe-zone':
      return `ec2 describe-instance-status --include-all-instances --filters Name=availability-zone,Values=${step.zone} Name=instance-status.status,Values=impaired`;
    case 'describe-alarms':
      return `cloudwatch describe-alarms --alarm-types MetricAlarm CompositeAlarm --alarm-names ${words(step.alarms.map(alarmName))}`;
    case 'describe-hook':
      return `ssm list-command-invocations --command-id ${word(step.command)} --details`;
    case 'console-output':
      return `ec2 get-console-output --instance-id ${step.instance} --output text`;
    case 'start':
      return `ec2 start-instances --instance-ids ${step.instance}`;
    case 'stop':
      return `ec2 stop-instances --force --instance-ids ${step.instance}`;
    case 'reboot':
      return `ec2 reboot-instances --instance-ids ${step.instance}`;
    case 'tag':
      return `ec2 create-tags --resources ${words(step.resources)} --tags Key=eni-failover,Value=managed`;
    case 'detach':
      return `ec2 detach-network-interface --attachment-id ${step.attachment}${step.force ? ' --force' : ''}`;
    case 'attach':
      return `ec2 attach-network-interface --network-interface-id ${step.eni} --instance-id ${step.instance} --device-index ${step.deviceIndex} --network-card-index ${step.networkCardIndex}`;
    case 'keep-on-termination': {
      const found = `$(aws ec2 describe-network-interfaces --network-interface-ids ${step.eni} --query 'NetworkInterfaces[0].Attachment.AttachmentId' --output text${at(region)})`;
      const which = step.attachment ?? found;
      return `ec2 modify-network-interface-attribute --network-interface-id ${step.eni} --attachment "AttachmentId=${which},DeleteOnTermination=false"`;
    }
  }
}

const at = (region: string) => (region === '' ? '' : ` --region ${region}`);

/** One line for a shell, with every id in it. */
export const toCommand = (step: ByHand, region: string) => `aws ${lineOf(step, region)}${at(region)}`;

/** Waits until EC2 will attach what was detached. */
const waits = (eni: string, region: string) =>
  `aws ec2 wait network-interface-available --network-interface-ids ${eni}${at(region)}`;

/** The lines in order; what was detached is waited for together, before the first call that needs it. */
export function toCommands(steps: readonly ByHand[], region: string): readonly string[] {
  const lines: string[] = [];
  const leaving: string[] = [];
  for (const step of steps) {
    if (step.do === 'detach') leaving.push(step.eni);
    else lines.push(...leaving.splice(0).map((eni) => waits(eni, region)));
    lines.push(toCommand(step, region));
  }
  return [...lines, ...leaving.map((eni) => waits(eni, region))];
}

/**
 * Brings interfaces to one instance: what is there already stays, what is elsewhere is detached first, all of it
 * at once. An interface of which nothing is known is only attached: EC2 refuses that while it is in use.
 */
export function bringTo(
  target: string,
  slots: readonly Slot[],
  attachmentOf: (eni: string) => Pick<Attachment, 'id' | 'instanceId' | 'status'> | undefined,
  force: boolean,
): readonly ByHand[] {
  const coming = slots.flatMap((slot) => {
    const shown = attachmentOf(slot.eni);
    const now = shown?.status === 'detached' ? undefined : shown;
    return now?.instanceId === target && now.status !== 'detaching' ? [] : [{ ...slot, now }];
  });
  return [
    ...coming.flatMap(({ eni, now }): readonly ByHand[] =>
      // A plain detach that hangs has to be forced: to send it plainly again changes nothing.
      now ? [{ do: 'detach', eni, attachment: now.id, force: force || now.status === 'detaching' }] : [],
    ),
    ...coming.flatMap(({ eni, deviceIndex, networkCardIndex }): readonly ByHand[] => [
      { do: 'attach', eni, instance: target, deviceIndex, networkCardIndex },
      { do: 'keep-on-termination', eni },
    ]),
  ];
}
