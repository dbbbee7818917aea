/** How long EC2 takes, as data: each time is drawn between two bounds. */

/** Lower and upper bound in milliseconds. */
export type RangeMs = readonly [fromMs: number, toMs: number];

export interface LatencyProfile {
  /** From request to answer. */
  readonly describe: RangeMs;
  readonly mutate: RangeMs;
  /** `attaching` to `attached`. */
  readonly attach: RangeMs;
  /** `detaching` to gone. */
  readonly detach: RangeMs;
  readonly forcedDetach: RangeMs;
  readonly start: RangeMs;
  /** A plain stop waits for the guest to shut down. */
  readonly stop: RangeMs;
  /** A plain stop of a guest that does not answer; as long as `stop` unless given. */
  readonly hungStop?: RangeMs;
  /** With `Force`; as long as `stop` unless given. */
  readonly forcedStop?: RangeMs;
  /** With `SkipOsShutdown`, which does not wait for the guest at all; as long as `stop` unless given. */
  readonly skippedStop?: RangeMs;
  readonly terminate: RangeMs;
  /** For how long a reboot fails the instance check. */
  readonly reboot: RangeMs;
  /** After a start, the checks first have no data, then are initializing. */
  readonly insufficientData: RangeMs;
  readonly initializing: RangeMs;
}

const none: RangeMs = [0, 0];

export const latencyProfiles = {
  /** Everything on the next tick: the order of states is kept, the waiting is not. */
  instant: {
    describe: none,
    mutate: none,
    attach: none,
    detach: none,
    forcedDetach: none,
    start: none,
    stop: none,
    terminate: none,
    reboot: none,
    insufficientData: none,
    initializing: none,
  },
  /** Moving an interface takes what EC2 takes; instances are quicker than EC2's, so that people do not wait. */
  realistic: {
    describe: [50, 150],
    mutate: [100, 300],
    attach: [1_000, 2_000],
    detach: [2_000, 3_000],
    forcedDetach: [2_000, 3_000],
    start: [3_000, 6_000],
    stop: [3_000, 8_000],
    hungStop: [40_000, 60_000],
    forcedStop: [3_000, 6_000],
    skippedStop: [1_000, 3_000],
    terminate: [3_000, 8_000],
    reboot: [10_000, 20_000],
    insufficientData: [500, 1_000],
    initializing: [2_000, 4_000],
  },
} as const satisfies Record<string, LatencyProfile>;

export type LatencyProfileName = keyof typeof latencyProfiles;

export const drawMs = ([fromMs, toMs]: RangeMs, random: () => number): number =>
  fromMs + Math.round(random() * (toMs - fromMs));
