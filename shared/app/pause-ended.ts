/** Tells that a pause ended by itself: nobody resumed, so perhaps nobody knows that the controller acts again. */
import { messageOf } from '../core/errors.ts';
import type { Pause, Service } from '../core/state.ts';
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
 * same each time. The pause itself stays where it is, past its end, so that nobody's new one is overwritten.
 */
export async function tellControllerPauseEnded(
  ports: Ports,
  pause: Pause | undefined,
  toldUntilMs: Set<number>,
): Promise<void> {
  const nowMs = ports.clock.now();
  if (!isPastExpiry(pause, nowMs) || nowMs - pause.untilMs > newsForMs || toldUntilMs.has(pause.untilMs))
    return;
  try {
    await ports.notifier.publish({
      dedupeId: `controller.PAUSE_ENDED.${pause.untilMs}`,
      atMs: nowMs,
      keep: true,
      service: '*',
      kind: 'controller',
      outcome: 'PAUSE_ENDED',
      severity: 'warning',
      headline,
      lines: linesOf(pause),
      next: [`if the work is not done: eni-failover pause --all --for 1h --reason '...'`],
      data: factsOf(pause),
    });
    toldUntilMs.add(pause.untilMs);
  } catch (error) {
    ports.log.warn('a notice could not be published', { pause: pause.untilMs, error: messageOf(error) });
  }
}
