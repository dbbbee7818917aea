/** The command line of the stateful demo: what it takes, and that it names what it does not. */
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../../demo/options.ts';
import { killPoints } from '../../../demo/stateful/kill-points.ts';
import { parseOptions, usage } from '../../../demo/stateful/options.ts';
import { killPointsFor } from '../../../demo/stateful/series.ts';

describe('without options', () => {
  it('kills the controller right after the detach, and does not wait for CloudWatch', () => {
    expect(parseOptions([])).toMatchObject({
      ...{
        kind: 'run',
        runs: undefined,
        detection: 'instant',
        latency: 'realistic',
        fence: 'stop',
        json: false,
      },
      killPoint: { name: 'after-detach' },
    });
  });
});

describe('--kill', () => {
  it.each(killPoints.map(({ name }) => name))('knows %s, and --help names it', (name) => {
    expect(parseOptions(['--kill', name])).toMatchObject({ killPoint: { name } });
    expect(usage).toContain(`  ${name} `);
  });

  it('names those that there are when it does not know one', () => {
    expect(() => parseOptions(['--kill', 'nope'])).toThrow(
      /^--kill: there is no 'nope'; there are none, .*after-detach, /,
    );
  });
});

describe('--runs', () => {
  it('takes each kill point once before any twice', () => {
    expect(new Set(killPointsFor(killPoints.length)).size).toBe(killPoints.length);
    expect(killPointsFor(killPoints.length + 1).at(-1)).toBe(killPoints[0]);
  });

  it('spreads few runs over the whole failover', () => {
    const places = killPointsFor(4).map((each) => killPoints.indexOf(each));
    expect(places).toEqual([0, 5, 10, 15]);
  });

  it('has twenty different ones', () => {
    expect(new Set(killPointsFor(20).map(({ name }) => name)).size).toBe(20);
  });

  it.each(['0', '-1', '1.5', 'many', '201'])('refuses %s', (text) => {
    expect(() => parseOptions([`--runs=${text}`])).toThrow(
      `--runs: '${text}' is not a number from 1 to 200.`,
    );
  });

  it('does not go with --kill', () => {
    expect(() => parseOptions(['--runs', '2', '--kill', 'none'])).toThrow('--runs: takes the kill points');
  });
});

it.each([
  [['--detection', 'soon'], "--detection: 'soon' is neither instant nor realistic."],
  [['--latency', 'none'], "--latency: 'none' is neither realistic nor instant."],
  [['--fence', 'maybe'], "--fence: 'maybe' is neither stop nor none."],
  [['--nope'], "Unknown option '--nope'"],
])('refuses %j', (args, message) => {
  expect(() => parseOptions(args)).toThrow(UsageError);
  expect(() => parseOptions(args)).toThrow(message);
});
