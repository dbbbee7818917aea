/** What the stateful demo prints: that parts are seen to add up, that nothing is wider than it may be, that faults show. */
import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { widthOf } from '../../../demo/screen.ts';
import { fitted, makeFrame } from '../../../demo/stateful/frame.ts';
import { findKillPoint } from '../../../demo/stateful/kill-points.ts';
import type { Outcome } from '../../../demo/stateful/outcome.ts';
import type { Play } from '../../../demo/stateful/play.ts';
import { darkTime, phone, safety, summary, verdict } from '../../../demo/stateful/summary.ts';
import { facts, marked, plain, startMs } from '../made-up.ts';

const outcome: Outcome = {
  score: { acknowledged: 120, lost: [], afterPromotion: [] },
  dark: {
    ...{ totalMs: 22_341, detectionMs: 21, controllerMs: 15_851, nobodyMs: 14_320 },
    ...{ ec2Ms: 5_900, promotionMs: 569 },
  },
  stillDarkMs: undefined,
  episodes: ['COMPLETED'],
  kills: { planned: 1, done: 1 },
  usual: {
    tries: [
      { atMs: startMs, outcome: 'killed', said: '' },
      { atMs: startMs + 5_000, outcome: 'failed', said: 'MissingParameter: The request must contain it' },
    ],
    ...{ rests: 'nothing', leftAtMs: startMs + 500, isOver: true },
    ...{ darkMs: undefined, stillDarkMs: 30_000, oldWrites: 7 },
  },
  isSafe: true,
  faults: [],
};

const pair = (first: string, second: string) => ({
  ...{ name: 'orders-db', eniId: 'eni-1' },
  holder: { host: first, instanceId: 'i-1' },
  standby: { host: second, instanceId: 'i-2' },
  isAbout: () => false,
  nameOf: (id: string) => id,
  named: (text: string) => text,
});

const received = [
  {
    Timestamp: '2026-11-21T02:00:25.000Z',
    Subject: '[eni-failover] WARNING: orders-db: failover to i-00000000000000002 done',
    Message: JSON.stringify({ secret: 1, text: 'orders-db: failover\n\nFrom: i-1\nTo: i-2' }),
  },
];

function play(more: Partial<Outcome> = {}, detection: 'instant' | 'realistic' = 'instant'): Play {
  const killPoint = findKillPoint('after-detach');
  if (killPoint === undefined) throw new Error('there is no such kill point');
  return {
    options: { killPoint, latency: 'realistic', detection, fence: 'stop' },
    view: { sinceMs: startMs, nowMs: startMs + 30_000, steps: [], service: [], usual: [] },
    ...{
      facts: facts(),
      commands: [],
      received,
      pairs: { service: pair('db-a', 'db-b'), usual: pair('old-a', 'old-b') },
    },
    outcome: { ...outcome, ...more },
  };
}

describe('the dark time', () => {
  it('is shown with parts that add up to the last digit', () => {
    const [, total = '', ...parts] = darkTime(play(), plain(100));
    const figures = parts.flatMap((line) => /^ *(\d+\.\d{3}) s/.exec(line)?.[1] ?? []);
    expect(figures).toHaveLength(4);
    const sum = figures.reduce((ms, text) => ms + Math.round(Number(text) * 1_000), 0);
    expect(total).toContain(`${(sum / 1_000).toFixed(3)} s`);
  });

  it('says of the default that it does not wait as long as CloudWatch would', () => {
    const told = (detection: 'instant' | 'realistic') =>
      darkTime(play({}, detection), plain(100)).join(' ').replaceAll(/ +/g, ' ');
    expect(told('instant')).toMatch(/raises the alarm at once. CloudWatch takes 60 to 180 s/);
    expect(told('realistic')).toContain('as late as CloudWatch is');
  });

  it('says where it has not ended', () => {
    expect(darkTime(play({ dark: undefined, stillDarkMs: 31_000 }), marked(100))[1]).toMatch(
      /<red> *31.000 s<\/red> {2}without an answer, and still none/,
    );
  });
});

describe('the verdict', () => {
  it('is green where nothing is lost, and red with its faults where something is', () => {
    expect(verdict(play(), marked(200))[0]).toMatch(/^<green>✓ nothing acknowledged was lost/);
    const faults = ['2 acknowledged writes are lost', 'the old primary took 3 writes after the promotion'];
    expect(verdict(play({ isSafe: false, faults }), marked(200))).toEqual([
      `<red>✗ ${faults.join('; ')}</red>`,
    ]);
  });

  it('shows each figure in red that is not as it must be', () => {
    const wrong = safety(
      {
        ...outcome,
        score: { acknowledged: 9, lost: ['c1'], afterPromotion: ['j1', 'j2'] },
        episodes: ['ATTACHED'],
      },
      marked(100),
    ).join('\n');
    expect(wrong).toMatch(/<red> *1<\/red> {2}acknowledged writes lost, of 9/);
    expect(wrong).toMatch(/<red> *2<\/red> {2}writes accepted by the old primary/);
    expect(wrong).toMatch(/<red> *1<\/red> {2}episode, ATTACHED/);
  });
});

describe('the notice on a phone', () => {
  const [delivered] = received;
  it('is a box with even sides, without what is meant for programs', () => {
    const lines = delivered ? phone(delivered, plain(80)) : [];
    expect(new Set(lines.map(widthOf)).size).toBe(1);
    expect(lines.join('\n')).toContain('From: i-1');
    expect(lines.join('\n')).not.toContain('secret');
  });
});

describe('everything at the end', () => {
  it.each([80, 100])('fits a terminal of %i columns', (columns) => {
    for (const line of summary(play(), plain(columns))) expect(widthOf(line)).toBeLessThanOrEqual(columns);
  });

  it('says where the usual way has left its interface', () => {
    const told = summary(play(), plain(100)).join('\n');
    expect(told).toContain('its interface is on nothing');
    expect(told).toContain("Lambda's retry 1 after 5 s (AWS: after 1 min): failed, MissingParameter");
  });
});

describe('the frame', () => {
  const terminal = (rows: number) => {
    let written = '';
    const stream = new Writable({
      write(text: Buffer, _, done) {
        written += text.toString();
        done();
      },
    });
    Object.assign(stream, { isTTY: true, rows, columns: 80 });
    return { stream: stream as unknown as NodeJS.WriteStream, written: () => written };
  };

  it('shows the head and the end of the tail', () => {
    expect(fitted(['a', 'b'], ['1', '2', '3'], 4)).toEqual(['a', 'b', '2', '3']);
    expect(fitted(['a', 'b'], ['1', '2', '3'], 2)).toEqual(['a', 'b']);
    expect(fitted(['a', 'b'], ['1'], 9)).toEqual(['a', 'b', '1']);
  });

  it('cuts what would go on in a second line and be drawn over wrongly', () => {
    const { stream, written } = terminal(5);
    makeFrame(stream).draw(['x'.repeat(81)], []);
    expect(written()).toContain(`${'x'.repeat(79)}…`);
    expect(written()).not.toContain('x'.repeat(80));
  });

  it('draws over exactly what it drew before, and takes itself away', () => {
    const { stream, written } = terminal(5);
    const frame = makeFrame(stream);
    frame.draw(['head'], ['1', '2', '3', '4']);
    const first = written();
    frame.draw(['head'], ['1']);
    frame.erase();
    expect(first.split('\n')).toHaveLength(5);
    expect(written().slice(first.length)).toBe(
      '\x1b[4A\rhead\x1b[K\n1\x1b[K\n\x1b[J\x1b[2A\r\x1b[J\x1b[?25h',
    );
  });
});
