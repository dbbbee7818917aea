/**
 * What a service declares around the move: the fence, its hooks, the check that it serves; and what of that is due.
 *
 * fence → before hooks → (detach → attach → verify) → after hooks → serving. Each is a stage of the episode: marked
 * begun by a write of its own before it is issued (P38), ended by another one, and gone on with by whoever resumes.
 */
import {
  type Episode,
  type EpisodeKind,
  type EpisodeState,
  isPlannedMove,
  type StageMark,
} from './episode.ts';
import type { AlarmArn, InstanceId } from './ids.ts';
import type { Observation } from './observation.ts';
import { isUntouched, type Plan } from './plan.ts';
import type { ReasonCode } from './reasons.ts';
import type { Command, Hook } from './service.ts';
import { isMember, type Service } from './state.ts';

/** A hook's command, once it is known where it runs. */
export type StageCommand =
  | {
      readonly kind: 'document';
      readonly name: string;
      readonly parameters: Readonly<Record<string, readonly string[]>>;
      readonly instance: InstanceId;
    }
  | { readonly kind: 'function'; readonly name: string };

interface StageFrame {
  /** What it is marked under: the number of the rung and the step, for another rung has hooks of its own. */
  readonly id: string;
  readonly step: string;
  readonly state: EpisodeState;
  readonly deadlineMs: number;
  /** `page-last`: the stages after it are carried out all the same, and then a person is called. */
  readonly onFailure: Hook['onFailure'] | 'page-last';
}

export type Stage =
  | (StageFrame & { readonly kind: 'fence'; readonly instance: InstanceId })
  | (StageFrame & { readonly kind: 'hook'; readonly command: StageCommand })
  | (StageFrame & { readonly kind: 'alarm'; readonly alarm: AlarmArn })
  /** Like a hook, but asked again until it holds. */
  | (StageFrame & { readonly kind: 'check'; readonly command: StageCommand });

/** How many members were tried before this one, and itself: the rung that a hook is begun for. */
const rungOf = ({ tried, target }: Plan) => tried.indexOf(target) + 1;

/** Undefined where it does not apply: the source of a failover cannot be trusted to answer. */
function commandOf(command: Command, kind: EpisodeKind, { source, target }: Plan): StageCommand | undefined {
  if ('function' in command) return { kind: 'function', name: command.function };
  const instance = command.on === 'target' ? target : isPlannedMove(kind) ? source : undefined;
  const { document: name, parameters } = command;
  return instance && { kind: 'document', name, parameters, instance };
}

function fenceOf(service: Service, { kind, plan: { source, target } }: Episode): readonly Stage[] {
  const { fence, fenceTimeout, onFenceTimeout } = service.declaration.policy;
  // Never in a planned move, and never an instance that is not the service's own (S11).
  if (fence === 'none' || isPlannedMove(kind) || source === target || !isMember(service, source)) return [];
  return [
    {
      kind: 'fence',
      id: 'fence',
      step: 'fence',
      state: 'FENCING',
      deadlineMs: fenceTimeout,
      onFailure: onFenceTimeout,
      instance: source,
    },
  ];
}

function hooksOf(hooks: readonly Hook[], at: 'before' | 'after', { kind, plan }: Episode): readonly Stage[] {
  return hooks.flatMap((hook, index): Stage[] => {
    const command = commandOf(hook, kind, plan);
    const step = `${at}.${index}`;
    // Where there is no way back, a hook that wants to go back calls a human.
    const onFailure = hook.onFailure === 'back' && !isPlannedMove(kind) ? 'page' : hook.onFailure;
    const state = at === 'before' ? 'BEFORE_HOOK' : 'AFTER_HOOK';
    const frame = {
      id: `${rungOf(plan)}/${step}`,
      step,
      state,
      deadlineMs: hook.deadline,
      onFailure,
    } as const;
    return command ? [{ ...frame, kind: 'hook', command }] : [];
  });
}

/** The undo of each `before` hook that was begun, the last one first; of the target that it was begun for. */
function undosOf(hooks: readonly Hook[], { stages = {}, kind, plan }: Episode): readonly Stage[] {
  return plan.tried
    .flatMap((target, rung) =>
      hooks.flatMap(({ undo, deadline }, index): Stage[] => {
        const wasBegun = stages[`${rung + 1}/before.${index}`] !== undefined;
        const command = undo && wasBegun ? commandOf(undo, kind, { ...plan, target }) : undefined;
        const step = `undo.${index}`;
        const frame = { id: `${rung + 1}/${step}`, step, state: 'AFTER_HOOK', deadlineMs: deadline } as const;
        return command ? [{ ...frame, kind: 'hook', onFailure: 'page-last', command }] : [];
      }),
    )
    .toReversed();
}

function servingOf({ serving }: Service['declaration'], { kind, plan }: Episode): readonly Stage[] {
  if (!serving) return [];
  const frame = {
    id: `${rungOf(plan)}/serving`,
    step: 'serving',
    state: 'SERVING',
    deadlineMs: serving.within,
    onFailure: 'page',
  } as const;
  if ('alarm' in serving) return [{ ...frame, kind: 'alarm', alarm: serving.alarm }];
  const command = commandOf(serving.check, kind, plan);
  return command ? [{ ...frame, kind: 'check', command }] : [];
}

type Interfaces = Observation['interfaces'];

/** What comes before anything is detached, in order. Once an interface is on its way, no preparation holds it up. */
function stagesBefore(service: Service, episode: Episode, facts: Interfaces): readonly Stage[] {
  const { plan } = episode;
  if (plan.source === plan.target) return [];
  const { before } = service.declaration.hooks;
  return [
    ...fenceOf(service, episode),
    ...(isUntouched(plan, facts) ? hooksOf(before, 'before', episode) : []),
  ];
}

/** What comes once every interface was seen on the target, in order; back on the source, what was begun is undone. */
function stagesAfter(service: Service, episode: Episode): readonly Stage[] {
  const { hooks } = service.declaration;
  const { kind, plan } = episode;
  if (plan.source === plan.target) return isPlannedMove(kind) ? undosOf(hooks.before, episode) : [];
  return [...hooksOf(hooks.after, 'after', episode), ...servingOf(service.declaration, episode)];
}

/** Nothing runs on an instance in this state any more, and nothing will by itself. */
export const isFenced = (state: string | undefined) => state === 'stopped' || state === 'terminated';

export type NextStage =
  | { readonly kind: 'due'; readonly stage: Stage; readonly mark: StageMark | undefined }
  /** One failed, and the service wants a person then, or wants to go back. */
  | { readonly kind: 'page' | 'back'; readonly stage: Stage; readonly mark: StageMark }
  | { readonly kind: 'none' };

/** The first stage on this side of the move that has not ended yet, unless one before it failed for good. */
export function nextStage(
  service: Service,
  episode: Episode,
  side: 'before' | 'after',
  facts: Interfaces,
): NextStage {
  const stages = side === 'before' ? stagesBefore(service, episode, facts) : stagesAfter(service, episode);
  let last: NextStage = { kind: 'none' };
  for (const stage of stages) {
    const mark = episode.stages?.[stage.id];
    if (!mark?.end) return { kind: 'due', stage, mark };
    if (mark.end === 'done' || stage.onFailure === 'proceed') continue;
    if (stage.onFailure !== 'page-last') return { kind: stage.onFailure, stage, mark };
    if (last.kind === 'none') last = { kind: 'page', stage, mark };
  }
  return last;
}

/** Why a planned move went back before anything was detached: the `before` hook that called it back, if one did (P39). */
export function calledBackBy({ declaration }: Service, episode: Episode): string | undefined {
  const { plan } = episode;
  const stages = plan.tried.flatMap((target) =>
    hooksOf(declaration.hooks.before, 'before', { ...episode, plan: { ...plan, target } }),
  );
  for (const stage of stages) {
    const mark = episode.stages?.[stage.id];
    if (mark?.end && mark.end !== 'done' && stage.onFailure === 'back') return whyItEnded(stage, mark);
  }
  return undefined;
}

/**
 * True while nothing was issued for an episode, as far as EC2 and its item tell: every interface still has its planned
 * attachment, and no fence or hook was marked begun (P15, P38).
 */
export const isUntouchedYet = (episode: Episode, facts: Interfaces) =>
  episode.stages === undefined && isUntouched(episode.plan, facts);

/** The target may have been promoted: nothing goes back to the source any more (P20). */
export const hasBegunAfter = ({ stages = {} }: Episode) =>
  Object.keys(stages).some((id) => id.includes('/after.'));

/** The open episode with more known of one of its stages. */
export function withMark(episode: Episode, id: string, more: Partial<StageMark>): Episode {
  const before = episode.stages?.[id];
  return { ...episode, stages: { ...episode.stages, [id]: { begunAtMs: 0, ...before, ...more } } };
}

/** A hook is idempotent by it: the same for every try of one stage, whoever tries (P39). */
export const tokenOf = ({ id }: Episode, stage: Stage) => `${id}/${stage.id}`;

const words = /@(token|epoch|service|episode|kind|step|source|target)@/g;

/** What a hook is told of the episode that it serves. */
export function toldTo(stage: Stage, episode: Episode, epoch: number): Readonly<Record<string, string>> {
  const { id, kind, plan } = episode;
  return {
    token: tokenOf(episode, stage),
    epoch: String(epoch),
    service: id.slice(0, id.lastIndexOf('.')),
    episode: id,
    kind,
    step: stage.step,
    source: plan.source ?? '',
    target: plan.target,
  };
}

/** Document parameters with `@token@` and its like filled in; any other text stays as it is. */
export function filledIn(
  parameters: Readonly<Record<string, readonly string[]>>,
  told: Readonly<Record<string, string>>,
): Readonly<Record<string, readonly string[]>> {
  const fill = (text: string) => text.replaceAll(words, (_, word: string) => told[word] ?? '');
  return Object.fromEntries(Object.entries(parameters).map(([name, values]) => [name, values.map(fill)]));
}

function what(stage: Stage): string {
  if (stage.kind === 'fence') return `stop ${stage.instance}`;
  if (stage.kind === 'alarm') return stage.alarm.slice(stage.alarm.indexOf(':alarm:') + 7);
  const { command } = stage;
  return command.kind === 'document' ? `${command.name} on ${command.instance}` : command.name;
}

/** A stage in a few words, for logs and notices. */
export const describeStage = (stage: Stage): string => `${stage.step} (${what(stage)})`;

const codes: Readonly<Record<Stage['kind'], ReasonCode>> = {
  fence: 'FENCE_FAILED',
  hook: 'HOOK_FAILED',
  alarm: 'NOT_SERVING',
  check: 'NOT_SERVING',
};

/** Why an episode ends with this stage, as people read it. */
export function whyItEnded(stage: Stage, { end, output }: StageMark): string {
  const how = end === 'timed-out' ? `not done within ${stage.deadlineMs / 1_000} s` : (end ?? 'not done');
  return `${codes[stage.kind]}: ${describeStage(stage)} ${how}${output ? `: ${output}` : ''}`;
}
