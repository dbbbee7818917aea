/** How an episode ends: the outcome of a move, of one that was not begun, of one that was called back. */
import { describe, expect, it } from 'vitest';
import {
  calledBack,
  callOff,
  type Ending,
  notServing,
  stoppedBefore,
  toEnding,
} from '../../shared/app/ending.ts';
import type { MoveEnd } from '../../shared/app/move.ts';
import type { EpisodeKind, Outcome } from '../../shared/core/episode.ts';
import type { AttachmentId } from '../../shared/core/ids.ts';
import type { Plan } from '../../shared/core/plan.ts';
import * as core from '../core/world.ts';
import { both, carriedOut, next, old, restingOn, third, untouched } from './ended.ts';

const { data, now, planTo } = core;

describe('the outcome of a move', () => {
  interface Case {
    readonly fact: string;
    readonly kind?: EpisodeKind;
    readonly plan?: Plan;
    readonly end?: 'resting' | 'stranded' | 'needs-human';
    readonly acted?: boolean;
    readonly members?: core.Sketch['members'];
    readonly is: readonly [outcome: Outcome, severity: string];
    readonly sourceFailed: boolean;
  }
  const back = carriedOut({ tried: [next, old] }, old);
  const nothingAttached = planTo(old, { source: old });
  const cases: readonly Case[] = [
    {
      fact: 'a failover that came to rest is completed, and a warning',
      is: ['COMPLETED', 'warning'],
      sourceFailed: true,
    },
    {
      fact: 'a rescue that came to rest is completed, and a warning',
      kind: 'rescue',
      is: ['COMPLETED', 'warning'],
      sourceFailed: false,
    },
    {
      fact: 'a rescue from a member that has failed says so',
      kind: 'rescue',
      members: { a: 'stopped' },
      is: ['COMPLETED', 'warning'],
      sourceFailed: true,
    },
    {
      fact: 'a rescue of what nobody held has no member that failed',
      kind: 'rescue',
      plan: { ...carriedOut(), source: undefined } as unknown as Plan,
      members: { a: 'stopped' },
      is: ['COMPLETED', 'warning'],
      sourceFailed: false,
    },
    {
      fact: 'a switchover is news, not a warning',
      kind: 'switchover',
      is: ['COMPLETED', 'info'],
      sourceFailed: false,
    },
    { fact: 'so is a failback', kind: 'failback', is: ['COMPLETED', 'info'], sourceFailed: false },
    {
      fact: 'a switchover accuses nobody, also where the old holder stops once it has left',
      kind: 'switchover',
      plan: { ...carriedOut(), detach: 'plain' },
      members: { a: 'stopped' },
      is: ['COMPLETED', 'info'],
      sourceFailed: false,
    },
    {
      fact: 'a switchover that had to force its way off a holder that failed says so',
      kind: 'switchover',
      plan: { ...carriedOut(), detach: 'force' },
      members: { a: 'stopped' },
      is: ['COMPLETED', 'info'],
      sourceFailed: true,
    },
    {
      fact: 'one that is stranded is critical',
      end: 'stranded',
      is: ['STRANDED', 'critical'],
      sourceFailed: true,
    },
    {
      fact: 'one that needs a person is critical',
      kind: 'switchover',
      end: 'needs-human',
      is: ['NEEDS_HUMAN', 'critical'],
      sourceFailed: false,
    },
    {
      fact: 'one that came to rest where it began found nobody to take the interfaces',
      plan: back,
      is: ['RETURNED_TO_SOURCE', 'critical'],
      sourceFailed: true,
    },
    {
      fact: 'so does a planned one, whose old holder is healthy',
      kind: 'switchover',
      plan: back,
      is: ['RETURNED_TO_SOURCE', 'critical'],
      sourceFailed: false,
    },
    {
      fact: 'a rescue back to a healthy member is what was wanted',
      kind: 'rescue',
      plan: back,
      is: ['COMPLETED', 'warning'],
      sourceFailed: false,
    },
    {
      fact: 'a rescue back to a member that failed is not',
      kind: 'rescue',
      plan: back,
      members: { a: 'impaired' },
      is: ['RETURNED_TO_SOURCE', 'critical'],
      sourceFailed: true,
    },
    {
      fact: 'a rescue back to a member of which nothing is known is not either',
      kind: 'rescue',
      plan: back,
      members: { a: 'unread' },
      is: ['RETURNED_TO_SOURCE', 'critical'],
      sourceFailed: false,
    },
    {
      fact: 'on a target that has failed itself it does not serve',
      members: { b: 'impaired' },
      is: ['ATTACHED', 'critical'],
      sourceFailed: true,
    },
    {
      fact: 'without anything sent there was nothing to do',
      acted: false,
      is: ['NOTHING_TO_DO', 'info'],
      sourceFailed: true,
    },
    {
      fact: 'without an attachment of ours it does not claim to have moved anything',
      kind: 'rescue',
      plan: nothingAttached,
      is: ['NOTHING_TO_DO', 'info'],
      sourceFailed: false,
    },
    {
      fact: 'with one attachment of ours it has moved something',
      kind: 'rescue',
      plan: {
        ...carriedOut(),
        interfaces: carriedOut().interfaces.map((each) => (each.eni === data ? { ...each, ours: [] } : each)),
      },
      is: ['COMPLETED', 'warning'],
      sourceFailed: false,
    },
  ];
  it.each(core.titled(cases))(
    '%s',
    (_, { kind, plan = carriedOut(), end = 'resting', acted = true, members, ...answer }) => {
      const last = { facts: restingOn(plan.target), sentAtMs: now, slow: false };
      const scene = { plan, last, seen: new Set<AttachmentId>(), acted };
      const given: MoveEnd =
        end === 'resting' ? { kind: end, ...scene } : { kind: end, why: 'it is so', ...scene };
      const { observation } = core.world(members ? { members } : {});
      const ending = toEnding(core.episodeOf(plan, kind), given, observation);
      expect([ending.outcome, ending.severity]).toEqual(answer.is);
      expect(ending.sourceFailed).toBe(answer.sourceFailed);
    },
  );
});

describe('the end of an episode that a fence or a hook did not let begin', () => {
  const stopped = (kind: EpisodeKind, plan: Plan, facts: Ending['facts'] = untouched) => {
    const { observation } = core.world();
    const end = { why: 'it failed', trouble: 'it' };
    return stoppedBefore(core.episodeOf(plan, kind), end, { ...observation, interfaces: facts });
  };
  const plan = planTo(next, { source: old });

  it.each(['failover', 'switchover', 'failback'] as const)(
    'a %s needs a person, and nothing was moved',
    (kind) => {
      expect(stopped(kind, plan)).toMatchObject({
        outcome: 'NEEDS_HUMAN',
        why: 'it failed',
        severity: 'critical',
        facts: untouched,
        untouched: true,
        sourceFailed: kind === 'failover',
      });
    },
  );
  it.each(['failover', 'switchover', 'rescue'] as const)(
    'a %s of what is on nothing has stranded it',
    (kind) => {
      const facts = both((eni) => core.interfaceAt(eni, eni === data ? 'nothing' : old));
      expect(stopped(kind, plan, facts).outcome).toBe('STRANDED');
    },
  );
  it.each(['failover', 'rescue'] as const)(
    'a %s of what is split over two members leaves it stranded (S14)',
    (kind) => {
      const facts = both((eni) => core.interfaceAt(eni, eni === data ? next : old));
      expect(stopped(kind, plan, facts).outcome).toBe('STRANDED');
    },
  );
  it('a failover of which everything is on nothing has stranded it', () => {
    const facts = both((eni) => core.interfaceAt(eni, 'nothing'));
    expect(stopped('failover', plan, facts).outcome).toBe('STRANDED');
  });
  it('a rescue does not call whole what it came for', () => {
    expect(stopped('rescue', plan).outcome).toBe('STRANDED');
  });
  it('one of a later rung may still see a detach for the rung before it', () => {
    expect(stopped('failover', planTo(third, { source: old, tried: [next, third] })).untouched).toBe(false);
  });
});

describe('the end of a move after which nothing serves', () => {
  const ending = (outcome: Outcome): Ending => ({
    ...callOff('ABORTED', 'the instance is stopped', 'warning', core.world().observation, false),
    outcome,
  });
  it('is attached, with the reason, and critical', () => {
    expect(notServing(ending('COMPLETED'), 'NOT_SERVING: x')).toEqual({
      ...ending('ATTACHED'),
      why: 'NOT_SERVING: x',
      severity: 'critical',
    });
  });
  it('stays what it was where it came back to its source, and says both', () => {
    expect(notServing(ending('RETURNED_TO_SOURCE'), 'HOOK_FAILED: undo.0')).toEqual({
      ...ending('RETURNED_TO_SOURCE'),
      why: 'the instance is stopped; HOOK_FAILED: undo.0',
    });
  });
});

describe('the end of a move that was called back', () => {
  const back = { ...callOff('ABORTED', 'nobody', 'critical', core.world().observation, false) };
  const returned: Ending = { ...back, outcome: 'RETURNED_TO_SOURCE' };
  it('says which hook it was, and is no refusal of a member', () => {
    expect(calledBack(returned, 'HOOK_FAILED: x')).toEqual({
      ...returned,
      why: 'HOOK_FAILED: x',
      calledBack: true,
    });
  });
  it('is as it was where no hook called, or where it did not come back', () => {
    expect(calledBack(returned, undefined)).toBe(returned);
    expect(calledBack({ ...returned, outcome: 'STRANDED' }, 'x').why).toBe('nobody');
  });
});
