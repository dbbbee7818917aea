/** The scenarios as data: what is prepared, what goes wrong, and what must come of it. */
import { type AccountPlan, alarmArn, type Host } from './account.ts';
import {
  type Act,
  addMemberToTable,
  fault,
  impair,
  interruptSpot,
  killAfter,
  moveByHand,
  refuseToStop,
  repeatAlarm,
  setAlarm,
  stop,
  sweep,
} from './acts.ts';
import type { GuestDocument } from './guests.ts';
import type { Happened } from './happened.ts';
import type { RegistrationOptions } from './registration.ts';

export interface Scenario {
  readonly name: string;
  /** One line for the list. */
  readonly title: string;
  /** What happens and why it matters, in a sentence or two. */
  readonly story: string;
  readonly account: AccountPlan;
  /** Each attempt to register, in order; the service starts with the last one. */
  readonly registrations: readonly RegistrationOptions[];
  /** Done before the clock starts. */
  readonly before: readonly Act[];
  /** What goes wrong: the clock starts with the first. */
  readonly acts: readonly Act[];
  /** Of the template: what the stack switches on. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** What Systems Manager's documents do in the guests. */
  readonly documents?: readonly GuestDocument[];
  /** Changes the template that the sandbox deploys. */
  readonly template?: (template: string) => string;
  /** Everything that is named here must come out exactly so. */
  readonly expected: Partial<Happened>;
}

const systemCheck = 'StatusCheckFailed_System';
const anyCheck = 'StatusCheckFailed';

const ordinary = {
  account: { members: ['same', 'same'], alarms: [systemCheck] },
  registrations: [{}],
  before: [],
  acts: [impair('db-a', 'system')],
} as const satisfies Partial<Scenario>;

const threeMembers = { members: ['same', 'same', 'same'], alarms: [systemCheck] } as const;

/** Everything is where it should be. */
const restingOn = (host: Host) =>
  ({
    registration: ['accepted'],
    recorded: ['COMPLETED'],
    notices: ['COMPLETED'],
    holder: host,
  }) as const satisfies Partial<Happened>;

/** And was moved once. */
const movedTo = (host: Host) =>
  ({ ...restingOn(host), detached: 2, attached: 2 }) as const satisfies Partial<Happened>;

/** Anything may be declared: what a stack that fences and runs documents is deployed with. */
const switchedOn = { Fencing: 'on', HookDocuments: 'promote-replica,stop-app,start-app' };

const answersAlarm = 'orders-db-answers';
const answering = { members: ['same', 'same'], alarms: [systemCheck], ownAlarms: [answersAlarm] } as const;

const hook = (document: string, on: 'source' | 'target') => ({
  document,
  on,
  parameters: { Token: ['@token@'], Epoch: ['@epoch@'] },
});

/** What a hook does in the guest, idempotent by its token as it must be. */
function documentThat(
  name: string,
  output: string,
  { tookMs = 1_000, makesItAnswer = false } = {},
): GuestDocument {
  const seen = new Set<string>();
  return {
    name,
    parameters: ['Token', 'Epoch'],
    tookMs,
    async run({ parameters: { Token: [token = ''] = [] } }, { aws }) {
      if (seen.has(token)) return `${output} (already)`;
      seen.add(token);
      if (makesItAnswer)
        await aws.cloudWatch('SetAlarmState', {
          AlarmName: answersAlarm,
          StateValue: 'OK',
          StateReason: 'the replica was promoted',
        });
      return output;
    },
  };
}

const goesSilent = setAlarm(answersAlarm, 'ALARM', 'the alarm orders-db-answers goes off: nothing answers');

const leftAlone = (code: string) =>
  ({
    registration: ['accepted'],
    recorded: [code],
    notices: [code],
    holder: 'db-a',
    detached: 0,
    attached: 0,
  }) as const satisfies Partial<Happened>;

const throttle = (operation: string, times: number) => ({
  operation,
  code: 'RequestLimitExceeded',
  message: 'Request limit exceeded.',
  times,
});

export const scenarios: readonly Scenario[] = [
  {
    ...ordinary,
    name: 'failover',
    title: "the main job: the holder's system check fails, both interfaces move to the standby",
    story:
      'The hardware under db-a fails, and with it the status check. Alarm, EventBridge rule, Lambda function: both interfaces of orders-db move to db-b, with everything that makes them what they are.',
    expected: movedTo('db-b'),
  },
  {
    ...ordinary,
    name: 'standby-impaired',
    title: 'the only standby is impaired too: refused, nothing is detached',
    story: 'db-b, the only standby, fails first; then db-a. A service on a sick holder beats one on nothing.',
    before: [impair('db-b', 'instance')],
    expected: { ...leftAlone('NO_ELIGIBLE_STANDBY'), reasons: ['db-b CHECKS_FAILED'] },
  },
  {
    ...ordinary,
    name: 'cross-az',
    title: 'the standby is in another Availability Zone: refused twice, nothing is detached',
    story:
      'db-b is in another Availability Zone, where an interface cannot go. Registration refuses it; past the registration, the failover does.',
    account: { members: ['same', 'other'], alarms: [systemCheck] },
    registrations: [{}, { without: ['db-b'] }],
    before: [addMemberToTable('db-b')],
    expected: {
      ...leftAlone('NO_ELIGIBLE_STANDBY'),
      registration: ['refused: WRONG_AZ', 'accepted'],
      reasons: ['db-b WRONG_AZ'],
    },
  },
  {
    ...ordinary,
    name: 'attach-refused-first-standby',
    title: 'the first standby takes one interface and refuses the other: both end on the second',
    story:
      'EC2 lets db-b have the front interface and refuses it the other. Interfaces rest together: both go on to db-c.',
    account: threeMembers,
    acts: [
      fault('EC2 will refuse to attach management to db-b', ({ eniOf, instanceOf }) => [
        {
          operation: 'AttachNetworkInterface',
          match: { InstanceId: instanceOf('db-b'), NetworkInterfaceId: eniOf('management') },
          code: 'AttachmentLimitExceeded',
          message: 'Interface count 3 exceeds the limit for m7g.large',
          // Late enough for the other attach to be under way.
          delayMs: 2_000,
          times: 9,
        },
      ]),
      impair('db-a', 'system'),
    ],
    expected: {
      // Whether front has come to rest on db-b before management is refused there is EC2's chance.
      ...restingOn('db-c'),
      detached: 3,
      refusedCalls: ['AttachNetworkInterface AttachmentLimitExceeded'],
    },
  },
  {
    ...ordinary,
    name: 'duplicate-events',
    title: 'one failure, told by two alarms, three copies and a stop: one move',
    story:
      'Two alarms go off for the same failure, EventBridge delivers one of them four times, and somebody stops the instance.',
    account: { members: ['same', 'same'], alarms: [systemCheck, anyCheck] },
    acts: [impair('db-a', 'system'), repeatAlarm('db-a', systemCheck, 3), stop('db-a')],
    expected: movedTo('db-b'),
  },
  {
    ...ordinary,
    name: 'already-moved',
    title: 'somebody moved the interfaces before the alarm came: nothing to do, and said so',
    story:
      'An operator was quicker than the alarm: both interfaces are on db-b already when the check of db-a fails. What a person did is told, never undone.',
    before: [moveByHand('db-b')],
    expected: {
      ...leftAlone('MOVED_BY_OTHERS'),
      answers: ['nothing to do: NOT_HOLDER'],
      holder: 'db-b',
    },
  },
  {
    ...ordinary,
    name: 'throttled',
    title: 'EC2 throttles: RequestLimitExceeded on describe, detach and attach; it succeeds',
    story: 'In a large outage everybody calls EC2 at once. Each kind of call is refused once or twice.',
    acts: [
      fault('EC2 will refuse seven calls with RequestLimitExceeded', () => [
        throttle('DescribeNetworkInterfaces', 2),
        throttle('DescribeInstances', 1),
        throttle('DescribeInstanceStatus', 1),
        throttle('DetachNetworkInterface', 2),
        throttle('AttachNetworkInterface', 1),
      ]),
      impair('db-a', 'system'),
    ],
    expected: {
      ...movedTo('db-b'),
      refusedCalls: [
        'AttachNetworkInterface RequestLimitExceeded',
        'DescribeInstanceStatus RequestLimitExceeded',
        'DescribeInstances RequestLimitExceeded',
        'DescribeNetworkInterfaces RequestLimitExceeded ×2',
        'DetachNetworkInterface RequestLimitExceeded ×2',
      ],
    },
  },
  {
    ...ordinary,
    name: 'observe',
    title: 'mode observe: decides everything on the real event, changes nothing',
    story: 'A team that does not trust it yet lets it watch: it says what it would have done.',
    registrations: [{ policy: { mode: 'observe' } }],
    expected: { ...leftAlone('OBSERVE_ONLY'), says: 'would have moved to db-b' },
  },
  {
    ...ordinary,
    name: 'crash-after-detach',
    title: 'the function is killed between detach and attach: the next one finishes the move',
    story:
      'The process dies right after the second detach, with both interfaces on nothing. When its lease has run out, the watchdog goes on from the plan.',
    acts: [killAfter('DetachNetworkInterface', 2), impair('db-a', 'system')],
    expected: { ...movedTo('db-b'), died: 1 },
  },
  {
    ...ordinary,
    name: 'crash-before-detach',
    title: 'the function is killed with its plan stored and nothing detached: the next one carries it out',
    story:
      'The process dies when the claim and the brake counter are written, before any detach. The watchdog looks again: the holder is still down, so the plan is carried out.',
    // The first two updates are the claim, with its plan, and the brake's counter.
    acts: [killAfter('UpdateItem', 2, 'dynamodb'), impair('db-a', 'system')],
    expected: { ...movedTo('db-b'), died: 1 },
  },
  {
    ...ordinary,
    name: 'crash-after-attach',
    title: 'the function is killed when both interfaces are attached: the next one verifies and closes',
    story:
      'The process dies right after the second attach, with the work done and nothing recorded. The watchdog finds it done, and says so.',
    acts: [killAfter('AttachNetworkInterface', 2), impair('db-a', 'system')],
    expected: { ...movedTo('db-b'), died: 1 },
  },
  {
    ...ordinary,
    name: 'lost-event',
    title: "the alarm's event never arrives: the sweep finds the alarm and the failover happens",
    story: "The rule for alarms is disabled, so that the event is lost. The sweep reads the alarm's state.",
    template: (text) =>
      text.replace(
        /( {8}AlarmWentOff:\n {10}Type: EventBridgeRule\n {10}Properties:\n)/,
        '$1            State: DISABLED\n',
      ),
    acts: [impair('db-a', 'system'), sweep()],
    expected: movedTo('db-b'),
  },
  {
    ...ordinary,
    name: 'late-attach',
    title: 'an attach is answered with an error and happens all the same, later',
    story:
      'EC2 answers every attach of the front interface with InternalError; the first one takes effect two seconds later all the same. The controller finds its own work and goes on.',
    acts: [
      fault('EC2 says that it failed to attach front, and attaches it later', ({ eniOf }) => {
        const failed = {
          operation: 'AttachNetworkInterface',
          match: { NetworkInterfaceId: eniOf('front') },
          code: 'InternalError',
          message: 'An internal error has occurred',
        };
        return [
          { ...failed, lateMs: 2_000, times: 1 },
          { ...failed, times: 9 },
        ];
      }),
      impair('db-a', 'system'),
    ],
    expected: movedTo('db-b'),
  },
  {
    ...ordinary,
    name: 'fence',
    title: 'fence: stop: the failed holder is stopped, and seen stopped, before anything is detached',
    story:
      'db-a has lost its network, not its disk: its process may still write. The service declares a fence, so db-a is stopped by force, without waiting for its guest, and only when EC2 shows it stopped do the interfaces leave.',
    parameters: switchedOn,
    registrations: [{ policy: { fence: 'stop' } }],
    expected: { ...movedTo('db-b'), stages: ['fence done'] },
  },
  {
    ...ordinary,
    name: 'fence-timeout',
    title: 'the failed holder does not stop: nothing is detached, and a person is called',
    story:
      'db-a hangs in stopping. Two writers on one disk are worse than none: without a fence that holds nothing is moved, and a person is called.',
    parameters: switchedOn,
    registrations: [{ policy: { fence: 'stop', fenceTimeout: '5s' } }],
    acts: [refuseToStop('db-a'), impair('db-a', 'system')],
    expected: {
      ...leftAlone('NEEDS_HUMAN'),
      stages: ['fence timed-out'],
      says: 'FENCE_FAILED',
    },
  },
  {
    ...ordinary,
    name: 'hooks',
    title: 'after the move the replica is promoted by a document, and the service must answer',
    story:
      'db-b is a replica. Once both interfaces are on it a document of Systems Manager promotes it, and the episode is completed only when the alarm on the service is OK again.',
    account: answering,
    parameters: switchedOn,
    documents: [documentThat('promote-replica', 'promoted', { makesItAnswer: true })],
    registrations: [
      {
        more: (account) => ({
          hooks: { after: [hook('promote-replica', 'target')] },
          serving: { alarm: alarmArn(account, answersAlarm), within: '30s' },
        }),
      },
    ],
    acts: [goesSilent, impair('db-a', 'system')],
    expected: { ...movedTo('db-b'), stages: ['1/after.0 done', '1/serving done'], says: 'promoted' },
  },
  {
    ...ordinary,
    name: 'not-serving',
    title: 'the interfaces are on the standby and nothing answers: attached, and a person is called',
    story:
      'EC2 shows both interfaces on db-b, and the alarm on the service stays red. Attached is not serving: the episode does not end as completed, and a person is called.',
    account: answering,
    registrations: [
      { more: (account) => ({ serving: { alarm: alarmArn(account, answersAlarm), within: '5s' } }) },
    ],
    acts: [goesSilent, impair('db-a', 'system')],
    expected: {
      ...movedTo('db-b'),
      recorded: ['ATTACHED'],
      notices: ['ATTACHED'],
      stages: ['1/serving timed-out'],
      says: 'NOT_SERVING',
    },
  },
  {
    ...ordinary,
    name: 'not-ready',
    title: 'the first standby is healthy but hours behind: the one that is ready takes over',
    story:
      'db-b is next in line and fine for EC2, but the alarm on its replica lag is red. An interface on a standby that is hours behind is no failover: db-c takes over.',
    account: { ...threeMembers, ownAlarms: ['db-b-lag', 'db-c-lag'] },
    registrations: [{ readyWhen: { 'db-b': 'db-b-lag', 'db-c': 'db-c-lag' } }],
    before: [setAlarm('db-b-lag', 'ALARM', 'the alarm db-b-lag goes off: the replica is hours behind')],
    expected: movedTo('db-c'),
  },
  {
    ...ordinary,
    name: 'spot-interruption',
    title: 'EC2 takes a spot instance back: a planned move within its two minutes',
    story:
      'EC2 announces that it takes back db-a. While it lives the application is stopped there, the interfaces leave plainly, and it is started on db-b: what a licence server needs.',
    parameters: switchedOn,
    documents: [documentThat('stop-app', 'stopped'), documentThat('start-app', 'started')],
    registrations: [
      {
        policy: { onSpotInterruption: 'switchover' },
        more: () => ({
          hooks: { before: [hook('stop-app', 'source')], after: [hook('start-app', 'target')] },
        }),
      },
    ],
    acts: [interruptSpot('db-a')],
    expected: { ...movedTo('db-b'), stages: ['1/before.0 done', '1/after.0 done'] },
  },
];

export const mainScenario = 'failover';

export const scenarioNames = scenarios.map((each) => each.name);

export const findScenario = (name: string): Scenario | undefined =>
  scenarios.find((each) => each.name === name);
