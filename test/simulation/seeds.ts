/** One seed, one run: a drawn plan carried out in a storm, then calm, then judged. */
import type { Violation } from './checker.ts';
import { drawPlan } from './draw-plan.ts';
import { marginMs, type RunPlan, Storm, schedule } from './happenings.ts';
import { type Weather, World } from './world.ts';

export interface Ran {
  readonly plan: RunPlan;
  readonly world: World;
  readonly violation: Violation | undefined;
}

const minute = 60_000;

/** How the adapters reach AWS: `plain` past the SDK clients, `wire` through them. */
export type Mode = 'plain' | 'wire';

export async function runPlan(
  plan: RunPlan,
  logging = false,
  tamper?: Weather['tamper'],
  mode: Mode = 'plain',
): Promise<Ran> {
  const storm = new Storm(plan);
  const { injure, passage, skewMs } = storm;
  const weather = { injure, passage, skewMs, ...(tamper && { tamper }) };
  const wire = mode === 'wire' && { wire: await (await import('./wire.ts')).openWire() };
  const world = new World(plan.world, { ...weather, ...wire }, logging);
  // Beyond the margin of protocol.md §11 a lease says little; what the table's conditions keep, they keep.
  if ((plan.skewMs ?? 0) > marginMs) {
    world.checker.promiseOnly(['S1', 'S2', 'S6', 'S12', 'BUG']);
    world.count('clocks beyond the margin');
  }
  storm.calm();
  await world.build();
  storm.begin();
  schedule(world, storm, plan);
  const stormMs = plan.minutes * minute * 0.7;
  await world.runTo(stormMs);
  world.log(() => 'THE FAULTS STOP');
  storm.calm();
  world.calm();
  // What was set off before may still last: four minutes of it, then what is left counts as quiet.
  await world.runTo(plan.minutes * minute);
  // Fence, hooks and serving may take as long as they declare, and twice: the last failure may come behind them.
  if (world.applications && world.checker.isUnderway()) {
    const boundMs = 2 * world.checker.boundMs();
    await world.runTo(plan.minutes * minute + boundMs, () => !world.checker.isUnderway());
  }
  const quietMs = world.loop.now() - world.bornMs - stormMs;
  if (world.checker.violations.length === 0) world.checker.finish(quietMs);
  return { plan, world, violation: world.checker.violations[0] };
}

export const runSeed = (
  seed: number,
  minutes: number,
  logging = false,
  tamper?: Weather['tamper'],
  mode: Mode = 'plain',
) => runPlan(drawPlan(seed, minutes), logging, tamper, mode);

/** The fewest happenings that still break the same invariant: each is left out in turn, larger pieces first. */
export async function shrink(ran: Ran, tamper?: Weather['tamper'], mode: Mode = 'plain'): Promise<Ran> {
  let best = ran;
  const invariant = ran.violation?.invariant;
  for (let size = Math.ceil(best.plan.happenings.length / 2); size >= 1; ) {
    let removed = false;
    for (let from = 0; from < best.plan.happenings.length; ) {
      const happenings = best.plan.happenings.filter((_, index) => index < from || index >= from + size);
      const next = await runPlan({ ...best.plan, happenings }, false, tamper, mode);
      if (next.violation?.invariant === invariant) {
        best = next;
        removed = true;
      } else from += size;
    }
    if (!removed || size > 1) size = size === 1 ? 0 : Math.ceil(size / 2);
  }
  return best;
}
