/** What a scenario does to the account: each act is something that also happens on AWS. */
import { randomUUID } from 'node:crypto';
import { type Account, alarmName, type Host } from './account.ts';
import type { AwsEndpoint } from './aws-endpoint.ts';
import { viewInterfaces } from './identity.ts';
import type { Check, EventRecord, Fault, SandboxControl } from './sandbox-control.ts';
import type { StateTable } from './state-table.ts';
import { itemsAt, textAt } from './xml.ts';

/** What an act may reach for. */
export interface Stage {
  readonly aws: AwsEndpoint;
  readonly control: SandboxControl;
  readonly table: StateTable;
  readonly account: Account;
  /** By logical id of the template. */
  readonly resources: Readonly<Record<string, string>>;
  /** When the first deed was done. */
  readonly sinceMs: number;
}

export interface Act {
  readonly step: string;
  /** For the timeline; absent where the act shows in the sandbox's own logs. */
  readonly text: string;
  run(stage: Stage): Promise<void>;
}

const pollMs = 50;
const patienceMs = 10_000;

async function found<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const giveUpAtMs = Date.now() + patienceMs;
  for (;;) {
    const value = await look();
    if (value !== undefined) return value;
    if (Date.now() > giveUpAtMs) throw new Error(`${what} did not come`);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

export const impair = (host: Host, check: Check): Act => ({
  step: 'status-check',
  text: `the ${check} status check of ${host} fails`,
  run: ({ control, account }) => control.impair(account.instanceOf(host), check),
});

export const stop = (host: Host): Act => ({
  step: 'stop',
  text: `somebody stops ${host}`,
  async run({ aws, account }) {
    await aws.ec2('StopInstances', { InstanceId: [account.instanceOf(host)] });
  },
});

/** The next calls of the controller that match are refused, delayed or late. */
export const fault = (text: string, toFaults: (account: Account) => readonly Fault[]): Act => ({
  step: 'fault',
  text,
  async run({ control, account }) {
    for (const each of toFaults(account)) await control.addFault(each);
  },
});

const isAlarmOf = (host: Host, metric: string, sinceMs: number) => (record: EventRecord) => {
  const { alarmName: name } = (record.event['detail'] ?? {}) as { alarmName?: string };
  return Date.parse(record.at) >= sinceMs && name === alarmName(host, metric);
};

/** EC2 takes the order to stop it, and it does not stop. */
export const refuseToStop = (host: Host): Act => ({
  step: 'fault',
  text: `${host} will hang in stopping, however hard it is asked`,
  run: ({ control, account }) => control.stick(account.instanceOf(host)),
});

export const setAlarm = (name: string, state: 'OK' | 'ALARM', text: string): Act => ({
  step: 'alarm-state',
  text,
  async run({ aws }) {
    await aws.cloudWatch('SetAlarmState', { AlarmName: name, StateValue: state, StateReason: text });
  },
});

/** Two minutes before EC2 takes a spot instance back. */
export const interruptSpot = (host: Host): Act => ({
  step: 'announced',
  text: `EC2 announces that it takes back ${host}, a spot instance, in two minutes`,
  async run({ control, account }) {
    const instanceId = account.instanceOf(host);
    await control.putEvent({
      version: '0',
      id: randomUUID(),
      'detail-type': 'EC2 Spot Instance Interruption Warning',
      source: 'aws.ec2',
      account: '000000000000',
      time: new Date().toISOString(),
      region: account.zone.slice(0, -1),
      resources: [`arn:aws:ec2:${account.zone}:instance/${instanceId}`],
      detail: { 'instance-id': instanceId, 'instance-action': 'terminate' },
    });
  },
});

/** EventBridge delivers at least once: the same event, with the same id, some times more. */
export const repeatAlarm = (host: Host, metric: string, times: number): Act => ({
  step: 'event',
  text: `EventBridge delivers the alarm's event ${times} times more`,
  async run({ control, sinceMs }) {
    const record = await found("the alarm's event", async () =>
      (await control.events()).find(isAlarmOf(host, metric, sinceMs)),
    );
    for (let count = 0; count < times; count += 1) await control.putEvent(record.event);
  },
});

/** What an operator does who is quicker than the alarm: both interfaces, by EC2's own calls. */
export const moveByHand = (to: Host): Act => ({
  step: 'by-hand',
  text: `somebody moves both interfaces to ${to} by hand`,
  async run({ aws, account }) {
    const eniIds = account.interfaces.map((each) => each.eniId);
    const isDone = (ready: (attachment: string) => boolean) =>
      found('the move by hand', async () => {
        const views = await viewInterfaces(aws, eniIds);
        return views.every((view) => ready(view.attachment?.status ?? 'none')) || undefined;
      });
    const answer = await aws.ec2('DescribeNetworkInterfaces', { NetworkInterfaceId: eniIds });
    for (const item of itemsAt(answer, 'networkInterfaceSet')) {
      await aws.ec2('DetachNetworkInterface', { AttachmentId: textAt(item, 'attachment/attachmentId') });
    }
    await isDone((status) => status === 'none');
    for (const { eniId, deviceIndex } of account.interfaces) {
      await aws.ec2('AttachNetworkInterface', {
        NetworkInterfaceId: eniId,
        InstanceId: account.instanceOf(to),
        DeviceIndex: deviceIndex,
        NetworkCardIndex: 0,
      });
    }
    await isDone((status) => status === 'attached');
  },
});

/** A member that registration would have refused gets into the stored declaration all the same. */
export const addMemberToTable = (host: Host): Act => ({
  step: 'by-hand',
  text: `somebody adds ${host} to the declaration in the table, past the registration`,
  run: ({ table, account }) =>
    table.editDeclaration((declaration) => ({
      ...declaration,
      members: [...(declaration['members'] as readonly object[]), { instance: account.instanceOf(host) }],
    })),
});

/** The process of functions/failover dies with the nth such call done and its answer never heard. */
export const killAfter = (operation: string, times: number, service = 'ec2'): Act => ({
  step: 'fault',
  text: `functions/failover will be killed after ${operation}, call ${times}`,
  run: ({ control }) => control.killAfter('FailoverFunction', operation, times, service),
});

/** The sweep's schedule fires once a minute; here it is invoked as the schedule would, so that nobody waits. */
export const sweep = (): Act => ({
  step: 'sweep',
  text: 'the sweep is due (invoked now; its schedule fires every minute)',
  async run({ aws, resources }) {
    await aws.invoke(resources['SweepFunction'] ?? '', {
      source: 'aws.events',
      'detail-type': 'Scheduled Event',
      detail: {},
    });
  },
});
