/** Everything that the sandbox and the controller's table say about a scenario, read at one moment. */
import type {
  AttachmentChange,
  Ec2Call,
  EventRecord,
  Invocation,
  SandboxControl,
  SnsMessage,
} from './sandbox-control.ts';
import type { ServiceItem, StateTable, TrailRow } from './state-table.ts';

/** Something that the demo itself did to bring the story about. */
export interface Deed {
  readonly atMs: number;
  readonly step: string;
  readonly text: string;
}

export interface Facts {
  readonly deeds: readonly Deed[];
  readonly calls: readonly Ec2Call[];
  readonly attachments: readonly AttachmentChange[];
  /** Every change of an attachment, those before the clock started included. */
  readonly history: readonly AttachmentChange[];
  readonly events: readonly EventRecord[];
  readonly invocations: readonly Invocation[];
  readonly messages: readonly SnsMessage[];
  readonly item: ServiceItem | undefined;
  readonly trail: readonly TrailRow[];
}

export const msOf = (at: string) => Date.parse(at);

/** Without those that have the key of one before them. */
export function firstOfEach<T>(list: readonly T[], keyOf: (item: T) => string): readonly T[] {
  const seen = new Set<string>();
  return list.filter((item) => {
    const isNew = !seen.has(keyOf(item));
    seen.add(keyOf(item));
    return isNew;
  });
}

/** Where facts are read. */
export interface Sources {
  readonly control: SandboxControl;
  readonly table: StateTable;
}

/** What happened before a moment left out: the account was built, the service registered. */
export async function readFacts(
  { control, table }: Sources,
  deeds: readonly Deed[],
  sinceMs: number,
): Promise<Facts> {
  const [item, trail, calls, attachments, events, invocations, messages] = await Promise.all([
    table.item(),
    table.trail(),
    control.calls(),
    control.attachments(),
    control.events(),
    control.invocations(),
    control.messages(),
  ]);
  return {
    deeds,
    item,
    trail,
    history: attachments,
    calls: calls.filter((each) => each.atMs >= sinceMs),
    attachments: attachments.filter((each) => msOf(each.at) >= sinceMs),
    events: events.filter((each) => msOf(each.at) >= sinceMs),
    invocations: invocations.filter((each) => msOf(each.startedAt) >= sinceMs),
    messages: messages.filter((each) => msOf(each.at) >= sinceMs),
  };
}

export interface Report {
  readonly kind: string;
  readonly code: string;
  readonly detail: string;
}

/** What an invocation of functions/failover answered about the services that it looked at. */
export function reportsOf(invocation: Invocation): readonly Report[] {
  if (invocation.outcome !== 'success' || invocation.response === null) return [];
  const answer: unknown = JSON.parse(invocation.response);
  const { reports } = (answer ?? {}) as { reports?: readonly Report[] };
  return reports ?? [];
}

export interface Transition {
  readonly eniId: string;
  readonly instanceId: string;
  readonly status: 'attaching' | 'detaching';
  readonly sinceMs: number;
}

/** The interfaces that EC2 is busy with. */
export function underway({ attachments }: Facts): readonly Transition[] {
  const last = new Map(attachments.map((change) => [change.eniId, change]));
  return [...last.values()].flatMap(({ eniId, instanceId, status, at }) =>
    status === 'attaching' || status === 'detaching'
      ? [{ eniId, instanceId, status, sinceMs: msOf(at) }]
      : [],
  );
}

/** Nothing is under way any more: no delivery, no invocation, no transition, no open episode, no undelivered notice. */
export function isQuiet(facts: Facts): boolean {
  const { events, invocations, item } = facts;
  const deliveries = events.flatMap((each) => each.deliveries);
  const delivered = deliveries.filter((each) => each.status === 'delivered').length;
  const invoked = new Set(
    invocations.filter((each) => each.trigger === 'Event').map((each) => each.requestId),
  );
  return (
    deliveries.every((each) => each.status !== 'pending') &&
    invoked.size >= delivered &&
    invocations.every((each) => each.outcome !== 'running') &&
    underway(facts).length === 0 &&
    (item === undefined ||
      (item.episode === undefined && item.frozen === undefined && item.outbox.length === 0))
  );
}
