/** Proves that each step is one JSON line, about the service it concerns, and that logging never throws. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Log } from '../../shared/app/ports.ts';
import { makeLogger, toLog } from '../../shared/runtime/logger.ts';

let written: string[];
let log: Log;
beforeEach(() => {
  vi.stubEnv('POWERTOOLS_LOG_LEVEL', 'INFO');
  written = [];
  const keep = (chunk: unknown) => {
    written.push(String(chunk));
    return true;
  };
  vi.spyOn(process.stdout, 'write').mockImplementation(keep);
  vi.spyOn(process.stderr, 'write').mockImplementation(keep);
  log = toLog(makeLogger());
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

type Line = Record<string, unknown>;
const lines = (): Line[] => {
  const text = written.join('');
  expect(text.endsWith('\n')).toBe(true);
  return text
    .trimEnd()
    .split('\n')
    .map((line): Line => JSON.parse(line));
};

describe('the log', () => {
  it.each(['info', 'warn', 'error'] as const)('writes %s as one JSON line with its facts', (level) => {
    log[level]('detach', { episode: 'orders-db.7', durationMs: 312, detail: 'line 1\nline 2' });
    expect(lines()).toStrictEqual([
      expect.objectContaining({
        level: level.toUpperCase(),
        message: 'detach',
        service: 'eni-failover',
        episode: 'orders-db.7',
        durationMs: 312,
        detail: 'line 1\nline 2',
      }),
    ]);
  });
  it('writes a line without facts', () => {
    log.info('swept');
    expect(lines()).toMatchObject([{ message: 'swept', service: 'eni-failover' }]);
  });
  it('names the service that a line is about apart from the one that logs', () => {
    log.info('looked', { service: 'orders-db', code: 'COMPLETED' });
    const [line] = lines();
    expect(line).toMatchObject({ service: 'eni-failover', subject: 'orders-db', code: 'COMPLETED' });
  });
  it('adds no subject where a line is about none', () => {
    log.info('event ignored', { code: 'STALE_EVENT' });
    expect(lines()[0]).not.toHaveProperty('subject');
  });
  it('keeps the facts of one line out of the next', () => {
    log.info('one', { service: 'orders-db', code: 'A' });
    log.info('two');
    const [, second] = lines();
    expect(second).not.toHaveProperty('code');
    expect(second).not.toHaveProperty('subject');
  });
  it('leaves the given facts as they are', () => {
    const facts = Object.freeze({ service: 'orders-db', code: 'A' });
    log.warn('one', facts);
    expect(facts).toStrictEqual({ service: 'orders-db', code: 'A' });
  });
  it('keeps the facts of an event that has a time and a kind of its own', () => {
    log.info('nothing is registered', {
      kind: 'state-change',
      instanceId: 'i-1',
      state: 'stopping',
      atMs: 5,
    });
    expect(lines()).toMatchObject([{ kind: 'state-change', instanceId: 'i-1', state: 'stopping', atMs: 5 }]);
  });

  const circular: Record<string, unknown> = {};
  circular['itself'] = circular;
  it.each<[string, Record<string, unknown>]>([
    ['a circle', { circular }],
    ['a bigint', { big: 10n }],
    ['undefined', { nothing: undefined }],
    ['a symbol', { symbol: Symbol('x') }],
    ['a set', { set: new Set(['a']) }],
    ['an error', { error: new Error('oops', { cause: new Error('because') }) }],
    ['a level', { level: 'quiet' }],
    ['a message', { message: 'another' }],
    ['a timestamp', { timestamp: 'yesterday' }],
    [
      'something that throws when it is looked at',
      Object.defineProperty({}, 'trap', {
        enumerable: true,
        get: () => {
          throw new Error('do not look');
        },
      }),
    ],
    [
      'something that throws when it is made JSON',
      {
        odd: {
          toJSON: () => {
            throw new Error('no JSON');
          },
        },
      },
    ],
  ])('does not throw over %s, and still says what happened', (_, facts) => {
    expect(() => log.error('a write failed', facts)).not.toThrow();
    expect(written.join('')).toContain('a write failed');
  });
});
