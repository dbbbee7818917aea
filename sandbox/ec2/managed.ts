/** Interfaces that somebody else manages are not the account's to change. */
import { notPermitted } from './errors.ts';
import type { EniRecord } from './records.ts';

export function refuseManaged(eni: EniRecord): void {
  if (eni.managed === undefined) return;
  // A requester's attachments go by ids that begin so, and EC2's message quotes that.
  throw eni.managed.by === 'requester'
    ? notPermitted(`You are not allowed to manage 'ela-attach' attachments.`)
    : notPermitted(`The network interface '${eni.id}' is managed by ${eni.managed.principal}.`);
}
