/** The ports of functions/audit: the trail to read, and nothing that could change anything. */
import type { AuditPorts } from '../app/audit.ts';
import type { Log } from '../app/ports.ts';
import { makeTableClient } from '../aws/clients.ts';
import { makeTrailTable } from '../aws/trail-table.ts';
import { realClock, realHash, retrying } from './clock.ts';
import type { AuditConfig } from './config.ts';
import { makeLogger, toLog } from './logger.ts';

export function composeAudit(config: AuditConfig): AuditPorts & { readonly log: Log } {
  return {
    trail: makeTrailTable(makeTableClient(), config.STATE_TABLE, retrying),
    hash: realHash,
    clock: realClock,
    log: toLog(makeLogger()),
  };
}
