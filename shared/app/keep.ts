/** Sets DeleteOnTermination to false under a lease, and records it: a mutation like any other, but nothing moves. */
import type { Decision } from '../core/decision.ts';
import type { Service } from '../core/state.ts';
import { times } from '../core/times.ts';
import { deliver } from './deliver.ts';
import type { Journal } from './journal.ts';
import type { Ports } from './ports.ts';
import { freezeThrough, withEntry } from './record.ts';
import { isTellingAgain, keptEntry } from './restore-records.ts';

type Keep = Extract<Decision, { kind: 'keep' }>;

export interface Kept {
  readonly kind: 'recorded' | 'refused' | 'handed-over';
  readonly code: string;
  readonly detail: string;
}

/** Acts under the journal's lease and ends it. Undefined: the lease is too short by now, and nothing was done. */
export async function keepOnTermination(
  ports: Ports,
  journal: Journal,
  service: Service,
  { attachments }: Keep,
): Promise<Kept | undefined> {
  try {
    // P6
    if (!journal.covers(times.ec2TimeoutMs)) return undefined;
    const answers = await Promise.all(
      attachments.map(async ({ eni, attachment }) => ({
        eni,
        attachment,
        answer: await ports.ec2.keepOnTermination(eni, attachment),
      })),
    );
    const code = 'KEPT_ON_TERMINATION';
    if (isTellingAgain(service, answers)) {
      await journal.commit(({ lease: _, ...item }) => item);
      return { kind: 'refused', code, detail: 'EC2 will not, and people know' };
    }
    const entry = keptEntry(ports, service, answers);
    const written = await freezeThrough(ports, journal, ({ lease: _, ...item }) =>
      withEntry(ports, item, entry),
    );
    if (written !== 'written') {
      const detail = 'DeleteOnTermination was set, but not recorded';
      return { kind: 'handed-over', code: 'UNKNOWN_STATE', detail };
    }
    await deliver(ports, journal.service());
    const isDone = answers.every((each) => each.answer === 'done');
    const detail = answers.map((each) => `${each.eni} ${each.answer}`).join(', ');
    return { kind: isDone ? 'recorded' : 'refused', code, detail };
  } finally {
    await journal.stop();
  }
}
