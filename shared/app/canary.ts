/** The hour's rehearsal: finds out by dry runs, before an outage does, that a permission or a tag is missing. */
import { everyMember } from '../core/eligibility.ts';
import type { Drill } from '../core/hint.ts';
import type { AttachmentId, InstanceId, ServiceName } from '../core/ids.ts';
import type { Observation } from '../core/observation.ts';
import { describeMember } from '../core/reasons.ts';
import { type ControllerState, interfacesOf, type Service } from '../core/state.ts';
import { attachmentsIn, whereabouts } from '../core/whereabouts.ts';
import { hindrancesOf } from './drill.ts';
import { observe } from './observe.ts';
import { carryOut, type Deed } from './operate.ts';
import type { Ports, Rehearsed } from './ports.ts';
import { readinessOf } from './readiness.ts';
import { readService, record } from './record.ts';
import type { Report } from './restore.ts';
import { refusalEntry } from './restore-records.ts';

/** One dry run and its answer. */
interface Tried extends Rehearsed {
  /** Of what, and where to. */
  readonly of: string;
}

interface Rehearsal {
  /** Moves of one interface to one member. */
  readonly moves: number;
  readonly tried: readonly Tried[];
}

async function rehearseMoves(
  ports: Ports,
  service: Service,
  observation: Observation,
  holder: InstanceId,
): Promise<Rehearsal> {
  const standbys = service.declaration.members.map((each) => each.instance).filter((id) => id !== holder);
  const attachments = attachmentsIn(service, observation);
  const orders = service.declaration.interfaces.flatMap(({ eni, deviceIndex, networkCardIndex }) => {
    // Together means that every one of them is attached.
    const attachment = attachments[eni] as AttachmentId;
    return standbys.map((instanceId) => ({ eni, attachment, instanceId, deviceIndex, networkCardIndex }));
  });
  // Once: whoever may stop the holder may stop any member.
  const stop = service.declaration.policy.fence === 'stop' ? holder : undefined;
  const tried: Tried[] = [];
  for (const [index, order] of orders.entries()) {
    const answers = await ports.ec2.rehearse(index === 0 ? { ...order, stop } : order);
    for (const each of answers) {
      const of = each.action === 'StopInstances' ? holder : `${order.eni} to ${order.instanceId}`;
      tried.push({ ...each, of });
    }
  }
  return { moves: orders.length, tried };
}

const spelled = ({ action, of, detail }: Tried) => `${action} of ${of}: ${detail}`;

/** The item stays small (P7). */
const mostCalls = 300;

/** What a drill found: what does not answer clearly would not do in an outage either. */
function drillDeed(
  service: Service,
  controller: ControllerState,
  drill: Drill,
  { moves, tried }: Rehearsal,
  observation: Observation,
  nowMs: number,
): Deed {
  const where = whereabouts(service, observation);
  const holder = where.kind === 'together' ? where.holder : undefined;
  const { notReady } = readinessOf(service, observation, nowMs);
  const members = everyMember(service, observation, holder, nowMs);
  const failed = tried.filter((each) => each.answer !== 'allowed');
  const why = [
    ...(notReady === undefined ? [] : [notReady]),
    ...(moves === 0 ? ['nothing could be rehearsed'] : []),
    ...failed.map(spelled),
  ];
  const isPassed = why.length === 0;
  // The calls would be allowed all the same: that is another question than whether they would be made.
  const hindrances = hindrancesOf({ service, controller, observation, nowMs }).map(
    ({ code, detail }) => `${code}: ${detail}`,
  );
  const but = hindrances.length > 0 ? '; but a failover would NOT happen now' : '';
  return {
    kind: 'drill',
    outcome: isPassed ? 'DRILL_PASSED' : 'DRILL_FAILED',
    severity: isPassed && hindrances.length === 0 ? 'info' : 'warning',
    headline: isPassed
      ? `drill passed: ${tried.length} calls of ${moves} moves would be allowed${but}`
      : 'drill FAILED: a failover would not work as it should',
    lines: [
      ...hindrances.map((each) => `A failover would not happen now: ${each}`),
      ...why.slice(0, 20),
      ...members.map(({ member, role, refusals }) => {
        const state = refusals.map(describeMember).join('; ');
        return `${member} (${role}): ${state || 'eligible'}`;
      }),
      `Why: ${drill.reason}`,
    ],
    facts: {
      drill: drill.id,
      reason: drill.reason,
      why,
      hindrances,
      members,
      moves,
      calls: tried.length,
      tried: tried
        .slice(0, mostCalls)
        .map(({ action, of, answer, detail }) =>
          answer === 'allowed' ? { action, of, answer } : { action, of, answer, detail },
        ),
    },
    instances: members.map((each) => each.member),
    enis: interfacesOf(service),
    notice: { drill: drill.id, reason: drill.reason, why, hindrances, moves, calls: tried.length },
    data: { outcome: isPassed ? 'DRILL_PASSED' : 'DRILL_FAILED' },
    change: (state) => state,
  };
}

/** Runs as functions/failover, whose role it is that will be asked. Changes nothing in EC2. A drill is always on record. */
export async function rehearse(ports: Ports, name: ServiceName, drill?: Drill): Promise<Report> {
  const report = (kind: Report['kind'], code: string, detail: string): Report => ({
    service: name,
    kind,
    code,
    detail,
  });
  const service = await readService(ports, name);
  if (!service || service.tombstone) return report('nothing', 'NO_SUCH_SERVICE', `${name} is not registered`);
  if (service.episode && !drill)
    return report('nothing', 'LEASE_HELD', 'an episode is open: it is the real thing');
  const observation = await observe(ports, service);
  const where = whereabouts(service, observation);
  const holder = where.kind === 'together' && !service.episode ? where.holder : undefined;
  if (!holder && !drill)
    return report('nothing', 'UNKNOWN_STATE', 'the interfaces do not rest together on one member');
  const rehearsal = holder
    ? await rehearseMoves(ports, service, observation, holder)
    : { moves: 0, tried: [] };

  if (drill) {
    const controller = await ports.store.readController();
    const operated = await carryOut(ports, name, drill, (now) =>
      drillDeed(now, controller, drill, rehearsal, observation, ports.clock.now()),
    );
    return operated.kind === 'done'
      ? report('recorded', String(operated.data?.['outcome']), operated.detail)
      : report('refused', operated.code, operated.detail);
  }
  const denied = rehearsal.tried.filter((each) => each.answer === 'denied');
  if (denied.length === 0) return report('nothing', 'HOLDER_HEALTHY', `rehearsed ${rehearsal.moves} moves`);

  const detail = denied.map(spelled).join('; ').slice(0, 1_000);
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
