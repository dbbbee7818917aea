/** Tells and records that a pause ended by itself: nobody resumed, so perhaps nobody knows that the controller acts again. */
import { messageOf } from '../core/errors.ts';
import { everything } from '../core/ids.ts';
import type { ControllerItem, Pause, Service } from '../core/state.ts';
import { times } from '../core/times.ts';
import { copyControllerRecord, recordOfController } from './controller-record.ts';
import { toEntry } from './entry.ts';
import type { Ports } from './ports.ts';
import { record } from './record.ts';

export const isPastExpiry = (pause: Pause | undefined, nowMs: number): pause is Pause =>
  pause !== undefined && pause.untilMs <= nowMs;

const linesOf = ({ author, reason, atMs, untilMs }: Pause) => [
  `Paused by: ${author}`,
  `Reason: ${reason}`,
  `From ${new Date(atMs).toISOString()} until ${new Date(untilMs).toISOString()}`,
];

const headline = 'the pause has ended by itself, the controller acts again';

const factsOf = ({ author, reason, untilMs }: Pause) => ({
  pausedBy: author,
  pausedFor: reason,
  until: new Date(untilMs).toISOString(),
});

/** Ends it in the item too. False when somebody else wrote meanwhile: then the next sweep looks again. */
export async function tellPauseEnded(ports: Ports, service: Service, pause: Pause): Promise<boolean> {
  const entry = toEntry(ports, service, {
    kind: 'resume',
    author: 'eni-failover',
    outcome: 'PAUSE_ENDED',
    severity: 'warning',
    headline,
    lines: linesOf(pause),
    next: [
      `if the work is not done: eni-failover pause ${service.name} --for 1h --reason '...'`,
      `eni-failover explain ${service.name}`,
    ],
    facts: factsOf(pause),
    data: factsOf(pause),
    instances: [],
    enis: [],
    change: ({ pause: _, ...state }) => state,
  });
  return (await record(ports, service, entry)) === 'recorded';
}

/** After this long it is no news: a process that begins then need not tell it again. */
const newsForMs = 10 * 60_000;

/**
 * The controller's pause has no outbox: told from here, by whatever process sweeps, under a dedupe id that is the
 * same each time. Only then it is recorded, and ended in the item: whoever dies in between, the next sweep tells it.
 */
async function tellControllerPauseEnded(ports: Ports, pause: Pause, toldUntilMs: Set<number>): Promise<void> {
  const nowMs = ports.clock.now();
  if (nowMs - pause.untilMs > newsForMs || toldUntilMs.has(pause.untilMs)) return;
  await ports.notifier.publish({
    dedupeId: `controller.PAUSE_ENDED.${pause.untilMs}`,
    atMs: nowMs,
    keep: true,
    service: everything,
    kind: 'controller',
    outcome: 'PAUSE_ENDED',
    severity: 'warning',
    headline,
    lines: linesOf(pause),
    next: [`if the work is not done: eni-failover pause --all --for 1h --reason '...'`],
    data: factsOf(pause),
  });
  toldUntilMs.add(pause.untilMs);
}

/** Nothing where somebody paused anew or resumed in between: that is on record already. */
async function recordControllerPauseEnded(ports: Ports, item: ControllerItem, pause: Pause): Promise<void> {
  const draft = {
    kind: 'resume',
    atMs: ports.clock.now(),
    author: 'eni-failover',
    outcome: 'PAUSE_ENDED',
    facts: factsOf(pause),
    instances: [],
    enis: [],
  } as const;
  const change = ({ pause: _, ...rest }: ControllerItem) => rest;
  const recorded = await recordOfController(ports, item, { draft, change });
  if (recorded.kind === 'recorded') await copyControllerRecord(ports, recorded.frozen);
}

/** What the controller's own item needs each minute: the end of its pause told and recorded, a record copied. */
export async function tendController(ports: Ports, toldUntilMs: Set<number>): Promise<void> {
  const { store, clock, log } = ports;
  try {
    const item = await store.readControllerItem();
    const { pause, frozen } = item;
    if (isPastExpiry(pause, clock.now())) {
      await tellControllerPauseEnded(ports, pause, toldUntilMs);
      await recordControllerPauseEnded(ports, item, pause);
      // What was written just now is still in its writer's hands.
    } else if (frozen && frozen.atMs <= clock.now() - times.noticeIsTheirsMs) {
      await copyControllerRecord(ports, frozen);
    }
  } catch (error) {
    log.warn("the controller's own item could not be looked after", { error: messageOf(error) });
  }
}
