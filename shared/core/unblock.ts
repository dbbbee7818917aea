/** The one command of eni-failover that ends a reason not to act, ready to be pasted but for its reason. */
import { type CommandReasonCode, type MemberReasonCode, type ReasonCode, reasons } from './reasons.ts';
import type { ServiceState } from './state.ts';

const reason = `--reason '...'`;

interface Where {
  readonly name: string;
  readonly zone: string;
  /** The interfaces are on an instance that is no member: nobody can say that this is how it is meant. */
  readonly isForeign?: boolean;
  /** An episode is open, or it is stranded: no change of the members is taken. */
  readonly isBusy?: boolean;
}

export const whereOf = ({ name, facts, episode, stranded }: ServiceState): Where => ({
  name,
  zone: facts.availabilityZone,
  isBusy: episode !== undefined || stranded !== undefined,
});

/** Undefined where it takes more than one command, or something else than one. */
export function unblocking(
  code: ReasonCode | MemberReasonCode | CommandReasonCode,
  { name, zone, isForeign, isBusy }: Where,
  member = 'i-...',
): string | undefined {
  switch (code) {
    case 'PAUSED':
      return `eni-failover resume ${name} ${reason}`;
    case 'CONTROLLER_PAUSED':
      return `eni-failover resume --all ${reason}`;
    case 'BRAKE':
      return `eni-failover ack --zone ${zone} ${reason}`;
    case 'BUDGET_SPENT':
      return `eni-failover ack ${name} ${reason}`;
    case 'OBSERVE_ONLY':
      return `eni-failover mode ${name} act ${reason}`;
    case 'MOVED_BY_OTHERS':
    case 'REATTACHED_BY_OTHERS':
      return isForeign ? undefined : `eni-failover adopt ${name} ${reason}`;
    case 'QUARANTINED':
      return `eni-failover ack ${name} --member ${member} ${reason}`;
    case 'NO_SUCH_MEMBER':
    case 'CHECKS_FAILED':
      return isBusy ? undefined : `eni-failover member replace ${name} ${member} i-... ${reason}`;
    default:
      return undefined;
  }
}

/** What ends a reason, and the command for it where one is enough. */
export const waysOut = (code: ReasonCode, where: Where): readonly string[] => [
  reasons[code].wayOut,
  ...[unblocking(code, where) ?? []].flat(),
];
