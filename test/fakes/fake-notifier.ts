/** The topic: keeps every notice that was published, with its time. */
import type { Notifier } from '../../shared/app/ports.ts';
import { PortError } from '../../shared/core/errors.ts';
import type { OutboxEntry } from '../../shared/core/state.ts';
import type { VirtualClock } from './virtual-clock.ts';

export interface Published extends OutboxEntry {
  readonly publishedAtMs: number;
}

export interface FakeNotifier extends Notifier {
  readonly published: readonly Published[];
  /** The notices with this outcome or reason code. */
  of(outcome: string): readonly Published[];
  /** Those that call a person. */
  pages(): readonly Published[];
  clear(): void;
  /** The next publications are refused. */
  fail(times?: number): void;
}

export function makeFakeNotifier(clock: VirtualClock): FakeNotifier {
  const published: Published[] = [];
  let failures = 0;
  return {
    published,
    of: (outcome) => published.filter((each) => each.attributes['outcome'] === outcome),
    pages: () => published.filter((each) => each.attributes['severity'] === 'critical'),
    clear: () => {
      published.length = 0;
    },
    fail: (times = 1) => {
      failures = times;
    },
    async publish(entry) {
      await clock.sleep(25);
      if (failures > 0) {
        failures -= 1;
        throw new PortError('unavailable', 'ServiceUnavailable', 'SNS does not answer');
      }
      published.push({ ...entry, publishedAtMs: clock.now() });
    },
  };
}
