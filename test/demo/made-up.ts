/** Facts of a scenario as a sandbox would tell them, made up by hand: one interface detached, attached and told of. */
import { createHash } from 'node:crypto';
import type { Account } from '../../demo/account.ts';
import type { Facts } from '../../demo/facts.ts';
import type { InterfaceView } from '../../demo/identity.ts';
import type { AttachmentChange, Ec2Call } from '../../demo/sandbox-control.ts';
import type { Look } from '../../demo/screen.ts';
import type { TrailRow } from '../../demo/state-table.ts';

/** When the clock of every made-up story starts. */
export const startMs = Date.parse('2026-11-21T02:00:00.000Z');
export const at = (ms: number) => new Date(startMs + ms).toISOString();

const [front, management] = ['eni-0000000000000000f', 'eni-0000000000000000a'] as const;
const [first, second] = ['i-00000000000000001', 'i-00000000000000002'] as const;
export const ids = { front, management, first, second };

const names: Readonly<Record<string, string>> = {
  [front]: 'front',
  [management]: 'management',
  [first]: 'db-a',
  [second]: 'db-b',
};

export const account: Account = {
  service: 'orders-db',
  zone: 'us-east-1a',
  members: [
    { host: 'db-a', instanceId: first, zone: 'us-east-1a' },
    { host: 'db-b', instanceId: second, zone: 'us-east-1a' },
  ],
  interfaces: [
    { name: 'front', eniId: front, deviceIndex: 1 },
    { name: 'management', eniId: management, deviceIndex: 2 },
  ],
  instanceOf: (host) => (host === 'db-a' ? first : second),
  eniOf: (name) => (name === 'front' ? front : management),
  nameOf: (id) => names[id] ?? id,
  named: (text) => text.replace(/\b(?:eni|i)-[0-9a-f]{17}\b/g, (id) => names[id] ?? id),
};

export const view = (change: Partial<InterfaceView> = {}): InterfaceView => ({
  eniId: front,
  macAddress: '02:00:00:00:00:01',
  privateAddresses: ['10.0.1.10', '10.0.1.11'],
  elasticIps: ['198.18.0.20'],
  securityGroups: [{ id: 'sg-1', name: 'orders-db-front' }],
  sourceDestCheck: false,
  attachment: { instanceId: first, status: 'attached', deviceIndex: 1, deleteOnTermination: false },
  ...change,
});

export const change = (
  ms: number,
  status: AttachmentChange['status'],
  more: Partial<AttachmentChange> = {},
): AttachmentChange => ({
  at: at(ms),
  eniId: front,
  attachmentId: status.startsWith('detach') ? 'eni-attach-old' : 'eni-attach-new',
  instanceId: status.startsWith('detach') ? first : second,
  status,
  ...more,
});

const failover = 'AKIASANDBOXENIFAILOVERFAILOVERFUNCTION0001';

export const call = (ms: number, operation: string, more: Partial<Ec2Call> = {}): Ec2Call => ({
  atMs: startMs + ms,
  operation,
  input: {},
  caller: failover,
  outcome: 'ok',
  durationMs: 100,
  ...more,
});

/** A chain as the controller writes it. */
export function chain(...bodies: readonly Readonly<Record<string, unknown>>[]): TrailRow[] {
  let previous = '';
  return bodies.map((facts, index) => {
    const number = index + 1;
    const record = { kind: 'change', at: at(0), number, previous, ...facts };
    const body = JSON.stringify(record);
    previous = createHash('sha256').update(body).digest('hex');
    return { number, kind: record.kind, atMs: Date.parse(record.at), body, hash: previous };
  });
}

export function facts(more: Partial<Facts> = {}): Facts {
  const attachments = more.attachments ?? [];
  return {
    deeds: [],
    calls: [],
    attachments,
    history: attachments,
    events: [],
    invocations: [],
    messages: [],
    item: undefined,
    trail: [],
    ...more,
  };
}

/** Shows where paint would be: `<red>text</red>`. */
export const marked = (columns: number): Look => ({
  columns,
  paint: (style, text) => `<${style}>${text}</${style}>`,
});
export const plain = (columns: number): Look => ({ columns, paint: (_, text) => text });
