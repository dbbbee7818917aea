/** Tells a scenario step by step, in order of time, from the sandbox's logs and the audit record. */
import type { Account } from './account.ts';
import { type Facts, firstOfEach, msOf, reportsOf } from './facts.ts';
import type { AttachmentChange, Ec2Call, EventRecord, Invocation, SnsMessage } from './sandbox-control.ts';
import { type Episode, type TrailRow, toRecord } from './state-table.ts';

export interface TimelineStep {
  /** The same step has the same key, however often the facts are read. */
  readonly key: string;
  readonly atMs: number;
  readonly step: string;
  readonly text: string;
  /** How long it took to come here; 0 where there is nothing to measure from. */
  readonly durationMs: number;
  readonly tone: 'plain' | 'trouble' | 'good';
}

type More = Partial<Pick<TimelineStep, 'durationMs' | 'tone'>>;

const toStep = (key: string, atMs: number, step: string, text: string, more: More = {}): TimelineStep => ({
  key: `${step} ${key}`,
  atMs,
  step,
  text,
  durationMs: 0,
  tone: 'plain',
  ...more,
});

/** The function that acts, by the name that the stack gave it. */
export const isFailover = (functionName: string) => /FailoverFunction$/.test(functionName);

/** The sandbox gives each function's process a key of its own; the demo and the command line have others. */
export const isController = ({ caller }: Pick<Ec2Call, 'caller'>) => caller.startsWith('AKIASANDBOX');

const textOf = (value: unknown) => (typeof value === 'string' ? value : '');

function stepsOfEvent({ at, event, deliveries }: EventRecord, index: number, facts: Facts): TimelineStep[] {
  const atMs = msOf(at);
  const key = String(index);
  const isCopy = facts.events.slice(0, index).some((each) => each.event['id'] === event['id']);
  if (isCopy) return [toStep(key, atMs, 'event', 'the same event, delivered once more')];
  const rules = deliveries.map(({ ruleArn, targetArn }) => {
    const rule = ruleArn.replace(/^.*[:/](?:eni-failover-)?(?:FailoverFunction)?/, '');
    const target = isFailover(targetArn) ? 'functions/failover' : targetArn.replace(/^.*:/, '');
    return toStep(`${key} ${rule}`, atMs, 'event', `rule ${rule} → ${target}`);
  });
  const detail = (event['detail'] ?? {}) as Record<string, unknown>;
  switch (event['detail-type']) {
    case 'CloudWatch Alarm State Change': {
      const [was, is] = [detail['previousState'], detail['state']].map((state) =>
        textOf((state as { value?: unknown } | undefined)?.value),
      );
      const failed = facts.deeds.find((deed) => deed.step === 'status-check');
      const isRed = is === 'ALARM';
      const more: More = isRed
        ? { tone: 'trouble', durationMs: failed ? Math.max(0, atMs - failed.atMs) : 0 }
        : {};
      return [toStep(key, atMs, 'alarm', `${textOf(detail['alarmName'])}: ${was} → ${is}`, more), ...rules];
    }
    case 'EC2 Instance State-change Notification': {
      const text = `${textOf(detail['instance-id'])} is ${textOf(detail['state'])}`;
      return [toStep(key, atMs, 'state-change', text), ...rules];
    }
    case 'EC2 Spot Instance Interruption Warning':
      return rules;
    default:
      return [];
  }
}

const triggers: Readonly<Record<string, string>> = {
  Event: 'event',
  SQS: 'work queue',
  RequestResponse: 'invoked',
};

/** What a function that threw left as its answer. */
function lastWords({ response }: Invocation): string {
  const { errorType, errorMessage } = (response?.startsWith('{') ? JSON.parse(response) : {}) as {
    errorType?: string;
    errorMessage?: string;
  };
  return [errorType, errorMessage].filter(Boolean).join(': ') || 'without a word';
}

function stepsOfInvocation(invocation: Invocation): TimelineStep[] {
  const { requestId, startedAt, durationMs, initDurationMs, outcome, trigger } = invocation;
  const startMs = msOf(startedAt);
  const key = `${requestId} ${startedAt}`;
  const name = isFailover(invocation.function) ? 'functions/failover' : 'functions/sweep';
  const how = [triggers[trigger] ?? trigger, ...(initDurationMs === null ? [] : ['cold start'])].join(', ');
  const start = toStep(key, startMs, 'function', `${name} starts (${how})`);
  if (outcome === 'running' || durationMs === null) return [start];
  const endMs = startMs + (initDurationMs ?? 0) + durationMs;
  if (outcome !== 'success') {
    const text = `${name} died (${outcome})${outcome === 'error' ? `: ${lastWords(invocation)}` : ''}`;
    return [start, toStep(`${key} end`, endMs, 'function', text, { durationMs, tone: 'trouble' })];
  }
  const words: Readonly<Record<string, string>> = { nothing: 'nothing to do', later: 'another look later' };
  // What ends in a record is told by the record.
  const told = reportsOf(invocation).filter(({ kind }) => !['closed', 'refused', 'recorded'].includes(kind));
  return [
    start,
    ...told.map(({ kind, code, detail }) => {
      const text =
        code === 'LEASE_HELD'
          ? `${code}: another one is at work`
          : `${words[kind] ?? kind}: ${code} (${detail})`;
      return toStep(`${key} ${code}`, endMs, 'answer', text, { durationMs });
    }),
  ];
}

/** Each change that the controller asks of EC2, and each call that it is refused. */
function stepsOfCall(call: Ec2Call, { history }: Facts): TimelineStep[] {
  if (!isController(call)) return [];
  const { operation, input, atMs, outcome, durationMs } = call;
  const isDone = outcome === 'ok';
  const tell = (step: string, what: string, ifDone: string) => [
    toStep(`${JSON.stringify(input)} ${atMs}`, atMs, step, isDone ? what + ifDone : `${what}: ${outcome}`, {
      durationMs,
      ...(isDone ? {} : { tone: 'trouble' }),
    }),
  ];
  switch (operation) {
    case 'DetachNetworkInterface': {
      const id = textOf(input['AttachmentId']);
      const place = history.find((each) => each.attachmentId === id);
      const what = place ? `${place.eniId} from ${place.instanceId}` : id;
      return tell('detach', what, input['Force'] === true ? ', forced' : '');
    }
    case 'AttachNetworkInterface': {
      const what = `${textOf(input['NetworkInterfaceId'])} to ${textOf(input['InstanceId'])}`;
      return tell('attach', what, `, device index ${String(input['DeviceIndex'])}`);
    }
    case 'StopInstances':
      return tell(
        'stop',
        [input['InstanceIds']].flat().map(textOf).join(', '),
        input['SkipOsShutdown'] === true ? ', forced, without its guest' : ', forced',
      );
    default:
      return isDone ? [] : tell('refused-call', operation, '');
  }
}

function stepsOfChange(change: AttachmentChange, { history }: Facts): TimelineStep[] {
  const { at, eniId, attachmentId, instanceId, status } = change;
  if (status !== 'attached' && status !== 'detached') return [];
  const began = history.findLast(
    (each) =>
      each.attachmentId === attachmentId &&
      each.status === (status === 'attached' ? 'attaching' : 'detaching'),
  );
  const durationMs = began ? msOf(at) - msOf(began.at) : 0;
  return status === 'attached'
    ? [toStep(attachmentId, msOf(at), status, `${eniId} is on ${instanceId}`, { durationMs, tone: 'good' })]
    : [toStep(attachmentId, msOf(at), status, `${eniId} has left ${instanceId}`, { durationMs })];
}

/** Notes of the controller that EC2's log tells with more detail. */
const toldElsewhere = /^(?:claimed|detach|detach-forced|attach|closed|steps-dropped)$/;

function stepsOfEpisode(episode: Episode, { invocations }: Facts): TimelineStep[] {
  const { id, kind, openedAtMs, plan, steps } = episode;
  const text = `${kind} of ${id.replace(/\.\d+$/, '')}, ${plan.source ?? 'nothing'} → ${plan.tried[0] ?? plan.target}`;
  const startMs = invocations
    .map((each) => msOf(each.startedAt))
    .filter((atMs) => atMs <= openedAtMs)
    .at(-1);
  return [
    toStep(id, openedAtMs, 'claimed', text, { durationMs: openedAtMs - (startMs ?? openedAtMs) }),
    ...steps
      .filter((each) => !toldElsewhere.test(each.step))
      .map(({ step, eni, detail, atMs, durationMs = 0 }) => {
        // A fence or a hook: begun, and in another line ended.
        const [, stage, half] = /^(.+)-(begun|ended)$/.exec(step) ?? [];
        const text = [eni, half === 'begun' ? `begins: ${detail}` : detail].filter(Boolean).join(': ');
        return toStep(`${id} ${eni ?? ''} ${atMs} ${half ?? ''}`, atMs, stage ?? step, text, { durationMs });
      }),
  ];
}

/** The controller's last look at the interfaces before it closed an episode: what it went by. */
export function verifiedAt(
  { attachments, calls }: Facts,
  closedAtMs: number,
): { readonly atMs: number; readonly durationMs: number } | undefined {
  const attachedAt = attachments.filter((each) => each.status === 'attached').map((each) => msOf(each.at));
  if (attachedAt.length === 0) return undefined;
  const lastAttachedAtMs = Math.max(...attachedAt);
  const atMs = calls
    .filter((call) => isController(call) && call.operation === 'DescribeNetworkInterfaces')
    .filter((call) => call.outcome === 'ok')
    .map((call) => call.atMs + call.durationMs)
    .findLast((answeredAtMs) => answeredAtMs >= lastAttachedAtMs && answeredAtMs <= closedAtMs);
  return atMs === undefined ? undefined : { atMs, durationMs: atMs - lastAttachedAtMs };
}

function stepsOfRecord(row: TrailRow, facts: Facts): TimelineStep[] {
  const record = toRecord(row);
  const key = String(row.number);
  const atMs = msOf(record.closedAt ?? record.at);
  if (record.kind === 'refusal' || record.kind === 'observed') {
    const step = record.kind === 'refusal' ? 'refused' : 'observed';
    return [toStep(key, atMs, step, `${record.code}: ${record.detail ?? ''}`, { tone: 'trouble' })];
  }
  if (record.kind !== 'episode') return [];
  const isDone = record.outcome === 'COMPLETED' || record.outcome === 'NOTHING_TO_DO';
  const seen = isDone ? verifiedAt(facts, atMs) : undefined;
  const where = record.episode?.plan.target ?? '';
  return [
    ...(seen
      ? [
          toStep(key, seen.atMs, 'verified', `every interface seen on ${where}`, {
            durationMs: seen.durationMs,
          }),
        ]
      : []),
    toStep(key, atMs, 'closed', `${record.outcome}, record ${row.number} of the audit trail`, {
      durationMs: atMs - (record.episode?.openedAtMs ?? atMs),
      tone: isDone ? 'good' : 'trouble',
    }),
  ];
}

function stepOfMessage(message: SnsMessage, index: number, { messages }: Facts): TimelineStep {
  const id = message.attributes['dedupeId'];
  const isCopy = messages.slice(0, index).some((each) => each.attributes['dedupeId'] === id);
  const text = isCopy ? 'the same notice once more' : (message.subject ?? '');
  return toStep(String(index), msOf(message.at), 'notice', text.replace(/^\[eni-failover\] /, ''));
}

/** Every step so far, oldest first, with names in place of ids. */
export function toSteps(
  facts: Facts,
  account: Pick<Account, 'named'>,
  sinceMs: number,
): readonly TimelineStep[] {
  const rows = facts.trail.filter((row) => row.atMs >= sinceMs);
  const episodes = [...rows.map((row) => toRecord(row).episode), facts.item?.episode].flatMap(
    (episode) => episode ?? [],
  );
  const steps: TimelineStep[] = [
    ...facts.deeds.map(({ atMs, step, text }, index) =>
      toStep(`deed ${index}`, atMs, step, text, { tone: 'trouble' }),
    ),
    ...facts.events.flatMap((event, index) => stepsOfEvent(event, index, facts)),
    ...facts.invocations.flatMap(stepsOfInvocation),
    ...episodes.flatMap((episode) => stepsOfEpisode(episode, facts)),
    ...facts.calls.flatMap((call) => stepsOfCall(call, facts)),
    ...facts.attachments.flatMap((change) => stepsOfChange(change, facts)),
    ...rows.flatMap((row) => stepsOfRecord(row, facts)),
    ...facts.messages.map((message, index) => stepOfMessage(message, index, facts)),
  ];
  // An episode that was just closed is for a moment both in the item and in the trail.
  return firstOfEach(steps, (step) => step.key)
    .map((step) => ({ ...step, text: account.named(step.text) }))
    .toSorted((one, other) => one.atMs - other.atMs);
}
