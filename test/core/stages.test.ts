/** Which fence, hook or check is due, on whom and under which token; and what becomes of the move when one fails. */
import { describe, expect, it } from 'vitest';
import type { Episode, EpisodeKind, StageMark } from '../../shared/core/episode.ts';
import { parseDeclaration } from '../../shared/core/service.ts';
import {
  calledBackBy,
  describeStage,
  filledIn,
  isFenced,
  isUntouchedYet,
  mayGoBack,
  type NextStage,
  nextStage,
  type Stage,
  tokenOf,
  toldTo,
  whyItEnded,
  withMark,
} from '../../shared/core/stages.ts';
import {
  a,
  alarm,
  askedFor,
  b,
  c,
  data,
  episodeOf,
  now,
  planTo,
  type Sketch,
  stranger,
  titled,
  world,
} from './world.ts';

const kinds: readonly EpisodeKind[] = ['failover', 'switchover', 'failback', 'rescue'];
const fromAToB = planTo(b, { source: a });
const onSource = { document: 'on-source', on: 'source' };
const onTarget = { document: 'on-target', on: 'target' };
const byFunction = { function: 'eni-failover-hook' };
const everything: Sketch = {
  policy: { fence: 'stop' },
  hooks: { before: [onSource, onTarget, byFunction], after: [onSource, onTarget, byFunction] },
  serving: { alarm: alarm('serves') },
};
const done = (begunAtMs = now): StageMark => ({ begunAtMs, end: 'done', endedAtMs: begunAtMs, output: '' });
const ended = (end: NonNullable<StageMark['end']>, output = ''): StageMark => ({ ...done(), end, output });

/** Those that come due one after the other when each is done, as `id on instance`. */
function inTurn(sketch: Sketch, episode: Episode, side: 'before' | 'after'): readonly string[] {
  const { service, observation } = world({ ...sketch, state: { episode } });
  const found: string[] = [];
  let open = episode;
  for (;;) {
    const next = nextStage(service, open, side, observation);
    if (next.kind !== 'due') return found;
    const { stage } = next;
    found.push(`${stage.id} ${instanceOf(stage)}`);
    open = withMark(open, stage.id, done());
  }
}
function instanceOf(stage: Stage): string {
  if (stage.kind === 'fence') return stage.instance;
  if (stage.kind === 'alarm') return 'alarm';
  return stage.command.kind === 'document' ? stage.command.instance : 'function';
}
const next = (sketch: Sketch, episode: Episode, side: 'before' | 'after'): NextStage => {
  const { service, observation } = world({ ...sketch, state: { episode } });
  return nextStage(service, episode, side, observation);
};
const dueIn = (sketch: Sketch, episode: Episode, side: 'before' | 'after'): Stage => {
  const found = next(sketch, episode, side);
  if (found.kind !== 'due') throw new Error(`nothing is due: ${found.kind}`);
  return found.stage;
};

describe('before anything is detached', () => {
  it.each<[EpisodeKind, readonly string[]]>([
    ['failover', [`fence ${a}`, `1/before.1 ${b}`, '1/before.2 function']],
    ['switchover', [`1/before.0 ${a}`, `1/before.1 ${b}`, '1/before.2 function']],
    ['failback', [`1/before.0 ${a}`, `1/before.1 ${b}`, '1/before.2 function']],
    ['rescue', [`fence ${a}`, `1/before.1 ${b}`, '1/before.2 function']],
  ])('a %s has its own stages, in order', (kind, stages) => {
    expect(inTurn(everything, episodeOf(fromAToB, kind), 'before')).toEqual(stages);
  });

  it.each(kinds)('of a %s nothing is due where nothing is declared', (kind) => {
    expect(next({}, episodeOf(fromAToB, kind), 'before')).toEqual({ kind: 'none' });
  });

  it.each(
    titled<{ fact: string; sketch?: Sketch; episode?: Episode; stages: readonly string[] }>([
      {
        fact: 'a failover without a fence has its hooks alone',
        sketch: { ...everything, policy: {} },
        stages: [`1/before.1 ${b}`, '1/before.2 function'],
      },
      {
        fact: 'an announced move is a planned one: its source still answers, and is not stopped',
        episode: episodeOf(fromAToB, 'switchover'),
        stages: [`1/before.0 ${a}`, `1/before.1 ${b}`, '1/before.2 function'],
      },
      {
        fact: 'an instance that is no member is never stopped (S11)',
        episode: episodeOf(planTo(b, { source: stranger })),
        sketch: { ...everything, on: stranger },
        stages: [`1/before.1 ${b}`, '1/before.2 function'],
      },
      { fact: 'what nobody held has no source to stop', episode: episodeOf(planTo(b), 'rescue'), stages: [] },
      {
        fact: 'a rescue to the last holder stops nobody',
        sketch: { ...everything, on: 'nothing' },
        episode: episodeOf(planTo(a, { source: a }), 'rescue'),
        stages: [],
      },
      {
        fact: 'the way back to the source stops nobody, and prepares nothing',
        episode: episodeOf(planTo(a, { source: a, tried: [b, a] })),
        stages: [],
      },
      {
        fact: 'no preparation holds up an interface that is on its way',
        sketch: { ...everything, on: { data: 'nothing', admin: a } },
        stages: [`fence ${a}`],
      },
      {
        fact: 'nor one that is detaching',
        sketch: { ...everything, data: { attachment: undefined } },
        stages: [`fence ${a}`],
      },
      {
        fact: 'another rung has hooks of its own, and the same fence',
        episode: episodeOf(planTo(c, { source: a, tried: [b, c] }), 'failover', {
          stages: { fence: done(), '1/before.1': done(), '1/before.2': done() },
        }),
        stages: [`2/before.1 ${c}`, '2/before.2 function'],
      },
      {
        fact: 'what has ended is not due again',
        episode: episodeOf(fromAToB, 'failover', { stages: { fence: done(), '1/before.1': done() } }),
        stages: ['1/before.2 function'],
      },
    ]),
  )('%s', (_, { sketch = everything, episode = episodeOf(fromAToB), stages }) => {
    expect(inTurn(sketch, episode, 'before')).toEqual(stages);
  });
});

describe('once everything was seen on the target', () => {
  const onB: Sketch = { ...everything, on: b };

  it.each<[EpisodeKind, readonly string[]]>([
    ['failover', [`1/after.1 ${b}`, '1/after.2 function', '1/serving alarm']],
    ['switchover', [`1/after.0 ${a}`, `1/after.1 ${b}`, '1/after.2 function', '1/serving alarm']],
    ['failback', [`1/after.0 ${a}`, `1/after.1 ${b}`, '1/after.2 function', '1/serving alarm']],
    ['rescue', [`1/after.1 ${b}`, '1/after.2 function', '1/serving alarm']],
  ])('a %s has its own stages, in order', (kind, stages) => {
    expect(inTurn(onB, episodeOf(fromAToB, kind), 'after')).toEqual(stages);
  });

  it.each(kinds)('of a %s nothing is due where nothing is declared', (kind) => {
    expect(next({ on: b }, episodeOf(fromAToB, kind), 'after')).toEqual({ kind: 'none' });
  });

  it('they run on the member that took the interfaces in the end', () => {
    const plan = planTo(c, { source: a, tried: [b, c] });
    expect(inTurn({ ...everything, on: c }, episodeOf(plan), 'after')).toEqual([
      `2/after.1 ${c}`,
      '2/after.2 function',
      '2/serving alarm',
    ]);
  });

  it.each([
    ['a document on the target', { check: onTarget }, [`1/serving ${b}`]],
    ['a function', { check: byFunction }, ['1/serving function']],
    ['an alarm', { alarm: alarm('serves') }, ['1/serving alarm']],
  ])('%s may say that it serves', (_, serving, stages) => {
    expect(inTurn({ serving, on: b }, episodeOf(fromAToB), 'after')).toEqual(stages);
  });

  it('a check on the source is not declared: it would say nothing of the target', () => {
    const declared = JSON.parse(world().service.declared) as object;
    expect(parseDeclaration({ ...declared, serving: { check: onSource } })).toEqual({
      kind: 'invalid',
      problems: ['serving.check.on: must be target: only who has the interfaces can say whether it serves'],
    });
  });

  it.each([
    ['an alarm', { alarm: alarm('serves') }, 'alarm'],
    ['a check', { check: onTarget }, 'check'],
  ])('%s calls a person when its time is over, and is asked for two minutes', (_, serving, kind) => {
    expect(dueIn({ serving, on: b }, episodeOf(fromAToB), 'after')).toMatchObject({
      kind,
      step: 'serving',
      state: 'SERVING',
      deadlineMs: 120_000,
      onFailure: 'page',
    });
  });
});

describe('back on the source', () => {
  const undoing: Sketch = {
    hooks: {
      before: [
        { ...onSource, deadline: '10s', undo: { document: 'undo-on-source', on: 'source' } },
        onTarget,
        { ...byFunction, undo: { document: 'undo-on-target', on: 'target' } },
        { ...onTarget, undo: byFunction },
      ],
      after: [onTarget],
    },
    serving: { alarm: alarm('serves') },
  };
  const back = planTo(a, { source: a, tried: [b, a] });
  const begun = (...ids: string[]) => ({ stages: Object.fromEntries(ids.map((id) => [id, done()])) });
  const all = ['1/before.0', '1/before.1', '1/before.2', '1/before.3'];

  it.each(['switchover', 'failback'] as const)(
    'what a %s has begun is undone, the last first, where it was done',
    (kind) => {
      expect(inTurn(undoing, { ...askedFor(back, kind), ...begun(...all) }, 'after')).toEqual([
        '1/undo.3 function',
        `1/undo.2 ${b}`,
        `1/undo.0 ${a}`,
      ]);
    },
  );
  it('nothing of a failover is undone: what it leaves is not trusted to answer', () => {
    expect(inTurn(undoing, { ...episodeOf(back), ...begun(...all) }, 'after')).toEqual([]);
  });
  it('a rescue to where it was undoes nothing, but asks whether it serves', () => {
    expect(inTurn(undoing, { ...episodeOf(back, 'rescue'), ...begun(...all) }, 'after')).toEqual([
      '2/serving alarm',
    ]);
  });
  it('what was not begun is not undone', () => {
    expect(inTurn(undoing, { ...askedFor(back), ...begun('1/before.0') }, 'after')).toEqual([
      `1/undo.0 ${a}`,
    ]);
    expect(inTurn(undoing, askedFor(back), 'after')).toEqual([]);
  });
  it.each(['failed', 'refused', 'timed-out'] as const)(
    'what %s is undone all the same: it may have begun',
    (end) => {
      const episode = { ...askedFor(back), stages: { '1/before.0': ended(end) } };
      expect(inTurn(undoing, episode, 'after')).toEqual([`1/undo.0 ${a}`]);
    },
  );
  it('what was begun for each rung is undone for each, the last first', () => {
    const plan = planTo(a, { source: a, tried: [b, c, a] });
    const episode = { ...episodeOf(plan, 'switchover'), ...begun('1/before.2', '2/before.0', '2/before.2') };
    expect(inTurn(undoing, episode, 'after')).toEqual([`2/undo.2 ${c}`, `2/undo.0 ${a}`, `1/undo.2 ${b}`]);
  });
  it('an undo has the time of its hook, and calls a person when it fails', () => {
    const episode = { ...askedFor(back), ...begun('1/before.0') };
    expect(dueIn(undoing, episode, 'after')).toMatchObject({
      deadlineMs: 10_000,
      onFailure: 'page',
      state: 'AFTER_HOOK',
    });
  });
  it('an undo that fails does not keep the others from their turn, and calls a person after them', () => {
    const stages = { ...begun('1/before.0', '1/before.2').stages, '1/undo.2': ended('failed', 'no') };
    const episode = { ...askedFor(back), stages };
    expect(next(undoing, episode, 'after')).toMatchObject({ kind: 'due', stage: { id: '1/undo.0' } });
    const all = { ...episode, stages: { ...stages, '1/undo.0': done() } };
    expect(next(undoing, all, 'after')).toMatchObject({ kind: 'page', stage: { id: '1/undo.2' } });
    const both = { ...episode, stages: { ...stages, '1/undo.0': ended('failed') } };
    expect(next(undoing, both, 'after')).toMatchObject({ kind: 'page', stage: { id: '1/undo.0' } });
  });
});

describe('a stage that fails', () => {
  const hooks = (onFailure: string) => ({
    hooks: { before: [{ ...onTarget, onFailure }, byFunction], after: [] },
  });
  const failures = ['failed', 'refused', 'timed-out'] as const;
  const withEnd = (kind: EpisodeKind, end: (typeof failures)[number]) =>
    episodeOf(fromAToB, kind, { stages: { '1/before.0': ended(end) } });

  it.each(failures.flatMap((end) => kinds.map((kind) => [end, kind] as const)))(
    'and %s calls a person in a %s unless told otherwise',
    (end, kind) => {
      expect(next(hooks('page'), withEnd(kind, end), 'before')).toMatchObject({
        kind: 'page',
        stage: { id: '1/before.0' },
        mark: { end },
      });
    },
  );
  it.each(failures.flatMap((end) => kinds.map((kind) => [end, kind] as const)))(
    'and %s lets a %s go on where the service says so',
    (end, kind) => {
      expect(next(hooks('proceed'), withEnd(kind, end), 'before')).toMatchObject({
        kind: 'due',
        stage: { id: '1/before.1' },
      });
    },
  );
  it.each<[EpisodeKind, 'back' | 'page']>([
    ['switchover', 'back'],
    ['failback', 'back'],
    ['failover', 'page'],
    ['rescue', 'page'],
  ])('goes back where that is wanted in a %s: %s', (kind, answer) => {
    expect(next(hooks('back'), withEnd(kind, 'failed'), 'before').kind).toBe(answer);
  });
  it('that is done or only begun has not failed', () => {
    const begun = episodeOf(fromAToB, 'switchover', { stages: { '1/before.0': { begunAtMs: now } } });
    expect(next(hooks('back'), begun, 'before')).toMatchObject({ kind: 'due', mark: { begunAtMs: now } });
  });
  it('a fence calls a person, or lets the move go on, as the policy says', () => {
    const episode = episodeOf(fromAToB, 'failover', { stages: { fence: ended('timed-out') } });
    expect(next({ policy: { fence: 'stop' } }, episode, 'before').kind).toBe('page');
    expect(next({ policy: { fence: 'stop', onFenceTimeout: 'proceed' } }, episode, 'before').kind).toBe(
      'none',
    );
  });
  it('keeps a hook after it from its turn', () => {
    const onB = { hooks: { after: [onTarget, byFunction] }, on: b };
    const episode = episodeOf(fromAToB, 'failover', { stages: { '1/after.0': ended('failed') } });
    expect(next(onB, episode, 'after')).toMatchObject({ kind: 'page', stage: { id: '1/after.0' } });
  });
});

describe('who called a move back', () => {
  const sketch: Sketch = {
    hooks: {
      before: [
        { ...onTarget, onFailure: 'back' },
        { ...byFunction, onFailure: 'proceed' },
      ],
    },
  };
  const back = planTo(a, { source: a, tried: [b, a] });
  const because = (stages: NonNullable<Episode['stages']>, episode = askedFor(back)) => {
    const { service, observation } = world(sketch);
    return calledBackBy(service, { ...episode, stages }, observation);
  };

  it('is the hook that failed, with what it said', () => {
    expect(because({ '1/before.0': ended('failed', 'no') })).toBe(
      `HOOK_FAILED: before.0 (on-target on ${b}) failed: no`,
    );
  });
  it('is nobody where all was done, or what failed did not matter', () => {
    expect(because({})).toBeUndefined();
    expect(because({ '1/before.0': done(), '1/before.1': ended('failed') })).toBeUndefined();
    expect(because({ '1/before.0': { begunAtMs: now } })).toBeUndefined();
  });
  it('is nobody in a failover, which cannot be called back', () => {
    expect(because({ '1/before.0': ended('failed') }, episodeOf(back))).toBeUndefined();
  });
});

describe('what a stage is', () => {
  it.each(
    titled<{ fact: string; sketch: Sketch; side: 'before' | 'after'; stage: object }>([
      {
        fact: 'a fence: the source, with the time and the answer of the policy',
        sketch: { policy: { fence: 'stop', fenceTimeout: '30s', onFenceTimeout: 'proceed' } },
        side: 'before',
        stage: {
          kind: 'fence',
          id: 'fence',
          step: 'fence',
          state: 'FENCING',
          instance: a,
          deadlineMs: 30_000,
          onFailure: 'proceed',
        },
      },
      {
        fact: 'a document: its name, its parameters and the instance it runs on',
        sketch: { hooks: { before: [{ ...onTarget, parameters: { A: ['@token@'] }, deadline: '5m' }] } },
        side: 'before',
        stage: {
          kind: 'hook',
          id: '1/before.0',
          step: 'before.0',
          state: 'BEFORE_HOOK',
          deadlineMs: 300_000,
          onFailure: 'page',
          command: { kind: 'document', name: 'on-target', parameters: { A: ['@token@'] }, instance: b },
        },
      },
      {
        fact: 'a function: its name',
        sketch: { hooks: { after: [{ ...byFunction, onFailure: 'proceed' }] }, on: b },
        side: 'after',
        stage: {
          kind: 'hook',
          id: '1/after.0',
          step: 'after.0',
          state: 'AFTER_HOOK',
          deadlineMs: 60_000,
          onFailure: 'proceed',
          command: { kind: 'function', name: 'eni-failover-hook' },
        },
      },
    ]),
  )('%s', (_, { sketch, side, stage }) => {
    expect(dueIn(sketch, episodeOf(fromAToB), side)).toEqual(stage);
  });

  it.each([
    ['stopped', true],
    ['terminated', true],
    ['stopping', false],
    ['shutting-down', false],
    ['running', false],
    ['pending', false],
    [undefined, false],
  ])('a source that is %s is fenced: %s', (state, is) => {
    expect(isFenced(state)).toBe(is);
  });
});

describe('what a hook is told', () => {
  const episode = episodeOf(planTo(c, { source: a, tried: [b, c] }), 'failover', {
    id: 'a.b-2.31' as Episode['id'],
  });
  const stage = dueIn({ hooks: { before: [onTarget] } }, episode, 'before');
  const told = toldTo(stage, episode, 33);

  it('is the token of episode, rung and step, the epoch, and from where to where (P39)', () => {
    expect(tokenOf(episode, stage)).toBe('a.b-2.31/2/before.0');
    expect(told).toEqual({
      token: 'a.b-2.31/2/before.0',
      epoch: '33',
      service: 'a.b-2',
      episode: 'a.b-2.31',
      kind: 'failover',
      step: 'before.0',
      source: a,
      target: c,
    });
  });
  it('names no source where there was none', () => {
    expect(toldTo(stage, episodeOf(planTo(b)), 1)['source']).toBe('');
  });
  it.each([
    ['@token@', 'a.b-2.31/2/before.0'],
    ['/opt/promote.sh @token@ @epoch@', '/opt/promote.sh a.b-2.31/2/before.0 33'],
    ['@source@@target@', `${a}${c}`],
    ['@service@ @episode@ @kind@ @step@', 'a.b-2 a.b-2.31 failover before.0'],
    ['@epoch@ @epoch@', '33 33'],
    ['ann@example.com, @who@, @Token@, @ token@', 'ann@example.com, @who@, @Token@, @ token@'],
    ['@to@token@', '@toa.b-2.31/2/before.0'],
    ['{{ token }} $token', '{{ token }} $token'],
    ['', ''],
  ])('fills in %j as %j', (text, filled) => {
    expect(filledIn({ Commands: [text, 'x'] }, told)).toEqual({ Commands: [filled, 'x'] });
  });
  it('never fills in what was filled in', () => {
    expect(filledIn({ A: ['@source@'] }, { ...told, source: '@token@' })).toEqual({ A: ['@token@'] });
  });
  it('leaves parameter names and empty lists alone', () => {
    expect(filledIn({ '@token@': [], B: ['@step@'] }, told)).toEqual({ '@token@': [], B: ['before.0'] });
  });
});

describe('a stage in words', () => {
  const fence = dueIn({ policy: { fence: 'stop' } }, episodeOf(fromAToB), 'before');
  const hook = dueIn({ hooks: { before: [byFunction] } }, episodeOf(fromAToB), 'before');
  const serving = dueIn(
    { serving: { alarm: alarm('orders: it serves') }, on: b },
    episodeOf(fromAToB),
    'after',
  );
  const check = dueIn({ serving: { check: onTarget }, on: b }, episodeOf(fromAToB), 'after');

  it.each<[Stage, string]>([
    [fence, `fence (stop ${a})`],
    [hook, 'before.0 (eni-failover-hook)'],
    [serving, 'serving (orders: it serves)'],
    [check, `serving (on-target on ${b})`],
  ])('says what it is: $0.step', (stage, words) => {
    expect(describeStage(stage)).toBe(words);
  });
  it.each<[Stage, StageMark, string]>([
    [
      fence,
      ended('timed-out', 'it is stopping'),
      `FENCE_FAILED: fence (stop ${a}) not done within 120 s: it is stopping`,
    ],
    [hook, ended('failed'), 'HOOK_FAILED: before.0 (eni-failover-hook) failed'],
    [
      hook,
      ended('refused', 'no such function'),
      'HOOK_FAILED: before.0 (eni-failover-hook) refused: no such function',
    ],
    [hook, { begunAtMs: now }, 'HOOK_FAILED: before.0 (eni-failover-hook) not done'],
    [
      serving,
      ended('timed-out', 'the alarm is ALARM'),
      'NOT_SERVING: serving (orders: it serves) not done within 120 s: the alarm is ALARM',
    ],
    [check, ended('refused', 'x'), `NOT_SERVING: serving (on-target on ${b}) refused: x`],
  ])('says why it ended the episode: $2', (stage, mark, words) => {
    expect(whyItEnded(stage, mark)).toBe(words);
  });
});

describe('what is stored of a stage', () => {
  it('is kept beside the others, and one that is begun anew has not ended', () => {
    const first = withMark(episodeOf(fromAToB), 'fence', { begunAtMs: now });
    const second = withMark(withMark(first, '1/before.0', done()), '1/before.0', { begunAtMs: now + 1 });
    expect(second.stages).toEqual({ fence: { begunAtMs: now }, '1/before.0': { begunAtMs: now + 1 } });
    expect(first.stages).toEqual({ fence: { begunAtMs: now } });
  });

  it.each<[string, Episode['stages'], boolean]>([
    ['nothing', undefined, false],
    ['a fence', { fence: done() }, false],
    ['a hook before', { '1/before.0': done() }, false],
    ['a serving check', { '1/serving': done() }, false],
    ['a hook after, begun', { '1/before.0': done(), '1/after.0': { begunAtMs: now } }, true],
    ['a hook after, of an earlier rung', { '1/after.4': done(), '2/before.0': done() }, true],
    ['an undo', { '1/undo.0': done() }, false],
  ])('tells of %s whether the target may be promoted: %s', (_, stages, is) => {
    expect(mayGoBack({ episode: episodeOf(fromAToB, 'failover', stages && { stages }) })).toBe(!is);
  });

  it('makes an episode touched, though every interface is where it was (P15, P38)', () => {
    const { interfaces } = world().observation;
    const episode = episodeOf(fromAToB);
    expect(isUntouchedYet(episode, interfaces)).toBe(true);
    expect(isUntouchedYet(withMark(episode, 'fence', { begunAtMs: now }), interfaces)).toBe(false);
    expect(isUntouchedYet(episode, world({ on: { data: 'nothing', admin: a } }).observation.interfaces)).toBe(
      false,
    );
    expect(isUntouchedYet(episode, world({ on: { data: 'unread', admin: a } }).observation.interfaces)).toBe(
      false,
    );
  });
});

it('what is declared here can be declared', () => {
  const declared = {
    name: 'orders-db',
    interfaces: [{ eni: data, deviceIndex: 1 }],
    members: [{ instance: a }],
    hooks: everything.hooks,
    serving: everything.serving,
    policy: everything.policy,
  };
  expect(parseDeclaration(declared)).toMatchObject({ kind: 'declared' });
});
