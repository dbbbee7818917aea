/** The one source of chance: seeded, repeatable, and split into streams so that removing a fault moves nothing else. */

export interface Chance {
  /** Uniform in [0, 1). */
  (): number;
  /** A whole number from `from` to `to`, both included. */
  between(from: number, to: number): number;
  /** True with this probability. */
  likely(probability: number): boolean;
  pick<T>(list: readonly T[]): T;
  /** An independent stream: what is drawn from it does not depend on what is drawn here later. */
  fork(name: string): Chance;
}

function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1)
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}

/** Mulberry32: small, fast, and the same on every machine. */
export function makeChance(seed: number): Chance {
  let state = (seed ^ 0x9e3779b9) | 0;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return Object.assign(next, {
    between: (from: number, to: number) => from + Math.floor(next() * (to - from + 1)),
    likely: (probability: number) => next() < probability,
    pick: <T>(list: readonly T[]): T => {
      const chosen = list[Math.floor(next() * list.length)];
      if (chosen === undefined) throw new Error('nothing to pick from');
      return chosen;
    },
    fork: (name: string) => makeChance(hashOf(`${seed} ${name}`)),
  });
}
