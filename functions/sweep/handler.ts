/** The Lambda that looks at every service each minute: wiring and metrics only. It may not change EC2. */
import type { Context } from 'aws-lambda';
import { emptyMemory, sweep } from '../../shared/app/sweep.ts';
import { newRun } from '../../shared/runtime/compose.ts';
import { composeSweep } from '../../shared/runtime/compose-sweep.ts';
import { parseConfig } from '../../shared/runtime/config.ts';
import { publishSweep } from '../../shared/runtime/metrics.ts';

const { ports, fleet } = composeSweep(parseConfig(process.env), process.env['FAILOVER_FUNCTION']);
const memory = emptyMemory();

export const handler = async (_event: unknown, context: Context) => {
  const startedAtMs = ports.clock.now();
  const { deadlineMs } = newRun(context.getRemainingTimeInMillis());
  const report = await sweep(ports, fleet, memory, deadlineMs);
  publishSweep(report, ports.clock.now() - startedAtMs);
  ports.log.info('swept', { ...report });
  return report;
};
