/** SQS as it treats its readers: delays, hides, delivers at least once, and gives up into a dead-letter queue. */
import type { EventLoop } from './virtual-time.ts';

const visibilityMs = 90_000;
const maxReceives = 5;
/** From due to delivered: the pollers of an event source mapping are always at it. */
const pollMs = 20;

export interface Queue {
  send(input: { readonly MessageBody?: string; readonly DelaySeconds?: number }): object;
  /** Delivers every message once more, soon. */
  duplicateNext(): void;
  /** Messages that are waiting or being worked on. */
  size(): number;
  deadLetters(): readonly string[];
  /** What waits in it, for those who ask whether all is quiet. */
  waiting(): readonly string[];
}

/** `consume` gets the raw Lambda event and says whether the function returned. */
export function makeQueue(
  loop: EventLoop,
  consume: (event: object, onEnd: (isDone: boolean) => void) => void,
  /** For how long nobody polls, from now on. */
  heldMs: () => number = () => 0,
): Queue {
  let serial = 0;
  let twice = false;
  const messages = new Map<string, string>();
  const dead: string[] = [];

  function receive(id: string, body: string, receives: number): void {
    if (!messages.has(id)) return;
    const laterMs = heldMs();
    if (laterMs > 0) {
      loop.after(laterMs + pollMs, () => receive(id, body, receives));
      return;
    }
    if (receives > maxReceives) {
      messages.delete(id);
      dead.push(body);
      return;
    }
    // Hidden from the delivery on, whatever becomes of the reader: deleted only when it returned.
    const again = loop.after(visibilityMs, () => receive(id, body, receives + 1));
    const event = { Records: [{ eventSource: 'aws:sqs', messageId: id, body }] };
    consume(event, (isDone) => {
      if (!isDone) return;
      again();
      messages.delete(id);
    });
  }

  return {
    send({ MessageBody: body = '', DelaySeconds = 0 }) {
      serial += 1;
      const id = `message-${serial}`;
      messages.set(id, body);
      loop.after(DelaySeconds * 1_000 + pollMs, () => {
        receive(id, body, 1);
        if (!twice) return;
        twice = false;
        loop.after(pollMs, () => {
          const event = { Records: [{ eventSource: 'aws:sqs', messageId: id, body }] };
          consume(event, () => undefined);
        });
      });
      return { MessageId: id };
    },
    duplicateNext() {
      twice = true;
    },
    size: () => messages.size,
    deadLetters: () => dead,
    waiting: () => [...messages.values()],
  };
}
