/** The end of an episode as people read it: its lines, its next steps, its commands by hand. */
import { describe, expect, it } from 'vitest';
import { callOff, type Ending } from '../../shared/app/ending.ts';
import { toFacts } from '../../shared/app/episode-notice.ts';
import type { Episode, EpisodeKind, Outcome } from '../../shared/core/episode.ts';
import type { InstanceId } from '../../shared/core/ids.ts';
import type { Plan } from '../../shared/core/plan.ts';
import { reasons } from '../../shared/core/reasons.ts';
import * as core from '../core/world.ts';
import { at, carriedOut, ended, next, old, third } from './ended.ts';

const { admin, data, now } = core;

const declared = core.world().service.declaration;

describe('the end of an episode as people read it', () => {
  const told = (
    outcome: Outcome,
    more: { kind?: EpisodeKind; plan?: Plan; why?: string; left?: readonly InstanceId[] } = {},
  ) => {
    const { kind = 'failover', plan = carriedOut(), why = 'the instance is stopped', left = [third] } = more;
    const steps = [
      { atMs: now - 9_000, step: 'claimed' },
      { atMs: now - 4_500, step: 'detach-forced', eni: data },
      { atMs: now - 4_000, step: 'detach-forced', eni: admin },
      { atMs: now, step: 'verified' },
    ];
    const ending = { ...callOff('ABORTED', why, 'info', core.world().observation, true), outcome };
    const episode = core.episodeOf(plan, kind, { steps: outcome === 'ABORTED' ? steps.slice(0, 1) : steps });
    return toFacts(core.stateOf(), declared, episode, ending, left, now);
  };
  const status = 'eni-failover status orders-db';
  const repair = `repair ${old}, then: eni-failover ack orders-db --reason '...'`;
  const none = 'NO STANDBY IS LEFT: make one eligible';
  const { source: _, ...fromNothing } = carriedOut();

  const cases: readonly {
    readonly fact: string;
    readonly outcome: Outcome;
    readonly more?: Parameters<typeof told>[1];
    readonly headline: string;
    readonly asks: readonly string[];
  }[] = [
    {
      fact: 'a failover asks for the repair',
      outcome: 'COMPLETED',
      headline: `failover to ${next} done`,
      asks: [repair],
    },
    {
      fact: 'one that used the last standby asks for another',
      outcome: 'COMPLETED',
      more: { left: [] },
      headline: `failover to ${next} done`,
      asks: [repair, none],
    },
    {
      fact: 'a rescue of what nobody held asks for no repair',
      outcome: 'COMPLETED',
      more: { plan: fromNothing },
      headline: `failover to ${next} done`,
      asks: [],
    },
    {
      fact: 'a switchover asks for nothing',
      outcome: 'COMPLETED',
      more: { kind: 'switchover' },
      headline: `switchover to ${next} done`,
      asks: [],
    },
    {
      fact: 'nothing to do asks for nothing',
      outcome: 'NOTHING_TO_DO',
      more: { left: [] },
      headline: 'nothing to do, already in place',
      asks: [],
    },
    {
      fact: 'what was called off asks for nothing',
      outcome: 'ABORTED',
      headline: 'failover called off, nothing was moved',
      asks: [],
    },
    {
      fact: 'what was refused asks for a look',
      outcome: 'REFUSED',
      headline: 'failover refused, nothing was moved',
      asks: [status],
    },
    {
      fact: 'what does not serve asks for a look',
      outcome: 'ATTACHED',
      headline: `attached to ${next}, but not serving`,
      asks: [status],
    },
    {
      fact: 'what went back asks for a look',
      outcome: 'RETURNED_TO_SOURCE',
      headline: `back on ${old}, nothing else took it`,
      asks: [status],
    },
    {
      fact: 'STRANDED asks for a look, not for a repair',
      outcome: 'STRANDED',
      more: { left: [] },
      headline: 'STRANDED, an interface is on nothing or left behind',
      asks: [status],
    },
    {
      fact: 'what stopped asks for a look',
      outcome: 'NEEDS_HUMAN',
      headline: 'failover stopped, a person is needed',
      asks: [status],
    },
  ];
  it.each(core.titled(cases))('%s', (_title, { outcome, more, headline, asks }) => {
    const facts = told(outcome, more);
    expect(facts.headline).toBe(headline);
    expect(facts.next).toEqual(asks);
  });

  it('says from where to where, why, how long it took and who is left', () => {
    expect(told('COMPLETED', { left: [old, third] }).lines).toEqual([
      `From: ${old}`,
      `To: ${next}`,
      'Why: the instance is stopped',
      'Detach to verified: 4.5 s',
      `Interfaces: ${data}, ${admin}`,
      `Standbys left: ${old}, ${third}`,
      'Episode: orders-db.7',
    ]);
    expect(told('COMPLETED').data).toMatchObject({
      detachToVerifiedMs: 4_500,
      from: old,
      standbysLeft: [third],
    });
  });

  const withStages = (stages: Episode['stages'], more: Partial<Episode> = {}) => {
    const steps = [
      { atMs: now - 60_000, step: 'before.0-ended' },
      { atMs: now - 50_000, step: 'detach-forced', eni: data },
      { atMs: now - 46_500, step: 'verified' },
      { atMs: now - 1_000, step: 'after.0-ended' },
    ];
    const episode = { ...core.episodeOf(carriedOut()), steps, ...(stages && { stages }), ...more };
    return toFacts(core.stateOf(), declared, episode, ended(), [third], now);
  };

  it('says of each fence, hook and check how it ended, when it was begun deciding the order', () => {
    const { lines } = withStages({
      '1/serving': { begunAtMs: now - 4_000, end: 'timed-out', endedAtMs: now },
      '1/after.0': { begunAtMs: now - 9_000, handle: 'h-1' },
      '1/before.0': { begunAtMs: now - 62_000, end: 'done', endedAtMs: now - 60_000, output: 'ready' },
      fence: { begunAtMs: now - 70_500, end: 'refused', endedAtMs: now - 70_000, output: 'protected' },
    });
    expect(lines.slice(6, 10)).toEqual([
      'fence: refused after 0.5 s: protected',
      '1/before.0: done after 2.0 s: ready',
      '1/after.0: begun, not ended',
      '1/serving: timed-out after 4.0 s',
    ]);
  });

  it('counts neither what came before the detach nor what came after the last attach', () => {
    expect(withStages({}).data).toMatchObject({ detachToVerifiedMs: 3_500 });
    expect(withStages({}).lines).toContain('Detach to verified: 3.5 s');
  });

  it('says of a rescue that nothing took where it was meant for, and no time to a verification that never was', () => {
    const rescue = core.episodeOf(carriedOut({ source: old, target: old, tried: [old] }));
    const steps = [
      { atMs: now - 9_000, step: 'detach', eni: data },
      { atMs: now - 5_000, step: 'attached', eni: data },
    ];
    const ending: Ending = { ...ended(), outcome: 'STRANDED' };
    const episode = { ...rescue, kind: 'rescue' as const, steps };
    const { lines, data: facts } = toFacts(core.stateOf(), declared, episode, ending, [], now);
    expect(lines.slice(0, 3)).toEqual([
      `From: nothing, last on ${old}`,
      `Meant for: ${old}`,
      'Why: the instance is stopped',
    ]);
    expect(lines.join('\n')).not.toContain('Detach to verified');
    expect(facts['detachToVerifiedMs']).toBeUndefined();
  });

  it('says that a hook called it back, and not that nobody took it', () => {
    const ending: Ending = { ...ended(), outcome: 'RETURNED_TO_SOURCE', calledBack: true };
    const { headline } = toFacts(core.stateOf(), declared, core.episodeOf(carriedOut()), ending, [], now);
    expect(headline).toBe(`back on ${old}, a hook called it back`);
  });

  it('says that nobody is left', () => {
    expect(told('COMPLETED', { left: [] }).lines).toContain('Standbys left: none');
  });

  it('says why it ended, and no duration, where nothing was detached', () => {
    const facts = told('ABORTED', { why: `${old} recovered`, plan: fromNothing });
    expect(facts.lines).toEqual([
      'From: nothing',
      `Meant for: ${next}`,
      'Why: the instance is stopped',
      `End: ${old} recovered`,
      `Interfaces: ${data}, ${admin}`,
      'Episode: orders-db.7',
    ]);
    expect(facts.data['detachToVerifiedMs']).toBeUndefined();
    expect(facts.data['from']).toBeNull();
  });
});

describe('the notice of an end that needs a person', () => {
  const told = (
    ending: Partial<Ending>,
    more: { plan?: Plan; kind?: EpisodeKind; stages?: Episode['stages']; left?: readonly InstanceId[] } = {},
    declares: Parameters<typeof toFacts>[1] = declared,
  ) => {
    const { plan = carriedOut(), kind = 'failover', stages, left = [] } = more;
    const episode = { ...core.episodeOf(plan, kind), ...(stages && { stages }) };
    const whole = { ...ended({ outcome: 'STRANDED', sourceFailed: true }), ...ending };
    return toFacts(core.stateOf(), declares, episode, whole, left, now);
  };
  const toldTo = (...args: Parameters<typeof told>) => [
    ...new Set(told(...args).byHand?.flatMap((each) => (each.do === 'attach' ? [each.instance] : []))),
  ];
  const places = (one: core.Place, other: core.Place) =>
    new Map([
      [data, core.interfaceAt(data, one)],
      [admin, core.interfaceAt(admin, other)],
    ]);

  it('says where each interface is, on nothing, gone, or not known', () => {
    expect(told({ facts: places('gone', 'unread') }).lines).toEqual(
      expect.arrayContaining([`${data}: gone`, `${admin}: not known`]),
    );
    expect(told({ facts: places('nothing', next) }).lines).toEqual(
      expect.arrayContaining([`${data}: on nothing, available`, `${admin}: attached ${next}`]),
    );
    expect(told({ facts: new Map() }).lines).toContain(`${data}: not known`);
  });

  it('gives the commands with the attachments as they are', () => {
    expect(told({ facts: places(old, 'nothing') }).byHand).toContainEqual({
      do: 'detach',
      eni: data,
      attachment: core.attachmentOf(data, old),
      force: true,
    });
  });

  it.each<[fact: string, args: Parameters<typeof told>, to: InstanceId]>([
    ['beside those that rest', [{ facts: places(third, 'nothing') }], third],
    [
      'beside those that rest on the source, which is well',
      [{ facts: places(old, 'nothing'), sourceFailed: false }],
      old,
    ],
    ['not to a source that failed', [{ facts: places(old, 'nothing') }], next],
    [
      'not beside one that is only on its way there',
      [
        {
          facts: places('nothing', third)
            .set(data, at(data, third, { status: 'attaching' }))
            .set(admin, core.interfaceAt(admin, 'nothing')),
        },
      ],
      next,
    ],
    [
      'to a standby that is left, where the plan led to a source that failed',
      [{ facts: places('nothing', 'nothing') }, { plan: carriedOut({ tried: [next] }, old), left: [third] }],
      third,
    ],
    [
      'to a member that was tried, where nobody else is left',
      [{ facts: places('nothing', 'nothing') }, { plan: carriedOut({ tried: [old, next] }, old) }],
      next,
    ],
  ])('brings them %s', (_fact, args, to) => {
    expect(toldTo(...args)).toEqual([to]);
  });

  it('names the alarms of the service, and that of serving where it is one', () => {
    const signals = { ...declared.signals, alarms: [{ arn: core.alarm('app'), treatAsInstance: false }] };
    const alarm = core.alarm('serving');
    expect(told({}, {}, { signals }).alarms).toEqual([core.alarm('app')]);
    expect(told({}, {}, { signals, serving: { alarm, within: 60_000 } }).alarms).toEqual([
      core.alarm('app'),
      alarm,
    ]);
  });

  it('leads to what a hook printed that did not end well, and to no other', () => {
    const stages = {
      '1/before.0': { begunAtMs: now - 9_000, end: 'done', endedAtMs: now, handle: 'h-done' },
      '1/before.1': { begunAtMs: now - 8_000, end: 'failed', endedAtMs: now, handle: 'h-failed' },
      '1/after.0': { begunAtMs: now - 7_000 },
    } as const;
    const why = 'HOOK_FAILED: it ended with 1';
    const { byHand, section, next: asks } = told({ outcome: 'NEEDS_HUMAN', why }, { stages });
    expect(byHand?.filter((each) => each.do === 'describe-hook')).toEqual([
      { do: 'describe-hook', command: 'h-failed' },
    ]);
    expect(section).toBe('HOOK_FAILED');
    expect(asks).toEqual([reasons.HOOK_FAILED.wayOut, 'eni-failover status orders-db']);
  });

  it('says the command that ends its reason', () => {
    const { next: asks } = told({ outcome: 'NEEDS_HUMAN', why: 'MOVED_BY_OTHERS: to another one' });
    expect(asks).toEqual([
      reasons.MOVED_BY_OTHERS.wayOut,
      `eni-failover adopt orders-db --reason '...'`,
      'eni-failover status orders-db',
    ]);
  });

  it('says of a rescue without a source that nothing held them', () => {
    const { source: _, ...plan } = carriedOut();
    expect(told({}, { plan, kind: 'rescue' }).lines[0]).toBe('From: nothing');
  });

  it('has no commands for an end that is well', () => {
    expect(told({ outcome: 'COMPLETED' })).not.toHaveProperty('byHand');
  });
});
