/** Where the controller's process is killed: at which of its calls, and whether it still hears the answer. */

export interface KillTrigger {
  readonly service: 'ec2' | 'ssm' | 'dynamodb' | 'sns';
  readonly operation: string;
  /** Which such call of the function, counted from the failure. */
  readonly times: number;
  /** Of that call. */
  readonly answer: 'lost' | 'sent';
}

export interface KillPoint {
  readonly name: string;
  /** What has happened by then. */
  readonly text: string;
  readonly triggers: readonly KillTrigger[];
  /** The call of the usual forty lines that comes closest; undefined where they have none like it. */
  readonly usualWay: KillTrigger | undefined;
}

const at = (
  service: KillTrigger['service'],
  operation: string,
  times = 1,
  answer: KillTrigger['answer'] = 'lost',
): KillTrigger => ({ service, operation, times, answer });

const interfaces = 'DescribeNetworkInterfaces';
const look = at('ec2', 'DescribeInstances');
const detach = at('ec2', 'DetachNetworkInterface');
const attach = at('ec2', 'AttachNetworkInterface');

const point = (name: string, text: string, trigger: KillTrigger, usualWay?: KillTrigger): KillPoint => ({
  name,
  text,
  triggers: [trigger],
  usualWay,
});

const single: readonly KillPoint[] = [
  { name: 'none', text: 'nobody is killed', triggers: [], usualWay: undefined },
  point('at-first-look', 'EC2 has been asked, nothing is written', look, look),
  point(
    'after-claim',
    'claim, plan and brake are written, nothing is stopped',
    at('dynamodb', 'UpdateItem', 2),
    look,
  ),
  point(
    'before-stop',
    'the fence is marked begun, nobody is told to stop',
    at('dynamodb', 'UpdateItem', 3),
    look,
  ),
  point(
    'after-stop',
    'EC2 was told to stop the old primary, its answer is lost',
    at('ec2', 'StopInstances'),
    look,
  ),
  point(
    'after-stop-heard',
    'EC2 said that it stops the old primary',
    at('ec2', 'StopInstances', 1, 'sent'),
    look,
  ),
  point(
    'after-fence',
    'the old primary was seen stopped, nothing is detached',
    at('ec2', interfaces, 2),
    look,
  ),
  point('after-detach', 'EC2 detaches, its answer is lost', detach, detach),
  point(
    'after-detach-heard',
    'EC2 said that it detaches',
    { ...detach, answer: 'sent' },
    { ...detach, answer: 'sent' },
  ),
  point('while-detaching', 'EC2 was asked how far it is', at('ec2', interfaces, 3), detach),
  point('after-attach', 'EC2 attaches, its answer is lost', attach, attach),
  point(
    'after-attach-heard',
    'EC2 said that it attaches',
    { ...attach, answer: 'sent' },
    { ...attach, answer: 'sent' },
  ),
  point('after-promote-sent', 'the promotion is on its way, its handle is lost', at('ssm', 'SendCommand')),
  point('after-promote-heard', 'the promotion is on its way', at('ssm', 'SendCommand', 1, 'sent')),
  point('after-promote-asked', 'the promotion was asked after once', at('ssm', 'GetCommandInvocation')),
  point(
    'after-probe-sent',
    'promoted; the probe is on its way, its handle is lost',
    at('ssm', 'SendCommand', 2),
  ),
  point('after-probe-heard', 'promoted; the probe is on its way', at('ssm', 'SendCommand', 2, 'sent')),
  point('after-notice', 'the notice is out, and that is not written', at('sns', 'Publish')),
];

const findSingle = (name: string): KillPoint | undefined => single.find((each) => each.name === name);

/** Two deaths in one failover: the second one hits whoever came to resume. */
function both(first: string, second: string): KillPoint {
  const [one, other] = [findSingle(first), findSingle(second)];
  if (one === undefined || other === undefined) throw new Error(`no such kill points: ${first}, ${second}`);
  return {
    name: `${first}+${second}`,
    text: `killed twice: ${first}, and its successor ${second}`,
    triggers: [...one.triggers, ...other.triggers],
    usualWay: one.usualWay,
  };
}

/** In the order of a failover. */
export const killPoints: readonly KillPoint[] = [
  ...single,
  both('after-stop', 'after-detach'),
  both('after-detach', 'after-attach'),
  both('after-attach', 'after-promote-sent'),
];

export const defaultKillPoint = 'after-detach';

export const findKillPoint = (name: string): KillPoint | undefined =>
  killPoints.find((each) => each.name === name);
