/** What a look that moves nothing leaves in the trail and tells people. */
import { byHand, type Scene } from '../core/by-hand.ts';
import type { Decision, Refusal } from '../core/decision.ts';
import { candidates } from '../core/eligibility.ts';
import type { Hint } from '../core/hint.ts';
import type { EniId, InstanceId } from '../core/ids.ts';
import { attachmentOf, interfaceOf, type Observation } from '../core/observation.ts';
import { type MemberRefusal, memberReasons, type ReasonCode, reasons, refusalKey } from '../core/reasons.ts';
import { interfacesOf, isMember, originKept, type Service } from '../core/state.ts';
import { unblocking, waysOut, whereOf } from '../core/unblock.ts';
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

/** What a person has to know of a service to work on it by hand. */
export function sceneOf(service: Service, observation?: Observation): Scene {
  const { declaration, facts, lastSeen } = service;
  const { signals, serving, members } = declaration;
  return {
    slots: declaration.interfaces,
    attachmentOf: (eni) => {
      if (observation) return attachmentOf(observation, eni as EniId);
      if (!lastSeen) return undefined;
      const id = lastSeen.attachments[eni];
      return id === undefined ? undefined : { id, instanceId: lastSeen.holder, status: 'attached' };
    },
    source: lastSeen?.holder,
    target: lastSeen?.holder,
    alarms: [
      ...signals.alarms.map((each) => each.arn),
      ...members.flatMap((each) => each.readyWhen),
      ...(serving && 'alarm' in serving ? [serving.alarm] : []),
    ],
    zone: facts.availabilityZone,
  };
}

/** The commands that make members eligible again, where it takes no more than a command. */
export const unblockingAll = (service: Service, members: readonly MemberRefusal[]) => [
  ...new Set(members.flatMap((each) => unblocking(each.code, whereOf(service), each.member) ?? [])),
];

/** What ends it, and the command that says more. */
const nextFor = (
  service: Service,
  code: ReasonCode,
  members: readonly MemberRefusal[] = [],
  isForeign = false,
) => [
  // A text message has room for the first of them only: it says who can be helped, and how.
  ...(code === 'NO_ELIGIBLE_STANDBY' && members.length > 0
    ? members.map((each) => `${each.member} is ${each.code}: ${memberReasons[each.code].wayOut}`)
    : waysOut(code, { ...whereOf(service), isForeign })),
  ...unblockingAll(service, members),
  `eni-failover explain ${service.name}`,
];

/** Undefined when the same refusal is on record already (P24). */
export function refusalEntry(ports: Ports, service: Service, refusal: Refusal): Entry | undefined {
  const { code, detail, members, down, callHuman } = refusal;
  const key = refusalKey(code, members, refusal.request);
  if (service.lastRefusal === key && refusal.request === undefined) return undefined;
  return foundEntry(ports, service, {
    kind: 'refusal',
    code,
    severity: callHuman && code !== 'OBSERVE_ONLY' ? 'critical' : 'warning',
    headline: down ? `DOWN: ${down} and no standby may take over` : `NOT moved: ${code}`,
    lines: [reasons[code].meaning, detail],
    next: nextFor(service, code, members),
    byHand: byHand([code], { ...sceneOf(service), refusals: members }),
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
    next: nextFor(service, code, [], !isMember(service, holder)),
    byHand: byHand([code], sceneOf(service, observation)),
    facts: { detail, attachedTo },
    instances: [...new Set(Object.values(attachedTo))].flatMap((id) => id ?? []),
    change: ({ preferredSinceMs, movedBy, ...state }) => ({
      ...state,
      // Where people are at work, nothing goes back by itself any more (P28).
      ...(!holder && preferredSinceMs !== undefined && { preferredSinceMs }),
      lastObserved: `${code} ${detail}`,
      // A move by people needs its grace like one of ours (P33).
      ...(holder && {
        ...originKept(state),
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
      // Somebody brought it there: it stays until somebody moves it, or it fails (P28).
      const { stranded: _, preferredSinceMs: __, movedBy: ___, ...rest } = state;
      const lastSeen = { holder, attachments: attachmentsIn(service, observation) };
      return { ...rest, lastSeen, lastMoveAtMs: ports.clock.now() };
    },
  });
}

const policyFor = {
  'spot-interruption': 'onSpotInterruption',
  rebalance: 'onRebalance',
  health: 'onRetirement',
} as const;

/** AWS's warning that an instance will be lost; undefined when it is none of the service's members. */
export function announcedEntry(
  ports: Ports,
  service: Service,
  hint: Hint,
  observation: Observation,
): Entry | undefined {
  if (hint.kind !== 'announcement') return undefined;
  const members = service.declaration.members.map((each) => each.instance);
  const concerned = hint.instanceIds.filter((id) => members.includes(id));
  if (concerned.length === 0) return undefined;
  const role = (id: InstanceId) => (service.lastSeen?.holder === id ? 'holder' : 'standby');
  const who = concerned.map((id) => `${id} (${role(id)})`).join(', ');
  const holder = service.lastSeen?.holder;
  const { eligible } = candidates(service, observation, [holder, ...concerned], ports.clock.now());
  const policy = policyFor[hint.what];
  const isHolder = concerned.some((id) => id === holder);
  const whatWillHappen = isHolder
    ? [
        `policy.${policy} is ${service.declaration.policy[policy]}: this moves nothing.`,
        eligible[0]
          ? `When ${holder} fails, the interfaces go to ${eligible[0]} by themselves.`
          : `When ${holder} fails, NO STANDBY can take the interfaces.`,
      ]
    : [
        'It holds no interface of the service: nothing is moved.',
        `Standbys left without it: ${eligible.join(', ') || 'none'}`,
      ];
  return foundEntry(ports, service, {
    kind: 'announced',
    code: 'ANNOUNCED',
    severity: 'warning',
    headline: `${hint.what} announced for ${who}`,
    lines: [`AWS announces: ${hint.detail}`, `Concerned: ${who}`, ...whatWillHappen],
    next: [
      ...(isHolder && eligible[0]
        ? [`eni-failover switchover ${service.name} --to ${eligible[0]} --reason '...'`]
        : []),
      ...(eligible.length === 0 ? ['make a standby eligible before it is needed'] : []),
      `eni-failover status ${service.name}`,
    ],
    byHand: byHand(['ANNOUNCED'], { ...sceneOf(service, observation), target: eligible[0] }),
    facts: {
      what: hint.what,
      detail: hint.detail,
      concerned,
      announcedAt: new Date(hint.atMs).toISOString(),
      eligible,
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
  answers: readonly { readonly eni: string; readonly attachment: string; readonly answer: string }[],
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
    next: isDone ? [] : ['set it by hand, and see which permission is missing'],
    byHand: answers
      .filter((each) => each.answer !== 'done')
      .map(({ eni, attachment }) => ({ do: 'keep-on-termination', eni, attachment })),
    facts: { answers },
    instances: service.lastSeen ? [service.lastSeen.holder] : [],
    change: (state) => (isDone ? state : { ...state, lastRefusal: keptKey }),
  });
}
