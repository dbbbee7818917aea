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
  /** A function that answers at once, and says so while it is not done. */
  readonly pends?: boolean;
}

export type HookFault =
  | { readonly kind: 'refused'; readonly code: string }
  | { readonly kind: 'unclear'; readonly code: string }
  /** It was begun, and nobody heard of it. */
  | { readonly kind: 'answer-lost' }
  | { readonly kind: 'throws' }
  /** Something happens in the world just before the call arrives. */
  | { readonly kind: 'meanwhile'; readonly run: () => void };

export interface HookCall {
  readonly atMs: number;
  readonly name: string;
  readonly order: HookOrder;
}

export interface FakeHooks extends Hooks {
  readonly calls: HookCall[];
  /** What was really begun, whoever knows of it. */
  readonly begun: HookCall[];
  /** From now on; what was begun before goes on as it was. */
  behave(name: string, behaviour: Behaviour): void;
  fail(name: string, fault: HookFault, times?: number): void;
  /** Those begun, by name, in order. */
  names(): readonly string[];
  /** The tokens with which one was begun, in order. */
  tokens(name: string): readonly string[];
  onCall(watch: (call: HookCall) => void): void;
}

interface Running {
  readonly endsAtMs: number;
  readonly behaviour: Behaviour;
}

const callMs = 80;

export function makeFakeHooks(clock: VirtualClock): FakeHooks {
  const behaviours = new Map<string, Behaviour>();
  const faults = new Map<string, HookFault[]>();
  const commands = new Map<string, Running>();
  const pending = new Map<string, Running>();
  const calls: HookCall[] = [];
  const begun: HookCall[] = [];
  const watchers: ((call: HookCall) => void)[] = [];

  const start = (call: HookCall): Running => {
    begun.push(call);
    const behaviour = behaviours.get(call.name) ?? {};
    const { hangs = false, tookMs = 1_000 } = behaviour;
    return { endsAtMs: hangs ? Number.POSITIVE_INFINITY : clock.now() + tookMs, behaviour };
  };
  const answerOf = (name: string, { end = 'done', output = `${name} ok` }: Behaviour): HookAnswer => ({
    kind: end,
    output,
  });

  return {
    calls,
    begun,
    names: () => begun.map((each) => each.name),
    tokens: (name) => begun.filter((each) => each.name === name).map((each) => each.order.token),
    behave: (name, behaviour) => {
      behaviours.set(name, behaviour);
    },
    fail: (name, fault, times = 1) => {
      faults.set(name, [...(faults.get(name) ?? []), ...Array.from({ length: times }, () => fault)]);
    },
    onCall: (watch) => {
      watchers.push(watch);
    },
    async run(order) {
      const { command, token, handle, timeoutMs } = order;
      const { name } = command;
      const call = { atMs: clock.now(), name, order };
      calls.push(call);
      for (const watch of watchers) watch(call);
      const fault = faults.get(name)?.shift();
      if (fault?.kind === 'meanwhile') fault.run();
      await clock.sleep(callMs);
      if (fault?.kind === 'refused') return { kind: 'refused', code: fault.code, detail: 'it will not' };
      if (fault?.kind === 'unclear') return { kind: 'unclear', code: fault.code };
      if (fault?.kind === 'throws') throw new PortError('unavailable', 'ServiceUnavailable', 'no answer');

      if (command.kind === 'document' && handle !== undefined) {
        const running = commands.get(handle);
        if (!running) return { kind: 'unclear', code: 'InvocationDoesNotExist' };
        return clock.now() < running.endsAtMs
          ? { kind: 'running', handle }
          : answerOf(name, running.behaviour);
      }
      if (command.kind === 'document') {
        const running = start(call);
        const made = `command-${begun.length}`;
        commands.set(made, running);
        return fault?.kind === 'answer-lost'
          ? { kind: 'unclear', code: 'TimeoutError' }
          : { kind: 'running', handle: made };
      }
      // Idempotent by its token, as it must be: called again, it goes on with what it began.
      const running = pending.get(token) ?? start(call);
      pending.set(token, running);
      if (running.behaviour.pends && clock.now() < running.endsAtMs) return { kind: 'running' };
      await clock.sleep(Math.min(running.endsAtMs - clock.now(), timeoutMs));
      if (clock.now() < running.endsAtMs || fault?.kind === 'answer-lost')
        return { kind: 'unclear', code: 'TimeoutError' };
      // A check is asked anew with the same token: what it says is how things are now.
      if (running.behaviour.end === 'failed') pending.delete(token);
      return answerOf(name, running.behaviour);
    },
  };
}
