/** The work queue: keeps what was sent until it is due, hands it out when asked, and forgets nothing by itself. */
import type { WorkQueue } from '../../shared/app/ports.ts';
import { PortError } from '../../shared/core/errors.ts';
import type { WorkMessage } from '../../shared/core/hint.ts';
import type { VirtualClock } from './virtual-clock.ts';

export interface Queued {
  readonly message: WorkMessage;
  readonly sentAtMs: number;
  readonly dueAtMs: number;
  readonly delayMs: number;
  readonly receives: number;
}

export interface FakeQueue extends WorkQueue {
  /** What waits, the next one first. */
  waiting(): readonly Queued[];
  /** Everything that was ever sent. */
  readonly sent: readonly Queued[];
  /** Takes the next message out, whenever it is due. */
  take(): Queued | undefined;
  /** Comes back when its visibility ends. */
  putBack(queued: Queued): void;
  clear(): void;
  /** The next sends are refused, or hang without ever being answered. */
  fail(how?: 'refused' | 'silent', times?: number): void;
}

const visibilityMs = 90_000;

export function makeFakeQueue(clock: VirtualClock): FakeQueue {
  let queue: Queued[] = [];
  const sent: Queued[] = [];
  let fault: { readonly how: 'refused' | 'silent'; left: number } | undefined;
  return {
    sent,
    waiting: () => queue.toSorted((a, b) => a.dueAtMs - b.dueAtMs),
    take() {
      const [next] = queue.toSorted((a, b) => a.dueAtMs - b.dueAtMs);
      queue = queue.filter((each) => each !== next);
      return next;
    },
    putBack: (queued) => {
      queue.push({ ...queued, dueAtMs: clock.now() + visibilityMs, receives: queued.receives + 1 });
    },
    clear: () => {
      queue = [];
      sent.length = 0;
    },
    fail: (how = 'refused', times = 1) => {
      fault = { how, left: times };
    },
    async send(message, delayMs) {
      await clock.sleep(15);
      if (fault && fault.left > 0) {
        fault.left -= 1;
        if (fault.how === 'silent') await new Promise(() => undefined);
        throw new PortError('unavailable', 'ServiceUnavailable', 'SQS does not answer');
      }
      const sentAtMs = clock.now();
      // Over the wire: what does not survive JSON does not survive the queue.
      const wired = JSON.parse(JSON.stringify(message)) as WorkMessage;
      const queued = { message: wired, sentAtMs, dueAtMs: sentAtMs + delayMs, delayMs, receives: 0 };
      queue.push(queued);
      sent.push(queued);
    },
  };
}
