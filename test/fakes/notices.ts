/** A notice that waits in an outbox, for tests to which it does not matter what it says. */
import type { OutboxEntry } from '../../shared/core/notice.ts';

export const waitingNotice = (dedupeId: string, more: Partial<OutboxEntry> = {}): OutboxEntry => ({
  dedupeId,
  atMs: 0,
  keep: true,
  service: 'orders-db',
  kind: 'change',
  outcome: 'CHANGED',
  severity: 'info',
  headline: 'it is so',
  lines: [],
  next: [],
  data: {},
  ...more,
});
