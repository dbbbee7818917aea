/** The topic: keeps every notice that was published, with its time. */
import type { Notifier } from '../../shared/app/ports.ts';
import { placeOf } from '../../shared/core/console-links.ts';
import { PortError } from '../../shared/core/errors.ts';
import { type OutboxEntry, type Publication, toPublication } from '../../shared/core/notice.ts';
import type { VirtualClock } from './virtual-clock.ts';

export interface Published extends Omit<OutboxEntry, 'text'>, Publication {
  /** What a person reads. */
  readonly body: string;
  readonly publishedAtMs: number;
}

/** A notice as it is stored, and as it is read. */
export function told(entry: OutboxEntry) {
  const publication = toPublication(entry, place);
  return { ...entry, ...publication, body: publication.text };
}

const place = placeOf('arn:aws:sns:us-east-1:123456789012:notices');

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
      published.push({ ...told(entry), publishedAtMs: clock.now() });
    },
  };
}
