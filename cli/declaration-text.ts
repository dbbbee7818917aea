/** A drafted declaration as YAML with comments: what was found, and what may be declared beside it. Pure. */
import type { Draft } from '../shared/app/draft.ts';

const nameOf = (arn: string) => arn.slice(arn.indexOf(':alarm:') + ':alarm:'.length);

function addressesOf({ placed }: Draft['interfaces'][number]): string {
  if (!placed) return '';
  const elastic = placed.publicAddresses.map(({ address, kind }) =>
    kind === 'elastic' ? `Elastic IP ${address}` : `${address} (does not travel: no Elastic IP)`,
  );
  return [...placed.addresses, ...elastic].join(', ');
}

function alarmLines({ instance, alarms }: Draft['members'][number]): readonly string[] {
  if (alarms.kind !== 'known')
    return [
      `  # ${instance}: its alarms could not be read (${alarms.kind === 'unknown' ? alarms.why : 'none'})`,
    ];
  if (alarms.value.length === 0)
    return [`  # ${instance}: no alarm on its status checks; a failed one counts after policy.confirm only`];
  return alarms.value.map(({ arn, metric }) => `  # ${instance}: alarm ${nameOf(arn)} (${metric})`);
}

/** `- key: value  # remark`, the remarks of a list in one column. */
function remarked(lines: readonly (readonly [text: string, remark: string])[]): readonly string[] {
  const width = Math.max(...lines.map(([text]) => text.length));
  return lines.map(([text, remark]) => (remark ? `${text.padEnd(width)}  # ${remark}` : text));
}

export function declarationText({ name, holder, interfaces, members }: Draft): string {
  return [
    '# A service: what moves, between which instances, and when. Every key: docs/cli.md.',
    `name: ${name}`,
    '# description: what it is, and whom it hurts when it is down',
    '# contacts: [on-call@example.com]',
    '',
    '# What moves, all together, and the device index that it takes on a member.',
    'interfaces:',
    ...interfaces.flatMap((each) =>
      remarked([
        [`  - eni: ${each.eni}`, addressesOf(each)],
        [`    deviceIndex: ${each.deviceIndex}`, 'where it is now; must be free on every member'],
        ...(each.networkCardIndex > 0
          ? [[`    networkCardIndex: ${each.networkCardIndex}`, ''] as const]
          : []),
      ]),
    ),
    '',
    '# Who may hold it, in order of preference.',
    'members:',
    ...remarked(
      members.map(({ instance, instanceType, availabilityZone }) => [
        `  - instance: ${instance}`,
        `${instanceType} in ${availabilityZone}${instance === holder ? ', holds it now' : ''}`,
      ]),
    ),
    '    # readyWhen: [alarm ARN, …]   all OK, or the member is not taken: replica lag, for one',
    '',
    '# What says that the holder has failed.',
    'signals:',
    '  # Alarms on EC2 status checks are heard of by themselves. Found:',
    ...members.flatMap(alarmLines),
    '  statusChecks: true',
    '  stateChanges: true',
    '  # alarms: [{arn: …}]           your own: the service does not answer',
    '',
    'policy:',
    '  mode: act       # observe: says what it would do, and moves nothing',
    '  confirm: 3m     # how long a check must have failed to count without an alarm',
    '',
  ].join('\n');
}
