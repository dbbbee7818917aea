/** For how long the service was without an interface, by the sandbox's own log of attachments. */
import { msOf } from './facts.ts';
import type { AttachmentChange } from './sandbox-control.ts';

export interface Move {
  /** The first interface left `attached`. */
  readonly leftAtMs: number;
  /** The last interface was off the instance it left. */
  readonly detachedAtMs: number;
  /** The last interface was `attached` again. */
  readonly attachedAtMs: number;
}

/** Undefined where nothing left, or where something that left is still not attached. */
export function toMove(changes: readonly AttachmentChange[]): Move | undefined {
  const inOrder = changes.toSorted((one, other) => msOf(one.at) - msOf(other.at));
  const left = inOrder.find((each) => each.status === 'detaching' || each.status === 'detached');
  if (left === undefined) return undefined;
  const now = new Map(inOrder.map((each) => [each.eniId, each.status]));
  if ([...now.values()].some((status) => status !== 'attached')) return undefined;
  const times = (status: AttachmentChange['status']) =>
    inOrder.filter((each) => each.status === status).map((each) => msOf(each.at));
  return {
    leftAtMs: msOf(left.at),
    detachedAtMs: Math.max(...times('detached')),
    attachedAtMs: Math.max(...times('attached')),
  };
}

/** From the first interface that leaves `attached` to the last that is `attached` again; null where nothing moved. */
export function gapMsOf(changes: readonly AttachmentChange[]): number | null {
  const move = toMove(changes);
  return move === undefined ? null : move.attachedAtMs - move.leftAtMs;
}
