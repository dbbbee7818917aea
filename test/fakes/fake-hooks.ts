/** Hooks behind their port: documents that run on their own in virtual time, functions that answer, and what goes wrong. */
import type { HookAnswer, HookOrder, Hooks } from '../../shared/app/ports.ts';
import { PortError } from '../../shared/core/errors.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** How a hook behaves; done after a second unless said otherwise. */
export interface Behaviour {
  readonly tookMs?: number;
  readonly end?: 'done' | 'failed';
  readonly output?: string;
  /** Never ends by itself. */
  readonly hangs?: boolean;
}

export type HookFault =
  | { readonly kind: 'refused'; readonly code: string }
  | { readonly kind: 'unclear'; readonly code: string }
  /** It was begun, and nobody heard of it. */
  | { readonly kind: 'answer-lost' }
  | { readonly kind: 'throws' };

export interface HookCall {
  readonly atMs: number;
  readonly name: string;
  readonly order: HookOrder;
}

export interface FakeHooks extends Hooks {
  readonly calls: HookCall[];
  /** What was really begun, whoever knows of it. */
  readonly begun: HookCall[];
  behave(name: string, behaviour: Behaviour): void;
  fail(name: string, fault: HookFault, times?: number): void;
  /** Those begun, by name, in order. */
  names(): readonly string[];
}

interface Running {
  readonly endsAtMs: number;
  readonly name: string;
}

const callMs = 80;

export function makeFakeHooks(clock: VirtualClock): FakeHooks {
  const behaviours = new Map<string, Behaviour>();
  const faults = new Map<string, HookFault[]>();
  const commands = new Map<string, Running>();
  const pending = new Map<string, Running>();
  const calls: HookCall[] = [];
  const begun: HookCall[] = [];

  const endOf = (name: string): number => {
    const { hangs = false, tookMs = 1_000 } = behaviours.get(name) ?? {};
    return hangs ? Number.POSITIVE_INFINITY : clock.now() + tookMs;
  };
  const answerOf = (name: string): HookAnswer => {
    const { end = 'done', output = `${name} ok` } = behaviours.get(name) ?? {};
    return { kind: end, output };
  };

  return {
    calls,
    begun,
    names: () => begun.map((each) => each.name),
    behave: (name, behaviour) => {
      behaviours.set(name, behaviour);
    },
    fail: (name, fault, times = 1) => {
      faults.set(name, [...(faults.get(name) ?? []), ...Array.from({ length: times }, () => fault)]);
    },
    async run(order) {
      const { command, token, handle, timeoutMs } = order;
      const { name } = command;
      const call = { atMs: clock.now(), name, order };
      calls.push(call);
      await clock.sleep(callMs);
      const fault = faults.get(name)?.shift();
      if (fault?.kind === 'refused') return { kind: 'refused', code: fault.code, detail: 'it will not' };
      if (fault?.kind === 'unclear') return { kind: 'unclear', code: fault.code };
      if (fault?.kind === 'throws') throw new PortError('unavailable', 'ServiceUnavailable', 'no answer');

      if (command.kind === 'document' && handle !== undefined) {
        const running = commands.get(handle);
        if (!running) return { kind: 'unclear', code: 'InvocationDoesNotExist' };
        return clock.now() < running.endsAtMs ? { kind: 'running', handle } : answerOf(name);
      }
      if (command.kind === 'document') {
        begun.push(call);
        const made = `command-${begun.length}`;
        commands.set(made, { name, endsAtMs: endOf(name) });
        return fault?.kind === 'answer-lost'
          ? { kind: 'unclear', code: 'TimeoutError' }
          : { kind: 'running', handle: made };
      }
      // Idempotent by its token, as it must be: called again, it goes on with what it began.
      const running = pending.get(token) ?? { name, endsAtMs: endOf(name) };
      if (!pending.has(token)) begun.push(call);
      pending.set(token, running);
      await clock.sleep(Math.min(running.endsAtMs - clock.now(), timeoutMs));
      if (clock.now() < running.endsAtMs || fault?.kind === 'answer-lost')
        return { kind: 'unclear', code: 'TimeoutError' };
      return answerOf(name);
    },
  };
}
