/** What a look that moves nothing leaves in the trail and tells people. */
import type { Decision, Refusal } from '../core/decision.ts';
import type { Hint } from '../core/hint.ts';
import type { InstanceId } from '../core/ids.ts';
import { interfaceOf, type Observation } from '../core/observation.ts';
import { reasons, refusalKey } from '../core/reasons.ts';
import { interfacesOf, type Service } from '../core/state.ts';
import { attachmentsIn } from '../core/whereabouts.ts';
import { type Story, toEntry } from './entry.ts';
import type { Ports } from './ports.ts';
import type { Entry } from './record.ts';

/** What the engine itself has to say: the code stands in the record and in the notice alike. */
interface Finding extends Omit<Story, 'author' | 'outcome' | 'data' | 'enis'> {
  readonly code: string;
}

export function foundEntry(ports: Ports, service: Service, { code, ...finding }: Finding): Entry {
  const facts = { code, ...finding.facts };
  const enis = interfacesOf(service);
  return toEntry(ports, service, {
    ...finding,
    author: 'eni-failover',
    outcome: code,
    facts,
    data: facts,
    enis,
  });
}

/** Undefined when the same refusal is on record already (P24). */
export function refusalEntry(ports: Ports, service: Service, refusal: Refusal): Entry | undefined {
  const { code, detail, members, callHuman } = refusal;
  const key = refusalKey(code, members, refusal.request);
  if (service.lastRefusal === key && refusal.request === undefined) return undefined;
  return foundEntry(ports, service, {
    kind: 'refusal',
    code,
    severity: callHuman && code !== 'OBSERVE_ONLY' ? 'critical' : 'warning',
    headline: `NOT moved: ${code}`,
    lines: [reasons[code].meaning, detail],
    next: [reasons[code].wayOut, `eni-failover status ${service.name}`],
    facts: { detail, members },
    instances: [...new Set([service.lastSeen?.holder, ...members.map((each) => each.member)])].flatMap(
      (id) => id ?? [],
    ),
    change: (state) => {
      const { request, ...rest } = state;
      return { ...rest, lastRefusal: key, ...(request && request.id !== refusal.request && { request }) };
    },
  });
}

/** Somebody else's work, written down as it was found; also sets where the interfaces were last seen (P28). */
export function observedEntry(
  ports: Ports,
  service: Service,
  decision: Decision & { kind: 'record' },
  observation: Observation,
): Entry {
  const { code, detail, holder } = decision;
  const attachedTo = Object.fromEntries(
    interfacesOf(service).map((eni) => {
      const fact = interfaceOf(observation, eni);
      return [eni, fact.kind === 'known' ? (fact.value.attachment?.instanceId ?? null) : fact.kind];
    }),
  );
  return foundEntry(ports, service, {
    kind: 'observed',
    code,
    severity: code === 'REATTACHED_BY_OTHERS' ? 'info' : 'critical',
    headline: `${code}: ${detail}`,
    lines: [reasons[code].meaning, detail],
    next: [reasons[code].wayOut],
    facts: { detail, attachedTo },
    instances: [...new Set(Object.values(attachedTo))].flatMap((id) => id ?? []),
    change: (state) => ({
      ...state,
      lastObserved: `${code} ${detail}`,
      // A move by people needs its grace like one of ours (P33).
      ...(holder && {
        lastSeen: { holder, attachments: attachmentsIn(service, observation) },
        lastMoveAtMs: ports.clock.now(),
        // A detach of ours that was still to come can only hit the attachment that it names.
        mayDetach: state.mayDetach.filter((id) =>
          Object.values(attachmentsIn(service, observation)).includes(id),
        ),
      }),
    }),
  });
}

/** A stranded service that is whole again (P26). */
export function recoveredEntry(
  ports: Ports,
  service: Service,
  holder: InstanceId,
  observation: Observation,
): Entry {
  return foundEntry(ports, service, {
    kind: 'recovered',
    code: 'RECOVERED',
    severity: 'info',
    headline: `no longer stranded, all on ${holder}`,
    lines: [`Every interface is attached to ${holder}.`],
    next: [],
    facts: { holder },
    instances: [holder],
    change: (state) => {
      const { stranded: _, ...rest } = state;
      const lastSeen = { holder, attachments: attachmentsIn(service, observation) };
      return { ...rest, lastSeen, lastMoveAtMs: ports.clock.now() };
    },
  });
}

/** AWS's warning that an instance will be lost; undefined when it is none of the service's members. */
export function announcedEntry(ports: Ports, service: Service, hint: Hint): Entry | undefined {
  if (hint.kind !== 'announcement') return undefined;
  const members = service.declaration.members.map((each) => each.instance);
  const concerned = hint.instanceIds.filter((id) => members.includes(id));
  if (concerned.length === 0) return undefined;
  const role = (id: InstanceId) => (service.lastSeen?.holder === id ? 'holder' : 'standby');
  const who = concerned.map((id) => `${id} (${role(id)})`).join(', ');
  return foundEntry(ports, service, {
    kind: 'announced',
    code: 'ANNOUNCED',
    severity: 'warning',
    headline: `${hint.what} announced for ${who}`,
    lines: [
      `AWS announces: ${hint.detail}`,
      `Concerned: ${who}`,
      'Nothing was moved. When the holder fails, the interfaces move by themselves.',
    ],
    next: [`eni-failover status ${service.name}`],
    facts: {
      what: hint.what,
      detail: hint.detail,
      concerned,
      announcedAt: new Date(hint.atMs).toISOString(),
    },
    instances: concerned,
    change: (state) => state,
  });
}

const keptKey = 'KEPT_ON_TERMINATION';

/** Was it told already that EC2 will not set DeleteOnTermination to false? */
export const isTellingAgain = (service: Service, answers: readonly { readonly answer: string }[]) =>
  service.lastRefusal === keptKey && answers.some((each) => each.answer !== 'done');

/** DeleteOnTermination was found true and set to false; a warning only where EC2 would not do it. */
export function keptEntry(
  ports: Ports,
  service: Service,
  answers: readonly { readonly eni: string; readonly answer: string }[],
): Entry {
  const isDone = answers.every((each) => each.answer === 'done');
  return foundEntry(ports, service, {
    kind: 'change',
    code: keptKey,
    severity: isDone ? 'info' : 'warning',
    headline: isDone ? 'DeleteOnTermination set to false' : 'DeleteOnTermination could NOT be set to false',
    lines: [
      'Terminating the holder would have deleted an interface.',
      ...answers.map((each) => `${each.eni}: ${each.answer}`),
    ],
    next: isDone ? [] : ['set it by hand: aws ec2 modify-network-interface-attribute'],
    facts: { answers },
    instances: service.lastSeen ? [service.lastSeen.holder] : [],
    change: (state) => (isDone ? state : { ...state, lastRefusal: keptKey }),
  });
}
