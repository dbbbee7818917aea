/** What lies around the services: a network over the fake EC2, and alarms, rules, queues and subscriptions as a test sets them. */
import type {
  Environment,
  Opening,
  PlacedInterface,
  QueueFact,
  RuleFact,
  Site,
  StatusAlarm,
  SubscriptionFact,
  TopicAlarm,
} from '../../shared/app/ports.ts';
import { PortError } from '../../shared/core/errors.ts';
import type { EniId } from '../../shared/core/ids.ts';
import { alarmNamed } from './fake-alarms.ts';
import type { World } from './world.ts';

export interface FakeEnvironment extends Environment {
  /** What is otherwise than usual about the place of an interface. */
  readonly places: Map<EniId, Partial<PlacedInterface>>;
  readonly ingress: Map<string, readonly Opening[]>;
  readonly checks: StatusAlarm[];
  readonly telling: TopicAlarm[];
  readonly rules: RuleFact[];
  /** By URL or ARN. */
  readonly queues: Map<string, QueueFact>;
  readonly subscribed: SubscriptionFact[];
  /** These may not be read from now on. */
  deny(...calls: readonly (keyof Environment)[]): void;
}

const fromClients: Opening = { protocol: 'tcp', fromPort: 5432, toPort: 5432, source: '10.0.0.0/8' };

/** Every interface in a subnet of its own and in one group that lets clients in, until a test says otherwise. */
export function makeFakeEnvironment({ ec2 }: Pick<World, 'ec2'>): FakeEnvironment {
  const denied = new Set<keyof Environment>();
  const read = async <T>(call: keyof Environment, answer: T): Promise<T> => {
    if (denied.has(call)) throw new PortError('denied', 'AccessDenied', `you may not read ${call}`);
    return answer;
  };
  const placed = (): readonly PlacedInterface[] =>
    ec2.census().interfaces.map(({ eni, attachment }, index) => ({
      eni,
      subnet: `subnet-of-${eni}`,
      groups: ['sg-clients'],
      addresses: [`10.0.0.${10 + index}`],
      publicAddresses: [],
      instanceId: attachment?.instanceId,
      deviceIndex: attachment?.deviceIndex,
      ...fake.places.get(eni),
    }));
  const fake: FakeEnvironment = {
    places: new Map(),
    ingress: new Map([['sg-clients', [fromClients]]]),
    checks: [],
    telling: [],
    rules: [],
    queues: new Map(),
    subscribed: [],
    deny: (...calls) => {
      for (const call of calls) denied.add(call);
    },
    network: (enis, instances) =>
      read(
        'network',
        placed().filter(
          ({ eni, instanceId }) => enis.includes(eni) || (instanceId && instances.includes(instanceId)),
        ),
      ),
    openings: (groups) =>
      read('openings', new Map([...fake.ingress].filter(([group]) => groups.includes(group)))),
    statusAlarms: () => read('statusAlarms', fake.checks),
    alarmsTelling: () => read('alarmsTelling', fake.telling),
    rulesOf: () => read('rulesOf', fake.rules),
    queue: async (urlOrArn) => {
      const queue = await read('queue', fake.queues.get(urlOrArn));
      if (!queue) throw new PortError('refused', 'QueueDoesNotExist', urlOrArn);
      return queue;
    },
    subscriptions: () => read('subscriptions', fake.subscribed),
  };
  return fake;
}

/** A stack as it is deployed, with nothing wrong: rules, alarms, queues, and somebody who receives the notices. */
export function makeHealthyEnvironment(world: Pick<World, 'ec2'>): FakeEnvironment {
  const fake = makeFakeEnvironment(world);
  const arn = (name: string) => `arn:aws:sqs:eu-central-1:123456789012:${name}`;
  const rule = (name: string, ...detailTypes: readonly string[]): RuleFact => ({
    name,
    enabled: true,
    pattern: JSON.stringify({ 'detail-type': detailTypes }),
    deadLetters: [arn('failed-events')],
  });
  fake.rules.push(
    rule('stopped', 'EC2 Instance State-change Notification'),
    rule('alarms', 'CloudWatch Alarm State Change'),
    rule('announced', 'EC2 Spot Instance Interruption Warning'),
    rule('health', 'AWS Health Event'),
  );
  const own = { namespace: 'EniFailover', of: 'eni-failover', state: 'OK', actionsEnabled: true } as const;
  fake.telling.push(
    { ...own, name: 'heartbeat', metric: 'Heartbeat' },
    { ...own, name: 'stranded', metric: 'Stranded' },
  );
  const queue = (name: string, deadLetters?: string): QueueFact => ({ name, visible: 0, deadLetters });
  fake.queues.set(
    'https://sqs.eu-central-1.amazonaws.com/123456789012/work',
    queue('work', arn('dead-work')),
  );
  for (const name of ['dead-work', 'failed-events']) fake.queues.set(arn(name), queue(name));
  fake.subscribed.push({ protocol: 'email', endpoint: 'on-call@example.com', confirmed: true });
  for (const { id } of world.ec2.census().instances)
    fake.checks.push({
      arn: alarmNamed(`${id}-system`),
      instanceIds: [id],
      metric: 'StatusCheckFailed_System',
      state: 'OK',
    });
  return fake;
}

export const siteOf = (world: World, environment = makeFakeEnvironment(world)): Site => ({
  clock: world.clock,
  random: world.ports.random,
  ec2: world.ec2,
  alarms: world.alarms,
  environment,
});
