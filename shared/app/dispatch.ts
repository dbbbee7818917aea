/** From what an event names to the services that it may concern, and one `restore` for each of them. */
import { messageOf } from '../core/errors.ts';
import type { EventHint } from '../core/hint.ts';
import type { ServiceName } from '../core/ids.ts';
import type { Ports, Run } from './ports.ts';
import { type Report, restore } from './restore.ts';

/** The services behind a hint, by consistent reads. A stale way back is harmless: the service item decides. */
export async function servicesFor(ports: Ports, hint: EventHint): Promise<readonly ServiceName[]> {
  const { store } = ports;
  const instances = hint.kind === 'state-change' ? [hint.instanceId] : hint.instanceIds;
  const found = await Promise.all([
    ...instances.map((id) => store.servicesOfInstance(id)),
    ...(hint.kind === 'alarm' ? [store.servicesOfAlarm(hint.alarmArn)] : []),
  ]);
  return [...new Set(found.flat())];
}

/**
 * Looks at every service that a hint may concern, all at once; one that fails does not stop the others.
 * Throws {@link AggregateError} afterwards if any could not be looked at, so that the event is delivered again.
 */
export async function dispatch(
  ports: Ports,
  hint: EventHint,
  names: readonly ServiceName[],
  run: Run,
): Promise<readonly Report[]> {
  if (names.length === 0)
    ports.log.info('nothing is registered for what the event names', { code: 'NO_SUCH_SERVICE', ...hint });
  const results = await Promise.allSettled(
    names.map((service) => restore(ports, { service, hint, look: 0 }, run)),
  );
  const reports: Report[] = [];
  const failures: unknown[] = [];
  for (const each of results)
    if (each.status === 'fulfilled') reports.push(each.value);
    else failures.push(each.reason);
  if (failures.length > 0)
    throw new AggregateError(failures, `not looked at: ${failures.map(messageOf).join('; ')}`);
  return reports;
}
