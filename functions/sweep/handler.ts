/** The Lambda that looks at every service each minute: wiring and metrics only. It may not change EC2. */
import { emptyMemory, sweep } from '../../shared/app/sweep.ts';
import { composeSweep } from '../../shared/runtime/compose.ts';
import { parseConfig } from '../../shared/runtime/config.ts';
import { publishSweep } from '../../shared/runtime/metrics.ts';

const { ports, fleet } = composeSweep(parseConfig(process.env), process.env['FAILOVER_FUNCTION']);
const memory = emptyMemory();

export const handler = async () => {
  const startedAtMs = ports.clock.now();
  const report = await sweep(ports, fleet, memory);
  publishSweep(report, ports.clock.now() - startedAtMs);
  ports.log.info('swept', { ...report });
  return report;
};
