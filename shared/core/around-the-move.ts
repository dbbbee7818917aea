/** What a service declares around its moves, in words: for status, and for the notice of its registration. */
import type { Command, Declaration } from './service.ts';

export interface Declared {
  /** As in an episode's log: `fence`, `before.0`, `after.0`, `serving`. */
  readonly step: string;
  readonly what: string;
}

const spelled = (ms: number) => (ms % 60_000 === 0 && ms > 0 ? `${ms / 60_000}m` : `${ms / 1_000}s`);

const named = (command: Command) =>
  'function' in command
    ? `function ${command.function}`
    : `document ${command.document} on the ${command.on}`;

/** In the order in which they come; empty where nothing is declared. */
export function aroundTheMove({ policy, hooks, serving }: Declaration): readonly Declared[] {
  const { fence, fenceTimeout, onFenceTimeout } = policy;
  return [
    ...(fence === 'stop'
      ? [
          {
            step: 'fence',
            what: `a failed source is stopped, within ${spelled(fenceTimeout)}; else ${onFenceTimeout}`,
          },
        ]
      : []),
    ...(['before', 'after'] as const).flatMap((side) =>
      hooks[side].map((hook, index) => ({
        step: `${side}.${index}`,
        what: `${named(hook)}, within ${spelled(hook.deadline)}; else ${hook.onFailure}`,
      })),
    ),
    ...(serving
      ? [
          {
            step: 'serving',
            what:
              'alarm' in serving
                ? `alarm ${serving.alarm.slice(serving.alarm.indexOf(':alarm:') + 7)} is OK within ${spelled(serving.within)}`
                : `${named(serving.check)} succeeds within ${spelled(serving.within)}`,
          },
        ]
      : []),
  ];
}
