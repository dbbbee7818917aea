/** The messages that a look sends to those that come after it: second looks, watchdogs, the end of a grace period. */
import type { WorkMessage } from '../core/hint.ts';
import { times } from '../core/times.ts';
import { inTime } from './in-time.ts';
import type { Ports } from './ports.ts';

/** How often one event may ask for another look. */
const maxAsked = 3;

/** None of its messages is promised: the sweep finds what a lost one would have said. */
export class LaterLooks {
  readonly #ports: Ports;
  readonly #message: WorkMessage;
  #watchdog: Promise<void> | undefined;

  constructor(ports: Ports, message: WorkMessage) {
    this.#ports = ports;
    this.#message = message;
  }

  get mayAsk(): boolean {
    return this.#message.look < maxAsked;
  }

  /** How long until the next look of this kind: 10, 20, 40 s (P35). */
  get delayMs(): number {
    const { look } = this.#message;
    return times.secondLooksMs[Math.min(look, times.secondLooksMs.length - 1)] ?? 0;
  }

  ask(delayMs = this.delayMs): Promise<void> {
    return this.#send({ ...this.#message, look: this.#message.look + 1 }, delayMs);
  }

  /** Another worker has the lease: asks for a look when it has ended. A watchdog never gives up (P34). */
  async askAfterLease(untilMs: number): Promise<void> {
    const waitMs = Math.max(0, untilMs - this.#ports.clock.now()) + 2 * times.skewMarginMs;
    if (this.#message.hint.kind === 'watchdog') await this.#send(this.#message, waitMs);
    else if (this.mayAsk) await this.ask(waitMs);
  }

  /** A declared alarm that is still red when its grace period ends needs a person (P33). */
  askAfterGrace(): Promise<void> {
    const finding = 'the grace period after a move is over';
    const hint = { kind: 'sweep', finding, atMs: this.#ports.clock.now() } as const;
    return this.#send({ service: this.#message.service, hint, look: 0 }, times.graceAfterMoveMs + 1_000);
  }

  /** Calls the next worker when an epoch's lease has ended (P34). */
  async sendWatchdog(epoch: number, leaseMs: number): Promise<void> {
    const { clock, queue, log } = this.#ports;
    const hint = { kind: 'watchdog', epoch, atMs: clock.now() } as const;
    const message: WorkMessage = { service: this.#message.service, hint, look: 0 };
    try {
      await queue.send(message, leaseMs + times.skewMarginMs);
    } catch (error) {
      log.warn('the watchdog could not be sent', { service: message.service, error: String(error) });
    }
  }

  /** One that cannot be sent within a second does not hold up the detach (P34); `settle` waits for it. */
  async sendWatchdogBesideClaim(epoch: number): Promise<void> {
    this.#watchdog = this.sendWatchdog(epoch, times.leaseTtlMs);
    await inTime(this.#ports.clock, this.#watchdog, times.messageTimeoutMs);
  }

  /** Nothing is left under way: Lambda freezes the process as soon as the handler returns. */
  async settle(): Promise<void> {
    if (this.#watchdog !== undefined)
      await inTime(this.#ports.clock, this.#watchdog, 5 * times.messageTimeoutMs);
  }

  async #send(message: WorkMessage, delayMs: number): Promise<void> {
    const { queue, log } = this.#ports;
    const { service } = message;
    try {
      await queue.send(message, delayMs);
    } catch (error) {
      log.warn('a later look could not be queued', { service, error: String(error) });
    }
  }
}
