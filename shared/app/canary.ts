/** The hour's rehearsal: finds out by dry runs, before an outage does, that a permission or a tag is missing. */
import type { AttachmentId, ServiceName } from '../core/ids.ts';
import { attachmentsIn, whereabouts } from '../core/whereabouts.ts';
import { observe } from './observe.ts';
import type { Ports, Rehearsed } from './ports.ts';
import { readService, record } from './record.ts';
import type { Report } from './restore.ts';
import { refusalEntry } from './restore-records.ts';

/** Runs as functions/failover, whose role it is that will be asked. Changes nothing in EC2. */
export async function rehearse(ports: Ports, name: ServiceName): Promise<Report> {
  const report = (kind: Report['kind'], code: string, detail: string): Report => ({
    service: name,
    kind,
    code,
    detail,
  });
  const service = await readService(ports, name);
  if (!service || service.tombstone) return report('nothing', 'NO_SUCH_SERVICE', `${name} is not registered`);
  if (service.episode) return report('nothing', 'LEASE_HELD', 'an episode is open: it is the real thing');
  const observation = await observe(ports, service);
  const where = whereabouts(service, observation);
  if (where.kind !== 'together')
    return report('nothing', 'UNKNOWN_STATE', 'the interfaces do not rest together on one member');

  const standbys = service.declaration.members
    .map((each) => each.instance)
    .filter((id) => id !== where.holder);
  const attachments = attachmentsIn(service, observation);
  const orders = service.declaration.interfaces.flatMap(({ eni, deviceIndex, networkCardIndex }) => {
    // Together means that every one of them is attached.
    const attachment = attachments[eni] as AttachmentId;
    return standbys.map((instanceId) => ({ eni, attachment, instanceId, deviceIndex, networkCardIndex }));
  });
  // Once: whoever may stop the holder may stop any member.
  const stop = service.declaration.policy.fence === 'stop' ? where.holder : undefined;
  const denied: string[] = [];
  for (const [index, order] of orders.entries()) {
    const answers: readonly Rehearsed[] = await ports.ec2.rehearse(index === 0 ? { ...order, stop } : order);
    for (const { action, answer, detail } of answers) {
      const of = action === 'StopInstances' ? stop : `${order.eni} to ${order.instanceId}`;
      if (answer === 'denied') denied.push(`${action} of ${of}: ${detail}`);
    }
  }
  if (denied.length === 0) return report('nothing', 'HOLDER_HEALTHY', `rehearsed ${orders.length} moves`);

  const detail = denied.join('; ').slice(0, 1_000);
  const refusal = {
    kind: 'refuse',
    code: 'PERMISSION_DENIED',
    detail,
    members: [],
    callHuman: true,
  } as const;
  const entry = refusalEntry(ports, service, refusal);
  if (entry && (await record(ports, service, entry)) === 'conflict')
    return report('later', 'PERMISSION_DENIED', detail);
  return report('refused', 'PERMISSION_DENIED', detail);
}
