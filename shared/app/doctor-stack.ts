/** The stack under the doctor's eyes: is somebody watching, and would anybody hear? Reads only. */
import { messageOf } from '../core/errors.ts';
import type { Fact } from '../core/observation.ts';
import { type ControllerState, isPaused } from '../core/state.ts';
import { type Finding, findingsOf, read } from './doctor.ts';
import type { QueueFact, RuleFact, Site, StateStore, SubscriptionFact, TopicAlarm } from './ports.ts';

/** What is known of the stack without asking anybody; undefined where nobody said. */
export interface StackNames {
  readonly queueUrl: string | undefined;
  readonly topicArn: string | undefined;
  /** The name of functions/failover. */
  readonly failoverFunction: string | undefined;
}

export interface StackFacts {
  /** Undefined when EC2 answered. */
  readonly ec2: string | undefined;
  readonly services: Fact<readonly string[]>;
  readonly controller: Fact<ControllerState>;
  readonly rules: Fact<readonly RuleFact[]>;
  readonly alarms: Fact<readonly TopicAlarm[]>;
  readonly subscriptions: Fact<readonly SubscriptionFact[]>;
  readonly work: Fact<QueueFact>;
  /** Where what could not be handled or delivered ends. */
  readonly dead: readonly (readonly [name: string, queue: Fact<QueueFact>])[];
}

const notSaid = (option: string): Promise<never> =>
  Promise.reject(new Error(`its name is not known: pass --stack, or ${option}`));

/** `arn:PARTITION:sns:REGION:ACCOUNT:NAME` says where the function of that name is. */
function functionArn({ failoverFunction, topicArn }: StackNames): string | undefined {
  const [, partition, , region, account] = topicArn?.split(':') ?? [];
  return failoverFunction && account
    ? `arn:${partition}:lambda:${region}:${account}:function:${failoverFunction}`
    : undefined;
}

/** Never throws: what could not be read is unknown. */
export async function lookAtStack(
  { environment, ec2 }: Site,
  store: StateStore,
  names: StackNames,
): Promise<StackFacts> {
  const { queueUrl, topicArn } = names;
  const arn = functionArn(names);
  const [asked, services, controller, rules, alarms, subscriptions, work] = await Promise.all([
    ec2.limits(['t3.micro']).then(
      () => undefined,
      (error: unknown) => messageOf(error),
    ),
    read(store.list().then((listing) => [...listing.names, ...listing.unreadable])),
    read(store.readController()),
    read(arn ? environment.rulesOf(arn) : notSaid('--topic-arn and --failover-function')),
    read(topicArn ? environment.alarmsTelling(topicArn) : notSaid('--topic-arn')),
    read(topicArn ? environment.subscriptions(topicArn) : notSaid('--topic-arn')),
    read(queueUrl ? environment.queue(queueUrl) : notSaid('--queue-url')),
  ]);
  const dead = new Set([
    ...(work.kind === 'known' && work.value.deadLetters ? [work.value.deadLetters] : []),
    ...(rules.kind === 'known' ? rules.value.flatMap((rule) => rule.deadLetters) : []),
  ]);
  return {
    ec2: asked,
    services,
    controller,
    rules,
    alarms,
    subscriptions,
    work,
    dead: await Promise.all(
      [...dead].map(async (queue) => [queue, await read(environment.queue(queue))] as const),
    ),
  };
}

const { ok, warning, problem, unknown } = findingsOf(null);

/** Without the first two a failure is found by the sweep at best, after minutes. */
const heard = [
  { event: 'EC2 Instance State-change Notification', what: 'instances that stop', isNeeded: true },
  { event: 'CloudWatch Alarm State Change', what: 'alarms that go off', isNeeded: true },
  { event: 'EC2 Spot Instance Interruption Warning', what: 'spot interruptions', isNeeded: false },
  { event: 'AWS Health Event', what: 'instances that are to retire', isNeeded: false },
] as const;

const again = 'enable it, or deploy the stack again';

function ofRules(rules: StackFacts['rules']): readonly Finding[] {
  if (rules.kind !== 'known') return [unknown('rules', rules.kind === 'unknown' ? rules.why : 'absent')];
  return heard.map(({ event, what, isNeeded }): Finding => {
    const of = rules.value.filter(({ pattern }) => pattern?.includes(event));
    const enabled = of.find((rule) => rule.enabled);
    if (enabled) return ok('rules', `${what} are told`, { subject: enabled.name });
    const [disabled] = of;
    const say = isNeeded ? problem : warning;
    return disabled
      ? say('rules', `it is disabled: nobody hears of ${what}`, again, {
          subject: disabled.name,
          commands: [`aws events enable-rule --name ${disabled.name}`],
        })
      : say('rules', `no rule tells functions/failover of ${what}`, 'deploy the stack again');
  });
}

const isHeartbeat = ({ namespace, metric }: TopicAlarm) =>
  namespace === 'EniFailover' && metric === 'Heartbeat';

function ofAlarm(alarm: TopicAlarm): Finding {
  const subject = alarm.name;
  const id = isHeartbeat(alarm) ? 'heartbeat' : 'alarms';
  if (!alarm.actionsEnabled)
    return warning(id, 'its actions are switched off: it tells nobody', 'switch them on', {
      subject,
      commands: [`aws cloudwatch enable-alarm-actions --alarm-names ${alarm.name}`],
    });
  if (id === 'alarms')
    return alarm.state === 'ALARM'
      ? warning(id, `it is in ALARM (${alarm.metric} of ${alarm.of})`, 'docs/runbook.md says what to do', {
          subject,
        })
      : ok(id, `it is ${alarm.state}`, { subject });
  if (alarm.state === 'ALARM')
    return problem(
      id,
      'the sweep has not looked for five minutes: what an event did not tell is not found',
      "look at the sweep's log, and whether its rule is enabled",
      { subject },
    );
  return alarm.state === 'OK'
    ? ok(id, 'the sweep looks', { subject })
    : {
        ...unknown(id, '', { subject }),
        reason: 'its alarm has no data yet: normal for five minutes after a deployment',
        wayOut: "ask again then; if it stays so, look at the sweep's log, and whether its rule is enabled",
      };
}

function ofAlarms(alarms: StackFacts['alarms']): readonly Finding[] {
  if (alarms.kind !== 'known') {
    const why = alarms.kind === 'unknown' ? alarms.why : 'absent';
    return [unknown('heartbeat', why), unknown('alarms', why)];
  }
  const missing = alarms.value.some(isHeartbeat)
    ? []
    : [
        warning(
          'heartbeat',
          'no alarm on it tells the topic: nobody hears if the sweep stops',
          'deploy the stack again',
        ),
      ];
  return [...missing, ...alarms.value.map(ofAlarm)];
}

/** More than a burst: each message is one look at one service. */
const backlog = 100;

function ofQueues({ work, dead }: StackFacts): readonly Finding[] {
  const waiting = (): Finding => {
    if (work.kind !== 'known') return unknown('queues', work.kind === 'unknown' ? work.why : 'absent');
    const { name: subject, visible } = work.value;
    return visible < backlog
      ? ok('queues', `${visible} messages wait`, { subject })
      : warning(
          'queues',
          `${visible} messages wait: functions/failover does not keep up`,
          'look at its log',
          {
            subject,
          },
        );
  };
  return [
    waiting(),
    ...dead.map(([arn, queue]): Finding => {
      if (queue.kind !== 'known')
        return unknown('queues', queue.kind === 'unknown' ? queue.why : 'absent', { subject: arn });
      const { name: subject, visible } = queue.value;
      return visible === 0
        ? ok('queues', 'no message was given up', { subject })
        : warning(
            'queues',
            `${visible} messages were given up: nobody looked at what they say`,
            'read them, then purge the queue',
            { subject },
          );
    }),
  ];
}

function ofSubscriptions(
  subscriptions: StackFacts['subscriptions'],
  topicArn: string | undefined,
): readonly Finding[] {
  if (subscriptions.kind !== 'known')
    return [unknown('subscription', subscriptions.kind === 'unknown' ? subscriptions.why : 'absent')];
  const confirmed = subscriptions.value.filter((each) => each.confirmed);
  const subscribe = `aws sns subscribe --topic-arn ${topicArn} --protocol email --notification-endpoint ...`;
  return [
    ...subscriptions.value
      .filter((each) => !each.confirmed)
      .map(({ protocol, endpoint }) =>
        warning(
          'subscription',
          `${protocol} ${endpoint} was never confirmed: it receives nothing`,
          'follow the link in the mail that AWS sent there',
        ),
      ),
    confirmed.length > 0
      ? ok('subscription', confirmed.map(({ protocol, endpoint }) => `${protocol} ${endpoint}`).join(', '))
      : warning(
          'subscription',
          'nobody receives the notices: a failover happens in silence',
          'subscribe somebody',
          {
            commands: [subscribe],
          },
        ),
  ];
}

function ofController(controller: StackFacts['controller'], nowMs: number): readonly Finding[] {
  if (controller.kind !== 'known') return [];
  const { pause, brakes } = controller.value;
  const paused =
    pause && isPaused(pause, nowMs)
      ? [
          problem(
            'brakes',
            `everything is paused until ${new Date(pause.untilMs).toISOString()} by ${pause.author}: ${pause.reason}`,
            'resume, or wait until it ends',
            { commands: ["eni-failover resume --all --reason '...'"] },
          ),
        ]
      : [];
  const braked = Object.keys(brakes).map((zone) =>
    problem(
      'brakes',
      `the brake of ${zone} is on: nothing there fails over`,
      'look why so many failed at once, then release it',
      {
        subject: zone,
        commands: [`eni-failover ack --zone ${zone} --reason '...'`],
      },
    ),
  );
  const found = [...paused, ...braked];
  return found.length > 0 ? found : [ok('brakes', 'no pause, no brake')];
}

/** What is wrong with the stack. Pure. */
export function examineStack(facts: StackFacts, names: StackNames, nowMs: number): readonly Finding[] {
  const { ec2, services } = facts;
  return [
    ec2 === undefined
      ? ok('ec2', 'it answers')
      : problem('ec2', `EC2 does not answer: ${ec2}`, 'check --region, --profile and your permissions'),
    services.kind === 'known'
      ? ok('table', `it answers; registered services: ${services.value.length}`)
      : problem(
          'table',
          `it could not be read: ${services.kind === 'unknown' ? services.why : 'absent'}`,
          'check --stack or --state-table, --region and your permissions',
        ),
    ...ofController(facts.controller, nowMs),
    ...ofRules(facts.rules),
    ...ofAlarms(facts.alarms),
    ...ofQueues(facts),
    ...ofSubscriptions(facts.subscriptions, names.topicArn),
  ];
}
