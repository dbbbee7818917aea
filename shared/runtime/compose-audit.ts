/** The ports of functions/audit: the trail to read, and nothing that could change anything. */
import type { AuditPorts } from '../app/audit.ts';
import type { Log } from '../app/ports.ts';
import { makeClients } from '../aws/clients.ts';
import { makeTrailTable } from '../aws/trail-table.ts';
import { realClock, realHash } from './clock.ts';
import { retrying } from './compose.ts';
import type { AuditConfig } from './config.ts';
import { makeLogger, toLog } from './logger.ts';

export function composeAudit(config: AuditConfig): AuditPorts & { readonly log: Log } {
  const { dynamodb } = makeClients();
  return {
    trail: makeTrailTable(dynamodb, config.STATE_TABLE, retrying),
    hash: realHash,
    clock: realClock,
    log: toLog(makeLogger()),
  };
}
