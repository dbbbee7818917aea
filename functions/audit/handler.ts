/** The Lambda that people ask what happened: wiring only. It can read the state table and nothing else. */
import type { Context } from 'aws-lambda';
import type { UrlResponse } from '../../shared/core/url-response.ts';
import { composeAudit } from '../../shared/runtime/compose-audit.ts';
import { parseAuditConfig } from '../../shared/runtime/config.ts';
import { handle } from './handle.ts';

const ports = composeAudit(parseAuditConfig(process.env));

/** An answer that can be continued is given so long before Lambda would end it. */
const reserveMs = 3_000;

export const handler = (event: unknown, context: Context): Promise<UrlResponse> => {
  const deadlineMs = ports.clock.now() + context.getRemainingTimeInMillis() - reserveMs;
  return handle(event, { ...ports, deadlineMs });
};
