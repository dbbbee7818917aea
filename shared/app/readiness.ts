/** Whether a failover would work if it were needed now: told when it is lost and when it is regained. */
import type { Candidates } from '../core/eligibility.ts';
import { refusalsOf } from '../core/eligibility.ts';
import type { ServiceName } from '../core/ids.ts';
import { toNotice } from '../core/notice.ts';
import type { Observation } from '../core/observation.ts';
import { describeMember } from '../core/reasons.ts';
import type { Quarantine, Service } from '../core/state.ts';
import type { Ports } from './ports.ts';
import { readService, record } from './record.ts';

/** Records and tells a change of readiness; writes nothing, and says so, when it is as it was. */
export async function tellReadiness(
  ports: Ports,
  name: ServiceName,
  notReady: string | undefined,
  standbys: Candidates,
): Promise<boolean> {
  // Read anew: the quarantine may just have been written.
  const service = await readService(ports, name);
  if (!service || service.episode || service.notReady === notReady) return false;
  const nowMs = ports.clock.now();
  const lost = notReady !== undefined;
  const lines = standbys.refused.map(describeMember);
  const recorded = await record(ports, service, {
    draft: {
      kind: 'readiness',
      atMs: nowMs,
      author: 'eni-failover',
      facts: { ready: !lost, code: notReady ?? 'READY', members: standbys.refused },
      instances: [],
      enis: [],
    },
    change: ({ notReady: _, ...state }) => ({ ...state, ...(lost && { notReady }) }),
    notice: ({ number, hash }) =>
      toNotice(
        {
          service: name,
          outcome: lost ? 'NOT_READY' : 'READY',
          severity: lost ? 'warning' : 'info',
          headline: lost ? `a failover would NOT work now: ${notReady}` : 'ready for a failover again',
          atMs: nowMs,
          lines: lost ? lines : [`Eligible: ${standbys.eligible.join(', ')}`],
          next: lost ? [`eni-failover status ${name}`] : [],
          data: { code: notReady ?? 'READY', members: standbys.refused, eligible: standbys.eligible },
          trailNumber: number,
          headHash: hash,
        },
        `${name}.readiness.${number}`,
        false,
        service,
      ),
  });
  return recorded === 'recorded';
}

/**
 * Where a quarantine may end by itself, notes since when its member has been healthy and ready; forgets it as
 * soon as it is not. Writes only when that changes, and says whether it did.
 */
export async function tendQuarantine(
  ports: Ports,
  service: Service,
  observation: Observation,
): Promise<boolean> {
  const nowMs = ports.clock.now();
  const tended: Record<string, Quarantine> = {};
  let changed = false;
  for (const [id, quarantine] of Object.entries(service.quarantine)) {
    const member = service.declaration.members.find((each) => each.instance === id);
    const mayEnd =
      member !== undefined &&
      (service.declaration.policy.quarantine === 'until-healthy' || member.readyWhen.length > 0);
    const isWell =
      member !== undefined &&
      refusalsOf(service, observation, member, nowMs).every((each) => each.code === 'QUARANTINED');
    const { healthySinceMs, ...rest } = quarantine;
    if (!mayEnd || !isWell) {
      tended[id] = rest;
      changed ||= healthySinceMs !== undefined;
    } else {
      tended[id] = { ...rest, healthySinceMs: healthySinceMs ?? nowMs };
      changed ||= healthySinceMs === undefined;
    }
  }
  if (!changed) return false;
  const { declaration: _, ...state } = service;
  const after = { ...state, quarantine: tended, rev: state.rev + 1, nonce: ports.ids.nonce() };
  // A conflict means that somebody else wrote: the next sweep looks again.
  const result = await ports.store.write(state, after, { rev: state.rev });
  return result.kind === 'written';
}
