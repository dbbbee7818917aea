/**
 * What a service declares around the move: the fence, its hooks, the check that it serves; and what of that is due.
 *
 * fence → before hooks → (detach → attach → verify) → after hooks → serving. Each is a stage of the episode: marked
 * begun by a write of its own before it is issued (P38), ended by another one, and gone on with by whoever resumes.
 */
import { type Episode, type EpisodeState, isPlannedMove, type StageMark } from './episode.ts';
import type { AlarmArn, InstanceId } from './ids.ts';
import { healthOf, memberOf, type Observation } from './observation.ts';
import { isUntouched, type Plan } from './plan.ts';
import type { ReasonCode } from './reasons.ts';
import type { Command, Hook } from './service.ts';
import { isMember, type Service, type ServiceState } from './state.ts';

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
  readonly onFailure: Hook['onFailure'];
}

export type Stage =
  | (StageFrame & { readonly kind: 'fence'; readonly instance: InstanceId })
  | (StageFrame & { readonly kind: 'hook'; readonly command: StageCommand })
  | (StageFrame & { readonly kind: 'alarm'; readonly alarm: AlarmArn })
  /** Like a hook, but asked again until it holds. */
  | (StageFrame & { readonly kind: 'check'; readonly command: StageCommand });

/** How many members were tried before this one, and itself: the rung that a hook is begun for. */
const rungOf = ({ tried, target }: Plan) => tried.indexOf(target) + 1;

/** What the stages of an episode depend on. */
interface Scene {
  readonly service: Service;
  readonly episode: Episode;
  /** The source lives, and may be asked for something, or gone back to. Once it has failed, a move is as a failover. */
  readonly isPlain: boolean;
  readonly observation: Observation;
}

function sceneOf(service: Service, episode: Episode, observation: Observation): Scene {
  const hasFailed = healthOf(memberOf(observation, episode.plan.source)).kind === 'failed';
  return { service, episode, observation, isPlain: isPlannedMove(episode.kind) && !hasFailed };
}

/** Undefined where it does not apply: a source that has failed cannot be trusted to answer. */
function commandOf(
  command: Command,
  { source, target }: Plan,
  { isPlain }: Pick<Scene, 'isPlain'>,
): StageCommand | undefined {
  if ('function' in command) return { kind: 'function', name: command.function };
  const instance = command.on === 'target' ? target : isPlain ? source : undefined;
  const { document: name, parameters } = command;
  return instance && { kind: 'document', name, parameters, instance };
}

/**
 * Had the source failed when the service stranded, or may it have? How it was left does not tell: a rescue forces too,
 * and so does a person. Where nothing better is known (our own late effect, an item of an older version), only a plain
 * detach clears it: a source that is stopped for nothing is put right by a start, two that write by nobody.
 */
export const mayHaveFailed = ({ stranded }: Pick<ServiceState, 'stranded'>) =>
  stranded?.sourceFailed ?? stranded?.plan.detach !== 'plain';

/**
 * Whoever is promoted must be the only one, so a source that is left in a failover or a rescue is stopped first. A
 * planned move leaves a source that lives; should it fail meanwhile, it is stopped while it still has the interfaces:
 * afterwards each second of that would be an outage.
 */
function mustFence({ service, episode, observation }: Scene): boolean {
  const { kind, plan, stages = {} } = episode;
  if (service.declaration.policy.fence === 'none' || plan.source === plan.target) return false;
  if (stages['fence'] !== undefined || kind === 'failover') return true;
  const hasFailed = healthOf(memberOf(observation, plan.source)).kind === 'failed';
  if (kind === 'rescue') return hasFailed || mayHaveFailed(service);
  return hasFailed && isUntouched(plan, observation.interfaces);
}

function fenceOf(scene: Scene): readonly Stage[] {
  const { service, episode } = scene;
  const { source } = episode.plan;
  // Never an instance that is not the service's own (S11).
  if (!isMember(service, source) || !mustFence(scene)) return [];
  const { fenceTimeout, onFenceTimeout } = service.declaration.policy;
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

function hooksOf(hooks: readonly Hook[], at: 'before' | 'after', scene: Scene): readonly Stage[] {
  const { plan } = scene.episode;
  return hooks.flatMap((hook, index): Stage[] => {
    const command = commandOf(hook, plan, scene);
    const step = `${at}.${index}`;
    // Where there is no way back, a hook that wants to go back calls a human.
    const onFailure = hook.onFailure === 'back' && !scene.isPlain ? 'page' : hook.onFailure;
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
function undosOf(hooks: readonly Hook[], scene: Scene): readonly Stage[] {
  const { stages = {}, plan } = scene.episode;
  return plan.tried
    .flatMap((target, rung) =>
      hooks.flatMap(({ undo, deadline }, index): Stage[] => {
        const wasBegun = stages[`${rung + 1}/before.${index}`] !== undefined;
        const command = undo && wasBegun ? commandOf(undo, { ...plan, target }, scene) : undefined;
        const step = `undo.${index}`;
        const frame = { id: `${rung + 1}/${step}`, step, state: 'AFTER_HOOK', deadlineMs: deadline } as const;
        return command ? [{ ...frame, kind: 'hook', onFailure: 'page', command }] : [];
      }),
    )
    .toReversed();
}

function servingOf({ service, episode: { plan } }: Scene): readonly Stage[] {
  const { serving } = service.declaration;
  if (!serving) return [];
  const frame = {
    id: `${rungOf(plan)}/serving`,
    step: 'serving',
    state: 'SERVING',
    deadlineMs: serving.within,
    onFailure: 'page',
  } as const;
  if ('alarm' in serving) return [{ ...frame, kind: 'alarm', alarm: serving.alarm }];
  const command = commandOf(serving.check, plan, { isPlain: false });
  return command ? [{ ...frame, kind: 'check', command }] : [];
}

/** What comes before anything is detached, in order. Once an interface is on its way, no preparation holds it up. */
function stagesBefore(scene: Scene): readonly Stage[] {
  const { service, episode, observation } = scene;
  const { plan } = episode;
  if (plan.source === plan.target) return [];
  const { before } = service.declaration.hooks;
  return [
    ...fenceOf(scene),
    ...(isUntouched(plan, observation.interfaces) ? hooksOf(before, 'before', scene) : []),
  ];
}

/** What comes once every interface was seen on the target, in order; back on the source, what was begun is undone. */
function stagesAfter(scene: Scene): readonly Stage[] {
  const { hooks } = scene.service.declaration;
  const { kind, plan } = scene.episode;
  if (plan.source !== plan.target) return [...hooksOf(hooks.after, 'after', scene), ...servingOf(scene)];
  // A rescue to where it was brings the service back: whether it serves is asked there too.
  if (kind === 'rescue') return servingOf(scene);
  return scene.isPlain ? undosOf(hooks.before, scene) : [];
}

/** Nothing runs on an instance in this state any more, and nothing will by itself. */
export const isFenced = (state: string | undefined) => state === 'stopped' || state === 'terminated';

const isUndo = ({ step }: Stage) => step.startsWith('undo.');

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
  observation: Observation,
): NextStage {
  const scene = sceneOf(service, episode, observation);
  let failed: NextStage = { kind: 'none' };
  for (const stage of side === 'before' ? stagesBefore(scene) : stagesAfter(scene)) {
    const mark = episode.stages?.[stage.id];
    if (!mark?.end) return { kind: 'due', stage, mark };
    if (mark.end === 'done' || stage.onFailure === 'proceed') continue;
    failed = { kind: stage.onFailure, stage, mark };
    // One that cannot be undone does not keep the others from it (P39).
    if (!isUndo(stage)) break;
  }
  return failed;
}

/** Must the source be stopped before this plan goes on? A rung can make it so: it may leave a member that was not left yet. */
export const isFenceDue = (service: Service, episode: Episode, observation: Observation): boolean =>
  fenceOf(sceneOf(service, episode, observation)).length > 0 && !episode.stages?.['fence']?.end;

/** Why a planned move went back before anything was detached: the `before` hook that called it back, if one did (P39). */
export function calledBackBy(
  service: Service,
  episode: Episode,
  observation: Observation,
): string | undefined {
  const scene = sceneOf(service, episode, observation);
  for (const target of episode.plan.tried) {
    const rung = { ...scene, episode: { ...episode, plan: { ...episode.plan, target } } };
    for (const stage of hooksOf(service.declaration.hooks.before, 'before', rung)) {
      const mark = episode.stages?.[stage.id];
      if (mark?.end && mark.end !== 'done' && stage.onFailure === 'back') return whyItEnded(stage, mark);
    }
  }
  return undefined;
}

/**
 * True while nothing was issued for an episode, as far as EC2 and its item tell: every interface still has its planned
 * attachment, and no fence or hook was marked begun (P15, P38).
 */
export const isUntouchedYet = (episode: Episode, facts: Observation['interfaces']) =>
  episode.stages === undefined && isUntouched(episode.plan, facts);

const hasBegunAfter = ({ stages = {} }: Episode) => Object.keys(stages).some((id) => id.includes('/after.'));

/** Not once a member may have been promoted, in this episode or in one that left the service stranded (P20). */
export const mayGoBack = ({ episode, stranded }: Pick<Service, 'episode' | 'stranded'>) =>
  stranded?.promoted !== true && !(episode && hasBegunAfter(episode));

/** The open episode with what is known now of one of its stages. */
export const withMark = (episode: Episode, id: string, mark: StageMark): Episode => ({
  ...episode,
  stages: { ...episode.stages, [id]: mark },
});

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

/** What is wrong where a stage has failed, in the words that are the same for each try. */
export const troubleOf = (stage: Stage): string => `${codes[stage.kind]}: ${describeStage(stage)}`;

/** Why an episode ends with this stage, as people read it. */
export function whyItEnded(stage: Stage, { end, output }: StageMark): string {
  const how = end === 'timed-out' ? `not done within ${stage.deadlineMs / 1_000} s` : (end ?? 'not done');
  return `${troubleOf(stage)} ${how}${output ? `: ${output}` : ''}`;
}
