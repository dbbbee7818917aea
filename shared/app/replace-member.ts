/** One member for another, in the declaration: every new image changes an instance's id. */
import type { InstanceId, ServiceName } from '../core/ids.ts';
import { isMember, type Service } from '../core/state.ts';
import { whereabouts } from '../core/whereabouts.ts';
import { observe } from './observe.ts';
import { type By, type Operated, refused } from './operate.ts';
import type { Ports } from './ports.ts';
import { readService } from './record.ts';
import { type Allowed, register } from './register.ts';
import { mayBeUndoneBy, sourceOf } from './source.ts';
import { unfinishedIn } from './unregister.ts';

interface Written {
  readonly members: readonly { readonly instance: string }[];
  readonly signals?: { readonly alarms?: readonly { readonly member?: string }[] };
}

/** The declaration as it was written, with the one for the other: its place in the order, and its own signals. */
function replaced({ declared }: Service, old: InstanceId, by: InstanceId): Written {
  const written = JSON.parse(declared) as Written;
  const { members, signals } = written;
  return {
    ...written,
    members: members.map((each) => (each.instance === old ? { ...each, instance: by } : each)),
    ...(signals?.alarms && {
      signals: {
        ...signals,
        alarms: signals.alarms.map((each) => (each.member === old ? { ...each, member: by } : each)),
      },
    }),
  };
}

/** Alarms are declared by name, and are as likely about the old instance as about the new one. */
function inherited({ declaration }: Service, old: InstanceId, by: InstanceId): readonly string[] {
  const arns = [
    ...declaration.members.filter((each) => each.instance === old).flatMap((each) => each.readyWhen),
    ...declaration.signals.alarms.filter((each) => each.member === old).map((each) => each.arn),
  ];
  return arns.map((arn) => `${arn} counts for ${by} now: is it about that instance?`);
}

/**
 * Checked against EC2 as a registration is. Never the member that has the interfaces: it is moved away from first.
 * Throws {@link PortError} when the table or the queue is out of reach.
 */
export async function replaceMember(
  ports: Ports,
  name: ServiceName,
  { old, by: incoming }: { readonly old: InstanceId; readonly by: InstanceId },
  by: By,
  allowed?: Allowed,
): Promise<Operated> {
  const service = await readService(ports, name);
  if (!service || service.tombstone) return refused('NO_SUCH_SERVICE', `${name} is not registered`);
  const unfinished = unfinishedIn(service, ports.clock.now());
  if (unfinished) return unfinished;
  if (!isMember(service, old)) return refused('NOT_A_MEMBER', `${old} is not a member of ${name}`);
  if (isMember(service, incoming))
    return refused('ALREADY_A_MEMBER', `${incoming} is a member of ${name} already`);
  const where = whereabouts(service, await observe(ports, service));
  if (where.kind === 'together' && where.holder === old)
    return refused('IS_HOLDER', `${old} has the interfaces of ${name}`);

  const registered = await register(ports, {
    declaration: replaced(service, old, incoming),
    ...by,
    source: sourceOf(service),
    replaces: service.declared,
    ...(allowed && { allowed }),
  });
  if (registered.kind === 'rejected') {
    const { code, problems } = registered;
    return refused(code, problems.join('; '), { problems });
  }
  const { holder, warnings } = registered;
  return {
    kind: 'done',
    detail: `${old} replaced by ${incoming}${mayBeUndoneBy(service)}`,
    data: { holder, warnings: [...warnings, ...inherited(service, old, incoming)] },
  };
}
