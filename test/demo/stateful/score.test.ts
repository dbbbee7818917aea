/** What counts as lost, and as a write of the old primary: the checks of the stateful demo must be able to fail. */
import { describe, expect, it } from 'vitest';
import { type Line, parseLog, replay } from '../../../demo/stateful/disk.ts';
import { toScore, writtenBy } from '../../../demo/stateful/score.ts';

const write = (number: number, id: string, by: string, atMs = 0): Line => ({
  ...{ kind: 'write', number, id, by, atMs },
});
const promoted = (by: string, epoch = 2): Line => ({
  ...{ kind: 'promoted', by, epoch, token: `t${epoch}`, atMs: 0 },
});

describe('a failover that costs nothing', () => {
  const lines = [write(1, 'c1', 'a'), write(2, 'j1', 'a'), promoted('b'), write(3, 'c2', 'b')];

  it('has every acknowledged write under its number', () => {
    const acknowledged = [
      { id: 'c1', number: 1 },
      { id: 'j1', number: 2 },
      { id: 'c2', number: 3 },
    ];
    expect(toScore(lines, acknowledged)).toEqual({ acknowledged: 3, lost: [], afterPromotion: [] });
  });

  it('does not mind writes that nobody was told of', () => {
    expect(toScore(lines, [])).toEqual({ acknowledged: 0, lost: [], afterPromotion: [] });
  });
});

describe('a write that was acknowledged', () => {
  it('is lost when the disk never had it', () => {
    const { lost } = toScore([write(1, 'c1', 'a')], [{ id: 'c2', number: 2 }]);
    expect(lost).toEqual(['c2']);
  });

  it('is lost when another one was given its number later', () => {
    const lines = [write(1, 'c1', 'a'), promoted('b'), write(2, 'c2', 'b'), write(2, 'j1', 'a')];
    const acknowledged = [
      { id: 'c2', number: 2 },
      { id: 'j1', number: 2 },
    ];
    expect(toScore(lines, acknowledged).lost).toEqual(['c2']);
  });

  it('is lost when its line was left unfinished', () => {
    const text = `${JSON.stringify(write(1, 'c1', 'a'))}\n{"kind":"write","number":2,"id":"c2"`;
    expect(toScore(parseLog(text), [{ id: 'c2', number: 2 }]).lost).toEqual(['c2']);
  });
});

describe('an old primary that lives on', () => {
  it('is noticed by each line behind the promotion of another member', () => {
    const lines = [
      write(1, 'j1', 'a'),
      promoted('b'),
      write(2, 'j2', 'a'),
      write(2, 'c1', 'b'),
      write(3, 'j3', 'a'),
    ];
    expect(toScore(lines, []).afterPromotion).toEqual(['j2', 'j3']);
  });

  it('is noticed by the order of lines, whatever its clock says', () => {
    const lines = [write(1, 'j1', 'a', 900), promoted('b'), write(2, 'j2', 'a', 1)];
    expect(toScore(lines, []).afterPromotion).toEqual(['j2']);
  });

  it('is measured against the last promotion', () => {
    const lines = [
      promoted('b', 2),
      write(1, 'c1', 'b'),
      promoted('a', 3),
      write(2, 'c2', 'a'),
      write(3, 'c3', 'b'),
    ];
    expect(toScore(lines, []).afterPromotion).toEqual(['c3']);
  });

  it('is measured by the clock where nobody is promoted', () => {
    const lines = [write(1, 'j1', 'a', 10), write(2, 'j2', 'a', 30), write(3, 'c1', 'b', 40)];
    expect(writtenBy(lines, 'a', 20)).toEqual(['j2']);
  });
});

describe('the log', () => {
  it('is replayed to the counter, the epoch and who has which number', () => {
    const { counter, epoch, tokens, writes } = replay([
      write(1, 'c1', 'a'),
      promoted('b', 4),
      write(2, 'c2', 'b'),
    ]);
    expect({ counter, epoch, tokens: [...tokens], writes: [...writes] }).toEqual({
      counter: 2,
      epoch: 4,
      tokens: ['t4'],
      writes: [
        [1, 'c1'],
        [2, 'c2'],
      ],
    });
  });

  it('passes over what a dying process left, and reads on behind it', () => {
    const [first, second] = [write(1, 'c1', 'a'), write(2, 'c2', 'b')];
    const text = `${JSON.stringify(first)}\n{"kind":"wri\n${JSON.stringify(second)}\n`;
    expect(parseLog(text)).toEqual([first, second]);
  });
});
