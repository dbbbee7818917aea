/** What doctor checks, as data, and the shape of what it found. */
import { messageOf } from '../core/errors.ts';
import type { ServiceName } from '../core/ids.ts';
import { type Fact, known, unknown } from '../core/observation.ts';

/** `problem`: a failover would not work, or not happen. `warning`: it would, and something about it will bite. */
export type Verdict = 'ok' | 'warning' | 'problem' | 'unknown';

interface Check {
  readonly group: 'stack' | 'watching' | 'telling' | 'service' | 'members' | 'permissions' | 'network';
  readonly means: string;
}
const check = (group: Check['group'], means: string): Check => ({ group, means });

/** Every check, in the order in which it is shown. */
export const checks = {
  ec2: check('stack', 'EC2 answers with these credentials in this Region'),
  table: check('stack', 'the state table can be read'),
  brakes: check('stack', 'nothing holds back the failovers of every service, or of a zone'),
  rules: check('watching', 'EventBridge hands what happens to functions/failover'),
  heartbeat: check('watching', 'the sweep looks every minute, and somebody hears when it stops'),
  queues: check('watching', 'no message was given up, and none is piling up'),
  alarms: check('telling', 'the alarms of the stack are quiet, and would tell'),
  subscription: check('telling', 'somebody receives the notices'),
  'test-notice': check('telling', 'a notice can be sent'),
  registered: check('service', 'the service is registered'),
  state: check('service', 'nothing that was decided or left open keeps it from failing over'),
  holder: check('service', 'all interfaces rest on one healthy member'),
  interfaces: check('service', 'the interfaces are tagged, and survive their instance'),
  'declared-alarms': check('service', 'the alarms that are declared are there'),
  exists: check('members', 'the instance is there'),
  health: check('members', 'the instance runs and its checks pass'),
  tags: check('members', 'the controller may act on the instance'),
  zone: check('members', 'the instance is in the Availability Zone of the interfaces'),
  limits: check('members', 'the instance type carries the interfaces and their addresses'),
  index: check('members', 'the device index is free'),
  cleared: check('members', 'the member is neither quarantined nor behind'),
  'status-alarms': check('members', 'an alarm watches the status checks of the instance'),
  'role-permissions': check('permissions', 'the controller may do what a move takes'),
  'own-permissions': check('permissions', 'you may do what a move takes, should the controller be down'),
  'one-subnet': check('network', 'no instance gets two interfaces of one subnet'),
  clients: check('network', 'the interfaces let in whom the instances let in'),
  egress: check('network', 'what the service opens leaves by its own address'),
  'public-address': check('network', 'every public address travels with its interface'),
  'own-path': check('network', 'your own way in is not what moves'),
} as const satisfies Record<string, Check>;
export type CheckId = keyof typeof checks;

export interface Finding {
  readonly id: CheckId;
  /** Null where it is about the stack. */
  readonly service: ServiceName | null;
  /** The instance, interface, rule, queue or alarm that it is about. */
  readonly subject: string | null;
  readonly result: Verdict;
  readonly reason: string;
  /** Undefined only where nothing has to be done. */
  readonly wayOut: string | undefined;
  readonly commands: readonly string[];
}

interface Said {
  readonly subject?: string | undefined;
  readonly commands?: readonly string[];
}

/** Findings about one service, or about the stack. */
export const findingsOf = (service: ServiceName | null) => {
  const found =
    (result: Verdict) =>
    (id: CheckId, reason: string, wayOut: string | undefined, said: Said = {}): Finding => ({
      id,
      service,
      subject: said.subject ?? null,
      result,
      reason,
      wayOut,
      commands: said.commands ?? [],
    });
  return {
    ok: (id: CheckId, reason: string, said?: Said) => found('ok')(id, reason, undefined, said),
    warning: found('warning'),
    problem: found('problem'),
    /** Never as good as ok: what was not read may be anything. */
    unknown: (id: CheckId, why: string, said?: Said) =>
      found('unknown')(
        id,
        `could not be read (${why})`,
        'see to it that it can be read, then ask again',
        said,
      ),
  };
};

export async function read<T>(reading: Promise<T>): Promise<Fact<T>> {
  try {
    return known(await reading);
  } catch (error) {
    return unknown(messageOf(error));
  }
}
