/** The sweep as its schedule runs it: a process that remembers, minute after minute, over a story's world. */
import { emptyMemory, type SweepMemory, type SweepReport, sweep } from '../../shared/app/sweep.ts';
import type { ServiceName } from '../../shared/core/ids.ts';
import { type FakeFleet, makeFakeFleet } from '../fakes/fake-fleet.ts';
import { ordersDb, type World } from '../fakes/world.ts';

export interface Sweeping {
  readonly fleet: FakeFleet;
  readonly memory: SweepMemory;
  /** One sweep now, in an invocation that may last so long. */
  sweep(lifeMs?: number): Promise<SweepReport>;
  /** The next one, a minute later. */
  later(minutes?: number): Promise<SweepReport>;
  /** The process dies, and its memory with it. */
  restart(): void;
  /** What the calls since the last question cost. */
  cost(): { readonly items: number; readonly describes: number; readonly writes: number };
}

export function sweeping(world: World): Sweeping {
  const { clock, ec2, alarms, store } = world;
  const fleet = makeFakeFleet(clock, ec2, alarms);
  let memory = emptyMemory();
  let seen = { calls: store.calls.length, ec2: ec2.calls.length, writes: store.writes.length };
  const handle: Sweeping = {
    fleet,
    get memory() {
      return memory;
    },
    sweep: (lifeMs = 55_000) => clock.run(sweep(world.ports, fleet, memory, clock.now() + lifeMs)),
    later: async (minutes = 1) => {
      await clock.advance(minutes * 60_000);
      return handle.sweep();
    },
    restart: () => {
      memory = emptyMemory();
    },
    cost: () => {
      const calls = store.calls.slice(seen.calls);
      const cost = {
        items: calls.filter((each) => each.operation === 'read').length,
        describes: ec2.calls.slice(seen.ec2).filter((each) => each.operation !== 'limits').length,
        writes: store.writes.length - seen.writes,
      };
      seen = { calls: store.calls.length, ec2: ec2.calls.length, writes: store.writes.length };
      return cost;
    },
  };
  return handle;
}

/** As many services more, each with a holder and a standby of its own. */
export async function addServices(
  world: World,
  count: number,
): Promise<readonly { readonly name: ServiceName; readonly holder: ReturnType<World['holder']> & string }[]> {
  const added: { name: ServiceName; holder: ReturnType<World['holder']> & string }[] = [];
  for (let number = 1; number <= count; number += 1) added.push(await world.addService(number));
  return added;
}

/** The standby of an added service. */
export const standbyOf = (holder: string) =>
  holder.replace('0a', '0b') as ReturnType<World['holder']> & string;

export const all = (names: readonly string[]) => [ordersDb, ...names].sort();
