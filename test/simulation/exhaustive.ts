/** Every single fault and every pair of faults over every awaited call of a failover, one world each. */
import type { ServiceName } from '../../shared/core/ids.ts';
import type { Violation } from './checker.ts';
import { type Call, type FaultKind, faultsFor, type Injury } from './network.ts';
import { type ServicePlan, type Weather, World, type WorldPlan } from './world.ts';

/** A fault at the n-th call that functions/failover makes after the failure. */
export interface PlannedFault extends Injury {
  readonly at: number;
  /** From then on Lambda runs nothing for so long, and what it runs dies. */
  readonly awayMs?: number;
}

export interface Story {
  readonly interfaces: 1 | 2;
  /**
   * What happens to the holder: it fails, and EC2 or its own alarm knows; with `fenced` the service declares a fence,
   * hooks and what says that it serves. Or nothing fails, and somebody asks for a move: of a service with hooks
   * (`planned`), of which one fails before anything is moved (`back`).
   */
  readonly failure: (typeof failures)[number];
}

export const failures = ['impaired', 'stopped', 'application', 'fenced', 'planned', 'back'] as const;

export interface Walked {
  readonly violations: readonly Violation[];
  /** Kinds of faults that could hit each call, in order; index 0 is the first call. */
  readonly points: readonly (readonly FaultKind[])[];
  readonly world: World;
}

/** Quick ones: what takes longer here is only asked for more often. */
const arounds: Partial<Readonly<Record<Story['failure'], Pick<ServicePlan, 'around' | 'policy'>>>> = {
  fenced: {
    around: {
      before: [{ on: 'target', deadline: '20s', tookMs: 300 }],
      after: [
        { on: 'target', deadline: '20s', tookMs: 600 },
        { on: 'function', deadline: '20s', tookMs: 300 },
      ],
      serving: { by: 'alarm', within: '20s' },
    },
    policy: { fence: 'stop', fenceTimeout: '20s' },
  },
  planned: {
    around: {
      before: [{ on: 'source', deadline: '20s', tookMs: 300, onFailure: 'back', undo: 'source' }],
      after: [{ on: 'function', deadline: '20s', tookMs: 400, pends: true }],
      serving: { by: 'target', within: '20s' },
    },
    policy: { fence: 'stop' },
  },
  back: {
    around: {
      before: [
        { on: 'source', deadline: '20s', tookMs: 300, undo: 'source' },
        { on: 'function', deadline: '20s', tookMs: 300, onFailure: 'back', undo: 'function', fails: true },
      ],
      after: [{ on: 'target', deadline: '20s', tookMs: 300 }],
    },
  },
};

export const planFor = ({ interfaces, failure }: Story): WorldPlan => ({
  seed: 1,
  zones: ['a', 'a', 'a'],
  services: [
    {
      name: 'orders',
      indexes: interfaces === 1 ? [1] : [1, 2],
      members: [0, 1, 2],
      ...(failure === 'application' && { alarm: 'free' }),
      ...arounds[failure],
    },
  ],
  steady: true,
  sweeps: true,
});

export const isFailover = (call: Call) => call.worker.name.startsWith('failover');
const failureAtMs = 2_000;
const limitMs = 330_000;

/** The world has come to an end of the story: all is quiet, on one healthy member. */
export function isOver(world: World): boolean {
  return (
    world.loop.now() - world.bornMs > failureAtMs + 1_500 &&
    world.isQuiet() &&
    world.services.every(({ name }) => {
      const on = new Set(world.checker.holders(name));
      const [holder] = on;
      return on.size === 1 && holder !== undefined && world.checker.isHealthy(holder);
    })
  );
}

export function strike(world: World, { failure }: Story): void {
  const holder = world.instances[0] ?? '';
  world.loop.after(failureAtMs, () => {
    switch (failure) {
      case 'impaired':
      case 'fenced':
        world.model.impair(holder, 'system');
        return;
      case 'stopped':
        world.asPerson('StopInstances', { InstanceIds: [holder] });
        return;
      case 'application':
        world.monitoring.setCustom('app-orders', 'ALARM');
        return;
      case 'planned':
      case 'back':
        world.request('orders' as ServiceName, 'switchover', 1);
    }
  });
}

/** One failover under these faults, from the failure to the quiet end. */
export async function walk(
  story: Story,
  faults: readonly PlannedFault[],
  weather: Weather = {},
  logging = false,
): Promise<Walked> {
  const points: FaultKind[][] = [];
  let counting = false;
  const awayMs = faults.reduce((sum, each) => sum + (each.awayMs ?? 0), 0);
  const world: World = new World(
    planFor(story),
    {
      ...weather,
      injure: (call) => {
        if (!counting || !isFailover(call)) return undefined;
        points.push([...faultsFor(call.service, call.operation)]);
        const fault = faults.find((each) => each.at === points.length);
        // What was sent is under way before anybody dies of it.
        if (fault?.awayMs) world.loop.after(1, () => world.loseLambda(fault.awayMs ?? 0));
        return fault;
      },
    },
    logging,
  );
  await world.build();
  counting = true;
  strike(world, story);
  await world.runTo(limitMs + awayMs, () =>
    story.failure === 'application'
      ? world.loop.now() - world.bornMs > 60_000 && isOver(world)
      : isOver(world),
  );
  if (world.checker.violations.length === 0) world.checker.finish(0);
  if (awayMs > 0) world.checker.finishUndisturbed();
  return { violations: world.checker.violations, points, world };
}

/** How late, how old, how long: one value for each kind, the one that hurts. */
export const severity: Partial<Readonly<Record<FaultKind, number>>> = {
  'applied-late': 6_000,
  stale: 4_000,
  freeze: 25_000,
};

export const injuryOf = (kind: FaultKind): Injury => {
  const ms = severity[kind];
  return ms === undefined ? { kind } : { kind, ms };
};

/**
 * Those of issue 4's list; two of any other kind are left to chance, and so is a throttled read beside another
 * fault: it is asked again a tenth of a second later, as every single one shows.
 */
const pairKinds: ReadonlySet<FaultKind> = new Set([
  'crash-before',
  'crash-after',
  'timeout-applied',
  'applied-late',
  'stale',
  'denied',
]);

/** What changes something can also be hurt after its effect: that tells it from a read. */
const pairable = (kinds: readonly FaultKind[]): readonly FaultKind[] =>
  kinds.filter((kind) => pairKinds.has(kind) || (kind === 'throttled' && kinds.includes('crash-after')));

export interface Found {
  /** What to say to see it again. */
  readonly replay: string;
  readonly violation: Violation;
}

export interface Tally {
  runs: number;
  readonly found: Found[];
  readonly counts: Map<string, number>;
}

/** Counts one run, and keeps the first thing that was wrong with it. */
export function addTo(tally: Tally, world: World, replay: string): void {
  tally.runs += 1;
  for (const [what, times] of world.counts) tally.counts.set(what, (tally.counts.get(what) ?? 0) + times);
  const [violation] = world.checker.violations;
  if (violation) tally.found.push({ replay, violation });
}

export const replayOf = (story: Story, faults: readonly PlannedFault[]) =>
  `--story ${story.failure}/${story.interfaces} --faults ${faults.map(({ at, kind, awayMs }) => `${at}:${kind}${awayMs ? ':away' : ''}`).join('+')}`;

/** How many calls there are after any one fault at call `at`: the second of three may be at each of the later ones. */
export async function callsAfter(story: Story, at: number): Promise<number> {
  const { points } = await walk(story, []);
  let most = 0;
  for (const kind of pairable(points[at - 1] ?? [])) {
    const single = await walk(story, [{ at, ...injuryOf(kind) }]);
    most = Math.max(most, single.points.length);
  }
  return most;
}

/** Three faults, of the kinds that pairs are of: one at call `at`, one at call `then`, one at each later call. */
export async function exploreTriples(story: Story, at: number, then: number, tally: Tally): Promise<void> {
  const { points } = await walk(story, []);
  for (const kind of pairable(points[at - 1] ?? [])) {
    const first = { at, ...injuryOf(kind) };
    const single = await walk(story, [first]);
    for (const other of pairable(single.points[then - 1] ?? [])) {
      const second = { at: then, ...injuryOf(other) };
      const pair = await walk(story, [first, second]);
      for (let last = then + 1; last <= pair.points.length; last += 1)
        for (const third of pairable(pair.points[last - 1] ?? [])) {
          const faults = [first, second, { at: last, ...injuryOf(third) }];
          addTo(tally, (await walk(story, faults)).world, replayOf(story, faults));
        }
    }
  }
}

/** Longer than any patience of ours: an attach, a lease, the five minutes of a detach. */
export const awayMs = 360_000;
/** What passes by itself. */
const passing = ['crash-before', 'crash-after', 'timeout', 'throttled', 'timeout-applied'] as const;

/** Lambda goes away at one call, which is hurt as well; then one more at each later call that changes EC2. */
export async function exploreOutage(story: Story, at: number, tally: Tally): Promise<void> {
  const { points } = await walk(story, []);
  const judge = (faults: readonly PlannedFault[], { world }: Walked) =>
    addTo(tally, world, replayOf(story, faults));
  for (const kind of passing) {
    if (!points[at - 1]?.includes(kind)) continue;
    const first = { at, kind, awayMs };
    const single = await walk(story, [first]);
    judge([first], single);
    if (single.violations.length > 0) continue;
    for (let next = at + 1; next <= single.points.length; next += 1) {
      // Only what changes EC2 can be refused by it.
      if (!single.points[next - 1]?.includes('refused')) continue;
      for (const other of ['throttled', 'timeout-applied'] as const) {
        const faults = [first, { at: next, kind: other }];
        judge(faults, await walk(story, faults));
      }
    }
  }
}

/** Every kind of fault at one call; with `depth` 2, followed by every kind at every later call. */
export async function explore(story: Story, at: number, depth: 1 | 2, tally: Tally): Promise<void> {
  const { points } = await walk(story, []);
  const kinds = points[at - 1];
  if (!kinds) return;
  const judge = (faults: readonly PlannedFault[], { world }: Walked) =>
    addTo(tally, world, replayOf(story, faults));
  for (const kind of depth === 1 ? kinds : pairable(kinds)) {
    const first = { at, ...injuryOf(kind) };
    const single = await walk(story, [first]);
    if (depth === 1) judge([first], single);
    if (depth === 1 || single.violations.length > 0) continue;
    for (let next = at + 1; next <= single.points.length; next += 1)
      for (const other of pairable(single.points[next - 1] ?? [])) {
        const faults = [first, { at: next, ...injuryOf(other) }];
        judge(faults, await walk(story, faults));
      }
  }
}
