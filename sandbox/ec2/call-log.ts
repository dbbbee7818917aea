/** The last calls that were answered, with who made them and what came of them. */

export interface CallRecord {
  /** When the request came in. */
  readonly atMs: number;
  readonly operation: string;
  readonly input: object;
  readonly caller: string;
  /** `ok` or EC2's error code. */
  readonly outcome: string;
  readonly durationMs: number;
}

const kept = 10_000;

export function makeCallLog() {
  let calls: CallRecord[] = [];
  return {
    add(call: CallRecord): void {
      calls.push(call);
      // Cut now and then, so that adding stays cheap.
      if (calls.length >= 2 * kept) calls = calls.slice(-kept);
    },
    list: (): readonly CallRecord[] => calls.slice(-kept),
    clear(): void {
      calls = [];
    },
  };
}
