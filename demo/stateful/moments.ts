/** The moments that the dark time is split by, from the sandbox's own logs. */
import { type Facts, msOf } from '../facts.ts';
import type { EventRecord, SsmCommand } from '../sandbox-control.ts';
import { isController, isFailover } from '../timeline.ts';
import type { Moments, Span } from './dark-time.ts';
import { promoteDocument } from './guest-documents.ts';

const stateOf = ({ event }: EventRecord) =>
  event['detail-type'] === 'EC2 Instance State-change Notification'
    ? String((event['detail'] as { readonly state?: unknown }).state)
    : undefined;

const span = (fromMs: number | undefined, toMs: number | undefined): readonly Span[] =>
  fromMs === undefined ? [] : [{ fromMs, toMs: toMs ?? Number.POSITIVE_INFINITY }];

/** Stopping, detaching and attaching, each from the moment EC2 began it until it was done. */
function ec2Spans({ events, attachments }: Facts): readonly Span[] {
  const stateAt = (state: string) => {
    const record = events.find((each) => stateOf(each) === state);
    return record && msOf(record.at);
  };
  const ends = { detaching: 'detached', attaching: 'attached' } as const;
  const changes = attachments.flatMap((change): readonly Span[] => {
    const { status, attachmentId, at } = change;
    if (status !== 'detaching' && status !== 'attaching') return [];
    const end = attachments.find(
      (each) => each.attachmentId === attachmentId && each.status === ends[status],
    );
    return span(msOf(at), end && msOf(end.at));
  });
  return [...span(stateAt('stopping'), stateAt('stopped')), ...changes];
}

/** Every other call of the controller comes from somebody who holds the lease: who does not, asks EC2 nothing. */
function nobodyAtWork({ invocations, calls }: Facts): readonly Span[] {
  return invocations
    .filter((each) => isFailover(each.function) && each.outcome === 'exit')
    .flatMap(({ startedAt, initDurationMs, durationMs, accessKeyId }) => {
      const fromMs = msOf(startedAt) + (initDurationMs ?? 0) + (durationMs ?? 0);
      const next = calls.find(
        (call) => isController(call) && call.caller !== accessKeyId && call.atMs > fromMs,
      );
      return span(fromMs, next?.atMs);
    });
}

export function toMoments(facts: Facts, commands: readonly SsmCommand[]): Moments {
  const alarm = facts.events.find(({ event }) => event['detail-type'] === 'CloudWatch Alarm State Change');
  const promotion = commands.find(({ documentName }) => documentName === promoteDocument);
  return {
    alarmAtMs: alarm && msOf(alarm.at),
    promotionAtMs: promotion && msOf(promotion.at),
    ec2: ec2Spans(facts),
    nobody: nobodyAtWork(facts),
  };
}
