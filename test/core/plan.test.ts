/** From a plan and a look at EC2, the one next step for an interface; nobody replays a list of calls. */
import { describe, expect, it } from 'vitest';
import { type Attachment, type Fact, type InterfaceFact, unknown } from '../../shared/core/observation.ts';
import {
  isPlanned,
  isUntouched,
  leavingUnnoticed,
  nextStep,
  type Plan,
  type PlannedInterface,
  type Sent,
  withAttachment,
  withDetachAnswered,
  withDetachSent,
  withLeaving,
  withRung,
} from '../../shared/core/plan.ts';
import { times } from '../../shared/core/times.ts';
import {
  a,
  admin,
  attachment,
  attachmentOf,
  b,
  c,
  data,
  interfaceAt,
  now,
  planTo,
  second,
  stranger,
  titled,
} from './world.ts';

interface Case {
  readonly rule: string;
  readonly fact: string;
  /** From a to b by force where nothing else is said. */
  readonly plan?: Partial<Plan>;
  readonly planned?: Partial<PlannedInterface>;
  readonly shows: Fact<InterfaceFact>;
  readonly sent?: Sent;
  readonly answer: object;
}

const [onA, onB] = [attachmentOf(data, a), attachmentOf(data, b)];
const ago = (ms: number) => now - ms;
const on = (where: typeof a, more: Partial<Attachment> = {}) =>
  interfaceAt(data, where, { attachment: attachment(data, where, more) });
const free = interfaceAt(data, 'nothing');
const ours = { ours: [onB] };
const look = { kind: 'look' };
const attach = { kind: 'attach' };
const detach = (force: boolean, id = onA) => ({ kind: 'detach', attachment: id, force });
const refused = { kind: 'target-refused' };
const plainFirst = { plan: { detach: 'plain-then-force' } } as const;
const plainly = { plan: { detach: 'plain' } } as const;
const detaching = on(a, { status: 'detaching' });
/** A detach of this run that EC2 took; `first`: when the first of several of its kind was sent. */
const took = (atMs: number, { force = false, first = atMs, attachment = onA } = {}): { sent: Sent } => ({
  sent: { detach: { attachment, force, sinceMs: first, atMs, isAnswered: true, takenSinceMs: first } },
});
/** One that EC2 did not answer, or asked to be spared. */
const unclear = (atMs: number, { force = false, first = atMs } = {}): { sent: Sent } => ({
  sent: { detach: { attachment: onA, force, sinceMs: first, atMs, isAnswered: false } },
});
/** What the plan knows of it: first sent or seen, and since when EC2 is at it. */
const since = (leavingSinceMs: number, leavingTakenMs = leavingSinceMs) => ({
  leavingSinceMs,
  leavingTakenMs,
});
const deadline = since(ago(times.detachDeadlineMs));

const leaving: Case[] = [
  { rule: 'P17', fact: 'forces a source that EC2 knows to have failed', shows: on(a), answer: detach(true) },
  {
    rule: '§5',
    fact: 'detaches plainly first when only an alarm says so',
    ...plainFirst,
    shows: on(a),
    answer: detach(false),
  },
  { rule: '§5', fact: 'detaches plainly in a planned move', ...plainly, shows: on(a), answer: detach(false) },
  {
    rule: '§11',
    fact: 'waits a millisecond less than the plain time before it forces',
    ...plainFirst,
    shows: on(a),
    ...took(ago(5 * second - 1)),
    answer: look,
  },
  {
    rule: '§11',
    fact: 'forces after exactly the plain time',
    ...plainFirst,
    shows: on(a),
    ...took(ago(5 * second)),
    answer: detach(true),
  },
  {
    rule: '§11',
    fact: "keeps to the service's own plain time",
    plan: { detach: 'plain-then-force', plainDetachMs: 8 * second },
    shows: detaching,
    ...took(ago(8 * second - 1)),
    answer: look,
  },
  {
    rule: '§11',
    fact: 'forces as soon as the plain time is over, though a plain detach would not be sent again yet',
    plan: { detach: 'plain-then-force', plainDetachMs: 2 * second },
    shows: on(a),
    ...took(ago(2 * second)),
    answer: detach(true),
  },
  {
    rule: 'P17',
    fact: 'forces what has been detaching plainly for too long',
    ...plainFirst,
    shows: detaching,
    ...took(ago(5 * second)),
    answer: detach(true),
  },
  {
    rule: 'P17',
    fact: 'counts the plain time from the first detach that EC2 took, not from the one that it was sent again',
    ...plainFirst,
    shows: on(a),
    ...took(ago(second), { first: ago(5 * second) }),
    answer: detach(true),
  },
  {
    rule: 'P17',
    fact: "goes on with a predecessor's patience instead of beginning anew",
    ...plainFirst,
    planned: since(ago(5 * second)),
    shows: detaching,
    answer: detach(true),
  },
  {
    rule: 'P17',
    fact: 'forces nothing because EC2 has answered, and not taken it, long ago',
    ...plainFirst,
    planned: { leavingSinceMs: ago(60 * second) },
    shows: on(a),
    sent: {
      detach: {
        attachment: onA,
        force: false,
        sinceMs: ago(60 * second),
        atMs: ago(second),
        isAnswered: true,
      },
    },
    answer: look,
  },
  {
    rule: 'P17',
    fact: 'begins anew with what a predecessor sent, and EC2 does not show',
    ...plainFirst,
    planned: since(ago(60 * second)),
    shows: on(a),
    answer: detach(false),
  },
  {
    rule: 'P17',
    fact: 'gives its time to what EC2 took from somebody else long after ours was sent, and not taken',
    ...plainFirst,
    planned: since(ago(60 * second), ago(second)),
    shows: detaching,
    answer: look,
  },
  {
    rule: 'P17',
    fact: 'gives its time to what an item of an older version does not say EC2 took',
    ...plainFirst,
    planned: { leavingSinceMs: ago(60 * second) },
    shows: detaching,
    answer: look,
  },
  {
    rule: 'P17',
    fact: 'forces nothing because EC2 has been asking for patience for long',
    ...plainFirst,
    planned: { leavingSinceMs: ago(60 * second) },
    shows: on(a),
    ...unclear(ago(second), { first: ago(60 * second) }),
    answer: detach(false),
  },
  {
    rule: 'P17',
    fact: 'does not take what it sent away before for what it leaves now',
    ...plainFirst,
    planned: { ...since(ago(60 * second)), leaving: onB },
    shows: detaching,
    ...took(ago(60 * second), { attachment: onB }),
    answer: look,
  },
  {
    rule: 'P17',
    fact: 'does not take waiting for something else for a detach under way',
    ...plainFirst,
    shows: on(a),
    sent: { waitingSinceMs: ago(60 * second) },
    answer: detach(false),
  },
  {
    rule: 'P17',
    fact: 'does not send a plain detach twice while it is under way',
    ...plainly,
    shows: detaching,
    ...took(ago(60 * second)),
    answer: look,
  },
  {
    rule: 'P14',
    fact: 'does not send a plain detach into one that a predecessor sent',
    ...plainFirst,
    shows: detaching,
    answer: look,
  },
  {
    rule: 'P17',
    fact: 'forces a plain detach that a predecessor sent, where the plan says force',
    shows: detaching,
    answer: detach(true),
  },
  {
    rule: '§11',
    fact: 'never forces a planned move, however long it takes',
    ...plainly,
    shows: on(a),
    ...took(ago(60 * second)),
    answer: detach(false),
  },
  {
    rule: 'P17',
    fact: 'waits a millisecond less than the resend time for a plain detach that shows no effect',
    ...plainly,
    shows: on(a),
    ...took(ago(times.resendAfterMs - 1)),
    answer: look,
  },
  {
    rule: 'P17',
    fact: 'sends a plain detach again after exactly the resend time',
    ...plainly,
    shows: on(a),
    ...took(ago(times.resendAfterMs)),
    answer: detach(false),
  },
  {
    rule: 'P17',
    fact: 'gives the plain detach that it sent again as much time as the first',
    ...plainly,
    shows: on(a),
    ...took(ago(times.resendAfterMs - 1), { first: ago(60 * second) }),
    answer: look,
  },
  {
    rule: 'P17',
    fact: 'waits a millisecond less than the resend time for a forced detach',
    shows: detaching,
    ...took(ago(times.resendAfterMs - 1), { force: true, first: ago(20 * second) }),
    answer: look,
  },
  {
    rule: 'P17',
    fact: 'sends a forced detach again after exactly the resend time',
    shows: detaching,
    ...took(ago(times.resendAfterMs), { force: true, first: ago(20 * second) }),
    answer: detach(true),
  },
  {
    rule: 'P17',
    fact: 'forces at once what it has just sent plainly, where the plan has come to say force',
    shows: detaching,
    ...took(ago(second)),
    answer: detach(true),
  },
  {
    rule: 'P17',
    fact: 'is not stuck a millisecond before the detach deadline',
    planned: since(ago(times.detachDeadlineMs - 1)),
    shows: detaching,
    ...took(ago(second), { force: true, first: ago(times.lastTryMs) }),
    answer: look,
  },
  {
    rule: 'P17',
    fact: 'is stuck at exactly the detach deadline',
    planned: deadline,
    shows: detaching,
    ...took(ago(second), { force: true, first: ago(times.lastTryMs) }),
    answer: { kind: 'stuck' },
  },
  {
    rule: 'P17',
    fact: 'is not stuck before its own forced detach has had its time',
    planned: deadline,
    shows: detaching,
    ...took(ago(second), { force: true, first: ago(times.lastTryMs - 1) }),
    answer: look,
  },
  {
    rule: 'P17',
    fact: 'is not stuck because EC2 asked once to be spared',
    planned: deadline,
    shows: detaching,
    ...unclear(ago(second), { force: true }),
    answer: detach(true),
  },
  {
    rule: 'P17',
    fact: 'is stuck where EC2 has taken no forced detach for long enough',
    planned: { leavingSinceMs: ago(times.detachDeadlineMs) },
    shows: on(a),
    ...unclear(ago(second), { force: true, first: ago(times.lastTryMs) }),
    answer: { kind: 'stuck' },
  },
  {
    rule: 'P17',
    fact: 'is not stuck before it has tried by force, who sent nothing itself',
    planned: deadline,
    shows: detaching,
    answer: detach(true),
  },
  {
    rule: 'P17',
    fact: 'is not stuck before it has tried by force what it has only left plainly',
    planned: deadline,
    shows: detaching,
    ...took(ago(60 * second)),
    answer: detach(true),
  },
  {
    rule: 'P17',
    fact: 'is stuck with a plain detach for a resumer too, who has nothing to send',
    ...plainly,
    planned: deadline,
    shows: detaching,
    answer: { kind: 'stuck' },
  },
  {
    rule: 'P17',
    fact: 'is not stuck with what EC2 shows as attached before this run has sent it away',
    ...plainly,
    planned: deadline,
    shows: on(a),
    answer: detach(false),
  },
  {
    rule: 'P17',
    fact: 'is stuck with what EC2 shows as attached, though it has taken each detach for five minutes',
    ...plainly,
    planned: deadline,
    shows: on(a),
    ...took(ago(second), { first: ago(times.lastTryMs) }),
    answer: { kind: 'stuck' },
  },
];

const follower = {
  plan: { target: c, tried: [b, c] },
  planned: { ...ours, leavingSinceMs: ago(30 * second) },
};
const following: Case[] = [
  {
    rule: 'P18',
    fact: 'a follower leaves the rung before, by its own attachment',
    ...follower,
    planned: ours,
    shows: on(b),
    answer: detach(false, onB),
  },
  {
    rule: 'P18',
    fact: 'a follower leaves a living rung plainly first, though the source was left long ago',
    ...follower,
    shows: on(b),
    answer: detach(false, onB),
  },
  {
    rule: 'P18',
    fact: 'a follower is not stuck before it was ever detached, though the source was left five minutes ago',
    ...follower,
    planned: { ...ours, leavingSinceMs: ago(times.detachDeadlineMs) },
    shows: on(b),
    answer: detach(false, onB),
  },
  {
    rule: 'P17',
    fact: 'a follower of a planned move leaves plainly, for as long as it takes',
    plan: { ...follower.plan, detach: 'plain' },
    planned: { ...ours, leaving: onB, leavingSinceMs: ago(60 * second) },
    shows: on(b),
    answer: detach(false, onB),
  },
  ...(['plain', 'plain-then-force', 'force'] as const).map((manner) => ({
    rule: 'P17',
    fact: `a follower is forced off a rung that EC2 says has failed, where the source is left by ${manner}`,
    plan: { ...follower.plan, detach: manner, failed: [b] },
    planned: ours,
    shows: on(b, { status: 'detaching' }),
    answer: detach(true, onB),
  })),
  {
    rule: 'P17',
    fact: 'a follower is not forced off a rung because another one has failed',
    plan: { ...follower.plan, detach: 'plain', failed: [c] },
    planned: ours,
    shows: on(b),
    answer: detach(false, onB),
  },
  {
    rule: 'P17',
    fact: 'the source is left as the plan says, whoever else has failed',
    plan: { detach: 'plain', failed: [a, b] },
    shows: on(a),
    answer: detach(false),
  },
  {
    rule: 'P17',
    fact: 'a follower is stuck for a resumer too, who sent nothing itself',
    plan: { ...follower.plan, detach: 'plain' },
    planned: { ...ours, leaving: onB, ...deadline },
    shows: on(b, { status: 'detaching' }),
    answer: { kind: 'stuck' },
  },
  {
    rule: 'P17',
    fact: 'a follower is forced by a resumer too, once its plain detach has had its time',
    ...follower,
    planned: { ...ours, leaving: onB, ...since(ago(5 * second)) },
    shows: on(b, { status: 'detaching' }),
    answer: detach(true, onB),
  },
  {
    rule: 'P18',
    fact: 'a follower is forced once its own plain detach has had its time',
    ...follower,
    shows: on(b),
    ...took(ago(5 * second), { attachment: onB }),
    answer: detach(true, onB),
  },
  {
    rule: 'P17, §5',
    fact: 'a follower is never forced in a planned move',
    plan: { ...follower.plan, detach: 'plain' },
    planned: ours,
    shows: on(b),
    ...took(ago(60 * second), { attachment: onB }),
    answer: detach(false, onB),
  },
  {
    rule: 'P20',
    fact: 'rests on its source by the attachment that it never left',
    plan: { target: a, tried: [b, a] },
    shows: on(a),
    answer: { kind: 'rest', attachment: onA },
  },
];

const attaching: Case[] = [
  { rule: 'P14', fact: 'attaches what is available', shows: free, answer: attach },
  {
    rule: 'P14',
    fact: 'attaches what still shows its detached attachment',
    shows: interfaceAt(data, 'nothing', { attachment: attachment(data, a, { status: 'detached' }) }),
    answer: attach,
  },
  {
    rule: 'P14',
    fact: 'waits for what is on nothing and not yet available',
    shows: interfaceAt(data, 'nothing', { status: 'in-use' }),
    answer: look,
  },
  {
    rule: 'P14',
    fact: 'waits a millisecond less than the resend time for an attach that EC2 accepted',
    shows: free,
    sent: { attachAtMs: ago(second), attachAcceptedAtMs: ago(times.resendAfterMs - 1) },
    answer: look,
  },
  {
    rule: 'P14',
    fact: 'attaches again after exactly the resend time',
    shows: free,
    sent: { attachAtMs: ago(6 * second), attachAcceptedAtMs: ago(times.resendAfterMs) },
    answer: attach,
  },
  {
    rule: 'P14',
    fact: 'attaches again at once where EC2 did not accept it',
    shows: free,
    sent: { attachAtMs: ago(100) },
    answer: attach,
  },
  {
    rule: '§11',
    fact: 'has patience with the target until a millisecond before the attach limit',
    shows: free,
    sent: { attachAtMs: ago(times.attachLimitMs - 1) },
    answer: attach,
  },
  {
    rule: '§11',
    fact: 'takes the target for refusing at exactly the attach limit',
    shows: free,
    sent: { attachAtMs: ago(times.attachLimitMs) },
    answer: refused,
  },
  {
    rule: 'P14',
    fact: 'waits while it is attaching',
    planned: ours,
    shows: on(b, { status: 'attaching' }),
    answer: look,
  },
  {
    rule: '§11',
    fact: 'waits for one that stays attaching until a millisecond before the limit',
    planned: ours,
    shows: on(b, { status: 'attaching' }),
    sent: { attachAtMs: ago(times.attachLimitMs - 1) },
    answer: look,
  },
  {
    rule: '§11',
    fact: 'takes the target for refusing when it stays attaching for exactly the limit',
    planned: ours,
    shows: on(b, { status: 'attaching' }),
    sent: { attachAtMs: ago(times.attachLimitMs) },
    answer: refused,
  },
  {
    rule: '§11',
    fact: 'counts a resumer too from when it first saw it attaching',
    planned: ours,
    shows: on(b, { status: 'attaching' }),
    sent: { waitingSinceMs: ago(times.attachLimitMs) },
    answer: refused,
  },
  {
    rule: 'P14',
    fact: 'rests once it is attached to the target, however long that took',
    planned: ours,
    shows: on(b),
    sent: { attachAtMs: ago(10 * times.attachLimitMs) },
    answer: { kind: 'rest', attachment: onB },
  },
  {
    rule: '§5',
    fact: 'does not rest before it would survive its target',
    planned: ours,
    shows: on(b, { deleteOnTermination: true }),
    answer: { kind: 'keep-on-termination', attachment: onB },
  },
  {
    rule: 'P14',
    fact: 'does not rest while it is leaving the target',
    planned: ours,
    shows: on(b, { status: 'detaching' }),
    answer: look,
  },
  {
    rule: 'P17',
    fact: 'is stuck when it has been leaving the target for exactly the detach deadline',
    planned: { ...ours, leaving: onB, ...deadline },
    shows: on(b, { status: 'detaching' }),
    ...took(ago(second), { force: true, first: ago(times.lastTryMs), attachment: onB }),
    answer: { kind: 'stuck' },
  },
];

const surprises: Case[] = [
  {
    rule: 'P9',
    fact: 'looks again at what could not be read',
    shows: interfaceAt(data, 'unread'),
    answer: look,
  },
  {
    rule: 'P18',
    fact: 'is gone when EC2 does not know it',
    shows: interfaceAt(data, 'gone'),
    answer: { kind: 'gone' },
  },
  {
    rule: 'P18',
    fact: 'is unmovable when EC2 would never move it, wherever it is',
    shows: interfaceAt(data, a, { unmovable: 'is primary' }),
    answer: { kind: 'unmovable', why: 'is primary' },
  },
  {
    rule: 'P14',
    fact: 'adopts an attachment to the target that the plan does not know: its answer was lost',
    shows: on(b),
    answer: { kind: 'adopt', attachment: onB },
  },
  {
    rule: 'P14',
    fact: 'adopts a late attachment to a member that was tried before',
    plan: { target: c, tried: [b, c] },
    shows: on(b),
    answer: { kind: 'adopt', attachment: onB },
  },
  {
    rule: 'P19',
    fact: 'is a third party on a member that was never tried',
    shows: on(c),
    answer: { kind: 'third-party' },
  },
  {
    rule: 'P19',
    fact: 'is a third party on an instance that is no member',
    shows: on(stranger),
    answer: { kind: 'third-party' },
  },
  {
    rule: 'P19',
    fact: 'is a third party on the target at another device index than was asked for',
    shows: on(b, { deviceIndex: 5 }),
    answer: { kind: 'third-party' },
  },
  {
    rule: 'P19',
    fact: 'is a third party on the target on another network card than was asked for',
    shows: on(b, { networkCardIndex: 1 }),
    answer: { kind: 'third-party' },
  },
  {
    rule: 'P19',
    fact: 'is a third party when the source has it again by another attachment',
    shows: on(a, { id: attachmentOf(data, a, 1) }),
    answer: { kind: 'third-party' },
  },
  {
    rule: 'S2',
    fact: 'never detaches an attachment that the plan does not name',
    planned: { ours: [] },
    shows: on(c, { status: 'detaching' }),
    answer: { kind: 'third-party' },
  },
];

const askedToWait = (until: number): Sent => ({ notBeforeMs: until });
const slowedDown: Case[] = [
  {
    rule: 'P18',
    fact: 'does not attach a millisecond too early',
    shows: free,
    sent: askedToWait(now + 1),
    answer: look,
  },
  { rule: 'P18', fact: 'attaches from then on', shows: free, sent: askedToWait(now), answer: attach },
  {
    rule: 'P18',
    fact: 'does not detach a millisecond too early',
    shows: on(a),
    sent: askedToWait(now + 1),
    answer: look,
  },
  { rule: 'P18', fact: 'detaches from then on', shows: on(a), sent: askedToWait(now), answer: detach(true) },
  {
    rule: 'P18',
    fact: 'sees all the same what has come to rest',
    planned: ours,
    shows: on(b),
    sent: askedToWait(now + 1),
    answer: { kind: 'rest' },
  },
];

const tables = { leaving, following, attaching, surprises, 'EC2 asked to slow down': slowedDown };
describe.each(Object.entries(tables))('the next step when %s', (_, cases) => {
  it.each(titled(cases))('%s', (_title, { plan, planned, shows, sent, answer }) => {
    const whole = planTo(b, { source: a, ...plan });
    const own = { ...whole.interfaces[0], ...planned } as PlannedInterface;
    expect(nextStep(whole, own, shows, sent ?? {}, now)).toMatchObject(answer);
  });
});

describe('a plan', () => {
  const plan = planTo(b, { source: a });
  it('may detach the attachment that it began with and those it made, and no other (S2)', () => {
    const planned = { eni: data, deviceIndex: 1, networkCardIndex: 0, detach: onA, ours: [onB] };
    expect([onA, onB, attachmentOf(data, c)].map((id) => isPlanned(planned, id))).toEqual([
      true,
      true,
      false,
    ]);
  });
  it('takes a member into `tried` as it becomes a rung (P13)', () => {
    expect(withRung(plan, c)).toMatchObject({ target: c, tried: [b, c], source: a });
  });
  it('holds each member once, the latest rung last', () => {
    expect(withRung(withRung(plan, c), b).tried).toEqual([c, b]);
  });
  it('knows an attachment it made once, and for its interface only', () => {
    const twice = withAttachment(withAttachment(plan, data, onB), data, onB);
    expect(twice.interfaces.map((each) => each.ours)).toEqual([[onB], []]);
  });
  it('knows since when an interface is on its way, and since when EC2 is at it, from the first time', () => {
    const stampsOf = ({ interfaces }: Plan) =>
      interfaces.map(({ leaving, leavingSinceMs, leavingTakenMs }) => [
        leaving,
        leavingSinceMs,
        leavingTakenMs,
      ]);
    const rest = [undefined, undefined, undefined];
    const sent = withLeaving(plan, data, onA, { atMs: 1, isTaken: false });
    expect(stampsOf(sent)).toEqual([[onA, 1, undefined], rest]);
    const taken = withLeaving(sent, data, onA, { atMs: 2, isTaken: true });
    expect(stampsOf(taken)).toEqual([[onA, 1, 2], rest]);
    expect(withLeaving(taken, data, onA, { atMs: 3, isTaken: true })).toEqual(taken);
    expect(withLeaving(taken, data, onA, { atMs: 3, isTaken: false })).toEqual(taken);
    const other = withLeaving(taken, data, onB, { atMs: 4, isTaken: false });
    expect(stampsOf(other)).toEqual([[onB, 4, undefined], rest]);
    expect('leavingTakenMs' in (other.interfaces[0] ?? {})).toBe(false);
    expect(stampsOf(withLeaving(plan, data, onB, { atMs: 5, isTaken: true }))).toEqual([[onB, 5, 5], rest]);
  });
  it('has not noticed what is on its way before it knows that EC2 is at it', () => {
    const facts = new Map([
      [data, detaching],
      [admin, interfaceAt(admin, a)],
    ]);
    const noticed = [{ eni: data, id: onA }];
    const knowing = (id: typeof onA, isTaken: boolean) => withLeaving(plan, data, id, { atMs: now, isTaken });
    expect(leavingUnnoticed(plan, facts)).toEqual(noticed);
    expect(leavingUnnoticed(knowing(onB, true), facts)).toEqual(noticed);
    expect(leavingUnnoticed(knowing(onA, false), facts)).toEqual(noticed);
    expect(leavingUnnoticed(knowing(onA, true), facts)).toEqual([]);
    expect(leavingUnnoticed(plan, new Map([[data, unknown('throttled')]]))).toEqual([]);
    expect(leavingUnnoticed(plan, new Map([[data, free]]))).toEqual([]);
    expect(leavingUnnoticed(plan, new Map())).toEqual([]);
  });
  it('keeps the attachments it made in order, the latest last', () => {
    const later = attachmentOf(data, c);
    expect(withAttachment(withAttachment(plan, data, onB), data, later).interfaces[0]?.ours).toEqual([
      onB,
      later,
    ]);
  });
});

describe('a detach that was sent', () => {
  const own = { attachment: onA, force: false, sinceMs: 1, atMs: 1, isAnswered: false };
  const first = withDetachSent({ attachAtMs: 1 }, onA, false, 1);
  const taken = withDetachAnswered(first, true);
  it('is neither answered nor taken before EC2 says so', () => {
    expect(first).toEqual({ attachAtMs: 1, detach: own });
    expect(taken).toEqual({ attachAtMs: 1, detach: { ...own, isAnswered: true, takenSinceMs: 1 } });
    expect(withDetachAnswered(first, false).detach).toEqual({ ...own, isAnswered: true });
  });
  it('keeps, when it is sent again, the time of the first, and of the first that EC2 took', () => {
    const again = withDetachSent(taken, onA, false, 2);
    expect(again.detach).toEqual({ ...own, atMs: 2, takenSinceMs: 1 });
    const both = { ...own, atMs: 2, isAnswered: true, takenSinceMs: 1 };
    expect(withDetachAnswered(again, true).detach).toEqual(both);
    expect(withDetachAnswered(again, false).detach).toEqual(both);
  });
  it('has a time of its own once it is forced', () => {
    const forced = withDetachSent(taken, onA, true, 2);
    expect(forced.detach).toEqual({ ...own, force: true, sinceMs: 2, atMs: 2, takenSinceMs: 1 });
  });
  it('says nothing of another attachment', () => {
    expect(withDetachSent(taken, onB, false, 2).detach).toEqual({
      ...own,
      attachment: onB,
      sinceMs: 2,
      atMs: 2,
    });
  });
  it('cannot be answered before it was sent', () => {
    expect(withDetachAnswered({ attachAtMs: 1 }, true)).toEqual({ attachAtMs: 1 });
  });
});

describe('a plan is untouched (P15)', () => {
  const plan = planTo(b, { source: a });
  const facts = (ofData: Fact<InterfaceFact>) =>
    new Map([
      [data, ofData],
      [admin, interfaceAt(admin, a)],
    ]);
  it.each(
    titled([
      { fact: 'while every interface has the attachment it began with', shows: on(a), answer: true },
      { fact: 'no more when one is detaching', shows: detaching, answer: false },
      { fact: 'no more when one is on nothing', shows: free, answer: false },
      {
        fact: 'no more when one has another attachment to the source',
        shows: on(a, { id: attachmentOf(data, a, 1) }),
        answer: false,
      },
      {
        fact: 'not for certain when one could not be read',
        shows: interfaceAt(data, 'unread'),
        answer: false,
      },
      { fact: 'not when one is gone', shows: interfaceAt(data, 'gone'), answer: false },
    ]),
  )('%s', (_title, { shows, answer }) => {
    expect(isUntouched(plan, facts(shows))).toBe(answer);
  });
  it('never, where an interface was on nothing from the beginning', () => {
    expect(isUntouched(planTo(b), facts(on(a)))).toBe(false);
  });
  it('not when an interface was not looked at', () => {
    expect(isUntouched(plan, new Map([[data, on(a)]]))).toBe(false);
  });
});
