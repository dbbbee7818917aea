/** One invocation as Lambda runs it: its port calls are counted, and it can crash or freeze at any of them. */
import type { Ports, Run } from '../../shared/app/ports.ts';
import type { OwnerId } from '../../shared/core/ids.ts';
import type { VirtualClock } from './virtual-clock.ts';

export type Moment = 'before' | 'after';

export interface Worker {
  readonly ports: Ports;
  readonly run: Run;
  /** The port calls so far, `ec2.detach` and so on, in order. */
  readonly calls: readonly string[];
  /** Resolves when it has crashed; nothing that it began goes on then. */
  readonly crashed: Promise<'crashed'>;
  crashAt(number: number, moment: Moment): void;
  /** Lambda freezes it just before this call and thaws it after so long. */
  freezeAt(which: (call: string, number: number) => boolean, forMs: number): void;
}

const watched = ['ec2', 'alarms', 'hooks', 'store', 'queue', 'notifier'] as const;

let made = 0;

export function makeWorker(world: Ports, clock: VirtualClock, lifeMs = 60_000): Worker {
  made += 1;
  const calls: string[] = [];
  let isDead = false;
  let frozenUntilMs = 0;
  let crashPoint: { readonly number: number; readonly moment: Moment } | undefined;
  let freeze:
    | { readonly which: (call: string, number: number) => boolean; readonly forMs: number }
    | undefined;
  let tellCrash: (word: 'crashed') => void = () => undefined;
  const crashed = new Promise<'crashed'>((resolve) => {
    tellCrash = resolve;
  });
  const never = () => new Promise<never>(() => undefined);

  const isHeldUp = () => isDead || clock.now() < frozenUntilMs;
  /** A dead worker never goes on; a frozen one goes on when it is thawed. */
  async function gate(): Promise<void> {
    while (isHeldUp()) {
      if (isDead) await never();
      await clock.sleep(frozenUntilMs - clock.now());
    }
  }

  function crashIf(number: number, moment: Moment): void {
    if (crashPoint?.number !== number || crashPoint.moment !== moment) return;
    isDead = true;
    tellCrash('crashed');
  }

  async function pass(call: string, work: () => Promise<unknown>): Promise<unknown> {
    if (isHeldUp()) await gate();
    const number = calls.push(call);
    crashIf(number, 'before');
    if (freeze?.which(call, number)) {
      frozenUntilMs = clock.now() + freeze.forMs;
      freeze = undefined;
    }
    if (isHeldUp()) await gate();
    try {
      return await work();
    } finally {
      crashIf(number, 'after');
      if (isHeldUp()) await gate();
    }
  }

  const watch = <T extends object>(name: string, port: T): T =>
    new Proxy(port, {
      get(target, key, receiver) {
        const value: unknown = Reflect.get(target, key, receiver);
        if (typeof value !== 'function') return value;
        return (...given: unknown[]) =>
          pass(`${name}.${String(key)}`, () => Reflect.apply(value, target, given) as Promise<unknown>);
      },
    });

  const ports = Object.fromEntries(watched.map((name) => [name, watch(name, world[name])]));
  return {
    ports: {
      ...world,
      ...ports,
      clock: {
        now: () => clock.now(),
        sleep: async (ms, signal) => {
          if (isHeldUp()) await gate();
          await clock.sleep(ms, signal);
          if (isHeldUp()) await gate();
        },
      },
    },
    run: { owner: `worker-${made}` as OwnerId, deadlineMs: clock.now() + lifeMs },
    calls,
    crashed,
    crashAt: (number, moment) => {
      crashPoint = { number, moment };
    },
    freezeAt: (which, forMs) => {
      freeze = { which, forMs };
    },
  };
}
