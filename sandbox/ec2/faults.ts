/** Faults that somebody asked for: which calls they hit, and what becomes of call, effect and answer. */

export interface Fault {
  readonly operation: string;
  /** Hits only calls whose input contains all of this. */
  readonly match?: object;
  /** How many calls it hits before it is used up. */
  readonly times: number;
  /** What the caller gets instead of an answer; without it, the answer, perhaps late. */
  readonly code?: string;
  readonly message?: string;
  /** How long the caller waits; longer than the caller's own timeout, this is a timeout. */
  readonly delayMs?: number;
  /** The effect happens, and the caller gets the error all the same. */
  readonly applied?: boolean;
  /** The effect happens this much later: after the error, or before a late answer. */
  readonly lateMs?: number;
}

/** Whether everything in `part` is in `whole` too; lists must be equal in length. */
function contains(whole: unknown, part: unknown): boolean {
  if (part === null || typeof part !== 'object') return Object.is(whole, part);
  if (whole === null || typeof whole !== 'object') return false;
  if (Array.isArray(part) && Array.isArray(whole) && part.length !== whole.length) return false;
  const fields: Readonly<Record<string, unknown>> = { ...whole };
  return Object.entries(part).every(([key, value]) => contains(fields[key], value));
}

export function makeFaults() {
  let pending: (Fault & { left: number })[] = [];
  return {
    add(fault: Fault): void {
      pending.push({ ...fault, left: fault.times });
    },
    /** The first fault that hits this call; it is used up by one. */
    next(operation: string, input: object): Fault | undefined {
      const fault = pending.find((one) => one.operation === operation && contains(input, one.match ?? {}));
      if (fault === undefined) return undefined;
      fault.left -= 1;
      pending = pending.filter((one) => one.left > 0);
      return fault;
    },
    /** What is left of them: `times` counts down. */
    list: (): readonly Fault[] => pending.map(({ left, ...fault }) => ({ ...fault, times: left })),
    clear(): void {
      pending = [];
    },
  };
}
