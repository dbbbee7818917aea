/** Where a plain failover can be hurt, found by watching it: each call of a port, and the use case that made it. */
import { isFailover, type Story, walk } from './exhaustive.ts';

export interface FaultPoints {
  /** How many calls one failover awaits. */
  readonly calls: number;
  /** `service.operation in file function`, each once, in order. */
  readonly places: readonly string[];
}

const useCase = /at (?:async )?(?:new )?([\w.#<>]*) ?\(?\S*\/shared\/(?:app|runtime)\/(\S+?)\.ts/;

export async function faultPoints(story: Story): Promise<FaultPoints> {
  const places = new Set<string>();
  const depth = Error.stackTraceLimit;
  Error.stackTraceLimit = 60;
  try {
    const { points } = await walk(story, [], {
      onCall: (call) => {
        if (!isFailover(call)) return;
        const [, name = '', file = '?'] = useCase.exec(new Error().stack ?? '') ?? [];
        const place = name.replace(/^.*\./, '') || '(anonymous)';
        places.add(`${call.service}.${call.operation} in ${file} ${place}`);
      },
    });
    return { calls: points.length, places: [...places].sort() };
  } finally {
    Error.stackTraceLimit = depth;
  }
}
