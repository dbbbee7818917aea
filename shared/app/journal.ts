/** Owns every write of one worker while it holds a lease: one at a time, steps batched into renewals (P1–P3, P5). */

import { type Episode, type Step, withSteps } from '../core/episode.ts';
import { messageOf } from '../core/errors.ts';
import type { OwnerId } from '../core/ids.ts';
import { type Service, type ServiceState, toService } from '../core/state.ts';
import { times } from '../core/times.ts';
import { over } from './in-time.ts';
import type { Ports } from './ports.ts';

/** Pure, and harmless when it is applied a second time: a write whose answer was lost may be made again. */
export type Change = (state: ServiceState) => ServiceState;

/** A change of the open episode; of an item without one, none. */
export const inEpisode =
  (change: (episode: Episode) => Partial<Episode>): Change =>
  (item) =>
    item.episode ? { ...item, episode: { ...item.episode, ...change(item.episode) } } : item;

export type Written = 'written' | 'lost' | 'unreachable';

export type LeaseStatus = 'held' | 'unreachable' | 'lost';

export interface Journal {
  service(): Service;
  /** `unreachable`: the table does not answer, so nobody can have taken the lease through it either. */
  status(): LeaseStatus;
  /** May a mutation that takes up to `timeoutMs` begin now (P6)? */
  covers(timeoutMs: number): boolean;
  /** Remembers a step; it is written with the next write. */
  note(step: Omit<Step, 'atMs'>): void;
  /** Writes soon what waits, without being waited for; tells early if the lease is somebody else's. */
  flush(): void;
  /** Remembers a change and writes it soon, without being waited for. */
  amend(change: Change): void;
  /** Writes everything that waits, and this; resolves when it is stored, or cannot be. */
  commit(change?: Change): Promise<Written>;
  /** Ends the renewals. Nothing may be written through this journal afterwards. */
  stop(): Promise<void>;
}

/** `state` is what the claim wrote. Renewals start at once and go on until `stop`. */
export function makeJournal(ports: Ports, state: ServiceState, owner: OwnerId): Journal {
  const { clock, store, ids, log } = ports;
  const { epoch } = state;
  let current = state;
  let parsed = toService(state);
  let status = 'held' as LeaseStatus;
  let waiting: Change[] = [];
  let tail: Promise<unknown> = Promise.resolve();
  let unanswered: { readonly nonce: string; readonly changes: number } | undefined;
  const stopped = new AbortController();

  const ownedByUs = (other: ServiceState) => other.epoch === epoch && other.lease?.owner === owner;

  const adopt = (next: ServiceState) => {
    current = next;
    parsed =
      next.declared === parsed.declared ? { ...next, declaration: parsed.declaration } : toService(next);
  };

  async function writeOnce(): Promise<Written> {
    const changes = waiting;
    waiting = [];
    // An earlier write in the queue carried the end, and with it everything that mattered.
    if (current.lease === undefined) return 'written';
    for (;;) {
      if (status === 'lost') return 'lost';
      const nowMs = clock.now();
      const changed = changes.reduce((before, change) => change(before), current);
      const after: ServiceState = {
        ...changed,
        rev: current.rev + 1,
        nonce: ids.nonce(),
        // A change that ends the lease (a close, a handover) is not overruled by the renewal.
        ...(changed.lease === current.lease && { lease: { owner, untilMs: nowMs + times.leaseTtlMs } }),
      };
      const attempt = { nonce: after.nonce, changes: changes.length };
      try {
        const result = await store.write(current, after, {
          rev: current.rev,
          lease: { owner, epoch, aliveAtMs: nowMs },
        });
        if (result.kind === 'written') {
          adopt(after);
          unanswered = undefined;
          status = 'held';
          return 'written';
        }
        if (result.now.nonce === unanswered?.nonce) {
          changes.splice(0, unanswered.changes);
          // That write was ours, and ended the lease itself: what it carried is stored, and nothing is left to do.
          if (!result.now.lease) {
            adopt(result.now);
            status = 'lost';
            return 'written';
          }
        }
        unanswered = undefined;
        const expired = (result.now.lease?.untilMs ?? 0) <= clock.now();
        if (!ownedByUs(result.now) || expired) {
          status = 'lost';
          return 'lost';
        }
        adopt(result.now);
      } catch (error) {
        unanswered = attempt;
        waiting = [...changes, ...waiting];
        status = 'unreachable';
        log.warn('the table is out of reach', { service: state.name, epoch, error: messageOf(error) });
        return 'unreachable';
      }
    }
  }

  function enqueue(): Promise<Written> {
    const next = tail.then(writeOnce);
    // One that throws must not fail every write after it.
    tail = next.catch(() => undefined);
    return next;
  }

  const renewals = (async () => {
    while (!stopped.signal.aborted) {
      await clock.sleep(times.renewEveryMs, stopped.signal);
      if (stopped.signal.aborted) return;
      await enqueue().catch((error: unknown) =>
        log.error('a renewal failed', { service: state.name, error: messageOf(error) }),
      );
    }
  })();

  const flush = () => {
    enqueue().catch((error: unknown) => log.error('a write failed', { error: messageOf(error) }));
  };

  return {
    flush,
    service: () => parsed,
    status: () => status,
    covers: (timeoutMs) =>
      status !== 'lost' && (current.lease?.untilMs ?? 0) >= clock.now() + timeoutMs + times.skewMarginMs,
    note(step) {
      const line: Step = { atMs: clock.now(), ...step };
      log.info(step.step, { service: state.name, episode: current.episode?.id, epoch, ...step });
      waiting.push((before) =>
        before.episode
          ? { ...before, episode: { ...before.episode, steps: withSteps(before.episode.steps, [line]) } }
          : before,
      );
    },
    amend(change) {
      waiting.push(change);
      flush();
    },
    commit(change) {
      if (change) waiting.push(change);
      return enqueue();
    },
    async stop() {
      stopped.abort(over);
      await Promise.all([renewals, tail]);
    },
  };
}
