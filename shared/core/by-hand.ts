/** For every reason and outcome that may need a person: what to look at and what to do with the AWS CLI alone. */
import { type ByHand, bringTo, type Slot } from './aws-commands.ts';
import type { Outcome } from './episode.ts';
import type { Attachment } from './observation.ts';
import type { MemberReasonCode, MemberRefusal, ReasonCode } from './reasons.ts';
import { canonical } from './trail.ts';

export interface Scene {
  readonly slots: readonly Slot[];
  /** As it is now, or as it was last seen; undefined where an interface is on nothing or not known. */
  readonly attachmentOf: (eni: string) => Pick<Attachment, 'id' | 'instanceId' | 'status'> | undefined;
  /** The instance that was left, or should be. */
  readonly source?: string | undefined;
  /** Where all of them should be. */
  readonly target?: string | undefined;
  /** The source is past asking: it is left by force. */
  readonly isSourceFailed?: boolean;
  /** Why members may not take them. */
  readonly refusals?: readonly MemberRefusal[];
  /** The alarms that the service declares. */
  readonly alarms?: readonly string[];
  /** Systems Manager's ids of the documents that were sent. */
  readonly sent?: readonly string[];
  readonly zone?: string;
}

type Remedy = (scene: Scene) => readonly ByHand[];

const nothing: Remedy = () => [];

const statusOf = (instances: readonly (string | undefined)[]): readonly ByHand[] => {
  const known = [...new Set(instances.flatMap((id) => id ?? []))];
  return known.length === 0 ? [] : [{ do: 'describe-status', instances: known }];
};

const look: Remedy = ({ slots, attachmentOf, source, target }) => [
  { do: 'describe-interfaces', enis: slots.map((each) => each.eni) },
  ...statusOf([source, target, ...slots.map(({ eni }) => attachmentOf(eni)?.instanceId)]),
];

const bring: Remedy = ({ slots, attachmentOf, target, isSourceFailed = false }) =>
  target === undefined ? [] : bringTo(target, slots, attachmentOf, isSourceFailed);

const alarms: Remedy = ({ alarms: declared = [] }) =>
  declared.length === 0 ? [] : [{ do: 'describe-alarms', alarms: declared }];

const both =
  (...remedies: readonly Remedy[]): Remedy =>
  (scene) =>
    remedies.flatMap((each) => each(scene));

/** Only where they do not rest together already. */
const gather: Remedy = (scene) => {
  const holders = new Set(scene.slots.map(({ eni }) => scene.attachmentOf(eni)?.instanceId));
  return holders.size === 1 && !holders.has(undefined) ? [] : bring(scene);
};

const atTarget: Remedy = ({ target }) =>
  target === undefined ? [] : [...statusOf([target]), { do: 'console-output', instance: target }];

const atSource: Remedy = ({ source }) =>
  source === undefined ? [] : [...statusOf([source]), { do: 'console-output', instance: source }];

const memberRemedies: Record<MemberReasonCode, (member: string, scene: Scene) => readonly ByHand[]> = {
  NO_SUCH_MEMBER: () => [],
  NOT_RUNNING: (instance) => [{ do: 'start', instance }],
  CHECKS_FAILED: (instance) => [...statusOf([instance]), { do: 'reboot', instance }],
  UNKNOWN_HEALTH: (instance) => statusOf([instance]),
  WRONG_AZ: (instance) => [{ do: 'describe-instances', instances: [instance] }],
  INDEX_TAKEN: (instance) => [{ do: 'describe-interfaces-of', instances: [instance] }],
  LIMIT_REACHED: (instance) => [{ do: 'describe-interfaces-of', instances: [instance] }],
  QUARANTINED: (instance) => statusOf([instance]),
  NOT_READY: (_, scene) => alarms(scene),
  NOT_TAGGED: (instance) => [{ do: 'tag', resources: [instance] }],
};

const members: Remedy = (scene) =>
  (scene.refusals ?? []).flatMap(({ code, member }) => memberRemedies[code](member, scene));

const tagAll: Remedy = ({ slots, source, target }) => [
  {
    do: 'tag',
    resources: [
      ...new Set([...slots.map((each) => each.eni), ...[source, target].flatMap((id) => id ?? [])]),
    ],
  },
];

/** A new code says here what a person can do about it, or that it is nothing. */
const remedies: Record<ReasonCode | Outcome, Remedy> = {
  COMPLETED: nothing,
  NOTHING_TO_DO: nothing,
  ABORTED: nothing,
  REFUSED: look,
  ATTACHED: both(look, atTarget, alarms),
  RETURNED_TO_SOURCE: (scene) => [...look(scene), ...(scene.isSourceFailed ? bring(scene) : [])],
  STRANDED: both(look, bring),
  NEEDS_HUMAN: both(look, gather),

  PAUSED: look,
  CONTROLLER_PAUSED: look,
  BRAKE: ({ zone }) => (zone === undefined ? [] : [{ do: 'describe-zone', zone }]),
  BUDGET_SPENT: both(look, atSource),
  LEASE_HELD: nothing,
  STALE_EVENT: nothing,
  SUPPRESSED: alarms,
  NOT_CONFIRMED: both(look, alarms),
  WITHIN_CONFIRM: look,
  UNKNOWN_HEALTH: look,
  UNKNOWN_STATE: look,
  HOLDER_HEALTHY: nothing,
  NOT_HOLDER: nothing,
  SIGNAL_NOT_DECLARED: look,
  NO_ELIGIBLE_STANDBY: both(look, members),
  OBSERVE_ONLY: look,
  GRACE_PERIOD: both(atSource, alarms),
  SPLIT: both(look, bring),
  DETACHED_BY_OTHERS: both(look, bring),
  MOVED_BY_OTHERS: both(look, bring),
  REATTACHED_BY_OTHERS: look,
  UNMOVABLE_INTERFACE: look,
  NO_SUCH_SERVICE: nothing,
  NOT_TAGGED: both(look, tagAll),
  ANNOUNCED: look,
  NO_MEMBERS: look,
  MALFORMED_STATE: nothing,
  PERMISSION_DENIED: both(look, tagAll),
  FENCE_FAILED: (scene) => [
    ...look(scene),
    ...(scene.source === undefined ? [] : [{ do: 'stop', instance: scene.source } as const]),
    ...bring({ ...scene, isSourceFailed: true }),
  ],
  HOOK_FAILED: ({ sent = [] }) => sent.map((command) => ({ do: 'describe-hook', command })),
  NOT_SERVING: both(atTarget, alarms),
  REQUEST_EXPIRED: nothing,
  REQUEST_REFUSED: nothing,
};

/** Each step once, and one look at many instances rather than many looks at one. */
function merged(steps: readonly ByHand[]): readonly ByHand[] {
  const result: ByHand[] = [];
  for (const step of steps) {
    const index = result.findIndex((each) => each.do === step.do);
    const before = result[index];
    if (before && 'instances' in before && 'instances' in step)
      result[index] = { ...before, instances: [...new Set([...before.instances, ...step.instances])] };
    else if (!result.some((each) => canonical(each) === canonical(step))) result.push(step);
  }
  return result;
}

/** Whoever works from the top looks before he touches anything. */
const looks = ['describe-interfaces', 'describe-status', 'describe-', 'console-output'];
const rankOf = (step: ByHand) => {
  const rank = looks.findIndex((each) => step.do.startsWith(each));
  return rank < 0 ? looks.length : rank;
};

/** What to do about several of them at once: looks first, each step once. */
export function byHand(
  codes: readonly (ReasonCode | Outcome | undefined)[],
  scene: Scene,
): readonly ByHand[] {
  const steps = merged(codes.flatMap((code) => (code ? remedies[code](scene) : [])));
  return steps.toSorted((one, other) => rankOf(one) - rankOf(other));
}
