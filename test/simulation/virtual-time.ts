/** Time without waiting: one event loop with a virtual clock, and workers that can crash, freeze and run askew. */
import type { SandboxClock } from '../../sandbox/clock.ts';
import type { Clock } from '../../shared/app/ports.ts';

interface Timer {
  readonly atMs: number;
  /** Timers of the same moment run in the order in which they were set. */
  readonly order: number;
  run: (() => void) | undefined;
}

export interface EventLoop extends SandboxClock {
  /** Says that a promise was settled: its continuations run before the next timer. */
  settled(): void;
  /** Runs what is due until `untilMs`, or until `isDone` says so after an event. */
  run(untilMs: number, isDone?: () => boolean): Promise<void>;
}

const isBefore = (a: Timer, b: Timer) => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);

/**
 * `stir` is for what lies between the loop and its workers and needs turns of its own (test/simulation/wire.ts): it
 * says whether something is still on its way there, and time stands still as long as it is.
 */
export function makeEventLoop(startMs: number, stir: () => boolean = () => false): EventLoop {
  let nowMs = startMs;
  let order = 0;
  let hasSettled = true;
  const heap: Timer[] = [];

  function push(timer: Timer): void {
    let index = heap.length;
    heap.push(timer);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent] as Timer;
      if (!isBefore(timer, above)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = timer;
  }

  function pop(): Timer | undefined {
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Timer, heap[child] as Timer)) child += 1;
      if (!isBefore(heap[child] as Timer, last)) break;
      heap[index] = heap[child] as Timer;
      index = child;
    }
    heap[index] = last;
    return first;
  }

  /** Ticks come when every continuation has run; a turn of Node's own loop is needed only where streams are read. */
  const tick = () => new Promise<void>((resolve) => process.nextTick(resolve));
  const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

  async function drain(): Promise<void> {
    await tick();
    while (stir()) await turn();
  }

  return {
    now: () => nowMs,
    after(delayMs, run) {
      order += 1;
      // Whole milliseconds, as every real clock here counts.
      const timer: Timer = { atMs: nowMs + Math.max(0, Math.ceil(delayMs)), order, run };
      push(timer);
      return () => {
        timer.run = undefined;
      };
    },
    settled() {
      hasSettled = true;
    },
    async run(untilMs, isDone = () => false) {
      for (;;) {
        if (hasSettled) {
          hasSettled = false;
          await drain();
          continue;
        }
        if (isDone()) return;
        const next = heap[0];
        if (next === undefined || next.atMs > untilMs) break;
        pop();
        if (next.run === undefined) continue;
        nowMs = Math.max(nowMs, next.atMs);
        next.run();
      }
      nowMs = Math.max(nowMs, untilMs);
    },
  };
}

/** One invocation's process: everything that reaches it passes `deliver`. */
export interface Worker {
  readonly name: string;
  readonly skewMs: number;
  readonly clock: Clock;
  /** Its invocation has returned: what it still does, it does in the time of a later one. */
  isOver: boolean;
  isDead(): boolean;
  isFrozen(): boolean;
  /** Hands an answer or a tick to the process: dropped when it is dead, kept while it is frozen. */
  deliver(run: () => void): void;
  /** Dies at once: what it awaits is never answered. */
  crash(): void;
  /** Stops, as a process under SIGSTOP does, until it is thawed. */
  freeze(): void;
  thaw(): void;
  /** As Lambda does between two invocations: only the next one ends it. */
  rest(): void;
  wake(): void;
  /** Runs once it is neither frozen nor dead: at once, if so now. */
  whenAwake(run: () => void): void;
  onDeath(run: () => void): void;
}

export function makeWorker(loop: EventLoop, name: string, skewMs: number): Worker {
  let dead = false;
  let frozen = false;
  let resting = false;
  let kept: (() => void)[] = [];
  const mourners: (() => void)[] = [];

  const deliver = (run: () => void) => {
    if (dead) return;
    if (frozen || resting) {
      kept.push(run);
      return;
    }
    loop.settled();
    run();
  };

  const goOn = () => {
    if (frozen || resting) return;
    const due = kept;
    kept = [];
    for (const run of due) deliver(run);
  };

  return {
    name,
    skewMs,
    isOver: false,
    clock: {
      now: () => loop.now() + skewMs,
      sleep: (ms, signal) =>
        new Promise((resolve) => {
          if (signal?.aborted) {
            resolve();
            return;
          }
          const done = () => {
            cancel();
            signal?.removeEventListener('abort', done);
            resolve();
          };
          const cancel = loop.after(ms, () => deliver(done));
          signal?.addEventListener('abort', done, { once: true });
        }),
    },
    isDead: () => dead,
    isFrozen: () => frozen,
    deliver,
    crash() {
      if (dead) return;
      dead = true;
      kept = [];
      for (const run of mourners) run();
    },
    freeze() {
      frozen = true;
    },
    thaw() {
      frozen = false;
      goOn();
    },
    rest() {
      resting = true;
    },
    wake() {
      resting = false;
      goOn();
    },
    whenAwake(run) {
      if (frozen || resting) kept.push(run);
      else if (!dead) run();
    },
    onDeath(run) {
      mourners.push(run);
    },
  };
}
