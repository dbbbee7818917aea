/** The states and outcomes of an episode as data, and a log that stays small and says what it left out. */
import { describe, expect, it } from 'vitest';
import { outcomes, type Step, statesBefore, withSteps } from '../../shared/core/episode.ts';
import { data, now } from './world.ts';

const step = (name: string, atMs = now, more: Partial<Step> = {}): Step => ({ atMs, step: name, ...more });
const many = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => step(`s${from + index}`, now + from + index));

describe('the states of an episode (P22)', () => {
  it('can all be reached from CLAIMED, which nothing comes before', () => {
    const reached = new Set<string>(['CLAIMED']);
    for (let before = 0; before !== reached.size; ) {
      before = reached.size;
      for (const [state, from] of Object.entries(statesBefore))
        if (from.some((each) => reached.has(each))) reached.add(state);
    }
    expect([...reached].sort()).toEqual(Object.keys(statesBefore).sort());
    expect(statesBefore.CLAIMED).toEqual([]);
  });
  it('never lead from an after hook or serving back to the source (P20)', () => {
    for (const [state, from] of Object.entries(statesBefore)) {
      if (state === 'SERVING') continue;
      expect(from).not.toContain('AFTER_HOOK');
      expect(from).not.toContain('SERVING');
    }
  });
  it('let a resumer enter what EC2 shows while the plan is carried out', () => {
    expect(statesBefore.DETACHING).toEqual(expect.arrayContaining(['ATTACHING', 'VERIFYING']));
    expect(statesBefore.ATTACHING).toEqual(expect.arrayContaining(['CLAIMED', 'DETACHING']));
    expect(statesBefore.VERIFYING).toEqual(expect.arrayContaining(['CLAIMED', 'ATTACHING']));
  });
  it('force nothing before the hook that comes before (P38)', () => {
    expect(statesBefore.BEFORE_HOOK).not.toContain('DETACHING');
    expect(statesBefore.FENCING).toEqual(['CLAIMED']);
  });
});

describe('the outcomes', () => {
  it('call a person exactly where one is needed', () => {
    const calling = Object.entries(outcomes).filter(([, each]) => each.human);
    expect(calling.map(([name]) => name).sort()).toEqual(
      ['ATTACHED', 'NEEDS_HUMAN', 'REFUSED', 'RETURNED_TO_SOURCE', 'STRANDED'].sort(),
    );
  });
});

describe("an episode's log (P7)", () => {
  it('is in order', () => {
    expect(withSteps([step('a')], [step('b', now + 1)]).map((each) => each.step)).toEqual(['a', 'b']);
  });
  it('counts a step that is repeated, and keeps when it began', () => {
    const lines = withSteps([step('look')], [step('look', now + 1), step('look', now + 2)]);
    expect(lines).toMatchObject([{ step: 'look', atMs: now, times: 3 }]);
  });
  it('tells the steps of one interface from those of another, and of another kind', () => {
    const lines = [
      step('look', now, { eni: data }),
      step('look', now + 1),
      step('look', now + 2, { detail: 'x' }),
    ];
    expect(withSteps([], lines)).toEqual(lines);
  });
  it('holds what happens in the same millisecond line by line, of one interface and of several', () => {
    const lines = [step('attach'), step('verify'), step('attach', now, { eni: data })];
    expect(withSteps([], lines)).toEqual(lines);
  });
  it('counts a repetition that is told late', () => {
    expect(withSteps([step('look', now + 1)], [step('look')])).toMatchObject([{ times: 2 }]);
  });
  it('counts a repetition across the lines of another interface', () => {
    const [own, other] = [step('look', now, { eni: data }), step('attach', now + 1, { eni: 'eni-9' })];
    expect(withSteps([], [own, other, { ...own, atMs: now + 2 }])).toMatchObject([
      { ...own, times: 2 },
      other,
    ]);
  });
  it('does not count what came back after something else', () => {
    expect(withSteps([], [step('a'), step('b', now + 1), step('a', now + 2)])).toHaveLength(3);
  });
  it('adds a line once that is written twice', () => {
    const once = withSteps([], [step('attach', now), step('verify', now + 1)]);
    expect(withSteps(once, [step('attach', now), step('verify', now + 1)])).toEqual(once);
  });
  it('counts a repeated line once that is written twice', () => {
    const once = withSteps([], [step('look', now), step('look', now + 1)]);
    expect(withSteps(once, [step('look', now), step('look', now + 1)])).toEqual(once);
  });
  it('cuts a long detail', () => {
    const [line] = withSteps([], [step('x', now, { detail: 'y'.repeat(5_000) })]);
    expect(line?.detail).toHaveLength(300);
  });
  it('counts a repetition of a long detail too', () => {
    const long = { detail: 'y'.repeat(5_000) };
    expect(withSteps([], [step('x', now, long), step('x', now + 1, long)])).toHaveLength(1);
  });
  it('holds 120 lines whole', () => {
    expect(withSteps([], many(120))).toEqual(many(120));
  });
  it('drops the middle beyond that, keeps beginning and end, and says so', () => {
    const lines = withSteps([], many(130));
    expect(lines).toHaveLength(120);
    expect(lines[0]).toEqual(many(1)[0]);
    expect(lines.at(-1)).toEqual(many(1, 129)[0]);
    expect(lines[60]).toMatchObject({ step: 'steps-dropped', detail: '11 lines of the log were dropped' });
  });
  it('says how many lines were dropped in all, not only the last time', () => {
    let lines = withSteps([], many(120));
    for (let index = 120; index < 150; index += 1) lines = withSteps(lines, many(1, index));
    const gap = lines.find((each) => each.step === 'steps-dropped');
    const kept = lines.filter((each) => each.step !== 'steps-dropped').length;
    expect(gap?.detail).toBe(`${150 - kept} lines of the log were dropped`);
  });
});
