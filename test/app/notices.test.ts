/** What people are told, word for word; and that each thing worth telling is told once. */
import { describe, expect } from 'vitest';
import { observe } from '../../shared/app/observe.ts';
import { pauseController, pauseService, resumeService } from '../../shared/app/operate.ts';
import { readinessOf, tellReadiness } from '../../shared/app/readiness.ts';
import { readService } from '../../shared/app/record.ts';
import type { Service } from '../../shared/core/state.ts';
import { a, b, c, front, management, ordersDb, type World } from '../fakes/world.ts';
import { story } from './story.ts';
import { sweeping } from './sweeping.ts';

const home = 'https://us-east-1.console.aws.amazon.com/ec2/home?region=us-east-1';
const instance = (id: string) => `  ${home}#InstanceDetails:instanceId=${id}`;
const networkInterface = (eni: string) => `  ${home}#NetworkInterface:networkInterfaceId=${eni}`;
const region = '--region us-east-1';
const columns = `--query 'NetworkInterfaces[].[NetworkInterfaceId,Status,Attachment.InstanceId,Attachment.AttachmentId,Attachment.Status]' --output table ${region}`;
const attachmentOf = (eni: string) =>
  `$(aws ec2 describe-network-interfaces --network-interface-ids ${eni} --query 'NetworkInterfaces[0].Attachment.AttachmentId' --output text ${region})`;
const attach = (eni: string, id: string, index: number) => [
  `  aws ec2 attach-network-interface --network-interface-id ${eni} --instance-id ${id} --device-index ${index} --network-card-index 0 ${region}`,
  `  aws ec2 modify-network-interface-attribute --network-interface-id ${eni} --attachment "AttachmentId=${attachmentOf(eni)},DeleteOnTermination=false" ${region}`,
];
const minute = 60_000;

async function fails(world: World) {
  world.ec2.impair(a);
  await world.look(world.alarm(a));
  await world.settle();
}

async function tell(world: World) {
  const service = (await world.run(readService(world.ports, ordersDb))) as Service;
  const observation = await world.run(observe(world.ports, service));
  return world.run(tellReadiness(world.ports, service, readinessOf(service, observation, world.clock.now())));
}

/** The text of the only notice, with its time and hash taken out. */
function textOf(world: World) {
  expect(world.notifier.published).toHaveLength(1);
  const [notice] = world.notifier.published;
  return (notice?.text ?? '')
    .replace(/At \S+Z/, 'At TIME')
    .replace(/head [0-9a-f]{64}/, 'head HASH')
    .split('\n');
}

const foot = ['', 'At TIME', 'In us-east-1, account 123456789012', 'Trail #2, head HASH'];

describe('word for word', () => {
  story('a failover that completed', async (world) => {
    await fails(world);
    expect(textOf(world)).toEqual([
      `WARNING: orders-db: failover to ${b} done`,
      '',
      `From: ${a}`,
      `To: ${b}`,
      'Why: system check impaired',
      'Detach to verified: 3.5 s',
      `Interfaces: ${front}, ${management}`,
      `Standbys left: ${c}`,
      'Episode: orders-db.1',
      '',
      'What to do:',
      `  repair ${a}, then: eni-failover ack orders-db --reason '...'`,
      '',
      'In the console:',
      instance(a),
      instance(b),
      networkInterface(front),
      networkInterface(management),
      ...foot,
    ]);
    expect(world.notifier.published[0]?.line).toBe(
      `WARNING: orders-db: failover to ${b} done. repair ${a}, then: eni-failover ack orders-db --reason '...'`,
    );
  });

  story('a failover that left the interfaces on nothing', async (world) => {
    world.excuse(['S12']);
    for (const id of [a, b, c]) world.ec2.refuseAttach(id);
    await fails(world);
    expect(textOf(world)).toEqual([
      'CRITICAL: orders-db: STRANDED, an interface is on nothing or left behind',
      '',
      `From: ${a}`,
      `Meant for: ${b}`,
      'Why: system check impaired',
      `End: ${a}: AttachmentLimitExceeded: it takes no more; no member is left to try`,
      `${front}: on nothing, available`,
      `${management}: on nothing, available`,
      `Tried: ${b}, ${c}, ${a}`,
      'Episode: orders-db.1',
      '',
      'What to do:',
      '  eni-failover status orders-db',
      '',
      'By hand, with the AWS CLI:',
      `  eni-failover pause orders-db --for 1h --reason 'by hand'`,
      `  aws ec2 describe-network-interfaces --network-interface-ids ${front} ${management} ${columns}`,
      `  aws ec2 describe-instance-status --include-all-instances --instance-ids ${a} ${b} ${region}`,
      ...attach(front, b, 1),
      ...attach(management, b, 2),
      '',
      'In the console:',
      instance(a),
      networkInterface(front),
      networkInterface(management),
      '',
      'Runbook: docs/runbook.md#stranded',
      ...foot,
    ]);
  });

  story('a service without a standby', async (world) => {
    world.ec2.setState(b, 'stopped');
    world.ec2.impair(c);
    await tell(world);
    expect(textOf(world)).toEqual([
      'CRITICAL: orders-db: a failover would NOT work now: NO_STANDBY_LEFT',
      '',
      `${b}: NOT_RUNNING (it is stopped)`,
      `${c}: CHECKS_FAILED (system check impaired)`,
      '',
      'What to do:',
      `  eni-failover member replace orders-db ${c} i-... --reason '...'`,
      '  eni-failover explain orders-db',
      '',
      'By hand, with the AWS CLI:',
      `  aws ec2 describe-network-interfaces --network-interface-ids ${front} ${management} ${columns}`,
      `  aws ec2 describe-instance-status --include-all-instances --instance-ids ${a} ${c} ${region}`,
      `  aws ec2 start-instances --instance-ids ${b} ${region}`,
      `  aws ec2 reboot-instances --instance-ids ${c} ${region}`,
      '',
      'In the console:',
      instance(b),
      instance(c),
      networkInterface(front),
      networkInterface(management),
      '',
      'Runbook: docs/runbook.md#no_standby_left',
      ...foot,
    ]);
  });
});

describe('in a chat', () => {
  story('a failover that left the interfaces on nothing fits, and mentions nobody', async (world) => {
    world.excuse(['S12']);
    for (const id of [a, b, c]) world.ec2.refuseAttach(id);
    await fails(world);
    const [notice] = world.notifier.published;
    const { content, metadata } = notice?.chat ?? {};
    expect(content?.title).toBe('🔴 orders-db: STRANDED, an interface is on nothing or left behind');
    expect(content?.description).toContain(`- ${front}: on nothing, available\n`);
    expect(content?.description).toContain(`\n\`\`\`\neni-failover pause orders-db --for 1h`);
    expect(content?.nextSteps).toEqual([
      'eni-failover status orders-db',
      'Runbook: docs/runbook.md#stranded',
    ]);
    expect(content?.keywords).toEqual(['orders-db', 'STRANDED', 'critical', 'us-east-1']);
    expect(metadata).toMatchObject({
      threadId: 'orders-db.us-east-1.123456789012',
      eventType: 'STRANDED',
      additionalContext: { needsHuman: 'true', headHash: world.service().trail.head },
    });
    expect(metadata?.relatedResources).toContain(
      `arn:aws:ec2:us-east-1:123456789012:network-interface/${front}`,
    );
  });
});

describe('a pause that nobody ended', () => {
  const pause = (world: World) =>
    world.run(
      pauseService(world.ports, ordersDb, { author: 'ann', reason: 'kernel upgrade', forMs: 30 * minute }),
    );

  story('is ended and told once, when its time is over', async (world) => {
    await pause(world);
    const { sweep, later } = sweeping(world);
    await sweep();
    await later(29);
    expect(world.notifier.of('PAUSE_ENDED')).toEqual([]);
    expect(await later(2)).toMatchObject({ pausedPastExpiry: 1 });
    await later();
    const [notice, ...more] = world.notifier.of('PAUSE_ENDED');
    expect(more).toEqual([]);
    expect(notice?.attributes).toMatchObject({ kind: 'resume', severity: 'warning', needsHuman: 'false' });
    expect(notice?.text).toContain('Paused by: ann\nReason: kernel upgrade\n');
    expect(world.service().pause).toBeUndefined();
    expect(world.kinds().slice(-2)).toEqual(['pause', 'resume']);
  });
  story('is not told where somebody resumed in time', async (world) => {
    await pause(world);
    await world.run(resumeService(world.ports, ordersDb, { author: 'ann', reason: 'done' }));
    await sweeping(world).later(31);
    expect(world.notifier.of('PAUSE_ENDED')).toEqual([]);
  });
  story('of the whole controller is told once, and again after a failed try', async (world) => {
    await world.run(
      pauseController(world.ports, { author: 'ann', reason: 'network works', forMs: 30 * minute }),
    );
    const handle = sweeping(world);
    await handle.sweep();
    world.notifier.fail(1);
    await handle.later(31);
    expect(world.notifier.of('PAUSE_ENDED')).toEqual([]);
    await handle.later();
    await handle.later();
    expect(world.notifier.of('PAUSE_ENDED').map((each) => [each.service, each.kind])).toEqual([
      ['*', 'controller'],
    ]);
    await handle.later(10);
    handle.restart();
    await handle.later();
    expect(world.notifier.of('PAUSE_ENDED'), 'old news to a new process').toHaveLength(1);
  });
});

describe('readiness', () => {
  story('lost is told once, however often it is looked at, and regained once', async (world) => {
    for (const id of [b, c]) world.ec2.setState(id, 'stopped');
    const { sweep, later } = sweeping(world);
    await sweep();
    await later();
    await later();
    expect(world.notifier.pages().map((each) => each.outcome)).toEqual(['NOT_READY']);
    world.ec2.setState(b, 'running');
    await later();
    await later();
    expect(world.notifier.published.map((each) => each.outcome)).toEqual(['NOT_READY', 'READY']);
  });
});

describe('an announcement', () => {
  const announce = (world: World, id: typeof a) =>
    world.look({
      kind: 'announcement',
      what: 'spot-interruption',
      detail: 'terminate',
      instanceIds: [id],
      atMs: world.clock.now(),
    });

  story('for the holder says that nothing is moved, and who takes over when it fails', async (world) => {
    await announce(world, a);
    const [notice, ...more] = world.notifier.published;
    expect(more).toEqual([]);
    expect(notice?.lines).toEqual([
      'AWS announces: terminate',
      `Concerned: ${a} (holder)`,
      'policy.onSpotInterruption is notify: this moves nothing.',
      `When ${a} fails, the interfaces go to ${b} by themselves.`,
    ]);
    expect(notice?.next[0]).toBe(`eni-failover switchover orders-db --to ${b} --reason '...'`);
  });
  story('for the holder says so where nobody could take over', async (world) => {
    for (const id of [b, c]) world.ec2.setState(id, 'stopped');
    await announce(world, a);
    const [notice] = world.notifier.of('ANNOUNCED');
    expect(notice?.lines).toContain(`When ${a} fails, NO STANDBY can take the interfaces.`);
    expect(notice?.next).toEqual([
      'make a standby eligible before it is needed',
      'eni-failover status orders-db',
    ]);
  });
  story('for a standby says who is left', async (world) => {
    await announce(world, b);
    const [notice] = world.notifier.of('ANNOUNCED');
    expect(notice?.lines.slice(2)).toEqual([
      'It holds no interface of the service: nothing is moved.',
      `Standbys left without it: ${c}`,
    ]);
    expect(notice?.next).toEqual(['eni-failover status orders-db']);
  });
});
