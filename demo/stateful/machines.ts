/** Ends a member's process when its instance stops, as a machine would: no later than EC2 shows it stopped. */
import type { EventRecord, SandboxControl } from '../sandbox-control.ts';
import type { MemberProcess } from './member-process.ts';

export interface Machines {
  /** Looks now: whoever is stopped by EC2 is over when this returns. */
  catchUp(): Promise<void>;
  /** When the process behind an instance was gone; undefined while it lives. */
  endedAtMs(instanceId: string): number | undefined;
  stop(): void;
}

const lookEveryMs = 50;
/** How long a process lives on while its instance stops: EC2 takes a second at least to get it down. */
const livesOnMs = 600;

const down = new Set(['stopping', 'stopped', 'shutting-down', 'terminated']);
const over = new Set(['stopped', 'terminated']);

interface State {
  readonly instanceId: string;
  readonly state: string;
  readonly atMs: number;
}

function toStates(events: readonly EventRecord[]): readonly State[] {
  return events
    .filter(({ event }) => event['detail-type'] === 'EC2 Instance State-change Notification')
    .map(({ at, event }) => {
      const detail = event['detail'] as { readonly 'instance-id': string; readonly state: string };
      return { instanceId: detail['instance-id'], state: detail.state, atMs: Date.parse(at) };
    });
}

/** Instances whose processes are to be over by now. */
export function downAt(events: readonly EventRecord[], nowMs: number): readonly string[] {
  const states = toStates(events);
  return [
    ...new Set(
      states
        .filter(({ state, atMs }) => over.has(state) || (down.has(state) && nowMs - atMs >= livesOnMs))
        .map(({ instanceId }) => instanceId),
    ),
  ];
}

export function watchMachines(
  control: Pick<SandboxControl, 'events'>,
  processes: ReadonlyMap<string, MemberProcess>,
): Machines {
  const ended = new Map<string, number>();
  let isStopped = false;

  async function catchUp(): Promise<void> {
    for (const instanceId of downAt(await control.events(), Date.now())) {
      const member = processes.get(instanceId);
      if (member === undefined || ended.has(instanceId)) continue;
      await member.end();
      ended.set(instanceId, Date.now());
    }
  }

  let timer: NodeJS.Timeout | undefined;
  const watch = (): void => {
    // A look that fails is followed by the next one; the run itself notices where the sandbox has ended.
    const look = catchUp().catch(() => undefined);
    void look.then(() => {
      if (!isStopped) timer = setTimeout(watch, lookEveryMs);
    });
  };
  watch();
  return {
    catchUp,
    endedAtMs: (instanceId) => ended.get(instanceId),
    stop() {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}
