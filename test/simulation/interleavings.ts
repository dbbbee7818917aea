/** Two at once: one invocation is stopped at each of its calls, another runs up to each of its own, and both go on. */
import { addTo, isOver, planFor, type Story, strike, type Tally } from './exhaustive.ts';
import type { Call } from './network.ts';
import type { Worker } from './virtual-time.ts';
import { World } from './world.ts';

/** Who comes in between. */
export const rivals = [
  'event',
  'sweep',
  'switchover',
  'pause',
  'recovery',
  'target-fails',
  'target-stops',
  'source-fails',
] as const;
export type Rival = (typeof rivals)[number];

/** A failover's source has failed already; of a planned move there is no event, and nobody asks twice. */
export const rivalsOf = ({ failure }: Story): readonly Rival[] =>
  isPlanned(failure)
    ? ['sweep', 'pause', 'target-fails', 'target-stops', 'source-fails']
    : rivals.filter((each) => each !== 'source-fails');
const isPlanned = (failure: Story['failure']) => failure === 'planned' || failure === 'back';

export interface Interleaved {
  readonly world: World;
  /** How many calls the first worker makes, and how many its rivals do. */
  readonly firstCalls: number;
  readonly rivalCalls: number;
}

const limitMs = 330_000;
/** Longer than a rival's whole failover: whoever is stopped goes on then, whatever happens. */
const patienceMs = 40_000;

function unleash(world: World, rival: Rival, event: object | undefined): void {
  const name = world.services[0]?.name;
  if (!name) return;
  switch (rival) {
    case 'event':
      world.invoke({ ...event, id: 'another' }, () => undefined);
      return;
    case 'sweep':
      world.sweepOnce();
      return;
    case 'switchover':
      world.request(name, 'switchover', 2);
      return;
    case 'pause':
      world.pause(name, 20_000);
      return;
    case 'target-fails':
      world.model.impair(world.instances[1] ?? '', 'system');
      return;
    case 'target-stops':
      world.asPerson('StopInstances', { InstanceIds: [world.instances[1] ?? ''] });
      return;
    case 'source-fails':
      world.model.impair(world.instances[0] ?? '', 'system');
      return;
    case 'recovery':
      world.model.recover(world.instances[0] ?? '');
      world.invoke({ ...event, id: 'another' }, () => undefined);
      return;
  }
}

/**
 * The first invocation stops before its call `at`; the rival begins, and stops before its own call `back`, or
 * runs to its end when that is 0. Then the first goes on to its end, then the rival: two preemptions.
 */
export async function interleave(
  story: Story,
  rival: Rival,
  at: number,
  back: number,
  logging = false,
): Promise<Interleaved> {
  let first: Worker | undefined;
  let event: object | undefined;
  let firstCalls = 0;
  let rivalCalls = 0;
  let released = false;
  const held: Worker[] = [];
  const thaw = (world: World) => {
    for (const worker of held.splice(0)) {
      worker.thaw();
      world.loop.settled();
    }
  };

  const world: World = new World(
    planFor(story),
    {
      passage: (given) => {
        event = given;
        return { copies: [{ afterMs: 400 }] };
      },
      onCall: ({ worker }: Call) => {
        if (!counting) return;
        if (!first && worker.name.startsWith('failover')) {
          first = worker;
          worker.onDeath(() => thaw(world));
        }
        if (worker === first) {
          firstCalls += 1;
          if (firstCalls !== at) return;
          worker.freeze();
          world.loop.after(1, () => {
            unleash(world, rival, event);
            released = true;
          });
          const go = () => {
            worker.thaw();
            world.loop.settled();
          };
          world.loop.after(patienceMs, go);
          watch = go;
        } else if (released) {
          rivalCalls += 1;
          if (rivalCalls !== back || first?.isDead()) return;
          worker.freeze();
          held.push(worker);
          world.loop.after(patienceMs, () => thaw(world));
          watch?.();
          watch = undefined;
        }
      },
    },
    logging,
  );
  let watch: (() => void) | undefined;
  let counting = false;
  await world.build();
  counting = true;
  strike(world, story);
  // When the rival and all that it set off have come to rest, the first goes on.
  const tick = () => {
    const others = world.busy() - (first?.isDead() === false ? 1 : 0);
    if (released && watch && others === 0) {
      watch();
      watch = undefined;
    }
    world.loop.after(200, tick);
  };
  tick();
  await world.runTo(limitMs, () => isOver(world) && world.loop.now() - world.bornMs > 5_000);
  if (world.checker.violations.length === 0) world.checker.finish(0);
  return { world, firstCalls, rivalCalls };
}

/** How many calls the first invocation makes when nobody stops it: the places at which it can be. */
export async function turnsOf(story: Story): Promise<number> {
  const { firstCalls } = await interleave(story, 'sweep', Number.POSITIVE_INFINITY, 0);
  return firstCalls;
}

/**
 * The first is stopped at one place; the rival at none, or, with `depth` 2, at each of its own in its turn as well.
 */
export async function exploreInterleavings(
  story: Story,
  rival: Rival,
  at: number,
  tally: Tally,
  depth: 1 | 2 = 2,
): Promise<boolean> {
  const judge = ({ world }: Interleaved, back: number) =>
    addTo(
      tally,
      world,
      `--story ${story.failure}/${story.interfaces} --rival ${rival} --stops ${at},${back}`,
    );
  const whole = await interleave(story, rival, at, 0);
  if (whole.firstCalls < at) return false;
  judge(whole, 0);
  if (depth === 1) return true;
  for (let back = 1; back <= Math.min(whole.rivalCalls, 60); back += 1)
    judge(await interleave(story, rival, at, back), back);
  return true;
}
