/** What bites later: the surprises of a second interface, found before the night of the failover. Pure. */
import type { Fact } from '../core/observation.ts';
import { interfacesOf, type Service } from '../core/state.ts';
import { type Finding, findingsOf } from './doctor.ts';
import type { Opening, PlacedInterface } from './ports.ts';

export interface NetworkFacts {
  /** The service's interfaces, and all those of its members. */
  readonly placed: Fact<readonly PlacedInterface[]>;
  /** Ingress by the id of the group. */
  readonly openings: Fact<ReadonlyMap<string, readonly Opening[]>>;
  /** The address at which the operator's own session came in. */
  readonly ownAddress: string | undefined;
}

type Say = ReturnType<typeof findingsOf>;

interface Scene {
  readonly service: Service;
  /** The interfaces that move. */
  readonly own: readonly PlacedInterface[];
  /** What stays on the members. */
  readonly others: readonly PlacedInterface[];
}

/** A member's replies leave by whichever of the two the kernel finds first, and come from the wrong address. */
function oneSubnet({ ok, warning }: Say, { service, own, others }: Scene): readonly Finding[] {
  const found = service.declaration.members.flatMap(({ instance: subject }) => {
    const there = [...others.filter((each) => each.instanceId === subject), ...own];
    const subnets = Map.groupBy(there, (each) => each.subnet);
    return [...subnets]
      .filter(([, together]) => together.length > 1 && together.some((each) => own.includes(each)))
      .map(([subnet, together]) =>
        warning(
          'one-subnet',
          `${together.map((each) => each.eni).join(' and ')} lie in ${subnet}: replies may leave by the wrong one`,
          'route by source in the guest: docs/guides/guest-configuration.md',
          { subject },
        ),
      );
  });
  return found.length > 0 ? found : [ok('one-subnet', 'each interface has its own')];
}

/** Whoever administers an instance comes to the instance, not to the service. */
const administration = new Set([22, 3389]);

const covers = (wide: Opening, narrow: Opening) =>
  (wide.protocol === undefined || wide.protocol === narrow.protocol) &&
  wide.fromPort <= narrow.fromPort &&
  wide.toPort >= narrow.toPort &&
  (wide.source === narrow.source || wide.source === '0.0.0.0/0');

const inWords = ({ protocol, fromPort, toPort, source }: Opening) =>
  `${protocol ? `${protocol} ${fromPort === toPort ? fromPort : `${fromPort}-${toPort}`}` : 'everything'} from ${source}`;

function clients(
  { ok, warning, unknown }: Say,
  { own, others }: Scene,
  openings: NetworkFacts['openings'],
): readonly Finding[] {
  if (openings.kind !== 'known')
    return [unknown('clients', openings.kind === 'unknown' ? openings.why : 'absent')];
  const letIn = ({ groups }: PlacedInterface) => groups.flatMap((group) => openings.value.get(group) ?? []);
  return own.map(({ eni: subject, ...moving }): Finding => {
    const here = letIn({ eni: subject, ...moving });
    if (here.length === 0)
      return warning(
        'clients',
        'its security groups let nobody in',
        'let the clients in, in a group of the interface',
        {
          subject,
          commands: moving.groups.map(
            (group) =>
              `aws ec2 authorize-security-group-ingress --group-id ${group} --protocol tcp --port … --cidr …`,
          ),
        },
      );
    const lacking = others
      .filter((each) => each.deviceIndex === 0)
      .flatMap(letIn)
      .filter((there) => !(there.fromPort === there.toPort && administration.has(there.fromPort)))
      .filter((there) => !here.some((each) => covers(each, there)))
      .map(inWords);
    return lacking.length > 0
      ? warning(
          'clients',
          `the instances let in what it does not: ${[...new Set(lacking)].join(', ')}`,
          'if clients of the service are among them, let them in here: security groups travel with the interface',
          { subject },
        )
      : ok('clients', `lets in ${here.map(inWords).join(', ')}`, { subject });
  });
}

/** The default route stays with the primary interface: it is the guest's, and EC2 cannot be asked about it. */
function egress({ ok, warning }: Say, { own }: Scene): readonly Finding[] {
  return own.map(({ eni: subject, publicAddresses }) => {
    const elastic = publicAddresses.find((each) => each.kind === 'elastic');
    return elastic
      ? warning(
          'egress',
          `what the service opens leaves by the primary interface, not from ${elastic.address}, unless the guest routes it`,
          'if others know the service by that address: docs/guides/outbound-identity.md',
          { subject },
        )
      : ok('egress', 'it has no public address of its own that others could expect', { subject });
  });
}

function publicAddress({ ok, warning }: Say, { own }: Scene): readonly Finding[] {
  return own.map(({ eni: subject, publicAddresses }) => {
    const assigned = publicAddresses.find((each) => each.kind === 'assigned');
    return assigned
      ? warning(
          'public-address',
          `${assigned.address} was assigned by EC2, and is lost with the move`,
          'give it an Elastic IP',
          {
            subject,
            commands: [
              'aws ec2 allocate-address',
              `aws ec2 associate-address --network-interface-id ${subject} --allocation-id eipalloc-...`,
            ],
          },
        )
      : ok('public-address', publicAddresses.length > 0 ? 'an Elastic IP' : 'it has none', { subject });
  });
}

function ownPath(
  { ok, warning }: Say,
  { own, others }: Scene,
  ownAddress: string | undefined,
): readonly Finding[] {
  const through = own.find(({ addresses }) => ownAddress !== undefined && addresses.includes(ownAddress));
  if (through)
    return [
      warning(
        'own-path',
        `you came in by ${ownAddress}: this session ends when it moves`,
        'come in by the primary address of the instance',
        {
          subject: through.eni,
        },
      ),
    ];
  const isPublic = ({ publicAddresses }: PlacedInterface) => publicAddresses.length > 0;
  const moving = own.find(isPublic);
  const primary = others.find((each) => each.instanceId === moving?.instanceId && each.deviceIndex === 0);
  return moving && primary && !isPublic(primary)
    ? [
        warning(
          'own-path',
          'its public address is the only one of the instance: whoever administers it from outside loses the way in',
          'have another one: a session manager, a bastion, an address of the primary interface',
          { subject: moving.eni },
        ),
      ]
    : [ok('own-path', ownAddress ? `you came in by ${ownAddress}, which stays` : 'nothing says that it is')];
}

export function examineNetwork(
  service: Service,
  { placed, openings, ownAddress }: NetworkFacts,
): readonly Finding[] {
  const say = findingsOf(service.name);
  if (placed.kind !== 'known') {
    const why = placed.kind === 'unknown' ? placed.why : 'absent';
    return (['one-subnet', 'clients', 'egress', 'public-address', 'own-path'] as const).map((id) =>
      say.unknown(id, why),
    );
  }
  const enis = interfacesOf(service);
  const scene: Scene = {
    service,
    own: placed.value.filter((each) => enis.includes(each.eni)),
    others: placed.value.filter((each) => !enis.includes(each.eni)),
  };
  return [
    ...oneSubnet(say, scene),
    ...clients(say, scene, openings),
    ...egress(say, scene),
    ...publicAddress(say, scene),
    ...ownPath(say, scene, ownAddress),
  ];
}
